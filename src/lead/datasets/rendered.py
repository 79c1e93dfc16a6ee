"""Rendered pictures, whose landmarks are known exactly.

``images/NNNNN.jpg``; ``images.csv`` with the columns file, identity, split; ``landmarks.json`` with COCO key points;
``dataset.json`` with the ``name`` of the set and the two landmarks, ``normaliser``, whose distance is the unit of
error. Files are named relative to the folder, ``images/`` included, in both tables.
"""

from __future__ import annotations

import json
from pathlib import Path

from lead.datasets.base import Dataset
from lead.datasets.coco import SEVERAL
from lead.datasets.table import check_pictures, read_table
from lead.errors import LeadError, unknown
from lead.landmarks.io import read_labels

DESCRIPTION = "dataset.json"


def present(root: Path) -> bool:
    """Whether a folder looks like rendered pictures."""
    return (root / DESCRIPTION).is_file()


def load(root: Path) -> Dataset:
    """The dataset in a folder, with one point set, ``"all"``; without labels where pictures show several.

    Raises:
        LeadError: a file, column or key is missing, or the tables contradict one another.
    """
    name, normaliser = _describe(root / DESCRIPTION)
    rows = read_table(root / "images.csv", ("file", "identity", "split"))
    files = tuple(row["file"] for row in rows)
    check_pictures(root, files)
    labels, _ = read_labels(root / "landmarks.json", several=True)
    if unlisted := sorted(set(labels.images).difference(files)):
        raise LeadError(f"{root}: landmarks.json labels {unlisted[0]}, which images.csv does not list.")
    for landmark in normaliser:
        if landmark not in labels.schema.names:
            raise LeadError(f"{root / DESCRIPTION}: {unknown('landmark', landmark, labels.schema.names)}")
    one_each = labels.tracks is None
    return Dataset(
        name=name,
        root=root,
        files=files,
        identity=tuple(row["identity"] for row in rows),
        split=tuple(row["split"] for row in rows),
        labels=labels if one_each else None,
        point_sets={"all": labels} if one_each else {},
        normaliser={"all": normaliser} if one_each else {},
        no_labels="" if one_each else SEVERAL,
    )


def _describe(path: Path) -> tuple[str, tuple[str, str]]:
    """Name and normaliser of the set."""
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        name, (first, second) = description["name"], description["normaliser"]
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise LeadError(
            f'{path} must read {{"name": "beetles", "normaliser": ["one landmark", "another"]}} ({error!r}).'
        ) from error
    return str(name), (str(first), str(second))
