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
