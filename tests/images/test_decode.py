from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image, ImageOps

from lead.errors import LeadError
from lead.images.decode import decode, decode_fitted, upright_size


def pixels(path: Path) -> npt.NDArray[np.uint8]:
    picture = decode(path)
    assert picture.mode == "RGB"
    return np.asarray(picture)


def oriented(path: Path, orientation: int) -> Path:
    """A picture of 5 × 3 different colours that says it is turned."""
    colours = np.random.default_rng(orientation).integers(0, 256, (3, 5, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(colours).save(path, exif=exif)
    return path


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_agrees_with_pillow(tmp_path: Path, orientation: int, suffix: str) -> None:
    path = oriented(tmp_path / f"a.{suffix}", orientation)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    assert expected.shape == ((5, 3, 3) if orientation >= 5 else (3, 5, 3))
    np.testing.assert_array_equal(pixels(path), expected)
    small, size = decode_fitted(path.read_bytes(), 5)
    assert size == small.size == expected.shape[1::-1]
    np.testing.assert_array_equal(np.asarray(small), expected)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.png", {}),
        ("a.bmp", {}),
        ("a.webp", {"lossless": True}),
        ("a.tif", {}),
        ("a.tiff", {"compression": "tiff_lzw"}),
        ("a.TIF", {"compression": "tiff_adobe_deflate"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(map(str, value.values())),
)
def test_a_picture_kept_without_loss_comes_back(tmp_path: Path, name: str, options: dict[str, Any]) -> None:
    colours = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)
    Image.fromarray(colours).save(tmp_path / name, **options)
    np.testing.assert_array_equal(pixels(tmp_path / name), colours)
    small, size = decode_fitted((tmp_path / name).read_bytes(), 9)
    assert size == upright_size(tmp_path / name) == (9, 6)
    np.testing.assert_array_equal(np.asarray(small), colours)


@pytest.mark.parametrize("options", [{"quality": 100, "subsampling": 0}, {"quality": 100}], ids=["jpg", "webp"])
def test_a_picture_kept_with_loss_is_nearly_the_same(tmp_path: Path, options: dict[str, Any]) -> None:
    y, x = np.mgrid[0:20, 0:30]
    colours = np.stack([8 * x, 12 * y, np.full(x.shape, 90)], axis=-1).astype(np.uint8)
    path = tmp_path / ("a.jpg" if "subsampling" in options else "a.webp")
    Image.fromarray(colours).save(path, **options)
    assert np.abs(pixels(path).astype(int) - colours).mean() < 2


@pytest.mark.parametrize("pages", [1, 2])
def test_16_bit_colours_and_the_first_of_several_pages(tmp_path: Path, pages: int) -> None:
    colours = np.array([[[0, 257 * 7, 65535], [257 * 200, 257, 257 * 90]]], dtype=np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", np.stack([colours, 0 * colours][:pages]), photometric="rgb")
    assert pixels(tmp_path / "a.tif")[0].tolist() == [[0, 7, 255], [200, 1, 90]]


def test_grey_palette_and_cmyk(tmp_path: Path) -> None:
    Image.new("L", (2, 2), 77).save(tmp_path / "grey.png")
    assert (pixels(tmp_path / "grey.png") == 77).all()
    Image.new("RGB", (2, 2), (255, 0, 0)).quantize(4).save(tmp_path / "palette.png")
    assert pixels(tmp_path / "palette.png")[0, 0].tolist() == [255, 0, 0]
    Image.new("CMYK", (8, 8), (0, 255, 255, 0)).save(tmp_path / "cmyk.tif")
    assert pixels(tmp_path / "cmyk.tif")[0, 0].tolist() == [255, 0, 0]
    Image.new("1", (2, 2), 1).save(tmp_path / "bits.png")
    assert (pixels(tmp_path / "bits.png") == 255).all()


def test_transparency_shows_white(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[0, 0, 0, 0], [0, 0, 255, 255], [0, 0, 0, 51]]], dtype=np.uint8)).save(
        tmp_path / "rgba.png"
    )
    assert pixels(tmp_path / "rgba.png")[0].tolist() == [[255, 255, 255], [0, 0, 255], [204, 204, 204]]
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8)).convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.save(tmp_path / "palette.png", transparency=0)
    assert pixels(tmp_path / "palette.png")[0].tolist() == [[255, 255, 255], [40, 50, 60]]


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_by_its_whole_range(tmp_path: Path, suffix: str) -> None:
    grey = np.array([[0, 257, 128 * 257, 65535, 1000]], dtype=np.uint16)
    path = tmp_path / f"deep.{suffix}"
    if suffix == "tif":
        tifffile.imwrite(path, grey)
    else:
        Image.fromarray(grey).save(path)
    assert pixels(path)[0, :, 0].tolist() == [0, 1, 128, 255, round(1000 / 65535 * 255)]


def test_big_endian_16_bit_grey(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "deep.tif", np.array([[0, 257 * 200, 65535]], dtype=np.uint16), byteorder=">")
    assert pixels(tmp_path / "deep.tif")[0, :, 1].tolist() == [0, 200, 255]


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_values_without_a_range_are_stretched(tmp_path: Path, dtype: type) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[-100, 0, 100]], dtype=dtype))
    assert pixels(tmp_path / "a.tif")[0, :, 2].tolist() == [0, 128, 255]
    tifffile.imwrite(tmp_path / "flat.tif", np.full((2, 2), 7, dtype=dtype))
    assert (pixels(tmp_path / "flat.tif") == 0).all()


def test_floats_that_are_not_finite(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[np.nan, 1.0, 2.0, np.inf]], dtype=np.float32))
    assert pixels(tmp_path / "a.tif")[0, :, 0].tolist() == [0, 0, 255, 0]


@pytest.mark.parametrize("orientation", [1, 6])
def test_a_reduced_jpeg_lies_where_the_full_one_does(tmp_path: Path, orientation: int) -> None:
    """811 and 407 are odd, so a JPEG decoded at an eighth does not end where the picture does."""
    y, x = np.mgrid[0:407, 0:811]
    ramp = np.stack([x * 255 / 810, y * 255 / 406, np.full(x.shape, 128.0)], axis=-1)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "big.jpg"
    Image.fromarray(ramp.round().astype(np.uint8)).save(path, quality=95, exif=exif)

    small, size = decode_fitted(path.read_bytes(), 40)

    whole = decode(path)
    assert size == whole.size
    expected = np.asarray(whole.resize(small.size, Image.Resampling.BOX)).astype(int)
    assert max(small.size) == 40
    assert np.abs(np.asarray(small) - expected)[1:-1, 1:-1].max() <= 2


def test_damaged_files_name_themselves_and_the_reason(tmp_path: Path) -> None:
    good = tmp_path / "good.jpg"
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(good)
    (tmp_path / "short.jpg").write_bytes(good.read_bytes()[:-2000])
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    for name, reason in [
        ("short.jpg", "cut short"),
        ("text.png", "not a picture of a known format"),
        ("empty.png", "not a picture of a known format"),
        ("missing.png", "No such file"),
    ]:
        with pytest.raises(LeadError, match=rf"{name}.*{reason}"):
            decode(tmp_path / name)


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("1", (100, 100)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(LeadError, match=r"bomb\.png.*10000 pixels"):
        decode(tmp_path / "bomb.png")


LOAD = "from lead.images import decode"
OWN = "warnings.simplefilter('error', Image.DecompressionBombWarning); Image.core.set_block_size(2**20)"


def on_opening_a_large_picture(*before: str) -> tuple[str, str]:
    """What another program that opens a picture of too many pixels prints: Pillow's block size; and warnings."""
    show = "print(Image.core.get_block_size()); Image.MAX_IMAGE_PIXELS = 9"
    large = "Image.open(io.BytesIO(b'P5 3 4 255 ' + bytes(12)))"
    program = "; ".join(["import io, warnings; from PIL import Image", *before, show, large])
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    return found.stdout, found.stderr


@pytest.mark.parametrize("order", [(OWN, LOAD), (LOAD, OWN)])
def test_what_a_program_has_set_of_pillow_stays(order: tuple[str, str]) -> None:
    printed, warned = on_opening_a_large_picture(*order)
    assert printed == f"{2**20}\n"
    assert "Image.DecompressionBombWarning: Image size (12 pixels) exceeds limit" in warned


def test_large_pictures_warn_of_nothing_and_are_held_in_large_pieces() -> None:
    assert on_opening_a_large_picture(LOAD) == (f"{2**26}\n", "")


def test_every_format_is_known_before_threads_decode() -> None:
    """Pillow would load the rarer ones as it needs the first, and forget some where several threads do so at once."""
    program = "from PIL import Image; from lead.images import decode; print(*sorted(Image.OPEN), end='')"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    Image.init()
    assert found == sorted(Image.OPEN)
    assert "TIFF" in found
