"""The heads that training discards."""

from __future__ import annotations

import torch
from torch import nn

from lead.nn.projection import dense_projection, instance_mlp


def test_the_instance_head_is_two_linear_layers() -> None:
    head = instance_mlp(6, 10, 4)
    assert head(torch.randn(5, 6)).shape == (5, 4)
    assert [type(m) for m in head] == [nn.Linear, nn.BatchNorm1d, nn.ReLU, nn.Linear]


def test_the_dense_head_works_at_each_cell_alone() -> None:
    head = dense_projection(6, 4).eval()
    features = torch.randn(2, 6, 3, 5)
    out = head(features)
    assert out.shape == (2, 4, 3, 5)
    torch.testing.assert_close(head(features[:, :, 1:2, 2:3]), out[:, :, 1:2, 2:3])


def test_no_head_changes_nothing() -> None:
    features = torch.randn(1, 6, 2, 2)
    assert torch.equal(dense_projection(6, None)(features), features)
