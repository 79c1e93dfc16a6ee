"""Parts of pictures, turned and scaled, at the resolution that the picture itself has."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lead.geometry import FloatArray, cell_grid, denormalise_points, normalise_points
from lead.images.decode import UnreadablePicture
from lead.images.parts import ROOM, Original
from lead.images.store import ImageStore
from lead.images.views import Warp, render
from lead.tuning import cores

FINER = 1.25
"""A picture is decoded again where a crop could show so many times more of it than the store does."""


@dataclass
class Originals:
    """Pictures as large as they are, of which several cuts are made.

    Attributes:
        keep: whether they are kept, so that each is decoded once.
        finest: by row, the least number of its pixels that any cut will show as one, if that is known.
        pictures: those that are kept, by row.
        lost: rows of those that can no longer be read; :attr:`ImageStore.unread` says why.
    """

    keep: bool
    finest: Mapping[int, float] = field(default_factory=dict)
    pictures: dict[int, Original] = field(default_factory=dict)
    lost: set[int] = field(default_factory=set)

    def cut(self, store: ImageStore, row: int, affine: Tensor, size: int) -> Tensor | None:
        """(n, 3, size, size) squares of one of them; None if it cannot be read. See :func:`cut`."""
        if row in self.lost:
            return None
        try:
            picture = self.pictures.get(row) or store.original(row)
            squares = _squares(store, row, picture, affine, size, self.finest.get(row, math.inf))
        except UnreadablePicture as error:
            self.lost.add(row)
            self.pictures.pop(row, None)
            store.unread[store.files[row]] = error.reason
            return None
        if self.keep:
            self.pictures[row] = picture
        return squares


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


def few(store: ImageStore, rows: npt.NDArray[np.int64], most: int) -> list[slice]:
    """Parts of some rows whose originals have so many pixels together at most; or of a single row that has more.

    A row that stands repeatedly, one after another, is one picture.
    """
    out, start, total = [], 0, 0
    for i, (row, pixels) in enumerate(zip(rows.tolist(), store.sizes[rows].prod(-1).tolist(), strict=True)):
        if i > start and row == rows[i - 1]:
            continue
        if i > start and total + pixels > most:
            out.append(slice(start, i))
            start, total = i, 0
        total += pixels
    return [*out, slice(start, len(rows))]


def _side(affine: Tensor) -> float:
    """Side of a crop in normalised units of the stored square."""
    return 2 * float(affine[:, :2].det().abs().sqrt())


def _cut_original(store: ImageStore, row: int, affine: Tensor, size: int, held: Originals | None) -> Tensor | None:
    """(n, 3, size, size): crops of one picture, from its original; see :func:`cut`. None if it cannot be read."""
    if held is not None and held.keep:
        return held.cut(store, row, affine, size)
    width, height = store.sizes[row].tolist()
    with ROOM.taken((width, height)):
        if held is not None:
            return held.cut(store, row, affine, size)
        return _squares(store, row, store.original(row), affine, size, math.inf)


def _squares(store: ImageStore, row: int, picture: Original, affine: Tensor, size: int, finest: float) -> Tensor:
    """(n, 3, size, size): crops of a picture that is open."""
    grid = cell_grid(size, size).view(-1, 2)
    places = [_original(store, row, Warp(one[None])(grid)[0]) for one in affine]
    finest = min([finest, *map(_step, places)])
    return torch.cat([_sample(picture, some, size, finest) for some in places])


def _step(places: Tensor) -> float:
    """Pixels of the original to one of a crop, by the places of the crop's."""
    return float((places[1] - places[0]).norm())


def _original(store: ImageStore, row: int, points: Tensor) -> Tensor:
    """Normalised points (n, 2) of the stored square, in pixels of the original."""
    pixels = denormalise_points(points.double().numpy(), (store.side, store.side))
    return torch.from_numpy(store.to_original([row], pixels[None])[0]).float()


def _sample(picture: Original, places: Tensor, size: int, finest: float) -> Tensor:
    """(1, 3, size, size): a picture at (size², 2) places, averaged over the pixels that one of the result covers."""
    low, high, step = places.amin(0), places.amax(0), _step(places)
    spare = 2 * max(math.floor(step), 1)  # between the middles of averaged blocks it is interpolated
    left, top = (max(math.floor(float(v)) - spare, 0) for v in low)
    left, top = min(left, picture.size[0] - 1), min(top, picture.size[1] - 1)
    right, bottom = (max(math.ceil(float(v)) + spare + 1, 1) for v in high)
    wanted = (left, top, min(max(right, left + 1), picture.size[0]), min(max(bottom, top + 1), picture.size[1]))
    part, box = picture.part(wanted, step, finest)
    pixels = torch.from_numpy(np.array(part)).permute(2, 0, 1)[None].float() / 255
    spanned = (box[2] - box[0], box[3] - box[1])
    grid = normalise_points(places - torch.tensor(box[:2]), spanned).view(1, size, size, 2)
    return functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
