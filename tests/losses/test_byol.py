"""Stage 1's objective against equation 1 on unit vectors."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from lead.losses import byol_loss


@given(batch=st.integers(1, 5), dimension=st.integers(1, 9), scale=st.floats(0.1, 100), seed=st.integers(0, 99))
def test_is_the_squared_distance_of_the_unit_vectors(batch: int, dimension: int, scale: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    prediction = scale * torch.randn(batch, dimension, generator=generator)
    target = torch.randn(batch, dimension, generator=generator)
    distances = []
    for q, z in zip(prediction.double(), target.double(), strict=True):
        distances.append(((q / q.norm() - z / z.norm()) ** 2).sum())
    loss = byol_loss(prediction, target)
    torch.testing.assert_close(loss, torch.stack(distances).mean().float(), atol=1e-5, rtol=1e-5)
    assert -1e-6 <= loss <= 4 + 1e-6


def test_reaches_both_ends_of_its_range() -> None:
    vectors = torch.randn(3, 8)
    torch.testing.assert_close(byol_loss(vectors, 5 * vectors), torch.tensor(0.0))
    torch.testing.assert_close(byol_loss(vectors, -vectors), torch.tensor(4.0))


def test_no_gradient_flows_into_the_target() -> None:
    prediction, target = (torch.randn(3, 8, requires_grad=True) for _ in range(2))
    loss = byol_loss(prediction, target)
    into_prediction, into_target = torch.autograd.grad(loss, [prediction, target], allow_unused=True)
    assert into_target is None
    assert into_prediction.abs().sum() > 0
