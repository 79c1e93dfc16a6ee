"""Commands on a folder of files of every kind: they go on with the good ones and list each bad one with its reason.

In processes of their own: names that no terminal can print are printed there as by a user.
"""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import NamedTuple

import hostile
import pytest
from started import begin

from lead import load_labels

LEAST = """
picture: {store: 32, input: 32}
backbone: {name: test_resnet}
hypercolumn: {weights: [1, 0, 0, 0]}
pretrain: {steps: 2, batch: 4, hidden: 16, projection: 8}
distill: {steps: 2, batch: 4, dimension: 16, width: 16, projection: null, alignment: 0, exchange: 1}
"""


class Done(NamedTuple):
    """How a command ended, and what it printed."""

    returncode: int
    stdout: str
    stderr: str


def lead(world: Path, *arguments: str) -> Done:
    """A command in the world's folder; what it prints must be text."""
    errors = world / "errors.txt"
    errors.unlink(missing_ok=True)
    process, printed = begin(arguments, os.environ | {"LEAD_CACHE": str(world / "cache")}, world, errors)
    with printed:
        found = printed.read()
    process.join()
    assert process.exitcode is not None
    said = errors.read_text(encoding="utf-8")
    assert "Traceback" not in said, said
    return Done(process.exitcode, found, said)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hostile folder, a run on it, and a model from four labelled pictures of it."""
    world = tmp_path_factory.mktemp("hostile")
    hostile.make(world / "pictures")
    (world / "least.yaml").write_text(LEAST)
    rows = [(name, 4 + n, 5, 12, 9 + n) for n, name in enumerate(["plain.jpg", "grey.jpg", "-dash.jpg", "cmyk.jpg"])]
    with (world / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("image", "a_x", "a_y", "b_x", "b_y"), *rows])
    return world


@pytest.fixture(scope="module")
def trained(world: Path) -> str:
    """What training says."""
    done = lead(world, "train", "pictures", "--out", "run", "--preset", "least.yaml")
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def model(world: Path, trained: str) -> str:
    """What fitting says."""
    del trained
    done = lead(world, "fit", "run", "labels.csv", "--pictures", "pictures", "--out", "model.safetensors")
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_training_tells_how_many_it_skipped(trained: str) -> None:
    assert f"{len(hostile.BAD)} pictures skipped" in trained


@pytest.mark.parametrize("ending", ["json", "csv", "h5", "xml"])
def test_the_good_ones_get_landmarks(world: Path, model: str, ending: str) -> None:
    del model
    done = lead(world, "predict", "model.safetensors", "pictures", "--out", f"out.{ending}")
    assert done.returncode == 0, done.stderr
    assert f"{len(hostile.BAD)} pictures skipped" in done.stderr
    for name in hostile.BAD:
        assert name.encode(errors="backslashreplace").decode() in done.stderr
    found = load_labels(world / f"out.{ending}", pictures=world / "pictures")
    assert set(found.images) == set(hostile.GOOD)


def test_matching_goes_on_with_the_good_ones(world: Path, trained: str) -> None:
    del trained
    done = lead(
        world, "match", "run", "pictures/plain.jpg", "labels.csv", "pictures", "--pictures", "pictures", "--out", "m"
    )
    assert done.returncode == 0, done.stderr
    assert f"{len(hostile.BAD)} pictures skipped" in done.stderr
    found = load_labels(world / "m" / "matches.json", pictures=world)
    assert {Path(image).relative_to("pictures").as_posix() for image in found.images} == set(hostile.GOOD)
    assert len(list((world / "m").rglob("*.png"))) == len(hostile.GOOD)


def test_what_a_run_records_of_them_can_be_written_anywhere(world: Path, trained: str) -> None:
    del trained
    skipped = json.loads((world / "run" / "run.json").read_text(encoding="utf-8"))["skipped"]
    assert len(skipped) == len(hostile.BAD)
    assert all(name.encode("utf-8") and reason for name, reason in skipped)
    done = lead(world, "evaluate", "run", "pictures", "regression")
    assert done.returncode == 2, done.stderr  # no landmark is in this folder; that is told, with all of these names
    assert "no landmarks to evaluate" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_labelled_picture_that_is_bad_is_left_out_and_named(world: Path, trained: str) -> None:
    del trained
    text = (world / "labels.csv").read_text()
    (world / "more.csv").write_text(text + "truncated.jpg,1,2,3,4\nabsent.png,1,2,3,4\n")
    done = lead(world, "fit", "run", "more.csv", "--pictures", "pictures", "--out", "more.safetensors")
    assert done.returncode == 0, done.stderr
    assert "absent.png" in done.stderr
    assert "fitted to 4 labelled pictures" in done.stdout


def test_a_folder_with_too_little_left_is_refused_before_any_training(world: Path) -> None:
    few = world / "few"
    few.mkdir()
    for name, (maker, _) in hostile.BAD.items():
        maker(few / name)
    for number in range(3):
        hostile.picture().save(few / f"{number}.png")
    done = lead(world, "train", "few", "--out", "run-of-few", "--preset", "least.yaml")
    assert done.returncode == 2
    assert "has 3 pictures to train on; at least 8 are needed" in " ".join(done.stderr.split())
    assert not (world / "run-of-few").exists()


@pytest.mark.parametrize(("count", "message"), [(0, "No picture in"), (1, "has 1 picture to train on")])
def test_a_folder_of_one_picture_or_none(world: Path, model: str, count: int, message: str) -> None:
    """No training of it; where there is one, its landmarks can still be had."""
    del model
    folder = world / f"folder-of-{count}"
    folder.mkdir()
    for number in range(count):
        hostile.picture().save(folder / f"{number}.png")
    done = lead(world, "train", folder.name, "--out", "run-of-one", "--preset", "least.yaml")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (world / "run-of-one").exists()
    done = lead(world, "predict", "model.safetensors", folder.name, "--out", f"{count}.csv")
    assert done.returncode == (0 if count else 2), done.stderr
    assert (world / f"{count}.csv").exists() == (count > 0)


def test_a_folder_of_two_different_kinds_is_learnt_from_whole(world: Path) -> None:
    folder = world / "two-kinds"
    folder.mkdir()
    for number in range(6):
        hostile.picture(40, 30).save(folder / f"wide-{number}.png")
        hostile.picture(20, 90, "L").save(folder / f"tall-{number}.png")
    done = lead(world, "train", folder.name, "--out", "run-of-kinds", "--preset", "least.yaml")
    assert done.returncode == 0, done.stderr
    assert json.loads((world / "run-of-kinds" / "run.json").read_text())["pictures"] == 12
