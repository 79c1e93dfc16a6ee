from __future__ import annotations

import math
from collections import Counter

import numpy as np
import numpy.typing as npt
import pytest

from lead.errors import LeadError
from lead.experiments.interpret import Parts, consistency, embed, part_clusters, sample_cells, separation

NAN = float("nan")
RNG = np.random.default_rng(7)
# Three groups of directions, each vector of its own length: only the direction may count.
GROUP = np.arange(60) % 3
DIRECTIONS = np.eye(8)[GROUP] + 0.05 * RNG.normal(size=(60, 8))
CELLS = DIRECTIONS * RNG.uniform(0.1, 10, size=(60, 1))


def same_partition(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> bool:
    """Whether two labellings divide alike, whatever they call the parts."""
    return len(set(zip(a.ravel(), b.ravel(), strict=True))) == len(set(a.ravel())) == len(set(b.ravel()))


def mutual_information(a: list[int], b: list[int]) -> float:
    """Normalised mutual information written from the formula."""

    def entropy(labels: list[int] | list[tuple[int, int]]) -> float:
        return -sum(n / len(labels) * math.log(n / len(labels)) for n in Counter(labels).values())

    together = entropy(list(zip(a, b, strict=True)))
    return 2 * (entropy(a) + entropy(b) - together) / (entropy(a) + entropy(b))


def test_separable_directions_become_parts_whatever_their_length() -> None:
    parts = part_clusters(CELLS, seed=0, count=3)
    assert parts.centres.shape == (3, 8)
    features = CELLS.reshape(5, 3, 4, 8).transpose(0, 3, 1, 2)  # (N, C, h, w)
    assigned = parts.assign(features)
    assert assigned.shape == (5, 3, 4)
    assert same_partition(assigned, GROUP.reshape(5, 3, 4))


def test_a_cell_belongs_to_the_nearest_centre() -> None:
    parts = Parts(RNG.normal(size=(5, 4)) * np.linspace(0.1, 1, 5)[:, None])
    features = RNG.normal(size=(2, 4, 6, 5)).astype(np.float16)
    assigned = parts.assign(features)
    for n, row, column in np.ndindex(2, 6, 5):
        cell = features[n, :, row, column].astype(float)
        distances = [math.dist(cell / np.linalg.norm(cell), centre) for centre in parts.centres]
        assert assigned[n, row, column] == distances.index(min(distances))


def test_too_few_cells_for_the_parts() -> None:
    with pytest.raises(LeadError, match="2 cells cannot be divided into 9 parts"):
        part_clusters(CELLS[:2], seed=0)


def test_sampled_cells_are_those_of_their_places() -> None:
    features = RNG.normal(size=(3, 4, 5, 6)).astype(np.float16)
    cells, where = sample_cells(features, 7, seed=1)
    assert cells.shape == (21, 4)
    assert cells.dtype == np.float32
    assert len({tuple(place) for place in where}) == 21, "none twice"
    assert Counter(where[:, 0].tolist()) == {0: 7, 1: 7, 2: 7}
    for cell, (picture, row, column) in zip(cells, where, strict=True):
        np.testing.assert_array_equal(cell, features[picture, :, row, column])
    again, elsewhere = sample_cells(features, 7, seed=1)[1], sample_cells(features, 7, seed=2)[1]
    np.testing.assert_array_equal(where, again)
    assert not np.array_equal(where, elsewhere)
    every = sample_cells(features, 1000, seed=1)[1]
    assert {tuple(place) for place in every} == set(np.ndindex(3, 5, 6))


def test_an_embedding_keeps_groups_apart_and_is_the_same_for_one_seed() -> None:
    seed = 2**62 + 1  # as long as the seeds that the package derives
    plane = embed(CELLS, seed)
    assert plane.shape == (60, 2)
    np.testing.assert_array_equal(plane, embed(CELLS, seed))
    distance = np.linalg.norm(plane[:, None] - plane, axis=-1) + np.where(np.eye(60), np.inf, 0)
    assert (GROUP[distance.argmin(1)] == GROUP).all()
    assert separation(plane, GROUP, 0) > 0.5


def test_separation_is_the_silhouette_and_rises_as_clusters_part() -> None:
    points = np.array([[0.0], [1.0], [10.0], [12.0]])
    # By hand: own distance 1, 1, 2, 2; to the others 11, 10, 9.5, 11.5.
    expected = np.mean([10 / 11, 9 / 10, 7.5 / 9.5, 9.5 / 11.5])
    assert separation(points, np.array([0, 0, 1, 1]), seed=0) == pytest.approx(expected)
    noise = RNG.normal(size=(60, 2))
    measured = [separation(noise + gap * np.eye(3)[GROUP][:, :2], GROUP, 0) for gap in (0, 3, 30)]
    assert measured[0] < 0.1 < measured[1] < 0.9 < measured[2]


def test_one_cluster_has_no_separation() -> None:
    with pytest.raises(LeadError, match="at least two"):
        separation(CELLS, np.zeros(60, np.int64), seed=0)


def test_consistency_equals_a_slow_count() -> None:
    parts = RNG.integers(0, 4, size=(3, 6, 8))
    xy = RNG.uniform(0, 1, size=(3, 5, 2)) * (79, 59)  # of pictures 80 x 60
    xy[0, 2] = NAN
    xy[2] = NAN  # nothing is known of this picture
    found, nearest = [], []
    for n, row, column in np.ndindex(*parts.shape):
        known = [k for k in range(5) if np.isfinite(xy[n, k]).all()]
        x, y = column * 10 + 4.5, row * 10 + 4.5  # the centre of a cell of 10 x 10 pixels
        across, down = ([xy[n, k, axis] for k in known] for axis in (0, 1))
        if known and min(across) <= x <= max(across) and min(down) <= y <= max(down):
            found.append(int(parts[n, row, column]))
            nearest.append(min(known, key=lambda k: math.dist((x, y), xy[n, k])))
    assert len(set(nearest)) > 1
    assert consistency(parts, xy, (80, 60)) == pytest.approx(mutual_information(found, nearest))


def test_parts_that_follow_the_landmarks_are_consistent_and_fixed_ones_less_so() -> None:
    cells = np.stack(np.meshgrid(np.arange(16.0), np.arange(16.0)), -1)[:, :, None]  # (h, w, 1, 2)
    face = np.array([[0.0, 0.0], [6.0, 0.0], [3.0, 3.0], [0.0, 6.0], [6.0, 6.0]])
    xy = face + RNG.integers(0, 10, size=(20, 1, 2)).astype(np.float64)
    follow = np.stack([np.square(cells - points).sum(-1).argmin(-1) for points in xy])
    fixed = np.broadcast_to(follow[:1], follow.shape)
    shuffled = np.stack([RNG.permutation(5)[parts] for parts in follow])
    assert consistency(follow, xy, (16, 16)) == pytest.approx(1)
    assert consistency(fixed, xy, (16, 16)) < 0.6
    assert consistency(shuffled, xy, (16, 16)) < 0.2, "a part must mean the same place in every picture"


def test_landmarks_outside_every_cell() -> None:
    with pytest.raises(LeadError, match="No cell"):
        consistency(np.zeros((1, 4, 4), np.int64), np.full((1, 5, 2), 1000.0), (16, 16))
