"""Curves of TPS files: as tpsDig draws them, as ktch reads ours, and back again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.landmarks import Labels, Schema, tps
from lead.landmarks.curves import Curve
from lead.landmarks.formats import format_named
from lead.landmarks.model import numbered
from lead.landmarks.pictures import Sized

HEIGHT = 80
SIZES = Sized(dict.fromkeys(("a.jpg", "b.jpg", "c.jpg", "d.jpg"), (100, HEIGHT)))
DRAWN = """LM=2
10 70
30 50
CURVES=2
POINTS=3
1 2
3 4
5 6
POINTS=4
11 12
13 14
15 16
17 18
IMAGE={image}
ID={id}
"""
A, B = DRAWN.format(image="a.jpg", id=0), DRAWN.format(image="b.jpg", id=1)


def curves_of(schema: Schema) -> list[tuple[str, bool]]:
    return [(" ".join(curve.points), curve.closed) for curve in schema.curves]


def dumped(labels: Labels) -> str:
    """The file that is written, with whole numbers as tpsDig's users type them."""
    return tps.dump(labels, SIZES).replace(".0\n", "\n").replace(".0 ", " ")


def test_the_points_of_curves_follow_the_landmarks() -> None:
    labels = tps.parse(A + B, SIZES)
    assert labels.schema.names == numbered(9)
    assert curves_of(labels.schema) == [("3 4 5", False), ("6 7 8 9", False)]
    expected = [(10, 70), (30, 50), (1, 2), (3, 4), (5, 6), (11, 12), (13, 14), (15, 16), (17, 18)]
    np.testing.assert_array_equal(labels.xy, [[(x, HEIGHT - y) for x, y in expected]] * 2)
    assert labels.where(1, 5) == "line 25: "
    assert labels.places is not None
    assert labels.places.left_out == ""
    assert dumped(labels) == A + B


def test_a_file_of_curves_alone() -> None:
    text = "LM=0\nCURVES=1\nPOINTS=3\n1 2\n3 4\n5 6\nIMAGE=a.jpg\nID=0\n"
    labels = tps.parse(text, SIZES)
    assert curves_of(labels.schema) == [("1 2 3", False)]
    assert dumped(labels) == text


def test_what_is_digitised_in_part_is_missing_there() -> None:
    landmarks = "LM=2\n1 2\n3 4\nIMAGE=b.jpg\n"
    curves = A.replace("LM=2\n10 70\n30 50", "LM=0").replace("a.jpg", "c.jpg")
    labels = tps.parse(landmarks + A + curves + "LM=0\nIMAGE=d.jpg\n", SIZES)
    known = np.asarray(np.isfinite(labels.xy).all(-1))
    assert known.sum(1).tolist() == [2, 9, 7, 0]
    assert known[2, 2:].all()


def test_ends_on_landmarks_are_these_and_a_curve_may_close() -> None:
    curves = "CURVES=2\nPOINTS=4\n10 70\n1 2\n3 4\n30 50\nPOINTS=4\n7 7\n8 9\n9 7\n7 7\n"
    text = f"LM=2\n10 70\n30 50\n{curves}IMAGE=a.jpg\nID=0\n"
    labels = tps.parse(text, SIZES)
    assert curves_of(labels.schema) == [("1 3 4 2", False), ("5 6 7", True)]
    assert dumped(labels) == text
    elsewhere = text.replace("a.jpg", "b.jpg").replace("LM=2\n10 70", "LM=2\n10 71").replace("ID=0", "ID=1")
    both = tps.parse(text + elsewhere, SIZES)  # not in each specimen: a point of its own
    assert curves_of(both.schema) == [("3 4 5 2", False), ("6 7 8", True)]
    assert dumped(both) == text + elsewhere


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("LM=0\nCURVES=1\nPOINTS=1\n1 2\nIMAGE=a.jpg\n", "line 3: curve 1 has 1 point, and a curve needs 3"),
        ("LM=0\nCURVES=1\nPOINTS=3\n1 2\n3 4\n1 2\nIMAGE=a.jpg\n", "line 3: Curve 'curve 1' has 2 of the 3 points"),
        (
            A + B.replace("POINTS=4\n11 12\n", "POINTS=3\n"),
            r"line 24: curve 2 of 'b\.jpg' has 3 points where line 9 has",
        ),
        (A + B.replace("POINTS=3\n1 2\n3 4\n5 6\n", ""), "line 20: 1 curve where the specimen with line 5 has 2"),
        (A.replace("POINTS=3", "POINTS=4"), "line 9: 'POINTS=4' where 1 more point should follow"),
        (A.replace("POINTS=3", "POINTS=2"), "line 8: '5 6' is neither a point that was announced"),
        (A.replace("POINTS=3", "POINTS=x"), "line 5: 'x' is not a number of points"),
        (A.replace("3 4", "3 4 5"), "line 7: '3 4 5' must be two numbers"),
        ("LM=0\nCURVES=1\nPOINTS=4\n1 2", "the file ends where 3 more points should follow"),
    ],
)
def test_curves_that_are_none_or_differ_are_refused(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        tps.parse(text, SIZES)


def test_ktch_reads_the_curves(tmp_path: Path) -> None:
    from ktch.io import read_tps

    labels = tps.parse(A, SIZES)
    (tmp_path / "a.tps").write_text(tps.dump(labels, SIZES))
    found = read_tps(tmp_path / "a.tps")
    np.testing.assert_array_equal(found.landmarks, [[10, 70], [30, 50]])
    first, second = found.curves
    np.testing.assert_array_equal(first, [[1, 2], [3, 4], [5, 6]])
    np.testing.assert_array_equal(second, [[11, 12], [13, 14], [15, 16], [17, 18]])


def test_points_of_curves_between_others_come_last_which_is_told() -> None:
    schema = Schema(tuple("abcd"), curves=(Curve("x", ("a", "b", "d")),))
    labels = Labels.from_xy(schema, ["a.jpg"], [[[1, 2], [3, 4], [5, 6], [7, 8]]])
    assert "the order of the landmarks, of which the curves' points come last" in format_named("tps").lost(labels)
    again = tps.parse(tps.dump(labels, SIZES), SIZES)
    np.testing.assert_array_equal(again.xy, labels.xy[:, [0, 2, 3, 1]])
    assert curves_of(again.schema) == [("1 4 3", False)]
    in_order = labels.only("acdb")
    assert not [words for words in format_named("tps").lost(in_order) if "order" in words]


@st.composite
def curved(draw: st.DrawFn) -> Labels:
    """Labels of landmarks in any order, some on curves that may share ends; each point is known in the first row."""
    count = draw(st.integers(3, 12))
    names = draw(st.permutations(numbered(count)))
    free, curves = list(names), list[Curve]()
    while len(free) > 3 and draw(st.booleans()):
        inner = [free.pop() for _ in range(draw(st.integers(1, min(3, len(free) - 2))))]
        ends = draw(st.permutations(free))[:2]
        closed = draw(st.booleans()) and len(inner) > 1
        curves.append(Curve(f"c{len(curves)}", (ends[0], *inner) if closed else (ends[0], *inner, ends[1]), closed))
    rows = draw(st.integers(1, 3))
    places = draw(st.permutations(range(rows * count)))
    xy = np.array([(p % 97 + 0.25, (7 * p) % 79) for p in places]).reshape(rows, count, 2)
    for row, point in draw(st.lists(st.tuples(st.integers(0, rows - 1), st.integers(0, count - 1)), max_size=3)):
        xy[row, point] = np.nan if row else xy[row, point]
    return Labels.from_xy(Schema(tuple(numbered(count)), curves=tuple(curves)), "abcd"[:rows], xy)


@given(labels=curved())
def test_a_round_trip_keeps_points_and_curves(labels: Labels) -> None:
    sizes = Sized(dict.fromkeys("abcd", (100, HEIGHT)))
    text = tps.dump(labels, sizes)
    again = tps.parse(text, sizes)
    assert tps.dump(again, sizes) == text
    # By name of our own: which landmark is which is known by its place in the first row.
    first = labels.xy[0].tolist()
    order = [first.index(place) for place in again.xy[0].tolist()]
    assert sorted(order) == list(range(len(first)))
    np.testing.assert_array_equal(again.xy, labels.xy[:, order])
    here = {number: labels.schema.names[k] for number, k in zip(again.schema.names, order, strict=True)}
    back = [replace(curve, points=tuple(here[point] for point in curve.points)) for curve in again.schema.curves]
    assert [(c.points, c.closed) for c in back] == [(c.points, c.closed) for c in labels.schema.curves]
    assert (order == sorted(order)) == (not [w for w in format_named("tps").lost(labels) if "order" in w])
