"""Files of landmarks in other formats."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from lead.errors import LeadError
from lead.images.folder_pictures import LabelledAs
from lead.images.placing import Gathered, gathered
from lead.landmarks import Labels
from lead.landmarks.format import Format
from lead.landmarks.io import check_target, holding_several, refuse_several, write_labels
from lead.landmarks.io import target_format as format_of_target
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
            cannot be written, or cannot hold a name or place, or several specimens of a picture.
    """
    target = Path(target)
    check_target(target, format=target_format, overwrite=overwrite)
    sources = [Path(source)] if isinstance(source, Path | str) else [Path(path) for path in source]
    folder = Path(pictures) if pictures else None
    read = partial(gathered, sources, folder, format=source_format, only=only, labelled_as=labelled_as)
    kind = format_of_target(target, target_format)
    found = read(several=True, say=say) if kind.holds_several else _one_each(read, kind, say)
    labels = found.labels
    sized = Sized(labels.known_sizes(), found.pictures)
    written = write_labels(labels, target, pictures=sized, format=target_format, overwrite=overwrite)
    return Converted(labels, found.format.title, written.title, tuple(written.lost(labels)))


def _one_each(read: Callable[..., Gathered], kind: Format, say: Say) -> Gathered:
    """What is read for a format that holds one specimen of each picture.

    Raises:
        LeadError: it cannot be read, or not as one specimen of each picture; then the message says what holds several.
    """
    try:
        found = read(say=say)
    except LeadError:
        if labels := _several(read):
            refuse_several(labels, kind)
        raise
    left_out = found.labels.places and found.labels.places.left_out
    labels = _several(read) if left_out else None
    if labels and (several := kind.specimens(labels).of_several()):
        count = f"{len(several)} picture{'s show' if len(several) > 1 else ' shows'} several specimens"
        say(f"{count}, and {kind.name} holds one of each picture. Several are held by: {holding_several()} (--to).")
    return found


def _several(read: Callable[..., Gathered]) -> Labels | None:
    """What is read where pictures may show several specimens; None where it cannot be."""
    with suppress(LeadError):
        return read(several=True).labels
    return None
