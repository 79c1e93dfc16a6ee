"""One beetle: a species in a pose, painted from the legs up, and where its landmarks came to lie."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from math import cos, pi, radians, sin

import numpy as np

from lead.beetles.relief import Array, BodyFrame, Colour, Egg, Point, Relief, Skin, mix, smoothstep
from lead.beetles.species import Dress, Proportions, Species

SIDES = (("left", -1), ("right", 1))
ON_LIMBS = ("left_antenna_tip", "right_antenna_tip", "left_hind_knee", "right_hind_knee")
"""Landmarks that wing cases or head may cover; the others lie on top."""

# Degrees from straight out to the side, positive towards the tail: femur, tibia, tarsus of fore, middle and hind leg.
_REST_LEGS = ((-38.0, -68.0, -58.0), (6.0, 34.0, 48.0), (30.0, 62.0, 74.0))
_LEG_SHARES = (0.36, 0.36, 0.28)
_LEG_LENGTHS = (0.88, 0.95, 1.15)
# Degrees from straight ahead, positive outwards: where the antenna leaves the head, and how far it bends to its tip.
_REST_ANTENNA = {
    "thread": (34.0, 48.0),
    "saw": (32.0, 40.0),
    "club": (40.0, 30.0),
    "fan": (52.0, 10.0),
    "elbow": (64.0, -42.0),
}


@dataclass(frozen=True)
class Pose:
    """How an individual holds itself; the default is a symmetric rest. Angles in degrees, positive as at rest.

    Attributes:
        head: turn of the head, positive clockwise.
        legs: for left and right, fore to hind, what is added to the angles of femur, tibia and tarsus.
        antennae: for left and right, what is added to the antenna's direction and to its bend.
        open: for left and right, how far the wing case is swung outwards.
    """

    head: float = 0.0
    legs: tuple[tuple[tuple[float, float, float], ...], ...] = (((0.0, 0.0, 0.0),) * 3,) * 2
    antennae: tuple[tuple[float, float], tuple[float, float]] = ((0.0, 0.0), (0.0, 0.0))
    open: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def random(cls, rng: np.random.Generator) -> Pose:
        """A walking beetle: three legs reach forward while the other three push back."""
        stride = rng.uniform(-14, 14) * np.array([[1, -1, 1], [-1, 1, -1]])
        legs = stride[..., None] + rng.normal(0, (7.0, 10.0, 12.0), (2, 3, 3))
        antennae = rng.normal(0, (13.0, 18.0), (2, 2)).tolist()
        lifted = rng.uniform(4, 16) if rng.random() < 0.12 else 0.0
        opened = lifted * rng.uniform(0.7, 1.0, 2)
        return cls(
            float(rng.normal(0, 6)),
            tuple(tuple(map(tuple, side)) for side in legs.tolist()),
            (tuple(antennae[0]), tuple(antennae[1])),
            (float(opened[0]), float(opened[1])),
        )


def vary(species: Species, rng: np.random.Generator) -> Species:
    """An individual: its species with slightly different proportions and shade."""
    lengths = {name: value * float(rng.normal(1, 0.02)) for name, value in asdict(species.body).items()}
    shade, tint = rng.normal(1, 0.07), rng.normal(1, 0.02, 3)

    def tone(colour: Colour) -> Colour:
        r, g, b = np.clip(np.array(colour) * shade * tint, 0, 1).tolist()
        return r, g, b

    dress = species.dress
    dress = replace(dress, elytra=tone(dress.elytra), pronotum=tone(dress.pronotum), leg=tone(dress.leg))
    return replace(species, body=Proportions(**lengths), dress=dress)


def paint_beetle(relief: Relief, species: Species, pose: Pose, frame: BodyFrame) -> dict[str, Point]:
    """Paint a beetle whose body runs from (0, -0.5), the head, to (0, 0.5), the abdomen's tip, of a frame.

    Returns:
        Each landmark's (x, y) in canvas pixels.
    """
    return _Painter(relief, species, pose, frame).paint()


@dataclass
class _Painter:
    relief: Relief
    species: Species
    pose: Pose
    frame: BodyFrame
    points: dict[str, Point] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.body: Proportions = self.species.body
        self.dress: Dress = self.species.dress
        self.neck = -0.5 + self.body.head_length
        self.waist = self.neck + self.body.pronotum_length
        self.head_frame = self.frame.child(0, self.neck, radians(self.pose.head))

    def paint(self) -> dict[str, Point]:
        for index, (name, side) in enumerate(SIDES):
            self._legs(index, name, side)
            self._antenna(index, name, side)
            self._mandible(side)
        self._head()
        self._abdomen()
        for index, (name, side) in enumerate(SIDES):
            self._wing_case(index, name, side)
        self._pronotum()
        self._scutellum()
        return self.points

    def _rod(self, a: Point, b: Point, radii: Point, colour: Colour, gloss: float = 0.35) -> None:
        scale = self.frame.scale
        self.relief.rod(a, b, (radii[0] * scale, radii[1] * scale), colour, gloss=gloss)

    def _legs(self, index: int, name: str, side: int) -> None:
        body = self.body
        hips = (
            (body.pronotum_width - 0.06, self.neck + 0.62 * body.pronotum_length),
            (body.elytra_width - 0.09, self.waist + 0.07),
            (body.elytra_width - 0.08, self.waist + 0.10 + 0.22 * body.elytra_length),
        )
        for leg, (out, along) in enumerate(hips):
            at = self.frame.at(side * out, along)
            joints = [at]
            for part in range(3):
                angle = radians(_REST_LEGS[leg][part] + self.pose.legs[index][leg][part])
                step = body.leg_length * _LEG_LENGTHS[leg] * _LEG_SHARES[part] * self.frame.scale
                at = BodyFrame(at, self.frame.angle, step).at(side * cos(angle), sin(angle))
                joints.append(at)
            self._leg(joints, thick=body.leg_thickness * (1.15 if leg == 2 else 1.0))
            if leg == 2:
                self.points[f"{name}_hind_knee"] = joints[1]

    def _leg(self, joints: list[Point], thick: float) -> None:
        hip, knee, ankle, toe = joints
        colour = self.dress.leg
        middle = _between(hip, knee, 0.45)
        self._rod(hip, middle, (0.8 * thick, thick), colour)
        self._rod(knee, ankle, (0.5 * thick, 0.66 * thick), colour)
        self._rod(middle, knee, (thick, 0.6 * thick), colour)
        beads = 3
        for bead in range(beads):
            start, end = _between(ankle, toe, bead / beads), _between(ankle, toe, (bead + 0.9) / beads)
            self._rod(start, end, (0.28 * thick, 0.42 * thick), colour)

    def _antenna(self, index: int, name: str, side: int) -> None:
        kind, joints, body = self.species.antenna, self.species.antenna_joints, self.body
        added_turn, added_bend = self.pose.antennae[index]
        start, bend = _REST_ANTENNA[kind]
        if body.antenna_length > 0.6:
            bend = 115.0
        angle, bend = radians(start + added_turn), radians(bend + added_bend)
        lengths = np.ones(joints)
        if kind == "elbow":
            lengths[0] = 0.8 * joints
        lengths *= body.antenna_length / lengths.sum()
        u, v = side * 0.6 * body.head_width, -0.72 * body.head_length
        for joint, length in enumerate(lengths.tolist()):
            if kind == "elbow":
                angle += bend if joint == 1 else 0.25 * bend / joints
            else:
                angle += bend / joints
            to_u, to_v = u + side * length * sin(angle), v - length * cos(angle)
            self._segment((u, v), (to_u, to_v), joint, side)
            u, v = to_u, to_v
        self.points[f"{name}_antenna_tip"] = self.head_frame.at(u, v)

    def _segment(self, start: Point, end: Point, joint: int, side: int) -> None:
        at, colour = self.head_frame.at, self.dress.leg
        kind, joints = self.species.antenna, self.species.antenna_joints
        left = joints - joint
        swell = 2.3 if left <= 3 and kind in {"club", "elbow"} else 1.0
        thin = 0.0125 - 0.004 * joint / joints
        if self.body.antenna_length > 0.6 and joint % 2:
            colour = _blend(colour, self.dress.mark, 0.35)
        self._rod(at(*start), at(*end), (0.72 * thin * swell, thin * swell), colour)
        if kind == "saw" or (kind == "fan" and left == 1):
            du, dv = end[0] - start[0], end[1] - start[1]
            reach = 0.8 if kind == "saw" else 2.6
            for turn in (0.6,) if kind == "saw" else (-0.75, -0.38, 0.38):
                c, s = reach * cos(turn), side * reach * sin(turn)
                blade = start[0] + c * du - s * dv, start[1] + s * du + c * dv
                self._rod(at(*start), at(*blade), (0.6 * thin, 1.3 * thin), colour)

    def _mandible(self, side: int) -> None:
        reach, width, length = self.body.mandible, self.body.head_width, self.body.head_length
        thick = 0.016 + 0.07 * reach
        u, v, angle = side * 0.42 * width, -0.86 * length, 0.45
        for part in range(4):
            to_u, to_v = u + side * 0.3 * reach * sin(angle), v - 0.3 * reach * cos(angle)
            ends = self.head_frame.at(u, v), self.head_frame.at(to_u, to_v)
            self._rod(*ends, (thick * (1 - 0.2 * part), thick * (0.8 - 0.2 * part)), self.dress.head, gloss=0.8)
            u, v, angle = to_u, to_v, angle - 0.55

    def _head(self) -> None:
        body, frame, colour = self.body, self.head_frame, self.dress.head
        tip = -body.head_length
        gloss = self.species.gloss
        widest = 0.42 * body.head_length
        front = body.head_length - widest
        if self.species.form == "weevil":
            front = 0.4 * front
            snout = 0.4 * body.head_width
            ends = frame.at(0, -widest), frame.at(0, tip + snout)
            self._rod(*ends, (0.7 * body.head_width, snout), colour, gloss=gloss)
        egg = Egg(body.head_width, front, widest + 0.05, 2.2, 2.6)
        centre = frame.child(0, -widest)
        self.relief.egg(centre, egg, colour, dome=0.7 * body.head_width, gloss=gloss, sheen=self.dress.sheen)
        self.points["head"] = frame.at(0, tip)
        for name, side in SIDES:
            eye = frame.child(side * 0.86 * body.head_width, -widest, side * 0.15)
            shape = Egg(body.eye, 1.25 * body.eye, 1.25 * body.eye)
            self.relief.egg(eye, shape, self.dress.eye, dome=body.eye, gloss=1.0, contact=0.012)
            self.points[f"{name}_eye"] = eye.origin

    def _abdomen(self) -> None:
        body = self.body
        length = body.elytra_length
        front = body.elytra_widest * length
        dark = _blend(self.dress.leg, (0.25, 0.14, 0.08), 0.5)

        def skin(_: Array, v: Array) -> tuple[Array, Array]:
            rings = np.cos(v * (2 * pi * 8 / length))
            shade = (0.75 + 0.25 * rings)[..., None] * np.asarray(dark, np.float32)
            return shade, rings * 0.004

        egg = Egg(0.86 * body.elytra_width, front, length - front, body.shoulder_power, body.tip_power)
        self.relief.egg(self.frame.child(0, self.waist + front), egg, skin, dome=0.12, gloss=0.5)
        self.points["abdomen_tip"] = self.frame.at(0, 0.5)

    def _wing_case(self, index: int, name: str, side: int) -> None:
        body, hinge = self.body, 0.03
        front = body.elytra_widest * body.elytra_length
        tucked = front + 0.03  # the shoulders reach under the pronotum
        swung = self.frame.child(side * hinge, self.waist, -side * radians(self.pose.open[index]))
        centre = swung.child(-side * hinge, front)
        egg = Egg(body.elytra_width, tucked, body.elytra_length - front, body.shoulder_power, body.tip_power)
        self.relief.egg(
            centre,
            egg,
            wing_case_skin(self.species),
            dome=0.75 * body.elytra_width,
            gloss=self.species.gloss,
            sheen=self.dress.sheen,
            side=side,
        )
        self.points[f"elytra_{name}"] = centre.at(side * body.elytra_width, 0)

    def _pronotum(self) -> None:
        body = self.body
        front = body.pronotum_widest * body.pronotum_length + 0.012
        back = (1 - body.pronotum_widest) * body.pronotum_length + 0.012
        centre = self.frame.child(0, self.neck - 0.012 + front)
        power = body.pronotum_power
        self.relief.egg(
            centre,
            Egg(body.pronotum_width, front, back, power, power + 1),
            self._pronotum_skin(front),
            dome=0.55 * body.pronotum_width,
            gloss=self.species.gloss,
            sheen=self.dress.sheen,
            contact=0.03,
        )
        for name, side in SIDES:
            self.points[f"pronotum_{name}"] = centre.at(side * body.pronotum_width, 0)

    def _pronotum_skin(self, front: float) -> Skin:
        width, colour, species = self.body.pronotum_width, self.dress.pronotum, self.species
        pale = (0.93, 0.88, 0.72) if species.form == "ladybird" else self.dress.mark

        def skin(u: Array, v: Array) -> tuple[Array, Array]:
            groove = -0.006 * np.exp(-((u / 0.008) ** 2))
            if not species.collar:
                return mix(colour, colour, np.zeros_like(u)), groove
            corner = np.hypot(np.abs(u) - 0.78 * width, v + 0.35 * front)
            return mix(colour, pale, smoothstep((0.34 * width - corner) / 0.02)), groove

        return skin

    def _scutellum(self) -> None:
        length = 0.055
        colour = _blend(self.dress.pronotum, self.dress.elytra, 0.3)
        egg = Egg(0.035, 0.008, length, 2.0, 1.15)
        self.relief.egg(
            self.frame.child(0, self.waist + 0.008), egg, colour, dome=0.02, gloss=self.species.gloss, contact=0.012
        )
        self.points["scutellum"] = self.frame.at(0, self.waist + 0.008 + length)


def wing_case_skin(species: Species) -> Skin:
    """Colour pattern and relief (grooves, pits, grain) of either wing case; v = 0 is the widest line."""
    body, dress = species.body, species.dress
    width, length = body.elytra_width, body.elytra_length

    def skin(u: Array, v: Array) -> tuple[Array, Array]:
        across = np.abs(u) * (1 / width)
        along = v * (1 / length) + body.elytra_widest
        colour = mix(dress.elytra, dress.mark, _pattern(species, across, along))
        bump = -0.012 * np.maximum(0, 1 - np.abs(u) * (1 / 0.02))  # the suture's dip
        if species.striae:
            groove = np.maximum(0, np.cos(across * (2 * pi * species.striae))) ** 2
            groove = groove * ((across > 0.07) & (across < 0.96))
            pits = 0.7 + 0.3 * np.cos(along * (2 * pi * 26))
            bump = bump - species.striae_depth * groove * pits
            colour = colour * (1 - 0.3 * groove)[..., None]
        if species.roughness:
            grain = np.sin(u * 190) * np.sin(v * 170 + u * 60)
            bump = bump + (0.5 * species.roughness) * grain
        return colour, bump

    return skin


def _pattern(species: Species, across: Array, along: Array) -> Array:
    """How much of the mark's colour shows (h, w), at shares of a wing case's width and length."""
    width, length = species.body.elytra_width, species.body.elytra_length
    kind = species.pattern
    if kind == "spots":
        share = np.zeros_like(across)
        for at_across, at_along, radius in species.spots:
            reach = radius * width / 0.25
            away = np.hypot((across - at_across) * width, (along - at_along) * length)
            share = np.maximum(share, smoothstep((reach - away) / 0.012 + 0.5))
        return share
    if kind == "bands":
        wave = along * species.bands + species.phase + 0.09 * np.cos(across * (2 * pi * 1.3))
        return smoothstep((np.cos(wave * (2 * pi)) - 0.15) * 5)
    if kind == "stripes":
        inside = np.abs(along - 0.5) < 0.46
        stripes: Array = smoothstep((np.cos((across * 1.6 + species.phase) * (2 * pi)) - 0.2) * 4) * inside
        return stripes
    if kind == "marbled":
        a, b = across * (width * 40), along * (length * 40)
        turn = 6 * species.phase
        wave = np.sin(a + 1.7 * np.sin(b * 0.7 + turn)) + np.sin(b + 1.9 * np.sin(a * 0.8 - turn))
        veins: Array = 0.85 * smoothstep(wave - 0.25)
        return veins
    if kind == "border":
        return smoothstep((across - 0.86) * 14)
    return np.zeros_like(across)


def _between(a: Point, b: Point, share: float) -> Point:
    return a[0] + share * (b[0] - a[0]), a[1] + share * (b[1] - a[1])


def _blend(a: Colour, b: Colour, share: float) -> Colour:
    r, g, blue = (x + share * (y - x) for x, y in zip(a, b, strict=True))
    return r, g, blue
