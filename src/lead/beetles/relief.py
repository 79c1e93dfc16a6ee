"""A small painter of lit reliefs: shapes leave colour, surface slope and gloss behind, and a light shines on them.

Everything is painted ``SUPERSAMPLE`` times finer than the picture, in the pixel convention of :mod:`lead.geometry`
for that finer canvas. Shapes are cut analytically (no rasteriser rounds a coordinate), so a landmark lies exactly
where its frame puts it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, hypot, sin
from typing import Any

import numpy as np
import numpy.typing as npt

SUPERSAMPLE = 2

Array = npt.NDArray[np.floating[Any]]
Colour = tuple[float, float, float]
"""Red, green, blue in 0..1."""
Point = tuple[float, float]
Skin = Callable[[Array, Array], tuple[Array, Array]]
"""Local (u, v), each (h, w) -> colour (h, w, 3) and height above the plain shape (h, w), in local units."""

# Channels of the canvas.
_COLOUR, _SLOPE_X, _SLOPE_Y, _GLOSS, _COVER, _SOLID = slice(0, 3), 3, 4, 5, 6, 7
_CHANNELS = 8
_Window = tuple[slice, slice]


@dataclass(frozen=True)
class BodyFrame:
    """Local coordinates (u to the right, v down) laid on the canvas.

    Attributes:
        origin: (x, y) of the local origin, in canvas pixels.
        angle: clockwise turn as seen, in radians.
        scale: canvas pixels for one local unit.
    """

    origin: Point
    angle: float
    scale: float

    def at(self, u: float, v: float) -> Point:
        """Canvas (x, y) of a local point."""
        c, s = cos(self.angle), sin(self.angle)
        return self.origin[0] + self.scale * (c * u - s * v), self.origin[1] + self.scale * (s * u + c * v)

    def child(self, u: float, v: float, turn: float = 0.0) -> BodyFrame:
        """A frame with its origin at a local point, turned clockwise by ``turn`` against this one."""
        return BodyFrame(self.at(u, v), self.angle + turn, self.scale)

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Local (u, v) of canvas points; ``x`` (w,) and ``y`` (h, 1) broadcast to (h, w)."""
        c, s = cos(self.angle) / self.scale, sin(self.angle) / self.scale
        dx, dy = x - self.origin[0], y - self.origin[1]
        u: Array = c * dx + s * dy
        v: Array = c * dy - s * dx
        return u, v


@dataclass(frozen=True)
class Egg:
    """Two half super-ellipses joined along their widest line, which lies on v = 0.

    The outline is ``(u / half_width)**2 + (|v| / length)**power = 1`` with the front's length and power for v < 0 and
    the back's for v > 0. A power of 2 is an ellipse, more is squarer, less is more pointed.
    """

    half_width: float
    front: float
    back: float
    front_power: float = 2.0
    back_power: float = 2.0

    def evaluate(self, u: Array, v: Array) -> tuple[Array, Array]:
        """1 at the centre falling to 0 on the outline, and the signed distance to the outline (inside positive)."""
        behind = v > 0
        inverse = np.where(behind, (1 / self.back), (1 / self.front))
        power = np.where(behind, self.back_power, self.front_power)
        q = np.abs(v) * inverse + (1e-6)
        qm = q**power
        across = u * (1 / self.half_width)
        level: Array = 1 - across * across - qm
        slope_u, slope_v = across * (2 / self.half_width), power * inverse * qm / q
        return level, level / np.sqrt(slope_u * slope_u + slope_v * slope_v + (1e-3))


@dataclass(frozen=True)
class Light:
    """A lamp and the sky.

    Attributes:
        direction: unit vector (x, y, z) towards the lamp; z towards the viewer.
        lamp, sky: their colours.
    """

    direction: tuple[float, float, float]
    lamp: Colour
    sky: Colour


def smoothstep(x: Array) -> Array:
    """0 below 0, 1 above 1, a soft ramp between."""
    t = np.clip(x, 0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Array | Colour, b: Array | Colour, share: Array) -> Array:
    """Colours blended: ``a`` where share (h, w) is 0, ``b`` where it is 1. Returns (h, w, 3)."""
    low = np.asarray(a, np.float32)
    return low + share[..., None] * (np.asarray(b, np.float32) - low)


def halve(fine: Array) -> Array:
    """(2h, 2w, ...) -> (h, w, ...): the mean of each 2 × 2 block."""
    return (fine[0::2, 0::2] + fine[1::2, 0::2] + fine[0::2, 1::2] + fine[1::2, 1::2]) * 0.25


class Relief:
    """A transparent canvas for a picture of ``size`` × ``size`` pixels."""

    def __init__(self, size: int) -> None:
        self.fine = size * SUPERSAMPLE
        self._axis = np.arange(self.fine, dtype=np.float32)
        self._canvas = np.zeros((self.fine, self.fine, _CHANNELS), np.float32)

    def _window(self, points: tuple[Point, ...], margin: float) -> _Window | None:
        """The part of the canvas that some points and a margin about them need, or None where there is none."""
        x, y = zip(*points, strict=True)
        x0, x1 = max(0, int(min(x) - margin)), min(self.fine, int(max(x) + margin) + 2)
        y0, y1 = max(0, int(min(y) - margin)), min(self.fine, int(max(y) + margin) + 2)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    def _blend(
        self,
        window: _Window,
        cover: Array,
        colour: Array | Colour,
        slope: tuple[Array, Array],
        gloss: float,
        *,
        solid: bool,
    ) -> None:
        # Blending into a bare canvas leaves every channel multiplied by its cover; `lit` divides it out again.
        under = self._canvas[window]
        change = np.array([0, 0, 0, 0, 0, gloss, 1, solid], np.float32) - under
        change[..., _COLOUR] += colour
        change[..., _SLOPE_X] += slope[0]
        change[..., _SLOPE_Y] += slope[1]
        change *= cover[..., None]
        under += change

    def rod(self, a: Point, b: Point, radii: Point, colour: Colour, *, gloss: float = 0.3) -> None:
        """A tapering round rod with round ends from ``a`` to ``b`` (canvas pixels), ``radii`` at the two."""
        window = self._window((a, b), max(radii) + 1)
        if window is None:
            return
        rows, columns = window
        dx, dy = b[0] - a[0], b[1] - a[1]
        from_x, from_y = self._axis[columns] - a[0], self._axis[rows, None] - a[1]
        along = (from_x * dx + from_y * dy) * (1 / max(dx * dx + dy * dy, 1e-9))
        along = np.minimum(np.maximum(along, 0), 1)
        off_x, off_y = from_x - along * dx, from_y - along * dy
        radius = radii[0] + along * (radii[1] - radii[0])
        inside = radius - np.sqrt(off_x * off_x + off_y * off_y)
        cover = np.minimum(np.maximum(inside + 0.5, 0), 1)
        steep = 0.92 / radius
        self._blend(window, cover, colour, (off_x * steep, off_y * steep), gloss, solid=False)

    def egg(
        self,
        frame: BodyFrame,
        egg: Egg,
        skin: Skin | Colour,
        *,
        dome: float,
        gloss: float = 0.3,
        sheen: Colour | None = None,
        side: int = 0,
        contact: float = 0.025,
    ) -> None:
        """A domed egg.

        Args:
            frame: its centre, the middle of its widest line, is the frame's origin.
            egg: the outline, in local units.
            skin: one colour, or a function of local coordinates.
            dome: height of the middle above the rim, in local units.
            gloss: 0 is matt, 1 mirrors the lamp.
            sheen: colour seen at a grazing angle, for metallic skins.
            side: -1 keeps the half with u < 0, +1 that with u > 0, 0 both.
            contact: reach of the dark line where the egg rests on what lies beneath, in local units.
        """
        w, f, b = egg.half_width, egg.front, egg.back
        left, right = (-w if side <= 0 else 0.0), (w if side >= 0 else 0.0)
        corners = (frame.at(left, -f), frame.at(right, -f), frame.at(left, b), frame.at(right, b))
        window = self._window(corners, 2 + contact * frame.scale)
        if window is None:
            return
        u, v = frame.local(self._axis[window[1]], self._axis[window[0], None])
        level, inside = egg.evaluate(u, v)
        shade = smoothstep(1 + inside * (1 / contact))
        if side:
            inside = np.minimum(inside, u * side)
            shade *= u * side > 0
        cover = np.clip(inside * frame.scale + 0.5, 0, 1)
        self._canvas[window][..., _COLOUR] *= (1 - 0.55 * shade)[..., None]
        height = dome * np.sqrt(np.maximum(level, 0.002))
        colour: Array | Colour
        if callable(skin):
            colour, bump = skin(u, v)
            height = height + bump
        else:
            colour = skin
        slope = _slope(height * frame.scale)
        if sheen is not None:
            colour = mix(colour, sheen, slope[0] ** 2 + slope[1] ** 2)
        self._blend(window, cover, colour, slope, gloss, solid=True)

    def painted_at(self, points: npt.NDArray[np.float64], *, solid: bool = False) -> npt.NDArray[np.bool_]:
        """Whether paint covers canvas points (K, 2); with ``solid`` only the paint of eggs counts, not of rods."""
        x, y = np.clip(np.rint(points), 0, self.fine - 1).astype(np.int64).T
        painted: npt.NDArray[np.bool_] = self._canvas[y, x, _SOLID if solid else _COVER] > 0.5
        return painted

    def painted_box(self, low: npt.NDArray[np.int64], high: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """The corners of all paint in a part of the canvas.

        Args:
            low, high: (x, y) of the part's first pixel, and of the first beyond it.

        Returns:
            (2, 2) x, y of the upper left and the lower right corner, in canvas pixels; of no paint all of them are 0.
        """
        low, high = low.clip(0, self.fine), high.clip(0, self.fine)
        y, x = (self._canvas[low[1] : high[1], low[0] : high[0], _COVER] > 0.5).nonzero()
        if not x.size:
            return np.zeros((2, 2))
        corners: npt.NDArray[np.float64] = low + np.array([(x.min(), y.min()), (x.max() + 1, y.max() + 1)]) - 0.5
        return corners

    def lit(self, light: Light) -> tuple[Array, Array]:
        """The picture under a light: colour multiplied by cover (S, S, 3), and cover (S, S)."""
        size = self.fine // SUPERSAMPLE
        colour: Array = np.zeros((size, size, 3), np.float32)
        cover = halve(self._canvas[..., _COVER])
        rows, columns = np.flatnonzero(cover.any(1)), np.flatnonzero(cover.any(0))
        if rows.size:
            small = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
            big = tuple(slice(s.start * SUPERSAMPLE, s.stop * SUPERSAMPLE) for s in small)
            part = self._canvas[big]
            painted = part[..., _COVER] > 0.01
            pixels = part[painted]  # (P, 8): most of the canvas is bare, so light only what is not
            opacity = pixels[:, _COVER, None]
            shone = np.zeros((*painted.shape, 3), np.float32)
            shone[painted] = _shine(pixels / opacity, light) * opacity
            colour[small] = halve(shone)
        return colour, cover


def _slope(height: Array) -> tuple[Array, Array]:
    """(h, w) heights -> the x and the y part of the surface's unit normal, each (h, w)."""
    dx, dy = np.zeros_like(height), np.zeros_like(height)
    dx[:, 1:-1] = (height[:, :-2] - height[:, 2:]) / 2
    dy[1:-1] = (height[:-2] - height[2:]) / 2
    norm = np.sqrt(1 + dx * dx + dy * dy)
    return dx / norm, dy / norm


def _shine(pixels: Array, light: Light) -> Array:
    """Lambert's diffuse light, a sky from above, and two highlights of the lamp: one broad, one sharp.

    ``pixels`` is (P, 8) of the canvas; returns colours (P, 3).
    """
    nx, ny, gloss = pixels[:, _SLOPE_X], pixels[:, _SLOPE_Y], pixels[:, _GLOSS]
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))
    lx, ly, lz = light.direction
    half = hypot(lx, ly, lz + 1)
    diffuse = np.maximum(nx * lx + ny * ly + nz * lz, 0)
    facing = np.maximum(nx * lx + ny * ly + nz * (lz + 1), 0) / half
    broad = np.square(np.square(np.square(facing)))
    sharp = 0.85 * np.square(np.square(np.square(broad))) * gloss * gloss
    lamp, sky = np.asarray(light.lamp, np.float32), np.asarray(light.sky, np.float32)
    incoming = diffuse[:, None] * lamp + (0.35 + 0.65 * nz)[:, None] * sky
    metal = 1 + (1.1 * broad * gloss)[:, None]
    veil = (0.07 * broad * gloss + sharp)[:, None]
    shone: Array = pixels[:, _COLOUR] * incoming * metal + veil * lamp
    return shone
