"""Landmarks that lie anywhere beside the others, a ruler's say, are found apart from these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from spots import BLOBS, COLOURS, SIDE, STORED, Colours, spotted

from lead.config import check
from lead.errors import LeadError
from lead.export.onnxfile import to_onnx
from lead.inference import Landmarker
from lead.landmarks.model import VISIBLE, Labels, Schema
from lead.nn.backbone import Backbone
from lead.nn.cascade import Cascade
from lead.nn.confidence import Confidence
from lead.nn.student import Student
from lead.training import loose
from lead.training.cascade import CascadeFit
from lead.training.loose import BETTER, PartsFit, fit_parts, parts_of

NAMES = ("red", "zero", "green", "blue", "yellow", "ten", "left", "right")
SCHEMA = Schema(NAMES, skeleton=(("red", "green"), ("zero", "ten")))
THING, RULER = [0, 2, 3, 4, 6, 7], [1, 5]
PLACES = np.concatenate([BLOBS, [[-1.0, 0.7], [1.0, 0.6]]])
PICTURES, LABELLED = 24, 12


def placed(draws: np.random.Generator, *, anywhere: bool) -> npt.NDArray[np.float64]:
    """(8, 2) pixels of a thing in the middle, and of a ruler along any side, or always along the same."""
    angle, size = draws.uniform(-0.3, 0.3), draws.uniform(30, 36)
    turn = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    thing = PLACES @ turn.T + draws.uniform(0.46, 0.54, 2) * SIDE
    long = draws.uniform(0.25, 0.3) * SIDE
    along = draws.uniform(0.15, 0.55) * SIDE + np.array([[0.0], [1.0]]) * long
    across = np.full((2, 1), 0.07 * SIDE)
    side = draws.integers(4) if anywhere else 0
    ruler = np.hstack([along, across] if side % 2 == 0 else [across, along])
    ruler = SIDE - ruler if side > 1 else ruler
    xy = np.empty((8, 2))
    xy[THING], xy[RULER] = thing, ruler
    return xy


def draw(root: Path, count: int, *, anywhere: bool) -> Labels:
    draws = np.random.default_rng(5)
    row, column = np.mgrid[:SIDE, :SIDE]
    colours = np.empty((8, 3))
    colours[THING] = [*COLOURS, *np.ones((2, 3))]  # two alike: only their places tell them apart
    colours[RULER] = [[0.9, 0.1, 0.9], [0.1, 0.9, 0.9]]
    places, names = [], []
    root.mkdir(parents=True)
    for number in range(count):
        xy = placed(draws, anywhere=anywhere)
        picture = 0.25 + 0.03 * draws.normal(size=(SIDE, SIDE, 3))
        for (x, y), colour in zip(xy, colours, strict=True):
            near = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * 4.5**2))[..., None]
            picture = picture * (1 - near) + near * colour
        names.append(f"{number:02}.bmp")
        Image.fromarray((255 * picture.clip(0, 1)).round().astype(np.uint8)).save(root / names[-1])
        places.append(xy)
    return Labels(SCHEMA, tuple(names), np.array(places), np.full((count, 8), VISIBLE, np.int8))


def fitted(tmp: Path, *, anywhere: bool) -> tuple[PartsFit, Landmarker, Labels, Labels]:
    truth = draw(tmp / "pictures", PICTURES, anywhere=anywhere)
    source = spotted(tmp / "pictures", tmp / "store", list(truth.images))
    labels = truth.take(range(LABELLED))
    rows = np.arange(LABELLED)
    points = torch.from_numpy(source.points(rows, labels.xy)).float()
    parts = fit_parts(source, rows, points, labels, unlabelled=rows, turned=False, seed=0)
    settings = check(
        {
            "picture": {"store": STORED, "input": STORED, "frame": 1.0},
            "backbone": {"name": "test_resnet"},
            "distill": {"width": 8, "dimension": 7},
        },
        "test",
    )
    student = Student(Backbone("test_resnet"), 7, 8)
    others = [
        Landmarker(SCHEMA.subset(SCHEMA.names[k] for k in which), settings, student, fit.head, fit.confidence, {})
        for which, fit in parts.loose
    ]
    model = Landmarker(SCHEMA, settings, student, parts.own.head, parts.own.confidence, {}, loose=others)
    model.extractor = Colours(student, settings.picture, device=torch.device("cpu"))
    return parts, model, model.predict_store(source.store), truth


def mean_error(found: Labels, truth: Labels) -> float:
    return float(np.nanmean(np.linalg.norm(found.xy - truth.xy, axis=-1)[LABELLED:]))


def test_parts_are_what_lies_alike_in_most_pictures() -> None:
    draws = np.random.default_rng(1)
    moved = np.array([placed(draws, anywhere=True) for _ in range(15)])
    assert parts_of(torch.from_numpy(moved).float()) == [THING, RULER]
    fixed = np.array([placed(draws, anywhere=False) for _ in range(15)])
    assert parts_of(torch.from_numpy(fixed).float()) == [list(range(8))]
    # What bends a little, and a thing that is seen from its other side, belongs together.
    bent = moved[:, THING] + draws.normal(0, 4, (15, 6, 2))
    bent[::3, :, 0] = SIDE - bent[::3, :, 0]
    assert parts_of(torch.from_numpy(bent).float()) == [list(range(6))]
    assert parts_of(torch.from_numpy(moved[:4]).float()) == [list(range(8))]  # too few to tell


@pytest.mark.parametrize(("apart", "together"), [(0.01, 0.02), (0.019, 0.02)])
def test_parts_are_fitted_apart_where_that_does_better(
    monkeypatch: pytest.MonkeyPatch, apart: float, together: float
) -> None:
    asked: list[list[int]] = []

    def fit(*_: object, hidden: npt.NDArray[np.bool_], **__: object) -> CascadeFit:
        asked.append(list(range(hidden.shape[1])))
        error = together if len(asked) == 1 else apart
        return CascadeFit(Cascade(7, hidden.shape[1], fine=False), Confidence(Cascade.SIGNALS, hidden.shape[1]), error)

    monkeypatch.setattr(loose, "fit_cascade", fit)
    draws = np.random.default_rng(3)
    xy = np.array([placed(draws, anywhere=True) for _ in range(12)])
    xy[3, RULER] = np.nan  # one has no ruler
    labels = Labels.from_xy(SCHEMA, tuple(f"{i}.png" for i in range(12)), xy)
    rows = np.arange(12)
    points = torch.from_numpy(xy).float()
    parts = fit_parts(None, rows, points, labels, unlabelled=rows, turned=False, seed=0)  # type: ignore[arg-type]
    assert [len(which) for which in asked] == [8, 6, 2]
    assert parts.error == (apart if apart < BETTER * together else together)
    assert [which for which, _ in parts.loose] == ([RULER] if apart < BETTER * together else [])


def test_a_loose_part_is_found_beside_the_rest_and_kept_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loose, "BETTER", 9.0)
    parts, model, found, truth = fitted(tmp_path / "apart", anywhere=True)
    assert [which for which, _ in parts.loose] == [RULER]
    assert parts.which == THING
    assert found.schema == SCHEMA
    assert mean_error(found, truth) < 2.0
    assert found.px_error is not None
    assert np.isfinite(found.px_error).all()

    model.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    again.extractor = model.extractor
    for part in again.loose:
        part.extractor = model.extractor
    assert again.digest() == model.digest()
    source = spotted(tmp_path / "apart" / "pictures", tmp_path / "store", list(truth.images))
    repeated = again.predict_store(source.store)
    assert (repeated.xy == found.xy).all()
    assert again.own.names == tuple(SCHEMA.names[k] for k in THING)
    with pytest.raises(LeadError, match="zero, ten apart"):
        to_onnx(model, tmp_path / "model.onnx")


def test_what_lies_as_always_is_fitted_as_one(tmp_path: Path) -> None:
    parts, model, _, _ = fitted(tmp_path / "fixed", anywhere=False)
    assert parts.loose == ()
    assert "loose" not in model.describe()
