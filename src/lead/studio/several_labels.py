"""Labelled specimens beside those that a model finds: which of these are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.landmarks.model import PREDICTED, UNLABELLED, Labels, Schema
from lead.landmarks.same import alike, assigned
from lead.studio.contents import Contents
from lead.studio.label_messages import PictureLabels

FloatArray = npt.NDArray[np.float64]

LEAST = 0.1
"""How alike a found specimen and a labelled one have to be for the one to be the other: their landmarks are about a
fifth of the extent apart. Less than for two answers, since one of which little is labelled yet is to be known too."""


@dataclass(frozen=True)
class Labelled:
    """A labelled specimen.

    Attributes:
        key: by which its labels are addressed.
        number: its place among those of its picture, from 1.
        track: name of the individual; "" where it has none.
        xy: (K, 2) pixels of the picture; NaN where unlabelled.
        by_hand: (K,) bool, landmarks that a person placed.
        checked: whether a person said that the labels are right.
    """

    key: str
    number: int
    track: str
    xy: FloatArray
    by_hand: npt.NDArray[np.bool_]
    checked: bool

    @classmethod
    def of(cls, labels: PictureLabels, number: int, names: Sequence[str]) -> Labelled:
        """What the label book says of it."""
        points = [labels.points.get(name) for name in names]
        places = [(np.nan, np.nan) if p is None or p.x is None or p.y is None else (p.x, p.y) for p in points]
        xy = np.array(places, dtype=np.float64).reshape(-1, 2)
        by_hand = np.array([p is not None and p.x is not None and not p.accepted for p in points], dtype=bool)
        return cls(labels.id, number, labels.track, xy, by_hand, labels.checked)

    @property
    def words(self) -> str:
        """What it is called in a sentence."""
        return f"Specimen {self.number}" + (f" ({self.track})" if self.track else "")

    @property
    def extent(self) -> float:
        """Diagonal of the box around its landmarks, in pixels; 0 where there are none."""
        return extents(self.xy[None]).item()


def is_ready(contents: Contents) -> bool:
    """Whether a model of specimens can be fitted: one is labelled, and a picture is marked as complete."""
    labels = contents.taught
    return bool(labels.complete) and bool((labels.visible > UNLABELLED).any())


def teach_the_same(contents: Contents, other: Contents) -> bool:
    """Whether a model of specimens would learn the same from two states of the label book."""
    alike = contents.landmarks.several == other.landmarks.several and contents.teaches_as(other)
    return alike and (contents is other or contents.labels.complete == other.labels.complete)


def labelled_on(contents: Contents, id: str) -> list[Labelled]:
    """The labelled specimens of a picture that have a landmark in a place, in their order."""
    names = contents.document.names
    every = [Labelled.of(one, number, names) for number, one in enumerate(contents.specimens_of(id), start=1)]
    return [one for one in every if np.isfinite(one.xy).any()]


def extents(xy: FloatArray) -> FloatArray:
    """(n,) diagonals of the boxes around landmarks (n, K, 2); 0 where there are none."""
    known = np.isfinite(xy)
    low, high = np.where(known, xy, np.inf).min(1), np.where(known, xy, -np.inf).max(1)
    out: FloatArray = np.linalg.norm(np.where(np.isfinite(high - low), high - low, 0.0), axis=-1)
    return out


def same(found: FloatArray, extent: FloatArray, labelled: FloatArray, schema: Schema) -> dict[int, int]:
    """Which found specimens are which labelled ones: by the row of the one, that of the other.

    A labelled one whose left and right are exchanged is known all the same.

    Args:
        found: (n, K, 2) in pixels; NaN where a landmark is out of view.
        extent: (n,) of these, in pixels.
        labelled: (m, K, 2) likewise; NaN where unlabelled.
        schema: of the landmarks.
    """
    order = np.arange(len(schema.names))
    for pair in schema.flip_pairs:
        a, b = map(schema.index, pair)
        order[[a, b]] = order[[b, a]]
    near = np.maximum(alike(labelled, found, extent), alike(labelled[:, order], found, extent))
    return {j: i for i, j in assigned(1 - near, 1 - LEAST)}


def combined(hand: Labels, predicted: Labels, extent: FloatArray) -> Labels:
    """The hand's specimens, and beside them those predicted ones that are none of these.

    Pictures that the hand calls complete show no others. The predictions keep their ``score`` and errors; the hand's
    labels have none. Pictures come in the order of the predictions, those that have none at the end.

    Args:
        hand: with ``tracks``.
        predicted: likewise, of the same landmarks.
        extent: of these, in pixels.
    """
    nothing = np.full(hand.visible.shape, np.nan)
    tables: dict[str, Any] = {name: None if getattr(predicted, name) is None else nothing for name in PREDICTED}
    taken_over = (hand.visible > UNLABELLED) & ~hand.by_hand
    mine = replace(hand, accepted=taken_over, predicted=None, likely=None, **tables)
    both, first = Labels.joined([mine, predicted]), len(hand)
    there = both.is_specimen
    kept: list[int] = []
    by_hand, found = hand.rows_of(), predicted.rows_of()
    for image in dict.fromkeys([*found, *by_hand]):
        own = [row for row in by_hand.get(image, []) if there[row]]
        others = [row for row in found.get(image, []) if there[first + row] and image not in hand.complete]
        if own and others:
            known = same(predicted.xy[others], extent[others], hand.xy[own], hand.schema)
            others = [row for j, row in enumerate(others) if j not in known]
        every = own + [first + row for row in others]
        kept += every or by_hand.get(image, [])[:1] or [first + found[image][0]]
    return both.take(kept)
