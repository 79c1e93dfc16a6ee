"""Points as a reader finds them, picture by picture, and the labels that they make."""

from __future__ import annotations

import math
import posixpath
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from lead.errors import LeadError
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Places, Schema, numbered
from lead.landmarks.pictures import PictureInfo, Size
from lead.reporting import counted

Box = tuple[float, float, float, float]
"""x, y, width and height of a specimen in pixels, as :class:`lead.landmarks.model.Labels` has boxes."""
SHOWN = 3
"""How many pictures are named among those that are left out for one reason, and how many reasons are told."""


@dataclass(frozen=True)
class Mark:
    """One point.

    Attributes:
        x, y: its place in pixels, in the convention of :mod:`lead.geometry`.
        visible: HIDDEN or VISIBLE.
        line: of the file, from 1; 0 for none.
        score: confidence in [0, 1] of a prediction, else NaN.
        predicted: whether a model said it.
    """

    x: float
    y: float
    visible: int = VISIBLE
    line: int = 0
    score: float = math.nan
    predicted: bool = False


@dataclass
class Marked:
    """What a file says of one picture, or of one of several specimens in it.

    Attributes:
        points: by their names.
        entry: the part of the file that holds them.
        size: of the picture, as the file gives it.
        track: which individual it is; "" where that is not known.
        box: x, y, width and height in pixels.
        likely: how likely it is a specimen at all, as a model says; NaN where none does.
        others: further specimens of the same picture, which have its entry and size.
    """

    points: dict[str, Mark] = field(default_factory=dict)
    entry: str = ""
    size: Size | None = None
    track: str = ""
    box: Box | None = None
    likely: float = math.nan
    others: list[Marked] = field(default_factory=list)


class Found:
    """What a reader has found: pictures in their order, and what it left out.

    Args:
        several: whether pictures may show several specimens; else nothing is said of boxes and what else they have.

    Attributes:
        pictures: by their names.
        complete: names of those in which every specimen is labelled.
    """

    def __init__(self, *, several: bool = False) -> None:
        self.pictures: dict[str, Marked] = {}
        self.complete: set[str] = set()
        self._several = several
        self._left_out: Counter[str] = Counter()
        self._dropped: dict[str, list[str]] = defaultdict(list)

    def leave_out(self, what: str, count: int = 1) -> None:
        """Counts what has no place in labels, in words as :func:`lead.reporting.counted` takes them."""
        self._left_out[what] += count

    def drop(self, picture: str, why: str) -> None:
        """Takes a picture out; ``why`` follows its name in what is told."""
        self.pictures.pop(picture, None)
        self._dropped[why].append(picture)

    @property
    def left_out(self) -> str:
        """What was left out, counted, in words; empty if nothing was."""
        parts = [counted(count, what) for what, count in self._left_out.items()]
        dropped = list(self._dropped.items())
        for why, pictures in dropped[:SHOWN]:
            shown = ", ".join(pictures[:SHOWN]) + (" …" if len(pictures) > SHOWN else "")
            parts.append(f"{counted(len(pictures), 'picture')} ({shown}): {why}")
        if more := sum(len(pictures) for _, pictures in dropped[SHOWN:]):
            parts.append(counted(more, "more picture", "more pictures") + " for other mistakes of the kind")
        return "; ".join(parts)

    def drop_other_counts(self) -> None:
        """Of points that are told apart by their number alone: keeps the pictures that have as many as most have.

        Raises:
            LeadError: no count is that of most pictures.
        """
        counts = Counter(len(marked.points) for marked in self.pictures.values() if marked.points)
        (most, times), *others = counts.most_common() or [(0, 0)]
        if others and others[0][1] == times:
            raise LeadError(
                f"{times} of its pictures have {most} points and {times} have {others[0][0]}, and nothing but their "
                "order tells which is which. Give each picture the same points."
            )
        for picture, marked in list(self.pictures.items()):
            if marked.points and len(marked.points) != most:
                self.drop(picture, f"not {most} points as most have, so that it is not clear which they are")

    def labels(
        self, nothing: str, *, names: Sequence[str] | None = None, flip_pairs: Iterable[tuple[str, str]] = ()
    ) -> Labels:
        """The labels.

        Args:
            nothing: what to say where no point is left.
            names: of the landmarks, in their order; by default those of the points as they first appear.
            flip_pairs: names that change places in a mirrored picture.

        Raises:
            LeadError: there is no point.
        """
        images, rows = zip(*self._specimens(), strict=True) if self.pictures else ((), ())
        if names is None:
            names = list(dict.fromkeys(name for marked in rows for name in marked.points))
        if not names or not any(marked.points for marked in rows):
            raise LeadError(nothing + (f" Left out: {self.left_out}." if self.left_out else ""))
        shape, at = (len(rows), len(names)), {name: k for k, name in enumerate(names)}
        xy, score = np.full((*shape, 2), np.nan), np.full(shape, np.nan)
        visible, lines = np.full(shape, UNLABELLED, dtype=np.int8), np.zeros(shape, dtype=np.int64)
        predicted = np.zeros(shape, dtype=bool)
        for row, marked in enumerate(rows):
            for name, mark in marked.points.items():
                k = at[name]
                xy[row, k], visible[row, k], lines[row, k] = (mark.x, mark.y), mark.visible, mark.line
                score[row, k], predicted[row, k] = mark.score, mark.predicted
        entries = tuple(marked.entry for marked in rows)
        return Labels(
            Schema(tuple(names), tuple(flip_pairs)),
            images,
            xy,
            visible,
            None if np.isnan(score).all() else score,
            places=Places(
                entries=entries if any(entries) else (), lines=lines if lines.any() else None, left_out=self.left_out
            ),
            predicted=predicted,
            sizes=np.array([marked.size or (0, 0) for marked in rows], dtype=np.int64),
            **(self._of_specimens(rows) if self._several else {}),
        )

    def _of_specimens(self, rows: Sequence[Marked]) -> dict[str, Any]:
        return {
            "tracks": tuple(marked.track for marked in rows),
            "boxes": np.array([marked.box or (np.nan,) * 4 for marked in rows]),
            "likely": np.array([marked.likely for marked in rows]),
            "complete": frozenset(self.complete),
        }

    def _specimens(self) -> Iterator[tuple[str, Marked]]:
        for image, marked in self.pictures.items():
            yield image, marked
            yield from ((image, replace(each, entry=marked.entry, size=marked.size)) for each in marked.others)


def in_order(marks: Sequence[Mark]) -> dict[str, Mark]:
    """Points without names by their numbers, from 1."""
    return dict(zip(numbered(len(marks)), marks, strict=True))


def of_same_stem(file: str, pictures: PictureInfo, tool: str) -> str:
    """The picture that is called as a label file, but for the ending.

    Args:
        file: the label file's name.
        pictures: those that it may be of.
        tool: whose file it is, for messages.

    Raises:
        LeadError: there is not just one.
    """
    stem = stem_of(file)
    picture = pictures.of_stem(stem)
    if picture == stem:
        raise LeadError(
            f"a file of {tool}'s, which does not say its picture, and no single picture is called so. Name it as its "
            f"picture but for the ending (wing.jpg: wing{posixpath.basename(file).removeprefix(stem)}), and give the "
            "pictures' folder (--pictures)."
        )
    return picture


def stem_of(file: str) -> str:
    """A label file's name without its endings, of which some have two."""
    name = posixpath.basename(file.replace("\\", "/"))
    return re.sub(r"(\.mrk|\.analysis)?\.[^.]*$", "", name)


def sized(width: object, height: object) -> Size | None:
    """A picture's size as a file gives it; None where it is not two whole numbers above 0."""
    numbers = [value for value in (width, height) if isinstance(value, int | float) and not isinstance(value, bool)]
    if len(numbers) != 2 or not all(0 < value < 2**31 and value == int(value) for value in numbers):
        return None
    return int(numbers[0]), int(numbers[1])
