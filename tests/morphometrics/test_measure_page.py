"""The page of measurements: unlikely specimens first, where they are in their pictures."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.images.folder_pictures import FolderPictures
from lead.landmarks import Labels, Schema
from lead.morphometrics.measure_page import page
from lead.morphometrics.measures import parse
from lead.morphometrics.measuring import Table, measure

NAMES = ("a<", "b", "c", "d")
SCHEMA = Schema(NAMES)
TEXT = """
long: {distance: [a<, b]}
plot: {area: [a<, b, c]}
off: {from_line: [d, a<, b]}
lines: {angle: [a<, b, c, d]}
"share & way": {ratio: [plot, long]}
"""


def table() -> Table:
    points = np.array([(40, 40), (60, 40), (60, 50), (40, 55)]) + np.random.default_rng(0).normal(size=(8, 4, 2)) * 0.3
    points[5] = [(30, 20), (90, 20), (90, 60), (95, 52)]
    labels = Labels.from_xy(SCHEMA, [f"{i}.png" for i in range(8)], points)
    return measure(replace(labels, px_90=np.full((8, 4), 2.5)), parse(TEXT, SCHEMA))


def test_the_specimen_lies_under_its_landmarks(tmp_path: Path) -> None:
    picture = Image.new("RGB", (100, 80))
    picture.putpixel((90, 60), (255, 0, 0))
    picture.save(tmp_path / "5.png")
    text = page(table(), FolderPictures(tmp_path))
    view = re.search(r'class="photo" viewBox="(\d+) (\d+) (\d+) (\d+)"', text)
    uri = re.search(
        r'<image href="data:image/webp;base64,([^"]+)" x="(\d+)" y="(\d+)" width="(\d+)" height="(\d+)"', text
    )
    assert view
    assert uri
    left, top, width, height = map(int, view.groups())
    assert (left, top) == (7, 0)
    assert left + width == 100
    assert uri.groups()[1:] == view.groups()
    shown = Image.open(io.BytesIO(base64.b64decode(uri[1]))).convert("RGB")
    assert shown.size == (width, height)
    brightest = np.unravel_index(np.argmax(np.asarray(shown)[..., 0]), (height, width))
    assert brightest == pytest.approx((60 - top, 90 - left), abs=1)
    assert '<circle cx="90.5" cy="60.5" r="2.5"><title>c</title>' in text
    assert "M30.5 20.5L90.5 20.5" in text
    assert text.index("5.png") < text.index("All specimens")


def test_what_is_measured_is_drawn_in_its_pieces(tmp_path: Path) -> None:
    Image.new("RGB", (100, 80)).save(tmp_path / "5.png")
    text = page(table(), FolderPictures(tmp_path))
    for line in (
        "M30.5 20.5L90.5 20.5L90.5 60.5Z",  # an area is closed
        "M95.5 52.5M30.5 20.5L90.5 20.5",  # a point beside a line
        "M30.5 20.5L90.5 20.5M90.5 60.5L95.5 52.5",  # two lines
    ):
        assert line in text
    assert "<strong>share &amp; way: " in text
    assert "a&lt;" in text


def test_a_picture_that_is_not_there_is_told(tmp_path: Path) -> None:
    text = page(table(), FolderPictures(tmp_path))
    assert "Its picture is not at hand: name the folder" in text
    (tmp_path / "5.png").write_bytes(b"broken")
    assert "Its picture is not at hand" in page(table(), FolderPictures(tmp_path))


def test_where_nothing_is_unlikely(tmp_path: Path) -> None:
    whole = table()
    text = page(replace(whole, robust_z=np.zeros_like(whole.robust_z)), FolderPictures(tmp_path))
    assert "No value is far from those of the others." in text
    assert re.search(r"<td>long \(px\)</td><td>8</td><td>20", text)
