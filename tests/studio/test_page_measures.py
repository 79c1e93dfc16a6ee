"""Scales and measures that the page makes are those that ``lead measure`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from serving import BEARER, client, draw, name_landmarks, opened
from typer.testing import CliRunner

from lead.cli import app

LINE = {"x1": 2.0, "y1": 3.0, "x2": 32.0, "y2": 43.0, "length": 1.0, "unit": "cm", "pictures": None}  # 50 pixels
USED = "# what we measure\nwidth: {distance: [left, right]}  # of the head\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(3):
        draw(tmp_path / f"{i}.png", seed=i)
    return tmp_path


@pytest.fixture
def web(folder: Path) -> Iterator[TestClient]:
    """Two named landmarks, 6 and 8 pixels apart on the first picture."""
    with opened(folder) as session, client(session, headers=BEARER) as web:
        name_landmarks(web)
        points = {"left": (10, 10), "right": (16, 18)}
        change = {name: {"state": "visible", "x": x, "y": y} for name, (x, y) in points.items()}
        picture = f"/api/pictures/{ids(web)[0]}"
        base = web.get(picture).json()["labels"]["version"]
        answer = web.patch(f"{picture}/labels", json={"base": base, "points": change})
        assert answer.status_code == 200, answer.text
        yield web


def ids(web: TestClient) -> list[str]:
    return [picture["id"] for picture in web.get("/api/pictures").json()]


def good(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refused(answer: Any) -> str:
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"])


def scale(web: TestClient, which: int = 0, **others: Any) -> Any:
    return web.post(f"/api/pictures/{ids(web)[which]}/scale", json=LINE | others)


def add(web: TestClient, name: str, kind: str, *of: str) -> Any:
    return web.post(f"/api/pictures/{ids(web)[0]}/measures", json={"name": name, "kind": kind, "of": of})


def test_a_line_gives_one_some_or_all_pictures_their_scale(web: TestClient, folder: Path) -> None:
    one, two, _ = ids(web)
    found = good(scale(web, pictures=[one]))
    assert (found["scale"]["mm"], found["scaled"]) == (pytest.approx(0.2), 1)
    assert found["scale"]["source"] == "line of 1 cm in 0.png"
    assert good(scale(web, pictures=[one, two]))["scaled"] == 2
    assert good(scale(web))["scaled"] == 3
    lines = (folder / "scales.csv").read_text().splitlines()
    assert lines[0] == "image,mm_per_pixel,mm_per_pixel_y,se,source"
    assert [line.split(",")[:2] for line in lines[1:]] == [[f"{i}.png", "0.2"] for i in range(3)]


def test_another_scale_is_replaced_only_where_that_is_said(web: TestClient, folder: Path) -> None:
    (folder / "scales.csv").write_text("image,pixels_per_mm,se\n1.png,2,0.1\nelsewhere.png,4,\n")
    said = refused(scale(web))
    assert "1 picture has another scale already, the first is '1.png' with 0.5 mm a pixel" in said
    assert (folder / "scales.csv").read_text().startswith("image,pixels_per_mm")
    assert good(scale(web, pictures=[ids(web)[0]]))["scaled"] == 2
    kept = (folder / "scales.csv").read_text()
    assert "1.png,0.5,,0.025," in kept  # a twentieth, as before
    assert "elsewhere.png,0.25" in kept
    found = good(scale(web, length=100.0, pictures=[ids(web)[1]], replace=True))
    assert "differ tenfold" in found["doubts"][0]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"length": 0.0}, "The line's length is 0 cm: it must be more than 0."),
        ({"length": -2.0}, "it must be more than 0"),
        ({"x2": 2.0, "y2": 3.0}, "begins and ends in one place"),
        ({"unit": "mmm"}, "Unknown unit 'mmm'. Did you mean 'mm'?"),
    ],
)
def test_a_line_that_is_no_scale_is_refused(web: TestClient, folder: Path, line: dict[str, Any], message: str) -> None:
    assert message in refused(scale(web, **line))
    assert not (folder / "scales.csv").exists()


def test_a_table_that_holds_more_is_left_alone(web: TestClient, folder: Path) -> None:
    mine = "image,mm_per_pixel,camera\n1.png,0.5,left one\n"
    (folder / "scales.csv").write_text(mine)
    assert "its column 'camera' would be lost" in refused(scale(web, pictures=[ids(web)[0]]))
    assert (folder / "scales.csv").read_text() == mine


def test_measures_are_added_below_what_stands_there(web: TestClient, folder: Path) -> None:
    (folder / "measures.yaml").write_text(USED.rstrip("\n"))
    found = good(add(web, "Größe: 1", "axis", "left", "right"))
    text = (folder / "measures.yaml").read_text()
    assert text == USED + '"Größe: 1": {axis: [left, right]}\n'
    assert [one["name"] for one in found["measures"]] == ["width", "Größe: 1"]
    good(add(web, "twice", "ratio", "width", "width"))
    for answer, message in (
        (add(web, "width", "distance", "left", "right"), "'width' is named already"),
        (add(web, "x", "distance", "left", "rihgt"), "Did you mean 'right'?"),
        (add(web, "x", "distanse", "left", "right"), "Did you mean 'distance'?"),
        (add(web, "x", "angle", "left", "right"), "this has 2 landmarks"),
    ):
        assert message in refused(answer)
    assert (folder / "measures.yaml").read_text() == text + "twice: {ratio: [width, width]}\n"


def test_a_measure_is_taken_out_with_its_lines_alone(web: TestClient, folder: Path) -> None:
    block = "tilt:\n  axis:\n    - left\n    - right\n"
    (folder / "measures.yaml").write_text(USED + block + "twice: {ratio: [width, width]}\n")
    first = ids(web)[0]

    def take(name: str) -> Any:
        return web.post(f"/api/pictures/{first}/measures/remove", json={"name": name})

    assert "cannot be taken out alone" in refused(take("width"))
    good(take("tilt"))
    assert (folder / "measures.yaml").read_text() == USED + "twice: {ratio: [width, width]}\n"
    assert "Did you mean 'twice'?" in refused(take("twise"))
    good(take("twice"))
    assert good(take("width"))["measures"] == []
    assert (folder / "measures.yaml").read_text() == "# what we measure\n"
    (folder / "measures.yaml").write_text("{a: {axis: [left, right]}, b: {axis: [left, right]}}\n")
    assert "in lines of its own" in refused(take("a"))


def test_values_are_shown_and_exported_as_lead_measure_has_them(web: TestClient, folder: Path) -> None:
    good(add(web, "width", "distance", "left", "right"))
    (value,) = good(add(web, "tilt", "axis", "left", "right"))["values"][:1]
    assert value == {"specimen": 1, "name": "width", "value": 10.0, "unit": "px", "error": None, "note": ""}
    width, tilt = good(scale(web))["values"]
    assert (width["value"], width["unit"], tilt["unit"]) == (pytest.approx(2.0), "mm", "°")
    assert good(web.get(f"/api/pictures/{ids(web)[1]}/measurements"))["values"] == []
    exported = web.get("/api/export/measurements")
    assert "-measurements.csv" in exported.headers["content-disposition"]
    out = folder / "out.csv"
    options = ["--measures", folder / "measures.yaml", "--scale", folder / "scales.csv", "--out", out]
    done = CliRunner().invoke(app, ["measure", *map(str, [folder / "annotations.json", *options])])
    assert done.exit_code == 0, done.output
    assert exported.text == out.read_text()


def test_a_picture_without_a_scale_beside_others_with_one_is_blank_and_not_in_pixels(web: TestClient) -> None:
    good(add(web, "width", "distance", "left", "right"))
    good(scale(web, which=1, pictures=[ids(web)[1]]))
    (value,) = good(web.get(f"/api/pictures/{ids(web)[0]}/measurements"))["values"]
    assert (value["value"], value["unit"]) == (None, "mm")
    assert "scale" in value["note"]


def test_there_is_something_to_say_where_there_is_nothing_to_export(web: TestClient, folder: Path) -> None:
    assert "Nothing is measured yet" in refused(web.get("/api/export/measurements"))
    (folder / "measures.yaml").write_text("width: {distance: [left, middle]}\n")
    assert "line 1: 'width': Unknown landmark 'middle'" in refused(web.get("/api/export/measurements"))
