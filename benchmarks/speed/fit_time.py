"""How long `lead fit` takes once features are cached, beside the bare network on as many pictures as it looks at.

    python -m benchmarks.speed.fit_time RUN DATASET [--labels 20,2670] [--results results]

The head is fitted to draws of labelled training pictures. Before each fit their features are computed, which is not
counted. The network alone then looks at as many random pictures as the fit cut crops. Writes
``results/benchmarks/fit-time.json``, and a table beside it: seconds of both, and their ratio, which the machine's load
changes less.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from unittest import mock

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import torch  # noqa: E402

from benchmarks.measuring import keep, table  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.experiments.bench import Bench, label_draws  # noqa: E402
from lead.features import BATCH, FeatureSource  # noqa: E402
from lead.training.cascade import fit_cascade  # noqa: E402
from lead.training.run import Run  # noqa: E402

COLUMNS = {
    "fit": ("Fit", "{}"),
    "seconds": ("s", "{:.2f}"),
    "crops": ("Crops", "{:,}"),
    "network": ("The network alone (s)", "{:.2f}"),
    "ratio": ("Ratio", "{:.2f}"),
}


def measure(bench: Bench, points: str, count: int) -> dict[str, float]:
    """Seconds of one fit to so many labels, and of the network alone."""
    labels = bench.dataset.points(points)
    fit, _ = bench.rows(labels)
    (picked,) = label_draws(bench, fit, count, 1)
    source = FeatureSource(bench.systems[0].extractor, bench.store)
    rows = bench.store_rows(labels, picked)
    source.whole(rows)
    xy = source.points(rows, labels.xy[picked])
    crops = 0
    plain = FeatureSource.crops

    def counted(self: FeatureSource, rows, affine):  # type: ignore[no-untyped-def]
        nonlocal crops
        crops += len(rows)
        return plain(self, rows, affine)

    with mock.patch.object(FeatureSource, "crops", counted):
        start = time.perf_counter()
        fit_cascade(source, rows, torch.from_numpy(xy).float())
        whole = time.perf_counter() - start
    side = bench.frame.input
    pictures = torch.rand(BATCH, 3, side, side).contiguous(memory_format=torch.channels_last)
    source.extractor.features_of(pictures)
    start = time.perf_counter()
    for _ in range(round(crops / BATCH) or 1):
        source.extractor.features_of(pictures)
    bare = time.perf_counter() - start
    return {"seconds": round(whole, 2), "crops": crops, "network": round(bare, 2), "ratio": round(whole / bare, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--points", nargs="+", default=["5", "68"])
    parser.add_argument("--labels", default="20,2670")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    bench = Bench.of_run(Run.open(chosen.run), open_dataset(chosen.dataset), methods=["lead"])
    fits = {
        f"{points} points, {count} labels": measure(bench, points, int(count))
        for count in chosen.labels.split(",")
        for points in chosen.points
    }
    rows = [{"fit": name, **fit} for name, fit in fits.items()]
    keep("fit-time", {"fits": fits}, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
