"""Beyond the paper: a cell must find itself in a warped copy through the features of *another* picture.

Descriptor vector exchange (DVE, Thewlis et al. 2019, eq. 3): each descriptor is first rebuilt from an auxiliary
picture's descriptors, so that only what pictures have in common survives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lead.losses.equivariance import located_likelihood
from lead.losses.similarity import cell_vectors


def exchanged_logits(source: Tensor, target: Tensor, auxiliary: Tensor, temperature: float) -> Tensor:
    """Similarities to the target of source cells rebuilt from the auxiliary picture.

    Args:
        source: (B, C, H, W) of one view, or (B, C, N) of some of its cells.
        target, auxiliary: (B, C, h, w) of another view of the same picture, and of another picture.
        temperature: τ of both softmaxes. DVE scales unit descriptors by 20, which is τ = 1/400.

    Returns:
        (B, N, h·w) logits over the target's cells. As in DVE, the rebuilt vectors are not normalised again.
    """
    asking, answering, between = cell_vectors(source), cell_vectors(target), cell_vectors(auxiliary)
    with torch.autocast(source.device.type, enabled=False):  # which would round the products to half precision
        rebuilt = (asking @ between.transpose(1, 2) / temperature).softmax(-1) @ between  # (B, H·W, C)
        return rebuilt @ answering.transpose(1, 2) / temperature


def exchange_loss(
    source: Tensor,
    target: Tensor,
    auxiliary: Tensor,
    points: Tensor,
    *,
    temperature: float = 0.05,
    shown: Tensor | None = None,
) -> Tensor:
    """How unlikely the true place of each exchanged source cell is in the target view.

    Args:
        source, target, auxiliary: (B, C, H, W), see :func:`exchanged_logits`.
        points: (B, N, 2) where each source cell lies in the target view, normalised.
        temperature: τ of both softmaxes.
        shown: see :func:`lead.losses.equivariance.located_likelihood`.

    Returns:
        Scalar, float32.
    """
    logits = exchanged_logits(source, target, auxiliary, temperature)
    height, width = target.shape[-2:]
    return located_likelihood(logits, points, height, width, shown)
