"""One HTML file with what was measured: unlikely specimens first, in their pictures, then a summary."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures
from lead.images.originals import opened
from lead.landmarks.frames import frame_of
from lead.morphometrics.kinds import RATIO
from lead.morphometrics.measures import Measure
from lead.morphometrics.measuring import Table, specimen_names
from lead.morphometrics.rendering import rendered

FloatArray = npt.NDArray[np.float64]

Rectangle = tuple[int, int, int, int]
"""x, y, width and height in whole pixels."""

MOST = 24
"""Unlikely values that are shown."""
AROUND = 0.35
"""Of a specimen's extent, shown around it."""
SIDE = 480
"""Pixels of the longer side of what is shown."""


@dataclass(frozen=True)
class Shown:
    """An unlikely value.

    Attributes:
        name, measure, value, usual: of the specimen, in words.
        picture: what it lies in, as a ``data:`` address; empty if the picture is not at hand.
        box: x, y, width and height of it, in pixels of the whole picture.
        lines: what was measured, as SVG paths in these pixels.
        rings: x, y, radius and name of each of its landmarks.
    """

    name: str
    measure: str
    value: str
    usual: str
    picture: str
    box: Rectangle
    lines: list[str]
    rings: list[tuple[float, float, float, str]]

    @property
    def view(self) -> str:
        return " ".join(map(str, self.box))


def page(table: Table, pictures: FolderPictures) -> str:
    """The page's text.

    Args:
        table: what was measured.
        pictures: those of the labels; one that is not there, or cannot be read, is not shown.
    """
    summary, unlikely = table.summary(), table.unlikely()
    usual = [of_one.quantiles[0] for of_one in summary]
    names = specimen_names(table.labels)
    titles = [
        f"{one.name} ({unit})" if unit else one.name for one, unit in zip(table.measures, table.units, strict=True)
    ]
    numbers = [[_number(value) for value in (*of_one.quantiles, of_one.error)] for of_one in summary]
    return rendered(
        "measures.html.j2",
        specimens=len(table.labels),
        unlikely=[_shown(table, row, m, names[row], usual[m], pictures) for row, m in unlikely[:MOST]],
        more=max(len(unlikely) - MOST, 0),
        summary=list(zip(titles, [of_one.count for of_one in summary], numbers, strict=True)),
        gaps=table.gaps(),
    )


def _number(value: float) -> str:
    return f"{value:.4g}" if np.isfinite(value) else "–"


def _shown(table: Table, row: int, m: int, name: str, usual: float, pictures: FolderPictures) -> Shown:
    labels, one = table.labels, table.measures[m]
    parts = _parts(one, {other.name: other for other in table.measures})
    names = list(dict.fromkeys(name for part in parts for name in part.of))
    index = [labels.schema.index(name) for name in names]
    radii = np.full(len(names), 0.0) if labels.px_90 is None else np.nan_to_num(labels.px_90[row, index])
    known = labels.xy[row][np.isfinite(labels.xy[row, :, 0])]
    extent = max(float(np.ptp(known, axis=0).max()), 1.0)
    rings = [
        (round(x, 2), round(y, 2), round(max(radius, extent / 100), 2), name)
        for (x, y), radius, name in zip((labels.xy[row, index] + 0.5).tolist(), radii.tolist(), names, strict=True)
    ]
    picture, box = _part(labels.images[row], known, extent, pictures)
    unit = table.units[m]
    return Shown(
        name,
        one.name,
        f"{_number(table.values[row, m])} {unit}".strip(),
        f"{_number(usual)} {unit}".strip(),
        picture,
        box,
        [_path(labels.xy[row, [labels.schema.index(name) for name in part.of]] + 0.5, part) for part in parts],
        rings,
    )


def _parts(one: Measure, others: dict[str, Measure]) -> list[Measure]:
    """A measure; of a ratio, the measures of landmarks that it comes down to."""
    if one.kind != RATIO:
        return [one]
    return [part for name in one.of for part in _parts(others[name], others)]


def _path(points: FloatArray, one: Measure) -> str:
    """The line along what is measured; pieces of an angle between two lines, or of a point and a line, stand apart."""
    apart = [2, 4] if one.kind == "angle" and len(points) == 4 else [1, 3] if one.kind == "from_line" else [len(points)]
    pieces = np.split(points, apart)[:-1]
    closed = "Z" if one.kind == "area" else ""
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in piece.tolist()) + closed for piece in pieces)


def _part(image: str, known: FloatArray, extent: float, pictures: FolderPictures) -> tuple[str, Rectangle]:
    """What a specimen lies in, as a ``data:`` address, and x, y, width and height; empty if it is not to be had."""
    nothing = "", (0, 0, 1, 1)
    name = pictures.find(image)
    if name is None or frame_of(name):
        return nothing
    try:
        original = opened(pictures.root / name)
        size = np.array(original.size)
        low = np.clip(np.floor(known.min(0) - AROUND * extent), 0, size - 1)
        high = np.clip(np.ceil(known.max(0) + AROUND * extent), low + 1, size)
        left, top, right, bottom = (int(value) for value in (*low, *high))
        part = original.part((left, top, right, bottom), max(max(right - left, bottom - top) / SIDE, 1.0))
    except LeadError:
        return nothing
    left, top, right, bottom = part.box
    return _data_uri(part.pixels), (left, top, right - left, bottom - top)


def _data_uri(picture: Image.Image) -> str:
    picture.thumbnail((SIDE, SIDE))
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=85)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode("ascii")
