"""Tables of other tools: a line with the columns' names, and a line for each point or thing."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass

from lead.errors import LeadError
from lead.landmarks.fields import DELIMITERS, Line, read_lines, to_number, with_point
from lead.reporting import counted


@dataclass(frozen=True)
class Table:
    """A table whose lines have a field for each column.

    Attributes:
        header: the columns' names, without blanks around them.
        lines: all below, with their numbers.
        delimiter: what stands between the fields.
    """

    header: tuple[str, ...]
    lines: list[Line]
    delimiter: str

    def has(self, column: str) -> bool:
        return column in self.header

    def text(self, line: Line, column: str) -> str:
        """A field; empty where there is no such column."""
        return line[1][self.header.index(column)].strip() if column in self.header else ""

    def number(self, line: Line, column: str) -> float:
        """A number; NaN for a blank. Raises :class:`LeadError` naming the line and the column."""
        return to_number(with_point(self.text(line, column), self.delimiter), column, line[0])


def columns_of(text: str) -> tuple[str, ...]:
    """The columns' names of a text, if it is a table: the fields of its first line, at the delimiter with most."""
    return max(_split(text), key=lambda split: len(split[1]))[1]


def _split(text: str) -> Iterable[tuple[str, tuple[str, ...]]]:
    first = text.lstrip("\r\n").partition("\n")[0][:100_000]
    for delimiter in DELIMITERS:
        try:
            fields = next(csv.reader([first], delimiter=delimiter), [])
        except csv.Error:
            fields = []
        yield delimiter, tuple(field.strip() for field in fields)


def read_table(text: str) -> Table:
    """The table of a text.

    Raises:
        LeadError: a column stands twice, a line has too few or too many fields, or there is none.
    """
    delimiter, header = max(_split(text), key=lambda split: len(split[1]))
    lines = read_lines(text, delimiter)[1:]
    twice = next((column for column in header if header.count(column) > 1), None)
    if twice is not None:
        raise LeadError(f"line 1: column {twice!r} stands more than once.")
    for number, fields in lines:
        if len(fields) != len(header):
            raise LeadError(f"line {number}: {counted(len(fields), 'field')} where the first line has {len(header)}.")
    if not lines:
        raise LeadError("a line of columns, but nothing below it.")
    return Table(header, lines, delimiter)
