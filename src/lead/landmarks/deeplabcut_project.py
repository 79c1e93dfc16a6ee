"""The labels of a DeepLabCut project of one animal, the files of all its videos joined.

Files of the root::

    config.yaml                                        scorer, bodyparts and skeleton
    labeled-data/<video>/CollectedData_<scorer>.csv    see :mod:`lead.landmarks.deeplabcut`; paths start from the root
    labeled-data/<video>/CollectedData_<scorer>.h5     the same; read where there is no CSV beside it

Of several scorers config.yaml names the one whose labels count. It also gives the order of the body parts, if it lists
them; a video may lack some. Of its skeleton the lines between body parts that are there are kept, for DeepLabCut leaves
its template's standing. Folders ``<video>_labeled``, in which DeepLabCut draws the labels onto copies of a video's
frames, are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from lead.errors import LeadError, unknown
from lead.files import read_text
from lead.landmarks import deeplabcut
from lead.landmarks.apart import read_apart
from lead.landmarks.deeplabcut import FOLDER
from lead.landmarks.model import Labels, Places, Schema

CONFIG = "config.yaml"
COLLECTED = "CollectedData_"
DRAWN = "_labeled"


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
    """Whether a folder looks like a DeepLabCut project."""
    return (root / CONFIG).is_file() and (root / FOLDER).is_dir()


def read(root: Path) -> Labels:
    """The labels of all videos: a row for each frame that a file lists, labelled or not.

    Raises:
        LeadError: config.yaml or every table is missing or wrong, or it is open whose labels count.
    """
    config = read_config(root / CONFIG)
    tables = {path.relative_to(root): _read(path) for path in _collected(root, videos(root), config.scorer)}
    try:
        return _joined(tables, config)
    except LeadError as error:
        raise LeadError(f"{root}: {error}") from error


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


def videos(root: Path) -> list[str]:
    """Names of the folders of frames."""
    if not (root / FOLDER).is_dir():
        raise LeadError(f"No folder {root / FOLDER}. Give a DeepLabCut project: the folder that holds {CONFIG}.")
    folders = sorted(path.name for path in (root / FOLDER).iterdir() if path.is_dir() and path.name[0] != ".")
    return [name for name in folders if not (name.endswith(DRAWN) and name.removesuffix(DRAWN) in folders)]


def _collected(root: Path, videos: list[str], scorer: str) -> list[Path]:
    """The label files of the one scorer that counts, in the order of the videos."""
    tables = [path for video in videos for path in _tables(root / FOLDER / video)]
    if not tables:
        raise LeadError(
            f"No labels in {root / FOLDER}: expected VIDEO/{COLLECTED}SCORER.csv or .h5, which DeepLabCut writes when "
            "labels are saved. Label some frames first, or take the pictures alone with --name folder."
        )
    scorers = sorted({path.stem.removeprefix(COLLECTED) for path in tables})
    if len(scorers) > 1 and scorer not in scorers:
        raise LeadError(
            f"{root / FOLDER} holds labels by {' and '.join(map(repr, scorers))}, but {CONFIG} names "
            f"{repr(scorer) if scorer else 'no scorer'}. Say whose count, e.g. `scorer: {scorers[0]}` in {CONFIG}."
        )
    chosen = scorers[0] if len(scorers) == 1 else scorer
    return [path for path in tables if path.stem.removeprefix(COLLECTED) == chosen]


def _tables(folder: Path) -> list[Path]:
    """A video's tables: of each scorer the CSV, else the HDF5."""
    by_name = {path.stem: path for ending in ("h5", "csv") for path in folder.glob(f"{COLLECTED}*.{ending}")}
    return [by_name[name] for name in sorted(by_name)]


def _read(path: Path) -> Labels:
    try:
        if path.suffix == ".h5":
            return read_apart("hdf", path.read_bytes())
        return deeplabcut.parse(read_text(path).removeprefix("\ufeff"))
    except LeadError as error:
        raise LeadError(f"{path}: {error}") from error


def _joined(tables: Mapping[Path, Labels], config: Config) -> Labels:
    """The labels of all videos, under one schema."""
    names = config.bodyparts or tuple(dict.fromkeys(chain(*(table.schema.names for table in tables.values()))))
    schema = Schema(names, skeleton=tuple(bone for bone in config.skeleton if set(bone) <= set(names)))
    for path, table in tables.items():
        for name in table.schema.names:
            if name not in names:
                raise LeadError(
                    f"{path}: {unknown('body part', name, names)} List it under bodyparts in {CONFIG}, or take its "
                    "columns out."
                )
    count = sum(map(len, tables.values()))
    xy, lines = np.full((count, len(names), 2), np.nan), np.zeros((count, len(names)), dtype=np.int64)
    files = [path.as_posix() for path, table in tables.items() for _ in table.images]
    first = 0
    for table in tables.values():
        here = np.ix_(range(first, first := first + len(table)), [schema.index(name) for name in table.schema.names])
        xy[here] = table.xy
        if table.places and table.places.lines is not None:
            lines[here] = table.places.lines
    images = chain(*(table.images for table in tables.values()))
    return Labels.from_xy(schema, images, xy, places=Places(entries=tuple(files), lines=lines))
