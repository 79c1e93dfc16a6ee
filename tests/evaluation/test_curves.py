from __future__ import annotations

import json
from pathlib import Path

import pytest

from lead.errors import LeadError
from lead.evaluation.curves import read_metrics


def write(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def test_curves_are_named_by_stage_and_hold_numbers_only(tmp_path: Path) -> None:
    log = write(
        tmp_path / "metrics.jsonl",
        {"step": 1, "stage": "byol", "loss": 2, "note": "warm", "best": True},
        {"step": 2, "stage": "byol", "loss": 1.5, "lr": 0.1},
        {"step": 1, "stage": "distill", "loss": 0.3},
        {"step": 9, "seconds": 4.0},
    )
    assert read_metrics(log) == {
        "byol/loss": ([1, 2], [2.0, 1.5]),
        "byol/lr": ([2], [0.1]),
        "distill/loss": ([1], [0.3]),
        "seconds": ([9], [4.0]),
    }


@pytest.mark.parametrize("kept", range(1, 24))
def test_a_last_line_cut_anywhere_is_left_out(tmp_path: Path, kept: int) -> None:
    log = write(tmp_path / "metrics.jsonl", {"step": 1, "loss": 0.5})
    with log.open("a") as file:
        file.write('{"step": 2, "loss": 0.25}'[:kept])
    assert read_metrics(log) == {"loss": ([1], [0.5])}


def test_a_resumed_run_counts_its_later_records(tmp_path: Path) -> None:
    logged = [(1, 1.0), (2, 2.0), (3, 3.0), (2, -2.0), (3, -3.0), (4, -4.0)]
    records: list[dict[str, object]] = [{"step": step, "loss": loss} for step, loss in logged]
    assert read_metrics(write(tmp_path / "m", *records)) == {"loss": ([1, 2, 3, 4], [1.0, -2.0, -3.0, -4.0])}


def test_a_broken_line_in_the_middle_is_left_out_with_a_warning(tmp_path: Path) -> None:
    log = tmp_path / "m"
    log.write_text('{"step": 1, "loss": 1}\n{"step": 2, "lo{"step": 2, "loss": 2}\n{"step": 3, "loss": 3}\n')
    with pytest.warns(UserWarning, match=r"left out 1 unreadable line\(s\): 2\."):
        assert read_metrics(log) == {"loss": ([1, 3], [1.0, 3.0])}


def test_a_missing_log_is_named(tmp_path: Path) -> None:
    with pytest.raises(LeadError, match=r"nowhere\.jsonl"):
        read_metrics(tmp_path / "nowhere.jsonl")
