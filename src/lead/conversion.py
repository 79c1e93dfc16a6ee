"""Files of landmarks in other formats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lead.images.folder_pictures import LabelledAs
from lead.images.placing import gathered
from lead.landmarks import Labels
from lead.landmarks.io import check_target, write_labels
from lead.landmarks.pictures import Sized
from lead.reporting import Say, unsaid


@dataclass(frozen=True)
class Converted:
    """A file of landmarks in another format.

    Attributes:
        labels: what was read.
        source, target: titles of the two formats.
        lost: what the new one cannot hold, in words.
    """

    labels: Labels
    source: str
    target: str
    lost: tuple[str, ...]


def convert(
    source: Path | str | Sequence[Path | str],
    target: Path | str,
    *,
    source_format: str | None = None,
    target_format: str | None = None,
    pictures: Path | str | None = None,
    only: str | None = None,
    labelled_as: LabelledAs | None = None,
    overwrite: bool = False,
    say: Say = unsaid,
) -> Converted:
    """Changes the format of a file of landmarks.

    Args:
        source: a file, a folder of ``.pts`` or LabelMe's files, or a DeepLabCut project; or several of them.
        target: file to write; its ending says the format.
        source_format, target_format: the formats' names, where content and ending are not to decide.
        pictures: folder that the picture paths start from; that of ``source`` by default.
        only: the kind of thing whose landmarks are taken, of a file that marks several (COCO's categories, CVAT's
            skeletons); by default all, the names of the further ones after that of their kind.
        labelled_as: see :func:`lead.fit`.
        overwrite: whether a file that is already there may be replaced.
        say: told what of the labels is likely a mistake, and what was changed or left out.

    Raises:
        LeadError: ``source`` cannot be understood, the message names the line or entry; or ``target`` is there already,
            cannot be written, or cannot hold a name or place.
    """
    target = Path(target)
    check_target(target, format=target_format, overwrite=overwrite)
    sources = [Path(source)] if isinstance(source, Path | str) else [Path(path) for path in source]
    folder = Path(pictures) if pictures else None
    found = gathered(sources, folder, format=source_format, only=only, labelled_as=labelled_as, say=say)
    labels = found.labels
    sized = Sized(labels.known_sizes(), found.pictures)
    written = write_labels(labels, target, pictures=sized, format=target_format, overwrite=overwrite)
    return Converted(labels, found.format.title, written.title, tuple(written.lost(labels)))
