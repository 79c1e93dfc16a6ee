"""Key-point frames of the YouTube Faces: ``images/``, ``images.csv`` and ``landmarks.csv``, 68 points in iBUG order."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from lead.datasets.base import Dataset
from lead.datasets.faces import EYES, OUTER_EYE_CORNERS, POINTS, SCHEMA_5, SCHEMA_68
from lead.datasets.table import check_pictures, read_table
from lead.errors import LeadError
from lead.landmarks.io import read_labels
from lead.landmarks.model import Labels


def present(root: Path) -> bool:
    """Whether a folder looks like the YouTube faces'."""
    return (root / "images.csv").is_file() and (root / "landmarks.csv").is_file()


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
        normaliser={"5": EYES, "68": OUTER_EYE_CORNERS},
    )


def five_points(labels: Labels) -> Labels:
    """The five-point form of 68-point labels."""
    xy = labels.xy
    eyes = [xy[:, 36:42].mean(1), xy[:, 42:48].mean(1)]
    return Labels.from_xy(SCHEMA_5, labels.images, np.stack([*eyes, xy[:, 30], xy[:, 48], xy[:, 54]], axis=1))


def _labels(path: Path) -> Labels:
    table, _ = read_labels(path)
    if table.schema.names != tuple(map(str, range(POINTS))):
        raise LeadError(f"{path}: expected the columns file, x0, y0, … x{POINTS - 1}, y{POINTS - 1}.")
    return Labels.from_xy(SCHEMA_68, (f"images/{file}" for file in table.images), table.xy)
