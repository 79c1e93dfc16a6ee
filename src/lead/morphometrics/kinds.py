"""Kinds of measures: each from the places of a few points to a value, and to how the value changes with them.

All work on M points of N specimens at once, (N, M, 2), x to the right and y down, in any unit of length. All return the
(N,) values and their (N, M, 2) slopes: by how much a value changes with each coordinate. Where a value has no slope, as
at a distance of zero, these are NaN; where there is no value, as of the direction to the same place, that is NaN, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
Measured = tuple[FloatArray, FloatArray]
"""(N,) values and (N, M, 2) slopes."""


def distance(points: FloatArray) -> Measured:
    """Of two points; along a path of several, the sum."""
    steps = np.diff(points, axis=1)  # (N, M - 1, 2)
    lengths = np.linalg.norm(steps, axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        directions = steps / lengths[..., None]
    slopes = np.zeros_like(points)
    slopes[:, 1:] += directions
    slopes[:, :-1] -= directions
    return lengths.sum(1), slopes


def area(points: FloatArray) -> Measured:
    """Within the outline through the points, in their order and back to the first (the shoelace formula)."""
    before, after = np.roll(points, 1, axis=1), np.roll(points, -1, axis=1)
    signed = ((points[..., 0] * after[..., 1]) - (after[..., 0] * points[..., 1])).sum(1) / 2
    slopes = np.stack([after[..., 1] - before[..., 1], before[..., 0] - after[..., 0]], axis=-1) / 2
    sense = np.where(signed < 0, -1.0, 1.0)
    return signed * sense, slopes * sense[:, None, None]


def axis(points: FloatArray) -> Measured:
    """Degrees from the picture's x axis to the direction from the first point to the second, counter-clockwise as seen.

    From −180 to 180.
    """
    x, y = np.moveaxis(points[:, 1] - points[:, 0], -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        by_step = np.stack([y, -x], axis=-1) / (x**2 + y**2)[:, None]
    slopes = np.stack([-by_step, by_step], axis=1)
    nowhere = (x == 0) & (y == 0)
    return np.where(nowhere, np.nan, np.degrees(np.arctan2(-y, x))), np.degrees(slopes)


def angle(points: FloatArray) -> Measured:
    """Degrees, from 0 to 180: at the second of three points; of four, between the lines from 1 to 2 and from 3 to 4."""
    if points.shape[1] == 3:
        value, slopes = angle(points[:, [1, 0, 1, 2]])
        return value, np.stack([slopes[:, 1], slopes[:, 0] + slopes[:, 2], slopes[:, 3]], axis=1)
    (one, slopes_one), (other, slopes_other) = axis(points[:, :2]), axis(points[:, 2:])
    turned = (other - one + 180) % 360 - 180
    sense = np.where(turned < 0, -1.0, 1.0)
    return turned * sense, np.concatenate([-slopes_one, slopes_other], axis=1) * sense[:, None, None]


def from_line(points: FloatArray) -> Measured:
    """The distance of the first point from the straight line, however long, through the second and the third."""
    twice, slopes = area(points)
    twice, slopes = 2 * twice, 2 * slopes
    length, by_ends = distance(points[:, 1:])
    with np.errstate(invalid="ignore", divide="ignore"):
        value = twice / length
        slopes = slopes / length[:, None, None]
        slopes[:, 1:] -= by_ends * (value / length)[:, None, None]
    return value, slopes


def crosses_itself(points: FloatArray) -> npt.NDArray[np.bool_]:
    """(N,) whether the outline through the points crosses itself: then its area is of no use."""
    count = points.shape[1]
    starts, ends = points, np.roll(points, -1, axis=1)
    found = np.zeros(len(points), dtype=bool)
    for i in range(count):
        for j in range(i + 2, count - (i == 0)):  # sides that share no corner
            a, b, c, d = starts[:, i], ends[:, i], starts[:, j], ends[:, j]
            found |= (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return found


def _side(a: FloatArray, b: FloatArray, c: FloatArray) -> FloatArray:
    """(N,) on which side of the line from a to b c lies."""
    step, other = b - a, c - a
    return np.asarray(np.sign(step[:, 0] * other[:, 1] - step[:, 1] * other[:, 0]))


@dataclass(frozen=True)
class Kind:
    """What a measure may be.

    Attributes:
        compute: see the module.
        power: of length that the value is in: 0 for an angle, 1 for a distance, 2 for an area.
        least, most: how many points it takes; ``most`` is None if there is no limit.
        says: how it is written, for messages.
        limits: between which values lie.
    """

    compute: Callable[[FloatArray], Measured]
    power: int
    least: int
    most: int | None
    says: str
    limits: tuple[float, float] = (0.0, np.inf)


KINDS = {
    "distance": Kind(distance, 1, 2, 2, "[from, to]"),
    "path": Kind(distance, 1, 3, None, "[from, by, …, to]"),
    "angle": Kind(angle, 0, 3, 4, "[end, corner, end], or [from, to, from, to] of two lines", (0.0, 180.0)),
    "axis": Kind(axis, 0, 2, 2, "[from, to]", (-np.inf, np.inf)),
    "area": Kind(area, 2, 3, None, "[corner, corner, corner, …]"),
    "from_line": Kind(from_line, 1, 3, 3, "[point, from, to]"),
}
RATIO = "ratio"
"""The one kind that is made of measures: the first over the second."""
