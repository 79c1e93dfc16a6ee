"""The measurements: what is fitted on what, on which pictures it is judged, and beside what."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation.metrics import Summary, mean_shape, normalised_errors, summarise, unit_lengths
from lead.evaluation.results import LabelCount, Result, Row
from lead.geometry import FloatArray, inside
from lead.images.store import ImageStore, default_cache, open_store
from lead.images.views import affine_warp, bend_warp, render
from lead.inference import Extractor, cached_features
from lead.landmarks.model import Labels
from lead.nn.matching import match_points
from lead.provenance import commit, versions
from lead.training.engine import mixed_seed
from lead.training.fit import FittedKind, Labelled, apply, fit_ridge, train_softargmax
from lead.training.run import Run, held_out

FEW = (1, 5, 10, 20, 50, 100)
DRAWS = 5
SYSTEMS = ("untrained", "init", "byol", "lead")
PAIRS = 500
"""Of each kind of matching, as the peers have it."""
UNIT = "%"

Say = Callable[[str], None]


def result_name(task: str, split: str, point_sets: Sequence[str] | None = None) -> str:
    """The name under which a task's result is filed: few-shot, few-shot-5, few-shot-5-validation."""
    return "-".join([task, *(point_sets or ()), *([] if split == "test" else [split])])


@dataclass(frozen=True)
class System:
    """One line of a table: a method and the features that it works on."""

    method: str
    extractor: Extractor


def systems(run: Run, methods: Sequence[str] | None = None) -> list[System]:
    """The run's features beside the same backbone untrained, as it started, and after stage 1 (hypercolumns).

    ``methods`` names those wanted; None means all that the run has.
    """
    settings = run.settings
    picture, levels = settings.picture, settings.hypercolumn
    out = [System("untrained", Extractor(run.untrained_backbone(), picture, levels))]
    if settings.backbone.init != "random":
        out.append(System("init", Extractor(run.initial_backbone(), picture, levels)))
    if run.has_backbone and run.provenance.get("pretrain_steps", 1):
        out.append(System("byol", Extractor(run.backbone(), picture, levels)))
    if run.has_student:
        out.append(System("lead", Extractor(run.student(), picture)))
    return [system for system in out if methods is None or system.method in methods]


@dataclass
class Bench:
    """A dataset seen by a run: its stored pictures, its labelled rows, the split that is judged.

    Args:
        run: whose settings give sizes and the identities held out.
        dataset: with point sets and splits.
        split: ``"test"``, or ``"validation"`` for the identities that the run held out of its training.
        methods: see :func:`systems`.
    """

    run: Run
    dataset: Dataset
    split: str = "test"
    methods: Sequence[str] | None = None
    store: ImageStore = field(init=False)

    def __post_init__(self) -> None:
        picture = self.run.settings.picture
        data = self.dataset
        self.store = open_store(data.root, data.files, picture.store, default_cache(), boxes=data.boxes)

    def rows(self, points: Labels) -> tuple[list[int], list[int]]:
        """Rows of ``points`` to fit on and to judge on."""
        settings = self.run.settings
        out = held_out(self.dataset, settings.validation, settings.validation_seed)
        who = dict(zip(self.dataset.files, zip(self.dataset.split, self.dataset.identity, strict=True), strict=True))
        readable = set(self.store.files)
        place = [who[image] if image in readable else ("unreadable", "") for image in points.images]
        fit = [i for i, (split, person) in enumerate(place) if split == "train" and person not in out]
        if self.split == "validation":
            if not out:
                raise LeadError("This run held no identities out: train it with --set validation=0.2 to validate.")
            judge = [i for i, (split, person) in enumerate(place) if split == "train" and person in out]
        else:
            judge = [i for i, (split, _) in enumerate(place) if split == self.split]
        if not fit or not judge:
            raise LeadError(f"{self.dataset.name}: {len(fit)} pictures to fit on, {len(judge)} of {self.split!r}.")
        return fit, judge

    def store_rows(self, points: Labels, rows: Sequence[int]) -> npt.NDArray[np.int64]:
        """Rows of the store that show some rows of ``points``."""
        return np.array([self.store.index(points.images[i]) for i in rows], dtype=np.int64)

    def labelled(self, system: System, points: Labels, rows: Sequence[int]) -> Labelled:
        """Features and normalised landmarks of some labelled pictures."""
        where = self.store_rows(points, rows)
        xy = system.extractor.frame.normalise(self.store.to_store(where, points.xy[list(rows)]))
        features = cached_features(system.extractor, self.store, where)
        return Labelled(features, torch.from_numpy(xy).float())

    def errors(
        self, points: Labels, rows: Sequence[int], predicted: FloatArray, pair: tuple[str, str], system: System
    ) -> Summary:
        """Judges normalised predictions (n, K, 2) in the pictures' own pixels; a row may be asked about repeatedly."""
        where = self.store_rows(points, rows)
        xy = self.store.to_original(where, system.extractor.frame.denormalise(predicted))
        unique, back = np.unique(rows, return_inverse=True)
        units = unit_lengths(points.take(unique), pair)[back]
        return summarise(normalised_errors(xy, points.xy[list(rows)], units))

    def result(self, name: str, rows: list[Row], started: float, preset: str) -> Result:
        """The rows with their provenance, under a name from :func:`result_name`."""
        return Result(
            name=name,
            benchmark=self.dataset.name,
            preset=preset,
            commit=commit(),
            versions=versions(),
            seconds=round(time.monotonic() - started, 1),
            settings=self.run.settings.model_dump(mode="json") | {"run": self.run.provenance},
            seed=self.run.settings.seed,
            rows=tuple(rows),
        )


def regression(
    bench: Bench,
    *,
    labels: Sequence[int | None] = (None,),
    draws: int = 1,
    heads: Sequence[FittedKind] = ("ridge",),
    point_sets: Sequence[str] | None = None,
    say: Say = lambda _: None,
) -> list[Row]:
    """Fits heads on labelled training pictures and judges them on the split.

    Args:
        bench: run, dataset, split.
        labels: numbers of labelled pictures; None for all of them.
        draws: seeded draws of the labelled pictures for each number.
        heads: which to fit.
        point_sets: of the dataset; None for all.
        say: told what is being measured.
    """
    rows: list[Row] = []
    for name in point_sets or bench.dataset.point_sets:
        points = bench.dataset.points(name)
        pair = bench.dataset.normaliser[name]
        fit, judge = bench.rows(points)
        metric = f"regression-{name}"
        too_many = [n for n in labels if n is not None and n > len(fit)]
        if too_many:
            say(f"{metric}: left out {', '.join(map(str, too_many))} labels; only {len(fit)} pictures are labelled.")
        plans = [(n, _draws(bench, fit, n, draws)) for n in labels if n not in too_many]
        if not plans:
            raise LeadError(f"Only {len(fit)} training pictures of {name!r} are labelled; ask for fewer --labels.")
        made = systems(bench.run, bench.methods)
        for number, chosen in plans:
            shapes = [_mean_shape(bench, made[0], points, d, judge, pair) for d in chosen]
            rows.append(Row.of_draws("mean-shape", "", _label(number), metric, UNIT, shapes))
        for system in made:
            training = bench.labelled(system, points, fit)
            unseen = bench.labelled(system, points, judge)
            features = f"{training.features.shape[1]}-d"
            for number, chosen in plans:
                for kind in heads:
                    say(f"{metric}: {system.method}/{kind}, {number or 'all'} labels")
                    summaries = []
                    for d, picked in enumerate(chosen):
                        some = training if number is None else training.take(np.searchsorted(fit, picked))
                        seed = mixed_seed(bench.run.settings.seed, "head", d)
                        head = fit_ridge(some, seed=seed).head if kind == "ridge" else train_softargmax(some, seed)
                        predicted = apply(head, unseen).double().numpy()
                        summaries.append(bench.errors(points, judge, predicted, pair, system))
                    rows.append(
                        Row.of_draws(f"{system.method}/{kind}", features, _label(number), metric, UNIT, summaries)
                    )
    return rows


def _label(number: int | None) -> LabelCount:
    return "all" if number is None else number


def _draws(bench: Bench, fit: list[int], number: int | None, draws: int) -> list[list[int]]:
    """Seeded draws of labelled pictures, the same for every system and head."""
    if number is None:
        return [fit]
    seed = bench.run.settings.seed
    out = []
    for d in range(draws):
        random = np.random.default_rng(mixed_seed(seed, "labels", number, d))
        out.append(sorted(random.choice(fit, number, replace=False).tolist()))
    return out


def _mean_shape(
    bench: Bench, system: System, points: Labels, picked: Sequence[int], judge: Sequence[int], pair: tuple[str, str]
) -> Summary:
    """The labelled pictures' mean, for everyone: what no feature at all achieves.

    A landmark that none of them labels is put in the middle, which is the ridge head's answer too.
    """
    xy = bench.store.to_store(bench.store_rows(points, picked), points.xy[list(picked)])
    shape = np.nan_to_num(mean_shape(system.extractor.frame.normalise(xy)), nan=0.0)
    return bench.errors(points, judge, np.broadcast_to(shape, (len(judge), *shape.shape)), pair, system)


def matching(bench: Bench, *, point_set: str | None = None, pairs: int = PAIRS, say: Say = lambda _: None) -> list[Row]:
    """Carries landmarks from one picture to another: a warped copy, another picture of one identity, another identity.

    Args:
        bench: run, dataset, split.
        point_set: of the dataset; None for its first.
        pairs: of each kind.
        say: told what is being measured.
    """
    name = point_set or next(iter(bench.dataset.point_sets))
    points = bench.dataset.points(name)
    pair = bench.dataset.normaliser[name]
    _, judge = bench.rows(points)
    complete = [i for i in judge if np.isfinite(points.xy[i]).all()]
    identity = bench.dataset.identity_of(points.images[i] for i in complete)
    kinds = {
        kind: _pairs(identity, pairs, same, mixed_seed(bench.run.settings.seed, kind))
        for kind, same in (("same", True), ("different", False))
    }
    random = np.random.default_rng(mixed_seed(bench.run.settings.seed, "photos"))
    photos = sorted(random.permutation(complete)[:pairs].tolist())
    made = systems(bench.run, bench.methods)
    rows = [
        Row.of_draws(
            "copy-location",
            "",
            None,
            f"matching-{kind}",
            UNIT,
            [_copied(bench, made[0], points, complete, chosen, pair)],
        )
        for kind, chosen in kinds.items()
        if len(chosen)
    ]
    for system in made:
        say(f"matching: {system.method}")
        known = bench.labelled(system, points, complete)
        features = f"{known.features.shape[1]}-d"
        warped, copied = _match_warped(bench, system, points, photos, pair)
        if system is made[0]:
            rows.insert(0, Row.of_draws("copy-location", "", None, "matching-warp", UNIT, [copied]))
        rows.append(Row.of_draws(system.method, features, None, "matching-warp", UNIT, [warped]))
        for kind, chosen in kinds.items():
            if len(chosen):
                summary = _match_pairs(bench, system, known, points, complete, chosen, pair)
                rows.append(Row.of_draws(system.method, features, None, f"matching-{kind}", UNIT, [summary]))
    return rows


def _pairs(identity: Sequence[str], count: int, same: bool, seed: int) -> npt.NDArray[np.int64]:
    """(count, 2) seeded ordered pairs of distinct pictures, of one identity or of two; empty where there are none."""
    names = np.array(identity)
    possible = np.argwhere((names[:, None] == names[None, :]) == same)
    possible = possible[possible[:, 0] != possible[:, 1]]
    random = np.random.default_rng(seed)
    chosen: npt.NDArray[np.int64] = possible[random.permutation(len(possible))[:count]]
    return chosen


def _copied(
    bench: Bench,
    system: System,
    points: Labels,
    rows: list[int],
    chosen: npt.NDArray[np.int64],
    pair: tuple[str, str],
) -> Summary:
    """The reference's places in the frame, unchanged."""
    xy = bench.store.to_store(bench.store_rows(points, rows), points.xy[rows])
    predicted = system.extractor.frame.normalise(xy)[chosen[:, 0]]
    return bench.errors(points, [rows[i] for i in chosen[:, 1]], predicted, pair, system)


def _match_pairs(
    bench: Bench,
    system: System,
    known: Labelled,
    points: Labels,
    rows: list[int],
    chosen: npt.NDArray[np.int64],
    pair: tuple[str, str],
) -> Summary:
    found = []
    for part in np.array_split(chosen, max(len(chosen) // 32, 1)):
        reference, query = known.take(part[:, 0]), known.take(part[:, 1])
        everything = slice(None)
        places, _ = match_points(reference.feature_chunk(everything), reference.points, query.feature_chunk(everything))
        found.append(places)
    predicted = torch.cat(found).double().numpy()
    return bench.errors(points, [rows[i] for i in chosen[:, 1]], predicted, pair, system)


def _match_warped(
    bench: Bench, system: System, points: Labels, rows: list[int], pair: tuple[str, str]
) -> tuple[Summary, Summary]:
    """One photo and its warped copy; the warp is DVE's at test time, drawn once and the same for every system.

    Errors are measured in the warped copy, in units of the unwarped picture's own length. A landmark that the warp
    moves out of the stored square does not count. Returns the system's errors, and those of the same place.
    """
    extractor, store = system.extractor, bench.store
    frame = extractor.frame
    generator = torch.Generator().manual_seed(mixed_seed(bench.run.settings.seed, "warp"))
    errors: list[FloatArray] = []
    stayed: list[FloatArray] = []
    for start in range(0, len(rows), 50):
        part = rows[start : start + 50]
        where = bench.store_rows(points, part)
        pixels = torch.from_numpy(store.pixels[where])
        warp = affine_warp(len(part), scale=(0.95, 1.05), shift=0.05, rotation=2.5, stretch=0.0, generator=generator)
        warp = bend_warp(warp, strength=(0.0005, 0.005), generator=generator)
        seen = render(pixels.permute(0, 3, 1, 2).float(), warp, store.side)  # warped in the store's own frame
        seen = seen.permute(0, 2, 3, 1).round().to(torch.uint8)
        ratio = frame.side / frame.shown
        inner = torch.from_numpy(frame.normalise(store.to_store(where, points.xy[part]))).float()
        moved = warp.unbend(inner / ratio)
        truth = torch.where(inside(moved)[..., None], moved * ratio, float("nan"))
        reference, query = extractor.features(pixels), extractor.features(seen)
        found, _ = match_points(reference, inner.to(extractor.device), query)
        unit = unit_lengths(points.take(part), pair)[:, None]
        for out, answer in ((errors, found.cpu()), (stayed, inner)):
            apart = frame.denormalise(answer.double().numpy()) - frame.denormalise(truth.double().numpy())
            distance = np.linalg.norm(apart / store.scale[where][:, None], axis=-1)  # original pixels
            out.append(100 * distance / unit)
    return summarise(np.concatenate(errors)), summarise(np.concatenate(stayed))
