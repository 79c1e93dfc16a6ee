"""Drawn pictures of several things, each of four coloured spots, that lie any way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from spots import BLOBS, COLOURS

from lead.landmarks.model import VISIBLE, Labels, Schema

SCHEMA = Schema(("red", "green", "blue", "yellow"))


def draw_herds(
    root: Path,
    counts: list[int],
    *,
    side: int = 256,
    sizes: tuple[float, float] = (9, 11),
    seed: int = 0,
    coats: dict[str, float] | None = None,
) -> Labels:
    """Draws ``00.bmp`` and so on.

    Args:
        root: folder to draw into.
        counts: things in each picture, which do not touch.
        side: of the pictures, in pixels.
        sizes: of things, at the least and at the most, in pixels; about a third of their extent.
        seed: of everything.
        coats: by the name of each individual of a picture, how bright it is.

    Returns:
        All of them, each picture complete; of a picture without any, a row without landmarks.
    """
    draws = np.random.default_rng(seed)
    row, column = np.mgrid[:side, :side]
    images, xy, names = [], [], []
    for number, count in enumerate(counts):
        picture = 0.25 + 0.03 * draws.normal(size=(side, side, 3))
        middles: list[np.ndarray] = []
        while len(middles) < count:
            middle = draws.uniform(2 * sizes[1], side - 2 * sizes[1], 2)
            if all(np.linalg.norm(middle - other) > 4 * sizes[1] for other in middles):
                middles.append(middle)
        for name, middle in zip(coats or [""] * count, middles, strict=True):
            angle, size = draws.uniform(-np.pi, np.pi), draws.uniform(*sizes)
            turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
            places = BLOBS @ turn.T + middle
            for (x, y), colour in zip(places, COLOURS, strict=True):
                near = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * (0.35 * size) ** 2))[..., None]
                picture = picture * (1 - near) + near * colour * (coats or {}).get(name, 1.0)
            images.append(f"{number:02}.bmp")
            xy.append(places)
            names.append(name)
        if not count:
            images.append(f"{number:02}.bmp")
            xy.append(np.full((len(BLOBS), 2), np.nan))
            names.append("")
        Image.fromarray((255 * picture.clip(0, 1)).round().astype(np.uint8)).save(root / f"{number:02}.bmp")
    points = np.array(xy)
    visible = np.full(points.shape[:2], VISIBLE, np.int8)
    return Labels(SCHEMA, tuple(images), points, visible, tracks=tuple(names), complete=frozenset(images))
