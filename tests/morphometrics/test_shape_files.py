"""Files of shapes, as other programs read them."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.landmarks.curves import Curve
from lead.landmarks.scales import Scale
from lead.morphometrics import sliding
from lead.morphometrics.measuring import specimen_names
from lead.morphometrics.procrustes import superimposed
from lead.morphometrics.shape import Shapes, Slide, shapes_of
from lead.morphometrics.shape_files import morphoj, write_shapes

NAMES = ("nose", "left", "right", "tail<&>")
COUNT = 12


def found(*, tracks: tuple[str, ...] | None = None) -> Shapes:
    base = np.array([(50, 10), (30, 40), (70, 40), (50, 90)], dtype=float)
    points = base + 2 * np.random.default_rng(0).normal(size=(COUNT, 4, 2))
    points[3, 1] = np.nan
    points[6, 3] += (30, -30)
    schema = Schema(NAMES, flip_pairs=(("left", "right"),), skeleton=(("nose", NAMES[3]),))
    images = (
        ["a.png", "a.png", *(f"b {i}.png" for i in range(COUNT - 2))]
        if tracks
        else [f"b {i}.png" for i in range(COUNT)]
    )
    labels = Labels.from_xy(schema, images, points, tracks=tracks)
    return shapes_of(labels, dict.fromkeys(images, Scale.square(0.1)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("shapes") / "out"
    write_shapes(found(), path)
    return path


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_ktch_reads_the_aligned_shapes(folder: Path) -> None:
    from ktch.io import read_tps

    shapes = found()
    read = read_tps(folder / "aligned.tps")
    np.testing.assert_allclose([one.landmarks for one in read], shapes.shapes, atol=1e-12)
    assert [one.image_path for one in read] == list(shapes.labels.images)


def test_tables_hold_what_was_found(folder: Path) -> None:
    shapes, specimens, landmarks = found(), table(folder / "specimens.csv"), table(folder / "landmarks.csv")
    np.testing.assert_allclose([float(line["centroid_size"]) for line in specimens], shapes.sizes)
    np.testing.assert_allclose([float(line["PC2"]) for line in specimens], shapes.scores[:, 1])
    assert [line["id"] for line in specimens if line["far"] == "1"] == ["b 6.png"]
    assert [line["estimated"] for line in specimens].count("1") == 1
    assert {line["unit"] for line in specimens} == {"mm"}
    assert [line["landmark"] for line in landmarks[:4]] == list(NAMES)
    places = np.array([[float(line[axis]) for axis in "xy"] for line in landmarks])
    parts = [
        np.array([[float(line[f"{part}_{axis}"]) for axis in "xy"] for line in landmarks])
        for part in ("symmetric", "asymmetric")
    ]
    np.testing.assert_allclose(places.reshape(COUNT, 4, 2), shapes.shapes)
    sizes = np.linalg.norm((parts[0] + parts[1]).reshape(COUNT, 4, 2), axis=(1, 2))
    np.testing.assert_allclose(sizes, 1)


def test_morphoj_gets_places_in_millimetres_under_names_of_their_own(folder: Path) -> None:
    lines = [line.split("\t") for line in (folder / "morphoj.txt").read_text().splitlines()]
    assert lines[0] == ["id", "x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4"]
    np.testing.assert_allclose([[float(v) for v in line[1:]] for line in lines[1:]], found().points.reshape(COUNT, 8))
    several = found(tracks=("",) * COUNT)
    assert specimen_names(several.labels)[:3] == ["a.png#1", "a.png#2", "b 0.png#1"]
    assert len({line.split("\t")[0] for line in morphoj(several).splitlines()}) == COUNT + 1


def test_the_script_names_files_and_columns_that_are_there(folder: Path) -> None:
    text = (folder / "shapes.R").read_text()
    for name in re.findall(r'"([\w.]+\.(?:csv|tps))"', text):
        assert (folder / name).is_file()
    columns = table(folder / "specimens.csv")[0].keys()
    assert set(re.findall(r"specimens\$(\w+)", text)) <= columns


def test_the_page_stands_alone_and_names_its_points(folder: Path) -> None:
    text = (folder / "shapes.html").read_text(encoding="utf-8")
    seen: list[str] = []
    open_tags: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag not in ("meta",):
                open_tags.append(tag)
            assert tag not in ("script", "link", "img")
            assert not any(name in ("src", "href") for name, _ in attrs)

        def handle_startendtag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert "nan" not in str(attrs)

        def handle_endtag(self, tag: str) -> None:
            assert open_tags.pop() == tag

        def handle_data(self, data: str) -> None:
            seen.append(data)

    Reader().feed(text)
    assert open_tags == []
    said = "".join(seen)
    assert f"Shapes of {COUNT} specimens" in said
    assert "tail<&>" in said, "a name may hold anything"
    assert said.count("b 6.png") == 4, "on both plots, among the far ones and among the asymmetric ones"
    assert "2 standard deviations more" in said


def test_groups_stand_in_the_table_and_on_the_page(tmp_path: Path) -> None:
    shapes = replace(found(), groups=("a", "b<") * (COUNT // 2))
    write_shapes(shapes, tmp_path)
    assert [line["group"] for line in table(tmp_path / "specimens.csv")[:2]] == ["a", "b<"]
    text = (tmp_path / "shapes.html").read_text(encoding="utf-8")
    assert "b&lt;, differences enlarged 3 times" in text
    assert text.count('class="g1"') == COUNT + 1, "half of the specimens on each of two plots, and the key"


def test_a_folder_with_something_in_it_is_left_alone(folder: Path) -> None:
    with pytest.raises(LeadError, match="is not empty"):
        write_shapes(found(), folder)
    write_shapes(found(), folder, overwrite=True)


def with_curves(slide: Slide) -> Shapes:
    names = ("a", "b", "c", "d", "e")
    schema = Schema(names, curves=(Curve("back", ("b", "d", "a", "c")),))
    base = np.array([(50, 10), (30, 40), (70, 40), (40, 20), (10, 90)], dtype=float)
    points = base + 2 * np.random.default_rng(0).normal(size=(COUNT, 5, 2))
    return shapes_of(Labels.from_xy(schema, [f"{i}.png" for i in range(COUNT)], points), slide=slide)


@pytest.mark.parametrize("slide", ["bending", "procrustes", "no"])
def test_what_slid_stands_in_the_files_and_geomorph_gets_its_matrix(slide: Slide, tmp_path: Path) -> None:
    shapes = with_curves(slide)
    write_shapes(shapes, tmp_path)
    assert (tmp_path / "sliders.csv").read_text() == "before,slide,after\n2,4,1\n4,1,3\n"
    points = shapes.points if slide == "no" else sliding.slid(shapes.points, shapes.labels.schema.sliders, slide)
    np.testing.assert_allclose(shapes.shapes, superimposed(points))
    np.testing.assert_array_equal(shapes.points, with_curves("no").points)
    rows = [line.split("\t")[1:] for line in (tmp_path / "morphoj.txt").read_text().splitlines()[1:]]
    np.testing.assert_allclose(np.array(rows, dtype=float).reshape(points.shape), points)
    text = (tmp_path / "shapes.R").read_text()
    assert 'sliders <- as.matrix(read.csv("sliders.csv"))' in text
    assert bool(re.search("^coords <- gpagen", text, re.MULTILINE)) == (slide == "no"), "they slide once"


def test_without_curves_there_is_no_matrix(folder: Path) -> None:
    assert not (folder / "sliders.csv").exists()
    assert "sliders" not in (folder / "shapes.R").read_text()


def test_points_that_cannot_slide_are_refused() -> None:
    shapes = with_curves("no")
    points = shapes.points * (1, -1)
    points[3, 1] = points[3, 0]
    labels = replace(shapes.labels, xy=points)
    with pytest.raises(LeadError, match=r"'3\.png': 'b' and 'a' lie in one place, .* 'd' between them.*--slide no"):
        shapes_of(labels)
    points[:, 4] = points[:, 1]
    with pytest.raises(LeadError, match=r"by bending energy: in the mean shape two landmarks.*--slide procrustes"):
        shapes_of(replace(labels, xy=points * [[[1, 1]]]).take([0, 1, 2, 4, 5]))
    shapes_of(labels.take([0, 1, 2, 4, 5]), slide="procrustes")
