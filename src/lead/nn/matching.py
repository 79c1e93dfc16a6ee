"""Landmarks carried from one picture to another by the nearest feature (LEAD §4.1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lead.geometry import normalise_points, sample_points

UPSAMPLING = 4
"""From the features' grid at 1/4 scale to the network's input resolution."""
WINDOW = 7
"""Cells on a side that decide where a peak is: one on each side of the best, and the cubic's reach."""


def similarity_maps(reference: Tensor, points: Tensor, query: Tensor) -> Tensor:
    """Cosine similarity of the features at some points to a query picture's, at the input's resolution.

    The similarities are upsampled, bicubically, not the features: the result is nearly the same and C times cheaper.
    Antialiasing changes nothing here but the cubic's coefficient, from -0.75 to -0.5, whose interpolation keeps
    parabolas and so does not draw maxima to the cells' centres.

    Args:
        reference: (B, C, H, W).
        points: (B, K, 2) normalised, on the reference.
        query: (B, C, H, W).

    Returns:
        (B, K, 4·H, 4·W) float32.
    """
    return upsampled(cell_similarities(describe_points(reference, points), query))


def describe_points(features: Tensor, points: Tensor) -> Tensor:
    """Unit features at some normalised points: (B, C, H, W) and (B, K, 2) → (B, K, C) float32."""
    return functional.normalize(sample_points(functional.normalize(features.float(), dim=1), points), dim=-1)


def cell_similarities(described: Tensor, query: Tensor) -> Tensor:
    """Inner products of vectors (B, K, C) with the unit features of a query's cells (B, C, H, W): (B, K, H, W)."""
    return torch.einsum("bkc,bchw->bkhw", described, functional.normalize(query.float(), dim=1))


def upsampled(maps: Tensor) -> Tensor:
    """(..., H, W) → (..., 4·H, 4·W); see :func:`similarity_maps`."""
    return functional.interpolate(maps, scale_factor=UPSAMPLING, mode="bicubic", antialias=True)


def match_points(reference: Tensor, points: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """The most similar place on the query for each point of the reference, to a fraction of a pixel.

    Args:
        reference, points, query: as :func:`similarity_maps`.

    Returns:
        (B, K, 2) normalised points on the query, and (B, K) their cosine similarities.
    """
    return peaks(similarity_maps(reference, points, query))


def peaks(maps: Tensor) -> tuple[Tensor, Tensor]:
    """The maxima of maps (B, K, H, W), to a fraction of a cell: (B, K, 2) normalised points, (B, K) values."""
    best, place = maps.flatten(2).max(-1)  # (B, K) both
    height, width = maps.shape[-2:]
    return normalise_points(_tops(maps, place), (width, height)), best


def nearby_peaks(similarity: Tensor) -> tuple[Tensor, Tensor]:
    """What :func:`peaks` gives of the upsampled maps, several times faster: only around the best cell of each.

    The two differ where upsampling makes another cell's surroundings the highest, by a hair.

    Args:
        similarity: (B, K, H, W), one value a cell.
    """
    batch, count, height, width = similarity.shape
    rows, columns = min(WINDOW, height), min(WINDOW, width)
    place = similarity.flatten(2).argmax(-1)  # (B, K)
    y, x = place // width, place % width
    top, left = (y - rows // 2).clamp(0, height - rows), (x - columns // 2).clamp(0, width - columns)
    down, across = torch.arange(rows, device=place.device), torch.arange(columns, device=place.device)
    cells = (top[..., None, None] + down[:, None]) * width + left[..., None, None] + across  # (B, K, rows, columns)
    windows = similarity.flatten(2).gather(2, cells.flatten(2)).view(batch, count, rows, columns)
    fine = upsampled(windows)
    # Next to a window's edge that is not the map's, the interpolation lacks what lies beyond.
    near_y = (torch.arange(UPSAMPLING * rows, device=place.device) // UPSAMPLING - (y - top)[..., None]).abs() <= 1
    near_x = (torch.arange(UPSAMPLING * columns, device=place.device) // UPSAMPLING - (x - left)[..., None]).abs() <= 1
    near = near_y[..., :, None] & near_x[..., None, :]
    best, inner = fine.masked_fill(~near, -torch.inf).flatten(2).max(-1)
    pixels = _tops(fine, inner) + UPSAMPLING * torch.stack([left, top], dim=-1)
    return normalise_points(pixels, (UPSAMPLING * width, UPSAMPLING * height)), best


def _tops(maps: Tensor, place: Tensor) -> Tensor:
    """(B, K, 2) pixels of the tops of the parabolas through the values at flat indices (B, K) and their neighbours."""
    height, width = maps.shape[-2:]
    x, y = place % width, place // width
    return torch.stack([x + _vertex(maps, place, x, 1, width), y + _vertex(maps, place, y, width, height)], dim=-1)


def _vertex(maps: Tensor, place: Tensor, position: Tensor, step: int, length: int) -> Tensor:
    """Offset, within half a pixel, of the top of the parabola through a maximum and its two neighbours."""
    flat = maps.flatten(2)

    def value(offset: int) -> Tensor:
        return flat.gather(-1, (place + offset).clamp(0, flat.shape[-1] - 1)[..., None])[..., 0]

    before, here, after = value(-step), value(0), value(step)
    curvature = before - 2 * here + after
    offset = (0.5 * (before - after) / curvature.clamp(max=-1e-6)).clamp(-0.5, 0.5)
    interior = (position > 0) & (position < length - 1)
    return torch.where(interior, offset, torch.zeros_like(offset))
