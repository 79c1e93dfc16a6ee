"""Frames that labels name, as picture files: out of films, and out of SLEAP packages that hold them.

A frame goes to ``<number>.png`` in a folder of its film, with all of its pixels, as :mod:`lead.images.film` decodes it.
Where a package holds the frame itself, that is taken: it is what was labelled.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from lead.errors import LeadError
from lead.files import cannot_write, default_cache, replacing
from lead.images.embedded import embedded_frames
from lead.images.film import UnreadableFilm, films_need
from lead.images.folder_pictures import FolderPictures
from lead.images.seeking import Index
from lead.landmarks.frames import PACKAGE, frame_name, frame_of
from lead.landmarks.model import UNLABELLED, Labels
from lead.reporting import Progress, Say, counted, unsaid

CACHED = "frames"
"""Folder of the cache for frames."""


class Sought(NamedTuple):
    """Where labelled frames are.

    Attributes:
        files: those that are picture files already, by their names.
        films: of each film that is there, by its file, the frames' names by their numbers.
    """

    files: dict[str, Path]
    films: dict[Path, dict[int, str]]


def frame_file(number: int) -> str:
    """What a frame's file is called in the folder of its film."""
    return f"{number:06}.png"


def as_files(
    labels: Labels,
    pictures: FolderPictures,
    package: Path | None = None,
    *,
    progress: Progress | None = None,
    say: Say = unsaid,
) -> Labels:
    """The same labels, of files where a person labelled frames: each frame is taken out once, into the cache.

    What a model said of frames, and those whose film is not there, keep their names.

    Args:
        labels: as their file names the pictures.
        pictures: the folder that holds the films, or frames that were taken out before.
        package: the labels' own file, which may hold the frames itself.
        progress: called as frames are written.
        say: told which films were found elsewhere, and which frames cannot be had.

    Raises:
        LeadError: all that is labelled are frames and none can be had; or the cache cannot be written to.
    """
    images = labelled_images(labels)
    wanted = [image for image in images if frame_of(image)]
    if not wanted:
        return labels
    sought = find_frames(wanted, pictures, package, say)
    files = sought.files | take(sought.films, _cached, progress=progress, say=say)
    if not files and len(wanted) == len(images):
        raise no_frames(wanted, pictures)
    names = {image: path.absolute().as_posix() for image, path in files.items()}
    return labels.renamed(names.get(image, image) for image in labels.images)


def labelled_images(labels: Labels) -> list[str]:
    """The pictures on which a person placed or took over something."""
    rows = np.flatnonzero((labels.without_predicted().visible > UNLABELLED).any(1)).tolist()
    return list(dict.fromkeys(labels.images[row] for row in rows))


def no_frames(images: Sequence[str], pictures: FolderPictures) -> LeadError:
    """What to say where none of some labelled frames can be had."""
    if unclear := pictures.matches(images).unclear.get(images[0]):
        return LeadError(
            f"None of the {counted(len(images), 'labelled frame', 'labelled frames')} can be had: {images[0]} could be "
            f"of {' or '.join(unclear[:3])}. Name the folder of the one that is meant: --pictures."
        )
    films = list(dict.fromkeys(film for film, _ in map(_frame, images)))
    more = f" and {len(films) - 1} more" if len(films) > 1 else ""
    return LeadError(
        f"None of the {counted(len(images), 'labelled frame', 'labelled frames')} can be had: {films[0]}{more} is not "
        f"in {pictures.root}, or cannot be read, and the labels hold no pictures themselves. Put the film beside the "
        "label file, or name its folder, or one above it: --pictures."
    )


def find_frames(images: Sequence[str], pictures: FolderPictures, package: Path | None, say: Say = unsaid) -> Sought:
    """Where some frames are: in the labels' own file, in the folder's films, or among its pictures.

    Args:
        images: the frames, by the names that their labels give them.
        pictures: the folder.
        package: the labels' own file.
        say: told which films were found elsewhere, and of frames whose film is not there.
    """
    files: dict[str, Path] = {}
    films: dict[Path, dict[int, str]] = defaultdict(dict)
    inside = _inside(package) if package is not None and package.suffix.lower() == PACKAGE else {}
    at_hand = pictures.matches(images).files
    moved: dict[str, str] = {}
    for image in images:
        if image in inside:
            files[image] = inside[image]
        elif image in at_hand:
            (film, number), (known, _) = _frame(at_hand[image]), _frame(image)
            if film != known:
                moved[known] = film
            if film.lower().endswith(PACKAGE):
                file = _inside(pictures.root / film).get(frame_name(Path(film).name, number))
                files |= {image: file} if file else {}
            else:
                films[pictures.root / film][number] = image
    for known, film in moved.items():
        say(f"the film {known!r} was found by the end of its path: {film}.")
    if before := _taken_before([image for image in images if image not in at_hand and image not in files], pictures):
        files |= before
        count = counted(len(before), "frame is taken from a picture", "frames are taken from pictures")
        say(f"{count}, for the film is not there; the first is {next(iter(before.values()))}.")
    return Sought(files, dict(films))


def take(
    films: Mapping[Path, Mapping[int, str]],
    folder_of: Callable[[Path], Path],
    *,
    progress: Progress | None = None,
    say: Say = unsaid,
) -> dict[str, Path]:
    """Writes frames of films as PNG files, where they are not yet.

    Args:
        films: of each film, by its file, the frames' names by their numbers.
        folder_of: the folder for the frames of a film.
        progress: called as frames are written.
        say: told which frames cannot be had.

    Returns:
        The files, by the frames' names.

    Raises:
        LeadError: PyAV is not installed, or a folder cannot be written to.
    """
    if films and (need := films_need()):
        raise need
    files: dict[str, Path] = {}
    total = sum(map(len, films.values()))
    done = 0
    for film, names in films.items():
        folder = folder_of(film)
        files |= {image: folder / frame_file(number) for number, image in names.items()}
        missing = {number for number in names if not (folder / frame_file(number)).exists()}
        why = "the film has no such frame"
        done += len(names) - len(missing)
        try:
            with closing(Index.of(film).frames(missing) if missing else _none()) as pictures:
                for number, picture in pictures:
                    _write(picture, folder / frame_file(number))
                    missing.remove(number)
                    done += 1
                    if progress:
                        progress(done, total)
        except UnreadableFilm as error:
            why = error.reason
        for number in missing:
            del files[names[number]]
        if missing:
            count = counted(len(missing), "labelled frame", "labelled frames") + f" of {film}"
            say(f"{count} left out, the first is {min(missing)}: {why}.")
    return files


def _none() -> Generator[tuple[int, Image.Image]]:
    yield from ()


def _write(picture: Image.Image, path: Path) -> None:
    try:
        with replacing(path) as partial:
            picture.save(partial, "PNG", compress_level=1)
    except OSError as error:
        raise cannot_write(path, error) from error


def _frame(image: str) -> tuple[str, int]:
    frame = frame_of(image)
    assert frame is not None, image
    return frame


def _taken_before(images: Sequence[str], pictures: FolderPictures) -> dict[str, Path]:
    """The files of frames that ``lead frames`` took out into the folder; no other file of the same number is meant."""
    names = {image: f"{film}/{frame_file(number)}" for image in images for film, number in [_frame(image)]}
    found = pictures.matches(list(names.values()))
    files = {name: file for name, file in found.files.items() if name not in found.by_name_alone}
    return {image: pictures.root / files[name] for image, name in names.items() if name in files}


def _inside(package: Path) -> dict[str, Path]:
    return embedded_frames(package, _cached(package))


def _cached(film: Path) -> Path:
    """A folder of the cache for the frames of a film, or of a package, as it is now."""
    status = film.stat()
    known = f"{film.resolve()}\n{status.st_size}\n{status.st_mtime_ns}"
    return default_cache() / CACHED / hashlib.sha256(known.encode()).hexdigest()[:32] / film.name
