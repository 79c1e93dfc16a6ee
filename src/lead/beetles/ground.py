"""What a beetle walks on, what lies about, and what may lie over it."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, sin

import numpy as np
from PIL import Image, ImageFilter

from lead.beetles.relief import Array, BodyFrame, Colour, Egg, Light, Point, Relief, mix, smoothstep

Rng = np.random.Generator


def ground(rng: Rng, size: int) -> Array:
    """A background (size, size, 3), roughly within 0..1; the light's colour is not yet on it."""
    paint = _GROUNDS[int(rng.integers(len(_GROUNDS)))]
    angle = rng.uniform(-pi, pi)
    axis = ((np.arange(size, dtype=np.float32) + 0.5) / size) * 2 - 1
    x, y = axis, axis[:, None]
    u, v = cos(angle) * x + sin(angle) * y, cos(angle) * y - sin(angle) * x
    falloff = 1 + rng.uniform(-0.22, 0.22) * u
    picture: Array = paint(rng, u.astype(np.float32), v.astype(np.float32)) * falloff[..., None]
    return picture


def shadow(cover: Array, light: Light, height: float, side: float | None = None) -> Array:
    """How much of the light is left (h, w) where something with ``cover`` (h, w) stands: 1 all, 0 none.

    A narrow shade lies right under the thing, a wide soft one away from the lamp. ``height`` is how far up it stands,
    as a share of ``side`` pixels; without a side, of a square picture's own.
    """
    size = side or len(cover)
    x, y, z = light.direction
    image = Image.fromarray((cover * 255).astype(np.uint8))
    reach = height * size / max(z, 0.3)
    moved = image.transform(image.size, Image.Transform.AFFINE, (1, 0, x * reach, 0, 1, y * reach))
    soft = np.asarray(moved.filter(ImageFilter.GaussianBlur(0.35 * reach + 0.006 * size)), np.float32) / 255
    near = np.asarray(image.filter(ImageFilter.GaussianBlur(0.012 * size)), np.float32) / 255
    left: Array = (1 - 0.52 * soft) * (1 - 0.30 * near)
    return left


def litter(rng: Rng, relief: Relief, count: int) -> None:
    """Scatter small things over the whole ground."""
    for _ in range(count):
        at = rng.uniform(0, relief.fine, 2).tolist()
        thing = _THINGS[int(rng.integers(len(_THINGS)))]
        thing(rng, relief, BodyFrame((at[0], at[1]), rng.uniform(-pi, pi), relief.fine * rng.uniform(0.6, 1.2)))


def cover_up(rng: Rng, relief: Relief, target: Point, side: float | None = None) -> None:
    """Lay a leaf, a twig or a blade of grass across a canvas point, as large as in a picture of ``side`` canvas pixels.

    Without a side, that is the whole canvas. All of the thing lies within 0.8 sides of the point.
    """
    thing = (_leaf, _twig, _grass)[int(rng.integers(3))]
    frame = BodyFrame(target, rng.uniform(-pi, pi), (side or relief.fine) * rng.uniform(0.8, 1.3))
    thing(rng, relief, frame.child(rng.normal(0, 0.01), rng.uniform(-0.12, 0.12)))


def _noise(rng: Rng, like: Array, across: int, along: int | None = None) -> Array:
    """Smooth noise of unit variance at its ``across`` × ``along`` grid points, stretched over the picture."""
    grid = rng.standard_normal((along or across, across)).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize(like.shape[::-1], Image.Resampling.BICUBIC))


def _cloudy(rng: Rng, like: Array, cells: int, octaves: int = 4) -> Array:
    total = np.zeros_like(like)
    for octave in range(octaves):
        total = total + _noise(rng, like, cells * 2**octave) * (0.5**octave)
    return total


def _colour(rng: Rng, choices: tuple[Colour, ...]) -> Array:
    return np.asarray(choices[int(rng.integers(len(choices)))]) * rng.normal(1, 0.035, 3)


def _sand(rng: Rng, u: Array, v: Array) -> Array:
    base = _colour(rng, ((0.78, 0.68, 0.52), (0.85, 0.78, 0.66), (0.62, 0.54, 0.44), (0.72, 0.55, 0.40)))
    ripple = rng.uniform(0, 0.05) * np.sin(v * rng.uniform(12, 26) + 1.5 * _noise(rng, u, 4))
    tone = 0.05 * _cloudy(rng, u, 3) + 0.07 * _noise(rng, u, 110) + ripple
    sand: Array = base + tone[..., None]
    return sand


def _soil(rng: Rng, u: Array, v: Array) -> Array:
    dark = _colour(rng, ((0.22, 0.16, 0.11), (0.30, 0.24, 0.18), (0.14, 0.20, 0.10)))
    light = _colour(rng, ((0.46, 0.35, 0.24), (0.42, 0.42, 0.24), (0.40, 0.36, 0.32)))
    crumbs = _cloudy(rng, u, 5, 3) + _noise(rng, u, 40) + 0.7 * _noise(rng, u, 80)
    return mix(dark, light, smoothstep(0.5 + 0.25 * crumbs)) + (0.05 * _noise(rng, v, 120))[..., None]


def _stone(rng: Rng, u: Array, v: Array) -> Array:
    base = _colour(rng, ((0.60, 0.60, 0.60), (0.50, 0.48, 0.45), (0.72, 0.70, 0.66)))
    lichen = smoothstep(_cloudy(rng, v, 3) - 0.9)
    tone = 0.05 * _cloudy(rng, u, 5) + 0.05 * _noise(rng, u, 120)
    return mix(base + tone[..., None], _colour(rng, ((0.72, 0.70, 0.42), (0.62, 0.68, 0.58))), 0.7 * lichen)


def _wood(rng: Rng, u: Array, v: Array) -> Array:
    pale = _colour(rng, ((0.76, 0.58, 0.38), (0.66, 0.48, 0.32), (0.62, 0.57, 0.50)))
    bend = _noise(rng, u, 3, 5) * 0.09 + 0.05 * np.sin(2.5 * v)
    rings = np.sin((u + bend) * (rng.uniform(22, 42)))
    fibre = np.sin((u + bend) * 140 + 2 * _noise(rng, u, 8))
    tone = 0.055 * rings + 0.03 * fibre + 0.02 * _noise(rng, u, 90)
    seam = smoothstep(1 - np.abs(u - rng.uniform(-0.9, 0.9)) * 60)
    planks: Array = (pale + tone[..., None]) * (1 - 0.6 * seam)[..., None]
    return planks


def _foliage(rng: Rng, u: Array, v: Array) -> Array:
    base = _colour(rng, ((0.33, 0.50, 0.17), (0.25, 0.42, 0.16), (0.46, 0.58, 0.25), (0.55, 0.48, 0.18)))
    middle = u - rng.uniform(-0.5, 0.5)
    veins = np.abs(np.sin((v + 0.75 * np.abs(middle)) * (rng.uniform(7, 11))))
    lines = np.maximum(smoothstep(1 - veins * 9) * 0.6, smoothstep(1.3 - np.abs(middle) * 34))
    puffed = 0.07 * veins + 0.03 * _cloudy(rng, u, 8) + 0.02 * _noise(rng, u, 70)
    return mix(base + puffed[..., None], base * 0.6 + np.array([0.30, 0.32, 0.18]), lines)


def _paper(rng: Rng, u: Array, v: Array) -> Array:
    base = _colour(rng, ((0.93, 0.91, 0.86), (0.88, 0.87, 0.85), (0.86, 0.80, 0.68)))
    tone = 0.012 * _cloudy(rng, u, 4) + 0.015 * _noise(rng, u, 100)
    sheet = base + tone[..., None]
    if rng.random() < 0.5:
        ruled = smoothstep(1 - np.abs(np.sin(v * (rng.uniform(8, 14)))) * 14)
        sheet = mix(sheet, (0.45, 0.58, 0.75), 0.5 * ruled)
    return sheet


def _petal(rng: Rng, u: Array, v: Array) -> Array:
    heart = _colour(rng, ((0.95, 0.82, 0.30), (0.90, 0.90, 0.80), (0.80, 0.30, 0.45)))
    rim = _colour(rng, ((0.88, 0.52, 0.62), (0.93, 0.90, 0.92), (0.62, 0.48, 0.78), (0.95, 0.72, 0.25)))
    du, dv = u - rng.uniform(-1, 1), v - 1.3
    rays = 0.035 * np.sin(np.arctan2(du, dv) * 44 + 0.7 * _noise(rng, u, 5))
    petal: Array = (
        mix(heart, rim, smoothstep(np.hypot(du, dv) * 0.55 - 0.15)) + (rays + 0.012 * _noise(rng, u, 80))[..., None]
    )
    return petal


_GROUNDS: tuple[Callable[[Rng, Array, Array], Array], ...] = (
    _sand,
    _soil,
    _stone,
    _wood,
    _foliage,
    _foliage,
    _paper,
    _petal,
)


def _plain(rng: Rng, choices: tuple[Colour, ...]) -> Colour:
    r, g, b = np.clip(_colour(rng, choices), 0, 1).tolist()
    return r, g, b


def _leaf(rng: Rng, relief: Relief, frame: BodyFrame) -> None:
    length, width = rng.uniform(0.14, 0.24), rng.uniform(0.045, 0.08)
    base = _plain(rng, ((0.30, 0.48, 0.15), (0.42, 0.56, 0.22), (0.62, 0.42, 0.16), (0.55, 0.26, 0.12)))
    pitch = rng.uniform(95, 150)

    def skin(u: Array, v: Array) -> tuple[Array, Array]:
        veins = np.abs(np.sin((v + 0.8 * np.abs(u)) * pitch))
        lines = np.maximum(0.5 * smoothstep(1 - 5 * veins), smoothstep(1.4 - np.abs(u) * 220))
        return mix(base, (0.72, 0.74, 0.45), 0.7 * lines), 0.004 * veins - 0.01 * np.exp(-((u / 0.012) ** 2))

    relief.rod(frame.at(0, length), frame.at(0.01, 1.35 * length), _radii(frame, 0.008, 0.006), base)
    egg = Egg(width, length, length, 1.35, 1.6)
    relief.egg(frame, egg, skin, dome=0.25 * width, gloss=0.35, contact=0.01)


def _twig(rng: Rng, relief: Relief, frame: BodyFrame) -> None:
    colour = _plain(rng, ((0.34, 0.24, 0.16), (0.48, 0.38, 0.28), (0.26, 0.20, 0.16)))
    thick, u, v = rng.uniform(0.013, 0.024), 0.0, -rng.uniform(0.25, 0.4)
    heading = 0.0
    for _ in range(6):
        heading = 0.6 * heading + rng.normal(0, 0.16)
        to_u, to_v = u + 0.11 * sin(heading), v + 0.11 * cos(heading)
        if rng.random() < 0.35:
            side = rng.choice([-0.06, 0.06])
            bud = frame.at(to_u + side, to_v + 0.05)
            relief.rod(frame.at(to_u, to_v), bud, _radii(frame, 0.5 * thick, 0.3 * thick), colour, gloss=0.1)
        relief.rod(frame.at(u, v), frame.at(to_u, to_v), _radii(frame, thick, 0.93 * thick), colour, gloss=0.1)
        u, v, thick = to_u, to_v, 0.93 * thick


def _grass(rng: Rng, relief: Relief, frame: BodyFrame) -> None:
    colour = _plain(rng, ((0.40, 0.56, 0.20), (0.55, 0.62, 0.28), (0.70, 0.62, 0.36)))
    thick, bend, heading, u, v = rng.uniform(0.012, 0.02), rng.normal(0, 0.16), 0.0, 0.0, -0.4
    for part in range(7):
        to_u, to_v = u + 0.11 * sin(heading), v + 0.11 * cos(heading)
        radii = _radii(frame, thick * (1 - part / 8), thick * (1 - (part + 1) / 8))
        relief.rod(frame.at(u, v), frame.at(to_u, to_v), radii, colour)
        u, v, heading = to_u, to_v, heading + bend


def _pebble(rng: Rng, relief: Relief, frame: BodyFrame) -> None:
    colour = _plain(rng, ((0.55, 0.52, 0.48), (0.40, 0.38, 0.36), (0.66, 0.58, 0.48), (0.75, 0.73, 0.70)))
    width = rng.uniform(0.012, 0.04)
    relief.egg(frame, Egg(width, 1.3 * width, 1.1 * width), colour, dome=0.7 * width, gloss=0.2, contact=0.01)


_THINGS: tuple[Callable[[Rng, Relief, BodyFrame], None], ...] = (_leaf, _twig, _grass, _pebble, _pebble, _pebble)


def _radii(frame: BodyFrame, start: float, end: float) -> Point:
    return start * frame.scale, end * frame.scale
