"""A session: what it opens, what it says until the model side is loaded, and how it ends."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from modelled import untrained
from serving import draw, opened, wait_for

from lead.config import Settings
from lead.errors import LeadError
from lead.studio import answers
from lead.studio.answers import LOADING
from lead.studio.fitter import Fitter
from lead.studio.label_messages import LabelsChange, Landmark, LandmarksChange, Point
from lead.studio.session import Session


def pictures(root: Path, count: int = 4) -> Path:
    for row in range(count):
        draw(root / f"{row}.png", seed=row)
    return root


UNASKED = 3600.0
"""As long as nobody asks for the model side, it is not loaded."""


def loaded(session: Session) -> None:
    session.load_model()
    wait_for(session._loaded.done, "the model side is loaded")


def test_no_folder_no_pictures_no_run(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=re.escape(str(tmp_path / "none"))):
        Session.open(tmp_path / "none")
    with pytest.raises(LeadError, match="No picture"):
        Session.open(tmp_path)
    pictures(tmp_path)
    with pytest.raises(LeadError, match=r"settings\.yaml"):
        Session.open(tmp_path, run=tmp_path)
    with opened(tmp_path):  # none of them has left a lock behind
        pass


def test_only_one_at_a_time(tmp_path: Path) -> None:
    pictures(tmp_path)
    with opened(tmp_path, load_after_s=UNASKED), pytest.raises(LeadError, match="Another lead studio"):
        Session.open(tmp_path)
    with opened(tmp_path, load_after_s=UNASKED):
        pass


def test_labels_elsewhere(tmp_path: Path) -> None:
    root, file = pictures(tmp_path / "pictures"), tmp_path / "mine" / "labels.json"
    file.parent.mkdir()
    with opened(root, labels=file, load_after_s=UNASKED) as session:
        session.book.change_landmarks(LandmarksChange(version=session.book.landmarks.version, landmarks=[beak()]))
        assert session.state().label_file == str(file)
    assert file.exists()
    assert not (root / "annotations.json").exists()
    assert not (root / ".lead").exists()


def beak() -> Landmark:
    return Landmark(name="beak", colour="#123456")


def test_labelling_needs_no_model(tmp_path: Path) -> None:
    with opened(pictures(tmp_path), load_after_s=UNASKED) as session:
        first, second, third, fourth = session.folder.ids
        session.book.change_landmarks(LandmarksChange(version=session.book.landmarks.version, landmarks=[beak()]))
        assert session.knowledge.loading
        assert session.state().model.message == LOADING
        assert session.training().message == LOADING
        assert answers.suggest(session.knowledge, first).waiting_for == LOADING
        base = session.book.labels(second).version
        session.book.change_labels(second, LabelsChange(base=base, points={"beak": Point(x=1, y=2)}))
        choice = answers.next_picture(session.knowledge, first, [])
        assert (choice.id, choice.runner_up) == (third, fourth)
        assert answers.next_picture(session.knowledge, third, [fourth]).id == first
        assert answers.next_picture(session.knowledge, first, [third, fourth]).kind == "none"
        session.book.change_labels(third, LabelsChange(base=session.book.labels(third).version, tags=["skip"]))
        assert answers.next_picture(session.knowledge, first, []).id == fourth
        with pytest.raises(LeadError, match="no model yet"):
            session.export_model()


def test_the_model_side_comes(tmp_path: Path) -> None:
    with opened(pictures(tmp_path)) as session:
        events = session.events.subscribe()
        loaded(session)
        assert not session.knowledge.loading
        wait_for(lambda: (event := events.get(0)) is not None and event.kind == "training", "the page is told")
        assert session.training().presets


def test_a_model_side_that_cannot_be_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "lead.studio.fitter", None)  # as if something of it were not installed
    with opened(pictures(tmp_path)) as session:
        loaded(session)
        state = session.state()
        assert state.model.stage == "failed"
        assert "could not be loaded" in (state.model.message or "")
        assert session.list_pictures()
        with pytest.raises(LeadError, match="could not be loaded"):
            session.trainer.runs()


def test_closing_at_once(tmp_path: Path) -> None:
    session = Session.open(pictures(tmp_path))
    events = session.events.subscribe()
    session.close()
    assert events.closed
    session._loader.join(60)
    assert not session._loader.is_alive()
    with opened(tmp_path):
        pass


def test_closing_while_the_model_side_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for it; what it began it ends."""
    begun, go_on, closed = threading.Event(), threading.Event(), threading.Event()

    class Slow(Fitter):
        def __init__(self, *args: Any, **options: Any) -> None:
            begun.set()
            assert go_on.wait(60)
            super().__init__(*args, **options)

        def close(self) -> None:
            super().close()
            closed.set()

    monkeypatch.setattr("lead.studio.fitter.Fitter", Slow)
    session = Session.open(pictures(tmp_path))
    session.load_model()
    assert begun.wait(60)
    session.close()
    assert not closed.is_set()
    go_on.set()
    assert closed.wait(60)


LABELLING = """
    import os, sys, time
    from pathlib import Path
    from lead.studio.label_messages import LabelsChange, Landmark, LandmarksChange, Point
    from lead.studio.server import create_app
    from lead.studio.session import Session

    def until(met):
        end = time.monotonic() + 120
        while not met():
            assert time.monotonic() < end, session.knowledge
            time.sleep(0.05)

    session = Session.open(Path(sys.argv[1]), run=Path(sys.argv[2]))
    create_app(session, "token")
    session.load_model()
    until(lambda: session.knowledge.bank and session.knowledge.bank.ready)
    beak = Landmark(name="beak", colour="#123456")
    session.book.change_landmarks(LandmarksChange(version=session.book.landmarks.version, landmarks=[beak]))
    for id in session.folder.ids[:3]:
        change = LabelsChange(base=session.book.labels(id).version, points={"beak": Point(x=9, y=9)})
        session.book.change_labels(id, change)
    session.export_model()
    until(lambda: session.knowledge.fit and session.knowledge.review)
    session.close()
    print(*(name for name in ("torch", "lightning_fabric", "tensorboard", "torch.utils.tensorboard", "tensorflow")
            if name in sys.modules), flush=True)
    os._exit(0)  # as the command does: Python's own end does not always survive a fit that is still under way
"""


def test_labelling_and_fitting_load_nothing_that_only_training_needs(
    tmp_path: Path, tiny: Callable[..., Settings]
) -> None:
    run = untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 64}))
    command = [sys.executable, "-c", textwrap.dedent(LABELLING), str(pictures(tmp_path / "pictures")), str(run.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["torch"]
