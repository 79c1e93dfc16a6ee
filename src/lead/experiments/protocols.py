"""The measurements: what is fitted on what, on which pictures it is judged, and beside what."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation.metrics import Summary, hiding, mean_shape, normalised_errors, summarise, trust, unit_lengths
from lead.evaluation.results import LabelCount, Result, Row, measured_once
from lead.features import Extractor, FeatureSource, Frame, cached_features
from lead.files import default_cache
from lead.geometry import FloatArray
from lead.images.build import open_store
from lead.images.store import ImageStore
from lead.images.views import View, affine_warp, bend_warp, dve_warp
from lead.inference import Head
from lead.landmarks.model import HIDDEN, Labels
from lead.nn.heads import REDUCED
from lead.nn.matching import match_points
from lead.provenance import commit, machine, today, versions
from lead.reporting import Say, unsaid
from lead.seeds import mixed_seed, run_identity
from lead.training.cascade import fit_cascade
from lead.training.fit import FittedKind, Labelled, PlainKind, apply, fit_ridge, train_softargmax
from lead.training.run import Run, held_out

FEW = (1, 5, 10, 20, 50, 100)
DRAWS = 5
SYSTEMS = ("untrained", "init", "byol", "lead")
PAIRS = 500
"""Of each kind of matching, as the peers have it."""
UNIT = "%"
SHARES = (50, 80, 90)
"""Of the true places, in percent, for which the radii that are said to hold them are checked."""
PIXELS = 70
"""Side in pixels of the frame in which the peers count matching errors."""


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
    """A dataset and what is measured on it: its stored pictures, its labelled rows, the split that is judged.

    Args:
        dataset: with point sets and splits.
        systems: what is measured, all with the settings' picture sizes. Trainings from several seeds are measured one
            bench each, and their rows pooled: see :meth:`lead.evaluation.results.Row.pooled`.
        settings: give picture sizes, the seed of everything random here, and the identities held out.
        split: ``"test"``, or ``"validation"`` for the identities that the settings hold out of training.
        provenance: recorded in the result beside the settings.
        kept: folder of measurements that are made once by one version of the code, so that an interrupted evaluation
            goes on where it was; None for none.

    Raises:
        LeadError: a system's picture sizes are others than the settings'.
    """

    dataset: Dataset
    systems: Sequence[System]
    settings: Settings
    split: str = "test"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    kept: Path | None = None
    store: ImageStore = field(init=False)
    frame: Frame = field(init=False)

    def __post_init__(self) -> None:
        picture = self.settings.picture
        self.frame = Frame.of(picture)
        for system in self.systems:
            if system.extractor.frame != self.frame:
                raise LeadError(
                    f"{system.method} is shown {system.extractor.frame}, the bench {self.frame}. Systems are compared "
                    "on the same pictures: train them with the same picture settings."
                )
        data = self.dataset
        self.store = open_store(data.root, data.files, picture.store, default_cache(), boxes=data.boxes)

    @classmethod
    def of_run(cls, run: Run, dataset: Dataset, split: str = "test", methods: Sequence[str] | None = None) -> Bench:
        """A run's own systems, under its settings. ``methods``: see :func:`systems`."""
        provenance = {"run": run.provenance}
        return cls(dataset, systems(run, methods), run.settings, split, provenance, run.folder / "measured")

    def rows(self, points: Labels) -> tuple[list[int], list[int]]:
        """Rows of ``points`` to fit on and to judge on."""
        settings = self.settings
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
        xy = self.frame.points(self.store, where, points.xy[list(rows)])
        features = cached_features(system.extractor, self.store, where)
        return Labelled(features, torch.from_numpy(xy).float())

    def view(self, points: Labels, rows: Sequence[int]) -> View:
        """Some labelled pictures as they are stored."""
        where = self.store_rows(points, rows)
        xy = self.frame.points(self.store, where, points.xy[list(rows)])
        stored = torch.from_numpy(xy).float() * (self.frame.shown / self.frame.side)
        return View(torch.from_numpy(self.store.pixels[where]), stored)

    def errors(
        self,
        points: Labels,
        rows: Sequence[int],
        predicted: FloatArray,
        pair: tuple[str, str],
        counted: npt.NDArray[np.bool_] | None = None,
    ) -> Summary:
        """Judges normalised predictions (n, K, 2) in the pictures' own pixels; a row may be asked about repeatedly.

        ``counted`` (n, K) says which points are judged; None for all.
        """
        where = self.store_rows(points, rows)
        xy = self.frame.places(self.store, where, predicted)
        truth = points.xy[list(rows)]
        if counted is not None:
            truth = np.where(counted[..., None], truth, np.nan)
        return summarise(normalised_errors(xy, truth, self.units(points, rows, pair)))

    def units(self, points: Labels, rows: Sequence[int], pair: tuple[str, str]) -> FloatArray:
        """(n,) unit lengths in the pictures' own pixels; a row may be asked about repeatedly."""
        unique, back = np.unique(rows, return_inverse=True)
        return unit_lengths(points.take(unique), pair)[back]

    def features_text(self, system: System) -> str:
        """For instance "64-d"."""
        return f"{next(system.extractor.batches(self.store, np.arange(1))).shape[1]}-d"

    def measured(self, what: Sequence[object], points: Labels, measure: Callable[[], list[Row]]) -> list[Row]:
        """The rows of a measurement, read back if this code has made it before.

        Args:
            what: everything that they depend on beside the dataset, its landmarks and the bench's own settings.
            points: the landmarks.
            measure: makes the rows.
        """
        code = commit()
        if self.kept is None or "dirty" in code or code == "unknown":
            return measure()
        settings = self.settings
        protocol = [self.split, settings.seed, settings.validation, settings.validation_seed]
        key = run_identity(list(what), code, self.store.digest, protocol, labels_digest(points))
        return measured_once(self.kept / f"{key}.json", measure)

    def digests(self) -> dict[str, str]:
        """Of what is measured on: the pictures as they are stored, and the landmarks of each point set."""
        points = {name: labels_digest(self.dataset.points(name)) for name in self.dataset.point_sets}
        return {"pictures": self.store.digest, **points}

    def result(
        self, name: str, rows: list[Row], started: float, preset: str, command: Mapping[str, object] | None = None
    ) -> Result:
        """The rows with their provenance, under a name from :func:`result_name`."""
        return Result(
            name=name,
            benchmark=self.dataset.name,
            preset=preset,
            commit=commit(),
            versions=versions(),
            seconds=round(time.monotonic() - started, 1),
            settings=self.settings.model_dump(mode="json") | dict(self.provenance),
            seed=self.settings.seed,
            rows=tuple(rows),
            command=command or {},
            machine=machine(),
            data=self.digests(),
            date=today(),
        )


def regression(
    bench: Bench,
    *,
    labels: Sequence[int | None] = (None,),
    draws: int = 1,
    heads: Sequence[FittedKind] = ("ridge",),
    point_sets: Sequence[str] | None = None,
    say: Say = unsaid,
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
        plans = [(n, label_draws(bench, fit, n, draws)) for n in labels if n not in too_many]
        if not plans:
            raise LeadError(f"Only {len(fit)} training pictures of {name!r} are labelled; ask for fewer --labels.")
        for number, chosen in plans:
            shapes = [_mean_shape(bench, points, d, judge, pair) for d in chosen]
            rows.append(Row.of_draws("mean-shape", "", label_count(number), metric, UNIT, shapes))
        for system in bench.systems:
            training = bench.labelled(system, points, fit)
            for number, chosen in plans:
                for kind in heads:
                    if kind == "cascade" and training.features.shape[1] > REDUCED:
                        continue  # it is for compact features
                    method = f"{system.method}/{kind}"
                    say(f"{metric}: {method}, {number or 'all'} labels")

                    if kind == "cascade":
                        measure = partial(_cascade_rows, bench, system, points, number, chosen, judge, metric)
                    else:
                        measure = partial(_head_rows, bench, system, kind, points, number, chosen, fit, judge, metric)
                    what = [method, system.extractor.digest(), number, len(chosen), metric]
                    rows += bench.measured(what, points, measure)
    return rows


def _head_rows(
    bench: Bench,
    system: System,
    kind: PlainKind,
    points: Labels,
    number: int | None,
    chosen: Sequence[list[int]],
    fit: list[int],
    judge: list[int],
    metric: str,
) -> list[Row]:
    """Errors of heads fitted on draws of labelled pictures."""
    training, unseen = bench.labelled(system, points, fit), bench.labelled(system, points, judge)
    pair = bench.dataset.normaliser[metric.removeprefix("regression-")]
    summaries = []
    for d, picked in enumerate(chosen):
        some = training if number is None else training.take(np.searchsorted(fit, picked))
        head = fitted(kind, some, mixed_seed(bench.settings.seed, "head", d))
        summaries.append(bench.errors(points, judge, apply(head, unseen).double().numpy(), pair))
    features = f"{training.features.shape[1]}-d"
    return [Row.of_draws(f"{system.method}/{kind}", features, label_count(number), metric, UNIT, summaries)]


def _cascade_rows(
    bench: Bench,
    system: System,
    points: Labels,
    number: int | None,
    chosen: Sequence[list[int]],
    judge: list[int],
    metric: str,
) -> list[Row]:
    """Errors of cascades fitted on draws of labelled pictures, and whether the errors that they tell are true."""
    name = metric.removeprefix("regression-")
    summaries, told = [], []
    for d, picked in enumerate(chosen):
        seed = mixed_seed(bench.settings.seed, "head", d)
        predicted, expected, radii, hidden = _cascade(bench, system, points, picked, judge, seed)
        summaries.append(bench.errors(points, judge, predicted, bench.dataset.normaliser[name]))
        true = bench.frame.points(bench.store, bench.store_rows(points, judge), points.xy[judge])
        away = np.linalg.norm(predicted - true, axis=-1) / 2
        known = np.isfinite(away) & np.isfinite(expected)
        told.append(trust(expected, radii, away) | hiding(hidden, points.visible[judge] == HIDDEN, known))
    features, count = bench.features_text(system), label_count(number)
    rows = [Row.of_draws(f"{system.method}/cascade", features, count, metric, UNIT, summaries)]
    for key in told[0]:
        values = [Summary(one[key], one[key], 0.0, 1, 1, 0) for one in told]
        rows.append(Row.of_draws(f"{system.method}/cascade", features, count, f"{key}-{name}", UNIT, values))
    return rows


def _cascade(
    bench: Bench, system: System, points: Labels, picked: list[int], judge: list[int], seed: int
) -> tuple[FloatArray, FloatArray, dict[int, FloatArray], npt.NDArray[np.bool_]]:
    """Predictions (n, K, 2), normalised; expected errors (n, K), and radii said to hold 50, 80 and 90 % of the truth,
    as shares of the frame's side; which landmarks (n, K) are said to be hidden. With few labels, unlabelled pictures of
    those to fit on are learnt from too.

    A landmark that none of the picked pictures labels is put in the middle, as the ridge head does, and nothing is told
    of it (NaN).
    """
    known = np.flatnonzero(np.isfinite(points.xy[picked]).all(-1).any(0))
    source = FeatureSource(system.extractor, bench.store)
    rows = bench.store_rows(points, picked)
    xy = source.points(rows, points.xy[picked])
    fitted = fit_cascade(
        source,
        rows,
        torch.from_numpy(xy[:, known]).float(),
        hidden=points.visible[picked][:, known] == HIDDEN,
        unlabelled=bench.store_rows(points, bench.rows(points)[0]),
        groups=[PurePosixPath(points.images[i]).parent.as_posix() for i in picked],
        seed=seed,
    )
    device = system.extractor.device
    head, confidence = fitted.head.to(device), fitted.confidence.to(device)
    found = list(source.find(head, bench.store_rows(points, judge)))
    errors = torch.cat([confidence.expected(f.signals) * f.size[:, None] / 2 for f in found])
    expected = np.full((len(judge), points.xy.shape[1]), np.nan)
    expected[:, known] = errors.double().cpu().numpy()
    places = np.zeros((*expected.shape, 2))
    places[:, known] = torch.cat([f.points for f in found]).double().cpu().numpy()
    radii = {share: expected * confidence.factor(share / 100) for share in SHARES}
    hidden = np.zeros(expected.shape, dtype=bool)
    hidden[:, known] = torch.cat([confidence.is_hidden(f.signals) for f in found]).cpu().numpy()
    return places, expected, radii, hidden


def fitted(kind: PlainKind, labelled: Labelled, seed: int) -> Head:
    """A head fitted on labelled pictures."""
    return fit_ridge(labelled, seed=seed).head if kind == "ridge" else train_softargmax(labelled, seed)


def labels_digest(labels: Labels) -> str:
    """Short digest of which pictures are labelled, and where."""
    return hashlib.sha256(repr(labels.images).encode() + labels.xy.tobytes()).hexdigest()[:16]


def label_count(number: int | None) -> LabelCount:
    return "all" if number is None else number


def label_draws(bench: Bench, fit: list[int], number: int | None, draws: int) -> list[list[int]]:
    """Seeded draws of labelled pictures, the same for every system and head."""
    if number is None:
        return [fit]
    seed = bench.settings.seed
    out = []
    for d in range(draws):
        random = np.random.default_rng(mixed_seed(seed, "labels", number, d))
        out.append(sorted(random.choice(fit, number, replace=False).tolist()))
    return out


def _mean_shape(
    bench: Bench, points: Labels, picked: Sequence[int], judge: Sequence[int], pair: tuple[str, str]
) -> Summary:
    """The labelled pictures' mean, for everyone: what no feature at all achieves.

    A landmark that none of them labels is put in the middle, which is the ridge head's answer too.
    """
    labelled = bench.frame.points(bench.store, bench.store_rows(points, picked), points.xy[list(picked)])
    shape = np.nan_to_num(mean_shape(labelled), nan=0.0)
    return bench.errors(points, judge, np.broadcast_to(shape, (len(judge), *shape.shape)), pair)


def matching(bench: Bench, *, point_set: str | None = None, pairs: int = PAIRS, say: Say = unsaid) -> list[Row]:
    """Carries landmarks from one picture to another: a warped copy, another picture of one identity, another identity.

    Args:
        bench: run, dataset, split.
        point_set: of the dataset; None for its first.
        pairs: of each kind.
        say: told what is being measured.
    """
    points, pair, complete = _complete(bench, point_set)
    identity = bench.dataset.identity_of(points.images[i] for i in complete)
    kinds = {
        kind: _pairs(identity, pairs, same, mixed_seed(bench.settings.seed, kind))
        for kind, same in (("same", True), ("different", False))
    }
    random = np.random.default_rng(mixed_seed(bench.settings.seed, "photos"))
    photos = sorted(random.permutation(complete)[:pairs].tolist())
    say("matching: warped pictures")
    copied, *warped = _match_warped(bench, points, photos, pair)
    rows = [Row.of_draws("copy-location", "", None, "matching-warp", UNIT, [copied])]
    for kind, chosen in kinds.items():
        if len(chosen):
            summary = _copied(bench, points, complete, chosen, pair)
            rows.append(Row.of_draws("copy-location", "", None, f"matching-{kind}", UNIT, [summary]))
    for system, of_warped in zip(bench.systems, warped, strict=True):
        say(f"matching: {system.method}")
        known = bench.labelled(system, points, complete)
        features = f"{known.features.shape[1]}-d"
        rows.append(Row.of_draws(system.method, features, None, "matching-warp", UNIT, [of_warped]))
        for kind, chosen in kinds.items():
            if len(chosen):
                summary = _match_pairs(bench, known, points, complete, chosen, pair)
                rows.append(Row.of_draws(system.method, features, None, f"matching-{kind}", UNIT, [summary]))
    return rows


def _complete(bench: Bench, point_set: str | None) -> tuple[Labels, tuple[str, str], list[int]]:
    """A point set, the pair that is its unit, and the judged rows whose every landmark is labelled."""
    name = point_set or next(iter(bench.dataset.point_sets), "")
    points = bench.dataset.points(name)
    _, judge = bench.rows(points)
    return points, bench.dataset.normaliser[name], [i for i in judge if np.isfinite(points.xy[i]).all()]


def _pairs(identity: Sequence[str], count: int, same: bool, seed: int) -> npt.NDArray[np.int64]:
    """(count, 2) seeded ordered pairs of distinct pictures, of one identity or of two; empty where there are none."""
    names = np.array(identity)
    possible = np.argwhere((names[:, None] == names[None, :]) == same)
    possible = possible[possible[:, 0] != possible[:, 1]]
    random = np.random.default_rng(seed)
    chosen: npt.NDArray[np.int64] = possible[random.permutation(len(possible))[:count]]
    return chosen


def _copied(
    bench: Bench, points: Labels, rows: list[int], chosen: npt.NDArray[np.int64], pair: tuple[str, str]
) -> Summary:
    """The reference's places in the frame, unchanged."""
    predicted = bench.frame.points(bench.store, bench.store_rows(points, rows), points.xy[rows])[chosen[:, 0]]
    return bench.errors(points, [rows[i] for i in chosen[:, 1]], predicted, pair)


def _match_pairs(
    bench: Bench,
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
    return bench.errors(points, [rows[i] for i in chosen[:, 1]], predicted, pair)


def _match_warped(bench: Bench, points: Labels, rows: list[int], pair: tuple[str, str]) -> list[Summary]:
    """One photo and its warped copy; the warp is like DVE's at test time, drawn once and the same for every system.

    A landmark that the warp moves out of the stored square does not count. Returns the errors of the places copied
    as they are, then each system's.
    """
    generator = torch.Generator().manual_seed(mixed_seed(bench.settings.seed, "warp"))

    def batches() -> Iterator[tuple[View, list[View]]]:
        for start in range(0, len(rows), 50):
            photo = bench.view(points, rows[start : start + 50])
            count = len(photo.points)
            warp = affine_warp(count, scale=(0.95, 1.05), shift=0.05, rotation=2.5, stretch=0.0, generator=generator)
            yield photo, [photo.through(bend_warp(warp, strength=(0.0005, 0.005), generator=generator))]

    (apart,) = _match_views(bench, batches())
    return [summarise(_percent(bench, points, rows, one, pair)) for one in apart]


def _match_views(bench: Bench, batches: Iterable[tuple[View, list[View]]]) -> FloatArray:
    """Carries the landmarks of reference views to query views of as many pictures.

    Args:
        bench: whose systems match.
        batches: a reference and Q queries each, N pictures in all.

    Returns:
        (Q, 1 + systems, N, K, 2) the places found less the true ones, normalised to the shown square: of the
        reference's places copied as they are, then of each system. NaN where the truth is.
    """
    ratio = bench.frame.side / bench.frame.shown
    parts: list[FloatArray] = []
    for reference, queries in batches:
        asked = reference.points * ratio
        found = [[asked] for _ in queries]
        for system in bench.systems:
            extractor = system.extractor
            features, places = extractor.features(reference.pixels), asked.to(extractor.device)
            for query, answers in zip(queries, found, strict=True):
                answers.append(match_points(features, places, extractor.features(query.pixels))[0].cpu())
        true = torch.stack([query.points * ratio for query in queries])[:, None]  # (Q, 1, n, K, 2)
        parts.append((torch.stack([torch.stack(answers) for answers in found]).double() - true.double()).numpy())
    return np.concatenate(parts, axis=2)


def _percent(bench: Bench, points: Labels, rows: Sequence[int], apart: FloatArray, pair: tuple[str, str]) -> FloatArray:
    """Errors (n, K) from offsets (n, K, 2) normalised to the shown square, in % of the unwarped pictures' units."""
    scale = bench.store.scale[bench.store_rows(points, rows)][:, None]
    distance: FloatArray = np.linalg.norm(apart * (bench.frame.shown / 2) / scale, axis=-1)  # original pixels
    return 100 * distance / bench.units(points, rows, pair)[:, None]


def peers_matching(bench: Bench, *, point_set: str | None = None, pairs: int = PAIRS, say: Say = unsaid) -> list[Row]:
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

    Returns:
        Rows in pixels of a shown square of PIXELS pixels, which is the peers' unit, and in % of the unit length of
        the unwarped query picture.

    Raises:
        LeadError: there are not two pictures to pair.
    """
    points, pair, complete = _complete(bench, point_set)
    images = [points.images[i] for i in complete]
    identity = [who or image for who, image in zip(bench.dataset.identity_of(images), images, strict=True)]
    chosen = _pairs(identity, pairs, False, mixed_seed(bench.settings.seed, "peers"))
    if len(chosen) == 0:
        raise LeadError(f"{bench.dataset.name}: no two fully labelled pictures of {bench.split!r} differ in identity.")
    first, second = ([complete[i] for i in column] for column in chosen.T)
    generator = torch.Generator().manual_seed(mixed_seed(bench.settings.seed, "peers-warp"))

    def batches() -> Iterator[tuple[View, list[View]]]:
        for start in range(0, len(chosen), 25):
            say(f"peers' matching: {start} of {len(chosen)} pairs")
            a, b = (bench.view(points, rows[start : start + 25]) for rows in (first, second))
            one, two, other = (
                dve_warp(len(a.points), bend=(0.0005, 0.005), shift=0.05, scale=0.05, rotation=2.5, generator=generator)
                for _ in range(3)
            )
            same = a.through(one, clamp=True)
            yield same.through(two, clamp=True), [same, b.through(other, clamp=True)]

    matched = dict(zip(("same", "different"), _match_views(bench, batches()), strict=True))
    lines = [("copy-location", ""), *((s.method, bench.features_text(s)) for s in bench.systems)]
    rows = []
    for i, (method, features) in enumerate(lines):
        for (kind, apart), queries in zip(matched.items(), (first, second), strict=True):
            pixels = np.linalg.norm(apart[i], axis=-1) * (PIXELS / 2)
            for unit, errors in (
                (f"px of {PIXELS}", pixels),
                (UNIT, _percent(bench, points, queries, apart[i], pair)),
            ):
                rows.append(Row.of_draws(method, features, None, f"peers-{kind}", unit, [summarise(errors)]))
    return rows
