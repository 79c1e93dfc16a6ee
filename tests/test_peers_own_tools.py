"""What other tools are given to learn from is what our labels say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from benchmarks.peers.beside import joined
from benchmarks.peers.dlib_shape import tight_box, training_file, usual_box
from benchmarks.peers.sleap_nn import Trainings, ours, ranked, without_answers
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels
from lead.landmarks.model import VISIBLE, Schema


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


def two_flies(images: tuple[str, ...]) -> Labels:
    """Two specimens in each picture, of three landmarks; the second has no third one."""
    xy = np.arange(len(images) * 6, dtype=np.float64).reshape(-1, 3, 2) + 0.25
    xy[1::2, 2] = np.nan
    visible = np.where(np.isfinite(xy).all(-1), VISIBLE, 0).astype(np.int8)
    schema = Schema(("a", "b", "c"), skeleton=(("a", "b"), ("b", "c")))
    return Labels(schema, images, xy, visible, tracks=("",) * len(images))


def test_sleap_is_given_all_specimens_by_whole_paths_and_no_answers_to_predict_from(tmp_path: Path) -> None:
    sleap_io = pytest.importorskip("sleap_io")
    for name in ("a.png", "b.png"):
        Image.new("L", (40, 30)).save(tmp_path / name)
    labels = two_flies(("a.png", "a.png", "b.png", "b.png"))
    trainings = Trainings(labels, labels, tmp_path)
    given = sleap_io.load_slp(str(trainings.write(labels, tmp_path / "train.slp")), open_videos=False)
    assert given.skeletons[0].edge_names == [("a", "b"), ("b", "c")]
    np.testing.assert_array_equal([one.numpy() for frame in given for one in frame.instances], labels.xy)
    assert [Path(name) for name in given.video.filename] == [tmp_path / "a.png", tmp_path / "b.png"]
    asked = without_answers(labels, ["b.png", "a.png"])
    asked_of = sleap_io.load_slp(str(trainings.write(asked, tmp_path / "test.slp")), open_videos=False)
    assert sorted(asked_of.video.filename[frame.frame_idx][-5:] for frame in asked_of) == ["a.png", "b.png"]
    assert not any(frame.instances for frame in asked_of)


def test_what_sleap_predicts_is_ranked_by_the_landmarks_that_it_found(tmp_path: Path) -> None:
    labels = two_flies(("a.png", "a.png"))
    score = np.array([[0.9, 0.6, 0.3], [0.8, 0.4, np.nan]])
    whole = tuple((tmp_path / image).as_posix() for image in labels.images)
    predicted = replace(labels, images=whole, score=score, predicted=np.ones(score.shape, dtype=bool))
    pytest.importorskip("sleap_io")
    save_labels(predicted, tmp_path / "found.slp", sizes=dict.fromkeys(whole, (40, 30)))
    found = ranked(load_labels(tmp_path / "found.slp", several=True), tmp_path)
    assert found.images == labels.images
    np.testing.assert_array_equal(found.xy, labels.xy)
    np.testing.assert_allclose(found.likely, [0.6, 0.6])  # type: ignore[arg-type]


def test_our_own_time_beside_others_is_that_of_all_cores() -> None:
    fits = [{"labels": 5, "ms": 10.0, "of_draws": [[], []]}, {"labels": 20, "ms": 20.0, "of_draws": [[], []]}]
    machine, learnt = {"cores": 4, "threads": 3}, {"run": {"distill_seconds": 100.0}}
    record = {"machine": machine, "took": 40, "run": learnt, "rows": fits}
    assert [(made["seconds"], made["ms"], made["draws"]) for made in ours(record)] == [
        (430.0, 30.0, 2),
        (430.0, 60.0, 2),
    ]
