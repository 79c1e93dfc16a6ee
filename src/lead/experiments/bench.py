"""What is measured, on what, and where its predictions are kept."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation.metrics import unit_lengths
from lead.evaluation.predictions import Predictions
from lead.evaluation.results import LabelCount, Result, Row
from lead.features import Extractor, FeatureSource
from lead.files import default_cache
from lead.frame import Frame
from lead.geometry import FloatArray, denormalise_points
from lead.images.build import open_store
from lead.images.store import ImageStore
from lead.images.survey import survey
from lead.images.views import View
from lead.landmarks.model import Labels
from lead.provenance import commit, machine, today, versions
from lead.reporting import counted
from lead.seeds import mixed_seed, run_identity
from lead.training.labelled import Labelled
from lead.training.run import Run, held_out

SYSTEMS = ("untrained", "init", "byol", "lead")
MISSING = {
    "init": "its backbone started with random weights, which is what 'untrained' is",
    "byol": "it was trained without a stage 1",
    "lead": "it has no stage 2 yet",
}
"""Why a run may have none of a system."""
PREDICTIONS = "predictions"
"""Folder of a run that keeps what was predicted with it."""


def result_name(task: str, split: str, point_sets: Sequence[str] | None = None) -> str:
    """The name under which a task's result is filed: few-shot, few-shot-5, few-shot-5-validation."""
    return "-".join([task, *(point_sets or ()), *([] if split == "test" else [split])])


@dataclass(frozen=True)
class System:
    """One line of a table: a method and the features that it works on."""

    method: str
    extractor: Extractor


def systems(run: Run, methods: Sequence[str] | None = None) -> list[System]:
    """The run's features beside the same backbone untrained, as it started, and after stage 1 (hypercolumns).

    ``methods`` names those wanted; None means all that the run has.

    Raises:
        LeadError: the run has none of a name that is wanted.
    """
    settings = run.settings
    picture, levels = settings.picture, settings.hypercolumn
    out = [System("untrained", Extractor(run.untrained_backbone(), picture, levels))]
    if settings.backbone.init != "random":
        out.append(System("init", Extractor(run.initial_backbone(), picture, levels)))
    if run.has_backbone and run.provenance.get("pretrain_steps", 1):
        out.append(System("byol", Extractor(run.backbone(), picture, levels)))
    if run.has_student:
        out.append(System("lead", Extractor(run.student(), picture)))
    there = [system.method for system in out]
    for method in methods or ():
        if method in MISSING and method not in there:
            raise LeadError(f"{run.folder} has no {method!r}: {MISSING[method]}. It has {', '.join(there)}.")
    return [system for system in out if methods is None or system.method in methods]


@dataclass(frozen=True)
class PointSet:
    """A point set of a dataset as a bench judges it.

    Attributes:
        name: of the point set.
        labels: in the pictures' own pixels.
        pair: names of the two landmarks whose distance is the unit of length.
        fit, judge: rows of ``labels`` to fit on and to judge on.
    """

    name: str
    labels: Labels
    pair: tuple[str, str]
    fit: list[int]
    judge: list[int]

    @property
    def complete(self) -> list[int]:
        """The judged rows whose every landmark is labelled."""
        return [row for row in self.judge if np.isfinite(self.labels.xy[row]).all()]

    def images(self, rows: Sequence[int]) -> list[str]:
        """The pictures of some rows."""
        return [self.labels.images[row] for row in rows]


@dataclass
class Bench:
    """A dataset and what is measured on it: its stored pictures, its labelled rows, the split that is judged.

    Args:
        dataset: with point sets and splits.
        systems: what is measured, all with the settings' picture sizes. Trainings from several seeds are measured one
            bench each, and their rows pooled: see :meth:`lead.evaluation.results.Row.pooled`.
        settings: give picture sizes, the seed of everything random here, and the identities held out.
        split: ``"test"``, or ``"validation"`` for the identities that the settings hold out of training.
        provenance: recorded in the result beside the settings.
        kept: folder of predictions, which are made once; None keeps none.

    Raises:
        LeadError: a system's picture sizes are others than the settings'.
    """

    dataset: Dataset
    systems: Sequence[System]
    settings: Settings
    split: str = "test"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    kept: Path | None = None
    store: ImageStore = field(init=False)
    frame: Frame = field(init=False)

    def __post_init__(self) -> None:
        picture = self.settings.picture
        self.frame = Frame.of(picture)
        for system in self.systems:
            if system.extractor.frame != self.frame:
                raise LeadError(
                    f"{system.method} is shown {system.extractor.frame}, the bench {self.frame}. Systems are compared "
                    "on the same pictures: train them with the same picture settings."
                )
        data = self.dataset
        showing = survey(data.root, data.files, picture.showing)
        cache = default_cache()
        self.store = open_store(data.root, data.files, picture.store, cache, boxes=data.boxes, showing=showing)

    @classmethod
    def of_run(cls, run: Run, dataset: Dataset, split: str = "test", methods: Sequence[str] | None = None) -> Bench:
        """A run's own systems, under its settings. ``methods``: see :func:`systems`."""
        provenance = {"run": run.provenance}
        return cls(dataset, systems(run, methods), run.settings, split, provenance, run.folder / PREDICTIONS)

    def point_set(self, name: str | None = None) -> PointSet:
        """A point set of the dataset, by default its first."""
        name = name or next(iter(self.dataset.point_sets), "")
        points = self.dataset.points(name)
        return PointSet(name, points, self.dataset.normaliser[name], *self.rows(points))

    def rows(self, points: Labels) -> tuple[list[int], list[int]]:
        """Rows of ``points`` to fit on and to judge on."""
        settings = self.settings
        out = held_out(self.dataset, settings.validation, settings.validation_seed)
        who = dict(zip(self.dataset.files, zip(self.dataset.split, self.dataset.identity, strict=True), strict=True))
        readable = set(self.store.files)
        place = [who[image] if image in readable else ("unreadable", "") for image in points.images]
        fit = [i for i, (split, person) in enumerate(place) if split == "train" and person not in out]
        if self.split == "validation":
            if not out:
                raise LeadError("This run held no identities out: train it with --set validation=0.2 to validate.")
            judge = [i for i, (split, person) in enumerate(place) if split == "train" and person in out]
        else:
            judge = [i for i, (split, _) in enumerate(place) if split == self.split]
        if not fit or not judge:
            raise LeadError(
                f"{self.dataset.name}: {counted(len(fit), 'picture')} to fit on, {len(judge)} to judge on "
                f"({self.split})."
            )
        return fit, judge

    def store_rows(self, points: Labels, rows: Sequence[int]) -> npt.NDArray[np.int64]:
        """Rows of the store that show some rows of ``points``."""
        return np.array([self.store.index(points.images[i]) for i in rows], dtype=np.int64)

    def normalised(self, points: Labels, rows: Sequence[int]) -> FloatArray:
        """(n, K, 2) the landmarks of some rows of ``points``, normalised to the frame."""
        return self.frame.points(self.store, self.store_rows(points, rows), points.xy[list(rows)])

    def labelled(self, system: System, points: Labels, rows: Sequence[int]) -> Labelled:
        """Features and normalised landmarks of some labelled pictures."""
        features = FeatureSource(system.extractor, self.store).whole(self.store_rows(points, rows))
        return Labelled(features, torch.from_numpy(self.normalised(points, rows)).float())

    def view(self, points: Labels, rows: Sequence[int]) -> View:
        """Some labelled pictures as they are stored."""
        stored = torch.from_numpy(self.normalised(points, rows)).float() * (self.frame.shown / self.frame.side)
        return View(torch.from_numpy(self.store.pixels[self.store_rows(points, rows)]), stored)

    def dimension(self, system: System) -> int:
        """Channels of a system's features."""
        return next(system.extractor.batches(self.store, np.arange(1))).shape[1]

    def features_text(self, system: System) -> str:
        """For instance "64-d"."""
        return f"{self.dimension(system)}-d"

    def predictions(
        self,
        points: PointSet,
        rows: Sequence[int],
        found: FloatArray,
        *,
        truth: FloatArray | None = None,
        counted: npt.NDArray[np.bool_] | None = None,
        labelled: Sequence[Sequence[int]] = ((),),
        **rest: Any,
    ) -> Predictions:
        """What was found on some rows of a point set, which may be there repeatedly.

        Args:
            points: the point set.
            rows: N of its labels.
            found: (D, N, K, 2), normalised to the frame.
            truth: (N, K, 2), normalised, of warped copies of the pictures; None for the pictures as they are.
            counted: (N, K) which landmarks are judged; None for all.
            labelled: for each draw the rows whose labels were given.
            rest: of the attributes of :class:`Predictions`.
        """
        where = self.store_rows(points.labels, rows)
        if truth is None:
            xy, truth = self.frame.places(self.store, where, found), points.labels.xy[list(rows)]
        else:
            size = (self.frame.shown, self.frame.shown)
            xy, truth, rest["warped"] = denormalise_points(found, size), denormalise_points(truth, size), True
        if counted is not None:
            truth = np.where(counted[..., None], truth, np.nan)
        unique, back = np.unique(rows, return_inverse=True)
        return Predictions(
            images=np.array(points.images(rows)),
            landmarks=np.array(points.labels.schema.names),
            xy=xy,
            truth=truth,
            unit=unit_lengths(points.labels.take(unique), points.pair)[back],
            scale=self.store.scale[where],
            shown=self.frame.shown,
            labelled=np.array([points.images(picked) for picked in labelled], dtype=np.str_),
            **rest,
        )

    def saved(
        self, make: Callable[[], Predictions], points: PointSet, system: System | None, *what: Any
    ) -> Predictions:
        """What ``make`` predicts, read back if it was saved before.

        Args:
            make: predicts.
            points: what is judged.
            system: whose features are looked at; None for none.
            what: all else that the predictions depend on, as plain JSON values: which measurement, the version of the
                code that makes it, then methods, seeds of its own, rows.
        """
        labels = points.labels
        known = [points.name, labels.schema.names, points.pair, labels_digest(labels), hashed(labels.visible.tobytes())]
        features = [repr(self.frame)] if system is None else [system.method, system.extractor.digest()]
        where = [self.dataset.name, self.split, self.settings.seed, self.store.digest]
        key = run_identity(*what, *where, known, features)
        path = self.kept and self.kept / f"{key}.npz"
        if path and path.exists():
            return Predictions.load(path)
        started = time.monotonic()
        made = make()
        origin: dict[str, object] = {
            "benchmark": self.dataset.name,
            "split": self.split,
            "seed": self.settings.seed,
            "commit": commit(),
            "date": today(),
            "versions": versions(),
            "machine": machine(),
            "seconds": round(time.monotonic() - started, 1),
        }
        made = replace(made, origin=origin)
        if path:
            made.save(path)
        return made

    def digests(self) -> dict[str, str]:
        """Of what is measured on: the pictures as they are stored, and the landmarks of each point set."""
        points = {name: labels_digest(self.dataset.points(name)) for name in self.dataset.point_sets}
        return {"pictures": self.store.digest, **points}

    def result(
        self, name: str, rows: Sequence[Row], started: float, preset: str, command: Mapping[str, object] | None = None
    ) -> Result:
        """The rows with their provenance, under a name from :func:`result_name`."""
        return Result(
            name=name,
            benchmark=self.dataset.name,
            preset=preset,
            commit=commit(),
            versions=versions(),
            seconds=round(time.monotonic() - started, 1),
            settings=self.settings.model_dump(mode="json") | dict(self.provenance),
            seed=self.settings.seed,
            rows=tuple(rows),
            command=command or {},
            machine=machine(),
            data=self.digests(),
            date=today(),
        )


def hashed(content: bytes) -> str:
    """A short digest."""
    return hashlib.sha256(content).hexdigest()[:16]


def labels_digest(labels: Labels) -> str:
    """Short digest of which pictures are labelled, and where."""
    return hashed(repr(labels.images).encode() + labels.xy.tobytes())


def label_count(number: int | None) -> LabelCount:
    """As a row has it."""
    return "all" if number is None else number


def label_draws(bench: Bench, fit: list[int], number: int | None, draws: int) -> list[list[int]]:
    """Seeded draws of labelled pictures, the same for every system and head."""
    if number is None:
        return [fit]
    seed = bench.settings.seed
    out = []
    for d in range(draws):
        random = np.random.default_rng(mixed_seed(seed, "labels", number, d))
        out.append(sorted(random.choice(fit, number, replace=False).tolist()))
    return out
