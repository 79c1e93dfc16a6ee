"""The formats of landmark files: each that is read, and most that are written."""

from __future__ import annotations

from pathlib import Path, PurePath

from lead.errors import unknown
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
from lead.landmarks.foreign import FOREIGN
from lead.landmarks.format import SPREADSHEET, Format, LabelFile, of_archive, of_text, text_of
from lead.landmarks.model import Labels
from lead.landmarks.per_picture import ZIP, PerPicture, archive_why_not, packed, unpacked


def _parse_labelme(file: LabelFile) -> Labels:
    """One picture's points, or those of all files in a zip archive."""
    archive = file.data.startswith(ZIP)
    texts = unpacked(file.data, labelme.ENDING) if archive else {"": text_of(file)}
    return labelme.parse(texts, several=file.several)


def _parse_pts(file: LabelFile) -> Labels:
    """One picture's points, or those of all files in a zip archive."""
    if file.data.startswith(ZIP):
        texts = unpacked(file.data, pts.ENDING, longest=pts.LONGEST)
        return pts.joined(pts.points_of(texts, file.pictures))
    return pts.joined({file.pictures.of_stem(Path(file.name).stem): pts.read_points(text_of(file))})


def _parse_stereomorph(file: LabelFile) -> Labels:
    """One picture's points, or those of all files in a zip archive."""
    archive = file.data.startswith(ZIP)
    texts = unpacked(file.data, stereomorph.ENDING) if archive else {Path(file.name).name: text_of(file)}
    return stereomorph.parse(
        {path: text for path, text in texts.items() if not stereomorph.why_not(text)}, file.pictures
    )


def _of_dlib(file: LabelFile) -> str:
    """The text of a file whose names dlib wrote as the system has them, declaring ISO-8859-1 whatever that is."""
    return file.ansi if file.text is None else file.text


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")


FORMATS: tuple[Format, ...] = (
    *FOREIGN,
    Format(
        name="labelme",
        title="LabelMe's and X-AnyLabeling's JSON, a file for each picture",
        extensions=(".zip", labelme.ENDING),
        lacks=("order", "hidden", "errors", "flips", "skeleton", "curves", "accepted", "tracks", "likely", "complete"),
        why_not=of_archive(labelme.ENDING, labelme.why_not),
        parse=_parse_labelme,
        dump=lambda labels, pictures: packed(labelme.dump(labels, pictures)),
        by_ending=False,
        per_picture=PerPicture(
            labelme.ENDING,
            lambda texts, _, several: labelme.parse(texts, several=several),
            labelme.dump,
            why_not=labelme.why_not,
        ),
    ),
    Format(
        name="coco",
        title="COCO key points",
        extensions=(".json",),
        lacks=(),
        # What is LabelMe's and wrong is not COCO's: two messages for one mistake would hide it.
        why_not=of_text(lambda text: coco.why_not(text) or (None if labelme.why_not(text) else "is LabelMe's")),
        parse=lambda file: coco.parse(text_of(file), file.only, several=file.several),
        dump=lambda labels, pictures: _encoded(coco.dump(labels, pictures)),
        pieces=coco.pieces,
        has_kinds=True,
    ),
    Format(
        name="labelstudio",
        title="Label Studio's tasks",
        extensions=(".json",),
        lacks=("order", "hidden", "errors", "flips", "skeleton", "curves", "tracks", "complete"),
        why_not=of_text(labelstudio.why_not),
        parse=lambda file: labelstudio.parse(text_of(file), several=file.several),
        dump=lambda labels, pictures: _encoded(labelstudio.dump(labels, pictures)),
        by_ending=False,
    ),
    Format(
        name="lightningpose",
        title="Lightning Pose's CSV, a line for each picture",
        extensions=(".csv",),
        lacks=(
            *("score", "errors", "flips", "skeleton", "curves", "sizes", "accepted", "predicted"),
            *("several", "tracks", "boxes", "likely", "complete"),
        ),
        why_not=of_text(deeplabcut.lightning_why_not, SPREADSHEET),
        parse=lambda file: deeplabcut.parse(text_of(file), several=file.several),
        dump=lambda labels, _: _encoded(deeplabcut.dump_lightning(labels)),
        by_ending=False,
    ),
    Format(
        name="deeplabcut",
        title="DeepLabCut's CSV, a line for each picture",
        extensions=(".csv",),
        lacks=(
            "hidden",
            "errors",
            "flips",
            "skeleton",
            "curves",
            "sizes",
            "film",
            "accepted",
            "boxes",
            "likely",
            "complete",
        ),
        why_not=of_text(deeplabcut.why_not, SPREADSHEET),
        parse=lambda file: deeplabcut.parse(text_of(file), several=file.several),
        dump=lambda labels, _: _encoded(deeplabcut.dump(labels)),
        by_ending=False,
    ),
    Format(
        name="deeplabcut-h5",
        title="DeepLabCut's HDF5",
        extensions=(".h5", ".hdf5"),
        lacks=(
            "hidden",
            "errors",
            "flips",
            "skeleton",
            "curves",
            "sizes",
            "film",
            "accepted",
            "boxes",
            "likely",
            "complete",
        ),
        why_not=lambda file: hdf.why_not(file.data),
        parse=lambda file: read_apart("hdf", file.data, several=file.several),
        dump=lambda labels, _: hdf.dump(labels),
    ),
    Format(
        name="sleap",
        title="SLEAP's labels",
        extensions=(".slp",),
        lacks=("errors", "curves", "accepted", "boxes", "likely", "complete", "mixed"),
        why_not=lambda file: sleap.why_not(file.data),
        parse=lambda file: read_apart("sleap", file.data, PurePath(file.name).name, several=file.several),
        dump=sleap.dump,
        one_size=True,
    ),
    Format(
        name="cvat",
        title="CVAT's XML 1.1 of pictures",
        extensions=(".xml",),
        lacks=("score", "errors", "flips", "curves", "accepted", "tracks", "boxes", "likely", "complete"),
        why_not=of_text(cvat.why_not),
        parse=lambda file: cvat.parse(text_of(file), file.pictures, file.only, several=file.several),
        dump=lambda labels, pictures: _encoded(cvat.dump(labels, pictures)),
        precision=0.0051,  # CVAT writes hundredths
        has_kinds=True,
    ),
    Format(
        name="imglab",
        title="dlib's and imglab's XML",
        extensions=(".xml",),
        lacks=(
            *(
                "order",
                "hidden",
                "score",
                "errors",
                "flips",
                "skeleton",
                "curves",
                "fractions",
                "accepted",
                "predicted",
            ),
            *("tracks", "likely", "complete"),
        ),
        why_not=lambda file: imglab.why_not(_of_dlib(file)),
        parse=lambda file: imglab.parse(_of_dlib(file), several=file.several),
        dump=lambda labels, pictures: _encoded(imglab.dump(labels, pictures)),
        by_ending=False,
        precision=0.5,  # dlib's places are whole pixels
    ),
    Format(
        name="yolo",
        title="YOLO's key points, a folder with data.yaml and a file for each picture",
        extensions=(".zip",),
        lacks=(
            "score",
            "errors",
            "skeleton",
            "curves",
            "sizes",
            "endings",
            "accepted",
            "predicted",
            "tracks",
            "likely",
        ),
        why_not=lambda file: archive_why_not(file.data, yolo.HEADS),
        parse=lambda file: yolo.parse(
            unpacked(file.data, (yolo.ENDING, *yolo.HEADS)), file.pictures, several=file.several
        ),
        dump=lambda labels, pictures: packed(yolo.dump(labels, pictures)),
        by_ending=False,
        per_picture=PerPicture(
            yolo.ENDING,
            lambda texts, pictures, several: yolo.parse(texts, pictures, several=several),
            yolo.dump,
            head=yolo.HEADS,
        ),
    ),
    Format(
        name="stereomorph",
        title="StereoMorph's shapes, a file for each picture",
        extensions=(".zip", stereomorph.ENDING),
        lacks=(
            "hidden",
            "score",
            "errors",
            "flips",
            "skeleton",
            "curves",
            "sizes",
            "accepted",
            "predicted",
            "several",
            "tracks",
            "boxes",
            "likely",
            "complete",
        ),
        why_not=of_archive(stereomorph.ENDING, stereomorph.why_not),
        parse=_parse_stereomorph,
        dump=lambda labels, _: packed(stereomorph.dump(labels)),
        by_ending=False,
        per_picture=PerPicture(
            stereomorph.ENDING,
            lambda texts, pictures, _: stereomorph.parse(texts, pictures),
            lambda labels, _: stereomorph.dump(labels),
            why_not=stereomorph.why_not,
        ),
    ),
    Format(
        name="pts",
        title="iBUG's .pts, a file for each picture",
        extensions=(".zip", pts.ENDING),
        lacks=(
            "names",
            "hidden",
            "score",
            "errors",
            "flips",
            "skeleton",
            "curves",
            "sizes",
            "endings",
            "accepted",
            "predicted",
            "several",
            "tracks",
            "boxes",
            "likely",
            "complete",
        ),
        why_not=of_archive(pts.ENDING, pts.why_not),
        parse=_parse_pts,
        dump=lambda labels, _: packed(pts.dump(labels)),
        per_picture=PerPicture(
            pts.ENDING,
            lambda texts, pictures, _: pts.joined(pts.points_of(texts, pictures)),
            lambda labels, _: pts.dump(labels),
        ),
    ),
    Format(
        name="tps",
        title="TPS of tpsDig and geomorph",
        extensions=(".tps",),
        lacks=(
            "names",
            "hidden",
            "score",
            "errors",
            "flips",
            "skeleton",
            "between",
            "sizes",
            "accepted",
            "predicted",
            "tracks",
            "boxes",
            "likely",
            "complete",
        ),
        why_not=lambda file: tps.why_not(file.text or file.ansi),
        parse=lambda file: tps.parse(file.text or file.ansi, file.pictures, several=file.several),
        dump=lambda labels, pictures: _encoded(tps.dump(labels, pictures)),
    ),
    Format(
        name="csv",
        title="CSV, a line for each point",
        extensions=(".csv",),
        lacks=("flips", "skeleton", "curves", "sizes"),
        why_not=of_text(csvfile.why_not, SPREADSHEET),
        parse=lambda file: csvfile.parse(text_of(file), file.pictures, several=file.several),
        dump=lambda labels, _: _encoded(csvfile.dump(labels)),
        pieces=lambda labels, _: csvfile.pieces(labels),
    ),
)
"""Every format, in the order in which they are tried where a file is like several."""
RESULTS = Format(
    name="coco-results",
    title="COCO's results",
    extensions=(".json",),
    lacks=(
        "names",
        "score",
        "errors",
        "flips",
        "skeleton",
        "curves",
        "sizes",
        "accepted",
        "predicted",
        "tracks",
        "boxes",
        "complete",
    ),
    why_not=lambda _: "is not read",
    dump=lambda labels, _: _encoded(coco.dump_results(labels)),
    by_ending=False,
)
"""What programs that evaluate key points take; it is only written, for it names neither pictures nor landmarks."""
WRITTEN = tuple(kind for kind in FORMATS if not kind.only_read)
"""Those that are written too."""


def format_named(name: str) -> Format:
    """A format by its name. Raises :class:`LeadError` naming the valid ones."""
    for kind in (*FORMATS, RESULTS):
        if kind.name == name:
            return kind
    raise unknown("format", name, (kind.name for kind in (*FORMATS, RESULTS)))
