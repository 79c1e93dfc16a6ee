"""``repeatability``: from files of several people to a table, beside a model."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from lead import Labels, Schema, save_labels
from lead.cli import app
from lead.morphometrics.repeatability import COLUMNS

SCHEMA = Schema(("base", "tip", "zero", "ten"))
COUNT = 12


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, ["repeatability", *map(str, arguments)])


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Labels of wings beside a ruler by two people, one of whom looked twice; and what a model says."""
    rng = np.random.default_rng(0)
    true = np.array([(30, 50), (130, 50), (30, 80), (130, 80)]) + rng.normal(0, 4, (COUNT, 4, 2))
    images = tuple(f"w{i}.png" for i in range(COUNT))
    for image in images:
        Image.new("L", (200, 100)).save(tmp_path / image)
    for name in ("anna.json", "again.csv", "ben.tps", "model.json"):
        labels = Labels.from_xy(SCHEMA, images, true + rng.normal(0, 0.5, true.shape))
        if name == "model.json":
            labels = replace(labels, px_error=np.ones((COUNT, 4)))
        save_labels(labels, tmp_path / name)
    (tmp_path / "measures.yaml").write_text("wing: {distance: [base, tip]}\n")
    return tmp_path


def test_from_files_of_two_people_to_a_table(desk: Path) -> None:
    people = [f"anna={desk / 'anna.json'}", f"anna={desk / 'again.csv'}", f"ben={desk / 'ben.tps'}"]
    options = ("--measures", desk / "measures.yaml", "--predictions", desk / "model.json", "--ruler", "zero", "ten", 10)
    done = run(*people, *options, "--out", desk / "t.csv")
    assert done.exit_code == 0, done.output
    lines = list(csv.DictReader((desk / "t.csv").read_text(encoding="utf-8").splitlines()))
    assert list(lines[0]) == list(COLUMNS)
    found = {(line["name"], line["quantity"], line["unit"]): line for line in lines if not line["person"]}
    within = float(found["base", "within people", "px"]["value"])
    assert 0.3 < within < 1.2
    assert float(found["base", "within people", "mm"]["value"]) == pytest.approx(within / 10, rel=0.15)
    assert float(found["wing", "ICC(2,1)", ""]["value"]) > 0.8
    assert found["wing", "within people", "mm"]["pictures"] == str(COUNT)
    assert "ben.tps numbers its landmarks" in done.stderr
    assert "A model is more exact on pictures that it learnt from." in done.stderr
    assert "as exact as another person's look on" in done.stdout
    assert "No repeatability of shape: it takes 3 landmarks." in done.stderr, "the ruler is no part of it"
    assert f"{COUNT} pictures looked at twice or more, by anna (2), ben (1)" in done.stdout


def test_what_the_model_learnt_from_is_named(desk: Path) -> None:
    people = (f"anna={desk / 'anna.json'}", f"anna={desk / 'again.csv'}", "--predictions", desk / "model.json")
    done = run(*people, "--learnt-from", desk / "ben.tps", "--out", desk / "t.csv")
    assert done.exit_code == 2
    assert f"learnt from all {COUNT} pictures looked at twice" in done.stderr
    assert not (desk / "t.csv").exists()


@pytest.mark.parametrize(
    ("out", "options", "message"),
    [
        ("t.txt", (), "the table is a CSV"),
        ("again.csv", ("--overwrite",), "is read, and would be overwritten"),
        ("t.csv", ("--learnt-from", "x.json"), "Give what it says, too: --predictions"),
    ],
)
def test_mistakes_are_told(desk: Path, out: str, options: tuple[str, ...], message: str) -> None:
    done = run(f"anna={desk / 'anna.json'}", f"anna={desk / 'again.csv'}", "--out", desk / out, *options)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
