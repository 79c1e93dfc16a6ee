"""Landmarks from and to a file, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from lead.errors import LeadError, unknown
from lead.files import refuse_existing, write_atomic
from lead.landmarks import (
    coco,
    csvfile,
    cvat,
    deeplabcut,
    deeplabcut_project,
    hdf,
    labelme,
    labelstudio,
    pts,
    sleap,
    tps,
)
from lead.landmarks.apart import read_apart
from lead.landmarks.frames import frame_of
from lead.landmarks.model import HIDDEN, UNLABELLED, Labels, Places, numbered
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
    "film": "which film the frames are of",
    "accepted": "which labels are accepted suggestions",
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
    """

    name: str
    data: bytes
    pictures: PictureInfo

    @cached_property
    def text(self) -> str | None:
        """The file as UTF-8 text; None if it is not."""
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


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
        "film": any(frame_of(image) for image in labels.images),
        "accepted": labels.accepted is not None,
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


def _encoded(text: str) -> bytes:
    return text.encode("utf-8")


FORMATS: tuple[Format, ...] = (
    Format(
        name="labelme",
        title="LabelMe's JSON, a file for each picture",
        extensions=(".zip", labelme.ENDING),
        lacks=("order", "hidden", "score", "errors", "flips", "skeleton", "accepted"),
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
        parse=lambda file: coco.parse(_text(file)),
        dump=lambda labels, pictures: _encoded(coco.dump(labels, pictures)),
        pieces=coco.pieces,
    ),
    Format(
        name="labelstudio",
        title="Label Studio's tasks",
        extensions=(".json",),
        lacks=("order", "hidden", "errors", "flips", "skeleton", "accepted"),
        why_not=_of_text(labelstudio.why_not),
        parse=lambda file: labelstudio.parse(_text(file)),
        dump=lambda labels, pictures: _encoded(labelstudio.dump(labels, pictures)),
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
        lacks=("errors", "accepted"),
        why_not=lambda file: sleap.why_not(file.data),
        parse=lambda file: read_apart("sleap", file.data),
        dump=sleap.dump,
    ),
    Format(
        name="cvat",
        title="CVAT's XML 1.1 of pictures",
        extensions=(".xml",),
        lacks=("score", "errors", "flips", "accepted"),
        why_not=_of_text(cvat.why_not),
        parse=lambda file: cvat.parse(_text(file)),
        dump=lambda labels, pictures: _encoded(cvat.dump(labels, pictures)),
        precision=0.0051,  # CVAT writes hundredths
    ),
    Format(
        name="pts",
        title="iBUG's .pts, a file for each picture",
        extensions=(".zip", pts.ENDING),
        lacks=("names", "hidden", "score", "errors", "flips", "skeleton", "sizes", "endings", "accepted"),
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
        lacks=("names", "hidden", "score", "errors", "flips", "skeleton", "sizes", "accepted"),
        why_not=_of_text(tps.why_not),
        parse=lambda file: tps.parse(_text(file), file.pictures),
        dump=lambda labels, pictures: _encoded(tps.dump(labels, pictures)),
    ),
    Format(
        name="csv",
        title="CSV, a line for each point",
        extensions=(".csv",),
        lacks=("flips", "skeleton", "sizes", "accepted"),
        why_not=_of_text(csvfile.why_not, SPREADSHEET),
        parse=lambda file: csvfile.parse(_text(file)),
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


def read_labels(path: Path, *, pictures: PictureInfo | None = None, format: str | None = None) -> tuple[Labels, Format]:
    """Landmarks from a file of any format, a folder with a file for each picture, or that of a DeepLabCut project.

    Args:
        path: the file or folder.
        pictures: what knows the pictures, which some formats have to ask.
        format: its name; by default it is recognised by content.

    Returns:
        The labels, and the format that they are in.

    Raises:
        LeadError: there is no such file, it is in no known format, or it is wrong; the message names the file and the
            line or entry.
    """
    pictures = pictures or PictureInfo()
    if path.is_dir():
        return _read_folder(path, pictures, format)
    try:
        return parse_labels(path.read_bytes(), str(path), pictures=pictures, format=format)
    except Unrecognised as error:
        raise LeadError(f"{error} If you know which it is, name it (--from).") from error
    except FileNotFoundError:
        raise LeadError(f"No file {path}. Landmarks are read from: {_known_formats()}.") from None
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from error


class Unrecognised(LeadError):
    """A file is in none of the formats."""


def parse_labels(
    data: bytes, name: str, *, pictures: PictureInfo | None = None, format: str | None = None
) -> tuple[Labels, Format]:
    """Landmarks from a file's bytes; see :func:`read_labels`.

    Args:
        data: the whole file.
        name: what the error messages call it.
        pictures, format: as there.

    Raises:
        Unrecognised: it is like no format (the message is about those of its name's ending, if there are any), or like
            several and wrong in each.
        LeadError: as there.
    """
    if not data.strip():
        raise LeadError(f"{name} is empty.")
    file = LabelFile(name, data, pictures or PictureInfo())
    if format is not None:
        kind = format_named(format)
        return _parsed(kind, file), kind
    refused = {kind: kind.why_not(file) for kind in FORMATS}
    failed: dict[Format, str] = {}
    for kind in [kind for kind, why in refused.items() if why is None]:
        try:
            return _parsed(kind, file), kind
        except LeadError as error:
            failed[kind] = str(error)
    if len(failed) == 1:
        raise LeadError(next(iter(failed.values())))
    ending = Path(name).suffix.lower()
    if not failed and any(ending in kind.extensions for kind in FORMATS):
        as_each = [f"As {kind.title}: it {why}" for kind, why in refused.items() if ending in kind.extensions]
        raise Unrecognised(f"{name} cannot be read. {'. '.join(as_each)}.")
    tried = failed.values() or [f"{kind.name}: it {why}" for kind, why in refused.items()]
    raise Unrecognised(f"{name} can be read in none of the formats that were tried. {'; '.join(tried)}.")


def _parsed(kind: Format, file: LabelFile) -> Labels:
    try:
        return _from_file(kind.parse(file), file.name)
    except LeadError as error:
        raise LeadError(f"{file.name}: {error}") from error


def _from_file(labels: Labels, name: str) -> Labels:
    """The same labels, whose places say which file they stand in."""
    return replace(labels, places=replace(labels.places or Places(), file=name))


def _read_folder(folder: Path, pictures: PictureInfo, format: str | None) -> tuple[Labels, Format]:
    if deeplabcut_project.present(folder) and format in (None, "deeplabcut", "deeplabcut-h5"):
        return _from_file(deeplabcut_project.read(folder), str(folder)), format_named("deeplabcut")
    found = [
        (kind, kind.per_picture, texts)
        for kind in FORMATS
        if kind.per_picture and format in (None, kind.name) and (texts := kind.per_picture.found(folder))
    ]
    if len(found) > 1:
        raise LeadError(f"{folder} holds files of {' and '.join(kind.name for kind, *_ in found)}. Name one (--from).")
    for kind, per_picture, texts in found:
        try:
            return _from_file(per_picture.parse(texts, pictures), str(folder)), kind
        except LeadError as error:
            raise LeadError(f"{folder}: {error}") from error
    kinds = " or ".join(f"{kind.per_picture.ending} ({kind.name})" for kind in FORMATS if kind.per_picture)
    raise LeadError(
        f"{folder} is a folder, but neither a DeepLabCut project ({deeplabcut_project.CONFIG} and "
        f"{deeplabcut.FOLDER}/) nor one of files {kinds}. Give a file of labels: {_known_formats()}."
    )


def _known_formats() -> str:
    return ", ".join(f"{kind.title} ({' or '.join(kind.extensions)})" for kind in FORMATS)


def target_format(path: Path, format: str | None = None) -> Format:
    """The format that a file is written in: the one named, else that of its ending.

    Raises:
        LeadError: there is no such format, or the ending does not say which.
    """
    if format is not None:
        return format_named(format)
    by_ending = [kind for kind in FORMATS if kind.by_ending]
    for kind in by_ending:
        if path.suffix.lower() in kind.extensions:
            return kind
    endings = ", ".join(f"{' or '.join(kind.extensions)} ({kind.title})" for kind in by_ending)
    others = ", ".join(kind.name for kind in FORMATS if not kind.by_ending)
    folders = " or ".join(kind.name for kind in FORMATS if kind.per_picture)
    raise LeadError(
        f"Cannot tell the format of {path}: end its name in {endings}. To be named (--to) are: {others}, and {folders} "
        "for a folder."
    )


def check_target(path: Path, *, format: str | None = None, overwrite: bool = False) -> None:
    """Raises :class:`LeadError` where :func:`write_labels` would refuse: asked before the work, not after it."""
    target_format(path, format)
    if not overwrite:
        refuse_existing(path)


def write_labels(
    labels: Labels,
    path: Path,
    *,
    pictures: PictureInfo | None = None,
    format: str | None = None,
    overwrite: bool = False,
) -> Format:
    """Writes landmarks. What is written reads back the same, but for what the format lacks.

    Args:
        labels: what to write.
        path: a file; of a format with a file for each picture also a folder, which a path without an ending is.
        pictures: what knows the pictures' sizes, which some formats ask for.
        format: its name; by default the ending says it, ``.json`` being COCO's and ``.csv`` our own.
        overwrite: whether what is already there may be replaced.

    Returns:
        The format: its ``lost`` says what was left out.

    Raises:
        LeadError: the ending is unknown, the file exists, cannot be written, or the format cannot hold a name or place.
    """
    check_target(path, format=format, overwrite=overwrite)
    kind = target_format(path, format)
    pictures = pictures or PictureInfo()
    if kind.per_picture and path.suffix.lower() != ".zip":
        kind.per_picture.write(labels, path, pictures, overwrite=overwrite)
    else:
        write_atomic(path, (kind.pieces or kind.dump)(labels, pictures), overwrite=overwrite)
    return kind
