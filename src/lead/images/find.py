"""Which pictures and films a folder holds."""

from __future__ import annotations

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
    files = _files(folder)
    pictures, films = _ending_in(EXTENSIONS, files), _ending_in(FILMS, files)
    if not pictures and not films:
        raise LeadError(
            f"No picture in {folder}: found {_describe(files)}. Pictures end in {', '.join(EXTENSIONS)}, films in "
            f"{', '.join(FILMS)} (in any case)."
        )
    return pictures, films


def is_film(path: Path) -> bool:
    """Whether a path is that of a film, by its ending."""
    return path.suffix.lower() in FILMS and not path.is_dir()


def _ending_in(endings: tuple[str, ...], files: list[Path]) -> list[str]:
    return sorted(path.as_posix() for path in files if path.suffix.lower() in endings)


def _files(folder: Path) -> list[Path]:
    """All files of a folder and its subfolders, relative to it; see :func:`find_images` for which, and errors."""
    if not folder.exists():
        raise LeadError(f"No folder {folder}. Give the folder that holds your pictures.")
    if not folder.is_dir():
        raise LeadError(f"{folder} is a file. Give the folder that holds your pictures, here perhaps {folder.parent}.")
    try:
        return [path.relative_to(folder) for path in _walk(folder, above=frozenset())]
    except OSError as error:
        raise LeadError(f"Cannot list {error.filename}: {error.strerror}. Make the folder readable.") from error


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Files below ``folder``; ``above`` holds device and inode of every folder on the way down to it."""
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _walk(path, above | {here})
        else:
            yield path


def _describe(files: list[Path]) -> str:
    counts = Counter(path.suffix.lower() or "no extension" for path in files)
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
