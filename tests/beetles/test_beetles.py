"""Drawn beetles: the landmarks lie where the picture shows them, and the data set is the same every time."""

from __future__ import annotations

import json
from dataclasses import replace
from math import radians
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from lead.beetles.drawing import ON_LIMBS, Pose, paint_beetle
from lead.beetles.relief import SUPERSAMPLE, Array, BodyFrame, Colour, Egg, Light, Point, Relief
from lead.beetles.rendering import NORMALISER, SCHEMA, render
from lead.beetles.species import FORMS, Species, make_species
from lead.beetles.writing import write_beetles
from lead.datasets import rendered
from lead.errors import LeadError
from lead.geometry import resize_points
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE

SIZE = 128
MIDDLE = (SIZE - 1) / 2
OVERHEAD = Light((0.0, 0.0, 1.0), (0.5, 0.5, 0.5), (0.3, 0.3, 0.3))
KINDS = range(len(FORMS))
GREY = (0.3, 0.3, 0.3)


def draw(
    species: Species, pose: Pose, *, angle: float = 0.0, centre: Point = (MIDDLE, MIDDLE)
) -> tuple[Array, Array, dict[str, npt.NDArray[np.float64]]]:
    """Colour times cover, cover, and landmarks in picture pixels of a beetle 70 pixels long."""
    relief = Relief(SIZE)
    fine = SIZE * SUPERSAMPLE
    x, y = resize_points(np.array(centre), (SIZE, SIZE), (fine, fine)).tolist()
    points = paint_beetle(relief, species, pose, BodyFrame((x, y), radians(angle), 70.0 * SUPERSAMPLE))
    colour, cover = relief.lit(OVERHEAD)
    return colour, cover, {k: resize_points(np.array(p), (fine, fine), (SIZE, SIZE)) for k, p in points.items()}


def legless(species: Species) -> Species:
    return replace(species, body=replace(species.body, leg_length=1e-3, leg_thickness=1e-3))


@pytest.mark.parametrize("angle", [0, -35, 90, 160])
@pytest.mark.parametrize("number", KINDS)
def test_eyes_lie_at_the_centroid_of_their_colour(number: int, angle: float) -> None:
    species = make_species(number, seed=3)
    dress = replace(
        species.dress, elytra=GREY, mark=GREY, pronotum=GREY, head=GREY, leg=GREY, eye=(1, 0, 1), sheen=None
    )
    species = replace(species, dress=dress, collar=False)
    colour, _, points = draw(species, Pose(head=9), angle=angle, centre=(60.3, 66.8))
    weight = np.maximum(colour[..., 0] - colour[..., 1], 0)  # light of the lamp's own colour falls out
    y, x = np.mgrid[:SIZE, :SIZE]
    left, right = points["left_eye"], points["right_eye"]
    nearer_left = np.hypot(x - left[0], y - left[1]) < np.hypot(x - right[0], y - right[1])
    for eye, side in ((left, nearer_left), (right, ~nearer_left)):
        share = weight * side / (weight * side).sum()
        np.testing.assert_allclose(((x * share).sum(), (y * share).sum()), eye, atol=0.35)


@pytest.mark.parametrize("number", KINDS)
def test_widest_points_and_tip_lie_on_the_outline(number: int) -> None:
    _, cover, points = draw(legless(make_species(number, seed=1)), Pose(), centre=(63.2, 61.7))
    left, right, tip = points["elytra_left"], points["elytra_right"], points["abdomen_tip"]
    row = cover[round(float(left[1]))]
    # Coverage integrates to lengths whatever the pixel grid: width and middle of the wing cases below a pixel.
    assert row.sum() == pytest.approx(right[0] - left[0], abs=0.15)
    assert (row * np.arange(SIZE)).sum() / row.sum() == pytest.approx((left[0] + right[0]) / 2, abs=0.1)
    column = np.flatnonzero(cover[:, round(float(tip[0]))] > 0.5)
    assert column[-1] == pytest.approx(tip[1], abs=1.0)


def test_antenna_tips_are_the_far_ends() -> None:
    species = legless(make_species(list(FORMS).index("ground"), seed=0))
    _, cover, points = draw(species, Pose(antennae=((5, 9), (-8, 0))))
    y, x = np.nonzero(cover > 0.25)
    neck = np.array([MIDDLE, MIDDLE + 70 * (-0.5 + species.body.head_length)])
    for name, side in (("left_antenna_tip", x < MIDDLE - 8), ("right_antenna_tip", x > MIDDLE + 8)):
        mine = side & (y < neck[1])
        far = np.argmax(np.where(mine, np.hypot(x - neck[0], y - neck[1]), 0))
        assert np.hypot(*(np.array([x[far], y[far]]) - points[name])) < 1.5


@pytest.mark.parametrize(("index", "name"), [(0, "left"), (1, "right")])
def test_what_moves_with_the_shin_begins_at_the_knee(index: int, name: str) -> None:
    species = make_species(list(FORMS).index("ground"), seed=0)
    legs = [[[0.0, 0.0, 0.0] for _ in range(3)] for _ in range(2)]
    legs[index][2][1] = 40.0
    bent = Pose(legs=tuple(tuple((a, b, c) for a, b, c in side) for side in legs))
    _, before, points = draw(species, Pose())
    _, after, moved = draw(species, bent)
    y, x = np.nonzero(np.abs(after - before) > 0.3)
    knee = points[f"{name}_hind_knee"]
    away = np.hypot(x - knee[0], y - knee[1])
    assert away.min() < 4
    shin_and_foot = 70 * species.body.leg_length * 1.15 * 0.64
    assert 0.6 * shin_and_foot < away.max() < shin_and_foot + 1.5
    for other in SCHEMA.names:
        np.testing.assert_array_equal(points[other], moved[other])


@pytest.mark.parametrize("number", KINDS)
def test_at_rest_a_beetle_is_its_own_mirror_image(number: int) -> None:
    species = replace(make_species(number, seed=2), roughness=0.0)
    colour, cover, points = draw(species, Pose())
    assert np.abs(cover - cover[:, ::-1]).mean() < 1e-4
    assert np.abs(colour - colour[:, ::-1]).mean() < 2e-3
    partner = {name: name for name in SCHEMA.names}
    for left, right in SCHEMA.flip_pairs:
        partner |= {left: right, right: left}
        assert points[left][0] < MIDDLE < points[right][0]
    for name, (x, y) in points.items():
        np.testing.assert_allclose(points[partner[name]], (SIZE - 1 - x, y), atol=1e-9)
    assert points["head"][1] < points["scutellum"][1] < points["abdomen_tip"][1]


def test_the_scene_is_the_same_at_any_size() -> None:
    for index in range(6):
        small, large = render(index, size=96), render(index, size=192)
        np.testing.assert_allclose(resize_points(large.xy, (192, 192), (96, 96)), small.xy, atol=1e-9)
        halved = np.asarray(Image.fromarray(large.pixels).resize((96, 96), Image.Resampling.BOX), np.float64)
        shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        error = [np.abs(np.roll(halved, s, (0, 1)) - small.pixels)[2:-2, 2:-2].mean() for s in shifts]
        assert shifts[int(np.argmin(error))] == (0, 0)


def test_pictures_repeat_and_differ() -> None:
    first, again = render(5, seed=1, size=64), render(5, seed=1, size=64)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    np.testing.assert_array_equal(first.xy, again.xy)
    assert first.pixels.shape == (64, 64, 3)
    assert first.pixels.dtype == np.uint8
    for other in (render(6, seed=1, size=64), render(5, seed=2, size=64)):
        assert np.abs(first.xy - other.xy).max() > 1


def test_unit_of_error_never_vanishes() -> None:
    a, b = map(SCHEMA.index, NORMALISER)
    for index in range(40):
        xy = render(index, size=32).xy
        assert np.hypot(*(xy[a] - xy[b])) > 0.12 * 32


def lay_a_disc(colour: Colour, rng: np.random.Generator, relief: Relief, target: Point) -> None:
    frame = BodyFrame((target[0] + 5, target[1] - 3), 0.0, relief.fine * rng.uniform(0.8, 1.0))
    relief.egg(frame, Egg(0.14, 0.2, 0.1), colour, dome=0.01, gloss=0.0)


def test_hidden_is_what_lies_under_something(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same scenes with the covering thing in two colours: it is where the pictures differ."""
    counts = {HIDDEN: 0, VISIBLE: 0}
    for index in range(60):
        monkeypatch.setattr("lead.beetles.rendering.cover_up", lambda *args: lay_a_disc((1, 0, 1), *args))
        one = render(index, size=96)
        monkeypatch.setattr("lead.beetles.rendering.cover_up", lambda *args: lay_a_disc((0, 1, 0), *args))
        two = render(index, size=96)
        covered = np.abs(one.pixels.astype(int) - two.pixels).max(-1) > 60
        for name, (x, y), visible in zip(SCHEMA.names, one.xy, one.visible, strict=True):
            assert (visible == UNLABELLED) == (not (-0.5 <= x <= 95.5 and -0.5 <= y <= 95.5))
            column, row = round(float(x)), round(float(y))
            near = covered[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
            if visible == UNLABELLED or (visible == HIDDEN and name in ON_LIMBS) or near.all() != near.any():
                continue  # out of the picture, perhaps under the beetle itself, or at the thing's edge
            assert visible == (HIDDEN if near.any() else VISIBLE), (index, name)
            counts[int(visible)] += 1
    assert counts[HIDDEN] > 20
    assert counts[VISIBLE] > 200


def test_a_knee_under_the_wing_cases_is_hidden() -> None:
    species = make_species(list(FORMS).index("ladybird"), seed=0)
    stubby = replace(species, body=replace(species.body, leg_length=0.05))
    for one, hidden in ((species, False), (stubby, True)):
        relief = Relief(SIZE)
        points = paint_beetle(relief, one, Pose(), BodyFrame((SIZE, SIZE), 0.0, 140.0))
        knee = np.array([points["left_hind_knee"], points["right_hind_knee"]])
        assert relief.painted_at(knee, solid=True).tolist() == [hidden, hidden]


def test_written_beetles_read_back(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "beetles"
    seen: list[tuple[int, int]] = []
    write_beetles(
        out, 12, seed=4, size=48, species=6, workers=1, progress=lambda done, count: seen.append((done, count))
    )
    assert seen == [(i + 1, 12) for i in range(12)]
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_dir()) == ["beetles", "deep", "images"]
    data = rendered.load(out)
    labels = data.points("all")
    assert labels.schema == SCHEMA
    assert data.normaliser["all"] == NORMALISER
    assert Image.open(data.path(0)).size == (48, 48)
    for index in range(12):
        drawn = render(index, seed=4, size=48, species=6)
        np.testing.assert_array_equal(labels.visible[index], drawn.visible)
        known = drawn.visible > UNLABELLED
        np.testing.assert_allclose(labels.xy[index][known], drawn.xy[known], atol=1e-3)
        assert np.abs(np.asarray(Image.open(data.path(index)), int) - drawn.pixels).mean() < 8


def test_no_species_is_in_both_splits(tmp_path: Path) -> None:
    write_beetles(tmp_path / "b", 30, size=32, species=8, test_share=0.25, workers=1)
    data = rendered.load(tmp_path / "b")
    sides = {split: {data.identity[i] for i in data.rows(split)} for split in ("train", "test")}
    assert len(sides["train"]) == 6
    assert len(sides["test"]) == 2
    assert not sides["train"] & sides["test"]


def test_neither_count_nor_workers_change_a_picture(tmp_path: Path) -> None:
    write_beetles(tmp_path / "few", 3, size=32, workers=1)
    write_beetles(tmp_path / "more", 5, size=32, workers=2)
    for index in range(3):
        name = f"images/{index:05d}.jpg"
        assert (tmp_path / "few" / name).read_bytes() == (tmp_path / "more" / name).read_bytes()
    few, more = (rendered.load(tmp_path / name).points("all") for name in ("few", "more"))
    np.testing.assert_array_equal(few.xy, more.take(range(3)).xy)


def test_nothing_of_the_users_is_overwritten(tmp_path: Path) -> None:
    out = tmp_path / "b"
    out.mkdir()
    write_beetles(out, 2, size=32)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    write_beetles(out, 2, size=32)
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    with pytest.raises(LeadError, match="another count, seed"):
        write_beetles(out, 3, seed=1, size=32)
    (out / "images" / "00001.jpg").unlink()
    with pytest.raises(LeadError, match="not all of them"):
        write_beetles(out, 2, size=32)
    other = tmp_path / "mine"
    other.mkdir()
    (other / "dataset.json").write_text(json.dumps([1]))
    with pytest.raises(LeadError, match="new or empty"):
        write_beetles(other, 2, size=32)
    assert list(other.iterdir()) == [other / "dataset.json"]


def test_a_failed_render_leaves_nothing_behind(tmp_path: Path) -> None:
    def stop(done: int, count: int) -> None:
        raise KeyboardInterrupt(done, count)

    with pytest.raises(KeyboardInterrupt):
        write_beetles(tmp_path / "b", 3, size=32, progress=stop)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "value"), [("count", 0), ("size", 8), ("species", 0), ("seed", -1), ("workers", 0)])
def test_impossible_settings_are_named(tmp_path: Path, name: str, value: int) -> None:
    settings = {"seed": 0, "size": 32, "species": 4, "count": 2, "workers": 1} | {name: value}
    count, seed, size = settings["count"], settings["seed"], settings["size"]
    with pytest.raises(LeadError, match=f"{name} is {value}"):
        write_beetles(
            tmp_path / "b", count, seed=seed, size=size, species=settings["species"], workers=settings["workers"]
        )
    with pytest.raises(LeadError, match=r"test_share is 1\.0"):
        write_beetles(tmp_path / "b", 2, test_share=1.0)
    assert not list(tmp_path.iterdir())


# --- turned any way --------------------------------------------------------------------------------------------------


def headings(drawn: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    """(n,) clockwise degrees of the way from the abdomen's tip to the scutellum, which lies on the body's axis."""
    tip, scutellum = (np.array([xy[SCHEMA.index(name)] for xy in drawn]) for name in ("abdomen_tip", "scutellum"))
    x, y = (scutellum - tip).T
    out: npt.NDArray[np.float64] = np.degrees(np.arctan2(x, -y))
    return out


@pytest.mark.parametrize("rotation", [180.0, 60.0, 0.0])
def test_beetles_head_as_far_each_way_as_is_asked_for(rotation: float) -> None:
    drawn = [render(index, size=32, rotation=rotation) for index in range(60)]
    found = headings([one.xy for one in drawn])
    assert np.abs(found).max() <= rotation + 1e-6
    if rotation == 0:
        return
    counts = np.histogram(found, bins=6, range=(-rotation, rotation))[0]  # ten in each on average
    assert counts.min() >= 3
    assert counts.max() <= 20


def test_a_rotation_turns_the_beetle_and_changes_nothing_else() -> None:
    plain, turned = ([render(i, size=64, rotation=rotation) for i in range(24)] for rotation in (None, 180.0))
    before, after = (headings([one.xy for one in row]) for row in (plain, turned))
    assert (np.abs(before) <= 35 + 1e-6).all()
    assert np.std(after) > 60
    assert [one.species for one in plain] == [one.species for one in turned]
    again = [render(i, size=64, rotation=180.0) for i in range(24)]
    for one, other in zip(turned, again, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    for one, other, change in zip(plain, turned, np.radians(after - before), strict=True):
        turn = np.array([[np.cos(change), -np.sin(change)], [np.sin(change), np.cos(change)]])
        middle = (
            one.xy - np.linalg.lstsq(turn - np.eye(2), (turn @ one.xy.T).T.mean(0) - other.xy.mean(0), rcond=None)[0]
        )
        centre = one.xy - middle  # about which it was turned, the same for all landmarks
        np.testing.assert_allclose((one.xy - centre) @ turn.T + centre, other.xy, atol=1e-6)
        assert (np.abs(centre / 64 - 0.5) < 0.3).all()  # where the beetle stands
    corners = [
        np.array([one.pixels[:6, :6].mean(), other.pixels[:6, :6].mean()])
        for one, other in zip(plain, turned, strict=True)
    ]
    assert np.corrcoef(np.array(corners).T)[0, 1] > 0.9  # before the same ground


def test_a_folder_says_how_its_beetles_were_turned(tmp_path: Path) -> None:
    out = tmp_path / "b"
    write_beetles(out, 3, size=32, rotation=180, workers=1)
    assert json.loads((out / "dataset.json").read_text())["rotation"] == 180
    labels = rendered.load(out).points("all")
    for index in range(3):
        drawn = render(index, size=32, rotation=180)
        known = drawn.visible > UNLABELLED
        np.testing.assert_allclose(labels.xy[index][known], drawn.xy[known], atol=1e-3)
    before = {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    write_beetles(out, 3, size=32, rotation=180.0)
    for other in (None, 90, 0):
        with pytest.raises(LeadError, match="data set of another rotation"):
            write_beetles(out, 3, size=32, rotation=other)
    assert before == {p: p.stat().st_mtime_ns for p in out.rglob("*")}
    write_beetles(tmp_path / "plain", 2, size=32, workers=1)
    assert "rotation" not in json.loads((tmp_path / "plain" / "dataset.json").read_text())
    with pytest.raises(LeadError, match="data set of another rotation"):
        write_beetles(tmp_path / "plain", 2, size=32, rotation=20)
    with pytest.raises(LeadError, match="data set of another rotation, seed"):
        write_beetles(tmp_path / "plain", 2, size=32, seed=1, rotation=20)


@pytest.mark.parametrize("rotation", [-1.0, 180.5, float("nan"), float("inf")])
def test_a_rotation_that_is_none_is_named(tmp_path: Path, rotation: float) -> None:
    with pytest.raises(LeadError, match=rf"rotation is {rotation}; give degrees from 0 to 180"):
        write_beetles(tmp_path / "b", 2, size=32, rotation=rotation)
    assert not list(tmp_path.iterdir())
