"""300-W, faces with iBUG's 68 points: AFW and the training parts of HELEN and LFPW to train, the rest to test.

Files of the root::

    Bounding Boxes/bounding_boxes_{afw,helen_trainset,helen_testset,lfpw_trainset,lfpw_testset,ibug}.mat
    afw/, helen/trainset/, helen/testset/, lfpw/trainset/, lfpw/testset/, ibug/      a picture and a .pts for each box

Pictures come in the order of the boxes. Of iBUG's boxes those count whose picture is called image…, 135 in all.

The crop is DVE's. A face's box is ``xmin, ymin, xmax, ymax``, counted from 1; ``w = xmax - xmin + 1``. The whole
picture is resized by ``s = 52 / w``, and of it 100 × 100 pixels are cut that begin at column ``cx - 50`` and row
``cy - 52``, where ``cx = floor(s · (xmin + (w + 1) / 2))``, and ``cy`` likewise with the box's height; what lies beyond
the picture is black. In the picture's own pixels that is the box ``(cx - 50) / s, (cy - 52) / s, 100 / s, 100 / s``.
DVE cuts the resized size off to whole pixels, which moves its picture by less than one of its pixels at the far edge.

The points of a .pts count from 1, so 1 is taken off. DVE takes it off after the resize: its coordinate in the 100 × 100
pixels is ``s · x - (cx - 50) - 1``, ours ``s · x - (cx - 50) - (1 + s) / 2``. The difference ``(1 - s) / 2`` is one for
all points of a picture, so an error is the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import floor
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from lead.datasets.archive import Archive, Counts, FloatArray
from lead.datasets.base import Dataset
from lead.datasets.faces import OUTER_EYE_CORNERS, POINTS, SCHEMA_68
from lead.errors import LeadError
from lead.files import read_text
from lead.images.decode import Box
from lead.landmarks import pts
from lead.landmarks.model import Labels
from lead.reporting import counted

ARCHIVE = Archive("300-W", "https://ibug.doc.ic.ac.uk/resources/300-W/")
COUNTS: Counts = {"train": 3_148, "test": 689}
PARTS = {
    "train": {"afw": "afw", "helen_trainset": "helen/trainset", "lfpw_trainset": "lfpw/trainset"},
    "test": {"helen_testset": "helen/testset", "lfpw_testset": "lfpw/testset", "ibug": "ibug"},
}
"""For each split the endings of the tables of boxes, and the folders of their pictures."""
BOXES = "Bounding Boxes"
FACE, SIDE, ABOVE = 52, 100, 52
"""Widths of the face and of the crop, and the rows of the crop above the face's centre, in resized pixels."""


def present(root: Path) -> bool:
    """Whether a folder looks like that of the pictures with their boxes."""
    return (root / BOXES).is_dir()


def load(root: Path, *, counts: Counts = COUNTS) -> Dataset:
    """300-W with one point set, ``"68"``, whose unit of error is the distance of the outer eye corners (36, 45).

    Raises:
        LeadError: a file is missing, is not of the published length, or holds something else.
    """
    faces: list[_Face] = []
    for split, parts in PARTS.items():
        of_split = [face for table, folder in parts.items() for face in _read(root, split, table, folder)]
        ARCHIVE.check_count(root / BOXES, f"picture to {split}", len(of_split), counts[split])
        faces += of_split
    files = tuple(face.file for face in faces)
    ARCHIVE.check_pictures(root, files)
    points = np.array([read_points(root / PurePosixPath(file).with_suffix(".pts")) for file in files])
    labels = Labels.from_xy(SCHEMA_68, files, points - 1)
    boxes = np.array([crop(face.box) for face in faces])
    splits = (face.split for face in faces)
    return Dataset.labelled("300w", root, labels, splits, points="68", unit=OUTER_EYE_CORNERS, boxes=boxes)


def crop(face: npt.ArrayLike) -> Box:
    """What is shown of a picture: x, y, width, height in its own pixels (see :mod:`lead.images.store`).

    Args:
        face: xmin, ymin, xmax, ymax of the face, counted from 1.
    """
    xmin, ymin, xmax, ymax = map(float, np.asarray(face, dtype=np.float64))
    width, height = xmax - xmin + 1, ymax - ymin + 1
    scale = FACE / width
    left = floor(scale * (xmin + (width + 1) / 2)) - SIDE // 2
    top = floor(scale * (ymin + (height + 1) / 2)) - ABOVE
    return left / scale, top / scale, SIDE / scale, SIDE / scale


def read_points(path: Path) -> FloatArray:
    """The (68, 2) points of a .pts as published, counted from 1."""
    try:
        points = pts.read_points(read_text(ARCHIVE.path(path.parent, path.name))).xy
    except LeadError as error:
        raise ARCHIVE.other(path, str(error).rstrip(".")) from error
    if points.shape != (POINTS, 2):
        raise ARCHIVE.other(path, f"it has {counted(len(points), 'point')}, not {POINTS}")
    return points


@dataclass(frozen=True)
class _Face:
    """A picture, its split, and xmin, ymin, xmax, ymax of the face on it."""

    file: str
    split: str
    box: FloatArray


def _read(root: Path, split: str, table: str, folder: str) -> list[_Face]:
    name = f"{BOXES}/bounding_boxes_{table}.mat"
    (entries,) = ARCHIVE.mat(root, name, "bounding_boxes")
    faces = []
    for entry in np.atleast_1d(entries).tolist():
        picture, box = getattr(entry, "imgName", None), np.asarray(getattr(entry, "bb_ground_truth", None))
        if not isinstance(picture, str) or box.shape != (4,):
            raise ARCHIVE.other(root / name, "its entries must have an imgName and a bb_ground_truth of four numbers")
        if table != "ibug" or picture.startswith("image"):
            faces.append(_Face(f"{folder}/{picture}", split, box.astype(np.float64)))
    return faces
