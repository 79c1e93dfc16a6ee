"""What labels alone achieve: the student's network, trained end to end on labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lead.evaluation.results import Row
from lead.experiments.protocols import UNIT, Bench, label_count, label_draws
from lead.features import BATCH, default_device
from lead.geometry import FloatArray
from lead.nn.regressor import LandmarkRegressor
from lead.reporting import Report, Say, silent, unsaid
from lead.seeds import run_identity
from lead.training.supervised import train_supervised


def supervised(
    bench: Bench,
    counts: Sequence[int | None],
    folder: Path,
    *,
    seed: int = 0,
    draws: int = 1,
    pretrained: bool = False,
    point_set: str | None = None,
    report: Report = silent,
    say: Say = unsaid,
) -> list[Row]:
    """Trains the network on so many labelled pictures alone and judges it on the split.

    Args:
        bench: dataset, settings and split; its systems are not looked at.
        counts: numbers of labelled pictures, None for all.
        folder: where the trainings are kept, one folder for each.
        seed: of the training.
        draws: of each number, the first of the few-label protocol's.
        pretrained: start the encoder as the settings' ``backbone.init`` says; else with random weights.
        point_set: of the dataset; None for its first.
        report: of each training's progress.
        say: told what is being trained.
    """
    name = point_set or next(iter(bench.dataset.point_sets), "")
    points = bench.dataset.points(name)
    fit, judge = bench.rows(points)
    rows = []
    for number in counts:
        if number is not None and number > len(fit):
            say(f"supervised: left out {number} labels; only {len(fit)} pictures are labelled.")
            continue
        summaries = []
        for draw, picked in enumerate(label_draws(bench, fit, number, draws)):
            where = bench.store_rows(points, picked)
            xy = bench.store.to_store(where, points.xy[picked])
            parts = bench.settings.model_dump(
                mode="json", include={"picture", "backbone", "supervised", "distill"}, exclude_defaults=True
            )
            start = ["pretrained"] if pretrained else []
            key = run_identity(parts, seed, bench.store.digest, where.tolist(), name, *start)
            say(f"supervised from {number or 'all'} labels, draw {draw}, seed {seed}")
            network = train_supervised(
                folder / f"supervised-{key}",
                bench.settings,
                bench.store,
                where,
                xy,
                seed=seed,
                pretrained=pretrained,
                report=report,
            )
            predicted = _predicted(bench, network, bench.store_rows(points, judge))
            summaries.append(bench.errors(points, judge, predicted, bench.dataset.normaliser[name]))
        rows.append(Row.of_draws("supervised", "", label_count(number), f"regression-{name}", UNIT, summaries))
    return rows


@torch.inference_mode()
def _predicted(bench: Bench, network: LandmarkRegressor, where: npt.NDArray[np.int64]) -> FloatArray:
    """(n, K, 2) normalised places in the frame."""
    device = default_device()
    network = network.to(device)
    found = []
    for start in range(0, len(where), BATCH):
        pixels = torch.from_numpy(bench.store.pixels[where[start : start + BATCH]]).to(device)
        found.append(network(bench.frame.show(pixels)).double().cpu())
    return torch.cat(found).numpy()
