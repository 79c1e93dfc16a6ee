"""The paper's tables and figures, ``reproduce``; and any result made again, ``repeat``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lead.cli.console import note, show, warn, watching
from lead.cli.learn import Assignments, Name
from lead.cli.measure import MeasuredHead, Split, numbers
from lead.cli.use import Overwrite
from lead.errors import LeadError
from lead.reporting import counted

if TYPE_CHECKING:
    from lead.reproduce.study import Study


def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tables and figures, or all; --list names them.", metavar="[NAME]")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Name every table and figure, and exit.")] = False,
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of the dataset to train on, and to measure on. Repeatable, to train on several; "
            "--on then says which to measure on.",
            metavar="DIR",
        ),
    ] = None,
    name: Name = None,
    on: Annotated[Path | None, typer.Option(help="Folder of another dataset to measure on.", metavar="DIR")] = None,
    on_name: Annotated[
        str | None, typer.Option(help="Its name, where the folder holds several.", metavar="NAME")
    ] = None,
    preset: Annotated[str, typer.Option(help="Shipped settings or a YAML file.", metavar="NAME|FILE")] = "short",
    assignments: Assignments = None,
    preset_name: Annotated[
        str | None, typer.Option(help="Name under which results are filed. Default: the preset's.", metavar="NAME")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds to train with; their spread is shown.", metavar="N,N,…")] = "0",
    labels: Annotated[
        str, typer.Option(help="Numbers of labelled pictures of table 5.", metavar="N,N,…")
    ] = "1,5,10,20,50,100",
    draws: Annotated[int, typer.Option(help="Random draws of the labelled pictures.", min=1)] = 5,
    dimensions: Annotated[
        str, typer.Option(help="Feature dimensions of tables 4 to 6, of 64, 128 and 256.", metavar="N,N,…")
    ] = "64,128,256",
    head: Annotated[list[MeasuredHead] | None, typer.Option(help="Landmark head. Repeatable. Default: ridge.")] = None,
    split: Annotated[
        Split, typer.Option(help="validation: the identities held out by --set validation=SHARE.")
    ] = Split.TEST,
    runs: Annotated[
        Path, typer.Option(help="Folder of trained stages and measurements, found again by what made them.")
    ] = Path("runs/reproduce"),
    results: Annotated[Path, typer.Option(help="Folder of results.", metavar="DIR")] = Path("results"),
    overwrite: Overwrite = False,
) -> None:
    """Make the paper's tables and figures, and their peers' rows, under one protocol.

    Trains whatever a table needs, once: a stage is found again by its settings and pictures, a measurement by the
    network. Interrupted, the same command resumes. Writes RESULTS/DATASET/PRESET/NAME.json, .md and, for figures,
    .webp. The paper's own numbers are in brackets beside ours.
    """
    from lead.reproduce import catalogue

    if list_them or not names:
        _list_names()
        return
    asked = catalogue.check_names(names)
    if not data:
        raise LeadError("Which pictures? Give the dataset's folder with --data; docs/datasets.md lists layouts.")
    protocol: dict[str, Any] = {
        "split": split.value,
        "seeds": numbers(seeds, "--seeds", least=0),
        "labels": numbers(labels, "--labels"),
        "draws": draws,
        "dimensions": _dimensions(dimensions),
        "heads": [h.value for h in head or [MeasuredHead.RIDGE]],
    }
    from lead.config import load_preset
    from lead.datasets import open_dataset, open_datasets
    from lead.reproduce.shelf import Shelf
    from lead.reproduce.study import Study
    from lead.training.engine import Collapsed

    settings, trained_on = load_preset(preset, assignments or ()), open_datasets(data, name)
    measured_on = open_dataset(on, on_name) if on else trained_on
    with watching() as watch:
        shelf = Shelf(runs, trained_on, watch.report, note)
        study = Study(settings, preset_name or Path(preset).stem, trained_on, measured_on, shelf, say=note, **protocol)
        for each in asked:
            try:
                _make(study, each, results, overwrite)
            except Collapsed as collapse:  # the only arm that it shows
                warn(f"{each} is left out. {collapse}")


def repeat(
    result: Annotated[
        Path, typer.Argument(help="A file that `lead evaluate` or `lead reproduce` wrote.", metavar="RESULT.json")
    ],
    data: Annotated[Path, typer.Argument(help="Folder of the dataset that it was measured on.", metavar="DATASET")],
    pictures: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of the pictures that it was trained on, if different. Repeatable.", metavar="DIR"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for what is trained. Default: runs/repeat-…, by the settings.", metavar="DIR"),
    ] = None,
    name: Name = None,
) -> None:
    """Make a result again from its own record: train, measure, and compare every number.

    Says what differs: versions, hardware, code, data. Ends with status 1 if a number differs. On one machine with
    one version of everything, a CPU gives the same numbers to the last bit.
    """
    from lead.datasets import open_dataset, open_datasets
    from lead.reproduce import again

    learnt_from = open_datasets(pictures) if pictures else None
    with watching() as watch:
        found = again.repeat(
            result, open_dataset(data, name), pictures=learnt_from, out=out, report=watch.report, say=note
        )
    written = f"Result: {found.folder / f'{found.after.name}.json'}"
    if not found.numbers:
        show(f"All {counted(len(found.before.rows), 'row')} are the same to the last bit.\n{written}")
        return
    for line in (*found.numbers, *(f"Another {line}" for line in found.around)):
        show(line)
    if not found.around:
        show("Versions, hardware, code and data are the same.")
    show(f"{len(found.numbers)} of {counted(len(found.before.rows), 'row')} differ.\n{written}")
    raise typer.Exit(1)


def _dimensions(text: str) -> list[int]:
    from lead.reproduce.arms import CL_FACTORS

    found = numbers(text, "--dimensions")
    if odd := [size for size in found if size not in CL_FACTORS]:
        choices = ", ".join(map(str, CL_FACTORS))
        raise LeadError(f"--dimensions {odd[0]}: ContrastLandmarks, the peer, has settings for {choices} only.")
    return found


def _list_names() -> None:
    from rich.table import Table
    from rich.text import Text

    from lead.reproduce import catalogue

    table = Table("Name", "What it shows")
    for each in catalogue.names():
        table.add_row(Text(each), Text(catalogue.meaning(each)))
    show(table)


def _make(study: Study, name: str, results: Path, overwrite: bool) -> None:
    from lead.evaluation.grids import rich_tables
    from lead.reproduce import catalogue, claims

    path = catalogue.target(study, name, results)
    if name == catalogue.CLAIMS:
        for claim in claims.write(path.parent):
            show(f"{claim.text}: {claim.verdict}")
        show(f"{name}: {path}")
        return
    made = None if overwrite else catalogue.made(study, name, results)
    result = made or catalogue.make(study, name, results)
    if result.rows:
        for table in rich_tables(result):
            show(table)
    show(f"{name}: {path}{' (made before)' if made else ''}")
