from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import VISIBLE, Labels, Schema

ANY_NAME = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
COORDINATE = st.floats(-1e5, 1e5)


@st.composite
def any_labels(draw: st.DrawFn) -> Labels:
    """Labels with every kind of gap; at least one of each score is known, else there is nothing to keep."""
    names = draw(st.lists(ANY_NAME, min_size=1, max_size=5, unique=True))
    images = draw(st.lists(ANY_NAME, min_size=1, max_size=4, unique=True))
    shape = (len(images), len(names))

    def table(value: st.SearchStrategy[float], *more: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        count = int(np.prod((*shape, *more)))
        return np.reshape(draw(st.lists(value, min_size=count, max_size=count)), (*shape, *more))

    pair = st.tuples(st.sampled_from(names), st.sampled_from(names))
    schema = Schema(tuple(names), tuple(draw(st.lists(pair, max_size=2))), tuple(draw(st.lists(pair, max_size=3))))
    score = px_error = px_90 = None
    if draw(st.booleans()):
        score, px_error = table(st.floats(0, 1) | st.just(np.nan)), table(st.floats(0, 99) | st.just(np.nan))
        score[0, 0] = px_error[-1, -1] = 0.25
    if draw(st.booleans()):  # a head other than a cascade tells none
        px_90 = table(st.floats(0, 99) | st.just(np.nan))
        px_90[0, -1] = 0.75
    visible = table(st.sampled_from([0.0, 1.0, 2.0])).astype(np.int8)
    return Labels(schema, tuple(images), table(COORDINATE, 2), visible, score, px_error, px_90)


def assert_same(a: Labels, b: Labels) -> None:
    assert (a.schema.names, a.images) == (b.schema.names, b.images)
    np.testing.assert_allclose(a.xy, b.xy, atol=1e-6, rtol=0)
    np.testing.assert_array_equal(a.visible, b.visible)
    for one, other in ((a.score, b.score), (a.px_error, b.px_error), (a.px_90, b.px_90)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_allclose(one, other, atol=1e-9)


SHARED_FOLDER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@SHARED_FOLDER
@given(labels=any_labels())
def test_json_round_trip(labels: Labels, tmp_path: Path) -> None:
    assume(not any("\\" in image for image in labels.images))  # which Windows writes between the parts of a path
    save_labels(labels, tmp_path / "a.json", overwrite=True)
    again = load_labels(tmp_path / "a.json")
    assert_same(labels, again)
    assert labels.schema == again.schema


@SHARED_FOLDER
@given(labels=any_labels())
def test_csv_round_trip(labels: Labels, tmp_path: Path) -> None:
    assume(all(map(str.strip, (*labels.images, *labels.schema.names))))  # blanks alone are no name in a table
    save_labels(labels, tmp_path / "a.csv", overwrite=True)
    assert_same(labels, load_labels(tmp_path / "a.csv"))


@given(labels=any_labels())
def test_what_is_told_goes_with_its_landmark(labels: Labels) -> None:
    rows, names = list(range(len(labels)))[::-1], labels.schema.names[::-1]
    turned = labels.take(rows).only(names)
    for one, other in ((labels.score, turned.score), (labels.px_error, turned.px_error), (labels.px_90, turned.px_90)):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one[::-1, ::-1], other)


@pytest.fixture
def labels() -> Labels:
    return Labels.from_xy(Schema(("head", "tail")), ["a.jpg"], [[[1.5, 2.0], [np.nan, np.nan]]])


@pytest.mark.parametrize("name", ["a.json", "a.csv", "A.JSON"])
def test_a_file_already_there_is_kept(labels: Labels, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("mine")
    with pytest.raises(LeadError, match=rf"{name} is already there"):
        save_labels(labels, path)
    assert path.read_text() == "mine"
    save_labels(labels, path, overwrite=True)
    assert_same(load_labels(path), labels)


def test_a_failed_save_leaves_nothing(labels: Labels, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(LeadError, match=r"a\.json: No space left"):
        save_labels(labels, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_content_counts_not_the_ending(labels: Labels, tmp_path: Path) -> None:
    save_labels(labels, tmp_path / "a.json")
    (tmp_path / "a.json").rename(tmp_path / "b.csv")
    assert_same(load_labels(tmp_path / "b.csv"), labels)


@pytest.mark.parametrize("name", ["a.txt", "a"])
def test_an_unknown_ending(labels: Labels, tmp_path: Path, name: str) -> None:
    with pytest.raises(LeadError, match=r"\.json .* \.csv"):
        save_labels(labels, tmp_path / name)


def test_a_folder_is_made_but_a_file_is_never_taken_for_one(labels: Labels, tmp_path: Path) -> None:
    save_labels(labels, tmp_path / "nowhere" / "a.json")
    assert load_labels(tmp_path / "nowhere" / "a.json").images == labels.images
    (tmp_path / "file").touch()
    with pytest.raises(LeadError, match=r"file/a\.json"):
        save_labels(labels, tmp_path / "file" / "a.json")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "No file"),
        (lambda path: path.mkdir(), "is a folder, but neither a DeepLabCut project"),
        (lambda path: path.write_bytes(b"\xff\xd8\xff\xe0"), "looks like a picture"),
        (lambda path: path.write_text(""), "is empty"),
    ],
    ids=["missing", "folder", "picture", "empty"],
)
def test_what_cannot_be_read(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    make(tmp_path / "labels")
    with pytest.raises(LeadError, match=message) as caught:
        load_labels(tmp_path / "labels")
    assert str(tmp_path / "labels") in str(caught.value)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("image,name,x,y\na.jpg,head,1,2\n", encoding="utf-8-sig")
    loaded = load_labels(tmp_path / "a.csv")
    assert loaded.xy.tolist() == [[[1.0, 2.0]]]
    assert loaded.visible.tolist() == [[VISIBLE]]
