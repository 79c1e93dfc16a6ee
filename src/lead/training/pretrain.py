"""Stage 1 on whole pictures: BYOL (LEAD §3.2; Grill et al. 2020), or MoCo, as its peer ContrastLandmarks has it."""

from __future__ import annotations

import copy
import math

import torch
from torch import Tensor, nn

from lead import processes
from lead.config import PictureSettings, PretrainSettings, ViewSettings
from lead.images.peers import jpeg_noise, lighting, resized_crop_warp
from lead.images.views import Chained, Colour, Warp, affine_warp, bend_warp, dve_warp, recolour, render
from lead.losses import byol_loss, moco_loss
from lead.nn.backbone import Backbone
from lead.nn.projection import instance_mlp
from lead.training.engine import Stage, spread


def draw_view(
    pictures: Tensor,
    views: ViewSettings,
    picture: PictureSettings,
    generator: torch.Generator,
    *,
    bent: bool = False,
    after: Warp | Chained | None = None,
) -> tuple[Tensor, Warp | Chained]:
    """A random view (B, 3, input, input) of each picture, and the warp through which it is seen.

    Args:
        pictures: (B, 3, S, S) in [0, 1].
        views: what may be drawn.
        picture: sizes.
        generator: the source of randomness.
        bent: whether this view may be bent; of two, the second is.
        after: the first view's warp, through which DVE's second warp looks; other draws do not depend on it.
    """
    with torch.autocast(pictures.device.type, enabled=False):  # else colours and places would be rounded to bfloat16
        warp = draw_warp(len(pictures), views, picture, generator, bent=bent)
        seen_through = Chained(after, warp) if views.draws == "normal" and isinstance(after, Warp) else warp
        if views.jpeg:
            pictures = jpeg_noise(pictures, views.jpeg, generator)
        colour = Colour(views.jitter, views.hue, views.grey, views.blur, views.noise)
        seen = recolour(render(pictures, seen_through, picture.input), colour, generator)
        if views.lighting:
            seen = lighting(seen, views.lighting, generator)
    return seen.contiguous(memory_format=torch.channels_last), seen_through


def draw_warp(
    count: int, views: ViewSettings, picture: PictureSettings, generator: torch.Generator, *, bent: bool = False
) -> Warp:
    """The random warps of ``count`` views."""
    if views.draws == "normal":  # DVE bends its first view too, half as much
        weak, strong = views.bend if bent else (views.bend[0] / 2, views.bend[1] / 2)
        deviation = (views.sides[1] - views.sides[0]) / 2
        return dve_warp(
            count,
            bend=(weak, strong),
            shift=views.shift,
            scale=deviation,
            rotation=views.degrees,
            generator=generator,
        )
    if views.draws == "resized-crop":
        # The peers cut the middle out of the crop, as they do of a picture at inference.
        warp = resized_crop_warp(
            count, scale=views.sides, stretch=views.stretch, generator=generator, shown=picture.frame
        )
    else:
        warp = affine_warp(
            count,
            scale=views.sides,
            shift=views.shift,
            rotation=views.degrees,
            stretch=views.stretch,
            generator=generator,
        )
    return bend_warp(warp, strength=views.bend, generator=generator) if bent and any(views.bend) else warp


@torch.no_grad()
def move_average(slow: nn.Module, fast: nn.Module, momentum: float) -> None:
    """Moves the parameters of ``slow`` towards those of ``fast``; BatchNorm's statistics are each network's own."""
    for average, value in zip(slow.parameters(), fast.parameters(), strict=True):
        average.lerp_(value, 1 - momentum)


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
        self.settings, self.picture = settings, picture
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
        one, _ = draw_view(pictures, self.settings.views, self.picture, generator)
        two, _ = draw_view(pictures, self.settings.views, self.picture, generator)
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

    def after_step(self, progress: float) -> None:
        # τ rises from ema to 1: 1 - (1 - τ₀)(cos(πk/K) + 1)/2 (BYOL, §3.2)
        momentum = 1 - (1 - self.settings.ema) * (math.cos(math.pi * progress) + 1) / 2
        move_average(self.target_backbone, self.backbone, momentum)
        move_average(self.target_projector, self.projector, momentum)

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        return [(self.backbone, 1.0), (self.projector, 1.0), (self.predictor, 1.0)]


class Moco(Stage):
    """Query encoder, key encoder by moving average, and a queue of earlier keys (ContrastLandmarks, train_moco.py).

    Each encoder is the backbone, its coarsest map averaged, and one linear layer. BatchNorm sees the whole batch, on
    however many devices it is, so that shuffling the keys among devices, which keeps BatchNorm from telling the answer
    where each device has its own, has no meaning.

    Args:
        backbone: trained in place.
        settings: of stage 1.
        picture: sizes.
    """

    name = "pretrain"
    queue: Tensor
    oldest: Tensor

    def __init__(self, backbone: Backbone, settings: PretrainSettings, picture: PictureSettings) -> None:
        super().__init__()
        self.settings, self.picture = settings, picture
        dimension = settings.moco.dimension
        self.backbone = backbone
        self.projector = nn.Linear(backbone.channels[-1], dimension)
        self.key_backbone = copy.deepcopy(backbone).requires_grad_(False)
        self.key_projector = copy.deepcopy(self.projector).requires_grad_(False)
        self.register_buffer("queue", nn.functional.normalize(torch.randn(settings.moco.queue, dimension), dim=1))
        self.register_buffer("oldest", torch.zeros((), dtype=torch.long))

    def train(self, mode: bool = True) -> Moco:
        super().train(mode)
        if self.settings.frozen_batchnorm:
            self.backbone.eval()
            self.key_backbone.eval()
        return self

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        moco = self.settings.moco
        one, _ = draw_view(pictures, moco.views, self.picture, generator)
        two, _ = draw_view(pictures, moco.views, self.picture, generator)
        query = self.projector(self.backbone(one)[-1].mean((2, 3)))  # (B, dimension)
        with torch.no_grad():
            key = self.key_projector(self.key_backbone(two)[-1].mean((2, 3)))
        loss = moco_loss(query, key, self.queue.clone(), temperature=moco.temperature)
        self._enqueue(processes.stacked(key).flatten(0, 1))
        return {"loss": loss, "spread": spread(query)}

    @torch.no_grad()
    def _enqueue(self, key: Tensor) -> None:
        """The newest keys take the oldest's places."""
        size = len(self.queue)
        keys = nn.functional.normalize(key.float(), dim=1)[-size:]
        places = (self.oldest + torch.arange(len(keys), device=keys.device)) % size
        self.queue[places] = keys
        self.oldest.copy_((self.oldest + len(keys)) % size)

    def after_step(self, progress: float) -> None:  # noqa: ARG002 - its momentum is constant
        move_average(self.key_backbone, self.backbone, self.settings.moco.ema)
        move_average(self.key_projector, self.projector, self.settings.moco.ema)

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        return [(self.backbone, 1.0), (self.projector, 1.0)]
