"""The list of pictures that published layouts keep beside them: ``images.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from lead.errors import LeadError, unknown
from lead.reporting import counted

SPLITS = ("test", "train")


def read_table(path: Path, columns: Sequence[str]) -> list[dict[str, str]]:
    """The lines of a CSV with a header that names at least ``columns``, and for a column ``split`` a valid one.

    Raises:
        LeadError: the file cannot be read, lacks a column, holds no line, or names an unknown split.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines, restval="")
            rows = list(reader)
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise LeadError(f"{path} is not a CSV in UTF-8: {error}.") from error
    for column in columns:
        if column not in (reader.fieldnames or ()):
            raise LeadError(f"{path}: no column {column!r}; needed are {', '.join(columns)}.")
    if not rows:
        raise LeadError(f"{path} lists no picture.")
    for number, row in enumerate(rows, start=2):
        if "split" in columns and row["split"] not in SPLITS:
            raise LeadError(f"{path}, line {number}: {unknown('split', row['split'], SPLITS)}")
    return rows


def check_pictures(root: Path, files: Iterable[str]) -> None:
    """Raises :class:`LeadError` naming the first of the pictures that is not there, and how many are not."""
    missing = [file for file in files if not (root / file).is_file()]
    if missing:
        raise LeadError(f"{root} lacks {counted(len(missing), 'picture')}, the first is {missing[0]}. Unpack it again.")
