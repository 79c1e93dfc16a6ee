"""Snapshots: what puts them by, which are kept, and that none can be lost half-written; labels that come back."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from books import ABSENT, at, make_folder, name, open_book, put, visible
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.studio import labelfile
from lead.studio.book import LabelBook
from lead.studio.history import HOURLY, RECENT, History
from lead.studio.label_messages import LabelsChange, LandmarksChange, Point


def test_a_snapshot_is_a_readable_file(tmp_path: Path) -> None:
    history = History(tmp_path / "h")
    assert history.snapshots() == []
    history.add(b"one", "before an import", pictures=3, points=41)
    (snapshot,) = history.snapshots()
    assert (snapshot.why, snapshot.pictures, snapshot.points) == ("before an import", 3, 41)
    assert abs(datetime.now().astimezone() - datetime.fromisoformat(snapshot.at)) < timedelta(minutes=5)
    assert history.read(snapshot.id) == b"one"
    (file,) = (tmp_path / "h").iterdir()
    assert file.read_bytes() == b"one"


def test_the_same_again_is_not_kept_twice(tmp_path: Path) -> None:
    history = History(tmp_path)
    for content in (b"one", b"one", b"two", b"one"):
        history.add(content, "x", pictures=1, points=1)
    assert [history.read(snapshot.id) for snapshot in history.snapshots()] == [b"one", b"two", b"one"]


def test_order_holds_even_if_the_clock_goes_back(tmp_path: Path) -> None:
    (tmp_path / "29991231T235959.000000Z_1_1_from-the-future.json").write_bytes(b"future")
    history = History(tmp_path)
    history.add(b"now", "x", pictures=1, points=1)
    assert [history.read(snapshot.id) for snapshot in history.snapshots()] == [b"now", b"future"]


@pytest.mark.parametrize("id", ["", "..", "x", "../../annotations.json", "29991231T235959.000000Z"])
def test_only_snapshots_can_be_read(tmp_path: Path, id: str) -> None:
    (tmp_path / "x.json").write_text("not a snapshot")
    (tmp_path / "x").write_text("not a snapshot")
    with pytest.raises(LeadError, match="holds no state"):
        History(tmp_path).read(id)


def write(folder: Path, at: datetime, points: int) -> None:
    """A state of a simulated past, one picture each."""
    (folder / f"{at:%Y%m%dT%H%M%S.%f}Z_1_{points}_x.json").write_bytes(b"%d %d" % (points, at.timestamp()))


def kept_slowly(files: list[str]) -> set[str]:
    """What is to stay of a folder's files, each asked by itself."""
    at = {file: datetime.strptime(file.split("Z")[0], "%Y%m%dT%H%M%S.%f") for file in files}
    points = {file: int(file.split("_")[2]) for file in files}
    latest = max(at.values())
    stays = set()
    for file in files:
        later = [other for other in files if at[other] > at[file]]
        recent = len(later) < RECENT
        last_of_day = not any(at[other].date() == at[file].date() for other in later)
        hour = "%Y%m%d%H"
        last_of_hour = not any(at[other].strftime(hour) == at[file].strftime(hour) for other in later)
        fullest = all(points[other] <= points[file] for other in files) and all(
            points[other] < points[file] for other in later
        )
        if recent or last_of_day or fullest or (last_of_hour and latest - at[file] <= HOURLY):
            stays.add(file)
    return stays


@settings(max_examples=25)
@given(
    steps=st.lists(st.tuples(st.floats(0.001, 60 * 24 * 3), st.integers(1, 400)), min_size=60, max_size=140),
    unit=st.sampled_from([0.1, 1.0, 10.0]),
)
def test_what_is_kept_is_what_a_slow_reference_keeps(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[float, int]], unit: float
) -> None:
    folder, at = tmp_path_factory.mktemp("history"), datetime(2024, 1, 1)
    (folder / "notes.txt").write_text("mine")
    for minutes, points in steps:
        at += timedelta(minutes=minutes * unit)
        write(folder, at, points)
    files = [path.name for path in folder.glob("*.json")]
    new = History(folder).add(b"new", "x", pictures=1, points=7)
    (added,) = [path.name for path in folder.glob("*.json") if path.name.startswith(new)]
    assert {path.name for path in folder.glob("*.json")} == kept_slowly([*files, added])
    assert (folder / "notes.txt").read_text() == "mine"


def test_a_year_stays_bounded_and_keeps_what_matters(tmp_path: Path) -> None:
    """Labels grow for half a year, then go; on most days there are hundreds of states within three hours."""
    draws, start = random.Random(0), datetime(2025, 1, 1)
    history = History(tmp_path)
    fullest, hours, days = 0, dict[str, int](), dict[str, int]()
    for day in range(0, 365, 5):
        for minute in sorted(draws.sample(range(540, 720), 120)):
            at = start + timedelta(days=day, minutes=minute)
            points = 10 * day + draws.randint(1, 10) if day < 180 else draws.randint(1, 10)
            write(tmp_path, at, points)
            fullest = max(fullest, points)
            hours[f"{at:%Y%m%dT%H}"] = days[f"{at:%Y%m%d}"] = points
        history._thin()
    left = history.snapshots()
    assert len(left) <= RECENT + 365 + 24 * (HOURLY.days + 1) + 1
    assert len(list(tmp_path.iterdir())) == len(left)
    assert max(snapshot.points for snapshot in left) == fullest
    by_id = {snapshot.id: snapshot.points for snapshot in left}
    for stamps, length in ((days, 8), ({hour: n for hour, n in hours.items() if hour >= "20251227"}, 11)):
        for stamp, points in stamps.items():
            assert by_id[max(id for id in by_id if id[:length] == stamp)] == points


# --- what puts states by ----------------------------------------------------------------------------------------------


def labelled_states(book: LabelBook) -> list[int]:
    return [snapshot.points for snapshot in book.disk.history.snapshots()]


def test_edits_of_the_landmarks_in_a_row_are_one_state(tmp_path: Path) -> None:
    """Labels of a landmark that is removed are still there after so many more edits as 54 key presses make."""
    book = open_book(make_folder(tmp_path))
    name(book, "a", "b", "c")
    for file in ("a.png", "b.png"):
        put(book, file, c=(1, 1))
    name(book, "a", "b", drop_labels=True)
    for i in range(54):
        name(book, *(("b", "a") if i % 2 == 0 else ("a", "b")))
    assert labelled_states(book) == [2]
    put(book, "a.png", a=(1, 1))
    for i in range(54):
        name(book, *(("b", "a") if i % 2 else ("a", "b")), skeleton=[("a", "b")])
    assert labelled_states(book) == [1, 2]
    put(book, "b.png", a=(2, 2))
    name(book, "b", "a", "d")
    name(book, "d", "a", "b")
    assert labelled_states(book) == [2, 1, 2]


def test_after_a_while_edits_put_another_state_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book = open_book(make_folder(tmp_path))
    name(book, "a", "b")
    put(book, "a.png", a=(1, 1))
    name(book, "b", "a")
    monkeypatch.setattr(labelfile, "BURST_S", 0.0)
    name(book, "a", "b")
    assert labelled_states(book) == [1, 1]


def test_states_that_hold_nothing_are_not_kept(tmp_path: Path) -> None:
    book = open_book(make_folder(tmp_path))
    name(book, "a", "b")
    name(book, "b", "a")
    put(book, "a.png", a=None)
    assert labelled_states(book) == []
    history = book.home / "history" / book.file.name
    assert not history.exists()
    id = book.folder.ids[0]
    book.change_labels(id, LabelsChange(base=book.labels(id).version, note="torn"))
    name(book, "b", "c", "a")
    assert [(s.pictures, s.points) for s in book.disk.history.snapshots()] == [(1, 0)]  # a note is something
    write(history, datetime(2024, 5, 1), 0)
    (history / "20240501T000000.000001Z_0_0_before-the-landmarks-changed.json").write_text("{}")  # of an older studio
    assert len(book.disk.history.snapshots()) == 2


# --- labels of a landmark that comes back -----------------------------------------------------------------------------


def test_a_landmark_comes_back_with_its_labels_and_the_others_stay_as_they_are_now(tmp_path: Path) -> None:
    book = open_book(make_folder(tmp_path))
    name(book, "a", "b", skeleton=[("a", "b")])
    put(book, "a.png", a=(1, 1), b=(2, 2))
    put(book, "b.png", b=ABSENT)
    put(book, "sub/c.png", b=Point(x=3.0, y=4.0, accepted=True))
    before = book.landmarks
    removed = name(book, "a", drop_labels=True)
    assert removed.labels_in is not None
    put(book, "a.png", a=(9, 9))
    put(book, "d.png", a=(5, 5))
    id = book.folder.id_of("d.png")
    book.change_labels(id, LabelsChange(base=book.labels(id).version, checked=True, note="fine"))
    back = before.model_dump() | {"version": book.landmarks.version, "labels_from": removed.labels_in}
    after = book.change_landmarks(LandmarksChange.model_validate(back))
    assert after.labels_in is None
    assert [landmark.name for landmark in book.landmarks.landmarks] == ["a", "b"]
    assert at(book, "a.png") == {"a": visible(9, 9), "b": visible(2, 2)}
    assert at(book, "b.png") == {"b": ABSENT}
    assert at(book, "sub/c.png") == {"b": Point(x=3.0, y=4.0, accepted=True)}
    assert book.labels(id).checked
    assert book.labels(id).note == "fine"


def test_a_state_that_is_gone_brings_nothing_back_in_silence(tmp_path: Path) -> None:
    book = open_book(make_folder(tmp_path))
    name(book, "a", "b")
    with pytest.raises(LeadError, match="holds no state"):
        name(book, "a", "b", "c", labels_from="20240101T000000.000000Z")
    assert [landmark.name for landmark in book.landmarks.landmarks] == ["a", "b"]


def test_removing_a_landmark_without_labels_needs_no_state(tmp_path: Path) -> None:
    book = open_book(make_folder(tmp_path))
    name(book, "a", "b")
    put(book, "a.png", a=(1, 1))
    assert name(book, "a").labels_in is None
