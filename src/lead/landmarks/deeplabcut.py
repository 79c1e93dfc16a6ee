"""DeepLabCut's CSV of one animal: a line for each picture, below a header of several rows.

The header's rows are ``scorer``, ``bodyparts`` and ``coords``; files of several animals have ``individuals`` after the
first, and are read where they hold exactly one. The picture's path stands in the first column, or in the first three
(``labeled-data``, folder, file). It is relative to the project's folder; written on Windows by an older version it
reads ``labeled-data\\folder\\file``, which becomes ``labeled-data/folder/file``. A blank point is unlabelled. The
``likelihood`` of predictions is our score.

DeepLabCut's coordinates are clicks on a picture that matplotlib's ``imshow`` draws, whose (0, 0) is the centre of the
top-left pixel: the convention of :mod:`lead.geometry`, so nothing is shifted.

Between the fields stands a comma; a semicolon or a tab are read as well, and beside these a decimal comma.

There is no place for hidden points (one with coordinates is read as visible), expected errors, flip pairs, skeleton
and picture sizes.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from itertools import takewhile

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown
from lead.landmarks.fields import Line, check_pair, read_lines, to_number, with_point, written
from lead.landmarks.frames import frames_of_one
from lead.landmarks.model import VISIBLE, Labels, Places, Schema

ONE, SEVERAL = ("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords")
"""The header's rows in files of one animal and of several."""
COORDS = ("x", "y", "likelihood")
FOLDER = "labeled-data"
SCORER = "lead"
BEGIN = re.compile(r'\s*(scorer|"scorer") *([,;\t])')
Columns = Mapping[tuple[str, str], int]
"""The column of each body part's x, y and likelihood."""


def why_not(text: str) -> str | None:
    """Why a text is not DeepLabCut's; None if it begins as no other CSV that we read does."""
    return None if BEGIN.match(text) else "does not begin with the row 'scorer'"


def parse(text: str) -> Labels:
    """Labels from the text of a DeepLabCut CSV; pictures and body parts in its order.

    Raises:
        LeadError: a header row is missing, there is more than one scorer or individual, a column is unknown, missing
            or double, a line has too few or too many fields, a value is not a number, a likelihood is not from 0 to 1,
            or a picture stands twice; the message names the line and the column.
    """
    begin = BEGIN.match(text)
    delimiter = begin[2] if begin else ","
    return parse_lines(read_lines(text, delimiter), delimiter)


def parse_lines(lines: list[Line], delimiter: str = ",") -> Labels:
    """As :func:`parse`, of lines that are split already."""
    header = _header(lines)
    lines = lines[len(header) :]
    if not lines:
        raise LeadError("a header, but no picture below it.")
    number, coords = header["coords"]
    for other, fields in (*header.values(), *lines):
        if len(fields) != len(coords):
            raise LeadError(f"line {other}: {len(fields)} fields where line {number} has {len(coords)}.")
    width = _index_width(header["coords"])
    _check_one(header, width)
    lines = [(n, [*fields[:width], *(with_point(field, delimiter) for field in fields[width:])]) for n, fields in lines]
    columns = _columns(header, width)
    names = tuple(dict.fromkeys(name for name, _ in columns))
    rows: dict[str, int] = {}
    for number, fields in lines:
        image = _path(fields[:width], number)
        if image in rows:
            raise LeadError(f"line {number}: picture {image!r} stands already in line {rows[image]}.")
        rows[image] = number
    points = [[_point(fields, columns, name, number) for name in names] for number, fields in lines]
    table = np.array(points, dtype=np.float64)  # (N, K, 3): x, y, likelihood
    score = None if np.isnan(table[..., 2]).all() else table[..., 2]
    visible = np.full(table.shape[:2], VISIBLE, dtype=np.int8)
    places = Places.of_rows(rows.values(), len(names))
    return Labels(Schema(names), tuple(rows), table[..., :2], visible, score, places=places)


def dump(labels: Labels) -> str:
    """The text of a DeepLabCut CSV of one animal: a line for every picture, blank where unlabelled.

    The path stands in one column; frames of one film go by their numbers, as in DeepLabCut's own predictions. There
    is a column for the likelihood if the labels have scores.
    """
    columns, table = tabulated(labels)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["scorer", *[SCORER] * len(columns)])
    writer.writerow(["bodyparts", *(name for name, _ in columns)])
    writer.writerow(["coords", *(coord for _, coord in columns)])
    film = frames_of_one(labels.images)
    for image, values in zip(film[1] if film else labels.images, table.tolist(), strict=True):
        writer.writerow([image, *map(written, values)])
    return out.getvalue()


def tabulated(labels: Labels) -> tuple[list[tuple[str, str]], npt.NDArray[np.float64]]:
    """Body part and coordinate of each column, and the (N, columns) values."""
    coords = COORDS[: 2 if labels.score is None else 3]
    columns = [(name, coord) for name in labels.schema.names for coord in coords]
    table = labels.xy if labels.score is None else np.concatenate([labels.xy, labels.score[..., None]], axis=-1)
    return columns, table.reshape(len(labels), len(columns))


def _header(lines: Sequence[Line]) -> dict[str, Line]:
    """The header's rows by their names."""
    begins = [fields[0].strip() for _, fields in lines[: len(SEVERAL)]]
    expected = SEVERAL if "individuals" in begins[:2] else ONE
    for i, row in enumerate(expected):
        if begins[i : i + 1] != [row]:
            where, begin = (f"line {lines[i][0]}: ", repr(begins[i])) if i < len(begins) else ("", "the file's end")
            raise LeadError(
                f"{where}expected the header's row {row!r}, found {begin}. The header's rows begin with "
                f"{', '.join(ONE)}; in files of several animals with {', '.join(SEVERAL)}."
            )
    return dict(zip(expected, lines, strict=False))


def _index_width(coords: Line) -> int:
    """How many columns hold the picture's path: those whose ``coords`` are blank."""
    number, fields = coords
    width = 1 + len(list(takewhile(lambda field: not field.strip(), fields[1:])))
    if width == len(fields):
        raise LeadError(f"line {number}: no column of coordinates; expected {', '.join(COORDS)} for each body part.")
    if width not in (1, 3):
        raise LeadError(
            f"line {number}: {width} columns before the first coordinate. A picture's path takes one, or three: "
            f"{FOLDER}, folder, file."
        )
    return width


def _check_one(header: Mapping[str, Line], width: int) -> None:
    """Raises :class:`LeadError` where not all columns are of one scorer and one individual."""
    for row, advice in (
        ("scorer", "Keep the columns of one."),
        (
            "individuals",
            "One animal a picture is supported: keep the columns of one, or crop the pictures into several.",
        ),
    ):
        if row in header:
            number, fields = header[row]
            if len(several := dict.fromkeys(fields[width:])) > 1:
                raise LeadError(
                    f"line {number}: {len(several)} {row.rstrip('s')}s, {', '.join(map(repr, several))}. {advice}"
                )


def _columns(header: Mapping[str, Line], width: int) -> Columns:
    (first, names), (second, coords) = header["bodyparts"], header["coords"]
    columns: dict[tuple[str, str], int] = {}
    for i in range(width, len(coords)):
        name, coord = names[i], coords[i].strip()
        if coord not in COORDS:
            raise LeadError(f"line {second}, column {i + 1}: {unknown('coordinate', coord, COORDS)}")
        if (name, coord) in columns:
            there = columns[name, coord] + 1
            raise LeadError(f"line {first}, column {i + 1}: {coord} of {name!r} stands already in column {there}.")
        columns[name, coord] = i
    for name, _ in columns:
        for axis in "xy":
            if (name, axis) not in columns:
                raise LeadError(f"line {second}: body part {name!r} has no column for its {axis}.")
    return columns


def _path(fields: Sequence[str], number: int) -> str:
    """The picture's path, with POSIX separators."""
    if not all(fields):
        raise LeadError(f"line {number}: the picture's path is blank{' in part' if any(fields) else ''}.")
    path = "/".join(fields)
    return path.replace("\\", "/") if path.startswith(f"{FOLDER}\\") else path


def _point(fields: Sequence[str], columns: Columns, name: str, number: int) -> tuple[float, float, float]:
    """x, y and likelihood of one body part in one line."""
    x, y, likelihood = (
        to_number(fields[columns[name, coord]], f"{coord} of {name!r}", number)
        if (name, coord) in columns
        else math.nan
        for coord in COORDS
    )
    check_pair(x, y, f"x and y of {name!r}", number)
    if not (math.isnan(likelihood) or 0 <= likelihood <= 1):
        text = fields[columns[name, "likelihood"]]
        raise LeadError(f"line {number}: likelihood of {name!r} is {text!r}; it must be from 0 to 1, or blank.")
    return x, y, likelihood
