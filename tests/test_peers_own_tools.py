"""What other tools are given to learn from is what our labels say."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from benchmarks.peers.beside import joined
from benchmarks.peers.dlib_shape import tight_box, training_file, usual_box
from lead.images.labels import load_labels


def test_dlib_is_told_the_pixels_of_a_tps_in_the_order_of_the_landmarks(tmp_path: Path) -> None:
    # A black picture with a white pixel for each of twelve landmarks; the TPS counts y from below, as tpsDig does.
    spots = [(3 + 5 * k, 4 + (7 * k) % 30) for k in range(12)]
    picture = np.zeros((40, 70), dtype=np.uint8)
    for x, y in spots:
        picture[y, x] = 255
    Image.fromarray(picture).save(tmp_path / "a.png")
    lines = [f"{x} {40 - y}" for x, y in spots]
    (tmp_path / "a.tps").write_text("\n".join(["LM=12", *lines, "IMAGE=a.png", "ID=0", ""]))
    text = training_file(load_labels(tmp_path / "a.tps", pictures=tmp_path), tmp_path)
    (image,) = ElementTree.fromstring(text).iter("image")
    assert Path(image.attrib["file"]).is_absolute()
    # dlib sorts the names as text, and part(i) of what it finds is the i-th of them
    parts = sorted(image.iter("part"), key=lambda part: part.attrib["name"])
    assert [(int(part.attrib["x"]), int(part.attrib["y"])) for part in parts] == spots
    (box,) = image.iter("box")
    left, top, width, height = (int(box.attrib[key]) for key in ("left", "top", "width", "height"))
    rows, columns = np.nonzero(picture)
    assert (left, left + width - 1) == (columns.min(), columns.max())
    assert (top, top + height - 1) == (rows.min(), rows.max())


def test_a_tight_box_holds_its_last_pixels_and_leaves_out_what_is_unlabelled() -> None:
    points = np.array([[2.4, 9.0], [np.nan, np.nan], [7.6, 3.0], [5.0, 5.0]])
    assert tight_box(points) == (2, 3, 8, 9)


def test_the_usual_box_grows_with_the_picture() -> None:
    boxes = np.array([[10, 20, 29, 59], [20, 40, 59, 119]])  # the same in a picture twice as large
    sizes = np.array([[100, 100], [200, 200]])
    assert usual_box(boxes, sizes, np.array([400, 400])) == (40, 80, 119, 239)


def test_tools_stand_beside_one_another_by_their_labels(tmp_path: Path) -> None:
    common = '"mean": 1.0, "sd": 0.1, "median": 0.9, "px_median": 3.0, "near": "1/2", "means": [1.0], "medians": [0.9]'
    (tmp_path / "large-wings-test.json").write_text(
        f'{{"commit": "a", "rows": [{{"arm": "before", "labels": 20, {common}}},'
        f' {{"arm": "local", "labels": 20, {common.replace("[1.0]", "[2.0, 5.0]").replace("[0.9]", "[1.5, 7.0]")}}},'
        f' {{"arm": "local", "labels": 5, {common}}}]}}'
    )
    (tmp_path / "dlib-shape-wings-test.json").write_text(
        f'{{"commit": "b", "rows": [{{"box": "true", "labels": "all", {common}}},'
        f' {{"box": "true", "labels": "20", {common}}}, {{"box": "found", "labels": "20", {common}}}]}}'
    )
    rows, commits = joined(tmp_path)
    assert [(row["labels"], row["tool"]) for row in rows] == [
        ("20", "`lead`"),
        ("20", "dlib, found box"),
        ("20", "dlib, true box"),
        ("all", "dlib, true box"),
    ]
    assert [row["ours"] for row in rows] == ["–", "2.00/1.50", "2.00/1.50", "–"]  # of the first draw alone
    assert commits == {"large-wings-test": "a", "dlib-shape-wings-test": "b"}
