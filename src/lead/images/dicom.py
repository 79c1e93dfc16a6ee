"""DICOM among Pillow's formats, so that medical pictures are read wherever pictures are."""

from __future__ import annotations

from collections.abc import MutableSequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from lead.errors import needs_extra
from lead.images.showing import DEFAULT, Page, Range, Showing, Stored

if TYPE_CHECKING:  # an extra
    from pydicom import Dataset

_PREAMBLE, _MAGIC = 128, b"DICM"
_INVERTED = "MONOCHROME1"
_COMPRESSED = "its pixels are compressed ({}), which needs a further package: pip install 'pylibjpeg[all]'"

Values = npt.NDArray[Any]


class DicomPicture(ImageFile.ImageFile):
    """A DICOM file as it is meant to be shown, in RGB; of several frames the first.

    Grey values go through the file's modality transformation and its first window or VOI table. Without one, values of
    up to 8 bits stored are shown over the range of these bits; of more, as :class:`~lead.images.showing.Showing` says.
    ``MONOCHROME1`` is inverted; palettes and YBR become RGB. What is drawn over a picture (overlays) is left out.

    Raises:
        LeadError: pydicom is not installed.
        ValueError: the file holds no picture, or is compressed in a way that no installed package can undo.
    """

    format = "DICOM"
    format_description = "DICOM"

    def _open(self) -> None:
        assert self.fp is not None
        if self.fp.read(_PREAMBLE + len(_MAGIC))[_PREAMBLE:] != _MAGIC:
            raise SyntaxError("not a DICOM file")  # Pillow then asks the next format
        tags = ["Rows", "Columns", "NumberOfFrames", "BitsStored", "SamplesPerPixel", "PixelRepresentation"]
        self._header = self._read(stop_before_pixels=True, specific_tags=tags)
        if not ("Rows" in self._header and "Columns" in self._header):
            raise ValueError("it is a DICOM file without a picture")
        self._mode, self._size = "RGB", (int(self._header.Columns), int(self._header.Rows))

    @property
    def n_frames(self) -> int:
        """How many there are."""
        return int(self._header.get("NumberOfFrames") or 1)

    @property
    def is_deep(self) -> bool:
        """Whether its grey values are more than 8 bits, or signed."""
        header = self._header
        is_wide = header.get("BitsStored", 8) > 8 or header.get("PixelRepresentation", 0) == 1
        return bool(is_wide and header.get("SamplesPerPixel", 1) == 1)

    def header(self) -> Dataset:
        """All that the file says but its pixels."""
        return self._read(stop_before_pixels=True)

    def load(self) -> Any:
        if self._im is None:
            shown = self.stored(DEFAULT).rgb()
            self.load_prepare()
            self.frombytes(shown.tobytes())
        return Image.Image.load(self)

    def stored(self, showing: Showing) -> Stored:
        """The values of the frame that is asked for."""
        return _stored(self._read(), showing.page, self.n_frames)

    def _read(self, **which: Any) -> Dataset:
        try:
            from pydicom import dcmread
        except ModuleNotFoundError:
            raise needs_extra("DICOM pictures", "dicom") from None
        assert self.fp is not None
        self.fp.seek(0)
        return dcmread(self.fp, **which)


def _stored(file: Dataset, page: Page, frames: int) -> Stored:
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut

    syntax = file.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise ValueError(_COMPRESSED.format(syntax.name))
    if isinstance(page, int) and page > frames:
        raise ValueError(f"page {page} was asked for (picture.page), and it has {frames}")
    numbers = [page - 1] if isinstance(page, int) else range(frames)
    if file.PhotometricInterpretation == "PALETTE COLOR":
        shown = [apply_color_lut(_frame(file, number), file) for number in numbers]
        return Stored(_together(shown, page), (0.0, float(np.iinfo(shown[0].dtype).max)))
    if int(file.get("SamplesPerPixel", 1)) > 1:
        colours = [_frame(file, number) for number in numbers]
        return Stored(_together(colours, page), (0.0, 2.0**file.BitsStored - 1))
    return _grey(file, numbers, page)


def _frame(file: Dataset, number: int) -> Values:
    """(H, W) or (H, W, 3) numbers as they are kept."""
    from pydicom.pixels.utils import pixel_array

    try:
        found: Values = pixel_array(file, index=number)
        return found
    except (RuntimeError, NotImplementedError, ValueError) as error:
        syntax = file.file_meta.TransferSyntaxUID
        if syntax.is_compressed and "JPEG" in syntax.name and file.BitsStored > 8:  # which Pillow may not undo
            what = f"{syntax.name} of {file.BitsStored} bits"
            raise ValueError(_COMPRESSED.format(what)) from error
        raise


def _together(frames: list[Values], page: Page) -> Values:
    if isinstance(page, int):
        return frames[0]
    together: Values = np.max(frames, axis=0) if page == "max" else np.mean(frames, axis=0)
    return together


def _grey(file: Dataset, numbers: Any, page: Page) -> Stored:
    """Frames as one, as they are meant to be shown."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    kept, values, shown = [], [], []
    for number in numbers:
        explained = _of_frame(file, number)
        kept.append(_frame(file, number))
        values.append(apply_modality_lut(kept[-1], explained))
        shown.append(apply_voi_lut(values[-1], explained, index=0))
    inverted = file.PhotometricInterpretation == _INVERTED
    stated = _range(explained, kept[0], values[0])
    if stated is None:
        shown = [_without_padding(file, *both) for both in zip(kept, shown, strict=True)]
    return Stored(_together(shown, page), stated, inverted)


def _without_padding(file: Dataset, kept: Values, shown: Values) -> Values:
    """No number where nothing was recorded, which is far from all others and would darken or brighten them."""
    padding = file.get("PixelPaddingValue")
    if padding is None or kept.dtype.kind not in "iu":
        return shown
    ends = np.array([padding, file.get("PixelPaddingRangeLimit", padding)]).astype(kept.dtype)  # at times unsigned
    return np.where((kept >= ends.min()) & (kept <= ends.max()), np.nan, shown)


def _range(file: Dataset, kept: Values, values: Values) -> Range | None:
    """What is black and white, as the file says; None if it does not."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    if table := file.get("VOILUTSequence"):
        return 0.0, float(2 ** table[0].LUTDescriptor[2] - 1)
    if "WindowCenter" in file and "WindowWidth" in file and file.WindowWidth is not None:
        with np.errstate(over="ignore"):  # what the darkest and the brightest would become, be they there or not
            low, high = apply_voi_lut(np.array([-1e9, 1e9]), file, index=0).tolist()
        return low, high
    if file.BitsStored > 8 or kept.dtype.kind == "i":
        return None
    ends = np.array([0, 2**file.BitsStored - 1], dtype=kept.dtype)
    low, high = sorted((ends if values is kept else apply_modality_lut(ends, file)).tolist())
    return float(low), float(high)


def _of_frame(file: Dataset, number: int) -> Dataset:
    """The file, with what an enhanced one says of a frame's greys where others say it of the whole file."""
    for groups, at in (("SharedFunctionalGroupsSequence", 0), ("PerFrameFunctionalGroupsSequence", number)):
        for group in (file.get(groups) or [])[at : at + 1]:
            for kind in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                for said in (group.get(kind) or [])[:1]:
                    file.update(said)
    widths = file.get("WindowWidth")
    first = widths[0] if isinstance(widths, MutableSequence) and widths else widths
    if first is not None and not first > 0:  # as some devices write it who mean none
        del file.WindowWidth
    return file
