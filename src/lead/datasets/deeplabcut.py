"""A DeepLabCut project of one animal: the frames of its videos, and what was labelled on them by hand.

The labels are those that :mod:`lead.landmarks.deeplabcut_project` joins. Frames below ``labeled-data`` that no file
lists are unlabelled, and trained on. A fifth of the frames is for testing; see :mod:`lead.datasets.own`, also for the
unit of error.
"""

from __future__ import annotations

from pathlib import Path

from lead.datasets.base import Dataset
from lead.datasets.own import hashed_split, own_dataset
from lead.datasets.table import check_pictures
from lead.images.find import find_images
from lead.landmarks import deeplabcut_project
from lead.landmarks.deeplabcut import FOLDER
from lead.landmarks.deeplabcut_project import present, videos

__all__ = ["load", "present"]


def load(root: Path, *, seed: int = 0) -> Dataset:
    """The frames of a project with one point set, ``"all"``, of those that have a landmark.

    Args:
        root: the project's folder.
        seed: of the split.

    Raises:
        LeadError: config.yaml, every table or a frame is missing or wrong, or it is open whose labels count.
    """
    labels = deeplabcut_project.read(root)
    check_pictures(root, labels.images)
    split = [hashed_split(image, seed) for image in labels.images]
    folders = set(videos(root))
    frames = [f"{FOLDER}/{file}" for file in find_images(root / FOLDER) if file.split("/")[0] in folders]
    return own_dataset(root, labels, split, [""] * len(labels), frames)
