"""The coordinate convention, checked against what torch's own resampling does to pictures."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from lead.geometry import (
    Size,
    bilinear_cells,
    cell_grid,
    denormalise_points,
    inside,
    normalise_points,
    resize_points,
    sample_points,
    soft_argmax,
)

sizes = st.tuples(st.integers(1, 500), st.integers(1, 500))
coordinates = st.lists(st.tuples(st.floats(-600, 600), st.floats(-600, 600)), min_size=1, max_size=5)


@given(points=coordinates, old=sizes, new=sizes)
def test_a_resize_and_back_changes_nothing(points: list[tuple[float, float]], old: Size, new: Size) -> None:
    xy = np.array(points)
    np.testing.assert_allclose(resize_points(resize_points(xy, old, new), new, old), xy, atol=1e-9)


@given(old=sizes, new=sizes)
def test_a_resize_keeps_the_edges_in_place(old: Size, new: Size) -> None:
    edges = np.array([[-0.5, -0.5], [old[0] - 0.5, old[1] - 0.5]])
    np.testing.assert_allclose(resize_points(edges, old, new), [[-0.5, -0.5], [new[0] - 0.5, new[1] - 0.5]])


@given(points=coordinates, size=sizes)
def test_normalising_and_back_changes_nothing(points: list[tuple[float, float]], size: Size) -> None:
    xy = np.array(points)
    np.testing.assert_allclose(denormalise_points(normalise_points(xy, size), size), xy, atol=1e-9)


@given(points=coordinates, old=sizes, new=sizes)
def test_normalised_coordinates_survive_a_resize(points: list[tuple[float, float]], old: Size, new: Size) -> None:
    xy = np.array(points)
    there = normalise_points(resize_points(xy, old, new), new)
    np.testing.assert_allclose(there, normalise_points(xy, old), atol=1e-6)


def test_tensors_and_arrays_agree_and_x_comes_first() -> None:
    xy = [[3.0, 1.0]]
    expected = [[(3.5 / 8) * 2 - 1, (1.5 / 4) * 2 - 1]]
    np.testing.assert_allclose(normalise_points(np.array(xy), (8, 4)), expected)
    torch.testing.assert_close(normalise_points(torch.tensor(xy), (8, 4)), torch.tensor(expected))


def dot(size: Size, centre: tuple[float, float], spread: float) -> Tensor:
    """A picture (1, 1, H, W) of a Gaussian dot."""
    y, x = torch.meshgrid(*(torch.arange(s, dtype=torch.float64) for s in size[::-1]), indexing="ij")
    return (-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * spread**2)).exp()[None, None]


def centroid(picture: Tensor) -> Tensor:
    """The (x, y) of a picture's mean brightness."""
    height, width = picture.shape[-2:]
    mass = picture[0, 0] / picture.sum()
    y, x = torch.arange(height, dtype=mass.dtype), torch.arange(width, dtype=mass.dtype)
    return torch.stack([(mass.sum(0) * x).sum(), (mass.sum(1) * y).sum()])


@pytest.mark.parametrize("new", [(80, 120), (33, 71), (160, 40), (61, 47)])
def test_torch_moves_a_dot_to_where_resize_points_says(new: Size) -> None:
    old, place = (60, 48), (22.3, 27.6)
    resized = functional.interpolate(
        dot(old, place, 3), size=new[::-1], mode="bilinear", antialias=True, align_corners=False
    )
    expected = resize_points(torch.tensor(place, dtype=torch.float64), old, new)
    torch.testing.assert_close(centroid(resized), expected, atol=0.02, rtol=0)


def test_grid_sample_reads_a_dot_where_normalise_points_says() -> None:
    size, place = (60, 48), torch.tensor([22.0, 27.0], dtype=torch.float64)
    picture = dot(size, (22, 27), 3)
    grid = normalise_points(place, size).view(1, 1, 1, 2)
    assert functional.grid_sample(picture, grid, align_corners=False).item() == pytest.approx(1)
    shown = functional.grid_sample(
        picture, cell_grid(24, 30).double()[None], align_corners=False
    )  # a view of half size
    torch.testing.assert_close(centroid(shown), resize_points(place, size, (30, 24)), atol=0.02, rtol=0)


@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_cells_are_pixel_centres(height: int, width: int) -> None:
    pixels = denormalise_points(cell_grid(height, width), (width, height))
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    torch.testing.assert_close(pixels, torch.stack([x, y], -1).float(), atol=1e-5, rtol=0)


@given(height=st.integers(1, 9), width=st.integers(1, 9), data=st.data())
def test_soft_argmax_of_a_peak_is_its_cell(height: int, width: int, data: st.DataObject) -> None:
    row, column = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    logits = torch.zeros(2, 3, height, width)
    logits[1, 2, row, column] = 1000
    found = soft_argmax(logits)
    assert found.shape == (2, 3, 2)
    torch.testing.assert_close(found[1, 2], cell_grid(height, width)[row, column])
    torch.testing.assert_close(found[0, 0], torch.zeros(2), atol=1e-6, rtol=0)  # no preference: the middle


def test_soft_argmax_keeps_its_precision_under_autocast() -> None:
    logits = torch.randn(2, 5, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = soft_argmax(logits)
    torch.testing.assert_close(mixed, soft_argmax(logits))


@settings(max_examples=30)
@given(height=st.integers(2, 9), width=st.integers(2, 9), seed=st.integers(0, 99))
def test_samples_of_a_ramp_are_the_ramp(height: int, width: int, seed: int) -> None:
    ramp = cell_grid(height, width).permute(2, 0, 1)[None]  # (1, 2, H, W): the value is the place
    reach = torch.tensor([1 - 1 / width, 1 - 1 / height])  # of the outermost cells' centres
    points = (torch.rand(1, 7, 2, generator=torch.Generator().manual_seed(seed)) * 2 - 1) * reach
    torch.testing.assert_close(sample_points(ramp, points), points, atol=1e-5, rtol=0)
    torch.testing.assert_close(sample_points(ramp, points.sign() * 3), points.sign() * reach, atol=1e-5, rtol=0)


@settings(max_examples=50)
@given(height=st.integers(1, 8), width=st.integers(1, 8), seed=st.integers(0, 999))
def test_bilinear_cells_say_what_sampling_does(height: int, width: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.randn(2, 3, height, width, generator=generator)
    points = torch.rand(2, 6, 2, generator=generator) * 2.6 - 1.3  # some beyond the border
    cells, weights = bilinear_cells(points, height, width)
    values = torch.stack([maps[b].flatten(1)[:, cells[b]] for b in range(2)])  # (B, C, N, 4)
    torch.testing.assert_close((values * weights[:, None]).sum(-1).transpose(1, 2), sample_points(maps, points))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 6))
    assert (weights >= 0).all()


def test_inside_takes_the_edge_in_and_needs_both_axes() -> None:
    points = torch.tensor([[1.0, -1.0], [1.01, 0.0], [0.0, -1.01], [0.3, 0.9]])
    assert inside(points).tolist() == [True, False, False, True]
