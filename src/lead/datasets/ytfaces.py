"""Key-point frames of the YouTube Faces: ``images/``, ``images.csv`` and ``landmarks.csv``, 68 points in iBUG order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lead.datasets.base import Dataset
from lead.datasets.table import check_pictures, read_table
from lead.errors import LeadError
from lead.landmarks.io import load_labels
from lead.landmarks.model import Labels, Schema

POINTS = 68
_NAMES = tuple(f"p{i}" for i in range(POINTS))

# Runs of iBUG points that a line joins: jaw, brows, bridge and foot of the nose, eyes, outer and inner lips.
_OPEN = ((0, 17), (17, 22), (22, 27), (27, 31), (31, 36))
_CLOSED = ((36, 42), (42, 48), (48, 60), (60, 68))
# Each run of points on the left of the picture, and their mirror images in the same order.
_MIRROR = (
    (range(8), range(16, 8, -1)),  # jaw
    (range(17, 22), range(26, 21, -1)),  # brows
    (range(31, 33), range(35, 33, -1)),  # nostrils
    (range(36, 40), range(45, 41, -1)),  # upper lids and corners of the eyes
    ((40, 41), (47, 46)),  # lower lids
    (range(48, 51), range(54, 51, -1)),  # upper lip
    ((59, 58), (55, 56)),  # lower lip
    ((60, 61, 67), (64, 63, 65)),  # inner lips
)

SCHEMA_68 = Schema(
    _NAMES,
    flip_pairs=tuple((f"p{a}", f"p{b}") for left, right in _MIRROR for a, b in zip(left, right, strict=True)),
    skeleton=tuple((f"p{i}", f"p{i + 1}") for first, end in (*_OPEN, *_CLOSED) for i in range(first, end - 1))
    + tuple((f"p{end - 1}", f"p{first}") for first, end in _CLOSED),
)
"""All points: ``p0`` … ``p67`` are those of iBUG's mark-up, whose first eye (36-41) is the person's right one."""

SCHEMA_5 = Schema(
    ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth"),
    flip_pairs=(("left_eye", "right_eye"), ("left_mouth", "right_mouth")),
)
"""The five of MAFL and AFLW. Left and right are the *picture's*: ``left_eye`` is the person's right eye."""


def load(root: Path) -> Dataset:
    """The dataset in a folder.

    Point sets: ``"68"`` as annotated, with the distance of the outer eye corners as unit of error; ``"5"`` derived
    from it (eye centres, tip of the nose, corners of the mouth), with the distance of the eye centres.

    Raises:
        LeadError: a file or column is missing, or the two tables contradict each other.
    """
    rows = read_table(root / "images.csv", ("file", "identity", "split", "labelled"))
    files = tuple(f"images/{row['file']}" for row in rows)
    check_pictures(root, files)
    labels = _labels(root / "landmarks.csv")
    labelled = {file for file, row in zip(files, rows, strict=True) if row["labelled"] == "1"}
    if odd := sorted(labelled.symmetric_difference(labels.images)):
        raise LeadError(
            f"{root}: images.csv and landmarks.csv disagree on whether {odd[0]} is labelled ({len(odd)} such pictures)."
        )
    return Dataset(
        name="ytfaces",
        root=root,
        files=files,
        identity=tuple(row["identity"] for row in rows),
        split=tuple(row["split"] for row in rows),
        labels=labels,
        point_sets={"5": five_points(labels), "68": labels},
        normaliser={"5": ("left_eye", "right_eye"), "68": ("p36", "p45")},
    )


def five_points(labels: Labels) -> Labels:
    """The five-point form of 68-point labels."""
    xy = labels.xy
    eyes = [xy[:, 36:42].mean(1), xy[:, 42:48].mean(1)]
    return Labels.from_xy(SCHEMA_5, labels.images, np.stack([*eyes, xy[:, 30], xy[:, 48], xy[:, 54]], axis=1))


def _labels(path: Path) -> Labels:
    table = load_labels(path)
    if table.schema.names != tuple(map(str, range(POINTS))):
        raise LeadError(f"{path}: expected the columns file, x0, y0, … x{POINTS - 1}, y{POINTS - 1}.")
    return Labels.from_xy(SCHEMA_68, (f"images/{file}" for file in table.images), table.xy)
