"""Stage 1: BYOL on whole pictures (LEAD §3.2; Grill et al. 2020)."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from lead.config import PictureSettings, PretrainSettings, ViewSettings
from lead.images.views import Colour, Warp, affine_warp, bend_warp, recolour, render
from lead.losses import byol_loss
from lead.nn.backbone import Backbone
from lead.nn.projection import instance_mlp
from lead.training.engine import Stage, spread


def draw_view(
    pictures: Tensor, views: ViewSettings, size: int, generator: torch.Generator, *, bent: bool = False
) -> tuple[Tensor, Warp]:
    """A random view (B, 3, size, size) of each picture, and the warp through which it is seen."""
    warp = affine_warp(
        pictures.shape[0],
        scale=views.scale,
        shift=views.shift,
        rotation=views.rotation,
        stretch=views.stretch,
        generator=generator,
    )
    if bent and any(views.bend):
        warp = bend_warp(warp, strength=views.bend, generator=generator)
    colour = Colour(views.jitter, views.hue, views.grey, views.blur, views.noise)
    seen = recolour(render(pictures, warp, size), colour, generator)
    return seen.contiguous(memory_format=torch.channels_last), warp


class Byol(Stage):
    """Online network Φ, projector g and predictor q; target network and projector by moving average.

    Args:
        backbone: Φ, trained in place.
        settings: of stage 1.
        picture: sizes.
    """

    name = "pretrain"

    def __init__(self, backbone: Backbone, settings: PretrainSettings, picture: PictureSettings) -> None:
        super().__init__()
        self.settings, self.size = settings, picture.input
        width = backbone.channels[-1]
        self.backbone = backbone
        self.projector = instance_mlp(width, settings.hidden, settings.projection)
        self.predictor = instance_mlp(settings.projection, settings.hidden, settings.projection)
        self.target_backbone = copy.deepcopy(backbone).requires_grad_(False)
        self.target_projector = copy.deepcopy(self.projector).requires_grad_(False)

    def train(self, mode: bool = True) -> Byol:
        super().train(mode)
        if self.settings.frozen_batchnorm:
            self.backbone.eval()
            self.target_backbone.eval()
        return self

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        one, _ = draw_view(pictures, self.settings.views, self.size, generator)
        two, _ = draw_view(pictures, self.settings.views, self.size, generator)
        z_one, z_two = self.project(one), self.project(two)
        with torch.no_grad():
            target_one, target_two = self.project_target(one), self.project_target(two)
        loss = byol_loss(self.predictor(z_one), target_two) + byol_loss(self.predictor(z_two), target_one)
        return {"loss": loss, "spread": spread(z_one)}

    def project(self, view: Tensor) -> Tensor:
        """z of a view: (B, 3, H, W) → (B, projection)."""
        z: Tensor = self.projector(self.backbone(view)[-1].mean((2, 3)))
        return z

    def project_target(self, view: Tensor) -> Tensor:
        """The same by the target network."""
        z: Tensor = self.target_projector(self.target_backbone(view)[-1].mean((2, 3)))
        return z

    @torch.no_grad()
    def after_step(self, progress: float) -> None:
        # τ rises from ema to 1: 1 - (1 - τ₀)(cos(πk/K) + 1)/2 (BYOL, §3.2)
        momentum = 1 - (1 - self.settings.ema) * (math.cos(math.pi * progress) + 1) / 2
        for target, online in (
            (self.target_backbone, self.backbone),
            (self.target_projector, self.projector),
        ):
            for slow, fast in zip(target.parameters(), online.parameters(), strict=True):
                slow.lerp_(fast, 1 - momentum)

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        return [(self.backbone, 1.0), (self.projector, 1.0), (self.predictor, 1.0)]
