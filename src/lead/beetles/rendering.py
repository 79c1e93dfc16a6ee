"""Drawn beetles with exact landmarks: a data set of any size, from nothing but a seed.

A beetle is seen from above. *Left* is the animal's own left, which is the picture's left while its head points up.
Pictures differ in species, individual, pose, place, light, ground, litter and camera. Some landmarks are covered,
some lie beyond the picture. Picture ``i`` of a seed is always the same, however many are drawn and by how many
processes.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from math import cos, radians, sin, sqrt

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from lead.beetles.drawing import ON_LIMBS, Pose, paint_beetle, vary
from lead.beetles.ground import cover_up, ground, litter, shadow
from lead.beetles.relief import SUPERSAMPLE, Array, BodyFrame, Light, Relief
from lead.beetles.ruler import NAMES as RULER
from lead.beetles.ruler import Ruler
from lead.beetles.species import make_species
from lead.geometry import FloatArray, denormalise_points, resize_points
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Schema

SCHEMA = Schema(
    names=(
        "head",
        "left_eye",
        "right_eye",
        "left_antenna_tip",
        "right_antenna_tip",
        "pronotum_left",
        "pronotum_right",
        "scutellum",
        "elytra_left",
        "elytra_right",
        "abdomen_tip",
        "left_hind_knee",
        "right_hind_knee",
    ),
    flip_pairs=(
        ("left_eye", "right_eye"),
        ("left_antenna_tip", "right_antenna_tip"),
        ("pronotum_left", "pronotum_right"),
        ("elytra_left", "elytra_right"),
        ("left_hind_knee", "right_hind_knee"),
    ),
    skeleton=(
        ("head", "left_eye"),
        ("head", "right_eye"),
        ("left_eye", "left_antenna_tip"),
        ("right_eye", "right_antenna_tip"),
        ("left_eye", "pronotum_left"),
        ("right_eye", "pronotum_right"),
        ("pronotum_left", "scutellum"),
        ("pronotum_right", "scutellum"),
        ("scutellum", "abdomen_tip"),
        ("scutellum", "elytra_left"),
        ("scutellum", "elytra_right"),
        ("elytra_left", "abdomen_tip"),
        ("elytra_right", "abdomen_tip"),
        ("elytra_left", "left_hind_knee"),
        ("elytra_right", "right_hind_knee"),
    ),
)
WITH_RULER = replace(SCHEMA, names=SCHEMA.names + RULER, skeleton=(*SCHEMA.skeleton, RULER))
"""The same beside a ruler."""
NORMALISER = ("scutellum", "abdomen_tip")
"""The wing cases' length, which no pose changes, is the unit of error."""

BEETLE_HEIGHT, COVER_HEIGHT = 0.035, 0.05
"""How far above the ground a beetle and what lies over it are, as a share of the picture."""

BODY = 0.56
"""A body's length as a share of the picture, before scaling."""
_GOLDEN = (sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Rendered:
    """A picture and what it shows.

    Attributes:
        pixels: (S, S, 3) uint8.
        xy: (K, 2) float64, pixels of the picture in the convention of :mod:`lead.geometry`; exact also where a
            landmark is covered or lies beyond the picture. Those of a ruler come last.
        visible: (K,) int8: VISIBLE, HIDDEN where something covers the landmark, UNLABELLED beyond the picture.
        species: which of the species it is, from 0.
        scale: millimetres a pixel, where there is a ruler.
    """

    pixels: npt.NDArray[np.uint8]
    xy: FloatArray
    visible: npt.NDArray[np.int8]
    species: int
    scale: float | None = None


def species_of(index: int, species: int) -> int:
    """The species of picture ``index``. Golden-ratio steps spread even a handful of pictures over all the species."""
    return int((index * _GOLDEN) % 1.0 * species)


def render(
    index: int,
    *,
    seed: int = 0,
    size: int = 128,
    species: int = 40,
    rotation: float | None = None,
    ruler: bool = False,
) -> Rendered:
    """Picture ``index`` of a seed, ``size`` × ``size`` pixels, showing one of ``species`` species.

    The scene does not depend on ``size``: landmarks of two sizes differ by ``resize_points``. Nor does anything but the
    beetle's heading depend on ``rotation``: up to so many degrees each way, all equally likely; where it is None, the
    head mostly points up. A ``ruler`` lies along a side of the picture, over all else.
    """
    rng = np.random.default_rng([seed, index])
    heading = None if rotation is None else np.random.default_rng([seed, index, 1]).uniform(-rotation, rotation)
    number = species_of(index, species)
    individual = vary(make_species(number, seed=seed), rng)
    beetle, above = Relief(size), Relief(size)
    frame = _placement(rng, beetle.fine, heading)
    points = paint_beetle(beetle, individual, Pose.random(rng), frame)
    xy = np.array([points[name] for name in SCHEMA.names])  # (K, 2) canvas pixels
    light = random_light(rng)
    picture = littered_ground(rng, size, light)
    _lay(picture, beetle, light, BEETLE_HEIGHT)
    if rng.random() < 0.35:
        cover_up(rng, above, tuple(xy[rng.integers(len(xy))].tolist()))
        _lay(picture, above, light, COVER_HEIGHT)
    places, visible = _to_picture(xy, size), _visibility(xy, beetle, above)
    if not ruler:
        return Rendered(photograph(picture, rng), places, visible, number)
    strip = Ruler(np.random.default_rng([seed, index, 3]), size)  # 1 says how a beetle heads, 2 is of trays
    strip.lay(picture, light)
    visible = np.where(strip.covers(places) & (visible == VISIBLE), HIDDEN, visible).astype(np.int8)
    seen = np.append(visible, [VISIBLE] * len(strip.marks)).astype(np.int8)
    return Rendered(photograph(picture, rng), np.concatenate([places, strip.marks]), seen, number, strip.scale)


def _placement(rng: np.random.Generator, fine: int, heading: float | None) -> BodyFrame:
    """Where the body lies: mostly upright (unless a heading in degrees is given) and whole, now and then partly out of
    the picture."""
    middle = denormalise_points(rng.normal(0, 0.13, 2).clip(-0.4, 0.4), (fine, fine))
    upright = float(np.clip(rng.normal(0, 16), -35, 35))
    angle = radians(upright if heading is None else heading)
    return BodyFrame((float(middle[0]), float(middle[1])), angle, fine * BODY * rng.uniform(0.7, 1.25))


def random_light(rng: np.random.Generator) -> Light:
    """A lamp from some side, not too low, under a sky."""
    turn, lift = rng.uniform(-np.pi, np.pi), radians(rng.uniform(35, 70))
    warmth, power = rng.uniform(-0.07, 0.09), rng.uniform(0.62, 0.85)
    lamp = (power * (1 + warmth), power, power * (1 - warmth))
    dim = rng.uniform(0.36, 0.46)
    sky = (dim * (1 - 0.6 * warmth), dim, dim * (1 + 0.6 * warmth))
    return Light((cos(turn) * cos(lift), sin(turn) * cos(lift), sin(lift)), lamp, sky)


def littered_ground(rng: np.random.Generator, size: int, light: Light) -> Array:
    """A ground (S, S, 3) under a light, with things lying about in half of all pictures."""
    picture: Array = ground(rng, size) * (np.array(light.lamp) * light.direction[2] + np.array(light.sky))
    if rng.random() < 0.5:
        below = Relief(size)
        litter(rng, below, int(rng.integers(2, 9)))
        _lay(picture, below, light, 0.008)
    return picture


def _lay(picture: Array, relief: Relief, light: Light, height: float) -> None:
    """Put a relief and its shadow over a picture (S, S, 3), in place."""
    colour, cover = relief.lit(light)
    picture *= shadow(cover, light, height)[..., None]
    picture *= (1 - cover)[..., None]
    picture += colour


def photograph(picture: Array, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """Exposure, blur, sensor noise and, for some, a coarse JPEG."""
    size = len(picture)
    exposed = np.clip(picture * rng.uniform(0.9, 1.1), 0, 1) * 255
    grain = rng.choice([0.0, 2.0, 5.0]) * rng.uniform(0.5, 1.3)
    blur, soft = rng.random() < 0.35, rng.uniform(0.2, 0.9)
    quality = int(rng.integers(45, 85)) if rng.random() < 0.3 else None
    image = Image.fromarray(exposed.astype(np.uint8))
    if blur:
        image = image.filter(ImageFilter.GaussianBlur(soft * size / 128))
    noisy = np.asarray(image, np.float32) + grain * rng.standard_normal((size, size, 1), dtype=np.float32)
    image = Image.fromarray(np.clip(noisy + 0.5, 0, 255).astype(np.uint8))
    if quality is not None:
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=quality)
        image = Image.open(buffer)
    return np.array(image.convert("RGB"))


def _to_picture(xy: FloatArray, size: int) -> FloatArray:
    fine = size * SUPERSAMPLE
    return resize_points(xy, (fine, fine), (size, size))


def _visibility(xy: FloatArray, beetle: Relief, above: Relief) -> npt.NDArray[np.int8]:
    """(K,) visibility of landmarks at canvas points (K, 2)."""
    limbs = np.isin(SCHEMA.names, ON_LIMBS)
    hidden = above.painted_at(xy) | (limbs & beetle.painted_at(xy, solid=True))
    outside = ((xy < -0.5) | (xy > beetle.fine - 0.5)).any(-1)
    return np.select([outside, hidden], [UNLABELLED, HIDDEN], VISIBLE).astype(np.int8)
