"""A folder of pictures that show several things each, with the model side at work, for the tests of that."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from books import names_change, open_book
from herds import SCHEMA, draw_herds
from modelled import wait_for
from spots import Colours

from lead.studio import answers
from lead.studio.events import Events
from lead.studio.fitter import Fitter, Pace
from lead.studio.folder import PictureFolder
from lead.studio.knowledge import Knowledge
from lead.studio.label_messages import LabelsChange, PictureLabels, Point
from lead.studio.messages import SuggestedSpecimen
from lead.training.run import Run

COUNTS = [3, 4, 0, 3, 2, 3]
PICTURE: dict[str, Any] = {"store": 64, "input": 64, "frame": 1.0}
SIDE = 192


def see_colours(patch: pytest.MonkeyPatch) -> None:
    """Has every feature be of plain colours."""
    for module in ("lead.inference", "lead.studio.features", "lead.training.landmarks", "lead.training.specimens"):
        patch.setattr(f"{module}.Extractor", Colours)


class Crowd:
    """A folder being labelled."""

    def __init__(self, root: Path, run: Run, pace: Pace) -> None:
        root.mkdir()
        self.truth = draw_herds(root, COUNTS, side=SIDE)
        self.folder, self.events, self.run = PictureFolder(root), Events(), run
        self.book = open_book(self.folder, self.events)
        self.fitter = Fitter(self.book, self.events, pace=pace)
        self._free = count(101)

    @property
    def knowledge(self) -> Knowledge:
        return self.fitter.knowledge

    def id(self, number: int) -> str:
        return self.folder.id_of(f"{number:02}.bmp")

    def xy(self, number: int) -> npt.NDArray[np.float64]:
        """(n, K, 2) the things of a picture."""
        rows = [row for row, image in enumerate(self.truth.images) if image == f"{number:02}.bmp"]
        return self.truth.xy[[row for row in rows if np.isfinite(self.truth.xy[row]).all()]]

    def name(self, *, several: bool = True) -> None:
        pairs = [SCHEMA.names[:2]]
        self.book.change_landmarks(names_change(self.book, *SCHEMA.names, several=several, flip_pairs=pairs))

    def points(self, places: npt.NDArray[np.float64]) -> dict[str, Point]:
        return {name: Point(x=x, y=y) for name, (x, y) in zip(SCHEMA.names, places.tolist(), strict=True)}

    def put(self, number: int, places: npt.NDArray[np.float64], *, names: tuple[str, ...] = SCHEMA.names) -> str:
        """Labels a new specimen, and returns its key."""
        key = f"{self.id(number)}.{next(self._free)}"
        points = {name: point for name, point in self.points(places).items() if name in names}
        self.book.change_labels(key, LabelsChange(base=0, points=dict(points)))
        return key

    def say(self, key: str, **change: Any) -> PictureLabels:
        return self.book.change_labels(key, LabelsChange(base=self.book.labels(key).version, **change))

    def label(self, number: int, *, complete: bool = True) -> list[str]:
        """Labels all of a picture."""
        keys = [self.put(number, places) for places in self.xy(number)]
        if complete:
            self.say(self.id(number), complete=True)
        return keys

    def begin(self) -> None:
        self.name()
        self.fitter.use(self.run)
        wait_for(lambda: answers.status(self.knowledge).stage == "ready")

    def settled(self) -> None:
        """Waits until all is known that can be."""
        wait_for(lambda: self.knowledge.several_is_current and not self.knowledge.behind)

    def begin_another(self, first: Crowd, file: Path) -> None:
        """A label file of the same folder, which names the same landmarks; without a model."""
        self.truth, self.folder, self.events, self.run = first.truth, first.folder, Events(), first.run
        self.book = open_book(self.folder, self.events, file)
        self._free = count(501)
        self.name()

    def close(self) -> None:
        self.fitter.close()
        self.book.close()


def near(specimen: SuggestedSpecimen, places: npt.NDArray[np.float64], within: float = 3.0) -> bool:
    """Whether all landmarks are suggested so near to where they are."""
    at = [(point.x, point.y) for point in map(specimen.points.get, SCHEMA.names) if point]
    return len(at) == len(places) and bool((np.linalg.norm(np.array(at) - places, axis=-1) < within).all())
