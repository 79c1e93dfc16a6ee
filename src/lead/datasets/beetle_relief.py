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
_COLOUR, _SLOPE, _GLOSS, _COVER, _SOLID = slice(0, 3), slice(3, 5), 5, 6, 7
_CHANNELS = 8
_Window = tuple[slice, slice]


@dataclass(frozen=True)
class Frame:
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

    def child(self, u: float, v: float, turn: float = 0.0) -> Frame:
        """A frame with its origin at a local point, turned clockwise by ``turn`` against this one."""
        return Frame(self.at(u, v), self.angle + turn, self.scale)

    def local(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Local (u, v) of canvas points; ``x`` (w,) and ``y`` (h, 1) broadcast to (h, w)."""
        c, s = cos(self.angle) / self.scale, sin(self.angle) / self.scale
        dx, dy = x - np.float32(self.origin[0]), y - np.float32(self.origin[1])
        u: Array = np.float32(c) * dx + np.float32(s) * dy
        v: Array = np.float32(c) * dy - np.float32(s) * dx
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
        inverse = np.where(behind, np.float32(1 / self.back), np.float32(1 / self.front))
        power = np.where(behind, np.float32(self.back_power), np.float32(self.front_power))
        q = np.abs(v) * inverse + np.float32(1e-6)
        qm = q**power
        across = u * np.float32(1 / self.half_width)
        level: Array = 1 - across * across - qm
        slope_u, slope_v = across * np.float32(2 / self.half_width), power * inverse * qm / q
        return level, level / np.sqrt(slope_u * slope_u + slope_v * slope_v + np.float32(1e-3))


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
    return (fine[0::2, 0::2] + fine[1::2, 0::2] + fine[0::2, 1::2] + fine[1::2, 1::2]) * np.float32(0.25)


class Relief:
    """A transparent canvas for a picture of ``size`` × ``size`` pixels."""

    def __init__(self, size: int) -> None:
        self.fine = size * SUPERSAMPLE
        self._canvas = np.zeros((self.fine, self.fine, _CHANNELS), np.float32)

    def _window(self, points: list[Point], margin: float) -> _Window | None:
        x, y = zip(*points, strict=True)
        x0, x1 = max(0, int(min(x) - margin)), min(self.fine, int(max(x) + margin) + 2)
        y0, y1 = max(0, int(min(y) - margin)), min(self.fine, int(max(y) + margin) + 2)
        return (slice(y0, y1), slice(x0, x1)) if x0 < x1 and y0 < y1 else None

    @staticmethod
    def _pixels(window: _Window) -> tuple[Array, Array]:
        rows, columns = window
        return (
            np.arange(columns.start, columns.stop, dtype=np.float32),
            np.arange(rows.start, rows.stop, dtype=np.float32)[:, None],
        )

    def _blend(self, window: _Window, cover: Array, colour: Array | Colour, slope: Array, extra: Point) -> None:
        layer = np.empty((*cover.shape, _CHANNELS), np.float32)
        layer[..., _COLOUR] = colour
        layer[..., _SLOPE] = slope
        layer[..., _GLOSS], layer[..., _COVER], layer[..., _SOLID] = extra[0], 1.0, extra[1]
        under = self._canvas[window]
        under += cover[..., None] * (layer - under)

    def rod(self, a: Point, b: Point, radii: Point, colour: Colour, *, gloss: float = 0.3, solid: bool = False) -> None:
        """A tapering round rod with round ends from ``a`` to ``b`` (canvas pixels), ``radii`` at the two."""
        window = self._window([a, b], max(radii) + 1)
        if window is None:
            return
        x, y = self._pixels(window)
        dx, dy = b[0] - a[0], b[1] - a[1]
        from_x, from_y = x - np.float32(a[0]), y - np.float32(a[1])
        along = np.clip((from_x * dx + from_y * dy) / np.float32(max(dx * dx + dy * dy, 1e-9)), 0, 1)
        off_x, off_y = from_x - along * np.float32(dx), from_y - along * np.float32(dy)
        radius = radii[0] + along * np.float32(radii[1] - radii[0])
        cover = np.clip(radius - np.sqrt(off_x * off_x + off_y * off_y) + np.float32(0.5), 0, 1)
        slope = np.stack([off_x, off_y], -1) * (np.float32(0.92) / radius)[..., None]
        self._blend(window, cover, colour, slope, (gloss, float(solid)))

    def egg(
        self,
        frame: Frame,
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
        corners = [frame.at(-w, -f), frame.at(w, -f), frame.at(-w, b), frame.at(w, b)]
        window = self._window(corners, 2 + contact * frame.scale)
        if window is None:
            return
        u, v = frame.local(*self._pixels(window))
        level, inside = egg.evaluate(u, v)
        shade = smoothstep(1 + inside * np.float32(1 / contact))
        if side:
            inside = np.minimum(inside, u * np.float32(side))
            shade *= u * np.float32(side) > 0
        cover = np.clip(inside * np.float32(frame.scale) + np.float32(0.5), 0, 1)
        self._canvas[window][..., _COLOUR] *= (1 - np.float32(0.55) * shade)[..., None]
        height = np.float32(dome) * np.sqrt(np.maximum(level, np.float32(0.002)))
        colour: Array | Colour
        if callable(skin):
            colour, bump = skin(u, v)
            height = height + bump
        else:
            colour = skin
        slope = _slope(height * np.float32(frame.scale))
        if sheen is not None:
            colour = mix(colour, sheen, np.clip(slope[..., 0] ** 2 + slope[..., 1] ** 2, 0, 1))
        self._blend(window, cover, colour, slope, (gloss, 1.0))

    def painted_at(self, points: npt.NDArray[np.float64], *, solid: bool = False) -> npt.NDArray[np.bool_]:
        """Whether paint covers canvas points (K, 2); with ``solid`` only the paint of eggs counts, not of rods."""
        x, y = np.clip(np.rint(points), 0, self.fine - 1).astype(np.int64).T
        painted: npt.NDArray[np.bool_] = self._canvas[y, x, _SOLID if solid else _COVER] > 0.5
        return painted

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
            colour[small] = halve(_shine(part, light) * part[..., _COVER, None])
        return colour, cover


def _slope(height: Array) -> Array:
    """(h, w) heights -> (h, w, 2): the x and y parts of the surface's unit normal."""
    padded = np.pad(height, 1, mode="edge")
    dx, dy = (padded[1:-1, :-2] - padded[1:-1, 2:]) / 2, (padded[:-2, 1:-1] - padded[2:, 1:-1]) / 2
    normal: Array = np.stack([dx, dy], -1) / np.sqrt(1 + dx * dx + dy * dy)[..., None]
    return normal


def _shine(part: Array, light: Light) -> Array:
    """Lambert's diffuse light, a sky from above, and two highlights of the lamp: one broad, one sharp."""
    nx, ny = part[..., 3], part[..., 4]
    nz = np.sqrt(np.maximum(1 - nx * nx - ny * ny, 0))
    lx, ly, lz = light.direction
    half = hypot(lx, ly, lz + 1)
    gloss = part[..., _GLOSS]
    diffuse = np.maximum(nx * np.float32(lx) + ny * np.float32(ly) + nz * np.float32(lz), 0)
    facing = np.maximum((nx * np.float32(lx) + ny * np.float32(ly) + nz * np.float32(lz + 1)) / np.float32(half), 0)
    broad = facing**8
    sharp = (broad**8) * gloss * gloss * np.float32(0.85)
    lamp, sky = np.asarray(light.lamp, np.float32), np.asarray(light.sky, np.float32)
    incoming = diffuse[..., None] * lamp + (np.float32(0.35) + np.float32(0.65) * nz)[..., None] * sky
    metal = 1 + (broad * gloss * np.float32(1.1))[..., None]
    veil = (broad * gloss * np.float32(0.07) + sharp)[..., None]
    shone: Array = part[..., _COLOUR] * incoming * metal + veil * lamp
    return shone
