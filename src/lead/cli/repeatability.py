"""How repeatable labels are, and whether a model is as exact: ``repeatability``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Shown

from lead.cli.console import note, show, warn
from lead.cli.morphometrics import RulerOption, ScaleSource, Unit, refuse_what_is_read
from lead.cli.use import LabelRoot, Only, Overwrite, Turned
from lead.reporting import counted

if TYPE_CHECKING:
    from lead.morphometrics.repeatability import Repeatability

MOST_FAR = 5
"""Places where looks lie far apart that are printed."""

Predictions = Annotated[
    Path | None,
    typer.Option(
        help="What a model says of the same pictures, as `lead predict` writes it; it should not have learnt from "
        "them.",
        metavar="FILE",
    ),
]
LearntFrom = Annotated[
    list[Path] | None,
    typer.Option(
        help="Labels that the model learnt from, as given to `lead fit`: its predictions of these pictures are left "
        "out. Repeatable.",
        metavar="LABELS",
    ),
]


def repeatability(
    labels: Annotated[
        list[str],
        typer.Argument(
            help="Whose labels stand in which file: anna=anna.json anna=anna-again.json ben=ben.tps, in any format "
            "that `lead convert` reads. Or the label file or folder of a studio in which second looks were made.",
            metavar="NAME=FILE...",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Table to write, .csv.", metavar="FILE")],
    measures: Annotated[
        Path | None, typer.Option(help="What to measure, as of `lead measure`.", metavar="FILE")
    ] = None,
    predictions: Predictions = None,
    learnt_from: LearntFrom = None,
    source: ScaleSource = None,
    ruler: RulerOption = None,
    unit: Unit = "mm",
    pictures: LabelRoot = None,
    only: Only = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Compare repeated looks at the same pictures: errors within and between people, and the model's beside them.

    The table has a line for each number, with its 90 % interval: of each landmark and measure the standard deviations
    within and between people, of measures the intraclass correlation, of shape the repeatability and its Procrustes
    analysis of variance. With --predictions also how far off the model is, and whether it is as exact as a second look.
    """
    from lead.errors import LeadError
    from lead.files import check_writable, refuse_existing, write_atomic
    from lead.morphometrics.measures import read_measures
    from lead.morphometrics.opening import Ruler, opened
    from lead.morphometrics.repeatability import repeatability as compared
    from lead.morphometrics.second_looks import files_of, gathered_looks

    if out.suffix.lower() != ".csv":
        raise LeadError(f"{out}: the table is a CSV. End its name in .csv.")
    if learnt_from and not predictions:
        raise LeadError("--learnt-from says what a model learnt from. Give what it says, too: --predictions.")
    files = files_of(labels)
    refuse_what_is_read(out, *(file.path for file in files), measures, predictions, source, *(learnt_from or ()))
    if not overwrite:
        refuse_existing(out)
    check_writable(out)
    ends = Ruler(*ruler) if ruler else None
    looks = gathered_looks(
        files,
        scale=source,
        ruler=ends,
        unit=unit,
        pictures=pictures,
        only=only,
        labelled_as=labelled_as.value if labelled_as else None,
        say=warn,
    )
    asked = read_measures(measures, looks.schema) if measures else ()
    folder = pictures or files[0].pictures
    predicted = opened(predictions, pictures=folder, only=only, say=warn).labels if predictions else None
    learnt = [image for path in learnt_from or () for image in opened(path, pictures=folder, say=warn).labels.images]
    found = compared(looks, asked, predicted, learnt_from=learnt, without=ruler[:2] if ruler else (), say=warn)
    write_atomic(out, found.dump(), overwrite=overwrite)
    if predicted is not None and not learnt:
        note(
            "A model is more exact on pictures that it learnt from. If these are such, predict them with a model "
            "fitted without their labels (--learnt-from names the labels, and leaves them out)."
        )
    _show(found)
    people = ", ".join(f"{name} ({looks.people.count(name)})" for name in dict.fromkeys(looks.people))
    show(f"{counted(len(looks.images), 'picture')} looked at twice or more, by {people}; with intervals: {out}")


def _show(found: Repeatability) -> None:
    """Tables of landmarks, measures and shape, and what they say of the model."""
    from lead.morphometrics import repeatability as of

    millimetres = any(line.unit == "mm" for line in found.lines if line.of == of.LANDMARK)
    show(_table(found, of.LANDMARK, "mm" if millimetres else "px"))
    if any(line.of == of.MEASURE for line in found.lines):
        show(_table(found, of.MEASURE, None))
    for line in found.lines:
        if line.quantity == of.REPEATABILITY:
            whose = f" of {line.person}'s looks" if line.person else ""
            show(f"Repeatability of shape{whose}, Procrustes ANOVA: {_number(line.value)}")
    for image, name, distance in found.far[:MOST_FAR]:
        warn(f"{image!r}: looks at {name!r} lie {distance:.4g} px apart, far more than usual. Is it a slip?")
    for sentence in found.verdicts():
        show(sentence)


def _table(found: Repeatability, kind: str, unit: str | None) -> Shown:
    """A line for each landmark or measure, with those numbers of it that are known."""
    from lead.morphometrics import repeatability as of

    columns = [
        (title, lines)
        for title, quantity, of_unit in (
            ("Within people", of.WITHIN, unit),
            ("Between people", of.BETWEEN, unit),
            (of.ICC_WITHIN, of.ICC_WITHIN, None),
            (of.ICC_BETWEEN, of.ICC_BETWEEN, None),
            ("Model", of.MODEL, unit),
            ("Model ÷ second look", of.TO_SECOND, ""),
            ("Model ÷ another's", of.TO_OTHER, ""),
        )
        if (lines := found.found(kind, quantity, of_unit))
    ]
    shown = Shown(kind.capitalize(), title="Standard deviations" + (f" in {unit}" if unit else ""))
    if unit is None:
        shown.add_column("Unit")
    for name, _ in columns:
        shown.add_column(name, justify="right")
    for name, line in columns[0][1].items():
        cells = [_number(at.value) if (at := lines.get(name)) else "–" for _, lines in columns]
        shown.add_row(name, *([line.unit] if unit is None else []), *cells)
    return shown


def _number(value: float) -> str:
    return f"{value:.3g}" if value == value else "–"
