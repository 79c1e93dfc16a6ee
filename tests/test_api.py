"""Training, fitting, measuring and matching from Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lead import api
from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.landmarks import Labels, save_labels
from lead.landmarks.model import Schema
from lead.training.run import Run

SCHEMA = Schema(("a", "b", "c"))
Maker = Callable[..., Settings]


@pytest.fixture
def run(tiny: Maker, folder: Dataset, tmp_path: Path) -> Run:
    """A run on the folder's pictures of which the student is as it started."""
    settings = tiny(pretrain={"steps": 0}, distill={"steps": 0})
    return api.train(folder.root, tmp_path / "run", settings=settings)


def labels_of(folder: Dataset, count: int) -> Labels:
    """Landmarks at random places of the first pictures."""
    draws = np.random.default_rng(0)
    xy = [draws.uniform(2, 28, (3, 2)) for _ in range(count)]
    return Labels.from_xy(SCHEMA, folder.files[:count], xy)


# --- train -----------------------------------------------------------------------------------------------------------


def test_training_again_returns_at_once(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    (folder.root / "bad.png").write_bytes(b"no picture")
    said: list[str] = []
    first = api.train(folder.root, tmp_path / "run", settings=tiny(), say=said.append)
    assert len(said) == 1
    assert "1 picture skipped" in said[0]
    assert "bad.png" in said[0]
    assert first.provenance["pictures"] == 12
    assert [name for name, _ in first.provenance["skipped"]] == ["bad.png"]
    assert first.provenance["pretrain_steps"] == 6
    before = {p: p.read_bytes() for p in first.folder.rglob("*") if p.is_file()}

    def never(*_: object) -> None:
        raise AssertionError("a finished stage reported a step")

    said.clear()
    again = api.train(str(folder.root), str(tmp_path / "run"), settings=tiny(), report=never, say=said.append)
    assert again == first
    assert said[1:] == ["pretrain: done already.", "distill: done already."]
    assert {p: p.read_bytes() for p in first.folder.rglob("*") if p.is_file()} == before


def test_the_stages_can_be_asked_for_one_by_one(tiny: Maker, folder: Dataset, tmp_path: Path) -> None:
    settings = tiny(pretrain={"steps": 1}, distill={"steps": 1})
    with pytest.raises(LeadError, match=r"has no stage 1 yet\. Run: lead pretrain"):
        api.train(folder, tmp_path / "run", settings=settings, stage="distill")
    first = api.train(folder, tmp_path / "run", settings=settings, stage="pretrain")
    assert (first.has_backbone, first.has_student) == (True, False)
    with pytest.raises(LeadError, match=r"has no features yet\. Run: lead train"):
        api.fit(first, labels_of(folder, 3))
    with pytest.raises(LeadError, match=r"has no features yet\. Run: lead train"):
        api.match(first.folder, folder.path(0), labels_of(folder, 1), [folder.path(1)])
    assert api.train(folder, tmp_path / "run", settings=settings, stage="distill").has_student


def test_words_that_are_no_choice_are_named(run: Run, folder: Dataset, tiny: Maker, tmp_path: Path) -> None:
    wrong: Any = "softargmx"
    with pytest.raises(LeadError, match=r"Unknown task 'fewshot'\. Did you mean 'few-shot'\?"):
        api.evaluate(run, folder, "fewshot")
    with pytest.raises(LeadError, match=r"Unknown head 'softargmx'.*Valid: ridge, softargmax\."):
        api.evaluate(run, folder, "regression", heads=["ridge", wrong])
    with pytest.raises(LeadError, match=r"Unknown head 'softargmx'.*Valid: auto, ridge, softargmax\."):
        api.fit(run, labels_of(folder, 3), pictures=folder.root, head=wrong)
    with pytest.raises(LeadError, match=r"Unknown stage 'softargmx'.*Valid: both, distill, pretrain\."):
        api.train(folder, tmp_path / "other", settings=tiny(), stage=wrong)
    assert not (tmp_path / "other").exists()


# --- fit -------------------------------------------------------------------------------------------------------------


def test_fitting_names_the_pictures_that_are_missing(run: Run, folder: Dataset, tmp_path: Path) -> None:
    known = labels_of(folder, 7)
    known.xy[6] = np.nan  # a picture without a label is not missed, wherever it is
    known = Labels.from_xy(SCHEMA, known.images, known.xy)
    save_labels(known, folder.root / "labels.csv")
    folder.path(1).unlink()
    folder.path(6).unlink()
    folder.path(3).write_bytes(b"no picture")
    summary = api.fit(run.folder, folder.root / "labels.csv")
    assert dict(summary.missing)["01.png"] == "no such file"
    assert [name for name, _ in summary.missing] == ["01.png", "03.png"]
    assert (summary.used, summary.head) == (4, "ridge")
    assert 0 < summary.error < 1
    summary.landmarker.save(tmp_path / "model.safetensors")
    assert Landmarker.load(tmp_path / "model.safetensors").origin["labels"] == 4
    again = api.fit(run, known, pictures=folder.root)
    assert (again.error, again.missing) == (summary.error, summary.missing)
    picture = folder.path(0)
    np.testing.assert_array_equal(again.landmarker.predict(picture).xy, summary.landmarker.predict(picture).xy)


def test_fitting_learns_from_the_labels_it_is_given(run: Run, folder: Dataset) -> None:
    known = labels_of(folder, 4)
    summary = api.fit(run, known, pictures=folder.root)
    found = summary.landmarker.predict([folder.path(i) for i in range(4)])
    largest = [max(Image.open(folder.path(i)).size) for i in range(4)]
    apart = np.linalg.norm(found.xy - known.xy, axis=-1) / np.array(largest)[:, None]
    assert apart.mean() < 0.5 * summary.error  # on its own labels, in their own pictures
    assert found.px_error is None  # too few to calibrate


def test_the_error_is_a_share_of_the_longer_side(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lead.training.fit.RIDGES", (1e-3,))
    monkeypatch.setattr("lead.training.fit.SHARPNESSES", (60.0,))
    settings = tiny(picture={"frame": 0.5}, pretrain={"steps": 0}, distill={"steps": 0})
    run = api.train(folder, tmp_path / "run", settings=settings)
    known, apart = labels_of(folder, 6), []
    for i in range(6):
        others = api.fit(run, known.take(j for j in range(6) if j != i), pictures=folder.root)
        found = others.landmarker.predict(folder.path(i)).xy[0]
        apart.append(np.linalg.norm(found - known.xy[i], axis=-1) / max(Image.open(folder.path(i)).size))
    assert api.fit(run, known, pictures=folder.root).error == pytest.approx(np.mean(apart), rel=0.01)


def test_fitting_refuses_labels_that_cannot_teach(run: Run, folder: Dataset, tmp_path: Path) -> None:
    known = labels_of(folder, 3)
    with pytest.raises(LeadError, match=r"None of the 3 labelled pictures.*--pictures"):
        api.fit(run, known, pictures=tmp_path)
    known.xy[:, 1] = np.nan
    with pytest.raises(LeadError, match="has a label for: b"):
        api.fit(run, Labels.from_xy(SCHEMA, known.images, known.xy), pictures=folder.root)


# --- match -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("named", ["path", "bare"])
def test_matching_finds_the_references_row(run: Run, folder: Dataset, tmp_path: Path, named: str) -> None:
    known = labels_of(folder, 3)
    known.xy[1, 2] = np.nan
    if named == "path":  # relative to the label file's folder
        file = folder.root / "labels.csv"
        save_labels(Labels.from_xy(SCHEMA, known.images, known.xy), file)
    else:  # in a folder of another name
        file = tmp_path / "labels.csv"
        save_labels(Labels.from_xy(SCHEMA, [f"elsewhere/{i}" for i in known.images], known.xy), file)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    twice = tmp_path / "twice.png"
    picture = Image.open(folder.path(1))
    picture.resize((2 * picture.width, 2 * picture.height)).save(twice)
    said: list[str] = []
    found = api.match(run, folder.path(1), file, [folder.path(1), bad, twice, twice], say=said.append)
    assert found.images == (folder.path(1).as_posix(), twice.as_posix())
    assert "bad.png" in said[0]
    assert np.isnan(found.xy[:, 2]).all()
    assert (found.visible == [[2, 2, 0]] * 2).all()
    assert found.score is not None
    assert (found.score[:, :2] > 0.9).all()
    assert found.score.max() <= 1
    cell = max(picture.size) / 8
    assert np.linalg.norm(found.xy[0, :2] - known.xy[1, :2], axis=-1).max() < cell
    np.testing.assert_allclose((found.xy[1, :2] + 0.5) / 2, found.xy[0, :2] + 0.5, atol=cell / 2)


def test_matching_says_what_it_lacks(run: Run, folder: Dataset, tmp_path: Path) -> None:
    known = labels_of(folder, 2)
    with pytest.raises(LeadError, match=r"no landmarks of .*05\.png.*They hold those of: 00\.png, 01\.png\."):
        api.match(run, folder.path(5), known, [folder.path(0)])
    with pytest.raises(LeadError, match="None of the 1 pictures to match can be read"):
        api.match(run, folder.path(0), known, [tmp_path / "gone.png"])
    double = Labels.from_xy(SCHEMA, ["x/00.png", "y/00.png"], known.xy)
    with pytest.raises(LeadError, match="no landmarks of"):
        api.labelled_row(folder.path(0), tmp_path, double)
    assert api.labelled_row(Path("y/00.png"), tmp_path, double) == 1
