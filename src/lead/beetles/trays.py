"""Several drawn beetles in one picture, with the exact truth of each: a test bed for finding specimens.

Ground, litter, light and camera are those of :mod:`lead.beetles.rendering`. Each beetle is painted on a canvas of its
own size, the finer the smaller it is, and laid at its place, so that a picture of many small ones is soon drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor

import numpy as np
import numpy.typing as npt

from lead.beetles.drawing import ON_LIMBS, paint_beetle
from lead.beetles.ground import cover_up, shadow
from lead.beetles.relief import SUPERSAMPLE, Array, BodyFrame, Light, Point, Relief, halve
from lead.beetles.rendering import BEETLE_HEIGHT, BODY, COVER_HEIGHT, SCHEMA, littered_ground, photograph, random_light
from lead.beetles.scattering import MOST_COVERED, Placed, scatter
from lead.geometry import FloatArray
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE

_LEAST_FINE = 72  # canvas pixels of a body's length, or legs are thinner than what is painted
_COVERED_UP = 0.1  # of all beetles have something lying across them


@dataclass(frozen=True)
class Tray:
    """A picture and the n beetles that it shows, in the order in which they were drawn, the first at the bottom.

    Attributes:
        pixels: (S, S, 3) uint8.
        xy: (n, K, 2) float64, pixels of the picture in the convention of :mod:`lead.geometry`; exact also where a
            landmark is covered or lies beyond the picture.
        visible: (n, K) int8: VISIBLE, HIDDEN where something covers the landmark, be it another beetle, UNLABELLED
            beyond the picture.
        species: (n,) which of the species each is, from 0.
        sizes: (n,) each body's length in pixels, from head to abdomen tip.
        boxes: (n, 4) float64 x, y, width and height in pixels: of each whole beetle, legs and antennae and what others
            cover included, as far as it is in the picture; as :class:`lead.landmarks.Labels` has boxes.
    """

    pixels: npt.NDArray[np.uint8]
    xy: FloatArray
    visible: npt.NDArray[np.int8]
    species: npt.NDArray[np.int64]
    sizes: FloatArray
    boxes: FloatArray


def render_tray(
    index: int,
    *,
    specimens: tuple[int, int],
    seed: int = 0,
    size: int = 128,
    species: Sequence[int] = range(40),
    rotation: float | None = None,
) -> Tray:
    """Tray ``index`` of a seed, ``size`` × ``size`` pixels.

    Where the beetles lie does not depend on ``size``.

    Args:
        index, seed, size: as of :func:`lead.beetles.rendering.render`.
        specimens: the least and the greatest number of beetles.
        species: numbers of the species to choose from.
        rotation: degrees that they are turned by at most, each way; None for any way.
    """
    rng = np.random.default_rng([seed, index, 2])  # 1 says how a single beetle heads
    beetles = scatter(rng, specimens=specimens, species=species, seed=seed, rotation=rotation)
    light = random_light(rng)
    picture = littered_ground(rng, size, light)
    xy = np.zeros((len(beetles), len(SCHEMA.names), 2))
    hidden, boxes = np.zeros(xy.shape[:2], dtype=bool), np.zeros((len(beetles), 4))
    limbs = np.isin(SCHEMA.names, ON_LIMBS)
    for i, beetle in enumerate(beetles):
        patch, xy[i] = paint_placed(beetle, size)
        hidden[i] = limbs & patch.painted_at(xy[i], solid=True)
        hidden[:i] |= patch.painted_at(xy[:i])
        boxes[i] = patch.box(size)
        patch.lay(picture, light, BEETLE_HEIGHT)
    for i in np.flatnonzero(rng.random(len(beetles)) < _COVERED_UP).tolist():
        patch = _cover(rng, tuple(xy[i, rng.integers(xy.shape[1])].tolist()), beetles[i].frame.scale * size)
        if _leaves_enough(patch, beetles, size):
            hidden |= patch.painted_at(xy)
            patch.lay(picture, light, COVER_HEIGHT)
    outside = ((xy < -0.5) | (xy > size - 0.5)).any(-1)
    return Tray(
        photograph(picture, rng),
        xy,
        np.select([outside, hidden], [UNLABELLED, HIDDEN], VISIBLE).astype(np.int8),
        np.array([beetle.number for beetle in beetles], dtype=np.int64),
        np.array([beetle.frame.scale * size for beetle in beetles]),
        boxes,
    )


class Patch:
    """A canvas for something small in a picture.

    Args:
        middle: (x, y) in pixels of the picture.
        reach: how far what is painted may be from there, in pixels.
        length: of the body that it is, or that it lies on, in pixels. The smaller, the finer the canvas.
    """

    def __init__(self, middle: Point, reach: float, length: float) -> None:
        self._side = length / BODY  # of a picture in which the body is as large as that of a beetle alone
        self._finer = 1
        while length * SUPERSAMPLE * self._finer < _LEAST_FINE:
            self._finer *= 2
        reach += 0.2 * self._side  # for the shadow
        self._corner = np.array([floor(middle[0] - reach), floor(middle[1] - reach)])
        self.relief = Relief((2 * ceil(reach) + 1) * self._finer)
        self.scale = SUPERSAMPLE * self._finer
        """Canvas pixels for one of the picture."""

    def to_canvas(self, xy: FloatArray) -> FloatArray:
        """Canvas points of points (..., 2) of the picture."""
        canvas: FloatArray = (xy - self._corner + 0.5) * self.scale - 0.5
        return canvas

    def to_picture(self, xy: FloatArray) -> FloatArray:
        """Points of the picture of canvas points (..., 2)."""
        picture: FloatArray = (xy + 0.5) / self.scale - 0.5 + self._corner
        return picture

    def painted_at(self, xy: FloatArray, *, solid: bool = False) -> npt.NDArray[np.bool_]:
        """Whether paint covers points (..., 2) of the picture, as :meth:`Relief.painted_at` says."""
        points = self.to_canvas(xy).reshape(-1, 2)
        on_canvas = ((points >= 0) & (points <= self.relief.fine - 1)).all(-1)
        return (self.relief.painted_at(points, solid=solid) & on_canvas).reshape(xy.shape[:-1])

    def lit(self, light: Light) -> tuple[Array, Array]:
        """Colour multiplied by cover (h, h, 3), and cover (h, h), in pixels of the picture."""
        colour, cover = self.relief.lit(light)
        for _ in range(self._finer.bit_length() - 1):
            colour, cover = halve(colour), halve(cover)
        return colour, cover

    def box(self, size: int) -> FloatArray:
        """What is painted, as far as it is in a picture of ``size`` × ``size`` pixels: see :attr:`Tray.boxes`."""
        start = -self._corner * self.scale  # of the picture's upper left pixel, on the canvas
        low, high = self.to_picture(self.relief.painted_box(start, start + size * self.scale))
        return np.concatenate([low + 0.5, high - low])

    def lay(self, picture: Array, light: Light, height: float) -> None:
        """Put it with its shadow over a picture (S, S, 3), in place."""
        colour, cover = self.lit(light)
        left = shadow(cover, light, height, self._side)
        (x, y), side, size = self._corner.tolist(), len(cover), len(picture)
        rows, columns = (slice(max(0, -at), max(0, min(side, size - at))) for at in (y, x))
        part = picture[max(0, y) : max(0, y + side), max(0, x) : max(0, x + side)]
        part *= (left * (1 - cover))[rows, columns, None]
        part += colour[rows, columns]


def paint_placed(beetle: Placed, size: int) -> tuple[Patch, FloatArray]:
    """A beetle on a canvas of its own, and its landmarks (K, 2) in pixels of a picture of ``size`` × ``size``."""
    body, frame = beetle.individual.body, beetle.frame
    middle, length = np.array(frame.origin) * size - 0.5, frame.scale * size
    reach = 0.5 + max(body.antenna_length, body.leg_length)
    patch = Patch((middle[0], middle[1]), reach * length, length)
    x, y = patch.to_canvas(middle).tolist()
    points = paint_beetle(
        patch.relief, beetle.individual, beetle.pose, BodyFrame((x, y), frame.angle, length * patch.scale)
    )
    return patch, patch.to_picture(np.array([points[name] for name in SCHEMA.names]))


def _cover(rng: np.random.Generator, target: Point, length: float) -> Patch:
    """Something that lies across a point of the picture, on a body of a length in pixels."""
    patch = Patch(target, 0.8 * length / BODY, length)
    x, y = patch.to_canvas(np.array(target)).tolist()
    cover_up(rng, patch.relief, (x, y), length / BODY * patch.scale)
    return patch


def _leaves_enough(patch: Patch, beetles: list[Placed], size: int) -> bool:
    """Whether under what is painted, and under one another, as much of every beetle is seen as may be covered."""
    return all(
        beetle.seen_without(beetle.met | patch.painted_at(beetle.body * size - 0.5)) >= MOST_COVERED
        for beetle in beetles
    )
