"""What a training is to learn from where pictures may show several specimens: windows that show one each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lead.errors import LeadError
from lead.files import read_text, write_atomic
from lead.images.decode import UnreadablePicture
from lead.images.labels import save_labels
from lead.landmarks.model import UNLABELLED, Labels
from lead.studio.contents import Contents
from lead.studio.folder import UnknownPicture, picture_id
from lead.studio.several_labels import extents, is_ready
from lead.studio.training_messages import Training, TrainingStart

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.studio.training import Trainer

LARGEST = 0.9
"""Share of the longer side that a specimen takes up, at most: larger ones need no windows."""


def begun(trainer: Trainer, contents: Contents, request: TrainingStart) -> Training:
    """Begins a training, or goes on with one. Errors as of :meth:`Trainer.start` and :func:`to_learn_from`."""
    if request.preset is None:
        return trainer.start(None, request.run)
    return trainer.start(request.preset, request.run, to_learn_from(contents, request.extent))


def to_learn_from(contents: Contents, extent: float | None) -> Labels | float | None:
    """Labelled specimens, like which others are found; or what share of the longer side one takes up.

    None for whole pictures, where each shows one specimen.

    Args:
        contents: of the label book.
        extent: what the person says of the share.

    Raises:
        LeadError: neither labels nor the person say how large a specimen is.
    """
    if not contents.landmarks.several:
        return None
    labels = contents.taught
    if is_ready(contents):
        return labels.only(
            name for k, name in enumerate(labels.schema.names) if (labels.visible[:, k] > UNLABELLED).any()
        )
    share = extent or _labelled_extent(contents)
    if not share:
        raise LeadError(
            "How large a specimen is in its picture is not known yet. Say what share of the picture's longer side one "
            "takes up, or label two landmarks or more of one."
        )
    return min(share, LARGEST)


def _labelled_extent(contents: Contents) -> float | None:
    """The median share of the labelled specimens; None where none has two landmarks."""
    labels = contents.taught
    shares = []
    for file, size in zip(labels.images, extents(labels.xy).tolist(), strict=True):
        try:
            shares += [size / max(contents.folder.size(picture_id(file)))] if size else []
        except (UnreadablePicture, UnknownPicture):
            continue
    return float(np.median(shares)) if shares else None


def note(home: Path, run: Path, what: Labels | float | None, pictures: Path) -> None:
    """Keeps what a training learns from, for when it is begun and gone on with, in the place of an earlier note."""
    file = _file(home, run)
    file.unlink(missing_ok=True)
    if isinstance(what, Labels):
        save_labels(what, file, pictures=pictures)
    elif what is not None:
        write_atomic(file, json.dumps({"extent": what}))


def noted(home: Path, run: Path) -> Path | None:
    """The file of the note; None where whole pictures are learnt from."""
    file = _file(home, run)
    return file if file.is_file() else None


def options(file: Path) -> dict[str, Any]:
    """What a note means to :func:`lead.train`. Raises :class:`LeadError` if it cannot be read."""
    try:
        content = json.loads(read_text(file))
    except ValueError as error:
        raise LeadError(f"{file} is damaged ({error}). Begin another training.") from None
    return {"extent": content["extent"]} if "extent" in content else {"labels": file}


def _file(home: Path, run: Path) -> Path:
    return home / f"windows-of-{run.name}.json"
