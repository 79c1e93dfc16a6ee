"""One look of a cascade, learnt from what it is shown of labelled pictures and, where these are few, of others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.feature_files import Features
from lead.nn.heads import PLAIN, Lie, RidgeHead
from lead.nn.shape import Pose, fit_pose_robustly
from lead.nn.steered import SteeredHead
from lead.training.fit import (
    SINGLE_LABEL,
    Moments,
    Settled,
    added,
    apply,
    moments_of,
    settle,
    settle_by_folds,
    solve,
    total_rows,
    weighted,
)
from lead.training.labelled import Labelled, distances

Rows = npt.NDArray[np.int64]

SHARE = 0.25
"""Of the cells far from every landmark; see :func:`lead.training.fit.moments_of`."""
LABELLED_SHARE = 0.3
"""Of what a self-taught head learns, from labels; the rest is from its own answers."""
SELF_RIDGE = 1e-4
BELIEVED = 0.35
"""Distance in radii from its place in the shape up to which an answer is believed; beyond, the shape is."""


@dataclass(frozen=True)
class TrainingSet:
    """What one stage learns from.

    Attributes:
        answered: a view of each labelled picture as it would be met, with its landmarks.
        parts: rows of ``answered`` of one fold.
        moments: of what each part teaches.
        more: moments that the head learns from as well, once it is judged.
        pool: (P, C, h, w) features of unlabelled pictures; None for no self-teaching.
        usual: size of the shape in these views.
    """

    answered: Labelled
    parts: list[Rows]
    moments: list[Moments]
    more: list[Moments]
    pool: Features | None
    usual: float


@dataclass(frozen=True)
class OutOfFold:
    """What coarse looks said of pictures that they had not seen; and the weights that did, one a part.

    Attributes:
        settled: their answers.
        parts: rows of each part.
        weights: (D, K) of the head that had not seen the part.
    """

    settled: Settled
    parts: list[Rows]
    weights: list[Tensor]


def lies_of(head: RidgeHead, pose: Pose) -> list[Lie]:
    """How things lie, of those that a head tells apart."""
    if not isinstance(head, SteeredHead):
        return [PLAIN] * len(pose.turn)
    steps = (torch.atan2(pose.turn[:, 1], pose.turn[:, 0]) / (math.pi / 4)).round().long() % 8
    side = torch.ones(len(steps)) if pose.side is None else pose.side
    return [Lie(step, s < 0) for step, s in zip(steps.tolist(), side.tolist(), strict=True)]


def moments_as_they_lie(head: RidgeHead, labelled: Labelled, lies: Sequence[Lie]) -> Moments:
    """As :func:`moments_of`, of pictures each with things that lie in a way of its own."""
    parts = []
    for lie in dict.fromkeys(lies):
        rows = np.flatnonzero([other == lie for other in lies])
        parts.append(moments_of(head, labelled.take(rows), share=SHARE, lie=lie))
    return added(parts)


def learn(head: RidgeHead, shape: Tensor, training: TrainingSet) -> OutOfFold | None:
    """Settles a head by what out-of-fold labels say: from labels alone, or also from its own answers.

    Returns:
        What was said of out-of-fold pictures; None for a single one.
    """
    every = [*training.moments, *training.more]
    if len(training.parts) == 1:
        settle(head, every, *SINGLE_LABEL)
        if training.pool is not None:
            settle(head, [*every, _self_taught(head, shape, training)], SELF_RIDGE, SINGLE_LABEL[1])
        return None
    plain = settle_by_folds(head, training.answered, training.parts, training.moments)
    if training.more:
        settle(head, every, plain.ridge, plain.sharpness)
    weights = [solve(others, head.weight.shape[1], plain.ridge) for others in _others(training.moments)]
    if training.pool is None:
        return OutOfFold(plain, training.parts, weights)
    taught = []
    settled_weight = head.weight.clone()
    for weight, others in zip(weights, _others(training.moments), strict=True):
        head.weight.copy_(weight)
        own = _self_taught(head, shape, replace(training, moments=others))
        taught.append(solve([*others, own], head.weight.shape[1], SELF_RIDGE))
    tried = _answers(head, training, taught)
    head.weight.copy_(settled_weight)
    if not float(tried.errors.nanmean()) < float(plain.errors.nanmean()):
        return OutOfFold(plain, training.parts, weights)
    settle(head, [*every, _self_taught(head, shape, training)], SELF_RIDGE, plain.sharpness)
    return OutOfFold(tried, training.parts, taught)


def _others(moments: list[Moments]) -> list[list[Moments]]:
    """The moments of all parts but each."""
    return [[sums for j, sums in enumerate(moments) if j != i] for i in range(len(moments))]


def _self_taught(head: RidgeHead, shape: Tensor, training: TrainingSet) -> Moments:
    """Moments of unlabelled pictures with the head's own answers, the shape put in where these are not believable.

    No picture is left out: to choose those that look right would be to learn what is known already.
    """
    assert training.pool is not None
    unknown = torch.zeros(len(training.pool), len(shape), 2)
    seen = Labelled(training.pool, unknown)
    points, score = apply(head, seen), apply(head.score, seen)
    pose, residual = fit_pose_robustly(shape, points, score + 0.05, usual=training.usual)
    believed = torch.where((residual < BELIEVED)[..., None], points, pose(shape))
    rows = total_rows(training.moments) * (1 - LABELLED_SHARE) / LABELLED_SHARE
    return weighted(moments_as_they_lie(head, Labelled(training.pool, believed), lies_of(head, pose)), rows)


def _answers(head: RidgeHead, training: TrainingSet, weights: list[Tensor]) -> Settled:
    """What heads of these weights, one a part, say of the parts."""
    points = torch.empty_like(training.answered.points)
    score = torch.empty(points.shape[:2])
    for weight, part in zip(weights, training.parts, strict=True):
        head.weight.copy_(weight)
        unseen = training.answered.take(part)
        points[part], score[part] = apply(head, unseen), apply(head.score, unseen)
    return Settled(SELF_RIDGE, float(head.sharpness), distances(points, training.answered.truth), points, score)
