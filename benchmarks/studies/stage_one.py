"""Whether how the hypercolumn is put together decides which stage 1 matches better.

    python -m benchmarks.studies.stage_one DATASET [--runs runs/reproduce] [--results results]

Matches, on a fifth of the training identities, with the hypercolumns of the two stages 1 of `lead reproduce` and of
their start, under each normalisation, and with the finest or the coarsest levels alone. The stages are found in
``--runs``, or trained. They have seen those pictures without labels, like all of the training split; the test split is
not touched. Writes ``results/<dataset>/short/stage-one-validation.json``.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

from benchmarks.measuring import recorded  # noqa: E402
from lead.config import HypercolumnSettings, load_preset  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.evaluation.grids import markdown  # noqa: E402
from lead.evaluation.results import Row  # noqa: E402
from lead.evaluation.summary import error_rows  # noqa: E402
from lead.experiments.bench import Bench, System  # noqa: E402
from lead.experiments.matching import matching  # noqa: E402
from lead.features import Extractor  # noqa: E402
from lead.reproduce.arms import stage_one  # noqa: E402
from lead.reproduce.shelf import Shelf  # noqa: E402

VARIANTS = {
    "centred": HypercolumnSettings(normalisation="centred"),
    "level": HypercolumnSettings(normalisation="level"),
    "none": HypercolumnSettings(normalisation="none"),
    "centred, finer half": HypercolumnSettings(normalisation="centred", weights=(1, 1, 0, 0)),
    "centred, coarser half": HypercolumnSettings(normalisation="centred", weights=(0, 0, 1, 1)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--runs", type=Path, default=Path("runs/reproduce"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    started = time.monotonic()
    preset, dataset = load_preset("short"), open_dataset(chosen.dataset)
    judged = preset.model_copy(update={"validation": 0.2})
    shelf = Shelf(chosen.runs, dataset)
    rows: list[Row] = []
    for objective in ("init", "byol", "moco"):
        run = shelf.stage_one(stage_one(objective).settings(preset, preset.seed))
        for name, levels in VARIANTS.items():
            system = System(objective, Extractor(run.backbone(), preset.picture, levels))
            bench = Bench(dataset, [system], judged, "validation")
            rows += [replace(row, features=name) for row in error_rows(matching(bench)) if row.method == objective]
    title = "Stage 1 by how its hypercolumn is put together, on validation identities"
    result = replace(
        bench.result("stage-one-validation", rows, started, "short", recorded("stage_one", chosen)), title=title
    )
    result.write(result.path(chosen.results), overwrite=True)
    sys.stdout.write(markdown(result) + "\n")


if __name__ == "__main__":
    main()
