"""How values of more than 8 bits become pixels, in files that tifffile, Pillow and a slow encoder write."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image

from lead.images.decode import decode, decode_fitted, upright_size
from lead.images.png import deep_colours
from lead.images.showing import Showing, eight_bits, quantiles
from lead.images.survey import survey

RAMP = np.linspace(0, 1, 64 * 48).reshape(48, 64)
"""Grey from black to white, each value once."""
SHOWN = np.rint(255 * RAMP)


def grey(path: Path, showing: Showing | None = None) -> npt.NDArray[np.int64]:
    pixels = np.asarray(decode(path, showing or Showing())).astype(np.int64)
    assert (pixels == pixels[..., :1]).all()
    return pixels[..., 0]


def near(found: npt.NDArray[np.int64], wanted: npt.NDArray[Any], most: float = 2) -> bool:
    return bool(np.abs(found - wanted).max() <= most)


@pytest.mark.parametrize(
    ("kind", "low", "high"),
    [
        ("uint16", 0, 4095),
        ("uint16", 0, 1023),
        ("uint16", 300, 1500),
        ("uint16", 0, 65535),
        ("int16", -1000, 3000),
        ("int8", -128, 127),
        ("uint32", 0, 2**32 - 1),
        ("uint32", 0, 70000),
        ("int32", -(2**31), 2**31 - 1),
        ("float16", 0, 1),
        ("float32", -0.5, 0.75),
        ("float64", 1e-9, 1e-6),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_depth_shows_all_its_levels(tmp_path: Path, kind: str, low: float, high: float, order: Any) -> None:
    values = (low + RAMP * (high - low)).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", values, byteorder=order)
    assert near(grey(tmp_path / "a.tif"), SHOWN)
    inverted = tmp_path / "inverted.tif"
    tifffile.imwrite(inverted, values, byteorder=order, photometric="miniswhite")
    assert near(grey(inverted), 255 - SHOWN)
    small, size = decode_fitted(inverted.read_bytes(), 64)
    assert size == upright_size(inverted) == (64, 48)
    np.testing.assert_array_equal(np.asarray(small), np.asarray(decode(inverted)))


def test_8_bits_are_shown_as_they_are_whatever_the_contrast(tmp_path: Path) -> None:
    values = (20 + 60 * RAMP).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", values)
    tifffile.imwrite(tmp_path / "inverted.tif", values, photometric="miniswhite")
    Image.fromarray(values).save(tmp_path / "a.png")
    for showing in (Showing(), Showing(contrast=(0, 40))):
        np.testing.assert_array_equal(grey(tmp_path / "a.tif", showing), values)
        np.testing.assert_array_equal(grey(tmp_path / "a.png", showing), values)
        np.testing.assert_array_equal(grey(tmp_path / "inverted.tif", showing), 255 - values.astype(int))


def test_a_contrast_is_shown_from_black_to_white_and_cut_off_beyond(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0, 100, 200, 300, 4000]], dtype=np.uint16))
    Image.fromarray(np.array([[0, 100, 200, 300, 4000]], dtype=np.uint16)).save(tmp_path / "a.png")
    for name in ("a.tif", "a.png"):
        assert grey(tmp_path / name, Showing(contrast=(100, 300))).tolist() == [[0, 0, 128, 255, 255]]


def test_a_hot_pixel_does_not_darken_the_rest(tmp_path: Path) -> None:
    values = (1000 * RAMP).astype(np.uint16)
    values[0, 0] = 65535
    tifffile.imwrite(tmp_path / "a.tif", values)
    found = grey(tmp_path / "a.tif")
    assert found[0, 0] == 255
    found[0, 0] = 0
    assert near(found, SHOWN)


def test_what_is_not_a_number_is_black(tmp_path: Path) -> None:
    values = RAMP.astype(np.float32)
    values[0, :3] = [np.nan, np.inf, -np.inf]
    for photometric in ("minisblack", "miniswhite"):
        tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric)
        assert grey(tmp_path / "a.tif")[0, :3].tolist() == [0, 0, 0]
    tifffile.imwrite(tmp_path / "none.tif", np.full((2, 2), np.nan, dtype=np.float32))
    assert grey(tmp_path / "none.tif").tolist() == [[0, 0], [0, 0]]


@pytest.mark.parametrize("most", [1023, 4095])
@pytest.mark.parametrize("tag", [281, 341], ids=["MaxSampleValue", "SMaxSampleValue"])
def test_a_number_of_bits_that_the_file_states_is_its_range(tmp_path: Path, most: int, tag: int) -> None:
    values = (most / 2 * RAMP).astype(np.uint16)
    tifffile.imwrite(tmp_path / "a.tif", values, extratags=[(tag, 3, 1, most, True)])
    assert near(grey(tmp_path / "a.tif"), np.rint(255 * (values / most)))
    # What a picture happens to hold is no statement, nor is one that its values contradict.
    tifffile.imwrite(tmp_path / "b.tif", values, extratags=[(tag, 3, 1, most // 2, True)])
    tifffile.imwrite(tmp_path / "c.tif", (8 * values), extratags=[(tag, 3, 1, most, True)])
    assert near(grey(tmp_path / "b.tif"), SHOWN)
    assert near(grey(tmp_path / "c.tif"), SHOWN)


@pytest.mark.parametrize("depth", ["uint16", "float32"])
def test_deep_colours_keep_their_levels_and_their_hue(tmp_path: Path, depth: str) -> None:
    unit = np.stack([RAMP, RAMP[::-1], np.full_like(RAMP, 0.5)], axis=-1)
    values = (4095 * unit).astype(depth)
    for planar in ("contig", "separate"):
        data = values if planar == "contig" else values.transpose(2, 0, 1)
        tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", planarconfig=planar)
        assert np.abs(np.asarray(decode(tmp_path / "a.tif")).astype(float) - 255 * unit).max() < 2


def deep_png(path: Path, values: npt.NDArray[np.uint16], filtered: bytes | None = None) -> None:
    """Of 16 bits, written by hand: grey with opacity, colours, or colours with opacity; unfiltered by default."""
    height, width, samples = values.shape
    kind = {2: 4, 3: 2, 4: 6}[samples]
    rows = filtered or b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)), (b"IDAT", zlib.compress(rows))]
    data = b"\x89PNG\r\n\x1a\n"
    for name, content in [*chunks, (b"IEND", b"")]:
        data += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    path.write_bytes(data)


def test_a_png_of_12_bits_in_colour_keeps_its_levels(tmp_path: Path) -> None:
    unit = np.stack([RAMP, RAMP[::-1], RAMP], axis=-1)
    deep_png(tmp_path / "a.png", (4095 * unit).astype(np.uint16))
    assert np.abs(np.asarray(decode(tmp_path / "a.png")).astype(float) - 255 * unit).max() < 2
    assert len(np.unique(np.asarray(decode(tmp_path / "a.png")))) == 256


@pytest.mark.parametrize("samples", [2, 3, 4])
def test_every_filter_of_a_png_is_undone(tmp_path: Path, samples: int) -> None:
    """Filtered by a slow loop as the standard words it; libpng must undo it to the same high bytes as ours."""
    values = np.random.default_rng(samples).integers(0, 65536, (12, 7, samples)).astype(np.uint16)
    each, raw = 2 * samples, [row.astype(">u2").tobytes() for row in values]
    rows = b""
    for y, row in enumerate(raw):
        above, filtered = raw[y - 1] if y else bytes(len(row)), bytearray()
        for i, byte in enumerate(row):
            a, b, c = (row[i - each] if i >= each else 0), above[i], (above[i - each] if i >= each else 0)
            paeth = min((a, b, c), key=lambda v: abs(a + b - c - v))
            filtered.append((byte - [0, a, b, (a + b) // 2, paeth][y % 5]) % 256)
        rows += bytes([y % 5]) + bytes(filtered)
    deep_png(tmp_path / "a.png", values, rows)
    with (tmp_path / "a.png").open("rb") as file:
        np.testing.assert_array_equal(deep_colours(file), values)
    with Image.open(tmp_path / "a.png") as pillows:
        high = np.asarray(pillows)[..., [0, 3] if samples == 2 else slice(None)]
        np.testing.assert_array_equal(high, values >> 8)


def test_transparent_parts_of_deep_pictures_show_white(tmp_path: Path) -> None:
    values = np.zeros((4, 8, 4), dtype=np.uint16)
    values[:, :, 0] = np.arange(8) * 9362  # red to 65534
    values[2:, :, 3] = 65535  # opaque below
    deep_png(tmp_path / "a.png", values)
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", extrasamples=["unassalpha"])
    deep_png(tmp_path / "grey.png", values[..., [0, 3]])
    for name in ("a.png", "a.tif", "grey.png"):
        pixels = np.asarray(decode(tmp_path / name)).astype(int)
        assert (pixels[:2] == 255).all()
        np.testing.assert_allclose(pixels[2, :, 0], np.arange(8) * 255 / 7, atol=1)


def test_tables_and_arithmetic_agree() -> None:
    """Large pictures of 16 bits go through a table."""
    values = np.random.default_rng(0).integers(-(2**15), 2**15, (400, 400)).astype(np.int16)
    for kind in (values, values.view(np.uint16)):
        plain = np.clip((kind.astype(float) - 100) / 5000, 0, 1)
        np.testing.assert_array_equal(eight_bits(kind, 100, 5100), np.rint(255 * plain))
        np.testing.assert_array_equal(eight_bits(kind, 100, 5100, inverted=True), np.rint(255 * (1 - plain)))


def test_quantiles_are_those_of_all_values_together() -> None:
    parts = [np.arange(3000.0).reshape(30, 100), np.arange(3000.0, 10000.0)]
    assert quantiles(parts) == (9.0, 9990.0)
    assert quantiles([np.array([5.0, 5.0, 5.0])]) == (5.0, 5.0)
    mostly = np.zeros(10000)
    mostly[0] = 7
    assert quantiles([mostly]) == (0.0, 7.0)


@pytest.mark.parametrize("ending", [".pgm", ".jp2", ".j2k"])
def test_12_bits_stored_as_16_in_pgm_and_jpeg_2000_show_all_their_levels(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    Image.fromarray(np.rint(4095 * RAMP).astype(np.uint16)).save(path)
    assert near(grey(path), SHOWN)
    assert near(grey(path, Showing(contrast=(0, 8190))), SHOWN / 2)
    assert survey(tmp_path, [path.name], Showing()).contrast == (4, 4091)


def test_a_pgm_that_states_its_white_is_shown_by_it(tmp_path: Path) -> None:
    path = tmp_path / "a.pgm"
    values = np.rint(2000 * RAMP).astype(">u2")
    path.write_bytes(b"P5\n# of a camera\n64 48\n4095\n" + values.tobytes())
    for showing in (Showing(), Showing(contrast=(0, 40))):
        assert near(grey(path, showing), 255 * values.astype(int) / 4095, 1)


def test_fewer_bits_that_a_jpeg_2000_states_are_its_range(tmp_path: Path) -> None:
    path = tmp_path / "a.j2k"
    Image.fromarray(np.rint(65535 * RAMP / 2).astype(np.uint16)).save(path)
    stream = bytearray(path.read_bytes())
    assert stream[:4] == b"\xff\x4f\xff\x51"
    assert stream[42] == 15
    stream[42] = 11  # of 12 bits: what it holds no longer fits, but the range is what the header says
    path.write_bytes(stream)
    assert survey(tmp_path, [path.name], Showing()).contrast is None
