"""The radius that holds nine of ten, against its definition and drawn pictures."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lead.calibration.conformal import FEWEST, holding


def slow(errors: list[float], pictures: list[int]) -> float:
    """The least value of which the pictures' shares reach 9/10, one further picture being infinitely far off."""
    kinds = sorted(set(pictures))
    for value in sorted(errors):
        share = Fraction(0)
        for kind in kinds:
            own = [e for e, p in zip(errors, pictures, strict=True) if p == kind]
            share += Fraction(sum(e <= value for e in own), len(own) * (len(kinds) + 1))
        if share >= Fraction(9, 10):
            return value
    return math.inf


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 14)), max_size=60))
def test_it_is_what_its_definition_says(drawn: list[tuple[int, int]]) -> None:
    errors, pictures = [float(e) for e, _ in drawn], [p for _, p in drawn]
    assert holding(np.array(errors), np.array(pictures, dtype=np.int64)) == slow(errors, pictures)


@pytest.mark.parametrize("count", [FEWEST - 1, FEWEST, 10, 18, 19, 29, 39, 199])
def test_of_one_error_each_it_is_the_known_rank(count: int) -> None:
    errors = np.random.default_rng(count).permutation(count).astype(float)  # 0 … n - 1
    rank = -(-9 * (count + 1) // 10)
    expected = float(rank - 1) if rank <= count else math.inf
    assert holding(errors, np.arange(count)) == expected


@pytest.mark.parametrize(("count", "held"), [(9, 0.9), (10, 10 / 11), (19, 0.9), (24, 23 / 25)])
def test_a_further_picture_is_held_exactly_as_often_as_it_has_to(count: int, held: float) -> None:
    # Of n + 1 exchangeable errors each is as likely to be the last: the k-th of n is not exceeded in k of n + 1 cases.
    draws = np.random.default_rng(0).pareto(1.5, (6000, count + 1))  # heavy tails: nothing is assumed of them
    radii = np.array([holding(row[:-1], np.arange(count)) for row in draws])
    share = (draws[:, -1] <= radii).mean()
    assert share == pytest.approx(held, abs=4 * math.sqrt(0.09 / len(draws)))


def test_pictures_with_many_landmarks_that_go_together_are_held_too() -> None:
    rng = np.random.default_rng(1)

    def pictures(count: int) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
        many = rng.integers(1, 12, count)  # specimens; a picture is easy or hard, and full ones are harder
        which = np.repeat(np.arange(count), many)
        return np.exp(rng.normal(size=count) + 0.1 * many)[which] * rng.exponential(size=len(which)), which

    held = []
    for _ in range(500):
        radius = holding(*pictures(12))
        errors, which = pictures(20)
        held.append(np.mean([(errors[which == one] <= radius).mean() for one in range(20)]))
    assert np.mean(held) >= 0.9 - 0.01
