"""Where scales come from, and what is told of those that are lacking or wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures
from lead.landmarks import Labels, Schema
from lead.landmarks.model import Places
from lead.landmarks.scales import Scale
from lead.morphometrics.scaling import from_file, from_pictures, from_ruler, scales_of

NAMES = ("zero", "ten", "eye")
XY = np.array([[[10, 10], [110, 10], [5, 5]], [[10, 10], [10, 60], [5, 5]], [[10, 10], [np.nan] * 2, [5, 5]]])
IMAGES = ("a.png", "b.png", "c.png")
LABELS = Labels.from_xy(Schema(NAMES), IMAGES, XY, places=Places("l.csv", lines=np.arange(1, 10).reshape(3, 3)))


def test_one_number_for_all(tmp_path: Path) -> None:
    found = scales_of(LABELS, "0.05", FolderPictures(tmp_path), unit="cm")
    assert {name: (scale.x, scale.y) for name, scale in found.items()} == dict.fromkeys(IMAGES, (0.5, 0.5))
    with pytest.raises(LeadError, match=r"--scale: -1 mm a pixel: a scale must be more than 0"):
        scales_of(LABELS, "-1", FolderPictures(tmp_path))


def test_a_table_or_tps(tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("image,mm_per_pixel\nx/a.png,0.1\n")
    assert scales_of(LABELS, str(tmp_path / "s.csv"), FolderPictures(tmp_path))["a.png"].x == 0.1
    (tmp_path / "s.tps").write_text("LM=1\n1 2\nIMAGE=b.png\nSCALE=0.1\n")
    assert scales_of(LABELS, str(tmp_path / "s.tps"), FolderPictures(tmp_path), unit="cm")["b.png"].x == 1
    (tmp_path / "s.tps").write_text("LM=1\n1 2\nIMAGE=b.png\n")
    with pytest.raises(LeadError, match=r"s\.tps: no SCALE= in it"):
        from_file(tmp_path / "s.tps")
    with pytest.raises(LeadError, match=r"gone\.csv' is neither a file that is there, nor a number, nor 'pictures'"):
        scales_of(LABELS, str(tmp_path / "gone.csv"), FolderPictures(tmp_path))


def test_what_the_pictures_say_and_what_not(tmp_path: Path) -> None:
    picture = Image.new("L", (200, 100))
    picture.save(tmp_path / "a.png", dpi=(254, 254))
    picture.save(tmp_path / "b.png")
    said: list[str] = []
    found = from_pictures(LABELS, FolderPictures(tmp_path), said.append)
    assert list(found) == ["a.png"]
    assert found["a.png"].x == pytest.approx(0.1, rel=1e-4)
    assert said[0] == "2 pictures without a scale in its file, the first is 'b.png': its file states none."
    assert said[1].startswith(
        "1 scale is the resolution of a picture's file, the first 0.1 mm a pixel (resolution of 25"
    )
    assert said[1].endswith(
        "That is right of a scanner, but many programs write it of anything: measure something whose size you know."
    )
    (tmp_path / "c.png").write_bytes(b"broken")
    assert list(from_pictures(LABELS, FolderPictures(tmp_path), said.append)) == ["a.png"]
    with pytest.raises(LeadError, match=r"it is not in gone \(--pictures names the folder\)"):
        from_pictures(LABELS, FolderPictures(Path("gone")))
    with pytest.raises(LeadError, match=r"2 pictures without a scale .* 'b\.png': its file states none\. Give a table"):
        from_pictures(LABELS.take([1, 2]), FolderPictures(tmp_path))


def test_a_ruler_and_what_is_told_of_an_end_out_of_view() -> None:
    said: list[str] = []
    found = from_ruler(LABELS, ("zero", "ten"), 1, unit="cm", say=said.append)
    assert {name: scale.x for name, scale in found.items()} == {"a.png": 0.1, "b.png": 0.2}
    assert said == [
        "l.csv, line 7: 1 picture shows the ruler without its end 'ten', the first is 'c.png': no scale from it. Show "
        "both ends, or give these scales in a table."
    ]


def test_the_error_of_a_ruler_is_that_of_its_ends() -> None:
    drawn = np.random.default_rng(0).normal(size=(100_000, 2, 2)) * [[1.5], [3]]
    sizes = 10 / np.linalg.norm(np.diff(XY[0, :2] + drawn, axis=1)[:, 0], axis=-1)
    px_90 = np.array([[1.5, 3, 1]]) * np.sqrt(2 * np.log(10))
    predicted = Labels(Schema(NAMES), ("a.png",), XY[:1], np.full((1, 3), 2), px_90=px_90)
    found = from_ruler(predicted, ("zero", "ten"), 10)["a.png"]
    assert found.error == pytest.approx(sizes.std() / sizes.mean(), rel=0.02)
    same = np.ones((3, 3))
    alike = from_ruler(predicted, ("zero", "ten"), 10, together=same)["a.png"]
    assert alike.error == pytest.approx(0.015), "what moves both ends by as much says nothing of their distance"
    assert from_ruler(LABELS, ("zero", "ten"), 10)["a.png"].error == 0, "of points by hand it is not known"
    assert from_ruler(LABELS, ("zero", "ten"), 10, by_hand=1)["a.png"].error > 0


def test_a_ruler_by_hand_beside_predictions_is_told() -> None:
    errors = np.array([[np.nan, 2, 2], [1, 1, 2]])
    mixed = Labels(Schema(NAMES), IMAGES[:2], XY[:2], np.full((2, 3), 2), px_90=errors)
    said: list[str] = []
    found = from_ruler(mixed, ("zero", "ten"), 10, say=said.append)
    assert (found["a.png"].error, found["b.png"].error > 0) == (0, True)
    assert said == [
        "1 ruler with an end that comes without an error, the first in 'a.png': the scale is taken as exact. Of ends "
        "placed by hand, --by-hand says it."
    ]
    from_ruler(LABELS.take([0, 1]), ("zero", "ten"), 10, say=said.append)
    assert len(said) == 1, "where nothing has an error, that is told of the measures"


@pytest.mark.parametrize(
    ("ends", "length", "message"),
    [
        (("zero", "tne"), 10, r"Unknown landmark 'tne'\. Did you mean 'ten'"),
        (("zero", "zero"), 10, r"begins and ends at 'zero'"),
        (("zero", "ten"), 0, r"length is 0 mm: it must be more than 0"),
    ],
)
def test_rulers_that_are_none(ends: tuple[str, str], length: float, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        from_ruler(LABELS, ends, length)


def test_rulers_that_cannot_be_used() -> None:
    xy = XY.copy()
    xy[0, 1] = xy[0, 0]
    with pytest.raises(LeadError, match=r"a\.png: both ends of the ruler lie in one place"):
        from_ruler(Labels.from_xy(Schema(NAMES), IMAGES, xy), ("zero", "ten"), 10)
    with pytest.raises(LeadError, match=r"No picture shows both ends of the ruler, 'zero' and 'ten'"):
        from_ruler(LABELS.take([2]), ("zero", "ten"), 10)
    twice = Labels.from_xy(Schema(NAMES), ("a.png", "a.png"), XY[:2], tracks=("", ""))
    with pytest.raises(LeadError, match=r"picture 'a\.png' has a second ruler"):
        from_ruler(twice, ("zero", "ten"), 10)


def test_scales_of_a_film_are_not_in_its_file(tmp_path: Path) -> None:
    (tmp_path / "f.mp4").write_bytes(b"")
    frames = LABELS.take([0]).renamed(["f.mp4#3"])
    with pytest.raises(LeadError, match=r"'f\.mp4#3': a film has no scale in it"):
        from_pictures(frames, FolderPictures(tmp_path))
    assert scales_of(frames, "2", FolderPictures(tmp_path))["f.mp4#3"] == Scale.square(
        2, source="a number for all pictures", where="--scale"
    )


def test_a_predicted_ruler_of_no_length_costs_its_picture_alone() -> None:
    xy = XY.copy()
    xy[0, 1] = xy[0, 0]
    labels = Labels.from_xy(Schema(NAMES), IMAGES, xy)
    told: list[str] = []
    found = from_ruler(replace(labels, score=np.ones(labels.visible.shape)), ("zero", "ten"), 10, say=told.append)
    whole = from_ruler(Labels.from_xy(Schema(NAMES), IMAGES, XY), ("zero", "ten"), 10)
    assert set(found) == set(whole) - {"a.png"}
    assert any("a.png: both ends of the ruler lie in one place" in text for text in told)
