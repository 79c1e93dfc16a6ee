"""Import and export in a real browser: files without names, of other tools and of spreadsheets, and back again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from browser import NAMES, Desk, Studio, write_labels
from pages import Beetles
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]


@pytest.fixture
def labelled(pictures: Beetles) -> Beetles:
    """With three whole pictures labelled."""
    write_labels(pictures.folder, {file: pictures.truth[file] for file in pictures.files[:3]})
    return pictures


def exported(desk: Desk, format: str, to: Path) -> Path:
    """The file that the page gives, under the name that it suggests."""
    desk.by(f"format-{format}").check()
    with desk.page.expect_download() as downloading:
        desk.by("export-download").click()
    file = to / downloading.value.suggested_filename
    downloading.value.save_as(file)
    return file


def choose(desk: Desk, file: Path) -> None:
    desk.by("import-file").set_input_files(file)
    desk.by("import-go").click()


@pytest.mark.parametrize("format", ["tps", "pts"])
def test_its_own_files_without_names_are_taken_in_order(
    serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path, format: str
) -> None:
    desk = sit(serve(labelled.folder), "export")
    before = desk.studio.saved()
    file = exported(desk, format, tmp_path)
    choose(desk, file)
    asked = desk.by("import-called")
    expect(asked).to_contain_text("numbers its landmarks and does not name them. Take 1 … 4")
    for i, name in enumerate(NAMES, 1):
        expect(desk.by(f"called-{i}")).to_have_value(name)
    desk.by("import-go").click()
    expect(desk.by("import-report")).to_contain_text("12 labels the same in both")
    expect(desk.by("import-report")).not_to_contain_text("says otherwise")
    assert desk.studio.saved() == before


def test_which_landmark_is_which_is_chosen_with_keys(serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path) -> None:
    """A file of five landmarks where four are here: two change places, the last is left out."""
    fourth = labelled.files[3]
    file = tmp_path / "theirs.tps"
    file.write_text("LM=5\n10 20\n30 40\n50 60\n70 80\n90 90\n" + f"IMAGE={fourth}\nID=0\n")
    desk = sit(serve(labelled.folder), "export")
    choose(desk, file)
    expect(desk.by("import-called")).to_contain_text("has 5; here are 4")
    expect(desk.by("called-5")).to_have_value("")
    desk.by("called-1").focus()
    desk.page.keyboard.press("e")  # the first that begins so: elytra_left, which was the second
    expect(desk.by("called-1")).to_have_value("elytra_left")
    expect(desk.by("called-2")).to_have_value("head")
    expect(desk.by("called-1")).to_be_focused()
    desk.by("import-go").press("Enter")
    expect(desk.by("import-report")).to_contain_text("4 labels added")
    height = 160
    assert desk.studio.saved()[fourth] == {
        "elytra_left": (10, height - 20, 2),
        "head": (30, height - 40, 2),
        "elytra_right": (50, height - 60, 2),
        "abdomen_tip": (70, height - 80, 2),
    }


def test_a_file_of_other_names_asks_which_is_which(serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path) -> None:
    fourth = labelled.files[3]
    file = tmp_path / "theirs.csv"
    names = ("tip", "Elytra right", "elytra_left", "snout")
    file.write_text("image;name;x;y\n" + "".join(f"{fourth};{name};{i},5;9\n" for i, name in enumerate(names)))
    desk = sit(serve(labelled.folder), "export")
    choose(desk, file)
    for i, name in enumerate(("head", "elytra_right", "elytra_left", "abdomen_tip"), 1):
        expect(desk.by(f"called-{i}")).to_have_value(name)
    desk.by("called-1").select_option("abdomen_tip")
    expect(desk.by("called-4")).to_have_value("head")
    desk.by("import-go").click()
    expect(desk.by("import-report")).to_contain_text("4 labels added")
    found = {name: x for name, (x, _, _) in desk.studio.saved()[fourth].items()}
    assert found == {"abdomen_tip": 0.5, "elytra_right": 1.5, "elytra_left": 2.5, "head": 3.5}


def test_an_unchanged_export_of_label_studio_is_the_same(
    serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path
) -> None:
    desk = sit(serve(labelled.folder), "export")
    choose(desk, exported(desk, "labelstudio", tmp_path))
    expect(desk.by("import-report")).to_contain_text("12 labels the same in both")
    expect(desk.by("import-report")).not_to_contain_text("says otherwise")


def test_a_table_that_is_none_is_answered_about_tables(
    serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path
) -> None:
    file = tmp_path / "wrong.csv"
    file.write_text("picture;name\na;b\n")
    desk = sit(serve(labelled.folder), "export")
    choose(desk, file)
    expect(desk.by("import-error")).to_contain_text("no header line with a column 'image'")
    words = desk.by("import-error").inner_text()
    assert "SLEAP" not in words
    assert "--" not in words


def test_names_of_files_tell_formats_apart(serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path) -> None:
    desk = sit(serve(labelled.folder), "export")
    formats = [format["name"] for format in desk.page.evaluate("() => studio.app.api.get('/formats')")]
    names = {format: exported(desk, format, tmp_path).name for format in formats}
    assert len(set(names.values())) == len(formats)
    assert (names["coco"], names["labelstudio"]) == ("beetles-labels.coco.json", "beetles-labels.labelstudio.json")
    assert (names["csv"], names["deeplabcut"]) == ("beetles-labels.csv", "beetles-labels.deeplabcut.csv")
    assert json.loads((tmp_path / names["coco"]).read_text())["categories"]


def test_download_and_import_are_at_hand(serve: Serve, sit: Sit, labelled: Beetles) -> None:
    """1366 × 768 on the screen leaves a browser about 640 px of height."""
    desk = sit(serve(labelled.folder), "export")
    for width, height in ((1366, 640), (1280, 800), (390, 780)):
        desk.page.set_viewport_size({"width": width, "height": height})
        expect(desk.by("format-coco")).to_be_visible()
        at_hand = ["export-download"] + (["import-choose"] if width > 1000 else [])
        for testid in at_hand:
            box = desk.by(testid).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
            assert box["y"] + box["height"] <= height
        wide = desk.page.evaluate(
            "() => document.querySelector('.page').scrollWidth - document.querySelector('.page').clientWidth"
        )
        assert wide <= 0, width


def test_accepted_suggestions_are_told_apart(serve: Serve, sit: Sit, labelled: Beetles) -> None:
    file = labelled.folder / "annotations.json"
    document = json.loads(file.read_text())
    document["annotations"][0]["accepted"] = ["head", "elytra_left"]
    file.write_text(json.dumps(document))
    desk = sit(serve(labelled.folder), "export")
    expect(desk.by("export-files")).to_contain_text(
        "Your labels of 3 pictures. 2 labels are accepted suggestions that nobody moved."
    )
    expect(desk.by("export-files")).not_to_contain_text("by hand")


def test_after_naming_labelling_begins(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder), "landmarks")
    expect(desk.by("start-labelling")).to_be_hidden()
    desk.by("landmark-entry").fill("head")
    desk.by("landmark-entry").press("Enter")
    desk.by("start-labelling").press("Enter")
    expect(desk.by("canvas")).to_be_visible()
    expect(desk.by("landmarks")).to_contain_text("head")


def test_a_models_points_are_left_out_until_they_are_asked_for(
    serve: Serve, sit: Sit, labelled: Beetles, tmp_path: Path
) -> None:
    fourth = labelled.files[3]
    file = tmp_path / "theirs.csv"
    file.write_text(f"image,name,x,y,score\n{fourth},head,10,20,0.9\n{fourth},elytra_left,30,40,\n")
    desk = sit(serve(labelled.folder), "export")
    choose(desk, file)
    report = desk.by("import-report")
    expect(report).to_contain_text("1 label added")
    expect(report).to_contain_text("Left out: 1 point that a model said and no person has touched")
    assert set(desk.studio.saved()[fourth]) == {"elytra_left"}
    desk.by("import-predictions").click()
    expect(report).to_contain_text("1 label the same in both")
    expect(desk.by("import-predictions")).to_have_count(0)
    (entry,) = (a for a in desk.studio.document()["annotations"] if a.get("accepted"))
    assert entry["accepted"] == ["head"]
