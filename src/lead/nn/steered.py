"""A ridge head for things that lie any way: it tries every heading, and answers at the best."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lead.geometry import soft_argmax
from lead.nn.heads import Lie, RidgeHead
from lead.nn.shape import fit_pose_robustly

CHOOSING = 120.0
"""Sharpness with which places are found while a heading is chosen."""
SHAPELESS, MOST = 0.5, 2.0
"""What a mean distance of one radius from the places in the common shape counts against a heading, in shares of the
best one's height; up to so many radii."""
AGAINST, AWRY = 0.3, math.cos(math.radians(60))
"""What counts against it, if the places found make the thing lie turned by more than 60° otherwise."""


class SteeredHead(RidgeHead):
    """A ridge head whose neighbourhoods are turned in eighths, and mirrored if asked, to wherever a thing's top points.

    Features learnt with views turned all round are nearly the same however a thing lies, but not what surrounds a cell.
    One weight serves all headings with the neighbours in another order, so the network looks only once (steerable
    filters: Freeman and Adelson, 1991).

    Args:
        dimension: C of the features.
        landmarks: K.
        ring: as of :class:`RidgeHead`.
        lies: to try; each at most once.

    Attributes:
        shape: (K, 2) the common shape; see :func:`lead.nn.shape.common_shape`.
        usual: its usual size in whole pictures.
    """

    shape: Tensor
    usual: Tensor

    def __init__(self, dimension: int, landmarks: int, ring: int, lies: Sequence[Lie]) -> None:
        super().__init__(dimension, landmarks, ring=ring)
        self.lies = tuple(lies)
        self.register_buffer("shape", torch.zeros(landmarks, 2))
        self.register_buffer("usual", torch.tensor(1.0))
        orders = torch.stack([self.order(lie) for lie in self.lies])  # (L, D)
        self.register_buffer("places", orders.argsort(1), persistent=False)
        angle = torch.tensor([lie.step for lie in self.lies]) * (math.pi / 4)
        self.register_buffer("tops", torch.stack([angle.cos(), angle.sin()], dim=-1), persistent=False)
        sides = torch.tensor([-1.0 if lie.mirrored else 1.0 for lie in self.lies])
        self.register_buffer("sides", sides, persistent=False)

    places: Tensor
    tops: Tensor
    sides: Tensor

    def heat_of(self, inputs: Tensor, weight: Tensor) -> Tensor:
        """Heat maps of the best lie of each picture: (B, R, H, W) and (D, M) → (B, M, H, W); M any multiple of K."""
        landmarks = len(self.shape)
        return torch.cat([self._best(inputs, some) for some in torch.split(weight, landmarks, dim=1)], dim=1)

    def _best(self, inputs: Tensor, weight: Tensor) -> Tensor:
        """As :meth:`heat_of`, of one weight (D, K)."""
        count, landmarks = len(self.lies), weight.shape[1]
        every = weight[self.places].permute(1, 0, 2).flatten(1)  # (D, L·K)
        heat = super().heat_of(inputs, every)
        heat = heat.view(-1, count, landmarks, *heat.shape[-2:])
        best = self._value(heat.flatten(0, 1)).argmax(1)  # (B,)
        return torch.take_along_dim(heat, best[:, None, None, None, None], dim=1)[:, 0]

    def _value(self, heat: Tensor) -> Tensor:
        """How well each lie explains a picture: (B·L, K, H, W) → (B, L)."""
        count = len(self.lies)
        points, score = soft_argmax(CHOOSING * heat), self.height(heat)
        every = len(heat) // count
        side = self.sides.repeat(every)
        pose, residual = fit_pose_robustly(self.shape, points, score + 0.05, usual=self.usual, side=side)
        top = pose.turn / pose.size[:, None].clamp(min=1e-6)
        awry = (top * self.tops.repeat(every, 1)).sum(-1) < AWRY
        height = score.mean(-1).view(-1, count)
        shapeless = residual.clamp(max=MOST).mean(-1) * SHAPELESS + awry.float() * AGAINST
        return height / height.amax(1, keepdim=True).clamp(min=1e-6) - shapeless.view(-1, count)
