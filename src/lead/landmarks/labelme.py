"""LabelMe's JSON, of the tools labelme and X-AnyLabeling: a file for each picture, with a list of ``shapes``.

A landmark is a shape of ``shape_type`` "point", with a ``label`` and one place in ``points``, in pixels. Numbers are
taken as they stand, as the tools' own converters take them. ``imagePath`` starts from the folder of the file.
``imageData``, a copy of the picture, is not looked at; ``imageWidth`` and ``imageHeight`` are its size. A ``score``
that is a number is a model's, as X-AnyLabeling writes it; of a person's point it is null or not there, and labelme
keeps it. A model's point without one has the flag "predicted" here. Other shapes, flags that are set, descriptions and
the like have no place here: they are counted in ``Places.left_out``. Points of one ``group_id`` are one specimen, and a
shape of type "rectangle" with the same is its box; where a picture may not show several, they are refused.

There is no place for the order of the landmarks (that of their first appearance is taken), for hidden points,
expected errors, flip pairs and skeleton.
"""

from __future__ import annotations

import json
import math
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from lead.errors import LeadError
from lead.landmarks.fields import finite, read_json
from lead.landmarks.frames import frame_of
from lead.landmarks.marks import Box, Found, Mark, Marked, sized
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.pictures import PictureInfo, known_size

Entry = dict[str, Any]
ENDING = ".json"
POINT, RECTANGLE = "point", "rectangle"
SPECIMEN = "specimen"
"""What a box is called in what we write."""
NO_GROUP = repr(None)
VERSION = "5.4.1"
"""Of labelme, whose layout is written."""
PREDICTED = "predicted"
"""The flag of a model's point that has no score, in what we write."""
REMARKS = {"difficult": "point marked as difficult", "description": "description"}
"""What a shape may say besides, and how it is counted."""


def why_not(text: str) -> str | None:
    """Why a text is not LabelMe's; None if it is like it."""
    if text.lstrip()[:1] != "{":
        return "does not begin with an object"
    missing = [key for key in ("shapes", "imagePath") if not re.search(rf'"{key}"\s*:', text)]
    return f"holds no {' and '.join(map(repr, missing))}" if missing else None


def parse(texts: Mapping[str, str], *, several: bool = False) -> Labels:
    """Labels of one or more files, a row for each specimen. Of several files, one that is wrong is left out, and told.

    Args:
        texts: of the files, by their paths, from which those of the pictures start; "" for a single one.
        several: whether pictures may show several specimens.

    Raises:
        LeadError: a single text is not such a file, has several instances, a landmark twice or a wrong value, named
            with the shape; no point is in any file; a picture stands in two of them.
    """
    found = Found(several=several)
    for file, text in texts.items():
        image = file
        try:
            entry = _entry(text)
            image = _image(entry, file)
            size = sized(entry.get("imageWidth"), entry.get("imageHeight"))
            first, *others = _specimens(entry, found, several) or [Marked()]
            marked = replace(first, entry=file, size=size, others=others)
        except LeadError as error:
            if len(texts) == 1:
                raise LeadError(f"{file}: {error}" if file else str(error)) from error
            found.drop(file, str(error).rstrip("."))
            continue
        if image in found.pictures:
            other = found.pictures[image].entry
            raise LeadError(f"{file}: its picture {image!r} is also that of {other}. Keep one of them.")
        found.pictures[image] = marked
    return found.labels(f"no shape of type {POINT!r} in it. Mark landmarks with labelme's 'Create Point'.")


def _entry(text: str) -> Entry:
    entry = read_json(text, "LabelMe's JSON")
    if not isinstance(entry, dict):
        raise LeadError("not LabelMe's JSON: expected an object with imagePath and shapes.")
    return entry


def _image(entry: Entry, file: str) -> str:
    """The picture of a file, from the folder that the file's own path starts from."""
    path = entry.get("imagePath")
    image = posixpath.normpath(path.replace("\\", "/")) if isinstance(path, str) and path else "."
    if posixpath.basename(image) in ("", ".", ".."):
        raise LeadError(f"imagePath is {repr(path)[:50]}, which names no picture.")
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), image))


def _specimens(entry: Entry, found: Found, several: bool) -> list[Marked]:
    """The specimens of a picture, in the order of their groups; what is left out is counted."""
    shapes = entry.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise LeadError("'shapes' must be a list of objects.")
    groups: dict[str, Marked] = {}
    boxes: dict[str, list[Box]] = {}
    left_out = list(_notes(entry))
    for i, shape in enumerate(shapes):
        kind = shape.get("shape_type", "polygon")  # as labelme itself reads old files
        group = repr(shape.get("group_id"))[:50]
        if several and kind == RECTANGLE and (box := _box(shape)):
            boxes.setdefault(group, []).append(box)
            if group != NO_GROUP:
                groups.setdefault(group, Marked())
            left_out += _notes(shape)
            continue
        if kind != POINT:
            left_out.append(_of_type(str(kind)))
            continue
        name = shape.get("label")
        if not isinstance(name, str) or not name:
            raise LeadError(f"shapes[{i}]: label is {repr(name)[:50]}, which is no name.")
        if any(name in other.points for key, other in groups.items() if key == group or not several):
            each = "group" if several else "picture"
            raise LeadError(f"shapes[{i}]: {name!r} is marked twice. Keep one of them; one instance a {each}.")
        groups.setdefault(group, Marked()).points[name] = _mark(shape, f"shapes[{i}]: {name!r}")
        left_out += _notes(shape)
    if len(groups) > 1 and not several:
        raise LeadError(
            f"its points are of {len(groups)} groups (group_id {', '.join(groups)}). One instance a picture is "
            "supported: give all the same, or crop the picture into several."
        )
    for group, of_group in boxes.items():
        if len(of_group) == 1 and group in groups:
            groups[group].box = of_group[0]
        else:
            left_out += [_of_type(RECTANGLE)] * len(of_group)
    for what in left_out:
        found.leave_out(what)
    return [marked for marked in groups.values() if marked.points or marked.box]


def _of_type(kind: str) -> str:
    return f"shape of type {kind[:50]!r}"


def _box(shape: Entry) -> Box | None:
    """The box between the corners of a rectangle, of which the tools keep two or all four; None where it is none."""
    places = shape.get("points")
    corners = [[finite(value) for value in pair] if isinstance(pair, list) else [] for pair in places or []]
    if not isinstance(places, list) or len(corners) not in (2, 4):
        return None
    if not all(len(pair) == 2 and None not in pair for pair in corners):
        return None
    table = np.array(corners, dtype=np.float64)
    (x, y), (width, height) = table.min(0).tolist(), np.ptp(table, axis=0).tolist()
    return (x, y, width, height) if width > 0 and height > 0 else None


def _notes(entry: Entry) -> Iterator[str]:
    """What else is said of a picture or a shape, in words: flags that are set, and X-AnyLabeling's own remarks."""
    for key in ("flags", "attributes"):
        values = entry.get(key)
        if isinstance(values, dict):
            yield from (
                f"{key.removesuffix('s')} {name!r}" for name, value in values.items() if value and name != PREDICTED
            )
    yield from (what for key, what in REMARKS.items() if entry.get(key))


def _mark(shape: Entry, where: str) -> Mark:
    places = shape.get("points")
    pair = places[0] if isinstance(places, list) and len(places) == 1 else None
    numbers = [finite(value) for value in pair] if isinstance(pair, list) else []
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise LeadError(f"{where} is at {repr(places)[:50]}, which is not one place [[x, y]].")
    score = finite(shape.get("score"))
    if score is not None and not 0 <= score <= 1:
        raise LeadError(f"{where} has the score {score:g}; it must be from 0 to 1, or null.")
    flags = shape.get("flags")
    predicted = score is not None or (isinstance(flags, dict) and bool(flags.get(PREDICTED)))
    return Mark(numbers[0], numbers[1], score=score if score is not None else math.nan, predicted=predicted)


def dump(labels: Labels, pictures: PictureInfo) -> dict[str, str]:
    """A text for each picture, by the file's path: the picture's with another ending, a frame's with one more.

    Sizes are written where they are known; labelme looks them up in the picture where they are not.

    Raises:
        LeadError: two pictures differ only in their endings.
    """
    texts: dict[str, str] = {}
    for image, rows in labels.rows_of().items():
        name = (image if frame_of(image) else posixpath.splitext(image)[0]) + ENDING
        if name in texts:
            raise LeadError(f"Picture {image!r} and another would both be {name!r}. Give them different names.")
        width, height = known_size(pictures, image) or (None, None)
        entry: Entry = {
            "version": VERSION,
            "flags": {},
            "shapes": list(_shapes(labels, rows)),
            "imagePath": posixpath.basename(image),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        texts[name] = json.dumps(entry, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return texts


def _shapes(labels: Labels, rows: Sequence[int]) -> Iterator[Entry]:
    """The shapes of a picture, with a group from 1 on for each specimen if there are several, or a box."""
    boxes = np.full((len(labels), 4), np.nan) if labels.boxes is None else labels.boxes
    grouped = len(rows) > 1 or np.isfinite(boxes[rows]).any()
    for number, row in enumerate(rows, start=1):
        group = number if grouped else None
        if np.isfinite(boxes[row]).all():
            x, y, width, height = boxes[row].tolist()
            yield _shape(SPECIMEN, [[x, y], [x + width, y + height]], group, RECTANGLE)
        for k in np.flatnonzero(labels.visible[row] > UNLABELLED).tolist():
            yield _point(labels, row, k, group)


def _shape(label: str, points: list[list[float]], group: int | None, kind: str) -> Entry:
    return {"label": label, "points": points, "group_id": group, "description": "", "shape_type": kind, "flags": {}}


def _point(labels: Labels, row: int, landmark: int, group: int | None) -> Entry:
    shape = _shape(labels.schema.names[landmark], [labels.xy[row, landmark].tolist()], group, POINT)
    score = math.nan if labels.score is None else float(labels.score[row, landmark])
    if not math.isnan(score):
        shape["score"] = score
    elif labels.is_predicted[row, landmark]:
        shape["flags"] = {PREDICTED: True}
    return shape
