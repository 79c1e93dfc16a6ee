"""Each layout, built small by hand, and what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.datasets import open_dataset
from lead.errors import LeadError
from lead.images.labels import save_labels
from lead.landmarks import Labels, Schema


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Three pictures of two people; point i of the two labelled ones lies at (i, 100 + i), resp. ten pixels further."""
    for name in ("Ann/1.jpg", "Ann/2.jpg", "Bob/1.jpg"):
        picture(tmp_path / "images" / name)
    (tmp_path / "images.csv").write_text(
        "file,identity,split,labelled\nAnn/1.jpg,Ann,train,1\nAnn/2.jpg,Ann,train,0\nBob/1.jpg,Bob,test,1\n"
    )
    header = ",".join(f"x{i},y{i}" for i in range(68))
    lines = [",".join(f"{i + shift},{100 + i + shift}" for i in range(68)) for shift in (0, 10)]
    (tmp_path / "landmarks.csv").write_text(f"file,{header}\nAnn/1.jpg,{lines[0]}\nBob/1.jpg,{lines[1]}\n")
    return tmp_path


def test_faces(faces: Path) -> None:
    data = open_dataset(faces)
    assert data.name == "ytfaces"
    assert data.files == ("images/Ann/1.jpg", "images/Ann/2.jpg", "images/Bob/1.jpg")
    assert data.identity == ("Ann", "Ann", "Bob")
    assert data.rows("test") == (2,)
    assert data.path(2).is_file()
    assert data.labels is data.points("68")
    assert data.labels.images == ("images/Ann/1.jpg", "images/Bob/1.jpg")
    assert data.labels.schema.names[36] == "p36"
    assert data.labels.xy[1, 36].tolist() == [46, 146]
    five = data.points("5")
    assert five.schema.names == ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    assert five.xy[0, :, 0].tolist() == [38.5, 44.5, 30, 48, 54]
    assert data.normaliser == {"5": ("left_eye", "right_eye"), "68": ("p36", "p45")}


def test_every_face_point_has_its_mirror_image_or_lies_on_the_midline(faces: Path) -> None:
    pairs = open_dataset(faces).points("68").schema.flip_pairs
    paired = [int(name[1:]) for pair in pairs for name in pair]
    midline = [8, 27, 28, 29, 30, 33, 51, 57, 62, 66]
    assert sorted(paired + midline) == list(range(68))


def remove_picture(root: Path) -> None:
    (root / "images/Ann/2.jpg").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (remove_picture, r" lacks 1 picture, the first is images/Ann/2\.jpg"),
        (lambda root: edit(root / "images.csv", "test,1", "test,0"), r"images/Bob/1\.jpg is labelled"),
        (lambda root: edit(root / "images.csv", "train,0", "val,0"), r"images\.csv, line 3: Unknown split 'val'"),
        (lambda root: edit(root / "images.csv", "identity", "person"), r"images\.csv: no column 'identity'"),
        (lambda root: edit(root / "landmarks.csv", "x67", "x68"), r"landmarks\.csv: line 1"),
        (lambda root: edit(root / "landmarks.csv", "x67,y67", "x68,y68"), r"landmarks\.csv: expected the columns"),
        (lambda root: (root / "images.csv").write_text("file,identity,split,labelled\n"), "lists no picture"),
        (lambda root: (root / "images.csv").write_bytes(b"\xff\xfe\x00"), "is not a CSV"),
    ],
)
def test_broken_faces(faces: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(faces)
    with pytest.raises(LeadError, match=message):
        open_dataset(faces)


@pytest.fixture
def beetles(tmp_path: Path) -> Path:
    files = ["images/00000.jpg", "images/00001.jpg"]
    for file in files:
        picture(tmp_path / file)
    (tmp_path / "images.csv").write_text(f"file,identity,split\n{files[0]},b1,train\n{files[1]},b2,test\n")
    labels = Labels.from_xy(Schema(("head", "tail")), files, np.arange(8.0).reshape(2, 2, 2))
    save_labels(labels, tmp_path / "landmarks.json")
    (tmp_path / "dataset.json").write_text(json.dumps({"name": "beetles", "normaliser": ["head", "tail"]}))
    return tmp_path


def test_rendered(beetles: Path) -> None:
    data = open_dataset(beetles)
    assert (data.name, data.files, data.identity) == ("beetles", ("images/00000.jpg", "images/00001.jpg"), ("b1", "b2"))
    assert data.split == ("train", "test")
    assert data.points("all").xy.tolist() == [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]
    assert data.normaliser == {"all": ("head", "tail")}


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: edit(root / "dataset.json", '"tail"', '"tial"'),
            r"dataset\.json: Unknown landmark 'tial'.*'tail'",
        ),
        (lambda root: edit(root / "dataset.json", "normaliser", "unit"), r"dataset\.json must read"),
        (lambda root: edit(root / "dataset.json", ', "tail"', ""), r"dataset\.json must read"),
        (lambda root: (root / "dataset.json").write_text("{"), r"dataset\.json must read"),
        (lambda root: (root / "images.csv").unlink(), r"Cannot read .*images\.csv"),
        (lambda root: (root / "landmarks.json").unlink(), r"No file .*landmarks\.json"),
        (lambda root: (root / "images/00001.jpg").unlink(), r"first is images/00001\.jpg"),
        (lambda root: edit(root / "landmarks.json", "00001", "00002"), r"labels images/00002\.jpg, which"),
    ],
)
def test_broken_rendered(beetles: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(beetles)
    with pytest.raises(LeadError, match=message):
        open_dataset(beetles)


def test_any_folder_of_pictures(tmp_path: Path) -> None:
    root = tmp_path / "moths"
    for file in ("b.jpg", "a/c.png"):
        picture(root / file)
    data = open_dataset(root)
    assert (data.name, data.files) == ("moths", ("a/c.png", "b.jpg"))
    assert data.rows("train") == (0, 1)
    assert data.identity == ("", "")
    assert data.labels is None
    with pytest.raises(LeadError, match="no landmarks to evaluate"):
        data.points("all")


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match="No folder"):
        open_dataset(tmp_path / "nowhere")
