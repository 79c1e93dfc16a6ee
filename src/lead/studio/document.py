"""The label file as an immutable value: what it says, and what it says after a change.

Everything that the studio does not know is kept as it was read, and an entry that does not change keeps its text.
The format is documented in :mod:`lead.studio.book`.
"""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks import coco
from lead.landmarks.coco_entries import PREDICTED_KEYS, tidied
from lead.landmarks.model import Labels, Schema
from lead.studio.entries import Annotation, Entry, Image, dumps
from lead.studio.label_messages import Landmarks, Point
from lead.studio.schema import as_landmarks, is_text
from lead.studio.ups import Up

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import Size


@dataclass(frozen=True)
class PointsChange:
    """What is to become of a picture's labels.

    Attributes:
        points: landmarks to set, or to take away (None).
        checked: what the person says of the picture's labels.
        size: (width, height), noted where the file does not say it yet.
        note, tags, up: of the picture; None for those that it has.
    """

    points: Mapping[str, Point | None]
    checked: bool = False
    size: Size | None = None
    note: str | None = None
    tags: list[str] | None = None
    up: Up | None = None


@dataclass(frozen=True)
class Document:
    """A label file.

    Attributes:
        top: the file's object. Its images and annotations are in the two lists, not here.
        images, annotations: the entries, in the file's order; annotations of other categories are among them.
        landmarks: what is labelled; version 0.
        row_of: picture path, normalised, to its place in ``images``.
        annotation_of: picture path to the place of its key points in ``annotations``, in the file's order; without
            paths that are not Unicode text, which no picture of a folder has.
        category: the id of the landmarks' category; None where there are no landmarks.
    """

    top: Entry
    images: list[Image]
    annotations: list[Annotation]
    landmarks: Landmarks
    row_of: dict[str, int]
    annotation_of: dict[str, int]
    category: object = None

    @classmethod
    def empty(cls) -> Document:
        """What is there before anything is: no landmarks, no pictures."""
        return cls({"images": [], "annotations": [], "categories": []}, [], [], Landmarks(), {}, {})

    @classmethod
    def parse(cls, content: bytes) -> Document:
        """What a file says.

        Raises:
            LeadError: it is not UTF-8, or no COCO key points that :mod:`lead.landmarks.coco` understands.
        """
        try:
            data = coco.read(content.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise LeadError("not UTF-8 text.") from None
        tidy = tidied(data)
        category, kind, labelled_by = tidy.only()
        schema = kind.schema
        landmarks = as_landmarks(schema.names, schema.skeleton, schema.flip_pairs, category.get("colours"))
        row_of: dict[str, int] = {}
        for row, file in enumerate(map(posixpath.normpath, coco.image_names(tidy.top))):
            if file in row_of:
                raise LeadError(f"images[{row}]: {file!r} is also images[{row_of[file]}], written another way.")
            row_of[file] = row
        entries = tidy.top["annotations"]
        for i in labelled_by.values():
            _check_absent(entries[i], f"annotations[{i}]")
        files = list(row_of)
        in_order = sorted(labelled_by.items(), key=lambda item: item[1])
        annotation_of = {files[row]: i for row, i in in_order if is_text(files[row])}
        annotations = [Annotation(entry, schema.names) for entry in entries]
        images = [Image(entry) for entry in tidy.top["images"]]
        return cls(tidy.top, images, annotations, landmarks, row_of, annotation_of, category["id"])

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

    def annotation(self, file: str) -> Annotation | None:
        """The labels of a picture; None where it has none."""
        index = self.annotation_of.get(file)
        return None if index is None else self.annotations[index]

    def image(self, file: str) -> Image | None:
        """The entry of a picture; None where it has none."""
        row = self.row_of.get(file)
        return None if row is None else self.images[row]

    def annotated(self) -> list[tuple[str, Annotation]]:
        """Every picture that has an annotation, in the order of the annotations."""
        return [(file, self.annotations[i]) for file, i in self.annotation_of.items()]

    def labels(self, files: Container[str]) -> Labels:
        """Those of ``files`` with a point in a place, in the order of ``images``; exactly as the written file loads."""
        if not self.names:
            return Labels.from_xy(Schema(()), (), np.empty((0, 0, 2)))
        row_of = self.row_of
        rows = [(row_of[file], file, labels) for file, labels in self.annotated() if file in files and labels.placed]
        rows.sort(key=lambda item: item[0])
        shape = (len(rows), len(self.names))
        tables = np.array([labels.table for _, _, labels in rows], dtype=np.float64).reshape(*shape, 3)
        extra = [_extra(key, [labels.entry for _, _, labels in rows], shape) for key in PREDICTED_KEYS]
        schema = Schema(tuple(self.names), tuple(self.landmarks.flip_pairs), tuple(self.landmarks.skeleton))
        images = tuple(file for _, file, _ in rows)
        visible = tables[..., 2].astype(np.int8)
        marked = [_marked([one.listed(key) for _, _, one in rows], self.names) for key in ("accepted", "predicted")]
        return Labels(schema, images, tables[..., :2], visible, *extra, accepted=marked[0], predicted=marked[1])

    def with_points(self, changes: Mapping[str, PointsChange]) -> Document:
        """With some landmarks of some pictures set, or taken away; or what is said of them as a whole."""
        images, annotations = list(self.images), list(self.annotations)
        row_of, annotation_of = dict(self.row_of), dict(self.annotation_of)
        image_id = annotation_id = 0
        if any(file not in annotation_of for file in changes):
            image_id = _free_id(image.entry for image in images)
            annotation_id = _free_id(annotation.entry for annotation in annotations)
        for file, change in changes.items():
            if file not in row_of:
                row_of[file] = len(images)
                images.append(self._new_image(image_id, file))
                image_id += 1
            row = row_of[file]
            if change.size and not {"width", "height"} & images[row].entry.keys():
                width, height = change.size
                images[row] = Image(images[row].entry | {"width": width, "height": height})
            images[row] = images[row].marked(change.note, change.tags, change.up)
            before = self.annotation(file)
            if not change.points and change.checked == (before is not None and before.checked):
                continue
            if file not in annotation_of:
                annotation_of[file] = len(annotations)
                annotations.append(self._new_annotation(annotation_id, images[row].entry["id"]))
                annotation_id += 1
            index = annotation_of[file]
            annotations[index] = annotations[index].changed(change.points, change.checked)
        return replace(self, images=images, annotations=annotations, row_of=row_of, annotation_of=annotation_of)

    def with_landmarks(self, landmarks: Landmarks, sources: Sequence[str | None]) -> Document:
        """With other landmarks, each of which takes over the labels of its source; None begins with none."""
        names = [landmark.name for landmark in landmarks.landmarks]
        kind = {
            "keypoints": names,
            "skeleton": [[names.index(a) + 1, names.index(b) + 1] for a, b in landmarks.skeleton],
            "flip_pairs": [list(pair) for pair in landmarks.flip_pairs],
            "colours": [landmark.colour for landmark in landmarks.landmarks],
        }
        categories = list(self.top["categories"])
        category = self.category
        if self.names:
            categories = [entry | kind if entry.get("id") == category else entry for entry in categories]
        else:
            category = _free_id(categories)
            categories.append({"id": category, "name": "object"} | kind)
        images, annotations = self.images, self.annotations
        if list(sources) != self.names or names != self.names:
            ours = set(self.annotation_of.values())
            annotations = [a.rearranged(names, sources) if i in ours else a for i, a in enumerate(annotations)]
            new = {source: name for name, source in zip(names, sources, strict=True) if source is not None}
            images = [image.marked(None, None, image.up.renamed(new)) if image.up else image for image in images]
        top = self.top | {"categories": categories}
        return replace(self, top=top, images=images, annotations=annotations, landmarks=landmarks, category=category)

    def with_labels_of(self, other: Document, names: Iterable[str]) -> Document:
        """With what another document says of some landmarks, which have no labels here."""
        wanted = [name for name in names if name in other.names]
        changes = {}
        for file, theirs in other.annotated():
            points = theirs.points()
            mine = self.annotation(file)
            if found := {name: points[name] for name in wanted if name in points}:
                changes[file] = PointsChange(found, mine is not None and mine.checked)
        return self.with_points(changes) if changes else self

    def counts(self) -> dict[str, int]:
        """How many pictures have a state for each landmark."""
        counts = Counter[str]()
        for _, annotation in self.annotated():
            if annotation.labelled:
                counts.update(list(annotation.points()))
        return {name: counts[name] for name in self.names}

    def totals(self) -> tuple[int, int]:
        """Pictures with a label, or of which something is said as a whole; and labels."""
        labelled = {file: annotation.labelled for file, annotation in self.annotated() if annotation.labelled}
        rows = ((file, self.images[row]) for file, row in self.row_of.items())
        marked = {file for file, image in rows if image.note or image.tags or image.up}
        return len(marked | labelled.keys()), sum(labelled.values())

    def _new_image(self, id: int, file: str) -> Image:
        entry: Entry = {"id": id, "file_name": file}
        if self.images and all("split" in image.entry for image in self.images):
            entry["split"] = "train"  # as for every picture that the file does not list; see lead.datasets.coco
        return Image(entry)

    def _new_annotation(self, id: int, image: object) -> Annotation:
        entry = {
            "id": id,
            "image_id": image,
            "category_id": self.category,
            "keypoints": [0, 0, 0] * len(self.names),
            "num_keypoints": 0,
            "bbox": [0.0, 0.0, 0.0, 0.0],
            "area": 0.0,
            "iscrowd": 0,
        }
        return Annotation(entry, self.names)


def _check_absent(entry: Entry, where: str) -> None:
    absent = entry.get("absent")
    if absent is not None and not (isinstance(absent, list) and all(isinstance(name, str) for name in absent)):
        raise LeadError(f"{where}: 'absent' must be a list of landmark names.")


def _marked(listed: Sequence[Sequence[str]], names: list[str]) -> npt.NDArray[np.bool_]:
    """Which of the landmarks each picture lists."""
    marked = np.zeros((len(listed), len(names)), dtype=bool)
    for row, of_row in enumerate(listed):
        marked[row, [names.index(name) for name in of_row]] = True
    return marked


def _extra(key: str, entries: list[Entry], shape: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """A prediction's values, NaN where there is none; None if there are none at all."""
    if not any(key in entry for entry in entries):
        return None
    nothing = [None] * shape[1]
    values = np.array([entry.get(key, nothing) for entry in entries], dtype=np.float64).reshape(shape)
    return None if np.isnan(values).all() else values


def _free_id(entries: Iterable[Entry]) -> int:
    """A number that no entry has for its id."""
    return max((entry["id"] for entry in entries if type(entry.get("id")) is int), default=0) + 1
