"""Named landmarks on pictures: the data model that every format and every command shares. No torch here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown
from lead.landmarks.curves import Curve, renamed_curves

UNLABELLED, HIDDEN, VISIBLE = 0, 1, 2
"""Visibility as COCO has it: not labelled (ignored everywhere), labelled but hidden, labelled and visible."""
ERRORS = ("px_error", "px_90", "px_across")
PREDICTED = ("score", *ERRORS)
"""Attributes of :class:`Labels` that predictions have; the former are in pixels."""
OF_ROWS = ("boxes", "likely", "sizes")
"""Attributes of :class:`Labels` that hold something for each row, or are None."""
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class Schema:
    """What the landmarks are, in their order.

    Attributes:
        names: the landmarks' names, unique.
        flip_pairs: pairs of names that change places in a mirrored picture. Empty means unknown.
        skeleton: pairs of names joined by a line when drawn, beside the segments of the curves.
        curves: lines of the thing through some of the landmarks. Each landmark slides along one at most.
    """

    names: tuple[str, ...]
    flip_pairs: tuple[tuple[str, str], ...] = ()
    skeleton: tuple[tuple[str, str], ...] = ()
    curves: tuple[Curve, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            twice = sorted({n for n in self.names if self.names.count(n) > 1})
            raise LeadError(f"Landmark names must differ; {', '.join(map(repr, twice))} stands more than once.")
        for pair in (*self.flip_pairs, *self.skeleton):
            for name in pair:
                self.index(name)
        self._check_curves()
        drawn = {frozenset(segment) for curve in self.curves for segment in curve.segments}
        object.__setattr__(self, "skeleton", tuple(bone for bone in self.skeleton if frozenset(bone) not in drawn))

    def _check_curves(self) -> None:
        if twice := _twice(curve.name for curve in self.curves):
            raise LeadError(f"Two curves are called {twice!r}. Give each one a name of its own.")
        slides: dict[str, str] = {}
        for curve in self.curves:
            for name in curve.points:
                if name not in self.names:
                    raise LeadError(f"Curve {curve.name!r}: {unknown('landmark', name, self.names)}")
            for _, name, _ in curve.sliders:
                if slides.setdefault(name, curve.name) != curve.name:
                    raise LeadError(
                        f"{name!r} lies within two curves, {slides[name]!r} and {curve.name!r}, and can slide along "
                        "one. Take it out of the other, or end a curve there."
                    )

    def index(self, name: str) -> int:
        """The position of a landmark. Raises :class:`LeadError` naming the valid ones."""
        try:
            return self.names.index(name)
        except ValueError:
            raise unknown("landmark", name, self.names) from None

    def subset(self, names: Iterable[str]) -> Schema:
        """The schema of some of the landmarks, in the order asked for; its curves go through those that are left."""
        keep = tuple(names)
        for name in keep:
            self.index(name)
        kept = set(keep)
        return Schema(
            keep,
            tuple(p for p in self.flip_pairs if kept.issuperset(p)),
            tuple(p for p in self.skeleton if kept.issuperset(p)),
            renamed_curves(self.curves, {name: name for name in keep}),
        )

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """All lines to draw: the skeleton, and the segments of the curves."""
        return (*self.skeleton, *(segment for curve in self.curves for segment in curve.segments))

    @property
    def sliders(self) -> npt.NDArray[np.int64]:
        """(S, 3) for each semilandmark the positions of the point before it, of itself, and of the point after it."""
        rows = [[*map(self.index, names)] for curve in self.curves for names in curve.sliders]
        return np.array(rows, dtype=np.int64).reshape(-1, 3)

    @property
    def semilandmarks(self) -> npt.NDArray[np.bool_]:
        """(K,) which landmarks slide along a curve."""
        return np.isin(np.arange(len(self.names)), self.sliders[:, 1])


def numbered(count: int) -> tuple[str, ...]:
    """Names of landmarks in a file that has none: "1", "2", …"""
    return tuple(str(number) for number in range(1, count + 1))


@dataclass(frozen=True)
class Places:
    """Where in its file each of N pictures' K labels stands, for messages.

    Attributes:
        file: the file or folder.
        entries: N parts of it that hold a picture's labels, such as ``"annotations[3]"`` or a file of the folder; empty
            where there is no more to say than the line.
        lines: (N, K) the lines, from 1, of a text or of the entries; 0 for none. None where nothing has lines.
        left_out: what else the file holds that is not read, counted, in words; empty if nothing is worth telling.
    """

    file: str = ""
    entries: tuple[str, ...] = ()
    lines: npt.NDArray[np.int64] | None = None
    left_out: str = ""

    @classmethod
    def of_rows(cls, lines: Iterable[int], landmarks: int) -> Places:
        """Of a text that has a line for each picture."""
        numbers = np.fromiter(lines, dtype=np.int64)
        return cls(lines=np.broadcast_to(numbers[:, None], (len(numbers), landmarks)))

    def of(self, row: int, landmark: int | None = None) -> str:
        """Where a label stands, or what is said first of a picture: ``"labels.csv, line 7"``."""
        lines = [] if self.lines is None else self.lines[row].tolist()
        line = min(filter(None, lines), default=0) if landmark is None or not lines else lines[landmark]
        entry = self.entries[row] if self.entries else ""
        return ", ".join(filter(None, (self.file, entry, f"line {line}" if line else "")))

    def of_landmark(self, landmark: int) -> str:
        """Where a landmark's name stands first: just the file, unless each label has a line of its own."""
        if self.lines is None or (self.lines[:, :1] == self.lines).all():
            return self.file
        return self.of(int(np.argmax(self.lines[:, landmark] > 0)), landmark)

    def take(self, rows: npt.NDArray[np.int64]) -> Places:
        """Those of some pictures."""
        entries = tuple(self.entries[i] for i in rows) if self.entries else ()
        return replace(self, entries=entries, lines=None if self.lines is None else self.lines[rows])

    def only(self, landmarks: Sequence[int]) -> Places:
        """Those of some landmarks."""
        return replace(self, lines=None if self.lines is None else self.lines[:, landmarks])


@dataclass(frozen=True)
class Labels:
    """Landmarks of N specimens, K each: one in each picture, unless there are ``tracks``.

    Attributes:
        schema: names, pairs, skeleton, curves.
        images: N picture paths as the file that held them writes them (POSIX separators), unique unless there are
            ``tracks``.
        xy: (N, K, 2) float64 pixels of each picture, in the convention of :mod:`lead.geometry`; NaN where unlabelled.
        visible: (N, K) int8, one of UNLABELLED, HIDDEN, VISIBLE.
        score: (N, K) confidence in [0, 1] of predictions, or None for labels made by hand.
        px_error: (N, K) expected error in pixels of predictions, or None.
        px_90: (N, K) distance in pixels that holds the true place of a prediction in nine of ten cases, or None.
        px_across: (N, K) expected distance in pixels of predicted semilandmarks from their curve, or None.
        places: where they stand in the file that they were read from; None if they come from elsewhere.
        accepted: (N, K) bool, labels that are a model's suggestion, taken over and not touched since: fitted to, but
            left out of every estimate of an error. None if there are none.
        predicted: (N, K) bool, labels that a model said and no person has placed or taken over: never fitted to. All
            with a score or an expected error are such, given here or not. None if there are none.
        sizes: (N, 2) width and height in pixels that each picture had as it was labelled, as its file says; 0 where it
            does not. None if it says none.
        tracks: N names of individuals, each at most once in a picture; "" where it is not known. With them, a picture
            may have several rows, its specimens in their order; a row without landmark and box says that the picture
            was looked at. None where each picture shows one specimen.
        boxes: (N, 4) x, y, width and height of specimens in pixels, a box as :mod:`lead.images.store` has it; NaN where
            there is none. None if there are none.
        likely: (N,) how likely each is a specimen at all, of those that were found by a model; NaN of others. None if
            there are none.
        complete: the pictures in which every specimen is labelled, so that what is not labelled is background.
        together: (K, K) complex, how the errors of one picture's predictions go together, as far as their model knows;
            see :func:`lead.morphometrics.spread.correlation`. None where nothing says it.
    """

    schema: Schema
    images: tuple[str, ...]
    xy: npt.NDArray[np.float64]
    visible: npt.NDArray[np.int8]
    score: npt.NDArray[np.float64] | None = None
    px_error: npt.NDArray[np.float64] | None = None
    px_90: npt.NDArray[np.float64] | None = None
    px_across: npt.NDArray[np.float64] | None = None
    places: Places | None = field(default=None, kw_only=True)
    accepted: npt.NDArray[np.bool_] | None = field(default=None, kw_only=True)
    predicted: npt.NDArray[np.bool_] | None = field(default=None, kw_only=True)
    sizes: npt.NDArray[np.int64] | None = field(default=None, kw_only=True)
    tracks: tuple[str, ...] | None = field(default=None, kw_only=True)
    boxes: npt.NDArray[np.float64] | None = field(default=None, kw_only=True)
    likely: npt.NDArray[np.float64] | None = field(default=None, kw_only=True)
    complete: frozenset[str] = field(default=frozenset(), kw_only=True)
    together: npt.NDArray[np.complex128] | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        n, k = len(self.images), len(self.schema.names)
        xy = np.asarray(self.xy, dtype=np.float64).reshape(n, k, 2)
        labelled = np.isfinite(xy).all(-1)
        visible = np.where(labelled, np.reshape(self.visible, (n, k)), UNLABELLED).astype(np.int8)
        object.__setattr__(self, "visible", visible)
        object.__setattr__(self, "xy", np.where((visible > UNLABELLED)[..., None], xy, np.nan))
        accepted, predicted = (
            np.zeros((n, k), dtype=bool) if given is None else np.reshape(given, (n, k)).astype(bool)
            for given in (self.accepted, self.predicted)
        )
        for table in self.of_predictions():
            if table is not None:
                predicted |= np.isfinite(np.reshape(table, (n, k)))
        accepted &= visible > UNLABELLED
        predicted &= (visible > UNLABELLED) & ~accepted
        object.__setattr__(self, "accepted", accepted if accepted.any() else None)
        object.__setattr__(self, "predicted", predicted if predicted.any() else None)
        if self.sizes is not None:
            sizes = np.reshape(self.sizes, (n, 2)).astype(np.int64)
            object.__setattr__(self, "sizes", sizes if sizes.any() else None)
        _check_specimens(self)

    @classmethod
    def from_xy(
        cls,
        schema: Schema,
        images: Iterable[str],
        xy: npt.ArrayLike,
        *,
        places: Places | None = None,
        tracks: tuple[str, ...] | None = None,
    ) -> Labels:
        """Labels whose every finite point is visible, and whose every NaN is unlabelled."""
        points = np.asarray(xy, dtype=np.float64)
        visible = np.full(points.shape[:2], VISIBLE, dtype=np.int8)
        return cls(schema, tuple(images), points, visible, places=places, tracks=tracks)

    @classmethod
    def joined(cls, parts: Sequence[Labels]) -> Labels:
        """The labels of different pictures, in their order; all have one schema and the same of what predictions have.

        Where they stand in files, if they do, is left out.
        """
        if len(parts) == 1:
            return parts[0]
        columns = ([getattr(part, name) for part in parts] for name in PREDICTED)
        several = any(part.tracks is not None for part in parts)
        alike = all(_same(part.together, parts[0].together) for part in parts)
        return cls(
            parts[0].schema,
            tuple(image for part in parts for image in part.images),
            np.concatenate([part.xy for part in parts]),
            np.concatenate([part.visible for part in parts]),
            *(None if column[0] is None else np.concatenate(column) for column in columns),
            accepted=np.concatenate([part.is_accepted for part in parts]),
            predicted=np.concatenate([part.is_predicted for part in parts]),
            sizes=np.concatenate([_or(part.sizes, (len(part), 2), 0) for part in parts]),
            boxes=np.concatenate([_or(part.boxes, (len(part), 4)) for part in parts]),
            likely=np.concatenate([_or(part.likely, (len(part),)) for part in parts]),
            tracks=tuple(track for part in parts for track in part.tracks or ("",) * len(part)) if several else None,
            complete=frozenset().union(*(part.complete for part in parts)),
            together=parts[0].together if alike else None,
        )

    def __len__(self) -> int:
        return len(self.images)

    @property
    def is_accepted(self) -> npt.NDArray[np.bool_]:
        """(N, K) :attr:`accepted`, all false where there are none."""
        return np.zeros(self.visible.shape, dtype=bool) if self.accepted is None else self.accepted

    @property
    def is_predicted(self) -> npt.NDArray[np.bool_]:
        """(N, K) :attr:`predicted`, all false where there are none."""
        return np.zeros(self.visible.shape, dtype=bool) if self.predicted is None else self.predicted

    @property
    def by_hand(self) -> npt.NDArray[np.bool_]:
        """(N, K) which labels are a person's own: neither accepted suggestions nor predictions."""
        return (self.visible > UNLABELLED) & ~self.is_accepted & ~self.is_predicted

    def without_predicted(self) -> Labels:
        """The same labels, unlabelled where a model said them: what may be fitted to."""
        if self.predicted is None:
            return self
        return replace(unlabelled(self, self.predicted), **dict.fromkeys((*PREDICTED, "together")))  # type: ignore[arg-type]

    def only_by_hand(self) -> Labels:
        """The same labels, unlabelled where a person did not place them: what an error may be measured on."""
        without = self.without_predicted()
        if without.accepted is None:
            return without
        return replace(without, visible=np.where(without.accepted, UNLABELLED, without.visible), accepted=None)

    @property
    def is_specimen(self) -> npt.NDArray[np.bool_]:
        """(N,) which rows have a landmark or a box."""
        boxed = np.zeros((len(self), 0)) if self.boxes is None else np.isfinite(self.boxes).all(1, keepdims=True)
        there: npt.NDArray[np.bool_] = np.any(np.hstack([self.visible > UNLABELLED, boxed]), axis=1)
        return there

    def rows_of(self) -> dict[str, list[int]]:
        """The rows of each picture, in the order in which pictures come first."""
        rows: dict[str, list[int]] = {}
        for row, image in enumerate(self.images):
            rows.setdefault(image, []).append(row)
        return rows

    def of_several(self) -> dict[str, int]:
        """How many specimens those pictures show that show several."""
        specimens = np.flatnonzero(self.is_specimen).tolist()
        counts = Counter(self.images[row] for row in specimens)
        return {image: count for image, count in counts.items() if count > 1}

    def simplest(self) -> Labels:
        """The same labels, without tracks where they tell nothing: each picture has one row, and none has a name."""
        alone = self.tracks is not None and not any(self.tracks) and len(set(self.images)) == len(self)
        return replace(self, tracks=None) if alone else self

    def without_empty(self) -> Labels:
        """The same labels without the rows that are no specimen, but one of a picture that has none."""
        if self.tracks is None:
            return self
        there = self.is_specimen
        kept = [row for rows in self.rows_of().values() for row in ([row for row in rows if there[row]] or rows[:1])]
        return self if len(kept) == len(self) else self.take(sorted(kept))

    def known_sizes(self) -> dict[str, tuple[int, int]]:
        """(width, height) of the pictures for which :attr:`sizes` says them."""
        if self.sizes is None:
            return {}
        return {
            image: (width, height)
            for image, (width, height) in zip(self.images, self.sizes.tolist(), strict=True)
            if width and height
        }

    def where(self, row: int, landmark: int | None = None) -> str:
        """Where a picture, or one label of it, stands in its file, before what is said of it; else empty."""
        return f"{self.places.of(row, landmark)}: " if self.places else ""

    def take(self, rows: Iterable[int]) -> Labels:
        """Some rows, in the order asked for; with those of one picture, all of them, for ``complete`` to stay true."""
        index = np.fromiter(rows, dtype=np.int64)
        return Labels(
            self.schema,
            tuple(self.images[i] for i in index),
            self.xy[index],
            self.visible[index],
            *(None if values is None else values[index] for values in self.of_predictions()),
            places=self.places and self.places.take(index),
            accepted=self.is_accepted[index],
            predicted=self.is_predicted[index],
            tracks=None if self.tracks is None else tuple(self.tracks[i] for i in index),
            complete=self.complete,
            together=self.together,
            **{name: None if (table := getattr(self, name)) is None else table[index] for name in OF_ROWS},
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
            *(None if values is None else values[:, index] for values in self.of_predictions()),
            places=self.places and self.places.only(index),
            accepted=self.is_accepted[:, index],
            predicted=self.is_predicted[:, index],
            tracks=self.tracks,
            complete=self.complete,
            together=None if self.together is None else self.together[np.ix_(index, index)],
            **{name: getattr(self, name) for name in OF_ROWS},
        )

    def blank(self) -> Labels:
        """Rows that say of their pictures that they were looked at, and no more."""
        return unlabelled(self, np.ones_like(self.visible, dtype=bool))

    def renamed(self, images: Iterable[str]) -> Labels:
        """The same labels, of pictures that go by other names, one for each row."""
        names = tuple(images)
        other = dict(zip(self.images, names, strict=True))
        return replace(self, images=names, complete=frozenset(other[image] for image in self.complete))

    def of_predictions(self) -> list[npt.NDArray[np.float64] | None]:
        """What ``PREDICTED`` names."""
        return [getattr(self, name) for name in PREDICTED]


def unlabelled(labels: Labels, where: npt.NDArray[np.bool_]) -> Labels:
    """The same labels without some of them, (N, K), and without the boxes of rows that had no others.

    A picture that loses a specimen so is no longer complete.
    """
    visible = np.where(where, UNLABELLED, labels.visible)
    gone = where.any(1) & (visible == UNLABELLED).all(1)
    tables: dict[str, Any] = {name: _blank(getattr(labels, name), where) for name in PREDICTED}
    tables |= {name: _blank(getattr(labels, name), gone) for name in ("boxes", "likely")}
    complete = labels.complete.difference(labels.images[i] for i in np.flatnonzero(gone))
    return replace(labels, visible=visible, predicted=labels.is_predicted & ~where, complete=complete, **tables)


def _blank(table: npt.NDArray[np.float64] | None, where: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64] | None:
    """A table that says nothing at some places of its first axes."""
    return (
        None
        if table is None
        else np.where(where.reshape(where.shape + (1,) * (table.ndim - where.ndim)), np.nan, table)
    )


def _or(table: npt.NDArray[Any] | None, shape: tuple[int, ...], empty: float = np.nan) -> npt.NDArray[Any]:
    """A table, or one that says nothing."""
    return np.full(shape, empty) if table is None else table


def _same(one: npt.NDArray[Any] | None, other: npt.NDArray[Any] | None) -> bool:
    return one is other or (one is not None and other is not None and np.array_equal(one, other))


def _check_specimens(labels: Labels) -> None:
    for name, shape in (("boxes", (len(labels), 4)), ("likely", (len(labels),))):
        if (given := getattr(labels, name)) is not None:
            table = np.reshape(given, shape).astype(np.float64)
            object.__setattr__(labels, name, table if np.isfinite(table).any() else None)
    object.__setattr__(labels, "complete", frozenset(labels.complete).intersection(labels.images))
    if labels.tracks is None:
        if twice := _twice(labels.images):
            raise LeadError(f"Picture {twice!r} is labelled more than once; keep one entry for each picture.")
    elif len(labels.tracks) != len(labels):
        raise ValueError(f"{len(labels.tracks)} tracks of {len(labels)} specimens")
    elif again := _twice(pair for pair in zip(labels.images, labels.tracks, strict=True) if pair[1]):
        raise LeadError(f"Picture {again[0]!r} shows individual {again[1]!r} more than once; keep one of them.")


def _twice(values: Iterable[_Value]) -> _Value | None:
    """The first value that stands more than once."""
    return next((value for value, count in Counter(values).items() if count > 1), None)
