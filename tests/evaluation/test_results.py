from __future__ import annotations

import io
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from rich.console import Console

from lead.errors import LeadError
from lead.evaluation.metrics import Summary
from lead.evaluation.results import Result, Row, grid, markdown, read, rich_table

ROWS = (
    Row("mean-shape", "", 10, "regression-5", "%", 30.0, 28.0, 1.0, 3),
    Row("byol/ridge", "64-d", 10, "regression-5", "%", 9.126, 8.0, 0.25, 3),
    Row("lead/ridge", "64-d", 10, "regression-5", "%", 9.124, 8.5, 0.5, 3),
    Row("lead/ridge", "64-d", "all", "regression-5", "%", 7.0, 6.0),
    Row("byol/ridge", "64-d", "all", "regression-5", "%", 6.5, 6.75),
    Row("lead/ridge", "64-d", None, "matching-same", "px", 1.25, 1.0),
    Row("lead/ridge", "64-d", 2, "regression-5", "%", 12.0, 11.0, 2.0, 3),
)
RESULT = Result("few", "beetles", "small", "abc", {"numpy": "2"}, 1.5, {"size": 96, "heads": ["ridge"]}, 0, ROWS)


def test_round_trip(tmp_path: Path) -> None:
    path = RESULT.path(tmp_path)
    RESULT.write(path)
    assert path == tmp_path / "beetles" / "small" / "few.json"
    assert read(path) == RESULT
    assert [file.name for file in path.parent.iterdir()] == ["few.json"]


def test_a_file_is_replaced_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "few.json"
    RESULT.write(path)
    other = replace(RESULT, seed=1)
    with pytest.raises(LeadError, match=r"few\.json is already there"):
        other.write(path)
    assert read(path) == RESULT
    other.write(path, overwrite=True)
    assert read(path) == other


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "leed/ridge"}, "Unknown method 'leed'. Did you mean 'lead'"),
        ({"metric": "regression-6"}, "Unknown metric 'regression-6'. Did you mean 'regression-68'"),
        ({"labels": "many"}, "labels"),
        ({"labels": 0}, "both start at 1"),
        ({"draws": 0}, "both start at 1"),
        ({"mean": float("nan")}, "finite"),
        ({"sd": -1.0}, "finite"),
    ],
)
def test_an_invalid_row_is_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(LeadError, match=message):
        Row(**(asdict(ROWS[1]) | change))


def test_a_number_measured_twice_is_refused() -> None:
    with pytest.raises(LeadError, match="twice"):
        replace(RESULT, rows=(*ROWS, replace(ROWS[0], mean=1.0)))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("method", "leed", r"bad\.json: Unknown method 'leed'. Did you mean 'lead'"),
        ("mean", "low", r"bad\.json is no results file: rows\.0\.mean"),
        ("colour", "red", r"bad\.json is no results file: rows\.0\.colour"),
    ],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, key: str, value: str, message: str) -> None:
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    RESULT.write(good)
    data = json.loads(good.read_text())
    data["rows"][0][key] = value
    bad.write_text(json.dumps(data))
    with pytest.raises(LeadError, match=message):
        read(bad)


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"Cannot read the results file .*none\.json"):
        read(tmp_path / "none.json")
    (tmp_path / "cut.json").write_text('{"name": "fe')
    with pytest.raises(LeadError, match=r"cut\.json is no results file"):
        read(tmp_path / "cut.json")


def test_a_row_of_draws() -> None:
    draws = [Summary(mean, median, 9.0, 5, 1, 0) for mean, median in ((1.0, 2.0), (3.0, 3.0))]
    row = Row.of_draws("lead", "64-d", 10, "regression-5", "%", draws)
    assert (row.mean, row.median, row.sd, row.draws) == (2.0, 2.5, 1.0, 2)
    assert Row.of_draws("lead", "64-d", 10, "regression-5", "%", draws[:1]).sd is None


def test_columns_run_by_metric_then_by_labels() -> None:
    columns = [(c.metric, c.labels) for c in grid(RESULT).columns]
    assert columns == [("regression-5", 2), ("regression-5", 10), ("regression-5", "all"), ("matching-same", None)]


def test_markdown_sets_the_best_in_bold() -> None:
    lines = [line for line in markdown(RESULT).splitlines() if line.startswith("|")]
    assert lines[0].count("|") == lines[1].count("|") == 7
    assert lines[2:] == [
        "| mean-shape |  | – | 30.00 ± 1.00 (28.00) | – | – |",
        # 9.126 and 9.124 print as 9.13 and 9.12: only the second is best.
        "| byol/ridge | 64-d | – | 9.13 ± 0.25 (8.00) | **6.50 (6.75)** | – |",
        "| lead/ridge | 64-d | **12.00 ± 2.00 (11.00)** | **9.12 ± 0.50 (8.50)** | 7.00 (6.00) | **1.25 (1.00)** |",
    ]


def test_equal_as_printed_is_equally_good() -> None:
    tied = replace(RESULT, rows=(replace(ROWS[1], mean=9.1241), ROWS[2]))
    assert markdown(tied).count("**9.12") == 2


def test_the_terminal_shows_every_number() -> None:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(rich_table(RESULT))
    text = console.export_text()
    for row in ROWS:
        assert f"{row.mean:.2f}" in text
        assert f"({row.median:.2f})" in text
