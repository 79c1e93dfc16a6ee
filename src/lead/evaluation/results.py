"""Results files: what was measured, by what, with which code; and the tables made from them.

A file stands at ``results/<benchmark>/<preset>/<name>.json`` and holds one :class:`Result`. Every table, on the
terminal, in Markdown or in the report, comes from :func:`grid`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from rich.table import Table
from rich.text import Text

from lead.errors import LeadError, unknown
from lead.evaluation.metrics import Summary
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
TRUST = {
    f"{key}-{points}": f"{heading}, {'all' if points == 'all' else points} points"
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
"""Metrics of the expected errors that a method gives with its answers, and their headings, in a table of their own."""

LabelCount = int | Literal["all"] | None
"""How many labelled pictures a method was given: a number, all of the training split, or None where it needs none."""


@dataclass(frozen=True)
class Row:
    """One number of a table.

    Attributes:
        method: see METHODS.
        features: what it worked on, "64-d" for instance; may be empty.
        labels: see LabelCount.
        metric: one of METRICS or TRUST.
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
        if self.metric not in METRICS and self.metric not in TRUST:
            raise unknown("metric", self.metric, (*METRICS, *TRUST))
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


def measured_once(path: Path, measure: Callable[[], Sequence[Row]]) -> list[Row]:
    """The rows in a file, or those that ``measure`` makes, which are then kept there."""
    rows = TypeAdapter(list[Row])
    if path.exists():
        return rows.validate_json(path.read_bytes())
    made = list(measure())
    write_atomic(path, rows.dump_json(made, indent=1).decode(), overwrite=True)
    return made


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
                raise LeadError(f"Result {self.name!r}: {picture!r} is no file name; pictures lie beside the result.")

    @property
    def has_published(self) -> bool:
        """Whether any row has a published number beside it."""
        return any(row.published is not None for row in self.rows)

    @property
    def caption(self) -> str:
        """What a table's cells show."""
        return f"{CELLS} {BRACKETS}" if self.has_published else CELLS

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
        raise LeadError(f"{path} is no results file: {where}: {first['msg']}. Run the evaluation again.") from None
    except LeadError as problem:
        raise LeadError(f"{path}: {problem}") from None


@dataclass(frozen=True)
class Column:
    """A column of a table: one metric at one number of labels."""

    metric: str
    labels: LabelCount
    unit: str

    @property
    def labels_text(self) -> str:
        """For instance "10 labels"; empty where none are needed."""
        if self.labels is None:
            return ""
        return f"{self.labels} label{'' if self.labels == 1 else 's'}"

    @property
    def heading(self) -> str:
        """For instance "Regression, 5 points, 10 labels (%)"."""
        labels = f", {self.labels_text}" if self.labels_text else ""
        return f"{(METRICS | TRUST)[self.metric]}{labels} ({self.unit})"


@dataclass(frozen=True)
class Line:
    """A line of a table: a method on certain features, with a row or nothing for each column."""

    method: str
    features: str
    cells: tuple[Row | None, ...]


@dataclass(frozen=True)
class Grid:
    """Rows arranged as a table, and the lowest mean of each column as it is printed."""

    columns: tuple[Column, ...]
    lines: tuple[Line, ...]
    lowest: tuple[str, ...]

    def is_best(self, column: int, row: Row | None) -> bool:
        """Whether no other cell of the column shows a lower mean. Equal as printed is equally good."""
        return row is not None and decimals(row.mean) == self.lowest[column]


def decimals(value: float) -> str:
    """A number as tables show it."""
    return f"{value:.2f}"


def grid(result: Result) -> Grid:
    """Arrange a result as a table: methods in the order they come, columns by metric and then fewest labels first."""
    table: dict[tuple[str, str], dict[Column, Row]] = {}
    for row in result.rows:
        if row.metric in METRICS:
            table.setdefault((row.method, row.features), {})[Column(row.metric, row.labels, row.unit)] = row
    columns = sorted({column for cells in table.values() for column in cells}, key=_column_order)
    lines = [Line(*key, tuple(cells.get(column) for column in columns)) for key, cells in table.items()]
    lowest = [decimals(min(cells[c].mean for cells in table.values() if c in cells)) for c in columns]
    return Grid(tuple(columns), tuple(lines), tuple(lowest))


def trust_grid(result: Result) -> Grid:
    """How good the expected errors of methods are: a line for each number of labels, a column for each metric."""
    table: dict[tuple[str, str], dict[Column, Row]] = {}
    for row in result.rows:
        if row.metric in TRUST:
            key = (row.method, Column(row.metric, row.labels, row.unit).labels_text)
            table.setdefault(key, {})[Column(row.metric, None, row.unit)] = row
    columns = sorted(
        {column for cells in table.values() for column in cells}, key=lambda c: list(TRUST).index(c.metric)
    )
    lines = [Line(*key, tuple(cells.get(column) for column in columns)) for key, cells in table.items()]
    return Grid(tuple(columns), tuple(lines), ("",) * len(columns))


def _column_order(column: Column) -> tuple[int, str, float]:
    match column.labels:
        case None:
            labels = 0.0
        case "all":
            labels = float("inf")
        case number:
            labels = float(number)
    return list(METRICS).index(column.metric), column.unit, labels


def cell_text(row: Row | None) -> str:
    """A row as "mean ± sd (median) [published]", nothing as a dash."""
    if row is None:
        return "–"
    spread = "" if row.sd is None else f" ± {decimals(row.sd)}"
    if row.metric in TRUST:
        return f"{row.mean:.1f}" + ("" if row.sd is None else f" ± {row.sd:.1f}")
    published = "" if row.published is None else f" [{decimals(row.published)}]"
    return f"{decimals(row.mean)}{spread} ({decimals(row.median)}){published}"


CELLS = "Mean ± standard deviation over draws (median). Lower is better."
TRUST_CELLS = (
    "Expected errors beside actual ones: mean ± standard deviation over draws. The coverage of the 50 % radius should "
    "be 50 %. Rank correlation times 100; chance would find 10 % of the worst decile."
)
BRACKETS = "In brackets, what the method's paper reports, on its own benchmark."


def markdown(result: Result, folder: str = "") -> str:
    """The result as a Markdown table, the best of each column in bold, with its notes and pictures below.

    Args:
        result: a table, a figure, or both.
        folder: of the results file, seen from the page, with a slash at its end; empty for a page beside it.
    """
    title = result.title or f"{result.name}: {result.benchmark}, {result.preset}"
    notes = "\n".join(f"- {note}" for note in result.notes)
    pictures = "\n\n".join(f"![{title}]({folder}{picture})" for picture in result.pictures)
    table = [_markdown_table(grid(result), "Features"), result.caption] if result.rows else []
    if any(row.metric in TRUST for row in result.rows):
        table += [_markdown_table(trust_grid(result), "Labels"), TRUST_CELLS]
    return "\n\n".join(filter(None, [f"### {title}", *table, notes, pictures])) + "\n"


def _markdown_table(table: Grid, second: str) -> str:
    lines = [["Method", second, *(c.heading for c in table.columns)], ["---", "---", *["--:"] * len(table.columns)]]
    for line in table.lines:
        cells = [f"**{cell_text(r)}**" if table.is_best(i, r) else cell_text(r) for i, r in enumerate(line.cells)]
        lines.append([line.method, line.features, *cells])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def rich_tables(result: Result) -> list[Table]:
    """The result as tables for the terminal, the best of each column in bold green, with its notes below."""
    title = result.title or f"{result.benchmark}, {result.preset}: {result.name}"
    out = [_rich_table(grid(result), title, "\n".join([result.caption, *result.notes]), "Features")]
    if any(row.metric in TRUST for row in result.rows):
        out.append(_rich_table(trust_grid(result), title, TRUST_CELLS, "Labels"))
    return out


def _rich_table(drawn: Grid, title: str, caption: str, second: str) -> Table:
    table = Table(title=Text(title), caption=Text(caption, style="table.caption"))
    table.add_column("Method", no_wrap=True)
    table.add_column(second, no_wrap=True)
    for column in drawn.columns:
        name = (METRICS | TRUST)[column.metric]
        heading = "\n".join(filter(None, [name, column.labels_text, column.unit]))
        table.add_column(Text(heading), justify="right", overflow="fold")
    for line in drawn.lines:
        styles = ["bold green" if drawn.is_best(i, row) else "" for i, row in enumerate(line.cells)]
        # No space after ±, so that a narrow terminal breaks the line before it.
        texts = [cell_text(row).replace("± ", "±") for row in line.cells]
        table.add_row(Text(line.method), Text(line.features), *map(Text, texts, styles))
    return table
