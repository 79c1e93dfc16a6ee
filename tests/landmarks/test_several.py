"""Formats in which a picture may show several specimens, and what happens where one may not."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image
from several import BUSY, NAN, SIZES, assert_specimens_kept, crowds

from lead.conversion import convert
from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels, Schema, coco
from lead.landmarks.format import Format
from lead.landmarks.formats import FORMATS, WRITTEN, format_named
from lead.landmarks.io import parse_labels, write_labels
from lead.landmarks.pictures import Sized

HOLD = [
    known.name
    for known in WRITTEN
    if known.holds_several and known.name not in ("deeplabcut", "deeplabcut-h5", "imglab")  # see test_several_tools.py
]
ONE = Labels.from_xy(BUSY.schema, ["a/one.png", "two.png"], np.array([[[1, 2], [3, 4]], [[5, 6.5], [NAN, NAN]]]))


def holdable(known: Format, labels: Labels) -> Labels:
    """The labels without what a format lacks, and so without specimens that were that alone."""
    if "boxes" in known.lacks:
        rows = labels.rows_of()
        seen = np.any(labels.visible > 0, axis=1).tolist()
        kept = [row for of in rows.values() for row in ([r for r in of if seen[r]] or of[:1])]
        labels = replace(labels, boxes=None).take(kept)
    return labels


@pytest.mark.parametrize("name", HOLD)
def test_specimens_are_read_as_they_were_written(name: str, tmp_path: Path) -> None:
    known = format_named(name)
    write_labels(BUSY, tmp_path / "a.zip", pictures=Sized(SIZES), format=name)
    data = (tmp_path / "a.zip").read_bytes()
    again, recognised = parse_labels(data, "x", pictures=Sized(SIZES), several=True)
    assert recognised.name == name
    assert_specimens_kept(known, holdable(known, BUSY), again)


@pytest.mark.parametrize("name", HOLD)
@settings(max_examples=25, deadline=None)
@given(labels=crowds())
def test_any_specimens_are_read_as_they_were_written(name: str, labels: Labels) -> None:
    known = format_named(name)
    if not labels.is_specimen.any() or not (labels.visible > 0).any():
        return
    labels = holdable(known, labels)
    data = known.dump(labels, Sized(SIZES))
    again, _ = parse_labels(data, "x", pictures=Sized(SIZES), several=True, format=name)
    assert_specimens_kept(known, labels, again)


@pytest.mark.parametrize("name", HOLD)
def test_one_specimen_a_picture_is_read_as_before(name: str) -> None:
    known = format_named(name)
    data = known.dump(ONE, Sized(SIZES))
    one, several = (
        parse_labels(data, "x", pictures=Sized(SIZES), format=known.name, several=each)[0] for each in (False, True)
    )
    assert several.tracks is None
    assert several.boxes is None
    assert known.lost(several) == known.lost(one)
    assert one.images == several.images
    np.testing.assert_array_equal(one.xy, several.xy)
    np.testing.assert_array_equal(one.visible, several.visible)
    if name != "sleap":  # sleap-io writes the two of a flip pair in any order
        assert known.dump(replace(ONE, tracks=("", "")), Sized(SIZES)) == data


@pytest.mark.parametrize("known", WRITTEN, ids=[known.name for known in WRITTEN])
def test_a_format_of_one_specimen_a_picture_refuses_several(known: Format, tmp_path: Path) -> None:
    target = tmp_path / "out" if known.per_picture else tmp_path / f"a{known.extension}"
    if known.holds_several:
        lost = save_labels(BUSY, target, format=known.name, sizes=SIZES)
        assert "all but one specimen of a picture" not in lost
        return
    with pytest.raises(
        LeadError, match=rf"'a/one\.png' shows [23] specimens, and {known.name} holds one.*coco.*\(--to\)"
    ):
        save_labels(BUSY, target, format=known.name, sizes=SIZES)
    assert not target.exists()
    rest = BUSY.take([3, 4, 5])
    assert "which individual is which" in save_labels(rest, target, format=known.name, sizes=SIZES)


def test_convert_tells_what_cannot_hold_several(tmp_path: Path) -> None:
    for image, size in SIZES.items():
        (tmp_path / image).parent.mkdir(exist_ok=True)
        Image.new("RGB", size).save(tmp_path / image)
    save_labels(BUSY, tmp_path / "a.json", sizes=SIZES)
    with pytest.raises(LeadError, match=r"'a/one\.png' shows 2 specimens, and pts holds one"):
        convert(tmp_path / "a.json", tmp_path / "a.zip")
    said: list[str] = []
    done = convert(tmp_path / "a.json", tmp_path / "b.json", say=said.append)
    assert (done.lost, said) == ((), [])
    again = load_labels(tmp_path / "b.json", several=True)
    assert_specimens_kept(format_named("coco"), BUSY, again)


def test_convert_tells_where_a_reader_has_left_specimens_out(tmp_path: Path) -> None:
    data = json.loads(coco.dump(BUSY.take([0, 1]), Sized(SIZES)))
    data["annotations"][1] |= {"score": 0.5, "likely": None}
    (tmp_path / "a.json").write_text(json.dumps(data))
    said: list[str] = []
    convert(tmp_path / "a.json", tmp_path / "a.zip", target_format="pts", say=said.append)
    assert any(text.startswith("1 picture shows several specimens, and pts holds one of each") for text in said)


def test_specimens_of_several_files_are_one_set(tmp_path: Path) -> None:
    save_labels(BUSY.only(["head"]), tmp_path / "one.json", sizes=SIZES)
    save_labels(BUSY.only(["tail"]).take([1, 0]), tmp_path / "two.json", sizes=SIZES)
    with pytest.raises(
        LeadError, match=r"'a/one\.png' shows 3 specimens in .*one\.json.*, 2 in .*two\.json.*nothing tells"
    ):
        convert([tmp_path / "one.json", tmp_path / "two.json"], tmp_path / "a.json")
    named = BUSY.take([0, 1, 3])
    save_labels(named.only(["head"]), tmp_path / "one.json", sizes=SIZES, overwrite=True)
    convert([tmp_path / "one.json", tmp_path / "two.json"], tmp_path / "a.json")
    again = load_labels(tmp_path / "a.json", several=True)
    assert again.tracks == ("Ann", "7", "Ann")
    np.testing.assert_array_equal(again.xy[:2], named.xy[:2])
    assert again.complete == {"a/one.png"}


# --- COCO -----------------------------------------------------------------------------------------------------------

CATEGORY = {"id": 1, "name": "beetle", "keypoints": ["head", "tail"]}


def coco_text(*annotations: dict[str, Any], categories: Any = (CATEGORY,), **image: Any) -> str:
    images = [{"id": 5, "file_name": "a.png", "width": 90, "height": 90} | image]
    entries = [{"id": i, "image_id": 5, "category_id": 1} | entry for i, entry in enumerate(annotations)]
    return json.dumps({"images": images, "annotations": entries, "categories": list(categories)})


ANN: dict[str, Any] = {"keypoints": [1, 2, 2, 3, 4, 1], "bbox": [0, 1, 5, 6]}
BOB: dict[str, Any] = {"keypoints": [11, 12, 2, 0, 0, 0], "track_id": 3}


def test_each_annotation_is_a_specimen() -> None:
    labels = coco.parse(coco_text(ANN, BOB, {"bbox": [20, 20, 4, 4]}), several=True)
    assert labels.images == ("a.png",) * 3
    assert labels.tracks == ("", "3", "")
    assert labels.boxes is not None
    np.testing.assert_array_equal(labels.boxes, [[0, 1, 5, 6], [NAN] * 4, [20, 20, 4, 4]])
    assert labels.visible.tolist() == [[2, 1], [2, 0], [0, 0]]
    assert labels.predicted is None
    with pytest.raises(LeadError, match="one instance a picture is supported"):
        coco.parse(coco_text(ANN, BOB))


def test_a_crowd_is_no_specimen() -> None:
    crowd = {"keypoints": [0] * 6, "bbox": [0, 0, 50, 50], "iscrowd": 1}
    labels = coco.parse(coco_text(ANN, crowd, BOB | {"track_id": None}), several=True)
    assert len(labels) == 2
    assert labels.places is not None
    assert labels.places.left_out == "1 annotation of a crowd (annotations[1])"


@pytest.mark.parametrize("box", [[2, 2, 0, 5], [1, 2, 3], "box", [1, None, 3, 4], None, [1, 2, 2, 2]])
def test_what_is_no_box_or_that_of_the_landmarks_is_none(box: Any) -> None:
    assert coco.parse(coco_text(ANN | {"bbox": box}), several=True).boxes is None


def test_a_score_is_of_the_box_only_where_our_key_says_so() -> None:
    theirs = coco.parse(coco_text(ANN | {"score": 0.5}, BOB), several=True)
    assert theirs.likely is None
    assert theirs.is_predicted.tolist() == [[True, True], [False, False]]
    ours = coco.parse(coco_text(ANN | {"score": 0.5, "likely": 0.5}, BOB), several=True)
    np.testing.assert_array_equal(ours.likely, [0.5, NAN])
    assert ours.predicted is None


def test_an_individual_that_stands_twice_in_a_picture_is_named_once() -> None:
    labels = coco.parse(coco_text(BOB, ANN | {"track_id": 3}), several=True)
    assert labels.tracks == ("3", "")
    assert labels.places is not None
    assert labels.places.left_out == "1 track_id standing twice in a picture (annotations[1])"


def test_things_of_two_kinds_are_side_by_side_unless_there_are_several_of_one() -> None:
    ruler = {"id": 2, "name": "ruler", "keypoints": ["zero"]}
    zero = {"category_id": 2, "keypoints": [7, 8, 2], "bbox": [6, 6, 9, 9]}
    one = coco.parse(coco_text(zero, ANN, categories=[CATEGORY, ruler]), several=True)
    assert one.schema.names == ("head", "tail", "ruler zero")
    assert one.visible.tolist() == [[2, 1, 2]]
    np.testing.assert_array_equal(one.boxes, [[0, 1, 5, 6]])
    two = coco.parse(coco_text(zero, ANN, BOB, categories=[CATEGORY, ruler]), several=True)
    assert two.visible.tolist() == [[0, 0, 2], [2, 1, 0], [2, 0, 0]]
    np.testing.assert_array_equal(two.boxes, [[6, 6, 9, 9], [0, 1, 5, 6], [NAN] * 4])


def test_a_picture_in_which_all_is_labelled_says_so() -> None:
    assert coco.parse(coco_text(ANN, complete=True), several=True).complete == {"a.png"}
    assert coco.parse(coco_text(ANN, complete="yes"), several=True).complete == frozenset()
    assert coco.parse(coco_text(ANN, complete=True)).complete == frozenset()
    assert json.loads(coco.dump(BUSY))["images"][0] == {"id": 1, "file_name": "a/one.png", "complete": True}


def test_pycocotools_finds_the_specimens_and_ranks_results_by_how_likely_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    schema = Schema(("head", "tail"))
    xy = np.array([[[10, 20], [30, 40]], [[60, 20], [90, 40]], [[10, 50], [30, 55]]], dtype=float)
    images = ("a.png", "a.png", "b.png")
    hand = Labels(schema, images, xy, np.full((3, 2), 2, dtype=np.int8), tracks=("", "", ""))
    found = replace(
        hand,
        images=("a.png", "a.png", "a.png", "b.png"),
        xy=np.concatenate([xy[:1] + 300, xy]),  # the first is nowhere
        visible=np.full((4, 2), 2, dtype=np.int8),
        score=np.full((4, 2), 0.5),
        likely=np.array([0.1, 0.9, 0.8, 0.7]),
        tracks=("",) * 4,
    )
    save_labels(hand, tmp_path / "hand.json")
    truth = COCO(str(tmp_path / "hand.json"))
    assert [len(truth.getAnnIds(imgIds=[number])) for number in (1, 2)] == [2, 1]

    def precision(labels: Labels, name: str) -> float:
        save_labels(labels, tmp_path / name, format="coco-results")
        evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / name)), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.full(2, 0.1)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        return float(evaluation.stats[0])

    assert precision(found, "sure.json") == 1
    assert (
        precision(replace(found, likely=np.array([0.9, 0.8, 0.7, 0.1])), "unsure.json") < 1
    )  # the one that is nowhere comes first
    entries = json.loads((tmp_path / "sure.json").read_text())
    assert [(entry["image_id"], entry["category_id"], entry["score"]) for entry in entries] == [
        (1, 1, 0.1),
        (1, 1, 0.9),
        (1, 1, 0.8),
        (2, 1, 0.7),
    ]
    assert json.loads(coco.dump_results(replace(found, likely=None)))[0]["score"] == 0.5
    capsys.readouterr()


def test_results_are_only_written(tmp_path: Path) -> None:
    save_labels(BUSY, tmp_path / "a.json", format="coco-results")
    with pytest.raises(LeadError, match="this format is written, but not read"):
        load_labels(tmp_path / "a.json", format="coco-results")
    assert "coco-results" not in [known.name for known in FORMATS]
