"""AFLW_R: tighter crops of AFLW's faces with five points.

Files of the root (DVE's ``aflw_release-2``)::

    aflw_train_images.txt, aflw_test_images.txt          paths below output/
    aflw_train_keypoints.mat, aflw_test_keypoints.mat    gt: N × 5 × 2 (row, column); hw: N × 2 (height, width)
    output/…                                             the pictures

Each picture is squashed to a square. Published coordinates are taken as they are, with nothing taken off, as in DVE.
At the peers' 136 pixels theirs is ``x · 136/width`` and ours ``(x + 0.5) · 136/width - 0.5``, the same shift for every
point of a picture. Errors here are measured in the picture's own pixels and the peers' in the squashed square: the two
are the same only where a crop is square.

DVE reports 132 duplicates in the test list. A picture that a list names twice stands here once, where it is named
first; one that both lists name is tested on and not trained on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lead.datasets.archive import Archive, Counts, FloatArray
from lead.datasets.base import Dataset
from lead.datasets.faces import EYES, SCHEMA_5
from lead.landmarks.model import Labels

ARCHIVE = Archive("AFLW_R", "https://github.com/jamt9000/DVE/tree/master/misc/datasets")
COUNTS: Counts = {"train": 10_122, "test": 2_991}


def present(root: Path) -> bool:
    """Whether a folder looks like that of the release."""
    return any((root / f"aflw_{part}_images.txt").is_file() for part in COUNTS)


def load(root: Path, *, counts: Counts = COUNTS) -> Dataset:
    """AFLW_R with one point set, ``"5"``, whose unit of error is the distance of the eyes (IOD). No identities.

    Raises:
        LeadError: a file is missing, is not of the published length, or is of another version.
    """
    rows: dict[str, _Row] = {}
    for part in ("test", "train"):
        for row in _read(root, part, counts[part]):
            rows.setdefault(row.file, row)
    ordered = [row for part in ("train", "test") for row in rows.values() if row.split == part]
    files = tuple(row.file for row in ordered)
    ARCHIVE.check_pictures(root, files)
    labels = Labels.from_xy(SCHEMA_5, files, np.array([row.xy for row in ordered]))
    boxes = np.array([(0, 0, *row.size) for row in ordered], dtype=np.float64)
    split = (row.split for row in ordered)
    return Dataset.labelled("aflw-r", root, labels, split, points="5", unit=EYES, boxes=boxes)


@dataclass(frozen=True)
class _Row:
    """A picture of a list: its split, its points (5, 2) as (x, y), its width and height."""

    file: str
    split: str
    xy: FloatArray
    size: FloatArray


def _read(root: Path, part: str, count: int) -> list[_Row]:
    listing, mat = f"aflw_{part}_images.txt", f"aflw_{part}_keypoints.mat"
    names = [line.strip() for line in ARCHIVE.lines(root, listing)]
    ARCHIVE.check_count(root / listing, "picture", len(names), count)
    points, sizes = ARCHIVE.mat(root, mat, "gt", "hw")
    for name, found, shape in (("gt", points, (count, 5, 2)), ("hw", sizes, (count, 2))):
        if found.shape != shape:
            raise ARCHIVE.other(root / mat, f"{name} has the shape {found.shape}, not {shape}")
    xy, size = points[..., ::-1].astype(np.float64), sizes[:, ::-1].astype(np.float64)
    return [_Row(f"output/{name}", part, xy[i], size[i]) for i, name in enumerate(names)]
