"""Stage 1: BYOL's loss of both directions and its moving target, MoCo's loss, keys and queue, and the views of both."""

from __future__ import annotations

import math
import signal
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from lead import checkpoint
from lead.config import MocoSettings, PictureSettings, Settings, ViewSettings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.geometry import cell_grid, inside
from lead.images.views import Chained, Warp, correspondence
from lead.nn.backbone import Backbone
from lead.reporting import silent
from lead.training.engine import TrainingLoop
from lead.training.launch import make_fabric
from lead.training.pretrain import Byol, Moco, draw_view, draw_warp
from lead.training.run import Run, open_pictures
from lead.training.stages import pretrain
from lead.training.upkeep import Upkeep

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
    training = TrainingLoop(
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
    assert isinstance(flat, Warp)
    seen, bent = draw_view(PICTURES, views, SIZES, torch.Generator().manual_seed(0), bent=True)
    assert flat.bend is None
    assert isinstance(bent, Warp)
    assert bent.bend is not None
    assert seen.shape == (4, 3, 32, 32)
    _, straight = draw_view(PICTURES, ViewSettings(), SIZES, torch.Generator().manual_seed(0), bent=True)
    assert isinstance(straight, Warp)
    assert straight.bend is None


# --- MoCo ------------------------------------------------------------------------------------------------------------


def moco(settings: Settings) -> Moco:
    torch.manual_seed(0)
    return Moco(Backbone("test_resnet"), settings.pretrain, settings.picture).train()


def moco_settings(tiny: Callable[..., Settings], **own: object) -> Settings:
    """Settings of MoCo, ``own`` among those that BYOL does not have."""
    return tiny(pretrain={"objective": "moco", "moco": {"queue": 10, "dimension": 12, **own}})


def stray(stage: Moco) -> None:
    """Makes the key encoder differ from the query encoder, as after some steps."""
    with torch.no_grad():
        for parameter in stage.key_projector.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))


def test_mocos_loss_is_its_equation_over_the_queue_as_it_was(tiny: Callable[..., Settings]) -> None:
    settings = moco_settings(tiny, temperature=0.2)
    stage = moco(settings)
    stray(stage)
    queue = stage.queue.clone()
    loss = stage(PICTURES, torch.Generator().manual_seed(1))["loss"]
    assert not torch.equal(stage.queue, queue)
    draws = torch.Generator().manual_seed(1)
    one, _ = draw_view(PICTURES, settings.pretrain.moco.views, SIZES, draws)
    two, _ = draw_view(PICTURES, settings.pretrain.moco.views, SIZES, draws)
    queries = unit(stage.projector(stage.backbone(one)[-1].mean((2, 3))))
    keys = unit(stage.key_projector(stage.key_backbone(two)[-1].mean((2, 3))))
    terms = []
    for query, key in zip(queries, keys, strict=True):
        own = torch.exp(query @ key / 0.2)
        others = [torch.exp(query @ other / 0.2) for other in queue]
        terms.append(-torch.log(own / torch.stack([own, *others]).sum()))
    torch.testing.assert_close(loss, torch.stack(terms).mean(), atol=1e-4, rtol=1e-4)


def test_mocos_gradients_reach_the_query_encoder_only(tiny: Callable[..., Settings]) -> None:
    stage = moco(moco_settings(tiny))
    stage(PICTURES, torch.Generator().manual_seed(1))["loss"].backward()
    reached = {name.partition(".")[0] for name, p in stage.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached == {"backbone", "projector"}
    assert {module for module, _ in stage.parameter_groups()} == {stage.backbone, stage.projector}
    assert {name.partition(".")[0] for name, p in stage.named_parameters() if p.requires_grad} == reached


@pytest.mark.parametrize("size", [10, 4, 3])  # no multiple of the batch of 4, one batch, less than one
def test_the_newest_keys_take_the_oldests_places(tiny: Callable[..., Settings], size: int) -> None:
    stage = moco(moco_settings(tiny, queue=size))
    stray(stage)
    produced: list[Tensor] = []
    stage.key_projector.register_forward_hook(lambda *call: produced.append(call[2]))
    expected = deque(stage.queue.clone(), maxlen=size)  # oldest first
    for step in range(4):
        places = stage.queue.clone()
        stage(PICTURES, torch.Generator().manual_seed(step))
        expected.extend(unit(produced[step]))
        found = stage.queue.roll(-int(stage.oldest), 0)
        torch.testing.assert_close(found, torch.stack(list(expected)))
        kept = (stage.queue == places).all(1).sum()
        assert kept == max(size - 4, 0)  # what is not replaced does not move
    torch.testing.assert_close(stage.queue.norm(dim=1), torch.ones(size))


def test_the_key_encoder_follows_at_a_constant_pace(tiny: Callable[..., Settings]) -> None:
    assert MocoSettings().ema == 0.999
    stage = moco(moco_settings(tiny))
    for progress in (0.1, 0.9):
        before = [p.clone() for p in (*stage.key_backbone.parameters(), *stage.key_projector.parameters())]
        with torch.no_grad():
            for module, _ in stage.parameter_groups():
                for parameter in module.parameters():
                    parameter.add_(torch.randn_like(parameter))
        stage.after_step(progress)
        slow = (*stage.key_backbone.parameters(), *stage.key_projector.parameters())
        fast = (*stage.backbone.parameters(), *stage.projector.parameters())
        for average, old, new in zip(slow, before, fast, strict=True):
            torch.testing.assert_close(average, 0.999 * old + 0.001 * new)


def test_frozen_batchnorm_holds_for_both_of_mocos_encoders(tiny: Callable[..., Settings]) -> None:
    for frozen in (True, False):
        stage = moco(tiny(pretrain={"frozen_batchnorm": frozen, "objective": "moco"}))
        before = {k: v.clone() for k, v in stage.named_buffers() if "running" in k}
        stage(PICTURES, torch.Generator().manual_seed(1))
        after = dict(stage.named_buffers())
        moved = {name.partition(".")[0] for name, value in before.items() if not torch.equal(after[name], value)}
        assert moved == (set() if frozen else {"backbone", "key_backbone"})


class Stop(Exception):
    """Raised from a report, as a kill would end the loop."""


def test_a_moco_stage_that_was_killed_goes_on_with_its_queue(tiny: Callable[..., Settings], tmp_path: Path) -> None:
    settings = tiny(pretrain={"objective": "moco", "steps": 5, "batch": 4, "moco": {"queue": 10, "dimension": 12}})
    pixels = np.random.default_rng(0).integers(0, 255, (8, 48, 48, 3)).astype(np.uint8)

    def training(folder: Path) -> tuple[Moco, TrainingLoop]:
        stage = moco(settings)
        return stage, TrainingLoop(
            stage,
            settings.pretrain,
            optimiser="sgd",
            pixels=pixels,
            rows=np.arange(8),
            folder=folder,
            seed=0,
            fabric=make_fabric("32-true"),
            identity="x",
            upkeep=Upkeep(log_every=1, save_every_s=-1.0),  # a checkpoint after every step
        )

    def stop(_stage: str, step: int, *_: object) -> None:
        if step == 4:
            raise Stop

    whole, run = training(tmp_path / "whole")
    run.run(silent)
    _, run = training(tmp_path / "cut")
    with pytest.raises(Stop):
        run.run(stop)
    torch.manual_seed(99)
    cut, run = training(tmp_path / "cut")
    assert run.step == 3
    assert int(cut.oldest) == 12 % 10
    run.run(silent)
    assert int(cut.oldest) == 20 % 10
    assert {"queue", "oldest", "key_projector.weight"} <= cut.state_dict().keys()
    for (name, ours), theirs in zip(cut.state_dict().items(), whole.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name


def test_the_objective_chooses_moco(tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path) -> None:
    settings = moco_settings(tiny)

    def interrupt(_stage: str, step: int, *_: object) -> None:
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    run, pictures = Run.create(tmp_path / "run", settings, Upkeep(log_every=1)), open_pictures(folder, settings)
    with pytest.raises(LeadError, match="Interrupted in pretrain after step 3 of 6"):
        pretrain(run, pictures, interrupt)
    tensors, _ = checkpoint.load(run.folder / "pretrain-state.safetensors", "state")
    assert tensors["stage.queue"].shape == (10, 12)
    pretrain(run, pictures)
    whole = Run.create(tmp_path / "whole", settings)
    pretrain(whole, pictures)
    ours, theirs, initial = (
        network.state_dict() for network in (run.backbone(), whole.backbone(), run.initial_backbone())
    )
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())
    assert any(not torch.equal(value, initial[name]) for name, value in ours.items() if name.endswith("weight"))


# --- the peers' views ------------------------------------------------------------------------------------------------

DVE = ViewSettings(draws="normal", scale=(0.9, 1.1), shift=0.1, rotation=5.0, stretch=0.0, bend=(0.001, 0.01))


def test_resized_crops_lie_within_the_picture_and_show_their_middle() -> None:
    """The peers resize the crop to the stored side and cut the frame out of it, as at inference."""
    frame = 96 / 136
    picture = PictureSettings(store=136, frame=frame, input=96)
    views = MocoSettings().views
    warp = draw_warp(3000, views, picture, torch.Generator().manual_seed(0))
    assert warp.bend is None
    assert not warp.affine[:, 0, 1].any()
    assert not warp.affine[:, 1, 0].any()
    shown = torch.stack([warp.affine[:, 0, 0], warp.affine[:, 1, 1]], dim=-1)
    centre = warp.affine[:, :, 2]
    crop = shown / frame
    assert (centre.abs() + crop <= 1 + 1e-5).all()
    assert float(crop.max()) == pytest.approx(1.0, abs=1e-3)
    areas = crop.prod(-1)
    assert 0.2 - 1e-5 <= float(areas.min()) < 0.21
    assert ((crop / crop.flip(-1))[(crop < 1).all(-1)] <= 4 / 3 + 1e-4).all()


def test_dves_first_view_is_bent_half_as_much_as_its_second() -> None:
    count = 2000
    for bent, share in ((False, 0.5), (True, 1.0)):
        warp = draw_warp(count, DVE, SIZES, torch.Generator().manual_seed(int(bent)), bent=bent)
        assert warp.bend is not None
        linear, centre = warp.affine[:, :, :2], warp.affine[:, :, 2]
        side, angle = linear[:, :, 0].norm(dim=-1), torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
        weights = warp.bend @ linear.transpose(1, 2)  # DVE adds the spline to the affine map: see dve_warp
        for values, mean, sd in (
            (side, 1.0, 0.1),
            (angle, 0.0, 5.0),
            (centre, 0.0, 0.1),
            (weights, 0.0, share * math.sqrt((0.001**2 + 0.01**2) / 2)),
        ):
            assert values.mean().item() == pytest.approx(mean, abs=4 * sd / count**0.5)
            assert values.std().item() == pytest.approx(sd, rel=0.06)


def test_dves_second_view_looks_through_the_first() -> None:
    draws = torch.Generator().manual_seed(3)
    mild = DVE.model_copy(update={"bend": (0.0005, 0.005)})  # which folds nothing over
    _, one = draw_view(PICTURES, mild, SIZES, draws)
    state = draws.get_state()
    seen, two = draw_view(PICTURES, mild, SIZES, draws, bent=True, after=one)
    assert seen.shape == (4, 3, 32, 32)
    assert isinstance(one, Warp)
    assert isinstance(two, Chained)
    assert two.outer is one
    grid = cell_grid(8, 8).view(-1, 2)
    own = draw_warp(4, mild, SIZES, torch.Generator().set_state(state), bent=True)(grid)
    near = inside(own)
    assert near.float().mean() > 0.7
    torch.testing.assert_close(correspondence(two, one, 8)[near], own[near], atol=1e-3, rtol=0)
    places = one.affine[:, :, :2] @ (own + _spline(one, own)).transpose(1, 2) + one.affine[:, :, 2:]
    torch.testing.assert_close(two(grid), places.transpose(1, 2), atol=1e-4, rtol=0)


def _spline(warp: Warp, points: Tensor) -> Tensor:
    """Σ w·d² log(d² + 1e-5) over the control points, by a loop."""
    assert warp.bend is not None
    line = torch.linspace(-1, 1, 10)
    out = torch.zeros_like(points)
    for number, control in enumerate(torch.cartesian_prod(line, line)):
        squared = (points - control).square().sum(-1, keepdim=True)
        out += warp.bend[:, number, None] * squared * (squared + 1e-5).log()
    return out


@pytest.mark.parametrize("draws", ["uniform", "resized-crop"])
def test_other_second_views_do_not_depend_on_the_first(draws: str) -> None:
    views = ViewSettings.model_validate({"draws": draws, "bend": (0.001, 0.01)})
    _, one = draw_view(PICTURES, views, SIZES, torch.Generator().manual_seed(0))
    seen, after = draw_view(PICTURES, views, SIZES, torch.Generator().manual_seed(1), bent=True, after=one)
    alone, warp = draw_view(PICTURES, views, SIZES, torch.Generator().manual_seed(1), bent=True)
    assert isinstance(after, Warp)
    assert isinstance(warp, Warp)
    assert torch.equal(after.affine, warp.affine)
    assert torch.equal(seen, alone)
