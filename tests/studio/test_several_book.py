"""The label book where a picture may show several specimens: each has a key, labels and a version of its own."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import ABSENT, hidden, make_folder, name, open_book, put, visible
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder, UnknownPicture
from lead.studio.label_messages import Direction, LabelsChange, PictureLabels, Point
from lead.studio.labelfile import Conflict
from lead.studio.session import Session

NAMES = ("head", "tail")
FILES = ("a.png", "sub/c.png")


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    return make_folder(tmp_path)


@pytest.fixture
def book(folder: PictureFolder) -> LabelBook:
    """Two landmarks, several specimens a picture, nothing labelled."""
    book = open_book(folder)
    name(book, *NAMES, several=True)
    return book


def key_at(book: LabelBook, file: str, number: int) -> str:
    return f"{book.folder.id_of(file)}.{number}"


def make(book: LabelBook, file: str, number: int, *, track: str | None = None, **points: Point | None) -> PictureLabels:
    """A new specimen."""
    return book.change_labels(key_at(book, file, number), LabelsChange(base=0, points=points, track=track))


def alter(book: LabelBook, key: str, **what: Any) -> PictureLabels:
    """Based on what stands there."""
    return book.change_labels(key, LabelsChange(base=book.labels(key).version, **what))


def shown(book: LabelBook, file: str) -> list[PictureLabels]:
    return book.contents.specimens_of(book.folder.id_of(file))


def on_disk(book: LabelBook) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(book.file.read_bytes())
    return data


def assert_loads_the_same(book: LabelBook) -> None:
    """What the book says of labels is what the file says, but for its pictures in which nothing is."""
    loaded = load_labels(book.file, several=True)
    there = loaded.is_specimen.tolist()
    loaded = loaded.take(row for row, file in enumerate(loaded.images) if there[row] or file in loaded.complete)
    ours = book.contents.labels
    assert ours.tracks is not None
    assert (ours.schema, ours.images, ours.complete) == (loaded.schema, loaded.images, loaded.complete)
    assert ours.tracks == (loaded.tracks or ("",) * len(loaded))
    for key in ("xy", "visible", "is_accepted", "is_predicted", "boxes", "likely", "score", "px_error"):
        np.testing.assert_array_equal(getattr(ours, key), getattr(loaded, key), err_msg=key)


# --- one after the other ---


def test_each_specimen_is_an_annotation_that_goes_by_its_key(book: LabelBook) -> None:
    first = make(book, "a.png", 7, head=visible(1, 2), tail=hidden(3, 5))
    second = make(book, "a.png", 2**31 - 1, head=visible(11, 12), track="42")
    assert (first.id, second.id) == (key_at(book, "a.png", 7), key_at(book, "a.png", 2147483647))
    assert first.points == {"head": visible(1, 2), "tail": hidden(3, 5)}
    assert [labels.id for labels in shown(book, "a.png")] == [first.id, second.id]
    assert book.labels(book.folder.id_of("a.png")).points == {}
    data = on_disk(book)
    assert len(data["images"]) == 1
    assert [(entry["id"], entry["image_id"], entry["keypoints"]) for entry in data["annotations"]] == [
        (7, 1, [1, 2, 2, 3, 5, 1]),
        (2147483647, 1, [11, 12, 2, 0, 0, 0]),
    ]
    assert (data["annotations"][1]["track_id"], data["categories"][0]["several"]) == (42, True)
    assert_loads_the_same(book)
    book.close()
    again = open_book(book.folder)
    assert [(labels.id, labels.points, labels.track) for labels in shown(again, "a.png")] == [
        (first.id, first.points, ""),
        (second.id, second.points, "42"),
    ]


def test_each_has_a_version_of_its_own(book: LabelBook) -> None:
    first, second = make(book, "a.png", 1, head=visible(1, 1)), make(book, "a.png", 2, head=visible(9, 9))
    moved = book.change_labels(first.id, LabelsChange(base=first.version, points={"head": visible(2, 2)}))
    assert moved.version > first.version
    assert book.labels(second.id) == second
    with pytest.raises(Conflict) as conflict:
        book.change_labels(first.id, LabelsChange(base=first.version, points={"head": visible(3, 3)}))
    assert conflict.value.labels == moved
    assert book.change_labels(first.id, LabelsChange(base=first.version, points={"head": visible(2, 2)})) == moved
    assert book.change_labels(first.id, LabelsChange(base=0, points={"head": visible(2, 2)})) == moved


def test_what_is_said_of_the_picture_goes_by_its_id(book: LabelBook) -> None:
    id = book.folder.id_of("a.png")
    specimen = make(book, "a.png", 1, head=visible(1, 1))
    said = alter(book, id, note="two beetles", tags=["tray"], complete=True, up=Direction(x=0, y=-2))
    assert (said.note, said.tags, said.complete, said.up) == ("two beetles", ["tray"], True, Direction(x=0, y=-1))
    assert book.labels(specimen.id) == specimen
    assert on_disk(book)["images"][0]["complete"] is True
    assert alter(book, id, complete=False).complete is False
    assert "complete" not in on_disk(book)["images"][0]


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (None, {"points": {"head": visible(1, 1)}}, r"points: is said of one specimen, and a\.png may show several"),
        (None, {"track": "x"}, "track: is said of one specimen"),
        (None, {"remove": True}, "remove: is said of one specimen"),
        (None, {"checked": True}, "checked: is said of one specimen"),
        (1, {"note": "x", "complete": True}, "note, complete: is said of a picture as a whole"),
        (1, {"points": {"haed": visible(1, 1)}}, "Did you mean 'head'"),
        (1, {"points": {"head": visible(1, 999)}}, "999"),
        (1, {"track": "a\x07b"}, "control character"),
        (1, {"track": " Bo "}, r"a\.png shows individual 'Bo' already"),
        (3, {"points": {"head": visible(1, 1)}, "track": "Bo"}, "shows individual 'Bo' already"),
        (99, {"points": {"head": visible(1, 1)}}, "Another annotation of the label file has the number 99"),
    ],
)
def test_what_cannot_be_is_refused(book: LabelBook, number: int | None, change: dict[str, Any], message: str) -> None:
    make(book, "a.png", 1, head=visible(1, 1))
    make(book, "a.png", 2, head=visible(5, 5), track="Bo")
    make(book, "sub/c.png", 99, head=visible(5, 5), track="Bo")  # the same individual on another picture
    before = book.file.read_bytes()
    id = book.folder.id_of("a.png")
    key = id if number is None else f"{id}.{number}"
    base = 0 if number in (3, 99) else book.labels(key).version
    with pytest.raises(LeadError, match=message):
        book.change_labels(key, LabelsChange(base=base, **change))
    assert book.file.read_bytes() == before


@pytest.mark.parametrize("key", ["{}.", "{}.x", "{}.01", "{}.1.2", "x.1", "{}.-0", "{}.9999999999999999999999"])
def test_keys_that_are_none_are_unknown(book: LabelBook, key: str) -> None:
    with pytest.raises(UnknownPicture):
        book.change_labels(key.format(book.folder.ids[0]), LabelsChange(base=0, points={"head": visible(1, 1)}))


def test_where_each_picture_shows_one_there_are_no_keys(folder: PictureFolder) -> None:
    book = open_book(folder)
    name(book, *NAMES)
    labels = put(book, "a.png", head=(1, 1))
    for change in ({"track": "x"}, {"remove": True}, {"complete": True}):
        with pytest.raises(LeadError, match=f"{next(iter(change))}: is said where pictures may show several"):
            alter(book, labels.id, **change)
    with pytest.raises(LeadError, match=r"one of several specimens of a\.png, and each picture shows one now"):
        book.change_labels(f"{labels.id}.1", LabelsChange(base=0, points={"head": visible(1, 1)}))
    assert (book.contents.specimens, book.contents.specimens_of(labels.id)) == ({}, [])


# --- taking out ---


def test_a_specimen_is_taken_out_and_comes_back(book: LabelBook) -> None:
    first = make(book, "a.png", 1, head=visible(1, 1), track="Bo")
    make(book, "a.png", 2, head=visible(9, 9))
    gone = book.change_labels(first.id, LabelsChange(base=first.version, remove=True))
    assert (gone.id, gone.gone, gone.points) == (first.id, True, {})
    assert gone.version > first.version
    assert book.change_labels(first.id, LabelsChange(base=first.version, remove=True)) == gone
    assert [entry["id"] for entry in on_disk(book)["annotations"]] == [2]
    with pytest.raises(Conflict) as conflict:
        book.change_labels(first.id, LabelsChange(base=first.version, points={"head": visible(3, 3)}))
    assert conflict.value.labels == gone
    back = book.change_labels(first.id, LabelsChange(base=0, points={**first.points}, track="Bo"))
    assert back.version > gone.version
    assert back == first.model_copy(update={"version": back.version})
    stale = LabelsChange(base=first.version, remove=True)
    with pytest.raises(Conflict):
        book.change_labels(first.id, stale)


def test_taking_out_is_based_on_what_stands_there(book: LabelBook) -> None:
    first = make(book, "a.png", 1, head=visible(1, 1))
    alter(book, first.id, points={"tail": visible(2, 2)})
    with pytest.raises(Conflict):
        book.change_labels(first.id, LabelsChange(base=first.version, remove=True))
    assert len(shown(book, "a.png")) == 1


def test_what_another_program_says_of_it_comes_back_too(folder: PictureFolder) -> None:
    entry = {"id": 5, "image_id": 1, "category_id": 1, "bbox": [2, 3, 20, 10], "area": 200, "caste": "worker"}
    data = a_file(entry | {"keypoints": [4, 5, 2, 6, 7, 2], "track_id": 3, "likely": 0.5}, several=True)
    book = opened(folder, data)
    (found,) = shown(book, "a.png")
    alter(book, found.id, remove=True)
    assert on_disk(book)["annotations"] == []
    book.change_labels(found.id, LabelsChange(base=0, points={**found.points}))
    written = on_disk(book)["annotations"]
    assert written == [entry | {"keypoints": [4, 5, 2, 6, 7, 2], "num_keypoints": 2, "track_id": 3}]
    assert [(labels.box, labels.track) for labels in shown(book, "a.png")] == [((2, 3, 20, 10), "3")]


def test_its_name_comes_back_unless_another_has_it(book: LabelBook) -> None:
    first = make(book, "a.png", 1, head=visible(1, 1), track="Bo")
    alter(book, first.id, remove=True)
    make(book, "a.png", 2, head=visible(9, 9), track="Bo")
    assert book.change_labels(first.id, LabelsChange(base=0, points={**first.points})).track == ""


def test_one_whose_labels_are_taken_away_is_no_specimen_but_keeps_its_key(book: LabelBook) -> None:
    first = make(book, "a.png", 1, head=visible(1, 1))
    make(book, "a.png", 2, tail=ABSENT)
    empty = alter(book, first.id, points={"head": None})
    assert (empty.points, empty.gone) == ({}, False)
    assert [labels.id for labels in shown(book, "a.png")] == [key_at(book, "a.png", 2)]
    assert (book.contents.specimens, len(book.contents.labels)) == ({book.folder.id_of("a.png"): 1}, 0)
    book.close()
    again = open_book(book.folder)
    assert alter(again, first.id, points={"head": visible(2, 2)}).points == {"head": visible(2, 2)}


def test_a_file_that_says_only_what_is_absent_can_be_read(book: LabelBook) -> None:
    for number in (1, 2):
        make(book, "a.png", number, head=ABSENT)
    assert not load_labels(book.file, several=True).is_specimen.any()
    book.close()
    assert [labels.points for labels in shown(open_book(book.folder), "a.png")] == [{"head": ABSENT}] * 2


# --- the mode ---


def a_file(*annotations: dict[str, Any], image: dict[str, Any] | None = None, **category: Any) -> dict[str, Any]:
    """A COCO object of two pictures."""
    return {
        "images": [{"id": 1, "file_name": "a.png"} | (image or {}), {"id": 2, "file_name": "sub/c.png"}],
        "annotations": list(annotations),
        "categories": [{"id": 1, "name": "beetle", "keypoints": list(NAMES)} | category],
    }


def opened(folder: PictureFolder, data: dict[str, Any]) -> LabelBook:
    (folder.root / "annotations.json").write_text(json.dumps(data))
    return open_book(folder)


ONE = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 3, 4, 2]}
OTHER = ONE | {"id": 2, "keypoints": [11, 12, 2, 13, 14, 2]}
BOX = {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}


@pytest.mark.parametrize(
    ("data", "several"),
    [
        (a_file(ONE), False),
        (a_file(ONE, several=True), True),
        (a_file(ONE, several="yes"), False),
        (a_file(ONE, image={"complete": True}), True),
        (a_file(ONE, image={"complete": "yes"}), False),
        (a_file(ONE, OTHER), True),
        (a_file(ONE, OTHER | {"image_id": "1"}), True),
        (a_file(ONE, OTHER | {"image_id": 2}), False),
        (a_file(ONE, BOX), True),
        (a_file(BOX, BOX | {"id": 4, "bbox": [10, 2, 3, 4]}), True),
        (a_file(ONE, OTHER | {"iscrowd": 1}), False),
        (a_file(ONE, OTHER | {"keypoints": [0] * 6}), False),
        (a_file(ONE, OTHER | {"score": 0.5}), False),
        (a_file(ONE | {"score": 0.5}, OTHER | {"score": 0.5}), True),
    ],
)
def test_a_file_shows_whether_there_may_be_several(folder: PictureFolder, data: dict[str, Any], several: bool) -> None:
    book = opened(folder, data)
    assert book.landmarks.several is several
    assert book.file.read_text() == json.dumps(data)


def test_a_file_of_several_stays_one_when_only_one_is_left(folder: PictureFolder) -> None:
    book = opened(folder, a_file(ONE, OTHER))
    alter(book, key_at(book, "a.png", 2), remove=True)
    book.close()
    again = open_book(folder)
    assert again.landmarks.several
    assert [labels.id for labels in shown(again, "a.png")] == [key_at(book, "a.png", 1)]


def test_the_mode_is_turned_on_and_off(folder: PictureFolder) -> None:
    events = Events()
    book = open_book(folder, events)
    name(book, *NAMES)
    labels = put(book, "a.png", head=(1, 1))
    before = on_disk(book)
    with events.subscribe() as heard:
        assert name(book, *NAMES, several=True).several
        assert [event.kind for event in iter(lambda: heard.get(0), None)] == ["landmarks", "restored"]
    (specimen,) = shown(book, "a.png")
    assert (specimen.id, specimen.points) == (key_at(book, "a.png", 1), labels.points)
    assert name(book, "tail", "head").several  # where nothing is said, it stays
    name(book, *NAMES)
    make(book, "a.png", 2, head=visible(9, 9))
    with pytest.raises(LeadError, match=r"a\.png shows 2 specimens"):
        name(book, *NAMES, several=False)
    alter(book, key_at(book, "a.png", 2), remove=True)
    alter(book, labels.id, complete=True)
    with pytest.raises(LeadError, match=r"a\.png shows 1 specimen and is marked complete"):
        name(book, *NAMES, several=False)
    alter(book, labels.id, complete=False)
    assert not name(book, *NAMES, several=False).several
    assert on_disk(book) == before
    assert book.labels(labels.id).points == labels.points


def test_landmarks_change_on_all_specimens(book: LabelBook) -> None:
    for number in (1, 2):
        make(book, "a.png", number, head=visible(number, 1), tail=hidden(number, 5))
    with pytest.raises(Conflict, match=r"head \(2 specimens\)") as conflict:
        name(book, "tail")
    assert conflict.value.dropped == {"head": 2}
    changed = name(book, "wing", "end", renamed={"tail": "end"}, drop_labels=True)
    assert [labels.points for labels in shown(book, "a.png")] == [{"end": hidden(1, 5)}, {"end": hidden(2, 5)}]
    alter(book, key_at(book, "a.png", 2), remove=True)
    name(book, "head", "wing", "end", labels_from=changed.labels_in)
    assert [labels.points for labels in shown(book, "a.png")] == [{"head": visible(1, 1), "end": hidden(1, 5)}]
    assert_loads_the_same(book)


# --- files of other tools ---


def test_what_is_no_specimen_stays_as_it_is(folder: PictureFolder) -> None:
    crowd = ONE | {"id": 8, "iscrowd": 1, "segmentation": {"counts": [1], "size": [40, 60]}}
    ruler = {"id": 9, "image_id": 1, "category_id": 2, "bbox": [1, 1, 9, 9]}
    data = a_file(crowd, ONE, ruler, OTHER | {"area": 77, "colour": "red"})
    data["categories"].append({"id": 2, "name": "ruler"})
    book = opened(folder, data)
    assert [labels.id for labels in shown(book, "a.png")] == [key_at(book, "a.png", n) for n in (1, 2)]
    alter(book, key_at(book, "a.png", 1), points={"head": visible(2, 2)})
    written = on_disk(book)["annotations"]
    assert [written[0], *written[2:]] == [data["annotations"][0], *data["annotations"][2:]]
    with pytest.raises(LeadError, match="has the number 8"):
        make(book, "a.png", 8, head=visible(1, 1))
    assert_loads_the_same(book)


def test_boxes_alone_are_specimens_and_keep_their_boxes(folder: PictureFolder) -> None:
    book = opened(folder, a_file(BOX, ONE))
    box, one = shown(book, "a.png")
    assert (box.box, box.points, one.box) == ((1, 2, 3, 4), {}, None)
    assert_loads_the_same(book)
    assert alter(book, box.id, points={"head": visible(2, 3)}).box == (1, 2, 3, 4)
    assert_loads_the_same(book)
    assert on_disk(book)["annotations"][0]["bbox"] == [1, 2, 3, 4]


def test_a_box_that_is_that_of_the_points_follows_them_and_another_tools_area_stays(folder: PictureFolder) -> None:
    around = {"bbox": [11.0, 12.0, 2.0, 2.0]}
    book = opened(folder, a_file(ONE | {"bbox": [1.0, 2.0, 2.0, 2.0], "area": 4.0}, OTHER | around | {"area": 3.5}))
    for labels in shown(book, "a.png"):
        assert alter(book, labels.id, points={"tail": visible(20, 20)}).box is None
    assert [(entry["bbox"], entry["area"]) for entry in on_disk(book)["annotations"]] == [
        ([1, 2, 19, 18], 342),
        ([11, 12, 9, 8], 3.5),
    ]


def test_numbers_that_are_none_or_stand_twice_become_numbers(folder: PictureFolder) -> None:
    entries = [ONE, OTHER, OTHER | {"id": "x"}, {key: value for key, value in ONE.items() if key != "id"}]
    entries[1] = OTHER | {"id": 1}
    book = opened(folder, a_file(*entries))
    ids = [key_at(book, "a.png", number) for number in (1, 2, 3, 4)]
    assert [labels.id for labels in shown(book, "a.png")] == ids
    alter(book, ids[3], points={"head": visible(7, 7)})
    assert [entry["id"] for entry in on_disk(book)["annotations"]] == [1, 2, 3, 4]


def test_a_name_that_stands_twice_in_a_picture_is_read_once(folder: PictureFolder) -> None:
    book = opened(folder, a_file(ONE | {"track_id": "Bo"}, OTHER | {"track_id": "Bo"}))
    assert book.contents.labels.tracks == ("Bo", "")
    assert_loads_the_same(book)


# --- what others see ---


def test_what_models_are_told(book: LabelBook) -> None:
    for number in (1, 2):
        make(book, "a.png", number, head=visible(number, 1))
    make(book, "sub/c.png", 3, head=visible(1, 1))
    make(book, "d.png", 4, head=visible(1, 1))
    before = book.contents
    for file in ("a.png", "b.png"):
        alter(book, book.folder.id_of(file), complete=True)
    assert not before.teaches_as(book.contents)
    alter(book, book.folder.id_of("d.png"), tags=["skip"])
    taught = book.contents.taught
    assert taught.images == ("a.png", "a.png", "sub/c.png", "b.png")
    assert taught.complete == {"a.png", "b.png"}
    assert taught.is_specimen.tolist() == [True, True, True, False]
    id_of = book.folder.id_of
    assert book.contents.summary == {
        id_of("a.png"): (2, True),
        id_of("b.png"): (0, True),
        id_of("sub/c.png"): (1, False),
        id_of("d.png"): (1, False),
    }
    assert book.contents.specimens == {id_of("a.png"): 2, id_of("sub/c.png"): 1, id_of("d.png"): 1}
    assert (book.contents.unlabelled, book.contents.missing) == ({}, [])


def test_the_session_tells_of_specimens(folder: PictureFolder) -> None:
    data = a_file(ONE | {"accepted": ["head"]}, OTHER | {"accepted": ["head", "tail"]}, image={"complete": True})
    (folder.root / "annotations.json").write_text(json.dumps(data))
    session = Session.open(folder.root, load_after_s=3600)
    try:
        listed = {picture.file: picture for picture in session.list_pictures()}
        a, c = listed["a.png"], listed["sub/c.png"]
        assert (a.labelled, a.specimens, a.complete, a.accepted, a.unlabelled) == (4, 2, True, 3, [])
        assert (c.labelled, c.specimens, c.complete) == (0, 0, False)
        state = session.state()
        assert (state.complete, state.begun, state.accepted, state.landmarks.several) == (1, 0, 3, True)
        detail = session.picture(a.id)
        assert detail.labels.points == {}
        assert detail.labels.complete
        assert [labels.id for labels in detail.specimens] == [f"{a.id}.1", f"{a.id}.2"]
        assert detail.specimens == [session.book.labels(labels.id) for labels in detail.specimens]
    finally:
        session.close()


def test_the_history_counts_all_specimens_and_goes_back(book: LabelBook) -> None:
    for number in (1, 2):
        make(book, "a.png", number, head=visible(number, 1), tail=ABSENT)
    alter(book, book.folder.id_of("b.png"), complete=True)
    before = [labels.points for labels in shown(book, "a.png")]
    name(book, "tail", drop_labels=True)
    latest = book.disk.history.snapshots()[0]
    assert (latest.pictures, latest.points) == (2, 4)
    book.restore(latest.id)
    assert [labels.points for labels in shown(book, "a.png")] == before
    assert book.labels(book.folder.id_of("b.png")).complete


# --- anything at all ---

PLACE = st.tuples(st.integers(0, 30), st.integers(0, 30), st.sampled_from(["visible", "hidden", "absent"]))
STEP = st.one_of(
    st.tuples(st.just("make"), st.sampled_from(FILES), st.dictionaries(st.sampled_from(NAMES), PLACE, min_size=1)),
    st.tuples(st.just("move"), st.integers(0, 99), st.sampled_from(NAMES), PLACE | st.none()),
    st.tuples(st.just("call"), st.integers(0, 99), st.sampled_from(["", "7", "Ann", "007"])),
    st.tuples(st.just("remove"), st.integers(0, 99)),
    st.tuples(st.just("undo"), st.integers(0, 99)),
    st.tuples(st.just("complete"), st.sampled_from(FILES), st.booleans()),
    st.tuples(st.just("restart")),
)


class Reference:
    """What a plain dict says after the same steps."""

    def __init__(self) -> None:
        self.points: dict[str, dict[str, Point]] = {}
        self.tracks: dict[str, str] = {}
        self.taken_out: dict[str, tuple[dict[str, Point], str]] = {}
        self.complete: set[str] = set()

    def of(self, id: str) -> dict[str, tuple[dict[str, Point], str]]:
        mine = {key: points for key, points in self.points.items() if key.startswith(f"{id}.")}
        return {key: (points, self.tracks[key]) for key, points in mine.items() if points}


def as_point(place: tuple[int, int, str]) -> Point:
    return ABSENT if place[2] == "absent" else Point(x=place[0] / 2, y=place[1], state=place[2])  # type: ignore[arg-type]


@contextmanager
def a_book() -> Iterator[LabelBook]:
    with tempfile.TemporaryDirectory() as root:
        book = open_book(make_folder(Path(root), FILES))
        name(book, *NAMES, several=True)
        yield book


def take_step(book: LabelBook, step: tuple[Any, ...], number: int, known: Reference) -> None:
    """The same to the book and to the dict. What a stale page or a page that asks twice does changes nothing."""
    kind, *rest = step
    if kind == "complete":
        file, said = rest
        alter(book, book.folder.id_of(file), complete=said)
        (known.complete.add if said else known.complete.discard)(file)
        return
    if kind == "make":
        key = key_at(book, rest[0], number)
        change = LabelsChange(base=0, points={name: as_point(place) for name, place in rest[1].items()})
    else:
        keys = sorted(known.taken_out if kind == "undo" else known.points)
        if not keys:
            return
        key = keys[rest[0] % len(keys)]
        change = LabelsChange(base=0 if kind == "undo" else book.labels(key).version)
    if kind == "move":
        change.points = {rest[1]: rest[2] and as_point(rest[2])}
    elif kind == "call":
        others = {track for other, track in known.tracks.items() if other != key and other[:12] == key[:12]}
        change.track = "" if rest[1] in others else rest[1]
    elif kind == "undo":
        change.points, change.track = dict(known.taken_out[key][0]), known.taken_out[key][1]
        if change.track in known.tracks.values():
            change.track = ""
        if not change.points and not change.track:
            return  # of a specimen of which nothing was said there is nothing to make
    change.remove = kind == "remove"
    after = book.change_labels(key, change)
    assert book.change_labels(key, change) == after
    if kind == "remove":
        known.taken_out[key] = known.points.pop(key), known.tracks.pop(key)
        assert after.gone
    else:
        known.taken_out.pop(key, None)
        points = {**known.points.get(key, {}), **change.points}
        known.points[key] = {name: point for name, point in points.items() if point}
        known.tracks[key] = known.tracks.get(key, "") if change.track is None else change.track
        with pytest.raises(Conflict):
            book.change_labels(key, LabelsChange(base=after.version - 1, points={"head": visible(31, 31)}))


def rows(labels: Labels) -> list[tuple[Any, ...]]:
    """Picture, track and points of each specimen."""
    states = {VISIBLE: "visible", HIDDEN: "hidden"}
    return [
        (
            image,
            track,
            [
                (*xy, states[v]) if v > UNLABELLED else None
                for xy, v in zip(places.tolist(), seen.tolist(), strict=True)
            ],
        )
        for image, track, places, seen, there in zip(
            labels.images,
            labels.tracks or [""] * len(labels),
            labels.xy,
            labels.visible,
            labels.is_specimen,
            strict=True,
        )
        if there
    ]


@settings(max_examples=15)
@given(steps=st.lists(STEP, max_size=12))
def test_any_steps_leave_what_a_dict_would_hold(steps: list[tuple[Any, ...]]) -> None:
    from pycocotools.coco import COCO

    with a_book() as book:
        known = Reference()
        for number, step in enumerate([*steps, ("restart",)]):
            if step == ("restart",):
                book.close()
                book = open_book(book.folder)
            else:
                take_step(book, step, number, known)
        expected = []
        for file in FILES:
            id = book.folder.id_of(file)
            assert {labels.id: (labels.points, labels.track) for labels in shown(book, file)} == known.of(id)
            assert book.labels(id).complete == (file in known.complete)
            for points, track in known.of(id).values():
                placed = [points[n] if n in points and points[n] != ABSENT else None for n in NAMES]
                if any(placed):
                    expected.append((file, track, [point and (point.x, point.y, point.state) for point in placed]))
        assert_loads_the_same(book)
        loaded = load_labels(book.file, several=True)
        assert sorted(map(repr, rows(loaded))) == sorted(map(repr, expected))
        coco = COCO()
        coco.dataset = on_disk(book)
        coco.createIndex()
        by_number = {int(key.partition(".")[2]): points for key, points in known.points.items()}
        assert set(coco.anns) == set(by_number)
        for number, entry in coco.anns.items():
            assert coco.imgs[entry["image_id"]]["file_name"] in FILES
            assert entry["num_keypoints"] == sum(point != ABSENT for point in by_number[number].values())
