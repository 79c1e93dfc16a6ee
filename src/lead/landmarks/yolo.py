"""YOLO's key points: a folder with a ``data.yaml``, and below ``labels/`` a text for each picture.

``data.yaml`` has ``kpt_shape: [K, 2]`` or ``[K, 3]``, perhaps ``kpt_names`` (of each class) and ``flip_idx``, which
says for each key point the one it becomes in a mirrored picture. A text has a line for each thing: its class, its box
(centre, width, height), then for each key point x and y and, of three, whether it is visible: 0 unlabelled, 1 hidden,
2 visible. A model's own predictions have a confidence there. All places are shares of the picture's width and height,
so that the pictures are needed: they lie below ``images/`` as the texts do below ``labels/``. A share becomes that
share of the size, as the tools that write such files divide.

Where pictures may show several specimens, each line is one, and pictures are complete, also one whose text is empty:
what is not labelled, YOLO learns as background. A line without key points is a box alone; a box that is just that of
the key points, as is written where there is no other, is none. Where there may be one specimen, nothing is read of a
picture of several. Classes have no place here, nor have scores, expected errors and the skeleton there. A key point at
0, 0 without a word of its visibility is unlabelled.
"""

from __future__ import annotations

import math
import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from lead.errors import LeadError
from lead.landmarks.fields import decimal, to_number
from lead.landmarks.frames import frame_of
from lead.landmarks.marks import Box, Found, Mark, Marked
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Schema, numbered
from lead.landmarks.pictures import PictureInfo, Size, known_size
from lead.reporting import counted

ENDING = ".txt"
HEADS = ("data.yaml", "data.yml", "dataset.yaml")
LABELS, IMAGES = "labels", "images"
BOX = 5
"""Numbers of a line before the key points: the class and the box."""
SAME = 1e-6
"""Of a picture's side: two boxes that differ by less are one, as the tool writes six digits."""
THING = "object"
"""The class in what we write."""
MOST = 10_000
"""Key points, at most: a file that says more is damaged."""


def _of_a_picture(path: str, text: str) -> bool:
    """Whether a text is that of a picture: all below ``labels`` are; elsewhere lie the tools' own notes and lists."""
    if not path.endswith(ENDING):
        return False
    return LABELS in path.split("/")[:-1] or re.match(r"\s*\d+(\s+[-+.\deE]+){4}", text) is not None


@dataclass(frozen=True)
class _Shape:
    """What ``data.yaml`` says: the landmarks, and whether each has a third number."""

    schema: Schema
    visibility: bool

    @property
    def numbers(self) -> int:
        return len(self.schema.names) * (3 if self.visibility else 2)


def parse(texts: Mapping[str, str], pictures: PictureInfo, *, several: bool = False) -> Labels:
    """Labels of a folder: a row for each text of a picture, or for each of its lines.

    Args:
        texts: the files by their paths, ``data.yaml`` among them.
        pictures: what knows the pictures' sizes and endings.
        several: whether pictures may show several specimens.

    Raises:
        LeadError: there is not one ``data.yaml``, or it does not tell the key points; no picture has any.
    """
    heads = [path for path in texts if posixpath.basename(path) in HEADS]
    if len(heads) != 1:
        raise LeadError(
            f"{len(heads)} files {' or '.join(HEADS)} ({', '.join(heads[:3])}), where one says what is in it."
        )
    try:
        shape = _shape(texts[heads[0]])
    except LeadError as error:
        raise LeadError(f"{heads[0]}: {error}") from error
    found, classes = Found(several=several), set[str]()
    for path, text in texts.items():
        if not _of_a_picture(path, text):
            continue
        image = _image(path[: -len(ENDING)], pictures)
        if image in found.pictures:
            raise LeadError(f"{path}: its picture {image!r} is also that of {found.pictures[image].entry}. Keep one.")
        size = known_size(pictures, image)
        if size is None:
            found.drop(
                image, "not there, or not readable, and its size is needed: name the pictures' folder (--pictures)"
            )
            continue
        found.pictures[image] = Marked(entry=path, size=size)
        try:
            first, *others = _things(text, shape, size, found, several) or [Marked()]
            found.pictures[image] = replace(first, entry=path, size=size, others=others)
            if not any(mark.predicted for thing in (first, *others) for mark in thing.points.values()):
                found.complete.add(image)
            classes |= {line.split()[0] for line in text.splitlines() if len(line.split()) > BOX}
        except LeadError as error:
            found.drop(image, f"{path}, {error}".rstrip("."))
    if len(classes) > 1:
        found.leave_out(
            f"name of classes ({', '.join(sorted(classes))}): their key points are taken as the same ones", len(classes)
        )
    return found.labels("no key points in it.", names=shape.schema.names, flip_pairs=shape.schema.flip_pairs)


def _shape(text: str) -> _Shape:
    try:
        head = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise LeadError(f"not YAML ({' '.join(str(error).split())[:200]}).") from None
    said = head.get("kpt_shape") if isinstance(head, dict) else None
    if said is None:
        raise LeadError("no kpt_shape in it, so these are boxes and not key points. Export them for pose estimation.")
    count, numbers = (said[0], said[1]) if isinstance(said, list) and len(said) == 2 else (0, 0)
    if type(count) is not int or not 0 < count <= MOST or numbers not in (2, 3):
        raise LeadError("kpt_shape must be [number of key points, 2 or 3].")
    names = _names(head, count)
    pairs = [(names[k], names[other]) for k, other in enumerate(_flips(head, count)) if k < other]
    return _Shape(Schema(names, tuple(pairs)), numbers == 3)


def _flips(head: dict[Any, Any], count: int) -> list[int]:
    """For each key point the one it becomes in a mirrored picture; all themselves where nothing is said."""
    flips = head.get("flip_idx")
    if flips is None:
        return list(range(count))
    if not isinstance(flips, list) or not all(type(k) is int for k in flips) or sorted(flips) != list(range(count)):
        raise LeadError(f"flip_idx must name each of the {count} key points once, counted from 0.")
    if any(flips[other] != k for k, other in enumerate(flips)):
        raise LeadError("flip_idx must pair key points: one that becomes another is what the other becomes.")
    return flips


def _names(head: dict[Any, Any], count: int) -> tuple[str, ...]:
    """Those of the first class that has any, else numbers."""
    said = head.get("kpt_names")
    names = next(iter(said.values()), None) if isinstance(said, dict) else said
    if names is None:
        return numbered(count)
    if not isinstance(names, list) or len(names) != count or not all(isinstance(name, str | int) for name in names):
        raise LeadError(f"kpt_names must be {count} names, as many as kpt_shape says.")
    return tuple(map(str, names))


def _image(stem: str, pictures: PictureInfo) -> str:
    """The picture of a text: below ``images`` where the text is below ``labels``, or where that folder itself is."""
    if frame_of(posixpath.basename(stem)):
        return _below(stem, None)
    tried = (_below(stem, IMAGES), _below(stem, None), posixpath.basename(stem))
    return next((image for path in tried if (image := pictures.of_stem(path)) != path), tried[1])


def _below(stem: str, folder: str | None) -> str:
    """A path with another folder in place of the last that is called labels; with None, without it."""
    before, mark, after = f"/{stem}".rpartition(f"/{LABELS}/")
    if not mark:
        return stem
    return posixpath.join(before.lstrip("/"), folder or "", after)


def _things(text: str, shape: _Shape, size: Size, found: Found, several: bool) -> list[Marked]:
    """What the lines of a picture say. Raises :class:`LeadError` naming a line, or where there may be just one."""
    things: list[Marked] = []
    for line, content in enumerate(text.splitlines(), start=1):
        fields = content.split()
        if len(fields) == BOX and not several:
            found.leave_out("box without key points")
        elif fields:
            points = _points(fields, line, shape, size) if len(fields) > BOX else {}
            thing = Marked(points, box=_box(fields, line, points, size))
            if several:
                confidence, track, *_ = *fields[BOX + shape.numbers :], "", ""
                thing.likely, thing.track = to_number(confidence, "confidence", line), track
            things += [thing] if points or thing.box or not several else []
    if len(things) > 1 and not several:
        raise LeadError("several things in it, where one is supported")
    return things


def _box(fields: list[str], line: int, points: Mapping[str, Mark], size: Size) -> Box | None:
    """The box of a line in pixels; None where it is none, or just that of the key points."""
    given = np.array([to_number(field, "a number", line) for field in fields[1:BOX]])
    places = np.array([(mark.x, mark.y) for mark in points.values()]).reshape(-1, 2) / size
    if not (given[2:] > 0).all() or (len(places) and np.allclose(given, _around(places, size), rtol=0, atol=SAME)):
        return None
    x, y = ((given[:2] - given[2:] / 2) * size).tolist()
    width, height = (given[2:] * size).tolist()
    return x, y, width, height


def _around(shares: npt.NDArray[np.float64], size: Size) -> npt.NDArray[np.float64]:
    """The middle, width and height of a box around places, all in shares of the picture's size; at least a pixel."""
    low, high = shares.min(0), shares.max(0)
    return np.concatenate([(low + high) / 2, np.maximum(high - low, 1 / np.array(size))])


def _points(fields: list[str], line: int, shape: _Shape, size: Size) -> dict[str, Mark]:
    """The key points of one line; behind those of a prediction may stand its confidence, and its track."""
    extra = len(fields) - BOX - shape.numbers
    if not 0 <= extra <= 2:
        raise LeadError(
            f"line {line}: {counted(len(fields), 'number')} where kpt_shape asks for {BOX + shape.numbers}: class, "
            f"box, and {shape.numbers} for the key points."
        )
    numbers = [to_number(field, "a number", line) for field in fields[BOX : BOX + shape.numbers]]
    table = np.array(numbers).reshape(len(shape.schema.names), -1)
    scored = shape.visibility and not np.isin(table[:, 2], (UNLABELLED, HIDDEN, VISIBLE)).all()
    points: dict[str, Mark] = {}
    for name, (x, y, *last) in zip(shape.schema.names, table.tolist(), strict=True):
        missing = (last == [0] and not scored) or (x == y == 0 and (scored or not last)) or (not last and min(x, y) < 0)
        if missing or math.isnan(x + y):
            continue
        if scored and not 0 <= last[0] <= 1:
            raise LeadError(f"line {line}: {last[0]:g} of {name!r} is neither 0, 1 or 2 nor a confidence.")
        points[name] = Mark(
            x * size[0],
            y * size[1],
            visible=HIDDEN if last == [HIDDEN] and not scored else VISIBLE,
            line=line,
            score=last[0] if scored else math.nan,
            predicted=scored or extra > 0,
        )
    return points


def dump(labels: Labels, pictures: PictureInfo) -> dict[str, str]:
    """The files of a folder by their paths; the pictures themselves are to be put below ``images``.

    Raises:
        LeadError: a picture's size is not to be had; two pictures differ only in their endings; a point is outside its
            picture, where YOLO has none.
    """
    names = labels.schema.names
    flips = list(range(len(names)))
    for one, other in labels.schema.flip_pairs:
        a, b = names.index(one), names.index(other)
        flips[a], flips[b] = b, a
    # Without a path, for one that is relative would be looked up from where YOLO is started.
    head: dict[str, Any] = {"train": IMAGES, "val": IMAGES, "kpt_shape": [len(names), 3]}
    head |= {"flip_idx": flips} if labels.schema.flip_pairs else {}
    head |= {"names": {0: THING}, "kpt_names": {0: list(names)}}
    texts = {HEADS[0]: yaml.safe_dump(head, sort_keys=False, allow_unicode=True, default_flow_style=None)}
    for image, rows in labels.rows_of().items():
        stem = image if frame_of(image) else posixpath.splitext(image)[0]
        path = posixpath.join(LABELS, stem + ENDING)
        if path in texts:
            raise LeadError(f"Picture {image!r} and another would both be {path!r}. Give them different names.")
        size = pictures.size(image)
        texts[path] = "".join(_line(labels, row, size) for row in rows)
    return texts


def _line(labels: Labels, row: int, size: Size) -> str:
    """The line of a specimen, whose box ends where its picture does; empty where it is none."""
    there = labels.visible[row] > UNLABELLED
    corners = np.full((2, 2), np.nan)
    if labels.boxes is not None:
        x, y, width, height = labels.boxes[row]
        corners = np.clip(np.array([(x, y), (x + width, y + height)]) / size, 0, 1)
    boxed = bool((corners[1] > corners[0]).all())
    if not there.any() and not boxed:
        return ""
    shares = np.where(there[:, None], labels.xy[row] / size, 0)
    for k in np.flatnonzero(((shares < 0) | (shares > 1)).any(-1))[:1].tolist():
        x, y = labels.xy[row, k]
        raise LeadError(
            f"{labels.images[row]}: {labels.schema.names[k]} is at ({x:g}, {y:g}), outside its picture of {size[0]} × "
            f"{size[1]} pixels, where YOLO has no places. Correct or remove it."
        )
    box = [*corners.mean(0), *(corners[1] - corners[0])] if boxed else _around(shares[there], size)
    visible = labels.visible[row].tolist()
    points = [f"{decimal(x)} {decimal(y)} {v}" for (x, y), v in zip(shares.tolist(), visible, strict=True)]
    return " ".join(["0", *(decimal(float(value)) for value in box), *points]) + "\n"
