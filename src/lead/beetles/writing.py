"""Folders of drawn beetles."""

from __future__ import annotations

import csv
import json
import multiprocessing
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.beetles.rendering import (
    NORMALISER,
    SCHEMA,
    render,
)
from lead.errors import LeadError
from lead.geometry import FloatArray
from lead.images.labels import save_labels
from lead.landmarks.model import Labels


def write_beetles(
    out: Path,
    count: int,
    *,
    seed: int = 0,
    size: int = 128,
    species: int = 40,
    rotation: float | None = None,
    test_share: float = 0.25,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> None:
    """Render ``count`` pictures and their landmarks into a folder.

    It gets ``images/NNNNN.jpg``, ``landmarks.json`` (COCO key points), ``images.csv`` (file, identity, split) and
    ``dataset.json`` (the settings), and appears when everything is in it, or not at all. If it already holds the same
    data set nothing is done.

    Args:
        out: a folder that is missing or empty.
        count, seed, size, species, rotation: see :func:`render`.
        test_share: share of the species, the last ones, whose pictures are the test split.
        workers: processes; by default one for each thousand pictures, at most one for each processor. More than one
            needs the usual ``if __name__ == "__main__"`` in the script that calls this.
        progress: called with the number of pictures done and ``count``.

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
    _check(numbers, workers)
    settings: dict[str, object] = {"name": "beetles", "normaliser": list(NORMALISER), **numbers}
    if _already_there(out, settings):
        return
    with _appearing(out) as folder:
        (folder / "images").mkdir()
        draw = partial(_render_to_file, folder=folder, seed=seed, size=size, species=species, rotation=rotation)
        rows = list(_render_all(draw, count, workers, progress))
        images = tuple(map(_file, range(count)))
        xy, visible = np.stack([row.xy for row in rows]), np.stack([row.visible for row in rows])
        labels = Labels(SCHEMA, images, xy, visible)
        save_labels(labels, folder / "landmarks.json", sizes=dict.fromkeys(images, (size, size)))
        first_test = species - round(species * test_share)
        with (folder / "images.csv").open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(("file", "identity", "split"))
            for image, row in zip(images, rows, strict=True):
                split = "test" if row.species >= first_test else "train"
                table.writerow((image, f"species{row.species:03d}", split))
        (folder / "dataset.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def _file(index: int) -> str:
    return f"images/{index:05d}.jpg"


def _check(settings: Mapping[str, int | float], workers: int | None) -> None:
    least = {"seed": 0, "size": 32, "count": 1, "species": 1, "workers": 1}
    for name, value in (*settings.items(), ("workers", workers)):
        if name in least and value is not None and value < least[name]:
            raise LeadError(f"The beetles' {name} is {value}; give a whole number of at least {least[name]}.")
    if not 0 <= settings.get("rotation", 0) <= 180:
        raise LeadError(f"The beetles' rotation is {settings['rotation']}; give degrees from 0 to 180.")
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
    keys = {*settings, "rotation"}  # which is there only if it was given
    different = sorted(key for key in keys if not isinstance(found, dict) or found.get(key) != settings.get(key))
    if different:
        raise LeadError(
            f"{out} holds a data set of another {', '.join(different)}. Give a folder that is new or empty."
        )
    images = set((out / "images").glob("*.jpg"))
    parts = [out / name for name in ("landmarks.json", "images.csv")]
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
class _Row:
    """What is kept of a picture once it is on disk."""

    xy: FloatArray
    visible: npt.NDArray[np.int8]
    species: int


def _render_to_file(index: int, *, folder: Path, seed: int, size: int, species: int, rotation: float | None) -> _Row:
    drawn = render(index, seed=seed, size=size, species=species, rotation=rotation)
    Image.fromarray(drawn.pixels).save(folder / _file(index), "JPEG", quality=92)
    return _Row(drawn.xy, drawn.visible, drawn.species)


def _render_all(
    draw: Callable[[int], _Row], count: int, workers: int | None, progress: Callable[[int, int], None] | None
) -> Iterator[_Row]:
    """Render every picture into the folder, here or in worker processes, in order."""
    if workers is None:
        # A process costs about as long to start as a few hundred pictures to draw.
        workers = min(os.cpu_count() or 1, 1 + count // 1000)
    with ExitStack() as stack:
        rows: Iterator[_Row] = map(draw, range(count))
        if workers > 1:
            context = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=context))
            stack.callback(pool.shutdown, cancel_futures=True)  # after an error, do not draw the rest
            rows = pool.map(draw, range(count), chunksize=16)
        for done, row in enumerate(rows, start=1):
            yield row
            if progress is not None:
                progress(done, count)
