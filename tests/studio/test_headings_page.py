"""Things that lie turned any way, in a real browser: the arrow, the view turned by it, and "this way up"."""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from browser import NAMES, Desk, Studio, write_labels
from PIL import Image, ImageDraw
from plain import box_of, row, shot
from playwright.sync_api import Route, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
Place = tuple[float, float]

HEAD, LEFT, RIGHT, TIP = NAMES
WIDTH, HEIGHT = 640, 480
MIDDLE = (300.0, 250.0)
THING = {HEAD: (0.0, -100.0), LEFT: (-60.0, 0.0), RIGHT: (60.0, 0.0), TIP: (0.0, 100.0)}
DOTS = {LEFT: (0, 255, 0), RIGHT: (0, 0, 255)}
"""Painted into the pictures, so that the screen shows where these landmarks are."""
WHOLE = (0, 90, -90, 60, -60)
"""Degrees clockwise by which the labelled things are turned; on the mean, and so in their common shape, by none."""
BEGUN = (145, -145)
"""Of the pictures on which only the head and the tip are labelled."""
BARE = 30
"""Of the one without a label."""


def places(degrees: float) -> dict[str, Place]:
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    return {n: (MIDDLE[0] + x * cos - y * sin, MIDDLE[1] + x * sin + y * cos) for n, (x, y) in THING.items()}


def file(degrees: float) -> str:
    return f"turned_{degrees}.png"


def write(folder: Path, begun: tuple[int, ...] = BEGUN, whole: tuple[int, ...] = WHOLE) -> Path:
    folder.mkdir()
    labels = {file(d): places(d) for d in whole}
    labels |= {file(d): {n: p for n, p in places(d).items() if n in (HEAD, TIP)} for d in begun}
    for degrees in (*whole, *begun, BARE):
        picture = Image.new("RGB", (WIDTH, HEIGHT), (120, 120, 120))
        draw = ImageDraw.Draw(picture)
        for name, colour in DOTS.items():
            x, y = places(degrees)[name]
            draw.ellipse([x - 8, y - 8, x + 8, y + 8], fill=colour)
        picture.save(folder / file(degrees))
    write_labels(folder, labels)
    return folder


@pytest.fixture
def desk(tmp_path: Path, serve: Serve, sit: Sit) -> Desk:
    """Before a picture that is turned by more than a quarter, the view as ever."""
    made = sit(serve(write(tmp_path / "pictures")))
    show(made, 145)
    return made


def show(desk: Desk, degrees: int) -> None:
    desk.show(file(degrees))
    id = desk.id_of(file(degrees))
    desk.page.wait_for_function("id => { const {up} = studio.canvas; return studio.app.route.id === id && up }", arg=id)


def middle_of(pixels: npt.NDArray[np.int64], name: str) -> Place:
    """Of a landmark's dot, perhaps under a shade, in whole pixels."""
    channel = int(np.argmax(DOTS[name]))
    stands_out = pixels[..., channel] - np.delete(pixels, channel, axis=-1).max(-1)
    lines, columns = np.nonzero(stands_out > max(40, 0.7 * stands_out.max()))
    assert len(lines)
    return float(columns.mean()), float(lines.mean())


def painted(desk: Desk, degrees: int, name: str) -> Place:
    """Where a landmark's dot is in a picture."""
    picture = Image.open(desk.studio.folder / file(degrees)).convert("RGB")
    return middle_of(np.asarray(picture).astype(np.int64), name)


def dot(desk: Desk, name: str, testid: str = "canvas") -> Place:
    """Where on the screen the middle of a landmark's dot is seen, in CSS pixels of the window."""
    shot(desk)  # drawn by now
    seen = Image.open(io.BytesIO(desk.by(testid).screenshot())).convert("RGB")
    x, y = middle_of(np.asarray(seen).astype(np.int64), name)
    left, top, _, _ = box_of(desk, testid)
    return left + x + 0.5, top + y + 0.5


def upright(desk: Desk) -> None:
    desk.page.keyboard.press("r")
    desk.page.wait_for_function("() => studio.canvas.turn !== 0")


def click(desk: Desk, at: Place) -> None:
    desk.page.mouse.click(*at)


def clockwise(x: float, y: float) -> float:
    """Degrees of a direction on the screen, from up."""
    return math.degrees(math.atan2(x, -y))


def apart(a: float, b: float) -> float:
    return abs((a - b + 180) % 360 - 180)


# --- the arrow --------------------------------------------------------------------------------------------------------


def test_an_arrow_shows_which_way_up_a_thing_lies(desk: Desk) -> None:
    for degrees in (145, -145, 0, 90):
        show(desk, degrees)
        up = desk.page.evaluate("() => studio.canvas.up")
        assert apart(clockwise(up["x"], up["y"]), degrees) < 1
        with_it = shot(desk)
        desk.page.evaluate("() => { studio.canvas.up = null; studio.canvas.paint(); }")
        changed: npt.NDArray[np.bool_] = np.abs(with_it - shot(desk)).max(-1) > 40
        assert changed.sum() > 60
        lines, columns = np.nonzero(changed)
        left, top, _, _ = box_of(desk, "canvas")
        points = places(degrees)
        if degrees in BEGUN:
            points = {name: points[name] for name in (HEAD, TIP)}
        middle = np.mean([desk.on_screen(*p) for p in points.values()], axis=0)
        away = (left + columns.mean() + 0.5 - middle[0], top + lines.mean() + 0.5 - middle[1])
        assert apart(clockwise(*away), degrees) < 3  # beyond the head
        assert math.hypot(*away) > 100 * desk.scale()


def test_upright_things_have_none(tmp_path: Path, serve: Serve, sit: Sit) -> None:
    desk = sit(serve(write(tmp_path / "pictures", begun=(), whole=(0, 10, -10, 20, -20))))
    desk.show(file(20))
    desk.page.wait_for_function("() => studio.app.state.model && !studio.app.state.model.message")
    told = "async id => { const {turned, up} = await studio.app.api.get(`/pictures/${id}/suggestions`);" + (
        " return [turned, up] }"
    )
    assert desk.page.evaluate(told, desk.id_of(file(20))) == [False, None]
    assert desk.page.evaluate("() => studio.canvas.up") is None
    expect(desk.by("this-way-up")).to_be_hidden()
    before = desk.on_screen(100, 100)
    desk.page.keyboard.press("r")
    expect(desk.by("toast")).to_contain_text("The view is turned where it is known")
    assert desk.on_screen(100, 100) == before


# --- the turned view --------------------------------------------------------------------------------------------------


def test_in_the_turned_view_a_click_labels_what_is_seen_there(desk: Desk) -> None:
    upright(desk)
    truth = places(145)
    left, right = dot(desk, LEFT), dot(desk, RIGHT)
    assert apart(clockwise(right[0] - left[0], right[1] - left[1]), 90) < 1  # level, and not the other way round
    click(desk, left)
    expect(row(desk, LEFT)).to_have_attribute("data-state", "visible")
    click(desk, right)
    expect(row(desk, RIGHT)).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    saved = desk.studio.saved()[file(145)]
    for name in (LEFT, RIGHT):
        assert saved[name][:2] == pytest.approx(truth[name], abs=1)
    assert saved[HEAD][:2] == pytest.approx(truth[HEAD])
    # What is taken hold of there goes where it is let go.
    desk.page.mouse.move(*left)
    desk.page.mouse.down()
    desk.page.mouse.move(left[0] + 40, left[1] - 25, steps=4)
    desk.page.mouse.up()
    desk.expect_saved()
    # 40 to the right and 25 up on the screen, in the picture, where the thing's right and up are turned by 145°.
    angle = math.radians(145)
    right_of, up_of = (math.cos(angle), math.sin(angle)), (math.sin(angle), -math.cos(angle))
    x, y = (truth[LEFT][i] + (40 * right_of[i] + 25 * up_of[i]) / desk.scale() for i in (0, 1))
    assert desk.studio.saved()[file(145)][LEFT][:2] == pytest.approx((x, y), abs=1.5)
    # The arrow keys go as the screen does.
    desk.page.keyboard.press("ArrowRight")
    desk.expect_saved()
    moved = desk.studio.saved()[file(145)][LEFT]
    was = desk.page.evaluate("() => studio.canvas.turn")
    assert apart(math.degrees(was), -145) < 1
    assert (moved[0] - x, moved[1] - y) == pytest.approx(right_of, abs=1.5)


def test_the_wheel_and_the_overview_map_work_in_the_turned_view(desk: Desk) -> None:
    upright(desk)
    at = dot(desk, LEFT)
    desk.page.mouse.move(*at)
    while desk.scale() < 5:
        before = desk.scale()
        desk.page.mouse.wheel(0, -240)
        desk.page.wait_for_function("before => studio.canvas.view.scale > before", arg=before)
    assert dot(desk, LEFT) == pytest.approx(at, abs=8)
    click(desk, dot(desk, LEFT))
    expect(row(desk, LEFT)).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    assert desk.studio.saved()[file(145)][LEFT][:2] == pytest.approx(painted(desk, 145, LEFT), abs=0.3)
    expect(desk.by("minimap")).to_be_visible()
    click(desk, dot(desk, RIGHT, "minimap"))
    left, top, width, height = box_of(desk, "canvas")
    scale = desk.scale()
    assert dot(desk, RIGHT) == pytest.approx((left + width / 2, top + height / 2), abs=6 * scale)


def test_the_switch_is_kept_and_takes_the_turn_back(desk: Desk) -> None:
    before = desk.on_screen(100, 100)
    desk.by("view-options").click()
    desk.by("view-upright").check()
    desk.page.wait_for_function("() => studio.canvas.turn !== 0")
    desk.page.keyboard.press("Escape")
    show(desk, -145)
    desk.page.wait_for_function("() => Math.abs(studio.canvas.turn * 180 / Math.PI - 145) < 1")
    desk.page.reload()
    desk.ready(file(-145))
    desk.page.wait_for_function("() => Math.abs(studio.canvas.turn * 180 / Math.PI - 145) < 1")
    desk.show(file(BARE))  # nothing is known of how that one lies
    desk.page.wait_for_function("() => studio.canvas.turn === 0")
    show(desk, 145)
    desk.page.keyboard.press("r")
    expect(desk.by("view-upright")).not_to_be_checked()
    assert desk.on_screen(100, 100) == pytest.approx(before)


def test_a_cross_hair_goes_as_the_screen_does(desk: Desk) -> None:
    upright(desk)
    for _ in range(2):
        desk.page.keyboard.press("ArrowRight")
    first = desk.page.evaluate("() => studio.canvas.crosshair.at")
    desk.page.keyboard.press("ArrowRight")
    at = desk.page.evaluate("() => studio.canvas.crosshair.at")
    angle = math.degrees(math.atan2(at["y"] - first["y"], at["x"] - first["x"]))
    assert apart(angle, 145) < 1
    desk.page.keyboard.press("Enter")
    desk.expect_saved()
    assert desk.studio.saved()[file(145)][LEFT][:2] == pytest.approx((at["x"], at["y"]), abs=0.01)


# --- this way up ------------------------------------------------------------------------------------------------------


def suggesting(desk: Desk) -> None:
    """What the server answers of the bare picture once something is said of it, as if a model had looked again."""

    def answer(route: Route) -> None:
        response = route.fetch()
        found = response.json()
        if said(desk):
            found["points"] = {HEAD: {"x": 200.0, "y": 100.0, "expected_px": 4.0, "score": 0.9}}
        route.fulfill(response=response, json=found)

    desk.page.route(f"**/{desk.id_of(file(BARE))}/suggestions", answer)


def said(desk: Desk) -> Any:
    """What the label file holds of the bare picture."""
    images = {image["file_name"]: image for image in desk.studio.document()["images"]}
    return images.get(file(BARE), {}).get("up")


def show_bare(desk: Desk) -> None:
    desk.show(file(BARE))
    desk.page.wait_for_function("() => studio.canvas.turn === 0")


def say(desk: Desk) -> None:
    """From the tip to the head of the bare picture's thing, in the view as it is."""
    desk.page.keyboard.press("w")
    points = places(BARE)
    desk.drag(points[TIP], points[HEAD])
    desk.expect_saved()


def test_a_drag_says_which_way_is_up(desk: Desk) -> None:
    suggesting(desk)
    upright(desk)
    show_bare(desk)
    expect(desk.by("this-way-up")).to_be_visible()
    desk.by("this-way-up").click()
    expect(desk.by("hint")).to_contain_text("Drag from its bottom to its top")
    expect(desk.by("take-up-back")).to_have_count(0)
    points = places(BARE)
    desk.drag(points[TIP], points[HEAD])
    desk.page.wait_for_function("() => studio.canvas.marks.length === 1")
    desk.expect_saved()
    up = said(desk)
    assert apart(clockwise(up["x"], up["y"]), BARE) < 1
    assert math.hypot(up["x"], up["y"]) == pytest.approx(1)
    left, right = dot(desk, LEFT), dot(desk, RIGHT)
    assert apart(clockwise(right[0] - left[0], right[1] - left[1]), 90) < 1  # the view went with it
    assert desk.points() == {}  # nothing was labelled by the drag
    mark = desk.page.evaluate("() => studio.canvas.marks[0]")
    assert (mark["name"], mark["x"], mark["y"]) == (HEAD, 200, 100)
    # Said again, in the turned view: straight down on the screen is 180° from where up was.
    desk.page.keyboard.press("w")
    desk.page.mouse.move(*left)
    desk.page.mouse.down()
    desk.page.mouse.move(left[0], left[1] + 80, steps=3)
    desk.page.mouse.up()
    desk.page.wait_for_function("() => Math.abs(studio.canvas.turn) > 2")
    desk.expect_saved()
    up = said(desk)
    assert apart(clockwise(up["x"], up["y"]), BARE + 180) < 1
    # The server keeps it: the picture comes up so again.
    desk.page.reload()
    desk.ready(file(BARE))
    desk.page.wait_for_function("() => Math.abs(studio.canvas.turn) > 2")


def test_what_was_said_is_undone_and_redone(desk: Desk) -> None:
    suggesting(desk)
    upright(desk)
    show_bare(desk)
    say(desk)
    desk.page.wait_for_function("() => studio.canvas.marks.length === 1")
    desk.page.keyboard.press("Control+z")
    desk.page.wait_for_function("() => studio.canvas.turn === 0 && studio.canvas.marks.length === 0")
    desk.expect_saved()
    assert said(desk) is None
    desk.page.keyboard.press("Control+Shift+z")
    desk.page.wait_for_function("() => studio.canvas.turn !== 0 && studio.canvas.marks.length === 1")
    desk.expect_saved()
    up = said(desk)
    assert apart(clockwise(up["x"], up["y"]), BARE) < 1


@pytest.mark.parametrize("by", ["button", "key"])
def test_what_was_said_is_taken_back_later(desk: Desk, by: str) -> None:
    show_bare(desk)
    say(desk)
    assert said(desk) is not None
    desk.page.evaluate("() => sessionStorage.clear()")  # nothing is left to undo
    desk.page.reload()
    desk.ready(file(BARE))
    desk.page.wait_for_function("() => studio.canvas.up")
    desk.page.keyboard.press("w")
    if by == "button":
        desk.by("take-up-back").click()
    else:
        desk.page.keyboard.press("Delete")
    desk.page.wait_for_function("() => !studio.canvas.up")
    expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "false")
    desk.expect_saved()
    assert said(desk) is None


def test_another_tab_hears_of_it(desk: Desk, sit: Sit) -> None:
    other = sit(desk.studio)
    other.show(file(BARE))
    show_bare(desk)
    say(desk)
    other.page.wait_for_function("() => studio.canvas.up")
    up = other.page.evaluate("() => studio.canvas.up")
    assert apart(clockwise(up["x"], up["y"]), BARE) < 1


def test_it_is_said_without_a_server_and_sent_later(desk: Desk) -> None:
    upright(desk)
    show_bare(desk)
    desk.page.route("**/labels", lambda route: route.abort())
    desk.page.keyboard.press("w")
    points = places(BARE)
    desk.drag(points[TIP], points[HEAD])
    desk.page.wait_for_function("() => studio.canvas.turn !== 0")
    assert said(desk) is None
    desk.page.unroute("**/labels")
    desk.page.evaluate("() => studio.app.outbox.retry()")
    desk.expect_saved()
    up = said(desk)
    assert apart(clockwise(up["x"], up["y"]), BARE) < 1


def test_saying_it_can_be_broken_off(desk: Desk) -> None:
    desk.page.keyboard.press("w")
    expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "true")
    desk.click(300, 250)  # a drag that goes nowhere says nothing, and places nothing
    expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "true")
    desk.page.keyboard.press("Escape")
    expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "false")
    desk.click(*places(145)[LEFT])  # as ever
    expect(row(desk, LEFT)).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    assert not any("up" in image for image in desk.studio.document()["images"])
    assert set(desk.points()) == {HEAD, LEFT, TIP}
