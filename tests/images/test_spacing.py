"""How large a pixel is, as files say that other libraries wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from pydicom import Dataset
from pydicom.sequence import Sequence
from test_dicom import made, saved
from tifffile import imwrite

from lead.images.decode import UnreadablePicture
from lead.images.spacing import NoSpacing, Spacing, spacing_of

PIXELS = np.zeros((4, 6), dtype=np.uint8)


def found(path: Path) -> Spacing:
    spacing = spacing_of(path)
    assert isinstance(spacing, Spacing), spacing
    return spacing


def reason(path: Path) -> str:
    spacing = spacing_of(path)
    assert isinstance(spacing, NoSpacing), spacing
    return spacing.reason


def dicom(path: Path, **tags: Any) -> Path:
    return saved(made(PIXELS, **tags), path / "a.dcm")


def test_dicom_has_the_height_of_a_pixel_first(tmp_path: Path) -> None:
    assert found(dicom(tmp_path, PixelSpacing=[0.3, 0.2]))[:2] == (0.2, 0.3)
    assert found(dicom(tmp_path, PixelSpacing=[0.3, 0.2])).is_sure


def test_dicom_of_many_frames_has_it_in_a_group(tmp_path: Path) -> None:
    measures, group = Dataset(), Dataset()
    measures.PixelSpacing = [0.3, 0.2]
    group.PixelMeasuresSequence = Sequence([measures])
    assert found(dicom(tmp_path, SharedFunctionalGroupsSequence=Sequence([group])))[:2] == (0.2, 0.3)


def test_a_projection_is_larger_on_the_detector(tmp_path: Path) -> None:
    there = found(dicom(tmp_path, ImagerPixelSpacing=[0.3, 0.2]))
    assert (*there[:2], "at the detector" in there.source) == (0.2, 0.3, True)
    tags = {"ImagerPixelSpacing": [0.3, 0.2], "EstimatedRadiographicMagnificationFactor": 2}
    assert found(dicom(tmp_path, **tags))[:2] == (0.1, 0.15)
    assert found(dicom(tmp_path, **tags, PixelSpacing=[1, 2]))[:2] == (2, 1), "what was calibrated counts first"


def test_dicom_that_does_not_say(tmp_path: Path) -> None:
    assert "no pixel spacing" in reason(dicom(tmp_path))
    assert "0, 0.2" in reason(dicom(tmp_path, PixelSpacing=[0, 0.2]))


def test_ome_in_any_unit(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 500, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.6, "PhysicalSizeYUnit": "µm"}
    imwrite(tmp_path / "a.ome.tif", PIXELS, metadata={"axes": "YX", **sizes})
    np.testing.assert_allclose(found(tmp_path / "a.ome.tif")[:2], (0.0005, 0.0006))


@pytest.mark.parametrize(("unit", "size"), [("um", 1e-3), ("micron", 1e-3), ("\\u00B5m", 1e-3), ("cm", 10)])
def test_imagej_in_any_unit(unit: str, size: float, tmp_path: Path) -> None:
    imwrite(tmp_path / "a.tif", PIXELS, imagej=True, resolution=(10, 20), metadata={"unit": unit})
    np.testing.assert_allclose(found(tmp_path / "a.tif")[:2], (size / 10, size / 20))


def test_imagej_without_a_length(tmp_path: Path) -> None:
    imwrite(tmp_path / "a.tif", PIXELS, imagej=True, resolution=(10, 20), metadata={"unit": "sec"})
    assert "'sec'" in reason(tmp_path / "a.tif")
    imwrite(tmp_path / "b.tif", PIXELS, imagej=True, resolution=(1, 1), metadata={"unit": "pixel"})
    assert "states none" in reason(tmp_path / "b.tif")


def test_resolution_of_a_scanner(tmp_path: Path) -> None:
    imwrite(tmp_path / "a.tif", PIXELS, resolution=(1200, 600), resolutionunit="INCH")
    np.testing.assert_allclose(found(tmp_path / "a.tif")[:2], (25.4 / 1200, 25.4 / 600))
    imwrite(tmp_path / "b.tif", PIXELS, resolution=(200, 200), resolutionunit="CENTIMETER")
    np.testing.assert_allclose(found(tmp_path / "b.tif")[:2], (0.05, 0.05))
    assert not found(tmp_path / "b.tif").is_sure, "many programs write it who know of none"
    for ending in ("png", "jpg"):
        Image.fromarray(PIXELS).save(tmp_path / f"c.{ending}", dpi=(600, 600))
        np.testing.assert_allclose(found(tmp_path / f"c.{ending}")[:2], 25.4 / 600, rtol=1e-4)


def test_the_sides_of_a_picture_that_is_turned_change_places(tmp_path: Path) -> None:
    turned = [(274, "H", 1, 6, False)]
    imwrite(tmp_path / "a.tif", PIXELS, resolution=(1200, 600), resolutionunit="INCH", extratags=turned)
    np.testing.assert_allclose(found(tmp_path / "a.tif")[:2], (25.4 / 600, 25.4 / 1200))


@pytest.mark.parametrize("dpi", [72, 96])
def test_what_programs_write_who_know_of_none(dpi: int, tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png", dpi=(dpi, dpi))
    assert f"states {dpi} dots an inch" in reason(tmp_path / "a.png")


def test_no_camera_knows_what_it_shows(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExposureTime] = 0.01
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg", dpi=(300, 300), exif=exif)
    assert "is a photograph" in reason(tmp_path / "a.jpg")


def test_files_that_state_nothing_or_are_none(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    assert "states none" in reason(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(UnreadablePicture):
        spacing_of(tmp_path / "b.png")
