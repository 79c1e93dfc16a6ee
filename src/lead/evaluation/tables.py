"""Numbers in Markdown files, taken from the results files: ``python -m lead.evaluation.tables README.md docs/*.md``.

A table stands between two comments, the first of which names its results file (or a Markdown file beside one, which is
taken as it stands). Several results of one measurement, named one after another, share a table. A number within a
sentence names the file, the method, the metric, the number of labels (a number, ``all``, or ``-`` where none are
needed) and which of mean, median and sd it is::

    <!-- results/ytfaces/small/regression.json -->
    <!-- end -->

    <!-- results/ytfaces/small/few-shot.json results/ytfaces/other/few-shot.json -->
    <!-- end -->

    off by <!-- value results/ytfaces/small/few-shot.json lead/ridge regression-5 10 mean --><!-- /value --> %

Paths start from the folder in which the command runs. Everything outside the comments stays as it is.
A value must not begin a line: Markdown ends the paragraph at a line that begins with a comment.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lead.errors import LeadError, unknown
from lead.evaluation.grids import decimals, markdown
from lead.evaluation.results import Result, Row, read
from lead.files import read_text, write_atomic

_BODY = r"(?:(?!<!--).)*"  # no comment within, so that a forgotten end does not swallow the next block
_TABLE = re.compile(rf"(<!-- (results/\S+(?: results/\S+)*) -->){_BODY}(<!-- end -->)", re.DOTALL)
_VALUE = re.compile(rf"(<!-- value (.*?) -->){_BODY}(<!-- /value -->)", re.DOTALL)
_MARKER = re.compile(r"<!-- (?:results/|value\b|end -->|/value -->).*")
_FIELDS = ("mean", "median", "sd")


def fill(text: str, root: Path, page: Path = Path()) -> str:
    """A Markdown text with every marked table and number as the results files have it.

    Args:
        text: of the Markdown file.
        root: folder that the results files' paths start from.
        page: folder of the Markdown file, from where its pictures are looked for; relative to ``root``.

    Raises:
        LeadError: a results file is missing or holds no such number, or a marker lacks its other half.
    """
    stray = _MARKER.search(_VALUE.sub("", _TABLE.sub("", text)))
    if stray:
        raise LeadError(f"{stray[0]!r} lacks its other half: tables end in <!-- end -->, values in <!-- /value -->.")
    text = _TABLE.sub(lambda found: f"{found[1]}\n{_shown(found[2], root, page)}{found[3]}", text)
    return _VALUE.sub(lambda found: f"{found[1]}{_value(found[2], root)}{found[3]}", text)


def _shown(asked: str, root: Path, page: Path) -> str:
    """A results file as Markdown, or several in one table; one that is Markdown already, as it stands."""
    first, *others = asked.split()
    if first.endswith(".md") and not others:
        return read_text(root / first)
    folder = Path(os.path.relpath(Path(first).parent, page)).as_posix()
    return markdown(_beside(read(root / first), [read(root / file) for file in others]), f"{folder}/")


def _beside(first: Result, others: Sequence[Result]) -> Result:
    """One result with what others measured in the same way; where two measured the same thing, the earlier's row.

    Raises:
        LeadError: they are results of other measurements, or, where they say so, on other pictures or landmarks.
    """
    rows: dict[tuple[object, ...], Row] = {}
    draws: dict[str, int] = {}
    for result in (first, *others):
        elsewhere = any(first.data.get(name, digest) != digest for name, digest in result.data.items())
        if (result.name, result.benchmark) != (first.name, first.benchmark) or elsewhere:
            raise LeadError(
                f"{result.benchmark}/{result.preset}/{result.name} and {first.benchmark}/{first.preset}/{first.name} "
                "measure different things, or on different pictures or landmarks; they cannot share a table."
            )
        for row in result.rows:
            rows.setdefault((row.method, row.features, row.labels, row.metric, row.unit), row)
            draws[row.method] = max(draws.get(row.method, 0), row.draws)
    most = max(draws.values(), default=0)
    fewer = ", ".join(f"{method} {count}" for method, count in draws.items() if count < most)
    notes = [f"Draws of the labelled pictures: {most}, but {fewer}."] if fewer and others else []
    return replace(first, rows=tuple(rows.values()), notes=(*first.notes, *notes))


def _value(asked: str, root: Path) -> str:
    """The number that a value's marker asks for."""
    try:
        file, method, metric, labels, field = asked.split()
    except ValueError:
        raise LeadError(f"A value is written 'FILE METHOD METRIC LABELS FIELD', not {asked!r}.") from None
    if field not in _FIELDS:
        raise unknown("field", field, _FIELDS)
    rows: dict[str, list[Row]] = {}
    for row in read(root / file).rows:
        rows.setdefault(f"{row.method} {row.metric} {'-' if row.labels is None else row.labels}", []).append(row)
    wanted = f"{method} {metric} {labels}"
    if wanted not in rows:
        raise LeadError(f"{file}: {unknown('row', wanted, rows)}")
    if len(rows[wanted]) > 1:
        raise LeadError(f"{file} has {len(rows[wanted])} rows {wanted!r}, on different features or in different units.")
    number: float | None = getattr(rows[wanted][0], field)
    if number is None:
        raise LeadError(f"{file}: {wanted!r} is a single draw and has no sd.")
    return decimals(number)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit status: 1 where ``--check`` finds a file out of date, 2 for a mistake."""
    parser = argparse.ArgumentParser(prog="python -m lead.evaluation.tables", description="Fill in results.")
    parser.add_argument("files", nargs="+", type=Path, help="Markdown files")
    parser.add_argument("--check", action="store_true", help="change nothing; fail if a file is out of date")
    options = parser.parse_args(arguments)
    stale = []
    for path in options.files:
        try:
            before = path.read_text(encoding="utf-8")
            after = fill(before, Path(), path.parent)
            if after != before and not options.check:
                write_atomic(path, after, overwrite=True)
        except (LeadError, OSError) as error:
            print(f"Error: {path}: {error}", file=sys.stderr)
            return 2
        if after != before:
            stale.append(path)
            print(f"{path}: {'out of date; run: make tables' if options.check else 'filled in'}")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
