"""Whether bfloat16 changes what is learnt: errors of trainings in both precisions, over seeds.

    python -m benchmarks.studies.precision DATASET [--preset tiny] [--seeds 3] [--runs runs/precision]
        [--results results]

Trains DATASET (say, one that `lead render` drew) with each seed in float32 and in bfloat16, and judges a ridge head
from all labels on individuals of its training split that are held out, each time the same. A processor without bfloat16
works it out in software: as exact, but slow. Writes ``results/benchmarks/precision.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, stdev

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

from benchmarks.measuring import keep  # noqa: E402
from lead import api  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.evaluation.summary import error_rows  # noqa: E402
from lead.experiments.bench import Bench  # noqa: E402
from lead.experiments.regression import regression  # noqa: E402

PRECISIONS = ("32-true", "bf16-mixed")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--preset", default="tiny")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--runs", type=Path, default=Path("runs/precision"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    data = open_dataset(chosen.dataset)
    errors: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
    for seed in range(chosen.seeds):
        for precision in PRECISIONS:
            given = (f"seed={seed}", f"precision={precision}", "validation=0.2")
            run = api.train(
                data, chosen.runs / f"{precision}-{seed}", preset=chosen.preset, assignments=given, say=print
            )
            bench = Bench.of_run(run, data, "validation", ["lead"])
            rows = error_rows(regression(bench, point_sets=[next(iter(data.point_sets))]))
            found = next(row for row in rows if row.method == "lead/ridge")
            errors[precision].append(float(found.mean or "nan"))
            print(f"seed {seed}, {precision}: {errors[precision][-1]:.2f} %")
    table = "| Precision | Error (%), mean ± standard deviation over seeds |\n| --- | --: |\n" + "".join(
        f"| {precision} | {mean(found):.2f} ± {stdev(found):.2f} |\n" for precision, found in errors.items()
    )
    told = {"dataset": data.name, "preset": chosen.preset, "errors": errors}
    keep("precision", told, table, chosen.results)


if __name__ == "__main__":
    main()
