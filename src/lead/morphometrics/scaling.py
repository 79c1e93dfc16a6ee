"""Where millimetres a pixel come from: a file, the pictures' own files, a ruler in the picture, or a number for all."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.files import read_text
from lead.images.folder_pictures import FolderPictures
from lead.images.spacing import NoSpacing, spacing_of
from lead.landmarks import scales, tps
from lead.landmarks.frames import frame_of
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.scales import Scale, in_unit, millimetres, of_pictures
from lead.morphometrics.kinds import distance
from lead.morphometrics.spread import deviations, variance
from lead.reporting import Say, counted, unsaid

PICTURES = "pictures"
"""What is asked for where the pictures' own files say how large their pixels are."""


def scales_of(
    labels: Labels, source: str, pictures: FolderPictures, *, unit: str = "mm", say: Say = unsaid
) -> dict[str, Scale]:
    """The scales of labelled pictures.

    Args:
        labels: theirs.
        source: a number, that of all pictures; the path of a table or of a TPS file; or :data:`PICTURES`.
        pictures: of which ``PICTURES`` means the files.
        unit: of the number, and of ``SCALE=`` in a TPS file.
        say: told what is likely a mistake, and what is not known.

    Raises:
        LeadError: there is no such file, it is wrong, or it is of other pictures.
    """
    if source == PICTURES:
        return from_pictures(labels, pictures, say)
    try:
        size = float(source)
    except ValueError:
        if not Path(source).exists():
            raise LeadError(
                f"--scale {source!r} is neither a file that is there, nor a number, nor {PICTURES!r}. Give one of them."
            ) from None
        return of_pictures(from_file(Path(source), unit), labels.images)
    square = in_unit({"": Scale.square(size, source="a number for all pictures", where="--scale")}, unit)[""]
    return dict.fromkeys(labels.images, square)


def from_file(path: Path, unit: str = "mm", *, needed: bool = True) -> dict[str, Scale]:
    """The scales in a table (CSV), which says its unit, or in a TPS file.

    Args:
        path: the file.
        unit: of ``SCALE=`` in a TPS file.
        needed: whether a TPS file without any is refused.

    Raises:
        LeadError: there is no such file, or it is wrong; the message names the line.
    """
    text = read_text(path)
    if tps.why_not(text) is not None:
        return scales.parse(text, str(path))
    found = in_unit(tps.scales(text, str(path)), unit)
    if needed and not found:
        raise LeadError(f"{path}: no SCALE= in it. Let tpsDig set the scale, or give a table of scales (.csv).")
    return found


def from_pictures(labels: Labels, pictures: FolderPictures, say: Say = unsaid) -> dict[str, Scale]:
    """The scales that the pictures' own files say: see :mod:`lead.images.spacing`.

    Raises:
        LeadError: no file says one; the message says why the first does not.
    """
    found: dict[str, Scale] = {}
    reasons: dict[str, str] = {}
    doubtful: list[str] = []
    for image in dict.fromkeys(labels.images):
        name = pictures.find(image)
        if name is None or frame_of(name):
            reasons[image] = (
                "a film has no scale in it" if name else f"it is not in {pictures.root} (--pictures names the folder)"
            )
            continue
        try:
            spacing = spacing_of(pictures.root / name)
        except LeadError as error:
            reasons[image] = str(error).rstrip(".")
            continue
        if isinstance(spacing, NoSpacing):
            reasons[image] = spacing.reason
        else:
            found[image] = Scale(spacing.x, spacing.y, source=spacing.source, where=str(pictures.root / name))
            doubtful += [] if spacing.is_sure else [image]
    if reasons:
        first, why = next(iter(reasons.items()))
        told = f"{counted(len(reasons), 'picture')} without a scale in its file, the first is {first!r}: {why}"
        if not found:
            raise LeadError(f"{told}. Give a table of scales, a ruler's two landmarks, or a number.")
        say(f"{told}.")
    if doubtful:
        scale = found[doubtful[0]]
        say(
            f"{counted(len(doubtful), 'scale is', 'scales are')} the resolution of a picture's file, the first "
            f"{scale.x:.4g} mm a pixel ({scale.source}). That is right of a scanner, but many programs write it of "
            "anything: measure something whose size you know."
        )
    return found


def from_ruler(
    labels: Labels,
    ends: tuple[str, str],
    length: float,
    *,
    unit: str = "mm",
    by_hand: float | None = None,
    together: npt.NDArray[Any] | None = None,
    say: Say = unsaid,
) -> dict[str, Scale]:
    """The scales by a ruler that lies in each picture, with the error that its two ends' own errors make.

    Args:
        labels: with both ends as landmarks.
        ends: names of two landmarks.
        length: between them.
        unit: of the length.
        by_hand: see :func:`lead.morphometrics.spread.deviations`.
        together: (K, K) see :func:`lead.morphometrics.spread.correlation`; None if the landmarks are independent.
        say: told in which pictures an end is not to be seen.

    Raises:
        LeadError: the length is not more than 0, there is no such unit or landmark, both ends lie in one
            place, a picture shows several rulers, or none shows both ends.
    """
    if not (math.isfinite(length) and length > 0):
        raise LeadError(f"The ruler's length is {length:g} {unit}: it must be more than 0.")
    size = length * millimetres(unit)
    index = [labels.schema.index(name) for name in ends]
    if index[0] == index[1]:
        raise LeadError(f"The ruler begins and ends at {ends[0]!r}. Name two landmarks.")
    lengths, by_ends = distance(labels.xy[:, index])
    slopes = np.zeros_like(labels.xy)
    slopes[:, index] = by_ends
    known = np.isfinite(lengths)
    spread = deviations(labels, by_hand)
    scatter = np.sqrt(variance(slopes, spread, together))
    found: dict[str, Scale] = {}
    for row in np.flatnonzero(known).tolist():
        image, pixels = labels.images[row], float(lengths[row])
        where = labels.where(row, index[0]).removesuffix(": ")
        if pixels == 0:
            problem = f"{', '.join(filter(None, (where, image)))}: both ends of the ruler lie in one place"
            if not labels.is_predicted[row, index].any():
                raise LeadError(f"{problem}. Correct one of them.")
            say(f"{problem}, as the model has it. It has no scale.")
            continue
        if image in found:
            raise LeadError(
                f"{where or image}: picture {image!r} has a second ruler. Keep that of one specimen, or give a "
                "table of scales."
            )
        error = float(scatter[row] / pixels)
        source = f"ruler of {length:g} {unit} from {ends[0]} to {ends[1]}"
        found[image] = Scale.square(
            size / pixels, error=error if math.isfinite(error) else 0.0, source=source, where=where
        )
    exact = np.flatnonzero(known & np.isnan(scatter) & np.isfinite(spread).any(1)).tolist()
    if exact:
        say(
            f"{counted(len(exact), 'ruler')} with an end that comes without an error, the first in "
            f"{labels.images[exact[0]]!r}: the scale is taken as exact. Of ends placed by hand, --by-hand says it."
        )
    _tell_hidden_ends(labels, index, found, say)
    if not found:
        raise LeadError(f"No picture shows both ends of the ruler, {ends[0]!r} and {ends[1]!r}. Label them.")
    return found


def _tell_hidden_ends(labels: Labels, index: list[int], found: dict[str, Scale], say: Say) -> None:
    """Says in which pictures one end of the ruler is not to be seen."""
    there = labels.visible[:, index] > UNLABELLED
    rows = [row for row in np.flatnonzero(there.any(1) & ~there.all(1)).tolist() if labels.images[row] not in found]
    missing = Counter(labels.schema.names[index[int(np.argmin(there[row]))]] for row in rows)
    for end, count in missing.items():
        first = next(row for row in rows if labels.visible[row, labels.schema.index(end)] == UNLABELLED)
        say(
            f"{labels.where(first)}{counted(count, 'picture shows', 'pictures show')} the ruler without its end "
            f"{end!r}, the first is {labels.images[first]!r}: no scale from it. Show both ends, or give these scales "
            "in a table."
        )
