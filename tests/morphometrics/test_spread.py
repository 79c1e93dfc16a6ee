"""How far landmarks scatter, held against drawn errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.morphometrics.kinds import angle, distance
from lead.morphometrics.spread import correlation, deviations, enlargement, residuals, variance

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


def test_what_is_turned_and_grown_as_a_whole_leaves_angles_alone() -> None:
    shape = np.array([(0, 0), (10, 0), (3, 8)], dtype=float)
    rng = np.random.default_rng(0)
    turn = rng.normal(size=(2000, 2)) @ [1, 1j] * 0.01
    flat = shape @ [1, 1j]
    errors = turn[:, None] * (flat - flat.mean())
    found = correlation(np.stack([errors.real, errors.imag], axis=-1))
    spread = np.sqrt((np.abs(errors) ** 2).mean(0) / 2)[None]
    by_angle, by_distance = angle(shape[None])[1], np.zeros((1, 3, 2))
    by_distance[:, :2] = distance(shape[None, :2])[1]
    assert variance(by_angle, spread, found)[0] < 1e-3 * variance(by_angle, spread)[0]
    lengths = np.abs(np.diff(flat + errors, axis=1)[:, 0])
    assert variance(by_distance, spread, found)[0] == pytest.approx(lengths.var(), rel=0.05)


def test_missing_labels_leave_a_correlation_matrix() -> None:
    errors = drawn(12, seed=5)
    errors[np.random.default_rng(2).random((12, 3)) < 0.4] = np.nan
    errors[:, 2] = np.where(np.arange(12)[:, None] < 1, errors[:, 2], np.nan)  # one label says nothing of pairs
    found = correlation(errors)
    np.testing.assert_allclose(np.diag(found), 1)
    np.testing.assert_allclose(found[2], [0, 0, 1], atol=1e-9)
    assert np.linalg.eigvalsh(found).min() > 0
    np.testing.assert_array_equal(correlation(np.full((3, 2, 2), np.nan)), np.eye(2))


def test_residuals_are_of_the_pictures_and_landmarks_that_both_have() -> None:
    rng = np.random.default_rng(0)
    schema, images = Schema(("a", "b", "c")), [f"x/{i}.png" for i in range(6)]
    true = rng.uniform(0, 100, (6, 3, 2))
    errors = np.full((6, 3), 2.0)
    predicted = replace(Labels.from_xy(schema, images, true + np.array([1, 2])), px_90=errors)
    order = [4, 2, 5, 0, 3]
    truth = Labels.from_xy(Schema(("c", "d", "a")), [f"{i}.png" for i in order], true[order][:, [2, 1, 0]])
    found = residuals(predicted, truth)
    deviation = 2 / np.sqrt(2 * np.log(10))
    np.testing.assert_allclose(found[:, [0, 2]], np.broadcast_to(np.array([1, 2]) / deviation, (5, 2, 2)))
    assert np.isnan(found[:, 1]).all()
    holes = true[order]
    holes[1] = np.nan
    wide = Labels.from_xy(schema, [*truth.images, "1.png"], [*holes, true[1]])
    assert len(residuals(predicted, wide)) == 5, "a picture without a label teaches nothing"
    for bad, message in (
        (truth.only(["d"]), r"no landmark of the labels: d"),
        (truth.take([0]), r"have 1 pictures in common\. .* takes 5 at least"),
        (Labels.from_xy(schema, ["1.png"] * 2, true[:2], tracks=("", "")), r"'1\.png' shows 2 specimens"),
    ):
        with pytest.raises(LeadError, match=message):
            residuals(predicted, bad)
    with pytest.raises(LeadError, match="come without errors"):
        residuals(truth, truth)


def test_radii_that_are_wrong_are_put_right() -> None:
    assert enlargement(drawn(4000)) == pytest.approx(1, abs=0.02)
    assert enlargement(drawn(4000) * 3) == pytest.approx(3, abs=0.06)
    few = drawn(10)[:, :1]  # ten landmarks: 90 % of eleven are all ten
    assert enlargement(few) == pytest.approx(np.linalg.norm(few, axis=-1).max() / np.sqrt(2 * np.log(10)))
    few[3] = np.nan
    assert np.isfinite(enlargement(few))


@pytest.mark.parametrize(("count", "rank"), [(19, 18), (29, 27), (30, 28), (564, 509), (1061, 956)])
def test_the_rank_is_that_of_split_conformal_prediction(count: int, rank: int) -> None:
    arrows = np.arange(1.0, count + 1)[::-1, None, None] * (1, 0)
    assert enlargement(arrows) == pytest.approx(rank / np.sqrt(2 * np.log(10)))


def test_variance_is_that_of_drawn_errors() -> None:
    slopes = np.array([[[1, 2], [-3, 0.5], [0, 0]], [[1, 0], [-1, 0], [0, 0]]])
    spread = np.array([[1, 2, np.nan], [1, 1, np.nan]])  # of what does not matter nothing need be known
    values = np.einsum("nka,pka->pn", slopes, drawn(200_000) * np.array([1, 2, 0])[:, None])
    found = variance(slopes, spread, TRUE)
    assert found[0] == pytest.approx(values[:, 0].var(), rel=0.02)
    assert found[1] == pytest.approx(2 - 2 * 0.8)
    np.testing.assert_allclose(variance(slopes, spread), [1 + 4 + 4 * (9 + 0.25), 2])
