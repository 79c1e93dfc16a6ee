"""Two processes train as one does: the same curve, one clock, one voice, and none is lost for good."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import on_devices
import pytest
import torch
import yaml
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from on_devices import BATCH, STEPS, STOPPED, Result, curve, double_precision, trained
from PIL import Image

from lead import checkpoint
from lead.config import ViewSettings
from lead.errors import LeadError
from lead.images.draws import SharedGenerator
from lead.training.launch import launched
from lead.training.pretrain import draw_view
from lead.training.run import Run


class Two(NamedTuple):
    """What two processes left in a folder, what each of them found, and what they printed."""

    folder: Path
    found: list[Result]
    said: str


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Two:
    """on_devices.py in two processes, as torchrun runs it; one is lost on the way, and both are started again."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "pictures").mkdir()
    for name in range(12):
        pixels = np.random.default_rng(name).integers(0, 255, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "pictures" / f"{name:02}.png")
    stage = {"steps": 4, "batch": 8}
    tiny = {
        "picture": {"store": 48, "input": 32},
        "backbone": {"name": "test_resnet"},
        "pretrain": stage | {"steps": 2, "hidden": 16, "projection": 8},
        "distill": stage | {"width": 16, "dimension": 8, "projection": 8},
    }
    (folder / "tiny.yaml").write_text(yaml.safe_dump(tiny))
    options = ["--standalone", "--nproc-per-node=2", "--max-restarts=1"]
    line = [sys.executable, "-m", "torch.distributed.run", *options, on_devices.__file__, str(folder)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as torchrun:
        try:
            said, errors = torchrun.communicate(timeout=240)
        finally:
            torchrun.terminate()  # and it its processes
    assert torchrun.returncode == 0, errors
    return Two(folder, [torch.load(folder / f"{rank}.pt") for rank in range(2)], said)


def assert_same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        torch.testing.assert_close(other[name], value, atol=1e-6, rtol=1e-6, msg=name)


@pytest.mark.parametrize("kind", STEPS)
def test_two_processes_train_as_one(two: Two, kind: str, tmp_path: Path) -> None:
    folder, found = two.folder, two.found
    with double_precision():
        weights = trained(kind, tmp_path)
    ours, theirs = curve(tmp_path), curve(folder / kind)
    assert len(ours) == STEPS[kind]
    for one, other in zip(ours, theirs, strict=True):
        assert other == pytest.approx(one, abs=1e-7)
    assert ours[0]["loss"] != pytest.approx(ours[-1]["loss"], abs=1e-2)  # it has learnt
    assert_same(weights, found[0][kind])
    assert all(torch.equal(a, b) for a, b in zip(found[0][kind].values(), found[1][kind].values(), strict=True))


@pytest.mark.parametrize("layer", on_devices.LAYERS)
def test_batchnorm_is_that_of_the_whole_batch(two: Two, layer: str) -> None:
    whole = on_devices.norms()[layer]
    parts = [found["norms"][layer] for found in two.found]
    close = partial(torch.testing.assert_close, atol=1e-3, rtol=1e-3)  # a mean of 1000 leaves four digits of seven
    close(torch.cat([part["out"] for part in parts]), whole["out"])
    close(torch.cat([part["grad"] for part in parts]), whole["grad"])
    for part in parts:
        close(part["parameters"], whole["parameters"])
        close(part["buffers"], whole["buffers"])


def test_rows_and_their_gradients_are_rolled_over_the_whole_batch(two: Two) -> None:
    rows, factor = torch.arange(8.0), torch.arange(1.0, 9)
    for by in range(10):
        parts = [found["rolls"][by] for found in two.found]
        torch.testing.assert_close(torch.cat([rolled for rolled, _ in parts]), rows.roll(by))
        torch.testing.assert_close(torch.cat([grad for _, grad in parts]), 2 * rows * factor.roll(-by))


def test_a_signal_to_one_stops_all_after_the_same_step_and_one_goes_on(two: Two, tmp_path: Path) -> None:
    folder, found = two.folder, two.found
    for each in found:
        assert f"Interrupted in pretrain after step {STOPPED} of {STEPS['byol']}" in each["stopped"]
    with double_precision():
        assert_same(trained("byol", tmp_path), trained("byol", folder / "stopped"))


def test_what_blows_up_in_one_stops_all_and_the_first_keeps_it(two: Two) -> None:
    folder, found = two.folder / "blown_up", two.found
    assert found[0]["blown_up"] == found[1]["blown_up"]
    assert f"loss of pretrain is nan at step {STOPPED} of {STEPS['byol']}" in found[0]["blown_up"]
    meta = checkpoint.read_meta(folder / "pretrain-failed.safetensors", "failed")
    assert len(meta["rows"]) == BATCH  # of both
    assert checkpoint.read_meta(folder / "pretrain-state.safetensors", "state")["step"] == STOPPED - 2


def test_what_fails_in_the_first_process_is_not_tried_in_the_others(two: Two) -> None:
    first, second = (each["failed"] for each in two.found)
    assert first == "process 0 got here"
    assert "first process could not go on" in second


def test_a_batch_that_cannot_be_divided_is_refused(two: Two) -> None:
    for each in two.found:
        assert "pretrain.batch=9 cannot be divided equally among 2 processes" in each["indivisible"]
        assert "pretrain.batch=8 or 10" in each["indivisible"]


def test_a_lost_process_is_started_again_and_nothing_else_is_lost(two: Two) -> None:
    for name, kind in (("backbone.safetensors", "backbone"), ("student.safetensors", "student")):
        whole, _ = checkpoint.load(two.folder / "whole" / name, kind)
        cut, _ = checkpoint.load(two.folder / "cut" / name, kind)
        assert all(torch.equal(cut[key], value) for key, value in whole.items())


def test_the_first_process_alone_speaks_and_writes(two: Two) -> None:
    for out in ("whole", "cut"):
        assert two.said.count(f"Features: {two.folder / out}\n") == 1
        assert [line["step"] for line in curve(two.folder / out)] == [2, 4]
        assert len(list((two.folder / out / "tensorboard" / "pretrain").iterdir())) == 1
    provenance = Run.open(two.folder / "whole").provenance
    assert provenance["pictures"] == 12
    assert provenance["distill_seconds"] > 0


@pytest.mark.parametrize(
    "views",
    [
        ViewSettings(bend=(0.001, 0.01), rotation=20, lighting=0.1, jpeg=0.5),
        ViewSettings(draws="normal", bend=(0.001, 0.01)),
        ViewSettings(draws="resized-crop"),
    ],
    ids=lambda views: views.draws,
)
@pytest.mark.parametrize("processes", [2, 4, 8])
def test_a_picture_has_the_views_that_one_process_would_draw(tiny: Any, views: ViewSettings, processes: int) -> None:
    picture = tiny().picture
    pictures = torch.rand(BATCH, 3, 48, 48, generator=torch.Generator().manual_seed(0))

    def seen(part: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        generator.manual_seed(3)
        one, warp = draw_view(part, views, picture, generator)
        two, _ = draw_view(part, views, picture, generator, bent=True, after=warp)
        return torch.cat([one, two], dim=1)

    parts = []
    for rank, part in enumerate(pictures.chunk(processes)):
        generator = SharedGenerator()
        generator.rank, generator.processes = rank, processes
        parts.append(seen(part, generator))
    torch.testing.assert_close(torch.cat(parts), seen(pictures, torch.Generator()), atol=1e-5, rtol=1e-5)


TORCHRUN = {"TORCHELASTIC_RUN_ID": "1", "LOCAL_WORLD_SIZE": "4", "WORLD_SIZE": "8", "RANK": "5"}
SLURM = {"SLURM_NTASKS": "6", "SLURM_STEP_NUM_TASKS": "6", "SLURM_NTASKS_PER_NODE": "2", "SLURM_JOB_NAME": "x"}


@pytest.mark.parametrize(
    ("environment", "kind", "shape"),
    [
        (TORCHRUN, TorchElasticEnvironment, (4, 2)),
        (SLURM, SLURMEnvironment, (2, 3)),
        (SLURM | TORCHRUN, TorchElasticEnvironment, (4, 2)),
        ({"SLURM_NTASKS": "6"}, object, (1, 1)),  # in a job's script, without srun
        ({}, object, (1, 1)),
    ],
    ids=["torchrun", "srun", "torchrun in srun", "sbatch alone", "alone"],
)
def test_who_started_the_process_is_found(
    environment: dict[str, str], kind: type, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in {**TORCHRUN, **SLURM}:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found, here, machines = launched()
    assert isinstance(found, kind)
    assert (here, machines) == shape


def test_srun_must_say_how_many_tasks_a_machine_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "4")
    monkeypatch.delenv("SLURM_NTASKS_PER_NODE", raising=False)
    with pytest.raises(LeadError, match="4 tasks without --ntasks-per-node"):
        launched()
