"""Several drawn beetles in one picture: what is said of each is what the picture shows, and they lie as asked for."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lead.beetles import trays
from lead.beetles.drawing import ON_LIMBS, paint_beetle, vary
from lead.beetles.relief import SUPERSAMPLE, Array, BodyFrame, Colour, Light, Relief
from lead.beetles.rendering import SCHEMA, species_of
from lead.beetles.scattering import Placed, scatter
from lead.beetles.species import Dress, Species
from lead.beetles.trays import Tray, paint_placed, render_tray
from lead.beetles.writing import write_beetles
from lead.errors import LeadError
from lead.geometry import resize_points
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE

LIGHT = Light((0.0, 0.0, 1.0), (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))


def scene(index: int, specimens: tuple[int, int], *, rotation: float | None = None) -> list[Placed]:
    rng = np.random.default_rng(index)
    return scatter(rng, specimens=specimens, species=range(40), seed=0, rotation=rotation)


def bodies(placed: list[Placed], size: int) -> npt.NDArray[np.bool_]:
    """(n, S, S) the pixels of each beetle's trunk, whether others cover them or not."""
    y, x = np.mgrid[:size, :size].astype(np.float64)
    return np.array([paint_placed(one, size)[0].painted_at(np.stack([x, y], -1), solid=True) for one in placed])


def seen(monkeypatch: pytest.MonkeyPatch, index: int, parts: tuple[str, ...], size: int) -> npt.NDArray[np.int64]:
    """(3, S, S) where each of three beetles is seen: by how much of 255 the picture changes as parts of it turn from
    black to red, of the second to green, of the third to blue."""
    drawn = []
    for bright in (0.0, 1.0):
        colours = iter(np.eye(3) * bright)

        def painted(species: Species, rng: np.random.Generator, colours: Iterator[Array] = colours) -> Species:
            individual = vary(species, rng)
            colour: Colour = tuple(next(colours).tolist())
            dress = replace(individual.dress, sheen=None, **dict.fromkeys(parts, colour))
            return replace(individual, dress=dress, collar=False)

        with monkeypatch.context() as patch:
            patch.setattr("lead.beetles.scattering.vary", painted)
            drawn.append(render_tray(index, specimens=(3, 3), size=size).pixels.astype(np.int64))
    return np.moveaxis(drawn[1] - drawn[0], -1, 0)


WHOLE = tuple(field.name for field in fields(Dress) if field.name != "sheen")


@pytest.fixture
def sharp(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large beetles in a light from above, and no blur, noise and compression."""

    def photograph(picture: Array, _: np.random.Generator) -> npt.NDArray[np.uint8]:
        return (picture.clip(0, 1) * 255).astype(np.uint8)

    monkeypatch.setattr(trays, "photograph", photograph)
    monkeypatch.setattr(trays, "random_light", lambda _: LIGHT)
    monkeypatch.setattr("lead.beetles.scattering.SMALLEST", 0.2)


# --- where they lie --------------------------------------------------------------------------------------------------


def test_as_many_as_asked_for_and_never_too_small_or_large() -> None:
    scenes = [scene(i, (0, 4)) for i in range(60)]
    assert set(map(len, scenes)) == {0, 1, 2, 3, 4}
    assert {len(scene(i, (7, 7))) for i in range(3)} == {7}
    lengths = [one.frame.scale for placed in scenes for one in placed]
    assert 0.03 <= min(lengths) < 0.06
    assert 0.3 < max(lengths) <= 0.4
    for placed in scenes:
        own = [one.frame.scale for one in placed]
        assert max(own, default=1) <= 1.3 / 0.7 * min(own, default=1) + 1e-9
    many = [one.frame.scale for one in scene(0, (300, 300))]
    assert len(many) == 300
    assert 0.03 <= min(many) < max(many) < 0.12
    assert len({one.number for one in scene(1, (12, 12))}) > 5


def test_they_touch_and_overlap_by_a_third_at_most() -> None:
    size, apart, touching, overlapping = 128, 0, 0, 0
    for index in range(12):
        covers = bodies(scene(index, (3, 9)), size)
        for i, one in enumerate(covers):
            others = np.any(np.delete(covers, i, axis=0), axis=0)
            met = (one & others).sum() / one.sum()
            assert met < 0.4, (index, i)  # of what is in the picture; places are chosen with ellipses for bodies
            wider = np.any([np.roll(one, s, axis) for s in (-2, 2) for axis in (0, 1)], axis=0)
            apart += not (wider & others).any()
            touching += bool((wider & others).any()) and met < 0.01
            overlapping += met > 0.05
    assert min(apart, touching, overlapping) >= 3


def test_some_are_cut_by_the_edge_but_all_have_a_landmark_in_the_picture() -> None:
    placed = [one for i in range(25) for one in scene(i, (3, 8))]
    points = np.array([list(paint_beetle(Relief(1), one.individual, one.pose, one.frame).values()) for one in placed])
    inside = ((points > 0) & (points < 1)).all(-1).sum(1)
    assert inside.min() >= 1
    assert (inside < len(SCHEMA.names)).mean() > 0.1
    assert (inside == len(SCHEMA.names)).mean() > 0.5


@pytest.mark.parametrize(("rotation", "most"), [(None, 180.0), (50.0, 50.0), (0.0, 0.0)])
def test_they_lie_turned_as_far_as_is_asked_for(rotation: float | None, most: float) -> None:
    angles = [np.degrees(one.frame.angle) for i in range(12) for one in scene(i, (4, 8), rotation=rotation)]
    assert np.abs(angles).max() <= most
    assert np.abs(angles).max() >= 0.9 * most
    assert np.std(angles) == pytest.approx(most / np.sqrt(3), rel=0.25)


def test_trays_repeat_and_differ_and_are_the_same_at_any_size() -> None:
    first, again, large = (render_tray(2, specimens=(3, 8), seed=1, size=size) for size in (96, 96, 192))
    for name in (field.name for field in fields(Tray)):
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    np.testing.assert_allclose(resize_points(large.xy, (192, 192), (96, 96)), first.xy, atol=1e-9)
    np.testing.assert_allclose(large.boxes[:, 2:] / 2, first.boxes[:, 2:], atol=1)
    np.testing.assert_array_equal(large.species, first.species)
    halved = np.asarray(Image.fromarray(large.pixels).resize((96, 96), Image.Resampling.BOX), np.float64)
    assert np.abs(halved - first.pixels).mean() < 8
    for index, seed in ((3, 1), (2, 2)):
        other = render_tray(index, specimens=(3, 8), seed=seed, size=96)
        assert other.xy.shape != first.xy.shape or np.abs(other.xy - first.xy).max() > 1


# --- what is said of them --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("middle", [(90.3, 71.8), (6.0, 150.4)])
def test_a_beetle_is_the_one_that_is_painted_alone_at_its_place(middle: tuple[float, float]) -> None:
    """On a canvas as large as the picture; the second is cut by the edge."""
    size, length, one = 160, 60.0, scene(0, (1, 1))[0]
    frame = BodyFrame(((middle[0] + 0.5) / size, (middle[1] + 0.5) / size), 0.7, length / size)
    patch, xy = paint_placed(replace(one, frame=frame), size)
    picture = np.zeros((size, size, 3))
    patch.lay(picture, LIGHT, 0.035)
    alone, fine = Relief(size), size * SUPERSAMPLE
    x, y = resize_points(np.array(middle), (size, size), (fine, fine)).tolist()
    points = paint_beetle(alone, one.individual, one.pose, BodyFrame((x, y), 0.7, length * SUPERSAMPLE))
    expected = np.array([points[name] for name in SCHEMA.names])
    np.testing.assert_allclose(xy, resize_points(expected, (fine, fine), (size, size)), atol=1e-9)
    colour, _ = alone.lit(LIGHT)
    assert colour.max() > 0.2
    within = slice(1, -1), slice(1, -1)  # surfaces have no slope at a canvas's edge
    np.testing.assert_allclose(picture[within], colour[within], atol=0.01)


@pytest.mark.usefixtures("sharp")
def test_eyes_of_each_lie_at_the_centroid_of_their_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trays, "_COVERED_UP", 0.0)
    size, found = 128, 0
    y, x = np.mgrid[:size, :size]
    for index in range(10):
        tray = render_tray(index, specimens=(3, 3), size=size)
        for eye, xy, visible in zip(seen(monkeypatch, index, ("eye",), size), tray.xy, tray.visible, strict=True):
            if (visible != VISIBLE).any():
                continue  # perhaps an eye is covered in part
            middle = np.array([(eye * x).sum(), (eye * y).sum()]) / eye.sum()
            eyes = xy[[SCHEMA.index(name) for name in ("left_eye", "right_eye")]]
            np.testing.assert_allclose(middle, eyes.mean(0), atol=0.35)
            found += 1
    assert found >= 6


@pytest.mark.usefixtures("sharp")
def test_hidden_is_what_lies_under_something_and_boxes_hold_what_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trays, "_COVERED_UP", 0.5)
    size, counts = 128, Counter[int]()
    for index in range(10):
        tray = render_tray(index, specimens=(3, 3), size=size)
        for which, change in enumerate(seen(monkeypatch, index, WHOLE, size)):
            down, across = np.nonzero(change > 12)
            first, last = (across.min(), down.min()), (across.max(), down.max())
            low, high = tray.boxes[which, :2], tray.boxes[which, :2] + tray.boxes[which, 2:]
            assert (low >= 0).all()
            assert (high <= size).all()
            assert (low < np.add(first, 1.1)).all()
            assert (high > np.add(last, -0.1)).all()
            for name, (x, y), visible in zip(SCHEMA.names, tray.xy[which], tray.visible[which], strict=True):
                assert (visible == UNLABELLED) == (not (-0.5 <= x <= size - 0.5 and -0.5 <= y <= size - 0.5))
                column, row = round(float(x)), round(float(y))
                near = change[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
                if visible == UNLABELLED or name in ON_LIMBS or near.max() > max(25, 1.6 * near.min()):
                    continue  # out of the picture, perhaps under the beetle itself, or at an edge
                assert visible == (VISIBLE if near.max() > 25 else HIDDEN), (index, which, name)
                counts[int(visible)] += 1
    assert counts[HIDDEN] > 6
    assert counts[VISIBLE] > 12


@pytest.mark.usefixtures("sharp")
def test_a_box_is_that_of_the_whole_beetle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trays, "_COVERED_UP", 0.0)
    size, found = 96, 0
    for index in range(12):
        boxes = render_tray(index, specimens=(3, 3), size=size).boxes
        low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
        for which, change in enumerate(seen(monkeypatch, index, WHOLE, size)):
            if ((low < high[which]) & (low[which] < high)).all(1).sum() > 1:
                continue  # it and another may overlap
            y, x = np.nonzero(change > 4)
            np.testing.assert_allclose(low[which], (x.min(), y.min()), atol=1.6)
            np.testing.assert_allclose(high[which], (x.max() + 1, y.max() + 1), atol=1.6)
            found += 1
    assert found > 8


@pytest.mark.usefixtures("sharp")
def test_none_vanishes_under_what_lies_over_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def lay_over_all(_: np.random.Generator, relief: Relief, *__: object) -> None:
        middle = (relief.fine / 2, relief.fine / 2)
        relief.rod(middle, middle, (relief.fine / 2, relief.fine / 2), (0.2, 0.6, 0.2))

    monkeypatch.setattr(trays, "_COVERED_UP", 1.0)
    monkeypatch.setattr(trays, "cover_up", lay_over_all)
    for index in range(2):
        assert ((seen(monkeypatch, index, WHOLE, 96) > 40).sum((1, 2)) > 5).all()


def test_an_empty_tray_is_empty() -> None:
    tray = render_tray(0, specimens=(0, 0), size=48)
    assert (tray.pixels.shape, tray.xy.shape, tray.visible.shape) == ((48, 48, 3), (0, 13, 2), (0, 13))
    assert (tray.species.shape, tray.sizes.shape, tray.boxes.shape) == ((0,), (0,), (0, 4))


# --- folders ---------------------------------------------------------------------------------------------------------


def test_written_trays_say_what_was_drawn(tmp_path: Path) -> None:
    out, pictures = tmp_path / "b", 10
    beetles = write_beetles(out, pictures, seed=4, size=64, species=8, specimens=(0, 3), workers=1)
    coco = json.loads((out / "landmarks.json").read_text())
    assert [image["file_name"] for image in coco["images"]] == [f"images/{i:05d}.jpg" for i in range(pictures)]
    assert all(image["complete"] is True and image["width"] == image["height"] == 64 for image in coco["images"])
    assert beetles == len(coco["annotations"]) == len({entry["id"] for entry in coco["annotations"]})
    assert coco["categories"][0]["keypoints"] == list(SCHEMA.names)
    with (out / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len({row["identity"] for row in rows}) == pictures
    assert {row["split"] for row in rows} == {"train", "test"}
    seen = Counter[int]()
    for index, (image, row) in enumerate(zip(coco["images"], rows, strict=True)):
        assert row["file"] == image["file_name"]
        test = species_of(index, 8) >= 6
        assert row["split"] == ("test" if test else "train")
        kinds = range(6, 8) if test else range(6)
        drawn = render_tray(index, specimens=(0, 3), seed=4, size=64, species=kinds)
        assert set(drawn.species.tolist()) <= set(kinds)
        entries = [entry for entry in coco["annotations"] if entry["image_id"] == image["id"]]
        seen[len(entries)] += 1
        keypoints = np.array([entry["keypoints"] for entry in entries]).reshape(-1, 13, 3)
        np.testing.assert_array_equal(keypoints[..., 2], drawn.visible)
        known = drawn.visible > UNLABELLED
        np.testing.assert_allclose(keypoints[..., :2][known], drawn.xy[known], atol=1e-3)
        np.testing.assert_allclose(
            np.array([entry["bbox"] for entry in entries]).reshape(-1, 4), drawn.boxes, atol=1e-3
        )
        pixels = np.asarray(Image.open(out / image["file_name"]), int)
        assert np.abs(pixels - drawn.pixels).mean() < 8
    assert seen[0] > 0
    assert seen[3] > 0


def test_how_many_there_are_does_not_change_a_tray(tmp_path: Path) -> None:
    write_beetles(tmp_path / "few", 2, size=32, specimens=(1, 2), workers=1)
    write_beetles(tmp_path / "more", 4, size=32, specimens=(1, 2), workers=1)
    for index in range(2):
        name = f"images/{index:05d}.jpg"
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "more" / name).read_bytes()
    few, more = (
        json.loads((tmp_path / name / "landmarks.json").read_text())["annotations"] for name in ("few", "more")
    )
    assert few == more[: len(few)]


def test_a_folder_says_how_many_beetles_its_trays_hold(tmp_path: Path) -> None:
    out = tmp_path / "b"
    beetles = write_beetles(out, 2, size=32, specimens=(2, 3))
    assert json.loads((out / "dataset.json").read_text())["specimens"] == [2, 3]
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    assert write_beetles(out, 2, size=32, specimens=(2, 3)) == beetles
    for other in (None, (2, 4)):
        with pytest.raises(LeadError, match="data set of another specimens"):
            write_beetles(out, 2, size=32, specimens=other)
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*")}


@pytest.mark.parametrize("specimens", [(-1, 3), (4, 3), (0, 301)])
def test_an_impossible_number_is_named(tmp_path: Path, specimens: tuple[int, int]) -> None:
    with pytest.raises(LeadError, match=rf"specimens are {specimens[0]},{specimens[1]}; .*0 ≤ LEAST ≤ MOST ≤ 300"):
        write_beetles(tmp_path / "b", 2, size=32, specimens=specimens)
    assert not list(tmp_path.iterdir())
