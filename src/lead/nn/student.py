"""The student: an encoder and what makes one compact feature of its maps, which is what remains after training."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lead.nn.backbone import Backbone
from lead.nn.fpn import SCALE, FeaturePyramid
from lead.nn.hypercolumn import Normalisation, hypercolumn


def feature_size(pictures: Tensor) -> tuple[int, int]:
    """(height, width) of the features of pictures (B, 3, H, W)."""
    return pictures.shape[-2] // SCALE, pictures.shape[-1] // SCALE


class Student(nn.Module):
    """Φ^D of the paper: pictures to one compact feature for each cell at 1/4 scale.

    Args:
        backbone: the encoder, usually a copy of stage 1's.
        dimension: C.
        width: channels within the pyramid.
    """

    def __init__(self, backbone: Backbone, dimension: int = 64, width: int = 128) -> None:
        super().__init__()
        self.backbone = backbone
        self.decoder = FeaturePyramid(backbone.channels, backbone.strides, dimension, width)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, C, H/4, W/4), not normalised."""
        features: Tensor = self.decoder(self.backbone(pictures), feature_size(pictures))
        return features


class LinearStudent(nn.Module):
    """ContrastLandmarks' reduction: one 1×1 convolution of the frozen encoder's hypercolumn.

    Args:
        backbone: the encoder; frozen here.
        dimension: C.
        weights, normalisation: of the hypercolumn's levels.
        sharpness: factor of a softmax of each channel over the cells, after the convolution; None for no softmax.
    """

    def __init__(
        self,
        backbone: Backbone,
        dimension: int,
        *,
        weights: Sequence[float],
        normalisation: Normalisation,
        sharpness: float | None,
    ) -> None:
        super().__init__()
        self.backbone = backbone.requires_grad_(False)
        self.weights, self.normalisation, self.sharpness = tuple(weights), normalisation, sharpness
        kept = [c for c, w in zip(backbone.channels, weights[-len(backbone.channels) :], strict=True) if w]
        self.decoder = nn.Conv2d(sum(kept), dimension, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, C, H/4, W/4); each channel sums to 1 if there is a softmax."""
        with torch.no_grad():
            maps = self.backbone(pictures)
            column = hypercolumn(maps, feature_size(pictures), weights=self.weights, normalisation=self.normalisation)
        features: Tensor = self.decoder(column)
        if self.sharpness is None:
            return features
        return (self.sharpness * features.float()).flatten(2).softmax(-1).view(features.shape)


AnyStudent = Student | LinearStudent
