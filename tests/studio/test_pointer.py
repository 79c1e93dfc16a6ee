"""Mouse and fingers on the picture in a real browser: what a click, a drag, a tap and a pinch do, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import NAMES, Desk, Studio, write_labels
from PIL import Image
from plain import DARK, LIGHT, box_of, row, shot, view, write_plain
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
Place = tuple[float, float]

LARGE = (2000, 2941)
BAND = 60
"""Pixels between the middle of a large picture and its red band."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two plain pictures, and a large grey one with a red band right of its middle."""
    root = write_plain(tmp_path / "pictures")
    pixels = np.full((LARGE[1], LARGE[0], 3), 110, np.uint8)
    middle = LARGE[0] // 2
    pixels[:, middle + BAND : middle + BAND + 16] = (220, 0, 0)
    Image.fromarray(pixels).save(root / "large.png", compress_level=1)
    return root


@pytest.fixture
def desk(folder: Path, serve: Serve, sit: Sit) -> Desk:
    """Before a picture of which nothing is labelled."""
    made = sit(serve(folder))
    made.name_landmarks(*NAMES)
    made.show(DARK)
    return made


def expect_cursor(desk: Desk, shape: str) -> None:
    """Waits for it: the page takes note of a move, and of what a click has done, when it comes to it."""
    desk.page.wait_for_function("shape => studio.canvas.element.style.cursor === shape", arg=shape)


# --- clicks and drags -------------------------------------------------------------------------------------------------


def test_points_a_pixel_apart_are_each_placed_by_a_click(desk: Desk) -> None:
    places = {name: (300.0 + i, 200.0) for i, name in enumerate(NAMES)}
    desk.zoom_at(300, 200, 6.31)
    for name, place in places.items():
        expect(row(desk, name)).to_have_attribute("aria-current", "true")
        desk.click(*place)
        expect(row(desk, name)).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    saved = desk.studio.saved()[DARK]
    for name, place in places.items():
        assert saved[name][:2] == pytest.approx(place, abs=0.2), name


def test_a_drag_takes_hold_of_a_point_and_the_next_click_places(desk: Desk) -> None:
    head, left, right, tip = NAMES
    desk.click(200, 200)
    desk.click(300, 200)
    expect(row(desk, right)).to_have_attribute("aria-current", "true")
    scale = desk.scale()
    desk.drag((200, 200), (220, 260))  # while the third waits
    expect(row(desk, head)).to_have_attribute("aria-current", "true")
    desk.page.keyboard.press("ArrowRight")  # the arrow keys move on what was moved
    expect(desk.by("hint")).to_contain_text(right)
    desk.click(304, 202)  # beside the second point: the third is placed, and none is taken hold of
    expect(row(desk, right)).to_have_attribute("data-state", "visible")
    row(desk, tip).click()
    desk.click(300, 200)  # on the second itself
    desk.expect_saved()
    saved = desk.studio.saved()[DARK]
    pixel = 1.01 / scale
    assert saved[head][:2] == pytest.approx((221, 260), abs=pixel)
    assert saved[left][:2] == pytest.approx((300, 200), abs=pixel)
    assert saved[right][:2] == pytest.approx((304, 202), abs=pixel)
    assert saved[tip][:2] == pytest.approx((300, 200), abs=pixel)


def test_a_drag_that_is_broken_off_leaves_everything_as_it_was(desk: Desk) -> None:
    desk.click(200, 200)
    desk.page.mouse.move(*desk.on_screen(200, 200))
    desk.page.mouse.down()
    desk.page.mouse.move(*desk.on_screen(260, 240), steps=4)
    desk.page.keyboard.press("Escape")
    desk.page.mouse.up()
    expect(row(desk, NAMES[1])).to_have_attribute("aria-current", "true")  # waits as before
    desk.click(400, 300)
    desk.expect_saved()
    saved = desk.studio.saved()[DARK]
    assert saved[NAMES[0]][:2] == pytest.approx((200, 200), abs=1)
    assert saved[NAMES[1]][:2] == pytest.approx((400, 300), abs=1)


def test_where_nothing_waits_a_click_selects_or_says_that_it_does_nothing(desk: Desk) -> None:
    places = [(100.0, 100.0), (300.0, 100.0), (300.0, 300.0), (100.0, 300.0)]
    for place in places:
        desk.click(*place)
    expect(desk.by("hint")).to_contain_text("All labelled")
    desk.page.mouse.move(*desk.on_screen(*places[2]))
    expect_cursor(desk, "move")
    desk.click(*places[2])
    expect(row(desk, NAMES[2])).to_have_attribute("aria-current", "true")
    desk.page.mouse.move(*desk.on_screen(500, 400))
    expect_cursor(desk, "grab")  # a hand is there before it presses
    desk.click(500, 400)
    expect(desk.by("hint")).to_contain_text("Nothing waits")
    expect_cursor(desk, "grab")
    before = view(desk)
    desk.drag((500, 400), (520, 430))  # what is dragged is the picture
    scale, left, top = before
    assert view(desk) == pytest.approx((scale, left + 20 * scale, top + 30 * scale), abs=1)
    desk.expect_saved()
    saved = desk.studio.saved()[DARK]
    for name, place in zip(NAMES, places, strict=True):
        assert saved[name][:2] == pytest.approx(place, abs=1)


def test_the_pointer_says_what_a_press_would_do(desk: Desk) -> None:
    desk.click(200, 200)
    desk.page.mouse.move(*desk.on_screen(203, 201))
    expect_cursor(desk, "crosshair")  # the second one would be placed here, on the first
    outside = desk.on_screen(-5, 200)
    desk.page.mouse.move(*outside)
    expect_cursor(desk, "grab")
    desk.page.mouse.click(*outside)
    expect(desk.by("hint")).to_contain_text("outside the picture")
    desk.page.mouse.move(*desk.on_screen(200, 200))
    desk.page.keyboard.press("j")  # another one without a place: a click still places
    expect_cursor(desk, "crosshair")


def test_the_picture_stays_where_it_is_when_a_landmark_is_chosen(folder: Path, serve: Serve, sit: Sit) -> None:
    """Also one close to the picture's edge, with the whole picture in sight."""
    write_labels(folder, {DARK: {name: (10.0, 3.0 + 150 * i) for i, name in enumerate(NAMES)}})
    desk = sit(serve(folder))
    desk.show(DARK)
    before = view(desk), box_of(desk, "canvas")
    for name in NAMES:
        row(desk, name).click()
        desk.page.keyboard.press("ArrowUp")
    desk.expect_saved()
    assert (view(desk), box_of(desk, "canvas")) == before
    desk.show(LIGHT)
    desk.click(10, 3)  # the first click of a picture
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    assert (view(desk), box_of(desk, "canvas")) == before


# --- fingers ----------------------------------------------------------------------------------------------------------


class Fingers:
    """Of a hand on the screen, as the system tells the browser of them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.session = desk.page.context.new_cdp_session(desk.page)
        self.at: list[Place] = []

    def tell(self, kind: str, at: list[Place]) -> None:
        self.at = at
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(at)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def down(self, *at: Place) -> None:
        self.tell("touchStart", [*self.at, *at])

    def move(self, *to: Place, steps: int = 5) -> None:
        begin = self.at
        for step in range(1, steps + 1):
            part = step / steps
            now = [(x + (u - x) * part, y + (v - y) * part) for (x, y), (u, v) in zip(begin, to, strict=True)]
            self.tell("touchMove", now)

    def up(self, left: int = 0) -> None:
        """All of them, or all but the first ones."""
        if left:
            lifted = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(self.at)][left:]
            self.session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": lifted})
            self.at = self.at[:left]
        else:
            self.tell("touchEnd", [])

    def tap(self, at: Place) -> None:
        self.down(at)
        self.up()


@pytest.fixture
def fingers(folder: Path, serve: Serve, sit: Sit) -> Fingers:
    made = sit(serve(folder), has_touch=True)
    made.name_landmarks(*NAMES)
    made.show(DARK)
    return Fingers(made)


def test_a_pinch_zooms_about_its_middle_and_places_nothing(fingers: Fingers) -> None:
    desk = fingers.desk
    before = desk.scale()
    x, y = desk.on_screen(250, 200)
    fingers.down((x - 40, y))
    fingers.down((x + 40, y))
    fingers.move((x - 120, y - 30), (x + 120, y - 30))
    fingers.up(left=1)
    assert desk.scale() == pytest.approx(3 * before, rel=0.01)
    assert desk.on_screen(250, 200) == pytest.approx((x, y - 30), abs=1)  # two fingers pan, too
    fingers.move((x - 60, y + 10))  # the finger that is left pans on
    fingers.up()
    assert desk.on_screen(250, 200) == pytest.approx((x + 60, y + 10), abs=1)
    assert desk.points() == {}
    fingers.tap(desk.on_screen(260, 210))  # and then a tap places
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    assert set(desk.studio.saved()[DARK]) == {NAMES[0]}
    assert desk.studio.saved()[DARK][NAMES[0]][:2] == pytest.approx((260, 210), abs=0.5)


def test_one_finger_says_which_way_is_up_and_two_pinch_the_turned_view(fingers: Fingers) -> None:
    desk = fingers.desk
    desk.page.keyboard.press("r")
    desk.page.keyboard.press("w")
    x, y = desk.on_screen(250, 200)
    fingers.down((x - 40, y))
    fingers.down((x + 40, y))  # two zoom, and say nothing
    fingers.move((x - 60, y), (x + 60, y))
    fingers.up()
    expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "true")
    fingers.down((x, y))
    fingers.move((x + 100, y))  # the right is up
    fingers.up()
    desk.page.wait_for_function("() => Math.abs(studio.canvas.turn + Math.PI / 2) < 0.01")
    left, right = desk.on_screen(200, 200), desk.on_screen(300, 200)
    assert right[0] == pytest.approx(left[0], abs=1)
    assert right[1] < left[1] - 50
    before = desk.scale()
    x, y = desk.on_screen(250, 200)
    fingers.down((x - 40, y))
    fingers.down((x + 40, y))
    fingers.move((x - 60, y - 30), (x + 60, y - 30))
    fingers.up()
    assert desk.scale() == pytest.approx(1.5 * before, rel=0.01)
    assert desk.on_screen(250, 200) == pytest.approx((x, y - 30), abs=1)
    assert desk.points() == {}
    fingers.tap(desk.on_screen(260, 210))
    desk.expect_saved()
    assert desk.studio.saved()[DARK][NAMES[0]][:2] == pytest.approx((260, 210), abs=0.5)


def test_one_finger_pans_and_a_second_one_makes_a_tap_none(fingers: Fingers) -> None:
    desk = fingers.desk
    scale, left, top = view(desk)
    x, y = desk.on_screen(320, 240)
    fingers.down((x, y))
    fingers.move((x + 60, y - 45))
    fingers.up()
    assert view(desk) == pytest.approx((scale, left + 60, top - 45), abs=1)
    fingers.down((x, y))
    fingers.down((x + 90, y))
    fingers.up()
    assert desk.points() == {}
    fingers.tap((x, y))
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    fingers.tap((x + 12, y))  # within a finger's reach of the first, and yet the second's place
    expect(row(desk, NAMES[1])).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    saved = desk.studio.saved()[DARK]
    assert set(saved) == set(NAMES[:2])
    assert saved[NAMES[1]][0] - saved[NAMES[0]][0] == pytest.approx(12 / scale, abs=0.01)


def test_a_long_press_takes_hold_of_a_point(fingers: Fingers) -> None:
    desk = fingers.desk
    scale = desk.scale()
    fingers.tap(desk.on_screen(320, 240))
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    x, y = desk.on_screen(320, 240)
    fingers.down((x + 18, y))  # beside it, within a finger's reach
    desk.page.wait_for_function("() => studio.canvas.drag?.kind === 'point'")
    fingers.move((x + 18 + 50, y + 30))
    assert desk.points()[NAMES[0]]["x"] == pytest.approx(320, abs=1)  # not before it is let go of
    fingers.up()
    desk.expect_saved()
    saved = desk.studio.saved()[DARK]
    assert set(saved) == {NAMES[0]}
    assert saved[NAMES[0]][:2] == pytest.approx((320 + 50 / scale, 240 + 30 / scale), abs=1)
    fingers.down((x + 50, y + 30))
    desk.page.wait_for_function("() => studio.canvas.drag?.kind === 'point'")
    fingers.move((x + 90, y + 90))
    fingers.down((x + 200, y))  # a second finger: nothing is moved after all
    fingers.move((x + 95, y + 90), (x + 240, y))
    fingers.up()
    desk.expect_saved()
    assert desk.studio.saved()[DARK] == saved


def test_a_pen_is_like_the_mouse(desk: Desk) -> None:
    session = desk.page.context.new_cdp_session(desk.page)

    def pen(kind: str, place: Place) -> None:
        x, y = desk.on_screen(*place)
        held = {"button": "left", "buttons": 1, "clickCount": 1}
        session.send("Input.dispatchMouseEvent", {"type": kind, "x": x, "y": y, "pointerType": "pen", **held})

    for place in ((200.0, 200.0), (206.0, 200.0)):
        pen("mousePressed", place)
        pen("mouseReleased", place)
    expect(row(desk, NAMES[1])).to_have_attribute("data-state", "visible")
    pen("mousePressed", (200.0, 200.0))
    pen("mouseMoved", (260.0, 250.0))
    pen("mouseReleased", (260.0, 250.0))
    desk.expect_saved()
    assert desk.studio.saved()[DARK][NAMES[0]][:2] == pytest.approx((260, 250), abs=1)


# --- the magnifier ----------------------------------------------------------------------------------------------------


def test_the_magnifier_shows_where_one_is_beside_the_pointer(desk: Desk) -> None:
    desk.show("large.png")
    middle = (LARGE[0] / 2, LARGE[1] / 2)
    desk.click(*middle)
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    desk.page.mouse.move(5, 300)
    before = shot(desk)
    left, top, _, _ = box_of(desk, "canvas")
    x, y = (round(c) for c in desk.on_screen(*middle))
    desk.page.mouse.move(x, y)
    desk.page.mouse.down()
    desk.page.mouse.move(x + 4, y + 4, steps=2)
    held = shot(desk)
    desk.page.mouse.up()
    hint = slice(0, -60)
    changed = np.abs(held - before).max(2)[hint] > 40
    rows, columns = np.nonzero(changed)
    away = np.hypot(rows + top - y, columns + left - x)
    assert away.max() < 300  # beside the pointer
    assert ((away > 18) & (away < 24)).sum() < 60  # not over it
    red = (held[hint][..., 0] > 180) & (held[hint][..., 1] < 60) & changed
    assert red.sum() > 500  # the band, 60 pixels of the picture away, can be seen in it
