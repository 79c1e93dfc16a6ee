"""What to label next: clusters before outliers, what the model does not know, and no surprises."""

from __future__ import annotations

import tracemalloc

import numpy as np
import numpy.typing as npt
import pytest

from lead.studio.choose import COVERED, Chooser, describe

Floats = npt.NDArray[np.float64]


def clusters(count: int, size: int, *, outliers: int = 0, seed: int = 0) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Points of far-apart clusters in 8 dimensions, shuffled, and the cluster of each; -1 for lone points far away."""
    random = np.random.default_rng(seed)
    centres = 10 * random.permutation(np.eye(8))[:count]
    points = [*(centre + 0.5 * random.normal(size=(size, 8)) for centre in centres)]
    points += [30 * random.choice([-1, 1], size=(1, 8)) for _ in range(outliers)]
    kind = np.repeat([*range(count), *[-1] * outliers], [size] * count + [1] * outliers)
    order = random.permutation(len(kind))
    return np.concatenate(points)[order], kind[order]


def picks(chooser: Chooser, number: int, labelled: tuple[int, ...] = ()) -> list[int]:
    rows = list(labelled)
    while len(rows) < number:
        row = chooser.next(rows, None).row
        assert row is not None
        rows.append(row)
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_the_first_choices_are_one_of_each_cluster_and_no_outlier(seed: int) -> None:
    points, kind = clusters(6, 30, outliers=6, seed=seed)
    rows = picks(Chooser(points), 6)
    assert sorted(kind[rows]) == list(range(6))


def test_lone_pictures_wait() -> None:
    points, kind = clusters(1, 100, outliers=3)
    chooser = Chooser(points)
    lone = np.flatnonzero(kind == -1).tolist()
    rows = picks(chooser, 8)
    assert not set(rows) & set(lone)
    assert chooser.next(rows[:1], None, skip=np.flatnonzero(kind == 0).tolist()).row in lone


def test_what_is_labelled_is_not_chosen_again_whoever_chose_it() -> None:
    points, kind = clusters(5, 20)
    begun = tuple(int(np.flatnonzero(kind == k)[3]) for k in (4, 2))
    rows = picks(Chooser(points), 5, begun)
    assert sorted(kind[rows]) == list(range(5))
    assert Chooser(points).next(begun, None) == Chooser(points).next(begun[::-1], None)


def test_a_larger_cluster_is_labelled_more_often() -> None:
    points, kind = clusters(2, 60, seed=1)
    keep = np.flatnonzero((kind == 0) | (np.cumsum(kind == 1) <= 20))
    chosen = kind[keep][picks(Chooser(points[keep]), 12)]
    assert (chosen == 0).sum() == pytest.approx(9, abs=1)


def test_every_picture_is_chosen_once_and_then_none() -> None:
    points, _ = clusters(3, 5, outliers=1)
    chooser = Chooser(points)
    assert sorted(picks(chooser, 16)) == list(range(16))
    done = chooser.next(range(16), None)
    assert (done.row, done.kind, done.represented) == (None, "none", 0)


def test_the_same_answer_every_time() -> None:
    points, _ = clusters(4, 25)
    assert picks(Chooser(points, seed=3), 12) == picks(Chooser(points.copy(), seed=3), 12)


def test_skipped_pictures_are_not_chosen() -> None:
    points, _ = clusters(3, 10)
    chooser = Chooser(points)
    first = chooser.next([], None).row
    assert first is not None
    other = chooser.next([], None, skip=[first]).row
    assert other is not None
    assert other != first
    all_but_one = [row for row in range(30) if row != 17]
    assert chooser.next([], None, skip=all_but_one).row == 17
    assert chooser.next(all_but_one[:20], np.ones(30), skip=all_but_one[20:]).row == 17
    assert chooser.next([], None, skip=range(30)).kind == "none"


def test_what_a_choice_stands_for_adds_up() -> None:
    points, kind = clusters(4, 15)
    chooser = Chooser(points)
    rows: list[int] = []
    for _ in range(8):
        picked = chooser.next(rows, None)
        assert picked.row is not None
        rows.append(picked.row)
        squares = ((points[:, None] - points[rows]) ** 2).sum(-1)
        assert picked.represented == (squares.argmin(1) == len(rows) - 1).sum()
        assert chooser.shares(rows).sum() == len(points)
    assert sorted(kind[rows[:4]]) == list(range(4))
    assert chooser.shares(rows[:4]).tolist() == [15] * 4


def by_hand(points: Floats, labelled: list[int], uncertainty: Floats) -> int:
    """The definition, in loops: weighted mean likeness less the labelled pictures' likeness over one more."""

    def square(i: int, j: int) -> float:
        return float(((points[i] - points[j]) ** 2).sum())

    everyone = range(len(points))
    width = float(np.median([square(i, j) for i in everyone for j in everyone if i != j]))
    best, chosen = -np.inf, -1
    for i in everyone:
        if i in labelled:
            continue
        alike = [np.exp(-square(i, j) / width) for j in everyone]
        wanted = sum(u * a for u, a in zip(uncertainty, alike, strict=True)) / uncertainty.sum()
        value = wanted - sum(alike[j] for j in labelled) / (len(labelled) + 1)
        if value > best:
            best, chosen = value, i
    return chosen


@pytest.mark.parametrize("seed", range(5))
def test_the_first_choices_as_by_hand(seed: int) -> None:
    points = np.random.default_rng(seed).normal(size=(60, 4)) * [3, 2, 1, 1]
    rows: list[int] = []
    for row in picks(Chooser(points), COVERED):
        assert row == by_hand(points, rows, np.ones(60))
        rows.append(row)


@pytest.mark.parametrize("seed", range(5))
def test_uncertain_and_different_as_by_hand(seed: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(60, 4)) * [3, 2, 1, 1]
    uncertainty = random.uniform(size=60) ** 4
    labelled = random.permutation(60)[:COVERED].tolist()
    picked = Chooser(points).next(labelled, uncertainty)
    assert picked.row == by_hand(points, labelled, uncertainty)
    assert picked.kind == "uncertain"
    left = np.setdiff1d(np.arange(60), labelled)
    assert picked.less_sure_than == pytest.approx((uncertainty[left] < uncertainty[picked.row]).mean())


def test_an_uncertain_cluster_is_labelled_first_once_the_folder_is_covered() -> None:
    points, kind = clusters(5, 40)
    chooser = Chooser(points)
    rows = picks(chooser, COVERED)
    unsure = np.where(kind == 3, 0.9, 0.01)
    assert chooser.next(rows[:-1], unsure).kind == "coverage"
    picked = chooser.next(rows, unsure)
    assert picked.row is not None
    assert (picked.kind, kind[picked.row]) == ("uncertain", 3)
    for unknown in (np.full(200, np.nan), np.zeros(200)):
        assert chooser.next(rows, unknown) == chooser.next(rows, None)


def test_reasons_are_sentences_with_the_numbers() -> None:
    points, kind = clusters(5, 40)
    chooser = Chooser(points)
    assert chooser.next([], None).reason == "It is the most typical of the 200 pictures."
    begun = [int(np.flatnonzero(kind == k)[0]) for k in range(4)]
    assert chooser.next(begun, None).reason == "It stands for 40 of 200 pictures, unlike those labelled so far."
    unsure = chooser.next(picks(chooser, COVERED), np.where(kind == 3, 0.9, 0.01))
    assert f"{unsure.less_sure_than:.0%} of the pictures left" in unsure.reason
    assert f"stands for {unsure.represented} of 200 pictures" in unsure.reason
    assert chooser.next(range(200), None).reason == "There is no picture left to label."


def test_one_picture() -> None:
    picked = Chooser(np.array([[1.0, 2.0]])).next([], None)
    assert (picked.row, picked.represented, picked.pictures) == (0, 1, 1)


def test_identical_pictures() -> None:
    chooser = Chooser(np.full((7, 3), 5.0))
    assert sorted(picks(chooser, 7)) == list(range(7))
    assert chooser.next([2], None).represented == 1


def test_many_pictures_take_little_memory() -> None:
    points = np.random.default_rng(0).normal(size=(30_000, 16)).astype(np.float32)
    tracemalloc.start()
    chooser = Chooser(points)
    labelled = list(range(100, 100 + COVERED))
    for uncertainty in (None, np.linspace(0, 1, 30_000)):
        row = chooser.next(labelled, uncertainty).row
        assert row is not None
        assert row not in labelled
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200e6  # 30,000² likenesses would be 3.6 GB


def test_references_stand_for_a_larger_folder() -> None:
    points, kind = clusters(6, 100, outliers=4)
    chooser = Chooser(points, references=150, chunk=64)
    rows = picks(chooser, 6)
    assert sorted(kind[rows]) == list(range(6))
    assert chooser.shares(rows).sum() == 604
    row = chooser.next([*rows, *range(COVERED)], np.where(kind == 2, 1.0, 0.01)).row
    assert row is not None
    assert kind[row] == 2


def scattered(count: int, seed: int = 0) -> npt.NDArray[np.float16]:
    """Features (count, 3, 4, 6)."""
    return np.random.default_rng(seed).normal(size=(count, 3, 4, 6)).astype(np.float16)


@pytest.mark.parametrize("count", [5, 70])  # fewer pictures than numbers describe each, and more
def test_descriptors_keep_the_distances_of_moments_and_quarters(count: int) -> None:
    features = scattered(count)
    unit = features.astype(np.float64)
    unit /= np.sqrt((unit**2).sum(1, keepdims=True))
    moments = np.array([sum(np.outer(u[:, y, x], u[:, y, x]) for y in range(4) for x in range(6)) / 24 for u in unit])
    halves = (slice(0, 2), slice(2, 4)), (slice(0, 3), slice(3, 6))
    quarters = np.array([[u[:, y, x].mean((1, 2)) for y in halves[0] for x in halves[1]] for u in unit])
    wanted = np.zeros((count, count))
    for whole in (moments.reshape(count, -1), quarters.reshape(count, -1)):
        whole = whole - whole.mean(0)
        kept = np.linalg.matrix_rank(whole)  # every direction in which they differ
        wanted += count * kept * ((whole[:, None] - whole) ** 2).sum(-1) / (whole**2).sum()
    found = describe(features).astype(np.float64)
    assert ((found[:, None] - found) ** 2).sum(-1) == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_descriptors_of_one_and_of_equal_pictures() -> None:
    assert len(describe(scattered(1))) == 1
    assert np.isfinite(describe(np.repeat(scattered(1), 4, axis=0))).all()
    assert Chooser(describe(scattered(1))).next([], None).row == 0


def test_descriptors_of_a_larger_folder_rest_on_some_pictures() -> None:
    whole = describe(scattered(90))
    part = describe(scattered(90), references=40)
    assert len(part) == 90
    assert (part == describe(scattered(90), references=40)).all()
    apart = [((x[:, None] - x) ** 2).sum(-1).ravel() for x in (whole, part)]
    assert np.corrcoef(*apart)[0, 1] > 0.9


@pytest.mark.parametrize("labelled", [0, 4, COVERED, 20])
def test_the_runner_up_is_what_would_be_chosen_next(labelled: int) -> None:
    points, _ = clusters(4, 25, outliers=3)
    chooser = Chooser(points)
    unsure = np.random.default_rng(2).uniform(0.1, 1.0, len(points)) if labelled >= COVERED else None
    rows = np.random.default_rng(1).permutation(len(points))[:labelled].tolist()
    picked = chooser.next(rows, unsure, skip=[7])
    assert picked.row is not None
    assert picked.then == chooser.next([*rows, picked.row], unsure, skip=[7]).row
    assert chooser.next(range(1, len(points)), unsure).then is None
