"""Fitting a cascade: few labels, many unlabelled pictures, and held-out labels that decide."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.features import Features, Sight
from lead.nn.cascade import Cascade, First, Found
from lead.nn.confidence import Confidence
from lead.nn.heads import RidgeHead
from lead.nn.shape import Pose, common_shape, fit_pose, fit_pose_robustly, product
from lead.reporting import Progress
from lead.seeds import mixed_seed
from lead.training.confidence import fit_confidence
from lead.training.fit import (
    SINGLE_LABEL,
    Grams,
    Labelled,
    Settled,
    apply,
    check_labelled,
    distances,
    folds,
    grams,
    principal_components,
    settle,
    settle_by_folds,
    solve,
    total_rows,
    weighted,
)

Rows = npt.NDArray[np.int64]

MOST = 500
"""Labelled pictures that are used, at most: more cost time, and should change a closed-form head little."""
CROPS = 120
"""Crops of labelled pictures in all, turned and scaled at random; at least one of each picture."""
CROPS_OF_ONE = 24
TURNED, SCALED, SHIFTED = 15.0, 0.15, 0.2
"""Random crops: degrees, logarithm of the size, and radii of the shape; up to that, each way."""
SHARE = 0.25
"""Of the cells far from every landmark; see :func:`lead.training.fit.grams`."""
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
    """A cascade, and what held-out labels say of it.

    Attributes:
        head: fitted on every label.
        confidence: of its answers.
        error: mean distance on held-out labels as a share of the frame's side; NaN for one label.
    """

    head: Cascade
    confidence: Confidence
    error: float


@dataclass(frozen=True)
class _Given:
    """What a fit has to go by.

    Attributes:
        sight: of the pictures.
        rows: (N,) of its store, the labelled pictures.
        points: (N, K, 2) normalised.
        parts: positions in ``rows`` that are held out together.
        pool: (P,) rows of unlabelled pictures to learn from; perhaps none.
        seed: of the crops.
    """

    sight: Sight
    rows: Rows
    points: Tensor
    parts: list[Rows]
    pool: Rows
    seed: int


@dataclass(frozen=True)
class _Lesson:
    """What one stage learns from.

    Attributes:
        answered: a view of each labelled picture as it would be met, with its landmarks.
        parts: rows of ``answered`` that are held out together.
        moments: of what each part teaches.
        pool: (P, C, h, w) features of unlabelled pictures; None for no self-teaching.
        usual: size of the shape in these views.
    """

    answered: Labelled
    parts: list[Rows]
    moments: list[Grams]
    pool: Features | None
    usual: float


def fit_cascade(
    sight: Sight,
    rows: Rows,
    points: Tensor,
    *,
    hidden: npt.NDArray[np.bool_] | None = None,
    unlabelled: Rows | None = None,
    groups: Sequence[str] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> CascadeFit:
    """Fits both looks, keeps the second if it does better on held-out labels, and calibrates the result.

    Args:
        sight: of the pictures.
        rows: (N,) of the store: labelled pictures.
        points: (N, K, 2) normalised; NaN where unlabelled.
        hidden: (N, K) which landmarks are labelled as hidden; None if nothing says.
        unlabelled: rows of the store that may be learnt from without labels.
        groups: (N,) of the labelled pictures. Those of one group are alike as others are not, frames of one film say,
            and are held out together, lest the errors told be too small.
        seed: of the folds, the crops, and the unlabelled pictures that are drawn.
        progress: called as features of the labelled pictures are computed.

    Raises:
        LeadError: a landmark is labelled on no picture.
    """
    check_labelled(points)
    random = np.random.default_rng(mixed_seed(seed, "cascade"))
    if len(rows) > MOST:
        kept = np.sort(random.permutation(len(rows))[:MOST])
        some = points[torch.from_numpy(kept)]
        if not bool(some.isnan().any(-1).all(0).any()):  # a rare landmark's labels must not all be left out
            rows, points, hidden = rows[kept], some, None if hidden is None else hidden[kept]
            groups = None if groups is None else [groups[i] for i in kept.tolist()]
    parts = folds(len(rows), seed, groups) if len(rows) > 1 else [np.arange(1)]
    given = _Given(sight, rows, points, parts, _pool(rows, unlabelled, random), seed)
    features = sight.whole(rows, progress=progress)
    coarse, held = _fit_coarse(given, features)
    best = _assess(coarse, held, features, points)
    for half in _halves(coarse):
        look = _fit_fine(given, coarse, held, half)
        if not best.error <= look.error:  # NaN for a single label: the second look is taken on trust
            best = look
    flags = None if hidden is None else torch.from_numpy(hidden)
    confidence = fit_confidence(best.signals, best.errors, flags if len(best.signals) else None)
    return CascadeFit(best.head, confidence, best.error)


@dataclass(frozen=True)
class _Assessed:
    """A cascade with signals (n, K, S) and errors (n, K) in radii of held-out pictures; ``error`` as CascadeFit's."""

    head: Cascade
    signals: Tensor
    errors: Tensor
    error: float


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


# --- the first look --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Held:
    """What first looks said of pictures that they had not seen; and the weights that did, one a part.

    Attributes:
        settled: their answers.
        parts: rows of each part.
        weights: (D, K) of the head that had not seen the part.
    """

    settled: Settled
    parts: list[Rows]
    weights: list[Tensor]


def _fit_coarse(given: _Given, features: Features) -> tuple[Cascade, _Held | None]:
    """A cascade of one look, and what it said of held-out pictures; ``features`` are those of the labelled ones."""
    whole = Labelled(features, given.points)
    shape, size = common_shape(given.points)
    size = size or LONE_SIZE
    cascade = Cascade(whole.features.shape[1], whole.points.shape[1], fine=False)
    kept, dimension = cascade.coarse.reduction.shape
    if kept < dimension:
        cascade.coarse.reduction.copy_(principal_components(whole, kept))
    cascade.shape.copy_(shape)
    sizes = fit_pose(shape, whole.points, usual=size).size
    cascade.sizes.copy_(torch.stack([sizes.min(), sizes.mean(), sizes.max()]))
    moments = [grams(cascade.coarse, whole.take(part), share=SHARE) for part in given.parts]
    pool = given.sight.whole(given.pool) if len(given.pool) else None
    held = _learn(cascade.coarse, shape, _Lesson(whole, given.parts, moments, pool, size))
    return cascade, held


def _learn(head: RidgeHead, shape: Tensor, lesson: _Lesson) -> _Held | None:
    """Settles a head by what held-out labels say: from labels alone, or also from its own answers.

    Returns:
        What was said of held-out pictures; None for a single one.
    """
    if len(lesson.parts) == 1:
        settle(head, lesson.moments, *SINGLE_LABEL)
        if lesson.pool is not None:
            settle(head, [*lesson.moments, _self_taught(head, shape, lesson)], SELF_RIDGE, SINGLE_LABEL[1])
        return None
    plain = settle_by_folds(head, lesson.answered, lesson.parts, lesson.moments)
    weights = [solve(others, head.weight.shape[1], plain.ridge) for others in _others(lesson.moments)]
    if lesson.pool is None:
        return _Held(plain, lesson.parts, weights)
    taught = []
    settled_weight = head.weight.clone()
    for weight, others in zip(weights, _others(lesson.moments), strict=True):
        head.weight.copy_(weight)
        own = _self_taught(head, shape, replace(lesson, moments=others))
        taught.append(solve([*others, own], head.weight.shape[1], SELF_RIDGE))
    tried = _answers(head, lesson, taught)
    head.weight.copy_(settled_weight)
    if not float(tried.errors.nanmean()) < float(plain.errors.nanmean()):
        return _Held(plain, lesson.parts, weights)
    settle(head, [*lesson.moments, _self_taught(head, shape, lesson)], SELF_RIDGE, plain.sharpness)
    return _Held(tried, lesson.parts, taught)


def _others(moments: list[Grams]) -> list[list[Grams]]:
    """The moments of all parts but each."""
    return [[gram for j, gram in enumerate(moments) if j != i] for i in range(len(moments))]


def _self_taught(head: RidgeHead, shape: Tensor, lesson: _Lesson) -> Grams:
    """Moments of unlabelled pictures with the head's own answers, the shape put in where these are not believable.

    No picture is left out: to choose those that look right would be to learn what is known already.
    """
    assert lesson.pool is not None
    unknown = torch.zeros(len(lesson.pool), len(shape), 2)
    seen = Labelled(lesson.pool, unknown)
    points, score = apply(head, seen), apply(head.score, seen)
    pose, residual = fit_pose_robustly(shape, points, score + 0.05, usual=lesson.usual)
    believed = torch.where((residual < BELIEVED)[..., None], points, pose(shape))
    rows = total_rows(lesson.moments) * (1 - LABELLED_SHARE) / LABELLED_SHARE
    return weighted(grams(head, Labelled(lesson.pool, believed), share=SHARE), rows)


def _answers(head: RidgeHead, lesson: _Lesson, weights: list[Tensor]) -> Settled:
    """What heads of these weights, one a part, say of the parts."""
    points = torch.empty_like(lesson.answered.points)
    score = torch.empty(points.shape[:2])
    for weight, part in zip(weights, lesson.parts, strict=True):
        head.weight.copy_(weight)
        unseen = lesson.answered.take(part)
        points[part], score[part] = apply(head, unseen), apply(head.score, unseen)
    return Settled(SELF_RIDGE, float(head.sharpness), distances(points, lesson.answered.points), points, score)


# --- the second look -------------------------------------------------------------------------------------------------


def _fit_fine(given: _Given, coarse: Cascade, held: _Held | None, half: float) -> _Assessed:
    """A cascade with a second look on crops of one size, and what held-out labels say of it."""
    cascade = Cascade(coarse.coarse.reduction.shape[1], len(coarse.shape), fine=True)
    cascade.load_state_dict(coarse.state_dict(), strict=False)
    cascade.reach.fill_(half)
    assert cascade.fine is not None
    cascade.fine.reduction.copy_(coarse.coarse.reduction)
    seen = _first(cascade, held.settled.points, held.settled.score) if held else None
    if seen is None:  # a single label: there is no picture that it was not learnt from
        answered = Labelled(np.zeros((1, 1, 1, 1), dtype=np.float16), given.points)
    else:
        crops = _crops(given.sight, cascade, given.rows, seen.pose)
        answered = Labelled(crops, cascade.to_crop(given.points, seen.pose))
    pool = None
    if len(given.pool):
        unknown = torch.zeros(len(given.pool), len(coarse.shape), 2)
        unseen = Labelled(given.sight.whole(given.pool), unknown)
        pose = cascade.pose(apply(coarse.coarse, unseen), apply(coarse.coarse.score, unseen))
        pool = _crops(given.sight, cascade, given.pool, pose)
    lesson = _Lesson(answered, given.parts, _crop_moments(given, cascade), pool, 1 / half)
    kept = _learn(cascade.fine, cascade.shape, lesson)
    return _assess(cascade, kept, answered.features, given.points, seen)


def _crop_moments(given: _Given, cascade: Cascade) -> list[Grams]:
    """Moments, for each part, of random crops around its pictures' labels."""
    assert cascade.fine is not None
    rows, points = given.rows, given.points
    each = CROPS_OF_ONE if len(rows) == 1 else min(max(CROPS // len(rows), 1), CROPS_OF_ONE)
    known = fit_pose(cascade.shape, points, usual=cascade.sizes[1])
    generator = torch.Generator().manual_seed(mixed_seed(given.seed, "crops"))
    out = []
    for part in given.parts:
        again = torch.from_numpy(part).repeat_interleave(each)
        pose = _jittered(known.take(again), generator)
        crops = _crops(given.sight, cascade, rows[again.numpy()], pose)
        labelled = Labelled(crops, cascade.to_crop(points[again], pose))
        out.append(grams(cascade.fine, labelled, share=SHARE))
    return out


def _jittered(pose: Pose, generator: torch.Generator) -> Pose:
    """Poses near some, as a first look might give them."""
    angle, size, x, y = torch.rand(4, len(pose.turn), generator=generator) * 2 - 1
    radius, angle = (size * SCALED).exp(), angle * math.radians(TURNED)
    turn = product(pose.turn, torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1))
    return Pose(turn, pose.shift + torch.stack([x, y], dim=-1) * SHIFTED * pose.size[:, None])


def _crops(sight: Sight, cascade: Cascade, rows: Rows, pose: Pose) -> Features:
    """(n, C, h, w) features of crops."""
    return np.concatenate([f.half().cpu().numpy() for f in sight.crops(rows, cascade.crop(pose))])


def _first(cascade: Cascade, points: Tensor, score: Tensor) -> First:
    return First(points, score, cascade.pose(points, score))


@torch.no_grad()
def _assess(
    cascade: Cascade, held: _Held | None, features: Features, points: Tensor, seen: First | None = None
) -> _Assessed:
    """What held-out labels say of a cascade.

    Args:
        cascade: whose last head learnt.
        held: of its last head; None for a single label, of which nothing is held out.
        features: (N, C, h, w) that its last head looks at.
        points: (N, K, 2) true places in the whole pictures.
        seen: what the first head said of the pictures, if the last is another.
    """
    if held is None:
        nothing = torch.zeros(0, len(cascade.shape))
        return _Assessed(cascade, nothing[..., None].expand(-1, -1, Cascade.SIGNALS), nothing, float("nan"))
    first = seen or _first(cascade, held.settled.points, held.settled.score)
    head = cascade.fine or cascade.coarse
    settled = head.weight.clone()
    found: list[Found] = []
    for weight, part in zip(held.weights, held.parts, strict=True):
        head.weight.copy_(weight)
        of = torch.from_numpy(part)
        some = First(first.points[of], first.score[of], first.pose.take(of))
        found.append(cascade.refine(some, torch.from_numpy(np.asarray(features[part], dtype=np.float32))))
    head.weight.copy_(settled)
    order = torch.from_numpy(np.argsort(np.concatenate(held.parts)))
    places, signals, size = (
        torch.cat(column)[order]
        for column in ([f.points for f in found], [f.signals for f in found], [f.size for f in found])
    )
    away = distances(places, points)
    return _Assessed(cascade, signals, 2 * away / size[:, None], float(away.nanmean()))
