"""Putting features to use: ``fit``, ``predict``, ``match``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lead.cli.console import note, show, warn, watching
from lead.reporting import counted

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.training.landmarks import FitSummary

FEW_NAMES = 8
"""Landmarks that are named; of more, only the number is told."""


class Head(StrEnum):
    CASCADE = "cascade"
    RIDGE = "ridge"
    SOFTARGMAX = "softargmax"


RunFolder = Annotated[Path, typer.Argument(help="Folder of a run that `lead train` made.", metavar="RUN")]
LabelFile = Annotated[
    Path,
    typer.Argument(
        help="Landmarks, in any format that `lead convert` reads, recognised by content.",
        metavar="LABELS",
    ),
]
LabelFiles = Annotated[
    list[Path],
    typer.Argument(
        help="Landmarks, in any format that `lead convert` reads, recognised by content; several files are taken "
        "together.",
        metavar="LABELS...",
    ),
]


class LabelledAs(StrEnum):
    UPRIGHT = "upright"
    STORED = "stored"


Turned = Annotated[
    LabelledAs | None,
    typer.Option(
        "--labelled-as",
        help="Whether pictures that their EXIF tag turns (a phone's) were labelled upright, as viewers show them, or "
        "as their pixels are stored. Default: what the sizes in LABELS say, else upright, with a warning.",
    ),
]
To = Annotated[
    str | None,
    typer.Option(
        "--to",
        help="Format to write, see `lead convert --help`. Default: by the ending.",
        metavar="FORMAT",
    ),
]
LabelRoot = Annotated[
    Path | None,
    typer.Option(
        "--pictures", help="Folder that the labels' picture paths start from. Default: LABELS's own.", metavar="DIR"
    ),
]
Only = Annotated[
    str | None,
    typer.Option(
        help="Of a file that marks several kinds of things (COCO's categories, CVAT's skeletons), take this one. "
        "Default: all; the landmarks of the further ones have their kind's name before their own.",
        metavar="KIND",
    ),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are already there.")]


def fit(
    run: RunFolder,
    labels: LabelFiles,
    out: Annotated[Path, typer.Option(help="File to write, e.g. beetles.safetensors.", metavar="MODEL")],
    pictures: LabelRoot = None,
    only: Only = None,
    labelled_as: Turned = None,
    head: Annotated[
        Head,
        typer.Option(help="How landmarks are found. cascade does best; the others are for comparison."),
    ] = Head.CASCADE,
    seed: Annotated[int, typer.Option(help="Of everything random in it.")] = 0,
    several: Annotated[
        bool | None,
        typer.Option(
            "--several/--one",
            help="Whether pictures show several specimens, or none, which the model then finds; or one each. Default: "
            "as the labels have it.",
        ),
    ] = None,
    complete: Annotated[
        bool,
        typer.Option(
            "--complete", help="Every specimen of every labelled picture is labelled: the rest is background."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Fit landmarks to a run's features, from one labelled picture or more, and write a model.

    Where pictures show several specimens, the model finds them, too. Labelled pictures that are missing or unreadable,
    or have another size than as they were labelled, are skipped, counted and listed.
    """
    from lead.files import refuse_existing

    if not overwrite:
        refuse_existing(out)
    from lead import api
    from lead.images.store import skipped_text
    from lead.training.local import FEWEST

    with watching() as watch:
        summary = api.fit(
            run,
            labels,
            pictures=pictures,
            only=only,
            labelled_as=labelled_as.value if labelled_as else None,
            head=head.value,
            seed=seed,
            several=several,
            complete=complete,
            progress=watch.counting("features"),
            sampling=watch.counting("reading films"),
            say=warn,
        )
    if summary.missing:
        warn(skipped_text(summary.missing))
    summary.landmarker.save(out)
    first = f"one look at {'a window around each specimen' if summary.finder else 'the whole picture'}"
    looks = {"cascade": f"{first}, and one at a crop", "cascade-coarse": first}
    labelled = counted(summary.used, "labelled picture", "labelled pictures")
    show(f"Head: {looks.get(summary.head, summary.head)}, fitted to {labelled}")
    if summary.closely:
        show(closely_text(summary.landmarker.schema.names, summary.landmarker.closely))
    elif summary.head in looks and summary.used < FEWEST:
        show(f"Looked at closely: nothing yet; that takes {FEWEST} labels of a landmark, and files that show more")
    if finder := summary.finder:
        show(finder.words)
    for line in _error_lines(summary):
        show(line)
    if summary.accepted:
        points = counted(summary.accepted, "accepted point is", "accepted points are")
        show(f"{points} not counted in the error: what a model said does not judge it")
    show(f"Model: {out}\nNext: lead predict {out} PICTURES --out landmarks.json")


def _error_lines(summary: FitSummary) -> Iterator[str]:
    """What is said of the error on labels that were held out, and on those of curves."""
    of = "a specimen's extent" if summary.finder else "the picture's longer side"
    if math.isnan(summary.error):
        few = "too few labels are not accepted suggestions" if summary.accepted else "a single label leaves none"
        yield f"Out-of-fold error: unknown; {few} to check on"
        return
    yield f"Out-of-fold error, on labels not fitted to: {100 * summary.error:.2f} % of {of}"
    if summary.across and not math.isnan(summary.across[0]):
        aside, whole = (f"{100 * error:.2f} %" for error in summary.across)
        yield f"The same of points that slide along curves: {whole}; to the side of the curve {aside}"


def closely_text(names: Sequence[str], closely: Sequence[str]) -> str:
    """Which landmarks are looked at closely, and by name those that are not, where they are few."""
    from lead.training.local import FEWEST

    text = (
        f"Looked at closely: {len(closely)} of {counted(len(names), 'landmark')}, in squares cut from the original "
        "pictures"
    )
    left = [name for name in names if name not in closely]
    if 0 < len(left) <= FEW_NAMES:
        text += f"; not {', '.join(left)}: little to gain there, or fewer than {FEWEST} labels"
    elif left:
        text += f"; for the others little is to be gained, or there are fewer than {FEWEST} labels"
    return text


def predict(
    model: Annotated[Path, typer.Argument(help="File that `lead fit` wrote.", metavar="MODEL")],
    pictures: Annotated[
        list[Path],
        typer.Argument(help="One folder, searched to any depth, or pictures and films.", metavar="PICTURES..."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="File to write: .json for COCO key points, .csv for a table, .h5, .slp, .xml, .tps.", metavar="FILE"
        ),
    ],
    to: To = None,
    draw: Annotated[
        Path | None,
        typer.Option(help="Also draw the landmarks over each picture and film, into this folder.", metavar="DIR"),
    ] = None,
    shard: Annotated[
        str | None,
        typer.Option(
            help="Do share K of N; whichever is done last writes FILE. Default: as torchrun or srun says, else all.",
            metavar="K/N",
        ),
    ] = None,
    smooth: Annotated[
        bool,
        typer.Option(
            "--smooth", help="Smooth the landmarks of films over time, each frame weighed by its expected error."
        ),
    ] = False,
    overwrite: Overwrite = False,
) -> None:
    """Find landmarks in pictures, in each picture's own pixels, with a confidence and an expected error.

    Films have a row for each frame, named film.mp4#0 and so on. Pictures that cannot be read are skipped, counted and
    listed; so is the rest of a film that breaks off. Finished work is kept beside FILE until all is done: interrupted
    or killed, the same command resumes.
    """
    from lead import api
    from lead.images.store import skipped_text, unread_text
    from lead.shards import Shard

    share = Shard.parse(shard) if shard else Shard.of_environment()
    with watching() as watch:
        found = api.predict(
            model,
            pictures[0] if len(pictures) == 1 and pictures[0].is_dir() else pictures,
            out,
            format=to,
            draw=draw,
            overwrite=overwrite,
            shard=share,
            smooth=smooth,
            counting=lambda what: watch.counting(what, rate="pictures" if what == "pictures" else ""),
            say=note,
        )
    if found.waiting:
        show(f"Share {share} is done. Whichever share is done last writes {out}.")
        return
    if found.skipped:
        warn(skipped_text(found.skipped))
    if found.unread:
        warn(unread_text(found.unread))
    for broken in found.broken:
        warn(broken)
    if found.left_out:
        warn(f"left out: {found.left_out}.")
    _warn_lost(out, found.lost)
    films = sum(len(film.rows_of()) for film in found.films.values())
    numbers = ((len(found.pictures.rows_of()) if found.pictures else 0, "picture"), (films, "frame"))
    counts = " and ".join(counted(n, what) for n, what in numbers if n)
    if (labels := found.labels).tracks is not None:
        counts = f"{counted(int(labels.is_specimen.sum()), 'specimen')} found in {counts}"
    show(f"Landmarks of {counts}: {out}")
    if draw:
        show(f"Drawings: {draw}")


def match(
    run: RunFolder,
    reference: Annotated[Path, typer.Argument(help="The labelled picture.", metavar="REFERENCE")],
    labels: LabelFile,
    queries: Annotated[
        list[Path], typer.Argument(help="Pictures, or folders of them, to find the landmarks in.", metavar="QUERIES...")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write into: new or empty.", metavar="DIR")],
    pictures: LabelRoot = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Carry one picture's landmarks to other pictures by the nearest feature; nothing is fitted.

    Writes matches.json (COCO key points, with the similarity as score) and a drawing of each pair.
    """
    from lead import api

    with watching() as watch:
        found = api.match(
            run,
            reference,
            labels,
            queries,
            pictures=pictures,
            labelled_as=labelled_as.value if labelled_as else None,
            out=out,
            overwrite=overwrite,
            counting=watch.counting,
            say=warn,
        )
    show(f"Landmarks of {counted(len(found), 'picture')}: {out / 'matches.json'}")
    show(f"Drawings: {out}")


def convert(
    source: Annotated[
        list[Path],
        typer.Argument(
            help="Landmarks: a file, a folder with a file for each picture or with YOLO's data.yaml, or a DeepLabCut "
            "project's folder; several are taken together.",
            metavar="IN...",
        ),
    ],
    target: Annotated[Path, typer.Argument(help="File to write; its ending says the format.", metavar="OUT")],
    of: Annotated[
        str | None,
        typer.Option("--from", help="Format of IN. Default: recognised by its content.", metavar="FORMAT"),
    ] = None,
    to: Annotated[
        str | None, typer.Option("--to", help="Format of OUT. Default: by its ending.", metavar="FORMAT")
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(help="Folder that the picture paths start from. Default: that of IN.", metavar="DIR"),
    ] = None,
    only: Only = None,
    labelled_as: Turned = None,
    overwrite: Overwrite = False,
) -> None:
    """Change the format of a file of landmarks, and say what the new one cannot hold.

    Formats by the ending of OUT: coco (.json), csv (.csv), tps (.tps), cvat (.xml), sleap (.slp), deeplabcut-h5 (.h5),
    pts (.zip). To be named with --to: labelme, yolo, stereomorph, pts (a folder or .zip), labelstudio (.json),
    deeplabcut, lightningpose (.csv), imglab (.xml), coco-results (.json, only written). Only read: imagej, imagej-roi,
    napari, slicer, sleap-csv, sleap-h5, via.
    """
    from lead.conversion import convert as converted

    done = converted(
        source,
        target,
        source_format=of,
        target_format=to,
        pictures=pictures,
        only=only,
        labelled_as=labelled_as.value if labelled_as else None,
        overwrite=overwrite,
        say=warn,
    )
    _warn_lost(target, done.lost)
    counts = [counted(len(set(done.labels.images)), "picture")]
    if done.labels.of_several():
        counts.append(counted(int(done.labels.is_specimen.sum()), "specimen"))
    counts.append(counted(len(done.labels.schema.names), "landmark"))
    show(f"{', '.join(counts)}, from {done.source}\n{done.target}: {target}")


def _warn_lost(path: Path, lost: Sequence[str]) -> None:
    if lost:
        warn(f"{path}: its format cannot hold {', '.join(lost)}. These were left out.")
