"""Points placed with the keyboard alone, before there are any suggestions, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from browser import NAMES, Desk, Studio
from PIL import Image
from playwright.sync_api import Locator, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]

FILE = "plain.png"
WIDTH, HEIGHT = 800, 600
COARSE = WIDTH // 40


@pytest.fixture
def desk(tmp_path: Path, serve: Serve, sit: Sit) -> Desk:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for file in (FILE, "second.png"):
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 90)).save(folder / file)
    made = sit(serve(folder))
    made.name_landmarks(*NAMES)
    made.show(FILE)
    return made


def row(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]')


def press(desk: Desk, key: str, times: int = 1) -> None:
    for _ in range(times):
        desk.page.keyboard.press(key)


def test_everything_is_placed_without_a_mouse(desk: Desk) -> None:
    head, left, right, tip = NAMES
    middle = (round(WIDTH / 2 - 0.5), round(HEIGHT / 2 - 0.5))
    press(desk, "ArrowLeft", 3)
    press(desk, "ArrowUp", 2)
    press(desk, "Shift+ArrowRight", 4)
    press(desk, "Control+ArrowDown", 3)
    press(desk, "Alt+ArrowDown", 2)
    place = (middle[0] - 3 * COARSE + 4, middle[1] - 2 * COARSE + 0.5)
    expect(desk.by("crosshair-words")).to_have_text(f"Cross-hair at {place[0]}, {place[1]}")
    press(desk, "Enter")
    expect(row(desk, head)).to_have_attribute("data-state", "visible")
    expect(row(desk, left)).to_have_attribute("aria-current", "true")
    expect(desk.by("crosshair-words")).to_contain_text(f"next: {left}")
    # The next one begins where the last one was; the space bar places as well.
    press(desk, "ArrowRight", 2)
    press(desk, " ")
    expect(row(desk, left)).to_have_attribute("data-state", "visible")
    # Hidden with Shift; broken off with Escape; absent as ever.
    press(desk, "ArrowDown")
    press(desk, "Shift+Enter")
    expect(row(desk, right)).to_have_attribute("data-state", "hidden")
    press(desk, "ArrowDown")
    press(desk, "Escape")
    expect(row(desk, tip)).to_have_attribute("data-state", "unlabelled")
    press(desk, "x")
    # What has its place is nudged, as before.
    press(desk, "1")
    press(desk, "ArrowRight", 2)
    press(desk, "Shift+ArrowRight")
    press(desk, "Control+ArrowRight")
    desk.expect_saved()
    saved = desk.studio.saved()[FILE]
    assert saved[head] == pytest.approx((place[0] + 2.2, place[1], 2))
    assert saved[left] == pytest.approx((place[0] + 2 * COARSE, place[1], 2))
    assert saved[right] == pytest.approx((place[0] + 2 * COARSE, place[1] + COARSE, 1))
    assert tip not in saved


def test_enter_accepts_and_goes_on_where_no_cross_hair_is_shown(desk: Desk) -> None:
    press(desk, "ArrowLeft")
    press(desk, "Enter")
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    press(desk, "Enter")  # not a second point on the same spot
    expect(row(desk, NAMES[1])).to_have_attribute("data-state", "unlabelled")
    desk.expect_saved()
    assert set(desk.studio.saved()[FILE]) == {NAMES[0]}


def test_the_view_goes_with_the_cross_hair(desk: Desk) -> None:
    desk.zoom_at(400, 300, 6)
    box = desk.by("canvas").bounding_box()
    assert box is not None
    press(desk, "ArrowRight")
    in_sight = box["width"] / desk.scale()
    press(desk, "ArrowRight", 60)  # farther than what was in sight
    at = desk.page.evaluate("() => studio.canvas.crosshair.at")
    assert at["x"] > 400 + in_sight / 2
    x, y = desk.on_screen(at["x"], at["y"])
    assert box["x"] < x < box["x"] + box["width"]
    assert box["y"] < y < box["y"] + box["height"]
    press(desk, "Enter")
    desk.expect_saved()
    assert desk.studio.saved()[FILE][NAMES[0]][:2] == pytest.approx((at["x"], at["y"]))


def test_space_and_a_drag_pan_and_place_nothing(desk: Desk) -> None:
    press(desk, "ArrowRight")
    before = desk.on_screen(0, 0)
    desk.page.mouse.move(*desk.on_screen(400, 300))
    desk.page.keyboard.down(" ")
    desk.page.mouse.down()
    x, y = desk.on_screen(400, 300)
    desk.page.mouse.move(x + 40, y + 25, steps=3)
    desk.page.mouse.up()
    desk.page.keyboard.up(" ")
    assert desk.on_screen(0, 0) == pytest.approx((before[0] + 40, before[1] + 25), abs=1.5)
    assert desk.points() == {}
    press(desk, " ")
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")


def test_another_picture_begins_anew(desk: Desk) -> None:
    press(desk, "ArrowLeft", 5)
    desk.page.keyboard.press(".")
    desk.ready("second.png")
    assert desk.page.evaluate("() => studio.canvas.crosshair.at") is None
    press(desk, "ArrowLeft")
    assert desk.page.evaluate("() => studio.canvas.crosshair.at.x") == round(WIDTH / 2 - 0.5) - COARSE
