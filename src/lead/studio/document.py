"""The label file as an immutable value: what it says, and what it says after a change.

Everything that the studio does not know is kept as it was read, and an entry that does not change keeps its text.
The format is documented in :mod:`lead.studio.book`.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lead.errors import LeadError
from lead.landmarks import coco
from lead.landmarks.model import Labels, Schema
from lead.studio.entries import Annotation, Entry, Image, dumps, new_annotation, new_image
from lead.studio.label_messages import Landmarks, Point
from lead.studio.schema import as_landmarks, is_text, schema_of
from lead.studio.specimens import ALONE, SEVERAL, Specimen, free_id, tidied_as_needed, with_numbers
from lead.studio.tabled import tabled, tabled_specimens
from lead.studio.ups import Up

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size


@dataclass(frozen=True)
class PointsChange:
    """What is to become of a picture's labels, or of those of one of its specimens.

    Attributes:
        points: landmarks to set, or to take away (None).
        checked: what the person says of the labels.
        size: (width, height), noted where the file does not say it yet.
        note, tags, up, complete: of the picture; None for those that it has.
        track: the name of the individual; None for the one that it has.
        box: x, y, width, height around the specimen; None for the one that it has.
    """

    points: Mapping[str, Point | None]
    checked: bool = False
    size: Size | None = None
    note: str | None = None
    tags: list[str] | None = None
    up: Up | None = None
    complete: bool | None = None
    track: str | None = None
    box: Sequence[float] | None = None

    @property
    def is_of_image_alone(self) -> bool:
        """Whether nothing of an annotation changes, but ``checked`` perhaps."""
        return not self.points and self.track is None and self.box is None

    def of_image(self, image: Image) -> Image:
        """The picture's entry after it."""
        if self.size and not {"width", "height"} & image.entry.keys():
            image = Image(image.entry | {"width": self.size[0], "height": self.size[1]})
        return image.marked(self.note, self.tags, self.up, self.complete)

    def of_annotation(self, annotation: Annotation, *, several: bool) -> Annotation:
        """The annotation after it; ``several``: whether it is one of several specimens."""
        annotation = annotation.changed(self.points, self.checked)
        if several and self.points:
            annotation = annotation.certain()
        if self.track is not None:
            annotation = annotation.called(self.track)
        return annotation if self.box is None else annotation.boxed(self.box)


Subject = str | Specimen
"""What something is said of: a picture by its path, or one of several specimens."""


@dataclass(frozen=True)
class Document:
    """A label file.

    Attributes:
        top: the file's object. Its images and annotations are in the two lists, not here.
        images, annotations: the entries, in the file's order; annotations of other categories are among them.
        landmarks: what is labelled; version 0.
        row_of: picture path, normalised, to its place in ``images``.
        specimens_of: picture path to the places of its key points in ``annotations``, by the number of the annotation,
            in the file's order; just one, ``ALONE``, unless there may be several. Without paths that are not Unicode
            text, which no picture of a folder has.
        category: the id of the landmarks' category; None where there are no landmarks.
        taken_out: specimens that were taken out since the file was read: what else their annotations hold comes back
            with them.
    """

    top: Entry
    images: list[Image]
    annotations: list[Annotation]
    landmarks: Landmarks
    row_of: dict[str, int]
    specimens_of: dict[str, dict[int, int]]
    category: object = None
    taken_out: dict[Specimen, Annotation] = field(default_factory=dict)

    @classmethod
    def empty(cls) -> Document:
        """What is there before anything is: no landmarks, no pictures."""
        return cls({"images": [], "annotations": [], "categories": []}, [], [], Landmarks(), {}, {})

    @classmethod
    def parse(cls, content: bytes, *, several: bool | None = None) -> Document:
        """What a file says.

        Args:
            content: of the file.
            several: whether its pictures may show several specimens; None if the file is to show it.

        Raises:
            LeadError: it is not UTF-8, or no COCO key points that :mod:`lead.landmarks.coco` understands.
        """
        try:
            data = coco.read(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise LeadError("not UTF-8 text.") from None
        tidy, several = tidied_as_needed(data, several)
        category, kind, labelled_by = tidy.only()
        schema, top = kind.schema, tidy.top
        landmarks = as_landmarks(schema, category.get("colours"))
        row_of = _row_of(top)
        entries = top["annotations"]
        ours = tidy.found_by[0] if several else {row: [i] for row, i in labelled_by.items()}
        for i in (i for of_row in ours.values() for i in of_row):
            _check_absent(entries[i], f"annotations[{i}]")
        if several:
            entries = with_numbers(entries, [i for of_row in ours.values() for i in of_row])
            kinds = [kind | {SEVERAL: True} if kind is category else kind for kind in top["categories"]]
            top, landmarks = top | {"categories": kinds}, landmarks.model_copy(update={SEVERAL: True})
        files = list(row_of)
        in_order = sorted(ours.items(), key=lambda item: item[1])
        specimens_of = {
            files[row]: {entries[i]["id"] if several else ALONE: i for i in of_row}
            for row, of_row in in_order
            if is_text(files[row])
        }
        annotations = [Annotation(entry, schema.names) for entry in entries]
        images = [Image(entry) for entry in top["images"]]
        return cls(top, images, annotations, landmarks, row_of, specimens_of, category["id"])

    @cached_property
    def names(self) -> list[str]:
        """The landmarks' names, in their order."""
        return [landmark.name for landmark in self.landmarks.landmarks]

    def parts(self) -> Iterator[bytes]:
        """The file piece by piece, a line for each picture and for each annotation."""
        lists: dict[str, Sequence[Image | Annotation]] = {"images": self.images, "annotations": self.annotations}
        before = b"{\n"
        for key, value in self.top.items():
            yield before + dumps(key) + b": "
            before = b",\n"
            if key not in lists:
                yield dumps(value)
                continue
            yield b"["
            for i, entry in enumerate(lists[key]):
                yield b",\n" if i else b"\n"
                yield entry.text
            yield b"\n]"
        yield b"\n}\n"

    def text(self) -> bytes:
        """The whole file."""
        return b"".join(self.parts())

    @property
    def several(self) -> bool:
        """Whether a picture may show several specimens."""
        return self.landmarks.several

    def annotation(self, file: str, number: int = ALONE) -> Annotation | None:
        """The labels of a picture, where there may be several specimens those of one of them; None where it has none.

        Args:
            file: the picture.
            number: of the specimen.
        """
        index = self.specimens_of.get(file, {}).get(number)
        return None if index is None else self.annotations[index]

    def specimens(self, file: str) -> dict[int, Annotation]:
        """The labels of a picture's specimens of which something is said, by number, in the file's order."""
        found = ((number, self.annotations[i]) for number, i in self.specimens_of.get(file, {}).items())
        return {number: annotation for number, annotation in found if annotation.shown}

    def image(self, file: str) -> Image | None:
        """The entry of a picture; None where it has none."""
        row = self.row_of.get(file)
        return None if row is None else self.images[row]

    def annotated(self) -> list[tuple[str, Annotation]]:
        """Every annotation with its picture, in the file's order; where there may be several, picture by picture."""
        return [(file, self.annotations[i]) for file, of_file in self.specimens_of.items() for i in of_file.values()]

    def labels(self, files: Container[str]) -> Labels:
        """Those of ``files`` with a point in a place, in the order of ``images``; exactly as the written file loads.

        Where there may be several specimens, also those with a box, and a row for each complete picture without one.
        """
        if not self.names:
            return Labels.from_xy(Schema(()), (), np.empty((0, 0, 2)))
        annotated = ((file, one) for file, one in self.annotated() if file in files)
        rows = [(file, one) for file, one in annotated if one.placed or (self.several and one.box)]
        complete = [file for file in self.complete if file in files]
        known = {file for file, _ in rows}
        for file in complete:
            if file not in known:
                of_file = [self.annotations[i] for i in self.specimens_of.get(file, {}).values()]
                rows += [(file, of_file[0] if of_file else new_annotation(0, None, self.category, self.names))]
        rows.sort(key=lambda row: self.row_of[row[0]])
        return tabled_specimens(rows, self.landmarks, complete) if self.several else tabled(rows, self.landmarks)

    @cached_property
    def complete(self) -> list[str]:
        """Pictures in which every specimen is labelled, where there may be several."""
        return [file for file, row in self.row_of.items() if self.several and self.images[row].complete]

    def with_points(self, changes: Mapping[Subject, PointsChange]) -> Document:
        """With some landmarks of some pictures or specimens set, or taken away; or what is said of them as a whole."""
        images, annotations = list(self.images), list(self.annotations)
        row_of, specimens_of, taken_out = dict(self.row_of), dict(self.specimens_of), dict(self.taken_out)
        image_id = annotation_id = 0
        if any(_subject(subject)[0] not in specimens_of for subject in changes):
            image_id = free_id([image.entry for image in images])
            annotation_id = free_id([annotation.entry for annotation in annotations])
        for subject, change in changes.items():
            file, number = _subject(subject)
            if file not in row_of:
                row_of[file] = len(images)
                images.append(new_image(image_id, file, self.images))
                image_id += 1
            row = row_of[file]
            images[row] = change.of_image(images[row])
            if self.several and not isinstance(subject, Specimen):
                continue
            before = self.annotation(file, number)
            if change.is_of_image_alone and change.checked == (before is not None and before.checked):
                continue
            of_file = specimens_of.get(file, {})
            if number not in of_file:
                specimens_of[file] = of_file = of_file | {number: len(annotations)}
                back = taken_out.pop(Specimen(file, number), None)
                id = number if self.several else annotation_id
                annotations.append(back or new_annotation(id, images[row].entry["id"], self.category, self.names))
                annotation_id += 1
            index = of_file[number]
            annotations[index] = change.of_annotation(annotations[index], several=self.several)
        return replace(
            self,
            images=images,
            annotations=annotations,
            row_of=row_of,
            specimens_of=specimens_of,
            taken_out=taken_out,
        )

    def without(self, specimens: Collection[Specimen]) -> Document:
        """With some specimens taken out, which are there."""
        out = {self.specimens_of[file][number] for file, number in specimens}
        kept = [i for i in range(len(self.annotations)) if i not in out]
        place = dict(zip(kept, range(len(kept)), strict=True))
        specimens_of = {
            file: {number: place[i] for number, i in of_file.items() if i in place}
            for file, of_file in self.specimens_of.items()
        }
        taken_out = self.taken_out | {
            one: self.annotations[self.specimens_of[one.file][one.number]].cleared() for one in specimens
        }
        annotations = [self.annotations[i] for i in kept]
        return replace(self, annotations=annotations, specimens_of=specimens_of, taken_out=taken_out)

    def with_landmarks(self, landmarks: Landmarks, sources: Sequence[str | None]) -> Document:
        """With other landmarks, each of which takes over the labels of its source; None begins with none."""
        names = [landmark.name for landmark in landmarks.landmarks]
        landmarks = landmarks.model_copy(update={"skeleton": list(schema_of(landmarks).skeleton)})
        kind = _kind(landmarks)
        categories = list(self.top["categories"])
        category = self.category
        if self.names:
            categories = [_of_kind(entry, kind) if entry.get("id") == category else entry for entry in categories]
        else:
            category = free_id(categories)
            categories.append({"id": category, "name": "object"} | kind)
        images, annotations = self.images, self.annotations
        if list(sources) != self.names or names != self.names:
            ours = {i for of_file in self.specimens_of.values() for i in of_file.values()}
            annotations = [a.rearranged(names, sources) if i in ours else a for i, a in enumerate(annotations)]
            new = {source: name for name, source in zip(names, sources, strict=True) if source is not None}
            images = [image.marked(None, None, image.up.renamed(new)) if image.up else image for image in images]
        top = self.top | {"categories": categories}
        document = replace(
            self,
            top=top,
            images=images,
            annotations=annotations,
            landmarks=landmarks,
            category=category,
            taken_out={one: labels.rearranged(names, sources) for one, labels in self.taken_out.items()},
        )
        return document if landmarks.several == self.several else Document.parse(document.text())

    def counts(self) -> dict[str, int]:
        """How many pictures, or specimens of them, have a state for each landmark."""
        counts = Counter[str]()
        for _, annotation in self.annotated():
            if annotation.labelled:
                counts.update(list(annotation.points()))
        return {name: counts[name] for name in self.names}

    def totals(self) -> tuple[int, int]:
        """Pictures with a label, or of which something is said as a whole; and labels."""
        labelled = [(file, annotation) for file, annotation in self.annotated() if annotation.labelled]
        rows = ((file, self.images[row]) for file, row in self.row_of.items())
        marked = {file for file, image in rows if image.note or image.tags or image.up}
        pictures = marked.union(self.complete, (file for file, _ in labelled))
        return len(pictures), sum(annotation.labelled for _, annotation in labelled)


def _row_of(top: Entry) -> dict[str, int]:
    """The place of each picture among the images."""
    row_of: dict[str, int] = {}
    for row, file in enumerate(map(posixpath.normpath, coco.image_names(top))):
        if file in row_of:
            raise LeadError(f"images[{row}]: {file!r} is also images[{row_of[file]}], written another way.")
        row_of[file] = row
    return row_of


def _check_absent(entry: Entry, where: str) -> None:
    absent = entry.get("absent")
    if absent is not None and not (isinstance(absent, list) and all(isinstance(name, str) for name in absent)):
        raise LeadError(f"{where}: 'absent' must be a list of landmark names.")


def _subject(subject: Subject) -> tuple[str, int]:
    """The picture, and the number of the annotation."""
    return (subject.file, subject.number) if isinstance(subject, Specimen) else (subject, ALONE)


def _kind(landmarks: Landmarks) -> Entry:
    """What the category says of the landmarks."""
    schema = schema_of(landmarks)
    kind: Entry = {
        "keypoints": list(schema.names),
        "skeleton": [[schema.index(a) + 1, schema.index(b) + 1] for a, b in schema.lines],
        "flip_pairs": [list(pair) for pair in schema.flip_pairs],
        "colours": [landmark.colour for landmark in landmarks.landmarks],
    }
    if schema.curves:
        kind["curves"] = [curve.described() for curve in schema.curves]
    if landmarks.several:
        kind[SEVERAL] = True
    return kind


def _of_kind(category: Entry, kind: Entry) -> Entry:
    """A category with other landmarks; what we wrote of the earlier ones alone goes."""
    ours = {"curves", SEVERAL} if category.get(SEVERAL) is True else {"curves"}
    return {key: value for key, value in category.items() if key in kind or key not in ours} | kind
