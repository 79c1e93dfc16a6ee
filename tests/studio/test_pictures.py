"""The pictures as the page gets them: upright, of the right size, in place, and decoded once."""

from __future__ import annotations

import io
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import ExifTags, Image
from serving import draw

from lead.errors import LeadError
from lead.images.decode import UnreadablePicture, decode, decode_fitted
from lead.images.showing import Showing
from lead.studio import pictures as module
from lead.studio.folder import PictureFolder, UnknownPicture
from lead.studio.pictures import TILE, Encoded, ShownPictures

Pixels = npt.NDArray[np.float64]


def opened(root: Path, **options: int) -> tuple[PictureFolder, ShownPictures]:
    folder = PictureFolder(root)
    return folder, ShownPictures(folder, **options)


def pixels(encoded: Encoded) -> Pixels:
    image = Image.open(io.BytesIO(encoded.content))
    assert image.get_format_mimetype() == encoded.media_type
    return np.asarray(image.convert("RGB"), dtype=np.float64)


def put_together(pictures: ShownPictures, id: str, size: tuple[int, int]) -> Pixels:
    rows = []
    for row in range(-(-size[1] // TILE)):
        tiles = [pixels(pictures.tile(id, column, row)) for column in range(-(-size[0] // TILE))]
        rows.append(np.concatenate(tiles, axis=1))
    return np.concatenate(rows)


def oriented(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = value
    return exif


@pytest.mark.parametrize(("file", "options"), [("a.png", {}), ("a.jpg", {"exif": oriented(6)}), ("a.tif", {})])
@pytest.mark.parametrize("size", [(1100, 700), (512, 1024), (30, 20)])
def test_tiles_put_together_are_the_picture(
    tmp_path: Path, file: str, options: dict[str, Any], size: tuple[int, int]
) -> None:
    path = draw(tmp_path / file, size, **options)
    folder, pictures = opened(tmp_path)
    whole = np.asarray(decode(path), dtype=np.float64)
    found = put_together(pictures, folder.ids[0], (whole.shape[1], whole.shape[0]))
    np.testing.assert_array_equal(found, whole)


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("size", [(1104, 704), (1101, 699)])
def test_tiles_that_are_shrunk_show_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: tuple[int, int], in_parts: bool
) -> None:
    """Put together they are the picture shrunk, each of whose pixels is the mean of a block; what is at the right and
    lower edges, where blocks are not whole, lies where it did to less than one of its own pixels."""
    width, height = size
    y, x = np.mgrid[:height, :width]
    noise = np.random.default_rng(0).integers(-20, 21, (height, width))
    values = np.clip(x * 150 / width + y * 80 / height + 10 + noise, 0, 255).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "a.tif")
    folder, pictures = opened(tmp_path)
    if in_parts:
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100_000)
    for shrink in (2, 4, 8):
        across, down = -(-width // shrink), -(-height // shrink)
        rows = []
        for row in range(-(-down // TILE)):
            row_of = [pixels(pictures.tile(folder.ids[0], i, row, shrink)) for i in range(-(-across // TILE))]
            rows.append(np.concatenate(row_of, axis=1))
        found = np.concatenate(rows)[..., 0]
        assert found.shape == (down, across)
        whole = values[: height // shrink * shrink, : width // shrink * shrink].astype(float)
        blocks = whole.reshape(height // shrink, shrink, width // shrink, shrink).mean((1, 3))
        off = np.abs(found[: len(blocks), : blocks.shape[1]] - blocks)
        assert off.mean() < (3 if size == (1104, 704) else 6)


def test_how_far_tiles_are_shrunk(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", (600, 20))
    folder, pictures = opened(tmp_path)
    with pytest.raises(LeadError, match=r"shrunk 1, 2, 4, 8 times, not 3"):
        pictures.tile(folder.ids[0], 0, 0, 3)


def test_all_sizes_of_a_large_jpeg_come_of_one_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.linear_gradient("L").resize((4400, 3001)).save(tmp_path / "a.jpg")
    folder, pictures = opened(tmp_path)
    sides: list[int] = []

    def counted(file: Any, side: int, **options: Any) -> Any:
        sides.append(side)
        return decode_fitted(file, side, **options)

    monkeypatch.setattr(module, "decode_fitted", counted)
    for side in (2048, 320, 128, 1024):
        found = pixels(pictures.image(folder.ids[0], side))
        assert found.shape[:2] == (round(side * 3001 / 4400), side)
    assert sides == [2048]


def test_tiles_that_are_not_there(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", (600, 20))
    folder, pictures = opened(tmp_path)
    for column, row in ((2, 0), (0, 1), (-1, 0), (0, -1)):
        with pytest.raises(LeadError, match=r"a\.png has no tile"):
            pictures.tile(folder.ids[0], column, row)


@pytest.mark.parametrize(("size", "sizes"), [((6000, 4000), (6000, 4000)), ((4000, 6000), (4000, 6000))])
def test_sizes_of_24_megapixels(tmp_path: Path, size: tuple[int, int], sizes: tuple[int, int]) -> None:
    Image.linear_gradient("L").resize(size).save(tmp_path / "a.jpg")
    folder, pictures = opened(tmp_path)
    assert folder.size(folder.ids[0]) == sizes
    for side in module.SIDES:
        height, width, _ = pixels(pictures.image(folder.ids[0], side)).shape
        assert max(width, height) == side
        assert min(width, height) == round(side * 4000 / 6000)
        assert (width > height) == (size[0] > size[1])
    np.testing.assert_array_equal(
        pixels(pictures.tile(folder.ids[0], 3, 5)),
        np.asarray(decode(tmp_path / "a.jpg").crop((3 * TILE, 5 * TILE, 4 * TILE, 6 * TILE))),
    )


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file", ["a.jpg", "a.png"])
def test_upright(tmp_path: Path, file: str, orientation: int) -> None:
    """A picture whose upper left quarter is red, stored turned in each way, always shows with it up and left."""
    upright = Image.new("RGB", (600, 400), "black")
    upright.paste("red", (0, 0, 300, 200))
    back = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }[orientation]
    stored = upright
    for turn in back:
        stored = stored.transpose(turn)
    stored.save(tmp_path / file, exif=oriented(orientation))
    folder, pictures = opened(tmp_path)
    for side in (128, 320, 1024):
        shown = pixels(pictures.image(folder.ids[0], side))
        height, width, _ = shown.shape
        assert (width, height) == (min(side, 600), round(min(side, 600) * 2 / 3))
        red = shown[..., 0] > 128
        expected = np.zeros((height, width), bool)
        expected[: height // 2, : width // 2] = True
        assert (red != expected).mean() < 0.02


def test_edges_stay_in_place(tmp_path: Path) -> None:
    """The centre of a bright spot moves by ``(p + 0.5) * new / old - 0.5`` on each axis."""
    width, height = 2000, 1501
    x, y = 1300.0, 444.0
    across, down = np.arange(width), np.arange(height)[:, None]
    spot = 255 * np.exp(-((across - x) ** 2 + (down - y) ** 2) / (2 * 30**2))
    Image.fromarray(spot.astype(np.uint8)).save(tmp_path / "a.png")
    Image.fromarray(spot.astype(np.uint8)).save(tmp_path / "b.jpg", quality=98)
    folder, pictures = opened(tmp_path)
    for id in folder.ids:
        for side in module.SIDES[:3]:
            small = pixels(pictures.image(id, side))[..., 0]
            small = np.where(small > 40, small, 0)
            new_height, new_width = small.shape
            found_x = (small.sum(0) * np.arange(new_width)).sum() / small.sum()
            found_y = (small.sum(1) * np.arange(new_height)).sum() / small.sum()
            assert found_x == pytest.approx((x + 0.5) * new_width / width - 0.5, abs=0.06)
            assert found_y == pytest.approx((y + 0.5) * new_height / height - 0.5, abs=0.06)


def test_modes(tmp_path: Path) -> None:
    """What decode() makes of 16 bits, transparency and palettes is what is sent."""
    grey = np.linspace(0, 65535, 40 * 30).reshape(30, 40).astype(np.uint16)
    Image.fromarray(grey).save(tmp_path / "grey16.png")
    Image.fromarray(grey.astype(np.float32)).save(tmp_path / "float.tif")
    Image.new("LA", (40, 30), (10, 100)).save(tmp_path / "alpha.png")
    Image.linear_gradient("L").convert("P").save(tmp_path / "palette.png")
    Image.linear_gradient("L").convert("1").save(tmp_path / "bits.png")
    Image.new("CMYK", (40, 30), (200, 10, 30, 5)).save(tmp_path / "ink.tif")
    folder, pictures = opened(tmp_path)
    for id, file in zip(folder.ids, folder.files, strict=True):
        np.testing.assert_array_equal(pixels(pictures.image(id, 1024)), np.asarray(decode(tmp_path / file)))


def test_a_picture_is_not_enlarged(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", (40, 30))
    folder, pictures = opened(tmp_path)
    assert pixels(pictures.image(folder.ids[0], 2048)).shape == (30, 40, 3)


def test_other_sides_are_refused(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    folder, pictures = opened(tmp_path)
    with pytest.raises(LeadError, match="128, 320, 1024, 2048, not 100000"):
        pictures.image(folder.ids[0], 100000)
    with pytest.raises(UnknownPicture):
        pictures.image("../../etc/hostname", 128)


def test_what_cannot_be_read_is_noted(tmp_path: Path) -> None:
    whole = draw(tmp_path / "a.jpg", (400, 300)).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nothing.png")
    folder, pictures = opened(tmp_path)
    for file in ("cut.jpg", "text.png", "gone.png"):
        with pytest.raises(UnreadablePicture, match=file):
            pictures.image(folder.id_of(file), 320)
        with pytest.raises(UnreadablePicture, match=file):
            pictures.tile(folder.id_of(file), 0, 0)
    assert {file for file, _ in folder.unreadable} == {"cut.jpg", "text.png", "gone.png"}
    assert pictures.image(folder.id_of("a.jpg"), 320).content


def test_a_changed_file_is_shown_anew(tmp_path: Path) -> None:
    draw(tmp_path / "a.png", seed=1)
    folder, pictures = opened(tmp_path)
    (id,) = folder.ids
    before, stamp = pictures.image(id, 1024), pictures.stamp(id)
    assert pictures.stamp(id) == stamp
    draw(tmp_path / "a.png", (50, 60), seed=2)
    assert pictures.stamp(id) != stamp
    assert pixels(pictures.image(id, 1024)).shape == (60, 50, 3)
    assert pictures.image(id, 1024) != before
    assert pixels(pictures.tile(id, 0, 0)).shape == (60, 50, 3)


def test_those_who_ask_at_once_share_one_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        draw(tmp_path / f"{name}.png", (800, 600), seed=ord(name))
    folder, pictures = opened(tmp_path)
    lock, now, most, calls = threading.Lock(), 0, 0, 0

    def counted(path: Path, _: Showing) -> Image.Image:
        nonlocal now, most, calls
        with lock:
            now, calls = now + 1, calls + 1
            most = max(most, now)
        image = decode(path)
        with lock:
            now -= 1
        return image

    monkeypatch.setattr(module, "decode", counted)
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda id=id, tile=tile: found.append(pictures.tile(id, tile % 2, tile // 2).content))
        for id in folder.ids
        for tile in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert calls == 4
    assert most <= module.AT_A_TIME


def test_small_ones_leave_room_for_the_one_that_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abcd":
        draw(tmp_path / f"{name}.png", (800, 600), seed=ord(name))
    folder, pictures = opened(tmp_path)
    go_on, begun = threading.Event(), threading.Semaphore(0)

    def slowly(_: Path, side: int, __: Showing) -> Image.Image:
        begun.release()
        assert go_on.wait(60)
        return Image.new("RGB", (side, side))

    monkeypatch.setattr(module, "_fitted", slowly)
    threads = [threading.Thread(target=pictures.image, args=[id, module.SMALL]) for id in folder.ids[1:]]
    for thread in threads:
        thread.start()
    assert begun.acquire(timeout=60)
    assert pixels(pictures.tile(folder.ids[0], 0, 0)).shape == (512, 512, 3)  # while all of them are waiting
    assert not begun.acquire(blocking=False)
    go_on.set()
    for thread in threads:
        thread.join()


def test_memory_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        draw(tmp_path / f"{name}.png", (700, 600))
    folder, pictures = opened(tmp_path, decoded_bytes=2 * 4 * 700 * 600)
    decoded: list[str] = []

    def counted(path: Path, _: Showing) -> Image.Image:
        decoded.append(path.stem)
        return decode(path)

    monkeypatch.setattr(module, "decode", counted)
    for name, row in zip("abacb", (0, 0, 1, 0, 1), strict=True):  # b is the least recently used when c comes
        pictures.tile(folder.id_of(f"{name}.png"), 0, row)
    assert decoded == ["a", "b", "c", "b"]


def test_a_failure_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw(tmp_path / "a.png", (700, 600))
    folder, pictures = opened(tmp_path)

    def full(_: Path, __: Showing) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(module, "decode", full)
    with pytest.raises(MemoryError):
        pictures.tile(folder.ids[0], 0, 0)
    monkeypatch.setattr(module, "decode", decode)
    assert pictures.tile(folder.ids[0], 0, 0).content
