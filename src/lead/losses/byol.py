"""Stage 1: predict one view's projection from another's (LEAD eq. 1; BYOL, Grill et al. 2020, eq. 2)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def byol_loss(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared distance of the normalised vectors, which is 2 - 2·cosine.

    Args:
        prediction: (B, D) of the online network's predictor, any scale.
        target: (B, D) of the target network's projector; no gradient flows into it.

    Returns:
        Scalar in [0, 4], float32.
    """
    cosine = functional.cosine_similarity(prediction.float(), target.detach().float(), dim=-1)
    return (2 - 2 * cosine).mean()
