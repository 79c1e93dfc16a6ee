"""Individuals over a film's frames."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from lead.landmarks.model import VISIBLE, Labels, Schema
from lead.linking import GAP, linked

SHAPE = np.array([[-10.0, 0.0], [10.0, 0.0], [0.0, 6.0]])
SCHEMA = Schema(("a", "b", "c"))


def film(paths: npt.NDArray[np.float64], seen: npt.NDArray[np.bool_], seed: int = 0) -> tuple[Labels, list[int]]:
    """Labels of things that go along paths (frames, things, 2), in any order in a frame; and which is which.

    A frame in which none is ``seen`` (frames, things) has a row without landmarks.
    """
    draws = np.random.default_rng(seed)
    images, xy, who = [], [], []
    for frame, places in enumerate(paths):
        there = [i for i in draws.permutation(len(places)).tolist() if seen[frame, i]]
        for i in there or [-1]:
            images.append(f"film.mp4#{frame}")
            who.append(i)
            xy.append(SHAPE + places[i] + draws.normal(0, 0.3, SHAPE.shape) if i >= 0 else np.full((3, 2), np.nan))
    points = np.array(xy)
    visible = np.full(points.shape[:2], VISIBLE, np.int8)
    return Labels(SCHEMA, tuple(images), points, visible, tracks=("",) * len(images)), who


def named(labels: Labels, who: list[int]) -> dict[int, set[str]]:
    """The names that each thing got."""
    assert labels.tracks is not None
    out: dict[int, set[str]] = {}
    for name, i in zip(labels.tracks, who, strict=True):
        out.setdefault(i, set()).add(name)
    return out


def walks(frames: int, things: int, seed: int = 1) -> npt.NDArray[np.float64]:
    draws = np.random.default_rng(seed)
    starts = np.arange(things)[:, None] * np.array([60.0, 45.0])
    return np.asarray(starts + np.cumsum(draws.normal(0, 1.5, (frames, things, 2)), axis=0), np.float64)


def test_each_keeps_its_name_whatever_the_order_in_a_frame() -> None:
    paths = walks(40, 4)
    labels, who = film(paths, np.ones((40, 4), bool))
    names = named(linked(labels), who)
    assert sorted(map(len, names.values())) == [1] * 4
    assert set().union(*names.values()) == {"1", "2", "3", "4"}


def test_two_that_cross_at_speed_go_on_as_they_went() -> None:
    along = np.arange(60)[:, None] * 3.0
    paths = np.stack([np.hstack([along, 0.4 * along]), np.hstack([177 - along, 0.4 * along + 4])], axis=1)
    labels, who = film(paths, np.ones((60, 2), bool))
    assert all(len(names) == 1 for names in named(linked(labels), who).values())


@pytest.mark.parametrize(("gap", "same"), [(GAP - 1, True), (GAP + 1, False)])
def test_what_is_gone_for_a_while_comes_back_under_its_name(gap: int, same: bool) -> None:
    seen = np.ones((gap + 20, 2), bool)
    seen[10 : 9 + gap, 0] = False
    paths = np.tile(np.array([[0.0, 0.0], [80.0, 0.0]]), (len(seen), 1, 1))
    labels, who = film(paths, seen)
    names = named(linked(labels), who)
    assert len(names[0]) == (1 if same else 2)
    assert len(names[1]) == 1


def test_frames_without_any_are_gaps_too_and_stay_without_names() -> None:
    seen = np.ones((30, 2), bool)
    seen[12:17] = False
    labels, who = film(walks(30, 2), seen)
    names = named(linked(labels), who)
    assert names[-1] == {""}
    assert all(len(names[i]) == 1 for i in (0, 1))


def test_one_that_appears_far_away_is_another() -> None:
    paths = np.zeros((20, 1, 2))
    paths[10:] += 200
    labels, who = film(paths, np.ones((20, 1), bool))
    found = linked(labels)
    assert Counter(found.tracks or ()) == {"1": 10, "2": 10}
    assert who == [0] * 20


def with_names(labels: Labels, who: list[int], right: float, seed: int = 2) -> Labels:
    """Names by looks, frame by frame, of things 0 and 1: their own so often, else the other's; others have none."""
    taken_for_the_other = np.random.default_rng(seed).random(len(labels)) > right
    frames = [int(image.split("#")[1]) for image in labels.images]
    names = [
        ("anna", "ben")[i ^ taken_for_the_other[frame]] if i in (0, 1) else ""
        for frame, i in zip(frames, who, strict=True)
    ]
    return replace(labels, tracks=tuple(names))


def test_looks_tell_who_is_who_after_two_have_met() -> None:
    # They meet, stay together in one spot in any order, and part: where each was does not say who is who.
    away = np.concatenate([np.linspace(90, 0, 60), np.zeros(40), np.linspace(0, 90, 200)])
    turned = np.concatenate([np.ones(100), -np.ones(200)])
    paths = np.stack([np.stack([side * turned * away, np.zeros(300)], 1) for side in (-1, 1)], axis=1)
    labels, who = film(paths, np.ones((300, 2), bool))
    found = linked(with_names(labels, who, 0.85))
    apart = [abs(paths[int(image.split("#")[1]), i, 0]) > 30 for image, i in zip(labels.images, who, strict=True)]
    names = [("anna", "ben")[i] for i in who]
    assert all(a == b for a, b, far in zip(found.tracks or (), names, apart, strict=True) if far)


def test_nobody_changes_places_with_one_who_is_far_away() -> None:
    labels, who = film(walks(200, 2) + np.array([[0.0, 0.0], [400.0, 0.0]]), np.ones((200, 2), bool))
    names = with_names(labels, who, 1.0)
    mixed = tuple(
        {"anna": "ben", "ben": "anna"}[name] if 60 <= int(image.split("#")[1]) < 120 else name
        for name, image in zip(names.tracks or (), names.images, strict=True)
    )
    found = linked(replace(names, tracks=mixed))
    assert named(found, who) == {0: {"anna"}, 1: {"ben"}}


def test_who_has_no_name_by_looks_has_a_number() -> None:
    labels, who = film(walks(50, 4), np.ones((50, 4), bool))
    found = named(linked(with_names(labels, who, 0.9)), who)
    assert found == {0: {"anna"}, 1: {"ben"}, 2: found[2], 3: found[3]}
    assert found[2] | found[3] == {"1", "2"}


def test_a_number_is_not_a_name_that_somebody_has() -> None:
    labels, who = film(walks(50, 3), np.ones((50, 3), bool))
    names = with_names(labels, who, 1.0)
    numbered = tuple({"anna": "1", "ben": "2", "": ""}[name] for name in names.tracks or ())
    assert named(linked(replace(names, tracks=numbered)), who) == {0: {"1"}, 1: {"2"}, 2: {"3"}}
