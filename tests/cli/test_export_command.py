"""Taking a model away from the command line: what is passed on, what is said, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lead.cli import app
from lead.export import int8, onnxfile
from lead.export.int8 import Quantised
from lead.export.onnxfile import Exported, Parity
from lead.inference import Landmarker

LOCAL = {1920: True, 320: False}
"""By a side, what there is of local looks."""


def invoke(*arguments: object) -> Any:
    return CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the command passes on; nothing is exported."""
    seen: dict[str, Any] = {}

    def to_onnx(model: object, out: Path, **others: Any) -> Exported:
        seen["onnx"], seen["side"] = (model, out, others["pictures"]), others["side"]
        parity = Parity(200, "own", 0.00002, 0.00015, 0.002, 0, 0.031, 0.4)
        return Exported(out, parity, others["side"] or 160, LOCAL.get(others["side"]))

    def to_int8(file: Path, out: Path, pictures: Path, **others: Any) -> Quantised:
        seen["int8"] = (file, out, pictures, others["labels"])
        return Quantised(out, 100, 200, 0.68, 22.2, 2.50, 2.33, 4_200_000, 13_700_000, 1.38, 1.08)

    monkeypatch.setattr(onnxfile, "to_onnx", to_onnx)
    monkeypatch.setattr(int8, "to_int8", to_int8)
    monkeypatch.setattr(Landmarker, "load", classmethod(lambda _, path: path))
    return seen


def test_export_says_what_it_found(passed: dict[str, Any], tmp_path: Path) -> None:
    out, small = tmp_path / "a.onnx", tmp_path / "a.int8.onnx"
    done = invoke("export", "hub:me/a", "--onnx", out, "--pictures", "p", "--int8", small, "--labels", "l.csv")
    assert done.exit_code == 0, done.output
    assert passed["onnx"] == (Path("hub:me/a"), out, Path("p"))
    assert passed["int8"] == (out, small, Path("p"), Path("l.csv"))
    said = " ".join(done.stdout.split())
    for part in ("200 pictures: p", "0.00002 px", "0.00015 px at most", "0.031 px", "0.680 px", "2.500 px", "2.330 px"):
        assert part in said
    assert "4.2 MB, the float file 13.7 MB" in said
    assert "1.38 times as fast picture by picture" in said


def test_export_says_which_pictures_it_drew(passed: dict[str, Any], tmp_path: Path) -> None:
    done = invoke("export", "m", "--onnx", tmp_path / "a.onnx")
    assert "drawn beetles, as no --pictures were given" in done.stdout
    assert "int8" not in passed


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (None, "It takes squares of 160 × 160 pixels."),
        (320, "It takes squares of 320 × 320 pixels, without the model's local looks"),
        (1920, "It takes squares of 1920 × 1920 pixels, from which local looks are cut: make them of the original"),
    ],
)
def test_export_says_what_to_give_the_file(passed: dict[str, Any], tmp_path: Path, side: int | None, said: str) -> None:
    done = invoke("export", "m", "--onnx", tmp_path / "a.onnx", *(["--side", side] if side else []))
    assert passed["side"] == side
    assert said in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--int8", "b.onnx"], "--int8 takes ranges from pictures. Name a folder of them with --pictures."),
        (["--pictures", "p", "--labels", "l.csv"], "--labels judges the files of --int8."),
        (["--pictures", "p", "--int8", "there.onnx"], "there.json is already there."),
    ],
)
def test_export_refuses(
    passed: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.json").touch()
    done = invoke("export", "m", "--onnx", "a.onnx", *arguments)
    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
    assert not passed


def test_push_passes_its_options_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Model:
        def push_to_hub(self, repo: str, **options: object) -> str:
            assert (repo, options) == ("me/a", {"licence": "mit", "private": True})
            return "https://hub/commit/1"

    monkeypatch.setattr(Landmarker, "load", classmethod(lambda *_: Model()))
    done = invoke("push", "m", "me/a", "--licence", "mit", "--private")
    assert done.exit_code == 0, done.output
    assert "Sent: https://hub/commit/1" in done.stdout
    assert "lead predict hub:me/a" in done.stdout
