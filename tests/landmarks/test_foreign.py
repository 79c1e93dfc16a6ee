"""Formats of other tools that are read and not written."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples import FCSV, NAPARI, RESULTS, SLEAP, VIA, analysis, example, markups, roi, zipped
from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels
from lead.landmarks.foreign import FOREIGN
from lead.landmarks.io import parse_labels, read_labels
from lead.landmarks.pictures import Sized

NAN = np.nan


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the pictures one.jpg and two.jpg."""
    for name in ("one.jpg", "two.jpg"):
        Image.new("RGB", (64, 48)).save(tmp_path / name)
    return tmp_path


def read(folder: Path, name: str, content: str | bytes, format: str) -> Labels:
    """The labels of a file, which is recognised by what it holds."""
    (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    labels, known = read_labels(folder / name, pictures=FolderPictures(folder))
    assert known.name == format
    return labels


def left_out(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


@pytest.mark.parametrize("name", [known.name for known in FOREIGN])
def test_each_is_recognised_whatever_it_is_called(name: str) -> None:
    labels, known = parse_labels(example(name), "x", pictures=Sized({"x.png": (64, 64)}))
    assert known.name == name
    assert known.only_read
    assert len(labels)


def test_what_is_only_read_cannot_be_asked_for(tmp_path: Path) -> None:
    labels, _ = parse_labels(example("via"), "x")
    with pytest.raises(LeadError, match=r"Unknown format to write 'via'\. Valid: coco, coco-results, csv"):
        save_labels(labels, tmp_path / "a.csv", format="via")


# --- ImageJ --------------------------------------------------------------------------------------------------------


def test_imagej_s_results_are_the_points_in_their_order(folder: Path) -> None:
    labels = read(folder, "Results.csv", RESULTS, "imagej")
    assert labels.images == ("one.jpg", "two.jpg")
    assert labels.schema.names == ("1", "2")
    assert labels.xy.tolist() == [[[10, 20.333], [30.125, 40]], [[11, 20.5], [31, 40]]]
    assert labels.where(1, 1) == f"{folder / 'Results.csv'}, line 5: "


def test_results_that_all_end_in_one_half_count_from_the_corner_of_a_pixel(folder: Path) -> None:
    """Half of what ImageJ measures on whole pixels: the centre of the first is at 0.5 there, and at 0 here."""
    text = " ,Label,Area,X,Y\n1,one.jpg,0,10.5,20.5\n2,one.jpg,0,30.500,40.5\n"
    assert read(folder, "Results.csv", text, "imagej").xy.tolist() == [[[10, 20], [30, 40]]]
    mixed = text.replace("10.5", "10")
    assert read(folder, "Results.csv", mixed, "imagej").xy.tolist() == [[[10, 20.5], [30.5, 40.5]]]


def test_results_in_the_unit_of_a_scale_are_refused(folder: Path) -> None:
    text = RESULTS.replace("20.333", "3.171")
    with pytest.raises(LeadError, match=r"in the unit of a scale and not in pixels: one is 3\.171.*Set Scale"):
        read(folder, "Results.csv", text, "imagej")


def test_names_areas_slices_and_tables_with_tabs(folder: Path) -> None:
    text = (
        " \tLabel\tArea\tX\tY\tSlice\n1\tone.jpg:head\t0\t1\t2\t1\n2\tone.jpg:tail\t0\t3\t4\t1\n"
        "3\tone.jpg\t12.5\t9\t9\t1\n4\tstack.tif:head\t0\t1\t2\t2\n5\tframes:two.jpg\t0\t5\t6\t2\n"
    )
    with pytest.raises(LeadError, match="1 of its pictures have 2 points and 1 have 1"):
        read(folder, "Results.xls", text.replace(":head", "").replace(":tail", ""), "imagej")
    labels = read(folder, "Results.xls", text[: text.index("5\tframes")], "imagej")
    assert labels.images == ("one.jpg",)
    assert labels.schema.names == ("head", "tail")
    assert left_out(labels) == (
        "1 area measured, and no point; 1 picture (stack.tif): its points are on slices of a stack other than the first"
    )
    sequence = " ,Label,X,Y,Slice\n1,frames:one.jpg,1,2,1\n2,frames:two.jpg,5,6,2\n"
    assert read(folder, "Results.csv", sequence, "imagej").images == ("one.jpg", "two.jpg")


def test_results_without_a_label_are_of_the_picture_of_their_name(folder: Path) -> None:
    text = " ,X,Y\n1,1,2\n2,3,4\n"
    assert read(folder, "one.csv", text, "imagej").images == ("one.jpg",)
    with pytest.raises(LeadError, match=r"a file of ImageJ's, which does not say its picture.*wing\.jpg: wing\.csv"):
        read(folder, "Results.csv", text, "imagej")


def test_of_pictures_with_other_counts_the_few_are_left_out(folder: Path) -> None:
    text = RESULTS + "5,three.jpg,0,1,1,1,31,40\n"
    labels = read(folder, "Results.csv", text, "imagej")
    assert labels.images == ("one.jpg", "two.jpg")
    assert "1 picture (three.jpg): not 2 points as most have" in left_out(labels)


def test_imagej_s_selections_as_roifile_writes_them(folder: Path) -> None:
    labels = read(folder, "one.roi", roi((10, 20), (30, 40)), "imagej-roi")
    assert labels.images == ("one.jpg",)
    assert labels.schema.names == ("1", "2")
    assert labels.xy.tolist() == [[[10, 20], [30, 40]]]  # whole numbers are the centres of pixels in both
    exact = read(folder, "one.roi", roi((10.25, 20.5), (30, 40)), "imagej-roi")
    assert exact.xy.tolist() == [[[10.25, 20.5], [30, 40]]]


def test_an_archive_of_named_selections(folder: Path) -> None:
    import roifile

    rectangle = roi((1, 1), (5, 5), name="box", roitype=roifile.ROI_TYPE.RECT)
    files = {"head.roi": roi((10, 20), name="head"), "tail.roi": roi((30, 40), name="tail"), "box.roi": rectangle}
    labels = read(folder, "one.zip", zipped(files), "imagej-roi")
    assert labels.schema.names == ("head", "tail")
    assert labels.xy.tolist() == [[[10, 20], [30, 40]]]
    assert left_out(labels) == "1 selection other than points"
    of_pictures = zipped({"one.roi": roi((1, 2), (3, 4)), "two.roi": roi((5, 6), (7, 8))})
    assert read(folder, "RoiSet.zip", of_pictures, "imagej-roi").images == ("one.jpg", "two.jpg")
    with pytest.raises(LeadError, match="which does not say its picture"):
        read(folder, "RoiSet.zip", zipped({"0001-0020-0010.roi": roi((10, 20))}), "imagej-roi")
    with pytest.raises(LeadError, match="on slices of a stack other than the first"):
        read(folder, "one.roi", roi((10, 20), position=3), "imagej-roi")
    with pytest.raises(LeadError, match=r"not a selection that can be read|no selection of points"):
        read(folder, "one.roi", b"Iout" + b"\x00" * 20, "imagej-roi")


# --- napari and 3D Slicer ------------------------------------------------------------------------------------------


def test_napari_s_axes_are_row_and_column(folder: Path) -> None:
    labels = read(folder, "one.csv", NAPARI, "napari")
    assert labels.images == ("one.jpg",)
    assert labels.schema.names == ("head", "tail")
    assert labels.xy.tolist() == [[[10, 20], [30.25, 40.5]]]
    assert left_out(labels) == "1 column 'confidence'"


def test_napari_s_points_on_a_stack_are_those_of_a_film_s_frames(folder: Path) -> None:
    text = "index,axis-0,axis-1,axis-2\n0,0,20,10\n1,0,40,30\n2,3,21,11\n3,3,41,31\n"
    with pytest.raises(LeadError, match=r"on several pictures of a stack \(axis-0 is 0, 3\)"):
        read(folder, "one.csv", text, "napari")
    (folder / "run.mp4").touch()
    labels = read(folder, "run.csv", text, "napari")
    assert labels.images == ("run.mp4#0", "run.mp4#3")
    assert labels.xy.tolist() == [[[10, 20], [30, 40]], [[11, 21], [31, 41]]]
    first = "\n".join(text.splitlines()[:3])
    assert read(folder, "one.csv", first, "napari").images == ("one.jpg",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("one.mrk.json", markups([10, 20.5, 0], [30, 40, 0])),
        ("one.mrk.json", markups([-10, -20.5, 0], [-30, -40, 0], system="RAS")),
        ("one.fcsv", FCSV),
        ("one.fcsv", FCSV.replace("LPS", "RAS").replace("1,10,20.5", "1,-10,-20.5").replace("2,30,40", "2,-30,-40")),
        ("one.fcsv", FCSV.replace("= LPS", "= 1")),
    ],
)
def test_slicer_s_left_and_posterior_are_x_and_y(folder: Path, name: str, content: str) -> None:
    labels = read(folder, name, content, "slicer")
    assert labels.images == ("one.jpg",)
    assert labels.schema.names == (("F-1", "F-2") if name.endswith("json") else ("head", "tail"))
    assert labels.xy.tolist() == [[[10, 20.5], [30, 40]]]
    assert "one millimetre a pixel" in left_out(labels)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (markups([-10, 20, 0]), r"'F-1' of 3D Slicer is -10 left, 20 posterior.*not on a plain picture"),
        (markups([10, 20, 7]), r"7 superior \(mm\)"),
        (markups([10, 20, 0], system="IJK"), "Unknown system of coordinates 'IJK'"),
        (markups([10, 20, 0], coordinateUnits="m"), "its places are in 'm', not in mm"),
        (markups([10, 20]), r"controlPoints\[0\]: position is \[10, 20\]"),
        (markups([10, 20, 0], type="Line"), "no point in it. Left out: 1 markup of type 'Line'"),
        (FCSV.replace("tail", "head"), "line 5: 'head' names no point, or one that has its place"),
        (FCSV.replace("2,30", "2,far"), "line 5: x is 'far'"),
    ],
)
def test_what_cannot_be_of_slicer_s_is_refused(folder: Path, content: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        read(folder, "one.fcsv" if content.startswith("#") else "one.mrk.json", content, "slicer")


# --- SLEAP's exports -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", ["matlab", "standard"])
def test_sleap_s_analysis_that_sleap_io_writes(folder: Path, preset: str) -> None:
    labels = read(folder, "a.h5", analysis(preset), "sleap-h5")
    assert labels.images == ("films/run.mp4#2", "films/run.mp4#5")
    assert labels.schema.names == ("head", "tail")
    np.testing.assert_array_equal(labels.xy, [[[10, 20], [30, 40.5]], [[11, 21], [NAN, NAN]]])
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[0.5, 0.25], [0.75, NAN]])
    assert labels.is_predicted.tolist() == [[True, True], [True, False]]


def test_sleap_s_csv_is_of_the_film_that_it_is_called_as(folder: Path) -> None:
    labels = read(folder, "labels.v001.000_run.analysis.csv", SLEAP, "sleap-csv")
    assert labels.images == ("0", "7")
    assert "which film its frames are of" in left_out(labels)
    (folder / "run.mp4").touch()
    labels = read(folder, "labels.v001.000_run.analysis.csv", SLEAP, "sleap-csv")
    assert labels.images == ("run.mp4#0", "run.mp4#7")
    np.testing.assert_array_equal(labels.xy, [[[10, 20], [30, 40.5]], [[11, 21], [NAN, NAN]]])
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[0.9, 0.8], [1, NAN]])  # a peak's height may pass 1 a little
    assert labels.is_predicted.tolist() == [[True, True], [True, False]]


def test_sleap_s_frames_with_several_animals_are_left_out(folder: Path) -> None:
    labels = read(folder, "a.csv", SLEAP + "b,0,0.9,10,20,0.9,30,40,0.8\n", "sleap-csv")
    assert labels.images == ("7",)
    assert "1 picture (0): several animals in the frame" in left_out(labels)


def test_reads_the_csv_that_sleap_io_writes(folder: Path) -> None:
    import sleap_io

    (folder / "a.h5").write_bytes(analysis())
    written = sleap_io.load_analysis_h5(str(folder / "a.h5"))
    sleap_io.save_csv(written, str(folder / "run.csv"))
    labels = read(folder, "run.csv", (folder / "run.csv").read_bytes(), "sleap-csv")
    np.testing.assert_array_equal(labels.xy, [[[10, 20], [30, 40.5]], [[11, 21], [NAN, NAN]]])
    assert labels.images == ("2", "5")


# --- VIA -----------------------------------------------------------------------------------------------------------


def test_via_s_csv(folder: Path) -> None:
    labels = read(folder, "via.csv", VIA, "via")
    assert labels.images == ("one.jpg", "two.jpg")
    assert labels.schema.names == ("head", "tail")
    np.testing.assert_array_equal(labels.xy, [[[10, 20], [30, 40]], [[NAN, NAN]] * 2])
    assert labels.where(0, 1) == f"{folder / 'via.csv'}, line 3: "


def test_the_csv_of_via_1_has_a_mark_before_its_columns(folder: Path) -> None:
    labels = read(folder, "via.csv", f"#{VIA}", "via")
    np.testing.assert_array_equal(labels.xy[0], [[10, 20], [30, 40]])


def point(x: float, y: float, **attributes: object) -> dict[str, object]:
    return {"shape_attributes": {"name": "point", "cx": x, "cy": y}, "region_attributes": attributes}


@pytest.mark.parametrize("project", [False, True])
def test_via_s_json_and_its_projects(folder: Path, project: bool) -> None:
    circle = {"shape_attributes": {"name": "circle", "cx": 1, "cy": 2, "r": 3}, "region_attributes": {}}
    ticked = {"head": True, "tail": False}
    images: dict[str, object] = {
        "one.jpg123": {"filename": "one.jpg", "size": 123, "regions": [point(10, 20, part="head"), circle]},
        "two.jpg9": {
            "filename": "two.jpg",
            "size": 9,
            "regions": {"0": point(1, 2, part=ticked)},
        },
        "three.jpg9": {"filename": "three.jpg", "size": 9, "regions": [point(1, 2, part="head")] * 2},
    }
    content = {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {}} if project else images
    labels = read(folder, "via.json", json.dumps(content), "via")
    assert labels.images == ("one.jpg", "two.jpg")
    assert labels.schema.names == ("head",)
    assert labels.xy.tolist() == [[[10, 20]], [[1, 2]]]
    assert (
        left_out(labels)
        == "1 region of shape 'circle'; 1 picture (three.jpg): its points' 'part' stands twice or is missing"
    )


def test_via_s_points_without_an_attribute_are_numbered(folder: Path) -> None:
    images = {"a": {"filename": "one.jpg", "size": 1, "regions": [point(3, 4), point(1, 2)]}}
    labels = read(folder, "via.json", json.dumps(images), "via")
    assert labels.schema.names == ("1", "2")
    assert labels.xy.tolist() == [[[3, 4], [1, 2]]]
    both = {"a": {"filename": "one.jpg", "size": 1, "regions": [point(3, 4, side="left", species="x")]}}
    with pytest.raises(LeadError, match="several attributes of its points could name them: side, species"):
        read(folder, "via.json", json.dumps(both), "via")


# --- files that are not read ---------------------------------------------------------------------------------------

OTHERS: list[tuple[str, bytes, str]] = [
    ("a.TextGrid", b'File type = "ooTextFile"\nObject class = "TextGrid"\n', "a TextGrid of Praat"),
    ("a.xlsx", zipped({"xl/workbook.xml": b"<x/>"}), "a spreadsheet of Excel.*Save it as CSV UTF-8"),
    ("a.zip", zipped({"readme.md": b"hello"}), "an archive of other files.*Unpack it"),
    ("a_full.pickle", b"\x80\x04\x95", "a pickle of Python's.*DeepLabCut's .h5 or .csv"),
    ("a.mat", b"MATLAB 5.0 MAT-file", "a file of MATLAB's.*take 1 off"),
    ("a.ply", b"ply\nformat ascii 1.0\n", r"a surface's points \(PLY\).*three dimensions"),
    ("a.landmarkAscii", b"# AmiraMesh 3D ASCII 2.0\n", "landmarks of Avizo or Amira"),
    ("a.pts", b"Version 1.0\n2\nS0000 1 2 3\n", "landmarks of IDAV Landmark Editor"),
    ("a.xml", b"<annotation><object><bndbox/></object></annotation>", "boxes of Pascal VOC.*export as COCO"),
    ("data.yaml", b"nc: 1\nnames: [a]\n", "a part of a YOLO data set.*Give the folder"),
    ("one.txt", b"0 0.5 0.5 0.1 0.1\n", "a part of a YOLO data set"),
    ("config.yaml", b"Task: x\nbodyparts:\n- a\n", "the config.yaml of a DeepLabCut project"),
    ("a.json", b'{"people": [{"pose_keypoints_2d": []}]}', "a pose of OpenPose"),
    ("via3.csv", b"# CSV_HEADER = metadata_id,file_list\n", "an export of VIA 3"),
    ("one.jpg", b"\xff\xd8\xff\xe0", "a picture.*Give a file of labels"),
    ("a.docx", b"PK\x03\x04", "a text document"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "data", "message"), OTHERS, ids=[name for name, *_ in OTHERS])
def test_a_file_of_another_tool_is_called_by_its_name(name: str, data: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(LeadError, match=message) as caught:
        load_labels(tmp_path / name)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / name} cannot be read. It looks like ")
    assert "--from" not in said
    assert len(said.removeprefix(str(tmp_path))) < 300
