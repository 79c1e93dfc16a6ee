"""Kinds of beetle: what all individuals of a species share. One length unit is a body from head to abdomen tip."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np

from lead.beetles.relief import Colour

Antenna = Literal["thread", "saw", "club", "fan", "elbow"]
Pattern = Literal["plain", "spots", "bands", "stripes", "marbled", "border"]
DressName = Literal["metal", "warm", "brown", "dark", "black"]
Range = tuple[float, float]
Mark = tuple[float, float, float]
"""A round spot on a wing case: across (0 suture, 1 side), along (0 shoulder, 1 tip), radius in body lengths."""
Choice = TypeVar("Choice")


@dataclass(frozen=True)
class Proportions:
    """Lengths in body lengths, widths halved; ``*_widest`` are shares of a length; ``*_power`` as in ``Egg``."""

    head_length: float
    head_width: float
    eye: float
    mandible: float
    pronotum_length: float
    pronotum_width: float
    pronotum_widest: float
    pronotum_power: float
    elytra_width: float
    elytra_widest: float
    shoulder_power: float
    tip_power: float
    leg_length: float
    leg_thickness: float
    antenna_length: float

    @property
    def elytra_length(self) -> float:
        """What head and pronotum leave of the unit length."""
        return 1 - self.head_length - self.pronotum_length


@dataclass(frozen=True)
class Dress:
    """Colours that belong together; ``sheen`` is what a metallic skin turns to at a grazing angle."""

    elytra: Colour
    mark: Colour
    pronotum: Colour
    head: Colour
    leg: Colour
    eye: Colour
    sheen: Colour | None = None


@dataclass(frozen=True)
class Species:
    """Everything that individuals of a species share.

    Attributes:
        form: the family it belongs to, a key of ``FORMS``.
        body: its proportions.
        antenna, antenna_joints: the kind of antenna and the number of its segments.
        striae, striae_depth: grooves along each wing case, and their depth in body lengths.
        roughness: height of the wing cases' grain, in body lengths.
        gloss: 0 matt to 1 polished.
        pattern, spots, bands, phase: what is drawn on the wing cases; ``bands`` is how many fit along them.
        collar: whether the pronotum has pale corners.
    """

    form: str
    body: Proportions
    dress: Dress
    antenna: Antenna
    antenna_joints: int
    striae: int
    striae_depth: float
    roughness: float
    gloss: float
    pattern: Pattern
    spots: tuple[Mark, ...]
    bands: float
    phase: float
    collar: bool


@dataclass(frozen=True)
class Form:
    """A family of beetles: what its species are drawn from. ``lengths`` has a range for each of ``Proportions``."""

    lengths: dict[str, Range]
    antenna: Antenna
    antenna_joints: int
    striae: tuple[int, int]
    dresses: tuple[DressName, ...]
    patterns: tuple[Pattern, ...]


GROUND = Form(
    lengths={
        "head_length": (0.15, 0.18),
        "head_width": (0.085, 0.105),
        "eye": (0.032, 0.040),
        "mandible": (0.06, 0.09),
        "pronotum_length": (0.19, 0.23),
        "pronotum_width": (0.135, 0.175),
        "pronotum_widest": (0.32, 0.45),
        "pronotum_power": (3.0, 4.5),
        "elytra_width": (0.19, 0.23),
        "elytra_widest": (0.5, 0.62),
        "shoulder_power": (2.6, 3.6),
        "tip_power": (1.8, 2.3),
        "leg_length": (0.52, 0.6),
        "leg_thickness": (0.021, 0.026),
        "antenna_length": (0.42, 0.52),
    },
    antenna="thread",
    antenna_joints=10,
    striae=(6, 8),
    dresses=("metal", "black", "brown", "metal"),
    patterns=("plain", "border", "plain"),
)

FORMS: dict[str, Form] = {
    "ground": GROUND,
    "tiger": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_width": (0.13, 0.15),
            "eye": (0.050, 0.060),
            "mandible": (0.09, 0.12),
            "pronotum_length": (0.16, 0.18),
            "pronotum_width": (0.115, 0.13),
            "elytra_width": (0.185, 0.205),
            "elytra_widest": (0.55, 0.65),
            "leg_length": (0.62, 0.7),
            "leg_thickness": (0.016, 0.019),
        },
        striae=(0, 0),
        dresses=("metal",),
        patterns=("spots", "spots", "bands"),
    ),
    "ladybird": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.10, 0.12),
            "head_width": (0.10, 0.115),
            "eye": (0.030, 0.036),
            "mandible": (0.02, 0.03),
            "pronotum_length": (0.15, 0.17),
            "pronotum_width": (0.22, 0.25),
            "pronotum_widest": (0.55, 0.65),
            "pronotum_power": (2.2, 2.8),
            "elytra_width": (0.34, 0.39),
            "elytra_widest": (0.42, 0.5),
            "shoulder_power": (2.5, 2.9),
            "leg_length": (0.32, 0.38),
            "leg_thickness": (0.024, 0.028),
            "antenna_length": (0.17, 0.21),
        },
        antenna="club",
        antenna_joints=8,
        striae=(0, 0),
        dresses=("warm", "warm", "warm", "dark"),
        patterns=("spots", "spots", "spots", "bands"),
    ),
    "chafer": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.13, 0.15),
            "head_width": (0.11, 0.13),
            "eye": (0.028, 0.034),
            "mandible": (0.02, 0.03),
            "pronotum_length": (0.22, 0.25),
            "pronotum_width": (0.21, 0.25),
            "pronotum_widest": (0.6, 0.72),
            "pronotum_power": (2.2, 2.8),
            "elytra_width": (0.26, 0.3),
            "elytra_widest": (0.4, 0.55),
            "shoulder_power": (3.0, 4.2),
            "tip_power": (2.3, 3.0),
            "leg_length": (0.42, 0.48),
            "leg_thickness": (0.032, 0.038),
            "antenna_length": (0.17, 0.21),
        },
        antenna="fan",
        antenna_joints=6,
        striae=(3, 5),
        dresses=("metal", "metal", "brown", "black"),
        patterns=("plain", "plain", "marbled", "stripes"),
    ),
    "longhorn": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.13, 0.15),
            "head_width": (0.085, 0.10),
            "eye": (0.032, 0.038),
            "mandible": (0.03, 0.05),
            "pronotum_length": (0.16, 0.19),
            "pronotum_width": (0.11, 0.135),
            "pronotum_widest": (0.45, 0.55),
            "pronotum_power": (2.4, 3.2),
            "elytra_width": (0.15, 0.175),
            "elytra_widest": (0.22, 0.32),
            "shoulder_power": (3.6, 5.0),
            "tip_power": (2.2, 2.9),
            "leg_length": (0.5, 0.58),
            "leg_thickness": (0.021, 0.026),
            "antenna_length": (0.75, 1.0),
        },
        antenna_joints=11,
        striae=(0, 3),
        dresses=("warm", "dark", "brown", "metal"),
        patterns=("bands", "spots", "marbled", "stripes"),
    ),
    "stag": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.19, 0.21),
            "head_width": (0.16, 0.185),
            "eye": (0.030, 0.036),
            "mandible": (0.2, 0.27),
            "pronotum_length": (0.19, 0.21),
            "pronotum_width": (0.19, 0.21),
            "pronotum_widest": (0.45, 0.6),
            "elytra_width": (0.2, 0.225),
            "elytra_widest": (0.35, 0.5),
            "antenna_length": (0.26, 0.32),
        },
        antenna="elbow",
        antenna_joints=8,
        striae=(0, 2),
        dresses=("brown", "black"),
        patterns=("plain",),
    ),
    "weevil": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.21, 0.26),
            "head_width": (0.055, 0.07),
            "eye": (0.026, 0.031),
            "mandible": (0.015, 0.02),
            "pronotum_width": (0.13, 0.15),
            "pronotum_widest": (0.55, 0.65),
            "pronotum_power": (2.2, 2.6),
            "elytra_width": (0.2, 0.235),
            "elytra_widest": (0.3, 0.4),
            "shoulder_power": (3.4, 4.6),
            "leg_length": (0.42, 0.48),
            "leg_thickness": (0.027, 0.032),
            "antenna_length": (0.3, 0.36),
        },
        antenna="elbow",
        antenna_joints=8,
        striae=(5, 7),
        dresses=("brown", "dark", "metal"),
        patterns=("marbled", "plain", "bands", "spots"),
    ),
    "leaf": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.12, 0.14),
            "head_width": (0.095, 0.11),
            "eye": (0.030, 0.036),
            "mandible": (0.02, 0.03),
            "pronotum_length": (0.16, 0.19),
            "pronotum_width": (0.17, 0.2),
            "pronotum_widest": (0.5, 0.65),
            "elytra_width": (0.25, 0.285),
            "elytra_widest": (0.5, 0.62),
            "shoulder_power": (2.6, 3.2),
            "leg_length": (0.38, 0.44),
            "leg_thickness": (0.024, 0.029),
            "antenna_length": (0.34, 0.42),
        },
        antenna_joints=9,
        striae=(0, 5),
        dresses=("metal", "warm", "warm"),
        patterns=("stripes", "plain", "spots", "stripes"),
    ),
    "click": replace(
        GROUND,
        lengths=GROUND.lengths
        | {
            "head_length": (0.09, 0.11),
            "head_width": (0.08, 0.095),
            "eye": (0.026, 0.031),
            "mandible": (0.02, 0.03),
            "pronotum_length": (0.25, 0.28),
            "pronotum_width": (0.135, 0.15),
            "pronotum_widest": (0.6, 0.75),
            "pronotum_power": (3.0, 4.0),
            "elytra_width": (0.14, 0.16),
            "elytra_widest": (0.2, 0.35),
            "tip_power": (1.5, 1.8),
            "leg_length": (0.34, 0.4),
            "leg_thickness": (0.018, 0.022),
            "antenna_length": (0.3, 0.36),
        },
        antenna="saw",
        antenna_joints=10,
        dresses=("brown", "warm", "metal"),
        patterns=("plain", "stripes", "border"),
    ),
}


def _hsv(hue: float, saturation: float, value: float) -> Colour:
    return colorsys.hsv_to_rgb(hue % 1.0, saturation, value)


def _dress(name: DressName, rng: np.random.Generator) -> Dress:
    u, w = float(rng.random()), float(rng.random())
    eye = _hsv(rng.uniform(0.0, 0.12), 0.5, rng.uniform(0.05, 0.28))
    dark = _hsv(0.05 + 0.6 * w, 0.3, 0.10 + 0.05 * u)
    if name == "metal":
        hue = float(rng.choice([0.08, 0.30, 0.38, 0.46, 0.58, 0.66, 0.76, 0.97])) + 0.05 * (u - 0.5)
        body, front = _hsv(hue, 0.74, 0.46 + 0.15 * w), _hsv(hue + rng.uniform(-0.2, 0.2), 0.8, 0.42)
        sheen = _hsv(hue + rng.choice([-0.16, 0.16]), 0.9, 0.62)
        return Dress(body, _hsv(0.13, 0.30, 0.95), front, front, _hsv(hue, 0.5, 0.25), eye, sheen)
    if name == "warm":
        body = _hsv(0.13 * u**1.5, 0.88, 0.78 + 0.15 * u)
        return Dress(body, (0.06, 0.05, 0.06), dark if w < 0.7 else body, dark, dark, eye)
    if name == "brown":
        body, deep = _hsv(0.04 + 0.05 * u, 0.68, 0.36 + 0.22 * w), _hsv(0.03 + 0.04 * u, 0.65, 0.22)
        return Dress(body, _hsv(0.10, 0.40, 0.85), deep, deep, deep, eye)
    mark = _hsv(0.02 + 0.12 * u, 0.85 * w + 0.1, 0.92)
    return Dress(dark, mark, dark, dark, dark if name == "black" else _hsv(0.06, 0.6, 0.3), eye)


def _spots(rng: np.random.Generator) -> tuple[Mark, ...]:
    """One to three columns of spots, mirrored on the other wing case when drawn."""
    rows, radius = int(rng.integers(2, 5)), float(rng.uniform(0.028, 0.05))
    marks = []
    for row in range(rows):
        along = (row + 0.55) / (rows + 0.2) + float(rng.uniform(-0.03, 0.03))
        columns = 1 if row == rows - 1 else int(rng.integers(1, 3))
        for column in range(columns):
            across = (column + 0.5) / columns * 0.8 + 0.05 + float(rng.uniform(-0.06, 0.06))
            marks.append((across, along, radius * float(rng.uniform(0.75, 1.2))))
    return tuple(marks)


def make_species(number: int, *, seed: int) -> Species:
    """The species of a number: always the same for the same seed, whatever else is drawn."""
    rng = np.random.default_rng([seed, number, 1])
    name = tuple(FORMS)[number % len(FORMS)]
    form = FORMS[name]

    def draw(limits: Range) -> float:
        return float(rng.uniform(*limits))

    def pick(choices: tuple[Choice, ...]) -> Choice:
        return choices[int(rng.integers(len(choices)))]

    return Species(
        form=name,
        body=Proportions(**{length: draw(limits) for length, limits in form.lengths.items()}),
        dress=_dress(pick(form.dresses), rng),
        antenna=form.antenna,
        antenna_joints=form.antenna_joints,
        striae=int(rng.integers(form.striae[0], form.striae[1] + 1)),
        striae_depth=draw((0.004, 0.008)),
        roughness=draw((0.0, 0.0015)),
        gloss=draw((0.45, 1.0)),
        pattern=pick(form.patterns),
        spots=_spots(rng),
        bands=draw((1.6, 3.4)),
        phase=draw((0.0, 1.0)),
        collar=bool(rng.random() < (0.9 if name == "ladybird" else 0.25)),
    )
