"""How many points are still placed or moved by hand where the studio suggests them, and what accepting unseen does.

    python -m benchmarks.studies.labelling_share bees RUN FOLDER [--pictures 20] [--seeds 0 1 2] [--results results]

Two simulated annotators label pictures of a data set's training part through the studio's HTTP interface, in the order
that it chooses; each seed has a first picture of its own.

The *careful* one has the truth. It moves a suggested point only if it is farther from the truth than the tolerance, in
percent of the unit length, and accepts the others. What it places and moves is counted as a share of all points of the
pictures labelled, which is what it would place without suggestions.

The *careless* one places all points on the first five pictures and then accepts whatever is suggested on the next
seven. What the page says of its own error (the headline) is noted before and after, beside the true error of the
suggestions that were accepted. A headline that falls while nothing was checked misleads.

Data sets: ``ytfaces`` (five points; a folder of 300 pictures; unit: the distance between the eyes), ``bees`` (COCO
key points; every third folder by name is left for testing) and ``shells`` (TPS; the last third is left for testing).
The unit of the two is the diagonal of the box around a picture's points.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402

from benchmarks.measuring import keep, table  # noqa: E402
from benchmarks.studies.labelling_effort import Annotator, Effort, Truth, studio  # noqa: E402
from lead.datasets import ytfaces  # noqa: E402
from lead.evaluation.metrics import unit_lengths  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.training.run import Run  # noqa: E402

BY_HAND, UNSEEN = 5, 7
"""Pictures that the careless annotator labels by hand, and those on which it accepts all."""
FOLDER = 300
"""Pictures of a folder of faces."""


@dataclass(frozen=True)
class Set(Truth):
    """Labelled pictures to train on.

    Attributes:
        root: what the labels' paths are relative to.
    """

    root: Path


def extents(labels: Labels) -> FloatArray:
    """(n,) diagonals of the boxes around the pictures' points, in pixels."""
    size = np.nanmax(labels.xy, axis=1) - np.nanmin(labels.xy, axis=1)
    diagonal: FloatArray = np.hypot(size[:, 0], size[:, 1])
    return diagonal


def _faces(root: Path, seed: int) -> Set:
    data = ytfaces.load(root)
    parts = dict(zip(data.files, data.split, strict=True))
    points = data.points("5")
    rows = [row for row, file in enumerate(points.images) if parts[file] == "train"]
    random = np.random.default_rng(mixed_seed(seed, "folder"))
    labels = points.take(sorted(random.choice(rows, FOLDER, replace=False).tolist()))
    return Set(labels, unit_lengths(labels, data.normaliser["5"]), root)


def bees_for_testing(labels: Labels) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(n,) which pictures of bees are left for testing: those of every third folder by name."""
    folders = [image.split("/")[0] for image in labels.images]
    return np.isin(folders, sorted(set(folders))[::3])


def _bees(root: Path, _: int) -> Set:
    labels = load_labels(root / "bees.json")
    labels = labels.take(np.flatnonzero(~bees_for_testing(labels)).tolist())
    return Set(labels, extents(labels), root / "pictures")


def _shells(root: Path, _: int) -> Set:
    labels = load_labels(root / "shells.tps", pictures=root / "pictures")
    order = sorted(range(len(labels)), key=lambda row: int("".join(filter(str.isdigit, labels.images[row]))))
    labels = labels.take(order[: 2 * len(order) // 3])
    return Set(labels, extents(labels), root / "pictures")


SETS: Mapping[str, Callable[[Path, int], Set]] = {"ytfaces": _faces, "bees": _bees, "shells": _shells}


@dataclass
class Careless:
    """What came of accepting all.

    Attributes:
        headline, after: the page's own error before and after, as a share of the longer side.
        true: mean distance of the accepted points from the truth, as a share of the longer side.
    """

    seed: int
    headline: float
    after: float
    true: float


class Worker:
    """An annotator at a folder, with the truth."""

    def __init__(self, annotator: Annotator, some: Set, seed: int) -> None:
        self.annotator, self.some = annotator, some
        self.first = int(np.random.default_rng(mixed_seed(seed, "first")).integers(len(some.labels)))
        self.done: list[int] = []

    def next(self) -> int:
        """The picture to label now: the seed's own, then those that the page chooses."""
        row = self.annotator.rows[self.annotator.get("next")["id"]] if self.done else self.first
        self.done.append(row)
        return row

    def label(self, row: int, tolerance: float | None, effort: Effort) -> None:
        """Labels a picture; waits until the page has learnt from it."""
        self.annotator.label(row, tolerance, effort)
        self.annotator.wait_for_fit(len(self.done))

    def suggested(self, row: int) -> FloatArray:
        """(K, 2) points that are suggested on a picture; NaN where none is."""
        points = self.annotator.get(f"pictures/{self.annotator.ids[row]}/suggestions")["points"]
        places = [points.get(name) for name in self.annotator.names]
        return np.array([(p["x"], p["y"]) if p else (np.nan, np.nan) for p in places])

    def headline(self) -> float:
        """The error that the page tells, as a share of the longer side; NaN for none."""
        told = self.annotator.get("state")["model"]["held_out"]
        return float("nan") if told is None else float(told)


def careful(worker: Worker, pictures: int, tolerance: float, seed: int) -> Effort:
    effort = Effort(seed, "studio", tolerance, 0.0)
    while len(worker.done) < pictures:
        worker.label(worker.next(), tolerance, effort)
    effort.pictures = len(worker.done)
    return effort


def careless(worker: Worker, seed: int) -> Careless:
    nothing = Effort(seed, "studio", None, 0.0)
    for _ in range(BY_HAND):
        worker.label(worker.next(), None, nothing)
    before, off = worker.headline(), []
    for _ in range(UNSEEN):
        row = worker.next()
        size = worker.annotator.get(f"pictures/{worker.annotator.ids[row]}")
        away = np.linalg.norm(worker.suggested(row) - worker.some.labels.xy[row], axis=-1)
        off.append(away / max(size["width"], size["height"]))
        worker.label(row, np.inf, nothing)
    return Careless(seed, before, worker.headline(), float(np.nanmean(off)))


def measure(run: Run, some: Set, seed: int, work: Callable[[Worker], Any]) -> Any:
    """An annotator's work on a folder that holds nothing but the set's pictures."""
    with tempfile.TemporaryDirectory() as place:
        for image in some.labels.images:
            target = Path(place) / Path(image).relative_to("images" if image.startswith("images/") else ".")
            target.parent.mkdir(exist_ok=True, parents=True)
            shutil.copyfile(some.root / image, target)
        with studio(run, Path(place), seed) as session:
            annotator = Annotator(session, some.labels.schema.names, some)
            annotator.wait_for_features()
            return work(Worker(annotator, some, seed))


COLUMNS = {
    "set": ("Pictures of", "{}"),
    "points": ("points a picture", "{}"),
    "share": ("placed or moved, %", "{}"),
    "headline": ("headline before, %", "{}"),
    "after": ("headline after, %", "{}"),
    "true": ("true error of the accepted, %", "{}"),
}


def spread(values: Sequence[float]) -> str:
    """Mean and standard deviation over seeds."""
    return f"{np.mean(values):.1f} ± {np.std(values):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path, help="the data set's folder")
    parser.add_argument("--pictures", type=int, default=20)
    parser.add_argument("--tolerance", type=float, default=5.0)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    run = Run.open(chosen.run)
    efforts: list[Effort] = []
    unseen: list[Careless] = []
    points = 0
    for seed in chosen.seeds:
        some = SETS[chosen.set](chosen.dataset, seed)
        points = len(some.labels.schema.names)
        work = partial(careful, pictures=chosen.pictures, tolerance=chosen.tolerance, seed=seed)
        efforts.append(measure(run, some, seed, work))
        unseen.append(measure(run, some, seed, partial(careless, seed=seed)))
        sys.stderr.write(f"{efforts[-1]}\n{unseen[-1]}\n")
    line = {
        "set": chosen.set,
        "points": points,
        "share": spread([100 * effort.actions / (effort.pictures * points) for effort in efforts]),
        "headline": spread([100 * one.headline for one in unseen]),
        "after": spread([100 * one.after for one in unseen]),
        "true": spread([100 * one.true for one in unseen]),
    }
    found = {
        "settings": run.settings.model_dump(mode="json"),
        "run": run.provenance,
        "set": chosen.set,
        "points": points,
        "pictures": chosen.pictures,
        "tolerance": chosen.tolerance,
        "seeds": chosen.seeds,
        "careful": [asdict(effort) for effort in efforts],
        "careless": [asdict(one) for one in unseen],
    }
    keep(f"labelling-share-{chosen.set}", found, table(COLUMNS, [line]), chosen.results)


if __name__ == "__main__":
    main()
