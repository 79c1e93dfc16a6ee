"""The labels of another file put into the document: what is new, what is the same, and what is kept as it was."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from lead.images.decode import UnreadablePicture
from lead.landmarks.model import Labels
from lead.landmarks.naming import matched
from lead.reporting import counted
from lead.studio.changing import size_for
from lead.studio.document import Document, PointsChange, Subject
from lead.studio.entries import Annotation
from lead.studio.folder import PictureFolder
from lead.studio.incoming import Incoming
from lead.studio.label_messages import Point
from lead.studio.matching import FloatArray, Shapes, same_specimens
from lead.studio.messages import Imported
from lead.studio.specimens import Specimen, free_id

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size


def with_points(
    document: Document, folder: PictureFolder, incoming: Incoming, replace: bool, report: Imported
) -> Document:
    """The document with the file's labels, of which each picture has one row.

    Args:
        document: that has the file's landmarks.
        folder: of the pictures.
        incoming: what the file says.
        replace: whether points that stand here already are replaced by the file's; else they are kept.
        report: told what comes of it.

    Raises:
        LeadError: a point lies far outside its picture.
    """
    labelled = {incoming.picture(row): row for row, points in incoming.points.items() if points}
    file_of = matched(list(labelled), folder.files)
    changes: dict[Subject, PointsChange] = {}
    for theirs, row in labelled.items():
        if theirs not in file_of:
            report.missing.append(theirs)
            continue
        file = file_of[theirs]
        annotation = document.annotation(file)
        if new := _merged(incoming, row, annotation, replace, report):
            changes[file] = PointsChange(new, size=_size(folder, file, incoming.placed(row, new), report))
    return document.with_points(changes) if changes else document


def with_specimens(
    document: Document, folder: PictureFolder, incoming: Incoming, replace: bool, report: Imported
) -> Document:
    """The same where there may be several specimens: those that are here already are found by name or by place."""
    complete = {posixpath.normpath(image) for image in incoming.labels.complete}
    rows_of: dict[str, list[int]] = {}
    for row, there in enumerate(incoming.labels.is_specimen.tolist()):
        if there or incoming.picture(row) in complete:
            rows_of.setdefault(incoming.picture(row), []).extend([row] if there else [])
    file_of = matched(list(rows_of), folder.files)
    free = _free_number(document)
    changes: dict[Subject, PointsChange] = {}
    for theirs, rows in rows_of.items():
        if theirs not in file_of:
            report.missing.append(theirs)
            continue
        file = file_of[theirs]
        here = document.specimens(file)
        found = _partners(here, document.names, incoming, rows)
        for row in rows:
            if (number := found.get(row)) is None:
                number, free = free, free + 1
            others = {one.track for other, one in here.items() if other != number}
            points = _merged(incoming, row, here.get(number), replace, report)
            track = _track(incoming, row, here.get(number), others, replace)
            box = _box(incoming, row, here.get(number), replace)
            if points or track is not None or box is not None:
                size = _size(folder, file, incoming.placed(row, points), report)
                checked = number in here and here[number].checked and not points
                changes[Specimen(file, number)] = PointsChange(points, checked, size, track=track, box=box)
        image = document.image(file)
        if theirs in complete and not (image and image.complete):
            changes[file] = PointsChange({}, complete=True)
    boxes = sum(not change.points and change.box is not None for change in changes.values())
    if boxes:
        report.notes.append(f"{counted(boxes, 'specimen')} came with a box and without landmarks.")
    return document.with_points(changes) if changes else document


def _free_number(document: Document) -> int:
    """A number that no annotation has, nor one that was taken out: what came back with it would be that one's."""
    out = [{"id": specimen.number} for specimen in document.taken_out]
    return free_id([*(annotation.entry for annotation in document.annotations), *out])


def _track(incoming: Incoming, row: int, annotation: Annotation | None, others: set[str], replace: bool) -> str | None:
    """What a specimen is to be called after a row of the file; None for what it is. ``others``: names not to be had."""
    track, ours = incoming.track(row), "" if annotation is None else annotation.track
    return track if track not in ("", ours, *others) and (replace or not ours) else None


def _box(incoming: Incoming, row: int, annotation: Annotation | None, replace: bool) -> list[float] | None:
    """The box that a specimen is to have after a row of the file; None for the one that it has."""
    box, ours = incoming.box(row), None if annotation is None else annotation.box
    if box is None or (ours and not replace):
        return None
    return None if ours and incoming.same_box(box, ours) else box


def _partners(
    here: Mapping[int, Annotation], names: Sequence[str], incoming: Incoming, rows: Sequence[int]
) -> dict[int, int]:
    """The number of the specimen here that a row of the file is."""
    labels = incoming.labels
    if not here or not rows:
        return {}
    nothing = [np.nan] * 4
    xy = np.full((len(rows), len(names), 2), np.nan)
    columns = [names.index(name) for name in labels.schema.names]
    xy[:, columns] = labels.xy[list(rows)]
    tables = np.array([annotation.table for annotation in here.values()])
    ours = Shapes(
        [annotation.track for annotation in here.values()],
        np.where(tables[..., 2:] > 0, tables[..., :2], np.nan),
        np.array([annotation.box or nothing for annotation in here.values()], dtype=np.float64),
    )
    boxes: FloatArray = np.array([incoming.box(row) or nothing for row in rows], dtype=np.float64)
    theirs = Shapes([incoming.track(row) for row in rows], xy, boxes)
    numbers = list(here)
    return {rows[j]: numbers[i] for j, i in same_specimens(ours, theirs).items()}


def _merged(
    incoming: Incoming, row: int, annotation: Annotation | None, replace: bool, report: Imported
) -> dict[str, Point]:
    """The points of a row that are to be set, of a picture or specimen that has some labels; all are counted."""
    here = annotation.points() if annotation else {}
    points = {
        name: incoming.as_known(point, here[name]) if name in here else point
        for name, point in incoming.points.get(row, {}).items()
    }
    new = {name: point for name, point in points.items() if name not in here}
    other = {n: point for n, point in points.items() if n in here and not incoming.same(point, here[n])}
    report.added += len(new)
    report.same += len(points) - len(new) - len(other)
    if replace:
        report.replaced += len(other)
        return new | other
    report.kept += len(other)
    return new


def _size(folder: PictureFolder, file: str, labels: Labels, report: Imported) -> Size | None:
    try:
        return size_for(folder, file, labels)
    except UnreadablePicture as error:
        note = f"{file} cannot be read ({error.reason}); its labels were taken all the same."
        if note not in report.notes:
            report.notes.append(note)
        return None
