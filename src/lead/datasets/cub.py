"""CUB-200-2011, birds of 200 species with 15 points, of which the hidden ones are unlabelled.

Files of the root, which is the folder that the archive is unpacked in::

    CUB_200_2011/images.txt                numbers and files, below images/
    CUB_200_2011/image_class_labels.txt    numbers of pictures and of their species
    CUB_200_2011/train_test_split.txt      numbers, and 1 for a picture to train on
    CUB_200_2011/parts/parts.txt           numbers and names of the points
    CUB_200_2011/parts/part_locs.txt       picture, point, x, y, visible (0 or 1)
    CUB_200_2011/images/…                  the pictures
    CUB_200_2011/split/{train,val,test}.txt    optional: the lists of Cheng et al. (ContrastLandmark)

The published split is 5,994 to 5,794. Cheng et al. chose 1,241 pictures to train and 383 to test; where their lists are
there, they decide, and the 382 pictures of val.txt, on which they choose settings, are left out. Of a line of their
lists the file's name counts, not its folder. Their annotations (``anno/*.dat``) are torch7 files of the same points,
divided by the picture's size; the archive's own text is read in their place.

Each whole picture is squashed to a square, as the peers do. Published coordinates are taken as they are. Their unit,
PCK, is a share of the squashed square; here errors are measured in the picture's own pixels, in units of the distance
from the beak to the tail, and pictures where one of the two is hidden do not count.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import numpy as np

from lead.datasets.archive import Archive, Counts
from lead.datasets.base import Dataset
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Schema

ARCHIVE = Archive("CUB-200-2011", "https://www.vision.caltech.edu/datasets/cub_200_2011/")
LISTS = Archive("the lists of ContrastLandmark", "https://github.com/cvl-umass/contrast-landmark")
COUNTS: Counts = {"train": 5_994, "test": 5_794}
LIST_COUNTS: Counts = {"train": 1_241, "test": 383}
FOLDER = "CUB_200_2011"
WHOLE = (0.0, 0.0, np.inf, np.inf)
"""All of a picture, squashed to a square."""

SCHEMA = Schema(
    (
        *("back", "beak", "belly", "breast", "crown", "forehead", "left_eye", "left_leg", "left_wing", "nape"),
        *("right_eye", "right_leg", "right_wing", "tail", "throat"),
    ),
    flip_pairs=tuple((f"left_{part}", f"right_{part}") for part in ("eye", "leg", "wing")),
)


def present(root: Path) -> bool:
    """Whether a folder holds CUB's."""
    return (root / FOLDER / "images.txt").is_file()


def load(root: Path, *, counts: Counts | None = None) -> Dataset:
    """CUB with one point set, ``"15"``; the identity is the species.

    Args:
        root: the folder that holds CUB_200_2011.
        counts: expected of the splits; by default those published with the split that is used.

    Raises:
        LeadError: a file is missing, is not of the published length, is of another version, or contradicts another.
    """
    home = root / FOLDER
    files = dict(ARCHIVE.table(home, "images.txt", 2))
    split = _split(home, files, counts)
    species = dict(ARCHIVE.table(home, "image_class_labels.txt", 2))
    for number in split:
        if number not in species:
            raise ARCHIVE.other(home / "image_class_labels.txt", f"it has no species of picture {number}")
    chosen = {number: f"{FOLDER}/images/{files[number]}" for number in split}
    ARCHIVE.check_pictures(root, chosen.values())
    labels = _labels(home, chosen)
    return Dataset.labelled(
        "cub",
        root,
        labels,
        split.values(),
        points="15",
        unit=("beak", "tail"),
        identity=(species[number] for number in split),
        boxes=np.tile(WHOLE, (len(split), 1)),
    )


def _split(home: Path, files: Mapping[str, str], counts: Counts | None) -> dict[str, str]:
    """The split of each picture used, by its number."""
    if (home / "split").is_dir():
        return _listed(home, files, counts or LIST_COUNTS)
    path = home / "train_test_split.txt"
    flags = ARCHIVE.table(home, path.name, 2)
    for number, flag in flags:
        if number not in files or flag not in ("0", "1"):
            raise ARCHIVE.other(path, f"{number} {flag} is not a picture of images.txt and 0 or 1")
    split = {number: "train" if flag == "1" else "test" for number, flag in flags}
    for part, expected in (counts or COUNTS).items():
        ARCHIVE.check_count(path, f"picture to {part}", list(split.values()).count(part), expected)
    return split


def _listed(home: Path, files: Mapping[str, str], counts: Counts) -> dict[str, str]:
    numbers = {PurePosixPath(file).name: number for number, file in files.items()}
    split: dict[str, str] = {}
    for part, expected in counts.items():
        path = home / "split" / f"{part}.txt"
        names = [PurePosixPath(line.strip()).name for line in LISTS.lines(home, f"split/{part}.txt")]
        LISTS.check_count(path, "picture", len(names), expected)
        for name in names:
            if name not in numbers:
                raise LISTS.other(path, f"{name} is not in {home / 'images.txt'}")
            if split.setdefault(numbers[name], part) != part:
                raise LISTS.other(path, f"{name} is in another list too")
    return split


def _labels(home: Path, chosen: Mapping[str, str]) -> Labels:
    """The points of pictures, given by number."""
    named = [line.split(maxsplit=1)[1].strip() for line in ARCHIVE.lines(home, "parts/parts.txt")]
    if [name.replace(" ", "_") for name in named] != list(SCHEMA.names):
        raise ARCHIVE.other(home / "parts/parts.txt", f"it names {', '.join(named)}, not {', '.join(SCHEMA.names)}")
    path = home / "parts/part_locs.txt"
    rows = {number: row for row, number in enumerate(chosen)}
    used = [fields for fields in ARCHIVE.table(home, "parts/part_locs.txt", 5) if fields[0] in rows]
    ARCHIVE.check_count(path, "point of the pictures used", len(used), len(rows) * len(SCHEMA.names))
    table = ARCHIVE.numbers(path, [fields[1:] for fields in used], [f"picture {fields[0]}" for fields in used])
    row, point = [rows[fields[0]] for fields in used], table[:, 0].astype(np.int64) - 1
    if not np.isin(point, range(len(SCHEMA.names))).all():
        raise ARCHIVE.other(path, f"points must be numbered from 1 to {len(SCHEMA.names)}")
    xy = np.full((len(rows), len(SCHEMA.names), 2), np.nan)
    visible = np.full(xy.shape[:2], UNLABELLED, dtype=np.int8)
    xy[row, point] = table[:, 1:3]
    visible[row, point] = np.where(table[:, 3] == 1, VISIBLE, UNLABELLED)
    return Labels(SCHEMA, tuple(chosen.values()), xy, visible)
