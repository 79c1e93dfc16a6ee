"""Messages about scales and measures; see :mod:`lead.studio.messages`."""

from __future__ import annotations

from lead.studio.label_messages import Message, Name


class ScaleLine(Message):
    """A line that was drawn over a picture, whose length is known.

    Attributes:
        x1, y1, x2, y2: its ends, in pixels of the picture.
        length: between them, in ``unit``.
        unit: mm, cm, m, um or in.
        pictures: ids of those that get the scale; None for all of the folder.
        replace: whether those that have another scale get this one, too.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    length: float
    unit: str
    pictures: list[str] | None
    replace: bool = False


class PictureScale(Message):
    """How large a pixel is.

    Attributes:
        mm: millimetres along the width.
        source: where that is from, in words.
    """

    mm: float
    source: str


class MeasureKind(Message):
    """A kind of measure: how it is written, and how many landmarks it takes; ``most`` is None where there is no end."""

    kind: str
    says: str
    least: int
    most: int | None


class NewMeasure(Message):
    """Something to measure.

    Attributes:
        name: its own.
        kind: as ``lead measure`` has them.
        of: landmarks in their order; of a ratio, two measures.
    """

    name: Name
    kind: str
    of: list[Name]


class RemovedMeasure(Message):
    """A measure to take out of the file."""

    name: Name


class MeasuredValue(Message):
    """A measure of one specimen.

    Attributes:
        specimen: which of its picture's, from 1.
        value: None where a landmark or the scale is missing, and ``note`` says why.
        unit: of the value and its standard error.
        error: None where the landmarks' own are not known.
    """

    specimen: int
    name: str
    value: float | None
    unit: str
    error: float | None
    note: str


class Measurements(Message):
    """What is measured in a picture.

    Attributes:
        scale: its own; None if it has none.
        scaled: pictures of the folder that have one.
        doubts: what is likely a mistake, in words.
        measures: of the file, in its order.
        kinds: that there are.
        values: of each specimen, its measures in their order.
        scale_file, measure_file: where these are kept.
    """

    scale: PictureScale | None
    scaled: int
    doubts: list[str]
    measures: list[NewMeasure]
    kinds: list[MeasureKind]
    values: list[MeasuredValue]
    scale_file: str
    measure_file: str
