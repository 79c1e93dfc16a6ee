"""What the peers do to a picture that we do not: ContrastLandmarks' crops, colour noise and JPEG noise."""

from __future__ import annotations

import io
import math
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from lead.images.draws import drawn, uniform
from lead.images.views import Range, Warp

# Principal axes (columns) and their standard deviations of ImageNet's colours in units of full scale, as published
# with AlexNet.
_AXES = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
_DEVIATIONS = torch.tensor([0.2175, 0.0188, 0.0045])
QUALITIES = (30, 98)
"""Least and greatest JPEG quality."""
SMALLEST = 0.8
"""Share of the side below which JPEG noise never resamples."""


def resized_crop_warp(
    count: int, *, scale: Range, stretch: float, generator: torch.Generator, shown: float = 1.0
) -> Warp:
    """torchvision's RandomResizedCrop as a map from view to picture.

    The area is uniform between the squares of ``scale``, the aspect ratio log-uniform in [1 / (1 + stretch),
    1 + stretch], and the rectangle, clipped to the picture's sides, lies anywhere within it.

    Args:
        count: batch size B.
        scale: range of the root of the area, as a share of the picture's side.
        stretch: see above; torchvision's default is 1/3.
        generator: the source of randomness, on the device of the result.
        shown: central share of each side of the crop that becomes the view.
    """
    area = uniform(count, scale[0] ** 2, scale[1] ** 2, generator)
    aspect = (uniform(count, -1, 1, generator) * math.log1p(stretch)).exp()
    sides = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=-1).clamp(max=1.0)  # (B, 2)
    place = drawn(torch.rand, count, 2, generator=generator) * 2 - 1
    return Warp(torch.cat([torch.diag_embed(sides * shown), (place * (1 - sides))[..., None]], dim=-1))


def lighting(pictures: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Adds to each picture (B, 3, H, W) one colour, drawn along the principal axes of natural colours."""
    along = drawn(torch.randn, len(pictures), 3, generator=generator) * deviation
    colour = (along * _DEVIATIONS.to(along)) @ _AXES.to(along).T  # (B, 3)
    return (pictures + colour[:, :, None, None].to(pictures)).clamp(0, 1)


def jpeg_noise(pictures: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Resamples pictures (B, 3, H, W) in [0, 1] by a factor of max(0.8, 1 + N(0, 0.5)), compresses them, and undoes
    the former. Each has its own factor and quality. Works on the CPU, wherever the pictures are."""
    count = len(pictures)
    chosen = drawn(torch.rand, count, generator=generator) < probability
    factor = (1 + 0.5 * drawn(torch.randn, count, generator=generator)).clamp(min=SMALLEST)
    quality = drawn(partial(torch.randint, QUALITIES[0], QUALITIES[1] + 1), count, generator=generator)
    out = pictures.clone()
    for row in chosen.nonzero()[:, 0].tolist():
        out[row] = _compressed(pictures[row], float(factor[row]), int(quality[row]))
    return out


def _compressed(picture: Tensor, factor: float, quality: int) -> Tensor:
    pixels = (picture.float().clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    image = Image.fromarray(pixels)
    size = image.size
    file = io.BytesIO()
    resampled = (round(size[0] * factor), round(size[1] * factor))
    image.resize(resampled, Image.Resampling.BILINEAR).save(file, "JPEG", quality=quality)
    with Image.open(file) as compressed:
        back = np.array(compressed.resize(size, Image.Resampling.BILINEAR))
    return (torch.from_numpy(back).permute(2, 0, 1).float() / 255).to(picture)
