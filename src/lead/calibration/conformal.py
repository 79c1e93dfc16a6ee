"""The radius that holds nine of ten, with a guarantee that needs no assumption on how errors spread."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

SHARE = 0.9
FEWEST = 9
"""Pictures from which there is such a radius at all: of fewer, even the largest error is too little."""
EXACT = 1e-9
"""Sums of pictures' shares are that exact."""


def holding(errors: FloatArray, pictures: IntArray) -> float:
    """What is not exceeded by nine of ten errors in further pictures (split conformal prediction).

    Errors of one picture are not independent. So each picture counts once, shared by its errors, and a further one,
    which stands for the picture to come, is infinitely far off. Of a random error in a picture that comes from where
    these do, the probability not to exceed the value is 90 % or more, however few these are. With one error each, it is
    the k-th smallest of n, with k = 0.9 (n + 1), rounded up (Vovk et al. 2005; of groups: Lee, Barber, Willett 2023).

    Args:
        errors: (n,) of what a model had not seen; NaN where unknown.
        pictures: (n,) which picture each is of.

    Returns:
        Infinity where fewer than :data:`FEWEST` pictures have errors.
    """
    known = np.isfinite(errors)
    errors = errors[known]
    _, which, counts = np.unique(pictures[known], return_inverse=True, return_counts=True)
    order = np.argsort(errors)
    reached = np.cumsum((1 / counts)[which][order]) >= SHARE * (len(counts) + 1) - EXACT
    return float(errors[order][np.argmax(reached)]) if reached.any() else math.inf
