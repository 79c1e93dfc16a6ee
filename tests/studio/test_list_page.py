"""The list of pictures in a real browser: a folder that changes, filters, orders, and the keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import tifffile
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from PIL import Image
from playwright.sync_api import Locator, Route, expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


def item(desk: Desk, file: str) -> Locator:
    return desk.page.locator(f'[data-testid="rail-item"][data-id="{desk.id_of(file)}"]')


def shown_rows(desk: Desk) -> list[str]:
    """The files of the rows in sight, from the top."""
    found: list[str] = desk.page.evaluate(
        "() => [...document.querySelectorAll('[data-testid=rail-item]')]"
        ".sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top)"
        ".map((row) => studio.app.picture(row.dataset.id).file)"
    )
    return found


def expect_rows(desk: Desk, *files: str) -> None:
    expect(desk.by("rail-item")).to_have_count(len(files))
    for file in files:
        expect(item(desk, file)).to_be_visible()
    assert shown_rows(desk) == list(files)


def keep(pictures: Beetles, *names: str) -> None:
    """Only so many pictures, under these names."""
    files = pictures.files[: len(names)]
    for file in pictures.truth:
        if file not in files:
            (pictures.folder / file).unlink()
    for file, name in zip(files, names, strict=True):
        (pictures.folder / file).rename(pictures.folder / name)


# --- a folder that changes -------------------------------------------------------------------------------------------


def test_what_comes_and_goes_in_the_folder_is_seen(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    keep(pictures, "1.jpg", "2.jpg", "10.jpg")
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.show("2.jpg")
    expect_rows(desk, "1.jpg", "2.jpg", "10.jpg")  # as people count
    desk.click(50, 50)
    desk.expect_saved()

    shutil.copy(pictures.folder / "1.jpg", pictures.folder / "9.jpg")
    (pictures.folder / "flies.mp4").write_bytes(b"")
    desk.by("look-again").click()
    expect(desk.by("toast").filter(has_text="1 picture came.")).to_be_visible()
    expect(desk.by("rail-films")).to_contain_text("1 film: flies.mp4")
    expect_rows(desk, "1.jpg", "2.jpg", "9.jpg", "10.jpg")
    item(desk, "9.jpg").click()
    desk.ready("9.jpg")
    desk.click(60, 60)
    desk.expect_saved()
    assert set(desk.studio.saved()) == {"2.jpg", "9.jpg"}

    # After a reload, without being asked.
    shutil.copy(pictures.folder / "1.jpg", pictures.folder / "11.jpg")
    desk.page.reload()
    expect_rows(desk, "1.jpg", "2.jpg", "9.jpg", "10.jpg", "11.jpg")

    # The picture on show is taken out: another one comes, and its labels are kept.
    (pictures.folder / "9.jpg").rename(pictures.folder.parent / "9.jpg")
    desk.by("look-again").click()
    expect(desk.by("toast").filter(has_text="1 picture gone.")).to_be_visible()
    expect_rows(desk, "1.jpg", "2.jpg", "10.jpg", "11.jpg")
    desk.page.wait_for_function("() => studio.app.picture(studio.app.route.id)")
    desk.ready(desk.shown())
    assert set(desk.studio.saved()) == {"2.jpg", "9.jpg"}


def test_it_is_seen_when_the_window_is_returned_to(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    keep(pictures, "1.jpg", "2.jpg")
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.show("1.jpg")
    expect_rows(desk, "1.jpg", "2.jpg")
    shutil.copy(pictures.folder / "1.jpg", pictures.folder / "3.jpg")
    desk.page.wait_for_function(
        "async () => { dispatchEvent(new Event('focus')); return studio.app.pictures.length === 3 }", polling=500
    )
    expect_rows(desk, "1.jpg", "2.jpg", "3.jpg")


def test_a_broken_picture_that_is_replaced_is_read_and_predicted(
    serve: Serve, sit: Sit, pictures: Beetles, trained: object
) -> None:
    files = pictures.files
    write_labels(pictures.folder, {file: pictures.truth[file] for file in files[:3]})
    broken = files[4]
    whole = (pictures.folder / broken).read_bytes()
    (pictures.folder / broken).write_bytes(whole[:300])
    desk = sit(serve(pictures.folder, "--run", str(trained)))
    desk.go(f"label/{desk.id_of(broken)}")
    expect(desk.by("view-label")).to_contain_text("cannot be shown")
    expect(item(desk, broken)).to_have_attribute("data-state", "unreadable")
    reason = item(desk, broken).get_attribute("title") or ""
    assert reason.startswith(f"{broken}\nCannot be read: ")
    desk.by("rail-filter").select_option("unreadable")
    expect_rows(desk, broken)
    desk.page.wait_for_function("() => studio.app.state.model.stage === 'ready'")

    (pictures.folder / broken).write_bytes(whole)
    desk.by("look-again").click()
    expect(desk.by("toast").filter(has_text="1 picture replaced.")).to_be_visible()
    desk.ready(broken)  # the one on show, by itself
    expect(desk.page.locator(".stage-notice")).to_be_hidden()
    expect(desk.by("rail-item")).to_have_count(0)
    desk.by("rail-filter").select_option("all")
    expect(item(desk, broken)).to_have_attribute("data-state", "todo")
    desk.page.wait_for_function(
        "async (file) => (await studio.app.api.get('/predictions')).pictures.some((p) => p.file === file)",
        arg=broken,
        polling=200,
    )

    # One that can be read gives way to another: the page shows that one.
    large = np.zeros((90, 200, 3), dtype=np.uint8)
    Image.fromarray(large).save(pictures.folder / broken)
    desk.by("look-again").click()
    expect(desk.by("picture-facts")).to_contain_text("200 × 90")
    desk.page.wait_for_function("() => studio.canvas.base?.naturalWidth === 200")


def test_a_broken_picture_is_neither_begun_with_nor_counted(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    keep(pictures, "2.jpg", "3.jpg")
    (pictures.folder / "1.jpg").write_bytes(b"not a picture")
    (pictures.folder / "4.czi").touch()
    desk = sit(serve(pictures.folder))
    desk.name_landmarks("head")
    desk.go("label")  # nothing is learnt: the first in the folder is tried first
    desk.ready("2.jpg")
    expect(item(desk, "1.jpg")).to_have_attribute("data-state", "unreadable")
    expect(desk.by("rail-progress")).to_have_text("0 of 2 complete · 1 unreadable")
    expect(desk.by("progress")).to_have_text("0 of 2 labelled")
    expect(desk.by("rail-unread")).to_contain_text("Left out: 1 × .czi (4.czi): a Zeiss microscope's file")
    expect(desk.by("rail-notes")).to_be_hidden()


def test_what_could_not_be_read_again_is_said_with_its_name_and_reason(
    serve: Serve, sit: Sit, pictures: Beetles
) -> None:
    keep(pictures, "2.jpg", "3.jpg")
    desk = sit(serve(pictures.folder))
    desk.name_landmarks("head")

    def answer(route: Route) -> None:
        answered = route.fetch()
        listed = answered.json()
        for picture in listed:
            picture["coarse"] = "it is locked" if picture["file"] == "3.jpg" else None
        route.fulfill(response=answered, json=listed)

    desk.page.route("**/api/pictures", answer)
    desk.page.reload()
    desk.show("3.jpg")
    said = "3.jpg could not be read again to be looked at closely: it is locked. "
    for place in ("coarse", "rail-coarse"):  # beside the picture, and below the list
        expect(desk.by(place)).to_contain_text(said)
        expect(desk.by(place)).to_contain_text("larger expected error")
    expect(item(desk, "3.jpg")).to_have_attribute("title", "3.jpg\nNot looked at closely: it is locked")
    expect(item(desk, "3.jpg").get_by_test_id("rail-warning")).to_be_visible()
    desk.show("2.jpg")
    expect(desk.by("coarse")).to_be_hidden()
    expect(item(desk, "2.jpg").get_by_test_id("rail-warning")).to_have_count(0)


def test_how_values_of_more_than_8_bits_are_shown_is_said(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    keep(pictures, "2.jpg")
    stack = np.linspace(0, 3000, 3 * 40 * 60).reshape(3, 40, 60).astype(np.uint16)
    tifffile.imwrite(pictures.folder / "3.tif", stack, photometric="minisblack")
    desk = sit(serve(pictures.folder))
    desk.name_landmarks("head")
    desk.go("label")
    notes = desk.by("rail-notes")
    expect(notes).to_contain_text("1 of 2 pictures hold more than 8 bits and state no range: shown from")
    expect(notes).to_contain_text("1 of 2 pictures has several pages: the first is looked at")


# --- filters and orders ----------------------------------------------------------------------------------------------


def test_filters_orders_and_how_far_the_folder_is(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    names = ("1.jpg", "2.jpg", "3.jpg", "10.jpg", "11.jpg")
    truth = [pictures.truth[file] for file in pictures.files[: len(names)]]
    keep(pictures, *names)
    without = {name: place for name, place in truth[1].items() if name != "head"}
    write_labels(pictures.folder, {"1.jpg": truth[0], "2.jpg": without, "10.jpg": dict([*truth[3].items()][:1])})
    desk = sit(serve(pictures.folder))
    desk.show("3.jpg")
    expect(desk.by("rail-progress")).to_have_text("1 of 5 complete")
    marked = "async ([id, marks]) => { await studio.app.load(id); studio.app.change(id, {}, marks) }"
    desk.page.evaluate(marked, [desk.id_of("3.jpg"), {"tags": ["skip"]}])
    desk.page.evaluate(marked, [desk.id_of("11.jpg"), {"tags": ["torn wing"], "note": "a note"}])
    desk.expect_saved()
    expect(desk.by("rail-progress")).to_have_text("1 of 5 complete · 1 skipped")
    expect(item(desk, "11.jpg").get_by_test_id("rail-note")).to_have_text("Has a note")
    expect(item(desk, "11.jpg").get_by_test_id("rail-tag")).to_have_text("Tags: torn wing")

    choose = desk.by("rail-filter")
    for value, files in {
        "todo": ["11.jpg"],
        "begun": ["2.jpg", "10.jpg"],
        "complete": ["1.jpg"],
        "skipped": ["3.jpg"],
        "noted": ["11.jpg"],
        "tag:torn wing": ["11.jpg"],
        "without:head": [file for file in ("2.jpg", "10.jpg") if file == "2.jpg" or "head" not in [*truth[3]][:1]],
        "all": list(names),
    }.items():
        choose.select_option(value)
        expect_rows(desk, *files)
    desk.by("rail-sort").select_option("labelled")
    expect_rows(desk, "1.jpg", "2.jpg", "10.jpg", "3.jpg", "11.jpg")
    desk.page.reload()  # both are kept for this tab
    expect_rows(desk, "1.jpg", "2.jpg", "10.jpg", "3.jpg", "11.jpg")
    desk.show("10.jpg")
    desk.page.keyboard.press(".")
    desk.ready("3.jpg")  # the next in the list as it stands there


def test_the_worst_come_first_and_can_be_filtered(serve: Serve, sit: Sit, pictures: Beetles, trained: object) -> None:
    files = pictures.files
    write_labels(pictures.folder, {file: pictures.truth[file] for file in files[:3]})
    desk = sit(serve(pictures.folder, "--run", str(trained)))
    desk.show(files[5])
    desk.page.wait_for_function("() => studio.app.pictures.filter((p) => p.expected !== null).length > 20")
    desk.by("rail-sort").select_option("expected")
    desk.by("rail-filter").select_option("uncertain")
    expect(desk.by("rail-limit")).to_be_visible()
    # Predictions are made anew now and then; the list goes along.
    desk.page.wait_for_function(
        """() => {
          const left = studio.app.pictures.filter((p) => !p.complete).sort((a, b) => b.expected - a.expected);
          const worst = left.slice(0, Math.ceil(left.length / 5)).map((p) => p.id);
          const rows = [...document.querySelectorAll('[data-testid=rail-item]')]
            .sort((a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
          return rows.map((row) => row.dataset.id).join() === worst.join();
        }"""
    )
    desk.by("rail-limit").fill("99")
    expect(desk.by("rail-item")).to_have_count(0)
    expect(desk.by("rail-count")).to_have_text(f"0 of {len(pictures.truth)}")


# --- the keyboard and small screens ----------------------------------------------------------------------------------


def test_the_list_is_one_stop_and_arrows_lead_through_it(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    files = sorted(pictures.truth)
    desk = sit(serve(pictures.folder))
    desk.name_landmarks(*NAMES)
    desk.show(files[0])
    expect(item(desk, files[0])).to_have_attribute("aria-current", "true")
    focused = "() => document.activeElement.dataset.id ?? document.activeElement.dataset.testid"
    keys = desk.page.keyboard
    desk.by("rail-search").focus()
    keys.press("ArrowDown")
    assert desk.page.evaluate(focused) == desk.id_of(files[0])
    keys.press("ArrowDown")
    keys.press("ArrowDown")
    keys.press("ArrowUp")
    assert desk.page.evaluate(focused) == desk.id_of(files[1])
    assert desk.shown() == files[0]  # only looked at
    keys.press("End")  # far beyond the rows that there were
    assert desk.page.evaluate(focused) == desk.id_of(files[-1])
    expect(item(desk, files[-1])).to_be_in_viewport()
    expect(desk.page.locator('[data-testid="rail-item"][tabindex="0"]')).to_have_count(1)
    keys.press("Tab")
    assert desk.page.evaluate(focused) == "look-again"
    keys.press("Shift+Tab")
    assert desk.page.evaluate(focused) == desk.id_of(files[-1])
    keys.press("Home")
    keys.press("ArrowDown")
    keys.press("Enter")
    desk.ready(files[1])
    expect(desk.by("canvas")).to_be_focused()  # what is opened is what is worked on

    # Scrolled away from where Tab leads, the list can still be reached.
    desk.by("rail").evaluate("(list) => { list.scrollTop = 1e6 }")
    expect(item(desk, files[-1])).to_be_in_viewport()
    desk.by("rail-sort").focus()
    keys.press("Tab")
    assert desk.page.evaluate(focused) == desk.id_of(files[1])
    expect(item(desk, files[1])).to_be_in_viewport()


def test_long_names_are_cut_in_the_middle(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    name = f"specimen-{'of-a-museum-' * 6}dorsal-view-0001.jpg"
    keep(pictures, name, name.replace("0001", "0002"))
    desk = sit(serve(pictures.folder))
    desk.show(name)
    row = item(desk, name)
    expect(row).to_contain_text(name)
    expect(row).to_have_attribute("title", name)
    tail = row.locator(".name-parts > span").last
    expect(tail).to_have_text("-0001.jpg")
    whole = tail.evaluate("(e) => [e.scrollWidth - e.clientWidth, e.getBoundingClientRect().right]")
    right = row.evaluate("(e) => e.getBoundingClientRect().right")
    assert whole[0] <= 1
    assert whole[1] <= right
    expect(desk.by("file-name")).to_have_text(name)
    end = desk.by("file-name").locator("span").last
    expect(end).to_have_text("-0001.jpg")
    assert end.evaluate("(e) => e.scrollWidth - e.clientWidth") <= 1
