"""What each part of the `small` preset is worth, at equal steps, on identities that training never sees.

    python -m benchmarks.studies.ablation DATASET [--steps 150] [--results results]

Trains the variants below one after another and writes ``results/<dataset>/small-<variant>/{matching,few-shot}-
validation.json`` for each. The test split is not touched. About 25 minutes on two cores; finished variants are kept
in ``--runs`` and not trained again.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import lead  # noqa: E402
from lead.evaluation.grids import markdown  # noqa: E402

NO_TERM: dict[str, object] = {"distill.alignment": 0, "distill.equivariance": 0, "distill.exchange": 0}
VARIANTS: dict[str, dict[str, object]] = {
    "default": {},
    "alignment-views": NO_TERM | {"distill.alignment": 1, "distill.alignment_pairs": "views"},
    "alignment-pictures": NO_TERM | {"distill.alignment": 1, "distill.alignment_pairs": "pictures"},
    "equivariance": NO_TERM | {"distill.equivariance": 1},
    "exchange": NO_TERM | {"distill.exchange": 1},
    "default-after-byol": {"pretrain.steps": 80, "pretrain.warmup": 0.1},
}


def settings(variant: str, steps: int) -> list[str]:
    """``KEY=VALUE`` changes to the `small` preset, at a resolution that makes six runs affordable."""
    common: dict[str, object] = {
        "validation": 0.2,
        "picture.store": 128,
        "picture.input": 96,
        "distill.cells": 192,
        "distill.steps": steps,
    }
    return [f"{key}={value}" for key, value in (common | VARIANTS[variant]).items()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--steps", type=int, default=120)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--runs", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    chosen = parser.parse_args()
    for variant in chosen.variants:
        changes = settings(variant, chosen.steps)
        run = lead.train(chosen.dataset, chosen.runs / variant, preset="small", assignments=changes)
        for task in ("matching", "few-shot"):
            result = lead.evaluate(
                run,
                chosen.dataset,
                task,
                preset=f"small-{variant}",
                split="validation",
                point_sets=["5"],
                labels=(10,),
                draws=3,
                heads=("ridge", "softargmax") if variant == "default" else ("ridge",),
                methods=("init", "byol", "lead") if variant == "default-after-byol" else ("lead",),
            )
            result.write(result.path(chosen.results), overwrite=True)
            sys.stdout.write(markdown(result) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
