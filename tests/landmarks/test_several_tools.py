"""Several specimens in a picture, in the files of other tools."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from several import BUSY, SIZES, assert_specimens_kept, crowds

from lead.errors import LeadError
from lead.landmarks import (
    UNLABELLED,
    VISIBLE,
    Labels,
    Schema,
    cvat,
    deeplabcut,
    deeplabcut_project,
    hdf,
    imglab,
    labelstudio,
    sleap,
    sleaptable,
)
from lead.landmarks.format import LabelFile
from lead.landmarks.formats import format_named
from lead.landmarks.pictures import PictureInfo, Sized

NAN = float("nan")


def read(name: str, data: bytes, file: str = "x") -> Labels:
    return format_named(name).parse(LabelFile(file, data, PictureInfo(), several=True))


def told(labels: Labels) -> str:
    return labels.places.left_out if labels.places else ""


def numbers(table: npt.NDArray[np.float64] | None) -> npt.NDArray[np.float64]:
    """A table that labels may not have."""
    assert table is not None
    return table


def assert_same(again: Labels, labels: Labels) -> None:
    assert again.schema == labels.schema
    assert again.images == labels.images
    assert again.tracks == labels.tracks
    np.testing.assert_array_equal(again.visible, labels.visible)
    np.testing.assert_allclose(again.xy, labels.xy, atol=1e-9)


# --- SLEAP -----------------------------------------------------------------------------------------------------------


def instance(skeleton: Any, x: float, *, score: float | None = None, **more: Any) -> Any:
    import sleap_io

    xy = np.array([[x, 1.0], [x, 2.0]])
    if score is None:
        return sleap_io.Instance.from_numpy(xy, skeleton=skeleton, **more)
    scores = {"point_scores": [score / 2, score / 4], "score": score}
    return sleap_io.PredictedInstance.from_numpy(xy, skeleton=skeleton, **scores, **more)


def test_sleap_s_instances_are_specimens_by_the_names_of_their_tracks(tmp_path: Path) -> None:
    import sleap_io

    mouse = sleap_io.Skeleton(["nose", "tail"])
    ann, bob, other = (sleap_io.Track(name) for name in ("ann", "bob", "bob"))
    film = sleap_io.Video("run.mp4", open_backend=False)
    source = instance(mouse, 9, score=0.9)
    frames = [
        (4, [instance(mouse, 1, score=1.6, track=bob), instance(mouse, 2, track=ann), instance(mouse, 3, track=other)]),
        (2, [source, instance(mouse, 4, from_predicted=source), instance(mouse, 5, score=0.5)]),
        (3, [instance(mouse, 6, score=0.7, track=ann), instance(mouse, 7, track=ann), instance(mouse, NAN, track=bob)]),
        (5, []),
    ]
    labelled = [sleap_io.LabeledFrame(film, number, instances) for number, instances in frames]
    sleap_io.save_slp(sleap_io.Labels(labelled), str(tmp_path / "a.slp"), embed=False)
    labels = sleap.parse((tmp_path / "a.slp").read_bytes(), several=True)
    assert labels.images == ("run.mp4#4",) * 3 + ("run.mp4#2",) * 2 + ("run.mp4#3", "run.mp4#5")
    assert labels.tracks == ("bob", "ann", "bob 2", "", "", "ann", "")
    np.testing.assert_array_equal(labels.xy[:, 0, 0], [1, 2, 3, 4, 5, 7, NAN])
    assert labels.is_predicted[:, 0].tolist() == [True, False, False, False, True, False, False]
    assert labels.score is not None
    np.testing.assert_allclose(labels.score[0], [0.8, 0.4], atol=1e-6)
    assert labels.likely is None  # SLEAP's score of an instance is no probability
    assert told(labels) == "2 instances predicted beside one of the same individual (run.mp4#2, run.mp4#3)"


def test_two_of_a_person_s_instances_on_one_track_are_refused(tmp_path: Path) -> None:
    import sleap_io

    mouse, track = sleap_io.Skeleton(["nose", "tail"]), sleap_io.Track("ann")
    pair = [instance(mouse, x, track=track) for x in (1, 2)]
    frame = sleap_io.LabeledFrame(sleap_io.Video("run.mp4", open_backend=False), 3, pair)
    sleap_io.save_slp(sleap_io.Labels([frame]), str(tmp_path / "a.slp"), embed=False)
    with pytest.raises(LeadError, match=r"run\.mp4#3: several instances of the track 'ann'\. Keep one in SLEAP"):
        sleap.parse((tmp_path / "a.slp").read_bytes(), several=True)


def test_sleap_io_reads_tracks_and_how_likely_a_specimen_is(tmp_path: Path) -> None:
    import sleap_io

    labels = Labels(
        Schema(("nose", "tail")),
        ("run.mp4#2", "run.mp4#7", "run.mp4#2"),
        np.arange(12.0).reshape(3, 2, 2),
        np.full((3, 2), VISIBLE),
        np.array([[0.5, 0.25], [NAN, 0.5], [NAN, NAN]]),
        tracks=("ann", "bob", ""),
        likely=np.array([0.75, NAN, NAN]),
    )
    (tmp_path / "a.slp").write_bytes(sleap.dump(labels, PictureInfo()))
    found = sleap_io.load_slp(str(tmp_path / "a.slp"), open_videos=False)
    assert [track.name for track in found.tracks] == ["ann", "bob"]
    assert [frame.frame_idx for frame in found] == [2, 7]
    first, other = found[0].instances
    assert (first.track.name, other.track, type(other).__name__) == ("ann", None, "Instance")
    assert first.score == 0.75
    placed, said = found[1].instances  # one specimen, of which a person placed a part
    assert placed.from_predicted is said
    assert format_named("sleap").lost(labels) == [
        "how likely each is a specimen",
        "the predictions on pictures that a person labelled too",
    ]


def test_a_frame_that_sleap_marks_as_negative_shows_no_specimen() -> None:
    labels = Labels(
        Schema(("nose", "tail")),
        ("run.mp4#1", "run.mp4#2", "run.mp4#3"),
        np.array([[[1, 2], [3, 4]], [[NAN] * 2] * 2, [[NAN] * 2] * 2]),
        np.array([[VISIBLE, VISIBLE], [0, 0], [0, 0]]),
        tracks=("", "", ""),
        complete=frozenset({"run.mp4#1", "run.mp4#3"}),
    )
    assert sleap.parse(sleap.dump(labels, PictureInfo()), several=True).complete == {"run.mp4#3"}
    assert format_named("sleap").lost(labels) == ["in which pictures every specimen is labelled"]


ANIMALS = """track,frame_idx,instance.score,nose.x,nose.y,nose.score,tail.x,tail.y,tail.score
ann,3,0.9,10,20,0.9,30,40.5,0.8
bob,3,1.9,11,21,0.7,,,
bob,1,0.9,12,22,0.6,,,
,1,0.9,13,23,0.5,,,
ann,1,0.9,,,,,,
"""


def test_sleap_s_csv_has_a_line_for_each_animal() -> None:
    labels = sleaptable.parse(ANIMALS, "x.csv", PictureInfo(), several=True)
    assert labels.images == ("3", "3", "1", "1")
    assert labels.tracks == ("ann", "bob", "bob", "")
    assert labels.xy[:, 0].tolist() == [[10, 20], [11, 21], [12, 22], [13, 23]]
    assert labels.is_predicted[:, 0].all()
    assert labels.where(2) == "line 4: "
    with pytest.raises(LeadError, match="'3' shows individual 'ann' more than once"):
        sleaptable.parse(ANIMALS.replace("bob,3", "ann,3"), "x.csv", PictureInfo(), several=True)


@pytest.mark.parametrize("preset", ["matlab", "standard"])
def test_sleap_s_analysis_has_a_row_for_each_animal(preset: str, tmp_path: Path) -> None:
    import sleap_io

    mouse = sleap_io.Skeleton(["nose", "tail"])
    ann, bob = (sleap_io.Track(name) for name in ("ann", "bob"))
    film = sleap_io.Video("run.mp4", open_backend=False)
    frames = [
        sleap_io.LabeledFrame(
            film, 1, [instance(mouse, 5, score=0.5, track=bob), instance(mouse, 4, score=0.5, track=ann)]
        ),
        sleap_io.LabeledFrame(film, 3, [instance(mouse, 6, score=0.5, track=bob)]),
    ]
    path = tmp_path / "a.h5"
    sleap_io.save_analysis_h5(sleap_io.Labels(frames, tracks=[ann, bob]), str(path), preset=preset)
    labels = sleaptable.parse_analysis(path.read_bytes(), several=True)
    assert labels.images == ("run.mp4#1", "run.mp4#1", "run.mp4#3")
    assert labels.tracks == ("ann", "bob", "bob")
    assert labels.xy[:, 0].tolist() == [[4, 1], [5, 1], [6, 1]]


# --- DeepLabCut ------------------------------------------------------------------------------------------------------

TEAM = """\
scorer,,,Ann,Ann,Ann,Ann,Ann,Ann,Ann,Ann,Ann,Ann
individuals,,,mus1,mus1,mus1,mus1,mus2,mus2,mus2,mus2,single,single
bodyparts,,,snout,snout,tail,tail,snout,snout,tail,tail,corner,corner
coords,,,x,y,x,y,x,y,x,y,x,y
labeled-data,m1,img07.png,1,2,3,4,5,6,,,70,80
labeled-data,m1,img02.png,,,,,,,,,,
labeled-data,m1,img03.png,,,,,7,8,9,10,,
"""


def test_deeplabcut_s_individuals_are_specimens() -> None:
    labels = deeplabcut.parse(TEAM, several=True)
    assert [image[-9:] for image in labels.images] == ["img07.png"] * 3 + ["img02.png", "img03.png"]
    assert labels.tracks == ("mus1", "mus2", "single", "", "mus2")
    assert labels.schema.names == ("snout", "tail", "corner")
    expected = [[1, 3, NAN], [5, NAN, NAN], [NAN, NAN, 70], [NAN] * 3, [7, 9, NAN]]
    np.testing.assert_array_equal(labels.xy[..., 0], expected)
    assert [labels.where(row) for row in (1, 3, 4)] == ["line 5: ", "line 6: ", "line 7: "]
    heads = [line.replace(",,,", ",") for line in TEAM.splitlines()[1:4]]
    assert deeplabcut.dump(labels).splitlines()[1:4] == heads


def by_animal(labels: Labels) -> dict[tuple[str, str], list[list[list[float]]]]:
    """The places of each animal in each picture; of nobody where a picture shows none."""
    return {
        (image, track): np.nan_to_num(xy, nan=-1).tolist()
        for image, track, xy in zip(labels.images, labels.tracks or (), labels.xy, strict=True)
    }


def named(labels: Labels) -> Labels:
    """The same, with the names that DeepLabCut has for animals without one."""
    tracks = list(labels.tracks or ())
    for rows in labels.rows_of().values():
        nameless = [row for row in rows if not tracks[row] and labels.is_specimen[row]]
        for number, row in enumerate(nameless, start=1):
            tracks[row] = f"individual{number}"
    return replace(labels, tracks=tuple(tracks))


@settings(max_examples=20, deadline=None)
@given(labels=crowds(), scored=st.booleans())
def test_deeplabcut_keeps_every_specimen(labels: Labels, scored: bool) -> None:
    if scored:
        labels = replace(labels, score=np.where(labels.visible > UNLABELLED, 0.5, NAN))
    again = deeplabcut.parse(deeplabcut.dump(labels), several=True)
    assert again.schema.names == labels.schema.names
    assert list(dict.fromkeys(again.images)) == list(dict.fromkeys(labels.images))
    alone = len(set(labels.images)) == len(labels) and not any(labels.tracks or ())
    assert by_animal(again) == by_animal(labels if alone else named(labels))
    assert (again.score is None) == (labels.score is None)


@pytest.mark.parametrize("written", ["csv", "hdf"])
def test_pandas_reads_individuals_as_deeplabcut_does(written: str, tmp_path: Path) -> None:
    import pandas as pd

    labels = Labels(
        Schema(("snout", "corner", "tail")),
        ("labeled-data/m/1.png", "labeled-data/m/2.png", "labeled-data/m/1.png", "labeled-data/m/1.png"),
        np.arange(24.0).reshape(4, 3, 2),
        np.array([[2, 0, 2], [2, 0, 2], [0, 2, 0], [2, 0, 0]]),
        tracks=("bob", "", "single", ""),
    )
    if written == "csv":
        frame = pd.read_csv(io.StringIO(deeplabcut.dump(labels)), header=[0, 1, 2, 3], index_col=0)
        assert list(frame.index) == ["labeled-data/m/1.png", "labeled-data/m/2.png"]
    else:
        (tmp_path / "a.h5").write_bytes(hdf.dump(labels))
        stored = pd.read_hdf(tmp_path / "a.h5", "df_with_missing")
        assert isinstance(stored, pd.DataFrame)
        frame = stored
        assert list(frame.index) == [("labeled-data", "m", "1.png"), ("labeled-data", "m", "2.png")]
    assert frame.columns.names == ["scorer", "individuals", "bodyparts", "coords"]
    parts = [tuple(key[1:3]) for key in frame.columns[::2]]
    animals = [(animal, part) for animal in ("bob", "individual1") for part in ("snout", "tail")]
    assert parts == [*animals, ("single", "corner")]
    values = [[0, 1, 4, 5, 18, 19, NAN, NAN, 14, 15], [NAN] * 4 + [6, 7, 10, 11] + [NAN] * 2]
    np.testing.assert_array_equal(frame.to_numpy(dtype=float), values)
    if written == "hdf":
        again = hdf.parse(hdf.dump(labels), several=True)
        assert again.tracks == ("bob", "individual1", "single", "individual1")
        assert again.schema.names == ("snout", "tail", "corner")


def test_a_deeplabcut_project_of_several_animals(tmp_path: Path) -> None:
    for video, corner in (("m1", "70,80"), ("m2", "71,81")):
        folder = tmp_path / "labeled-data" / video
        folder.mkdir(parents=True)
        text = TEAM.replace("m1", video).replace("70,80", corner)
        (folder / "CollectedData_Ann.csv").write_text(text)
        (folder / "img07.png").touch()
        (folder / "img03.png").touch()
    (tmp_path / "config.yaml").write_text(
        "scorer: Ann\nbodyparts: MULTI!\nindividuals: [mus1, mus2]\nmultianimalbodyparts: [snout, tail]\n"
        "uniquebodyparts: [corner]\nskeleton:\n- [snout, tail]\n"
    )
    labels = deeplabcut_project.read(tmp_path, several=True)
    assert labels.schema == Schema(("snout", "tail", "corner"), skeleton=(("snout", "tail"),))
    assert list(dict.fromkeys(labels.images)) == [
        f"labeled-data/{name}" for name in ("m1/img07.png", "m1/img03.png", "m2/img07.png", "m2/img03.png")
    ]
    assert labels.tracks == ("mus1", "mus2", "single", "mus2") * 2
    assert labels.xy[[2, 6], 2].tolist() == [[70, 80], [71, 81]]
    assert told(labels).startswith("labeled-data/m1/CollectedData_Ann.csv: 1 frame without its file")


def test_two_tables_of_a_video_that_differ_in_an_animal(tmp_path: Path) -> None:
    folder = tmp_path / "labeled-data" / "m1"
    folder.mkdir(parents=True)
    (folder / "CollectedData_Ann.csv").write_text(TEAM)
    other = TEAM.replace("7,8,9,10,,", ",,,,1,2").replace("3,4,5,6", "3,4,5,7")
    (folder / "CollectedData_Ann.h5").write_bytes(hdf.dump(deeplabcut.parse(other, several=True)))
    labels = deeplabcut_project.read(tmp_path, several=True)
    assert told(labels) == (
        "labeled-data/m1/CollectedData_Ann.h5: CollectedData_Ann.csv (DeepLabCut reads the HDF5, and they differ: "
        "just one has 2 animals, the first is 'mus2' of labeled-data/m1/img03.png, "
        "1 point differs, the first is 'snout' of labeled-data/m1/img07.png)"
    )


@pytest.mark.parametrize("name", ["sleap", "deeplabcut-h5"])
def test_what_is_read_in_another_process_keeps_its_specimens(name: str) -> None:
    labels = Labels(
        Schema(("snout", "tail")),
        ("run.mp4#1", "run.mp4#1", "run.mp4#4"),
        np.arange(12.0).reshape(3, 2, 2),
        np.full((3, 2), VISIBLE),
        tracks=("ann", "bob", "bob"),
    )
    again = read(name, format_named(name).dump(labels, PictureInfo()))
    assert [image.rpartition("#")[2] for image in again.images] == ["1", "1", "4"]
    assert again.tracks == labels.tracks
    np.testing.assert_array_equal(again.xy, labels.xy)


# --- imglab ----------------------------------------------------------------------------------------------------------

BEETLES = """<?xml version='1.0' encoding='ISO-8859-1'?>
<dataset><images><image file='one.jpg' width='128' height='96'>
<box top='5' left='6' width='60' height='50'><label>beetle</label><part name='head' x='10' y='20'/></box>
<box top='7' left='80' width='20' height='30'/>
<box top='1' left='1' width='9' height='9' ignore='1'><part name='tail' x='2' y='2'/></box>
<box><part name='tail' x='70' y='20'/><part name='head' x='60' y='30'/></box>
</image><image file='two.jpg'></image></images></dataset>
"""


def test_each_box_of_imglab_is_a_specimen() -> None:
    labels = imglab.parse(BEETLES, several=True)
    assert labels.images == ("one.jpg",) * 3 + ("two.jpg",)
    assert labels.schema.names == ("head", "tail")
    expected = [[[10, 20], [NAN, NAN]], [[NAN, NAN]] * 2, [[60, 30], [70, 20]], [[NAN, NAN]] * 2]
    np.testing.assert_array_equal(labels.xy, expected)
    assert labels.boxes is not None
    np.testing.assert_array_equal(labels.boxes, [[6, 5, 60, 50], [80, 7, 20, 30], [NAN] * 4, [NAN] * 4])
    assert labels.is_specimen.tolist() == [True, True, True, False]
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[128, 96]] * 3 + [[0, 0]]
    assert told(labels) == "1 box to be ignored"
    with pytest.raises(LeadError, match="line 3: left of the box is 'six'"):
        imglab.parse(BEETLES.replace("left='6'", "left='six'"), several=True)


@settings(max_examples=25, deadline=None)
@given(labels=crowds())
def test_imglab_keeps_every_specimen_and_its_box(labels: Labels) -> None:
    assume(labels.is_specimen.any())
    labels = replace(labels, boxes=None if labels.boxes is None else np.rint(labels.boxes))
    again = imglab.parse(imglab.dump(labels, PictureInfo()), several=True)
    assert_specimens_kept(format_named("imglab"), labels, again)


# --- CVAT ------------------------------------------------------------------------------------------------------------


def points(label: str, *places: tuple[float, float], more: str = "") -> str:
    return f'<points label="{label}" {more} points="{";".join(f"{x},{y}" for x, y in places)}"/>'


def beetle(x: float, more: str = "", *, label: str = "beetle") -> str:
    inside = points("head", (x, 1), more='outside="0"') + points("tail", (x, 2), more='outside="0"')
    return f'<skeleton label="{label}" {more}>{inside}</skeleton>'


def images(*of_images: str) -> str:
    inside = (f'<image name="{i}.jpg" width="9" height="8">{shapes}</image>' for i, shapes in enumerate(of_images))
    return f"<annotations>{''.join(inside)}</annotations>"


RULER = '<skeleton label="ruler"><points label="zero" points="5,5"/></skeleton>'


def test_each_skeleton_of_cvat_is_a_specimen() -> None:
    labels = cvat.parse(images(beetle(1) + RULER + beetle(2), "", beetle(3)), several=True)
    assert labels.images == ("0.jpg",) * 3 + ("1.jpg", "2.jpg")
    assert labels.tracks == ("",) * 5
    np.testing.assert_array_equal(labels.only(["head"]).xy[:, 0, 0], [1, NAN, 2, NAN, 3])
    assert labels.only(["ruler zero"]).visible[:, 0].tolist() == [0, 2, 0, 0, 0]
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[9, 8]] * 5


def test_skeletons_of_cvat_that_no_picture_repeats_are_of_one_specimen() -> None:
    text = images(beetle(1) + RULER, RULER + beetle(2))
    labels = cvat.parse(text, several=True)
    assert labels.tracks == ("", "")
    assert_same(labels, replace(cvat.parse(text), tracks=("", "")))
    twice = images(beetle(1) + RULER + RULER)
    assert len(cvat.parse(twice, kind="beetle", several=True)) == 1


def test_groups_and_points_with_several_places_are_specimens() -> None:
    one, two = 'group_id="1"', 'group_id="2"'
    grouped = points("head", (1, 1), more=one) + points("head", (2, 1), more=two) + points("tail", (1, 2), more=one)
    labels = cvat.parse(images(grouped + points("head", (3, 1), more='group_id="0"') + RULER), several=True)
    expected = [[1, 1, NAN], [2, NAN, NAN], [3, NAN, NAN], [NAN, NAN, 5]]
    np.testing.assert_array_equal(labels.only(["head", "tail", "zero"]).xy[..., 0], expected)
    many = points("wing", (1, 1), (2, 2)) + points("wing", (3, 3), (4, 4)) + points("scale", (9, 9))
    wings = cvat.parse(images(many), several=True)
    assert set(wings.schema.names) == {"wing 1", "wing 2", "scale"}
    np.testing.assert_array_equal(wings.only(["wing 1", "scale"]).xy[..., 0], [[1, NAN], [3, NAN], [NAN, 9]])
    twice = images(points("head", (1, 1), more=one) * 2 + points("head", (2, 1), more=two))
    assert told(cvat.parse(twice, several=True)).startswith("1 specimen in which a landmark is marked twice")


@pytest.mark.parametrize("together", [True, False])
def test_a_track_of_cvat_is_an_individual(together: bool) -> None:
    ann = beetle(10, 'frame="4" keyframe="1"') + beetle(11, 'frame="5" keyframe="0"').replace(
        "<points", '<points keyframe="0"'
    )
    bob = beetle(20, f'frame="{4 if together else 6}"') + beetle(21, 'frame="7" occluded="0"').replace(
        'outside="0"', 'outside="0" occluded="1"', 1
    )
    ended = beetle(22, 'frame="8"').replace('outside="0"', 'outside="1"')
    film = "<meta><source>run.mp4</source></meta>"
    tracks = f'<track id="3" label="beetle">{ann}</track><track id="5" label="beetle">{bob}{ended}</track>'
    labels = cvat.parse(f"<annotations>{film}{tracks}</annotations>", several=True)
    assert labels.images == ("run.mp4#4", "run.mp4#4" if together else "run.mp4#6", "run.mp4#7")
    assert labels.tracks == ("beetle 3", "beetle 5", "beetle 5")
    assert labels.xy[:, 0, 0].tolist() == [10, 20, 21]
    assert labels.visible.tolist() == [[2, 2], [2, 2], [1, 2]]


def test_the_points_of_grouped_tracks_are_of_one_individual() -> None:
    tracks = "".join(
        f'<track id="{i}" label="{label}" group_id="{group}">{points(label, (i, group), more=frame)}</track>'
        for i, (label, group) in enumerate([("head", 1), ("tail", 1), ("head", 2)])
        for frame in ['frame="3"']
    )
    labels = cvat.parse(f"<annotations><meta><source>run.mp4</source></meta>{tracks}</annotations>", several=True)
    assert labels.tracks == ("group 1", "group 2")
    np.testing.assert_array_equal(labels.only(["head", "tail"]).xy[..., 0], [[0, 1], [2, NAN]])


# --- Label Studio ----------------------------------------------------------------------------------------------------


def region(id: str, kind: str, value: dict[str, Any], parent: str | None = None, **more: Any) -> dict[str, Any]:
    """A result on a picture of 200 x 50 pixels."""
    nested = {} if parent is None else {"parentID": parent}
    on = {"from_name": kind, "to_name": "image", "original_width": 200, "original_height": 50, "image_rotation": 0}
    return {"id": id, "type": kind, **on, "value": value, **nested, **more}


def key_point(id: str, name: str, x: float, y: float, parent: str | None = None, **more: Any) -> dict[str, Any]:
    """x and y in pixels."""
    value = {"x": x / 2, "y": y * 2, "width": 0.3, "keypointlabels": [name]}
    return region(id, "keypointlabels", value, parent, **more)


def rectangle(id: str, x: float, y: float, width: float, height: float, **more: Any) -> dict[str, Any]:
    """A box in pixels."""
    value = {"x": x / 2, "y": y * 2, "width": width / 2, "height": height * 2, "rotation": 0}
    return region(id, "rectanglelabels", value | {"rectanglelabels": ["mouse"]} | more.pop("value", {}), **more)


def tasks(*of_pictures: list[Any], predicted: bool = False) -> str:
    return json.dumps(
        [
            {
                "id": number,
                "data": {"image": f"/data/upload/1/0a1b2c3d-{number}.jpg"},
                "annotations": [] if predicted else [{"id": number, "was_cancelled": False, "result": results}],
                "predictions": [{"result": results}] if predicted else [],
            }
            for number, results in enumerate(of_pictures)
        ]
    )


def test_the_points_in_a_rectangle_of_label_studio_are_of_one_specimen() -> None:
    two = [
        key_point("c", "nose", 9, 8, "B"),
        rectangle("A", 10, 5, 40, 20),
        key_point("a", "nose", 12, 6, "A"),
        key_point("b", "tail", 14, 7, "A"),
        rectangle("B", 100, 5, 30, 15),
        rectangle("C", 150, 5, 10, 15),
        rectangle("D", 1, 1, 2, 2, parentID="A"),  # a part of a specimen
    ]
    labels = labelstudio.parse(tasks(two, []), several=True)
    assert labels.images == ("0.jpg",) * 3 + ("1.jpg",)
    assert labels.schema.names == ("nose", "tail")
    expected = np.array([[[9, 8], [NAN, NAN]], [[12, 6], [14, 7]], [[NAN, NAN]] * 2, [[NAN, NAN]] * 2])
    np.testing.assert_allclose(labels.xy, expected)
    boxes = np.array([[100, 5, 30, 15], [10, 5, 40, 20], [150, 5, 10, 15], [NAN] * 4])
    np.testing.assert_allclose(numbers(labels.boxes), boxes)
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[200, 50]] * 3 + [[0, 0]]
    assert told(labels) == "1 result of type 'rectanglelabels'"


def test_points_of_label_studio_in_no_rectangle() -> None:
    loose = [key_point("a", "nose", 1, 2), key_point("b", "tail", 3, 4)]
    around = rectangle("A", 10, 5, 40, 20)
    whole = [around, *loose]
    beside = [around, rectangle("B", 1, 1, 2, 2), *loose]
    nested = [
        *(key_point("a", "nose", 1, 2), key_point("b", "tail", 3, 4, "a")),
        *(key_point("c", "nose", 5, 6), key_point("d", "tail", 7, 8, "c")),
    ]
    twice = [*loose, key_point("e", "nose", 5, 6)]
    labels = labelstudio.parse(tasks(loose, whole, beside, nested, twice), several=True)
    assert [image[0] for image in labels.images] == ["0", "1", "2", "2", "2", "3", "3", "4"]
    noses = [1, 1, NAN, NAN, 1, 1, 5, NAN]
    np.testing.assert_allclose(labels.xy[:, 0, 0], noses)
    assert labels.boxes is not None
    assert np.isfinite(labels.boxes[:, 0]).tolist() == [False, True, True, True, False, False, False, False]
    assert told(labels) == "1 specimen in which a landmark is marked twice, of which nothing is read (task 4: 'nose')"


@pytest.mark.parametrize(
    ("more", "left_out"),
    [
        ({"value": {"rotation": 30}}, "1 box that is turned (task 0)"),
        ({"value": {"width": 0}}, "1 box without a place (task 0)"),
        ({"value": {"x": "left"}}, "1 box without a place (task 0)"),
        ({"original_width": None}, "1 box without the picture's size"),
        ({"image_rotation": 90}, "1 box on a picture that was turned in Label Studio"),
        ({"item_index": 1}, "1 box whose picture cannot be told (task 0: on 'image', data image)"),
    ],
)
def test_a_box_of_label_studio_that_cannot_be_read_costs_the_box(more: dict[str, Any], left_out: str) -> None:
    results = [rectangle("A", 10, 5, 40, 20, **more), key_point("a", "nose", 1, 2, "A"), key_point("b", "nose", 3, 4)]
    labels = labelstudio.parse(tasks(results), several=True)
    np.testing.assert_allclose(labels.xy[:, 0, 0], [1, 3])
    assert labels.boxes is None
    assert told(labels).startswith(left_out)


def test_what_a_model_said_of_specimens() -> None:
    results = [
        rectangle("A", 10, 5, 40, 20, score=0.75),
        *(key_point("a", "nose", 12, 6, "A", score=0.5), key_point("b", "nose", 1, 2, "B", score=0.25)),
        rectangle("B", 1, 1, 8, 8, score=7),
    ]
    labels = labelstudio.parse(tasks(results, predicted=True), several=True)
    np.testing.assert_array_equal(numbers(labels.likely), [0.75, NAN])
    np.testing.assert_array_equal(numbers(labels.score), [[0.5], [0.25]])
    again = labelstudio.parse(labelstudio.dump(labels, PictureInfo()), several=True)
    np.testing.assert_array_equal(numbers(again.likely), [0.75, NAN])
    np.testing.assert_array_equal(again.is_predicted, labels.is_predicted)
    np.testing.assert_allclose(numbers(again.boxes), numbers(labels.boxes))


def test_what_a_person_and_a_model_said_of_one_specimen_stays_together() -> None:
    labels = Labels(
        Schema(("nose", "tail")),
        ("a.png", "a.png"),
        np.arange(8.0).reshape(2, 2, 2),
        np.full((2, 2), VISIBLE),
        predicted=np.array([[False, True], [True, True]]),
        tracks=("", ""),
        sizes=np.array([[9, 9]] * 2),
    )
    (task,) = json.loads(labelstudio.dump(labels, PictureInfo()))
    (annotation,), (prediction,) = task["annotations"], task["predictions"]
    assert [result["type"] for result in annotation["result"]] == ["rectanglelabels", "keypointlabels"]
    assert [result["type"] for result in prediction["result"]].count("rectanglelabels") == 1
    again = labelstudio.parse(json.dumps([task]), several=True)
    assert_same(again, labels)
    np.testing.assert_array_equal(again.is_predicted, labels.is_predicted)


def test_label_studio_s_export_to_yolo_finds_every_point_in_a_rectangle() -> None:
    for task in json.loads(labelstudio.dump(BUSY, Sized(SIZES)))[:2]:
        regions = [result for entry in task["annotations"] for result in entry["result"]]
        points = [result for result in regions if result["type"] == "keypointlabels"]
        rectangles = {result["id"]: result["value"] for result in regions if result["type"] == "rectanglelabels"}
        several = task["data"]["image"].endswith("one.png")
        assert (len(rectangles), len(points)) == ((2, 4) if several else (0, 1))
        assert {result.get("parentID") for result in points} <= (set(rectangles) if several else {None})
        assert all(value["width"] > 0 and value["rectanglelabels"] for value in rectangles.values())
