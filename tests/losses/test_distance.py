"""The peers' dense objectives against loops over cells, written from their published formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lead.geometry import cell_grid
from lead.losses import dve_loss, projector_loss


def unit(vector: Tensor) -> Tensor:
    return vector / vector.square().sum().sqrt()


def softmax(logits: list[Tensor]) -> list[Tensor]:
    powers = [torch.exp(value - max(logits)) for value in logits]
    return [power / sum(powers) for power in powers]


def cells(features: Tensor) -> list[Tensor]:
    """The vectors of a map (C, H, W), row by row."""
    return [features[:, y, x] for y in range(features.shape[1]) for x in range(features.shape[2])]


def maps(*shape: int, count: int = 1) -> list[Tensor]:
    generator = torch.Generator().manual_seed(3)
    return [torch.randn(*shape, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("scale", [7.0, 8.0])
def test_projector_equals_contrast_landmarks_formula(scale: float) -> None:
    """Logits T·cos against the picture itself; each place weighted with the root of its pixel distance (stride 4)."""
    (features,) = maps(2, 3, 3, 3)
    total = torch.zeros(())
    for picture in features:
        vectors = [unit(v) for v in cells(picture)]
        for i, asking in enumerate(vectors):
            for j, share in enumerate(softmax([scale * (asking @ answer) for answer in vectors])):
                total = total + share * math.sqrt(4 * math.hypot(i % 3 - j % 3, i // 3 - j // 3))
    # Three cells of four pixels each make an input of twelve.
    torch.testing.assert_close(projector_loss(features, scale=scale, side=12.0), total / (2 * 9))


def test_dve_equals_its_formula() -> None:
    """Descriptors of length 20; rebuilt from the auxiliary, not normalised again; root of the pixel distance."""
    source, target, auxiliary = (20 * torch.nn.functional.normalize(m, dim=1) for m in maps(2, 3, 3, 3, count=3))
    points = torch.rand(2, 9, 2, generator=torch.Generator().manual_seed(4)) * 2.4 - 1.2
    side, total = 96.0, torch.zeros(())
    places = cell_grid(3, 3).view(9, 2)
    for b in range(2):
        between, answers = cells(auxiliary[b]), cells(target[b])
        for i, asking in enumerate(cells(source[b])):
            shares = softmax([asking @ other for other in between])
            rebuilt = sum((s * other for s, other in zip(shares, between, strict=True)), torch.zeros(3))
            for j, share in enumerate(softmax([rebuilt @ answer for answer in answers])):
                apart = (places[j] - points[b, i]) * side / 2  # pixels
                total = total + share * apart.square().sum().sqrt().sqrt()
    torch.testing.assert_close(dve_loss(source, target, auxiliary, points, side=side), total / 18, rtol=1e-4, atol=1e-4)


def test_finding_every_place_costs_nothing() -> None:
    """Orthogonal cells and an auxiliary that holds them all: DVE's answer is exact, and only sharpness is left."""
    features = torch.eye(4).view(1, 4, 2, 2)
    points = cell_grid(2, 2).view(1, 4, 2)
    assert float(dve_loss(features, features, features, points)) < 1e-3
    elsewhere = dve_loss(features, features, features, points.flip(1))
    assert float(elsewhere) == pytest.approx((48 * math.sqrt(2)) ** 0.5, rel=1e-3)


def test_gradients_are_finite_where_the_distance_is_zero() -> None:
    features = torch.randn(1, 3, 2, 2, requires_grad=True)
    projector_loss(features).backward()  # type: ignore[no-untyped-call]
    assert features.grad is not None
    assert torch.isfinite(features.grad).all()
