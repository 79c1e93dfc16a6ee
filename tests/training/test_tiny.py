"""The claim, measured: what stage 2 learns from unlabelled pictures beats the same network untrained, by far."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lead import Dataset, evaluate, load_preset, open_dataset, train
from lead.beetles.writing import write_beetles
from lead.evaluation.results import Result

LABELS = 20


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Beetles, of which 60 training pictures and those of 10 unseen species are labelled."""
    root = tmp_path_factory.mktemp("beetles") / "pictures"
    write_beetles(root, 300, size=64, workers=1)
    dataset = open_dataset(root)
    labelled = [*dataset.rows("train")[:60], *dataset.rows("test")]
    files = {dataset.files[i] for i in labelled}
    points = dataset.points("all")
    kept = points.take(i for i, image in enumerate(points.images) if image in files)
    return replace(dataset, point_sets={"all": kept})


def error(result: Result, method: str, metric: str) -> float:
    return next(row.mean for row in result.rows if (row.method, row.metric) == (method, metric))


def test_learnt_features_beat_untrained_ones(pictures: Dataset, tmp_path: Path) -> None:
    shorter = ("picture={store: 64, input: 64}", "pretrain.steps=10", "distill.steps=100")
    run = train(pictures, tmp_path / "run", settings=load_preset("tiny", shorter))
    methods = ("untrained", "lead")

    few = evaluate(run, pictures, "few-shot", labels=(LABELS,), draws=1, heads=("ridge",), methods=methods)
    learnt, untrained, average = (
        error(few, method, "regression-all") for method in ("lead/ridge", "untrained/ridge", "mean-shape")
    )
    assert learnt < 0.75 * untrained
    assert learnt < 0.75 * average

    matching = evaluate(run, pictures, "matching", methods=methods)
    learnt, untrained, same_place = (
        error(matching, method, "matching-different") for method in ("lead", "untrained", "copy-location")
    )
    assert learnt < 0.5 * untrained
    assert learnt < 0.8 * same_place
