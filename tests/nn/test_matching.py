"""Matching against patterns moved by a known amount, and against similarities upsampled by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lead.geometry import denormalise_points, normalise_points
from lead.nn.matching import (
    UPSAMPLING,
    cell_similarities,
    describe_points,
    match_points,
    nearby_peaks,
    peaks,
    similarity_maps,
    upsampled,
)

Array = npt.NDArray[np.float64]


def pattern(height: int, width: int, shift: tuple[float, float], channels: int = 16) -> Tensor:
    """A smooth random function of the plane at the cells' centres, moved right and down by ``shift`` cells."""
    draws = np.random.default_rng(0)
    waves = draws.normal(0, 0.2, (channels, 4, 2))  # radians a cell
    phase = draws.uniform(0, 2 * np.pi, (channels, 4))
    y, x = np.mgrid[:height, :width] - np.array(shift)[::-1, None, None]
    angle = np.tensordot(waves, np.stack([x, y]), 1) + phase[..., None, None]
    return torch.from_numpy(np.sin(angle).sum(1)).float()[None]


def some_points(count: int, reach: float, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).uniform(-reach, reach, (1, count, 2))).float()


def test_a_moved_pattern_is_found_to_a_fraction_of_a_pixel() -> None:
    height, width, shift = 20, 24, (2.3, -1.6)
    points = some_points(60, 0.6)
    found, similarity = match_points(pattern(height, width, (0, 0)), points, pattern(height, width, shift))
    size = (UPSAMPLING * width, UPSAMPLING * height)
    moved = denormalise_points(points, size) + UPSAMPLING * torch.tensor(shift)
    apart = (denormalise_points(found, size) - moved).norm(dim=-1)
    assert apart.mean() < 0.25
    assert apart.max() < 0.8
    assert similarity.min() > 0.97
    assert similarity.max() <= 1.01  # bicubic values overshoot a little


def test_in_the_picture_itself_every_point_stays() -> None:
    features, points = pattern(16, 16, (0, 0)), some_points(60, 0.8)
    found, _ = match_points(features, points, features)
    apart = (denormalise_points(found, (64, 64)) - denormalise_points(points, (64, 64))).norm(dim=-1)
    assert apart.mean() < 0.25
    assert apart.max() < 0.8


def cubic(length: int) -> Array:
    """(4·length, length): bicubic interpolation written as a matrix (Keys' kernel with a = -0.5), cut at the border."""

    def kernel(t: float) -> float:
        a, t = -0.5, abs(t)
        if t <= 1:
            return (a + 2) * t**3 - (a + 3) * t**2 + 1
        return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0

    out = np.zeros((UPSAMPLING * length, length))
    for i in range(len(out)):
        place = (i + 0.5) / UPSAMPLING - 0.5
        out[i] = [kernel(place - j) for j in range(length)]
    out /= out.sum(1, keepdims=True)
    return out


def bilinear(maps: Array, x: float, y: float) -> Array:
    """Maps (C, H, W) at a place in cells, clamped to the outermost centres."""
    height, width = maps.shape[1:]
    x, y = min(max(x, 0), width - 1), min(max(y, 0), height - 1)
    shares = [[max(0, 1 - abs(x - j)) * max(0, 1 - abs(y - i)) for j in range(width)] for i in range(height)]
    out: Array = (maps * np.array(shares)).sum((1, 2))
    return out


def top(before: float, here: float, after: float) -> float:
    """Where the parabola through three values, the middle one greatest, is highest."""
    a, b, _ = np.polyfit([-1, 0, 1], [before, here, after], 2)
    return float(-b / (2 * a))


def test_similarities_and_places_are_those_of_brute_force() -> None:
    torch.manual_seed(0)
    height, width, count = 5, 7, 25
    reference, query = torch.randn(2, 4, height, width), torch.randn(2, 4, height, width)
    points = torch.cat([some_points(count, 1.0), some_points(count, 1.0, seed=1)])
    maps, (found, best) = similarity_maps(reference, points, query), match_points(reference, points, query)
    at_border = 0
    for b in range(2):
        ours = [f[b].double().numpy() / f[b].double().norm(dim=0).numpy() for f in (reference, query)]
        for k in range(count):
            x, y = ((points[b, k].double().numpy() + 1) / 2 * (width, height) - 0.5).tolist()
            asked = bilinear(ours[0], x, y)
            asked /= np.linalg.norm(asked)
            fine = cubic(height) @ np.einsum("c,cyx->yx", asked, ours[1]) @ cubic(width).T
            np.testing.assert_allclose(maps[b, k].numpy(), fine, atol=1e-5)
            i, j = np.unravel_index(fine.argmax(), fine.shape)
            inner_x, inner_y = 0 < j < fine.shape[1] - 1, 0 < i < fine.shape[0] - 1
            dx = top(*fine[i, j - 1 : j + 2]) if inner_x else 0.0
            dy = top(*fine[i - 1 : i + 2, j]) if inner_y else 0.0
            expected = normalise_points(np.array([j + dx, i + dy]), (fine.shape[1], fine.shape[0]))
            np.testing.assert_allclose(found[b, k].numpy(), expected, atol=2e-3)
            assert abs(float(best[b, k]) - fine.max()) < 1e-5
            at_border += not (inner_x and inner_y)
    assert 0 < at_border < 2 * count


@pytest.mark.parametrize("size", [(20, 24), (7, 30), (4, 5)])
def test_nearby_peaks_are_those_of_the_whole_maps(size: tuple[int, int]) -> None:
    height, width = size
    query = pattern(height, width, (1.3, -0.4))
    described = describe_points(pattern(height, width, (0, 0)), some_points(80, 1.0))
    similarity = cell_similarities(described, query)
    wanted, best = peaks(upsampled(similarity))
    found, value = nearby_peaks(similarity)
    same = (found - wanted).norm(dim=-1) < 1e-4
    assert same.float().mean() > 0.95
    assert torch.allclose(value[same], best[same], atol=1e-5)
    assert (best - value).max() < 0.02  # elsewhere, the two are all but equally high
