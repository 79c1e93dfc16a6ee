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
    await Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {})).slice(0, 0));
    const {violations} = await axe.run(document);
    return violations.map(({id, nodes}) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`);
}"""
LOOKS = [(theme, width) for theme in ("light", "dark") for width in (1280, 390)]
BROKEN = "broken.jpg"
LABELLED, SUGGESTED, UNREADABLE, BARE = "labelled", "suggested", "unreadable", "bare"


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


def violations(desk: Desk) -> list[str]:
    found: list[str] = desk.page.evaluate(RUN)
    return found


def seated(sit: Sit, studio: Studio, axe: str, theme: str, width: int) -> Desk:
    desk = sit(studio, color_scheme=theme, reduced_motion="reduce")
    desk.page.set_viewport_size({"width": width, "height": 844})
    desk.page.evaluate(axe)
    return desk


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_view_at_work(
    worked: Studio, sit: Sit, axe: str, beetle_pictures: Beetles, theme: str, width: int
) -> None:
    desk = seated(sit, worked, axe, theme, width)
    desk.page.wait_for_function("() => studio.app.state.model.fitted_to === 5")
    for file in (beetle_pictures.files[1], beetle_pictures.files[7]):  # labelled, and suggested
        desk.show(file)
        expect(desk.by("guide").first).to_be_attached()
        assert violations(desk) == [], file
    if width < 600:
        for panel in ("rail", "side", "tools"):
            desk.by(f"open-{panel}").click()
            assert violations(desk) == [], panel
            desk.page.keyboard.press("Escape")
    desk.go(f"label/{desk.id_of(BROKEN)}")
    expect(desk.by("view-label")).to_contain_text("cannot be shown")
    assert violations(desk) == [], "a picture that cannot be read"
    for view, shown in {
        "landmarks": "drawing",
        "features": "model-fit",
        "review": "review-summary",
        "disputes": "dispute",
        "explore": "explore-score",
        "export": "export-download",
    }.items():
        desk.go(view)
        expect(desk.by(shown).first).to_be_visible()
        assert violations(desk) == [], view
    desk.by("help").click()
    expect(desk.by("help-dialog")).to_be_visible()
    assert violations(desk) == [], "the help"


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_every_view_at_the_start(fresh: Studio, sit: Sit, axe: str, theme: str, width: int) -> None:
    desk = seated(sit, fresh, axe, theme, width)
    for view in ("label", "landmarks", "features", "review", "disputes", "explore", "export"):
        desk.go(view)
        expect(desk.by(f"view-{view}").locator("> *").first).to_be_attached()
        desk.page.wait_for_function("() => !studio.app.state.training.message")
        assert violations(desk) == [], view
