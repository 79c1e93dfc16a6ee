"""Which individual a specimen is, by what it looks like at its landmarks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.landmarks.same import assigned

LEAST = 0.05
"""A specimen is never called by a name that is less likely its own than this."""


class Individuals(nn.Module):
    """A linear map from the features at a specimen's landmarks to how well each name fits, fitted in closed form.

    Args:
        names: I individuals.
        width: D of what is seen of a specimen, see :func:`design`.

    Attributes:
        weight: (I, D).
        sharpness: factor before the softmax.
    """

    weight: Tensor
    sharpness: Tensor

    def __init__(self, names: tuple[str, ...], width: int) -> None:
        super().__init__()
        self.names = names
        self.register_buffer("weight", torch.zeros(len(names), width))
        self.register_buffer("sharpness", torch.ones(()))

    def forward(self, seen: Tensor) -> Tensor:
        """How likely each name is (n, I), from :func:`design` (n, D)."""
        likely: Tensor = (self.sharpness * (seen @ self.weight.T)).softmax(-1)
        return likely

    def called(self, seen: Tensor) -> tuple[str, ...]:
        """The names of the n specimens of one picture, each given once at most; "" for one that none is left for."""
        return called(self(seen), self.names)


def design(features: Tensor, points: Tensor) -> Tensor:
    """What specimens look like at their landmarks: (n, D), D = K·C + 1, the last being constant.

    Args:
        features: (n, C, h, w) of a window onto each.
        points: (n, K, 2) in the windows' normalised coordinates; NaN or beyond the window where there is none to see.
    """
    unit = functional.normalize(features, dim=1)
    there = points.nan_to_num(9.0)
    known = (there.abs() <= 1).all(-1)
    at = functional.grid_sample(unit, there[:, :, None], align_corners=False)[..., 0].transpose(1, 2)  # (n, K, C)
    share = known.float().mean(1, keepdim=True).clamp(min=1 / points.shape[1])
    return torch.cat([(at * known[..., None]).flatten(1) / share, torch.ones(len(points), 1, device=at.device)], dim=1)


def called(likely: Tensor, names: tuple[str, ...]) -> tuple[str, ...]:
    """As :meth:`Individuals.called`, from how likely each name is (n, I)."""
    cost = -likely.double().clamp(min=1e-12).log().cpu().numpy()
    out = [""] * len(likely)
    for row, name in assigned(cost, float(-np.log(LEAST))):
        out[row] = names[name]
    return tuple(out)
