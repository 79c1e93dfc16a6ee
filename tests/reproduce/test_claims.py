"""Claims are judged by the tables' numbers, column by column."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.evaluation.results import Result, Row
from lead.reproduce import claims


def filed(folder: Path, name: str, *rows: Row) -> None:
    result = Result(
        name=name,
        benchmark="faces",
        preset="short",
        commit="none",
        versions={},
        seconds=1.0,
        settings={},
        seed=0,
        rows=rows,
    )
    result.write(folder / f"{name}.json", overwrite=True)


def row(method: str, features: str, metric: str, mean: float, unit: str = "%", labels: int | None = None) -> Row:
    return Row(method, features, labels, metric, unit, mean, mean)


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    filed(
        tmp_path,
        "table1",
        row("byol", "496-d", "peers-same", 3.0),
        row("moco", "496-d", "peers-same", 4.0),
        row("byol", "496-d", "peers-different", 50.0),
        row("moco", "496-d", "peers-different", 40.0),
        row("byol", "496-d", "peers-same", 0.7, unit="px of 70"),
        row("moco", "496-d", "peers-same", 0.6, unit="px of 70"),
        row("byol+alignment", "64-d, head 256", "peers-same", 3.1),
        row("byol+alignment", "256-d, head 256", "peers-same", 2.0),
        row("byol+nmf", "64-d", "peers-same", 9.0),
        row("byol+nmf", "256-d", "peers-same", 8.0),
    )
    filed(
        tmp_path,
        "supervised",
        row("lead", "64-d", "regression-5", 10.0, labels=10),
        row("supervised", "", "regression-5", 30.0, labels=10),
        row("supervised", "", "regression-5", 9.0, labels=1000),
    )
    return tmp_path


def verdicts(folder: Path) -> dict[str, str]:
    return {claim.text: claim.verdict for claim in claims.write(folder)}


def test_each_column_counts_once_and_in_percent(tables: Path) -> None:
    found = verdicts(tables)
    assert found["BYOL is the better stage 1 than MoCo"] == "held in 1 of 2"
    assert found["Alignment reduces the hypercolumn better than NMF does"] == "held"
    assert found["LEAD needs fewer labels than ContrastLandmarks and than DVE"] == "not measured"
    few = "Ours: the default with 10 labels is better than training with labels alone, however many"
    assert found[few] == "held in 1 of 2"


def test_near_is_near(tables: Path) -> None:
    """3.1 against 3.0 is within the five percent that count as near."""
    near = next(claim for claim in claims.claims(claims.Filed(tables)) if "near" in claim.text)
    assert [c.holds for c in near.comparisons] == [True]
    assert near.comparisons[0].first == pytest.approx(3.1)
    assert not claims.Comparison("x", "a", "b", 3.2, 3.0, claims.NEAR).holds


def test_what_is_filed_shows_every_comparison(tables: Path) -> None:
    claims.write(tables)
    entries = json.loads((tables / "claims.json").read_text())["claims"]
    text = (tables / "claims.md").read_text()
    compared = [c for entry in entries for c in entry["comparisons"]]
    assert len(compared) == text.count("held)")
    assert "peers-different (%): byol 496-d 50.00, moco 496-d 40.00 (not held)" in text


def test_a_folder_without_tables_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match="lead reproduce all"):
        claims.write(tmp_path)
