"""Landmark heads fitted on frozen features, from one label to all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy.linalg import blas
from torch import Tensor
from torch.nn import functional

from lead.geometry import soft_argmax
from lead.heads import Calibration, Head
from lead.nn.heads import FILTERS, PLAIN, REDUCED, Lie, RidgeHead, SoftArgmaxHead, gaussian_maps
from lead.seeds import mixed_seed
from lead.training.labelled import FOLDS, Labelled, check_labelled, distances, folds, judging
from lead.tuning import keep_freed_memory

FittedKind = Literal["cascade", "ridge", "softargmax"]
PlainKind = Literal["ridge", "softargmax"]
"""Heads that answer from the features of a whole picture."""

SIGMA = 1.0
"""Width of the ridge head's target bumps, in cells."""
SINGLE_LABEL = (1e-2, 60.0)
"""Ridge and sharpness where a lone label leaves nothing to choose them on."""
FAR = 1e-3
"""Height of all target bumps below which a cell counts as far from every landmark."""
MAP_VALUES = 2**23
"""Values of the soft-argmax head's maps that a training step works on at once: smaller tensors are worked on faster."""


@dataclass(frozen=True)
class Choices:
    """What cross-validation chooses from.

    Attributes:
        ridges: strengths of the penalty.
        sharpnesses: of the soft-argmax. Flatter ones draw every answer to the picture's middle; with few labels
            cross-validation cannot say.
    """

    ridges: tuple[float, ...] = (1e-5, 1e-4, 1e-3, 1e-2)
    sharpnesses: tuple[float, ...] = (60.0, 120.0, 240.0)


CHOICES = Choices()


@dataclass(frozen=True)
class Fitted:
    """A head, and what out-of-fold labels say of it.

    Attributes:
        head: fitted on every label.
        kind: which head it is.
        error: mean distance on labels that the head had not seen, as a share of the frame's side; NaN for one label.
        calibration: of its score, or None where fewer than ``FOLDS`` pictures are labelled.
        held_out: points (N, K, 2), normalised, and scores (N, K) of each picture by a head that had not seen it (see
            :func:`judging`); None where the head was not cross-validated over all pictures.
    """

    head: Head
    kind: PlainKind
    error: float
    calibration: Calibration | None
    held_out: tuple[Tensor, Tensor] | None = None


def fit_head(
    labelled: Labelled, *, kind: PlainKind = "ridge", seed: int = 0, recipe: SoftArgmaxRecipe | None = None
) -> Fitted:
    """Fits a head, and calibrates its score on out-of-fold labels; ``recipe`` is as for :func:`train_softargmax`.

    Raises:
        LeadError: a landmark is labelled on no picture.
    """
    check_labelled(labelled.points)
    return fit_ridge(labelled, seed=seed) if kind == "ridge" else _fit_softargmax(labelled, seed, recipe)


# --- ridge ---------------------------------------------------------------------------------------------------------


@dataclass
class _Sums:
    """XᵀX and XᵀY of some pictures, and how many rows they sum over; for landmarks labelled on all of them."""

    xx: Tensor
    xy: Tensor
    rows: float


Moments = dict[tuple[int, ...], _Sums]
"""Of one part of the pictures: groups of landmarks (by position) that are labelled on the same ones."""


def fit_ridge(
    labelled: Labelled, *, radius: int = 1, sigma: float = SIGMA, seed: int = 0, choices: Choices = CHOICES
) -> Fitted:
    """Ridge regression to heat maps; its strength and sharpness by cross-validation over pictures."""
    rows, others = judging(labelled.points, labelled.accepted)
    judged, rest = labelled.take(rows), labelled.take(others)
    head = RidgeHead(labelled.features.shape[1], labelled.points.shape[1], radius)
    if labelled.features.shape[1] > REDUCED:
        head.reduction = principal_components(judged, REDUCED)
    parts = folds(len(judged), seed) if len(judged) > 1 else [np.arange(1)]
    moments = [moments_of(head, judged.take(part), sigma) for part in parts]
    more = [moments_of(head, rest, sigma)] if len(rest) else []
    if len(judged) == 1:
        settle(head, [*moments, *more], *SINGLE_LABEL)
        return Fitted(head, "ridge", float("nan"), None)
    seen = settle_by_folds(head, judged, parts, moments, choices)
    calibration = calibrate(seen.score, seen.errors)
    points, score = torch.empty_like(labelled.points), torch.empty(labelled.points.shape[:2])
    points[rows], score[rows] = seen.points, seen.score
    if more:
        points[others], score[others] = apply(head, rest), apply(head.score, rest)
        settle(head, [*moments, *more], seen.ridge, seen.sharpness)
    return Fitted(head, "ridge", float(seen.errors.nanmean()), calibration, (points, score))


def settle(head: RidgeHead, moments: list[Moments], ridge: float, sharpness: float) -> None:
    """Gives a head the solution of the moments of all parts."""
    head.weight.copy_(solve(moments, head.weight.shape[1], ridge))
    head.sharpness.fill_(sharpness)


@dataclass(frozen=True)
class Settled:
    """What cross-validation chose, and what it said of N pictures by heads that had not seen them.

    Attributes:
        ridge, sharpness: chosen.
        errors: (N, K), as :func:`distances`; NaN also where a suggestion was accepted.
        points, score: (N, K, 2) normalised, (N, K).
    """

    ridge: float
    sharpness: float
    errors: Tensor
    points: Tensor
    score: Tensor


def settle_by_folds(
    head: RidgeHead,
    labelled: Labelled,
    parts: list[npt.NDArray[np.int64]],
    moments: list[Moments],
    choices: Choices = CHOICES,
) -> Settled:
    """As :func:`settle`, with the ridge and the sharpness that do best on parts held out in turn.

    Args:
        head: to settle.
        labelled: what is answered for each picture by a head that has not seen its part.
        parts: rows of ``labelled``, of each part.
        moments: of what each part teaches.
        choices: to choose from.
    """
    held_out = _cross_validate(head, labelled, parts, moments, choices)
    reference = labelled.truth if not bool(labelled.truth.isnan().all()) else labelled.points
    errors = {key: distances(found, reference) for key, (found, _) in held_out.items()}
    best = min(errors, key=lambda key: float(errors[key].nanmean()))
    settle(head, moments, *best)
    found, score = held_out[best]
    return Settled(*best, distances(found, labelled.truth), found, score)


def _cross_validate(
    head: RidgeHead, labelled: Labelled, parts: list[npt.NDArray[np.int64]], moments: list[Moments], choices: Choices
) -> dict[tuple[float, float], tuple[Tensor, Tensor]]:
    """What each (ridge, sharpness) says of pictures it has not seen: points (N, K, 2) and scores (N, K)."""
    count, landmarks = labelled.points.shape[:2]
    ridges, sharpnesses = choices.ridges, choices.sharpnesses
    points = {(r, s): torch.empty(count, landmarks, 2) for r in ridges for s in sharpnesses}
    scores = {r: torch.empty(count, landmarks) for r in ridges}
    for fold, part in enumerate(parts):
        others = [sums for i, sums in enumerate(moments) if i != fold]
        weights = [solve(others, landmarks, ridge) for ridge in ridges]
        unseen = labelled.take(part)
        for chunk in unseen.chunks():
            rows = torch.from_numpy(part[chunk])
            heats = head.heat_of(head.inputs(unseen.feature_chunk(chunk)), torch.cat(weights, dim=1))
            heats = heats.reshape(len(heats), len(ridges), landmarks, *heats.shape[-2:])
            for ridge, heat in zip(ridges, heats.unbind(1), strict=True):
                scores[ridge][rows] = head.height(heat)
                for sharpness in sharpnesses:
                    points[ridge, sharpness][rows] = soft_argmax(sharpness * heat)
    return {(ridge, sharpness): (found, scores[ridge]) for (ridge, sharpness), found in points.items()}


def principal_components(labelled: Labelled, count: int) -> Tensor:
    """(count, C): the leading directions of the labelled pictures' unit features, about zero."""
    moment: Tensor | float = 0.0
    for chunk in labelled.chunks():
        unit = functional.normalize(labelled.feature_chunk(chunk), dim=1).transpose(0, 1).flatten(1)  # (C, n·h·w)
        moment = moment + unit @ unit.T
    assert isinstance(moment, Tensor)
    vectors: Tensor = torch.linalg.eigh(moment.double()).eigenvectors  # columns, ascending
    return vectors[:, -count:].T.flip(0).float().contiguous()


def moments_of(
    head: RidgeHead, labelled: Labelled, sigma: float = SIGMA, share: float = 1.0, lie: Lie = PLAIN
) -> Moments:
    """Moments of the design, for each group of landmarks that is labelled on the same pictures.

    Almost always every landmark is labelled everywhere, and there is one group.

    Args:
        head: whose design it is.
        labelled: pictures.
        sigma: width of the target bumps, in cells.
        share: of the cells far from every landmark, how many are looked at. They count as much more each, so that the
            moments are the same on average, at a fraction of the time.
        lie: of the things in these pictures.
    """
    order = None if lie == PLAIN else head.order(lie)
    random = torch.Generator().manual_seed(0)
    known = ~torch.isnan(labelled.points).any(-1)  # (N, K)
    groups: dict[tuple[bool, ...], list[int]] = {}
    for landmark in range(known.shape[1]):
        groups.setdefault(tuple(known[:, landmark].tolist()), []).append(landmark)
    size = len(head.weight)
    out: Moments = {
        tuple(members): _Sums(torch.zeros(size, size), torch.zeros(size, len(members)), 0)
        for members in groups.values()
    }
    # Pictures that label the same landmarks are taken together, so that every picture's moments are computed once.
    patterns, alike = torch.unique(known, dim=0, return_inverse=True)
    for number, pattern in enumerate(patterns):
        chosen = labelled.take(torch.nonzero(alike == number)[:, 0].numpy())
        there = [members for members in out if bool(pattern[members[0]])]
        for chunk in chosen.chunks() if there else []:
            features = chosen.feature_chunk(chunk)
            places = chosen.points[chunk].nan_to_num(torch.inf)  # an unlabelled one has no bump anywhere
            maps = gaussian_maps(places, features.shape[-2], features.shape[-1], sigma)
            maps = maps.flatten(2).transpose(1, 2).flatten(0, 1)  # (n·h·w, K)
            count = len(maps)
            if share < 1:
                near = maps.amax(1) > FAR
                kept = torch.nonzero(near | (torch.rand(count, generator=random) < share))[:, 0]
                weight = torch.where(near, 1.0, share**-0.5)[kept, None]
                design, maps = head.design_at(features, kept).mul_(weight), maps[kept] * weight
            else:
                design = head.design(features).flatten(0, 1)  # (n·h·w, D)
            design = design if order is None else design[:, order]
            moments = _square(design)
            for members in there:
                out[members].xx += moments
                out[members].xy += design.T @ maps[:, list(members)]
                out[members].rows += count
    return out


def _square(design: Tensor) -> Tensor:
    """``design.T @ design``, of which BLAS works out one triangle: in less than half the time."""
    upper = torch.from_numpy(blas.ssyrk(1.0, design.numpy().T))  # (D, D); zeros below the diagonal
    return upper + upper.triu(1).T


def added(parts: Sequence[Moments]) -> Moments:
    """The moments of several sets of pictures together."""
    out: Moments = {}
    for part in parts:
        for key, sums in part.items():
            known = out.get(key)
            out[key] = sums if known is None else _Sums(known.xx + sums.xx, known.xy + sums.xy, known.rows + sums.rows)
    return out


def weighted(moments: Moments, rows: float) -> Moments:
    """Moments that count as much as ``rows`` rows, however many they were of."""
    return {
        key: _Sums(sums.xx * (rows / sums.rows), sums.xy * (rows / sums.rows), rows) for key, sums in moments.items()
    }


def total_rows(parts: list[Moments]) -> float:
    """Rows in all, of the group that has most in each part."""
    return sum(max(sums.rows for sums in part.values()) for part in parts)


def solve(parts: list[Moments], landmarks: int, ridge: float) -> Tensor:
    """The weights (D, landmarks) from summed moments."""
    size = len(next(iter(parts[0].values())).xx)
    weight = torch.zeros(size, landmarks)
    systems: dict[tuple[tuple[int, ...], ...], list[int]] = {}  # landmarks that share their group in every part
    for landmark in range(landmarks):
        key = tuple(next(group for group in part if landmark in group) for part in parts)
        systems.setdefault(key, []).append(landmark)
    for key, members in systems.items():
        groups = [(group, part[group]) for group, part in zip(key, parts, strict=True)]
        rows = sum(sums.rows for _, sums in groups)
        if rows == 0:  # labelled on none of these pictures: the heat map stays flat, the answer is the middle
            continue
        xx = torch.stack([sums.xx for _, sums in groups]).sum(0)
        xy = torch.stack([sums.xy[:, [group.index(m) for m in members]] for group, sums in groups]).sum(0)
        system = (xx / rows).double() + ridge * torch.eye(size, dtype=torch.float64)
        weight[:, members] = torch.cholesky_solve((xy / rows).double(), torch.linalg.cholesky(system)).float()
    return weight


def apply(function: Callable[[Tensor], Tensor], labelled: Labelled) -> Tensor:
    """A head, or its score, on every picture, a chunk at a time."""
    with torch.inference_mode():
        return torch.cat([function(labelled.feature_chunk(chunk)) for chunk in labelled.chunks()])


def calibrate(scores: Tensor, errors: Tensor) -> Calibration | None:
    """Expected error as a never-ascending function of the score, from out-of-fold labels.

    Args:
        scores: (N, K).
        errors: (N, K), NaN where unlabelled.

    Returns:
        None for fewer than ``FOLDS`` pictures, which say too little.
    """
    known = ~torch.isnan(errors)
    if int(known.any(1).sum()) < FOLDS:
        return None
    from sklearn.isotonic import IsotonicRegression  # takes a while, and who trains or predicts needs none

    regression = IsotonicRegression(increasing=False, out_of_bounds="clip")
    regression.fit(scores[known].double().numpy(), errors[known].double().numpy())
    return Calibration(np.asarray(regression.X_thresholds_), np.asarray(regression.y_thresholds_))


# --- soft-argmax ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SoftArgmaxRecipe:
    """How ContrastLandmarks trains the regressor (Adam, cosine decay to lr·floor), from all labels or from few.

    Attributes:
        pictures: of an epoch; few labels are repeated until they fill it.
    """

    lr: float = 1e-3
    weight_decay: float = 5e-4
    epochs: int = 20
    batch: int = 32
    floor: float = 8e-4
    pictures: int = 1000


ALL_LABELS = SoftArgmaxRecipe()
FEW_LABELS = SoftArgmaxRecipe(lr=1e-2, weight_decay=5e-2)
FEW = 100


def train_softargmax(
    labelled: Labelled, seed: int, recipe: SoftArgmaxRecipe | None = None, *, map_values: int = MAP_VALUES
) -> SoftArgmaxHead:
    """The peers' regressor: smooth-L1 on ten times the normalised coordinates, features frozen.

    Args:
        labelled: pictures.
        seed: of first weights and batches.
        recipe: by default that for so many labels.
        map_values: of the head's maps that a step works on at once.
    """
    recipe = recipe or (FEW_LABELS if len(labelled) <= FEW else ALL_LABELS)
    keep_freed_memory()
    torch.manual_seed(mixed_seed(seed, "softargmax"))
    head = SoftArgmaxHead(labelled.features.shape[1], labelled.points.shape[1])
    optimiser = torch.optim.Adam(head.parameters(), lr=recipe.lr, betas=(0.5, 0.999), weight_decay=recipe.weight_decay)
    per_epoch = max(max(len(labelled), recipe.pictures) // recipe.batch, 1)
    steps = recipe.epochs * per_epoch
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps, eta_min=recipe.lr * recipe.floor)
    random = np.random.default_rng(mixed_seed(seed, "softargmax", "batches"))
    maps = labelled.points.shape[1] * FILTERS * math.prod(labelled.features.shape[2:])  # values of a picture's
    part = max(map_values // maps, 1)
    for _ in range(steps):
        rows = random.choice(len(labelled), recipe.batch, replace=len(labelled) < recipe.batch)
        # Few labels stand in a batch many times over: each is computed once, and counts as often as it stands there.
        unique, often = np.unique(rows, return_counts=True)
        batch = labelled.take(unique)
        counts = torch.from_numpy(often).float()[:, None, None] * ~torch.isnan(batch.points)
        true, total = batch.points.nan_to_num(), counts.sum()
        optimiser.zero_grad()
        for start in range(0, len(unique), part):
            some = slice(start, start + part)
            found = head(batch.feature_chunk(some))
            apart = functional.smooth_l1_loss(10 * found, 10 * true[some], reduction="none")
            loss = (counts[some] * apart).sum() / total
            loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return head.eval()


def _fit_softargmax(labelled: Labelled, seed: int, recipe: SoftArgmaxRecipe | None = None) -> Fitted:
    """Judged and calibrated on one out-of-fold part, since each fit takes minutes; then fitted on every label."""
    if len(judging(labelled.points, labelled.accepted)[0]) < FOLDS:
        return Fitted(train_softargmax(labelled, seed, recipe), "softargmax", float("nan"), None)
    rows, _ = judging(labelled.points, labelled.accepted)
    order = np.random.default_rng(mixed_seed(seed, "folds")).permutation(rows)
    judged = np.sort(order[: max(len(rows) // FOLDS, min(FOLDS, len(rows) // 2))])
    trial = train_softargmax(labelled.take(np.setdiff1d(rows, judged)), seed, recipe)
    unseen = labelled.take(judged)
    errors = distances(apply(trial, unseen), unseen.truth)
    calibration = calibrate(apply(trial.score, unseen), errors)
    return Fitted(train_softargmax(labelled, seed, recipe), "softargmax", float(errors.nanmean()), calibration)
