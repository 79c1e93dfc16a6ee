"""The ``.pts`` of iBUG and Menpo: one picture's points, in a file beside it that shares its name but for the ending.

The file reads ``version: 1``, ``n_points: N``, then between braces a line ``x y`` for each point. Coordinates count
from 1, as MATLAB does: 1 is taken off, and added again. A point that is not there stands as ``nan nan``. Landmarks
have no names; they are called 1, 2, … here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.fields import check_pair, decimal, to_number
from lead.landmarks.frames import frame_of
from lead.landmarks.model import Labels, Places, Schema, numbered
from lead.landmarks.pictures import PictureInfo
from lead.reporting import counted

ENDING = ".pts"
LONGEST = 2**22
"""Bytes of a file in an archive, at most: one that says more holds something else."""


def why_not(text: str) -> str | None:
    """Why a text is not a .pts; None if it is like one."""
    return None if re.match(r"\s*(version\s*:|n_points\s*:)", text) else "does not begin with 'version: 1'"


@dataclass(frozen=True)
class Points:
    """What a file says.

    Attributes:
        xy: (N, 2) as the file counts them, from 1; NaN where missing.
        lines: the N lines that they stand in.
        file: which of several files it is.
    """

    xy: npt.NDArray[np.float64]
    lines: list[int]
    file: str = ""


def read_points(text: str) -> Points:
    """The points of one picture.

    Raises:
        LeadError: a brace is missing, a line does not hold two numbers, or there are not as many as it says.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), start=1)]
    stands = [i for i, (_, line) in enumerate(lines) if line in ("{", "}")]
    if [lines[i][1] for i in stands] != ["{", "}"]:
        raise LeadError("the points must stand between one line '{' and one line '}'.")
    points, numbers = [], []
    for number, line in lines[stands[0] + 1 : stands[1]]:
        if not line:
            continue
        fields = line.split()
        if len(fields) != 2:
            raise LeadError(f"line {number}: {line[:50]!r} must be two numbers, x and y.")
        x, y = (to_number(field, axis, number) for field, axis in zip(fields, "xy", strict=True))
        check_pair(x, y, "x and y", number)
        points.append((x, y) if not math.isnan(x + y) else (math.nan, math.nan))
        numbers.append(number)
    said = [(number, line) for number, line in lines[: stands[0]] if line.startswith("n_points")]
    for number, line in said[:1]:
        count = line.partition(":")[2].strip()
        if count != str(len(points)):
            raise LeadError(
                f"line {number}: {' '.join(line.split())!r}, but "
                f"{counted(len(points), 'point follows', 'points follow')}."
            )
    return Points(np.array(points, dtype=np.float64).reshape(-1, 2), numbers)


def points_of(texts: Mapping[str, str], pictures: PictureInfo) -> dict[str, Points]:
    """The points of several files, by the name of the picture.

    Args:
        texts: of the files, by their paths.
        pictures: what knows the pictures' endings.
    """
    points = {}
    for path, text in texts.items():
        try:
            points[pictures.of_stem(path[: -len(ENDING)])] = replace(read_points(text), file=path)
        except LeadError as error:
            raise LeadError(f"{path}: {error}") from error
    return points


def joined(points: Mapping[str, Points]) -> Labels:
    """Labels of the points of several files, by the name of the picture.

    Raises:
        LeadError: there is not one, or they differ in how many points they have.
    """
    if not points:
        raise LeadError(f"no {ENDING} file.")
    first, *others = points.items()
    count = len(first[1].xy)
    for image, of_file in others:
        if len(of_file.xy) != count:
            raise LeadError(
                f"{image} has {counted(len(of_file.xy), 'point')}, {first[0]} has {count}. Keep those of one markup."
            )
    files, lines = zip(*((of_file.file, of_file.lines) for of_file in points.values()), strict=True)
    places = Places(entries=files, lines=np.array(lines, dtype=np.int64).reshape(len(points), count))
    xy = np.stack([of_file.xy for of_file in points.values()]) - 1
    return Labels.from_xy(Schema(numbered(count)), points, xy, places=places)


def dump(labels: Labels) -> dict[str, str]:
    """A text for each labelled picture, by the file's path: the picture's with another ending, a frame's with one more.

    Raises:
        LeadError: two pictures differ only in their endings.
    """
    texts: dict[str, str] = {}
    for row, image in enumerate(labels.images):
        # Of a film's frames the whole name, for they would all be one without what follows its ending.
        name = image + ENDING if frame_of(image) else PurePosixPath(image).with_suffix(ENDING).as_posix()
        if name in texts:
            raise LeadError(f"Picture {image!r} and another would both be {name!r}. Give them different names.")
        points = "".join(f"{decimal(x)} {decimal(y)}\n" for x, y in (labels.xy[row] + 1).tolist())
        texts[name] = f"version: 1\nn_points: {len(labels.schema.names)}\n{{\n{points}}}\n"
    return texts
