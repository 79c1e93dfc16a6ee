"""Unaligned MAFL: MAFL's faces cut from CelebA's pictures in the wild by their bounding boxes (LEAD, section 4.4).

It lies in CelebA's folder (see :mod:`lead.datasets.celeba` for the partition table and MAFL's lists) and needs::

    Img/img_celeba/                    the pictures before alignment
    Anno/list_bbox_celeba.txt          202,599 boxes: x_1 y_1 width height
    Anno/list_landmarks_celeba.txt     202,599 times five points

LEAD makes each box's sides longer by a zoom-out factor before it cuts: a random one from 1 to 1.5 for the pictures to
fit on, from 1 to 2 for those to test, of which more than 1.5 are scales never seen. So that every factor can be had
from one store, pictures are shown at factor 2, the widest: the central half of each is the box itself, factor 1. The
paper does not say what becomes of boxes that are not square; ours are stretched to the square. Beyond the picture is
black. Published coordinates are taken as they are, counted from 0.
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
WIDEST = 2.0
"""The greatest zoom-out factor of the paper."""


def present(root: Path) -> bool:
    """Whether a folder looks like CelebA's with MAFL's lists and the boxes of pictures in the wild."""
    return (root / "MAFL").is_dir() and (root / BOXES).is_file()


def load(
    root: Path, *, zoom_out: float = WIDEST, counts: Counts = COUNTS, celeba_counts: Counts = celeba.COUNTS
) -> Dataset:
    """MAFL's splits and order with one point set, ``"5"``, whose unit of error is the distance of the eyes (IOD).

    Args:
        root: of CelebA.
        zoom_out: by which the published boxes' sides are made longer, about their centres.
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
    identity, boxes = celeba.identities(root, names), zoomed_out(boxes, zoom_out)
    return Dataset.labelled(
        "mafl-unaligned", root, labels, split.values(), points="5", unit=EYES, identity=identity, boxes=boxes
    )


def zoomed_out(boxes: npt.NDArray[np.float64], factor: float) -> npt.NDArray[np.float64]:
    """Boxes (N, 4) of x, y, width, height with their sides times ``factor`` and their centres kept."""
    sides = boxes[:, 2:] * factor
    return np.concatenate([boxes[:, :2] + (boxes[:, 2:] - sides) / 2, sides], axis=1)
