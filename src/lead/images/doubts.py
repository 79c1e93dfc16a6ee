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
from lead.reporting import counted

FAR = 0.5
"""A landmark may lie so many of its picture's sides outside: a little is a part that is cut off, far is a mistake."""

TWICE = 0.02
"""Two specimens whose landmarks are all within so many extents are one that was labelled twice."""
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
    far = _far(labels, sizes)
    for row, landmark in np.argwhere(far)[:1].tolist():
        count = f" ({far.sum()} such labels in all)" if far.sum() > 1 else ""
        raise LeadError(
            f"{labels.where(row, landmark)}{labels.images[row]}: {_at(labels, row, landmark)}, far outside its picture "
            f"of {_pixels(sizes, row)}{count}. A landmark may lie at most half a side outside: check the units and the "
            "picture names."
        )


def without_far(labels: Labels, sizes: npt.ArrayLike) -> tuple[Labels, list[tuple[str, str]]]:
    """Leaves out the pictures that have a label far outside: as a rule they had another size when they were labelled.

    Args:
        labels: of N pictures, in their own pixels.
        sizes: (N, 2) their widths and heights in pixels.

    Returns:
        The labels of the others, and (picture, reason) of those that are left out.

    Raises:
        LeadError: more than half of the pictures are so, and it is rather the unit; see :func:`refuse_far`.
    """
    far = _far(labels, sizes)
    first = {labels.images[row]: row for row in np.flatnonzero(far.any(1)).tolist()[::-1]}
    if 2 * len(first) > len(set(labels.images)):
        refuse_far(labels, sizes)
    told = []
    for row in sorted(first.values()):
        landmark = int(far[row].argmax())
        reason = (
            f"{labels.where(row, landmark)}{_at(labels, row, landmark)}, far outside the {_pixels(sizes, row)} that it "
            "has now. If it had more when it was labelled, label it again; else correct that label, or remove it"
        )
        told.append((labels.images[row], reason))
    return labels.take(row for row, image in enumerate(labels.images) if image not in first), told


def _far(labels: Labels, sizes: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """(N, K) whether labels lie more than :data:`FAR` of their picture's side outside."""
    sides = np.reshape(sizes, (len(labels), 1, 2))
    far: npt.NDArray[np.bool_] = np.any((labels.xy < -FAR * sides) | (labels.xy > (1 + FAR) * sides), axis=-1)
    return far


def _at(labels: Labels, row: int, landmark: int) -> str:
    x, y = labels.xy[row, landmark]
    return f"{labels.schema.names[landmark]} is at ({x:g}, {y:g})"


def _pixels(sizes: npt.ArrayLike, row: int) -> str:
    width, height = np.reshape(sizes, (-1, 2))[row]
    return f"{width} × {height} pixels"


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
            if pictures.placeless and (placed[:, 1] <= 0).all():  # as of a picture whose height was not known
                continue
            if len(placed) > 1:
                extents.append((float(np.ptp(placed, axis=0).max()), size))
            beyond = ((labels.xy[row] < -0.5) | (labels.xy[row] > np.array(size) - 0.5)).any(-1)
            for k in np.flatnonzero(beyond).tolist():
                x, y = labels.xy[row, k].tolist()
                outside.append((row, k, f"({x:g}, {y:g}) of {size[0]} × {size[1]} pixels"))
    for row, k, at in outside[:1]:
        count = counted(len(outside), "label lies outside", "labels lie outside")
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
        count = counted(int(corner.sum()), "label is", "labels are") + " at exactly (0, 0)"
        name, image = labels.schema.names[k], labels.images[row]
        likely_mistakes.append(
            f"{labels.where(row, k)}{count}, the first is {name!r} of {image!r}: if that means missing, leave it blank."
        )
    likely_mistakes += _labelled_twice(labels)
    shown = {labels.images[row]: row for row in labelled}
    absent = [row for image, row in shown.items() if not pictures.has(image)]
    if 0 < len(absent) < len(shown):
        count = counted(len(absent), "labelled picture is", "labelled pictures are") + f" not in {pictures.root}"
        likely_mistakes.append(f"{labels.where(absent[0])}{count}, the first is {labels.images[absent[0]]!r}.")
    return likely_mistakes


def _labelled_twice(labels: Labels) -> list[str]:
    """Which picture has two specimens whose landmarks all lie on one another, counted, with the first."""
    twice: list[tuple[int, str]] = []
    for image, rows in labels.rows_of().items() if labels.of_several() else ():
        for i, row in enumerate(rows[:-1]):
            xy, others = labels.xy[row], labels.xy[rows[i + 1 :]]
            known = np.isfinite(xy).all(-1)
            extent = np.ptp(xy[known], axis=0).max() if known.any() else 0.0
            away = np.linalg.norm(others - xy, axis=-1)  # (n, K)
            both = np.isfinite(away)
            same = both.any(1) & ((away <= TWICE * extent) | ~both).all(1)
            twice += [(rows[j], f"specimens {i + 1} and {j + 1} of {image!r}") for j in i + 1 + np.flatnonzero(same)]
    if not twice:
        return []
    row, first = twice[0]
    count = counted(len(twice), "specimen is", "specimens are")
    return [f"{labels.where(row)}{count} labelled twice, the first: {first} have all landmarks in one place. Keep one."]


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
