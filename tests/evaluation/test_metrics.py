from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.evaluation.metrics import (
    area_under_curve,
    calibration,
    hiding,
    mean_shape,
    normalised_errors,
    pictures_within,
    points_within,
    summarise,
    unit_lengths,
)
from lead.landmarks.model import Labels, Schema

FloatArray = npt.NDArray[np.float64]


def case(seed: int, n: int = 7, k: int = 4) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Predictions, truth with gaps, and units of which one is zero and one unknown."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 90, (n, k, 2))
    truth[rng.random((n, k)) < 0.3] = np.nan
    truth[2, 1] = 5.0, 6.0
    unit = rng.uniform(10, 30, n)
    unit[0], unit[1] = 0.0, np.nan
    return rng.uniform(0, 90, (n, k, 2)), truth, unit


def slow_errors(predicted: FloatArray, truth: FloatArray, unit: FloatArray) -> list[list[float | None]]:
    table: list[list[float | None]] = []
    for n in range(len(truth)):
        line: list[float | None] = []
        for k in range(truth.shape[1]):
            dx, dy = (float(predicted[n, k, i] - truth[n, k, i]) for i in (0, 1))
            usable = not math.isnan(dx) and unit[n] > 0
            line.append(100 * math.sqrt(dx * dx + dy * dy) / float(unit[n]) if usable else None)
        table.append(line)
    return table


@given(st.integers(0, 2**32 - 1))
def test_errors_and_summary_equal_a_slow_loop(seed: int) -> None:
    predicted, truth, unit = case(seed)
    errors = normalised_errors(predicted, truth, unit)
    slow = slow_errors(predicted, truth, unit)
    expected = [[math.nan if e is None else e for e in line] for line in slow]
    np.testing.assert_allclose(errors, expected, rtol=1e-12)

    flat = sorted(e for line in slow for e in line if e is not None)
    summary = summarise(errors)
    mean = sum(flat) / len(flat)
    middle = len(flat) // 2
    assert summary.mean == pytest.approx(mean)
    assert summary.median == pytest.approx(flat[middle] if len(flat) % 2 else (flat[middle - 1] + flat[middle]) / 2)
    assert summary.sd == pytest.approx(math.sqrt(sum((e - mean) ** 2 for e in flat) / len(flat)))
    assert summary.points == len(flat)
    assert summary.excluded == sum(all(e is None for e in line) for line in slow)
    assert summary.pictures + summary.excluded == len(errors)
    assert summary.excluded >= 2


def test_a_missing_prediction_is_an_error_not_a_gap() -> None:
    predicted, truth, unit = case(0)
    predicted[2, 1] = np.nan
    with pytest.raises(LeadError, match=r"^1 of \d+ labelled points have no prediction"):
        normalised_errors(predicted, truth, unit)


def test_a_prediction_where_nothing_is_labelled_may_be_missing() -> None:
    predicted, truth, unit = case(0)
    predicted[np.isnan(truth)] = np.nan
    assert np.isfinite(normalised_errors(predicted, truth, unit)).any()


def test_nothing_measured_is_an_error() -> None:
    with pytest.raises(LeadError, match="None of the 3 pictures"):
        summarise(np.full((3, 2), np.nan))


def test_unit_lengths() -> None:
    schema = Schema(("left", "nose", "right"))
    xy = np.array([[[1, 2], [9, 9], [4, 6]], [[1, 2], [9, 9], [np.nan, 0]]])
    labels = Labels.from_xy(schema, ["a", "b"], xy)
    np.testing.assert_array_equal(unit_lengths(labels, ("left", "right")), [5.0, np.nan])
    with pytest.raises(LeadError, match="Did you mean 'right'"):
        unit_lengths(labels, ("left", "rigth"))


def test_mean_shape_looks_past_gaps() -> None:
    xy = np.array([[[0.0, 2], [np.nan, np.nan]], [[4, 4], [np.nan, np.nan]]])
    np.testing.assert_array_equal(mean_shape(xy), [[2, 3], [np.nan, np.nan]])
    xy[0, 1] = 7, 8
    np.testing.assert_array_equal(mean_shape(xy), [[2, 3], [7, 8]])


# --- expected errors -------------------------------------------------------------------------------------------------


def test_calibration_on_a_few_points_by_hand() -> None:
    errors = np.array([[1.0, 2.0], [3.0, np.nan], [4.0, 8.0]])
    expected = np.array([[1.5, 1.0], [3.5, 99.0], [5.0, 4.0]])
    radii = {50: 0.9 * expected, 90: 2 * expected}
    found = calibration(expected, radii, errors)
    # Of the five points, radii for 50 % hold 1.0 <= 1.35, 3.0 <= 3.15 and 4.0 <= 4.5; those for 90 % hold all.
    assert found["within-50"] == pytest.approx(60)
    assert found["within-90"] == pytest.approx(100)
    # Ranks of the errors are 1, 2, 3, 4, 5, of what is expected 2, 1, 3, 5, 4: 1 - 6 · (1 + 1 + 0 + 1 + 1) / (5 · 24).
    assert found["rank"] == pytest.approx(80)
    assert found["worst"] == 0  # the worst is the last; the last but one is expected to be
    assert set(found) == {"within-50", "within-90", "rank", "worst"}


@given(st.integers(0, 2**32 - 1))
def test_the_worst_tenth_equals_a_slow_count(seed: int) -> None:
    rng = np.random.default_rng(seed)
    errors, expected = rng.uniform(0, 9, (12, 5)), rng.uniform(0, 9, (12, 5))
    errors[rng.random((12, 5)) < 0.2] = np.nan
    known = [(errors[i, k], expected[i, k]) for i in range(12) for k in range(5) if np.isfinite(errors[i, k])]
    count = max(len(known) // 10, 1)
    places = range(len(known))
    bad = {i for i in places if sum(other[0] > known[i][0] for other in known) < count}
    told = {i for i in places if sum(other[1] > known[i][1] for other in known) < count}
    found = calibration(expected, {}, errors)
    assert found["worst"] == pytest.approx(100 * len(bad & told) / count)
    assert calibration(errors, {}, errors) == pytest.approx({"rank": 100, "worst": 100})
    assert calibration(-errors, {}, errors)["rank"] == pytest.approx(-100)


def test_expecting_the_same_of_every_point_says_nothing() -> None:
    errors = np.arange(20.0)[None]
    found = calibration(np.ones((1, 20)), {80: np.full((1, 20), 15.0)}, errors)
    assert found["rank"] == 0
    assert found["within-80"] == pytest.approx(80)


def test_a_point_of_which_nothing_is_expected_is_not_judged() -> None:
    errors, told = np.array([[1.0, 9.0]]), np.array([[2.0, np.nan]])
    assert calibration(told, {90: told}, errors)["within-90"] == 100.0


def test_what_is_predicted_to_be_hidden_by_hand() -> None:
    hidden = np.array([[True, True, False], [True, False, False]])
    told = np.array([[True, False, True], [False, False, False]])
    known = np.array([[True, True, True], [False, True, True]])
    found = hiding(told, hidden, known)
    assert found == pytest.approx({"hidden": 50, "shown": 100 / 3})
    assert hiding(told, ~known & hidden, known) == {}  # nothing known is hidden: there is nothing to find
    assert hiding(told, hidden, hidden) == pytest.approx({"hidden": 100 / 3})


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_what_is_within_a_threshold_by_hand() -> None:
    nan = float("nan")
    errors = np.array([[1.0, 5.0, 2.0], [5.1, 0.0, nan], [nan, nan, nan], [4.0, nan, nan]])
    assert points_within(errors, 5) == pytest.approx(100 * 5 / 6)  # the threshold itself is within
    assert pictures_within(errors, 5) == pytest.approx(100 * 2 / 3)  # what is not measured does not count
    assert (points_within(errors, 0.5), pictures_within(errors, 0.5)) == pytest.approx((100 / 6, 0))
    assert points_within(errors, 99) == pictures_within(errors, 99) == 100
    assert math.isnan(points_within(errors[2:3], 5))
    assert math.isnan(pictures_within(errors[2:3], 5))


@given(st.integers(0, 2**32 - 1), st.floats(0, 100))
def test_shares_within_a_threshold_equal_a_slow_count(seed: int, threshold: float) -> None:
    predicted, truth, unit = case(seed)
    table = [[e for e in line if e is not None] for line in slow_errors(predicted, truth, unit)]
    points = [e for line in table for e in line]
    errors = normalised_errors(predicted, truth, unit)
    assert points_within(errors, threshold) == pytest.approx(100 * sum(e <= threshold for e in points) / len(points))
    whole = [all(e <= threshold for e in line) for line in table if line]
    assert pictures_within(errors, threshold) == pytest.approx(100 * sum(whole) / len(whole))


# --- area under the curve --------------------------------------------------------------------------------------------


def test_the_area_under_the_curve_by_hand() -> None:
    nan = float("nan")
    errors = np.array([[1.0, 3.0], [6.0, nan], [nan, nan], [4.0, 96.0]])
    # Of three pictures, of errors 2, 6 and 50, none is within 2, one from 2 on and two from 6 on: (4 · 1 + 4 · 2) / 3.
    assert area_under_curve(errors, 10) == pytest.approx(100 * 12 / 3 / 10)
    assert area_under_curve(errors, 4) == pytest.approx(100 * 2 / 3 / 4)
    assert area_under_curve(errors, 2) == 0
    assert area_under_curve(np.zeros((3, 2)), 10) == 100
    assert math.isnan(area_under_curve(errors[2:3], 10))


@given(st.integers(0, 2**32 - 1), st.floats(1, 500))
def test_the_area_equals_that_under_a_curve_drawn_step_by_step(seed: int, limit: float) -> None:
    predicted, truth, unit = case(seed)
    table = [[e for e in line if e is not None] for line in slow_errors(predicted, truth, unit)]
    means = [sum(line) / len(line) for line in table if line]
    turns = [0.0, *sorted(mean for mean in means if mean < limit), limit]  # between two of which the share is constant
    area = 0.0
    for left, right in pairwise(turns):
        area += (right - left) * sum(mean <= left for mean in means) / len(means)
    found = area_under_curve(normalised_errors(predicted, truth, unit), limit)
    assert found == pytest.approx(100 * area / limit, abs=1e-9)
