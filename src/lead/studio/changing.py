"""What a change of labels makes of what stands in the book, or why it cannot be made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from lead.errors import LeadError, unknown
from lead.images.decode import UnreadablePicture
from lead.images.doubts import refuse_far
from lead.landmarks.model import Labels, Schema
from lead.reporting import counted
from lead.studio.contents import Contents
from lead.studio.document import Document, PointsChange, Subject
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import Direction, LabelsChange, PictureLabels, Point
from lead.studio.labelfile import Conflict
from lead.studio.specimens import ALONE, Specimen, split_key
from lead.studio.tags import checked_tags, checked_track
from lead.studio.ups import NOWHERE, Up

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

ELSEWHERE = "elsewhere meanwhile, perhaps in another tab."


def changed(present: Contents, key: str, change: LabelsChange, said: Up | None) -> Document | None:
    """The document after a change of one picture, or of one of its specimens.

    Args:
        present: what stands here.
        key: of the picture or specimen; see :meth:`Contents.of`.
        change: what is to change.
        said: what its ``up`` means by what is labelled.

    Returns:
        None if it says what stands here already.

    Raises:
        Conflict: what it is based on does not stand here any more; carries what does.
        LeadError: there is no such picture or landmark, a point lies far outside the picture, or the change is none of
            a picture, or none of a specimen.
    """
    document, now = present.document, present.of(key)
    subject = _subject(present, key)
    _refuse_misplaced(document, subject, change)
    for name in change.points:
        if name not in document.names:
            raise unknown("landmark", name, document.names)
    if isinstance(subject, Specimen) and change.remove:
        if now.gone:
            return None
        _check_base(change, now)
        return document.without([subject])
    new = {name: point for name, point in change.points.items() if now.points.get(name) != point}
    note = None if change.note == now.note else change.note
    tags = None if change.tags is None else checked_tags(change.tags)
    tags = None if tags == now.tags else tags
    up = None if said is not None and (said.x, said.y) == ((now.up.x, now.up.y) if now.up else (0, 0)) else said
    complete = None if change.complete == now.complete else change.complete
    track = None if change.track is None else checked_track(change.track)
    track = None if track == now.track else track
    whole = (note, tags, up, complete, track)
    if not new and change.checked in (None, now.checked) and all(value is None for value in whole):
        return None
    _check_base(change, now)
    if not document.names:
        raise LeadError("Name the landmarks first: the file that keeps notes and tags begins with them.")
    if isinstance(subject, Specimen):
        track = _track_of(document, subject, track, new=now.gone)
    checked = (now.checked and not new) if change.checked is None else change.checked
    file = subject.file if isinstance(subject, Specimen) else subject
    size = size_for(present.folder, file, _placed(file, new))
    points = PointsChange(new, checked, size, note, tags, up, complete, track)
    return document.with_points({subject: points})


def _subject(present: Contents, key: str) -> Subject:
    id, number = split_key(key) if present.document.several else (key, None)
    file = present.folder.file_of(id)
    return file if number is None else Specimen(file, number)


def _refuse_misplaced(document: Document, subject: Subject, change: LabelsChange) -> None:
    """Raises :class:`LeadError` for what is not said of a picture, or not of a specimen."""
    of_picture = [name for name in ("note", "tags", "up", "complete") if getattr(change, name) is not None]
    of_specimen = [name for name in ("checked", "track") if getattr(change, name) is not None]
    of_specimen += [name for name in ("points", "remove") if getattr(change, name)]
    if not document.several:
        if wrong := {"complete", "track", "remove"}.intersection(of_picture + of_specimen):
            raise LeadError(
                f"{', '.join(sorted(wrong))}: is said where pictures may show several specimens, and here each shows "
                "one. Say first that they may show several."
            )
    elif isinstance(subject, Specimen):
        if of_picture:
            raise LeadError(
                f"{', '.join(of_picture)}: is said of a picture as a whole. Leave the number out of its id."
            )
    elif of_specimen:
        raise LeadError(
            f"{', '.join(of_specimen)}: is said of one specimen, and {subject} may show several. Load the page again."
        )


def _check_base(change: LabelsChange, now: PictureLabels) -> None:
    """Raises :class:`Conflict` where what a change is based on does not stand here; what is not there is based on 0."""
    if change.base == now.version or (now.gone and change.base == 0):
        return
    if now.gone:
        raise Conflict(f"This specimen was taken out {ELSEWHERE}", labels=now)
    raise Conflict(f"This picture was changed {ELSEWHERE}", labels=now)


def _track_of(document: Document, subject: Specimen, track: str | None, *, new: bool) -> str | None:
    """What a specimen is to be called; None for what it is. Raises :class:`LeadError` where another is called so.

    A new one that takes the place of one that was taken out has that one's name, as long as no other has it.
    """
    if new and any(annotation.entry.get("id") == subject.number for annotation in document.annotations):
        raise LeadError(f"Another annotation of the label file has the number {subject.number}. Choose another.")
    others = {
        annotation.track
        for number in document.specimens_of.get(subject.file, ())
        if number != subject.number and (annotation := document.annotation(subject.file, number))
    }
    back = document.taken_out.get(subject) if new else None
    if track is None and back is not None and back.track in others:
        return ""
    if track and track in others:
        raise LeadError(
            f"{subject.file} shows individual {track!r} already. Choose another name, or take that one's away first."
        )
    return track


def size_for(folder: PictureFolder, file: str, labels: Labels) -> Size | None:
    """A picture's (width, height), once it is sure that none of its labels lies far outside it.

    Args:
        folder, file: the picture.
        labels: of it alone, in places all of them.

    Raises:
        LeadError: a label lies more than half a side outside, or there are some but the picture cannot be read.
    """
    try:
        size = folder.size(folder.id_of(file))
    except UnreadablePicture:
        if labels.schema.names:
            raise
        return None
    refuse_far(labels, [size])
    return size


def up_of(contents: Contents, up: Direction) -> Up:
    """What a direction means by what is labelled."""
    if not (up.x or up.y):
        return NOWHERE
    return Up.said(up.x, up.y, contents.headings.names, contents.headings.places)


def _placed(file: str, points: Mapping[str, Point | None]) -> Labels:
    """Those of a picture's points that are in places."""
    placed = {name: (point.x, point.y) for name, point in points.items() if point and point.x is not None}
    return Labels.from_xy(Schema(tuple(placed)), [file], np.array([list(placed.values())], dtype=np.float64))


def refuse_one_each(document: Document) -> None:
    """Raises :class:`LeadError` where a picture shows several specimens, or is marked complete."""
    for file in (*document.specimens_of, *document.complete):
        count, complete = len(document.specimens(file)), file in document.complete
        if count > 1 or complete:
            marked = " and is marked complete" if complete else ""
            raise LeadError(
                f"{file} shows {counted(count, 'specimen')}{marked}. For one specimen a picture, first take out all "
                "but one of each, and take back that pictures are complete."
            )


def with_labels_of(document: Document, earlier: Document, names: Iterable[str]) -> Document:
    """With what an earlier state says of some landmarks, which have no labels here."""
    wanted = [name for name in names if name in earlier.names]
    changes: dict[Subject, PointsChange] = {}
    for file, theirs in earlier.annotated():
        points, id = theirs.points(), theirs.entry.get("id")
        number = id if document.several and type(id) is int else ALONE
        mine = document.annotation(file, number)
        if (document.several or earlier.several) and (mine is None or mine.entry.get("id") != id):
            continue  # it has been taken out since
        if found := {name: points[name] for name in wanted if name in points}:
            subject = Specimen(file, number) if document.several else file
            changes[subject] = PointsChange(found, mine is not None and mine.checked)
    return document.with_points(changes) if changes else document
