"""LabelMe's JSON, of the tool labelme: a file for each picture, with a list of ``shapes``.

A landmark is a shape of ``shape_type`` "point", with a ``label`` and one place in ``points``, in pixels. Numbers are
taken as they stand, as the tool's own converters take them. ``imagePath`` starts from the folder of the file.
``imageData``, a copy of the picture, is not looked at. Other shapes, and flags that are set, have no place here: they
are counted in ``Places.left_out``. Points of several ``group_id`` are several instances, which are refused.

There is no place for the order of the landmarks (that of their first appearance is taken), for hidden points, scores,
expected errors, flip pairs and skeleton.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from lead.errors import LeadError
from lead.landmarks.fields import finite, read_json
from lead.landmarks.frames import frame_of
from lead.landmarks.model import UNLABELLED, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo, known_size

Entry = dict[str, Any]
ENDING = ".json"
POINT = "point"
VERSION = "5.4.1"
"""Of labelme, whose layout is written."""


def why_not(text: str) -> str | None:
    """Why a text is not LabelMe's; None if it is like it."""
    if text.lstrip()[:1] != "{":
        return "does not begin with an object"
    missing = [key for key in ("shapes", "imagePath") if not re.search(rf'"{key}"\s*:', text)]
    return f"holds no {' and '.join(map(repr, missing))}" if missing else None


def parse(texts: Mapping[str, str]) -> Labels:
    """Labels of one or more files, a row for each.

    Args:
        texts: of the files, by their paths, from which those of the pictures start; "" for a single one.

    Raises:
        LeadError: a text is not such a file; a picture stands twice, a landmark twice in one; several instances are in
            a picture; a value is wrong. The message names the file and the shape.
    """
    points: dict[str, dict[str, tuple[float, float]]] = {}
    files: dict[str, str] = {}
    left_out: Counter[str] = Counter()
    for file, text in texts.items():
        try:
            entry = _entry(text)
            image = _image(entry, file)
            if image in files:
                raise LeadError(f"its picture {image!r} is also that of {files[image]}. Keep one of them.")
            files[image], points[image] = file, _points(entry, left_out)
        except LeadError as error:
            raise LeadError(f"{file}: {error}" if file else str(error)) from error
    names = tuple(dict.fromkeys(name for of_image in points.values() for name in of_image))
    if not names:
        raise LeadError(f"no shape of type {POINT!r} in it. Mark landmarks with labelme's 'Create Point'.")
    xy = np.full((len(points), len(names), 2), np.nan)
    for row, of_image in enumerate(points.values()):
        for name, point in of_image.items():
            xy[row, names.index(name)] = point
    counted = ", ".join(f"{count} {what}" for what, count in left_out.items())
    places = Places(entries=tuple(files.values()), left_out=counted)
    return Labels.from_xy(Schema(names), points, xy, places=places)


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


def _points(entry: Entry, left_out: Counter[str]) -> dict[str, tuple[float, float]]:
    """The landmarks of a picture; what is left out is counted."""
    shapes = entry.get("shapes")
    if not isinstance(shapes, list) or not all(isinstance(shape, dict) for shape in shapes):
        raise LeadError("'shapes' must be a list of objects.")
    left_out.update(_flags(entry))
    points: dict[str, tuple[float, float]] = {}
    groups: dict[str, None] = {}
    for i, shape in enumerate(shapes):
        kind = shape.get("shape_type", "polygon")  # as labelme itself reads old files
        if kind != POINT:
            left_out[f"shapes of type {str(kind)[:50]!r}"] += 1
            continue
        name = shape.get("label")
        if not isinstance(name, str) or not name:
            raise LeadError(f"shapes[{i}]: label is {repr(name)[:50]}, which is no name.")
        if name in points:
            raise LeadError(f"shapes[{i}]: {name!r} is marked twice. Keep one of them; one instance a picture.")
        points[name] = _place(shape, f"shapes[{i}]: {name!r}")
        left_out.update(_flags(shape))
        groups[repr(shape.get("group_id"))[:50]] = None
    if len(groups) > 1:
        raise LeadError(
            f"its points are of {len(groups)} groups (group_id {', '.join(groups)}). One instance a picture is "
            "supported: give all the same, or crop the picture into several."
        )
    return points


def _flags(entry: Entry) -> Iterator[str]:
    """Those that are set, in words."""
    flags = entry.get("flags")
    return (f"flags {name!r}" for name, value in flags.items() if value) if isinstance(flags, dict) else iter(())


def _place(shape: Entry, where: str) -> tuple[float, float]:
    places = shape.get("points")
    pair = places[0] if isinstance(places, list) and len(places) == 1 else None
    numbers = [finite(value) for value in pair] if isinstance(pair, list) else []
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise LeadError(f"{where} is at {repr(places)[:50]}, which is not one place [[x, y]].")
    return numbers[0], numbers[1]


def dump(labels: Labels, pictures: PictureInfo) -> dict[str, str]:
    """A text for each picture, by the file's path: the picture's with another ending, a frame's with one more.

    Sizes are written where they are known; labelme looks them up in the picture where they are not.

    Raises:
        LeadError: two pictures differ only in their endings.
    """
    texts: dict[str, str] = {}
    for row, image in enumerate(labels.images):
        name = (image if frame_of(image) else posixpath.splitext(image)[0]) + ENDING
        if name in texts:
            raise LeadError(f"Picture {image!r} and another would both be {name!r}. Give them different names.")
        width, height = known_size(pictures, image) or (None, None)
        entry: Entry = {
            "version": VERSION,
            "flags": {},
            "shapes": [
                {
                    "label": labels.schema.names[k],
                    "points": [labels.xy[row, k].tolist()],
                    "group_id": None,
                    "description": "",
                    "shape_type": POINT,
                    "flags": {},
                }
                for k in np.flatnonzero(labels.visible[row] > UNLABELLED).tolist()
            ],
            "imagePath": posixpath.basename(image),
            "imageData": None,
            "imageHeight": height,
            "imageWidth": width,
        }
        texts[name] = json.dumps(entry, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    return texts
