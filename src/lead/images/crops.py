"""Parts of pictures, turned and scaled, at the resolution that the picture itself has."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from lead.geometry import FloatArray, cell_grid, denormalise_points, normalise_points
from lead.images.decode import UnreadablePicture
from lead.images.store import ImageStore
from lead.images.tiff import LargePicture
from lead.images.views import Warp, render
from lead.tuning import cores

FINER = 1.25
"""A picture is decoded again where a crop could show so many times more of it than the store does."""

Picture = Image.Image | LargePicture


@dataclass
class Originals:
    """Pictures as large as they are, of which several cuts are made.

    Attributes:
        keep: whether they are kept, so that each is decoded once.
        pictures: those that are, by row.
        lost: rows of those that can no longer be read; :attr:`ImageStore.unread` says why.
    """

    keep: bool
    pictures: dict[int, Picture] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def get(self, store: ImageStore, row: int) -> Picture | None:
        """One of them; None if it cannot be read."""
        if row in self.lost:
            return None
        try:
            picture = self.pictures.get(row) or store.original(row)
        except UnreadablePicture as error:
            self.lost.add(row)
            store.unread[store.files[row]] = error.reason
            return None
        if self.keep:
            self.pictures[row] = picture
        return picture


def cut(
    store: ImageStore, rows: npt.NDArray[np.int64], affine: Tensor, size: int, held: Originals | None = None
) -> Tensor:
    """Squares of stored pictures, as the network wants its input.

    A square is cut from the original where that is sharper than what the store holds of it.

    Args:
        store: of the pictures.
        rows: (B,) of it; a row may be asked for repeatedly.
        affine: (B, 2, 3) from a square's normalised coordinates to those of the stored square.
        size: side of the result, in pixels.
        held: of several cuts. With it, what cannot be read any more is cut from the store, as far as that shows it;
            without, it is an error.

    Returns:
        (B, 3, size, size) in [0, 1]. Beyond a picture its edge continues.

    Raises:
        UnreadablePicture: a file that could be read when the store was made no longer can, and nothing is held.
    """
    out = render(torch.from_numpy(store.pixels[rows]).permute(0, 3, 1, 2).float() / 255, Warp(affine), size)
    finer = [i for i, row in enumerate(rows.tolist()) if _finer(store, row, affine[i], size)]
    if finer:
        with ThreadPoolExecutor(cores()) as threads:
            wanted: dict[int, list[int]] = {}
            for i in finer:
                wanted.setdefault(int(rows[i]), []).append(i)
            cuts = threads.map(lambda item: _cut_original(store, item[0], affine[item[1]], size, held), wanted.items())
            for places, squares in zip(wanted.values(), cuts, strict=True):
                if squares is not None:
                    out[places] = squares
    return out


def _finer(store: ImageStore, row: int, affine: Tensor, size: int) -> bool:
    """Whether the original shows more of a crop than the store, and the crop has room for it."""
    if not store.has_originals or store.boxes is not None:  # a benchmark's box is shown as the benchmark shows it
        return False
    across = _side(affine) * store.side / 2  # of the crop, in store pixels
    reduction = 1 / float(store.scale[row].max())  # original pixels to a store pixel
    return across < size and min(reduction, size / max(across, 1e-6)) > FINER


def detail(store: ImageStore, rows: npt.NDArray[np.int64]) -> FloatArray:
    """(n,) of pictures, the pixels at hand to one of the store: of the original where crops may be cut from that."""
    if not store.has_originals or store.boxes is not None:
        return np.ones(len(rows))
    pixels: FloatArray = 1 / store.scale[rows].max(-1)
    return pixels


def _side(affine: Tensor) -> float:
    """Side of a crop in normalised units of the stored square."""
    return 2 * float(affine[:, :2].det().abs().sqrt())


def _cut_original(store: ImageStore, row: int, affine: Tensor, size: int, held: Originals | None) -> Tensor | None:
    """(n, 3, size, size): crops of one picture, from its original; see :func:`cut`. None if it cannot be read."""
    picture = store.original(row) if held is None else held.get(store, row)
    if picture is None:
        return None
    grid = cell_grid(size, size).view(-1, 2)
    return torch.cat([_sample(picture, _original(store, row, Warp(one[None])(grid)[0]), size) for one in affine])


def _original(store: ImageStore, row: int, points: Tensor) -> Tensor:
    """Normalised points (n, 2) of the stored square, in pixels of the original."""
    pixels = denormalise_points(points.double().numpy(), (store.side, store.side))
    return torch.from_numpy(store.to_original([row], pixels[None])[0]).float()


def _sample(picture: Picture, places: Tensor, size: int) -> Tensor:
    """(1, 3, size, size): a picture at (size², 2) places, averaged over the pixels that one of the result covers."""
    low, high = places.amin(0), places.amax(0)
    step = float((places[1] - places[0]).norm())  # original pixels to one of the result
    factor = max(math.floor(step), 1)
    # Pixels are averaged in blocks that begin at multiples of the factor, whatever part is read.
    left, top = (max(math.floor(float(v)) - 2 * factor, 0) for v in low)
    left, top = min(left, picture.width - 1) // factor * factor, min(top, picture.height - 1) // factor * factor
    right, bottom = (math.ceil(float(v)) + 1 + 2 * factor for v in high)
    right, bottom = max(right, left + factor), max(bottom, top + factor)
    box = (left, top, min(right, picture.width), min(bottom, picture.height))
    if isinstance(picture, LargePicture):
        part = picture.part(box, factor)
    else:
        part = picture.crop(box)
        part = part.reduce(factor) if factor > 1 else part
    pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1)[None].float() / 255
    # A part that the factor does not divide has a last column that covers less: what it spans counts, not its pixels.
    spanned = (part.width * factor, part.height * factor)
    grid = normalise_points(places - torch.tensor([left, top]), spanned).view(1, size, size, 2)
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
