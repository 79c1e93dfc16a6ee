"""Errors to expect, against the model's equations written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lead.nn.confidence import LADDER, Confidence


def made(seed: int = 0) -> Confidence:
    random = torch.Generator().manual_seed(seed)
    model = Confidence(3, 2)
    for name in ("centre", "weight", "level"):
        tensor = getattr(model, name)
        tensor.copy_(torch.randn(tensor.shape, generator=random))
    model.ladder.copy_(torch.rand(LADDER, generator=random).cumsum(0))
    return model


def test_the_expected_error_is_log_linear_in_the_signals() -> None:
    model, signals = made(), torch.randn(4, 2, 3)
    found = model.expected(signals)
    assert found.shape == (4, 2)
    for b in range(4):
        for k in range(2):
            terms = [float(model.weight[s]) * (float(signals[b, k, s]) - float(model.centre[s])) for s in range(3)]
            assert float(found[b, k]) == pytest.approx(math.exp(float(model.level[k]) + sum(terms)), rel=1e-4)


@given(seed=st.integers(0, 20), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_larger_share_never_needs_a_smaller_radius(seed: int, low: float, high: float) -> None:
    model = made(seed)
    low, high = sorted((low, high))
    assert model.factor(low) <= model.factor(high)
    expected = np.interp([low, high], np.linspace(0, 1, LADDER), model.ladder.double().numpy())
    assert [model.factor(low), model.factor(high)] == pytest.approx(expected.tolist(), rel=1e-4, abs=1e-5)


def test_the_ladders_ends_are_its_first_and_last_step() -> None:
    model = made()
    assert model.factor(0) == pytest.approx(float(model.ladder[0]))
    assert model.factor(1) == pytest.approx(float(model.ladder[-1]))
    assert model.factor(0.5) == pytest.approx(float(model.ladder[50]))


def test_hidden_is_what_the_logistic_model_finds_likelier() -> None:
    model, signals = made(), torch.randn(50, 2, 3)
    assert not model.is_hidden(signals).any()  # unless something says so
    model.hidden.copy_(torch.randn(4, 2))
    found = model.is_hidden(signals)
    for b in range(50):
        for k in range(2):
            odds = float(model.hidden[3, k]) + sum(
                float(model.hidden[s, k]) * (float(signals[b, k, s]) - float(model.centre[s])) for s in range(3)
            )
            assert bool(found[b, k]) == (1 / (1 + math.exp(-odds)) > 0.5)
    assert 0 < found.float().mean() < 1
