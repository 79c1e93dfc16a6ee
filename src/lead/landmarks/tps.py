"""TPS, of tpsDig, tpsUtil and geomorph: a block for each specimen, of which several may have one picture.

A block begins with ``LM=K``, then K lines ``x y``; ``CURVES=`` and for each curve ``POINTS=`` with further lines,
``IMAGE=``, ``ID=``, ``SCALE=`` and ``COMMENT=`` follow in any order. Only the landmarks, the curves, see
:mod:`lead.landmarks.tps_curves`, and the picture's name are read; what else there is is counted in ``Places.left_out``.
A block of ``LM=0`` without curves is a picture that nobody has digitised yet: it has no labels. A specimen without
curves where others have some lacks the points of these, and so one without landmarks.

The origin is the picture's bottom left, so that a place (x, y) here is ``(x, height - y)`` there, as in the packages
that use these files, and the picture's height must be known. A negative coordinate means missing, which is written
``-1 -1``: so a point beyond the picture's left or lower edge has no place in such a file. Places are in pixels; where a
block has a ``SCALE``, readers multiply by it. It is read apart from the landmarks, and written where the scales of all
pictures are given: geomorph wants it of every specimen or of none. Landmarks have no names; they are called 1, 2, …
here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError
from lead.landmarks.curves import FEWEST
from lead.landmarks.fields import decimal, to_number, with_point
from lead.landmarks.model import Labels, Places, Schema
from lead.landmarks.pictures import PictureInfo, height_of, known_size
from lead.landmarks.scales import Scale, Scales
from lead.landmarks.tps_blocks import MISSING, Block, PointList, blocks_of
from lead.landmarks.tps_curves import layout_of, schema_of
from lead.reporting import counted

TINY = 16
"""Pixels of a picture's side in which all landmarks may lie within one."""


def why_not(text: str) -> str | None:
    """Why a text is not TPS; None if it is like one."""
    return None if re.search(r"^\s*LM3?\s*=", text, re.IGNORECASE | re.MULTILINE) else "has no line 'LM=number'"


def parse(text: str, pictures: PictureInfo, *, several: bool = False) -> Labels:
    """Labels from the text of a TPS file; pictures in its order.

    A specimen whose picture is not named or not there is left out, as long as others are there.

    Args:
        text: the whole file.
        pictures: what knows their heights.
        several: whether pictures may show several specimens.

    Raises:
        LeadError: no block has points and a picture, one has another number of landmarks, curves or their points than
            it says or than the others, or three coordinates, a curve is none, or a picture stands twice where it may
            not; the message names the line.
    """
    blocks = list(blocks_of(text))
    if not blocks:
        raise LeadError("no specimen in it: each begins with a line LM=, and the number of its landmarks.")
    if not any(block.digitised for block in blocks):
        raise LeadError(_no_landmark(blocks))
    shape = _Shape.of(blocks)
    rows: list[Block] = []
    before: dict[str, Block] = {}
    for block in blocks:
        shape.check(block)
        if not block.image:
            continue
        if before.setdefault(block.image, block) is not block and not several:
            raise LeadError(
                f"line {block.line}: picture {block.image!r} stands already in line {before[block.image].line}."
            )
        rows.append(block)
    _refuse_units(rows, pictures)
    placed, failed = _placed(rows, shape, pictures)
    kept = [block for block in rows if block.line in placed]
    if not any(block.digitised for block in kept):
        first = next(block for block in blocks if block.digitised)
        raise next(iter(failed.values()), None) or LeadError(
            f"line {first.line}: this specimen has no IMAGE=, so its picture is not known. Add it."
        )
    points = np.array(list(placed.values()))
    schema, of_landmarks = shape.schema(points)
    lines = np.array([shape.filled(block, "lines", block.line) for block in kept], dtype=np.int64)
    places = Places(lines=lines[:, of_landmarks], left_out="; ".join(_left_out(blocks, failed)))
    return Labels.from_xy(
        schema,
        (block.image for block in kept),
        points[:, of_landmarks],
        places=places,
        tracks=("",) * len(kept) if several else None,
    )


@dataclass(frozen=True)
class _Shape:
    """How many points the blocks of a file have.

    Attributes:
        landmarks: those of the first block that has any.
        curves: likewise.
    """

    landmarks: PointList
    curves: list[PointList]

    @classmethod
    def of(cls, blocks: Sequence[Block]) -> _Shape:
        """That of a file. Raises :class:`LeadError` where a curve has fewer points than one needs."""
        curves = next((block.curves for block in blocks if block.curves), [])
        for number, curve in enumerate(curves, start=1):
            if len(curve) < FEWEST:
                raise LeadError(
                    f"line {curve.line}: curve {number} has {counted(len(curve), 'point')}, and a curve needs {FEWEST} "
                    "at least. Give it more (tpsDig: Resample curve), or take it out of each specimen."
                )
        return cls(next((block.landmarks for block in blocks if len(block.landmarks)), PointList(0)), curves)

    def check(self, block: Block) -> None:
        """Raises :class:`LeadError` where a block has landmarks or curves, but not as many as the others."""
        own = block.landmarks
        if len(own) and len(own) != len(self.landmarks):
            raise LeadError(
                f"line {own.line}: {counted(len(own), 'landmark')} where line {self.landmarks.line} has "
                f"{len(self.landmarks)}. Digitise the same ones in each specimen, a missing one as -1 -1."
            )
        if block.curves and len(block.curves) != len(self.curves):
            raise LeadError(
                f"line {block.curves[0].line}: {counted(len(block.curves), 'curve')} where the specimen with line "
                f"{self.curves[0].line} has {len(self.curves)}. Draw the same ones in each specimen, or none."
            )
        for number, (curve, first) in enumerate(zip(block.curves, self.curves, strict=False), start=1):
            if len(curve) != len(first):
                raise LeadError(
                    f"line {curve.line}: curve {number} of {block.image!r} has {counted(len(curve), 'point')} where "
                    f"line {first.line} has {len(first)}. Give it the same number in each specimen (tpsDig: Resample "
                    "curve)."
                )

    def filled(self, block: Block, what: Literal["points", "lines"], nothing: Any) -> list[Any]:
        """The points or lines of a block, first of landmarks, then of curves; ``nothing`` for those it lacks."""
        pairs = [(block.landmarks, self.landmarks), *zip_longest(block.curves, self.curves)]
        return [
            one
            for own, first in pairs
            for one in (getattr(own, what) if own is not None and len(own) else [nothing] * len(first))
        ]

    def schema(self, places: npt.NDArray[np.float64]) -> tuple[Schema, list[int]]:
        """As :func:`schema_of` says it of all points of all blocks."""
        try:
            return schema_of(places, len(self.landmarks), list(map(len, self.curves)))
        except LeadError as error:
            raise LeadError(f"line {self.curves[0].line}: {error}") from None


def _refuse_units(rows: Sequence[Block], pictures: PictureInfo) -> None:
    """Raises :class:`LeadError` where all places lie within one pixel of pictures that are not tiny."""
    lists = (of for block in rows for of in (block.landmarks, *block.curves))
    points = {point for of in lists for point in of.points if min(point) >= 0}
    if len(points) < 3 or max(map(max, points)) > 1:
        return
    if any((size := known_size(pictures, block.image)) and min(size) > TINY for block in rows):
        raise LeadError(
            "all places lie between 0 and 1, so they are not pixels: shares of the picture's size, or multiplied by a "
            "SCALE. Take the file as tpsDig wrote it."
        )


def _placed(
    rows: Sequence[Block], shape: _Shape, pictures: PictureInfo
) -> tuple[dict[int, npt.NDArray[np.float64]], dict[int, LeadError]]:
    """The (M, 2) places of each block's points by its line; and what is wrong where a picture's height is not known.

    The points are in the order of :meth:`_Shape.filled`.
    """
    placed: dict[int, npt.NDArray[np.float64]] = {}
    failed: dict[int, LeadError] = {}
    for block in rows:
        points = np.array(shape.filled(block, "points", MISSING)).reshape(-1, 2)
        places = np.full(points.shape, np.nan)
        there = np.flatnonzero((points >= 0).all(-1))
        if len(there):
            try:
                height = height_of(pictures, block.image)
            except LeadError as error:
                failed[block.line] = LeadError(
                    f"line {block.line}: y counts from the bottom of the picture, and {error}"
                )
                continue
            places[there] = points[there] * (1, -1) + (0, height)
        placed[block.line] = places
    return placed, failed


def _no_landmark(blocks: Sequence[Block]) -> str:
    """What is said of a file in which nothing was digitised, or nothing but outlines."""
    drawn = _drawn(blocks)
    if not drawn:
        return (
            f"no landmark in it: LM=0 in each of its {counted(len(blocks), 'specimen')}. Digitise some of them first."
        )
    return (
        f"no landmark in it, but {drawn[0]}, which are not read. If their points are landmarks, draw them as curves "
        "of the same number of points in each specimen."
    )


def _drawn(blocks: Sequence[Block]) -> list[str]:
    """The outlines, counted; nothing if there are none."""
    counts = [block.outlines for block in blocks if block.outlines is not None]
    return [f"outlines of {counted(len(counts), 'picture')} ({counted(sum(counts), 'point')})"] if counts else []


def _left_out(blocks: Sequence[Block], failed: Mapping[int, LeadError]) -> list[str]:
    """What of a file is not read, counted."""
    keys = Counter(key for block in blocks for key in block.keys if key != "IMAGE")
    told = _drawn(blocks)
    just_counts = all(block.keys.get("ID", str(row)) == str(row) for row, block in enumerate(blocks))
    if just_counts and not told and set(keys) == {"ID"}:
        keys.clear()  # as tpsUtil numbers the pictures, and as they are numbered when they are written again
    for key, count in keys.items():
        told.append(
            f"{key} of {counted(count, 'picture')}"
            + (" (places stay in pixels, and lead scale, measure and shape read it)" if key == "SCALE" else "")
        )
    if nameless := [block for block in blocks if not block.image]:
        told.append(f"{counted(len(nameless), 'specimen')} without IMAGE=, the first in line {nameless[0].line}")
    if failed:
        first = str(next(iter(failed.values()))).rstrip(".")  # a full stop follows all that is told
        told.append(f"{counted(len(failed), 'specimen whose picture is not there')}, the first in {first}")
    return told


def scales(text: str, file: str) -> dict[str, Scale]:
    """What ``SCALE=`` says of pictures, a unit of length a pixel; those without it are left out.

    Args:
        text: the whole file.
        file: what messages call it.

    Raises:
        LeadError: it is no TPS, a scale is no number or not more than 0, or a picture has two.
    """
    found: dict[str, Scale] = {}
    try:
        blocks = list(blocks_of(text))
    except LeadError as error:
        raise LeadError(f"{file}: {error}") from None
    for block in blocks:
        if not block.image or not block.keys.get("SCALE"):
            continue
        line = block.key_lines["SCALE"]
        try:
            size = to_number(with_point(block.keys["SCALE"], " "), "SCALE", line)
        except LeadError as error:
            raise LeadError(f"{file}, {error}") from None
        scale = Scale.square(size, source=f"SCALE= of {file}", where=f"{file}, line {line}")
        before = found.setdefault(block.image, scale)
        if before.x != scale.x:
            raise LeadError(
                f"{scale.where}: SCALE of {block.image!r} is {scale.x:g}, and {before.x:g} in {before.where}."
            )
    return found


def _scale_line(image: str, scales: Scales, images: Sequence[str]) -> str:
    """The line of a picture's scale. Raises :class:`LeadError` where it has none, or its pixels are not square."""
    if image not in scales:
        have = sum(name in scales for name in images)
        raise LeadError(
            f"Picture {image!r} has no scale, and {have} of {len(images)} have: a TPS file has SCALE= for every "
            "specimen or for none. Give the others', too, or write none."
        )
    if not scales[image].is_square:
        raise LeadError(
            f"The pixels of {image!r} are {scales[image].x:g} mm wide and {scales[image].y:g} mm high, and SCALE= of "
            "TPS is one number. Write a table of scales (.csv), or make the picture's pixels square first."
        )
    return f"SCALE={decimal(scales[image].x)}\n"


def dump(labels: Labels, pictures: PictureInfo, scales: Scales | None = None) -> str:
    """The text of a TPS file: a block for each specimen, numbered from 0. Numbers have no exponents, unknown to others.

    Args:
        labels: what to write.
        pictures: what knows the pictures' heights.
        scales: millimetres a pixel of all of them, which become ``SCALE=``; None writes none.

    Raises:
        LeadError: a picture's height is not to be had, a point lies where TPS means missing, or some pictures have no
            scale.
    """
    blocks = []
    layout = layout_of(labels.schema)
    for row, image in enumerate(labels.images):
        if image.splitlines() != [image]:
            raise LeadError(f"Picture {image!r} cannot be named in a TPS file: its name holds a line's end.")
        labelled = ~np.isnan(labels.xy[row]).any(-1)
        height = height_of(pictures, image) if labelled.any() else 0
        places = labels.xy[row] * (1, -1) + (0, height)
        beyond = labelled & (places < 0).any(-1)
        for landmark in np.flatnonzero(beyond)[:1]:
            x, y = labels.xy[row, landmark]
            raise LeadError(
                f"{image}: {labels.schema.names[landmark]} is at ({x:g}, {y:g}), beyond the left or lower edge of its "
                f"picture, {height} pixels high, where TPS means missing. Correct or remove it."
            )
        written = [
            f"{decimal(x)} {decimal(y)}\n" if there else "-1 -1\n"
            for (x, y), there in zip(places.tolist(), labelled, strict=True)
        ]
        points = f"LM={len(layout.alone)}\n" + "".join(written[k] for k in layout.alone)
        if layout.curves:
            points += f"CURVES={len(layout.curves)}\n"
            points += "".join(f"POINTS={len(of)}\n" + "".join(written[k] for k in of) for of in layout.curves)
        scale = _scale_line(image, scales, labels.images) if scales else ""
        blocks.append(f"{points}IMAGE={image}\nID={row}\n{scale}")
    return "".join(blocks)
