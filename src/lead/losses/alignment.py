"""Stage 2: the student's distribution of feature similarity follows the teacher's (LEAD eqs. 2 and 3)."""

from __future__ import annotations

import torch
from torch import Tensor

from lead.losses.similarity import cell_similarities


def alignment_loss(
    student_i: Tensor,
    student_j: Tensor,
    teacher_i: Tensor,
    teacher_j: Tensor,
    *,
    temperature: float = 0.05,
    teacher_temperature: float = 0.05,
) -> Tensor:
    """Cross-entropy of q from p, the softmaxes over all cells of picture j for each cell of picture i.

    The paper's eq. 3 sums over the cells of i; here it is their mean, so that the value does not depend on the
    resolution. Nothing else differs.

    Args:
        student_i, student_j: (B, C, H, W) compact features after the projection head.
        teacher_i, teacher_j: (B, D, H, W) hypercolumns on the same grid; no gradient flows into them.
        temperature: τ of q.
        teacher_temperature: τ of p. The paper has one τ for both.

    Returns:
        Scalar, float32. Its least value is the entropy of p.
    """
    with torch.no_grad():
        p = cell_similarities(teacher_i, teacher_j, teacher_temperature).softmax(-1)
    log_q = cell_similarities(student_i, student_j, temperature).log_softmax(-1)
    return -(p * log_q).sum(-1).mean()
