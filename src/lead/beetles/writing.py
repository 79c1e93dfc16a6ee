"""Folders of drawn beetles."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.beetles.rendering import (
    NORMALISER,
    SCHEMA,
    WITH_RULER,
    render,
    species_of,
)
from lead.beetles.scattering import LEAST_AND_MOST, MOST_SPECIMENS
from lead.beetles.trays import render_tray
from lead.errors import LeadError
from lead.geometry import FloatArray
from lead.images.labels import save_labels
from lead.landmarks.model import Labels
from lead.landmarks.scales import Scale, dump

Drawn = TypeVar("Drawn")


def write_beetles(
    out: Path,
    count: int,
    *,
    seed: int = 0,
    size: int = 128,
    species: int = 40,
    rotation: float | None = None,
    specimens: tuple[int, int] | None = None,
    ruler: bool = False,
    test_share: float = 0.25,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Render ``count`` pictures and their landmarks into a folder.

    It gets ``images/NNNNN.jpg``, ``landmarks.json`` (COCO key points), ``images.csv`` (file, identity, split) and
    ``dataset.json`` (the settings), and appears when everything is in it, or not at all. If it already holds the same
    data set nothing is done.

    Args:
        out: a folder that is missing or empty.
        count, seed, size, species, rotation: see :func:`render`, and :func:`render_tray` where there are specimens.
        specimens: the least and the greatest number of beetles in a picture, at most 300. ``landmarks.json`` then has
            an annotation for each beetle, with its box, and ``"complete": true`` for each picture; the identity of a
            picture is its own. By default each picture shows one beetle.
        ruler: whether one lies in each picture, its first and last line being landmarks; ``scales.csv`` then says how
            large a pixel truly is. Of pictures that show one beetle.
        test_share: share of the species, the last ones, whose pictures are the test split. No picture shows species of
            both splits.
        workers: processes; by default one for each thousand pictures, at most one for each processor. More than one
            needs the usual ``if __name__ == "__main__"`` in the script that calls this.
        progress: called with the number of pictures done and ``count``.

    Returns:
        How many beetles the pictures show.

    Raises:
        LeadError: a setting is out of range, or the folder holds something else.
    """
    numbers: dict[str, float] = {
        "seed": seed,
        "size": size,
        "count": count,
        "species": species,
        "test_share": test_share,
    }
    if rotation is not None:
        numbers["rotation"] = rotation
    _check(numbers, specimens, workers)
    if ruler and specimens is not None:
        raise LeadError("A ruler lies in pictures that show one beetle each: leave it or the specimens out.")
    settings: dict[str, object] = {"name": "beetles", "normaliser": list(NORMALISER), **numbers}
    if specimens is not None:
        settings["specimens"] = list(specimens)
    if ruler:
        settings["ruler"] = True
    if not _already_there(out, settings):
        first_test = species - round(species * test_share)
        how = _How(seed, size, rotation, ruler)
        with _appearing(out) as folder:
            (folder / "images").mkdir()
            if specimens is None:
                draw = partial(_render_to_file, folder=folder, how=how, species=species)
                identity = _save_beetles(list(_render_all(draw, count, workers, progress)), folder, size)
            else:
                kinds = range(first_test), range(first_test, species)
                draw_tray = partial(_tray_to_file, folder=folder, how=how, kinds=kinds, specimens=specimens)
                identity = _save_trays(list(_render_all(draw_tray, count, workers, progress)), folder, size)
            with (folder / "images.csv").open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(("file", "identity", "split"))
                for index, name in enumerate(identity):
                    split = "test" if species_of(index, species) >= first_test else "train"
                    table.writerow((_file(index), name, split))
            (folder / "dataset.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    if specimens is None:
        return count
    return len(json.loads((out / "landmarks.json").read_text(encoding="utf-8"))["annotations"])


def _file(index: int) -> str:
    return f"images/{index:05d}.jpg"


def _check(settings: Mapping[str, int | float], specimens: tuple[int, int] | None, workers: int | None) -> None:
    least = {"seed": 0, "size": 32, "count": 1, "species": 1, "workers": 1}
    for name, value in (*settings.items(), ("workers", workers)):
        if name in least and value is not None and value < least[name]:
            raise LeadError(f"The beetles' {name} is {value}; give a whole number of at least {least[name]}.")
    if not 0 <= settings.get("rotation", 0) <= 180:
        raise LeadError(f"The beetles' rotation is {settings['rotation']}; give degrees from 0 to 180.")
    if specimens is not None and not 0 <= specimens[0] <= specimens[1] <= MOST_SPECIMENS:
        raise LeadError(f"The beetles' specimens are {specimens[0]},{specimens[1]}; give {LEAST_AND_MOST}.")
    if not 0 <= settings["test_share"] < 1:
        raise LeadError(f"test_share is {settings['test_share']}; give a number from 0 up to, not including, 1.")


def _already_there(out: Path, settings: dict[str, object]) -> bool:
    """Whether ``out`` holds this data set. Raises :class:`LeadError` if it holds anything else."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise LeadError(f"{out} is not empty and holds no drawn beetles. Give a folder that is new or empty.") from None
    keys = {*settings, "rotation", "specimens", "ruler"}  # the last three are there only if they were given
    different = sorted(key for key in keys if not isinstance(found, dict) or found.get(key) != settings.get(key))
    if different:
        raise LeadError(
            f"{out} holds a data set of another {', '.join(different)}. Give a folder that is new or empty."
        )
    images = set((out / "images").glob("*.jpg"))
    parts = [out / name for name in ("landmarks.json", "images.csv", *(["scales.csv"] if "ruler" in settings else []))]
    if len(images) != settings["count"] or not all(part.is_file() for part in parts):
        raise LeadError(f"{out} holds these beetles, but not all of them. Give a folder that is new or empty.")
    return True


@contextmanager
def _appearing(out: Path) -> Iterator[Path]:
    """A temporary folder beside ``out`` that takes its place at the end, or vanishes after an error."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise LeadError(f"Cannot write {out}: {error.strerror}. Give a folder that can be made.") from error
    try:
        yield folder
        folder.chmod(0o755)
        if out.exists():
            out.rmdir()
        folder.rename(out)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class _How:
    """What all pictures of a folder have in common, as in :func:`render`."""

    seed: int
    size: int
    rotation: float | None
    ruler: bool


@dataclass(frozen=True)
class _Row:
    """What is kept of a picture once it is on disk."""

    xy: FloatArray
    visible: npt.NDArray[np.int8]
    species: int
    scale: float | None


@dataclass(frozen=True)
class _TrayRow:
    """What is kept of a picture of several."""

    xy: FloatArray
    visible: npt.NDArray[np.int8]
    boxes: FloatArray


def _render_to_file(index: int, *, folder: Path, how: _How, species: int) -> _Row:
    drawn = render(index, seed=how.seed, size=how.size, species=species, rotation=how.rotation, ruler=how.ruler)
    _save_picture(drawn.pixels, folder / _file(index))
    return _Row(drawn.xy, drawn.visible, drawn.species, drawn.scale)


def _tray_to_file(
    index: int, *, folder: Path, how: _How, kinds: tuple[range, range], specimens: tuple[int, int]
) -> _TrayRow:
    """``kinds`` are the species of the two splits, which follow one another."""
    train, test = kinds
    in_test = species_of(index, test.stop) in test
    drawn = render_tray(
        index,
        specimens=specimens,
        seed=how.seed,
        size=how.size,
        species=test if in_test else train,
        rotation=how.rotation,
    )
    _save_picture(drawn.pixels, folder / _file(index))
    return _TrayRow(drawn.xy, drawn.visible, drawn.boxes)


def _save_picture(pixels: npt.NDArray[np.uint8], path: Path) -> None:
    Image.fromarray(pixels).save(path, "JPEG", quality=92)


def _save_beetles(rows: Sequence[_Row], folder: Path, size: int) -> list[str]:
    """Write the landmarks of pictures of one beetle each. Returns the pictures' individuals."""
    images = tuple(map(_file, range(len(rows))))
    scales = {image: Scale.square(row.scale) for image, row in zip(images, rows, strict=True) if row.scale}
    schema = WITH_RULER if scales else SCHEMA
    labels = Labels(schema, images, np.stack([row.xy for row in rows]), np.stack([row.visible for row in rows]))
    save_labels(labels, folder / "landmarks.json", sizes=dict.fromkeys(images, (size, size)))
    if scales:
        (folder / "scales.csv").write_text(dump(scales), encoding="utf-8")
    return [f"species{row.species:03d}" for row in rows]


def _save_trays(rows: Sequence[_TrayRow], folder: Path, size: int) -> list[str]:
    """Write the landmarks and boxes of pictures of several. Returns the pictures' individuals, each its own."""
    blank = np.zeros((1, len(SCHEMA.names)), np.int8)  # of a picture without any
    images = [_file(index) for index in range(len(rows))]
    labels = Labels(
        SCHEMA,
        tuple(image for image, row in zip(images, rows, strict=True) for _ in range(max(len(row.xy), 1))),
        np.concatenate([row.xy if len(row.xy) else np.zeros((*blank.shape, 2)) for row in rows]),
        np.concatenate([row.visible if len(row.xy) else blank for row in rows]),
        tracks=("",) * sum(max(len(row.xy), 1) for row in rows),
        boxes=np.concatenate([row.boxes if len(row.xy) else np.full((1, 4), np.nan) for row in rows]),
        complete=frozenset(images),
    )
    save_labels(labels, folder / "landmarks.json", sizes=dict.fromkeys(images, (size, size)))
    return [f"tray{index:05d}" for index in range(len(rows))]


def _render_all(
    draw: Callable[[int], Drawn], count: int, workers: int | None, progress: Callable[[int, int], None] | None
) -> Iterator[Drawn]:
    """Render every picture into the folder, here or in worker processes, in order."""
    if workers is None:
        # A process costs about as long to start as a few hundred pictures to draw.
        workers = min(os.cpu_count() or 1, 1 + count // 1000)
    with ExitStack() as stack:
        rows: Iterator[Drawn] = map(draw, range(count))
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
            stack.callback(pool.shutdown, cancel_futures=True)  # after an error, do not draw the rest
            rows = pool.map(draw, range(count), chunksize=16)
        for done, row in enumerate(rows, start=1):
            yield row
            if progress is not None:
                progress(done, count)
