"""TIFF files: their depth, pages and channels, and the values in them; also of those that are too large to hold.

tifffile says what a file holds. Pillow, which undoes more compressions, decodes what it decodes rightly: one page of up
to 8 bits.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import Image
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffPage, TiffPageSeries

from lead.images.parts import MANY
from lead.images.segments import can_undo, segments
from lead.images.showing import Channel, Page, Range, Showing, Stored

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # it tells of much that is odd in a file and does not matter

Values = npt.NDArray[Any]
Plane = Callable[[int], Values]
"""(H, W) or (H, W, S) of one of the file's planes, by its number from 0."""

_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 274
MOST_VALUES = 2**30
"""Of a page with all its samples, which are decoded together."""
_UPRIGHT: dict[int, Callable[[Values], Values]] = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}


def is_tiff(head: bytes) -> bool:
    """Whether a file that begins so is a TIFF."""
    return head[:4] in _MAGIC


def is_large(size: Size) -> bool:
    """Whether a picture has more pixels than are decoded at once: twice :data:`PIL.Image.MAX_IMAGE_PIXELS`."""
    most = Image.MAX_IMAGE_PIXELS
    return most is not None and size[0] * size[1] > 2 * most


class Tiff:
    """An open TIFF: what its first picture, stack or pyramid holds. Further ones, such as thumbnails, are left alone.

    Args:
        file: a path or an open file.

    Attributes:
        pages: how many it has: times, depths, positions or plain pages, but no channels.
        channels: how many there are where they are not colours; 1 for grey and for colours.
        size: (width, height) of the upright picture in pixels.
        orientation: the EXIF orientation that is undone; 1 if none.

    Raises:
        Exception: whatever tifffile raises for a damaged file.
    """

    def __init__(self, file: Path | BinaryIO) -> None:
        self.tif = TiffFile(file, _multifile=False)
        if not self.tif.series:
            raise ValueError("it is a TIFF without a picture")
        self.series: TiffPageSeries = self.tif.series[0]
        first = self.series.keyframe
        assert isinstance(first, TiffPage)
        self.first = first
        axes = dict(zip(self.series.axes, self.series.shape, strict=True))
        if not {"Y", "X"} <= axes.keys() or not isinstance(first.bitspersample, int):
            raise ValueError(f"it is a TIFF of an unusual kind: axes {self.series.axes}, {first.bitspersample} bits")
        self.planes = axes.get("C", 1)  # channels that are planes of their own
        coloured = first.photometric in (PHOTOMETRIC.RGB, PHOTOMETRIC.YCBCR, PHOTOMETRIC.SEPARATED, PHOTOMETRIC.CIELAB)
        has_opacity = first.samplesperpixel == 2 and first.extrasamples[:1] in ((1,), (2,))
        self.pages = math.prod(n for axis, n in axes.items() if axis not in "YXSC")
        self.channels = self.planes * (1 if coloured or has_opacity else first.samplesperpixel)
        tag = first.tags.get(_ORIENTATION)
        self.orientation: int = tag.value if tag and tag.value in _UPRIGHT else 1
        self.turn = _UPRIGHT.get(self.orientation)
        width, height = first.imagewidth, first.imagelength
        self.size: Size = (height, width) if self.orientation >= 5 else (width, height)

    def __enter__(self) -> Tiff:
        return self

    def __exit__(self, *_: object) -> None:
        self.tif.close()

    @property
    def is_deep(self) -> bool:
        """Whether its values are more than 8 bits, or signed."""
        return self.first.bitspersample > 8 or self.first.sampleformat != 1

    @property
    def for_pillow(self) -> bool:
        """Whether Pillow reads one page of it rightly."""
        return not self.is_deep and self.first.bitspersample in (1, 2, 4, 8) and self.channels == 1

    @property
    def as_values(self) -> bool:
        """Whether it is held as the values that are stored, not as Pillow's pixels, which take a third more."""
        many = self.size[0] * self.size[1] > MANY and self.first.samplesperpixel >= 3
        return not self.for_pillow or (many and not self.is_odd and can_undo(self.first))

    @property
    def is_odd(self) -> bool:
        """Whether its colours are none that our own code explains."""
        kind = self.first.photometric
        return kind == PHOTOMETRIC.CIELAB or (kind == PHOTOMETRIC.YCBCR and self.first.compression != COMPRESSION.JPEG)

    @property
    def stated(self) -> Range | None:
        """The values that are black and white as the file says; None if it does not."""
        bits = self.first.bitspersample
        of_inks = self.first.photometric == PHOTOMETRIC.SEPARATED
        if of_inks or (self.first.sampleformat == 1 and bits not in (16, 24, 32, 64)):
            return 0.0, 2.0**bits - 1
        for name in ("SMaxSampleValue", "MaxSampleValue"):
            tag = self.first.tags.get(name)
            most = float(np.max(tag.value)) if tag else 0.0
            # Only a number of bits is believed: many programs write the greatest value that a picture happens to have.
            if 1 <= most < 2 ** min(bits, 31) - 1 and math.log2(most + 1).is_integer():
                return 0.0, most
        return None

    def index(self, page: int) -> int:
        """The number in the file, from 0, of a page for Pillow. Raises :class:`ValueError` if there is none."""
        self._check_page(page)
        found = self.series.pages[(page - 1) * self.planes]
        return 0 if found is None else found.index

    def stored(self, showing: Showing) -> Stored:
        """The values of the page and channel that are asked for, upright.

        Raises:
            ValueError: there is no such page or channel, there are several channels and none was chosen, nothing that
                is installed undoes the compression, or it is too large to be held.
        """
        if is_large(self.size):
            raise ValueError(f"its {self.size[0] * self.size[1]} pixels are too many to be decoded at once")
        if math.prod(self.first.shape) > MOST_VALUES:
            raise ValueError(f"its {math.prod(self.first.shape)} values are too many to be decoded at once")
        return self.shown(showing, self._whole)

    def shown(self, showing: Showing, plane: Plane) -> Stored:
        """The values of the page and channel that are asked for, from planes that are read by a function of theirs."""
        self._check_page(showing.page)
        self._check_channel(showing.channel)
        if isinstance(showing.page, int):
            return self._explained(self._page(showing.page - 1, showing.channel, plane))
        return self._explained(self._projected(showing.page, showing.channel, plane))

    def _check_page(self, page: Page) -> None:
        if isinstance(page, int) and page > self.pages:
            raise ValueError(f"page {page} was asked for (picture.page), and it has {self.pages}")

    def _check_channel(self, channel: Channel | None) -> None:
        count = self.channels
        if count == 1:
            return
        if channel is None:
            rgb = ", or rgb for the first three as colours" if count >= 3 else ""
            choice = f"choose one as you train, --set picture.channel=1..{count}{rgb}"
            raise ValueError(f"a TIFF of {count} channels: {choice}")
        if (3 if channel == "rgb" else channel) > count:
            raise ValueError(f"channel {channel} was asked for (picture.channel), and it has {count}")

    def _projected(self, how: Page, channel: Channel | None, plane: Plane) -> Values:
        total = self._page(0, channel, plane)
        total = total.astype(np.float64) if how == "mean" else total.copy()
        for page in range(1, self.pages):
            values = self._page(page, channel, plane)
            (np.add if how == "mean" else np.maximum)(total, values, out=total)
        return total / self.pages if how == "mean" else total

    def _page(self, page: int, channel: Channel | None, plane: Plane) -> Values:
        """(H, W) or (H, W, S) values of a page, counted from 0, in the channel asked for."""
        if self.channels == 1:
            return plane(page)
        each = self.channels // self.planes
        numbers = [0, 1, 2] if channel == "rgb" else [int(channel or 1) - 1]
        planes = [plane(page * self.planes + number // each) for number in numbers]
        found = [one[..., n % each] if one.ndim == 3 else one for n, one in zip(numbers, planes, strict=True)]
        return np.stack(found, axis=-1) if channel == "rgb" else found[0]

    def _whole(self, number: int) -> Values:
        pages = self.series.pages
        if len(pages) == 1 and self.series.dataoffset is not None:  # one describes all, as in ImageJ's largest
            values = self._contiguous(number)
        else:
            page = self.at(self.series, number)
            if not can_undo(page):
                return self._by_pillow(page)  # which turns it upright
            values = np.zeros((page.imagelength, page.imagewidth, page.samplesperpixel), dtype=page.dtype)
            for found, left, top, sample in segments(page):
                height, width, depth = found.shape
                values[top : top + height, left : left + width, sample : sample + depth] = found
            values = values[..., 0] if page.samplesperpixel == 1 else values
        return self.turn(values) if self.turn else values

    def at(self, series: TiffPageSeries, number: int) -> TiffPage:
        page = series.pages[number]
        if page is None:
            raise ValueError(f"page {number + 1} of it is missing")
        return page if isinstance(page, TiffPage) else page.aspage()

    def _contiguous(self, number: int) -> Values:
        assert self.first.dtype is not None
        assert self.series.dataoffset is not None
        dtype = np.dtype(self.first.dtype).newbyteorder(self.tif.byteorder)
        length = math.prod(self.first.shape) * dtype.itemsize
        file = self.tif.filehandle
        file.seek(self.series.dataoffset + number * length)
        values = np.frombuffer(file.read(length), dtype).reshape(self.first.shape)
        values = values.astype(dtype.newbyteorder("="), copy=False)
        return np.moveaxis(values, 0, -1) if self.first.axes.startswith("S") else values

    def _by_pillow(self, page: TiffPage) -> Values:
        file = self.tif.filehandle
        file.seek(0)
        try:
            with Image.open(io.BytesIO(file.read())) as image:
                image.seek(page.index)
                if image.mode not in ("1", "L", "I", "F") and page.bitspersample > 8:
                    raise ValueError("its colours would be cut to 8 bits")
                return np.asarray(image)
        except Exception as error:
            name = COMPRESSION(page.compression).name
            raise ValueError(f"it is a TIFF compressed by {name}, which needs: pip install imagecodecs") from error

    @property
    def palette(self) -> Values | None:
        """(n, 3) 16-bit colours."""
        first = self.first
        if first.photometric != PHOTOMETRIC.PALETTE or first.colormap is None:
            return None
        return np.moveaxis(first.colormap, 0, -1)

    def _explained(self, values: Values) -> Stored:
        first, stated = self.first, self.stated
        if values.dtype.kind == "c":
            raise ValueError("it is a TIFF of complex numbers: save their magnitude")
        if self.palette is not None:
            colours = values if values.ndim == 3 else self.palette[values]  # reduced ones are colours already
            return Stored(colours, (0.0, 65535.0))
        values = values.astype(np.uint8) if values.dtype == bool else values
        if stated and values.size and values.max() > stated[1]:
            stated = None  # it is not as the file says
        opacity = None
        if values.ndim == 3 and self.channels == 1:
            values, opacity = _colours(first, values)
        return Stored(values, stated, first.photometric == PHOTOMETRIC.MINISWHITE, opacity)


def _colours(page: TiffPage, values: Values) -> tuple[Values, npt.NDArray[np.float64] | None]:
    """(H, W) or (H, W, 3), and the opacity, of samples whose first are grey; red, green and blue; or inks."""
    most = 2.0**page.bitspersample - 1 if page.sampleformat < 3 else 1.0
    if page.photometric == PHOTOMETRIC.SEPARATED:
        return (1 - values[..., :3] / most) * (1 - values[..., 3:4] / most) * most, None
    colours = values[..., 0] if page.samplesperpixel == 2 else values[..., :3]
    kind = page.extrasamples[0] if page.extrasamples else 0
    if kind not in (1, 2):
        return colours, None
    opacity = np.clip(values[..., colours.shape[2] if colours.ndim == 3 else 1] / most, 0, 1)
    if kind == 1:  # the colours are multiplied by it already
        share = np.maximum(opacity if colours.ndim == 2 else opacity[..., None], 1e-6)
        colours = np.minimum(colours / share, most)
    return colours, opacity
