"""DeepLabCut's CSV, checked against pandas, with which DeepLabCut reads and writes it."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, deeplabcut
from lead.landmarks.formats import format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.pictures import PictureInfo

NAN = np.nan
Values = npt.NDArray[np.float64]
ONE_COLUMN = """\
scorer,Ann,Ann,Ann,Ann
bodyparts,snout,snout,left ear,left ear
coords,x,y,x,y
labeled-data/m1/img07.png,21.521,265.428,33.819,265.941
labeled-data/m1/img02.png,,,250.05599999999998,0.1
"""
THREE_COLUMNS = """\
scorer,,,Ann,Ann,Ann,Ann
bodyparts,,,snout,snout,left ear,left ear
coords,,,x,y,x,y
labeled-data,m1,img07.png,21.521,265.428,33.819,265.941
labeled-data,m1,img02.png,,,250.05599999999998,0.1
"""
WINDOWS = ONE_COLUMN.replace("/", "\\")
INDIVIDUALS = ONE_COLUMN.replace("bodyparts", "individuals,m,m,m,m\nbodyparts")
XY = [[[21.521, 265.428], [33.819, 265.941]], [[NAN, NAN], [250.05599999999998, 0.1]]]
PREDICTED = """\
scorer,net,net,net,net,net,net
bodyparts,a,a,a,b,b,b
coords,x,y,likelihood,x,y,likelihood
v/1.png,1,2,0.5,3,4,
v/2.png,,,0.25,5,6,1
"""


def as_deeplabcut_reads(text: str, index: int = 1) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(text), index_col=list(range(index)) if index > 1 else 0, header=[0, 1, 2])


def values(frame: pd.DataFrame) -> Values:
    return frame.to_numpy(dtype=np.float64)


@pytest.mark.parametrize(
    "text",
    [ONE_COLUMN, THREE_COLUMNS, WINDOWS, INDIVIDUALS, ONE_COLUMN.replace("\n", "\r\n")],
    ids=["one column", "three columns", "windows", "individuals", "line ends"],
)
def test_reads_every_form(text: str) -> None:
    labels, known = parse_labels(text.encode(), "CollectedData_Ann.csv")
    assert known.name == "deeplabcut"
    assert labels.images == ("labeled-data/m1/img07.png", "labeled-data/m1/img02.png")
    assert labels.schema == Schema(("snout", "left ear"))
    np.testing.assert_array_equal(labels.xy, XY)
    assert labels.visible.tolist() == [[VISIBLE, VISIBLE], [UNLABELLED, VISIBLE]]
    assert labels.score is None
    assert labels.px_error is None


@pytest.mark.parametrize(("text", "index"), [(ONE_COLUMN, 1), (THREE_COLUMNS, 3), (PREDICTED, 1)])
def test_reads_what_pandas_reads(text: str, index: int) -> None:
    labels, frame = deeplabcut.parse(text), as_deeplabcut_reads(text, index)
    images = frame.index if index == 1 else ["/".join(map(str, key)) for key in frame.index]
    assert list(labels.images) == list(images)
    assert list(labels.schema.names) == list(frame.columns.get_level_values("bodyparts").unique())
    columns = list(zip(*(frame.columns.get_level_values(level) for level in ("bodyparts", "coords")), strict=True))
    for k, name in enumerate(labels.schema.names):
        for axis, coord in enumerate("xy"):
            np.testing.assert_array_equal(labels.xy[:, k, axis], values(frame)[:, columns.index((name, coord))])


@pytest.mark.parametrize("index", [1, 3])
def test_reads_what_pandas_writes(index: int) -> None:
    columns = pd.MultiIndex.from_product([["Ann"], ["a, b", "ü"], ["x", "y"]], names=["scorer", "bodyparts", "coords"])
    parts = [("labeled-data", "007", "img1.png"), ("labeled-data", "008", "img1.png")]
    rows = pd.MultiIndex.from_tuples(parts) if index == 3 else ["/".join(part) for part in parts]
    table = np.array([[0.1, 1 / 3, NAN, NAN], [-2.5, 1e-17, 4, 5]])
    labels = deeplabcut.parse(pd.DataFrame(table, columns=columns, index=rows).to_csv())
    assert labels.images == ("labeled-data/007/img1.png", "labeled-data/008/img1.png")
    assert labels.schema.names == ("a, b", "ü")
    np.testing.assert_array_equal(labels.xy.reshape(2, 4), table)


def test_likelihood_is_the_score() -> None:
    labels = deeplabcut.parse(PREDICTED)
    np.testing.assert_array_equal(labels.score, [[0.5, NAN], [0.25, 1]])
    assert labels.visible.tolist() == [[VISIBLE, VISIBLE], [UNLABELLED, VISIBLE]]


ANIMALS = """\
scorer,A,A,A,A,A,A
individuals,m1,m1,m2,m2,single,single
bodyparts,nose,nose,nose,nose,tail,tail
coords,x,y,x,y,x,y
"""


def test_the_unique_body_parts_are_joined_to_the_one_animal() -> None:
    labels = deeplabcut.parse(f"{ANIMALS}a,10,20,,,30,40\nb,11,20,,,,\nc,,,,,,\n")
    assert labels.schema.names == ("nose", "tail")
    np.testing.assert_array_equal(labels.xy[0], [[10, 20], [30, 40]])
    np.testing.assert_array_equal(labels.xy[1], [[11, 20], [NAN, NAN]])
    assert not labels.visible[2].any()
    assert labels.places is not None
    assert labels.places.left_out == ""


def test_animals_that_share_no_picture_are_told_of() -> None:
    labels = deeplabcut.parse(f"{ANIMALS}a,10,20,,,30,40\nb,,,11,20,,\nc,,,12,20,,\n")
    np.testing.assert_array_equal(labels.xy[:, 0], [[10, 20], [11, 20], [12, 20]])
    assert labels.places is not None
    assert labels.places.left_out == "which animal is shown, a picture each ('m1' 1, 'm2' 2)"


VISIBLE_COLUMN = """\
scorer,Ann,Ann,Ann,Ann,Ann,Ann
bodyparts,nose,nose,nose,tail,tail,tail
coords,x,y,visible,x,y,visible
labeled-data/v1/1.jpg,10,20,1,30,40,2
labeled-data/v1/2.jpg,,,1,30,40,0
labeled-data/v1/3.jpg,,,0,30,40,
"""


def test_lightning_pose_says_which_points_are_hidden() -> None:
    labels, known = parse_labels(VISIBLE_COLUMN.encode(), "CollectedData.csv")
    assert known.name == "lightningpose"
    assert labels.visible.tolist() == [[HIDDEN, VISIBLE], [UNLABELLED, UNLABELLED], [UNLABELLED, VISIBLE]]
    np.testing.assert_array_equal(labels.xy[0], [[10, 20], [30, 40]])
    assert labels.score is None
    assert labels.places is not None
    assert labels.places.left_out == (
        "1 point said to be hidden or visible, without a place; 1 place of a point said to be unlabelled (visible 0)"
    )


def as_lightning_pose_reads(text: str) -> tuple[list[str], list[str], Values, Values]:
    """Pictures, key points, places and visibilities, by the steps of its documentation's pandas."""
    frame = pd.read_csv(io.StringIO(text), header=[0, 1, 2], index_col=0)
    names = list(frame.columns.get_level_values(1).unique())
    whole = frame.to_numpy(dtype=np.float64).reshape(len(frame), len(names), -1)
    return list(frame.index), names, whole[..., :2], whole[..., 2:]


@pytest.mark.parametrize("hidden", [False, True])
def test_lightning_pose_reads_what_is_written(hidden: bool) -> None:
    visible = np.array([[HIDDEN if hidden else VISIBLE, UNLABELLED], [VISIBLE, VISIBLE]], dtype=np.int8)
    xy = np.array([[[1e-5, 2], [NAN, NAN]], [[3, 4], [5, 6]]])
    labels = Labels(Schema(("nose", "tail")), ("a.png", "b.png"), xy, visible)
    text = format_named("lightningpose").dump(labels, PictureInfo()).decode()
    images, names, places, seen = as_lightning_pose_reads(text)
    assert (images, names) == (["a.png", "b.png"], ["nose", "tail"])
    np.testing.assert_array_equal(places, xy)
    assert seen.tolist() == ([[[1], [0]], [[2], [2]]] if hidden else [[[], []], [[], []]])
    assert parse_labels(text.encode(), "x")[1].name == ("lightningpose" if hidden else "deeplabcut")


@pytest.mark.parametrize(
    "path",
    ["C:\\Users\\ann\\t-Ann\\labeled-data\\v1\\1.jpg", "..\\labeled-data\\v1\\1.jpg", "labeled-data\\v1\\1.jpg"],
)
def test_paths_of_windows_get_slashes(path: str) -> None:
    labels = deeplabcut.parse(f"scorer,A,A\nbodyparts,p,p\ncoords,x,y\n{path},1,2\n")
    assert labels.images == (path.replace("\\", "/"),)


def test_pandas_reads_what_is_written() -> None:
    xy = np.array([[[0.1, -2.0], [NAN, NAN]], [[NAN, NAN], [1 / 3, 1e-17]]])
    labels = Labels.from_xy(Schema(("nose", "ear, left")), ["labeled-data/v/1.png", "labeled-data/v/2.png"], xy)
    assert deeplabcut.dump(labels).splitlines()[:4] == [
        "scorer,lead,lead,lead,lead",
        'bodyparts,nose,nose,"ear, left","ear, left"',
        "coords,x,y,x,y",
        "labeled-data/v/1.png,0.1,-2.0,,",
    ]
    frame = as_deeplabcut_reads(deeplabcut.dump(labels))
    assert frame.columns.names == ["scorer", "bodyparts", "coords"]
    assert list(frame.index) == list(labels.images)
    np.testing.assert_array_equal(values(frame).reshape(xy.shape), xy)


def test_pandas_reads_scores_as_likelihood() -> None:
    score = np.array([[0.5, NAN]])
    labels = Labels(Schema(("a", "b")), ("1.png",), np.arange(4.0).reshape(1, 2, 2), np.full((1, 2), VISIBLE), score)
    frame = as_deeplabcut_reads(deeplabcut.dump(labels))
    np.testing.assert_array_equal(values(frame), [[0, 1, 0.5, 2, 3, NAN]])
    assert list(frame.columns.get_level_values("coords")) == ["x", "y", "likelihood"] * 2


ANY_NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@settings(max_examples=60)
@given(data=st.data())
def test_round_trip(data: st.DataObject) -> None:
    names = data.draw(st.lists(ANY_NAME, min_size=1, max_size=5, unique=True))
    images = data.draw(st.lists(ANY_NAME, min_size=1, max_size=4, unique=True))
    n, k = len(images), len(names)

    def table(value: st.SearchStrategy[float], count: int) -> list[float]:
        return data.draw(st.lists(value, min_size=count, max_size=count))

    xy = np.reshape(table(st.floats(-1e9, 1e9), n * k * 2), (n, k, 2))
    visible = np.reshape(table(st.sampled_from([UNLABELLED, VISIBLE]), n * k), (n, k)).astype(np.int8)
    score = None
    if data.draw(st.booleans()):
        score = np.reshape(table(st.floats(0, 1) | st.just(NAN), n * k), (n, k))
        score[-1, -1] = 0.25  # were none known, there would be nothing to keep
    labels = Labels(Schema(tuple(names)), tuple(images), xy, visible, score)
    again, known = parse_labels(format_named("deeplabcut").dump(labels, PictureInfo()), "x")
    assert known.name == "deeplabcut"
    assert (again.schema, again.images) == (labels.schema, labels.images)
    np.testing.assert_array_equal(again.xy, labels.xy)
    np.testing.assert_array_equal(again.visible, labels.visible)
    assert (again.score is None) == (score is None)
    if score is not None:
        np.testing.assert_array_equal(again.score, score)


def test_a_file_ending_in_csv_is_written_as_the_long_csv(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(ONE_COLUMN)
    save_labels(load_labels(tmp_path / "theirs.csv"), tmp_path / "ours.csv")
    assert (tmp_path / "ours.csv").read_text().startswith("image,name,x,y,")


HEADER = "scorer,A,A\nbodyparts,p,p\ncoords,x,y\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "a header, but no picture"),
        ("scorer,A,A\ncoords,x,y\na,1,2\n", "line 2: expected the header's row 'bodyparts', found 'coords'"),
        ("scorer,A,A\nbodyparts,p,p\na,1,2\n", "line 3: expected the header's row 'coords', found 'a'.*individuals"),
        ("scorer,A,A\n", "expected the header's row 'bodyparts', found the file's end"),
        ("scorer,A,B\nbodyparts,p,p\ncoords,x,y\na,1,2\n", "line 1: 2 scorers, 'A', 'B'. Keep"),
        (
            "scorer,A,A,A,A\nindividuals,m,m,n,n\nbodyparts,p,p,p,p\ncoords,x,y,x,y\na,1,2,3,4\n",
            "line 5: a has labels of 2 animals, 'm', 'n'. One animal a picture",
        ),
        (
            "scorer,A,A\nbodyparts,p,p\ncoords,x,z\na,1,2\n",
            "line 3, column 3: Unknown coordinate 'z'.*likelihood, visible, x, y",
        ),
        ("scorer,A,A\nbodyparts,p,p\ncoords,x,x\na,1,2\n", "line 2, column 3: x of 'p' stands already in column 2"),
        ("scorer,A,A\nbodyparts,p,q\ncoords,x,y\na,1,2\n", "line 3: body part 'p' has no column for its y"),
        ("scorer,\nbodyparts,\ncoords,\na,\n", "line 3: no column of coordinates"),
        ("scorer,,A,A\nbodyparts,,p,p\ncoords,,x,y\na,b,1,2\n", "line 3: 2 columns before the first coordinate"),
        ("scorer,A\nbodyparts,p,p\ncoords,x,y\na,1,2\n", "line 1: 2 fields where line 3 has 3"),
        (f"{HEADER}a,1,2\n\nb,1\n", "line 6: 2 fields where line 3 has 3"),
        (f"{HEADER}a,1,two\n", "line 4: y of 'p' is 'two', which is not a number"),
        (f"{HEADER}a,inf,2\n", "line 4: x of 'p' is 'inf'"),
        (f"{HEADER}a,1,\n", "line 4: of x and y of 'p', one is blank"),
        (f"{HEADER},1,2\n", "line 4: the picture's path is blank"),
        ("scorer,,,A,A\nbodyparts,,,p,p\ncoords,,,x,y\na,,b,1,2\n", "line 4: the picture's path is blank in part"),
        (f"{HEADER}a,1,2\nb,1,2\na,1,2\n", "line 6: picture 'a' stands already in line 4"),
        (
            f"{PREDICTED}v/3.png,1,2,1.0000001,3,4,1\n",
            "line 6: likelihood of 'a' is '1.0000001'; it must be from 0 to 1",
        ),
        (f"{PREDICTED}v/3.png,1,2,0,3,4,-0.5\n", "line 6: likelihood of 'b' is '-0.5'"),
        (
            "scorer,A,A,A,A\nindividuals,m,m,single,single\nbodyparts,p,p,p,p\ncoords,x,y,x,y\na,1,2,,\nb,1,2,3,4\n",
            "line 6: 'p' is labelled as an animal's body part and as a unique one",
        ),
        ("scorer,A,A,A\nbodyparts,p,p,p\ncoords,x,y,visible\na,1,2,3\n", "line 4: visible of 'p' is '3'; it must be 0"),
    ],
)
def test_errors_name_line_and_column(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=f"labels.csv: {message}"):
        parse_labels(text.encode(), "labels.csv")


def test_lightning_pose_s_column_of_the_sets_is_left_out_and_told() -> None:
    columns = pd.MultiIndex.from_product([["net"], ["a", "b"], ["x", "y", "likelihood"]])
    columns.names = ["scorer", "bodyparts", "coords"]
    frame = pd.DataFrame(np.arange(12).reshape(2, 6) / 12, index=["v/1.png", "v/2.png"], columns=columns)
    frame[("set", "", "")] = ["train", "validation"]
    labels = deeplabcut.parse(frame.to_csv())
    np.testing.assert_allclose(labels.xy[1], [[6 / 12, 7 / 12], [9 / 12, 10 / 12]])
    assert labels.schema.names == ("a", "b")
    assert labels.places is not None
    assert labels.places.left_out == "which pictures a model was trained on (column 'set')"
