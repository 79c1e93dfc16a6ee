"""The labelled frames of films as a folder of pictures with their labels, to go on labelling or to hand on."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

from lead.errors import LeadError
from lead.files import check_folder
from lead.images.folder_pictures import FolderPictures
from lead.images.frame_files import find_frames, frame_file, labelled_images, no_frames, take
from lead.images.labels import save_labels
from lead.images.placing import at_hand, placed_by_hand
from lead.landmarks.frames import frame_of
from lead.landmarks.io import read_labels
from lead.landmarks.naming import beside
from lead.reporting import Progress, Say, counted, unsaid

LABELS = "annotations.json"
"""The labels of the frames, in their folder, where ``lead studio`` looks for them."""


class Taken(NamedTuple):
    """What :func:`take_labelled` wrote: how many frames, of how many films; and whether any shows several specimens."""

    frames: int
    films: int
    several: bool


def take_labelled(
    labels: Path,
    out: Path,
    *,
    pictures: Path | None = None,
    progress: Progress | None = None,
    say: Say = unsaid,
) -> Taken:
    """Writes exactly the frames that a person labelled, as ``<film>/<number>.png``, and their labels in COCO's format.

    Args:
        labels: a file of any format that names frames of films, or a SLEAP package that holds them.
        out: folder to write into, new or empty.
        pictures: folder that holds the films; by default the label file's own.
        progress: called as frames are written.
        say: told what was found elsewhere or left out.

    Raises:
        LeadError: the file cannot be understood or labels no frame of a film, none can be had, or ``out`` holds
            something.
    """
    check_folder(out)
    folder = FolderPictures(pictures or beside(labels))
    known, _ = read_labels(labels, pictures=folder, several=True)
    if known.places and known.places.left_out:
        say(f"{labels}: left out: {known.places.left_out}.")
    known = placed_by_hand(known, say)
    labelled = labelled_images(known)
    images = [image for image in labelled if frame_of(image)]
    if not images:
        raise LeadError(
            f"{labels} labels no frame of a film: its pictures are files already, such as {known.images[0]}. Label "
            f"them with: lead studio {folder.root}"
        )
    if len(images) < len(labelled):
        files = len(labelled) - len(images)
        say(f"{counted(files, 'labelled picture is a file', 'labelled pictures are files')} already, and left out.")
    sought = find_frames(images, folder, labels, say)
    names = _plain_names(film for film, _ in map(_frame, images))
    film_of = {path: names[_frame(next(iter(frames.values())))[0]] for path, frames in sought.films.items()}
    taken = take(sought.films, lambda path: out / film_of[path], progress=progress, say=say)
    for image, file in sought.files.items():
        film, number = _frame(image)
        taken[image] = out / names[film] / frame_file(number)
        taken[image].parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, taken[image])
    if not taken:
        raise no_frames(images, folder)
    if absent := [image for image in images if image not in taken]:
        say(f"{counted(len(absent), 'labelled frame', 'labelled frames')} cannot be had, the first is {absent[0]}.")
    rows = [row for row, image in enumerate(known.images) if image in taken]
    kept = known.take(rows)
    kept = kept.renamed(taken[image].relative_to(out).as_posix() for image in kept.images)
    save_labels(at_hand(kept, FolderPictures(out), say=say), out / LABELS)
    return Taken(len(set(kept.images)), len({taken[image].parent for image in taken}), bool(kept.of_several()))


def _frame(image: str) -> tuple[str, int]:
    frame = frame_of(image)
    assert frame is not None, image
    return frame


def _plain_names(films: Iterable[str]) -> dict[str, str]:
    """What the folders of films are called: by their paths from the folder on that all share, and never out of it."""
    parts = {film: [part.replace(":", "") for part in film.split("/") if part not in ("", ".", "..")] for film in films}
    columns = zip(*(path[:-1] for path in parts.values()), strict=False)
    shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, columns))
    names = {film: "/".join(path[shared:]) for film, path in parts.items()}
    if len({name.casefold() for name in names.values()}) < len(names):
        raise LeadError(f"The names of the films differ too little for a folder each: {', '.join(names)}. Rename one.")
    return names
