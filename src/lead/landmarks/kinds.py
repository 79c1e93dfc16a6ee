"""Several kinds of things in one file of labels, as a beetle and a ruler: one list of landmarks of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lead.landmarks.curves import renamed_curves
from lead.landmarks.model import PREDICTED, Labels, Schema


def kind_prefixes(names: Sequence[str], sizes: Sequence[int]) -> list[str]:
    """What stands before the landmarks' names of each kind: nothing for the one with most, else its name and a space.

    Args:
        names: of the kinds.
        sizes: how many landmarks each has; of those with as many the first counts.
    """
    main = max(range(len(names)), key=lambda i: (sizes[i], -i), default=0)
    return ["" if i == main else f"{name} " for i, name in enumerate(names)]


def joined_kinds(parts: Sequence[Labels], kinds: Sequence[str]) -> Labels:
    """The labels of several kinds of things on the same pictures, side by side; without places, sizes and boxes.

    Args:
        parts: of each kind; all of the same rows.
        kinds: their names.

    Raises:
        LeadError: two landmarks get one name.
    """
    if len(parts) == 1:
        return parts[0]
    prefixes = kind_prefixes(kinds, [len(part.schema.names) for part in parts])
    each = [_prefixed(part.schema, before) for part, before in zip(parts, prefixes, strict=True)]
    schema = Schema(
        tuple(name for one in each for name in one.names),
        tuple(pair for one in each for pair in one.flip_pairs),
        tuple(pair for one in each for pair in one.skeleton),
        tuple(curve for one in each for curve in one.curves),
    )
    return Labels(
        schema,
        parts[0].images,
        np.concatenate([part.xy for part in parts], axis=1),
        np.concatenate([part.visible for part in parts], axis=1),
        *(_side_by_side([getattr(part, name) for part in parts], parts) for name in PREDICTED),
        accepted=np.concatenate([part.is_accepted for part in parts], axis=1),
        predicted=np.concatenate([part.is_predicted for part in parts], axis=1),
        tracks=parts[0].tracks,
    )


def _prefixed(schema: Schema, before: str) -> Schema:
    """A schema whose names all begin with something."""
    new = {name: before + name for name in schema.names}
    flips, bones = ([(new[a], new[b]) for a, b in pairs] for pairs in (schema.flip_pairs, schema.skeleton))
    curves = (replace(curve, name=before + curve.name) for curve in renamed_curves(schema.curves, new))
    return Schema(tuple(new.values()), tuple(flips), tuple(bones), tuple(curves))


def _side_by_side(
    tables: Sequence[npt.NDArray[np.float64] | None], parts: Sequence[Labels]
) -> npt.NDArray[np.float64] | None:
    if all(table is None for table in tables):
        return None
    return np.concatenate(
        [
            np.full(part.visible.shape, np.nan) if table is None else table
            for table, part in zip(tables, parts, strict=True)
        ],
        axis=1,
    )
