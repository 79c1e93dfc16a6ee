"""CUB-200-2011 and iNaturalist's birds in miniature."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import edit, picture, write

from lead.datasets import cub, inat, open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.build import open_store

NAMES = [name.replace("_", " ") for name in cub.SCHEMA.names]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Four pictures of 30 × 20 pixels of two species; point k of picture n lies at (k, n + 0.5), and 14 is hidden."""
    home = tmp_path / "CUB_200_2011"
    files = ["001.Auk/Auk_1.jpg", "001.Auk/Auk_2.jpg", "002.Jay/Jay_3.jpg", "002.Jay/Jay_4.jpg"]
    for file in files:
        picture(home / "images" / file, (30, 20))
    write(home / "images.txt", [f"{n} {file}" for n, file in enumerate(files, 1)])
    write(home / "image_class_labels.txt", ["1 1", "2 1", "3 2", "4 2"])
    write(home / "train_test_split.txt", ["1 0", "2 1", "3 1", "4 0"])
    write(home / "parts/parts.txt", [f"{k} {name}" for k, name in enumerate(NAMES, 1)])
    rows = [
        f"{n} {k} {k * (k != 14)}.0 {(n + 0.5) * (k != 14)} {int(k != 14)}" for n in range(1, 5) for k in range(1, 16)
    ]
    write(home / "parts/part_locs.txt", rows)
    return tmp_path


def load(root: Path) -> Dataset:
    return cub.load(root, counts={"train": 2, "test": 2})


def test_cub(root: Path, tmp_path: Path) -> None:
    data = load(root)
    assert data.name == "cub"
    assert [data.files[i] for i in data.rows("train")] == [
        "CUB_200_2011/images/001.Auk/Auk_2.jpg",
        "CUB_200_2011/images/002.Jay/Jay_3.jpg",
    ]
    assert [Path(data.files[i]).name for i in data.rows("test")] == ["Auk_1.jpg", "Jay_4.jpg"]
    assert data.identity == ("1", "1", "2", "2")
    labels = data.points("15")
    assert labels.images == data.files
    assert labels.xy[2, 0].tolist() == [1, 3.5]
    assert labels.xy[3, 14].tolist() == [15, 4.5]
    assert data.normaliser == {"15": ("beak", "tail")}
    store = open_store(data.root, data.files, 10, tmp_path / "cache", boxes=data.boxes)
    assert store.boxes is not None
    assert store.boxes.tolist() == [[0, 0, 30, 20]] * 4
    assert store.scale[0].tolist() == [10 / 30, 10 / 20]


def test_a_hidden_point_is_unlabelled(root: Path) -> None:
    labels = load(root).points("15")
    assert np.isnan(labels.xy[:, 13]).all()
    assert (labels.visible[:, 13] == 0).all()
    assert (np.delete(labels.visible, 13, axis=1) == 2).all()


def test_the_peers_lists_decide_where_they_are(root: Path) -> None:
    split = root / "CUB_200_2011/split"
    write(split / "train.txt", ["datasets/CUB/images/Jay_4.jpg"])
    write(split / "test.txt", ["Auk_1.jpg"])
    write(split / "val.txt", ["Jay_3.jpg"])
    data = cub.load(root, counts={"train": 1, "test": 1})
    assert [Path(file).name for file in data.files] == ["Jay_4.jpg", "Auk_1.jpg"]
    assert data.split == ("train", "test")
    assert data.identity == ("2", "1")
    assert data.points("15").xy[0, 0].tolist() == [1, 4.5]
    with pytest.raises(LeadError, match=r"train\.txt: it has 1 picture, not the published 1,241"):
        open_dataset(root)
    write(split / "test.txt", ["Jay_4.jpg"])
    with pytest.raises(LeadError, match=r"test\.txt: Jay_4\.jpg is in another list too"):
        cub.load(root, counts={"train": 1, "test": 1})
    write(split / "test.txt", ["Owl_5.jpg"])
    with pytest.raises(LeadError, match=r"Owl_5\.jpg is not in .*images\.txt"):
        cub.load(root, counts={"train": 1, "test": 1})


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda home: (home / "images.txt").unlink(), r"CUB-200-2011: .*images\.txt is not there; .*cub_200_2011"),
        (lambda home: edit(home / "train_test_split.txt", "4 0", "4 1"), r"3 pictures to train, not the published 2"),
        (lambda home: edit(home / "train_test_split.txt", "4 0", "4 2"), r"4 2 is not a picture of images\.txt and 0"),
        (lambda home: edit(home / "train_test_split.txt", "4 0", "4"), r"line 4 has 1 column, not 2"),
        (lambda home: edit(home / "image_class_labels.txt", "3 2\n", ""), r"no species of picture 3"),
        (lambda home: edit(home / "parts/parts.txt", "nape", "neck"), r"parts\.txt: it names .*neck.*, not .*nape"),
        (lambda home: edit(home / "parts/part_locs.txt", "2 3 3.0 2.5 1\n", ""), r"59 points of .*, not .* 60"),
        (lambda home: edit(home / "parts/part_locs.txt", "2 3 3.0 2.5 1", "2 3 3.0 ? 1"), r"'\?' of picture 2 is not"),
        (lambda home: edit(home / "parts/part_locs.txt", "2 3 3.0 2.5 1", "2 16 3.0 2.5 1"), r"numbered from 1 to 15"),
        (lambda home: (home / "images/002.Jay/Jay_3.jpg").unlink(), r"first is CUB_200_2011/.*/Jay_3\.jpg"),
    ],
)
def test_a_wrong_archive_of_cub(root: Path, spoil: Callable[[Path], object], message: str) -> None:
    load(root)
    spoil(root / "CUB_200_2011")
    with pytest.raises(LeadError, match=message):
        load(root)


def test_inat(tmp_path: Path) -> None:
    for name in ("Pica pica/1.jpg", "Pica pica/2.jpg", "Apus apus/1.jpg"):
        picture(tmp_path / "train_val_images/Aves" / name, (8, 6))
    write(tmp_path / inat.LIST, ["/scratch/inat/Aves/Pica pica/2.jpg", "Apus apus/1.jpg"])
    data = open_dataset(tmp_path)
    assert data.name == "inat-aves"
    assert data.files == ("train_val_images/Aves/Pica pica/2.jpg", "train_val_images/Aves/Apus apus/1.jpg")
    assert data.split == ("train", "train")
    assert data.identity == ("Pica pica", "Apus apus")
    assert data.labels is None
    assert data.boxes is not None
    assert data.boxes.tolist() == [[0, 0, np.inf, np.inf]] * 2
    write(tmp_path / inat.LIST, ["Pica pica/2.jpg", "3.jpg"])
    with pytest.raises(LeadError, match=r"line 2, 3\.jpg, is not a species and a file"):
        open_dataset(tmp_path)
    write(tmp_path / inat.LIST, ["Pica pica/9.jpg"])
    with pytest.raises(LeadError, match=r"first is train_val_images/Aves/Pica pica/9\.jpg"):
        open_dataset(tmp_path)
    (tmp_path / "train_val_images").rename(tmp_path / "images")
    with pytest.raises(LeadError, match=r"iNaturalist 2017: .*train_val_images/Aves is not there"):
        open_dataset(tmp_path)


def test_both_in_one_folder_must_be_told_apart(root: Path) -> None:
    write(root / inat.LIST, ["a/b.jpg"])
    with pytest.raises(LeadError, match="several datasets: cub, inat-aves"):
        open_dataset(root)


def test_the_published_numbers(root: Path) -> None:
    assert cub.COUNTS == {"train": 5_994, "test": 5_794}
    assert cub.LIST_COUNTS == {"train": 1_241, "test": 383}
    with pytest.raises(LeadError, match=r"2 pictures to train, not the published 5,994"):
        open_dataset(root)
