"""DICOM files that pydicom writes, as the pictures that they are meant to be."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from pydicom import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLSLossless,
    RLELossless,
    generate_uid,
)

from lead.images.build import open_store
from lead.images.decode import UnreadablePicture, decode, decode_box, decode_fitted, upright_size
from lead.images.find import find_images
from lead.images.showing import DEFAULT, Page, Showing
from lead.images.survey import survey
from lead.studio.folder import PictureFolder
from lead.studio.pictures import ShownPictures

Pixels = npt.NDArray[Any]


def made(pixels: Pixels, photometric: str = "MONOCHROME2", **tags: Any) -> Dataset:
    """A file of one picture (H, W), or of colours (H, W, 3); 8 or 16 bits, signed if the pixels are."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = CTImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid()
    file.Rows, file.Columns = pixels.shape[:2]
    file.SamplesPerPixel = 3 if pixels.ndim == 3 else 1
    if pixels.ndim == 3:
        file.PlanarConfiguration = 0
    file.BitsAllocated = file.BitsStored = 8 * pixels.itemsize
    file.HighBit = file.BitsStored - 1
    file.PixelRepresentation = int(pixels.dtype.kind == "i")
    file.PhotometricInterpretation = photometric
    file.PixelData = pixels.tobytes()
    for name, value in tags.items():
        setattr(file, name, value)
    return file


def saved(file: Dataset, path: Path) -> Path:
    file.save_as(path, enforce_file_format=True)
    return path


def grey(path: Path) -> list[int]:
    """The first row, which must be grey."""
    picture = decode(path)
    assert picture.mode == "RGB"
    pixels = np.asarray(picture)
    assert (pixels == pixels[..., :1]).all()
    return [int(value) for value in pixels[0, :, 0]]


def test_a_window_is_between_black_and_white_in_units_of_the_modality(tmp_path: Path) -> None:
    """A CT's lung window: 1500 wide around -600, of numbers that are stored from 0 on."""
    hounsfield = np.array([[-2000, -1350, -975, -600, -225, 149, 500]])
    tags: dict[str, Any] = {"RescaleSlope": 1, "RescaleIntercept": -2048, "WindowCenter": -600, "WindowWidth": 1500}
    path = saved(made((hounsfield + 2048).astype(np.uint16), BitsStored=12, HighBit=11, **tags), tmp_path / "a.dcm")
    assert grey(path) == [0, 0, 64, 128, 191, 255, 255]
    # Neither end of the window is in this one: it must not be stretched.
    path = saved(made(np.array([[1073, 1448]], dtype=np.uint16), BitsStored=12, HighBit=11, **tags), tmp_path / "b.dcm")
    assert grey(path) == [64, 128]


def test_the_first_of_several_windows_is_taken(tmp_path: Path) -> None:
    pixels = np.array([[0, 100, 200]], dtype=np.int16)
    path = saved(made(pixels, WindowCenter=[100.5, 9000], WindowWidth=[201, 2]), tmp_path / "a.dcm")
    assert grey(path) == [0, 128, 255]


def test_a_table_says_how_values_are_shown(tmp_path: Path) -> None:
    table = Dataset()
    table.LUTDescriptor = [4, 10, 8]  # entries, the first value that is mapped, bits of an entry
    table.LUTData = [200, 100, 50, 0]
    file = made(np.array([[10, 11, 12, 13, 90]], dtype=np.uint16), VOILUTSequence=[table])
    file.VOILUTSequence[0]["LUTData"].VR = "US"
    assert grey(saved(file, tmp_path / "a.dcm")) == [200, 100, 50, 0, 0]


def test_monochrome1_is_white_where_it_is_least(tmp_path: Path) -> None:
    pixels = np.array([[0, 10, 255]], dtype=np.uint8)
    assert grey(saved(made(pixels, "MONOCHROME1"), tmp_path / "a.dcm")) == [255, 245, 0]
    windowed = made(pixels.astype(np.uint16), "MONOCHROME1", WindowCenter=128, WindowWidth=256)
    assert grey(saved(windowed, tmp_path / "b.dcm")) == [255, 245, 0]


def test_without_a_window_8_bits_are_as_they_are_and_more_are_stretched(tmp_path: Path) -> None:
    assert grey(saved(made(np.array([[20, 40, 90]], dtype=np.uint8)), tmp_path / "a.dcm")) == [20, 40, 90]
    assert grey(saved(made(np.array([[-20, 40, 100]], dtype=np.int16)), tmp_path / "b.dcm")) == [0, 128, 255]
    assert grey(saved(made(np.full((2, 2), 7, dtype=np.int16)), tmp_path / "c.dcm")) == [0, 0]
    empty = made(np.array([[-20, 40, 100]], dtype=np.int16), WindowCenter=None, WindowWidth=None)
    assert grey(saved(empty, tmp_path / "d.dcm")) == [0, 128, 255]


def test_colours_of_every_kind(tmp_path: Path) -> None:
    colours = np.array([[[255, 0, 0], [10, 200, 30], [1, 2, 3]]], dtype=np.uint8)
    np.testing.assert_array_equal(np.asarray(decode(saved(made(colours, "RGB"), tmp_path / "rgb.dcm"))), colours)
    deep = made(colours.astype(np.uint16) * 257, "RGB")
    np.testing.assert_array_equal(np.asarray(decode(saved(deep, tmp_path / "deep.dcm"))), colours)
    ybr = np.asarray(Image.fromarray(colours).convert("YCbCr"))
    found = np.asarray(decode(saved(made(ybr, "YBR_FULL"), tmp_path / "ybr.dcm")))
    assert np.abs(found.astype(int) - colours).max() <= 2
    palette = made(np.array([[0, 1, 2]], dtype=np.uint8), "PALETTE COLOR")
    for channel, name in enumerate(("Red", "Green", "Blue")):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [3, 0, 16])
        entries = colours[0, :, channel].astype(np.uint16) * 257
        setattr(palette, f"{name}PaletteColorLookupTableData", entries.tobytes())
    np.testing.assert_array_equal(np.asarray(decode(saved(palette, tmp_path / "palette.dcm"))), colours)


def test_the_first_of_several_frames(tmp_path: Path) -> None:
    frames = np.array([[[10, 20]], [[30, 40]]], dtype=np.uint8)
    file = made(frames[0], NumberOfFrames=2, PixelData=frames.tobytes())
    assert grey(saved(file, tmp_path / "a.dcm")) == [10, 20]


def test_an_enhanced_file_windows_its_first_frame(tmp_path: Path) -> None:
    def frame(centre: float) -> Dataset:
        window, group = Dataset(), Dataset()
        window.WindowCenter, window.WindowWidth = centre, 201
        group.FrameVOILUTSequence = [window]
        return group

    scale, shared = Dataset(), Dataset()
    scale.RescaleSlope, scale.RescaleIntercept, scale.RescaleType = 2, -100, "US"
    shared.PixelValueTransformationSequence = [scale]
    frames = np.array([[[50, 100, 150]], [[0, 0, 0]]], dtype=np.int16)  # 0, 100, 200
    file = made(frames[0], NumberOfFrames=2, PixelData=frames.tobytes())
    file.SharedFunctionalGroupsSequence = [shared]
    file.PerFrameFunctionalGroupsSequence = [frame(100.5), frame(9000)]
    assert grey(saved(file, tmp_path / "a.dcm")) == [0, 128, 255]


def test_compressed_pixels(tmp_path: Path) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    lossless = made(colours, "RGB")
    lossless.compress(RLELossless)
    np.testing.assert_array_equal(np.asarray(decode(saved(lossless, tmp_path / "rle.dcm"))), colours)
    Image.new("L", (16, 16), 99).save(tmp_path / "a.jpg", quality=100)
    lossy = made(np.zeros((16, 16), dtype=np.uint8))
    lossy.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    lossy.PixelData = encapsulate([(tmp_path / "a.jpg").read_bytes()])
    assert set(grey(saved(lossy, tmp_path / "jpeg.dcm"))) <= {98, 99, 100}


def test_a_compression_that_nothing_installed_undoes_is_named(tmp_path: Path) -> None:
    file = made(np.zeros((4, 4), dtype=np.uint8))
    file.file_meta.TransferSyntaxUID = JPEGLSLossless
    file.PixelData = encapsulate([b"\0" * 16])
    path = saved(file, tmp_path / "a.dcm")
    with pytest.raises(UnreadablePicture, match=r"a\.dcm.*JPEG-LS Lossless.*pip install 'pylibjpeg\[all\]'"):
        decode(path)
    assert upright_size(path) == (4, 4)


def test_it_is_a_picture_wherever_pictures_are(tmp_path: Path) -> None:
    ramp = np.repeat(np.arange(0, 240, 4, dtype=np.uint8)[None], 40, axis=0)  # 60 × 40
    path = saved(made(ramp), tmp_path / "a.DCM")
    Image.fromarray(ramp).save(tmp_path / "b.png")
    assert find_images(tmp_path) == ["a.DCM", "b.png"]
    assert upright_size(path) == decode(path).size == (60, 40)
    data = path.read_bytes()
    store = open_store(tmp_path, ["a.DCM", "b.png"], 32, tmp_path / "cache")
    np.testing.assert_array_equal(store.pixels[0], store.pixels[1])
    for mine, png in (
        (decode_fitted(data, 24), decode_fitted((tmp_path / "b.png").read_bytes(), 24)),
        (decode_box(data, 16, (3, 4, 20, 20)), decode_box((tmp_path / "b.png").read_bytes(), 16, (3, 4, 20, 20))),
    ):
        np.testing.assert_array_equal(np.asarray(mine[0]), np.asarray(png[0]))
        assert mine[1:] == png[1:]
    folder = PictureFolder(tmp_path)
    pictures = ShownPictures(folder)
    assert folder.size(folder.id_of("a.DCM")) == (60, 40)
    for file in folder.files:
        assert pictures.image(folder.id_of(file), 128).media_type == "image/png"
    assert pictures.image(folder.id_of("a.DCM"), 128) == pictures.image(folder.id_of("b.png"), 128)


def test_what_is_wrong_with_a_file_is_said(tmp_path: Path) -> None:
    whole = saved(made(np.zeros((30, 30), dtype=np.uint8)), tmp_path / "whole.dcm")
    (tmp_path / "short.dcm").write_bytes(whole.read_bytes()[:-500])
    (tmp_path / "text.dcm").write_text("no picture")
    report = made(np.zeros((2, 2), dtype=np.uint8))
    del report.PixelData, report.Rows, report.Columns
    saved(report, tmp_path / "report.dcm")
    for name, reason in [
        ("short.dcm", "pixel data"),
        ("text.dcm", "not a picture of a known format"),
        ("report.dcm", "DICOM file without a picture"),
    ]:
        with pytest.raises(UnreadablePicture, match=rf"{name}.*{reason}"):
            decode(tmp_path / name)


def test_a_large_one_is_refused_before_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(made(np.zeros((100, 100), dtype=np.uint8)), tmp_path / "bomb.dcm")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(UnreadablePicture, match=r"bomb\.dcm.*10000 pixels"):
        decode(path)


def test_without_the_extra_other_pictures_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(made(np.zeros((4, 4), dtype=np.uint8)), tmp_path / "a.dcm")
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    monkeypatch.setitem(sys.modules, "pydicom", None)
    store = open_store(tmp_path, find_images(tmp_path), 16, tmp_path / "cache")
    assert store.files == ("b.png",)
    ((file, reason),) = store.skipped
    assert file == "a.dcm"
    assert "pip install 'lead-landmarks[dicom]'" in reason


@pytest.mark.parametrize("bits", [1, 6, 8])
def test_few_bits_stored_are_the_range(tmp_path: Path, bits: int) -> None:
    most = 2**bits - 1
    values = np.array([[0, most // 2, most]], dtype=np.uint8)
    path = saved(made(values, BitsStored=bits, HighBit=bits - 1), tmp_path / "a.dcm")
    assert grey(path) == [0, round(255 * (most // 2) / most), 255]
    dark = saved(made(values // 2, BitsStored=bits, HighBit=bits - 1), tmp_path / "b.dcm")
    assert max(grey(dark)) <= 128  # which is not stretched
    inverted = saved(made(values, "MONOCHROME1", BitsStored=bits, HighBit=bits - 1), tmp_path / "c.dcm")
    assert grey(inverted) == [255, round(255 - 255 * (most // 2) / most), 0]


def test_without_a_window_deep_values_share_the_contrast_of_their_folder(tmp_path: Path) -> None:
    values = np.linspace(0, 3000, 2500).astype(np.int16).reshape(50, 50)
    saved(made(values), tmp_path / "a.dcm")
    saved(made(values // 3), tmp_path / "b.dcm")
    saved(made(values // 3, WindowCenter=500.5, WindowWidth=1001), tmp_path / "windowed.dcm")
    showing = survey(tmp_path, ["a.dcm", "b.dcm", "windowed.dcm"], DEFAULT)
    assert showing.contrast is not None
    assert 2900 < showing.contrast[1] <= 3000
    whole, third, windowed = (
        np.asarray(decode(tmp_path / name, showing)).max() for name in ("a.dcm", "b.dcm", "windowed.dcm")
    )
    assert whole == 255
    assert 80 <= third <= 90
    assert windowed >= 254


def test_the_frame_that_is_asked_for(tmp_path: Path) -> None:
    frames = np.array([[[10, 20]], [[30, 4]]], dtype=np.uint8)
    path = saved(made(frames[0], NumberOfFrames=2, PixelData=frames.tobytes()), tmp_path / "a.dcm")
    choices: list[tuple[Page, list[int]]] = [(1, [10, 20]), (2, [30, 4]), ("max", [30, 20]), ("mean", [20, 12])]
    for page, expected in choices:
        assert np.asarray(decode(path, Showing(page=page)))[0, :, 0].tolist() == expected
    with pytest.raises(UnreadablePicture, match="page 3 was asked for"):
        decode(path, Showing(page=3))


def test_jpeg_of_12_bits_names_the_package_that_undoes_it(tmp_path: Path) -> None:
    """A JPEG's head says 12 bits; Pillow's library reads 8."""
    file = made(np.zeros((8, 8), dtype=np.uint16), BitsStored=12, HighBit=11)
    file.file_meta.TransferSyntaxUID = JPEGExtended12Bit
    head = b"\xff\xd8\xff\xc1\x00\x0b\x0c\x00\x08\x00\x08\x01\x01\x11\x00\xff\xd9"
    file.PixelData = encapsulate([head])
    path = saved(file, tmp_path / "a.dcm")
    with pytest.raises(UnreadablePicture, match=r"JPEG Extended.*of 12 bits.*pip install 'pylibjpeg\[all\]'"):
        decode(path)


def test_padding_does_not_take_part_in_the_range_of_what_was_recorded(tmp_path: Path) -> None:
    values = np.linspace(0, 3000, 2500).astype(np.int16).reshape(50, 50)
    values[:5] = -32768
    tags: list[dict[str, Any]] = [{"PixelPaddingValue": -32768}]
    tags += [{"PixelPaddingValue": -32000, "PixelPaddingRangeLimit": -32768}]
    for tag in tags:
        path = saved(made(values, **tag), tmp_path / "a.dcm")
        contrast = survey(tmp_path, ["a.dcm"], DEFAULT).contrast
        assert contrast is not None
        np.testing.assert_allclose(contrast, (300, 3000), atol=4)
        shown = np.asarray(decode(path))[..., 0]
        assert not shown[:5].any()
        np.testing.assert_allclose(shown[5:], (values[5:] - 300) / 2700 * 255, atol=1)


@pytest.mark.parametrize("width", [0, [0, 0], -1])
def test_a_window_without_width_is_none(tmp_path: Path, width: Any) -> None:
    centre = [0] * len(width) if isinstance(width, list) else 0
    path = saved(
        made(np.array([[100, 1100, 2100]], np.int16), WindowCenter=centre, WindowWidth=width), tmp_path / "a.dcm"
    )
    assert grey(path) == [0, 128, 255]
