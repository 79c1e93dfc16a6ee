"""TPS, of tpsDig, tpsUtil and geomorph: a block for each specimen, of which several may have one picture.

A block begins with ``LM=K``, then K lines ``x y``; ``CURVES=`` and ``POINTS=`` with further lines, ``IMAGE=``, ``ID=``,
``SCALE=`` and ``COMMENT=`` follow in any order. Only the landmarks and the picture's name are read; what else there is
is counted in ``Places.left_out``. ``LM=0`` is a picture that nobody has digitised yet: it has no labels.

The origin is the picture's bottom left, so that a place (x, y) here is ``(x, height - y)`` there, as in the packages
that use these files, and the picture's height must be known. A negative coordinate means missing, which is written
``-1 -1``: so a point beyond the picture's left or lower edge has no place in such a file. Places are in pixels; where a
block has a ``SCALE``, readers multiply by it. It is read apart from the landmarks, and written where the scales of all
pictures are given: geomorph wants it of every specimen or of none. Landmarks have no names; they are called 1, 2, …
here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.fields import decimal, to_number, with_point
from lead.landmarks.model import Labels, Places, Schema, numbered
from lead.landmarks.pictures import PictureInfo, known_size
from lead.landmarks.scales import Scale, Scales
from lead.reporting import counted

Point = tuple[float, float]
END_OF_FILE = "\x1a"
"""What old programs of Windows put at a file's end."""
TINY = 16
"""Pixels of a picture's side in which all landmarks may lie within one."""
SINGLE = ("IMAGE", "ID", "SCALE")
"""Keys that have a value in their own line and nothing below it; below others may stand further lines."""
DRAWN = {"CURVES": "curves", "OUTLINES": "outlines"}
"""What may be drawn besides landmarks: its points stand below lines POINTS= (or CHAINS=), which follow this key."""


def why_not(text: str) -> str | None:
    """Why a text is not TPS; None if it is like one."""
    return None if re.search(r"^\s*LM3?\s*=", text, re.IGNORECASE | re.MULTILINE) else "has no line 'LM=number'"


@dataclass
class _Block:
    """One specimen.

    Attributes:
        line: that it begins in.
        points, lines: its landmarks, and the lines that they stand in.
        keys, key_lines: its other keys, and the lines that they stand in.
        drawn: how many points its curves and outlines have.
    """

    line: int
    points: list[Point] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    drawn: Counter[str] = field(default_factory=Counter)

    @property
    def image(self) -> str:
        """The picture's name, which some programs put between quotes."""
        name = self.keys.get("IMAGE", "")
        if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
            name = name[1:-1].strip()
        return name.replace("\\", "/")


def parse(text: str, pictures: PictureInfo, *, several: bool = False) -> Labels:
    """Labels from the text of a TPS file; pictures in its order.

    A specimen whose picture is not named or not there is left out, as long as others are there.

    Args:
        text: the whole file.
        pictures: what knows their heights.
        several: whether pictures may show several specimens.

    Raises:
        LeadError: no block has landmarks and a picture, one has another number of landmarks than it says or than the
            others, or three coordinates, or a picture stands twice where it may not; the message names the line.
    """
    blocks = list(_blocks(text))
    if not blocks:
        raise LeadError("no specimen in it: each begins with a line LM=, and the number of its landmarks.")
    digitised = [block for block in blocks if block.points]
    if not digitised:
        raise LeadError(_no_landmark(blocks))
    first = digitised[0]
    rows: list[_Block] = []
    before: dict[str, _Block] = {}
    for block in blocks:
        if block.points and len(block.points) != len(first.points):
            raise LeadError(
                f"line {block.line}: {counted(len(block.points), 'landmark')} where line {first.line} has "
                f"{len(first.points)}. Digitise the same ones in each specimen, a missing one as -1 -1."
            )
        if not block.image:
            continue
        if before.setdefault(block.image, block) is not block and not several:
            raise LeadError(
                f"line {block.line}: picture {block.image!r} stands already in line {before[block.image].line}."
            )
        rows.append(block)
    count = len(first.points)
    _refuse_units(rows, pictures)
    placed, failed = _placed(rows, count, pictures)
    kept = [block for block in rows if block.line in placed]
    if not any(block.points for block in kept):
        raise next(iter(failed.values()), None) or LeadError(
            f"line {first.line}: this specimen has no IMAGE=, so its picture is not known. Add it."
        )
    lines = [block.lines or [block.line] * count for block in kept]
    places = Places(lines=np.array(lines, dtype=np.int64), left_out="; ".join(_left_out(blocks, failed)))
    return Labels.from_xy(
        Schema(numbered(count)),
        (block.image for block in kept),
        list(placed.values()),
        places=places,
        tracks=("",) * len(kept) if several else None,
    )


def _refuse_units(rows: Sequence[_Block], pictures: PictureInfo) -> None:
    """Raises :class:`LeadError` where all places lie within one pixel of pictures that are not tiny."""
    points = {point for block in rows for point in block.points if min(point) >= 0}
    if len(points) < 3 or max(map(max, points)) > 1:
        return
    if any((size := known_size(pictures, block.image)) and min(size) > TINY for block in rows):
        raise LeadError(
            "all places lie between 0 and 1, so they are not pixels: shares of the picture's size, or multiplied by a "
            "SCALE. Take the file as tpsDig wrote it."
        )


def _placed(
    rows: Sequence[_Block], count: int, pictures: PictureInfo
) -> tuple[dict[int, npt.NDArray[np.float64]], dict[int, LeadError]]:
    """The (K, 2) places of each block by its line; and what is wrong with those of pictures of unknown height."""
    placed: dict[int, npt.NDArray[np.float64]] = {}
    failed: dict[int, LeadError] = {}
    for block in rows:
        places = np.full((count, 2), np.nan)
        points = np.array(block.points).reshape(-1, 2)
        there = np.flatnonzero((points >= 0).all(-1))
        if len(there):
            try:
                height = pictures.size(block.image)[1]
            except LeadError as error:
                failed[block.line] = LeadError(
                    f"line {block.line}: y counts from the bottom of the picture, and {error}"
                )
                continue
            places[there] = points[there] * (1, -1) + (0, height)
        placed[block.line] = places
    return placed, failed


def _no_landmark(blocks: Sequence[_Block]) -> str:
    """What is said of a file in which nothing was digitised, or nothing but curves."""
    drawn = _drawn(blocks)
    if not drawn:
        return (
            f"no landmark in it: LM=0 in each of its {counted(len(blocks), 'specimen')}. Digitise some of them first."
        )
    return (
        f"no landmark in it, but {', '.join(drawn)}, which are not read. If their points are landmarks, let tpsUtil "
        "append them (Append tps curve to landmarks)."
    )


def _drawn(blocks: Sequence[_Block]) -> list[str]:
    """The curves and outlines, counted."""
    found = []
    for kind in DRAWN.values():
        counts = [block.drawn[kind] for block in blocks if kind in block.drawn]
        if counts:
            found.append(f"{kind} of {counted(len(counts), 'picture')} ({counted(sum(counts), 'point')})")
    return found


def _left_out(blocks: Sequence[_Block], failed: Mapping[int, LeadError]) -> list[str]:
    """What of a file is not read, counted."""
    keys = Counter(key for block in blocks for key in block.keys if key != "IMAGE")
    told = _drawn(blocks)
    just_counts = all(block.keys.get("ID", str(row)) == str(row) for row, block in enumerate(blocks))
    if just_counts and not told and set(keys) == {"ID"}:
        keys.clear()  # as tpsUtil numbers the pictures, and as they are numbered when they are written again
    for key, count in keys.items():
        told.append(
            f"{key} of {counted(count, 'picture')}"
            + (" (places stay in pixels, and lead scale, measure and shape read it)" if key == "SCALE" else "")
        )
    if nameless := [block for block in blocks if not block.image]:
        told.append(f"{counted(len(nameless), 'specimen')} without IMAGE=, the first in line {nameless[0].line}")
    if failed:
        first = str(next(iter(failed.values()))).rstrip(".")  # a full stop follows all that is told
        told.append(f"{counted(len(failed), 'specimen whose picture is not there')}, the first in {first}")
    return told


def _blocks(text: str) -> Iterator[_Block]:
    block: _Block | None = None
    due = 0  # landmarks still to come
    section, kind = "LM", "curves"  # the key that lines below belong to, and what points are of
    for number, line in enumerate(text.replace(END_OF_FILE, "").splitlines(), start=1):
        if not line.strip():
            continue
        key, is_pair, value = (part.strip() for part in line.partition("="))
        if not is_pair and block is not None and section not in SINGLE and (due or section != "LM"):
            if section == "LM":
                block.points.append(_point(line, number))
                block.lines.append(number)
                due -= 1
            elif section == "POINTS":
                block.drawn[kind] += 1
            continue
        if not is_pair:
            raise LeadError(
                f"line {number}: {line.strip()[:50]!r} is neither a point that was announced nor KEY=value."
            )
        if due:
            raise LeadError(
                f"line {number}: {line.strip()[:50]!r} where {counted(due, 'more point', 'more points')} should follow."
            )
        section = key.upper()
        if section == "LM3":
            raise LeadError(f"line {number}: landmarks in three dimensions have no place in a picture.")
        if section == "LM":
            if block is not None:
                yield block
            due, kind = _count(value, number), "curves"
            block = _Block(number)
        elif block is None:
            raise LeadError(f"line {number}: {section}= before the first LM=.")
        elif section in DRAWN:
            kind = DRAWN[section]
            if value.strip("0"):
                block.drawn[kind] += 0
        elif section not in ("POINTS", "CHAINS"):
            block.keys[section], block.key_lines[section] = value, number
    if due:
        raise LeadError(f"the file ends where {counted(due, 'more point', 'more points')} should follow.")
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
    if "." not in line:  # beside a decimal point, a comma would be something else
        fields = [with_point(text, " ") for text in fields]
    x, y = (to_number(text, axis, number) for text, axis in zip(fields, "xy", strict=True))
    return (x, y) if x == x and y == y else (-1.0, -1.0)


def scales(text: str, file: str) -> dict[str, Scale]:
    """What ``SCALE=`` says of pictures, a unit of length a pixel; those without it are left out.

    Args:
        text: the whole file.
        file: what messages call it.

    Raises:
        LeadError: it is no TPS, a scale is no number or not more than 0, or a picture has two.
    """
    found: dict[str, Scale] = {}
    try:
        blocks = list(_blocks(text))
    except LeadError as error:
        raise LeadError(f"{file}: {error}") from None
    for block in blocks:
        if not block.image or not block.keys.get("SCALE"):
            continue
        line = block.key_lines["SCALE"]
        try:
            size = to_number(with_point(block.keys["SCALE"], " "), "SCALE", line)
        except LeadError as error:
            raise LeadError(f"{file}, {error}") from None
        scale = Scale.square(size, source=f"SCALE= of {file}", where=f"{file}, line {line}")
        before = found.setdefault(block.image, scale)
        if before.x != scale.x:
            raise LeadError(
                f"{scale.where}: SCALE of {block.image!r} is {scale.x:g}, and {before.x:g} in {before.where}."
            )
    return found


def _scale_line(image: str, scales: Scales, images: Sequence[str]) -> str:
    """The line of a picture's scale. Raises :class:`LeadError` where it has none, or its pixels are not square."""
    if image not in scales:
        have = sum(name in scales for name in images)
        raise LeadError(
            f"Picture {image!r} has no scale, and {have} of {len(images)} have: a TPS file has SCALE= for every "
            "specimen or for none. Give the others', too, or write none."
        )
    if not scales[image].is_square:
        raise LeadError(
            f"The pixels of {image!r} are {scales[image].x:g} mm wide and {scales[image].y:g} mm high, and SCALE= of "
            "TPS is one number. Write a table of scales (.csv), or make the picture's pixels square first."
        )
    return f"SCALE={decimal(scales[image].x)}\n"


def dump(labels: Labels, pictures: PictureInfo, scales: Scales | None = None) -> str:
    """The text of a TPS file: a block for each specimen, numbered from 0. Numbers have no exponents, unknown to others.

    Args:
        labels: what to write.
        pictures: what knows the pictures' heights.
        scales: millimetres a pixel of all of them, which become ``SCALE=``; None writes none.

    Raises:
        LeadError: a picture's height is not to be had, a point lies where TPS means missing, or some pictures have no
            scale.
    """
    blocks = []
    for row, image in enumerate(labels.images):
        if image.splitlines() != [image]:
            raise LeadError(f"Picture {image!r} cannot be named in a TPS file: its name holds a line's end.")
        labelled = ~np.isnan(labels.xy[row]).any(-1)
        height = pictures.size(image)[1] if labelled.any() else 0
        places = labels.xy[row] * (1, -1) + (0, height)
        beyond = labelled & (places < 0).any(-1)
        for landmark in np.flatnonzero(beyond)[:1]:
            x, y = labels.xy[row, landmark]
            raise LeadError(
                f"{image}: {labels.schema.names[landmark]} is at ({x:g}, {y:g}), beyond the left or lower edge of its "
                f"picture, {height} pixels high, where TPS means missing. Correct or remove it."
            )
        points = "".join(
            f"{decimal(x)} {decimal(y)}\n" if there else "-1 -1\n"
            for (x, y), there in zip(places.tolist(), labelled, strict=True)
        )
        scale = _scale_line(image, scales, labels.images) if scales else ""
        blocks.append(f"LM={len(places)}\n{points}IMAGE={image}\nID={row}\n{scale}")
    return "".join(blocks)
