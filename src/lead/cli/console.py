"""What the commands print: results on stdout; progress, notes and errors on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

# Paths and numbers are printed as they are: no markup is looked for in them, nothing is coloured by its looks.
_OUT = Console(highlight=False, markup=False)
_ERR = Console(stderr=True, highlight=False, markup=False)

LINE_EVERY_SHARE = 0.1
"""Where there is no terminal, a line is printed for each such share of a task,"""
LINE_EVERY_S = (1.0, 30.0)
"""but not sooner after the last than this many seconds, and not later."""


def show(content: str | Table) -> None:
    """Prints a result."""
    _OUT.print(content, soft_wrap=isinstance(content, str))


def note(text: str) -> None:
    """Prints what is going on."""
    _ERR.print(text, soft_wrap=True)


def warn(text: str) -> None:
    """Prints what the user should look at."""
    _ERR.print(Text(f"Warning: {text}", style="yellow"), soft_wrap=True)


def fail(text: str) -> None:
    """Prints why a command stopped."""
    _ERR.print(Text(f"Error: {text}", style="bold red"), soft_wrap=True)


class _Meter(Protocol):
    def update(self, task: str, done: int, total: int, detail: str) -> None: ...


class Watch:
    """Shows how far several tasks are, in the shapes in which the API reports it."""

    def __init__(self, meter: _Meter, clock: Callable[[], float] = time.monotonic) -> None:
        self._meter, self._clock = meter, clock
        self._collapsed: set[str] = set()

    def counting(self, task: str, *, rate: str = "") -> Callable[[int, int], None]:
        """A callback of (done, total). It also shows how many are done in a second, where ``rate`` says of what."""
        began: tuple[int, float] | None = None

        def count(done: int, total: int) -> None:
            nonlocal began
            now = self._clock()
            began = began or (done, now)  # not from 0: some may have been done before
            here, seconds = done - began[0], now - began[1]
            self._meter.update(task, done, total, f"{here / seconds:.3g} {rate}/s" if rate and here and seconds else "")

        return count

    def report(self, stage: str, step: int, total: int, values: Mapping[str, float]) -> None:
        """A training's report; warns once for a stage whose features have become all alike."""
        self._meter.update(stage, step, total, f"loss {values['loss']:.4f}")
        if values.get("collapsed") and stage not in self._collapsed:
            self._collapsed.add(stage)
            warn(f"at step {step} the features of {stage} are nearly all alike. A lower {stage}.lr may help.")


@contextmanager
def watching() -> Iterator[Watch]:
    """Bars on a terminal, a line now and then elsewhere."""
    if not _ERR.is_terminal:
        yield Watch(Lines())
        return
    columns = (
        TextColumn("{task.description:<18}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[detail]}"),
        TimeRemainingColumn(elapsed_when_finished=True),
    )
    with Progress(*columns, console=_ERR) as progress:
        yield Watch(Bars(progress))


class Bars:
    """A bar for each task, for a terminal."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    def update(self, task: str, done: int, total: int, detail: str) -> None:
        if task not in self._tasks:  # begins where a resumed stage does, so that its speed is not overrated
            self._tasks[task] = self._progress.add_task(task, total=total, completed=done, detail=detail)
        if done < self._progress.tasks[self._tasks[task]].completed:  # the same task anew: another training
            self._progress.reset(self._tasks[task], total=total, completed=done)
        self._progress.update(self._tasks[task], total=total, completed=done, detail=detail)


class Lines:
    """A line now and then, for a file or a pipe. ``clock`` tells seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: dict[str, tuple[int, float]] = {}
        self._shown: dict[str, tuple[int, float]] = {}

    def update(self, task: str, done: int, total: int, detail: str) -> None:
        now = self._clock()
        if task in self._shown and done < self._shown[task][0]:  # the same task anew: another training
            del self._first[task], self._shown[task]
        first_done, began = self._first.setdefault(task, (done, now))
        shown_done, shown_at = self._shown.get(task, (first_done, began))
        soonest, latest = LINE_EVERY_S
        wait = latest if done - shown_done < LINE_EVERY_SHARE * total else soonest
        if done < total and now - shown_at < wait:
            return
        self._shown[task] = (done, now)
        parts = [f"{task} {done}/{total}", detail]
        if first_done < done < total:
            parts.append(f"about {_duration((now - began) * (total - done) / (done - first_done))} left")
        note(", ".join(filter(None, parts)))


def _duration(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {whole % 60} s" if minutes else f"{whole} s"
