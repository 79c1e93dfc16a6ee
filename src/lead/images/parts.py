"""Pictures of which parts are looked at, each only as large as is needed."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

Box = tuple[int, int, int, int]
"""left, top, right and bottom of whole pixels; the last column and row are not included."""

MANY = 2**25
"""Pixels from which memory counts: no more of a picture is then held than has to be."""
ALONE = 48 * 2**20
"""Pixels above which pictures are held one after another, whatever the number of threads."""
_BAND = 2**22
"""Pixels that are turned into red, green and blue at a time."""
_SMOOTH = 1.5
"""Pixels that are read smaller than they are may still be so many times too small; else they are averaged."""

# How to turn the stored pixels upright, by the value of the EXIF orientation tag; any other value means upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SIDEWAYS = (5, 6, 7, 8)
"""EXIF orientations that exchange width and height."""
_MIRRORED_ACROSS, _MIRRORED_DOWN = (2, 3, 7, 8), (3, 4, 6, 7)


class Part(NamedTuple):
    """Part of a picture.

    Attributes:
        pixels: in RGB, upright.
        box: what they cover, in pixels of the picture as large as it is; may reach a little beyond that.
    """

    pixels: Image.Image
    box: Box


class Original(Protocol):
    """A picture of which parts can be had as large as the file has them."""

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture in pixels."""

    def part(self, box: Box, step: float, finest: float = math.inf) -> Part:
        """A part, of which about ``step`` pixels along each axis are wanted as one.

        Args:
            box: of its pixels, as far as it reaches.
            step: 1 or more; its pixels are averaged accordingly, but never too far.
            finest: the least ``step`` that is yet to be expected, so that the file need be read only once.

        Raises:
            UnreadablePicture: the file no longer is what it was.
        """


class HeldPicture:
    """A picture in memory, as its file holds it: what is shown of a part is made for that part alone.

    Args:
        size: (width, height) of all of it, before it is turned, in pixels.
        shown: makes RGB of a box of what is held.
        orientation: of EXIF, to be undone.
        reduction: along each axis, pixels to one that is held; the last column and row may cover more than there is.
    """

    def __init__(
        self, size: tuple[int, int], shown: Callable[[Box], Image.Image], orientation: int = 1, reduction: int = 1
    ) -> None:
        self.stored_size, self.orientation, self.reduction = size, orientation, reduction
        self._shown = shown
        self._held = (-(-size[0] // reduction), -(-size[1] // reduction))

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture in pixels."""
        return self.stored_size[::-1] if self.orientation in SIDEWAYS else self.stored_size

    def whole(self) -> Image.Image:
        """All of it in RGB, upright, as large as it is held."""
        return turned(self._shown((0, 0, *self._held)), self.orientation)

    def part(self, box: Box, step: float, finest: float = math.inf) -> Part:  # noqa: ARG002 - it is held as it is
        """See :class:`Original`."""
        part = self.as_stored(_to_stored(box, self.stored_size, self.orientation), step)
        return Part(turned(part.pixels, self.orientation), _upright(part.box, self.stored_size, self.orientation))

    def as_stored(self, box: Box, step: float) -> Part:
        """A part that is not turned upright, nor is its box; else as :meth:`part`."""
        factor = max(math.floor(step / self.reduction), 1)
        left, top, right, bottom = level_box(box, self.reduction, self._held, factor)
        width, height = -(-(right - left) // factor), -(-(bottom - top) // factor)
        rows = max(_BAND // ((right - left) * factor), 1) * factor
        if factor == 1 or rows >= bottom - top:
            pixels = _averaged(self._shown((left, top, right, bottom)), factor)
        else:
            pixels = Image.new("RGB", (width, height))
            for y in range(top, bottom, rows):
                band = self._shown((left, y, right, min(y + rows, bottom)))
                pixels.paste(_averaged(band, factor), (0, (y - top) // factor))
        each = factor * self.reduction
        pixels = smoothed(pixels, step / each) if self.reduction > 1 else pixels
        left, top = left * self.reduction, top * self.reduction
        return Part(pixels, (left, top, left + width * each, top + height * each))


def values_in(image: Image.Image) -> npt.NDArray[Any]:
    """The values of a picture of one channel, (H, W); with no third copy of them, as Pillow alone makes it."""
    image.load()
    width, height = image.size
    values = np.empty((height, width), np.asarray(image.crop((0, 0, 1, 1))).dtype)
    rows = max(_BAND // width, 1)
    for top in range(0, height, rows):
        values[top : top + rows] = np.asarray(image.crop((0, top, width, min(top + rows, height))))
    return values


def turned(image: Image.Image, orientation: int) -> Image.Image:
    """A picture upright, by its EXIF orientation."""
    return image.transpose(_TURNS[orientation]) if orientation in _TURNS else image


def level_box(box: Box, reduction: int, size: tuple[int, int], factor: int) -> Box:
    """What covers a box in a picture that is so many times smaller, of ``size`` pixels; at least one of them.

    Begins at a multiple of ``factor`` pixels, so that the same are averaged whatever the box, and is a multiple of as
    many wide and high, as far as the picture reaches.
    """
    left, top = (
        min(start // reduction, length - 1) // factor * factor for start, length in zip(box[:2], size, strict=True)
    )
    across, down = (-(-end // reduction) - start for end, start in zip(box[2:], (left, top), strict=True))
    right, bottom = (start + max(-(-n // factor), 1) * factor for start, n in ((left, across), (top, down)))
    return left, top, min(right, size[0]), min(bottom, size[1])


def smoothed(pixels: Image.Image, times: float) -> Image.Image:
    """Pixels averaged, so that there are so many times fewer along each axis, in the same frame."""
    if times < _SMOOTH:
        return pixels
    size = max(round(pixels.width / times), 1), max(round(pixels.height / times), 1)
    return pixels.resize(size, Image.Resampling.BILINEAR)


def _averaged(pixels: Image.Image, factor: int) -> Image.Image:
    return pixels.reduce(factor) if factor > 1 else pixels


def _to_stored(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """A box of the upright picture in one that is to be turned, of ``size``."""
    left, top, right, bottom = (box[1], box[0], box[3], box[2]) if orientation in SIDEWAYS else box
    return _mirrored((left, top, right, bottom), size, orientation)


def _upright(box: Box, size: tuple[int, int], orientation: int) -> Box:
    """The inverse of :func:`_to_stored`."""
    left, top, right, bottom = _mirrored(box, size, orientation)
    return (top, left, bottom, right) if orientation in SIDEWAYS else (left, top, right, bottom)


def _mirrored(box: Box, size: tuple[int, int], orientation: int) -> Box:
    left, top, right, bottom = box
    if orientation in _MIRRORED_ACROSS:
        left, right = size[0] - right, size[0] - left
    if orientation in _MIRRORED_DOWN:
        top, bottom = size[1] - bottom, size[1] - top
    return left, top, right, bottom


class Room:
    """Lets pictures of very many pixels be held one after another only: several threads read pictures."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    @contextmanager
    def taken(self, size: Sequence[int]) -> Iterator[None]:
        """While a picture of (width, height) pixels is held by the one who asks; may wait for others."""
        if size[0] * size[1] <= ALONE:
            yield
            return
        with self._lock:
            yield


ROOM = Room()
"""Of this process."""
