"""Labels from other files into the book, and from the book into other files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from lead.errors import LeadError
from lead.images.folder_pictures import LabelledAs
from lead.landmarks.formats import WRITTEN, format_named
from lead.landmarks.io import holding_several
from lead.landmarks.joining import joined_tables
from lead.landmarks.model import PREDICTED, UNLABELLED, Labels, numbered
from lead.landmarks.pictures import PictureInfo, Sized
from lead.reporting import counted
from lead.studio.book import LabelBook
from lead.studio.document import Document
from lead.studio.incoming import Incoming, Shown, parsed, read, some
from lead.studio.label_messages import Curve, Landmark, Landmarks, Message
from lead.studio.merging import with_points, with_specimens
from lead.studio.messages import Imported
from lead.studio.schema import check_landmarks, default_colours

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
    the history first. A file of several specimens a picture makes the book one of several, unless it has labels.

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
        LeadError: the file cannot be understood; its landmarks do not fit those of the book; it has several specimens
            of a picture, and in the book each picture shows one; or a point lies far outside its picture. Nothing was
            changed.
    """
    report = Imported(format="")
    pictures = Shown(book.folder, labelled_as)
    filed, kind, several = parsed(data, name_hint, pictures, several=book.landmarks.several)
    files: dict[str, str] = {}
    if take and what == "labels":
        if several and not book.landmarks.several:
            _refuse_labelled(book.contents.document, filed, name_hint)
        placed = filed if predictions else filed.without_predicted()
        rows = np.flatnonzero(placed.is_specimen).tolist()
        files = take(list(dict.fromkeys(filed.images[row] for row in rows)))
    incoming = read(filed, kind, data, name_hint, pictures, files, report, several=several)
    incoming = incoming.with_predictions(predictions, report)
    if called:
        incoming = incoming.called(called, name_hint)
    report.format = incoming.format.name

    def make(document: Document) -> Document:
        if what == "labels" and several and not document.several:
            _refuse_labelled(document, filed, name_hint)
        document = _with_landmarks(document, incoming, what, add_landmarks, name_hint, report)
        if what == "landmarks":
            return document
        if several and not document.several:
            landmarks = document.landmarks.model_copy(update={"several": True})
            document = document.with_landmarks(landmarks, document.names)
        put = with_specimens if document.several else with_points
        return put(document, book.folder, incoming, replace, report)

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
        LeadError: there is no such format, or it holds one specimen of each picture and one shows several.
    """
    kind = format_named(format)
    labels = kind.specimens(labels)
    if not kind.holds_several:
        for image, count in labels.of_several().items():
            raise LeadError(
                f"{image} shows {counted(count, 'specimen')}, and {kind.title} holds one of each picture. Choose "
                f"another format: {holding_several()}."
            )
        labels = dataclasses.replace(labels.without_empty(), tracks=None)
    return kind.dump(labels, Sized(sizes or {}, _Unreadable()))


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
    if hand.tracks is not None or predicted.tracks is not None:
        return _combined_specimens(hand, predicted)
    labelled = {image: row for row, image in enumerate(hand.images) if (hand.visible[row] > UNLABELLED).any()}
    images = (*predicted.images, *(image for image in hand.images if image not in set(predicted.images)))
    n, k = len(images), len(hand.schema.names)
    xy, visible = np.full((n, k, 2), np.nan), np.zeros((n, k), dtype=np.int8)
    accepted = np.zeros((n, k), dtype=bool)
    extra = {key: np.full((n, k), np.nan) for key in PREDICTED}
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


def _combined_specimens(hand: Labels, predicted: Labels) -> Labels:
    """The same where there may be several specimens; a picture that is complete without any is labelled too."""
    there = hand.is_specimen
    labelled = {image for image, is_so in zip(hand.images, there.tolist(), strict=True) if is_so} | hand.complete
    known = predicted.only(name for name in hand.schema.names if name in predicted.schema.names)
    parts = [
        hand.take(row for row, image in enumerate(hand.images) if image in labelled),
        known.take(row for row, image in enumerate(known.images) if image not in labelled),
    ]
    joined = joined_tables(parts, hand.schema.names)
    place = {image: i for i, image in enumerate(dict.fromkeys((*predicted.images, *hand.images)))}
    return joined.take(sorted(range(len(joined)), key=lambda row: place[joined.images[row]]))


def _refuse_labelled(document: Document, filed: Labels, file: str) -> None:
    """Raises :class:`LeadError` where each picture shows one specimen here and there are labels already."""
    if any(document.counts().values()):
        shown = [f"{counted(count, 'specimen')} of {image}" for image, count in filed.of_several().items()]
        has = f"has {shown[0]}" if shown else "says that its pictures may show several specimens"
        raise LeadError(
            f"{file} {has}, and here each picture shows one. Say among the landmarks that a picture may show several, "
            "then import the file again."
        )


def _with_landmarks(
    document: Document, incoming: Incoming, what: What, add: bool, file: str, report: Imported
) -> Document:
    """The document with the file's landmarks, as far as they may be taken; as many specimens a picture as before."""
    here, theirs = document.names, incoming.names
    new, lacking = [n for n in theirs if n not in here], [n for n in here if n not in theirs]
    nothing_labelled = not any(document.counts().values())
    unnamed = "names" in incoming.format.lacks and tuple(theirs) == numbered(len(theirs))
    if here and unnamed and what == "landmarks":
        raise LeadError(f"{file} does not name its landmarks: take its labels.")
    if not here or (what == "landmarks" and nothing_labelled and not add):
        landmarks = incoming.landmarks.model_copy(update={"several": document.several})
        sources = [name if name in here else None for name in theirs]
        report.landmarks = len(theirs)
    elif new and add:
        landmarks, sources = _added(document.landmarks, new, incoming.landmarks.curves), [*here, *[None] * len(new)]
        report.landmarks = len(new)
    elif new or (what == "landmarks" and lacking):
        if unnamed:
            raise OtherLandmarks(
                f"{file} numbers {counted(len(theirs), 'landmark')}: say which of the {len(here)} here each is.", theirs
            )
        message = _differences(file, new, lacking, nothing_labelled)
        raise OtherLandmarks(message, theirs) if new else LeadError(message)
    elif what == "landmarks":
        given = {key: getattr(incoming.landmarks, key) for key in ("skeleton", "flip_pairs", "curves")}
        landmarks = document.landmarks.model_copy(update={key: value for key, value in given.items() if value})
        sources = list(here)
        report.landmarks = len(here)
    else:
        return document
    try:
        check_landmarks(landmarks)
    except LeadError as error:
        raise LeadError(f"{file}: {error}") from error
    return document if landmarks == document.landmarks else document.with_landmarks(landmarks, sources)


def _added(landmarks: Landmarks, names: list[str], curves: list[Curve]) -> Landmarks:
    """With further landmarks at the end, in colours that are not taken as far as there are any, and their curves."""
    taken = {landmark.colour for landmark in landmarks.landmarks}
    palette = default_colours(len(taken) + len(names))
    free = [colour for colour in palette if colour not in taken] + palette
    more = [Landmark(name=name, colour=colour) for name, colour in zip(names, free, strict=False)]
    new = [curve for curve in curves if set(names) & set(curve.points)]
    return landmarks.model_copy(
        update={"landmarks": [*landmarks.landmarks, *more], "curves": [*landmarks.curves, *new]}
    )


def _differences(file: str, new: list[str], lacking: list[str], nothing_labelled: bool) -> str:
    parts = []
    if new:
        parts.append(f"{file} has landmarks that are not here: {some(new)}.")
    if lacking:
        parts.append(
            f"It lacks landmarks that are here: {some(lacking)}." if new else f"{file} lacks: {some(lacking)}."
        )
    if nothing_labelled:
        parts.append("Nothing is labelled yet: take the file's landmarks first, or give those here the same names.")
    elif new:
        parts.append("Give those here the same names, or have the file's new ones added.")
    else:
        parts.append("Take them away here first, or import the file's labels and leave the landmarks as they are.")
    return " ".join(parts)
