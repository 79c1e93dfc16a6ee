"""The student's decoder: a feature pyramid whose levels meet at 1/4 scale (LEAD §4; Lin et al. 2017)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional


def _block(channels: int, out: int) -> nn.Sequential:
    # At least two channels a group: alone, a channel that has shrunk to one cell would be its own mean.
    groups = next(g for g in (32, 16, 8, 4, 2, 1) if g == 1 or (out % g == 0 and out >= 2 * g))
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.GroupNorm(groups, out), nn.ReLU())


def _resize(maps: Tensor, like: Tensor) -> Tensor:
    return functional.interpolate(maps, size=like.shape[-2:], mode="bilinear", align_corners=False)


class FeaturePyramid(nn.Module):
    """Lateral 1×1 convolutions, a top-down path, then upsampling blocks of every level to the finest one's grid.

    Each upsampling block is convolution, group normalisation, ReLU and a doubling, repeated until the level reaches
    the finest grid; the levels are summed there and a 1×1 convolution makes the feature.

    Args:
        channels: of the incoming maps, finest first.
        out: C, the feature's dimension.
        width: channels within the pyramid.
    """

    def __init__(self, channels: Sequence[int], out: int = 64, width: int = 128) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(nn.Conv2d(c, width, 1) for c in channels)
        self.blocks = nn.ModuleList(
            nn.ModuleList(_block(width, width) for _ in range(max(level, 1))) for level in range(len(channels))
        )
        self.out = nn.Conv2d(width, out, 1)

    def forward(self, maps: Sequence[Tensor]) -> Tensor:
        """Maps (B, C_l, H_l, W_l), finest first, to features (B, out, H_0, W_0)."""
        levels = [lateral(m) for lateral, m in zip(self.lateral, maps, strict=True)]
        for i in range(len(levels) - 2, -1, -1):
            levels[i] = levels[i] + _resize(levels[i + 1], levels[i])
        total = self._raised(0, levels)
        for i in range(1, len(levels)):
            total = total + self._raised(i, levels)
        features: Tensor = self.out(total)
        return features

    def _raised(self, level: int, levels: Sequence[Tensor]) -> Tensor:
        out = levels[level]
        blocks = self.blocks[level]
        assert isinstance(blocks, nn.ModuleList)
        for step, block in enumerate(blocks):
            out = block(out)
            out = _resize(out, levels[max(level - 1 - step, 0)])
        return out
