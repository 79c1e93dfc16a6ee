"""AFLW's part of MTFL, in miniature in both layouts, and as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import edit, picture, write

from lead.datasets import Dataset, aflw_mtfl, open_dataset
from lead.datasets.faces import SCHEMA_5
from lead.errors import LeadError
from lead.landmarks.io import read_labels

COUNTS = {"train": 2, "test": 2}
# Of the pool are 0008 and 0017, as in the tables of the parted folder.
POOL, TEST = ("0008-image20752.jpg", "0017-image27176.jpg"), ("0001-image20056.jpg", "0002-image04733.jpg")
XY = np.array([[42.0, 46], [84, 44], [67, 65], [46, 85], [82, 121]])
"""As published, of the first picture; of the k-th, k to the right."""


def load(root: Path) -> Dataset:
    return aflw_mtfl.load(root, counts=COUNTS)


def archive(root: Path, side: int = 150) -> Path:
    """As handed out, with the pictures resized to ``side`` pixels; faces of other collections beside."""
    lines = []
    for k, name in enumerate(sorted(POOL + TEST)):
        picture(root / "AFLW" / name, (side, side))
        x, y = (XY + np.array([k, 0])).T
        lines.append(f"AFLW\\{name} {' '.join(map(str, x))} {' '.join(map(str, y))} 1 2 2 3")
    write(root / "testing.txt", lines)
    write(root / "training.txt", [r"lfw_5590\Aaron_Eckhart_0001.jpg 106 146 125 105 139 107 112 142 157 161 1 1 2 3"])
    return root


def parted(root: Path, side: int = 80) -> Path:
    """The same with the tables, whose places were multiplied by the pictures' size."""
    names = sorted(POOL + TEST)
    for part, of in (("pool", POOL), ("test", TEST)):
        lines = ["image,name,x,y"]
        for name in of:
            picture(root / "pictures" / part / name, (side, side))
            xy = (XY + np.array([names.index(name), 0])) * side / 150
            points = zip(SCHEMA_5.names, xy.tolist(), strict=True)
            lines += [f"{part}/{name},{point},{x:.3f},{y:.3f}" for point, (x, y) in points]
        write(root / f"{part}.csv", lines)
    return root


@pytest.mark.parametrize(
    ("make", "folders"), [(archive, ("AFLW", "AFLW")), (parted, ("pictures/pool", "pictures/test"))]
)
@pytest.mark.parametrize("side", [80, 150, 300])
def test_both_layouts_at_any_size_are_the_same_faces(
    tmp_path: Path, make: Callable[[Path, int], Path], folders: tuple[str, str], side: int
) -> None:
    data = load(make(tmp_path, side))
    assert data.name == "aflw-mtfl"
    for part, names, folder in (("train", POOL, folders[0]), ("test", TEST, folders[1])):
        assert [data.files[row] for row in data.rows(part)] == [f"{folder}/{name}" for name in names]
    places = dict(zip(data.files, data.points("5").xy, strict=True))
    # In the middle of a pixel that counts as number 42 of 150 lies 41.5 / 150 of the side.
    share = (XY - 0.5) / 150
    np.testing.assert_allclose((places[f"{folders[1]}/{TEST[0]}"] + 0.5) / side, share, atol=1e-5)
    assert data.normaliser == {"5": ("left_eye", "right_eye")}
    assert set(data.identity) == {""}


@pytest.mark.parametrize("make", [archive, parted])
def test_each_layout_is_recognised(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(LeadError, match="not the published"):  # by its counts, so that it was taken for this dataset
        open_dataset(make(tmp_path))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda root: (root / "testing.txt").unlink(),
            r"testing\.txt is not there; .* Get the archive from https://mm",
        ),
        (lambda root: edit(root / "testing.txt", "0008-", "0009-"), r"1 picture for train, not the published 2"),
        (lambda root: edit(root / "testing.txt", "121.0", "21.0"), r"reach to 87, those published for 150 × 150 pix"),
        (lambda root: edit(root / "testing.txt", "121.0", "221.0"), r"reach to 221, those published"),
        (lambda root: edit(root / "testing.txt", " 46.0 44.0", " eye 44.0"), r"'eye' of AFLW/0001-.*jpg is not a num"),
        (lambda root: edit(root / "testing.txt", " 121.0 1 2 2 3", ""), r"line 1 has 10 columns, not a picture, five"),
        (lambda root: (root / "AFLW" / TEST[0]).unlink(), r"lacks 1 picture, the first is AFLW/0001-image20056\.jpg"),
        (lambda root: picture(root / "AFLW" / TEST[0], (80, 90)), r"0001-.*jpg: it has 80 × 90 pixels and is no squ"),
    ],
)
def test_what_is_wrong_with_the_archive(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(archive(tmp_path))
    with pytest.raises(LeadError, match=message):
        load(tmp_path)


def add_face(root: Path, part: str, name: str) -> None:
    """Writes the pool's first face into a table a second time, under another name."""
    lines = (root / "pool.csv").read_text().splitlines()[1:6]
    picture(root / "pictures" / part / name, (80, 80))
    text = "\n".join(line.replace(f"pool/{POOL[0]}", f"{part}/{name}") for line in lines)
    with (root / f"{part}.csv").open("a") as table:
        table.write(text + "\n")


def judge_a_face_of_the_pool(root: Path) -> None:
    edit(root / "test.csv", TEST[0], POOL[0])
    picture(root / "pictures/test" / POOL[0], (80, 80))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "test.csv").unlink(), r"test\.csv is not there; .* holds pictures, pool\.csv\. Get"),
        (lambda root: add_face(root, "pool", "0021-image22826.jpg"), r"pool\.csv: it has 3 pictures, not the publ"),
        (lambda root: edit(root / "pool.csv", "nose", "tip"), r"pool\.csv has the points left_eye, right_eye, tip,"),
        (lambda root: edit(root / "test.csv", f"test/{TEST[1]},nose", "# "), r"test\.csv"),
        (lambda root: (root / "pictures/pool" / POOL[1]).unlink(), r"lacks 1 picture, the first is pictures/pool/00"),
        (
            judge_a_face_of_the_pool,
            r"pictures/pool/0008-image20752\.jpg is in pool\.csv and pictures/test/0008-.* Leave it out of pool\.csv",
        ),
    ],
)
def test_what_is_wrong_with_the_parted_folder(tmp_path: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(parted(tmp_path))
    with pytest.raises(LeadError, match=message):
        load(tmp_path)


@pytest.fixture(scope="module")
def whole() -> Path:
    folder = os.environ.get("LEAD_AFLW")
    if not folder:
        pytest.skip("LEAD_AFLW does not name the folder of AFLW's part of MTFL")
    return Path(folder)


@pytest.mark.faces
def test_the_whole_dataset(whole: Path) -> None:
    data = open_dataset(whole)
    assert {part: len(data.rows(part)) for part in ("train", "test")} == {"train": 482, "test": 2513}
    assert {data.split[row] for row in range(len(data.files)) if aflw_mtfl.in_pool(Path(data.files[row]).name)} == {
        "train"
    }
    assert sum(aflw_mtfl.in_pool(Path(file).name) for file in data.files) == 482
    xy = data.points("5").xy
    assert (xy[:, 0, 0] < xy[:, 1, 0]).mean() > 0.99  # the left eye is the picture's
    if (table := whole / "pool.csv").is_file():
        given, _ = read_labels(table)
        off = given.xy - xy[list(data.rows("train"))]
        np.testing.assert_allclose(off, off[0, 0, 0])  # one and the same for all
