"""The shelf: every stage is trained once, whoever asks for it and however often it is interrupted."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from lead import api, checkpoint
from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.reproduce import shelf as module
from lead.reproduce.shelf import Shelf
from lead.training.run import Run
from lead.training.upkeep import Upkeep

Maker = Callable[..., Settings]


@pytest.fixture
def trainings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """(stage, folder) of each training that a shelf asks for."""
    asked: list[tuple[str, str]] = []

    def train(data: Dataset, out: Path, *, stage: api.StageChoice, **rest: Any) -> Run:
        asked.append((stage, out.name))
        return api.train(data, out, stage=stage, **rest)

    monkeypatch.setattr(module, "train", train)
    return asked


def tensors(folder: Path, kind: str) -> dict[str, torch.Tensor]:
    return checkpoint.load(folder / f"{kind}.safetensors", kind)[0]


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_stage_one_is_trained_once_for_all_stages_two(
    tiny: Maker, folder: Dataset, tmp_path: Path, trainings: list[tuple[str, str]]
) -> None:
    said: list[str] = []
    shelf = Shelf(tmp_path / "shelf", folder, say=said.append)
    narrow, wide = tiny(), tiny(distill={"dimension": 24})
    first, second = shelf.trained(narrow), shelf.trained(wide)
    assert [stage for stage, _ in trainings] == ["pretrain", "distill", "distill"]
    assert len({name for _, name in trainings}) == 3
    one = shelf.stage_one(wide)
    for run in (first, second):
        assert same(tensors(run.folder, "backbone"), tensors(one.folder, "backbone"))
        assert run.provenance["pretrain_seconds"] == one.provenance["pretrain_seconds"]
        assert run.provenance["pictures"] == 12
    assert (first.settings, second.settings) == (narrow, wide)
    assert Run.open(second.folder).settings == wide
    assert second.student().decoder.state_dict().keys() == first.student().decoder.state_dict().keys()
    again = Shelf(tmp_path / "shelf", folder)
    assert (again.trained(narrow), again.trained(wide), again.stage_one(narrow)) == (first, second, one)
    assert len(trainings) == len(said) == 3
    assert "byol" in said[0]
    assert "alignment 1; 24-d" in said[2]


def test_what_stage_two_alone_uses_is_not_in_stage_ones_key(
    tiny: Maker, folder: Dataset, tmp_path: Path, trainings: list[tuple[str, str]]
) -> None:
    shelf = Shelf(tmp_path / "shelf", folder)
    first = shelf.stage_one(tiny())
    for other in (
        tiny(distill={"lr": 0.5}),
        tiny(distill={"decoder": "linear", "steps": 99}),
        tiny(hypercolumn={"normalisation": "centred"}),
    ):
        assert shelf.stage_one(other) == first
    assert len(trainings) == 1
    for another in (
        tiny(pretrain={"lr": 0.5}),
        tiny(pretrain={"objective": "moco"}),
        tiny(picture={"input": 64}),
        tiny().model_copy(update={"seed": 1}),
    ):
        assert shelf.stage_one(another).folder != first.folder
    assert len(trainings) == 5


def test_other_pictures_have_stages_of_their_own(
    tiny: Maker, folder: Dataset, tmp_path: Path, trainings: list[tuple[str, str]]
) -> None:
    fewer = Dataset("tiny", folder.root, folder.files[:10], folder.identity[:10], folder.split[:10])
    one, other = (Shelf(tmp_path / "shelf", data).stage_one(tiny()) for data in (folder, fewer))
    assert one.folder != other.folder
    assert len(trainings) == 2


@pytest.mark.parametrize("stage", ["pretrain", "distill"])
def test_an_interrupted_stage_goes_on_to_the_same_weights(
    tiny: Maker, folder: Dataset, tmp_path: Path, stage: str
) -> None:
    whole = Shelf(tmp_path / "whole", folder).trained(tiny())
    seen: list[tuple[str, int]] = []

    def interrupt(name: str, step: int, *_: object) -> None:
        seen.append((name, step))
        if (name, step) == (stage, 4):
            signal.raise_signal(signal.SIGINT)

    shelf = Shelf(tmp_path / "cut", folder, report=interrupt, upkeep=Upkeep(log_every=1))
    with pytest.raises(LeadError, match=f"Interrupted in {stage} after step 4 of 6"):
        shelf.trained(tiny())
    cut = shelf.trained(tiny())
    assert seen == [(name, step) for name in ("pretrain", "distill") for step in range(1, 7)]  # none twice
    assert cut.folder.name == whole.folder.name
    for kind in ("backbone", "student"):
        assert same(tensors(cut.folder, kind), tensors(whole.folder, kind))
    assert not list((tmp_path / "cut").rglob("*.part"))
