"""Label files of several specimens a picture into the book, and the book into label files."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from books import ABSENT, HEIGHT, WIDTH, hidden, make_folder, name, open_book, put, visible

from lead.errors import LeadError
from lead.landmarks import Labels, Schema, coco
from lead.landmarks.formats import WRITTEN, format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.pictures import Sized
from lead.studio.book import LabelBook
from lead.studio.label_messages import LabelsChange, PictureLabels, Point
from lead.studio.matching import Shapes, same_specimens
from lead.studio.transfer import combined, export, import_labels

NAN = np.nan
NAMES = ("head", "tail")
SIZES = dict.fromkeys(("a.png", "b.png", "sub/c.png", "d.png"), (WIDTH, HEIGHT))
MORE = {"deeplabcut": "track_id", "deeplabcut-h5": "track_id", "yolo": "complete"}
"""What files of a format say, be it known or not: DeepLabCut's name each specimen, YOLO's label all that there are."""
HOLDING = [known.name for known in WRITTEN if known.holds_several]
XY = np.array([[[10, 20], [20, 24.5]], [[40, 10], [50, 12.25]], [[30, 31], [NAN, NAN]]])
TWO = Labels.from_xy(Schema(NAMES), ("a.png", "a.png", "sub/c.png"), XY, tracks=("", "", ""))
"""Two specimens of one picture, and one of another."""
TOLD = replace(
    TWO,
    tracks=("Ann", "7", ""),
    boxes=np.array([[8, 18, 30, 10], [NAN] * 4, [NAN] * 4]),
    complete=frozenset({"a.png"}),
)
"""The same, and more of them."""


@pytest.fixture
def book(tmp_path: Path) -> LabelBook:
    """No landmarks yet; four pictures."""
    return open_book(make_folder(tmp_path / "pictures"))


def take(book: LabelBook, content: bytes, **more: Any) -> dict[str, Any]:
    """What the import reports, without what is nothing."""
    report = import_labels(book, content, "labels.json", "labels", more.pop("replace", False), **more).model_dump()
    return {key: value for key, value in report.items() if value}


def shown(book: LabelBook, file: str) -> list[PictureLabels]:
    return book.contents.specimens_of(book.folder.id_of(file))


def said(book: LabelBook, file: str) -> list[tuple[dict[str, Point], str]]:
    return [(labels.points, labels.track) for labels in shown(book, file)]


def alter(book: LabelBook, key: str, **what: Any) -> PictureLabels:
    return book.change_labels(key, LabelsChange(base=book.labels(key).version, **what))


def labelled_by_hand(book: LabelBook) -> None:
    """Three specimens of one picture, one of them a box alone, one of another, and a complete one without any."""
    take(book, export(TOLD, "coco", SIZES))
    id = book.folder.id_of("a.png")
    alter(book, f"{id}.1", points={"tail": hidden(20, 24.5)})
    content = replace(TWO.take([0]), visible=np.zeros((1, 2), dtype=np.int8), boxes=np.array([[30, 20, 8, 6.5]]))
    take(book, export(content, "coco", SIZES))
    alter(book, book.folder.id_of("b.png"), complete=True)


def told(book: LabelBook, format: str) -> dict[str, Any]:
    """The label file, without what files of a format say in any case."""
    data: dict[str, Any] = json.loads(book.file.read_bytes())
    for entry in data["images"] + data["annotations"]:
        entry.pop(MORE.get(format), None)
    return data


# --- in ---


def test_a_file_of_several_makes_an_empty_book_one_of_several(book: LabelBook) -> None:
    report = take(book, export(TOLD, "coco", SIZES))
    assert report == {"format": "coco", "landmarks": 2, "added": 5}
    assert book.landmarks.several
    first, second = said(book, "a.png")
    assert first == ({"head": visible(10, 20), "tail": visible(20, 24.5)}, "Ann")
    assert second == ({"head": visible(40, 10), "tail": visible(50, 12.25)}, "7")
    assert [labels.box for labels in shown(book, "a.png")] == [(8, 18, 30, 10), None]
    assert [book.labels(book.folder.id_of(file)).complete for file in ("a.png", "sub/c.png")] == [True, False]
    assert book.disk.history.snapshots() == []


def test_so_does_one_that_says_that_its_pictures_may(book: LabelBook) -> None:
    name(book, *NAMES)
    take(book, export(replace(TWO.take([2]), complete=frozenset({"sub/c.png"})), "coco", SIZES))
    assert book.landmarks.several


def test_where_each_picture_shows_one_and_some_are_labelled_it_is_refused(book: LabelBook) -> None:
    name(book, *NAMES)
    labels = put(book, "b.png", head=(1, 1))
    before = book.file.read_bytes()
    for format in ("coco", "csv", "deeplabcut"):
        with pytest.raises(
            LeadError, match=r"labels\.json has 2 specimens of .*a\.png, .*Say among the landmarks that"
        ):
            take(book, export(TWO, format, SIZES))
    assert book.file.read_bytes() == before
    assert book.labels(labels.id).points == labels.points
    name(book, *NAMES, several=True)
    assert take(book, export(TWO, "coco", SIZES)) == {"format": "coco", "added": 5}


def test_where_each_picture_shows_one_a_prediction_beside_labels_is_still_left_out(book: LabelBook) -> None:
    name(book, *NAMES)
    put(book, "b.png", head=(1, 1))
    content = json.loads(coco.dump(TWO))
    content["annotations"][1]["score"] = 0.5
    report = take(book, json.dumps(content).encode())
    assert (report["added"], "prediction of a picture that a person has labelled" in report["notes"][0]) == (3, True)
    assert not book.landmarks.several


def test_a_file_of_single_specimens_into_a_book_of_several(book: LabelBook) -> None:
    take(book, export(TWO, "coco", SIZES))
    lines = "image,name,x,y\na.png,head,11,20\na.png,tail,20,24\nb.png,head,5,5\n"
    assert take(book, lines.encode()) == {"format": "csv", "added": 1, "kept": 2}
    assert [points for points, _ in said(book, "b.png")] == [{"head": visible(5, 5)}]
    assert take(book, lines.encode(), replace=True) == {"format": "csv", "same": 1, "replaced": 2}
    assert said(book, "a.png")[0][0] == {"head": visible(11, 20), "tail": visible(20, 24)}
    assert len(shown(book, "a.png")) == 2


def test_landmarks_alone_leave_the_mode_as_it_is(book: LabelBook) -> None:
    import_labels(book, export(TWO, "coco", SIZES), "labels.json", "landmarks", replace=False)
    assert [landmark.name for landmark in book.landmarks.landmarks] == list(NAMES)
    assert not book.landmarks.several


@pytest.mark.parametrize("format", HOLDING)
def test_what_is_exported_and_imported_again_adds_nothing(book: LabelBook, format: str) -> None:
    labelled_by_hand(book)
    before, labels = told(book, format), book.contents.labels
    assert len(labels) == 5
    content = export(labels, format, SIZES)
    called = list(NAMES) if "names" in format_named(format).lacks else []
    for replaced in (False, True):
        report = take(book, content, called=called, replace=replaced)
        assert report.keys() <= {"format", "same", "notes"}, report
        assert report["same"] == 5
    assert told(book, format) == before


@pytest.mark.parametrize("format", HOLDING)
def test_a_book_is_filled_with_what_another_exports(book: LabelBook, tmp_path: Path, format: str) -> None:
    labelled_by_hand(book)
    other, known = open_book(make_folder(tmp_path / "other")), format_named(format)
    name(other, *NAMES, several=True)
    content = export(book.contents.labels, format, SIZES)
    called = list(NAMES) if "names" in known.lacks else []
    take(other, content, called=called)
    for file in ("a.png", "sub/c.png"):
        theirs, ours = (
            shown(other, file),
            [one for one in shown(book, file) if one.points or "boxes" not in known.lacks],
        )
        assert len(theirs) == len(ours)
        for mine, yours in zip(ours, theirs, strict=True):
            for landmark, point in mine.points.items():
                place = yours.points[landmark]
                assert (place.x, place.y) == pytest.approx((point.x, point.y), abs=max(0.01, known.precision))
            if "tracks" not in known.lacks and MORE.get(format) != "track_id":
                assert yours.track == mine.track
    if "complete" not in known.lacks:
        assert other.labels(other.folder.id_of("a.png")).complete
    again = other.file.read_bytes()
    take(other, content, called=called)
    assert other.file.read_bytes() == again


def test_the_same_specimen_is_found_by_its_name_or_by_its_place(book: LabelBook) -> None:
    take(book, export(TOLD, "coco", SIZES))
    moved = replace(TOLD, xy=TOLD.xy + np.array([[[0, 15]], [[1, 0]], [[-1, 0]]]), tracks=("Ann", "", "Bo"), boxes=None)
    content = export(moved, "coco", SIZES)
    assert take(book, content) == {"format": "coco", "kept": 5}
    assert [track for _, track in said(book, "sub/c.png")] == ["Bo"]
    assert take(book, content, replace=True) == {"format": "coco", "replaced": 5}
    assert [(points["head"].y, track) for points, track in said(book, "a.png")] == [(35, "Ann"), (10, "7")]
    assert shown(book, "a.png")[0].box == (8, 18, 30, 10)


def test_what_comes_new_has_nothing_of_what_was_taken_out(book: LabelBook) -> None:
    take(book, export(TOLD, "coco", SIZES))
    (last,) = shown(book, "sub/c.png")
    alter(book, last.id, remove=True)
    take(book, export(TWO.take([2]).renamed(["sub/c.png"]), "coco", SIZES))
    (new,) = shown(book, "sub/c.png")
    assert new.id != last.id


def test_predictions_are_left_out_unless_they_are_asked_for(book: LabelBook) -> None:
    found = replace(TOLD, score=np.full((3, 2), 0.5), likely=np.array([0.9, 0.8, 0.7]))
    content = export(found, "coco", SIZES)
    report = take(book, content)
    assert (report["predicted"], report.get("added")) == (5, None)
    assert shown(book, "a.png") == []
    assert not book.labels(book.folder.id_of("a.png")).complete
    assert take(book, content, predictions=True)["added"] == 5
    assert all(point.accepted for points, _ in said(book, "a.png") for point in points.values())


def test_what_is_absent_of_a_specimen_comes_too(book: LabelBook, tmp_path: Path) -> None:
    other = open_book(make_folder(tmp_path / "other"))
    name(other, *NAMES, several=True)
    id = other.folder.id_of("a.png")
    for number in (4, 9):
        points = {"head": visible(number, 1), "tail": ABSENT}
        other.change_labels(f"{id}.{number}", LabelsChange(base=0, points={**points}))
    assert take(book, other.file.read_bytes())["added"] == 4
    assert [points for points, _ in said(book, "a.png")] == [labels.points for labels in shown(other, "a.png")]


def test_a_place_far_outside_is_refused(book: LabelBook) -> None:
    far = replace(TWO, xy=np.where(TWO.xy == 40, 4000, TWO.xy))
    with pytest.raises(LeadError, match=r"labels\.json, annotations\[1\].*4000"):
        take(book, export(far, "coco"))
    assert not book.file.exists()


# --- which are the same ---


def test_specimens_are_told_apart_by_places_and_each_is_found_once() -> None:
    rng = np.random.default_rng(0)
    xy = rng.uniform(0, 2000, (40, 1, 2)) + rng.normal(0, 20, (40, 5, 2))
    xy[7:9, 2:] = NAN
    order = rng.permutation(40)
    nothing = np.full((40, 4), NAN)
    here = Shapes([""] * 40, xy, nothing)
    near = Shapes([""] * 40, (xy + rng.normal(0, 1, xy.shape))[order], nothing)
    assert same_specimens(here, near) == dict(enumerate(order.tolist()))
    twice = Shapes([""] * 2, xy[[3, 3]], nothing[:2])
    assert same_specimens(here, twice) == {0: 3}
    assert same_specimens(twice, twice) == {0: 0, 1: 1}
    far = Shapes([""] * 40, xy + 5000, nothing)
    assert same_specimens(here, far) == {}
    named = Shapes(["x", *[""] * 39], xy, nothing)
    assert same_specimens(named, Shapes([*[""] * 39, "x"], xy, nothing)) == {39: 0, **{i: i for i in range(1, 39)}}


def test_without_landmarks_in_common_boxes_tell() -> None:
    points = np.array([[[10, 10], [NAN, NAN]], [[50, 50], [NAN, NAN]]])
    boxes = np.array([[5, 5, 10, 10], [45, 45, 10, 10.0]])
    other = np.where(np.isnan(points), points[:, :1], NAN)
    here = Shapes(["", ""], points, boxes)
    assert same_specimens(here, Shapes(["", ""], other[::-1], boxes[::-1])) == {0: 1, 1: 0}
    assert same_specimens(here, Shapes([""], np.full((1, 2, 2), NAN), boxes[1:])) == {0: 1}
    assert same_specimens(here, Shapes([""], np.full((1, 2, 2), NAN), boxes[1:] + np.array([8, 0, 0, 0]))) == {}


# --- out ---


@pytest.mark.parametrize("format", [known.name for known in WRITTEN])
def test_each_format_holds_several_or_says_that_it_does_not(book: LabelBook, format: str) -> None:
    labelled_by_hand(book)
    labels = book.contents.labels
    if format not in HOLDING:
        with pytest.raises(LeadError, match=r"a\.png shows 2 specimens, and .* holds one .*another format: .*coco"):
            export(labels, format, SIZES)
        labels = labels.take(row for row, image in enumerate(labels.images) if image != "a.png")
    content = export(labels, format, SIZES)
    again, known = parse_labels(content, "x", pictures=Sized(SIZES), format=format, several=True)
    kept = known.specimens(labels)
    assert again.of_several() == kept.of_several()
    assert int((again.visible > 0).sum()) == int((kept.visible > 0).sum())


def test_predictions_fill_the_pictures_that_nobody_labelled(book: LabelBook) -> None:
    labelled_by_hand(book)
    predicted = Labels.from_xy(
        Schema(("tail", "other")), ("d.png", "d.png", "a.png", "b.png"), np.ones((4, 2, 2)), tracks=("",) * 4
    )
    predicted = replace(predicted, score=np.full((4, 2), 0.5), likely=np.full(4, 0.75))
    both = combined(book.contents.labels, predicted)
    assert both.schema.names == NAMES
    assert both.images == ("d.png", "d.png", "a.png", "a.png", "a.png", "b.png", "sub/c.png")
    assert both.complete == {"a.png", "b.png"}
    assert both.tracks == ("", "", "Ann", "7", "", "", "")
    assert both.likely is not None
    np.testing.assert_array_equal(both.likely, [0.75, 0.75, NAN, NAN, NAN, NAN, NAN])
    assert both.is_predicted.any(1).tolist() == [True, True, *[False] * 5]
    again = coco.parse(export(both, "coco", SIZES).decode(), several=True)
    assert (again.images, again.complete) == (both.images, both.complete)
