"""From landmarks to measurements: ``scale``, ``measure``, ``shape``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Shown

from lead.cli.console import note, show, warn
from lead.cli.use import LabelledAs, LabelRoot, Only, Overwrite, Turned
from lead.reporting import counted

if TYPE_CHECKING:
    from lead.morphometrics.measuring import Table
    from lead.morphometrics.opening import Specimens

MOST_FAR = 5
"""Specimens far from the others that are printed; all are on the page."""
MOST_UNLIKELY = 20
"""Unlikely values that are printed; all are in the table."""

Landmarks = Annotated[
    Path,
    typer.Argument(
        help="Landmarks, labelled or predicted, in any format that `lead convert` reads.", metavar="LANDMARKS"
    ),
]
ScaleSource = Annotated[
    str | None,
    typer.Option(
        "--scale",
        help="Where millimetres a pixel come from: a table (.csv) or TPS file; `pictures`, for what their files say "
        "(DICOM, OME, ImageJ, a scanner's resolution); or a number for all. Default: SCALE= of LANDMARKS if it is TPS, "
        "else none.",
        metavar="FILE|pictures|NUMBER",
    ),
]
RulerOption = Annotated[
    tuple[str, str, float] | None,
    typer.Option(
        help="Two landmarks on a ruler in each picture, and the length between them: the scale comes from these.",
        metavar="FROM TO LENGTH",
    ),
]
Unit = Annotated[
    str,
    typer.Option(help="Unit of --ruler, of a number, and of SCALE= in TPS: mm, cm, m, um or in.", metavar="UNIT"),
]
ByHand = Annotated[
    float | None,
    typer.Option(
        help="Mean distance in pixels of points placed by hand from the true places, where it is known; otherwise what "
        "depends on such points has no standard error.",
        metavar="PIXELS",
        min=0,
    ),
]


def scale(
    landmarks: Landmarks,
    out: Annotated[
        Path,
        typer.Option(help="File to write: .csv for a table, .tps for the landmarks with SCALE=.", metavar="FILE"),
    ],
    source: ScaleSource = None,
    ruler: RulerOption = None,
    unit: Unit = "mm",
    by_hand: ByHand = None,
    pictures: LabelRoot = None,
    only: Only = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Find how large a pixel is in each picture, and write it to a table or with the landmarks to TPS."""
    from lead.errors import LeadError
    from lead.files import refuse_existing, write_atomic
    from lead.landmarks import scales, tps

    if out.suffix.lower() not in (".csv", ".tps"):
        raise LeadError(
            f"Cannot tell the format of {out}: end its name in .csv (a table) or .tps (with the landmarks)."
        )
    _refuse_what_is_read(out, landmarks, source)
    if not overwrite:
        refuse_existing(out)
    found = _opened(landmarks, source, ruler, unit, by_hand, pictures, only, labelled_as)
    if not found.scales:
        raise LeadError(f"{landmarks} says no scale. Say where it comes from: --scale or --ruler.")
    as_table = out.suffix.lower() == ".csv"
    text = scales.dump(found.scales) if as_table else tps.dump(found.labels, found.sizes, found.scales)
    write_atomic(out, text, overwrite=overwrite)
    show(f"Scales of {counted(len(found.scales), 'picture')}: {out}")


def measure(
    landmarks: Landmarks,
    measures: Annotated[
        Path,
        typer.Option(
            help="What to measure, YAML: each line a name, a kind and its landmarks, as in "
            "'wing length: {distance: [base, tip]}'.",
            metavar="FILE",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Table to write, .csv.", metavar="FILE")],
    source: ScaleSource = None,
    ruler: RulerOption = None,
    unit: Unit = "mm",
    by_hand: ByHand = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Also write a page (.html): unlikely specimens in their pictures, and a summary.", metavar="FILE"
        ),
    ] = None,
    check: Annotated[
        Path | None,
        typer.Option(
            "--checked",
            help="Labels of some of the pictures, that the model has not learnt from: how the errors of a picture's "
            "landmarks go together is learnt from them, and from ten on how large they are. Default: independent, and "
            "as predicted.",
            metavar="LABELS",
        ),
    ] = None,
    pictures: LabelRoot = None,
    only: Only = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Measure distances, angles, areas and ratios of each specimen, with standard errors and 90 % intervals.

    Errors are propagated from the landmarks' own (px_90, px_error) and from the scale's. Kinds of measures: distance,
    path, angle, axis, area, from_line, ratio. Prints a summary, and the specimens whose value is unlikely.
    """
    from lead.errors import LeadError
    from lead.files import check_writable, refuse_existing, write_atomic
    from lead.morphometrics.measure_page import page
    from lead.morphometrics.measures import read_measures
    from lead.morphometrics.measuring import measure as measured

    if out.suffix.lower() != ".csv":
        raise LeadError(f"{out}: the table is a CSV. End its name in .csv.")
    if report and report.resolve() == out.resolve():
        raise LeadError(f"{out}: the table and the page (--report) cannot be one file. Name the page .html.")
    for path in filter(None, (out, report)):
        _refuse_what_is_read(path, landmarks, measures, source, check)
        if not overwrite:
            refuse_existing(path)
        check_writable(path)
    found = _opened(landmarks, source, ruler, unit, by_hand, pictures, only, labelled_as, check)
    asked = read_measures(measures, found.labels.schema)
    table = measured(found.labels, asked, found.scales, together=found.together, by_hand=by_hand)
    as_page = page(table, found.pictures) if report else ""  # before anything is written: it takes longest
    write_atomic(out, table.dump(), overwrite=overwrite)
    if report:
        write_atomic(report, as_page, overwrite=overwrite)
    if not found.scales and any("px" in unit for unit in table.units):
        note("In pixels: no scale was given (--scale, --ruler).")
    for text in table.gaps():
        warn(text)
    show(_summary(table))
    if unlikely := table.unlikely():
        show(_unlikely(table, unlikely))
    count = counted(len(found.labels), "specimen")
    show(f"{counted(len(table.measures), 'measure')} of {count}: {out}{f', {report}' if report else ''}")


class WhatIsMissing(StrEnum):
    ESTIMATE = "estimate"
    LEAVE_OUT = "leave-out"


class HowToSlide(StrEnum):
    BENDING = "bending"
    PROCRUSTES = "procrustes"
    NO = "no"


SAID = {
    HowToSlide.BENDING: "slid to the least bending energy.",
    HowToSlide.PROCRUSTES: "slid to the least Procrustes distance.",
    HowToSlide.NO: "not slid.",
}


def shape(
    landmarks: Landmarks,
    out: Annotated[Path, typer.Option(help="Folder to write into: new or empty.", metavar="DIR")],
    without: Annotated[
        list[str] | None,
        typer.Option(
            help="Landmark that is no part of the shape. Repeatable. Those of --ruler are none anyway.", metavar="NAME"
        ),
    ] = None,
    missing: Annotated[
        WhatIsMissing,
        typer.Option(help="Estimate missing landmarks by thin-plate spline, or leave out specimens that lack one."),
    ] = WhatIsMissing.ESTIMATE,
    groups: Annotated[
        Path | None,
        typer.Option(
            help="Table (.csv) with the columns image and group, such as species. Each gets a mean shape and a colour.",
            metavar="FILE",
        ),
    ] = None,
    slide: Annotated[
        HowToSlide,
        typer.Option(
            help="What the points of curves minimise as they slide along them: bending energy, as in geomorph's gpagen "
            "by default, or Procrustes distance. With no, they are landmarks like others."
        ),
    ] = HowToSlide.BENDING,
    source: ScaleSource = None,
    ruler: RulerOption = None,
    unit: Unit = "mm",
    pictures: LabelRoot = None,
    only: Only = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare shapes: superimpose specimens, and find their sizes, principal components, asymmetry and likely mistakes.

    Writes aligned.tps and shapes.R for geomorph, morphoj.txt, specimens.csv, landmarks.csv, and shapes.html to look at;
    of labels with curves also sliders.csv, geomorph's matrix of them.
    """
    from lead.files import check_folder
    from lead.morphometrics.measuring import specimen_names
    from lead.morphometrics.shape import read_groups, shapes_of
    from lead.morphometrics.shape_files import PAGE, write_shapes

    check_folder(out, overwrite=overwrite)
    found = _opened(landmarks, source, ruler, unit, None, pictures, only, labelled_as)
    left_out = [*(without or []), *(ruler[:2] if ruler else ())]
    of_groups = read_groups(groups) if groups else None
    shapes = shapes_of(
        found.labels,
        found.scales,
        missing=missing.value,
        without=left_out,
        groups=of_groups,
        slide=slide.value,
        say=warn,
    )
    write_shapes(shapes, out, overwrite=overwrite)
    if far := shapes.far():
        specimens = specimen_names(shapes.labels)
        names = ", ".join(f"{specimens[row]} ({shapes.oddest(row)})" for row in far[:MOST_FAR])
        show(f"Far from the others, with the landmark to look at: {names}{' …' if len(far) > MOST_FAR else ''}")
    if curves := shapes.labels.schema.curves:
        of = f"{counted(len(shapes.labels.schema.sliders), 'point')} of {counted(len(curves), 'curve')}"
        show(f"{of}: {SAID[slide]}")
    count = f"{counted(len(shapes.labels), 'specimen')} with {counted(len(shapes.mean), 'landmark')}"
    show(f"Shapes of {count}: {out}\nTo look at: {out / PAGE}")


def _refuse_what_is_read(out: Path, *inputs: Path | str | None) -> None:
    """Landmarks, scales and measures are not overwritten with what is made of them, not even if that is asked for."""
    from lead.errors import LeadError

    for path in inputs:
        if path is not None and Path(path).resolve() == out.resolve():
            raise LeadError(f"{out} is read, and would be overwritten. Give --out and --report other names.")


def _opened(
    landmarks: Path,
    source: str | None,
    ruler: tuple[str, str, float] | None,
    unit: str,
    by_hand: float | None,
    pictures: Path | None,
    only: str | None,
    labelled_as: LabelledAs | None,
    check: Path | None = None,
) -> Specimens:
    from lead.morphometrics.opening import Ruler, opened

    return opened(
        landmarks,
        scale=source,
        ruler=Ruler(*ruler) if ruler else None,
        unit=unit,
        by_hand=by_hand,
        check=check,
        pictures=pictures,
        only=only,
        labelled_as=labelled_as.value if labelled_as else None,
        say=warn,
    )


def _summary(table: Table) -> Shown:
    """A line for each measure."""
    shown = Shown("Measure", "Unit")
    for name in ("Specimens", "Median", "10 %", "90 %", "Typical standard error"):
        shown.add_column(name, justify="right")
    for measure, unit, of_one in zip(table.measures, table.units, table.summary(), strict=True):
        numbers = [f"{value:.4g}" if value == value else "–" for value in (*of_one.quantiles, of_one.error)]
        shown.add_row(measure.name, unit, f"{of_one.count:,}", *numbers)
    return shown


def _unlikely(table: Table, unlikely: list[tuple[int, int]]) -> Shown:
    """The specimens to look at first: their pictures, what is odd, and what is usual."""
    from lead.morphometrics.measuring import specimen_names

    more = f", the first {MOST_UNLIKELY} of {len(unlikely)}" if len(unlikely) > MOST_UNLIKELY else ""
    shown = Shown("Picture", "Measure", title=f"Unlikely values{more}: look at these first")
    for name in ("Value", "Usual"):
        shown.add_column(name, justify="right")
    names, usual = specimen_names(table.labels), [of_one.quantiles[0] for of_one in table.summary()]
    for row, m in unlikely[:MOST_UNLIKELY]:
        name, unit = names[row], table.units[m]
        shown.add_row(name, table.measures[m].name, f"{table.values[row, m]:.4g} {unit}", f"{usual[m]:.4g} {unit}")
    return shown
