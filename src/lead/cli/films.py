"""Frames out of films: ``frames``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead.cli.console import show, warn, watching


def frames(
    films: Annotated[
        list[Path], typer.Argument(help="Films, or folders of them, searched to any depth.", metavar="FILM...")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into, e.g. frames.", metavar="DIR")],
    count: Annotated[
        int | None,
        typer.Option(
            help="How many frames to take out of each film, at most. Default: as many as last time, at first 200.",
            min=1,
            metavar="N",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the draws.", min=0)] = 0,
) -> None:
    """Extract frames of films that differ from one another, as PNG files to learn from and to label.

    They go to DIR/FILM/NUMBER.png, with frames.json beside them, which says what they were drawn from. Ctrl-C stops;
    the same command again resumes. Existing files are not written again.
    """
    from lead.images.sample import find_named, open_films, sample_films

    with watching() as watch:
        known, skipped = open_films(find_named(films))
        found = sample_films(known, out, count=count, seed=seed, progress=watch.counting("reading films"))
    for film, reason in (*skipped, *found.skipped):
        warn(f"{film} left out: {reason}.")
    show(f"{found.summary(out)}\nNext: lead studio {out}")
