"""The peer's stage 1: tell a picture's other view from a queue of other pictures (MoCo, He et al. 2020, eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def moco_loss(query: Tensor, key: Tensor, queue: Tensor, *, temperature: float = 0.07) -> Tensor:
    """InfoNCE: cross-entropy of choosing the picture's own key among the queue's.

    Args:
        query: (B, D) of the trained encoder, any scale.
        key: (B, D) of the moving average, of the other view of the same pictures; no gradient flows into it.
        queue: (Q, D) keys of other pictures, unit vectors.
        temperature: of the softmax over 1 + Q similarities. ContrastLandmarks takes 0.07.

    Returns:
        Scalar, float32; log(1 + Q) for encoders that know nothing.
    """
    with torch.autocast(query.device.type, enabled=False):  # which would round the products to half precision
        asked = functional.normalize(query.float(), dim=-1)
        answer = functional.normalize(key.detach().float(), dim=-1)
        own = (asked * answer).sum(-1, keepdim=True)  # (B, 1)
        logits = torch.cat([own, asked @ queue.float().T], dim=1) / temperature  # (B, 1 + Q)
    return functional.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
