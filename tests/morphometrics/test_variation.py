"""Variance within and between people: against published numbers, slow sums from the equations, and drawn errors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from lead.morphometrics.variation import (
    between_people,
    icc_one_way,
    icc_two_way,
    model_error,
    model_to_look,
    procrustes_anova,
    within_people,
)

FloatArray = npt.NDArray[np.float64]
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], dtype=float
)
"""Six targets by four judges: table 2 of Shrout and Fleiss (1979)."""


def drawn(
    seed: int, pictures: int, people: str, within: float, between: float, model: float, things: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Looks (L, N, M, 2) and a model's places (N, M, 2), of errors with these standard deviations over both axes."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 500, (pictures, things, 2))
    means = {name: rng.normal(0, between / np.sqrt(2), truth.shape) for name in sorted(set(people))}
    looks = [truth + means[name] + rng.normal(0, within / np.sqrt(2), truth.shape) for name in people]
    return np.array(looks), truth + rng.normal(0, model / np.sqrt(2), truth.shape)


def test_the_correlations_of_shrout_and_fleiss() -> None:
    one, two = icc_one_way(SHROUT_FLEISS, 0.95), icc_two_way(SHROUT_FLEISS, 0.95)
    assert (one.value, one.low, one.high) == pytest.approx((0.166, -0.133, 0.723), abs=0.001)
    assert (two.value, two.low, two.high) == pytest.approx((0.290, 0.019, 0.761), abs=0.001)
    assert one.subjects == two.subjects == 6


def test_gaps_in_looks_are_no_looks() -> None:
    gap = SHROUT_FLEISS.copy()
    gap[0, 3] = np.nan
    assert icc_two_way(gap) == icc_two_way(SHROUT_FLEISS[1:])
    assert icc_one_way(gap).value != icc_one_way(SHROUT_FLEISS[1:]).value, "three looks at the first still count"
    assert np.isnan(icc_one_way(SHROUT_FLEISS[:, :1]).value)


def slow_components(looks: FloatArray, people: str) -> tuple[float, float]:
    """Both variances of one thing, from the sums of a nested analysis of variance, look by look."""
    inner = outer = inner_df = outer_df = weight = 0.0
    for picture in range(looks.shape[1]):
        own: dict[str, list[FloatArray]] = {}
        for look, name in zip(looks[:, picture, 0], people, strict=True):
            if np.isfinite(look).all():
                own.setdefault(name, []).append(look)
        everything = [look for of_one in own.values() for look in of_one]
        middle = np.mean(everything, axis=0)
        for of_one in own.values():
            mean = np.mean(of_one, axis=0)
            inner += sum(float(((look - mean) ** 2).sum()) for look in of_one)
            inner_df += len(of_one) - 1
            outer += len(of_one) * float(((mean - middle) ** 2).sum())
        outer_df += len(own) - 1
        weight += len(everything) - sum(len(of_one) ** 2 for of_one in own.values()) / len(everything)
    within = inner / inner_df
    return within, (outer - outer_df * within) / weight


def test_unequal_numbers_of_looks_against_the_equations() -> None:
    looks, _ = drawn(0, 12, "AABBBC", 2, 5, 1)
    looks[1, :4] = looks[5, 3:8] = looks[3, 0] = np.nan
    within, between = slow_components(looks, "AABBBC")
    assert within_people(looks, "AABBBC").value[0] == pytest.approx(np.sqrt(within))
    assert between_people(looks, "AABBBC").value[0] == pytest.approx(np.sqrt(between))


def test_drawn_errors_are_found_again() -> None:
    looks, model = drawn(1, 3000, "AABBC", 2, 5, 3)
    assert within_people(looks, "AABBC").value[0] == pytest.approx(2, rel=0.03)
    assert between_people(looks, "AABBC").value[0] == pytest.approx(5, rel=0.03)
    assert model_error(model, looks, "AABBC").value[0] == pytest.approx(3, rel=0.05)


def test_a_person_who_looks_twice_does_not_hide_the_model_s_error() -> None:
    looks, model = drawn(2, 60_000, "AA", 4, 0, 1)
    assert model_error(model, looks, "AA").value[0] == pytest.approx(1, rel=0.15), "the looks err four times as much"


def test_one_look_each_says_both_errors_together() -> None:
    looks, _ = drawn(3, 3000, "ABC", 3, 4, 1)
    assert np.isnan(within_people(looks, "ABC").value[0])
    assert between_people(looks, "ABC").value[0] == pytest.approx(5, rel=0.03)


def test_intervals_hold_nine_of_ten() -> None:
    things = 400
    looks, model = drawn(4, 15, "AABB", 2, 5, 3, things)
    for found, true in (
        (within_people(looks, "AABB"), 2),
        (between_people(looks, "AABB"), 5),
        (model_error(model, looks, "AABB"), 3),
    ):
        assert np.mean((found.low <= true) & (true <= found.high)) == pytest.approx(0.9, abs=0.05)
        assert (found.pictures == 15).all()


def test_a_model_as_exact_as_a_look_is_as_far_from_one_as_another() -> None:
    looks, model = drawn(5, 15, "AA", 2, 0, 2, 400)
    found = model_to_look(model, looks, "AA", same=True)
    assert np.median(found.value) == pytest.approx(1, abs=0.05)
    assert np.mean((found.low <= 1) & (found.high >= 1)) == pytest.approx(0.9, abs=0.05)
    # Half as far again: 1 + 3.5 squared over 2 in squares.
    looks, model = drawn(6, 15, "AA", 2, 0, 2 * np.sqrt(3.5), 400)
    worse = model_to_look(model, looks, "AA", same=True)
    assert np.mean(worse.high < 1.5) < 0.09, "five of a hundred by chance"
    assert np.median(worse.value) == pytest.approx(1.5, rel=0.05)


def test_other_people_are_compared_with_other_people() -> None:
    looks, model = drawn(7, 4000, "AABB", 1, 4, 1)
    same, other = (model_to_look(model, looks, "AABB", same=same).value[0] for same in (True, False))
    assert same == pytest.approx(np.sqrt((1 + 16 + 1) / 2), rel=0.05)
    assert other == pytest.approx(np.sqrt((1 + 16 + 1) / (2 * 17)), rel=0.05)


def test_what_cannot_be_compared_is_unknown() -> None:
    looks, model = drawn(8, 5, "AA", 1, 0, 1)
    model[:] = np.nan
    assert np.isnan(model_to_look(model, looks, "AA", same=True).value).all()
    assert np.isnan(model_error(model, looks, "AA").value).all()
    few = within_people(looks[:, :2], "AA")
    assert np.isfinite(few.value).all()
    assert np.isnan(few.low).all(), "two pictures give no interval"


def slow_anova(flat: FloatArray, subjects: list[int], people: str) -> list[float]:
    """Sums of squares one after the other, from residuals of regressions with dummies."""

    def left(*factors: list[str]) -> float:
        columns = [np.ones(len(flat))]
        for factor in factors:
            columns += [np.array([one == level for one in factor], dtype=float) for level in sorted(set(factor))]
        design = np.stack(columns, axis=1)
        return float(((flat - design @ np.linalg.pinv(design) @ flat) ** 2).sum())

    individuals = [str(subject) for subject in subjects]
    cells = [f"{subject}{person}" for subject, person in zip(subjects, people, strict=True)]
    rests = [left(), left(individuals), left(individuals, list(people)), left(cells), 0.0]
    return [before - after for before, after in pairwise(rests)]


def test_procrustes_anova_against_regressions() -> None:
    rng = np.random.default_rng(9)
    subjects, people = [], ""
    for subject in range(6):
        own = "AABB" if subject % 2 else "AAB"
        subjects += [subject] * len(own)
        people += own
    shapes = rng.normal(size=(6, 5, 2))[subjects] + 0.3 * rng.normal(size=(len(subjects), 5, 2))
    shapes[[person == "B" for person in people]] += 0.2
    lines, _ = procrustes_anova(shapes, subjects, people)
    assert [line.name for line in lines] == ["individuals", "people", "individuals × people", "rest"]
    assert [line.ss for line in lines] == pytest.approx(slow_anova(shapes.reshape(len(shapes), -1), subjects, people))
    assert [line.df for line in lines] == [6 * df for df in (5, 1, 5, 9)]
    assert lines[0].f == pytest.approx(lines[0].ms / lines[3].ms)


def test_repeatability_of_shapes_is_the_share_of_individuals() -> None:
    rng = np.random.default_rng(10)
    shapes = (2 * rng.normal(size=(800, 1, 4, 2)) + rng.normal(size=(800, 3, 4, 2))).reshape(-1, 4, 2)
    lines, repeatability = procrustes_anova(shapes, np.repeat(range(800), 3).tolist(), "A" * 2400)
    assert repeatability == pytest.approx(4 / 5, abs=0.02)
    assert [line.name for line in lines] == ["individuals", "rest"]
    one, two = lines[0].ms, lines[1].ms
    assert repeatability == pytest.approx((one - two) / 3 / ((one - two) / 3 + two))
