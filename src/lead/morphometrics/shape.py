"""The shapes of specimens: superimposed, with sizes and principal components, and which are far from the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.files import read_text
from lead.landmarks.fields import read_table
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.naming import matched
from lead.landmarks.scales import Scales
from lead.morphometrics.procrustes import centroid_sizes, completed, superimposed, tangent
from lead.morphometrics.sliding import slid
from lead.reporting import Say, counted, unsaid

FloatArray = npt.NDArray[np.float64]
Missing = Literal["estimate", "leave-out"]
Slide = Literal["bending", "procrustes", "no"]
"""How semilandmarks slide, see :mod:`lead.morphometrics.sliding`; with ``no`` they are landmarks like others."""

FEWEST_LANDMARKS = 3
"""Landmarks that make a shape; with fewer there is nothing but a size."""
FEWEST_SPECIMENS = 3
KNOWN = 0.5
"""Share of its landmarks that a specimen must have for the others to be estimated."""
FENCE = 1.5
"""A specimen is far from the others that is so many quartile ranges above the upper quartile (Tukey's fence)."""
NO_GROUP = "(no group)"
SMALLEST_SHARE = 1e-9
"""Of the variance; a component with less is rounding."""


@dataclass(frozen=True)
class Symmetry:
    """Shapes of things that are symmetric in themselves, and how far each specimen is not.

    Attributes:
        symmetric: (N, K, 2) the mean of each shape and its mirror image, with the landmarks' names changed over.
        asymmetric: (N, K, 2) what is added to it to get the shape; of all landmarks, in the same frame.
        directional: how large the mean of what is added is: which side is as a rule the larger.
        fluctuating: (N,) how far each specimen is from that mean.
    """

    symmetric: FloatArray
    asymmetric: FloatArray

    @property
    def directional(self) -> float:
        return float(np.linalg.norm(self.asymmetric.mean(0)))

    @property
    def fluctuating(self) -> FloatArray:
        away = self.asymmetric - self.asymmetric.mean(0)
        return np.asarray(np.sqrt((away**2).sum((1, 2))))


@dataclass(frozen=True)
class Shapes:
    """Superimposed shapes of N specimens with K landmarks.

    Attributes:
        labels: of the specimens and landmarks that are compared.
        unit: of the sizes, ``mm`` or ``px``.
        points: (N, K, 2) their places in this unit, y counting up, estimated ones included.
        estimated: (N, K) bool, which landmarks were missing and are estimated.
        shapes: (N, K, 2) of centroid size 1, superimposed, y counting up; semilandmarks have slid.
        symmetry: None where no flip pairs say which landmarks change places.
        groups: N names of groups, such as species, to be told apart; None if there are none.
        slid: (N, K, 2) the points when semilandmarks have slid; None where nothing slides.
    """

    labels: Labels
    unit: str
    points: FloatArray
    estimated: npt.NDArray[np.bool_]
    shapes: FloatArray
    symmetry: Symmetry | None = None
    groups: tuple[str, ...] | None = None
    slid: FloatArray | None = None

    @cached_property
    def mean(self) -> FloatArray:
        """(K, 2) the mean shape."""
        return np.asarray(self.shapes.mean(0))

    @cached_property
    def sizes(self) -> FloatArray:
        """(N,) centroid sizes in the unit, of the points where they were labelled."""
        return centroid_sizes(self.points)

    @cached_property
    def distances(self) -> FloatArray:
        """(N,) Procrustes distances to the mean shape: the root of the summed squared distances of the landmarks."""
        return np.asarray(np.sqrt(((self.shapes - self.mean) ** 2).sum((1, 2))))

    @cached_property
    def _components(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        flat = tangent(self.shapes, self.mean)
        flat = flat - flat.mean(0)
        left, singular, axes = np.linalg.svd(flat, full_matrices=False)
        kept = singular**2 > SMALLEST_SHARE * max((singular**2).sum(), np.finfo(float).tiny)
        left, singular, axes = left[:, kept], singular[kept], axes[kept]
        largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], axis=1)
        sense = np.sign(largest)[:, 0]  # so that the same specimens always give the same signs
        return left * singular * sense, axes * sense[:, None], singular**2 / (len(flat) - 1)

    @property
    def scores(self) -> FloatArray:
        """(N, C) of the specimens on the principal components, those with most variance first."""
        return self._components[0]

    @property
    def axes(self) -> FloatArray:
        """(C, K, 2) how landmarks move along each component, of length 1."""
        return self._components[1].reshape(-1, *self.mean.shape)

    @property
    def variances(self) -> FloatArray:
        """(C,) of the scores; their sum is the variance of shape."""
        return self._components[2]

    def along(self, component: int, deviations: float) -> FloatArray:
        """(K, 2) the shape that is so many standard deviations from the mean along a component, from 0."""
        return np.asarray(self.mean + deviations * np.sqrt(self.variances[component]) * self.axes[component])

    def group_means(self) -> dict[str, FloatArray]:
        """(K, 2) the mean shape of each group, in the order in which they come first; empty without groups."""
        groups = np.array(self.groups or ())
        return {name: np.asarray(self.shapes[groups == name].mean(0)) for name in dict.fromkeys(self.groups or ())}

    def far(self) -> list[int]:
        """Specimens far from the others, the farthest first: as a rule a landmark of theirs is in a wrong place."""
        low, high = np.quantile(self.distances, (0.25, 0.75))
        order = np.argsort(-self.distances, kind="stable").tolist()
        return [row for row in order if self.distances[row] > high + FENCE * (high - low)]

    def oddest(self, row: int) -> str:
        """The landmark that makes a specimen differ most, compared with how far it usually is from the mean."""
        away = np.linalg.norm(self.shapes - self.mean, axis=-1)
        usual = np.maximum(np.median(away, axis=0), np.median(away))
        return self.labels.schema.names[int(np.argmax(away[row] / np.maximum(usual, np.finfo(float).tiny)))]


def shapes_of(
    labels: Labels,
    scales: Scales | None = None,
    *,
    missing: Missing = "estimate",
    without: Sequence[str] = (),
    groups: Mapping[str, str] | None = None,
    slide: Slide = "bending",
    say: Say = unsaid,
) -> Shapes:
    """Compares the shapes of specimens.

    Args:
        labels: theirs.
        scales: of the pictures; None leaves sizes in pixels. With some of them, specimens without are left out, as
            their sizes cannot be compared.
        missing: whether missing landmarks are estimated, or specimens that lack one left out.
        without: landmarks that are no part of the shape, such as those of a ruler.
        groups: of pictures, see :func:`read_groups`; those in none are one of their own.
        slide: how the points of the schema's curves slide, if it has any.
        say: told what is left out and estimated.

    Raises:
        LeadError: fewer than three landmarks or specimens are left, none is complete, or points cannot slide.
    """
    for name in without:
        labels.schema.index(name)
    names = [name for name in labels.schema.names if name not in set(without)]
    if len(names) < FEWEST_LANDMARKS:
        raise LeadError(f"{counted(len(names), 'landmark')} left, and a shape has {FEWEST_LANDMARKS} at least.")
    both_ways = [two for pair in labels.schema.flip_pairs for two in (pair, pair[::-1])]
    single = [(one, other) for one, other in both_ways if one in names and other not in names]
    for one, other in single[:1]:
        say(f"No asymmetry: {one!r} is left without {other!r}, its counterpart. Leave both out, or none.")
    labels = labels.only(names)
    there = labels.visible > UNLABELLED
    least = max(FEWEST_LANDMARKS, KNOWN * len(names)) if missing == "estimate" else len(names)
    enough: npt.NDArray[np.bool_] = there.sum(1) >= least
    few = "too few of their landmarks" if missing == "estimate" else "a landmark missing"
    labels = _kept(labels, enough, f"{{}} with {few} left out", say)
    if scales:
        scaled = np.array([image in scales for image in labels.images], dtype=bool)
        labels = _kept(labels, scaled, "{} without a scale left out: sizes cannot be compared", say)
    if len(labels) < FEWEST_SPECIMENS:
        raise LeadError(f"{counted(len(labels), 'specimen')} left, and shapes are compared from {FEWEST_SPECIMENS} on.")
    sides = np.array([(s.x, s.y) if (s := (scales or {}).get(image)) else (1, 1) for image in labels.images])
    points = labels.xy * sides[:, None] * (1, -1)
    estimated = labels.visible == UNLABELLED
    in_one_place = (np.nanmax(points, axis=1) == np.nanmin(points, axis=1)).all(1)
    for row in np.flatnonzero(in_one_place).tolist()[:1]:
        raise LeadError(f"{labels.where(row)}{labels.images[row]!r}: all landmarks lie in one place. Correct them.")
    if estimated.any():
        points = _estimated(labels, points, estimated, say)
    moved = _slid(labels, points, slide)
    placed = points if moved is None else moved
    symmetry = symmetry_of(placed, labels) if labels.schema.flip_pairs and not single else None
    of_groups = None if groups is None else _groups(labels, groups, say)
    unit = "mm" if scales else "px"
    return Shapes(labels, unit, points, estimated, superimposed(placed), symmetry, of_groups, slid=moved)


def read_groups(path: Path) -> dict[str, str]:
    """Which group each picture is of: a CSV with the columns ``image`` and ``group``.

    Raises:
        LeadError: there is no such file, a column is missing, or a picture stands in it with two groups.
    """
    _, lines = read_table(read_text(path), str(path), ("image", "group"))
    found: dict[str, str] = {}
    for number, said in lines:
        image, group = said["image"].strip(), said["group"].strip()
        if found.setdefault(image, group) != group:
            raise LeadError(f"{path}, line {number}: {image!r} is of group {found[image]!r} already.")
    return found


def _groups(labels: Labels, groups: Mapping[str, str], say: Say) -> tuple[str, ...]:
    """The group of each specimen."""
    of_picture = {picture: groups[name] for name, picture in matched(groups, labels.images).items()}
    if not of_picture:
        first = f"The first is {next(iter(groups))!r}, and the" if groups else "The"
        raise LeadError(
            f"The groups are of none of the {counted(len(labels), 'specimen')}. {first} first specimen is of "
            f"{labels.images[0]!r}. Let them have the same names."
        )
    lacking = [image for image in labels.images if not of_picture.get(image)]
    if lacking:
        say(f"{counted(len(lacking), 'specimen')} of no group, shown as {NO_GROUP}. The first is of {lacking[0]!r}.")
    return tuple(of_picture.get(image) or NO_GROUP for image in labels.images)


def _kept(labels: Labels, kept: npt.NDArray[np.bool_], text: str, say: Say) -> Labels:
    """Some of the specimens; of the others it is said how many they are, and which is first."""
    if kept.all():
        return labels
    count = counted(int((~kept).sum()), "specimen")
    say(f"{text.format(count)}. The first is of {labels.images[int(np.argmin(kept))]!r}.")
    return labels.take(np.flatnonzero(kept).tolist())


def _estimated(labels: Labels, points: FloatArray, estimated: npt.NDArray[np.bool_], say: Say) -> FloatArray:
    """The points, with missing ones estimated."""
    if estimated.any(1).all():
        never = sorted(zip((~estimated).sum(0).tolist(), labels.schema.names, strict=True))[:3]
        rare = ", ".join(f"{name!r} ({count} of {len(labels)})" for count, name in never)
        raise LeadError(
            f"No specimen has all landmarks, so that none can be estimated. Most often missing: {rare}. Leave them out "
            "of the shape (--without)."
        )
    try:
        found = completed(points)
    except np.linalg.LinAlgError:
        raise LeadError(
            "The landmarks of a specimen lie on one line, and its others cannot be estimated from them. Leave out "
            "specimens with missing landmarks (--missing leave-out)."
        ) from None
    specimens = counted(int(estimated.any(1).sum()), "specimen")
    count = counted(int(estimated.sum()), "missing landmark", "missing landmarks")
    say(f"{count} of {specimens} estimated by thin-plate spline.")
    return found


def _slid(labels: Labels, points: FloatArray, slide: Slide) -> FloatArray | None:
    """The points when semilandmarks have slid; None if there are none, or they shall not."""
    schema = labels.schema
    if slide == "no" or not schema.curves:
        return None
    tangents = points[:, schema.sliders[:, 2]] - points[:, schema.sliders[:, 0]]
    for row, slider in np.argwhere((tangents == 0).all(-1)).tolist()[:1]:
        before, name, after = (schema.names[k] for k in schema.sliders[slider])
        raise LeadError(
            f"{labels.where(row)}{labels.images[row]!r}: {before!r} and {after!r} lie in one place, so nothing says "
            f"along which line {name!r} between them slides. Correct them, or let nothing slide (--slide no)."
        )
    try:
        return slid(points, schema.sliders, slide)
    except np.linalg.LinAlgError:
        raise LeadError(
            "Points cannot slide by bending energy: in the mean shape two landmarks lie in one place, or all on one "
            "line. Leave one of the two out (--without), or let them slide by Procrustes distance (--slide procrustes)."
        ) from None


def symmetry_of(points: FloatArray, labels: Labels) -> Symmetry:
    """Symmetric and asymmetric parts of (N, K, 2) points (Klingenberg, Barluenga and Meyer 2002, object symmetry).

    Shapes and their mirror images are superimposed together. Landmarks in no flip pair are taken to lie on the middle
    line.
    """
    schema = labels.schema
    partner = {one: other for pair in schema.flip_pairs for one, other in (pair, pair[::-1])}
    order = [schema.index(partner.get(name, name)) for name in schema.names]
    mirrored = points[:, order] * (-1, 1)
    own, other = np.split(superimposed(np.concatenate([points, mirrored])), 2)
    return Symmetry((own + other) / 2, (own - other) / 2)
