"""Stage 2: the student's distribution of feature similarity follows the teacher's (LEAD eqs. 2 and 3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from lead.losses.similarity import cell_vectors

TILE = 2**20
"""Similarities that are held at once on a CPU, at most: about what its cache holds."""
TILE_ELSEWHERE = 2**26
"""The same on an accelerator, where many small products cost more than they save."""


def alignment_loss(
    student_i: Tensor,
    student_j: Tensor,
    teacher_i: Tensor,
    teacher_j: Tensor,
    *,
    temperature: float = 0.05,
    teacher_temperature: float = 0.05,
    tile: int | None = None,
) -> Tensor:
    """Cross-entropy of q from p, the softmaxes over all cells of picture j for each cell of picture i.

    The paper's eq. 3 sums over the cells of i; here it is their mean, so that the value does not depend on the
    resolution. Nothing else differs. Memory grows with the number of cells, not with its square: similarities are
    worked out a tile at a time, together with the gradient, and forgotten. It can be differentiated once.

    Args:
        student_i, student_j: (B, C, H, W) compact features after the projection head.
        teacher_i, teacher_j: (B, D, H, W) hypercolumns on the same grid; no gradient flows into them.
        temperature: τ of q.
        teacher_temperature: τ of p. The paper has one τ for both.
        tile: similarities that are held at once, at most; by default what suits the device.

    Returns:
        Scalar, float32. Its least value is the entropy of p.
    """
    students, teachers = (student_i.float(), student_j.float()), (teacher_i.detach(), teacher_j.detach())
    tile = tile or (TILE if student_i.device.type == "cpu" else TILE_ELSEWHERE)
    loss: Tensor = _Tiled.apply(*students, *teachers, temperature, teacher_temperature, tile)
    return loss


class _Tiled(torch.autograd.Function):
    """The gradient is made on the way forward, where what it needs is at hand; the way back only scales it."""

    @staticmethod
    def forward(
        ctx: Any,
        student_i: Tensor,
        student_j: Tensor,
        teacher_i: Tensor,
        teacher_j: Tensor,
        temperature: float,
        teacher_temperature: float,
        tile: int,
    ) -> Tensor:
        batch, cells, device = len(student_i), student_i[0, 0].numel(), student_i.device
        pictures, parts = max(tile // cells**2, 1), -(-(cells**2) // tile)  # at once; that one picture comes in
        ctx.slopes = torch.empty_like(student_i), torch.empty_like(student_j)
        total = torch.zeros((), device=device)
        with torch.autocast(device.type, enabled=False):  # which would round the products to half precision
            for start in range(0, batch, pictures):
                some = slice(start, start + pictures)
                with torch.enable_grad():
                    maps = [m[some].detach().requires_grad_() for m in (student_i, student_j)]
                    units = [cell_vectors(m) for m in maps]
                taught = cell_vectors(teacher_i[some]).div_(teacher_temperature), cell_vectors(teacher_j[some])
                loss, slopes = _tiled(units[0].detach() / temperature, units[1].detach(), *taught, -(-cells // parts))
                slopes = slopes[0] / (temperature * batch * cells), slopes[1] / (batch * cells)
                ctx.slopes[0][some], ctx.slopes[1][some] = torch.autograd.grad(units, maps, slopes)
                total += loss
        return total / (batch * cells)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, above: Tensor) -> tuple[Tensor | None, ...]:
        if ctx.slopes is None:
            raise RuntimeError("The alignment loss can be differentiated once: its gradient is not kept.")
        (of_i, of_j), ctx.slopes = ctx.slopes, None
        return of_i.mul_(above), of_j.mul_(above), None, None, None, None, None


def _tiled(
    asking: Tensor, answering: Tensor, teacher_asking: Tensor, teacher_answering: Tensor, rows: int
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Σ logsumexp_k(s_k) − Σ_k p_k·s_k over all rows, s = asking · answeringᵀ, and its slopes along both factors.

    The slope along s is q − p.

    Args:
        asking, answering: (b, N, C).
        teacher_asking, teacher_answering: (b, N, D), whose products are p's logits.
        rows: of s that are held at once, for each of the b pictures.
    """
    total = asking.new_zeros(())
    of_asking, of_answering = torch.empty_like(asking), torch.zeros_like(answering)
    for top in range(0, asking.shape[1], rows):
        these = slice(top, top + rows)
        p = (teacher_asking[:, these] @ teacher_answering.transpose(1, 2)).softmax(-1)  # (b, n, N)
        s = asking[:, these] @ answering.transpose(1, 2)
        weighed = torch.linalg.vecdot(p, s)
        highest = s.amax(-1, keepdim=True)
        powers = s.sub_(highest).exp_()
        norm = powers.sum(-1, keepdim=True)
        total += (highest + norm.log()).sum() - weighed.sum()
        slope = powers.div_(norm).sub_(p)
        of_asking[:, these] = slope @ answering
        of_answering.baddbmm_(slope.transpose(1, 2), asking[:, these])
    return total, (of_asking, of_answering)
