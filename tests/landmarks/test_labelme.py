"""What X-AnyLabeling adds to LabelMe's JSON, and folders in which one file is odd."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels, Schema


def shape(label: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    """A point as X-AnyLabeling saves it."""
    return {
        "kie_linking": [],
        "label": label,
        "score": None,
        "points": [[x, y]],
        "group_id": None,
        "description": "",
        "difficult": False,
        "shape_type": "point",
        "flags": {},
        "attributes": {},
    } | more


def file(image: str, *shapes: dict[str, Any]) -> str:
    size = {"imageHeight": 48, "imageWidth": 64}
    return json.dumps(
        {"version": "2.5.4", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None, "description": ""}
        | size
    )


def test_a_score_is_a_model_s_and_null_a_person_s(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(file("a.jpg", shape("head", 1, 2), shape("tail", 3, 4, score=0.75)))
    labels = load_labels(tmp_path / "a.json")
    assert labels.is_predicted.tolist() == [[False, True]]
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[np.nan, 0.75]])
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[64, 48]]
    (tmp_path / "b.json").write_text(file("a.jpg", shape("head", 1, 2, score=75)))
    with pytest.raises(LeadError, match="has the score 75; it must be from 0 to 1"):
        load_labels(tmp_path / "b.json")


def test_a_box_and_points_of_one_group_are_one_thing(tmp_path: Path) -> None:
    box = shape("beetle", 0, 0, shape_type="rectangle", group_id=1)
    points = [shape("head", 1, 2, group_id=1, difficult=True), shape("tail", 3, 4, group_id=1, description="bent")]
    (tmp_path / "a.json").write_text(file("a.jpg", box, *points))
    labels = load_labels(tmp_path / "a.json")
    assert labels.xy.tolist() == [[[1, 2], [3, 4]]]
    assert labels.places is not None
    told = "1 shape of type 'rectangle'; 1 point marked as difficult; 1 description"
    assert labels.places.left_out == told


def test_of_a_folder_the_odd_file_is_left_out_and_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(file("a.jpg", shape("head", 1, 2)))
    (tmp_path / "b.json").write_text(file("b.jpg", shape("head", 1, 2, group_id=1), shape("tail", 3, 4, group_id=2)))
    (tmp_path / "c.json").write_text(file("c.jpg", shape("head", 1, 2), shape("head", 3, 4)))
    labels = load_labels(tmp_path)
    assert labels.images == ("a.jpg",)
    assert labels.places is not None
    assert "1 picture (b.json): its points are of 2 groups (group_id 1, 2)" in labels.places.left_out
    assert "1 picture (c.json): shapes[1]: 'head' is marked twice" in labels.places.left_out
    (tmp_path / "a.json").unlink()
    with pytest.raises(LeadError, match=r"no shape of type 'point' in it\..*Left out: 1 picture \(b\.json\)"):
        load_labels(tmp_path)


def test_predictions_stay_predictions(tmp_path: Path) -> None:
    """Also those that have no score, which neither tool has a place for but a flag."""
    xy = np.array([[[1, 2], [3, 4], [5, 6]]])
    labels = Labels(
        Schema(("a", "b", "c")),
        ("a.png",),
        xy,
        np.full((1, 3), 2, dtype=np.int8),
        np.array([[0.5, np.nan, np.nan]]),
        predicted=np.array([[True, True, False]]),
    )
    assert save_labels(labels, tmp_path / "out", format="labelme") == []
    again = load_labels(tmp_path / "out")
    assert again.is_predicted.tolist() == [[True, True, False]]
    assert again.score is not None
    np.testing.assert_array_equal(again.score, labels.score)
    assert not again.places or not again.places.left_out


def test_files_of_a_folder_that_were_not_read_are_named(tmp_path: Path) -> None:
    whole = file("a.jpg", shape("head", 1, 2))
    (tmp_path / "a.json").write_text(whole)
    (tmp_path / "b.json").write_text(whole[: whole.index("imagePath")])  # the disk was full
    (tmp_path / "c.json").write_bytes(whole.replace("head", "tête").encode("latin-1"))
    labels = load_labels(tmp_path)
    assert labels.images == ("a.jpg",)
    assert labels.places is not None
    assert labels.places.left_out == "2 files .json of something else, or damaged (b.json, c.json)"


# --- several specimens of a picture ----------------------------------------------------------------------------------


def rectangle(*corners: list[float], **more: Any) -> dict[str, Any]:
    return shape("beetle", 0, 0, points=list(corners), shape_type="rectangle", **more)


def several(tmp_path: Path, *shapes: dict[str, Any]) -> Labels:
    (tmp_path / "a.json").write_text(file("a.jpg", *shapes))
    return load_labels(tmp_path / "a.json", several=True)


def test_a_group_is_a_specimen_and_its_rectangle_the_box(tmp_path: Path) -> None:
    labels = several(
        tmp_path,
        rectangle([20, 30], [10, 5], group_id=4),
        shape("head", 1, 2),
        shape("head", 11, 6, group_id=4),
        shape("tail", 19, 29, group_id=4),
        shape("tail", 3, 4, group_id="x"),
        rectangle([1, 1], [3, 1], [3, 4], [1, 4], group_id=9),
    )
    assert labels.schema.names == ("head", "tail")
    assert labels.visible.tolist() == [[2, 2], [2, 0], [0, 2], [0, 0]]
    np.testing.assert_array_equal(labels.boxes, [[10, 5, 10, 25], [np.nan] * 4, [np.nan] * 4, [1, 1, 2, 3]])
    assert labels.images == ("a.jpg",) * 4
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[64, 48]] * 4
    assert labels.places is not None
    assert labels.places.left_out == ""


@pytest.mark.parametrize(
    "odd",
    [
        [rectangle([1, 2], [3, 4], group_id=2), rectangle([5, 6], [7, 8], group_id=2)],  # which is it?
        [rectangle([1, 2], [3, 4])],  # of no group, as no point is
        [rectangle([1, 2], [1, 4], group_id=1)],
        [rectangle([1, 2], group_id=1)],
        [shape("beetle", 0, 0, points=None, shape_type="rectangle", group_id=1)],
        [shape("beetle", 0, 0, points=[[1, 2], [3, None]], shape_type="rectangle", group_id=1)],
    ],
)
def test_rectangles_that_are_no_box_are_told(odd: list[dict[str, Any]], tmp_path: Path) -> None:
    labels = several(tmp_path, shape("head", 1, 2, group_id=1), *odd)
    assert (len(labels), labels.boxes, labels.tracks) == (1, None, None)
    assert labels.places is not None
    assert labels.places.left_out == f"{len(odd)} shape{'s' if len(odd) > 1 else ''} of type 'rectangle'"


def test_a_landmark_stands_once_in_a_group(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"shapes\[1\]: 'head' is marked twice.*one instance a group"):
        several(tmp_path, shape("head", 1, 2, group_id=1), shape("head", 1, 2, group_id=1))


def test_specimens_are_written_in_groups_and_one_alone_is_not(tmp_path: Path) -> None:
    labels = Labels(
        Schema(("head",)),
        ("a.png", "a.png", "b.png", "c.png"),
        np.array([[[1, 2]], [[3, 4]], [[5, 6]], [[7, 8]]], dtype=float),
        np.full((4, 1), 2, dtype=np.int8),
        tracks=("",) * 4,
        boxes=np.array([[np.nan] * 4, [np.nan] * 4, [1, 2, 30, 40], [np.nan] * 4]),
    )
    save_labels(labels, tmp_path / "out", format="labelme")
    written = {
        name: [
            (each["shape_type"], each["group_id"], each["points"])
            for each in json.loads((tmp_path / f"out/{name}.json").read_text())["shapes"]
        ]
        for name in "abc"
    }
    assert written == {
        "a": [("point", 1, [[1, 2]]), ("point", 2, [[3, 4]])],
        "b": [("rectangle", 1, [[1, 2], [31, 42]]), ("point", 1, [[5, 6]])],
        "c": [("point", None, [[7, 8]])],
    }
