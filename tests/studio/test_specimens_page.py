"""Several specimens in a picture, in a real browser: labelled, switched, taken out, marked complete, suggested."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from browser import NAMES, Desk, Studio
from pages import XY, Beetles
from playwright.sync_api import Locator, Route, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
AWAY = 60.0
"""Pixels from one drawn specimen to the next: farther than a press reaches."""


def several(desk: Desk) -> None:
    """Names the landmarks, of several specimens a picture."""
    desk.name_landmarks(*NAMES)
    desk.page.evaluate(
        "async () => { const {app} = studio;"
        " app.newLandmarks(await app.api.put('/landmarks', {...app.landmarks(), several: true})) }"
    )
    desk.page.wait_for_function("() => studio.app.landmarks().several")


def specimens(desk: Desk) -> Locator:
    return desk.by("specimen")


def current(desk: Desk) -> Locator:
    return desk.page.locator('[data-testid="specimen"][aria-current="true"]')


def shape(x: float, y: float, step: float = 12.0) -> dict[str, XY]:
    """Four landmarks around a place."""
    places = ((x, y - step), (x - step, y), (x + step, y), (x, y + step))
    return dict(zip(NAMES, places, strict=True))


def drawn_in(studio: Studio) -> dict[str, list[dict[str, Any]]]:
    """Of every picture in the file, its annotations, each with its `keypoints` by name."""
    document = studio.document()
    files = {image["id"]: image["file_name"] for image in document["images"]}
    found = defaultdict[str, list[dict[str, Any]]](list)
    for annotation in document["annotations"]:
        triples = zip(*[iter(annotation["keypoints"])] * 3, strict=True)
        points = {n: (x, y) for n, (x, y, v) in zip(NAMES, triples, strict=True) if v}
        found[files[annotation["image_id"]]].append(annotation | {"points": points})
    return found


def serve_suggestions(desk: Desk, file: str, shapes: Sequence[dict[str, XY]]) -> None:
    """The page is told of these as suggested specimens of a picture, whatever the server knows."""
    suggested = [
        {
            "key": None,
            "likely": 0.9,
            "points": {n: {"x": x, "y": y, "expected_px": 1.0, "score": 0.5} for n, (x, y) in points.items()},
        }
        for points in shapes
    ]

    def answer(route: Route) -> None:
        told = route.fetch()
        route.fulfill(response=told, body=json.dumps(told.json() | {"specimens": suggested}))

    desk.page.route(f"**/api/pictures/{desk.id_of(file)}/suggestions", answer)


def test_two_specimens_are_labelled_switched_taken_out_and_marked(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder))
    several(desk)
    desk.show(file)
    first, second = shape(40, 50), shape(40 + AWAY, 60)
    for place in first.values():
        desk.click(*place)
    expect(current(desk)).to_contain_text("4 of 4")
    desk.by("specimen-addSpecimen").click()
    expect(specimens(desk)).to_have_count(2)
    expect(current(desk)).to_contain_text("New specimen")
    for place in second.values():
        desk.click(*place)
    expect(current(desk)).to_contain_text("Specimen 2")
    desk.by("specimen-name").fill("Anna")
    desk.by("specimen-name").press("Enter")
    expect(current(desk)).to_contain_text("Anna")
    desk.expect_saved()
    saved = drawn_in(desk.studio)[file]
    pixel = 0.51 / desk.scale()
    for annotation, points in zip(saved, (first, second), strict=True):
        for name, (x, y) in points.items():
            got = annotation["points"][name]
            assert got == pytest.approx((x, y), abs=pixel), name

    # A click on a point of the first goes to it and takes hold of that point; a drag moves it.
    desk.drag(first["head"], (first["head"][0] + 5, first["head"][1]))
    expect(current(desk)).to_contain_text("Specimen 1")
    desk.expect_saved()
    moved = drawn_in(desk.studio)[file]
    assert moved[0]["points"]["head"][0] > saved[0]["points"]["head"][0] + 4
    assert moved[1]["points"] == saved[1]["points"]

    # Taken out, and undone with its name.
    specimens(desk).nth(1).click()
    desk.by("specimen-clearAll").click()
    expect(specimens(desk)).to_have_count(1)
    desk.expect_saved()
    assert len(drawn_in(desk.studio)[file]) == 1
    desk.by("undo").click()
    expect(specimens(desk)).to_have_count(2)
    expect(current(desk)).to_contain_text("Anna")
    desk.by("all-labelled").click()
    expect(desk.by("all-labelled")).to_have_attribute("aria-pressed", "true")
    rail = desk.page.locator(f'[data-testid="rail-item"][data-id="{desk.id_of(file)}"]')
    expect(rail).to_contain_text("Complete, 2 specimens")
    desk.expect_saved()
    (image,) = (image for image in desk.studio.document()["images"] if image["file_name"] == file)
    assert image["complete"] is True

    desk.page.reload()
    desk.ready(file)
    expect(specimens(desk)).to_have_count(2)
    expect(desk.by("all-labelled")).to_have_attribute("aria-pressed", "true")
    expect(specimens(desk).nth(1)).to_contain_text("Anna")
    assert [a["points"] for a in drawn_in(desk.studio)[file]] == [moved[0]["points"], saved[1]["points"]]


def test_all_suggested_specimens_are_taken_in_one_step(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder))
    several(desk)
    shapes = [shape(40, 40), shape(40 + AWAY, 40), shape(40, 40 + AWAY)]
    serve_suggestions(desk, file, shapes)
    desk.show(file)
    expect(desk.by("accept-specimens")).to_contain_text("Accept all 3")
    expect(specimens(desk).nth(2)).to_contain_text("90 %")
    desk.by("accept-specimens").click()
    expect(desk.by("accept-specimens")).to_be_hidden()
    desk.expect_saved()
    saved = drawn_in(desk.studio)[file]
    expected = [{n: tuple(map(float, p)) for n, p in s.items()} for s in shapes]
    assert sorted((a["points"] for a in saved), key=str) == sorted(expected, key=str)  # sent together, in any order
    assert all(sorted(a["accepted"]) == sorted(NAMES) for a in saved)
    desk.page.keyboard.press("Control+z")
    expect(desk.by("accept-specimens")).to_contain_text("Accept all 3")
    desk.expect_saved()
    assert drawn_in(desk.studio)[file] == []
    desk.page.keyboard.press("Control+Shift+z")
    desk.expect_saved()
    assert len(drawn_in(desk.studio)[file]) == 3


def test_specimens_by_keys_alone(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder))
    several(desk)
    serve_suggestions(desk, file, [shape(40, 40), shape(40 + AWAY, 40)])
    desk.show(file)
    expect(current(desk)).to_contain_text("Suggested")
    keys = desk.page.keyboard
    keys.press("Enter")  # accepts the first, on to the second
    expect(current(desk)).to_contain_text("Suggested")
    expect(specimens(desk).first).to_contain_text("4 of 4")
    keys.press("Shift+Delete")  # that one is none
    expect(specimens(desk)).to_have_count(1)
    keys.press("d")  # a copy
    expect(specimens(desk)).to_have_count(2)
    expect(current(desk)).to_contain_text("Specimen 2")
    keys.press("i")
    expect(current(desk)).to_contain_text("New specimen")
    keys.press("ArrowRight")  # a cross-hair
    keys.press("Enter")
    expect(current(desk)).to_contain_text("1 of 4")
    keys.press("Shift+K")
    expect(current(desk)).to_contain_text("Specimen 2")
    keys.press("Shift+J")
    expect(current(desk)).to_contain_text("Specimen 3")
    keys.press("l")
    expect(desk.by("all-labelled")).to_have_attribute("aria-pressed", "true")
    desk.expect_saved()
    first, copy, third = drawn_in(desk.studio)[file]
    offsets = {(copy["points"][n][0] - x, copy["points"][n][1] - y) for n, (x, y) in first["points"].items()}
    assert len(offsets) == 1
    assert offsets != {(0.0, 0.0)}
    assert list(third["points"]) == [NAMES[0]]


def test_what_pictures_show_is_chosen_and_a_box_says_how_large_one_is(
    serve: Serve, sit: Sit, pictures: Beetles
) -> None:
    file = sorted(pictures.truth)[0]
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.go("landmarks")
    desk.by("shows-several").click()
    desk.page.wait_for_function("() => studio.app.landmarks().several")
    expect(desk.by("shows-several")).to_have_attribute("aria-checked", "true")

    # Nothing is labelled yet: before it learns, a box is asked for.
    sent: list[Any] = []

    def answer(route: Route) -> None:
        sent.append(route.request.post_data_json)
        route.fulfill(status=400, json={"error": "Not today."})

    desk.page.route(
        "**/api/training", lambda route: answer(route) if route.request.method == "POST" else route.continue_()
    )
    desk.go("features")
    start = desk.by("start-training")
    expect(start).to_be_disabled()
    picture = desk.by("extent-picture").locator("svg")
    box = picture.bounding_box()
    assert box is not None
    desk.page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 0.2 * box["height"])
    desk.page.mouse.down()
    desk.page.mouse.move(box["x"] + 0.45 * box["width"], box["y"] + 0.3 * box["height"], steps=3)
    desk.page.mouse.up()
    expect(start).to_be_enabled()
    start.click()
    expect(desk.by("training-problem")).to_contain_text("Not today.")
    assert [round(change["extent"], 2) for change in sent] == [0.25]

    # Once a picture shows two, it cannot be one specimen each.
    desk.show(file)
    desk.click(40, 40)
    desk.page.keyboard.press("i")
    desk.click(90, 90)
    desk.expect_saved()
    desk.go("landmarks")
    desk.by("shows-one").click()
    expect(desk.by("shows-refused")).to_contain_text(file)
    expect(desk.by("shows-several")).to_have_attribute("aria-checked", "true")


def test_points_at_one_place_are_told_apart(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder))
    several(desk)
    desk.show(file)
    for x in (40.0, 60.0, 80.0):  # the heads of all three at one place
        for place in (shape(x, 80) | {"head": (60.0, 30.0)}).values():
            desk.click(*place)
        desk.page.keyboard.press("i")
    specimens(desk).nth(1).click()
    seen = []
    for _ in range(6):
        desk.click(60, 30)
        seen.append(current(desk).inner_text().split("\n")[0])
    assert set(seen[:3]) == set(seen[3:]) == {"1", "2", "3"}
    # While a landmark waits for its place, a click places it, also there; with Ctrl it does not.
    desk.page.keyboard.press("i")
    desk.page.keyboard.down("Control")
    desk.click(60, 30)
    desk.page.keyboard.up("Control")
    expect(specimens(desk)).to_have_count(3)
    desk.page.keyboard.press("i")
    desk.click(60, 30)
    expect(specimens(desk)).to_have_count(4)


def test_review_begins_with_what_was_missed(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first, second = sorted(pictures.truth)[:2]
    desk = sit(serve(pictures.folder))
    several(desk)
    points = {n: {"x": x, "y": y, "expected_px": 1.0, "score": 0.5} for n, (x, y) in shape(50, 50).items()}
    found = {"key": None, "likely": 0.9, "points": points}

    def prediction(file: str, **more: Any) -> dict[str, Any]:
        common = {"id": desk.id_of(file), "file": file, "width": 160, "height": 160, "complete": False, "points": {}}
        return common | {"expected": 0.01, "expected_px": 1.6, "specimens": [found], "missed": 0, "doubtful": 0} | more

    told = [prediction(second, missed=2), prediction(first, specimens=[found, found], doubtful=1)]
    answer = {"total": 2, "model": 1, "pictures": told, "waiting_for": None}
    desk.page.route("**/api/predictions*", lambda route: route.fulfill(json=answer))
    desk.go("review")
    tiles = desk.by("gallery").get_by_role("listitem")
    expect(tiles).to_have_count(2)
    order = [tile.get_attribute("data-id") for tile in tiles.all()]
    assert order == [desk.id_of(second), desk.id_of(first)]
    expect(tiles.first.get_by_test_id("missed")).to_have_text("2 missed")
    expect(tiles.nth(1).get_by_test_id("doubtful")).to_have_text("1 doubtful")
    expect(tiles.nth(1).locator("circle")).to_have_count(2 * len(NAMES))
