"""Semilandmarks slide along their curves, for where along a curve one was put says nothing of the shape.

Each moves along the tangent there, which is taken to be parallel to the line from the point before it to the point
after it, until the specimen is as like the mean as it can be: by the bending energy of the thin-plate spline from the
mean to it (Bookstein 1997, Medical Image Analysis 1, 225-243; Gunz and Mitteroecker 2013, Hystrix 24, 103-109), or by
the squared distances (Procrustes). Then all are superimposed, and it begins again with the new mean and tangents.

This is how geomorph's ``gpagen`` does it, the rule for when to stop included: slid often, points would leave the curve.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt

from lead.morphometrics.procrustes import ComplexArray, FloatArray, as_complex, as_real, centroid_sizes, direction

By = Literal["bending", "procrustes"]
"""What is the least where points have slid to."""
ROUNDS = 9
"""Most times that points slide: geomorph's max.iter of 10 counts the superimposition before them."""
TOLERANCE = 1e-4
"""They slide no more when the squared sum of all shapes changes by less, divided by their number."""


def slid(points: FloatArray, sliders: npt.NDArray[np.int64], by: By) -> FloatArray:
    """(N, K, 2) the same points, semilandmarks slid. The others stay just where they are.

    Args:
        points: (N, K, 2) with no missing ones, in the unit that each specimen has.
        sliders: (S, 3) positions of the point before a semilandmark, of itself, and of the point after it; in no
            specimen do the first and the last lie in one place.
        by: what is to be the least.

    Raises:
        numpy.linalg.LinAlgError: the mean has two points in one place, or all on a line.
    """
    middles, sizes = points.mean(1, keepdims=True), centroid_sizes(points)[:, None, None]
    own = as_complex((points - middles) / sizes)
    turns = direction(own.conj() @ own[0])[:, None]  # by how much each is turned
    shapes = own * turns
    mean: ComplexArray = shapes.mean(0)
    level = _level(shapes)
    for _ in range(ROUNDS):
        shapes = slid_towards(mean, shapes, sliders, by)
        before, level = level, _level(shapes)
        further = direction(shapes.conj() @ mean)[:, None]
        shapes, turns = shapes * further, turns * further
        mean = shapes.mean(0)
        mean = mean / np.linalg.norm(mean - mean.mean())
        if abs(level - before) <= TOLERANCE:
            break
    out = points.copy()
    moved = sliders[:, 1]
    out[:, moved] = (as_real(shapes * turns.conj()) * sizes + middles)[:, moved]
    return out


def _level(shapes: ComplexArray) -> float:
    return float((np.abs(shapes.sum(0)) ** 2).sum() / len(shapes))


def slid_towards(mean: ComplexArray, shapes: ComplexArray, sliders: npt.NDArray[np.int64], by: By) -> ComplexArray:
    """(N, K) shapes with semilandmarks once slid along their tangents, to where they are most like a mean (K,)."""
    before, moved, after = sliders.T
    along = direction(shapes[:, after] - shapes[:, before])  # (N, S)
    away = shapes - mean
    if by == "procrustes":
        steps = (along.conj() * away[:, moved]).real
    else:
        energy = bending(as_real(mean))
        # Of steps t along U the energy is (y + U t)' B (y + U t), least where U' B U t = -U' B y (Bookstein 1997).
        pull = (along.conj() * (away @ energy[:, moved])).real
        stiff = (along.conj()[:, :, None] * energy[np.ix_(moved, moved)] * along[:, None, :]).real
        steps = np.asarray(np.linalg.solve(stiff, pull[..., None])[..., 0], dtype=np.float64)
    out = shapes.copy()
    out[:, moved] -= along * steps
    return out


def bending(mean: FloatArray) -> FloatArray:
    """(K, K) the bending energy matrix of a shape (K, 2): y' B y of (K,) displacements is that of the spline to them.

    Raises:
        numpy.linalg.LinAlgError: two of its points lie in one place, or all on a line.
    """
    squares = ((mean[:, None] - mean) ** 2).sum(-1)
    kernel = squares * np.log(np.where(squares > 0, squares, 1))
    affine = np.column_stack([np.ones(len(mean)), mean])
    whole = np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]])
    if np.linalg.cond(whole) > 1 / np.finfo(float).eps:
        raise np.linalg.LinAlgError("two points lie in one place, or all on a line")
    return np.asarray(np.linalg.inv(whole)[: len(mean), : len(mean)])
