"""Second looks in a real browser: pictures without their labels, kept apart, gone on with, and compared."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from browser import NAMES, Desk, Studio, points_of, write_labels
from pages import XY, Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
LABELLED = 3


@pytest.fixture
def desk(serve: Serve, sit: Sit, pictures: Beetles) -> Desk:
    """A desk at the second looks, with some pictures labelled."""
    write_labels(pictures.folder, {file: pictures.truth[file] for file in pictures.files[:LABELLED]})
    return sit(serve(pictures.folder), "looks")


def place(desk: Desk, points: dict[str, XY], by: float = 0.0) -> None:
    for x, y in points.values():
        desk.click(x + by, y)


def at_work(desk: Desk, pictures: Beetles) -> str:
    """The picture that is looked at, once it can be pointed at; nothing of its labels may be shown."""
    files = {desk.id_of(file): file for file in pictures.files}
    desk.page.wait_for_function("() => studio.canvas?.picture && studio.canvas.element.dataset.ready")
    id = desk.page.evaluate("() => studio.canvas.element.dataset.ready")
    assert desk.page.evaluate("() => studio.canvas.marks") == []
    for name in NAMES:
        assert desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]').get_attribute("data-state") == (
            "unlabelled"
        )
    return files[id]


def test_a_second_look_is_begun_gone_on_with_and_compared(desk: Desk, pictures: Beetles) -> None:
    labels = desk.studio.labels.read_bytes()
    desk.by("look-person").fill("Anna")
    desk.by("look-count").fill("2")
    desk.by("look-begin").click()
    expect(desk.by("look-progress")).to_have_text("1 of 2")
    first = at_work(desk, pictures)
    place(desk, pictures.truth[first], by=4)
    expect(desk.by("landmark-count")).to_have_text("4 of 4")
    desk.page.keyboard.press("Control+z")
    expect(desk.by("landmark-count")).to_have_text("3 of 4")
    # What is not saved yet is there again after the page was left, in this browser.
    route = desk.page.evaluate("() => location.hash")
    desk.page.reload()
    expect(desk.by("landmark-count")).to_have_text("3 of 4")
    assert desk.page.evaluate("() => location.hash") == route
    desk.page.wait_for_function("() => studio.canvas?.element.dataset.ready")
    last = pictures.truth[first]["abdomen_tip"]
    desk.click(last[0] + 4, last[1])
    desk.page.keyboard.press("Enter")
    expect(desk.by("look-progress")).to_have_text("2 of 2")
    expect(desk.by("landmark-count")).to_have_text("0 of 4")
    (kept,) = desk.studio.folder.glob("annotations-look-*.json")
    document = json.loads(kept.read_text(encoding="utf-8"))
    assert (document["look"]["person"], document["look"]["number"]) == ("Anna", 2)
    pixel = 0.51 / desk.scale()
    for name, (x, y, _) in points_of(document)[first].items():
        true = pictures.truth[first][name]
        assert (x, y) == pytest.approx((true[0] + 4, true[1]), abs=pixel)

    # Stopped, and gone on with.
    desk.by("look-stop").click()
    expect(desk.by("look-entry")).to_contain_text("1 of 2")
    desk.by("look-go-on").click()
    second = at_work(desk, pictures)
    assert second != first
    place(desk, pictures.truth[second])
    desk.by("look-next").click()
    rows = desk.by("look-difference")
    expect(rows).to_have_count(len(NAMES))
    expect(rows.first).to_contain_text("2.0 px")
    expect(desk.by("look-result")).to_contain_text("2 of 2 looked at")
    assert desk.studio.labels.read_bytes() == labels
    desk.go("review")
    desk.by("tab-looks").click()
    expect(desk.by("look-person")).to_have_value("Anna")


def test_what_cannot_be_saved_stays_on_the_page(desk: Desk, pictures: Beetles) -> None:
    desk.by("look-person").fill("Ben")
    desk.by("look-mine").uncheck()
    desk.by("look-first").fill("Anna")
    desk.by("look-begin").click()
    file = at_work(desk, pictures)
    place(desk, pictures.truth[file])
    desk.page.route("**/api/looks/*/pictures/*", lambda route: route.abort())
    desk.by("look-next").click()
    expect(desk.by("look-problem")).to_contain_text("What you placed is kept here")
    expect(desk.by("landmark-count")).to_have_text("4 of 4")
    desk.page.unroute("**/api/looks/*/pictures/*")
    desk.by("look-next").click()
    expect(desk.by("look-progress")).to_have_text("2 of 3")
    (kept,) = desk.studio.folder.glob("annotations-look-ben-1.json")
    assert json.loads(kept.read_text(encoding="utf-8"))["look"]["first_by"] == "Anna"

    # Somebody of the same name in another browser is asked.
    desk.by("look-stop").click()
    desk.page.evaluate("() => localStorage.removeItem('lead.person')")
    desk.by("look-person").fill("ben")
    desk.by("look-begin").click()
    desk.by("same-person-give-another-name").click()
    desk.by("look-person").fill("Ben K.")
    desk.by("look-begin").click()
    expect(desk.by("look-progress")).to_have_text("1 of 3")
    assert len(list(desk.studio.folder.glob("annotations-look-*.json"))) == 2
