"""Disputed labels: what is planted is found, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from lead.studio.disputes import Case, find_disputes
from lead.studio.messages import Dispute

NAMES = ["left", "right", "top", "tip"]
SHAPE = np.array([[60.0, 80], [140, 80], [100, 30], [100, 150]])
PAIRS = [("left", "right")]
SIZE = (200, 180)


def clean(count: int = 12, *, error: float = 3.0, seed: int = 0) -> list[Case]:
    """Labels that a model agrees with to about ``error`` pixels."""
    draws = np.random.default_rng(seed)
    cases = []
    for i in range(count):
        xy = SHAPE + draws.normal(0, 6, (1, 2)) + draws.normal(0, 2, SHAPE.shape)
        unseen = xy + draws.normal(0, error / 1.25, SHAPE.shape)
        by_hand = np.ones(4, dtype=bool)
        cases.append(Case(f"id{i}", f"{i}.png", SIZE, xy, unseen, np.full(4, error), np.full(4, 0.9), by_hand))
    return cases


def of_kind(found: list[Dispute], kind: str) -> list[Dispute]:
    return [dispute for dispute in found if dispute.kind == kind]


def test_clean_labels_are_hardly_disputed() -> None:
    found = [dispute for seed in range(10) for dispute in find_disputes(clean(30, seed=seed), NAMES, PAIRS)]
    assert len(found) <= 3  # of 1,200 labels: where the model's own error is three times what it expected
    assert all(dispute.severity < 1.5 for dispute in found)
    accurate = [case for seed in range(10) for case in find_disputes(clean(30, error=0.5, seed=seed), NAMES, PAIRS)]
    assert accurate == []


def test_an_outlier() -> None:
    cases = clean()
    cases[3].xy[2] += [45, 10]
    found = find_disputes(cases, NAMES, PAIRS)
    assert [(d.id, d.kind, d.landmarks) for d in found] == [("id3", "outlier", ["top"])]
    assert found[0].distance_px == pytest.approx(np.linalg.norm(cases[3].xy[2] - cases[3].unseen[2]))
    assert found[0].severity > 1
    expected = found[0].expected["top"]
    assert (expected.x, expected.y) == pytest.approx(tuple(cases[3].unseen[2]))
    assert "top is" in found[0].message
    assert " px" in found[0].message


def test_distances_in_percent_of_the_longer_side() -> None:
    cases = clean()
    cases[3].xy[2] += [45, 10]
    (dispute,) = find_disputes(cases, NAMES, PAIRS, unit="percent")
    share = 100 * dispute.distance_px / max(SIZE)
    assert f"top is {share:.0f} % from" in dispute.message
    assert "px" not in dispute.message


@pytest.mark.parametrize(("a", "b"), [(0, 1), (2, 3)])
def test_a_swap_of_a_pair_or_of_any_two(a: int, b: int) -> None:
    cases = clean()
    cases[5].xy[[a, b]] = cases[5].xy[[b, a]]
    found = find_disputes(cases, NAMES, PAIRS)
    assert [(d.id, d.kind, d.landmarks) for d in found] == [("id5", "swap", [NAMES[a], NAMES[b]])]
    assert set(found[0].expected) == {NAMES[a], NAMES[b]}


def test_a_duplicate_from_the_first_picture_on() -> None:
    for count in (1, 12):
        cases = clean(count)
        cases[0].xy[1] = cases[0].xy[0] + 0.5
        found = find_disputes(cases, NAMES, PAIRS)
        assert [(d.id, d.kind, d.landmarks) for d in found] == [("id0", "duplicate", ["left", "right"])]


def test_landmarks_that_commonly_meet_are_no_duplicates() -> None:
    cases = clean()
    for case in cases:
        case.xy[3] = case.xy[2] + 0.7
        case.unseen[3] = case.unseen[2] + 0.7
    assert find_disputes(cases, NAMES, PAIRS) == []


@pytest.mark.parametrize(
    ("place", "beyond"),
    [((-0.6, 50), 0.1), ((199.5, 50), 0), ((203.5, 50), 4.0), ((50, 189.5), 10.0), ((-0.5, -0.5), 0)],
)
def test_outside(place: tuple[float, float], beyond: float) -> None:
    case = clean(1)[0]
    case.xy[3] = place
    found = of_kind(find_disputes([case], NAMES, PAIRS), "outside")
    assert [d.distance_px for d in found] == ([pytest.approx(beyond)] if beyond else [])


def test_checked_pictures_are_left_out_but_count() -> None:
    cases = clean()
    cases[3].xy[2] += [45, 10]
    assert find_disputes(cases, NAMES, PAIRS, leave_out={"id3"}) == []


def test_accepted_suggestions_may_be_disputed_but_do_not_set_the_limits() -> None:
    """Blindly accepted, and each 20 pixels off: as labels of a person's own they would make that the usual thing."""
    cases = clean(20)
    for case in cases[6:]:
        case.xy[2] += [20, 0]
    assert of_kind(find_disputes(cases, NAMES, PAIRS), "outlier") == []
    for case in cases[6:]:
        case.by_hand[2] = False
    found = of_kind(find_disputes(cases, NAMES, PAIRS), "outlier")
    assert {dispute.id for dispute in found} == {case.id for case in cases[6:]}
    for case in cases[4:]:
        case.by_hand[:] = False
    assert of_kind(find_disputes(cases, NAMES, PAIRS), "outlier") == []  # four pictures do not say what is usual


def test_too_few_pictures_for_outliers() -> None:
    cases = clean(4)
    cases[3].xy[2] += [45, 10]
    assert find_disputes(cases, NAMES, PAIRS) == []


def test_the_most_severe_first_and_missing_labels() -> None:
    cases = clean(15)
    cases[2].xy[2] += [25, 0]
    cases[7].xy[2] += [60, 0]
    cases[4].xy[0] = np.nan
    cases[9].unseen[1] = np.nan
    cases[9].error[1] = np.nan
    for case in cases:
        case.xy[3] = np.nan
    found = find_disputes(cases, NAMES, PAIRS)
    assert [d.id for d in found] == ["id7", "id2"]
    assert found[0].severity > found[1].severity


def test_an_unsure_model_disputes_less() -> None:
    cases = clean()
    cases[3].xy[2] += [25, 0]
    assert len(find_disputes(cases, NAMES, PAIRS)) == 1
    cases[3].error[2] = 12
    assert find_disputes(cases, NAMES, PAIRS) == []
