"""How far landmarks scatter around their true places, each alone and those of one picture together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.calibration.conformal import holding
from lead.errors import LeadError
from lead.landmarks.model import Labels
from lead.landmarks.naming import matched

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

PER_90 = 1 / math.sqrt(2 * math.log(10))
"""The standard deviation along each axis of a point whose 90 % radius is 1, if its error is normal, whatever way."""
PER_MEAN = math.sqrt(2 / math.pi)
"""The same, of one whose expected error is 1."""
FEWEST_PICTURES = 5
"""Labelled pictures from which it is learnt how errors go together; the more the better."""
FEWEST_FOR_SIZE = 10
"""Labelled pictures from which it is also learnt how large errors are."""
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


def correlation(residuals: npt.ArrayLike) -> ComplexArray:
    """How the errors of a picture's landmarks go together.

    Errors are arrows, and these complex numbers, x + iy. So an entry says two things: its size, from 0 where neither
    error tells of the other to 1 where one makes the other known; and its angle, by which the first's arrow is turned
    against the second's. A model that places a whole specimen too far right, turned or too large leaves some measures
    alone and not others, and needs both. Turning a picture, and with it all arrows, changes nothing.

    Entries are shrunk towards 0 by as much as their own scatter from picture to picture asks for (Schäfer and Strimmer
    2005, their target D): from few pictures hardly anything is left of them, from many nearly all.

    Args:
        residuals: (N, K, 2) predicted places less true ones of N pictures that the model has not seen, each divided by
            the expected error of that landmark in that picture, so that hard pictures do not outweigh the others; NaN
            where unlabelled.

    Returns:
        (K, K) Hermitian, with ones along the diagonal and no negative eigenvalue.
    """
    places = np.asarray(residuals, dtype=np.float64)
    arrows = places[..., 0] + 1j * places[..., 1]  # (N, K)
    known = np.isfinite(arrows)
    arrows = np.where(known, arrows, 0)
    size = np.sqrt((np.abs(arrows) ** 2).sum(0) / np.maximum(known.sum(0), 1))
    arrows = arrows / np.where(size > 0, size, 1)
    pairs = known.T.astype(np.int64) @ known.astype(np.int64)  # pictures that show both
    mean = arrows.T @ arrows.conj() / np.maximum(pairs, 1)
    squares = (np.abs(arrows) ** 2).T @ (np.abs(arrows) ** 2) - pairs * np.abs(mean) ** 2
    scatter = np.maximum(squares, 0) / np.maximum(pairs * (pairs - 1), 1)
    usable = (pairs > 1) & ~np.eye(len(mean), dtype=bool)
    strength = (np.abs(mean[usable]) ** 2).sum()
    shrunk = min(1.0, scatter[usable].sum() / strength) if strength > 0 else 1.0
    return _proper(np.where(usable, (1 - shrunk) * mean, np.eye(len(mean))))


def _proper(matrix: ComplexArray) -> ComplexArray:
    """The nearby matrix that is a correlation: no eigenvalue below 0, and 1 along the diagonal."""
    values, vectors = np.linalg.eigh(matrix)
    if values.min() < LEAST_EIGENVALUE:
        matrix = (vectors * np.maximum(values, LEAST_EIGENVALUE)) @ vectors.conj().T
    sides = np.sqrt(np.diag(matrix).real)
    return np.asarray(matrix / np.outer(sides, sides))


def residuals(predicted: Labels, truth: Labels) -> FloatArray:
    """What :func:`correlation` learns from: predictions of pictures that the model has not seen, less their labels.

    Args:
        predicted: with ``px_error`` or ``px_90``.
        truth: labels of some of these pictures, one specimen each, with landmarks of the same names; what is not a
            person's own is left aside.

    Returns:
        (N, K, 2) of the N pictures that both have with a landmark at least, and all landmarks that were predicted.

    Raises:
        LeadError: they have fewer than two pictures or no landmark in common, a picture shows several specimens, or the
            predictions come without errors.
    """
    for labels in (predicted, truth):
        for image, count in labels.of_several().items():
            where = labels.where(labels.images.index(image))
            raise LeadError(f"{where}{image!r} shows {count} specimens; compare pictures of one each.")
    spread = deviations(predicted)
    if not np.isfinite(spread).any():
        raise LeadError(f"{predicted.where(0)}these landmarks come without errors. Give what `lead predict` wrote.")
    names = [name for name in predicted.schema.names if name in truth.schema.names]
    if not names:
        raise LeadError(f"The predictions have no landmark of the labels: {', '.join(truth.schema.names)}.")
    same = matched(truth.images, predicted.images)
    own, known = truth.only_by_hand(), {image: row for row, image in enumerate(predicted.images)}
    pairs = [(known[same[image]], row) for row, image in enumerate(own.images) if image in same]
    rows, true_rows = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    found = np.full((len(pairs), len(predicted.schema.names), 2), np.nan)
    at, true_at = ([schema.index(name) for name in names] for schema in (predicted.schema, truth.schema))
    away = predicted.xy[rows][:, at] - own.xy[true_rows][:, true_at]
    with np.errstate(divide="ignore", invalid="ignore"):
        found[:, at] = away / spread[rows][:, at][..., None]
    found = np.where(np.isfinite(found).all(-1, keepdims=True), found, np.nan)
    if int((np.isfinite(found[..., 0]).sum(1) > 1).sum()) < FEWEST_PICTURES:
        raise LeadError(
            f"The predictions and the labels have {len(pairs)} pictures in common. To learn how errors go together "
            f"takes {FEWEST_PICTURES} at least, each with two landmarks."
        )
    return np.asarray(found[np.isfinite(found).any((1, 2))])


def enlargement(residuals: FloatArray) -> float:
    """What radii that hold too few or too many of the true places are to be multiplied with to hold nine of ten.

    It is the 90 % quantile with the correction of split conformal prediction for so few landmarks.

    Args:
        residuals: see :func:`correlation`.
    """
    away = np.linalg.norm(residuals, axis=-1) * PER_90  # in 90 % radii
    away = away[np.isfinite(away)]
    return min(holding(away, np.arange(len(away))), float(away.max()))


def variance(slopes: FloatArray, spread: FloatArray, together: npt.NDArray[Any] | None = None) -> FloatArray:
    """(N,) variances of values that depend on landmarks, to first order.

    Args:
        slopes: (N, K, 2) by how much each value changes with each coordinate.
        spread: (N, K) standard deviations of the landmarks along each axis; NaN where unknown, which matters only where
            the value depends on it.
        together: (K, K) see :func:`correlation`; None if the landmarks of one picture are independent.
    """
    matters = (slopes != 0).any(-1)
    arrows = slopes * np.where(matters, spread, 0)[..., None]  # (N, K, 2)
    if together is None:
        return np.asarray((arrows**2).sum((1, 2)))
    complex_ = arrows[..., 0] + 1j * arrows[..., 1]
    found = np.einsum("nk,kl,nl->n", complex_.conj(), together, complex_, optimize=True).real
    return np.asarray(np.maximum(found, 0))
