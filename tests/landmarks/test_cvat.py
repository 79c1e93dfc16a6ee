"""CVAT's XML as it exports it: kinds of skeletons, attributes, films, and what a model said."""

from __future__ import annotations

from xml.sax.saxutils import escape

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.landmarks import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, cvat
from lead.landmarks.pictures import PictureInfo, Sized

NAN = float("nan")


def xml(*images: str, meta: str = "") -> str:
    return f"<annotations><version>1.1</version>{f'<meta>{meta}</meta>' if meta else ''}{''.join(images)}</annotations>"


def image(number: int, *shapes: str, name: str = "") -> str:
    return f'<image id="{number}" name="{name or f"{number}.jpg"}" width="128" height="96">{"".join(shapes)}</image>'


def point(label: str, x: float, y: float, *, more: str = 'source="manual" occluded="0"', **attributes: str) -> str:
    inside = "".join(f'<attribute name="{name}">{value}</attribute>' for name, value in attributes.items())
    return f'<points label="{label}" {more} points="{x},{y}">{inside}</points>'


def skeleton(label: str, *points: str, source: str = "manual") -> str:
    return f'<skeleton label="{label}" source="{source}" z_order="0">{"".join(points)}</skeleton>'


BEETLE = skeleton("beetle", point("head", 10, 20), point("tail", 30, 40, more='occluded="1"'))
RULER = skeleton("ruler", point("zero", 5, 5))


def told(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


@pytest.mark.parametrize("shapes", [(BEETLE, RULER), (RULER, BEETLE)])
def test_a_second_kind_of_skeleton_has_its_label_before_its_landmarks(shapes: tuple[str, str]) -> None:
    labels = cvat.parse(xml(image(0, *shapes), image(1, BEETLE)))
    assert set(labels.schema.names) == {"head", "tail", "ruler zero"}
    np.testing.assert_array_equal(labels.only(["head", "tail"]).xy, [[[10, 20], [30, 40]]] * 2)
    assert labels.only(["head", "tail"]).visible.tolist() == [[VISIBLE, HIDDEN]] * 2
    np.testing.assert_array_equal(labels.only(["ruler zero"]).xy, [[[5, 5]], [[NAN, NAN]]])
    assert told(labels) == ""


def test_one_kind_of_skeleton_can_be_chosen() -> None:
    text = xml(image(0, BEETLE, RULER), image(1, BEETLE))
    labels = cvat.parse(text, kind="ruler")
    assert labels.schema.names == ("zero",)
    assert told(labels) == "2 shapes of type 'skeleton' (beetle)"
    with pytest.raises(LeadError, match=r"Unknown skeleton 'rule'. Did you mean 'ruler'"):
        cvat.parse(text, kind="rule")


def test_skeletons_of_one_kind_are_several_instances() -> None:
    with pytest.raises(LeadError, match=r"0.jpg: 2 skeletons 'beetle'. One instance a picture is supported"):
        cvat.parse(xml(image(0, BEETLE, BEETLE)))


def test_landmarks_of_the_same_name_in_two_skeletons_are_two() -> None:
    drawing = (
        '<line data-node-from="1" data-node-to="2"></line><circle data-node-id="1" data-label-name="zero"></circle>'
        '<circle data-node-id="2" data-label-name="head"></circle>'
    )
    meta = (
        f"<task><labels><label><name>ruler</name><type>skeleton</type><svg>{escape(drawing)}</svg></label>"
        "<label><name>zero</name><type>points</type><parent>ruler</parent></label>"
        "<label><name>head</name><type>points</type><parent>ruler</parent></label>"
        "<label><name>beetle</name><type>skeleton</type><svg></svg></label>"
        "<label><name>tail</name><type>points</type><parent>beetle</parent></label>"
        "<label><name>eye</name><type>points</type><parent>beetle</parent></label>"
        "<label><name>head</name><type>points</type><parent>beetle</parent></label></labels></task>"
    )
    beetle = skeleton("beetle", point("head", 1, 1), point("eye", 2, 2), point("tail", 3, 3))
    labels = cvat.parse(xml(image(0, beetle, skeleton("ruler", point("head", 4, 4), point("zero", 5, 5))), meta=meta))
    assert labels.schema.names == ("ruler zero", "ruler head", "tail", "eye", "head")
    assert labels.schema.skeleton == (("ruler zero", "ruler head"),)
    assert labels.xy[0, :, 0].tolist() == [5, 4, 3, 2, 1]


def test_an_attribute_tells_points_of_one_label_apart() -> None:
    points = [point("landmark", 10, 20, id="2", quality="good"), point("landmark", 30, 40, id="10", quality="good")]
    other = [point("landmark", 50, 60, id="1", quality="bad")]
    labels = cvat.parse(xml(image(0, *points), image(1, *other)))
    assert labels.schema.names == ("landmark 1", "landmark 2", "landmark 10")
    np.testing.assert_array_equal(labels.xy[0], [[NAN, NAN], [10, 20], [30, 40]])
    np.testing.assert_array_equal(labels.xy[1], [[50, 60], [NAN, NAN], [NAN, NAN]])
    assert told(labels) == "3 attributes of points (quality)"


def test_attributes_of_skeletons_are_told() -> None:
    sex = '<attribute name="sex">f</attribute><attribute name="empty"></attribute>'
    labels = cvat.parse(xml(image(0, skeleton("beetle", point("head", 1, 2, sure="no"), sex))))
    assert told(labels) == "1 attribute of skeletons (sex); 1 attribute of points (sure)"


def test_an_attribute_that_is_not_needed_is_told() -> None:
    labels = cvat.parse(xml(image(0, point("tip", 1, 2, quality="3")), image(1, point("tip", 3, 4, quality="4"))))
    assert labels.schema.names == ("tip",)
    assert told(labels) == "2 attributes of points (quality)"


@pytest.mark.parametrize(
    ("shapes", "left_out"),
    [
        (
            (point("tip", 3, 4), point("tip", 5, 6)),
            "1 picture in which a landmark is marked twice, of which nothing is read",
        ),
        ((point("tip", 3, 4, id="1"), point("tip", 5, 6, id="1")), "1 picture in which a landmark is marked twice"),
        ((point("tip", 3, 4, id="1"), point("tip", 5, 6)), "1 picture in which a landmark is marked twice"),
        (('<points label="tip" points="3"/>',), "1 point without a place (1.jpg: 'tip' at '3')"),
        (('<points label="tip" points="3,four"/>',), "1 point without a place (1.jpg: 'tip' at '3,four')"),
        (('<points label="tip" points=""/>',), "1 point without a place (1.jpg: 'tip')"),
        (('<points points="3,4"/>',), "1 point without a label (1.jpg)"),
        (('<points label="tip" outside="yes" points="3,4"/>',), "1 point whose outside or occluded is not 0 or 1"),
        (('<box label="body" xtl="1"/>', '<box label="body"/>'), "2 shapes of type 'box'"),
        (('<tag label="blurred"/>',), "1 shape of type 'tag'"),
    ],
)
def test_one_odd_shape_costs_that_shape(shapes: tuple[str, ...], left_out: str) -> None:
    labels = cvat.parse(xml(image(0, point("head", 1, 2)), image(1, *shapes)))
    assert labels.images == ("0.jpg", "1.jpg")
    np.testing.assert_array_equal(labels.only(["head"]).xy, [[[1, 2]], [[NAN, NAN]]])
    assert not (labels.visible[1] > UNLABELLED).any()
    assert [part for part in told(labels).split("; ") if part.startswith(left_out)]


def test_a_picture_that_stands_twice() -> None:
    labels = cvat.parse(xml(image(0, name="a.jpg"), image(1, point("head", 1, 2), name="a.jpg")))
    assert labels.images == ("a.jpg",)
    np.testing.assert_array_equal(labels.xy, [[[1, 2]]])
    same = [image(i, point("head", i, 2), name="a.jpg") for i in range(2)]
    both = cvat.parse(xml(*same, image(2, point("head", 7, 8)), image(3).replace('name="3.jpg"', "")))
    np.testing.assert_array_equal(both.xy, [[[NAN, NAN]], [[7, 8]]])
    assert told(both) == (
        "1 image without a name (id 3); 1 picture labelled more than once in the file, of which nothing is read (a.jpg)"
    )


def test_what_a_model_said_is_told_from_what_somebody_moved() -> None:
    shapes = [
        skeleton("beetle", point("a", 1, 1, more=""), point("b", 2, 2, more='source="semi-auto"'), source="auto"),
        point("c", 3, 3, more='source="auto"'),
        point("d", 4, 4, more=""),
    ]
    labels = cvat.parse(xml(image(0, *shapes)))
    assert labels.schema.names == ("a", "b", "c", "d")
    assert labels.is_predicted.tolist() == [[True, False, True, False]]
    assert labels.by_hand.tolist() == [[False, True, False, True]]


class Folder(PictureInfo):
    def of_stem(self, path: str) -> str:
        return {"frame_000012": "frame_000012.PNG", "day 1/frame_000012": "day 1/frame_000012.png"}.get(path, path)


FILM = "<task><original_size><width>640</width><height>480</height></original_size></task><source>run 1.MP4</source>"


def test_a_film_s_frames_have_no_ending() -> None:
    frames = [image(i, point("a", i, 1), name=f"frame_{i:06d}") for i in (12, 13)]
    assert cvat.parse(xml(*frames), Folder()).images == ("frame_000012.PNG", "frame_000013")
    assert cvat.parse(xml(*frames, meta=FILM), Folder()).images == ("frame_000012.PNG", "run 1.MP4#13")
    nested = image(0, point("a", 1, 1), name="day 1\\frame_000012")
    assert cvat.parse(xml(nested, meta=FILM), Folder()).images == ("day 1/frame_000012.png",)


def test_tracks_are_of_the_film_s_frames() -> None:
    def of_frame(number: int, outside: int) -> str:
        return f'<points frame="{number}" outside="{outside}" occluded="1" keyframe="1" points="5,6"/>'

    def on_frame(number: int, tail: str, keyframe: int = 1) -> str:
        flags = f'occluded="0" keyframe="{keyframe}"'
        points = point("head", number, 1, more=f'{flags} outside="0"') + point(
            "tail", 2, number, more=f"{flags} {tail}"
        )
        return f'<skeleton frame="{number}" keyframe="{keyframe}" z_order="0">{points}</skeleton>'

    mouse = on_frame(12, 'outside="0"') + on_frame(13, 'outside="0"', 0) + on_frame(9, 'outside="1"')
    ears = "".join(  # a shape that is no track is written as one that ends on the next frame
        f'<track id="{i}" label="ear">{of_frame(i, 0)}{of_frame(i + 1, 1)}</track>' for i in (8, 9)
    )
    tracks = f'<track id="0" label="mouse" source="auto">{mouse}</track>{ears}'
    labels = cvat.parse(xml(tracks, meta=FILM))
    assert labels.images == ("run 1.MP4#8", "run 1.MP4#9", "run 1.MP4#12")
    assert set(labels.schema.names) == {"head", "tail", "ear"}
    named = labels.only(["head", "tail", "ear"])
    shown = [[UNLABELLED, UNLABELLED, HIDDEN], [VISIBLE, UNLABELLED, HIDDEN], [VISIBLE, VISIBLE, UNLABELLED]]
    assert named.visible.tolist() == shown
    np.testing.assert_array_equal(named.xy[2, :2], [[12, 1], [2, 12]])
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[640, 480]] * 3
    assert named.is_predicted.any(0).tolist() == [True, True, False]
    assert told(labels) == "2 places that CVAT has put between a person's (mouse)"
    with pytest.raises(LeadError, match="holds tracks, but does not name their film"):
        cvat.parse(xml(tracks))


def test_where_nothing_can_be_read_it_is_refused() -> None:
    with pytest.raises(LeadError, match=r"no points or skeletons in it. Left out: 1 shape of type 'box'"):
        cvat.parse(xml(image(0, '<box label="body"/>')))
    with pytest.raises(LeadError, match="no <image> in it"):
        cvat.parse(xml())


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_predicted_and_sizes_come_back(data: st.DataObject) -> None:
    n, k = 2, 3
    visible = np.reshape(data.draw(st.lists(st.integers(0, 2), min_size=n * k, max_size=n * k)), (n, k))
    visible[0, 0] = VISIBLE
    labels = Labels(
        Schema(("a", "b", "c"), skeleton=(("a", "c"),)),
        ("x.png", "y.png"),
        np.arange(n * k * 2, dtype=float).reshape(n, k, 2),
        visible.astype(np.int8),
        predicted=np.reshape(data.draw(st.lists(st.booleans(), min_size=n * k, max_size=n * k)), (n, k)),
        sizes=np.reshape(data.draw(st.lists(st.integers(1, 9999), min_size=n * 2, max_size=n * 2)), (n, 2)),
    )
    again = cvat.parse(cvat.dump(labels, Sized({})))
    assert again.schema == labels.schema
    np.testing.assert_array_equal(again.xy, labels.xy)
    np.testing.assert_array_equal(again.visible, labels.visible)
    np.testing.assert_array_equal(again.is_predicted, labels.is_predicted)
    np.testing.assert_array_equal(again.sizes, labels.sizes)
