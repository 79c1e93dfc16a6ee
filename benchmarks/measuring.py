"""What the benchmarks share: labels and a network to measure with, time and memory, and how what is found is kept."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lead.files import write_atomic
from lead.geometry import FloatArray
from lead.landmarks import Labels
from lead.provenance import commit, machine, today, versions

if TYPE_CHECKING:  # torch, which it needs, is imported where it is used: some benchmarks have none
    from lead.training.run import Run

STARTED = time.monotonic()
"""When the benchmark began, or nearly so."""


def since(start: float) -> float:
    """Milliseconds since a reading of ``time.perf_counter``."""
    return 1000 * (time.perf_counter() - start)


def peak_memory() -> float:
    """The largest memory that this process had, in megabytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def table(columns: Mapping[str, tuple[str, str]], rows: Sequence[Mapping[str, object]]) -> str:
    """Markdown of some measurements, a row each: their keys, each with a title and a format."""
    lines = ["| " + " | ".join(title for title, _ in columns.values()) + " |", "|" + " --: |" * len(columns)]
    lines += ["| " + " | ".join(shape.format(row[name]) for name, (_, shape) in columns.items()) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def over_draws(
    errors: Sequence[FloatArray], within: Sequence[Mapping[float, FloatArray]], shares: Sequence[float]
) -> dict[str, object]:
    """What all draws come to, in percent: errors, and how many are within the radius of each share; NaN is unknown."""
    means, medians = ([100 * float(f(one)) for one in errors] for f in (np.nanmean, np.nanmedian))
    covered = [100 * float(np.mean([np.nanmean(one[share]) for one in within])) for share in shares]
    return {
        "mean": float(np.mean(means)),
        "sd": float(np.std(means)),
        "median": float(np.mean(medians)),
        "coverage": "/".join(f"{share:.0f}" for share in covered),
        "means": means,
        "medians": medians,
    }


def drawn(labels: Labels, images: set[str], count: int) -> Labels:
    """The labels of some pictures, drawn from those named by a fixed seed."""
    rows = [row for row, image in enumerate(labels.images) if image in images]
    return labels.take(sorted(np.random.default_rng(0).permutation(rows)[:count].tolist()))


def untrained(folder: Path) -> Run:
    """A run of the `small` preset's network with random weights."""
    import torch

    from lead import checkpoint
    from lead.config import load_preset
    from lead.features import make_student
    from lead.nn.backbone import Backbone
    from lead.training.run import STUDENT, Run

    run = Run.create(folder, load_preset("small", ["backbone.init=random"]))
    torch.manual_seed(0)
    settings = run.settings
    student = make_student(Backbone(settings.backbone.name), settings.distill, settings.hypercolumn)
    checkpoint.save(folder / STUDENT, "student", student.state_dict(), {"commit": commit()})
    return run


def keep(name: str, found: Mapping[str, Any], text: str, results: Path) -> None:
    """Writes ``benchmarks/NAME.json`` and its table to a folder of results, and prints the table.

    ``took`` is how many seconds it all took, ``date`` the day.
    """
    took = round(time.monotonic() - STARTED)
    record = {"name": name, "commit": commit(), "date": today(), "took": took, "versions": versions()}
    record |= {"machine": machine(), **found}
    there = results / "benchmarks" / f"{name}.json"
    write_atomic(there, json.dumps(record, indent=2) + "\n", overwrite=True)
    write_atomic(there.with_suffix(".md"), text, overwrite=True)
    print(text)


def recorded(of: str, chosen: argparse.Namespace) -> dict[str, Any]:
    """The command of a study's result, with which ``lead repeat`` makes it again: all arguments but the folders."""
    words: list[str] = []
    for name, value in vars(chosen).items():
        if name in ("run", "dataset"):
            words.append(name.upper())
        elif name not in ("runs", "results"):
            words += [f"--{name.replace('_', '-')}", *map(str, value if isinstance(value, list) else [value])]
    return {"name": "study", "of": of, "arguments": words}
