"""A network that is not trained any more, with each BatchNorm folded into the convolution before it."""

from __future__ import annotations

import copy

import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

TOLERANCE = 1e-3
"""Of the largest value: how far off a folded network may be. Rounding stays far below; a wrong fold does not."""


@torch.no_grad()
def folded(network: nn.Module, side: int) -> nn.Module:
    """A copy that answers as ``network`` does in evaluation mode, but sooner; or itself, where nothing can be folded.

    Convolutions and their BatchNorms are found by running the network once: the BatchNorm's input is the very tensor
    that the convolution returned. That nothing else reads that tensor shows in the copy's answers being the same.

    Args:
        network: takes (B, 3, side, side), returns a tensor or several.
        side: of its input, in pixels.
    """
    weight = next(network.parameters(), None)
    if weight is None or any(module._forward_hooks for module in network.modules()):
        return network  # what hooks look at might be folded away
    probe = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).to(weight)
    twin = copy.deepcopy(network).eval()
    expected = _flat(network(probe))
    pairs = _pairs(twin, probe)
    names = {module: name for name, module in twin.named_modules()}
    for convolution, norm in pairs:
        _fold(convolution, norm)
        twin.set_submodule(names[norm], _activation(norm))
    if not pairs or not all(map(_same, _flat(twin(probe)), expected)):
        return network
    return twin.to(memory_format=torch.channels_last)


def _pairs(network: nn.Module, probe: Tensor) -> list[tuple[nn.Conv2d, nn.BatchNorm2d]]:
    """Convolutions whose output goes to a BatchNorm, each of them called once."""
    made: list[tuple[nn.Conv2d, Tensor]] = []  # holds the tensors, so that no two have one identity
    normed: list[tuple[nn.BatchNorm2d, Tensor]] = []
    hooks = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            hooks.append(module.register_forward_hook(lambda one, _, out: made.append((one, out))))
        elif type(module) in (nn.BatchNorm2d, BatchNormAct2d) and module.track_running_stats:
            hooks.append(module.register_forward_pre_hook(lambda one, inputs: normed.append((one, inputs[0]))))
    network(probe)
    for hook in hooks:
        hook.remove()
    found = [(conv, norm) for norm, tensor in normed for conv, out in made if out is tensor]
    calls = [module for module, _ in (*made, *normed)]
    return [pair for pair in found if all(calls.count(module) == 1 for module in pair)]


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight, bias = fuse_conv_bn_weights(
        convolution.weight,
        convolution.bias,
        norm.running_mean,
        norm.running_var,
        norm.eps,
        norm.weight,
        norm.bias,
    )
    convolution.weight, convolution.bias = weight.requires_grad_(False), bias.requires_grad_(False)


def _activation(norm: nn.BatchNorm2d) -> nn.Module:
    """What is left of a BatchNorm that is folded."""
    return norm.act if isinstance(norm, BatchNormAct2d) else nn.Identity()


def _flat(answers: Tensor | list[Tensor] | tuple[Tensor, ...]) -> list[Tensor]:
    return [answers] if isinstance(answers, Tensor) else list(answers)


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= TOLERANCE * other.abs().max())
