"""Which pictures are fitted on and which are judged, in which pixels, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lead import api
from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation.summary import error_rows
from lead.experiments import matching as matching_module
from lead.experiments import regression as regression_module
from lead.experiments.bench import PREDICTIONS, Bench, System, result_name
from lead.experiments.matching import matching, peers_matching
from lead.experiments.regression import regression
from lead.features import Extractor
from lead.landmarks.model import HIDDEN, VISIBLE
from lead.nn.backbone import Backbone
from lead.nn.student import Student
from lead.training.run import Run, held_out


def identities(bench: Bench, rows: list[int]) -> set[str]:
    points = bench.dataset.points("all")
    return set(bench.dataset.identity_of(points.images[i] for i in rows))


def test_validation_judges_the_identities_held_out_and_nothing_else(run: Run, drawn: Dataset) -> None:
    out = held_out(drawn, run.settings.validation, run.settings.validation_seed)
    train = {who for who, split in zip(drawn.identity, drawn.split, strict=True) if split == "train"}
    test = set(drawn.identity) - train
    assert len(out) == len(test) == 2
    bench = Bench.of_run(run, drawn, "validation")
    fit, judge = bench.rows(drawn.points("all"))
    assert (identities(bench, fit), identities(bench, judge)) == (train - out, out)
    fit, judge = Bench.of_run(run, drawn).rows(drawn.points("all"))
    assert (identities(bench, fit), identities(bench, judge)) == (train - out, test)
    assert result_name("few-shot", "validation", ["5"]) == "few-shot-5-validation"
    none = Run(run.folder, run.settings.model_copy(update={"validation": 0.0}))
    with pytest.raises(LeadError, match=r"held no identities out.*--set validation=0\.2"):
        Bench.of_run(none, drawn, "validation").rows(drawn.points("all"))
    with pytest.raises(LeadError, match=r"beetles: \d+ pictures to fit on, 0 to judge on \(tset\)"):
        Bench.of_run(run, drawn, "tset").rows(drawn.points("all"))


def test_systems_of_other_picture_sizes_are_refused(dots: Dataset, tiny: Callable[..., Settings]) -> None:
    settings, other = tiny(picture={"input": 32}), tiny(picture={"input": 64})
    system = System("dve", Extractor(Student(Backbone("test_resnet"), 16, 16), other.picture))
    with pytest.raises(LeadError, match=r"dve is shown Frame\(.*input=64\)"):
        Bench(dots, [system], settings)


def test_any_systems_are_measured_and_filed(dots: Dataset, tiny: Callable[..., Settings]) -> None:
    settings = tiny(picture={"store": 48, "input": 32})
    torch.manual_seed(0)
    systems = [
        System("moco", Extractor(Backbone("test_resnet"), settings.picture)),
        System("moco+projector", Extractor(Student(Backbone("test_resnet"), 8, 8), settings.picture)),
    ]
    bench = Bench(dots, systems, settings, provenance={"seeds": [0]})
    rows = error_rows([*regression(bench), *matching(bench), *peers_matching(bench)])
    assert {r.method for r in rows} == {
        *("mean-shape", "copy-location", "moco", "moco+projector"),
        *("moco/ridge", "moco+projector/ridge"),
    }
    result = bench.result("all", rows, 0.0, "tiny")
    assert result.settings == settings.model_dump(mode="json") | {"seeds": [0]}


def test_landmarks_and_errors_go_through_a_datasets_boxes(dots: Dataset, tiny: Callable[..., Settings]) -> None:
    """Features see the box stretched to the square; errors are in the pictures' own pixels all the same."""
    settings = tiny(picture={"store": 96, "input": 96})
    system = System("any", Extractor(Student(Backbone("test_resnet"), 16, 16), settings.picture))
    boxes = np.tile([-8.0, 4.0, 80.0, 40.0], (len(dots.files), 1))
    bench = Bench(replace(dots, boxes=boxes), [system], settings)
    points, rows = bench.point_set(), [0, 3]
    known = bench.labelled(system, points.labels, rows)
    expected = (points.labels.xy[rows] + 0.5 - [-8, 4]) / [40, 20] - 1  # edges of the box at -1 and 1
    np.testing.assert_allclose(known.points.numpy(), expected, atol=1e-5)
    units = np.linalg.norm(points.labels.xy[rows, 0] - points.labels.xy[rows, 1], axis=-1)
    moved = (expected + np.array([0.1, 0.0]))[None]  # 0.1 · 40 = 4 original pixels
    beside = bench.predictions(
        points, rows, moved, metric="regression-all", method="lead", features="", labels="all", labelled=[[]]
    ).errors
    assert beside.mean() == pytest.approx((100 * 4 / units).mean())


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_what_is_predicted_once_is_read_ever_after(
    run: Run, drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the commit: only what numbers depend on makes them anew."""
    bench = replace(Bench.of_run(run, drawn, methods=("lead",)), kept=tmp_path / PREDICTIONS)
    made = [*regression(bench, labels=(3,), draws=2, heads=("cascade", "ridge")), *matching(bench)]
    assert len(list((tmp_path / PREDICTIONS).iterdir())) == len(made) == 3 + 2 * 3

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("what is there was made again")

    for module, name in ((regression_module, "fit_cascade"), (regression_module, "fit_ridge")):
        monkeypatch.setattr(module, name, refused)
    monkeypatch.setattr(matching_module, "match_points", refused)
    monkeypatch.setattr("lead.experiments.bench.commit", lambda: "another")
    again = replace(Bench.of_run(run, drawn, methods=("lead",)), kept=tmp_path / PREDICTIONS)
    read = [*regression(again, labels=(3,), draws=2, heads=("cascade", "ridge")), *matching(again)]
    assert error_rows(read) == error_rows(made)
    assert [one.origin for one in read] == [one.origin for one in made]


@pytest.mark.parametrize("change", ["version", "seed", "weights", "landmarks", "visibility", "unit"])
def test_what_numbers_depend_on_makes_them_anew(
    run: Run, drawn: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def kept(bench: Bench) -> int:
        regression(replace(bench, kept=tmp_path / PREDICTIONS), labels=(1,))
        return len(list((tmp_path / PREDICTIONS).iterdir()))

    bench = Bench.of_run(run, drawn, methods=("lead",))
    assert kept(bench) == kept(bench) == 2  # of the mean shape, and of the head
    points = drawn.points("all")
    expected = 4
    if change == "version":
        monkeypatch.setattr(regression_module, "PREDICTIONS_VERSION", -1)
    elif change == "seed":
        bench = replace(bench, settings=bench.settings.model_copy(update={"seed": 9}))
    elif change == "weights":
        torch.manual_seed(7)
        other = Student(Backbone("test_resnet"), 8, 16)
        bench = replace(bench, systems=[System("lead", Extractor(other, bench.settings.picture))])
        expected = 3  # the mean shape looks at none
    elif change == "unit":
        bench = replace(
            bench, dataset=replace(drawn, normaliser={"all": (points.schema.names[0], points.schema.names[1])})
        )
    else:
        moved = replace(points, xy=points.xy + 0.5)
        turned = replace(points, visible=np.where(points.visible == HIDDEN, VISIBLE, points.visible))
        bench = replace(bench, dataset=replace(drawn, point_sets={"all": moved if change == "landmarks" else turned}))
    assert kept(bench) == expected


def test_a_run_keeps_what_was_predicted_with_it(run: Run, drawn: Dataset) -> None:
    result = api.evaluate(run, drawn, "regression", heads=("ridge",), methods=("lead",))
    there = {file: file.stat().st_mtime_ns for file in (run.folder / PREDICTIONS).iterdir()}
    assert there
    assert api.evaluate(run, drawn, "regression", heads=("ridge",), methods=("lead",)).rows == result.rows
    assert {file: file.stat().st_mtime_ns for file in (run.folder / PREDICTIONS).iterdir()} == there
