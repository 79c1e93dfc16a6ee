"""Labels of the pictures as they are at hand: under the names that they have here, in the pixels that they have here.

A label file may have been made elsewhere, on pictures of another size, or with a tool that shows the pixels as they are
stored where the EXIF tag says to turn them. Where the file names the size that its tool saw, that tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.images.doubts import alike_between, doubts
from lead.images.folder_pictures import FolderPictures, LabelledAs, Seen
from lead.images.frame_files import as_files
from lead.landmarks.format import Format
from lead.landmarks.io import read_labels
from lead.landmarks.joining import joined_tables
from lead.landmarks.model import ERRORS, UNLABELLED, Labels, unlabelled
from lead.landmarks.naming import Matches, beside
from lead.landmarks.pictures import Size
from lead.reporting import Progress, Say, counted, unsaid

FloatArray = npt.NDArray[np.float64]
FEW_NAMES = 5
"""Pictures that are named besides the first; of more, only the number is told."""


@dataclass(frozen=True)
class Gathered:
    """The labels of one or more files, of the pictures at hand.

    Attributes:
        labels: see :func:`at_hand`.
        pictures: the folder that their picture paths start from.
        format: of the first file.
    """

    labels: Labels
    pictures: FolderPictures
    format: Format


def gathered(
    paths: Sequence[Path],
    folder: Path | None = None,
    *,
    format: str | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    moved: bool = True,
    frames_out: bool = False,
    several: bool = False,
    placeless: bool = False,
    progress: Progress | None = None,
    say: Say = unsaid,
) -> Gathered:
    """The labels of some files together, of the pictures at hand.

    Args:
        paths: files, or folders, of labels: see :func:`lead.landmarks.io.read_labels`.
        folder: that the picture paths start from; by default each file's own.
        format: the files' format, where content is not to decide.
        only: the kind of thing whose landmarks are read, of files that mark several.
        labelled_as: how pictures that their EXIF tag turns were looked at.
        moved: whether pictures that are not where a path says are looked for in all of the folder.
        frames_out: whether labelled frames of films are taken out and become files, see
            :func:`lead.images.frame_files.as_files`.
        several: whether pictures may show several specimens; else such pictures are left out, or refused.
        placeless: see :class:`lead.landmarks.pictures.PictureInfo`.
        progress: called as frames are taken out.
        say: told what of the labels is likely a mistake, and what was changed or left out.

    Raises:
        LeadError: a file cannot be understood, holds no landmark, or two say different things of a picture.
    """
    roots = [folder or beside(path) for path in paths]
    root = roots[0] if len(set(roots)) == 1 else Path(os.path.commonpath([each.absolute() for each in roots]))
    parts, kinds = [], []
    for path, own in zip(paths, roots, strict=True):
        pictures = FolderPictures(own, labelled_as, moved=moved, placeless=placeless)
        labels, kind = read_labels(path, pictures=pictures, format=format, only=only, several=several)
        if frames_out:
            labels = as_files(labels, pictures, path, progress=progress, say=say)
        labels = at_hand(labels, pictures, one_size=kind.one_size, say=say)
        for doubt in doubts(labels, pictures.upright()):
            say(doubt)
        if own != root:
            below = own.absolute().relative_to(root).as_posix()
            labels = labels.renamed(
                (PurePosixPath(below) / image).as_posix() if pictures.has(image) else image for image in labels.images
            )
        parts.append(labels)
        kinds.append(kind)
    joined = parts[0] if len(parts) == 1 else joined_tables(_without_superseded(parts, say))
    for doubt in alike_between(joined, parts):
        say(doubt)
    return Gathered(joined, FolderPictures(root, placeless=placeless), kinds[0])


def _without_superseded(parts: Sequence[Labels], say: Say) -> list[Labels]:
    """Several files' labels, without what a model says in one of pictures that a person labelled in another."""
    own = [set(np.array(part.images)[np.any(part.by_hand, axis=1)].tolist()) for part in parts]
    kept = []
    for i, part in enumerate(parts):
        elsewhere = set().union(*own[:i], *own[i + 1 :])
        superseded = np.array([image in elsewhere for image in part.images])[:, None] & part.is_predicted
        if superseded.any():
            file = f"{part.places.file}: " if part.places and part.places.file else ""
            count = len(_pictures(part, np.flatnonzero(superseded.any(1))))
            say(f"{file}left out: predictions of {counted(count, 'picture')} that a person labelled.")
            part = unlabelled(part, superseded)
        kept.append(part)
    return kept


def _pictures(labels: Labels, rows: Iterable[int]) -> list[str]:
    """The pictures of some rows."""
    return list(dict.fromkeys(labels.images[row] for row in rows))


def at_hand(
    labels: Labels,
    pictures: FolderPictures,
    *,
    one_size: bool = False,
    say: Say = unsaid,
    unclear: Callable[[int], None] | None = None,
) -> Labels:
    """Labels in the pixels of the upright pictures of a folder, under the paths that they have in it.

    Of a picture that is not there nothing is changed. Labels that were placed on a picture of other proportions than
    the one at hand are left out.

    Args:
        labels: as their file has them.
        pictures: those of the folder; ``labelled_as`` says how turned ones were looked at, None that the sizes decide.
        one_size: whether a size may be that of one picture, noted for a whole list: where a picture has it, it says
            nothing of others that do not.
        say: told what was found elsewhere, turned, scaled or left out, and what cannot be told.
        unclear: told the number of pictures of which it cannot be told how they were looked at, to ask for it; else
            what is said names the option.

    Raises:
        LeadError: every labelled picture that is there has other proportions than the file says.
    """
    labels = _found(labels, pictures, say)
    rows = np.flatnonzero(labels.is_specimen).tolist()
    corners = np.full((len(labels), 2, 2), np.nan) if labels.boxes is None else _corners(labels.boxes)
    xy, clashes = np.concatenate([labels.xy, corners], axis=1), []
    grown = np.ones((len(labels), 1))  # what was told in pixels of another size
    told: dict[str, list[int]] = {"turned": [], "unclear": [], "scaled": []}
    seen_of = {row: seen for row in rows if (seen := pictures.seen(labels.images[row]))}
    stated_of = _stated(labels, seen_of, one_size)
    for row, seen in seen_of.items():
        stated = stated_of.get(row)
        stored = _as_stored(seen, stated, pictures.labelled_as)
        if stored is None:
            told["unclear"].append(row)
        size = seen.stored if stored else seen.upright
        if stated is not None and stated != size:
            if stated == seen.stored and pictures.labelled_as:  # a tool that shows it upright, and notes what is stored
                size = stated
            elif not _alike(stated, size):
                clashes.append(row)
                continue
            else:
                told["scaled"].append(row)
                xy[row] = (xy[row] + 0.5) * np.divide(size, stated) - 0.5
                grown[row] = size[0] / stated[0]
        if stored:
            told["turned"].append(row)
            xy[row] = upright(xy[row], seen)
    if clashes and len(clashes) == len(seen_of):
        raise LeadError(_clash(labels, clashes, seen_of, "Give the pictures that were labelled."))
    _tell(labels, told, clashes, seen_of, say, advise=unclear is None)
    if unclear:
        unclear(len(_pictures(labels, told["unclear"])))
    visible = labels.visible.copy()
    visible[clashes] = UNLABELLED
    xy[clashes] = np.nan
    sizes = np.array([seen.upright if (seen := seen_of.get(row)) else (0, 0) for row in range(len(labels))])
    known = None if labels.sizes is None else np.where(sizes > 0, sizes, labels.sizes)
    complete = labels.complete.difference(labels.images[row] for row in clashes)
    boxes = None if labels.boxes is None else _boxes(xy[:, -2:])
    errors = {name: table * grown for name in ERRORS if (table := getattr(labels, name)) is not None}
    return replace(labels, xy=xy[:, :-2], visible=visible, sizes=known, boxes=boxes, complete=complete, **errors)


def _corners(boxes: FloatArray) -> FloatArray:
    """(N, 2, 2) the first and the last corner of (N, 4) boxes, as points that count from pixel centres."""
    return np.stack([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1) - 0.5


def _boxes(corners: FloatArray) -> FloatArray:
    """(N, 4) boxes between (N, 2, 2) two opposite corners."""
    low, high = corners.min(1), corners.max(1)
    return np.concatenate([low + 0.5, high - low], axis=1)


def placed(
    labels: Labels | Path | str | Sequence[Path | str],
    pictures: Path | str | None,
    say: Say,
    *,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    frames_out: bool = False,
    several: bool = False,
    sampling: Progress | None = None,
) -> tuple[Path, Labels]:
    """The pictures' folder, and the labels of those at hand; see :func:`lead.fit`."""
    if isinstance(labels, Labels):
        folder = FolderPictures(Path(pictures or "."), labelled_as)
        if frames_out:
            labels = as_files(labels, folder, progress=sampling, say=say)
        known = at_hand(labels, folder, say=say)
        for doubt in doubts(known, folder.upright()):
            say(doubt)
        return folder.root, known
    paths = [Path(labels)] if isinstance(labels, Path | str) else [Path(path) for path in labels]
    found = gathered(
        paths,
        Path(pictures) if pictures else None,
        only=only,
        labelled_as=labelled_as,
        frames_out=frames_out,
        several=several,
        progress=sampling,
        say=say,
    )
    return found.pictures.root, found.labels


def placed_by_hand(labels: Labels, say: Say = unsaid) -> Labels:
    """The labels without those that a model said, which is told.

    Raises:
        LeadError: all are a model's.
    """
    if labels.predicted is None:
        return labels
    kept = labels.without_predicted()
    rest = (kept.visible > UNLABELLED).any(1)
    alone = set(_pictures(labels, np.flatnonzero(labels.predicted.any(1)))).difference(
        _pictures(labels, np.flatnonzero(rest))
    )
    whole, points = len(alone), int(labels.predicted.sum())
    file = f"{labels.places.file}: " if labels.places and labels.places.file else ""
    if not rest.any():
        raise LeadError(
            f"{file}all {counted(points, 'point')} of {counted(whole, 'picture')} are a model's predictions, and none "
            "is a person's. A model is fitted to what a person placed: correct some in lead studio, or in the tool "
            "that the file is of, and save them as labels. (In a CSV, blank the scores of those you checked.)"
        )
    only = f", {counted(whole, 'picture')} holding nothing else" if whole else ""
    say(f"{file}left out: {counted(points, 'point')} that a model said and no person placed{only}.")
    return kept


def _stated(labels: Labels, seen: Mapping[int, Seen], one_size: bool) -> dict[int, Size]:
    """What the file says of pictures' sizes, by row."""
    if labels.sizes is None:
        return {}
    stated = {row: (width, height) for row, (width, height) in enumerate(labels.sizes.tolist()) if width and height}
    if not one_size:
        return stated
    kept = {stated[row] for row, here in seen.items() if row in stated and stated[row] in (here.upright, here.stored)}
    return {
        row: size
        for row, size in stated.items()
        if size not in kept or row not in seen or size in (seen[row].upright, seen[row].stored)
    }


def _found(labels: Labels, pictures: FolderPictures, say: Say) -> Labels:
    """The labels of a folder's pictures under their paths in it; what is not there keeps its name."""
    found = pictures.matches(list(dict.fromkeys(labels.images)))
    elsewhere = {name: file for name, file in found.files.items() if name != file}
    labelled = {labels.images[row] for row in np.flatnonzero(labels.is_specimen)}
    for text in _told_of(found, {name: file for name, file in elsewhere.items() if name in labelled}, pictures):
        say(f"{labels.places.file}: {text}" if labels.places and labels.places.file else text)
    return labels.renamed(elsewhere.get(image, image) for image in labels.images) if elsewhere else labels


def _told_of(found: Matches, elsewhere: dict[str, str], pictures: FolderPictures) -> list[str]:
    told = []
    if elsewhere:
        name, file = next(iter(elsewhere.items()))
        count = counted(len(elsewhere), "picture was found", "pictures were found") + " by the end of the path"
        told.append(f"{count}, the first is {name!r}: {file}.")
    if alone := [name for name in found.by_name_alone if name in elsewhere]:
        count = f"{len(alone)} of them {'lie' if len(alone) > 1 else 'lies'} in a folder of another name"
        told.append(f"{count}: look whether {elsewhere[alone[0]]} is really {alone[0]!r}.")
    if found.unclear:
        name, files = next(iter(found.unclear.items()))
        count = counted(len(found.unclear), "picture could", "pictures could each") + " be several files"
        told.append(
            f"{count} of {pictures.root}, and {'are' if len(found.unclear) > 1 else 'is'} left out; the first is "
            f"{name!r}: {', '.join(files[:3])}. Take a folder that holds just one of them."
            if len(files) > 1
            else f"{counted(len(found.unclear), 'picture is', 'pictures are each')} as much like "
            f"{files[0]} as another, and left out; the first is {name!r}. Keep one, or give both their folders."
        )
    return told


def _as_stored(seen: Seen, stated: Size | None, labelled_as: str | None) -> bool | None:
    """Whether a picture was labelled as its pixels are stored, not upright; None where that cannot be told."""
    if seen.upright_already:
        return False
    if labelled_as:
        return labelled_as == "stored"
    if stated is None or seen.upright == seen.stored:
        return None
    if _alike(stated, seen.stored) and not _alike(stated, seen.upright):
        return True
    return False if _alike(stated, seen.upright) and not _alike(stated, seen.stored) else None


def _alike(one: Size, other: Size) -> bool:
    """Whether a picture of one size can have been resized to another: their proportions differ by rounding alone."""
    (w, h), (width, height) = one, other
    return abs(w * height - h * width) <= max(*one, *other)


def upright(xy: FloatArray, seen: Seen) -> FloatArray:
    """(…, 2) places on the pixels as they are stored, on the upright picture; both count from pixel centres."""
    width, height = seen.stored
    x, y = xy[..., 0], xy[..., 1]
    left, top = (width - 1) - x, (height - 1) - y  # counted from the other edge
    turned = {2: (left, y), 3: (left, top), 4: (x, top), 5: (y, x), 6: (top, x), 7: (top, left), 8: (y, left)}
    return np.stack(turned.get(seen.orientation, (x, y)), axis=-1)


def _tell(
    labels: Labels,
    told: dict[str, list[int]],
    clashes: Sequence[int],
    seen: dict[int, Seen],
    say: Say,
    advise: bool,
) -> None:
    def first(rows: Sequence[int]) -> str:
        count = len(_pictures(labels, rows))
        return labels.where(rows[0]) + counted(count, "labelled picture", "labelled pictures")

    if rows := told["turned"]:
        say(
            f"{first(rows)} turned by the EXIF tag, labelled on the pixels as they are stored: the places are turned "
            f"with the picture. The first is {labels.images[rows[0]]}.{_advice('upright', advise)}"
        )
    if rows := told["unclear"]:
        say(
            f"{first(rows)} turned by the EXIF tag, and the labels do not tell whether on the upright picture or on "
            f"the pixels as they are stored: taken as upright. The first is {labels.images[rows[0]]}."
            f"{_advice('stored', advise)}"
        )
    if rows := told["scaled"]:
        assert labels.sizes is not None
        w, h = labels.sizes[rows[0]].tolist()
        width, height = seen[rows[0]].upright
        say(
            f"{first(rows)} of another size when labelled: the places are scaled. The first is "
            f"{labels.images[rows[0]]}, then {w} × {h}, now {width} × {height} pixels."
        )
    if clashes:
        say(_clash(labels, clashes, seen, "Their labels are left out: label again what is to count."))


def _advice(otherwise: LabelledAs, advise: bool) -> str:
    return f" If that is wrong: --labelled-as {otherwise}" if advise else ""


def _clash(labels: Labels, rows: Sequence[int], seen: dict[int, Seen], then: str) -> str:
    assert labels.sizes is not None
    w, h = labels.sizes[rows[0]].tolist()
    width, height = seen[rows[0]].upright
    if (w, h) == (width, height):
        return (
            f"{labels.where(rows[0])}{labels.images[rows[0]]} was labelled upright, as its {w} × {h} pixels in the "
            "file tell, so that its labels are not taken: leave out --labelled-as stored."
        )
    count = len(_pictures(labels, rows))
    return (
        f"{labels.where(rows[0])}{counted(count, 'labelled picture has', 'labelled pictures have')} other "
        f"proportions than the file says; the first, {labels.images[rows[0]]}, was labelled at {w} × {h} pixels and "
        f"has {width} × {height}: it was turned or cropped, or is another picture.{_others(labels, rows[1:])} {then}"
    )


def _others(labels: Labels, rows: Sequence[int]) -> str:
    """Names some pictures besides one that was named, the first few of them; empty if there are none."""
    names = [labels.images[row] for row in rows[:FEW_NAMES]]
    more = f" and {len(rows) - FEW_NAMES:,} more" if len(rows) > FEW_NAMES else ""
    return f" Likewise {', '.join(names)}{more}." if rows else ""
