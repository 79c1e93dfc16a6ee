"""Review with keys and the mouse by turns, a card for each disputed picture, and the unit of errors."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
FOCUSED = "() => document.activeElement.dataset.id"


@pytest.fixture
def doubled(pictures: Beetles) -> Beetles:
    """Labelled, with two pairs of landmarks on one spot each in the first picture, and one pair in the second."""
    labels = {file: dict(pictures.truth[file]) for file in pictures.files[:8]}
    first, second = (labels[file] for file in pictures.files[:2])
    first["elytra_left"], first["abdomen_tip"] = first["head"], first["elytra_right"]
    second["elytra_left"] = second["head"]
    write_labels(pictures.folder, labels)
    return pictures


def card(desk: Desk, file: str) -> str:
    return f'[data-testid="dispute"][data-id="{desk.id_of(file)}"]'


def test_keys_go_on_after_a_click_on_any_button(serve: Serve, sit: Sit, doubled: Beetles, trained: Path) -> None:
    desk = sit(serve(doubled.folder, "--run", trained), "review")
    page, tiles = desk.page, desk.by("gallery").get_by_role("listitem")
    expect(tiles.first).to_be_visible()
    page.wait_for_function("() => { const {model, fitting} = studio.app.state.model; return model && !fitting }")
    bar = desk.by("histogram-31")  # that of the largest errors, which is never empty
    buttons = [desk.by(b) for b in ("review-filter-unlabelled", "review-sort-name", "unit-percent", "theme")]
    for button in (*buttons, bar, desk.by("review-show-all")):
        button.click()
        page.keyboard.press("Home")
        focused = tiles.and_(page.locator(":focus"))
        expect(focused).to_have_attribute("aria-posinset", "1")
        if button is not bar:  # which may leave just one picture
            page.keyboard.press("ArrowRight")
            expect(focused).to_have_attribute("aria-posinset", "2")
    # The mouse is elsewhere, and A accepts what the keys are at; a button keeps Enter and Space.
    shown = page.evaluate(FOCUSED)
    desk.by("theme").click()
    page.keyboard.press("a")
    expect(desk.by(f"tile-{shown}")).to_have_attribute("data-complete", "true")
    desk.by("theme").focus()
    theme = page.evaluate("() => document.documentElement.dataset.theme")
    page.keyboard.press("Enter")
    expect(page.locator("html")).not_to_have_attribute("data-theme", theme)
    expect(desk.by("gallery")).to_be_visible()
    desk.expect_saved()
    file = page.evaluate("id => studio.app.picture(id).file", shown)
    (image,) = (image for image in desk.studio.document()["images"] if image["file_name"] == file)
    (labels,) = (a for a in desk.studio.document()["annotations"] if a["image_id"] == image["id"])
    assert set(labels["accepted"]) == set(NAMES)  # nobody looked at them


def test_one_wrong_picture_is_one_card(serve: Serve, sit: Sit, doubled: Beetles) -> None:
    first, second = doubled.files[:2]
    desk = sit(serve(doubled.folder), "disputes")
    expect(desk.by("dispute")).to_have_count(2)
    expect(desk.by("disputes-number")).to_have_text("2")
    worst = desk.page.locator(card(desk, first))
    expect(worst.get_by_test_id("dispute-words")).to_have_count(2)
    expect(worst).to_contain_text("head and elytra_left are on one spot")
    expect(worst).to_contain_text("elytra_right and abdomen_tip are on one spot")
    worst.get_by_test_id("dispute-right").click()
    expect(worst).to_have_count(0)
    expect(desk.page.locator(card(desk, second))).to_be_focused()
    desk.by("toast-action").click()
    expect(worst.get_by_test_id("dispute-words")).to_have_count(2)
    desk.expect_saved()
    assert not any(annotation.get("checked") for annotation in desk.studio.document()["annotations"])


def test_keys_of_disputes_work_wherever_the_focus_is(serve: Serve, sit: Sit, doubled: Beetles) -> None:
    first, second = doubled.files[:2]
    desk = sit(serve(doubled.folder), "disputes")
    cards = {file: desk.page.locator(card(desk, file)) for file in (first, second)}
    expect(cards[first].or_(cards[second])).to_have_count(2)
    order = (
        [first, second] if desk.by("dispute").first.get_attribute("data-id") == desk.id_of(first) else [second, first]
    )
    desk.by("theme").click()
    desk.page.keyboard.press("j")
    expect(cards[order[0]]).to_be_focused()
    desk.page.keyboard.press("j")
    expect(cards[order[1]]).to_be_focused()
    desk.by("unit-percent").click()
    expect(cards[order[1]]).to_be_focused()
    desk.by("theme").click()
    desk.page.keyboard.press("r")
    expect(cards[order[1]]).to_have_count(0)
    desk.page.keyboard.press("b")
    expect(desk.by("dispute")).to_have_count(0)
    desk.expect_saved()
    (skipped,) = (image for image in desk.studio.document()["images"] if image.get("tags"))
    assert (skipped["file_name"], skipped["tags"]) == (order[0], ["skip"])


def test_one_unit_for_one_error(serve: Serve, sit: Sit, doubled: Beetles, trained: Path) -> None:
    desk = sit(serve(doubled.folder, "--run", trained), "review")
    shown = {"px": r"[\d.,]+ px", "percent": r"[\d.,]+ %"}
    wanted = doubled.files[10]
    expect(desk.by("expected").first).to_be_visible()
    for unit, other in (("percent", "px"), ("px", "percent")):
        desk.by(f"unit-{unit}").click()
        places = {
            "review": ["review-summary", "expected", "model-status"],
            "disputes": ["dispute-words", "model-status"],
            f"label/{desk.id_of(wanted)}": ["landmarks", "rail", "model-status"],
            "features": ["model-fit", "model-status"],
        }
        for route, testids in places.items():
            desk.go(route)
            for testid in testids:
                expect(desk.by(testid).first).to_contain_text(re.compile(shown[unit]))
                expect(desk.by(testid).first).not_to_contain_text(re.compile(shown[other]))
        desk.go("review")
        desk.page.reload()
        expect(desk.by(f"unit-{unit}")).to_have_attribute("aria-checked", "true")
