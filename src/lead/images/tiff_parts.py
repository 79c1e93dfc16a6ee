"""TIFF files of very many pixels, of which parts are read: a strip or tile at a time, from the level that suffices."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial
from operator import itemgetter
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from tifffile import PHOTOMETRIC, TiffPageSeries

from lead.images.parts import MANY, Part, level_box, smoothed
from lead.images.segments import Box, can_undo, piece_bytes, segments
from lead.images.showing import Range, Showing, Stored, quantiles
from lead.images.tiff import Tiff, is_large

Values = npt.NDArray[Any]

_PIECE = 2**25
"""Bytes of a strip or tile up to which a picture that could be held is read in parts: each part undoes all of them."""
_SURVEYED = 1024
"""Longer side, in pixels, to which a very large picture is reduced to learn how its values lie."""


def in_parts(tiff: Tiff, showing: Showing) -> bool:
    """Whether it has very many pixels, and lets small parts of them be read."""
    if is_large(tiff.size):
        return True
    series, page = tiff.series, tiff.first
    is_many = tiff.size[0] * tiff.size[1] > MANY and isinstance(showing.page, int)
    is_one_of_many = len(series.pages) == 1 and tiff.pages * tiff.planes > 1  # one page describes all
    if not is_many or is_one_of_many or tiff.turn or tiff.is_odd or not can_undo(page):
        return False
    return piece_bytes(page) <= _PIECE


class TiffParts:
    """Reads parts of an open TIFF.

    Args:
        tiff: open.
    """

    def __init__(self, tiff: Tiff) -> None:
        self._tiff = tiff

    def fitted(self, showing: Showing, side: int) -> tuple[Image.Image, tuple[float, float]]:
        """A very large picture in RGB, its longer side about ``side`` pixels and at least so many, read in parts.

        Taken from the smallest level of a pyramid that is large enough. Errors as :meth:`stored`.

        Returns:
            The picture, and how much of its width and height the picture really covers: its last column and row may
            be averages of fewer pixels.
        """
        enough = [level for level in self._tiff.series.levels if max(level.shape) >= side]
        level = min(enough, key=lambda level: max(level.shape), default=self._tiff.series)
        width, height = level.keyframe.imagewidth, level.keyframe.imagelength
        factor = max(max(width, height) // side, 1)
        ends = self.ends(showing)
        small = replace(self._tiff.shown(showing, partial(self._reduced, level, factor, None)), stated=ends).rgb()
        return small, (width / factor, height / factor)

    def part(self, showing: Showing, ends: Range, box: Box, step: float) -> Part:
        """A box of the picture, of which ``step`` pixels along each axis are wanted as one; else as :meth:`fitted`.

        Of a pyramid, from the smallest level whose pixels are no larger than that.
        """
        times, level = max((found for found in self._levels() if found[0] <= max(step, 1)), key=itemgetter(0))
        size = level.keyframe.imagewidth, level.keyframe.imagelength
        factor = max(math.floor(step / times), 1)
        left, top, right, bottom = level_box(box, times, size, factor)
        inside = Box(left, top, right, bottom)
        found = replace(self._tiff.shown(showing, partial(self._reduced, level, factor, inside)), stated=ends).rgb()
        each, (width, height) = factor * times, found.size
        left, top = left * times, top * times
        found = smoothed(found, step / each) if times > 1 else found
        return Part(found, (left, top, left + width * each, top + height * each))

    def _levels(self) -> list[tuple[int, TiffPageSeries]]:
        """Levels of a pyramid, and how many of the picture's pixels along each axis one of theirs stands for.

        Those that are not a whole number of times smaller are left out.
        """
        width, height = self._tiff.first.imagewidth, self._tiff.first.imagelength
        found: list[tuple[int, TiffPageSeries]] = [(1, self._tiff.series)]
        for level in self._tiff.series.levels[1:]:
            own = level.keyframe.imagewidth, level.keyframe.imagelength
            times = round(width / own[0])
            if times > 1 and max(abs(width / times - own[0]), abs(height / times - own[1])) < 1:
                found.append((times, level))
        return found

    def ends(self, showing: Showing) -> Range:
        """What is black and white of a picture that is read in parts: the same for all."""
        if self._tiff.palette is not None:
            return 0.0, 65535.0
        stated = self._tiff.stated
        if stated and not self._tiff.is_deep:
            return stated
        if not stated and showing.contrast:
            return showing.contrast
        seen = self.overview(showing)
        return seen.stated or showing.contrast or quantiles([seen.values])

    def overview(self, showing: Showing) -> Stored:
        """Means of a picture's values, some :data:`_SURVEYED` of them along its longer side."""
        smallest = self._tiff.series.levels[-1]
        factor = max(max(smallest.keyframe.imagewidth, smallest.keyframe.imagelength) // _SURVEYED, 1)
        return self._tiff.shown(showing, partial(self._reduced, smallest, factor, None))

    def _reduced(self, series: TiffPageSeries, factor: int, box: Box | None, number: int) -> Values:
        """Means of ``factor`` × ``factor`` pixels of a box of a plane; the last column and row may be of fewer."""
        if self._tiff.turn:
            raise ValueError("it is a very large TIFF that says it is turned: save it upright")
        page = self._tiff.at(series, number)
        if self._tiff.is_odd:
            raise ValueError(f"it is a very large TIFF in {PHOTOMETRIC(page.photometric).name}: save it in RGB")
        box = box or Box(0, 0, page.imagewidth, page.imagelength)
        colours = self._tiff.palette
        depth = page.samplesperpixel if colours is None else 3
        width, height = box.right - box.left, box.bottom - box.top
        total = np.zeros((-(-height // factor), -(-width // factor), depth))
        for found, left, top, sample in segments(page, box):
            x, y = max(left, box.left), max(top, box.top)
            inside = found[y - top : box.bottom - top, x - left : box.right - left]
            if not inside.size:
                continue
            if colours is not None:
                inside = colours[inside[..., 0]]
            row, first_rows = _bins(y - box.top, len(inside), factor)
            column, first_columns = _bins(x - box.left, inside.shape[1], factor)
            wide = np.uint32 if inside.dtype in (np.uint8, np.uint16) else np.float64  # of whole numbers the quicker
            rows = [some.sum(0, dtype=wide) for some in np.split(inside, first_rows[1:])]
            sums = np.add.reduceat(np.stack(rows), first_columns, axis=1, dtype=np.float64)
            part = total[row : row + len(sums), column : column + sums.shape[1], sample : sample + sums.shape[2]]
            part += sums
        total /= np.outer(_lengths(height, factor), _lengths(width, factor))[..., None]
        return total[..., 0] if depth == 1 else total


def _bins(start: int, count: int, factor: int) -> tuple[int, npt.NDArray[np.int64]]:
    """Of ``count`` pixels from ``start`` on: the first bin of ``factor`` pixels, and where in them each bin begins."""
    first = start // factor
    begins = np.arange(first, (start + count - 1) // factor + 1) * factor - start
    return first, np.maximum(begins, 0)


def _lengths(count: int, factor: int) -> npt.NDArray[np.int64]:
    """Pixels in each bin of ``factor`` pixels."""
    return np.minimum(factor, count - np.arange(0, count, factor))
