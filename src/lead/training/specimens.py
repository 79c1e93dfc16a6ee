"""What a run learns from where specimens are small in their pictures: windows that show one each."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lead import processes
from lead.config import ALL_ROUND, Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.features import Extractor, FeatureSource
from lead.files import default_cache, write_atomic
from lead.finding import found_in
from lead.geometry import FloatArray
from lead.images.build import open_store
from lead.images.crops import Originals
from lead.images.placing import placed
from lead.images.store import ImageStore
from lead.landmarks.frames import frame_of
from lead.landmarks.model import Labels
from lead.nn.finder import WINDOW
from lead.reporting import Progress, Say, counted
from lead.seeds import mixed_seed
from lead.training.finder import fit_finder
from lead.training.run import Run
from lead.training.several import taught_by

_Windows = list[tuple[str, list[float]]]
"""Pictures, and x, y, width and height of a square in each."""
WINDOWS = "windows.json"
"""File in a run's folder: what it learns from."""
MOST = 2000
"""Windows that are learnt from, at most."""
SEARCHED = 400
"""Pictures that are searched for specimens, at most."""
SHIFTED, SCALED = 0.12, 0.15
"""Extents by which windows stand aside, and the logarithm of how much larger or smaller they are; up to that."""
TRIED = 12
"""Places of a picture that are compared for what they show, for each window that is kept."""


def windowed(
    dataset: Dataset,
    settings: Settings,
    run: Run,
    *,
    labels: Labels | Path | str | None,
    extent: float | None,
    progress: Progress | None,
    say: Say,
) -> tuple[Dataset, Settings, _Windows | None]:
    """A dataset of windows onto the pictures of another, settings that say how far views of them turn, and the windows.

    The first two stay as they are, and there are no windows, where neither labels nor an extent are given, nor were as
    the run began.

    Which windows is written to the run's folder as soon as that is there, and read from it when training goes on.

    Args:
        dataset: of the pictures.
        settings: of the run, as they were asked for.
        run: whose first network finds specimens, from labels.
        labels: of some specimens, or their file.
        extent: of a specimen, as a share of the picture's longer side, where nothing is labelled yet.
        progress: called as pictures are searched.
        say: told how many windows there are, and of how many pictures.

    Raises:
        LeadError: the extent is no share, or nothing is labelled that says one.
    """
    kept = run.folder / WINDOWS
    if kept.exists():
        windows = _read(kept)
    elif (labels is not None or extent is not None) and processes.count() > 1:
        raise LeadError(
            "Windows are chosen by one process. Begin the run without torchrun or srun; once it trains, interrupt it, "
            "and go on with as many processes as you like."
        )
    elif labels is not None:
        windows = _found(dataset, run, placed(labels, dataset.root, say, several=True)[1], progress, say)
    elif extent is None:
        return dataset, settings, None
    else:
        if not 0 < extent < 1:
            raise LeadError(
                f"--extent {extent:g} is no share of a picture's longer side: give one between 0 and 1, 0.1 say."
            )
        windows = _anywhere(dataset, run, extent, progress)
    of = len({file for file, _ in windows})
    say(f"Learns from {counted(len(windows), 'window')} onto {counted(of, 'picture')}.")
    if settings.distill.views.rotation == "auto":  # a few specimens that agree by chance would say otherwise
        say(f"Where there are several specimens, each may lie any way (distill.views.rotation={ALL_ROUND:g}).")
        settings = settings.with_rotation(ALL_ROUND)
    at = {file: i for i, file in enumerate(dataset.files)}
    rows = [at[file] for file, _ in windows if file in at]
    shown = replace(
        dataset,
        files=tuple(dataset.files[i] for i in rows),
        identity=tuple(dataset.identity[i] for i in rows),
        split=tuple(dataset.split[i] for i in rows),
        boxes=np.array([box for file, box in windows if file in at], dtype=np.float64),
        labels=None,
        point_sets={},
        normaliser={},
    )
    return shown, settings, windows


def keep_windows(run: Run, windows: _Windows | None) -> None:
    """Writes what a run learns from into its folder, once."""
    if windows is not None and not (run.folder / WINDOWS).exists():
        write_atomic(run.folder / WINDOWS, json.dumps(windows), overwrite=False)


def _read(path: Path) -> _Windows:
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        return [(str(file), [float(v) for v in (x, y, width, height)]) for file, (x, y, width, height) in entries]
    except (OSError, ValueError, TypeError) as error:
        raise LeadError(f"{path} is damaged ({error}). Delete it, or give another --out.") from error


def _store(dataset: Dataset, files: Sequence[str], run: Run, progress: Progress | None) -> ImageStore:
    picture = run.settings.picture
    return open_store(dataset.root, files, picture.store, default_cache(), showing=picture.showing, progress=progress)


def _found(dataset: Dataset, run: Run, labels: Labels, progress: Progress | None, say: Say) -> _Windows:
    """Windows around labelled specimens, and around those that are found in some of the other pictures."""
    train = [dataset.files[i] for i in dataset.rows("train")]
    labelled = [file for file in dict.fromkeys(labels.images) if file in set(train)]
    if not labelled:
        step = (
            "Write the labelled frames as pictures (lead frames LABELS --out DIR), and name their folder as DATA"
            if frame_of(labels.images[0])
            else "Name the folder that the labels' paths start from as DATA"
        )
        first = f"is among those of {dataset.root}; the first is {labels.images[0]!r}"
        raise LeadError(f"None of the labelled pictures {first}. {step}.")
    seed = run.settings.seed
    random = np.random.default_rng(mixed_seed(seed, "windows"))
    others = [file for file in train if file not in set(labelled)]
    some = [others[i] for i in np.sort(random.permutation(len(others))[:SEARCHED])]
    store = _store(dataset, [*labelled, *some], run, progress)
    labels = labels.take([i for i, image in enumerate(labels.images) if image in set(store.files) & set(labelled)])
    settings = run.settings
    source = FeatureSource(Extractor(run.initial_backbone(), settings.picture, settings.hypercolumn), store)
    rows = np.array([store.index(image) for image in labels.images], dtype=np.int64)
    taught, turned, centre, extent = taught_by(source, rows, labels, turned=settings.turned)
    known = ~extent.isnan()
    places = [(rows[i], centre[i], extent[i]) for i in torch.nonzero(known)[:, 0].tolist()]
    if labels.complete and some:
        finder = fit_finder(source, taught, turned=turned, seed=seed).finder
        searched = [store.index(file) for file in some if file in set(store.files)]
        for number, row in enumerate(searched):
            found, likely = found_in(finder, source, row, Originals(keep=True))
            sure = torch.nonzero(likely >= 0.5)[:, 0].tolist()
            places += [(row, found.centre[i], found.extent[i]) for i in sure]
            if progress:
                progress(number + 1, len(searched))
            if len(places) >= MOST:
                break
    else:
        say("No labelled picture is marked as complete: only windows around labelled specimens are learnt from.")
    out = []
    frame = source.extractor.frame
    for row, middle, size in places[:MOST]:
        scale = math.exp(random.uniform(-SCALED, SCALED)) * frame.side / frame.shown
        aside = random.uniform(-SHIFTED, SHIFTED, 2) * float(size)
        at = source.places([int(row)], (middle.double().numpy() + aside)[None, None])[0, 0]
        side = WINDOW * float(size) * float(source.pixels([int(row)])[0]) * scale
        out.append((store.files[int(row)], _box(at, side, store.sizes[int(row)])))
    return out


def _box(middle: FloatArray, side: float, size: npt.NDArray[np.int64]) -> list[float]:
    """x, y, width, height of a square, inside of the picture as far as it is not larger."""
    corner = middle + 0.5 - side / 2
    corner = np.where(side < size, np.clip(corner, 0, np.maximum(size - side, 0)), corner)
    return [round(float(v), 2) for v in (*corner, side, side)]


def _anywhere(dataset: Dataset, run: Run, extent: float, progress: Progress | None) -> _Windows:
    """Windows of one size, where pictures show most: specimens are seldom what is plainest in them."""
    train = [dataset.files[i] for i in dataset.rows("train")]
    random = np.random.default_rng(mixed_seed(run.settings.seed, "windows"))
    chosen = [train[i] for i in np.sort(random.permutation(len(train))[:MOST])]
    store = _store(dataset, chosen, run, progress)
    each = max(min(MOST // len(store), round(0.5 / extent**2)), 1)
    picture = run.settings.picture
    around = 1 / picture.frame
    out = []
    for row in range(len(store)):
        size, scale = store.sizes[row], store.scale[row]
        side = 2 * WINDOW * extent * float(size.max()) * around
        room = np.maximum(size - side, 0)
        middles = random.uniform(0, 1, (each * TRIED, 2)) * room + np.minimum(side, size) / 2 - 0.5
        half = side / 2 * float(scale.mean())
        shown = store.to_store([row], middles[None])[0]
        values = [_busy(store.pixels[row], place, half) for place in shown]
        kept: list[FloatArray] = []
        for i in np.argsort(values)[::-1]:
            if all(np.abs(middles[i] - one).max() > side / 3 for one in kept) and len(kept) < each:
                kept.append(middles[i])
        out += [(store.files[row], _box(one, side, size)) for one in kept]
    return out


def _busy(pixels: npt.NDArray[np.uint8], middle: FloatArray, half: float) -> float:
    """How much brightness and colour vary in a square of a stored picture."""
    left, top = (max(int(v), 0) for v in np.floor(middle - half))
    right, bottom = (int(v) + 1 for v in np.ceil(middle + half))
    return float(pixels[top:bottom, left:right].std((0, 1)).sum())
