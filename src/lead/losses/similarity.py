"""Similarities of every cell of one map to every cell of another: what all the dense objectives are made of."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def cell_vectors(features: Tensor) -> Tensor:
    """A map (B, C, H, W), or cells (B, C, N), as unit vectors (B, N, C), float32: half is too coarse."""
    return functional.normalize(features.float().flatten(2).transpose(1, 2), dim=-1)


def cell_similarities(source: Tensor, target: Tensor, temperature: float) -> Tensor:
    """Cosine similarities over temperature: the logits of LEAD eq. 2.

    Args:
        source: (B, C, H, W) maps whose cells ask, or (B, C, N) of some cells.
        target: (B, C, h, w) maps whose cells answer.
        temperature: τ > 0.

    Returns:
        (B, N, h·w) float32.
    """
    with torch.autocast(source.device.type, enabled=False):  # which would round the product to half precision
        return cell_vectors(source) @ cell_vectors(target).transpose(1, 2) / temperature
