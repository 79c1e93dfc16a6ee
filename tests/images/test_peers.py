"""The peers' augmentations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lead.images.peers import jpeg_noise, lighting, resized_crop_warp
from lead.images.views import render


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_crops_lie_within_the_picture_and_have_the_area_asked_for() -> None:
    warp = resized_crop_warp(4000, scale=(0.2**0.5, 1.0), stretch=1 / 3, generator=generator())
    sides = torch.stack([warp.affine[:, 0, 0], warp.affine[:, 1, 1]], dim=-1)
    centre = warp.affine[:, :, 2]
    assert ((centre.abs() + sides) <= 1 + 1e-5).all()
    area = sides.prod(-1)
    assert area.min() == pytest.approx(0.2, abs=0.01)
    assert float(area.mean()) == pytest.approx(0.6, abs=0.03)  # uniform in [0.2, 1], clipped a little at the top
    unclipped = (sides < 1).all(-1)
    ratio = (sides[:, 0] / sides[:, 1])[unclipped]
    assert float(ratio.max()) == pytest.approx(4 / 3, rel=0.01)
    assert float(ratio.log().mean()) == pytest.approx(0, abs=0.02)
    assert torch.equal(warp.affine[:, 0, 1], torch.zeros(4000))  # no rotation


def test_a_share_of_the_crop_is_its_middle() -> None:
    whole = resized_crop_warp(5, scale=(0.5, 1.0), stretch=0.2, generator=generator(1))
    middle = resized_crop_warp(5, scale=(0.5, 1.0), stretch=0.2, generator=generator(1), shown=96 / 136)
    torch.testing.assert_close(middle.affine[:, :, :2], whole.affine[:, :, :2] * 96 / 136)
    torch.testing.assert_close(middle.affine[:, :, 2], whole.affine[:, :, 2])


def test_a_whole_crop_is_the_picture() -> None:
    picture = torch.rand(1, 3, 8, 8, generator=generator())
    warp = resized_crop_warp(1, scale=(1.0, 1.0), stretch=0.0, generator=generator())
    torch.testing.assert_close(render(picture, warp, 8), picture)


def test_lighting_adds_one_colour_with_the_published_spread() -> None:
    grey = torch.full((3000, 3, 2, 2), 0.5)
    added = lighting(grey, 0.1, generator()) - grey
    assert torch.equal(added[:, :, 0, 0], added[:, :, 1, 1])
    assert float(added.std(0).amax()) < 0.1 * 0.2175
    # The first principal axis is nearly grey, so the channels move together.
    colours = added[:, :, 0, 0]
    assert float(torch.corrcoef(colours.T)[0, 2]) > 0.9
    total = float(colours.square().sum(1).mean())
    assert total == pytest.approx(0.01 * (0.2175**2 + 0.0188**2 + 0.0045**2), rel=0.1)


def test_jpeg_noise_is_small_and_seeded() -> None:
    ramp = np.add.outer(np.arange(32), np.arange(32)) * 4
    pixels = np.stack([ramp, ramp.T[::-1], 255 - ramp], -1).clip(0, 255).astype(np.uint8)
    picture = torch.from_numpy(pixels).permute(2, 0, 1).float()[None] / 255
    noisy = jpeg_noise(picture.expand(16, -1, -1, -1), 1.0, generator(2))
    error = (noisy - picture).square().mean((1, 2, 3))
    assert (error > 0).all()
    assert float(error.max()) < 0.02
    assert torch.equal(jpeg_noise(picture, 0.0, generator()), picture)
    again = jpeg_noise(picture.expand(16, -1, -1, -1), 1.0, generator(2))
    assert torch.equal(noisy, again)


def test_jpeg_noise_spares_the_share_not_chosen() -> None:
    pictures = torch.rand(200, 3, 16, 16, generator=generator())
    changed = (jpeg_noise(pictures, 0.3, generator(5)) != pictures).flatten(1).any(1)
    assert 0.2 < float(changed.float().mean()) < 0.4
