"""Labels of several files as one set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.landmarks.joining import joined_tables
from lead.landmarks.model import Places

NAN = np.nan


def table(file: str, names: str, rows: Mapping[str, list[list[float]]]) -> Labels:
    return Labels.from_xy(Schema(tuple(names.split())), rows, [*rows.values()], places=Places(file=file))


ONE = table("one.csv", "nose tail", {"a.png": [[1, 2], [3, 4]], "b.png": [[NAN, NAN], [NAN, NAN]]})
OTHER = table("two.csv", "tail ear", {"c.png": [[5, 6], [7, 8]]})


def test_landmarks_are_one_by_their_names_whatever_their_order() -> None:
    labels = joined_tables([ONE, OTHER])
    assert labels.schema.names == ("nose", "tail", "ear")
    assert labels.images == ("a.png", "b.png", "c.png")
    np.testing.assert_array_equal(labels.xy[2], [[NAN, NAN], [5, 6], [7, 8]])
    np.testing.assert_array_equal(labels.xy[0], [[1, 2], [3, 4], [NAN, NAN]])
    assert labels.visible.tolist() == [[2, 2, 0], [0, 0, 0], [0, 2, 2]]
    assert (labels.score, labels.accepted, labels.predicted, labels.sizes) == (None, None, None, None)


def test_what_is_told_of_labels_goes_with_them() -> None:
    hidden = replace(ONE, visible=np.array([[HIDDEN, VISIBLE], [0, 0]]), accepted=np.array([[1, 0], [0, 0]]))
    said = replace(OTHER, score=np.array([[0.5, NAN]]), predicted=np.array([[1, 0]]), sizes=np.array([[40, 30]]))
    labels = joined_tables([hidden, said])
    assert labels.visible.tolist() == [[HIDDEN, VISIBLE, UNLABELLED], [0, 0, 0], [0, 2, 2]]
    np.testing.assert_array_equal(labels.score, [[NAN] * 3, [NAN] * 3, [NAN, 0.5, NAN]])
    assert np.argwhere(labels.is_accepted).tolist() == [[0, 0]]
    assert np.argwhere(labels.is_predicted).tolist() == [[2, 1]]
    assert np.argwhere(labels.by_hand).tolist() == [[0, 1], [2, 2]]
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[0, 0], [0, 0], [40, 30]]
    assert labels.px_error is None


def test_pairs_and_skeletons_are_joined_once() -> None:
    schemas = [
        Schema(("l", "r", "n"), (("l", "r"),), (("l", "n"),)),
        Schema(("r", "l", "n"), (("r", "l"),), (("n", "l"), ("r", "n"))),
    ]
    parts = [Labels.from_xy(schema, [f"{i}.png"], np.ones((1, 3, 2))) for i, schema in enumerate(schemas)]
    assert joined_tables(parts).schema == Schema(("l", "r", "n"), (("l", "r"),), (("l", "n"), ("r", "n")))


def test_a_picture_may_stand_twice_where_its_labels_agree() -> None:
    again = table("again.csv", "tail nose", {"b.png": [[9, 9], [8, 8]], "a.png": [[3, 4], [1, 2]]})
    more = table("more.csv", "ear", {"a.png": [[7, 7]]})
    blank = table("blank.csv", "nose tail", {"a.png": [[NAN, NAN], [NAN, NAN]]})
    labels = joined_tables([ONE, again, more, blank])
    assert labels.images == ("a.png", "b.png")
    np.testing.assert_array_equal(labels.xy, [[[1, 2], [3, 4], [7, 7]], [[8, 8], [9, 9], [NAN, NAN]]])


def test_what_a_label_is_said_of_names_its_own_file() -> None:
    places = Places(file="two.csv", lines=np.array([[4, 5]]), left_out="2 columns")
    labels = joined_tables([ONE, replace(OTHER, places=places)])
    assert labels.where(2, 1) == "two.csv, line 4: "
    assert labels.where(2, 2) == "two.csv, line 5: "
    assert labels.where(0) == "one.csv: "
    assert labels.places is not None
    assert labels.places.left_out == "two.csv: 2 columns"
    nowhere = joined_tables([replace(ONE, places=None), replace(OTHER, places=None)])
    assert nowhere.where(0, 0) == ""


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"a.png": [[1, 2], [3, 5]]}, r"'a\.png' stands in one\.csv and in two\.csv, which differ in 'tail'"),
        ({"a.png": [[1, 2], [NAN, NAN]]}, r"'a\.png' .* differ in 'tail'\. Keep one of them"),
    ],
)
def test_a_picture_of_which_two_files_say_different_things_is_refused(
    other: dict[str, list[list[float]]], message: str
) -> None:
    with pytest.raises(LeadError, match=message):
        joined_tables([ONE, table("two.csv", "nose tail", other)])


def test_files_that_contradict_one_another_are_refused() -> None:
    points = {"a.png": [[1.0, 2.0], [3.0, 4.0]]}
    sizes = [replace(table(f"{w}.csv", "l r", points), sizes=np.array([[w, 9]])) for w in (8, 9)]
    with pytest.raises(LeadError, match=r"'a\.png' is 8 × 9 pixels in 8\.csv, 9 × 9 in 9\.csv"):
        joined_tables(sizes)
    pairs = [Schema(("l", "r", "s"), (pair,)) for pair in (("l", "r"), ("s", "l"))]
    parts = [Labels.from_xy(schema, [f"{i}.png"], np.ones((1, 3, 2))) for i, schema in enumerate(pairs)]
    with pytest.raises(LeadError, match=r"'l' changes places with 's'.*another file with 'r'"):
        joined_tables(parts)


def test_numbers_are_not_taken_for_names() -> None:
    numbers = table("wings.tps", "1 2", {"w.png": [[1, 2], [3, 4]]})
    with pytest.raises(LeadError, match=r"wings\.tps has the landmarks 1, 2, one\.csv has nose, tail: numbers do not"):
        joined_tables([ONE, numbers])
    more = table("more.tps", "1 2 3", {"x.png": [[1, 2], [3, 4], [5, 6]]})
    with pytest.raises(LeadError, match=r"wings\.tps has the landmarks 1, 2, more\.tps has 1, 2, 3"):
        joined_tables([numbers, more])
    assert joined_tables([numbers, more], ["1", "2", "3"]).images == ("w.png", "x.png")


# --- several specimens of a picture ----------------------------------------------------------------------------------


def crowd(file: str, names: str, *points: list[list[float]], tracks: tuple[str, ...] = ("", "")) -> Labels:
    """Two specimens of one picture, and one of another."""
    xy = [*points, points[0]]
    labels = Labels.from_xy(
        Schema(tuple(names.split())), ("a.png",) * len(points) + (f"{file}.png",), xy, tracks=(*tracks, "")
    )
    return replace(labels, places=Places(file=file))


HEADS = crowd("heads", "head", [[1, 2]], [[3, 4]])


def test_specimens_in_one_file_alone_are_taken_as_they_are() -> None:
    labels = joined_tables([ONE, replace(HEADS, images=("x.png", "x.png", "y.png"), complete=frozenset({"x.png"}))])
    assert labels.images == ("a.png", "b.png", "x.png", "x.png", "y.png")
    assert labels.tracks == ("",) * 5
    assert labels.complete == {"x.png"}
    assert labels.visible[:, 2].tolist() == [0, 0, 2, 2, 2]


def test_specimens_are_the_same_by_their_order_where_they_share_labels() -> None:
    both = crowd("both", "tail head", [[5, 6], [1, 2]], [[7, 8], [3, 4]])
    boxed = replace(
        both, boxes=np.array([[0, 0, 9, 9], [NAN] * 4, [NAN] * 4]), sizes=np.array([[40, 30], [0, 0], [0, 0]])
    )
    labels = joined_tables([HEADS, boxed])
    assert labels.images == ("a.png", "a.png", "heads.png", "both.png")
    np.testing.assert_array_equal(labels.xy[:2], [[[1, 2], [5, 6]], [[3, 4], [7, 8]]])
    assert labels.boxes is not None
    np.testing.assert_array_equal(labels.boxes[0], [0, 0, 9, 9])
    assert np.isnan(labels.boxes[1:]).all()
    assert labels.known_sizes() == {"a.png": (40, 30)}


def test_specimens_are_the_same_by_their_tracks_in_any_order() -> None:
    heads = crowd("heads", "head", [[1, 2]], [[3, 4]], tracks=("Ann", "Bob"))
    tails = crowd("tails", "tail", [[7, 8]], [[9, 9]], tracks=("Bob", "Cid"))
    labels = joined_tables([heads, tails])
    assert labels.tracks == ("Ann", "Bob", "Cid", "", "")
    np.testing.assert_array_equal(labels.xy[:3], [[[1, 2], [NAN] * 2], [[3, 4], [7, 8]], [[NAN] * 2, [9, 9]]])


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (crowd("b", "head", [[3, 4]], [[1, 2]]), r"'a\.png' stands in heads and in b, which differ in 'head'"),
        (
            crowd("b", "tail", [[5, 6]], [[7, 8]]),
            r"shows 2 specimens in heads, 2 in b, and nothing tells which are the same",
        ),
        (crowd("b", "head", [[1, 2]], tracks=("",)), r"shows 2 specimens in heads, 1 in b, and nothing tells"),
        (crowd("b", "head", [[1, 2]], [[3, 4]], tracks=("Ann", "")), r"2 in b, and nothing tells.*name all as tracks"),
    ],
)
def test_specimens_that_could_be_others_are_refused(other: Labels, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        joined_tables([HEADS, other])


def test_boxes_that_differ_are_refused() -> None:
    one, other = (replace(HEADS, boxes=np.tile([0.0, 0, w, 9], (3, 1)), places=Places(file=f"{w}.csv")) for w in (8, 9))
    with pytest.raises(LeadError, match=r"'a\.png' stands in 8\.csv and in 9\.csv, which differ in a box"):
        joined_tables([one, other])


def test_a_picture_without_specimens_in_one_file_is_that_of_the_other() -> None:
    nobody = replace(HEADS, visible=np.zeros((3, 1), dtype=np.int8), complete=frozenset({"a.png"})).without_empty()
    for parts in ([nobody, HEADS], [HEADS, nobody]):
        labels = joined_tables(parts)
        assert labels.images == ("a.png", "a.png", "heads.png")
        np.testing.assert_array_equal(labels.xy, HEADS.xy)
