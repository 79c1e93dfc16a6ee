"""Crops, against the pictures that they are cut from and against patterns whose value is known at every place."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from torch import Tensor

from lead.images.build import open_store
from lead.images.crops import cut
from lead.images.store import ImageStore
from lead.images.views import Warp, render

Array = npt.NDArray[np.float64]
SIDE = 128
WHOLE = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def save(light: Array, path: Path, orientation: int = 1) -> None:
    """A grey picture (H, W) in [0, 1] that is upright once its EXIF orientation is followed."""
    upright = Image.fromarray(np.repeat((255 * light).round().astype(np.uint8)[..., None], 3, axis=-1))
    kept = {
        1: upright,
        3: upright.transpose(Image.Transpose.ROTATE_180),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    kept.save(path, exif=exif)


def waves(x: Array, y: Array) -> Array:
    """Light at places in pixels of the original: waves of 12 pixels, which a small store cannot show."""
    out: Array = 0.5 + 0.25 * np.sin(2 * np.pi * x / 12) + 0.25 * np.sin(2 * np.pi * y / 16)
    return out


def affine(half: float, degrees: float, x: float, y: float) -> Tensor:
    """(2, 3): a turned square of half the side ``half``, in normalised units, around a place."""
    c, s = half * math.cos(math.radians(degrees)), half * math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, x], [s, c, y]], dtype=torch.float32)


def places(store: ImageStore, square: Tensor, size: int) -> tuple[Array, Array]:
    """x and y (size, size) in pixels of the original, of each pixel of a crop of the store's first picture."""
    line = (np.arange(size) + 0.5) / size * 2 - 1
    u, v = np.meshgrid(line, line)
    a = square.double().numpy()
    x, y = a[0, 0] * u + a[0, 1] * v + a[0, 2], a[1, 0] * u + a[1, 1] * v + a[1, 2]
    stored = (np.stack([x, y], axis=-1) + 1) / 2 * SIDE - 0.5
    original = store.to_original([0], stored.reshape(1, -1, 2)).reshape(size, size, 2)
    return original[..., 0], original[..., 1]


Opener = Callable[..., ImageStore]


@pytest.fixture
def opened(tmp_path: Path) -> Opener:
    """Stores one picture of a light (H, W) that is a function of the place."""

    def make(light: Callable[[Array, Array], Array], width: int, height: int, orientation: int = 1) -> ImageStore:
        x, y = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
        save(light(x, y), tmp_path / "a.png", orientation)
        return open_store(tmp_path, ["a.png"], SIDE, tmp_path / "cache")

    return make


@pytest.fixture
def noisy(tmp_path: Path) -> ImageStore:
    """Three pictures as large as the store."""
    draws = np.random.default_rng(0)
    names = [f"{i}.png" for i in range(3)]
    for name in names:
        Image.fromarray(draws.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)).save(tmp_path / name)
    return open_store(tmp_path, names, SIDE, tmp_path / "cache")


def test_the_whole_square_is_the_stored_picture(noisy: ImageStore) -> None:
    found = cut(noisy, np.array([2, 0, 2]), WHOLE.expand(3, -1, -1), SIDE)
    expected = noisy.pixels[[2, 0, 2]].transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4)


def test_a_quarter_turn_is_the_turned_picture(noisy: ImageStore) -> None:
    found = cut(noisy, np.array([1]), affine(1.0, 90, 0, 0)[None], SIDE)[0].permute(1, 2, 0)
    # To the right in the crop is down in the picture.
    np.testing.assert_allclose(found.numpy(), np.rot90(noisy.pixels[1]) / 255, atol=1e-3)


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (700, 1100)], ids=["wide", "tall"])
@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_crop_shows_what_the_original_does(opened: Opener, width: int, height: int, orientation: int) -> None:
    store = opened(waves, width, height, orientation)
    assert store.sizes.tolist() == [[width, height]]
    squares = torch.stack([affine(0.08, 0, 0.2, -0.1), affine(0.05, 30, -0.3, 0.25), affine(0.07, -115, 0.1, 0.3)])
    found = cut(store, np.zeros(3, dtype=np.int64), squares, 96)
    assert found.shape == (3, 3, 96, 96)
    for square, shown in zip(squares, found, strict=True):
        expected = waves(*places(store, square, 96))
        np.testing.assert_allclose(shown[1].numpy(), expected, atol=0.03)
    blurred = cut(replace(store, root=None), np.zeros(3, dtype=np.int64), squares, 96)
    assert (found.std((1, 2, 3)) > 3 * blurred.std((1, 2, 3))).all()


def test_many_pixels_of_the_original_are_averaged(opened: Opener) -> None:
    store = opened(waves, 1200, 900)
    square = affine(0.24, 0, 0.1, 0.05)  # 288 original pixels to 96, three to one
    shown = cut(store, np.zeros(1, dtype=np.int64), square[None], 96)[0, 0].double().numpy()
    x, y = places(store, square, 96)
    steps = np.arange(-1, 2)
    expected = np.mean([waves(x + dx, y + dy) for dx in steps for dy in steps], axis=0)
    # Blocks of three start at multiples of three, and between them it is interpolated: waves lose a little height.
    assert np.abs(shown - expected).max() < 0.12
    assert np.corrcoef(shown.ravel(), expected.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("degrees", [0.0, 10.0, 50.0])
def test_the_same_pixels_are_averaged_whatever_is_cut(opened: Opener, degrees: float) -> None:
    """A part within another, of the same scale, shows what the larger one does there."""
    store = opened(waves, 1200, 900)
    large, small = (
        cut(store, np.zeros(1, dtype=np.int64), affine(half, degrees, 0.13, 0.07)[None], size)[0]
        for half, size in ((0.25, 96), (0.25 * 48 / 96, 48))
    )
    torch.testing.assert_close(small, large[:, 24:72, 24:72], atol=1e-3, rtol=0)


@pytest.mark.parametrize(("width", "height"), [(1200, 900), (700, 1100)], ids=["wide", "tall"])
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize(("half", "degrees"), [(0.06, 0.0), (0.15, 40.0), (0.33, -100.0)])
def test_a_marker_lies_where_it_is(
    opened: Opener, width: int, height: int, orientation: int, half: float, degrees: float
) -> None:
    mark = np.array([0.63 * width + 0.4, 0.42 * height - 0.3])
    sigma = 7.0

    def light(x: Array, y: Array) -> Array:
        out: Array = np.exp(-((x - mark[0]) ** 2 + (y - mark[1]) ** 2) / (2 * sigma**2))
        return out

    store = opened(light, width, height, orientation)
    middle = (store.to_store([0], mark[None, None])[0, 0] + 0.5) / SIDE * 2 - 1  # normalised
    square = affine(half, degrees, middle[0] + 0.3 * half, middle[1] - 0.2 * half)
    shown = cut(store, np.zeros(1, dtype=np.int64), square[None], 96)[0, 2].double().numpy()
    row, column = np.mgrid[:96, :96]
    found = np.array([(shown * column).sum(), (shown * row).sum()]) / shown.sum()
    inverse = np.linalg.inv(square[:, :2].double().numpy())
    expected = (inverse @ (middle - square[:, 2].double().numpy()) + 1) / 2 * 96 - 0.5
    np.testing.assert_allclose(found, expected, atol=0.2)
    assert shown.max() > 0.75  # as bright as it is; the store shows less than half of that
    small = np.asarray(store.pixels[0], dtype=np.float64).max() / 255
    assert shown.max() > small


@pytest.mark.parametrize("where", [(-0.98, -0.74), (0.99, 0.73), (1.1, 0.0), (0.0, -0.95)])
def test_beyond_a_picture_its_edge_continues(opened: Opener, where: tuple[float, float]) -> None:
    width, height = 1200, 900
    store = opened(waves, width, height)
    square = affine(0.06, 20, *where)
    shown = cut(store, np.zeros(1, dtype=np.int64), square[None], 96)[0, 0].numpy()
    x, y = places(store, square, 96)
    assert ((x < 0) | (x > width - 1) | (y < 0) | (y > height - 1)).any()
    expected = waves(x.clip(0, width - 1), y.clip(0, height - 1))
    np.testing.assert_allclose(shown, expected, atol=0.03)


def test_without_the_originals_or_with_boxes_the_store_is_shown(opened: Opener, tmp_path: Path) -> None:
    store = opened(waves, 1200, 900)
    boxed = open_store(tmp_path, ["a.png"], SIDE, tmp_path / "cache", boxes=[[100, 50, 900, 800]])
    square = affine(0.1, 15, 0.2, 0.1)[None]
    for one in (replace(store, root=None), boxed):
        (tmp_path / "a.png").unlink(missing_ok=True)  # nothing is read
        pixels = torch.from_numpy(np.array(one.pixels)).permute(0, 3, 1, 2).float() / 255
        found = cut(one, np.zeros(1, dtype=np.int64), square, 64)
        torch.testing.assert_close(found, render(pixels, Warp(square), 64))


def test_crops_of_several_pictures_come_in_the_order_asked_for(tmp_path: Path) -> None:
    names = ["a.png", "b.png"]
    for name, level in zip(names, (0.2, 0.8), strict=True):
        save(np.full((600, 800), level), tmp_path / name)
    store = open_store(tmp_path, names, SIDE, tmp_path / "cache")
    squares = torch.stack([affine(half, 0, 0, 0) for half in (0.1, 0.1, 0.9, 0.2)])
    found = cut(store, np.array([1, 0, 1, 1]), squares, 48)
    torch.testing.assert_close(found.mean((1, 2, 3)), torch.tensor([0.8, 0.2, 0.8, 0.8]), atol=0.01, rtol=0)
