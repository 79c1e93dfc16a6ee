"""Where several beetles lie in one picture: how many, how large, which way, and who lies on whom.

Lengths are shares of the picture's side, so that a scene is the same whatever the picture's size in pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, hypot, pi, radians, sin, sqrt

import numpy as np
import numpy.typing as npt

from lead.beetles.drawing import Pose, paint_beetle, vary
from lead.beetles.relief import BodyFrame, Relief
from lead.beetles.species import Species, make_species
from lead.geometry import FloatArray

MOST_SPECIMENS = 300
LEAST_AND_MOST = f"LEAST,MOST: whole numbers with 0 ≤ LEAST ≤ MOST ≤ {MOST_SPECIMENS}, for example 3,12"
"""How many specimens may be asked for, in words."""
SMALLEST, LARGEST = 0.03, 0.4
"""The least and the greatest length of a body."""
MOST_COVERED = 1 / 3
"""How much of the part of a body that lies in the picture may be under or over other bodies."""

_SPREAD = (0.7, 1.3)  # lengths in one picture over their mean
_ROOM = 0.4  # of the picture, at most, is given to bodies
_IN_PICTURE = 0.25  # of a body, at least, is not cut off by the picture's edge
_TRIES = 30  # places tried for a beetle before it is made smaller

_turn = np.arange(60) * (pi * (3 - sqrt(5)))
_DISC = np.sqrt((np.arange(60) + 0.5) / 60)[:, None] * np.stack([np.cos(_turn), np.sin(_turn)], -1)  # spread evenly


@dataclass(frozen=True)
class Placed:
    """A beetle and its place.

    Attributes:
        number: which of the species it is.
        individual, pose: what :func:`lead.beetles.drawing.paint_beetle` paints.
        frame: of its body, in a picture that spans 0 to 1 both ways.
        body: (P, 2) points spread evenly over its body.
        inside: (P,) those within the picture.
        met: (P,) those that lie under or over another body.
    """

    number: int
    individual: Species
    pose: Pose
    frame: BodyFrame
    body: FloatArray
    inside: npt.NDArray[np.bool_]
    met: npt.NDArray[np.bool_]

    @classmethod
    def at(cls, number: int, individual: Species, pose: Pose, frame: BodyFrame) -> Placed:
        """A beetle that is alone."""
        c, s = cos(frame.angle), sin(frame.angle)
        body = frame.origin + frame.scale * (_DISC * (_half_width(individual), 0.5)) @ np.array([[c, s], [-s, c]])
        inside = ((body > 0) & (body < 1)).all(-1)
        return cls(number, individual, pose, frame, body, inside, np.zeros(len(body), dtype=bool))

    def holds(self, points: FloatArray) -> npt.NDArray[np.bool_]:
        """(P,) which of some points (P, 2) lie on its body, taken for an ellipse."""
        u, v = self.frame.local(points[:, 0], points[:, 1])
        held: npt.NDArray[np.bool_] = (u / _half_width(self.individual)) ** 2 + (v / 0.5) ** 2 < 1
        return held

    def seen_without(self, taken: npt.NDArray[np.bool_]) -> float:
        """The share of the body's part in the picture that some points taken away (P,) leave."""
        return float((self.inside & ~taken).sum() / max(self.inside.sum(), 1))


def scatter(
    rng: np.random.Generator,
    *,
    specimens: tuple[int, int],
    species: Sequence[int],
    seed: int,
    rotation: float | None,
) -> list[Placed]:
    """Beetles of a picture in the order in which they are drawn, the first at the bottom.

    In a third of all pictures no body lies over another, in the others up to :data:`MOST_COVERED` of it may. Some
    pictures are crowded: beetles lie beside one another. Each has a landmark in the picture.

    Args:
        rng: says everything.
        specimens: the least and the greatest number of them.
        species: numbers of the species to choose from.
        seed: of the species.
        rotation: degrees that they are turned by at most, each way; None for any way.
    """
    count = int(rng.integers(specimens[0], specimens[1] + 1))
    numbers = [species[i] for i in rng.integers(len(species), size=count)]
    individuals = [vary(make_species(number, seed=seed), rng) for number in numbers]
    lengths = _lengths(rng, individuals)
    crowd, allowed = rng.uniform(0, 0.7), MOST_COVERED * (rng.random() > 1 / 3)
    placed: list[Placed] = []
    for number, individual, length in zip(numbers, individuals, lengths, strict=True):
        pose, angle = Pose.random(rng), radians(rng.uniform(-1, 1) * (180 if rotation is None else rotation))
        while True:
            frames = (_somewhere(rng, placed, individual, angle, length, crowd) for _ in range(_TRIES))
            tried = (Placed.at(number, individual, pose, frame) for frame in frames)
            found = next((one for one in tried if _shows(one) and _joins(one, placed, allowed)), None)
            if found is not None:
                placed.append(found)
                break
            length = max(0.9 * length, SMALLEST)
    return placed


def _half_width(individual: Species) -> float:
    """Of a body, in body lengths."""
    return max(individual.body.elytra_width, individual.body.pronotum_width)


def _lengths(rng: np.random.Generator, individuals: list[Species]) -> list[float]:
    """Body lengths about a mean of the picture's own, which may be as large as so many bodies leave room for."""
    spread = rng.uniform(*_SPREAD, len(individuals))
    area = sum(pi * 0.5 * _half_width(one) * s * s for one, s in zip(individuals, spread, strict=True))
    least = SMALLEST / _SPREAD[0]
    most = max(least, min(LARGEST / _SPREAD[1], sqrt(_ROOM / max(area, 1e-9))))
    mean = least * (most / least) ** rng.random()
    lengths: list[float] = (mean * spread).tolist()
    return lengths


def _somewhere(
    rng: np.random.Generator, placed: list[Placed], individual: Species, angle: float, length: float, crowd: float
) -> BodyFrame:
    """A place anywhere, now and then partly out of the picture; or, as often as ``crowd`` says, beside another."""
    if placed and rng.random() < crowd:
        other = placed[int(rng.integers(len(placed)))]
        way = rng.uniform(-pi, pi)
        reach = _radius(individual, way - angle) * length
        reach += _radius(other.individual, way - other.frame.angle) * other.frame.scale
        far = rng.uniform(0.6, 1.2) * reach
        (x, y), c, s = other.frame.origin, cos(way), sin(way)
        return BodyFrame((x + far * c, y + far * s), angle, length)
    x, y = rng.uniform(-0.25 * length, 1 + 0.25 * length, 2).tolist()
    return BodyFrame((x, y), angle, length)


def _radius(individual: Species, way: float) -> float:
    """From the middle of a body to its edge in body lengths, at an angle from the body's right."""
    return 1 / hypot(cos(way) / _half_width(individual), sin(way) / 0.5)


def _shows(one: Placed) -> bool:
    """Whether enough of it, and one landmark at least, is in the picture."""
    if one.inside.all():
        return True
    if one.inside.mean() < _IN_PICTURE:
        return False
    points = paint_beetle(Relief(1), one.individual, one.pose, one.frame).values()
    return any(0 < x < 1 and 0 < y < 1 for x, y in points)


def _joins(one: Placed, placed: list[Placed], allowed: float) -> bool:
    """Whether it may lie among the others; if so, all of them remember what it meets."""
    (x, y), length = one.frame.origin, one.frame.scale
    near = [
        other
        for other in placed
        if hypot(x - other.frame.origin[0], y - other.frame.origin[1]) < (length + other.frame.scale) / 2
    ]
    theirs = [other.met | one.holds(other.body) for other in near]
    mine = np.any([other.holds(one.body) for other in near], axis=0) if near else one.met
    if any(body.seen_without(met) < 1 - allowed for body, met in zip([one, *near], [mine, *theirs], strict=True)):
        return False
    one.met[:] = mine
    for other, met in zip(near, theirs, strict=True):
        other.met[:] = met
    return True
