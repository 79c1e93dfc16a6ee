"""The label book: what it is told is on the disk, and only that."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import (
    ABSENT,
    HEIGHT,
    WIDTH,
    at,
    hidden,
    make_folder,
    name,
    names_change,
    open_book,
    put,
    visible,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.datasets import open_dataset
from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import HIDDEN, VISIBLE
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import Curve, LabelsChange, Point
from lead.studio.labelfile import ChangedElsewhere, Conflict, SaveFailed


@pytest.fixture
def folder(tmp_path: Path) -> PictureFolder:
    return make_folder(tmp_path)


@pytest.fixture
def book(folder: PictureFolder) -> LabelBook:
    """Three landmarks, nothing labelled."""
    book = open_book(folder)
    name(book, "a", "b", "c", skeleton=[("a", "b")], flip_pairs=[("b", "c")])
    return book


def curve(called: str, *points: str, closed: bool = False) -> dict[str, Any]:
    return {"name": called, "points": list(points), "closed": closed}


def on_disk(book: LabelBook) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(book.file.read_bytes())
    return data


# --- the file ---


def test_opening_and_looking_writes_no_label_file(folder: PictureFolder) -> None:
    book = open_book(folder)
    assert book.landmarks.landmarks == []
    assert book.labels(folder.ids[0]).points == {}
    assert (book.contents.summary, book.contents.missing, book.disk.history.snapshots()) == ({}, [], [])
    assert len(book.contents.labels) == 0
    assert not book.file.exists()


def test_the_file_is_coco_key_points(book: LabelBook) -> None:
    put(book, "sub/c.png", a=(1.25, 2.5), b=hidden(30.1, 20.2), c=ABSENT)
    data = on_disk(book)
    assert data["images"] == [{"id": 1, "file_name": "sub/c.png", "width": WIDTH, "height": HEIGHT}]
    (annotation,) = data["annotations"]
    assert annotation["keypoints"] == [1.25, 2.5, 2, 30.1, 20.2, 1, 0, 0, 0]
    assert (annotation["num_keypoints"], annotation["absent"]) == (2, ["c"])
    assert annotation["bbox"] == [1.25, 2.5, 30.1 - 1.25, 20.2 - 2.5]
    assert annotation["area"] == (30.1 - 1.25) * (20.2 - 2.5)
    (category,) = data["categories"]
    assert category["keypoints"] == ["a", "b", "c"]
    assert (category["skeleton"], category["flip_pairs"]) == ([[1, 2]], [["b", "c"]])
    assert category["colours"] == ["#102030"] * 3


def test_the_command_line_reads_the_folder_at_once(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 2), b=(3, 4))
    put(book, "b.png", a=ABSENT)
    dataset = open_dataset(book.folder.root)
    assert dataset.labels is not None
    assert dataset.labels.images == ("a.png",)
    np.testing.assert_array_equal(dataset.labels.xy[0], [[1, 2], [3, 4], [np.nan, np.nan]])
    assert set(dataset.files) == set(book.folder.files)


def test_what_is_saved_is_there_when_opened_again(book: LabelBook) -> None:
    put(book, "b.png", a=(1 / 3, 2 / 3), c=ABSENT)
    put(book, "a.png", b=hidden(-3.7, 41.2))
    before = [book.labels(id) for id in book.folder.ids]
    landmarks = book.landmarks
    book.close()
    again = open_book(book.folder)
    assert [labels.points for labels in before] == [again.labels(id).points for id in again.folder.ids]
    assert landmarks.landmarks == again.landmarks.landmarks
    assert (again.landmarks.skeleton, again.landmarks.flip_pairs) == ([("a", "b")], [("b", "c")])
    assert again.contents.labels.images == ("b.png", "a.png")
    assert again.contents.summary == {again.folder.id_of("b.png"): (2, False), again.folder.id_of("a.png"): (1, False)}
    assert not {labels.version for labels in before} & {again.labels(id).version for id in again.folder.ids}


def test_complete_counts_absent_landmarks(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 2), b=hidden(3, 4), c=ABSENT)
    put(book, "b.png", a=ABSENT)
    assert book.contents.summary == {book.folder.id_of("a.png"): (3, True), book.folder.id_of("b.png"): (1, False)}
    assert book.contents.labels.images == ("a.png",)


def test_a_label_taken_away_is_gone(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 2), b=ABSENT)
    assert put(book, "a.png", a=None, b=None).points == {}
    assert book.contents.summary == {}
    assert (load_labels(book.file).visible == 0).all()
    assert "absent" not in on_disk(book)["annotations"][0]


def test_a_label_file_elsewhere_and_one_behind_a_link(folder: PictureFolder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "x" / "mine.json"
    elsewhere.parent.mkdir()
    (folder.root / "link.json").symlink_to(elsewhere)
    for file in (elsewhere, folder.root / "link.json"):
        book = open_book(folder, file=file)
        name(book, "a", "b")
        put(book, "a.png", a=(1, 2))
        assert load_labels(elsewhere).images == ("a.png",)
        assert (file.parent / ".lead" / "lock").exists()
        book.close()
        elsewhere.unlink()
    assert (folder.root / "link.json").is_symlink()


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("labels.csv", r"not in labels\.csv"),
        ("nowhere/labels.json", r"No folder .*nowhere"),
        ("folder.json", r"Cannot read .*folder\.json"),
    ],
)
def test_what_cannot_be_a_label_file(folder: PictureFolder, file: str, message: str) -> None:
    (folder.root / "folder.json").mkdir()
    (folder.root / "labels.csv").write_text("image,name,x,y\na.png,a,1,1\n")
    with pytest.raises(LeadError, match=message):
        open_book(folder, file=folder.root / file)
    open_book(folder)


# --- random edits against a plain model ---

COORDINATE = st.floats(-HEIGHT / 2, HEIGHT, allow_nan=False)
POINT = st.one_of(
    st.none(),
    st.just(ABSENT),
    st.builds(lambda s, x, y: Point(state=s, x=x, y=y), st.sampled_from(["visible", "hidden"]), COORDINATE, COORDINATE),
)
NAMES = ("a", "b", "c")
EDIT = st.tuples(st.sampled_from(range(4)), st.dictionaries(st.sampled_from(NAMES), POINT, min_size=1))


@settings(max_examples=25)
@given(edits=st.lists(EDIT, max_size=12), order=st.permutations(NAMES))
def test_the_file_says_what_a_plain_model_says(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[int, dict[str, Point | None]]], order: list[str]
) -> None:
    folder = make_folder(tmp_path_factory.mktemp("random"))
    book = open_book(folder)
    name(book, *NAMES)
    model: dict[str, dict[str, Point]] = {file: {} for file in folder.files}
    for i, (row, points) in enumerate(edits):
        if i == len(edits) // 2:
            name(book, *order)
        file = folder.files[row]
        put(book, file, **points)
        for key, point in points.items():
            model[file].pop(key, None)
            if point:
                model[file][key] = point
    for file in folder.files:
        assert at(book, file) == model[file]
    placed = {
        (file, key): point for file, points in model.items() for key, point in points.items() if point.state != "absent"
    }
    loaded = load_labels(book.file)
    found = {
        (image, key): Point(
            state="visible" if loaded.visible[i, k] == VISIBLE else "hidden", x=loaded.xy[i, k, 0], y=loaded.xy[i, k, 1]
        )
        for i, image in enumerate(loaded.images)
        for k, key in enumerate(loaded.schema.names)
        if loaded.visible[i, k]
    }
    assert found == placed
    labelled = loaded.take(np.flatnonzero(loaded.visible.any(1)).tolist())
    ours = book.contents.labels
    assert (ours.schema, ours.images) == (labelled.schema, labelled.images)
    np.testing.assert_array_equal(ours.xy, labelled.xy)
    np.testing.assert_array_equal(ours.visible, labelled.visible)
    book.close()
    again = open_book(folder)
    assert {file: at(again, file) for file in folder.files} == model


# --- conflicts ---


def test_a_change_based_on_the_past_is_a_conflict_that_says_what_stands_here(book: LabelBook) -> None:
    id = book.folder.ids[0]
    old = book.labels(id).version
    now = put(book, book.folder.files[0], a=(1, 2))
    with pytest.raises(Conflict) as caught:
        book.change_labels(id, LabelsChange(base=old, points={"b": Point(x=3, y=4)}))
    assert caught.value.labels == now == book.labels(id)
    assert now.version > old


def test_the_same_change_again_succeeds(book: LabelBook) -> None:
    id = book.folder.ids[0]
    change = LabelsChange(base=book.labels(id).version, points={"a": visible(1, 2), "b": None, "c": ABSENT})
    first = book.change_labels(id, change)
    content = book.file.read_bytes()
    assert book.change_labels(id, change) == first
    assert book.file.read_bytes() == content
    with pytest.raises(Conflict):
        book.change_labels(id, change.model_copy(update={"checked": True}))


def test_versions_are_of_each_picture(book: LabelBook) -> None:
    one, two = book.folder.ids[:2]
    base = book.labels(two).version
    put(book, book.folder.files[0], a=(1, 2))
    assert book.labels(two).version == base
    assert (
        book.change_labels(two, LabelsChange(base=base, points={"a": visible(1, 1)})).version
        != book.labels(one).version
    )


def test_of_two_threads_with_the_same_base_one_wins(book: LabelBook) -> None:
    id = book.folder.ids[0]
    won = []
    for attempt in range(5):
        base = book.labels(id).version
        outcomes: list[object] = []
        start = threading.Barrier(2)

        def race(x: float, base: int = base, start: threading.Barrier = start, out: list[object] = outcomes) -> None:
            start.wait()
            try:
                out.append(book.change_labels(id, LabelsChange(base=base, points={"a": visible(x, 1)})))
            except Conflict as conflict:
                out.append(conflict.labels)

        threads = [threading.Thread(target=race, args=(x + attempt,)) for x in (0.25, 0.5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert outcomes == [book.labels(id)] * 2  # the loser is told what the winner set
        won.append(book.labels(id).points["a"].x)
    assert len(set(won)) == 5


def test_threads_on_many_pictures_lose_nothing(tmp_path: Path) -> None:
    folder = make_folder(tmp_path, [f"{i:02}.png" for i in range(24)])
    book = open_book(folder)
    name(book, "a", "b")

    def label(part: int) -> None:
        for i in range(part, 24, 4):
            put(book, folder.files[i], a=(i, 1))
            put(book, folder.files[i], b=(i, 2))

    threads = [threading.Thread(target=label, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    loaded = load_labels(book.file)
    assert {image: xy.tolist() for image, xy in zip(loaded.images, loaded.xy, strict=True)} == {
        f"{i:02}.png": [[i, 1], [i, 2]] for i in range(24)
    }


# --- what is refused ---


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ({"d": visible(1, 1)}, r"Unknown landmark 'd'.*a, b, c"),
        ({"a": visible(1.51 * WIDTH, 1)}, r"a is at \(90\.6, 1\), far outside its picture of 60 × 40"),
        ({"a": visible(1, -0.51 * HEIGHT)}, "far outside"),
        ({"b": visible(1, 1), "a": hidden(-0.51 * WIDTH, 1)}, "far outside"),
    ],
)
def test_a_wrong_change_changes_nothing(book: LabelBook, points: dict[str, Point | None], message: str) -> None:
    content = book.file.read_bytes()
    id = book.folder.ids[0]
    with pytest.raises(LeadError, match=message):
        book.change_labels(id, LabelsChange(base=book.labels(id).version, points=points))
    assert book.file.read_bytes() == content
    assert book.labels(id).points == {}


def test_a_point_somewhat_outside_is_kept(book: LabelBook) -> None:
    assert put(book, "a.png", a=(-WIDTH / 2, 1.5 * HEIGHT)).points == {"a": visible(-WIDTH / 2, 1.5 * HEIGHT)}


def test_a_picture_that_cannot_be_read_takes_no_points_but_may_lose_them(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    (book.folder.root / "a.png").write_text("gone")
    with pytest.raises(LeadError, match=r"a\.png"):
        put(book, "a.png", b=(1, 1))
    assert put(book, "a.png", a=None).points == {}


# --- checked ---


def test_checked_stands_until_a_point_changes(book: LabelBook) -> None:
    id = book.folder.id_of("a.png")
    put(book, "a.png", a=(1, 1))
    checked = book.change_labels(id, LabelsChange(base=book.labels(id).version, checked=True))
    assert checked.checked
    assert on_disk(book)["annotations"][0]["checked"] is True
    put(book, "b.png", a=(2, 2))
    assert put(book, "a.png", a=(1, 1)).checked  # nothing changes
    assert not put(book, "a.png", b=(5, 5)).checked
    assert "checked" not in on_disk(book)["annotations"][0]


# --- a file made elsewhere ---

FOREIGN: dict[str, Any] = {
    "info": {"year": 2020, "π": [1.5, None, True]},
    "licenses": [{"id": 4, "name": "CC0"}],
    "categories": [
        {"id": 9, "name": "box"},
        {"id": 7, "name": "fly", "supercategory": "insect", "keypoints": ["head", "tail"], "skeleton": [[2, 1]]},
    ],
    "images": [
        {"id": "x1", "file_name": "b.png", "identity": "Ada", "split": "test", "license": 4},
        {"id": 30, "file_name": "./a.png", "split": "train", "width": 61},
        {"id": 31, "file_name": "elsewhere.png", "split": "train"},
    ],
    "annotations": [
        {"id": 5, "image_id": 30, "category_id": 9, "bbox": [0, 0, 5, 5], "segmentation": [[1, 2, 3, 4]]},
        {
            "id": "k",
            "image_id": "x1",
            "category_id": 7,
            "keypoints": [12, 13, 2, 5, 5, 0],
            "num_keypoints": 1,
            "bbox": [0, 0, 50, 30],
            "area": 1400.5,
            "iscrowd": 0,
            "segmentation": {"counts": [1, 2]},
        },
        {"id": 80, "image_id": 31, "category_id": 7, "keypoints": [1, 1, 2, 2, 2, 2]},
    ],
    "made_with": "another tool",
}


@pytest.fixture
def foreign(folder: PictureFolder) -> LabelBook:
    (folder.root / "annotations.json").write_text(json.dumps(FOREIGN, indent=3))
    return open_book(folder)


def test_a_foreign_file_is_understood(foreign: LabelBook) -> None:
    assert [landmark.name for landmark in foreign.landmarks.landmarks] == ["head", "tail"]
    assert len({landmark.colour for landmark in foreign.landmarks.landmarks}) == 2
    assert foreign.landmarks.skeleton == [("tail", "head")]
    assert at(foreign, "b.png") == {"head": visible(12, 13)}
    assert foreign.contents.missing == ["elsewhere.png"]
    assert foreign.contents.labels.images == ("b.png",)


def test_a_foreign_file_is_changed_only_where_it_must(foreign: LabelBook) -> None:
    put(foreign, "b.png", tail=hidden(7.5, 8))
    put(foreign, "a.png", head=(1, 2))
    put(foreign, "d.png", tail=ABSENT)
    expected = json.loads(json.dumps(FOREIGN))
    expected["annotations"][1] |= {"keypoints": [12, 13, 2, 7.5, 8.0, 1], "num_keypoints": 2}
    new = {"category_id": 7, "bbox": [0, 0, 0, 0], "area": 0, "iscrowd": 0}
    expected["annotations"] += [
        new | {"id": 81, "image_id": 30, "keypoints": [1, 2, 2, 0, 0, 0], "num_keypoints": 1, "bbox": [1, 2, 0, 0]},
        new | {"id": 82, "image_id": 32, "keypoints": [0] * 6, "num_keypoints": 0, "absent": ["tail"]},
    ]
    expected["images"][0] |= {"width": WIDTH, "height": HEIGHT}
    expected["images"].append({"id": 32, "file_name": "d.png", "split": "train", "width": WIDTH, "height": HEIGHT})
    assert on_disk(foreign) == expected
    assert list(on_disk(foreign)) == list(FOREIGN)


def test_renaming_in_a_foreign_file_keeps_the_rest(foreign: LabelBook) -> None:
    name(foreign, "end", "wing", "head", renamed={"tail": "end"}, skeleton=[("head", "end")])
    expected = json.loads(json.dumps(FOREIGN))
    expected["categories"][1] |= {
        "keypoints": ["end", "wing", "head"],
        "skeleton": [[3, 1]],
        "flip_pairs": [],
        "colours": ["#102030"] * 3,
    }
    expected["annotations"][1]["keypoints"] = [5, 5, 0, 0, 0, 0, 12, 13, 2]
    expected["annotations"][2] |= {"keypoints": [2, 2, 2, 0, 0, 0, 1, 1, 2], "num_keypoints": 2}
    assert on_disk(foreign) == expected


def test_predictions_lose_the_score_of_a_point_set_by_hand(folder: PictureFolder) -> None:
    entry = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 1, 2, 2, 2, 2], "score": 0.5}
    entry |= {"keypoint_scores": [0.25, 0.75], "px_error": [3, None]}
    data = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [entry]}
    data["categories"] = [{"id": 1, "name": "x", "keypoints": ["a", "b"]}]
    (folder.root / "annotations.json").write_text(json.dumps(data))
    book = open_book(folder)
    put(book, "a.png", a=(5, 5))
    assert on_disk(book)["annotations"][0]["keypoint_scores"] == [None, 0.75]
    assert "px_error" not in on_disk(book)["annotations"][0]
    put(book, "a.png", b=(6, 6))
    assert not {"keypoint_scores", "px_error", "score"} & on_disk(book)["annotations"][0].keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"{", "not valid JSON"),
        (b"1" * 5000, "not COCO key points"),
        (b'{"images": [], "annotations": [], "categories": []}', "0 of 0 categories have 'keypoints'"),
        (b'{"images": [], "annotations": [], "categories": [{"id": 1, "keypoints": [""]}]}', "has 0 characters"),
        (b'{"images": [], "annotations": [], "categories": [{"id": 1, "keypoints": ["\\ud800"]}]}', "half a character"),
        (
            b'{"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "./a"}], "annotations": [],'
            b'"categories": [{"id": 1, "keypoints": ["x"]}]}',
            "written another way",
        ),
    ],
)
def test_a_broken_file_is_named_and_left_alone(folder: PictureFolder, content: bytes, message: str) -> None:
    file = folder.root / "annotations.json"
    file.write_bytes(content)
    with pytest.raises(LeadError, match=message) as caught:
        open_book(folder)
    assert str(file) in str(caught.value)
    assert file.read_bytes() == content
    file.unlink()
    open_book(folder)  # the lock was released


# --- landmarks ---


@pytest.mark.parametrize(
    ("names", "more", "message"),
    [
        ((), {}, "at least one"),
        ((" ",), {}, "has no name"),
        (("a", "a"), {}, "stands twice"),
        (("Eye", "eye"), {}, "only by upper and lower case"),
        (("straße", "STRASSE"), {}, "only by upper and lower case"),
        (("é", "e\u0301"), {}, "only by"),
        (("a", "a "), {}, "begins or ends with a space"),
        (("a\nb",), {}, "control character"),
        (("a", "b"), {"skeleton": [("a", "c")]}, r"skeleton line a – c: Unknown landmark 'c'"),
        (("a", "b"), {"skeleton": [("a", "a")]}, "with itself"),
        (("a", "b"), {"flip_pairs": [("b", "b")]}, "with itself"),
        (("a", "b", "c"), {"flip_pairs": [("a", "b"), ("c", "a")]}, "'a' is in two left/right pairs"),
        (("a", "b", "z"), {"renamed": {"y": "z"}}, "Unknown landmark 'y'"),
        (("a", "b"), {"renamed": {"c": "z"}}, "not among the new landmarks"),
        (("z",), {"renamed": {"a": "z", "b": "z"}}, "both renamed"),
        (("a", "b", "c"), {"curves": [curve("rim", "a", "b")]}, "'rim' has 2 of the 3 points"),
        (("a", "b", "c"), {"curves": [curve("rim", "a", "b", "z")]}, "'rim': Unknown landmark 'z'"),
    ],
)
def test_wrong_landmarks_change_nothing(
    book: LabelBook, names: tuple[str, ...], more: dict[str, Any], message: str
) -> None:
    before, content = book.landmarks, book.file.read_bytes()
    with pytest.raises(LeadError, match=message):
        name(book, *names, **more)
    assert book.landmarks == before
    assert book.file.read_bytes() == content


def test_labels_follow_order_and_names(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1), b=hidden(2, 2), c=ABSENT)
    name(book, "c", "nose", "d", "b", renamed={"a": "nose"})
    assert at(book, "a.png") == {"c": ABSENT, "nose": visible(1, 1), "b": hidden(2, 2)}
    name(book, "b", "nose", "c", renamed={"b": "nose", "nose": "b"})
    assert at(book, "a.png") == {"c": ABSENT, "b": visible(1, 1), "nose": hidden(2, 2)}
    assert load_labels(book.file).visible.tolist() == [[VISIBLE, HIDDEN, 0]]


def test_curves_are_kept_in_the_file_and_through_other_names(book: LabelBook) -> None:
    name(book, *"abcd", skeleton=[("a", "b"), ("a", "d")], curves=[curve("rim", *"abcd", closed=True)])
    kept = book.landmarks
    book.close()
    book = open_book(book.folder)
    assert book.landmarks.curves == kept.curves == [Curve(name="rim", points=list("abcd"), closed=True)]
    assert book.landmarks.skeleton == kept.skeleton == []  # the curve draws both
    assert on_disk(book)["categories"][0]["skeleton"] == [[1, 2], [2, 3], [3, 4], [4, 1]]
    name(book, *"dcba", "nose", renamed={"a": "nose", "b": "a"})  # a page that knows no curves says nothing of them
    assert book.landmarks.curves == [Curve(name="rim", points=["nose", "a", "c", "d"], closed=True)]
    name(book, "nose", "a", "d")
    assert book.landmarks.curves == [Curve(name="rim", points=["nose", "a", "d"], closed=True)]
    assert load_labels(book.file).schema.sliders.tolist() == [[0, 1, 2], [1, 2, 0]]
    name(book, "nose", "a", "d", curves=[])
    assert book.landmarks.curves == []
    assert "curves" not in on_disk(book)["categories"][0]
    assert on_disk(book)["categories"][0]["skeleton"] == []


def test_landmarks_with_labels_are_not_dropped_unasked(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1), b=ABSENT, c=(3, 3))
    put(book, "b.png", b=(1, 1))
    content = book.file.read_bytes()
    with pytest.raises(Conflict, match=r"a \(1 picture\), b \(2 pictures\)") as caught:
        name(book, "c")
    assert caught.value.dropped == {"a": 1, "b": 2}
    assert book.file.read_bytes() == content
    name(book, "c", drop_labels=True)
    assert at(book, "a.png") == {"c": visible(3, 3)}
    assert on_disk(book)["annotations"][0]["num_keypoints"] == 1
    book.restore(book.disk.history.snapshots()[0].id)  # the copy that was put by
    assert at(book, "b.png") == {"b": visible(1, 1)}


def test_a_renamed_landmark_may_take_the_name_of_one_that_goes(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1), b=(2, 2))
    with pytest.raises(Conflict) as caught:
        name(book, "b", "c", renamed={"a": "b"})
    assert caught.value.dropped == {"b": 1}
    name(book, "b", "c", renamed={"a": "b"}, drop_labels=True)
    assert at(book, "a.png") == {"b": visible(1, 1)}


def test_stale_landmarks_are_a_conflict_but_the_same_again_is_not(book: LabelBook) -> None:
    change = names_change(book, "a", "b", "c", "d")
    now = book.change_landmarks(change)
    assert book.change_landmarks(change) == now
    with pytest.raises(Conflict) as caught:
        book.change_landmarks(change.model_copy(update={"landmarks": change.landmarks[:3]}))
    assert caught.value.landmarks == book.landmarks
    assert book.landmarks.version == now.version


def test_a_page_that_does_not_know_of_new_names_cannot_change_labels(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1), b=(2, 2))
    old = book.labels(book.folder.id_of("a.png"))
    name(book, "a", "b", "c", renamed={"a": "b", "b": "a"})
    with pytest.raises(Conflict):
        book.change_labels(old.id, LabelsChange(base=old.version, points={"a": visible(1.5, 1)}))
    recoloured = book.labels(old.id).version
    book.change_landmarks(names_change(book, "c", "b", "a", "d"))
    assert book.labels(old.id).version == recoloured


# --- saving fails ---


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_full_disk_changes_nothing_and_saving_resumes(
    book: LabelBook, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    put(book, "a.png", a=(1, 1))
    content, version = book.file.read_bytes(), book.labels(book.folder.id_of("a.png")).version
    with book.events.subscribe() as heard, monkeypatch.context() as broken:

        def full(*_: object, **__: object) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        broken.setattr(*((os, "fsync", full) if step == "fsync" else (Path, "replace", full)))
        for _ in range(2):
            with pytest.raises(SaveFailed, match=r"annotations\.json: No space left"):
                put(book, "a.png", a=(2, 2))
        with pytest.raises(SaveFailed):
            name(book, "a", "b", "c", "d")
        assert at(book, "a.png") == {"a": visible(1, 1)}
        assert book.labels(book.folder.id_of("a.png")).version == version
        assert len(book.landmarks.landmarks) == 3
        assert book.disk.problem is not None
        assert "No space left" in book.disk.problem
        assert book.file.read_bytes() == content
        assert not list(book.folder.root.glob(".*.part"))
        broken.undo()
        put(book, "a.png", a=(3, 3))
        events = [heard.get(0) for _ in range(3)]
    assert [event.kind for event in events if event] == ["problem", "problem", "labels"]
    assert [event.data["problem"] is None for event in events[:2] if event] == [False, True]
    assert book.disk.problem is None
    assert load_labels(book.file).xy[0, 0].tolist() == [3, 3]


def test_a_failure_after_the_file_took_its_place_is_no_foreign_change(
    book: LabelBook, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(book, "a.png", a=(1, 1))
    real, calls = os.fsync, []

    def second_fails(handle: int) -> None:
        calls.append(handle)
        if len(calls) == 2:  # the folder's, after the rename
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        real(handle)

    monkeypatch.setattr(os, "fsync", second_fails)
    with pytest.raises(SaveFailed):
        put(book, "a.png", a=(2, 2))
    assert at(book, "a.png") == {"a": visible(1, 1)}
    put(book, "a.png", a=(3, 3))
    assert load_labels(book.file).xy[0, 0].tolist() == [3, 3]


def test_a_folder_that_goes_away_is_not_made_anew(book: LabelBook, tmp_path: Path) -> None:
    away = tmp_path.with_name(tmp_path.name + "-unplugged")
    id, base = book.folder.ids[0], book.labels(book.folder.ids[0]).version
    change = LabelsChange(base=base, points={"a": None, "b": ABSENT})
    tmp_path.rename(away)
    with pytest.raises(SaveFailed, match="not there any more"):
        book.change_labels(id, change)
    assert not tmp_path.exists()
    away.rename(tmp_path)
    assert book.change_labels(id, change).points == {"b": ABSENT}


def test_a_write_protected_file_is_not_passed_by(book: LabelBook, monkeypatch: pytest.MonkeyPatch) -> None:
    put(book, "a.png", a=(1, 1))
    book.file.chmod(0o444)
    if os.access(book.file, os.W_OK):  # the superuser may always
        monkeypatch.setattr(os, "access", lambda path, _: bool(path.stat().st_mode & 0o200))
    with pytest.raises(SaveFailed, match="Permission denied"):
        put(book, "a.png", a=(2, 2))
    book.file.chmod(0o640)
    put(book, "a.png", a=(2, 2))
    assert book.file.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_whatever_was_said_to_be_saved_outlives_a_kill(book: LabelBook) -> None:
    root, file = book.folder.root, book.file
    book.close()
    storm = [sys.executable, str(Path(__file__).with_name("storm.py")), str(root)]
    with subprocess.Popen(storm, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(60)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout if line.endswith("\n")]
    loaded = load_labels(file)
    written = {image: xy[0] for image, xy in zip(loaded.images, loaded.xy, strict=True)}
    for row, picture in enumerate(book.folder.files):
        last = max(n for n in said if n % len(book.folder) == row)
        assert written[picture].tolist() in ([last / 1000, 1], [(last + 4) / 1000, 1])
    open_book(book.folder).close()  # the lock died with the process
    assert not list(root.glob(".*.part"))


# --- others ---


def test_two_studios_cannot_have_one_file(book: LabelBook) -> None:
    with pytest.raises(LeadError, match=r"Another lead studio has .*annotations\.json open"):
        open_book(book.folder)
    book.close()
    with pytest.raises(LeadError, match="closed"):
        put(book, "a.png", a=(1, 1))
    open_book(book.folder)


def rewritten(book: LabelBook) -> bytes:
    """Another program moves the first landmark of the first picture."""
    data = on_disk(book)
    data["annotations"][0]["keypoints"][:3] = [9, 9, 2]
    data["other"] = "program"
    book.file.write_text(json.dumps(data))
    return book.file.read_bytes()


def test_what_another_program_wrote_is_never_overwritten_in_silence(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    ours, theirs = book.file.read_bytes(), rewritten(book)
    for _ in range(2):
        with pytest.raises(ChangedElsewhere, match="Another program"):
            put(book, "a.png", b=(2, 2))
        with pytest.raises(ChangedElsewhere):
            name(book, "a", "b")
    assert book.disk.foreign
    assert book.file.read_bytes() == theirs
    put_by = [path.read_bytes() for path in sorted((book.home / "history" / book.file.name).iterdir())]
    assert put_by[-2:] == [ours, theirs]


def test_reload_takes_theirs(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    before = book.labels(book.folder.id_of("a.png"))
    rewritten(book)
    with pytest.raises(ChangedElsewhere):
        put(book, "a.png", b=(2, 2))
    with book.events.subscribe() as heard:
        book.reload()
        assert [event.kind for event in iter(lambda: heard.get(0), None)] == ["problem", "landmarks", "restored"]
    assert (book.disk.foreign, book.disk.problem) == (False, None)
    assert at(book, "a.png") == {"a": visible(9, 9)}
    with pytest.raises(Conflict):  # the page has not seen theirs
        book.change_labels(before.id, LabelsChange(base=before.version, points={"a": visible(1.5, 1)}))
    put(book, "a.png", b=(2, 2))
    assert on_disk(book)["other"] == "program"


def test_reload_of_a_broken_file_leaves_all_as_it_was(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    book.file.write_text("<<<<<<< HEAD")
    with pytest.raises(ChangedElsewhere):
        put(book, "a.png", b=(2, 2))
    with pytest.raises(LeadError, match="not valid JSON"):
        book.reload()
    assert book.disk.foreign
    assert book.file.read_text() == "<<<<<<< HEAD"
    book.keep()
    assert at(book, "a.png") == {"a": visible(1, 1)}


def test_keep_writes_ours_and_theirs_stays_in_the_history(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    theirs = rewritten(book)
    with pytest.raises(ChangedElsewhere):
        put(book, "a.png", b=(2, 2))
    book.keep()
    assert (book.disk.foreign, book.disk.problem) == (False, None)
    put(book, "a.png", b=(2, 2))
    assert at(book, "a.png") == {"a": visible(1, 1), "b": visible(2, 2)}
    (theirs_id,) = [s.id for s in book.disk.history.snapshots() if s.why == "written by another program"]
    book.restore(theirs_id)
    assert book.file.read_bytes() == theirs
    assert at(book, "a.png") == {"a": visible(9, 9)}


def test_a_file_that_is_only_touched_or_written_the_same_is_no_foreign_change(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    content = book.file.read_bytes()
    book.file.unlink()
    book.file.write_bytes(content)
    put(book, "a.png", a=(2, 2))
    assert not book.disk.foreign


def test_a_file_that_appears_is_a_foreign_one(folder: PictureFolder) -> None:
    book = open_book(folder)
    book.file.write_text(json.dumps(FOREIGN))
    with pytest.raises(ChangedElsewhere):
        name(book, "a")
    book.reload()
    assert at(book, "b.png") == {"head": visible(12, 13)}


# --- history ---


def test_going_back_and_back_again(book: LabelBook) -> None:
    put(book, "a.png", c=(5, 5))
    name(book, "a", "b", "c", skeleton=[("a", "b")])
    for x in range(3):
        put(book, "a.png", a=(x, x))
    base = book.labels(book.folder.id_of("a.png"))
    first = book.disk.history.snapshots()[0]
    with book.events.subscribe() as heard:
        book.restore(first.id)
        assert [event.kind for event in iter(lambda: heard.get(0), None)] == ["landmarks", "restored"]
    assert at(book, "a.png") == {"c": visible(5, 5)}
    with pytest.raises(Conflict):
        book.change_labels(base.id, LabelsChange(base=base.version, points={"b": visible(1, 1)}))
    latest = book.disk.history.snapshots()[0]
    assert (latest.why, latest.pictures, latest.points) == ("before going back", 1, 2)
    book.restore(latest.id)
    assert at(book, "a.png") == {"a": visible(2, 2), "c": visible(5, 5)}
    with pytest.raises(LeadError, match="holds no state"):
        book.restore("../../annotations")


def test_a_session_begins_with_a_copy_of_what_it_found(foreign: LabelBook) -> None:
    found = foreign.file.read_bytes()
    for x in range(4):
        put(foreign, "b.png", tail=(x, x))
    (snapshot,) = foreign.disk.history.snapshots()
    assert (snapshot.why, snapshot.pictures, snapshot.points) == ("before the first change", 2, 3)
    assert next((foreign.home / "history" / foreign.file.name).iterdir()).read_bytes() == found


def test_while_labelling_a_copy_is_made_every_so_often(book: LabelBook) -> None:
    put(book, "a.png", a=(1, 1))
    book.close()
    often = LabelBook.open(book.folder, book.file, Events(), snapshot_every_s=-1)
    for x in (2, 3, 4):
        put(often, "a.png", a=(x, x))
    assert [snapshot.why for snapshot in often.disk.history.snapshots()][:3] == [
        *["while labelling"] * 2,
        "before the first change",
    ]
    count = len(often.disk.history.snapshots())
    often.close()
    seldom = open_book(book.folder)
    for x in (5, 6, 7):
        put(seldom, "a.png", a=(x, x))
    assert seldom.disk.history.snapshots()[0].why == "before the first change"
    assert len(seldom.disk.history.snapshots()) == count + 1


# --- events ---


def test_every_change_is_told(folder: PictureFolder) -> None:
    events = Events()
    book = open_book(folder, events)
    with events.subscribe() as heard:
        landmarks = name(book, "a", "b")
        labels = put(book, "a.png", a=(1, 1))
        name(book, "b", "a")
        name(book, "b", "c", renamed={"a": "c"})
        told = list(iter(lambda: heard.get(0), None))
    assert [event.kind for event in told] == ["landmarks", "labels", "landmarks", "landmarks", "restored"]
    assert told[0].data == landmarks.model_dump(mode="json", exclude={"labels_in"})
    assert told[1].data == labels.model_dump(mode="json")
