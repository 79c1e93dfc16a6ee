"""Imports point one way and never in a circle; functions, classes and files stay short."""

from __future__ import annotations

import ast
import graphlib
from pathlib import Path

import grimp
import pytest

SRC = Path(__file__).parents[1] / "src" / "lead"
FILES = sorted(SRC.rglob("*.py"))
# From the top floor down. A room may import those of floors below; rooms of one floor know nothing of one another.
FLOORS: list[set[str]] = [
    {"cli"},
    {"studio"},
    {"demo", "reproduce"},
    {"api"},
    {"experiments"},
    {"training", "export"},
    {"inference"},
    {"finding"},
    {"windows"},
    {"features", "evaluation"},
    {"feature_files", "heads"},
    {"checkpoint", "conversion", "frame", "prediction"},
    {"linking", "shards", "smoothing"},
    {"nn", "losses", "datasets", "beetles", "config", "morphometrics"},
    {"calibration"},
    {"images"},
    {"landmarks", "journal"},
    {"geometry", "config_text"},
    {"files", "hub", "processes", "provenance"},
    {"errors", "reporting", "seeds", "tuning"},
]


@pytest.fixture
def imports() -> grimp.ImportGraph:
    """Who imports whom, also inside functions; what type checkers alone read does not count."""
    return grimp.build_graph("lead", exclude_type_checking_imports=True, cache_dir=None)


def upward(imports: grimp.ImportGraph) -> list[str]:
    """Imports that do not lead to a floor below."""
    layers = [grimp.Layer(*sorted(rooms), independent=True) for rooms in FLOORS]
    illegal = imports.find_illegal_dependencies_for_layers(layers, containers={"lead"})
    return sorted(f"{found.importer} may not import {found.imported}" for found in illegal)


def circle(imports: grimp.ImportGraph) -> list[str]:
    """The modules of a circle, the first again at the end; empty if there is none."""
    graph = {module: imports.find_modules_directly_imported_by(module) for module in imports.modules}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found
    return []


def test_imports_point_down(imports: grimp.ImportGraph) -> None:
    rooms = {child.removeprefix("lead.") for child in imports.find_children("lead")}
    assert rooms - {"__main__"} == set().union(*FLOORS), "each room has its floor in FLOORS"
    assert upward(imports) == []


def test_no_modules_import_one_another_in_a_circle(imports: grimp.ImportGraph) -> None:
    assert circle(imports) == []


def test_what_is_wrong_is_caught(imports: grimp.ImportGraph) -> None:
    imports.add_import(importer="lead.geometry", imported="lead.training.engine")
    imports.add_import(importer="lead.landmarks.model", imported="lead.landmarks.coco")
    assert "lead.geometry may not import lead.training" in upward(imports)
    assert circle(imports)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_nothing_grows_too_long_to_read(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 450, f"{path.name} is too long"
    most = {ast.FunctionDef: 80, ast.AsyncFunctionDef: 80, ast.ClassDef: 250}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= most[type(node)], f"{path.name}:{node.lineno} {node.name} has {length} lines"


@pytest.mark.parametrize("room", ["landmarks", "calibration", "morphometrics"])
def test_landmarks_and_measurements_know_no_torch(room: str) -> None:
    for path in (SRC / room).rglob("*.py"):
        assert "import torch" not in path.read_text(encoding="utf-8"), path
