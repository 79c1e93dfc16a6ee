"""The points that napari saves: a CSV with the columns ``index``, ``axis-0``, ``axis-1`` and the points' own features.

The last two axes are the row and the column: y, then x. (0, 0) is the centre of the top-left pixel there as here. An
axis before them counts the pictures of a stack, or a film's frames. The file names no picture: it is that of the
picture that it is called as. A feature ``label``, ``name`` or ``landmark`` names the points; without it they are called
1, 2, … in their order.
"""

from __future__ import annotations

from lead.errors import LeadError
from lead.landmarks.frames import frame_name
from lead.landmarks.marks import Found, Mark, Marked, in_order, of_same_stem, stem_of
from lead.landmarks.model import Labels
from lead.landmarks.pictures import PictureInfo
from lead.landmarks.tables import Table, columns_of, read_table
from lead.reporting import counted

NAMES = ("label", "name", "landmark")


def why_not(text: str) -> str | None:
    """Why a text is not napari's points; None if it is like them."""
    header = columns_of(text)
    return (
        None if header[:1] == ("index",) and {"axis-0", "axis-1"} <= set(header) else "has no columns index, axis-0, …"
    )


def parse(text: str, file: str, pictures: PictureInfo) -> Labels:
    """Labels of the picture that the file is called as, or of the frames of that film.

    Args:
        text: the whole file.
        file: its name.
        pictures: what knows the pictures of these names.

    Raises:
        LeadError: no picture is called so, the points are on several of a stack, or a value is not a number.
    """
    table = read_table(text)
    axes = [column for column in table.header if column.startswith("axis-")]
    if len(axes) not in (2, 3):
        raise LeadError(
            f"points of {counted(len(axes), 'axis', 'axes')}. Points on pictures have two, or three of a stack or film."
        )
    named = next((column for column in NAMES if table.has(column)), None)
    on: dict[int, list[tuple[str, Mark]]] = {}
    for line in table.lines:
        numbers = [table.number(line, axis) for axis in axes]
        if any(number != number for number in numbers):
            raise LeadError(f"line {line[0]}: a point without a place.")
        plane = round(numbers[0]) if len(axes) == 3 else 0
        name = table.text(line, named) if named else ""
        on.setdefault(plane, []).append((name, Mark(numbers[-1], numbers[-2], line=line[0])))
    found = Found()
    film = pictures.film_of_stem(stem_of(file)) if len(axes) == 3 else None
    if film is None and set(on) != {0}:
        raise LeadError(
            f"points of napari's on several pictures of a stack (axis-0 is {', '.join(map(str, sorted(on)[:5]))}), and "
            "it does not say which these are. Save those of each picture in a file that is called as it."
        )
    for plane, marks in sorted(on.items()):
        picture = frame_name(film, plane) if film else of_same_stem(file, pictures, "napari")
        found.pictures[picture] = Marked(_named(marks) if named else in_order([mark for _, mark in marks]))
    _tell_others(table, {"index", *axes, named}, found)
    if not named:
        found.drop_other_counts()
    return found.labels("no point in it.")


def _named(marks: list[tuple[str, Mark]]) -> dict[str, Mark]:
    points: dict[str, Mark] = {}
    for name, mark in marks:
        if not name or name in points:
            raise LeadError(f"line {mark.line}: {name!r} names no point, or one that has its place already.")
        points[name] = mark
    return points


def _tell_others(table: Table, known: set[str | None], found: Found) -> None:
    for column in table.header:
        if column not in known:
            found.leave_out(f"column {column!r}")
