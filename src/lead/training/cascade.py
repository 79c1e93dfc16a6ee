"""Fitting a cascade: few labels, many unlabelled pictures, and out-of-fold labels that decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.features import Features, FeatureSource
from lead.nn.cascade import Cascade, CascadeOutput, CoarseOutput
from lead.nn.confidence import Confidence
from lead.nn.heads import RidgeHead
from lead.nn.shape import Pose, common_shape, fit_pose, fit_pose_robustly, product
from lead.reporting import Progress
from lead.seeds import mixed_seed
from lead.training.confidence import fit_confidence
from lead.training.fit import (
    SINGLE_LABEL,
    Moments,
    Settled,
    apply,
    moments_of,
    principal_components,
    settle,
    settle_by_folds,
    solve,
    total_rows,
    weighted,
)
from lead.training.labelled import Labelled, check_labelled, distances, folds, judging

Rows = npt.NDArray[np.int64]

MOST = 500
"""Labelled pictures that are used, at most: more cost time, and should change a closed-form head little."""
CROPS = 120
"""Crops of labelled pictures in all, turned and scaled at random; at least one of each picture."""
CROPS_OF_ONE = 24
TURNED, SCALED, SHIFTED = 15.0, 0.15, 0.2
"""Random crops: degrees, logarithm of the size, and radii of the shape; up to that, each way."""
SHARE = 0.25
"""Of the cells far from every landmark; see :func:`lead.training.fit.moments_of`."""
POOL = 100
"""Unlabelled pictures that a head teaches itself on."""
SELF_TAUGHT = 4
"""Labelled pictures up to which it is tried whether that helps; with more it never did."""
LABELLED_SHARE = 0.3
"""Of what a self-taught head learns, from labels; the rest is from its own answers."""
SELF_RIDGE = 1e-4
LONE_SIZE = 0.3
"""Size of the shape, in normalised units, where it has none: a single landmark, or several on one spot."""
BELIEVED = 0.35
"""Distance in radii from its place in the shape up to which an answer is believed; beyond, the shape is."""


@dataclass(frozen=True)
class CascadeFit:
    """A cascade, and what out-of-fold labels say of it.

    Attributes:
        head: fitted on every label.
        confidence: of its answers.
        error: mean distance on out-of-fold labels as a share of the frame's side; NaN for one label.
    """

    head: Cascade
    confidence: Confidence
    error: float


@dataclass(frozen=True)
class _Inputs:
    """What a fit has to go by.

    Attributes:
        source: of the pictures.
        rows: (N,) of its store, the labelled pictures that it is judged on.
        points: (N, K, 2) normalised.
        accepted: (N, K) bool, as of :class:`Labelled`.
        more: rows and points of further pictures to learn from, on which a person placed no point.
        parts: positions in ``rows`` of one fold.
        pool: (P,) rows of unlabelled pictures to learn from; perhaps none.
        seed: of the crops.
    """

    source: FeatureSource
    rows: Rows
    points: Tensor
    accepted: Tensor | None
    more: tuple[Rows, Tensor]
    parts: list[Rows]
    pool: Rows
    seed: int


@dataclass(frozen=True)
class _TrainingSet:
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


def fit_cascade(
    source: FeatureSource,
    rows: Rows,
    points: Tensor,
    *,
    hidden: npt.NDArray[np.bool_] | None = None,
    accepted: npt.NDArray[np.bool_] | None = None,
    unlabelled: Rows | None = None,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    most: int = MOST,
    halves: Sequence[float] | None = None,
) -> CascadeFit:
    """Fits both looks, keeps the second if it does better on out-of-fold labels, and calibrates the result.

    Args:
        source: of the pictures.
        rows: (N,) of the store: labelled pictures.
        points: (N, K, 2) normalised; NaN where unlabelled.
        hidden: (N, K) which landmarks are labelled as hidden; None if nothing says.
        accepted: (N, K) which points are accepted suggestions: learnt from, but no error rests on them.
        unlabelled: rows of the store that may be learnt from without labels.
        groups: (N,) of the labelled pictures. Those of one group are alike as others are not, frames of one film say,
            and fall in one fold, lest the expected errors be too small.
        seed: of the folds, the crops, and the unlabelled pictures that are drawn.
        progress: called as features of the labelled pictures are computed.
        most: labelled pictures that are used.
        halves: crops to try for the second look, by half their side in radii; by default what suits the landmarks.

    Raises:
        LeadError: a landmark is labelled on no picture.
    """
    check_labelled(points)
    random = np.random.default_rng(mixed_seed(seed, "cascade"))
    if len(rows) > most:
        kept = np.sort(random.permutation(len(rows))[:most])
        some = points[torch.from_numpy(kept)]
        if not bool(some.isnan().any(-1).all(0).any()):  # a rare landmark's labels must not all be left out
            rows, points = rows[kept], some
            hidden, accepted = (None if flags is None else flags[kept] for flags in (hidden, accepted))
            groups = None if groups is None else [groups[i] for i in kept.tolist()]
    inputs = _inputs(source, rows, points, accepted, groups, unlabelled, random, seed)
    features = source.whole(inputs.rows, progress=progress)
    coarse, out_of_fold = _fit_coarse(inputs, features)
    best = _assess(coarse, out_of_fold, features, inputs)
    for half in _halves(coarse) if halves is None else halves:
        look = _fit_fine(inputs, coarse, out_of_fold, half)
        if not best.error <= look.error:  # NaN for a single label: the fine look is taken unchecked
            best = look
    flags = None if hidden is None else torch.from_numpy(hidden[np.isin(rows, inputs.rows)])
    confidence = fit_confidence(best.signals, best.errors, flags if len(best.signals) else None)
    return CascadeFit(best.head, confidence, best.error)


@dataclass(frozen=True)
class _Assessed:
    """A cascade with signals (n, K, S), and out-of-fold errors (n, K) in radii; ``error`` as CascadeFit's."""

    head: Cascade
    signals: Tensor
    errors: Tensor
    error: float


def _inputs(
    source: FeatureSource,
    rows: Rows,
    points: Tensor,
    accepted: npt.NDArray[np.bool_] | None,
    groups: Sequence[str] | None,
    unlabelled: Rows | None,
    random: np.random.Generator,
    seed: int,
) -> _Inputs:
    """The pictures that heads are judged on, in folds, and those that they only learn from."""
    flags = None if accepted is None else torch.from_numpy(accepted)
    judged, others = judging(points, flags)
    own = None if groups is None else [groups[i] for i in judged.tolist()]
    parts = folds(len(judged), seed, own) if len(judged) > 1 else [np.arange(1)]
    pool = _pool(rows[judged], None if unlabelled is None else np.setdiff1d(unlabelled, rows), random)
    more = (rows[others], points[others])
    return _Inputs(
        source, rows[judged], points[judged], flags if flags is None else flags[judged], more, parts, pool, seed
    )


def _pool(rows: Rows, unlabelled: Rows | None, random: np.random.Generator) -> Rows:
    """Unlabelled pictures to learn from."""
    if unlabelled is None or len(rows) > SELF_TAUGHT:
        return np.zeros(0, dtype=np.int64)
    return np.sort(random.permutation(np.setdiff1d(unlabelled, rows))[:POOL])


def _halves(cascade: Cascade) -> list[float]:
    """Crops to try, by half their side in radii: what the landmarks take up with some room, and half-way to the frame.

    A crop never shows more than the whole picture does.
    """
    extent = max(float(cascade.shape.norm(dim=-1).max()), 1.0)  # less only where the shape has no size
    frame = 1 / float(cascade.sizes[1])
    tight = min(1.15 * extent + 0.35, frame)
    return [tight, math.sqrt(tight * frame)] if frame > 1.3 * tight else [tight]


# --- the coarse look --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _OutOfFold:
    """What coarse looks said of pictures that they had not seen; and the weights that did, one a part.

    Attributes:
        settled: their answers.
        parts: rows of each part.
        weights: (D, K) of the head that had not seen the part.
    """

    settled: Settled
    parts: list[Rows]
    weights: list[Tensor]


def _fit_coarse(inputs: _Inputs, features: Features) -> tuple[Cascade, _OutOfFold | None]:
    """A cascade of one look, and what it said of out-of-fold pictures; ``features`` are those of the labelled ones."""
    whole = Labelled(features, inputs.points, accepted=inputs.accepted)
    shape, size = common_shape(inputs.points)
    size = size or LONE_SIZE
    cascade = Cascade(whole.features.shape[1], whole.points.shape[1], fine=False)
    kept, dimension = cascade.coarse.reduction.shape
    if kept < dimension:
        cascade.coarse.reduction.copy_(principal_components(whole, kept))
    cascade.shape.copy_(shape)
    sizes = fit_pose(shape, whole.points, usual=size).size
    cascade.sizes.copy_(torch.stack([sizes.min(), sizes.mean(), sizes.max()]))
    moments = [moments_of(cascade.coarse, whole.take(part), share=SHARE) for part in inputs.parts]
    rows, points = inputs.more
    rest = [Labelled(inputs.source.whole(rows), points)] if len(rows) else []
    more = [moments_of(cascade.coarse, labelled, share=SHARE) for labelled in rest]
    pool = inputs.source.whole(inputs.pool) if len(inputs.pool) else None
    out_of_fold = _learn(cascade.coarse, shape, _TrainingSet(whole, inputs.parts, moments, more, pool, size))
    return cascade, out_of_fold


def _learn(head: RidgeHead, shape: Tensor, training: _TrainingSet) -> _OutOfFold | None:
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
        return _OutOfFold(plain, training.parts, weights)
    taught = []
    settled_weight = head.weight.clone()
    for weight, others in zip(weights, _others(training.moments), strict=True):
        head.weight.copy_(weight)
        own = _self_taught(head, shape, replace(training, moments=others))
        taught.append(solve([*others, own], head.weight.shape[1], SELF_RIDGE))
    tried = _answers(head, training, taught)
    head.weight.copy_(settled_weight)
    if not float(tried.errors.nanmean()) < float(plain.errors.nanmean()):
        return _OutOfFold(plain, training.parts, weights)
    settle(head, [*every, _self_taught(head, shape, training)], SELF_RIDGE, plain.sharpness)
    return _OutOfFold(tried, training.parts, taught)


def _others(moments: list[Moments]) -> list[list[Moments]]:
    """The moments of all parts but each."""
    return [[sums for j, sums in enumerate(moments) if j != i] for i in range(len(moments))]


def _self_taught(head: RidgeHead, shape: Tensor, training: _TrainingSet) -> Moments:
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
    return weighted(moments_of(head, Labelled(training.pool, believed), share=SHARE), rows)


def _answers(head: RidgeHead, training: _TrainingSet, weights: list[Tensor]) -> Settled:
    """What heads of these weights, one a part, say of the parts."""
    points = torch.empty_like(training.answered.points)
    score = torch.empty(points.shape[:2])
    for weight, part in zip(weights, training.parts, strict=True):
        head.weight.copy_(weight)
        unseen = training.answered.take(part)
        points[part], score[part] = apply(head, unseen), apply(head.score, unseen)
    return Settled(SELF_RIDGE, float(head.sharpness), distances(points, training.answered.truth), points, score)


# --- the fine look -------------------------------------------------------------------------------------------------


def _fit_fine(inputs: _Inputs, coarse: Cascade, out_of_fold: _OutOfFold | None, half: float) -> _Assessed:
    """A cascade with a fine look on crops of one size, and what out-of-fold labels say of it."""
    cascade = Cascade(coarse.coarse.reduction.shape[1], len(coarse.shape), fine=True)
    cascade.load_state_dict(coarse.state_dict(), strict=False)
    cascade.reach.fill_(half)
    assert cascade.fine is not None
    cascade.fine.reduction.copy_(coarse.coarse.reduction)
    seen = _coarse_output(cascade, out_of_fold.settled.points, out_of_fold.settled.score) if out_of_fold else None
    if seen is None:  # a single label: there is no picture that it was not learnt from
        answered = Labelled(np.zeros((1, 1, 1, 1), dtype=np.float16), inputs.points)
    else:
        crops = _crops(inputs.source, cascade, inputs.rows, seen.pose)
        answered = Labelled(crops, cascade.to_crop(inputs.points, seen.pose), accepted=inputs.accepted)
    pool = None
    if len(inputs.pool):
        unknown = torch.zeros(len(inputs.pool), len(coarse.shape), 2)
        unseen = Labelled(inputs.source.whole(inputs.pool), unknown)
        pose = cascade.pose(apply(coarse.coarse, unseen), apply(coarse.coarse.score, unseen))
        pool = _crops(inputs.source, cascade, inputs.pool, pose)
    moments = _crop_moments(inputs, cascade)
    parts = len(inputs.parts)
    training = _TrainingSet(answered, inputs.parts, moments[:parts], moments[parts:], pool, 1 / half)
    kept = _learn(cascade.fine, cascade.shape, training)
    return _assess(cascade, kept, answered.features, inputs, seen)


def _crop_moments(inputs: _Inputs, cascade: Cascade) -> list[Moments]:
    """Moments of random crops around the labels of each part's pictures, then of those that are only learnt from."""
    assert cascade.fine is not None
    rows, points = np.concatenate([inputs.rows, inputs.more[0]]), torch.cat([inputs.points, inputs.more[1]])
    count = len(inputs.rows)
    each = CROPS_OF_ONE if count == 1 else min(max(CROPS // count, 1), CROPS_OF_ONE)
    known = fit_pose(cascade.shape, points, usual=cascade.sizes[1])
    generator = torch.Generator().manual_seed(mixed_seed(inputs.seed, "crops"))
    out = []
    for part in [*inputs.parts, *([np.arange(count, len(rows))] if count < len(rows) else [])]:
        again = torch.from_numpy(part).repeat_interleave(each)
        pose = _jittered(known.take(again), generator)
        crops = _crops(inputs.source, cascade, rows[again.numpy()], pose)
        labelled = Labelled(crops, cascade.to_crop(points[again], pose))
        out.append(moments_of(cascade.fine, labelled, share=SHARE))
    return out


def _jittered(pose: Pose, generator: torch.Generator) -> Pose:
    """Poses near some, as a coarse look might give them."""
    angle, size, x, y = torch.rand(4, len(pose.turn), generator=generator) * 2 - 1
    radius, angle = (size * SCALED).exp(), angle * math.radians(TURNED)
    turn = product(pose.turn, torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1))
    return Pose(turn, pose.shift + torch.stack([x, y], dim=-1) * SHIFTED * pose.size[:, None])


def _crops(source: FeatureSource, cascade: Cascade, rows: Rows, pose: Pose) -> Features:
    """(n, C, h, w) features of crops."""
    return np.concatenate([f.half().cpu().numpy() for f in source.crops(rows, cascade.crop(pose))])


def _coarse_output(cascade: Cascade, points: Tensor, score: Tensor) -> CoarseOutput:
    return CoarseOutput(points, score, cascade.pose(points, score))


@torch.no_grad()
def _assess(
    cascade: Cascade,
    out_of_fold: _OutOfFold | None,
    features: Features,
    inputs: _Inputs,
    seen: CoarseOutput | None = None,
) -> _Assessed:
    """What out-of-fold labels say of a cascade.

    Args:
        cascade: whose last head learnt.
        out_of_fold: of its last head; None for a single label, of which nothing is held out.
        features: (N, C, h, w) that its last head looks at.
        inputs: with the true places in the whole pictures.
        seen: what the first head said of the pictures, if the last is another.
    """
    if out_of_fold is None:
        nothing = torch.zeros(0, len(cascade.shape))
        return _Assessed(cascade, nothing[..., None].expand(-1, -1, Cascade.SIGNALS), nothing, float("nan"))
    first = seen or _coarse_output(cascade, out_of_fold.settled.points, out_of_fold.settled.score)
    head = cascade.fine or cascade.coarse
    settled = head.weight.clone()
    found: list[CascadeOutput] = []
    for weight, part in zip(out_of_fold.weights, out_of_fold.parts, strict=True):
        head.weight.copy_(weight)
        of = torch.from_numpy(part)
        some = CoarseOutput(first.points[of], first.score[of], first.pose.take(of))
        found.append(cascade.refine(some, torch.from_numpy(np.asarray(features[part], dtype=np.float32))))
    head.weight.copy_(settled)
    order = torch.from_numpy(np.argsort(np.concatenate(out_of_fold.parts)))
    places, signals, size = (
        torch.cat(column)[order]
        for column in ([f.points for f in found], [f.signals for f in found], [f.size for f in found])
    )
    away = distances(places, Labelled(features, inputs.points, accepted=inputs.accepted).truth)
    return _Assessed(cascade, signals, 2 * away / size[:, None], float(away.nanmean()))
