"""Similarities of cells, one by one."""

from __future__ import annotations

import torch

from lead.losses.similarity import cell_similarities, cell_vectors


def test_each_similarity_is_a_cosine_over_temperature() -> None:
    source, target = torch.randn(2, 5, 2, 3), torch.randn(2, 5, 4, 2)
    found = cell_similarities(source, target, 0.1)
    assert found.shape == (2, 6, 8)
    for b in range(2):
        for i in range(6):
            for j in range(8):
                f, g = source[b, :, i // 3, i % 3], target[b, :, j // 2, j % 2]
                torch.testing.assert_close(found[b, i, j], f @ g / (f.norm() * g.norm() * 0.1), atol=1e-5, rtol=1e-4)


def test_half_precision_comes_out_as_unit_vectors_of_full_precision() -> None:
    vectors = cell_vectors(torch.randn(1, 4, 3, 3, dtype=torch.bfloat16))
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(1, 9))


def test_autocast_does_not_round_the_product() -> None:
    source, target = torch.randn(1, 64, 4, 4), torch.randn(1, 64, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = cell_similarities(source, target, 0.05)
    torch.testing.assert_close(mixed, cell_similarities(source, target, 0.05))
