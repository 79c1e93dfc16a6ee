"""The formats of landmark files, and what each can hold."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath

import numpy as np

from lead.errors import LeadError, unknown
from lead.landmarks import (
    coco,
    csvfile,
    cvat,
    deeplabcut,
    hdf,
    imglab,
    labelme,
    labelstudio,
    pts,
    sleap,
    stereomorph,
    tps,
    yolo,
)
from lead.landmarks.apart import read_apart
from lead.landmarks.frames import frame_of
from lead.landmarks.model import HIDDEN, UNLABELLED, Labels, numbered
from lead.landmarks.per_picture import ZIP, PerPicture, archive_why_not, packed, unpacked
from lead.landmarks.pictures import PictureInfo

FEATURES = {
    "names": "the landmarks' names, which become numbers",
    "order": "the order of the landmarks",
    "hidden": "which points are hidden",
    "score": "scores",
    "errors": "expected errors",
    "flips": "flip pairs",
    "skeleton": "the skeleton",
    "sizes": "picture sizes",
    "endings": "the endings of the pictures' names",
    "fractions": "fractions of a pixel",
    "film": "which film the frames are of",
    "accepted": "which labels are accepted suggestions",
    "predicted": "which points are a model's and no person's",
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
    """

    name: str
    data: bytes
    pictures: PictureInfo
    only: str | None = None

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


@dataclass(frozen=True)
class Format:
    """One kind of file of landmarks.

    Attributes:
        name: what it is asked for by.
        title: for people.
        extensions: that its files end in, with the dot, in lower case; the first is the usual one.
        lacks: which of ``FEATURES`` it cannot hold.
        why_not: why a file is not in this format; None if it is, or is like it.
        parse: labels of a file. Raises :class:`LeadError` that names the line or entry.
        dump: a file of labels, of which a reader gets the same back, but for what it lacks.
        by_ending: whether a file of this extension is written in this format where no format is named.
        precision: how far the tool itself, writing the file anew, may put a place that nobody moved, in pixels.
        pieces: what ``dump`` makes, some of the text after other, of a format that can be made so.
        has_kinds: whether a file may hold several kinds of things, of which one can be chosen.
        per_picture: of a format with a file for each picture; its ``dump`` makes an archive of them.
    """

    name: str
    title: str
    extensions: tuple[str, ...]
    lacks: tuple[str, ...]
    why_not: Callable[[LabelFile], str | None]
    parse: Callable[[LabelFile], Labels]
    dump: Callable[[Labels, PictureInfo], bytes]
    by_ending: bool = True
    precision: float = 0.001
    pieces: Callable[[Labels, PictureInfo], Iterable[str]] | None = None
    has_kinds: bool = False
    per_picture: PerPicture | None = None

    @property
    def extension(self) -> str:
        """The usual one."""
        return self.extensions[0]

    @property
    def loses(self) -> str:
        """What it cannot hold, in words; empty if nothing."""
        return ", ".join(FEATURES[feature] for feature in self.lacks)

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
        "errors": labels.px_error is not None or labels.px_90 is not None,
        "flips": bool(schema.flip_pairs),
        "skeleton": bool(schema.skeleton),
        "fractions": bool((np.nan_to_num(labels.xy) % 1 != 0).any()),
        "film": any(frame_of(image) for image in labels.images),
        "accepted": labels.accepted is not None,
        "predicted": labels.predicted is not None,
        "mixed": bool((labels.is_predicted.any(1) & (labels.by_hand | labels.is_accepted).any(1)).any()),
    }.get(feature, False)


def _of_text(why_not: Callable[[str], str | None], advice: str = "") -> Callable[[LabelFile], str | None]:
    return lambda file: f"is not UTF-8 text{advice}" if file.text is None else why_not(file.text)


def _text(file: LabelFile) -> str:
    if file.text is None:
        raise LeadError("it is not UTF-8 text.")
    return file.text


def _of_archive(ending: str, why_not: Callable[[str], str | None]) -> Callable[[LabelFile], str | None]:
    """Of a format whose files, one for each picture, may stand in an archive."""
    of_text = _of_text(why_not)
    return lambda file: archive_why_not(file.data, ending) if file.data.startswith(ZIP) else of_text(file)


def _parse_labelme(file: LabelFile) -> Labels:
    """One picture's points, or those of all files in a zip archive."""
    archive = file.data.startswith(ZIP)
    return labelme.parse(unpacked(file.data, labelme.ENDING) if archive else {"": _text(file)})


def _parse_pts(file: LabelFile) -> Labels:
    """One picture's points, or those of all files in a zip archive."""
    if file.data.startswith(ZIP):
        texts = unpacked(file.data, pts.ENDING, longest=pts.LONGEST)
        return pts.joined(pts.points_of(texts, file.pictures))
    return pts.joined({file.pictures.of_stem(Path(file.name).stem): pts.read_points(_text(file))})


def _parse_stereomorph(file: LabelFile) -> Labels:
    """One picture's points, or those of all files in a zip archive."""
    archive = file.data.startswith(ZIP)
    texts = unpacked(file.data, stereomorph.ENDING) if archive else {Path(file.name).name: _text(file)}
    return stereomorph.parse(
        {path: text for path, text in texts.items() if not stereomorph.why_not(text)}, file.pictures
    )


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")


FORMATS: tuple[Format, ...] = (
    Format(
        name="labelme",
        title="LabelMe's and X-AnyLabeling's JSON, a file for each picture",
        extensions=(".zip", labelme.ENDING),
        lacks=("order", "hidden", "errors", "flips", "skeleton", "accepted"),
        why_not=_of_archive(labelme.ENDING, labelme.why_not),
        parse=_parse_labelme,
        dump=lambda labels, pictures: packed(labelme.dump(labels, pictures)),
        by_ending=False,
        per_picture=PerPicture(
            labelme.ENDING, lambda texts, _: labelme.parse(texts), labelme.dump, why_not=labelme.why_not
        ),
    ),
    Format(
        name="coco",
        title="COCO key points",
        extensions=(".json",),
        lacks=(),
        # What is LabelMe's and wrong is not COCO's: two messages for one mistake would hide it.
        why_not=_of_text(lambda text: coco.why_not(text) or (None if labelme.why_not(text) else "is LabelMe's")),
        parse=lambda file: coco.parse(_text(file), file.only),
        dump=lambda labels, pictures: _encoded(coco.dump(labels, pictures)),
        pieces=coco.pieces,
        has_kinds=True,
    ),
    Format(
        name="labelstudio",
        title="Label Studio's tasks",
        extensions=(".json",),
        lacks=("order", "hidden", "errors", "flips", "skeleton"),
        why_not=_of_text(labelstudio.why_not),
        parse=lambda file: labelstudio.parse(_text(file)),
        dump=lambda labels, pictures: _encoded(labelstudio.dump(labels, pictures)),
        by_ending=False,
    ),
    Format(
        name="lightningpose",
        title="Lightning Pose's CSV, a line for each picture",
        extensions=(".csv",),
        lacks=("score", "errors", "flips", "skeleton", "sizes", "accepted", "predicted"),
        why_not=_of_text(deeplabcut.lightning_why_not, SPREADSHEET),
        parse=lambda file: deeplabcut.parse(_text(file)),
        dump=lambda labels, _: _encoded(deeplabcut.dump_lightning(labels)),
        by_ending=False,
    ),
    Format(
        name="deeplabcut",
        title="DeepLabCut's CSV, a line for each picture",
        extensions=(".csv",),
        lacks=("hidden", "errors", "flips", "skeleton", "sizes", "film", "accepted"),
        why_not=_of_text(deeplabcut.why_not, SPREADSHEET),
        parse=lambda file: deeplabcut.parse(_text(file)),
        dump=lambda labels, _: _encoded(deeplabcut.dump(labels)),
        by_ending=False,
    ),
    Format(
        name="deeplabcut-h5",
        title="DeepLabCut's HDF5",
        extensions=(".h5", ".hdf5"),
        lacks=("hidden", "errors", "flips", "skeleton", "sizes", "film", "accepted"),
        why_not=lambda file: hdf.why_not(file.data),
        parse=lambda file: read_apart("hdf", file.data),
        dump=lambda labels, _: hdf.dump(labels),
    ),
    Format(
        name="sleap",
        title="SLEAP's labels",
        extensions=(".slp",),
        lacks=("errors", "accepted", "mixed"),
        why_not=lambda file: sleap.why_not(file.data),
        parse=lambda file: read_apart("sleap", file.data, PurePath(file.name).name),
        dump=sleap.dump,
    ),
    Format(
        name="cvat",
        title="CVAT's XML 1.1 of pictures",
        extensions=(".xml",),
        lacks=("score", "errors", "flips", "accepted", "predicted"),
        why_not=_of_text(cvat.why_not),
        parse=lambda file: cvat.parse(_text(file), file.pictures, file.only),
        dump=lambda labels, pictures: _encoded(cvat.dump(labels, pictures)),
        precision=0.0051,  # CVAT writes hundredths
        has_kinds=True,
    ),
    Format(
        name="imglab",
        title="dlib's and imglab's XML",
        extensions=(".xml",),
        lacks=("order", "hidden", "score", "errors", "flips", "skeleton", "fractions", "accepted", "predicted"),
        why_not=_of_text(imglab.why_not),
        parse=lambda file: imglab.parse(_text(file)),
        dump=lambda labels, pictures: _encoded(imglab.dump(labels, pictures)),
        by_ending=False,
        precision=0.5,  # dlib's places are whole pixels
    ),
    Format(
        name="yolo",
        title="YOLO's key points, a folder with data.yaml and a file for each picture",
        extensions=(".zip",),
        lacks=("score", "errors", "skeleton", "sizes", "endings", "accepted", "predicted"),
        why_not=lambda file: archive_why_not(file.data, yolo.HEADS),
        parse=lambda file: yolo.parse(unpacked(file.data, (yolo.ENDING, *yolo.HEADS)), file.pictures),
        dump=lambda labels, pictures: packed(yolo.dump(labels, pictures)),
        by_ending=False,
        per_picture=PerPicture(yolo.ENDING, yolo.parse, yolo.dump, head=yolo.HEADS),
    ),
    Format(
        name="stereomorph",
        title="StereoMorph's shapes, a file for each picture",
        extensions=(".zip", stereomorph.ENDING),
        lacks=("hidden", "score", "errors", "flips", "skeleton", "sizes", "accepted", "predicted"),
        why_not=_of_archive(stereomorph.ENDING, stereomorph.why_not),
        parse=_parse_stereomorph,
        dump=lambda labels, _: packed(stereomorph.dump(labels)),
        by_ending=False,
        per_picture=PerPicture(
            stereomorph.ENDING,
            stereomorph.parse,
            lambda labels, _: stereomorph.dump(labels),
            why_not=stereomorph.why_not,
        ),
    ),
    Format(
        name="pts",
        title="iBUG's .pts, a file for each picture",
        extensions=(".zip", pts.ENDING),
        lacks=("names", "hidden", "score", "errors", "flips", "skeleton", "sizes", "endings", "accepted", "predicted"),
        why_not=_of_archive(pts.ENDING, pts.why_not),
        parse=_parse_pts,
        dump=lambda labels, _: packed(pts.dump(labels)),
        per_picture=PerPicture(
            pts.ENDING,
            lambda texts, pictures: pts.joined(pts.points_of(texts, pictures)),
            lambda labels, _: pts.dump(labels),
        ),
    ),
    Format(
        name="tps",
        title="TPS of tpsDig and geomorph",
        extensions=(".tps",),
        lacks=("names", "hidden", "score", "errors", "flips", "skeleton", "sizes", "accepted", "predicted"),
        why_not=lambda file: tps.why_not(file.text or file.ansi),
        parse=lambda file: tps.parse(file.text or file.ansi, file.pictures),
        dump=lambda labels, pictures: _encoded(tps.dump(labels, pictures)),
    ),
    Format(
        name="csv",
        title="CSV, a line for each point",
        extensions=(".csv",),
        lacks=("flips", "skeleton", "sizes"),
        why_not=_of_text(csvfile.why_not, SPREADSHEET),
        parse=lambda file: csvfile.parse(_text(file), file.pictures),
        dump=lambda labels, _: _encoded(csvfile.dump(labels)),
        pieces=lambda labels, _: csvfile.pieces(labels),
    ),
)
"""Every format, in the order in which they are tried where a file is like several."""


def format_named(name: str) -> Format:
    """A format by its name. Raises :class:`LeadError` naming the valid ones."""
    for kind in FORMATS:
        if kind.name == name:
            return kind
    raise unknown("format", name, (kind.name for kind in FORMATS))
