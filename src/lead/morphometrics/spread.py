"""How far landmarks scatter around their true places, each alone and those of one picture together."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from lead.landmarks.model import Labels

FloatArray = npt.NDArray[np.float64]

PER_90 = 1 / math.sqrt(2 * math.log(10))
"""The standard deviation along each axis of a point whose 90 % radius is 1, if its error is normal, whatever way."""
PER_MEAN = math.sqrt(2 / math.pi)
"""The same, of one whose expected error is 1."""
LEAST_EIGENVALUE = 1e-6
"""Of a correlation matrix: where some residuals are missing, pairs may not fit together exactly."""


def deviations(labels: Labels, by_hand: float | None = None) -> FloatArray:
    """(N, K) standard deviations in pixels, along each axis, of landmarks around their true places.

    They come from the 90 % radius of a prediction, else from its expected error. The radius goes first because a few
    large errors are what makes both it and the standard deviation large. NaN where nothing says it.

    Args:
        labels: of N specimens.
        by_hand: the mean distance in pixels of a person's points from the true ones, where it is known.
    """
    found = np.full(labels.visible.shape, np.nan)
    for table, factor in ((labels.px_error, PER_MEAN), (labels.px_90, PER_90)):
        if table is not None:
            found = np.where(np.isfinite(table), table * factor, found)
    if by_hand is not None:
        found = np.where(np.isnan(found) & ~labels.is_predicted, by_hand * PER_MEAN, found)
    return np.where(np.isfinite(labels.xy).all(-1), found, np.nan)


def correlation(residuals: npt.ArrayLike) -> FloatArray:
    """How the errors of a picture's landmarks go together: 1 where two err alike, 0 where neither tells of the other.

    Residuals are compared as arrows: turning a picture, and with it all arrows, changes nothing. The correlations are
    shrunk towards none, by as much as their own scatter from picture to picture asks for (Schäfer and Strimmer 2005,
    their target D): from few pictures hardly anything is left of them, from many nearly all.

    Args:
        residuals: (N, K, 2) predicted places less true ones of N pictures that the model has not seen, each divided by
            the expected error of that landmark in that picture, so that hard pictures do not outweigh the others; NaN
            where unlabelled.

    Returns:
        (K, K) a correlation matrix.
    """
    arrows = np.asarray(residuals, dtype=np.float64)
    known: npt.NDArray[np.bool_] = np.all(np.isfinite(arrows), axis=-1)  # (N, K)
    arrows = np.where(known[..., None], arrows, 0)
    count = known.sum(0)
    size = np.sqrt((arrows**2).sum((0, 2)) / np.maximum(count, 1))  # (K,)
    arrows = arrows / np.where(size > 0, size, 1)[:, None]
    products = np.einsum("nka,nla->nkl", arrows, arrows)
    both = known[:, :, None] & known[:, None, :]
    pairs = both.sum(0)
    mean = products.sum(0) / np.maximum(pairs, 1)
    scatter = (np.where(both, products - mean, 0) ** 2).sum(0) / np.maximum(pairs * (pairs - 1), 1)
    usable = (pairs > 1) & ~np.eye(len(mean), dtype=bool)
    strength = (mean[usable] ** 2).sum()
    shrunk = min(1.0, scatter[usable].sum() / strength) if strength > 0 else 1.0
    return _proper(np.where(usable, (1 - shrunk) * mean, 0) + np.eye(len(mean)))


def _proper(matrix: FloatArray) -> FloatArray:
    """The nearby matrix that is a correlation: no eigenvalue below 0, and 1 along the diagonal."""
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < LEAST_EIGENVALUE:
        matrix = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.T
    sides = np.sqrt(np.diag(matrix))
    return np.asarray(matrix / np.outer(sides, sides))


def variance(slopes: FloatArray, spread: FloatArray, together: FloatArray | None = None) -> FloatArray:
    """(N,) variances of values that depend on landmarks, to first order.

    Args:
        slopes: (N, K, 2) by how much each value changes with each coordinate.
        spread: (N, K) standard deviations of the landmarks along each axis; NaN where unknown, which matters only where
            the value depends on it.
        together: (K, K) correlation of the landmarks of one picture; None if they are independent.
    """
    matters = (slopes != 0).any(-1)
    arrows = slopes * np.where(matters, spread, 0)[..., None]  # (N, K, 2)
    if together is None:
        return np.asarray((arrows**2).sum((1, 2)))
    return np.asarray(np.maximum(np.einsum("nka,kl,nla->n", arrows, together, arrows, optimize=True), 0))
