"""The hypercolumn against each level resized by hand."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lead.nn.backbone import Backbone
from lead.nn.hypercolumn import Normalisation, hypercolumn


def levels() -> list[Tensor]:
    return [torch.randn(2, channels, 8 // 2**i, 12 // 2**i) for i, channels in enumerate((3, 4, 5))]


def bilinear(level: Tensor, row: int, column: int, size: tuple[int, int]) -> Tensor:
    """(B, C): a level's value under one cell of the common grid; edges stay in place, pixels are read at centres."""
    height, width = level.shape[-2:]
    y = min(max((row + 0.5) * height / size[0] - 0.5, 0), height - 1)
    x = min(max((column + 0.5) * width / size[1] - 0.5, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    upper = level[..., top, left] * (1 - (x - left)) + level[..., top, right] * (x - left)
    lower = level[..., bottom, left] * (1 - (x - left)) + level[..., bottom, right] * (x - left)
    return upper * (1 - (y - top)) + lower * (y - top)


def test_each_cell_is_the_levels_values_at_its_place() -> None:
    maps, size = levels(), (7, 10)
    column = hypercolumn(maps, size, weights=(1, 0.5, 2))
    assert column.shape == (2, 12, 7, 10)
    for row in range(7):
        for place in range(10):
            parts = [
                factor * bilinear(level, row, place, size) for level, factor in zip(maps, (1, 0.5, 2), strict=True)
            ]
            torch.testing.assert_close(column[..., row, place], torch.cat(parts, 1), atol=1e-5, rtol=1e-5)


def test_a_weight_of_zero_leaves_a_level_out() -> None:
    maps = levels()
    torch.testing.assert_close(
        hypercolumn(maps, (8, 12), weights=(1, 0, 1)), hypercolumn([maps[0], maps[2]], (8, 12), weights=(1, 1))
    )


def test_level_makes_each_level_as_long_as_its_weight() -> None:
    column = hypercolumn(levels(), (8, 12), weights=(1, 2, 3), normalisation="level")
    for part, weight in zip((column[:, :3], column[:, 3:7], column[:, 7:]), (1, 2, 3), strict=True):
        torch.testing.assert_close(part.norm(dim=1), torch.full((2, 8, 12), float(weight)))


def test_centred_does_not_see_what_all_cells_share() -> None:
    maps = levels()
    shifted = [level + 10 * torch.randn(*level.shape[:2], 1, 1) for level in maps]
    ours, theirs = (hypercolumn(m, (8, 12), normalisation="centred") for m in (maps, shifted))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert not torch.allclose(
        hypercolumn(maps, (8, 12), normalisation="level"),
        hypercolumn(shifted, (8, 12), normalisation="level"),
        atol=0.1,
    )


def test_centred_takes_each_pictures_own_mean_so_company_changes_nothing() -> None:
    level = torch.randn(2, 3, 4, 4)
    mean = torch.stack([level[b, c].mean() for b in range(2) for c in range(3)]).view(2, 3, 1, 1)
    centred = level - mean
    expected = centred / centred.norm(dim=1, keepdim=True)
    torch.testing.assert_close(hypercolumn([level], (4, 4), normalisation="centred"), expected)


@pytest.mark.parametrize("normalisation", get_args(Normalisation))
def test_half_precision_maps_give_full_precision(normalisation: Normalisation) -> None:
    maps = [level.bfloat16() for level in levels()]
    assert hypercolumn(maps, (8, 12), normalisation=normalisation).dtype == torch.float32


@pytest.mark.parametrize(("name", "channels"), [("resnet18", 960), ("resnet50", 3840)])
def test_channels_of_the_papers_networks(name: str, channels: int) -> None:
    with torch.device("meta"):
        backbone = Backbone(name)
        maps = backbone(torch.zeros(1, 3, 96, 96))
        assert hypercolumn(maps, (24, 24)).shape == (1, channels, 24, 24)
    assert [m.shape[-1] for m in maps] == [24, 12, 6, 3]


def test_of_more_weights_than_levels_the_last_count() -> None:
    maps = levels()
    torch.testing.assert_close(
        hypercolumn(maps, (8, 12), weights=(9, 1, 0, 2)), hypercolumn(maps, (8, 12), weights=(1, 0, 2))
    )


def test_fewer_weights_than_levels_are_refused() -> None:
    with pytest.raises(ValueError, match="shorter"):
        hypercolumn(levels(), (8, 12), weights=(1, 1))


def test_resizing_agrees_with_torch_when_the_level_is_coarse() -> None:
    level = torch.randn(1, 2, 3, 3)
    grown = functional.interpolate(level, size=(12, 12), mode="bilinear", align_corners=False)
    torch.testing.assert_close(bilinear(level, 5, 7, (12, 12)), grown[..., 5, 7])
