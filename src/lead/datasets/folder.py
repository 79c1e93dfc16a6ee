"""Any folder of pictures: nothing is known but the pictures."""

from __future__ import annotations

from pathlib import Path

from lead.datasets.base import Dataset
from lead.images.find import find_images


def load(root: Path) -> Dataset:
    """The pictures of a folder and its subfolders, all of them to train on, without identities or landmarks.

    Raises:
        LeadError: the folder is missing or holds no picture.
    """
    files = tuple(find_images(root))
    return Dataset(
        name=root.resolve().name, root=root, files=files, identity=("",) * len(files), split=("train",) * len(files)
    )
