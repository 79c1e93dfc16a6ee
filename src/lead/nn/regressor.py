"""Student and landmark head in one network, for training from labels end to end."""

from __future__ import annotations

from torch import Tensor, nn

from lead.geometry import soft_argmax
from lead.nn.student import Student


class LandmarkRegressor(nn.Module):
    """A 1×1 convolution makes a heat map of each landmark; its soft-argmax is the place.

    Args:
        student: the feature network.
        dimension: C of its features.
        landmarks: K.
    """

    def __init__(self, student: Student, dimension: int, landmarks: int) -> None:
        super().__init__()
        self.student = student
        self.heat = nn.Conv2d(dimension, landmarks, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 3, H, W) in [0, 1] → (B, K, 2) normalised (x, y)."""
        return soft_argmax(self.heat(self.student(pictures)))
