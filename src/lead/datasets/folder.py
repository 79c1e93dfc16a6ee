"""Any folder of pictures: nothing is known but the pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from lead.datasets.base import Dataset
from lead.images.find import find_images

NO_LABELS = (
    "Its folder was taken for plain pictures, as it is in none of the layouts of docs/datasets.md. Landmarks in COCO's "
    "format are read if their file is called annotations.json: see lead convert."
)


def load(root: Path) -> Dataset:
    """The pictures of a folder and its subfolders, all of them to train on, without identities or landmarks.

    Raises:
        LeadError: the folder is missing or holds no picture.
    """
    files = tuple(find_images(root))
    return Dataset(
        name=root.resolve().name,
        root=root,
        files=files,
        identity=("",) * len(files),
        split=("train",) * len(files),
        no_labels=NO_LABELS,
    )


def with_frames(
    data: Path, pictures: Sequence[str], folder: Path, frames: Sequence[str], films: Sequence[str]
) -> Dataset:
    """Pictures, and frames that were taken out of films, all of them to train on.

    Args:
        data: the film, or the folder that held all.
        pictures: paths relative to ``data``.
        folder: of the frames.
        frames: paths relative to it.
        films: for each frame its film, which is its identity.
    """
    root = folder
    if pictures:
        root = Path(os.path.commonpath([data.resolve(), folder.resolve()]))
        pictures = [(data.resolve() / file).relative_to(root).as_posix() for file in pictures]
        frames = [(folder.resolve() / file).relative_to(root).as_posix() for file in frames]
    identity = dict.fromkeys(pictures, "") | dict(zip(frames, films, strict=True))
    return Dataset(
        name=data.resolve().stem,
        root=root,
        files=tuple(identity),
        identity=tuple(identity.values()),
        split=("train",) * len(identity),
    )
