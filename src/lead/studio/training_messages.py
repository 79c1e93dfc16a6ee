"""What the page and the server say to each other of training; the rest is in :mod:`lead.studio.messages`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lead.studio.label_messages import Message


class Preset(Message):
    """A training that is offered.

    Attributes:
        minutes: from how many to how many it takes on this machine with these pictures; null as long as nobody knows.
    """

    name: str
    description: str
    minutes: tuple[float, float] | None = None


class LossPoint(Message):
    stage: Literal["pretrain", "distill"]
    step: int
    loss: float


class Training(Message):
    """The training of features in this folder.

    Attributes:
        state: ``none``: nothing trained or opened; ``running``; ``stopping``: a stop was asked for and the state is
            being saved; ``stopped``: interrupted, can go on; ``failed``: see ``message``; ``done``.
        run: the run's folder as text, if there is one.
        preset: with which it was begun.
        task: what it is doing: decoding, pretrain or distill.
        seconds_left: of the whole training, as far as it can be told.
        curve: loss, thinned to at most a few hundred points.
        pictures, seconds: of a finished training: how many it learnt from, and how long it took.
    """

    state: Literal["none", "running", "stopping", "stopped", "failed", "done"] = "none"
    run: str | None = None
    preset: str | None = None
    task: str | None = None
    step: int = 0
    total: int = 0
    seconds_left: float | None = None
    curve: list[LossPoint] = Field([])
    message: str | None = None
    presets: list[Preset] = Field([])
    pictures: int | None = None
    seconds: float | None = None


class TrainingStart(Message):
    """Begins a training, or goes on with one that was stopped (then ``preset`` is left out).

    Attributes:
        run: id of the one to go on with; by default the current one.
        extent: share of a picture's longer side that one specimen takes up, where a picture shows several.
    """

    preset: str | None = None
    run: str | None = None
    extent: float | None = Field(None, gt=0, lt=1)


class RunChoice(Message):
    """A run that could be opened; ``id`` is what to ask for.

    Attributes:
        resumable: begun here and interrupted: a training can go on with it.
        pictures: how many it learnt from.
    """

    id: str
    path: str
    preset: str | None = None
    finished: bool = False
    resumable: bool = False
    current: bool = False
    pictures: int | None = None


class RunPath(Message):
    """Where a run lies that is to be opened: its folder on the server's machine."""

    path: str = Field(max_length=4096)
