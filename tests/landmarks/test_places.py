"""Where labels stand in their files, beside the files themselves: a label's own numbers stand in the line it names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.images.labels import load_labels
from lead.landmarks import Labels, Schema
from lead.landmarks.format import Format
from lead.landmarks.formats import WRITTEN, format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.pictures import Sized

IMAGES = ("11.png", "1.png", "x/1.png")
XY = np.array([[[101.5, 102.5], [103.5, 104.5]], [[np.nan, np.nan], [107.5, 108.5]], [[109.5, 110.5], [111.5, 112.5]]])
LABELS = Labels.from_xy(Schema(("eye", "eye tip")), IMAGES, XY)
SIZES = Sized(dict.fromkeys(IMAGES, (400, 300)))


def in_file(format: str, x: float, y: float) -> tuple[str, ...]:
    """The numbers of a label as a format writes them."""
    return {"tps": (f"{x}", f"{300 - y}"), "pts": (f"{x + 1}", f"{y + 1}")}.get(format, (f"{x}", f"{y}"))


@pytest.mark.parametrize("format", ["csv", "deeplabcut", "tps", "cvat"])
def test_a_label_knows_its_line(format: str) -> None:
    text = format_named(format).dump(LABELS, SIZES).decode()
    lines = ("a first line\n" + text).splitlines()  # counted from 1
    labels, _ = parse_labels(text.encode(), "some file", pictures=SIZES)
    for row, k in np.argwhere(np.isfinite(labels.xy[..., 0])).tolist():
        number = re.fullmatch(r"some file, line (\d+): ", labels.where(row, k))
        assert number
        assert all(value in lines[int(number[1])] for value in in_file(format, *labels.xy[row, k]))
    some = labels.take([2, 0]).only(labels.schema.names[::-1])
    assert [some.where(0, 1), some.where(1, 0)] == [labels.where(2, 0), labels.where(0, 1)]
    assert labels.where(1) in {labels.where(1, 0), labels.where(1, 1)}


def test_a_wide_csv_and_blank_lines_and_comments_before_the_points() -> None:
    wide = "image,a_x,a_y\n\n\np.png,1,2\nq.png,3,4\n"
    labels, _ = parse_labels(wide.encode(), "w.csv")
    assert [labels.where(0, 0), labels.where(1, 0)] == ["w.csv, line 4: ", "w.csv, line 5: "]
    quoted = 'image,name,x,y\n"two\nlines.png",a,1,2\np.png,a,3,4\n'
    labels, _ = parse_labels(quoted.encode(), "q.csv")
    assert labels.where(1, 0) == "q.csv, line 4: "
    tps = "LM=1\n\n1 2\nOUTLINES=1\nPOINTS=1\n7 7\nIMAGE=p.png\nLM=1\n3 4\nIMAGE=q.png\n"
    labels, _ = parse_labels(tps.encode(), "t.tps", pictures=Sized(dict.fromkeys(("p.png", "q.png"), (9, 9))))
    assert [labels.where(0, 0), labels.where(1, 0)] == ["t.tps, line 3: ", "t.tps, line 9: "]


def test_json_names_the_entry() -> None:
    labels, _ = parse_labels(format_named("coco").dump(LABELS.take([2]), SIZES), "c.json")
    assert labels.where(0, 0) == "c.json, annotations[0]: "
    with_more = b'{"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}], "categories": [{"id": 1,'
    with_more += b' "keypoints": ["p"]}, {"id": 2}], "annotations": [{"image_id": 1, "category_id": 2},'
    with_more += b' {"image_id": 2, "category_id": 1, "keypoints": [1, 2, 2]}]}'
    labels, _ = parse_labels(with_more, "c.json")
    assert [labels.where(0), labels.where(1, 0)] == ["c.json, images[0]: ", "c.json, annotations[1]: "]
    labels, _ = parse_labels(format_named("labelstudio").dump(LABELS, SIZES), "l.json")
    assert labels.where(2, 0) == "l.json, task 3: "


def test_of_several_files_the_file_is_named(tmp_path: Path) -> None:
    points = "version: 1\nn_points: 1\n{\n\n2 3\n}\n"
    for name in ("a.pts", "b/a.pts"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(points)
    labels = load_labels(tmp_path)
    assert [labels.where(row, 0) for row in range(2)] == [f"{tmp_path}, {f}, line 5: " for f in ("a.pts", "b/a.pts")]
    assert load_labels(tmp_path / "a.pts").where(0, 0) == f"{tmp_path / 'a.pts'}, line 5: "
    packed, _ = parse_labels(format_named("pts").dump(LABELS, SIZES), "all.zip")
    assert packed.where(2, 1) == "all.zip, x/1.pts, line 5: "


def test_of_a_deeplabcut_project_the_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("scorer: Ann\nbodyparts:\n- tail\n- snout\n")
    for video, line in (("v", "labeled-data/v/1.png,1,2,3,4"), ("w", "labeled-data/w/1.png,5,6,,")):
        folder = tmp_path / "labeled-data" / video
        folder.mkdir(parents=True)
        Image.new("RGB", (9, 9)).save(folder / "1.png")
        head = "scorer,Ann,Ann,Ann,Ann\nbodyparts,snout,snout,tail,tail\ncoords,x,y,x,y\n"
        (folder / "CollectedData_Ann.csv").write_text(f"{head}{line}\n")
    labels = load_labels(tmp_path)
    assert labels.schema.names == ("tail", "snout")
    assert labels.where(1, 1) == f"{tmp_path}, labeled-data/w/CollectedData_Ann.csv, line 4: "


@pytest.mark.parametrize("known", WRITTEN, ids=[known.name for known in WRITTEN])
def test_every_format_names_at_least_its_file(known: Format) -> None:
    labels, _ = parse_labels(known.dump(LABELS, SIZES), "some file", pictures=SIZES)
    row, k = np.argwhere(np.isfinite(labels.xy[..., 0])).tolist()[-1]
    assert labels.where(row, k).startswith("some file")
    assert (labels.where(row, k) == "some file: ") == (known.name in ("deeplabcut-h5", "sleap"))
