"""Labels of several files, such as the tables of a project's videos, as one set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.curves import Curve
from lead.landmarks.model import OF_ROWS, PREDICTED, UNLABELLED, Labels, Places, Schema, numbered

Column = npt.NDArray[Any]
Pair = tuple[str, str]
FILL: Mapping[str, Any] = {
    "xy": np.nan, "visible": UNLABELLED, "is_accepted": False, "is_predicted": False, **dict.fromkeys(PREDICTED, np.nan)
}  # fmt: skip
"""What stands for a label that a file does not have, by the attribute of :class:`Labels`."""


@dataclass
class _Rows:
    """The rows of all files, one file's after another.

    Attributes:
        schema: of all.
        columns: (rows, K, …) what is said of labels, by the names of :data:`FILL`.
        beside: (rows, …) what is said of rows, by the names of :data:`OF_ROWS`.
        listed: (rows, K) which landmarks their file has.
        tracks: of each row.
        there: (rows,) which are specimens.
        places: of each row.
    """

    schema: Schema
    columns: dict[str, Column]
    beside: dict[str, Column]
    listed: npt.NDArray[np.bool_]
    tracks: list[str]
    there: npt.NDArray[np.bool_]
    places: Places

    def joined(self, image: str, groups: Sequence[Sequence[int]]) -> list[int]:
        """The rows of a picture that are kept, into which those of the other files have been put.

        Args:
            image: the picture.
            groups: its rows in each file that has it.

        Raises:
            LeadError: the files contradict one another, or it is not clear which specimens are the same.
        """
        sizes = self.beside["sizes"]
        for (first, *_), (row, *_) in pairwise(groups):
            if sizes[first].any() and sizes[row].any() and (sizes[first] != sizes[row]).any():
                one, other = (" × ".join(str(round(side)) for side in sizes[i]) for i in (first, row))
                here, there = self._of(first, row)
                raise LeadError(f"Picture {image!r} is {one} pixels in {here}, {other} in {there}. Keep one of them.")
            sizes[[*groups[0], row]] = np.maximum(sizes[first], sizes[row])
        specimens = [kept for group in groups if (kept := [row for row in group if self.there[row]])]
        if not specimens:
            return list(groups[0][:1])
        kept = list(specimens[0])
        for rows in specimens[1:]:
            partners = self._partners(image, kept, rows)
            for first, row in partners.items():
                self._merge(image, first, row)
            kept += [row for row in rows if row not in partners.values()]
        sizes[kept] = sizes[[row for group in groups for row in group]].max(0)
        return kept

    def _partners(self, image: str, kept: Sequence[int], rows: Sequence[int]) -> dict[int, int]:
        """Which of a file's rows is the same specimen as one that is kept: by tracks, else by their order."""
        named, others = ({self.tracks[row]: row for row in group if self.tracks[row]} for group in (kept, rows))
        if len(named) == len(kept) and len(others) == len(rows):
            return {named[track]: row for track, row in others.items() if track in named}
        pairs = dict(zip(kept, rows, strict=False))
        seen = self.columns["visible"] > UNLABELLED
        shared = all((seen[first] & seen[row]).any() for first, row in pairs.items())
        if len(kept) == len(rows) and (len(rows) == 1 or (shared and not named and not others)):
            return pairs
        here, there = self._of(kept[0], rows[0])
        raise LeadError(
            f"Picture {image!r} shows {len(kept)} specimens in {here}, {len(rows)} in {there}, and nothing tells which "
            "are the same. Keep one of them, or name all as tracks."
        )

    def _merge(self, image: str, first: int, row: int) -> None:
        """Puts what another file says of a specimen into the row that is kept."""
        self._refuse_others(image, first, row)
        new = self.listed[row] & (~self.listed[first] | ~self.columns["visible"][first].any())
        if self.columns["visible"][row].any():
            for values in self.columns.values():
                values[first, new] = values[row, new]
            self.listed[first] |= new
        for values in self.beside.values():
            values[first] = np.fmax(values[first], values[row])
        self.tracks[first] = self.tracks[first] or self.tracks[row]

    def _refuse_others(self, image: str, first: int, row: int) -> None:
        """Raises :class:`LeadError` where two rows of one specimen contradict one another."""
        here, there = self._of(first, row)
        for name, what in (("boxes", "box"), ("likely", "how likely it is a specimen")):
            if not _same(self.beside[name][[first]], self.beside[name][[row]], blank=True).all():
                raise LeadError(
                    f"Picture {image!r} stands in {here} and in {there}, which differ in a {what}. Keep one of them."
                )
        if not (self.columns["visible"][first].any() and self.columns["visible"][row].any()):
            return
        differ = np.zeros(len(self.schema.names), dtype=bool)
        for values in self.columns.values():
            differ |= ~_same(values[first], values[row])
        for k in np.flatnonzero(differ & self.listed[first] & self.listed[row])[:1].tolist():
            raise LeadError(
                f"Picture {image!r} stands in {here} and in {there}, which differ in {self.schema.names[k]!r}. Keep "
                "one of them."
            )

    def _of(self, first: int, row: int) -> tuple[str, str]:
        return self.places.of(first) or "one file", self.places.of(row) or "another"


def side_by_side(schema: Schema, parts: Sequence[Labels], together: npt.NDArray[np.complex128] | None = None) -> Labels:
    """Predictions of the same pictures as one: landmarks of each part, in a schema that has them all.

    ``together`` says how the errors of all go together.
    """
    order = [name for part in parts for name in part.schema.names]
    at = [order.index(name) for name in schema.names]
    tables: dict[str, Any] = {}
    for name in ("xy", "visible", *PREDICTED):
        given = [getattr(part, name) for part in parts]
        if any(table is not None for table in given):
            nothing = [np.full((len(part), len(part.schema.names)), np.nan) for part in parts]
            filled = [blank if table is None else table for table, blank in zip(given, nothing, strict=True)]
            tables[name] = np.concatenate(filled, axis=1)[:, at]
    return replace(parts[0], schema=schema, accepted=None, predicted=None, together=together, **tables)


def joined_tables(labels: Sequence[Labels], names: Sequence[str] = ()) -> Labels:
    """The labels of several files: the landmarks by name, those of the first file first, the pictures in their order.

    A landmark that a file does not have is unlabelled in its pictures. A picture may stand in several files that do
    not contradict one another: where all label it, they say the same of each landmark that they share. Its specimens
    are the same by their tracks; without, by their order, if there are as many and each shares a label.

    Args:
        labels: of each file, at least one; their pictures' names start from one folder.
        names: all landmarks in their order, where something else than the files says them.

    Raises:
        LeadError: two files differ in what they say of a picture or of a landmark's partner, one has numbers where
            another has names, or it is not clear which specimens are the same; the message says where.
    """
    if not names:
        _refuse_numbers(labels)
        names = tuple(dict.fromkeys(name for part in labels for name in part.schema.names))
    schema = _schema(labels, names)
    rows = _Rows(
        schema,
        columns={name: np.concatenate([_widened(part, schema, name) for part in labels]) for name in FILL},
        beside={name: np.concatenate([_beside(part, name) for part in labels]) for name in OF_ROWS},
        listed=np.concatenate([np.tile(np.isin(schema.names, part.schema.names), (len(part), 1)) for part in labels]),
        tracks=[track for part in labels for track in part.tracks or ("",) * len(part)],
        there=np.concatenate([part.is_specimen for part in labels]),
        places=_places(labels, schema),
    )
    groups: dict[str, list[list[int]]] = {}
    first = 0
    for part in labels:
        for image, own in part.rows_of().items():
            groups.setdefault(image, []).append([first + row for row in own])
        first += len(part)
    kept = {image: rows.joined(image, of_files) if of_files[1:] else of_files[0] for image, of_files in groups.items()}
    index = np.array([row for own in kept.values() for row in own], dtype=np.int64)
    told: dict[str, Any] = {name.removeprefix("is_"): values[index] for name, values in rows.columns.items()}
    for name in PREDICTED:
        if all(getattr(part, name) is None for part in labels):
            del told[name]
    return Labels(
        schema,
        tuple(image for image, own in kept.items() for _ in own),
        **told,
        **{name: values[index] for name, values in rows.beside.items()},
        tracks=tuple(rows.tracks[row] for row in index) if any(part.tracks is not None for part in labels) else None,
        complete=frozenset().union(*(part.complete for part in labels)),
        places=rows.places.take(index) if any(part.places for part in labels) else None,
    )


def _refuse_numbers(labels: Sequence[Labels]) -> None:
    """Raises :class:`LeadError` where the landmarks of one file go by numbers, those of another by something else."""
    for part in labels:
        if part.schema.names == numbered(len(part.schema.names)):
            for other in labels:
                if other.schema.names != part.schema.names:
                    raise LeadError(
                        f"{_file(part)} has the landmarks {_shown(part)}, {_file(other)} has {_shown(other)}: numbers "
                        "do not tell which is which. Give both the same names (lead convert writes a CSV to edit), or "
                        "take the files one by one."
                    )


def _schema(labels: Sequence[Labels], names: Sequence[str]) -> Schema:
    """The landmarks of all, with the flip pairs, the skeletons and the curves of all."""
    partner: dict[str, str] = {}
    pairs: dict[frozenset[str], Pair] = {}
    for part in labels:
        for pair in part.schema.flip_pairs:
            for one, other in (pair, pair[::-1]):
                if partner.setdefault(one, other) != other:
                    raise LeadError(
                        f"{_file(part)}: {one!r} changes places with {other!r} in a mirrored picture, in another file "
                        f"with {partner[one]!r}. Correct the flip pairs of one."
                    )
            pairs.setdefault(frozenset(pair), pair)
    bones = {frozenset(bone): bone for part in reversed(labels) for bone in reversed(part.schema.skeleton)}
    return Schema(tuple(names), tuple(pairs.values()), tuple(reversed(bones.values())), _curves(labels))


def _curves(labels: Sequence[Labels]) -> tuple[Curve, ...]:
    """Those of all. Raises :class:`LeadError` where two files lead one through other points."""
    curves: dict[str, tuple[Labels, Curve]] = {}
    for part in labels:
        for curve in part.schema.curves:
            first, known = curves.setdefault(curve.name, (part, curve))
            if known != curve:
                raise LeadError(
                    f"{_file(part)}: curve {curve.name!r} goes through other points than in {_file(first)}, or is "
                    "closed in one of them only. Make them the same, or give one of them another name."
                )
    return tuple(curve for _, curve in curves.values())


def _widened(part: Labels, schema: Schema, name: str) -> Column:
    """An attribute of one file's labels, under the schema of all."""
    values: Column | None = getattr(part, name)
    own = part.visible if values is None else values
    shape = (len(part), len(schema.names), *own.shape[2:])
    out = np.full(shape, FILL[name], dtype=np.float64 if name in PREDICTED else own.dtype)
    if values is not None:
        out[:, [schema.index(landmark) for landmark in part.schema.names]] = values
    return out


def _beside(part: Labels, name: str) -> Column:
    """What is said of one file's rows, as numbers; 0 for an unknown size, else NaN for what is not known."""
    values: Column | None = getattr(part, name)
    if values is not None:
        return values.astype(np.float64)
    return {"sizes": np.zeros((len(part), 2)), "boxes": np.full((len(part), 4), np.nan)}.get(
        name, np.full(len(part), np.nan)
    )


def _places(labels: Sequence[Labels], schema: Schema) -> Places:
    """Where all stand: each in its own file, which is the first part of its entry."""
    entries: list[str] = []
    lines = np.zeros((sum(map(len, labels)), len(schema.names)), dtype=np.int64)
    left_out = []
    for part in labels:
        place = part.places or Places()
        if place.lines is not None:
            columns = [schema.index(name) for name in part.schema.names]
            lines[len(entries) : len(entries) + len(part), columns] = place.lines
        own = place.entries or [""] * len(part)
        entries += [", ".join(filter(None, (place.file, entry))) for entry in own]
        if place.left_out:
            left_out.append(": ".join(filter(None, (place.file, place.left_out))))
    return Places(entries=tuple(entries), lines=lines, left_out="; ".join(left_out))


def _same(one: Column, other: Column, *, blank: bool = False) -> npt.NDArray[np.bool_]:
    """For each item of two tables, whether all its values are the same; with ``blank``, or those of one are NaN."""
    a, b = (np.reshape(values, (len(values), -1)).astype(np.float64) for values in (one, other))
    either, both = np.isnan(a) | np.isnan(b), np.isnan(a) & np.isnan(b)
    same: npt.NDArray[np.bool_] = ((a == b) | (either if blank else both)).all(-1)
    return same


def _file(part: Labels) -> str:
    return (part.places and part.places.file) or "a file"


def _shown(part: Labels) -> str:
    names = part.schema.names
    return ", ".join(names[:3]) + (f" … {names[-1]}" if len(names) > 3 else "")
