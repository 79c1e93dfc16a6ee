"""The index of the results says of each file what it shows, what makes it, when, and how long that takes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lead.evaluation.index import index
from lead.evaluation.results import Result, Row

ROWS = (
    Row("mean-shape", "", 10, "regression-5", "%", 40.0, 39.0),
    Row("lead/ridge", "64-d", 10, "regression-5", "%", 7.0, 6.5),
    Row("lead/ridge", "64-d", "all", "regression-5", "%", 5.0, 4.5),
    Row("lead/ridge", "64-d", 10, "rank-5", "%", 45.0, 45.0),
)
RESULT = Result("few", "faces", "small", "abc", {}, 8.2, {}, 0, ROWS, date="2026-11-20")


def line(root: Path, name: str) -> list[str]:
    """The cells of a file's line."""
    (found,) = (line for line in index(root).splitlines() if line.startswith(f"| [{name}]"))
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_a_result_without_a_title_is_told_by_what_it_measures(tmp_path: Path) -> None:
    RESULT.write(tmp_path / "results/faces/small/few.json")
    shows = "Regression, 5 points, with 10, all labels: mean-shape, lead/ridge"
    assert line(tmp_path, "few") == ["[few](faces/small/few.json)", shows, "none yet", "2026-11-20", "8 s"]


def test_a_title_a_command_and_a_table_are_shown(tmp_path: Path) -> None:
    made = replace(RESULT, title="Table 9", command={"name": "reproduce", "of": "table9"}, seconds=5400.0)
    made.write(tmp_path / "results/faces/small/few.json")
    (tmp_path / "results/faces/small/few.md").write_text("a table")
    links, *others = line(tmp_path, "few")
    assert links == "[few](faces/small/few.md) ([numbers](faces/small/few.json))"
    assert others == ["Table 9", "`lead repeat results/faces/small/few.json faces`", "2026-11-20", "1 h 30 min"]


def test_a_benchmark_is_told_by_its_own_module(tmp_path: Path) -> None:
    module = tmp_path / "benchmarks" / "speed" / "how_fast.py"
    module.parent.mkdir(parents=True)
    module.write_text('"""How fast it is | or slow.\n\nMore."""\n')
    folder = tmp_path / "results" / "benchmarks"
    folder.mkdir(parents=True)
    kept: dict[str, dict[str, Any]] = {"how-fast": {"took": 600}, "gone": {"seconds": {"a": 1}}}
    for name, found in kept.items():
        (folder / f"{name}.json").write_text(json.dumps({"date": "2026-11-21"} | found))
    (told,) = (line for line in index(tmp_path).splitlines() if "how-fast" in line)
    assert "How fast it is \\| or slow. | `python -m benchmarks.speed.how_fast` | 2026-11-21 | 10 min |" in told
    assert line(tmp_path, "gone")[1:] == ["", "none yet", "2026-11-21", "not recorded"]


def test_a_file_without_its_day_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "benchmarks"
    folder.mkdir(parents=True)
    (folder / "undated.json").write_text("{}")
    with pytest.raises(KeyError, match="date"):
        index(tmp_path)
