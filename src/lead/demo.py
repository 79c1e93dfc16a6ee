"""The whole method in minutes, on pictures that it draws itself, with a page at the end that shows what came of it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from lead.api import evaluate, fit, match, train
from lead.beetles.writing import write_beetles
from lead.config import Settings, load_preset
from lead.datasets import Dataset, open_dataset
from lead.errors import LeadError
from lead.evaluation import results
from lead.evaluation.chart import Chart, Curve
from lead.evaluation.curves import read_metrics
from lead.evaluation.draw import contact_sheet, draw_landmarks, draw_match, heat_overlay
from lead.evaluation.metrics import normalised_errors, unit_lengths
from lead.evaluation.report import KeyFigure, Section, Shown, write_report
from lead.evaluation.results import Result, Row
from lead.features import Extractor
from lead.files import default_cache, write_atomic
from lead.geometry import FloatArray
from lead.images.build import open_store
from lead.images.decode import decode
from lead.images.labels import load_labels, save_labels
from lead.inference import Landmarker
from lead.landmarks import VISIBLE, Labels
from lead.nn.matching import similarity_maps
from lead.provenance import commit, versions
from lead.reporting import Report, Say, counted, silent, unsaid
from lead.seeds import mixed_seed
from lead.training.run import Run

POINTS = "all"
"""The beetles' point set."""
ASKED = ("left_eye", "scutellum", "abdomen_tip", "right_hind_knee")
"""Landmarks whose similarity maps are shown."""


@dataclass(frozen=True)
class DemoPlan:
    """How large a demo is; as it stands, some four minutes on two cores.

    Attributes:
        pictures: drawn, of both splits.
        size: their side in pixels.
        labels: labelled training pictures that the landmark head learns from.
        draws: repetitions, with other labelled pictures, of the measured error.
        pool: labelled training pictures from which those are drawn; features of no others need computing.
        settings: of the training. They show the network whole pictures (``picture.frame`` is 1).
    """

    pictures: int = 1200
    size: int = 96
    labels: int = 20
    draws: int = 3
    pool: int = 100
    settings: Settings = field(default_factory=lambda: load_preset("tiny"))

    def identity(self, seed: int) -> dict[str, Any]:
        """Everything that the outcome depends on, as plain JSON values."""
        sizes = {name: getattr(self, name) for name in ("pictures", "size", "labels", "draws", "pool")}
        return sizes | {"settings": self.settings.model_copy(update={"seed": seed}).model_dump(mode="json")}


def run_demo(
    out: Path,
    *,
    seed: int = 0,
    plan: DemoPlan | None = None,
    report: Report = silent,
    say: Say = unsaid,
) -> Path:
    """Draws beetles, learns features without labels, fits landmarks from a few, measures, and writes a report.

    Called again on the same folder it goes on where it stopped, or returns at once if it is finished.

    Args:
        out: a folder that is missing, empty, or a demo of the same seed and plan.
        seed: of the pictures, the training and every draw.
        plan: sizes.
        report: called as training goes on.
        say: told what is being done.

    Returns:
        The report, an HTML file that needs no other file.

    Raises:
        LeadError: the folder holds something else; or the user interrupted.
    """
    plan = plan or DemoPlan()
    demo = _Demo.create(out, seed, plan)
    if demo.report.is_file():
        say(f"This demo is finished: {demo.report}")
        return demo.report
    with demo.timed("drawing"):
        say(f"Drawing {counted(plan.pictures, 'beetle')}")
        write_beetles(demo.pictures, plan.pictures, seed=seed, size=plan.size)
    dataset = open_dataset(demo.pictures)
    with demo.timed("training"):
        say("Learning features without labels")
        settings = plan.settings.model_copy(update={"seed": seed})
        run = train(dataset, out / "run", settings=settings, report=report)
    with demo.timed("landmarks"):
        say(f"Learning landmarks from {counted(plan.labels, 'labelled picture', 'labelled pictures')}")
        predictions = _predict(demo, _fit(demo, run, dataset), dataset)
    with demo.timed("measuring"):
        say("Measuring, beside the untrained network")
        found = _evaluate(demo, run, dataset, say)
    say("Writing the report")
    sections = [
        *_outcome(demo, dataset, predictions, found),
        *_insight(demo, run, dataset),
        _learning(run),
        Section("The measurements", MEASURED, tables=found),
        _making(demo, run),
    ]
    write_report(
        demo.report, title=f"Landmarks from {plan.labels} labels", intro=_intro(demo, dataset), sections=sections
    )
    return demo.report


# --- the folder ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Demo:
    """A demo's folder. ``demo.json`` marks it, and holds its plan and the seconds that its parts took."""

    out: Path
    seed: int
    plan: DemoPlan

    @classmethod
    def create(cls, out: Path, seed: int, plan: DemoPlan) -> _Demo:
        """A new demo, or one that is there. Raises :class:`LeadError` if anything else is."""
        demo = cls(out, seed, plan)
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            known = demo._marker()
            if known is None:
                raise LeadError(f"{out} exists and does not hold a demo. Give --out a new or empty folder.")
            if known.get("plan") != plan.identity(seed):
                raise LeadError(f"{out} holds a demo of another seed or other settings. Give --out another folder.")
        else:
            write_atomic(out / "demo.json", json.dumps({"plan": plan.identity(seed), "seconds": {}}, indent=1))
        return demo

    @property
    def pictures(self) -> Path:
        return self.out / "pictures"

    @property
    def report(self) -> Path:
        return self.out / "report.html"

    @property
    def seconds(self) -> dict[str, float]:
        """What each part took so far, over all commands."""
        spent: dict[str, float] = (self._marker() or {})["seconds"]
        return spent

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Adds the time spent inside to a part, also when it is cut short."""
        started = time.monotonic()
        try:
            yield
        finally:
            seconds = self.seconds
            seconds[part] = round(seconds.get(part, 0.0) + time.monotonic() - started, 1)
            text = json.dumps({"plan": self.plan.identity(self.seed), "seconds": seconds}, indent=1)
            write_atomic(self.out / "demo.json", text, overwrite=True)

    def random(self, purpose: str) -> np.random.Generator:
        """A source of randomness for one purpose."""
        return np.random.default_rng(mixed_seed(self.seed, "demo", purpose))

    def _marker(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.out / "demo.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"plan", "seconds"} <= found.keys() else None


# --- the parts -----------------------------------------------------------------------------------------------------


def _fit(demo: _Demo, run: Run, dataset: Dataset) -> Landmarker:
    """The landmark model of a few labelled training pictures, made or found made."""
    path = demo.out / "model.safetensors"
    if not path.is_file():
        chosen = _labelled(demo, dataset, demo.plan.labels, "labels")
        save_labels(chosen, demo.out / "labels.json", overwrite=True)
        fit(run, demo.out / "labels.json", pictures=demo.pictures, seed=demo.seed).landmarker.save(path)
    return Landmarker.load(path)


def _predict(demo: _Demo, model: Landmarker, dataset: Dataset) -> Labels:
    """Landmarks of the test split's pictures, made or found made."""
    path = demo.out / "predictions.json"
    if not path.is_file():
        files = [dataset.files[i] for i in dataset.rows("test")]
        store = open_store(demo.pictures, files, model.settings.picture.store, default_cache())
        save_labels(model.predict_store(store), path)
    return load_labels(path)


def _evaluate(demo: _Demo, run: Run, dataset: Dataset, say: Say) -> list[Result]:
    """Both measurements, made or found made."""
    pool = _labelled(demo, dataset, demo.plan.pool, "pool")
    kept = {*pool.images, *_of_split(dataset, "test").images}
    points = dataset.points(POINTS)
    measured = replace(dataset, point_sets={POINTS: points.take(i for i, f in enumerate(points.images) if f in kept)})
    out = []
    for task in ("few-shot", "matching"):
        path = demo.out / "results" / dataset.name / "tiny" / f"{task}.json"
        if not path.is_file():
            labels, draws = (demo.plan.labels,), demo.plan.draws
            evaluate(run, measured, task, preset="tiny", labels=labels, draws=draws, say=say).write(path)
        out.append(results.read(path))
    return out


def _of_split(dataset: Dataset, split: str) -> Labels:
    """The labels of a split's pictures."""
    files = {dataset.files[i] for i in dataset.rows(split)}
    points = dataset.points(POINTS)
    return points.take(i for i, image in enumerate(points.images) if image in files)


def _labelled(demo: _Demo, dataset: Dataset, count: int, purpose: str) -> Labels:
    """The labels of ``count`` training pictures, drawn by lot."""
    labels = _of_split(dataset, "train")
    return labels.take(np.sort(demo.random(purpose).permutation(len(labels))[:count]).tolist())


def _strangers(demo: _Demo, dataset: Dataset, count: int, purpose: str) -> Labels:
    """Labels of ``count`` test pictures of as many species, by lot among those whose landmarks are least covered."""
    labels = _of_split(dataset, "test")
    by_lot: list[int] = demo.random(purpose).permutation(len(labels)).tolist()
    covered = (labels.visible != VISIBLE).sum(1)
    species = dataset.identity_of(labels.images)
    first: dict[str, int] = {}
    for i in sorted(by_lot, key=lambda i: int(covered[i])):
        first.setdefault(species[i], i)
    return labels.take(list(first.values())[:count])


# --- the report ----------------------------------------------------------------------------------------------------

CAVEAT = (
    "The beetles are drawn by a program, so the truth is known exactly. They are simpler than photographs, the network "
    "is small and the training short: this is a picture of the method, not of its best."
)
UNIT = "of the length of the wing cases"
MEASURED = (
    "All errors are distances in percent of the wing cases’ length, on species that training never saw. "
    "“untrained” is the same network with random weights, “byol” is stage 1 alone, “lead” is stage 2, which is what "
    "one uses. “mean-shape” and “copy-location” look at no picture at all. In matching, an individual is a species."
)


def _intro(demo: _Demo, dataset: Dataset) -> str:
    seen, unseen = (len({dataset.identity[i] for i in dataset.rows(split)}) for split in ("train", "test"))
    return (
        f"A small network looked at {len(dataset.rows('train')):,} pictures of beetles without being taught anything "
        f"about them. Then it was shown {demo.plan.labels} of them with their landmarks. This page shows what it "
        f"finds on {unseen} species that it has never met; it learnt on {seen} others."
    )


def _outcome(demo: _Demo, dataset: Dataset, predictions: Labels, found: Sequence[Result]) -> list[Section]:
    """Predictions on unseen pictures, drawn by lot, and the numbers behind them."""
    truth = _of_split(dataset, "test")
    row = {image: i for i, image in enumerate(truth.images)}
    truth = truth.take(row[image] for image in predictions.images)
    errors = _picture_errors(predictions, truth, dataset.normaliser[POINTS])
    measured = np.flatnonzero(np.isfinite(errors))
    by_lot = demo.random("shown").permutation(measured)[:8]
    ordered = measured[np.argsort(errors[measured])]
    extremes = [*ordered[:4], *ordered[-4:]]

    def shown(rows: Sequence[int]) -> list[Shown]:
        return [_predicted(dataset, predictions, truth, i, errors[i]) for i in rows]

    lot = "Discs are predictions, rings the truth, a thin line the distance between them. Pictures are drawn by lot."
    ends = "The four pictures with the smallest mean error, and the four with the largest."
    return [
        Section("On species it has never seen", lot, pictures=shown(by_lot.tolist())),
        Section("In numbers", CAVEAT, figures=_figures(demo, found)),
        Section("The best and the worst", ends, pictures=shown(extremes)),
    ]


def _picture_errors(predicted: Labels, truth: Labels, pair: tuple[str, str]) -> FloatArray:
    """(N,) mean errors in percent, of landmarks found within the picture; NaN where nothing can be measured."""
    found = np.where(np.isfinite(predicted.xy), truth.xy, np.nan)  # what is reported as out of view has no place
    errors = normalised_errors(predicted.xy, found, unit_lengths(truth, pair))
    known = np.isfinite(errors)
    count = np.where(known.any(1), known.sum(1), np.nan)
    mean: FloatArray = np.where(known, errors, 0.0).sum(1) / count
    return mean


def _predicted(dataset: Dataset, predictions: Labels, truth: Labels, row: int, error: float) -> Shown:
    image = predictions.images[row]
    drawn = draw_landmarks(decode(dataset.root / image), predictions.xy[row], predictions.schema, truth=truth.xy[row])
    return Shown(drawn, f"Mean error {error:.1f} %", alt=f"A beetle with its landmarks; mean error {error:.1f} %")


def _figures(demo: _Demo, found: Sequence[Result]) -> list[KeyFigure]:
    def mean(method: str, metric: str) -> str:
        return f"{_row(found, method, metric).mean:.1f} %"

    regression, matching = f"regression-{POINTS}", "matching-different"
    seconds = round(sum(demo.seconds.values()))
    return [
        KeyFigure(
            mean("lead/cascade", regression),
            f"error from {counted(demo.plan.labels, 'labelled picture', 'labelled pictures')}",
            f"{UNIT}. The same network untrained: {mean('untrained/ridge', regression)}. "
            f"The average beetle, wherever it is: {mean('mean-shape', regression)}.",
        ),
        KeyFigure(
            mean("lead", matching),
            "error of landmarks carried to another species, from a single picture",
            f"Untrained: {mean('untrained', matching)}. The same place: {mean('copy-location', matching)}.",
        ),
        KeyFigure(
            f"{seconds // 60}:{seconds % 60:02d}",
            "minutes from nothing to these numbers",
            f"On {os.cpu_count()} processor cores{' and a GPU' if torch.cuda.is_available() else ''}.",
        ),
    ]


def _row(found: Sequence[Result], method: str, metric: str) -> Row:
    return next(row for result in found for row in result.rows if (row.method, row.metric) == (method, metric))


def _insight(demo: _Demo, run: Run, dataset: Dataset) -> list[Section]:
    """What the features know before any landmark is taught: heat maps and matches between species."""
    asked = ", ".join(name.replace("_", " ") for name in ASKED)
    return [
        Section(
            "Where else does it look like this?",
            f"Each row asks about one point of the beetle on the left ({asked}) and colours every place of the others "
            "by how similar its feature is. No label was used. The beetles, each of another species, were drawn by lot "
            "among the least covered.",
            pictures=_heat_maps(run, dataset, _strangers(demo, dataset, 6, "heat")),
        ),
        Section(
            "One picture’s landmarks on another species",
            "Each landmark of the left beetle is carried to the most similar place of the right one. No label was used "
            "but those on the left.",
            pictures=_matches(run, dataset, _strangers(demo, dataset, 5, "matches")),
        ),
    ]


def _heat_maps(run: Run, dataset: Dataset, beetles_shown: Labels) -> list[Shown]:
    """A row for each landmark of ``ASKED``: the first beetle with the landmark, the others under its similarity."""
    picture = run.settings.picture
    store = open_store(dataset.root, list(beetles_shown.images), picture.store, default_cache())
    extractor = Extractor(run.student(), picture)
    rows = np.arange(len(store))
    features = torch.cat(list(extractor.batches(store, rows)))  # (n, C, h, w)
    known = beetles_shown.only(ASKED)
    xy = extractor.frame.points(store, rows[:1], known.xy[:1])
    points = torch.from_numpy(xy).float().to(features.device)
    others = features[1:]
    count = len(others)
    maps = similarity_maps(features[:1].expand(count, -1, -1, -1), points.expand(count, -1, -1), others)
    heat = maps.clamp(0, 1).square().cpu().numpy()  # squared, so that what is merely akin stays dim
    pictures = [decode(dataset.root / image) for image in beetles_shown.images]
    out = []
    for k, name in enumerate(ASKED):
        one = known.only((name,))
        strip = [draw_landmarks(pictures[0], one.xy[0], one.schema, truth=one.xy[0])]
        strip += [heat_overlay(image, heat[i, k]) for i, image in enumerate(pictures[1:])]
        words = name.replace("_", " ")
        sheet = _narrow(contact_sheet(strip, len(strip)))
        out.append(Shown(sheet, words.capitalize(), alt=f"Similarity to the {words} of the first beetle"))
    return out


def _narrow(image: Image.Image, width: int = 1600) -> Image.Image:
    """A strip no wider than a page shows it."""
    return image.resize((width, round(image.height * width / image.width)), Image.Resampling.LANCZOS)


def _matches(run: Run, dataset: Dataset, beetles_shown: Labels) -> list[Shown]:
    out = []
    paths = [dataset.root / image for image in beetles_shown.images]
    for (first, start), (second, _) in pairwise(zip(paths, beetles_shown.xy, strict=True)):
        found = match(run, first, dataset.root / "landmarks.json", [second])
        drawn = draw_match(decode(first), start, decode(second), found.xy[0], found.schema)
        out.append(Shown(drawn, "", alt="Two beetles of different species, their landmarks joined"))
    return out


def _learning(run: Run) -> Section:
    """The losses of both stages."""
    curves = read_metrics(run.folder / "metrics.jsonl")

    def chart(title: str, stage: str, parts: Sequence[str], smooth: int) -> Chart:
        drawn = [Curve(part, *curves[name]) for part in parts if (name := f"{stage}/{part}") in curves]
        return Chart(title, "step", "loss", drawn, smooth=smooth)

    text = (
        "Stage 1 (BYOL) learns to recognise a picture in two views of it. Stage 2 learns a feature for every place: "
        "find it again in a warped copy (equivariance), also by way of another picture (exchange)."
    )
    charts = [
        chart("Stage 1", "pretrain", ("loss",), smooth=1),
        chart("Stage 2", "distill", ("exchange", "equivariance", "alignment"), smooth=3),
    ]
    return Section("How it learnt", text, charts=[c for c in charts if c.curves])


def _making(demo: _Demo, run: Run) -> Section:
    """What was run, and how to do it with other pictures."""
    s = run.settings
    spent = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in demo.seconds.items())
    made = ", ".join(f"{name} {version}" for name, version in versions().items())
    text = (
        f"{demo.plan.pictures:,} pictures of {demo.plan.size} × {demo.plan.size} pixels, seed {demo.seed}. "
        f"Network {s.backbone.name} from random weights; stage 1 {s.pretrain.steps} steps of {s.pretrain.batch} "
        f"pictures, stage 2 {s.distill.steps} steps of {s.distill.batch}; features of {s.distill.dimension} "
        "numbers.\n\n"
        f"Time: {spent}.\n\n"
        f"Code {commit()}; {made}.\n\n"
        "With pictures of your own: lead train PICTURES --out RUN, then lead fit RUN LABELS --out MODEL, then "
        "lead predict MODEL PICTURES --out LANDMARKS."
    )
    return Section("What was run", text)
