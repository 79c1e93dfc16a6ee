"""The strips and tiles of one page of a TIFF, undone one after another, so that a very large page need not be held."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile
from tifffile import COMPRESSION, PHOTOMETRIC, FileHandle, TiffPage

Values = npt.NDArray[Any]

_NONE, _LZW, _DEFLATE, _PACKBITS = 1, 5, (8, 32946), 32773
_LARGEST = 2**30
"""Bytes of a strip or tile: one is undone as a whole."""
_AT_ONCE = 2**24
"""Bytes of a strip that are undone at a time, where the compression allows that."""
_READ = 2**20
"""Compressed bytes that are read at a time."""


class Box(NamedTuple):
    """Whole pixels of a picture, the last column and row not included."""

    left: int
    top: int
    right: int
    bottom: int


class Segment(NamedTuple):
    """Part of a page.

    Attributes:
        values: (h, w, s).
        left, top, sample: its place in the page.
    """

    values: Values
    left: int
    top: int
    sample: int


def can_undo(page: TiffPage) -> bool:
    """Whether what is installed undoes a page's compression."""
    known = (_NONE, _LZW, *_DEFLATE, _PACKBITS)
    return page.compression in known or _is_plain_jpeg(page) or find_spec("imagecodecs") is not None


def _is_plain_jpeg(page: TiffPage) -> bool:
    """Whether a page's strips or tiles are JPEGs of 8 bits in grey or in colour, as Pillow reads them."""
    grey = page.photometric == PHOTOMETRIC.MINISBLACK and page.samplesperpixel == 1
    coloured = page.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR) and page.samplesperpixel == 3
    of_samples = grey or (coloured and page.planarconfig == 1)
    return page.compression == COMPRESSION.JPEG and page.bitspersample == 8 and of_samples


def piece_bytes(page: TiffPage) -> int:
    """Bytes that have to be undone for a few pixels of a page."""
    height = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    width = page.tilewidth if page.is_tiled else page.imagewidth
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    whole = (width * samples * int(page.bitspersample) + 7) // 8 * height
    return min(whole, _AT_ONCE) if page.compression == _NONE else whole


def segments(page: TiffPage, box: Box | None = None) -> Iterator[Segment]:
    """A page's strips or tiles, as far as they lie in the page; of a box, those that reach into it.

    Raises:
        ValueError: nothing that is installed undoes the page's compression, a strip is too large, or it is damaged.
    """
    box = box or Box(0, 0, page.imagewidth, page.imagelength)
    height = page.tilelength if page.is_tiled else min(page.rowsperstrip, page.imagelength)
    width = page.tilewidth if page.is_tiled else page.imagewidth
    samples = page.samplesperpixel if page.planarconfig == 1 else 1
    across, down = math.ceil(page.imagewidth / width), math.ceil(page.imagelength / height)
    places = product(
        range(page.samplesperpixel // samples),
        range(box.top // height, min(math.ceil(box.bottom / height), down)),
        range(box.left // width, min(math.ceil(box.right / width), across)),
    )
    for plane, row, column in places:
        index, top, left = (plane * down + row) * across + column, row * height, column * width
        if index >= min(len(page.dataoffsets), len(page.databytecounts)):
            raise ValueError("it is cut short")
        offset, count = page.dataoffsets[index], page.databytecounts[index]
        rows = height if page.is_tiled else min(height, page.imagelength - top)
        needed = (box.top - top, box.bottom - top)
        for start, values in _undone(page, index, offset, count, (rows, width, samples), needed):
            inside = values[: page.imagelength - top - start, : page.imagewidth - left]
            yield Segment(inside, left, top + start, plane)


def _undone(
    page: TiffPage, index: int, offset: int, count: int, shape: tuple[int, int, int], needed: tuple[int, int]
) -> Iterator[tuple[int, Values]]:
    """Values of a segment, and the row in it from which they are: all, or as many as are needed."""
    (rows, width, samples), (first, last) = shape, needed
    bits = int(page.bitspersample)
    row_bytes = (width * samples * bits + 7) // 8
    file = page.parent.filehandle
    if count == 0:  # left out of the file: nothing but zeros
        yield 0, np.zeros(shape, dtype=page.dtype)
    elif page.compression == _NONE:
        step = max(_AT_ONCE // row_bytes, 1)
        for start in range(max(first, 0), min(last, rows), step):
            some = min(step, min(last, rows) - start)
            file.seek(offset + start * row_bytes)
            yield start, _values(page, file.read(some * row_bytes), (some, width, samples))
    elif rows * row_bytes > _LARGEST:
        raise ValueError("it is a very large TIFF in a single strip: save it in tiles, or as a pyramid")
    elif page.compression in _DEFLATE:
        step = max(_AT_ONCE // row_bytes, 1)
        pieces = [min(step, rows - start) for start in range(0, min(last, rows), step)]
        inflated = _inflated(file, offset, count, [piece * row_bytes for piece in pieces])
        for number, (piece, data) in enumerate(zip(pieces, inflated, strict=True)):
            yield number * step, _values(page, data, (piece, width, samples))
    else:
        file.seek(offset)
        data = file.read(count)
        if page.compression in (_LZW, _PACKBITS):
            yield 0, _values(page, _decompressed(page, data, rows, row_bytes), shape)
        elif _is_plain_jpeg(page):
            yield 0, _of_jpeg(page, data, shape)
        elif find_spec("imagecodecs") is None:
            name = COMPRESSION(page.compression).name
            raise ValueError(f"it is a TIFF compressed by {name}, which needs: pip install imagecodecs")
        else:
            found, _, _ = page.decode(data, index, jpegtables=page.jpegtables)
            yield 0, np.zeros(shape, dtype=page.dtype) if found is None else found[0]


def _of_jpeg(page: TiffPage, data: bytes, shape: tuple[int, int, int]) -> Values:
    """Values of a JPEG, some of whose tables may stand in the page; in RGB where they are colours."""
    tables = page.jpegtables[2:-2] if page.jpegtables else b""
    # Adobe's own segment says whether colours are RGB (0) or YCbCr (1), which TIFF says elsewhere.
    of_adobe = struct.pack(">HH5sHHHB", 0xFFEE, 14, b"Adobe", 100, 0, 0, page.photometric == PHOTOMETRIC.YCBCR)
    file = io.BytesIO(data[:2] + (of_adobe if shape[2] == 3 else b"") + tables + data[2:])
    with Image.open(file, formats=["JPEG"]) as image:
        found = np.asarray(image)
    found = found if found.ndim == 3 else found[..., None]
    if found.shape[1:] != shape[1:] or len(found) > shape[0]:
        raise ValueError(f"it is damaged: a tile or strip has the shape {found.shape}, not {shape}")
    return found


def _inflated(file: FileHandle, offset: int, count: int, lengths: list[int]) -> Iterator[bytes]:
    """What deflate made of some bytes of a file, in pieces of so many bytes; those at its end may be shorter."""
    undo, left, end = zlib.decompressobj(), b"", offset + count
    for length in lengths:
        out = bytearray()
        while len(out) < length and not undo.eof and (left or offset < end):
            if not left:
                file.seek(offset)
                left = file.read(min(end - offset, _READ))
                offset = offset + len(left) if left else end
            out += undo.decompress(left, length - len(out))
            left = undo.unconsumed_tail
        yield bytes(out)


def _decompressed(page: TiffPage, data: bytes, rows: int, row_bytes: int) -> bytes:
    # tifffile leaves LZW to a package of 30 MB; Pillow's library undoes it in a picture of as many bytes.
    entries = [
        (256, 4, row_bytes),
        (257, 4, rows),
        (258, 3, 8),
        (259, 3, int(page.compression)),
        (262, 3, 1),
        (266, 3, int(page.fillorder)),
        (273, 4, 8 + 2 + 9 * 12 + 4),
        (278, 4, rows),
        (279, 4, len(data)),
    ]
    directory = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    header = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    with TiffImageFile(io.BytesIO(header + data)) as image:  # not Image.open, which counts these bytes as pixels
        return image.tobytes()


def _values(page: TiffPage, data: bytes, shape: tuple[int, int, int]) -> Values:
    """The (h, w, s) values that bytes hold; of packed ones each row begins with a byte."""
    bits, (rows, width, samples) = int(page.bitspersample), shape
    if bits not in (8, 16, 32, 64):
        if page.predictor != 1:
            raise ValueError(f"it is a TIFF of {bits} bits with a predictor: save it with 16 bits")
        return _unpacked(data, bits, rows, width * samples).reshape(shape)
    assert page.dtype is not None
    order = page.parent.byteorder
    dtype = np.dtype(page.dtype).newbyteorder(order)
    if page.predictor == 3:
        return _float_differences_undone(data, dtype, shape)
    if len(data) < math.prod(shape) * dtype.itemsize:
        raise ValueError("it is cut short")
    found = np.frombuffer(data, dtype, math.prod(shape)).reshape(shape)
    found = found.astype(dtype.newbyteorder("="), copy=False)
    return np.cumsum(found, axis=1, dtype=found.dtype) if page.predictor == 2 else found


def _unpacked(data: bytes, bits: int, rows: int, count: int) -> Values:
    """(rows, count) unsigned numbers of any number of bits up to 32."""
    row_bytes = (count * bits + 7) // 8
    if bits > 32 or len(data) < rows * row_bytes:
        raise ValueError("it is cut short" if bits <= 32 else f"it is a TIFF of {bits} bits")
    packed = np.frombuffer(data, np.uint8, rows * row_bytes).reshape(rows, row_bytes)
    single = np.unpackbits(packed, axis=1, count=count * bits).reshape(rows, count, bits)
    found = np.zeros((rows, count), dtype=np.uint8 if bits <= 8 else np.uint16 if bits <= 16 else np.uint32)
    for bit in range(bits):
        found = (found << 1) | single[..., bit]
    return found


def _float_differences_undone(data: bytes, dtype: np.dtype[Any], shape: tuple[int, int, int]) -> Values:
    """Floats as TIFF's third predictor keeps them: the bytes of a row in planes, the highest first, as differences."""
    rows, width, samples = shape
    size = dtype.itemsize
    if len(data) < math.prod(shape) * size:
        raise ValueError("it is cut short")
    stored = np.frombuffer(data, np.uint8, math.prod(shape) * size).reshape(rows, width * size, samples)
    planes = np.cumsum(stored, axis=1, dtype=np.uint8).reshape(rows, size, width * samples)
    whole = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(dtype.newbyteorder(">"))
    return whole.reshape(shape).astype(dtype.newbyteorder("="))
