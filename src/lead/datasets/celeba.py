"""CelebA, the faces that features are learnt from: partition 0 without any picture of MAFL, unlabelled.

Files of the root::

    Img/img_align_celeba_hq/ or Img/img_align_celeba/    178 × 218 pixels each, 000001.jpg …
    Eval/list_eval_partition.txt                         202,599 lines: file, and 0 (train), 1 or 2
    MAFL/training.txt, MAFL/testing.txt                  19,000 and 1,000 file names
    Anno/identity_CelebA.txt                             optional: file, number of the person

Every picture shows the 178 × 178 pixels below its uppermost 30 rows, as DVE and its followers crop it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from lead.datasets.archive import Archive, Counts
from lead.datasets.base import Dataset
from lead.reporting import counted

ARCHIVE = Archive("CelebA", "https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html")
MAFL = Archive("MAFL", "https://mmlab.ie.cuhk.edu.hk/projects/TCDCN.html")
COUNTS: Counts = {"pictures": 202_599, "train": 162_770}
"""Lines of the partition table, and how many of them are partition 0 (of which MAFL's are then left out)."""
MAFL_COUNTS: Counts = {"train": 19_000, "test": 1_000}

PARTITION = "Eval/list_eval_partition.txt"
IDENTITY = "Anno/identity_CelebA.txt"
ALIGNED = ("Img/img_align_celeba_hq", "Img/img_align_celeba")
SIZE = (178, 218)
CROP = (0.0, 30.0, 178.0, 178.0)
"""x, y, width, height in an aligned picture."""


def present(root: Path) -> bool:
    """Whether a folder looks like CelebA's."""
    return (root / PARTITION).is_file()


def load(root: Path, *, counts: Counts = COUNTS, mafl_counts: Counts = MAFL_COUNTS) -> Dataset:
    """The pictures of partition 0 that are in neither list of MAFL, in the partition table's order, all to train on.

    The LEAD paper counts 162,770 pictures, which is partition 0 whole; DVE leaves MAFL's out of it, and so does this.

    Raises:
        LeadError: a file is missing, is not of the published length, or names no picture that is there.
    """
    partition = read_partition(root, counts)
    mafl = mafl_splits(root, partition, mafl_counts)
    names = [name for name, part in partition.items() if part == "0" and name not in mafl]
    files = aligned(root, names)
    return Dataset(
        name="celeba",
        root=root,
        files=files,
        identity=identities(root, names),
        split=("train",) * len(files),
        boxes=crops(len(files)),
    )


def read_partition(root: Path, counts: Counts) -> dict[str, str]:
    """The partition ("0", "1", "2") of each picture, in the table's order."""
    partition = dict(ARCHIVE.table(root, PARTITION, 2))
    path = root / PARTITION
    ARCHIVE.check_count(path, "picture", len(partition), counts["pictures"])
    ARCHIVE.check_count(path, "picture of partition 0", list(partition.values()).count("0"), counts["train"])
    return partition


def mafl_splits(root: Path, partition: dict[str, str], counts: Counts) -> dict[str, str]:
    """Which of MAFL's splits each of its pictures is in, in the order of the partition table."""
    split: dict[str, str] = {}
    for part, name in (("train", "MAFL/training.txt"), ("test", "MAFL/testing.txt")):
        listed = [line.split()[0] for line in MAFL.lines(root, name)]
        MAFL.check_count(root / name, "picture", len(listed), counts[part])
        for picture in listed:
            if picture not in partition:
                raise MAFL.other(root / name, f"{picture} is not in {root / PARTITION}")
            if split.setdefault(picture, part) != part:
                raise MAFL.other(root / name, f"{picture} is in MAFL/training.txt too")
    return {picture: split[picture] for picture in partition if picture in split}


def aligned(root: Path, names: list[str]) -> tuple[str, ...]:
    """The paths of aligned pictures. Raises :class:`LeadError` if one is missing or the first is not 178 × 218."""
    folder = ARCHIVE.path(root, *ALIGNED).relative_to(root).as_posix()
    files = tuple(f"{folder}/{name}" for name in names)
    ARCHIVE.check_pictures(root, files)
    ARCHIVE.check_pictures(root, files[:1], SIZE)  # opening all would take minutes, and one folder has one size
    return files


def identities(root: Path, names: list[str]) -> tuple[str, ...]:
    """The number of the person on each picture; empty strings if the archive's table of them is not there."""
    if not (root / IDENTITY).is_file():
        return ("",) * len(names)
    table = dict(ARCHIVE.table(root, IDENTITY, 2))
    for name in names:
        if name not in table:
            raise ARCHIVE.other(root / IDENTITY, f"{name} is not in it")
    return tuple(table[name] for name in names)


def crops(count: int) -> npt.NDArray[np.float64]:
    """(count, 4): the crop of each aligned picture."""
    return np.tile(CROP, (count, 1))


def annotated(
    root: Path, name: str, columns: tuple[str, ...], names: list[str], counts: Counts
) -> npt.NDArray[np.float64]:
    """Some pictures' rows of a table of ``Anno``: a line with the number of pictures, one with the columns, the rows.

    Args:
        root: of CelebA.
        name: of the table, relative to it.
        columns: what its second line must name, apart from a heading of the file names.
        names: of the pictures wanted.
        counts: how many pictures it must have.

    Returns:
        (len(names), len(columns)) as published.
    """
    path = root / name
    lines = ARCHIVE.lines(root, name)
    header = lines[1].split() if len(lines) > 1 else []
    if header[-len(columns) :] != list(columns):
        raise ARCHIVE.other(path, f"line 2 must name the columns {' '.join(columns)}, but names {' '.join(header)}")
    rows = {row[0]: row[1:] for row in map(str.split, lines[2:])}
    if lines[0].strip() != str(len(rows)):
        raise ARCHIVE.other(
            path, f"line 1 says {lines[0].strip()}, and {counted(len(rows), 'picture follows', 'pictures follow')}"
        )
    ARCHIVE.check_count(path, "picture", len(rows), counts["pictures"])
    for picture in names:
        found = len(rows.get(picture, ()))
        if found != len(columns):
            raise ARCHIVE.other(path, f"{picture} has {found} values, not {len(columns)}")
    return ARCHIVE.numbers(path, [rows[picture] for picture in names], names)


def five_points(root: Path, name: str, names: list[str], counts: Counts) -> npt.NDArray[np.float64]:
    """(len(names), 5, 2) landmarks from a table of ``Anno``, in the order of ``faces.SCHEMA_5``, as published."""
    columns = tuple(
        f"{point}_{axis}" for point in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for axis in "xy"
    )
    return annotated(root, name, columns, names, counts).reshape(-1, 5, 2)
