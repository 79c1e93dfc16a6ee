"""Around the work: ``render``, ``demo``, ``settings``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead.cli.console import note, show, watching
from lead.cli.learn import DEFAULT_PRESET
from lead.errors import LeadError
from lead.reporting import counted


def render(
    count: Annotated[int, typer.Option(help="Pictures to draw.", metavar="N")],
    out: Annotated[Path, typer.Option(help="Folder to make: new or empty.", metavar="DIR")],
    size: Annotated[int, typer.Option(help="Side of the pictures in pixels.")] = 128,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    species: Annotated[int, typer.Option(help="How many species; the last quarter are the test split.")] = 40,
    rotation: Annotated[
        float | None,
        typer.Option(
            help="They lie turned by up to so many degrees, each way. Default: upright, more or less; several any way."
        ),
    ] = None,
    specimens: Annotated[
        str | None,
        typer.Option(
            help="How many beetles a picture shows, from LEAST to MOST, e.g. 3,12; or one number. Default: one, large.",
            metavar="LEAST,MOST",
        ),
    ] = None,
    ruler: Annotated[
        bool, typer.Option("--ruler", help="Beside each beetle lies a ruler, with two landmarks; scales.csv is exact.")
    ] = False,
) -> None:
    """Draw beetles with exactly known landmarks: a dataset to try everything on, with no download."""
    from lead.beetles.writing import write_beetles

    several = None if specimens is None else _least_and_most(specimens)
    with watching() as watch:
        beetles = write_beetles(
            out,
            count,
            seed=seed,
            size=size,
            species=species,
            rotation=rotation,
            specimens=several,
            ruler=ruler,
            progress=watch.counting("drawing"),
        )
    drawn = (
        counted(beetles, "beetle")
        if several is None
        else f"{counted(count, 'picture')} of {counted(beetles, 'beetle')}"
    )
    labels = out / "landmarks.json"
    how = "" if several is None else f" --labels {labels}"
    show(f"{drawn}: {out}, their landmarks in {labels}\nNext: lead train {out}{how} --out RUN")


def _least_and_most(specimens: str) -> tuple[int, int]:
    """The numbers of ``LEAST,MOST``, or of one that is both."""
    from lead.beetles.scattering import LEAST_AND_MOST

    try:
        numbers = [int(part) for part in specimens.split(",")]
        least, most = numbers * 2 if len(numbers) == 1 else numbers
    except ValueError:
        raise LeadError(f"--specimens {specimens!r}: give {LEAST_AND_MOST}, or one number.") from None
    return least, most


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo makes.", metavar="DIR")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Of everything random in it.")] = 0,
) -> None:
    """See it all at work in minutes: draw beetles, learn, label a few, predict, measure, and report."""
    from lead.demo import run_demo

    with watching() as watch:
        report = run_demo(out, seed=seed, report=watch.report, say=note)
    show(f"Report: {report}")


def settings(
    preset: Annotated[
        str, typer.Argument(help="Shipped settings, or a YAML file.", metavar="[PRESET|FILE]")
    ] = DEFAULT_PRESET,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print YAML, to be saved, edited and given to --preset.")
    ] = False,
) -> None:
    """List every setting with its value and what it means."""
    from rich.table import Table
    from rich.text import Text

    from lead.config import Settings, load_preset, presets, to_yaml
    from lead.config_text import describe

    chosen = load_preset(preset)
    if yaml:
        show(to_yaml(chosen).rstrip())
        return
    table = Table(title=Text(f"Settings of {preset}"))
    for heading in ("Setting", "Value", "Meaning"):
        table.add_column(heading, overflow="fold")
    for key, meaning in describe(Settings):
        value: object = chosen
        for part in key.split("."):
            value = getattr(value, part)
        table.add_row(Text(key), Text(str(value)), Text(meaning))
    show(table)
    show(
        f"Presets: {', '.join(presets())}. Change one setting with --set KEY=VALUE, many with --yaml and --preset FILE."
    )
