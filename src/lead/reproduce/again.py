"""A result made again from its own record, and what differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

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
        path: a result of ``evaluate`` or of a table of ``reproduce``.
        data: the dataset that it was measured on.
        pictures: the dataset that its networks were trained on; None for the same.
        out: folder for what is trained; by default one under ``runs`` named by the settings.
        report: a training's progress.
        say: told what is done, and beforehand what is another version or machine.

    Raises:
        LeadError: the file does not say how it was made, or the pictures or landmarks are not those it was made with.
    """
    before = read(path)
    if before.command.get("name") not in ("evaluate", "reproduce"):
        raise LeadError(
            f"{path} does not say how it was made: an earlier lead, or something else, wrote it. Results of `lead "
            "evaluate` and `lead reproduce` can be repeated."
        )
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
        made = _evaluated if before.command["name"] == "evaluate" else _reproduced
        after = made(before, settings, Shelf(folder, trained_on, report, say), measured_on)
    finally:
        torch.set_num_threads(was)
    after.write(folder / f"{after.name}.json", overwrite=True)
    around += _precision(before, after)
    return Again(before, after, folder, tuple(around), tuple(_numbers(before.rows, after.rows)))


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
    """Raises :class:`LeadError` if a result's networks have learnt from other pictures than a dataset's."""
    was = before.data.get(TRAINED_ON, _of_run(before).get(TRAINED_ON))
    if was != open_pictures(dataset, settings).identity:
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


def _evaluated(before: Result, settings: Settings, shelf: Shelf, measured_on: Dataset) -> Result:
    asked: dict[str, Any] = {key: value for key, value in before.command.items() if key not in ("name", "task")}
    run = api.train(shelf.dataset, shelf.folder, settings=settings, report=shelf.report, say=shelf.say)
    task, split = str(before.command["task"]), str(asked.pop("split"))
    return api.evaluate(run, measured_on, task, preset=before.preset, split=split, say=shelf.say, **asked)


def _reproduced(before: Result, settings: Settings, shelf: Shelf, measured_on: Dataset) -> Result:
    keys = ("split", "seeds", "labels", "draws", "dimensions", "heads")
    protocol: dict[str, Any] = {key: before.settings[key] for key in keys}
    study = Study(settings, before.preset, shelf.dataset, measured_on, shelf, say=shelf.say, **protocol)
    name = str(before.command["of"])
    if name not in catalogue.TABLES:
        raise LeadError(f"{name} is a figure: draw it again with `lead reproduce {name}`. Tables can be repeated.")
    return replace(catalogue.TABLES[name](study), name=before.name)


def _numbers(before: tuple[Row, ...], after: tuple[Row, ...]) -> list[str]:
    """The rows of which a number is another, and those that only one result has."""

    def key(row: Row) -> tuple[object, ...]:
        return (row.method, row.features, row.labels, row.metric, row.unit)

    now = {key(row): row for row in after}
    lines = []
    for row in before:
        what = ", ".join(str(part) for part in (row.method, row.labels, row.metric) if part is not None)
        new = now.pop(key(row), None)
        if new is None:
            lines.append(f"{what}: {row.mean!r} there, not measured here")
        elif (new.mean, new.median, new.sd) != (row.mean, row.median, row.sd):
            lines.append(f"{what}: {row.mean!r} there, {new.mean!r} here")
    return lines + [f"{row.method}, {row.metric}: not measured there, {row.mean!r} here" for row in now.values()]
