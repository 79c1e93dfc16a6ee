"""Every shipped preset trains: a step of both stages at a size that a test can afford."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import lead
from lead.config import presets
from lead.datasets.base import Dataset

SHORT = ("pretrain.steps=1", "pretrain.batch=4", "distill.steps=1", "distill.batch=4", "picture.input=32")


@pytest.mark.parametrize(("precision", "draws"), [("32-true", "uniform"), ("bf16-mixed", "normal")])
@pytest.mark.parametrize("preset", presets())
def test_a_preset_trains_both_stages(preset: str, precision: str, draws: str, folder: Dataset, tmp_path: Path) -> None:
    how = (f"precision={precision}", f"distill.views.draws={draws}")
    run = lead.train(folder, tmp_path / "run", preset=preset, assignments=(*SHORT, *how))
    settings = lead.load_preset(preset).distill
    features = run.student().eval()(torch.rand(1, 3, 64, 64))
    assert features.shape == (1, settings.dimension, 16, 16)
    assert torch.isfinite(features).all()


def test_the_paper_preset_is_the_paper() -> None:
    paper = lead.load_preset("paper")
    assert (paper.backbone.name, paper.backbone.init) == ("resnet50", "random")
    assert (paper.picture.store, paper.picture.input) == (136, 96)
    assert round(paper.picture.store * paper.picture.frame) == 96
    assert (paper.pretrain.batch, paper.pretrain.epochs, paper.pretrain.lr) == (256, 200, 0.03)
    assert (paper.distill.batch, paper.distill.epochs, paper.distill.temperature) == (256, 20, 0.05)
    assert (paper.distill.dimension, paper.distill.projection) == (64, 256)
    assert (paper.distill.alignment, paper.distill.equivariance, paper.distill.exchange) == (1, 0, 0)
    assert paper.hypercolumn.weights == (1, 1, 1, 1)
    assert paper.hypercolumn.normalisation == "none"
