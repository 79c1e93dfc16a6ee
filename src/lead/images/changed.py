"""Which files of a folder are not as they were when work on them was kept, by length and time of last change."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from lead.reporting import counted

FEW_NAMES = 3
"""Files that are named of each kind; of more, only the number is told."""

Stamped = tuple[str, int, int]
"""A file's path below its folder, its length in bytes and its last change in ns; both are -1 where it is not there."""
Unit = tuple[Stamped, ...]
"""Files that are worked on together."""


def stamped(root: Path, files: Iterable[str]) -> Unit:
    """Files as they are now; the folder's own path is no part of it: machines may differ in that."""
    unit = []
    for file in files:
        length, time = -1, -1
        with suppress(OSError):
            status = (root / file).stat()
            length, time = status.st_size, status.st_mtime_ns
        unit.append((file, length, time))
    return tuple(unit)


def done_again(before: Sequence[Unit], units: Sequence[Unit], kept: Collection[int]) -> str:
    """Which changes cost work that was kept, in words; empty where there is none.

    Args:
        before: units that were done, and are none of those now.
        units: all of those now, in their order.
        kept: which of them are done, some perhaps again.
    """
    files = [file for unit in units for file in unit]
    place = {name: at for at, (name, *_) in enumerate(files)}
    is_left = [number not in kept for number, unit in enumerate(units) for _ in unit]
    done = {name for unit in before for name, *_ in unit}
    again, changed, added, gone = set[str](), set[str](), set[str](), set[str]()
    for unit in before:
        there = sorted(place[name] for name, *_ in unit if name in place)
        if waiting := {files[at][0] for at in there if is_left[at]}:
            again |= waiting
            changed |= {file[0] for file in unit if file[0] in place and files[place[file[0]]] != file}
            gone |= {name for name, *_ in unit if name not in place}
            added |= {name for name, *_ in files[there[0] : there[-1]] if name not in done}
    kinds = ((changed, "has changed", "have changed"), (gone, "is gone", "are gone"), (added, "is new", "are new"))
    told = [
        f"{counted(len(names), f'file {is_so}', f'files {are_so}')} ({_few(sorted(names))})"
        for names, is_so, are_so in kinds
        if names
    ]
    what = ", ".join(told) or "files were added or taken out"
    return f"Since then {what}: {counted(len(again), 'file is', 'files are')} done again." if again else ""


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:FEW_NAMES]) + (", …" if len(names) > FEW_NAMES else "")
