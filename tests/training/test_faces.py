"""Real faces: from a pre-trained backbone, a short stage 2 already beats what it started from."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

import lead
from lead.landmarks import Labels

FACES = os.environ.get("LEAD_YTFACES")
PART = 5
"""Of so many people one is shown."""
SHORT = (
    "validation=0.3",
    "picture.store=112",
    "picture.input=96",
    "distill.steps=50",
    "distill.batch=16",
    "distill.cells=128",
    "distill.exchange_pictures=1",
)


@pytest.fixture
def faces() -> lead.Dataset:
    """The training pictures of some of the people."""
    whole = lead.open_dataset(FACES or "")
    people = sorted({whole.identity[row] for row in whole.rows("train")})[::PART]
    rows = [row for row, person in enumerate(whole.identity) if person in people]
    files = tuple(whole.files[row] for row in rows)

    def shown(labels: Labels) -> Labels:
        return labels.take(i for i, image in enumerate(labels.images) if image in files)

    return replace(
        whole,
        files=files,
        identity=tuple(whole.identity[row] for row in rows),
        split=tuple(whole.split[row] for row in rows),
        labels=None,
        point_sets={"5": shown(whole.points("5"))},
    )


@pytest.mark.faces
@pytest.mark.skipif(FACES is None, reason="set LEAD_YTFACES to the folder of ytfaces to run this on real faces")
def test_stage_two_beats_its_start_on_people_it_never_saw(faces: lead.Dataset, tmp_path: Path) -> None:
    run = lead.train(faces, tmp_path / "run", preset="small", assignments=SHORT)
    measured: dict[tuple[str, str], float] = {}
    for task in ("matching", "few-shot"):
        result = lead.evaluate(
            run,
            faces,
            task,
            split="validation",
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
