"""CelebA, MAFL and unaligned MAFL in miniature: splits, order, numbers, and what is wrong with an archive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import CELEBA_COUNTS, MAFL_COUNTS, edit, picture, write
from archives import celeba as write_celeba
from PIL import Image

from lead.datasets import celeba, mafl, mafl_unaligned, open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.build import open_store


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_celeba(tmp_path / "celeba")


def load_celeba(root: Path) -> Dataset:
    return celeba.load(root, counts=CELEBA_COUNTS, mafl_counts=MAFL_COUNTS)


def load_mafl(root: Path) -> Dataset:
    return mafl.load(root, counts=MAFL_COUNTS, celeba_counts=CELEBA_COUNTS)


def load_unaligned(root: Path) -> Dataset:
    return mafl_unaligned.load(root, counts=MAFL_COUNTS, celeba_counts=CELEBA_COUNTS)


def names(data: Dataset, split: str) -> list[str]:
    return [Path(data.files[i]).stem.lstrip("0") for i in data.rows(split)]


def test_celeba_is_partition_0_without_mafl(root: Path) -> None:
    data = load_celeba(root)
    assert data.name == "celeba"
    assert names(data, "train") == ["1", "3", "7"]
    assert set(data.split) == {"train"}
    assert data.labels is None
    assert data.identity == ("71", "73", "77")
    assert data.boxes is not None
    assert data.boxes.tolist() == [[0, 30, 178, 178]] * 3


def test_without_the_table_of_identities_nobody_is_known(root: Path) -> None:
    (root / celeba.IDENTITY).unlink()
    assert load_celeba(root).identity == ("",) * 3
    assert load_mafl(root).identity == ("",) * 3


def test_the_better_compressed_pictures_are_preferred(root: Path) -> None:
    assert load_mafl(root).files[0] == "Img/img_align_celeba/000002.jpg"
    (root / "Img/img_align_celeba").rename(root / "Img/img_align_celeba_hq")
    assert load_mafl(root).files[0] == "Img/img_align_celeba_hq/000002.jpg"


def test_mafl_comes_in_the_order_of_the_partition_table(root: Path) -> None:
    data = load_mafl(root)
    assert names(data, "train") == ["2", "4"]
    assert names(data, "test") == ["6"]
    assert data.identity == ("72", "74", "76")
    labels = data.points("5")
    assert labels.images == data.files
    assert labels.schema.names == ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
    assert labels.xy[1].tolist() == [[40, 41], [42, 43], [44, 45], [46, 47], [48, 49]]
    assert data.normaliser == {"5": ("left_eye", "right_eye")}


def test_mafl_is_shown_from_row_30(root: Path, tmp_path: Path) -> None:
    """A picture whose row y has grey y: the first stored row is row 30, and a point moves with it."""
    for name in ("000002", "000004", "000006"):
        rows = np.broadcast_to(np.arange(218, dtype=np.uint8)[:, None], (218, 178))
        Image.fromarray(rows).save(root / f"Img/img_align_celeba/{name}.jpg", quality=100)
    data = load_mafl(root)
    store = open_store(data.root, data.files, 178, tmp_path, boxes=data.boxes)
    assert abs(store.pixels[0, :, 50, 0].astype(int) - np.arange(30, 208)).max() <= 2
    np.testing.assert_allclose(store.to_store([1], data.points("5").xy[1:2])[0, 0], [40, 11])
    # At the peers' 136 pixels: theirs is 11 · 136/178 = 8.404 …
    small = open_store(data.root, data.files, 136, tmp_path, boxes=data.boxes)
    assert small.to_store([1], data.points("5").xy[1:2])[0, 0, 1] == pytest.approx(11 * 136 / 178 - 0.118, abs=1e-3)


def test_unaligned_mafl(root: Path) -> None:
    data = load_unaligned(root)
    assert data.name == "mafl-unaligned"
    assert names(data, "train") == ["2", "4"]
    assert names(data, "test") == ["6"]
    assert data.files[2] == "Img/img_celeba/000006.jpg"
    assert data.points("5").xy[2, 0].tolist() == [160, 161]
    assert data.boxes is not None
    assert data.boxes.tolist() == [[2 - 5, 20 - 15, 20, 60], [4 - 5, 5, 20, 60], [6 - 5, 5, 20, 60]]


def test_the_central_half_of_an_unaligned_picture_is_its_box(root: Path, tmp_path: Path) -> None:
    data = load_unaligned(root)
    store = open_store(data.root, data.files, 40, tmp_path / "cache", boxes=data.boxes)
    corners = np.array([[[2 - 0.5, 20 - 0.5], [12 - 0.5, 50 - 0.5]]])  # of the first picture's published box
    np.testing.assert_allclose(store.to_store([0], corners), [[[9.5, 9.5], [29.5, 29.5]]])


def test_zooming_out_by_two_by_hand() -> None:
    boxes = np.array([[10.0, 20, 4, 6]])
    assert mafl_unaligned.zoomed_out(boxes, 2).tolist() == [[8, 17, 8, 12]]
    assert mafl_unaligned.zoomed_out(boxes, 1).tolist() == boxes.tolist()


def test_a_folder_that_holds_several_must_be_told_which(root: Path) -> None:
    with pytest.raises(LeadError, match=r"several datasets: celeba, mafl, mafl-unaligned\. Say which"):
        open_dataset(root)
    with pytest.raises(LeadError, match=r"Unknown dataset 'mafi'\. Did you mean 'mafl'\? Valid: .*folder"):
        open_dataset(root, "mafi")
    with pytest.raises(LeadError, match=r"it has 8 pictures, not the published 202,599"):
        open_dataset(root, "mafl")
    assert len(open_dataset(root, "folder").files) == 16


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: (root / celeba.PARTITION).unlink(),
            r"CelebA: .*list_eval_partition\.txt is not there; .*Eval holds nothing\. Get .*projects/CelebA\.html",
        ),
        (lambda root: edit(root / celeba.PARTITION, "8.jpg 2", "8.jpg 0"), r"6 pictures of partition 0, not .* 5\."),
        (lambda root: edit(root / celeba.PARTITION, "000008.jpg 2\n", ""), r"7 pictures, not the published 8"),
        (lambda root: edit(root / celeba.PARTITION, "8.jpg 2", "8.jpg"), r"line 8 has 1 column, not 2"),
        (
            lambda root: (root / "MAFL/testing.txt").unlink(),
            r"MAFL: .*testing\.txt is not there; .* holds training\.txt",
        ),
        (lambda root: write(root / "MAFL/training.txt", ["000002.jpg"]), r"training\.txt: it has 1 picture, not .* 2"),
        (lambda root: edit(root / "MAFL/testing.txt", "6.jpg", "9.jpg"), r"000009\.jpg is not in .*list_eval_part"),
        (lambda root: edit(root / "MAFL/testing.txt", "6.jpg", "2.jpg"), r"000002\.jpg is in MAFL/training\.txt too"),
        (
            lambda root: (root / "Img/img_align_celeba").rename(root / "Img/pictures"),
            r"img_align_celeba_hq is not there \(nor is Img/img_align_celeba\); .*Img holds img_celeba, pictures",
        ),
        (
            lambda root: (root / "Img/img_align_celeba/000004.jpg").unlink(),
            r"celeba lacks 1 picture, the first is Img/.*/000004\.jpg",
        ),
        (
            lambda root: picture(root / "Img/img_align_celeba/000002.jpg", (1024, 1024)),
            r"000002\.jpg: it has 1024 × 1024 pixels, not 178 × 218",
        ),
        (lambda root: (root / mafl.LANDMARKS).unlink(), r"list_landmarks_align_celeba\.txt is not there"),
        (
            lambda root: edit(root / mafl.LANDMARKS, "nose_x nose_y", "nose_y nose_x"),
            r"line 2 must name the columns lefteye_x lefteye_y .*, but names .*nose_y nose_x",
        ),
        (lambda root: edit(root / mafl.LANDMARKS, "8\nleft", "9\nleft"), r"line 1 says 9, and 8 pictures follow"),
        (lambda root: write(root / mafl.LANDMARKS, ["0"]), r"line 2 must name the columns"),
        (lambda root: edit(root / mafl.LANDMARKS, " 46  47", " 46"), r"000004\.jpg has 9 values, not 10"),
        (lambda root: edit(root / mafl.LANDMARKS, " 46  47", " 46  a7"), r"'a7' of 000004\.jpg is not a number"),
        (lambda root: edit(root / celeba.IDENTITY, "000006.jpg 76", ""), r"identity_CelebA\.txt: 000006\.jpg is not"),
    ],
)
def test_a_wrong_archive_of_mafl(root: Path, spoil: Callable[[Path], object], message: str) -> None:
    load_mafl(root)
    spoil(root)
    with pytest.raises(LeadError, match=message):
        load_mafl(root)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / mafl_unaligned.BOXES).unlink(), r"list_bbox_celeba\.txt is not there"),
        (lambda root: (root / mafl_unaligned.LANDMARKS).unlink(), r"list_landmarks_celeba\.txt is not there"),
        (lambda root: edit(root / mafl_unaligned.BOXES, "width height", "x_2 y_2"), r"must name .*, but names .*x_2"),
        (lambda root: (root / "Img/img_celeba").rename(root / "Img/wild"), r"img_celeba is not there; .* holds .*wild"),
        (lambda root: (root / "Img/img_celeba/000006.jpg").unlink(), r"first is Img/img_celeba/000006\.jpg"),
    ],
)
def test_a_wrong_archive_of_unaligned_mafl(root: Path, spoil: Callable[[Path], object], message: str) -> None:
    load_unaligned(root)
    spoil(root)
    with pytest.raises(LeadError, match=message):
        load_unaligned(root)


def test_celeba_without_mafls_lists_is_refused(root: Path) -> None:
    """Else its test pictures would be learnt from unnoticed."""
    (root / "MAFL/training.txt").unlink()
    (root / "MAFL/testing.txt").unlink()
    (root / "MAFL").rmdir()
    with pytest.raises(LeadError, match=r"MAFL: .*MAFL/training\.txt is not there; .*projects/TCDCN\.html"):
        load_celeba(root)


def test_the_published_numbers() -> None:
    assert celeba.COUNTS == {"pictures": 202_599, "train": 162_770}
    assert mafl.COUNTS == mafl_unaligned.COUNTS == {"train": 19_000, "test": 1_000}
