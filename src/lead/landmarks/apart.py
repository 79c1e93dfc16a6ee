"""Files that are read in a process of their own, for what reads them is not sure to come back.

A damaged file can make HDF5's library, which is C, go round for ever, crash, or ask for all the memory there is, and
no ``except`` catches that. So it runs in another process, which has limited time and memory and can be ended. That is
started when the first such file is read, and kept for the next.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from typing import IO, Any

import numpy as np

from lead.errors import LeadError
from lead.landmarks import coco
from lead.landmarks.model import OF_ROWS, Labels, Places, numbered

SECONDS, SECONDS_A_MEGABYTE = 20.0, 2.0
"""How long a file may take: a hundred times what one needs that is whole."""
MEMORY, TIMES = 4 * 2**30, 64
"""Bytes of memory that the reader may have: this, or so many times the file's. Only Linux keeps to it."""

BESIDE: dict[str, Any] = {"tracks": None, "complete": frozenset(), **dict.fromkeys(OF_ROWS)}
"""What an answer holds beside the COCO file, as the labels in that have it."""


class _Reader:
    """The other process, and the only thread that may talk to it just now."""

    def __init__(
        self,
        command: Sequence[str] = (sys.executable, "-m", __name__),
        *,
        seconds: float = SECONDS,
        seconds_a_megabyte: float = SECONDS_A_MEGABYTE,
    ) -> None:
        self._command, self.seconds, self._seconds_a_megabyte = command, seconds, seconds_a_megabyte
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        atexit.register(self.close)

    def ask(self, kind: str, data: bytes, name: str = "", *, several: bool = False) -> Labels:
        limit = self.seconds + self._seconds_a_megabyte * len(data) / 1e6
        overdue = threading.Event()
        with self._lock:
            process = self._running()

            def end() -> None:
                overdue.set()
                process.kill()

            late = threading.Timer(limit, end)
            late.start()
            try:
                answer = _exchange(process, data, [kind, len(data), name, several])
            except BaseException:  # also a Ctrl-C, after which its answer would be taken for the next file's
                self.close()
                raise
            finally:
                late.cancel()
            late.join()  # it may be ending the process at this moment, which the next file then cannot have
            if answer is None or overdue.is_set():
                self.close()
        if answer is None:
            why = f"was not done after {limit:.0f} seconds" if overdue.is_set() else "broke down"
            raise LeadError(f"the file is damaged: the library that reads it {why}.")
        if "error" in answer:
            raise LeadError(answer["error"])
        return _labels(answer)

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL)
            self._owner = os.getpid()  # a process that was forked off this one needs its own
        return self._process

    def close(self) -> None:
        if self._process is not None and self._owner == os.getpid():
            self._process.kill()
            with suppress(OSError):  # of what was still to be written to it
                self._process.communicate()
        self._process = None


def _exchange(process: subprocess.Popen[bytes], data: bytes, request: list[Any]) -> dict[str, Any] | None:
    """What the other process says of a file; None if it ended before it could."""
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n" + data)
        process.stdin.flush()
        line = process.stdout.readline()
    except OSError:
        return None
    answer: dict[str, Any] | None = json.loads(line) if line.endswith(b"\n") else None
    return answer


_READER = _Reader()


def read_apart(kind: str, data: bytes, name: str = "", *, several: bool = False) -> Labels:
    """The labels in a file.

    Args:
        kind: ``hdf``, ``sleap`` or ``sleap-h5``: what reads it.
        data: the whole file.
        name: the file's, after which ``sleap`` calls the pictures inside it.
        several: see :class:`lead.landmarks.format.LabelFile`.

    Raises:
        LeadError: what that module raises; or it has taken too long or too much memory, or has crashed.
    """
    return _READER.ask(kind, data, name, several=several)


def _answer(kind: str, data: bytes, name: str, several: bool) -> dict[str, Any]:
    from lead.landmarks import hdf, sleap, sleaptable

    try:
        if kind == "sleap":
            labels = sleap.parse(data, name, several=several)
        else:
            labels = {"hdf": hdf.parse, "sleap-h5": sleaptable.parse_analysis}[kind](data, several=several)
    except LeadError as error:
        return {"error": str(error)}
    except Exception as error:  # where a library's objects do not hold what they should
        return {"error": f"it cannot be read ({type(error).__name__}: {str(error)[:200]})."}
    return _answered(labels)


def _answered(labels: Labels) -> dict[str, Any]:
    """Labels as an answer; :func:`_labels` makes them of it again. In the COCO file each row is a picture."""
    rows = replace(labels, **BESIDE, images=numbered(len(labels)))
    return {
        "labels": coco.dump(rows),
        "images": labels.images,
        "predicted": labels.is_predicted.tolist(),
        "tracks": labels.tracks,
        "complete": sorted(labels.complete),
        "left_out": labels.places.left_out if labels.places else "",
        **{name: None if (table := getattr(labels, name)) is None else table.tolist() for name in OF_ROWS},
    }


def _labels(answer: dict[str, Any]) -> Labels:
    """Places are those of the file itself: where a label stands in the answer says nothing."""
    tables: dict[str, Any] = {
        name: None if answer[name] is None else np.array(answer[name], dtype=np.float64) for name in OF_ROWS
    }
    return replace(
        coco.parse(answer["labels"]),
        images=tuple(answer["images"]),
        tracks=None if answer["tracks"] is None else tuple(answer["tracks"]),
        complete=frozenset(answer["complete"]),
        places=Places(left_out=answer["left_out"]) if answer["left_out"] else None,
        predicted=np.array(answer["predicted"], dtype=bool),
        **tables,
    )


def _serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """The other process: answers until nobody asks any more."""
    for line in requests:
        kind, length, name, several = json.loads(line)
        limit_memory(length)
        answers.write(json.dumps(_answer(kind, requests.read(length), name, several)).encode() + b"\n")
        answers.flush()


def limit_memory(length: int) -> None:
    """Lets this process have as much memory as a file of so many bytes may take."""
    size = max(MEMORY, TIMES * length)
    with suppress(ImportError, OSError, ValueError):  # Windows has no such module, macOS does not do it
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, resource.getrlimit(resource.RLIMIT_AS)[1]))


def main() -> None:
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is not an answer
    with suppress(KeyboardInterrupt):  # Ctrl-C comes to all processes of a terminal
        _serve(sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
