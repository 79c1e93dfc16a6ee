"""A network's first stages alone, against the whole network's first maps."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lead.nn.backbone import Backbone
from lead.nn.first import First, first_channels
from lead.nn.folding import folded

PICTURES = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def by_hand(backbone: Backbone) -> Tensor:
    maps = [functional.interpolate(level, (16, 16), mode="bilinear") for level in backbone(PICTURES)[:2]]
    return torch.cat([level / level.norm(dim=1, keepdim=True) for level in maps], dim=1)


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("name", ["tf_efficientnet_lite0", "resnet18", "convnext_atto"])
@torch.no_grad()
def test_first_maps_are_the_whole_networks(name: str, fold: bool) -> None:
    backbone = Backbone(name).eval()
    expected = by_hand(backbone)
    network = folded(backbone, 64) if fold else backbone
    assert isinstance(network, Backbone)
    first = First(network)
    found = first(PICTURES)
    assert found.shape == (2, first_channels(backbone), 16, 16)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    weights, every = (sum(p.numel() for p in module.parameters()) for module in (first, backbone))
    assert weights < every / 4  # the stages that are not needed are not there


@torch.no_grad()
def test_a_network_that_cannot_be_taken_apart_is_run_whole() -> None:
    backbone = Backbone("swin_tiny_patch4_window7_224", side=224).eval()
    assert first_channels(backbone) == sum(backbone.channels[:2])
    torch.testing.assert_close(First(backbone)(PICTURES), by_hand(backbone))


def test_a_network_that_is_coarse_from_the_start_has_nothing_to_offer() -> None:
    assert first_channels(Backbone("vit_tiny_patch16_224", side=128)) == 0


@torch.no_grad()
def test_taking_apart_leaves_the_network_as_it_was() -> None:
    backbone = Backbone("tf_efficientnet_lite0").train()
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    First(backbone)
    assert backbone.training
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())
