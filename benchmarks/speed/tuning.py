"""What the settings of `lead.tuning` are worth: stage 2's step with and without, alone and beside a busy core.

    python -m benchmarks.speed.tuning [--results results]

Each case is a process of its own, since OpenMP and the allocator are set up once. Cases take turns, several rounds in
one run, and the result holds ratios of medians to the case without either setting, so that a slow machine changes
nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks.measuring import keep, table

STEP = """
import sys, time
if {malloc}:
    from lead.tuning import keep_freed_memory
    keep_freed_memory()
import torch  # noqa: E402
from lead.config import load_preset
from lead.nn.backbone import Backbone  # noqa: E402
from lead.training.distill import Distill  # noqa: E402
settings = load_preset("small", ["backbone.init=random"])
torch.manual_seed(0)
stage = Distill(Backbone(settings.backbone.name), settings.distill, settings.hypercolumn, settings.picture).train()
stage = stage.to(memory_format=torch.channels_last)
pictures, generator = torch.rand(32, 3, 160, 160), torch.Generator()
for number in range(5):
    start = time.perf_counter()
    stage(pictures, generator)["loss"].backward()
    if number:
        print(time.perf_counter() - start, flush=True)
"""
BUSY = "while True: pass"
CASES = {
    "neither": (False, False),
    "malloc": (True, False),
    "passive": (False, True),
    "both": (True, True),
}


def seconds(malloc: bool, passive: bool) -> list[float]:
    """Times of stage 2's step, in seconds, in a new process."""
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if passive:
        environment["OMP_WAIT_POLICY"] = "passive"
    command = [sys.executable, "-c", STEP.format(malloc=malloc)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return [float(line) for line in done.stdout.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--rounds", type=int, default=2)
    chosen = parser.parse_args()
    ratios: dict[str, dict[str, float]] = {}
    for company in ("alone", "beside a busy core"):
        other = subprocess.Popen([sys.executable, "-c", BUSY]) if company != "alone" else None
        try:
            times: dict[str, list[float]] = {case: [] for case in CASES}
            for _ in range(chosen.rounds):
                for case, (malloc, passive) in CASES.items():
                    times[case] += seconds(malloc, passive)
        finally:
            if other:
                other.kill()
        base = statistics.median(times["neither"])
        ratios[company] = {case: round(statistics.median(t) / base, 3) for case, t in times.items()}
    columns = {"company": ("Core", "{}")} | {case: (case, "{:.3f}") for case in CASES}
    rows = [{"company": company, **found} for company, found in ratios.items()]
    keep("tuning", {"ratios": ratios}, table(columns, rows), chosen.results)


if __name__ == "__main__":
    main()
