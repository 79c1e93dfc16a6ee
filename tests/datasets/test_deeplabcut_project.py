"""A DeepLabCut project."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from archives import edit, picture, write

from lead.datasets import deeplabcut, open_dataset
from lead.errors import LeadError
from lead.landmarks.deeplabcut_project import read_config

NAN = np.nan
CONFIG = """\
# Project definitions (do not edit)
Task: grooming
scorer: Ann
date: Oct30
multianimalproject:
video_sets:
  C:\\videos\\m1.avi:
    crop: 0, 640, 0, 480
bodyparts:
- tail
- no
- 1
skeleton:
- - no
  - '1'
- - bodypart1
  - objectA
"""
M1, M2 = "labeled-data/m1/CollectedData_Ann.csv", "labeled-data/m2/CollectedData_Ann.csv"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two videos; the second lacks a body part, orders the others otherwise, and has frames without labels."""
    root = tmp_path / "grooming-Ann"
    for file in ("m1/1.png", "m1/2.png", "m1_labeled/1.png", "m2/1.png", "m2/2.png", "m2/3.png", "m3/1.png"):
        picture(root / "labeled-data" / file, (12, 12))
    picture(root / "dlc-models/plot.png", (12, 12))
    write(root / "config.yaml", [CONFIG])
    write(
        root / M1,
        [
            "scorer,,,Ann,Ann,Ann,Ann,Ann,Ann",
            "bodyparts,,,1,1,no,no,tail,tail",
            "coords,,,x,y,x,y,x,y",
            "labeled-data,m1,1.png,1,2,3,4,5,6.5",
            "labeled-data,m1,2.png,1,2,,,5,9",
        ],
    )
    write(
        root / M2,
        [
            "scorer,Ann,Ann,Ann,Ann",
            "bodyparts,tail,tail,1,1",
            "coords,x,y,x,y",
            "labeled-data\\m2\\1.png,7,8,9,10",
            "labeled-data\\m2\\2.png,,,,",
        ],
    )
    return root


def test_the_videos_are_joined(root: Path) -> None:
    data = open_dataset(root)
    assert data.name == "grooming-Ann"
    labelled = ("labeled-data/m1/1.png", "labeled-data/m1/2.png", "labeled-data/m2/1.png")
    others = ("labeled-data/m2/2.png", "labeled-data/m2/3.png", "labeled-data/m3/1.png")
    assert data.files == labelled + others
    assert all(data.path(row).is_file() for row in range(6))
    assert data.identity == ("",) * 6
    labels = data.points("all")
    assert labels.images == labelled
    assert labels.schema.names == ("tail", "no", "1")
    assert labels.schema.skeleton == (("no", "1"),)  # the template's line between other parts is left out
    expected = [[[5, 6.5], [3, 4], [1, 2]], [[5, 9], [NAN, NAN], [1, 2]], [[7, 8], [NAN, NAN], [9, 10]]]
    np.testing.assert_array_equal(labels.xy, expected)


def test_a_split_by_path(root: Path) -> None:
    frames = [f"labeled-data/m1/{n}.png" for n in range(40)]
    for frame in frames:
        picture(root / frame, (4, 4))
    (root / M2).unlink()
    write(
        root / M1, [*(root / M1).read_text().splitlines()[:3], *(f"{f.replace('/', ',')},1,2,3,4,5,6" for f in frames)]
    )
    data = open_dataset(root)
    expected = [int(hashlib.sha256(f"0:{frame}".encode()).hexdigest()[:16], 16) / 16**16 < 0.2 for frame in frames]
    assert [part == "test" for part in data.split[:40]] == expected
    assert 2 < sum(expected) < 15
    assert set(data.split[40:]) == {"train"}
    assert data.normaliser == {"all": ("tail", "1")}  # the two farthest apart
    assert deeplabcut.load(root, seed=1).split != data.split


@pytest.mark.parametrize("listed", ["bodyparts: MULTI!\n", ""], ids=["several animals", "not listed"])
def test_body_parts_that_the_settings_do_not_list_come_in_the_files_order(root: Path, listed: str) -> None:
    edit(root / "config.yaml", "bodyparts:\n- tail\n- no\n- 1\n", listed)
    assert open_dataset(root).points("all").schema.names == ("1", "no", "tail")


@pytest.mark.parametrize("skeleton", ["skeleton:", "skeleton: []", "skeleton: null", ""])
def test_no_skeleton(root: Path, skeleton: str) -> None:
    text = (root / "config.yaml").read_text()
    (root / "config.yaml").write_text(text[: text.index("skeleton")] + skeleton)
    assert open_dataset(root).points("all").schema.skeleton == ()


def test_the_settings_say_whose_labels_count(root: Path) -> None:
    theirs = root / "labeled-data/m3/CollectedData_Bob.csv"
    write(theirs, (root / M2).read_text().replace("m2\\1", "m3\\1").replace("7,8,", "70,80,").splitlines())
    assert np.nanmax(open_dataset(root).points("all").xy) == 10
    edit(root / "config.yaml", "scorer: Ann", "scorer: Bob")
    assert open_dataset(root).points("all").images == ("labeled-data/m3/1.png",)
    (root / M1).unlink()
    (root / M2).unlink()
    edit(root / "config.yaml", "scorer: Bob", "scorer: Cid")  # a single scorer leaves no choice
    assert open_dataset(root).points("all").images == ("labeled-data/m3/1.png",)


def two_scorers(root: Path) -> None:
    (root / M1).rename(root / "labeled-data/m1/CollectedData_Bob.csv")
    edit(root / "config.yaml", "scorer: Ann", "scorer: Cid")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda root: (root / "labeled-data/m2/1.png").unlink(), r"1 pictures .* missing, the first is .*/m2/1\.png"),
        (lambda root: [(root / m).unlink() for m in (M1, M2)], r"No labels in .*labeled-data: expected VIDEO/Coll"),
        (
            two_scorers,
            r"labels by 'Ann' and 'Bob', but config\.yaml names 'Cid'\. Say whose count, e\.g\. `scorer: Ann`",
        ),
        (lambda root: edit(root / "config.yaml", "- tail", "- tale"), r"m1.*Ann\.csv: Unknown body part 'tail'.*tale"),
        (
            lambda root: edit(root / "config.yaml", "- tail", "- [t]"),
            r"config\.yaml: bodyparts must be a list of names",
        ),
        (lambda root: edit(root / "config.yaml", "- - no", "- - 2\n  - 3"), r"skeleton must be a list of pairs"),
        (lambda root: edit(root / "config.yaml", "- tail", "- 1"), r"grooming-Ann: Landmark names must differ; '1'"),
        (lambda root: edit(root / "config.yaml", "- tail", "- [t"), r"config\.yaml is not valid YAML: "),
        (lambda root: (root / "config.yaml").write_text("none"), r"config\.yaml holds no settings; expected scorer"),
        (lambda root: edit(root / M2, "7,8", "7,b"), r"m2.CollectedData_Ann\.csv: line 4: y of 'tail' is 'b'"),
        (lambda root: edit(root / M2, "m2\\1", "m1\\1"), r"grooming-Ann: Picture 'labeled-data/m1/1\.png' is labelled"),
        (lambda root: (root / M2).write_text("image,name,x,y\n"), r"Ann\.csv: line 1: expected the header's row 'scor"),
    ],
)
def test_wrong_projects(root: Path, spoil: Callable[[Path], object], message: str) -> None:
    spoil(root)
    with pytest.raises(LeadError, match=message):
        open_dataset(root)


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"Cannot read .*config\.yaml"):
        open_dataset(tmp_path, "deeplabcut")
    write(tmp_path / "config.yaml", ["scorer: Ann"])
    with pytest.raises(LeadError, match=r"No folder .*labeled-data\. Give a DeepLabCut project"):
        open_dataset(tmp_path, "deeplabcut")


def test_a_config_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("[" * 1000)
    with pytest.raises(LeadError, match=r"config.yaml is not valid YAML"):
        read_config(tmp_path / "config.yaml")
