"""Which pictures and films a folder holds."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lead.errors import LeadError
from lead.landmarks.frames import FILMS

EXTENSIONS = (".bmp", ".dcm", ".dicom", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
"""File name endings taken for pictures, in lower case; a file's own case does not matter."""


def find_images(folder: Path) -> list[str]:
    """Every picture in a folder and its subfolders.

    Hidden files and folders (names that start with a dot) are left out. Links to folders are followed, except one
    that leads back to a folder it lies in. A link to a missing picture is listed: decoding then reports it.

    Args:
        folder: where to look.

    Returns:
        POSIX paths relative to ``folder``, sorted.

    Raises:
        LeadError: ``folder`` does not exist, is a file, cannot be listed, or holds no picture.
    """
    pictures, films = find_media(folder)
    if not pictures:
        raise LeadError(
            f"No picture in {folder}, but {len(films)} film{'' if len(films) == 1 else 's'}. "
            f"Take frames out with: lead frames {folder} --out DIR"
        )
    return pictures


def find_media(folder: Path) -> tuple[list[str], list[str]]:
    """The pictures, and the films, in a folder and its subfolders; else as :func:`find_images`.

    Raises:
        LeadError: as there, but only if there is neither.
    """
    pictures, films = find_entries(folder)
    return [found.file for found in pictures], films


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


def find_entries(folder: Path) -> tuple[list[Found], list[str]]:
    """As :func:`find_media`, but with each picture's stamp."""
    files = _files(folder)
    pictures, films = _ending_in(EXTENSIONS, files), _ending_in(FILMS, files)
    if not pictures and not films:
        raise LeadError(
            f"No picture in {folder}: found {_describe(files)}. Pictures end in {', '.join(EXTENSIONS)}, films in "
            f"{', '.join(FILMS)} (in any case)."
        )
    return [Found(file, entry.is_symlink(), _stamp(entry)) for file, entry in pictures], [file for file, _ in films]


def is_film(path: Path) -> bool:
    """Whether a path is that of a film, by its ending."""
    return path.suffix.lower() in FILMS and not path.is_dir()


_Files = list[tuple[str, "os.DirEntry[str]"]]
"""Paths relative to a folder, and what the system says of each."""


def _ending_in(endings: tuple[str, ...], files: _Files) -> _Files:
    return sorted((each for each in files if _ending(each[0]) in endings), key=lambda each: each[0])


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
            if entry.name.startswith("."):
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


def _describe(files: _Files) -> str:
    counts = Counter(_ending(file) or "no extension" for file, _ in files)
    return ", ".join(f"{n} × {ending}" for ending, n in counts.most_common(5)) or "no files at all"


class Listed(NamedTuple):
    """Pictures and films, by POSIX paths relative to a folder."""

    root: Path
    pictures: list[str]
    films: list[str]


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
    return Listed(root, [file for file in files if file not in set(films)], films)


def expanded(paths: Iterable[Path | str]) -> list[str]:
    """The pictures named, and those of the folders named, as POSIX paths, each once."""
    found: list[Path] = []
    for path in map(Path, paths):
        found += [path / file for file in find_images(path)] if path.is_dir() else [path]
    return list(dict.fromkeys(path.as_posix() for path in found))
