"""Kills commands with SIGKILL at random moments, runs them again, and compares what they leave with a whole run's.

    python -m benchmarks.robustness.kill [--kills 5] [--seed 0] [--results results]

Building the picture store, stage 1, stage 2, ``fit``, ``predict`` and ``reproduce`` are killed at moments spread evenly
by chance over the time that each takes; stages save their state several times a second, so that most kills find one.
Then the same command is run again, and weights, logs, models and landmarks must be the whole run's to the last bit. In
the studio every label that was said to be saved must be in the file.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measuring import keep, table
from lead.beetles.writing import write_beetles
from lead.images.labels import load_labels, save_labels
from lead.provenance import commit

PICTURES, SIDE = 200, 160
SETTINGS = """
precision: 32-true  # auto is a matter of the load, which may be another after a kill
picture: {store: 128, input: 64}
backbone: {name: test_resnet}
hypercolumn: {weights: [1, 0, 0, 0]}
pretrain: {steps: 24, batch: 16, hidden: 32, projection: 16}
distill: {steps: 24, batch: 16, dimension: 16, width: 16, projection: null, alignment: 1, exchange: 1, equivariance: 1}
"""
PROGRAM = """
from functools import partial
from lead import api
from lead.cli import main
from lead.training.upkeep import Upkeep
# So small a network may tell little apart.
api.train = partial(api.train, upkeep=Upkeep(save_every_s=0.2, collapsed=-1.0))
main()
"""
STORM = Path(__file__).resolve().parents[2] / "tests" / "studio" / "storm.py"


@dataclass(frozen=True)
class Work:
    """A command that is killed.

    Attributes:
        name: for people.
        arguments: of the command, in whose folder it runs.
        before: copies what the command needs to its folder.
        begun, done: whether that which is to be killed has begun, and is over, by what lies in the folder.
        outcome: digests of what the command leaves.
    """

    name: str
    arguments: list[str]
    before: Callable[[Path], None]
    begun: Callable[[Path], bool]
    done: Callable[[Path], bool]
    outcome: Callable[[Path], dict[str, str]]


def start(work: Work, folder: Path) -> subprocess.Popen[bytes]:
    """Starts a command, on one thread, with a store cache of its own."""
    environment = os.environ | {"LEAD_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-c", PROGRAM, *work.arguments], cwd=folder, env=environment, stdout=log, stderr=log
        )


def finish(work: Work, folder: Path) -> None:
    process = start(work, folder)
    if process.wait():
        raise SystemExit(f"{work.name} failed in {folder}:\n{(folder / 'log').read_text(errors='replace')[-3000:]}")


def digests(folder: Path, *patterns: str) -> dict[str, str]:
    """Of files, by their paths."""
    found = [path for pattern in patterns for path in sorted(folder.glob(pattern)) if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def works(world: Path) -> list[Work]:
    """What is killed. ``world`` holds a whole run, a model and labels."""
    data = str(world / "beetles")
    settings = str(world / "least.yaml")
    train = ["train", data, "--out", "run", "--preset", settings]
    stored, trained = ["cache/*/*"], ["run/*.safetensors", "run/metrics.jsonl"]

    def nothing(_: Path) -> None: ...

    def has(pattern: str) -> Callable[[Path], bool]:
        return lambda folder: any(folder.glob(pattern))

    def of_files(*patterns: str) -> Callable[[Path], dict[str, str]]:
        return lambda folder: digests(folder, *patterns)

    def run_there(folder: Path) -> None:
        shutil.copytree(world / "run", folder / "run")

    def model_there(folder: Path) -> None:
        shutil.copy(world / "model.safetensors", folder)

    always = has("log")
    fit = ["fit", "run", str(world / "few.csv"), "--pictures", data, "--out", "model.safetensors"]
    predict = ["predict", "model.safetensors", data, "--out", "out.json"]
    reproduce = ["reproduce", "fig3", "--data", data, "--preset", settings]
    drawn = ["runs/reproduce/*/backbone.safetensors", "results/*/*/fig3.webp"]
    return [
        Work("store", train, nothing, has("cache/*"), has("cache/*/index.json"), of_files(*stored, *trained)),
        Work("stage 1", train, nothing, has("run/metrics.jsonl"), has("run/backbone.safetensors"), of_files(*trained)),
        Work("stage 2", train, nothing, has("run/backbone.safetensors"), has("run/student.*"), of_files(*trained)),
        Work("fit", fit, run_there, always, has("model.safetensors"), of_files("model.safetensors")),
        Work("predict", predict, model_there, has("*.part"), has("out.json"), of_files("out.json")),
        Work("reproduce", reproduce, nothing, has("runs/reproduce/*"), has("results/*/*/fig3.json"), of_files(*drawn)),
    ]


def make_world(world: Path) -> None:
    """Drawn beetles, and a run and a model of them that nothing interrupted."""
    write_beetles(world / "beetles", PICTURES, size=SIDE, species=20, workers=1)
    (world / "least.yaml").write_text(SETTINGS)
    train, _, _, fit, *_ = works(world)
    finish(train, world)
    few = load_labels(world / "beetles" / "landmarks.json").take(range(8))
    save_labels(few, world / "few.csv")
    finish(fit, world)


def wait(process: subprocess.Popen[bytes], met: Callable[[], bool]) -> float:
    """Waits until something is so or the process is over; returns the seconds that took."""
    began = time.monotonic()
    while not met() and process.poll() is None:
        time.sleep(0.002)
    return time.monotonic() - began


def killed(work: Work, root: Path, kills: int, random: np.random.Generator) -> dict[str, Any]:
    """Runs one command whole, and then so many times with a kill."""
    whole = root / "whole"
    whole.mkdir(parents=True)
    work.before(whole)
    process = start(work, whole)
    wait(process, partial(work.begun, whole))
    length = wait(process, partial(work.done, whole))
    if process.wait():
        raise SystemExit((whole / "log").read_text(errors="replace"))
    expected = work.outcome(whole)
    assert expected, work.name
    same, moments = 0, []
    for number in range(kills):
        moment = (number + random.random()) / kills
        folder = root / f"{number}"
        folder.mkdir()
        work.before(folder)
        process = start(work, folder)
        wait(process, partial(work.begun, folder))
        time.sleep(moment * length)
        process.send_signal(signal.SIGKILL)
        hit = process.wait() == -signal.SIGKILL
        state = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if _unfinished(path))
        finish(work, folder)
        same += work.outcome(folder) == expected
        moments.append({"at": moment, "seconds": moment * length, "killed": hit, "state": state})
    hits, found = (sum(bool(moment[key]) for moment in moments) for key in ("killed", "state"))
    return {"what": work.name, "kills": hits, "found": found, "same": same, "moments": moments}


def _unfinished(path: Path) -> bool:
    """Whether a file holds the state of something under way, to be gone on with."""
    return path.name.endswith((".part", "-state.safetensors", "rows.jsonl"))


def studio(world: Path, root: Path, kills: int, random: np.random.Generator) -> dict[str, Any]:
    """Kills a process that saves labels for ever; counts the kills after which all that it said is there."""
    same, moments = 0, []
    for number in range(kills):
        folder = root / f"{number}"
        shutil.copytree(world / "beetles", folder, ignore=shutil.ignore_patterns("*.csv", "*.json"))
        environment = os.environ | {"LEAD_CACHE": str(root / "cache")}
        prepare = subprocess.run(
            [sys.executable, "-c", NAMING, str(folder)], env=environment, check=True, capture_output=True, text=True
        )
        pictures = json.loads(prepare.stdout)
        process = subprocess.Popen(
            [sys.executable, str(STORM), str(folder)], stdout=subprocess.PIPE, text=True, env=environment
        )
        assert process.stdout is not None
        said = [int(process.stdout.readline())]
        moment = random.random() * 2
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        said += [int(line) for line in process.stdout if line.endswith("\n")]
        same += _all_there(folder, pictures, max(said))
        moments.append({"seconds": moment, "said": len(said)})
    return {"what": "studio", "kills": kills, "found": kills, "same": same, "moments": moments}


def _all_there(folder: Path, pictures: list[str], last: int) -> bool:
    """Whether every label up to number ``last`` is in the file; the one after it may be, too."""
    labels = load_labels(folder / "annotations.json")
    there = {image: round(1000 * xy[0, 0]) for image, xy in zip(labels.images, labels.xy, strict=True)}
    count = len(pictures)
    for row, picture in enumerate(pictures[: last + 1]):
        newest = last - (last - row) % count
        if there.get(picture) not in (newest, newest + count):
            return False
    return True


NAMING = """
import json, sys
from pathlib import Path
from lead.studio.book import LabelBook
from lead.studio.events import Events
from lead.studio.folder import PictureFolder
from lead.studio.label_messages import Landmark, LandmarksChange
root = Path(sys.argv[1])
folder = PictureFolder(root)
book = LabelBook.open(folder, root / "annotations.json", Events())
named = [Landmark(name="a", colour="#3070d0")]
book.change_landmarks(LandmarksChange(version=book.landmarks.version, landmarks=named))
book.close()
print(json.dumps(list(folder.files)))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="what to kill, e.g. 'stage 1'; repeatable")
    parser.add_argument("--results", type=Path, default=Path("results"))
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    there = options.results / "benchmarks" / "kill.json"
    known = json.loads(there.read_text(encoding="utf-8"))["works"] if there.is_file() else []
    rows = {row["what"]: row for row in known}  # of what is not asked for, what was found before
    with tempfile.TemporaryDirectory() as folder:
        world = Path(folder) / "world"
        world.mkdir()
        make_world(world)
        for work in works(world):
            if not options.only or work.name in options.only:
                rows[work.name] = killed(work, Path(folder) / work.name, options.kills, random)
                print({key: value for key, value in rows[work.name].items() if key != "moments"}, flush=True)
        if not options.only or "studio" in options.only:
            rows["studio"] = studio(world, Path(folder) / "studio", options.kills, random)
        found = [{**row, "commit": row.get("commit", commit())} for row in rows.values()]
    columns = {
        "what": ("Killed", "{}"),
        "kills": ("Kills", "{}"),
        "found": ("Left a state", "{}"),
        "same": ("As if uninterrupted", "{}"),
    }
    keep("kill", {"seed": options.seed, "pictures": PICTURES, "works": found}, table(columns, found), options.results)


if __name__ == "__main__":
    main()
