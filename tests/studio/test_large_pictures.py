"""Pictures of up to 24 megapixels, upright, grey and turned by EXIF: labelled and exported in their own pixels, which
are seen as they are in the file."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import PATIENCE_MS, Desk, Studio, points_of
from PIL import Image
from plain import box_of, shot
from playwright.sync_api import FloatRect
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid
from tifffile import imwrite

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]

LONG, SHORT = 6000, 4000
EXACT = 0.01
"""Pixels that a place may be off after a round trip."""
ORIENTATION = 0x0112
TURNED = 6
"""EXIF: the stored top is the upright picture's right side."""
WIDE, TALL = (LONG, SHORT), (SHORT, LONG)
SIZES = {"landscape.jpg": WIDE, "portrait.jpg": (2000, 3000), "grey.png": (3000, 2000), "turned.jpg": TALL}
MARKED = {
    "landscape.jpg": (5210, 388),
    "portrait.jpg": (397, 2730),
    "grey.png": (1499, 1777),
    "turned.jpg": (3702, 4111),
}
"""A 9 × 9 square of white on dark ground around this pixel of the upright picture."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("large") / "pictures"
    root.mkdir()
    for file, (width, height) in SIZES.items():
        x, y = np.arange(width), np.arange(height)[:, None]
        pixels = ((x // 250 + y // 250) % 2 * 30 + 20).astype(np.uint8)  # a faint chequer, dark throughout
        at_x, at_y = MARKED[file]
        pixels[at_y - 4 : at_y + 5, at_x - 4 : at_x + 5] = 255
        picture = Image.fromarray(pixels)
        options: dict[str, Any] = {"quality": 95} if file.endswith("jpg") else {"compress_level": 1}
        if file == "turned.jpg":
            picture = picture.transpose(Image.Transpose.ROTATE_90)  # what a camera held upright stores
            exif = Image.Exif()
            exif[ORIENTATION] = TURNED
            options["exif"] = exif
        picture.convert("L" if file == "grey.png" else "RGB").save(root / file, **options)
    return root


@pytest.fixture
def studio(folder: Path, serve: Serve, tmp_path: Path) -> Studio:
    return serve(folder, "--labels", tmp_path / "annotations.json")


def download(desk: Desk, format: str) -> bytes:
    """An export, as the server gives it to the page."""
    answer = desk.page.request.get(f"{desk.studio.url.partition('/?')[0]}/api/export?format={format}&what=labels")
    assert answer.ok, answer.text()
    return answer.body()


def white_middle(desk: Desk, near: tuple[float, float], reach: int = 70) -> tuple[float, float]:
    """The middle of what is white on a screenshot around a place, in CSS pixels of the window."""
    left, top = (round(c) - reach for c in near)
    clip = FloatRect(x=left, y=top, width=2 * reach, height=2 * reach)
    until = time.monotonic() + PATIENCE_MS / 1000
    before = np.zeros(0)
    while time.monotonic() < until:  # the tiles at full resolution come after the picture
        shot = np.asarray(Image.open(io.BytesIO(desk.page.screenshot(clip=clip))).convert("L"))
        rows, columns = np.nonzero(shot > 200)
        if len(rows) >= (0.9 * 9 * desk.scale()) ** 2 and np.array_equal(shot, before):
            break
        before = shot
    else:
        raise AssertionError("nothing white came into sight")
    return left + float(columns.mean()) + 0.5, top + float(rows.mean()) + 0.5


@pytest.mark.parametrize("file", SIZES)
def test_what_is_pointed_at_is_what_is_exported(studio: Studio, sit: Sit, file: str) -> None:
    desk = sit(studio)
    desk.name_landmarks("spot", "other")
    desk.show(file)
    x, y = MARKED[file]
    tile = f"/tile?column={x // 512}&row={y // 512}&"
    with desk.page.expect_event("requestfinished", lambda request: tile in f"{request.url}&"):
        desk.zoom_at(x, y, 8)
    # The square is drawn where the transform says: its middle on the screen is the pixel's own.
    transformed, scale = desk.on_screen(x, y), desk.scale()
    on_screen = white_middle(desk, transformed)
    assert on_screen == pytest.approx(transformed, abs=1.0)
    # A click between pixels: the place is that of the click by the transform, not rounded to a pixel.
    at = (round(on_screen[0]) + 3, round(on_screen[1]) - 5)  # whole pixels of the screen, as a mouse has them
    clicked = desk.page.evaluate("([x, y]) => studio.canvas.toPicture(x, y)", at)
    desk.page.mouse.click(*at)
    desk.expect_saved()
    assert (clicked["x"], clicked["y"]) == pytest.approx((x + 3 / scale, y - 5 / scale), abs=2.0 / scale)
    saved = studio_points(desk)[file]["spot"]
    assert saved[:2] == pytest.approx((clicked["x"], clicked["y"]), abs=EXACT)
    exported = points_of(json.loads(download(desk, "coco")))[file]["spot"]
    assert exported[:2] == pytest.approx(saved[:2], abs=EXACT)
    (row,) = (row for row in csv.DictReader(io.StringIO(download(desk, "csv").decode())) if row["x"])
    assert row["image"].endswith(file)
    assert (float(row["x"]), float(row["y"])) == pytest.approx(saved[:2], abs=EXACT)
    (image,) = json.loads(download(desk, "coco"))["images"]
    assert (image["width"], image["height"]) == SIZES[file]


def studio_points(desk: Desk) -> dict[str, dict[str, tuple[float, float, int]]]:
    file = Path(desk.studio.arguments[desk.studio.arguments.index("--labels") + 1])
    return points_of(json.loads(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize("file", ["landscape.jpg", "turned.jpg"])
def test_a_drag_moves_by_what_the_hand_moved(studio: Studio, sit: Sit, file: str) -> None:
    desk = sit(studio)
    desk.name_landmarks("spot", "other")
    desk.show(file)
    x, y = MARKED[file]
    desk.zoom_at(x, y, 4)
    scale = desk.scale()
    desk.click(x, y)
    desk.expect_saved()
    before = desk.points()["spot"]
    begin = desk.on_screen(before["x"], before["y"])
    # Taken hold of beside its middle, it does not jump to the pointer.
    begin = (round(begin[0]) + 2, round(begin[1]) + 1)
    desk.page.mouse.move(*begin)
    desk.page.mouse.down()
    desk.page.mouse.move(begin[0] + 20, begin[1] - 7, steps=3)
    desk.page.mouse.move(begin[0] + 37, begin[1] - 21, steps=3)
    desk.page.mouse.up()
    desk.expect_saved()
    moved = studio_points(desk)[file]["spot"]
    assert moved[:2] == pytest.approx((before["x"] + 37 / scale, before["y"] - 21 / scale), abs=EXACT)


def test_an_imported_point_survives_the_page(studio: Studio, sit: Sit, tmp_path: Path) -> None:
    """Shown, nudged away and back, it is exported as it came."""
    places = {"grey.png": (1499.123, 1777.987), "turned.jpg": (3702.456, 0.004)}
    lines = ["image,name,x,y", *(f"{file},spot,{x},{y}" for file, (x, y) in places.items())]
    given = tmp_path / "given.csv"
    given.write_text("\n".join(lines) + "\n")
    desk = sit(studio)
    imported = desk.page.request.post(
        f"{studio.url.partition('/?')[0]}/api/import?what=labels&replace=false",
        data=given.read_bytes(),
        headers={"Content-Type": "application/octet-stream", "Origin": studio.url.partition("/?")[0]},
    )
    assert imported.ok, imported.text()
    for file, (x, y) in places.items():
        desk.show(file)
        desk.click(x, y)
        for key in ("ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"):
            desk.page.keyboard.press(key)
    desk.expect_saved()
    found = {row["image"]: row for row in csv.DictReader(io.StringIO(download(desk, "csv").decode()))}
    for file, place in places.items():
        assert (float(found[file]["x"]), float(found[file]["y"])) == pytest.approx(place, abs=EXACT)


# --- the file's own pixels on the screen -----------------------------------------------------------------------------

Pixels = np.ndarray[Any, np.dtype[Any]]
AT = (1303, 911)
"""What is looked at, in pixels of the picture."""
OFF = 2
"""Grey values that a pixel on the screen may be off."""
NOISY = {
    "between.png": (1500, 1200),
    "photo.jpg": (1400, 2500),
    "colours.png": (1400, 2500),
    "deep.png": (1400, 2500),
    "deep.tif": (1400, 2500),
    "scan.dcm": (1400, 2500),
}
"""Sizes of pictures of noise from pixel to pixel, of which nothing that is smaller than the file can show any; all but
the first are large enough for that. Of the last three no browser knows more than the size, if that."""


def scanned(pixels: Pixels) -> Dataset:
    """A DICOM file of 16-bit values, all of which are to be shown."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    file.file_meta.MediaStorageSOPClassUID = file.SOPClassUID = CTImageStorage
    file.file_meta.MediaStorageSOPInstanceUID = file.SOPInstanceUID = generate_uid()
    file.Rows, file.Columns = pixels.shape
    file.SamplesPerPixel, file.PixelRepresentation, file.PhotometricInterpretation = 1, 0, "MONOCHROME2"
    file.BitsAllocated = file.BitsStored = 16
    file.HighBit = 15
    file.WindowCenter, file.WindowWidth = 32768, 65536
    file.PixelData = pixels.tobytes()
    return file


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Pixels]]:
    """A folder of noise, and what is to be seen of each file: (height, width, 3) of 8 bits."""
    root = tmp_path_factory.mktemp("noisy") / "pictures"
    root.mkdir()
    truth: dict[str, Pixels] = {}
    for seed, (file, (width, height)) in enumerate(NOISY.items()):
        shape = (height, width, 3) if file == "colours.png" else (height, width)
        on = np.random.default_rng(seed).integers(0, 2, shape, dtype=np.uint8)
        eight = on * 255
        seen = eight if eight.ndim == 3 else np.repeat(eight[..., None], 3, axis=2)
        if file.startswith(("deep", "scan")):
            deep = on.astype(np.uint16) * 65535
            if file.endswith("dcm"):
                scanned(deep).save_as(root / file, enforce_file_format=True)
            elif file.endswith("tif"):
                imwrite(root / file, deep)
            else:
                Image.fromarray(deep).save(root / file, compress_level=1)
        elif file.endswith("jpg"):
            Image.fromarray(seen).save(root / file, quality=95, subsampling=0)
            seen = np.asarray(Image.open(root / file))  # what the file holds after the loss
        else:
            Image.fromarray(eight).save(root / file, compress_level=1)
        truth[file] = seen.astype(np.int64)
    return root, truth


def settle(desk: Desk) -> None:
    """Waits until everything in sight is as sharp as it can be."""
    desk.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    desk.page.wait_for_function("() => !studio.canvas.tiles.wanted.size && !studio.canvas.tiles.loading.size")


def seen_there(desk: Desk, places: Pixels) -> Pixels:
    """(..., 3) what is on the screen at places (..., 2) of the canvas, in CSS pixels."""
    picture = shot(desk)
    columns, rows = np.floor(places).astype(int).transpose(2, 0, 1)
    found: Pixels = picture[rows, columns]
    return found


def own(truth: Pixels, reach: int, aside: tuple[int, int] = (0, 0)) -> Pixels:
    """The pixels around ``AT``, or around one beside it."""
    x, y = AT[0] + aside[0], AT[1] + aside[1]
    return truth[y - reach : y + reach + 1, x - reach : x + reach + 1]


def grid(reach: int, step: float) -> Pixels:
    """(2 reach + 1, 2 reach + 1, 2) offsets x, y from the middle, one for each of the pixels around it."""
    along = np.arange(-reach, reach + 1) * step
    return np.stack(np.meshgrid(along, along), axis=-1)


@pytest.fixture
def before_noise(noisy: tuple[Path, dict[str, Pixels]], serve: Serve, sit: Sit, tmp_path: Path) -> Desk:
    desk = sit(serve(noisy[0], "--labels", tmp_path / "annotations.json"))
    desk.name_landmarks("spot", "other")
    return desk


def test_every_pixel_in_sight_is_the_file_s(noisy: tuple[Path, dict[str, Pixels]], before_noise: Desk) -> None:
    desk = before_noise
    for file, truth in noisy[1].items():
        desk.show(file)
        desk.zoom_at(*AT, 9)
        desk.page.evaluate("([x, y]) => studio.canvas.near(x, y, 1)", AT)  # in the middle, away from what lies over it
        settle(desk)
        left, top, _, _ = box_of(desk, "canvas")
        middle = np.array(desk.on_screen(*AT)) - (left, top)
        found = seen_there(desk, middle + grid(12, desk.scale()))
        assert np.abs(found - own(truth, 12)).max() <= OFF, file


@pytest.mark.parametrize("deep", [False, True], ids=["whole", "deep"])
def test_the_magnifier_shows_the_file_s_own_pixels(
    noisy: tuple[Path, dict[str, Pixels]], before_noise: Desk, deep: bool
) -> None:
    """With the whole picture in sight at full zoom, and each pixel as a square where the view is nearer."""
    desk = before_noise
    reach = 4 if deep else 50
    for file, truth in noisy[1].items():
        if not deep and max(NOISY[file]) < 2000:  # of which it shows more than that
            continue
        desk.show(file)
        if deep:
            scale = "4 / studio.canvas.fitScale(studio.canvas.picture)"
            desk.page.evaluate(f"([x, y]) => studio.canvas.visit(x, y, {scale})", AT)
        desk.page.mouse.move(*desk.on_screen(*AT))
        desk.page.mouse.down()
        settle(desk)
        corner, side, scale, x, y = desk.page.evaluate(
            """async () => {
                const {loupePlace, loupeScale, loupeSide} = await import('/static/loupe.js');
                const {view, size, drag} = studio.canvas;
                const [side, {x, y}] = [loupeSide(size), drag];
                return [loupePlace(view.place(x, y), side, size), side, loupeScale(view.scale), x, y];
            }"""
        )
        assert scale == (12 if deep else 1)
        middle = np.array(corner) + side / 2
        drawn = seen_there(desk, middle + (np.array(AT) - (x, y)) * scale + grid(reach, scale))
        desk.page.mouse.up()
        # At full zoom it may be moved by less than a pixel, of the screen and so of the picture.
        shifts = [(0, 0)] if deep else [(dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1)]
        off = [np.abs(drawn - own(truth, reach, shift)).max(axis=2) for shift in shifts]
        hidden = 17 / 81 if deep else 0.15  # by its cross and its frame
        assert max((one <= OFF).mean() for one in off) >= 1 - hidden - 1e-9, file
