"""``scale`` and ``measure``: from a file of landmarks to a table, and what they say to mistakes."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from lead import Labels, Schema, load_labels, save_labels
from lead.cli import app

NAMES = ("base", "tip", "zero", "ten")
COUNT = 12
MEASURES = "wing: {distance: [base, tip]}\ntilt: {angle: [tip, base, ten]}\n"


def run(*arguments: Any) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def good(*arguments: Any) -> Result:
    done = run(*arguments)
    assert done.exit_code == 0, done.output
    return done


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """Pictures of wings beside a ruler, predicted landmarks and a file of measures; one wing is twice as long."""
    rng = np.random.default_rng(0)
    xy = np.stack([np.array([(20, 50), (120, 50), (10, 90), (110, 90)], dtype=float)] * COUNT)
    xy[:, 1, 0] += rng.uniform(-2, 2, COUNT)
    xy[5, 1, 0] += 60
    images = tuple(f"w{i}.png" for i in range(COUNT))
    for image in images:
        Image.new("L", (200, 100)).save(tmp_path / image, dpi=(508, 508))
    errors = np.ones((COUNT, 4))
    labels = Labels(Schema(NAMES), images, xy, np.full((COUNT, 4), 2), px_error=errors, px_90=1.8 * errors)
    save_labels(labels, tmp_path / "landmarks.csv")
    (tmp_path / "measures.yaml").write_text(MEASURES)
    return tmp_path


def measured(desk: Path, *options: Any) -> tuple[Result, list[dict[str, str]]]:
    done = good(
        "measure", desk / "landmarks.csv", "--measures", desk / "measures.yaml", "--out", desk / "t.csv", *options
    )
    return done, table(desk / "t.csv")


def test_from_predictions_and_a_ruler_to_millimetres(desk: Path) -> None:
    done, lines = measured(desk, "--ruler", "zero", "ten", "10", "--report", desk / "report.html")
    assert "data:image/webp" in (desk / "report.html").read_text(encoding="utf-8")
    assert f"2 measures of {COUNT} specimens" in done.stdout
    assert [line["measure"] for line in lines] == ["wing", "tilt"] * COUNT
    first = lines[0]
    value, low, high = (float(first[key]) for key in ("value", "low_90", "high_90"))
    assert first["unit"] == "mm"
    assert value == pytest.approx(10, rel=0.03)
    assert low < value < high
    deviation = 1.8 / math.sqrt(2 * math.log(10))
    of_points = 0.1 * math.sqrt(2) * deviation
    assert float(first["se"]) == pytest.approx(of_points * math.sqrt(2), rel=0.03), "the ruler's ends err as much"
    unlikely = done.stdout[done.stdout.index("Unlikely") :]
    assert "w5.png" in unlikely
    assert "w4.png" not in unlikely


def test_scales_from_the_pictures_and_from_a_table_are_the_same(desk: Path) -> None:
    good("scale", desk / "landmarks.csv", "--scale", "pictures", "--out", desk / "scales.csv")
    assert float(table(desk / "scales.csv")[0]["mm_per_pixel"]) == pytest.approx(0.05, rel=1e-4)
    _, direct = measured(desk, "--scale", "pictures")
    (desk / "t.csv").unlink()
    assert measured(desk, "--scale", desk / "scales.csv")[1] == direct


def test_tps_carries_its_scale(desk: Path) -> None:
    good("scale", desk / "landmarks.csv", "--scale", "0.5", "--out", desk / "wings.tps")
    assert (desk / "wings.tps").read_text().count("SCALE=0.5\n") == COUNT
    (desk / "numbers.yaml").write_text("wing: {distance: [1, 2]}\n")
    done = good(
        "measure", desk / "wings.tps", "--measures", desk / "numbers.yaml", "--out", desk / "n.csv", "--unit", "cm"
    )
    assert "SCALE= is taken as cm a pixel" in done.stderr
    first = table(desk / "n.csv")[0]
    assert float(first["value"]) == pytest.approx(500, rel=0.03)
    assert (first["unit"], first["se"]) == ("mm", "")
    assert f"{COUNT} of {COUNT} values without a standard error" in done.stderr


def test_without_a_scale_it_is_pixels(desk: Path) -> None:
    done, lines = measured(desk)
    assert "In pixels: no scale was given" in done.stderr
    assert lines[0]["unit"] == "px"


def test_what_is_missing_is_told(desk: Path) -> None:
    text = (desk / "landmarks.csv").read_text().splitlines()
    text[2] = "w0.png,tip,,,0,,,"
    for line in range(5, 9):
        text[line] = f"w1.png,{NAMES[line - 5]},,,0,,,"
    (desk / "landmarks.csv").write_text("\n".join(text) + "\n")
    (desk / "scales.csv").write_text("image,mm_per_pixel\n" + "".join(f"w{i}.png,0.1\n" for i in (0, *range(2, 11))))
    done, lines = measured(desk, "--scale", desk / "scales.csv")
    assert "1 picture has no scale, the first is 'w11.png', and 10 have one" in done.stderr
    assert "1 picture without a landmark left out, the first is 'w1.png'" in done.stderr
    assert "2 values: no tip, the first of 'w0.png'." in done.stderr
    assert "1 value: no scale, the first of 'w11.png'." in done.stderr
    assert [line["note"] for line in lines if line["value"] == ""] == ["no tip", "no tip", "no scale"]


def test_labels_that_check_the_predictions_teach_how_errors_go_together(desk: Path) -> None:
    _, alone = measured(desk)
    (desk / "t.csv").unlink()
    labels = load_labels(desk / "landmarks.csv")
    shift = np.random.default_rng(1).normal(size=(COUNT, 1, 2))
    truth = Labels.from_xy(labels.schema, labels.images, labels.xy - shift)
    save_labels(truth, desk / "checked.csv")
    done, lines = measured(desk, "--checked", desk / "checked.csv")
    assert f"learnt from {COUNT} pictures of" in done.stderr
    assert float(lines[0]["se"]) < 0.5 * float(alone[0]["se"]), "what shifts together leaves a distance alone"
    factor = np.sort(np.linalg.norm(shift[:, 0], axis=-1).repeat(4))[math.ceil(0.9 * (4 * COUNT + 1)) - 1] / 1.8
    assert f"multiplied by {factor:.2f}" in done.stderr
    (desk / "t.csv").unlink()
    ruler = measured(desk, "--checked", desk / "checked.csv", "--ruler", "zero", "ten", "10")[1]
    assert float(ruler[0]["se"]) < 0.2 * float(lines[0]["se"]), "in mm, and what shifts together leaves the ruler alone"
    (desk / "t.csv").unlink()
    save_labels(truth.take(range(6)), desk / "few.csv")
    assert "How large they are is not: that takes 10." in measured(desk, "--checked", desk / "few.csv")[0].stderr


def test_mistakes_are_told_before_anything_is_written(desk: Path) -> None:
    landmarks, out = desk / "landmarks.csv", desk / "t.csv"
    (desk / "wrong.yaml").write_text("wing: {distance: [base, tpi]}\n")
    measures = ("--measures", desk / "measures.yaml", "--out", out)
    for arguments, message in (
        (
            ("measure", landmarks, "--measures", desk / "wrong.yaml", "--out", out),
            "wrong.yaml, line 1: 'wing': Unknown",
        ),
        (("measure", landmarks, *measures, "--scale", "0"), "0 mm a pixel"),
        (("measure", landmarks, *measures, "--scale", "1", "--unit", "parsec"), "Unknown unit 'parsec'"),
        (("measure", landmarks, *measures, "--ruler", "zero", "tem", "10"), "Unknown landmark 'tem'"),
        (("measure", landmarks, *measures, "--ruler", "zero", "ten", "1", "--unit", "ft"), "Unknown unit 'ft'"),
        (("measure", landmarks, *measures, "--ruler", "zero", "ten", "10", "--scale", "1"), "Two sources of the scale"),
        (("measure", landmarks, *measures[:-1], desk / "t.txt"), "End its name in .csv"),
        (("scale", landmarks, "--out", out), "says no scale. Say where it comes from"),
        (("scale", landmarks, "--scale", "1", "--out", desk / "s.json"), "end its name in .csv"),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert message in done.stderr
        assert not out.exists()


def test_nothing_is_overwritten_unasked(desk: Path) -> None:
    measured(desk)
    again = ("measure", desk / "landmarks.csv", "--measures", desk / "measures.yaml", "--out", desk / "t.csv")
    assert "already there" in run(*again).stderr
    good(*again, "--overwrite")
    good("scale", desk / "landmarks.csv", "--scale", "1", "--out", desk / "s.csv")
    assert "already there" in run("scale", desk / "landmarks.csv", "--scale", "2", "--out", desk / "s.csv").stderr


def test_shapes_without_the_ruler(desk: Path) -> None:
    xy = 20 + 60 * np.random.default_rng(3).random((1, 6, 2)) + np.random.default_rng(4).normal(size=(COUNT, 6, 2))
    xy[:, 4:] = [(10, 90), (110, 90)]
    names = ("a", "b", "c", "d", "zero", "ten")
    save_labels(Labels.from_xy(Schema(names), [f"w{i}.png" for i in range(COUNT)], xy), desk / "shapes.csv")
    done = good("shape", desk / "shapes.csv", "--ruler", "zero", "ten", "10", "--without", "d", "--out", desk / "out")
    assert f"Shapes of {COUNT} specimens with 3 landmarks" in done.stdout
    assert {line["unit"] for line in table(desk / "out" / "specimens.csv")} == {"mm"}
    assert (desk / "out" / "shapes.html").is_file()
    again = run("shape", desk / "shapes.csv", "--out", desk / "out")
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)
    assert "Unknown landmark 'e'" in run("shape", desk / "shapes.csv", "--without", "e", "--out", desk / "o").stderr


def test_what_is_read_is_never_overwritten(desk: Path) -> None:
    landmarks, measures, scales = desk / "landmarks.csv", desk / "measures.yaml", desk / "scales.csv"
    good("scale", landmarks, "--scale", "0.1", "--out", scales)
    before = {path: path.read_bytes() for path in (landmarks, measures, scales)}
    asked = ("measure", landmarks, "--measures", measures, "--overwrite", "--out")
    for arguments in (
        ("scale", landmarks, "--scale", scales, "--overwrite", "--out", scales),
        ("scale", landmarks, "--scale", "0.1", "--overwrite", "--out", landmarks),
        (*asked, desk / "." / "landmarks.csv"),
        (*asked, scales, "--scale", scales),
        (*asked, desk / "t.csv", "--report", measures),
    ):
        done = run(*arguments)
        assert done.exit_code == 2
        assert "is read, and would be overwritten" in done.output
    assert before == {path: path.read_bytes() for path in before}
    assert "cannot be one file" in run(*asked, desk / "t.csv", "--report", desk / "t.csv").output


def test_ctrl_c_while_the_page_is_made_leaves_no_table_behind(desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("lead.morphometrics.measure_page.page", interrupted)
    options = ("--measures", desk / "measures.yaml", "--out", desk / "t.csv", "--report", desk / "t.html")
    assert run("measure", desk / "landmarks.csv", *options).exit_code != 0
    assert not (desk / "t.csv").exists(), "the same command can be run again"
