"""The student's decoder: a feature pyramid whose levels meet at 1/4 scale (LEAD §4; Lin et al. 2017)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

SCALE = 4
"""Input pixels, along a side, to a cell of the feature."""


def _block(channels: int, out: int) -> nn.Sequential:
    # At least two channels a group: alone, a channel that has shrunk to one cell would be its own mean.
    groups = next(g for g in (32, 16, 8, 4, 2, 1) if g == 1 or (out % g == 0 and out >= 2 * g))
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.GroupNorm(groups, out), nn.ReLU())


def _resize(maps: Tensor, size: Sequence[int]) -> Tensor:
    return functional.interpolate(maps, size=tuple(size), mode="bilinear", align_corners=False)


class FeaturePyramid(nn.Module):
    """Lateral 1×1 convolutions, a top-down path, then upsampling blocks of every level to a grid of 1/4 scale.

    Each upsampling block is convolution, group normalisation, ReLU and a doubling, repeated until the level reaches
    that grid; the levels are summed there and a 1×1 convolution makes the feature. Levels of one scale, as a vision
    transformer has them, are all doubled as often.

    Args:
        channels: of the incoming maps, finest first.
        strides: of the incoming maps, in input pixels.
        out: C, the feature's dimension.
        width: channels within the pyramid.
    """

    def __init__(self, channels: Sequence[int], strides: Sequence[int], out: int = 64, width: int = 128) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        doublings = [max(math.ceil(math.log2(stride / SCALE)), 1) for stride in strides]
        self.blocks = nn.ModuleList(nn.ModuleList(_block(width, width) for _ in range(count)) for count in doublings)
        self.out = nn.Conv2d(width, out, 1)

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """Maps (B, C_l, H_l, W_l), finest first, to features (B, out, height, width) of ``size``."""
        levels = [lateral(m) for lateral, m in zip(self.lateral, maps, strict=True)]
        for i in range(len(levels) - 2, -1, -1):
            levels[i] = levels[i] + _resize(levels[i + 1], levels[i].shape[-2:])
        total = self._raised(0, levels[0], size)
        for i, level in enumerate(levels[1:], start=1):
            total = total + self._raised(i, level, size)
        features: Tensor = self.out(total)
        return features

    def _raised(self, level: int, maps: Tensor, size: tuple[int, int]) -> Tensor:
        blocks = self.blocks[level]
        assert isinstance(blocks, nn.ModuleList)
        for step, block in enumerate(blocks):
            left = 2 ** (len(blocks) - 1 - step)  # what the doublings after this one make up for
            maps = _resize(block(maps), [math.ceil(side / left) for side in size])
        return maps
