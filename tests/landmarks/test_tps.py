"""TPS: what tpsDig and tpsUtil leave in a file, and what ktch reads of ours."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import UNLABELLED, Labels, Schema, pts, tps
from lead.landmarks.io import parse_labels
from lead.landmarks.model import numbered
from lead.landmarks.pictures import Sized

DIGITISED = "LM=2\n10.00000 70.00000\n30.00000 50.00000\nIMAGE=a.jpg\nID=0\n"
EMPTY = "LM=0\nIMAGE=b.jpg\nID=1\n"
SIZES = Sized(dict.fromkeys(("a.jpg", "b.jpg", "c.jpg"), (100, 80)))
XY = [[10, 10], [30, 30]]


def left_out(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


@pytest.mark.parametrize(
    ("text", "images"),
    [
        (EMPTY + DIGITISED, ("b.jpg", "a.jpg")),
        (DIGITISED + EMPTY, ("a.jpg", "b.jpg")),
        (EMPTY + DIGITISED + EMPTY.replace("b.", "gone."), ("b.jpg", "a.jpg", "gone.jpg")),
    ],
)
def test_a_picture_that_nobody_has_digitised_is_unlabelled(text: str, images: tuple[str, ...]) -> None:
    labels = tps.parse(text, SIZES)
    assert labels.images == images
    row = images.index("a.jpg")
    np.testing.assert_array_equal(labels.xy[row], XY)
    assert (np.delete(labels.visible, row, axis=0) == UNLABELLED).all()


def test_what_is_drawn_besides_landmarks_is_told() -> None:
    text = (
        "LM=2\n10 70\n30 50\nCURVES=0\nIMAGE=a.jpg\nID=0\nSCALE=0.012\n"
        "LM=2\n10 70\n30 50\nOUTLINES=1\nPOINTS=3\n1 2\n3 4\n5 6\nIMAGE=b.jpg\nCOMMENT=x = 3\n"
        "LM=2\n10 70\n30 50\nOUTLINES=1\nCHAINS=4\n0 1\n2 3\nRADII=2\n1.5\n2.5\nCURVES=0\nIMAGE=c.jpg\nID=c\n"
        "VARIABLES=sex=f\n"
    )
    labels = tps.parse(text, SIZES)
    np.testing.assert_array_equal(labels.xy, [XY] * 3)
    assert left_out(labels).split("; ") == [
        "outlines of 2 pictures (3 points)",
        "ID of 2 pictures",
        "SCALE of 1 picture (places stay in pixels, and lead scale, measure and shape read it)",
        "COMMENT of 1 picture",
        "RADII of 1 picture",
        "VARIABLES of 1 picture",
    ]
    assert left_out(tps.parse(DIGITISED.replace("ID=0\n", ""), SIZES)) == ""
    assert left_out(tps.parse(DIGITISED, SIZES)) == "", "an ID that only counts the pictures is written again"
    assert left_out(tps.parse(DIGITISED.replace("ID=0", "ID=A17"), SIZES)) == "ID of 1 picture"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (EMPTY + EMPTY.replace("b.", "a."), r"no landmark in it: LM=0 in each of its 2 specimens\. Digitise"),
        ("LM=0\nOUTLINES=1\nPOINTS=2\n1 2\n3 4\nIMAGE=a.jpg\n", r"but outlines of 1 picture \(2 points\).*as curves"),
        (DIGITISED + EMPTY + "LM=3\n1 2\n3 4\n5 6\nIMAGE=c.jpg\n", "line 9: 3 landmarks where line 1 has 2"),
        (DIGITISED + EMPTY.replace("b.", "a."), r"line 6: picture 'a\.jpg' stands already in line 1"),
        ("LM=1\n1 2\n3 4\nIMAGE=a.jpg\n", "line 3: '3 4' is neither a point that was announced"),
        ("LM=1\n1 2\nIMAGE=a.jpg\n3 4\n", "line 4: '3 4' is neither a point that was announced"),
        ("LM=1\n1,5 2.5\nIMAGE=a.jpg\n", "line 2: x is '1,5', which is not a number"),
        ("LM=1\n1,5, 2\nIMAGE=a.jpg\n", "line 2: x is '1,5,'"),
        ("LM=1\n1 2\nIMAGE=gone.jpg\n" + EMPTY, "line 1: y counts from the bottom of the picture, and .*gone.jpg"),
    ],
)
def test_what_has_no_clear_landmarks_is_refused(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        tps.parse(text, SIZES)


def test_an_odd_specimen_costs_that_specimen() -> None:
    text = DIGITISED + DIGITISED.replace("IMAGE=a.jpg\n", "") + DIGITISED.replace("a.jpg", "gone.jpg")
    labels = tps.parse(text, SIZES)
    assert labels.images == ("a.jpg",)
    assert "1 specimen without IMAGE=, the first in line 6" in left_out(labels)
    assert "1 specimen whose picture is not there, the first in line 10: y counts" in left_out(labels)
    assert left_out(labels).endswith("--pictures")  # the full stop is put where it is told


@pytest.mark.parametrize("name", ['"a b.jpg"', "'a b.jpg'", "a b.jpg", "C:\\Fotos\\Ann\\a b.jpg", '"C:\\x\\a b.jpg"'])
def test_the_picture_s_name_as_other_programs_write_it(name: str) -> None:
    image = name.strip("\"'").replace("\\", "/")
    labels = tps.parse(f"LM=1\n1\t2\nIMAGE={name}\n", Sized({image: (9, 9)}))
    assert labels.images == (image,)
    assert labels.xy.tolist() == [[[1, 7]]]


def test_decimal_commas_of_other_countries() -> None:
    labels = tps.parse(DIGITISED.replace(".0", ",0").replace("30,00", "30,50"), SIZES)
    np.testing.assert_array_equal(labels.xy, [[[10, 10], [30.5, 30]]])


def test_places_of_another_unit_are_refused() -> None:
    shares = "LM=3\n0.1 0.2\n0.3 0.4\n0.5 1\nIMAGE=a.jpg\nSCALE=0.01\n"
    with pytest.raises(LeadError, match=r"all places lie between 0 and 1, so they are not pixels"):
        tps.parse(shares, SIZES)
    assert tps.parse(shares.replace("0.5 1", "0.5 1.5"), SIZES).images == ("a.jpg",)


def test_the_end_that_old_programs_mark() -> None:
    np.testing.assert_array_equal(tps.parse(DIGITISED + "\x1a", SIZES).xy, [XY])


def test_a_name_as_windows_writes_it() -> None:
    text = "LM=1\r\n1 2\r\nIMAGE=Käfer.jpg\r\nID=0\r\n".encode("cp1252")
    labels, known = parse_labels(text, "a.tps", pictures=Sized({"Käfer.jpg": (9, 9)}))
    assert (known.name, labels.images) == ("tps", ("Käfer.jpg",))


PLACES = st.floats(0, 5000) | st.floats(0, 1e-3) | st.integers(0, 9).map(float) | st.just(np.nan)
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@SHARED
@given(points=st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=4))
@example(points=[(1e-05, 1e-17), (1 / 3, 4999.999999999999)])
@example(points=[(5e-324, 0.0), (np.nan, 1.0)])
def test_ktch_reads_the_tiniest_and_the_longest_number(points: list[tuple[float, float]], tmp_path: Path) -> None:
    from ktch.io import read_tps

    height = 5000
    labels = Labels.from_xy(Schema(numbered(len(points))), ["a.png"], [points])
    text = tps.dump(labels, Sized({"a.png": (height, height)}))
    (tmp_path / "a.tps").write_text(text)
    found = read_tps(tmp_path / "a.tps").landmarks
    expected = [(x, height - y) if x == x and y == y else (-1, -1) for x, y in points]
    np.testing.assert_array_equal(found, expected)
    again = tps.parse(text, Sized({"a.png": (height, height)}))
    np.testing.assert_allclose(again.xy, labels.xy, rtol=0, atol=1e-12 * height)


@given(points=st.lists(st.tuples(PLACES, PLACES), min_size=1, max_size=4))
def test_pts_hold_no_exponent(points: list[tuple[float, float]]) -> None:
    labels = Labels.from_xy(Schema(numbered(len(points))), ["a.png"], [points])
    (text,) = pts.dump(labels).values()
    numbers = text[text.index("{") + 1 : text.index("}")].replace("nan", "")
    assert set(numbers) <= set("0123456789.- \n")
    np.testing.assert_allclose(pts.read_points(text).xy - 1, labels.xy[0], rtol=0, atol=1e-9)


def test_the_picture_is_looked_for_only_where_a_place_has_to_be_turned(tmp_path: Path) -> None:
    Image.new("RGB", (100, 80)).save(tmp_path / "a.jpg")
    (tmp_path / "a.tps").write_text(DIGITISED + EMPTY)
    assert load_labels(tmp_path / "a.tps").images == ("a.jpg", "b.jpg")


def test_specimens_of_one_picture_have_a_block_each() -> None:
    other = "LM=2\n-1 -1\n50 60\nIMAGE=a.jpg\nID=1\n"
    labels = tps.parse(DIGITISED + other + EMPTY.replace("ID=1", "ID=2"), SIZES, several=True)
    assert labels.images == ("a.jpg", "a.jpg", "b.jpg")
    np.testing.assert_array_equal(labels.xy[:2], [XY, [[np.nan] * 2, [50, 20]]])
    assert labels.where(1, 1) == "line 8: "
    assert left_out(labels) == ""
    again = tps.dump(labels, SIZES).split("LM=2")[1:]
    assert [block.split()[-2:] for block in again] == [[f"IMAGE={i}.jpg", f"ID={n}"] for n, i in enumerate("aab")]
    with pytest.raises(LeadError, match=r"line 6: picture 'a\.jpg' stands already in line 1"):
        tps.parse(DIGITISED + other, SIZES)
