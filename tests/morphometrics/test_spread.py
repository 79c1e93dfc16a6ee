"""How far landmarks scatter, held against drawn errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lead.landmarks import Labels, Schema
from lead.morphometrics.spread import correlation, deviations, variance

FloatArray = npt.NDArray[np.float64]
TRUE = np.array([[1, 0.8, 0], [0.8, 1, -0.3], [0, -0.3, 1]])


def drawn(pictures: int, together: npt.ArrayLike = TRUE, seed: int = 0) -> FloatArray:
    """(N, K, 2) errors with a correlation."""
    matrix = np.linalg.cholesky(np.asarray(together, dtype=float))
    normal = np.random.default_rng(seed).normal(size=(pictures, len(matrix), 2))
    return np.asarray(np.einsum("kl,nla->nka", matrix, normal))


def test_radii_and_expected_errors_of_normal_errors_say_the_same() -> None:
    away = np.linalg.norm(drawn(200_000, np.eye(1)), axis=-1) * 3
    plain = Labels.from_xy(Schema(("a",)), ["p"], [[[5, 5]]])
    mean, radius = np.full((1, 1), away.mean()), np.full((1, 1), np.quantile(away, 0.9))
    for labels in (replace(plain, px_error=mean), replace(plain, px_90=radius)):
        assert deviations(labels)[0, 0] == pytest.approx(3, rel=0.01)


def test_the_radius_goes_first_and_hands_have_their_own() -> None:
    nan = np.nan
    labels = Labels(
        Schema(("a", "b", "c", "d")),
        ("p",),
        np.array([[[1, 1], [2, 2], [3, 3], [nan, nan]]]),
        np.array([[2, 2, 2, 0]]),
        px_error=np.array([[1, 1, nan, nan]]),
        px_90=np.array([[nan, 2, nan, nan]]),
    )
    found = deviations(labels)
    np.testing.assert_allclose(found, [[np.sqrt(2 / np.pi), 2 / np.sqrt(2 * np.log(10)), nan, nan]])
    np.testing.assert_allclose(deviations(labels, by_hand=3)[0, 2:], [3 * np.sqrt(2 / np.pi), nan])


def test_correlation_is_found_again_however_far_each_landmark_scatters() -> None:
    errors = drawn(4000) * np.array([1, 20, 0.1])[:, None]
    np.testing.assert_allclose(correlation(errors), TRUE, atol=0.04)


def test_turned_pictures_have_the_same_correlation() -> None:
    errors = drawn(50)
    turns = np.random.default_rng(1).uniform(0, 2 * np.pi, 50)
    turn = np.array([[np.cos(turns), -np.sin(turns)], [np.sin(turns), np.cos(turns)]])
    np.testing.assert_allclose(correlation(np.einsum("abn,nkb->nka", turn, errors)), correlation(errors))


def test_few_pictures_of_independent_errors_tell_of_hardly_any_correlation() -> None:
    found = [correlation(drawn(8, np.eye(6), seed)) for seed in range(40)]
    plain: list[FloatArray] = [
        np.asarray(np.corrcoef(np.moveaxis(drawn(8, np.eye(6), seed), 2, 1).reshape(-1, 6).T)) for seed in range(40)
    ]
    off = ~np.eye(6, dtype=bool)
    assert np.mean([np.abs(one[off]).mean() for one in found]) < 0.5 * np.mean(
        [np.abs(one[off]).mean() for one in plain]
    )


def test_missing_labels_leave_a_correlation_matrix() -> None:
    errors = drawn(12, seed=5)
    errors[np.random.default_rng(2).random((12, 3)) < 0.4] = np.nan
    errors[:, 2] = np.where(np.arange(12)[:, None] < 1, errors[:, 2], np.nan)  # one label says nothing of pairs
    found = correlation(errors)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found[2], [0, 0, 1], atol=1e-9)
    assert np.linalg.eigvalsh(found).min() > 0
    np.testing.assert_array_equal(correlation(np.full((3, 2, 2), np.nan)), np.eye(2))


def test_variance_is_that_of_drawn_errors() -> None:
    slopes = np.array([[[1, 2], [-3, 0.5], [0, 0]], [[1, 0], [-1, 0], [0, 0]]])
    spread = np.array([[1, 2, np.nan], [1, 1, np.nan]])  # of what does not matter nothing need be known
    values = np.einsum("nka,pka->pn", slopes, drawn(200_000) * np.array([1, 2, 0])[:, None])
    found = variance(slopes, spread, TRUE)
    assert found[0] == pytest.approx(values[:, 0].var(), rel=0.02)
    assert found[1] == pytest.approx(2 - 2 * 0.8)
    np.testing.assert_allclose(variance(slopes, spread), [1 + 4 + 4 * (9 + 0.25), 2])
