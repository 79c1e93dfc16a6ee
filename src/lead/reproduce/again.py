"""A result made again from its own record, and what differs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, cast

import torch

from lead import api
from lead.config import Settings, check, settings_hash
from lead.datasets import open_dataset
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.evaluation.results import Result, Row, read
from lead.experiments.bench import Bench
from lead.provenance import commit, machine, versions
from lead.reporting import Report, Say, silent, unsaid
from lead.reproduce import catalogue
from lead.reproduce.shelf import Shelf
from lead.reproduce.study import Study
from lead.training.run import TRAINED_ON, open_pictures

EVALUATED = ("task", "split", "heads", "point_sets", "labels", "draws", "methods")
"""What the record of an evaluation says."""
RUN, DATASET = "RUN", "DATASET"
"""Among the arguments of a study's script, the folders of the run and of the dataset."""
REPOSITORY = Path(__file__).parents[3]
Maker = Callable[[Result, Settings, Shelf, Dataset], Result]


@dataclass(frozen=True)
class Again:
    """A result beside the one that was made from its record.

    Attributes:
        before, after: the two.
        folder: what was trained for it, and ``after``.
        around: in what versions, hardware or code differ, a line each.
        numbers: in what the numbers differ, a line each; empty if all are the same to the last bit.
    """

    before: Result
    after: Result
    folder: Path
    around: tuple[str, ...]
    numbers: tuple[str, ...]


def repeat(
    path: Path,
    data: Path | str | Dataset,
    *,
    pictures: Path | str | Dataset | None = None,
    out: Path | None = None,
    report: Report = silent,
    say: Say = unsaid,
) -> Again:
    """Trains and measures as the record of a result says, with as many threads, and compares the numbers.

    Interrupted, the same call goes on.

    Args:
        path: a result of ``evaluate``, of ``reproduce``, or of a script in ``benchmarks/studies``.
        data: the dataset that it was measured on.
        pictures: the dataset that its networks were trained on; None for the same.
        out: folder for what is trained; by default one under ``runs`` named by the settings.
        report: a training's progress.
        say: told what is done, and beforehand what is another version or machine.

    Raises:
        LeadError: the file does not say how it was made, or the pictures or landmarks are not those it was made with.
    """
    before = read(path)
    made = maker(before, path)
    settings = check({k: v for k, v in before.settings.items() if k in Settings.model_fields}, str(path))
    measured_on = _opened(data)
    trained_on = measured_on if pictures is None else _opened(pictures)
    _same_data(before, path, measured_on, settings)
    _same_training(before, path, trained_on, settings)
    around = _differences(before)
    for line in around:
        say(line)
    folder = out or Path("runs") / f"repeat-{settings_hash(settings)[:12]}"
    threads = before.machine.get("threads")
    was = torch.get_num_threads()
    torch.set_num_threads(int(str(threads)) if threads else was)  # on which the order of sums depends
    try:
        after = made(before, settings, Shelf(folder, trained_on, report, say), measured_on)
    finally:
        torch.set_num_threads(was)
    after.write(folder / f"{after.name}.json", overwrite=True)
    around += _precision(before, after)
    return Again(before, after, folder, tuple(around), tuple(_numbers(before, after)))


def _opened(data: Path | str | Dataset) -> Dataset:
    return data if isinstance(data, Dataset) else open_dataset(data)


def _same_data(before: Result, path: Path, dataset: Dataset, settings: Settings) -> None:
    """Raises :class:`LeadError` if a dataset is not the one that a result was measured on."""
    if dataset.name != before.benchmark:
        raise LeadError(f"{path} was measured on {before.benchmark}; {dataset.root} holds {dataset.name}.")
    here = Bench(dataset, [], settings).digests()
    other = [name for name, digest in before.data.items() if name != TRAINED_ON and here.get(name) != digest]
    if other:
        what = " and ".join("the pictures" if name == "pictures" else f"the landmarks {name!r}" for name in other)
        raise LeadError(
            f"{what} of {dataset.root} are not those that {path} was measured on: some were added, removed or changed, "
            "or are decoded otherwise by another version of Pillow. Its numbers cannot be had from these."
        )


def _same_training(before: Result, path: Path, dataset: Dataset, settings: Settings) -> None:
    """Raises :class:`LeadError` if a result's networks have learnt from other pictures than a dataset's.

    The records of the first versions do not say from which.
    """
    was = before.data.get(TRAINED_ON, _of_run(before).get(TRAINED_ON))
    if was is not None and was != open_pictures(dataset, settings).identity:
        raise LeadError(
            f"The features of {path} were learnt from other pictures than those of {dataset.root}. Name their folder: "
            "--pictures."
        )


def _differences(before: Result) -> list[str]:
    """What is not as it was when a result was made, as far as numbers may depend on it."""
    lines = []
    for name, here in versions().items():
        if (there := before.versions.get(name)) != here:
            lines.append(f"{name}: {there} there, {here} here")
    here_machine = machine()
    for name in ("processor", "instructions", "device"):
        if (was := before.machine.get(name)) != here_machine.get(name):
            lines.append(f"{name}: {was} there, {here_machine.get(name)} here")
    if before.commit != commit():
        lines.append(f"code: {before.commit} there, {commit()} here")
    return lines


def _precision(before: Result, after: Result) -> list[str]:
    """Whether the networks were trained in another precision, which a measurement decides where the settings do not."""
    was, now = (_of_run(result).get("precision") for result in (before, after))
    return [] if was == now else [f"precision: {was} there, {now} here"]


def _of_run(result: Result) -> Mapping[str, Any]:
    found = result.settings.get("run")
    return found if isinstance(found, dict) else {}


def maker(result: Result, path: Path) -> Maker:
    """What makes a result again.

    Raises:
        LeadError: its record does not say how it was made, or in words that this version does not know.
    """
    command = result.command
    match command.get("name"):
        case "evaluate" if set(command) == {"name", *EVALUATED} and command["task"] in api.TASKS:
            return _evaluated
        case "reproduce" if command.get("of") in (*catalogue.TABLES, *catalogue.FIGURES):
            return _reproduced
        case "study" if str(command.get("of")).isidentifier() and _studies(f"{command['of']}.py").is_file():
            return _studied
    raise LeadError(
        f"{path} does not say how it was made: an earlier lead, or something else, wrote it. Results of `lead "
        "evaluate` and `lead reproduce` can be repeated; in a checkout, those of benchmarks/studies too."
    )


def _evaluated(before: Result, settings: Settings, shelf: Shelf, measured_on: Dataset) -> Result:
    asked: dict[str, Any] = {key: before.command[key] for key in EVALUATED if key != "task"}
    run = api.train(shelf.dataset, shelf.folder, settings=settings, report=shelf.report, say=shelf.say)
    return api.evaluate(run, measured_on, str(before.command["task"]), preset=before.preset, say=shelf.say, **asked)


def _reproduced(before: Result, settings: Settings, shelf: Shelf, measured_on: Dataset) -> Result:
    keys = ("split", "seeds", "labels", "draws", "dimensions", "heads")
    protocol: dict[str, Any] = {key: before.settings[key] for key in keys}
    study = Study(settings, before.preset, shelf.dataset, measured_on, shelf, say=shelf.say, **protocol)
    return catalogue.make(study, str(before.command["of"]), shelf.folder / "results")


def _studied(before: Result, settings: Settings, shelf: Shelf, measured_on: Dataset) -> Result:
    """By the study's own script, in the shelf's folder, where it files its result."""
    folder = shelf.folder.resolve()
    words = [str(word) for word in cast("Iterable[object]", before.command["arguments"])]
    if RUN in words:
        api.train(shelf.dataset, folder / "run", settings=settings, report=shelf.report, say=shelf.say)
    places = {RUN: str(folder / "run"), DATASET: str(measured_on.root.resolve())}
    command = [sys.executable, "-m", f"benchmarks.studies.{before.command['of']}", *(places.get(w, w) for w in words)]
    shelf.say(" ".join(command))
    search = os.pathsep.join(filter(None, [str(REPOSITORY), os.environ.get("PYTHONPATH")]))
    threads = {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(command, cwd=folder, env={**os.environ, "PYTHONPATH": search, **threads}, check=False)
    if done.returncode:
        raise LeadError(f"benchmarks/studies/{before.command['of']}.py ended with status {done.returncode}.")
    return read(before.path(folder / "results"))


def _studies(file: str) -> Path:
    """Where a study's script is, in a checkout of the repository."""
    return REPOSITORY / "benchmarks" / "studies" / file


def _numbers(before: Result, after: Result) -> list[str]:
    """The rows of which a number is another, and those that only one result has; of what has no rows, the notes.

    Metrics that ``before`` knows nothing of do not count: it is older than they are.
    """

    def key(row: Row) -> tuple[object, ...]:
        return (row.method, row.features, row.labels, row.metric, row.unit)

    if not before.rows:
        return [f"{was!r} there, {now!r} here" for was, now in zip_longest(before.notes, after.notes) if was != now]
    metrics = {row.metric for row in before.rows}
    now = {key(row): row for row in after.rows if row.metric in metrics}
    lines = []
    for row in before.rows:
        what = ", ".join(str(part) for part in (row.method, row.labels, row.metric) if part is not None)
        new = now.pop(key(row), None)
        if new is None:
            lines.append(f"{what}: {row.mean!r} there, not measured here")
        elif (new.mean, new.median, new.sd) != (row.mean, row.median, row.sd):
            lines.append(f"{what}: {row.mean!r} there, {new.mean!r} here")
    return lines + [f"{row.method}, {row.metric}: not measured there, {row.mean!r} here" for row in now.values()]
