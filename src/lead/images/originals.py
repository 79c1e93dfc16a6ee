"""Pictures as large as their files have them, of which no more is read or held than a few squares need."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from lead.images.decode import UnreadablePicture, held, held_image, reading, upright_size
from lead.images.parts import Box, HeldPicture, Original, Part
from lead.images.segments import Box as TiffBox
from lead.images.showing import DEFAULT, Showing
from lead.images.tiff import Tiff, is_tiff
from lead.images.tiff_parts import TiffParts, in_parts

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

_SCALES = (8, 4, 2, 1)
"""At which JPEG can be decoded: pixels along each axis to one."""


def opened(path: Path, showing: Showing = DEFAULT) -> Original:
    """A picture of which parts are to be cut: decoded, unless its parts can be read or a JPEG be decoded smaller.

    Args:
        path: of the file.
        showing: see :func:`lead.images.decode.decode`.

    Raises:
        UnreadablePicture: as :func:`lead.images.decode.decode`; damage beyond the header may be found only later.
    """
    with reading(path), path.open("rb") as file:
        if is_tiff(file.read(4)):
            file.seek(0)
            with Tiff(file) as tiff:
                large = in_parts(tiff, showing)
            if large:
                return LargePicture(path, showing)
        file.seek(0)
        with Image.open(file) as image:
            if image.format in ("JPEG", "MPO") and showing.page == 1:
                return JpegPicture(path, showing)
        file.seek(0)
        return held(file, showing)


class JpegPicture:
    """A JPEG, decoded as small as what is asked for lets it be, and anew where more is asked for later.

    Args:
        path: of the file.
        showing: how its values are shown.

    Attributes:
        size: (width, height) of the upright picture in pixels.
    """

    def __init__(self, path: Path, showing: Showing = DEFAULT) -> None:
        self._path, self._showing = path, showing
        self.size: Size = upright_size(path)
        self._held: HeldPicture | None = None

    def part(self, box: Box, step: float, finest: float = math.inf) -> Part:
        """See :class:`lead.images.parts.Original`."""
        scale = self._scale(min(step, finest))
        if self._held is None or self._held.reduction > scale:
            self._held = None  # before the next takes its room
            self._held = self._decoded(scale)
        return self._held.part(box, step)

    def _scale(self, step: float) -> int:
        return next(scale for scale in _SCALES if scale <= max(step, 1))

    def _decoded(self, scale: int) -> HeldPicture:
        with reading(self._path), self._path.open("rb") as file, Image.open(file) as image:
            size, draft = image.size, None
            if scale > 1:
                draft = image.draft(None, (max(size[0] // scale, 1), max(size[1] // scale, 1)))
            scale = round(size[0] / draft[1][2]) if draft else 1
            picture = held_image(file, image, self._showing, size, scale)
            check_size(self._path, picture.size, self.size)
            return picture


class LargePicture:
    """A TIFF of very many pixels, of which parts are read from its file.

    Args:
        path: of the file.
        showing: how its values are shown.

    Attributes:
        size: (width, height) of the upright picture in pixels.
    """

    def __init__(self, path: Path, showing: Showing = DEFAULT) -> None:
        self._path, self._showing = path, showing
        with reading(path), Tiff(path) as tiff:
            self.size: Size = tiff.size
            self._ends = TiffParts(tiff).ends(showing)

    def part(self, box: Box, step: float, finest: float = math.inf) -> Part:  # noqa: ARG002 - nothing is held
        """See :class:`lead.images.parts.Original`."""
        with reading(self._path), Tiff(self._path) as tiff:
            check_size(self._path, tiff.size, self.size)
            return TiffParts(tiff).part(self._showing, self._ends, TiffBox(*box), step)


def of_memory(picture: Image.Image) -> HeldPicture:
    """A picture that is decoded already, in RGB."""
    return HeldPicture(picture.size, picture.crop)


def check_size(path: Path, now: Size, before: Size) -> None:
    """Raises :class:`UnreadablePicture` where a file has other (width, height) pixels than it had."""
    if tuple(now) != tuple(before):
        text = f"it has {now[0]} × {now[1]} pixels now, and had {before[0]} × {before[1]}"
        raise UnreadablePicture(path, text)
