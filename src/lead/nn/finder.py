"""Where in a picture specimens are, and how large: a heat map of their middles at each of several scales."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.nn.heads import RidgeHead
from lead.nn.individuals import Individuals

RING = 3
"""In cells: what surrounds a middle tells it from others like it."""
ACROSS = 32
"""Pixels of the network's input to a specimen's extent."""
STEP = math.sqrt(2)
"""Between the extents that two scales look for, at most."""
MARGIN = 1.15
"""Specimens may be so many times smaller or larger than any that was labelled; a step where these differ by two."""
LARGER = 2.5
"""The same of larger ones, where these differ by four: to look for them costs little."""
LOW = 1e-3
"""Heights below it count as this."""
NEAR = 0.22
"""Of two peaks that are nearer than this, in extents of the larger one, the higher stays."""
WINDOW = 0.9
"""Half the side of the square in which a specimen's landmarks are looked for, in extents."""


@dataclass(frozen=True)
class Candidates:
    """Places where specimens may be, n in all.

    Attributes:
        centre: (n, 2) their middles, normalised.
        extent: (n,) diagonals of the box around a whole one, as the common shape has it, in normalised units.
        height: (n,) of the heat map there; 1 for a place just like the labelled ones.
    """

    centre: Tensor
    extent: Tensor
    height: Tensor

    def __len__(self) -> int:
        return len(self.height)

    def take(self, rows: Tensor) -> Candidates:
        """Some of them."""
        return Candidates(self.centre[rows], self.extent[rows], self.height[rows])


class Finder(nn.Module):
    """A ridge head for the middles of specimens, which is shown a picture at each scale of which there may be some.

    Args:
        dimension: C of the features.
        individuals: names of those that their looks tell apart.
        landmarks: K, at which they look so.

    Attributes:
        look: one heat map.
        sizes: (3,) least, median and greatest extent of the labelled specimens, in normalised units.
        odds: (3,) of a logistic model of whether a place is a specimen: of the logarithm of its height, a constant, and
            of the doubt about its landmarks, see :meth:`lead.nn.cascade.CascadeOutput.doubt`.
        individuals: what tells specimens apart by their looks; None where it knows none of them.
        surest: the doubt that is supposed where landmarks have not been looked for yet: as small as ever.
    """

    sizes: Tensor
    odds: Tensor
    surest: Tensor

    def __init__(self, dimension: int, individuals: tuple[str, ...] = (), landmarks: int = 0) -> None:
        super().__init__()
        self.look = RidgeHead(dimension, 1, ring=RING)
        self.register_buffer("sizes", torch.ones(3))
        self.register_buffer("odds", torch.zeros(3))
        self.register_buffer("surest", torch.zeros(()))
        self.individuals = Individuals(individuals, landmarks * dimension + 1) if individuals else None

    def extents(self) -> list[float]:
        """The extents that are looked for, one a scale, in normalised units."""
        least, _, greatest = self.sizes.tolist()
        varied = (greatest / least) ** 0.5
        return scales(least / max(MARGIN, min(varied, STEP)), greatest * max(MARGIN, min(varied, LARGER)))

    def likely(self, height: Tensor, doubt: Tensor | None = None) -> Tensor:
        """(n,) how likely places of such heights (n,) are specimens, by the doubt (n,) about their landmarks too."""
        slope, constant, lessens = self.odds.tolist()
        likely: Tensor = (
            height.clamp(min=LOW).log() * slope + constant + lessens * (self.surest if doubt is None else doubt)
        ).sigmoid()
        return likely


def scales(least: float, greatest: float) -> list[float]:
    """Extents from the least to the greatest, of which each stands for those up to half a step smaller or larger."""
    count = max(math.ceil(math.log(greatest / least) / math.log(STEP) - 1e-6), 1)
    step = (greatest / least) ** (1 / count)
    return [least * step ** (i + 0.5) for i in range(count)]


def peaks(heat: Tensor, radius: int, least: float) -> tuple[Tensor, Tensor, Tensor]:
    """Local maxima of a map (H, W): columns and rows (n,) to a fraction of a cell, and heights (n,)."""
    highest = functional.max_pool2d(heat[None, None], 2 * radius + 1, 1, radius)[0, 0]
    y, x = torch.nonzero((heat == highest) & (heat > least), as_tuple=True)
    padded = functional.pad(heat[None, None], (1,) * 4, mode="replicate")[0, 0]
    out = []
    for before, after in (
        (padded[y + 1, x], padded[y + 1, x + 2]),
        (padded[y, x + 1], padded[y + 2, x + 1]),
    ):  # the top of the parabola through three cells
        bend = (2 * heat[y, x] - before - after).clamp(min=1e-6)
        out.append(((after - before) / (2 * bend)).clamp(-0.5, 0.5))
    return x + out[0], y + out[1], heat[y, x]


def strongest(found: Candidates) -> Candidates:
    """Those that no higher one is too near to, the highest first."""
    order = found.height.argsort(descending=True)
    found = found.take(order)
    kept: list[int] = []
    for i in range(len(found)):
        others = torch.tensor(kept, dtype=torch.long)
        away = (found.centre[others] - found.centre[i]).norm(dim=-1)
        if bool((away > NEAR * torch.maximum(found.extent[others], found.extent[i])).all()):
            kept.append(i)
    return found.take(torch.tensor(kept, dtype=torch.long))
