"""What is drawn over the picture and how near it is shown, by the person's choice, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import NAMES, Desk, Studio
from plain import DARK, HEIGHT, LIGHT, WIDTH, box_of, row, shot, view, write_plain
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
Place = tuple[float, float]


@pytest.fixture
def desk(tmp_path: Path, serve: Serve, sit: Sit) -> Desk:
    """Before a picture of which nothing is labelled."""
    made = sit(serve(write_plain(tmp_path / "pictures")))
    made.name_landmarks(*NAMES)
    made.show(DARK)
    return made


def middle_of(desk: Desk) -> Place:
    """Of the canvas, in CSS pixels of the window."""
    left, top, width, height = box_of(desk, "canvas")
    return left + width / 2, top + height / 2


def around(desk: Desk, place: Place, reach: int = 30) -> np.ndarray[Any, np.dtype[np.int64]]:
    left, top, _, _ = box_of(desk, "canvas")
    x, y = desk.on_screen(*place)
    column, line = round(x - left), round(y - top)
    return shot(desk)[line - reach : line + reach, column - reach : column + reach]


def test_a_mark_shows_on_any_ground(desk: Desk) -> None:
    """In whatever colour, for labelled, hidden and suggested points: drawn by the page on the picture itself."""
    for file, ground in ((DARK, 0), (LIGHT, 255)):
        desk.show(file)
        for colour in ("#000000", "#ffffff"):
            for style in ("visible", "hidden", "suggested"):
                # In one go: the view would soon draw its own points again.
                drawn = desk.page.evaluate(
                    """([style, colour]) => {
                        const {canvas} = studio;
                        canvas.current = null;
                        canvas.marks = [{name: 'head', x: 300, y: 200, colour, style}];
                        canvas.paint();
                        const [x, y] = canvas.view.place(300, 200);
                        const part = canvas.element.getContext('2d').getImageData(x - 30, y - 30, 60, 60);
                        return [...part.data];
                    }""",
                    [style, colour],
                )
                stands_out = np.abs(np.array(drawn).reshape(60, 60, 4)[..., :3] - ground).min(2) > 128
                assert stands_out.sum() > 25, (file, colour, style)


def test_what_is_drawn_can_be_chosen_and_is_kept(desk: Desk) -> None:
    for place in ((200.0, 200.0), (300.0, 200.0), (300.0, 300.0), (200.0, 300.0)):
        desk.click(*place)
    spot = (300.0, 300.0)
    desk.page.mouse.move(5, 300)

    def drawn() -> int:
        return int((around(desk, spot, 16).max(2) > 60).sum())

    usual = drawn()
    desk.by("view-options").press("Enter")
    expect(desk.by("view-panel")).to_be_visible()
    expect(desk.by("point-size-normal")).to_be_focused()
    desk.page.keyboard.press("ArrowRight")  # large
    assert drawn() > 1.5 * usual
    desk.page.keyboard.press("ArrowLeft")
    desk.page.keyboard.press("ArrowLeft")  # small
    assert drawn() < 0.75 * usual
    desk.by("view-points").press("Space")
    assert drawn() == 0
    desk.page.keyboard.press("Escape")
    expect(desk.by("view-panel")).to_be_hidden()
    expect(desk.by("view-options")).to_be_focused()
    desk.page.reload()
    desk.ready(DARK)
    assert drawn() == 0
    desk.by("view-options").click()
    desk.by("view-points").check()
    desk.by("file-name").click()  # elsewhere: it closes
    expect(desk.by("view-panel")).to_be_hidden()
    assert drawn() > 0
    desk.page.keyboard.down("v")
    assert drawn() == 0
    desk.page.keyboard.up("v")
    assert drawn() > 0


def test_the_zoom_is_kept_from_picture_to_picture_where_that_is_wanted(desk: Desk) -> None:
    desk.zoom_at(200, 150, 3)
    desk.show(LIGHT)
    assert desk.scale() < 2  # usually the whole picture
    desk.by("view-options").click()
    desk.by("view-zoom").select_option("keep")
    desk.zoom_at(200, 150, 3)
    before = view(desk)
    desk.show(DARK)
    assert view(desk) == pytest.approx(before)


def test_the_view_goes_to_each_landmark_in_turn_where_that_is_wanted(desk: Desk) -> None:
    places = {name: (100.0 + 130 * i, 120.0 + 80 * i) for i, name in enumerate(NAMES)}
    for place in places.values():
        desk.click(*place)
    desk.by("view-options").click()
    desk.by("view-zoom").select_option("landmark")
    desk.by("view-times").select_option("4")
    desk.page.keyboard.press("Escape")
    whole = desk.scale()
    desk.show(LIGHT)
    middle = middle_of(desk)
    for name, place in places.items():  # each where it was on the picture before
        expect(row(desk, name)).to_have_attribute("aria-current", "true")
        assert desk.scale() == pytest.approx(4 * whole)
        assert desk.on_screen(*place) == pytest.approx(middle, abs=1)
        desk.page.mouse.click(*middle)
        expect(row(desk, name)).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    for name, place in places.items():
        assert desk.studio.saved()[LIGHT][name][:2] == pytest.approx(place, abs=0.5)


def suggest(desk: Desk, file: str, points: dict[str, tuple[float, float, float]]) -> None:
    """Lets a picture have these suggestions, x and y, with these expected errors in pixels."""
    found = {n: {"x": x, "y": y, "expected_px": e, "score": 0.5} for n, (x, y, e) in points.items()}
    body = {"id": desk.id_of(file), "method": "head", "model": 1, "points": found, "waiting_for": None, "guides": []}
    body |= {"turned": False, "up": None}
    desk.page.route(f"**/api/pictures/{desk.id_of(file)}/suggestions*", lambda route: route.fulfill(json=body))


def test_each_landmark_is_gone_to_from_as_near_as_its_error_asks_by_keys_alone(desk: Desk) -> None:
    places = [(100.0, 100.0), (400.0, 120.0), (250.0, 300.0), (420.0, 380.0)]
    for place in places:
        desk.click(*place)
    desk.expect_saved()
    # Two are suggested, as if the thing were turned, smaller and elsewhere; the others are where that puts them.
    turn, shift = 0.8 * np.exp(0.3j), 130 + 40j
    there = [complex(*place) * turn + shift for place in places]
    errors = (5.0, 25.0)
    suggestions = zip(NAMES[:2], there[:2], errors, strict=True)
    suggest(desk, LIGHT, {name: (at.real, at.imag, error) for name, at, error in suggestions})
    desk.show(LIGHT)
    expect(row(desk, NAMES[1])).to_have_attribute("data-state", "suggested")
    whole = view(desk)
    middle, (_, _, width, height) = middle_of(desk), box_of(desk, "canvas")
    keys = desk.page.keyboard

    def looks_at(number: int, state: str) -> None:
        expect(row(desk, NAMES[number])).to_have_attribute("aria-current", "true")
        expect(row(desk, NAMES[number])).to_have_attribute("data-state", state)
        assert desk.on_screen(there[number].real, there[number].imag) == pytest.approx(middle, abs=1)

    desk.by("canvas").focus()
    keys.press("z")
    expect(desk.by("near")).to_have_attribute("aria-pressed", "true")
    for number, error in enumerate(errors):  # which is an eighth of what is in sight, at most at 400 %
        looks_at(number, "suggested")
        assert desk.scale() == pytest.approx(min(min(width, height) / 8 / error, 4))
        keys.press("a")
    looks_at(2, "unlabelled")
    keys.press("ArrowRight")  # a cross-hair, from the middle
    keys.press("ArrowLeft")
    keys.press("Enter")
    looks_at(3, "unlabelled")
    x, y = (desk.points()[NAMES[2]][axis] for axis in ("x", "y"))
    assert (x, y) == pytest.approx((there[2].real, there[2].imag), abs=1)
    keys.press("Control+z")
    looks_at(2, "unlabelled")
    keys.press("Control+Shift+z")
    expect(row(desk, NAMES[2])).to_have_attribute("data-state", "visible")
    assert desk.on_screen(x, y) == pytest.approx(middle, abs=1)
    keys.press("k")
    keys.press("k")  # back to the first: what is labelled is seen from near too
    assert desk.on_screen(there[0].real, there[0].imag) == pytest.approx(middle, abs=1)
    keys.press("z")
    assert view(desk) == pytest.approx(whole)
    keys.press("z")
    desk.expect_saved()
    desk.page.reload()
    desk.ready(LIGHT)
    expect(desk.by("near")).to_have_attribute("aria-pressed", "true")
    expect(row(desk, NAMES[3])).to_have_attribute("aria-current", "true")
    desk.page.wait_for_function("(scale) => studio.canvas.view.scale > 1.5 * scale", arg=whole[0])


def test_the_overview_map_moves_the_view(desk: Desk) -> None:
    expect(desk.by("minimap")).to_be_hidden()
    desk.zoom_at(200, 150, 6)
    expect(desk.by("minimap")).to_be_visible()
    left, top, width, height = box_of(desk, "minimap")
    desk.page.mouse.move(left + width * 0.25, top + height * 0.25)
    desk.page.mouse.down()
    desk.page.mouse.move(left + width * 0.75, top + height * 0.75, steps=3)
    desk.page.mouse.up()
    there = desk.on_screen(0.75 * WIDTH, 0.75 * HEIGHT)
    assert there == pytest.approx(middle_of(desk), abs=desk.scale() * WIDTH / width)  # a pixel of the map
    before = view(desk)
    desk.by("minimap").press("ArrowLeft")
    assert view(desk)[1] > before[1]
    assert desk.points() == {}
    desk.page.keyboard.press("f")
    expect(desk.by("minimap")).to_be_hidden()
