"""Stage 2: its objective from the paper's parts, and a teacher that nothing moves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from lead import checkpoint
from lead.config import MocoSettings, PictureSettings, Settings, load_preset
from lead.datasets.base import Dataset
from lead.geometry import cell_grid
from lead.images.views import Chained, correspondence
from lead.losses import alignment_loss, equivariance_loss, exchange_loss
from lead.nn.backbone import Backbone
from lead.nn.hypercolumn import hypercolumn
from lead.nn.student import LinearStudent
from lead.reporting import silent
from lead.training.distill import Distill
from lead.training.engine import TrainingLoop
from lead.training.launch import make_fabric
from lead.training.pretrain import draw_view
from lead.training.run import Run, open_pictures
from lead.training.stages import distill as run_distill
from lead.training.stages import pretrain

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
    training = TrainingLoop(
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


# --- the peers' terms ------------------------------------------------------------------------------------------------


def unit_cells(features: Tensor) -> Tensor:
    """(B, C, H, W) to unit vectors (B, H·W, C)."""
    cells = features.flatten(2).transpose(1, 2)
    return cells / cells.square().sum(-1, keepdim=True).sqrt()


def pixels_apart(points: Tensor) -> Tensor:
    """Of places (N, 2) from each cell's centre in an 8 × 8 map of a 32-pixel picture: (N, 64)."""
    centres = torch.tensor([[-1 + (2 * x + 1) / 8, -1 + (2 * y + 1) / 8] for y in range(8) for x in range(8)])
    return (points[:, None] - centres).square().sum(-1).sqrt() * 16


def test_the_projector_asks_each_cell_for_its_own_place(tiny: Callable[..., Settings]) -> None:
    settings = tiny(distill={"alignment": 0.0, "projector": 0.5, "projector_scale": 8.0})
    stage = distill(settings).train()
    assert stage.single_view
    losses = stage(PICTURES, torch.Generator().manual_seed(1))
    assert losses.keys() == {"loss", "projector", "spread"}
    view, _ = draw_view(PICTURES, settings.distill.views, SIZES, torch.Generator().manual_seed(1))
    root = pixels_apart(cell_grid(8, 8).view(-1, 2)).sqrt()
    costs = []
    for cells in unit_cells(stage.projection(stage.student(view))):
        power = torch.exp(8.0 * cells @ cells.T)
        costs.append((power / power.sum(1, keepdim=True) * root).sum(1).mean())
    torch.testing.assert_close(losses["projector"], torch.stack(costs).mean(), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(losses["loss"], 0.5 * losses["projector"])


def test_dve_finds_cells_of_the_second_view_in_the_first_by_way_of_another_picture(
    tiny: Callable[..., Settings],
) -> None:
    views = {"draws": "normal", "scale": (0.9, 1.1), "shift": 0.1, "rotation": 5.0, "bend": (0.0005, 0.005)}
    settings = tiny(distill={"alignment": 0.0, "dve": 2.0, "projection": None, "views": views})
    stage = distill(settings).train()
    assert not stage.single_view
    losses = stage(PICTURES, torch.Generator().manual_seed(1))
    assert losses.keys() == {"loss", "dve", "spread", "seen"}
    draws = torch.Generator().manual_seed(1)
    one, warp_one = draw_view(PICTURES, settings.distill.views, SIZES, draws)
    two, warp_two = draw_view(PICTURES, settings.distill.views, SIZES, draws, bent=True, after=warp_one)
    assert isinstance(warp_two, Chained)
    truth = warp_two.inner(cell_grid(8, 8).view(-1, 2))  # DVE's second warp is of the first view
    c_one, c_two = (20 * unit_cells(part) for part in stage.student(torch.cat([one, two])).chunk(2))
    costs = []
    for b in range(4):
        other = c_two[(b - 1) % 4]
        rebuilt = (c_two[b] @ other.T).softmax(1) @ other
        chosen = (rebuilt @ c_one[b].T).softmax(1)
        costs.append((chosen * pixels_apart(truth[b]).sqrt()).sum(1).mean())
    torch.testing.assert_close(losses["dve"], torch.stack(costs).mean(), atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(losses["loss"], 2 * losses["dve"])


def linear(tiny: Callable[..., Settings], **own: object) -> Settings:
    """ContrastLandmarks' stage 2, but for ``own``."""
    peer = {
        "decoder": "linear",
        "alignment": 0.0,
        "projector": 1.0,
        "projection": None,
        "spatial_softmax": 6.5,
        "views": MocoSettings().views.model_dump(),
        "steps": 2,
    }
    return tiny(
        distill=peer | own,
        hypercolumn={"weights": (0.0, 1.0, 2.0, 0.5), "normalisation": "centred"},
        pretrain={"steps": 0},
    )


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_linear_student_trains_its_convolution_alone(
    tiny: Callable[..., Settings], tmp_path: Path, optimiser: str
) -> None:
    settings = linear(tiny, optimiser=optimiser, encoder_lr=1.0, frozen_batchnorm=False)
    first = {name: value.clone() for name, value in distill(settings).student.decoder.state_dict().items()}
    stage, before = trained(settings, tmp_path)
    assert isinstance(stage.student, LinearStudent)
    encoder = stage.student.backbone
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert not any(module.training for module in encoder.modules())
    assert all(p.grad is None and not p.requires_grad for p in encoder.parameters())
    decoder = stage.student.decoder.state_dict()
    assert all(not torch.equal(value, first[name]) for name, value in decoder.items() if name == "weight")
    assert {module for module, _ in stage.parameter_groups()} == {stage.student.decoder, stage.projection}
    assert {p.data_ptr() for p in stage.parameters() if p.grad is not None} == {
        p.data_ptr() for p in stage.student.decoder.parameters()
    }


def test_a_linear_student_comes_back_from_its_run(
    tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path
) -> None:
    settings = linear(tiny)
    run, pictures = Run.create(tmp_path / "run", settings), open_pictures(folder, settings)
    pretrain(run, pictures)
    run_distill(run, pictures)
    student = Run.open(run.folder).student().eval()
    assert isinstance(student, LinearStudent)
    assert student.sharpness == 6.5
    with torch.no_grad():
        features = student(PICTURES)
        maps = run.backbone().eval()(PICTURES)
        column = hypercolumn(maps, (12, 12), weights=(0.0, 1.0, 2.0, 0.5), normalisation="centred")
    decoder = checkpoint.load(run.folder / "student.safetensors", "student")[0]
    weight, bias = decoder["decoder.weight"][:, :, 0, 0], decoder["decoder.bias"]
    product = torch.einsum("dc,bchw->bdhw", weight, column) + bias[:, None, None]
    torch.testing.assert_close(features, (6.5 * product).flatten(2).softmax(-1).view(features.shape))
