"""ImageJ's and Fiji's table of results: a line for each measured point, with the columns ``X`` and ``Y``.

``Label`` holds the picture's title, behind a colon perhaps the point's name, and the slice's. Without that column the
file is that of the picture that it is called as. Points without names are called 1, 2, … in their order. Measured areas
are left out: their X and Y are centres of things, not points.

Of a point, whole numbers are the centres of pixels (since ImageJ 1.52u, 2020). Where every X and Y ends in one half,
the table counts from the pixels' corners, as older ones do of clicks at high zoom: half a pixel is taken off. X and Y
are in the unit of the picture's scale, which the table does not name. So places that no click can have at any of
ImageJ's zooms are refused.
"""

from __future__ import annotations

import re

from lead.errors import LeadError
from lead.landmarks.marks import Found, Mark, Marked, in_order, of_same_stem
from lead.landmarks.model import Labels
from lead.landmarks.pictures import PictureInfo
from lead.landmarks.tables import Table, columns_of, read_table

MEASURED = {"Label", "Area", "Mean", "Slice", "Counter", "Ch", "Count"}
AUTOMATIC = re.compile(r"\d+(-\d+)*")
"""What ImageJ calls a point itself: its slice and place, or a number."""
ENDED = re.compile(r"\.[A-Za-z]\w{1,4}$")
"""What a picture's file ends in."""
GRIDS = {0: (1,), 1: (2,), 2: (6, 8)}
"""Parts of a pixel that a click may fall on, by the decimals that are written; with more, a twenty-fourth or 32nd."""
FINEST = (24, 32)


def why_not(text: str) -> str | None:
    """Why a text is not such a table; None if it is like one."""
    header = columns_of(text)
    if {"X", "Y"} <= set(header) and (header[0] == "" or MEASURED & set(header)):
        return None
    return "has no columns X and Y beside others of ImageJ's results"


def parse(text: str, file: str, pictures: PictureInfo) -> Labels:
    """Labels of the pictures that are measured.

    Args:
        text: the whole file.
        file: its name.
        pictures: what knows the pictures' names.

    Raises:
        LeadError: it does not say which picture it is of, its places are not in pixels, or a value is not a number.
    """
    table, found = read_table(text), Found()
    measured: dict[str, list[tuple[str, Mark]]] = {}
    numbers: list[str] = []
    for line in table.lines:
        x, y = table.number(line, "X"), table.number(line, "Y")
        if table.has("Area") and table.number(line, "Area") > 0:
            found.leave_out("area measured, and no point")
            continue
        if x != x or y != y:
            found.leave_out("line without X and Y")
            continue
        picture, name, of_sequence = _picture(table.text(line, "Label"), file, pictures)
        if table.number(line, "Slice") > 1 and not of_sequence:
            found.drop(picture, "its points are on slices of a stack other than the first")
            continue
        numbers += [table.text(line, "X"), table.text(line, "Y")]
        measured.setdefault(picture, []).append((name, Mark(x, y, line=line[0])))
    _check_pixels(numbers, table)
    shift = 0.5 if numbers and all(re.fullmatch(r"-?\d+[.,]50*", number) for number in numbers) else 0.0
    for picture, points in measured.items():
        marks = [Mark(mark.x - shift, mark.y - shift, line=mark.line) for _, mark in points]
        names = [name for name, _ in points]
        own = all(name and not AUTOMATIC.fullmatch(name) for name in names) and len(set(names)) == len(names)
        found.pictures[picture] = Marked(dict(zip(names, marks, strict=True)) if own else in_order(marks))
    if not any(not name.isdigit() for marked in found.pictures.values() for name in marked.points):
        found.drop_other_counts()
    return found.labels("no measured point in it. Press m (Analyze > Measure) on the points, then save the results.")


def _picture(label: str, file: str, pictures: PictureInfo) -> tuple[str, str, bool]:
    """The picture of a line, the name that its label gives the point, and whether the picture is one of a sequence.

    A slice of a sequence of pictures is called as its file is, and the sequence as the folder.
    """
    title, *rest = label.split(":")
    if not title:
        return of_same_stem(file, pictures, "ImageJ"), "", False
    if rest and ENDED.search(rest[-1]) and not ENDED.search(title):
        return rest[-1], rest[0] if len(rest) > 1 else "", True
    return title, rest[0] if rest else "", False


def _check_pixels(numbers: list[str], table: Table) -> None:
    """Raises :class:`LeadError` where a number is none that a click in a picture without a scale can give."""
    for number in numbers:
        value = float(number.replace(",", ".") if table.delimiter != "," else number)
        decimals = len(number.replace(",", ".").partition(".")[2])
        off = 0.5 * 10.0**-decimals + 1e-9
        if not any(abs(value * k - round(value * k)) <= k * off for k in GRIDS.get(decimals, FINEST)):
            raise LeadError(
                f"X and Y seem to be in the unit of a scale and not in pixels: one is {number}, where no pixel can be "
                "clicked. Remove the scale (Analyze > Set Scale, Click to Remove Scale) and measure anew; or save the "
                "points themselves (File > Save As > Selection), which are in pixels."
            )
