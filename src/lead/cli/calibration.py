"""Expected errors for predictions of any tool: ``calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Shown

from lead.cli.console import note, show, warn
from lead.cli.use import LabelRoot, Only, Overwrite, To, Turned, warn_lost
from lead.reporting import counted

if TYPE_CHECKING:
    from lead.calibration.files import Calibrated


def calibrate(
    predictions: Annotated[
        Path,
        typer.Argument(help="Predictions of any tool, in any format that `lead convert` reads.", metavar="PREDICTIONS"),
    ],
    labels: Annotated[
        Path,
        typer.Argument(
            help="Labels of ten of these pictures at least, twenty or more are better: placed by a person, and new to "
            "the tool.",
            metavar="LABELS",
        ),
    ],
    out: Annotated[Path, typer.Option(help="File to write; its ending says the format.", metavar="FILE")],
    to: To = None,
    pictures: LabelRoot = None,
    only: Only = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Give predictions of any tool expected errors and 90 % radii, learnt from labels that the tool has not seen.

    Split conformal prediction: the radii hold nine of ten true places, whatever the tool and its score. Says how much
    the score tells of errors; where radii become narrower with it, a prediction's radius depends on it.
    """
    from lead.calibration.files import calibrate as calibrated
    from lead.calibration.files import in_words

    done = calibrated(
        predictions,
        labels,
        out,
        format=to,
        pictures=pictures,
        only=only,
        labelled_as=labelled_as.value if labelled_as else None,
        overwrite=overwrite,
        say=warn,
    )
    warn_lost(out, done.lost)
    for text in in_words(done.learnt):
        note(text)
    show(_summary(done))
    show(f"Predictions on {counted(len(set(done.labels.images)), 'picture')}, with expected errors: {out}")


def _summary(done: Calibrated) -> Shown:
    """A line for each landmark: medians over the predictions."""
    import numpy as np

    shown = Shown("Landmark")
    for name in ("Labelled pictures", "Expected error (px)", "90 % radius (px)"):
        shown.add_column(name, justify="right")
    shown.add_column("Radius from")
    found = done.learnt
    tables = (done.labels.px_error, done.labels.px_90)
    for k, name in enumerate(done.labels.schema.names):
        columns = [table[:, k][np.isfinite(table[:, k])] for table in tables if table is not None]
        numbers = [f"{np.median(column):.4g}" if len(column) else "–" for column in columns]
        source = "its own labels" if found.own[k] else "all landmarks" if found.labelled[k] else "–"
        shown.add_row(name, f"{found.labelled[k]:,}", *numbers, source)
    return shown
