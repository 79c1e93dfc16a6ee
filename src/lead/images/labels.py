"""Label files and the pictures that they label: some formats say places in a picture's own units."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from lead.errors import LeadError
from lead.images.decode import upright_size
from lead.images.find import find_images
from lead.landmarks.frames import frame_of
from lead.landmarks.io import read_labels, write_labels
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.naming import beside, by_stem, nearly_same
from lead.landmarks.pictures import Pictures, Size, Sized, known_size


class FolderPictures(Pictures):
    """The pictures of a folder.

    Args:
        root: that the names start from.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sizes: dict[str, Size] = {}

    def size(self, image: str) -> Size:
        """(width, height) of a picture. Raises :class:`LeadError` where it is not there or cannot be read."""
        if image not in self._sizes:
            path = self.root / image
            if not path.is_file():
                raise LeadError(f"{path} is not there, whose size is needed. Name the pictures' folder: --pictures.")
            self._sizes[image] = upright_size(path)
        return self._sizes[image]

    def has(self, image: str) -> bool:
        """Whether a picture, or the film of a frame, is there."""
        film = frame_of(image)
        return (self.root / (film[0] if film else image)).is_file()

    def of_stem(self, path: str) -> str:
        return self._by_stem.get(path, path)

    @cached_property
    def _by_stem(self) -> Mapping[str, str]:
        try:
            return by_stem(find_images(self.root))
        except LeadError:  # no pictures
            return {}


def load_labels(path: Path | str, *, pictures: Path | str | None = None, format: str | None = None) -> Labels:
    """Landmarks from a file of any format that :mod:`lead.landmarks.io` lists, recognised by content.

    Args:
        path: the file; or a folder of ``.pts`` files; or a DeepLabCut project.
        pictures: folder that the picture paths start from; by default the label file's own.
        format: the format's name, where content is not to decide.

    Raises:
        LeadError: the file is missing or cannot be understood; the message names the file and the line or entry.
    """
    folder = FolderPictures(Path(pictures) if pictures else beside(Path(path)))
    return read_labels(Path(path), pictures=folder, format=format)[0]


def save_labels(
    labels: Labels,
    path: Path | str,
    *,
    sizes: Mapping[str, Size] | None = None,
    pictures: Path | str | None = None,
    format: str | None = None,
    overwrite: bool = False,
) -> list[str]:
    """Writes landmarks. What is written reads back the same, but for what the format cannot hold.

    Args:
        labels: what to write.
        path: its ending says the format: ``.json`` for COCO key points, ``.csv`` for the long CSV, ``.slp``, ``.h5``,
            ``.xml``, ``.tps`` or ``.zip`` (of ``.pts``).
        sizes: (width, height) of the pictures in pixels, as far as they are known.
        pictures: folder that the picture paths start from, where sizes are needed that are not given; by default that
            of ``path``.
        format: the format's name, where the ending is not to decide: ``"labelstudio"``, ``"deeplabcut"``, …
        overwrite: whether a file that is already there may be replaced.

    Returns:
        What of the labels the format cannot hold, in words; empty if nothing was left out.

    Raises:
        LeadError: the ending is unknown, the file exists, or it cannot be written.
    """
    known = Sized(sizes or {}, FolderPictures(Path(pictures) if pictures else Path(path).parent))
    return write_labels(labels, Path(path), pictures=known, format=format, overwrite=overwrite).lost(labels)


def doubts(labels: Labels, path: Path, pictures: FolderPictures) -> list[str]:
    """What of a file's labels is likely a mistake, in words.

    Names that differ by case alone; points beyond their pictures; and labelled pictures that are not there, unless none
    is: then the labels are elsewhere than the pictures.

    Each says how often it occurs, and names the file, the picture and the landmark where it does so first; and the
    line, of a file of text.

    Args:
        labels: as read.
        path: the file that they were read from.
        pictures: theirs.
    """
    found = []
    for kind, names in (("landmarks", labels.schema.names), ("pictures", labels.images)):
        for some in nearly_same(names):
            where = _where(path, (some[-1],))
            found.append(f"{where}: the {kind} {', '.join(map(repr, some))} differ by case or blanks alone.")
    outside: list[tuple[str, str, str]] = []
    for row, image in enumerate(labels.images):
        if (labels.visible[row] > UNLABELLED).any() and (size := known_size(pictures, image)):
            beyond = ((labels.xy[row] < -0.5) | (labels.xy[row] > np.array(size) - 0.5)).any(-1)
            for k in np.flatnonzero(beyond).tolist():
                x, y = labels.xy[row, k].tolist()
                outside.append((image, labels.schema.names[k], f"({x:g}, {y:g}) of {size[0]} × {size[1]} pixels"))
    if outside:
        image, name, place = outside[0]
        count = f"{len(outside)} label{'s lie' if len(outside) > 1 else ' lies'} outside"
        where = _where(path, (image, name), (image,))
        found.append(f"{where}: {count}, the first is {name!r} of {image!r} at {place}.")
    labelled = [image for row, image in enumerate(labels.images) if (labels.visible[row] > UNLABELLED).any()]
    absent = [image for image in labelled if not pictures.has(image)]
    if 0 < len(absent) < len(labelled):
        count = f"{len(absent)} labelled picture{'s are' if len(absent) > 1 else ' is'} not in {pictures.root}"
        found.append(f"{_where(path, (absent[0],))}: {count}, the first is {absent[0]!r}.")
    return found


def _where(path: Path, *sought: tuple[str, ...]) -> str:
    """The file, and the first of its lines that holds one of some sets of words, if it is a text of lines."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return str(path)
    for words in sought if len(lines) > 1 else ():
        for number, line in enumerate(lines, start=1):
            if all(word in line for word in words):
                return f"{path}, line {number}"
    return str(path)
