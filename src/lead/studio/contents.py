"""What stands in a label book at one moment, as a frozen value."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from lead.errors import LeadError
from lead.landmarks.model import Labels
from lead.studio.document import Document
from lead.studio.folder import Listing, PictureFolder
from lead.studio.label_messages import Direction, Landmarks, PictureLabels
from lead.studio.specimens import key_of, split_key
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
        versions: of pictures and specimens, by what they are addressed by.
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
        left = labels.is_specimen.tolist()
        return labels.take(
            row for row, file in files if (left[row] or file in labels.complete) and id_of[file] not in self.skipped
        )

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
            and mine.complete == theirs.complete
            and self.labels.schema == other.labels.schema
            and self.skipped == other.skipped
        )

    @cached_property
    def summary(self) -> dict[str, tuple[int, bool]]:
        """By id, how many landmarks have a state (absent is one) and whether all have; only where any has.

        Where there may be several specimens: how many those of all have, and whether the person says that all are
        labelled; also where that is all that is said, or where there are boxes alone.
        """
        id_of = self.listing.id_of
        if self.document.several:
            counts = {file: 0 for file in self.document.complete if file in id_of}
            complete = set(counts)
            for file, annotation in self.document.annotated():
                if annotation.shown and file in id_of:
                    counts[file] = counts.get(file, 0) + annotation.labelled
            return {id_of[file]: (count, file in complete) for file, count in counts.items()}
        return {
            id_of[file]: (annotation.labelled, annotation.labelled == len(self.document.names))
            for file, annotation in self.document.annotated()
            if annotation.labelled and file in id_of
        }

    @cached_property
    def specimens(self) -> dict[str, int]:
        """By id, how many specimens are labelled, where there may be several; only where any is."""
        annotated, id_of = self.document.annotated() if self.document.several else (), self.listing.id_of
        return dict(Counter(id_of[file] for file, annotation in annotated if annotation.shown and file in id_of))

    @cached_property
    def accepted(self) -> dict[str, int]:
        """By id, how many labels are accepted suggestions, not touched since; only where any is."""
        counts, id_of = Counter[str](), self.listing.id_of
        for file, annotation in self.document.annotated():
            if annotation.accepted and file in id_of:
                counts[id_of[file]] += len(annotation.accepted)
        return dict(counts)

    @cached_property
    def unlabelled(self) -> dict[str, list[int]]:
        """By id, the places in the landmarks' order of those without a state; only where some have one.

        Of pictures of several specimens, none.
        """
        annotated, id_of, names = self.document.annotated(), self.listing.id_of, self.document.names
        if self.document.several:
            return {}
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
        several, annotated = self.document.several, self.document.annotated()
        said = (file for file, annotation in annotated if annotation.labelled or (several and annotation.shown))
        return [file for file in dict.fromkeys(said) if file not in self.listing]

    def of(self, key: str) -> PictureLabels:
        """What is labelled on a picture, or one of its specimens.

        Args:
            key: the picture's id; or, where there may be several specimens, the specimen's key. Of one that is not
                there, the answer says that it is gone.

        Raises:
            UnknownPicture: there is none of this id.
            LeadError: it is the key of a specimen, and each picture shows one.
        """
        id, number = split_key(key)
        file = self.folder.file_of(id)
        if number is not None and not self.document.several:
            raise LeadError(
                f"This was said of one of several specimens of {file}, and each picture shows one now. Say among the "
                "landmarks that a picture may show several, then try again."
            )
        if number is not None:
            return self._of_specimen(key, file, number)
        labels = PictureLabels(id=id, version=self.versions.get(id, self.base))
        if image := self.document.image(file):
            labels.note, labels.tags = image.note, image.tags
            labels.complete = self.document.several and image.complete
            if image.up:
                labels.up = Direction(x=image.up.x, y=image.up.y)
        if not self.document.several and (annotation := self.document.annotation(file)):
            labels.points, labels.checked = annotation.points(), annotation.checked
        return labels

    def specimens_of(self, id: str) -> list[PictureLabels]:
        """What is labelled on each specimen of a picture, in the file's order, where there may be several."""
        file = self.folder.file_of(id)
        if not self.document.several:
            return []
        return [self._of_specimen(key_of(id, number), file, number) for number in self.document.specimens(file)]

    def _of_specimen(self, key: str, file: str, number: int) -> PictureLabels:
        annotation = self.document.annotation(file, number)
        if annotation is None:
            return PictureLabels(id=key, version=self.versions.get(key, 0), gone=True)
        labels = PictureLabels(id=key, version=self.versions.get(key, self.base), points=annotation.points())
        labels.checked, labels.track = annotation.checked, annotation.track
        if box := annotation.box:
            labels.box = (box[0], box[1], box[2], box[3])
        return labels
