"""A very short demo, from nothing to its report."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lead.config import load_preset
from lead.datasets import open_dataset
from lead.demo import DemoPlan, run_demo
from lead.errors import LeadError
from lead.evaluation import results
from lead.images.labels import load_labels

SETTINGS = (
    "picture={store: 64, input: 64}",
    "hypercolumn.weights=[1, 0, 0, 0]",
    "pretrain={steps: 2, batch: 8, hidden: 16, projection: 8}",
    "distill={steps: 2, batch: 4, width: 16, dimension: 8, projection: null, exchange: 1.0, equivariance: 0.3}",
)


def plan() -> DemoPlan:
    return DemoPlan(pictures=60, size=64, labels=12, draws=2, pool=20, settings=load_preset("tiny", SETTINGS))


class Told:
    """Which stages reported, in turn; stops the training when one is named that it shall not see."""

    def __init__(self, forbidden: str = "") -> None:
        self.stages: list[str] = []
        self.forbidden = forbidden

    def __call__(self, stage: str, _step: int, _total: int, _values: Mapping[str, float]) -> None:
        if stage == self.forbidden:
            raise LeadError("enough")
        self.stages.append(stage)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A demo that was stopped in stage 2 and then finished: its folder, and the stages that the second call ran."""
    out = tmp_path_factory.mktemp("demo")
    with pytest.raises(LeadError, match="enough"):
        run_demo(out, plan=plan(), report=Told(forbidden="distill"))
    assert not (out / "report.html").exists()
    told = Told()
    assert run_demo(out, plan=plan(), report=told) == out / "report.html"
    return out, told.stages


def files(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_stopped_demo_goes_on_with_what_is_missing(demo: tuple[Path, list[str]]) -> None:
    _, stages = demo
    assert set(stages) == {"distill"}


def test_a_finished_demo_is_left_alone(demo: tuple[Path, list[str]]) -> None:
    out, _ = demo
    before, said, told = files(out), list[str](), Told()
    assert run_demo(out, plan=plan(), report=told, say=said.append) == out / "report.html"
    assert files(out) == before
    assert told.stages == []
    assert len(said) == 1
    assert "finished" in said[0]


def test_the_report_stands_alone(demo: tuple[Path, list[str]]) -> None:
    sources: list[str] = []
    tags: set[str] = set()

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.add(tag)
            sources.extend(value or "" for name, value in attrs if name in {"src", "href"})

    text = (demo[0] / "report.html").read_text(encoding="utf-8")
    Page().feed(text)
    assert all(source.startswith(("data:image/", "#")) for source in sources)
    assert len([s for s in sources if s.startswith("data:")]) == 8 + 8 + 4 + 4  # by lot, extremes, heat maps, matches
    assert not tags & {"script", "link", "iframe"}


def test_it_learns_from_training_pictures_and_predicts_all_others(demo: tuple[Path, list[str]]) -> None:
    out, _ = demo
    dataset = open_dataset(out / "pictures")
    truth = dataset.points("all")
    labels, predictions = load_labels(out / "labels.json"), load_labels(out / "predictions.json")
    training, unseen = ({dataset.files[i] for i in dataset.rows(split)} for split in ("train", "test"))
    assert len(labels) == plan().labels
    assert set(labels.images) <= training
    where = [truth.images.index(image) for image in labels.images]
    np.testing.assert_allclose(labels.xy, truth.xy[where])
    assert set(predictions.images) == unseen


def test_the_measurements_are_of_the_plan(demo: tuple[Path, list[str]]) -> None:
    found = [results.read(path) for path in sorted((demo[0] / "results").rglob("*.json"))]
    assert [result.name for result in found] == ["few-shot", "matching"]
    methods = {row.method for result in found for row in result.rows}
    assert {
        "lead/cascade",
        "lead/ridge",
        "untrained/ridge",
        "mean-shape",
        "lead",
        "untrained",
        "copy-location",
    } <= methods
    assert {(row.labels, row.draws) for row in found[0].rows} == {(plan().labels, plan().draws)}


def test_another_seed_is_another_demo(demo: tuple[Path, list[str]]) -> None:
    before = files(demo[0])
    with pytest.raises(LeadError, match="another seed or other settings"):
        run_demo(demo[0], plan=plan(), seed=1)
    assert files(demo[0]) == before


@pytest.mark.parametrize("name", ["thesis.txt", "demo.json", "report.html"])
def test_a_folder_of_something_else_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(json.dumps(["mine"]))
    with pytest.raises(LeadError, match="does not hold a demo"):
        run_demo(tmp_path, plan=plan())
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert json.loads((tmp_path / name).read_text()) == ["mine"]


def test_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    with pytest.raises(LeadError, match="does not hold a demo"):
        run_demo(tmp_path / "out", plan=plan())


def test_the_plan_as_it_stands_shows_whole_pictures() -> None:
    """Heat maps are laid over the whole picture, so the network must have seen all of it."""
    assert DemoPlan().settings.picture.frame == 1
