"""Expected errors learnt from labels, on errors that are drawn as the model says and on some that are not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from lead.nn.cascade import Cascade
from lead.nn.confidence import Confidence
from lead.training import confidence
from lead.training.confidence import fit_confidence, learn_across

SIGNALS = Cascade.SIGNALS
CENTRE = torch.tensor(confidence.PRIOR.centre)
LEVEL = torch.tensor([-2.6, -1.8, -1.2, -2.2])
WEIGHT = torch.tensor([0.9, 0.2, 0.0, 0.5, -0.3, 0.2, 0.0, 0.1])


def drawn(pictures: int, *, spread: float = 0.5, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Signals (N, 4, S), errors (N, 4), and their means: exp(level + weight · signals) times a log-normal of mean 1."""
    random = torch.Generator().manual_seed(seed)
    signals = CENTRE + 0.6 * torch.randn(pictures, 4, SIGNALS, generator=random)
    mean = (LEVEL + (signals - CENTRE) @ WEIGHT).exp()
    noise = (spread * torch.randn(pictures, 4, generator=random) - spread**2 / 2).exp()
    return signals, mean * noise, mean


def held(model: Confidence, signals: Tensor, errors: Tensor, share: float) -> float:
    """Of the errors, the share that is within the radius told for a share."""
    known = ~errors.isnan()
    return float((errors <= model.factor(share) * model.expected(signals))[known].float().mean())


@pytest.mark.parametrize("spread", [0.3, 0.9])
def test_radii_hold_the_share_that_they_are_said_to(spread: float) -> None:
    signals, errors, _ = drawn(500, spread=spread)
    errors[::7, 1] = torch.nan
    model = fit_confidence(signals, errors)
    unseen, true, mean = drawn(1000, spread=spread, seed=1)
    for share in (0.5, 0.8, 0.9):
        assert held(model, unseen, true, share) == pytest.approx(share, abs=0.03)
    told = model.expected(unseen)
    for k in range(4):  # each landmark has a level of its own
        assert float(told[:, k].mean() / mean[:, k].mean()) == pytest.approx(1, abs=0.15)
    assert spearmanr(told.flatten().numpy(), mean.flatten().numpy()).statistic > 0.97


def test_the_weights_are_those_that_the_errors_were_drawn_with() -> None:
    signals, errors, _ = drawn(3000, spread=0.3)
    model = fit_confidence(signals, errors)
    torch.testing.assert_close(model.weight, WEIGHT, atol=0.06, rtol=0)
    torch.testing.assert_close(model.level, LEVEL, atol=0.12, rtol=0)


def test_without_labels_there_is_the_prior() -> None:
    nothing = torch.zeros(0, 3)
    model = fit_confidence(nothing[..., None].expand(-1, -1, SIGNALS), nothing)
    torch.testing.assert_close(model.weight, torch.tensor(confidence.PRIOR.weight), atol=1e-5, rtol=0)
    usual = model.expected(CENTRE.expand(1, 3, -1))
    # The mean of a log-normal is known: the ladder's own mean is 1, and the level is that of the mean error.
    torch.testing.assert_close(usual, torch.full((1, 3), float(np.exp(confidence.PRIOR.level))), atol=1e-3, rtol=0)
    random = np.random.default_rng(0)
    ratios = np.exp(confidence.PRIOR_SPREAD * random.normal(size=200_000) - confidence.PRIOR_SPREAD**2 / 2)
    for share in (0.5, 0.8, 0.9):
        assert model.factor(share) == pytest.approx(float(np.quantile(ratios, share)), rel=0.03)
    assert not model.is_hidden(torch.randn(50, 3, SIGNALS) * 5).any()


def test_few_labels_move_the_prior_a_little_and_many_a_lot() -> None:
    signals, errors, _ = drawn(400)
    asked = drawn(200, seed=1)[0]
    prior = fit_confidence(signals[:0], errors[:0]).expected(asked)
    truth = (LEVEL + (asked - CENTRE) @ WEIGHT).exp()
    off = [
        float((fit_confidence(signals[:n], errors[:n]).expected(asked) / truth).log().abs().mean())
        for n in (2, 20, 400)
    ]
    assert float((prior / truth).log().abs().mean()) > off[0] > off[1] > 2 * off[2]


@pytest.mark.parametrize("pictures", [1, 2, 6])
def test_one_wild_error_leaves_the_others_in_order(pictures: int) -> None:
    signals, errors, _ = drawn(pictures)
    errors[0, 0] = 1e4
    model = fit_confidence(signals, errors)
    expected = model.expected(drawn(50, seed=1)[0])
    assert torch.isfinite(expected).all()
    assert (expected > 0).all()
    assert (model.ladder.diff() >= 0).all()


def test_the_ladder_rises_with_a_mean_of_one() -> None:
    signals, errors, _ = drawn(300)
    model = fit_confidence(signals, errors)
    assert (model.ladder.diff() >= 0).all()
    steps = (model.ladder[1:] + model.ladder[:-1]) / 2
    assert float(steps.mean()) == pytest.approx(1, abs=0.03)
    told = model.expected(signals)
    assert float(told.mean() / errors.mean()) == pytest.approx(1, abs=0.05)


def test_hidden_landmarks_are_told_by_what_goes_with_them() -> None:
    signals, errors, _ = drawn(300)
    hidden = torch.rand(300, 4, generator=torch.Generator().manual_seed(2)) < 0.3
    signals[..., 0] += 3 * hidden  # a flat heat map
    model = fit_confidence(signals, errors, hidden)
    random = torch.Generator().manual_seed(3)
    unseen, _, _ = drawn(300, seed=4)
    truth = torch.rand(300, 4, generator=random) < 0.3
    unseen[..., 0] += 3 * truth
    assert (model.is_hidden(unseen) == truth).float().mean() > 0.95


def test_landmarks_that_are_always_hidden_are_said_to_be() -> None:
    signals, errors, _ = drawn(100)
    hidden = torch.zeros(100, 4, dtype=torch.bool)
    hidden[:, 2] = True
    found = fit_confidence(signals, errors, hidden).is_hidden(drawn(50, seed=1)[0])
    assert found[:, 2].float().mean() > 0.9 > 0.1 > found[:, [0, 1, 3]].float().mean()


@pytest.mark.parametrize("most", [True, False])
def test_fewer_than_five_hidden_or_visible_labels_say_nothing(most: bool) -> None:
    signals, errors, _ = drawn(100)
    hidden = torch.zeros(100, 4, dtype=torch.bool)
    hidden[:5, 0] = True
    signals[..., 0] += 5 * hidden
    errors[4, 0] = torch.nan  # hidden, but not labelled
    found = fit_confidence(signals, errors, ~hidden if most else hidden).is_hidden(signals)
    assert not found.any()
    errors[4, 0] = 0.1
    assert fit_confidence(signals, errors, ~hidden if most else hidden).is_hidden(signals).any()


def test_what_lies_across_is_learnt_from_errors_and_without_them_they_go_any_way() -> None:
    slides = torch.tensor([False, True, True])
    angles = torch.from_numpy(np.random.default_rng(0).uniform(0, 2 * np.pi, 200_000))
    any_way = float(angles.sin().abs().mean())
    model = Confidence(2, 3)
    learn_across(model, slides, torch.zeros(0, 3), torch.zeros(0, 3))
    np.testing.assert_allclose(model.across, [0, any_way, any_way], atol=2e-3)
    errors = torch.ones(2000, 3)
    across = torch.tensor([torch.nan, 0.9, 0.1]).expand(2000, -1)
    learn_across(model, slides, across, errors)
    np.testing.assert_allclose(model.across, [0, 0.9, 0.1], atol=5e-3)
    learn_across(model, slides, across[:5], errors[:5])  # few: drawn to that of both, and to errors that go any way
    assert 0.1 < float(model.across[2]) < float(model.across[1]) < 0.9


def test_a_model_of_before_there_were_curves_can_be_read() -> None:
    state = {name: tensor for name, tensor in Confidence(2, 3).state_dict().items() if name != "across"}
    model = Confidence(2, 3)
    model.across.fill_(1)
    model.load_state_dict(state)
    assert model.across.tolist() == [0, 0, 0]
