"""What a label file says, for the book to take it over."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lead.errors import LeadError
from lead.images.decode import orientation_of
from lead.images.folder_pictures import FolderPictures, LabelledAs, Seen
from lead.images.placing import at_hand
from lead.landmarks import coco
from lead.landmarks.format import Format
from lead.landmarks.io import parse_labels
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels
from lead.landmarks.naming import Matches, matches
from lead.reporting import counted
from lead.studio.document import Document
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import Landmarks, Point
from lead.studio.messages import Imported
from lead.studio.schema import as_landmarks, renamed, schema_of
from lead.studio.specimens import tidied_as_needed


@dataclass(frozen=True)
class Incoming:
    """What a file says: its landmarks, its labels, and the points that it labels.

    Attributes:
        format: that it is in.
        landmarks: the file's.
        points: by the row of ``labels``, and by landmark.
        labels: of the pictures that are here, under the paths that they have here.
        several: whether each row is one of several specimens that a picture may show.
    """

    format: Format
    landmarks: Landmarks
    points: dict[int, dict[str, Point]]
    labels: Labels
    several: bool = False

    def with_predictions(self, taken: bool, report: Imported) -> Incoming:
        """With the points that a model said as accepted suggestions, or without them, which is counted."""
        if self.labels.predicted is None:
            return self
        if not taken:
            report.predicted = int(self.labels.predicted.sum())
        points = {}
        for row, of_row in enumerate(self.labels.predicted):
            said = {name for name, is_so in zip(self.labels.schema.names, of_row, strict=True) if is_so}
            points[row] = {
                name: point.model_copy(update={"accepted": True}) if name in said else point
                for name, point in self.points.get(row, {}).items()
                if taken or name not in said
            }
        return replace(self, points=points, labels=self.labels if taken else self.labels.without_predicted())

    def placed(self, row: int, points: Mapping[str, Point]) -> Labels:
        """Those of a row's points that are in places, as labels that know where in the file they stand."""
        return self.labels.take([row]).only(name for name, point in points.items() if point.x is not None)

    def picture(self, row: int) -> str:
        """The picture of a row."""
        return posixpath.normpath(self.labels.images[row])

    def track(self, row: int) -> str:
        """The name of the individual that a row is of; empty where there is none."""
        return self.labels.tracks[row] if self.labels.tracks else ""

    def box(self, row: int) -> list[float] | None:
        """The x, y, width and height around a row's specimen, where it has a box."""
        if self.labels.boxes is None or not np.isfinite(self.labels.boxes[row]).all():
            return None
        box: list[float] = self.labels.boxes[row].tolist()
        return box

    @property
    def names(self) -> list[str]:
        """The landmarks' names."""
        return [landmark.name for landmark in self.landmarks.landmarks]

    def called(self, names: Sequence[str], file: str) -> Incoming:
        """With other names, one for each landmark in the file's order; those whose name is blank are left out."""
        if len(names) != len(self.names):
            raise LeadError(f"{file}: {counted(len(self.names), 'landmark')}, not {len(names)}. Choose the file again.")
        new = {old: name for old, name in zip(self.names, names, strict=True) if name}
        twice = sorted({name for name in new.values() if list(new.values()).count(name) > 1})
        if twice:
            raise LeadError(f"{some(twice)} is chosen for several of the file's landmarks. Choose each once.")
        flips, lines = (
            [(new[a], new[b]) for a, b in pairs if a in new and b in new]
            for pairs in (self.landmarks.flip_pairs, self.landmarks.skeleton)
        )
        kept = [
            landmark.model_copy(update={"name": new[landmark.name]})
            for landmark in self.landmarks.landmarks
            if landmark.name in new
        ]
        landmarks = self.landmarks.model_copy(
            update={
                "landmarks": kept,
                "skeleton": lines,
                "flip_pairs": flips,
                "curves": renamed(self.landmarks.curves, new),
            }
        )
        points = {
            row: {new[name]: point for name, point in of_row.items() if name in new}
            for row, of_row in self.points.items()
        }
        labels = replace(self.labels.only(new), schema=schema_of(landmarks))
        return replace(self, landmarks=landmarks, points=points, labels=labels)

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

    def same_box(self, theirs: Sequence[float], here: Sequence[float]) -> bool:
        """The same of two boxes, whose far corner is as exact as a place."""
        return all(abs(a - b) <= 2 * self.format.precision for a, b in zip(theirs, here, strict=True))


class Shown(FolderPictures):
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


def parsed(data: bytes, name: str, pictures: FolderPictures, *, several: bool) -> tuple[Labels, Format, bool]:
    """The labels of a file, its format, and whether a row is one of several specimens.

    Args:
        data: the file's bytes.
        name: the file's, for messages.
        pictures: the folder's.
        several: whether pictures may show several here. Where they may not, the file is read so all the same if it says
            that its pictures may, or if one has several that a person labelled.

    Raises:
        LeadError: the file cannot be understood.
    """
    if several:
        return *parse_labels(data, name, pictures=pictures, several=True), True
    failed: LeadError | None = None
    try:
        labels, kind = parse_labels(data, name, pictures=pictures)
        if not (labels.places and labels.places.left_out) and not _says_several(data, kind):
            return labels, kind, False
    except LeadError as error:
        failed = error
    try:
        found, its_kind = parse_labels(data, name, pictures=pictures, several=True)
    except LeadError:
        found = None
    if found is not None:
        marked = replace(found, boxes=None)
        if _says_several(data, its_kind) or (marked if failed else marked.without_predicted()).of_several():
            return found, its_kind, True
    if failed is not None:
        raise failed
    return labels, kind, False


def _says_several(data: bytes, kind: Format) -> bool:
    if kind.name != "coco" or not any(word in data for word in (b'"several"', b'"complete"')):
        return False
    return tidied_as_needed(coco.read(data.decode("utf-8-sig")))[1]


def read(
    as_filed: Labels,
    kind: Format,
    data: bytes,
    name: str,
    pictures: FolderPictures,
    files: Mapping[str, str],
    report: Imported,
    *,
    several: bool,
) -> Incoming:
    """What a file says.

    Args:
        as_filed, kind, several: as of :func:`parsed`.
        data, name: the file's bytes and name.
        pictures: the folder's.
        files: of frames that were taken out for it.
        report: told what is left out, and what is unclear.

    Raises:
        LeadError: it cannot be understood.
    """
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
            document = Document.parse(data, several=several)
            return Incoming(kind, document.landmarks, _points_of(document, as_filed, labels), labels, several)
        landmarks = as_landmarks(labels.schema).model_copy(update={"several": several})
        return Incoming(kind, landmarks, _points(labels), labels, several)
    except LeadError as error:
        raise LeadError(f"{name}: {error}") from error


def _points_of(document: Document, as_filed: Labels, labels: Labels) -> dict[int, dict[str, Point]]:
    """What a COCO file says of points, which is more than its labels tell; where each is, these tell."""
    rows_of = {posixpath.normpath(image): rows for image, rows in as_filed.rows_of().items()}
    placed, points = _points(labels), {}
    for file, of_file in document.specimens_of.items():
        annotations = [document.annotations[i] for i in of_file.values()]
        in_labels = [one for one in annotations if one.placed or one.box] or annotations[:1]
        for row, annotation in zip(rows_of[file], in_labels, strict=True):
            points[row] = {
                name: point if point.x is None else placed[row][name].model_copy(update={"accepted": point.accepted})
                for name, point in annotation.points().items()
                if point.x is None or name in placed[row]
            }
    return points


def _points(labels: Labels) -> dict[int, dict[str, Point]]:
    return {
        row: {
            name: Point(state="visible" if v == VISIBLE else "hidden", x=x, y=y)
            for name, (x, y), v in zip(
                labels.schema.names, labels.xy[row].tolist(), labels.visible[row].tolist(), strict=True
            )
            if v > UNLABELLED
        }
        for row in range(len(labels))
    }


def some(names: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
