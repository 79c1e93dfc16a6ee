"""PNG files of 16 bits in colour or with transparency, of which Pillow keeps 8 bits."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

_SAMPLES = {2: 3, 4: 2, 6: 4}
"""By colour type: red, green, blue; grey with opacity; red, green, blue with opacity."""
_FIRST_CHUNK = 8


def has_deep_colours(file: BinaryIO) -> bool:
    """Whether a PNG's header says so. Moves in the file."""
    file.seek(24)
    bits, kind = file.read(2)
    return bits == 16 and kind in _SAMPLES


def deep_colours(file: BinaryIO) -> npt.NDArray[np.uint16]:
    """(H, W, S) values of such a file; see :func:`has_deep_colours`.

    Raises:
        ValueError: it is interlaced, or damaged.
    """
    file.seek(_FIRST_CHUNK)
    header, packed = b"", bytearray()
    while len(start := file.read(8)) == 8:
        length, name = struct.unpack(">I4s", start)
        content = file.read(length)
        file.read(4)  # a checksum
        if name == b"IHDR":
            header = content
        elif name == b"IDAT":
            packed += content
        elif name == b"IEND":
            break
    width, height, _, kind, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if interlaced:
        raise ValueError("it is an interlaced PNG of 16 bits in colour: save it without interlacing")
    each = 2 * _SAMPLES[kind]
    row = 1 + width * each
    data = zlib.decompressobj().decompress(bytes(packed), height * row)
    if len(data) < height * row:
        raise ValueError("it is cut short")
    rows = np.frombuffer(data, np.uint8).reshape(height, row)
    pixels = _unfiltered(rows[:, 0], rows[:, 1:].reshape(height, width, each))
    return pixels.reshape(height, -1).view(">u2").reshape(height, width, -1).astype(np.uint16)


def _unfiltered(filters: npt.NDArray[np.uint8], rows: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, bytes) pixels, of differences to what each row's filter predicts from the left, above, and above left.

    All pixels on a diagonal are worked out at a time: those that they depend on lie on the two before.
    """
    height, width, each = rows.shape
    if filters.max(initial=0) > 4:
        raise ValueError("it is damaged: it has filters that there are not")
    # A row and a column of zeros before the first stand for what lies beyond the edge.
    out = np.zeros((height + 1, width + 1, each), dtype=np.uint8)
    known, kept = out.reshape(-1, each), rows.reshape(-1, each)
    kinds = filters[:, None]
    for diagonal in range(height + width - 1):
        first, end = max(0, diagonal - width + 1), min(height, diagonal + 1)

        def at(back: int, first: int = first, end: int = end, diagonal: int = diagonal) -> slice:
            """The diagonal's pixels among the known, or those so many before each."""
            begin = width + 2 + diagonal - back
            return slice(begin + first * width, begin + (end - 1) * width + 1, width)

        left, up, corner = (known[at(back)].astype(np.int16) for back in (1, width + 1, width + 2))
        kind = kinds[first:end]
        by_left, by_up, by_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
        nearest = np.where((by_left <= by_up) & (by_left <= by_corner), left, np.where(by_up <= by_corner, up, corner))
        mean = (left + up) >> 1
        predicted = np.where(kind == 4, nearest, np.where(kind == 3, mean, np.where(kind == 2, up, left * (kind == 1))))
        begin = first * width + diagonal - first
        step = max(width - 1, 1)
        known[at(0)] = kept[begin : begin + (end - first - 1) * step + 1 : step] + predicted.astype(np.uint8)
    return out[1:, 1:]
