"""One picture decoded to one row of a store."""

from __future__ import annotations

import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

from lead.images.decode import (
    Box,
    UnreadablePicture,
    decode_box,
    decode_fitted,
    reading,
)
from lead.images.showing import DEFAULT, Showing

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from PIL import Image

    from lead.geometry import Size

_HELD = 2**26
"""Bytes of a file up to which it is read once, and held; a larger one is read in parts."""


@dataclass(frozen=True)
class DecodedRow:
    pixels: npt.NDArray[np.uint8]
    size: Size
    sha256: bytes
    checksum: int
    box: Box | None = None


def decode_row(path: Path, side: int, box: Box | None, showing: Showing = DEFAULT) -> DecodedRow | UnreadablePicture:
    try:
        with reading(path), path.open("rb") as stream:
            file: BinaryIO
            if path.stat().st_size > _HELD:
                file, sha256 = stream, hashlib.file_digest(stream, "sha256").digest()
                file.seek(0)
            else:
                data = stream.read()
                file, sha256 = io.BytesIO(data), hashlib.sha256(data).digest()
            if box:
                picture, size, box = decode_box(file, side, box, showing=showing)
            else:
                picture, size = decode_fitted(file, side, showing=showing)
    except UnreadablePicture as error:
        return error
    pixels = in_square(picture, side)
    return DecodedRow(pixels, size, sha256, zlib.crc32(pixels.data), box)


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
