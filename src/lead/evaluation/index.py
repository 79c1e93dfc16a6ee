"""The index of the results files, one line each: ``python -m lead.evaluation.index results/README.md``.

It holds what the files say, and of the benchmarks what their modules say, and nothing of the history: it is the same in
whatever checkout it is made.
"""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from lead.evaluation.results import METRICS, Result, read
from lead.files import write_atomic

BENCHMARKS = "benchmarks"
"""Folder of the results, and of the repository, that holds the benchmarks'."""
INTRODUCTION = """\
# Results

Every number in the documents comes from one of these files. Each holds its numbers with what it takes to make them
again: settings, seed, versions, commit, machine, and digests of the pictures and landmarks. This page is written by
`make tables`; [the guide for researchers](../docs/research.md#repeat-a-result) says how to repeat a result.

*Made by* is the command. The last word of a `lead repeat` stands for your folder of the same pictures; what a benchmark
needs, it says with `--help`. *When* is the day on which the file was made; for files older than this entry, the day of
the code that made them. *How long* is the time on two cores, without trainings that were there already.
"""
HEADINGS = ("Result", "What it shows", "Made by", "When", "How long")


def index(root: Path) -> str:
    """Every results file below ``root/results`` in Markdown, a table for each folder.

    Args:
        root: the repository: the folder that also holds the benchmarks' modules.

    Raises:
        LeadError: a results file does not read.
        KeyError: one does not say when it was made.
    """
    results = root / "results"
    sections = [INTRODUCTION]
    for folder, files in groupby(sorted(results.rglob("*.json")), key=lambda file: file.parent):
        rows = [HEADINGS, ("---",) * len(HEADINGS), *(_line(root, file) for file in files)]
        lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
        sections.append("\n".join([f"## {folder.relative_to(results).as_posix()}", "", *lines]) + "\n")
    return "\n".join(sections)


def _line(root: Path, file: Path) -> Sequence[str]:
    """A file's line of the table."""
    record: dict[str, Any] = json.loads(file.read_bytes())
    there = file.relative_to(root / "results")
    table = there.with_suffix(".md")
    links = f"[{file.stem}]({there.as_posix()})"
    if (root / "results" / table).is_file():
        links = f"[{file.stem}]({table.as_posix()}) ([numbers]({there.as_posix()}))"
    if there.parts[0] == BENCHMARKS:
        shows, command = _of_benchmark(root, file.stem)
    elif "rows" in record:
        shows, command = _of_result(read(file)), _repeat(record, file.relative_to(root))
    else:
        shows, command = str(record.get("title", "")), _repeat(record, file.relative_to(root))
    seconds = record.get("took", record.get("seconds"))
    took = _duration(seconds) if isinstance(seconds, int | float) else "not recorded"
    return links, shows, command, record["date"], took


def _of_benchmark(root: Path, name: str) -> tuple[str, str]:
    """What the benchmark of a name measures, and the command that runs it."""
    stem = name.replace("-", "_")
    for module in (root / BENCHMARKS).rglob(f"{stem}.py"):
        about = (ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or "").partition("\n")[0]
        return about, f"`python -m {'.'.join(module.relative_to(root).with_suffix('').parts)}`"
    return "", "none yet"


def _of_result(result: Result) -> str:
    """A result's title; without one, its metrics, its numbers of labels, and its methods."""
    if result.title:
        return result.title
    metrics = dict.fromkeys(METRICS[row.metric] for row in result.rows if row.metric in METRICS)
    counts = list(dict.fromkeys(str(row.labels) for row in result.rows if row.labels is not None))
    methods = dict.fromkeys(row.method for row in result.rows)
    labels = f", with {', '.join(counts)} label{'' if counts == ['1'] else 's'}" if counts else ""
    held_out = ", on individuals held out of training" if result.name.endswith("-validation") else ""
    return f"{'; '.join(metrics)}{labels}{held_out}: {', '.join(methods)}"


def _repeat(record: dict[str, Any], file: Path) -> str:
    """The command that makes a result again from its record; what the tables beside it come to is put to them anew."""
    if "claims" in record:
        return f"`lead reproduce claims --data {file.parts[1]} --preset {file.parts[2]}`"
    return f"`lead repeat {file.as_posix()} {record.get('benchmark', 'DATA')}`" if record.get("command") else "none yet"


def _duration(seconds: float) -> str:
    """A time as people say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    write_atomic(target, index(target.resolve().parents[1]), overwrite=True)
