"""Our CSV of landmarks, one point a line, and the wide ones that other tools write, one picture a line.

The long form has the columns ``image, name, x, y, visible, score, px_error, px_90, px_across, origin``, of which the
last six may be left out or blank; ``px_across`` is written where there are predictions of curves. ``origin`` says whose
a label is: ``hand``, ``accepted`` or ``predicted``; it is written where the others do not tell. Where pictures show
several specimens, or more is known of one, further columns say it: ``instance`` (a number from 1 in the picture),
``track``, ``likely``, ``box_x, box_y, box_width, box_height``, and ``complete``, 1 where every specimen of the picture
is labelled. The wide form has ``image`` and for each landmark two columns, such as ``x1, y1`` or ``nose_x, nose_y``, or
three or four, with ``nose_score`` and ``nose_visible``. What else columns may be called is in
:mod:`lead.landmarks.csvheader`; further columns are left aside and named in ``Places.left_out``. Blank coordinates, or
``NA`` and the like, mean unlabelled. Coordinates are those of :mod:`lead.geometry`. A CSV has no place for flip pairs,
skeleton and curves.

MediaPipe's tables are known by their columns ``z`` and ``visibility``. All their points are a model's; places that are
shares of the picture's size, counted from its edge, become pixels, which needs the pictures.

Between the fields stands a comma; a semicolon or a tab are read as well, and beside these a decimal comma, as
spreadsheets write them in much of the world. What is written has commas and decimal points.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, unknown
from lead.landmarks.csvheader import SPECIMEN, Header, delimiter_of, left_aside, lines_below, read_header
from lead.landmarks.fields import Line, check_pair, read_lines, to_number, with_point, written
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE, Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo

COLUMNS = ("image", "name", "x", "y", "visible", "score", "px_error", "px_90")
ACROSS = "px_across"
NUMBERS = (*COLUMNS[2:], ACROSS)
ORIGIN, ORIGINS = "origin", ("hand", "accepted", "predicted")
INSTANCE, TRACK, LIKELY, *BOX, COMPLETE = SPECIMEN
YES, NO = ("1", "true", "yes"), ("0", "false", "no", "")
Points = npt.NDArray[np.float64]
Row = tuple[str, str]
"""A picture, and what tells its specimens apart."""
MOST = 2.0
"""A share of a picture's side is not larger than this, also of a landmark beyond the picture."""


def why_not(text: str) -> str | None:
    """Why a text is not a CSV of landmarks; None if its header is like one's."""
    first = next(iter(text.splitlines()), "")
    if delimiter_of(text):
        return None
    return f"has no header line with a column 'image' and columns of places (its first line is {first[:60]!r})"


def dump(labels: Labels) -> str:
    """The text of a long CSV: a line for every landmark of every picture, blank where unlabelled."""
    return "".join(pieces(labels))


def pieces(labels: Labels) -> Iterator[str]:
    """The same, the lines of a picture at a time."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    told = labels.of_predictions()
    written_too = told if labels.px_across is not None else told[:-1]
    derived = np.zeros(labels.visible.shape, dtype=bool)
    for values in told:
        derived |= False if values is None else np.isfinite(values)
    origin = bool(labels.is_accepted.any() or (labels.is_predicted & ~derived).any())
    said = _said(labels)
    across = [ACROSS] if labels.px_across is not None else []
    writer.writerow([*COLUMNS, *across, *([ORIGIN] if origin else []), *said])
    for row, image in enumerate(labels.images):
        of_row = [values[row] for values in said.values()]
        for k, name in enumerate(labels.schema.names):
            x, y = labels.xy[row, k]
            extra = [None if values is None else values[row, k] for values in written_too]
            whose = [_origin(labels, row, k)] if origin else []
            writer.writerow(
                [image, name, written(x), written(y), labels.visible[row, k], *map(written, extra), *whose, *of_row]
            )
        yield out.getvalue()
        out.seek(out.truncate(0))
    yield out.getvalue()


def _said(labels: Labels) -> dict[str, Sequence[object]]:
    """The columns of what is said of specimens, as far as there is anything to say."""
    columns: dict[str, Sequence[object]] = {}
    groups = labels.rows_of()
    if len(groups) < len(labels):
        place = {row: number for rows in groups.values() for number, row in enumerate(rows, start=1)}
        columns[INSTANCE] = [place[row] for row in range(len(labels))]
    if labels.tracks and any(labels.tracks):
        columns[TRACK] = labels.tracks
    if labels.likely is not None:
        columns[LIKELY] = [written(value) for value in labels.likely.tolist()]
    if labels.boxes is not None:
        columns |= {name: [written(v) for v in side] for name, side in zip(BOX, labels.boxes.T.tolist(), strict=True)}
    if labels.complete:
        columns[COMPLETE] = [int(image in labels.complete) for image in labels.images]
    return columns


def _origin(labels: Labels, row: int, k: int) -> str:
    if labels.visible[row, k] == UNLABELLED:
        return ""
    return ORIGINS[1] if labels.is_accepted[row, k] else ORIGINS[2] if labels.is_predicted[row, k] else ORIGINS[0]


@dataclass
class _Cell:
    """One point of one picture: its line, its numbers in the order of :data:`NUMBERS`, and whose it is."""

    line: int
    numbers: list[float]
    origin: str = ""


@dataclass
class _Table:
    """What a text says: cells by row and landmark, in the order of their first appearance.

    ``rows`` has the line in which each row stands first, and what that says of a specimen, by the column.
    """

    header: Header
    delimiter: str
    several: bool = False
    cells: dict[tuple[Row, str], _Cell] = field(default_factory=dict)
    rows: dict[Row, tuple[int, dict[str, str]]] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)

    def number(self, fields: Sequence[str], column: int, line: int) -> float:
        """A number of a line."""
        return to_number(with_point(fields[column], self.delimiter), self.header.names[column], line)

    def row(self, image: str, line: Line) -> Row:
        """The row that a line is of. Raises :class:`LeadError` where it says other things of it than a line before."""
        if not self.header.specimen and not self.header.wide:
            return image, ""
        number, fields = line
        said = {name: fields[at] for name, at in self.header.specimen.items()}
        key = said.pop(INSTANCE, None)
        if key is None:
            key = said.get(TRACK)
        if key is None:
            key = f"{number}" if self.several and self.header.wide else ""
        first, before = self.rows.setdefault((image, key.strip()), (number, said))
        for name in (name for name in said if said[name] != before[name]):
            raise LeadError(
                f"line {number}: {name} is {said[name]!r}, but {before[name]!r} in line {first}, of the same specimen "
                f"of {image!r}."
            )
        return image, key.strip()

    def add(self, row: Row, name: str, cell: _Cell) -> None:
        """One point. Raises :class:`LeadError` where it stands already."""
        there = self.cells.setdefault((row, name), cell)
        if there is not cell:
            raise LeadError(f"line {cell.line}: {name!r} of picture {row[0]!r} stands already in line {there.line}.")


def parse(text: str, pictures: PictureInfo | None = None, *, several: bool = False) -> Labels:
    """Labels from the text of a long or wide CSV; pictures and names in the order of their first appearance.

    Args:
        text: the whole file.
        pictures: what knows the pictures, where places are shares of their sizes, or names lack their endings.
        several: whether pictures may show several specimens.

    Raises:
        LeadError: a needed column is missing or double, a line has too few or too many fields, a value is not a
            number, a point stands twice, or places are shares of pictures whose sizes are not known; the message
            names the line.
    """
    pictures = pictures or PictureInfo()
    delimiter = delimiter_of(text) or ","
    lines = read_lines(text, delimiter)
    if not lines:
        raise LeadError(f"no header line; expected the columns {', '.join(COLUMNS)}.")
    names, below = lines_below(lines[1:], [name.strip() for name in lines[0][1]])
    table = _Table(read_header(names, several=several), delimiter, several)
    if not below:
        raise LeadError("a header, but no landmark below it.")
    read = _wide_line if table.header.wide else _long_line
    image_column = table.header.columns["image"]
    stems: dict[str, str] = {}
    for line in below:
        image = line[1][image_column]
        if not image.strip():
            table.left_out.add("line without a picture", f"line {line[0]}")
            continue
        if table.header.by_stem and image not in stems:
            stems[image] = pictures.of_stem(image.strip())
        read(table, stems.get(image, image), line)
    if table.header.by_row_name and all(name.isdigit() and name == image for name, image in stems.items()):
        raise LeadError("its lines are numbered, and no column says their pictures. Add one, called image.")
    if not table.cells:
        raise LeadError("no line with a picture and a landmark.")
    return _labels(table, pictures)


def _long_line(table: _Table, image: str, line: Line) -> None:
    number, fields = line
    columns = table.header.columns
    name = fields[columns["name"]]
    if not name.strip():
        table.left_out.add("line without a landmark's name", f"line {number}")
        return
    values = [table.number(fields, columns[c], number) if c in columns else math.nan for c in NUMBERS]
    origin = fields[columns[ORIGIN]].strip().lower() if ORIGIN in columns else ""
    if origin and origin not in ORIGINS:
        raise LeadError(f"line {number}: {unknown(ORIGIN, origin, ORIGINS)}")
    table.add(table.row(image, line), name, _Cell(number, _checked(values, "x and y", number), origin))


def _wide_line(table: _Table, image: str, line: Line) -> None:
    number, fields = line
    wide = table.header.wide
    row = table.row(image, line)
    if (there := table.rows[row][0]) != number:
        raise LeadError(f"line {number}: picture {image!r} stands already in line {there}.")
    for name in dict.fromkeys(name for name, _ in wide):
        values = [table.number(fields, wide[name, c], number) if (name, c) in wide else math.nan for c in NUMBERS]
        table.add(row, name, _Cell(number, _checked(values, f"x and y of {name!r}", number)))


def _checked(values: list[float], what: str, number: int) -> list[float]:
    """The numbers of one point, with its visibility."""
    x, y, visible, *rest = values
    check_pair(x, y, what, number)
    if math.isnan(visible):
        visible = UNLABELLED if math.isnan(x) else VISIBLE
    if visible not in (UNLABELLED, HIDDEN, VISIBLE):
        raise LeadError(f"line {number}: visible is {visible:g}; it must be 0 (unlabelled), 1 (hidden) or 2 (visible).")
    if visible > UNLABELLED and math.isnan(x):
        raise LeadError(
            f"line {number}: visible is {visible:g}, but x and y are blank. Give them, or set visible to 0."
        )
    return [x, y, visible, *rest]


def _labels(table: _Table, pictures: PictureInfo) -> Labels:
    rows = list(dict.fromkeys(row for row, _ in table.cells))
    images = [image for image, _ in rows]
    names = list(dict.fromkeys(name for _, name in table.cells))
    row_of, column_of = {row: i for i, row in enumerate(rows)}, {name: k for k, name in enumerate(names)}
    values = np.full((len(images), len(names), len(NUMBERS)), np.nan)
    values[..., 2] = UNLABELLED
    lines = np.zeros(values.shape[:2], dtype=np.int64)
    origin = np.zeros(values.shape[:2], dtype="U9")
    for (row, name), cell in table.cells.items():
        here = row_of[row], column_of[name]
        values[here], lines[here], origin[here] = cell.numbers, cell.line, cell.origin
    xy, predicted = values[..., :2], (origin == ORIGINS[2]) | table.header.mediapipe
    if table.header.mediapipe and np.nanmax(np.abs(xy), initial=0) <= MOST:
        xy = _in_pixels(xy, images, pictures)
    elif tuple(table.header.names[: len(COLUMNS)]) != COLUMNS:
        _refuse_shares(xy)
    told = values[..., 3:]
    if (corrected := (origin == ORIGINS[0]) & np.isfinite(told).any(-1)).any():
        told[corrected] = np.nan
        table.left_out.add("point placed by hand with a score or an error of a model", count=int(corrected.sum()))
    left_out = "; ".join(filter(None, (left_aside(table.header), str(table.left_out))))
    return Labels(
        Schema(tuple(names)),
        tuple(images),
        xy,
        values[..., 2].astype(np.int8),
        *(None if np.isnan(column).all() else column for column in np.moveaxis(told, -1, 0)),
        accepted=origin == ORIGINS[1],
        predicted=predicted,
        places=Places(lines=lines, left_out=left_out),
        **(_specimens(table, rows) if table.several else {}),
    )


def _specimens(table: _Table, rows: Sequence[Row]) -> dict[str, Any]:
    """What is said of each row. Raises :class:`LeadError` naming the line of what is no number, or no box."""
    said = [table.rows.get(row, (0, {})) for row in rows]
    numbers = [
        [to_number(with_point(of.get(name, ""), table.delimiter), name, line) for name in (LIKELY, *BOX)]
        for line, of in said
    ]
    for (line, _), (_, *box) in zip(said, numbers, strict=True):
        if np.isnan(box).any() != np.isnan(box).all() or min(box[2:]) <= 0:
            raise LeadError(f"line {line}: {', '.join(BOX)} are no box. Give all four, or none.")
    complete = [of.get(COMPLETE, "").strip().lower() for _, of in said]
    for (line, _), text in zip(said, complete, strict=True):
        if text not in (*YES, *NO):
            raise LeadError(f"line {line}: {unknown(COMPLETE, text, (YES[0], NO[0]))}")
    return {
        "tracks": tuple(of.get(TRACK, "") for _, of in said),
        "boxes": np.array(numbers)[:, 1:],
        "likely": np.array(numbers)[:, 0],
        "complete": frozenset(image for (image, _), text in zip(rows, complete, strict=True) if text in YES),
    }


def _in_pixels(xy: Points, images: Sequence[str], pictures: PictureInfo) -> Points:
    """Places that were shares of the pictures' sizes, counted from the edges of the first pixel."""
    sizes = np.full((len(images), 1, 2), np.nan)
    for row in np.flatnonzero(np.isfinite(xy).any((1, 2))).tolist():
        try:
            sizes[row] = pictures.size(images[row])
        except LeadError as error:
            raise LeadError(
                f"its places are shares of the pictures' sizes, as MediaPipe writes them, and {error}"
            ) from error
    return np.asarray(xy * sizes - 0.5)


def _refuse_shares(xy: Points) -> None:
    """Raises :class:`LeadError` where all places lie within the first pixel: they are no pixels."""
    known = xy[np.isfinite(xy).all(-1)]
    if ((known >= 0) & (known <= 1)).all() and (known != np.round(known)).any():
        raise LeadError(
            "all places lie between 0 and 1, so they are shares of the pictures' sizes, not pixels: multiply x by the "
            "picture's width and y by its height."
        )
