"""The scale and the measures of a folder, made in a real browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
PLACES = {name: (20.0 + 30 * i, 40.0) for i, name in enumerate(NAMES)}


def drag(desk: Desk, begin: tuple[float, float], end: tuple[float, float]) -> None:
    """Over the picture, by shares of its sides."""
    box = desk.by("measure-stage").locator("svg").bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (begin, end)]
    desk.page.mouse.move(*places[0])
    desk.page.mouse.down()
    desk.page.mouse.move(*places[1], steps=3)
    desk.page.mouse.up()


def test_a_line_is_drawn_and_measures_are_clicked(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    file = pictures.files[0]
    write_labels(pictures.folder, {file: PLACES})
    desk = sit(serve(pictures.folder))
    desk.go(f"measure/{desk.id_of(file)}")
    expect(desk.by("measure-stage").locator("image")).to_be_visible()
    desk.by("line-apply").click()
    expect(desk.by("measure-wrong")).to_contain_text("Draw a line")
    drag(desk, (0.1, 0.8), (0.6, 0.8))
    width = desk.page.evaluate("id => studio.app.api.get(`/pictures/${id}`).then((p) => p.width)", desk.id_of(file))
    expect(desk.by("line-facts")).to_contain_text(f"{width / 2:.1f}"[:-2])
    desk.by("line-length").fill("10")
    desk.by("line-for").select_option("all")
    desk.by("line-apply").click()
    expect(desk.by("measure-scale")).to_contain_text("line of 10 mm")
    lines = (pictures.folder / "scales.csv").read_text().splitlines()
    assert {line.split(",")[0] for line in lines[1:]} >= set(pictures.files)
    assert float(lines[1].split(",")[1]) == pytest.approx(20 / width, rel=0.02)

    desk.by("measure-name").fill("width")
    desk.by(f"point-{NAMES[0]}").click()  # in the picture
    desk.by(f"of-{NAMES[1]}").click()  # by its name
    expect(desk.by("measure-of")).to_contain_text(f"{NAMES[0]}, {NAMES[1]}")
    desk.by("measure-add").click()
    expect(desk.by("value-width")).to_contain_text("mm")
    value = float(desk.by("value-width").inner_text().split()[0])
    assert value == pytest.approx(30 * 20 / width, rel=0.02)
    assert (pictures.folder / "measures.yaml").read_text().startswith("width: {distance: [")
    with desk.page.expect_download() as got:
        desk.by("measure-export").click()
    assert got.value.path().read_text().splitlines()[1].startswith(f"{file},width,{value:.1f}"[:-1])
