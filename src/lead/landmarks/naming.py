"""Which picture a name in a label file means: one rule, wherever labels and pictures come together.

It is the picture of the same path; else, of those that are called the same, the one whose folders agree with the name's
from the end on for longest. One in a folder of another name is meant only where this holds for all pictures, as where
a folder was renamed. Paths are compared part by part, whether ``/`` or ``\\`` stands between the parts. Case, and in
how many characters an accented letter is written, count only where files differ in nothing else. Where several are as
alike, none is meant.
"""

from __future__ import annotations

import posixpath
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from lead.errors import LeadError
from lead.landmarks.model import UNLABELLED, Labels
from lead.reporting import counted


def beside(labels: Path) -> Path:
    """The folder that a label file's picture paths start from, where none is named: its own."""
    return labels if labels.is_dir() else labels.parent


@dataclass(frozen=True)
class Matches:
    """Pictures of a label file, and the files of a folder that they are.

    Attributes:
        files: by the name in the label file, as far as there is just one.
        by_name_alone: of these the names whose folders say something else.
        unclear: names that could be several of the folder's files, with these.
    """

    files: dict[str, str]
    by_name_alone: tuple[str, ...]
    unclear: dict[str, tuple[str, ...]]


def matched(names: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """For each picture of a label file the one of a folder that it means; none where there is none, or not just one.

    Args:
        names: the pictures as the label file writes them.
        files: those of the folder, relative to it.
    """
    return matches(names, files).files


def matches(names: Iterable[str], files: Iterable[str]) -> Matches:
    """As :func:`matched`, with what is to be told of it.

    Of several names that mean the same file, the one that agrees with it for longest has it.
    """
    names, files = list(dict.fromkeys(names)), set(files)
    same = {name: name for name in names if name in files}
    by_last: dict[str, list[str]] = defaultdict(list)
    for file in sorted(files - same.keys()):
        by_last[_folded(file)[-1]].append(file)
    unclear: dict[str, tuple[str, ...]] = {}
    claims: dict[str, list[tuple[tuple[int, int], str]]] = defaultdict(list)
    for name in names:
        if name in same:
            continue
        nearest = _nearest(name, by_last[_folded(name)[-1]])
        if len(nearest) == 1:
            claims[nearest[0]].append((_agreement(name, nearest[0]), name))
        elif nearest:
            unclear[name] = tuple(nearest)
    found: dict[str, str] = {}
    for file, claimed in claims.items():
        most = max(agreement for agreement, _ in claimed)
        best = [name for agreement, name in claimed if agreement == most]
        if len(best) == 1:
            found[best[0]] = file
        else:
            unclear |= dict.fromkeys(best, (file,))
    taken = set(found.values())
    free = {name: [file for file in could_be if file not in taken] for name, could_be in unclear.items()}
    wanted = Counter(file for left in free.values() for file in left)
    for name, left in free.items():
        if len(left) == 1 and wanted[left[0]] == 1:  # the others are those of longer names
            found[name] = left[0]
            del unclear[name]
    alone = tuple(name for name in names if name in found and _differ_in_folders(name, found[name]))
    if any(_agreement(name, file)[0] > 1 for name, file in (same | found).items()):
        # The folders are those of the names, then: a picture of another one is another picture, and this one is gone.
        found = {name: file for name, file in found.items() if name not in set(alone)}
        alone = ()
    return Matches(same | {name: found[name] for name in names if name in found}, alone, unclear)


def labelled_row(picture: Path, root: Path, labels: Labels) -> int:
    """The row of ``labels`` that labels a picture, whose paths start from ``root``.

    Raises:
        LeadError: there is none, there are several, or it holds no landmark.
    """
    same = [image for image in labels.images if (root / image).resolve() == picture.resolve()]
    images = same or list(matched(labels.images, [picture.as_posix()]))
    if len(images) != 1:
        count = len(_nearest(picture.as_posix(), labels.images))
        shown = ", ".join(labels.images[:5]) + (" …" if len(labels) > 5 else "")
        raise LeadError(
            f"The labels name {'no pictures' if not count else counted(count, 'picture')} that could be {picture}. "
            f"They hold: {shown}. Name the folder that these paths start from with --pictures."
        )
    row = labels.images.index(images[0])
    if not (labels.visible[row] > UNLABELLED).any():
        raise LeadError(f"{images[0]} is listed among the labels but has no landmark. Label it first.")
    return row


def by_stem(files: Iterable[str]) -> Mapping[str, str]:
    """The pictures by their paths without ending, of which each is that of just one."""
    stems: dict[str, list[str]] = defaultdict(list)
    for file in files:
        stems[PurePosixPath(file).with_suffix("").as_posix()].append(file)
    return {stem: same[0] for stem, same in stems.items() if len(same) == 1}


def nearly_same(names: Iterable[str]) -> list[list[str]]:
    """The names that differ from others by case, or by blanks at their ends, alone: in groups of two or more."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        groups[name.casefold().strip()].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _nearest(name: str, others: Iterable[str]) -> list[str]:
    """Those of some paths that agree with a name for longest; none where no last part does."""
    agreements = {other: _agreement(name, other) for other in others}
    most = max(agreements.values(), default=(0, 0))
    return [other for other, agreement in agreements.items() if agreement == most and most > (0, 0)]


def _agreement(one: str, other: str) -> tuple[int, int]:
    """How many parts two paths have in common, counted from the end; and how many of these are written alike."""
    shared = alike = 0
    for (a, exact_a), (b, exact_b) in zip(_ends(one), _ends(other), strict=False):
        if a != b:
            break
        shared, alike = shared + 1, alike + (exact_a == exact_b)
    return shared, alike


def _ends(path: str) -> list[tuple[str, str]]:
    return list(zip(_folded(path), _parts(path), strict=True))[::-1]


def _differ_in_folders(one: str, other: str) -> bool:
    """Whether both paths have a folder before their last part, and another one."""
    parts, others = _folded(one), _folded(other)
    return len(parts) > 1 and len(others) > 1 and parts[-2] != others[-2]


def _folded(path: str) -> tuple[str, ...]:
    """The parts of a path, without what differs between systems: case, and how an accented letter is composed."""
    return tuple(unicodedata.normalize("NFC", part).casefold() for part in _parts(path))


def _parts(path: str) -> tuple[str, ...]:
    if "://" in path:  # an address
        path = unquote(urlsplit(path).path)
    return tuple(posixpath.normpath(path.replace("\\", "/")).split("/"))
