"""The peers' dense objectives: an answer costs the root of its distance to the true place.

DVE (Thewlis et al. 2019, eq. 2, with the exponent 1/2 of its code) and ContrastLandmarks' projector, which is the same
without a warp.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lead.geometry import cell_grid
from lead.losses.exchange import exchanged_logits
from lead.losses.similarity import cell_similarities

DVE_SCALE = 20.0
"""DVE multiplies its unit descriptors by this, on both sides of every product."""


def expected_root_distance(logits: Tensor, points: Tensor, height: int, width: int, side: float) -> Tensor:
    """Mean root of the pixel distance between a cell drawn from a softmax and the true place.

    Args:
        logits: (B, N, height·width).
        points: (B, N, 2) or (1, N, 2) normalised true places. Those outside the map count like any other, as in DVE.
        height, width: of the map that answers.
        side: of the network's input in pixels, the unit of distance.

    Returns:
        Scalar, float32.
    """
    cells = cell_grid(height, width, device=logits.device).view(1, height * width, 2)
    root = torch.cdist(points.float(), cells).mul(side / 2).sqrt()  # (B or 1, N, height·width)
    return (logits.softmax(-1) * root).sum(-1).mean()


def projector_loss(features: Tensor, *, scale: float = 7.0, side: float = 96.0) -> Tensor:
    """ContrastLandmarks' stage 2: each cell must find itself in its own picture, with no warp between.

    Args:
        features: (B, C, H, W).
        scale: T, on cosine similarities. ContrastLandmarks takes 7, and 8 for 64 dimensions.
        side: of the network's input in pixels.

    Returns:
        Scalar, float32: a mean root of pixels.
    """
    height, width = features.shape[-2:]
    logits = cell_similarities(features, features, 1 / scale)
    points = cell_grid(height, width, device=features.device).view(1, height * width, 2)
    return expected_root_distance(logits, points, height, width, side)


def dve_loss(source: Tensor, target: Tensor, auxiliary: Tensor, points: Tensor, *, side: float = 96.0) -> Tensor:
    """DVE's objective: a descriptor, rebuilt from an auxiliary picture's, must find its place in a warped copy.

    Args:
        source, target, auxiliary: (B, C, H, W), see :func:`lead.losses.exchange.exchanged_logits`.
        points: (B, N, 2) where each source cell lies in the target view, normalised.
        side: of the network's input in pixels.

    Returns:
        Scalar, float32: a mean root of pixels.
    """
    logits = exchanged_logits(source, target, auxiliary, 1 / DVE_SCALE**2)
    height, width = target.shape[-2:]
    return expected_root_distance(logits, points, height, width, side)
