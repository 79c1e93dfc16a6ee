"""YOLO's key points, as the format's documentation has them."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures
from lead.images.labels import load_labels, save_labels
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.landmarks.formats import format_named
from lead.landmarks.io import read_labels
from lead.landmarks.pictures import Sized

HEAD = "path: ../data\ntrain: images/train\nval: images/val\nkpt_shape: [2, 3]\nflip_idx: [1, 0]\nnames:\n  0: beetle\n"
LINE = "0 0.2 0.3 0.4 0.4 0.1 0.25 2 0.3 0.5 1\n"


def folder(root: Path, texts: dict[str, str], head: str = HEAD) -> Path:
    """A folder of pictures of 100 × 80 pixels, and a text for each."""
    (root / "data.yaml").write_text(head)
    for stem, text in texts.items():
        label, image = root / "labels" / f"{stem}.txt", root / "images" / f"{stem}.jpg"
        for path in (label, image):
            path.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(text)
        Image.new("RGB", (100, 80)).save(image)
    return root


def test_reads_the_key_points_of_a_folder(tmp_path: Path) -> None:
    texts = {"train/a": LINE, "val/b": "", "val/c": LINE.replace("0.1 0.25 2", "0 0 0")}
    (folder(tmp_path, texts) / "README.txt").write_text("Exported on Monday.")
    labels, known = read_labels(tmp_path, pictures=FolderPictures(tmp_path))
    assert known.name == "yolo"
    assert labels.images == ("images/train/a.jpg", "images/val/b.jpg", "images/val/c.jpg")
    assert labels.schema == Schema(("1", "2"), (("1", "2"),))
    np.testing.assert_allclose(labels.xy[0], [[10, 20], [30, 40]])
    assert labels.visible.tolist() == [[VISIBLE, HIDDEN], [UNLABELLED] * 2, [UNLABELLED, HIDDEN]]
    assert labels.predicted is None
    assert labels.where(0, 0) == f"{tmp_path}, labels/train/a.txt, line 1: "


def test_pictures_that_lie_elsewhere_are_found_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "yolo").mkdir()
    folder(tmp_path / "yolo", {"train/a": LINE})
    (tmp_path / "pictures/train").mkdir(parents=True)
    Image.new("RGB", (200, 80)).save(tmp_path / "pictures/train/a.png")
    labels = load_labels(tmp_path / "yolo", pictures=tmp_path / "pictures")
    assert labels.images == ("train/a.png",)
    np.testing.assert_allclose(labels.xy[0], [[20, 20], [60, 40]])


def test_names_stand_beside_the_shape(tmp_path: Path) -> None:
    head = HEAD + "kpt_names:\n  0: [head, tail]\n"
    labels = load_labels(folder(tmp_path, {"a": LINE}, head))
    assert labels.schema == Schema(("head", "tail"), (("head", "tail"),))


def test_two_numbers_a_point_say_no_visibility(tmp_path: Path) -> None:
    head = "kpt_shape: [3, 2]\nnames: [beetle]\n"
    labels = load_labels(folder(tmp_path, {"a": "0 .2 .3 .4 .4 0.1 0.25 0 0 -0.01 0.5\n"}, head))
    assert labels.visible.tolist() == [[VISIBLE, UNLABELLED, UNLABELLED]]
    assert labels.schema.flip_pairs == ()


def test_confidences_are_a_model_s(tmp_path: Path) -> None:
    texts = {
        "a": LINE,
        "b": "0 0.2 0.3 0.4 0.4 0.1 0.25 0.875 0.3 0.5 0.5 0.9\n",  # with the box's confidence behind
        "c": "0 0.2 0.3 0.4 0.4 0 0 0 0.3 0.5 0.25\n",
    }
    labels = load_labels(folder(tmp_path, texts))
    assert labels.score is not None
    assert labels.is_predicted.tolist() == [[False, False], [True, True], [False, True]]
    np.testing.assert_array_equal(labels.score, [[np.nan, np.nan], [0.875, 0.5], [np.nan, 0.25]])


def test_odd_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    texts = {"a": LINE, "b": LINE * 2, "c": LINE.replace("0.25", "1/4"), "d": "0 0.2 0.3 0.4 0.4\n", "e": LINE}
    folder(tmp_path, texts)
    (tmp_path / "images/e.jpg").unlink()
    labels = load_labels(tmp_path)
    assert labels.images == ("images/a.jpg", "images/d.jpg")
    assert labels.places is not None
    for told in (
        "1 box without key points",
        "1 picture (images/b.jpg): labels/b.txt, several things in it",
        "1 picture (images/c.jpg): labels/c.txt, line 1: a number is '1/4'",
        "1 picture (e): not there, or not readable, and its size is needed",
    ):
        assert told in labels.places.left_out


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("names: [beetle]", "no kpt_shape in it, so these are boxes"),
        ("kpt_shape: [0, 3]", r"kpt_shape must be \[number of key points, 2 or 3\]"),
        ("kpt_shape: [2, 4]", r"kpt_shape must be"),
        ("kpt_shape: [2, 3]\nflip_idx: [0, 2]", "flip_idx must name each of the 2 key points once"),
        ("kpt_shape: [3, 3]\nflip_idx: [1, 2, 0]", "flip_idx must pair key points"),
        ("kpt_shape: [2, 3]\nkpt_names: {0: [a]}", "kpt_names must be 2 names"),
        ("kpt_shape: [2, 3", "not YAML"),
        ("kpt_shape: [3, 3]", r"no key points in it\..*11 numbers where kpt_shape asks for 14"),
    ],
)
def test_what_is_wrong_is_named(head: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=message):
        load_labels(folder(tmp_path, {"a": LINE}, head))


def test_writes_what_the_format_asks_for(tmp_path: Path) -> None:
    schema = Schema(("nose", "left", "right"), (("left", "right"),))
    xy = np.array([[[10, 20], [30, 60], [np.nan, np.nan]], [[np.nan] * 2] * 3])
    labels = Labels(schema, ("x/a.png", "b.png"), xy, np.array([[VISIBLE, HIDDEN, UNLABELLED], [UNLABELLED] * 3]))
    assert save_labels(labels, tmp_path / "out", format="yolo", sizes={"x/a.png": (100, 80), "b.png": (9, 9)}) == []
    head = yaml.safe_load((tmp_path / "out/data.yaml").read_text())
    assert "path" not in head  # so that YOLO starts from the folder that the file is in
    assert head["kpt_shape"] == [3, 3]
    assert head["flip_idx"] == [0, 2, 1]
    assert head["names"] == {0: "object"}
    assert head["kpt_names"] == {0: ["nose", "left", "right"]}
    assert (tmp_path / "out/labels/b.txt").read_text() == ""
    (line,) = (tmp_path / "out/labels/x/a.txt").read_text().splitlines()
    numbers = list(map(float, line.split()))
    assert numbers == pytest.approx([0, 0.2, 0.5, 0.2, 0.5, 0.1, 0.25, 2, 0.3, 0.75, 1, 0, 0, 0])
    with pytest.raises(LeadError, match=r"outside its picture of 25 × 80 pixels, where YOLO has no places"):
        format_named("yolo").dump(labels, Sized({"x/a.png": (25, 80), "b.png": (9, 9)}))
    for path, size in (("x/a.png", (100, 80)), ("b.png", (9, 9))):
        (tmp_path / "out/images" / path).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size).save(tmp_path / "out/images" / path)
    again = load_labels(tmp_path / "out")
    assert again.schema == schema
    assert again.images == ("images/b.png", "images/x/a.png")
    np.testing.assert_allclose(again.xy, labels.xy[::-1], atol=1e-6)


def test_that_classes_are_not_told_apart_is_told(tmp_path: Path) -> None:
    root = folder(tmp_path, {"a": LINE, "b": "3" + LINE[1:], "c": "5 0.5 0.5 1 1\n"})
    labels = load_labels(root)
    assert len(labels.images) == 3
    assert labels.places is not None
    assert "2 names of classes (0, 3): their key points are taken as the same ones" in labels.places.left_out
    (root / "labels" / "b.txt").write_text(LINE)
    again = load_labels(root)
    assert "classes" not in (again.places.left_out if again.places else "")


# --- several specimens of a picture ----------------------------------------------------------------------------------

BOXED = "0 0.5 0.5 0.2 0.25\n"


def test_each_line_is_a_specimen(tmp_path: Path) -> None:
    other = "3 0.2 0.3 0.2 0.25 0.1 0.25 0 0.3 0.4 2\n"
    labels, _ = read_labels(
        folder(tmp_path, {"a": LINE + other + BOXED, "b": "", "c": LINE}),
        pictures=FolderPictures(tmp_path),
        several=True,
    )
    assert labels.images == (*["images/a.jpg"] * 3, "images/b.jpg", "images/c.jpg")
    assert labels.visible.tolist() == [[2, 1], [0, 2], [0, 0], [0, 0], [2, 1]]
    assert labels.boxes is not None
    np.testing.assert_allclose(labels.boxes[:3], [[0, 8, 40, 32], [10, 14, 20, 20], [40, 30, 20, 20]], atol=1e-9)
    assert labels.is_specimen.tolist() == [True, True, True, False, True]
    assert labels.complete == {"images/a.jpg", "images/b.jpg", "images/c.jpg"}
    assert labels.where(1, 1) == f"{tmp_path}, labels/a.txt, line 2: "


def test_a_prediction_says_how_likely_a_specimen_is_and_completes_no_picture(tmp_path: Path) -> None:
    texts = {"a": "0 0.2 0.3 0.4 0.4 0.1 0.25 0.875 0.3 0.5 0.5 0.9 7\n", "b": LINE}
    labels, _ = read_labels(folder(tmp_path, texts), pictures=FolderPictures(tmp_path), several=True)
    assert labels.tracks == ("7", "")
    np.testing.assert_array_equal(labels.likely, [0.9, np.nan])
    assert labels.complete == {"images/b.jpg"}


def test_writes_a_line_for_each_specimen_with_its_box() -> None:
    labels = Labels(
        Schema(("head", "tail")),
        ("a.png", "a.png", "a.png", "b.png"),
        np.array([[[10, 20], [30, 40]], [[50, 60], [np.nan] * 2], [[np.nan] * 2] * 2, [[np.nan] * 2] * 2]),
        np.array([[2, 1], [2, 0], [0, 0], [0, 0]], dtype=np.int8),
        tracks=("",) * 4,
        boxes=np.array([[0, 8, 40, 32], [np.nan] * 4, [90, -8, 20, 16], [np.nan] * 4]),
    )
    data = format_named("yolo").dump(labels, Sized({"a.png": (100, 80), "b.png": (9, 9)}))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        lines = [[float(number) for number in line.split()] for line in archive.read("labels/a.txt").splitlines()]
        assert archive.read("labels/b.txt") == b""
    np.testing.assert_allclose(
        lines,
        [
            [0, 0.2, 0.3, 0.4, 0.4, 0.1, 0.25, 2, 0.3, 0.5, 1],
            [0, 0.5, 0.75, 0.01, 0.0125, 0.5, 0.75, 2, 0, 0, 0],  # a pixel about its only landmark
            [0, 0.95, 0.05, 0.1, 0.1, 0, 0, 0, 0, 0, 0],  # as much of the box as is in the picture
        ],
    )
