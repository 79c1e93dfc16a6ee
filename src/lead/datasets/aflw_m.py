r"""AFLW_M: faces of AFLW with five points, to train from one archive of crops and to test from MTFL's.

Files of the root::

    aflw_cropped/facedata_cropped.csv    a header; columns image_file, crop_file, set, … of which the fifth to the
                                         fourteenth are x and y of five points by turns; set 1 is to train
    aflw_cropped/…                       the pictures that crop_file names
    MTFL/testing.txt                     a picture, x of five points, y of five points, and more; no header
    MTFL/AFLW/…                          the pictures that it names

MTFL's lines divide their columns by blanks or commas and may write ``AFLW\0001-image….jpg`` or with a slash. All
pictures are 150 × 150 pixels, which the peers assume and we check; they are shown whole.

Published coordinates count from 1, so 1 is taken off: what the peers call ``(x - 1) · 136/150`` at their 136 pixels is
``x - 1`` here, and ``(x - 0.5) · 136/150 - 0.5`` at 136 pixels, which is smaller by 0.047 for every point. An error,
being a difference, is the same.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np

from lead.datasets.archive import Archive, Counts, FloatArray
from lead.datasets.base import Dataset
from lead.datasets.faces import EYES, SCHEMA_5
from lead.files import read_text
from lead.landmarks.model import Labels
from lead.reporting import counted

CROPPED = Archive("AFLW crops of Thewlis et al.", "https://github.com/jamt9000/DVE/tree/master/misc/datasets")
MTFL = Archive("MTFL", "https://mmlab.ie.cuhk.edu.hk/projects/TCDCN.html")
COUNTS: Counts = {"train": 10_122, "test": 2_995}
TRAIN, TEST = "aflw_cropped/facedata_cropped.csv", "MTFL/testing.txt"
SIZE = (150, 150)


def present(root: Path) -> bool:
    """Whether a folder looks like that of the two archives."""
    return (root / TRAIN).is_file() or (root / TEST).is_file()


def load(root: Path, *, counts: Counts = COUNTS) -> Dataset:
    """AFLW_M with one point set, ``"5"``, whose unit of error is the distance of the eyes (IOD). No identities.

    Raises:
        LeadError: a file is missing, is not of the published length, is of another version, or a picture to train
            on is one to test too.
    """
    tested, test_xy = _read_test(root, counts["test"])
    trained, train_xy = _read_train(root, counts["train"], {Path(file).name.split("-")[-1] for file in tested})
    CROPPED.check_pictures(root, trained, SIZE)
    MTFL.check_pictures(root, tested, SIZE)
    files = (*trained, *tested)
    labels = Labels.from_xy(SCHEMA_5, files, np.concatenate([train_xy, test_xy]) - 1)
    split = ("train",) * len(trained) + ("test",) * len(tested)
    return Dataset.labelled("aflw-m", root, labels, split, points="5", unit=EYES)


def _read_train(root: Path, count: int, tested: set[str]) -> tuple[list[str], FloatArray]:
    """Pictures to train on and their points (N, 5, 2) as published."""
    path = CROPPED.path(root, TRAIN)
    header, *rows = list(csv.reader(io.StringIO(read_text(path)))) or [[]]
    for column in ("image_file", "crop_file", "set"):
        if column not in header:
            raise CROPPED.other(path, f"it has no column {column!r}, only {', '.join(header)}")
    image, crop, split = (header.index(column) for column in ("image_file", "crop_file", "set"))
    for number, row in enumerate(rows, start=2):
        if len(row) != len(header) or len(row) < 14:
            raise CROPPED.other(path, f"line {number} has {counted(len(row), 'column')}, not {max(len(header), 14)}")
    chosen = [row for row in rows if row[split].strip() == "1"]
    CROPPED.check_count(path, "picture of set 1", len(chosen), count)
    for row in chosen:
        if row[image] in tested:
            raise CROPPED.other(path, f"{row[image]} is to train on, and {root / TEST} tests on it")
    files = [f"aflw_cropped/{_slashes(row[crop])}" for row in chosen]
    return files, CROPPED.numbers(path, [row[4:14] for row in chosen], files).reshape(-1, 5, 2)


def _read_test(root: Path, count: int) -> tuple[list[str], FloatArray]:
    """Pictures to test on and their points (N, 5, 2) as published."""
    names, xy = read_mtfl(root, TEST, count)
    return [f"MTFL/{name}" for name in names], xy


def read_mtfl(root: Path, name: str, count: int) -> tuple[list[str], FloatArray]:
    """The ``count`` pictures that a list of MTFL names, with slashes, and their points (N, 5, 2) as published."""
    path = root / name
    rows = [re.split(r"[,\s]+", line.strip()) for line in MTFL.lines(root, name)]
    MTFL.check_count(path, "picture", len(rows), count)
    for number, row in enumerate(rows, start=1):
        if len(row) < 11:
            raise MTFL.other(path, f"line {number} has {counted(len(row), 'column')}, not a picture, five x and five y")
    files = [_slashes(row[0]) for row in rows]
    xy = MTFL.numbers(path, [row[1:11] for row in rows], files).reshape(-1, 2, 5)
    return files, xy.transpose(0, 2, 1)


def _slashes(path: str) -> str:
    return path.strip().replace("\\", "/")
