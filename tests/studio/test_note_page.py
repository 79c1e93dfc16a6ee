"""A note, tags and "skip" for each picture, in a real browser."""

from __future__ import annotations

from collections.abc import Callable

from browser import NAMES, Desk, Studio
from pages import Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def test_a_note_and_tags_are_kept_and_shown(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first, second = sorted(pictures.truth)[:2]
    studio = serve(pictures.folder)
    desk = sit(studio)
    desk.name_landmarks(*NAMES)
    desk.show(first)
    keys = desk.page.keyboard
    expect(desk.by("note")).to_have_text("Note")
    desk.by("note").click()
    expect(desk.by("note-text")).to_be_focused()
    keys.type("left wing is torn off, see the other side")  # and no key of the view does anything
    desk.by("tag-new").fill("  torn   wing ")
    keys.press("Enter")
    desk.by("tag-new").fill("Torn Wing")
    keys.press("Enter")  # the same tag
    expect(desk.by("tag")).to_have_text(["torn wing"])
    keys.press("Escape")
    expect(desk.by("note-panel")).to_be_hidden()
    expect(desk.by("note")).to_be_focused()
    expect(desk.by("note")).to_have_text("torn wing · left wing is torn off, s…")
    desk.expect_saved()
    (image,) = [each for each in studio.document()["images"] if each["file_name"] == first]
    assert (image["note"], image["tags"]) == ("left wing is torn off, see the other side", ["torn wing"])

    # On another picture the tag is offered; a note being typed belongs to the picture that it was begun on.
    desk.show(second)
    expect(desk.by("note")).to_have_text("Note")
    desk.by("note").click()
    expect(desk.by("note-text")).to_have_value("")
    desk.by("tag-suggested").click()
    expect(desk.by("tag")).to_have_text(["torn wing"])
    desk.by("note-text").fill("dark")
    desk.go(f"label/{desk.id_of(first)}")
    desk.ready(first)
    expect(desk.by("note-text")).to_have_value("left wing is torn off, see the other side")
    desk.expect_saved()
    notes = {each["file_name"]: each["note"] for each in studio.document()["images"]}
    assert notes == {first: "left wing is torn off, see the other side", second: "dark"}
    desk.page.get_by_role("button", name="Remove the tag torn wing").click()
    expect(desk.by("tag")).to_have_count(0)
    desk.expect_saved()


def test_a_bad_picture_is_skipped_and_that_can_be_undone(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    first = sorted(pictures.truth)[0]
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.show(first)
    row = desk.page.locator(f'[data-testid="rail-item"][data-id="{desk.id_of(first)}"]')
    desk.by("note").click()
    desk.by("note-skip").check()
    expect(row).to_have_attribute("data-state", "skipped")
    expect(desk.by("rail-progress")).to_contain_text("1 skipped")
    desk.page.keyboard.press("Escape")
    desk.page.keyboard.press("Control+z")
    expect(row).to_have_attribute("data-state", "todo")
    desk.page.keyboard.press("Control+Shift+z")
    expect(row).to_have_attribute("data-state", "skipped")
    desk.by("canvas").focus()
    desk.page.keyboard.press("Shift+S")
    expect(row).to_have_attribute("data-state", "todo")
    expect(desk.by("toast")).to_contain_text("no longer skipped")
    desk.expect_saved()
