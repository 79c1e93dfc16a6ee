"""Results files: what was measured, by what, with which code.

A file stands at ``results/<benchmark>/<preset>/<name>.json`` and holds one :class:`Result`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from lead.errors import LeadError, unknown
from lead.evaluation.metrics import FURTHER, Summary
from lead.files import write_atomic

METHODS = {
    "untrained": "hypercolumn of the backbone with random weights",
    "init": "hypercolumn of the backbone as its training started",
    "byol": "stage-1 hypercolumn: BYOL",
    "moco": "stage-1 hypercolumn: MoCo",
    "lead": "both stages, with this project's default settings",
    "pretrained": "starts from the preset's pre-trained backbone, with no stage 1",
    "scratch": "starts from random weights, with BYOL as stage 1",
    "dve": "Descriptor Vector Exchange",
    "alignment": "the paper's stage 2",
    "equivariance": "stage 2 without an auxiliary picture: a place is to be found again under a warp",
    "exchange": "stage 2 of Descriptor Vector Exchange",
    "projector": "stage 2 of ContrastLandmarks",
    "nmf": "non-negative matrix factorisation of a feature",
    "pca": "principal components of a feature",
    "supervised": "trained on labels",
    "mean-shape": "the labelled pictures' mean, whatever the picture",
    "copy-location": "the reference's places, unchanged",
    "random-order": "a person who labels pictures in random order",
    "studio-order": "a person who labels the pictures that the studio chooses, after a random first one",
    "studio-order-from-first": "a person who labels the pictures that the studio chooses",
    "suggestions": "with the studio's suggestions, of which only those beyond a tolerance are moved",
}
"""What may be measured. A method's name joins one or more by "+", stage 1 first, perhaps with a head after a slash:
"lead", "moco+alignment", "byol+nmf/ridge"."""
ZOOMS = (1.0, 1.25, 1.5, 1.75, 2.0)
"""Factors at which :mod:`lead.experiments.zoom` judges."""
METRICS = {
    "regression-5": "Regression, 5 points",
    "regression-68": "Regression, 68 points",
    "regression-all": "Regression, all points",
    "matching-warp": "Matching, warped picture",
    "matching-same": "Matching, same individual",
    "matching-different": "Matching, different individuals",
    "peers-same": "Peers' matching, same photo",
    "peers-different": "Peers' matching, different individuals",
    **{f"zoom-{factor:.2f}": f"Regression, {factor:.2f} times the field of view" for factor in ZOOMS},
    "effort-pictures": "Labelling, pictures",
    "effort-points": "Labelling, points by hand",
}
"""Metrics and their headings. Lower is better for every one of them."""
CALIBRATION = {
    f"{key}-{points}": f"{heading}, {points} points"
    for points in ("5", "68", "all")
    for key, heading in (
        ("within-50", "Coverage of the 50 % radius"),
        ("within-80", "Coverage of the 80 % radius"),
        ("within-90", "Coverage of the 90 % radius"),
        ("rank", "Rank correlation of expected and actual error"),
        ("worst", "Recall of the worst decile"),
        ("hidden", "Hidden landmarks predicted hidden"),
        ("shown", "Visible landmarks predicted hidden"),
    )
}
"""Metrics of expected errors, and their headings; a table of their own shows them."""
TITLES = METRICS | CALIBRATION | {key: heading for key, (heading, _) in FURTHER.items()}
UNIT = "%"
PEERS_UNIT = "px of 70"

LabelCount = int | Literal["all"] | None
"""How many labelled pictures a method was given: a number, all of the training split, or None where it needs none."""


@dataclass(frozen=True)
class Row:
    """One number of a table.

    Attributes:
        method: see METHODS.
        features: what it worked on, "64-d" for instance; may be empty.
        labels: see LabelCount.
        metric: one of METRICS or CALIBRATION; or one of FURTHER, a hyphen and one of METRICS: "pck-10-regression-68".
        unit: unit of mean, median and sd, "%" for instance.
        mean, median: averaged over the draws.
        sd: spread of the mean over the draws (dividing by their number); None for a single draw.
        draws: how many measurements were averaged: random draws of the labelled pictures, trainings from different
            seeds, or each of the ones with each of the others.
        published: the mean that the method's paper reports, on its own benchmark; to be read beside, not compared.
    """

    method: str
    features: str
    labels: LabelCount
    metric: str
    unit: str
    mean: float
    median: float
    sd: float | None = None
    draws: int = 1
    published: float | None = None

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        for name in self.method.partition("/")[0].split("+"):
            if name not in METHODS:
                raise unknown("method", name, METHODS)
        if self.metric not in METRICS and self.metric not in CALIBRATION and not self.further:
            raise unknown("metric", self.metric, (*METRICS, *CALIBRATION))
        if isinstance(self.labels, str) and self.labels != "all":
            raise unknown("number of labels", self.labels, ["all"])
        numbers = [self.mean, self.median, *(n for n in (self.sd, self.published) if n is not None)]
        if not np.isfinite(numbers).all() or (min(numbers) < 0 and self.metric in METRICS):
            raise LeadError(
                f"{self.method}, {self.metric}: mean, median, sd and published are {numbers}; "
                "an error is finite and ≥ 0."
            )
        if self.draws < 1 or (isinstance(self.labels, int) and self.labels < 1):
            raise LeadError(f"{self.method}, {self.metric}: {self.labels} labels, {self.draws} draws; both start at 1.")

    @property
    def further(self) -> tuple[str, str] | None:
        """Which of FURTHER it is, and of the errors of which of METRICS; None for any other row."""
        parts = ((key, self.metric.removeprefix(f"{key}-")) for key in FURTHER)
        return next((part for part in parts if part[1] in METRICS and part[1] != self.metric), None)

    @classmethod
    def of_draws(
        cls, method: str, features: str, labels: LabelCount, metric: str, unit: str, draws: Sequence[Summary]
    ) -> Row:
        """The row of one method from one summary for each draw (see the attribute ``draws``)."""
        means = [draw.mean for draw in draws]
        median = float(np.mean([draw.median for draw in draws]))
        sd = float(np.std(means)) if len(draws) > 1 else None
        return cls(method, features, labels, metric, unit, float(np.mean(means)), median, sd, len(draws))

    @classmethod
    def of_values(
        cls, method: str, features: str, labels: LabelCount, metric: str, unit: str, values: Sequence[float]
    ) -> Row:
        """The row of one method from one number for each draw."""
        draws = [Summary(value, value, 0.0, 1, 1, 0) for value in values]
        return cls.of_draws(method, features, labels, metric, unit, draws)

    @classmethod
    def pooled(cls, rows: Sequence[Row]) -> Row:
        """One row of the same measurement of several trainings: as :meth:`of_draws` of all their draws together.

        Raises:
            LeadError: the rows measure different things.
        """
        first = rows[0]
        for row in rows:
            if replace(row, mean=first.mean, median=first.median, sd=first.sd, draws=first.draws) != first:
                raise LeadError(f"{first.method}, {first.metric}: cannot be pooled with {row.method}, {row.metric}.")
        weights = [row.draws for row in rows]
        mean = float(np.average([row.mean for row in rows], weights=weights))
        median = float(np.average([row.median for row in rows], weights=weights))
        square = np.average([(row.sd or 0.0) ** 2 + (row.mean - mean) ** 2 for row in rows], weights=weights)
        draws = sum(weights)
        return replace(first, mean=mean, median=median, sd=float(np.sqrt(square)) if draws > 1 else None, draws=draws)


def results_path(root: Path, benchmark: str, preset: str, name: str) -> Path:
    """Where a result belongs below a results folder."""
    return root / benchmark / preset / f"{name}.json"


@dataclass(frozen=True)
class Result:
    """What one evaluation found, and what it takes to find it again.

    Attributes:
        name, benchmark, preset: where the file stands; ``benchmark`` is the dataset's name.
        commit, versions: see :mod:`lead.provenance`.
        seconds: how long the evaluation took.
        settings: the settings it ran under, as plain JSON values.
        seed: of everything random in it.
        rows: the numbers, each (method, features, labels, metric, unit) once.
        title: heads the table; name, benchmark and preset if empty.
        notes: sentences listed below the table.
        pictures: file names of pictures beside the results file, shown below the notes.
        command: which command made it, and its arguments but for the folders: what :mod:`lead.reproduce.again` does.
        machine: see :func:`lead.provenance.machine`.
        data: digests of the pictures and landmarks that it was measured on.
        date: the day on which it was made; see :func:`lead.provenance.today`.
    """

    name: str
    benchmark: str
    preset: str
    commit: str
    versions: Mapping[str, str]
    seconds: float
    settings: Mapping[str, object]
    seed: int
    rows: tuple[Row, ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    command: Mapping[str, object] = field(default_factory=dict)
    machine: Mapping[str, object] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    date: str = ""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    def __post_init__(self) -> None:
        seen: set[tuple[object, ...]] = set()
        for row in self.rows:
            key = (row.method, row.features, row.labels, row.metric, row.unit)
            if key in seen:
                raise LeadError(f"Result {self.name!r} measures {', '.join(map(str, key))} twice; keep one row of it.")
            seen.add(key)
        for picture in self.pictures:
            if Path(picture).name != picture:
                raise LeadError(f"Result {self.name!r}: {picture!r} is not a file name; pictures lie beside it.")

    @property
    def has_published(self) -> bool:
        """Whether any row has a published number beside it."""
        return any(row.published is not None for row in self.rows)

    def path(self, root: Path) -> Path:
        """Where this result belongs below a results folder."""
        return results_path(root, self.benchmark, self.preset, self.name)

    def write(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the file whole or not at all. Raises :class:`LeadError` where one stands, unless told to overwrite."""
        text = json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)
        write_atomic(path, text + "\n", overwrite=overwrite)


def read(path: Path) -> Result:
    """The result in a file. Raises :class:`LeadError` naming the file and what is wrong with it."""
    try:
        return TypeAdapter(Result).validate_json(path.read_bytes())
    except OSError as problem:
        raise LeadError(f"Cannot read the results file {path}: {problem.strerror}.") from None
    except ValidationError as problem:
        first = problem.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise LeadError(f"{path} is not a results file: {where}: {first['msg']}. Run the evaluation again.") from None
    except LeadError as problem:
        raise LeadError(f"{path}: {problem}") from None
