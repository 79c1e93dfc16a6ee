"""What is said of files that changed since work on them was kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from lead.images.changed import Unit, done_again, stamped


def unit(text: str) -> Unit:
    """``"a1 b2"``: files a and b, which change with their number."""
    return tuple((each[0], int(each[1:]), 0) for each in text.split())


@pytest.mark.parametrize(
    ("before", "now", "kept", "told"),
    [
        (["a1 b1"], ["a1 b2"], [], "Since then 1 file has changed (b): 2 files are done again."),
        (["a1 b1", "c1"], ["a1 c1", "d1"], [], "Since then 1 file is gone (b): 2 files are done again."),
        (["a1 c1", "d1"], ["a1 b1", "c1 d1"], [], "Since then 1 file is new (b): 3 files are done again."),
        (["b1 c1"], ["a1 b1", "c1"], [], "Since then files were added or taken out: 2 files are done again."),
        (
            ["a1 b1 c1 d1 e1 f1"],
            ["a2 b2 c2 d2 f1"],
            [],
            "Since then 4 files have changed (a, b, c, …), 1 file is gone (e): 5 files are done again.",
        ),
        (["a1 b1"], ["a1 b2"], [0], ""),  # done again already
        (["a1 b1"], ["c1 d1"], [], ""),  # of another folder
        ([], ["a1"], [], ""),
    ],
)
def test_what_changed_is_named_and_what_it_costs_counted(
    before: list[str], now: list[str], kept: list[int], told: str
) -> None:
    assert done_again([*map(unit, before)], [*map(unit, now)], kept) == told


def test_a_file_is_known_by_length_and_time(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    ((name, length, time),) = stamped(tmp_path, ["a"])
    assert (name, length, time) == ("a", 3, (tmp_path / "a").stat().st_mtime_ns)
    assert stamped(tmp_path, ["gone"]) == (("gone", -1, -1),)
