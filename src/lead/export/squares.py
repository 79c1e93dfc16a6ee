"""Pictures to check an exported file with: a user's own, or drawn ones."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from lead.beetles.rendering import render as draw_beetle
from lead.files import default_cache
from lead.images.build import open_store
from lead.images.find import find_images
from lead.images.showing import Showing
from lead.images.store import ImageStore, store_of
from lead.images.survey import survey
from lead.images.views import affine_warp, render
from lead.reporting import Progress

DRAWN, VIEWS = 25, 8
"""Beetles, and random views of each, that stand in for pictures where none are given."""
PIXELS = 2**27
"""Of all squares together that a file is checked on, at most; that is a cache of 400 MB."""


def of_folder(folder: Path, side: int, most: int, showing: Showing, *, progress: Progress | None = None) -> ImageStore:
    """At most so many pictures of a folder, drawn by a fixed seed, in the order of their names.

    Args:
        folder: of pictures.
        side: of the squares, in pixels.
        most: pictures at most.
        showing: how their values are shown; where it leaves that open, as the folder's pictures have it.
        progress: called as they are decoded.

    Raises:
        LeadError: the folder holds no readable picture.
    """
    files = find_images(folder)
    kept = np.sort(np.random.default_rng(0).permutation(len(files))[:most])
    shown = survey(folder, files, showing)
    return open_store(folder, [files[i] for i in kept], side, default_cache(), showing=shown, progress=progress)


def shrunk(store: ImageStore, side: int) -> ImageStore:
    """The pictures of :func:`of_folder` in squares of another side."""
    if store.side == side:
        return store
    assert store.root is not None
    return open_store(store.root, store.files, side, default_cache(), showing=store.showing)


def affordable(side: int, most: int) -> int:
    """How many squares a file is checked on: so many at most, fewer where they are large."""
    return max(min(most, PIXELS // side**2), 2)


def drawn(side: int, most: int) -> ImageStore:
    """Beetles seen through random warps, always the same."""
    generator = torch.Generator().manual_seed(0)
    parts = []
    for index in range(-(-most // VIEWS)):
        picture = torch.from_numpy(draw_beetle(index % DRAWN, size=side).pixels).permute(2, 0, 1)[None].float()
        warp = affine_warp(VIEWS, scale=(0.7, 1.2), shift=0.2, rotation=30, stretch=0.1, generator=generator)
        seen = render(picture.expand(VIEWS, -1, -1, -1), warp, side)
        parts.append(seen.permute(0, 2, 3, 1).round().to(torch.uint8).numpy())
    return as_squares(np.concatenate(parts)[:most])


def as_squares(pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], stored: int | None = None) -> ImageStore:
    """Squares (N, T, T, 3) as pictures of their own.

    Args:
        pixels: of the squares.
        stored: side of the store's squares, if that is another: then these are the originals. By default the squares
            are what is stored, and nothing sharper is behind them.
    """
    count, side = pixels.shape[:2]
    if stored not in (None, side):
        return store_of([Image.fromarray(square) for square in pixels], [f"{i}" for i in range(count)], stored)
    sizes = np.full((count, 2), side, dtype=np.int64)
    return ImageStore(tuple(f"{i}" for i in range(count)), pixels, sizes, (), "")


def alone(store: ImageStore, stored: int) -> ImageStore:
    """The squares of a store as pictures of their own; see :func:`as_squares`."""
    return replace(as_squares(store.pixels, stored), files=store.files)
