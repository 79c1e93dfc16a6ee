"""A folder with a file of COCO key points."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from archives import picture

from lead.datasets import coco, open_dataset
from lead.errors import LeadError

Document = dict[str, Any]


def document(count: int, **category: object) -> Document:
    """Picture n, n.jpg, has head, wing and tail at (n, 0), (n, 3) and (n, 10); picture 0 has none."""
    images = [{"id": n, "file_name": f"{n}.jpg"} for n in range(count)]
    annotations = [
        {"id": n, "image_id": n, "category_id": 1, "keypoints": [n, 0, 2, n, 3, 2, n, 10, 1]} for n in range(1, count)
    ]
    categories = [{"id": 1, "name": "moth", "keypoints": ["head", "wing", "tail"], "skeleton": []} | category]
    return {"images": images, "annotations": annotations, "categories": categories}


def lay(root: Path, content: Document, name: str = coco.ANNOTATIONS) -> Path:
    for image in content["images"]:
        picture(root / image["file_name"], (12, 12))
    (root / name).write_text(json.dumps(content))
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "moths"
    root.mkdir()
    return root


def test_a_published_split(root: Path) -> None:
    content = document(4)
    for image, split, who in zip(content["images"], ("train", "train", "test", "train"), "aabc", strict=True):
        image |= {"split": split, "identity": who}
    lay(root, content)
    picture(root / "more/9.jpg", (5, 5))
    data = open_dataset(root)
    assert data.name == "moths"
    assert data.files == ("0.jpg", "1.jpg", "2.jpg", "3.jpg", "more/9.jpg")
    assert data.split == ("train", "train", "test", "train", "train")
    assert data.identity == ("a", "a", "b", "c", "")
    labels = data.points("all")
    assert labels.images == ("1.jpg", "2.jpg", "3.jpg")
    assert labels.xy[1].tolist() == [[2, 0], [2, 3], [2, 10]]
    assert data.boxes is None


def test_a_split_by_name(root: Path) -> None:
    lay(root, document(40))
    data = open_dataset(root)
    expected = [int(hashlib.sha256(f"0:{n}.jpg".encode()).hexdigest()[:16], 16) / 16**16 < 0.2 for n in range(40)]
    assert [part == "test" for part in data.split] == expected
    assert 2 < sum(expected) < 15
    assert coco.load(root, seed=1).split != data.split
    lay(root, document(43))
    assert open_dataset(root).split[:40] == data.split


def test_a_split_by_name_keeps_an_individual_together(root: Path) -> None:
    content = document(40)
    for n, image in enumerate(content["images"]):
        image["identity"] = f"moth {n % 8}"
    data = open_dataset(lay(root, content))
    parts = [{data.split[n] for n in range(40) if n % 8 == moth} for moth in range(8)]
    assert all(len(part) == 1 for part in parts)
    assert set.union(*parts) == {"train", "test"}


def test_the_unit_is_the_first_flip_pair_or_the_farthest_two(root: Path, tmp_path: Path) -> None:
    assert open_dataset(lay(root, document(9))).normaliser == {"all": ("head", "tail")}
    other = tmp_path / "paired"
    other.mkdir()
    data = open_dataset(lay(other, document(9, flip_pairs=[["wing", "tail"]])))
    assert data.normaliser == {"all": ("wing", "tail")}


def test_the_unit_is_taken_from_training_pictures_alone(root: Path) -> None:
    content = document(3)
    for image, split in zip(content["images"], ("train", "train", "test"), strict=True):
        image["split"] = split
    content["annotations"][1]["keypoints"] = [0, 0, 2, 900, 900, 2, 0, 0, 2]
    assert open_dataset(lay(root, content)).normaliser == {"all": ("head", "tail")}


def test_nothing_labelled_leaves_pictures_to_train_on(root: Path) -> None:
    data = open_dataset(lay(root, document(1)))
    assert data.files == ("0.jpg",)
    with pytest.raises(LeadError, match="no landmarks to evaluate"):
        data.points("all")


def test_another_file_of_key_points(root: Path) -> None:
    lay(root, document(3), "person_keypoints_val.json")
    assert open_dataset(root).labels is None  # a plain folder
    data = coco.load(root, root / "person_keypoints_val.json")
    assert len(data.points("all")) == 2
    np.testing.assert_array_equal(data.points("all").visible[0], [2, 2, 1])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d["images"][1].update(split="train"), r"annotations\.json: images\[0\] has no 'split', others have"),
        (lambda d: [i.update(split="val") for i in d["images"]], r"images\[0\]: Unknown split 'val'.*test, train"),
        (lambda d: d.pop("categories"), r"annotations\.json: .*'categories' is not a list"),
        (
            lambda d: [image.update(file_name=f"gone{image['id']}.jpg") for image in d["images"]],
            r"None of the 3 listed pictures is in .*moths, the first is gone0\.jpg",
        ),
    ],
)
def test_wrong_key_points(root: Path, spoil: Callable[[Document], object], message: str) -> None:
    content = document(3)
    lay(root, content)
    spoil(content)
    (root / coco.ANNOTATIONS).write_text(json.dumps(content))
    with pytest.raises(LeadError, match=message):
        open_dataset(root)


def test_pictures_that_are_listed_and_not_there_are_left_out_and_told_of(root: Path) -> None:
    content = document(3)
    lay(root, content)
    content["images"].insert(1, {"id": 9, "file_name": "gone.jpg"})
    (root / coco.ANNOTATIONS).write_text(json.dumps(content))
    data = open_dataset(root)
    assert data.files == ("0.jpg", "1.jpg", "2.jpg")
    assert data.points("all").xy[:, 0].tolist() == [[1, 0], [2, 0]]
    assert data.notes == (f"1 listed picture is not in {root} and left out, the first is gone.jpg.",)


def test_pictures_that_were_moved_together_are_found(root: Path) -> None:
    content = document(3)
    lay(root, content)
    for image in content["images"]:
        image["file_name"] = f"C:\\Ann\\moths\\{image['file_name']}"
    (root / coco.ANNOTATIONS).write_text(json.dumps(content))
    data = open_dataset(root)
    assert data.files == ("0.jpg", "1.jpg", "2.jpg")
    assert data.points("all").images == ("1.jpg", "2.jpg")
    assert data.notes == ()


def test_no_key_points(root: Path) -> None:
    with pytest.raises(LeadError, match=r"Cannot read .*annotations\.json"):
        open_dataset(root, "coco")
