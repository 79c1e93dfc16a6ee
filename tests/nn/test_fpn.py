"""The feature pyramid's shapes, and that every level counts."""

from __future__ import annotations

import pytest
import torch

from lead.nn.fpn import FeaturePyramid

STRIDES = (4, 8, 16, 32)


@pytest.mark.parametrize("side", [64, 96])
def test_features_lie_on_the_finest_grid(side: int) -> None:
    maps = [torch.randn(2, s, side // s, side // s) for s in STRIDES]
    pyramid = FeaturePyramid([4, 8, 16, 32], STRIDES, out=5, width=6)
    assert pyramid(maps, (side // 4, side // 4)).shape == (2, 5, side // 4, side // 4)


@pytest.mark.parametrize(("strides", "doublings"), [((16,) * 4, 2), ((14,) * 4, 2), ((8,) * 4, 1), ((32,) * 2, 3)])
def test_maps_of_one_scale_are_doubled_up_to_a_quarter(strides: tuple[int, ...], doublings: int) -> None:
    pyramid = FeaturePyramid([3] * len(strides), strides, out=5, width=6)
    assert [len(list(blocks.children())) for blocks in pyramid.blocks] == [doublings] * len(strides)
    maps = [torch.randn(1, 3, 112 // strides[0], 112 // strides[0]) for _ in strides]
    assert pyramid(maps, (28, 28)).shape == (1, 5, 28, 28)


def test_maps_finer_than_a_quarter_are_brought_to_it() -> None:
    maps = [torch.randn(1, 3, 64 // s, 64 // s) for s in (2, 4, 8)]
    assert FeaturePyramid([3, 3, 3], (2, 4, 8), out=2, width=4)(maps, (16, 16)).shape == (1, 2, 16, 16)


def test_odd_and_oblong_maps_fit_too() -> None:
    maps = [torch.randn(1, 3, *size) for size in ((13, 9), (7, 5), (4, 3))]
    assert FeaturePyramid([3, 3, 3], STRIDES[:3], out=2, width=4)(maps, (13, 9)).shape == (1, 2, 13, 9)


def test_every_level_is_in_the_sum() -> None:
    torch.manual_seed(0)
    pyramid = FeaturePyramid([4, 4, 4, 4], STRIDES, out=3, width=8).eval()
    maps = [torch.randn(1, 4, 16 // 2**i, 16 // 2**i, requires_grad=True) for i in range(4)]
    pyramid(maps, (16, 16)).square().sum().backward()
    for level in maps:
        assert level.grad is not None
        assert level.grad.abs().sum() > 0
    for name, parameter in pyramid.named_parameters():
        assert parameter.grad is not None, name


def test_a_level_is_doubled_once_for_each_step_up() -> None:
    pyramid = FeaturePyramid([4, 4, 4, 4], STRIDES, width=8)
    assert [len(list(blocks.children())) for blocks in pyramid.blocks] == [1, 1, 2, 3]
