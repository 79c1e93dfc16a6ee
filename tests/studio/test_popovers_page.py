"""What opens over the picture: it closes by a press beside it, which places nothing, and can be reached as a whole."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Sit = Callable[..., Desk]

OPENED = {"note": "note-panel", "view-options": "view-panel", "tone": "tone-panel", "all-points": "all-points-menu"}
"""Buttons, and what they open."""

CUT_OFF = """element => {
    const box = element.getBoundingClientRect();
    let [left, right, top, bottom, scrolls] = [0, innerWidth, 0, innerHeight, false];
    for (let at = element.parentElement; at; at = at.parentElement) {
        const {overflowX, overflowY} = getComputedStyle(at);
        scrolls ||= ['auto', 'scroll'].includes(overflowY) && at.scrollHeight > at.clientHeight;
        if (overflowX === 'visible') continue;
        const frame = at.getBoundingClientRect();
        [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
        [top, bottom] = [Math.max(top, frame.top), Math.min(bottom, frame.bottom)];
    }
    const down = !scrolls && (box.top < top - 1 || box.bottom > bottom + 1);
    return box.left < left - 1 || box.right > right + 1 || down ? JSON.stringify(box) : '';
}"""


@pytest.fixture(scope="module")
def studio(beetle_pictures: Beetles, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    home = tmp_path_factory.mktemp("popovers")
    shutil.copytree(beetle_pictures.folder, home / "beetles")
    write_labels(home / "beetles", {file: beetle_pictures.truth[file] for file in beetle_pictures.files[:5]})
    running = Studio(home / "beetles", "--run", str(trained), home=home)
    yield running
    running.kill()


def opened(desk: Desk, button: str) -> None:
    """Opens what a button opens, and before it the panel that the button is in."""
    for panel in ("tools", "side"):
        within = desk.page.locator(f"#panel-{panel} [data-testid={button}]")
        if within.count() and not within.is_visible():
            desk.by(f"open-{panel}").click()
    desk.by(button).click()
    expect(desk.by(OPENED[button])).to_be_visible()


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (390, 844)])
def test_a_press_beside_closes_and_places_nothing(
    studio: Studio, sit: Sit, beetle_pictures: Beetles, width: int, height: int
) -> None:
    desk = sit(studio)
    desk.page.set_viewport_size({"width": width, "height": height})
    desk.show(beetle_pictures.files[8])
    canvas = desk.by("canvas").bounding_box()
    assert canvas is not None
    place = (canvas["x"] + canvas["width"] / 2, canvas["y"] + 0.85 * canvas["height"])
    in_picture = (canvas["x"] + canvas["width"] / 2, canvas["y"] + canvas["height"] / 2)
    for button in ("note", "view-options", "tone"):
        opened(desk, button)
        inside = desk.by(OPENED[button]).bounding_box()
        assert inside is not None
        covers = inside["y"] + inside["height"] > in_picture[1]
        desk.page.mouse.click(*(place if covers else in_picture))
        expect(desk.by(OPENED[button])).to_be_hidden()
        expect(desk.by(button)).to_have_attribute("aria-expanded", "false")
        expect(desk.by("canvas")).to_be_focused()
        assert desk.points() == {}
    expect(desk.page.locator(".label")).to_have_attribute("data-open", "")
    desk.page.mouse.click(*in_picture)
    assert len(desk.points()) == 1  # with nothing open it is a landmark
    desk.by("undo").click()
    desk.expect_saved()


@pytest.mark.parametrize(("width", "height"), [(360, 640), (683, 384), (1000, 500), (860, 1000)])
def test_all_of_it_can_be_reached(studio: Studio, sit: Sit, beetle_pictures: Beetles, width: int, height: int) -> None:
    desk = sit(studio)
    desk.page.set_viewport_size({"width": width, "height": height})
    desk.show(beetle_pictures.files[8])
    for button, panel in OPENED.items():
        opened(desk, button)
        for part in desk.by(panel).locator(":is(button, input, select, textarea, p):visible").all():
            assert part.evaluate(CUT_OFF) == "", (button, part.evaluate("e => e.outerHTML"))
        desk.page.keyboard.press("Escape")
        expect(desk.by(panel)).to_be_hidden()
        desk.page.keyboard.press("Escape")  # also the panel that it is in


def test_the_hint_and_the_notes_button_are_whole(studio: Studio, sit: Sit, beetle_pictures: Beetles) -> None:
    desk = sit(studio)
    desk.page.wait_for_function("() => studio.app.state.model.fitted_to === 5")
    for width in (360, 640, 860, 1024):
        desk.page.set_viewport_size({"width": width, "height": 800})
        desk.show(beetle_pictures.files[8])
        expect(desk.by("landmark").first).to_have_attribute("data-state", "suggested")
        hint = desk.by("hint")
        expect(hint).to_contain_text("Click")
        assert hint.evaluate("e => e.scrollWidth <= e.clientWidth"), width
        assert hint.locator("b").evaluate("e => e.scrollWidth <= e.clientWidth"), width
        assert desk.by("note").evaluate("e => e.scrollWidth <= e.clientWidth"), width
        words = desk.by("note").locator(".ellipsis")
        assert words.evaluate("e => e.clientWidth <= 1 || e.scrollWidth <= e.clientWidth"), width


def test_a_message_has_the_width_of_a_narrow_window(studio: Studio, sit: Sit) -> None:
    desk = sit(studio)
    desk.page.set_viewport_size({"width": 390, "height": 844})
    words = "These are more words than one line of a telephone's window holds, as most messages are."
    desk.page.evaluate("words => studio.app.toast(words, 'info', {label: 'Undo', run: () => {}})", words)
    box = desk.by("toast").bounding_box()
    assert box is not None
    assert box["width"] > 0.8 * 390
    assert abs(box["x"] + box["width"] / 2 - 195) <= 1


def test_what_is_said_of_a_key_stays_in_sight(studio: Studio, sit: Sit) -> None:
    desk = sit(studio)
    desk.page.set_viewport_size({"width": 683, "height": 384})
    desk.by("help").click()
    desk.by("key-skeleton").click()
    desk.page.keyboard.press("b")
    expect(desk.by("keys-said")).to_contain_text("taken")
    expect(desk.by("keys-said")).to_be_in_viewport()
