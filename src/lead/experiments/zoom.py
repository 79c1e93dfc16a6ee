"""Sensitivity to scale: heads fitted on labelled pictures seen at some fields of view, judged at wider ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.errors import LeadError
from lead.evaluation.predictions import Predictions
from lead.evaluation.results import ZOOMS
from lead.experiments.bench import Bench, PointSet, System
from lead.experiments.regression import fitted
from lead.features import BATCH
from lead.geometry import inside
from lead.heads import Head
from lead.images.views import View, Warp
from lead.landmarks.model import Labels
from lead.reporting import Say, unsaid
from lead.seeds import mixed_seed
from lead.training.fit import PlainKind
from lead.training.labelled import Labelled

PREDICTIONS_VERSION = 1
"""Of the code that zooms, fits and predicts, here, in :mod:`lead.images.views` and :mod:`lead.training.fit`. Raise it
with any change after which heads answer otherwise: predictions that an earlier version saved are then made anew."""


def zoomed(view: View, factor: Tensor, base: float) -> View:
    """The central ``base * factor`` share of stored squares, enlarged to their size.

    Args:
        view: B pictures with their landmarks.
        factor: (B,) fields of view; at base 0.5 the central half is 1 and the whole picture 2.
        base: share of the square's side that is factor 1.

    Returns:
        The pictures, and the landmarks within them: a point at p moves to p / (base * factor); NaN outside.

    Raises:
        LeadError: a factor would show nothing, or more than the picture.
    """
    share = base * factor
    if not bool(((share > 0) & (share <= 1 + 1e-6)).all()):
        raise LeadError(
            f"Factors from {factor.min():g} to {factor.max():g} of a base of {base:g} would show "
            f"{share.min():g} to {share.max():g} of the picture's side; at most 1 can be shown. Give a smaller base."
        )
    return view.through(Warp(share[:, None, None] * torch.eye(2, 3)))


def zoom(
    bench: Bench,
    *,
    train: tuple[float, float] = (1.0, 1.5),
    test: Sequence[float] = ZOOMS,
    head: PlainKind = "ridge",
    point_set: str | None = None,
    base: float = 0.5,
    seed: int = 0,
    say: Say = unsaid,
) -> list[Predictions]:
    """Fits a head on labelled training pictures, each at a random field of view, and predicts the split at fixed ones.

    A landmark outside what is shown is left out, of fitting and of judging. Errors are in % of the unit length of the
    picture, so they do not depend on the scale at which it is seen. The extractor's frame applies to what is shown.

    Args:
        bench: systems, dataset, split.
        train: fields of view from which the training pictures' are drawn uniformly, the same for every system.
        test: fields of view, of ZOOMS, at each of which every picture of the split is judged.
        head: which to fit.
        point_set: of the dataset; None for its first.
        base: see :func:`zoomed`.
        seed: of the draws and of the head.
        say: told what is being measured, and what share of the labelled landmarks is left out.

    Returns:
        For each system those of each of ``test``, with the metric "zoom-1.25" for 1.25.
    """
    points = bench.point_set(point_set)
    labelled = np.isfinite(points.labels.xy[points.judge]).all(-1)
    out: list[Predictions] = []
    for system in bench.systems:
        fit = cache(
            partial(fit_zoomed, bench, system, points.labels, points.fit, train=train, head=head, base=base, seed=seed)
        )
        for factor in test:
            make = partial(_at, bench, points, system, head, fit, factor, base)
            what = ["zoom", PREDICTIONS_VERSION, factor, train, head, base, seed, points.fit, points.judge]
            found = bench.saved(make, points, system, *what)
            if not out or found.metric not in {one.metric for one in out}:
                left_out = float(1 - np.isfinite(found.truth).all(-1).sum() / labelled.sum())
                say(f"{found.metric}: {100 * left_out:.1f}% of the labelled landmarks lie outside and are left out")
            say(f"{found.metric}: {found.method}")
            out.append(found)
    return out


def fit_zoomed(
    bench: Bench,
    system: System,
    points: Labels,
    rows: Sequence[int],
    *,
    train: tuple[float, float] = (1.0, 1.5),
    head: PlainKind = "ridge",
    base: float = 0.5,
    seed: int = 0,
) -> Head:
    """A head fitted on rows of ``points``, each picture at its own field of view; see :func:`zoom`."""
    drawn = np.random.default_rng(mixed_seed(seed, "zoom")).uniform(*train, len(rows))
    return fitted(head, _labelled(bench, system, points, rows, torch.from_numpy(drawn).float(), base), seed)


def shown_at(
    bench: Bench, points: Labels, rows: Sequence[int], factor: Tensor, base: float = 0.5
) -> tuple[Tensor, Tensor]:
    """Zoomed stored pictures (n, S, S, 3), and landmarks (n, K, 2) normalised to what the network is shown of them.

    A landmark outside is NaN.
    """
    view = zoomed(bench.view(points, rows), factor, base)
    places = view.points * (bench.frame.side / bench.frame.shown)
    return view.pixels, torch.where(inside(places)[..., None], places, torch.nan)


def _labelled(
    bench: Bench, system: System, points: Labels, rows: Sequence[int], factor: Tensor, base: float
) -> Labelled:
    """Features and landmarks of zoomed pictures. Not cached: the cache knows pictures only as they are stored."""
    features: npt.NDArray[np.float16] | None = None
    places = []
    for start in range(0, len(rows), BATCH):
        part = slice(start, start + BATCH)
        pixels, shown = shown_at(bench, points, rows[part], factor[part], base)
        found = system.extractor.features(pixels).half().cpu().numpy()
        if features is None:
            features = np.empty((len(rows), *found.shape[1:]), dtype=np.float16)
        features[part] = found
        places.append(shown)
    assert features is not None
    return Labelled(features, torch.cat(places))


@torch.inference_mode()
def _at(
    bench: Bench,
    points: PointSet,
    system: System,
    kind: PlainKind,
    fit: Callable[[], Head],
    factor: float,
    base: float,
) -> Predictions:
    """What a head says at one field of view."""
    head, rows = fit(), points.judge
    found, seen = [], []
    for start in range(0, len(rows), BATCH):
        part = rows[start : start + BATCH]
        pixels, places = shown_at(bench, points.labels, part, torch.full((len(part),), factor), base)
        found.append(head(system.extractor.features(pixels).float().cpu()).double())
        seen.append(~places.isnan().any(-1))
    return bench.predictions(
        points,
        rows,
        (torch.cat(found).numpy() * (base * factor))[None],  # of the unzoomed frame
        counted=torch.cat(seen).numpy(),
        metric=f"zoom-{factor:.2f}",
        method=f"{system.method}/{kind}",
        features=bench.features_text(system),
        labels="all",
        labelled=[points.fit],
    )
