"""How large errors are, and how much a tool's own score tells of them: learnt from pictures that the tool has not seen.

An error is compared in units of what is usual for its landmark and, where that helps, for its score. The unit is learnt
from some of the pictures, and the radius that holds nine of ten from the others. So its guarantee holds whatever the
unit is: a bad one makes radii larger, not wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lead.calibration.conformal import FEWEST, holding

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

FEWEST_PICTURES = 10
"""Labelled pictures from which anything is learnt."""
FEWEST_FOR_SCORE = 20
"""Labelled pictures from which some can be spared for the unit."""
SPARED = 3
"""Of so many pictures one is spared for the unit."""
LEVEL_LABELS = 5.0
"""Labels of one landmark that weigh as much as what is usual for all landmarks."""
SCORE_LABELS = 30.0
"""Labels that weigh as much as that the score tells nothing."""
WORTH = 0.98
"""The score is used where radii become narrower than this share of what they are without it."""
FOLDS = 5
LEAST = 1e-6
"""Pixels that count as no error."""


@dataclass(frozen=True)
class Unit:
    """What errors are divided by before they are compared.

    Attributes:
        level: (K,) pixels, what is usual for each landmark.
        scores, factors: (S,) what it is multiplied by at some scores, straight lines between them; a higher score never
            has a larger factor. Empty where the score tells nothing.
    """

    level: FloatArray
    scores: FloatArray
    factors: FloatArray

    def of(self, scores: FloatArray) -> FloatArray:
        """(N, K) the unit for predictions with these scores; that of the landmark alone where a score is NaN."""
        factor = np.ones(scores.shape)
        if len(self.scores):
            factor = np.where(np.isfinite(scores), np.interp(scores, self.scores, self.factors), 1.0)
        return np.asarray(self.level * factor)


def plain(landmarks: int) -> Unit:
    """The pixel, for all alike."""
    return Unit(np.ones(landmarks), np.empty(0), np.empty(0))


def fitted(errors: FloatArray, scores: FloatArray | None) -> Unit:
    """What is usual, drawn to what is usual for all landmarks, and to a score that tells nothing, where labels are few.

    Args:
        errors: (N, K) in pixels, NaN where unlabelled.
        scores: (N, K) of the same predictions; None to leave them aside.
    """
    known = np.isfinite(errors)
    count, total = known.sum(0), np.where(known, errors, 0).sum(0)
    common = max(total.sum() / max(count.sum(), 1), LEAST)
    level = (total + LEVEL_LABELS * common) / (count + LEVEL_LABELS)
    unit = Unit(level, np.empty(0), np.empty(0))
    if scores is None:
        return unit
    known &= np.isfinite(scores)
    if not known.any():
        return unit
    from sklearn.isotonic import IsotonicRegression  # takes a while, and few need it

    regression = IsotonicRegression(increasing=False)
    regression.fit(scores[known], (errors / level)[known])
    told = known.sum() / (known.sum() + SCORE_LABELS)
    factors = told * np.asarray(regression.y_thresholds_) + (1 - told)
    return Unit(level, np.asarray(regression.X_thresholds_), factors)


def narrowed(errors: FloatArray, scores: FloatArray, pictures: IntArray) -> float:
    """How wide radii are with the score, as a share of those without it, on pictures held out in turn."""
    kinds = np.unique(pictures)
    units = {used: np.full(errors.shape, np.nan) for used in (False, True)}
    for part in np.array_split(np.random.default_rng(0).permutation(kinds), min(FOLDS, len(kinds))):
        held = np.isin(pictures, part)
        for used, unit in units.items():
            unit[held] = fitted(errors[~held], scores[~held] if used else None).of(scores[held])
    known = np.isfinite(errors)
    width = {used: np.quantile(errors[known] / unit[known], 0.9) * unit[known].mean() for used, unit in units.items()}
    return float(width[True] / width[False]) if width[False] > 0 else 1.0


@dataclass(frozen=True)
class Calibration:
    """What is learnt of a tool's predictions.

    Attributes:
        unit: of errors.
        mean, radius: (K,) the mean error, and the 90 % radius, in units; NaN for a landmark without labels.
        own: (K,) bool, whether the radius is that of the landmark's own labels; else it is from all landmarks.
        labelled: (K,) pictures that each landmark was labelled in.
        pictures: in all.
        spared: of these, how many the unit was learnt from.
        rank: Spearman's correlation of score and error, within landmarks; NaN where there are no scores.
        narrowed: see :func:`narrowed`; None where it was not tried.
    """

    unit: Unit
    mean: FloatArray
    radius: FloatArray
    own: npt.NDArray[np.bool_]
    labelled: IntArray
    pictures: int
    spared: int
    rank: float
    narrowed: float | None

    @property
    def uses_score(self) -> bool:
        """Whether predictions with a lower score have a larger radius."""
        return len(self.unit.scores) > 0

    def told(self, scores: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(N, K) expected errors and (N, K) 90 % radii, in pixels, of predictions with these scores (N, K)."""
        unit = self.unit.of(scores)
        return unit * self.mean, unit * self.radius


def learnt(errors: FloatArray, scores: FloatArray, pictures: IntArray) -> Calibration:
    """Learns from predictions that have labels.

    Radii hold the true place with a probability of 90 % or more, over pictures that come from where these do, for each
    landmark with labels in :data:`lead.calibration.conformal.FEWEST` of the pictures that set the radii. One with fewer
    has the radius of all landmarks together, in units of its own, or its largest error if that is more: the best that
    so few labels allow, without a guarantee.

    Args:
        errors: (N, K) pixels from the label, of N specimens; NaN where unlabelled.
        scores: (N, K) the tool's own; NaN where it has none.
        pictures: (N,) which picture each specimen is in; there are :data:`FEWEST_PICTURES` at least.
    """
    kinds = np.unique(pictures)
    landmarks = errors.shape[1]
    spared = kinds[:0]
    unit, share = plain(landmarks), None
    if len(kinds) >= FEWEST_FOR_SCORE:
        spared = np.random.default_rng(0).permutation(kinds)[: len(kinds) // SPARED]
        first = np.isin(pictures, spared)
        if np.isfinite(scores[first] + errors[first]).any():
            share = narrowed(errors[first], scores[first], pictures[first])
        used = share is not None and share < WORTH
        unit = fitted(errors[first], scores[first] if used else None)
    relative = errors / unit.of(scores)
    rest = ~np.isin(pictures, spared)
    counts = [len(np.unique(pictures[rest & np.isfinite(relative[:, k])])) for k in range(landmarks)]
    own = np.array(counts) >= FEWEST
    alone = np.array([holding(relative[rest, k], pictures[rest]) for k in range(landmarks)])
    together = holding(relative[rest].ravel(), np.repeat(pictures[rest], landmarks))
    largest = np.where(np.isfinite(relative), relative, 0).max(0)
    labelled = np.array([len(np.unique(pictures[np.isfinite(errors[:, k])])) for k in range(landmarks)])
    known = np.isfinite(relative)
    count, total = known.sum(0), np.where(known, relative, 0).sum(0)
    mean = (total + LEVEL_LABELS * total.sum() / count.sum()) / (count + LEVEL_LABELS)
    nothing = labelled == 0
    return Calibration(
        unit,
        np.where(nothing, np.nan, mean),
        np.where(nothing, np.nan, np.where(own, alone, np.maximum(together, largest))),
        own,
        labelled,
        len(kinds),
        len(spared),
        _rank(errors, scores),
        share,
    )


def _rank(errors: FloatArray, scores: FloatArray) -> float:
    """Spearman's correlation of score and error, each landmark's ranked for itself; NaN where nothing varies."""
    ranks: list[FloatArray] = []
    for error, score in zip(errors.T, scores.T, strict=True):
        known = np.isfinite(error) & np.isfinite(score)
        if known.sum() > 1:
            both = np.stack([_ranked(score[known]), _ranked(error[known])])
            ranks.append(both - both.mean(1, keepdims=True))
    if not ranks:
        return np.nan
    score, error = np.concatenate(ranks, axis=1)
    size = np.sqrt((score**2).sum() * (error**2).sum())
    return float((score * error).sum() / size) if size > 0 else np.nan


def _ranked(values: FloatArray) -> FloatArray:
    """(n,) ranks as shares of n; equal values have the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(counts) - (counts - 1) / 2)[which] / len(values))
