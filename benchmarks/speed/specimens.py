"""What finding specimens costs, beside one look at the whole picture: time and memory, as pictures and specimens grow.

    python -m benchmarks.speed.specimens RUN LABELS PICTURES --name flies [--labels 5] [--count 24]

RUN is a run on windows, LABELS are of several specimens, all of them in each picture. One model finds them; the other
is fitted to the first specimen of each picture alone, and looks once at the whole picture, as `lead predict` does
where there is one. Both look at the same pictures in turn, decoding included, in rounds; times are medians over
rounds. Memory is what the process has grown by from the first half of the pictures to the second.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import keep, peak_memory, since, table  # noqa: E402
from lead.api import fit  # noqa: E402
from lead.features import Extractor, FeatureSource  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.training.cascade import fit_cascade  # noqa: E402
from lead.training.run import Run  # noqa: E402

ROUNDS = 3
COLUMNS = {
    "arm": ("", "{}"),
    "pictures": ("pictures", "{}"),
    "specimens": ("specimens found in one", "{:.1f}"),
    "ms": ("ms a picture", "{:.0f}"),
    "ratio": ("times one look", "{:.1f}"),
    "grown": ("memory grown by, MB", "{:.0f}"),
}


def once(run: Run, chosen: argparse.Namespace, images: list[str]) -> Landmarker:
    """A model that looks once, fitted to one specimen of each picture."""
    labels = load_labels(chosen.landmarks, pictures=chosen.pictures, several=True)
    first = [rows[0] for image, rows in labels.rows_of().items() if image in images]
    labels = replace(labels.take(first), tracks=None, boxes=None, complete=frozenset())
    store = open_store(chosen.pictures, list(labels.images), run.settings.picture.store, default_cache())
    student = run.student()
    source = FeatureSource(Extractor(student, run.settings.picture), store)
    rows = np.array([store.index(image) for image in labels.images])
    points = torch.from_numpy(source.points(rows, labels.xy)).float()
    found = fit_cascade(source, rows, points, turned=run.settings.turned, local=False, halves=())
    return Landmarker(labels.schema, run.settings, student, found.head, found.confidence, {})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("landmarks", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--name", required=True, help="of the result")
    parser.add_argument("--labels", type=int, default=5)
    parser.add_argument("--count", type=int, default=24, help="of the pictures that are looked at")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    run = Run.open(chosen.run)
    labels = load_labels(chosen.landmarks, pictures=chosen.pictures, several=True)
    images = list(labels.rows_of())
    picked, judged = images[: chosen.labels], images[chosen.labels :][: chosen.count]
    some = labels.take(i for i, image in enumerate(labels.images) if image in set(picked))
    models = {
        "one look": once(run, chosen, picked),
        "specimens": fit(run, some, pictures=chosen.pictures, several=True, complete=True).landmarker,
    }
    halves = [judged[: len(judged) // 2], judged[len(judged) // 2 :]]
    times: dict[str, list[float]] = {arm: [] for arm in models}
    grown: dict[str, float] = dict.fromkeys(models, 0.0)
    found: dict[str, float] = {}
    for number in range(ROUNDS):
        for arm, model in models.items():
            start, counted = time.perf_counter(), 0
            for half in halves:
                before = peak_memory()
                predicted = model.predict([chosen.pictures / image for image in half])
                counted += int(predicted.is_specimen.sum()) if predicted.tracks is not None else len(predicted)
                if number and half is halves[1]:
                    grown[arm] = max(grown[arm], peak_memory() - before)
            times[arm].append(since(start) / len(judged))
            found[arm] = counted / len(judged)
    ms = {arm: float(np.median(each)) for arm, each in times.items()}
    rows = [
        {
            "arm": arm,
            "pictures": len(judged),
            "specimens": found[arm],
            "ms": ms[arm],
            "ratio": ms[arm] / ms["one look"],
            "grown": grown[arm],
        }
        for arm in models
    ]
    result = {"run": run.provenance, "labels": chosen.labels, "rows": rows}
    keep(f"specimens-cost-{chosen.name}", result, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
