"""How large a pixel is: millimetres a pixel of each picture, beside its labels, and their table.

The table is a CSV with a line for each picture: ``image``; ``mm_per_pixel`` or ``pixels_per_mm``; and, where they are
known, ``mm_per_pixel_y`` of pixels that are not square, ``se``, the standard error of the one or the other, and
``source``, where they are from.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from lead.errors import LeadError, unknown
from lead.landmarks.fields import read_table, to_number, with_point, written
from lead.landmarks.frames import frame_of
from lead.landmarks.naming import matched
from lead.reporting import counted

COLUMNS = ("image", "mm_per_pixel", "mm_per_pixel_y", "se", "source")
INVERSE = "pixels_per_mm"
UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 0.001, "in": 25.4}
"""Units that a length may be given in, in millimetres."""
SQUARE = 1e-6
"""Pixels whose sides differ by a smaller share are square."""
TENFOLD = 10.0
"""Scales of one set of pictures that differ by so much are told: as a rule some are in another unit."""


@dataclass(frozen=True)
class Scale:
    """How large the pixels of one picture are.

    Attributes:
        x, y: millimetres a pixel along the width and the height of the upright picture.
        error: the standard error of both, as a share of them; 0 where the source states none.
        source: what it is from, in words.
        where: the file and line that it stands in, for messages; empty if it does not stand in a text.
    """

    x: float
    y: float
    error: float = 0.0
    source: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        for value in (self.x, self.y):
            if not (math.isfinite(value) and value > 0):
                raise LeadError(
                    f"{self.where + ': ' if self.where else ''}{value:g} mm a pixel: a scale must be more than 0. "
                    "Measure it again, or leave it out of this picture."
                )
        if not (math.isfinite(self.error) and self.error >= 0):
            raise LeadError(f"{self.where + ': ' if self.where else ''}the standard error of a scale is 0 or more.")

    @classmethod
    def square(cls, size: float, *, error: float = 0.0, source: str = "", where: str = "") -> Scale:
        """Of pixels with ``size`` millimetres to each side."""
        return cls(size, size, error, source, where)

    @property
    def is_square(self) -> bool:
        """Whether a pixel is as wide as it is high."""
        return abs(self.x - self.y) <= SQUARE * self.x


Scales = Mapping[str, Scale]
"""The scales of pictures, by the names that the labels have for them."""


def of_pictures(scales: Scales, images: Iterable[str]) -> dict[str, Scale]:
    """The scales of some pictures, which another file may call a little differently; see :mod:`lead.landmarks.naming`.

    The scale of a film is that of its frames.

    Raises:
        LeadError: none of them is of any of the pictures.
    """
    names = list(dict.fromkeys(images))
    films = {name: frame[0] for name in names if (frame := frame_of(name))}
    known = {picture: scales[name] for name, picture in matched(scales, [*names, *films.values()]).items()}
    found = {name: scale for name in names if (scale := known.get(name) or known.get(films.get(name, "")))}
    if scales and names and not found:
        first = next(iter(scales))
        raise LeadError(
            f"{scales[first].where or 'The scales'}: of none of the {counted(len(names), 'picture')} with landmarks; "
            f"the first is of {first!r}, and the first with landmarks is {names[0]!r}. Let them have the same names."
        )
    return found


def doubts(scales: Scales, images: Iterable[str]) -> list[str]:
    """What of the scales of a set of pictures is likely a mistake, in words: some have none, or they differ tenfold."""
    names = list(dict.fromkeys(images))
    told = []
    missing = [name for name in names if name not in scales]
    if scales and missing:
        told.append(
            f"{counted(len(missing), 'picture has', 'pictures have')} no scale, the first is {missing[0]!r}, and "
            f"{len(names) - len(missing)} have one. What is in millimetres is left blank for them: give their scales, "
            "too."
        )
    if scales:
        least, most = (choose(scales, key=lambda name: scales[name].x) for choose in (min, max))
        if scales[most].x >= TENFOLD * scales[least].x:
            sizes = f"{_with_place(least, scales[least])} and {_with_place(most, scales[most])}"
            told.append(f"the scales differ tenfold or more: {sizes}. Is one of them in another unit?")
    return told


def _with_place(image: str, scale: Scale) -> str:
    return f"{scale.x:g} mm a pixel for {image!r}{f' ({scale.where})' if scale.where else ''}"


def dump(scales: Scales) -> str:
    """The text of a table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name, scale in scales.items():
        y = None if scale.is_square else scale.y
        error = scale.error * scale.x if scale.error else None
        writer.writerow([name, written(scale.x), written(y), written(error), scale.source])
    return out.getvalue()


def parse(text: str, file: str) -> dict[str, Scale]:
    """The scales of a table; pictures in its order, without those whose scale is blank.

    Args:
        text: the whole file, with commas, semicolons or tabs between its fields.
        file: what messages call it.

    Raises:
        LeadError: a column is missing, a line is wrong, or a scale is not more than 0; the message names the line.
    """
    delimiter, lines = read_table(text, file, [COLUMNS[0]])
    scales: dict[str, Scale] = {}
    for number, said in lines:
        where = f"{file}, line {number}"
        sizes = [name for name in (COLUMNS[1], INVERSE) if name in said]
        if len(sizes) != 1:
            which = "both columns, {!r} and {!r}. Keep" if sizes else "neither a column {!r} nor {!r}. Name"
            raise LeadError(f"{file}, line 1: {which.format(COLUMNS[1], INVERSE)} one of them{'' if sizes else ' so'}.")
        size = sizes[0]
        image = said["image"].strip()
        try:
            x, y, se = (
                to_number(with_point(said.get(name, ""), delimiter), name, number)
                for name in (size, COLUMNS[2], COLUMNS[3])
            )
        except LeadError as error:
            raise LeadError(f"{file}, {error}") from None
        if math.isnan(x):
            continue
        if image in scales:
            raise LeadError(f"{where}: the scale of {image!r} stands already in {scales[image].where}.")
        share = 0.0 if math.isnan(se) or x == 0 else se / x
        if size == INVERSE:
            if not x > 0:
                raise LeadError(f"{where}: {x:g} pixels a mm: a scale must be more than 0.")
            x = 1 / x
        scales[image] = Scale(x, x if math.isnan(y) else y, share, said.get(COLUMNS[4], "").strip() or file, where)
    if not scales:
        raise LeadError(f"{file}: no scale in it.")
    return scales


def millimetres(unit: str) -> float:
    """In a unit of length. Raises :class:`LeadError` for one that is not known."""
    if unit not in UNITS:
        raise unknown("unit", unit, UNITS)
    return UNITS[unit]


def in_unit(scales: Scales, unit: str) -> dict[str, Scale]:
    """Scales that a file has in another unit than millimetres. Raises :class:`LeadError` for an unknown unit."""
    size = millimetres(unit)
    return {name: replace(scale, x=scale.x * size, y=scale.y * size) for name, scale in scales.items()}
