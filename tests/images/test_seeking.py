"""Any frame of a film, by its number."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from filming import film, number_of, numbered, turned

import lead.images.seeking as module
from lead.errors import LeadError
from lead.images.film import UnreadableFilm
from lead.images.seeking import Index


@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a.mkv", "a.avi"])
def test_every_frame_is_the_one_of_its_number(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    index = Index.of(film(tmp_path / name, numbered(60), "mpeg4" if name == "a.avi" else "libx264"))
    assert index.count == 60
    order = [41, 0, 59, 12, 13, 11, 30]
    assert [number_of(index.frame(number)) for number in order] == order

    def from_the_beginning(*_: object) -> None:
        raise AssertionError("decoded from the beginning")

    monkeypatch.setattr(module, "frames", from_the_beginning)
    if index.times is not None:
        assert number_of(index.frame(47)) == 47


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
@pytest.mark.parametrize("timed", [True, False])
def test_some_frames_come_with_their_numbers_ascending(tmp_path: Path, name: str, timed: bool) -> None:
    index = Index.of(film(tmp_path / name, numbered(60), "mpeg4" if name == "a.avi" else "libx264"))
    if not timed:
        index = replace(index, times=None)
    wanted = [58, 3, 3, 4, 5, 31, 0, 99, -1]
    found = [(number, number_of(picture)) for number, picture in index.frames(wanted)]
    assert found == [(0, 0), (3, 3), (4, 4), (5, 5), (31, 31), (58, 58)]
    assert list(index.frames([])) == list(index.frames([60])) == []


def test_a_turned_film_and_frames_that_are_not_there(tmp_path: Path) -> None:
    index = Index.of(turned(film(tmp_path / "a.mp4", numbered(5)), (0, 1, -1, 0)))
    assert index.frame(3).size == (48, 64)
    for number in (-1, 5):
        with pytest.raises(LeadError, match="0 to 4"):
            index.frame(number)


def test_what_is_no_film_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"nothing of the kind" * 40)
    for path in (tmp_path / "a.mp4", tmp_path / "gone.mp4"):
        with pytest.raises(UnreadableFilm):
            Index.of(path)
