"""The student as a whole."""

from __future__ import annotations

import torch

from lead.nn.backbone import Backbone
from lead.nn.student import Student


def test_one_feature_for_each_cell_at_a_quarter_of_the_scale() -> None:
    student = Student(Backbone("test_resnet"), dimension=7, width=8)
    assert student(torch.rand(2, 3, 64, 96)).shape == (2, 7, 16, 24)


def test_the_papers_student_makes_24_by_24_by_64() -> None:
    with torch.device("meta"):
        student = Student(Backbone("resnet50"))
        assert student(torch.zeros(1, 3, 96, 96)).shape == (1, 64, 24, 24)
