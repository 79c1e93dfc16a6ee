"""300-W in miniature: the tables of boxes, the points, and the crop worked out by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import edit, picture, write
from PIL import Image
from scipy.io import savemat

from lead.datasets import open_dataset, w300
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.build import open_store

COUNTS = {"train": 4, "test": 3}
FOLDERS = {table: folder for parts in w300.PARTS.values() for table, folder in parts.items()}
NAMES = {
    "afw": ["9_1.jpg", "8_1.jpg"],
    "helen_trainset": ["h.jpg"],
    "lfpw_trainset": ["image_1.png"],
    "helen_testset": ["t.jpg"],
    "lfpw_testset": ["image_1.png"],
    "ibug": ["image_003_1.jpg", "lost_1.jpg"],
}
FACE = [31.0, 41.0, 134.0, 150.0]


def write_boxes(root: Path, table: str, names: list[str]) -> None:
    entries = np.empty((1, len(names)), dtype=object)
    for i, name in enumerate(names):
        entries[0, i] = {"imgName": name, "bb_detector": np.zeros((1, 4)), "bb_ground_truth": np.array([FACE])}
    path = root / f"Bounding Boxes/bounding_boxes_{table}.mat"
    path.parent.mkdir(exist_ok=True)
    savemat(path, {"bounding_boxes": entries})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Every picture has 160 × 200 pixels and point k at (k + 1, 100.5 + k), counted from 1."""
    for table, names in NAMES.items():
        write_boxes(tmp_path, table, names)
        for name in names:
            if table == "ibug" and not name.startswith("image"):
                continue  # the archive has a box, and neither picture nor points
            picture(tmp_path / FOLDERS[table] / name, (160, 200))
            points = [f"{k + 1}.000000 {100.5 + k:.6f}" for k in range(68)]
            pts = (tmp_path / FOLDERS[table] / name).with_suffix(".pts")
            write(pts, ["version: 1", "n_points:  68", "{", *points, "}"])
    return tmp_path


def load(root: Path) -> Dataset:
    return w300.load(root, counts=COUNTS)


def test_splits_order_and_points(root: Path) -> None:
    data = load(root)
    assert data.name == "300w"
    assert [data.files[i] for i in data.rows("train")] == [
        "afw/9_1.jpg",
        "afw/8_1.jpg",
        "helen/trainset/h.jpg",
        "lfpw/trainset/image_1.png",
    ]
    assert [data.files[i] for i in data.rows("test")] == [
        "helen/testset/t.jpg",
        "lfpw/testset/image_1.png",
        "ibug/image_003_1.jpg",
    ]
    labels = data.points("68")
    assert labels.images == data.files
    assert labels.xy[6, 36].tolist() == [36, 135.5]
    assert data.normaliser == {"68": ("p36", "p45")}


def test_the_crop_by_hand() -> None:
    # w = 104, so s = 1/2. cx = floor((31 + 105/2)/2) = 41, cy = floor((41 + 111/2)/2) = 48: columns from -9, rows -4.
    assert w300.crop(FACE) == (-18, -8, 200, 200)
    # w = 26, so s = 2. cx = floor(2 · (11 + 27/2)) = 49, cy = floor(2 · (21 + 31/2)) = 73: columns from -1, rows 21.
    assert w300.crop([11, 21, 36, 50]) == (-0.5, 10.5, 50, 50)
    # w = 52.5, s = 52/52.5. cx = floor(s · (10.25 + 53.5/2)) = floor(36.647) = 36, cy = floor(s · (5 + 21/2)) = 15.
    s = 52 / 52.5
    assert w300.crop([10.25, 5, 61.75, 24]) == pytest.approx((-14 / s, -37 / s, 100 / s, 100 / s))


def test_the_crop_beside_the_peers_numbers(root: Path, tmp_path: Path) -> None:
    """In the crop of 100 pixels theirs is s·x - (cx - 50) - 1 for x counted from 1; ours lies (1 - s)/2 above it."""
    data = load(root)
    store = open_store(data.root, data.files, 100, tmp_path / "cache", boxes=data.boxes)
    ours = store.to_store([0], data.points("68").xy[:1])[0]
    published = np.stack([np.arange(68) + 1, 100.5 + np.arange(68)], axis=1)
    theirs = 0.5 * published - np.array([41 - 50, 48 - 52]) - 1
    np.testing.assert_allclose(ours - theirs, (1 - 0.5) / 2)


def test_beyond_the_picture_is_black(root: Path, tmp_path: Path) -> None:
    """Half size: 80 × 100 pixels are left of the picture, from column 9 and row 4 of the crop on.

    A resized pixel at its edge averages over both sides, the outer of the two by less than half.
    """
    Image.new("RGB", (160, 200), "white").save(root / "lfpw/testset/image_1.png")
    data = load(root)
    store = open_store(data.root, data.files, 100, tmp_path / "cache", boxes=data.boxes)
    grey = store.pixels[5, ..., 0]
    inside = np.zeros((100, 100), dtype=bool)
    inside[4:, 9:89] = True
    np.testing.assert_array_equal(grey > 127, inside)
    assert (grey[5:, 10:88] == 255).all()
    assert not grey[:3].any()
    assert not grey[:, :8].any()
    assert not grey[:, 90:].any()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: (root / "Bounding Boxes/bounding_boxes_ibug.mat").unlink(),
            r"300-W: .*boxes_ibug\.mat is not there; .*Boxes holds bounding_boxes_afw\.mat, .*resources/300-W",
        ),
        (
            lambda root: write_boxes(root, "afw", ["9_1.jpg"]),
            r"Boxes: it has 3 pictures to train, not the published 4",
        ),
        (
            lambda root: savemat(root / "Bounding Boxes/bounding_boxes_afw.mat", {"boxes": 1}),
            r"no variable 'bounding_boxes', only boxes",
        ),
        (
            lambda root: savemat(root / "Bounding Boxes/bounding_boxes_afw.mat", {"bounding_boxes": np.ones((1, 2))}),
            r"its entries must have an imgName and a bb_ground_truth of four",
        ),
        (lambda root: (root / "helen/testset/t.jpg").unlink(), r"first is helen/testset/t\.jpg"),
        (lambda root: (root / "afw/8_1.pts").unlink(), r"afw/8_1\.pts is not there"),
        (
            lambda root: edit(root / "afw/8_1.pts", "68.000000 167.500000\n", ""),
            r"8_1\.pts.*'n_points: 68', but 67 points follow",
        ),
        (lambda root: edit(root / "afw/8_1.pts", "68.000000", "n/a"), r"8_1\.pts.*of x and y, one is blank"),
        (lambda root: edit(root / "afw/8_1.pts", "68.000000", "6x"), r"8_1\.pts.*x is '6x', which is not a number"),
        (lambda root: write(root / "afw/8_1.pts", ["1 2"]), r"between one line '{' and one line '}'"),
    ],
)
def test_a_wrong_archive(root: Path, spoil: Callable[[Path], object], message: str) -> None:
    load(root)
    spoil(root)
    with pytest.raises(LeadError, match=message):
        load(root)


def test_the_published_numbers(root: Path) -> None:
    assert w300.COUNTS == {"train": 3_148, "test": 689}
    with pytest.raises(LeadError, match=r"4 pictures to train, not the published 3,148"):
        open_dataset(root)
