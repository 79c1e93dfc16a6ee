"""Stage 2's objective against equations 2 and 3 of the paper, cell by cell."""

from __future__ import annotations

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lead.losses import alignment_loss


def distribution(asking: Tensor, answering: Tensor, u: int, v: int, temperature: float) -> list[list[Tensor]]:
    """Equation 2: [k][l] of the softmax over the cells of ``answering`` (C, h, w) for cell (u, v) of ``asking``."""
    f = asking[:, u, v] / asking[:, u, v].norm()
    _, height, width = answering.shape
    powers = [
        [torch.exp(f @ answering[:, k, m] / answering[:, k, m].norm() / temperature) for m in range(width)]
        for k in range(height)
    ]
    total = torch.stack([power for row in powers for power in row]).sum()
    return [[power / total for power in row] for row in powers]


def slow_alignment(student: list[Tensor], teacher: list[Tensor], tau: float, teacher_tau: float) -> Tensor:
    """Equation 3 with its sum over (u, v) divided by the number of cells, mean over the batch."""
    terms = []
    batch, _, height, width = student[0].shape
    for b in range(batch):
        for u in range(height):
            for v in range(width):
                p = distribution(teacher[0][b], teacher[1][b], u, v, teacher_tau)
                q = distribution(student[0][b], student[1][b], u, v, tau)
                pairs = ((x, y) for row_p, row_q in zip(p, q, strict=True) for x, y in zip(row_p, row_q, strict=True))
                terms.append(-torch.stack([x.detach() * y.log() for x, y in pairs]).sum())
    return torch.stack(terms).mean()


@settings(max_examples=12, deadline=None)
@given(
    batch=st.integers(1, 2),
    height=st.integers(1, 3),
    width=st.integers(1, 4),
    taus=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1)),
    seed=st.integers(0, 99),
    tile=st.sampled_from([1, 30, 2**22]),  # some rows of a picture at once, one picture or some, all of them
)
def test_equals_the_papers_equations(
    batch: int, height: int, width: int, taus: tuple[float, float], seed: int, tile: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    student = [torch.randn(batch, 4, height, width, generator=generator) for _ in range(2)]
    teacher = [torch.randn(batch, 7, height, width, generator=generator) for _ in range(2)]
    ours = [s.clone().requires_grad_() for s in student]
    theirs = [s.clone().requires_grad_() for s in student]
    fast = alignment_loss(*ours, *teacher, temperature=taus[0], teacher_temperature=taus[1], tile=tile)
    slow = slow_alignment(theirs, teacher, *taus)
    torch.testing.assert_close(fast, slow, atol=1e-5, rtol=1e-5)
    for ours_gradient, theirs_gradient in zip(
        torch.autograd.grad(fast, ours), torch.autograd.grad(slow, theirs), strict=True
    ):
        torch.testing.assert_close(ours_gradient, theirs_gradient, atol=1e-5, rtol=1e-4)


def test_the_least_value_is_the_entropy_of_the_teacher() -> None:
    torch.manual_seed(100)  # of those below, one would draw the features once more as their noise
    one, two = torch.randn(2, 6, 3, 4), torch.randn(2, 6, 3, 4)
    unit = [m.flatten(2) / m.flatten(2).norm(dim=1, keepdim=True) for m in (one, two)]
    p = torch.softmax(torch.einsum("bci,bcj->bij", *unit) / 0.05, -1)
    entropy = torch.special.entr(p).sum(-1).mean()
    torch.testing.assert_close(alignment_loss(one, two, one, two), entropy, atol=1e-5, rtol=1e-4)
    for seed in range(5):
        torch.manual_seed(seed)
        assert alignment_loss(one + 0.1 * torch.randn_like(one), two, one, two) > entropy


def test_features_that_know_nothing_give_the_log_of_the_number_of_cells() -> None:
    flat, teacher = torch.ones(1, 2, 3, 5), torch.randn(1, 6, 3, 5)
    torch.testing.assert_close(alignment_loss(flat, flat, teacher, teacher), torch.tensor(math.log(15)))


def test_no_gradient_flows_into_the_teacher() -> None:
    student, teacher = (torch.randn(1, 4, 2, 3, requires_grad=True) for _ in range(2))
    loss = alignment_loss(student, student, teacher, teacher)
    into_student, into_teacher = torch.autograd.grad(loss, [student, teacher], allow_unused=True)
    assert into_teacher is None
    assert into_student.abs().sum() > 0


def plain(student: list[Tensor], teacher: list[Tensor], tau: float) -> Tensor:
    """The same objective with all similarities of the batch at once."""
    unit = [m.flatten(2) / m.flatten(2).norm(dim=1, keepdim=True) for m in (*student, *teacher)]
    s, t = (torch.einsum("bci,bcj->bij", unit[n], unit[n + 1]) / tau for n in (0, 2))
    return -(t.softmax(-1) * s.log_softmax(-1)).sum(-1).mean()


@settings(max_examples=10, deadline=None)
@given(
    batch=st.integers(1, 5),
    height=st.integers(1, 14),
    width=st.integers(1, 14),
    tile=st.integers(1, 60_000),
    seed=st.integers(0, 99),
)
def test_tiles_of_any_size_give_the_value_and_gradient_of_the_whole(
    batch: int, height: int, width: int, tile: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    student = [torch.randn(batch, 16, height, width, generator=generator).requires_grad_() for _ in range(2)]
    teacher = [torch.randn(batch, 40, height, width, generator=generator) for _ in range(2)]
    whole = plain(student, teacher, 0.05)
    tiled = alignment_loss(*student, *teacher, tile=tile)
    torch.testing.assert_close(tiled, whole, atol=1e-5, rtol=1e-5)
    for ours, theirs in zip(*(torch.autograd.grad(3 * loss, student) for loss in (tiled, whole)), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
