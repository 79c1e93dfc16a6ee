"""Labels of several files, such as the tables of a project's videos, as one set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.model import PREDICTED, UNLABELLED, Labels, Places, Schema, numbered

Column = npt.NDArray[Any]
Pair = tuple[str, str]
FILL: Mapping[str, Any] = {
    "xy": np.nan, "visible": UNLABELLED, "is_accepted": False, "is_predicted": False, **dict.fromkeys(PREDICTED, np.nan)
}  # fmt: skip
"""What stands for a label that a file does not have, by the attribute of :class:`Labels`."""


def joined_tables(labels: Sequence[Labels], names: Sequence[str] = ()) -> Labels:
    """The labels of several files: the landmarks by name, those of the first file first, the pictures in their order.

    A landmark that a file does not have is unlabelled in its pictures. A picture may stand in several files that do
    not contradict one another: where all label it, they say the same of each landmark that they share.

    Args:
        labels: of each file, at least one; their pictures' names start from one folder.
        names: all landmarks in their order, where something else than the files says them.

    Raises:
        LeadError: two files differ in what they say of a picture or of a landmark's partner, or one has numbers where
            another has names; the message says where.
    """
    if not names:
        _refuse_numbers(labels)
        names = tuple(dict.fromkeys(name for part in labels for name in part.schema.names))
    schema = _schema(labels, names)
    columns = {name: np.concatenate([_widened(part, schema, name) for part in labels]) for name in FILL}
    sizes = np.concatenate([_sizes(part) for part in labels])
    listed = np.concatenate([np.tile(np.isin(schema.names, part.schema.names), (len(part), 1)) for part in labels])
    located, places = any(part.places for part in labels), _places(labels, schema)
    rows: dict[str, int] = {}
    for row, image in enumerate(image for part in labels for image in part.images):
        first = rows.setdefault(image, row)
        if first == row:
            continue
        _refuse_others(image, first, row, columns, listed, sizes, places, schema)
        sizes[[first, row]] = np.maximum(sizes[first], sizes[row])
        if not columns["visible"][first].any():
            rows[image] = row
        elif columns["visible"][row].any():
            new = ~listed[first] & listed[row]
            for values in columns.values():
                values[first, new] = values[row, new]
            listed[first] |= new
    index = np.fromiter(rows.values(), dtype=np.int64)
    kept = {name.removeprefix("is_"): values[index] for name, values in columns.items()}
    for name in PREDICTED:
        if all(getattr(part, name) is None for part in labels):
            del kept[name]
    return Labels(schema, tuple(rows), **kept, sizes=sizes[index], places=places.take(index) if located else None)


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
    """The landmarks of all, with the flip pairs and the skeletons of all."""
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
    return Schema(tuple(names), tuple(pairs.values()), tuple(reversed(bones.values())))


def _widened(part: Labels, schema: Schema, name: str) -> Column:
    """An attribute of one file's labels, under the schema of all."""
    values: Column | None = getattr(part, name)
    own = part.visible if values is None else values
    shape = (len(part), len(schema.names), *own.shape[2:])
    out = np.full(shape, FILL[name], dtype=np.float64 if name in PREDICTED else own.dtype)
    if values is not None:
        out[:, [schema.index(landmark) for landmark in part.schema.names]] = values
    return out


def _sizes(part: Labels) -> npt.NDArray[np.int64]:
    return np.zeros((len(part), 2), dtype=np.int64) if part.sizes is None else part.sizes


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


def _refuse_others(
    image: str,
    first: int,
    row: int,
    columns: Mapping[str, Column],
    listed: npt.NDArray[np.bool_],
    sizes: npt.NDArray[np.int64],
    places: Places,
    schema: Schema,
) -> None:
    """Raises :class:`LeadError` where two rows of one picture contradict one another."""
    here, there = places.of(first) or "one file", places.of(row) or "another"
    if sizes[first].any() and sizes[row].any() and (sizes[first] != sizes[row]).any():
        one, other = (" × ".join(map(str, sizes[i])) for i in (first, row))
        raise LeadError(f"Picture {image!r} is {one} pixels in {here}, {other} in {there}. Keep one of them.")
    if not (columns["visible"][first].any() and columns["visible"][row].any()):
        return
    differ = np.zeros(len(schema.names), dtype=bool)
    for values in columns.values():
        one, other = values[first], values[row]
        same = (one == other) | ((one != one) & (other != other))  # NaN is not equal to itself
        differ |= ~same.reshape(len(differ), -1).all(-1)
    for k in np.flatnonzero(differ & listed[first] & listed[row])[:1].tolist():
        raise LeadError(
            f"Picture {image!r} stands in {here} and in {there}, which differ in {schema.names[k]!r}. Keep one of them."
        )


def _file(part: Labels) -> str:
    return (part.places and part.places.file) or "a file"


def _shown(part: Labels) -> str:
    names = part.schema.names
    return ", ".join(names[:3]) + (f" … {names[-1]}" if len(names) > 3 else "")
