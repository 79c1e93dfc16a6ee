"""Pages, channels, compressions and sizes of TIFF files that tifffile writes."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from lead.images.build import open_store
from lead.images.decode import UnreadablePicture, decode, decode_fitted, upright_size
from lead.images.originals import LargePicture, opened
from lead.images.showing import Page, Showing

STACK = np.random.default_rng(0).integers(0, 256, (5, 20, 30), dtype=np.uint8)


def grey(path: Path, **showing: Any) -> npt.NDArray[np.uint8]:
    pixels = np.asarray(decode(path, Showing(**showing)))
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def plain_pages(path: Path) -> None:
    with tifffile.TiffWriter(path) as out:
        for page in STACK:
            out.write(page, metadata=None)


def imagej(path: Path) -> None:
    tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "TYX"})


def ome(path: Path) -> None:
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX"})


def packed_by_pillow(path: Path) -> None:
    first, *others = map(Image.fromarray, STACK)
    first.save(path, save_all=True, append_images=others, compression="tiff_lzw")


@pytest.mark.parametrize("write", [plain_pages, imagej, ome, packed_by_pillow])
@pytest.mark.parametrize(
    ("page", "expected"), [(1, STACK[0]), (4, STACK[3]), ("max", STACK.max(0)), ("mean", STACK.mean(0))]
)
def test_the_page_that_is_asked_for(tmp_path: Path, write: Any, page: Page, expected: npt.NDArray[Any]) -> None:
    write(tmp_path / "stack.tif")
    np.testing.assert_array_equal(grey(tmp_path / "stack.tif", page=page), np.rint(expected))


def test_a_page_beyond_the_last_is_refused(tmp_path: Path) -> None:
    plain_pages(tmp_path / "stack.tif")
    tifffile.imwrite(tmp_path / "single.tif", STACK[0])
    Image.fromarray(STACK[0]).save(tmp_path / "single.png")
    with pytest.raises(UnreadablePicture, match=r"page 6 was asked for \(picture\.page\), and it has 5"):
        decode(tmp_path / "stack.tif", Showing(page=6))
    for name in ("single.tif", "single.png"):
        with pytest.raises(UnreadablePicture, match=r"page 2 was asked for.*it has 1"):
            decode(tmp_path / name, Showing(page=2))


def test_frames_of_a_gif_are_pages(tmp_path: Path) -> None:
    first, *others = (Image.fromarray(page // 2 * 2) for page in STACK[:3])
    first.save(tmp_path / "a.gif", save_all=True, append_images=others)
    np.testing.assert_array_equal(grey(tmp_path / "a.gif"), STACK[0] // 2 * 2)
    np.testing.assert_array_equal(grey(tmp_path / "a.gif", page=3), STACK[2] // 2 * 2)
    np.testing.assert_array_equal(grey(tmp_path / "a.gif", page="max"), STACK[:3].max(0) // 2 * 2)


def test_a_thumbnail_is_no_page(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        out.write(STACK[0], metadata=None)
        out.write(STACK[1, :5, :5], metadata=None)
    np.testing.assert_array_equal(grey(tmp_path / "a.tif", page="max"), STACK[0])


def separate(path: Path, values: npt.NDArray[Any]) -> None:
    tifffile.imwrite(path, values, photometric="minisblack", planarconfig="separate", metadata=None)


def together(path: Path, values: npt.NDArray[Any]) -> None:
    tifffile.imwrite(path, values.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig", metadata=None)


def composite(path: Path, values: npt.NDArray[Any]) -> None:
    tifffile.imwrite(path, values, imagej=True, metadata={"axes": "CYX"})


def of_ome(path: Path, values: npt.NDArray[Any]) -> None:
    tifffile.imwrite(path, values, ome=True, metadata={"axes": "CYX"})


@pytest.mark.parametrize("write", [separate, together, composite, of_ome])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_the_channel_that_is_asked_for(tmp_path: Path, write: Any, count: int) -> None:
    path = tmp_path / "a.tif"
    write(path, STACK[:count])
    rgb = ", or rgb for the first three as colours" if count > 2 else ""
    choice = rf"a TIFF of {count} channels: choose one as you train, --set picture\.channel=1\.\.{count}{rgb}"
    with pytest.raises(UnreadablePicture, match=choice):
        decode(path)
    assert upright_size(path) == (30, 20)
    for channel in range(count):
        np.testing.assert_array_equal(grey(path, channel=channel + 1), STACK[channel])
    if count > 2:
        colours = np.asarray(decode(path, Showing(channel="rgb")))
        np.testing.assert_array_equal(colours, STACK[:3].transpose(1, 2, 0))
    with pytest.raises(UnreadablePicture, match=rf"channel 6 was asked for \(picture\.channel\), and it has {count}"):
        decode(path, Showing(channel=6))


def test_pages_and_channels_at_once(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(0, 256, (3, 2, 8, 9), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values, imagej=True, metadata={"axes": "ZCYX"})
    np.testing.assert_array_equal(grey(tmp_path / "a.tif", page=3, channel=2), values[2, 1])
    np.testing.assert_array_equal(grey(tmp_path / "a.tif", page="max", channel=1), values[:, 0].max(0))


def test_pictures_with_too_many_channels_are_skipped_one_by_one_with_their_reason(tmp_path: Path) -> None:
    separate(tmp_path / "many.tif", STACK)
    tifffile.imwrite(tmp_path / "one.tif", STACK[0])
    store = open_store(tmp_path, ["many.tif", "one.tif"], 32, tmp_path / "cache")
    assert store.files == ("one.tif",)
    ((file, reason),) = store.skipped
    assert (file, reason[:23]) == ("many.tif", "a TIFF of 5 channels: c")
    chosen = open_store(tmp_path, ["many.tif", "one.tif"], 32, tmp_path / "cache", showing=Showing(channel=1))
    assert chosen.files == ("many.tif", "one.tif")  # of one channel there is nothing to choose
    np.testing.assert_array_equal(chosen.pixels[0], chosen.pixels[1])


DEEP = np.random.default_rng(2).integers(0, 4096, (37, 45), dtype=np.uint16)


def of_deep(path: Path) -> npt.NDArray[np.uint8]:
    tifffile.imwrite(path, DEEP)
    return grey(path, contrast=(0, 4095))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
@pytest.mark.parametrize("predictor", [False, True])
def test_deflate_in_tiles_with_and_without_differences(
    tmp_path: Path, order: Any, photometric: str, predictor: bool
) -> None:
    expected = of_deep(tmp_path / "plain.tif")
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path, DEEP, compression="zlib", predictor=predictor, byteorder=order, photometric=photometric, tile=(16, 16)
    )
    found = grey(path, contrast=(0, 4095))
    np.testing.assert_array_equal(found, 255 - expected if photometric == "miniswhite" else expected)


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "tiff_deflate"])
def test_deep_grey_that_libtiff_compressed(tmp_path: Path, compression: str) -> None:
    expected = of_deep(tmp_path / "plain.tif")
    Image.fromarray(DEEP).save(tmp_path / "a.tif", compression=compression)
    np.testing.assert_array_equal(grey(tmp_path / "a.tif", contrast=(0, 4095)), expected)


def test_lzw_of_deep_colours(tmp_path: Path) -> None:
    """Pillow would cut them to 8 bits: the same strips, called grey, are what libtiff wrote."""
    colours = np.stack([DEEP, DEEP[::-1], DEEP[:, ::-1]], axis=-1)
    Image.fromarray(np.ascontiguousarray(colours.reshape(37, 135))).save(tmp_path / "grey.tif", compression="tiff_lzw")
    with tifffile.TiffFile(tmp_path / "grey.tif") as grey_file:
        page = grey_file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        (offset, *more), (length, *_) = page.dataoffsets, page.databytecounts
        assert not more
        strip = (tmp_path / "grey.tif").read_bytes()[offset : offset + length]
    entries = [(256, 4, 45), (257, 4, 37), (258, 3, 16), (259, 3, 5), (262, 3, 2), (273, 4, 0), (277, 3, 3),
               (278, 4, 37), (279, 4, length)]  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    directory = b"".join(
        struct.pack("<HHII", tag, kind, 1, start if tag == 273 else value) for tag, kind, value in entries
    )
    header = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4)
    (tmp_path / "a.tif").write_bytes(header + strip)
    found = np.asarray(decode(tmp_path / "a.tif", Showing(contrast=(0, 4095))))
    np.testing.assert_array_equal(found, np.rint(255 * (colours / 4095)))


@pytest.mark.parametrize("bits", [6, 10, 12, 14])
def test_packed_bits_are_a_range_that_is_stated(tmp_path: Path, bits: int) -> None:
    """Written by hand, a bit at a time."""
    values = np.random.default_rng(bits).integers(0, 2**bits // 2, (7, 9))
    rows = ["".join(f"{value:0{bits}b}" for value in row.tolist()) for row in values]
    data = b"".join(int(row.ljust(-(-len(row) // 8) * 8, "0"), 2).to_bytes(-(-len(row) // 8), "big") for row in rows)
    entries = [(256, 9), (257, 7), (258, bits), (259, 1), (262, 1), (273, 0), (277, 1), (278, 7), (279, len(data))]
    start = 8 + 2 + 12 * len(entries) + 4
    directory = b"".join(struct.pack("<HHII", tag, 4, 1, start if tag == 273 else value) for tag, value in entries)
    (tmp_path / "a.tif").write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + directory + bytes(4) + data)
    np.testing.assert_array_equal(grey(tmp_path / "a.tif"), np.rint(255 * (values / (2**bits - 1))))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_deep_pictures_are_turned_upright(tmp_path: Path, orientation: int) -> None:
    tag = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(tmp_path / "deep.tif", DEEP, extratags=tag)
    tifffile.imwrite(tmp_path / "plain.tif", (DEEP >> 4).astype(np.uint8), extratags=tag)
    found = grey(tmp_path / "deep.tif", contrast=(0, 4095)).astype(int)
    expected = grey(tmp_path / "plain.tif").astype(int)  # Pillow's own
    assert found.shape == expected.shape == upright_size(tmp_path / "deep.tif")[::-1]
    assert np.abs(found - expected).max() <= 1


def test_inks_of_16_bits(tmp_path: Path) -> None:
    inks = np.random.default_rng(3).integers(0, 256, (6, 7, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "deep.tif", inks.astype(np.uint16) * 257, photometric="separated")
    tifffile.imwrite(tmp_path / "plain.tif", inks, photometric="separated")
    found, expected = (np.asarray(decode(tmp_path / name)).astype(int) for name in ("deep.tif", "plain.tif"))
    assert np.abs(found - expected).max() <= 1


def test_a_compression_that_nothing_installed_undoes_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", DEEP, metadata=None)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        place = page.tags[259].valueoffset
    data[place : place + 2] = (34887).to_bytes(2, "little")
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(UnreadablePicture, match=r"compressed by LERC, which needs: pip install imagecodecs"):
        decode(tmp_path / "a.tif")


LARGE = np.add.outer(np.arange(210.0), np.arange(330.0))


@pytest.mark.parametrize("options", [{}, {"tile": (32, 32)}, {"rowsperstrip": 7, "compression": "zlib"}], ids=str)
@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_what_is_too_large_to_be_held_is_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any], kind: str
) -> None:
    values = (LARGE / LARGE.max() * (255 if kind == "uint8" else 4000)).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values, **options)
    whole = np.asarray(decode(tmp_path / "a.tif")).astype(int)
    small, size = decode_fitted((tmp_path / "a.tif").read_bytes(), 50)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 20000)
    in_parts, size_in_parts = decode_fitted((tmp_path / "a.tif").read_bytes(), 50)
    assert size_in_parts == size == upright_size(tmp_path / "a.tif") == (330, 210)
    assert np.abs(np.asarray(in_parts).astype(int) - np.asarray(small)).max() <= 3
    with pytest.raises(UnreadablePicture, match="69300 pixels are too many"):
        decode(tmp_path / "a.tif", Showing(page="max"))
    large = opened(tmp_path / "a.tif")
    assert isinstance(large, LargePicture)
    assert large.size == (330, 210)
    part = np.asarray(large.part((31, 40, 101, 95), 1).pixels).astype(int)
    assert np.abs(part - whole[40:95, 31:101]).max() <= 1
    reduced = np.asarray(large.part((32, 40, 92, 100), 4).pixels).astype(int)
    assert np.abs(reduced - whole[40:100, 32:92].reshape(15, 4, 15, 4, 3).mean((1, 3))).max() <= 2


def test_of_a_large_pyramid_the_level_that_suffices_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = [np.full((side, side), grey, np.uint8) for side, grey in ((512, 10), (256, 20), (128, 30), (64, 40))]
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        out.write(levels[0], subifds=3, tile=(64, 64))
        for level in levels[1:]:
            out.write(level, subfiletype=1, tile=(64, 64))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    data = (tmp_path / "a.tif").read_bytes()
    assert np.asarray(decode_fitted(data, 64)[0]).max() == 30  # at least twice as large
    assert np.asarray(decode_fitted(data, 20)[0]).max() == 40
    assert decode_fitted(data, 200)[1] == (512, 512)
