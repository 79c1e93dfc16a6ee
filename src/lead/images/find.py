"""Which pictures and films a folder holds."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from lead.errors import LeadError
from lead.images.kinds import MOVING, begins_as_picture, goes_beside, kinds_text, picture_endings, why_not
from lead.landmarks.frames import FILMS
from lead.reporting import counted


def find_images(folder: Path) -> list[str]:
    """Every picture in a folder and its subfolders.

    Hidden files and folders (names that start with a dot) and those of ``UNSEEN`` are left out. Links to folders are
    followed, except one that leads back to a folder it lies in. A link to a missing picture is listed: decoding then
    reports it.

    Args:
        folder: where to look.

    Returns:
        POSIX paths relative to ``folder``, sorted.

    Raises:
        LeadError: ``folder`` does not exist, is a file, cannot be listed, or holds no picture.
    """
    found = find_media(folder)
    if not found.pictures:
        raise LeadError(
            f"No picture in {folder}, but {counted(len(found.films), 'film')}. Take frames out with: lead frames "
            f"{folder} --out DIR, or those that a label file labels: lead frames LABELS --out "
            f"DIR{found.left_out and f'. Left out: {found.left_out}'}"
        )
    return found.pictures


class Media(NamedTuple):
    """What a folder holds.

    Attributes:
        pictures, films: POSIX paths relative to the folder, sorted.
        left_out: what else it holds that is not read, counted, in words; empty where there is nothing to tell.
    """

    pictures: list[str]
    films: list[str]
    left_out: str


def find_media(folder: Path) -> Media:
    """The pictures, and the films, in a folder and its subfolders; else as :func:`find_images`.

    Raises:
        LeadError: as there, but only if there is neither.
    """
    found = find_entries(folder)
    pictures = [each.file for each in found.pictures]
    return Media(pictures, found.films, left_out_text(pictures, found.left_out))


class Found(NamedTuple):
    """A picture's file as the folder's listing has it, with no look into it.

    Attributes:
        file: POSIX path relative to the folder.
        is_link: whether it is a link itself; a folder above it may be one too.
        stamp: time of the last change in ns and length in bytes, other as soon as the file is; None if it is not there.
    """

    file: str
    is_link: bool
    stamp: tuple[int, int] | None


class Entries(NamedTuple):
    """What a folder holds, with each picture's stamp.

    Attributes:
        pictures: sorted by path.
        films: POSIX paths relative to the folder, sorted.
        left_out: by their ending, files that are neither, nor go beside pictures as labels do; sorted.
    """

    pictures: list[Found]
    films: list[str]
    left_out: dict[str, list[str]]


def find_entries(folder: Path) -> Entries:
    """As :func:`find_media`, but with each picture's stamp."""
    pictures: _Files = []
    films: list[str] = []
    left_out: dict[str, list[str]] = defaultdict(list)
    files = _files(folder)
    for file, entry in sorted(files, key=lambda each: each[0]):
        ending = _ending(file)
        if ending in picture_endings():
            pictures.append((file, entry))
        elif ending in FILMS:
            films.append(file)
        elif goes_beside(file, ending):
            continue
        elif not why_not(ending) and begins_as_picture(entry):
            pictures.append((file, entry))
        else:
            left_out[ending].append(file)
    if not pictures and not films:
        known = ", ".join(sorted(picture_endings()))
        raise LeadError(
            f"No picture in {folder}: found {kinds_text(_by_ending(files)) or 'no files at all'}. Pictures end in "
            f"{known}, films in {', '.join(FILMS)} (in any case)."
        )
    found = [Found(file, entry.is_symlink(), _stamp(entry)) for file, entry in pictures]
    return Entries(found, films, dict(left_out))


def left_out_text(pictures: Iterable[str], left_out: Mapping[str, list[str]]) -> str:
    """What is left out of a folder, counted, in words: files that are not read, and of moving pictures all but one."""
    parts = [kinds_text(left_out)]
    if moving := [file for file in pictures if _ending(file) in MOVING]:
        parts.append(f"all frames but the first of {len(moving)} × {_ending(moving[0])} ({moving[0]}), where it moves")
    return "; ".join(filter(None, parts))


def is_film(path: Path) -> bool:
    """Whether a path is that of a film, by its ending."""
    return path.suffix.lower() in FILMS and not path.is_dir()


UNSEEN = ("@eaDir", "__MACOSX")
"""Folders of small copies and leftovers that a network disk, or an archive from a Mac, brings along."""
_Files = list[tuple[str, "os.DirEntry[str]"]]
"""Paths relative to a folder, and what the system says of each."""


def _ending(file: str) -> str:
    return os.path.splitext(file)[1].lower()  # noqa: PTH122 - a Path for each of tens of thousands takes too long


def _files(folder: Path) -> _Files:
    """All files of a folder and its subfolders; see :func:`find_images` for which, and errors."""
    if not folder.exists():
        raise LeadError(f"No folder {folder}. Give the folder that holds your pictures.")
    if not folder.is_dir():
        raise LeadError(f"{folder} is a file. Give the folder that holds your pictures, here perhaps {folder.parent}.")
    try:
        return list(_walk(str(folder), "", above=frozenset()))
    except OSError as error:
        raise LeadError(f"Cannot list {error.filename}: {error.strerror}. Make the folder readable.") from error


def _walk(folder: str, within: str, above: frozenset[tuple[int, int]]) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Files below ``folder``, their paths begun with ``within``; ``above`` holds device and inode of every folder on
    the way down to it."""
    status = Path(folder).stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name in UNSEEN:
                continue
            if _is_folder(entry):
                yield from _walk(entry.path, f"{within}{entry.name}/", above | {here})
            else:
                yield within + entry.name, entry


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def _stamp(entry: os.DirEntry[str]) -> tuple[int, int] | None:
    try:
        status = entry.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _by_ending(files: _Files) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for file, _ in files:
        found[_ending(file)].append(file)
    return found


class Listed(NamedTuple):
    """Pictures and films, by POSIX paths relative to a folder, and what of it is left out, in words."""

    root: Path
    pictures: list[str]
    films: list[str]
    left_out: str


def listed(pictures: Path | str | Sequence[Path | str]) -> Listed:
    """What :meth:`Landmarker.predict` is asked for. Raises :class:`LeadError` where something is not there."""
    if isinstance(pictures, Path | str):
        path = Path(pictures)
        if not path.is_file():
            return Listed(path, *find_media(path))
        root, files = path.parent, [path.name]
    else:
        root, files = Path(), list(dict.fromkeys(Path(p).as_posix() for p in pictures))
    for file in files:
        if not (root / file).is_file():
            raise LeadError(f"There is no picture {root / file}. Give pictures and films, or one folder of them.")
    films = [file for file in files if is_film(root / file)]
    stills = [file for file in files if file not in set(films)]
    return Listed(root, stills, films, left_out_text(stills, {}))


def expanded(paths: Iterable[Path | str]) -> tuple[list[str], list[str]]:
    """The pictures named, and those of the folders named, as POSIX paths, each once; and what of them is left out."""
    found: list[Path] = []
    left_out: list[str] = []
    for path in map(Path, paths):
        if path.is_dir():
            found += [path / file for file in find_images(path)]
            left_out += [f"{path}: {text}" for text in [find_media(path).left_out] if text]
        else:
            found.append(path)
    return list(dict.fromkeys(path.as_posix() for path in found)), left_out
