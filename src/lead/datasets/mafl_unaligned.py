"""Unaligned MAFL: MAFL's faces cut from CelebA's pictures in the wild by their bounding boxes (LEAD, section 4.4).

It lies in CelebA's folder (see :mod:`lead.datasets.celeba` for the partition table and MAFL's lists) and needs::

    Img/img_celeba/                    the pictures before alignment
    Anno/list_bbox_celeba.txt          202,599 boxes: x_1 y_1 width height
    Anno/list_landmarks_celeba.txt     202,599 times five points

LEAD makes each box's sides longer by a random zoom-out factor before it cuts: 1 to 1.5 for the pictures to fit on, 1
to 2 for those to test, of which more than 1.5 are scales never seen. The paper does not publish its draws; ours are
seeded. It does not say what becomes of boxes that are not square; ours are stretched to the square, about their own
centre. Published coordinates are taken as they are, counted from 0.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lead.datasets import celeba
from lead.datasets.archive import Counts
from lead.datasets.base import Dataset
from lead.datasets.faces import EYES, SCHEMA_5
from lead.landmarks.model import Labels

COUNTS = celeba.MAFL_COUNTS
PICTURES = "Img/img_celeba"
BOXES = "Anno/list_bbox_celeba.txt"
LANDMARKS = "Anno/list_landmarks_celeba.txt"
ZOOM = {"train": (1.0, 1.5), "test": (1.0, 2.0)}
"""Least and greatest zoom-out factor of a split's boxes."""


def present(root: Path) -> bool:
    """Whether a folder looks like CelebA's with MAFL's lists and the boxes of pictures in the wild."""
    return (root / "MAFL").is_dir() and (root / BOXES).is_file()


def load(root: Path, *, seed: int = 0, counts: Counts = COUNTS, celeba_counts: Counts = celeba.COUNTS) -> Dataset:
    """MAFL's splits and order with one point set, ``"5"``, whose unit of error is the distance of the eyes (IOD).

    Args:
        root: of CelebA.
        seed: of the zoom-out factors; the boxes of the dataset say what came of them.
        counts: expected of MAFL's splits.
        celeba_counts: expected of CelebA's tables.

    Raises:
        LeadError: a file is missing, is not of the published length, or is of another version.
    """
    split = celeba.mafl_splits(root, celeba.read_partition(root, celeba_counts), counts)
    names = list(split)
    folder = celeba.ARCHIVE.path(root, PICTURES).relative_to(root).as_posix()
    files = tuple(f"{folder}/{name}" for name in names)
    celeba.ARCHIVE.check_pictures(root, files)
    labels = Labels.from_xy(SCHEMA_5, files, celeba.five_points(root, LANDMARKS, names, celeba_counts))
    boxes = celeba.annotated(root, BOXES, ("x_1", "y_1", "width", "height"), names, celeba_counts)
    low, high = np.array([ZOOM[part] for part in split.values()]).reshape(-1, 2).T
    return Dataset(
        name="mafl-unaligned",
        root=root,
        files=files,
        identity=celeba.identities(root, names),
        split=tuple(split.values()),
        labels=labels,
        point_sets={"5": labels},
        normaliser={"5": EYES},
        boxes=zoomed_out(boxes, np.random.default_rng(seed).uniform(low, high)),
    )


def zoomed_out(boxes: npt.NDArray[np.float64], factors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Boxes (N, 4) of x, y, width, height with their sides times ``factors`` (N,) and their centres kept."""
    sides = boxes[:, 2:] * factors[:, None]
    return np.concatenate([boxes[:, :2] + (boxes[:, 2:] - sides) / 2, sides], axis=1)
