"""The student as a whole, the paper's and the peer's."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lead.nn.backbone import Backbone
from lead.nn.hypercolumn import Normalisation
from lead.nn.student import LinearStudent, Student

PICTURES = torch.rand(2, 3, 32, 64, generator=torch.Generator().manual_seed(0))


def test_one_feature_for_each_cell_at_a_quarter_of_the_scale() -> None:
    student = Student(Backbone("test_resnet"), dimension=7, width=8)
    assert student(torch.rand(2, 3, 64, 96)).shape == (2, 7, 16, 24)


def test_the_papers_student_makes_24_by_24_by_64() -> None:
    with torch.device("meta"):
        student = Student(Backbone("resnet50"))
        assert student(torch.zeros(1, 3, 96, 96)).shape == (1, 64, 24, 24)


def linear(sharpness: float | None, normalisation: Normalisation = "none") -> LinearStudent:
    torch.manual_seed(0)
    backbone = Backbone("test_resnet")
    weights = (1.0, 0.0, 0.5, 2.0)
    return LinearStudent(backbone, 5, weights=weights, normalisation=normalisation, sharpness=sharpness).eval()


def column(student: LinearStudent, normalisation: Normalisation) -> Tensor:
    """The levels that have a weight, each brought to 8 × 16 cells, normalised, weighted; level by level."""
    parts = []
    for level, weight in zip(student.backbone(PICTURES), (1.0, 0.0, 0.5, 2.0), strict=True):
        part = functional.interpolate(level, size=(8, 16), mode="bilinear")
        if normalisation == "centred":
            part = part - part.mean((2, 3), keepdim=True)
            part = part / part.square().sum(1, keepdim=True).sqrt()
        if weight:
            parts.append(weight * part)
    return torch.cat(parts, dim=1)


@pytest.mark.parametrize("normalisation", ["none", "centred"])
def test_a_linear_student_is_one_matrix_on_the_hypercolumn(normalisation: Normalisation) -> None:
    student = linear(None, normalisation)
    features = student(PICTURES)
    assert features.shape == (2, 5, 8, 16)
    weight, bias = student.decoder.weight[:, :, 0, 0], student.decoder.bias
    assert weight.shape == (5, 32 + 192 + 96)
    assert bias is not None
    expected = torch.einsum("dc,bchw->bdhw", weight, column(student, normalisation)) + bias[:, None, None]
    torch.testing.assert_close(features, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("factor", [6.5, 1.0])
def test_a_spatial_softmax_spreads_each_channel_over_the_cells(factor: float) -> None:
    plain, sharp = linear(None)(PICTURES), linear(factor)(PICTURES)
    torch.testing.assert_close(sharp.sum((2, 3)), torch.ones(2, 5))
    for b in range(2):
        for channel in range(5):
            power = torch.exp(factor * (plain[b, channel] - plain[b, channel].max()))
            torch.testing.assert_close(sharp[b, channel], power / power.sum(), atol=1e-6, rtol=1e-3)


def test_a_linear_students_encoder_gets_no_gradient() -> None:
    student = linear(6.5)
    student(PICTURES).square().sum().backward()
    assert not any(p.requires_grad for p in student.backbone.parameters())
    assert all(p.grad is None for p in student.backbone.parameters())
    assert student.decoder.weight.grad is not None
    assert student.decoder.weight.grad.any()
