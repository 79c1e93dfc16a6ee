"""Every specimen of a picture: looked for at several scales, then each looked at again through a window of its own."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lead.features import FeatureSource
from lead.geometry import FloatArray
from lead.images.crops import Originals, cut
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.same import SAME, alike
from lead.nn.finder import ACROSS, NEAR, WINDOW, Candidates, Finder, peaks, strongest
from lead.windows import Windows

CELL = 4
"""Pixels of the network's input along a cell of its features."""
WHOLE, TILE, RIM = 320, 256, 32
"""Pixels: a scale up to the first is looked at in one piece, others in tiles of the second, whose rims of the third are
not used."""
MOST = 1000
"""Candidates of a picture, at most."""
LEAST = 0.02
"""Height of the heat map below which there is nothing."""
THRESHOLD = 0.5
"""How likely a specimen has to be to count as one."""
UNLIKELY = 0.05
"""Candidates that are less likely specimens are not looked at any further."""


@dataclass(frozen=True)
class Tile:
    """Part of a picture at one scale, as the network is shown it.

    Attributes:
        features: (C, h, w).
        left, top: of its first cell, in cells of the scale.
        used: the rows and columns of cells that no other tile shows better.
    """

    features: Tensor
    left: int
    top: int
    used: tuple[slice, slice]


@dataclass(frozen=True)
class Scale:
    """A picture at one scale.

    Attributes:
        cell: side of a cell in normalised units of the picture.
        corner: (2,) the top left corner of what is shown, normalised.
        size: (width, height) in cells.
    """

    cell: float
    corner: FloatArray
    size: tuple[int, int]

    @classmethod
    def of(cls, source: FeatureSource, row: int, extent: float, turn: Tensor | None = None) -> Scale:
        """Of a stored picture, all of it also where it is turned; something of such an extent is ``ACROSS`` pixels."""
        low, high = rectangle(source, row)
        reach = (high - low) / 2
        if turn is not None:
            reach = np.abs(turn.double().numpy()) @ reach
        cell = extent * CELL / ACROSS
        width, height = (max(math.ceil(2 * float(side) / cell), 1) for side in reach)
        return cls(cell, (low + high) / 2 - reach, (width, height))

    def points(self, x: Tensor, y: Tensor) -> Tensor:
        """(n, 2) normalised places of columns and rows of cells."""
        return torch.stack([x + 0.5, y + 0.5], dim=-1) * self.cell + torch.from_numpy(self.corner).float()

    def cells(self, points: Tensor) -> Tensor:
        """The inverse of :meth:`points`: columns and rows (n, 2)."""
        return (points - torch.from_numpy(self.corner).float()) / self.cell - 0.5


def rectangle(source: FeatureSource, row: int) -> tuple[FloatArray, FloatArray]:
    """The corners of a stored picture, top left and bottom right, normalised."""
    width, height = source.store.sizes[row].tolist()
    corners = np.array([[[-0.5, -0.5], [width - 0.5, height - 0.5]]])
    low, high = source.points([row], corners)[0]
    return low, high


def tiles(source: FeatureSource, row: int, scale: Scale, held: Originals, turn: Tensor | None = None) -> Iterator[Tile]:
    """A picture at one scale, in one piece or several.

    Args:
        source: of the picture.
        row: of the store.
        scale: which.
        held: the originals.
        turn: (2, 2) turns the picture around its middle: from places as they are seen to those in the picture.
    """
    side, starts = _layout(scale)
    frame, half = source.extractor.frame, side * scale.cell / 2
    places = [(x, y) for y in starts[1] for x in starts[0]]
    low, high = rectangle(source, row)
    middle = torch.from_numpy((low + high) / 2).float()
    centres = torch.tensor([[x + side / 2, y + side / 2] for x, y in places]) * scale.cell
    centres = centres + torch.from_numpy(scale.corner).float()
    axes = torch.eye(2) if turn is None else turn
    centres = (centres - middle) @ axes.T + middle
    affine = torch.cat([(half * axes).expand(len(places), 2, 2), centres[:, :, None]], dim=2) * (
        frame.shown / frame.side
    )
    each = max(source.extractor.batch * frame.input**2 // (side * CELL) ** 2, 1)
    for start in range(0, len(places), each):
        some = places[start : start + each]
        rows = np.full(len(some), row)
        pixels = cut(source.store, rows, affine[start : start + each], side * CELL, held)
        found = source.extractor.features_of(
            pixels.to(source.extractor.device).contiguous(memory_format=torch.channels_last)
        )
        for (x, y), features in zip(some, found, strict=True):
            yield Tile(features, x, y, (_used(y, side, scale.size[1]), _used(x, side, scale.size[0])))


def _layout(scale: Scale) -> tuple[int, tuple[list[int], list[int]]]:
    """Side of the tiles in cells, and where they begin along each axis."""
    longest = max(scale.size)
    if longest * CELL <= WHOLE:
        return -(-longest * CELL // 32) * 32 // CELL, ([0], [0])
    side, rim = TILE // CELL, RIM // CELL
    step = side - 2 * rim
    columns, rows = (list(range(0, max(length - 2 * rim, 1), step)) for length in scale.size)
    return side, (columns, rows)


def _used(start: int, side: int, length: int) -> slice:
    """Cells of a tile that are its own, along one axis."""
    rim = RIM // CELL
    first = 0 if start == 0 else rim
    last = length - start if start + side >= length else side - rim
    return slice(first, last)


def heat_map(finder: Finder, source: FeatureSource, row: int, scale: Scale, held: Originals) -> Tensor:
    """(height, width) of the first look at one scale."""
    out = torch.zeros(scale.size[1], scale.size[0])
    for tile in tiles(source, row, scale, held):
        heat = finder.look.heat(tile.features[None].to(finder.look.weight.device))[0, 0].cpu()
        down, across = tile.used
        out[tile.top + down.start : tile.top + down.stop, tile.left + across.start : tile.left + across.stop] = heat[
            down, across
        ]
    return out


def candidates(finder: Finder, source: FeatureSource, row: int, held: Originals, least: float) -> Candidates:
    """Places of a picture whose heat is above ``least``, the highest first."""
    extents = finder.extents()
    shown = [Scale.of(source, row, extent) for extent in extents]
    maps = [heat_map(finder, source, row, scale, held) for scale in shown]
    parts = []
    for level, (scale, heat) in enumerate(zip(shown, maps, strict=True)):
        radius = max(round(NEAR * ACROSS / CELL / 2), 1)
        x, y, height = peaks(heat, radius, least)
        centre = scale.points(x, y)
        extent = torch.full_like(height, extents[level])
        if len(extents) > 1:
            extent = extent * _between(centre, height, level, shown, maps, extents)
        parts.append(Candidates(centre, extent, height))
    found = Candidates(*(torch.cat([getattr(p, name) for p in parts]) for name in ("centre", "extent", "height")))
    return strongest(found.take(found.height.argsort(descending=True)[:MOST]))


def _between(
    centre: Tensor, height: Tensor, level: int, shown: list[Scale], maps: list[Tensor], extents: list[float]
) -> Tensor:
    """(n,) factor of a scale's extent, by the heat at the same places one scale below and above."""
    around = []
    for other in (level - 1, level + 1):
        if not 0 <= other < len(maps):
            around.append(torch.zeros_like(height))
            continue
        scale, heat = shown[other], maps[other]
        size = torch.tensor(scale.size)
        grid = ((scale.cells(centre) + 0.5) / size * 2 - 1).view(1, -1, 1, 2)
        near = functional.max_pool2d(heat[None, None], 3, 1, 1)
        around.append(functional.grid_sample(near, grid, align_corners=False, padding_mode="border")[0, 0, :, 0])
    low, high = around
    bend = (2 * height - low - high).clamp(min=1e-6)
    step = math.log(extents[1] / extents[0])
    return ((high - low) / (2 * bend)).clamp(-0.5, 0.5).mul(step).exp()


def windows_of(source: FeatureSource, row: int, found: Candidates) -> Windows:
    """A window for each candidate of a picture."""
    return Windows(
        source.extractor,
        source.store,
        np.full(len(found), row, dtype=np.int64),
        found.centre.double().numpy(),
        WINDOW * found.extent.double().numpy(),
    )


def found_in(finder: Finder, source: FeatureSource, row: int, held: Originals) -> tuple[Candidates, Tensor]:
    """The places of a picture that may be specimens, and how likely each is one (n,) by the heat map, the likeliest
    first; at least one place, be it never so unlikely."""
    found = candidates(finder, source, row, held, LEAST)
    likely = finder.likely(found.height)
    kept = torch.nonzero(likely > UNLIKELY)[:, 0]
    if not len(kept):
        low, high = (torch.from_numpy(corner).float() for corner in rectangle(source, row))
        anywhere = Candidates((low + high)[None] / 2, finder.sizes[1:2].cpu(), torch.zeros(1))
        return anywhere, torch.zeros(1)
    return found.take(kept), likely[kept]


def told_apart(points: Tensor, extent: Tensor, likely: Tensor) -> list[int]:
    """Which of several answers are different specimens, the likeliest first.

    Two are the same where their landmarks are (:func:`lead.landmarks.same.alike`). So two that overlap stay two as long
    as their landmarks lie elsewhere.

    Args:
        points: (n, K, 2) in any unit.
        extent: (n,) in the same.
        likely: (n,).
    """
    places, sizes = points.double().numpy(), extent.double().numpy()
    kept: list[int] = []
    for i in likely.argsort(descending=True, stable=True).tolist():
        if not (alike(places[kept], places[[i]], sizes[[i]]) > SAME).any():
            kept.append(i)
    return kept


class Specimens(NamedTuple):
    """Different places of one picture that may be specimens, the likeliest first; at least one.

    Attributes:
        labels: their landmarks, and how ``likely`` each is a specimen.
        extent: (n,) how large they are, in pixels: the diagonals of boxes around whole ones.
    """

    labels: Labels
    extent: FloatArray

    def rows(self, least: float) -> npt.NDArray[np.int64]:
        """Of those at least so likely of which a landmark is in view."""
        likely = np.full(len(self.labels), np.nan) if self.labels.likely is None else self.labels.likely
        return np.flatnonzero((self.labels.visible > UNLABELLED).any(1) & (likely >= least))

    def only(self, least: float = THRESHOLD) -> Labels:
        """Landmarks of :meth:`rows`; a row without any where there is none."""
        rows = self.rows(least)
        return self.labels.take(rows) if len(rows) else self.labels.take([0]).blank()
