"""Telling individuals apart by their looks, learnt from a few labelled ones in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lead.landmarks.model import Labels
from lead.nn.individuals import Individuals, called
from lead.reporting import counted

FEWEST = 2
"""Labelled pictures from which an individual is known."""
RIDGE = 0.1
"""Of the mean square of what is learnt from."""
SHARPEST = 64.0
CHANCE = 2.0
"""Standard deviations above chance from which held-out names count as told apart."""


@dataclass(frozen=True)
class IndividualsFit:
    """What was learnt of individuals.

    Attributes:
        individuals: None where they cannot be told apart.
        names: of those that were labelled often enough.
        right, of: how many of the labelled specimens got their own name in pictures that were not learnt from.
    """

    individuals: Individuals | None
    names: tuple[str, ...]
    right: int
    of: int

    @property
    def words(self) -> str:
        """How well they are told apart, in words."""
        whom = f"{self.right} of {counted(self.of, 'specimen')} of {', '.join(self.names)}"
        if self.individuals is not None:
            return f"Individuals told apart by their looks, in pictures not learnt from: {whom}"
        return (
            f"Individuals cannot be told apart by their looks ({whom} got their own name in pictures not learnt from), "
            "so names over a film follow where each one was"
        )


def fit_individuals(seen: Tensor, labels: Labels) -> IndividualsFit | None:
    """Learns the looks of the individuals that have names in several pictures; None where fewer than two have.

    Args:
        seen: (N, D) of :func:`lead.nn.individuals.design`.
        labels: N specimens. Names count that a person gave, at least ``FEWEST`` times.
    """
    tracks = labels.tracks or ()
    by_hand = np.asarray(labels.by_hand.any(axis=1)).tolist()
    pictures: dict[str, set[str]] = {}
    for row, name in enumerate(tracks):
        if name and by_hand[row]:
            pictures.setdefault(name, set()).add(labels.images[row])
    names = tuple(sorted(name for name, images in pictures.items() if len(images) >= FEWEST))
    if len(names) < 2:
        return None
    rows = [row for row, name in enumerate(tracks) if name in names and by_hand[row]]
    target = torch.tensor([[float(tracks[row] == name) for name in names] for row in rows]).double() - 1 / len(names)
    images = [labels.images[row] for row in rows]
    dual, held_out = _solved(seen[rows].double().cpu(), target, images)
    found = Individuals(names, seen.shape[1])
    found.weight.copy_((dual.T @ seen[rows].double().cpu()).float())
    truth = target.argmax(1)
    found.sharpness.fill_(_sharpness(held_out, truth))
    likely = (found.sharpness * held_out).softmax(-1)
    right, chance = 0, 0.0
    for image in dict.fromkeys(images):
        own = [i for i, other in enumerate(images) if other == image]
        right += sum(a == tracks[rows[i]] for a, i in zip(called(likely[own], names), own, strict=True))
        chance += len(own) / len(names)
    told = right - chance >= CHANCE * math.sqrt(chance)
    return IndividualsFit(found if told else None, names, right, len(rows))


def _solved(x: Tensor, target: Tensor, images: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Ridge regression's dual weights (N, I), and what it says (N, I) of each picture when that is held out.

    The latter needs no other fit: what a picture's rows of the hat matrix say is freed from their own targets.
    """
    gram = x @ x.T
    system = gram + RIDGE * gram.diagonal().mean() * torch.eye(len(x), dtype=x.dtype)
    dual = torch.linalg.solve(system, target)
    hat = torch.linalg.solve(system, gram)  # symmetric, as both are made of one matrix
    fitted, held_out = hat @ target, torch.empty_like(target)
    for image in set(images):
        own = torch.tensor([i for i, other in enumerate(images) if other == image])
        rest = torch.eye(len(own), dtype=x.dtype) - hat[own][:, own]
        held_out[own] = target[own] - torch.linalg.solve(rest, target[own] - fitted[own])
    return dual, held_out


def _sharpness(scores: Tensor, truth: Tensor) -> float:
    """The factor under which held-out scores (N, I) make the true names (N,) likeliest."""
    steps = [2 ** (power / 2) for power in range(int(2 * math.log2(SHARPEST)) + 1)]
    return min(steps, key=lambda step: float(torch.nn.functional.cross_entropy(step * scores, truth)))
