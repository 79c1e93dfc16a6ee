"""Training beside the page: to the end, stopped and gone on with, failing, orphaned; and the runs to choose from."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from modelled import untrained

from lead import api
from lead.config import Settings, load_preset, presets, to_yaml
from lead.datasets import folder as plain
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.studio import pace, training, worker
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.pace import Pace
from lead.studio.runs import preset_of, run_id
from lead.studio.training import Trainer
from lead.studio.training_messages import LossPoint, Training
from lead.training.run import STUDENT, Run

PATIENCE_S = 120.0
"""How long the tests wait for what must happen; a busy machine is no failure."""


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.chdir(tmp_path)  # whose runs/ is the test's own


@pytest.fixture
def quick(tmp_path: Path, tiny: Callable[..., Settings]) -> Path:
    """Settings of a training of a moment."""
    return _written(tmp_path / "quick.yaml", tiny())


@pytest.fixture
def long(tmp_path: Path, tiny: Callable[..., Settings]) -> Path:
    """Settings of a training that can be caught on its way."""
    return _written(tmp_path / "long.yaml", tiny(distill={"steps": 150}))


def _written(file: Path, settings: Settings) -> Path:
    file.write_text(to_yaml(settings))
    return file


@pytest.fixture
def make(folder: Dataset) -> Iterator[Callable[..., Trainer]]:
    """Makes trainers in the folder, each closed at the end."""
    made = []

    def trainer(home: str = ".lead", events: Events | None = None, **options: Any) -> Trainer:
        made.append(Trainer(PictureFolder(folder.root), folder.root / home, events or Events(), **options))
        return made[-1]

    yield trainer
    for one in made:
        one.close()


def until(trainer: Trainer, what: Callable[[Training], bool]) -> Training:
    end = time.monotonic() + PATIENCE_S
    while not what(state := trainer.state()):
        assert time.monotonic() < end, state
        time.sleep(0.02)
    return state


def ended(state: Training) -> bool:
    return state.state in ("done", "stopped", "failed")


def under_way(state: Training) -> bool:
    """Well within stage 2."""
    assert not ended(state), state.message
    return state.task == "distill" and state.step >= 20


def test_a_training_runs_to_its_end_and_says_so(
    make: Callable[..., Trainer], folder: Dataset, quick: Path, tmp_path: Path
) -> None:
    events = Events()
    listening = events.subscribe()
    trainer = make(events=events, more_presets={"quick": quick})
    assert trainer.state().state == "none"
    finished: list[Path] = []
    trainer.on_finished = finished.append
    assert trainer.start("quick").state == "running"
    state = until(trainer, ended)
    trainer.close()
    assert (state.state, state.message, state.preset) == ("done", None, "quick")
    assert state.run is not None
    run = Path(state.run)
    assert finished == [run]
    assert trainer.finished == run
    assert (run / STUDENT).is_file()
    logged = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [p.model_dump() for p in state.curve] == [{k: r[k] for k in ("stage", "step", "loss")} for r in logged]
    kinds, states = set(), []
    while (event := listening.get(timeout=0.1)) is not None:
        kinds.add(event.kind)
        states.append(event.data["state"])
    assert kinds == {"training"}
    assert states[0] == "running"
    assert states[-1] == "done"
    # Found again by the next studio on the folder.
    again = make().state()
    assert (again.state, again.run, again.curve) == ("done", state.run, state.curve)
    # And by one on the folder wherever that is moved to.
    moved = folder.root.rename(tmp_path / "moved")
    assert Trainer(PictureFolder(moved), moved / ".lead", Events()).finished == moved / ".lead" / "run"


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_crashed_and_stopped_and_gone_on_with_is_as_if_never_interrupted(
    make: Callable[..., Trainer], folder: Dataset, long: Path, tmp_path: Path
) -> None:
    first = make(more_presets={"long": long})
    first.start("long")
    until(first, under_way)
    assert first._process is not None
    first._process.kill()
    state = until(first, ended)
    assert state.state == "failed"
    assert state.message is not None
    assert "SIGKILL" in state.message
    assert "training.log" in state.message
    first.start(None)
    until(first, lambda state: bool(first._progress.reports) and under_way(state))  # not as it was left
    assert first.cancel().state == "stopping"
    with pytest.raises(LeadError, match="under way"):
        first.start("long")
    assert until(first, ended).state == "stopped"
    stopped_at = first.state().step
    # The next studio on the folder knows of it, and needs no preset to go on.
    second = make()
    state = second.state()
    assert (state.state, state.task) == ("stopped", "distill")
    assert 0 < state.step <= stopped_at
    assert state.total == 150
    second.start(None)
    done = until(second, ended)
    assert done.state == "done", done.message
    assert done.run is not None
    whole = api.train(plain.load(folder.root), tmp_path / "whole", settings=load_preset(str(long))).folder
    assert (Path(done.run) / STUDENT).read_bytes() == (whole / STUDENT).read_bytes()
    logged = [json.loads(line)["step"] for line in (whole / "metrics.jsonl").read_text().splitlines()]
    assert [p.step for p in done.curve] == logged
    with pytest.raises(LeadError, match="no interrupted"):
        second.start(None)


def test_stopped_before_it_began_it_can_go_on(make: Callable[..., Trainer], quick: Path) -> None:
    trainer = make(more_presets={"quick": quick})
    trainer.start("quick")
    trainer.cancel()
    assert until(trainer, ended).state in ("stopped", "done")  # done, if it was all over before it was asked
    if trainer.state().state == "stopped":
        trainer.start(None)
    assert until(trainer, ended).state == "done"


def test_a_stop_that_an_import_lets_pass_is_heard_after_it(
    folder: Dataset, quick: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "Stop", lambda _: SimpleNamespace(asked=True))
    monkeypatch.setattr(os, "nice", lambda _: 0)
    monkeypatch.setattr(sys, "argv", ["worker", str(folder.root), str(tmp_path / "run"), str(quick)])
    with pytest.raises(SystemExit) as end:
        worker.main()
    assert end.value.code == worker.STOPPED
    assert not (tmp_path / "run").exists()


def test_begun_in_the_background_it_hears_a_stop_too(folder: Dataset, long: Path, tmp_path: Path) -> None:
    # A shell's "&" and nohup have programs ignore interrupts, and those that they start inherit it.
    command = [sys.executable, "-P", "-m", "lead.studio.worker", str(folder.root), str(tmp_path / "run"), str(long)]
    ignoring = (
        "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"
    )
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", ignoring, *command], stdin=pipe, stdout=pipe) as training_process:
        assert training_process.stdin is not None
        assert training_process.stdout is not None
        training_process.stdout.readline()  # it decodes: no step is done yet
        training_process.stdin.close()
    assert training_process.returncode == worker.STOPPED


def test_a_failure_is_told_in_the_commands_words(make: Callable[..., Trainer], folder: Dataset, quick: Path) -> None:
    for name in folder.files[5:]:
        (folder.root / name).unlink()
    trainer = make(more_presets={"quick": quick})
    trainer.start("quick")
    state = until(trainer, ended)
    assert state.state == "failed"
    assert state.message == f"{folder.root} has 5 pictures to train on; at least 8 are needed."


STUDIO = """
    import sys, time
    from pathlib import Path
    from lead.studio.events import Events
    from lead.studio.folder import PictureFolder
    from lead.studio.training import Trainer
    folder, preset = Path(sys.argv[1]), Path(sys.argv[2])
    trainer = Trainer(PictureFolder(folder), folder / ".lead", Events(), more_presets={"long": preset})
    trainer.start("long")
    while trainer.state().step < 20 or trainer.state().task != "distill":
        time.sleep(0.02)
    print(trainer._process.pid, flush=True)
    time.sleep(1000)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal here")
def test_the_end_of_the_studio_however_it_comes_ends_the_training(
    make: Callable[..., Trainer], folder: Dataset, long: Path
) -> None:
    command = [sys.executable, "-c", textwrap.dedent(STUDIO), str(folder.root), str(long)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8") as studio:
        assert studio.stdout is not None
        training_process = int(studio.stdout.readline())
        studio.kill()
    # A new studio waits until the old one's training has let go of the run, then goes on from where that stopped.
    trainer = make(more_presets={"long": long})
    trainer.start(None)
    assert until(trainer, lambda state: state.step > 20 and bool(trainer._progress.reports)).state == "running"
    with pytest.raises(ProcessLookupError):
        os.kill(training_process, 0)
    assert trainer._progress.reports[0][1] > 20
    assert "Traceback" not in trainer._log.read_text()


def test_two_processes_do_not_train_into_one_run(tmp_path: Path) -> None:
    with worker.own(tmp_path / "run"):
        with worker.own(tmp_path / "other"):
            pass
        with pytest.raises(LeadError, match="under way"), worker.own(tmp_path / "run", wait_s=0.1):
            pass
    with worker.own(tmp_path / "run"):
        pass


def test_runs_to_open(
    make: Callable[..., Trainer], folder: Dataset, tiny: Callable[..., Settings], long: Path, tmp_path: Path
) -> None:
    (tmp_path / "runs" / "not-a-run").mkdir(parents=True)
    shelved = untrained(tmp_path / "runs" / "mine", tiny()).folder
    begun = Run.create(folder.root / ".lead" / "run", tiny())
    trainer = make(more_presets={"long": long})
    assert trainer.state().state == "stopped"
    found = {Path(run.path).name: run for run in trainer.runs()}
    assert {name: (run.finished, run.current) for name, run in found.items()} == {
        "mine": (True, False),
        "run": (False, True),
    }
    with pytest.raises(LeadError, match="not finished"):
        trainer.open(found["run"].id)
    for unknown in ("", "mine", str(shelved), "../mine"):
        with pytest.raises(LeadError, match="no such run"):
            trainer.open(unknown)
    # Another training leaves the interrupted one where it is.
    trainer.start("long")
    fresh = trainer.state().run
    assert fresh is not None
    assert Path(fresh) == begun.folder.with_name("run-2")
    with pytest.raises(LeadError, match="under way"):
        trainer.open(found["mine"].id)
    trainer.cancel()
    until(trainer, ended)
    assert trainer.open(found["mine"].id) == shelved
    assert trainer.state().state == "done"
    assert make().finished == shelved  # remembered


def test_an_interrupted_training_is_gone_on_with_after_another(
    make: Callable[..., Trainer], folder: Dataset, tiny: Callable[..., Settings], quick: Path
) -> None:
    begun = Run.create(folder.root / ".lead" / "run", tiny())
    untrained(folder.root.parent / "theirs", tiny())
    theirs = Run.create(folder.root.parent / "begun-by-them", tiny())
    trainer = make(more_presets={"quick": quick})
    trainer.start("quick")
    assert until(trainer, ended).state == "done"
    resumable = {Path(run.path): run.resumable for run in trainer.runs()}
    assert resumable == {
        begun.folder: True,
        begun.folder.with_name("run-2"): False,
        folder.root.parent / "theirs": False,
        theirs.folder: False,
    }
    for other in (run_id(theirs.folder), run_id(begun.folder.with_name("run-2")), "", "../run"):
        with pytest.raises(LeadError, match="no interrupted"):
            trainer.start(None, run=other)
    trainer.start(None, run=run_id(begun.folder))
    done = until(trainer, ended)
    assert (done.state, done.run) == ("done", str(begun.folder)), done.message


def test_a_path_is_opened_only_as_a_finished_run(
    make: Callable[..., Trainer], tiny: Callable[..., Settings], tmp_path: Path
) -> None:
    far = tmp_path / "far"
    run = untrained(far / "good", tiny()).folder
    begun = Run.create(far / "begun", tiny()).folder
    (far / "broken").mkdir()
    (far / "broken" / "settings.yaml").write_text("a: [")
    (tmp_path / "file").write_text("no folder")
    trainer = make()
    for wrong, why in {
        "": "no folder",
        "  ": "no folder",
        "a\0b": "no folder",
        "x" * 5000: "no folder",
        "~nobody-has-this-name/run": "no folder",
        str(far / "gone"): "no folder",
        str(tmp_path / "file"): "no folder",
        str(far): "holds runs: begun, broken, good",
        str(tmp_path): "is not a trained model",
        str(begun): "not finished",
        str(far / "broken"): "broken",
    }.items():
        with pytest.raises(LeadError, match=why):
            trainer.open_path(wrong)
    assert trainer.state().state == "none"
    assert trainer.open_path(f" '{run / STUDENT}' ") == run
    assert trainer.state().state == "done"
    assert [Path(each.path) for each in trainer.runs()] == [run]
    assert make().finished == run  # remembered


def test_a_given_run_is_used_and_must_be_one(make: Callable[..., Trainer], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(LeadError, match="is not a run"):
        make(run=tmp_path / "empty")


def test_only_offered_presets_are_taken(make: Callable[..., Trainer], quick: Path) -> None:
    trainer = make()
    for wrong in ("smal", str(quick), "../quick.yaml"):
        with pytest.raises(LeadError, match="Unknown preset"):
            trainer.start(wrong)
    assert trainer.state().state == "none"
    assert [p.name for p in trainer.state().presets] == list(training.DESCRIPTIONS)
    assert set(training.DESCRIPTIONS) == set(presets())
    assert all(p.description for p in trainer.state().presets)


def test_time_left_counts_both_stages(tmp_path: Path, tiny: Callable[..., Settings]) -> None:
    clock = iter(range(100))
    progress = training.RunProgress("running", Run(tmp_path, tiny(pretrain={"steps": 60}, distill={"steps": 40})))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lead.studio.training.time.monotonic", lambda: float(next(clock)))
        progress.report("pretrain", 10, 60, 1.0)  # second 0
        assert progress.seconds_left() is None
        progress.report("pretrain", 20, 60, 1.0)  # second 1: 10 steps a second
        assert progress.seconds_left() == pytest.approx((40 + 40) / 10 - 1)  # asked for at second 2
        progress.report("distill", 10, 40, 1.0)
        progress.report("distill", 20, 40, 1.0)
        assert progress.seconds_left() == pytest.approx(20 / 10 - 1)


def test_how_long_it_takes_is_told_from_the_machine_and_then_from_what_was_done_here(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny: Callable[..., Settings]
) -> None:
    small = load_preset("small")
    known = Pace()
    assert known.minutes("small", small, 1000) is None
    monkeypatch.setattr(pace, "speed", lambda: pace.THEIR_SPEED / 2)
    known._measure(lambda: None)
    least, most = known.minutes("small", small, 1000) or (0, 0)
    assert (least, most) == pytest.approx(((2 * 774 + 10) / 60, (2 * 2280 + 10) / 60))
    assert known.minutes("small", small, 7) is None  # too few to learn from
    assert known.minutes("paper", load_preset("paper"), 1000) is None
    run = untrained(tmp_path / "run", small)
    run.record(pretrain_seconds=0.5, distill_seconds=599.5, pictures=1000)
    known.learn([Run.create(tmp_path / "begun", tiny()), run], preset_of)
    least, most = known.minutes("small", small, 1000) or (0, 0)
    assert (least, most) == pytest.approx(((0.8 * 600 + 10) / 60, (1.4 * 600 + 10) / 60))
    assert pace.speed() > 0


@pytest.mark.parametrize("count", [0, 1, 299, 300, 301, 5000])
def test_a_thinned_curve_keeps_its_end(count: int) -> None:
    curve = [LossPoint(stage="distill", step=i, loss=1.0) for i in range(count)]
    thin = training.thinned(curve)
    assert len(thin) <= 300
    assert thin[-1:] == curve[-1:]
    assert len(thin) == count or len(thin) > 100
