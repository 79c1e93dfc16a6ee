"""Curves of a TPS file: which of their points are landmarks too, and where each stands in a block.

A block holds its landmarks first, then each curve with all its points, the ends among them; the points of curves are
appended to the landmarks, as geomorph's ``readland.tps`` does. Nothing in the file says that a curve begins at a
landmark, meets another or is closed but that the places are the same. So an end that lies just where another point lies
in each specimen is that point, and a curve that ends where it begins is closed. (Of a point that no specimen has, this
cannot be seen.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lead.landmarks.curves import Curve
from lead.landmarks.model import Schema, numbered

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """Where landmarks stand in a block.

    Attributes:
        alone: positions of those under LM=, in this order.
        curves: positions of the points of each curve, in their order; a closed one comes back to its first.
    """

    alone: tuple[int, ...]
    curves: tuple[tuple[int, ...], ...]

    @property
    def order(self) -> list[int]:
        """Positions of all landmarks in the order in which the file is read."""
        return list(dict.fromkeys([*self.alone, *(point for curve in self.curves for point in curve)]))


def layout_of(schema: Schema) -> Layout:
    """Where a schema's landmarks stand, so that they are read in the order of the schema if there is such a way.

    There is one if those that slide come last, in the order of the curves; else these are put there. Under LM= are as
    few as can be: so a file that was read is written as it was.
    """
    curves = tuple(
        tuple(map(schema.index, (*curve.points, *curve.points[:1]) if curve.closed else curve.points))
        for curve in schema.curves
    )
    slides = schema.semilandmarks
    fixed = Layout(tuple(np.flatnonzero(~slides).tolist()), curves)
    everything = list(range(len(schema.names)))
    for order in (everything, fixed.order):
        for count in range(len(fixed.alone) + 1):
            layout = Layout(tuple(order[:count]), curves)
            if layout.order == order and not slides[order[:count]].any():
                return layout
    return fixed


def schema_of(places: FloatArray, alone: int, counts: Sequence[int]) -> tuple[Schema, list[int]]:
    """The landmarks of a file, numbered, and its curves.

    Args:
        places: (N, M, 2) of all points of N blocks in the file's order, NaN where missing.
        alone: how many of these stand under LM=, which come first.
        counts: how many each curve has, which follow.

    Returns:
        The schema; and for each landmark which of the M points it is, by its first appearance.

    Raises:
        LeadError: a curve has too few points, or comes back to one of them.
    """
    keys = [
        places[:, point].tobytes() if np.isfinite(places[:, point]).any() else None for point in range(len(places[0]))
    ]
    kept = list(range(alone))
    under_lm = {key: point for point, key in enumerate(keys[:alone]) if key}
    ends: dict[bytes, int] = {}
    inner: dict[bytes, int] = {}
    curves = []
    first = alone
    for number, count in enumerate(counts, start=1):
        own = keys[first : first + count]
        closed = count > 1 and own[0] is not None and own[0] == own[-1]
        landmarks = []
        for i, key in enumerate(own[: count - closed]):
            is_end = i == 0 or (i == count - 1)
            known = (under_lm | inner | ends if is_end else ends).get(key) if key else None
            if known is None:
                known = len(kept)
                kept.append(first + i)
            landmarks.append(known)
            if key is not None:
                (ends if is_end else inner).setdefault(key, known)
        curves.append((f"curve {number}", landmarks, closed))
        first += count
    names = numbered(len(kept))
    found = tuple(Curve(name, tuple(names[k] for k in landmarks), closed) for name, landmarks, closed in curves)
    return Schema(names, curves=found), kept
