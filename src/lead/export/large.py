"""Squares of pixels larger than the store's, and parts of them: as :mod:`lead.images.crops` has it, but exportable."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from lead.errors import LeadError
from lead.geometry import cell_grid, denormalise_points, normalise_points
from lead.images.crops import FINER
from lead.images.views import Warp
from lead.inference import Landmarker
from lead.nn.cascade import Cascade
from lead.nn.local import SHARE

LARGEST = 2048
"""Side of a file's squares, in pixels, beyond which it is only made larger when asked to."""
MOST = 4096
GAP = 3.0
"""A store averages whole pixels first where a picture is to shrink more than so many times twice; see Pillow's
``reducing_gap``."""


def looks_into_originals(model: Landmarker) -> bool:
    """Whether any of its looks is at a part of a picture, so that more pixels show it more."""
    return isinstance(model.head, Cascade) and (model.head.fine is not None or model.head.before is not None)


def side_for(model: Landmarker, asked: int | None = None) -> int:
    """Side of the squares that a model's file takes, in pixels: a whole multiple of the stored squares'.

    By default about what gives each pixel of the finest local look one of its own, of a thing as large as the labelled
    ones were on average; what the labelled pictures' files hold decided how far that look goes. Without local looks,
    the stored squares'.

    Args:
        model: to be exported.
        asked: the side that somebody wants.

    Raises:
        LeadError: a file cannot have that side.
    """
    stored = model.side
    usual = stored
    if isinstance(model.head, Cascade) and model.head.looks:
        frame = model.extractor.frame
        half = min(float(look.reach) for look in model.head.looks) * float(model.head.sizes[1])  # normalised
        wanted = frame.input // SHARE / half * frame.side / frame.shown
        usual = stored * max(min(round(wanted / stored), LARGEST // stored), 1)
    if asked is None or asked == usual:
        return usual
    if not looks_into_originals(model):
        raise LeadError(
            f"--side {asked} does not fit: this model looks at whole pictures only, as squares of {stored} × {stored} "
            "pixels. Leave --side out."
        )
    if asked % stored or not stored <= asked <= max(MOST, stored):
        choices = [times * stored for times in range(1, max(MOST // stored, 1) + 1)]
        listed = ", ".join(map(str, choices if len(choices) < 5 else [*choices[:3], "…", choices[-1]]))
        raise LeadError(
            f"--side {asked} does not fit: this model's file takes squares of a whole multiple of {stored} pixels: "
            f"{listed}. Without --side it takes {usual}."
        )
    return asked


@dataclass(frozen=True)
class Opened:
    """Large squares made ready to be cut from.

    Attributes:
        stored: (B, 3, S, S) in [0, 1], what a store holds of them.
        levels: (B, 3, H, T) in [0, 255], one below another: the squares, means of 2 × 2 of their pixels, of 3 × 3 and
            so on, and at the bottom what a store holds.
    """

    stored: Tensor
    levels: Tensor


class Large(nn.Module):
    """Squares of T × T pixels as originals of stored squares of S × S: opened once, and cut from.

    What :func:`lead.images.crops.cut` decides for each square (whether the original is sharper, and how many of its
    pixels are averaged) is decided here by where in :class:`Opened` is looked.

    Args:
        side: T, a multiple of S other than S itself.
        stored: S.
    """

    shrink: Tensor
    top: Tensor
    last: Tensor

    def __init__(self, side: int, stored: int) -> None:
        super().__init__()
        self.side, self.stored, self.times = side, stored, side // stored
        self.most = math.ceil(self.times / FINER) - 1  # of the original's pixels averaged along each axis
        self.register_buffer("shrink", shrinking(side, stored))
        # By how many pixels are averaged; what the store holds counts as all that one of its pixels stands for.
        sizes = {factor: -(-side // factor) for factor in [*range(1, self.most + 1), self.times]}
        tops = dict(zip(sizes, np.cumsum([0, *sizes.values()]).tolist(), strict=False))
        self.register_buffer("top", torch.tensor([float(tops.get(f, 0)) for f in range(self.times + 1)]))
        self.register_buffer("last", torch.tensor([float(sizes.get(f, 1) - 1) for f in range(self.times + 1)]))

    def open(self, pixels: Tensor) -> Opened:
        """Of squares (B, T, T, 3) uint8."""
        means = {1: pixels.permute(0, 3, 1, 2).float()}
        for factor in range(2, self.most + 1):
            known = max(f for f in means if factor % f == 0 and self.side % f == 0)
            block = factor // known
            means[factor] = functional.avg_pool2d(means[known], block, ceil_mode=True, count_include_pad=False)
        levels = {factor: (mean + rounding(factor)).floor() if factor > 1 else mean for factor, mean in means.items()}
        small = (levels[gap(self.side, self.stored)] @ self.shrink.T + 0.5).floor()  # rounded after each axis
        levels[self.times] = (self.shrink @ small + 0.5).floor()
        wide = [functional.pad(level, (0, self.side - level.shape[-1])) for level in levels.values()]
        return Opened(levels[self.times] / 255, torch.cat(wide, dim=2))

    def cut(self, opened: Opened, affine: Tensor, size: int) -> Tensor:
        """Parts of the squares, as :func:`lead.images.crops.cut` cuts them.

        Args:
            opened: B squares.
            affine: (B·M, 2, 3), M of each in turn, from a part's normalised coordinates to the square's.
            size: side of the result, in pixels.

        Returns:
            (B·M, 3, size, size) in [0, 1].
        """
        places = Warp(affine)(cell_grid(size, size).view(-1, 2))  # (B·M, size², 2) normalised
        turned = affine[:, :, :2]
        across = (turned[:, 0, 0] * turned[:, 1, 1] - turned[:, 0, 1] * turned[:, 1, 0]).abs().sqrt() * self.stored
        step = turned[:, :, 0].square().sum(-1).sqrt() * (self.side / size)  # pixels to one of the result
        factor = torch.where(across * FINER < size, step.floor().clamp(1, self.most), self.times)[:, None, None]
        pixels = denormalise_points(places, (self.side, self.side))
        there = ((pixels + 0.5) / factor - 0.5).clamp(min=0)
        last, top = (of.index_select(0, factor.flatten().long()).view(-1, 1, 1) for of in (self.last, self.top))
        there = torch.minimum(there, last)  # beyond a picture its edge continues
        there = torch.cat([there[..., :1], there[..., 1:] + top], -1)
        grid = normalise_points(there, (self.side, opened.levels.shape[-2]))
        # All parts of a square at once. Of its shape, len() would fix the number of squares in a file.
        grid = grid.view(opened.levels.shape[0], -1, size, 2)  # (B, M·size, size, 2)
        found = functional.grid_sample(opened.levels, grid, mode="bilinear", padding_mode="border", align_corners=False)
        return found.view(*found.shape[:2], -1, size, size).transpose(1, 2).flatten(0, 1) / 255


def gap(side: int, stored: int) -> int:
    """How many pixels along each axis are averaged before squares shrink to the stored side."""
    return int(side / stored / GAP) or 1


def shrinking(side: int, stored: int) -> Tensor:
    """(S, n): what Pillow does along each axis to squares whose pixels are averaged already, as a matrix."""
    factor = gap(side, stored)
    count = -(-side // factor)
    each = Image.fromarray(np.eye(count, dtype=np.float32))
    box = (0, 0, side / factor, count)
    return torch.from_numpy(np.asarray(each.resize((stored, count), Image.Resampling.BILINEAR, box=box)).T.copy())


def rounding(factor: int) -> float:
    """Added to means of ``factor`` × ``factor`` pixels so that their whole part is what Pillow's ``reduce`` says.

    It multiplies by a rounded reciprocal, so that what is just rounded up otherwise is not.
    """
    count = factor**2
    exact = count & (count - 1) == 0  # a power of two has an exact reciprocal
    return (count // 2 + (0.25 if exact else -0.25)) / count
