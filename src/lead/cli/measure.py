"""Measuring a run: ``evaluate``."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lead.cli.console import note, show
from lead.cli.learn import Name
from lead.cli.use import Overwrite, RunFolder
from lead.errors import LeadError


class Task(StrEnum):
    REGRESSION = "regression"
    FEW_SHOT = "few-shot"
    MATCHING = "matching"


class Split(StrEnum):
    TEST = "test"
    VALIDATION = "validation"


class MeasuredHead(StrEnum):
    CASCADE = "cascade"
    RIDGE = "ridge"
    SOFTARGMAX = "softargmax"


def evaluate(
    run: RunFolder,
    dataset: Annotated[
        Path, typer.Argument(help="Folder of a labelled dataset, e.g. one made by `lead render`.", metavar="DATASET")
    ],
    task: Annotated[
        Task,
        typer.Argument(
            help="Landmarks from all labels, from few, or matched from one picture to another.", metavar="TASK"
        ),
    ],
    split: Annotated[
        Split,
        typer.Option(help="validation: the identities that the run held out, for choosing settings."),
    ] = Split.TEST,
    head: Annotated[
        list[MeasuredHead] | None,
        typer.Option(help="Landmark head of regression and few-shot. Repeatable. Default: cascade and ridge."),
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(help="Point set of the dataset. Repeatable. Default: all (matching: the first).", metavar="NAME"),
    ] = None,
    labels: Annotated[
        str, typer.Option(help="Numbers of labelled pictures of few-shot.", metavar="N,N,…")
    ] = "1,5,10,20,50,100",
    draws: Annotated[int, typer.Option(help="Random draws of the labelled pictures of few-shot.", min=1)] = 5,
    method: Annotated[
        list[str] | None,
        typer.Option(
            help="Features to measure: untrained, init, byol, lead; and supervised, the network trained on few-shot's "
            "labels alone. Repeatable. Default: all but supervised.",
            metavar="NAME",
        ),
    ] = None,
    preset_name: Annotated[str, typer.Option(help="Name under which the result is filed.", metavar="NAME")] = "custom",
    results: Annotated[Path, typer.Option(help="Folder of results.", metavar="DIR")] = Path("results"),
    overwrite: Overwrite = False,
    name: Name = None,
) -> None:
    """Measure a run's features on a dataset, compared with the untrained network and stage 1's.

    Prints a table, and writes it with everything it takes to measure it again to DIR/DATASET/NAME/TASK.json, and to
    .md beside it; point sets that are asked for are part of the name. What is predicted is kept in RUN/predictions:
    asked again, for another table or another metric, nothing is fitted.
    """
    counts = numbers(labels, "--labels")
    from lead import api
    from lead.datasets import open_dataset
    from lead.evaluation.grids import markdown, rich_tables
    from lead.evaluation.results import results_path
    from lead.experiments.bench import result_name
    from lead.files import check_writable, refuse_existing, write_atomic

    data = open_dataset(dataset, name)
    path = results_path(results, data.name, preset_name, result_name(task, split, points))
    if not overwrite:  # asked before minutes of work, not after
        refuse_existing(path)
        refuse_existing(path.with_suffix(".md"))
    check_writable(path)
    result = api.evaluate(
        run,
        data,
        task,
        preset=preset_name,
        split=split,
        heads=[h.value for h in head or [MeasuredHead.CASCADE, MeasuredHead.RIDGE]],
        point_sets=points,
        methods=method,
        labels=counts,
        draws=draws,
        say=note,
    )
    result.write(path, overwrite=overwrite)
    write_atomic(path.with_suffix(".md"), markdown(result), overwrite=overwrite)
    for table in rich_tables(result):
        show(table)
    show(f"Result: {path} and {path.with_suffix('.md').name} beside it")


def numbers(text: str, option: str, *, least: int = 1) -> list[int]:
    """Whole numbers with commas between, as an option gives them."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = []
    if not found or min(found) < least:
        raise LeadError(f"{option} {text!r}: give whole numbers from {least} with commas between, for example 1,5,10.")
    return found
