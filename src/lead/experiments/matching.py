"""Landmark matching: one picture's landmarks found in another by the nearest feature."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lead.errors import LeadError
from lead.evaluation.predictions import Predictions
from lead.experiments.bench import Bench, PointSet, System
from lead.geometry import FloatArray
from lead.images.views import View, affine_warp, bend_warp, dve_warp
from lead.nn.matching import match_points
from lead.reporting import Say, unsaid
from lead.seeds import mixed_seed

PAIRS = 500
"""Of each kind of matching, as the peers have it."""
PREDICTIONS_VERSION = 1
"""Of the code that draws pairs and warps and matches, here, in :mod:`lead.images.views` and :mod:`lead.nn.matching`.
Raise it with any change after which other places are found: predictions that an earlier version saved are then made
anew."""

Batches = Iterator[tuple[View, list[View]]]
"""Views of references, and views in which their landmarks are to be found."""


def matching(bench: Bench, *, point_set: str | None = None, pairs: int = PAIRS, say: Say = unsaid) -> list[Predictions]:
    """Carries landmarks from one picture to another: a warped copy, another picture of one identity, another identity.

    Args:
        bench: run, dataset, split.
        point_set: of the dataset; None for its first.
        pairs: of each kind.
        say: told what is being measured.
    """
    points = bench.point_set(point_set)
    complete = points.complete
    identity = bench.dataset.identity_of(points.images(complete))
    kinds = {
        kind: np.array(complete, dtype=np.int64)[_pairs(identity, pairs, same, mixed_seed(bench.settings.seed, kind))]
        for kind, same in (("same", True), ("different", False))
    }
    random = np.random.default_rng(mixed_seed(bench.settings.seed, "photos"))
    photos = sorted(random.permutation(complete)[:pairs].tolist())
    out = []
    for system in (None, *bench.systems):
        say(f"matching: {system.method if system else 'copies in place'}")
        what = ["matching", PREDICTIONS_VERSION]
        out.append(bench.saved(partial(_warped, bench, points, system, photos), points, system, *what, "warp", photos))
        for kind, chosen in kinds.items():
            if len(chosen):
                make = partial(_matched, bench, points, system, kind, chosen)
                out.append(bench.saved(make, points, system, *what, kind, chosen.tolist()))
    return out


def _named(bench: Bench, system: System | None) -> dict[str, Any]:
    """What a table calls a system; with None, the reference's places are copied as they are."""
    if system is None:
        return {"method": "copy-location", "features": "", "labels": None}
    return {"method": system.method, "features": bench.features_text(system), "labels": None}


def _pairs(identity: Sequence[str], count: int, same: bool, seed: int) -> npt.NDArray[np.int64]:
    """(count, 2) seeded ordered pairs of distinct pictures, of one identity or of two; empty where there are none."""
    names = np.array(identity)
    possible = np.argwhere((names[:, None] == names[None, :]) == same)
    possible = possible[possible[:, 0] != possible[:, 1]]
    random = np.random.default_rng(seed)
    chosen: npt.NDArray[np.int64] = possible[random.permutation(len(possible))[:count]]
    return chosen


def _matched(
    bench: Bench, points: PointSet, system: System | None, kind: str, chosen: npt.NDArray[np.int64]
) -> Predictions:
    """Landmarks carried from one picture to another, for pairs (n, 2) of rows."""
    references, queries = chosen.T.tolist()
    if system is None:
        found = bench.normalised(points.labels, references)
    else:
        parts, everything = [], slice(None)
        complete = points.complete
        known = bench.labelled(system, points.labels, complete)
        for part in np.array_split(np.searchsorted(complete, chosen), max(len(chosen) // 32, 1)):
            reference, query = known.take(part[:, 0]), known.take(part[:, 1])
            places, _ = match_points(
                reference.feature_chunk(everything), reference.points, query.feature_chunk(everything)
            )
            parts.append(places)
        found = torch.cat(parts).double().numpy()
    return bench.predictions(
        points,
        queries,
        found[None],
        metric=f"matching-{kind}",
        references=np.array(points.images(references)),
        **_named(bench, system),
    )


def _warped(bench: Bench, points: PointSet, system: System | None, rows: list[int]) -> Predictions:
    """One photo and its warped copy; the warp is like DVE's at test time, drawn once and the same for every system.

    A landmark that the warp moves out of the stored square does not count.
    """
    generator = torch.Generator().manual_seed(mixed_seed(bench.settings.seed, "warp"))

    def batches() -> Batches:
        for start in range(0, len(rows), 50):
            photo = bench.view(points.labels, rows[start : start + 50])
            count = len(photo.points)
            warp = affine_warp(count, scale=(0.95, 1.05), shift=0.05, rotation=2.5, stretch=0.0, generator=generator)
            yield photo, [photo.through(bend_warp(warp, strength=(0.0005, 0.005), generator=generator))]

    ((found, true),) = _match_views(bench, system, batches())
    return bench.predictions(
        points,
        rows,
        found[None],
        truth=true,
        metric="matching-warp",
        references=np.array(points.images(rows)),
        **_named(bench, system),
    )


def _match_views(bench: Bench, system: System | None, batches: Batches) -> list[tuple[FloatArray, FloatArray]]:
    """Carries the landmarks of reference views to query views of as many pictures.

    Args:
        bench: that the views are of.
        system: that matches; None copies the reference's places as they are.
        batches: a reference and Q queries each, N pictures in all.

    Returns:
        For each of the Q queries the places found and the true ones (N, K, 2), normalised to the frame.
    """
    ratio = bench.frame.side / bench.frame.shown
    parts = []
    for reference, queries in batches:
        asked = reference.points * ratio
        found = [asked] * len(queries)
        if system is not None:
            features, places = system.extractor.features(reference.pixels), asked.to(system.extractor.device)
            found = [match_points(features, places, system.extractor.features(q.pixels))[0].cpu() for q in queries]
        parts.append([(a.double(), (q.points * ratio).double()) for a, q in zip(found, queries, strict=True)])
    return [
        (torch.cat([a for a, _ in query]).numpy(), torch.cat([b for _, b in query]).numpy())
        for query in zip(*parts, strict=True)
    ]


def peers_matching(
    bench: Bench, *, point_set: str | None = None, pairs: int = PAIRS, say: Say = unsaid
) -> list[Predictions]:
    """Matching as DVE and ContrastLandmarks measure it (DVE test_matching.py; ContrastLandmarks `validate`).

    Of two pictures A and B, A is seen through a warp w1, and that view again through w2; B through a warp of its own.
    The landmarks of A in w2∘w1 are to be found in A through w1 (the same photo) and in B (another one). A point that
    a view does not show is put at the pixel of the stored square that shows the place nearest to it, and counts.

    Unlike the peers, who take neighbours in the test list: pairs are of different identities where these are known,
    and a picture may be in several; true places are exact, not rounded to whole pixels; beyond the picture its edge
    continues instead of black. Features are matched as in :func:`matching`.

    Args:
        bench: systems, dataset, split.
        point_set: of the dataset; None for its first.
        pairs: of A and B; the same ones and the same warps for every system.
        say: told what is being measured.

    Raises:
        LeadError: there are not two pictures to pair.
    """
    points = bench.point_set(point_set)
    complete = points.complete
    images = points.images(complete)
    identity = [who or image for who, image in zip(bench.dataset.identity_of(images), images, strict=True)]
    chosen = _pairs(identity, pairs, False, mixed_seed(bench.settings.seed, "peers"))
    if len(chosen) == 0:
        raise LeadError(f"{bench.dataset.name}: no two fully labelled pictures of {bench.split!r} differ in identity.")
    first, second = np.array(complete)[chosen].T.tolist()
    out = []
    for system in (None, *bench.systems):
        say(f"peers' matching: {system.method if system else 'copies in place'}")
        both = cache(partial(_peers, bench, points, system, first, second))
        for i, kind in enumerate(("same", "different")):
            make: Callable[[], Predictions] = partial(lambda both, i: both()[i], both, i)
            out.append(bench.saved(make, points, system, "peers", PREDICTIONS_VERSION, kind, first, second))
    return out


def _peers(
    bench: Bench, points: PointSet, system: System | None, first: list[int], second: list[int]
) -> tuple[Predictions, ...]:
    """Matching in the same photo, and in another one."""
    generator = torch.Generator().manual_seed(mixed_seed(bench.settings.seed, "peers-warp"))

    def batches() -> Batches:
        for start in range(0, len(first), 25):
            a, b = (bench.view(points.labels, rows[start : start + 25]) for rows in (first, second))
            one, two, other = (
                dve_warp(len(a.points), bend=(0.0005, 0.005), shift=0.05, scale=0.05, rotation=2.5, generator=generator)
                for _ in range(3)
            )
            same = a.through(one, clamp=True)
            yield same.through(two, clamp=True), [same, b.through(other, clamp=True)]

    matched = zip(("same", "different"), (first, second), _match_views(bench, system, batches()), strict=True)
    return tuple(
        bench.predictions(
            points,
            rows,
            found[None],
            truth=true,
            metric=f"peers-{kind}",
            references=np.array(points.images(first)),
            **_named(bench, system),
        )
        for kind, rows, (found, true) in matched
    )
