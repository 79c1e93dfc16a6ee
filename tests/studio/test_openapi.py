"""What the server answers to strangers, against its own description."""

from __future__ import annotations

from pathlib import Path

from benchmarks.robustness.studio_strangers import pester


def test_every_answer_is_as_described(tmp_path: Path) -> None:
    """Valid requests and invalid ones, the same at each run, over a real socket."""
    report, printed = pester(tmp_path, "--generation-deterministic", "--max-examples=5", "--continue-on-failure")
    assert (report["failures"], report["errors"]) == ([], []), printed
    assert report["operations"]["tested"] >= 25
    patched = report["valid_rates"]["PATCH /api/pictures/{id}/labels"]
    assert sum(phase["accepted"] for phase in patched.values()) > 0, patched
