"""Individuals by their looks: learnt from few, and only believed where held-out pictures bear it out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lead.landmarks.model import VISIBLE, Labels, Schema
from lead.nn.individuals import Individuals, called, design
from lead.training.individuals import RIDGE, _solved, fit_individuals

SCHEMA = Schema(("a", "b"))
NAMES = ("anna", "ben", "cleo")


def labelled(pictures: int, names: tuple[str, ...] = NAMES) -> Labels:
    images = [f"{i:02}.png" for i in range(pictures) for _ in names]
    xy = np.random.default_rng(0).uniform(0, 100, (len(images), 2, 2))
    return Labels(SCHEMA, tuple(images), xy, np.full((len(images), 2), VISIBLE, np.int8), tracks=names * pictures)


def looks(labels: Labels, apart: float, seed: int = 3) -> Tensor:
    """Of each specimen: its name's own, ``apart`` from the others', among noise; the last is constant."""
    draws = torch.Generator().manual_seed(seed)
    own = {name: apart * torch.randn(12, generator=draws) for name in dict.fromkeys(labels.tracks or ())}
    seen = torch.stack([own[name] for name in labels.tracks or ()]) + torch.randn(len(labels), 12, generator=draws)
    return torch.cat([seen, torch.ones(len(labels), 1)], dim=1)


def test_what_is_said_of_a_picture_held_out_is_what_a_fit_without_it_says() -> None:
    labels = labelled(5)
    seen, target = looks(labels, 1.0).double(), torch.eye(3).double().repeat(5, 1) - 1 / 3
    _, held_out = _solved(seen, target, labels.images)
    strength = RIDGE * (seen @ seen.T).diagonal().mean()  # of all: which does not hang on the one held out
    for start in range(0, 15, 3):
        rest = [i for i in range(15) if not start <= i < start + 3]
        normal = seen[rest].T @ seen[rest] + strength * torch.eye(13).double()
        weight = torch.linalg.solve(normal, seen[rest].T @ target[rest])
        assert torch.allclose(held_out[start : start + 3], seen[start : start + 3] @ weight, atol=1e-9)


def test_a_few_pictures_teach_who_is_who_elsewhere() -> None:
    fit = fit_individuals(looks(labelled(6), 2.0), labelled(6))
    assert fit is not None
    assert fit.individuals is not None
    assert fit.names == NAMES
    assert fit.right == fit.of == 18
    many = labelled(60)
    seen = looks(many, 2.0)[18:]  # the same individuals, other noise
    said = [name for start in range(0, len(seen), 3) for name in fit.individuals.called(seen[start : start + 3])]
    assert np.mean(np.array(said) == np.array(many.tracks[18:] if many.tracks else ())) > 0.95


def test_names_that_looks_do_not_bear_out_are_not_given() -> None:
    believed = [fit_individuals(looks(labelled(10), 0.0, seed), labelled(10)) for seed in range(40)]
    assert all(fit is not None for fit in believed)
    assert sum(fit is not None and fit.individuals is not None for fit in believed) <= 4
    fit = believed[0]
    assert fit is not None
    assert "cannot be told apart" in fit.words


@pytest.mark.parametrize("tracks", [("", "") * 5, ("anna", "") * 5, tuple(f"{i}" for i in range(10))])
def test_without_two_that_are_named_in_several_pictures_there_is_nothing_to_learn(tracks: tuple[str, ...]) -> None:
    labels = labelled(5, ("x", "y"))
    labels = Labels(SCHEMA, labels.images, labels.xy, labels.visible, tracks=tracks)
    assert fit_individuals(torch.randn(10, 13), labels) is None


def test_each_name_is_given_once_in_a_picture_and_none_that_is_unlikely() -> None:
    likely = torch.tensor([[0.6, 0.4, 0.0], [0.9, 0.1, 0.0], [0.5, 0.49, 0.01]])
    assert called(likely, NAMES) == ("", "anna", "ben") or called(likely, NAMES) == ("ben", "anna", "")
    assert called(torch.zeros(0, 3), NAMES) == ()


def test_what_is_seen_is_the_unit_feature_at_each_landmark_and_nothing_where_there_is_none() -> None:
    features = torch.randn(2, 5, 8, 8)
    column, row = 3, 6
    place = torch.tensor([(column + 0.5) / 4 - 1, (row + 0.5) / 4 - 1])
    points = torch.stack([torch.stack([place, place]), torch.stack([place, torch.full((2,), torch.nan)])])
    seen = design(features, points)
    unit = functional.normalize(features[:, :, row, column], dim=1)
    assert torch.allclose(seen[0], torch.cat([unit[0], unit[0], torch.ones(1)]), atol=1e-6)
    # Of a single one in view, as much is made as of both.
    assert torch.allclose(seen[1], torch.cat([2 * unit[1], torch.zeros(5), torch.ones(1)]), atol=1e-6)


def test_probabilities_are_those_of_a_softmax() -> None:
    individuals = Individuals(NAMES, 4)
    individuals.weight.copy_(torch.randn(3, 4))
    individuals.sharpness.fill_(2.0)
    seen = torch.randn(7, 4)
    expected = torch.exp(2 * seen @ individuals.weight.T)
    assert torch.allclose(individuals(seen), expected / expected.sum(1, keepdim=True), atol=1e-6)
