"""DICOM among Pillow's formats, so that medical pictures are read wherever pictures are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFile

from lead.errors import needs_extra

if TYPE_CHECKING:  # an extra
    from pydicom import Dataset

_PREAMBLE, _MAGIC = 128, b"DICM"
_INVERTED = "MONOCHROME1"
_COMPRESSED = "its pixels are compressed ({}), which needs a further package: pip install 'pylibjpeg[all]'"


class DicomPicture(ImageFile.ImageFile):
    """A DICOM file as it is meant to be shown, in RGB; of several frames the first.

    Grey values go through the file's modality transformation and its first window or VOI table. Without one, 8-bit
    values are shown as they are, and others are scaled by the least and greatest of the picture. ``MONOCHROME1`` is
    inverted; palettes and YBR become RGB. What is drawn over a picture (overlays) is left out.

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
        header = self._read(stop_before_pixels=True, specific_tags=["Rows", "Columns"])
        if not ("Rows" in header and "Columns" in header):
            raise ValueError("it is a DICOM file without a picture")
        self._mode, self._size = "RGB", (int(header.Columns), int(header.Rows))

    def load(self) -> Any:
        if self._im is None:
            shown = _rgb(self._read())
            self.load_prepare()
            self.frombytes(shown.tobytes())
        return Image.Image.load(self)

    def _read(self, **which: Any) -> Dataset:
        try:
            from pydicom import dcmread
        except ModuleNotFoundError:
            raise needs_extra("DICOM pictures", "dicom") from None
        assert self.fp is not None
        self.fp.seek(0)
        return dcmread(self.fp, **which)


def _rgb(file: Dataset) -> npt.NDArray[np.uint8]:
    """(H, W, 3) what the first frame is meant to look like."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.pixels.processing import apply_color_lut
    from pydicom.pixels.utils import pixel_array

    syntax = file.file_meta.TransferSyntaxUID
    if syntax.is_compressed and not get_decoder(syntax).is_available:
        raise ValueError(_COMPRESSED.format(syntax.name))
    stored = pixel_array(file, index=0)
    if file.PhotometricInterpretation == "PALETTE COLOR":
        colour = apply_color_lut(stored, file)
        return _eight_bits(colour, np.iinfo(colour.dtype).bits)
    if stored.ndim == 3:
        return _eight_bits(stored, file.BitsStored)
    return np.repeat(_grey(stored, _of_first_frame(file))[..., None], 3, axis=-1)


def _eight_bits(colour: npt.NDArray[Any], bits: int) -> npt.NDArray[np.uint8]:
    """Values that range over all of ``bits`` bits, in 0..255."""
    shown: npt.NDArray[np.uint8] = np.rint(colour * (255 / (2**bits - 1))).astype(np.uint8)
    return shown


def _grey(stored: npt.NDArray[Any], file: Dataset) -> npt.NDArray[np.uint8]:
    """(H, W) stored values as they are meant to be shown, black 0 and white 255."""
    from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut

    values = apply_modality_lut(stored, file)
    shown = apply_voi_lut(values, file, index=0)
    if table := file.get("VOILUTSequence"):
        low, high = 0.0, float(2 ** table[0].LUTDescriptor[2] - 1)
    elif "WindowCenter" in file and "WindowWidth" in file and file.WindowWidth is not None:
        with np.errstate(over="ignore"):  # what the darkest and the brightest would become, be they there or not
            low, high = apply_voi_lut(np.array([-1e9, 1e9]), file, index=0).tolist()
    elif values is stored and stored.dtype == np.uint8:
        low, high = 0.0, 255.0
    else:
        low, high = float(shown.min()), float(shown.max())
    unit = (shown - low) / ((high - low) or 1.0)
    light: npt.NDArray[np.float64] = 1 - unit if file.PhotometricInterpretation == _INVERTED else unit
    return np.rint(255 * light).astype(np.uint8)


def _of_first_frame(file: Dataset) -> Dataset:
    """The file, with what an enhanced one says of its first frame's greys where others say it of the whole file."""
    for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence"):
        for group in (file.get(groups) or [])[:1]:
            for kind in ("PixelValueTransformationSequence", "FrameVOILUTSequence"):
                for said in (group.get(kind) or [])[:1]:
                    file.update(said)
    return file
