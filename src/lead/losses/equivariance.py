"""Beyond the paper: a cell must find itself in a warped copy of its picture, where the warp is known.

The objective of Thewlis et al. 2017 (dense equivariant labelling), as a classification over the other view's cells.
"""

from __future__ import annotations

from torch import Tensor

from lead.geometry import bilinear_cells, inside
from lead.losses.similarity import cell_similarities


def located_likelihood(logits: Tensor, points: Tensor, height: int, width: int, shown: Tensor | None = None) -> Tensor:
    """Mean negative log-likelihood of the true places under a softmax over cells.

    Args:
        logits: (B, N, height·width).
        points: (B, N, 2) normalised true places; those outside the map count for nothing. A place between cells
            is a target spread over the four around it, bilinearly.
        height, width: of the map that answers.
        shown: scalar, by which the sum is divided; None for the number of places inside, or 1 if there is none. Of
            parts of one batch it is the mean number, so that the mean of the parts' losses is the whole's.

    Returns:
        Scalar, float32; 0 where no place is inside.
    """
    cells, weights = bilinear_cells(points, height, width)  # (B, N, 4) both
    likelihood = (logits.log_softmax(-1).gather(-1, cells) * weights).sum(-1)  # (B, N)
    counts = inside(points).to(likelihood.dtype)
    return -(likelihood * counts).sum() / (counts.sum().clamp(min=1) if shown is None else shown)


def equivariance_loss(
    source: Tensor, target: Tensor, points: Tensor, *, temperature: float = 0.05, shown: Tensor | None = None
) -> Tensor:
    """How unlikely the true place of each source cell is in the target view.

    Args:
        source: (B, C, H, W) features of one view, or (B, C, N) of some of its cells.
        target: (B, C, h, w) features of another view of the same pictures.
        points: (B, N, 2) where each source cell lies in the target view, normalised.
        temperature: τ of the softmax over the target's cells.
        shown: see :func:`located_likelihood`.

    Returns:
        Scalar, float32, at most about log(h·w) for features that know nothing.
    """
    logits = cell_similarities(source, target, temperature)
    height, width = target.shape[-2:]
    return located_likelihood(logits, points, height, width, shown)
