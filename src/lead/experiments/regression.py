"""Landmark regression: heads fitted on all labels or on few, judged on pictures that they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt
import torch

from lead.errors import LeadError
from lead.evaluation.metrics import mean_shape
from lead.evaluation.predictions import SHARES, Predictions
from lead.experiments.bench import Bench, PointSet, System, label_count, label_draws
from lead.features import FeatureSource
from lead.geometry import FloatArray
from lead.heads import Head
from lead.landmarks.model import HIDDEN
from lead.nn.heads import REDUCED
from lead.reporting import Say, counted, unsaid
from lead.seeds import mixed_seed
from lead.training.cascade import fit_cascade
from lead.training.fit import FittedKind, PlainKind, apply, fit_ridge, train_softargmax
from lead.training.labelled import Labelled

FEW = (1, 5, 10, 20, 50, 100)
DRAWS = 5
PREDICTIONS_VERSION = 4
"""Of the code that fits heads and predicts with them, here and in :mod:`lead.training`. Raise it with any change after
which they answer otherwise: predictions that an earlier version saved are then made anew."""


def regression(
    bench: Bench,
    *,
    labels: Sequence[int | None] = (None,),
    draws: int = 1,
    heads: Sequence[FittedKind] = ("ridge",),
    point_sets: Sequence[str] | None = None,
    say: Say = unsaid,
) -> list[Predictions]:
    """Fits heads on labelled training pictures and predicts the split.

    Args:
        bench: run, dataset, split.
        labels: numbers of labelled pictures; None for all of them.
        draws: seeded draws of the labelled pictures for each number.
        heads: which to fit.
        point_sets: of the dataset; None for all.
        say: told what is being measured.

    Raises:
        LeadError: the dataset has no landmarks, or not as many labelled pictures, or no head asked for is for features
            as wide as the systems'.
    """
    wide = {system.method: bench.dimension(system) > REDUCED for system in bench.systems}
    unfit = [method for method, is_wide in wide.items() if is_wide]
    if unfit and "cascade" in heads:
        reason = (
            f"The head cascade is for compact features, of at most {REDUCED} channels, which {', '.join(unfit)} lacks."
        )
        if set(heads) == {"cascade"} and all(wide.values()):
            raise LeadError(f"Nothing to measure. {reason} Measure lead, or ask for another --head, ridge say.")
        say(f"left out: {', '.join(unfit)} with the head cascade. {reason}")
    out: list[Predictions] = []
    for name in point_sets or bench.dataset.point_sets or [bench.point_set().name]:
        points = bench.point_set(name)
        fit, metric = points.fit, f"regression-{name}"
        too_many = [n for n in labels if n is not None and n > len(fit)]
        if too_many:
            say(
                f"{metric}: left out {', '.join(map(str, too_many))} labels; only "
                f"{counted(len(fit), 'picture is', 'pictures are')} labelled."
            )
        plans = [(n, label_draws(bench, fit, n, draws)) for n in labels if n not in too_many]
        if not plans:
            raise LeadError(
                f"{name!r} has only {counted(len(fit), 'labelled training picture', 'labelled training pictures')}; "
                "ask for fewer --labels."
            )
        out += [_saved(bench, points, None, None, number, chosen) for number, chosen in plans]
        for system in bench.systems:
            for number, chosen in plans:
                for kind in heads:
                    if kind == "cascade" and wide[system.method]:
                        continue
                    say(f"{metric}: {system.method}/{kind}, {counted(number, 'label') if number else 'all labels'}")
                    out.append(_saved(bench, points, system, kind, number, chosen))
    return out


def _saved(
    bench: Bench,
    points: PointSet,
    system: System | None,
    kind: FittedKind | None,
    number: int | None,
    chosen: Sequence[list[int]],
) -> Predictions:
    """Predictions by a kind of head fitted on each draw; without a system and a head, by the mean shape of each."""
    if system is None or kind is None:
        make = partial(_by_mean_shape, bench, points, number, chosen)
    elif kind == "cascade":
        make = partial(_by_cascade, bench, points, system, number, chosen)
    else:
        make = partial(_by_head, bench, points, system, kind, number, chosen)
    what = [PREDICTIONS_VERSION, kind, chosen, points.fit, points.judge]
    return bench.saved(make, points, system, "regression", *what)


def _by_mean_shape(bench: Bench, points: PointSet, number: int | None, chosen: Sequence[list[int]]) -> Predictions:
    """The labelled pictures' mean, for everyone: what no feature at all achieves.

    A landmark that none of them labels is put in the middle, which is the ridge head's answer too.
    """
    shapes = [np.nan_to_num(mean_shape(bench.normalised(points.labels, picked)), nan=0.0) for picked in chosen]
    found = np.repeat(np.stack(shapes)[:, None], len(points.judge), axis=1)
    return bench.predictions(
        points,
        points.judge,
        found,
        metric=f"regression-{points.name}",
        method="mean-shape",
        features="",
        labels=label_count(number),
        labelled=chosen,
    )


def _by_head(
    bench: Bench,
    points: PointSet,
    system: System,
    kind: PlainKind,
    number: int | None,
    chosen: Sequence[list[int]],
) -> Predictions:
    training = bench.labelled(system, points.labels, points.fit)
    unseen = bench.labelled(system, points.labels, points.judge)
    found = []
    for d, picked in enumerate(chosen):
        some = training if number is None else training.take(np.searchsorted(points.fit, picked))
        head = fitted(kind, some, mixed_seed(bench.settings.seed, "head", d))
        found.append(apply(head, unseen).double().numpy())
    return bench.predictions(
        points,
        points.judge,
        np.stack(found),
        metric=f"regression-{points.name}",
        method=f"{system.method}/{kind}",
        features=f"{training.features.shape[1]}-d",
        labels=label_count(number),
        labelled=chosen,
    )


def _by_cascade(
    bench: Bench, points: PointSet, system: System, number: int | None, chosen: Sequence[list[int]]
) -> Predictions:
    by_draw = [
        _cascade(bench, points, system, picked, mixed_seed(bench.settings.seed, "head", d))
        for d, picked in enumerate(chosen)
    ]
    found, expected, radii, hidden = (list(values) for values in zip(*by_draw, strict=True))
    return bench.predictions(
        points,
        points.judge,
        np.stack(found),
        metric=f"regression-{points.name}",
        method=f"{system.method}/cascade",
        features=bench.features_text(system),
        labels=label_count(number),
        labelled=chosen,
        expected=np.stack(expected),
        radii=np.stack(radii, axis=1),
        predicted_hidden=np.stack(hidden),
        hidden=points.labels.visible[points.judge] == HIDDEN,
    )


def _cascade(
    bench: Bench, points: PointSet, system: System, picked: list[int], seed: int
) -> tuple[FloatArray, FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Predictions (n, K, 2), normalised; expected errors (n, K) and radii (3, n, K), see :class:`Predictions`; which
    landmarks (n, K) are predicted to be hidden. With few labels, unlabelled pictures of those to fit on are learnt from
    too.

    A landmark that none of the picked pictures labels is put in the middle, as the ridge head does, and nothing is
    expected of it (NaN).
    """
    labels, judge = points.labels, points.judge
    labelled = np.flatnonzero(np.isfinite(labels.xy[picked]).all(-1).any(0))
    source = FeatureSource(system.extractor, bench.store)
    fit = fit_cascade(
        source,
        bench.store_rows(labels, picked),
        torch.from_numpy(bench.normalised(labels, picked)[:, labelled]).float(),
        hidden=labels.visible[picked][:, labelled] == HIDDEN,
        unlabelled=bench.store_rows(labels, points.fit),
        groups=[PurePosixPath(image).parent.as_posix() for image in points.images(picked)],
        turned=bench.settings.turned,
        seed=seed,
    )
    device = system.extractor.device
    head, confidence = fit.head.to(device), fit.confidence.to(device)
    found = list(source.find(head, bench.store_rows(labels, judge)))
    errors = torch.cat([f.expected(confidence) for f in found])
    expected = np.full((len(judge), labels.xy.shape[1]), np.nan)
    expected[:, labelled] = errors.double().cpu().numpy()
    places = np.zeros((*expected.shape, 2))
    places[:, labelled] = torch.cat([f.points for f in found]).double().cpu().numpy()
    radii = np.stack([expected * confidence.factor(share / 100) for share in SHARES])
    hidden = np.zeros(expected.shape, dtype=bool)
    hidden[:, labelled] = torch.cat([confidence.is_hidden(f.signals) for f in found]).cpu().numpy()
    return places, expected, radii, hidden


def fitted(kind: PlainKind, labelled: Labelled, seed: int) -> Head:
    """A head fitted on labelled pictures."""
    return fit_ridge(labelled, seed=seed).head if kind == "ridge" else train_softargmax(labelled, seed)
