"""What is learnt of drawn predictions, against what is known of them."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import spearmanr

from lead.calibration.learning import fitted, learnt, narrowed

FloatArray = npt.NDArray[np.float64]
NAN = np.nan
LEVEL = np.array([1.0, 5.0, 20.0])


def drawn(
    count: int, rng: np.random.Generator, telling: float = 2.0, misleading: bool = False
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.int64]]:
    """Errors (N, 3) and scores (N, 3): the lower the score, the larger the error, by e^telling over its range."""
    scores = rng.uniform(size=(count, 3))
    size = np.exp(-telling * scores * (-1 if misleading else 1))
    hard = np.exp(0.5 * rng.normal(size=(count, 1)))  # errors of one picture go together
    return LEVEL * size * hard * rng.exponential(size=(count, 3)), scores, np.arange(count)


@pytest.mark.parametrize(("count", "telling"), [(10, 2.0), (12, 0.0), (28, 3.0)])
def test_further_pictures_are_held_as_often_as_the_rank_says(count: int, telling: float) -> None:
    rng = np.random.default_rng(count)
    held = []
    for _ in range(150 if count < 20 else 40):
        found = learnt(*drawn(count, rng, telling))
        errors, scores, _ = drawn(60, rng, telling)
        held.append((errors <= found.told(scores)[1]).mean(0))
        assert found.own.all()
    setting = count - found.spared
    rank = math.ceil(0.9 * (setting + 1) - 1e-9)
    exact = rank / (setting + 1)
    # Each draw's share is a beta variable, of that mean; landmarks of one draw are nearly independent.
    spread = math.sqrt(exact * (1 - exact) / (setting + 2) / len(held))
    assert np.mean(held, axis=0) == pytest.approx(exact, abs=4 * spread + 0.005)


def test_a_landmark_with_few_labels_is_held_as_often_as_by_its_largest_error_at_least() -> None:
    rng = np.random.default_rng(0)
    held = []
    for _ in range(200):
        errors, scores, pictures = drawn(18, rng)
        errors[6:, 2] = NAN
        found = learnt(errors, scores, pictures)
        assert found.own.tolist() == [True, True, False]
        assert found.labelled.tolist() == [18, 18, 6]
        further, scores, _ = drawn(60, rng)
        held.append((further <= found.told(scores)[1])[:, 2].mean())
    assert np.mean(held) >= 6 / 7 - 0.02


def test_a_score_that_tells_is_used_and_radii_become_narrower() -> None:
    rng = np.random.default_rng(0)
    errors, scores, pictures = drawn(300, rng, 4.0)
    found = learnt(errors, scores, pictures)
    assert found.uses_score
    assert found.narrowed is not None
    assert found.narrowed < 0.85
    asked = np.tile(np.linspace(-0.5, 1.5, 50)[:, None], (1, 3))
    expected, radii = found.told(asked)
    assert (np.diff(radii, axis=0) <= 0).all()  # never wider for a higher score
    assert (radii[0] > 5 * radii[-1]).all()
    assert (expected > 0).all()
    assert (expected < radii).all()
    without = learnt(errors, np.full_like(scores, NAN), pictures)
    further, their, _ = drawn(2000, rng, 4.0)
    assert found.told(their)[1].mean() < without.told(their)[1].mean()
    assert (further <= found.told(their)[1]).mean() == pytest.approx(0.9, abs=0.04)


@pytest.mark.parametrize("misleading", [False, True])
def test_a_score_that_tells_nothing_or_the_contrary_is_left_aside(misleading: bool) -> None:
    errors, scores, pictures = drawn(200, np.random.default_rng(3), 3.0 if misleading else 0.0, misleading)
    found = learnt(errors, scores, pictures)
    assert not found.uses_score
    assert (np.ptp(found.told(scores)[1], axis=0) == 0).all()
    assert found.rank > 0.5 if misleading else abs(found.rank) < 0.1


def test_expected_errors_are_the_means_and_of_few_labels_drawn_to_what_is_usual() -> None:
    rng = np.random.default_rng(0)
    errors, scores, pictures = drawn(3000, rng, 0.0)
    errors[3:, 2] = NAN
    found = learnt(errors, scores, pictures)
    expected = found.told(scores)[0][0]
    np.testing.assert_allclose(expected[:2], errors[:, :2].mean(0), rtol=0.02)
    assert expected[2] < np.nanmean(errors[:, 2]) + 20


def test_the_unit_is_the_isotonic_mean_drawn_to_one() -> None:
    scores = np.array([[0.1], [0.2], [0.3], [0.4]])
    errors = np.array([[6.0], [2.0], [4.0], [NAN]])
    unit = fitted(errors, scores)
    assert unit.level == pytest.approx(4)
    # Pool adjacent violators by hand: 6/4, then (2 + 4)/2/4 for both; 3 labels of 33 tell.
    told = 3 / 33
    by_hand = [1.5 * told + 1 - told, 0.75 * told + 1 - told, 0.75 * told + 1 - told]
    np.testing.assert_allclose(unit.of(scores[:3])[:, 0], 4 * np.array(by_hand))
    assert unit.of(np.array([[NAN]]))[0, 0] == pytest.approx(4)


def test_all_of_a_picture_is_held_out_together() -> None:
    # Specimens of one picture have one error and one score: were they parted, the score would seem to tell.
    rng = np.random.default_rng(0)
    errors, scores = (np.repeat(rng.exponential(size=(12, 1)), 30, axis=0) for _ in range(2))
    assert narrowed(errors, scores, np.repeat(np.arange(12), 30)) > 0.9


def test_the_rank_correlation_is_spearman_s() -> None:
    errors, scores, pictures = drawn(40, np.random.default_rng(5))
    errors, scores = np.round(errors[:, :1]), np.round(scores[:, :1], 1)  # with ties
    assert learnt(errors, scores, pictures).rank == pytest.approx(spearmanr(scores, errors).statistic)


def test_what_was_never_labelled_stays_unknown() -> None:
    errors, scores, pictures = drawn(12, np.random.default_rng(0))
    errors[:, 1] = NAN
    expected, radii = learnt(errors, scores, pictures).told(scores)
    assert np.isnan(expected[:, 1]).all()
    assert np.isnan(radii[:, 1]).all()
    assert np.isfinite(radii[:, [0, 2]]).all()
