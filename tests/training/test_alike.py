"""Near-duplicates are found among pictures, and nothing else is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from lead.training.alike import near_duplicates


def maps(count: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Feature maps of pictures of one kind: what they share, and as much of each one's own."""
    draws = np.random.default_rng(seed)
    return (draws.normal(size=(1, 8, 16, 16)) + draws.normal(size=(count, 8, 16, 16))).astype(np.float32)


def twins(features: npt.NDArray[np.float32], share: float) -> npt.NDArray[np.float32]:
    """Copies of pictures, of which so much is changed."""
    other = np.random.default_rng(9).normal(size=features.shape).astype(np.float32)
    return features + share * other


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3])
def test_copies_that_hardly_differ_are_held_together(share: float) -> None:
    first = maps(12)
    groups = near_duplicates(np.concatenate([first, twins(first[:5], share)]).astype(np.float16))
    assert groups is not None
    assert groups[12:] == groups[:5]
    assert len(set(groups)) == 12


def test_pictures_of_different_things_are_not() -> None:
    assert near_duplicates(maps(30).astype(np.float16)) is None


def test_a_chain_of_likenesses_does_not_join_all() -> None:
    """Each is a near-duplicate of the next, as in a film, but the first is not one of the last."""
    ends = maps(2, seed=1)
    along = np.linspace(0, np.pi / 2, 24)[:, None, None, None]
    groups = near_duplicates((np.cos(along) * ends[0] + np.sin(along) * ends[1]).astype(np.float16))
    assert groups is not None
    assert groups[0] != groups[-1]


def test_two_pictures_say_nothing() -> None:
    assert near_duplicates(maps(2).astype(np.float16)) is None
