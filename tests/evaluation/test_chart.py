from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.evaluation.chart import HEIGHT, VERTICES, WIDTH, Axis, Chart, Curve, lay_out, running_mean


def vertices(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in re.findall(r"[ML](\S+) (\S+)", path)]


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=12), st.integers(1, 15))
def test_running_mean_equals_a_slow_loop(values: list[float], window: int) -> None:
    slow = []
    for i in range(len(values)):
        part = values[max(0, i - (window - 1) // 2) : i + window // 2 + 1]
        slow.append(sum(part) / len(part))
    np.testing.assert_allclose(running_mean(np.array(values), window), slow, atol=1e-9)


def test_vertices_lie_where_the_axes_say() -> None:
    plot = lay_out(Chart("", "step", "loss", [Curve("a", [0, 5, 10], [1.0, 3.0, 2.0])]))
    points = vertices(plot.traces[0].path)
    assert [x for x, _ in points] == [0.0, WIDTH / 2, WIDTH]
    (_, lowest), (_, highest), (_, middle) = points
    assert 0 < highest < middle < lowest < HEIGHT
    assert middle == pytest.approx((lowest + highest) / 2, abs=0.1)
    for at, text in plot.y.ticks():
        assert at == pytest.approx(lowest + (float(text) - 1) / 2 * (highest - lowest), abs=0.2)


def test_what_is_not_finite_is_left_out() -> None:
    broken = Curve("a", [0, 1, 2, 3], [1.0, float("nan"), float("inf"), 2.0])
    sound = Curve("a", [0, 3], [1.0, 2.0])
    assert lay_out(Chart("", "", "", [broken])) == lay_out(Chart("", "", "", [sound]))


def test_a_long_curve_is_averaged_down_and_keeps_its_course() -> None:
    steps = range(10 * VERTICES)
    points = vertices(lay_out(Chart("", "", "", [Curve("a", steps, [2.0 * s for s in steps])])).traces[0].path)
    assert len(points) == VERTICES
    slopes = np.diff([y for _, y in points]) / np.diff([x for x, _ in points])
    np.testing.assert_allclose(slopes, np.median(slopes), atol=0.2)


def test_smoothing_draws_the_values_faintly_behind() -> None:
    curve = Curve("a", [0, 1, 2], [0.0, 9.0, 0.0])
    plain, smooth = (lay_out(Chart("", "", "", [curve], smooth=n)).traces[0] for n in (1, 3))
    assert plain.faint == ""
    assert len(vertices(smooth.faint)) == 3
    bold = [y for _, y in vertices(smooth.path)]
    assert max(bold) - min(bold) == pytest.approx(HEIGHT / 1.12, abs=0.2)


@pytest.mark.parametrize("values", [[], [0.5], [0.5, 0.5]])
def test_empty_and_flat_curves_are_drawn(values: list[float]) -> None:
    plot = lay_out(Chart("", "", "", [Curve("a", range(len(values)), values)]))
    assert len(vertices(plot.traces[0].path)) == len(values)
    assert plot.y.ticks()


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_and_within_the_axis(low: float, extent: float) -> None:
    ticks = Axis(low, low + extent, 0.0, 100.0).ticks()
    assert 2 <= len(ticks) <= 7
    assert all(0 <= at <= 100 for at, _ in ticks)
