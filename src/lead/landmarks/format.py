"""What a format of landmark files is, and what it can hold."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from lead.errors import LeadError
from lead.landmarks.frames import frame_of
from lead.landmarks.model import ERRORS, HIDDEN, UNLABELLED, Labels, numbered
from lead.landmarks.per_picture import ZIP, PerPicture, archive_why_not
from lead.landmarks.pictures import PictureInfo
from lead.landmarks.tps_curves import layout_of

FEATURES = {
    "names": "the landmarks' names, which become numbers",
    "order": "the order of the landmarks",
    "hidden": "which points are hidden",
    "score": "scores",
    "errors": "expected errors",
    "flips": "flip pairs",
    "skeleton": "the skeleton",
    "curves": "the curves",
    "between": "the order of the landmarks, of which the curves' points come last",
    "sizes": "picture sizes",
    "endings": "the endings of the pictures' names",
    "fractions": "fractions of a pixel",
    "film": "which film the frames are of",
    "accepted": "which labels are accepted suggestions",
    "predicted": "which points are a model's and no person's",
    "several": "all but one specimen of a picture",
    "tracks": "which individual is which",
    "boxes": "boxes around specimens",
    "likely": "how likely each is a specimen",
    "complete": "in which pictures every specimen is labelled",
    "mixed": "the predictions on pictures that a person labelled too",
}
"""What a format may hold of labels beside the points themselves, or lose, in words."""
SPREADSHEET = " (from a spreadsheet, save it as CSV UTF-8)"


@dataclass(frozen=True)
class LabelFile:
    """A file of labels in memory, and what readers may ask about its pictures.

    Attributes:
        name: what messages call it.
        data: all of it.
        pictures: their sizes and names.
        only: of formats that may hold several kinds of things (COCO's categories, CVAT's skeletons), the name of the
            one whose landmarks are read; None for those of all.
        several: whether pictures may show several specimens, each of which is a row then; else a reader leaves such
            pictures out, or refuses them.
    """

    name: str
    data: bytes
    pictures: PictureInfo
    only: str | None = None
    several: bool = False

    @cached_property
    def text(self) -> str | None:
        """The file as text: UTF-8, or UTF-16 if it begins by saying so; None if it is not."""
        utf_16 = self.data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        try:
            return self.data.decode("utf-16" if utf_16 else "utf-8-sig")
        except UnicodeDecodeError:
            return None

    @property
    def ansi(self) -> str:
        """The file as text of Western Windows. It may be of another part of the world: then its letters are others."""
        return self.data.decode("cp1252", errors="replace")


def _only_read(_labels: Labels, _pictures: PictureInfo) -> bytes:
    raise LeadError("this format is read, but not written. Choose another (--to).")


def _only_written(_file: LabelFile) -> Labels:
    raise LeadError("this format is written, but not read. Take the file of labels that it was made of.")


@dataclass(frozen=True)
class Format:
    """One kind of file of landmarks.

    Attributes:
        name: what it is asked for by.
        title: for people.
        extensions: that its files end in, with the dot, in lower case; the first is the usual one.
        lacks: which of ``FEATURES`` it cannot hold.
        why_not: why a file is not in this format; None if it is, or is like it.
        parse: labels of a file. Raises :class:`LeadError` that names the line or entry. Left out of a format that is
            only written.
        dump: a file of labels, of which a reader gets the same back, but for what it lacks. Left out of a format that
            is only read.
        by_ending: whether a file of this extension is written in this format where no format is named.
        precision: how far the tool itself, writing the file anew, may put a place that nobody moved, in pixels.
        pieces: what ``dump`` makes, some of the text after other, of a format that can be made so.
        one_size: whether a size in it may be that of one picture, noted for a whole list of them.
        has_kinds: whether a file may hold several kinds of things, of which one can be chosen.
        per_picture: of a format with a file for each picture; its ``dump`` makes an archive of them.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    lacks: tuple[str, ...]
    why_not: Callable[[LabelFile], str | None]
    parse: Callable[[LabelFile], Labels] = _only_written
    dump: Callable[[Labels, PictureInfo], bytes] = _only_read
    by_ending: bool = True
    precision: float = 0.001
    pieces: Callable[[Labels, PictureInfo], Iterable[str]] | None = None
    has_kinds: bool = False
    one_size: bool = False
    per_picture: PerPicture | None = None

    @property
    def only_read(self) -> bool:
        """Whether files of it are not written."""
        return self.dump is _only_read

    @property
    def extension(self) -> str:
        """The usual one."""
        return self.extensions[0]

    @property
    def loses(self) -> str:
        """What it cannot hold, in words; empty if nothing."""
        return ", ".join(FEATURES[feature] for feature in self.lacks)

    @property
    def holds_several(self) -> bool:
        """Whether a picture may show several specimens in it."""
        return "several" not in self.lacks

    def specimens(self, labels: Labels) -> Labels:
        """The specimens of labels that it can hold: where it has no boxes, those that are a box alone are none."""
        return replace(labels, boxes=None).without_empty() if "boxes" in self.lacks else labels

    def lost(self, labels: Labels) -> list[str]:
        """What of these labels it cannot hold, in words."""
        return [FEATURES[feature] for feature in self.lacks if _has(labels, feature)]


def _has(labels: Labels, feature: str) -> bool:
    """Whether labels have something that a format may lack. What no :class:`Labels` tells is not missed."""
    schema = labels.schema
    return {
        "names": schema.names != numbered(len(schema.names)),
        "order": len(labels) > 0 and not (labels.visible[0] > UNLABELLED).all(),
        "hidden": bool((labels.visible == HIDDEN).any()),
        "score": labels.score is not None,
        "errors": any(getattr(labels, name) is not None for name in ERRORS),
        "flips": bool(schema.flip_pairs),
        "skeleton": bool(schema.skeleton),
        "curves": bool(schema.curves),
        "between": layout_of(schema).order != list(range(len(schema.names))),
        "fractions": bool((np.nan_to_num(labels.xy) % 1 != 0).any()),
        "film": any(frame_of(image) for image in labels.images),
        "accepted": labels.accepted is not None,
        "predicted": labels.predicted is not None,
        "several": bool(labels.of_several()),
        "tracks": any(labels.tracks or ()),
        "boxes": labels.boxes is not None,
        "likely": labels.likely is not None,
        "complete": bool(labels.complete),
        "mixed": bool((labels.is_predicted.any(1) & (labels.by_hand | labels.is_accepted).any(1)).any()),
    }.get(feature, False)


def of_text(why_not: Callable[[str], str | None], advice: str = "") -> Callable[[LabelFile], str | None]:
    """Of a format that is text; ``advice`` follows where a file is none."""
    return lambda file: f"is not UTF-8 text{advice}" if file.text is None else why_not(file.text)


def text_of(file: LabelFile) -> str:
    """A file's text. Raises :class:`LeadError` where it is none."""
    if file.text is None:
        raise LeadError("it is not UTF-8 text.")
    return file.text


def of_archive(ending: str, why_not: Callable[[str], str | None]) -> Callable[[LabelFile], str | None]:
    """Of a format whose files, one for each picture, may stand in an archive."""
    of_one = of_text(why_not)
    return lambda file: archive_why_not(file.data, ending) if file.data.startswith(ZIP) else of_one(file)
