"""What is fitted on what, with how many labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lead import api
from lead.datasets.base import Dataset
from lead.evaluation import results
from lead.evaluation.results import METRICS
from lead.evaluation.summary import error_rows
from lead.experiments import regression as module
from lead.experiments.bench import Bench
from lead.experiments.regression import regression
from lead.landmarks.model import HIDDEN, Labels
from lead.nn.heads import RidgeHead
from lead.training.fit import Fitted, SoftArgmaxRecipe, train_softargmax
from lead.training.labelled import Labelled
from lead.training.run import Run, held_out

Array = npt.NDArray[np.float64]
SYSTEMS = ("untrained", "byol", "lead")


def test_few_labels_are_the_same_for_every_system(run: Run, drawn: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def watched(labelled: Labelled, *, seed: int) -> Fitted:
        seen.append(labelled.points)
        head = RidgeHead(labelled.features.shape[1], labelled.points.shape[1])
        return Fitted(head, "ridge", float(seed), None)

    monkeypatch.setattr(module, "fit_ridge", watched)
    said: list[str] = []
    bench = replace(Bench.of_run(run, drawn), kept=None)
    rows = error_rows(regression(bench, labels=(1, 3, 1000), draws=2, say=said.append))
    assert [(r.method, r.features, r.labels) for r in rows] == [
        ("mean-shape", "", 1),
        ("mean-shape", "", 3),
        *((f"{m}/ridge", f, n) for m, f in zip(SYSTEMS, ("32-d", "32-d", "8-d"), strict=True) for n in (1, 3)),
    ]
    assert all((r.metric, r.unit, r.draws) == ("regression-all", "%", 2) for r in rows)
    assert [len(points) for points in seen] == 3 * [1, 1, 3, 3]
    for other in (4, 8):
        for first, again in zip(seen[:4], seen[other : other + 4], strict=True):
            torch.testing.assert_close(first, again, equal_nan=True)
    assert not torch.allclose(seen[2].nan_to_num(), seen[3].nan_to_num())
    # A head without weights answers with the middle of the picture, whatever the features.
    assert len({r.mean for r in rows if r.method.endswith("/ridge")}) == 1
    assert len(said) == 7
    assert "left out 1000 labels" in said[0]


def test_all_labels_measure_every_head_and_round_trip_through_a_file(
    run: Run, drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = SoftArgmaxRecipe(epochs=1, pictures=32, batch=8)
    monkeypatch.setattr(module, "train_softargmax", lambda labelled, seed: train_softargmax(labelled, seed, recipe))
    result = api.evaluate(run, drawn, "regression", preset="least", heads=("ridge", "softargmax"))
    assert [r.method for r in result.rows if r.metric in METRICS] == [
        "mean-shape",
        *(f"{system}/{head}" for system in SYSTEMS for head in ("ridge", "softargmax")),
    ]
    assert {(r.labels, r.draws, r.sd) for r in result.rows} == {("all", 1, None)}
    assert (result.name, result.benchmark, result.preset) == ("regression", "beetles", "least")
    assert result.settings["distill"] == run.settings.model_dump(mode="json")["distill"]
    result.write(result.path(tmp_path))
    assert results.read(tmp_path / "beetles" / "least" / "regression.json") == result


def test_the_mean_shape_is_that_of_the_labelled_pictures(run: Run, drawn: Dataset) -> None:
    row = error_rows(regression(Bench.of_run(run, drawn, methods=())))[0]
    points = drawn.points("all")
    split = dict(zip(drawn.files, drawn.split, strict=True))
    out = held_out(drawn, run.settings.validation, run.settings.validation_seed)
    who = drawn.identity_of(points.images)
    train = [i for i, image in enumerate(points.images) if split[image] == "train" and who[i] not in out]
    mean = np.nanmean(points.xy[train], axis=0)  # all pictures are of one size
    errors = []
    for i, image in enumerate(points.images):
        if split[image] == "test":
            a, b = (points.xy[i, points.schema.index(n)] for n in drawn.normaliser["all"])
            unit = np.linalg.norm(a - b)
            errors += (100 * np.linalg.norm(points.xy[i] - mean, axis=-1) / unit).tolist()
    assert row.method == "mean-shape"
    assert row.mean == pytest.approx(np.nanmean(errors))
    assert row.median == pytest.approx(np.nanmedian(errors))


def test_a_cascade_is_measured_with_the_errors_that_it_expects(run: Run, drawn: Dataset) -> None:
    bench = Bench.of_run(run, drawn, methods=("lead",))
    rows = error_rows(regression(bench, labels=(1, 3), draws=2, heads=("cascade",)))
    keys = ["within-50-all", "within-80-all", "within-90-all", "rank-all", "worst-all", "hidden-all", "shown-all"]
    assert [(r.method, r.labels, r.metric) for r in rows] == [
        *(("mean-shape", n, "regression-all") for n in (1, 3)),
        *(("lead/cascade", n, metric) for n in (1, 3) for metric in ("regression-all", *keys)),
    ]
    assert {(r.features, r.draws, r.unit) for r in rows[2:]} == {("8-d", 2, "%")}
    for few in (rows[2:10], rows[10:]):
        within = [row.mean for row in few[1:4]]
        assert within == sorted(within)
        assert 0 <= within[0] <= within[2] <= 100
    again = error_rows(regression(replace(bench, kept=None), labels=(3,), draws=2, heads=("cascade",)))
    assert again[1:] == rows[10:]


def test_expected_errors_are_judged_in_their_own_unit(
    run: Run, drawn: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = replace(Bench.of_run(run, drawn, methods=("lead",)), kept=None)
    points = drawn.points("all")
    _, judge = bench.rows(points)
    truth = bench.frame.normalise(bench.store.to_store(bench.store_rows(points, judge), points.xy[judge]))
    off = np.random.default_rng(0).uniform(0, 0.4, truth.shape[:2])  # in normalised units, which span 2

    hidden = points.visible[judge] == HIDDEN

    def predicted(*_: object) -> tuple[Array, Array, Array, npt.NDArray[np.bool_]]:
        return (
            truth + np.stack([0.6 * off, 0.8 * off], axis=-1),
            off / 2,
            np.stack([0.49 * off, 0.51 * off, np.full_like(off, 0.1)]),
            hidden,
        )

    monkeypatch.setattr(module, "_cascade", predicted)
    rows = {row.metric: row for row in error_rows(regression(bench, labels=(3,), draws=1, heads=("cascade",)))[1:]}
    assert rows["within-50-all"].mean == 0
    assert rows["within-80-all"].mean == 100
    known = np.isfinite(truth).all(-1)
    assert rows["within-90-all"].mean == pytest.approx(100 * (off[known] <= 0.2).mean())
    assert (rows["rank-all"].mean, rows["worst-all"].mean) == pytest.approx((100, 100))
    assert (rows["hidden-all"].mean, rows["shown-all"].mean) == pytest.approx((100, 0))


def test_wide_features_get_no_cascade(run: Run, drawn: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REDUCED", 8)
    monkeypatch.setattr(
        module,
        "_by_cascade",
        lambda bench, points, system, *rest: module._by_head(bench, points, system, "ridge", *rest),
    )
    bench = replace(Bench.of_run(run, drawn), kept=None)
    said: list[str] = []
    found = regression(bench, labels=(1,), draws=1, heads=("cascade", "ridge"), say=said.append)
    assert said[0].startswith("left out: untrained, byol with the head cascade. The head cascade is for compact")
    methods = ["mean-shape", "untrained/ridge", "byol/ridge", "lead/ridge", "lead/ridge"]  # 32, 32 and 8 wide
    assert [one.method for one in found] == methods


def test_a_landmark_missing_from_the_few_labelled_pictures_is_measured_all_the_same(run: Run, drawn: Dataset) -> None:
    whole = drawn.points("all")
    xy = whole.xy.copy()
    split = dict(zip(drawn.files, drawn.split, strict=True))
    xy[[i for i, image in enumerate(whole.images) if split[image] == "train"], 2] = np.nan
    gaps = replace(drawn, point_sets={"all": Labels.from_xy(whole.schema, whole.images, xy)})
    rows = error_rows(regression(Bench.of_run(run, gaps), labels=(1,), draws=2))
    assert {r.method for r in rows} == {"mean-shape", "untrained/ridge", "byol/ridge", "lead/ridge"}
