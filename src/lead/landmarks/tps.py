"""TPS, of tpsDig, tpsUtil and geomorph: a block for each specimen.

A block begins with ``LM=K``, then K lines ``x y``; ``CURVES=`` and ``POINTS=`` with further lines, ``IMAGE=``, ``ID=``,
``SCALE=`` and ``COMMENT=`` follow in any order. Only the landmarks and the picture's name are read. The origin is the
picture's bottom left, so that a place (x, y) here is ``(x, height - y)`` there, as in the packages that use these
files, and the picture's height must be known. A negative coordinate means missing, which is written ``-1 -1``: so a
point beyond the picture's left or lower edge has no place in such a file. Places are in pixels; where a block has a
``SCALE``, readers multiply by it, and none is written. Landmarks have no names; they are called 1, 2, … here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from lead.errors import LeadError
from lead.landmarks.fields import to_number
from lead.landmarks.model import Labels, Places, Schema, numbered
from lead.landmarks.pictures import PictureInfo

Point = tuple[float, float]


def why_not(text: str) -> str | None:
    """Why a text is not TPS; None if it is like one."""
    return None if re.search(r"^\s*LM3?\s*=", text, re.IGNORECASE | re.MULTILINE) else "has no line 'LM=number'"


@dataclass
class _Block:
    """One specimen: the line that it begins in, how many points it says, the points and their lines, its other keys."""

    line: int
    count: int
    points: list[Point] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)


def parse(text: str, pictures: PictureInfo) -> Labels:
    """Labels from the text of a TPS file; pictures in its order.

    Raises:
        LeadError: a block has no picture's name, another number of landmarks than it says or than the others, or three
            coordinates; a picture stands twice, or its height is not to be had; the message names the line.
    """
    blocks = list(_blocks(text))
    if not blocks:
        raise LeadError("no specimen in it: each begins with a line LM=, and the number of its landmarks.")
    first = blocks[0]
    rows: dict[str, _Block] = {}
    for block in blocks:
        image = block.keys.get("IMAGE", "").replace("\\", "/")
        if not image:
            raise LeadError(f"line {block.line}: this specimen has no IMAGE=, so its picture is not known. Add it.")
        if image in rows:
            raise LeadError(f"line {block.line}: picture {image!r} stands already in line {rows[image].line}.")
        if len(block.points) != len(first.points):
            raise LeadError(
                f"line {block.line}: {len(block.points)} landmarks where line {first.line} has {len(first.points)}."
            )
        rows[image] = block
    xy = np.full((len(rows), len(first.points), 2), np.nan)
    for row, (image, block) in enumerate(rows.items()):
        points = np.array(block.points).reshape(-1, 2)
        there = (points >= 0).all(-1)
        try:
            height = pictures.size(image)[1]
        except LeadError as error:
            raise LeadError(f"line {block.line}: y counts from the bottom of the picture, and {error}") from error
        xy[row, there] = points[there] * (1, -1) + (0, height)
    lines = np.array([block.lines for block in blocks], dtype=np.int64).reshape(xy.shape[:2])
    return Labels.from_xy(Schema(numbered(len(first.points))), rows, xy, places=Places(lines=lines))


def _blocks(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    due = 0  # lines of coordinates still to come
    landmarks = False  # whether they are landmarks; those of curves and outlines are not
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        key, is_pair, value = (part.strip() for part in line.partition("="))
        if due and not is_pair:
            if landmarks and block is not None:
                block.points.append(_point(line, number))
                block.lines.append(number)
            due -= 1
            continue
        if due and block is not None:
            raise LeadError(f"line {number}: {line.strip()[:50]!r} where {due} more points should follow.")
        if not is_pair:
            raise LeadError(
                f"line {number}: {line.strip()[:50]!r} is neither a point that was announced nor KEY=value."
            )
        key = key.upper()
        if key == "LM3":
            raise LeadError(f"line {number}: landmarks in three dimensions have no place in a picture.")
        if key == "LM":
            if block is not None:
                yield block
            due, landmarks = _count(value, number), True
            block = _Block(number, due)
        elif block is None:
            raise LeadError(f"line {number}: {key}= before the first LM=.")
        elif key == "POINTS":
            due, landmarks = _count(value, number), False
        else:
            block.keys[key] = value
    if due:
        raise LeadError(f"the file ends where {due} more points should follow.")
    if block is not None:
        yield block


def _count(value: str, number: int) -> int:
    if not re.fullmatch(r"\d{1,6}", value):
        raise LeadError(f"line {number}: {value[:50]!r} is not a number of points.")
    return int(value)


def _point(line: str, number: int) -> Point:
    fields = line.split()
    if len(fields) != 2:
        raise LeadError(f"line {number}: {line.strip()[:50]!r} must be two numbers, x and y.")
    x, y = (to_number(text, axis, number) for text, axis in zip(fields, "xy", strict=True))
    return (x, y) if x == x and y == y else (-1.0, -1.0)


def dump(labels: Labels, pictures: PictureInfo) -> str:
    """The text of a TPS file: a block for each picture.

    Raises:
        LeadError: a picture's height is not to be had, or a point lies where TPS means missing.
    """
    blocks = []
    for row, image in enumerate(labels.images):
        if "\n" in image or "\r" in image:
            raise LeadError(f"Picture {image!r} cannot be named in a TPS file: its name holds a line's end.")
        height = pictures.size(image)[1]
        places = labels.xy[row] * (1, -1) + (0, height)
        labelled = ~np.isnan(places).any(-1)
        beyond = labelled & (places < 0).any(-1)
        for landmark in np.flatnonzero(beyond)[:1]:
            x, y = labels.xy[row, landmark]
            raise LeadError(
                f"{image}: {labels.schema.names[landmark]} is at ({x:g}, {y:g}), beyond the left or lower edge of its "
                f"picture, {height} pixels high, where TPS means missing. Correct or remove it."
            )
        points = "".join(
            f"{x!r} {y!r}\n" if there else "-1 -1\n" for (x, y), there in zip(places.tolist(), labelled, strict=True)
        )
        blocks.append(f"LM={len(places)}\n{points}IMAGE={image}\nID={row}\n")
    return "".join(blocks)
