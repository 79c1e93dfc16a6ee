"""Labelling in a real browser: by hand, by accepting what is suggested, by keys; undone, reloaded, in two tabs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import XY, Beetles
from playwright.sync_api import Locator, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def row(desk: Desk, name: str) -> Locator:
    return desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]')


def assert_near(saved: Mapping[str, tuple[float, float, int]], points: Mapping[str, XY], screen: float) -> None:
    """Clicked places are saved, as exactly as whole pixels of the screen can be pointed at."""
    assert set(saved) == set(points)
    for name, place in points.items():
        assert saved[name][:2] == pytest.approx(place, abs=screen), name


def test_a_picture_is_labelled_corrected_undone_and_reloaded(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    file = pictures.files[0]
    truth = dict(pictures.truth[file])
    desk.show(file)
    for name in NAMES:  # in order, each click is for the next landmark
        expect(row(desk, name)).to_have_attribute("aria-current", "true")
        desk.click(*truth[name])
        expect(row(desk, name)).to_have_attribute("data-state", "visible")
    desk.expect_saved()
    pixel = 0.51 / desk.scale()
    assert_near(desk.studio.saved()[file], truth, pixel)

    # Corrected by dragging, undone, redone.
    placed = desk.studio.saved()[file]["abdomen_tip"]
    target = (truth["abdomen_tip"][0] - 6.0, truth["abdomen_tip"][1] + 5.0)
    desk.drag(truth["abdomen_tip"], target)
    desk.expect_saved()
    dragged = desk.studio.saved()[file]["abdomen_tip"]
    assert dragged[:2] == pytest.approx((placed[0] - 6.0, placed[1] + 5.0), abs=2 * pixel)
    desk.by("undo").click()
    desk.expect_saved()
    assert desk.studio.saved()[file]["abdomen_tip"] == placed
    desk.page.keyboard.press("Control+Shift+z")
    desk.expect_saved()
    assert desk.studio.saved()[file]["abdomen_tip"] == dragged
    desk.page.keyboard.press("Control+z")

    # Hidden and absent.
    row(desk, "head").click()
    desk.page.keyboard.press("h")
    expect(row(desk, "head")).to_have_attribute("data-state", "hidden")
    row(desk, "elytra_left").click()
    desk.page.keyboard.press("x")
    expect(row(desk, "elytra_left")).to_have_attribute("data-state", "absent")
    desk.expect_saved()
    saved = desk.studio.saved()[file]
    assert saved["head"][2] == 1
    assert "elytra_left" not in saved
    (annotation,) = desk.studio.document()["annotations"]
    assert annotation["absent"] == ["elytra_left"]

    # A reload shows everything as it was.
    shown = desk.points()
    desk.page.reload()
    desk.ready(file)
    assert desk.points() == shown
    for name, state in {"head": "hidden", "elytra_left": "absent", "abdomen_tip": "visible"}.items():
        expect(row(desk, name)).to_have_attribute("data-state", state)
    desk.page.keyboard.press("Control+z")  # undo outlives a reload
    expect(row(desk, "elytra_left")).to_have_attribute("data-state", "visible")


def test_zoom_and_pan_leave_labels_where_they_are(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    write_labels(pictures.folder, {file: pictures.truth[file]})
    desk = sit(serve(pictures.folder))
    desk.show(file)
    x, y = pictures.truth[file]["head"]
    fitted = desk.scale()
    pointer = tuple(map(round, desk.on_screen(x, y)))
    under = desk.page.evaluate("([x, y]) => studio.canvas.toPicture(x, y)", pointer)
    x, y = under["x"], under["y"]
    before = desk.on_screen(x, y)
    desk.zoom_at(x, y, 3 * fitted)
    assert desk.on_screen(x, y) == pytest.approx(before, abs=0.01)  # what is under the pointer stays there
    desk.page.mouse.move(600, 400)
    desk.page.mouse.down(button="middle")
    desk.page.mouse.move(560, 430, steps=3)
    desk.page.mouse.up(button="middle")
    assert desk.on_screen(x, y) == pytest.approx((before[0] - 40, before[1] + 30), abs=0.01)
    desk.page.keyboard.press("f")
    assert desk.scale() == pytest.approx(fitted)
    assert desk.on_screen(x, y) == pytest.approx(before, abs=0.01)
    assert_near(desk.studio.saved()[file], pictures.truth[file], 1e-6)


def test_suggestions_by_matching_then_by_a_head(serve: Serve, sit: Sit, pictures: Beetles, trained: Path) -> None:
    files = pictures.files
    write_labels(pictures.folder, {files[0]: pictures.truth[files[0]]})
    desk = sit(serve(pictures.folder, "--run", trained))
    desk.show(files[1])
    for name in NAMES:
        expect(row(desk, name)).to_have_attribute("data-state", "suggested")
        expect(row(desk, name)).to_contain_text("±")
    desk.page.wait_for_function("() => studio.app.state.model.method === 'matching'")  # the status follows the answer
    suggested = {m["name"]: m for m in desk.page.evaluate("() => studio.canvas.marks")}
    assert desk.studio.saved().keys() == {files[0]}  # a suggestion is no label
    expect(desk.by("guide-name")).to_have_text(files[0])  # where the landmark sits on a labelled picture

    # One is corrected by dragging, the others are accepted with one key; the next picture comes, with a reason.
    before = suggested["head"]
    desk.drag((before["x"], before["y"]), pictures.truth[files[1]]["head"])
    expect(row(desk, "head")).to_have_attribute("data-state", "visible")
    desk.page.keyboard.press("Enter")
    desk.page.wait_for_function("file => studio.app.picture(studio.app.route.id).file !== file", arg=files[1])
    desk.expect_saved()
    saved = desk.studio.saved()[files[1]]
    assert set(saved) == set(NAMES)
    assert saved["head"][:2] == pytest.approx(pictures.truth[files[1]]["head"], abs=1.0 / desk.scale())
    for name in NAMES[1:]:
        assert saved[name][:2] == pytest.approx((suggested[name]["x"], suggested[name]["y"]), abs=0.001)
    desk.ready(desk.shown())
    assert desk.shown() not in files[:2]
    expect(desk.by("reason")).not_to_have_text("You chose this picture yourself.")
    expect(desk.by("reason")).not_to_be_empty()

    # The accepting of all is one step to undo, also from another picture.
    desk.page.keyboard.press("Control+z")
    desk.ready(files[1])
    desk.expect_saved()
    assert set(desk.studio.saved()[files[1]]) == {"head"}
    desk.page.keyboard.press("Control+Shift+z")
    desk.expect_saved()

    # From the fifth picture on a head is fitted to them.
    for file in files[2:6]:
        desk.show(file)
        for name in NAMES:
            row(desk, name).click()
            desk.click(*pictures.truth[file][name])
        desk.expect_saved()
    desk.page.wait_for_function("() => studio.app.state.model.method === 'head'")
    desk.show(files[7])
    for name in NAMES:
        expect(row(desk, name)).to_have_attribute("data-state", "suggested")


def test_a_picture_is_completed_without_the_mouse(serve: Serve, sit: Sit, pictures: Beetles, trained: Path) -> None:
    first, file = pictures.files[:2]
    write_labels(pictures.folder, {first: pictures.truth[first]})
    desk = sit(serve(pictures.folder, "--run", trained))
    desk.show(file)
    expect(row(desk, NAMES[-1])).to_have_attribute("data-state", "suggested")
    suggested = {m["name"]: m for m in desk.page.evaluate("() => studio.canvas.marks")}
    keys = desk.page.keyboard
    keys.press("1")
    keys.press("a")  # accepts the first, on to the second
    expect(row(desk, NAMES[1])).to_have_attribute("aria-current", "true")
    for _ in range(3):
        keys.press("ArrowRight")
    keys.press("Shift+ArrowUp")
    keys.press("3")
    keys.press("x")
    keys.press("4")
    keys.press("h")
    desk.expect_saved()
    saved = desk.studio.saved()[file]
    at = {name: (suggested[name]["x"], suggested[name]["y"]) for name in NAMES}
    assert saved[NAMES[0]] == pytest.approx((*at[NAMES[0]], 2), abs=0.001)
    assert saved[NAMES[1]] == pytest.approx((at[NAMES[1]][0] + 3, at[NAMES[1]][1] - 0.1, 2), abs=0.002)
    assert NAMES[2] not in saved
    assert saved[NAMES[3]] == pytest.approx((*at[NAMES[3]], 1), abs=0.001)
    keys.press("Enter")  # all are labelled: the next picture
    desk.page.wait_for_function("file => studio.app.picture(studio.app.route.id).file !== file", arg=file)


def test_a_picture_that_cannot_be_read_is_named_and_passed_by(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first = sorted(pictures.truth)[0]
    (pictures.folder / "00000-broken.jpg").write_bytes((pictures.folder / first).read_bytes()[:500])
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.go(f"label/{desk.id_of('00000-broken.jpg')}")
    expect(desk.by("view-label")).to_contain_text("cannot be shown")
    desk.page.keyboard.press(".")
    desk.ready(first)
    desk.click(*next(iter(pictures.truth[first].values())))
    desk.expect_saved()
    assert list(desk.studio.saved()) == [first]


def test_two_tabs_see_each_other(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    truth = pictures.truth[file]
    studio = serve(pictures.folder)
    one = sit(studio)
    one.name_landmarks(*NAMES)
    two = sit(studio)
    for desk in (one, two):
        desk.show(file)
    one.click(*truth["head"])
    expect(row(two, "head")).to_have_attribute("data-state", "visible")
    row(two, "abdomen_tip").click()
    two.click(*truth["abdomen_tip"])
    expect(row(one, "abdomen_tip")).to_have_attribute("data-state", "visible")

    # Changes made without knowing of each other: of different landmarks both stand; of the same one the first to
    # be saved, and the person is told of it.
    two.page.context.set_offline(True)
    row(two, "elytra_left").click()
    two.click(*truth["elytra_left"])
    row(two, "head").click()
    two.click(truth["head"][0] + 20, truth["head"][1] + 20)
    expect(two.by("save-state")).to_have_attribute("data-state", "unsaved")
    row(one, "elytra_right").click()
    one.click(*truth["elytra_right"])
    row(one, "head").click()
    one.click(truth["head"][0] - 20, truth["head"][1] + 20)
    one.expect_saved()
    two.page.context.set_offline(False)
    two.expect_saved()
    expect(two.by("toast").filter(has_text="head")).to_be_visible()
    assert two.points() == one.points()
    saved = studio.saved()[file]
    pixel = 0.51 / one.scale()
    assert_near(saved, truth | {"head": (truth["head"][0] - 20, truth["head"][1] + 20)}, pixel)
    # And can insist.
    two.by("toast").filter(has_text="head").get_by_test_id("toast-action").click()
    two.expect_saved()
    assert studio.saved()[file]["head"][:2] == pytest.approx((truth["head"][0] + 20, truth["head"][1] + 20), abs=pixel)


def test_a_killed_server_loses_nothing(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first, second = pictures.files[:2]
    studio = serve(pictures.folder)
    desk = sit(studio)
    desk.name_landmarks(*NAMES)
    desk.show(second)
    desk.show(first)
    desk.click(*pictures.truth[first]["head"])
    desk.expect_saved()
    studio.kill()
    assert set(studio.saved()[first]) == {"head"}
    desk.click(*pictures.truth[first]["elytra_left"])
    expect(desk.by("banner-lost")).to_be_visible()
    expect(desk.by("save-state")).to_have_attribute("data-state", "unsaved")
    desk.click(*pictures.truth[first]["elytra_right"])
    desk.go(f"label/{desk.id_of(second)}")  # pictures that were seen can be labelled on
    desk.ready(second)
    desk.click(*pictures.truth[second]["head"])
    expect(row(desk, "head")).to_have_attribute("data-state", "visible")
    assert set(studio.saved()[first]) == {"head"}
    studio.start()
    # The page may find the server by itself first, and then the button is gone.
    desk.page.evaluate("() => document.querySelector('[data-testid=retry]')?.click()")
    desk.expect_saved()
    expect(desk.by("banner-lost")).to_have_count(0)
    pixel = 0.51 / desk.scale()
    saved = studio.saved()
    assert_near(saved[first], {n: pictures.truth[first][n] for n in ("head", "elytra_left", "elytra_right")}, pixel)
    assert_near(saved[second], {"head": pictures.truth[second]["head"]}, pixel)


def test_changes_outlive_a_closed_page_and_a_killed_server(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    studio = serve(pictures.folder)
    desk = sit(studio)
    desk.name_landmarks(*NAMES)
    desk.show(file)
    studio.kill()
    desk.click(*pictures.truth[file]["head"])
    expect(desk.by("save-state")).to_have_attribute("data-state", "unsaved")
    desk.page.goto("about:blank")
    studio.start()
    desk.page.goto(studio.url)
    desk.expect_saved()
    desk.page.wait_for_function("() => studio.app.outbox.changes() === 0")
    assert_near(studio.saved()[file], {"head": pictures.truth[file]["head"]}, 0.51 / 2)


def test_a_lost_network_shows_and_work_goes_on(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    studio = serve(pictures.folder)
    desk = sit(studio)
    desk.name_landmarks(*NAMES)
    desk.show(file)
    desk.page.context.set_offline(True)
    for name in NAMES:
        desk.click(*pictures.truth[file][name])
    expect(desk.by("banner-lost")).to_be_visible()
    expect(desk.by("save-state")).to_contain_text("4 changes")
    assert studio.saved() == {}
    desk.page.context.set_offline(False)
    desk.expect_saved()
    expect(desk.by("banner-lost")).to_have_count(0)
    assert_near(studio.saved()[file], pictures.truth[file], 0.51 / desk.scale())


@pytest.mark.parametrize("chosen", ["take-theirs", "keep-mine"])
def test_a_file_that_another_program_wrote_is_not_overwritten_unasked(
    serve: Serve, sit: Sit, pictures: Beetles, chosen: str
) -> None:
    first, second = pictures.files[:2]
    write_labels(pictures.folder, {first: pictures.truth[first]})
    studio = serve(pictures.folder)
    desk = sit(studio)
    desk.show(second)
    write_labels(pictures.folder, {first: pictures.truth[first] | {"head": (30.0, 40.0)}})
    theirs = studio.saved()
    desk.click(*pictures.truth[second]["head"])
    expect(desk.by("banner-problem")).to_contain_text("Another program")
    assert studio.saved() == theirs
    desk.by(chosen).click()
    desk.expect_saved()
    expect(desk.by("banner-problem")).to_have_count(0)
    saved = studio.saved()
    assert_near(saved[second], {"head": pictures.truth[second]["head"]}, 0.51 / desk.scale())
    head = (30.0, 40.0) if chosen == "take-theirs" else pictures.truth[first]["head"]
    assert saved[first]["head"][:2] == pytest.approx(head)
