"""Landmarks that lie anywhere beside the others, such as a ruler's, fitted apart from these."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lead.features import FeatureSource
from lead.geometry import FloatArray
from lead.landmarks.model import HIDDEN, Labels
from lead.morphometrics.spread import ComplexArray
from lead.nn.shape import sides
from lead.reporting import Progress
from lead.training.cascade import CascadeFit, fit_cascade

Complex = npt.NDArray[np.complex128]
FEWEST = 8
"""Labelled pictures from which it can be told that landmarks lie loose."""
SMALLEST = 4
"""Landmarks that are looked at for parts, at least."""
LOOSE = 0.7
"""In radii of all: where no landmark is farther off its place among the others in half of all pictures, all are one
part."""
SPLIT = 0.5
"""How much of what all are off as one part may be left of it in two."""
ROUNDS = 3
BETTER = 0.9
"""Error out of fold, as a share of that of all landmarks together, below which parts are fitted apart."""


@dataclass(frozen=True)
class PartsFit:
    """Cascades of landmarks that go together.

    Attributes:
        own: of most landmarks.
        which: their numbers.
        loose: of others, with their numbers.
    """

    own: CascadeFit
    which: list[int]
    loose: tuple[tuple[list[int], CascadeFit], ...] = ()

    @property
    def error(self) -> float:
        """Mean distance on out-of-fold labels, as of :class:`CascadeFit`."""
        parts = [(self.which, self.own), *self.loose]
        return sum(len(which) * fit.error for which, fit in parts) / sum(len(which) for which, _ in parts)

    @property
    def together(self) -> ComplexArray | None:
        """As of :class:`CascadeFit`: errors of different parts have nothing to do with one another."""
        return _block([(self.which, self.own.together), *((which, fit.together) for which, fit in self.loose)])

    @property
    def across(self) -> tuple[float, float] | None:
        """As of :class:`CascadeFit`, of the part that has curves."""
        return next((fit.across for fit in (self.own, *(fit for _, fit in self.loose)) if fit.across), None)


def _block(parts: Sequence[tuple[list[int], ComplexArray | None]]) -> ComplexArray | None:
    """(K, K) of parts that have nothing to do with one another; None where one is not known."""
    count = sum(len(which) for which, _ in parts)
    out = np.zeros((count, count), dtype=np.complex128)
    for which, known in parts:
        if known is None:
            return None
        out[np.ix_(which, which)] = known
    return out


def fit_parts(
    source: FeatureSource,
    rows: npt.NDArray[np.int64],
    points: Tensor,
    labels: Labels,
    *,
    unlabelled: npt.NDArray[np.int64],
    turned: bool,
    seed: int,
    apart: bool = True,
    progress: Progress | None = None,
) -> PartsFit:
    """Fits all landmarks together; and, where some lie loose, apart, if that does better on out-of-fold labels.

    Args:
        source, rows, points, unlabelled, turned, seed, progress: as of :func:`fit_cascade`.
        labels: of the pictures, (N,) rows.
        apart: whether they may be fitted apart at all.
    """

    def fit(which: list[int]) -> CascadeFit:
        there = np.flatnonzero(~points[:, which].isnan().any(-1).all(-1).numpy())  # a ruler need not be everywhere
        return fit_cascade(
            source,
            rows[there],
            points[there][:, which],
            hidden=labels.visible[there][:, which] == HIDDEN,
            accepted=None if labels.accepted is None else labels.accepted[there][:, which],
            unlabelled=unlabelled,
            groups=[PurePosixPath(labels.images[i]).parent.as_posix() for i in there.tolist()],
            sliders=labels.schema.subset(labels.schema.names[k] for k in which).sliders,
            turned=turned,
            seed=seed,
            progress=progress,
        )

    every = list(range(points.shape[1]))
    together = PartsFit(fit(every), every)
    rest, *others = parts_of(points) if apart else [every]
    if not others:
        return together
    parted = PartsFit(fit(rest), rest, tuple((part, fit(part)) for part in others))
    return parted if parted.error < BETTER * together.error else together


def parts_of(points: Tensor) -> list[list[int]]:
    """The landmarks (N, K, 2), by number, in parts within which they lie alike in most pictures; the largest first."""
    whole = list(range(points.shape[1]))
    if len(points) < FEWEST or len(whole) < SMALLEST:
        return [whole]
    side = sides(points)
    xy = points.double().numpy()
    places = xy[..., 0] + 1j * xy[..., 1] * (1 if side is None else side.double().numpy()[:, None])  # (N, K)
    parts = [whole]
    while len(parts[0]) >= SMALLEST and (split := _split(places, parts[0])):
        parts = sorted([*split, *parts[1:]], key=len, reverse=True)
    return parts


def _split(places: Complex, which: list[int]) -> tuple[list[int], list[int]] | None:
    """Some landmarks in two parts, each as it lies alike in most pictures; None where they are better taken as one.

    Every two landmarks are tried as what the smaller part begins with; then each landmark goes to the part that says
    better where it is.
    """
    places = places[np.isfinite(places[:, which]).any(1)]
    usual = _residuals(places, which, which)
    away = places[:, which] - np.nanmean(places[:, which], axis=1, keepdims=True)
    if not usual.max() > LOOSE * np.sqrt(np.nanmean(np.abs(away) ** 2)):
        return None
    best, parts = SPLIT * float(usual.sum()), None
    for pair in combinations(which, 2):
        one, rest = list(pair), [k for k in which if k not in pair]
        for _ in range(ROUNDS):
            here, there = _residuals(places, rest, which), _residuals(places, one, which)
            nearer = np.where(here <= there, 0, 1)
            rest, one = ([k for k, part in zip(which, nearer, strict=True) if part == side] for side in (0, 1))
            if len(one) < 2 or len(rest) < 3:
                break
            cost = float(np.minimum(here, there).sum())
            if cost < best:
                best, parts = cost, (rest, one)
    return parts


def _residuals(places: Complex, part: list[int], which: list[int]) -> FloatArray:
    """(n,) how far some landmarks are from where a part says that they are, in half of all pictures."""
    own = places[:, part]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a picture may show none of them
        away = own - np.nanmean(own, axis=1, keepdims=True)
        shape = _median(away / np.nanmean(np.abs(away), axis=1, keepdims=True))
        for _ in range(ROUNDS):
            known = np.isfinite(own)
            model = np.where(known, shape - (np.where(known, shape, 0).sum(1) / known.sum(1))[:, None], 0)
            turn = (np.conj(model) * np.where(known, away, 0)).sum(1) / (np.abs(model) ** 2).sum(1)
            middle = np.nanmean(own, axis=1) - turn * np.where(known, shape, 0).sum(1) / known.sum(1)
            seen = (places[:, which] - middle[:, None]) / turn[:, None]  # as the part lies
            usual = _median(seen)
            shape = usual[[which.index(k) for k in part]]
        off: FloatArray = _median(np.abs(seen - usual) * np.abs(turn)[:, None]).real
    return np.nan_to_num(off)


def _median(places: Complex) -> Complex:
    """(K,) of (N, K), of each coordinate."""
    of = np.nanmedian if np.isnan(places).any() else np.median  # the former is many times as slow
    middle: Complex = of(places.real, axis=0) + 1j * of(places.imag, axis=0)
    return middle
