"""What stands in a label book at one moment, as a frozen value."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lead.landmarks.model import UNLABELLED, Labels
from lead.studio.document import Document
from lead.studio.folder import Listing, PictureFolder
from lead.studio.label_messages import Direction, Landmarks, PictureLabels
from lead.studio.tags import SKIP
from lead.studio.ups import Up

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.studio.poses import Headings


@dataclass(frozen=True)
class Contents:
    """Readers take all of it or nothing, so they need no lock.

    Attributes:
        folder: the pictures.
        listing: what the folder held when this came to stand there.
        document: as the file on the disk has it.
        landmarks_version: of the landmarks.
        base: version of every picture that is not in ``versions``.
        versions: of pictures, by id.
        since: when this came to stand there, on the clock of :func:`time.monotonic`.
    """

    folder: PictureFolder
    document: Document
    landmarks_version: int
    base: int
    versions: dict[str, int] = field(default_factory=dict)
    since: float = field(default_factory=time.monotonic, init=False)
    listing: Listing = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "listing", self.folder.listing)

    @cached_property
    def landmarks(self) -> Landmarks:
        """What is labelled."""
        return self.document.landmarks.model_copy(update={"version": self.landmarks_version})

    @cached_property
    def labels(self) -> Labels:
        """The labels of the labelled pictures of the folder, just as :func:`lead.landmarks.load_labels` reads them."""
        return self.document.labels(self.listing)

    @cached_property
    def taught(self) -> Labels:
        """Those of the labels that models learn from: not of pictures tagged ``skip``, and none that a model said."""
        labels = self.labels.without_predicted()
        if not self.skipped and labels is self.labels:
            return labels
        files, id_of = enumerate(labels.images), self.listing.id_of
        left = np.any(labels.visible > UNLABELLED, axis=1).tolist()
        return labels.take(row for row, file in files if left[row] and id_of[file] not in self.skipped)

    @cached_property
    def headings(self) -> Headings:
        """How the labelled things are turned."""
        from lead.studio.poses import Headings

        return Headings.of(self.taught)

    @cached_property
    def ups(self) -> dict[str, Up]:
        """By id, which way up the person said that things lie."""
        images, id_of = self.document.images, self.listing.id_of
        found = ((file, images[row].up) for file, row in self.document.row_of.items())
        return {id_of[file]: up for file, up in found if up and file in id_of}

    @cached_property
    def heeded(self) -> dict[str, Up]:
        """Those that models are told, by file: where a picture's landmarks are all labelled, these say how it lies."""
        complete = {id for id, (_, complete) in self.summary.items() if complete}
        return {self.listing.file_of[id]: up for id, up in self.ups.items() if id not in complete}

    def up(self, id: str) -> tuple[float, float] | None:
        """Along which unit vector up points in a picture, as the person said; None where nothing is said."""
        said, headings = self.ups.get(id), self.headings
        return said.where(headings.names, headings.places) if said else None

    def teaches_as(self, other: Contents) -> bool:
        """Whether models would learn the same from other contents: notes, most tags and colours are nothing to them."""
        if self is other:
            return True
        mine, theirs = self.document, other.document
        return (
            self.listing is other.listing
            and mine.annotations == theirs.annotations  # entries that did not change are the same objects
            and self.labels.schema == other.labels.schema
            and self.skipped == other.skipped
        )

    @cached_property
    def summary(self) -> dict[str, tuple[int, bool]]:
        """By id, how many landmarks have a state (absent is one) and whether all have; only where any has."""
        return {
            self.listing.id_of[file]: (annotation.labelled, annotation.labelled == len(self.document.names))
            for file, annotation in self.document.annotated()
            if annotation.labelled and file in self.listing
        }

    @cached_property
    def accepted(self) -> dict[str, int]:
        """By id, how many labels are accepted suggestions, not touched since; only where any is."""
        annotated, id_of = self.document.annotated(), self.listing.id_of
        return {id_of[file]: len(a.accepted) for file, a in annotated if a.accepted and file in id_of}

    @cached_property
    def unlabelled(self) -> dict[str, list[int]]:
        """By id, the places in the landmarks' order of those without a state; only where some have one."""
        annotated, id_of, names = self.document.annotated(), self.listing.id_of, self.document.names
        return {
            id_of[file]: [place for place, name in enumerate(names) if name not in points]
            for file, annotation in annotated
            if file in id_of and 0 < annotation.labelled < len(names) and (points := annotation.points())
        }

    @cached_property
    def skipped(self) -> frozenset[str]:
        """Ids of the pictures tagged ``skip``: not to be labelled, and not learnt from."""
        images, id_of = self.document.images, self.listing.id_of
        rows = self.document.row_of.items()
        return frozenset(id_of[file] for file, row in rows if SKIP in images[row].tags and file in id_of)

    @property
    def missing(self) -> list[str]:
        """Pictures that the file has labels for and that the folder does not hold; they are kept as they are."""
        annotated = self.document.annotated()
        return [file for file, annotation in annotated if annotation.labelled and file not in self.listing]

    def of(self, id: str) -> PictureLabels:
        """What is labelled on a picture. Raises :class:`UnknownPicture` if there is none of this id."""
        file = self.folder.file_of(id)
        labels = PictureLabels(id=id, version=self.versions.get(id, self.base))
        if image := self.document.image(file):
            labels.note, labels.tags = image.note, image.tags
            if image.up:
                labels.up = Direction(x=image.up.x, y=image.up.y)
        if annotation := self.document.annotation(file):
            labels.points, labels.checked = annotation.points(), annotation.checked
        return labels
