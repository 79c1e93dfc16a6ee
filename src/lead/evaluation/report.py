"""One HTML file that shows a run: key figures, curves, tables, pictures. It needs no network and no script."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from jinja2 import Environment, StrictUndefined
from PIL import Image

from lead.evaluation.chart import HEIGHT, WIDTH, Chart, lay_out
from lead.evaluation.grids import BRACKETS, Grid, decimals, grid
from lead.evaluation.results import METRICS, Result
from lead.files import write_atomic


@dataclass(frozen=True)
class Shown:
    """A picture in a report.

    Attributes:
        image: embedded in the file.
        caption: the line below it.
        alt: what it shows, for those who cannot see it; the caption if empty.
    """

    image: Image.Image
    caption: str
    alt: str = ""


@dataclass(frozen=True)
class KeyFigure:
    """One number worth a large typeface, e.g. ``KeyFigure("4.2 %", "mean error", "from 10 labelled pictures")``."""

    value: str
    label: str
    note: str = ""


@dataclass(frozen=True)
class Section:
    """A part of a report. What it holds is shown in the order of these attributes.

    Attributes:
        heading: of the section.
        text: paragraphs, with an empty line between them.
        figures, charts, tables, pictures: what it shows.
    """

    heading: str
    text: str = ""
    figures: Sequence[KeyFigure] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[Result] = ()
    pictures: Sequence[Shown] = ()


def write_report(path: Path, *, title: str, intro: str, sections: Sequence[Section], overwrite: bool = False) -> None:
    """Write a report, whole or not at all.

    Args:
        path: the HTML file.
        title: heads the page.
        intro: paragraphs, with an empty line between them.
        sections: in their order.
        overwrite: replace a file that stands there.

    Raises:
        LeadError: the file exists and is not to be overwritten.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"data_uri": data_uri, "decimals": decimals, "grid": grid, "lay_out": lay_out}
    environment.filters |= {"metric_groups": metric_groups}
    template = environment.from_string(files("lead.evaluation").joinpath("report.html.j2").read_text("utf-8"))
    page = template.render(
        title=title, intro=intro, sections=sections, plot_width=WIDTH, plot_height=HEIGHT, brackets=BRACKETS
    )
    write_atomic(path, page, overwrite=overwrite)


def data_uri(image: Image.Image) -> str:
    """The picture as a ``data:`` address that holds a WebP file."""
    file = io.BytesIO()
    image.save(file, "WEBP", quality=88)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def metric_groups(table: Grid) -> list[tuple[str, int]]:
    """The upper headings of a table: each metric with its unit, and how many columns it spans."""
    by_metric = groupby(table.columns, key=lambda column: f"{METRICS[column.metric]} ({column.unit})")
    return [(heading, len(list(columns))) for heading, columns in by_metric]
