"""MAFL, the part of CelebA that face landmarks are judged on: 19,000 pictures to fit on, 1,000 to test, five points.

It lies in CelebA's folder (see :mod:`lead.datasets.celeba`) and needs ``Anno/list_landmarks_align_celeba.txt`` beside
the files named there. Pictures come in the order of CelebA's partition table, not of MAFL's lists, as in DVE. Every
picture shows the 178 × 178 pixels below its uppermost 30 rows.

The published coordinates are taken as they are, counted from 0, as the peers take them. The peers resize a coordinate
as x · 136/178, we as (x + 0.5) · 136/178 - 0.5, which is smaller by 0.118 pixels of their 136 for every point; an
error, being a difference, is the same.
"""

from __future__ import annotations

from pathlib import Path

from lead.datasets import celeba
from lead.datasets.archive import Counts
from lead.datasets.base import Dataset
from lead.datasets.faces import EYES, SCHEMA_5
from lead.landmarks.model import Labels

COUNTS = celeba.MAFL_COUNTS
LANDMARKS = "Anno/list_landmarks_align_celeba.txt"


def present(root: Path) -> bool:
    """Whether a folder looks like CelebA's with MAFL's lists and the landmarks of aligned pictures."""
    return (root / "MAFL").is_dir() and (root / LANDMARKS).is_file()


def load(root: Path, *, counts: Counts = COUNTS, celeba_counts: Counts = celeba.COUNTS) -> Dataset:
    """MAFL with one point set, ``"5"``, whose unit of error is the distance of the eyes (IOD).

    Raises:
        LeadError: a file is missing, is not of the published length, or is of another version.
    """
    split = celeba.mafl_splits(root, celeba.read_partition(root, celeba_counts), counts)
    names = list(split)
    files = celeba.aligned(root, names)
    labels = Labels.from_xy(SCHEMA_5, files, celeba.five_points(root, LANDMARKS, names, celeba_counts))
    boxes = celeba.crops(len(files))
    identity = celeba.identities(root, names)
    return Dataset.labelled("mafl", root, labels, split.values(), points="5", unit=EYES, identity=identity, boxes=boxes)
