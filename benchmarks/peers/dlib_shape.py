"""dlib's shape predictor, trained as ml-morph does, on the labels and pictures of the study of large pictures.

    python -m benchmarks.peers.dlib_shape LABELS PICTURES [--labels 5 10 20 50 all] [--draws 5] [--no-detector]

Labels, judged pictures and unit are those of :mod:`benchmarks.studies.large`; *all* is once all pictures that are not
left for testing. dlib comes into an environment of its own, from the package index, of the versions below.

What ml-morph (Porto & Voje 2020) does, by its documentation, is done here: the box is that of the landmarks, with no
margin; pictures are grey and as large as they are; places are whole pixels. ``defaults`` are its trainers' default
options, ``example`` those of its example on wings. Of the two, what is better on pictures that are neither trained on
nor left for testing is reported: chosen once for a set of pictures and a kind of box, by the first draws of 5 and 20.

*True box* gives it the box of the judged picture's own true landmarks, which no user has: it tells place, size and
some of the landmarks' coordinates. *Found box* is that of dlib's detector, trained on the labelled boxes: its best
detection, or, where there is none, the mean of the labelled boxes. Pictures are shown to the detector reduced in whole
steps to at most ``SIDE`` pixels; at full size it takes many times as long.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.measuring import keep, table
from benchmarks.peers.environment import environment
from benchmarks.studies.labelling_share import extents
from benchmarks.studies.large import ERRORS, draw_labels, of_errors, split
from lead.files import default_cache, write_atomic
from lead.geometry import FloatArray
from lead.images.labels import load_labels
from lead.landmarks import Labels
from lead.landmarks.imglab import dump
from lead.landmarks.model import Schema
from lead.landmarks.pictures import PictureInfo
from lead.seeds import run_identity

PACKAGES = ("dlib-bin==20.0.1.post1", "numpy==2.4.6")
WORKER = Path(__file__).with_name("dlib_worker.py")
SIDE = 700
OPTIONS: dict[str, dict[str, float]] = {
    "defaults": {
        "num_trees_per_cascade_level": 500,
        "tree_depth": 4,
        "cascade_depth": 15,
        "nu": 0.1,
        "oversampling_amount": 10,
        "num_test_splits": 20,
        "feature_pool_size": 500,
    },
    "example": {
        "num_trees_per_cascade_level": 500,
        "tree_depth": 3,
        "cascade_depth": 20,
        "nu": 0.08,
        "oversampling_amount": 200,
        "num_test_splits": 20,
        "feature_pool_size": 700,
    },
}
DETECTORS: dict[str, dict[str, float]] = {
    "defaults": {"C": 5.0, "epsilon": 0.01},
    "example": {"C": 15.0, "epsilon": 0.001},
}
WINDOW = 0.65
"""In the example, the detector's window, of the smallest labelled box's area. ml-morph has 79,000 pixels for wings."""
CHOSEN_ON, CHOSEN_DRAWS = ("5", "20"), 1
"""Numbers of labels and of draws by which options are chosen."""
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Found:
    """Of one training.

    Attributes:
        away: (n, K) errors in pixels, of each kind of box and each part of the pictures, by "box/part".
        unit: (n,) the unit in pixels, of each part.
        missed: how many judged pictures have no detection, of each part.
        refused: why dlib would train no detector, so that nothing is detected; else None.
        seconds: of CPU, of each step.
        memory: the largest, in megabytes.
    """

    away: dict[str, FloatArray]
    unit: dict[str, FloatArray]
    missed: dict[str, int]
    refused: str | None
    seconds: dict[str, float]
    memory: float


def tight_box(points: FloatArray) -> Box:
    """(left, top, right, bottom) of the box around (K, 2) points, its last pixels included; NaN is left out."""
    whole = np.rint(points[np.isfinite(points).all(-1)]).astype(np.int64)
    (left, top), (right, bottom) = whole.min(0).tolist(), whole.max(0).tolist()
    return left, top, right, bottom


def usual_box(boxes: npt.NDArray[np.int64], sizes: npt.NDArray[np.int64], size: npt.NDArray[np.int64]) -> Box:
    """The mean of (n, 4) boxes in pictures of (n, 2) sizes, each as a share of its picture, in one of another size."""
    edges = boxes + np.array([0, 0, 1, 1])  # what lies beside the last pixels
    share = (edges / np.tile(sizes, 2)).mean(0)
    left, top, right, bottom = np.rint(share * np.tile(size, 2)).astype(np.int64).tolist()
    return left, top, right - 1, bottom - 1


def training_file(labels: Labels, pictures: Path) -> str:
    """The XML that dlib is trained on.

    Pictures are named by their whole path. dlib puts landmarks into the order of their names as text, in which "10"
    comes before "2": they are named so that this is our order.
    """
    names = tuple(f"{k:04d}" for k in range(len(labels.schema.names)))
    images = tuple((pictures / image).resolve().as_posix() for image in labels.images)
    return dump(replace(labels, schema=Schema(names), images=images), PictureInfo())


def detector_options(options: str, boxes: npt.NDArray[np.int64], longest: int) -> dict[str, float]:
    """Of ml-morph's trainer of detectors, for (n, 4) boxes in pictures so long."""
    values = {**DETECTORS[options], "upsample_limit": 0, "add_left_right_image_flips": False, "num_threads": 1}
    if options == "example":
        area = np.prod(boxes[:, 2:] - boxes[:, :2] + 1, axis=1).min() / math.ceil(longest / SIDE) ** 2
        values["detection_window_size"] = round(WINDOW * float(area))
    return values


def answered(job: Mapping[str, Any]) -> dict[str, Any]:
    """What dlib makes of a job, in a process of its own. The answer is kept in the cache, and read back."""
    kept = default_cache() / "peers" / f"{run_identity(dict(job), PACKAGES, WORKER.read_text(encoding='utf-8'))}.json"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "job.json").write_text(json.dumps(job), encoding="utf-8")
            subprocess.run(
                [environment(PACKAGES) / "python", WORKER, "job.json", "answer.json"], cwd=folder, check=True
            )
            write_atomic(kept, Path(folder, "answer.json").read_text(encoding="utf-8"))
    answer: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
    return answer


def measure(
    labels: Labels, pictures: Path, picked: list[int], parts: Mapping[str, list[int]], options: str, detect: bool
) -> Found:
    """Trains on the pictures picked and judges on each part."""
    files = [(pictures / image).resolve().as_posix() for image in labels.images]
    xy = np.where(labels.visible[..., None] > 0, labels.xy, np.nan)
    boxes = np.array([tight_box(points) for points in xy])
    sizes = np.array([Image.open(file).size for file in files])
    judged = [i for rows in parts.values() for i in rows]
    usual = {i: usual_box(boxes[picked], sizes[picked], sizes[i]) for i in judged}
    job = {
        "train": training_file(labels.take(picked), pictures),
        "options": {**OPTIONS[options], "num_threads": 1},
        "judged": [[files[i], boxes[i].tolist(), usual[i]] for i in judged],
        "learnt": [[files[i], boxes[i].tolist()] for i in picked],
        "detector": detector_options(options, boxes[picked], int(sizes[picked].max())) if detect else None,
        "side": SIDE,
    }
    answer = answered(job)
    away: dict[str, FloatArray] = {}
    for kind in ("true", "found"):
        if answer[kind] is not None:
            error = np.linalg.norm(np.array(answer[kind], dtype=np.float64) - xy[judged], axis=-1)
            away |= {f"{kind}/{part}": error[[judged.index(i) for i in rows]] for part, rows in parts.items()}
    lost = set(answer["missed"])
    return Found(
        away,
        {part: extents(labels)[rows] for part, rows in parts.items()},
        {part: sum(files[i] in lost for i in rows) for part, rows in parts.items()},
        answer["refused"],
        answer["seconds"],
        answer["memory"],
    )


def row(box: str, count: str, part: str, options: str, draws: Sequence[Found]) -> dict[str, object]:
    """What all draws come to; errors in percent of the unit."""
    away = [draw.away[f"{box}/{part}"] for draw in draws]
    errors = [one / draw.unit[part][:, None] for one, draw in zip(away, draws, strict=True)]
    trained = [draw.seconds["shape"] + (draw.seconds["detector"] if box == "found" else 0) for draw in draws]
    return {
        "labels": count,
        "box": box,
        "options": options,
        "draws": len(draws),
        **of_errors(away, errors),
        "missed": sum(draw.missed[part] for draw in draws) if box == "found" else 0,
        "refused": [draw.refused for draw in draws if draw.refused],
        "seconds": float(np.mean(trained)),
        "memory": max(draw.memory for draw in draws),
    }


COLUMNS = {
    "labels": ("Labels", "{}"),
    "box": ("box", "{}"),
    **ERRORS,
    "missed": ("not detected", "{}"),
    "seconds": ("CPU seconds to train", "{:.0f}"),
    "memory": ("MB", "{:.0f}"),
}


class Trainings:
    """Trainings on the labels of one set of pictures.

    Args:
        labels: of all pictures.
        pictures: their folder.
    """

    def __init__(self, labels: Labels, pictures: Path) -> None:
        self.labels, self.pictures = labels, pictures

    def picked(self, count: str, draw: int) -> list[int]:
        """The pictures trained on: so many, or all that are not left for testing."""
        return split(self.labels, "validation", []) if count == "all" else draw_labels(self.labels, int(count), draw)

    def found(self, count: str, draw: int, part: str, options: str, detect: bool) -> Found:
        """Of one draw, judged on one part of the pictures; with a detector or without."""
        picked = self.picked(count, draw)
        judged = {part: split(self.labels, part, picked)}
        made = measure(self.labels, self.pictures, picked, judged, options, detect)
        print(count, draw, part, options, made.seconds, f"{made.memory:.0f} MB", flush=True)
        return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("landmarks", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--name", help="of the result; by default the landmarks' file's")
    parser.add_argument("--labels", nargs="+", default=["5", "10", "20", "50", "all"], help="numbers, and all")
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--no-detector", action="store_true", help="true boxes only")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    labels = load_labels(chosen.landmarks, pictures=chosen.pictures)
    trainings = Trainings(labels, chosen.pictures)
    kinds = ("true",) if chosen.no_detector else ("true", "found")
    validation = []
    for options in OPTIONS:
        for count in CHOSEN_ON:
            draws = [
                trainings.found(count, draw, "validation", options, len(kinds) > 1) for draw in range(CHOSEN_DRAWS)
            ]
            validation += [row(kind, count, "validation", options, draws) for kind in kinds]
    best = {}
    for kind in kinds:
        tried = [r for r in validation if r["box"] == kind]
        mean = {name: np.mean([r["mean"] for r in tried if r["options"] == name]) for name in OPTIONS}
        best[kind] = min(mean, key=mean.__getitem__)
    print(best, flush=True)
    rows = []
    for count in chosen.labels:
        if count != "all" and len(trainings.picked(count, 0)) < int(count):
            continue
        several = range(1 if count == "all" else chosen.draws)
        for kind in kinds:
            detect = best.get("found") == best[kind]  # one training for both kinds of box, where options are the same
            draws = [trainings.found(count, draw, "test", best[kind], detect) for draw in several]
            rows.append(row(kind, count, "test", best[kind], draws))
    result = {
        "packages": PACKAGES,
        "draws": chosen.draws,
        "options": OPTIONS,
        "detector": None if chosen.no_detector else DETECTORS,
        "chosen": best,
        "validation": validation,
        "rows": rows,
    }
    keep(f"dlib-shape-{chosen.name or chosen.landmarks.stem}-test", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
