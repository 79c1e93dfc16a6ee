"""dlib's XML, as its documentation and its own data sets write it."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import HIDDEN, VISIBLE, Labels, Schema
from lead.landmarks.formats import format_named
from lead.landmarks.io import read_labels
from lead.landmarks.pictures import Sized

HEAD = "<?xml version='1.0' encoding='ISO-8859-1'?>\n<?xml-stylesheet type='text/xsl' href='image_metadata.xsl'?>\n"
PARTS = "<part name='{0}' x='10' y='20'/>\n<part name='{1}' x='30' y='40'/>\n"
BOX = "<box top='5' left='5' width='60' height='60'>\n<label>beetle</label>\n{0}</box>\n"


def written(*images: str) -> str:
    return f"{HEAD}<dataset>\n<name>x</name>\n<images>\n{''.join(images)}</images>\n</dataset>\n"


def image(name: str, inside: str = BOX.format(PARTS.format("head", "tail"))) -> str:
    return f"<image file='{name}' width='128' height='96'>\n{inside}</image>\n"


def test_reads_the_parts_of_each_picture(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(written(image("one.jpg"), image("set\\two.jpg", "")))
    labels, known = read_labels(tmp_path / "a.xml")
    assert known.name == "imglab"
    assert labels.images == ("one.jpg", "set/two.jpg")
    assert labels.schema.names == ("head", "tail")
    assert labels.xy[0].tolist() == [[10, 20], [30, 40]]
    assert labels.visible.tolist() == [[VISIBLE, VISIBLE], [0, 0]]
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[128, 96], [128, 96]]
    assert labels.where(0, 1) == f"{tmp_path / 'a.xml'}, line 10: "


def test_parts_that_are_numbers_come_in_their_order(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(written(image("one.jpg", BOX.format(PARTS.format("10", "9")))))
    labels = load_labels(tmp_path / "a.xml")
    assert labels.schema.names == ("9", "10")
    assert labels.xy.tolist() == [[[30, 40], [10, 20]]]


def test_what_has_no_place_is_left_out_and_told(tmp_path: Path) -> None:
    ignored = BOX.format(PARTS.format("head", "tail")).replace("<box", "<box ignore='1'")
    several = BOX.format(PARTS.format("head", "tail")) * 2
    inside = ignored + BOX.format("") + BOX.format(PARTS.format("head", "tail"))
    (tmp_path / "a.xml").write_text(written(image("one.jpg", inside), image("two.jpg", several)))
    labels = load_labels(tmp_path / "a.xml")
    assert labels.images == ("one.jpg",)
    assert labels.places is not None
    told = "1 box to be ignored; 1 box without parts; 1 picture (two.jpg): several things in the picture, where one is "
    assert labels.places.left_out.startswith(told)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (written(image("one.jpg"), image("one.jpg")), "line 13: picture 'one.jpg' stands more than once"),
        (written(image("")), "line 6: this image has no file"),
        (written(image("a.jpg", BOX.format(PARTS.format("head", "head")))), "line 10: part 'head' stands already in"),
        (written(image("a.jpg")).replace("'40'", "'forty'"), "line 10: y of 'tail' is 'forty'"),
        (written(image("a.jpg")).replace(" y='40'", ""), "line 10: part 'tail' lacks its x or y"),
        (written(image("a.jpg", BOX.format(""))), r"no <part> in it.*Left out: 1 box without parts"),
        (written(image("a.jpg")).replace("</image>", ""), "not well-formed XML"),
        (written(image("a.jpg")).replace("<dataset>", "<!DOCTYPE a [<!ENTITY b 'c'>]><dataset>"), "document type"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(text)
    with pytest.raises(LeadError, match=message):
        load_labels(tmp_path / "a.xml")


def test_writes_whole_pixels_in_a_box_around_them(tmp_path: Path) -> None:
    schema = Schema(("head", "tail & 'tip'"))
    labels = Labels(schema, ("one.png",), np.array([[[10.4, 20.6], [3, 4]]]), np.array([[VISIBLE, HIDDEN]]))
    Image.new("RGB", (50, 40)).save(tmp_path / "one.png")
    assert save_labels(labels, tmp_path / "a.xml", format="imglab") == [
        "which points are hidden",
        "fractions of a pixel",
    ]
    root = ElementTree.parse(tmp_path / "a.xml").getroot()
    found = root.find("images/image")
    assert found is not None
    assert found.attrib == {"file": "one.png", "width": "50", "height": "40"}
    box = found.find("box")
    assert box is not None
    left, top, width, height = (int(box.attrib[key]) for key in ("left", "top", "width", "height"))
    assert (left, top, left + width - 1, top + height - 1) == (3, 4, 10, 21)
    parts = [(part.get("name"), part.get("x"), part.get("y")) for part in box.iter("part")]
    assert parts == [("head", "10", "21"), ("tail & 'tip'", "3", "4")]  # dlib reads nothing but whole numbers


def test_a_character_that_xml_cannot_hold_is_refused() -> None:
    labels = Labels.from_xy(Schema(("a\x00",)), ["a.png"], [[[1, 2]]])
    with pytest.raises(LeadError, match=r"cannot stand in XML"):
        format_named("imglab").dump(labels, Sized({}))


def test_names_that_are_in_another_code_page_as_the_file_declares(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes(written(image("Käfer.jpg")).encode("latin-1"))
    (tmp_path / "b.xml").write_bytes(written(image("Käfer.jpg")).encode())  # dlib declares the same of UTF-8
    for name in ("a.xml", "b.xml"):
        labels, known = read_labels(tmp_path / name)
        assert known.name == "imglab"
        assert labels.images == ("Käfer.jpg",)
