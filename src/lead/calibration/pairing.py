"""Predictions beside the labels of the same specimens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lead.calibration.learning import FEWEST_PICTURES
from lead.errors import LeadError, unknown
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.naming import matched
from lead.landmarks.same import alike, assigned
from lead.reporting import Say, counted, unsaid

FloatArray = npt.NDArray[np.float64]

LEAST_ALIKE = 0.1
"""A label and a prediction that are less alike are two specimens, where a picture shows several."""
EQUAL = 1e-3
"""Pixels within which a label is the prediction itself."""


@dataclass(frozen=True)
class Pairs:
    """Specimens that were predicted and labelled.

    Attributes:
        rows: (N,) of the predictions.
        errors: (N, K) pixels between prediction and label, K as in the predictions; NaN where one is not there.
        pictures: (N,) a number for each picture.
    """

    rows: npt.NDArray[np.int64]
    errors: FloatArray
    pictures: npt.NDArray[np.int64]


def paired(predicted: Labels, truth: Labels, say: Say = unsaid) -> Pairs:
    """The labels' specimens, each with the prediction of it.

    A picture's one prediction is that of its one label, however far apart they are. Where it shows several, those are
    paired that are most alike.

    Args:
        predicted: of any tool.
        truth: of some of the pictures, some of the landmarks; what is not a person's own is left aside.
        say: told what has no counterpart.

    Raises:
        LeadError: they have no landmark or fewer than :data:`FEWEST_PICTURES` pictures in common, or are one and the
            same.
    """
    names = _common_names(predicted, truth, say)
    own, there = truth.only_by_hand(), predicted.visible > UNLABELLED
    if predicted.predicted is not None:  # a file of a project holds both
        there &= predicted.is_predicted
    if not (own.visible > UNLABELLED).any():
        raise LeadError(f"{_file(truth)}no landmark was placed by a person. Give labels, not predictions.")
    points = np.where(there[..., None], predicted.xy, np.nan)
    at, true_at = ([schema.index(name) for name in names] for schema in (predicted.schema, own.schema))
    points, places = points[:, at], own.xy[:, true_at]
    rows_of, true_of = _by_picture(predicted, points), _by_picture(own, places)
    same = matched(true_of, rows_of)
    pairs: list[tuple[int, int, int]] = []
    for number, (image, file) in enumerate(same.items()):
        pairs += [(i, j, number) for i, j in _pairs_in(points, places, rows_of[file], true_of[image])]
    rows, true_rows, pictures = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
    errors = np.full((len(rows), len(predicted.schema.names)), np.nan)
    errors[:, at] = np.linalg.norm(points[rows] - places[true_rows], axis=-1)
    kept = np.isfinite(errors).any(1)
    result = Pairs(rows[kept], errors[kept], pictures[kept])
    _check(result, predicted, truth, true_of, same)
    copied = result.errors <= EQUAL
    if copied.any():
        say(
            f"{_file(truth)}{counted(int(copied.sum()), 'label')} left out that lie just where the predictions do, as "
            "accepted suggestions do."
        )
        left = np.where(copied, np.nan, result.errors)
        kept = np.isfinite(left).any(1)
        result = Pairs(result.rows[kept], left[kept], result.pictures[kept])
        _check(result, predicted, truth, true_of, same)
    if without := [image for image in true_of if image not in same]:
        count = counted(len(without), "picture of the labels has", "pictures of the labels have")
        say(f"{_file(truth)}{count} no prediction, the first is {without[0]!r}.")
    if lost := sum(len(true_of[image]) for image in same) - len(rows):
        count = counted(lost, "specimen of the labels has", "specimens of the labels have")
        say(f"{count} no prediction. Radii hold for specimens that the tool finds.")
    return result


def _common_names(predicted: Labels, truth: Labels, say: Say) -> list[str]:
    names, labelled = predicted.schema.names, truth.schema.names
    common = [name for name in names if name in labelled]
    other = [name for name in labelled if name not in names]
    if not common:
        raise LeadError(
            f"{_file(truth)}none of its landmarks is in the predictions. {unknown('landmark', other[0], names)} Let "
            "both have the same names."
        )
    if other:
        say(f"{_file(truth)}left out: {unknown('landmark', other[0], names)}")
    if missing := [name for name in names if name not in labelled]:
        say(
            f"{_file(truth)}no label of {counted(len(missing), 'landmark')}, the first is {missing[0]!r}: no expected "
            "error of it. Label it in some pictures, too."
        )
    return common


def _by_picture(labels: Labels, points: FloatArray) -> dict[str, list[int]]:
    """The rows with a point, of each picture that has one."""
    found: dict[str, list[int]] = {}
    for row in np.flatnonzero(np.isfinite(points).any((1, 2))).tolist():
        found.setdefault(labels.images[row], []).append(row)
    return found


def _pairs_in(points: FloatArray, places: FloatArray, rows: list[int], true_rows: list[int]) -> list[tuple[int, int]]:
    """The pairs of one picture."""
    if len(rows) == len(true_rows) == 1:
        return [(rows[0], true_rows[0])]
    labelled = places[true_rows]
    extent = np.nanmax(np.nanmax(labelled, axis=1) - np.nanmin(labelled, axis=1), axis=1)
    extent = np.where(extent > 0, extent, extent.max() or 1.0)
    pairs = assigned(1 - alike(points[rows], labelled, extent), 1 - LEAST_ALIKE)
    return [(rows[i], true_rows[j]) for i, j in pairs]


def _check(
    pairs: Pairs, predicted: Labels, truth: Labels, labelled: dict[str, list[int]], same: dict[str, str]
) -> None:
    """Raises :class:`LeadError` where nothing can be learnt from the pairs."""
    count = len(np.unique(pairs.pictures))
    if count < FEWEST_PICTURES:
        elsewhere = next((image for image in labelled if image not in same), None)
        hint = f"{elsewhere!r} is labelled and not predicted; {predicted.images[0]!r} is. " if elsewhere else ""
        raise LeadError(
            f"{_file(truth)}{counted(count, 'picture')} of the predictions {'has' if count == 1 else 'have'} labels. "
            f"{hint}It takes {FEWEST_PICTURES} that the tool did not learn from: label more of those that it predicted."
        )
    equal = pairs.errors[np.isfinite(pairs.errors)] <= EQUAL
    if equal.all():
        raise LeadError(
            f"{_file(truth)}all {counted(len(equal), 'label')} lie where the predictions do. Give labels that a person "
            "placed, without looking at the predictions."
        )


def _file(labels: Labels) -> str:
    return f"{labels.places.file}: " if labels.places and labels.places.file else ""
