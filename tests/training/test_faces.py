"""Real faces: from a pre-trained backbone, a short stage 2 already beats what it started from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import lead

FACES = os.environ.get("LEAD_YTFACES")
SHORT = (
    "validation=0.2",
    "picture.store=112",
    "picture.input=96",
    "distill.steps=100",
    "distill.batch=16",
    "distill.cells=128",
    "distill.exchange_pictures=1",
)


@pytest.mark.faces
@pytest.mark.skipif(FACES is None, reason="set LEAD_YTFACES to the folder of ytfaces to run this on real faces")
def test_stage_two_beats_its_start_on_people_it_never_saw(tmp_path: Path) -> None:
    run = lead.train(FACES or "", tmp_path / "run", preset="small", assignments=SHORT)
    measured: dict[tuple[str, str], float] = {}
    for task in ("matching", "few-shot"):
        result = lead.evaluate(
            run,
            FACES or "",
            task,
            split="validation",
            point_sets=["5"],
            labels=(10,),
            draws=2,
            heads=("ridge",),
            methods=("init", "lead"),
        )
        measured |= {(row.method, row.metric): row.mean for row in result.rows}
    matching, few = "matching-different", "regression-5"
    assert measured["lead", matching] < 0.85 * measured["init", matching]
    assert measured["lead", matching] < 0.8 * measured["copy-location", matching]
    # Ridge makes much of the start's wide features too, so that so short a training does not beat them with labels.
    assert measured["lead/ridge", few] < 0.6 * measured["mean-shape", few]
