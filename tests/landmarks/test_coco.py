from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, coco
from lead.landmarks.pictures import Sized

# Written by hand after COCO's own documentation.
EXAMPLE: dict[str, Any] = {
    "info": {"description": "two cats"},
    "images": [
        {"id": 42, "file_name": "b/second.jpg", "width": 640, "height": 480},
        {"id": 7, "file_name": "a/first.jpg", "width": 640, "height": 480},
        {"id": 9, "file_name": "plain.jpg"},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 7,
            "category_id": 3,
            "keypoints": [10, 20, 2, 30.5, 40.25, 1, 0, 0, 0],
            "num_keypoints": 2,
            "bbox": [10, 20, 20.5, 20.25],
            "area": 415.125,
            "iscrowd": 0,
        },
        {"id": 2, "image_id": 42, "category_id": 3, "keypoints": [1, 2, 2, 3, 4, 2, 5, 6, 2], "num_keypoints": 3},
        {"id": 3, "image_id": 42, "category_id": 8, "bbox": [0, 0, 1, 1]},
    ],
    "categories": [
        {"id": 8, "name": "sofa"},
        {
            "id": 3,
            "name": "cat",
            "keypoints": ["nose", "left_ear", "right_ear"],
            "skeleton": [[1, 2], [1, 3]],
            "flip_pairs": [["left_ear", "right_ear"]],
        },
    ],
}


def test_reads_the_published_layout() -> None:
    labels = coco.parse(json.dumps(EXAMPLE))
    assert labels.images == ("b/second.jpg", "a/first.jpg", "plain.jpg")
    assert labels.schema == Schema(
        ("nose", "left_ear", "right_ear"),
        flip_pairs=(("left_ear", "right_ear"),),
        skeleton=(("nose", "left_ear"), ("nose", "right_ear")),
    )
    assert labels.visible.tolist() == [[VISIBLE] * 3, [VISIBLE, HIDDEN, UNLABELLED], [UNLABELLED] * 3]
    assert labels.xy[0].tolist() == [[1, 2], [3, 4], [5, 6]]
    assert labels.xy[1, :2].tolist() == [[10, 20], [30.5, 40.25]]
    assert np.isnan(labels.xy[1, 2]).all()
    assert labels.score is None
    assert labels.px_error is None


def test_writes_the_published_layout() -> None:
    data = json.loads(coco.dump(coco.parse(json.dumps(EXAMPLE)), Sized({"a/first.jpg": (640, 480)})))
    assert [image["file_name"] for image in data["images"]] == ["b/second.jpg", "a/first.jpg", "plain.jpg"]
    assert [(image.get("width"), image.get("height")) for image in data["images"]] == [
        (640, 480),
        (640, 480),
        (None,) * 2,
    ]
    assert len(data["annotations"]) == 2
    written = next(a for a in data["annotations"] if a["image_id"] == data["images"][1]["id"])
    original = EXAMPLE["annotations"][0]
    for key in ("keypoints", "num_keypoints", "bbox", "area", "iscrowd"):
        assert written[key] == original[key], key
    (category,) = data["categories"]
    assert written["category_id"] == category["id"]
    for key in ("keypoints", "skeleton", "flip_pairs"):
        assert category[key] == EXAMPLE["categories"][1][key]


def test_predictions_carry_confidence_and_error() -> None:
    schema = Schema(("a", "b"))
    labels = Labels(
        schema,
        ("x.jpg",),
        np.ones((1, 2, 2)),
        np.full((1, 2), VISIBLE, np.int8),
        score=np.array([[0.5, 0.75]]),
        px_error=np.array([[1.5, np.nan]]),
        px_90=np.array([[np.nan, 4.25]]),
    )
    (annotation,) = json.loads(coco.dump(labels))["annotations"]
    assert annotation["score"] == 0.625
    assert annotation["keypoint_scores"] == [0.5, 0.75]
    assert annotation["px_error"] == [1.5, None]
    assert annotation["px_90"] == [None, 4.25]


def broken(path: list[str | int], value: Any) -> str:
    """The example with one value replaced, or removed where ``value`` is ``...``."""
    data = deepcopy(EXAMPLE)
    target: Any = data
    for key in path[:-1]:
        target = target[key]
    if value is ...:
        del target[path[-1]]
    else:
        target[path[-1]] = value
    return json.dumps(data)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["annotations", 0, "image_id"], 42, r"annotations\[1\]: picture 'b/second.jpg'.*annotations\[0\]"),
        (["images", 1, "id"], 42, r"images\[1\]: id 42 is also that of images\[0\]"),
        (["images", 1, "file_name"], ..., r"images\[1\]: 'file_name' is missing"),
        (["images", 1, "file_name"], "plain.jpg", r"'plain.jpg' is labelled more than once"),
        (["categories"], ..., r"'categories' is not a list"),
        (["categories", 1, "keypoints"], ..., r"0 of 2 categories have 'keypoints'"),
        (["categories", 1, "keypoints"], ["a", "a", "b"], r"'a' stands more than once"),
        (["categories", 1, "flip_pairs"], [["left_ear", "left"]], r"Unknown landmark 'left'"),
        (["categories", 1, "flip_pairs"], [["left_ear", ["x"]]], r"'flip_pairs' must be a list of pairs of names"),
        (["categories", 1, "flip_pairs"], [["left_ear"]], r"'flip_pairs' must be a list of pairs"),
        (["images"], {}, r"'images' is not a list"),
    ],
)
def test_errors_name_the_entry(path: list[str | int], value: Any, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        coco.parse(broken(path, value))


def test_text_that_is_not_coco() -> None:
    with pytest.raises(LeadError, match=r"line 2: not valid JSON"):
        coco.parse('{\n"images": [,]}')
    with pytest.raises(LeadError, match="not COCO key points"):
        coco.parse("[1, 2]")


def test_json_that_cannot_be_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LeadError, match="not COCO key points"):
        coco.parse('{"images": ' + "1" * 5000 + "}")

    def nested_too_deeply(_: str) -> object:
        raise RecursionError("maximum recursion depth exceeded")

    monkeypatch.setattr(json, "loads", nested_too_deeply)
    with pytest.raises(LeadError, match=r"not COCO key points .maximum recursion depth"):
        coco.parse("[[]]")


def accepted_in(names: object) -> Labels:
    """Two landmarks, of which the first is labelled; ``names`` are listed as accepted."""
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2, 2, 0, 0, 0], "accepted": names}
    category = {"id": 1, "name": "x", "keypoints": ["a", "b"]}
    image = {"id": 1, "file_name": "a.png"}
    return coco.parse(json.dumps({"images": [image], "annotations": [annotation], "categories": [category]}))


def test_accepted_suggestions_are_read_and_written() -> None:
    labels = accepted_in(["a", "b", "elsewhere"])  # b has no label
    assert labels.accepted is not None
    assert labels.accepted.tolist() == [[True, False]]
    assert labels.by_hand.tolist() == [[False, False]]
    written = json.loads(coco.dump(labels))
    assert written["annotations"][0]["accepted"] == ["a"]
    assert coco.parse(coco.dump(labels)).accepted is not None


@pytest.mark.parametrize("theirs", [True, "a", {"a": 1}, [], ["b"], [3]])
def test_what_another_program_keeps_under_that_key_is_passed_over(theirs: object) -> None:
    assert accepted_in(theirs).accepted is None


def test_accepted_goes_along_with_labels() -> None:
    accepted = np.array([[True, False], [False, False], [True, True]])
    labels = Labels(Schema(("a", "b")), ("1", "2", "3"), np.ones((3, 2, 2)), np.full((3, 2), 2), accepted=accepted)
    taken = labels.take([2, 1])
    assert taken.accepted is not None
    assert taken.accepted.tolist() == [[True, True], [False, False]]
    assert labels.only(["b"]).by_hand.tolist() == [[True], [True], [False]]
    assert labels.take([1]).accepted is None
    joined = Labels.joined([labels.take([1]), labels.take([0])])
    assert joined.by_hand.tolist() == [[True, True], [False, True]]
    own = labels.only_by_hand()
    assert own.accepted is None
    assert (own.visible > 0).tolist() == (~accepted).tolist()
    assert np.isnan(own.xy[accepted]).all()
