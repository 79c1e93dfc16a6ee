"""Heads that training uses and discards."""

from __future__ import annotations

from torch import nn


def instance_mlp(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    """BYOL's projector or predictor: linear, BatchNorm, ReLU, linear. (B, inputs) → (B, outputs)."""
    return nn.Sequential(
        nn.Linear(inputs, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, outputs)
    )


def dense_projection(inputs: int, outputs: int | None) -> nn.Module:
    """Stage 2's head at each cell: two linear layers with BatchNorm and ReLU between; None means no head.

    (B, inputs, H, W) → (B, outputs, H, W).
    """
    if outputs is None:
        return nn.Identity()
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 1)
    )
