"""What the columns of a table of landmarks mean, as people, R, spreadsheets and other programs call them.

Case does not count, nor whether blanks, points, hyphens or underscores stand between the words.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lead.errors import LeadError
from lead.landmarks.fields import DELIMITERS, Line, read_lines
from lead.reporting import counted

SYNONYMS: Mapping[str, tuple[str, ...]] = {
    "image": (
        "image", "file", "filename", "file_name", "image_name", "imagename", "image_file", "imagefile", "image_path",
        "filepath", "file_path", "path", "picture", "photo", "img",
    ),
    "name": (
        "name", "landmark", "landmark_name", "label", "point", "keypoint", "bodypart", "body_part", "node", "part",
        "landmark_index", "landmark_id", "landmark_number", "lm",
    ),
    "x": ("x", "pos_x", "x_pos", "coord_x", "x_coord", "x_px", "px_x"),
    "y": ("y", "pos_y", "y_pos", "coord_y", "y_coord", "y_px", "px_y"),
    "visible": ("visible",),
    "score": ("score", "likelihood", "confidence"),
    "px_error": ("px_error",),
    "px_90": ("px_90",),
    "px_across": ("px_across",),
    "origin": ("origin",),
}  # fmt: skip
"""What each column of ours may be called, the likeliest first."""
SPECIMEN = ("instance", "track", "likely", "box_x", "box_y", "box_width", "box_height", "complete")
"""Columns that say of a line which specimen of its picture it is of, and what is known of that."""
LAST = ("specimen", "specimen_id", "id", "name")
"""What the column of the pictures may be called where nothing else is: it holds their names, often without ending."""
ROW_NAMES = ("", "unnamed: 0", "unnamed:_0")
"""What R and pandas call the column of the lines' own names."""
SCORES = "|".join(SYNONYMS["score"])
WIDE = (
    re.compile(rf"(?P<what>[xy]|visible|{SCORES})[_. ]?(?P<name>\d+)", re.IGNORECASE),
    re.compile(r"(?P<name>.*\d)[_. -]?(?P<what>[xy])", re.IGNORECASE | re.DOTALL),
    re.compile(rf"(?P<name>.+)[_. -](?P<what>[xy]|visible|{SCORES})", re.IGNORECASE | re.DOTALL),
    re.compile(r"(?P<what>[xy])[_. -](?P<name>.+)", re.IGNORECASE | re.DOTALL),
)
"""What a landmark's column is called in a table with a line for each picture: x1, LM1_X, nose.x, x_nose."""
DEPTH, SEEN = "z", ("visibility", "presence")
"""The columns beside x and y that MediaPipe's landmarks have."""


@dataclass(frozen=True)
class Header:
    """The columns of a table.

    Attributes:
        names: of all columns.
        columns: the position of each of ours that is there, by our name; in a wide table just that of the image.
        wide: of a table with a line for each picture, the position of each landmark's x, y, score or visible.
        specimen: the position of each column of :data:`SPECIMEN`, where a picture may show several.
        others: names of columns that are not read.
        by_stem: whether the pictures' names may lack their endings.
        mediapipe: whether it has the columns of MediaPipe's landmarks.
    """

    names: tuple[str, ...]
    columns: Mapping[str, int]
    wide: Mapping[tuple[str, str], int]
    specimen: Mapping[str, int]
    others: tuple[str, ...]
    by_stem: bool
    mediapipe: bool

    @property
    def by_row_name(self) -> bool:
        """Whether the pictures' names are the lines' own, which are numbers where nobody gave any."""
        return plain(self.names[self.columns["image"]]) in ROW_NAMES


def delimiter_of(text: str) -> str | None:
    """What stands between the fields of the first line, if they are a header with pictures and places."""
    first = "" if text.lstrip()[:1] in ("{", "[", "<") else next(iter(text.splitlines()), "")
    for delimiter in DELIMITERS:
        try:
            (_, header), *_ = read_lines(first, delimiter) or [(1, [])]
        except LeadError:
            continue
        names = {plain(column) for column in header}
        placed = any(names & {*SYNONYMS[axis]} for axis in "xy") or any(_wide(column) for column in header)
        named = header[:1] == [""] and any(_wide(column) for column in header)  # R's row names are the pictures
        if placed and (named or names & {*SYNONYMS["image"], *LAST}):
            return delimiter
    return None


def read_header(names: Sequence[str], *, several: bool = False) -> Header:
    """What the columns of a header mean; those of specimens only where pictures may show several.

    Raises:
        LeadError: the column of the pictures, or one of a point's two coordinates, is missing, or a column is double.
    """
    columns = {ours: at for ours in SYNONYMS if (at := _position(names, SYNONYMS[ours])) is not None}
    long = "name" in columns and bool({"x", "y"} & columns.keys())
    by_stem = "image" not in columns
    if by_stem:
        free = LAST[:-1] if long else LAST
        last = _position(names, free)
        if last is None and not long and plain(names[0]) in ROW_NAMES:
            last = 0
        if last is None:
            raise LeadError(f"line 1: no column 'image'. {_found(names, 'image')}")
        columns["image"] = last
    wide: dict[tuple[str, str], int] = {}
    if long:
        for axis in "xy":
            if axis not in columns:
                raise LeadError(f"line 1: column {axis!r} is missing. {_found(names, axis)}")
    else:
        columns = {"image": columns["image"]}
        wide = _landmarks(names, columns["image"])
    found = {ours: _position(names, (ours,)) for ours in SPECIMEN} if several else {}
    specimen = {ours: at for ours, at in found.items() if at is not None}
    used = {*columns.values(), *wide.values(), *specimen.values()}
    others = tuple(name for i, name in enumerate(names) if i not in used and plain(name) not in ROW_NAMES)
    return Header(tuple(names), columns, wide, specimen, others, by_stem, _mediapipe(names))


def plain(column: str) -> str:
    """A column's name, as it is compared."""
    return re.sub(r"[\s._-]+", "_", re.sub(r"[(\[].*?[)\]]", "", column).strip().casefold())


def left_aside(header: Header) -> str:
    """The columns that are not read, in words, with what each may have been meant to be."""
    known = ("visible", "score", "px_error", "px_90", "px_across", "origin")
    shown = []
    for name in header.others[:8]:
        near = difflib.get_close_matches(plain(name), known, n=1)
        shown.append(f"{name!r} (nearly {near[0]!r})" if near and near[0] not in header.columns else repr(name))
    count = len(header.others)
    more = ", …" if count > len(shown) else ""
    return f"{counted(count, 'column')}: {', '.join(shown)}{more}" if count else ""


def _position(names: Sequence[str], synonyms: Sequence[str]) -> int | None:
    """The column that one of the synonyms names: the likeliest, and of two the one written just so."""
    for synonym in synonyms:
        alike = [i for i, name in enumerate(names) if plain(name) == synonym]
        exact = [i for i in alike if names[i] == synonym] or alike
        if len(exact) > 1:
            raise LeadError(f"line 1: column {synonym!r} stands more than once.")
        if exact:
            return exact[0]
    return None


def _landmarks(names: Sequence[str], image: int) -> dict[tuple[str, str], int]:
    """The landmarks' columns of a wide table."""
    wide: dict[tuple[str, str], int] = {}
    for i, name in enumerate(names):
        key = None if i == image else _wide(name)
        if key is None:
            continue
        if key in wide:
            raise LeadError(f"line 1: columns {names[wide[key]]!r} and {name!r} are both {key[1]} of {key[0]!r}.")
        wide[key] = i
    words = {plain(name) for name in names}
    placed = dict.fromkeys(name for name, what in wide if what in ("x", "y") and not _is_box(name, words))
    for name in placed:
        for axis in "xy":
            if (name, axis) not in wide:
                raise LeadError(f"line 1: landmark {name!r} has no column for its {axis}. {_found(names, axis)}")
    if not placed:
        raise LeadError(
            "line 1: no landmark's columns. A line for each point needs image, name, x, y; a line for each picture "
            f"needs image, then x1, y1, … or <name>_x, <name>_y, … {_found(names, 'name', 'x', 'y')}"
        )
    return {key: i for key, i in wide.items() if key[0] in placed}


def _is_box(name: str, columns: set[str]) -> bool:
    """Whether what has an x and a y is a box, which has a width and a height as well."""
    return any({plain(f"{name}_{w}"), plain(f"{name}_{h}")} <= columns for w, h in (("w", "h"), ("width", "height")))


def _wide(column: str) -> tuple[str, str] | None:
    """The landmark, and what of it a column holds."""
    for pattern in WIDE:
        if match := pattern.fullmatch(column.strip()):
            what = match["what"].lower()
            return match["name"], "score" if what in SYNONYMS["score"] else what
    return None


def _mediapipe(names: Sequence[str]) -> bool:
    """Whether there are MediaPipe's columns: a depth, and how surely a landmark is seen."""
    words = [plain(name) for name in names]
    return any(word.split("_")[-1] == DEPTH for word in words) and any(word.split("_")[-1] in SEEN for word in words)


def _found(names: Sequence[str], *wanted: str) -> str:
    """The columns that there are, and which may be a misspelt one."""
    known = {synonym for synonyms in SYNONYMS.values() for synonym in synonyms}
    near = [
        f"{name!r} is nearly {match[0]!r}."
        for name in names
        for ours in wanted
        if plain(name) not in known and (match := difflib.get_close_matches(plain(name), SYNONYMS[ours], n=1))
    ]
    columns = ", ".join(repr(name) for name in names[:10])
    return " ".join([f"Columns found: {columns}{' …' if len(names) > 10 else ''}.", *near[:2]])


def lines_below(lines: Sequence[Line], names: list[str]) -> tuple[list[str], list[Line]]:
    """The header's names and the lines that hold anything; R may leave the name of its first column out.

    Raises:
        LeadError: a line has too few or too many fields.
    """
    below = [(number, fields) for number, fields in lines if any(field.strip() for field in fields)]
    if below and all(len(fields) == len(names) + 1 for _, fields in below):
        names = ["", *names]
    for number, fields in below:
        if len(fields) != len(names):
            raise LeadError(f"line {number}: {counted(len(fields), 'field')} where the header has {len(names)}.")
    return names, below
