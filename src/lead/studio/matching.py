"""Which specimens of a picture, as two files have them, are the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

ALIKE = 0.5
"""From what likeness on two are the same."""
APART = 0.1
"""How far a landmark of one may be from that of the other to be as like as a standard deviation, in extents."""
LEAST = 1.0
"""The least such distance in pixels: of specimens that show no extent, a single landmark, say."""


@dataclass(frozen=True)
class Shapes:
    """N specimens of one picture.

    Attributes:
        tracks: names of individuals; empty where there is none.
        xy: (N, K, 2) pixels, NaN where a landmark has no place.
        boxes: (N, 4) x, y, width, height around them; NaN where there is none but that of the landmarks.
    """

    tracks: Sequence[str]
    xy: FloatArray
    boxes: FloatArray

    def corners(self) -> FloatArray:
        """(N, 4) the least x and y and the greatest around each: of its box, else of its landmarks; NaN of nothing."""
        known = np.isfinite(self.xy).any((1, 2))
        out = np.full((len(self.xy), 4), np.nan)
        out[known] = np.concatenate([np.nanmin(self.xy[known], 1), np.nanmax(self.xy[known], 1)], axis=1)
        first = self.boxes[:, :2] - 0.5  # a box counts from the first pixel's edge, a place from its middle
        boxed = np.concatenate([first, first + self.boxes[:, 2:]], axis=1)
        return np.where(np.isfinite(boxed), boxed, out)


def same_specimens(here: Shapes, there: Shapes) -> dict[int, int]:
    """The specimen here that each of some there is, by their places; those that are new are left out.

    First those of one name; then the most alike, each once, by COCO's object keypoint similarity of the landmarks that
    both have. Where they share none, by how much of both their boxes cover together.
    """
    named = {track: i for i, track in enumerate(here.tracks) if track}
    found = {j: named[track] for j, track in enumerate(there.tracks) if track in named}
    alike = likeness(here, there)
    pairs = np.argwhere(alike > ALIKE)
    order = np.argsort(-alike[tuple(pairs.T)], kind="stable")
    taken = set(found.values())
    for i, j in pairs[order].tolist():
        if i not in taken and j not in found:
            found[j] = i
            taken.add(i)
    return found


def likeness(here: Shapes, there: Shapes) -> FloatArray:
    """(N, M) how alike specimens are, in [0, 1]."""
    ours, theirs = here.corners(), there.corners()
    out = np.zeros((len(ours), len(theirs)))
    extents = [np.nan_to_num((some[:, 2:] - some[:, :2]).max(1, initial=0)) for some in (ours, theirs)]
    for i, xy in enumerate(here.xy):
        scale = np.maximum(APART * np.maximum(extents[0][i], extents[1]), LEAST)
        close = np.exp(-np.square(there.xy - xy).sum(-1) / (2 * scale[:, None] ** 2))  # (M, K); NaN where not shared
        shared = np.isfinite(close)
        out[i] = np.where(shared.any(1), np.nansum(close, 1) / np.maximum(shared.sum(1), 1), _covered(ours[i], theirs))
    return out


def _covered(one: FloatArray, others: FloatArray) -> FloatArray:
    """(M,) the share of two boxes together that is of both, of one (4,) and others (M, 4) as corners; 0 of none."""
    sides = np.minimum(one[2:], others[:, 2:]) - np.maximum(one[:2], others[:, :2])
    both = np.clip(sides, 0, None).prod(1)
    areas = (one[2:] - one[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        share: FloatArray = np.nan_to_num(both / (areas - both))
    return share
