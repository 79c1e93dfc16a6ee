"""COCO files as other tools write them: what is odd costs the odd entry, and is named."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, coco
from lead.landmarks.io import parse_labels
from lead.studio.document import Document

BEETLE: dict[str, Any] = {"id": 1, "name": "beetle", "keypoints": ["head", "tail"], "skeleton": [[1, 2]]}
RULER: dict[str, Any] = {"id": 2, "name": "ruler", "keypoints": ["zero"], "skeleton": []}
FIRST: dict[str, Any] = {"id": 0, "image_id": 0, "category_id": 1, "iscrowd": 0, "keypoints": [10, 20, 2, 30, 40, 1]}
SECOND: dict[str, Any] = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "keypoints": [11, 20, 2, 30, 40, 1]}
BOTH = [[[10, 20], [30, 40]], [[11, 20], [30, 40]]]
NONE = [np.nan, np.nan]


def coco_of(*annotations: dict[str, Any], categories: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    images = [{"id": i, "file_name": f"{i}.jpg", "width": 128, "height": 96} for i in range(2)]
    return {"images": images, "annotations": list(annotations), "categories": categories or [BEETLE]}


def read(*annotations: dict[str, Any], categories: list[dict[str, Any]] | None = None) -> Labels:
    return coco.parse(json.dumps(coco_of(*annotations, categories=categories)))


def told(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


@pytest.mark.parametrize("key", ["category_id", "image_id"])
@pytest.mark.parametrize("form", [str, lambda value: f" {value} ", float])
def test_an_id_is_the_same_as_number_and_as_text(key: str, form: Any) -> None:
    labels = read(FIRST, SECOND | {key: form(SECOND[key])})
    np.testing.assert_array_equal(labels.xy, BOTH)
    assert labels.visible.tolist() == [[VISIBLE, HIDDEN]] * 2
    assert told(labels) == ""


@pytest.mark.parametrize(
    ("odd", "second", "left_out"),
    [
        ({"keypoints": ...}, [NONE, NONE], "1 annotation without key points (annotations[1])"),
        ({"keypoints": []}, [NONE, NONE], "1 annotation without key points (annotations[1])"),
        ({"keypoints": None}, [NONE, NONE], "1 annotation without key points (annotations[1])"),
        ({"keypoints": [None, None, 0, 30, 40, 2]}, [NONE, [30, 40]], ""),
        ({"keypoints": [None, None, None, 30, 40, 2]}, [NONE, [30, 40]], ""),
        ({"keypoints": [-1, -1, -1, 30, 40, 2]}, [NONE, [30, 40]], ""),
        ({"keypoints": ["11", "20", "2", "30", "40.0", "2"]}, BOTH[1], ""),
        ({"keypoints": [[11, 20, 2], [30, 40, 1]]}, BOTH[1], ""),
        ({"keypoints": [11, 20, 2.0, 30, 40, 1]}, BOTH[1], ""),
        ({"keypoints": [None, 20, 2, 30, 40, 2]}, [NONE, [30, 40]], "1 point without a place (annotations[1]: 'head'"),
        ({"keypoints": ["left", 20, 2, 30, 40, 2]}, [NONE, [30, 40]], "1 point without a place (annotations[1]: 'h"),
        ({"keypoints": [float("nan"), 2, 2, 30, 40, 2]}, [NONE, [30, 40]], "1 point without a place"),
        ({"keypoints": [10**400, 2, 2, 30, 40, 2]}, [NONE, [30, 40]], "1 point without a place"),
        (
            {"keypoints": [11, 20, 3, 30, 40, 2]},
            [NONE, [30, 40]],
            "1 point whose visibility is not 0, 1 or 2 (annotations[1]: 'head' has 3)",
        ),
        ({"keypoints": [11, 20, 0.87, 30, 40, 2]}, [NONE, [30, 40]], "1 point whose visibility is not 0, 1 or 2"),
        (
            {"keypoints": [11, 20, 30, 40]},
            [NONE, NONE],
            "1 annotation whose key points are not 6 numbers (annotations[1]: 4 values)",
        ),
        ({"image_id": 7}, [NONE, NONE], "1 annotation whose image_id is not listed (annotations[1]: 7)"),
        ({"image_id": ...}, [NONE, NONE], "1 annotation whose image_id is not listed (annotations[1]: none)"),
        ({"category_id": 9}, [NONE, NONE], "1 annotation whose category_id is not listed (annotations[1]: 9)"),
    ],
)
def test_one_odd_entry_costs_that_entry(odd: dict[str, Any], second: Any, left_out: str) -> None:
    entry = {key: value for key, value in (SECOND | odd).items() if value is not ...}
    labels = read(FIRST, entry)
    np.testing.assert_array_equal(labels.xy, [BOTH[0], second])
    assert labels.visible[0].tolist() == [VISIBLE, HIDDEN]
    assert told(labels).startswith(left_out)
    assert bool(told(labels)) == bool(left_out)


def test_where_nothing_can_be_read_it_is_refused() -> None:
    with pytest.raises(LeadError, match=r"no annotation in it can be read.*2 annotations without key points"):
        read(*({key: value for key, value in entry.items() if key != "keypoints"} for entry in (FIRST, SECOND)))
    with pytest.raises(LeadError, match=r"Left out: 4 points whose visibility is not 0, 1 or 2"):
        read(*(entry | {"keypoints": [1, 2, 0.5, 3, 4, 0.9]} for entry in (FIRST, SECOND)))
    with pytest.raises(LeadError, match=r"0 of 1 category has 'keypoints'.*Export key points"):
        read(FIRST, categories=[{"id": 1, "name": "beetle"}])


@pytest.mark.parametrize("skeleton", [[[0, 1]], [["1", "2"]], [[1, 2]], [["head", "tail"]]])
def test_a_skeleton_counts_from_one_or_from_zero(skeleton: Any) -> None:
    labels = read(FIRST, SECOND, categories=[BEETLE | {"skeleton": skeleton}])
    assert labels.schema.skeleton == (("head", "tail"),)
    np.testing.assert_array_equal(labels.xy, BOTH)


@pytest.mark.parametrize("skeleton", [[[1, 2], [2, 3]], [[1, 2], ["head", 2]], [[1, 2], 5], [[1, 2], [1.5, 2]]])
def test_an_odd_line_of_the_skeleton_is_left_out(skeleton: Any) -> None:
    labels = read(FIRST, SECOND, categories=[BEETLE | {"skeleton": skeleton}])
    assert labels.schema.skeleton == (("head", "tail"),)
    assert told(labels).startswith("1 line of a skeleton not between two of its")


@pytest.mark.parametrize(
    ("further", "what"),
    [
        ({"iscrowd": 1, "keypoints": [0] * 6}, "1 annotation without a landmark (annotations[2])"),
        ({"iscrowd": 1, "keypoints": [1, 1, 2, 3, 3, 2]}, "1 annotation of a crowd (annotations[2])"),
        ({"score": 0.5}, "1 prediction of a picture that a person has labelled (annotations[2])"),
        ({"predicted": ["head", "tail"]}, "1 prediction of a picture that a person has labelled (annotations[2])"),
    ],
)
@pytest.mark.parametrize("first", [False, True])
def test_of_several_annotations_the_person_s_own_counts(further: dict[str, Any], what: str, first: bool) -> None:
    other = SECOND | {"id": 2} | further
    labels = read(*([other, FIRST, SECOND] if first else [FIRST, SECOND, other]))
    np.testing.assert_array_equal(labels.xy, BOTH)
    assert labels.by_hand.all()
    assert told(labels) == what.replace("[2]", "[0]" if first else "[2]")


def test_two_instances_of_a_picture_are_refused() -> None:
    with pytest.raises(LeadError, match=r"annotations\[2\]: picture '1.jpg' is already annotated by annotations\[1\]"):
        read(FIRST, SECOND, SECOND | {"id": 2, "keypoints": [50, 60, 2, 70, 80, 2]})


def test_a_category_above_the_labelled_one_is_passed_over() -> None:
    root = BEETLE | {"id": 0, "name": "beetles", "supercategory": "none"}
    leaf = BEETLE | {"supercategory": "beetles"}
    for listed in ([FIRST, SECOND], []):
        labels = read(*listed, categories=[root, leaf])
        assert labels.schema.names == ("head", "tail")
        assert told(labels) == ""
    other = RULER | {"name": "beetles", "supercategory": "none"}
    assert read(categories=[other, leaf]).schema.names == ("head", "tail")


def test_categories_with_the_same_landmarks_are_read_as_one() -> None:
    labels = read(FIRST, SECOND | {"category_id": 5}, categories=[BEETLE | {"name": "male"}, BEETLE | {"id": 5}])
    np.testing.assert_array_equal(labels.xy, BOTH)
    assert told(labels) == "2 categories with the same landmarks as another, read as one (male, beetle)"


def test_a_second_kind_of_thing_has_its_name_before_its_landmarks() -> None:
    ruler = {"id": 2, "image_id": 1, "category_id": 2, "keypoints": [5, 6, 2], "score": 0.25}
    flips = BEETLE | {"flip_pairs": [["head", "tail"]]}
    for order in ([RULER, flips], [flips, RULER]):
        labels = read(ruler, FIRST, SECOND, categories=order)
        assert set(labels.schema.names) == {"head", "tail", "ruler zero"}
        assert labels.schema.flip_pairs == labels.schema.skeleton == (("head", "tail"),)
        np.testing.assert_array_equal(labels.only(["head", "tail"]).xy, BOTH)
        np.testing.assert_array_equal(labels.only(["ruler zero"]).xy, [[NONE], [[5, 6]]])
        assert labels.only(["ruler zero"]).is_predicted.tolist() == [[False], [True]]
        assert labels.only(["head"]).by_hand.all()
    one = coco.parse(json.dumps(coco_of(ruler, FIRST, SECOND, categories=[flips, RULER])), "ruler")
    assert one.schema.names == ("zero",)
    assert told(one) == "2 annotations of other categories (beetle)"
    with pytest.raises(LeadError, match=r"Unknown category 'rule'. Did you mean 'ruler'"):
        coco.parse(json.dumps(coco_of(ruler, categories=[flips, RULER])), "rule")


def test_boxes_of_other_categories_are_told() -> None:
    sofa = {"id": 9, "image_id": 0, "category_id": 3, "bbox": [1, 2, 3, 4]}
    labels = read(FIRST, sofa, categories=[BEETLE, {"id": 3, "name": "sofa"}])
    assert told(labels) == "1 annotation of other categories (sofa)"


def test_scores_make_predictions() -> None:
    scored = FIRST | {"score": 0.5}
    labels = read(scored, SECOND)
    assert labels.is_predicted.tolist() == [[True, True], [False, False]]
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[0.5, 0.5], [np.nan, np.nan]])
    each = read(FIRST | {"score": 0.5, "keypoint_scores": [0.25, None]}, SECOND)
    assert each.is_predicted.tolist() == [[True, False], [False, False]]
    broken = read(FIRST | {"keypoint_scores": [0.25]}, SECOND)  # a model said them, whatever it said of them
    assert broken.is_predicted.tolist() == [[True, True], [False, False]]
    assert told(broken) == "1 list keypoint_scores not of 2 numbers (annotations[0])"


def test_sizes_are_those_that_the_file_says() -> None:
    data = coco_of(FIRST, SECOND)
    data["images"][0].update(width="640", height=480.0)
    del data["images"][1]["width"]
    labels = coco.parse(json.dumps(data))
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[640, 480], [0, 0]]


def test_backslashes_in_a_path_are_slashes() -> None:
    data = coco_of(FIRST, SECOND)
    data["images"][0]["file_name"] = "images\\day 1\\0.jpg"
    assert coco.parse(json.dumps(data)).images == ("images/day 1/0.jpg", "1.jpg")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_predicted_accepted_and_sizes_come_back(data: st.DataObject) -> None:
    n, k = 2, 3
    flags = st.lists(st.booleans(), min_size=n * k, max_size=n * k)
    visible = np.reshape(data.draw(st.lists(st.integers(0, 2), min_size=n * k, max_size=n * k)), (n, k))
    scored = np.reshape(data.draw(flags), (n, k))
    labels = Labels(
        Schema(("a", "b", "c")),
        ("x.png", "y.png"),
        np.arange(n * k * 2, dtype=float).reshape(n, k, 2),
        visible.astype(np.int8),
        np.where(scored, 0.5, np.nan) if scored.any() else None,
        accepted=np.reshape(data.draw(flags), (n, k)),
        predicted=np.reshape(data.draw(flags), (n, k)),
        sizes=np.reshape(data.draw(st.lists(st.integers(1, 9999), min_size=n * 2, max_size=n * 2)), (n, 2)),
    )
    again = coco.parse(coco.dump(labels))
    np.testing.assert_array_equal(again.visible, labels.visible)
    np.testing.assert_array_equal(again.xy, labels.xy)
    np.testing.assert_array_equal(again.is_accepted, labels.is_accepted)
    np.testing.assert_array_equal(again.is_predicted, labels.is_predicted)
    np.testing.assert_array_equal(again.sizes, labels.sizes)


def test_the_page_opens_odd_entries_and_keeps_what_it_does_not_read() -> None:
    box = {"id": 7, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    root = BEETLE | {"id": 0, "name": "beetles", "keypoints": ["head"]}
    data = coco_of(FIRST | {"image_id": "0", "keypoints": ["10", 20, 2, 30, 40, -1]}, box, categories=[root, BEETLE])
    before = deepcopy(data)
    document = Document.parse(json.dumps(data).encode())
    assert [(file, annotation.placed) for file, annotation in document.annotated()] == [("0.jpg", 1)]
    written = json.loads(document.text())
    assert written["annotations"][0]["keypoints"] == [10, 20, 2, 0, 0, 0]
    assert written["annotations"][1] == box
    assert written["categories"] == before["categories"]
    assert Document.parse(document.text()).labels({"0.jpg"}).visible.tolist() == [[VISIBLE, UNLABELLED]]


def test_the_page_refuses_several_kinds() -> None:
    ruler = {"id": 2, "image_id": 1, "category_id": 2, "keypoints": [5, 6, 2]}
    with pytest.raises(LeadError, match=r"several categories have landmarks: 'beetle', 'ruler'.*lead convert"):
        Document.parse(json.dumps(coco_of(FIRST, ruler, categories=[BEETLE, RULER])).encode())


def test_a_list_of_results_is_told_from_label_studio_s_tasks() -> None:
    results = json.dumps([{"image_id": 1, "category_id": 1, "keypoints": [1, 2, 1], "score": 0.5}])
    with pytest.raises(LeadError, match=r"is a list of COCO's results.*convert the file with both"):
        parse_labels(results.encode(), "results.json")
