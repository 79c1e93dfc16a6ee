"""One picture decoded to one row of a store."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lead.images.decode import (
    Box,
    UnreadablePicture,
    decode_box,
    decode_fitted,
    reading,
)

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from PIL import Image

    from lead.geometry import Size


@dataclass(frozen=True)
class DecodedRow:
    pixels: npt.NDArray[np.uint8]
    size: Size
    sha256: bytes
    checksum: int
    box: Box | None = None


def decode_row(path: Path, side: int, box: Box | None) -> DecodedRow | UnreadablePicture:
    try:
        with reading(path):
            data = path.read_bytes()
            if box:
                picture, size, box = decode_box(data, side, box)
            else:
                picture, size = decode_fitted(data, side)
    except UnreadablePicture as error:
        return error
    pixels = in_square(picture, side)
    return DecodedRow(pixels, size, hashlib.sha256(data).digest(), zlib.crc32(pixels.data), box)


def in_square(picture: Image.Image, side: int) -> npt.NDArray[np.uint8]:
    """(side, side, 3) pixels: a fitted picture in the middle, its edges repeated."""
    pixels, (width, height) = np.asarray(picture), picture.size
    left, top = margin(np.array(picture.size), side).tolist()
    right, bottom = left + width, top + height
    square = np.empty((side, side, 3), dtype=np.uint8)
    square[top:bottom, left:right] = pixels
    square[top:bottom, :left], square[top:bottom, right:] = pixels[:, :1], pixels[:, -1:]
    square[:top], square[bottom:] = square[top], square[bottom - 1]
    return square


def margin(fitted: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    """Pixels before (left of, above) a picture of ``fitted`` (..., 2) width and height in the middle of the square."""
    return (side - fitted) // 2
