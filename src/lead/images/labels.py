"""Label files and the pictures that they label: some formats say places in a picture's own units."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

from lead.errors import LeadError
from lead.images.decode import upright_size
from lead.images.find import find_images
from lead.landmarks.frames import frame_of
from lead.landmarks.io import read_labels, write_labels
from lead.landmarks.model import Labels
from lead.landmarks.naming import beside, by_stem
from lead.landmarks.pictures import PictureInfo, Size, Sized


class FolderPictures(PictureInfo):
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
        path: the file; or a folder of ``.pts`` or LabelMe's files; or a DeepLabCut project.
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
        pictures: folder that the picture paths start from, where further sizes are needed; by default that
            of ``path``.
        format: the format's name, where the ending is not to decide: ``"labelstudio"``, ``"labelme"``, …
        overwrite: whether a file that is already there may be replaced.

    Returns:
        What of the labels the format cannot hold, in words; empty if nothing was left out.

    Raises:
        LeadError: the ending is unknown, the file exists, or it cannot be written.
    """
    info = Sized(sizes or {}, FolderPictures(Path(pictures) if pictures else Path(path).parent))
    return write_labels(labels, Path(path), pictures=info, format=format, overwrite=overwrite).lost(labels)
