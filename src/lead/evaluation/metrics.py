"""How far predicted landmarks lie from true ones. Arrays in, numbers out; no model in sight.

Points are ``(x, y)`` pixels in the convention of :mod:`lead.geometry`. An error is NaN where there is nothing to
measure, and every summary here looks past NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.model import Labels
from lead.reporting import counted

FloatArray = npt.NDArray[np.float64]

THRESHOLDS = (5, 10, 20)
"""In percent of the unit length, up to which a point counts as correct."""
LIMIT = 10
"""In percent of the unit length, up to which the area under the curve of errors is taken."""


@dataclass(frozen=True)
class Summary:
    """Errors in short, over every measured point of every picture.

    Attributes:
        mean, median, sd: in the unit of the errors; ``sd`` divides by the number of points.
        points: how many points were measured.
        pictures: how many pictures had at least one measured point.
        excluded: how many had none, because nothing is labelled there or because their unit length is unknown.
    """

    mean: float
    median: float
    sd: float
    points: int
    pictures: int
    excluded: int


def unit_lengths(truth: Labels, pair: tuple[str, str]) -> FloatArray:
    """The distance between two landmarks of each picture, in pixels.

    Args:
        truth: labels of N pictures.
        pair: the names of the two landmarks, the outer corners of the eyes say.

    Returns:
        (N,), NaN where one of the two is unlabelled.

    Raises:
        LeadError: the schema has no such landmark.
    """
    first, second = (truth.xy[:, truth.schema.index(name)] for name in pair)  # (N, 2) each
    return _distance(first, second)


def distances(predicted: FloatArray, truth: FloatArray) -> FloatArray:
    """Distances between predicted and true points.

    Args:
        predicted, truth: (N, K, 2) pixels of the same pictures; truth is NaN where unlabelled.

    Returns:
        (N, K) pixels, NaN where truth is NaN.

    Raises:
        LeadError: a labelled point has no prediction. Leaving it out would flatter the method.
    """
    distance = _distance(predicted, truth)  # (N, K)
    unpredicted = np.isnan(distance) & np.isfinite(truth).all(-1)
    if unpredicted.any():
        raise LeadError(
            f"{unpredicted.sum()} of {np.isfinite(truth).all(-1).sum()} labelled points have no prediction. "
            "Predict every landmark, or leave those landmarks out of the evaluation."
        )
    return distance


def normalised_errors(predicted: FloatArray, truth: FloatArray, unit: FloatArray) -> FloatArray:
    """Distances between predicted and true points in percent of each picture's unit length.

    Args:
        predicted, truth: (N, K, 2) pixels of the same pictures; truth is NaN where unlabelled.
        unit: (N,) pixels, see :func:`unit_lengths`.

    Returns:
        (N, K) percent. NaN where truth is NaN, and all over a picture whose unit is zero, negative or unknown.

    Raises:
        LeadError: see :func:`distances`.
    """
    distance = distances(predicted, truth)
    usable = np.isfinite(unit) & (unit > 0)
    return 100.0 * distance / np.where(usable, unit, np.nan)[:, None]


def summarise(errors: FloatArray) -> Summary:
    """The :class:`Summary` of errors (N, K), every measured point counting the same.

    Raises:
        LeadError: there is not one measured point.
    """
    measured = np.isfinite(errors)
    if not measured.any():
        raise LeadError(
            f"None of the {counted(len(errors), 'picture')} has a measured point. Check that the landmarks are "
            "labelled, and that the two landmarks that set the unit of length are labelled and apart."
        )
    values = errors[measured]
    pictures = int(measured.any(axis=1).sum())
    return Summary(
        mean=float(values.mean()),
        median=float(np.median(values)),
        sd=float(values.std()),
        points=len(values),
        pictures=pictures,
        excluded=len(errors) - pictures,
    )


def points_within(errors: FloatArray, threshold: float) -> float:
    """Of all measured points, the percentage whose error is at most a threshold: PCK. NaN if there is none.

    Args:
        errors: (N, K).
        threshold: in the unit of the errors.
    """
    measured = errors[np.isfinite(errors)]
    return 100 * float((measured <= threshold).mean()) if len(measured) else float("nan")


def pictures_within(errors: FloatArray, threshold: float) -> float:
    """Of the pictures with a measured point, the percentage all of whose errors (N, K) are at most a threshold."""
    known = np.isfinite(errors)
    judged = known.any(axis=1)
    fine = (~known | (errors <= threshold))[judged].all(axis=1)
    return 100 * float(fine.mean()) if judged.any() else float("nan")


def area_under_curve(errors: FloatArray, limit: float) -> float:
    """The area under the curve of cumulative errors (CED) from 0 to a limit, in percent of the whole: AUC.

    The curve is F(t), the share of pictures whose error, the mean over a picture's measured points, is at most t; the
    area is 100 / limit · ∫ F(t) dt. A picture of error e adds max(0, limit - e) to the integral, which is therefore
    exact, with no steps. 100 where nothing is off, 0 where every picture is off by the limit or more, NaN where nothing
    is measured. Pictures are counted, not points, as for 300-W (Sagonas et al., IMAVIS 2016) and WFLW (Wu et al., CVPR
    2018), which print it as a share of 1.

    Args:
        errors: (N, K), NaN where nothing is measured; a picture without a measured point is left out.
        limit: in the unit of the errors, above 0.
    """
    known = np.isfinite(errors)
    judged = known.any(axis=1)
    of_picture = np.where(known, errors, 0.0).sum(axis=1)[judged] / known.sum(axis=1)[judged]
    return 100 * float(np.clip(1 - of_picture / limit, 0, None).mean()) if judged.any() else float("nan")


FURTHER: dict[str, tuple[str, Callable[[FloatArray], float]]] = {
    **{
        f"pck-{share}": (f"Points within {share} % (PCK)", partial(points_within, threshold=share))
        for share in THRESHOLDS
    },
    **{
        f"pictures-{share}": (f"Pictures with all points within {share} %", partial(pictures_within, threshold=share))
        for share in THRESHOLDS
    },
    f"auc-{LIMIT}": (f"Area under the error curve up to {LIMIT} % (AUC)", partial(area_under_curve, limit=LIMIT)),
}
"""Further metrics of errors (N, K) in percent of the unit length, by key: the heading and the function. Whatever is
here is computed from saved predictions and has a column in a table of further metrics. Higher is better."""


def calibration(expected: FloatArray, radii: Mapping[int, FloatArray], errors: FloatArray) -> dict[str, float]:
    """How well expected errors agree with actual ones, in percent.

    Args:
        expected: (N, K) expected errors; NaN where there is none.
        radii: (N, K) by the percentage of true places that they should hold.
        errors: (N, K) actual errors, in the same unit; NaN where unknown.

    Returns:
        ``within-P``: the coverage of the P % radius, which should be P. ``rank``: 100 times Spearman's correlation of
        expected and actual errors. ``worst``: the recall of the worst decile, that is, of the tenth of the points with
        the largest actual errors, how many are in the tenth with the largest expected ones.
    """
    from scipy.stats import spearmanr  # takes a while, and who trains or predicts needs none

    known = np.isfinite(errors) & np.isfinite(expected)
    actual, guessed = errors[known], expected[known]
    out = {f"within-{percent}": 100 * float((actual <= radius[known]).mean()) for percent, radius in radii.items()}
    varied = np.ptp(guessed) > 0 and np.ptp(actual) > 0
    out["rank"] = 100 * float(spearmanr(guessed, actual).statistic) if varied else 0.0
    tenth = max(len(actual) // 10, 1)
    worst, named = (set(np.argsort(-values, kind="stable")[:tenth].tolist()) for values in (actual, guessed))
    out["worst"] = 100 * len(worst & named) / tenth
    return out


def hiding(
    predicted: npt.NDArray[np.bool_], hidden: npt.NDArray[np.bool_], known: npt.NDArray[np.bool_]
) -> dict[str, float]:
    """Whether the landmarks that are predicted to be hidden are, in percent; nothing where none is labelled so.

    Args:
        predicted: (N, K) those that are predicted to be hidden.
        hidden: (N, K) those that are.
        known: (N, K) those of which it is known.

    Returns:
        ``hidden``: of the hidden, how many are predicted to be. ``shown``: of the visible, how many are.
    """
    groups = {"hidden": known & hidden, "shown": known & ~hidden}
    if not groups["hidden"].any():
        return {}
    return {name: 100 * float(predicted[group].mean()) for name, group in groups.items() if group.any()}


def mean_shape(train_xy: FloatArray) -> FloatArray:
    """The baseline that looks at no picture: where each landmark lies on average.

    Args:
        train_xy: (N, K, 2) in one common frame, normalised coordinates say; NaN where unlabelled.

    Returns:
        (K, 2) in that frame, NaN for a landmark never labelled.
    """
    known = np.isfinite(train_xy)
    count = known.sum(axis=0)
    total = np.where(known, train_xy, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _distance(a: FloatArray, b: FloatArray) -> FloatArray:
    """Euclidean distance of points (..., 2)."""
    return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1])
