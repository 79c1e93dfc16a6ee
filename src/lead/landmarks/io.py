"""Landmarks from and to a file, whatever its format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lead.errors import LeadError, unknown
from lead.files import refuse_existing, write_atomic
from lead.landmarks import deeplabcut, deeplabcut_project
from lead.landmarks.fields import read_json
from lead.landmarks.foreign import FOREIGN
from lead.landmarks.format import Format, LabelFile
from lead.landmarks.formats import FORMATS, RESULTS, WRITTEN, format_named
from lead.landmarks.model import Labels, Places
from lead.landmarks.pictures import PictureInfo
from lead.landmarks.recognise import recognised


def read_labels(
    path: Path,
    *,
    pictures: PictureInfo | None = None,
    format: str | None = None,
    only: str | None = None,
    several: bool = False,
) -> tuple[Labels, Format]:
    """Landmarks from a file of any format, a folder with a file for each picture, or that of a DeepLabCut project.

    Args:
        path: the file or folder.
        pictures: what knows the pictures, which some formats have to ask.
        format: its name; by default it is recognised by content.
        only, several: see :class:`lead.landmarks.format.LabelFile`.

    Returns:
        The labels, and the format that they are in.

    Raises:
        LeadError: there is no such file, it is in no known format, or it is wrong; the message names the file and the
            line or entry.
    """
    pictures = pictures or PictureInfo()
    if path.is_dir():
        if only is not None:
            raise LeadError(f"{path} is a folder, whose files hold one kind of thing: leave out --only {only}.")
        return _read_folder(path, pictures, format, several)
    try:
        labels, kind = parse_labels(
            path.read_bytes(), str(path), pictures=pictures, format=format, only=only, several=several
        )
    except FileNotFoundError:
        raise LeadError(f"No file {path}. Landmarks are read from: {_known_formats()}.") from None
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from error
    return _also_left_out(labels, deeplabcut_project.differing_beside(path, labels)), kind


FEW = 3
"""Formats of one ending of which it is said why a file is not in them."""


class Unrecognised(LeadError):
    """A file is in none of the formats."""


def parse_labels(
    data: bytes,
    name: str,
    *,
    pictures: PictureInfo | None = None,
    format: str | None = None,
    only: str | None = None,
    several: bool = False,
) -> tuple[Labels, Format]:
    """Landmarks from a file's bytes; see :func:`read_labels`.

    Args:
        data: the whole file.
        name: what the error messages call it.
        pictures, format, only, several: as there.

    Raises:
        Unrecognised: it is like no format (the message says which tool's it looks like), or like several and wrong in
            each.
        LeadError: as there.
    """
    if not data.strip():
        raise LeadError(f"{name} is empty.")
    file = LabelFile(name, data, pictures or PictureInfo(), only, several)
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
    if failed:
        raise Unrecognised(
            f"{name} is like several formats, and wrong in each. {' '.join(failed.values())} Name the one that it is "
            "in (--from)."
        )
    raise Unrecognised(_unrecognised(file, {kind: why for kind, why in refused.items() if why}))


def _unrecognised(file: LabelFile, refused: Mapping[Format, str]) -> str:
    """What to say of a file in no format: what it looks like; else why not as those of its ending, if these are few."""
    name, ending = file.name, Path(file.name).suffix.lower()
    if told := recognised(file.data, ending):
        return f"{name} cannot be read. {told}"
    if (file.text or "").lstrip()[:1] in ("{", "["):
        try:
            read_json(file.text or "", "JSON")
        except LeadError as error:
            return f"{name}: {error}"
    # What other tools write is recognised by what it holds, and its ending says little.
    near = [(kind, why) for kind, why in refused.items() if ending in kind.extensions and kind not in FOREIGN]
    if 0 < len(near) <= FEW:
        return f"{name} cannot be read. {' '.join(f'As {kind.title}: it {why}.' for kind, why in near)}"
    return f"{name} is in none of the formats that are known: {', '.join(kind.name for kind in FORMATS)}."


def _parsed(kind: Format, file: LabelFile) -> Labels:
    try:
        if file.only is not None and not kind.has_kinds:
            raise LeadError(f"{kind.title} holds one kind of thing: leave out --only {file.only}.")
        labels = kind.parse(file)
        if not labels.schema.names:
            raise LeadError("it holds no landmark.")
        return _from_file(labels, file.name)
    except LeadError as error:
        raise LeadError(f"{file.name}: {error}") from error


def _from_file(labels: Labels, name: str) -> Labels:
    """The same labels, whose places say which file they stand in; without tracks where these tell nothing."""
    return replace(labels.simplest(), places=replace(labels.places or Places(), file=name))


def _also_left_out(labels: Labels, told: str) -> Labels:
    """The same labels, whose places say that something else was left out, too."""
    place = labels.places or Places()
    left_out = "; ".join(filter(None, (place.left_out, told)))
    return replace(labels, places=replace(place, left_out=left_out))


def _read_folder(folder: Path, pictures: PictureInfo, format: str | None, several: bool) -> tuple[Labels, Format]:
    if deeplabcut_project.present(folder) and format in (None, "deeplabcut", "deeplabcut-h5"):
        return _from_file(deeplabcut_project.read(folder, several=several), str(folder)), format_named("deeplabcut")
    found = [
        (kind, kind.per_picture, texts)
        for kind in FORMATS
        if kind.per_picture and format in (None, kind.name) and (texts := kind.per_picture.found(folder))
    ]
    if len(found) > 1:
        raise LeadError(f"{folder} holds files of {' and '.join(kind.name for kind, *_ in found)}. Name one (--from).")
    for kind, per_picture, texts in found:
        try:
            labels = _from_file(per_picture.parse(texts, pictures, several), str(folder))
        except LeadError as error:
            raise LeadError(f"{folder}: {error}") from error
        return _also_left_out(labels, per_picture.passed_over(folder, texts)), kind
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
        kind = format_named(format)
        if kind.only_read:
            raise unknown("format to write", format, (known.name for known in (*WRITTEN, RESULTS)))
        return kind
    by_ending = [kind for kind in WRITTEN if kind.by_ending]
    for kind in by_ending:
        if path.suffix.lower() in kind.extensions:
            return kind
    endings = ", ".join(f"{' or '.join(kind.extensions)} ({kind.title})" for kind in by_ending)
    others = ", ".join(kind.name for kind in (*WRITTEN, RESULTS) if not kind.by_ending)
    folders = " or ".join(kind.name for kind in WRITTEN if kind.per_picture)
    raise LeadError(
        f"Cannot tell the format of {path}: end its name in {endings}. To be named (--to) are: {others}, and {folders} "
        "for a folder."
    )


def check_target(path: Path, *, format: str | None = None, overwrite: bool = False) -> None:
    """Raises :class:`LeadError` where :func:`write_labels` would refuse: asked before the work, not after it."""
    target_format(path, format)
    if not overwrite:
        refuse_existing(path)


def refuse_several(labels: Labels, kind: Format) -> None:
    """Raises :class:`LeadError` where a format that holds one specimen a picture is to hold several."""
    for image, count in kind.specimens(labels).of_several().items():
        raise LeadError(
            f"Picture {image!r} shows {count} specimens, and {kind.name} holds one of each picture. Several "
            f"are held by: {holding_several()} (--to)."
        )


def holding_several() -> str:
    """The formats in which a picture may show several specimens, to be named."""
    return ", ".join(kind.name for kind in WRITTEN if kind.holds_several)


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
        LeadError: the ending is unknown, the file exists, cannot be written, or the format cannot hold a name or place,
            or several specimens of a picture.
    """
    check_target(path, format=format, overwrite=overwrite)
    kind = target_format(path, format)
    pictures = pictures or PictureInfo()
    labels = kind.specimens(labels)
    if not kind.holds_several:
        refuse_several(labels, kind)
        labels = replace(labels.without_empty(), tracks=None)
    if kind.per_picture and path.suffix.lower() != ".zip":
        kind.per_picture.write(labels, path, pictures, overwrite=overwrite)
    else:
        write_atomic(path, (kind.pieces or kind.dump)(labels, pictures), overwrite=overwrite)
    return kind
