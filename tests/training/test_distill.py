"""Stage 2: its objective from the paper's parts, and a teacher that nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lead.config import PictureSettings, Settings, load_preset
from lead.images.views import correspondence
from lead.losses import alignment_loss, equivariance_loss, exchange_loss
from lead.nn.backbone import Backbone
from lead.nn.hypercolumn import hypercolumn
from lead.training.distill import Distill
from lead.training.engine import Training, make_fabric, silent
from lead.training.pretrain import draw_view

PICTURES = torch.rand(4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
SIZES = PictureSettings(store=48, input=32)


def distill(settings: Settings) -> Distill:
    torch.manual_seed(0)
    return Distill(Backbone("test_resnet"), settings.distill, settings.hypercolumn, settings.picture)


def teacher_map(stage: Distill, view: Tensor) -> Tensor:
    with torch.no_grad():
        return hypercolumn(stage.teacher(view), (8, 8))


def test_the_papers_preset_has_its_objective_alone() -> None:
    settings = load_preset("paper")
    stage = Distill(Backbone("test_resnet"), settings.distill, settings.hypercolumn, settings.picture)
    assert stage.single_view
    assert settings.distill.temperature == settings.distill.teacher_temperature == 0.05


@pytest.mark.parametrize("weight", [1.0, 0.5])
def test_one_view_of_each_picture_is_aligned_with_anothers(tiny: Callable[..., Settings], weight: float) -> None:
    settings = tiny(distill={"alignment": weight})
    stage = distill(settings).train()
    assert stage.single_view
    losses = stage(PICTURES, torch.Generator().manual_seed(1))
    view, _ = draw_view(PICTURES, settings.distill.views, SIZES, torch.Generator().manual_seed(1))
    features, hypercolumns = stage.projection(stage.student(view)), teacher_map(stage, view)
    terms = []
    for i in range(4):
        j = (i - 1) % 4
        pair = (features[[i]], features[[j]], hypercolumns[[i]], hypercolumns[[j]])
        terms.append(alignment_loss(*pair, temperature=0.05, teacher_temperature=0.05))
    torch.testing.assert_close(losses["alignment"], torch.stack(terms).mean(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(losses["loss"], weight * losses["alignment"])


@pytest.mark.parametrize("pairs", ["views", "pictures"])
def test_the_added_terms_are_weighted_and_use_the_true_places(tiny: Callable[..., Settings], pairs: str) -> None:
    settings = tiny(
        distill={
            "alignment": 0.5,
            "alignment_pairs": pairs,
            "equivariance": 2.0,
            "exchange": 3.0,
            "exchange_pictures": 2,
            "views": {"bend": (0.0005, 0.005)},
        }
    )
    stage = distill(settings).train()
    assert not stage.single_view
    losses = stage(PICTURES, torch.Generator().manual_seed(1))
    draws = torch.Generator().manual_seed(1)
    one, warp_one = draw_view(PICTURES, settings.distill.views, SIZES, draws)
    two, warp_two = draw_view(PICTURES, settings.distill.views, SIZES, draws, bent=True)
    f_one, f_two = stage.projection(stage.student(torch.cat([one, two]))).chunk(2)
    h_one, h_two = teacher_map(stage, one), teacher_map(stage, two)
    points = correspondence(warp_two, warp_one, 8)
    other = [0, 1, 2, 3] if pairs == "views" else [3, 0, 1, 2]
    expected = {
        "alignment": alignment_loss(f_two, f_one[other], h_two, h_one[other]),
        "equivariance": equivariance_loss(f_two, f_one, points),
        "exchange": (
            exchange_loss(f_two, f_one, f_one[[3, 0, 1, 2]], points)
            + exchange_loss(f_two, f_one, f_one[[2, 3, 0, 1]], points)
        )
        / 2,
    }
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, atol=1e-4, rtol=1e-4)
    total = 0.5 * expected["alignment"] + 2 * expected["equivariance"] + 3 * expected["exchange"]
    torch.testing.assert_close(losses["loss"], total, atol=1e-4, rtol=1e-4)


def trained(settings: Settings, folder: Path) -> tuple[Distill, dict[str, Tensor]]:
    """A stage after its steps, and the teacher's state before them."""
    stage = distill(settings)
    before = {name: value.clone() for name, value in stage.teacher.state_dict().items()}
    training = Training(
        stage,
        settings.distill,
        optimiser=settings.distill.optimiser,
        pixels=np.random.default_rng(0).integers(0, 255, (8, 48, 48, 3)).astype(np.uint8),
        rows=np.arange(8),
        folder=folder,
        seed=0,
        fabric=make_fabric("32-true"),
        identity="x",
    )
    training.run(silent)
    return stage, before


@pytest.mark.parametrize("extra", [{}, {"equivariance": 1.0}, {"optimiser": "adamw", "frozen_batchnorm": True}])
def test_nothing_moves_the_teacher(tiny: Callable[..., Settings], tmp_path: Path, extra: dict[str, Any]) -> None:
    stage, before = trained(tiny(distill={"steps": 2, **extra}), tmp_path)
    assert all(torch.equal(value, before[name]) for name, value in stage.teacher.state_dict().items())
    student = stage.student.backbone.state_dict()
    means = [name for name in before if name.endswith("running_mean")]
    frozen = bool(extra.get("frozen_batchnorm"))
    assert all(torch.equal(student[name], before[name]) for name in means) == frozen
    weights = [name for name in before if name.endswith("weight")]
    assert any(not torch.equal(student[name], before[name]) for name in weights)


def test_an_encoder_share_of_zero_leaves_its_weights_alone(tiny: Callable[..., Settings], tmp_path: Path) -> None:
    stage, before = trained(tiny(distill={"steps": 2, "encoder_lr": 0.0}), tmp_path)
    encoder = dict(stage.student.backbone.named_parameters())
    assert all(torch.equal(value, before[name]) for name, value in encoder.items())


def test_the_student_starts_as_the_teacher(tiny: Callable[..., Settings]) -> None:
    stage = distill(tiny())
    teacher = stage.teacher.state_dict()
    assert all(torch.equal(value, teacher[name]) for name, value in stage.student.backbone.state_dict().items())
    assert all(p.requires_grad for p in stage.student.parameters())
    assert not any(p.requires_grad for p in stage.teacher.parameters())
    owners = {id(p) for p in stage.student.parameters()} & {id(p) for p in stage.teacher.parameters()}
    assert not owners
