"""Which pictures a folder holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from lead.errors import LeadError

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
    if not folder.exists():
        raise LeadError(f"No folder {folder}. Give the folder that holds your pictures.")
    if not folder.is_dir():
        raise LeadError(f"{folder} is a file. Give the folder that holds your pictures, here perhaps {folder.parent}.")
    try:
        files = [path.relative_to(folder) for path in _walk(folder, above=frozenset())]
    except OSError as error:
        raise LeadError(f"Cannot list {error.filename}: {error.strerror}. Make the folder readable.") from error
    pictures = sorted(path.as_posix() for path in files if path.suffix.lower() in EXTENSIONS)
    if not pictures:
        raise LeadError(
            f"No picture in {folder}: found {_describe(files)}. Pictures end in {', '.join(EXTENSIONS)} (in any case)."
        )
    return pictures


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
