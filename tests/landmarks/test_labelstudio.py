"""Label Studio's tasks as it exports them: who marked what, on which of a task's pictures, and under what address."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.landmarks import VISIBLE, Labels, Schema, labelstudio
from lead.landmarks.pictures import Sized

NAN = float("nan")


def point(name: str, x: float, y: float, **more: Any) -> dict[str, Any]:
    """A result on a picture of 200 x 50 pixels; x and y in pixels."""
    value = {"x": x / 2, "y": y * 2, "width": 0.3, "keypointlabels": [name]}
    return {
        "id": f"{name}{x}",
        "type": "keypointlabels",
        "from_name": "kp",
        "to_name": "image",
        "original_width": 200,
        "original_height": 50,
        "image_rotation": 0,
        "value": value,
        **more,
    }


def annotation(*results: Any, **more: Any) -> dict[str, Any]:
    return {"id": 5, "was_cancelled": False, "result": list(results), **more}


def task(id: int, *annotations: Any, data: Any = None, predictions: Any = ()) -> dict[str, Any]:
    data = {"image": f"/data/upload/1/0a1b2c3d-{id}.jpg"} if data is None else data
    return {"id": id, "data": data, "annotations": list(annotations), "predictions": list(predictions)}


def read(*tasks: dict[str, Any]) -> Labels:
    return labelstudio.parse(json.dumps(tasks))


def told(labels: Labels) -> str:
    assert labels.places is not None
    return labels.places.left_out


GOOD = task(1, annotation(point("nose", 10, 20), point("tail", 30, 40)))
GOOD_XY = [[10, 20], [30, 40]]


def test_predictions_are_told_from_what_a_person_submitted() -> None:
    said = {"model_version": "m", "score": 0.1, "result": [point("nose", 1, 2), point("tail", 3, 4)]}
    each = {"model_version": "m", "score": 0.9, "result": [point("nose", 1, 2, score=0.25), point("tail", 3, 4)]}
    empty = annotation()
    skipped = annotation(point("nose", 9, 9), was_cancelled=True)
    labels = read(
        task(1, annotation(point("nose", 10, 20)), predictions=[said]),
        task(2, predictions=[said]),
        task(3, predictions=[each]),
        task(4, predictions=[said | {"score": None}]),
        task(5, empty, predictions=[said]),
        task(6, skipped, predictions=[17, {"result": "odd"}]),
        task(7, skipped, predictions=[said]),
    )
    assert labels.by_hand.tolist() == [[True, False]] + [[False, False]] * 6
    assert labels.is_predicted.tolist() == [
        [False] * 2,
        [True] * 2,
        [True] * 2,
        [True] * 2,
        *[[False] * 2] * 2,
        [True] * 2,
    ]
    assert labels.score is not None
    expected = [[NAN] * 2, [0.1] * 2, [0.25, NAN], [NAN] * 2, [NAN] * 2, [NAN] * 2, [0.1] * 2]
    np.testing.assert_array_equal(labels.score, expected)
    assert labels.without_predicted().visible.tolist() == [[VISIBLE, 0]] + [[0, 0]] * 6


def test_a_prediction_that_was_taken_over_untouched_is_accepted() -> None:
    labels = read(
        task(
            1,
            annotation(
                point("a", 1, 2, origin="prediction", score=0.5),
                point("b", 3, 4, origin="prediction-changed", score=0.5),
                point("c", 5, 6, origin="manual"),
                point("d", 7, 8),
            ),
        )
    )
    assert labels.is_accepted.tolist() == [[True, False, False, False]]
    assert labels.by_hand.tolist() == [[False, True, True, True]]
    assert labels.score is None


@pytest.mark.parametrize("truth", [False, True])
def test_of_several_annotations_only_the_marked_one_is_read(truth: bool) -> None:
    two = [annotation(point("nose", 1, 2), id=7), annotation(point("nose", 3, 4), id=8, ground_truth=truth)]
    labels = read(GOOD, task(2, *two, annotation(id=9)))
    second = [[3, 4], [NAN] * 2] if truth else [[NAN] * 2] * 2
    np.testing.assert_array_equal(labels.xy, [GOOD_XY, second])
    assert told(labels) == ("" if truth else "1 task with several annotations, of which none is read (task 2: 7, 8)")


DATA = {"left": "/data/upload/1/0a1b2c3d-l.jpg", "right": "/data/upload/1/0a1b2c3d-r.jpg"}
OTHER_DATA = {"left": "/data/upload/1/0a1b2c3d-l2.jpg", "right": "/data/upload/1/0a1b2c3d-r2.jpg"}


def test_two_pictures_of_a_task_have_each_their_own_points() -> None:
    on_both = [point("nose", 1, 2, to_name="left"), point("nose", 3, 4, to_name="right")]
    labels = read(task(1, annotation(*on_both), data=DATA), task(2, annotation(on_both[0]), data=OTHER_DATA))
    assert labels.images == ("l.jpg", "r.jpg", "l2.jpg", "r2.jpg")
    np.testing.assert_array_equal(labels.xy, [[[1, 2]], [[3, 4]], [[1, 2]], [[NAN, NAN]]])
    assert told(labels) == ""
    assert labels.where(1) == "task 1: "


def test_the_source_says_which_picture_it_is() -> None:
    on_both = [point("nose", 1, 2, to_name="a", source="$left"), point("nose", 3, 4, to_name="b", source="$right")]
    labels = read(task(1, annotation(*on_both), data=DATA))
    assert labels.images == ("l.jpg", "r.jpg")
    np.testing.assert_array_equal(labels.xy, [[[1, 2]], [[3, 4]]])


def test_pictures_that_cannot_be_told_apart_are_left_out_or_refused() -> None:
    on_both = annotation(point("nose", 1, 2, to_name="img1"), point("tail", 3, 4, to_name="img2"))
    with pytest.raises(LeadError, match=r"2 points whose picture cannot be told \(task 1: 'nose' on 'img1', data left"):
        read(task(1, on_both, data=DATA))
    labels = read(GOOD, task(2, on_both, data=DATA))
    assert labels.images == ("1.jpg",)
    assert told(labels).startswith("2 points whose picture cannot be told (task 2: 'nose' on 'img1', data left, right")
    both = {"image": "a.jpg", "image2": "b.jpg"}  # neither may be taken for granted
    with pytest.raises(LeadError, match="2 points whose picture cannot be told"):
        read(task(1, on_both, data=both))


def test_the_pictures_of_a_list_go_by_their_number() -> None:
    pages = {"pages": ["s3://lab/p0.png", "s3://lab/p1.png"]}
    results = [point("nose", 1, 2, to_name="img", item_index=1), point("nose", 3, 4, to_name="img", item_index=2)]
    labels = read(task(1, annotation(*results), data=pages))
    assert labels.images == ("p0.png", "p1.png")
    np.testing.assert_array_equal(labels.xy, [[[NAN, NAN]], [[1, 2]]])
    assert told(labels) == "1 point whose picture cannot be told (task 1: 'nose' on 'img', data pages)"


@pytest.mark.parametrize(
    ("data", "to_name"),
    [
        ({"specimen": "A0", "photo": "/data/upload/1/0a1b2c3d-1.jpg"}, "photo"),
        ({"specimen": "A0", "photo": "/data/upload/1/0a1b2c3d-1.jpg"}, "img"),
        ({"photo": "/data/upload/1/0a1b2c3d-1.jpg", "img": "A0"}, "img"),
        ({"specimen": "A0", "photo": "https://host/get/1.jpg", "n": 3, "tags": [], "more": None}, "img"),
        ({"thumbnail": "https://host/t/1.png", "image": "https://host/p/1.jpg"}, "img"),
        ({"thumbnail": "https://host/t/1.png", "scan": "https://host/p/1.jpg"}, "scan"),
        ({"thumbnail": "thumb.png", "scan": "https://host/p/1.jpg/?v=2"}, "scan"),
        ({"thumbnail": "thumb.png", "scan": "https://host/get?v=2&file=1.jpg"}, "scan"),
    ],
)
def test_the_field_of_the_picture_is_found(data: dict[str, Any], to_name: str) -> None:
    labels = read(
        task(1, annotation(point("nose", 10, 20, to_name=to_name)), data=data), task(2, data=data | {"x": "y"})
    )
    assert labels.images == ("1.jpg",)
    np.testing.assert_array_equal(labels.xy, [[[10, 20]]])


def b64(address: str, *, urlsafe: bool = True, padded: bool = True) -> str:
    encoded = (base64.urlsafe_b64encode if urlsafe else base64.b64encode)(address.encode()).decode()
    return encoded if padded else encoded.rstrip("=")


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("/data/upload/1/0a1b2c3d-wing%201.jpg", "wing 1.jpg"),
        ("/data/upload/1/wing.jpg", "wing.jpg"),
        ("http://localhost:8080/data/upload/12/0a1b2c3d-a.png?x=1", "a.png"),
        ("upload/3/0a1b2c3d-a.png", "a.png"),
        ("/storage-data/uploaded/?filepath=upload/3/0a1b2c3d-a.png", "a.png"),
        ("/data/local-files/?d=set/a%20b.png", "set/a b.png"),
        ("https://host/data/local-files/?d=set%5Ca.png", "set/a.png"),
        ("https://lab.s3.amazonaws.com/out/a%20b.png?X-Amz-Date=1&X-Amz-Signature=f", "a b.png"),
        ("s3://lab-pose/out/a b#1.png", "a b#1.png"),
        ("gs://lab/out/a.png", "a.png"),
        ("azure-blob://lab/a.png", "a.png"),
        (f"/tasks/3/presign/?fileuri={b64('s3://lab/out/a.png')}", "a.png"),
        (f"/tasks/3/resolve/?fileuri={b64('gs://lab/out/b.png', padded=False)}", "b.png"),
        (f"https://host/tasks/3/resolve/?fileuri={b64('s3://lab/?~>/ü.png')}", "ü.png"),
        (f"https://host/tasks/3/resolve/?fileuri={b64('s3://lab/?~>/ü.png', urlsafe=False)}", "ü.png"),
        ("/tasks/3/presign/?fileuri=s3%3A%2F%2Flab%2Fout%2Fa.png", "a.png"),
        ("C:\\Users\\ann\\a.png", "C:/Users/ann/a.png"),
        ("day 1\\a.png", "day 1/a.png"),
        ("day 1/a.png", "day 1/a.png"),
        ("/home/ann/a.png", "a.png"),
    ],
)
def test_a_picture_goes_by_its_address(address: str, name: str) -> None:
    labels = read(task(1, annotation(point("nose", 10, 20, to_name="img-1")), data={"img": address}))
    assert labels.images == (name,)


def test_addresses_that_end_alike_are_told_apart_by_their_folders() -> None:
    data = [{"image": f"s3://lab/{folder}/day/1.jpg"} for folder in "ab"] + [{"image": "s3://lab/a/day/2.jpg"}]
    labels = read(*(task(i, annotation(point("nose", i + 1, 1)), data=entry) for i, entry in enumerate(data)))
    assert labels.images == ("a/day/1.jpg", "b/day/1.jpg", "2.jpg")


def test_an_address_in_an_address_in_an_address_is_not_followed() -> None:
    nested = "https://h/a.png"
    for _ in range(2000):
        nested = f"://?fileuri={nested}"
    assert read(GOOD, task(2, data={"image": nested})).images[0] == "1.jpg"


def test_an_address_without_an_ending_is_its_field_s() -> None:
    data = {"thumbnail": "thumb.png", "scan": "https://host/get/17"}
    labels = read(task(1, annotation(point("nose", 10, 20, to_name="scan")), data=data))
    assert labels.images == ("17",)


def test_a_picture_of_several_sizes_is_left_out() -> None:
    labels = read(GOOD, task(2, annotation(point("nose", 1, 1), point("tail", 2, 2, original_width=400))))
    assert labels.visible.tolist() == [[VISIBLE] * 2, [0] * 2]
    left_out = "1 picture of several sizes in the file, of which nothing is read (task 2: 200 x 50 and 400 x 50)"
    assert told(labels) == left_out


def test_annotations_that_are_not_in_the_file_are_told() -> None:
    labels = read(GOOD, task(2, 17, 18))
    assert told(labels) == "2 annotations of which the file has only the number (task 2)"


def test_drafts_are_told() -> None:
    labels = read(GOOD, task(2) | {"drafts": [{"result": [point("nose", 1, 1)]}]})
    assert labels.visible.tolist() == [[VISIBLE] * 2, [0] * 2]
    assert told(labels) == "1 draft that nobody submitted (task 2)"


def test_a_picture_of_two_tasks() -> None:
    again = {"image": "/data/upload/1/ffffffff-1.jpg"}
    labels = read(task(3, data=again), GOOD)
    assert labels.images == ("1.jpg",)
    np.testing.assert_array_equal(labels.xy, [GOOD_XY])
    said = {"result": [point("nose", 1, 1)]}
    assert read(task(3, data=again, predictions=[said]), GOOD).by_hand.tolist() == [[True, True]]
    third = task(4, annotation(point("nose", 5, 5)))
    both = read(GOOD, task(3, annotation(point("nose", 1, 1)), data=again), third)
    assert both.visible.tolist() == [[0], [VISIBLE]]
    assert told(both).startswith("1 picture labelled in several tasks, of which nothing is read (task 1, task 3")


@pytest.mark.parametrize(
    ("odd", "left_out"),
    [
        (point("hand", 1, 2, value={"keypointlabels": ["hand"]}), "1 point without a place (task 1: 'hand')"),
        (point("hand", 1, 2, value=None), "1 point without a name (task 1)"),
        (point("hand", 1, 2, is_positive=True), "1 point put for a model to draw around (task 1)"),
        (point("hand", NAN, 2), "1 point without a place (task 1: 'hand')"),
        (point("", 1, 2), "1 point without a name (task 1)"),
        (point("hand", 1, 2, original_width=None), "1 point without the picture's size"),
        (point("hand", 1, 2, original_height=0), "1 point without the picture's size"),
        (point("hand", 1, 2, image_rotation=90), "1 point on a picture that was turned in Label Studio"),
        ({"type": "rectanglelabels", "value": {}}, "1 result of type 'rectanglelabels'"),
        ({"id": "x", "type": "labels", "value": {"labels": ["nose"]}}, "1 result of type 'labels'"),
        (point("hand", 1, 2, to_name=["image"]), ""),
        ("odd", ""),
    ],
)
def test_one_odd_result_costs_that_result(odd: Any, left_out: str) -> None:
    labels = read(task(1, annotation(point("nose", 10, 20), odd, point("tail", 30, 40))))
    np.testing.assert_array_equal(labels.only(["nose", "tail"]).xy, [GOOD_XY])
    assert told(labels).startswith(left_out)
    assert bool(told(labels)) == bool(left_out)


def test_a_landmark_that_is_marked_twice_costs_its_picture() -> None:
    labels = read(GOOD, task(2, annotation(point("nose", 1, 1), point("nose", 2, 2), point("tail", 3, 3))))
    np.testing.assert_array_equal(labels.xy, [GOOD_XY, [[NAN] * 2] * 2])
    assert told(labels) == "1 picture in which a landmark is marked twice, of which nothing is read (task 2: 'nose')"
    assert labels.images == ("1.jpg", "2.jpg")


def test_points_and_their_labels_may_be_two_results() -> None:
    def bare(name: str, x: float, y: float) -> list[dict[str, Any]]:
        place = point(name, x, y, type="keypoint")
        del place["value"]["keypointlabels"]
        return [place, place | {"type": "labels", "value": place["value"] | {"labels": [name]}}]

    unnamed, _ = bare("x", 1, 1)
    labels = read(task(1, annotation(*bare("nose", 10, 20), *reversed(bare("tail", 30, 40)), unnamed)))
    assert set(labels.schema.names) == {"nose", "tail"}
    np.testing.assert_array_equal(labels.only(["nose", "tail"]).xy, [GOOD_XY])
    assert told(labels) == "1 point without a name (task 1)"


def test_sizes_are_those_of_the_picture_as_it_was_marked() -> None:
    labels = read(GOOD, task(2))
    assert labels.sizes is not None
    assert labels.sizes.tolist() == [[200, 50], [0, 0]]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_who_said_what_and_sizes_come_back(data: st.DataObject) -> None:
    n, k = 3, 3
    flags = st.lists(st.booleans(), min_size=n * k, max_size=n * k)
    visible = np.where(np.reshape(data.draw(flags), (n, k)), VISIBLE, 0)
    visible[0] = VISIBLE  # so that the order of the landmarks is kept
    scored = np.reshape(data.draw(flags), (n, k)) & (visible > 0)
    labels = Labels(
        Schema(("a", "b", "c")),
        ("x.png", "y.png", "z/0a1b2c3d-z.png"),
        np.arange(n * k * 2, dtype=float).reshape(n, k, 2),
        visible.astype(np.int8),
        np.where(scored, np.linspace(0, 1, n * k).reshape(n, k), np.nan) if scored.any() else None,
        accepted=np.reshape(data.draw(flags), (n, k)),
        predicted=np.reshape(data.draw(flags), (n, k)),
        sizes=np.reshape(data.draw(st.lists(st.integers(1, 9999), min_size=n * 2, max_size=n * 2)), (n, 2)),
    )
    again = labelstudio.parse(labelstudio.dump(labels, Sized({})))
    again = again.only(labels.schema.names)
    assert again.images == labels.images
    np.testing.assert_array_equal(again.visible, labels.visible)
    np.testing.assert_allclose(again.xy, labels.xy, atol=1e-9)
    np.testing.assert_array_equal(again.is_accepted, labels.is_accepted)
    np.testing.assert_array_equal(again.is_predicted, labels.is_predicted)
    assert labels.sizes is not None
    assert again.sizes is not None
    for row in np.flatnonzero((visible > 0).any(1)):
        assert again.sizes[row].tolist() == labels.sizes[row].tolist()
    if labels.score is not None and again.score is not None:
        said = labels.is_predicted
        np.testing.assert_allclose(again.score[said], labels.score[said])
