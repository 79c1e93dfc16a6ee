"""Points as ImageJ and Fiji save selections: ``.roi``, and several in a ``.zip``. Needs the extra imagej.

Whole numbers are the centres of pixels. A file names no picture: it is that of the picture that it is called as; in an
archive each may be. Names that a person has given are those of the landmarks, where each has one point; else they are
called 1, 2, … in their order. Other selections are left out. Read by the library roifile.
"""

from __future__ import annotations

import posixpath
from typing import Any

import numpy as np

from lead.errors import LeadError, needing
from lead.landmarks.imagej import AUTOMATIC
from lead.landmarks.marks import Found, Mark, Marked, in_order, of_same_stem
from lead.landmarks.model import Labels
from lead.landmarks.per_picture import ZIP, archive_why_not, members
from lead.landmarks.pictures import PictureInfo

SIGNATURE, ENDING = b"Iout", ".roi"
LONGEST = 2**24
"""Bytes of a selection, at most."""


def why_not(data: bytes) -> str | None:
    """Why a file is not such a selection, or an archive of them; None if it is like one."""
    if data.startswith(ZIP):
        return archive_why_not(data, ENDING)
    return None if data.startswith(SIGNATURE) else "is not a selection of ImageJ's"


def parse(data: bytes, file: str, pictures: PictureInfo) -> Labels:
    """Labels of the picture that the file is called as, or those in it.

    Args:
        data: the whole file.
        file: its name.
        pictures: what knows the pictures of these names.

    Raises:
        LeadError: the extra is missing, it is damaged, no picture is called so, or its points are on other slices of a
            stack than the first.
    """
    with needing("ImageJ's selections", "imagej"):
        import roifile
    archive = data.startswith(ZIP)
    found = Found()
    of_pictures: dict[str, list[tuple[str, list[Mark]]]] = {}
    for path, content in (members(data, ENDING, longest=LONGEST) if archive else {file: data}).items():
        try:
            roi = roifile.ImagejRoi.frombytes(content)
            marks = _marks(roi, roifile.ROI_TYPE.POINT)
        except LeadError as error:
            raise LeadError(f"{path}: {error}" if archive else str(error)) from error
        except Exception as error:  # roifile lets nearly any type through for a damaged file
            raise LeadError(f"{path}: not a selection that can be read ({str(error)[:100]}).") from error
        if not marks:
            found.leave_out("selection other than points")
            continue
        stem = path.removesuffix(ENDING)
        own = pictures.of_stem(stem) if archive else stem
        picture = own if archive and own != stem else of_same_stem(file, pictures, "ImageJ")
        of_pictures.setdefault(picture, []).append((_name(roi, path), marks))
    for picture, rois in of_pictures.items():
        names = [name for name, _ in rois]
        single = all(len(marks) == 1 and name for name, marks in rois) and len(set(names)) == len(names)
        every = [mark for _, marks in rois for mark in marks]
        found.pictures[picture] = Marked(dict(zip(names, every, strict=True)) if single else in_order(every))
    found.drop_other_counts()
    return found.labels("no selection of points in it.")


def _name(roi: Any, path: str) -> str:
    """What a person has called it; empty for what ImageJ calls it by itself."""
    name = str(roi.name or posixpath.basename(path).removesuffix(ENDING))
    return "" if AUTOMATIC.fullmatch(name) else name


def _marks(roi: Any, point: Any) -> list[Mark]:
    if roi.roitype != point:
        return []
    slices = {int(roi.position or 0)} | set(
        np.asarray(roi.counter_positions if roi.counter_positions is not None else []).ravel().tolist()
    )
    if max(slices) > 1:
        raise LeadError("its points are on slices of a stack other than the first. Save those of one picture.")
    xy = np.asarray(roi.coordinates(), dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(xy).all():
        raise LeadError("a point without a place.")
    return [Mark(x, y) for x, y in xy.tolist()]
