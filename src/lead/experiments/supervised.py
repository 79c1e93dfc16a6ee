"""What labels alone achieve: the student's network, trained end to end on labelled pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from lead.evaluation.predictions import Predictions
from lead.experiments.bench import Bench, PointSet, label_count, label_draws
from lead.features import BATCH, default_device
from lead.geometry import FloatArray
from lead.nn.regressor import LandmarkRegressor
from lead.reporting import Report, Say, counted, silent, unsaid
from lead.seeds import run_identity
from lead.training.supervised import train_supervised

PREDICTIONS_VERSION = 1
"""Of the code that trains the network and predicts with it, here and in :mod:`lead.training`. Raise it with any change
after which it answers otherwise: predictions that an earlier version saved are then made anew."""


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
) -> list[Predictions]:
    """Trains the network on so many labelled pictures alone and predicts the split.

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
    points = bench.point_set(point_set)
    settings = bench.settings.model_dump(
        mode="json", include={"picture", "backbone", "supervised", "distill"}, exclude_defaults=True
    )
    start = ["pretrained"] if pretrained else []
    out = []
    for number in counts:
        if number is not None and number > len(points.fit):
            say(
                f"supervised: left out {counted(number, 'label')}; only "
                f"{counted(len(points.fit), 'picture is', 'pictures are')} labelled."
            )
            continue
        chosen = label_draws(bench, points.fit, number, draws)

        def make(number: int | None = number, chosen: list[list[int]] = chosen) -> Predictions:
            found = []
            for draw, picked in enumerate(chosen):
                where = bench.store_rows(points.labels, picked)
                key = run_identity(settings, seed, bench.store.digest, where.tolist(), points.name, *start)
                say(f"supervised from {counted(number, 'label') if number else 'all labels'}, draw {draw}, seed {seed}")
                network = train_supervised(
                    folder / f"supervised-{key}",
                    bench.settings,
                    bench.store,
                    where,
                    bench.store.to_store(where, points.labels.xy[picked]),
                    seed=seed,
                    pretrained=pretrained,
                    report=report,
                )
                found.append(_predicted(bench, network, points))
            return bench.predictions(
                points,
                points.judge,
                np.stack(found),
                metric=f"regression-{points.name}",
                method="supervised",
                features="",
                labels=label_count(number),
                labelled=chosen,
            )

        what = ["supervised", PREDICTIONS_VERSION, settings, start, seed, chosen, points.judge]
        out.append(bench.saved(make, points, None, *what))
    return out


@torch.inference_mode()
def _predicted(bench: Bench, network: LandmarkRegressor, points: PointSet) -> FloatArray:
    """(n, K, 2) normalised places in the frame, of the pictures judged."""
    device, where = default_device(), bench.store_rows(points.labels, points.judge)
    network = network.to(device)
    found = []
    for start in range(0, len(where), BATCH):
        pixels = torch.from_numpy(bench.store.pixels[where[start : start + BATCH]]).to(device)
        found.append(network(bench.frame.show(pixels)).double().cpu())
    return torch.cat(found).numpy()
