"""How stored values become the red, green and blue that are looked at: one rule for every kind of picture.

What a file states decides: 8-bit values as they are, a DICOM window, a palette, fewer bits stored than there is room
for, white is zero. Values of more than 8 bits for which nothing is stated are shown from the low to the high end of a
contrast, which is that of the whole folder (:mod:`lead.images.survey`), so that its pictures stay comparable; a picture
of which no folder is known is shown by the quantiles of its own values.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.images.parts import Box

Range = tuple[float, float]
"""The values that are shown black and white."""
Page = int | Literal["max", "mean"]
"""Of a stack: its number from 1, or each pixel's greatest or mean value over all pages."""
Channel = int | Literal["rgb"]
"""Of several: its number from 1, or the first three as red, green and blue."""

QUANTILES = (0.001, 0.999)
"""Of the values, those shown black and white where nothing is stated: a few hot pixels must not darken the rest."""
_ROWS = 2**22
"""Values that are scaled at a time, which bounds the memory for it."""
_COUNTED = 2**24
"""Values of which the quantiles are those of all; of more, as many or more are taken, evenly spread."""


@dataclass(frozen=True)
class Showing:
    """What of pictures is shown, and how, where their files leave it open.

    Attributes:
        contrast: the values shown black and white, of pictures of more than 8 bits that state no range; None for the
            quantiles of each picture's own values.
        page: of stacks.
        channel: of pictures of several channels that are not colours; None for no choice: then they are not read.
    """

    contrast: Range | None = None
    page: Page = 1
    channel: Channel | None = None


DEFAULT = Showing()


@dataclass(frozen=True)
class Stored:
    """The values of a picture as its file stores them, upright.

    Attributes:
        values: (H, W) grey, or (H, W, 3) red, green and blue, of any real type.
        stated: what the file says is black and white; None if it says nothing.
        inverted: whether the least value is white.
        opacity: (H, W) in [0, 1]; None where all is opaque.
    """

    values: npt.NDArray[Any]
    stated: Range | None = None
    inverted: bool = False
    opacity: npt.NDArray[np.float64] | None = None

    def settled(self, showing: Showing = DEFAULT) -> Stored:
        """The same values, with what is black and white stated, so that each part shows them as the whole does."""
        return replace(self, stated=self.stated or showing.contrast or quantiles([self.values]))

    def thinned(self, most: int) -> Stored:
        """The same with fewer values, evenly spread: at most about ``most``."""
        step = max(math.ceil(math.sqrt(self.values.size / most)), 1)
        opacity = None if self.opacity is None else self.opacity[::step, ::step].copy()
        return replace(self, values=self.values[::step, ::step].copy(), opacity=opacity)

    def part(self, box: Box) -> Stored:
        """A box of it."""
        left, top, right, bottom = box
        opacity = None if self.opacity is None else self.opacity[top:bottom, left:right]
        return replace(self, values=self.values[top:bottom, left:right], opacity=opacity)

    def rgb(self, showing: Showing = DEFAULT) -> Image.Image:
        """The picture in RGB; transparent parts show white, and what is not a finite number black."""
        low, high = self.stated or showing.contrast or quantiles([self.values])
        shown = eight_bits(self.values, low, high, inverted=self.inverted)
        if self.opacity is not None:
            share = self.opacity if shown.ndim == 2 else self.opacity[..., None]
            shown = np.rint(255 - share * (255.0 - shown)).astype(np.uint8)
        return Image.fromarray(shown).convert("RGB")


def quantiles(parts: Sequence[npt.NDArray[Any]]) -> Range:
    """The :data:`QUANTILES` of all values; the least and greatest, where nearly all are the same; (0, 0) of none."""
    step = max(int((sum(part.size for part in parts) / _COUNTED) ** 0.5), 1)
    parts = [part[::step, ::step] if part.ndim > 1 else part for part in parts]
    values = np.concatenate([part[np.isfinite(part)].ravel() for part in parts])
    if not values.size:
        return 0.0, 0.0
    low = float(np.quantile(values, QUANTILES[0], method="lower"))
    high = float(np.quantile(values, QUANTILES[1], method="higher"))
    return (low, high) if low < high else (float(values.min()), float(values.max()))


def eight_bits(values: npt.NDArray[Any], low: float, high: float, *, inverted: bool = False) -> npt.NDArray[np.uint8]:
    """Values of any real type and shape in 0..255: ``low`` becomes 0 and ``high`` 255, or the other way round.

    Values beyond are cut off. What is not finite becomes 0, as does everything where ``low`` is not below ``high``.
    """
    if values.dtype in (np.uint8, np.uint16, np.int16) and values.size > 2**16:
        every = np.arange(np.iinfo(values.dtype).min, np.iinfo(values.dtype).max + 1, dtype=np.int64)
        table = _scaled(every, low, high, inverted)
        values = values.view(np.uint16) if values.dtype == np.int16 else values
        table = np.roll(table, every[0])  # as it is numbered without a sign
        return _each_of(values, table.take)
    return _each_of(values, lambda some: _scaled(some, low, high, inverted))


def _each_of(
    values: npt.NDArray[Any], made: Callable[[npt.NDArray[Any]], npt.NDArray[np.uint8]]
) -> npt.NDArray[np.uint8]:
    """What is made of values, of some rows at a time."""
    out = np.empty(values.shape, dtype=np.uint8)
    step = max(_ROWS // max(int(np.prod(values.shape[1:])), 1), 1)
    for start in range(0, len(values), step):
        out[start : start + step] = made(values[start : start + step])
    return out


def _scaled(values: npt.NDArray[Any], low: float, high: float, inverted: bool) -> npt.NDArray[np.uint8]:
    finite = np.isfinite(values)
    if not low < high:
        return np.where(finite, 255 if inverted else 0, 0).astype(np.uint8)
    unit = np.clip((np.where(finite, values, low).astype(np.float64) - low) / (high - low), 0, 1)
    shown: npt.NDArray[np.uint8] = np.rint(255 * np.where(finite, 1 - unit if inverted else unit, 0)).astype(np.uint8)
    return shown
