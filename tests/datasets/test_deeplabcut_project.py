"""A DeepLabCut project."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from archives import edit, picture, write

from lead.datasets import deeplabcut, open_dataset
from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import Labels
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
        (lambda root: [(root / m).unlink() for m in (M1, M2)], r"No labels in .*: expected labeled-data/VIDEO/Coll"),
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
        (lambda root: edit(root / M2, "m2\\1", "m1\\1"), r"grooming-Ann: Picture 'labeled-data/m1/1\.png' stands"),
        (lambda root: (root / M2).write_text("image,name,x,y\n"), r"Ann\.csv: line 1: expected the header's row 'scor"),
    ],
)
def test_wrong_labels_are_refused_where_labels_are_needed_and_training_goes_on(
    root: Path, spoil: Callable[[Path], object], message: str
) -> None:
    tested = {
        file for file, part in zip(open_dataset(root).files, open_dataset(root).split, strict=True) if part == "test"
    }
    spoil(root)
    data = open_dataset(root)
    with pytest.raises(LeadError, match=message):
        data.points("all")
    with pytest.raises(LeadError, match=message):
        load_labels(root)
    assert sorted(data.files) == [
        f"labeled-data/{frame}.png" for frame in ("m1/1", "m1/2", "m2/1", "m2/2", "m2/3", "m3/1")
    ]
    assert tested <= {file for file, part in zip(data.files, data.split, strict=True) if part == "test"}
    (note,) = data.notes
    assert note.startswith("The labels are not read, and a fifth of all frames is kept for testing: ")


def test_no_project(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"No labels in .*: expected labeled-data/VIDEO/CollectedData_SCORER"):
        open_dataset(tmp_path, "deeplabcut")
    write(tmp_path / "config.yaml", ["scorer: Ann"])
    with pytest.raises(LeadError, match=r"No folder .*labeled-data\. Give a DeepLabCut project"):
        open_dataset(tmp_path, "deeplabcut")


def test_a_deleted_frame_is_left_out_and_told_of(root: Path) -> None:
    (root / "labeled-data/m2/1.png").unlink()
    data = open_dataset(root)
    assert "labeled-data/m2/1.png" not in data.files
    assert data.points("all").images == ("labeled-data/m1/1.png", "labeled-data/m1/2.png")
    table = "labeled-data/m2/CollectedData_Ann.csv"
    assert data.notes == (f"{root}: left out: {table}: 1 frame without its file (labeled-data/m2/1.png).",)
    picture(root / "labeled-data/m3/1.png", (12, 12))  # another video's frame of the same name
    assert load_labels(root).images == ("labeled-data/m1/1.png", "labeled-data/m1/2.png", "labeled-data/m2/2.png")
    for frame in (root / "labeled-data").rglob("*.png"):
        frame.unlink()
    picture(root / "labeled-data/m3/1.png", (12, 12))
    with pytest.raises(LeadError, match=r"None of the 4 listed pictures is in .* --name folder"):
        open_dataset(root)


def write_hdf(csv: Path, **changed: float) -> None:
    """The HDF5 beside a CSV, as DeepLabCut keeps it, with some values of the first picture changed."""
    frame = pd.read_csv(csv, header=[0, 1, 2], index_col=[0, 1, 2] if ",,," in csv.read_text()[:9] else 0)
    frame.columns.names = ["scorer", "bodyparts", "coords"]
    for part, value in changed.items():
        frame.loc[frame.index[0], ("Ann", part, "x")] = value
    frame.astype(float).to_hdf(csv.with_suffix(".h5"), key="df_with_missing", mode="w")


def left_out(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


def test_the_hdf5_counts_as_in_deeplabcut_and_what_the_csv_says_otherwise_is_told(root: Path) -> None:
    write_hdf(root / M1)
    write_hdf(root / M2)
    assert left_out(load_labels(root)) == ""
    write_hdf(root / M1, tail=99)
    labels = load_labels(root)
    assert labels.xy[0].tolist() == [[99, 6.5], [3, 4], [1, 2]]
    assert left_out(labels) == (
        "labeled-data/m1/CollectedData_Ann.h5: CollectedData_Ann.csv (DeepLabCut reads the HDF5, and they differ: "
        "1 point differs, the first is 'tail' of labeled-data/m1/1.png)"
    )
    assert open_dataset(root).notes == (f"{root}: left out: {left_out(labels)}.",)
    picture(root / "labeled-data/m1/3.png", (12, 12))
    edit(root / M1, "labeled-data,m1,2.png,1,2,,,5,9", "labeled-data,m1,3.png,1,2,,,5,9")
    edit(root / M1, "no,no", "yes,yes")
    assert (
        "just one has 'no', 'yes', just one has 2 pictures, the first is labeled-data/m1/2.png, 1 point differs"
        in left_out(load_labels(root))
    )


def test_of_a_csv_that_is_named_itself_it_is_told_what_the_hdf5_beside_it_says_otherwise(root: Path) -> None:
    write_hdf(root / M1)
    assert left_out(load_labels(root / M1)) == ""
    write_hdf(root / M1, tail=99)
    labels = load_labels(root / M1)
    assert labels.xy[0, 0, 0] != 99
    assert left_out(labels) == (
        "CollectedData_Ann.h5 beside it, which DeepLabCut reads and which differs: 1 point differs, the first is "
        "'tail' of labeled-data/m1/1.png"
    )


def test_an_hdf5_that_cannot_be_read_leaves_the_csv(root: Path) -> None:
    (root / M1).with_suffix(".h5").write_bytes(b"\x89HDF\r\n\x1a\n cut off")
    labels = load_labels(root)
    assert labels.xy[0].tolist() == [[5, 6.5], [3, 4], [1, 2]]
    assert "CollectedData_Ann.csv: the HDF5 beside it, which DeepLabCut reads and which may differ: " in left_out(
        labels
    )
    (root / M1).unlink()
    with pytest.raises(LeadError, match=r"Ann\.h5: not a table"):
        load_labels(root)


def test_a_part_of_a_project_is_read_without_its_settings(root: Path) -> None:
    (root / "config.yaml").unlink()
    picture(root / "elsewhere/1.png", (12, 12))
    whole, inside, video = (load_labels(path) for path in (root, root / "labeled-data", root / "labeled-data/m2"))
    assert whole.images == tuple(f"labeled-data/{frame}.png" for frame in ("m1/1", "m1/2", "m2/1", "m2/2"))
    assert inside.images == ("m1/1.png", "m1/2.png", "m2/1.png", "m2/2.png")
    assert video.images == ("1.png", "2.png")
    assert whole.schema.names == inside.schema.names == ("1", "no", "tail")
    assert video.schema.names == ("tail", "1")
    np.testing.assert_array_equal(whole.xy, inside.xy)
    np.testing.assert_array_equal(video.xy[0], [[7, 8], [9, 10]])
    assert whole.where(2, 0) == f"{root}, labeled-data/m2/CollectedData_Ann.csv, line 4: "
    for path, files in ((root, 6), (root / "labeled-data", 6), (root / "labeled-data/m2", 3)):
        data = open_dataset(path)
        assert len(data.files) == files
        assert all(data.path(row).is_file() for row in range(files))


@pytest.mark.parametrize(
    "path",
    ["C:\\Users\\ann\\old-Ann\\labeled-data\\m2\\", "/home/ann/old-Ann/labeled-data/m2/", "labeled-data/old name/"],
)
def test_frames_of_a_project_that_was_moved_are_found_beside_their_table(root: Path, path: str) -> None:
    (root / M2).write_text((root / M2).read_text().replace("labeled-data\\m2\\", path))
    assert load_labels(root).images[2:] == ("labeled-data/m2/1.png", "labeled-data/m2/2.png")
    assert open_dataset(root).points("all").images[2:] == ("labeled-data/m2/1.png",)


def test_two_frames_that_would_be_one_beside_their_table_keep_their_paths(root: Path) -> None:
    edit(root / M2, "labeled-data\\m2\\1.png", "labeled-data\\x\\1.png")
    edit(root / M2, "labeled-data\\m2\\2.png", "labeled-data\\y\\1.png")
    assert load_labels(root).images[2:] == ("labeled-data/x/1.png", "labeled-data/y/1.png")


def test_a_config_that_is_nested_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("[" * 1000)
    with pytest.raises(LeadError, match=r"config.yaml is not valid YAML"):
        read_config(tmp_path / "config.yaml")


def test_tables_of_other_scorers_are_told(root: Path) -> None:
    theirs = root / "labeled-data/m3/CollectedData_Bob.csv"
    write(theirs, (root / M2).read_text().replace("m2\\1", "m3\\1").splitlines())
    told = "1 table of other scorers than 'Ann', whom config.yaml names (labeled-data/m3/CollectedData_Bob)"
    assert told in left_out(load_labels(root))
    theirs.unlink()
    assert "scorers" not in left_out(load_labels(root))
