"""Labelling by the keyboard alone: Tab through the page, the list of landmarks, and keys of one's own choice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import Locator, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def row(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]')


def focused(desk: Desk) -> str:
    """What has the focus: its test id, "skip" for the link at the top, "" for nothing."""
    found: str = desk.page.evaluate(
        "() => { const e = document.activeElement;"
        " return e?.dataset.testid ?? (e?.classList.contains('skip') ? 'skip' : '') }"
    )
    return found


def reloaded(desk: Desk) -> None:
    """As one finds the page: nothing has the focus."""
    id = desk.page.evaluate("() => studio.app.route.id")
    desk.page.reload()
    expect(desk.by("canvas")).to_have_attribute("data-ready", id)


@pytest.fixture
def desk(serve: Serve, sit: Sit, pictures: Beetles) -> Desk:
    """A picture without labels, before there is any model."""
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.show(pictures.files[0])
    return desk


def test_tab_leads_through_the_whole_page(desk: Desk) -> None:
    reloaded(desk)
    stops: list[str] = []
    for _ in range(80):
        desk.page.keyboard.press("Tab")
        stops.append(focused(desk))
        if stops[-1] == "skip" and len(stops) > 1:
            break
    assert stops[0] == "skip"  # first of all the way past the top bar
    assert stops[-1] in ("skip", "")  # round once, and not for ever among the landmarks
    for stop in ("nav-label", "rail-search", "undo", "canvas", "next-suggested", "absent"):
        assert stop in stops, stop
    assert stops.count("landmark") == 1  # the list is one stop
    assert stops.index("canvas") < stops.index("landmark") < stops.index("absent")
    desk.page.keyboard.press("Shift+Tab")  # and back


def test_the_skip_link_leads_to_the_picture(desk: Desk) -> None:
    reloaded(desk)
    before = desk.page.url
    desk.page.keyboard.press("Tab")
    desk.page.keyboard.press("Enter")
    expect(desk.by("canvas")).to_be_focused()
    assert desk.page.url == before


def test_arrow_keys_choose_in_the_list_of_landmarks(desk: Desk) -> None:
    keys = desk.page.keyboard
    row(desk, NAMES[0]).focus()
    keys.press("ArrowDown")
    expect(row(desk, NAMES[1])).to_be_focused()
    expect(row(desk, NAMES[1])).to_have_attribute("aria-current", "true")
    keys.press("End")
    expect(row(desk, NAMES[-1])).to_be_focused()
    keys.press("ArrowDown")  # there is no further
    expect(row(desk, NAMES[-1])).to_be_focused()
    keys.press("Home")
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    expect(row(desk, NAMES[0])).to_be_focused()
    assert desk.points() == {}  # nothing was moved by that
    keys.press("x")  # what a letter does, it does here too
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "absent")
    keys.press("Enter")
    expect(desk.by("canvas")).to_be_focused()
    expect(row(desk, NAMES[0])).to_have_attribute("aria-current", "true")
    keys.press("j")
    expect(row(desk, NAMES[1])).to_have_attribute("aria-current", "true")
    keys.press("[")
    expect(row(desk, NAMES[0])).to_have_attribute("aria-current", "true")


def test_escape_leads_from_a_button_to_the_picture(desk: Desk) -> None:
    expect(desk.by("accept-all")).to_be_disabled()
    desk.page.keyboard.press("Escape")
    expect(desk.by("canvas")).to_be_focused()
    desk.by("skeleton").focus()
    desk.page.keyboard.press("ArrowLeft")  # a button's keys are its own
    desk.page.keyboard.press("Space")
    expect(desk.by("skeleton")).to_have_attribute("aria-pressed", "false")
    desk.page.keyboard.press("Escape")
    expect(desk.by("canvas")).to_be_focused()
    assert desk.points() == {}


def test_keys_can_be_changed(desk: Desk) -> None:
    keys = desk.page.keyboard
    keys.press("?")
    desk.by("key-hidden").press("Enter")
    keys.press("x")
    expect(desk.by("keys-said")).to_contain_text("taken: absent")
    desk.by("key-hidden").press("Enter")
    keys.press("Escape")  # leaves it, and the dialog open
    desk.by("key-hidden").press("Enter")
    keys.press("q")
    expect(desk.by("key-hidden")).to_have_text("Q")
    keys.press("Escape")
    expect(desk.by("help-dialog")).to_have_count(0)
    expect(desk.by("hidden")).to_have_attribute("title", "Hidden: there, but covered  (Q)")
    keys.press("h")  # means nothing any more
    expect(desk.by("hidden")).to_have_attribute("aria-pressed", "false")
    keys.press("q")
    expect(desk.by("hidden")).to_have_attribute("aria-pressed", "true")
    reloaded(desk)
    keys.press("q")
    expect(desk.by("hidden")).to_have_attribute("aria-pressed", "true")
    keys.press("?")
    desk.by("keys-reset").click()
    expect(desk.by("key-hidden")).to_have_text("H")
    keys.press("Escape")
    keys.press("h")
    expect(desk.by("hidden")).to_have_attribute("aria-pressed", "false")


def test_landmarks_beyond_nine(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    names = [f"part {i}" for i in range(1, 14)]
    desk = sit(serve(pictures.folder))
    desk.page.evaluate(
        "async names => { const {app} = studio; await app.api.put('/landmarks', {version: app.landmarks().version,"
        " landmarks: names.map(name => ({name, colour: '#3cb44b'}))}) }",
        names,
    )
    desk.page.wait_for_function("n => studio.app.landmarks().landmarks.length === n", arg=len(names))
    desk.show(pictures.files[0])
    # In one go, so that a busy machine is no pause between the two digits.
    desk.page.evaluate(
        "() => { for (const key of '12')"
        " document.body.dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true})) }"
    )
    expect(row(desk, "part 12")).to_have_attribute("aria-current", "true")
    keys = desk.page.keyboard
    keys.press("/")
    expect(desk.by("landmark-filter")).to_be_focused()
    keys.type("13")
    expect(desk.by("landmark").filter(visible=True)).to_have_count(1)
    keys.press("Enter")
    expect(row(desk, "part 13")).to_have_attribute("aria-current", "true")
    expect(desk.by("canvas")).to_be_focused()
    expect(desk.by("landmark").filter(visible=True)).to_have_count(len(names))


def test_what_is_done_with_all_points(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first, second = pictures.files[:2]
    write_labels(pictures.folder, {first: {n: pictures.truth[first][n] for n in NAMES[:3]}})
    desk = sit(serve(pictures.folder))
    desk.show(first)
    keys = desk.page.keyboard
    row(desk, NAMES[0]).click()
    keys.press("u")
    expect(row(desk, NAMES[3])).to_have_attribute("aria-current", "true")
    keys.press("Shift+X")
    expect(row(desk, NAMES[3])).to_have_attribute("data-state", "absent")
    desk.by("toast").filter(has_text="1 landmark marked as absent").get_by_test_id("toast-action").click()
    expect(row(desk, NAMES[3])).to_have_attribute("data-state", "unlabelled")

    # By the menu, with the keyboard.
    desk.by("all-points").press("Enter")
    desk.by("all-clearAll").press("Enter")
    expect(desk.by("all-points-menu")).to_be_hidden()
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "unlabelled")
    desk.by("toast").filter(has_text="3 labels cleared").get_by_test_id("toast-action").click()
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    assert set(desk.studio.saved()[first]) == set(NAMES[:3])

    # Another picture's points are nobody's labels here until they are looked at.
    assert sorted(pictures.truth).index(second) == sorted(pictures.truth).index(first) + 1
    desk.show(second)
    keys.press("c")
    for name in NAMES[:3]:
        expect(row(desk, name)).to_have_attribute("data-state", "accepted")
    expect(row(desk, NAMES[3])).to_have_attribute("data-state", "unlabelled")
    for name, point in desk.points().items():
        assert point["accepted"]
        assert (point["x"], point["y"]) == pytest.approx(pictures.truth[first][name], abs=0.002)
    desk.by("toast").filter(has_text="copied").get_by_test_id("toast-action").click()
    expect(row(desk, NAMES[0])).to_have_attribute("data-state", "unlabelled")
    assert desk.points() == {}
