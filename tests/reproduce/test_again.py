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
from lead.config import check
from lead.datasets import open_dataset
from lead.errors import LeadError
from lead.evaluation.results import Result, read
from lead.reproduce.again import repeat

pytestmark = pytest.mark.xdist_group("again")
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
    replace(world.result, command={"name": "reproduce", "of": "fig4"}, benchmark="beetles").write(tmp_path / "fig.json")
    tree = json.loads((tmp_path / "fig.json").read_text())
    tree["settings"] |= {"split": "test", "seeds": [0], "labels": [1], "draws": 1, "dimensions": [64], "heads": []}
    (tmp_path / "fig.json").write_text(json.dumps(tree))
    with pytest.raises(LeadError, match=r"fig4 is a figure: draw it again with `lead reproduce fig4`"):
        repeat(tmp_path / "fig.json", world.data, out=tmp_path / "out")
    replace(world.result, benchmark="elsewhere").write(tmp_path / "else.json")
    with pytest.raises(LeadError, match=r"was measured on elsewhere"):
        repeat(tmp_path / "else.json", world.data)
