"""What folders of one's own pictures share: a split that no file publishes, and a unit of error that none names.

A picture is for testing if the number that the SHA-256 of ``seed:key`` begins with lies in the lowest fifth of its
range. The key is what must not be on both sides: the individual, or the picture's path where none is known. So new
pictures move none of the old.

The unit of error is the distance of the first flip pair's landmarks. Without flip pairs it is that of the two
landmarks farthest apart on average over the pictures to train on that label both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np

from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.folder_pictures import FolderPictures
from lead.images.placing import at_hand
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.naming import matched
from lead.reporting import counted

TEST_SHARE = 0.2


def hashed_split(key: str, seed: int) -> str:
    """``"train"`` or ``"test"``, which depends on the key and the seed alone."""
    place = int.from_bytes(hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8]) / 2**64
    return "test" if place < TEST_SHARE else "train"


def own_dataset(
    root: Path, labels: Labels, split: Sequence[str], identity: Sequence[str], pictures: Sequence[str]
) -> Dataset:
    """A dataset named after its folder, with one point set, ``"all"``, of the pictures that have a landmark.

    Pictures that are listed and not there are left out: who labels deletes pictures. Where not one is there, they were
    moved, and are found by how their paths end.

    Args:
        root: folder that all paths are relative to.
        labels: of every picture that the label files list, be it labelled or not.
        split, identity: of those pictures.
        pictures: all that the folder holds; those that are not listed are unlabelled, and trained on.

    Raises:
        LeadError: not one listed picture is there.
    """
    labels = labels.only_by_hand()
    there = set(pictures)
    found = {image: image for image in labels.images if image in there} or matched(labels.images, pictures)
    gone = [image for image in labels.images if image not in found]
    if gone and not found:
        raise LeadError(
            f"None of the {counted(len(gone), 'listed picture', 'listed pictures')} is in {root}, the first is "
            f"{gone[0]}. Put them there, or take the pictures that are there without labels: --name folder."
        )
    rows = [row for row, image in enumerate(labels.images) if image in found]
    split, identity = ([values[row] for row in rows] for values in (split, identity))
    labels = labels.take(rows).renamed(found[labels.images[row]] for row in rows)
    notes = list(_notes(root, labels, gone))
    labels = at_hand(labels, FolderPictures(root), say=notes.append, unclear=lambda _: None)
    listed = set(labels.images)
    others = [file for file in pictures if file not in listed]
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
        notes=tuple(notes),
    )


def _notes(root: Path, labels: Labels, gone: Sequence[str]) -> list[str]:
    left_out = labels.places.left_out if labels.places else ""
    notes = [f"{root}: left out: {left_out}."] if left_out else []
    if gone:
        notes.append(
            f"{counted(len(gone), 'listed picture is', 'listed pictures are')} not in {root} and left out, the first "
            f"is {gone[0]}."
        )
    return notes


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
