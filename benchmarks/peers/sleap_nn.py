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
the most labels is reported.

Its networks begin at random, those of `lead` with weights from ImageNet. For small data, its documentation advises
encoders with such weights, too; they have to be fetched from elsewhere, which was not possible here.

A landmark whose peak is below a threshold gets no place, which OKS counts as wrong and all else leaves out: ``PEAKS``
are measured both. An answer's confidence is the mean of its landmarks'. A training that is done is kept in the cache,
and read back.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
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
PEAKS = (0.2, 0.05)
"""Below which no peak is reported: its own value, and one that leaves fewer landmarks without a place."""
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


def train(labels: Path, folder: Path, way: str, form: str, seconds: float) -> list[Spent]:
    """Trains all models of a way, each into a folder of its own there. What each took."""
    ran(["config", labels, "--auto", "--pipeline", way, "-o", "config.yaml"], folder)
    spent = []
    for part, share in PARTS[way].items():
        own = ALWAYS | FORMS[form][part] | {"trainer_config.ckpt_dir": folder, "trainer_config.run_name": part or way}
        config = f"config_{part}.yaml" if part else "config.yaml"
        words = [f"++{name}={value}" for name, value in own.items()]
        spent.append(ran(["train", config, *words], folder, seconds=share * seconds))
    return spent


def steps(model: Path) -> int:
    """How many a training did before it was stopped, the last epoch left out."""
    lines = (model / "training_log.csv").read_text(encoding="utf-8").splitlines()[1:]
    return STEPS * sum(line.split(",")[1] != "" for line in lines)


def predict(way: str, pictures: Path, models: Path, folder: Path, peaks: float) -> Spent:
    """Writes ``found.slp`` to a folder."""
    named = [word for part in PARTS[way] for word in ("-m", models / (part or way))]
    least = ["--peak_threshold", peaks, *(["--centroid_peak_threshold", PEAKS[0]] if way == "topdown" else [])]
    return ran(["predict", "-i", pictures, *named, "-d", "cpu", *least, "-o", "found.slp"], folder)


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
    """

    def __init__(self, pool: Labels, test: Labels, pictures: Path) -> None:
        self.pool, self.test, self.pictures = pool, test, pictures

    def write(self, labels: Labels, path: Path) -> Path:
        """Labels as SLEAP's own file, which names pictures by their whole path."""
        images = tuple((self.pictures / image).resolve().as_posix() for image in labels.images)
        save_labels(replace(labels, images=images, complete=frozenset()), path, overwrite=True)
        return path

    def trained(self, labels: Labels, way: str, form: str, seconds: float) -> Path:
        """The folder of the models trained on these labels, in the cache; made where there is none."""
        words = [
            PACKAGES,
            labels.images,
            labels.xy.tolist(),
            way,
            form,
            seconds,
            ALWAYS,
            FORMS[form],
            PARTS[way],
            STEPS,
        ]
        folder = default_cache() / "peers" / "sleap-nn" / run_identity(*words)
        if not (folder / "trained.json").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            spent = train(self.write(labels, folder / "train.slp"), folder, way, form, seconds)
            record = {
                "steps": {part or way: steps(folder / (part or way)) for part in PARTS[way]},
                "seconds": sum(one.seconds for one in spent),
                "memory": max(one.memory for one in spent),
            }
            write_atomic(folder / "trained.json", json.dumps(record))
        return folder

    def predicted(self, way: str, models: Path, peaks: float) -> Path:
        """The folder of what these models predict, in theirs; made where there is none."""
        folder = models / run_identity(self.test.images, peaks)
        if not (folder / "predicted.json").exists():
            folder.mkdir(exist_ok=True)
            images = list(self.test.rows_of())
            one, every = (
                predict(way, self.write(without_answers(self.test, some), folder / "asked.slp"), models, folder, peaks)
                for some in (images[:1], images)
            )
            ms = 1000 * (every.seconds - one.seconds) / (len(images) - 1)
            write_atomic(folder / "predicted.json", json.dumps({"ms": ms, "memory": every.memory}))
        return folder

    def found(self, count: int, draw: int, way: str, form: str, peaks: float, seconds: float) -> Found:
        """Of one draw, which is that of :mod:`benchmarks.studies.specimens`."""
        random = np.random.default_rng(mixed_seed(draw, "specimens", count))
        picked = set(random.permutation(sorted(set(self.pool.images)))[:count].tolist())
        labels = self.pool.take(i for i, image in enumerate(self.pool.images) if image in picked)
        models = self.trained(labels, way, form, seconds)
        folder = self.predicted(way, models, peaks)
        learnt, asked = (
            json.loads(path.read_text(encoding="utf-8"))
            for path in (models / "trained.json", folder / "predicted.json")
        )
        said = ranked(load_labels(folder / "found.slp", several=True), self.pictures)
        placed = np.isfinite(said.xy if said.likely is None else said.xy[np.isfinite(said.likely)]).all(-1)
        judged = specimens.judge(said, self.test, asked["ms"])
        share = float(placed.mean()) if placed.size else 0.0
        return Found(judged, share, learnt["steps"], learnt["seconds"], max(learnt["memory"], asked["memory"]))


def without_nan(made: Mapping[str, Any]) -> dict[str, Any]:
    """A row as JSON can hold it: where nothing was found, there is no error."""
    return {key: None if isinstance(value, float) and np.isnan(value) else value for key, value in made.items()}


NAMES = {"topdown": "SLEAP-NN, top-down", "bottomup": "SLEAP-NN, bottom-up"}
COLUMNS = {
    "tool": ("Tool", "{}"),
    "peaks": ("threshold", "{}"),
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


def row(way: str, count: int, times: int, draws: Sequence[Found]) -> dict[str, object]:
    """All draws of so many labelled pictures."""
    longer = "" if times == 1 else f", {times} times as long"
    of_all = specimens.row(count, [replace(one.judged, within=np.zeros(1)) for one in draws])
    del of_all["within"]  # it has no errors to expect
    return of_all | {
        "tool": f"{NAMES[way]}{longer}",
        "draws": len(draws),
        "placed": 100 * float(np.mean([one.placed for one in draws])),
        "steps": [one.steps for one in draws],
        "seconds": float(np.mean([one.trained for one in draws])),
        "memory": f"{max(one.memory for one in draws):.0f}",
    }


def ours(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rows of `lead`, from its own study's result.

    CPU time is that of learning features, on all cores, and of a fit with its predictions, on as many as the study had:
    at most the seconds that passed, times these. What `lead train` does before the first step is not in it.
    """
    cores = record["machine"]["threads"]
    fits = sum(len(row["of_draws"]) for row in record["rows"])
    features = record["machine"]["cores"] * record["run"]["run"]["distill_seconds"]
    seconds = features + cores * record["took"] / fits
    return [
        {
            **row,
            "tool": "`lead`",
            "peaks": "–",
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
    parser.add_argument("--peaks", type=float, nargs="+", default=list(PEAKS))
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    pool, test = (load_labels(path, pictures=chosen.pictures, several=True) for path in (chosen.pool, chosen.test))
    schema = replace(pool.schema, skeleton=load_labels(chosen.skeleton, several=True).schema.skeleton)
    trainings = Trainings(replace(pool, schema=schema), replace(test, schema=schema), chosen.pictures)

    def measured(way: str, form: str, peaks: float, count: int, times: int, draws: int) -> dict[str, Any]:
        found = [trainings.found(count, draw, way, form, peaks, times * chosen.seconds) for draw in range(draws)]
        made = {**row(way, count, times, found), "form": form, "peaks": peaks}
        print(form, peaks, made["steps"], table(COLUMNS, [made]).splitlines()[-1], flush=True)
        return made

    tried = {
        way: [measured(way, form, chosen.peaks[0], max(chosen.labels), 1, 1) for form in chosen.forms]
        for way in chosen.ways
    }
    best = {way: max(rows, key=lambda made: made["recall"])["form"] for way, rows in tried.items()}
    rows = [
        measured(way, best[way], peaks, count, times, draws)
        for times, draws in zip(chosen.times, chosen.draws, strict=True)
        for way in chosen.ways
        for count in chosen.labels
        for peaks in chosen.peaks
    ]
    own = chosen.results / "benchmarks" / f"specimens-{chosen.name}.json"
    beside = ours(json.loads(own.read_text(encoding="utf-8"))) if own.exists() else []
    result = {
        "packages": PACKAGES,
        "seconds": chosen.seconds,
        "always": ALWAYS,
        "forms": FORMS,
        "chosen": best,
        "tried": {way: list(map(without_nan, made)) for way, made in tried.items()},
        "rows": list(map(without_nan, rows)),
    }
    shown = sorted([*beside, *rows], key=lambda made: made["labels"])
    keep(f"sleap-nn-{chosen.name}", result, table(COLUMNS, shown).replace("nan", "–"), chosen.results)


if __name__ == "__main__":
    main()
