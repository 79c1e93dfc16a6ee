"""The start in a real browser: the three steps, what is learnt, stopped and begun anew, and models from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from browser import NAMES, Desk, Studio, write_labels
from modelled import untrained
from pages import SETTINGS, Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def test_the_first_start_shows_three_steps_and_where_each_stands(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder))
    expect(desk.by("view-start")).to_be_visible()
    expect(desk.by("step-landmarks")).to_have_attribute("data-state", "next")
    expect(desk.by("step-learn")).to_have_attribute("data-state", "later")
    expect(desk.by("expectation")).to_contain_text("24 pictures are few to learn from")
    expect(desk.by("state-learn")).to_contain_text(re.compile(r"About \d+ to \d+ (minutes|hours) on this machine"))
    order = (
        desk.page.get_by_role("navigation", name="Views")
        .get_by_role("link")
        .evaluate_all("links => links.map((link) => link.dataset.name)")
    )
    assert order[:4] == ["landmarks", "features", "label", "review"]
    desk.by("start-landmarks").click()
    expect(desk.by("view-landmarks")).to_be_visible()
    desk.name_landmarks(*NAMES)
    desk.by("brand").click()
    expect(desk.by("state-landmarks")).to_contain_text("4 landmarks")
    expect(desk.by("step-learn")).to_have_attribute("data-state", "next")
    desk.by("start-learning").click()
    expect(desk.by("state-learn")).to_contain_text("Learning:")
    desk.by("start-features").click()
    expect(desk.by("cancel-training")).to_contain_text("keeps what it learnt")
    desk.by("cancel-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")
    desk.by("brand").click()
    expect(desk.by("start-resume")).to_be_visible()
    desk.by("start-label").click()
    expect(desk.by("view-label")).to_be_visible()


def test_with_labels_it_opens_where_they_are_made(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    write_labels(pictures.folder, {file: pictures.truth[file] for file in pictures.files[:5]})
    desk = sit(serve(pictures.folder))
    expect(desk.by("view-label")).to_be_visible()
    desk.by("brand").click()
    expect(desk.by("step-label")).to_have_attribute("data-state", "done")


def test_a_stopped_training_is_left_for_another_and_gone_back_to(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder), "features")
    desk.by("preset-tiny").check()
    desk.by("start-training").click()
    first = desk.page.wait_for_function(
        "() => studio.app.state.training.task === 'pretrain' && studio.app.state.training.run"
    ).json_value()
    desk.by("cancel-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")
    expect(desk.by("resume-training")).to_be_visible()
    desk.by("train-anew").click()
    desk.by("preset-short").check()
    desk.by("start-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "running")
    desk.by("cancel-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")
    assert (Path(first) / "settings.yaml").is_file()  # what was begun before is kept
    assert desk.page.evaluate("() => studio.app.state.training.run") != first
    desk.by("runs").get_by_role("button", name=f"Go on with {Path(first).name}", exact=True).click()
    desk.page.wait_for_function("run => studio.app.state.training.run === run", arg=first)
    expect(desk.by("training")).to_have_attribute("data-state", "running")
    desk.by("cancel-training").click()
    expect(desk.by("training")).to_have_attribute("data-state", "stopped")


def test_models_beside_the_folder_are_found_and_others_opened_by_their_path(
    serve: Serve, sit: Sit, pictures: Beetles, tmp_path: Path
) -> None:
    untrained(pictures.folder.parent / "sibling", SETTINGS)
    far = untrained(tmp_path / "far" / "away", SETTINGS).folder
    desk = sit(serve(pictures.folder), "features")
    expect(desk.by("runs").get_by_role("button", name="Open sibling")).to_be_enabled()
    expect(desk.by("runs")).not_to_contain_text("away")
    desk.by("run-path").fill(str(tmp_path / "nowhere"))
    desk.by("open-path").click()
    expect(desk.by("path-problem")).to_contain_text("There is no folder")
    desk.by("run-path").fill(str(far.parent))
    desk.by("run-path").press("Enter")
    expect(desk.by("path-problem")).to_contain_text("It holds runs: away")
    desk.by("run-path").fill(str(far))
    desk.by("run-path").press("Enter")
    expect(desk.by("model-stage")).to_contain_text("ready")
    expect(desk.by("path-problem")).to_have_count(0)
    assert desk.page.evaluate("() => studio.app.state.training.run") == str(far)


def test_focus_shows_in_both_themes_and_nothing_moves_where_it_should_not(
    serve: Serve, sit: Sit, pictures: Beetles
) -> None:
    desk = sit(serve(pictures.folder), reduced_motion="reduce")
    for _ in ("one theme", "the other"):
        desk.by("theme").focus()
        desk.page.keyboard.press("Shift+Tab")
        outline, ground = desk.page.evaluate(
            "() => [getComputedStyle(document.activeElement).outline, getComputedStyle(document.body).backgroundColor]"
        )
        assert "solid" in outline
        assert "2px" in outline
        assert ground not in outline
        desk.by("theme").click()
    assert desk.page.evaluate(
        "() => [...document.querySelectorAll('*')].every((e) => getComputedStyle(e).transitionDuration === '0s')"
    )
    desk.page.reload()
    desk.page.keyboard.press("Tab")
    expect(desk.page.locator(":focus")).to_have_text("Skip to the view")
    desk.page.keyboard.press("Enter")
    expect(desk.page.locator(":focus")).to_have_id("view")
