"""Runs to choose from: those that lie beside the pictures, and one that a person names by its path."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import islice
from pathlib import Path

from lead.config import Settings, load_preset, presets
from lead.errors import LeadError
from lead.training.run import BACKBONE, STUDENT, Run

SETTINGS = "settings.yaml"
"""What makes a folder a run."""
MOST = 500
"""Entries of a folder that are looked at; one with more is not where anyone keeps runs."""
NAMED = 8
"""Runs within a folder that a message names."""


def nearby(pictures: Path) -> list[Path]:
    """Folders of runs beside a folder of pictures, in ``runs/`` there, and in ``runs/`` of the working folder."""
    places = [Path.cwd() / "runs", pictures.parent / "runs", pictures.parent]
    return list(dict.fromkeys(run for place in places for run in within(place.resolve())))


def within(folder: Path) -> list[Path]:
    """Folders of runs in a folder, by name; empty if it cannot be read."""
    try:
        entries = sorted(islice(folder.iterdir(), MOST))
    except OSError:
        return []
    return [entry.resolve() for entry in entries if _is_run(entry)]


def at(text: str) -> Run:
    """The finished run at a path as a person types it: its folder, or a file in that.

    Nothing at the path is read but a run's own files, and its network as tensors alone.

    Raises:
        LeadError: there is no such folder, it is not a run, or its training is not finished.
    """
    typed = text.strip().strip("\"'")
    try:
        folder = Path(typed).expanduser().resolve()
        folder = folder.parent if folder.name in (SETTINGS, STUDENT, BACKBONE) else folder
        there = bool(typed) and folder.is_dir()
    except (OSError, ValueError, RuntimeError):  # too long, not a path at all, or another user's home
        there = False
    if not there:
        raise LeadError(f"There is no folder {typed or '(nothing)'}. Give the whole path of a run's folder.")
    if not _is_run(folder):
        inside = [run.name for run in within(folder)]
        hint = f" It holds runs: {', '.join(inside[:NAMED])}. Give the path of one of them." if inside else ""
        raise LeadError(f"{folder} is not a trained model's folder: it has no {SETTINGS}.{hint}")
    run = Run.open(folder)
    if not run.has_student:
        raise LeadError(f"The training of {folder} is not finished: it has no {STUDENT} yet.")
    return run


def opened(folders: list[Path]) -> list[Run]:
    """The runs in folders, each once; what is not a run, or of a version that had other settings, is left out."""
    runs: dict[Path, Run] = {}
    for folder in folders:
        with suppress(LeadError):
            runs.setdefault(folder, Run.open(folder))
    return list(runs.values())


def run_id(folder: Path) -> str:
    """What the page asks for a run by: nothing that it could make up."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def preset_of(settings: Settings) -> str | None:
    """The shipped preset that has these settings."""
    return next((name for name in presets() if load_preset(name) == settings), None)


def _is_run(folder: Path) -> bool:
    try:
        return (folder / SETTINGS).is_file()
    except OSError:  # not ours to look into
        return False
