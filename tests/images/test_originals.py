"""Parts of pictures at every scale, against places that are known: of JPEG, turned pictures, and pyramids."""

from __future__ import annotations

import io
import math
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
import torch
from PIL import Image
from torch import Tensor

from lead.images import decode as decode_module
from lead.images import parts, segments, tiff_parts
from lead.images.build import open_store
from lead.images.crops import Originals, cut
from lead.images.decode import decode
from lead.images.originals import JpegPicture, LargePicture, opened
from lead.images.parts import Part
from lead.images.showing import Showing
from lead.images.store import ImageStore

Array = npt.NDArray[np.float64]
SIDE = 64
ASIDE = np.array([1.3, -0.8])
TURNED_BACK = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""What makes the stored pixels of upright ones, by EXIF orientation."""


def save(pixels: npt.NDArray[np.uint8], path: Path, orientation: int = 1, **options: Any) -> None:
    upright, turn = Image.fromarray(pixels), TURNED_BACK[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    (upright if turn is None else upright.transpose(turn)).save(path, exif=exif, **options)


def places(width: int, height: int) -> npt.NDArray[np.uint8]:
    """A picture whose red is the column, and whose green is the row, of each pixel."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.full_like(x, 128)], axis=-1).astype(np.uint8)


def away(part: Part, width: int, height: int) -> Array:
    """(h, w, 2): how far a part of :func:`places` is off, in pixels; without what reaches beyond the picture."""
    left, top, right, bottom = part.box
    shown = np.asarray(part.pixels).astype(float)
    x = left + (np.arange(shown.shape[1]) + 0.5) * (right - left) / shown.shape[1] - 0.5
    y = top + (np.arange(shown.shape[0]) + 0.5) * (bottom - top) / shown.shape[0] - 0.5
    half = max((right - left) / shown.shape[1], (bottom - top) / shown.shape[0]) / 2
    inside = np.ix_((y > half - 0.6) & (y < height - half - 0.4), (x > half - 0.6) & (x < width - half - 0.4))
    wrong: Array = (shown[..., :2] - np.stack(np.meshgrid(x, y), axis=-1))[inside]
    return wrong


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("step", [1.0, 2.0, 3.4, 7.9])
def test_a_part_covers_what_it_says(tmp_path: Path, orientation: int, step: float) -> None:
    save(places(203, 157), tmp_path / "a.png", orientation)
    picture = opened(tmp_path / "a.png")
    assert picture.size == (203, 157)
    for box in ((0, 0, 203, 157), (31, 20, 94, 77), (150, 101, 203, 157), (0, 60, 40, 61)):
        part = picture.part(box, step)
        assert part.box[0] <= box[0]
        assert part.box[1] <= box[1]
        assert part.box[2] >= box[2]
        assert part.box[3] >= box[3]
        assert 0 <= part.pixels.width - math.ceil((box[2] - box[0]) / math.floor(step)) <= 1  # blocks begin anywhere
        assert np.abs(away(part, 203, 157)).max() <= 0.5  # as values are rounded


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize(("step", "scale"), [(1.9, 1), (2.0, 2), (3.9, 2), (4.5, 4), (8.0, 8), (11.0, 8), (20.0, 8)])
def test_a_jpeg_is_decoded_as_small_as_the_step_lets_it_be(
    tmp_path: Path, orientation: int, step: float, scale: int
) -> None:
    save(places(253, 198), tmp_path / "a.jpg", orientation, quality=100, subsampling=0)
    picture = opened(tmp_path / "a.jpg")
    assert isinstance(picture, JpegPicture)
    assert picture.size == (253, 198)
    for box in ((0, 0, 253, 198), (31, 20, 194, 177), (150, 101, 253, 198)):
        part = picture.part(box, step)
        assert picture._held is not None
        assert picture._held.reduction == scale
        wrong = away(part, 253, 198)  # JPEG rounds colours, each a little otherwise
        assert np.abs(wrong.mean((0, 1))).max() < (0.2 if scale < 8 else 0.7)
        assert np.abs(wrong).max() < 4


def spots(width: int, height: int, sigma: float) -> tuple[npt.NDArray[np.uint8], Array]:
    """Bright spots with soft edges on a grid of fractions of a pixel, and where each is."""
    y, x = np.mgrid[:height, :width].astype(float)
    across, down = np.meshgrid(np.arange(3), np.arange(3))
    centres = np.stack([(across + 0.5) * width / 3, (down + 0.5) * height / 3], axis=-1).reshape(-1, 2)
    centres = np.floor(centres) + np.stack([across.ravel() / 3 + 0.1, down.ravel() / 3 + 0.05], axis=-1)
    light = sum(np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2)) for u, v in centres)
    return np.repeat((20 + 210 * light).round().astype(np.uint8)[..., None], 3, axis=-1), centres


def square(store: ImageStore, centre: Array, half: float, degrees: float) -> Tensor:
    """(2, 3): a turned square of half the side ``half``, in pixels of the first picture, around a place there."""
    x, y = (store.to_store([0], centre[None, None])[0, 0] + 0.5) / SIDE * 2 - 1
    unit = half * store.scale[0, 0] / (SIDE / 2)
    c, s = unit * math.cos(math.radians(degrees)), unit * math.sin(math.radians(degrees))
    return torch.tensor([[c, -s, x], [s, c, y]], dtype=torch.float32)


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize(
    ("step", "scale", "size"), [(1.0, 1, 48), (1.7, 1, 48), (2.3, 2, 40), (3.6, 2, 32), (4.4, 4, 32)]
)
@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_no_fraction_of_a_pixel_is_lost(
    tmp_path: Path, orientation: int, step: float, scale: int, size: int, ending: str
) -> None:
    """Through the whole chain, from the file to the squares that the network sees; sizes that no scale divides."""
    sigma = max(2 * step, 3.0)
    pixels, centres = spots(603, 453, sigma)
    save(pixels, tmp_path / f"a.{ending}", orientation, **({"quality": 95} if ending == "jpg" else {}))
    store = open_store(tmp_path, [f"a.{ending}"], SIDE, tmp_path / "cache")
    half, off = step * size / 2, []
    held = Originals(keep=True)
    for number, centre in enumerate(centres):
        view = square(store, centre + ASIDE, half, 25.0 * number)
        shown = cut(store, np.zeros(1, dtype=np.int64), view[None], size, held)[0].mean(0).double().numpy() * 255
        row, column = np.mgrid[:size, :size]
        near = np.clip(shown - 40, 0, None) * (np.hypot(row - size / 2, column - size / 2) < 3 * sigma / step + 2)
        found = np.array([(near * column).sum(), (near * row).sum()]) / near.sum()  # in pixels of the square
        turn = view[:, :2].double().numpy() / np.hypot(*view[:, 0].double().numpy()) * step
        there = turn @ (found - (size - 1) / 2) + centre + ASIDE
        off.append(there - centre)
    if ending == "jpg":
        (picture,) = held.pictures.values()
        assert isinstance(picture, JpegPicture)
        assert picture._held is not None
        assert picture._held.reduction == scale
    assert np.abs(np.mean(off, axis=0)).max() < 0.05
    assert np.abs(off).max() < 0.1 * max(step, 1)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The scales at which JPEGs are decoded for squares."""
    decoded: list[int] = []
    plain = JpegPicture._decoded

    def noted(self: JpegPicture, scale: int) -> parts.HeldPicture:
        decoded.append(scale)
        return plain(self, scale)

    monkeypatch.setattr(JpegPicture, "_decoded", noted)
    return decoded


def test_a_jpeg_is_decoded_again_only_where_more_is_needed(tmp_path: Path, counted: list[int]) -> None:
    save(places(250, 200), tmp_path / "a.jpg")
    store = open_store(tmp_path, ["a.jpg"], 16, tmp_path / "cache")
    rows = np.zeros(3, dtype=np.int64)

    def look(held: Originals | None, half: float) -> None:
        x = torch.tensor([[half, 0, 0], [0, half, 0]])
        cut(store, rows, x[None].expand(3, -1, -1), 24, held)

    held = Originals(keep=True)
    for half in (0.9, 0.8, 0.45, 0.2, 0.9):
        look(held, half)
    assert counted == [8, 4, 2]
    counted.clear()
    told = Originals(keep=True, finest={0: 2.2})
    for half in (0.9, 0.8, 0.45, 0.22):
        look(told, half)
    assert counted == [2]
    counted.clear()
    look(None, 0.45)
    assert counted == [4]


# --- TIFF in parts ----------------------------------------------------------------------------------------------------


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Everything above 5,000 pixels counts as many; the numbers of the strips and tiles that are undone."""
    monkeypatch.setattr(tiff_parts, "MANY", 5000)
    undone: list[int] = []
    plain = segments._undone

    def noted(page: Any, index: int, *others: Any) -> Any:
        undone.append(index)
        return plain(page, index, *others)

    monkeypatch.setattr(segments, "_undone", noted)
    return undone


def test_only_the_tiles_in_question_are_read(tmp_path: Path, read: list[int]) -> None:
    tifffile.imwrite(tmp_path / "a.tif", places(250, 200), tile=(32, 32), compression="zlib", photometric="rgb")
    picture = opened(tmp_path / "a.tif")
    assert isinstance(picture, LargePicture)
    read.clear()
    for step in (1.0, 2.6):
        part = picture.part((70, 40, 90, 60), step)
        assert np.abs(away(part, 250, 200)).max() <= 0.5
    assert sorted(set(read)) == [8 + 2]


def pyramid(path: Path, greys: tuple[int, ...], **options: Any) -> None:
    with tifffile.TiffWriter(path, **options) as out:
        for level, grey in enumerate(greys):
            pixels = np.full((512 >> level, 400 >> level), grey, np.uint8)
            further: dict[str, Any] = {"subfiletype": 1} if level else {"subifds": len(greys) - 1}
            out.write(pixels, tile=(64, 64), **further)


@pytest.mark.parametrize("options", [{}, {"bigtiff": True}, {"ome": True}], ids=str)
def test_parts_are_read_from_the_level_that_suffices(tmp_path: Path, read: list[int], options: dict[str, Any]) -> None:
    path = tmp_path / ("a.ome.tif" if "ome" in options else "a.tif")
    pyramid(path, (10, 20, 30, 40), **options)
    picture = opened(path)
    assert isinstance(picture, LargePicture)
    assert read == []  # to open it takes none of its pixels
    greys = [np.asarray(picture.part((64, 64, 320, 320), step).pixels).max() for step in (1, 1.9, 2, 3.9, 4.1, 8, 30)]
    assert greys == [10, 10, 20, 20, 30, 40, 40]
    covers = picture.part((67, 65, 320, 319), 4.0).box
    assert covers == (64, 64, 320, 320)


def test_levels_of_no_whole_scale_are_passed_over(tmp_path: Path, read: list[int]) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as out:
        out.write(np.full((512, 400), 10, np.uint8), tile=(64, 64), subifds=1)
        out.write(np.full((200, 156), 20, np.uint8), tile=(64, 64), subfiletype=1)
    part = opened(tmp_path / "a.tif").part((0, 0, 400, 512), 4)
    assert np.asarray(part.pixels).max() == 10
    assert read


def jpeg_tiles(path: Path, pixels: npt.NDArray[np.uint8], *, tables: bool, **options: Any) -> None:
    """A tiled TIFF of JPEGs, as slide scanners write it: their tables in the page, or in each tile."""

    def encoded(tile: npt.NDArray[np.uint8], kind: int) -> bytes:
        file = io.BytesIO()
        Image.fromarray(tile).save(file, "JPEG", quality=95, streamtype=kind, **options)
        return file.getvalue()

    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % 64), (0, -width % 64), *[(0, 0)] * (pixels.ndim - 2)), mode="edge")
    tiles = [padded[y : y + 64, x : x + 64] for y in range(0, height, 64) for x in range(0, width, 64)]
    common = encoded(tiles[0], 1)
    extra = [(347, 7, len(common), common, True)] if tables else []
    grey = pixels.ndim == 2
    tifffile.imwrite(
        path,
        (encoded(tile, 2 if tables else 0) for tile in tiles),
        shape=pixels.shape,
        dtype=np.uint8,
        tile=(64, 64),
        compression="zlib",
        photometric="minisblack" if grey else "rgb",
        extratags=extra,
        metadata=None,
    )
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        page.tags["Compression"].overwrite(7)
        if not grey and not options.get("keep_rgb"):
            page.tags["PhotometricInterpretation"].overwrite(6)


@pytest.mark.parametrize("tables", [False, True])
@pytest.mark.parametrize("kind", ["grey", "ycbcr", "rgb"])
@pytest.mark.parametrize("ending", ["tif", "svs"])
def test_tiles_of_jpeg_need_no_further_package(
    tmp_path: Path, read: list[int], tables: bool, kind: str, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "find_spec", lambda _: None)
    pixels, path = places(250, 200), tmp_path / f"a.{ending}"
    pixels = pixels[..., 0] if kind == "grey" else pixels
    jpeg_tiles(path, pixels, tables=tables, **({"keep_rgb": True} if kind == "rgb" else {}))
    picture = opened(path)
    assert isinstance(picture, LargePicture)
    part = np.asarray(picture.part((70, 40, 120, 120), 1).pixels).astype(int)
    assert sorted(set(read)) == [1, 5]
    expected = np.repeat(pixels[..., None], 3, axis=-1) if kind == "grey" else pixels
    assert np.abs(part - expected[40:120, 70:120]).max() <= 6
    store = open_store(tmp_path, [path.name], SIDE, tmp_path / "cache")
    assert not store.skipped


# --- more than 8 bits -------------------------------------------------------------------------------------------------


def faint(height: int = 300, width: int = 400) -> npt.NDArray[np.uint16]:
    """16 bits of which only 200 values in the middle of the range are used, the brighter the further to the right."""
    rows = np.linspace(30000, 30199, width).round().astype(np.uint16)
    return np.repeat(rows[None], height, axis=0)


def write_tiles(path: Path, values: npt.NDArray[np.uint16]) -> None:
    tifffile.imwrite(path, values, tile=(64, 64), compression="zlib")


def write_channels(path: Path, values: npt.NDArray[np.uint16]) -> None:
    both = np.stack([values[:, ::-1] // 2, values])
    tifffile.imwrite(path, both, tile=(64, 64), photometric="minisblack", planarconfig="separate", metadata=None)


def write_png(path: Path, values: npt.NDArray[np.uint16]) -> None:
    Image.fromarray(values).save(path.with_suffix(".png"))


@pytest.mark.parametrize("many", [True, False], ids=["in parts", "held"])
@pytest.mark.parametrize("contrast", [(29950.0, 30250.0), None], ids=["chosen", "its own"])
@pytest.mark.parametrize("write", [write_tiles, write_channels, write_png])
def test_squares_show_16_bits_by_the_contrast_of_the_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, many: bool, contrast: tuple[float, float] | None, write: Any
) -> None:
    """The stretch is applied before values are brought to 8 bits, so those lose none of its levels."""
    monkeypatch.setattr(tiff_parts, "MANY", 5000 if many else 10**9)
    write(tmp_path / "a.tif", faint())
    (file,) = [path.name for path in tmp_path.iterdir()]
    showing = Showing(contrast=contrast, channel=2 if write is write_channels else None)
    store = open_store(tmp_path, [file], SIDE, tmp_path / "cache", showing=showing)
    assert isinstance(store.original(0), LargePicture) == (many and write is not write_png)
    views = torch.stack([square(store, np.array([x, 150.0]), 40, 0) for x in (60.0, 340.0)])
    squares = cut(store, np.zeros(2, dtype=np.int64), views, 80).double().numpy() * 255
    low, high = contrast or (30000, 30199)
    for x, shown in zip((60, 340), squares, strict=True):
        stored = store.pixels[0, SIDE // 2, round(x * store.scale[0, 0]) - 1 : round(x * store.scale[0, 0]) + 1]
        assert shown.mean() == pytest.approx(stored.mean(), abs=4)
        wanted = 255 * (faint()[0, x - 20 : x + 20].astype(float) - low) / (high - low)
        np.testing.assert_allclose(shown[0, 40, 20:60], wanted, atol=2.5)
        assert len(np.unique(wanted.round())) > 15  # where the upper 8 of its 16 bits would show one
    whole = np.asarray(decode(tmp_path / file, showing)).astype(int)
    part = np.asarray(store.original(0).part((0, 0, 400, 300), 1).pixels).astype(int)
    assert np.abs(part - whole).max() <= 2


def test_all_parts_go_by_the_range_that_the_file_states_or_none_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stated range that values contradict is not believed in the parts that keep to it either."""
    monkeypatch.setattr(tiff_parts, "MANY", 5000)
    values = np.full((200, 200), 2000, np.uint16)
    values[:, 100:] = 40000
    tag = [(281, 3, 1, 4095, True)]
    tifffile.imwrite(tmp_path / "a.tif", values, tile=(64, 64), extratags=tag)
    tifffile.imwrite(tmp_path / "b.tif", np.minimum(values, 4095), tile=(64, 64), extratags=tag)
    showing = Showing(contrast=(0, 40000))
    dark = [np.asarray(opened(tmp_path / n, showing).part((0, 0, 64, 64), 1).pixels).max() for n in ("a.tif", "b.tif")]
    assert dark == [round(255 * 2000 / 40000), round(255 * 2000 / 4095)]


# --- what can no longer be read ---------------------------------------------------------------------------------------


class Torn:
    """Two pictures of noise, of which the first is about to be spoilt."""

    def __init__(self, folder: Path, ending: str, **options: Any) -> None:
        draws = np.random.default_rng(0)
        self.folder, self.names = folder, [f"a.{ending}", f"b.{ending}"]
        for name in self.names:
            pixels = draws.integers(0, 256, (300, 400, 3), dtype=np.uint8)
            if ending == "tif":
                tifffile.imwrite(folder / name, pixels, tile=(64, 64), compression="zlib", photometric="rgb")
            else:
                Image.fromarray(pixels).save(folder / name, **options)
        # Without sums of the files, as of files too large for that: else any change would be told at once.
        self.store = replace(open_store(folder, self.names, 32, folder / "cache"), contents=None)
        self.held = Originals(keep=True)

    @property
    def path(self) -> Path:
        return self.folder / self.names[0]

    def look(self, half: float, x: float = 0.0, held: Originals | None = None) -> Tensor:
        view = torch.tensor([[half, 0, x], [0, half, 0]]).expand(2, -1, -1)
        return cut(self.store, np.arange(2), view, 24, held or self.held)


def as_stored(torn: Torn, half: float, x: float = 0.0) -> Tensor:
    """The same squares, where there are no originals at all."""
    store = torn.store
    bare = ImageStore(store.files, store.pixels, store.sizes, (), store.digest)
    view = torch.tensor([[half, 0, x], [0, half, 0]]).expand(2, -1, -1)
    return cut(bare, np.arange(2), view, 24)


def removed(path: Path) -> None:
    path.unlink()


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def of_other_size(path: Path) -> None:
    Image.new("RGB", (200, 300)).save(path)


def no_picture(path: Path) -> None:
    path.write_bytes(b"a text")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (removed, "No such file or directory"),
        (cut_short, "it is cut short"),
        (of_other_size, "it has 200 × 300 pixels now, and had 400 × 300"),
        (no_picture, "its content is not a picture of a known format"),
    ],
)
@pytest.mark.parametrize("options", [{}, {"progressive": True}], ids=["baseline", "progressive"])
def test_a_jpeg_that_was_spoilt_before_it_is_read_finer_counts_as_unread(
    tmp_path: Path, spoil: Any, reason: str, options: dict[str, Any]
) -> None:
    torn = Torn(tmp_path, "jpg", **options)
    before = torn.look(0.8)
    assert not torn.store.unread
    spoil(torn.path)
    torch.testing.assert_close(torn.look(0.8), before)  # what is held is as good as it was
    assert not torn.store.unread
    found = torn.look(0.1)
    assert list(torn.store.unread) == ["a.jpg"]
    assert torn.store.unread["a.jpg"].startswith(reason)
    assert torn.held.lost == {0}
    torch.testing.assert_close(found[0], as_stored(torn, 0.1)[0])
    assert (found[1] - as_stored(torn, 0.1)[1]).abs().max() > 0.1  # the other is read
    torch.testing.assert_close(torn.look(0.8)[0], as_stored(torn, 0.8)[0])  # from now on, it is not believed
    fresh = Originals(keep=False)
    torn.look(0.1, held=fresh)
    assert fresh.lost == {0}


def test_a_tile_that_is_damaged_matters_where_it_is_asked_for(tmp_path: Path, read: list[int]) -> None:
    torn = Torn(tmp_path, "tif")
    assert isinstance(torn.store.original(0), LargePicture)
    with tifffile.TiffFile(torn.path) as file:
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        offset, count = page.dataoffsets[0], page.databytecounts[0]
    data = bytearray(torn.path.read_bytes())
    data[offset : offset + count] = bytes(count)
    torn.path.write_bytes(data)
    read.clear()
    found = torn.look(0.1, x=0.5)
    assert not torn.store.unread
    assert (found[0] - as_stored(torn, 0.1, x=0.5)[0]).abs().max() > 0.1
    assert 0 not in read
    torn.look(0.5, x=-0.5)
    assert list(torn.store.unread) == ["a.tif"]
    assert "while decompressing" in torn.store.unread["a.tif"]


@pytest.mark.parametrize(
    ("spoil", "reason"), [(removed, "No such file"), (of_other_size, "it has 200 × 300"), (no_picture, "")]
)
def test_a_tiff_that_was_spoilt_between_two_parts_counts_as_unread(
    tmp_path: Path, read: list[int], spoil: Any, reason: str
) -> None:
    torn = Torn(tmp_path, "tif")
    torn.look(0.3)
    assert not torn.store.unread
    assert read
    spoil(torn.path)
    found = torn.look(0.1)
    assert list(torn.store.unread) == ["a.tif"]
    assert torn.store.unread["a.tif"].startswith(reason)
    torch.testing.assert_close(found[0], as_stored(torn, 0.1)[0])


def test_pictures_of_very_many_pixels_are_held_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{i}.png" for i in range(4)]
    for name in names:
        save(places(200, 150), tmp_path / name)
    store = open_store(tmp_path, names, 16, tmp_path / "cache")
    now, most, lock = 0, [0], threading.Lock()
    plain = decode_module.held

    def slow(*arguments: Any) -> parts.HeldPicture:
        nonlocal now
        with lock:
            now += 1
            most.append(now)
        time.sleep(0.02)
        found = plain(*arguments)
        with lock:
            now -= 1
        return found

    monkeypatch.setattr("lead.images.originals.held", slow)
    monkeypatch.setattr("lead.images.crops.cores", lambda: 4)
    view = torch.tensor([[0.3, 0, 0], [0, 0.3, 0]]).expand(4, -1, -1)
    expected = cut(store, np.arange(4), view, 24)
    assert max(most) > 1
    most.clear()
    monkeypatch.setattr(parts, "ALONE", 1000)
    torch.testing.assert_close(cut(store, np.arange(4), view, 24), expected)
    assert max(most) == 1


LOOKS = """
import sys
from pathlib import Path
import numpy as np, torch
from lead.images.crops import Originals, cut
from lead.images.store import open_one, stored_pictures

def peak():
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1e3

folder, file = Path(sys.argv[1]), sys.argv[2]
store = open_one(folder, "small.png", 64)
cut(store, np.zeros(1, dtype=np.int64), torch.tensor([[[0.1, 0, 0], [0, 0.1, 0]]]), 64)
before = peak()
for store in stored_pictures(folder, [[file]], 64):
    held = Originals(keep=True)
    for half in (0.95, 0.1, 0.006):
        view = torch.tensor([[half, 0, 0.3], [0, half, 0.2]]).expand(4, -1, -1)
        squares = cut(store, np.zeros(4, dtype=np.int64), view, 64, held)
    assert not store.skipped and not store.unread, (store.skipped, store.unread)
    assert squares.std() > 0.01
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the largest memory of a process is read there")
@pytest.mark.parametrize(("kind", "most"), [("jpg", 650), ("tif", 250)])
def test_100_megapixels_are_looked_at_in_less_than_a_gigabyte(tmp_path: Path, kind: str, most: float) -> None:
    """From the file to squares at its full resolution, in megabytes above what the program itself takes."""
    block = np.random.default_rng(0).integers(0, 256, (50, 50), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    Image.fromarray(block).save(tmp_path / "small.png")
    pixels = np.tile(block, (20, 20))
    if kind == "jpg":
        exif = Image.Exif()
        exif[0x0112] = 6
        colours = Image.merge("RGB", [Image.fromarray(pixels)] * 3)
        colours.save(tmp_path / "a.jpg", exif=exif, subsampling=2)
        del colours
    else:
        options: dict[str, Any] = {"tile": (512, 512), "compression": "zlib", "compressionargs": {"level": 1}}
        tifffile.imwrite(tmp_path / "a.tif", np.stack([pixels] * 3, axis=-1), photometric="rgb", **options)
    command = [sys.executable, "-c", LOOKS, str(tmp_path), f"a.{kind}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) < most
