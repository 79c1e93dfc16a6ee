"""Curves in a real browser: defined, drawn with a few clicks, bent, taken back, and taken away."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

from lead.landmarks.curves import names_along, resampled

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def add_curve(desk: Desk, name: str, points: int, begins: str = "", ends: str | None = "") -> None:
    """In the view of the landmarks; ``ends`` is None for a closed one."""
    desk.by("curve-new").click()
    desk.by("curve-name").fill(name)
    desk.by("curve-count").fill(str(points))
    desk.by("curve-from").select_option(begins)
    if ends is None:
        desk.by("curve-kind-closed").click()
    else:
        desk.by("curve-to").select_option(ends)
    desk.by("curve-add").click()
    expect(desk.by(f"curve-{name}")).to_be_visible()
    expect(desk.by("landmarks-state")).to_have_attribute("data-state", "saved")


def category(desk: Desk) -> dict[str, object]:
    (only,) = desk.studio.document()["categories"]
    found: dict[str, object] = only
    return found


def expect_landmarks(desk: Desk, *names: str) -> None:
    """In the page, and in the file once that is saved."""
    desk.page.wait_for_function(
        "names => studio.app.landmarks().landmarks.map((l) => l.name).join() === names", arg=",".join(names)
    )
    assert category(desk)["keypoints"] == list(names)


def test_a_curve_is_defined_renamed_divided_and_taken_away(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    truth = {file: pictures.truth[file] for file in pictures.files[:2]}
    write_labels(pictures.folder, truth)
    desk = sit(serve(pictures.folder), "landmarks")
    rows = desk.by("landmark-list").locator("li")
    add_curve(desk, "side", 6, "head", "abdomen_tip")
    expect_landmarks(desk, *NAMES, *names_along("side", 4))
    points = ["head", *names_along("side", 4), "abdomen_tip"]
    assert category(desk)["curves"] == [{"name": "side", "points": points, "closed": False}]
    expect(rows).to_have_count(len(NAMES) + 1)
    desk.by("curve-open-side").click()
    expect(rows).to_have_count(len(NAMES) + 5)
    desk.by("curve-open-side").click()
    desk.by("curve-name-side").fill("flank")
    desk.by("curve-name-side").press("Enter")
    expect_landmarks(desk, *NAMES, *names_along("flank", 4))
    desk.by("count-flank").fill("5")
    desk.by("count-flank").press("Enter")
    expect_landmarks(desk, *NAMES, *names_along("flank", 3))
    desk.by("curve-name-flank").press("Alt+ArrowUp")
    expect_landmarks(desk, *NAMES[:3], *names_along("flank", 3), NAMES[3])
    add_curve(desk, "rim", 4, ends=None)
    assert category(desk)["curves"] == [
        {"name": "flank", "points": ["head", *names_along("flank", 3), "abdomen_tip"], "closed": False},
        {"name": "rim", "points": list(names_along("rim", 4)), "closed": True},
    ]

    file = pictures.files[0]
    desk.show(file)
    desk.page.keyboard.press("u")
    desk.click(60, 40)
    desk.click(*truth[file]["abdomen_tip"])  # where it ends
    desk.expect_saved()
    labelled = desk.studio.saved()[file]
    assert set(labelled) == {*NAMES, *names_along("flank", 3)}
    desk.go("landmarks")
    desk.by("count-flank").fill("9")
    desk.by("count-flank").press("Enter")
    expect(desk.by("curve-hint")).to_contain_text("flank is labelled on 1 picture")
    expect(desk.by("count-flank")).to_have_value("5")
    desk.by("curve-flank").hover()
    desk.by("remove-curve-flank").click()
    expect(desk.by("confirm")).to_contain_text("Remove curve flank with 3 labels?")
    desk.by("confirm-remove").click()
    expect_landmarks(desk, *NAMES, *names_along("rim", 4))
    assert set(desk.studio.saved()[file]) == set(NAMES)
    desk.by("landmarks-undo").click()
    expect_landmarks(desk, *NAMES[:3], *names_along("flank", 3), NAMES[3], *names_along("rim", 4))
    expect(desk.by("landmarks-state")).to_have_attribute("data-state", "saved")
    assert desk.studio.saved()[file] == labelled


CLICKS = [(40.0, 30.0), (60.0, 22.0), (85.0, 40.0), (100.0, 75.0), (92.0, 110.0), (60.0, 125.0)]


def drawn(desk: Desk, file: str, names: Sequence[str]) -> npt.NDArray[np.float64]:
    """(n, 2) the curve's points as they are saved."""
    desk.expect_saved()
    points = desk.studio.saved().get(file, {})
    return np.array([points[name][:2] for name in names if name in points]).reshape(-1, 2)


def test_a_curve_is_drawn_with_six_clicks_and_bent(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file, names = pictures.files[0], names_along("edge", 12)
    desk = sit(serve(pictures.folder), "landmarks")
    add_curve(desk, "edge", 12)
    desk.show(file)
    for place in (*CLICKS, (20.0, 140.0)):
        desk.click(*place)
    expect(desk.by("hint")).to_contain_text("7 clicks along")
    desk.page.keyboard.press("Backspace")
    desk.page.keyboard.press("Escape")
    expect(desk.by("curve-clicks")).to_have_count(0)
    desk.by("toast-action").click()  # brings them back
    expect(desk.by("hint")).to_contain_text("6 clicks along")
    assert desk.points() == {}
    desk.page.keyboard.press("Enter")
    line = drawn(desk, file, names)
    assert len(line) == 12
    fine = resampled(CLICKS, 20_001, spline=True)
    away = np.linalg.norm(line[:, None] - fine, axis=2)  # (12, 20001)
    assert away.min(1).max() < 0.01
    np.testing.assert_allclose(np.diff(away.argmin(1)), 20_000 / 11, rtol=0.002)
    assert category(desk)["curves"] == [{"name": "edge", "points": list(names), "closed": False}]

    desk.page.keyboard.press("Control+z")
    expect(desk.by("curve")).to_contain_text("0 of 12")
    assert len(drawn(desk, file, names)) == 0
    desk.page.keyboard.press("Control+y")
    np.testing.assert_array_equal(drawn(desk, file, names), line)
    desk.page.reload()
    desk.ready(file)
    assert set(desk.points()) == set(names)

    x, y = line[5]
    desk.drag((x, y), (x - 20, y + 5))
    bent = drawn(desk, file, names)
    np.testing.assert_array_equal(bent[[0, -1]], line[[0, -1]])
    assert np.linalg.norm(bent - (x - 20, y + 5), axis=1).min() < 4
    gaps = np.linalg.norm(np.diff(bent, axis=0), axis=1)
    assert gaps.max() < 1.1 * gaps.min()
    desk.page.keyboard.press("Control+z")
    np.testing.assert_array_equal(drawn(desk, file, names), line)
    desk.page.keyboard.down("Shift")
    desk.drag((x, y), (x + 10, y + 4))
    desk.page.keyboard.up("Shift")
    np.testing.assert_allclose(drawn(desk, file, names), np.add(line, (10, 4)), atol=0.002)
    desk.page.keyboard.press("Delete")
    expect(desk.by("curve")).to_contain_text("0 of 12")
    desk.click(30, 30)
    desk.page.mouse.dblclick(*desk.on_screen(74, 63))
    straight = drawn(desk, file, names)
    np.testing.assert_allclose(straight, np.linspace((30, 30), (74, 63), 12), atol=0.002)
