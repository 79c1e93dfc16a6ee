"""Things of a few parts that lie any way, as maps of features that do not know up from down."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from lead.geometry import cell_grid
from lead.nn.shape import Pose

SIDE = 24
"""Of the maps, in cells."""
PARTS = torch.tensor([[0.0, -5.0], [-5.0, 2.0], [4.0, 3.0], [5.0, -4.0]])
"""In cells, where it lies plain; all of them look the same."""
BESIDE = torch.tensor([[0.0, -3.0], [3.0, 0.0], [0.0, 3.0], [-3.0, 0.0]])
"""Something else lies beside each part: above, to the right, below and to the left, which tells one from another."""


def lying(angles: Tensor, *, mirrored: bool = False, seed: int = 0) -> Pose:
    """Poses turned clockwise by angles (n,), from cells to normalised places, the middle a little off."""
    shift = torch.from_numpy(np.random.default_rng(seed).uniform(-0.1, 0.1, (len(angles), 2))).float()
    turn = torch.stack([angles.cos(), angles.sin()], dim=-1) * (2 / SIDE)
    return Pose(turn, shift, -torch.ones(len(angles)) if mirrored else None)


def drawn(pose: Pose, view: Tensor | None = None) -> Tensor:
    """(B, 3, SIDE, SIDE): round spots for parts and for what is beside them, and ground.

    Args:
        pose: of the things.
        view: (B, 2, 3) from a view's normalised coordinates to its picture's; the whole pictures by default.
    """
    maps = []
    for places in (pose(PARTS), pose(PARTS + BESIDE)):
        if view is not None:
            places = torch.linalg.solve(view[:, :, :2], (places - view[:, None, :, 2]).mT).mT
        off = (cell_grid(SIDE, SIDE) - places[:, :, None, None]) * (SIDE / 2)
        maps.append((-off.square().sum(-1) / 2).exp().sum(1))  # (B, SIDE, SIDE), a cell wide
    return torch.stack([*maps, torch.full_like(maps[0], 0.2)], dim=1)


def upright(count: int, seed: int = 0) -> Pose:
    """Poses turned by up to 8°."""
    draws = torch.from_numpy(np.random.default_rng([seed, 1]).uniform(-8, 8, count)).float()
    return lying(draws * (math.pi / 180), seed=seed)


def all_round(*, mirrored: bool = False) -> Pose:
    """Poses of each eighth of a turn, thrice, turned by up to 8° more or less."""
    steps = torch.arange(8).repeat(3) * (math.pi / 4)
    draws = torch.from_numpy(np.random.default_rng(2).uniform(-8, 8, len(steps))).float()
    return lying(steps + draws * (math.pi / 180), mirrored=mirrored, seed=3)
