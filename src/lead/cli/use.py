"""Putting features to use: ``fit``, ``predict``, ``match``."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lead.cli.console import Watch, note, show, warn, watching
from lead.errors import LeadError

if TYPE_CHECKING:
    from PIL import Image

    from lead.landmarks import Labels


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
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that are already there.")]


def fit(
    run: RunFolder,
    labels: LabelFile,
    out: Annotated[Path, typer.Option(help="File to write, e.g. beetles.safetensors.", metavar="MODEL")],
    pictures: LabelRoot = None,
    head: Annotated[
        Head,
        typer.Option(help="How landmarks are found. cascade does best; the others are there to compare with."),
    ] = Head.CASCADE,
    seed: Annotated[int, typer.Option(help="Of everything random in it.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Fit landmarks to a run's features, from one labelled picture or more, and write a model.

    Labelled pictures that are missing or unreadable are left out, counted and named.
    """
    from lead.files import refuse_existing

    if not overwrite:
        refuse_existing(out)
    from lead import api
    from lead.images.labels import FolderPictures, beside, doubts, load_labels
    from lead.images.store import skipped_text
    from lead.training.run import Run

    opened = Run.open(run)
    root = pictures or beside(labels)
    known = load_labels(labels, pictures=root)
    for doubt in doubts(known, labels, FolderPictures(root)):
        warn(doubt)
    with watching() as watch:
        summary = api.fit(opened, known, pictures=root, head=head.value, seed=seed, progress=watch.counting("features"))
    if summary.missing:
        warn(skipped_text(summary.missing))
    summary.landmarker.save(out)
    looks = {"cascade": "cascade of two looks", "cascade-coarse": "cascade of one look"}
    plural = "" if summary.used == 1 else "s"
    show(f"Head: {looks.get(summary.head, summary.head)}, fitted to {summary.used} labelled picture{plural}")
    if math.isnan(summary.error):
        show("Held-out error: unknown; a single label leaves none to check on")
    else:
        show(f"Held-out error: {100 * summary.error:.2f} % of the picture's longer side")
    show(f"Model: {out}\nNext: lead predict {out} PICTURES --out landmarks.json")


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
    overwrite: Overwrite = False,
) -> None:
    """Find landmarks in pictures, in each picture's own pixels, with a confidence and the error to expect.

    Films have a row for each frame, named film.mp4#0 and so on. Pictures that cannot be read are left out, counted and
    named; so are films, from where they break off. What is done is kept beside FILE until all is: interrupted or
    killed, the same command goes on.
    """
    from lead.images.labels import save_labels
    from lead.landmarks.io import check_target

    check_target(out, format=to, overwrite=overwrite)
    if draw:
        _check_folder(draw, overwrite)
    from lead.images.find import listed
    from lead.images.store import skipped_text
    from lead.inference import Landmarker
    from lead.landmarks import Labels
    from lead.prediction import Bulk, Shard

    share = Shard.parse(shard) if shard else Shard.of_environment()
    with watching() as watch:
        landmarker = Landmarker.load(model)
        asked = listed(pictures[0] if len(pictures) == 1 and pictures[0].is_dir() else pictures)
        bulk = Bulk(landmarker, asked, out, shard=share, say=note)
        bulk.run(progress=watch.counting("landmarks", rate="pictures"), film=watch.counting)
        with bulk.found() as found:
            if found is None:
                show(f"Share {share} is done. Whichever share is done last writes {out}.")
                return
            if found.skipped:
                warn(skipped_text(found.skipped))
            for broken in found.broken:
                warn(broken)
            labels = Labels.joined(list(found.labels.values()))
            _tell_lost(out, save_labels(labels, out, sizes=found.sizes, format=to, overwrite=overwrite))
        if draw:
            _draw_predictions(found.labels, asked.root, draw, watch)
    stills = len(found.labels.get("", ()))
    numbers = ((stills, "picture"), (len(labels) - stills, "frame"))
    counts = [f"{n} {what}{'' if n == 1 else 's'}" for n, what in numbers if n]
    show(f"Landmarks of {' and '.join(counts)}: {out}")
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
    overwrite: Overwrite = False,
) -> None:
    """Carry one picture's landmarks to other pictures by the nearest feature; nothing is fitted.

    Writes matches.json (COCO key points, with the similarity as score) and a drawing of each pair.
    """
    _check_folder(out, overwrite)
    from lead import api
    from lead.evaluation.draw import draw_match
    from lead.images.decode import decode
    from lead.images.labels import load_labels, save_labels

    found = api.match(run, reference, labels, _expand(queries), pictures=pictures, say=warn)
    save_labels(found, out / "matches.json", overwrite=overwrite)
    known = load_labels(labels, pictures=pictures)
    start = known.xy[api.labelled_row(reference, pictures or labels.parent, known)]
    left = decode(reference)
    with watching() as watch:
        count = watch.counting("drawing")
        for i, (file, name) in enumerate(zip(found.images, drawing_names(found.images), strict=True)):
            _save(draw_match(left, start, decode(Path(file)), found.xy[i], found.schema), out / name)
            count(i + 1, len(found))
    show(f"Landmarks of {len(found)} picture{'' if len(found) == 1 else 's'}: {out / 'matches.json'}")
    show(f"Drawings: {out}")


def convert(
    source: Annotated[
        Path,
        typer.Argument(
            help="Landmarks: a file, a folder of .pts files, or a DeepLabCut project's folder.", metavar="IN"
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
    overwrite: Overwrite = False,
) -> None:
    """Change the format of a file of landmarks, and say what the new one cannot hold.

    Formats: coco (.json), labelstudio (.json, named with --to), deeplabcut (.csv, named), deeplabcut-h5 (.h5), sleap
    (.slp), cvat (.xml), pts (a folder, named, or .zip), tps (.tps) and csv (.csv).
    """
    from lead.images.labels import FolderPictures, beside, doubts
    from lead.landmarks.io import check_target, read_labels, write_labels

    check_target(target, format=to, overwrite=overwrite)
    folder = FolderPictures(pictures or beside(source))
    labels, read = read_labels(source, pictures=folder, format=of)
    for doubt in doubts(labels, source, folder):
        warn(doubt)
    written = write_labels(labels, target, pictures=folder, format=to, overwrite=overwrite)
    _tell_lost(target, written.lost(labels))
    landmarks = len(labels.schema.names)
    show(f"{len(labels)} pictures, {landmarks} landmarks, from {read.title}\n{written.title}: {target}")


def _tell_lost(path: Path, lost: list[str]) -> None:
    if lost:
        warn(f"{path}: its format cannot hold {', '.join(lost)}. These were left out.")


def _expand(paths: Sequence[Path]) -> list[Path]:
    """The pictures named, and those of the folders named."""
    from lead.images.find import find_images

    return [p for path in paths for p in ([path / f for f in find_images(path)] if path.is_dir() else [path])]


def _check_folder(folder: Path, overwrite: bool) -> None:
    if folder.is_file():
        raise LeadError(f"{folder} is a file. Give a folder that is new or empty.")
    if not overwrite and folder.exists() and any(folder.iterdir()):
        raise LeadError(
            f"{folder} is not empty. Give another folder, or ask for files to be overwritten (--overwrite)."
        )


def _draw_predictions(found: dict[str, Labels], root: Path, folder: Path, watch: Watch) -> None:
    """Draws landmarks by film, those of all pictures under the name ``""``."""
    from lead.evaluation.draw import draw_landmarks
    from lead.evaluation.overlay import draw_film
    from lead.images.decode import decode

    pictures = found.get("")
    names = drawing_names([*(pictures.images if pictures else ()), *filter(None, found)])
    count = watch.counting("drawing")
    if pictures:
        for i, (file, name) in enumerate(zip(pictures.images, names[: len(pictures)], strict=True)):
            _save(draw_landmarks(decode(root / file), pictures.xy[i], pictures.schema), folder / name)
            count(i + 1, len(pictures))
    films = names[len(pictures) if pictures else 0 :]
    for film, name in zip(filter(None, found), films, strict=True):
        draw_film(root / film, found[film], folder / name, progress=watch.counting(f"drawing {film}"))


def drawing_names(files: Sequence[str]) -> list[Path]:
    """A name for the drawing of each picture: its path below the folder that all share, and .png after its ending.

    Of a film it is .mp4 that comes after its ending.

    Different pictures never get one name, and no name leads out of the folder of drawings.
    """
    from lead.images.find import is_film

    paths = [Path(file).absolute() for file in files]
    shared = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(shared).with_name(path.name + (".mp4" if is_film(path) else ".png")) for path in paths]


def _save(drawing: Image.Image, path: Path) -> None:
    """Writes a PNG whole or not at all."""
    from lead.files import replacing

    with replacing(path) as partial:
        drawing.save(partial, "PNG")
