"""The folder's pictures as the page shows them: upright, in a few sizes, and in tiles at full resolution.

Every resize keeps the picture's edges in place, so that a point moves by ``(p + 0.5) * new / old - 0.5`` along each
axis, with the sizes of the two pictures.
"""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from PIL import Image

from lead.errors import LeadError
from lead.images.decode import UnreadablePicture, decode, decode_fitted, fitted_size, reading
from lead.images.originals import LargePicture
from lead.images.showing import Showing
from lead.images.tiff import is_large
from lead.studio.folder import PictureFolder, stamp_text

SIDES = (128, 320, 1024, 2048)
"""Longer sides in which a picture can be had, in pixels; a smaller picture is not enlarged."""
TILE = 512
"""Side of a tile, in pixels; those at the right and lower edge are smaller."""
SHRUNK = (1, 2, 4, 8)
"""Pixels of the picture, along each axis, whose mean is one of a tile's."""
ENCODED_BYTES = 128 * 2**20
"""Memory for what was sent."""
AT_A_TIME = 2
"""Pictures decoded at once, of which all but one may be small ones of a list: a person waits for the others."""
SMALL = 128
"""Side up to which a picture is one of a list."""
LOSSLESS = 1024
"""Longer side up to which a picture at its own size is sent without loss; a larger one has tiles for that."""
_KEEP = 1024
"""From this side on, the decoded picture is kept: it is about to be zoomed into."""
REDUCED_BYTES = 64 * 2**20
"""Memory for large JPEGs that were decoded at reduced size, from which smaller ones are made."""

Size = tuple[int, int]
Box = tuple[int, int, int, int]
"""Left, top, right and bottom, in pixels as edges."""
Value = TypeVar("Value")


class Encoded(NamedTuple):
    """A picture file to send."""

    content: bytes
    media_type: str


class ShownPictures:
    """Decodes, resizes and encodes; a picture that several ask for at once is decoded once."""

    def __init__(self, folder: PictureFolder, *, decoded_bytes: int = 400 * 2**20) -> None:
        """``decoded_bytes``: memory for decoded large pictures, four bytes a pixel."""
        self._folder = folder
        self._decoded = Kept[Image.Image](decoded_bytes, lambda image: 4 * image.width * image.height)
        self._reduced = Kept[Image.Image](REDUCED_BYTES, lambda image: 4 * image.width * image.height)
        self._encoded = Kept[Encoded](ENCODED_BYTES, lambda encoded: len(encoded.content))
        self._turns = _Turns(AT_A_TIME)

    def stamp(self, id: str) -> str:
        """Changes whenever the file does. Raises :class:`LeadError` if it cannot be found."""
        path = self._folder.path(id)
        try:
            status = path.stat()
        except OSError as error:
            raise self._unreadable(id, UnreadablePicture(path, str(error.strerror))) from None
        return stamp_text((status.st_mtime_ns, status.st_size), self._folder.showing)

    def image(self, id: str, side: int) -> Encoded:
        """The upright picture with a longer side of at most ``side``, one of ``SIDES``.

        Without loss if that is all of its pixels and they are few, else as a JPEG.

        Raises:
            LeadError: no such side, or the picture cannot be read (which is noted in the folder).
        """
        if side not in SIDES:
            raise LeadError(f"Pictures come with a side of {', '.join(map(str, SIDES))}, not {side}.")
        key = (id, self.stamp(id), side)
        return self._encoded.get(key, lambda: self._make_image(id, side))

    def tile(self, id: str, column: int, row: int, shrink: int = 1) -> Encoded:
        """A part of the upright picture: ``TILE`` × ``TILE`` pixels, each the mean of ``shrink`` × ``shrink`` of its.

        Without loss if those are the picture's own pixels, else as a JPEG.

        Raises:
            LeadError: the picture has no such tile, or cannot be read (which is noted in the folder).
        """
        if shrink not in SHRUNK:
            raise LeadError(f"Tiles are shrunk {', '.join(map(str, SHRUNK))} times, not {shrink}.")
        key = (id, self.stamp(id), column, row, shrink)
        return self._encoded.get(key, lambda: self._make_tile(id, column, row, shrink))

    def _make_image(self, id: str, side: int) -> Encoded:
        path, of = self._folder.path(id), self._folder.size(id)
        size = max(of)
        if size <= side:
            return _png(self._whole(id)) if size <= LOSSLESS else as_jpeg(self._whole(id), quality=95, subsampling=0)
        key = (id, self.stamp(id))
        if key in self._decoded:
            return as_jpeg(_smaller(self._whole(id), of, side))
        if 2 * SIDES[-1] <= size and (side > SMALL or key in self._reduced) and _is_jpeg(path):
            return as_jpeg(_smaller(self._reduced.get(key, lambda: self._fit(id, SIDES[-1])), of, side))
        in_parts = is_large(of) or (2 * side <= size and _is_jpeg(path))
        if side < _KEEP or in_parts:  # which need not all be decoded
            return as_jpeg(self._fit(id, side))
        return as_jpeg(_smaller(self._whole(id), of, side))

    def _fit(self, id: str, side: int) -> Image.Image:
        return self._decode(id, lambda path, shown: _fitted(path, side, shown), waits=side > SMALL)

    def _make_tile(self, id: str, column: int, row: int, shrink: int) -> Encoded:
        width, height = self._folder.size(id)
        side = TILE * shrink
        left, top = column * side, row * side
        if not (0 <= left < width and 0 <= top < height):
            raise LeadError(f"{self._folder.file_of(id)} has no tile in column {column}, row {row}.")
        box = (left, top, min(left + side, width), min(top + side, height))
        if is_large((width, height)):
            part = self._decode(id, lambda path, shown: _part(path, box, shown, shrink))
        else:
            part = _shrunk(self._whole(id), box, shrink)
        return _png(part) if shrink == 1 else as_jpeg(part, quality=92, subsampling=0)

    def _whole(self, id: str) -> Image.Image:
        return self._decoded.get((id, self.stamp(id)), lambda: self._decode(id, decode))

    def _decode(self, id: str, decoder: Callable[[Path, Showing], Image.Image], *, waits: bool = True) -> Image.Image:
        """``waits``: whether a person waits for it; else it lets those go first."""
        path = self._folder.path(id)
        try:
            with self._turns.taken(waits):
                return decoder(path, self._folder.showing)
        except UnreadablePicture as error:
            raise self._unreadable(id, error) from error

    def _unreadable(self, id: str, error: UnreadablePicture) -> UnreadablePicture:
        self._folder.note_unreadable(id, error.reason)
        return error


def _smaller(picture: Image.Image, of: Size, side: int) -> Image.Image:
    """A picture that shows all of one of size ``of``, of which the longer side is to be ``side``."""
    width, height = fitted_size(np.array(of), side).tolist()
    return picture.resize((width, height), Image.Resampling.BILINEAR, reducing_gap=3.0)


def _fitted(path: Path, side: int, showing: Showing) -> Image.Image:
    with reading(path), path.open("rb") as file:
        return decode_fitted(file, side, spare=1, showing=showing)[0]


def _part(path: Path, box: Box, showing: Showing, shrink: int) -> Image.Image:
    """A part of a picture that is too large to be held, its edges in place: what is read may reach a little further."""
    pixels, (left, top, right, bottom) = LargePicture(path, showing).part(box, shrink)
    across, down = (right - left) / pixels.width, (bottom - top) / pixels.height
    covers = ((box[0] - left) / across, (box[1] - top) / down, (box[2] - left) / across, (box[3] - top) / down)
    size = (-(-(box[2] - box[0]) // shrink), -(-(box[3] - box[1]) // shrink))
    return pixels if covers == (0, 0, *size) else pixels.resize(size, Image.Resampling.BILINEAR, covers)


def _shrunk(picture: Image.Image, box: Box, shrink: int) -> Image.Image:
    """A part of a picture, its edges in place."""
    part = picture.crop(box)
    size = (-(-part.width // shrink), -(-part.height // shrink))
    return part if shrink == 1 else part.resize(size, Image.Resampling.BOX)


def _is_jpeg(path: Path) -> bool:
    with reading(path), Image.open(path) as image:
        return image.format == "JPEG"


def as_jpeg(image: Image.Image, *, quality: int = 90, subsampling: int = 2) -> Encoded:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality, subsampling=subsampling)
    return Encoded(file.getvalue(), "image/jpeg")


def _png(image: Image.Image) -> Encoded:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return Encoded(file.getvalue(), "image/png")


class _Turns:
    """Lets so many work at a time; those who wait for a person's sake go first, and always find a place or the next."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._changed = threading.Condition()
        self._at_work, self._in_no_hurry, self._urgent = 0, 0, 0  # the last: those that wait

    @contextmanager
    def taken(self, urgent: bool) -> Iterator[None]:
        with self._changed:
            self._urgent += urgent
            self._changed.wait_for(lambda: self._free(urgent))
            self._urgent -= urgent
            self._at_work += 1
            self._in_no_hurry += not urgent
        try:
            yield
        finally:
            with self._changed:
                self._at_work -= 1
                self._in_no_hurry -= not urgent
                self._changed.notify_all()

    def _free(self, urgent: bool) -> bool:
        if self._at_work == self._places:
            return False
        return urgent or (not self._urgent and self._in_no_hurry < self._places - 1)


class Kept(Generic[Value]):
    """Values made on demand, once however many ask at a time; the least recently used go where there is no room."""

    def __init__(self, room: int, size: Callable[[Value], int]) -> None:
        self._room, self._size, self._used = room, size, 0
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._making: dict[Hashable, Future[Value]] = {}

    def __contains__(self, key: Hashable) -> bool:
        """Whether a value is there, or being made."""
        return key in self._values or key in self._making

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
            future = self._making.get(key)
            if mine := future is None:
                future = self._making[key] = Future()
        if mine:
            self._make(key, make, future)
        return future.result()

    def _make(self, key: Hashable, make: Callable[[], Value], future: Future[Any]) -> None:
        try:
            value = make()
        except BaseException as error:
            with self._lock:
                del self._making[key]
            future.set_exception(error)
            return
        with self._lock:
            del self._making[key]
            self._values[key] = value
            self._used += self._size(value)
            while self._used > self._room and len(self._values) > 1:  # the newest stays, however large
                _, gone = self._values.popitem(last=False)
                self._used -= self._size(gone)
        future.set_result(value)
