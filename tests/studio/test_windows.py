"""What a training from the page learns from where pictures show several specimens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from crowds import COUNTS, Crowd
from modelled import untrained

from lead.config import Settings, to_yaml
from lead.errors import LeadError
from lead.images.labels import load_labels
from lead.landmarks.model import Labels
from lead.studio.events import Events
from lead.studio.fitter import Pace
from lead.studio.training import Trainer
from lead.studio.training_messages import Training, TrainingStart
from lead.studio.windows import begun, note, noted, options, to_learn_from
from lead.training.specimens import WINDOWS

PATIENCE_S = 120.0


@pytest.fixture
def crowd(tmp_path: Path, tiny: Callable[..., Settings]) -> Iterator[Crowd]:
    crowd = Crowd(tmp_path / "pictures", untrained(tmp_path / "run", tiny()), Pace())
    yield crowd
    crowd.close()


def test_specimens_of_complete_pictures_or_else_how_large_one_is(crowd: Crowd) -> None:
    crowd.name(several=False)
    assert to_learn_from(crowd.book.contents, 0.1) is None
    crowd.name()
    with pytest.raises(LeadError, match="what share of the picture's longer side"):
        to_learn_from(crowd.book.contents, None)
    assert to_learn_from(crowd.book.contents, 0.1) == 0.1
    places = crowd.xy(0)
    crowd.put(0, places[0])
    size = np.linalg.norm(places[0].max(0) - places[0].min(0))
    assert to_learn_from(crowd.book.contents, None) == pytest.approx(size / 192, rel=1e-3)
    assert to_learn_from(crowd.book.contents, 0.2) == 0.2
    crowd.say(crowd.id(0), complete=True)
    found = to_learn_from(crowd.book.contents, 0.2)
    assert isinstance(found, Labels)
    np.testing.assert_array_equal(found.xy, crowd.book.contents.taught.xy)


def test_what_is_learnt_from_is_kept_until_another_run_begins(crowd: Crowd, tmp_path: Path) -> None:
    home, run = tmp_path / "home", tmp_path / "home" / "run"
    home.mkdir()
    crowd.name()
    crowd.label(0)
    labels = crowd.book.contents.taught
    note(home, run, labels, crowd.folder.root)
    file = noted(home, run)
    assert file is not None
    assert options(file) == {"labels": file}
    again = load_labels(file, several=True)
    np.testing.assert_allclose(again.xy, labels.xy, atol=1e-3)
    assert again.complete == labels.complete
    note(home, run, 0.25, crowd.folder.root)
    assert options(file) == {"extent": 0.25}
    file.write_text("{")
    with pytest.raises(LeadError, match="is damaged"):
        options(file)
    note(home, run, None, crowd.folder.root)
    assert noted(home, run) is None


def test_a_run_from_the_page_learns_from_windows(crowd: Crowd, tmp_path: Path, tiny: Callable[..., Settings]) -> None:
    """Each of the two trainings is a process of its own, which takes seconds to begin."""
    quick = tmp_path / "quick.yaml"
    views = {"views": {"rotation": "auto"}}
    quick.write_text(to_yaml(tiny(pretrain={"steps": 2}, distill={"steps": 2, **views})))
    trainer = Trainer(crowd.folder, crowd.folder.root / ".lead", Events(), more_presets={"quick": quick})
    crowd.name()
    with pytest.raises(LeadError, match="longer side"):
        begun(trainer, crowd.book.contents, TrainingStart(preset="quick"))
    crowd.label(0)
    shown = []
    for _ in range(2):
        begun(trainer, crowd.book.contents, TrainingStart(preset="quick", extent=0.3))
        until = time.monotonic() + PATIENCE_S
        while (state := trainer.state()).state == "running":
            assert time.monotonic() < until
            time.sleep(0.02)
        assert (state.state, state.message) == ("done", None)
        assert state.run is not None
        shown.append(json.loads((Path(state.run) / WINDOWS).read_text()))
        for key in [one.id for one in crowd.book.contents.specimens_of(crowd.id(0))]:
            crowd.say(key, remove=True)
        crowd.say(crowd.id(0), complete=False)
    around, anywhere = shown
    own = np.array([box for file, box in around if file == "00.bmp"])
    middles = own[:, :2] + own[:, 2:] / 2
    truth = (crowd.xy(0).max(1) + crowd.xy(0).min(1)) / 2
    assert len(own) >= COUNTS[0]
    assert (np.linalg.norm(middles[:, None] - truth, axis=-1).min(0) < 10).all()
    assert {file for file, _ in anywhere} == set(crowd.folder.files)
    trainer.close()


def test_going_on_asks_for_nothing(crowd: Crowd) -> None:
    crowd.name()
    asked: list[tuple[object, ...]] = []

    class Asked:
        def start(self, *arguments: object) -> Training:
            asked.append(arguments)
            return Training()

    begun(Asked(), crowd.book.contents, TrainingStart(run="abc"))  # type: ignore[arg-type]
    assert asked == [(None, "abc")]
