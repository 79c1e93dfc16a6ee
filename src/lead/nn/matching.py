"""Landmarks carried from one picture to another by the nearest feature (LEAD §4.1)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from lead.geometry import normalise_points, sample_points

UPSAMPLING = 4
"""From the features' grid at 1/4 scale to the network's input resolution."""


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
    asked = functional.normalize(sample_points(functional.normalize(reference.float(), dim=1), points), dim=-1)
    similarity = torch.einsum("bkc,bchw->bkhw", asked, functional.normalize(query.float(), dim=1))
    return functional.interpolate(similarity, scale_factor=UPSAMPLING, mode="bicubic", antialias=True)


def match_points(reference: Tensor, points: Tensor, query: Tensor) -> tuple[Tensor, Tensor]:
    """The most similar place on the query for each point of the reference, to a fraction of a pixel.

    Args:
        reference, points, query: as :func:`similarity_maps`.

    Returns:
        (B, K, 2) normalised points on the query, and (B, K) their cosine similarities.
    """
    maps = similarity_maps(reference, points, query)
    height, width = maps.shape[-2:]
    best, place = maps.flatten(2).max(-1)  # (B, K) both
    x, y = place % width, place // width
    pixels = torch.stack([x + _vertex(maps, place, x, 1, width), y + _vertex(maps, place, y, width, height)], dim=-1)
    return normalise_points(pixels, (width, height)), best


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
