"""A preset on a dataset: trains what a table needs, measures it under one protocol, and files the rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from lead.config import Settings
from lead.datasets.base import Dataset
from lead.evaluation.results import Result, Row
from lead.evaluation.summary import error_rows
from lead.experiments.baselines import fit_reduction
from lead.experiments.bench import Bench, System
from lead.experiments.matching import matching, peers_matching
from lead.experiments.regression import DRAWS, FEW, regression
from lead.experiments.supervised import supervised
from lead.experiments.zoom import zoom
from lead.features import Extractor
from lead.provenance import commit, machine, today, versions
from lead.reporting import Say, unsaid
from lead.reproduce.arms import CL_FACTORS, Arm, pyramid
from lead.reproduce.published import NUMBERS, STAND_INS
from lead.reproduce.shelf import Shelf
from lead.training.engine import Collapsed
from lead.training.fit import PlainKind
from lead.training.run import TRAINED_ON, Run, open_pictures, training_rows

Measurement = Literal["peers-matching", "matching", "regression", "regression-first", "few-labels", "zoom"]
"""``regression`` is of every point set of the dataset, ``regression-first`` of its first, like the rest."""


@dataclass(frozen=True)
class Entry:
    """A line of a table: an arm, and the method and dimension under which the paper prints its number, if it does."""

    arm: Arm
    paper: tuple[str, int | None] | None = None


@dataclass
class Study:
    """What every table and figure is made from.

    Attributes:
        preset: settings that all arms share but for their own changes.
        preset_name: the name under which results are filed.
        dataset: to train on.
        bench_data: to measure on; the same dataset by default.
        shelf: where trained stages and predictions are kept.
        split: that is judged.
        seeds: of training; measurements are averaged over them, and always draw the same labels and pairs.
        labels, draws: of the few-label protocol.
        dimensions: of the features of tables 4 to 6.
        heads: of all regressions.
        say: told what is going on.
        notes: what the table being made has to tell: arms that collapsed, for instance.
        used: the runs behind the table being made, by folder: who made them, and in how many seconds.
    """

    preset: Settings
    preset_name: str
    dataset: Dataset
    bench_data: Dataset
    shelf: Shelf
    split: str = "test"
    seeds: Sequence[int] = (0,)
    labels: Sequence[int] = FEW
    draws: int = DRAWS
    dimensions: Sequence[int] = tuple(CL_FACTORS)
    heads: Sequence[PlainKind] = ("ridge",)
    say: Say = unsaid
    notes: list[str] = field(default_factory=list)
    used: dict[str, dict[str, object]] = field(default_factory=dict)

    # --- networks ---------------------------------------------------------------------------------------------------

    def run(self, arm: Arm, seed: int = 0) -> Run:
        """The arm's run, trained now if it never was."""
        settings = arm.settings(self.preset, seed)
        run = self.shelf.trained(settings) if arm.network == "student" else self.shelf.stage_one(settings)
        seconds = {k: v for k, v in run.provenance.items() if k.endswith("_seconds")}
        self.used[run.folder.name] = {"method": arm.method, "seed": seed, "commit": run.commit, **seconds}
        return run

    def system(self, arm: Arm, seed: int = 0) -> System:
        """The arm's features."""
        extractor = self._whole(arm, seed)
        if arm.reduction:
            kind, dimension = arm.reduction
            bench = self.bench(System(arm.method, extractor), self.dataset)
            files = {self.dataset.files[i] for i in training_rows(self.dataset, self.preset)}
            rows = np.array([i for i, file in enumerate(bench.store.files) if file in files], dtype=np.int64)
            self.say(f"{kind} of {arm.method} to {dimension} dimensions")
            extractor = fit_reduction(extractor, bench.store, rows, kind, dimension, seed, kept=self.shelf.reductions)
        return System(arm.method, extractor)

    def _whole(self, arm: Arm, seed: int) -> Extractor:
        """The arm's features before they are reduced."""
        run = self.run(arm, seed)
        if arm.network == "student":
            return Extractor(run.student(), self.preset.picture)
        return Extractor(run.backbone(), self.preset.picture, self.preset.hypercolumn)

    def systems(self, arms: Sequence[Arm]) -> list[tuple[Arm, System]]:
        """The features of several arms at the first seed; those that collapsed are left out and noted."""
        out = []
        for arm in arms:
            try:
                out.append((arm, self.system(arm, self.seeds[0])))
            except Collapsed as collapse:
                self.leave_out(arm, collapse)
        return out

    def leave_out(self, arm: Arm, collapse: Collapsed) -> None:
        """Notes an arm that has no number."""
        self.notes.append(f"{arm.method} ({arm.variant or 'as it is'}) is left out. {collapse}")
        self.say(self.notes[-1])

    def supervised(self, counts: Sequence[int | None]) -> list[Row]:
        """The network of stage 2 trained from scratch on so many labelled pictures (None: all), as long as both stages.

        One draw for each count and training seed: every draw is a training.
        """
        pictures = len(training_rows(self.dataset, self.preset))
        both = pyramid("byol", "alignment").settings(self.preset, 0)
        steps = both.pretrain.total_steps(pictures) + both.distill.total_steps(pictures)
        baseline = self.preset.supervised.model_copy(update={"steps": steps})
        shelf, settings = self.shelf, self.preset.model_copy(update={"supervised": baseline})
        bench = Bench(self.bench_data, [], settings, self.split, kept=shelf.predictions)
        return merged(
            [
                error_rows(supervised(bench, counts, shelf.folder, seed=seed, report=shelf.report, say=self.say))
                for seed in self.seeds
            ]
        )

    # --- measurements -----------------------------------------------------------------------------------------------

    def bench(self, system: System, dataset: Dataset | None = None) -> Bench:
        """A dataset seen by one system; its draws do not depend on the training's seed."""
        return Bench(dataset or self.bench_data, [system], self.preset, self.split, kept=self.shelf.predictions)

    def rows(self, arm: Arm, kind: Measurement, labels: Sequence[int] | None = None) -> list[Row]:
        """An arm's measurement, averaged over the training seeds; empty if it collapsed. Baselines come with it."""
        by_seed = []
        for seed in self.seeds:
            try:
                by_seed.append(self._measured(arm, kind, seed, labels or self.labels))
            except Collapsed as collapse:
                self.leave_out(arm, collapse)
        return merged(by_seed)

    def _measured(self, arm: Arm, kind: Measurement, seed: int, labels: Sequence[int]) -> list[Row]:
        bench = self.bench(self.system(arm, seed))
        self.say(f"{kind} of {arm.method} ({arm.variant or 'as it is'}), seed {seed}")
        first, *others = self.bench_data.point_sets
        if kind == "peers-matching":
            return error_rows(peers_matching(bench))
        if kind == "matching":
            return error_rows(matching(bench))
        if kind == "zoom":
            return error_rows(zoom(bench))
        few, draws = (labels, self.draws) if kind == "few-labels" else ([None], 1)
        asked = [first, *others] if kind == "regression" else [first]
        return error_rows(regression(bench, labels=few, draws=draws, heads=self.heads, point_sets=asked))

    # --- tables -----------------------------------------------------------------------------------------------------

    def table(
        self, name: str, entries: Sequence[Entry], kind: Measurement, labels: Sequence[int] | None = None
    ) -> list[Row]:
        """The rows of a table: each arm's own, with the paper's numbers beside them, and the baselines once."""
        out: dict[tuple[object, ...], Row] = {}
        for entry in entries:
            arm = entry.arm
            for row in self.rows(arm, kind, labels):
                method, _, head = row.method.partition("/")
                if method == arm.method:
                    if len(self.heads) > 1 and head:  # else the head says nothing, and splits lines
                        method = row.method
                    features = ", ".join(filter(None, [row.features, arm.variant]))
                    published = self.published(name, entry, row)
                    row = replace(row, method=method, features=features, published=published)
                out.setdefault((row.method, row.features, row.labels, row.metric, row.unit), row)
        return list(out.values())

    def published(self, name: str, entry: Entry, row: Row) -> float | None:
        """The paper's number for a row."""
        if entry.paper is None or (row.metric.startswith("peers") and row.unit == "%"):
            return None
        column = row.metric
        if row.metric.startswith("regression-"):
            column = self.bench_data.name
            if not any(key[4] == column for key in NUMBERS):
                column = STAND_INS.get(row.metric.removeprefix("regression-"), "")
        return NUMBERS.get((name, *entry.paper, row.labels, column))

    def description(self) -> dict[str, object]:
        """What a result of this study was made with, as plain JSON values."""
        return self.preset.model_dump(mode="json") | {
            "trained_on": self.dataset.name,
            "split": self.split,
            "seeds": list(self.seeds),
            "heads": list(self.heads),
            "labels": list(self.labels),
            "draws": self.draws,
            "dimensions": list(self.dimensions),
        }

    def result(
        self, name: str, title: str, rows: Sequence[Row], started: float, pictures: Sequence[str] = ()
    ) -> Result:
        """The rows with their provenance; takes the notes and the runs used."""
        notes, self.notes = tuple(dict.fromkeys(self.notes)), []
        used, self.used = self.used, {}
        return Result(
            name=name,
            benchmark=self.bench_data.name,
            preset=self.preset_name,
            commit=commit(),
            versions=versions(),
            seconds=round(time.monotonic() - started, 1),
            settings=self.description() | {"runs": used},
            seed=self.preset.seed,
            rows=tuple(rows),
            title=title,
            notes=notes,
            pictures=tuple(pictures),
            command={"name": "reproduce", "of": name},
            machine=machine(),
            data=Bench(self.bench_data, [], self.preset, self.split).digests()
            | {TRAINED_ON: open_pictures(self.dataset, self.preset).identity},
            date=today(),
        )


def merged(by_seed: Sequence[Sequence[Row]]) -> list[Row]:
    """Rows of several training seeds made one; the spread is that of all draws of all seeds together."""
    groups: dict[tuple[object, ...], list[Row]] = {}
    for rows in by_seed:
        for row in rows:
            groups.setdefault((row.method, row.features, row.labels, row.metric, row.unit), []).append(row)
    return [Row.pooled(group) for group in groups.values()]
