"""SLEAP-NN beside `lead`, where pictures show several specimens: the same labels and judged pictures.

    python -m benchmarks.peers.sleap_nn POOL TEST PICTURES --skeleton FILE --name flies [--labels 5 20] [--draws 2]

POOL, TEST and PICTURES are those of :mod:`benchmarks.studies.specimens`, whose draws and judge are used; FILE is a
file of labels whose skeleton has the edges along which *bottom-up* joins landmarks. SLEAP-NN comes into an environment
of its own, from the package index, of the versions below, and is only ever run as a program.

It trains for ``--seconds`` of CPU time, all its trainings and their starts together, and is then stopped; the best
weights until then are kept, as it does of its own. By default that is a little more than `lead` took, features and fit,
in results/benchmarks/specimens-flies.json. ``--times 3`` trains three times as long.

Settings are those that its own ``config --auto`` writes for the labels, with views turned all round, which its
documentation advises for animals seen from above, and without what it would do besides training: pictures of the
progress and stopping early. All labelled pictures are trained on; weights are the best on these. ``recommended``
changes nothing else. ``light`` follows its advice for where training is slow: half the resolution and half the filters;
the learning rate is ten times as high, since steps are few. Of the forms, the one that finds more in the first draw of
the most labels is reported. Its networks begin at random, those of `lead` with weights from ImageNet: SLEAP-NN offers
such weights for other networks only, and they have to be fetched, which could not be done here.

A peak below ``--peaks`` is not reported: 0.2 is its own value. An answer's confidence is the mean of its landmarks'. A
training that is done is kept in the cache, and read back.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import keep, table
from benchmarks.peers.environment import environment
from benchmarks.studies import specimens
from lead.files import default_cache, write_atomic
from lead.images.labels import load_labels, save_labels
from lead.landmarks import Labels
from lead.seeds import mixed_seed, run_identity

PACKAGES = ("sleap-nn==0.3.5", "sleap-io==0.9.5", "torch==2.14.1", "torchvision==0.29.1")
SECONDS = 350
"""Of CPU, to train: twice the seconds that `lead` took on two cores."""
STEPS = 25
"""In each of its epochs, after which weights are judged and kept."""
PARTS = {"topdown": {"centroid": 0.4, "centered_instance": 0.6}, "bottomup": {"": 1.0}}
"""Of each way, its trainings, and the share of the time that each has."""
ALWAYS = {
    "data_config.augmentation_config.geometric.rotation_min": -180,
    "data_config.augmentation_config.geometric.rotation_max": 180,
    "data_config.data_pipeline_fw": "torch_dataset_cache_img_memory",
    "data_config.parallel_caching": "false",
    "data_config.use_same_data_for_val": "true",
    "trainer_config.trainer_accelerator": "cpu",
    "trainer_config.trainer_devices": 1,
    "trainer_config.max_epochs": 10_000,
    "trainer_config.min_train_steps_per_epoch": STEPS,
    "trainer_config.train_steps_per_epoch": STEPS,
    "trainer_config.visualize_preds_during_training": "false",
    "trainer_config.enable_progress_bar": "false",
    "trainer_config.early_stopping.stop_training_on_plateau": "false",
}
LIGHT = {"trainer_config.optimizer.lr": 0.001, "model_config.backbone_config.unet.filters": 16}
FORMS: dict[str, dict[str, dict[str, object]]] = {
    "recommended": {"centroid": {}, "centered_instance": {}, "": {}},
    "light": {
        "centroid": {**LIGHT, "data_config.preprocessing.scale": 0.25},
        "centered_instance": {**LIGHT},
        "": {**LIGHT, "data_config.preprocessing.scale": 0.5},
    },
}
"""Of each form and each training, what is set besides."""
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**30), "MALLOC_TRIM_THRESHOLD_": str(2**30), "OMP_NUM_THREADS": "1"}
"""As :mod:`lead.tuning` has it for us: large blocks of memory are used again."""


@dataclass(frozen=True)
class Spent:
    """By a program: seconds of CPU, and the largest memory in megabytes."""

    seconds: float
    memory: float


@dataclass(frozen=True)
class Found:
    """Of one draw.

    Attributes:
        judged: against what is there.
        placed: the share of the answers' landmarks that have a place.
        steps: of each training.
        trained: all trainings together.
        memory: the largest, in megabytes, predictions included.
    """

    judged: specimens.Judged
    placed: float
    steps: dict[str, int]
    trained: float
    memory: float


def ran(words: Sequence[object], folder: Path, *, seconds: float | None = None) -> Spent:
    """Runs SLEAP-NN in a folder; what it says is added to ``log`` there. After so many seconds of CPU it is stopped."""
    limit = "ulimit -c 0" if seconds is None else f"ulimit -c 0; ulimit -S -t {round(seconds)}"
    command = ["sh", "-c", f'{limit}; exec "$0" "$@"', str(environment(PACKAGES) / "sleap-nn"), *map(str, words)]
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **ENVIRONMENT})
        _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if code != 0 and not (seconds is not None and code == -signal.SIGXCPU):
        said = (folder / "log").read_text(encoding="utf-8", errors="replace")[-2000:]
        raise SystemExit(f"sleap-nn {words[0]} ended with {code}:\n{said}")
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024 / 1e6)


def train(labels: Path, folder: Path, way: str, form: str, seconds: float) -> tuple[list[Path], list[Spent]]:
    """Trains all models of a way: their folders, and what each took."""
    ran(["config", labels, "--auto", "--pipeline", way, "-o", "config.yaml"], folder)
    models, spent = [], []
    for part, share in PARTS[way].items():
        own = ALWAYS | FORMS[form][part] | {"trainer_config.ckpt_dir": folder, "trainer_config.run_name": part or way}
        config = f"config_{part}.yaml" if part else "config.yaml"
        words = [f"++{name}={value}" for name, value in own.items()]
        spent.append(ran(["train", config, *words], folder, seconds=share * seconds))
        models.append(folder / (part or way))
    return models, spent


def steps(model: Path) -> int:
    """How many a training did before it was stopped, the last epoch left out."""
    lines = (model / "training_log.csv").read_text(encoding="utf-8").splitlines()[1:]
    return STEPS * sum(line.split(",")[1] != "" for line in lines)


def predict(pictures: Path, models: Sequence[Path], folder: Path, peaks: float) -> Spent:
    """Writes ``found.slp``."""
    named = [word for model in models for word in ("-m", model)]
    return ran(["predict", "-i", pictures, *named, "-d", "cpu", "--peak_threshold", peaks, "-o", "found.slp"], folder)


def without_answers(labels: Labels, images: Sequence[str]) -> Labels:
    """Some of the pictures, without any landmark, so that what is predicted has nothing to go by."""
    first = labels.take([labels.rows_of()[image][0] for image in images])
    return replace(first, xy=np.full_like(first.xy, np.nan), visible=np.zeros_like(first.visible), complete=frozenset())


def ranked(found: Labels, pictures: Path) -> Labels:
    """Predictions as :func:`benchmarks.studies.specimens.judge` takes them; pictures are named from their folder."""
    score = np.full(found.xy.shape[:2], np.nan) if found.score is None else found.score
    known = np.isfinite(score) & np.isfinite(found.xy).all(-1)
    likely = np.where(known.any(1), np.where(known, score, 0).sum(1) / np.maximum(known.sum(1), 1), np.nan)
    images = tuple(Path(image).relative_to(pictures.resolve()).as_posix() for image in found.images)
    return replace(found, images=images, likely=likely, complete=frozenset())


class Trainings:
    """Trainings on the labels of one pool.

    Args:
        pool, test: labels of pictures in the folder ``pictures``, with the skeleton's edges.
        pictures: their folder.
        peaks: below which none is reported.
    """

    def __init__(self, pool: Labels, test: Labels, pictures: Path, peaks: float) -> None:
        self.pool, self.test, self.pictures, self.peaks = pool, test, pictures, peaks

    def write(self, labels: Labels, path: Path) -> Path:
        """Labels as SLEAP's own file, which names pictures by their whole path."""
        images = tuple((self.pictures / image).resolve().as_posix() for image in labels.images)
        save_labels(replace(labels, images=images, complete=frozenset()), path)
        return path

    def made(self, labels: Labels, way: str, form: str, seconds: float) -> Path:
        """The folder of what a training on these labels predicts and took, in the cache; made where there is none."""
        words = [PACKAGES, labels.images, labels.xy.tolist(), self.test.images, way, form, seconds, self.peaks]
        words += [ALWAYS, FORMS[form], PARTS[way], STEPS]
        folder = default_cache() / "peers" / "sleap-nn" / run_identity(*words)
        if not (folder / "spent.json").exists():
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory() as here:
                there = Path(here)
                models, spent = train(self.write(labels, there / "train.slp"), there, way, form, seconds)
                images = list(self.test.rows_of())
                one = self.write(without_answers(self.test, images[:1]), there / "one.slp")
                start = predict(one, models, there, self.peaks)
                every = self.write(without_answers(self.test, images), there / "test.slp")
                predicted = predict(every, models, there, self.peaks)
                record = {
                    "steps": {model.name: steps(model) for model in models},
                    "trained": [one.seconds for one in spent],
                    "ms": 1000 * (predicted.seconds - start.seconds) / (len(images) - 1),
                    "memory": max(one.memory for one in [*spent, predicted]),
                    "log": (there / "log").read_text(encoding="utf-8", errors="replace"),
                }
                write_atomic(folder / "found.slp", (there / "found.slp").read_bytes(), overwrite=True)
            write_atomic(folder / "spent.json", json.dumps(record))
        return folder

    def found(self, count: int, draw: int, way: str, form: str, seconds: float) -> Found:
        """Of one draw, which is that of :mod:`benchmarks.studies.specimens`."""
        random = np.random.default_rng(mixed_seed(draw, "specimens", count))
        picked = set(random.permutation(sorted(set(self.pool.images)))[:count].tolist())
        labels = self.pool.take(i for i, image in enumerate(self.pool.images) if image in picked)
        folder = self.made(labels, way, form, seconds)
        record: dict[str, Any] = json.loads((folder / "spent.json").read_text(encoding="utf-8"))
        said = ranked(load_labels(folder / "found.slp", several=True), self.pictures)
        placed = np.isfinite(said.xy[np.isfinite(said.likely)]).all(-1)  # type: ignore[arg-type]
        judged = specimens.judge(said, self.test, record["ms"])
        share = float(placed.mean()) if placed.size else 0.0
        return Found(judged, share, record["steps"], sum(record["trained"]), record["memory"])


NAMES = {"topdown": "SLEAP-NN, top-down", "bottomup": "SLEAP-NN, bottom-up"}
COLUMNS = {
    "tool": ("Tool", "{}"),
    "labels": ("labelled pictures", "{}"),
    "draws": ("draws", "{}"),
    "precision": ("precision", "{:.3f}"),
    "recall": ("recall", "{:.3f}"),
    "ap": ("OKS-mAP", "{:.3f}"),
    "median": ("median error, %", "{:.2f}"),
    "px": ("median, px", "{:.1f}"),
    "placed": ("landmarks placed, %", "{:.0f}"),
    "seconds": ("CPU seconds to learn", "{:.0f}"),
    "ms": ("CPU ms a picture", "{:.0f}"),
    "memory": ("MB", "{}"),
}


def row(way: str, form: str, count: int, times: int, draws: Sequence[Found]) -> dict[str, object]:
    """All draws of so many labelled pictures."""
    longer = "" if times == 1 else f", {times} times as long"
    of_all = specimens.row(count, [one.judged for one in draws])
    del of_all["within"]  # it has no errors to expect
    return of_all | {
        "tool": f"{NAMES[way]}{longer}",
        "form": form,
        "draws": len(draws),
        "placed": 100 * float(np.mean([one.placed for one in draws])),
        "steps": [one.steps for one in draws],
        "seconds": float(np.mean([one.trained for one in draws])),
        "memory": f"{max(one.memory for one in draws):.0f}",
    }


def ours(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of `lead`, from its own study's result. CPU time is at most the seconds that passed, times the cores."""
    cores = record["machine"]["threads"]
    fits = sum(len(row["of_draws"]) for row in record["rows"])
    seconds = cores * (record["run"]["run"]["distill_seconds"] + record["took"] / fits)
    return [
        {
            **row,
            "tool": "`lead`",
            "draws": len(row["of_draws"]),
            "placed": 100.0,
            "seconds": seconds,
            "ms": cores * row["ms"],
            "memory": "–",
        }
        for row in record["rows"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("test", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--skeleton", type=Path, required=True, help="a file of labels with the edges")
    parser.add_argument("--name", required=True, help="of the result")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--times", type=int, nargs="+", default=[1, 3], help="how many times as long to train")
    parser.add_argument("--draws", type=int, nargs="+", default=[2, 1], help="for each of --times")
    parser.add_argument("--ways", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--forms", nargs="+", choices=list(FORMS), default=list(FORMS))
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--peaks", type=float, default=0.2)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    pool, test = (load_labels(path, pictures=chosen.pictures, several=True) for path in (chosen.pool, chosen.test))
    schema = replace(pool.schema, skeleton=load_labels(chosen.skeleton, several=True).schema.skeleton)
    trainings = Trainings(replace(pool, schema=schema), replace(test, schema=schema), chosen.pictures, chosen.peaks)

    def measured(way: str, form: str, count: int, times: int, draws: int) -> dict[str, Any]:
        found = [trainings.found(count, draw, way, form, times * chosen.seconds) for draw in range(draws)]
        made = row(way, form, count, times, found)
        print(form, made["steps"], table(COLUMNS, [made]).splitlines()[-1], flush=True)
        return made

    tried = {way: [measured(way, form, max(chosen.labels), 1, 1) for form in chosen.forms] for way in chosen.ways}
    best = {way: max(rows, key=lambda made: made["ap"])["form"] for way, rows in tried.items()}
    rows = [
        measured(way, best[way], count, times, draws)
        for times, draws in zip(chosen.times, chosen.draws, strict=True)
        for way in chosen.ways
        for count in chosen.labels
    ]
    own = chosen.results / "benchmarks" / f"specimens-{chosen.name}.json"
    beside = ours(json.loads(own.read_text(encoding="utf-8"))) if own.exists() else []
    result = {
        "packages": PACKAGES,
        "seconds": chosen.seconds,
        "peaks": chosen.peaks,
        "always": ALWAYS,
        "forms": FORMS,
        "chosen": best,
        "tried": tried,
        "rows": rows,
    }
    shown = sorted([*beside, *rows], key=lambda made: made["labels"])
    keep(f"sleap-nn-{chosen.name}", result, table(COLUMNS, shown), chosen.results)


if __name__ == "__main__":
    main()
