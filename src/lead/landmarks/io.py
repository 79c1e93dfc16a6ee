"""Landmarks from and to a file, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lead.errors import LeadError, unknown
from lead.files import refuse_existing, write_atomic
from lead.landmarks import coco, csvfile, deeplabcut
from lead.landmarks.model import Labels

Sizes = Mapping[str, tuple[int, int]]
"""(width, height) in pixels by picture."""


@dataclass(frozen=True)
class Format:
    """One kind of file of landmarks.

    Attributes:
        name: what it is asked for by.
        title: for people.
        extension: that its files end in, with the dot, in lower case.
        loses: what of a :class:`Labels` it cannot hold, in words; empty if nothing.
        recognise: whether a text is in this format, or most like it.
        parse: labels of a text. Raises :class:`LeadError` that names the line or entry.
        dump: the text of labels, of which a reader gets the same back, but for what it loses.
        by_ending: whether a file of this extension is written in this format where no format is named.
    """

    name: str
    title: str
    extension: str
    loses: str
    recognise: Callable[[str], bool]
    parse: Callable[[str], Labels]
    dump: Callable[[Labels, Sizes | None], str]
    by_ending: bool = True


FORMATS: tuple[Format, ...] = (
    Format(
        name="coco",
        title="COCO key points",
        extension=".json",
        loses="",
        recognise=lambda text: text.lstrip()[:1] in ("{", "["),
        parse=coco.parse,
        dump=coco.dump,
    ),
    Format(
        name="deeplabcut",
        title="DeepLabCut, a line for each picture",
        extension=".csv",
        loses="which points are hidden, expected errors, flip pairs, skeleton and picture sizes",
        recognise=deeplabcut.recognise,
        parse=deeplabcut.parse,
        dump=lambda labels, _: deeplabcut.dump(labels),
        by_ending=False,
    ),
    Format(
        name="csv",
        title="CSV, a line for each point",
        extension=".csv",
        loses="flip pairs, skeleton and picture sizes",
        recognise=lambda _: True,
        parse=csvfile.parse,
        dump=lambda labels, _: csvfile.dump(labels),
    ),
)
"""Every format, in the order in which they are tried: the first that recognises a text reads it."""
_READ = (
    "Landmarks are read from COCO key points (.json), DeepLabCut's .csv, or a .csv with one point or picture a line."
)


def format_named(name: str) -> Format:
    """A format by its name. Raises :class:`LeadError` naming the valid ones."""
    for known in FORMATS:
        if known.name == name:
            return known
    raise unknown("format", name, (known.name for known in FORMATS))


def load_labels(path: Path) -> Labels:
    """Landmarks from COCO key points (JSON), DeepLabCut's CSV or another, recognised by content.

    See :mod:`~lead.landmarks.coco`, :mod:`~lead.landmarks.deeplabcut` and :mod:`~lead.landmarks.csvfile`.

    Raises:
        LeadError: the file is missing or cannot be understood; the message names the file and the line or entry.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise LeadError(f"No file {path}. {_READ}") from None
    except OSError as error:
        raise LeadError(f"Cannot read {path}: {error.strerror}.") from error
    return parse_labels(data, str(path))[0]


def parse_labels(data: bytes, name: str) -> tuple[Labels, Format]:
    """Landmarks from a file's bytes, and the format that was recognised by their content.

    Args:
        data: the whole file.
        name: what the error messages call it.

    Raises:
        LeadError: it cannot be understood; the message names the line or entry.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise LeadError(f"{name} is not UTF-8 text. {_READ}") from None
    known = next(known for known in FORMATS if known.recognise(text))
    try:
        return known.parse(text), known
    except LeadError as error:
        raise LeadError(f"{name}: {error}") from error


def check_target(path: Path, *, overwrite: bool = False) -> None:
    """Raises :class:`LeadError` where :func:`save_labels` would refuse: asked before the work, not after it."""
    _of_ending(path)
    if not overwrite:
        refuse_existing(path)


def save_labels(labels: Labels, path: Path, *, sizes: Sizes | None = None, overwrite: bool = False) -> None:
    """Writes landmarks in the format of the file's ending. What is written reads back the same.

    A CSV has no place for flip pairs, skeleton and picture sizes: save those as JSON.

    Args:
        labels: what to write.
        path: ``.json`` for COCO key points, ``.csv`` for the long CSV.
        sizes: (width, height) of the pictures in pixels, for readers of COCO that need them.
        overwrite: whether a file that is already there may be replaced.

    Raises:
        LeadError: the ending is unknown, the file exists, or it cannot be written.
    """
    check_target(path, overwrite=overwrite)
    write_atomic(path, _of_ending(path).dump(labels, sizes), overwrite=overwrite)


def _of_ending(path: Path) -> Format:
    written = [known for known in FORMATS if known.by_ending]
    for known in written:
        if path.suffix.lower() == known.extension:
            return known
    endings = " or ".join(f"{known.extension} ({known.title})" for known in written)
    raise LeadError(f"Cannot tell the format of {path}: end its name in {endings}.")
