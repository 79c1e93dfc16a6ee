"""The model side where pictures show several things: from a picture that is complete to all others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from crowds import COUNTS, PICTURE, Crowd, near, see_colours
from modelled import untrained, wait_for

from lead.config import Settings
from lead.studio import answers
from lead.studio.fitter import Pace
from lead.studio.several_answers import NOT_READY


@pytest.fixture
def crowd(tmp_path: Path, tiny: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Iterator[Crowd]:
    see_colours(monkeypatch)
    run = untrained(tmp_path / "run", tiny(picture=PICTURE, distill={"dimension": 7, "width": 8}))
    crowd = Crowd(tmp_path / "pictures", run, Pace(quiet=0.02, rest=0.02))
    yield crowd
    crowd.close()


def test_all_specimens_of_another_picture_are_suggested_once_one_is_complete(crowd: Crowd) -> None:
    crowd.begin()
    other = crowd.id(3)
    assert answers.suggest(crowd.knowledge, other).waiting_for == NOT_READY
    crowd.label(0, complete=False)
    wait_for(lambda: crowd.knowledge.several_is_current)
    assert answers.suggest(crowd.knowledge, other).waiting_for == NOT_READY
    assert answers.predictions(crowd.knowledge, sort="expected", offset=0, limit=5).waiting_for == NOT_READY
    crowd.say(crowd.id(0), complete=True)
    crowd.label(1)
    crowd.settled()
    for number in (3, 4, 5):
        found = answers.suggest(crowd.knowledge, crowd.id(number))
        assert (found.waiting_for, found.points, found.method) == (None, {}, "head")
        assert len(found.specimens) == COUNTS[number]
        for places in crowd.xy(number):
            assert sum(near(one, places) for one in found.specimens) == 1
        for one in found.specimens:
            assert one.key is None
            assert one.likely is not None
            assert one.likely >= 0.5
            assert all(point.expected_px > 0 for point in one.points.values())
    assert answers.suggest(crowd.knowledge, crowd.id(2)).specimens == []
