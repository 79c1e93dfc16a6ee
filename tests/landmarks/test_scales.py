"""Millimetres a pixel: their table, SCALE= of TPS, and what is told of those that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import Labels, Schema, scales, tps
from lead.landmarks.pictures import Sized
from lead.landmarks.scales import Scale

TPS = "LM=1\n10 70\nIMAGE=a.jpg\nID=0\nSCALE=0.02\nLM=1\n30 50\nIMAGE=b.jpg\nID=1\n"
SIZES = Sized(dict.fromkeys(("a.jpg", "b.jpg"), (100, 80)))
LABELS = Labels.from_xy(Schema(("1",)), ["a.jpg", "b.jpg"], [[[10, 10]], [[30, 30]]])


def test_a_table_reads_back_the_same() -> None:
    known = {"a.jpg": Scale(0.01, 0.02, 0.05, "ruler"), "b, c.jpg": Scale.square(1e-7, source="by hand")}
    found = scales.parse(scales.dump(known), "s.csv")
    assert list(found) == list(known)
    for name, scale in known.items():
        assert (found[name].x, found[name].y, found[name].source) == (scale.x, scale.y, scale.source)
        assert found[name].error == pytest.approx(scale.error)
    assert found["b, c.jpg"].where == "s.csv, line 3"


def test_tables_as_people_make_them() -> None:
    found = scales.parse("Image;Pixels_per_mm;se\na.jpg;50,5;\nb.jpg;;\n", "s.csv")
    assert found == {"a.jpg": Scale.square(1 / 50.5, source="s.csv", where="s.csv, line 2")}
    of_inverse = scales.parse("image,pixels_per_mm,se\na.jpg,50,1\n", "s.csv")["a.jpg"]
    assert (of_inverse.x, of_inverse.error) == (0.02, 0.02), "1 of 50 pixels a mm are 2 %"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,mm_per_pixel\na.jpg,0.1\nb.jpg,0\n", r"s\.csv, line 3: 0 mm a pixel: a scale must be more than 0"),
        ("image,mm_per_pixel\na.jpg,-0.1\n", r"s\.csv, line 2: -0\.1 mm a pixel"),
        ("image,pixels_per_mm\na.jpg,0\n", r"s\.csv, line 2: 0 pixels a mm"),
        ("image,mm_per_pixel\na.jpg,x\n", r"s\.csv, line 2: mm_per_pixel is 'x'"),
        ("image,mm_per_pixel,se\na.jpg,1,-1\n", r"s\.csv, line 2: the standard error"),
        ("image,mm_per_pixel\na.jpg,1\na.jpg,2\n", r"line 3: the scale of 'a\.jpg' stands already in s\.csv, line 2"),
        ("image,mm_per_pixel\na.jpg,1,2\n", r"line 2: 3 fields where the header has 2"),
        ("picture,size\na.jpg,1\n", r"s\.csv, line 1: no column 'image'; there are: picture, size"),
        ("image,size\na.jpg,1\n", r"line 1: neither a column 'mm_per_pixel' nor 'pixels_per_mm'"),
        ("image,mm_per_pixel,pixels_per_mm\na.jpg,,9\n", r"line 1: both columns, .*'pixels_per_mm'\. Keep one of them"),
        ('image,mm_per_pixel\n"a.jpg' + 200_000 * "x", r"s\.csv, line 2: field larger"),
        ("image,mm_per_pixel\na.jpg,\n", r"s\.csv: no scale in it"),
    ],
)
def test_a_wrong_table_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        scales.parse(text, "s.csv")


def test_scale_of_tps_is_read_where_it_stands() -> None:
    found = tps.scales(TPS.replace("0.02", "0,02"), "w.tps")
    assert found == {"a.jpg": Scale.square(0.02, source="SCALE= of w.tps", where="w.tps, line 5")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TPS.replace("0.02", "0"), r"w\.tps, line 5: 0 mm a pixel: a scale must be more than 0\. Measure it again"),
        (TPS.replace("0.02", "x"), r"w\.tps, line 5: SCALE is 'x', which is not a number"),
        (
            TPS.replace("b.jpg", "a.jpg") + "SCALE=0.03\n",
            r"line 10: SCALE of 'a\.jpg' is 0\.03, and 0\.02 in w\.tps, li",
        ),
        ("IMAGE=a.jpg\n", r"w\.tps: line 1: IMAGE= before the first LM="),
    ],
)
def test_a_wrong_scale_of_tps_is_told_with_its_line(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        tps.scales(text, "w.tps")


def test_ktch_multiplies_by_the_scale_that_is_written(tmp_path: Path) -> None:
    from ktch.io import read_tps

    sizes = {"a.jpg": Scale.square(0.02), "b.jpg": Scale.square(0.025)}
    text = tps.dump(LABELS, SIZES, sizes)
    assert {name: scale.x for name, scale in tps.scales(text, "w.tps").items()} == {"a.jpg": 0.02, "b.jpg": 0.025}
    (tmp_path / "w.tps").write_text(text)
    found = [np.asarray(one.landmarks) * one.scale for one in read_tps(tmp_path / "w.tps")]
    np.testing.assert_allclose(found, [[[0.2, 1.4]], [[0.75, 1.25]]])


def test_tps_has_a_scale_for_every_specimen_or_for_none() -> None:
    with pytest.raises(LeadError, match=r"Picture 'b\.jpg' has no scale, and 1 of 2 have: a TPS file has SCALE= for"):
        tps.dump(LABELS, SIZES, {"a.jpg": Scale.square(0.02)})
    with pytest.raises(LeadError, match=r"pixels of 'a\.jpg' are 0\.02 mm wide and 0\.03 mm high.*\(\.csv\)"):
        tps.dump(LABELS, SIZES, {"a.jpg": Scale(0.02, 0.03), "b.jpg": Scale.square(0.02)})
    assert "SCALE" not in tps.dump(LABELS, SIZES)


def test_scales_go_to_the_pictures_that_they_are_of() -> None:
    of = scales.of_pictures({"C:/x/A.jpg": Scale.square(1), "z.jpg": Scale.square(2)}, ["p/a.jpg", "p/b.jpg"])
    assert {name: scale.x for name, scale in of.items()} == {"p/a.jpg": 1}
    frames = scales.of_pictures({"film.mp4": Scale.square(3)}, ["x/film.mp4#0", "x/film.mp4#7", "a.jpg"])
    assert {name: scale.x for name, scale in frames.items()} == {"x/film.mp4#0": 3, "x/film.mp4#7": 3}
    with pytest.raises(LeadError, match=r"of none of the 1 picture with landmarks; the first is of 'z\.jpg'"):
        scales.of_pictures({"z.jpg": Scale.square(2)}, ["a.jpg"])


def test_what_is_likely_a_mistake_is_told() -> None:
    some = {"a.jpg": Scale.square(0.02, where="s.csv, line 2"), "b.jpg": Scale.square(0.2, where="s.csv, line 3")}
    assert scales.doubts(some, ["a.jpg", "b.jpg"]) == [
        "the scales differ tenfold or more: 0.02 mm a pixel for 'a.jpg' (s.csv, line 2) and 0.2 mm a pixel for 'b.jpg' "
        "(s.csv, line 3). Is one of them in another unit?"
    ]
    (told,) = scales.doubts({"a.jpg": Scale.square(0.02)}, ["a.jpg", "b.jpg", "c.jpg"])
    assert told.startswith("2 pictures have no scale, the first is 'b.jpg', and 1 have one.")
    assert scales.doubts({}, ["a.jpg"]) == []


def test_other_units() -> None:
    found = scales.in_unit({"a.jpg": Scale(0.02, 0.03, 0.1)}, "cm")
    assert (found["a.jpg"].x, found["a.jpg"].y, found["a.jpg"].error) == (0.2, 0.3, 0.1)
    with pytest.raises(LeadError, match=r"Unknown unit 'inch'\. .*Valid: cm, in, m, mm, um"):
        scales.in_unit({}, "inch")
