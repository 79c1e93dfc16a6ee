"""Frames out of films: ``frames``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lead.cli.console import show, warn, watching
from lead.errors import LeadError
from lead.reporting import counted


def frames(
    films: Annotated[
        list[Path],
        typer.Argument(
            help="Films, or folders of them, searched to any depth; or one file of labels on frames.", metavar="FILM..."
        ),
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
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder that holds the films of a file of labels. Default: its own.", metavar="DIR"),
    ] = None,
) -> None:
    """Extract frames of films that differ from one another, as PNG files to learn from and to label.

    They go to DIR/FILM/NUMBER.png, with frames.json beside them, which says what they were drawn from. Ctrl-C stops;
    the same command again resumes. Existing files are not written again.

    Of a file of labels (SLEAP's .slp or .pkg.slp, say) exactly the frames that a person labelled are extracted, out of
    the film or of the package itself; their labels go to DIR/annotations.json.
    """
    from lead.images.find import is_film

    files = [path for path in films if path.is_file() and not is_film(path)]
    if files:
        if len(films) > 1 or count is not None:
            raise LeadError(
                f"{files[0]} is no film. Give films and folders of them, or one file of labels on frames, of which all "
                "labelled frames are taken, without --count."
            )
        _labelled(files[0], out, pictures)
        return
    from lead.images.sample import find_named, open_films, sample_films

    with watching() as watch:
        known, skipped = open_films(find_named(films))
        found = sample_films(known, out, count=count, seed=seed, progress=watch.counting("reading films"))
    for film, reason in (*skipped, *found.skipped):
        warn(f"{film} left out: {reason}.")
    show(f"{found.summary(out)}\nNext: lead studio {out}")


def _labelled(labels: Path, out: Path, pictures: Path | None) -> None:
    from lead.images.labelled_frames import LABELS, take_labelled

    with watching() as watch:
        taken = take_labelled(labels, out, pictures=pictures, progress=watch.counting("reading films"), say=warn)
    count = f"{counted(taken.frames, 'labelled frame', 'labelled frames')} of {counted(taken.films, 'film')}"
    step = f"train {out} --labels {out / LABELS} --out RUN" if taken.several else f"studio {out}"
    show(f"{count}: {out}\nLabels: {out / LABELS}\nNext: lead {step}")
