"""Every format: round trips, recognition by content, and what the tools' own libraries make of our files."""

from __future__ import annotations

import json
import pickle
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from lead.errors import LeadError
from lead.images.doubts import doubts
from lead.images.folder_pictures import FolderPictures
from lead.images.labels import load_labels, save_labels
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, labelme, per_picture
from lead.landmarks.format import Format
from lead.landmarks.formats import FORMATS, WRITTEN, format_named
from lead.landmarks.io import parse_labels, read_labels, write_labels
from lead.landmarks.model import numbered
from lead.landmarks.pictures import Sized

NAMES = [known.name for known in WRITTEN]
TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"], exclude_characters="/\\."), min_size=1, max_size=8
)
SCHEMA = Schema(("nose", "left eye", "right eye", "Schnäuzchen"), (("left eye", "right eye"),), (("nose", "left eye"),))
FACES = Labels(
    SCHEMA,
    ("a/one.png", "a/two.png", "b/three.png"),
    np.array(
        [
            [[10.5, 20.25], [1, 2], [3, 4], [0, 0.125]],
            [[30, 40], [5.0625, 6], [7, 8], [9, 10]],
            [[np.nan, np.nan], [11, 12], [np.nan, np.nan], [13, 14]],
        ]
    ),
    np.array([[2, 2, 2, 2], [2, 1, 2, 2], [0, 2, 0, 2]], dtype=np.int8),
)
SIZES = {"a/one.png": (101, 57), "a/two.png": (64, 64), "b/three.png": (33, 41)}
ACCEPTED = Labels(
    SCHEMA,
    FACES.images,
    FACES.xy,
    FACES.visible,
    accepted=np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]], dtype=bool),
)
SCORED = Labels(
    SCHEMA,
    FACES.images,
    FACES.xy,
    FACES.visible,
    score=np.where(FACES.visible > 0, np.linspace(0.1, 0.9, 12).reshape(3, 4), np.nan),
)


def assert_kept(known: Format, labels: Labels, again: Labels) -> None:
    """That nothing but what a format lacks has changed."""
    lacks = set(known.lacks)
    schema = labels.schema
    shown = (labels.visible > UNLABELLED).any(0)  # a landmark that stands nowhere is lost with the order
    order = list(range(len(schema.names)))
    if "names" in lacks:
        assert again.schema.names == numbered(len(schema.names))
    elif "order" in lacks:
        assert sorted(again.schema.names) == sorted(np.array(schema.names)[shown].tolist())
        order = [schema.names.index(name) for name in again.schema.names]
    else:
        assert again.schema.names == schema.names
    assert [Path(image).with_suffix("") for image in again.images] == [Path(i).with_suffix("") for i in labels.images]
    np.testing.assert_allclose(again.xy, labels.xy[:, order], atol=max(0.01, known.precision))
    visible = labels.visible[:, order]
    if "hidden" in lacks:
        visible = np.where(visible == HIDDEN, VISIBLE, visible)
    np.testing.assert_array_equal(again.visible, visible)
    if "flips" not in lacks:
        assert set(map(frozenset, again.schema.flip_pairs)) == set(map(frozenset, schema.flip_pairs))
    if "skeleton" not in lacks:
        assert again.schema.skeleton == schema.skeleton
    if "accepted" not in lacks:
        np.testing.assert_array_equal(again.by_hand, labels.by_hand[:, order])
    else:
        assert again.accepted is None
    if "score" not in lacks and labels.score is not None:
        assert again.score is not None
        known_at = visible > UNLABELLED
        np.testing.assert_allclose(again.score[known_at], labels.score[:, order][known_at], atol=1e-6)


def recognised_as(name: str, labels: Labels) -> str:
    """The format that a file is read as: without a hidden point, Lightning Pose's is DeepLabCut's."""
    return "deeplabcut" if name == "lightningpose" and not (labels.visible == HIDDEN).any() else name


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("labels", [FACES, SCORED, ACCEPTED], ids=["labels", "predictions", "accepted"])
def test_round_trip_by_content_alone(name: str, labels: Labels) -> None:
    known = format_named(name)
    data = known.dump(labels, Sized(SIZES))
    again, recognised = parse_labels(data, "x", pictures=Sized(SIZES))
    assert recognised.name == recognised_as(name, labels)
    assert_kept(known, labels, again)


@st.composite
def any_labels(draw: st.DrawFn) -> tuple[Labels, dict[str, tuple[int, int]]]:
    names = tuple(draw(st.lists(TEXT, min_size=2, max_size=4, unique=True)))
    images = [f"{stem}.png" for stem in draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))]
    n, k = len(images), len(names)
    sizes = {image: (draw(st.integers(1, 5000)), draw(st.integers(1, 5000))) for image in images}
    unit = draw(st.lists(st.floats(0, 1), min_size=n * k * 2, max_size=n * k * 2))
    extent = np.array([sizes[image] for image in images], dtype=float)[:, None] - 1
    xy = np.reshape(unit, (n, k, 2)) * extent
    visible = np.reshape(draw(st.lists(st.integers(0, 2), min_size=n * k, max_size=n * k)), (n, k)).astype(np.int8)
    visible[0, 0] = VISIBLE  # of nothing at all there is nothing to keep
    accepted = np.reshape(draw(st.lists(st.booleans(), min_size=n * k, max_size=n * k)), (n, k))
    schema = Schema(names, ((names[0], names[1]),), ((names[1], names[0]),))
    return Labels(schema, tuple(images), xy, visible, accepted=accepted), sizes


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(drawn=any_labels())
def test_round_trip_of_anything(name: str, drawn: tuple[Labels, dict[str, tuple[int, int]]]) -> None:
    labels, sizes = drawn
    known = format_named(name)
    again, recognised = parse_labels(known.dump(labels, Sized(sizes)), "x", pictures=Sized(sizes))
    assert recognised.name == recognised_as(name, labels)
    if name == "sleap":  # of a frame without a point there is no instance, and SLEAP may order its videos by size
        order = [again.images.index(image) for image in labels.images]
        again = again.take(order)
    assert_kept(known, labels, again)


def test_what_is_lost_is_what_the_labels_have() -> None:
    assert format_named("coco").lost(SCORED) == format_named("coco").lost(ACCEPTED) == []
    assert format_named("sleap").lost(ACCEPTED) == ["which labels are accepted suggestions"]
    assert format_named("sleap").lost(FACES) == []
    assert format_named("deeplabcut").lost(FACES) == ["which points are hidden", "flip pairs", "the skeleton"]
    plain = Labels.from_xy(Schema(numbered(2)), ["a.png"], [[[1, 2], [3, 4]]])
    assert all(known.lost(plain) == [] for known in WRITTEN)


def test_a_named_format_is_not_guessed(tmp_path: Path) -> None:
    write_labels(FACES, tmp_path / "tasks.json", pictures=Sized(SIZES), format="labelstudio")
    assert read_labels(tmp_path / "tasks.json")[1].name == "labelstudio"
    with pytest.raises(LeadError, match=r"tasks.json: not COCO key points"):
        read_labels(tmp_path / "tasks.json", format="coco")
    with pytest.raises(LeadError, match=r"Unknown format 'labelstudoi'. Did you mean 'labelstudio'"):
        read_labels(tmp_path / "tasks.json", format="labelstudoi")


def test_an_unknown_file_says_which_formats_there_are() -> None:
    for data in (b"\x00\xff what", b"hello, world"):
        with pytest.raises(LeadError, match=r"^x is in none of the formats that are known: [\w, -]+\.$") as caught:
            parse_labels(data, "x")
        assert all(known.name in str(caught.value) for known in FORMATS)


def test_an_ending_says_which_formats_are_spoken_of(tmp_path: Path) -> None:
    with pytest.raises(LeadError) as caught:
        parse_labels(b"hello", "x.tps")
    assert str(caught.value) == "x.tps cannot be read. As TPS of tpsDig and geomorph: it has no line 'LM=number'."
    (tmp_path / "x.csv").write_text("hello")
    with pytest.raises(LeadError, match=r"As CSV.* it has no header line") as caught:
        read_labels(tmp_path / "x.csv")
    assert "SLEAP" not in str(caught.value)
    assert "--from" not in str(caught.value)


def test_what_is_no_json_says_the_line() -> None:
    with pytest.raises(LeadError, match=r"^x\.json: line 2: not valid JSON"):
        parse_labels(b'{"a":\n1, }', "x.json")


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("name", ["csv", "deeplabcut"])
def test_another_delimiter_and_decimal_commas(name: str, delimiter: str) -> None:
    text = format_named(name).dump(SCORED, Sized(SIZES)).decode()
    assert ";" not in text
    theirs = text.replace(",", delimiter).replace(".png", "#png").replace(".", ",").replace("#png", ".png")
    again, recognised = parse_labels(theirs.encode(), "x")
    assert recognised.name == name
    assert_kept(recognised, SCORED, again)


# --- the tools' own libraries ----------------------------------------------------------------------------------------


def test_pycocotools_reads_coco(tmp_path: Path) -> None:
    from pycocotools.coco import COCO

    save_labels(ACCEPTED, tmp_path / "a.json", sizes=SIZES)
    coco = COCO(str(tmp_path / "a.json"))
    (category,) = coco.loadCats(coco.getCatIds())
    assert category["keypoints"] == list(SCHEMA.names)
    assert category["skeleton"] == [[1, 2]]
    for row, image in enumerate(FACES.images):
        (identifier,) = [i for i in coco.getImgIds() if coco.imgs[i]["file_name"] == image]
        (annotation,) = coco.loadAnns(coco.getAnnIds(imgIds=[identifier]))
        points = np.reshape(annotation["keypoints"], (-1, 3))
        np.testing.assert_array_equal(points[:, 2], FACES.visible[row])
        np.testing.assert_array_equal(points[points[:, 2] > 0, :2], FACES.xy[row][FACES.visible[row] > 0])
        assert annotation["num_keypoints"] == (FACES.visible[row] > 0).sum()


@pytest.mark.parametrize("labels", [FACES, SCORED], ids=["labels", "predictions"])
def test_pandas_reads_the_hdf5(labels: Labels, tmp_path: Path) -> None:
    import pandas as pd

    save_labels(labels, tmp_path / "a.h5")
    frame = pd.read_hdf(tmp_path / "a.h5", "df_with_missing")
    assert isinstance(frame, pd.DataFrame)
    assert frame.columns.names == ["scorer", "bodyparts", "coords"]
    assert list(frame.index) == list(labels.images)
    for k, name in enumerate(SCHEMA.names):
        np.testing.assert_array_equal(frame["lead"][name][["x", "y"]].to_numpy(), labels.xy[:, k])
        if labels.score is not None:
            np.testing.assert_array_equal(frame["lead"][name]["likelihood"].to_numpy(), labels.score[:, k])


@pytest.mark.parametrize(
    ("kind", "index"),  # pandas refuses rows of several levels in a table, for its columns have several
    [("fixed", "path"), ("fixed", "levels"), ("fixed", "numbers"), ("table", "path"), ("table", "numbers")],
)
@pytest.mark.parametrize("individuals", [False, True])
def test_reads_the_hdf5_that_pandas_writes(kind: Any, index: str, individuals: bool, tmp_path: Path) -> None:
    import pandas as pd

    levels = [["Ann"], ["m"], ["snout", "left ear"], ["x", "y"]]
    named = ["scorer", "individuals", "bodyparts", "coords"]
    if not individuals:
        del levels[1], named[1]
    columns = pd.MultiIndex.from_product(levels, names=named)
    rows: Any = {
        "path": ["labeled-data/v/2.png", "labeled-data/v/1.png"],
        "levels": pd.MultiIndex.from_tuples([("labeled-data", "v", "2.png"), ("labeled-data", "v", "1.png")]),
        "numbers": [0, 7],
    }[index]
    table = np.array([[1.5, 2, np.nan, np.nan], [3, 4, 5, 6.25]])
    frame = pd.DataFrame(table, columns=columns, index=rows)
    frame.to_hdf(tmp_path / "a.h5", key="df_with_missing", mode="w", format=kind)
    labels = load_labels(tmp_path / "a.h5")
    expected = ("0", "7") if index == "numbers" else ("labeled-data/v/2.png", "labeled-data/v/1.png")
    assert labels.images == expected
    assert labels.schema.names == ("snout", "left ear")
    np.testing.assert_array_equal(labels.xy.reshape(2, 4), table)


def test_an_hdf5_cannot_run_a_program(tmp_path: Path) -> None:
    """Of what is pickled nothing is looked up by its name, be it as harmless as this class, which nothing calls."""
    import h5py
    import pandas as pd

    columns = pd.MultiIndex.from_product([["A"], ["p"], ["x", "y"]])
    pd.DataFrame([[1.0, 2.0]], columns=columns, index=["a"]).to_hdf(
        tmp_path / "a.h5", key="df_with_missing", mode="w", format="table"
    )
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["df_with_missing/table"].attrs["values_block_0_kind"] = np.bytes_(pickle.dumps(Fraction, protocol=0))
    with pytest.raises(LeadError, match=r"pickled fractions\.Fraction, which is not loaded"):
        load_labels(tmp_path / "a.h5")


@pytest.mark.parametrize("labels", [FACES, SCORED], ids=["labels", "predictions"])
def test_sleap_io_reads_slp(labels: Labels, tmp_path: Path) -> None:
    import sleap_io

    save_labels(labels, tmp_path / "a.slp", sizes=SIZES)
    found = sleap_io.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    assert found.skeleton.node_names == list(SCHEMA.names)
    assert found.skeleton.edge_names == [("nose", "left eye")]
    assert [set(pair) for pair in found.skeleton.symmetry_names] == [{"left eye", "right eye"}]
    for row, image in enumerate(labels.images):
        (frame,) = [f for f in found if f.video.filename[f.frame_idx] == image]
        (instance,) = frame.instances
        assert type(instance).__name__ == ("Instance" if labels.score is None else "PredictedInstance")
        np.testing.assert_array_equal(instance.points["xy"], labels.xy[row])
        np.testing.assert_array_equal(instance.points["visible"], labels.visible[row] == VISIBLE)


def test_reads_the_slp_that_sleap_io_writes(tmp_path: Path) -> None:
    import sleap_io

    skeleton = sleap_io.Skeleton(["head", "left", "right"], edges=[("head", "left")])
    skeleton.add_symmetry("right", "left")
    film = sleap_io.Video("films/run.mp4", open_backend=False)
    user = sleap_io.Instance.from_numpy(np.array([[1, 2, 1], [3, 4, 0], [np.nan, np.nan, 0]]), skeleton=skeleton)
    guess = sleap_io.PredictedInstance.from_numpy(np.full((3, 2), 9.0), skeleton=skeleton, point_scores=[0.1, 0.2, 0.3])
    frames = [
        sleap_io.LabeledFrame(film, 12, [guess, user]),
        sleap_io.LabeledFrame(film, 40, [guess]),
    ]
    sleap_io.save_slp(sleap_io.Labels(frames), str(tmp_path / "a.slp"), embed=False)
    labels = load_labels(tmp_path / "a.slp")
    assert labels.images == ("films/run.mp4#12", "films/run.mp4#40")
    assert labels.schema == Schema(("head", "left", "right"), (("left", "right"),), (("head", "left"),))
    assert labels.visible.tolist() == [[VISIBLE, HIDDEN, UNLABELLED], [VISIBLE] * 3]
    np.testing.assert_array_equal(labels.xy[0, :2], [[1, 2], [3, 4]])
    assert labels.score is not None
    np.testing.assert_allclose(labels.score, [[np.nan] * 3, [0.1, 0.2, 0.3]], atol=1e-6)


def test_two_animals_in_a_frame_are_refused(tmp_path: Path) -> None:
    import sleap_io

    skeleton = sleap_io.Skeleton(["head"])
    pair = [sleap_io.Instance.from_numpy(np.ones((1, 2)), skeleton=skeleton) for _ in range(2)]
    frame = sleap_io.LabeledFrame(sleap_io.Video("a.mp4", open_backend=False), 0, pair)
    sleap_io.save_slp(sleap_io.Labels([frame]), str(tmp_path / "a.slp"), embed=False)
    with pytest.raises(LeadError, match=r"a.slp: a.mp4#0: 2 instances"):
        load_labels(tmp_path / "a.slp")


def test_ktch_reads_tps(tmp_path: Path) -> None:
    from ktch.io import read_tps

    save_labels(FACES, tmp_path / "a.tps", sizes=SIZES)
    found = read_tps(tmp_path / "a.tps")
    assert [specimen.image_path for specimen in found] == list(FACES.images)
    for row, specimen in enumerate(found):
        height = SIZES[FACES.images[row]][1]
        expected = np.where(np.isnan(FACES.xy[row]), -1, FACES.xy[row] * (1, -1) + (0, height))
        np.testing.assert_allclose(specimen.landmarks, expected)


def test_reads_the_tps_that_ktch_writes(tmp_path: Path) -> None:
    from ktch.io import write_tps

    for name in ("one.png", "two.png"):
        Image.new("RGB", (50, 40)).save(tmp_path / name)
    points = np.array([[[1.5, 39], [10, 20]], [[3, 4], [-1, -1]]])
    curves = [np.array([[5.0, 5], [6, 6], [7, 7]])] * 2
    images, comments = ["one.png", "two.png"], ["first", "second"]
    write_tps(tmp_path / "a.tps", points, images, ["x", "y"], [0.5, 0.5], curves, comments)
    labels = load_labels(tmp_path / "a.tps")
    assert labels.images == ("one.png", "two.png")
    assert labels.schema.names == ("1", "2", "3", "4", "5")
    assert labels.schema.sliders.tolist() == [[2, 3, 4]]
    curve = [[5, 35], [6, 34], [7, 33]]
    expected = np.array([[[1.5, 1], [10, 20], *curve], [[3, 36], [np.nan, np.nan], *curve]])
    np.testing.assert_allclose(labels.xy, expected)


def test_frames_of_a_film_stand_in_each_tool_s_own_layout(tmp_path: Path) -> None:
    import pandas as pd
    import sleap_io

    images = [f"films/run.mp4#{number}" for number in (0, 1, 2)]
    labels = Labels(SCHEMA, tuple(images), FACES.xy, FACES.visible, SCORED.score)
    assert labels.score is not None
    for name in ("a.csv", "a.h5", "a.slp"):
        save_labels(labels, tmp_path / name, format="deeplabcut" if name == "a.csv" else None)
    frames = [
        pd.read_csv(tmp_path / "a.csv", header=[0, 1, 2], index_col=0),
        pd.read_hdf(tmp_path / "a.h5", "df_with_missing"),
    ]
    for frame in frames:
        assert list(frame.index) == [0, 1, 2]
        np.testing.assert_array_equal(frame["lead"]["nose"][["x", "y"]].to_numpy(), labels.xy[:, 0])
        np.testing.assert_array_equal(frame["lead"]["nose"]["likelihood"].to_numpy(), labels.score[:, 0])
    film = sleap_io.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    assert [(frame.video.filename, frame.frame_idx) for frame in film] == [("films/run.mp4", i) for i in range(3)]
    assert load_labels(tmp_path / "a.slp").images == tuple(images)


# --- files as the tools write them -----------------------------------------------------------------------------------

TASKS = [
    {
        "id": 11,
        "data": {"image": "/data/upload/3/0a1b2c3d-wing%201.jpg"},
        "annotations": [
            {"id": 5, "was_cancelled": True, "result": []},
            {
                "id": 6,
                "result": [
                    {
                        "type": "keypointlabels",
                        "original_width": 200,
                        "original_height": 50,
                        "image_rotation": 0,
                        "from_name": "kp",
                        "to_name": "img",
                        "value": {"x": 25, "y": 10, "width": 0.3, "keypointlabels": ["tip"]},
                    },
                    {"type": "rectanglelabels", "value": {"x": 0, "y": 0, "width": 1, "height": 1}},
                ],
            },
        ],
    },
    {"id": 12, "data": {"image": "/data/local-files/?d=set/wing2.jpg"}, "annotations": [], "predictions": []},
]


def test_reads_label_studio_s_tasks() -> None:
    labels, known = parse_labels(json.dumps(TASKS).encode(), "export.json")
    assert known.name == "labelstudio"
    assert labels.images == ("wing 1.jpg", "set/wing2.jpg")
    assert labels.xy[0].tolist() == [[50, 5]]
    assert labels.visible.tolist() == [[VISIBLE], [UNLABELLED]]
    assert labels.score is None


def test_label_studio_gets_predictions_with_a_model_version() -> None:
    tasks = json.loads(format_named("labelstudio").dump(SCORED, Sized(SIZES)))
    assert [task["data"]["image"] for task in tasks] == [f"/data/local-files/?d={image}" for image in SCORED.images]
    (prediction,) = tasks[0]["predictions"]
    assert prediction["model_version"] == "lead"
    result = prediction["result"][0]
    assert (result["original_width"], result["original_height"]) == (101, 57)
    assert result["value"]["x"] == pytest.approx(10.5 / 101 * 100)
    assert result["value"]["y"] == pytest.approx(20.25 / 57 * 100)
    assert result["value"]["keypointlabels"] == ["nose"]


DRAWING = (
    '<line x1="1" data-type="edge" data-node-from="1" data-node-to="2"></line>'
    '<circle data-node-id="1" data-label-name="nose"></circle><circle data-node-id="2" data-label-name="tail"></circle>'
)
CVAT = f"""<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><labels>
<label><name>mouse</name><type>skeleton</type><svg>{escape(DRAWING)}</svg></label>
<label><name>nose</name><type>points</type><parent>mouse</parent></label>
<label><name>tail</name><type>points</type><parent>mouse</parent></label>
<label><name>ear</name><type>points</type><parent>mouse</parent></label>
</labels></task></meta>
<image id="0" name="v/1.png" width="640" height="480"><skeleton label="mouse" source="manual" z_order="0">
<points label="ear" outside="1" occluded="0" points="1.0,1.0"/>
<points label="tail" outside="0" occluded="1" points="3.5,4"/>
<points label="nose" outside="0" occluded="0" points="1,2"/></skeleton></image>
<image id="1" name="v/2.png" width="640" height="480"></image></annotations>"""


def test_reads_cvat_s_skeletons_in_the_order_of_the_schema() -> None:
    labels, known = parse_labels(CVAT.encode(), "annotations.xml")
    assert known.name == "cvat"
    assert labels.images == ("v/1.png", "v/2.png")
    assert labels.schema == Schema(("nose", "tail", "ear"), (), (("nose", "tail"),))
    assert labels.visible.tolist() == [[VISIBLE, HIDDEN, UNLABELLED], [UNLABELLED] * 3]
    assert labels.xy[0, :2].tolist() == [[1, 2], [3.5, 4]]


def test_reads_cvat_s_points() -> None:
    text = (
        '<annotations><image id="0" name="a.png" width="9" height="9"><points label="tip" occluded="0" points="1,2"/>'
        '<points label="edge" occluded="0" points="3,4;5,6"/></image></annotations>'
    )
    labels, _ = parse_labels(text.encode(), "a.xml")
    assert labels.schema.names == ("tip", "edge 1", "edge 2")
    assert labels.xy.tolist() == [[[1, 2], [3, 4], [5, 6]]]


def test_pts_of_a_film_s_frames_keep_their_numbers() -> None:
    labels = Labels.from_xy(Schema(("1",)), ("run.mp4#0", "run.mp4#12"), [[[1, 2]], [[3, 4]]])
    again, _ = parse_labels(format_named("pts").dump(labels, Sized({})), "x")
    assert again.images == labels.images
    np.testing.assert_array_equal(again.xy, labels.xy)


def test_an_archive_that_would_fill_the_memory_is_refused() -> None:
    packed = per_picture.packed({f"{number}.pts": " " * 400 for number in range(3)})
    with pytest.raises(LeadError, match=r"the 3 files in it would take 1,200 bytes: at most 1,000"):
        per_picture.unpacked(packed, ".pts", most=1000)


def test_pts_of_a_folder_find_their_pictures(tmp_path: Path) -> None:
    for name in ("helen/one.jpg", "helen/two.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (20, 20)).save(tmp_path / name)
        (tmp_path / name).with_suffix(".pts").write_text("version: 1\nn_points:  2\n{\n1.0 1.0\n5.5 6\n}\n")
    labels, known = load_labels(tmp_path), read_labels(tmp_path)[1]
    assert known.name == "pts"
    assert labels.images == ("helen/one.jpg", "helen/two.png")
    assert labels.xy[0].tolist() == [[0, 0], [4.5, 5]]
    save_labels(labels, tmp_path / "out", format="pts")
    assert load_labels(tmp_path / "out", pictures=tmp_path).images == labels.images
    save_labels(labels, tmp_path / "out.zip")
    with zipfile.ZipFile(tmp_path / "out.zip") as opened:
        assert opened.namelist() == ["helen/one.pts", "helen/two.pts"]
    with pytest.raises(LeadError, match="can hold one picture's points, not those of 2"):
        save_labels(labels, tmp_path / "both.pts")
    with pytest.raises(LeadError, match="is already there"):
        save_labels(labels, tmp_path / "out", format="pts")


# A file as labelme saves it.
LABELME: dict[str, Any] = {
    "version": "5.4.1",
    "flags": {"blurred": True, "cropped": False},
    "shapes": [
        {"label": "head", "points": [[10, 20]], "group_id": None, "shape_type": "point", "flags": {}},
        {"label": "wing", "points": [[1, 1], [5, 1], [5, 5]], "group_id": 7, "shape_type": "polygon", "flags": {}},
        {"label": "tail", "points": [[0.5, 0.5]], "group_id": None, "shape_type": "point", "flags": {"hidden": True}},
    ],
    "imagePath": "one.jpg",
    "imageData": "aGVsbG8=",
    "imageHeight": 128,
    "imageWidth": 96,
}


def shaped(**changed: Any) -> str:
    """The same file, whose first shape has other values."""
    return json.dumps(LABELME | {"shapes": [LABELME["shapes"][0] | changed, *LABELME["shapes"][1:]]})


def test_reads_what_labelme_writes(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(json.dumps(LABELME))
    labels, known = read_labels(tmp_path / "other.json")
    assert known.name == "labelme"
    assert labels.images == ("one.jpg",)
    assert labels.schema.names == ("head", "tail")
    assert labels.xy.tolist() == [[[10, 20], [0.5, 0.5]]]
    told = "1 flag 'blurred'; 1 shape of type 'polygon'; 1 flag 'hidden'"
    assert doubts(labels, FolderPictures(tmp_path)) == [f"{tmp_path / 'other.json'}: left out: {told}."]


def test_labelme_s_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "a/json").mkdir(parents=True)
    (tmp_path / "a/json/1.json").write_text(json.dumps(LABELME | {"imagePath": "..\\pictures\\1.jpg"}))
    (tmp_path / "2.json").write_text(shaped(label="foot"))
    (tmp_path / "notes.json").write_text('{"annotator": "Ann"}')  # not labelme's
    labels, known = read_labels(tmp_path)
    assert known.name == "labelme"
    assert labels.images == ("one.jpg", "a/pictures/1.jpg")
    assert labels.schema.names == ("foot", "tail", "head")
    np.testing.assert_array_equal(labels.visible, [[2, 2, 0], [0, 2, 2]])
    assert labels.where(1, 2) == f"{tmp_path}, a/json/1.json: "
    (tmp_path / "3.json").write_text(json.dumps(LABELME))
    with pytest.raises(LeadError, match=r"3\.json: its picture 'one\.jpg' is also that of 2\.json"):
        read_labels(tmp_path)
    (tmp_path / "one.pts").write_text("version: 1\nn_points: 1\n{\n1 1\n}\n")
    with pytest.raises(LeadError, match=r"files of labelme and pts\. Name one"):
        read_labels(tmp_path)
    assert read_labels(tmp_path, format="pts")[1].name == "pts"


def test_writes_labelme_s_files_beside_their_pictures(tmp_path: Path) -> None:
    save_labels(FACES, tmp_path / "out", format="labelme", sizes=SIZES)
    file = json.loads((tmp_path / "out/a/two.json").read_text(encoding="utf-8"))
    assert (file["imagePath"], file["imageWidth"], file["imageHeight"], file["imageData"]) == ("two.png", 64, 64, None)
    assert set(file) == set(LABELME)
    assert [(shape["shape_type"], shape["label"]) for shape in file["shapes"]] == [("point", n) for n in SCHEMA.names]
    assert [shape["points"] for shape in file["shapes"]] == [
        [[30, 40]],
        [[5.0625, 6]],
        [[7, 8]],
        [[9, 10]],
    ]
    assert set(file["shapes"][0]) == {*LABELME["shapes"][0], "description"}
    again = load_labels(tmp_path / "out")
    assert again.images == FACES.images
    np.testing.assert_array_equal(again.xy, FACES.xy)
    save_labels(FACES, tmp_path / "out.zip", format="labelme")
    assert load_labels(tmp_path / "out.zip").images == FACES.images
    with pytest.raises(LeadError, match="can hold one picture's points, not those of 3"):
        save_labels(FACES, tmp_path / "all.json", format="labelme")
    with pytest.raises(LeadError, match="Give them different names"):
        labelme.dump(Labels.from_xy(Schema(("a",)), ("1.png", "1.jpg"), [[[1, 2]], [[3, 4]]]), Sized({}))


WRONG = [
    ("a.json", shaped(label="tail"), r"shapes\[2\]: 'tail' is marked twice"),
    ("a.json", shaped(group_id=3), r"its points are of 2 groups \(group_id 3, None\)"),
    ("a.json", shaped(points=[[1, "x"]]), r"shapes\[0\]: 'head' is at \[\[1, 'x'\]\], which is not one place"),
    ("a.json", shaped(points=[[1, 2], [3, 4]]), r"shapes\[0\]: 'head' is at .*which is not one place"),
    ("a.json", shaped(label=""), r"shapes\[0\]: label is '', which is no name"),
    ("a.json", json.dumps(LABELME | {"shapes": []}), "no shape of type 'point'"),
    ("a.json", json.dumps(LABELME | {"shapes": {}}), "'shapes' must be a list of objects"),
    ("a.json", json.dumps(LABELME | {"imagePath": ""}), "imagePath is '', which names no picture"),
    ("export.json", json.dumps([{**TASKS[0], "data": {}}]), r"task whose data names no picture \(task 11"),
    ("export.json", json.dumps([TASKS[0], {**TASKS[0], "id": 3}]), r"several tasks.*\(task 11, task 3: '.*wing 1.jpg'"),
    ("export.json", json.dumps(TASKS).replace("200", '"wide"'), r"without the picture's size.*task 11: 'tip'"),
    ("export.json", json.dumps(TASKS).replace('"image_rotation": 0', '"image_rotation": 9'), "was turned in"),
    ("export.json", json.dumps([TASKS[1]]), "no task has a result of type 'keypointlabels'"),
    ("a.xml", CVAT.replace("</image>", "</picture>"), "not well-formed XML"),
    ("a.xml", CVAT.replace("<annotations>", '<!DOCTYPE x [<!ENTITY a "b">]><annotations>'), "declares a document type"),
    ("a.xml", CVAT.replace('label="ear"', 'label="tail"'), r"marked twice.*\(v/1.png: 'tail'\)"),
    ("a.pts", "version: 1\nn_points: 3\n{\n1 1\n}\n", "line 2: 'n_points: 3', but 1 point follows"),
    ("a.pts", "version: 1\nn_points: 1\n{\n1 one\n}\n", "line 4: y is 'one'"),
    ("a.pts", "version: 1\nn_points: 1\n1 1\n", "between one line '{' and one line '}'"),
    ("a.tps", "LM=2\n1 2\n3 4\nID=0\n", "line 1: this specimen has no IMAGE="),
    ("a.tps", "LM=2\n1 2\nIMAGE=a.png\n", "line 3: 'IMAGE=a.png' where 1 more point should follow"),
    ("a.tps", "LM=1\n1 2\nIMAGE=gone.png\n", "line 1: y counts from the bottom.*gone.png is not there"),
    ("a.tps", "LM3=1\n1 2 3\nIMAGE=a.png\n", "line 1: landmarks in three dimensions"),
    ("a.tps", "LM=1\n1 2\nIMAGE=a.png\nLM=2\n1 2\n3 4\nIMAGE=b.png\n", "line 4: 2 landmarks where line 1 has 1"),
    ("a.h5", "\x89HDF\r\n\x1a\n pandas_type nonsense", "not a table that can be read"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "text", "message"), WRONG)
def test_what_is_wrong_is_named(name: str, text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(text.encode("latin-1" if name == "a.h5" else "utf-8"))
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    Image.new("RGB", (9, 9)).save(tmp_path / "b.png")
    with pytest.raises(LeadError, match=message) as caught:
        load_labels(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "none of the formats" not in str(caught.value)


def test_what_a_tps_cannot_hold_is_refused() -> None:
    outside = Labels.from_xy(Schema(("a",)), ["a.png"], [[[-1.0, 2.0]]])
    with pytest.raises(LeadError, match=r"a.png: a is at \(-1, 2\), beyond the left or lower edge"):
        format_named("tps").dump(outside, Sized({"a.png": (9, 9)}))


def test_a_size_that_is_needed_is_asked_for() -> None:
    for name in ("tps", "labelstudio", "cvat"):
        with pytest.raises(LeadError, match=r"the size of picture 'a/one.png' is needed.*--pictures"):
            format_named(name).dump(FACES, Sized({}))
