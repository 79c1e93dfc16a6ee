"""Any folder of pictures with a file of COCO key points: your own data, or any benchmark published so.

Files of the root::

    annotations.json    COCO key points (see :mod:`lead.landmarks.coco`); file_name is relative to the root
    …                   the pictures; those that the file does not list are unlabelled, and trained on

Labels that are accepted suggestions or predictions (see :mod:`lead.landmarks.coco`) are left out: nothing is measured
on them.

Each of the file's ``images`` may say, beside COCO's own keys, ``"split": "train"`` or ``"test"`` (all of them or none)
and ``"identity": "…"``, the individual that it shows. Where it says no split, a fifth of the individuals (of the
pictures, by ``file_name``, where no identity is given) is for testing; see :mod:`lead.datasets.own`, also for the unit
of error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from lead.datasets.base import Dataset
from lead.datasets.own import hashed_split, own_dataset
from lead.datasets.table import SPLITS
from lead.errors import LeadError, unknown
from lead.files import read_text
from lead.images.find import find_images
from lead.landmarks import coco

ANNOTATIONS = "annotations.json"
SEVERAL = "Its pictures show several specimens, or none, which no benchmark here measures."


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
        LeadError: the file or all of its pictures are missing, or the file is wrong.
    """
    path = annotations or root / ANNOTATIONS
    text = read_text(path)
    try:
        every = coco.parse(text, several=True).only_by_hand()
        several = every.take(np.flatnonzero(every.is_specimen)).of_several()
        if several:  # what training needs of them is which pictures there are
            first = every.take(rows[0] for rows in every.rows_of().values())
            labels = replace(first.blank(), tracks=None)
        else:
            labels = coco.parse(text).only_by_hand()
        said: dict[str, dict[str, Any]] = {
            str(entry.get("file_name")).replace("\\", "/"): entry
            for entry in json.loads(text)["images"]
            if isinstance(entry, dict)
        }
        entries = [said.get(image, {}) for image in labels.images]
        identity = [str(entry.get("identity", "")) for entry in entries]
        split = _splits(entries, [who or image for who, image in zip(identity, labels.images, strict=True)], seed)
    except LeadError as error:
        raise LeadError(f"{path}: {error}") from error
    dataset = own_dataset(root, labels, split, identity, find_images(root))
    return replace(dataset, no_labels=SEVERAL) if several else dataset


def _splits(entries: Sequence[dict[str, Any]], keys: Sequence[str], seed: int) -> list[str]:
    if not any("split" in entry for entry in entries):
        return [hashed_split(key, seed) for key in keys]
    for i, entry in enumerate(entries):
        if "split" not in entry:
            raise LeadError(f"images[{i}] has no 'split', others have. Give all of them one, or none.")
        if entry["split"] not in SPLITS:
            raise LeadError(f"images[{i}]: {unknown('split', str(entry['split']), SPLITS)}")
    return [entry["split"] for entry in entries]
