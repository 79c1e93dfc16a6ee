"""How the things in a folder lie: drawn beetles, similarities made up, and what a run makes of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

import lead
from lead.beetles.rendering import render
from lead.config import (
    ALIKE,
    ALL_ROUND,
    DIFFERENT,
    UPRIGHT,
    HypercolumnSettings,
    PictureSettings,
    Settings,
    ViewSettings,
    presets,
)
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.features import Extractor
from lead.images.build import open_store
from lead.images.store import ImageStore
from lead.nn.backbone import PACKAGED, Backbone
from lead.training import headings
from lead.training.headings import Headings, headings_of, with_found_views
from lead.training.run import Run, open_pictures

Maker = Callable[..., Settings]
MODULE, NETWORK = PACKAGED["efficientnet-lite0"]
packaged = pytest.mark.skipif(find_spec(MODULE) is None, reason="needs the weights extra")


# --- pictures --------------------------------------------------------------------------------------------------------


def stored(pixels: list[npt.NDArray[np.uint8]], folder: Path) -> ImageStore:
    (folder / "pictures").mkdir(parents=True)
    names = [f"{i:02}.png" for i in range(len(pixels))]
    for name, picture in zip(names, pixels, strict=True):
        Image.fromarray(picture).save(folder / "pictures" / name)
    return open_store(folder / "pictures", names, pixels[0].shape[0], folder / "store")


@packaged
def test_beetles_that_lie_any_way_are_told_from_upright_ones(tmp_path: Path) -> None:
    extractor = Extractor(
        Backbone(NETWORK, "efficientnet-lite0"), PictureSettings(store=96, input=96, frame=1.0), HypercolumnSettings()
    )
    found = []
    for rotation in (None, 180.0):
        drawn = [render(i, seed=3, size=96, rotation=rotation).pixels for i in range(20)]
        store = stored(drawn, tmp_path / str(rotation))
        rows = np.arange(20)
        found.append(headings_of(extractor, store, rows, seed=0, pictures=14))
    again = headings_of(extractor, store, rows, seed=0, pictures=14)
    assert again == found[-1]
    upright, turned = found
    assert not upright.any_way
    assert turned.any_way
    assert "upright" in upright.text
    assert "turned any way" in turned.text
    for one in found:
        assert one.resting < 0.5  # each beetle stands before ground of its own
        assert one.mirrored == 0  # and looks the same from both sides


@packaged
@pytest.mark.parametrize("rotation", [None, 180.0])
def test_beetles_of_many_sizes_are_told_from_those_of_one_kind(tmp_path: Path, rotation: float | None) -> None:
    extractor = Extractor(
        Backbone(NETWORK, "efficientnet-lite0"), PictureSettings(store=96, input=96, frame=1.0), HypercolumnSettings()
    )
    found = []
    for name, spread in (("usual", 0.0), ("many", 0.55)):
        drawn = []
        for i in range(20):
            with mock.patch(
                "lead.beetles.rendering.BODY", 0.5 * np.exp(spread * np.random.default_rng(i).uniform(-1, 1))
            ):
                drawn.append(render(i, seed=3, size=96, rotation=rotation).pixels)
        store = stored(drawn, tmp_path / name)
        found.append(headings_of(extractor, store, np.arange(20), seed=0, pictures=16))
    usual, many = found
    assert not usual.sizes_differ
    assert many.sizes_differ
    assert headings.APART < many.sizes < 4.5  # drawn by up to 3 times more than usual


@pytest.mark.parametrize(
    ("upright", "resting", "any_way", "text"),
    [
        (0.9, 0.1, False, "upright"),
        (0.1, 0.1, True, "turned any way"),
        (0.1, 0.9, True, "turned any way"),
        (0.9, 0.9, True, "camera rests"),
    ],
)
def test_what_pairs_say_is_put_in_a_sentence(upright: float, resting: float, any_way: bool, text: str) -> None:
    found = Headings(upright, resting, 0.0)
    assert found.any_way == any_way
    assert text in found.text


# --- similarities ----------------------------------------------------------------------------------------------------


def alike(side: npt.NDArray[np.float64], noise: float, sidedness: float = 1.0, seed: int = 0) -> Tensor:
    """(2, n, n) similarities to plain and to mirrored copies, of pictures seen from sides that are 1 or -1."""
    agree = sidedness * np.outer(side, side) / 2
    out = np.stack([5 + agree, 5 - agree])
    return torch.from_numpy(out + noise * np.random.default_rng(seed).normal(size=out.shape)).float()


@pytest.mark.parametrize(("few", "share"), [(12, 0.5), (7, 7 / 24), (2, 0.0), (0, 0.0)])
@pytest.mark.parametrize("seed", range(3))
def test_two_groups_are_two_sides(few: int, share: float, seed: int) -> None:
    side = np.random.default_rng(seed).permutation(np.where(np.arange(24) < few, -1.0, 1.0))
    assert headings._mirrored(alike(side, 0.02, seed=seed)) == pytest.approx(share)  # too few may be a mistake


@pytest.mark.parametrize("seed", range(5))
def test_what_looks_the_same_from_both_sides_has_none(seed: int) -> None:
    side = np.where(np.arange(24) < 12, -1.0, 1.0)
    assert headings._mirrored(alike(side, 0.02, sidedness=0.1, seed=seed)) == 0
    assert headings._mirrored(alike(side, 1.0, sidedness=0.0, seed=seed)) == 0  # strong preferences, of no two groups


def test_what_a_picture_is_to_itself_does_not_count() -> None:
    side = np.where(np.arange(24) < 9, -1.0, 1.0)
    similar = alike(side, 0.0)
    torch.diagonal(similar, dim1=1, dim2=2).fill_(1e3)
    similar[1].fill_diagonal_(-1e3)
    assert headings._mirrored(similar) == pytest.approx(9 / 24)


STEP = np.log(headings.LARGER)


def enlarged(size: npt.NDArray[np.float64], noise: float, favour: float = 0.0, seed: int = 0) -> Tensor:
    """(steps, n, n) similarities of things of these sizes, enlarged, to others; best where alike.

    Args:
        size: logarithms.
        noise: deviation.
        favour: of each step of enlarging, whatever is compared.
        seed: of the noise.
    """
    steps = np.arange(headings.ENLARGED + 1)[:, None, None]
    off = (size[:, None] - size) / STEP + steps  # so much larger than the other it is made
    out = favour * steps - off**2 / 20 + noise * np.random.default_rng(seed).normal(size=off.shape)
    return torch.from_numpy(out).float()


@pytest.mark.parametrize("favour", [-0.03, 0.0, 0.03])
@pytest.mark.parametrize("factor", [1.0, 1.5, 2.2, 3.0])
def test_sizes_are_told_from_pairs(factor: float, favour: float) -> None:
    """What all pairs gain or lose by enlarging does not change who is larger."""
    size = np.random.default_rng(1).permutation(np.linspace(0, np.log(factor) / 0.9, 24))
    told = headings._sizes(enlarged(size, 0.05, favour))
    assert told == pytest.approx(factor, rel=0.25)
    assert headings._sizes(enlarged(size[:7], 0.05)) == 1  # too few to tell


@pytest.mark.parametrize("seed", range(5))
def test_pairs_that_contradict_one_another_tell_no_sizes(seed: int) -> None:
    assert headings._sizes(enlarged(np.zeros(24), 100.0, seed=seed)) < headings.APART


# --- a camera that rests ---------------------------------------------------------------------------------------------


def test_a_scene_that_stays_is_told_from_pictures_that_share_nothing(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    scene = random.integers(0, 255, (32, 32, 3)).astype(np.uint8)
    films = []
    for _ in range(11):
        frame, (x, y) = scene.copy(), random.integers(0, 26, 2)
        frame[y : y + 6, x : x + 6] = 255
        films.append(frame)
    still = stored(films, tmp_path / "still")
    rows = np.arange(11)
    found = headings._resting(still, rows)
    moved = (
        np.mean([np.square(f.astype(float) - scene).mean() for f in films])
        / np.square(scene.astype(float) - scene.mean((0, 1))).mean()
    )
    assert headings.RESTING < found < 1
    assert found == pytest.approx(1 - moved, abs=0.03)
    assert headings._resting(still, rows[:1]) == pytest.approx(1)
    others = stored([random.integers(0, 255, (32, 32, 3)).astype(np.uint8) for _ in range(11)], tmp_path / "others")
    assert headings._resting(others, rows) < 0.2


# --- what a run makes of it ------------------------------------------------------------------------------------------

AUTO = {"views": {"rotation": "auto"}}


def looking(monkeypatch: pytest.MonkeyPatch, found: Headings) -> list[npt.NDArray[np.int64]]:
    """What is found of any folder, and the rows that were looked at each time."""
    asked: list[npt.NDArray[np.int64]] = []

    def find(_: Extractor, __: ImageStore, rows: npt.NDArray[np.int64], **___: object) -> Headings:
        asked.append(rows)
        return found

    monkeypatch.setattr(headings, "headings_of", find)
    return asked


def initialised(tiny: Maker, tmp_path: Path, **sections: Any) -> Settings:
    """Settings of a run that begins with weights of a file; they say nothing, but are not drawn."""
    file = tmp_path / "weights.safetensors"
    if not file.exists():
        save_file(dict(Backbone("test_resnet").network.state_dict()), file)
    return tiny(**({"backbone": {"name": "test_resnet", "init": str(file)}, "distill": AUTO} | sections))


def trained(settings: Settings, folder: Dataset, out: Path, stage: Any = "both") -> tuple[Run, list[str]]:
    said: list[str] = []
    run = lead.train(folder, out, settings=settings, stage=stage, say=said.append)
    return run if isinstance(run, Run) else Run.open(out), said


@pytest.mark.parametrize(
    ("found", "degrees"),
    [(Headings(0.9, 0.1, 0.0), UPRIGHT), (Headings(0.1, 0.1, 0.4), ALL_ROUND), (Headings(0.9, 0.9, 0.0), ALL_ROUND)],
)
def test_what_was_found_is_said_and_kept(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, found: Headings, degrees: float
) -> None:
    asked, settings = looking(monkeypatch, found), initialised(tiny, tmp_path)
    run, said = trained(settings, folder, tmp_path / "run", "pretrain")
    assert len(asked) == 1
    assert run.settings.distill.views.rotation == degrees
    assert run.settings.turned == (degrees == ALL_ROUND)
    assert f"rotation: {degrees}" in (tmp_path / "run" / "settings.yaml").read_text()
    assert run.settings == settings.with_rotation(degrees)
    assert sum(f"{found.text} (distill.views.rotation={degrees:g})." in line for line in said) == 1
    assert any("About 40 % of the pictures look like mirror images" in line for line in said) == (found.mirrored > 0)
    assert run.settings.distill.views.scale == settings.distill.views.scale  # which was not asked about
    # Going on with it keeps it, also if the folder looked otherwise by now.
    asked = looking(monkeypatch, Headings(1 - found.upright, 0.0, 0.0))
    run, said = trained(settings, folder, tmp_path / "run")
    assert not asked
    assert run.has_student
    assert run.settings.distill.views.rotation == degrees
    assert not any("distill.views.rotation" in line for line in said)
    before = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*.safetensors")}
    trained(settings, folder, tmp_path / "run")
    assert {p: p.stat().st_mtime_ns for p in run.folder.rglob("*.safetensors")} == before
    assert not asked


@pytest.mark.parametrize(("sizes", "sides"), [(1.4, ALIKE), (2.8, DIFFERENT)])
@pytest.mark.parametrize("rotation", ["auto", 35.0])
def test_how_far_views_scale_is_said_in_the_same_sentence_and_kept(
    tiny: Maker,
    folder: Dataset,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    sizes: float,
    sides: tuple[float, float],
    rotation: float | str,
) -> None:
    found = Headings(0.9, 0.1, 0.0, sizes)
    asked = looking(monkeypatch, found)
    settings = initialised(tiny, tmp_path, distill={"views": {"rotation": rotation, "scale": "auto"}})
    run, said = trained(settings, folder, tmp_path / "run", "pretrain")
    assert len(asked) == 1
    views = run.settings.distill.views
    assert views.scale == views.sides == sides
    assert views.rotation == (UPRIGHT if rotation == "auto" else rotation)
    (line,) = (line for line in said if "distill.views" in line)
    assert line.endswith(
        f"views are scaled {'further' if sizes > 2 else 'a little'} (distill.views.scale={list(sides)}).".replace(
            ", ", ","
        )
    )
    assert ("distill.views.rotation=20" in line) == (rotation == "auto")
    assert ("factor of about 2.8" in line) == (sizes > 2)
    asked = looking(monkeypatch, Headings(0.1, 0.0, 0.0, 4 - sizes))
    run, said = trained(settings, folder, tmp_path / "run")
    assert not asked
    assert run.has_student
    assert run.settings.distill.views == views
    assert not any("distill.views" in line for line in said)


def test_only_what_training_may_see_is_looked_at(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looking(monkeypatch, Headings(0.9, 0.0, 0.0))
    split = dataclasses.replace(folder, split=("train",) * 8 + ("test",) * 4)
    trained(initialised(tiny, tmp_path), split, tmp_path / "run", "pretrain")
    np.testing.assert_array_equal(asked[0], np.arange(8))


def test_a_rotation_that_is_asked_for_is_taken(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looking(monkeypatch, Headings(0.1, 0.0, 0.0))
    settings = initialised(tiny, tmp_path, distill={"views": {"rotation": 35}})
    run, said = trained(settings, folder, tmp_path / "run", "pretrain")
    assert run.settings.distill.views.rotation == 35
    assert not asked
    assert not any("rotation" in line for line in said)
    (tmp_path / "run" / "student.safetensors").write_bytes(b"")  # until stage 2 has begun, its settings may change
    with pytest.raises(LeadError, match=r"distill\.views\.rotation: 35\.0 there, 90\.0 here"):
        trained(settings.with_rotation(90.0), folder, tmp_path / "run")


def test_a_network_that_begins_random_looks_at_nothing(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looking(monkeypatch, Headings(0.1, 0.0, 0.0))
    run, said = trained(tiny(distill=AUTO), folder, tmp_path / "run", "pretrain")
    assert run.settings.distill.views.rotation == UPRIGHT
    assert not asked
    assert any("begins random" in line and "distill.views.rotation=20" in line for line in said)
    run, said = trained(tiny(distill={"views": {"scale": "auto"}}), folder, tmp_path / "other", "pretrain")
    assert run.settings.distill.views.scale == ALIKE
    assert not asked
    assert any("begins random" in line and "distill.views.scale=[0.6,1.1]" in line for line in said)


def test_a_run_from_before_there_was_anything_to_find_is_done(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = looking(monkeypatch, Headings(0.1, 0.0, 0.0))
    trained(initialised(tiny, tmp_path, distill={"views": {"rotation": 20}}), folder, tmp_path / "run")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "run").rglob("*.safetensors")}
    run, said = trained(initialised(tiny, tmp_path), folder, tmp_path / "run")
    assert any("done already" in line for line in said)
    assert run.settings.distill.views.rotation == 20
    assert {p: p.stat().st_mtime_ns for p in run.folder.rglob("*.safetensors")} == before
    assert not asked


def test_what_is_named_is_not_looked_for_again(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, settings = looking(monkeypatch, Headings(0.1, 0.0, 0.3)), initialised(tiny, tmp_path)
    pictures, said = open_pictures(folder, settings), list[str]()
    first = with_found_views(settings, Run.plan(tmp_path / "new", settings), pictures, said.append)
    assert len(said) == 2
    again = with_found_views(first, Run.plan(tmp_path / "new", first), pictures, said.append)
    assert again is first
    assert len(asked) == 1
    assert len(said) == 2
    assert not (tmp_path / "new").exists()


def test_presets_that_name_no_rotation_can_be_given_one() -> None:
    auto = {name for name in presets() if lead.load_preset(name).distill.views.rotation == "auto"}
    assert auto == {"small", "short"}
    for name in auto:
        settings = lead.load_preset(name, ["distill.views.rotation=180"])
        assert settings.turned
        assert settings == lead.load_preset(name).with_rotation(180.0)
        assert not lead.load_preset(name).turned
    assert auto == {name for name in presets() if lead.load_preset(name).distill.views.scale == "auto"}
    for name in auto:
        asked = lead.load_preset(name, ["distill.views.scale=[0.5,1]"])
        assert asked == lead.load_preset(name).with_scale((0.5, 1.0))
        assert asked.distill.views.sides == (0.5, 1)
    assert ViewSettings(scale="auto").sides == ALIKE
    assert ViewSettings(rotation="auto").degrees == UPRIGHT
    assert ViewSettings(rotation=7.5).degrees == 7.5
