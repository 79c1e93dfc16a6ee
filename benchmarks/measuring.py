"""What the benchmarks share: a network to measure, time and memory."""

from __future__ import annotations

import time
from pathlib import Path


def since(start: float) -> float:
    """Milliseconds since a reading of ``time.perf_counter``."""
    return 1000 * (time.perf_counter() - start)


def peak_memory() -> float:
    """The largest memory that this process had, in megabytes."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def table(columns: dict[str, tuple[str, str]], rows: list[dict[str, float]]) -> str:
    """Markdown of some measurements, a row each: their keys, each with a title and a format."""
    lines = ["| " + " | ".join(title for title, _ in columns.values()) + " |", "|" + " --: |" * len(columns)]
    lines += ["| " + " | ".join(shape.format(row[name]) for name, (_, shape) in columns.items()) + " |" for row in rows]
    return "\n".join(lines) + "\n"
