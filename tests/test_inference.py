"""From pictures to landmarks in their own pixels: frames, cached features, models on disk."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from av import VideoFrame
from filming import Pixels, film
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import lead
from lead import checkpoint
from lead.config import HypercolumnSettings, PictureSettings, Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.feature_files import cached_features, features_file
from lead.features import Extractor, FeatureSource, make_student
from lead.frame import Frame
from lead.geometry import denormalise_points
from lead.heads import Calibration, make_head
from lead.images import film as film_module
from lead.images.build import open_store
from lead.images.film import frames
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade, CascadeOutput
from lead.nn.confidence import Confidence
from lead.nn.heads import SoftArgmaxHead
from lead.nn.reduction import NonNegativeFactors, PrincipalComponents
from lead.nn.student import LinearStudent, Student
from lead.training.cascade import fit_cascade
from lead.training.fit import fit_ridge
from lead.training.labelled import Labelled

Maker = Callable[..., Settings]
PAPER = Frame.of(PictureSettings(store=136, frame=96 / 136, input=96))
WHOLE = Frame.of(PictureSettings(store=136, frame=1.0, input=96))

# --- the frame -------------------------------------------------------------------------------------------------------


@given(store=st.integers(16, 400), share=st.floats(0.2, 1.0))
def test_a_frame_is_whole_pixels_in_the_middle(store: int, share: float) -> None:
    frame = Frame.of(PictureSettings(store=store, frame=share))
    assert 0 < frame.shown <= store
    assert (store - frame.shown) % 2 == 0
    assert abs(frame.shown - store * share) <= 1.5


def test_the_papers_frame_is_96_of_136() -> None:
    assert Frame(side=136, shown=96, input=96) == PAPER
    assert WHOLE.shown == 136


@given(side=st.integers(16, 300), margin=st.integers(0, 6), seed=st.integers(0, 99))
def test_normalised_places_come_back(side: int, margin: int, seed: int) -> None:
    frame = Frame(side, side - 2 * margin, 96)
    xy = np.random.default_rng(seed).uniform(-5, side + 5, (3, 4, 2))
    np.testing.assert_allclose(frame.denormalise(frame.normalise(xy)), xy, atol=1e-9)
    corners = np.array([[margin - 0.5, margin - 0.5], [side - margin - 0.5, margin - 0.5]])
    np.testing.assert_allclose(frame.normalise(corners), [[-1, -1], [1, -1]], atol=1e-12)  # edges of what is shown


@pytest.mark.parametrize("frame", [PAPER, WHOLE, Frame(45, 33, 64)], ids=["paper", "whole", "odd"])
def test_what_is_shown_lies_where_it_is_said_to(frame: Frame) -> None:
    middle = frame.side / 2
    for x, y in [(middle - 6.2, middle + 4.7), (middle + 7.4, middle - 3.1)]:
        row, column = np.mgrid[: frame.side, : frame.side]
        bump = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 2.0**2))
        pixels = np.repeat(np.round(255 * bump)[None, ..., None], 3, axis=-1).astype(np.uint8)
        seen = frame.show(torch.from_numpy(pixels))
        assert seen.shape == (1, 3, frame.input, frame.input)
        assert 0 <= seen.min() <= seen.max() <= 1
        light = seen[0, 1].double().numpy()
        row, column = np.mgrid[: frame.input, : frame.input]
        centre = [(light * column).sum() / light.sum(), (light * row).sum() / light.sum()]
        expected = denormalise_points(frame.normalise(np.array([x, y])), (frame.input, frame.input))
        np.testing.assert_allclose(centre, expected, atol=0.05)


# --- features --------------------------------------------------------------------------------------------------------


def student(settings: Settings, seed: int = 0) -> Student:
    torch.manual_seed(seed)
    return Student(Backbone(settings.backbone.name), settings.distill.dimension, settings.distill.width)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, in which nothing of other tests is found."""
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "own-cache"))
    return tmp_path / "own-cache"


def stored(folder: Dataset, settings: Settings, cache: Path) -> ImageStore:
    return open_store(folder.root, folder.files, settings.picture.store, cache)


def never(_: Tensor) -> Tensor:
    raise AssertionError("features were computed again")


def test_features_are_computed_once(tiny: Maker, folder: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    extractor, store = Extractor(student(tiny()), tiny().picture, batch=4), stored(folder, tiny(), cache)
    rows, told = np.array([7, 0, 3, 3, 11]), list[tuple[int, int]]()
    found = cached_features(extractor, store, rows, progress=lambda *done: told.append(done))
    assert told == [(4, 5), (5, 5)]
    assert found.dtype == np.float16
    for row, features in zip(rows, found, strict=True):
        alone = extractor.features(torch.from_numpy(store.pixels[[row]]))[0].cpu().numpy()
        np.testing.assert_allclose(features, alone, atol=2e-3, rtol=2e-3)
    monkeypatch.setattr(extractor, "features", never)
    np.testing.assert_array_equal(cached_features(extractor, store, rows), found)
    with pytest.raises(AssertionError, match="computed again"):
        cached_features(extractor, store, rows[::-1])
    with pytest.raises(LeadError, match="no pictures"):
        cached_features(extractor, store, rows[:0])
    assert [p.suffix for p in (cache / "features").iterdir()] == [".npy"]


@pytest.mark.parametrize("end", ["interrupted", "killed", "torn"])
def test_half_a_file_is_gone_on_with_and_never_taken_for_a_whole_one(
    tiny: Maker, folder: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    extractor, rows = Extractor(student(tiny()), tiny().picture, batch=4), np.arange(12)
    store = stored(folder, tiny(), cache)
    whole, asked = extractor.features, list[int]()

    def breaks_off(pixels: Tensor) -> Tensor:
        if (pixels.numpy() == store.pixels[8:12]).all():
            if end == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt
        return whole(pixels)

    def counted(pixels: Tensor) -> Tensor:
        asked.append(len(pixels))
        return whole(pixels)

    with monkeypatch.context() as patch:
        patch.setattr(extractor, "features", breaks_off)
        if end == "killed":
            child = os.fork()
            if child == 0:
                try:
                    cached_features(extractor, store, rows)
                finally:
                    os._exit(1)  # not killed: never back into pytest
            assert os.waitpid(child, 0)[1] == signal.SIGKILL
        else:
            with pytest.raises(KeyboardInterrupt):
                cached_features(extractor, store, rows)
    (left,) = (cache / "features").iterdir()
    assert left.suffix != ".npy"
    if end == "torn":
        os.truncate(left, left.stat().st_size - 7)
    monkeypatch.setattr(extractor, "features", counted)
    found, told = list[np.ndarray](), list[tuple[int, int]]()
    found.append(np.array(cached_features(extractor, store, rows, progress=lambda *done: told.append(done))))
    assert asked == ([4, 4] if end == "torn" else [4])  # whole groups, so that they are the same to the last bit
    assert told == ([(4, 12), (8, 12), (12, 12)] if end == "torn" else [(8, 12), (12, 12)])
    monkeypatch.setenv("LEAD_CACHE", str(cache / "another"))
    np.testing.assert_array_equal(cached_features(extractor, store, rows), found[0])


def test_features_that_were_not_used_for_long_make_room(
    tiny: Maker, folder: Dataset, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor, store = Extractor(student(tiny()), tiny().picture), stored(folder, tiny(), cache)

    def features(row: int) -> np.ndarray:
        return cached_features(extractor, store, np.array([row]))

    def kept(row: int) -> bool:
        return features_file(extractor, store, np.array([row])).exists()

    def as_of(row: int, hours_ago: float) -> None:
        past = time.time() - 3600 * hours_ago
        os.utime(features_file(extractor, store, np.array([row])), (past, past))

    seen = [features(row) for row in range(3)]
    size = features_file(extractor, store, np.array([0])).stat().st_size
    before = [np.array(one) for one in seen]
    for row, hours_ago in enumerate((5.0, 4.0, 3.0)):
        as_of(row, hours_ago)
    features(0)  # used now, so the one after it is the oldest
    monkeypatch.setenv("LEAD_CACHE_GB", str(3.5 * size / 1e9))
    features(3)
    assert [kept(row) for row in range(4)] == [True, False, True, True]
    monkeypatch.setenv("LEAD_CACHE_GB", "0")
    features(4)
    assert [kept(row) for row in range(5)] == [True, False, False, True, True]  # whatever was used just now stays
    np.testing.assert_array_equal(seen, before)  # what is mapped stays readable
    monkeypatch.setenv("LEAD_CACHE_GB", "much")
    with pytest.raises(LeadError, match="LEAD_CACHE_GB is 'much'"):
        features(5)


def test_a_digest_stands_for_everything_that_makes_a_feature(tiny: Maker) -> None:
    picture = tiny().picture
    backbone = student(tiny()).backbone

    def linear(levels: HypercolumnSettings, sharpness: float | None) -> str:
        torch.manual_seed(0)
        settings = tiny(distill={"decoder": "linear", "spatial_softmax": sharpness}).distill
        return Extractor(make_student(Backbone("test_resnet"), settings, levels), picture).digest()

    digests = [
        linear(HypercolumnSettings(), None),
        linear(HypercolumnSettings(), 6.5),
        linear(HypercolumnSettings(), 7.0),
        linear(HypercolumnSettings(normalisation="level"), 7.0),
        linear(HypercolumnSettings(weights=(2, 1, 1, 1)), 7.0),
        Extractor(student(tiny()), picture).digest(),
        Extractor(student(tiny(), seed=1), picture).digest(),
        Extractor(student(tiny()), picture.model_copy(update={"frame": 0.5})).digest(),
        Extractor(student(tiny()), picture.model_copy(update={"input": 64})).digest(),
        Extractor(backbone, picture).digest(),
        Extractor(backbone, picture, HypercolumnSettings(weights=(1, 0, 0, 0))).digest(),
        Extractor(backbone, picture, HypercolumnSettings(normalisation="level")).digest(),
        Extractor(backbone, picture).reduced(NonNegativeFactors(torch.eye(4, 64))).digest(),
        Extractor(backbone, picture).reduced(NonNegativeFactors(torch.eye(5, 64))).digest(),
        Extractor(backbone, picture).reduced(PrincipalComponents(torch.eye(4, 64), torch.zeros(64))).digest(),
        Extractor(backbone, picture).reduced(PrincipalComponents(torch.eye(4, 64), torch.ones(64))).digest(),
    ]
    assert len(set(digests)) == len(digests)
    assert Extractor(student(tiny()), picture).digest() == digests[5]


# --- the model -------------------------------------------------------------------------------------------------------

SIDE = 64
SCHEMA = Schema(("dot", "below"), (("dot", "below"),), (("dot", "below"),))
BELOW = 8.0
"""The second landmark lies so far below the dot, in pixels of a 64-pixel picture."""


def dotted(width: int, height: int, x: float, y: float, radius: float = 5.0) -> Image.Image:
    """A bright dot on even ground."""
    row, column = np.mgrid[:height, :width]
    light = 40 + 200 * np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * (radius / 2) ** 2))
    return Image.fromarray(np.repeat(light.round()[..., None], 3, axis=-1).astype(np.uint8))


@pytest.fixture
def model(tiny: Maker, tmp_path: Path) -> Landmarker:
    """Finds the dot, with the features of a network that has learnt nothing."""
    settings = tiny(picture={"store": SIDE, "input": SIDE})
    (tmp_path / "train").mkdir()
    places = np.random.default_rng(0).uniform(10, SIDE - 20, (40, 2))
    names = [f"{i}.png" for i in range(len(places))]
    for name, (x, y) in zip(names, places.tolist(), strict=True):
        dotted(SIDE, SIDE, x, y).save(tmp_path / "train" / name)
    store = open_store(tmp_path / "train", names, SIDE, tmp_path / "cache")
    extractor = Extractor(student(settings), settings.picture)
    points = extractor.frame.normalise(np.stack([places, places + np.array([0, BELOW])], axis=1))
    features = extractor.features(torch.from_numpy(np.array(store.pixels))).half().cpu().numpy()
    fitted = fit_ridge(Labelled(features, torch.from_numpy(points).float()))
    assert fitted.error < 0.03
    return Landmarker(SCHEMA, settings, student(settings), fitted.head, fitted.calibration, {"seed": 0})


def test_landmarks_land_in_each_pictures_own_pixels(model: Landmarker, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures" / "deeper"
    pictures.mkdir(parents=True)
    dotted(64, 64, 30, 25).save(pictures / "a.png")
    dotted(128, 128, 60.5, 50.5, radius=10).save(pictures / "twice.png")  # a.png at double size
    dotted(64, 40, 30, 20).save(pictures / "wide.png")
    dotted(80, 128, 41, 60, radius=10).save(pictures / "tall.png")
    told = list[tuple[int, int]]()
    found = model.predict(tmp_path / "pictures", progress=lambda *done: told.append(done))
    assert found.images == ("deeper/a.png", "deeper/tall.png", "deeper/twice.png", "deeper/wide.png")
    assert told == [(4, 4)]
    dots = np.array([[30, 25], [41, 60], [60.5, 50.5], [30, 20]])
    below = dots + np.array([0, BELOW]) * [[1], [2], [2], [1]]
    scale = np.array([1, 2, 2, 1])
    assert found.px_error is not None
    assert found.score is not None
    for k, truth in enumerate((dots, below)):
        assert (np.linalg.norm(found.xy[:, k] - truth, axis=-1) / scale < 2.5).all()
    np.testing.assert_allclose((found.xy[2] + 0.5) / 2, found.xy[0] + 0.5, atol=0.5)
    assert (found.visible == VISIBLE).all()
    assert ((found.score >= 0) & (found.score <= 1)).all()
    assert isinstance(model.calibration, Calibration)
    share = model.calibration.expected(found.score)
    np.testing.assert_allclose(found.px_error, share * 64 * scale[:, None])
    alone = model.predict(pictures / "wide.png")
    assert alone.images == ("wide.png",)
    np.testing.assert_allclose(alone.xy[0], found.xy[3], atol=1e-3)
    listed = model.predict([pictures / "wide.png", str(pictures / "a.png")])
    assert listed.images == ((pictures / "wide.png").as_posix(), (pictures / "a.png").as_posix())
    np.testing.assert_allclose(listed.xy, found.xy[[3, 0]], atol=1e-3)
    with pytest.raises(LeadError, match=r"no picture .*gone\.png"):
        model.predict([pictures / "gone.png"])


def test_a_model_read_back_says_the_same(model: Landmarker, folder: Dataset, tmp_path: Path) -> None:
    path = tmp_path / "out" / "model.safetensors"
    model.save(path)
    again = Landmarker.load(path)
    before, after = model.predict(folder.root), again.predict(folder.root)
    for name in ("xy", "score", "px_error", "visible"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert (again.schema, again.settings, again.origin) == (model.schema, model.settings, model.origin)
    assert before.images == after.images


# --- films ---------------------------------------------------------------------------------------------------------


STRANGE: list[Any] = [None, True, -1, 10**12, 1e308, "", "x" * 50, [], {}, [[]], [1, "a"], {"a": 1}, float("nan")]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_model_file_says_of_itself_it_is_read_or_refused(
    model: Landmarker, tmp_path: Path, data: st.DataObject
) -> None:
    model.save(tmp_path / "model.safetensors")
    tensors, meta = checkpoint.load(tmp_path / "model.safetensors", Landmarker.KIND)
    node: Any = meta
    while True:  # down to anywhere in the tree
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
        deeper = isinstance(node[key], dict | list) and len(node[key]) > 0
        if not deeper or data.draw(st.booleans()):
            break
        node = node[key]
    if data.draw(st.booleans()):
        node[key] = data.draw(st.sampled_from(STRANGE))
    else:
        del node[key]
    save_file(tensors, tmp_path / "strange.safetensors", metadata={"lead": json.dumps(meta)})
    with suppress(LeadError):
        Landmarker.load(tmp_path / "strange.safetensors").digest()


@pytest.mark.parametrize("header", ["", "{", "[]", "null", "7", '{"version": 1}'])
def test_a_model_file_that_says_nothing_of_itself_is_refused(tmp_path: Path, header: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "x.safetensors", metadata={"lead": header})
    with pytest.raises(LeadError, match="it is damaged: it does not say what it holds"):
        Landmarker.load(tmp_path / "x.safetensors")


def test_a_model_file_cannot_ask_for_all_the_memory(model: Landmarker, tmp_path: Path) -> None:
    model.save(tmp_path / "model.safetensors")
    tensors, meta = checkpoint.load(tmp_path / "model.safetensors", Landmarker.KIND)
    for key in ("dimension", "width"):
        changed = {**meta, "settings": {**meta["settings"], "distill": {**meta["settings"]["distill"], key: 10**6}}}
        save_file(tensors, tmp_path / "big.safetensors", metadata={"lead": json.dumps(changed)})
        with pytest.raises(LeadError, match=rf"distill.{key} = 1000000"):
            Landmarker.load(tmp_path / "big.safetensors")


def wandering(count: int, width: int = 160, height: int = 96) -> list[Pixels]:
    """A dot that goes from left to right, in pictures larger than the store."""
    return [np.asarray(dotted(width, height, 30 + 90 * i / count, 40, radius=12)) for i in range(count)]


def unpacked(path: Path, folder: Path) -> Path:
    """A film's frames as PNG files, named so that they sort as they came."""
    folder.mkdir()
    for number, picture in frames(path):
        picture.save(folder / f"{number:04}.png")
    return folder


def check_same(found: Labels, expected: Labels) -> None:
    np.testing.assert_allclose(found.xy, expected.xy, atol=0.01)
    np.testing.assert_array_equal(found.visible, expected.visible)
    for name in ("score", "px_error", "px_90"):
        mine, other = getattr(found, name), getattr(expected, name)
        assert (mine is None) == (other is None)
        if mine is not None:
            np.testing.assert_allclose(mine, other, rtol=0.01, atol=1e-4)


def test_a_film_is_its_frames(cascaded: Landmarker, tmp_path: Path) -> None:
    """In chunks that do not divide it; with the second look, which is cut from the frames as large as they are."""
    path = film(tmp_path / "a.mp4", wandering(11))
    expected = cascaded.predict(unpacked(path, tmp_path / "frames"))
    cascaded.extractor.batch = 4
    told: list[tuple[int, int]] = []
    found = cascaded.predict(path, progress=lambda *done: told.append(done))
    assert found.images == tuple(f"a.mp4#{i}" for i in range(11))
    assert told == [(4, 11), (8, 11), (11, 11), (11, 11)]
    check_same(found, expected)


def test_films_stand_after_pictures(model: Landmarker, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    dotted(64, 64, 30, 25).save(folder / "z.png")
    one, two = film(folder / "a.avi", wandering(2)), film(folder / "deep" / "b.mp4", wandering(3))
    found = model.predict(folder)
    assert found.images == (
        "z.png",
        *("a.avi#0", "a.avi#1"),
        *("deep/b.mp4#0", "deep/b.mp4#1", "deep/b.mp4#2"),
    )
    assert model.predict([two, folder / "z.png", one]).images == (
        (folder / "z.png").as_posix(),
        *(f"{two.as_posix()}#{i}" for i in range(3)),
        *(f"{one.as_posix()}#{i}" for i in range(2)),
    )
    for path, rows in ((one, slice(1, 3)), (two, slice(3, 6))):
        alone = model.predict(str(path))
        assert alone.images[0] == f"{path.name}#0"
        np.testing.assert_allclose(alone.xy, found.xy[rows], atol=1e-3)


def test_no_more_of_a_film_is_decoded_than_is_looked_at_next(
    model: Landmarker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", wandering(20))
    model.extractor.batch = 3
    read: list[object] = []
    whole = film_module.upright_frame

    def counted(frame: VideoFrame) -> Image.Image:
        read.append(frame)
        return whole(frame)

    monkeypatch.setattr(film_module, "upright_frame", counted)
    looked, plain = list[int](), Landmarker.predict_store

    def look(self: Landmarker, store: ImageStore) -> Labels:
        looked.append(len(store))
        assert len(read) <= 1 + sum(looked) + 3 + 3  # the first, to know its size; those in hand; those that come next
        return plain(self, store)

    monkeypatch.setattr(Landmarker, "predict_store", look)
    assert len(model.predict(path)) == sum(looked) == 20


def test_what_comes_before_a_break_is_told(model: Landmarker, tmp_path: Path) -> None:
    noisy = [np.random.default_rng(i).integers(0, 256, (48, 64, 3), dtype=np.uint8) for i in range(20)]
    path = film(tmp_path / "a.mp4", noisy, movflags="faststart")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    found = lead.predict(model, path)
    assert 0 < len(found.labels) < 20
    assert f"it breaks off after {len(found.labels)} frames" in found.broken[0]
    with pytest.raises(LeadError, match="breaks off after"):
        model.predict(path)


# --- cascades --------------------------------------------------------------------------------------------------------


@pytest.fixture(params=[True, False], ids=["two-looks", "one-look"])
def fine(request: pytest.FixtureRequest) -> bool:
    """Whether there is a second look."""
    return bool(request.param)


@pytest.fixture
def cascaded(tiny: Maker, tmp_path: Path, fine: bool) -> Landmarker:
    """As ``model``, with a cascade that also says how surely."""
    settings = tiny(picture={"store": SIDE, "input": SIDE})
    (tmp_path / "train").mkdir()
    places = np.random.default_rng(0).uniform(10, SIDE - 20, (20, 2))
    names = [f"{i}.png" for i in range(len(places))]
    for name, (x, y) in zip(names, places.tolist(), strict=True):
        dotted(SIDE, SIDE, x, y).save(tmp_path / "train" / name)
    source = FeatureSource(
        Extractor(student(settings), settings.picture),
        open_store(tmp_path / "train", names, SIDE, tmp_path / "cache"),
    )
    points = source.extractor.frame.normalise(np.stack([places, places + np.array([0, BELOW])], axis=1))
    halves = [2.5] if fine else []
    fitted = fit_cascade(source, np.arange(len(places)), torch.from_numpy(points).float(), halves=halves)
    return Landmarker(SCHEMA, settings, student(settings), fitted.head, fitted.confidence, {"seed": 0})


def test_a_cascade_answers_in_each_pictures_own_pixels(cascaded: Landmarker, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    dotted(64, 64, 30, 25).save(pictures / "a.png")
    dotted(64, 40, 30, 20).save(pictures / "b.png")
    dotted(128, 128, 60.5, 50.5, radius=10).save(pictures / "c.png")  # a.png at double size
    found = cascaded.predict(pictures)
    dots, scale = np.array([[30, 25], [30, 20], [60.5, 50.5]]), np.array([1, 1, 2])
    below = dots + np.array([0, BELOW]) * scale[:, None]
    for k, truth in enumerate((dots, below)):
        assert (np.linalg.norm(found.xy[:, k] - truth, axis=-1) / scale < 2.5).all()
    np.testing.assert_allclose((found.xy[2] + 0.5) / 2, found.xy[0] + 0.5, atol=0.5)
    assert (found.visible == VISIBLE).all()
    assert found.px_error is not None
    assert found.px_90 is not None
    assert (found.px_error > 0).all()
    assert (found.px_90 > found.px_error).all()
    np.testing.assert_allclose(found.px_error[2] / found.px_error[0], 2, rtol=0.3)
    assert isinstance(cascaded.calibration, Confidence)
    np.testing.assert_allclose(found.px_90 / found.px_error, cascaded.calibration.factor(0.9), rtol=1e-4)


def test_expected_errors_are_in_each_pictures_own_pixels(cascaded: Landmarker, folder: Dataset, tmp_path: Path) -> None:
    confidence = cascaded.calibration
    assert isinstance(confidence, Confidence)
    confidence.weight.zero_()
    confidence.level.copy_(torch.tensor([0.2, 0.4]).log())  # in radii of the shape
    store = open_store(folder.root, folder.files, SIDE, tmp_path / "more")
    (located,) = FeatureSource(cascaded.extractor, store).find(_cascade_of(cascaded), np.arange(12))
    found = cascaded.predict(folder.root)
    assert found.px_error is not None
    sides = np.array([max(Image.open(folder.path(i)).size) for i in range(12)])  # normalised units span 2
    expected = np.array([0.2, 0.4]) * located.size.double().cpu().numpy()[:, None] * sides[:, None] / 2
    known = found.visible > 0
    np.testing.assert_allclose(found.px_error[known], expected[known], rtol=0.01)  # sides are whole pixels


def _cascade_of(model: Landmarker) -> Cascade:
    assert isinstance(model.head, Cascade)
    return model.head


def test_a_cascade_read_back_says_the_same(cascaded: Landmarker, folder: Dataset, tmp_path: Path, fine: bool) -> None:
    confidence = cascaded.calibration
    assert isinstance(confidence, Confidence)
    confidence.hidden[-1].copy_(torch.tensor([1.0, -1.0]))  # so that it is seen to be kept
    cascaded.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    assert (_cascade_of(again).fine is not None) == fine
    before, after = cascaded.predict(folder.root), again.predict(folder.root)
    for name in ("xy", "score", "px_error", "px_90", "visible"):
        np.testing.assert_array_equal(getattr(before, name), getattr(after, name))
    assert before.px_90 is not None
    known = before.visible > 0
    assert (before.visible[:, 0][known[:, 0]] == HIDDEN).all()
    assert (before.visible[:, 1][known[:, 1]] == VISIBLE).all()


def test_what_is_found_beyond_the_picture_is_out_of_view(
    cascaded: Landmarker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    confidence = cascaded.calibration
    assert isinstance(confidence, Confidence)
    confidence.hidden[-1] = torch.inf  # were it in view it would be hidden
    dotted(64, 40, 30, 20).save(tmp_path / "wide.png")  # stands 12 pixels down in the square

    def normal(x: float, y: float) -> list[float]:
        return [(x + 0.5) / 32 - 1, (y + 12 + 0.5) / 32 - 1]

    for place, inside in (
        ((10.0, 5.0), True),
        ((-0.4, 20.0), True),  # within the first pixel
        ((-0.6, 20.0), False),
        ((63.4, 39.4), True),
        ((63.6, 20.0), False),
        ((30.0, -0.6), False),
        ((30.0, 39.6), False),
    ):
        points = torch.tensor([[normal(*place), normal(20.0, 20.0)]])

        def located(*_: object, points: Tensor = points) -> CascadeOutput:
            told = (points, torch.full((1, 2), 0.5), torch.zeros(1, 2, Cascade.SIGNALS), torch.ones(1))
            return CascadeOutput(*(value.to(cascaded.extractor.device) for value in told))

        monkeypatch.setattr(FeatureSource, "find_in", located)
        found = cascaded.predict(tmp_path / "wide.png")
        assert found.visible.tolist() == [[HIDDEN if inside else UNLABELLED, HIDDEN]]
        assert found.px_error is not None
        assert found.px_90 is not None
        for values in (found.xy[..., 0], found.px_error, found.px_90):
            assert np.isfinite(values).tolist() == [[inside, True]]
        if inside:
            np.testing.assert_allclose(found.xy[0, 0], place, atol=1e-3)


def test_crops_are_features_of_the_squares_that_are_asked_for(tiny: Maker, folder: Dataset, cache: Path) -> None:
    """A frame that shows the middle half of the store: a square of it is a square of half the size in the store."""
    settings = tiny(picture={"store": 64, "input": 32, "frame": 0.5})
    extractor, store = Extractor(student(settings), settings.picture, batch=2), stored(folder, settings, cache)
    source, rows = FeatureSource(extractor, store), np.array([3, 0, 3])
    whole = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).expand(3, -1, -1)
    parts = list(source.crops(rows, whole))
    assert [len(part) for part in parts] == [2, 1]
    middle = torch.from_numpy(np.array(store.pixels[rows])).permute(0, 3, 1, 2)[..., 16:48, 16:48].float() / 255
    expected = extractor.features_of(middle.contiguous().to(extractor.device))
    torch.testing.assert_close(torch.cat(parts), expected, atol=2e-3, rtol=2e-3)
    torch.testing.assert_close(torch.cat(list(extractor.batches(store, rows))), expected, atol=2e-3, rtol=2e-3)


def test_the_peers_head_without_calibration_is_kept_too(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = make_head("softargmax", 16, 2)
    assert isinstance(head, SoftArgmaxHead)
    model = Landmarker(SCHEMA, tiny(), student(tiny()), head, None, {})
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    found = again.predict(folder.root)
    assert found.px_error is None
    np.testing.assert_array_equal(found.xy, model.predict(folder.root).xy)


def test_a_model_with_a_linear_student_is_read_back(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    settings = tiny(
        distill={"decoder": "linear", "spatial_softmax": 6.5},
        hypercolumn={"weights": (0.0, 1.0, 1.0, 0.0), "normalisation": "level"},
    )
    torch.manual_seed(0)
    network = make_student(Backbone("test_resnet"), settings.distill, settings.hypercolumn)
    assert isinstance(network, LinearStudent)
    model = Landmarker(SCHEMA, settings, network, make_head("softargmax", 16, 2), None, {})
    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    assert isinstance(again.extractor.network, LinearStudent)
    assert again.extractor.digest() == model.extractor.digest()
    np.testing.assert_array_equal(again.predict(folder.root).xy, model.predict(folder.root).xy)


def test_expected_errors_lie_between_the_knots() -> None:
    calibration = Calibration(np.array([0.2, 0.6, 0.8]), np.array([0.3, 0.1, 0.1]))
    asked: npt.NDArray[np.float64] = np.array([[0.0, 0.2, 0.3], [0.7, 0.8, 1.0]])
    np.testing.assert_allclose(calibration.expected(asked), [[0.3, 0.3, 0.25], [0.1, 0.1, 0.1]])
