"""The blocks of a TPS file, as :mod:`lead.landmarks.tps` describes it: read line by line, and not yet understood."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lead.errors import LeadError
from lead.landmarks.fields import to_number, with_point
from lead.reporting import counted

Point = tuple[float, float]
END_OF_FILE = "\x1a"
"""What old programs of Windows put at a file's end."""
SINGLE = ("IMAGE", "ID", "SCALE")
"""Keys that have a value in their own line and nothing below it; below others may stand further lines."""
DRAWN = ("CURVES", "OUTLINES")
"""What may be drawn besides landmarks: its points stand below lines POINTS= (or CHAINS=), which follow this key."""
MISSING = (-1.0, -1.0)


@dataclass
class PointList:
    """Points one below the other, after a line that says how many there are.

    Attributes:
        line: that line.
        due: how many are still to come.
        points, lines: those that have come, and the lines that they stand in.
    """

    line: int
    due: int = 0
    points: list[Point] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.points)

    def take(self, line: str, number: int) -> None:
        """The next one."""
        self.points.append(_point(line, number))
        self.lines.append(number)
        self.due -= 1


@dataclass
class Block:
    """One specimen.

    Attributes:
        landmarks: under LM=.
        curves: each under a line POINTS=.
        keys, key_lines: its other keys, and the lines that they stand in.
        outlines: how many points its outlines have; None where it has none.
    """

    landmarks: PointList
    curves: list[PointList] = field(default_factory=list)
    keys: dict[str, str] = field(default_factory=dict)
    key_lines: dict[str, int] = field(default_factory=dict)
    outlines: int | None = None

    @property
    def line(self) -> int:
        """That it begins in."""
        return self.landmarks.line

    @property
    def digitised(self) -> bool:
        """Whether it has any point."""
        return bool(len(self.landmarks) or self.curves)

    @property
    def image(self) -> str:
        """The picture's name, which some programs put between quotes."""
        name = self.keys.get("IMAGE", "")
        if len(name) > 1 and name[0] == name[-1] and name[0] in "\"'":
            name = name[1:-1].strip()
        return name.replace("\\", "/")


def blocks_of(text: str) -> Iterator[Block]:
    """The blocks of a file. Raises :class:`LeadError` naming the line that cannot be read."""
    block: Block | None = None
    points: PointList | None = None  # that lines below belong to; None where they are of another key
    section, kind = "LM", "CURVES"  # that key, and what is drawn
    for number, line in enumerate(text.replace(END_OF_FILE, "").splitlines(), start=1):
        if not line.strip():
            continue
        key, is_pair, value = (part.strip() for part in line.partition("="))
        if points is not None and points.due and not is_pair:
            points.take(line, number)
            continue
        if not is_pair and block is not None and points is None and section not in SINGLE:
            if section == "POINTS":
                block.outlines = (block.outlines or 0) + 1
            continue
        _refuse_due(points, f"line {number}: {line.strip()[:50]!r} where")
        if not is_pair:
            raise LeadError(
                f"line {number}: {line.strip()[:50]!r} is neither a point that was announced nor KEY=value."
            )
        section, points = key.upper(), None
        if section == "LM3":
            raise LeadError(f"line {number}: landmarks in three dimensions have no place in a picture.")
        if section == "LM":
            if block is not None:
                yield block
            points, kind = PointList(number, _count(value, number)), "CURVES"
            block = Block(points)
        elif block is None:
            raise LeadError(f"line {number}: {section}= before the first LM=.")
        elif section in DRAWN:
            kind = section
            if kind == "OUTLINES" and value.strip("0"):
                block.outlines = block.outlines or 0
        elif section == "POINTS" and kind == "CURVES":
            points = PointList(number, _count(value, number))
            block.curves.append(points)
        elif section not in ("POINTS", "CHAINS"):
            block.keys[section], block.key_lines[section] = value, number
    _refuse_due(points, "the file ends where")
    if block is not None:
        yield block


def _refuse_due(points: PointList | None, where: str) -> None:
    """Raises :class:`LeadError` where fewer points have come than were announced."""
    if points is not None and points.due:
        raise LeadError(f"{where} {counted(points.due, 'more point', 'more points')} should follow.")


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
    return (x, y) if x == x and y == y else MISSING
