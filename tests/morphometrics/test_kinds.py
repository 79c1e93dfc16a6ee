"""Kinds of measures, held against plain geometry and against slopes by differences."""

from __future__ import annotations

import math

import numpy as np
import pytest

from lead.morphometrics import kinds
from lead.morphometrics.kinds import KINDS

COUNTS = [(name, n) for name, kind in KINDS.items() for n in {kind.least, kind.most or 5}]


def value(kind: str, *points: tuple[float, float]) -> float:
    return float(KINDS[kind].compute(np.array([points], dtype=float))[0][0])


def test_values_that_one_knows() -> None:
    assert value("distance", (0, 0), (3, 4)) == 5
    assert value("path", (0, 0), (3, 4), (3, 10)) == 11
    assert value("angle", (1, 0), (0, 0), (0, 5)) == pytest.approx(90)
    assert value("angle", (1, 0), (0, 0), (1, 1)) == pytest.approx(45)
    assert value("angle", (-1, 0.001), (0, 0), (-1, -0.001)) == pytest.approx(2 * math.degrees(math.atan(0.001)))
    assert value("angle", (0, 0), (1, 0), (5, 5), (5, 2)) == pytest.approx(90)
    assert value("axis", (0, 0), (1, -1)) == pytest.approx(45), "up in the picture is counter-clockwise"
    assert value("axis", (0, 0), (-1, 1)) == pytest.approx(-135)
    assert value("area", (0, 0), (2, 0), (2, 3), (0, 3)) == value("area", (0, 3), (2, 3), (2, 0), (0, 0)) == 6
    assert value("from_line", (7, 3), (0, 1), (1, 1)) == value("from_line", (7, -1), (0, 1), (1, 1)) == 2


@pytest.mark.parametrize(("name", "count"), COUNTS)
def test_slopes_are_those_of_differences(name: str, count: int) -> None:
    points = np.random.default_rng(3).normal(size=(20, count, 2)) * 10
    compute, step = KINDS[name].compute, 1e-5
    slopes = compute(points)[1]
    assert slopes.shape == points.shape
    for place in np.ndindex(count, 2):
        moved = [points.copy(), points.copy()]
        moved[0][(slice(None), *place)] += step
        moved[1][(slice(None), *place)] -= step
        changed = (compute(moved[0])[0] - compute(moved[1])[0]) / (2 * step)
        np.testing.assert_allclose(slopes[(slice(None), *place)], changed, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "count"), COUNTS)
def test_moving_all_points_together_changes_nothing(name: str, count: int) -> None:
    points = np.random.default_rng(4).normal(size=(5, count, 2))
    there, slopes = KINDS[name].compute(points)
    np.testing.assert_allclose(KINDS[name].compute(points + np.array([3, -2]))[0], there)
    np.testing.assert_allclose(slopes.sum(1), 0, atol=1e-9)


@pytest.mark.parametrize("name", KINDS)
def test_values_grow_by_the_power_of_length(name: str) -> None:
    points = np.random.default_rng(5).normal(size=(5, KINDS[name].least, 2))
    compute = KINDS[name].compute
    np.testing.assert_allclose(compute(3 * points)[0], compute(points)[0] * 3 ** KINDS[name].power)


def test_an_outline_that_crosses_itself() -> None:
    square = np.array([(0, 0), (2, 0), (2, 3), (0, 3)], dtype=float)
    outlines = np.stack([square, square[[0, 2, 1, 3]], square[::-1], square[[1, 0, 2, 3]]])
    assert kinds.crosses_itself(outlines).tolist() == [False, True, False, True]
    assert not kinds.crosses_itself(square[None, :3]).any()


def test_a_distance_of_nothing_has_no_slope() -> None:
    there, slopes = kinds.distance(np.zeros((1, 2, 2)))
    assert there == 0
    assert np.isnan(slopes).all()


@pytest.mark.parametrize("name", ["axis", "angle", "from_line"])
def test_what_is_measured_from_a_line_without_length_has_no_value(name: str) -> None:
    there, slopes = KINDS[name].compute(np.zeros((1, KINDS[name].least, 2)))
    assert np.isnan(there).all()
    assert np.isnan(slopes).any()
