"""What a folder's pictures share: their contrast, and what is said of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from lead.images import survey as module
from lead.images.showing import DEFAULT, Showing


def survey(folder: Path, names: list[str], asked: Showing) -> tuple[Showing, list[str]]:
    """What is found, and what is said."""
    told: list[str] = []
    return module.survey(folder, names, asked, told.append), told


def deep(folder: Path, *ranges: tuple[float, float], kind: str = "uint16") -> list[str]:
    """Pictures whose values are evenly spread over a range each."""
    names = [f"{i}.tif" for i in range(len(ranges))]
    for name, (low, high) in zip(names, ranges, strict=True):
        tifffile.imwrite(folder / name, np.linspace(low, high, 2500).reshape(50, 50).astype(kind))
    return names


def test_the_contrast_is_that_of_all_the_pictures_together(tmp_path: Path) -> None:
    names = deep(tmp_path, (100, 1000), (500, 3000))
    found, said = survey(tmp_path, names, DEFAULT)
    assert found.contrast is not None
    low, high = found.contrast
    assert 100 <= low < 110
    assert 2980 < high <= 3000
    (told,) = said
    assert told.startswith("2 of 2 pictures hold more than 8 bits and state no range: shown from 10")
    assert survey(tmp_path, names[::-1], DEFAULT) == (found, said)


def test_8_bits_need_none_and_their_files_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 8), np.uint8))
    assert survey(tmp_path, ["a.png", "a.tif"], DEFAULT) == (DEFAULT, [])
    monkeypatch.setattr(module, "glance", None)
    assert survey(tmp_path, ["a.jpg", "b.JPEG", "c.bmp"], DEFAULT) == (DEFAULT, [])


def test_what_a_file_states_needs_none(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.full((8, 8), 9, np.uint16), extratags=[(281, 3, 1, 4095, True)])
    assert survey(tmp_path, ["a.tif"], DEFAULT) == (DEFAULT, [])


def test_deep_pictures_among_others_count_alone(tmp_path: Path) -> None:
    names = deep(tmp_path, (0, 1000))
    Image.new("L", (8, 8), 255).save(tmp_path / "b.png")
    (tmp_path / "broken.tif").write_bytes(b"II*\0nothing")
    found, told = survey(tmp_path, [*names, "b.png", "broken.tif", "missing.tif"], DEFAULT)
    assert found.contrast is not None
    assert found.contrast[1] <= 1000
    assert told[0].startswith("1 of 4 pictures")


def test_a_contrast_that_is_given_stands_and_another_scale_is_told(tmp_path: Path) -> None:
    names = deep(tmp_path, (0, 60000))
    asked = Showing(contrast=(0, 4000))
    found, told = survey(tmp_path, names, asked)
    assert found == asked
    assert "from 0 (black) to 4000 (white), as the settings say" in told[0]
    assert "another scale" in told[1]
    assert len(survey(tmp_path, names, Showing(contrast=(0, 50000)))[1]) == 1


def test_pictures_that_differ_widely_from_the_rest_are_told(tmp_path: Path) -> None:
    names = deep(tmp_path, (0, 60000), (0, 60000), (0, 1000))
    _, told = survey(tmp_path, names, DEFAULT)
    assert "1 of 3 pictures that were measured, 2.tif among them" in told[1]


def test_stacks_are_counted_unless_a_page_is_chosen(tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        tifffile.imwrite(tmp_path / name, np.zeros((3, 8, 8), np.uint8), photometric="minisblack")
    frames = [Image.new("L", (8, 8), value) for value in (0, 90)]
    frames[0].save(tmp_path / "c.webp", save_all=True, append_images=frames[1:], lossless=True)
    Image.new("L", (8, 8)).save(tmp_path / "d.png")
    _, (told,) = survey(tmp_path, ["a.tif", "b.tif", "c.webp", "d.png"], DEFAULT)
    assert told.startswith("3 of 4 pictures have several pages: the first is looked at, and no other.")
    assert "--set picture.page=" in told
    assert survey(tmp_path, ["a.tif", "b.tif"], Showing(page="max")) == (Showing(page="max"), [])


def test_of_very_many_pictures_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = deep(tmp_path, *[(0, 1000)] * 9)
    monkeypatch.setattr(module, "LOOKED_AT", 4)
    monkeypatch.setattr(module, "MEASURED", 2)
    found, told = survey(tmp_path, names, DEFAULT)
    assert told[0].startswith("4 of 4 pictures looked at")
    assert survey(tmp_path, names[::-1], DEFAULT) == (found, told)
