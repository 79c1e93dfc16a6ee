"""How far off a predicted landmark is likely to be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

LADDER = 101
"""Shares 0, 1, … 100 %, at which the spread of errors around what was expected is kept."""


class Confidence(nn.Module):
    """A log-linear model of the error, and how errors spread around it.

    Attributes:
        centre, weight: (S,) of the signals.
        level: (K,) logarithm of each landmark's typical error.
        ladder: (LADDER,) quantiles of error over expected error; rising, with a mean of 1.
        hidden: (S + 1, K) of a logistic model that a landmark is hidden, its constant last; a constant of -inf where
            nothing says so.
        across: (K,) how much of the expected error lies across the curve that a landmark slides along; 0 of those that
            do not slide.
    """

    centre: Tensor
    weight: Tensor
    level: Tensor
    ladder: Tensor
    hidden: Tensor
    across: Tensor

    def __init__(self, signals: int, landmarks: int) -> None:
        super().__init__()
        self.register_buffer("centre", torch.zeros(signals))
        self.register_buffer("weight", torch.zeros(signals))
        self.register_buffer("level", torch.zeros(landmarks))
        self.register_buffer("ladder", torch.linspace(0, 2, LADDER))
        hidden = torch.zeros(signals + 1, landmarks)
        hidden[-1] = -torch.inf
        self.register_buffer("hidden", hidden)
        self.register_buffer("across", torch.zeros(landmarks))

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        state_dict.setdefault(f"{prefix}across", torch.zeros_like(self.across))  # of before there were curves
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def expected(self, signals: Tensor) -> Tensor:
        """The mean error to expect, in the unit that the model was fitted in: (B, K, S) → (B, K)."""
        return (self.level + (signals - self.centre) @ self.weight).exp()

    def factor(self, share: float) -> float:
        """What to multiply the expected error with to get a distance that holds such a share of the true places."""
        place = share * (LADDER - 1)
        low = min(int(place), LADDER - 2)
        return float(torch.lerp(self.ladder[low], self.ladder[low + 1], place - low))

    def is_hidden(self, signals: Tensor) -> Tensor:
        """(B, K) whether a landmark is more likely hidden than visible."""
        odds = ((signals - self.centre) * self.hidden[:-1].T).sum(-1) + self.hidden[-1]
        return odds > 0
