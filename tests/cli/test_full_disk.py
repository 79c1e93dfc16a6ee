"""Disks that are full, folders that cannot be written to, and pictures that go while they are being read."""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from disks import full_disk
from lead import api, checkpoint
from lead.beetles.writing import write_beetles
from lead.cli import app
from lead.config import load_preset
from lead.datasets import open_dataset
from lead.errors import LeadError
from lead.images.find import find_media
from lead.training.upkeep import Upkeep

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files")
LEAST = """
picture: {store: 48, input: 32}
backbone: {name: test_resnet}
hypercolumn: {weights: [1, 0, 0, 0]}
pretrain: {steps: 3, batch: 4, hidden: 16, projection: 8}
distill: {steps: 6, batch: 4, dimension: 16, width: 16, projection: null, alignment: 0, exchange: 1}
"""


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beetles, a run on them and a model."""
    world = tmp_path_factory.mktemp("disk")
    write_beetles(world / "beetles", 16, size=48, species=8, workers=1)
    (world / "least.yaml").write_text(LEAST)
    train = invoke("train", world / "beetles", "--out", world / "run", "--preset", world / "least.yaml")
    assert train.exit_code == 0, train.output
    fit = invoke("fit", world / "run", world / "beetles" / "landmarks.json", "--out", world / "model.safetensors")
    assert fit.exit_code == 0, fit.output
    return world


def commands(world: Path, out: Path) -> dict[str, tuple[list[object], Path]]:
    """Commands that write, and what."""
    data, labels, model = world / "beetles", world / "beetles" / "landmarks.json", world / "model.safetensors"
    result = out / "results" / "beetles" / "custom" / "matching.json"
    return {
        "train": (
            ["train", data, "--out", out / "run", "--preset", world / "least.yaml"],
            out / "run/student.safetensors",
        ),
        "fit": (["fit", world / "run", labels, "--out", out / "m.safetensors"], out / "m.safetensors"),
        "predict": (["predict", model, data, "--out", out / "o.json"], out / "o.json"),
        "convert": (["convert", labels, out / "o.csv"], out / "o.csv"),
        "evaluate": (["evaluate", world / "run", data, "matching", "--results", out / "results"], result),
        "render": (["render", "--count", "3", "--out", out / "drawn"], out / "drawn" / "landmarks.json"),
    }


@pytest.mark.parametrize("name", ["train", "fit", "predict", "convert", "evaluate", "render"])
def test_a_full_disk_is_told_and_leaves_nothing_half_written(world: Path, tmp_path: Path, name: str) -> None:
    arguments, target = commands(world, tmp_path / "out")[name]
    (tmp_path / "out").mkdir()
    with full_disk(600):
        told = invoke(*arguments)
    assert told.exit_code == 2, told.output
    assert "File too large" in told.stderr
    assert not target.exists()
    again = invoke(*arguments)
    assert again.exit_code == 0, again.output
    assert target.exists()
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name.endswith(".part")]


@pytest.mark.parametrize("name", ["train", "fit", "predict", "convert", "evaluate", "render"])
def test_a_folder_that_cannot_be_written_to_is_named(world: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()  # nobody, not even root, can write below it
    arguments, _ = commands(world, tmp_path / "file" / "out")[name]
    told = invoke(*arguments)
    assert told.exit_code == 2, told.output
    assert str(tmp_path / "file") in told.stderr
    assert "Traceback" not in told.stderr


def test_a_disk_that_fills_as_a_stage_saves_costs_no_checkpoint(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    always, saves = Upkeep(save_every_s=-1.0), 0
    settings = load_preset(str(world / "least.yaml"))
    save = checkpoint.save

    def fills(path: Path, *rest: Any) -> None:
        nonlocal saves
        saves += path.name == "distill-state.safetensors"
        with full_disk(600 if saves == 4 else resource.RLIM_INFINITY):
            save(path, *rest)

    monkeypatch.setattr(checkpoint, "save", fills)
    with pytest.raises(LeadError, match=r"Could not write .*distill-state.* What was there before is intact"):
        api.train(world / "beetles", tmp_path / "run", settings=settings, upkeep=always)
    assert checkpoint.read_meta(tmp_path / "run" / "distill-state.safetensors", "state")["step"] == 3
    run = api.train(world / "beetles", tmp_path / "run", settings=settings, upkeep=always)
    assert (run.folder / "student.safetensors").read_bytes() == (world / "run" / "student.safetensors").read_bytes()


def test_pictures_that_go_while_they_are_read_are_left_out_and_named(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_beetles(tmp_path / "beetles", 16, size=48, species=8, workers=1)
    names = open_dataset(tmp_path / "beetles").files
    listed = find_media

    def then_gone(*arguments: Any, **options: Any) -> Any:
        found = listed(*arguments, **options)
        for name in names[2:4]:
            (tmp_path / "beetles" / name).unlink(missing_ok=True)
        return found

    monkeypatch.setattr("lead.images.find.find_media", then_gone)
    told = invoke("predict", world / "model.safetensors", tmp_path / "beetles", "--out", tmp_path / "o.json")
    assert told.exit_code == 0, told.output
    assert "2 pictures skipped" in told.stderr
    assert all(Path(name).name in told.stderr for name in names[2:4])
