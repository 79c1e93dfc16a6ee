"""The equivariance objective against a loop over cells."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lead.geometry import cell_grid
from lead.losses import equivariance_loss


def share(place: Tensor, row: int, column: int, height: int, width: int) -> Tensor:
    """How much of a normalised place falls to a cell: the bilinear tent, with places clamped to the cells' centres."""
    x = ((place[0] + 1) * width / 2 - 0.5).clamp(0, width - 1)
    y = ((place[1] + 1) * height / 2 - 0.5).clamp(0, height - 1)
    return (1 - (x - column).abs()).clamp(min=0) * (1 - (y - row).abs()).clamp(min=0)


def slow_equivariance(source: Tensor, target: Tensor, points: Tensor, temperature: float) -> Tensor:
    terms = []
    _, _, height, width = target.shape
    for b in range(source.shape[0]):
        for i in range(points.shape[1]):
            place = points[b, i]
            if max(abs(float(place[0])), abs(float(place[1]))) > 1:
                continue
            f = source[b].flatten(1)[:, i]
            answers = [target[b, :, j // width, j % width] for j in range(height * width)]
            logits = torch.stack([f @ g / (f.norm() * g.norm()) / temperature for g in answers])
            log_probability = logits - logits.exp().sum().log()
            shares = torch.stack([share(place, j // width, j % width, height, width) for j in range(height * width)])
            terms.append(-(shares * log_probability).sum())
    return torch.stack(terms).mean() if terms else source.sum() * 0


@settings(max_examples=8, deadline=None)
@given(
    shapes=st.tuples(*[st.integers(1, 4)] * 4),
    temperature=st.floats(0.05, 1),
    seed=st.integers(0, 99),
)
def test_equals_the_loop(shapes: tuple[int, int, int, int], temperature: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    height, width, other_height, other_width = shapes
    source = torch.randn(2, 3, height, width, generator=generator)
    target = torch.randn(2, 3, other_height, other_width, generator=generator)
    points = torch.rand(2, height * width, 2, generator=generator) * 2.6 - 1.3
    ours = [m.clone().requires_grad_() for m in (source, target)]
    theirs = [m.clone().requires_grad_() for m in (source, target)]
    fast = equivariance_loss(ours[0], ours[1], points, temperature=temperature)
    slow = slow_equivariance(theirs[0], theirs[1], points, temperature)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    pairs = zip(
        torch.autograd.grad(fast, ours),
        torch.autograd.grad(slow, theirs, allow_unused=True, materialize_grads=True),
        strict=True,
    )
    for ours_gradient, theirs_gradient in pairs:
        torch.testing.assert_close(ours_gradient, theirs_gradient, atol=1e-5, rtol=1e-4)


def test_cells_whose_place_is_outside_count_for_nothing() -> None:
    source, target = torch.randn(1, 4, 2, 2), torch.randn(1, 4, 3, 3)
    points = torch.tensor([[[0.1, 0.2], [1.5, 0.0], [-0.4, 0.9], [0.0, -1.2]]])
    loss = equivariance_loss(source, target, points)
    source[0, :, 0, 1] = 100 * torch.randn(4)
    source[0, :, 1, 1] = -source[0, :, 1, 1]
    torch.testing.assert_close(equivariance_loss(source, target, points), loss)
    source[0, :, 0, 0] = -source[0, :, 0, 0]
    assert equivariance_loss(source, target, points) != loss


def test_nothing_shown_is_zero_and_differentiable() -> None:
    source = torch.randn(1, 4, 2, 2, requires_grad=True)
    loss = equivariance_loss(source, source, torch.full((1, 4, 2), 2.0))
    assert loss == 0
    assert torch.autograd.grad(loss, source)[0].abs().sum() == 0


def test_distinct_features_find_themselves_and_flat_ones_cannot() -> None:
    points = cell_grid(4, 4).view(1, 16, 2)
    distinct = torch.eye(16).view(1, 16, 4, 4)
    assert equivariance_loss(distinct, distinct, points) < 1e-3
    flat = torch.ones(1, 16, 4, 4)
    assert equivariance_loss(flat, flat, points).item() == pytest.approx(math.log(16))
