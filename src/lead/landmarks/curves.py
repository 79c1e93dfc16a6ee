"""Curves through landmarks: what a schema says of them, and points evenly spaced along one that was drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError

FEWEST = 3
"""Points that a curve has at least: with fewer, none could slide between two others."""
FINE = 64
"""Pieces that a spline is cut into between two clicks, to measure along it."""


@dataclass(frozen=True)
class Curve:
    """A line of the thing, given by landmarks along it.

    An open curve's first and last point are landmarks like others, as is a closed one's first; those between are
    semilandmarks, of which only the place across the curve means something.

    Attributes:
        name: what it is called.
        points: the landmarks' names in their order along it, each once.
        closed: whether it goes on from the last point to the first.
    """

    name: str
    points: tuple[str, ...]
    closed: bool = False

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise LeadError("A curve has no name. Give each one a name.")
        if len(self.points) < FEWEST:
            raise LeadError(
                f"Curve {self.name!r} has {len(self.points)} of the {FEWEST} points that a curve needs at least "
                "(two ends, and one that slides between them). Add points to it, or take the curve away."
            )
        if twice := sorted({name for name in self.points if self.points.count(name) > 1}):
            hint = " A closed curve comes back to its first point by itself." if self.closed else ""
            raise LeadError(f"Curve {self.name!r} holds {', '.join(map(repr, twice))} more than once.{hint} Keep one.")

    @property
    def segments(self) -> tuple[tuple[str, str], ...]:
        """Its neighbouring points, in pairs."""
        return (*pairwise(self.points), *([(self.points[-1], self.points[0])] if self.closed else []))

    @property
    def sliders(self) -> tuple[tuple[str, str, str], ...]:
        """Each semilandmark between the points before and after it."""
        around = (*self.points, *self.points[:1]) if self.closed else self.points
        return tuple(zip(around, around[1:], around[2:], strict=False))

    def renamed(self, new: Mapping[str, str]) -> Curve | None:
        """The same through the points that have a new name, under it; None if they are too few for a curve."""
        points = tuple(new[name] for name in self.points if name in new)
        return replace(self, points=points) if len(points) >= FEWEST else None

    def described(self) -> dict[str, Any]:
        """What :func:`curves_of` understands, for files of JSON."""
        return asdict(self) | {"points": list(self.points)}


def curves_of(entries: object) -> tuple[Curve, ...]:
    """Curves as :meth:`Curve.described` says them. Raises :class:`LeadError` for anything else."""
    if not isinstance(entries, list):
        raise LeadError('\'curves\' must be a list, such as [{"name": …, "points": [names …], "closed": false}].')
    curves = []
    for i, entry in enumerate(entries):
        name, points, closed = map((entry if isinstance(entry, dict) else {}).get, ("name", "points", "closed"))
        if not isinstance(name, str) or closed not in (True, False, None):
            raise LeadError(f"curves[{i}] must be an object of 'name' (text), 'points' and 'closed' (true or false).")
        if not isinstance(points, list) or not all(isinstance(point, str) for point in points):
            raise LeadError(f"curves[{i}]: 'points' of {name!r} must be a list of landmarks' names.")
        curves.append(Curve(name, tuple(points), bool(closed)))
    return tuple(curves)


def renamed_curves(curves: tuple[Curve, ...], new: Mapping[str, str]) -> tuple[Curve, ...]:
    """Those through the landmarks that have a new name, under it; without those that are no curve any more."""
    return tuple(kept for curve in curves if (kept := curve.renamed(new)))


def names_along(curve: str, count: int) -> tuple[str, ...]:
    """Names for the points of a curve: ``outline_01``, ``outline_02``, …"""
    digits = max(2, len(str(count)))
    return tuple(f"{curve}_{number:0{digits}}" for number in range(1, count + 1))


def resampled(
    points: npt.ArrayLike, count: int, *, closed: bool = False, spline: bool = False
) -> npt.NDArray[np.float64]:
    """Points evenly spaced along a line through others.

    Args:
        points: (n, 2) places that the line goes through, in any unit; two in the same place one after the other count
            as one.
        count: how many points to give back.
        closed: whether the line goes on from the last place to the first.
        spline: whether it is a cubic spline by the length of the chords (without bend at the ends of an open one),
            else the straight lines between.

    Returns:
        (count, 2), each as far along the line from the one before as the next. The first is the line's first, the last
        its last; of a closed line, the last lies as far before the first.

    Raises:
        LeadError: fewer than two places differ, three of a closed line; or ``count`` is less.
    """
    fewest, what = (3, "closed line") if closed else (2, "line")
    places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(places).all():
        raise LeadError(f"A {what} through {len(places)} places has one without numbers. Place it anew.")
    ring = np.vstack([places, places[:1]]) if closed else places
    ring = ring[np.append(True, (np.diff(ring, axis=0) != 0).any(1))]
    for given, of in ((len(ring) - closed, "different places"), (count, "points")):
        if given < fewest:
            raise LeadError(f"A {what} needs at least {fewest} {of}, not {given}.")
    if spline:
        ring = _splined(ring, closed=closed)
    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(ring, axis=0), axis=1)))
    wanted = np.linspace(0.0, along[-1], count, endpoint=not closed)
    even = np.stack([np.interp(wanted, along, axis) for axis in ring.T], axis=1)
    even[0] = ring[0]
    if not closed:
        even[-1] = ring[-1]
    return even


def across(
    found: npt.NDArray[np.float64], labelled: npt.NDArray[np.float64], sliders: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """(N, K) how far semilandmarks lie to the side of the labelled curve, whose direction is that between neighbours.

    Args:
        found, labelled: (N, K, 2) in any unit; NaN where there is no place.
        sliders: (S, 3) as of :attr:`lead.Schema.sliders`.

    Returns:
        In the same unit; NaN of other landmarks, and where the label or both of its neighbours are missing.
    """
    before, moved, after = (labelled[:, column] for column in sliders.T)
    first, last = (np.where(np.isnan(end), moved, end) for end in (before, after))
    along = last - first
    away = found[:, sliders[:, 1]] - moved
    with np.errstate(invalid="ignore", divide="ignore"):
        aside = np.abs(along[..., 0] * away[..., 1] - along[..., 1] * away[..., 0]) / np.linalg.norm(along, axis=-1)
    out = np.full(labelled.shape[:2], np.nan)
    out[:, sliders[:, 1]] = aside
    return out


def _splined(places: npt.NDArray[np.float64], *, closed: bool) -> npt.NDArray[np.float64]:
    """Many places on the cubic spline through some, the first and the last of which are kept."""
    from scipy.interpolate import CubicSpline  # takes a while, and few draw curves

    chords = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1)))
    bend = CubicSpline(chords, places, bc_type="periodic" if closed else "natural")
    between = np.interp(np.arange(FINE * (len(places) - 1) + 1) / FINE, np.arange(len(places)), chords)
    fine: npt.NDArray[np.float64] = bend(between)
    fine[::FINE] = places
    return fine
