"""Every view, in both themes and also on a telephone, before axe-core: no rule of its default set is violated."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Sit = Callable[..., Desk]

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ['violations']});
    return violations.map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
}"""
LOOKS = [(theme, width) for theme in ("light", "dark") for width in (1280, 390)]
BROKEN = "broken.jpg"
SHOWN = {
    "start": "step-learn",
    "landmarks": "drawing",
    "features": "model-fit",
    "review": "review-summary",
    "disputes": "dispute",
    "explore": "explore-score",
    "export": "export-download",
    "looks": "look-form",
}
"""What can be seen in a view at work."""


@pytest.fixture(scope="module")
def axe() -> str:
    """The program of the checks. Without it they are skipped, but fail where LEAD_REQUIRE_NODE is set."""
    if not AXE.is_file():
        message = f"no axe-core: npm ci puts it into {AXE.parent}"
        if os.environ.get("LEAD_REQUIRE_NODE", "0") not in ("", "0"):
            pytest.fail(message)
        pytest.skip(message)
    return AXE.read_text(encoding="utf-8")


def opened(beetles: Beetles, home: Path, labels: dict[str, Any], *arguments: str) -> Iterator[Studio]:
    shutil.copytree(beetles.folder, home / "beetles")
    (home / "beetles" / BROKEN).write_bytes(b"no picture")
    if labels:
        write_labels(home / "beetles", labels)
    running = Studio(home / "beetles", *arguments, home=home)
    yield running
    running.kill()


@pytest.fixture(scope="module")
def worked(beetle_pictures: Beetles, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio with labels, one of them disputed, suggestions and predictions."""
    labels = {file: dict(beetle_pictures.truth[file]) for file in beetle_pictures.files[:5]}
    labels[beetle_pictures.files[0]]["head"] = labels[beetle_pictures.files[0]]["abdomen_tip"]
    yield from opened(beetle_pictures, tmp_path_factory.mktemp("worked"), labels, "--run", str(trained))


@pytest.fixture(scope="module")
def fresh(beetle_pictures: Beetles, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A studio in which nothing is named, labelled or learnt yet."""
    yield from opened(beetle_pictures, tmp_path_factory.mktemp("fresh"), {})


class Checks:
    """Runs axe-core on a desk's page, and gathers what it finds, by place."""

    def __init__(self, desk: Desk, axe: str) -> None:
        self.page, self.found = desk.page, dict[str, list[str]]()
        self.page.evaluate(axe)

    def here(self, place: str) -> None:
        if found := self.page.evaluate(RUN):
            self.found[place] = found


def seated(sit: Sit, studio: Studio, theme: str, width: int) -> Desk:
    desk = sit(studio, color_scheme=theme, reduced_motion="reduce")
    desk.page.set_viewport_size({"width": width, "height": 844})
    return desk


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_view_at_work(
    worked: Studio, sit: Sit, axe: str, beetle_pictures: Beetles, theme: str, width: int
) -> None:
    desk = seated(sit, worked, theme, width)
    checks = Checks(desk, axe)
    desk.page.wait_for_function("() => studio.app.state.model.fitted_to === 5")
    for name, file in {"labelled": beetle_pictures.files[1], "suggested": beetle_pictures.files[7]}.items():
        desk.show(file)
        expect(desk.by("landmark").first).to_have_attribute("data-state", "visible" if name == "labelled" else name)
        checks.here(name)
    desk.page.evaluate("() => studio.app.change(studio.app.route.id, {}, {up: {x: 0, y: -1}})")
    desk.page.keyboard.press("w")
    expect(desk.by("this-way-up")).to_have_attribute("aria-pressed", "true")
    expect(desk.by("take-up-back")).to_be_visible()
    checks.here("this way up")
    desk.by("take-up-back").focus()
    checks.here("this way up, to be taken back")
    for panel in ("rail", "side", "tools") if width < 600 else ():
        desk.by(f"open-{panel}").click()
        checks.here(panel)
        desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("Escape")
    desk.go(f"label/{desk.id_of(BROKEN)}")
    expect(desk.by("view-label")).to_contain_text("cannot be shown")
    checks.here("unreadable")
    for view, shown in SHOWN.items():
        desk.go(view)
        expect(desk.by(shown).first).to_be_visible()
        checks.here(view)
    desk.by("help").click()
    expect(desk.by("help-dialog")).to_be_visible()
    checks.here("help")
    assert checks.found == {}


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_view_at_the_start(fresh: Studio, sit: Sit, axe: str, theme: str, width: int) -> None:
    desk = seated(sit, fresh, theme, width)
    checks = Checks(desk, axe)
    desk.page.wait_for_function("() => !studio.app.state.training.message")
    for view in ("label", *SHOWN):
        desk.go(view)
        expect(desk.by(f"view-{view}").locator("> *").first).to_be_attached()
        checks.here(view)
    assert checks.found == {}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_several_specimens(serve: Callable[..., Studio], pictures: Beetles, sit: Sit, axe: str, theme: str) -> None:
    file = pictures.files[0]
    desk = seated(sit, serve(pictures.folder), theme, 1280)
    checks = Checks(desk, axe)
    desk.name_landmarks("head", "tip")
    desk.go("landmarks")
    desk.by("shows-several").click()
    desk.page.wait_for_function("() => studio.app.landmarks().several")
    checks.here("the choice")
    desk.go("features")
    expect(desk.by("extent-picture").locator("svg")).to_be_visible()
    checks.here("how large one is")
    desk.show(file)
    desk.click(40, 40)
    desk.page.keyboard.press("i")
    desk.click(90, 90)
    expect(desk.by("specimen")).to_have_count(2)
    checks.here("two specimens")
    desk.go("landmarks")
    desk.by("curve-new").click()
    desk.by("curve-name").fill("rim")
    checks.here("a curve to come")
    desk.by("curve-add").click()
    expect(desk.by("curve-rim")).to_be_visible()
    desk.by("curve-open-rim").click()
    checks.here("a curve with its landmarks")
    desk.show(file)
    desk.by("curve").click()
    desk.click(60, 40)
    desk.click(80, 60)
    expect(desk.by("curve-clicks")).to_be_visible()
    checks.here("a curve half drawn")
    desk.page.keyboard.press("Enter")
    expect(desk.by("curve")).to_have_attribute("data-state", "visible")
    checks.here("a curve")
    count = "() => studio.app.outbox.specimens(studio.app.route.id).map((s) => Object.keys(s.points).length)"
    assert sorted(desk.page.evaluate(count)) == [1, 21]
    desk.by("specimen-name").focus()
    checks.here("a name")
    desk.page.set_viewport_size({"width": 390, "height": 844})
    checks.here("narrow")
    desk.by("open-side").click()
    checks.here("narrow, with the list")
    assert checks.found == {}
