"""A picture file to RGB pixels, whatever its mode, depth or orientation."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, UnidentifiedImageError

from lead.errors import LeadError
from lead.images.dicom import DicomPicture

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

Image.register_open(DicomPicture.format, DicomPicture)  # tried like Pillow's own, wherever it opens a picture
with suppress(ModuleNotFoundError):  # an extra
    from pi_heif import register_heif_opener

    register_heif_opener(thumbnails=False)
Image.init()  # else Pillow loads its rarer formats as it meets the first, which is not safe in several threads

# How to turn the stored pixels upright, by the value of the EXIF orientation tag; any other value means upright.
_UPRIGHT = {
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
    except Exception as error:  # Pillow lets nearly any type through for a damaged file
        raise UnreadablePicture(path, _reason(error)) from error


def _is_text(name: str) -> bool:
    """Whether a file's name can be written down; Python holds its other bytes in halves of surrogate pairs."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def decode(path: Path) -> Image.Image:
    """A whole picture in RGB, upright.

    The EXIF orientation is applied. Transparent parts show white. 16-bit grey is scaled by the full range of its
    type; 32-bit integers and floats, which state no range, by the least and greatest finite value of the picture.
    Of a file with several pages the first is read. DICOM is shown as :class:`~lead.images.dicom.DicomPicture` says.

    Raises:
        UnreadablePicture: the file is missing, damaged, truncated, no picture, or so large that decoding it could
            fill the memory (:data:`PIL.Image.MAX_IMAGE_PIXELS` sets the limit).
    """
    with reading(path), Image.open(path) as image:
        rgb = _to_rgb(image)
        return _turned(rgb, _orientation(image))


def upright_size(path: Path) -> Size:
    """(width, height) that :func:`decode` would give, from the file's header alone wherever the format allows it.

    Raises:
        UnreadablePicture: as :func:`decode`, but for damage beyond the header, which it does not see.
    """
    with reading(path), Image.open(path) as image:
        loaded = _orientation_may_follow(path, image)
        if loaded:
            image.load()
        elif image.format == "TIFF":
            return image.size  # upright already
        # The base's getexif: that of a PNG reads all pixels first.
        sideways = Image.Image.getexif(image).get(ExifTags.Base.Orientation) in SIDEWAYS
        return image.size[::-1] if sideways else image.size


def orientation_of(path: Path) -> int:
    """The EXIF orientation that :func:`decode` applies, 1 where it applies none; read as :func:`upright_size` is.

    Raises:
        UnreadablePicture: as :func:`upright_size`.
    """
    with reading(path), Image.open(path) as image:
        if image.format != "TIFF" and _orientation_may_follow(path, image):
            image.load()
        orientation: int = Image.Image.getexif(image).get(ExifTags.Base.Orientation, 1)
        return orientation if orientation in _UPRIGHT else 1


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


def decode_fitted(data: bytes, side: int, *, spare: int = 2) -> tuple[Image.Image, Size]:
    """A picture in RGB, upright and resized, so that its longer side is ``side`` pixels; see :func:`decode`.

    A JPEG much larger than that is decoded at reduced size, which saves most of the time. Resizing averages over
    the source pixels that a new pixel covers (no aliasing) and keeps the picture's edges in place.

    Args:
        data: the file's bytes.
        side: longer side of the result in pixels.
        spare: a JPEG is decoded to at least so many times ``side``; 1 is quicker, and shows hardly a difference.

    Returns:
        The resized picture and the (width, height) of the upright picture before.
    """
    with Image.open(io.BytesIO(data)) as image:
        size = image.size
        width, height = fitted_size(np.array(size), side).tolist()
        # A reduced JPEG is rounded up to whole pixels; `box` is the part of it that the picture really covers.
        draft = image.draft(None, (spare * width, spare * height))
        rgb = _to_rgb(image)
        orientation = _orientation(image)
    if draft is None:
        size = rgb.size
        width, height = fitted_size(np.array(size), side).tolist()
    small = _resized(rgb, (width, height), draft[1] if draft else None)
    return _turned(small, orientation), (size[::-1] if orientation in SIDEWAYS else size)


def fitted(picture: Image.Image, side: int) -> Image.Image:
    """A picture that is decoded already, resized as :func:`decode_fitted` does it."""
    width, height = fitted_size(np.array(picture.size), side).tolist()
    return _resized(picture, (width, height))


def _resized(picture: Image.Image, size: Size, box: Box | None = None) -> Image.Image:
    return picture.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)


def decode_box(data: bytes, side: int, box: Box) -> tuple[Image.Image, Size, Box]:
    """A part of a picture in RGB, upright and stretched to ``side`` × ``side`` pixels; see :func:`decode`.

    Resizing averages over the source pixels that a new pixel covers (no aliasing). What the box holds beyond the
    picture is black.

    Args:
        data: the file's bytes.
        side: of the result, in pixels.
        box: x, y, width, height; may be fractional and reach beyond the picture. An infinite width or height ends at
            the picture's far edge.

    Returns:
        The part, the (width, height) of the upright picture, and the box with finite sides.
    """
    with Image.open(io.BytesIO(data)) as image:
        rgb = _to_rgb(image)
        picture = _turned(rgb, _orientation(image))
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


def _to_rgb(image: Image.Image) -> Image.Image:
    image.load()
    if image.mode.startswith("I;16"):
        full = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((full + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.mode in ("I", "F"):
        return Image.fromarray(_stretched(np.asarray(image, dtype=np.float64))).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _stretched(grey: npt.NDArray[np.float64]) -> npt.NDArray[np.uint8]:
    """Grey values with no stated range to 0..255; what is not finite, and a constant picture, to 0."""
    finite = np.isfinite(grey)
    low, high = (grey[finite].min(), grey[finite].max()) if finite.any() else (0.0, 0.0)
    unit = (np.where(finite, grey, low) - low) / ((high - low) or 1.0)
    scaled: npt.NDArray[np.uint8] = np.rint(unit * 255).astype(np.uint8)
    return scaled


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation still to be applied to a *loaded* picture: Pillow turns a TIFF by itself."""
    orientation: int = image.getexif().get(ExifTags.Base.Orientation, 1)
    return orientation


def _turned(image: Image.Image, orientation: int) -> Image.Image:
    return image.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else image


def _reason(error: Exception) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "its content is not a picture of a known format"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).rstrip(".") or type(error).__name__
