"""The page in windows of every width, a telephone's to a large screen's: nothing is cut off, the picture is large."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Sit = Callable[..., Desk]

WINDOWS = [
    (360, 640),
    (390, 844),
    (640, 400),  # 1280 × 800 at 200 %
    (683, 384),  # 1366 × 768 at 200 %
    (768, 1024),
    (860, 1180),
    (861, 1180),
    (1024, 768),
    (1280, 800),
    (1366, 768),
    (1920, 1080),
]
VIEWS = ("landmarks", "features", "label", "review", "disputes", "explore", "export", "looks")
SETTLED = {
    "landmarks": "landmark-entry",
    "features": "model-fit",
    "label": "canvas",
    "review": "review-summary",
    "disputes": "dispute",
    "explore": "explore-tile",
    "export": "export-download",
    "looks": "look-begin",
}
"""What can be seen once a view shows what it has."""

CUT_OFF = """() => {
    const found = [];
    if (document.scrollingElement.scrollWidth > innerWidth) found.push(`the page: ${document.body.scrollWidth} px`);
    for (const control of document.querySelectorAll('button, a, input, select, summary, [tabindex="0"], canvas')) {
        const box = control.getBoundingClientRect();
        if (control.matches('.skip') || !control.checkVisibility({visibilityProperty: true})) continue;
        if (box.width <= 1) continue; // for screen readers alone
        let scrolls = false;
        let [left, right] = [0, innerWidth];
        for (let at = control.parentElement; at; at = at.parentElement) {
            const {overflowX, overflowY} = getComputedStyle(at);
            scrolls ||= ['auto', 'scroll'].includes(overflowY) && at.scrollHeight > at.clientHeight;
            if (overflowX === 'visible' || at === document.body) continue;
            const frame = at.getBoundingClientRect();
            [left, right] = [Math.max(left, frame.left), Math.min(right, frame.right)];
        }
        const name = control.dataset.testid ?? control.outerHTML.slice(0, 60);
        if (box.left < left - 1 || box.right > right + 1) found.push(`${name}: ${box.left} to ${box.right}`);
        if (!scrolls && (box.top < -1 || box.bottom > innerHeight + 1)) found.push(`${name}: down to ${box.bottom}`);
    }
    return found;
}"""
"""Controls that cannot be reached because they are beyond the window, or beyond what cuts them off sideways."""

OVERLAPS = """selector => {
    const boxes = [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).map((e) =>
        [e.dataset.testid ?? e.textContent, e.getBoundingClientRect()]).filter(([, b]) => b.width > 1);
    return boxes.flatMap(([name, a], i) => boxes.slice(i + 1).filter(([, b]) =>
        a.left < b.right - 0.5 && b.left < a.right - 0.5 && a.top < b.bottom - 0.5 && b.top < a.bottom - 0.5)
        .map(([other]) => `${name} and ${other}`));
}"""
BARS = ":is(.topbar, .stage-head, .x-bar, .side-buttons, .point-actions) :is(button, a, select, .progress)"


@pytest.fixture(scope="module")
def studio(beetle_pictures: Beetles, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio with labels, one of them disputed, suggestions and predictions, for all tests of this file."""
    home = tmp_path_factory.mktemp("widths")
    shutil.copytree(beetle_pictures.folder, home / "beetles")
    labels = {file: dict(beetle_pictures.truth[file]) for file in beetle_pictures.files[:5]}
    labels[beetle_pictures.files[0]]["head"] = labels[beetle_pictures.files[0]]["abdomen_tip"]
    write_labels(home / "beetles", labels)
    running = Studio(home / "beetles", "--run", str(trained), home=home)
    yield running
    running.kill()


def settled(desk: Desk, view: str) -> None:
    """Opens a view and waits until it shows what it has."""
    desk.go(view)
    expect(desk.by(f"view-{view}")).to_be_visible()
    expect(desk.by(SETTLED[view]).first).to_be_visible()
    if view == "label":
        expect(desk.by("canvas")).to_have_attribute("data-ready", desk.page.evaluate("() => studio.app.route.id"))


@pytest.mark.parametrize(("width", "height"), WINDOWS)
def test_nothing_is_cut_off_and_nothing_overlaps(studio: Studio, sit: Sit, width: int, height: int) -> None:
    desk = sit(studio)
    desk.page.set_viewport_size({"width": width, "height": height})
    desk.page.wait_for_function("() => studio.app.state.model.fitted_to === 5")
    for view in VIEWS:
        settled(desk, view)
        for testid in ("theme", "help", "save-state", "progress", "model-status", "nav-export"):
            expect(desk.by(testid)).to_be_visible()
        assert desk.page.evaluate(CUT_OFF) == [], view
        assert desk.page.evaluate(OVERLAPS, BARS) == [], view
        if view == "explore":
            assert desk.page.evaluate(OVERLAPS, ".x-tile") == []
        if view == "label":
            canvas = desk.by("canvas").bounding_box()
            assert canvas is not None
            assert canvas["width"] >= 0.6 * width
            assert canvas["height"] >= 0.55 * height
            # With it comes a button that is there for things that lie any way, and one that takes back what was said.
            desk.page.evaluate("() => studio.app.change(studio.app.route.id, {}, {up: {x: 0, y: -1}})")
            desk.page.keyboard.press("w")
            expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "true")
            expect(desk.by("take-up-back")).to_be_in_viewport()
            assert desk.page.evaluate(CUT_OFF) == [], "this way up"
            assert desk.page.evaluate(OVERLAPS, BARS) == [], "this way up"
            desk.page.keyboard.press("Escape")


def test_what_a_narrow_window_hides_opens_by_keyboard(studio: Studio, sit: Sit) -> None:
    desk = sit(studio)
    desk.page.set_viewport_size({"width": 390, "height": 844})
    settled(desk, "label")
    focused = desk.page.locator(":focus")
    shown = {"rail": "rail-item", "side": "landmark", "tools": "zoom-in"}
    for name, within in shown.items():
        expect(desk.by(within).first).to_be_hidden()
        desk.by(f"open-{name}").focus()
        desk.page.keyboard.press("Enter")
        expect(desk.by(within).first).to_be_visible()
        expect(desk.by(f"open-{name}")).to_have_attribute("aria-expanded", "true")
        panel = desk.page.locator(f"#{desk.by(f'open-{name}').get_attribute('aria-controls')}")
        expect(panel.locator(":focus")).to_have_count(1)
        assert desk.page.evaluate(CUT_OFF) == [], name
        desk.page.keyboard.press("Escape")
        expect(desk.by(within).first).to_be_hidden()
        expect(focused).to_have_attribute("data-testid", f"open-{name}")
    desk.by("open-rail").focus()
    desk.page.keyboard.press("Enter")
    before = desk.shown()
    row = desk.by("rail-item").filter(has_not_text=before).first
    row.focus()
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_function("file => studio.app.picture(studio.app.route.id).file !== file", arg=before)
    expect(desk.by("rail-item").first).to_be_hidden()


def test_what_a_narrow_window_hides_opens_by_touch(studio: Studio, sit: Sit) -> None:
    desk = sit(studio, has_touch=True)
    desk.page.set_viewport_size({"width": 390, "height": 844})
    settled(desk, "label")
    desk.by("open-side").tap()
    desk.by("landmark").filter(has_text=NAMES[2]).tap()
    expect(desk.by("landmark").first).to_be_hidden()
    expect(desk.by("hint")).to_contain_text(NAMES[2])
    desk.by("open-tools").tap()
    scale = desk.scale()
    desk.by("zoom-in").tap()
    desk.page.wait_for_function("scale => studio.canvas.view.scale > scale", arg=scale)
    desk.by("open-rail").tap()
    expect(desk.by("rail-item").first).to_be_visible()
    desk.page.touchscreen.tap(380, 500)  # beside the list
    expect(desk.by("rail-item").first).to_be_hidden()
