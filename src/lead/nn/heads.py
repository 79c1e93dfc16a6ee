"""Landmark heads on frozen features: the peers' soft-argmax regressor, and ridge regression to heat maps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.geometry import cell_grid, soft_argmax

FILTERS = 50
SHARPNESS = 100.0
AROUND = (0, 1, 2, 4, 7, 6, 5, 3)
"""A cell's eight neighbours clockwise from the one at the top left, by their place in reading order."""
REDUCED = 128
"""Principal components that the ridge head keeps of a wide feature."""


class SoftArgmaxHead(nn.Module):
    """The regressor of DVE and ContrastLandmarks, which the paper keeps (LEAD §4; protocols shared by the peers).

    Each landmark has its own 50 bias-free 1×1 filters; the expected position under each filter's softmax is a virtual
    key point, and a bias-free linear map of its landmark's 50 gives the landmark.

    Args:
        dimension: C of the features.
        landmarks: K.
    """

    def __init__(self, dimension: int, landmarks: int) -> None:
        super().__init__()
        self.landmarks = landmarks
        self.filters = nn.Conv2d(dimension, landmarks * FILTERS, 1, bias=False)
        nn.init.normal_(self.filters.weight)
        # One linear layer for each landmark: grouped 1×1 convolution over its 50 (x, y) pairs.
        self.linear = nn.Conv1d(landmarks * FILTERS * 2, landmarks * 2, 1, groups=landmarks, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, K, 2) normalised (x, y)."""
        virtual = soft_argmax(self.maps(features))  # (B, K*50, 2)
        out: Tensor = self.linear(virtual.flatten(1)[:, :, None])  # (B, K*2, 1)
        return out.view(-1, self.landmarks, 2)

    def maps(self, features: Tensor) -> Tensor:
        """Logits of the virtual key points on unit features: (B, C, H, W) → (B, K·50, H, W)."""
        logits: Tensor = self.filters(SHARPNESS * functional.normalize(features, dim=1))  # maps are many, features few
        return logits

    def score(self, features: Tensor) -> Tensor:
        """How peaked the filters' maps are, mean over a landmark's 50: (B, K) in (0, 1]."""
        peaks = self.maps(features).flatten(2).softmax(-1).amax(-1)  # (B, K*50)
        mean: Tensor = peaks.view(-1, self.landmarks, FILTERS).mean(-1)
        return mean


class Lie(NamedTuple):
    """How a thing lies, as far as the neighbours of a cell can tell.

    Attributes:
        step: clockwise turn in eighths.
        mirrored: whether it was turned upside down by a mirror first.
    """

    step: int
    mirrored: bool

    def neighbours(self) -> list[int]:
        """By each of a cell's neighbours, in reading order, which one shows the same part once the thing lies so."""
        clockwise = [(6 - i if self.mirrored else i) + self.step for i in range(8)]
        there = dict(zip(AROUND, (AROUND[i % 8] for i in clockwise), strict=True))
        eight = sorted(AROUND)
        return [there[i] for i in eight]


PLAIN = Lie(0, mirrored=False)
ALL_ROUND = tuple(Lie(step, mirrored=False) for step in range(8))
EITHER_SIDE = (PLAIN, Lie(4, mirrored=True))
"""Upright, seen from one side or the other: to the picture's left and right changed."""
BOTH_SIDES = (*ALL_ROUND, *(Lie(step, mirrored=True) for step in range(8)))


class RidgeHead(nn.Module):
    """Linear maps from each cell's neighbourhood of unit features to heat maps, fitted in closed form.

    A wide feature is first reduced to ``REDUCED`` principal components, so that the neighbourhood stays affordable;
    compact features are used as they are.

    Args:
        dimension: C of the features.
        landmarks: K.
        radius: neighbours on each side of a cell that count, in cells.
        ring: distance in cells of eight further neighbours that count, which say what surrounds the part; 0 for none.

    Attributes:
        reduction: (min(C, REDUCED), C), the identity for compact features.
        weight: (D, K), D = reduced dimension · ((2·radius + 1)² + 8 if there is a ring) + 1 for the constant.
        sharpness: factor before the soft-argmax.
        bounds: (K, 3) or (1, 3) x, y and radius, normalised, of where landmarks can be: beyond it a heat map is
            lowered, by 1 at one and a half times the radius. None where they may be anywhere.
    """

    bounds: Tensor | None
    reduction: Tensor
    weight: Tensor
    sharpness: Tensor

    def __init__(self, dimension: int, landmarks: int, radius: int = 1, ring: int = 0) -> None:
        super().__init__()
        self.radius, self.ring = radius, ring
        kept = min(dimension, REDUCED)
        self.register_buffer("reduction", torch.eye(kept, dimension))
        cells = (2 * radius + 1) ** 2 + (8 if ring else 0)
        self.register_buffer("weight", torch.zeros(kept * cells + 1, landmarks))
        self.register_buffer("sharpness", torch.tensor(60.0))
        self.register_buffer("bounds", None)

    def inputs(self, features: Tensor) -> Tensor:
        """Unit features, reduced if they are wide: (B, C, H, W) → (B, min(C, REDUCED), H, W)."""
        unit = functional.normalize(features.float(), dim=1)
        if unit.shape[1] <= REDUCED:
            return unit
        return functional.normalize(torch.einsum("rc,bchw->brhw", self.reduction, unit), dim=1)

    def design(self, features: Tensor) -> Tensor:
        """The regression's rows, one a cell: (B, C, H, W) → (B, H·W, D)."""
        inputs = self.inputs(features)
        parts = [neighbourhood(inputs, self.radius)]
        if self.ring:
            parts.append(surroundings(inputs, self.ring))
        around = torch.cat(parts, dim=1).flatten(2).transpose(1, 2)  # (B, H·W, D - 1)
        return torch.cat([around, torch.ones_like(around[..., :1])], dim=-1)

    def design_at(self, features: Tensor, cells: Tensor) -> Tensor:
        """Some rows of :meth:`design`, by their place (n,) in all pictures' cells together: (n, D)."""
        inputs = self.inputs(features)
        _, channels, height, width = inputs.shape
        rim = max(self.radius, self.ring)
        padded = functional.pad(inputs, (rim,) * 4, mode="replicate")
        across, down = padded.shape[3], padded.shape[2]
        flat = padded.permute(0, 2, 3, 1).reshape(-1, channels)  # a picture's cells, one a row
        picture, place = cells // (height * width), cells % (height * width)
        corner = (picture * down + place // width + rim) * across + place % width + rim
        steps = [[(y, x) for y in range(-r, r + 1) for x in range(-r, r + 1)] for r in (self.radius, 1)]
        offsets = torch.tensor([y * across + x for y, x in steps[0]])
        parts = [flat[corner[:, None] + offsets].transpose(1, 2).flatten(1)]
        if self.ring:
            around = torch.tensor([self.ring * (y * across + x) for y, x in steps[1] if (y, x) != (0, 0)])
            parts.append(flat[corner[:, None] + around].transpose(1, 2).flatten(1))
        return torch.cat([*parts, torch.ones(len(cells), 1, device=inputs.device)], dim=1)

    def order(self, lie: Lie) -> Tensor:
        """What rows of the design (D,) stand in for those of a plain thing, cell by cell, where one lies otherwise.

        The eight neighbours of a cell change places as the thing is turned, and so do the eight of the ring.
        """
        assert self.radius == 1
        assert self.ring
        kept = self.reduction.shape[0]
        place = torch.tensor(lie.neighbours())
        nine = torch.cat([place[:4] + (place[:4] > 3), torch.tensor([4]), place[4:] + (place[4:] > 3)])
        first = torch.arange(kept)[:, None]
        near, ring = (first * 9 + nine).flatten(), kept * 9 + (first * 8 + place).flatten()
        return torch.cat([near, ring, torch.tensor([kept * 17])])

    def heat(self, features: Tensor) -> Tensor:
        """Heat maps (B, C, H, W) → (B, K, H, W); about 1 at a landmark, about 0 elsewhere."""
        return self.heat_of(self.inputs(features), self.weight)

    def heat_of(self, inputs: Tensor, weight: Tensor) -> Tensor:
        """``design @ weight`` as the convolution that it is: (B, R, H, W) and (D, M) → (B, M, H, W)."""
        side, channels = 2 * self.radius + 1, inputs.shape[1]
        near = channels * side**2
        filters = weight[:near].T.reshape(-1, channels, side, side)
        out = functional.conv2d(functional.pad(inputs, (self.radius,) * 4, mode="replicate"), filters, weight[-1])
        if self.ring:
            eight = weight[near:-1].T.reshape(-1, channels, 8)
            centred = torch.cat([eight[..., :4], torch.zeros_like(eight[..., :1]), eight[..., 4:]], dim=-1)
            padded = functional.pad(inputs, (self.ring,) * 4, mode="replicate")
            out = out + functional.conv2d(padded, centred.view(-1, channels, 3, 3), dilation=self.ring)
        return out if self.bounds is None else out - self._beyond(self.bounds, out)

    @staticmethod
    def _beyond(bounds: Tensor, heat: Tensor) -> Tensor:
        """What heat maps (B, M, H, W) are lowered by, (M, H, W) or (1, H, W); M is a multiple of the landmarks."""
        grid = cell_grid(*heat.shape[-2:], device=heat.device)
        away = (grid - bounds[:, None, None, :2]).norm(dim=-1) / bounds[:, None, None, 2]
        lower: Tensor = (2 * (away - 1)).clamp(0, 1)
        return lower if len(lower) == 1 else lower.repeat(heat.shape[1] // len(lower), 1, 1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, H, W) → (B, K, 2) normalised (x, y)."""
        return soft_argmax(self.sharpness * self.heat(features))

    def score(self, features: Tensor) -> Tensor:
        """The heat map's height, 1 for a place just like the labelled ones: (B, K) in [0, 1]."""
        return self.height(self.heat(features))

    @staticmethod
    def height(heat: Tensor) -> Tensor:
        """(B, K, H, W) → (B, K) in [0, 1]."""
        return heat.flatten(2).amax(-1).clamp(0, 1)


def neighbourhood(maps: Tensor, radius: int) -> Tensor:
    """Each cell's vector beside those around it: (B, C, H, W) → (B, C·(2r+1)², H, W); the border continues."""
    if radius == 0:
        return maps
    padded = functional.pad(maps, (radius,) * 4, mode="replicate")
    return functional.unfold(padded, 2 * radius + 1).view(len(maps), -1, *maps.shape[-2:])


def surroundings(maps: Tensor, distance: int) -> Tensor:
    """The eight cells so far from each, in reading order: (B, C, H, W) → (B, C·8, H, W); the border continues."""
    padded = functional.pad(maps, (distance,) * 4, mode="replicate")
    nine = functional.unfold(padded, 3, dilation=distance).view(len(maps), maps.shape[1], 9, *maps.shape[-2:])
    return torch.cat([nine[:, :, :4], nine[:, :, 5:]], dim=2).flatten(1, 2)


def gaussian_maps(points: Tensor, height: int, width: int, sigma: float) -> Tensor:
    """Heat maps (B, K, H, W) with a bump of height 1 and ``sigma`` cells at each normalised point (B, K, 2)."""
    half = torch.tensor([width / 2, height / 2], device=points.device)
    offset = (cell_grid(height, width, device=points.device) - points[:, :, None, None, :]) * half
    return (-offset.square().sum(-1) / (2 * sigma**2)).exp()
