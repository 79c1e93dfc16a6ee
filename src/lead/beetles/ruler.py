"""A ruler beside a drawn beetle, ten millimetres long."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from lead.beetles.relief import SUPERSAMPLE, Array, Light, halve
from lead.geometry import FloatArray

NAMES = ("ruler_0", "ruler_10")
"""Its landmarks: the first and the last line, where they meet the edge."""
MILLIMETRES = 10.0
"""Between the two."""

_LENGTHS = 0.5, 0.72
"""From the one line to the other, as a share of the picture."""
_WIDTH, _ENDS = 0.085, 0.04
"""Of the strip, and what it goes on beyond both lines, as shares of the picture."""
_TILT = 6.0
"""Degrees that it lies aslant, each way."""
_STRIP, _INK, _FIRST = (0.93, 0.9, 0.78), (0.08, 0.08, 0.1), (0.75, 0.1, 0.08)


class Ruler:
    """Where a ruler lies: along one side of the picture, its lines towards the middle.

    Args:
        random: draws its length, side and place.
        size: S, of the picture in pixels.

    Attributes:
        marks: (2, 2) pixels of the landmarks, exact.
    """

    def __init__(self, random: np.random.Generator, size: int) -> None:
        self.size = size
        length = size * random.uniform(*_LENGTHS)
        angle = radians(90 * int(random.integers(4)) + random.uniform(-_TILT, _TILT))
        self._along = np.array([cos(angle), sin(angle)])
        self._inward = np.array([-sin(angle), cos(angle)])  # y down: clockwise from along
        aside = size * random.uniform(-0.08, 0.08)
        edge = size / 2 - size * (_WIDTH + 0.02) - length * sin(radians(_TILT)) / 2
        middle = np.full(2, size / 2 - 0.5) - edge * self._inward + aside * self._along
        self.marks: FloatArray = middle + np.outer([-0.5, 0.5], length * self._along)

    @property
    def scale(self) -> float:
        """Millimetres a pixel."""
        return MILLIMETRES / float(np.linalg.norm(self.marks[1] - self.marks[0]))

    def covers(self, xy: FloatArray) -> npt.NDArray[np.bool_]:
        """(n,) which pixels (n, 2) of the picture lie under it."""
        away = xy - self.marks[0]
        along, inward = away @ self._along, away @ self._inward
        length, ends = MILLIMETRES / self.scale, _ENDS * self.size
        inside: npt.NDArray[np.bool_] = (
            (along >= -ends) & (along <= length + ends) & (inward <= 0) & (inward >= -_WIDTH * self.size)
        )
        return inside

    def lay(self, picture: Array, light: Light) -> None:
        """Draws it over a picture (S, S, 3), in place."""
        fine = self.size * SUPERSAMPLE
        canvas, cover = Image.new("RGB", (fine, fine)), Image.new("L", (fine, fine))
        pen = ImageDraw.Draw(canvas)
        width, ends = _WIDTH * self.size, _ENDS * self.size
        length = MILLIMETRES / self.scale
        outline = [(-ends, 0.0), (length + ends, 0.0), (length + ends, -width), (-ends, -width)]
        for drawing, colour in ((pen, _eight_bit(_STRIP)), (ImageDraw.Draw(cover), 255)):
            drawing.polygon(self._fine(outline), fill=colour)
        thick = max(round(0.008 * fine), 1)
        for tick in range(int(MILLIMETRES) + 1):
            at, deep = tick * length / MILLIMETRES, width * (0.62 if tick % 5 == 0 else 0.35)
            colour = _eight_bit(_FIRST if tick == 0 else _INK)
            pen.line(self._fine([(at, 0.0), (at, -deep)]), fill=colour, width=thick * (2 if tick % 10 == 0 else 1))
        # Which end is which shows from near by, too: a bar beside the first line, and a square beside the last.
        side = 0.3 * width
        pen.polygon(
            self._fine([(-ends, -width), (0, -width), (0, -width + side), (-ends, -width + side)]), _eight_bit(_FIRST)
        )
        last = [(length - side / 2, -width), (length + side / 2, -width)]
        pen.polygon(self._fine([*last, *((x, -width + side) for x, _ in reversed(last))]), _eight_bit(_INK))
        share = halve(np.asarray(cover, np.float32) / 255)[..., None]
        shining = np.array(light.lamp) * light.direction[2] + np.array(light.sky)
        picture *= 1 - share
        picture += share * halve(np.asarray(canvas, np.float32) / 255) * shining.astype(np.float32)

    def _fine(self, places: list[tuple[float, float]]) -> list[tuple[float, float]]:
        """Pixels of the canvas from places along and inward, in pixels of the picture."""
        xy = self.marks[0] + np.array(places) @ np.stack([self._along, self._inward])
        return [tuple(point) for point in ((xy + 0.5) * SUPERSAMPLE - 0.5).tolist()]


def _eight_bit(colour: tuple[float, float, float]) -> tuple[int, ...]:
    return tuple(round(255 * value) for value in colour)
