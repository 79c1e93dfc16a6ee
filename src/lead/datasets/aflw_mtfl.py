r"""AFLW's part of MTFL: the 2,995 faces that papers test on, of which 482 are a pool to label from.

Either as the Multi-Task Facial Landmark archive is handed out::

    testing.txt               a picture, x of five points, y of five points, and more; no header
    AFLW/…                    the pictures that it names

whose ``training.txt`` holds faces of other collections and is not read; or already parted::

    pool.csv, test.csv        a header; columns image, name, x, y: a line for each of the five points
    pictures/pool/…, pictures/test/…

The pool is chosen by a hash of the file name (:func:`in_pool`), so that both are parted alike.

Published coordinates are of pictures of 150 × 150 pixels and count from 1. The pictures may have been resized: places
of ``testing.txt`` are scaled along, those of the two tables have been. A place *c* as published is *(c − ½) · s − ½* at
*s* times the size, which takes the same off all coordinates of the tables; an error, being a difference, is the same.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from lead.datasets.aflw_m import MTFL, read_mtfl
from lead.datasets.archive import Counts, FloatArray
from lead.datasets.base import Dataset
from lead.datasets.faces import EYES, SCHEMA_5
from lead.datasets.table import check_pictures
from lead.errors import LeadError
from lead.images.decode import reading
from lead.landmarks.io import read_labels
from lead.landmarks.model import Labels

COUNTS: Counts = {"train": 482, "test": 2_513}
TABLES = {"train": "pool.csv", "test": "test.csv"}
PICTURES = "pictures"
LIST = "testing.txt"
SIDE = 150
"""Of the published pictures, in pixels."""
REACH = (100, SIDE + 1)
"""Between these the largest of the published coordinates is."""
POOL = 165
"""Of a thousand values of the hash, how many are of the pool."""


def present(root: Path) -> bool:
    """Whether a folder looks like either of the two."""
    parted = (root / TABLES["train"]).is_file() and (root / PICTURES / "pool").is_dir()
    return parted or ((root / LIST).is_file() and (root / "AFLW").is_dir())


def load(root: Path, *, counts: Counts = COUNTS) -> Dataset:
    """The dataset with one point set, ``"5"``, whose unit of error is the distance of the eyes (IOD). No identities.

    ``train`` is the pool.

    Raises:
        LeadError: a file is missing, is not of the published length, is of another version, or a picture is both in
            the pool and for the test.
    """
    if any((root / table).exists() for table in TABLES.values()):
        labels, split = _of_tables(root, counts)
    else:
        labels, split = _of_archive(root, counts)
    return Dataset.labelled("aflw-mtfl", root, labels, split, points="5", unit=EYES)


def in_pool(name: str) -> bool:
    """Whether a picture, ``0001-image20056.jpg`` for instance, is one to label from."""
    return int(hashlib.sha256(f"AFLW/{name}".encode()).hexdigest(), 16) % 1000 < POOL


def _of_archive(root: Path, counts: Counts) -> tuple[Labels, list[str]]:
    names, published = read_mtfl(root, LIST, sum(counts.values()))
    split = ["train" if in_pool(Path(name).name) else "test" for name in names]
    for part, count in counts.items():
        MTFL.check_count(root / LIST, f"picture for {part}", split.count(part), count)
    reach = float(published.max())
    if not REACH[0] <= reach <= REACH[1]:
        raise MTFL.other(
            root / LIST,
            f"its coordinates reach to {reach:g}, those published for {SIDE} × {SIDE} pixels to between {REACH[0]} and "
            f"{SIDE}; also beside resized pictures the list is to be the published one",
        )
    check_pictures(root, names)
    scale = _sides(root, names) / SIDE
    return Labels.from_xy(SCHEMA_5, names, (published - 0.5) * scale - 0.5), split


def _of_tables(root: Path, counts: Counts) -> tuple[Labels, list[str]]:
    files: list[str] = []
    split: list[str] = []
    points = []
    for part, table in TABLES.items():
        path = MTFL.path(root, table)
        given, _ = read_labels(path)
        if given.schema.names != SCHEMA_5.names:
            raise LeadError(
                f"{path} has the points {', '.join(given.schema.names)}; needed are {', '.join(SCHEMA_5.names)}, in "
                "this order, a line for each in the columns image, name, x, y."
            )
        for row in np.flatnonzero(np.isnan(given.xy).any((1, 2)))[:1]:
            raise LeadError(f"{path}: {given.images[row]} lacks a point; every picture has all five. Restore the line.")
        MTFL.check_count(path, "picture", len(given), counts[part])
        files += [f"{PICTURES}/{image}" for image in given.images]
        split += [part] * len(given)
        points.append(given.xy)
    _refuse_doubles(root, files, split)
    check_pictures(root, files)
    scale = _sides(root, files) / SIDE
    return Labels.from_xy(SCHEMA_5, files, np.concatenate(points) - 0.5 * scale - 0.5), split


def _refuse_doubles(root: Path, files: list[str], split: list[str]) -> None:
    """Raises :class:`LeadError` if a face of the pool is one of the test's, whatever folder it lies in."""
    pool = {Path(file).name: file for file, part in zip(files, split, strict=True) if part == "train"}
    for file, part in zip(files, split, strict=True):
        if part == "test" and (twice := pool.get(Path(file).name)):
            raise LeadError(
                f"{root}: {twice} is in {TABLES['train']} and {file} in {TABLES['test']}: what is tested on must not "
                f"be learnt from. Leave it out of {TABLES['train']}."
            )


def _sides(root: Path, files: list[str]) -> FloatArray:
    """(N, 1, 1) sides of square pictures, in pixels."""
    sides = []
    for file in files:
        with reading(root / file), Image.open(root / file) as picture:
            width, height = picture.size
        if width != height:
            raise MTFL.other(root / file, f"it has {width} × {height} pixels and is no square")
        sides.append(float(width))
    return np.array(sides)[:, None, None]
