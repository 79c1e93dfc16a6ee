"""A picture file to RGB pixels, whatever its mode, depth or orientation."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from lead.errors import LeadError
from lead.images.containers import why_unreadable
from lead.images.dicom import DicomPicture
from lead.images.kinds import why_heif
from lead.images.parts import MANY, ROOM, SIDEWAYS, HeldPicture, turned, values_in
from lead.images.png import deep_colours, has_deep_colours
from lead.images.showing import DEFAULT, Showing, Stored
from lead.images.tiff import Tiff, is_large, is_tiff
from lead.images.tiff_parts import TiffParts, in_parts

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

Image.register_open(DicomPicture.format, DicomPicture)  # tried like Pillow's own, wherever it opens a picture
with suppress(ModuleNotFoundError):  # an extra
    from pi_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
# Threads that decode at once share both, so they are set for the process, but only where nobody else has set them.
warnings.simplefilter("ignore", Image.DecompressionBombWarning, append=True)  # an error, from twice as many on, will do
if Image.core.get_block_size() == 2**24:  # type: ignore[attr-defined] # as Pillow sets it
    Image.core.set_block_size(2**26)  # type: ignore[attr-defined] # larger pieces go back to the system when free
Image.init()  # else Pillow loads its rarer formats as it meets the first, which is not safe in several threads

_GAP = 3.0
"""Pictures are resized from so many times the size, to which they are reduced by plain means."""
_STACKS = ("DICOM", "GIF", "PNG", "WEBP")
"""Of Pillow's formats besides TIFF, those whose further pages are pictures of their own."""

Box = tuple[float, float, float, float]
"""x, y, width, height of a part of a picture in its own (upright) pixels; (0, 0, w, h) is all of it."""


class UnreadablePicture(LeadError):
    """A picture file that cannot be decoded.

    Attributes:
        reason: why, without the file's name.
    """

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"Cannot read the picture {path}: {reason}. Replace the file or take it out of the folder.")
        self.reason = reason


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns whatever goes wrong while the picture at ``path`` is read into :class:`UnreadablePicture`."""
    try:
        if path.exists() and not path.is_file():
            raise OSError("it is not a file")  # a pipe, which might never answer, or a device, which might never end
        if not _is_text(str(path)):
            raise OSError("its name is not UTF-8, and could not stand in a file of landmarks: rename it")
        yield
    except UnreadablePicture:
        raise
    except Exception as error:  # Pillow lets nearly any type through for a damaged file
        raise UnreadablePicture(path, _reason(path, error)) from error


def _is_text(name: str) -> bool:
    """Whether a file's name can be written down; Python holds its other bytes in halves of surrogate pairs."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(path: Path, showing: Showing = DEFAULT) -> Image.Image:
    """A whole picture in RGB, upright.

    The EXIF orientation is applied. Transparent parts show white. Values of more than 8 bits are shown as
    :mod:`lead.images.showing` says.

    Args:
        path: of the file.
        showing: which page and channel, and the contrast where the file states none.

    Raises:
        UnreadablePicture: the file is missing, damaged, truncated, no picture, of several channels of which none was
            chosen, or so large that decoding it could fill the memory (:data:`PIL.Image.MAX_IMAGE_PIXELS` sets the
            limit).
    """
    with reading(path), path.open("rb") as file:
        return held(file, showing).whole()


def upright_size(path: Path) -> Size:
    """(width, height) that :func:`decode` would give, from the file's header alone wherever the format allows it.

    Raises:
        UnreadablePicture: as :func:`decode`, but for damage beyond the header, which it does not see.
    """
    with reading(path), path.open("rb") as file:
        tiff = _tiff(file)
        if tiff is not None and (not tiff.for_pillow or is_large(tiff.size)):
            return tiff.size
        with Image.open(file) as image:
            loaded = _orientation_may_follow(path, image)
            if loaded:
                image.load()
            elif image.format == "TIFF":
                return image.size  # upright already
            # The base's getexif: that of a PNG reads all pixels first.
            sideways = Image.Image.getexif(image).get(ExifTags.Base.Orientation) in SIDEWAYS
            return image.size[::-1] if sideways else image.size


def values_of(path: Path, showing: Showing, most: int) -> Stored | None:
    """Some of the values by which :func:`decode` shows a picture; None of one whose 8 bits are shown as they are.

    At most about ``most``, evenly spread; of a TIFF that is read in parts, they are means of its values.

    Raises:
        UnreadablePicture: as :func:`decode`.
    """
    with reading(path), path.open("rb") as file:
        tiff = _tiff(file)
        if tiff is not None:
            if tiff.is_deep and in_parts(tiff, showing):
                return TiffParts(tiff).overview(showing).thinned(most)
            with ROOM.taken(tiff.size):
                return None if tiff.for_pillow else tiff.stored(showing).thinned(most)
        with Image.open(file) as image, ROOM.taken(image.size):
            stored = _stored(file, image, showing)
            return stored and stored.thinned(most)


def glance(path: Path) -> tuple[bool, bool]:
    """From a picture's header: whether it may need a contrast, stating no range; and whether it has several pages.

    Raises:
        UnreadablePicture: as :func:`decode`, but for damage beyond the header, which it does not see.
    """
    with reading(path), path.open("rb") as file:
        tiff = _tiff(file)
        if tiff is not None:
            return tiff.is_deep and tiff.stated is None, tiff.pages > 1
        with Image.open(file) as image:
            if isinstance(image, DicomPicture):
                return image.is_deep, image.n_frames > 1
            is_stack = image.format in _STACKS and bool(getattr(image, "is_animated", False))
            deep_colours = image.format == "PNG" and has_deep_colours(file)
            return deep_colours or image.mode.startswith("I;16") or image.mode in ("I", "F"), is_stack


def _tiff(file: BinaryIO) -> Tiff | None:
    """What tifffile says of a file that is just opened; None if it is no TIFF, or one that only Pillow understands."""
    head = file.read(4)
    file.seek(0)
    if not is_tiff(head):
        return None
    try:
        return Tiff(file)
    except Exception:  # tifffile raises what it likes for what it does not know; Pillow says what is wrong
        return None
    finally:
        file.seek(0)


def orientation_of(path: Path) -> int:
    """The EXIF orientation that :func:`decode` applies, 1 where it applies none; read as :func:`upright_size` is.

    Raises:
        UnreadablePicture: as :func:`upright_size`.
    """
    with reading(path), path.open("rb") as file:
        tiff = _tiff(file)
        if tiff is not None and not tiff.for_pillow:
            return tiff.orientation
        with Image.open(file) as image:
            if image.format != "TIFF" and _orientation_may_follow(path, image):
                image.load()
            orientation: int = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
            return orientation if orientation in range(1, 9) else 1


def _orientation_may_follow(path: Path, image: Image.Image) -> bool:
    """Whether the orientation can be told only once the pixels are read.

    A PNG may say it after them; a TIFF that also has it in its XMP loses only the other when it is turned.
    """
    if image.format == "TIFF":
        return b"Orientation" in bytes(image.info.get("xmp", b""))
    if image.format != "PNG" or "exif" in image.info:
        return False
    with path.open("rb") as file:
        file.seek(len(b"\x89PNG\r\n\x1a\n"))
        pixels = False
        while len(header := file.read(8)) == 8:
            pixels = pixels or header[4:] == b"IDAT"
            if pixels and header[4:] in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
                return True
            file.seek(int.from_bytes(header[:4], "big") + 4, io.SEEK_CUR)
    return False


def decode_fitted(
    file: bytes | BinaryIO, side: int, *, spare: int = 2, showing: Showing = DEFAULT
) -> tuple[Image.Image, Size]:
    """A picture in RGB, upright and resized, so that its longer side is ``side`` pixels; see :func:`decode`.

    A JPEG much larger than that is decoded at reduced size, which saves most of the time, and a TIFF of very many
    pixels is read in parts. Resizing averages over the source pixels that a new pixel covers (no aliasing)
    and keeps the picture's edges in place.

    Args:
        file: open, at its start; or its bytes.
        side: longer side of the result in pixels.
        spare: a JPEG is decoded to at least so many times ``side``; 1 is quicker, and shows hardly a difference.
        showing: see :func:`decode`.

    Returns:
        The resized picture and the (width, height) of the upright picture before.
    """
    file = io.BytesIO(file) if isinstance(file, bytes) else file
    tiff = _tiff(file)
    if tiff is not None:
        if in_parts(tiff, showing):
            small, covered = TiffParts(tiff).fitted(showing, spare * side)
            width, height = fitted_size(np.array(tiff.size), side).tolist()
            return _resized(small, (width, height), (0, 0, *covered)), tiff.size
        with ROOM.taken(tiff.size):
            picture = held(file, showing, tiff)
            width, height = fitted_size(np.array(picture.size), side).tolist()
            if picture.orientation == 1:
                return _shrunk(picture, (width, height)), picture.size
            return _resized(picture.whole(), (width, height)), picture.size
    with Image.open(file) as image:
        size = image.size
        width, height = fitted_size(np.array(size), side).tolist()
        # A reduced JPEG is rounded up to whole pixels; `box` is the part of it that the picture really covers.
        draft = image.draft(None, (spare * width, spare * height))
        with ROOM.taken(size if image.info.get("progressive") else image.size):
            picture = held_image(file, image, showing)
            if draft is None:
                size = picture.stored_size
                width, height = fitted_size(np.array(size), side).tolist()
            small = _shrunk(picture, (width, height), draft[1] if draft else None)
    return turned(small, picture.orientation), (size[::-1] if picture.orientation in SIDEWAYS else size)


def _shrunk(picture: HeldPicture, size: Size, box: Box | None = None) -> Image.Image:
    """A box of a picture resized, not turned upright; of very many pixels, with no more than a few at a time in RGB."""
    width, height = picture.stored_size
    x, y, right, bottom = box or (0, 0, width, height)
    times = int(min((right - x) / size[0], (bottom - y) / size[1]) / _GAP)
    if width * height < MANY or times <= 1:
        return _resized(picture.as_stored((0, 0, width, height), 1).pixels, size, box)
    reduced = picture.as_stored((0, 0, width, height), times).pixels
    return _resized(reduced, size, (x / times, y / times, right / times, bottom / times))


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """A picture that is decoded already, resized as :func:`decode_fitted` does it."""
    width, height = fitted_size(np.array(picture.size), side).tolist()
    return _resized(picture, (width, height))


def _resized(picture: Image.Image, size: Size, box: Box | None = None) -> Image.Image:
    return picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=_GAP)


def decode_box(
    file: bytes | BinaryIO, side: int, box: Box, *, showing: Showing = DEFAULT
) -> tuple[Image.Image, Size, Box]:
    """A part of a picture in RGB, upright and stretched to ``side`` × ``side`` pixels; see :func:`decode`.

    Resizing averages over the source pixels that a new pixel covers (no aliasing). What the box holds beyond the
    picture is black.

    Args:
        file: open, at its start; or its bytes.
        side: of the result, in pixels.
        box: x, y, width, height; may be fractional and reach beyond the picture. An infinite width or height ends at
            the picture's far edge.
        showing: see :func:`decode`.

    Returns:
        The part, the (width, height) of the upright picture, and the box with finite sides.
    """
    picture = held(io.BytesIO(file) if isinstance(file, bytes) else file, showing).whole()
    x, y, width, height = box
    width = width if math.isfinite(width) else picture.width - x
    height = height if math.isfinite(height) else picture.height - y
    if min(width, height) <= 0:
        raise ValueError(f"its box begins at ({x:g}, {y:g}), beyond its {picture.width} × {picture.height} pixels")
    left, top = math.floor(x), math.floor(y)
    whole = picture.crop((left, top, math.ceil(x + width), math.ceil(y + height)))  # black beyond the picture
    # Sums of fractions may come out a hair too large, which Pillow refuses.
    right, bottom = min(x + width - left, whole.width), min(y + height - top, whole.height)
    part = whole.resize((side, side), Image.Resampling.BILINEAR, box=(x - left, y - top, right, bottom))
    return part, picture.size, (x, y, width, height)


def fitted_size(size: npt.NDArray[np.int64], side: int) -> npt.NDArray[np.int64]:
    """(..., 2) width and height after resizing so that the longer one is ``side``, in whole pixels, at least 1."""
    longer = size.max(axis=-1, keepdims=True)
    fitted: npt.NDArray[np.int64] = np.maximum(np.rint(size * side / longer), 1).astype(np.int64)
    return fitted


def held(file: BinaryIO, showing: Showing = DEFAULT, tiff: Tiff | None = None) -> HeldPicture:
    """A whole picture as its file holds it; see :func:`decode`.

    Args:
        file: open.
        showing: which page and channel, and the contrast where the file states none.
        tiff: of a TIFF, what is known of it already.
    """
    tiff = tiff or _tiff(file)
    if tiff is not None and (tiff.as_values or isinstance(showing.page, str)):
        return _of_values(tiff.stored(showing), showing)
    page = tiff.index(showing.page) if tiff is not None and isinstance(showing.page, int) else 0
    file.seek(0)
    try:
        image = Image.open(file)
    except UnidentifiedImageError:
        if tiff is None:
            raise
        return _of_values(tiff.stored(showing), showing)
    with image:
        if page:
            image.seek(page)
        return held_image(file, image, showing)


def held_image(
    file: BinaryIO, image: Image.Image, showing: Showing, size: Size | None = None, reduction: int = 1
) -> HeldPicture:
    """The page that is asked for; of a TIFF, the one that the picture stands at.

    Args:
        file: from which the picture was opened.
        image: opened, and perhaps not loaded yet.
        showing: see :func:`held`.
        size: of all of it, where it is read ``reduction`` times smaller.
    """
    if (stored := _stored(file, image, showing)) is not None:
        return _of_values(stored, showing, _orientation(image))
    page = _page(image, showing) if image.format != "TIFF" and showing.page != 1 else image
    page.load()
    return HeldPicture(size or page.size, lambda box: _plain(_cropped(page, box)), _orientation(image), reduction)


def _of_values(stored: Stored, showing: Showing, orientation: int = 1) -> HeldPicture:
    stored = stored.settled(showing)
    height, width = stored.values.shape[:2]
    return HeldPicture((width, height), lambda box: stored.part(box).rgb(showing), orientation)


def _cropped(image: Image.Image, box: tuple[int, int, int, int]) -> Image.Image:
    return image if box == (0, 0, *image.size) else image.crop(box)


def _stored(file: BinaryIO, image: Image.Image, showing: Showing) -> Stored | None:
    """The values of a picture that is to be shown by them; None of one whose 8 bits are shown as they are."""
    if isinstance(image, DicomPicture):
        return image.stored(showing)
    if image.format == "PNG" and has_deep_colours(file):
        return _of_deep_png(file)
    if image.mode.startswith("I;16") or image.mode in ("I", "F"):
        stated = (0.0, 65535.0) if _is_scaled(file, image) else None
        return Stored(values_in(image), stated)
    return None


def _is_scaled(file: BinaryIO, image: Image.Image) -> bool:
    """Whether a picture that is not loaded yet states fewer than 16 bits, which Pillow spreads over 16."""
    if image.format == "PPM":
        return image.mode != "F" and getattr(image, "tile", [])[0].codec_name != "raw"
    if image.format != "JPEG2000":
        return False
    file.seek(0)
    _, _, size = file.read(2**20).partition(b"\xff\x4f\xff\x51")  # where the compressed values begin
    return (size[38:39] or b"\x0f")[0] & 0x7F < 15  # the first channel's bits less one; the highest bit is the sign


def _plain(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _page(image: Image.Image, showing: Showing) -> Image.Image:
    """A page other than the first, or all of them as one, of a format that Pillow reads."""
    count = int(getattr(image, "n_frames", 1)) if image.format in _STACKS else 1
    if isinstance(showing.page, int):
        if showing.page > count:
            raise ValueError(f"page {showing.page} was asked for (picture.page), and it has {count}")
        image.seek(showing.page - 1)
        return _plain(image)
    total: npt.NDArray[np.float64] | None = None
    for number in range(count):
        image.seek(number)
        shown = np.asarray(_plain(image), dtype=np.float64)
        if total is not None:
            shown = total + shown if showing.page == "mean" else np.maximum(total, shown)
        total = shown
    assert total is not None
    return Image.fromarray(np.rint(total / count if showing.page == "mean" else total).astype(np.uint8))


def _of_deep_png(file: BinaryIO) -> Stored:
    values = deep_colours(file)
    colours = values[..., 0] if values.shape[2] == 2 else values[..., :3]
    return Stored(colours, opacity=values[..., -1] / 65535.0 if values.shape[2] in (2, 4) else None)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation still to be applied to a *loaded* picture: Pillow turns a TIFF by itself."""
    orientation: int = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation


def _reason(path: Path, error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        told = why_unreadable(path) or why_heif(path)
        return f"it is {told}" if told else "its content is not a picture of a known format"
    if isinstance(error, Image.DecompressionBombError):
        return f"{str(error).rstrip('.')}; a TIFF may have more, and is read in parts"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if str(error).startswith("image file is truncated"):  # Pillow then says how much was left over, not what is gone
        return "it is cut short"
    return str(error).rstrip(".") or type(error).__name__
