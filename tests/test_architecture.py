"""Imports point one way, functions stay short."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parents[1] / "src" / "lead"

# Lower rank = lower floor. A module may import its own room and any room on a floor strictly below.
FLOORS: list[set[str]] = [
    {"errors", "reporting", "seeds", "tuning"},
    {"files", "hub", "processes", "provenance"},
    {"geometry", "config_text"},
    {"landmarks", "journal"},
    {"nn", "losses", "images", "datasets", "beetles", "config"},
    {"checkpoint", "prediction"},
    {"features", "evaluation"},
    {"inference"},
    {"training", "export"},
    {"experiments"},
    {"api"},
    {"demo", "reproduce"},
    {"__init__"},
    {"cli", "studio"},
]
# Rooms that share a floor but may look at a neighbour, one way. nn, losses and datasets never import one another.
NEIGHBOURS = {"datasets": {"images"}, "beetles": {"images"}, "cli": {"studio"}}
RANK = {room: rank for rank, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(SRC.rglob("*.py"))


def room_of(path: Path) -> str:
    first = path.relative_to(SRC).parts[0]
    return first.removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            module = node.module or ""
            names = [f"lead.{a.name}" for a in node.names] if module == "lead" else [module]
        else:
            continue
        rooms |= {n.split(".")[1] if "." in n else "__init__" for n in names if n.split(".")[0] == "lead"}
    return {r if r in RANK else "__init__" for r in rooms}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_down(path: Path) -> None:
    room = room_of(path)
    assert room in RANK, f"{room} has no floor: give it one here"
    for other in imported_rooms(path) - {room}:
        allowed = RANK[other] < RANK[room] or other in NEIGHBOURS.get(room, set())
        assert allowed, f"{path.relative_to(SRC)} ({room}) may not import lead.{other}"


def test_an_upward_import_is_caught(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from lead.training import engine\nimport lead.cli\n")
    assert imported_rooms(bad) == {"training", "cli"}
    assert RANK["training"] > RANK["geometry"]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_functions_stay_short(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 80, f"{path.name}:{node.lineno} {node.name} has {length} lines"


def test_landmarks_know_no_torch() -> None:
    for path in (SRC / "landmarks").rglob("*.py"):
        assert "import torch" not in path.read_text(encoding="utf-8"), path
