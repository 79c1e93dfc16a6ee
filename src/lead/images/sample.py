"""Frames of films as pictures to learn from and to label: few of many, and unlike one another.

Every frame is looked at as a small square of colours. The frames are drawn by k-means++ (Arthur & Vassilvitskii, 2007):
each with a chance that grows with its squared distance from those drawn before, so that what is rare is found and what
is frequent counts for more. A frame that looks like one drawn before is left out.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.files import read_text, replacing, write_atomic
from lead.images.film import Film, UnreadableFilm, decoded, frames, open_film, thumbnail
from lead.images.find import find_media
from lead.landmarks.frames import FILMS
from lead.reporting import Progress, counted

COUNT = 200
"""Frames taken from a film where no number is asked for."""
CANDIDATES = 4096
"""Frames looked at, evenly spaced; of a film of more every second is, or every fourth, and so on."""
SIDE = 24
"""Of the small squares, in pixels."""
ALIKE = 2.0
"""Two frames look alike if their squares differ by less than this, of 255, in the root of the mean square."""
RECORD = "frames.json"
"""Beside a film's frames: what they were drawn from, and how."""


class Sampled(NamedTuple):
    """What :func:`sample_films` wrote.

    Attributes:
        files: the frames' paths relative to its folder, POSIX, in the order of the films.
        films: for each of ``files`` its film's name.
        skipped: (name, reason) of each film that cannot be read.
    """

    files: tuple[str, ...]
    films: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...]

    def summary(self, folder: Path) -> str:
        """How many frames of how many films are in a folder."""
        return f"{counted(len(self.files), 'frame')} of {counted(len(set(self.films)), 'film')}: {folder}"


def find_named(paths: Sequence[Path]) -> dict[str, Path]:
    """Films by the names under which their frames are kept.

    Args:
        paths: films, and folders of them, searched to any depth.

    Returns:
        Paths by POSIX names: those of one folder are named from it, others from the folder that all share.

    Raises:
        LeadError: a folder cannot be listed, or holds no film.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        films = find_media(path).films
        if not films:
            raise LeadError(f"No film in {path}. Films end in {', '.join(FILMS)} (in any case).")
        found += [path / film for film in films]
    whole = [path.absolute() for path in found]
    one = len(paths) == 1 and paths[0].is_dir()
    shared = paths[0].absolute() if one else os.path.commonpath([path.parent for path in whole])
    return {path.relative_to(shared).as_posix(): name for path, name in zip(whole, found, strict=True)}


def open_films(films: Mapping[str, Path]) -> tuple[dict[str, Film], tuple[tuple[str, str], ...]]:
    """Those of some films, by name, that can be opened, and (name, reason) of the others.

    Raises:
        LeadError: there is none that can be read, or PyAV is not installed.
    """
    known: dict[str, Film] = {}
    skipped: list[tuple[str, str]] = []
    for name, path in films.items():
        try:
            known[name] = open_film(path)
        except UnreadableFilm as error:
            skipped.append((name, error.reason))
    if not known:
        raise _none_of(skipped)
    return known, tuple(skipped)


def sample_films(
    films: Mapping[str, Film],
    folder: Path,
    *,
    count: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
    candidates: int = CANDIDATES,
) -> Sampled:
    """Writes frames of films as PNG files: ``<film's name>/<number>.png``, the number counted from 0.

    What is there already is left as it is: a call that was interrupted goes on, a finished one does nothing.

    Args:
        films: to read, by name.
        folder: to write into.
        count: frames of each film, at most; by default as many as last time, at first :data:`COUNT`.
        seed: of the draws.
        progress: called with (frames read, in all), each film being read twice.
        candidates: frames of each that are looked at, at most.

    Raises:
        LeadError: no film can be read to its end, or the folder holds frames that were drawn otherwise, or something
            else.
    """
    if count is not None and count < 1:
        raise LeadError(f"Of each film 1 frame or more can be taken, not {count}.")
    found: dict[str, str] = {}
    skipped: list[tuple[str, str]] = []
    before, total = 0, 2 * sum(film.count for film in films.values())
    for name, film in films.items():

        def read_so_far(read: int, before: int = before, most: int = 2 * film.count) -> None:
            if progress:
                progress(before + min(read, most), total)

        try:
            numbers = _drawn(film.path, folder / name, count, seed, read_so_far, candidates)
            _extract(film, folder / name, numbers, read_so_far)
        except UnreadableFilm as error:
            skipped.append((name, error.reason))
        else:
            found |= {f"{name}/{_file(number)}": name for number in numbers}
        before += 2 * film.count
        read_so_far(0, before)
    if not found:
        raise _none_of(skipped)
    return Sampled(tuple(found), tuple(found.values()), tuple(skipped))


def _none_of(skipped: Sequence[tuple[str, str]]) -> LeadError:
    name, reason = skipped[0]
    return LeadError(f"None of the {counted(len(skipped), 'film')} can be read; the first, {name}: {reason}.")


def draw(squares: npt.NDArray[np.uint8], count: int, seed: int) -> list[int]:
    """At most ``count`` of N squares (N, side, side, 3) that are unlike one another, ascending."""
    points = squares.reshape(len(squares), -1).astype(np.float32)
    lengths = np.square(points).mean(1)
    draws = np.random.default_rng(seed)
    drawn = [int(draws.integers(len(points)))]
    apart = np.full(len(points), np.inf, dtype=np.float32)  # mean square, to the nearest of those drawn
    while len(drawn) < count:
        new = points[drawn[-1]]
        apart = np.minimum(apart, lengths - 2 * (points @ new) / len(new) + lengths[drawn[-1]])
        chance = np.where(apart < ALIKE**2, 0, apart).astype(np.float64)
        if not chance.any():
            break
        drawn.append(int(draws.choice(len(points), p=chance / chance.sum())))
    return sorted(drawn)


def _file(number: int) -> str:
    return f"{number:06}.png"


def _drawn(
    film: Path, folder: Path, count: int | None, seed: int, progress: Callable[[int], None], candidates: int
) -> list[int]:
    """The numbers of a film's frames to take, as they are recorded in ``folder``, else drawn and recorded there."""
    record = folder / RECORD
    if record.is_file():
        known = _recorded(record)
        asked = {"bytes": film.stat().st_size, "count": known["count"] if count is None else count, "seed": seed}
        if other := [f"{key}: {known[key]} there, {value} here" for key, value in asked.items() if known[key] != value]:
            raise LeadError(
                f"{folder} holds frames of {film.name} that were drawn otherwise ({', '.join(other)}). "
                "Give another folder, or what was given then."
            )
        return list(known["frames"])
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise LeadError(f"{folder} is there, and no {RECORD} in it says what was drawn. Give another folder.")
    asked = {"bytes": film.stat().st_size, "count": COUNT if count is None else count, "seed": seed}
    squares, step, seen = _look(film, progress, candidates)
    numbers = [step * row for row in draw(squares, asked["count"], seed)]
    write_atomic(record, json.dumps({"film": film.name, **asked, "of": seen, "every": step, "frames": numbers}) + "\n")
    return numbers


def _recorded(record: Path) -> dict[str, Any]:
    try:
        known: dict[str, Any] = json.loads(read_text(record))
        if not {"bytes", "count", "seed", "frames"} <= known.keys():
            raise ValueError
    except (ValueError, AttributeError):
        raise LeadError(f"{record} is damaged. Delete its folder and run again.") from None
    return known


def _look(film: Path, progress: Callable[[int], None], candidates: int) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Small squares (N, SIDE, SIDE, 3) of frames 0, step, 2 · step … of a film; the step; how many frames it has."""
    squares: list[npt.NDArray[np.uint8]] = []
    step, seen = 1, 0
    with closing(decoded(film)) as stored:
        for frame in stored:
            if seen % step == 0:
                squares.append(thumbnail(frame, SIDE))
                if len(squares) > candidates:
                    squares, step = squares[::2], 2 * step
            seen += 1
            progress(seen)
    return np.stack(squares), step, seen


def _extract(film: Film, folder: Path, numbers: Sequence[int], progress: Callable[[int], None]) -> None:
    missing = [number for number in numbers if not (folder / _file(number)).exists()]
    with closing(frames(film.path, missing)) as wanted:
        for number, picture in wanted:
            with replacing(folder / _file(number)) as partial:
                picture.save(partial, "PNG", compress_level=1)
            progress(film.count + number)
