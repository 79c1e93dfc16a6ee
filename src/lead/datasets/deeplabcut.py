"""A DeepLabCut project of one animal: the frames of its videos, and what was labelled on them by hand.

The labels are those that :mod:`lead.landmarks.deeplabcut_project` joins. Frames below ``labeled-data`` that no file
lists are unlabelled, and trained on; a row whose frame was deleted is left out. A fifth of the frames is for testing;
see :mod:`lead.datasets.own`, also for the unit of error.
"""

from __future__ import annotations

from pathlib import Path

from lead.datasets.base import Dataset
from lead.datasets.own import hashed_split, own_dataset
from lead.errors import LeadError
from lead.images.find import find_images
from lead.landmarks import deeplabcut_project
from lead.landmarks.deeplabcut_project import above, folders, present

__all__ = ["load", "present"]


def load(root: Path, *, seed: int = 0) -> Dataset:
    """The frames of a project with one point set, ``"all"``, of those that have a landmark.

    Training needs no labels: where they cannot be read, the frames are taken without, and the same ones are for testing
    as would be with them.

    Args:
        root: the project's folder.
        seed: of the split.

    Raises:
        LeadError: there is no frame, or none of those that the labels name.
    """
    try:
        labels = deeplabcut_project.read(root)
    except LeadError as error:
        return _unlabelled(root, str(error), seed)
    split = [hashed_split(image, seed) for image in labels.images]
    return own_dataset(root, labels, split, [""] * len(labels), _frames(root))


def _frames(root: Path) -> list[str]:
    """The frames' paths, relative to the root."""
    inside = folders(root)
    parent = above(root)
    found = [parent / file for file in find_images(parent)] if inside else []
    return [
        path.relative_to(root).as_posix()
        for path in found
        if parent in inside or parent / path.relative_to(parent).parts[0] in inside
    ]


def _unlabelled(root: Path, why: str, seed: int) -> Dataset:
    files = _frames(root)
    if not files:
        raise LeadError(why)
    return Dataset(
        name=root.resolve().name,
        root=root,
        files=tuple(files),
        identity=("",) * len(files),
        split=tuple(hashed_split(file, seed) for file in files),
        notes=(f"The labels are not read, and a fifth of all frames is kept for testing: {why}",),
        no_labels=why,
    )
