"""How much labelling the studio saves: a simulated annotator works through its HTTP interface until the model is good.

    python -m benchmarks.studies.labelling_effort RUN DATASET [--split validation] [--results results]

A folder of 1,000 labelled training pictures is labelled picture after picture until the landmark head that the studio
would export is, on pictures of other people, within 10% of the head fitted to all 1,000. The annotator has the truth
and moves a suggested point only where it is farther from it than the tolerance, in percent of the inter-ocular
distance; moving a point and placing one are one action each, accepting the rest is one key for a picture.

Compared: the studio's choice of the next picture and a random one, with suggestions and without. A seed says which
pictures make the folder and which of them is labelled first, in every condition the same; "studio" is also measured
with its own first picture ("from the first"), as the page has it. Settings were chosen with ``--split validation``,
where the other people are held out of ``train``. About half an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
from fastapi.testclient import TestClient  # noqa: E402

from benchmarks.measuring import recorded  # noqa: E402
from lead.datasets import ytfaces  # noqa: E402
from lead.evaluation.grids import markdown  # noqa: E402
from lead.evaluation.metrics import normalised_errors, unit_lengths  # noqa: E402
from lead.evaluation.results import Result, Row  # noqa: E402
from lead.feature_files import cached_features  # noqa: E402
from lead.features import Extractor  # noqa: E402
from lead.files import default_cache, write_atomic  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.heads import Head  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.landmarks.model import Labels  # noqa: E402
from lead.nn.heads import RidgeHead  # noqa: E402
from lead.provenance import commit, today, versions  # noqa: E402
from lead.seeds import mixed_seed  # noqa: E402
from lead.studio.choose import COVERED  # noqa: E402
from lead.studio.server import create_app  # noqa: E402
from lead.studio.session import Session  # noqa: E402
from lead.training.fit import apply, fit_ridge  # noqa: E402
from lead.training.labelled import Labelled  # noqa: E402
from lead.training.run import Run, held_out  # noqa: E402

TOKEN = "labelling-effort"
WITHIN = 1.1
"""The goal, times the error with all labels."""
MOST = 40
"""Pictures after which an annotator gives up."""
FOLDER = 1000
TOLERANCES = (2.5, 5.0, 10.0)
MAIN = 5.0
PATIENCE_S = 300.0


# --- where errors are measured -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Truth:
    """Labelled pictures of a dataset.

    Attributes:
        labels: (n) pictures, in the dataset's own pixels.
        unit: (n,) lengths in pixels that errors are measured in: of a face the inter-ocular distance.
    """

    labels: Labels
    unit: FloatArray


@dataclass(frozen=True)
class Pictures(Truth):
    """And their features.

    Attributes:
        labelled: the same pictures as a head is fitted on them.
    """

    labelled: Labelled


class World:
    """The dataset through the run's network: which pictures may be labelled, and those that errors are measured on."""

    def __init__(self, run: Run, root: Path, point_set: str, split: str) -> None:
        self.data = ytfaces.load(root)
        self.run = run
        self.pair = self.data.normaliser[point_set]
        self.points = self.data.points(point_set)
        self.extractor = Extractor(run.student(), run.settings.picture)
        self.store = open_store(root, self.data.files, run.settings.picture.store, default_cache())
        out = held_out(self.data, 0.2, 0) if split == "validation" else set()
        parts = dict(zip(self.data.files, self.data.split, strict=True))
        people = self.data.identity_of(self.points.images)
        self.rows = {
            part: [i for i, f in enumerate(self.points.images) if parts[f] == part] for part in ("train", "test")
        }
        self.pool = [i for i in self.rows["train"] if people[i] not in out]
        self.judged = self._judged(split)

    def _judged(self, split: str) -> Pictures:
        if split == "test":
            return self.pictures("test", self.rows["test"])
        return self.pictures("train", sorted(set(self.rows["train"]) - set(self.pool)))

    def pictures(self, part: str, rows: Sequence[int]) -> Pictures:
        """Some labelled pictures of a part of the dataset, whose features are computed once for all of it."""
        everyone = self.points.take(self.rows[part])
        where = np.array([self.store.index(file) for file in everyone.images], dtype=np.int64)
        xy = self.extractor.frame.points(self.store, where, everyone.xy)
        labelled = Labelled(cached_features(self.extractor, self.store, where), torch.from_numpy(xy).float())
        some = np.searchsorted(self.rows[part], rows)
        labels = self.points.take(rows)
        return Pictures(labels, unit_lengths(labels, self.pair), labelled.take(some))

    def error(self, head: Head) -> float:
        """Mean error on the judged pictures, in percent of the inter-ocular distance."""
        where = np.array([self.store.index(file) for file in self.judged.labels.images], dtype=np.int64)
        points = apply(head, self.judged.labelled).double().numpy()
        xy = self.extractor.frame.places(self.store, where, points)
        return float(np.nanmean(normalised_errors(xy, self.judged.labels.xy, self.judged.unit)))


# --- the annotator ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Condition:
    """How an annotator works.

    Attributes:
        chooser: ``random``; ``studio``; or ``studio from the first``, which chooses the first picture too.
        tolerance: in percent of the inter-ocular distance; None for no suggestions.
    """

    chooser: str
    tolerance: float | None


@dataclass
class Effort:
    """What it took.

    Attributes:
        pictures: labelled.
        placed, corrected, accepted: points.
        accepting: pictures on which a key accepted points.
        curve: error after each picture, in percent.
        kinds: why each picture was chosen: as in :class:`lead.studio.messages.Choice`, or ``random``.
        reached: whether the goal was.
        seconds: that the run took.
    """

    seed: int
    chooser: str
    tolerance: float | None
    goal: float
    pictures: int = 0
    placed: int = 0
    corrected: int = 0
    accepted: int = 0
    accepting: int = 0
    curve: Sequence[float] = ()
    kinds: Sequence[str] = ()
    reached: bool = False
    seconds: float = 0.0

    @property
    def actions(self) -> int:
        """Points placed or moved."""
        return self.placed + self.corrected


class Annotator:
    """Labels a folder through the studio's interface."""

    def __init__(self, session: Session, names: Sequence[str], truth: Truth) -> None:
        self.client = TestClient(
            create_app(session, TOKEN), base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        self.names, self.truth = tuple(names), truth
        listed = self.get("pictures")
        files = {file.removeprefix("images/"): row for row, file in enumerate(truth.labels.images)}
        self.rows = {picture["id"]: files[picture["file"]] for picture in listed}
        self.ids = {row: id for id, row in self.rows.items()}
        colours = [f"#{40 * i % 256:02x}{90 * i % 256:02x}c0" for i in range(len(self.names))]
        landmarks = [{"name": n, "colour": c} for n, c in zip(self.names, colours, strict=True)]
        version = self.get("landmarks")["version"]
        self._checked(self.client.put("/api/landmarks", json={"version": version, "landmarks": landmarks}))

    def get(self, path: str, **query: str) -> Any:
        return self._checked(self.client.get(f"/api/{path}", params=query)).json()

    @staticmethod
    def _checked(response: Any) -> Any:
        if response.status_code != 200:
            raise RuntimeError(f"{response.request.url}: {response.status_code} {response.text}")
        return response

    def wait_for_features(self) -> None:
        """Until all pictures have features and the studio chooses among them."""
        self._wait(lambda: self.get("next")["kind"] != "order")

    def wait_for_fit(self, labelled: int) -> None:
        """Until the model has taken in all that is labelled, and has looked at all pictures."""

        def ready() -> bool:
            status = self.get("state")["model"]
            seen = self.get("predictions", limit="0")["model"]
            return not status["fitting"] and status["fitted_to"] == labelled and seen == status["model"]

        self._wait(ready)

    def _wait(self, ready: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while not ready():
            status = self.get("state")["model"]
            if status["stage"] == "failed" or time.monotonic() > until:
                raise RuntimeError(f"The model does not get ready: {status}")
            time.sleep(0.1)

    def label(self, row: int, tolerance: float | None, effort: Effort) -> None:
        """Labels one picture, from the suggestions unless ``tolerance`` is None."""
        id = self.ids[row]
        suggested = {} if tolerance is None else self.get(f"pictures/{id}/suggestions")["points"]
        points = {}
        moved = 0
        for k, name in enumerate(self.names):
            x, y = self.truth.labels.xy[row, k].tolist()
            accepted = False
            if name not in suggested:
                effort.placed += 1
            else:
                there = suggested[name]["x"], suggested[name]["y"]
                off = 100 * float(np.hypot(there[0] - x, there[1] - y)) / float(self.truth.unit[row])
                accepted = tolerance is not None and off <= tolerance
                if accepted:
                    x, y = there
                else:
                    moved += 1
            points[name] = {"state": "visible", "x": x, "y": y, "accepted": accepted}
        effort.corrected += moved
        effort.accepted += len(suggested) - moved
        effort.accepting += len(suggested) > moved
        base = self.get(f"pictures/{id}")["labels"]["version"]
        self._checked(self.client.patch(f"/api/pictures/{id}/labels", json={"base": base, "points": points}))

    def xy(self, rows: Sequence[int]) -> FloatArray:
        """(n, K, 2) labels of some pictures as the studio keeps them."""
        labels = [self.get(f"pictures/{self.ids[row]}")["labels"]["points"] for row in rows]
        return np.array([[(one[name]["x"], one[name]["y"]) for name in self.names] for one in labels])

    def exported(self) -> Landmarker:
        """The model that the studio exports."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.safetensors"
            file.write_bytes(self._checked(self.client.get("/api/export/model")).content)
            return Landmarker.load(file)


def work(world: World, truth: Pictures, folder: Path, seed: int, how: Condition, goal: float) -> Effort:
    """Labels until the goal is reached."""
    effort = Effort(seed, how.chooser, how.tolerance, goal)
    order = np.random.default_rng(mixed_seed(seed, "order")).permutation(len(truth.labels)).tolist()
    with studio(world.run, folder, seed) as session:
        annotator = Annotator(session, truth.labels.schema.names, truth)
        annotator.wait_for_features()
        done: list[int] = []
        curve: list[float] = []
        kinds: list[str] = []
        while not effort.reached and len(done) < MOST:
            if how.chooser == "random" or (not done and how.chooser == "studio"):
                row, kind = order[len(done)], "random"
            else:
                choice = annotator.get("next")
                row, kind = annotator.rows[choice["id"]], choice["kind"]
            annotator.label(row, how.tolerance, effort)
            done.append(row)
            kinds.append(kind)
            head = fit(world, annotator, truth, done, seed)
            curve.append(world.error(head))
            effort.reached = curve[-1] <= goal
            if not effort.reached and (how.tolerance is not None or (how.chooser != "random" and len(done) >= COVERED)):
                annotator.wait_for_fit(len(done))  # as it would be ready before a person has labelled
        exported = annotator.exported().head
        assert isinstance(exported, RidgeHead)
        same = world.error(exported)
        if abs(same - curve[-1]) > 0.01 * curve[-1]:
            raise RuntimeError(f"The exported model's error is {same}, that of the fit here {curve[-1]}.")
    effort.pictures, effort.curve, effort.kinds = len(done), tuple(curve), tuple(kinds)
    return effort


def fit(world: World, annotator: Annotator, truth: Pictures, rows: Sequence[int], seed: int) -> Head:
    """The head that the studio exports, from what is labelled."""
    where = np.array([world.store.index(truth.labels.images[row]) for row in rows])
    xy = world.extractor.frame.points(world.store, where, annotator.xy(rows))
    features = truth.labelled.features[np.array(rows, dtype=np.int64)]
    return fit_ridge(Labelled(features, torch.from_numpy(xy).float()), seed=seed).head


@contextmanager
def studio(run: Run, folder: Path, seed: int) -> Iterator[Session]:
    """The studio on a folder, with labels of its own."""
    with tempfile.TemporaryDirectory() as place:
        session = Session.open(folder, labels=Path(place) / "annotations.json", run=run.folder, seed=seed)
        try:
            session.load_model()
            yield session
        finally:
            session.close()


def measure(world: World, seed: int, conditions: Sequence[Condition], kept: Path) -> list[Effort]:
    """All conditions on one seed's folder; each is kept in a file as soon as it is finished, and not done again."""
    out = [Effort(**one) for one in json.loads(kept.read_text())] if kept.exists() else []
    done = {(one.chooser, one.tolerance) for one in out}
    left = [how for how in conditions if (how.chooser, how.tolerance) not in done]
    if not left:
        return out
    random = np.random.default_rng(mixed_seed(seed, "folder"))
    pool = sorted(random.choice(world.pool, min(FOLDER, len(world.pool)), replace=False).tolist())
    truth = world.pictures("train", pool)
    goal = out[0].goal if out else WITHIN * world.error(fit_ridge(truth.labelled).head)
    with tempfile.TemporaryDirectory() as place:
        for file in truth.labels.images:
            target = Path(place) / Path(file).relative_to("images")
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(world.data.root / file, target)
        for how in left:
            started = time.monotonic()
            effort = work(world, truth, Path(place), seed, how, goal)
            effort.seconds = round(time.monotonic() - started, 1)
            out.append(effort)
            write_atomic(kept, json.dumps([asdict(one) for one in out]), overwrite=True)
            sys.stderr.write(f"{effort}\n")
    return out


# --- the result ------------------------------------------------------------------------------------------------------


def rows_of(efforts: Sequence[Effort]) -> list[Row]:
    """A row for each condition and measure."""
    rows = []
    for how in dict.fromkeys(Condition(e.chooser, e.tolerance) for e in efforts):
        some = [e for e in efforts if (e.chooser, e.tolerance) == (how.chooser, how.tolerance)]
        for metric, unit, values in (
            ("effort-pictures", "pictures", [e.pictures for e in some]),
            ("effort-points", "points", [e.actions for e in some]),
        ):
            rows.append(
                Row(
                    METHOD[how.chooser] + ("" if how.tolerance is None else "+suggestions"),
                    "" if how.tolerance is None else f"{how.tolerance:g}%",
                    None,
                    metric,
                    unit,
                    float(np.mean(values)),
                    float(np.median(values)),
                    float(np.std(values)),
                    len(values),
                )
            )
    return rows


METHOD = {"random": "random-order", "studio": "studio-order", "studio from the first": "studio-order-from-first"}


def notes_of(efforts: Sequence[Effort]) -> list[str]:
    """What the rows do not show, in sentences."""

    def of(chooser: str, tolerance: float | None) -> list[Effort]:
        return sorted((e for e in efforts if (e.chooser, e.tolerance) == (chooser, tolerance)), key=lambda e: e.seed)

    notes = [
        f"Goal: within {WITHIN - 1:.0%} of the error with all labels. The column Features gives the tolerance, in "
        "percent of the inter-ocular distance; without one there are no suggestions. Points: placed or moved by hand."
    ]
    for tolerance in dict.fromkeys(e.tolerance for e in efforts):
        title = "Without suggestions" if tolerance is None else f"With suggestions, tolerance {tolerance:g}%"
        chance = of("random", tolerance)
        for chooser in ("studio", "studio from the first"):
            ours = of(chooser, tolerance)
            if not ours or len(ours) != len(chance):
                continue
            fewer = sum(a.pictures < b.pictures for a, b in zip(ours, chance, strict=True))
            notes.append(
                f"{title}, {METHOD[chooser]}: pictures by seed {listed(e.pictures for e in ours)}; in random order "
                f"{listed(e.pictures for e in chance)}; fewer in {fewer} of {len(ours)} seeds."
            )
    for chooser in dict.fromkeys(e.chooser for e in efforts):
        plain = of(chooser, None)
        for tolerance in dict.fromkeys(e.tolerance for e in efforts if e.tolerance is not None):
            if not (helped := of(chooser, tolerance)):
                continue
            points, keys = sum(e.accepted for e in helped), sum(e.accepting for e in helped)
            text = f"{METHOD[chooser]}, tolerance {tolerance:g}%: {points} points accepted with {keys} keys"
            if plain:
                text += f"; points by hand {ratio(helped, plain):.2f} times those without suggestions"
            if chooser != "random" and of("random", None):
                text += f", {ratio(helped, of('random', None)):.2f} times those in random order without"
            notes.append(text + ".")
    if unreached := sum(not e.reached for e in efforts):
        notes.append(f"{unreached} annotators gave up after {MOST} pictures, which are counted.")
    return notes


def ratio(some: Sequence[Effort], others: Sequence[Effort]) -> float:
    return sum(e.actions for e in some) / sum(e.actions for e in others)


def listed(numbers: Any) -> str:
    return ", ".join(map(str, numbers))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", choices=("test", "validation"), default="test")
    parser.add_argument("--points", choices=("5", "68"), default="5")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(5)))
    parser.add_argument("--preset", default="small")
    parser.add_argument(
        "--tolerances", type=float, nargs="*", default=list(TOLERANCES), help="none: no suggestions, order alone"
    )
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/labelling-effort"), help="what is finished is kept here"
    )
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    run = Run.open(chosen.run)
    world = World(run, chosen.dataset, chosen.points, chosen.split)
    tolerances = [None, *chosen.tolerances]
    conditions = [Condition(c, t) for c in METHOD for t in tolerances if c == "studio" or t in (None, MAIN)]
    chosen.runs.mkdir(parents=True, exist_ok=True)
    efforts = []
    for seed in chosen.seeds:
        efforts += measure(world, seed, conditions, chosen.runs / f"{chosen.split}-{chosen.points}-{seed}.json")
    efforts = [e for e in efforts if Condition(e.chooser, e.tolerance) in conditions]  # more may have been kept
    parts = ["68"] * (chosen.points == "68") + ["order"] * (not chosen.tolerances)
    name = "-".join(["labelling-effort", *parts, *({chosen.split} - {"test"})])
    result = Result(
        name=name,
        benchmark=world.data.name,
        preset=chosen.preset,
        commit=commit(),
        versions=versions(),
        seconds=round(sum(effort.seconds for effort in efforts), 1),
        settings=run.settings.model_dump(mode="json")
        | {"run": run.provenance, "within": WITHIN, "most": MOST, "folder": FOLDER, "seeds": chosen.seeds}
        | {"points": chosen.points, "split": chosen.split, "efforts": [asdict(effort) for effort in efforts]},
        seed=chosen.seeds[0],
        rows=tuple(rows_of(efforts)),
        title=f"Labelling effort: {world.data.name}, {chosen.points} points, {len(chosen.seeds)} seeds",
        notes=tuple(notes_of(efforts)),
        command=recorded("labelling_effort", chosen),
        date=today(),
    )
    path = result.path(chosen.results)
    result.write(path, overwrite=True)
    write_atomic(path.with_suffix(".md"), markdown(result), overwrite=True)
    sys.stdout.write(markdown(result) + f"{path}\n")


if __name__ == "__main__":
    main()
