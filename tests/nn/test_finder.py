"""Scales, peaks and candidates of a finder."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lead.nn.finder import NEAR, STEP, Candidates, Finder, peaks, scales, strongest


@given(least=st.floats(0.01, 1), ratio=st.floats(1, 20))
def test_scales_leave_no_gap_and_overlap_nowhere(least: float, ratio: float) -> None:
    extents = scales(least, least * ratio)
    steps = np.diff(np.log(extents))
    assert (steps <= math.log(STEP) + 1e-6).all()
    half = steps[0] / 2 if len(extents) > 1 else math.log(ratio) / 2
    assert math.log(extents[0]) - half == pytest.approx(math.log(least), abs=1e-6)
    assert math.log(extents[-1]) + half == pytest.approx(math.log(least * ratio), abs=1e-6)


@given(x=st.floats(3, 16), y=st.floats(3, 11))
def test_a_peak_is_found_to_a_fraction_of_a_cell(x: float, y: float) -> None:
    rows, columns = torch.meshgrid(torch.arange(15.0), torch.arange(20.0), indexing="ij")
    heat = torch.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 1.5**2))
    across, down, height = peaks(heat, 2, 0.5)
    assert len(height) >= 1
    assert float(across[0]) == pytest.approx(x, abs=0.06)
    assert float(down[0]) == pytest.approx(y, abs=0.06)


def test_of_places_too_near_to_one_another_the_highest_stays() -> None:
    centre = torch.tensor([[0.0, 0.0], [0.9 * NEAR, 0.0], [2.5 * NEAR, 0.0], [0.0, 1.1 * NEAR]])
    found = strongest(Candidates(centre, torch.ones(4), torch.tensor([0.5, 0.7, 0.3, 0.6])))
    assert found.height.tolist() == pytest.approx([0.7, 0.6, 0.3])
    assert found.centre.tolist() == centre[[1, 3, 2]].tolist()


def test_a_larger_one_keeps_smaller_ones_at_a_distance() -> None:
    centre = torch.tensor([[0.0, 0.0], [1.5 * NEAR, 0.0]])
    small, large = torch.ones(2), torch.tensor([2.0, 1.0])
    assert len(strongest(Candidates(centre, small, torch.tensor([0.5, 0.4])))) == 2
    assert len(strongest(Candidates(centre, large, torch.tensor([0.5, 0.4])))) == 1


def test_the_higher_the_likelier() -> None:
    finder = Finder(4)
    finder.odds.copy_(torch.tensor([3.0, 4.0, -2.0]))
    likely = finder.likely(torch.tensor([-1.0, 0.0, 0.1, 0.3, 1.0]))
    assert (likely.diff() >= 0).all()
    assert float(likely[3]) == pytest.approx(1 / (1 + math.exp(-(3 * math.log(0.3) + 4))), abs=1e-6)
