"""Stage 1: the loss of both directions, and the moving average of the target."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lead.config import PictureSettings, Settings, ViewSettings
from lead.nn.backbone import Backbone
from lead.training.engine import Training, make_fabric, silent
from lead.training.pretrain import Byol, draw_view

PICTURES = torch.rand(4, 3, 48, 48, generator=torch.Generator().manual_seed(0))
SIZES = PictureSettings(store=48, input=32)


def byol(settings: Settings) -> Byol:
    torch.manual_seed(0)
    return Byol(Backbone("test_resnet"), settings.pretrain, settings.picture).train()


def unit(vectors: Tensor) -> Tensor:
    return vectors / vectors.square().sum(1, keepdim=True).sqrt()


def test_the_loss_is_equation_1_in_both_directions(tiny: Callable[..., Settings]) -> None:
    settings = tiny()
    stage = byol(settings)
    with torch.no_grad():  # so that target and online network differ
        for parameter in stage.target_projector.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    loss = stage(PICTURES, torch.Generator().manual_seed(1))["loss"]
    draws = torch.Generator().manual_seed(1)
    one, _ = draw_view(PICTURES, settings.pretrain.views, SIZES, draws)
    two, _ = draw_view(PICTURES, settings.pretrain.views, SIZES, draws)

    def online(view: Tensor) -> Tensor:
        return unit(stage.predictor(stage.projector(stage.backbone(view)[-1].mean((2, 3)))))

    def target(view: Tensor) -> Tensor:
        return unit(stage.target_projector(stage.target_backbone(view)[-1].mean((2, 3))))

    forth = (online(one) - target(two)).square().sum(1).mean()
    back = (online(two) - target(one)).square().sum(1).mean()
    torch.testing.assert_close(loss, forth + back)


def test_gradients_reach_the_online_network_only(tiny: Callable[..., Settings]) -> None:
    stage = byol(tiny())
    loss = stage(PICTURES, torch.Generator().manual_seed(1))["loss"]
    online = [p for module, _ in stage.parameter_groups() for p in module.parameters()]
    assert not any(p.requires_grad for p in stage.target_backbone.parameters())
    assert not any(p.requires_grad for p in stage.target_projector.parameters())
    assert sum(float(g.abs().sum()) for g in torch.autograd.grad(loss, online)) > 0
    assert len(online) == sum(p.requires_grad for p in stage.parameters())


@pytest.mark.parametrize("ema", [0.0, 0.9, 1.0])
def test_a_step_moves_the_target_by_the_formula(tiny: Callable[..., Settings], ema: float) -> None:
    settings = tiny(pretrain={"ema": ema, "steps": 1})
    stage = byol(settings)
    before = [p.clone() for p in stage.target_backbone.parameters()]
    with torch.no_grad():
        for parameter in stage.backbone.parameters():
            parameter.add_(torch.randn_like(parameter))
    stage.after_step(0.3)
    momentum = 1 - (1 - ema) * (math.cos(0.3 * math.pi) + 1) / 2
    for slow, old, fast in zip(stage.target_backbone.parameters(), before, stage.backbone.parameters(), strict=True):
        torch.testing.assert_close(slow, momentum * old + (1 - momentum) * fast)


def test_the_loop_moves_the_target_after_each_step(tiny: Callable[..., Settings], tmp_path: Path) -> None:
    """Of two steps the second has momentum 1, so the target is the average of the start and the first step's end."""
    settings = tiny(pretrain={"ema": 0.6, "steps": 2, "batch": 4})
    stage = byol(settings)
    start = [p.clone() for p in stage.target_projector.parameters()]
    online: list[list[Tensor]] = []
    stage.register_forward_pre_hook(
        lambda *_: online.append([p.detach().clone() for p in stage.projector.parameters()])
    )
    pixels = np.random.default_rng(0).integers(0, 255, (8, 48, 48, 3)).astype(np.uint8)
    training = Training(
        stage,
        settings.pretrain,
        optimiser="sgd",
        pixels=pixels,
        rows=np.arange(8),
        folder=tmp_path,
        seed=0,
        fabric=make_fabric("32-true"),
        identity="x",
    )
    training.run(silent)
    momentum = 1 - 0.4 * (math.cos(math.pi / 2) + 1) / 2
    for slow, old, fast in zip(stage.target_projector.parameters(), start, online[1], strict=True):
        torch.testing.assert_close(slow.detach(), momentum * old + (1 - momentum) * fast, atol=1e-6, rtol=1e-5)
    assert any(not torch.equal(a, b) for a, b in zip(online[0], online[1], strict=True))


def test_frozen_batchnorm_keeps_the_encoders_statistics(tiny: Callable[..., Settings]) -> None:
    for frozen in (True, False):
        stage = byol(tiny(pretrain={"frozen_batchnorm": frozen}))
        before = {k: v.clone() for k, v in stage.backbone.named_buffers()}
        stage(PICTURES, torch.Generator().manual_seed(1))
        assert all(torch.equal(v, before[k]) for k, v in stage.backbone.named_buffers()) == frozen


def test_only_a_bent_view_bends() -> None:
    views = ViewSettings(bend=(0.001, 0.01))
    _, flat = draw_view(PICTURES, views, SIZES, torch.Generator().manual_seed(0))
    seen, bent = draw_view(PICTURES, views, SIZES, torch.Generator().manual_seed(0), bent=True)
    assert flat.bend is None
    assert bent.bend is not None
    assert seen.shape == (4, 3, 32, 32)
    _, straight = draw_view(PICTURES, ViewSettings(), SIZES, torch.Generator().manual_seed(0), bent=True)
    assert straight.bend is None
