"""The commands, from pictures to results, and what they say to mistakes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import timm
from PIL import Image
from safetensors.torch import save_file
from typer.testing import CliRunner

from lead import Landmarker, api, load_labels, save_labels
from lead.beetles.rendering import SCHEMA
from lead.cli import app
from lead.cli.use import closely_text
from lead.config import Settings, check, load_preset
from lead.config_text import describe, parse
from lead.evaluation.grids import markdown
from lead.evaluation.metrics import FURTHER
from lead.evaluation.results import METRICS, read
from lead.landmarks import Labels, deeplabcut
from lead.training.run import Run

COUNT, SIDE = 24, 64
LEAST = """
picture: {store: 64, input: 32}
backbone: {name: test_resnet}
hypercolumn: {weights: [1, 0, 0, 0]}
pretrain: {steps: 4, batch: 4, hidden: 16, projection: 8}
distill: {steps: 4, batch: 4, dimension: 16, width: 16, projection: null, alignment: 0, exchange: 1}
"""


def invoke(*arguments: object) -> Any:
    """A command's result; it never holds a traceback nor, without a terminal, control codes."""
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert "Traceback" not in result.output
    assert "\x1b" not in result.output
    return result


def good(*arguments: object) -> Any:
    """The result of a command that must succeed."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


def mistake(*arguments: object) -> str:
    """What a command that must fail says, with the line breaks of a narrow terminal undone."""
    result = invoke(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    return " ".join(result.stderr.split())


@dataclass(frozen=True)
class World:
    """What the tests share and leave as it is: a rendered dataset, a run on it, a model."""

    beetles: Path
    least: Path
    run: Path
    model: Path

    @property
    def labels(self) -> Path:
        return self.beetles / "landmarks.json"

    @property
    def pictures(self) -> list[Path]:
        return sorted((self.beetles / "images").iterdir())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    made = World(folder / "beetles", folder / "least.yaml", folder / "run", folder / "model.safetensors")
    made.least.write_text(LEAST)
    rendered = good("render", "--count", COUNT, "--size", SIDE, "--species", 8, "--out", made.beetles)
    assert f"{COUNT} beetles: {made.beetles}" in rendered.stdout
    trained = good("train", made.beetles, "--out", made.run, "--preset", made.least)
    assert "pretrain 4/4, loss" in trained.stderr
    assert "distill 4/4, loss" in trained.stderr
    assert f"Features: {made.run}" in trained.stdout
    fitted = good("fit", made.run, made.labels, "--out", made.model)
    assert "Head: one look at the whole picture" in fitted.stdout  # and perhaps one at a crop
    assert f", fitted to {COUNT} labelled pictures" in fitted.stdout
    assert "Out-of-fold error, on labels not fitted to:" in fitted.stdout
    assert f"Model: {made.model}" in fitted.stdout
    return made


def some_labels(world: World, count: int) -> Labels:
    return load_labels(world.labels).take(range(count))


def test_beetles_are_turned_if_asked(tmp_path: Path) -> None:
    good("render", "--count", 3, "--size", 32, "--rotation", 180, "--out", tmp_path / "b")
    assert json.loads((tmp_path / "b" / "dataset.json").read_text())["rotation"] == 180
    error = mistake("render", "--count", 3, "--size", 32, "--out", tmp_path / "b")
    assert "another rotation" in error
    assert "rotation is 200.0; give degrees" in mistake(
        "render", "--count", 3, "--rotation", 200, "--out", tmp_path / "c"
    )


def test_several_beetles_a_picture_if_asked(tmp_path: Path) -> None:
    drawn = good("render", "--count", 3, "--size", 32, "--specimens", "1,3", "--out", tmp_path / "b")
    beetles = len(json.loads((tmp_path / "b" / "landmarks.json").read_text())["annotations"])
    assert f"3 pictures of {beetles} beetles: {tmp_path / 'b'}" in drawn.stdout
    drawn = good("render", "--count", 2, "--size", 32, "--specimens", 2, "--out", tmp_path / "c")
    assert "2 pictures of 4 beetles" in drawn.stdout
    for wrong in ("few", "1,2,3", "", "3,1"):
        error = mistake("render", "--count", 3, f"--specimens={wrong}", "--out", tmp_path / "d")
        assert (wrong or "''") in error
        assert "give LEAST,MOST: whole numbers with 0 ≤ LEAST ≤ MOST ≤ 300" in error


def test_accepted_suggestions_are_counted_apart(world: World, tmp_path: Path) -> None:
    labels = some_labels(world, 6)
    accepted = np.zeros(labels.visible.shape, dtype=bool)
    accepted[4:] = True
    marked = Labels(labels.schema, labels.images, labels.xy, labels.visible, accepted=accepted)
    count = int((labels.visible[4:] > 0).sum())
    save_labels(marked, tmp_path / "marked.json", pictures=world.beetles)
    fitted = good(
        "fit", world.run, tmp_path / "marked.json", "--pictures", world.beetles, "--out", tmp_path / "m.safetensors"
    )
    assert f"{count} accepted points are not counted in the error" in fitted.stdout
    converted = good("convert", tmp_path / "marked.json", tmp_path / "again.json", "--pictures", world.beetles)
    assert "which labels" not in converted.stdout + converted.stderr
    assert json.loads((tmp_path / "again.json").read_text())["annotations"][4]["accepted"]
    lossy = good("convert", tmp_path / "marked.json", tmp_path / "a.slp", "--pictures", world.beetles)
    assert "which labels are accepted suggestions" in lossy.stdout + lossy.stderr


def garble(folder: Path, count: int) -> list[Path]:
    """Adds files that are pictures by name only."""
    paths = [folder / f"garbled{i}.jpg" for i in range(count)]
    for path in paths:
        path.write_bytes(b"no picture")
    return paths


# --- the whole way ---------------------------------------------------------------------------------------------------


def test_predict_writes_what_the_model_finds(world: World, tmp_path: Path) -> None:
    folder, out = tmp_path / "pictures", tmp_path / "found.json"
    (folder / "more").mkdir(parents=True)
    shutil.copy(world.pictures[0], folder / "a.jpg")
    shutil.copy(world.pictures[1], folder / "more" / "a.jpg")
    said = good("predict", world.model, folder, "--out", out, "--draw", tmp_path / "drawn")
    found = load_labels(out)
    expected = Landmarker.load(world.model).predict(folder)
    assert found.images == expected.images == ("a.jpg", "more/a.jpg")
    assert found.schema == SCHEMA
    np.testing.assert_allclose(found.xy, expected.xy)
    assert {(image["width"], image["height"]) for image in json.loads(out.read_text())["images"]} == {(SIDE, SIDE)}
    drawings = [tmp_path / "drawn" / "a.jpg.png", tmp_path / "drawn" / "more" / "a.jpg.png"]
    assert sorted((tmp_path / "drawn").rglob("*.*")) == drawings
    with Image.open(drawings[0]) as drawing, Image.open(world.pictures[0]) as picture:
        enlarged = np.asarray(picture.convert("RGB").resize(drawing.size, Image.Resampling.BICUBIC))
        assert (np.asarray(drawing) != enlarged).any(-1).mean() < 0.5  # the picture, under a few marks
    assert f"Landmarks of 2 pictures: {out}" in said.stdout
    assert f"Drawings: {tmp_path / 'drawn'}" in said.stdout


def test_predict_takes_single_pictures_and_leaves_out_bad_ones(world: World, tmp_path: Path) -> None:
    bad = garble(tmp_path, 7)
    said = good("predict", world.model, *world.pictures[:2], *bad, "--out", tmp_path / "found.csv")
    assert load_labels(tmp_path / "found.csv").images == tuple(path.as_posix() for path in world.pictures[:2])
    assert "Warning: 7 pictures skipped" in said.stderr
    assert all(f"{path}: " in said.stderr for path in bad)  # nowhere else are they listed


def test_labels_of_deeplabcut_are_fitted_and_matched(world: World, tmp_path: Path) -> None:
    labels = some_labels(world, 4)
    file = tmp_path / "CollectedData_Ann.csv"
    file.write_text(deeplabcut.dump(labels))
    there = ("--pictures", world.beetles)
    said = good("fit", world.run, file, *there, "--out", tmp_path / "model.safetensors")
    assert "fitted to 4 labelled pictures" in said.stdout
    reference = world.beetles / labels.images[0]
    good("match", world.run, reference, file, reference, *there, "--out", tmp_path / "matches")
    found = load_labels(tmp_path / "matches" / "matches.json")
    assert found.schema.names == labels.schema.names


def test_convert_tells_what_is_lost_and_what_is_doubtful(world: World, tmp_path: Path) -> None:
    said = good("convert", world.labels, tmp_path / "labels.tps")
    assert f"{COUNT} pictures, {len(SCHEMA.names)} landmarks, from COCO key points" in said.stdout
    assert "cannot hold the landmarks' names, which become numbers, " in said.stderr
    there = ("--pictures", world.beetles)
    good("convert", tmp_path / "labels.tps", tmp_path / "back.json", *there)
    known, again = load_labels(world.labels), load_labels(tmp_path / "back.json")
    assert again.images == known.images
    np.testing.assert_allclose(again.xy, known.xy, atol=0.01)
    xy = known.xy[:2].copy()
    xy[1, 0] = (SIDE + 3, 1)
    save_labels(Labels.from_xy(SCHEMA, known.images[:2], xy), tmp_path / "some.csv")
    said = good("convert", tmp_path / "some.csv", tmp_path / "some.slp", *there)
    line = 2 + len(SCHEMA.names)
    assert f"some.csv, line {line}: 1 label lies outside, the first is {SCHEMA.names[0]!r} of" in said.stderr


def test_match_finds_a_copy_of_the_reference_in_place(world: World, tmp_path: Path) -> None:
    (bad,) = garble(tmp_path, 1)
    copy = tmp_path / "copy.jpg"
    shutil.copy(world.pictures[0], copy)
    out = tmp_path / "matches"
    said = good("match", world.run, world.pictures[0], world.labels, copy, world.pictures[1], bad, "--out", out)
    found, truth = load_labels(out / "matches.json"), some_labels(world, 1)
    assert found.images == (copy.as_posix(), world.pictures[1].as_posix())
    assert np.nanmedian(np.linalg.norm(found.xy[0] - truth.xy[0], axis=-1)) < SIDE / 8  # a cell of the features
    assert len(list(out.rglob("*.png"))) == 2
    assert "Warning: 1 picture skipped" in said.stderr


def test_match_takes_a_folder_of_labels_whose_pictures_share_a_name(world: World, tmp_path: Path) -> None:
    folder, labels = tmp_path / "faces", some_labels(world, 2)
    for picture, name in zip(world.pictures, ("a.jpg", "more/a.jpg"), strict=False):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(picture, folder / name)
    save_labels(replace(labels, images=("a.jpg", "more/a.jpg")), folder, format="pts", overwrite=True)
    good("match", world.run, folder / "more" / "a.jpg", folder, world.pictures[0], "--out", tmp_path / "matches")
    assert (tmp_path / "matches" / "matches.json").is_file()
    assert len(list((tmp_path / "matches").rglob("*.png"))) == 1
    other = tmp_path / "other" / "b.jpg"
    other.parent.mkdir()
    shutil.copy(world.pictures[0], other)
    said = mistake("match", world.run, other, folder, other, "--out", tmp_path / "none")
    assert "name no pictures that could be" in said
    assert not (tmp_path / "none").exists()


SYSTEMS = ("untrained", "byol", "lead")
CALIBRATED = {f"{key}-all" for key in ("within-50", "within-80", "within-90", "rank", "worst", "hidden", "shown")}


@pytest.mark.parametrize(
    ("task", "options", "methods", "metrics"),
    [
        (
            "regression",
            ("--split", "test", "--method", "lead"),
            {"mean-shape", "lead/cascade", "lead/ridge"},
            {"regression-all", *CALIBRATED},
        ),
        (
            "few-shot",
            ("--labels", "1,3", "--draws", "2", "--points", "all", "--head", "cascade", "--method", "lead"),
            {"mean-shape", "lead/cascade"},
            {"regression-all", *CALIBRATED},
        ),
        ("regression", ("--head", "ridge"), {f"{m}/ridge" for m in SYSTEMS} | {"mean-shape"}, {"regression-all"}),
        ("matching", (), {*SYSTEMS, "copy-location"}, {f"matching-{kind}" for kind in ("warp", "same", "different")}),
    ],
)
def test_evaluate_prints_and_files_the_same_numbers(
    world: World, tmp_path: Path, task: str, options: tuple[str, ...], methods: set[str], metrics: set[str]
) -> None:
    command = ("evaluate", world.run, world.beetles, task, "--results", tmp_path, "--preset-name", "least", *options)
    said = good(*command)
    name = f"{task}-all" if "--points" in options else task
    path = tmp_path / "beetles" / "least" / f"{name}.json"
    result = read(path)
    assert {row.method for row in result.rows} == methods
    errors = {metric for metric in metrics if metric in METRICS}
    assert {row.metric for row in result.rows} == metrics | {f"{key}-{metric}" for key in FURTHER for metric in errors}
    assert path.with_suffix(".md").read_text() == markdown(result)
    for row in result.rows:
        if row.further:  # in the file beside alone
            continue
        assert row.method in said.stdout
        assert (f"{row.mean:.1f}" if row.metric in CALIBRATED else f"{row.mean:.2f}") in said.stdout
    if task == "few-shot":
        assert {row.labels for row in result.rows} == {1, 3}
    before = path.read_bytes()
    assert f"{path} is already there" in mistake(*command)
    assert path.read_bytes() == before


def test_an_evaluation_of_nothing_writes_nothing(world: World, tmp_path: Path) -> None:
    asked = ("few-shot", "--labels", "2", "--method", "lead", "--head", "cascade", "--results", tmp_path / "results")
    assert "no landmarks to evaluate" in mistake("evaluate", world.run, world.beetles / "images", *asked)
    assert not [file for file in (tmp_path / "results").rglob("*") if file.is_file()]


def test_a_finished_run_is_left_alone_and_keeps_its_settings(world: World) -> None:
    before = {path: path.read_bytes() for path in world.run.glob("*.safetensors")}
    said = good("train", world.beetles, "--out", world.run)
    assert "pretrain: done already." in said.stderr
    assert "distill: done already." in said.stderr
    assert {path: path.read_bytes() for path in world.run.glob("*.safetensors")} == before


def test_stages_one_by_one_over_some_bad_pictures(world: World, tmp_path: Path) -> None:
    data, run = tmp_path / "data", tmp_path / "run"
    shutil.copytree(world.beetles / "images", data)
    garble(data, 7)
    assert f"Run: lead pretrain {data}" in mistake("distill", data, "--out", run, "--preset", world.least)
    said = good("pretrain", data, "--out", run, "--preset", world.least)
    assert "7 pictures skipped:" in said.stderr
    assert said.stderr.count("garbled") == 5
    assert f"and 2 more; see {run / 'run.json'}" in said.stderr
    assert len(json.loads((run / "run.json").read_text())["skipped"]) == 7
    assert f"Next: lead distill {data}" in said.stdout
    assert not (run / "student.safetensors").exists()
    said = good("distill", data, "--out", run)
    assert "distill 4/4" in said.stderr
    assert (run / "student.safetensors").exists()


def test_fit_names_what_is_not_looked_at_closely() -> None:
    names = [f"n{i}" for i in range(12)]
    assert closely_text(names, names).endswith(" 12 of 12 landmarks, in squares cut from the original pictures")
    assert "10 of 12 landmarks" in (some := closely_text(names, names[1:11]))
    assert "; not n0, n11: little to gain" in some
    assert "; for the others little is to be gained" in closely_text(names, ["n3"])


def test_fit_says_how_many_labels_a_close_look_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lead.training.local.FEWEST", 7)
    names = [f"n{i}" for i in range(12)]
    for closely in (names[1:11], ["n3"]):
        assert closely_text(names, closely).endswith("fewer than 7 labels")


def test_fit_counts_and_names_labelled_pictures_that_are_missing(world: World, tmp_path: Path) -> None:
    known = some_labels(world, 3)
    save_labels(Labels(known.schema, (*known.images[:2], "ghost.jpg"), known.xy, known.visible), tmp_path / "some.json")
    model = tmp_path / "model.safetensors"
    command = ("fit", world.run, tmp_path / "some.json", "--out", model)
    assert "None of the 3 labelled pictures is in" in mistake(*command)
    assert not model.exists()
    said = good(*command, "--pictures", world.beetles)
    assert "Warning: 1 picture skipped:\n  ghost.jpg: no such file" in said.stderr
    assert "fitted to 2 labelled pictures" in said.stdout
    assert model.exists()


# --- around the work -------------------------------------------------------------------------------------------------


def test_settings_lists_every_setting_and_its_yaml_is_the_preset() -> None:
    assert "Every random choice" in good("settings", "tiny").stdout
    printed = good("settings", "tiny", "--yaml").stdout
    assert check(parse(printed, "printed"), "printed") == load_preset("tiny")
    rows = [line.split("│")[1].strip() for line in good("settings", "paper").stdout.splitlines() if "│" in line]
    assert "".join(rows) == "".join(key for key, _ in describe(Settings))


def test_demo_passes_its_options_on_and_names_the_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_demo(out: Path, *, seed: int, report: Any, say: Any) -> Path:
        say(f"seed {seed}")
        report("distill", 3, 3, {"loss": 1.0})
        return out / "report.html"

    stub = ModuleType("lead.demo")
    monkeypatch.setattr(stub, "run_demo", run_demo, raising=False)
    monkeypatch.setitem(sys.modules, "lead.demo", stub)
    assert good("demo").stdout == f"Report: {Path('demo') / 'report.html'}\n"
    said = good("demo", "--out", tmp_path, "--seed", 5)
    assert said.stderr == "seed 5\ndistill 3/3, loss 1.0000\n"
    assert said.stdout == f"Report: {tmp_path / 'report.html'}\n"


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["--version"], ["train", "--otu", "x"]])
def test_help_and_mistyped_options_need_no_torch(arguments: list[str]) -> None:
    code = (
        "import atexit, sys; from lead.cli import main; atexit.register(lambda: print('torch' in sys.modules)); "
        f"sys.argv = {['lead', *arguments]!r}; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if "--otu" in arguments else 0), done.stderr
    assert done.stdout.endswith("False\n")
    assert "Traceback" not in done.stderr


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reply"),
    [
        (("train", "nowhere", "--out", "run", "--preset", "tiny"), "No folder nowhere"),
        (("train", "empty", "--out", "run", "--preset", "tiny"), "No picture in empty: found no files at all"),
        (("train", "empty", "--out", "run", "--preset", "tinny"), "Did you mean 'tiny'?"),
        (("train", "empty", "--out", "run", "--preset", "tiny", "--set", "sed=1"), "Did you mean seed?"),
        (
            ("train", "empty", "--out", "run", "--preset", "tiny", "--set", "seed=[1"),
            "'seed=[1': '[1' is not a valid value",
        ),
        (("train", "empty", "--out", "run", "--preset", "list.yaml"), "list.yaml must hold settings by name"),
        (("train", "empty", "--out", "run", "--preset", "latin.yaml"), "latin.yaml is not UTF-8 text"),
        (
            ("train", "empty", "--out", "run", "--preset", "tiny", "--name", "celeba"),
            "list_eval_partition.txt is not there",
        ),
        (("evaluate", "nowhere", "empty", "few-shot", "--name", "mafi"), "Did you mean 'mafl'?"),
        (("fit", "nowhere", "labels.json", "--out", "m"), "nowhere is not a run"),
        (("predict", "text", "empty", "--out", "p.json"), "text is not a landmarker file"),
        (("predict", "text", "empty", "--out", "p.txt"), "end its name in .json (COCO key points), .h5"),
        (("predict", "text", "empty", "--out", "p.csv", "--draw", "text"), "text is a file"),
        (("match", "nowhere", "a", "b", "c", "--out", "d"), "nowhere is not a run"),
        (("evaluate", "nowhere", "empty", "few-shot", "--labels", "1,x"), "give whole numbers from 1"),
        (("evaluate", "nowhere", "empty", "few"), "'few' is not one of"),
        (("fit", "run", "labels.json", "--out", "m", "--head", "rdge"), "'softargmax'. Did you mean 'ridge'?"),
        (("render", "--count", "0", "--out", "b"), "count is 0"),
        (("settings", "papre"), "Did you mean 'paper'?"),
    ],
)
def test_mistakes_get_an_answer(
    arguments: tuple[str, ...], reply: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("text")
    (tmp_path / "list.yaml").write_text("- seed")
    (tmp_path / "latin.yaml").write_text("# \xe9", encoding="latin-1")
    assert reply in mistake(*arguments)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "latin.yaml", "list.yaml", "text"]


@pytest.mark.parametrize("command", ["train", "pretrain"])
def test_first_weights_have_an_option_of_their_own(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(api, "train", lambda *_, settings, **__: asked.append(settings.backbone.init))
    for init in ("random", "my weights: best.pth"):
        good(command, world.beetles, "--out", tmp_path / "run", "--preset", world.least, "--init", init)
    assert asked == ["random", "my weights: best.pth"]


def test_a_pretrained_model_teaches_in_place_of_stage_one(world: World, tmp_path: Path) -> None:
    weights, run = tmp_path / "my vit.safetensors", tmp_path / "run"
    save_file(timm.create_model("test_vit").state_dict(), weights)
    data = world.beetles
    teacher = ("--teacher", f"timm:test_vit@{weights}", "--set", "distill.teacher.input=32")
    assert "--teacher" in mistake("distill", data, "--out", run, "--preset", world.least)
    said = good("distill", data, "--out", run, "--preset", world.least, *teacher)
    assert "distill 4/4" in said.stderr
    settings = Run.open(run).settings.distill
    assert (settings.alignment, settings.exchange, settings.teacher.file) == (1.0, 1.0, weights)
    assert "done already" in good("train", data, "--out", run).stderr


def test_a_run_with_other_settings_is_not_gone_on_with(world: World) -> None:
    said = mistake("train", world.beetles, "--out", world.run, "--preset", world.least, "--set", "seed=7")
    assert "holds a run with other settings (seed: 0 there, 7 here)" in said


def test_what_is_there_is_not_overwritten_unless_asked(world: World, tmp_path: Path) -> None:
    mine = tmp_path / "mine.json"
    mine.write_text("mine")
    query = world.pictures[1]
    predict = ("predict", world.model, query, "--out")
    match = ("match", world.run, world.pictures[0], world.labels, query, "--out")
    for command in (
        ("fit", world.run, world.labels, "--out", mine),
        (*predict, mine),
        (*predict, tmp_path / "found.csv", "--draw", tmp_path),
        (*match, tmp_path),
        ("render", "--count", 3, "--out", tmp_path),
    ):
        mistake(*command)
        assert [path.name for path in tmp_path.iterdir()] == ["mine.json"]
        assert mine.read_text() == "mine"
    good(*predict, mine, "--overwrite")
    assert load_labels(mine).images == (query.as_posix(),)
    good(*match, tmp_path, "--overwrite")
    good(*match, tmp_path, "--overwrite")
    assert load_labels(mine).images == (query.as_posix(),)


def test_a_folder_that_cannot_be_made(world: World, tmp_path: Path) -> None:
    below = tmp_path / "file" / "out"
    below.parent.write_text("in the way")
    assert f"Cannot write {below}" in mistake("train", world.beetles, "--out", below, "--preset", world.least)
    assert f"Could not write {below}" in mistake("fit", world.run, world.labels, "--out", below)
    assert "Cannot write" in mistake("predict", world.model, world.pictures[0], "--out", below.with_suffix(".json"))


def test_names_that_the_labels_lack(world: World, tmp_path: Path) -> None:
    known = some_labels(world, 2)
    xy = known.xy.copy()
    xy[:, known.schema.index("scutellum")] = np.nan
    save_labels(Labels(known.schema, known.images, xy, known.visible), tmp_path / "some.json")
    said = mistake("fit", world.run, tmp_path / "some.json", "--pictures", world.beetles, "--out", tmp_path / "m")
    assert "has a label for: scutellum." in said
    said = mistake("evaluate", world.run, world.beetles, "regression", "--points", "68", "--results", tmp_path / "r")
    assert "Unknown point set '68'. Valid: all." in said
    said = mistake("match", world.run, world.pictures[5], tmp_path / "some.json", "x.jpg", "--out", tmp_path / "d")
    assert f"name no pictures that could be {world.pictures[5]}" in said
    said = mistake("evaluate", world.run, world.beetles, "regression", "--split", "validation", "--results", tmp_path)
    assert "--set validation=0.2" in said


def test_a_model_of_another_version(world: World, tmp_path: Path) -> None:
    old = tmp_path / "old.safetensors"
    save_file({}, old, metadata={"lead": json.dumps({"version": 99, "kind": "landmarker"})})
    said = mistake("predict", old, world.pictures[0], "--out", tmp_path / "found.json")
    assert "layout version 99, this lead reads version 1" in said
    said = mistake("predict", world.run / "student.safetensors", world.pictures[0], "--out", tmp_path / "found.json")
    assert "is a student file; a landmarker file is needed" in said


@pytest.mark.parametrize(
    ("error", "code", "reply"),
    [
        (KeyboardInterrupt(), 130, "Interrupted."),
        (PermissionError(13, "Permission denied", "some/file"), 2, "Error: some/file: Permission denied."),
        (OSError(28, "No space left on device"), 2, "Error: No space left on device."),
        (OSError("cannot identify it"), 2, "Error: cannot identify it."),
    ],
)
def test_interruptions_and_closed_files_are_a_line(
    world: World, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, reply: str
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(api, "train", stop)
    result = invoke("train", world.beetles, "--out", world.run)
    assert result.exit_code == code
    assert reply in result.stderr
