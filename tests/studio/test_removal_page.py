"""Removing a landmark in a real browser, and taking that back."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def test_undoing_the_removal_of_a_landmark_brings_its_labels_back(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    truth = {file: pictures.truth[file] for file in pictures.files[:3]}
    write_labels(pictures.folder, truth)
    desk = sit(serve(pictures.folder), "landmarks")
    desk.by("remove-abdomen-tip").click()
    desk.by("confirm-remove").click()
    expect(desk.by("landmark-list").locator("li")).to_have_count(len(NAMES) - 1)
    expect(desk.by("landmarks-state")).to_have_attribute("data-state", "saved")
    assert all("abdomen_tip" not in points for points in desk.studio.saved().values())
    file = pictures.files[1]
    desk.show(file)  # meanwhile another landmark is moved
    place = desk.points()["head"]
    desk.drag((place["x"], place["y"]), (80.0, 80.0))
    desk.expect_saved()
    moved = desk.studio.saved()[file]["head"]
    assert moved[:2] != pytest.approx(truth[file]["head"])
    desk.go("landmarks")
    desk.by("landmarks-undo").click()
    expect(desk.by("landmark-abdomen-tip")).to_be_visible()
    expect(desk.by("landmarks-state")).to_have_attribute("data-state", "saved")
    saved = desk.studio.saved()
    for each, points in truth.items():
        assert saved[each]["abdomen_tip"][:2] == pytest.approx(points["abdomen_tip"])
        assert set(saved[each]) == set(NAMES)
    assert saved[file]["head"] == moved
    desk.show(file)
    assert set(desk.points()) == set(NAMES)
