"""Named landmarks on pictures: the data model that every format and every command shares. No torch here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2
"""Visibility as COCO has it: not labelled (ignored everywhere), labelled but hidden, labelled and visible."""


@dataclass(frozen=True)
class Schema:
    """What the landmarks are, in their order.

    Attributes:
        names: the landmarks' names, unique.
        flip_pairs: pairs of names that change places in a mirrored picture. Empty means unknown.
        skeleton: pairs of names joined by a line when drawn.
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[str, str], ...] = ()
    skeleton: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            twice = sorted({n for n in self.names if self.names.count(n) > 1})
            raise LeadError(f"Landmark names must differ; {', '.join(map(repr, twice))} stands more than once.")
        for pair in (*self.flip_pairs, *self.skeleton):
            for name in pair:
                self.index(name)

    def index(self, name: str) -> int:
        """The position of a landmark. Raises :class:`LeadError` naming the valid ones."""
        try:
            return self.names.index(name)
        except ValueError:
            raise unknown("landmark", name, self.names) from None

    def subset(self, names: Iterable[str]) -> Schema:
        """The schema of some of the landmarks, in the order asked for."""
        keep = tuple(names)
        for name in keep:
            self.index(name)
        kept = set(keep)
        return Schema(
            keep,
            tuple(p for p in self.flip_pairs if kept.issuperset(p)),
            tuple(p for p in self.skeleton if kept.issuperset(p)),
        )


def numbered(count: int) -> tuple[str, ...]:
    """Names of landmarks in a file that has none: "1", "2", …"""
    return tuple(str(number) for number in range(1, count + 1))


@dataclass(frozen=True)
class Labels:
    """Landmarks of N pictures, K each.

    Attributes:
        schema: names, pairs, skeleton.
        images: N picture paths as the file that held them writes them (POSIX separators), unique.
        xy: (N, K, 2) float64 pixels of each picture, in the convention of :mod:`lead.geometry`; NaN where unlabelled.
        visible: (N, K) int8, one of UNLABELLED, HIDDEN, VISIBLE.
        score: (N, K) confidence in [0, 1] of predictions, or None for labels made by hand.
        px_error: (N, K) expected error in pixels of predictions, or None.
        px_90: (N, K) distance in pixels that holds the true place of a prediction in nine of ten cases, or None.
    """

    schema: Schema
    images: tuple[str, ...]
    xy: npt.NDArray[np.float64]
    visible: npt.NDArray[np.int8]
    score: npt.NDArray[np.float64] | None = None
    px_error: npt.NDArray[np.float64] | None = None
    px_90: npt.NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        n, k = len(self.images), len(self.schema.names)
        xy = np.asarray(self.xy, dtype=np.float64).reshape(n, k, 2)
        known = np.isfinite(xy).all(-1)
        visible = np.where(known, np.reshape(self.visible, (n, k)), UNLABELLED).astype(np.int8)
        object.__setattr__(self, "visible", visible)
        object.__setattr__(self, "xy", np.where((visible > UNLABELLED)[..., None], xy, np.nan))
        if len(set(self.images)) != n:
            twice = next(name for name, count in Counter(self.images).items() if count > 1)
            raise LeadError(f"Picture {twice!r} is labelled more than once; keep one entry for each picture.")

    @classmethod
    def from_xy(cls, schema: Schema, images: Iterable[str], xy: npt.ArrayLike) -> Labels:
        """Labels whose every finite point is visible, and whose every NaN is unlabelled."""
        points = np.asarray(xy, dtype=np.float64)
        return cls(schema, tuple(images), points, np.full(points.shape[:2], VISIBLE, dtype=np.int8))

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        """The labels of different pictures, in their order; all have one schema, and are told alike."""
        if len(parts) == 1:
            return parts[0]
        told = [[getattr(part, name) for part in parts] for name in ("score", "px_error", "px_90")]
        return cls(
            parts[0].schema,
            tuple(image for part in parts for image in part.images),
            np.concatenate([part.xy for part in parts]),
            np.concatenate([part.visible for part in parts]),
            *(None if column[0] is None else np.concatenate(column) for column in told),
        )

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Iterable[int]) -> Labels:
        """The labels of some pictures, in the order asked for."""
        index = np.fromiter(rows, dtype=np.int64)
        return Labels(
            self.schema,
            tuple(self.images[i] for i in index),
            self.xy[index],
            self.visible[index],
            None if self.score is None else self.score[index],
            None if self.px_error is None else self.px_error[index],
            None if self.px_90 is None else self.px_90[index],
        )

    def only(self, names: Iterable[str]) -> Labels:
        """The labels of some landmarks, in the order asked for."""
        schema = self.schema.subset(names)
        index = [self.schema.index(n) for n in schema.names]
        return Labels(
            schema,
            self.images,
            self.xy[:, index],
            self.visible[:, index],
            None if self.score is None else self.score[:, index],
            None if self.px_error is None else self.px_error[:, index],
            None if self.px_90 is None else self.px_90[:, index],
        )
