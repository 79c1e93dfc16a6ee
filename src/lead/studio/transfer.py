"""Labels from other files into the book, and from the book into other files."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Literal

import numpy as np

from lead.errors import LeadError
from lead.images.decode import UnreadablePicture, orientation_of
from lead.images.folder_pictures import FolderPictures, LabelledAs, Seen
from lead.images.placing import at_hand
from lead.landmarks.format import Format
from lead.landmarks.formats import WRITTEN, format_named
from lead.landmarks.io import parse_labels
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Schema, numbered
from lead.landmarks.naming import Matches, matched, matches
from lead.landmarks.pictures import PictureInfo, Sized
from lead.reporting import counted
from lead.studio.book import LabelBook
from lead.studio.changing import size_for
from lead.studio.document import Document, PointsChange, Subject
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import Landmark, Landmarks, Message, Point
from lead.studio.messages import Imported
from lead.studio.schema import as_landmarks, check_landmarks, default_colours

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size

What = Literal["landmarks", "labels"]


class ExportFormat(Message):
    """A format that labels can be written in. ``loses``: what it cannot hold, for the person to read."""

    name: str
    title: str
    extension: str
    loses: str = ""


class OtherLandmarks(LeadError):
    """A file's landmarks are not those that are here.

    Attributes:
        theirs: the file's, in its order; which of those here each of them is, a person can say.
    """

    def __init__(self, message: str, theirs: list[str]) -> None:
        super().__init__(message)
        self.theirs = theirs


@dataclass(frozen=True)
class _Incoming:
    """What a file says: its landmarks, its labels, and the points that it labels, by picture and landmark."""

    format: Format
    landmarks: Landmarks
    points: dict[str, dict[str, Point]]
    labels: Labels

    def with_predictions(self, taken: bool, report: Imported) -> _Incoming:
        """With the points that a model said as accepted suggestions, or without them, which is counted."""
        if self.labels.predicted is None:
            return self
        if not taken:
            report.predicted = int(self.labels.predicted.sum())
        points = {}
        for picture, row in self._rows.items():
            said = {n for n, is_so in zip(self.labels.schema.names, self.labels.predicted[row], strict=True) if is_so}
            points[picture] = {
                name: point.model_copy(update={"accepted": True}) if name in said else point
                for name, point in self.points.get(picture, {}).items()
                if taken or name not in said
            }
        return replace(self, points=points)

    def placed(self, picture: str, points: Mapping[str, Point]) -> Labels:
        """Those of a picture's points that are in places, as labels that know where in the file they stand."""
        row = self._rows[picture]
        return self.labels.take([row]).only(name for name, point in points.items() if point.x is not None)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {posixpath.normpath(image): row for row, image in enumerate(self.labels.images)}

    @property
    def names(self) -> list[str]:
        return [landmark.name for landmark in self.landmarks.landmarks]

    def called(self, names: Sequence[str], file: str) -> _Incoming:
        """With other names, one for each landmark in the file's order; those whose name is blank are left out."""
        if len(names) != len(self.names):
            raise LeadError(f"{file}: {counted(len(self.names), 'landmark')}, not {len(names)}. Choose the file again.")
        new = {old: name for old, name in zip(self.names, names, strict=True) if name}
        twice = sorted({name for name in new.values() if list(new.values()).count(name) > 1})
        if twice:
            raise LeadError(f"{_some(twice)} is chosen for several of the file's landmarks. Choose each once.")
        schema = self.labels.schema.subset(new)
        flips, lines = ([(new[a], new[b]) for a, b in pairs] for pairs in (schema.flip_pairs, schema.skeleton))
        landmarks = Landmarks(
            landmarks=[
                landmark.model_copy(update={"name": new[landmark.name]})
                for landmark in self.landmarks.landmarks
                if landmark.name in new
            ],
            skeleton=lines,
            flip_pairs=flips,
        )
        points = {
            file: {new[name]: point for name, point in of_file.items() if name in new}
            for file, of_file in self.points.items()
        }
        renamed = Schema(tuple(new.values()), tuple(flips), tuple(lines))
        return replace(self, landmarks=landmarks, points=points, labels=replace(self.labels.only(new), schema=renamed))

    def as_known(self, theirs: Point, here: Point) -> Point:
        """What the file says of a point, where it could say all that is known here: else that is kept."""
        if here.state != "hidden" or "hidden" not in self.format.lacks or theirs.state != "visible":
            return theirs
        return theirs.model_copy(update={"state": "hidden"})

    def same(self, theirs: Point, here: Point) -> bool:
        """Whether two points are one, as far as the file can tell."""
        if theirs.state != here.state:
            return False
        axes = ((theirs.x, here.x), (theirs.y, here.y))
        return all(a == b or (a is not None and b is not None and abs(a - b) <= self.format.precision) for a, b in axes)


def import_labels(
    book: LabelBook,
    data: bytes,
    name_hint: str,
    what: What,
    replace: bool,
    *,
    add_landmarks: bool = False,
    called: Sequence[str] = (),
    predictions: bool = False,
    labelled_as: LabelledAs | None = None,
    take: Callable[[Sequence[str]], dict[str, str]] | None = None,
) -> Imported:
    """Takes landmarks, or landmarks and points, from a label file of any format that :mod:`lead.landmarks` reads.

    Which of the folder's pictures the file means, :mod:`lead.landmarks.naming` says. The book's present state goes into
    the history first.

    Args:
        book: where to.
        data: the file's bytes.
        name_hint: the file's name, for messages.
        what: only the landmarks (names, pairs, skeleton), or their points too.
        replace: whether points that stand here already are replaced by the file's; else they are kept.
        add_landmarks: whether landmarks that the book does not have are added to those that it has.
        called: what the file's landmarks are called here, one name for each in the file's order, blank for one to be
            left out; by default they are called what the file calls them.
        predictions: whether points that a model said are taken too, as accepted suggestions; else they are left out.
        labelled_as: how pictures that their EXIF tag turns were looked at, where the file's sizes do not say.
        take: makes labelled frames of films pictures of the folder, and says which file each is.

    Raises:
        OtherLandmarks: its landmarks are not those of the book. Nothing was changed.
        LeadError: the file cannot be understood; its landmarks do not fit those of the book; or a point lies far
            outside its picture. Nothing was changed.
    """
    report = Imported(format="")
    pictures = _Shown(book.folder, labelled_as)
    filed, kind = parse_labels(data, name_hint, pictures=pictures)
    files: dict[str, str] = {}
    if take and what == "labels":
        placed = filed if predictions else filed.without_predicted()
        rows = np.flatnonzero((placed.visible > UNLABELLED).any(1)).tolist()
        files = take([filed.images[row] for row in rows])
    incoming = _read(filed, kind, data, name_hint, pictures, files, report)
    incoming = incoming.with_predictions(predictions, report)
    if called:
        incoming = incoming.called(called, name_hint)
    report.format = incoming.format.name

    def make(document: Document) -> Document:
        document = _with_landmarks(document, incoming, what, add_landmarks, name_hint, report)
        return _with_points(document, book.folder, incoming, replace, report) if what == "labels" else document

    book.edit("before an import", make)
    return report


NO_FORMAT_HOLDS = "colours, notes, tags and what you said of which way is up, and which landmarks were marked absent"


def formats() -> list[ExportFormat]:
    """Every format that labels can be written in."""
    return [
        ExportFormat(
            name=kind.name,
            title=kind.title,
            extension=kind.extension,
            loses="; ".join(filter(None, [kind.loses, NO_FORMAT_HOLDS])),
        )
        for kind in WRITTEN
    ]


def ending(format: str) -> str:
    """What the name of a file in this format ends in; where others end so too, with the format's own name before it."""
    kind = format_named(format)
    alike = sum(kind.extension == other.extension for other in WRITTEN) > 1
    return f".{kind.name}{kind.extension}" if alike and kind.extension != f".{kind.name}" else kind.extension


def export(labels: Labels, format: str, sizes: Mapping[str, Size] | None = None) -> bytes:
    """A file of labels.

    Args:
        labels: what to write.
        format: name of one of :func:`formats`.
        sizes: (width, height) of the pictures, for the formats that hold them.

    Raises:
        LeadError: there is no such format.
    """
    return format_named(format).dump(labels, Sized(sizes or {}, _Unreadable()))


class _Unreadable(PictureInfo):
    """Pictures of the folder that cannot be read."""

    def size(self, image: str) -> Size:
        raise LeadError(
            f"{image} cannot be read, but this format holds the pictures' sizes. Put the file right, or "
            "choose another format."
        )


def combined(hand: Labels, predicted: Labels | None) -> Labels:
    """The hand's labels of the pictures that it labelled, and the predictions of all others.

    Landmarks are those of ``hand``. The predictions keep their ``score`` and errors; the hand's labels have none.
    Pictures come in the order of the predictions, those that have none at the end.
    """
    if predicted is None:
        return hand
    labelled = {image: row for row, image in enumerate(hand.images) if (hand.visible[row] > UNLABELLED).any()}
    images = (*predicted.images, *(image for image in hand.images if image not in set(predicted.images)))
    n, k = len(images), len(hand.schema.names)
    xy, visible = np.full((n, k, 2), np.nan), np.zeros((n, k), dtype=np.int8)
    accepted = np.zeros((n, k), dtype=bool)
    extra = {key: np.full((n, k), np.nan) for key in ("score", "px_error", "px_90")}
    known = [name for name in hand.schema.names if name in predicted.schema.names]
    to = [hand.schema.index(name) for name in known]
    of = [predicted.schema.index(name) for name in known]
    from_model = [row for row, image in enumerate(predicted.images) if image not in labelled]
    xy[np.ix_(from_model, to)] = predicted.xy[np.ix_(from_model, of)]
    visible[np.ix_(from_model, to)] = predicted.visible[np.ix_(from_model, of)]
    for key, table in extra.items():
        values = getattr(predicted, key)
        if values is not None:
            table[np.ix_(from_model, to)] = values[np.ix_(from_model, of)]
    for row, image in enumerate(images):
        if image in labelled:
            xy[row], visible[row] = hand.xy[labelled[image]], hand.visible[labelled[image]]
            accepted[row] = visible[row].astype(bool) & ~hand.by_hand[labelled[image]]
    predictions = [None if np.isnan(table).all() else table for table in extra.values()]
    return Labels(hand.schema, images, xy, visible, *predictions, accepted=accepted)


class _Shown(FolderPictures):
    """The pictures of the studio's folder, and no others: a file may name any on the machine."""

    def __init__(self, folder: PictureFolder, labelled_as: LabelledAs | None) -> None:
        super().__init__(folder.root, labelled_as)
        self._folder = folder

    def matches(self, images: Sequence[str]) -> Matches:
        return matches(images, self._folder.files)

    def has(self, image: str) -> bool:
        return image in self._folder.listing

    def _look(self, image: str) -> Seen:
        found = self.find(image)
        if found is None:
            raise LeadError(f"picture {image!r}, whose size is needed, is not in this folder.")
        if found not in self._seen:
            size = self._folder.size(self._folder.id_of(found))
            self._seen[found] = Seen(size, orientation_of(self.root / found))
        return self._seen[found]


def _read(
    as_filed: Labels,
    kind: Format,
    data: bytes,
    name: str,
    pictures: FolderPictures,
    files: Mapping[str, str],
    report: Imported,
) -> _Incoming:
    """What a file says; ``files`` are those of frames that were taken out for it."""
    if as_filed.places and as_filed.places.left_out:
        report.notes.append(f"Left out: {as_filed.places.left_out}.")
    known = set(as_filed.images)
    files = {image: file for image, file in files.items() if file not in known}
    named = as_filed.renamed(files.get(image, image) for image in as_filed.images)
    labels = at_hand(
        named, pictures, one_size=kind.one_size, say=report.notes.append, unclear=partial(setattr, report, "unclear")
    )
    try:
        if kind.name == "coco":  # the only one that holds colours and what is absent
            document = Document.parse(data)
            here = dict(zip(map(posixpath.normpath, as_filed.images), labels.images, strict=True))
            placed = _points(labels)
            points = {
                here[file]: {
                    name: point
                    if point.x is None
                    else placed[here[file]][name].model_copy(update={"accepted": point.accepted})
                    for name, point in annotation.points().items()
                    if point.x is None or name in placed[here[file]]
                }
                for file, annotation in document.annotated()
            }
            return _Incoming(kind, document.landmarks, points, labels)
        schema = labels.schema
        landmarks = as_landmarks(schema.names, schema.skeleton, schema.flip_pairs)
        return _Incoming(kind, landmarks, _points(labels), labels)
    except LeadError as error:
        raise LeadError(f"{name}: {error}") from error


def _points(labels: Labels) -> dict[str, dict[str, Point]]:
    found: dict[str, dict[str, Point]] = {}
    for row, image in enumerate(labels.images):
        found[posixpath.normpath(image)] = {
            name: Point(state="visible" if v == VISIBLE else "hidden", x=x, y=y)
            for name, (x, y), v in zip(
                labels.schema.names, labels.xy[row].tolist(), labels.visible[row].tolist(), strict=True
            )
            if v > UNLABELLED
        }
    return found


def _with_landmarks(
    document: Document, incoming: _Incoming, what: What, add: bool, file: str, report: Imported
) -> Document:
    """The document with the file's landmarks, as far as they may be taken."""
    here, theirs = document.names, incoming.names
    new, lacking = [n for n in theirs if n not in here], [n for n in here if n not in theirs]
    nothing_labelled = not any(document.counts().values())
    unnamed = "names" in incoming.format.lacks and tuple(theirs) == numbered(len(theirs))
    if here and unnamed and what == "landmarks":
        raise LeadError(f"{file} does not name its landmarks: take its labels.")
    if not here or (what == "landmarks" and nothing_labelled and not add):
        landmarks, sources = incoming.landmarks, [name if name in here else None for name in theirs]
        report.landmarks = len(theirs)
    elif new and add:
        landmarks, sources = _added(document.landmarks, new), [*here, *[None] * len(new)]
        report.landmarks = len(new)
    elif new or (what == "landmarks" and lacking):
        if unnamed:
            raise OtherLandmarks(
                f"{file} numbers {counted(len(theirs), 'landmark')}: say which of the {len(here)} here each is.", theirs
            )
        message = _differences(file, new, lacking, nothing_labelled)
        raise OtherLandmarks(message, theirs) if new else LeadError(message)
    elif what == "landmarks":
        pairs = {"skeleton": incoming.landmarks.skeleton, "flip_pairs": incoming.landmarks.flip_pairs}
        landmarks = document.landmarks.model_copy(update={key: value for key, value in pairs.items() if value})
        sources = list(here)
        report.landmarks = len(here)
    else:
        return document
    try:
        check_landmarks(landmarks)
    except LeadError as error:
        raise LeadError(f"{file}: {error}") from error
    return document if landmarks == document.landmarks else document.with_landmarks(landmarks, sources)


def _added(landmarks: Landmarks, names: list[str]) -> Landmarks:
    """With further landmarks at the end, in colours that are not taken as far as there are any."""
    taken = {landmark.colour for landmark in landmarks.landmarks}
    palette = default_colours(len(taken) + len(names))
    free = [colour for colour in palette if colour not in taken] + palette
    more = [Landmark(name=name, colour=colour) for name, colour in zip(names, free, strict=False)]
    return landmarks.model_copy(update={"landmarks": [*landmarks.landmarks, *more]})


def _differences(file: str, new: list[str], lacking: list[str], nothing_labelled: bool) -> str:
    parts = []
    if new:
        parts.append(f"{file} has landmarks that are not here: {_some(new)}.")
    if lacking:
        parts.append(
            f"It lacks landmarks that are here: {_some(lacking)}." if new else f"{file} lacks: {_some(lacking)}."
        )
    if nothing_labelled:
        parts.append("Nothing is labelled yet: take the file's landmarks first, or give those here the same names.")
    elif new:
        parts.append("Give those here the same names, or have the file's new ones added.")
    else:
        parts.append("Take them away here first, or import the file's labels and leave the landmarks as they are.")
    return " ".join(parts)


def _some(names: list[str]) -> str:
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _with_points(
    document: Document, folder: PictureFolder, incoming: _Incoming, replace: bool, report: Imported
) -> Document:
    labelled = [file for file, points in incoming.points.items() if points]
    file_of = matched(labelled, folder.files)
    changes: dict[Subject, PointsChange] = {}
    for theirs in labelled:
        if theirs not in file_of:
            report.missing.append(theirs)
            continue
        file = file_of[theirs]
        annotation = document.annotation(file)
        here = annotation.points() if annotation else {}
        points = {
            name: incoming.as_known(point, here[name]) if name in here else point
            for name, point in incoming.points[theirs].items()
        }
        new = {name: point for name, point in points.items() if name not in here}
        other = {n: point for n, point in points.items() if n in here and not incoming.same(point, here[n])}
        report.added += len(new)
        report.same += len(points) - len(new) - len(other)
        if replace:
            report.replaced += len(other)
            new |= other
        else:
            report.kept += len(other)
        if new:
            try:
                size = size_for(folder, file, incoming.placed(theirs, new))
            except UnreadablePicture as error:
                report.notes.append(f"{file} cannot be read ({error.reason}); its labels were taken all the same.")
                size = None
            changes[file] = PointsChange(new, size=size)
    return document.with_points(changes) if changes else document
