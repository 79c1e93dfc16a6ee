"""The network that is trained from labels alone."""

from __future__ import annotations

import math

import pytest
import torch

from lead.nn.backbone import Backbone
from lead.nn.regressor import LandmarkRegressor
from lead.nn.student import Student


def test_places_are_the_mean_under_each_map() -> None:
    torch.manual_seed(0)
    network = LandmarkRegressor(Student(Backbone("test_resnet"), 16, 16), 16, 2).eval()
    pictures = torch.rand(3, 3, 32, 64)
    with torch.no_grad():
        places = network(pictures)
        maps = network.heat(network.student(pictures))
    assert maps.shape == (3, 2, 8, 16)
    for b in range(3):
        for k in range(2):
            weights = [[math.exp(value) for value in row] for row in maps[b, k].tolist()]
            total = sum(map(sum, weights))
            x = sum(w * (2 * (j + 0.5) / 16 - 1) for row in weights for j, w in enumerate(row)) / total
            y = sum(w * (2 * (i + 0.5) / 8 - 1) for i, row in enumerate(weights) for w in row) / total
            assert places[b, k].tolist() == pytest.approx([x, y], abs=1e-5)
