"""The label file as a value: nothing that it holds is lost, whatever it is."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.landmarks import coco
from lead.studio.document import Document, PointsChange
from lead.studio.label_messages import Landmark, Landmarks, Point
from lead.studio.schema import default_colours

# Half characters included: JSON can hold them.
TEXT = st.text(st.characters(), max_size=6)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda children: st.lists(children, max_size=3) | st.dictionaries(TEXT, children, max_size=3),
    max_leaves=8,
)
OURS = {
    *("images", "annotations", "categories", "keypoints", "skeleton", "flip_pairs", "colours", "absent", "checked"),
    *("id", "file_name", "image_id", "category_id", "num_keypoints", "bbox", "area", "keypoint_scores", "px_error"),
    *("px_90", "accepted", "note", "tags"),
    *("width", "height", "split", "score"),
}
MORE = st.dictionaries(TEXT.filter(lambda key: key not in OURS), JSON, max_size=3)
FILES = ("a.png", "sub/b.png", "c.png")
VALUE = st.integers(-5, 50) | st.floats(-50, 50)


@st.composite
def any_file(draw: st.DrawFn) -> dict[str, Any]:
    """A COCO object of two landmarks, with anything at all beside what COCO defines."""
    ids = draw(st.lists(st.integers(0, 99) | TEXT, min_size=3, max_size=3, unique_by=lambda id: str(id).strip()))
    images = [draw(MORE) | {"id": id, "file_name": file} for id, file in zip(ids, FILES, strict=True)]
    annotations = [{"id": 7, "category_id": 2, "bbox": draw(JSON)} | draw(MORE)]
    for id in draw(st.lists(st.sampled_from(ids), unique_by=repr)):
        points = [[draw(VALUE), draw(VALUE), draw(st.sampled_from([0, 1, 2, 2.0]))] for _ in range(2)]
        flat = [value for point in points for value in point]
        entry: dict[str, Any] = {"image_id": id, "category_id": 1, "keypoints": flat}
        if draw(st.booleans()):
            entry["px_error"] = [draw(VALUE | st.none()), draw(VALUE | st.none())]
        annotations.append(draw(MORE) | entry)
    category = draw(MORE) | {"id": 1, "keypoints": ["p", "q"]}
    return draw(MORE) | {"annotations": annotations, "images": images, "categories": [{"id": 2}, category]}


@settings(max_examples=60)
@given(data=any_file())
def test_a_file_comes_back_as_it_was(data: dict[str, Any]) -> None:
    text = json.dumps(data)
    written = Document.parse(text.encode()).text()
    assert json.loads(written) == json.loads(text)
    assert list(json.loads(written)) == list(data)


@settings(max_examples=60)
@given(data=any_file(), file=st.sampled_from(FILES), x=st.floats(-50, 50), k=st.integers(0, 1))
def test_a_point_changes_nothing_else(data: dict[str, Any], file: str, x: float, k: int) -> None:
    before = Document.parse(json.dumps(data).encode())
    point = Point(state="hidden", x=x, y=1.5)
    after = Document.parse(before.with_points({file: PointsChange({"pq"[k]: point})}).text())
    assert {f: a.points() for f, a in after.annotated() if f != file} == {
        f: a.points() for f, a in before.annotated() if f != file
    }
    changed, was = after.annotation(file), before.annotation(file)
    assert changed is not None
    assert changed.points() == (was.points() if was else {}) | {"pq"[k]: point}
    ours, theirs = json.loads(after.text()), json.loads(before.text())
    for entry in (ours, theirs):
        own = next(image["id"] for image in entry["images"] if image["file_name"] == file)
        for annotation in entry["annotations"]:
            if annotation["category_id"] == 1 and repr(annotation["image_id"]) == repr(own):
                for key in OURS - {"image_id", "category_id"}:
                    annotation.pop(key, None)
    assert ours["annotations"][: len(theirs["annotations"])] == theirs["annotations"]
    assert len(ours["annotations"]) - len(theirs["annotations"]) == (was is None)
    assert {key: ours[key] for key in ours if key != "annotations"} == {
        key: theirs[key] for key in theirs if key != "annotations"
    }


@settings(max_examples=60)
@given(data=any_file())
def test_labels_are_those_that_the_file_loads_as(data: dict[str, Any]) -> None:
    document = Document.parse(json.dumps(data).encode())
    loaded = coco.parse(document.text().decode())
    loaded = loaded.take(np.flatnonzero((loaded.visible > 0).any(1)).tolist())
    ours = document.labels(set(FILES))
    assert (ours.schema, ours.images) == (loaded.schema, loaded.images)
    np.testing.assert_array_equal(ours.xy, loaded.xy)
    np.testing.assert_array_equal(ours.visible, loaded.visible)
    expected = loaded.px_error
    if expected is not None and np.isnan(expected).all():
        expected = None  # only pictures without a label had any
    assert (ours.px_error is None) == (expected is None)
    if expected is not None and ours.px_error is not None:
        np.testing.assert_array_equal(ours.px_error, expected)
    only = document.labels({"a.png"})
    assert set(only.images) <= {"a.png"}


def test_before_there_are_landmarks() -> None:
    labels = Document.empty().labels(set())
    assert (len(labels), labels.schema.names) == (0, ())


def test_the_box_of_another_tool_is_left_alone_and_ours_follows_the_points() -> None:
    landmarks = Landmarks(landmarks=[Landmark(name=n, colour=c) for n, c in zip("pq", default_colours(2), strict=True)])
    document = Document.empty().with_landmarks(landmarks, [None, None])
    document = document.with_points({"a.png": PointsChange({"p": Point(x=1, y=2), "q": Point(x=4, y=8)})})
    entry = json.loads(document.text())["annotations"][0]
    assert (entry["bbox"], entry["area"]) == ([1, 2, 3, 6], 18)
    document = document.with_points({"a.png": PointsChange({"q": None})})
    entry = json.loads(document.text())["annotations"][0]
    assert (entry["bbox"], entry["area"], entry["num_keypoints"]) == ([1, 2, 0, 0], 0, 1)


@pytest.mark.parametrize("colours", [None, ["#fff", "#000"], ["#abcdef"], "red", ["#ABCDEF", 3]])
def test_colours_that_are_none_are_replaced_by_our_own(colours: object) -> None:
    category = {"id": 1, "keypoints": ["p", "q"]} | ({} if colours is None else {"colours": colours})
    document = Document.parse(json.dumps({"images": [], "annotations": [], "categories": [category]}).encode())
    expected = default_colours(2)
    if isinstance(colours, list) and "#ABCDEF" in colours:
        expected[0] = "#abcdef"
    assert [landmark.colour for landmark in document.landmarks.landmarks] == expected
    assert json.loads(document.text())["categories"] == [category]  # until somebody changes them


@pytest.mark.parametrize("count", [1, 7, 8, 68])
def test_default_colours_differ(count: int) -> None:
    assert len(set(default_colours(count))) == count
