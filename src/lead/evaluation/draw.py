"""Pictures of landmarks, matches and heat maps.

Points are ``(x, y)`` pixels of the picture they belong to, in the convention of :mod:`lead.geometry`. Everything is
drawn on an enlarged copy, so that a tenth of a pixel can be seen; the colours tell landmarks apart for colour-blind
readers too, and a dark rim keeps them readable over a photograph.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib import colormaps, get_data_path
from PIL import Image, ImageDraw, ImageFont

from lead.evaluation.colours import FEW, Colour, landmark_colours
from lead.geometry import Size, resize_points
from lead.landmarks.model import HIDDEN, Schema

Picture = Image.Image | npt.NDArray[np.uint8]
"""A Pillow image of any mode, or (H, W) or (H, W, 3) uint8."""
FloatArray = npt.NDArray[np.float64]

LONG_SIDE = 512
"""Pixels of the longer side of a drawing whose scale is not given."""
WIDEST = 4 * LONG_SIDE
"""Pixels across, at most, of a picture that is brought to a height."""
FINE = 4
"""Lines are drawn this many times larger and then averaged down, which smooths their edges."""
RIM = (16, 18, 24)


def draw_landmarks(
    image: Picture,
    xy: FloatArray,
    schema: Schema,
    *,
    visible: npt.NDArray[np.int8] | None = None,
    truth: FloatArray | None = None,
    scale: float | None = None,
) -> Image.Image:
    """A picture with its landmarks as discs and its skeleton as lines.

    Args:
        image: the picture.
        xy: (K, 2) pixels, or (n, K, 2) of several specimens; NaN is not drawn.
        schema: of the K landmarks.
        visible: (K,) visibility; a hidden landmark is drawn faint.
        truth: (K, 2) true positions, drawn as rings with a thin line to the disc.
        scale: enlargement; by default the longer side becomes LONG_SIDE pixels.

    Returns:
        An RGB image.
    """
    canvas = _enlarge(image, scale)
    ink = _Ink(canvas.size, len(schema.names))
    *others, points = ink.place(xy, _size(image)).reshape(-1, len(schema.names), 2)
    colours = landmark_colours(len(schema.names))
    for places in (*others, points):
        for first, second in schema.lines:
            ink.line(places[schema.index(first)], places[schema.index(second)], (255, 255, 255), 0.35, alpha=170)
    for places in others:
        for point, colour in zip(places, colours, strict=True):
            ink.disc(point, colour, alpha=255)
    if truth is not None:
        for point, true, colour in zip(points, ink.place(truth, _size(image)), colours, strict=True):
            ink.line(point, true, colour, 0.3)
            ink.ring(true, colour)
    for k, (point, colour) in enumerate(zip(points, colours, strict=True)):
        ink.disc(point, colour, alpha=110 if visible is not None and visible[k] == HIDDEN else 255)
    return ink.over(canvas)


def draw_match(
    reference: Picture, reference_xy: FloatArray, query: Picture, query_xy: FloatArray, schema: Schema
) -> Image.Image:
    """Two pictures side by side, each landmark of the left one joined to its place in the right one.

    Args:
        reference, query: the pictures, brought to one height; one that is very wide stays lower.
        reference_xy, query_xy: (K, 2) pixels of each; a landmark that is NaN in either is not joined.
        schema: of the K landmarks.

    Returns:
        An RGB image.
    """
    gap = LONG_SIDE // 64
    sizes = (_size(picture) for picture in (reference, query))
    scales = [min(LONG_SIDE / height, WIDEST / width) for width, height in sizes]
    halves = [_enlarge(picture, scale) for picture, scale in zip((reference, query), scales, strict=True)]
    canvas = Image.new("RGB", (halves[0].width + gap + halves[1].width, LONG_SIDE), "white")
    ink = _Ink(canvas.size, len(schema.names))
    placed = []
    for left, half, picture, xy in zip(
        (0, halves[0].width + gap), halves, (reference, query), (reference_xy, query_xy), strict=True
    ):
        canvas.paste(half, (left, 0))
        here = resize_points(xy, _size(picture), half.size) + np.array([left, 0.0])
        placed.append(ink.place(here, canvas.size))
    for start, end, colour in zip(*placed, landmark_colours(len(schema.names)), strict=True):
        ink.line(start, end, colour, 0.45, alpha=210)
        ink.disc(start, colour)
        ink.disc(end, colour)
    return ink.over(canvas)


def heat_overlay(image: Picture, heat: npt.NDArray[np.floating], *, scale: float | None = None) -> Image.Image:
    """A picture under a heat map: the hotter, the more colour; the coldest cells leave the picture as it is.

    Args:
        image: the picture.
        heat: (h, w) of any range; cell (row, column) covers its h-th and w-th part of the picture, edge to edge.
        scale: enlargement; by default the longer side becomes LONG_SIDE pixels.

    Returns:
        An RGB image.
    """
    canvas = _enlarge(image, scale)
    low, high = float(np.nanmin(heat)), float(np.nanmax(heat))
    level = np.nan_to_num((heat - low) / (high - low if high > low else 1.0))  # (h, w) in [0, 1]
    colour = np.asarray(colormaps["inferno"](0.25 + 0.75 * level))  # (h, w, 4)
    colour[..., 3] = 0.85 * level
    return _under_cells(canvas, np.rint(colour * 255).astype(np.uint8))


def part_overlay(
    image: Picture, parts: npt.NDArray[np.int64], colours: Sequence[Colour], *, scale: float | None = None
) -> Image.Image:
    """A picture with its parts in their colours, paled where there is none.

    Args:
        image: the picture.
        parts: (h, w) index into ``colours`` of each cell, -1 for none; the cells lie as in :func:`heat_overlay`.
        colours: of the parts.
        scale: enlargement; by default the longer side becomes LONG_SIDE pixels.

    Returns:
        An RGB image.
    """
    tints = np.array([*((*colour, 175) for colour in colours), (255, 255, 255, 170)], dtype=np.uint8)
    return _under_cells(_enlarge(image, scale), tints[parts])  # -1 takes the last: white


def contact_sheet(
    images: Sequence[Image.Image], columns: int, captions: Sequence[str] | None = None, *, pad: int = 12
) -> Image.Image:
    """Pictures in rows on white, left to right, each centred in its cell above its caption.

    Args:
        images: at least one.
        columns: pictures in a row.
        captions: one for each picture; shortened to the width of the cell.
        pad: white pixels around every cell.

    Returns:
        An RGB image.
    """
    width, height = max(i.width for i in images), max(i.height for i in images)
    text_size = max(11, width // 24)
    font = caption_font(text_size)
    line = round(text_size * 1.6) if captions is not None else 0
    rows = -(-len(images) // columns)
    columns = min(columns, len(images))
    sheet = Image.new("RGB", (columns * (width + pad) + pad, rows * (height + line + pad) + pad), "white")
    pen = ImageDraw.Draw(sheet)
    for index, image in enumerate(images):
        left = pad + index % columns * (width + pad)
        top = pad + index // columns * (height + line + pad)
        sheet.paste(image.convert("RGB"), (left + (width - image.width) // 2, top + (height - image.height) // 2))
        if captions is not None:
            text = shorten(captions[index], font, width)
            pen.text((left + width / 2, top + height + line * 0.6), text, (60, 64, 72), font, anchor="mm")
    return sheet


class _Ink:
    """A transparent layer to draw on, FINE times larger than the picture it will be laid over."""

    def __init__(self, size: Size, count: int) -> None:
        self._size = size[0] * FINE, size[1] * FINE
        self._layer = Image.new("RGBA", self._size)
        # A disc's radius is the same share of every drawing, smaller where many landmarks share the room.
        self._unit = (0.014 if count <= 2 * len(FEW) else 0.008) * min(self._size)

    def place(self, xy: FloatArray, size: Size) -> FloatArray:
        """Points (K, 2) of a picture of ``size`` as points of this layer."""
        return resize_points(np.asarray(xy, dtype=np.float64), size, self._size)

    def line(self, start: FloatArray, end: FloatArray, colour: Colour, width: float, *, alpha: int = 255) -> None:
        """A line of ``width`` disc radii with a dark rim."""
        if np.isfinite([start, end]).all():
            ends = [tuple(start), tuple(end)]
            pen = ImageDraw.Draw(self._layer)
            pen.line(ends, (*RIM, alpha // 3), round((width + 0.4) * self._unit))
            pen.line(ends, (*colour, alpha), max(1, round(width * self._unit)))

    def disc(self, centre: FloatArray, colour: Colour, *, alpha: int = 255) -> None:
        """A filled landmark."""
        self._circle(centre, 1.3, (*RIM, alpha * 3 // 4))
        self._circle(centre, 1.0, (*colour, alpha))

    def ring(self, centre: FloatArray, colour: Colour) -> None:
        """A hollow landmark."""
        self._circle(centre, 1.95, None, (*RIM, 190), self._unit)
        self._circle(centre, 1.7, None, (*colour, 255), 0.5 * self._unit)

    def _circle(
        self,
        centre: FloatArray,
        radius: float,
        fill: tuple[int, int, int, int] | None,
        outline: tuple[int, int, int, int] | None = None,
        width: float = 0,
    ) -> None:
        if np.isfinite(centre).all():
            x, y, r = float(centre[0]), float(centre[1]), radius * self._unit
            ImageDraw.Draw(self._layer).ellipse((x - r, y - r, x + r, y + r), fill, outline, round(width))

    def over(self, canvas: Image.Image) -> Image.Image:
        """The layer, averaged down to the picture's size, laid over it."""
        return _stack(canvas, self._layer.reduce(FINE))


def _under_cells(canvas: Image.Image, colour: npt.NDArray[np.uint8]) -> Image.Image:
    """The canvas under a map of (h, w, 4) coloured cells."""
    # Nearest neighbour takes the cell that a pixel's centre lies in: the edges of the map are the picture's.
    return _stack(canvas, Image.fromarray(colour).resize(canvas.size, Image.Resampling.NEAREST))


def _stack(below: Image.Image, above: Image.Image) -> Image.Image:
    return Image.alpha_composite(below.convert("RGBA"), above).convert("RGB")


def _size(image: Picture) -> Size:
    """(width, height)."""
    return image.size if isinstance(image, Image.Image) else (image.shape[1], image.shape[0])


def _enlarge(image: Picture, scale: float | None) -> Image.Image:
    """The picture in RGB, ``scale`` times as large."""
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    width, height = picture.size
    factor = LONG_SIDE / max(width, height) if scale is None else scale
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return picture.convert("RGB").resize(size, Image.Resampling.BICUBIC)


def caption_font(size: int) -> ImageFont.FreeTypeFont:
    """The face that Matplotlib brings and letters its plots in; Pillow's own lacks signs such as ×."""
    return ImageFont.truetype(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), size)


def shorten(text: str, font: ImageFont.FreeTypeFont, width: int) -> str:
    """The text, or as much of its beginning and an ellipsis as fits into ``width`` pixels."""
    if font.getlength(text) <= width:
        return text
    return next((t for n in range(len(text), 0, -1) if font.getlength(t := text[:n] + "…") <= width), "…")
