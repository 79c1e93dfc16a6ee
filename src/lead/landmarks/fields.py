"""What readers and writers of texts share: lines with their numbers, numbers that may be blank, and JSON."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Sequence

import numpy as np

from lead.errors import LeadError
from lead.reporting import counted

Line = tuple[int, list[str]]
"""A line's number in the file, and its fields."""
DELIMITERS = (",", ";", "\t")
"""What may stand between the fields of a CSV: where the comma is the decimal sign, spreadsheets write semicolons."""
BLANK = ("", "nan", "na", "n/a", "#n/a", "none", "null", "-")
"""What stands for a number that is not there, in lower case: R, pandas and spreadsheets differ."""
_DECIMAL_COMMA = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")


def read_lines(text: str, delimiter: str = ",") -> list[Line]:
    """The lines of a CSV that are not blank. Raises :class:`LeadError` naming the line that cannot be read."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise LeadError(f"line {reader.line_num}: {error}.") from None


def read_table(text: str, file: str, needed: Sequence[str]) -> tuple[str, list[tuple[int, dict[str, str]]]]:
    """What stands between the fields of a CSV with a header, and its lines: their numbers, and fields by column.

    Args:
        text: the whole file.
        file: what messages call it.
        needed: columns, in lower case, which case and blanks at the ends do not tell from others.

    Raises:
        LeadError: a column is missing, or a line has too few or too many fields; the message names the line.
    """
    delimiter = max(DELIMITERS, key=next(iter(text.splitlines()), "").count)
    try:
        lines = read_lines(text, delimiter)
    except LeadError as error:
        raise LeadError(f"{file}, {error}") from None
    names = [name.strip().lower() for name in lines[0][1]] if lines else []
    for name in needed:
        if name not in names:
            raise LeadError(f"{file}, line 1: no column {name!r}; there are: {', '.join(names) or '(none)'}.")
    for number, fields in lines[1:]:
        if len(fields) != len(names):
            raise LeadError(
                f"{file}, line {number}: {counted(len(fields), 'field')} where the header has {len(names)}."
            )
    return delimiter, [(number, dict(zip(names, fields, strict=True))) for number, fields in lines[1:]]


def with_point(text: str, delimiter: str) -> str:
    """A number's text whose decimal comma, if it can be one beside this delimiter, is a point."""
    return text.replace(",", ".") if delimiter != "," and _DECIMAL_COMMA.fullmatch(text) else text


def to_number(text: str, column: str, line: int) -> float:
    """A finite number, or NaN for a blank. Raises :class:`LeadError` naming the line, the column and the text."""
    if text.strip().lower() in BLANK:
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


def read_json(text: str, kind: str) -> object:
    """What a text of JSON holds. Raises :class:`LeadError` naming the line, or that it is not of this kind."""
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise LeadError(f"line {error.lineno}: not valid JSON ({error.msg}).") from None
    except (ValueError, RecursionError) as error:  # numbers of thousands of digits; thousands of nested brackets
        raise LeadError(f"not {kind} ({error}).") from None


def finite(value: object) -> float | None:
    """A number of JSON; None for anything else, also for a whole number beyond the largest float."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def decimal(value: float) -> str:
    """The shortest text of digits and a point, never an exponent, of which :func:`to_number` makes exactly this number.

    Programs of morphometrics do not read ``1e-05``.
    """
    return np.format_float_positional(value, trim="0")


def written(value: float | None) -> str:
    """The text of which :func:`to_number` makes exactly this number; blank for None and NaN."""
    return "" if value is None or math.isnan(value) else decimal(value)
