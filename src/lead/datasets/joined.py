"""The training pictures of several datasets, to learn from together."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lead.datasets.base import Dataset
from lead.errors import LeadError


def joined(datasets: Sequence[Dataset]) -> Dataset:
    """What several datasets have to train on, without landmarks, as one; a single one is returned as it is.

    Pictures for the test are not among its files, so that nothing can learn from them.

    Raises:
        LeadError: a picture is to train on in one and to test on in another, or the datasets show parts of their
            pictures only.
    """
    if len(datasets) == 1:
        return datasets[0]
    for dataset in datasets:
        if dataset.boxes is not None:
            raise LeadError(
                f"{dataset.root}: {dataset.name} shows parts of its pictures, which cannot be learnt from together "
                "with whole ones. Train on it alone."
            )
    root = Path(os.path.commonpath([dataset.root.resolve() for dataset in datasets]))
    tested = {_place(dataset, row): dataset for dataset in datasets for row in _rows(dataset, "test")}
    identity: dict[str, str] = {}
    sources: dict[str, int] = {}
    for dataset in datasets:
        before = len(identity)
        for row in _rows(dataset, "train"):
            place = _place(dataset, row)
            if judge := tested.get(place):
                raise LeadError(
                    f"{place} is to train on in {dataset.root}, and {judge.root} tests on it. Leave one of them out."
                )
            who = dataset.identity[row]
            identity.setdefault(place.relative_to(root).as_posix(), who and f"{dataset.name}: {who}")
        sources[dataset.name] = sources.get(dataset.name, 0) + len(identity) - before
    return Dataset(
        name="+".join(dict.fromkeys(dataset.name for dataset in datasets)),
        root=root,
        files=tuple(identity),
        identity=tuple(identity.values()),
        split=("train",) * len(identity),
        notes=tuple(note for dataset in datasets for note in dataset.notes),
        no_labels="It joins what several have to train on; measure on one of them.",
        sources=sources,
    )


def _rows(dataset: Dataset, split: str) -> Sequence[int]:
    return dataset.rows(split) if split in dataset.split else ()


def _place(dataset: Dataset, row: int) -> Path:
    """A picture's path, links to its folder followed."""
    return dataset.root.resolve() / dataset.files[row]
