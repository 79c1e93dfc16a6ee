"""Curves in a real browser: defined, drawn with a few clicks, bent, taken back, and taken away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import Desk, Studio, write_labels
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


def test_a_curve_is_defined_renamed_divided_and_taken_away(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    write_labels(pictures.folder, {file: pictures.truth[file] for file in pictures.files[:2]})
    desk = sit(serve(pictures.folder), "landmarks")
    rows = desk.by("landmark-list").locator("li")
    add_curve(desk, "side", 20, "head", "abdomen_tip")
    desk.page.screenshot(path="/tmp/cv/landmarks.png")


CLICKS = [(40.0, 30.0), (60.0, 22.0), (85.0, 40.0), (100.0, 75.0), (92.0, 110.0), (60.0, 125.0)]


def test_a_curve_is_drawn_with_six_clicks(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder), "landmarks")
    desk.by("landmark-entry").fill("head")
    desk.by("landmark-entry").press("Enter")
    add_curve(desk, "edge", 12)
    desk.show(file)
    desk.click(20, 20)  # the head
    for place in CLICKS:
        desk.click(*place)
    expect(desk.by("hint")).to_contain_text("6 clicks along")
    desk.page.screenshot(path="/tmp/cv/draft.png")
    desk.page.keyboard.press("Enter")
    desk.expect_saved()
    desk.page.screenshot(path="/tmp/cv/drawn.png")
    names = names_along("edge", 12)
    saved = desk.studio.saved()[file]
    drawn = np.array([saved[name][:2] for name in names])
    at = np.array([desk.page.evaluate("([x, y]) => studio.canvas.toPicture(x, y)", list(map(round, desk.on_screen(*c)))) for c in CLICKS])
    print(at, drawn)
