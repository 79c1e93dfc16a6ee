"""The feature pyramid's shapes, and that every level counts."""

from __future__ import annotations

import pytest
import torch

from lead.nn.fpn import FeaturePyramid


@pytest.mark.parametrize("side", [64, 96])
def test_features_lie_on_the_finest_grid(side: int) -> None:
    maps = [torch.randn(2, c, side // s, side // s) for c, s in zip((4, 8, 16, 32), (4, 8, 16, 32), strict=True)]
    assert FeaturePyramid([4, 8, 16, 32], out=5, width=6)(maps).shape == (2, 5, side // 4, side // 4)


def test_odd_and_oblong_maps_fit_too() -> None:
    maps = [torch.randn(1, 3, *size) for size in ((13, 9), (7, 5), (4, 3))]
    assert FeaturePyramid([3, 3, 3], out=2, width=4)(maps).shape == (1, 2, 13, 9)


def test_every_level_is_in_the_sum() -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid([4, 4, 4, 4], out=3, width=8).eval()
    maps = [torch.randn(1, 4, 16 // 2**i, 16 // 2**i, requires_grad=True) for i in range(4)]
    pyramid(maps).square().sum().backward()
    for level in maps:
        assert level.grad is not None
        assert level.grad.abs().sum() > 0
    for name, parameter in pyramid.named_parameters():
        assert parameter.grad is not None, name


def test_a_level_is_doubled_once_for_each_step_up() -> None:
    pyramid = FeaturePyramid([4, 4, 4, 4], width=8)
    assert [len(list(blocks.children())) for blocks in pyramid.blocks] == [1, 1, 2, 3]
