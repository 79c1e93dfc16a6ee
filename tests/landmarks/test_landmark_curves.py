"""Curves: what a schema says of them, and points evenly spaced along them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.landmarks import Labels, Schema, coco
from lead.landmarks.curves import Curve, across, names_along, resampled
from lead.landmarks.formats import WRITTEN, format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.joining import joined_tables
from lead.landmarks.kinds import joined_kinds
from lead.landmarks.model import Places
from lead.landmarks.pictures import PictureInfo

NAMES = tuple("abcdef")
OPEN = Curve("back", ("a", "d", "b"))
CLOSED = Curve("eye", ("c", "e", "f"), closed=True)
SCHEMA = Schema(NAMES, skeleton=(("a", "b"), ("d", "a")), curves=(OPEN, CLOSED))


def test_sliders_are_geomorphs_rows_before_slide_after() -> None:
    # By hand: d slides between a and b; e and f around the eye, which begins and ends at c.
    assert SCHEMA.sliders.tolist() == [[0, 3, 1], [2, 4, 5], [4, 5, 2]]
    assert SCHEMA.semilandmarks.tolist() == [False, False, False, True, True, True]
    assert Schema(NAMES).sliders.shape == (0, 3)
    assert not Schema(NAMES).semilandmarks.any()


def test_the_segments_are_drawn_once() -> None:
    assert SCHEMA.skeleton == (("a", "b"),)
    assert SCHEMA.lines == (("a", "b"), ("a", "d"), ("d", "b"), ("c", "e"), ("e", "f"), ("f", "c"))


def test_a_subset_keeps_what_is_still_a_curve() -> None:
    schema = Schema(NAMES, curves=(Curve("back", tuple("abcde")), Curve("rest", ("a", "f", "e"))))
    assert schema.subset(tuple("fedba")).curves == (Curve("back", tuple("abde")), Curve("rest", ("a", "f", "e")))
    assert schema.subset(tuple("abf")).curves == ()


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ([("x", "a")], r"'x' has 1 of the 3 points that a curve needs at least.*Add points to it, or take"),
        ([("x", "ab")], r"'x' has 2 of the 3"),
        ([("x", "aba")], r"'x' holds 'a' more than once"),
        ([("x", "abz")], r"Curve 'x': Unknown landmark 'z'.*Valid: a, b, c"),
        ([("", "abc")], r"A curve has no name"),
        ([("x", "abc"), ("x", "cde")], r"Two curves are called 'x'"),
        ([("x", "abc"), ("y", "dbe")], r"'b' lies within two curves, 'x' and 'y'"),
    ],
)
def test_what_is_no_curve_is_refused(curves: list[tuple[str, str]], message: str) -> None:
    with pytest.raises(LeadError, match=message):
        Schema(NAMES, curves=tuple(Curve(name, tuple(points)) for name, points in curves))


def test_curves_may_meet_at_their_ends_and_branch_off() -> None:
    schema = Schema(NAMES, curves=(Curve("x", ("a", "b", "c")), Curve("y", ("c", "d", "e")), Curve("z", tuple("bfe"))))
    assert schema.semilandmarks.tolist() == [False, True, False, True, False, True]


def test_a_coco_file_keeps_them_and_draws_them() -> None:
    labels = Labels.from_xy(SCHEMA, ["1.png"], np.arange(12.0).reshape(1, 6, 2))
    text = coco.dump(labels)
    category = json.loads(text)["categories"][0]
    assert category["curves"][0] == {"name": "back", "points": ["a", "d", "b"], "closed": False}
    assert [4, 2] in category["skeleton"]
    assert [6, 3] in category["skeleton"]
    assert coco.parse(text).schema == SCHEMA
    assert "curves" not in json.loads(coco.dump(Labels.from_xy(Schema(NAMES), [], [])))["categories"][0]


@pytest.mark.parametrize(
    ("curves", "message"),
    [
        ({"back": ["a"]}, "'curves' must be a list"),
        (["back"], r"curves\[0\] must be an object"),
        ([{"name": "back", "points": ["a", "b", "c"], "closed": "no"}], r"curves\[0\] must be an object"),
        ([{"name": "back", "points": [1, 2, 3]}], r"curves\[0\]: 'points' of 'back' must be a list"),
        ([{"name": "back", "points": ["a"]}], "'back' has 1 of the 3 points"),
        ([{"name": "back", "points": ["a", "b", "z"]}], "'back': Unknown landmark 'z'"),
    ],
)
def test_a_coco_file_with_other_curves_is_refused(curves: Any, message: str) -> None:
    category = {"id": 1, "name": "x", "keypoints": list(NAMES), "curves": curves}
    with pytest.raises(LeadError, match=r"categories\[0\]: .*" + message):
        coco.parse(json.dumps({"images": [], "annotations": [], "categories": [category]}))


def test_all_formats_but_ours_say_that_they_lose_them() -> None:
    labels = Labels.from_xy(SCHEMA, ["1.png"], np.ones((1, 6, 2)))
    assert {kind.name for kind in WRITTEN if "the curves" not in kind.lost(labels)} == {"coco", "tps"}


def test_files_are_joined_with_their_curves_unless_these_differ() -> None:
    def part(file: str, *curves: Curve) -> Labels:
        return Labels.from_xy(Schema(NAMES, curves=curves), [file], np.ones((1, 6, 2)), places=Places(file=file))

    assert joined_tables([part("1", OPEN), part("2"), part("3", CLOSED, OPEN)]).schema.curves == (OPEN, CLOSED)
    with pytest.raises(LeadError, match="2: curve 'back' goes through other points than in 1"):
        joined_tables([part("1", OPEN), part("2", Curve("back", ("b", "d", "a")))])


def test_the_curves_of_several_kinds_are_told_apart() -> None:
    small = Schema(("a", "b", "c"), curves=(Curve("back", ("a", "b", "c")),))
    parts = [Labels.from_xy(schema, ["1.png"], np.ones((1, len(schema.names), 2))) for schema in (SCHEMA, small)]
    assert joined_kinds(parts, ["fly", "egg"]).schema.curves == (
        OPEN,
        CLOSED,
        Curve("egg back", ("egg a", "egg b", "egg c")),
    )


def test_names_along_a_curve() -> None:
    assert names_along("rim", 3) == ("rim_01", "rim_02", "rim_03")
    assert names_along("rim", 120)[::119] == ("rim_001", "rim_120")


def walked(points: npt.NDArray[np.float64], count: int, *, closed: bool) -> npt.NDArray[np.float64]:
    """Evenly spaced points, found by walking along the lines in small steps."""
    ring = [*points, points[0]] if closed else [*points]
    steps = np.linspace(0, 1, 5000)[:, None]
    fine = np.concatenate([(1 - steps) * a + steps * b for a, b in pairwise(ring)])
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(fine, axis=0), axis=1))])
    wanted = along[-1] * np.arange(count) / (count if closed else count - 1)
    return fine[[np.abs(along - one).argmin() for one in wanted]]


@given(
    points=st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=8, unique=True),
    count=st.integers(3, 12),
    closed=st.booleans(),
)
def test_points_along_a_polyline_are_evenly_spaced(points: list[tuple[int, int]], count: int, closed: bool) -> None:
    clicks = np.array(points, dtype=float)
    even = resampled(clicks, count, closed=closed)
    assert even.shape == (count, 2)
    np.testing.assert_allclose(even, walked(clicks, count, closed=closed), atol=0.05)
    np.testing.assert_array_equal(even[0], clicks[0])
    if not closed:
        np.testing.assert_array_equal(even[-1], clicks[-1])


def test_a_spline_through_a_circle_gives_a_regular_polygon() -> None:
    clicks = np.array([0.0, 0.5, 1.5, 2.2, 3.3, 4.1, 5.2, 5.8])
    circle = 100 * np.stack([np.cos(clicks), np.sin(clicks)], axis=1)
    even = resampled(circle, 10, closed=True, spline=True)
    angles = 2 * np.pi * np.arange(10) / 10
    np.testing.assert_allclose(even, 100 * np.stack([np.cos(angles), np.sin(angles)], axis=1), atol=1.0)
    straight = resampled(circle, 10, closed=True)
    assert np.linalg.norm(straight, axis=1).min() < 95  # the polyline cuts the corners


def test_a_spline_of_an_open_curve_keeps_its_ends_and_is_even() -> None:
    clicks = np.array([[0, 0], [10, 12], [10, 12], [25, 3], [60, 30]], dtype=float)  # clicked twice in one place
    even = resampled(clicks, 50, spline=True)
    np.testing.assert_array_equal(even[[0, -1]], clicks[[0, -1]])
    gaps = np.linalg.norm(np.diff(even, axis=0), axis=1)
    assert gaps.max() < 1.02 * gaps.min()
    assert np.abs(even - clicks[1]).sum(1).min() < 1.5  # it goes through each click


@pytest.mark.parametrize(
    ("points", "count", "closed", "message"),
    [
        ([[1, 2]], 5, False, "at least 2 different places, not 1"),
        ([[1, 2], [1, 2]], 5, False, "at least 2 different places, not 1"),
        ([[1, 2], [3, 4]], 5, True, "at least 3 different places, not 2"),
        ([[1, 2], [3, 4]], 1, False, "at least 2 points, not 1"),
        ([[1, 2], [np.nan, 4]], 5, False, "has one without numbers"),
    ],
)
def test_what_is_no_line_is_refused(points: list[list[float]], count: int, closed: bool, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        resampled(points, count, closed=closed)


def test_what_lies_across_a_curve() -> None:
    # By hand: d, between a at (0, 0) and b at (10, 0), was found 3 to the right and 4 above; around the eye c, e, f the
    # direction at e is from c to f, (0, 5), so that what counts is x; and at f it is from e to c, (-4, 0).
    labelled = np.array([[[0, 0], [10, 0], [20, 0], [6, 1], [24, 0], [20, 5]]], dtype=float)
    found = labelled + np.array([[9, 9], [9, 9], [9, 9], [3, 4], [-2, 7], [5, -6]])
    np.testing.assert_allclose(across(found, labelled, SCHEMA.sliders), [[np.nan] * 3 + [4, 2, 6]])
    labelled[0, 1] = np.nan  # then from a to d itself: (6, 1)
    aside = abs(6 * 4 - 1 * 3) / np.hypot(6, 1)
    np.testing.assert_allclose(across(found, labelled, SCHEMA.sliders)[0, 3], aside)
    labelled[0, 0] = np.nan
    assert np.isnan(across(found, labelled, SCHEMA.sliders)[0, 3])


@given(angle=st.floats(0, 6), seed=st.integers(0, 1000))
def test_what_lies_across_is_never_more_than_all_and_turns_with_it(angle: float, seed: int) -> None:
    labelled, away = np.random.default_rng(seed).normal(size=(2, 5, 6, 2))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    aside = across(labelled + away, labelled, SCHEMA.sliders)
    np.testing.assert_allclose(across((labelled + away) @ turn, labelled @ turn, SCHEMA.sliders), aside)
    slides = SCHEMA.semilandmarks
    assert (aside[:, slides] <= np.linalg.norm(away, axis=-1)[:, slides] + 1e-9).all()


@pytest.mark.parametrize("name", ["coco", "csv"])
def test_our_formats_keep_the_error_across(name: str) -> None:
    told = np.array([[np.nan, np.nan, np.nan, 1.5, 2.5, np.nan]])
    xy = np.arange(12.0).reshape(1, 6, 2)
    labels = Labels(SCHEMA, ("1.png",), xy, np.full((1, 6), 2), px_error=np.full((1, 6), 3.0), px_across=told)
    known = format_named(name)
    again, _ = parse_labels(known.dump(labels, PictureInfo()), "x")
    np.testing.assert_array_equal(again.px_across, told)
    np.testing.assert_array_equal(again.px_error, labels.px_error)
    without = known.dump(replace(labels, px_across=None), PictureInfo())
    assert b"px_across" not in without
    assert parse_labels(without, "x")[0].px_across is None
