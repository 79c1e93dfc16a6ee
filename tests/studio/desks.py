"""A folder that is being labelled, with the model side at work, for the tests of that."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from books import name, open_book, put
from modelled import file_id, marks, wait_for, windows

from lead.studio import answers
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.fitter import Fitter, Pace
from lead.studio.folder import PictureFolder
from lead.studio.knowledge import Knowledge
from lead.training.run import Run

COUNT = 12
PLACES = {"a": (80, 80), "b": (95, 84), "c": (84, 98)}


class Desk:
    """A folder being labelled."""

    def __init__(self, root: Path, run: Run, pace: Pace) -> None:
        self.corners = windows(root, COUNT)
        self.folder, self.events, self.run = PictureFolder(root), Events(), run
        self.told = self.events.subscribe()
        self.book: LabelBook = open_book(self.folder, self.events)
        self.fitter = Fitter(self.book, self.events, pace=pace)

    @property
    def knowledge(self) -> Knowledge:
        return self.fitter.knowledge

    def id(self, number: int) -> str:
        return file_id(self.folder, number)

    def truth(self, number: int) -> dict[str, tuple[float, float]]:
        xy = marks(self.corners[number], list(PLACES.values()))
        return {name: (float(x), float(y)) for name, (x, y) in zip(PLACES, xy, strict=True)}

    def label(self, number: int, **others: Any) -> None:
        put(self.book, f"{number:02}.png", **(self.truth(number) | others))

    def name(self) -> None:
        name(self.book, *PLACES, flip_pairs=[("a", "b")])

    def fitted_to(self, count: int) -> None:
        wait_for(
            lambda: answers.status(self.knowledge).fitted_to == count and not answers.status(self.knowledge).fitting
        )

    def begin(self) -> None:
        self.name()
        self.fitter.use(self.run)
        wait_for(lambda: answers.status(self.knowledge).stage == "ready")
