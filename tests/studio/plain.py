"""Plain pictures, and what the tests of the page's canvas look at."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from browser import Desk
from PIL import Image
from playwright.sync_api import Locator

WIDTH, HEIGHT = 640, 480
DARK, LIGHT = "dark.png", "light.png"
View = tuple[float, float, float]


def write_plain(folder: Path) -> Path:
    """A black and a white picture in a new folder."""
    folder.mkdir()
    Image.new("RGB", (WIDTH, HEIGHT), (0, 0, 0)).save(folder / DARK)
    Image.new("RGB", (WIDTH, HEIGHT), (255, 255, 255)).save(folder / LIGHT)
    return folder


def row(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]')


def view(desk: Desk) -> View:
    """Scale, left and top: where the picture is on the canvas."""
    scale, left, top = desk.page.evaluate(
        "() => { const {scale, left, top} = studio.canvas.view; return [scale, left, top] }"
    )
    return scale, left, top


def shot(desk: Desk) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The canvas as it is seen, (height, width, 3)."""
    desk.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
    return np.asarray(Image.open(io.BytesIO(desk.by("canvas").screenshot())).convert("RGB")).astype(np.int64)


def box_of(desk: Desk, testid: str) -> tuple[float, float, float, float]:
    """Left, top, width and height in CSS pixels of the window."""
    box = desk.by(testid).bounding_box()
    assert box is not None
    return box["x"], box["y"], box["width"], box["height"]
