"""Shapes laid over one another: what is left when position, size and direction are taken away.

Points of a plane are complex numbers here, x + iy: turning and scaling is one multiplication. Mirror images are not
laid over one another; a shape is never flipped.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.interpolate import RBFInterpolator

FloatArray = npt.NDArray[np.float64]
ComplexArray = npt.NDArray[np.complex128]

TOLERANCE = 1e-12
"""How far the mean of shapes of size 1 still moves when it is found."""
ROUNDS = 1000
ON_A_LINE = 1e-9
"""Points lie on one line that are so many times as wide as long."""


def centroid_sizes(points: FloatArray) -> FloatArray:
    """(N,) the root of the summed squared distances of (N, K, 2) points from their middle, in their unit."""
    return np.asarray(np.sqrt(((points - points.mean(1, keepdims=True)) ** 2).sum((1, 2))))


def superimposed(points: FloatArray) -> FloatArray:
    """(N, K, 2) shapes of centroid size 1, around (0, 0), turned for the least squared distances from their mean.

    This is the partial generalised Procrustes superimposition, as geomorph's ``gpagen`` has it. All together lie as the
    specimens did on average.

    Args:
        points: (N, K, 2) with no missing ones, in the unit that each specimen has; none with all in one place.
    """
    shapes = as_complex(points)
    shapes = shapes - shapes.mean(1, keepdims=True)
    shapes = shapes / np.linalg.norm(shapes, axis=1, keepdims=True)
    mean, turned = shapes[0], shapes
    for _ in range(ROUNDS):
        turned = shapes * direction(mean @ shapes.conj().T)[:, None]
        new = turned.mean(0)
        new = new / np.linalg.norm(new)
        moved = np.linalg.norm(new - mean)
        mean = new
        if moved < TOLERANCE:
            break
    back = (shapes.conj() * turned).sum(1)  # by how much each was turned
    return as_real(turned * direction(back.sum().conj()))


def direction(value: ComplexArray) -> ComplexArray:
    """The direction of complex numbers, of size 1; 1 where there is none."""
    size = np.abs(value)
    return np.where(size > 0, value / np.where(size > 0, size, 1), 1)


def as_complex(points: FloatArray) -> ComplexArray:
    """(…, K) complex numbers for (…, K, 2) places."""
    return np.asarray(points[..., 0] + 1j * points[..., 1])


def as_real(points: ComplexArray) -> FloatArray:
    """The way back."""
    return np.stack([points.real, points.imag], axis=-1)


def tangent(shapes: FloatArray, mean: FloatArray) -> FloatArray:
    """(N, 2K) superimposed shapes (N, K, 2), projected at right angles on the plane that touches at their mean (K, 2).

    Shapes of size 1 lie on a sphere, where straight distances are too short; in this plane the usual statistics hold.
    """
    flat, at = shapes.reshape(len(shapes), -1), mean.reshape(-1) / np.linalg.norm(mean)
    return np.asarray(flat - np.outer(flat @ at - 1, at))


def spline(source: FloatArray, target: FloatArray, points: FloatArray) -> FloatArray:
    """(M, 2) where points go as the thin-plate spline goes that carries (K, 2) ``source`` to ``target``.

    Raises:
        numpy.linalg.LinAlgError: the source's points lie on one line, or two in one place.
    """
    spans = np.linalg.svd(source - source.mean(0), compute_uv=False)
    if spans[1] <= ON_A_LINE * spans[0]:
        raise np.linalg.LinAlgError("the points lie on one line")
    return np.asarray(RBFInterpolator(source, target, kernel="thin_plate_spline", degree=1)(points))


def completed(points: FloatArray) -> FloatArray:
    """(N, K, 2) with missing points, NaN, put where a thin-plate spline takes them from the mean of the others.

    Args:
        points: (N, K, 2), at least one specimen without a missing point, at least three known in each.

    Raises:
        numpy.linalg.LinAlgError: the known points of a specimen do not say where the others are: they lie on a line.
    """
    known: npt.NDArray[np.bool_] = np.all(np.isfinite(points), axis=-1)
    whole = known.all(1)
    mean = superimposed(points[whole]).mean(0)
    out = points.copy()
    for row in np.flatnonzero(~whole).tolist():
        there = known[row]
        out[row, ~there] = spline(mean[there], points[row, there], mean[~there])
    return out
