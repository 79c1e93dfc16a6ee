"""How soon the program answers: seconds of its help and of importing it, beside Python's own start.

    python -m benchmarks.speed.start_up [--rounds 15] [--results results]

Each in processes of their own, in turns; the median counts. Writes ``results/benchmarks/start-up.json``, and a table
beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from benchmarks.measuring import keep

COMMANDS = {
    "python, nothing": ["-c", "pass"],
    "lead --help": ["-m", "lead.cli", "--help"],
    "lead predict --help": ["-m", "lead.cli", "predict", "--help"],
    "import lead": ["-c", "import lead"],
    "import torch": ["-c", "import torch"],
}


def seconds(arguments: list[str]) -> float:
    """From start to end."""
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(chosen.rounds):
        for name, arguments in COMMANDS.items():
            taken[name].append(seconds(arguments))
    found = {name: median(times) for name, times in taken.items()}
    rows = "".join(f"| `{name}` | {took:.2f} |\n" for name, took in found.items())
    table = f"| From start to end | s |\n| --- | --: |\n{rows}"
    keep("start-up", {"seconds": found}, table, chosen.results)


if __name__ == "__main__":
    main()
