"""Drawn things of four coloured spots, and a feature of plain colours that tells these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from lead.config import PictureSettings
from lead.features import Extractor, FeatureSource
from lead.images.build import open_store
from lead.nn.backbone import Backbone
from lead.nn.student import Student

BLOBS = np.array([[-1.0, -0.7], [1.0, -0.7], [0.1, 0.2], [0.0, 1.1]])
COLOURS = np.array([[0.9, 0.1, 0.1], [0.1, 0.9, 0.1], [0.2, 0.2, 1.0], [0.9, 0.9, 0.1]])
SIDE = 192
STORED = 64


class Colours(Extractor):
    """Its feature is each cell's mean colour and how that varies, for all looks."""

    first_channels = 0

    def features_of(self, inputs: Tensor) -> Tensor:
        pooled = functional.avg_pool2d(inputs, 4)
        return torch.cat([pooled, functional.avg_pool2d(inputs.square(), 4), torch.full_like(pooled[:, :1], 0.3)], 1)


def draw_spots(
    root: Path, count: int, *, times: int = 1, width: float = 0.15, shift: float = 0.0
) -> npt.NDArray[np.float64]:
    """Draws ``00.bmp`` and so on: a thing that is turned, scaled and moved, the same for every size.

    Args:
        root: folder to draw into.
        count: of pictures.
        times: their side, in multiples of ``SIDE``.
        width: of a spot, in sizes of the thing.
        shift: of everything to the right and down, in pixels.

    Returns:
        (count, 4, 2) places of the spots, in pixels.
    """
    draws, side = np.random.default_rng(0), SIDE * times
    along = np.arange(side)
    xy = []
    for number in range(count):
        angle, size = draws.uniform(-0.4, 0.4), draws.uniform(26, 44) * times
        turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        places = BLOBS @ turn.T + draws.uniform(0.4, 0.6, 2) * side + shift
        noise = draws.normal(size=(SIDE, SIDE, 3)).repeat(times, 0).repeat(times, 1)
        picture = 0.25 + 0.05 * noise
        for (x, y), colour in zip(places, COLOURS, strict=True):
            down, right = (np.exp(-((along - c) ** 2) / (2 * (width * size) ** 2)) for c in (y, x))
            near = np.outer(down, right)[..., None]
            picture = picture * (1 - near) + near * colour
        # Read again for every crop, so of a format that takes no decoding.
        Image.fromarray((255 * picture.clip(0, 1)).round().astype(np.uint8)).save(root / f"{number:02}.bmp")
        xy.append(places)
    return np.array(xy)


def spotted(root: Path, cache: Path, names: list[str]) -> FeatureSource:
    """Drawn pictures, stored small, and what sees their colours."""
    settings = PictureSettings(store=STORED, input=STORED, frame=1.0)
    extractor = Colours(Student(Backbone("test_resnet"), 8, 8), settings, device=torch.device("cpu"))
    return FeatureSource(extractor, open_store(root, names, STORED, cache))
