"""What the readers and writers of CSV share: lines with their numbers, and numbers that may be blank."""

from __future__ import annotations

import csv
import io
import math

from lead.errors import LeadError

Line = tuple[int, list[str]]
"""A line's number in the file, and its fields."""


def read_lines(text: str) -> list[Line]:
    """The lines of a CSV that are not blank. Raises :class:`LeadError` naming the line that cannot be read."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        return [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise LeadError(f"line {reader.line_num}: {error}.") from None


def to_number(text: str, column: str, line: int) -> float:
    """A finite number, or NaN for a blank. Raises :class:`LeadError` naming the line, the column and the text."""
    if text.strip().lower() in ("", "nan"):
        return math.nan
    try:
        value = float(text)
    except ValueError:
        value = math.inf
    if not math.isfinite(value):
        raise LeadError(f"line {line}: {column} is {text!r}, which is not a number. Leave it blank if unlabelled.")
    return value


def check_pair(x: float, y: float, what: str, line: int) -> None:
    """Raises :class:`LeadError` where just one of two coordinates is NaN."""
    if math.isnan(x) != math.isnan(y):
        raise LeadError(f"line {line}: of {what}, one is blank. Give both, or neither.")


def written(value: float | None) -> str:
    """The text of which :func:`to_number` makes exactly this number; blank for None and NaN."""
    return "" if value is None or math.isnan(value) else repr(float(value))
