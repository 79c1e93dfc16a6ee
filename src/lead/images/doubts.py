"""Labels that cannot be: what is refused, and what is only likely a mistake.

Messages begin with the file, and the line or entry, that a label was read from, where that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.naming import nearly_same
from lead.landmarks.pictures import Size, known_size

FAR = 0.5
"""A landmark may lie so many of its picture's sides outside: a little is a part that is cut off, far is a mistake."""

SMALL = 0.02
"""Landmarks that are no farther apart than so many of their picture's longer side are likely not in pixels."""


def refuse_far(labels: Labels, sizes: npt.ArrayLike) -> None:
    """Refuses labels far outside their pictures.

    Args:
        labels: of N pictures, in their own pixels.
        sizes: (N, 2) their widths and heights in pixels.

    Raises:
        LeadError: a label lies more than :data:`FAR` of its picture's side outside; the message names the first.
    """
    sides = np.reshape(sizes, (len(labels), 1, 2))
    far = ((labels.xy < -FAR * sides) | (labels.xy > (1 + FAR) * sides)).any(-1)
    for row, landmark in np.argwhere(far)[:1].tolist():
        (x, y), (width, height) = labels.xy[row, landmark], sides[row, 0]
        count = f" ({far.sum()} such labels in all)" if far.sum() > 1 else ""
        raise LeadError(
            f"{labels.where(row, landmark)}{labels.images[row]}: {labels.schema.names[landmark]} is at ({x:g}, {y:g}), "
            f"far outside its picture of {width} × {height} pixels{count}. A landmark may lie at most half a side "
            "outside: check the units and the picture names."
        )


def refuse_unlabelled(labels: Labels) -> None:
    """Refuses landmarks that no picture has a label for. Raises :class:`LeadError` naming them."""
    never = [name for k, name in enumerate(labels.schema.names) if not (labels.visible[:, k] > UNLABELLED).any()]
    if never:
        raise LeadError(f"No picture that can be read has a label for: {', '.join(never)}. Label each at least once.")


def doubts(labels: Labels, pictures: FolderPictures) -> list[str]:
    """What of labels is likely a mistake, or was left out of them, in words.

    What their file holds and no label can; names that differ by case alone; points beyond their pictures, or at exactly
    (0, 0), which some tools write for missing; places that are likely in another unit; and labelled pictures that are
    not there, unless none is: then the labels are elsewhere than the pictures. Each says how often it occurs, and where
    first.

    Args:
        labels: as read.
        pictures: theirs.
    """
    place, rows = labels.places, list(labels.rows_of().values())
    likely_mistakes = [
        *([f"{place.file}: left out: {place.left_out}."] if place and place.left_out else []),
        *_named_alike("landmarks", labels.schema.names, lambda k: f"{place.of_landmark(k)}: " if place else ""),
        *_named_alike("pictures", tuple(dict.fromkeys(labels.images)), lambda i: labels.where(rows[i][0])),
    ]
    labelled = np.flatnonzero((labels.visible > UNLABELLED).any(1)).tolist()
    outside: list[tuple[int, int, str]] = []
    extents: list[tuple[float, Size]] = []
    for row in labelled:
        if size := known_size(pictures, labels.images[row]):
            placed = labels.xy[row, labels.visible[row] > UNLABELLED]
            if len(placed) > 1:
                extents.append((float(np.ptp(placed, axis=0).max()), size))
            beyond = ((labels.xy[row] < -0.5) | (labels.xy[row] > np.array(size) - 0.5)).any(-1)
            for k in np.flatnonzero(beyond).tolist():
                x, y = labels.xy[row, k].tolist()
                outside.append((row, k, f"({x:g}, {y:g}) of {size[0]} × {size[1]} pixels"))
    for row, k, at in outside[:1]:
        count = f"{len(outside)} label{'s lie' if len(outside) > 1 else ' lies'} outside"
        name, image = labels.schema.names[k], labels.images[row]
        likely_mistakes.append(f"{labels.where(row, k)}{count}, the first is {name!r} of {image!r} at {at}.")
    if extents and all(extent < SMALL * max(size) for extent, size in extents):
        extent, (width, height) = max(extents)
        likely_mistakes.append(
            f"{place.file + ': ' if place else ''}the landmarks of no picture are farther apart than {extent:.3g} of "
            f"{width} × {height} pixels: are their places shares of the picture, or in the unit of a scale?"
        )
    corner = labels.by_hand & (labels.xy == 0).all(-1)
    for row, k in np.argwhere(corner)[:1].tolist():
        count = f"{corner.sum()} label{'s are' if corner.sum() > 1 else ' is'} at exactly (0, 0)"
        name, image = labels.schema.names[k], labels.images[row]
        likely_mistakes.append(
            f"{labels.where(row, k)}{count}, the first is {name!r} of {image!r}: if that means missing, leave it blank."
        )
    shown = {labels.images[row]: row for row in labelled}
    absent = [row for image, row in shown.items() if not pictures.has(image)]
    if 0 < len(absent) < len(shown):
        count = f"{len(absent)} labelled picture{'s are' if len(absent) > 1 else ' is'} not in {pictures.root}"
        likely_mistakes.append(f"{labels.where(absent[0])}{count}, the first is {labels.images[absent[0]]!r}.")
    return likely_mistakes


def alike_between(labels: Labels, parts: Sequence[Labels]) -> list[str]:
    """Which landmarks' names differ by case or blanks alone in the labels of several files, but not within one.

    Args:
        labels: all of them joined.
        parts: those of each file.
    """
    place = labels.places
    within = {told for part in parts for told in _named_alike("landmarks", part.schema.names, lambda _: "")}
    told = _named_alike("landmarks", labels.schema.names, lambda k: f"{place.of_landmark(k)}: " if place else "")
    return [text for text in told if not text.endswith(tuple(within))]


def _named_alike(kind: str, names: tuple[str, ...], where: Callable[[int], str]) -> list[str]:
    return [
        f"{where(names.index(group[-1]))}the {kind} {', '.join(map(repr, group))} differ by case or blanks alone."
        for group in nearly_same(names)
    ]
