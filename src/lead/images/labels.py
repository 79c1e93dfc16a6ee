"""Label files and the pictures that they label: some formats say places in a picture's own units."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lead.images.folder_pictures import FolderPictures, LabelledAs
from lead.images.placing import gathered
from lead.landmarks.io import write_labels
from lead.landmarks.model import Labels
from lead.landmarks.pictures import Size, Sized
from lead.reporting import Say, unsaid


def load_labels(
    path: Path | str,
    *,
    pictures: Path | str | None = None,
    format: str | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    several: bool = False,
    say: Say = unsaid,
) -> Labels:
    """Landmarks from a file of any format that :mod:`lead.landmarks.formats` lists, recognised by content.

    Of pictures that are at hand they go by the paths in the folder, in pixels of the upright picture as it is; see
    :func:`lead.images.placing.at_hand`.

    Args:
        path: the file; or a folder of ``.pts`` or LabelMe's files; or a DeepLabCut project.
        pictures: folder that the picture paths start from, in which moved pictures are found; by default the label
            file's own, and paths are taken as they stand.
        format: the format's name, where content is not to decide.
        only: the kind of thing whose landmarks are read, of a file that marks several.
        labelled_as: whether pictures that their EXIF tag turns were labelled "upright" or as they are "stored"; by
            default the sizes in the file decide, as far as it has any.
        several: whether pictures may show several specimens, each of which is a row then; else such pictures are left
            out, or refused.
        say: told what is likely a mistake, and what was changed or left out.

    Raises:
        LeadError: the file is missing or cannot be understood; the message names the file and the line or entry.
    """
    folder = Path(pictures) if pictures else None
    return gathered(
        [Path(path)],
        folder,
        format=format,
        only=only,
        labelled_as=labelled_as,
        moved=folder is not None,
        several=several,
        say=say,
    ).labels


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
        LeadError: the ending is unknown, the file exists, it cannot be written, or its format holds one specimen a
            picture where a picture shows several.
    """
    info = Sized(sizes or {}, FolderPictures(Path(pictures) if pictures else Path(path).parent))
    return write_labels(labels, Path(path), pictures=info, format=format, overwrite=overwrite).lost(labels)
