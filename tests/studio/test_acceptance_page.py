"""Accepting suggestions: what is accepted says so, what is very uncertain is looked at first, and all can be undone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import Locator, Route, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]

PLACES = dict(zip(NAMES, [(80.0, 30.0), (60.0, 80.0), (100.0, 80.0), (80.0, 140.0)], strict=True))


def row(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]')


def suggest(desk: Desk, errors: dict[str, float]) -> None:
    """Lets every picture have these suggestions, with these expected errors in pixels."""
    points = {n: {"x": PLACES[n][0], "y": PLACES[n][1], "expected_px": e, "score": 0.5} for n, e in errors.items()}

    def answer(route: Route) -> None:
        id = route.request.url.split("/pictures/")[1].split("/")[0]
        body: dict[str, Any] = {"id": id, "method": "head", "model": 1, "points": points, "waiting_for": None}
        route.fulfill(json=body | {"guides": []})

    desk.page.route("**/api/pictures/*/suggestions*", answer)


def accepted(desk: Desk, file: str) -> list[str]:
    """The landmarks of a picture that the label file says were accepted."""
    document = desk.studio.document()
    (id,) = [image["id"] for image in document["images"] if image["file_name"] == file]
    (annotation,) = [a for a in document["annotations"] if a["image_id"] == id]
    found: list[str] = annotation.get("accepted", [])
    return found


def open_with(serve: Serve, sit: Sit, pictures: Beetles, errors: dict[str, float]) -> Desk:
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    suggest(desk, errors)
    desk.show(pictures.files[0])
    for name in errors:
        expect(row(desk, name)).to_have_attribute("data-state", "suggested")
    return desk


def test_what_is_accepted_is_marked_until_it_is_touched(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = open_with(serve, sit, pictures, dict.fromkeys(NAMES, 3.0))
    desk.page.keyboard.press("1")
    for name in NAMES:
        expect(row(desk, name)).to_have_attribute("aria-current", "true")
        desk.page.keyboard.press("a")
        expect(row(desk, name)).to_have_attribute("data-state", "accepted")
        expect(row(desk, name)).to_contain_text("not checked")
    desk.expect_saved()
    assert accepted(desk, file) == list(NAMES)
    assert all(mark["accepted"] for mark in desk.page.evaluate("() => studio.canvas.marks"))

    # Moved by a key, by dragging, or found right: a label of one's own.
    desk.page.keyboard.press("1")
    desk.page.keyboard.press("ArrowRight")
    expect(row(desk, "head")).to_have_attribute("data-state", "visible")
    desk.drag(PLACES["elytra_left"], (70.0, 90.0))
    expect(row(desk, "elytra_left")).to_have_attribute("data-state", "visible")
    desk.page.keyboard.press("3")
    expect(desk.by("hint")).to_contain_text("accepted, not checked")
    desk.page.keyboard.press("a")
    expect(row(desk, "elytra_right")).to_have_attribute("data-state", "visible")
    expect(row(desk, "abdomen_tip")).to_have_attribute("aria-current", "true")  # on to the next of them
    desk.expect_saved()
    assert accepted(desk, file) == ["abdomen_tip"]
    assert desk.studio.saved()[file]["elytra_right"][:2] == PLACES["elytra_right"]
    desk.page.keyboard.press("Control+z")
    expect(row(desk, "elytra_right")).to_have_attribute("data-state", "accepted")


def test_enter_says_what_it_accepted_and_it_can_be_undone(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = open_with(serve, sit, pictures, dict.fromkeys(NAMES, 3.0))
    expect(desk.by("accept-all")).to_have_attribute("data-does", "accept")
    expect(desk.by("accept-all")).to_contain_text("Accept all 4")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_function("file => studio.app.picture(studio.app.route.id).file !== file", arg=file)
    desk.expect_saved()
    assert accepted(desk, file) == list(NAMES)
    toast = desk.by("toast").filter(has_text=f"4 points accepted on {file}")
    toast.get_by_test_id("toast-action").click()  # from the next picture
    desk.ready(file)
    expect(row(desk, "head")).to_have_attribute("data-state", "suggested")
    desk.expect_saved()
    assert file not in desk.studio.saved()
    # With labels on all there is nothing to accept, and the button is another one.
    for name, place in PLACES.items():
        row(desk, name).click()
        desk.click(*place)
    expect(desk.by("accept-all")).to_have_attribute("data-does", "next")
    expect(desk.by("accept-all")).to_have_text("Next picture↵")


def test_very_uncertain_points_are_looked_at_and_not_accepted_with_the_rest(
    serve: Serve, sit: Sit, pictures: Beetles
) -> None:
    file = pictures.files[0]
    errors = {"head": 3.0, "elytra_left": 2.0, "elytra_right": 12.0, "abdomen_tip": 40.0}  # of 160 px
    desk = open_with(serve, sit, pictures, errors)
    whole = desk.scale()
    expect(desk.by("accept-all")).to_contain_text("Accept 2, look at 2")
    desk.page.keyboard.press("Enter")
    for name in ("head", "elytra_left"):
        expect(row(desk, name)).to_have_attribute("data-state", "accepted")
    for name in ("elytra_right", "abdomen_tip"):
        expect(row(desk, name)).to_have_attribute("data-state", "suggested")
    expect(desk.by("toast").filter(has_text="2 points accepted")).to_be_visible()
    expect(row(desk, "elytra_right")).to_have_attribute("aria-current", "true")
    expect(desk.by("hint")).to_contain_text("Very uncertain, ±12 px")
    assert desk.scale() > whole  # it is seen from near
    assert desk.shown() == file

    desk.page.keyboard.press("Enter")  # that one, and on to the other
    expect(row(desk, "elytra_right")).to_have_attribute("data-state", "accepted")
    expect(row(desk, "abdomen_tip")).to_have_attribute("aria-current", "true")
    expect(row(desk, "abdomen_tip")).to_have_attribute("data-state", "suggested")
    expect(desk.by("accept-all")).to_contain_text("Accept abdomen_tip")
    desk.click(80.0, 138.0)  # placed by hand instead
    expect(row(desk, "abdomen_tip")).to_have_attribute("data-state", "visible")
    assert desk.shown() == file  # nothing has gone on by itself
    desk.expect_saved()
    assert accepted(desk, file) == ["head", "elytra_left", "elytra_right"]
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_function("file => studio.app.picture(studio.app.route.id).file !== file", arg=file)


def test_a_key_does_not_accept_what_was_not_looked_at(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = open_with(serve, sit, pictures, dict.fromkeys(NAMES, 40.0))
    desk.page.keyboard.press("a")  # looks
    expect(desk.by("accept-all")).to_have_attribute("data-does", "single")
    expect(row(desk, "head")).to_have_attribute("data-state", "suggested")
    desk.page.keyboard.press("a")
    expect(row(desk, "head")).to_have_attribute("data-state", "accepted")
    expect(row(desk, "elytra_left")).to_have_attribute("aria-current", "true")


def test_nothing_stays_of_the_picture_before_on_one_that_cannot_be_read(
    serve: Serve, sit: Sit, pictures: Beetles, trained: Path
) -> None:
    first, file = pictures.files[:2]
    broken = "99999-broken.jpg"
    (pictures.folder / broken).write_bytes((pictures.folder / first).read_bytes()[:500])
    write_labels(pictures.folder, {first: pictures.truth[first]})
    desk = sit(serve(pictures.folder, "--run", trained))
    desk.page.evaluate("() => studio.app.state")
    desk.show(file)
    expect(row(desk, "head")).to_have_attribute("data-state", "suggested")
    expect(desk.by("reason")).not_to_be_empty()
    expect(desk.by("guide-name")).to_have_text(first)
    desk.go(f"label/{desk.id_of(broken)}")
    expect(desk.by("view-label")).to_contain_text("cannot be shown")
    expect(desk.by("file-name")).to_have_text(broken)
    expect(desk.by("reason")).to_be_empty()
    for name in NAMES:
        expect(row(desk, name)).to_have_attribute("data-state", "unlabelled")
        expect(row(desk, name)).not_to_contain_text("±")
    expect(desk.by("accept-all")).to_have_text("Next picture↵")
    expect(desk.by("landmark-count")).to_have_text("0 of 4")
    expect(desk.by("hint")).to_be_hidden()
    expect(desk.by("waiting")).to_be_hidden()
    expect(desk.by("guide-name")).to_be_empty()
    for button in ("accept", "hidden", "absent", "clear"):
        expect(desk.by(button)).to_be_disabled()


@pytest.mark.parametrize("view", ["export", "review", "explore"])
def test_undo_changes_nothing_unseen(serve: Serve, sit: Sit, pictures: Beetles, view: str) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.show(file)
    desk.click(*pictures.truth[file]["head"])
    expect(row(desk, "head")).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    desk.go(view)
    expect(desk.by(f"view-{view}")).to_be_visible()
    desk.page.keyboard.press("Control+z")
    toast = desk.by("toast").filter(has_text=f"The last change was head on {file}")
    expect(toast).to_be_visible()
    assert set(desk.studio.saved()[file]) == {"head"}
    if view != "export":
        return
    toast.get_by_test_id("toast-action").click()
    desk.ready(file)
    expect(row(desk, "head")).to_have_attribute("data-state", "unlabelled")
    expect(desk.by("toast").filter(has_text="Undone: head")).to_be_visible()


def test_the_guide_is_the_most_similar_labelled_picture(
    serve: Serve, sit: Sit, pictures: Beetles, trained: Path
) -> None:
    labelled = pictures.files[:5]
    file = pictures.files[6]
    twin = "zz-twin.jpg"  # last in every order
    (pictures.folder / twin).write_bytes((pictures.folder / file).read_bytes())
    write_labels(pictures.folder, {f: pictures.truth[f] for f in labelled} | {twin: pictures.truth[file]})
    desk = sit(serve(pictures.folder, "--run", trained))
    desk.page.wait_for_function("() => studio.app.state.model.stage === 'ready'")
    desk.show(file)
    expect(desk.by("guide-name")).to_have_text(twin)
    expect(desk.by("landmark-about")).to_contain_text("labelled on 6 of")
