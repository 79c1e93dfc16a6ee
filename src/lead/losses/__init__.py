"""The objectives, one a file. Each takes tensors and numbers only, cites its equation, and reduces to a scalar."""

from lead.losses.alignment import alignment_loss
from lead.losses.byol import byol_loss
from lead.losses.distance import dve_loss, projector_loss
from lead.losses.equivariance import equivariance_loss
from lead.losses.exchange import exchange_loss
from lead.losses.moco import moco_loss

__all__ = [
    "alignment_loss",
    "byol_loss",
    "dve_loss",
    "equivariance_loss",
    "exchange_loss",
    "moco_loss",
    "projector_loss",
]
