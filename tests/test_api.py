"""Training, fitting, measuring and matching from Python."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from PIL import Image

from lead import api, checkpoint
from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.features import FeatureSource
from lead.images.labels import load_labels, save_labels
from lead.inference import Landmarker
from lead.landmarks import Labels
from lead.landmarks.curves import Curve
from lead.landmarks.model import Schema
from lead.landmarks.naming import labelled_row
from lead.training.fit import Choices, fit_ridge
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


@pytest.mark.parametrize("section", [{"name": "resnet5O"}, {"init": "gone.pth"}])
def test_a_mistaken_first_call_leaves_no_run(tiny: Maker, folder: Dataset, tmp_path: Path, section: Any) -> None:
    out, good = tmp_path / "run", tiny(pretrain={"steps": 0}, distill={"steps": 0})
    decoded: list[int] = []
    with pytest.raises(LeadError, match=r"resnet5O|gone\.pth"):
        api.train(folder, out, settings=tiny(backbone=section), decoding=lambda done, _: decoded.append(done))
    assert decoded == []
    few = Dataset("few", folder.root, folder.files[:3], folder.identity[:3], folder.split[:3])
    with pytest.raises(LeadError, match="3 pictures to train on"):
        api.train(few, out, settings=tiny())
    with pytest.raises(LeadError, match="has no stage 1 yet"):
        api.train(folder, out, settings=tiny(), stage="distill")
    assert not out.exists()
    assert api.train(folder, out, settings=good).has_student


def test_words_that_are_no_choice_are_named(run: Run, folder: Dataset, tiny: Maker, tmp_path: Path) -> None:
    wrong: Any = "softargmx"
    with pytest.raises(LeadError, match=r"Unknown task 'fewshot'\. Did you mean 'few-shot'\?"):
        api.evaluate(run, folder, "fewshot")
    with pytest.raises(LeadError, match=r"Unknown head 'softargmx'.*Valid: cascade, ridge, softargmax\."):
        api.evaluate(run, folder, "regression", heads=["ridge", wrong])
    with pytest.raises(LeadError, match=r"Unknown head 'softargmx'.*Valid: cascade, ridge, softargmax\."):
        api.fit(run, labels_of(folder, 3), pictures=folder.root, head=wrong)
    with pytest.raises(LeadError, match="'supervised' is measured by the task few-shot, not by matching"):
        api.evaluate(run, folder, "matching", methods=["supervised"])
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
    assert (summary.used, summary.head) in {(4, "cascade"), (4, "cascade-coarse")}
    assert 0 < summary.error < 1
    summary.landmarker.save(tmp_path / "model.safetensors")
    assert Landmarker.load(tmp_path / "model.safetensors").origin["labels"] == 4
    again = api.fit(run, known, pictures=folder.root)
    assert (again.error, again.missing) == (summary.error, summary.missing)
    picture = folder.path(0)
    np.testing.assert_array_equal(again.landmarker.predict(picture).xy, summary.landmarker.predict(picture).xy)


@pytest.mark.parametrize("head", ["cascade", "ridge"])
def test_fitting_learns_from_the_labels_it_is_given(
    run: Run, folder: Dataset, head: Literal["cascade", "ridge"]
) -> None:
    known = labels_of(folder, 4)
    summary = api.fit(run, known, pictures=folder.root, head=head)
    found = summary.landmarker.predict([folder.path(i) for i in range(4)])
    largest = np.array([max(Image.open(folder.path(i)).size) for i in range(4)])[:, None]
    apart = np.linalg.norm(found.xy - known.xy, axis=-1) / largest
    assert apart.mean() < 0.5 * summary.error  # on its own labels, in their own pictures
    if head == "ridge":
        assert found.px_error is found.px_90 is None  # too few to calibrate
    else:
        assert found.px_error is not None
        assert found.px_90 is not None
        assert 0.3 * summary.error < (found.px_error / largest).mean() < 3 * summary.error
        assert (found.px_90 > found.px_error).all()


@pytest.mark.parametrize("head", ["cascade", "ridge"])
def test_how_errors_go_together_is_kept_with_the_model_and_said_with_predictions(
    run: Run, folder: Dataset, tmp_path: Path, head: Literal["cascade", "ridge"]
) -> None:
    summary = api.fit(run, labels_of(folder, 8), pictures=folder.root, head=head)
    known = summary.landmarker.together
    assert known is not None
    np.testing.assert_array_equal(known, known.conj().T)
    np.testing.assert_array_equal(np.diag(known), 1)
    summary.landmarker.save(tmp_path / "model.safetensors")
    again = Landmarker.load(tmp_path / "model.safetensors")
    found = api.predict(again, folder.root, tmp_path / "out.json").labels  # by way of a part
    for labels in (found, load_labels(tmp_path / "out.json"), again.predict(folder.root)):
        assert labels.together is not None
        np.testing.assert_array_equal(labels.together, known)
    again.together = None  # as of a model that was fitted before it was learnt
    again.save(tmp_path / "old.safetensors")
    old = Landmarker.load(tmp_path / "old.safetensors")
    without = old.predict(folder.root)
    assert without.together is None
    np.testing.assert_array_equal(without.xy, found.xy)
    tensors, others = (checkpoint.load(tmp_path / f"{name}.safetensors", Landmarker.KIND) for name in ("model", "old"))
    assert tensors[0].keys() - others[0].keys() == {"together"}
    assert tensors[1] == others[1]


def test_what_is_said_of_curves_comes_with_the_model(run: Run, folder: Dataset, tmp_path: Path) -> None:
    curved = replace(SCHEMA, curves=(Curve("edge", ("c", "a", "b")),))
    summary = api.fit(run, replace(labels_of(folder, 4), schema=curved), pictures=folder.root)
    assert summary.across is not None
    assert 0 < summary.across[0] < summary.across[1]
    summary.landmarker.save(tmp_path / "model.safetensors")
    model = Landmarker.load(tmp_path / "model.safetensors")
    assert model.schema == curved
    out = tmp_path / "found.csv"
    found = api.predict(model, folder.root, out).labels
    assert found.px_across is not None
    assert found.px_error is not None
    seen = found.visible > 0
    assert np.isfinite(found.px_across).tolist() == (seen & curved.semilandmarks).tolist()
    share = found.px_across[:, 0][seen[:, 0]] / found.px_error[:, 0][seen[:, 0]]
    np.testing.assert_allclose(share, share[0])
    assert 0 < share[0] < 1
    again = load_labels(out).px_across
    assert again is not None
    np.testing.assert_allclose(again, found.px_across)


def test_a_head_is_fitted_from_a_single_label(run: Run, folder: Dataset) -> None:
    summary = api.fit(run, labels_of(folder, 1), pictures=folder.root)
    assert (summary.used, summary.head) == (1, "cascade")
    assert np.isnan(summary.error)
    found = summary.landmarker.predict(folder.root)
    assert len(found) == 12
    assert found.px_error is not None
    assert np.isfinite(found.px_error[found.visible > 0]).all()


def test_pictures_without_a_label_are_learnt_from_while_labels_are_few(
    run: Run, folder: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = list[tuple[list[str], list[str] | None]]()

    def watched(source: FeatureSource, rows: Any, _: Any, **how: Any) -> Any:
        others = sorted({source.store.files[i] for i in how["unlabelled"]} - {source.store.files[i] for i in rows})
        asked.append((others, how["groups"]))
        raise LeadError("seen enough")

    monkeypatch.setattr("lead.training.loose.fit_cascade", watched)
    (folder.root / "deeper").mkdir()
    folder.path(0).rename(folder.root / "deeper" / "00.png")
    known = labels_of(folder, 6)
    known = replace(known, images=("deeper/00.png", *known.images[1:]))
    for count in (1, 4, 5):
        with pytest.raises(LeadError, match="seen enough"):
            api.fit(run, known.take(range(count)), pictures=folder.root)
    assert asked[0] == (list(folder.files[1:]), ["deeper"])
    assert asked[1] == (list(folder.files[4:]), ["deeper", ".", ".", "."])
    assert asked[2] == ([], ["deeper", ".", ".", ".", "."])


def test_the_error_is_a_share_of_the_longer_side(
    tiny: Maker, folder: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lead.training.fit.fit_ridge", partial(fit_ridge, choices=Choices((1e-3,), (60.0,))))
    settings = tiny(picture={"frame": 0.5}, pretrain={"steps": 0}, distill={"steps": 0})
    run = api.train(folder, tmp_path / "run", settings=settings)
    known, apart = labels_of(folder, 6), []
    for i in range(6):
        others = api.fit(run, known.take(j for j in range(6) if j != i), pictures=folder.root, head="ridge")
        found = others.landmarker.predict(folder.path(i)).xy[0]
        apart.append(np.linalg.norm(found - known.xy[i], axis=-1) / max(Image.open(folder.path(i)).size))
    assert api.fit(run, known, pictures=folder.root, head="ridge").error == pytest.approx(np.mean(apart), rel=0.01)


@pytest.mark.parametrize("head", ["cascade", "ridge"])
def test_accepted_suggestions_are_fitted_to_but_not_counted_in_the_error(
    run: Run, folder: Dataset, tmp_path: Path, head: Literal["cascade", "ridge"]
) -> None:
    """They are on the last two pictures, and far off; read from a file, as the studio leaves it."""
    known = labels_of(folder, 7)
    accepted = np.zeros(known.visible.shape, dtype=bool)
    accepted[5:] = True
    xy = np.where(accepted[..., None], known.xy + 15, known.xy)
    wrong = Labels(known.schema, known.images, xy, known.visible, accepted=accepted)
    save_labels(wrong, tmp_path / "labels.json", pictures=folder.root)
    told = api.fit(run, tmp_path / "labels.json", pictures=folder.root, head=head)
    own = api.fit(run, known.take(range(5)), pictures=folder.root, head=head)
    assert (told.used, told.accepted, own.accepted) == (7, int(accepted.sum()), 0)
    assert told.error == pytest.approx(own.error, rel=1e-5)
    assert told.landmarker.origin["accepted"] == told.accepted
    picture = folder.path(6)
    assert not np.allclose(told.landmarker.predict(picture).xy, own.landmarker.predict(picture).xy, atol=0.5)
    alone = Labels(known.schema, known.images, known.xy, known.visible, accepted=np.ones_like(accepted))
    assert np.isnan(api.fit(run, alone, pictures=folder.root, head=head).error)


def test_fitting_refuses_labels_that_cannot_teach(run: Run, folder: Dataset, tmp_path: Path) -> None:
    known = labels_of(folder, 3)
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(LeadError, match=r"None of the 3 labelled pictures.*--pictures"):
        api.fit(run, known, pictures=tmp_path / "elsewhere")
    assert api.fit(run, known, pictures=tmp_path).used == 3, "a folder above the one that they start from does as well"
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
    else:  # by name alone, in a folder elsewhere
        file = tmp_path / "elsewhere" / "labels.csv"
        save_labels(Labels.from_xy(SCHEMA, known.images, known.xy), file)
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"no picture")
    twice = tmp_path / "twice.png"
    picture = Image.open(folder.path(1))
    picture.resize((2 * picture.width, 2 * picture.height)).save(twice)
    said: list[str] = []
    queries = [folder.path(1), bad, twice, twice]
    found = api.match(run, folder.path(1), file, queries, say=said.append)
    assert found.images == (folder.path(1).as_posix(), twice.as_posix())
    assert "bad.png" in said[0]
    (tmp_path / "more").mkdir()
    for name in ("a.png", "b.xyz"):
        shutil.copy(bad if name == "b.xyz" else twice, tmp_path / "more" / name)
    said.clear()
    assert len(api.match(run, folder.path(1), file, [tmp_path / "more"], say=said.append)) == 1
    assert said == [f"left out of {tmp_path / 'more'}: 1 × .xyz (b.xyz)."]
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
    with pytest.raises(LeadError, match=r"name no pictures that could be .*05\.png.*They hold: 00\.png, 01\.png\."):
        api.match(run, folder.path(5), known, [folder.path(0)])
    with pytest.raises(LeadError, match="None of the 1 picture to match can be read"):
        api.match(run, folder.path(0), known, [tmp_path / "gone.png"])
    double = Labels.from_xy(SCHEMA, ["x/00.png", "y/00.png"], known.xy)
    with pytest.raises(LeadError, match=r"name (no|2) pictures that could be"):
        labelled_row(folder.path(0), tmp_path, double)
    assert labelled_row(Path("y/00.png"), tmp_path, double) == 1


# --- what is asked is checked before any work ------------------------------------------------------------------------


def test_labels_far_from_their_picture_are_a_mistake_and_a_little_outside_is_not(run: Run, folder: Dataset) -> None:
    known = labels_of(folder, 3)
    xy = known.xy.copy()
    xy[1, 0] = (-3.0, 10.0)  # a part that the picture cuts off
    assert api.fit(run, Labels.from_xy(SCHEMA, known.images, xy), pictures=folder.root).used == 3
    xy[1:, 0] = (5000.0, 10.0)
    with pytest.raises(LeadError, match=r"01\.png: a is at \(5000, 10\), far outside its picture"):
        api.fit(run, Labels.from_xy(SCHEMA, known.images, xy), pictures=folder.root)


@pytest.mark.parametrize("format", ["csv", "coco"])
def test_a_picture_that_shrank_since_it_was_labelled_costs_that_picture_alone(
    run: Run, folder: Dataset, format: str
) -> None:
    known, file = labels_of(folder, 4), folder.root / f"labels.{'csv' if format == 'csv' else 'json'}"
    save_labels(known, file, pictures=folder.root)
    width, height = Image.open(folder.path(1)).size
    Image.open(folder.path(1)).resize((4, 3)).save(folder.path(1))
    said: list[str] = []
    summary = api.fit(run, file, head="ridge", say=said.append)
    assert summary.used == 3
    if format == "csv":  # which says no sizes
        (name, reason) = summary.missing[0]
        assert (name, len(summary.missing)) == ("01.png", 1)
        assert reason.startswith(f"{file}, line ")
        assert "far outside the 4 × 3 pixels that it has now" in reason
    else:
        (told,) = [text for text in said if "01.png" in text]
        assert told.startswith(f"{file}, ")
        assert f"01.png, was labelled at {width} × {height} pixels and has 4 × 3" in told
    folder.path(1).unlink()
    assert api.fit(run, file, head="ridge").error == summary.error  # as if it were not there


def test_a_reference_that_is_listed_but_unlabelled_says_so(run: Run, folder: Dataset) -> None:
    known = labels_of(folder, 2)
    known.xy[1] = np.nan
    bare = Labels.from_xy(SCHEMA, known.images, known.xy)
    with pytest.raises(LeadError, match=r"01\.png is listed among the labels but has no landmark"):
        api.match(run, folder.path(1), bare, [folder.path(0)], pictures=folder.root)


def test_a_run_goes_on_with_its_own_pictures_only(
    tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path
) -> None:
    settings = tiny(pretrain={"steps": 0}, distill={"steps": 1, "batch": 4})
    begun = api.train(folder, tmp_path / "run", settings=settings, stage="pretrain")
    before = begun.provenance
    fewer = replace(folder, files=folder.files[:9], identity=folder.identity[:9], split=folder.split[:9])
    with pytest.raises(LeadError, match="was begun on other pictures"):
        api.train(fewer, tmp_path / "run", settings=settings)
    assert begun.provenance == before
    done = api.train(folder, tmp_path / "run", settings=settings)
    recorded = done.provenance
    api.train(fewer, tmp_path / "run", settings=settings)  # done already: nothing to train, nothing to record
    assert done.provenance == recorded


def test_a_run_learns_from_several_folders_and_says_so(
    tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path
) -> None:
    settings = tiny(pretrain={"steps": 0}, distill={"steps": 1, "batch": 4})
    other = tmp_path / "others"
    other.mkdir()
    for name in folder.files[:3]:
        shutil.copy(folder.root / name, other)
    said: list[str] = []
    run = api.train([folder.root, other], tmp_path / "run", settings=settings, say=said.append)
    assert "Learning from 12 pictures of pictures and 3 pictures of others" in said
    assert run.provenance["sources"] == {"pictures": 12, "others": 3}
    assert (run.provenance["dataset"], run.provenance["pictures"]) == ("pictures+others", 15)
    (other / "film.mp4").write_bytes(b"?")
    with pytest.raises(LeadError, match=r"others: of several folders, none may hold films"):
        api.train([folder.root, other], tmp_path / "run", settings=settings)


@pytest.mark.parametrize("task", ["regression", "few-shot", "matching"])
def test_an_evaluation_of_what_has_no_landmarks_says_why(run: Run, folder: Dataset, task: str) -> None:
    with pytest.raises(
        LeadError, match=r"'pictures' has no landmarks to evaluate\. .*plain pictures.*annotations\.json"
    ):
        api.evaluate(run, folder.root, task)


@pytest.mark.parametrize(
    ("methods", "reason"),
    [
        (("byol",), "has no 'byol': it was trained without a stage 1. It has untrained, lead"),
        (("init", "lead"), "has no 'init': its backbone started with random weights"),
        (("untrained",), r"Nothing to measure\. The head cascade is for compact features.*which untrained lacks"),
    ],
)
def test_an_evaluation_that_would_measure_nothing_says_why(
    run: Run, folder: Dataset, methods: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lead.experiments.regression.REDUCED", 16)
    labels = labels_of(folder, 12)
    split = ("train",) * 8 + ("test",) * 4
    known = replace(folder, split=split, labels=labels, point_sets={"all": labels}, normaliser={"all": ("a", "b")})
    with pytest.raises(LeadError, match=reason):
        api.evaluate(run, known, "regression", heads=("cascade",), methods=methods)


def test_evaluation_without_stage_two_or_of_unknown_methods_is_refused(
    tiny: Callable[..., Settings], folder: Dataset, tmp_path: Path
) -> None:
    settings = tiny(pretrain={"steps": 0})
    begun = api.train(folder, tmp_path / "run", settings=settings, stage="pretrain")
    with pytest.raises(LeadError, match="has no features yet"):
        api.evaluate(begun, folder, "matching")
    with pytest.raises(LeadError, match=r"Unknown method 'leed'.*'lead'"):
        api.evaluate(begun, folder, "matching", methods=("leed",))
    with pytest.raises(LeadError, match="one point set at a time"):
        api.evaluate(begun, folder, "matching", methods=("untrained",), point_sets=("5", "68"))
