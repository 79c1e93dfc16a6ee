"""The one coordinate convention, and the arithmetic that depends on it.

A point is ``(x, y)``: x grows to the right, y grows down. ``(0, 0)`` is the *centre* of the top-left pixel, so
a picture ``w`` pixels wide covers x from -0.5 to w - 0.5. Every resize keeps the picture's edges in place, hence
a point moves by :func:`resize_points`. Normalised coordinates run from -1 at the left/top *edge* to +1 at the
right/bottom edge, which is ``torch.nn.functional.grid_sample`` with ``align_corners=False``. A feature map of
``h × w`` cells is a picture of ``h × w`` pixels under the same rules, whatever its stride.
"""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

FloatArray = npt.NDArray[np.float64]
Points = TypeVar("Points", Tensor, FloatArray)
Size = tuple[int, int]
"""(width, height) in pixels: the order of ``(x, y)``."""


def _like(points: Points, values: tuple[float, float]) -> Points:
    if isinstance(points, Tensor):
        return torch.tensor(values, dtype=points.dtype, device=points.device)
    return np.asarray(values, dtype=np.float64)


def resize_points(points: Points, old: Size, new: Size) -> Points:
    """Where points of a picture lie after it is resized.

    Args:
        points: (..., 2) in pixels of the picture of size ``old``.
        old, new: (width, height).

    Returns:
        (..., 2) in pixels of the resized picture: ``(p + 0.5) * new / old - 0.5``.
    """
    scale = _like(points, (new[0] / old[0], new[1] / old[1]))
    return (points + 0.5) * scale - 0.5


def normalise_points(points: Points, size: Size) -> Points:
    """Pixels (..., 2) of a picture of ``size`` (width, height) to normalised [-1, 1] coordinates."""
    return (points + 0.5) * _like(points, (2.0 / size[0], 2.0 / size[1])) - 1.0


def denormalise_points(points: Points, size: Size) -> Points:
    """Normalised [-1, 1] coordinates (..., 2) to pixels of a picture of ``size`` (width, height)."""
    return (points + 1.0) * _like(points, (size[0] / 2.0, size[1] / 2.0)) - 0.5


def cell_grid(height: int, width: int, *, device: torch.device | str = "cpu") -> Tensor:
    """Normalised (x, y) of every cell's centre of a map. Returns (height, width, 2), float32."""
    y = (torch.arange(height, device=device, dtype=torch.float32) + 0.5) * (2.0 / height) - 1.0
    x = (torch.arange(width, device=device, dtype=torch.float32) + 0.5) * (2.0 / width) - 1.0
    grid_y, grid_x = torch.meshgrid(y, x, indexing="ij")
    return torch.stack([grid_x, grid_y], dim=-1)


def soft_argmax(logits: Tensor) -> Tensor:
    """Expected position under the spatial softmax of each map.

    Args:
        logits: (..., H, W), any scale.

    Returns:
        (..., 2) normalised (x, y); differentiable.
    """
    height, width = logits.shape[-2:]
    weight = logits.float().flatten(-2).softmax(-1)  # (..., H*W)
    grid = cell_grid(height, width, device=logits.device).view(height * width, 2)
    with torch.autocast(logits.device.type, enabled=False):  # else mixed precision rounds the place to bfloat16
        return weight @ grid


def sample_points(maps: Tensor, points: Tensor) -> Tensor:
    """Bilinear values of maps at points; beyond the border the edge value continues.

    Args:
        maps: (B, C, H, W).
        points: (B, N, 2), normalised.

    Returns:
        (B, N, C).
    """
    out = torch.nn.functional.grid_sample(
        maps,
        points[:, :, None, :].to(maps.dtype),
        mode="bilinear",
        padding_mode="border",
        align_corners=False,
    )  # (B, C, N, 1)
    return out[..., 0].transpose(1, 2)


def inside(points: Tensor) -> Tensor:
    """Whether normalised points (..., 2) lie within the picture. Returns (...) bool."""
    return (points.abs() <= 1.0).all(-1)


def bilinear_cells(points: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The four cells around each point of a map and their bilinear weights.

    Args:
        points: (..., 2) normalised. Points beyond the outermost cell centres are clamped to them.
        height, width: of the map.

    Returns:
        Flat cell indices (..., 4), int64, and weights (..., 4), which sum to 1.
    """
    pixels = denormalise_points(points, (width, height))
    x = pixels[..., 0].clamp(0, width - 1)
    y = pixels[..., 1].clamp(0, height - 1)
    left, top = x.floor().clamp(max=max(width - 2, 0)), y.floor().clamp(max=max(height - 2, 0))
    fx, fy = x - left, y - top
    right, bottom = (left + 1).clamp(max=width - 1), (top + 1).clamp(max=height - 1)
    cells = torch.stack([top * width + left, top * width + right, bottom * width + left, bottom * width + right], -1)
    weights = torch.stack([(1 - fx) * (1 - fy), fx * (1 - fy), (1 - fx) * fy, fx * fy], -1)
    return cells.long(), weights
