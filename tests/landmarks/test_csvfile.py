from __future__ import annotations

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, csvfile


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
        ("image,name,x,y,visibel\na,p,1,2,2\n", "Unknown column 'visibel'.*'visible'"),
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
        ("image,x0,y0,score\na,1,2,3\n", "unknown column 'score'"),
        ("image\na\n", "no landmark's columns"),
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
