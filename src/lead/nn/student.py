"""The student: an encoder and a feature pyramid, which is what remains after training."""

from __future__ import annotations

from torch import Tensor, nn

from lead.nn.backbone import Backbone
from lead.nn.fpn import FeaturePyramid


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
        self.pyramid = FeaturePyramid(backbone.channels, dimension, width)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, C, H/4, W/4), not normalised."""
        features: Tensor = self.pyramid(self.backbone(pictures))
        return features
