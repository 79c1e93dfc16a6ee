"""Point lists of 3D Slicer, ``.mrk.json`` and the older ``.fcsv``, placed on a plain picture.

Positions are in millimetres, of a patient's left, posterior and superior (LPS) or right, anterior and superior (RAS). A
picture without a spacing, such as a PNG, is loaded with one millimetre a pixel, its columns to the left and its rows
to posterior, the centre of the top-left pixel at 0: so x and y are L and P, or -R and -A. Whether it was loaded so the
file does not say, which is told; what cannot be so is refused. The file names no picture: it is that of the picture
that it is called as.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lead.errors import LeadError, unknown
from lead.landmarks.fields import finite, read_json, read_lines, to_number
from lead.landmarks.marks import Found, Mark, Marked, of_same_stem
from lead.landmarks.model import Labels
from lead.landmarks.pictures import PictureInfo
from lead.reporting import counted

SIGNS = {"LPS": 1, "1": 1, "RAS": -1, "0": -1}
"""What x and y are multiplied by, of each system; older files number them."""
FIDUCIAL = "Fiducial"
BEFORE = 0.5
"""Pixels that a point may lie before the picture's first column and row, or off its plane."""
COLUMNS = ("id", "x", "y", "z", "ow", "ox", "oy", "oz", "vis", "sel", "lock", "label", "desc", "associatedNodeID")
Position = tuple[str, float, float, float, int]
"""A point's name, its place in the file's system, and the line that it stands in, 0 for none."""


def why_not(text: str) -> str | None:
    """Why a text is not a list of Slicer's; None if it is like one."""
    if re.match(r"\s*#\s*Markups fiducial file", text) or re.match(r'\s*\{[^[]*"markups"\s*:', text):
        return None
    return "holds no 'markups'"


def parse(text: str, file: str, pictures: PictureInfo) -> Labels:
    """Labels of the picture that the file is called as.

    Args:
        text: the whole file.
        file: its name.
        pictures: what knows the pictures' names.

    Raises:
        LeadError: no picture is called so; it is not of one plain picture, whose places are at its left and top or off
            its plane; its system or unit is unknown; a name stands twice. The message names the line or point.
    """
    found = Found()
    points: dict[str, Mark] = {}
    for name, x, y, z, line in _of_table(text) if text.lstrip().startswith("#") else _of_json(text, found):
        where = f"line {line}: {name!r}" if line else repr(name)
        if not name or name in points:
            raise LeadError(f"{where} names no point, or one that has its place already. Give each point its own name.")
        if min(x, y) < -BEFORE or abs(z) > BEFORE:
            raise LeadError(
                f"{where} of 3D Slicer is {x:g} left, {y:g} posterior and {z:g} superior (mm), which is not on a plain "
                "picture: that lies at 0 and above in the first two, and at 0 in the third. Load the picture in Slicer "
                "without centring or turning it, and place the points on that; or write their IJK places into a CSV."
            )
        points[name] = Mark(x, y, line=line)
    found.pictures[of_same_stem(file, pictures, "3D Slicer")] = Marked(points)
    found.leave_out("spacing of the picture in Slicer, taken as one millimetre a pixel")
    return found.labels("no point in it.")


def _of_json(text: str, found: Found) -> Iterator[Position]:
    content = read_json(text, "Slicer's markups")
    markups = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(markups, list) or not all(isinstance(markup, dict) for markup in markups):
        raise LeadError("'markups' must be a list of objects.")
    for markup in markups:
        if markup.get("type") != FIDUCIAL:
            found.leave_out(f"markup of type {str(markup.get('type'))[:50]!r}")
            continue
        if (unit := markup.get("coordinateUnits", "mm")) != "mm":
            raise LeadError(f"its places are in {str(unit)[:50]!r}, not in mm.")
        sign = _sign(str(markup.get("coordinateSystem", "LPS")))
        points = markup.get("controlPoints")
        if not isinstance(points, list) or not all(isinstance(point, dict) for point in points):
            raise LeadError("'controlPoints' must be a list of objects.")
        for i, point in enumerate(points):
            if point.get("positionStatus", "defined") != "defined":
                found.leave_out("point without a place")
                continue
            yield str(point.get("label") or ""), *_placed(point.get("position"), sign, f"controlPoints[{i}]"), 0


def _placed(position: Any, sign: int, where: str) -> tuple[float, float, float]:
    numbers = [finite(value) for value in position] if isinstance(position, list) else []
    if len(numbers) != 3 or numbers[0] is None or numbers[1] is None or numbers[2] is None:
        raise LeadError(f"{where}: position is {repr(position)[:50]}, which is not three numbers.")
    return sign * numbers[0], sign * numbers[1], numbers[2]


def _of_table(text: str) -> Iterator[Position]:
    head = dict(re.findall(r"^#\s*(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    sign = _sign(head.get("CoordinateSystem", "RAS"))
    columns = [column.strip() for column in head.get("columns", ",".join(COLUMNS)).split(",")]
    if not {"x", "y", "z", "label"} <= set(columns):
        raise LeadError("its line '# columns' lacks x, y, z or label.")
    for number, fields in read_lines(text):
        if fields[0].startswith("#"):
            continue
        if len(fields) < len(columns) - 2:  # the last two may be left out
            raise LeadError(f"line {number}: {counted(len(fields), 'field')} where there are {len(columns)} columns.")
        of = dict(zip(columns, fields, strict=False))
        x, y, z = (to_number(of[axis], axis, number) for axis in "xyz")
        if not (x == x and y == y and z == z):
            raise LeadError(f"line {number}: a point without a place.")
        yield of.get("label", ""), sign * x, sign * y, z, number


def _sign(system: str) -> int:
    if system not in SIGNS:
        raise LeadError(str(unknown("system of coordinates", system[:50], SIGNS)))
    return SIGNS[system]
