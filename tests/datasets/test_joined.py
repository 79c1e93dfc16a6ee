"""Several datasets to learn from together: their training pictures, and nothing that is tested on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lead.datasets import open_datasets
from lead.datasets.base import Dataset
from lead.datasets.joined import joined
from lead.errors import LeadError


def faces(root: Path, **more: object) -> Dataset:
    """Two pictures to train on, of whom one is known, and one to test on."""
    data = Dataset(root.name, root, ("a.png", "b.png", "c.png"), ("Ann", "", "Cid"), ("train", "train", "test"))
    return replace(data, **more)  # type: ignore[arg-type]


def test_what_is_learnt_from_together(tmp_path: Path) -> None:
    both = joined([faces(tmp_path / "x"), faces(tmp_path / "deep/y", notes=("One is cut.",))])
    assert both.files == ("x/a.png", "x/b.png", "deep/y/a.png", "deep/y/b.png")
    assert both.identity == ("x: Ann", "", "y: Ann", "")
    assert set(both.split) == {"train"}
    assert both.path(2) == tmp_path / "deep/y/a.png"
    assert (both.name, both.sources, both.notes) == ("x+y", {"x": 2, "y": 2}, ("One is cut.",))
    with pytest.raises(LeadError, match="measure on one of them"):
        both.points("5")


def test_one_alone_is_what_it_was(tmp_path: Path) -> None:
    alone = faces(tmp_path)
    assert joined([alone]) is alone


def test_a_picture_that_another_tests_on_is_refused(tmp_path: Path) -> None:
    judged = faces(tmp_path / "x", split=("test", "test", "test"))
    (tmp_path / "link").symlink_to(tmp_path / "x")
    with pytest.raises(LeadError, match=r"x/a\.png is to train on in .*link, and .*x tests on it\. Leave one"):
        joined([judged, faces(tmp_path / "link")])


def test_a_picture_in_both_is_learnt_from_once(tmp_path: Path) -> None:
    inner = Dataset("inner", tmp_path / "x", ("deep/a.png",), ("",), ("train",))
    outer = Dataset("outer", tmp_path, ("x/deep/a.png", "b.png"), ("", ""), ("train", "train"))
    both = joined([inner, outer])
    assert both.files == ("x/deep/a.png", "b.png")
    assert both.sources == {"inner": 1, "outer": 1}


def test_parts_of_pictures_are_not_mixed_with_whole_ones(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"y shows parts of its pictures.*Train on it alone"):
        joined([faces(tmp_path / "x"), faces(tmp_path / "y", boxes=np.zeros((3, 4)))])


def test_a_name_is_of_one_folder(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"--name mafl says which dataset of one folder is meant; 2 are given"):
        open_datasets([tmp_path, tmp_path], "mafl")
