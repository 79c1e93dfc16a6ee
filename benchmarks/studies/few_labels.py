"""What each part of the few-label head is worth, on identities that training never sees.

    lead train ytfaces --out runs/trial --preset small --set validation=0.2
    python -m benchmarks.studies.few_labels runs/trial ytfaces [--labels 1,10] [--draws 2]

Fits the head as it is, with one part taken away at a time, and with its answers on several crops averaged, to the same
draws of labelled pictures, and writes ``results/<dataset>/<preset>/few-labels-validation.json``. The test split is not
touched. A quarter of an hour on two cores.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from unittest import mock

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import torch  # noqa: E402
from torch import Tensor  # noqa: E402

from benchmarks.measuring import recorded  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.evaluation.grids import markdown  # noqa: E402
from lead.evaluation.results import Row  # noqa: E402
from lead.evaluation.summary import error_rows  # noqa: E402
from lead.experiments.bench import Bench  # noqa: E402
from lead.experiments.regression import regression  # noqa: E402
from lead.features import FeatureSource  # noqa: E402
from lead.files import write_atomic  # noqa: E402
from lead.nn.cascade import Cascade, CascadeOutput  # noqa: E402
from lead.training.cascade import SHIFTED, TURNED  # noqa: E402
from lead.training.inputs import jittered  # noqa: E402
from lead.training.looks import Rows  # noqa: E402
from lead.training.run import Run  # noqa: E402

AVERAGED = 5
"""Crops of a picture, of which all but the first are moved a little at random, whose answers are averaged."""


@torch.inference_mode()
def _averaged(source: FeatureSource, head: Cascade, rows: Rows, features: Tensor) -> CascadeOutput:
    """In place of :meth:`lead.features.FeatureSource.find_in`: landmarks on several crops, mapped back and averaged."""
    first = head.coarse_output(features)
    if head.fine is None:
        return head.refine(first, features)
    generator = torch.Generator().manual_seed(0)
    poses = [first.pose, *(jittered(first.pose, TURNED, SHIFTED, generator) for _ in range(AVERAGED - 1))]
    looks = [(replace(first, pose=pose), next(source.crops(rows, head.crop(pose)))) for pose in poses]
    found = [head.refine(*look) for look in looks]
    return replace(found[0], points=torch.stack([one.points for one in found]).mean(0))


VARIANTS: Mapping[str, Mapping[str, object]] = {
    "cascade": {},
    "cascade without its second look": {"lead.training.cascade._halves": lambda _: []},
    "cascade without the ring": {"lead.nn.cascade.RING": 0},
    "cascade without random crops": {"lead.training.cascade.CROPS": 1, "lead.training.cascade.CROPS_OF_ONE": 1},
    "cascade without self-teaching": {"lead.training.cascade.SELF_TAUGHT": 0},
    f"cascade, {AVERAGED} crops averaged": {"lead.features.FeatureSource.find_in": _averaged},
}
"""What is replaced by what in each."""


def rows_of(bench: Bench, variant: str, points: str, labels: list[int], draws: int) -> list[Row]:
    """Errors of one variant; the baselines come with each, and are dropped here."""
    patches = [mock.patch(name, value) for name, value in VARIANTS[variant].items()]
    for patch in patches:
        patch.start()
    try:
        found = regression(bench, labels=labels, draws=draws, heads=["cascade"], point_sets=[points], say=print)
    finally:
        for patch in patches:
            patch.stop()
    wanted = [row for row in error_rows(found) if row.metric.startswith("regression") and row.method == "lead/cascade"]
    return [replace(row, method=f"lead/{variant}") for row in wanted]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--points", default="5")
    parser.add_argument("--labels", default="1,10")
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--preset-name", default="small")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    started = time.monotonic()
    bench = replace(
        Bench.of_run(Run.open(chosen.run), open_dataset(chosen.dataset), "validation", ["lead"]),
        kept=None,  # what is patched is not told apart
    )
    labels = [int(number) for number in chosen.labels.split(",")]
    rows = [row for name in VARIANTS for row in rows_of(bench, name, chosen.points, labels, chosen.draws)]
    command = recorded("few_labels", chosen)
    result = bench.result("few-labels-validation", rows, started, chosen.preset_name, command)
    path = result.path(chosen.results)
    result.write(path, overwrite=True)
    write_atomic(path.with_suffix(".md"), markdown(result), overwrite=True)
    print(markdown(result))


if __name__ == "__main__":
    main()
