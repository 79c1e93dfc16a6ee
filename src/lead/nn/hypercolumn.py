"""The hypercolumn: a network's maps, upsampled to a common grid and concatenated (LEAD §3.2, Fig. 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Normalisation = Literal["none", "level", "centred"]


def hypercolumn(
    maps: Sequence[Tensor],
    size: tuple[int, int],
    *,
    weights: Sequence[float] | None = None,
    normalisation: Normalisation = "none",
) -> Tensor:
    """One vector for each cell of a common grid.

    Args:
        maps: (B, C_l, H_l, W_l) of the levels, finest first.
        size: (height, width) of the grid.
        weights: one factor for each level; 0 leaves a level out. Of more, the last ones count. None means 1 for each.
        normalisation: ``"none"`` concatenates as is (the paper). ``"level"`` makes each level's vector a unit vector,
            so that weights alone say how much it counts. ``"centred"`` first removes each channel's mean over the
            picture's cells, then does the same: what all cells share tells no parts apart.

    Returns:
        (B, ΣC_l, height, width): 960 channels for ResNet-18, 3840 for ResNet-50.
    """
    factors = [1.0] * len(maps) if weights is None else list(weights)[-len(maps) :]
    parts = []
    for level, factor in zip(maps, factors, strict=True):
        if factor == 0:
            continue
        part = functional.interpolate(level.float(), size=size, mode="bilinear", align_corners=False)
        if normalisation == "centred":
            part = part - part.mean((2, 3), keepdim=True)
        if normalisation != "none":
            part = functional.normalize(part, dim=1)
        parts.append(part * factor)
    return torch.cat(parts, dim=1)
