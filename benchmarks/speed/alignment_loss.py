"""What the alignment loss costs a tile at a time, beside the plain form that holds all similarities of the batch.

    python -m benchmarks.speed.alignment_loss [--batch 16] [--sides 24,48] [--rounds 5] [--results results]

Loss and gradient of random features (256-d, hypercolumns of 960) on grids of so many cells a side: the seconds of both
forms, taken in turns in one process, and the memory that each needs beyond its inputs, each in a process of its own.
Writes ``results/benchmarks/alignment-loss.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks.measuring import keep, peak_memory  # noqa: E402
from lead.losses import alignment_loss  # noqa: E402
from lead.losses.similarity import cell_similarities  # noqa: E402

STUDENT, TEACHER = 256, 960


def plain(student_i: Tensor, student_j: Tensor, teacher_i: Tensor, teacher_j: Tensor) -> Tensor:
    """Equations 2 and 3 as they are written."""
    with torch.no_grad():
        p = cell_similarities(teacher_i, teacher_j, 0.05).softmax(-1)
    log_q = cell_similarities(student_i, student_j, 0.05).log_softmax(-1)
    return -(p * log_q).sum(-1).mean()


AGAIN = [sys.executable, "-m", "benchmarks.speed.alignment_loss"]
"""This program in a process of its own."""
FORMS = {"plain": plain, "tiled": alignment_loss}


def inputs(batch: int, side: int) -> list[Tensor]:
    """Two students' maps and two teachers'."""
    torch.manual_seed(0)
    shapes = [(batch, STUDENT, side, side)] * 2 + [(batch, TEACHER, side, side)] * 2
    maps = [torch.randn(shape) for shape in shapes]
    return [m.requires_grad_(n < 2) for n, m in enumerate(maps)]


def step(form: str, maps: list[Tensor]) -> tuple[Tensor, ...]:
    """Loss and gradients."""
    loss: Tensor = FORMS[form](*maps)
    return loss.detach(), *torch.autograd.grad(loss, maps[:2])


def memory(form: str, batch: int, side: int) -> float:
    """Megabytes beyond the inputs that a form needs at most, in a process of its own."""
    command = [*AGAIN, "--memory", form, "--batch", str(batch), "--sides", str(side)]
    # Freed memory goes back at once: what the C library would keep of it is not the loss's.
    freed = {"MALLOC_MMAP_THRESHOLD_": "262144"}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=os.environ | freed)
    return float(run.stdout)


def own_memory(form: str, batch: int, side: int) -> float:
    """As :func:`memory`, of this process."""
    step(form, inputs(1, 4))  # what is allocated once, whatever the size
    maps = inputs(batch, side)
    before = peak_memory()
    step(form, maps)
    return peak_memory() - before


def compared(batch: int, side: int, rounds: int) -> dict[str, float]:
    """Ratios of the tiled form to the plain one, and by how much the two differ."""
    maps = inputs(batch, side)
    seconds: dict[str, list[float]] = {form: [] for form in FORMS}
    found: dict[str, tuple[Tensor, ...]] = {}
    for _ in range(rounds):
        for form in FORMS:
            started = time.perf_counter()
            found[form] = step(form, maps)
            seconds[form].append(time.perf_counter() - started)
    held = {form: memory(form, batch, side) for form in FORMS}
    apart = [
        float((one - other).abs().max()) / max(float(other.abs().max()), 1e-30)
        for one, other in zip(found["tiled"], found["plain"], strict=True)
    ]
    return {
        "side": side,
        "plain_s": median(seconds["plain"]),
        "tiled_s": median(seconds["tiled"]),
        "time_ratio": median(seconds["tiled"]) / median(seconds["plain"]),
        "plain_mib": held["plain"] * 1e6 / 2**20,
        "tiled_mib": held["tiled"] * 1e6 / 2**20,
        "memory_ratio": held["tiled"] / held["plain"],
        "value_apart": apart[0],
        "gradient_apart": max(apart[1:]),
    }


def table(rows: list[dict[str, float]]) -> str:
    """Markdown."""
    head = "| Cells | Plain (s) | Tiled (s) | Time, ratio | Plain (MiB) | Tiled (MiB) | Memory, ratio |"
    lines = [head, "| ---" + " | --:" * 6 + " |"]
    for row in rows:
        lines.append(
            f"| {row['side']} × {row['side']} | {row['plain_s']:.2f} | {row['tiled_s']:.2f} | {row['time_ratio']:.2f} "
            f"| {row['plain_mib']:.0f} | {row['tiled_mib']:.0f} | {row['memory_ratio']:.3f} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--sides", default="24,48")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--memory", choices=FORMS, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    sides = [int(side) for side in chosen.sides.split(",")]
    if chosen.memory:
        print(own_memory(chosen.memory, chosen.batch, sides[0]))
        return
    rows = [compared(chosen.batch, side, chosen.rounds) for side in sides]
    found = {
        "batch": chosen.batch,
        "rows": rows,
    }
    keep("alignment-loss", found, table(rows), chosen.results)


if __name__ == "__main__":
    main()
