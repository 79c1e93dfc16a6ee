"""Fitting a cascade: few labels, many unlabelled pictures, and out-of-fold labels that decide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.feature_files import Features
from lead.features import FeatureSource
from lead.landmarks import curves
from lead.nn.cascade import Cascade, CascadeOutput, CoarseOutput
from lead.nn.confidence import Confidence
from lead.nn.heads import EITHER_SIDE, PLAIN, Lie
from lead.nn.shape import Pose, common_shape, conjugate, fit_pose, product
from lead.nn.steered import SteeredHead
from lead.reporting import Progress
from lead.seeds import mixed_seed
from lead.training.confidence import PRIOR, fit_confidence, learn_across
from lead.training.fit import Moments, apply, moments_of, principal_components
from lead.training.inputs import Inputs, gathered, jittered, stacked, views_each
from lead.training.labelled import Labelled, check_labelled, distances
from lead.training.local import add_local_looks
from lead.training.looks import SHARE, OutOfFold, Rows, TrainingSet, learn, lies_of, moments_as_they_lie
from lead.training.lying import ways_to_lie

MOST = 500
"""Labelled pictures that are used, at most: more cost time, and should change a closed-form head little."""
TURNED, SHIFTED = 15.0, 0.2
"""Random crops: degrees, and radii of the shape; up to that, each way."""
FEWEST_VIEWS = 4
"""Of each labelled picture, turned, from which the coarse look learns where things lie any way."""
ASIDE = 0.1
"""Shift of such a view's centre, in normalised units; up to that, each way."""
LONE_SIZE = 0.3
"""Size of the shape, in normalised units, where it has none: a single landmark, or several on one spot."""
ASKED = 30
"""Unlabelled pictures that say which way to look suits them, where a single label cannot."""
BETTER = 0.8
"""Error, out of fold or expected, as a share of the likeliest way's, below which another way to look is taken: labels
that happen to lie alike speak for it too."""
WIDER, STRAY = 1.2, 0.6
"""Landmarks among other things' are looked for this much farther off than any label is; in crops at least so many radii
around their place in the shape."""


@dataclass(frozen=True)
class CascadeFit:
    """A cascade, and what out-of-fold labels say of it.

    Attributes:
        head: fitted on every label.
        confidence: of its answers.
        error: mean distance on out-of-fold labels as a share of the frame's side; NaN for one label.
        across: the same of semilandmarks to the side of their curves, and of these in all; None where nothing slides.
        turned: whether things lie any way.
        mirrored: labelled pictures that show mirror images of what the others show.
        doubt: of labelled pictures while they were held out, by row; see :meth:`CascadeOutput.doubt`.
    """

    head: Cascade
    confidence: Confidence
    error: float
    across: tuple[float, float] | None = None
    turned: bool = False
    mirrored: int = 0
    doubt: Mapping[int, float] = field(default_factory=dict)


def fit_cascade(
    source: FeatureSource,
    rows: Rows,
    points: Tensor,
    *,
    hidden: npt.NDArray[np.bool_] | None = None,
    accepted: npt.NDArray[np.bool_] | None = None,
    unlabelled: Rows | None = None,
    groups: Sequence[str] | None = None,
    sliders: npt.NDArray[np.int64] | None = None,
    turned: bool = False,
    among: bool = False,
    seed: int = 0,
    progress: Progress | None = None,
    most: int = MOST,
    halves: Sequence[float] | None = None,
    local: bool = True,
) -> CascadeFit:
    """Fits all looks, keeps those that do better on out-of-fold labels, and calibrates the result.

    Args:
        source: of the pictures.
        rows: (N,) of the store: labelled pictures.
        points: (N, K, 2) normalised; NaN where unlabelled.
        hidden: (N, K) which landmarks are labelled as hidden; None if nothing says.
        accepted: (N, K) which points are accepted suggestions: learnt from, but no error rests on them.
        unlabelled: rows of the store that may be learnt from without labels.
        groups: (N,) of the labelled pictures. Those of one group are alike as others are not, frames of one film say,
            and fall in one fold, lest the expected errors be too small. Where there are none, near-duplicates are.
        sliders: (S, 3) as of :attr:`lead.Schema.sliders`, for errors across curves; None if nothing slides.
        turned: whether things are expected to lie any way; see :func:`lie_any_way`.
        among: whether pictures are windows that show one thing in the middle, and perhaps others like it beside. If
            such lie any way, headings are searched, even if labels that happen to agree speak against it.
        seed: of the folds, the crops, and the unlabelled pictures that are drawn.
        progress: called as features of the labelled pictures are computed.
        most: labelled pictures that are used.
        halves: crops to try for the second look, by half their side in radii; by default what suits the landmarks.
        local: whether local looks are tried.

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
    inputs = gathered(source, rows, points, accepted, groups, unlabelled, random, turned, seed, progress)
    features = source.whole(inputs.rows)
    ways = ways_to_lie(inputs.points, inputs.side, turned=inputs.turned, cells=features.shape[-1])
    inputs = replace(inputs, among=among)
    if among and inputs.turned and len(ways[0]) > 1:
        ways = ways[:1]
    if len(inputs.parts) == 1 < len(ways):  # a single label says nothing; the unlabelled pictures do
        best, other = (_fit_looks(inputs, features, [lies], halves) for lies in ways)
        if _doubt(inputs, other.head) < _doubt(inputs, best.head) + math.log(BETTER):
            best = other
    else:
        best = _fit_looks(inputs, features, ways, halves)
    mirrored = 0 if inputs.side is None else int((inputs.side < 0).sum())
    if best.found is None:
        nothing = torch.zeros(0, points.shape[1])
        confidence = fit_confidence(nothing[..., None].expand(-1, -1, Cascade.SIGNALS), nothing)
        across = _across(confidence, nothing[..., None].expand(-1, -1, 2), inputs, sliders)
        return CascadeFit(best.head, confidence, best.error, across, inputs.turned, mirrored)
    flags = None if hidden is None else torch.from_numpy(hidden[np.isin(rows, inputs.rows)])
    errors = 2 * best.away / best.found.size[:, None]
    confidence = fit_confidence(best.found.signals, errors, flags)
    closer = add_local_looks(inputs, best.head, best.found, confidence) if local else None
    head, error, answers = best.head, best.error, best.found.points
    if closer is not None:
        head, confidence, answers = closer.head, closer.confidence, closer.points
        error = float(distances(answers, inputs.truth).nanmean())
    across = _across(confidence, answers, inputs, sliders)
    doubt = dict(zip(inputs.rows.tolist(), best.found.doubt(confidence).tolist(), strict=True))
    return CascadeFit(head, confidence, error, across, inputs.turned, mirrored, doubt)


def _across(
    confidence: Confidence, answers: Tensor, inputs: Inputs, sliders: npt.NDArray[np.int64] | None
) -> tuple[float, float] | None:
    """As :attr:`CascadeFit.across`, which the confidence learns too.

    Args:
        confidence: of the answers.
        answers: (N, K, 2) of pictures while they were held out; N may be 0.
        inputs: with the true places.
        sliders: as of :func:`fit_cascade`.
    """
    if sliders is None or not len(sliders):
        return None
    truth, labelled = (table[: len(answers)] for table in (inputs.truth, inputs.points))
    aside = curves.across(answers.double().numpy(), labelled.double().numpy(), sliders) / 2
    away = distances(answers, truth)
    parts = torch.from_numpy(aside).float().where(~away.isnan(), torch.nan)
    slides = torch.zeros(away.shape[1], dtype=torch.bool)
    slides[torch.from_numpy(sliders[:, 1])] = True
    learn_across(confidence, slides, parts, away)
    return float(parts.nanmean()), float(away[:, slides].nanmean())


@dataclass(frozen=True)
class _Assessed:
    """A cascade, and what it said of out-of-fold pictures, None where there is none.

    Attributes:
        head: fitted on every label.
        found: of N pictures.
        away: (N, K) distances from the labels, as shares of the frame's side; NaN where there is none to judge by.
    """

    head: Cascade
    found: CascadeOutput | None
    away: Tensor

    @property
    def error(self) -> float:
        """As :attr:`CascadeFit.error`."""
        return float(self.away.nanmean())


def _halves(cascade: Cascade) -> list[float]:
    """Crops to try, by half their side in radii: what the landmarks take up with some room, and half-way to the frame.

    A crop never shows more than the whole picture does.
    """
    extent = max(float(cascade.shape.norm(dim=-1).max()), 1.0)  # less only where the shape has no size
    frame = 1 / float(cascade.sizes[1])
    tight = min(1.15 * extent + 0.35, frame)
    return [tight, math.sqrt(tight * frame)] if frame > 1.3 * tight else [tight]


# --- the coarse look --------------------------------------------------------------------------------------------------


def _fit_looks(
    inputs: Inputs, features: Features, ways: Sequence[tuple[Lie, ...]], halves: Sequence[float] | None
) -> _Assessed:
    """Both looks, of which the second may be missing; the first tries one of some ``ways`` for things to lie."""
    best, coarse, out_of_fold = _best_coarse(inputs, features, ways)
    for half in _halves(coarse) if halves is None else halves:
        look = _fit_fine(inputs, coarse, out_of_fold, half)
        if not best.error <= look.error:  # NaN for a single label: the fine look is taken unchecked
            best = look
    return best


def _doubt(inputs: Inputs, head: Cascade) -> float:
    """Logarithm of the error to expect on unlabelled pictures, as far as that holds for things in general."""
    some = inputs.pool[np.linspace(0, len(inputs.pool) - 1, min(ASKED, len(inputs.pool))).round().astype(int)]
    found = inputs.source.find(head, some) if len(some) else ()
    signals = [out.signals.cpu() @ torch.tensor(PRIOR.weight) for out in found]
    return float(torch.cat(signals).mean()) if signals else 0.0  # then the likeliest way is taken


def _best_coarse(
    inputs: Inputs, features: Features, ways: Sequence[tuple[Lie, ...]]
) -> tuple[_Assessed, Cascade, OutOfFold | None]:
    """A cascade of one look, assessed, and what it said of out-of-fold pictures.

    Where things lie any way, headings are searched unless that does worse, as of things that are small in the picture.
    Where some are labelled as mirror images, both sides are tried for each picture, if that does better: what looks the
    same from both sides, but for the names of left and right, is better taken for what most are.

    Args:
        inputs: labelled pictures.
        features: (N, C, h, w) of these.
        ways: for things to lie, the likeliest first.
    """
    tried = []
    for lies in ways:
        coarse, out_of_fold = _fit_coarse(inputs, features, lies)
        tried.append((_assess(coarse, out_of_fold, features, inputs), coarse, out_of_fold))
    first, *others = tried
    best = min(others, key=lambda one: one[0].error, default=first)
    return best if best[0].error < BETTER * first[0].error else first  # also where a single label says nothing


def _fit_coarse(inputs: Inputs, features: Features, lies: Sequence[Lie]) -> tuple[Cascade, OutOfFold | None]:
    """A cascade of one look that tries some ways to lie, and what it said of out-of-fold pictures."""
    whole = Labelled(features, inputs.points, accepted=inputs.accepted)
    shape, size = common_shape(inputs.points, inputs.side)
    size = size or LONE_SIZE
    cascade = Cascade(whole.features.shape[1], whole.points.shape[1], fine=False, lies=lies, bounded=inputs.among)
    if inputs.among:
        farthest = float(whole.points.norm(dim=-1).nan_to_num().max())
        cascade.coarse.bounds = torch.tensor([[0.0, 0.0, max(WIDER * farthest, STRAY)]])
    kept, dimension = cascade.coarse.reduction.shape
    if kept < dimension:
        cascade.coarse.reduction.copy_(principal_components(whole, kept))
    cascade.shape.copy_(shape)
    poses = fit_pose(shape, whole.points, usual=size, side=inputs.side)
    cascade.sizes.copy_(torch.stack([poses.size.min(), poses.size.mean(), poses.size.max()]))
    if isinstance(cascade.coarse, SteeredHead):
        cascade.coarse.shape.copy_(shape)
        cascade.coarse.usual.fill_(size)
    learnt = [moments_as_they_lie(cascade.coarse, *views) for views in _whole_views(inputs, cascade, whole, poses)]
    moments, more = learnt[: len(inputs.parts)], learnt[len(inputs.parts) :]
    pool = inputs.source.whole(inputs.pool) if len(inputs.pool) else None
    out_of_fold = learn(cascade.coarse, shape, TrainingSet(whole, inputs.parts, moments, more, pool, size))
    return cascade, out_of_fold


def _whole_views(
    inputs: Inputs, cascade: Cascade, whole: Labelled, poses: Pose
) -> Iterator[tuple[Labelled, list[Lie]]]:
    """Whole pictures of each part, then of those that are only learnt from, with how things lie in them.

    Where headings are searched, each is seen all round.
    """
    source, more = inputs.source, inputs.more
    others = fit_pose(cascade.shape, more.points, usual=cascade.sizes[1], side=more.side)
    if cascade.lies in ((PLAIN,), EITHER_SIDE):
        for part in inputs.parts:
            yield whole.take(part), lies_of(cascade.coarse, poses.take(torch.from_numpy(part)))
        if len(more.rows):
            yield Labelled(source.whole(more.rows), more.points), lies_of(cascade.coarse, others)
        return
    generator = torch.Generator().manual_seed(mixed_seed(inputs.seed, "turned"))
    each = views_each(len(whole), FEWEST_VIEWS)
    parts = [(inputs.rows[p], inputs.points[p], poses.take(torch.from_numpy(p))) for p in inputs.parts]
    for rows, points, pose in [*parts, (more.rows, more.points, others)] if len(more.rows) else parts:
        again = torch.arange(len(rows)).repeat_interleave(each)
        steps = torch.arange(each).repeat(len(rows))  # about evenly, so that no heading is missing
        draws = torch.rand(len(again), 3, generator=generator)
        angle = 2 * math.pi * (steps + draws[:, 0]) / each
        view = Pose(torch.stack([angle.cos(), angle.sin()], dim=-1), ASIDE * (2 * draws[:, 1:] - 1))
        features = stacked(source.crops(rows[again.numpy()], view.affine(1.0)))
        seen = pose.take(again)
        within = Pose(product(conjugate(view.turn), seen.turn), seen.shift, seen.side)
        yield Labelled(features, view.inverse(points[again])), lies_of(cascade.coarse, within)


# --- the fine look -------------------------------------------------------------------------------------------------


def _fit_fine(inputs: Inputs, coarse: Cascade, out_of_fold: OutOfFold | None, half: float) -> _Assessed:
    """A cascade with a fine look on crops of one size, and what out-of-fold labels say of it."""
    sizes = coarse.coarse.reduction.shape[1], len(coarse.shape)
    cascade = Cascade(*sizes, fine=True, lies=coarse.lies, bounded=inputs.among)
    cascade.load_state_dict(coarse.state_dict(), strict=False)
    cascade.reach.fill_(half)
    assert cascade.fine is not None
    cascade.fine.reduction.copy_(coarse.coarse.reduction)
    if inputs.among:
        cascade.fine.bounds = _bounds(inputs, coarse, half)
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
    training = TrainingSet(answered, inputs.parts, moments[:parts], moments[parts:], pool, 1 / half)
    kept = learn(cascade.fine, cascade.shape, training)
    return _assess(cascade, kept, answered.features, inputs, seen)


def _bounds(inputs: Inputs, coarse: Cascade, half: float) -> Tensor:
    """(K, 3) where landmarks are looked for in crops, so that those of another thing beside are not."""
    pose = fit_pose(coarse.shape, inputs.points, usual=coarse.sizes[1], side=inputs.side)
    strayed = (pose.inverse(inputs.points) - coarse.shape).norm(dim=-1).nan_to_num().amax(0)  # (K,) in radii
    return torch.cat([coarse.shape, (WIDER * strayed).clamp(min=STRAY)[:, None]], dim=1) / half


def _crop_moments(inputs: Inputs, cascade: Cascade) -> list[Moments]:
    """Moments of random crops around the labels of each part's pictures, then of those that are only learnt from."""
    assert cascade.fine is not None
    rows, points, side = inputs.every()
    count = len(inputs.rows)
    each = views_each(count, 1)
    turned = 180.0 if inputs.turned and not bool(cascade.shape.any()) else TURNED  # a point's heading is unknown
    known = fit_pose(cascade.shape, points, usual=cascade.sizes[1], side=side)
    generator = torch.Generator().manual_seed(mixed_seed(inputs.seed, "crops"))
    out = []
    for part in [*inputs.parts, *([np.arange(count, len(rows))] if count < len(rows) else [])]:
        again = torch.from_numpy(part).repeat_interleave(each)
        pose = jittered(known.take(again), turned, SHIFTED, generator)
        crops = _crops(inputs.source, cascade, rows[again.numpy()], pose)
        labelled = Labelled(crops, cascade.to_crop(points[again], pose))
        out.append(moments_of(cascade.fine, labelled, share=SHARE))
    return out


def _crops(source: FeatureSource, cascade: Cascade, rows: Rows, pose: Pose) -> Features:
    """(n, C, h, w) features of crops."""
    return stacked(source.crops(rows, cascade.crop(pose)))


def _coarse_output(cascade: Cascade, points: Tensor, score: Tensor) -> CoarseOutput:
    return CoarseOutput(points, score, cascade.pose(points, score))


@torch.no_grad()
def _assess(
    cascade: Cascade,
    out_of_fold: OutOfFold | None,
    features: Features,
    inputs: Inputs,
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
        return _Assessed(cascade, None, torch.zeros(0, len(cascade.shape)))
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
    out = CascadeOutput.joined(found).take(order)
    return _Assessed(cascade, out, distances(out.points, inputs.truth))
