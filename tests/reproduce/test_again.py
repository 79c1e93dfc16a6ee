"""A result is made again from its record, or what stands against it is told."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lead import api
from lead.beetles.writing import write_beetles
from lead.cli import app
from lead.config import Settings, check
from lead.datasets import open_dataset
from lead.errors import LeadError
from lead.evaluation.results import Result, read
from lead.reproduce import again
from lead.reproduce.again import repeat

SETTINGS = check(
    {
        "seed": 3,
        "picture": {"store": 48, "input": 32},
        "backbone": {"name": "test_resnet"},
        "hypercolumn": {"weights": [1, 0, 0, 0]},
        "pretrain": {"steps": 3, "batch": 4, "hidden": 16, "projection": 8},
        "distill": {"steps": 3, "batch": 4, "dimension": 16, "width": 16, "projection": None, "cells": 16},
    },
    "test",
)


@dataclass(frozen=True)
class World:
    """Drawn beetles, and a result measured on them."""

    data: Path
    file: Path
    result: Result
    weights: bytes


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("again")
    write_beetles(folder / "beetles", 24, size=48, species=12, workers=1)
    run = api.train(folder / "beetles", folder / "run", settings=SETTINGS)
    result = api.evaluate(run, folder / "beetles", "few-shot", labels=[2], draws=2, heads=["ridge"], methods=["lead"])
    result.write(folder / "result.json")
    return World(folder / "beetles", folder / "result.json", result, (run.folder / "student.safetensors").read_bytes())


def test_a_result_is_made_again_to_the_last_bit(world: World, tmp_path: Path) -> None:
    told: list[str] = []
    found = repeat(world.file, world.data, out=tmp_path / "out", say=told.append)
    assert found.numbers == ()
    assert found.around == ()
    assert found.after.rows == world.result.rows
    assert read(tmp_path / "out" / "few-shot.json") == found.after
    assert (tmp_path / "out" / "student.safetensors").read_bytes() == world.weights


def test_the_command_says_so_and_tells_what_is_another_number(world: World, tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["repeat", str(world.file), str(world.data), "--out", str(tmp_path / "out")])
    assert told.exit_code == 0, told.output
    assert f"All {len(world.result.rows)} rows are the same to the last bit" in told.stdout
    first, *rest = world.result.rows
    other = replace(
        world.result,
        rows=(replace(first, mean=first.mean + 1e-12), *rest),
        versions={**world.result.versions, "torch": "1"},
    )
    other.write(tmp_path / "other.json")
    told = CliRunner().invoke(
        app, ["repeat", str(tmp_path / "other.json"), str(world.data), "--out", str(tmp_path / "out")]
    )
    assert told.exit_code == 1
    assert f"{first.mean + 1e-12!r} there, {first.mean!r} here" in told.stdout
    assert "Another torch: 1 there" in told.stdout
    assert f"1 of {len(world.result.rows)} rows differ" in told.stdout


def test_other_pictures_and_other_landmarks_are_told_before_any_training(world: World, tmp_path: Path) -> None:
    data = tmp_path / "beetles"
    shutil.copytree(world.data, data)
    first, second, *_ = (data / name for name in open_dataset(data).files)
    shutil.copyfile(second, first)
    with pytest.raises(LeadError, match=r"the pictures of .* are not those that .*result.json was measured on"):
        repeat(world.file, data, out=tmp_path / "out")
    changed = replace(world.result, data={**world.result.data, "all": "0"})
    changed.write(tmp_path / "changed.json")
    with pytest.raises(LeadError, match=r"the landmarks 'all' of .* are not those"):
        repeat(tmp_path / "changed.json", world.data, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_features_learnt_from_other_pictures_are_told(world: World, tmp_path: Path) -> None:
    write_beetles(tmp_path / "others", 24, size=48, seed=1, species=12, workers=1)
    with pytest.raises(LeadError, match=r"learnt from other pictures .* --pictures"):
        repeat(world.file, world.data, pictures=tmp_path / "others", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()  # before any training


def test_what_does_not_say_how_it_was_made_is_refused(world: World, tmp_path: Path) -> None:
    replace(world.result, command={}).write(tmp_path / "old.json")
    with pytest.raises(LeadError, match=r"old.json does not say how it was made"):
        repeat(tmp_path / "old.json", world.data)
    for command in (
        {"name": "reproduce", "of": "fig2"},
        {"name": "study", "of": "no_such_script", "arguments": []},
        {"name": "study", "of": "../speed/kill", "arguments": []},
        {"name": "evaluate", "task": "few-shot"},
        {**world.result.command, "task": "anything"},
    ):
        replace(world.result, command=command).write(tmp_path / "odd.json", overwrite=True)
        with pytest.raises(LeadError, match=r"odd.json does not say how it was made"):
            repeat(tmp_path / "odd.json", world.data)
    replace(world.result, benchmark="elsewhere").write(tmp_path / "else.json")
    with pytest.raises(LeadError, match=r"was measured on elsewhere"):
        repeat(tmp_path / "else.json", world.data)


def test_a_result_of_the_first_versions_is_repeated_without_what_it_does_not_say(world: World, tmp_path: Path) -> None:
    """No digests of pictures, no machine, and none of the metrics that came later."""
    rows = tuple(row for row in world.result.rows if not row.further)
    assert 0 < len(rows) < len(world.result.rows)
    settings = {key: value for key, value in world.result.settings.items() if key != "run"}
    replace(world.result, rows=rows, settings=settings, data={}, machine={}).write(tmp_path / "old.json")
    assert repeat(tmp_path / "old.json", world.data, out=tmp_path / "out").numbers == ()


STUDY = """
import json, os, sys
from pathlib import Path
run, data, option, value = sys.argv[1:]
assert option == "--draws" and (Path(run) / "student.safetensors").is_file() and Path(data, "images").is_dir()
record = json.loads(Path(os.environ["BEFORE"]).read_text())
record["rows"][0]["mean"] += float(value)
path = Path("results", record["benchmark"], record["preset"], record["name"] + ".json")
path.parent.mkdir(parents=True)
path.write_text(json.dumps(record))
"""


@pytest.mark.parametrize(("value", "differ"), [("0", 0), ("1", 1)])
def test_a_study_is_made_again_by_its_script(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str, differ: int
) -> None:
    folder = tmp_path / "repository" / "benchmarks" / "studies"
    folder.mkdir(parents=True)
    (folder / "one_study.py").write_text(STUDY)
    monkeypatch.setattr(again, "REPOSITORY", tmp_path / "repository")
    command = {"name": "study", "of": "one_study", "arguments": ["RUN", "DATASET", "--draws", value]}
    replace(world.result, command=command).write(tmp_path / "before.json")
    monkeypatch.setenv("BEFORE", str(tmp_path / "before.json"))
    found = repeat(tmp_path / "before.json", world.data, out=tmp_path / "out")
    assert len(found.numbers) == differ


RESULTS = Path(__file__).parents[2] / "results"


@pytest.mark.parametrize(
    "path",
    [p for p in sorted(RESULTS.rglob("*.json")) if p.parent.name != "benchmarks"],
    ids=lambda p: "-".join(p.relative_to(RESULTS).parts),
)
def test_every_result_names_a_command_that_makes_it_again(path: Path) -> None:
    if path.stem == "claims":  # what the tables beside it come to: `lead reproduce claims`
        assert json.loads(path.read_text())["command"] == {"name": "reproduce", "of": "claims"}
        return
    result = read(path)
    again.maker(result, path)  # or it is refused
    check({key: value for key, value in result.settings.items() if key in Settings.model_fields}, str(path))
