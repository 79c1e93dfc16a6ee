"""A run from folder to student: made, interrupted, killed, continued, and refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lead import checkpoint
from lead.config import Settings, to_yaml
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.heads import make_head
from lead.inference import Landmarker
from lead.landmarks.model import Schema
from lead.training.run import Run, held_out, open_pictures, training_rows
from lead.training.stages import distill, pretrain
from lead.training.upkeep import UPKEEP, Upkeep

Maker = Callable[..., Settings]


def finished(folder: Path, settings: Settings, dataset: Dataset, upkeep: Upkeep = UPKEEP) -> Run:
    run = Run.create(folder, settings, upkeep)
    pictures = open_pictures(dataset, settings)
    pretrain(run, pictures)
    distill(run, pictures)
    return run


def student_bytes(folder: Path) -> dict[str, bytes]:
    tensors, _ = checkpoint.load(folder / "student.safetensors", "student")
    return {name: value.numpy().tobytes() for name, value in tensors.items()}


def test_two_stages_make_a_student(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    settings = tiny()
    run = finished(tmp_path / "run", settings, folder)
    assert run.has_backbone
    assert run.has_student
    assert run.student().eval()(torch.rand(1, 3, 64, 64)).shape == (1, 16, 16, 16)
    _, meta = checkpoint.load(run.folder / "student.safetensors", "student")
    assert meta["settings"] == settings.model_dump(mode="json")
    assert meta["pictures"]["count"] == 12
    assert torch.__version__.startswith(meta["versions"]["torch"])
    assert Run.open(run.folder).settings == settings
    assert not list(run.folder.glob("*-state.safetensors"))
    records = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    assert [(r["stage"], r["step"]) for r in records] == [("pretrain", 6), ("distill", 6)]


@pytest.mark.parametrize("name", ["test_efficientnet", "test_convnext", "test_mambaout", "test_vit", "test_vit_relpos"])
def test_any_family_goes_through_both_stages_and_comes_back(
    tiny: Maker, folder: Dataset, tmp_path: Path, name: str
) -> None:
    settings = tiny(backbone={"name": name}, pretrain={"steps": 2}, distill={"steps": 2})
    run = finished(tmp_path / "run", settings, folder)
    start, learnt = run.initial_backbone().state_dict(), run.backbone().state_dict()
    assert start.keys() == learnt.keys()
    assert any(not torch.equal(start[key], learnt[key]) for key in start)
    student = Run.open(run.folder).student().eval()
    assert student(torch.rand(1, 3, 32, 32)).shape == (1, 16, 8, 8)
    model = Landmarker(Schema(("tip",)), settings, student, make_head("ridge", 16, 1), None, {})
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    pictures = torch.rand(2, 3, 32, 32, device=model.extractor.device)
    torch.testing.assert_close(again.extractor.features_of(pictures), model.extractor.features_of(pictures))


def test_training_sees_a_datasets_boxes(tiny: Maker, folder: Dataset) -> None:
    boxes = np.tile([5.0, 4.0, 20.0, 16.0], (12, 1))
    pictures = open_pictures(replace(folder, boxes=boxes), tiny())
    np.testing.assert_array_equal(pictures.store.boxes, boxes)
    assert pictures.store.digest != open_pictures(folder, tiny()).store.digest


def test_the_seed_decides_everything(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    finished(tmp_path / "a", tiny(), folder)
    torch.manual_seed(99)
    finished(tmp_path / "b", tiny(), folder)
    assert student_bytes(tmp_path / "a") == student_bytes(tmp_path / "b")


def test_a_finished_run_returns_at_once(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    run = finished(tmp_path / "run", tiny(), folder)
    files = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*") if p.is_file()}

    def never(*_: object) -> None:
        raise AssertionError("a finished stage reported a step")

    again = Run.create(run.folder, tiny())
    pretrain(again, open_pictures(folder, tiny()), never)
    distill(again, open_pictures(folder, tiny()), never)
    assert {p: p.stat().st_mtime_ns for p in run.folder.rglob("*") if p.is_file()} == files


@pytest.mark.parametrize(
    ("stage", "name"), [("pretrain", "test_resnet"), ("distill", "test_resnet"), ("distill", "test_vit")]
)
def test_an_interrupted_run_goes_on_to_the_same_student(
    tiny: Maker, folder: Dataset, tmp_path: Path, stage: str, name: str
) -> None:
    settings = tiny(backbone={"name": name})
    finished(tmp_path / "whole", settings, folder)

    def interrupt(name: str, step: int, *_: object) -> None:
        if (name, step) == (stage, 4):
            os.kill(os.getpid(), signal.SIGINT)

    run, pictures = Run.create(tmp_path / "cut", settings, Upkeep(log_every=1)), open_pictures(folder, settings)

    def both() -> None:
        pretrain(run, pictures, interrupt)
        distill(run, pictures, interrupt)

    with pytest.raises(LeadError, match=f"Interrupted in {stage} after step 4 of 6"):
        both()
    assert (run.folder / f"{stage}-state.safetensors").exists()
    finished(tmp_path / "cut", settings, folder, Upkeep(log_every=1))
    assert student_bytes(tmp_path / "cut") == student_bytes(tmp_path / "whole")
    records = [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
    steps = [(r["stage"], r["step"]) for r in records]
    assert steps == [(name, step) for name in ("pretrain", "distill") for step in range(1, 7)]


VICTIM = """
import sys, yaml
from pathlib import Path
import torch  # noqa: E402
torch.set_num_threads(1)
from lead.config import check
from lead.datasets.base import Dataset
from lead.training.upkeep import Upkeep
from lead.training.run import Run, open_pictures
from lead.training.stages import distill, pretrain
root, out = Path(sys.argv[1]), Path(sys.argv[2])
names = tuple(sorted(p.name for p in root.iterdir()))
dataset = Dataset("tiny", root, names, tuple(str(i // 2) for i in range(12)), ("train",) * 12)
settings = check(yaml.safe_load(sys.argv[3]), "test")
upkeep = Upkeep(log_every=1, save_every_s=-1.0)
run, pictures = Run.create(out, settings, upkeep), open_pictures(dataset, settings)
pretrain(run, pictures)
distill(run, pictures, lambda stage, step, *_: print(stage, step, flush=True))
"""


def test_a_killed_run_goes_on_to_the_same_student(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    finished(tmp_path / "whole", tiny(), folder)
    command = [sys.executable, "-c", VICTIM, str(folder.root), str(tmp_path / "cut"), to_yaml(tiny())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line == "distill 3\n":
                process.send_signal(signal.SIGKILL)
                break
        assert process.wait() == -signal.SIGKILL
    assert (tmp_path / "cut" / "distill-state.safetensors").exists()
    finished(tmp_path / "cut", tiny(), folder)
    assert student_bytes(tmp_path / "cut") == student_bytes(tmp_path / "whole")


def test_other_settings_in_the_same_folder_are_named(tiny: Maker, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", tiny())
    run.record(pictures=1)
    other = tiny(pretrain={"lr": 0.4})
    assert Run.create(run.folder, other) == Run.open(run.folder) == Run(run.folder, other)  # nothing was learnt yet
    assert run.provenance == {}
    Run.create(run.folder, tiny())
    checkpoint.save(run.folder / "pretrain-state.safetensors", "state", {}, {})
    with pytest.raises(LeadError, match=r"pretrain\.lr: 0\.03 there, 0\.5 here") as error:
        Run.create(tmp_path / "run", tiny(pretrain={"lr": 0.5}))
    assert "distill" not in str(error.value)


def test_stage_twos_settings_may_change_until_it_begins(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    first, other = tiny(pretrain={"steps": 0}), tiny(pretrain={"steps": 0}, distill={"steps": 2, "lr": 0.1})
    run, pictures = Run.create(tmp_path / "run", first), open_pictures(folder, first)
    run.record(mine=1)
    pretrain(run, pictures)
    before = (run.folder / "backbone.safetensors").read_bytes()
    with pytest.raises(LeadError, match=r"other settings \(seed: 0 there, 7 here\)"):
        Run.plan(run.folder, first.model_copy(update={"seed": 7}))
    run = Run.create(run.folder, other)
    assert Run.open(run.folder).settings == other
    assert run.provenance["mine"] == 1
    assert (run.folder / "backbone.safetensors").read_bytes() == before
    distill(run, pictures)
    with pytest.raises(LeadError, match=r"distill\.lr: 0\.1 there, 0\.03 here"):
        Run.create(run.folder, first)


def test_other_pictures_are_not_resumed_from(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", tiny(), Upkeep(log_every=1))
    with pytest.raises(LeadError, match="Interrupted"):
        pretrain(run, open_pictures(folder, tiny()), lambda *_: signal.raise_signal(signal.SIGINT))
    fewer = replace(folder, split=("train",) * 11 + ("test",))
    with pytest.raises(LeadError, match="other settings or other pictures"):
        pretrain(run, open_pictures(fewer, tiny()))


def test_a_folder_of_something_else_is_left_alone(tiny: Maker, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(LeadError, match="is not a run"):
        Run.create(tmp_path, tiny())
    with pytest.raises(LeadError, match="is not a run"):
        Run.create(tmp_path / "thesis.txt", tiny())
    with pytest.raises(LeadError, match="is not a run"):
        Run.open(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("text", ["pretrain: [", "- 1", "pretrain: {steps: soon}", "# \xe9"])
def test_damaged_settings_of_a_run_are_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "settings.yaml").write_text(text, encoding="latin-1")
    with pytest.raises(LeadError, match=r"settings\.yaml"):
        Run.open(tmp_path)


def test_a_stage_of_no_steps_is_skipped(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    run = finished(tmp_path / "run", tiny(pretrain={"steps": 0}, distill={"steps": 0}), folder)
    initial = run.initial_backbone().state_dict()
    for network in (run.backbone(), run.student().backbone):
        assert all(torch.equal(value, initial[name]) for name, value in network.state_dict().items())
    untrained = run.untrained_backbone().state_dict()
    assert not all(torch.equal(value, initial[name]) for name, value in untrained.items())


def test_stage_two_needs_stage_one(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", tiny())
    with pytest.raises(LeadError, match=r"no backbone file at .*backbone\.safetensors"):
        distill(run, open_pictures(folder, tiny()))


def test_too_few_pictures_are_an_error(tiny: Maker, folder: Dataset) -> None:
    few = replace(folder, split=("train",) * 7 + ("test",) * 5)
    with pytest.raises(LeadError, match="7 pictures to train on; at least 8"):
        open_pictures(few, tiny())


def test_held_out_identities_are_whole_and_never_trained_on(tiny: Maker, folder: Dataset) -> None:
    some = tiny().model_copy(update={"validation": 0.33})
    out = held_out(folder, some.validation, some.validation_seed)
    assert len(out) == 2
    rows = training_rows(folder, some)
    assert {folder.identity[i] for i in rows}.isdisjoint(out)
    assert len(rows) == 8
    assert held_out(folder, 0.33, 0) == out
    assert any(held_out(folder, 0.33, seed) != out for seed in range(1, 9))
    assert open_pictures(folder, some).rows.tolist() == rows


def test_holding_out_needs_identities_and_a_share_of_them(folder: Dataset) -> None:
    unknown = replace(folder, identity=("", *folder.identity[1:]))
    assert held_out(unknown, 0.0, 0) == set()
    with pytest.raises(LeadError, match=r"does not say whom.*images\.csv"):
        held_out(unknown, 0.33, 0)
    with pytest.raises(LeadError, match="would hold out 0 of the 6 identities"):
        held_out(folder, 0.05, 0)
    with pytest.raises(LeadError, match="would hold out 6 of the 6 identities"):
        held_out(folder, 0.95, 0)


def test_networks_that_do_not_fit_the_settings_are_named(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    run = finished(tmp_path / "run", tiny(pretrain={"steps": 0}, distill={"steps": 0}), folder)
    other = Run(run.folder, tiny(backbone={"name": "test_resnet"}, distill={"dimension": 8}))
    with pytest.raises(LeadError, match=r"student\.safetensors does not fit its settings"):
        other.student()
    checkpoint.save(run.folder / "backbone.safetensors", "backbone", {}, {})
    with pytest.raises(LeadError, match=r"backbone\.safetensors does not fit its settings"):
        run.backbone()


def test_what_is_recorded_adds_up(tiny: Maker, tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", tiny())
    assert run.provenance == {}
    run.record(seconds=3)
    run.record(pictures=12)
    run.record(seconds=4)
    assert run.provenance == {"seconds": 4, "pictures": 12}
