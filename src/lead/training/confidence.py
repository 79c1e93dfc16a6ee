"""Expected errors learnt from held-out labels, and from what holds for landmarks in general where labels are few."""

from __future__ import annotations

import copy
import math
import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lead.nn.confidence import LADDER, Confidence


@dataclass(frozen=True)
class Prior:
    """What holds for landmarks in general.

    Attributes:
        centre: (S,) of the signals.
        weight: (S,) of each.
        level: logarithm of the error where all signals are at their centre.
    """

    centre: tuple[float, ...]
    weight: tuple[float, ...]
    level: float


PRIOR = Prior(2 * (-0.25, -2.15, -2.25, -2.3), (0.3, 0.4, 0.1, 0.15, 0.15, 0.3, 0.08, 0.12), -1.4)
"""Of a cascade's signals, errors in radii: about what they are on validation faces with one labelled picture, where the
prior is all there is."""
LOCAL = Prior((-0.6, -1.0, -1.2, -2.3, -1.2), (0.3, 0.4, 0.2, 0.1, 0.2), -1.8)
"""Of a local look's signals, errors in its own unit."""
PRIOR_SPREAD = 0.65
"""Of errors around what is expected (log-normal)."""
PRIOR_LABELS = 30.0
"""Out-of-fold errors that weigh as much as the prior."""
LANDMARK_LABELS = 5.0
"""Out-of-fold errors of one landmark that weigh as much as the level of all of them."""
ITERATIONS = 40
FEWEST_HIDDEN = 5
"""Hidden labels, and visible ones, from which it is learnt what hidden looks like."""
FOLDS = 5
ANY_WAY = 2 / math.pi
"""Mean share of an error that lies across a line, of errors that go any way."""


def fit_confidence(signals: Tensor, errors: Tensor, hidden: Tensor | None = None, prior: Prior = PRIOR) -> Confidence:
    """From what heads said of pictures that they had not seen.

    The mean error is a log-linear function of the signals, fitted as a gamma regression (its variance grows with its
    mean) that is drawn to what holds in general; each landmark has a level of its own, drawn to the common one. The
    ratios of errors to expectations, by models that had not seen their pictures, and as many from a log-normal prior as
    ``PRIOR_LABELS`` labels would give, make the ladder.

    Args:
        signals: (N, K, S) of held-out pictures; N may be 0.
        errors: (N, K) in radii of the shape; NaN where unlabelled.
        hidden: (N, K) bool, which of the labelled landmarks are hidden; None if that is unknown.
        prior: what holds in general.
    """
    model = _fit_mean(prior, signals, errors)
    ratios = errors / expected_unseen(signals, errors, prior)
    _fit_ladder(model, ratios[~ratios.isnan()] if len(signals) > 1 else torch.zeros(0))
    if hidden is not None:
        _fit_hidden(model, signals, hidden & ~errors.isnan(), ~hidden & ~errors.isnan())
    return model


def recalibrated(model: Confidence, ratios: Tensor) -> Confidence:
    """A model that expects what is told by ratios (n,) of errors to what it expected."""
    out = copy.deepcopy(model)
    _fit_ladder(out, ratios)
    return out


def learn_across(model: Confidence, slides: Tensor, across: Tensor, errors: Tensor) -> None:
    """How much of the expected error lies across curves, from held-out errors: each landmark's, drawn to that of all.

    That of all is drawn to what it is of errors that go any way.

    Args:
        model: what learns it.
        slides: (K,) bool, which landmarks slide.
        across: (N, K) the part of the errors to the side of the curve; NaN where it is not known.
        errors: (N, K) the whole, in the same unit.
    """
    known = ~(across.isnan() | errors.isnan())
    aside, whole = (table.where(known, 0.0).sum(0) for table in (across, errors))
    usual = errors[known].mean().nan_to_num(1.0)
    common = (aside.sum() + PRIOR_LABELS * usual * ANY_WAY) / (whole.sum() + PRIOR_LABELS * usual)
    share = (aside + LANDMARK_LABELS * usual * common) / (whole + LANDMARK_LABELS * usual)
    model.across.copy_(share.where(slides, 0.0))


def _fit_ladder(model: Confidence, ratios: Tensor) -> None:
    """How errors spread, from ratios (n,) of errors to what was expected; the level, so that these have a mean of 1."""
    general = (PRIOR_SPREAD * torch.special.ndtri((torch.arange(200) + 0.5) / 200)).exp()
    general = general / general.mean()
    values = torch.cat([ratios, general])
    weight = torch.cat([torch.ones(len(ratios)), torch.full((len(general),), PRIOR_LABELS / len(general))])
    order = values.argsort()
    reached = (weight[order].cumsum(0) - weight[order] / 2) / weight.sum()
    shares = np.linspace(0, 1, LADDER)
    model.ladder.copy_(torch.from_numpy(np.interp(shares, reached.numpy(), values[order].numpy())).float())
    mean = float((values * weight).sum() / weight.sum())
    model.ladder.div_(mean)
    model.level.add_(float(np.log(mean)))


def _fit_mean(prior: Prior, signals: Tensor, errors: Tensor) -> Confidence:
    """Fisher scoring of the penalised gamma regression with a logarithmic link."""
    landmarks, count = signals.shape[1:]
    model = Confidence(count, landmarks)
    model.centre.copy_(torch.tensor(prior.centre))
    known = ~errors.isnan()
    x = (signals - model.centre)[known]  # (n, S)
    which = torch.nonzero(known)[:, 1]
    design = torch.cat([x, torch.ones(len(x), 1), torch.nn.functional.one_hot(which, landmarks)], dim=1).double()
    start = torch.cat([torch.tensor(prior.weight), torch.tensor([prior.level]), torch.zeros(landmarks)]).double()
    pull = torch.cat([torch.full((count,), PRIOR_LABELS), torch.tensor([PRIOR_LABELS / 4])])
    penalty = torch.cat([pull, torch.full((landmarks,), LANDMARK_LABELS)]).double()
    target = errors[known].double().clamp(min=1e-6)
    solution = start.clone()
    curvature = design.T @ design + penalty.diag()
    for _ in range(ITERATIONS):
        ratio = (target / (design @ solution).exp()).clamp(max=6.0)  # one wild outlier must not tell all
        slope = design.T @ (ratio - 1) - penalty * (solution - start)
        solution = solution + 0.7 * torch.linalg.solve(curvature, slope)
    model.weight.copy_(solution[:count])
    model.level.copy_(solution[count] + solution[count + 1 :])
    return model


def expected_unseen(signals: Tensor, errors: Tensor, prior: Prior) -> Tensor:
    """(N, K) the mean error that a model which had not seen a picture expects on it; see :func:`fit_confidence`."""
    out = torch.empty_like(errors)
    for part in np.array_split(np.arange(len(signals)), max(min(len(signals), FOLDS), 1)):
        others = np.setdiff1d(np.arange(len(signals)), part)
        out[part] = _fit_mean(prior, signals[others], errors[others]).expected(signals[part])
    return out


def _fit_hidden(model: Confidence, signals: Tensor, hidden: Tensor, visible: Tensor) -> None:
    """A logistic model of hidden against visible, its level each landmark's own."""
    if min(int(hidden.sum()), int(visible.sum())) < FEWEST_HIDDEN:
        return
    from sklearn.exceptions import ConvergenceWarning  # takes a while, and few labels say what is hidden
    from sklearn.linear_model import LogisticRegression

    landmarks, count = signals.shape[1:]
    known = hidden | visible
    which = torch.nn.functional.one_hot(torch.nonzero(known)[:, 1], landmarks)
    design = torch.cat([(signals - model.centre)[known], which], dim=1).numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        logistic = LogisticRegression(max_iter=500).fit(design, hidden[known].numpy())
    weight = torch.from_numpy(logistic.coef_[0]).float()
    model.hidden[:-1] = weight[:count, None]
    model.hidden[-1] = weight[count:] + float(logistic.intercept_[0])
