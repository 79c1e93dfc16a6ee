"""Review, disputes and the explorer in a real browser, and the same labels on the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from browser import NAMES, Desk, Studio, points_of, write_labels
from pages import Beetles
from playwright.sync_api import expect
from typer.testing import CliRunner

import lead
from lead.cli import app

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]
LABELLED = 8


@pytest.fixture
def labelled(pictures: Beetles) -> Beetles:
    """With the first ``LABELLED`` whole pictures labelled."""
    write_labels(pictures.folder, {file: pictures.truth[file] for file in pictures.files[:LABELLED]})
    return pictures


def test_the_gallery_shows_the_worst_first(serve: Serve, sit: Sit, labelled: Beetles, trained: Path) -> None:
    desk = sit(serve(labelled.folder, "--run", trained), "review")
    expect(desk.by("gallery").locator(".r-tile").first).to_be_visible()
    shown = desk.page.evaluate(
        "async () => (await studio.app.api.get('/predictions', {sort: 'expected', offset: 0, limit: 100})).pictures"
    )
    assert len(shown) == len(labelled.truth)
    expected = [picture["expected"] for picture in shown]
    assert expected == sorted(expected, reverse=True)
    tiles = desk.by("gallery").get_by_role("listitem")
    order = {t.get_attribute("data-id"): int(t.get_attribute("aria-posinset") or 0) for t in tiles.all()}
    unlabelled = [p["id"] for p in shown if not p["complete"]]
    first = sorted(order, key=lambda id: order[id or ""])
    assert [id for id in first if id in unlabelled] == [id for id in unlabelled if id in first]

    # One is accepted as it is, in the gallery; another is opened.
    worst = unlabelled[0]
    tile = desk.by(f"tile-{worst}")
    tile.focus()
    desk.page.keyboard.press("a")
    expect(tile).to_have_attribute("data-complete", "true")
    desk.expect_saved()
    (prediction,) = (picture for picture in shown if picture["id"] == worst)
    saved = desk.studio.saved()[prediction["file"]]
    for name, point in prediction["points"].items():
        assert saved[name] == pytest.approx((point["x"], point["y"], 2), abs=0.002)
    desk.by(f"tile-{unlabelled[1]}").dblclick()
    expect(desk.by("canvas")).to_have_attribute("data-ready", unlabelled[1])


def test_planted_mistakes_are_disputed_and_mended(serve: Serve, sit: Sit, labelled: Beetles, trained: Path) -> None:
    swapped, doubled = labelled.files[:2]
    truth = {file: dict(labelled.truth[file]) for file in labelled.files}
    wrong = {file: dict(points) for file, points in truth.items()}
    wrong[swapped]["head"], wrong[swapped]["abdomen_tip"] = truth[swapped]["abdomen_tip"], truth[swapped]["head"]
    wrong[doubled]["elytra_left"] = truth[doubled]["elytra_right"]
    write_labels(labelled.folder, wrong)
    desk = sit(serve(labelled.folder, "--run", trained), "disputes")
    swap = desk.page.locator(f'[data-testid="dispute"][data-id="{desk.id_of(swapped)}"][data-kind~="swap"]')
    double = desk.page.locator(f'[data-testid="dispute"][data-id="{desk.id_of(doubled)}"][data-kind~="duplicate"]')
    expect(swap).to_contain_text("abdomen_tip")
    expect(double).to_contain_text("elytra_left")
    swap.get_by_test_id("dispute-swap").click()
    expect(swap).to_have_count(0)
    desk.expect_saved()
    for name in ("head", "abdomen_tip"):
        assert desk.studio.saved()[swapped][name][:2] == pytest.approx(truth[swapped][name], abs=0.002)
    double.get_by_test_id("dispute-right").click()
    expect(double).to_have_count(0)
    desk.expect_saved()
    checked = [annotation for annotation in desk.studio.document()["annotations"] if annotation.get("checked")]
    assert [annotation["id"] for annotation in checked] == [2]  # the second picture's
    assert desk.studio.saved()[doubled]["elytra_left"][:2] == pytest.approx(truth[doubled]["elytra_right"])


def test_the_explorer_shows_where_a_part_is(serve: Serve, sit: Sit, pictures: Beetles, trained: Path) -> None:
    file = pictures.files[0]
    desk = sit(serve(pictures.folder, "--run", trained))
    desk.go(f"explore/{desk.id_of(file)}")
    scores = desk.by("explore-score")
    expect(scores.first).not_to_be_empty()
    frame = desk.by("explore-reference").bounding_box()
    assert frame is not None
    before = drawn(desk)
    desk.page.mouse.move(frame["x"] + frame["width"] * 0.3, frame["y"] + frame["height"] * 0.4)
    desk.page.wait_for_function(f"before => JSON.stringify(before) !== JSON.stringify(({DRAWN})())", arg=before)
    tiles = drawn(desk)
    assert len(tiles) == desk.by("explore-tile").count()
    assert all(np.ptp(tile) > 0 for tile in tiles)  # a map, not one colour


DRAWN = """() => [...document.querySelectorAll('[data-testid=explore-tile] canvas')].map((canvas) => {
    const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return Array.from({length: 64}, (_, i) => data[4 * Math.floor((i + 0.5) * data.length / 4 / 64)]);
})"""
"""Some pixels of every tile's heat map."""


def drawn(desk: Desk) -> list[list[int]]:
    found: list[list[int]] = desk.page.evaluate(DRAWN)
    return found


def test_the_labels_are_usable_from_the_command_line_at_once(
    serve: Serve, sit: Sit, labelled: Beetles, trained: Path, tmp_path: Path
) -> None:
    desk = sit(serve(labelled.folder, "--run", trained))
    file = labelled.files[LABELLED]
    desk.show(file)
    for name in NAMES:
        desk.page.locator(f'[data-testid="landmark"][data-name="{name}"]').click()
        desk.click(*labelled.truth[file][name])
    desk.expect_saved()
    shown = desk.points()
    # While the page is open.
    labels, model, out = labelled.folder / "annotations.json", tmp_path / "mine.safetensors", tmp_path / "found.json"
    command("fit", trained, labels, "--out", model)
    command("predict", model, labelled.folder, "--out", out)
    command("evaluate", trained, labelled.folder, "regression", "--head", "ridge", "--results", tmp_path / "results")
    assert set(points_of(json.loads(out.read_text()))) == set(labelled.truth)
    read = lead.load_labels(labels)
    assert len(read.images) == LABELLED + 1
    xy = read.xy[read.images.index(file)]
    for name, point in shown.items():
        assert xy[read.schema.names.index(name)] == pytest.approx((point["x"], point["y"]), abs=0.001)


def test_the_exported_model_predicts_what_the_page_suggests(
    serve: Serve, sit: Sit, labelled: Beetles, trained: Path, tmp_path: Path
) -> None:
    desk = sit(serve(labelled.folder, "--run", trained))
    file = labelled.files[LABELLED]
    desk.page.wait_for_function(
        "n => { const {fitted_to, fitting, method} = studio.app.state.model;"
        " return fitted_to === n && !fitting && method === 'head' }",
        arg=LABELLED,
    )
    exported = desk.page.evaluate(
        "async () => (await fetch(studio.app.api.url('/export?format=csv&what=predictions'))).status"
    )  # for which all pictures are looked at twice
    assert exported == 200
    suggested = desk.page.evaluate("id => studio.app.api.get(`/pictures/${id}/suggestions`)", desk.id_of(file))
    shown = {name: (point["x"], point["y"]) for name, point in suggested["points"].items()}
    assert set(shown) == set(NAMES)
    desk.go("export")
    with desk.page.expect_download() as downloading:
        desk.by("export-model").click()
    downloading.value.save_as(tmp_path / "model.safetensors")
    found = lead.Landmarker.load(tmp_path / "model.safetensors").predict([labelled.folder / file])
    for name, place in shown.items():
        assert found.xy[0, found.schema.names.index(name)] == pytest.approx(place, abs=1), name


def command(*words: str | Path) -> None:
    result = CliRunner().invoke(app, list(map(str, words)))
    assert result.exit_code == 0, result.output
