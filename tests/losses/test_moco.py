"""InfoNCE against He et al.'s equation 1, written out."""

from __future__ import annotations

import math

import torch

from lead.losses import moco_loss


def test_equals_the_equation() -> None:
    generator = torch.Generator().manual_seed(0)
    query, key, queue = (torch.randn(n, 5, generator=generator) for n in (3, 3, 7))
    queue = torch.stack([v / v.norm() for v in queue])
    terms = []
    for q, k in zip(query.tolist(), key.tolist(), strict=True):

        def cosine(a: list[float], b: list[float]) -> float:
            dot = sum(x * y for x, y in zip(a, b, strict=True))
            return dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))

        own = math.exp(cosine(q, k) / 0.07)
        others = sum(math.exp(cosine(q, other) / 0.07) for other in queue.tolist())
        terms.append(-math.log(own / (own + others)))
    expected = sum(terms) / len(terms)
    torch.testing.assert_close(moco_loss(query, key, queue, temperature=0.07), torch.tensor(expected))


def test_only_the_query_learns() -> None:
    query, key = torch.randn(2, 4, requires_grad=True), torch.randn(2, 4, requires_grad=True)
    moco_loss(query, key, torch.eye(4)).backward()  # type: ignore[no-untyped-call]
    assert query.grad is not None
    assert query.grad.abs().sum() > 0
    assert key.grad is None


def test_knowing_nothing_costs_the_logarithm_of_the_choices() -> None:
    same = torch.ones(2, 3)
    queue = torch.ones(6, 3) / math.sqrt(3)
    torch.testing.assert_close(moco_loss(same, same, queue), torch.tensor(math.log(7.0)))
