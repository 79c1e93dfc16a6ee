"""Which of several specimens are one: by where their landmarks are."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

APART = 0.1
"""Each landmark's constant in the similarity of two specimens, in extents."""
SAME = 0.5
"""Two answers more alike than this are one specimen."""


def alike(points: FloatArray, others: FloatArray, extent: FloatArray) -> FloatArray:
    """(n, m) COCO's object keypoint similarity of specimens: 1 where all landmarks of two are on the same places.

    Args:
        points: (n, K, 2) in any unit; NaN where a landmark has no place.
        others: (m, K, 2) in the same.
        extent: (m,) how large the others are, in the same.

    Returns:
        0 for two that have no landmark in common.
    """
    away = np.square(points[:, None] - others[None]).sum(-1)  # (n, m, K)
    near = np.exp(-away / (2 * np.square(APART * extent)[None, :, None]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        mean: FloatArray = np.nanmean(near, axis=-1)
    return np.nan_to_num(mean)


def assigned(cost: FloatArray, most: float) -> list[tuple[int, int]]:
    """The pairs of the best assignment, none of which costs ``most`` or more; to leave two alone costs as much."""
    from scipy.optimize import linear_sum_assignment  # takes a while, and few need it

    if not cost.size:
        return []
    rows, columns = linear_sum_assignment(np.minimum(cost, most))
    return [(i, j) for i, j in zip(rows.tolist(), columns.tolist(), strict=True) if cost[i, j] < most]
