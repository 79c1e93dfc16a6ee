"""Results as tables: on the terminal, in Markdown and in the report, every one comes from :func:`grid` and its like."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from lead.evaluation.results import CALIBRATION, METRICS, TITLES, LabelCount, Result, Row


def labels_text(labels: LabelCount) -> str:
    """For instance "10 labels"; empty where none are needed."""
    return "" if labels is None else f"{labels} label{'' if labels == 1 else 's'}"


@dataclass(frozen=True)
class Column:
    """A column of a table: one metric at one number of labels."""

    metric: str
    labels: LabelCount
    unit: str

    @property
    def labels_text(self) -> str:
        """For instance "10 labels"; empty where none are needed."""
        return labels_text(self.labels)

    @property
    def heading(self) -> str:
        """For instance "Regression, 5 points, 10 labels (%)"."""
        labels = f", {self.labels_text}" if self.labels_text else ""
        return f"{TITLES[self.metric]}{labels} ({self.unit})"


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


def calibration_grid(result: Result) -> Grid:
    """How well expected errors agree with actual ones: a line for each number of labels, a column for each metric."""
    return _shares((row, labels_text(row.labels), row.metric) for row in result.rows if row.metric in CALIBRATION)


def further_grid(result: Result) -> Grid:
    """Further metrics: a line for each measurement and number of labels, a column for each metric."""
    cells = []
    for row in result.rows:
        if row.further:
            key, metric = row.further
            cells.append((row, ", ".join(filter(None, [METRICS[metric], labels_text(row.labels)])), key))
    return _shares(cells)


def _shares(cells: Iterable[tuple[Row, str, str]]) -> Grid:
    """Rows arranged by method and what each is of, in columns; none is best, for higher is not always better."""
    table: dict[tuple[str, str], dict[Column, Row]] = {}
    for row, of, metric in cells:
        table.setdefault((row.method, of), {})[Column(metric, None, row.unit)] = row
    found = {column for line in table.values() for column in line}
    columns = sorted(found, key=lambda column: list(TITLES).index(column.metric))
    lines = [Line(*key, tuple(line.get(column) for column in columns)) for key, line in table.items()]
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
    if row.metric not in METRICS:
        return f"{row.mean:.1f}" + ("" if row.sd is None else f" ± {row.sd:.1f}")
    published = "" if row.published is None else f" [{decimals(row.published)}]"
    return f"{decimals(row.mean)}{spread} ({decimals(row.median)}){published}"


CELLS = "Mean ± standard deviation over draws (median). Lower is better."
CALIBRATION_CELLS = (
    "Expected errors beside actual ones: mean ± standard deviation over draws. The coverage of the 50 % radius should "
    "be 50 %. Rank correlation times 100; chance would find 10 % of the worst decile."
)
FURTHER_CELLS = "Further metrics of the same errors: mean ± standard deviation over draws. Higher is better."
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
    table = [part for drawn, second, cells in _tables(result) for part in (_markdown_table(drawn, second), cells)]
    return "\n\n".join(filter(None, [f"### {title}", *table, notes, pictures])) + "\n"


def _markdown_table(table: Grid, second: str) -> str:
    lines = [["Method", second, *(c.heading for c in table.columns)], ["---", "---", *["--:"] * len(table.columns)]]
    for line in table.lines:
        cells = [f"**{cell_text(r)}**" if table.is_best(i, r) else cell_text(r) for i, r in enumerate(line.cells)]
        lines.append([line.method, line.features, *cells])
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def rich_tables(result: Result) -> list[Table]:
    """The result as tables for the terminal, the best of each column in bold green, with its notes below.

    Further metrics are left to :func:`markdown`: a terminal is too narrow.
    """
    title = result.title or f"{result.benchmark}, {result.preset}: {result.name}"
    return [
        _rich_table(drawn, title, "\n".join([cells, *(result.notes if second == "Features" else ())]), second)
        for drawn, second, cells in _tables(result)
        if cells != FURTHER_CELLS
    ]


def _tables(result: Result) -> list[tuple[Grid, str, str]]:
    """The tables that a result has rows of, each with the heading of its second column and what its cells are."""
    tables = [
        (grid(result), "Features", f"{CELLS} {BRACKETS}" if result.has_published else CELLS),
        (calibration_grid(result), "Labels", CALIBRATION_CELLS),
        (further_grid(result), "Measured", FURTHER_CELLS),
    ]
    return [table for table in tables if table[0].lines]


def _rich_table(drawn: Grid, title: str, caption: str, second: str) -> Table:
    table = Table(title=Text(title), caption=Text(caption, style="table.caption"))
    table.add_column("Method", no_wrap=True)
    table.add_column(second, no_wrap=True)
    # No space after ±, so that a narrow terminal breaks the line before it.
    texts = [[cell_text(row).replace("± ", "±") for row in line.cells] for line in drawn.lines]
    for column, cells in zip(drawn.columns, zip(*texts, strict=True), strict=True):
        heading = "\n".join(filter(None, [TITLES[column.metric], column.labels_text, column.unit]))
        widest = max(len(word) for cell in cells for word in cell.split())  # headings may be broken, numbers never
        table.add_column(Text(heading), justify="right", overflow="fold", min_width=widest)
    for line, own in zip(drawn.lines, texts, strict=True):
        styles = ["bold green" if drawn.is_best(i, row) else "" for i, row in enumerate(line.cells)]
        table.add_row(Text(line.method), Text(line.features), *map(Text, own, styles))
    return table
