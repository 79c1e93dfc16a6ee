"""Files of records that only grow, so that what they hold outlives a kill.

A file begins with a record that says what it belongs to. Each is a line of JSON that begins with its CRC-32; a line
that was torn or is damaged ends the file, and is cut off when it is opened to go on.
"""

from __future__ import annotations

import base64
import io
import json
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.files import alone, lock_of

Record = dict[str, Any]
"""Anything that JSON holds."""


class Journal:
    """A file of records open to be added to, which one process at a time can have.

    Args:
        path: of the file; made if it is not there.
        header: what it belongs to. A file of anything else is begun anew.

    Attributes:
        replaced: whether what was there belonged to something else.

    Raises:
        LeadError: another process has it open.
        OSError: it cannot be written.
    """

    def __init__(self, path: Path, header: Record) -> None:
        with ExitStack() as opened:
            busy = f"Another process is at work on {path}. Wait for it, or stop it first."
            opened.enter_context(alone(lock_of(path), wait_s=0, busy=busy))
            self._file = opened.enter_context(path.open("a+b"))
            self._opened = opened.pop_all()
        begun = read_header(path)
        self.replaced = begun not in (None, header)
        self._ends = [0]
        if begun == header:
            for line in _lines(path):
                self._ends.append(self._ends[-1] + len(line))
        self._file.truncate(self._ends[-1])
        if begun != header:
            self.append(header)

    def append(self, record: Mapping[str, Any]) -> None:
        """Adds a record; once this returns, no kill of the process can undo it."""
        text = json.dumps(record).encode()
        self._file.write(b"%08x %s\n" % (zlib.crc32(text), text))
        self._file.flush()

    def keep(self, count: int) -> None:
        """Drops the records after the first ``count`` of those that were there."""
        self._file.truncate(self._ends[count + 1])

    def close(self) -> None:
        """Lets others have it, and waits until it is on the disk."""
        with self._opened:
            os.fsync(self._file.fileno())

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_header(path: Path) -> Record | None:
    """What a journal belongs to; None if it does not say, or is not there."""
    line = next(_lines(path), None)
    return json.loads(line[9:]) if line else None


def read_records(path: Path) -> Iterator[Record]:
    """The records in a journal that others may be adding to."""
    lines = _lines(path)
    next(lines, None)
    return (json.loads(line[9:]) for line in lines)


def _lines(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            if not line.endswith(b"\n") or line[:9] != b"%08x " % zlib.crc32(line[9:-1]):
                return
            yield line


def packed(array: npt.NDArray[Any]) -> str:
    """An array as a record can hold it."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return base64.b64encode(buffer.getvalue()).decode()


def unpacked(text: str) -> npt.NDArray[Any]:
    """The inverse of :func:`packed`."""
    array: npt.NDArray[Any] = np.load(io.BytesIO(base64.b64decode(text)), allow_pickle=False)
    return array
