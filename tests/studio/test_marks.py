"""What is said of labels and pictures beside the points: accepted suggestions, notes and tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import ABSENT, at, hidden, make_folder, name, open_book, put, visible
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from serving import opened

from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import Labels
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import LabelsChange, PictureLabels, Point
from lead.studio.labelfile import Conflict
from lead.studio.tags import tidy_tags
from lead.studio.transfer import combined


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    return make_folder(tmp_path)


@pytest.fixture
def book(folder: PictureFolder) -> LabelBook:
    """Three landmarks, nothing labelled."""
    book = open_book(folder)
    name(book, "a", "b", "c")
    return book


def accepted(x: float, y: float) -> Point:
    return Point(x=x, y=y, accepted=True)


def mark(book: LabelBook, file: str, **marks: Any) -> PictureLabels:
    id = book.folder.id_of(file)
    return book.change_labels(id, LabelsChange.model_validate({"base": book.labels(id).version} | marks))


def on_disk(book: LabelBook) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(book.file.read_bytes())
    return data


# --- accepted suggestions ---


def test_an_accepted_suggestion_is_so_in_the_file_until_its_point_changes(book: LabelBook) -> None:
    put(book, "a.png", a=accepted(1, 2), b=accepted(3, 4), c=(5, 6))
    assert on_disk(book)["annotations"][0]["accepted"] == ["a", "b"]
    assert at(book, "a.png") == {"a": accepted(1, 2), "b": accepted(3, 4), "c": visible(5, 6)}
    assert book.contents.accepted == {book.folder.id_of("a.png"): 2}
    put(book, "a.png", a=hidden(1, 2))
    put(book, "a.png", c=(5, 7))
    assert on_disk(book)["annotations"][0]["accepted"] == ["b"]
    put(book, "a.png", b=visible(3, 4))  # in the same place: a person has looked
    assert "accepted" not in on_disk(book)["annotations"][0]
    assert book.contents.accepted == {}


@pytest.mark.parametrize("after", [ABSENT, None])
def test_a_label_that_goes_is_not_accepted_any_more(book: LabelBook, after: Point | None) -> None:
    put(book, "a.png", a=accepted(1, 2))
    put(book, "a.png", a=after)
    assert "accepted" not in on_disk(book)["annotations"][0]


def test_it_is_there_when_opened_again_and_goes_with_a_new_name(book: LabelBook) -> None:
    put(book, "a.png", a=accepted(1, 2), b=(3, 4))
    name(book, "c", "z", "b", renamed={"a": "z"})
    book.close()
    again = open_book(book.folder)
    assert at(again, "a.png") == {"z": accepted(1, 2), "b": visible(3, 4)}
    assert on_disk(again)["annotations"][0]["accepted"] == ["z"]


def test_an_absent_landmark_cannot_be_accepted() -> None:
    with pytest.raises(ValidationError, match="has a place"):
        Point(state="absent", accepted=True)


def test_names_that_are_no_landmarks_stay_listed(book: LabelBook) -> None:
    put(book, "a.png", a=accepted(1, 2))
    data = on_disk(book)
    data["annotations"][0]["accepted"] += ["elsewhere", "b"]  # b has no label
    book.file.write_text(json.dumps(data))
    book.close()
    book = open_book(book.folder)
    assert at(book, "a.png") == {"a": accepted(1, 2)}
    put(book, "a.png", a=(2, 2))
    assert on_disk(book)["annotations"][0]["accepted"] == ["elsewhere"]


@pytest.mark.parametrize("theirs", ["a", True, [1, ["a"]], {"a": True}])
def test_what_another_program_keeps_there_stays_until_something_is_accepted(book: LabelBook, theirs: object) -> None:
    put(book, "a.png", a=(1, 2))
    data = on_disk(book)
    data["annotations"][0]["accepted"] = theirs
    book.file.write_text(json.dumps(data))
    book.close()
    book = open_book(book.folder)
    put(book, "a.png", b=(1, 2))
    assert book.contents.accepted == {}
    assert on_disk(book)["annotations"][0]["accepted"] == theirs
    put(book, "a.png", a=accepted(1, 3))
    assert on_disk(book)["annotations"][0]["accepted"][0] == "a"
    assert at(book, "a.png")["a"] == accepted(1, 3)


# --- notes and tags ---


def test_a_picture_may_have_a_note_and_tags_alone(book: LabelBook) -> None:
    after = mark(book, "b.png", note="left wing torn\nask Ada", tags=["Female", "dorsal view"])
    assert (after.note, after.tags, after.points) == ("left wing torn\nask Ada", ["Female", "dorsal view"], {})
    data = on_disk(book)
    (image,) = data["images"]
    assert (image["file_name"], image["note"], image["tags"]) == ("b.png", after.note, after.tags)
    assert data["annotations"] == []
    assert len(load_labels(book.file)) == 1
    assert (load_labels(book.file).visible == 0).all()
    book.close()
    again = open_book(book.folder)
    found = again.labels(again.folder.id_of("b.png"))
    assert (found.note, found.tags, found.points) == (after.note, after.tags, {})
    assert (again.contents.summary, again.contents.missing, len(again.contents.labels)) == ({}, [], 0)


def test_notes_and_tags_leave_labels_alone_and_the_other_way_about(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 2))
    mark(book, "a.png", checked=True)
    annotation = on_disk(book)["annotations"]
    mark(book, "a.png", note="dusty")
    mark(book, "a.png", tags=["male"])
    assert on_disk(book)["annotations"] == annotation
    put(book, "a.png", a=(2, 2))
    mark(book, "a.png", note="")
    assert (on_disk(book)["images"][0].get("note"), on_disk(book)["images"][0]["tags"]) == (None, ["male"])
    assert at(book, "a.png") == {"a": visible(2, 2)}


def test_tags_are_trimmed_and_each_stays_once(book: LabelBook) -> None:
    after = mark(book, "a.png", tags=["  dorsal   view ", "SKIP", "Dorsal View", "", " ", "skip"])
    assert after.tags == ["dorsal view", "skip"]
    same = book.change_labels(after.id, LabelsChange(base=0, tags=["dorsal view ", "Skip"]))  # it says what stands here
    assert same == after


@settings(max_examples=50)
@given(tags=st.lists(st.text(max_size=5), max_size=6))
def test_tidy_tags_are_tidy(tags: list[str]) -> None:
    tidy = tidy_tags(tags)
    assert tidy_tags(tidy) == tidy
    assert len({tag.casefold() for tag in tidy}) == len(tidy)
    assert {tag.casefold() for tag in tidy} == {" ".join(tag.split()).casefold() for tag in tags if tag.strip()}


@pytest.mark.parametrize(
    "marks",
    [{"note": "x" * 2001}, {"tags": ["x" * 41]}, {"tags": [f"{i}" for i in range(21)]}, {"tags": "skip"}, {"note": 3}],
)
def test_what_is_too_long_is_refused(marks: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LabelsChange.model_validate({"base": 0} | marks)


def test_a_tag_that_cannot_be_shown_is_refused(book: LabelBook) -> None:
    with pytest.raises(LeadError, match=r"The tag 'a\\x00b' holds a control character"):
        mark(book, "a.png", tags=["a\0b"])
    assert on_disk(book)["images"] == []


def test_before_landmarks_are_named_there_is_no_file_for_a_note(folder: PictureFolder) -> None:
    book = open_book(folder)
    with pytest.raises(LeadError, match="Name the landmarks first"):
        mark(book, "a.png", note="torn")
    assert not book.file.exists()


def test_notes_have_versions_conflicts_and_events_as_points_have(folder: PictureFolder) -> None:
    events = Events()
    book = open_book(folder, events)
    name(book, "a")
    id = folder.id_of("a.png")
    base = book.labels(id).version
    with events.subscribe(["labels"]) as heard:
        after = book.change_labels(id, LabelsChange(base=base, note="torn"))
        event = heard.get(1)
    assert event is not None
    assert (event.data["note"], event.data["version"]) == ("torn", after.version)
    assert after.version > base
    with pytest.raises(Conflict) as caught:
        book.change_labels(id, LabelsChange(base=base, note="whole"))
    assert caught.value.labels == after
    assert book.change_labels(id, LabelsChange(base=base, note="torn")) == after


@pytest.mark.parametrize("theirs", [{"note": 7, "tags": "a, b"}, {"note": {"en": "x"}, "tags": [1, None, "\ud800"]}])
def test_keys_of_another_program_stay_until_they_are_changed(book: LabelBook, theirs: dict[str, Any]) -> None:
    put(book, "a.png", a=(1, 2))
    data = on_disk(book)
    data["images"][0] |= theirs
    book.file.write_text(json.dumps(data))
    book.close()
    book = open_book(book.folder)
    found = book.labels(book.folder.id_of("a.png"))
    assert (found.note, found.tags) == ("", [])
    put(book, "a.png", a=(2, 2))
    assert {key: on_disk(book)["images"][0][key] for key in theirs} == theirs
    mark(book, "a.png", tags=["ours"])
    assert on_disk(book)["images"][0]["tags"] == ["ours"]


# --- what the page is told ---


def test_the_list_and_the_state_count_them(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    with opened(tmp_path, load_after_s=600.0) as session:
        book = session.book
        name(book, "a", "b")
        put(book, "a.png", a=accepted(1, 2), b=accepted(3, 4))
        put(book, "b.png", a=(1, 2))
        put(book, "sub/c.png", a=accepted(1, 2), b=(3, 4))
        mark(book, "sub/c.png", tags=["skip"], note="out of focus")
        mark(book, "d.png", tags=["skip"])
        (folder.root / "d.png").write_text("no picture")
        session.folder.note_unreadable(session.folder.id_of("d.png"), "damaged")
        state = session.state()
        assert (state.pictures, state.complete, state.begun, state.skipped, state.accepted) == (2, 1, 1, 1, 3)
        listed = {p.file: (p.labelled, p.complete, p.accepted, p.tags, p.noted) for p in session.list_pictures()}
    assert listed == {
        "a.png": (2, True, 2, [], False),
        "b.png": (1, False, 0, [], False),
        "sub/c.png": (2, True, 1, ["skip"], True),
        "d.png": (0, False, 0, ["skip"], False),
    }
    assert np.isfinite(load_labels(tmp_path / "annotations.json").xy[2]).all()  # a skipped picture keeps its labels


def test_an_export_of_both_says_which_labels_are_accepted(book: LabelBook) -> None:
    put(book, "a.png", a=accepted(1, 2), b=(3, 4))
    hand = book.contents.labels
    predicted = Labels.from_xy(hand.schema, ["b.png", "a.png"], np.ones((2, 3, 2)))
    both = combined(hand, predicted)
    assert both.images == ("b.png", "a.png")
    assert both.accepted is not None
    assert both.accepted.tolist() == [[False] * 3, [True, False, False]]
