"""The next picture, in a real browser: prepared while one is labelled, so that nothing is waited for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from browser import NAMES, Desk, Studio
from pages import Beetles
from playwright.sync_api import Route, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]

SOON_MS = 30_000
"""How long a page waits at most for what it need not wait for: long, for a busy machine, and yet not for ever."""


def sit_down(serve: Serve, sit: Sit, pictures: Beetles) -> Desk:
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    return desk


def planned(desk: Desk, file: str) -> dict[str, Any]:
    """Opens a picture; what the page chooses meanwhile, once it has read that and the runner-up."""
    id = desk.id_of(file)
    with desk.page.expect_response(lambda answer: "/api/next" in answer.url and f"after={id}" in answer.url) as told:
        desk.show(file)
    choice: dict[str, Any] = told.value.json()
    desk.page.wait_for_function("id => studio.app.labels(id)", arg=choice["id"])
    return choice


def label(desk: Desk) -> None:
    """All landmarks of the picture on show."""
    places = {name: {"state": "visible", "x": 20.0 + 9 * i, "y": 31.0} for i, name in enumerate(NAMES)}
    desk.page.evaluate("places => studio.app.change(studio.app.route.id, places)", places)


def expect_shown(desk: Desk, id: str) -> None:
    expect(desk.by("canvas")).to_have_attribute("data-ready", id, timeout=SOON_MS)
    assert desk.page.evaluate("() => studio.app.route.id") == id


def hold(desk: Desk, address: str) -> list[Route]:
    """Keeps requests from the server; those that came."""
    held: list[Route] = []

    def keep(route: Route) -> None:
        held.append(route)

    desk.page.route(address, keep)
    return held


def test_enter_waits_neither_for_a_choice_nor_for_the_save(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first = pictures.files[0]
    desk = sit_down(serve, sit, pictures)
    choice = planned(desk, first)
    desk.page.wait_for_function("id => studio.app.labels(id)", arg=choice["runner_up"])
    choosing, saving = hold(desk, "**/api/next*"), hold(desk, "**/labels")
    for following in (choice["id"], choice["runner_up"]):
        label(desk)
        desk.page.keyboard.press("Enter")
        expect_shown(desk, following)
    assert len(saving) == 2
    assert desk.studio.saved() == {}
    expect(desk.by("save-state")).to_have_attribute("data-state", "saving")
    desk.page.unroute("**/labels")
    for route in [*saving, *choosing]:
        route.continue_()
    desk.expect_saved()
    second = desk.page.evaluate("id => studio.app.picture(id).file", choice["id"])
    saved = {file: set(points) for file, points in desk.studio.saved().items()}
    assert saved == {first: set(NAMES), second: set(NAMES)}


def test_a_choice_that_has_changed_is_for_the_time_after(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit_down(serve, sit, pictures)
    first, other = pictures.files[0], pictures.files[-1]
    choice = planned(desk, first)
    better = choice | {"id": desk.id_of(other), "kind": "coverage", "reason": "It is better now.", "runner_up": None}
    desk.page.route("**/api/next*", lambda route: route.fulfill(json=better))
    label(desk)
    desk.page.keyboard.press("Enter")
    expect_shown(desk, choice["id"])
    expect(desk.by("reason")).to_contain_text(choice["reason"])
    desk.page.wait_for_function("id => studio.app.labels(id)", arg=better["id"])  # it has been read by now
    desk.page.keyboard.press("n")
    expect_shown(desk, better["id"])
    expect(desk.by("reason")).to_contain_text(better["reason"])


def test_what_was_labelled_meanwhile_is_passed_over(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit_down(serve, sit, pictures)
    choice = planned(desk, pictures.files[0])
    hold(desk, "**/api/next*")
    points = {name: {"state": "visible", "x": 30.0, "y": 40.0 + 9 * i} for i, name in enumerate(NAMES)}
    desk.page.evaluate(  # as another person's page does
        "({id, points}) => studio.app.api.patch(`/pictures/${id}/labels`,"
        " {base: studio.app.labels(id).version, points})",
        {"id": choice["id"], "points": points},
    )
    desk.page.wait_for_function("id => studio.app.picture(id).complete", arg=choice["id"])
    desk.page.keyboard.press("n")
    expect_shown(desk, choice["runner_up"])


def test_the_list_s_order_is_prepared_too(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit_down(serve, sit, pictures)
    first = pictures.files[0]
    desk.show(first)
    desk.by("next-mode").select_option("order")
    following = desk.page.evaluate("id => studio.app.pictures[studio.app.index.get(id) + 1].id", desk.id_of(first))
    desk.page.wait_for_function("id => studio.app.labels(id)", arg=following)
    hold(desk, f"**/api/pictures/{following}")  # its labels and size are there already
    desk.by("canvas").focus()
    label(desk)
    desk.page.keyboard.press("Enter")
    expect_shown(desk, following)
