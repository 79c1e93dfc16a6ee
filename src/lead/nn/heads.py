"""Landmark heads on frozen features: the peers' soft-argmax regressor, and ridge regression to heat maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.geometry import cell_grid, soft_argmax

FILTERS = 50
SHARPNESS = 100.0


class SoftArgmaxHead(nn.Module):
    """The regressor of DVE and ContrastLandmarks, which the paper keeps (LEAD §4; protocols shared by the peers).

    Each landmark has its own 50 bias-free 1×1 filters; the expected position under each filter's softmax is a virtual
    key point, and a bias-free linear map of its landmark's 50 gives the landmark.

    Args:
        dimension: C of the features.
        landmarks: K.
    """

    def __init__(self, dimension: int, landmarks: int) -> None:
        super().__init__()
        self.landmarks = landmarks
        self.filters = nn.Conv2d(dimension, landmarks * FILTERS, 1, bias=False)
        nn.init.normal_(self.filters.weight)
        # One linear layer for each landmark: grouped 1×1 convolution over its 50 (x, y) pairs.
        self.linear = nn.Conv1d(landmarks * FILTERS * 2, landmarks * 2, 1, groups=landmarks, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, K, 2) normalised (x, y)."""
        virtual = soft_argmax(SHARPNESS * self.filters(features))  # (B, K*50, 2)
        out: Tensor = self.linear(virtual.flatten(1)[:, :, None])  # (B, K*2, 1)
        return out.view(-1, self.landmarks, 2)


def context(features: Tensor, radius: int) -> Tensor:
    """Unit features beside those of their neighbours: (B, C, H, W) → (B, C·(2r+1)², H, W); edges continue."""
    unit = functional.normalize(features.float(), dim=1)
    if radius == 0:
        return unit
    side = 2 * radius + 1
    padded = functional.pad(unit, (radius,) * 4, mode="replicate")
    return functional.unfold(padded, side).view(unit.shape[0], -1, *unit.shape[-2:])


def gaussian_maps(points: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Heat maps (B, K, H, W) with a Gaussian bump of ``sigma`` cells at each normalised point (B, K, 2)."""
    half = torch.tensor([width / 2, height / 2], device=points.device)
    offset = (cell_grid(height, width, device=points.device) - points[:, :, None, None, :]) * half
    return (-offset.square().sum(-1) / (2 * sigma**2)).exp()
