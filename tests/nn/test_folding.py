"""A folded network answers as the network that it is made of."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lead.nn.backbone import Backbone
from lead.nn.folding import folded
from lead.nn.student import Student


def lived(network: nn.Module) -> nn.Module:
    """With statistics and scales that a training might leave."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, generator=generator)
    return network.eval().requires_grad_(False)


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


@pytest.mark.parametrize(
    ("name", "left"),
    [("test_resnet", 0), ("resnet18", 0), ("mobilenetv3_small_050", 0), ("resnetv2_50d_gn", 0), ("densenet121", 62)],
)
def test_a_folded_network_answers_alike(name: str, left: int) -> None:
    torch.manual_seed(0)
    network = lived(Student(Backbone(name), 16, width=16))
    twin = folded(network, 64)
    assert norms(twin) == left  # those that stand before a convolution, or after a sum, cannot be folded
    assert norms(network) == 0 or twin is not network
    pictures = torch.rand(3, 3, 96, 64)
    torch.testing.assert_close(twin(pictures), network(pictures), rtol=1e-4, atol=1e-4)


class _ReadTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.norm = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)

    def forward(self, pictures: Tensor) -> Tensor:
        seen = self.convolution(pictures)
        out: Tensor = seen + self.norm(seen)
        return out


class _CalledTwice(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution, self.one, self.other = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3), nn.BatchNorm2d(3)

    def forward(self, pictures: Tensor) -> Tensor:
        out: Tensor = self.other(self.convolution(self.one(self.convolution(pictures))))
        return out


@pytest.mark.parametrize("kind", [_ReadTwice, _CalledTwice])
def test_what_cannot_be_folded_is_left_as_it_is(kind: type[nn.Module]) -> None:
    network = lived(kind())
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert folded(network, 16) is network
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_network_with_hooks_is_left_as_it_is() -> None:
    network = lived(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    network[1].register_forward_hook(lambda _module, _inputs, _output: None)  # type: ignore[index]
    assert folded(network, 16) is network
