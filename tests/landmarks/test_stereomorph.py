"""StereoMorph's shapes, in the layout that its R package writes and reads."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import UNLABELLED, VISIBLE, Labels, Schema
from lead.landmarks.formats import format_named
from lead.landmarks.io import read_labels
from lead.landmarks.pictures import Sized

# As list2XML4R of the package lays a list of shapes out.
SHAPES = """<shapes type=list>
\t<image.name type=vector names=FALSE length=1 as.numeric=FALSE >cup 1.jpg</image.name>
\t<scaling.units type=vector names=FALSE length=1 as.numeric=FALSE >cm</scaling.units>
\t<scaling type=vector names=FALSE length=1 as.numeric=TRUE >0.0084</scaling>
\t<landmarks.pixel type=matrix rownames=TRUE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
\t\thandle top\t1041\t324.5
\t\trim\tNA\tNA
\t\tbase\t1027\t1209
\t</landmarks.pixel>
\t<landmarks.scaled type=matrix rownames=TRUE colnames=FALSE nrow=3 ncol=2 as.numeric=TRUE >
\t\thandle top\t8.74\t-2.72
\t\trim\tNA\tNA
\t\tbase\t8.62\t-10.15
\t</landmarks.scaled>
\t<curves.control type=list>
\t\t<edge type=matrix rownames=FALSE colnames=FALSE nrow=2 ncol=2 as.numeric=TRUE >
\t\t\t1\t2
\t\t\t3\t4
\t\t</edge>
\t</curves.control>
</shapes>
"""


def test_reads_the_shapes_of_a_picture(tmp_path: Path) -> None:
    (tmp_path / "cup_1.txt").write_text(SHAPES)
    labels, known = read_labels(tmp_path / "cup_1.txt")
    assert known.name == "stereomorph"
    assert labels.images == ("cup 1.jpg",)
    assert labels.schema.names == ("handle top", "rim", "base")
    assert labels.visible.tolist() == [[VISIBLE, UNLABELLED, VISIBLE]]
    assert labels.xy[0, [0, 2]].tolist() == [[1041, 324.5], [1027, 1209]]
    assert labels.where(0, 2) == f"{tmp_path / 'cup_1.txt'}, line 8: "
    assert labels.places is not None
    told = "1 picture with curves; 1 picture with a scale; 1 picture with landmarks at scale"
    assert labels.places.left_out == told


def test_a_file_that_names_no_picture_is_that_of_the_picture_called_so(tmp_path: Path) -> None:
    text = re.sub(r"\t<image.name.*\n", "", SHAPES).replace("rownames=TRUE", "rownames=FALSE")
    text = re.sub(r"\t(handle top|rim|base)\t", "\t", text)
    (tmp_path / "cup_1.txt").write_text(text)
    Image.new("RGB", (9, 9)).save(tmp_path / "cup_1.png")
    labels = load_labels(tmp_path / "cup_1.txt")
    assert labels.images == ("cup_1.png",)
    assert labels.schema.names == ("1", "2", "3")
    assert labels.xy[0, 0].tolist() == [1041, 324.5]


def test_a_folder_of_shapes_and_other_texts(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a/1.txt").write_text(SHAPES)
    (tmp_path / "2.txt").write_text(SHAPES.replace("base", "foot").replace("cup 1", "cup 2"))
    (tmp_path / "notes.txt").write_bytes(b"Gem\xe4\xdf Ann")
    (tmp_path / "names.txt").write_text("handle top\n")
    labels, known = read_labels(tmp_path)
    assert known.name == "stereomorph"
    assert labels.images == ("cup 2.jpg", "a/cup 1.jpg")
    assert labels.schema.names == ("handle top", "rim", "foot", "base")
    (tmp_path / "3.txt").write_text(SHAPES.replace("cup 1", "cup 2"))
    with pytest.raises(LeadError, match=r"3\.txt: its picture 'cup 2\.jpg' is also that of 2\.txt"):
        load_labels(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SHAPES.replace("\t1027\t1209", "\t1027"), "line 8: 2 fields, not a name, x and y"),
        (SHAPES.replace("1209", "low"), "line 8: y of 'base' is 'low'"),
        (SHAPES.replace("1209", "NA"), "line 8: of 'base', one is blank"),
        (SHAPES.replace("\t\tbase\t1027", "\t\thandle top\t1027"), "line 8: 'handle top' stands already in line 6"),
        (SHAPES[: SHAPES.index("\t</landmarks.pixel>")], "line 5: <landmarks.pixel> does not end"),
        (re.sub(r"\t\t(handle top|rim|base)\t.*\n", "", SHAPES), "no landmark in its <landmarks.pixel>"),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(LeadError, match=message):
        load_labels(tmp_path / "a.txt")


def test_writes_what_the_package_reads(tmp_path: Path) -> None:
    """Line by line as its reader takes a file apart: tags at the end of lines, rows split at tabs."""
    labels = Labels.from_xy(Schema(("head", "a < b")), ["x/one.png"], [[[10.25, 20], [np.nan, np.nan]]])
    save_labels(labels, tmp_path / "out", format="stereomorph")
    text = (tmp_path / "out/x/one.txt").read_text(encoding="utf-8")
    lines = [line.lstrip("\t") for line in text.splitlines()]
    assert lines == [
        "<shapes type=list>",
        "<image.name type=vector names=FALSE length=1 as.numeric=FALSE >one.png</image.name>",
        "<landmarks.pixel type=matrix rownames=TRUE colnames=FALSE nrow=2 ncol=2 as.numeric=TRUE >",
        "head\t10.25\t20.0",
        "a &lt; b\tNA\tNA",
        "</landmarks.pixel>",
        "</shapes>",
    ]
    with pytest.raises(LeadError, match="it holds a tab"):
        format_named("stereomorph").dump(Labels.from_xy(Schema(("a\tb",)), ["a.png"], [[[1, 2]]]), Sized({}))
    both = Labels.from_xy(Schema(("a",)), ["1.png", "1.jpg"], [[[1, 2]], [[3, 4]]])
    with pytest.raises(LeadError, match="Give them different names"):
        format_named("stereomorph").dump(both, Sized({}))
