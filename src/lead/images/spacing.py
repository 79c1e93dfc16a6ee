"""How large a pixel is, as a picture's own file says: DICOM's pixel spacing, OME, ImageJ, and tags of resolution.

Tags of resolution mean the size on paper in most files: cameras and programs write 72 or 300 dots an inch whatever they
show. They are believed where nothing speaks against it: not those that programs write who know of none, and not those
of a photograph, whose scale no camera knows.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from defusedxml import ElementTree
from PIL import ExifTags, Image
from tifffile import TiffFile

from lead.images.decode import orientation_of, reading
from lead.images.dicom import DicomPicture
from lead.images.parts import SIDEWAYS
from lead.images.tiff import is_tiff

if TYPE_CHECKING:  # an extra
    from pydicom import Dataset

_MM = {
    "nm": 1e-6,
    "um": 1e-3,
    "µm": 1e-3,  # micro sign
    "μm": 1e-3,  # Greek mu
    "\\u00b5m": 1e-3,  # as ImageJ writes it
    "micron": 1e-3,
    "microns": 1e-3,
    "micrometer": 1e-3,
    "mm": 1.0,
    "cm": 10.0,
    "m": 1000.0,
    "inch": 25.4,
    "in": 25.4,
}
"""Units of length as microscopes' programs write them, in lower case, in millimetres."""
_TIFF_UNITS = {2: 25.4, 3: 10.0}
"""Millimetres in the unit of TIFF's resolution; in the unit 1 it is none."""
_UNKNOWN_DPI = (1.0, 72.0, 96.0)
"""Dots an inch that programs write who know of none."""
_DPI_DIFFERS = 0.1
"""By how many dots an inch a rounded number of them may differ."""


class Spacing(NamedTuple):
    """Millimetres a pixel along the width and the height of the upright picture, what says so, and whether it is sure.

    A resolution is not: it is right of a scanner, and other programs write 300 dots an inch of anything.
    """

    x: float
    y: float
    source: str
    is_sure: bool = True


class NoSpacing(NamedTuple):
    """Why it is not known how large the pixels are: what the file lacks, or why what it says is not believed."""

    reason: str


def spacing_of(path: Path) -> Spacing | NoSpacing:
    """How large a pixel of a picture is, from its header alone.

    Raises:
        UnreadablePicture: the file is missing, damaged or no picture.
        LeadError: pydicom, which it needs, is not installed.
    """
    with reading(path), path.open("rb") as file:
        is_a_tiff = is_tiff(file.read(4))
        file.seek(0)
        found: Spacing | NoSpacing | None = None
        if is_a_tiff:
            with TiffFile(file, _multifile=False) as tif:
                found = _of_microscope(tif)
                resolution = _tiff_resolution(tif)
        else:
            with Image.open(file) as image:
                if isinstance(image, DicomPicture):
                    return _of_dicom(image.header())
                dpi = image.info.get("dpi")
                resolution = (25.4 / float(dpi[0]), 25.4 / float(dpi[1])) if dpi and min(dpi) > 0 else None
    if found is None:
        found = _believed(path, resolution)
    if isinstance(found, Spacing) and orientation_of(path) in SIDEWAYS:
        return found._replace(x=found.y, y=found.x)
    return found


def _believed(path: Path, resolution: tuple[float, float] | None) -> Spacing | NoSpacing:
    if resolution is None:
        return NoSpacing("its file states none")
    dpi = 25.4 / resolution[0]
    if any(abs(dpi - unknown) < _DPI_DIFFERS for unknown in _UNKNOWN_DPI):
        return NoSpacing(f"its file states {dpi:.3g} dots an inch, which programs write who know of no scale")
    with Image.open(path) as image:
        exposed = ExifTags.Base.ExposureTime in Image.Image.getexif(image).get_ifd(ExifTags.IFD.Exif)
    if exposed:
        return NoSpacing(f"it is a photograph, whose {dpi:.4g} dots an inch are of a print and not of what it shows")
    return Spacing(*resolution, f"resolution of {dpi:.4g} dots an inch in its file", is_sure=False)


def _of_microscope(tif: TiffFile) -> Spacing | NoSpacing | None:
    """What OME's or ImageJ's description says; None where there is none of them, or no size in it."""
    if tif.ome_metadata:
        return _of_ome(tif.ome_metadata)
    said = tif.imagej_metadata
    resolution = _ratios(tif)
    if not said or not resolution:
        return None
    unit = str(said.get("unit", "")).strip()
    if unit.lower() in ("", "pixel", "pixels", "inch"):  # as it opens a picture whose resolution is in dots an inch
        return None
    size = _MM.get(unit.lower())
    if size is None:
        return NoSpacing(f"its pixels are in {unit!r}, which is not a length")
    return Spacing(size / resolution[0], size / resolution[1], "scale that ImageJ wrote")


def _of_ome(text: str) -> Spacing | None:
    for element in ElementTree.fromstring(text).iter():
        if element.tag.rpartition("}")[2] != "Pixels":
            continue
        sides = []
        for axis in "XY":
            unit = str(element.get(f"PhysicalSize{axis}Unit", "µm")).lower()
            size = float(element.get(f"PhysicalSize{axis}", "nan")) * _MM.get(unit, math.nan)
            sides.append(size)
        if all(math.isfinite(side) and side > 0 for side in sides):
            return Spacing(sides[0], sides[1], "OME's PhysicalSizeX and Y")
    return None


def _ratios(tif: TiffFile) -> tuple[float, float] | None:
    """Pixels a unit along width and height."""
    tags = [tif.pages.first.tags.get(name) for name in ("XResolution", "YResolution")]
    values = [tag.value[0] / tag.value[1] if tag and tag.value[1] else 0.0 for tag in tags]
    return (values[0], values[1]) if min(values) > 0 else None


def _tiff_resolution(tif: TiffFile) -> tuple[float, float] | None:
    """Millimetres a pixel along width and height, as the tags say."""
    ratios = _ratios(tif)
    tag = tif.pages.first.tags.get("ResolutionUnit")
    unit = _TIFF_UNITS.get(int(tag.value) if tag else 2)
    return (unit / ratios[0], unit / ratios[1]) if ratios and unit else None


def _of_dicom(header: Dataset) -> Spacing | NoSpacing:
    """The spacing of the first frame. DICOM has that of rows, which is the height of a pixel, first."""
    measures = [
        measure
        for groups in ("SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence")
        for group in (header.get(groups) or [])[:1]
        for measure in (group.get("PixelMeasuresSequence") or [])[:1]
    ]
    for said in (header, *measures):
        if sides := said.get("PixelSpacing"):
            return _dicom_sides(sides, "PixelSpacing", 1.0)
    if sides := header.get("ImagerPixelSpacing"):
        larger = float(header.get("EstimatedRadiographicMagnificationFactor") or 1.0)
        where = "at the detector" if larger == 1.0 else f"over the magnification of {larger:g}"
        return _dicom_sides(sides, f"ImagerPixelSpacing, {where}", larger)
    if sides := header.get("NominalScannedPixelSpacing"):
        return _dicom_sides(sides, "NominalScannedPixelSpacing", 1.0)
    return NoSpacing("its DICOM file states no pixel spacing")


def _dicom_sides(sides: Any, source: str, larger: float) -> Spacing | NoSpacing:
    height, width = (float(side) for side in sides)
    if not (min(height, width) > 0 and larger > 0):
        return NoSpacing(f"its {source} is {height:g}, {width:g}")
    return Spacing(width / larger, height / larger, f"DICOM's {source}")
