"""Snapshots: which are kept, and that none can be lost half-written."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.studio.history import RECENT, History


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
        history.add(content, "x", pictures=0, points=0)
    assert [history.read(snapshot.id) for snapshot in history.snapshots()] == [b"one", b"two", b"one"]


def test_order_holds_even_if_the_clock_goes_back(tmp_path: Path) -> None:
    (tmp_path / "29991231T235959.000000Z_0_0_from-the-future.json").write_bytes(b"future")
    history = History(tmp_path)
    history.add(b"now", "x", pictures=0, points=0)
    assert [history.read(snapshot.id) for snapshot in history.snapshots()] == [b"now", b"future"]


@pytest.mark.parametrize("id", ["", "..", "x", "../../annotations.json", "29991231T235959.000000Z"])
def test_only_snapshots_can_be_read(tmp_path: Path, id: str) -> None:
    (tmp_path / "x.json").write_text("not a snapshot")
    (tmp_path / "x").write_text("not a snapshot")
    with pytest.raises(LeadError, match="holds no state"):
        History(tmp_path).read(id)


def test_old_ones_are_thinned_to_one_a_day(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, 12)
    times = [start + timedelta(hours=6 * i) for i in range(RECENT + 20)]
    for i, at in enumerate(times):
        (tmp_path / f"{at:%Y%m%dT%H%M%S.%fZ}_0_0_x.json").write_bytes(b"%d" % i)
    (tmp_path / "notes.txt").write_text("mine")
    history = History(tmp_path)
    history.add(b"new", "x", pictures=0, points=0)
    left = [history.read(snapshot.id) for snapshot in reversed(history.snapshots())]
    older = [i for i in range(21) if i == 20 or times[i].date() != times[i + 1].date()]
    assert left == [b"%d" % i for i in (*older, *range(21, RECENT + 20))] + [b"new"]
    assert len(left) == RECENT + len(older)
    assert (tmp_path / "notes.txt").read_text() == "mine"
