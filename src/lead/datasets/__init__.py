"""One adapter for each published layout: it only translates files into pictures, splits and landmarks."""

from __future__ import annotations

from pathlib import Path

from lead.datasets import folder, rendered, ytfaces
from lead.datasets.base import Dataset

__all__ = ["Dataset", "open_dataset"]


def open_dataset(root: Path) -> Dataset:
    """The dataset in a folder, its layout recognised by the files beside the pictures.

    ``dataset.json`` marks rendered pictures, ``images.csv`` with ``landmarks.csv`` the YouTube faces; anything else
    is a plain folder of pictures.

    Raises:
        LeadError: the folder is missing, holds no picture, or what it holds is incomplete.
    """
    if (root / rendered.DESCRIPTION).is_file():
        return rendered.load(root)
    if (root / "images.csv").is_file() and (root / "landmarks.csv").is_file():
        return ytfaces.load(root)
    return folder.load(root)
