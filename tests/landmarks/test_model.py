"""The data model: specimens, their tracks and boxes, and the pictures in which all are labelled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import UNLABELLED, VISIBLE, Labels, Schema

NAN = np.nan
SCHEMA = Schema(("head", "tail"))


def specimens(images: Sequence[str], tracks: Sequence[str] | None) -> Labels:
    """Each row's head is at its number."""
    xy = np.full((len(images), 2, 2), NAN)
    xy[:, 0] = np.arange(len(images))[:, None]
    labels = Labels.from_xy(SCHEMA, dict.fromkeys(images), xy[: len(dict.fromkeys(images))])
    visible = np.full((len(images), 2), VISIBLE, dtype=np.int8)
    return replace(
        labels, images=tuple(images), xy=xy, visible=visible, tracks=None if tracks is None else tuple(tracks)
    )


BUSY = replace(
    specimens(["a.png", "b.png", "a.png", "c.png"], ["Ann", "Ann", "", ""]),
    visible=np.array([[2, 0], [2, 0], [0, 0], [0, 0]]),
    boxes=np.array([[NAN] * 4, [1, 2, 3, 4], [5, 6, 7, 8], [NAN] * 4]),
    likely=np.array([0.5, NAN, NAN, NAN]),
    complete=frozenset({"a.png", "c.png", "gone.png"}),
)


def test_without_tracks_a_picture_stands_once() -> None:
    with pytest.raises(LeadError, match=r"Picture 'a\.png' is labelled more than once"):
        specimens(["a.png", "b.png", "a.png"], None)
    assert len(specimens(["a.png", "b.png", "a.png"], ["", "", ""])) == 3
    with pytest.raises(ValueError, match="2 tracks of 3 specimens"):
        specimens(["a.png", "b.png", "a.png"], ["", ""])


def test_an_individual_is_once_in_a_picture() -> None:
    with pytest.raises(LeadError, match=r"Picture 'a\.png' shows individual 'Ann' more than once"):
        specimens(["a.png", "b.png", "a.png"], ["Ann", "Bob", "Ann"])
    assert specimens(["a.png", "b.png"], ["Ann", "Ann"]).tracks == ("Ann", "Ann")


def test_complete_are_pictures_that_are_there() -> None:
    assert BUSY.complete == {"a.png", "c.png"}
    assert BUSY.take([1]).complete == frozenset()


def test_a_specimen_has_a_landmark_or_a_box() -> None:
    assert BUSY.is_specimen.tolist() == [True, True, True, False]
    assert replace(BUSY, boxes=None).is_specimen.tolist() == [True, True, False, False]
    assert BUSY.rows_of() == {"a.png": [0, 2], "b.png": [1], "c.png": [3]}
    assert BUSY.of_several() == {"a.png": 2}
    assert replace(BUSY, boxes=None).of_several() == {}


def test_some_rows_keep_what_is_said_of_them() -> None:
    labels = BUSY.take([2, 0])
    assert labels.images == ("a.png", "a.png")
    assert labels.tracks == ("", "Ann")
    assert labels.complete == {"a.png"}
    np.testing.assert_array_equal(labels.boxes, [[5, 6, 7, 8], [NAN] * 4])
    np.testing.assert_array_equal(labels.likely, [NAN, 0.5])
    assert BUSY.take([1, 3]).likely is None


def test_some_landmarks_keep_what_is_said_of_rows() -> None:
    labels = BUSY.only(["tail"])
    assert (labels.images, labels.tracks, labels.complete) == (BUSY.images, BUSY.tracks, BUSY.complete)
    np.testing.assert_array_equal(labels.boxes, BUSY.boxes)
    np.testing.assert_array_equal(labels.likely, BUSY.likely)


def test_joined_labels_keep_what_is_said_of_rows() -> None:
    plain = specimens(["d.png", "e.png"], None)
    labels = Labels.joined([plain, BUSY])
    assert labels.images == (*plain.images, *BUSY.images)
    assert labels.tracks == ("", "", "Ann", "Ann", "", "")
    assert labels.complete == BUSY.complete
    assert labels.boxes is not None
    np.testing.assert_array_equal(labels.boxes[2:], BUSY.boxes)
    assert np.isnan(labels.boxes[:2]).all()
    np.testing.assert_array_equal(labels.likely, [NAN, NAN, 0.5, NAN, NAN, NAN])
    alone = Labels.joined([plain, specimens(["f.png"], None)])
    assert (alone.tracks, alone.boxes, alone.likely, alone.complete) == (None, None, None, frozenset())


def test_pictures_that_go_by_other_names_stay_complete() -> None:
    labels = BUSY.renamed(image.upper() for image in BUSY.images)
    assert labels.images == ("A.PNG", "B.PNG", "A.PNG", "C.PNG")
    assert labels.complete == {"A.PNG", "C.PNG"}
    assert labels.tracks == BUSY.tracks


def test_tracks_that_tell_nothing_are_left_out() -> None:
    assert specimens(["a.png", "b.png"], ["", ""]).simplest().tracks is None
    for images, tracks in ((["a.png", "a.png"], ["", ""]), (["a.png", "b.png"], ["", "Ann"])):
        assert specimens(images, tracks).simplest().tracks == tuple(tracks)


def test_rows_that_are_no_specimen_go_where_their_picture_has_another() -> None:
    rows = specimens(["a.png", "b.png", "a.png", "b.png"], [""] * 4)
    labels = replace(rows, visible=np.array([[0, 0], [0, 0], [2, 0], [0, 0]])).without_empty()
    assert (labels.images, labels.tracks) == (("b.png", "a.png"), ("", ""))
    assert labels.visible[:, 0].tolist() == [UNLABELLED, VISIBLE]
    assert labels.xy[1, 0].tolist() == [2, 2]


def test_without_predictions_the_boxes_of_predicted_specimens_go_too() -> None:
    labels = replace(
        BUSY,
        images=("a.png",) * 4,
        tracks=("",) * 4,
        visible=np.array([[2, 0], [2, 2], [0, 0], [2, 0]]),
        xy=np.ones((4, 2, 2)),
        boxes=np.arange(16.0).reshape(4, 4),
        likely=np.array([0.5, 0.25, NAN, NAN]),
        predicted=np.array([[1, 0], [1, 0], [0, 0], [0, 0]], dtype=bool),
    )
    hand = labels.without_predicted()
    assert hand.is_specimen.tolist() == [False, True, True, True]
    assert hand.visible.tolist() == [[0, 0], [0, 2], [0, 0], [2, 0]]
    assert hand.boxes is not None
    np.testing.assert_array_equal(np.isnan(hand.boxes[:, 0]), [True, False, False, False])
    np.testing.assert_array_equal(hand.likely, [NAN, 0.25, NAN, NAN])
    assert len(hand) == len(labels)


def test_a_picture_that_loses_a_specimen_is_no_longer_complete() -> None:
    visible = np.full((3, 1), VISIBLE, np.int8)
    predicted = np.array([[False], [True], [False]])
    labels = Labels(
        Schema(("p",)),
        ("a", "a", "b"),
        np.ones((3, 1, 2)),
        visible,
        predicted=predicted,
        tracks=("",) * 3,
        complete=frozenset("ab"),
    )
    assert labels.without_predicted().complete == {"b"}
