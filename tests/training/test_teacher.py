"""A frozen pre-trained model as the teacher: its features are its own, it is named in the run, and nothing moves it."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch.nn import functional

from lead import api, checkpoint
from lead.config import Settings, TeacherSettings, check
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.nn.backbone import Backbone
from lead.training.distill import Distill
from lead.training.run import Run, open_pictures
from lead.training.stages import distill, pretrain
from lead.training.teacher import load_teacher
from lead.training.upkeep import Upkeep

Maker = Callable[..., Settings]


def file_of(name: str, path: Path, seed: int = 1) -> Any:
    """A whole timm model with random weights, saved."""
    torch.manual_seed(seed)
    whole = timm.create_model(name)
    with torch.no_grad():
        for parameter in whole.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    save_file(whole.state_dict(), path)
    return whole.eval()


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Weights of test_vit."""
    path = tmp_path / "vit.safetensors"
    file_of("test_vit", path)
    return path


def taught(tiny: Maker, weights: Path, **teacher: Any) -> Settings:
    named = {"model": f"timm:test_vit@{weights}", "input": 32, **teacher}
    return tiny(distill={"steps": 4, "teacher": named})


@pytest.mark.parametrize("side", [None, 64])
@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
def test_a_teachers_features_are_timms_own_at_its_own_size_and_colours(
    tiny: Maker, tmp_path: Path, name: str, side: int | None
) -> None:
    whole = file_of(name, tmp_path / "w.safetensors")
    wanted = TeacherSettings(model=f"timm:{name}@{tmp_path / 'w.safetensors'}", input=side, weights=(0, 1, 0, 2))
    settings = tiny(distill={"teacher": wanted.model_dump()})
    teacher = load_teacher(settings.distill.teacher)
    assert teacher is not None
    encoder = Backbone("test_resnet", side=32)
    stage = Distill(encoder, settings.distill, settings.hypercolumn, settings.picture, teacher.network).train()
    view = torch.rand(2, 3, 32, 32)
    found = stage._teach(view, torch.zeros(2, 16, 8, 8))

    edge = side or 160
    seen = functional.interpolate(view, (edge, edge), mode="bilinear")  # of a larger picture antialiasing says nothing
    config = timm.get_pretrained_cfg(name)
    assert config is not None
    normal = torch.stack([(seen[:, c] - config.mean[c]) / config.std[c] for c in range(3)], 1)
    if name == "test_vit":
        if side:  # the same weights, their position embeddings resized by timm
            kept = {"state_dict": whole.state_dict()}
            whole = timm.create_model(name, img_size=side, pretrained=True, pretrained_cfg_overlay=kept).eval()
        blocks = whole.forward_intermediates(normal, norm=True, intermediates_only=True)
        first, last = blocks[2], blocks[5]  # the second and fourth of four, of six
    else:
        first, last = whole.forward_intermediates(normal, intermediates_only=True)[2::2]
    grid = [functional.interpolate(m, (8, 8), mode="bilinear", align_corners=False) for m in (first, 2 * last)]
    torch.testing.assert_close(found, torch.cat(grid, 1), atol=1e-4, rtol=1e-4)


def test_a_teacher_stands_in_for_stage_one(tiny: Maker, folder: Dataset, tmp_path: Path, weights: Path) -> None:
    settings = taught(tiny, weights)
    run, pictures = Run.create(tmp_path / "run", settings), open_pictures(folder, settings)
    distill(run, pictures)
    assert not run.has_backbone
    origin = run.provenance["teacher"]
    assert origin == {
        "model": "test_vit",
        "weights": "vit.safetensors",
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "licence": "apache-2.0",
        "side": 32,
    }
    tensors, meta = checkpoint.load(run.folder / "student.safetensors", "student")
    assert meta["teacher"] == origin
    assert not [name for name in tensors if "teacher" in name]
    start = run.initial_backbone()
    assert {name for name in tensors if name.startswith("backbone.")} == {f"backbone.{k}" for k in start.state_dict()}
    said: list[str] = []
    api.train(folder, run.folder, settings=settings, say=said.append)
    assert said == ["pretrain: done already.", "distill: done already."]


def test_the_student_starts_from_stage_one_where_there_is_one(
    tiny: Maker, folder: Dataset, tmp_path: Path, weights: Path
) -> None:
    still = {"steps": 0, "teacher": {"model": f"timm:test_vit@{weights}", "input": 32}}
    settings = tiny(distill=still)
    run, pictures = Run.create(tmp_path / "run", settings), open_pictures(folder, settings)
    pretrain(run, pictures)
    distill(run, pictures)
    learnt = run.backbone().state_dict()
    assert any(not torch.equal(value, learnt[key]) for key, value in run.initial_backbone().state_dict().items())
    assert all(torch.equal(value, learnt[key]) for key, value in run.student().backbone.state_dict().items())


def test_a_taught_stage_goes_on_to_the_same_student_but_not_with_other_weights(
    tiny: Maker, folder: Dataset, tmp_path: Path, weights: Path
) -> None:
    settings = taught(tiny, weights)
    pictures = open_pictures(folder, settings)
    whole, cut = (Run.create(tmp_path / name, settings, Upkeep(log_every=1)) for name in ("whole", "cut"))
    distill(whole, pictures)

    def interrupt(_name: str, step: int, *_: object) -> None:
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(LeadError, match="Interrupted in distill after step 2 of 4"):
        distill(cut, pictures, interrupt)
    right = weights.read_bytes()
    file_of("test_vit", weights, seed=2)
    with pytest.raises(LeadError, match="or to a teacher with other weights"):
        distill(cut, pictures)
    weights.write_bytes(right)
    distill(cut, pictures)
    ours, theirs = (checkpoint.load(run.folder / "student.safetensors", "student")[0] for run in (cut, whole))
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())


def test_the_teacher_decides_what_is_learnt(tiny: Maker, folder: Dataset, tmp_path: Path, weights: Path) -> None:
    settings = taught(tiny, weights)
    pictures = open_pictures(folder, settings)
    found = []
    for seed in (1, 2):
        file_of("test_vit", weights, seed=seed)
        run = Run.create(tmp_path / str(seed), settings)
        distill(run, pictures)
        found.append(run.student().decoder.state_dict())
    assert any(not torch.equal(value, found[1][name]) for name, value in found[0].items())


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("timm:test_vit@lost.safetensors", r"there is no file lost\.safetensors"),
        ("timm:test_vitt@lost.safetensors", "Near it: 'test_vit"),
        ("timm:test_vit4", "no weights of 'test_vit4'"),
    ],
)
def test_a_wrong_teacher_stops_before_anything_is_written(
    tiny: Maker, folder: Dataset, tmp_path: Path, model: str, message: str
) -> None:
    for stage in ("distill", "both"):
        with pytest.raises(LeadError, match=message):
            api.train(folder, tmp_path / "run", settings=tiny(distill={"teacher": {"model": model}}), stage=stage)
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("distilled", "message"),
    [
        ({"teacher": {"model": "test_vit"}}, "distill.teacher.*timm:NAME or timm:NAME@FILE, not 'test_vit'"),
        ({"teacher": {"model": "timm:@file"}}, "timm:NAME or timm:NAME@FILE"),
        ({"teacher": {"model": "timm:test_vit", "weights": [0, 0, 0, 0]}}, "at least one of the levels a weight"),
        ({"teacher": {"model": "timm:test_vit"}, "alignment": 0, "exchange": 1}, "alignment=1"),
    ],
)
def test_settings_that_name_no_teacher_or_never_ask_it_are_refused(distilled: dict[str, Any], message: str) -> None:
    with pytest.raises(LeadError, match=message):
        check({"distill": distilled}, "test")
