"""Tables and figures of a few drawn beetles: made, filed, found again, refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.beetles.writing import write_beetles
from lead.config import Settings, check
from lead.datasets import open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation.grids import markdown
from lead.evaluation.results import Result, Row, read
from lead.evaluation.summary import error_rows
from lead.experiments.bench import Bench, System
from lead.experiments.matching import peers_matching
from lead.experiments.regression import regression
from lead.features import Extractor
from lead.provenance import commit
from lead.reproduce import catalogue, tables
from lead.reproduce.again import repeat
from lead.reproduce.arms import Arm, contrast_landmarks, default, dve, pyramid, reduced, stage_one
from lead.reproduce.catalogue import FIGURES, TABLES, made, make
from lead.reproduce.shelf import Shelf
from lead.reproduce.study import Entry, Study, merged
from lead.training.engine import Collapsed
from lead.training.run import Run
from lead.training.upkeep import Upkeep

TREE = {
    "picture": {"store": 48, "input": 32},
    "backbone": {"name": "test_resnet"},
    "pretrain": {"steps": 2, "batch": 8, "hidden": 32, "projection": 16, "moco": {"queue": 20}},
    "distill": {"steps": 2, "batch": 8, "width": 16, "cells": 16},
    "supervised": {"batch": 8},
}


@dataclass(frozen=True)
class World:
    """What the tests share: pictures, settings, and one shelf that fills as they go."""

    data: Dataset
    preset: Settings
    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "results"

    def study(self, seeds: Sequence[int] = (0,), collapsed: float = -1.0) -> Study:
        """With trainings that are taken for collapsed below a spread; two steps from random weights have hardly any."""
        shelf = Shelf(self.folder / "runs", self.data, upkeep=Upkeep(collapsed=collapsed))
        return Study(
            self.preset,
            "least",
            self.data,
            self.data,
            shelf,
            seeds=seeds,
            labels=(1, 5),
            draws=2,
            dimensions=(64, 128),
        )


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("reproduce")
    write_beetles(folder / "beetles", 40, size=48, species=20, workers=1)
    beetles = open_dataset(folder / "beetles")
    few = beetles.points("all").only([*beetles.normaliser["all"], "head"])  # every landmark costs fits of its own
    return World(replace(beetles, point_sets={"all": few}), check(TREE, "test"), folder)


def ours(rows: Sequence[Row], method: str) -> list[Row]:
    return [row for row in rows if row.method == method]


def bench(world: World, run: Run, method: str) -> Bench:
    """A run's student, with nothing of the study in between."""
    system = System(method, Extractor(run.student(), world.preset.picture))
    return Bench(world.data, [system], world.preset)


# --- what is filed ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["table1", "table6", "starts", "recipes", "supervised", "fig3", "fig4", "fig5", "fig6", "fig9"]
)
def test_what_is_made_is_filed_and_found_again(world: World, name: str) -> None:
    study = world.study()
    result = make(study, name, world.results)
    path = world.results / "beetles" / "least" / f"{name}.json"
    there = read(path)
    assert there.rows == result.rows
    assert (there.name, there.benchmark, there.preset) == (name, "beetles", "least")
    assert there.commit == commit()
    assert abs(date.fromisoformat(there.date) - date.today()) <= timedelta(days=1)
    assert there.seconds > 0
    assert path.with_suffix(".md").read_text() == markdown(there)
    assert there.title in path.with_suffix(".md").read_text()
    runs = there.settings["runs"]
    assert isinstance(runs, dict)
    assert runs
    for folder, entry in runs.items():
        run = Run.open(world.folder / "runs" / folder)
        assert (entry["seed"], entry["commit"]) == (0, run.commit)
        seconds = {f"{stage}_seconds" for stage in ("pretrain", "distill") if stage == "pretrain" or run.has_student}
        assert {key for key in entry if key.endswith("seconds")} == seconds
    if name in FIGURES:
        assert there.pictures == (f"{name}.webp",)
        with Image.open(path.with_name(f"{name}.webp")) as picture:
            assert picture.format == "WEBP"
            assert np.asarray(picture).std() > 0
    assert bool(there.rows) == (name in TABLES or name == "fig9")
    assert not study.notes
    assert not study.used
    files = {file: file.stat().st_mtime_ns for file in world.folder.rglob("*") if file.is_file()}
    assert made(world.study(), name, world.results) == there
    assert {file: file.stat().st_mtime_ns for file in world.folder.rglob("*") if file.is_file()} == files


def test_a_result_of_other_settings_is_not_taken_for_this_one(world: World) -> None:
    study = world.study()
    assert made(study, "table2", world.results) is None
    make(study, "table2", world.results)
    path = world.results / "beetles" / "least" / "table2.json"
    others = [
        replace(study, draws=3),
        replace(study, labels=(1,)),
        replace(study, seeds=(0, 1)),
        replace(study, heads=("softargmax",)),
        replace(study, preset=study.preset.model_copy(update={"seed": 1})),
    ]
    for other in others:
        with pytest.raises(LeadError, match=r"other settings.*--preset-name.*--overwrite") as error:
            made(other, "table2", world.results)
        assert str(path) in str(error.value)
    named = replace(study, preset_name="other", draws=3)
    assert made(named, "table2", world.results) is None


@pytest.mark.parametrize("name", ["table2", "fig9", "fig5"])
def test_a_table_or_figure_is_made_again_from_its_record(world: World, name: str) -> None:
    study = world.study()
    before = make(study, name, world.results)
    found = repeat(catalogue.target(study, name, world.results), world.data, out=world.folder / "runs")
    assert found.numbers == ()
    assert (found.after.rows, found.after.notes) == (before.rows, before.notes)
    if not before.rows:  # a figure tells its numbers in its notes
        (world.folder / "other").mkdir(exist_ok=True)
        replace(before, notes=("another", *before.notes[1:])).write(world.folder / "other" / f"{name}.json")
        told = repeat(world.folder / "other" / f"{name}.json", world.data, out=world.folder / "runs")
        assert told.numbers == (f"'another' there, {before.notes[0]!r} here",)


def test_a_validation_result_has_a_name_of_its_own(world: World) -> None:
    held = world.preset.model_copy(update={"validation": 0.2})
    study = replace(world.study(), preset=held, split="validation")
    assert catalogue.target(study, "table2", Path("r")) == Path("r/beetles/least/table2-validation.json")


def test_names_and_meanings() -> None:
    assert [n for n in catalogue.names() if n.startswith("table")] == [f"table{i}" for i in range(1, 7)]
    assert [n for n in catalogue.names() if n.startswith("fig")] == [f"fig{i}" for i in range(3, 11)]
    assert {"matching", "starts", "recipes", "supervised"} <= set(catalogue.names())
    assert all(len(catalogue.meaning(name)) > 10 for name in catalogue.names())
    assert catalogue.check_names(["fig3", "table1", "fig3"]) == ["fig3", "table1"]
    assert catalogue.check_names(["fig3", "all"]) == catalogue.names()
    with pytest.raises(LeadError, match=r"Unknown table or figure 'tabel1'. Did you mean 'table1'"):
        catalogue.check_names(["fig3", "tabel1"])


# --- the numbers -----------------------------------------------------------------------------------------------------


def test_table_1_shows_each_feature_beside_the_papers_number(world: World) -> None:
    study = world.study()
    rows = TABLES["table1"](study).rows
    lines = list(dict.fromkeys((row.method, row.features) for row in rows))
    assert lines == [
        ("copy-location", ""),
        ("dve", "64-d"),
        ("moco+projector", "64-d, linear"),
        ("byol+nmf", "64-d"),
        ("byol+pca", "64-d"),
        ("byol+alignment", "64-d, head 256"),
        ("lead", "64-d"),
        ("moco+projector", "256-d, linear"),
        ("byol+nmf", "256-d"),
        ("byol+alignment", "256-d, head 256"),
        ("moco", "368-d"),
        ("byol", "368-d"),
    ]
    assert len(rows) == 4 * len(lines)
    published = {(r.method, r.features, r.metric): r.published for r in rows if r.unit == "px of 70"}
    assert published["dve", "64-d", "peers-different"] == 2.38
    assert published["moco+projector", "256-d, linear", "peers-same"] == 0.71
    assert published["byol+nmf", "64-d", "peers-different"] == 5.74
    assert published["byol", "368-d", "peers-same"] == 0.49
    assert {key[0] for key, value in published.items() if value is None} == {"copy-location", "byol+pca", "lead"}
    assert all(row.published is None for row in rows if row.unit == "%")  # the paper's are no percents
    direct = error_rows(peers_matching(bench(world, study.run(contrast_landmarks(64)), "moco+projector")))
    for row in direct:
        found = [r for r in rows if (r.method, r.metric, r.unit) == (row.method, row.metric, row.unit)]
        assert found[0].mean == pytest.approx(row.mean, rel=1e-5)


def test_table_6_measures_the_students_of_its_four_arms(world: World) -> None:
    study = world.study()
    result = TABLES["table6"](study)
    features = [f"{dimension}-d, head 256" for dimension in study.dimensions]
    methods = ["moco+projector", "moco+alignment", "byol+projector", "byol+alignment"]
    assert [(r.method, r.features) for r in result.rows if r.method != "mean-shape"] == [
        (method, feature) for method in methods for feature in features
    ]
    assert {(r.metric, r.labels, r.unit, r.published) for r in result.rows} == {("regression-all", "all", "%", None)}
    runs = result.settings["runs"]
    assert isinstance(runs, dict)
    assert len(runs) == 8
    expected = error_rows(regression(bench(world, study.run(pyramid("byol", "projector", 128)), "byol+projector")))
    found = [r for r in result.rows if (r.method, r.features) == ("byol+projector", features[1])]
    assert found[0].mean == pytest.approx(expected[-1].mean, rel=1e-5)
    assert ours(result.rows, "mean-shape")[0].mean == pytest.approx(expected[0].mean, rel=1e-6)


def test_the_papers_column_is_that_of_the_dataset_or_its_stand_in(world: World) -> None:
    study, entry = world.study(), Entry(pyramid("byol", "alignment"), ("byol+alignment", 64))

    def published(dataset: str, table: str, metric: str, labels: int | str) -> float | None:
        named = replace(study, bench_data=replace(world.data, name=dataset))
        row = Row("byol+alignment", "64-d", 5 if labels == 5 else "all", metric, "%", 1.0, 1.0)
        return named.published(table, entry, row)

    assert published("mafl", "table4", "regression-5", "all") == 2.93
    assert published("aflw-m", "table4", "regression-5", "all") == 6.61
    assert published("ytfaces", "table4", "regression-5", "all") == 6.61  # AFLW's, with five points
    assert published("ytfaces", "table4", "regression-68", "all") == 5.32  # 300W's
    assert published("ytfaces", "table5", "regression-5", 5) == 13.34
    assert published("beetles", "table4", "regression-all", "all") is None
    unprinted = replace(entry, paper=None)
    assert study.published("table4", unprinted, Row("lead", "", "all", "regression-5", "%", 1.0, 1.0)) is None


def test_each_arm_is_the_network_that_it_names(world: World) -> None:
    study = world.study()
    peer, lead = study.run(contrast_landmarks(64)), study.run(pyramid("byol", "alignment"))
    assert type(peer.student()).__name__ == "LinearStudent"
    assert type(lead.student()).__name__ == "Student"
    assert peer.settings.pretrain.objective == "moco"
    init = study.run(stage_one("init"))
    first = init.initial_backbone().state_dict()
    assert all((value == first[name]).all() for name, value in init.backbone().state_dict().items())
    assert study.system(reduced("byol", "pca", 64)).extractor.reduction is not None
    assert study.run(dve()).provenance["pretrain_steps"] == 0
    assert study.system(stage_one("byol")).extractor.network.state_dict().keys() == first.keys()


def test_seeds_are_pooled(world: World) -> None:
    arm = default(world.preset)
    apart = [world.study([seed]).rows(arm, "matching") for seed in (0, 1)]
    both = world.study([0, 1]).rows(arm, "matching")
    assert len(both) == len(apart[0])
    for one, other, row in zip(*apart, both, strict=True):
        means = [one.mean, other.mean]
        assert (row.mean, row.draws) == (pytest.approx(np.mean(means)), 2)
        assert row.sd == pytest.approx(np.std(means))
    assert ours(both, "copy-location")[0].sd == pytest.approx(0)
    assert ours(both, "lead")[0].sd != pytest.approx(0)
    assert merged([]) == []


def test_the_supervised_baseline_trains_as_long_as_both_stages(world: World) -> None:
    rows = TABLES["supervised"](world.study()).rows
    assert [(row.method, row.labels) for row in rows] == [
        ("mean-shape", 10),
        ("byol+alignment", 10),
        ("lead", 10),
        ("supervised", 10),
        ("supervised", "all"),
    ]
    logs = list((world.folder / "runs").glob("supervised-*/metrics.jsonl"))
    assert len(logs) == 2
    assert {json.loads(log.read_text().splitlines()[-1])["step"] for log in logs} == {4}


def test_what_was_predicted_and_reduced_is_not_made_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    study = world.study()
    before = [TABLES[name](study).rows for name in ("table1", "supervised")]

    def refused(*_: object, **__: object) -> None:
        raise AssertionError("what is there was made again")

    for name in ("matching.match_points", "regression.fit_ridge", "supervised.train_supervised", "baselines.fit_nmf"):
        monkeypatch.setattr(f"lead.experiments.{name}", refused)
    monkeypatch.setattr("lead.provenance.commit", lambda: "another")
    assert [TABLES[name](world.study()).rows for name in ("table1", "supervised")] == before


def test_starts_crosses_both_starts_only_where_there_are_two(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def table(_self: Study, _name: str, entries: Sequence[Entry], *_: object) -> list[Row]:
        asked.append([entry.arm.method for entry in entries])
        return []

    monkeypatch.setattr(Study, "table", table)
    terms = ["alignment", "projector", "equivariance", "exchange", "lead"]
    tables.starts(world.study())
    backbone = world.preset.backbone.model_copy(update={"init": "weights.pth"})
    tables.starts(replace(world.study(), preset=world.preset.model_copy(update={"backbone": backbone})))
    scratch = [f"scratch+{term}" for term in terms]
    assert asked[0] == asked[1] == scratch
    assert asked[2] == asked[3] == [*(f"pretrained+{term}" for term in terms), *scratch]


def test_figures_show_the_studys_own_seed(world: World) -> None:
    result = make(replace(world.study([1]), preset_name="seed-1"), "fig6", world.results)
    runs = result.settings["runs"]
    assert isinstance(runs, dict)
    assert {entry["seed"] for entry in runs.values()} == {1}


# --- arms that collapse ----------------------------------------------------------------------------------------------


def collapsing(patch: pytest.MonkeyPatch, method: str) -> None:
    """Makes an arm of that name collapse whenever it is asked for."""
    run = Study.run

    def given_up(study: Study, arm: Arm, seed: int = 0) -> Run:
        if arm.method == method:
            raise Collapsed(f"The features are alike, seed {seed}.")
        return run(study, arm, seed)

    patch.setattr(Study, "run", given_up)


def test_an_arm_that_collapses_is_noted_and_no_row(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collapsing(monkeypatch, "byol+alignment")
    result = make(world.study(), "table6", tmp_path)
    assert len(result.rows) == 1 + 6
    assert not ours(result.rows, "byol+alignment")
    assert result.notes == ("byol+alignment (head 256) is left out. The features are alike, seed 0.",)
    assert result.notes[0] in (tmp_path / "beetles" / "least" / "table6.md").read_text()
    runs = result.settings["runs"]
    assert isinstance(runs, dict)
    assert "byol+alignment" not in {entry["method"] for entry in runs.values()}


@pytest.mark.parametrize("name", ["fig4", "fig8", "fig9"])
def test_a_figure_is_drawn_without_an_arm_that_collapsed(
    world: World, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    collapsing(monkeypatch, "lead")
    result = make(world.study(), name, tmp_path)
    assert result.notes == ("lead (as it is) is left out. The features are alike, seed 0.",)
    assert not ours(result.rows, "lead")
    assert (tmp_path / "beetles" / "least" / f"{name}.webp").exists()


def test_a_figure_of_nothing_but_collapsed_arms_says_so(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def given_up(_study: Study, arm: Arm, _seed: int = 0) -> Run:
        raise Collapsed(f"{arm.method} collapsed.")

    monkeypatch.setattr(Study, "run", given_up)
    with pytest.raises(LeadError, match=r"nothing to draw.*byol collapsed.*moco collapsed"):
        make(world.study(), "fig3", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_training_that_collapses_has_no_number_in_any_measurement(world: World) -> None:
    """The loop itself gives it up, here at the end of stage 2; asked again it says the same and trains nothing."""
    study, arm = world.study(collapsed=10.0), pyramid("byol", "alignment", head=8)
    assert study.rows(arm, "matching") == []
    assert study.rows(arm, "few-labels", (10,)) == []
    assert len(study.notes) == 2
    assert study.notes[0] == study.notes[1]
    assert "features of distill have been nearly all alike since step 2" in study.notes[0]
    result: Result = study.result("x", "x", [], 0.0)
    assert len(result.notes) == 1
    assert result.settings["runs"] == {}
