"""The labels of a DeepLabCut project, the files of all its videos joined.

Files of the root::

    config.yaml                                        scorer, bodyparts and skeleton
    labeled-data/<video>/CollectedData_<scorer>.h5     see :mod:`lead.landmarks.hdf`
    labeled-data/<video>/CollectedData_<scorer>.csv    the same; see :mod:`lead.landmarks.deeplabcut`

DeepLabCut reads the HDF5, so that counts where there are both; what the CSV says otherwise is counted in
``Places.left_out``. The CSV is read where there is no HDF5, or it cannot be read.

Of several scorers config.yaml names the one whose labels count. It also gives the order of the body parts, if it lists
them; a video may lack some. Of its skeleton the lines between body parts that are there are kept, for DeepLabCut leaves
its template's standing. Folders ``<video>_labeled``, in which DeepLabCut draws the labels onto copies of a video's
frames, are left out.

A part of a project is read as well: a folder that holds ``labeled-data`` without config.yaml, ``labeled-data`` itself,
or a video's folder. A frame lies beside its table, whatever path the table gives it: the project may have been moved.
A row whose frame was deleted is left out and told.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path, PurePosixPath

import numpy as np
import yaml

from lead.errors import LeadError, unknown
from lead.files import read_text
from lead.landmarks import deeplabcut
from lead.landmarks.apart import read_apart
from lead.landmarks.deeplabcut import FOLDER
from lead.landmarks.joining import joined_tables
from lead.landmarks.left_out import LeftOut
from lead.landmarks.model import Labels, Places, Schema
from lead.reporting import counted

CONFIG = "config.yaml"
COLLECTED = "CollectedData_"
DRAWN = "_labeled"
SAME = 1e-3
"""Pixels by which two tables may differ in a place that is the same, written with fewer digits."""


@dataclass(frozen=True)
class Config:
    """What we take of a project's config.yaml; empty where it does not say.

    Attributes:
        scorer: who labelled.
        bodyparts: the landmarks' names, in order.
        skeleton: pairs of names, of which DeepLabCut does not ask that they are body parts.
    """

    scorer: str
    bodyparts: tuple[str, ...]
    skeleton: tuple[tuple[str, str], ...]


def present(root: Path) -> bool:
    """Whether a folder is a DeepLabCut project, or a part of one that holds tables of labels."""
    whole = (root / CONFIG).is_file() and (root / FOLDER).is_dir()
    return whole or any(next(folder.glob(f"{COLLECTED}*"), None) for folder in folders(root))


def above(root: Path) -> Path:
    """The folder that holds those of the frames."""
    return root / FOLDER if (root / FOLDER).is_dir() else root


def folders(root: Path) -> list[Path]:
    """The folders of a project's, or a part of a project's, frames."""
    if not root.is_dir():
        return []
    parent = above(root)
    if parent == root and next(root.glob(f"{COLLECTED}*"), None):
        return [root]
    with os.scandir(parent) as entries:  # which, unlike a Path, knows a folder without asking the disk again
        names = sorted(entry.name for entry in entries if entry.name[0] != "." and _is_folder(entry))
    return [parent / name for name in names if not (name.endswith(DRAWN) and name.removesuffix(DRAWN) in names)]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads round in a circle
        return False


def read(root: Path, *, several: bool = False) -> Labels:
    """The labels of all videos: a row for each frame that a file lists, labelled or not, or for each of its animals.

    Args:
        root: the project's folder.
        several: whether a frame may show several animals.

    Raises:
        LeadError: config.yaml or every table is missing or wrong, or it is open whose labels count.
    """
    if not (root / FOLDER).is_dir() and (root / CONFIG).is_file():
        raise LeadError(f"No folder {root / FOLDER}. Give a DeepLabCut project: the folder that holds {CONFIG}.")
    config = read_config(root / CONFIG) if (root / CONFIG).is_file() else Config("", (), ())
    collected, others = _collected(root, config.scorer)
    tables = [_read(root, path, several=several) for path in collected]
    try:
        names = config.bodyparts or tuple(dict.fromkeys(chain(*(table.schema.names for table in tables))))
        schema = Schema(names, skeleton=tuple(bone for bone in config.skeleton if set(bone) <= set(names)))
        for table in tables:
            for name in table.schema.names:
                if name not in names:
                    raise LeadError(
                        f"{table.places and table.places.file}: {unknown('body part', name, names)} List it under "
                        f"bodyparts in {CONFIG}, or take its columns out."
                    )
        labels = replace(joined_tables(tables, names), schema=schema)
    except LeadError as error:
        raise LeadError(f"{root}: {error}") from error
    place, told = labels.places or Places(), LeftOut()
    for path in others:
        told.add(
            f"table of other scorers than {config.scorer!r}, whom {CONFIG} names", path.relative_to(root).as_posix()
        )
    left_out = "; ".join(filter(None, (place.left_out, str(told))))
    return replace(labels, places=replace(place, left_out=left_out))


def read_config(path: Path) -> Config:
    """The settings of a project. Raises :class:`LeadError` if they cannot be read."""
    try:
        # Every value as the text that it is: a body part may be called 1 or no.
        settings = yaml.load(read_text(path), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise LeadError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(settings, dict):
        raise LeadError(
            f"{path} holds no settings; expected scorer, bodyparts and skeleton, as DeepLabCut writes them."
        )
    # No list of body parts ("MULTI!" where there may be several animals), or no skeleton: the key is left as a text.
    names, bones = (value if isinstance(value := settings.get(key), list) else [] for key in ("bodyparts", "skeleton"))
    if not all(isinstance(name, str) for name in names):
        raise LeadError(f"{path}: bodyparts must be a list of names.")
    if not all(
        isinstance(bone, list) and len(bone) == 2 and all(isinstance(end, str) for end in bone) for bone in bones
    ):
        raise LeadError(f"{path}: skeleton must be a list of pairs of body parts.")
    return Config(str(settings.get("scorer", "")), tuple(names), tuple((a, b) for a, b in bones))


def _collected(root: Path, scorer: str) -> tuple[list[Path], list[Path]]:
    """The label files of the one scorer that counts, and the others', without their endings, in the videos' order."""
    found = (path for folder in folders(root) for end in ("h5", "csv") for path in folder.glob(f"{COLLECTED}*.{end}"))
    tables = sorted({path.with_suffix("") for path in found})
    if not tables:
        raise LeadError(
            f"No labels in {root}: expected {FOLDER}/VIDEO/{COLLECTED}SCORER.csv or .h5, which DeepLabCut writes when "
            "labels are saved. Label some frames first, or take the pictures alone with --name folder."
        )
    scorers = sorted({path.name.removeprefix(COLLECTED) for path in tables})
    if len(scorers) > 1 and scorer not in scorers:
        raise LeadError(
            f"{root} holds labels by {' and '.join(map(repr, scorers))}, but {CONFIG} names "
            f"{repr(scorer) if scorer else 'no scorer'}. Say whose count, e.g. `scorer: {scorers[0]}` in {CONFIG}."
        )
    chosen = scorers[0] if len(scorers) == 1 else scorer
    counts = [path for path in tables if path.name.removeprefix(COLLECTED) == chosen]
    return counts, [path for path in tables if path not in counts]


def _read(root: Path, stem: Path, *, several: bool) -> Labels:
    """The labels of one video: of the HDF5 and the CSV the one that DeepLabCut reads."""
    hdf, text = (stem.with_name(f"{stem.name}.{ending}") for ending in ("h5", "csv"))
    if not hdf.is_file():
        return _table(root, text, several=several)
    if not text.is_file():
        return _table(root, hdf, several=several)
    try:
        labels = _table(root, hdf, several=several)
    except LeadError as error:
        labels = _table(root, text, several=several)
        told = f"the HDF5 beside it, which DeepLabCut reads and which may differ: {str(error).rstrip('.')}"
    else:
        try:
            told = _differing(labels, _table(root, text, several=several), text.name)
        except LeadError as error:
            told = f"the CSV beside it, which cannot be read: {str(error).rstrip('.')}"
    place = labels.places or Places()
    left_out = "; ".join(filter(None, (told, place.left_out)))
    return replace(labels, places=replace(place, left_out=left_out))


def _table(root: Path, path: Path, *, several: bool) -> Labels:
    """The labels of one file, whose pictures' paths start from the root."""
    try:
        if path.suffix == ".h5":
            labels = read_apart("hdf", path.read_bytes(), several=several)
        else:
            labels = deeplabcut.parse(read_text(path).removeprefix("\ufeff"), several=several)
    except LeadError as error:
        raise LeadError(f"{path}: {error}") from error
    labels = labels.renamed(_beside(root, path.parent, labels.images))
    places = replace(labels.places or Places(), file=path.relative_to(root).as_posix())
    return _there(root, replace(labels, places=places))


def _there(root: Path, labels: Labels) -> Labels:
    """Those of the frames that are there, or all where none is: a row may outlive its frame, and the numbers that name
    frames are those of other videos' frames as well."""
    rows = [row for row, image in enumerate(labels.images) if (root / image).is_file()]
    if not rows or len(rows) == len(labels):
        return labels
    gone = LeftOut()
    for image in sorted({*labels.images} - {labels.images[row] for row in rows}):
        gone.add("frame without its file", image)
    place = labels.places or Places()
    told = "; ".join(filter(None, (place.left_out, str(gone))))
    return replace(labels, places=replace(place, left_out=told)).take(rows)


def differing_beside(path: Path, labels: Labels) -> str:
    """What the HDF5 beside a table in CSV says otherwise, which DeepLabCut would read; empty if nothing, or no HDF5.

    Args:
        path: of the CSV.
        labels: its.
    """
    hdf = path.with_suffix(".h5")
    if path.suffix != ".csv" or not path.name.startswith(COLLECTED) or not hdf.is_file():
        return ""
    try:
        differences = _differences(read_apart("hdf", hdf.read_bytes(), several=labels.tracks is not None), labels)
    except (LeadError, OSError) as error:
        return f"{hdf.name} beside it, which DeepLabCut reads and which may differ: {str(error).rstrip('.')}"
    return f"{hdf.name} beside it, which DeepLabCut reads and which differs: {differences}" if differences else ""


def _differing(labels: Labels, other: Labels, name: str) -> str:
    """What another table of the same video says otherwise, in words; empty if they agree."""
    told = _differences(labels, other)
    return f"{name} (DeepLabCut reads the HDF5, and they differ: {told})" if told else ""


def _differences(labels: Labels, other: Labels) -> str:
    """In what two tables of the same video differ, counted; empty if they agree."""
    rows, others = (
        {key: row for row, key in enumerate(zip(table.images, table.tracks or table.images, strict=True))}
        for table in (labels, other)
    )
    told = []
    if parts := {*labels.schema.names} ^ {*other.schema.names}:
        told.append(f"just one has {', '.join(map(repr, sorted(parts)))}")
    if lone := {*labels.images} ^ {*other.images}:
        told.append(f"just one has {counted(len(lone), 'picture')}, the first is {min(lone)}")
    elif animals := {key for key in rows.keys() ^ others.keys() if key[1]}:
        image, track = min(animals)
        told.append(f"just one has {counted(len(animals), 'animal')}, the first is {track!r} of {image}")
    keys = [key for key in rows if key in others]
    shared = [part for part in labels.schema.names if part in other.schema.names]
    here = labels.take(rows[key] for key in keys).only(shared).xy
    there = other.take(others[key] for key in keys).only(shared).xy
    differ = ~((np.abs(here - there) <= SAME) | (np.isnan(here) & np.isnan(there))).all(-1)
    for row, k in np.argwhere(differ)[:1].tolist():
        count = f"{differ.sum()} point{'s differ' if differ.sum() > 1 else ' differs'}"
        told.append(f"{count}, the first is {shared[k]!r} of {keys[row][0]}")
    return ", ".join(told)


def _beside(root: Path, folder: Path, images: tuple[str, ...]) -> list[str]:
    """The frames' paths from the root: beside their table, unless they are where it says, or two would be one."""
    beside = [(folder.relative_to(root) / PurePosixPath(image).name).as_posix() for image in images]
    count = Counter(dict(zip(images, beside, strict=True)).values())
    return [
        image if count[near] > 1 or (root / image).is_file() else near
        for image, near in zip(images, beside, strict=True)
    ]
