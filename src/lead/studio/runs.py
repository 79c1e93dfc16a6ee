"""Runs to choose from: those that lie beside the pictures, and one that a person names by its path."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from itertools import islice
from pathlib import Path

from lead.config import Settings, load_preset, presets
from lead.errors import LeadError
from lead.files import read_text, write_atomic
from lead.training.run import BACKBONE, STUDENT, Run

SETTINGS = "settings.yaml"
"""What makes a folder a run."""
MOST = 500
"""Entries of a folder that are looked at; one with more is not where anyone keeps runs."""
NAMED = 8
"""Runs within a folder that a message names."""


class Shelf:
    """The runs that the page of a folder knows.

    Args:
        pictures: the folder of pictures.
        home: where runs that are trained here go: ``run``, ``run-2``, …
        given: a run to use instead of the one used last.

    Raises:
        LeadError: ``given`` is not a run.
    """

    def __init__(self, pictures: Path, home: Path, given: Path | None) -> None:
        self._pictures, self._home = pictures, home
        self._given = Run.open(given.resolve()) if given else None
        self._named = [self._given.folder] if self._given else []

    def runs(self, current: Run | None) -> list[Run]:
        """Those given or opened by their path, the current one, those trained here, and those beside the pictures."""
        now = [current.folder] if current else []
        return opened([*self._named, *now, *self.own(), *nearby(self._pictures)])

    def own(self) -> list[Path]:
        """Folders of runs trained here, in the order in which they were begun."""
        return sorted(self._home.glob("run*"), key=lambda path: (len(path.name), path.name))

    def interrupted(self) -> list[Run]:
        """Those trained here that are not finished."""
        return [run for run in opened(self.own()) if not run.has_student]

    def free(self) -> Path:
        """Where a new run can go."""
        number, folder = 1, self._home / "run"
        while folder.exists() and any(folder.iterdir()):
            number += 1
            folder = self._home / f"run-{number}"
        return folder

    def take(self, path: str) -> Run:
        """The run at a path, known from now on. Errors as :func:`at`."""
        run = at(path)
        self._named.append(run.folder)
        return run

    def remember(self, run: Path) -> None:
        """Notes which run is used."""
        self._home.mkdir(parents=True, exist_ok=True)
        write_atomic(self._home / "current-run", f"{run}\n", overwrite=True)

    def last_used(self) -> Run | None:
        """The one given, or else the one that was noted; where that is gone, because the folder has moved, say, the
        latest trained here.
        """
        if self._given is not None:
            return self._given
        note = self._home / "current-run"
        noted = [Path(read_text(note).strip())] if note.is_file() else []
        for folder in [*noted, *reversed(self.own())]:
            with suppress(LeadError):
                return Run.open(folder)
        return None


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
