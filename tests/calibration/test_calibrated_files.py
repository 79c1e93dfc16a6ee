"""Predictions of several tools' own packages, from file to file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import sleap_io
import torch
from typer.testing import CliRunner, Result

from lead.calibration.files import calibrated
from lead.cli import app
from lead.errors import LeadError
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels, Schema
from lead.training.fit import Choices, apply, fit_ridge
from lead.training.labelled import Labelled

FloatArray = npt.NDArray[np.float64]
NAMES = ("nose", "tail", "ear")
COUNT, KNOWN = 40, 24
FILM = "films/run.mp4"


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["calibrate", *(str(argument) for argument in arguments)])


def drawn(seed: int = 0) -> tuple[FloatArray, FloatArray, FloatArray]:
    """True places (N, 3, 2), predicted ones, and scores (N, 3): the lower, the farther off."""
    rng = np.random.default_rng(seed)
    truth = rng.uniform(50, 400, (COUNT, 3, 2))
    scores = rng.uniform(0.05, 1, (COUNT, 3))
    return truth, truth + 12 * (1.05 - scores)[..., None] * rng.normal(size=truth.shape), scores


def written_labels(folder: Path, images: list[str], truth: FloatArray, names: tuple[str, ...] = NAMES) -> Path:
    labels = Labels.from_xy(Schema(names), images[:KNOWN], truth[:KNOWN])
    save_labels(labels, folder / "labels.csv")
    return folder / "labels.csv"


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    truth, found, scores = drawn()
    images = [f"p{i}.png" for i in range(COUNT)]
    labels = Labels.from_xy(Schema(NAMES), images, found)
    save_labels(replace(labels, score=scores), tmp_path / "predictions.csv")
    written_labels(tmp_path, images, truth)
    return tmp_path


def slp(folder: Path, found: FloatArray, scores: FloatArray) -> Path:
    """As SLEAP's package writes predictions on a film."""
    skeleton, video = sleap_io.Skeleton(list(NAMES)), sleap_io.Video(FILM, open_backend=False)
    frames = [
        sleap_io.LabeledFrame(
            video, i, [sleap_io.PredictedInstance.from_numpy(found[i], skeleton=skeleton, point_scores=scores[i])]
        )
        for i in range(COUNT)
    ]
    sleap_io.save_slp(sleap_io.Labels(frames), str(folder / "run.slp"))
    return folder / "run.slp"


def analysis(folder: Path, found: FloatArray, scores: FloatArray) -> Path:
    """The analysis that SLEAP's package makes of them."""
    labels = sleap_io.load_slp(str(slp(folder, found, scores)), open_videos=False)
    sleap_io.save_analysis_h5(labels, str(folder / "run.analysis.h5"))
    return folder / "run.analysis.h5"


def dlc(folder: Path, found: FloatArray, scores: FloatArray, ending: str) -> Path:
    """As DeepLabCut writes what it found in a film: a frame of pandas, by frame number."""
    columns = pd.MultiIndex.from_product([["DLC_net"], NAMES, ["x", "y", "likelihood"]])
    columns.names = ["scorer", "bodyparts", "coords"]
    frame = pd.DataFrame(np.concatenate([found, scores[..., None]], axis=2).reshape(COUNT, -1), columns=columns)
    path = folder / f"runDLC_net{ending}"
    frame.to_csv(path) if ending == ".csv" else frame.to_hdf(path, key="df_with_missing", mode="w", format="table")
    return path


MAKERS: dict[str, Callable[[Path, FloatArray, FloatArray], Path]] = {
    "slp": slp,
    "analysis": analysis,
    "dlc-csv": partial(dlc, ending=".csv"),
    "dlc-h5": partial(dlc, ending=".h5"),
}


@pytest.mark.parametrize("tool", MAKERS)
def test_what_other_tools_packages_write_gets_errors(tool: str, tmp_path: Path) -> None:
    truth, found, scores = drawn()
    path = MAKERS[tool](tmp_path, found, scores)
    images = list(load_labels(path, several=True).images)
    labels = written_labels(tmp_path, images, truth)
    done = run(path, labels, "--out", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output
    read = load_labels(tmp_path / "out.csv")
    assert read.px_90 is not None
    np.testing.assert_allclose(read.xy, found, atol=0.06)  # our CSV's places, and DeepLabCut's tables
    further = np.linalg.norm(found - truth, axis=-1)[KNOWN:] <= read.px_90[KNOWN:]
    assert further.mean() >= 0.8
    assert "rank correlation -0." in done.output


def things(count: int, seed: int) -> Labelled:
    """A thing of 4 × 4 different cells anywhere, in little noise or much; its landmarks are 3 places on it."""
    thing, draws = np.random.default_rng(9).normal(size=(8, 4, 4)), np.random.default_rng(seed)
    features, points = draws.normal(size=(count, 8, 12, 12)), []
    for picture in features:
        x, y = draws.integers(0, 9, 2)
        picture *= draws.uniform(0.05, 1.2)
        picture[:, y : y + 4, x : x + 4] += thing
        points.append([[x, y], [x + 3, y], [x + 1.5, y + 3]])
    return Labelled(features.astype(np.float16), torch.tensor(2 * (np.array(points) + 0.5) / 12 - 1).float())


def test_predictions_of_the_ridge_head_are_held_in_further_pictures() -> None:
    head = fit_ridge(things(40, 0), choices=Choices((1e-2,), (60.0,))).head
    unseen = things(300, 1)
    found, scores = ((120 * (apply(f, unseen).double().numpy() + 1)) for f in (head, head.score))
    truth = 120 * (unseen.points.double().numpy() + 1)
    images = [f"{i}.png" for i in range(300)]
    predicted = replace(Labels.from_xy(Schema(NAMES), images, found), score=scores / 120 - 1)
    said: list[str] = []
    done = calibrated(predicted, Labels.from_xy(Schema(NAMES), images[:60], truth[:60]), said.append)
    assert done.labels.px_90 is not None
    held = np.linalg.norm(found - truth, axis=-1)[60:] <= done.labels.px_90[60:]
    assert held.mean() == pytest.approx(0.9, abs=0.08)
    assert done.learnt.rank < -0.1  # this head's score does tell
    assert said == []


def test_several_specimens_are_each_compared_with_their_own() -> None:
    truth, found, _ = drawn()
    images = [f"p{i}.png" for i in range(COUNT) for _ in range(2)]
    both = np.stack([truth, truth + 1000], axis=1).reshape(-1, 3, 2)
    there = np.stack([found + 1000, found], axis=1).reshape(-1, 3, 2)  # in the other order
    none = ("",) * len(images)
    predicted = Labels.from_xy(Schema(NAMES), images, there, tracks=none)
    done = calibrated(predicted, Labels.from_xy(Schema(NAMES), images, both, tracks=none))
    alone = calibrated(
        Labels.from_xy(Schema(NAMES), images[::2], found), Labels.from_xy(Schema(NAMES), images[::2], truth)
    )
    assert done.labels.px_90 is not None
    assert alone.labels.px_90 is not None
    np.testing.assert_allclose(done.labels.px_90[::2], alone.labels.px_90)
    assert done.learnt.pictures == COUNT


def test_what_a_person_placed_among_predictions_gets_no_error(desk: Path) -> None:
    predicted, truth = load_labels(desk / "predictions.csv"), load_labels(desk / "labels.csv")
    assert predicted.score is not None
    predicted = replace(predicted, score=np.where(np.arange(COUNT)[:, None] == 39, np.nan, predicted.score))
    predicted = replace(predicted, predicted=predicted.is_predicted & (np.arange(COUNT)[:, None] != 39))
    found = calibrated(predicted, truth).labels
    assert found.px_90 is not None
    assert np.isnan(found.px_90[39]).all()
    assert found.by_hand[39].all()
    assert np.isfinite(found.px_90[:39]).all()


def test_the_command_says_what_was_learnt_and_what_a_format_loses(desk: Path) -> None:
    done = run(desk / "predictions.csv", desk / "labels.csv", "--out", desk / "out.csv", "--to", "deeplabcut")
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "its format cannot hold" in said
    assert "expected errors" in said
    assert "Learnt from 24 pictures with labels." in said
    assert "each radius holds the true place with a probability of 90 % or more" in said
    assert "The tool's score tells" in said
    again = run(desk / "predictions.csv", desk / "labels.csv", "--out", desk / "out.csv")
    assert again.exit_code == 2
    assert "already there" in again.output


def refused(desk: Path, *arguments: Any) -> str:
    done = run(*(arguments or (desk / "predictions.csv", desk / "labels.csv")), "--out", desk / "out.json")
    assert done.exit_code == 2, done.output
    assert not (desk / "out.json").exists()
    return " ".join(done.output.split())


def test_what_cannot_be_learnt_from_is_refused_with_the_next_step(desk: Path) -> None:
    labels, predictions = load_labels(desk / "labels.csv"), load_labels(desk / "predictions.csv")
    assert "given both as predictions and as labels" in refused(desk, desk / "labels.csv", desk / "labels.csv")
    save_labels(replace(labels, xy=predictions.xy[:KNOWN]), desk / "same.csv")
    assert "same.csv: all 72 labels lie where" in refused(desk, desk / "predictions.csv", desk / "same.csv")
    save_labels(labels.take(range(9)), desk / "nine.csv")
    assert "9 pictures of the predictions have labels. It takes 10" in refused(
        desk, desk / "predictions.csv", desk / "nine.csv"
    )
    save_labels(labels.renamed(f"other{i}.png" for i in range(KNOWN)), desk / "others.csv")
    said = refused(desk, desk / "predictions.csv", desk / "others.csv")
    assert "0 pictures of the predictions have labels. 'other0.png' is labelled and not predicted; 'p0.png' is." in said
    wrong = replace(labels, schema=Schema(("noze", "tial", "eer")))
    save_labels(wrong, desk / "names.csv")
    said = refused(desk, desk / "predictions.csv", desk / "names.csv")
    assert (
        "names.csv: none of its landmarks is in the predictions. Unknown landmark 'noze'. Did you mean 'nose'?" in said
    )
    assert "no landmark was placed by a person" in refused(desk, desk / "labels.csv", desk / "predictions.csv")


def test_what_is_left_out_is_told(desk: Path) -> None:
    labels, predictions = load_labels(desk / "labels.csv"), load_labels(desk / "predictions.csv")
    said: list[str] = []
    partly = replace(labels, schema=Schema(("nose", "tail", "eer")))
    found = calibrated(replace(predictions, score=None, predicted=None).take(range(20)), partly, said.append).labels
    text = "\n".join(said)
    for part in (
        "left out: Unknown landmark 'eer'. Did you mean 'ear'?",
        "no label of 1 landmark, the first is 'ear'",
        "4 pictures of the labels have no prediction, the first is 'p20.png'",
        "no scores, so that a landmark's radius is the same in all pictures",
    ):
        assert part in text
    assert found.px_90 is not None
    assert np.isnan(found.px_90[:, 2]).all()
    assert (np.ptp(found.px_90[:, :2], axis=0) == 0).all()


def test_a_picture_whose_specimens_were_not_found_is_told() -> None:
    truth, found, _ = drawn()
    images = [f"p{i}.png" for i in range(COUNT)]
    more = np.concatenate([truth, truth[:3] + 1000])
    labels = Labels.from_xy(Schema(NAMES), [*images, *images[:3]], more, tracks=("",) * (COUNT + 3))
    said: list[str] = []
    calibrated(Labels.from_xy(Schema(NAMES), images, found), labels, said.append)
    assert said[0].startswith("3 specimens of the labels have no prediction.")
    with pytest.raises(LeadError, match=r"no landmark was placed"):
        calibrated(labels, replace(labels, predicted=np.ones(labels.visible.shape, dtype=bool)))


def test_labels_that_are_predictions_teach_nothing_and_are_told() -> None:
    truth, found, _ = drawn()
    images = [f"p{i}.png" for i in range(COUNT)]
    copied = truth.copy()
    copied[::2] = found[::2]  # accepted as they were, in half of the pictures
    told: list[str] = []
    done = calibrated(
        Labels.from_xy(Schema(NAMES), images, found), Labels.from_xy(Schema(NAMES), images, copied), say=told.append
    )
    alone = calibrated(
        Labels.from_xy(Schema(NAMES), images, found), Labels.from_xy(Schema(NAMES), images[1::2], truth[1::2])
    )
    assert done.learnt.pictures == alone.learnt.pictures == len(images[1::2])
    np.testing.assert_allclose(done.labels.px_90, alone.labels.px_90)  # type: ignore[arg-type]
    assert any("just where the predictions do" in text for text in told)
