"""The training of features beside the page: started, watched, stopped, resumed; and the runs to choose from."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Literal, get_args

from lead.config import Settings, load_preset
from lead.errors import LeadError, NotThere, unknown
from lead.evaluation.curves import read_metrics
from lead.landmarks.model import Labels
from lead.studio import windows
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.pace import Pace
from lead.studio.runs import Shelf, opened, preset_of, run_id
from lead.studio.training_messages import LossPoint, Preset, RunChoice, Training
from lead.studio.worker import STOPPED
from lead.training.run import Run

StageName = Literal["pretrain", "distill"]
PUBLISH_EVERY_S = 0.5
CURVE_POINTS = 300
"""Most points of a curve that are sent to the page."""
RECENT = 20
"""Reports from which the speed is told."""
DESCRIPTIONS = {
    "small": "For your pictures: adapts an ImageNet network to a folder of a few hundred to a few thousand.",
    "tiny": "From nothing, for simple pictures of one kind: to see how it all works.",
    "short": "As small, at half its resolution and a fifth of its steps: a first try, less exact.",
    "paper": "The paper's own configuration, from nothing. Needs a GPU and a very large folder.",
}
"""In the order in which they are offered."""


@dataclass
class RunProgress:
    """How far the current run is.

    Attributes:
        reports: time in seconds and steps done, the latest of the task.
        curve: loss, by stage and step.
    """

    state: Literal["none", "running", "stopping", "stopped", "failed", "done"] = "none"
    run: Run | None = None
    preset: str | None = None
    task: str | None = None
    step: int = 0
    total: int = 0
    message: str | None = None
    reports: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=RECENT))
    curve: list[LossPoint] = field(default_factory=list)

    @classmethod
    def of(cls, run: Run) -> RunProgress:
        """Of a run on disk that is not being trained."""
        progress = cls("done" if run.has_student else "stopped", run, preset_of(run.settings))
        progress.curve = read_curve(run.folder)
        if progress.curve:
            last = progress.curve[-1]
            stage = run.settings.pretrain if last.stage == "pretrain" else run.settings.distill
            pictures = run.provenance.get("pictures", 0)
            progress.task, progress.step, progress.total = last.stage, last.step, stage.total_steps(pictures)
        return progress

    def report(self, task: str, done: int, total: int, loss: float | None) -> None:
        if task != self.task:
            self.reports.clear()
        self.task, self.step, self.total = task, done, total
        self.reports.append((time.monotonic(), done))
        stage = next((stage for stage in get_args(StageName) if stage == task), None)
        if loss is not None and stage is not None:
            # A run that goes on from its last saved state does some steps again.
            while self.curve and self.curve[-1].stage == stage and self.curve[-1].step >= done:
                self.curve.pop()
            self.curve.append(LossPoint(stage=stage, step=done, loss=loss))

    def seconds_left(self) -> float | None:
        """From the speed of the latest reports; a step of stage 2 is taken to cost as much a picture as stage 1's."""
        if self.state != "running" or self.task not in get_args(StageName) or len(self.reports) < 2:
            return None
        (began, first), (latest, last) = self.reports[0], self.reports[-1]
        if last <= first:
            return None
        steps = float(self.total - last)
        if self.task == "pretrain" and self.run:
            settings, pictures = self.run.settings, self.run.provenance.get("pictures", 0)
            steps += settings.distill.total_steps(pictures) * settings.distill.batch / settings.pretrain.batch
        return max(steps * (latest - began) / (last - first) - (time.monotonic() - latest), 0.0)


class Trainer:
    """Trains in the background, one run at a time.

    Args:
        folder: the pictures.
        home: where runs trained here are kept, ``run``, ``run-2``, …, with ``training.log`` beside them.
        events: where progress is published (kind ``"training"``).
        run: the run to use, instead of the one used last.
        more_presets: YAML files of settings to offer under further names.

    Raises:
        LeadError: ``run`` is not a run.
    """

    on_finished: Callable[[Path], None] | None = None

    def __init__(
        self,
        folder: PictureFolder,
        home: Path,
        events: Events,
        *,
        run: Path | None = None,
        more_presets: Mapping[str, Path] | None = None,
    ) -> None:
        self._folder, self._home, self._events = folder, home.resolve(), events
        self._presets = {name: name for name in DESCRIPTIONS} | {k: str(v) for k, v in (more_presets or {}).items()}
        self._shelf = Shelf(folder.root, self._home, run)
        self._pace = Pace()
        self._lock = threading.RLock()
        self._process: subprocess.Popen[str] | None = None
        self._watcher: threading.Thread | None = None
        self._changed = threading.Event()
        current = self._shelf.last_used()
        self._progress = RunProgress.of(current) if current else RunProgress()

    def state(self) -> Training:
        with self._lock:
            now = self._progress
            about = now.run.provenance if now.state == "done" and now.run else {}
            seconds = [about[f"{stage}_seconds"] for stage in get_args(StageName) if f"{stage}_seconds" in about]
            return Training(
                state=now.state,
                run=str(now.run.folder) if now.run else None,
                preset=now.preset,
                task=now.task,
                step=now.step,
                total=now.total,
                seconds_left=now.seconds_left(),
                curve=thinned(now.curve),
                message=now.message,
                presets=self._offered(),
                pictures=about.get("pictures"),
                seconds=sum(seconds) if seconds else None,
            )

    def estimate(self) -> Training:
        """The state; how long each preset takes is found out in the background, unless a training has the machine."""
        with self._lock:
            if self._progress.state not in ("running", "stopping"):
                self._pace.learn(opened(self._shelf.own()), preset_of)
                self._pace.begin(self._publish)
        return self.state()

    @cached_property
    def _settings(self) -> dict[str, Settings]:
        return {name: load_preset(file) for name, file in self._presets.items()}

    def _offered(self) -> list[Preset]:
        pictures = len(self._folder.files)
        return [
            Preset(
                name=name, description=DESCRIPTIONS.get(name, ""), minutes=self._pace.minutes(name, settings, pictures)
            )
            for name, settings in self._settings.items()
        ]

    @property
    def finished(self) -> Path | None:
        """The current run, if its features can be used."""
        with self._lock:
            run = self._progress.run
            return run.folder if run and self._progress.state == "done" else None

    def start(self, preset: str | None, run: str | None = None, what: Labels | float | None = None) -> Training:
        """Begins a training in a new run; without a preset, goes on with one that was interrupted.

        Args:
            preset: None to go on.
            run: the id of the one to go on with, one of those begun here; by default the current one.
            what: of several specimens in a picture, a new one learns from; see :mod:`lead.studio.windows`.

        Raises:
            LeadError: one is under way, the preset is unknown, or there is nothing to go on with.
        """
        with self._lock:
            self._refuse_while_training()
            if preset is None:
                self._progress, settings = self._interrupted(run)
            elif preset in self._presets:
                settings = self._presets[preset]
                new = Run(self._shelf.free(), load_preset(settings))
                self._home.mkdir(parents=True, exist_ok=True)
                windows.note(self._home, new.folder, what, self._folder.root)
                self._progress = RunProgress(run=new, preset=preset)
            else:
                raise unknown("preset", preset, self._presets)
            assert self._progress.run is not None
            folder = self._progress.run.folder
            self._shelf.remember(folder)
            self._progress.state = "running"
            try:
                self._process = _spawned(
                    self._folder.root, folder, settings, windows.noted(self._home, folder), self._log
                )
            except OSError as error:
                self._progress.state, self._progress.message = "failed", f"Cannot begin the training: {error}."
            else:
                self._watcher = threading.Thread(target=self._watch, args=(self._process, folder), daemon=True)
                self._watcher.start()
        self._publish()
        return self.state()

    def cancel(self) -> Training:
        """Asks the training to stop after the step under way and save its state. Without one, does nothing."""
        with self._lock:
            if self._process is not None and self._progress.state == "running":
                self._progress.state = "stopping"
                _ask_to_stop(self._process)
        self._publish()
        return self.state()

    def runs(self) -> list[RunChoice]:
        """Those trained here, those given or opened by their path, and those beside the pictures."""
        own = self._shelf.own()
        return [
            RunChoice(
                id=run_id(run.folder),
                path=str(run.folder),
                preset=preset_of(run.settings),
                finished=run.has_student,
                resumable=run.folder in own and not run.has_student,
                pictures=run.provenance.get("pictures"),
                current=self._progress.run is not None and run.folder == self._progress.run.folder,
            )
            for run in self._shelf.runs(self._progress.run)
        ]

    def open(self, id: str) -> Path:
        """Makes a finished run of :meth:`runs` the current one.

        Raises:
            LeadError: there is no such run, its training is not finished, or one is under way here.
        """
        with self._lock:
            self._refuse_while_training()
            run = next((run for run in self._shelf.runs(self._progress.run) if run_id(run.folder) == id), None)
            if run is None:
                raise NotThere("There is no such run any more. Choose another from the list.")
            if not run.has_student:
                raise LeadError(f"The training of {run.folder} is not finished. Go on with it, or open another.")
            return self._use(run)

    def open_path(self, path: str) -> Path:
        """Makes a finished run the current one, wherever it lies. Errors as :func:`lead.studio.runs.at`, and if a
        training is under way here.
        """
        with self._lock:
            self._refuse_while_training()
            return self._use(self._shelf.take(path))

    def _use(self, run: Run) -> Path:
        self._progress = RunProgress.of(run)
        self._shelf.remember(run.folder)
        self._publish()
        return run.folder

    def close(self) -> None:
        """Stops a training that is under way and waits until its state is saved."""
        self.cancel()
        if self._watcher is not None:
            self._watcher.join()

    def _interrupted(self, id: str | None) -> tuple[RunProgress, str]:
        """The run to go on with, and its settings: a preset or a YAML file."""
        now = self._progress
        if id is not None and (now.run is None or run_id(now.run.folder) != id):
            run = next((run for run in self._shelf.interrupted() if run_id(run.folder) == id), None)
            if run is None:
                raise NotThere("There is no interrupted training of that name here. Choose another from the list.")
            now = RunProgress.of(run)
        if now.run is None or now.state not in ("stopped", "failed"):
            raise LeadError(
                f"There is no interrupted training to go on with. Choose a preset: {', '.join(DESCRIPTIONS)}."
            )
        file = now.run.folder / "settings.yaml"
        if file.is_file():
            return RunProgress.of(Run.open(now.run.folder)), str(file)
        assert now.preset is not None  # it was stopped before it came to writing anything
        return RunProgress(run=now.run, preset=now.preset), self._presets[now.preset]

    # --- the process

    def _refuse_while_training(self) -> None:
        if self._progress.state in ("running", "stopping"):
            raise LeadError("A training is under way. Stop it first, or wait for its end.")

    @property
    def _log(self) -> Path:
        return self._home / "training.log"

    def _watch(self, process: subprocess.Popen[str], run: Path) -> None:
        assert process.stdout is not None
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        while reader.is_alive():
            reader.join(PUBLISH_EVERY_S)
            if self._changed.is_set():
                self._changed.clear()
                self._publish()
        status = process.wait()
        with self._lock:
            _ask_to_stop(process)  # closes the pipe
            self._process = None
            self._progress.state, self._progress.message = _outcome(self._progress, status, self._log)
            finished = self._progress.state == "done"
        self._publish()
        if finished and self.on_finished is not None:
            self.on_finished(run)

    def _read(self, lines: IO[str]) -> None:
        for text in lines:
            line: dict[str, Any] = json.loads(text)
            with self._lock:
                if "error" in line:
                    self._progress.message = line["error"]
                else:
                    self._progress.report(line["task"], line["done"], line["total"], line.get("loss"))
            self._changed.set()

    def _publish(self) -> None:
        self._events.publish("training", self.state().model_dump(mode="json"))


def _spawned(pictures: Path, run: Path, settings: str, note: Path | None, log: Path) -> subprocess.Popen[str]:
    """A process that trains; what it says on stderr goes to ``log``."""
    # -P: a file in the working folder that is named like a module must not be taken for it. A session of its own:
    # Ctrl-C in the terminal is for the server, which then asks the training to stop, once.
    command = [sys.executable, "-P", "-m", "lead.studio.worker", str(pictures), str(run), settings]
    with log.open("a", encoding="utf-8") as file:
        return subprocess.Popen(
            [*command, *([str(note)] if note else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=file,
            encoding="utf-8",
            start_new_session=True,
        )


def _ask_to_stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    with suppress(OSError):
        process.stdin.close()


def _outcome(progress: RunProgress, status: int, log: Path) -> tuple[Literal["done", "stopped", "failed"], str | None]:
    """The state, and what to say, after the process ended with an exit status."""
    message = progress.message
    if status == 0:
        return "done", None
    if status == STOPPED or (progress.state == "stopping" and message is None):
        return "stopped", None
    if message is not None:
        return "failed", message
    how = f"by signal {signal.Signals(-status).name}" if status < 0 else f"with exit status {status}"
    why = " The system may have run out of memory." if status == -9 else ""
    return "failed", f"The training was ended {how}.{why} What it said last is in {log}."


def read_curve(run: Path) -> list[LossPoint]:
    """The loss of both stages as a run logged it."""
    try:
        curves = read_metrics(run / "metrics.jsonl")
    except LeadError:  # nothing is logged yet
        return []
    return [
        LossPoint(stage=stage, step=step, loss=loss)
        for stage in get_args(StageName)
        for step, loss in zip(*curves.get(f"{stage}/loss", ([], [])), strict=True)
    ]


def thinned(curve: list[LossPoint], most: int = CURVE_POINTS) -> list[LossPoint]:
    """At most about ``most`` points of a curve, evenly, the last one always."""
    every = -(-len(curve) // most) or 1
    return curve[::-1][::every][::-1]
