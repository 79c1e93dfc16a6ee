"""The exchange objectives against a loop over cells, written from DVE's equation 3."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lead.losses import equivariance_loss, exchange_loss


def unit(vector: Tensor) -> Tensor:
    return vector / vector.square().sum().sqrt()


def probabilities(asking: Tensor, answering: list[Tensor], temperature: float) -> Tensor:
    powers = torch.stack([torch.exp(asking @ g / temperature) for g in answering])
    return powers / powers.sum()


def slow(source: Tensor, target: Tensor, auxiliary: Tensor, points: Tensor, temperature: float) -> Tensor:
    """The likelihood of the true place, cell by cell."""
    terms = []
    _, _, height, width = target.shape
    for b in range(source.shape[0]):
        answers = [unit(target[b, :, j // width, j % width]) for j in range(height * width)]
        between = [unit(vector) for vector in auxiliary[b].flatten(1).unbind(1)]
        for i in range(points.shape[1]):
            if points[b, i].abs().max() > 1:
                continue
            shares = probabilities(unit(source[b].flatten(1)[:, i]), between, temperature)
            rebuilt = sum((s * g for s, g in zip(shares, between, strict=True)), torch.zeros(source.shape[1]))
            found = probabilities(rebuilt, answers, temperature)
            x, y = (points[b, i, 0] + 1) * width / 2 - 0.5, (points[b, i, 1] + 1) * height / 2 - 0.5
            term = torch.zeros(())
            for j, probability in enumerate(found):
                column, row = j % width, j // width
                across = 1 - (x.clamp(0, width - 1) - column).abs()
                down = 1 - (y.clamp(0, height - 1) - row).abs()
                term = term - across.clamp(min=0) * down.clamp(min=0) * probability.log()
            terms.append(term)
    return torch.stack(terms).mean() if terms else source.sum() * 0


@settings(max_examples=6, deadline=None)
@given(height=st.integers(1, 3), width=st.integers(1, 4), temperature=st.floats(0.1, 1), seed=st.integers(0, 99))
def test_equals_the_loop(height: int, width: int, temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = [torch.randn(2, 3, height, width, generator=generator) for _ in range(3)]
    points = torch.rand(2, height * width, 2, generator=generator) * 2.6 - 1.3
    ours = [m.clone().requires_grad_() for m in maps]
    theirs = [m.clone().requires_grad_() for m in maps]
    fast = exchange_loss(ours[0], ours[1], ours[2], points, temperature=temperature)
    reference = slow(theirs[0], theirs[1], theirs[2], points, temperature)
    torch.testing.assert_close(fast, reference, atol=1e-5, rtol=1e-5)
    pairs = zip(
        torch.autograd.grad(fast, ours),
        torch.autograd.grad(reference, theirs, allow_unused=True, materialize_grads=True),
        strict=True,
    )
    for ours_gradient, theirs_gradient in pairs:
        torch.testing.assert_close(ours_gradient, theirs_gradient, atol=2e-5, rtol=1e-4)


def test_exchange_through_orthogonal_features_is_plain_equivariance() -> None:
    """Sharp softmaxes through a picture that has every vector rebuild what was asked."""
    features = torch.eye(6).view(1, 6, 2, 3)
    shuffled = features.flatten(2)[:, :, torch.randperm(6)].view(1, 6, 2, 3)
    points = torch.rand(1, 6, 2) * 2 - 1
    torch.testing.assert_close(
        exchange_loss(features, features, shuffled, points, temperature=0.02),
        equivariance_loss(features, features, points, temperature=0.02),
    )


def test_autocast_does_not_round_the_products() -> None:
    one, two, three = (torch.randn(2, 16, 3, 3) for _ in range(3))
    points = torch.rand(2, 9, 2) * 2 - 1
    with torch.autocast("cpu", torch.bfloat16):
        mixed = exchange_loss(one, two, three, points, temperature=0.05)
    torch.testing.assert_close(mixed, exchange_loss(one, two, three, points, temperature=0.05))
