"""Measurements with their errors, held against drawn errors and against what one knows."""

from __future__ import annotations

import csv
import math
from typing import Any

import numpy as np
import pytest

from lead.landmarks import Labels, Schema
from lead.landmarks.scales import Scale
from lead.morphometrics.measures import parse
from lead.morphometrics.measuring import NORMAL_90, Table, measure

NAMES = ("a", "b", "c", "d")
SCHEMA = Schema(NAMES)
TEXT = """
long: {distance: [a, b]}
way: {path: [a, b, c, a]}
corner: {angle: [a, b, c]}
lines: {angle: [a, b, a, c]}
lean: {axis: [a, b]}
plot: {area: [a, b, c, d]}
off: {from_line: [c, a, b]}
share: {ratio: [long, way]}
height: {ratio: [plot, long]}
"""
MEASURES = parse(TEXT, SCHEMA)
SHAPE = np.array([(100, 100), (400, 140), (380, 300), (90, 260)], dtype=float)
TOGETHER = np.array([[1, 0.7, 0.2, 0], [0.7, 1, 0.4, 0], [0.2, 0.4, 1, 0.5], [0, 0, 0.5, 1]])
SPREAD = np.array([1.0, 2.0, 1.5, 3.0])


def labels(xy: Any, **tables: Any) -> Labels:
    xy = np.asarray(xy, dtype=float).reshape(-1, len(NAMES), 2)
    images = tuple(f"{i}.png" for i in range(len(xy)))
    return Labels(SCHEMA, images, xy, np.full(xy.shape[:2], 2), **tables)


def one(table: Table, name: str) -> dict[str, float]:
    m = [measured.name for measured in table.measures].index(name)
    parts = {"value": table.values, "se": table.errors, "low": table.low, "high": table.high, "z": table.robust_z}
    return {key: float(part[0, m]) for key, part in parts.items()}


def test_values_and_units_by_hand() -> None:
    square = labels([(0, 0), (10, 0), (10, 20), (0, 20)])
    table = measure(square, MEASURES, {"0.png": Scale.square(0.5)})
    diagonal = 0.5 * math.hypot(10, 20)
    expected = (5, 15 + diagonal, 90, math.degrees(math.atan(2)), 0, 50, 10, 5 / (15 + diagonal), 10)
    np.testing.assert_allclose(table.values, [expected])
    assert table.units == ("mm", "mm", "°", "°", "°", "mm²", "mm", "", "mm")
    assert measure(square, MEASURES).units == ("px", "px", "°", "°", "°", "px²", "px", "", "px")
    np.testing.assert_allclose(measure(square, MEASURES).values[0, [0, 5]], [10, 200])


def test_pixels_that_are_not_square_change_angles_too() -> None:
    table = measure(labels([(0, 0), (10, 10), (0, 20), (5, 5)]), MEASURES, {"0.png": Scale(0.3, 0.1)})
    assert one(table, "long")["value"] == pytest.approx(math.hypot(3, 1))
    assert one(table, "corner")["value"] == pytest.approx(2 * math.degrees(math.atan2(1, 3)))
    assert one(table, "plot")["value"] == pytest.approx(0.03 * 50)


@pytest.mark.parametrize("together", [None, TOGETHER], ids=["independent", "correlated"])
def test_errors_are_those_of_drawn_points_and_scales(together: np.ndarray[Any, Any] | None) -> None:
    rng, count = np.random.default_rng(0), 10_000
    scale = Scale(0.02, 0.03, 0.004)
    factor = np.linalg.cholesky(np.eye(4) if together is None else together)
    drawn = np.einsum("kl,nla->nka", factor, rng.normal(size=(count, 4, 2))) * SPREAD[:, None]
    stretch = 1 + scale.error * rng.normal(size=(count, 1, 1))
    sides = np.array([scale.x, scale.y])
    moved = measure(labels((SHAPE + drawn) * stretch * sides), MEASURES)
    px_90 = np.broadcast_to(SPREAD * math.sqrt(2 * math.log(10)), (1, 4))
    found = measure(labels(SHAPE, px_90=px_90), MEASURES, {"0.png": scale}, together=together)
    np.testing.assert_allclose(found.errors[0], moved.values.std(0), rtol=0.04)
    inside = (found.low[0] <= moved.values) & (moved.values <= found.high[0])
    np.testing.assert_allclose(inside.mean(0), 0.9, atol=0.015)


def test_a_shared_shift_leaves_a_distance_alone() -> None:
    predicted = labels(SHAPE, px_90=np.full((1, 4), 5.0))
    together = measure(predicted, MEASURES, together=np.ones((4, 4)))
    np.testing.assert_allclose(together.errors, 0, atol=1e-4)
    assert one(measure(predicted, MEASURES), "long")["se"] > 1


def test_the_error_of_the_scale_is_not_in_an_angle_or_a_ratio() -> None:
    exact = labels(SHAPE, px_90=np.zeros((1, 4)))
    table = measure(exact, MEASURES, {"0.png": Scale.square(0.02, error=0.01)})
    for name, share in {"long": 0.01, "plot": 0.02, "height": 0.01, "share": 0, "corner": 0}.items():
        assert one(table, name)["se"] == pytest.approx(share * one(table, name)["value"], abs=1e-9)


def test_intervals_end_where_values_end() -> None:
    table = measure(labels([(0, 0), (1, 0), (2, 0.001), (50, 50)], px_error=np.full((1, 4), 3.0)), MEASURES)
    long, corner = one(table, "long"), one(table, "corner")
    assert (long["low"], corner["high"]) == (0, 180)
    assert long["high"] == pytest.approx(1 + NORMAL_90 * long["se"])


def test_errors_of_points_by_hand_are_unknown_unless_told() -> None:
    assert math.isnan(one(measure(labels(SHAPE), MEASURES), "long")["se"])
    assert one(measure(labels(SHAPE), MEASURES, by_hand=1), "long")["se"] == pytest.approx(math.sqrt(4 / math.pi))


def test_what_is_missing_is_left_blank_and_named() -> None:
    xy = np.stack([SHAPE] * 4)
    xy[0, 2] = np.nan
    xy[2] = xy[2, [0, 2, 1, 3]]
    xy[3, 1] = xy[3, 0]
    scales = {f"{i}.png": Scale.square(0.1) for i in (0, 2, 3)}
    table = measure(labels(xy), MEASURES, scales)
    notes = [dict(zip([m.name for m in MEASURES], of, strict=True)) for of in table.notes]
    assert (notes[0]["long"], notes[0]["way"], notes[0]["share"]) == ("", "no c", "no c")
    assert (notes[1]["long"], notes[1]["corner"]) == ("no scale", "")
    assert notes[2]["plot"] == notes[2]["height"] == "the outline crosses itself"
    flat = ("long", "corner", "lines", "lean", "off", "height")
    assert {notes[3][name] for name in flat} == {"landmarks in one place"}
    shown = [m.name for m, gone in zip(MEASURES, np.isnan(table.values[3]), strict=True) if gone]
    assert shown == ["corner", "lines", "lean", "off", "height"], "of a length of 0 there is no direction"
    assert np.isnan(table.values[1]).tolist() == [True, True, False, False, False, True, True, False, True], (
        "a ratio has none"
    )
    odd = measure(labels(xy), MEASURES, {"0.png": Scale(0.1, 0.2)})
    assert np.isnan(odd.values[1]).all(), "pixels of a picture without a scale may not be square, either"


def lengths(*values: float, **tables: Any) -> Table:
    xy = [[(0, 0), (value, 0), (0, 9), (9, 9)] for value in values]
    return measure(labels(xy, **tables), MEASURES[:1])


def test_unlikely_specimens_come_first() -> None:
    table = lengths(50, 51, 49, 52, 48, 50.5, 90, 49.5, 20)
    assert [row for row, _ in table.unlikely()] == [6, 8]
    assert table.robust_z[6, 0] == pytest.approx((90 - 50) / (1.4826 * 1))
    assert lengths(50, 51, 49, 90).unlikely() == [], "four are too few to say"
    assert [row for row, _ in lengths(50, 50, 50, 50, 50, 51).unlikely()] == [5]
    assert lengths(50, 50, 50, 50, 50, 51, px_error=np.full((6, 4), 1.0)).unlikely() == []


def test_directions_are_unlikely_only_round_the_circle() -> None:
    angles = np.radians([179, -179, 178, -178, 180, -177, 60])
    xy = [[(0, 0), (math.cos(t), -math.sin(t)), (0, 9), (9, 9)] for t in angles]
    table = measure(labels(xy), parse("lean: {axis: [a, b]}", SCHEMA))
    assert [row for row, _ in table.unlikely()] == [6]
    usual = measure(labels(xy[:6]), table.measures).summary()[0].quantiles
    np.testing.assert_allclose(usual, [-179.5, -181.5, -177.5], err_msg="of 178, 179, 180, 181, 182 and 183")


def test_a_ratio_of_lengths_is_not_below_nothing() -> None:
    parts = "long: {distance: [a, b]}\nwide: {distance: [c, d]}\nlean: {axis: [b, a]}\n"
    measures = parse(parts + "share: {ratio: [long, wide]}\nodd: {ratio: [lean, long]}", SCHEMA)
    table = measure(labels([(0, 0), (10, 1), (0, 50), (90, 50)], px_error=np.full((1, 4), 50.0)), measures)
    assert one(table, "share")["low"] == 0
    assert one(table, "odd")["low"] < 0
    assert table.units == ("px", "px", "°", "", "° px^-1")


def test_notes_on_more_values_than_are_told_one_by_one() -> None:
    xy = np.stack([SHAPE] * 7)
    for row in range(7):
        xy[row, [k for k in range(4) if (row + 1) >> k & 1]] = np.nan
    told = measure(labels(xy), parse("plot: {area: [a, b, c, d]}", SCHEMA)).gaps()
    assert len(told) == 6
    assert told[-1] == "2 values more with a note in the table."


def test_the_table_has_a_line_for_each_measure_of_each_specimen() -> None:
    table = measure(labels(SHAPE, px_error=np.ones((1, 4))), MEASURES[:2], {"0.png": Scale.square(0.1)})
    lines = list(csv.DictReader("".join(table.dump()).splitlines()))
    assert [(line["image"], line["measure"], line["unit"]) for line in lines] == [
        ("0.png", "long", "mm"),
        ("0.png", "way", "mm"),
    ]
    assert float(lines[0]["value"]) == one(table, "long")["value"]
    assert float(lines[0]["low_90"]) == one(table, "long")["low"]
    assert lines[0]["robust_z"] == ""
    several = Labels.from_xy(SCHEMA, ["p.png", "p.png"], [SHAPE, SHAPE], tracks=("", "x"))
    lines = list(csv.DictReader("".join(measure(several, MEASURES[:1]).dump()).splitlines()))
    assert [(line["image"], line["instance"], line["track"]) for line in lines] == [
        ("p.png", "1", ""),
        ("p.png", "2", "x"),
    ]
