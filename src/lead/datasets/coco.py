"""Any folder of pictures with a file of COCO key points: your own data, or any benchmark published so.

Files of the root::

    annotations.json    COCO key points (see :mod:`lead.landmarks.coco`); file_name is relative to the root
    …                   the pictures; those that the file does not list are unlabelled, and trained on

Each of the file's ``images`` may say, beside COCO's own keys, ``"split": "train"`` or ``"test"`` (all of them or none)
and ``"identity": "…"``, the individual that it shows. Where it says no split, a fifth is for testing: a picture is if
the number that the SHA-256 of ``seed:identity`` begins with (``seed:file_name`` where no identity is given) lies in
the lowest fifth of its range. So an individual is never on both sides, and new pictures move none of the old.

The unit of error is the distance of the first flip pair's landmarks. Without flip pairs it is that of the two
landmarks farthest apart on average over the pictures to train on that label both.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from lead.datasets.base import Dataset
from lead.datasets.table import SPLITS, check_pictures
from lead.errors import LeadError, unknown
from lead.files import read_text
from lead.images.find import find_images
from lead.landmarks import coco
from lead.landmarks.model import UNLABELLED, Labels

ANNOTATIONS = "annotations.json"
TEST_SHARE = 0.2


def present(root: Path) -> bool:
    """Whether a folder has key points under the name that is looked for."""
    return (root / ANNOTATIONS).is_file()


def load(root: Path, annotations: Path | None = None, *, seed: int = 0) -> Dataset:
    """The pictures of a folder with one point set, ``"all"``, of those that have a landmark.

    Args:
        root: folder of the pictures.
        annotations: the file of key points, if it is not the root's annotations.json.
        seed: of the split, where the file says none.

    Raises:
        LeadError: the file or a picture is missing, or the file is wrong.
    """
    path = annotations or root / ANNOTATIONS
    text = read_text(path)
    try:
        labels = coco.parse(text)
        entries: list[dict[str, Any]] = json.loads(text)["images"]
        identity = [str(entry.get("identity", "")) for entry in entries]
        split = _splits(entries, identity, seed)
    except LeadError as error:
        raise LeadError(f"{path}: {error}") from error
    check_pictures(root, labels.images)
    listed = set(labels.images)
    others = [file for file in find_images(root) if file not in listed]
    labelled = labels.take(np.flatnonzero((labels.visible > UNLABELLED).any(1)).tolist())
    pair = _unit(labelled, {file for file, part in zip(labels.images, split, strict=True) if part == "train"})
    return Dataset(
        name=root.resolve().name,
        root=root,
        files=(*labels.images, *others),
        identity=(*identity, *[""] * len(others)),
        split=(*split, *["train"] * len(others)),
        labels=labelled,
        point_sets={"all": labelled} if pair else {},
        normaliser={"all": pair} if pair else {},
    )


def _splits(entries: Sequence[dict[str, Any]], identity: Sequence[str], seed: int) -> list[str]:
    if not any("split" in entry for entry in entries):
        keys = [who or str(entry["file_name"]) for entry, who in zip(entries, identity, strict=True)]
        return ["test" if _place(f"{seed}:{key}") < TEST_SHARE else "train" for key in keys]
    for i, entry in enumerate(entries):
        if "split" not in entry:
            raise LeadError(f"images[{i}] has no 'split', others have. Give all of them one, or none.")
        if entry["split"] not in SPLITS:
            raise LeadError(f"images[{i}]: {unknown('split', str(entry['split']), SPLITS)}")
    return [entry["split"] for entry in entries]


def _place(key: str) -> float:
    """A number from 0 to 1 that depends on the key alone."""
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) / 2**64


def _unit(labels: Labels, trained: set[str]) -> tuple[str, str] | None:
    """The two landmarks whose distance is the unit of error; None where nothing tells them."""
    schema = labels.schema
    if not len(labels):
        return None
    if schema.flip_pairs:
        return schema.flip_pairs[0]
    xy = labels.xy[[image in trained for image in labels.images]]
    apart: dict[tuple[str, str], float] = {}
    for a, b in combinations(range(len(schema.names)), 2):
        distance = np.linalg.norm(xy[:, a] - xy[:, b], axis=-1)
        if np.isfinite(distance).any():
            apart[schema.names[a], schema.names[b]] = float(np.nanmean(distance))
    return max(apart, key=lambda pair: apart[pair], default=None)
