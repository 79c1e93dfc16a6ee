"""Landmarks from and to a file, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lead.errors import LeadError
from lead.files import refuse_existing, write_atomic
from lead.landmarks import coco, csvfile
from lead.landmarks.model import Labels


def load_labels(path: Path) -> Labels:
    """Landmarks from COCO key points (JSON) or a CSV, recognised by content; see the two modules for the details.

    Raises:
        LeadError: the file is missing or cannot be understood; the message names the file and the line or entry.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise LeadError(f"No file {path}. Give a file of landmarks: COCO key points (.json) or .csv.") from None
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from error
    except UnicodeDecodeError:
        raise LeadError(f"{path} is not UTF-8 text. Landmarks are read from COCO key points (.json) or .csv.") from None
    parse = coco.parse if text.lstrip()[:1] in ("{", "[") else csvfile.parse
    try:
        return parse(text)
    except LeadError as error:
        raise LeadError(f"{path}: {error}") from error


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Raises :class:`LeadError` where :func:`save_labels` would refuse: asked before the work, not after it."""
    if path.suffix.lower() not in (".json", ".csv"):
        raise LeadError(f"Cannot tell the format of {path}: end its name in .json (COCO key points) or .csv.")
    if not overwrite:
        refuse_existing(path)


def save_labels(
    labels: Labels, path: Path, *, sizes: Mapping[str, tuple[int, int]] | None = None, overwrite: bool = False
) -> None:
    """Writes landmarks in the format of the file's ending. What is written reads back the same.

    A CSV has no place for flip pairs, skeleton and picture sizes: save those as JSON.

    Args:
        labels: what to write.
        path: ``.json`` for COCO key points, ``.csv`` for the long CSV.
        sizes: (width, height) of the pictures in pixels, for readers of COCO that need them.
        overwrite: whether a file that is already there may be replaced.

    Raises:
        LeadError: the ending is unknown, the file exists, or it cannot be written.
    """
    check_target(path, overwrite=overwrite)
    text = coco.dump(labels, sizes) if path.suffix.lower() == ".json" else csvfile.dump(labels)
    write_atomic(path, text, overwrite=overwrite)
