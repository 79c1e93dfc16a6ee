"""One adapter for each published layout: it only translates files into pictures, splits and landmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lead.datasets import (
    aflw_m,
    aflw_mtfl,
    aflw_r,
    celeba,
    coco,
    cub,
    deeplabcut,
    folder,
    inat,
    mafl,
    mafl_unaligned,
    rendered,
    w300,
    ytfaces,
)
from lead.datasets.base import Dataset
from lead.datasets.joined import joined
from lead.errors import LeadError, unknown

__all__ = ["Dataset", "is_plain", "open_dataset", "open_datasets"]

LAYOUTS: Mapping[str, tuple[Callable[[Path], bool], Callable[[Path], Dataset]]] = {
    "celeba": (celeba.present, celeba.load),
    "mafl": (mafl.present, mafl.load),
    "mafl-unaligned": (mafl_unaligned.present, mafl_unaligned.load),
    "aflw-m": (aflw_m.present, aflw_m.load),
    "aflw-mtfl": (aflw_mtfl.present, aflw_mtfl.load),
    "aflw-r": (aflw_r.present, aflw_r.load),
    "300w": (w300.present, w300.load),
    "cub": (cub.present, cub.load),
    "inat-aves": (inat.present, inat.load),
    "coco": (coco.present, coco.load),
    "deeplabcut": (deeplabcut.present, deeplabcut.load),
    "rendered": (rendered.present, rendered.load),
    "ytfaces": (ytfaces.present, ytfaces.load),
}
"""What recognises each layout by its files, and what reads it."""


def is_plain(root: Path) -> bool:
    """Whether a folder holds none of the layouts."""
    return not any(present(root) for present, _ in LAYOUTS.values())


def open_dataset(root: Path | str, name: str | None = None) -> Dataset:
    """The dataset in a folder, its layout recognised by the files beside the pictures.

    A folder that holds none of the layouts is a plain folder of pictures.

    Args:
        root: the folder.
        name: which layout it is, for a folder that holds several (CelebA's holds MAFL too); ``"folder"`` for its
            pictures alone. By default the one that is there.

    Raises:
        LeadError: the name is unknown, the folder holds several datasets and no name is given, it is missing or holds
            no picture, or what it holds is incomplete or not as published.
    """
    root = Path(root)
    if name is not None and name not in (*LAYOUTS, "folder"):
        raise unknown("dataset", name, (*LAYOUTS, "folder"))
    found = [name] if name else [layout for layout, (present, _) in LAYOUTS.items() if present(root)]
    if len(found) > 1:
        raise LeadError(
            f"{root} holds several datasets: {', '.join(found)}. Say which: open_dataset({str(root)!r}, "
            f"{found[0]!r}), or --name {found[0]} on the command line."
        )
    if not found or found == ["folder"]:
        return folder.load(root)
    _, load = LAYOUTS[found[0]]
    return load(root)


def open_datasets(roots: Sequence[Path], name: str | None = None) -> Dataset:
    """The dataset in a folder, see :func:`open_dataset`; or what several have to train on, as one.

    Raises:
        LeadError: as there, or the datasets cannot be joined.
    """
    if len(roots) > 1 and name:
        raise LeadError(f"--name {name} says which dataset of one folder is meant; {len(roots)} are given.")
    return joined([open_dataset(root, name) for root in roots])
