"""Which picture a name in a label file means: one rule, wherever labels and pictures come together.

It is the picture of the same path; else the only one whose path ends as the name does, or the other way about. Paths
are compared part by part, whether ``/`` or ``\\`` stands between the parts, and case counts.
"""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from lead.errors import LeadError
from lead.landmarks.model import UNLABELLED, Labels


def beside(labels: Path) -> Path:
    """The folder that a label file's picture paths start from, where none is named: its own."""
    return labels if labels.is_dir() else labels.parent


def matched(names: Iterable[str], files: Iterable[str]) -> dict[str, str]:
    """For each picture of a label file the one of a folder that it means; none where there is none, or not just one.

    Args:
        names: the pictures as the label file writes them.
        files: those of the folder, relative to it.
    """
    names, files = list(names), set(files)
    same = {name: name for name in names if name in files}
    by_last: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for file in files - same.keys():
        by_last[_parts(file)[-1:]].append(file)
    matches: dict[str, str] = {}
    for name in names:
        alike = [] if name in same else _ending_alike(name, by_last[_parts(name)[-1:]])
        if len(alike) == 1:
            matches[name] = alike[0]
    claims = Counter(matches.values())
    return same | {name: file for name, file in matches.items() if claims[file] == 1}


def labelled_row(picture: Path, root: Path, labels: Labels) -> int:
    """The row of ``labels`` that labels a picture, whose paths start from ``root``.

    Raises:
        LeadError: there is none, there are several, or it holds no landmark.
    """
    same = [image for image in labels.images if (root / image).resolve() == picture.resolve()]
    images = same or list(matched(labels.images, [picture.as_posix()]))
    if len(images) != 1:
        count = len(_ending_alike(picture.as_posix(), labels.images)) or "no"
        shown = ", ".join(labels.images[:5]) + (" …" if len(labels) > 5 else "")
        raise LeadError(
            f"The labels name {count} pictures that could be {picture}. They hold: {shown}. Name the "
            "folder that these paths start from with --pictures."
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


def _ending_alike(name: str, others: Iterable[str]) -> list[str]:
    """Those of some paths that end as ``name`` does, or that ``name`` ends as."""
    parts = _parts(name)
    return [other for other in others if _end_alike(parts, _parts(other))]


def _end_alike(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    count = min(len(one), len(other))
    return one[-count:] == other[-count:]


def _parts(path: str) -> tuple[str, ...]:
    return tuple(posixpath.normpath(path.replace("\\", "/")).split("/"))
