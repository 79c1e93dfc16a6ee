"""The supervised baseline: what counts in its loss, that it learns, and that it goes on after a kill."""

from __future__ import annotations

import contextlib
import json
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from lead.config import Settings
from lead.errors import LeadError
from lead.frame import Frame
from lead.geometry import denormalise_points, normalise_points
from lead.images.store import ImageStore
from lead.nn.backbone import Backbone
from lead.nn.regressor import LandmarkRegressor
from lead.nn.student import Student
from lead.reporting import Report, silent
from lead.training import supervised
from lead.training.pretrain import draw_view
from lead.training.supervised import Supervised, train_supervised
from lead.training.upkeep import Upkeep

Maker = Callable[..., Settings]
SIDE = 48


def dotted(count: int) -> tuple[ImageStore, npt.NDArray[np.float64]]:
    """Grey noise with a bright red dot, and below it by 8 pixels a blue one; their places (n, 2, 2) in pixels."""
    draws = np.random.default_rng(0)
    pixels = draws.integers(60, 120, (count, SIDE, SIDE, 3)).astype(np.uint8)
    points = np.empty((count, 2, 2))
    row, column = np.mgrid[:SIDE, :SIDE]
    for i in range(count):
        x, y = draws.uniform(14, 34, 2) - (0, 4)
        points[i] = (x, y), (x, y + 8)
        for k, channel in ((0, 0), (1, 2)):
            pixels[i, (column - points[i, k, 0]) ** 2 + (row - points[i, k, 1]) ** 2 < 3**2, channel] = 255
    files = tuple(f"{i}.png" for i in range(count))
    return ImageStore(files, pixels, np.full((count, 2), SIDE), (), f"{count} dots"), points


def stage_of(settings: Settings) -> Supervised:
    torch.manual_seed(0)
    network = LandmarkRegressor(Student(Backbone("test_resnet"), 16, 16), 16, 2)
    return Supervised(network, settings.supervised, settings.picture).train()


def batch(store: ImageStore, points: npt.NDArray[np.float64], count: int) -> tuple[Tensor, Tensor]:
    pictures = torch.from_numpy(store.pixels[:count]).permute(0, 3, 1, 2).float() / 255
    return pictures, torch.from_numpy(normalise_points(points[:count], (SIDE, SIDE))).float()


def smooth_l1(difference: float) -> float:
    return 0.5 * difference**2 if abs(difference) < 1 else abs(difference) - 0.5


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bend", [(0.0, 0.0), (0.0005, 0.005)])
def test_landmarks_move_with_the_view(tiny: Maker, bend: tuple[float, float]) -> None:
    """Each dot is where it is said to be in the view that the network saw, found by looking at the view itself."""
    views = {"scale": (0.8, 1.1), "shift": 0.1, "rotation": 30.0, "stretch": 0.1, "bend": bend}
    colours = {"jitter": 0.0, "hue": 0.0, "grey": 0.0, "blur": 0.0, "noise": 0.0}
    settings = tiny(picture={"store": SIDE, "input": 96}, supervised={"views": views | colours})
    store, points = dotted(12)
    pictures, targets = batch(store, points, 12)
    stage = stage_of(settings)
    seen = list[Tensor]()
    stage.network.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    losses = stage(pictures, torch.Generator().manual_seed(3), targets)
    found = denormalise_points(stage.network(seen[0]), (96, 96)).tolist()
    total, distance = list[float](), list[float]()
    row, column = np.mgrid[:96, :96]
    for i in range(12):
        view = seen[0][i].numpy()
        for k, channel in ((0, 0), (1, 2)):
            light = (view[channel] > 0.75).astype(float)
            centre = ((light * column).sum() / light.sum(), (light * row).sum() / light.sum())
            offsets = [2 * (found[i][k][axis] - centre[axis]) / 96 for axis in (0, 1)]
            total += [smooth_l1(10 * offset) for offset in offsets]
            distance.append(float(np.hypot(*offsets)) / 2)
    assert losses["seen"] == 1
    assert losses["loss"].item() == pytest.approx(np.mean(total), rel=0.03)
    assert float(losses["error"]) == pytest.approx(np.mean(distance), rel=0.03)


def slow_inverse(affine: Tensor, point: Tensor) -> tuple[float, float]:
    """Where a picture's point is in a view, by Cramer's rule."""
    (a, b, tx), (c, d, ty) = affine.tolist()
    x, y = point.tolist()
    determinant = a * d - b * c
    return ((x - tx) * d - (y - ty) * b) / determinant, ((y - ty) * a - (x - tx) * c) / determinant


def test_what_is_unlabelled_or_out_of_view_does_not_count(tiny: Maker) -> None:
    settings = tiny(supervised={"views": {"scale": (0.4, 0.6), "shift": 0.3, "rotation": 20.0}})
    store, points = dotted(8)
    points[1, 0] = points[4, 1] = np.nan
    pictures, targets = batch(store, points, 8)
    stage = stage_of(settings)
    losses = stage(pictures, torch.Generator().manual_seed(1), targets)
    view, warp = draw_view(
        pictures, settings.supervised.views, settings.picture, torch.Generator().manual_seed(1), bent=True
    )
    found = stage.network(view).tolist()
    total, unseen = list[float](), 0
    for i in range(8):
        for k in range(2):
            place = slow_inverse(warp.affine[i], targets[i, k])
            if np.isnan(place).any() or max(map(abs, place)) > 1:
                unseen += 1
                continue
            total += [smooth_l1(10 * (found[i][k][axis] - place[axis])) for axis in (0, 1)]
    assert 2 < unseen < 14
    assert losses["loss"].item() == pytest.approx(np.mean(total), rel=1e-4)
    assert float(losses["seen"]) == pytest.approx(1 - unseen / 16)
    losses["loss"].backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in stage.parameters())


def test_a_batch_that_shows_no_landmark_teaches_nothing(tiny: Maker) -> None:
    store, points = dotted(4)
    pictures, targets = batch(store, points, 4)
    stage = stage_of(tiny())
    losses = stage(pictures, torch.Generator().manual_seed(0), torch.full_like(targets, torch.nan))
    losses["loss"].backward()
    assert losses["loss"].item() == losses["error"].item() == losses["seen"].item() == 0
    assert all(p.grad is None or not p.grad.any() for p in stage.parameters())


# --- the training ----------------------------------------------------------------------------------------------------

NARROW = {"scale": (0.9, 1.1), "shift": 0.05, "rotation": 5.0}


def quick(tiny: Maker, **supervised: object) -> Settings:
    return tiny(supervised={"steps": 6, "batch": 8, "views": NARROW} | supervised)


def test_it_finds_dots_that_it_was_shown_the_like_of(tiny: Maker, tmp_path: Path) -> None:
    store, points = dotted(56)
    rows, others = np.arange(40), np.arange(40, 56)
    settings = quick(tiny, steps=120, batch=16, lr=3e-3)
    network = train_supervised(tmp_path, settings, store, rows, points[:40], seed=0)
    frame = Frame.of(settings.picture)
    with torch.no_grad():
        found = network(frame.show(torch.from_numpy(store.pixels[others]))).double().numpy()
    assert found.shape == (16, 2, 2)
    error = np.linalg.norm(frame.denormalise(found) - points[others], axis=-1)
    guess = np.linalg.norm(points[:40].mean(0) - points[others], axis=-1)
    assert (error.mean(0) < 0.5 * guess.mean(0)).all()


def test_missing_labels_are_no_hindrance(tiny: Maker, tmp_path: Path) -> None:
    store, points = dotted(12)
    points[::2, 0] = np.nan
    network = train_supervised(tmp_path, quick(tiny), store, np.arange(12), points, seed=0)
    assert all(value.isfinite().all() for value in network.state_dict().values())
    with pytest.raises(LeadError, match="No landmark of these pictures is labelled"):
        train_supervised(tmp_path / "none", quick(tiny), store, np.arange(12), np.full_like(points, np.nan), seed=0)


def test_only_the_given_pictures_count_and_each_has_its_own_landmarks(tiny: Maker, tmp_path: Path) -> None:
    """The same pictures among others and in another order make the same network."""
    store, points = dotted(12)
    rows = np.array([2, 5, 7, 11])
    alone = ImageStore(tuple(store.files[i] for i in rows), store.pixels[rows], store.sizes[rows], (), "alone")
    # As many pictures as a batch: each step sees all of them, and no shuffle is left but their order.
    settings = quick(tiny, steps=2, batch=4, views={**NARROW, "rotation": 0.0})
    first = train_supervised(tmp_path / "a", settings, store, rows, points[rows], seed=0).state_dict()
    second = train_supervised(tmp_path / "b", settings, alone, np.arange(4), points[rows], seed=0).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())


def test_an_interrupted_training_goes_on_to_the_same_network(tiny: Maker, tmp_path: Path) -> None:
    store, points = dotted(12)
    points[3, 1] = np.nan

    def train(name: str, report: Callable[[str, int, int, Mapping[str, float]], None] = silent) -> dict[str, Tensor]:
        upkeep = Upkeep(log_every=1)
        network = train_supervised(
            tmp_path / name, quick(tiny), store, np.arange(12), points, seed=4, report=report, upkeep=upkeep
        )
        return network.state_dict()

    def interrupt(stage: str, step: int, *_: object) -> None:
        assert stage == "supervised"
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    whole = train("whole")
    with pytest.raises(LeadError, match="Interrupted in supervised after step 3 of 6"):
        train("cut", interrupt)
    assert (tmp_path / "cut" / "supervised-state.safetensors").exists()
    cut = train("cut", interrupt)
    assert all(torch.equal(value, cut[name]) for name, value in whole.items())
    lines = (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert not list((tmp_path / "cut").glob("*-state.safetensors"))


def test_a_killed_training_goes_on_to_the_same_network(tiny: Maker, tmp_path: Path) -> None:
    class Killed(BaseException):
        """Ends the loop as a kill would, with nothing saved on the way out."""

    def kill(_stage: str, step: int, *_: object) -> None:
        if step == 4:
            raise Killed

    store, points = dotted(12)
    settings, rows = quick(tiny), np.arange(12)
    whole = train_supervised(tmp_path / "whole", settings, store, rows, points, seed=0).state_dict()

    def resumed(report: Report) -> LandmarkRegressor:
        always = Upkeep(log_every=1, save_every_s=-1.0)  # a checkpoint after every step
        return train_supervised(tmp_path / "cut", settings, store, rows, points, seed=0, report=report, upkeep=always)

    with pytest.raises(Killed):
        resumed(kill)
    steps = list[int]()
    cut = resumed(lambda _stage, step, *_: steps.append(step))
    assert steps == [4, 5, 6]
    assert all(torch.equal(value, whole[name]) for name, value in cut.state_dict().items())


def test_a_training_goes_on_in_the_precision_in_which_it_began(
    tiny: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_stage: str, step: int, *_: object) -> None:
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    store, points = dotted(12)
    settings = quick(tiny).model_copy(update={"precision": "auto"})
    upkeep = Upkeep(log_every=1)

    def train(folder: str, began: str, goes_on: str) -> dict[str, torch.Tensor]:
        for chosen in (began, goes_on):
            monkeypatch.setattr(supervised, "fastest_precision", lambda *_, chosen=chosen: chosen)
            with contextlib.suppress(LeadError):
                found = train_supervised(
                    tmp_path / folder, settings, store, np.arange(12), points, seed=0, report=interrupt, upkeep=upkeep
                )
        return dict(found.state_dict())

    half, changed, single = (
        train(*how)
        for how in (("a", "bf16-mixed", "bf16-mixed"), ("b", "bf16-mixed", "32-true"), ("c", "32-true", "32-true"))
    )
    assert all(torch.equal(value, changed[name]) for name, value in half.items())
    assert not all(torch.equal(value, single[name]) for name, value in half.items())


def test_a_finished_network_is_found_again_and_another_is_refused(tiny: Maker, tmp_path: Path) -> None:
    store, points = dotted(12)
    settings, rows = quick(tiny, steps=1), np.arange(12)

    def never(*_: object) -> None:
        raise AssertionError("a finished training reported a step")

    first = train_supervised(tmp_path, settings, store, rows, points, seed=0).state_dict()
    again = train_supervised(tmp_path, settings, store, rows, points, seed=0, report=never)
    assert not again.training
    assert all(torch.equal(value, first[name]) for name, value in again.state_dict().items())
    unrelated = settings.model_copy(update={"distill": settings.distill.model_copy(update={"steps": 99})})
    train_supervised(tmp_path, unrelated, store, rows, points, seed=0, report=never)
    moved = points + np.eye(2)
    faster, renamed = quick(tiny, steps=1, lr=1.0), replace(store, digest="x")
    others: list[tuple[Settings, ImageStore, npt.NDArray[np.int64], npt.NDArray[np.float64], int, bool]] = [
        (faster, store, rows, points, 0, False),
        (settings, renamed, rows, points, 0, False),
        (settings, store, rows[1:], points[1:], 0, False),
        (settings, store, rows, moved, 0, False),
        (settings, store, rows, points, 1, False),
        (settings, store, rows, points, 0, True),
    ]
    for given, pictures, some, places, seed, pretrained in others:
        with pytest.raises(LeadError, match=r"supervised\.safetensors was trained with other settings or labels"):
            train_supervised(tmp_path, given, pictures, some, places, seed=seed, pretrained=pretrained)


@pytest.mark.parametrize("pretrained", [False, True])
def test_the_encoder_starts_with_random_weights_or_those_of_the_settings(
    tiny: Maker, tmp_path: Path, pretrained: bool
) -> None:
    torch.manual_seed(9)
    given = Backbone("test_resnet").network.state_dict()
    torch.save(given, tmp_path / "weights.pth")
    settings = tiny(
        backbone={"name": "test_resnet", "init": str(tmp_path / "weights.pth")}, supervised={"steps": 0, "batch": 8}
    )
    store, points = dotted(8)
    network = train_supervised(tmp_path, settings, store, np.arange(8), points, seed=0, pretrained=pretrained)
    found = network.student.backbone.network.state_dict()
    assert all(torch.equal(value, given[name]) for name, value in found.items()) == pretrained


@pytest.mark.parametrize("frozen", [False, True])
def test_batchnorm_moves_unless_it_is_frozen(tiny: Maker, tmp_path: Path, frozen: bool) -> None:
    store, points = dotted(8)
    settings = quick(tiny, steps=1, frozen_batchnorm=frozen)
    network = train_supervised(tmp_path, settings, store, np.arange(8), points, seed=0)
    means = [v for k, v in network.student.backbone.state_dict().items() if k.endswith("running_mean")]
    assert means
    assert all(not mean.any() for mean in means) == frozen
