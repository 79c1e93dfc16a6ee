"""The page in a real browser: names, training, exports, imports and the history."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import NAMES, Desk, Studio, points_of, write_labels
from modelled import untrained
from pages import SETTINGS, Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def test_the_printed_address_opens_the_page(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder))
    assert "token" not in desk.page.url
    expect(desk.page).to_have_title("beetles · lead studio")
    desk.page.reload()
    expect(desk.by("brand")).to_be_visible()
    desk.page.context.clear_cookies()
    answer = desk.page.goto(desk.studio.url.partition("?")[0])
    assert answer is not None
    assert answer.status == 403
    expect(desk.page.locator("body")).to_contain_text("lead studio")


def test_landmarks_are_named_coloured_joined_and_paired(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder), "landmarks")
    for name in NAMES:
        desk.by("landmark-entry").fill(name)
        desk.by("landmark-entry").press("Enter")
    expect(desk.by("landmark-list").locator("li")).to_have_count(len(NAMES))
    desk.by("colour-head").fill("#123456")
    desk.by("joining-pairs").click()
    desk.by("suggest-pairs").click()
    expect(desk.by("join-elytra-left-elytra-right")).to_be_visible()
    desk.by("joining-lines").click()
    desk.by("preview-head").click()
    desk.by("preview-abdomen-tip").click()
    expect(desk.by("join-head-abdomen-tip")).to_be_visible()
    expect(desk.by("landmarks-state")).to_have_attribute("data-state", "saved")
    (category,) = desk.studio.document()["categories"]
    assert category["keypoints"] == list(NAMES)
    assert category["colours"][0] == "#123456"
    assert category["flip_pairs"] == [["elytra_left", "elytra_right"]]
    assert category["skeleton"] == [[1, 4]]


def test_renamed_landmarks_keep_their_labels(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    truth = {file: pictures.truth[file] for file in pictures.files[:2]}
    write_labels(pictures.folder, truth)
    desk = sit(serve(pictures.folder), "landmarks")
    desk.by("name-head").fill("front <b>end</b>")
    desk.by("name-head").press("Enter")
    desk.page.wait_for_function("() => studio.app.landmarks().landmarks[0].name === 'front <b>end</b>'")
    desk.by("remove-abdomen-tip").click()
    desk.by("confirm-remove").click()  # its labels go too, which it asks about
    desk.page.wait_for_function("() => studio.app.landmarks().landmarks.length === 3")
    for file, points in desk.studio.saved().items():
        assert points["front <b>end</b>"][:2] == pytest.approx(truth[file]["head"])
        assert "abdomen_tip" not in points
    assert desk.page.locator("b").filter(has_text="end").count() == 0  # a name is text, whatever it looks like


def test_features_are_trained_stopped_and_gone_on_with(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder), "features")
    desk.by("preset-tiny").check()
    desk.by("start-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "running")
    desk.page.wait_for_function(
        "() => studio.app.state.training.step >= 10 && studio.app.state.training.task !== 'decoding'"
    )
    expect(desk.by("training-step")).to_contain_text("steps")
    desk.by("label-meanwhile").click()  # labelling works meanwhile
    expect(desk.by("view-label")).to_be_visible()
    desk.go("features")
    desk.by("cancel-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")
    expect(desk.by("stopped-text")).to_contain_text("go on")
    desk.studio.stop()
    desk.studio.start()
    desk.page.goto(desk.studio.url)
    desk.go("features")
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")
    desk.by("resume-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "running")
    expect(desk.by("loss-curve")).to_be_visible()
    desk.by("cancel-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")


def test_a_training_that_cannot_be_says_why(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    for file in list(pictures.truth)[5:]:
        (pictures.folder / file).unlink()
    desk = sit(serve(pictures.folder), "features")
    desk.by("preset-tiny").check()
    desk.by("start-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "failed")
    expect(desk.by("training-message")).to_contain_text("5 pictures to train on; at least 8 are needed")


def test_an_existing_run_is_opened(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    untrained(pictures.folder.parent / "runs" / "mine", SETTINGS)  # of the folder in which the studio is started
    desk = sit(serve(pictures.folder), "features")
    desk.by("runs").get_by_role("button", name="Open mine").click()
    expect(desk.by("model-stage")).to_contain_text("ready")
    expect(desk.by("training")).to_have_attribute("data-state", "done")


def test_exports_equal_the_labels(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    truth = {file: pictures.truth[file] for file in pictures.files[:3]}
    write_labels(pictures.folder, truth)
    desk = sit(serve(pictures.folder), "export")
    files = {}
    for format in ("coco", "csv"):
        desk.by(f"format-{format}").check()
        with desk.page.expect_download() as downloading:
            desk.by("export-download").click()
        files[format] = Path(downloading.value.path()).read_text(encoding="utf-8")
    exported = points_of(json.loads(files["coco"]))
    assert {Path(file).name: set(points) for file, points in exported.items()} == {f: set(NAMES) for f in truth}
    for file, points in truth.items():
        for name, place in points.items():
            assert exported[file][name] == pytest.approx((*place, 2), abs=0.005)
    rows = {(row["image"], row["name"]): row for row in csv.DictReader(io.StringIO(files["csv"]))}
    assert len(rows) == 3 * len(NAMES)
    for (file, name), row in rows.items():
        assert (float(row["x"]), float(row["y"])) == pytest.approx(truth[file][name], abs=0.005)


def test_a_label_file_is_imported_and_the_state_before_restored(
    serve: Serve, sit: Sit, pictures: Beetles, tmp_path: Path
) -> None:
    first, second = pictures.files[:2]
    write_labels(pictures.folder, {first: pictures.truth[first]})
    desk = sit(serve(pictures.folder), "landmarks")
    before = desk.studio.saved()
    given = tmp_path / "theirs.csv"
    lines = [f"{second},{name},{x},{y}" for name, (x, y) in pictures.truth[second].items()]
    given.write_text("\n".join(["image,name,x,y", *lines, f"{first},head,1,2", "gone.jpg,head,1,2"]) + "\n")
    desk.by("import-file").set_input_files(given)
    desk.by("import-go").click()
    report = desk.by("import-report")
    expect(report).to_contain_text("4 labels added")
    expect(report).to_contain_text("1 label kept")
    expect(report).to_contain_text("gone.jpg")
    after = desk.studio.saved()
    assert after[first] == before[first]  # what stood here was kept
    for name, place in pictures.truth[second].items():
        assert after[second][name] == pytest.approx((*place, 2))
    desk.go("export")
    desk.by("restore").first.click()
    desk.by("confirm-restore").click()
    expect(desk.by("toast").first).to_contain_text("Restored")
    assert desk.studio.saved() == before


def test_a_file_that_is_no_label_file_is_refused(serve: Serve, sit: Sit, pictures: Beetles, tmp_path: Path) -> None:
    desk = sit(serve(pictures.folder), "landmarks")
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"images": 3}')
    desk.by("import-file").set_input_files(wrong)
    desk.by("import-go").click()
    expect(desk.by("import-error")).to_be_visible()
    assert desk.studio.saved() == {}


@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_follows_the_systems_theme_until_told_otherwise(
    serve: Serve, sit: Sit, pictures: Beetles, scheme: str
) -> None:
    desk = sit(serve(pictures.folder), color_scheme=scheme)
    root = desk.page.locator("html")
    assert is_light(desk) == (scheme == "light")
    other = "light" if scheme == "dark" else "dark"
    desk.by("theme").click()
    expect(root).to_have_attribute("data-theme", other)
    desk.page.reload()
    expect(root).to_have_attribute("data-theme", other)
    assert is_light(desk) == (other == "light")


def is_light(desk: Desk) -> bool:
    """Whether the page is light, by what it is painted with."""
    colour = desk.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    return sum(int(c) for c in re.findall(r"\d+", colour)[:3]) > 3 * 128
