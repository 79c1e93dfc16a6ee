"""Finding specimens, and their landmarks, on drawn pictures of several."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from herds import SCHEMA, draw_herds
from PIL import Image
from spots import STORED, Colours, spotted

import lead.finding
from lead.config import check
from lead.errors import LeadError
from lead.finding import Scale, heat_map, told_apart
from lead.images.crops import Originals
from lead.images.labels import load_labels, save_labels
from lead.inference import Landmarker
from lead.landmarks.model import UNLABELLED, Labels
from lead.nn.backbone import Backbone
from lead.nn.finder import Finder
from lead.nn.student import Student
from lead.training.finder import PRIOR, WEIGHT, FinderFit, _odds
from lead.training.several import as_several, fit_several, middles
from lead.windows import Windows

COUNTS = [3, 4, 0, 5, 3, 4, 2, 5, 0, 1]
LABELLED = 5


class World:
    """Pictures, what is in them, and a model of the first few."""

    def __init__(
        self,
        root: Path,
        *,
        sizes: tuple[float, float] = (9, 11),
        side: int = 256,
        counts: list[int] = COUNTS,
        coats: dict[str, float] | None = None,
    ) -> None:
        self.root = root / "pictures"
        self.root.mkdir()
        self.truth = draw_herds(self.root, counts, sizes=sizes, side=side, coats=coats)
        self.names = [f"{i:02}.bmp" for i in range(len(counts))]
        self.source = spotted(self.root, root / "store", self.names)
        self.labels = self.truth.take(i for i, image in enumerate(self.truth.images) if image < f"{LABELLED:02}")
        self.found, self.model = self.fitted(self.labels)

    def fitted(self, labels: Labels) -> tuple[FinderFit, Landmarker]:
        rows = np.array([self.source.store.index(image) for image in labels.images])
        finder, fit = fit_several(self.source, rows, labels, turned=True, seed=0)
        settings = check(
            {
                "picture": {"store": STORED, "input": STORED, "frame": 1.0},
                "backbone": {"name": "test_resnet"},
                "distill": {"width": 8, "dimension": 7},
            },
            "test",
        )
        student = Student(Backbone("test_resnet"), 7, 8)
        model = Landmarker(SCHEMA, settings, student, fit.head, fit.confidence, {}, finder=finder.finder)
        model.extractor = Colours(student, settings.picture, device=torch.device("cpu"))
        return finder, model


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("herds"))


def matches(found: Labels, truth: Labels, image: str, within: float) -> tuple[int, int, int]:
    """Specimens found, those of them that are there with all landmarks so near, and those that are there."""
    said = [i for i, name in enumerate(found.images) if name == image and (found.visible[i] > UNLABELLED).any()]
    real = [i for i, name in enumerate(truth.images) if name == image and (truth.visible[i] > UNLABELLED).any()]
    away = np.linalg.norm(found.xy[said][:, None] - truth.xy[real][None], axis=-1).max(-1)
    near = away < within
    assert (near.sum(0) <= 1).all(), "none is found twice"
    return len(said), int(near.any(1).sum()), len(real)


def test_all_are_found_with_their_landmarks_and_nothing_else(world: World) -> None:
    found = world.model.predict_store(world.source.store)
    assert found.tracks == ("",) * len(found)
    assert set(found.images) == set(world.names)
    sums = np.array([matches(found, world.truth, image, 3.0) for image in world.names[LABELLED:]]).sum(0)
    assert sums.tolist() == [sum(COUNTS[LABELLED:])] * 3
    assert found.likely is not None
    specimen = found.is_specimen
    assert (found.likely[specimen] >= 0.5).all()
    assert np.isnan(found.likely[~specimen]).all()
    assert {found.images[i] for i in np.flatnonzero(~specimen)} == {world.names[2], world.names[8]}
    assert found.px_error is not None
    assert np.isfinite(found.px_error[specimen]).all()
    assert (world.found.specimens, world.found.right, world.found.wrong) == (sum(COUNTS[:LABELLED]),) * 2 + (0,)


def test_sizes_that_differ_are_looked_for_at_several_scales(tmp_path: Path) -> None:
    world = World(tmp_path, sizes=(5, 10), side=160)
    assert len(world.found.finder.extents()) > 2
    found = world.model.predict_store(world.source.store)
    said, right, real = np.array([matches(found, world.truth, image, 4.0) for image in world.names[LABELLED:]]).sum(0)
    assert real == sum(COUNTS[LABELLED:])
    assert right >= 0.8 * real
    assert right >= 0.8 * said


def test_a_model_read_back_finds_the_same(world: World, tmp_path: Path) -> None:
    world.model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    assert again.finder is not None
    again.extractor = world.model.extractor
    assert again.digest() == world.model.digest()
    rows = np.arange(3)
    before, after = (model.predict_rows(world.source.store, rows) for model in (world.model, again))
    np.testing.assert_array_equal(before.xy, after.xy)
    np.testing.assert_array_equal(before.likely, after.likely)


def test_what_is_found_is_written_and_read_back(world: World, tmp_path: Path) -> None:
    found = world.model.predict_store(world.source.store)
    save_labels(found, tmp_path / "found.json", pictures=world.root)
    again = load_labels(tmp_path / "found.json", several=True)
    np.testing.assert_allclose(again.xy, found.xy, atol=1e-3)
    np.testing.assert_allclose(again.likely, found.likely, atol=1e-3)  # type: ignore[arg-type]


def test_pieces_of_a_picture_show_what_the_whole_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    finder = world.found.finder
    scale = Scale.of(world.source, 3, finder.extents()[0] / 3)
    assert max(scale.size) * 4 > 256
    monkeypatch.setattr(lead.finding, "WHOLE", 4096)
    whole = heat_map(finder, world.source, 3, scale, Originals(keep=True))
    monkeypatch.setattr(lead.finding, "WHOLE", 64)
    pieces = heat_map(finder, world.source, 3, scale, Originals(keep=True))
    torch.testing.assert_close(pieces, whole, atol=2e-3, rtol=0)


def test_a_window_shows_what_a_picture_of_its_own_would(world: World, tmp_path: Path) -> None:
    store = world.source.store
    window = Windows(
        world.source.extractor, store, np.array([3]), np.array([[0.25, -0.125]]), np.array([0.5])
    )  # 128 pixels of 256, from (96, 48)
    with Image.open(world.root / world.names[3]) as whole:
        whole.crop((96, 48, 224, 176)).save(tmp_path / "00.bmp")
    alone = spotted(tmp_path, tmp_path / "store", ["00.bmp"])
    torch.testing.assert_close(
        torch.from_numpy(window.whole(np.array([0])).astype(np.float32)),
        torch.from_numpy(np.asarray(alone.whole(np.array([0])), np.float32)),
        atol=0.02,
        rtol=0,
    )
    places = np.array([[[100.0, 60.0], [200.0, 150.0]]])
    np.testing.assert_allclose(window.points([0], places), alone.points([0], places - (96, 48)), atol=1e-6)
    np.testing.assert_allclose(window.places([0], window.points([0], places)), places, atol=1e-6)
    assert window.pixels([0])[0] == pytest.approx(alone.pixels([0])[0])
    assert window.detail(np.array([0]))[0] == pytest.approx(alone.detail(np.array([0]))[0])


def test_two_that_overlap_stay_two_and_one_that_is_found_twice_is_one() -> None:
    one = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    points = torch.stack([one, one + 0.02, one.flip(0), one + torch.tensor([0.0, 0.4])])
    kept = told_apart(points, torch.full((4,), 1.4), torch.tensor([0.6, 0.9, 0.7, 0.8]))
    assert kept == [1, 3, 2]


def test_middles_of_what_the_edge_cuts_lie_where_the_whole_would_have_them(world: World) -> None:
    rows = np.array([world.source.store.index(image) for image in world.labels.images])
    points = torch.from_numpy(world.source.points(rows, world.labels.xy)).float()
    centre, extent = middles(points, world.labels, world.source, rows)
    cut = points.clone()
    cut[0, 3] = torch.nan
    near, size = middles(cut, world.labels, world.source, rows)
    torch.testing.assert_close(near[0], centre[0], atol=0.01, rtol=0)
    torch.testing.assert_close(size[0], extent[0], atol=0.01, rtol=0)
    cut[0, 1:] = torch.nan  # of a single landmark nothing but its place is known
    near, size = middles(cut, world.labels, world.source, rows)
    torch.testing.assert_close(near[0], cut[0, 0])
    assert float(size[0]) == pytest.approx(float(extent.nanmedian()), rel=0.1)


def test_a_box_says_where_one_without_landmarks_is(world: World) -> None:
    labels = world.labels
    low, high = np.nanmin(labels.xy, 1), np.nanmax(labels.xy, 1)
    boxed = replace(labels, boxes=np.concatenate([low + 0.5, high - low], 1))
    without = replace(boxed, visible=np.where(np.arange(len(labels))[:, None] == 1, UNLABELLED, labels.visible))
    rows = np.array([world.source.store.index(image) for image in labels.images])
    centre, extent = middles(
        torch.from_numpy(world.source.points(rows, without.xy)).float(), without, world.source, rows
    )
    true = world.source.points(rows, ((low + high) / 2)[:, None])[1, 0]
    np.testing.assert_allclose(centre[1].numpy(), true, atol=0.01)
    assert float(extent[1]) == pytest.approx(float(extent.nanmedian()), rel=0.4)
    assert world.fitted(without)[0].right == sum(COUNTS[:LABELLED])


def test_in_pictures_that_are_not_complete_what_is_not_labelled_is_no_background(world: World) -> None:
    labels, kept, seen = world.labels, [], set()
    for i, image in enumerate(labels.images):  # in all but the first picture, one specimen alone is labelled
        if image == world.names[0] or image not in seen:
            kept.append(i)
        seen.add(image)
    some = replace(labels.take(kept), complete=frozenset([world.names[0], world.names[2]]))
    found = world.fitted(some)[1].predict_store(world.source.store)
    said, right, real = np.array([matches(found, world.truth, image, 4.0) for image in world.names]).sum(0)
    assert right >= 0.9 * real
    assert said <= right + 1


def test_without_a_complete_picture_nothing_says_what_is_background(world: World) -> None:
    with pytest.raises(LeadError, match="none of the 5 labelled pictures is marked as complete"):
        world.fitted(replace(world.labels, complete=frozenset()))
    few = replace(world.labels, visible=np.where(np.arange(4) > 1, UNLABELLED, world.labels.visible))
    with pytest.raises(LeadError, match=r"Landmarks \[2, 3\]"):
        world.fitted(few)


def test_a_picture_that_is_gone_is_searched_as_it_is_stored(world: World, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    draw_herds(tmp_path / "pictures", COUNTS)
    source = spotted(tmp_path / "pictures", tmp_path / "store", world.names)
    (tmp_path / "pictures" / world.names[3]).unlink()
    found = world.model.predict_rows(source.store, np.array([3]))
    assert list(source.store.unread) == [world.names[3]]
    assert set(found.images) == {world.names[3]}


@pytest.mark.parametrize(
    ("right", "wrong"),
    [([0.95] * 10, [0.9] * 10), ([0.8] * 3, [0.6] * 2), ([0.85] * 12, [0.5] * 3 + [0.1] * 40), ([0.3] * 5, [])],
)
def test_the_odds_are_the_best_there_are(right: list[float], wrong: list[float]) -> None:
    height = torch.tensor(right + wrong)
    truth = torch.tensor([1.0] * len(right) + [0.0] * len(wrong))
    finder = Finder(4)

    doubt = torch.from_numpy(np.random.default_rng(1).normal(0, 0.3, len(truth))).float() - truth

    def loss(*odds: float) -> float:
        finder.odds.copy_(torch.tensor(odds))
        likely = finder.likely(height, doubt).double().clamp(1e-9, 1 - 1e-9)
        drawn = WEIGHT / 2 * sum((one - general) ** 2 for one, general in zip(odds, PRIOR, strict=True))
        return float(-(truth * likely.log() + (1 - truth) * (1 - likely).log()).sum()) + drawn

    odds = _odds(height, truth.bool(), doubt).tolist()
    assert odds[0] > 0 >= odds[2]
    best = loss(*odds)
    for other in np.random.default_rng(0).normal(odds, (2.0, 1.0, 1.0), (200, 3)):
        assert best <= loss(*other) + 1e-3


def test_labels_say_whether_there_are_several(world: World) -> None:
    assert as_several(world.labels, None) is world.labels
    alone = world.labels.take([0, 3, 7])
    assert as_several(alone, None).tracks is None
    assert as_several(replace(alone, tracks=("Ann", "Bob", "Ann")), None).tracks is None
    assert as_several(replace(alone, tracks=None), True).tracks == ("",) * 3
    with pytest.raises(LeadError, match=r"'00\.bmp' shows 3 specimens"):
        as_several(world.labels, False)


def test_sizes_that_cannot_be_are_told(world: World) -> None:
    rows = np.zeros(3, dtype=np.int64)
    labels = world.labels.take([0, 1, 2])
    spot = replace(labels, xy=labels.xy[:, :1].repeat(4, 1))
    with pytest.raises(LeadError, match="Nothing says how large a specimen is"):
        fit_several(world.source, rows, spot, turned=True, seed=0)
    middle = labels.xy[2].mean(0)
    tiny = np.stack([*labels.xy[:2], middle + (labels.xy[2] - middle) / 40])
    with pytest.raises(LeadError, match="more than 30 times smaller"):
        fit_several(world.source, rows, replace(labels, xy=tiny), turned=True, seed=0)


def test_mirror_images_are_as_large_as_the_others(world: World) -> None:
    labels = world.labels
    rows = np.array([world.source.store.index(image) for image in labels.images])
    mirrored = labels.xy.copy()
    mirrored[::3, :, 0] = 2 * np.nanmean(mirrored[::3, :, :1], axis=1) - mirrored[::3, :, 0]
    extents = [
        middles(torch.from_numpy(world.source.points(rows, xy)).float(), replace(labels, xy=xy), world.source, rows)[1]
        for xy in (labels.xy, mirrored)
    ]
    torch.testing.assert_close(extents[1], extents[0], rtol=0.05, atol=0, equal_nan=True)


def test_individuals_that_labels_name_are_known_by_their_looks(tmp_path: Path) -> None:
    world = World(tmp_path, counts=[2] * 10, coats={"dim": 0.6, "bright": 1.0})
    assert "told apart by their looks" in world.found.words
    world.model.save(tmp_path / "model.safetensors")
    model = Landmarker.load(tmp_path / "model.safetensors")
    model.extractor = world.model.extractor
    assert model.digest() == world.model.digest()
    found = model.predict_store(world.source.store)
    seen = set()
    for image, name, xy in zip(found.images, found.tracks or (), found.xy, strict=True):
        away = {
            name: np.linalg.norm(xy - world.truth.xy[i], axis=-1).mean()
            for i, (other, name) in enumerate(zip(world.truth.images, world.truth.tracks or (), strict=True))
            if other == image
        }
        seen.add((image, name))
        assert name == min(away, key=lambda one: away[one])
    assert len(seen) == 20


def test_without_names_nobody_is_told_apart(world: World) -> None:
    assert world.found.told is None
    assert world.model.finder is not None
    assert world.model.finder.individuals is None
    assert "individuals" not in world.model.describe()
