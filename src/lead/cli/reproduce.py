"""The paper's tables and figures: ``reproduce``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead.cli.console import note, show, watching
from lead.cli.learn import Assignments, Name
from lead.cli.measure import MeasuredHead, Split, numbers
from lead.cli.use import Overwrite
from lead.errors import LeadError


def reproduce(
    names: Annotated[
        list[str] | None, typer.Argument(help="Tables and figures, or all; --list names them.", metavar="[NAME]…")
    ] = None,
    list_them: Annotated[bool, typer.Option("--list", help="Name every table and figure, and exit.")] = False,
    data: Annotated[
        Path | None, typer.Option(help="Folder of the dataset to train on, and to measure on.", metavar="DIR")
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
    network. Interrupted, the same command goes on. Writes RESULTS/DATASET/PRESET/NAME.json, .md and, for figures,
    .webp. The paper's own numbers stand in brackets beside ours.
    """
    from rich.table import Table
    from rich.text import Text

    from lead.reproduce import catalogue, claims

    if list_them or not names:
        table = Table("Name", "What it shows")
        for each in catalogue.names():
            table.add_row(Text(each), Text(catalogue.meaning(each)))
        show(table)
        return
    asked = catalogue.check_names(names)
    if data is None:
        raise LeadError("Which pictures? Give the dataset's folder with --data; docs/datasets.md lists layouts.")
    counts, seed_list = numbers(labels, "--labels"), numbers(seeds, "--seeds", least=0)
    sizes = numbers(dimensions, "--dimensions")
    from lead.config import load_preset
    from lead.datasets import open_dataset
    from lead.evaluation.results import rich_table
    from lead.reproduce.arms import CL_FACTORS
    from lead.reproduce.shelf import Shelf
    from lead.reproduce.study import Study

    trained_on = open_dataset(data, name)
    if odd := [size for size in sizes if size not in CL_FACTORS]:
        choices = ", ".join(map(str, CL_FACTORS))
        raise LeadError(f"--dimensions {odd[0]}: ContrastLandmarks, the peer, has settings for {choices} only.")
    with watching() as watch:
        study = Study(
            load_preset(preset, assignments or ()),
            preset_name or Path(preset).stem,
            trained_on,
            open_dataset(on, on_name) if on else trained_on,
            Shelf(runs, trained_on, watch.report, note),
            split=split.value,
            seeds=seed_list,
            labels=counts,
            draws=draws,
            dimensions=sizes,
            heads=[h.value for h in head or [MeasuredHead.RIDGE]],
            say=note,
        )
        for each in asked:
            if each == catalogue.CLAIMS:
                folder = catalogue.target(study, each, results).parent
                for claim in claims.write(folder):
                    show(f"{claim.text}: {claim.verdict}")
                show(f"Claims: {folder / 'claims.md'}")
                continue
            made = None if overwrite else catalogue.made(study, each, results)
            result = made or catalogue.make(study, each, results)
            if result.rows:
                show(rich_table(result))
            show(f"{each}: {catalogue.target(study, each, results)}{' (made before)' if made else ''}")
