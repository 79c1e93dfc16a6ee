"""AFLW_M and AFLW_R in miniature: two archives, their separators, the one taken off, the squash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import edit, picture, write
from scipy.io import savemat

from lead.datasets import aflw_m, aflw_r, open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.build import open_store

M_COUNTS = {"train": 2, "test": 2}
R_COUNTS = {"train": 3, "test": 2}
HEADER = "image_file,crop_file,set,face_id," + ",".join(f"x{i},y{i}" for i in range(1, 6)) + ",roll"


@pytest.fixture
def mtfl(tmp_path: Path) -> Path:
    """Three crops, of which the second is not of set 1; two pictures to test, their lines written unlike each other."""
    rows = []
    for name, part, first in (("a", 1, 10), ("b", 0, 30), ("c", 1, 50)):
        picture(tmp_path / f"aflw_cropped/cropped/{name}.jpg", (150, 150))
        rows.append(f"{name}.jpg,cropped\\{name}.jpg,{part},7," + ",".join(str(first + i) for i in range(10)) + ",0.5")
    write(tmp_path / "aflw_cropped/facedata_cropped.csv", [HEADER, *rows])
    for name in ("0001-d.jpg", "0002-e.jpg"):
        picture(tmp_path / "MTFL/AFLW" / name, (150, 150))
    blanks = r" AFLW\0001-d.jpg 1.5 2 3 4 5 11 12 13 14 15.25 1 2 2 3"
    commas = "AFLW/0002-e.jpg, 21,22, 23,24,25,31,32,33,34,35,1,2,2,3"
    write(tmp_path / "MTFL/testing.txt", [blanks, commas])
    return tmp_path


def load_m(root: Path) -> Dataset:
    return aflw_m.load(root, counts=M_COUNTS)


def test_aflw_m(mtfl: Path) -> None:
    data = load_m(mtfl)
    assert data.name == "aflw-m"
    train, test = ([data.files[i] for i in data.rows(part)] for part in ("train", "test"))
    assert train == ["aflw_cropped/cropped/a.jpg", "aflw_cropped/cropped/c.jpg"]
    assert test == ["MTFL/AFLW/0001-d.jpg", "MTFL/AFLW/0002-e.jpg"]
    xy = data.points("5").xy
    assert xy[0].tolist() == [[9, 10], [11, 12], [13, 14], [15, 16], [17, 18]]  # x and y by turns, less 1
    assert xy[2].tolist() == [[0.5, 10], [1, 11], [2, 12], [3, 13], [4, 14.25]]  # five x, then five y, less 1
    assert xy[3, 4].tolist() == [24, 34]
    assert data.normaliser == {"5": ("left_eye", "right_eye")}
    assert data.boxes is None


def test_aflw_m_beside_the_peers_numbers(mtfl: Path, tmp_path: Path) -> None:
    """Theirs, at 136 pixels, is (x - 1) · 136/150; ours lies (1 - 136/150)/2 below it, for every point."""
    data = load_m(mtfl)
    store = open_store(data.root, data.files, 136, tmp_path / "cache", boxes=data.boxes)
    ours = store.to_store(range(4), data.points("5").xy)
    theirs = data.points("5").xy * 136 / 150
    np.testing.assert_allclose(theirs - ours, 0.5 * (1 - 136 / 150))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / aflw_m.TRAIN).unlink(), r"facedata_cropped\.csv is not there; .* holds cropped\. Get"),
        (lambda root: (root / aflw_m.TEST).unlink(), r"MTFL: .*testing\.txt is not there; .*projects/TCDCN\.html"),
        (lambda root: edit(root / aflw_m.TRAIN, "crop_file", "file"), r"no column 'crop_file', only image_file, file"),
        (lambda root: edit(root / aflw_m.TRAIN, "c.jpg,1,", "c.jpg,0,"), r"1 picture of set 1, not the published 2"),
        (lambda root: edit(root / aflw_m.TRAIN, ",0.5", ""), r"line 2 has 14 columns, not 15"),
        (lambda root: edit(root / aflw_m.TRAIN, ",51,", ",left,"), r"'left' of aflw_cropped/cropped/c\.jpg is not a"),
        (lambda root: edit(root / aflw_m.TRAIN, "c.jpg,crop", "e.jpg,crop"), r"e\.jpg is to train on, and .*tests on"),
        (lambda root: (root / aflw_m.TRAIN).write_text(""), r"no column 'image_file'"),
        (lambda root: write(root / aflw_m.TEST, ["AFLW/0001-d.jpg 1 2"]), r"1 picture, not the published 2"),
        (lambda root: write(root / aflw_m.TEST, ["a.jpg 1 2"] * 2), r"line 1 has 3 columns, not a picture, five x"),
        (lambda root: picture(root / "MTFL/AFLW/0002-e.jpg", (149, 150)), r"e\.jpg: it has 149 × 150 pixels, not 150"),
        (lambda root: (root / "MTFL/AFLW/0002-e.jpg").unlink(), r"first is MTFL/AFLW/0002-e\.jpg"),
        (lambda root: write(root / "MTFL/AFLW/0002-e.jpg", ["?"]), r"Cannot read the picture .*e\.jpg"),
    ],
)
def test_a_wrong_archive_of_aflw_m(mtfl: Path, spoil: Callable[[Path], object], message: str) -> None:
    load_m(mtfl)
    spoil(mtfl)
    with pytest.raises(LeadError, match=message):
        load_m(mtfl)


def write_r(root: Path, part: str, names: list[str], **more: object) -> None:
    """Pictures of 60 × 40 pixels; point k of picture n lies at row 10n + k, column 20n + k."""
    for name in names:
        picture(root / "output" / name, (60, 40))
    write(root / f"aflw_{part}_images.txt", names)
    n, k = np.mgrid[: len(names), :5]
    gt = np.stack([10 * n + k, 20 * n + k], -1).astype(np.float32)
    savemat(root / f"aflw_{part}_keypoints.mat", {"gt": gt, "hw": np.tile([40, 60], (len(names), 1))} | more)


@pytest.fixture
def release(tmp_path: Path) -> Path:
    write_r(tmp_path, "train", ["0/a.jpg", "0/b.jpg", "1/c.jpg"])
    write_r(tmp_path, "test", ["1/e.jpg", "1/d.jpg"])
    return tmp_path


def load_r(root: Path) -> Dataset:
    return aflw_r.load(root, counts=R_COUNTS)


def test_aflw_r(release: Path, tmp_path: Path) -> None:
    data = load_r(release)
    assert data.name == "aflw-r"
    assert data.files == tuple(f"output/{name}.jpg" for name in ("0/a", "0/b", "1/c", "1/e", "1/d"))
    assert data.split == ("train",) * 3 + ("test",) * 2
    assert data.points("5").xy[1].tolist() == [[20, 10], [21, 11], [22, 12], [23, 13], [24, 14]]
    assert data.boxes is not None
    assert data.boxes.tolist() == [[0, 0, 60, 40]] * 5
    store = open_store(data.root, data.files, 136, tmp_path / "cache", boxes=data.boxes)
    ours, theirs = store.to_store([1], data.points("5").xy[1:2]), data.points("5").xy[1:2] * [136 / 60, 136 / 40]
    np.testing.assert_allclose(ours - theirs, np.broadcast_to([0.5 * 136 / 60 - 0.5, 0.5 * 136 / 40 - 0.5], (1, 5, 2)))


def test_a_picture_that_stands_twice_in_aflw_r(release: Path) -> None:
    write_r(release, "train", ["0/a.jpg", "0/a.jpg", "1/d.jpg"])
    data = load_r(release)
    assert [data.files[i] for i in data.rows("train")] == ["output/0/a.jpg"]
    assert [data.files[i] for i in data.rows("test")] == ["output/1/e.jpg", "output/1/d.jpg"]
    assert data.points("5").xy[0, 0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "aflw_train_keypoints.mat").unlink(), r"AFLW_R: .*train_keypoints\.mat is not there"),
        (lambda root: (root / "aflw_test_keypoints.mat").write_text("?"), r"no MATLAB file that can be read"),
        (lambda root: write(root / "aflw_test_images.txt", ["1/e.jpg"]), r"1 picture, not the published 2"),
        (
            lambda root: write_r(root, "test", ["1/e.jpg", "1/d.jpg"], hw=[1, 2]),
            r"hw has the shape \(2,\), not",
        ),
        (lambda root: savemat(root / "aflw_test_keypoints.mat", {"gt": 1}), r"no variable 'hw', only gt"),
        (lambda root: (root / "output/1/d.jpg").unlink(), r"first is output/1/d\.jpg"),
    ],
)
def test_a_wrong_archive_of_aflw_r(release: Path, spoil: Callable[[Path], object], message: str) -> None:
    load_r(release)
    spoil(release)
    with pytest.raises(LeadError, match=message):
        load_r(release)


def test_the_published_numbers(mtfl: Path, release: Path) -> None:
    assert aflw_m.COUNTS == {"train": 10_122, "test": 2_995}
    assert aflw_r.COUNTS == {"train": 10_122, "test": 2_991}
    assert mtfl == release  # one folder of both, so each must be asked for by name
    with pytest.raises(LeadError, match=r"2 pictures, not the published 2,995"):
        open_dataset(mtfl, "aflw-m")
    with pytest.raises(LeadError, match=r"2 pictures, not the published 2,991"):
        open_dataset(release, "aflw-r")
