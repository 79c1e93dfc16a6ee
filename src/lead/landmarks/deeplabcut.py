"""DeepLabCut's CSV, a line for each picture below a header of several rows, and Lightning Pose's, which is alike.

The header's rows are ``scorer``, ``bodyparts`` and ``coords``; files of several animals have ``individuals`` after the
first. Of those at most one animal may be labelled in a picture: its body parts are joined by the unique ones, which
stand under the individual ``single``. Where pictures may show several specimens, each individual is one, and its name
that of its track, also where config.yaml does not say that these names are identities; so is ``single``, which has
landmarks of its own. We write so what has several, or a track: those without a name as ``individual1``,
``individual2``, … in their order, under ``single`` the landmarks that no other has.

The picture's path stands in the first column, or in the first three (``labeled-data``, folder, file). It is relative to
the project's folder, or absolute; what Windows wrote with backslashes gets slashes. A blank point is unlabelled. The
``likelihood`` of predictions is our score.

Lightning Pose has a column ``visible`` for each body part: 0 is not labelled, 1 hidden, 2 visible.

DeepLabCut's coordinates are clicks on a picture that matplotlib's ``imshow`` draws, whose (0, 0) is the centre of the
top-left pixel: the convention of :mod:`lead.geometry`, so nothing is shifted.

Between the fields stands a comma; a semicolon or a tab are read as well, and beside these a decimal comma.

DeepLabCut has no place for hidden points (one with coordinates is read as visible), neither has a place for expected
errors, flip pairs, skeleton and picture sizes.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count, takewhile

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown
from lead.landmarks.fields import Line, check_pair, read_lines, to_number, with_point, written
from lead.landmarks.frames import frames_of_one
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.reporting import counted

ONE, SEVERAL = ("scorer", "bodyparts", "coords"), ("scorer", "individuals", "bodyparts", "coords")
"""The header's rows in files of one animal and of several."""
COORDS = ("x", "y", "likelihood", "visible")
UNIQUE = "single"
"""The individual under which stand the body parts that just one animal, or none, has."""
INDIVIDUAL = "individual{}"
"""What DeepLabCut calls animals by default."""
FOLDER = "labeled-data"
SCORER = "lead"
BEGIN = re.compile(r'\s*(scorer|"scorer") *([,;\t])')
WINDOWS = re.compile(rf"[A-Za-z]:\\|(.*\\)?{FOLDER}\\", re.DOTALL)
"""How a path begins that has backslashes between its parts."""
Key = tuple[str, str, str]
Columns = Mapping[Key, int]
"""The column of each individual's each body part's x, y, likelihood and visible."""
Points = npt.NDArray[np.float64]
Table = npt.NDArray[np.float64]
Column = tuple[str, ...]
"""What stands above a column in the header's rows."""


def why_not(text: str) -> str | None:
    """Why a text is not DeepLabCut's; None if it begins as no other CSV that we read does."""
    if not BEGIN.match(text):
        return "does not begin with the row 'scorer'"
    return "has columns 'visible', as Lightning Pose's have" if lightning_why_not(text) is None else None


def lightning_why_not(text: str) -> str | None:
    """Why a text is not Lightning Pose's; None if it begins as DeepLabCut's do, with columns of visibilities."""
    head = text.lstrip().splitlines()[: len(SEVERAL)] if BEGIN.match(text) else []
    visible = any(re.match(r"\W*coords\b.*\bvisible\b", line) for line in head)
    return None if visible else "has no row 'coords' with columns 'visible'"


def parse(text: str, *, several: bool = False) -> Labels:
    """Labels from the text of a DeepLabCut CSV; pictures and body parts in its order.

    Args:
        text: the whole file.
        several: whether a picture may show several animals, each of which is a row then.

    Raises:
        LeadError: a header row is missing, there is more than one scorer or individual, a column is unknown, missing
            or double, a line has too few or too many fields, a value is not a number, a likelihood is not from 0 to 1,
            or a picture stands twice; the message names the line and the column.
    """
    begin = BEGIN.match(text)
    delimiter = begin[2] if begin else ","
    return parse_lines(read_lines(text, delimiter), delimiter, several=several)


def parse_lines(lines: list[Line], delimiter: str = ",", *, several: bool = False) -> Labels:
    """As :func:`parse`, of lines that are split already."""
    header = _header(lines)
    lines = lines[len(header) :]
    if not lines:
        raise LeadError("a header, but no picture below it.")
    number, coords = header["coords"]
    for other, fields in (*header.values(), *lines):
        if len(fields) != len(coords):
            raise LeadError(f"line {other}: {counted(len(fields), 'field')} where line {number} has {len(coords)}.")
    width = _index_width(header["coords"])
    lacking = ""
    if _has_set(header):
        lacking = "which pictures a model was trained on (column 'set')"
        header = {row: (number, fields[:-1]) for row, (number, fields) in header.items()}
        lines = [(number, fields[:-1]) for number, fields in lines]
    _check_scorer(header["scorer"], width)
    lines = [(n, [*fields[:width], *(with_point(field, delimiter) for field in fields[width:])]) for n, fields in lines]
    columns = _columns(header, width)
    rows: dict[str, int] = {}
    for number, fields in lines:
        image = _path(fields[:width], number)
        if image in rows:
            raise LeadError(f"line {number}: picture {image!r} stands already in line {rows[image]}.")
        rows[image] = number
    parts = list(dict.fromkeys((individual, name) for individual, name, _ in columns))
    points = [[_point(fields, columns, part, number) for part in parts] for number, fields in lines]
    whole = np.array(points, dtype=np.float64)  # (N, parts, 4): x, y, likelihood, visible
    odd = _odd(whole)
    if several:
        names, table, of_rows, tracks = _each_animal(parts, whole)
        left_out = ""
    else:
        names, table, left_out = _one_animal(parts, whole, rows)
        of_rows, tracks = list(range(len(rows))), None
    listed, numbers = tuple(rows), tuple(rows.values())
    score = None if np.isnan(table[..., 2]).all() else table[..., 2]
    visible = np.where(np.isnan(table[..., 3]), VISIBLE, table[..., 3]).astype(np.int8)
    left_out = "; ".join(filter(None, (left_out, *odd, lacking)))
    places = replace(Places.of_rows((numbers[row] for row in of_rows), len(names)), left_out=left_out)
    images = tuple(listed[row] for row in of_rows)
    return Labels(Schema(names), images, table[..., :2], visible, score, places=places, tracks=tracks)


def _has_set(header: Mapping[str, Line]) -> bool:
    """Whether the last column is Lightning Pose's ``set``, which says of a prediction's picture: train, validation."""
    last = {row: fields[-1].strip() for row, (_, fields) in header.items()}
    return last.pop("scorer") == "set" and not any(last.values())


def _odd(points: Points) -> list[str]:
    """What ``visible`` says that cannot be kept, counted."""
    placed, said = ~np.isnan(points[..., 0]), points[..., 3]
    lost = {
        "point said to be hidden or visible, without a place": (said > UNLABELLED) & ~placed,
        "place of a point said to be unlabelled (visible 0)": (said == UNLABELLED) & placed,
    }
    return [counted(int(where.sum()), what) for what, where in lost.items() if where.any()]


def _one_animal(
    parts: Sequence[tuple[str, str]], points: Points, rows: Mapping[str, int]
) -> tuple[tuple[str, ...], Points, str]:
    """The body parts' names, the (N, K, 4) points of the one animal of each picture, and what is lost by that.

    Raises:
        LeadError: two animals are labelled in a picture.
    """
    names = tuple(dict.fromkeys(name for _, name in parts))
    owner = [individual for individual, _ in parts]
    labelled = ~np.isnan(points[..., 0])
    counted: Counter[str] = Counter()
    for row, (image, number) in enumerate(rows.items()):
        here = [owner[i] for i in np.flatnonzero(labelled[row])]
        if len(animals := dict.fromkeys(who for who in here if who != UNIQUE)) > 1:
            raise LeadError(
                f"line {number}: {image} has labels of {len(animals)} animals, {', '.join(map(repr, animals))}. One "
                "animal a picture is supported so far: cut such pictures up, or take their lines out. Training (lead "
                "train) needs no labels."
            )
        counted.update(list(animals))
    table = np.full((len(rows), len(names), points.shape[-1]), np.nan)
    numbers = list(rows.values())
    for i, (_, name) in enumerate(parts):
        k = names.index(name)
        free = np.isnan(table[:, k, 0])
        for row in np.flatnonzero(~free & labelled[:, i])[:1]:
            raise LeadError(
                f"line {numbers[row]}: {name!r} is labelled as an animal's body part and as a unique one ({UNIQUE!r}). "
                "Give one of them another name."
            )
        table[free, k] = points[free, i]
    individuals = ", ".join(f"{who!r} {count}" for who, count in counted.items())
    return names, table, f"which animal is shown, a picture each ({individuals})" if len(counted) > 1 else ""


def _each_animal(
    parts: Sequence[tuple[str, str]], points: Points
) -> tuple[tuple[str, ...], Points, list[int], tuple[str, ...]]:
    """The body parts' names, the (M, K, 4) points of each animal, or of none, in each picture; its picture and name."""
    owners = np.array([individual for individual, _ in parts], dtype=object)
    of_animals = [name for individual, name in parts if individual != UNIQUE]
    names = tuple(dict.fromkeys([*of_animals, *(name for _, name in parts)]))
    place = np.array([names.index(name) for _, name in parts])
    labelled = ~np.isnan(points[..., 0])
    found = []
    for animal in dict.fromkeys(owners.tolist()):
        own = owners == animal
        shown = np.flatnonzero(labelled[:, own].any(1))
        table = np.full((len(shown), len(names), points.shape[-1]), np.nan)
        table[:, place[own]] = points[np.ix_(shown, own)]
        found.append((table, shown, [animal] * len(shown)))
    nothing = np.flatnonzero(~labelled.any(1))
    found.append((np.full((len(nothing), len(names), points.shape[-1]), np.nan), nothing, [""] * len(nothing)))
    pictures = np.concatenate([shown for _, shown, _ in found])
    order = np.argsort(pictures, kind="stable")
    tracks = [animal for *_, animals in found for animal in animals]
    tables = np.concatenate([table for table, *_ in found])
    return names, tables[order], pictures[order].tolist(), tuple(tracks[i] for i in order)


def dump(labels: Labels) -> str:
    """The text of a DeepLabCut CSV: a line for every picture, blank where unlabelled.

    The path stands in one column; frames of one film go by their numbers, as in DeepLabCut's own predictions. There
    is a column for the likelihood if the labels have scores.
    """
    images, columns, table = tabulated(labels)
    film = frames_of_one(images)
    return _csv(film[1] if film else images, columns, table)


def dump_lightning(labels: Labels) -> str:
    """The text of a Lightning Pose CSV: with columns ``visible`` if any point is hidden, for older versions know none.

    Lightning Pose learns from a hidden point that it is hidden, not where.
    """
    return _csv(*tabulated(labels, visible=bool((labels.visible == HIDDEN).any())))


def _csv(index: Sequence[object], columns: Sequence[Column], table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row, *names in zip(header_of(columns), *columns, strict=True):
        writer.writerow([row, *names])
    whole = [column[-1] == "visible" for column in columns]
    for image, values in zip(index, table.tolist(), strict=True):
        writer.writerow([image, *(int(v) if i else written(v) for v, i in zip(values, whole, strict=True))])
    return out.getvalue()


def header_of(columns: Sequence[Column]) -> tuple[str, ...]:
    """The header's rows: those of one animal, or of several."""
    return SEVERAL if columns and len(columns[0]) == len(SEVERAL) else ONE


def tabulated(labels: Labels, *, visible: bool = False) -> tuple[list[str], list[Column], Table]:
    """P pictures; what stands above each column in the header; and the (P, columns) values.

    Columns have a likelihood, or ``visible``; of several animals in a picture, or of named ones, each has its own.
    """
    more = {"visible": labels.visible} if visible else {} if labels.score is None else {"likelihood": labels.score}
    coords = (*"xy", *more)
    values = np.concatenate([labels.xy, *(table[..., None] for table in more.values())], axis=-1)
    if not (any(labels.tracks or ()) or len(set(labels.images)) < len(labels)):
        heads: list[Column] = [(SCORER, name, coord) for name in labels.schema.names for coord in coords]
        return list(labels.images), heads, values.reshape(len(labels), len(heads))
    rows_of = labels.rows_of()
    picture = {image: i for i, image in enumerate(rows_of)}
    owners = _individuals(labels, rows_of.values())
    shown = labels.visible > UNLABELLED
    unique = [owner == UNIQUE for owner in owners]
    only_unique = shown[unique].any(0) & ~shown[np.logical_not(unique)].any(0)
    animals = [owner for owner in dict.fromkeys(owners) if owner not in ("", UNIQUE)] or [INDIVIDUAL.format(1)]
    columns, blocks = list[Column](), list[Table]()
    for animal in [*animals, UNIQUE] if any(unique) else animals:
        parts = np.flatnonzero(shown[unique].any(0) if animal == UNIQUE else ~only_unique)
        block = np.full((len(picture), len(parts), len(coords)), np.nan)
        own = [row for row, owner in enumerate(owners) if owner == animal]
        block[[picture[labels.images[row]] for row in own]] = values[own][:, parts]
        columns += [(SCORER, animal, labels.schema.names[k], coord) for k in parts.tolist() for coord in coords]
        blocks.append(block.reshape(len(picture), len(parts) * len(coords)))
    return list(picture), columns, np.concatenate(blocks, axis=1)


def _individuals(labels: Labels, pictures: Iterable[Sequence[int]]) -> list[str]:
    """Whom each row shows; "" where it shows none. Pictures' rows without a name are called by their number."""
    taken = {*(labels.tracks or ())}
    numbered = (name for number in count(1) if (name := INDIVIDUAL.format(number)) not in taken)
    slots: list[str] = []
    owners = [""] * len(labels)
    labelled = set(np.flatnonzero((labels.visible > UNLABELLED).any(1)).tolist())
    for rows in pictures:
        nameless = 0
        for row in (row for row in rows if row in labelled):
            owners[row] = labels.tracks[row] if labels.tracks else ""
            if owners[row]:
                continue
            if nameless == len(slots):
                slots.append(next(numbered))
            owners[row] = slots[nameless]
            nameless += 1
    return owners


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


def _check_scorer(scorers: Line, width: int) -> None:
    """Raises :class:`LeadError` where not all columns are of one scorer."""
    number, fields = scorers
    if len(several := dict.fromkeys(fields[width:])) > 1:
        raise LeadError(
            f"line {number}: {len(several)} scorers, {', '.join(map(repr, several))}. Keep the columns of one."
        )


def _columns(header: Mapping[str, Line], width: int) -> Columns:
    (first, names), (second, coords) = header["bodyparts"], header["coords"]
    _, individuals = header.get("individuals", (0, [""] * len(coords)))
    columns: dict[Key, int] = {}
    for i in range(width, len(coords)):
        key = (individuals[i], names[i], coords[i].strip())
        if key[-1] not in COORDS:
            raise LeadError(f"line {second}, column {i + 1}: {unknown('coordinate', key[-1], COORDS)}")
        if key in columns:
            there = columns[key] + 1
            raise LeadError(f"line {first}, column {i + 1}: {key[-1]} of {key[1]!r} stands already in column {there}.")
        columns[key] = i
    for individual, name, _ in columns:
        for axis in "xy":
            if (individual, name, axis) not in columns:
                raise LeadError(f"line {second}: body part {name!r} has no column for its {axis}.")
    return columns


def _path(fields: Sequence[str], number: int) -> str:
    """The picture's path, with POSIX separators."""
    if not all(fields):
        raise LeadError(f"line {number}: the picture's path is blank{' in part' if any(fields) else ''}.")
    path = "/".join(fields)
    return path.replace("\\", "/") if WINDOWS.match(path) else path


def _point(fields: Sequence[str], columns: Columns, part: tuple[str, str], number: int) -> list[float]:
    """x, y, likelihood and visible of one body part in one line."""
    name = part[1]
    x, y, likelihood, visible = (
        to_number(fields[columns[*part, coord]], f"{coord} of {name!r}", number)
        if (*part, coord) in columns
        else math.nan
        for coord in COORDS
    )
    check_pair(x, y, f"x and y of {name!r}", number)
    if not (math.isnan(likelihood) or 0 <= likelihood <= 1):
        text = fields[columns[*part, "likelihood"]]
        raise LeadError(f"line {number}: likelihood of {name!r} is {text!r}; it must be from 0 to 1, or blank.")
    if not (math.isnan(visible) or visible in (UNLABELLED, HIDDEN, VISIBLE)):
        text = fields[columns[*part, "visible"]]
        raise LeadError(
            f"line {number}: visible of {name!r} is {text!r}; it must be 0 (unlabelled), 1 (hidden) or 2 (visible)."
        )
    return [x, y, likelihood, visible]
