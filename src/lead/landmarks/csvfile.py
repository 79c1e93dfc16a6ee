"""Our CSV of landmarks, one point a line, and the wide ones that other tools write, one picture a line.

The long form has the columns ``image, name, x, y, visible, score, px_error, px_90``, of which the last four may be
left out or blank. The wide form has ``image`` (or ``file``) and for each landmark either ``x0, y0, x1, y1 …`` (the
landmarks are then named "0", "1" …) or ``<name>_x, <name>_y``. Blank coordinates mean unlabelled. Coordinates are
those of :mod:`lead.geometry`. A CSV has no place for flip pairs and skeleton.

Between the fields stands a comma; a semicolon or a tab are read as well, and beside these a decimal comma, as
spreadsheets write them in much of the world. What is written has commas and decimal points.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from lead.errors import LeadError, unknown
from lead.landmarks.fields import DELIMITERS, Line, check_pair, read_lines, to_number, with_point, written
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Places, Schema

COLUMNS = ("image", "name", "x", "y", "visible", "score", "px_error", "px_90")
REQUIRED = ("image", "name", "x", "y")


def why_not(text: str) -> str | None:
    """Why a text is not a CSV of landmarks; None if its header is like one's."""
    first = next(iter(text.splitlines()), "")
    if _delimiter(text):
        return None
    return f"has no header line with a column 'image' (its first line is {first[:60]!r})"


def _delimiter(text: str) -> str | None:
    """What stands between the fields of the first line, if one of them is the pictures' column."""
    first = next(iter(text.splitlines()), "").replace('"', "")
    for delimiter in DELIMITERS:
        if {"image", "file"} & {column.strip() for column in first.split(delimiter)}:
            return delimiter
    return None


def parse(text: str) -> Labels:
    """Labels from the text of a long or wide CSV; pictures and names in the order of their first appearance.

    Raises:
        LeadError: a column is unknown, missing or double, a line has too few or too many fields, a value is not a
            number, or a point stands twice; the message names the line.
    """
    header, lines = _table(text)
    return _parse_long(header, lines) if "name" in header else _parse_wide(header, lines)


def dump(labels: Labels) -> str:
    """The text of a long CSV: a line for every landmark of every picture, blank where unlabelled."""
    return "".join(pieces(labels))


def pieces(labels: Labels) -> Iterator[str]:
    """The same, the lines of a picture at a time."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row, image in enumerate(labels.images):
        for k, name in enumerate(labels.schema.names):
            x, y = labels.xy[row, k]
            predicted = (labels.score, labels.px_error, labels.px_90)
            extra = [None if values is None else values[row, k] for values in predicted]
            writer.writerow([image, name, written(x), written(y), labels.visible[row, k], *map(written, extra)])
        yield out.getvalue()
        out.seek(out.truncate(0))
    yield out.getvalue()


def _table(text: str) -> tuple[list[str], list[Line]]:
    delimiter = _delimiter(text) or ","
    lines = read_lines(text, delimiter)
    if not lines:
        raise LeadError(f"no header line; expected the columns {', '.join(COLUMNS)}.")
    header = ["image" if column.strip() == "file" else column.strip() for column in lines[0][1]]
    for column in header:
        if header.count(column) > 1:
            raise LeadError(f"line 1: column {column!r} stands more than once.")
    if "image" not in header:
        raise LeadError(f"line 1: no column 'image' or 'file'. Columns found: {', '.join(header[:10])}.")
    for number, fields in lines[1:]:
        if len(fields) != len(header):
            raise LeadError(f"line {number}: {len(fields)} fields where the header has {len(header)}.")
    if len(lines) == 1:
        raise LeadError("a header, but no landmark below it.")
    numbers = [column not in ("image", "name") for column in header]
    return header, [
        (n, [with_point(field, delimiter) if i else field for field, i in zip(fields, numbers, strict=True)])
        for n, fields in lines[1:]
    ]


def _parse_long(header: list[str], lines: list[Line]) -> Labels:
    for column in header:
        if column not in COLUMNS:
            raise unknown("column", column, COLUMNS)
    if absent := [column for column in REQUIRED if column not in header]:
        raise LeadError(f"line 1: column {absent[0]!r} is missing; needed are {', '.join(REQUIRED)}.")
    cells: dict[tuple[str, str], tuple[int, list[float]]] = {}
    for number, fields in lines:
        cell = dict(zip(header, fields, strict=True))
        key = (cell["image"], cell["name"])
        if key in cells:
            raise LeadError(f"line {number}: {key[1]!r} of picture {key[0]!r} stands already in line {cells[key][0]}.")
        cells[key] = (number, _point(cell, number))
    images = list(dict.fromkeys(image for image, _ in cells))
    names = list(dict.fromkeys(name for _, name in cells))
    row, column_of = ({key: i for i, key in enumerate(keys)} for keys in (images, names))
    table = np.full((len(images), len(names), 6), np.nan)
    table[..., 2] = UNLABELLED
    numbers = np.zeros(table.shape[:2], dtype=np.int64)
    for (image, name), (number, values) in cells.items():
        table[row[image], column_of[name]] = values
        numbers[row[image], column_of[name]] = number
    predicted = (None if np.isnan(table[..., i]).all() else table[..., i] for i in (3, 4, 5))
    visible = table[..., 2].astype(np.int8)
    return Labels(
        Schema(tuple(names)), tuple(images), table[..., :2], visible, *predicted, places=Places(lines=numbers)
    )


def _point(cell: dict[str, str], number: int) -> list[float]:
    """x, y, visibility, score and errors in pixels of one line of a long CSV."""
    x, y, visible, *predicted = (to_number(cell.get(column, ""), column, number) for column in COLUMNS[2:])
    check_pair(x, y, "x and y", number)
    if math.isnan(visible):
        visible = UNLABELLED if math.isnan(x) else VISIBLE
    if visible not in (UNLABELLED, HIDDEN, VISIBLE):
        raise LeadError(f"line {number}: visible is {visible:g}; it must be 0 (unlabelled), 1 (hidden) or 2 (visible).")
    if visible > UNLABELLED and math.isnan(x):
        raise LeadError(
            f"line {number}: visible is {visible:g}, but x and y are blank. Give them, or set visible to 0."
        )
    return [x, y, visible, *predicted]


def _parse_wide(header: list[str], lines: list[Line]) -> Labels:
    columns: dict[tuple[str, str], int] = {}
    for i, column in enumerate(header):
        if column == "image":
            continue
        columns[_landmark_and_axis(column)] = i
    names = tuple(dict.fromkeys(name for name, _ in columns))
    if not names:
        raise LeadError("line 1: no landmark's columns; expected x0, y0, … or <name>_x, <name>_y, …")
    for name in names:
        for axis in "xy":
            if (name, axis) not in columns:
                raise LeadError(f"line 1: landmark {name!r} has no column for its {axis}.")
    order = [(columns[name, "x"], columns[name, "y"], name) for name in names]
    xy = np.array([[_wide_point(fields, header, place, number) for place in order] for number, fields in lines])
    seen: dict[str, int] = {}
    for number, fields in lines:
        image = fields[header.index("image")]
        if image in seen:
            raise LeadError(f"line {number}: picture {image!r} stands already in line {seen[image]}.")
        seen[image] = number
    places = Places.of_rows(seen.values(), len(names))
    return Labels.from_xy(Schema(names), seen, xy.reshape(len(lines), len(names), 2), places=places)


def _landmark_and_axis(column: str) -> tuple[str, str]:
    """What a column of a wide CSV holds."""
    if match := re.fullmatch(r"([xy])(\d+)", column):
        axis, name = match.groups()
        return name, axis
    if match := re.fullmatch(r"(.+)_([xy])", column, re.DOTALL):
        name, axis = match.groups()
        return name, axis
    raise LeadError(
        f"line 1: unknown column {column!r}. A line for each point needs {', '.join(REQUIRED)}; "
        "a line for each picture needs image, then x0, y0, … or <name>_x, <name>_y, …"
    )


def _wide_point(
    fields: Sequence[str], header: Sequence[str], place: tuple[int, int, str], number: int
) -> tuple[float, float]:
    column_x, column_y, name = place
    x = to_number(fields[column_x], header[column_x], number)
    y = to_number(fields[column_y], header[column_y], number)
    check_pair(x, y, f"x and y of {name!r}", number)
    return x, y
