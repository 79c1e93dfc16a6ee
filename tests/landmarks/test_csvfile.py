from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, csvfile
from lead.landmarks.pictures import PictureInfo, Sized


def test_long_form_in_any_order_of_lines_and_columns() -> None:
    labels = csvfile.parse("y,x,name,file\n2,1,nose,b.jpg\n4,3,tail,a.jpg\n6,5,nose,a.jpg\n,,tail,b.jpg\n")
    assert labels.schema.names == ("nose", "tail")
    assert labels.images == ("b.jpg", "a.jpg")
    assert labels.xy[1].tolist() == [[5, 6], [3, 4]]
    assert labels.visible.tolist() == [[VISIBLE, UNLABELLED], [VISIBLE, VISIBLE]]
    assert labels.score is None


def test_a_point_without_a_line_is_unlabelled() -> None:
    labels = csvfile.parse("image,name,x,y,visible,score\na,p,1,2,1,0.5\nb,q,3,4,,\n")
    assert labels.visible.tolist() == [[HIDDEN, UNLABELLED], [UNLABELLED, VISIBLE]]
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[0.5, np.nan], [np.nan, np.nan]])
    assert labels.px_error is None


def test_writes_a_line_for_every_point() -> None:
    labels = Labels.from_xy(Schema(("nose", "tail")), ["a,b.jpg"], [[[0.1, -2.0], [np.nan, np.nan]]])
    assert csvfile.dump(labels) == (
        'image,name,x,y,visible,score,px_error,px_90\n"a,b.jpg",nose,0.1,-2.0,2,,,\n"a,b.jpg",tail,,,0,,,\n'
    )


def test_what_is_told_of_a_prediction_has_columns_of_its_own() -> None:
    labels = csvfile.parse("image,name,x,y,px_90,px_error\na,p,1,2,7.5,3\na,q,3,4,,1\n")
    assert labels.px_90 is not None
    np.testing.assert_array_equal(labels.px_90, [[7.5, np.nan]])
    assert labels.px_error is not None
    np.testing.assert_array_equal(labels.px_error, [[3, 1]])
    assert labels.score is None
    assert "a,p,1.0,2.0,2,,3.0,7.5\n" in csvfile.dump(labels)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("file,x0,y0,x1,y1", ("0", "1")),
        ("image,nose_x,nose_y,left_ear_x,left_ear_y", ("nose", "left_ear")),
    ],
)
def test_wide_forms(header: str, names: tuple[str, ...]) -> None:
    labels = csvfile.parse(f"{header}\nb.jpg,1,2,,NaN\na.jpg,5,6,7,8\n")
    assert labels.schema.names == names
    assert labels.images == ("b.jpg", "a.jpg")
    assert labels.xy[1].tolist() == [[5, 6], [7, 8]]
    assert labels.visible.tolist() == [[VISIBLE, UNLABELLED], [VISIBLE, VISIBLE]]


def test_wide_columns_may_stand_in_any_order() -> None:
    labels = csvfile.parse("y1,x0,image,x1,y0\n4,1,a.jpg,3,2\n")
    assert labels.only(["0", "1"]).xy.tolist() == [[[1, 2], [3, 4]]]


@pytest.mark.parametrize(
    "text",
    [
        "image;p_x;p_y\na.jpg;1,5;2\n",
        '"image";"p_x";"p_y"\n"a.jpg";"1,5";"2"\n',
        "image\tp_x\tp_y\na.jpg\t1,5\t2.0\n",
        "image,p_x,p_y\na.jpg,1.5,2\n",
    ],
)
def test_delimiters(text: str) -> None:
    labels = csvfile.parse(text)
    assert (labels.schema.names, labels.images) == (("p",), ("a.jpg",))
    assert labels.xy.tolist() == [[[1.5, 2]]]


def test_a_name_keeps_its_commas_and_semicolons() -> None:
    labels = csvfile.parse("image;name;x;y\n1,5;2,5;1,5;2\n")
    assert (labels.images, labels.schema.names) == (("1,5",), ("2,5",))
    labels = csvfile.parse("image,a;b_x,a;b_y\na.jpg,1,2\n")
    assert labels.schema.names == ("a;b",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,name,x,y,visibel\n", "a header, but no landmark"),
        ("imgae,name,x,y\na,p,1,2\n", "no column 'image'.*'imgae' is nearly 'image'"),
        ("image,name,x_pox,y\na,p,1,2\n", "column 'x' is missing.*'x_pox' is nearly 'x_p"),
        ("image,name,x\na,p,1\n", "column 'y' is missing"),
        ("name,x,y\np,1,2\n", "no column 'image'"),
        ("image,image,name,x,y\na,b,p,1,2\n", "'image' stands more than once"),
        ("image,name,x,y\na,p,1,2\n\na,q,1\n", "line 4: 3 fields where the header has 4"),
        ("image,name,x,y\na,p,1,2\na,q,one,2\n", "line 3: x is 'one', which is not a number"),
        ("image,name,x,y\na,p,1,inf\n", "line 2: y is 'inf'"),
        ("image,name,x,y\na,p,1,\n", "line 2: of x and y, one is blank"),
        ("image,name,x,y\na,p,1,2\nb,p,1,2\na,p,1,2\n", "line 4: 'p' of picture 'a' stands already in line 2"),
        ("image,name,x,y,visible\na,p,1,2,5\n", "line 2: visible is 5"),
        ("image,name,x,y,visible\na,p,,,2\n", "line 2: visible is 2, but x and y are blank"),
        ("image,x0,y0,X0\na,1,2,3\n", "columns 'x0' and 'X0' are both x of '0'"),
        ("image\na\n", "no landmark's columns"),
        ("image,x,y\na,1,2\n", "no landmark's columns"),
        ("image,name,x,y\n,,,\n", "a header, but no landmark"),
        ("image,name,x,y\n,p,1,2\n", "no line with a picture and a landmark"),
        ("image,name,x,y,origin\na,p,1,2,me\n", "line 2: Unknown origin 'me'.*accepted, hand, predicted"),
        ("image,x_center,y_center,width\na,0.5,0.25,0.1\n", "all places lie between 0 and 1"),
        ("image,name,x,y\na,p,0.5,0.25\na,q,0.75,1\n", "all places lie between 0 and 1.*multiply x by the picture's"),
        ("image,x0,y0,x1\na,1,2,3\n", "landmark '1' has no column for its y"),
        ("image,x0,y0\na,1,2\na,3,4\n", "line 3: picture 'a' stands already in line 2"),
        ("image,x0,y0\na,1,zwei\n", "line 2: y0 is 'zwei'"),
        ('image,name,x,y\na,p,"1,5",2\n', "line 2: x is '1,5'"),
        ("image;name;x;y\na;p;1.234,5;2\n", "line 2: x is '1.234,5'"),
        ("image,p_x,p_y\na,1,\n", "line 2: of x and y of 'p', one is blank"),
    ],
)
def test_errors_name_the_line(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message):
        csvfile.parse(text)


@pytest.mark.parametrize(
    ("header", "names"),
    [
        ("Image,X1,Y1,X2,Y2", ("1", "2")),
        ("filename,1_x,1_y,2_x,2_y", ("1", "2")),
        ("File_Name,LM1_X,LM1_Y,LM2_X,LM2_Y", ("LM1", "LM2")),
        ("picture,lm1.x,lm1.y,lm2.x,lm2.y", ("lm1", "lm2")),
        ("path,nose X,nose Y,tail X,tail Y", ("nose", "tail")),
        ("image path,x_nose,y_nose,x_tail,y_tail", ("nose", "tail")),
        ("id,x1,y1,x2,y2", ("1", "2")),
        ("specimen,X.1,Y.1,X.2,Y.2", ("1", "2")),
        ("name,x1,y1,x2,y2", ("1", "2")),
    ],
)
def test_wide_tables_of_other_programs(header: str, names: tuple[str, ...]) -> None:
    assert csvfile.why_not(header) is None
    labels = csvfile.parse(f"{header}\nb.jpg,1,2,NA,NA\na.jpg,5,6,7,8\n")
    assert (labels.schema.names, labels.images) == (names, ("b.jpg", "a.jpg"))
    np.testing.assert_array_equal(labels.xy, [[[1, 2], [np.nan, np.nan]], [[5, 6], [7, 8]]])
    assert labels.places is not None
    assert labels.places.left_out == ""


@pytest.mark.parametrize(
    "header",
    ["File,Landmark,X,Y", "image_name,bodypart,pos_x,pos_y", "img,keypoint,x (px),y (px)", "photo,LM,x.px,y.px"],
)
def test_long_tables_of_other_programs(header: str) -> None:
    labels = csvfile.parse(f"{header}\na.jpg,nose,1,2\na.jpg,tail,n/a,-\n")
    assert (labels.schema.names, labels.images) == (("nose", "tail"), ("a.jpg",))
    np.testing.assert_array_equal(labels.xy, [[[1, 2], [np.nan, np.nan]]])


def left_out(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


def test_further_columns_are_left_aside_and_named() -> None:
    labels = csvfile.parse("id,image,sex,x1,y1,visibel\n7,a.jpg,f,1,2,2\n")
    assert labels.images == ("a.jpg",)
    assert left_out(labels) == "3 columns: 'id', 'sex', 'visibel' (nearly 'visible')"
    labels = csvfile.parse("image,name,x,y,rater,score\na.jpg,p,1,2,Ann,0.5\n")
    assert left_out(labels) == "1 column: 'rater'"
    assert labels.predicted is not None


def test_a_box_is_no_landmark() -> None:
    labels = csvfile.parse("image,box_x,box_y,box_w,box_h,nose_x,nose_y\na.jpg,5,5,9,9,1,2\n")
    assert labels.schema.names == ("nose",)
    assert left_out(labels) == "4 columns: 'box_x', 'box_y', 'box_w', 'box_h'"


def test_a_line_that_names_nothing_costs_that_line() -> None:
    labels = csvfile.parse("image,name,x,y\na.jpg,p,1,2\n,p,3,4\na.jpg,,5,6\n,,,\n")
    assert (labels.images, labels.schema.names) == (("a.jpg",), ("p",))
    assert left_out(labels) == "1 line without a picture (line 3); 1 line without a landmark's name (line 4)"


def test_names_without_endings_are_looked_up() -> None:
    class Folder(PictureInfo):
        def of_stem(self, path: str) -> str:
            return {"wing 1": "wing 1.tif"}.get(path, path)

    labels = csvfile.parse("specimen,x1,y1\nwing 1,1,2\nwing 2,3,4\n", Folder())
    assert labels.images == ("wing 1.tif", "wing 2")


def test_scores_and_visibilities_of_a_wide_table() -> None:
    labels = csvfile.parse("image,a_x,a_y,a_likelihood,b_x,b_y,b_visible\n1.png,1,2,0.5,3,4,1\n")
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[0.5, np.nan]])
    assert labels.visible.tolist() == [[VISIBLE, HIDDEN]]
    assert labels.is_predicted.tolist() == [[True, False]]


# As write.csv and write.table of R write a data frame, row names and all.
R_TABLES = [
    '"","image","x1","y1"\n"1","a.jpg",1.5,2\n"2","b.jpg",NA,NA\n',
    '"image","x1","y1"\n"1","a.jpg",1.5,2\n"2","b.jpg",NA,NA\n',
    '"";"image";"x1";"y1"\n"1";"a.jpg";1,5;2\n"2";"b.jpg";NA;NA\n',
    '"X","image","name","x","y"\n"1","a.jpg","1",1.5,2\n"2","b.jpg","1",NA,NA\n',
]


@pytest.mark.parametrize("text", R_TABLES)
def test_tables_of_r(text: str) -> None:
    labels = csvfile.parse(text)
    assert (labels.images, labels.schema.names) == (("a.jpg", "b.jpg"), ("1",))
    np.testing.assert_array_equal(labels.xy, [[[1.5, 2]], [[np.nan, np.nan]]])


def test_pictures_that_are_the_row_names_of_r() -> None:
    """As ``write.csv(two.d.array(A))`` has them, with the specimens' names as row names."""
    text = '"","1.X","1.Y","2.X","2.Y"\n"a",1.5,2,3,4\n"b",NA,NA,5,6\n'
    labels = csvfile.parse(text, Sized({"a.jpg": (9, 9), "b.jpg": (9, 9)}))
    assert (labels.images, labels.schema.names) == (("a.jpg", "b.jpg"), ("1", "2"))
    np.testing.assert_array_equal(labels.xy, [[[1.5, 2], [3, 4]], [[np.nan, np.nan], [5, 6]]])
    with pytest.raises(LeadError, match="its lines are numbered, and no column says their pictures"):
        csvfile.parse(text.replace('"a"', '"1"').replace('"b"', '"2"'))


@pytest.mark.parametrize("separator", [(",", "."), (";", ","), ("\t", ","), ("\t", ".")])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_tables_of_pandas_and_of_spreadsheets(separator: tuple[str, str], encoding: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"file": ["ä.jpg", "b.jpg"], "nose_x": [1.25, np.nan], "nose_y": [3, np.nan], "Kürzel": "k"})
    path = tmp_path / "a.csv"
    frame.to_csv(path, sep=separator[0], decimal=separator[1], encoding=encoding, na_rep="NaN")
    labels = load_labels(path)
    assert labels.images == ("ä.jpg", "b.jpg")
    np.testing.assert_array_equal(labels.xy, [[[1.25, 3]], [[np.nan, np.nan]]])
    assert left_out(labels) == "1 column: 'Kürzel'"


MEDIAPIPE = "image,landmark_index,x,y,z,visibility\na.png,0,0.5,0.25,-0.1,0.99\na.png,1,1.1,0.75,0.2,0.5\n"
MEDIAPIPE_WIDE = (
    "image,nose_x,nose_y,nose_z,nose_visibility,ear_x,ear_y,ear_z,ear_visibility\n"
    "a.png,0.5,0.25,-0.1,0.99,1.1,0.75,0.2,0.5\n"
)


@pytest.mark.parametrize("text", [MEDIAPIPE, MEDIAPIPE_WIDE])
def test_shares_of_the_picture_s_size_become_pixels(text: str) -> None:
    labels = csvfile.parse(text, Sized({"a.png": (200, 100)}))
    # MediaPipe's own drawing puts a share s into pixel floor(s * width), whose centre is that number here.
    np.testing.assert_allclose(labels.xy, [[[99.5, 24.5], [219.5, 74.5]]])
    assert np.floor(labels.xy[0, 0] + 0.5).tolist() == [100, 25]
    assert labels.is_predicted.all()
    with pytest.raises(LeadError, match=r"places are shares of the pictures' sizes, .*--pictures"):
        csvfile.parse(text)
    in_pixels = csvfile.parse(text.replace("0.5,0.25", "99.5,24.5").replace("1.1,0.75", "219.5,74.5"))
    np.testing.assert_allclose(in_pixels.xy, labels.xy)
    assert in_pixels.is_predicted.all()


def flags(*of_landmarks: int) -> npt.NDArray[np.bool_]:
    """Of one picture."""
    return np.array([of_landmarks], dtype=bool)


def test_whose_a_label_is_stands_in_a_column_where_nothing_else_tells() -> None:
    schema, xy = Schema(("a", "b", "c", "d")), np.arange(8.0).reshape(1, 4, 2)
    visible = np.array([[2, 2, 1, 0]], dtype=np.int8)
    score = np.array([[np.nan, np.nan, 0.5, np.nan]])
    labels = Labels(schema, ("1.png",), xy, visible, score, accepted=flags(1, 0, 0, 0), predicted=flags(0, 0, 1, 0))
    text = csvfile.dump(labels)
    assert [line.split(",")[-1] for line in text.splitlines()] == ["origin", "accepted", "hand", "predicted", ""]
    again = csvfile.parse(text)
    np.testing.assert_array_equal(again.is_accepted, labels.is_accepted)
    np.testing.assert_array_equal(again.is_predicted, labels.is_predicted)
    assert "origin" not in csvfile.dump(replace(labels, accepted=None))  # the score tells
    unscored = Labels(schema, ("1.png",), xy, visible, predicted=flags(0, 1, 1, 0))
    np.testing.assert_array_equal(csvfile.parse(csvfile.dump(unscored)).is_predicted, unscored.is_predicted)


@given(data=st.data())
def test_whose_a_label_is_comes_back(data: st.DataObject) -> None:
    shape = (data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)))

    def drawn(values: st.SearchStrategy[float]) -> npt.NDArray[np.float64]:
        count = shape[0] * shape[1]
        return np.reshape(data.draw(st.lists(values, min_size=count, max_size=count)), shape)

    visible = drawn(st.sampled_from([0, 1, 2])).astype(np.int8)
    accepted, predicted = (drawn(st.sampled_from([0, 1])).astype(bool) for _ in range(2))
    score = drawn(st.sampled_from([np.nan, 0.25, 1])) if data.draw(st.booleans()) else None
    names, images = (tuple(f"{kind}{i}" for i in range(count)) for kind, count in (("p", shape[1]), ("i", shape[0])))
    xy = np.arange(2.0 * shape[0] * shape[1]).reshape(*shape, 2)
    labels = Labels(Schema(names), images, xy, visible, score, accepted=accepted, predicted=predicted)
    again = csvfile.parse(csvfile.dump(labels))
    for one, other in ((labels.is_accepted, again.is_accepted), (labels.is_predicted, again.is_predicted)):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.by_hand, labels.by_hand)
    np.testing.assert_array_equal(again.xy, labels.xy)


def test_a_prediction_that_a_person_corrected_in_the_table_is_a_person_s() -> None:
    labels = csvfile.parse("image,name,x,y,score,origin\na,p,1,2,0.5,hand\na,q,3,4,0.25,\n")
    assert labels.by_hand.tolist() == [[True, False]]
    assert left_out(labels) == "1 point placed by hand with a score or an error of a model"
    assert labels.score is not None
    np.testing.assert_array_equal(labels.score, [[np.nan, 0.25]])


# --- several specimens of a picture ----------------------------------------------------------------------------------

CROWD = """image,name,x,y,instance,track,likely,box_x,box_y,box_width,box_height,complete
a.jpg,nose,1,2,1,Ann,,0,1,5,6,1
a.jpg,nose,3,4,2,,0.5,,,,,1
b.jpg,nose,,,1,,,,,,,0
"""


def test_specimens_have_lines_of_their_own() -> None:
    labels = csvfile.parse(CROWD, several=True)
    assert (labels.images, labels.tracks) == (("a.jpg", "a.jpg", "b.jpg"), ("Ann", "", ""))
    np.testing.assert_array_equal(labels.xy[:, 0], [[1, 2], [3, 4], [np.nan] * 2])
    np.testing.assert_array_equal(labels.boxes, [[0, 1, 5, 6], [np.nan] * 4, [np.nan] * 4])
    np.testing.assert_array_equal(labels.likely, [np.nan, 0.5, np.nan])
    assert labels.complete == {"a.jpg"}
    assert labels.places is not None
    assert labels.places.left_out == ""
    again = csvfile.dump(labels).splitlines()
    assert again[0].split(",")[8:] == CROWD.splitlines()[0].split(",")[4:]
    assert [line.split(",")[8:] for line in again[1:]] == [
        ["1", "Ann", "", "0.0", "1.0", "5.0", "6.0", "1"],
        ["2", "", "0.5", "", "", "", "", "1"],
        ["1", "", "", "", "", "", "", "0"],
    ]
    with pytest.raises(LeadError, match=r"line 3: 'nose' of picture 'a\.jpg' stands already in line 2"):
        csvfile.parse(CROWD)


def test_tracks_alone_tell_specimens_apart_and_lines_do_in_a_wide_table() -> None:
    long = csvfile.parse("image,name,x,y,track\na,p,1,2,Ann\na,p,3,4,Bob\na,q,5,6,Ann\n", several=True)
    assert long.tracks == ("Ann", "Bob")
    assert long.visible.tolist() == [[2, 2], [2, 0]]
    wide = csvfile.parse("image,x1,y1\na,1,2\na,3,4\nb,5,6\n", several=True)
    assert wide.images == ("a", "a", "b")
    assert wide.tracks == ("",) * 3


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.5", "sure", r"line 3: likely is 'sure', which is not a number"),
        (",0,1,5,6,", ",0,,5,6,", r"line 2: box_x, box_y, box_width, box_height are no box\. Give all four"),
        (",0,1,5,6,", ",0,1,-5,6,", r"line 2: box_x.* are no box"),
        ("2,1,Ann,,0,1,5,6,1", "2,1,Ann,,0,1,5,6,perhaps", r"line 2: Unknown complete 'perhaps'"),
        ("a.jpg,nose,3,4,2", "a.jpg,tail,3,4,1", r"line 3: track is '', but 'Ann' in line 2, of the same specimen"),
        ("4,2,,", "4,2,Ann,", r"Picture 'a\.jpg' shows individual 'Ann' more than once"),
    ],
)
def test_what_is_wrong_of_a_specimen_is_named(old: str, new: str, message: str) -> None:
    assert CROWD.count(old) == 1
    with pytest.raises(LeadError, match=message):
        csvfile.parse(CROWD.replace(old, new), several=True)


def test_columns_of_specimens_are_left_aside_where_there_is_one_each() -> None:
    one = csvfile.parse("".join(CROWD.splitlines(keepends=True)[:2]))
    assert (one.boxes, one.tracks) == (None, None)
    assert one.places is not None
    assert one.places.left_out.startswith("8 columns: 'instance', 'track', 'likely', 'box_x'")
