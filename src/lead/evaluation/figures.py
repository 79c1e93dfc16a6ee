"""The paper's figures 3 to 10, from arrays.

Pictures are (H, W, 3) uint8, all of one size in a figure, and points are ``(x, y)`` pixels of them in the convention
of :mod:`lead.geometry`. Every figure is an RGB image at most WIDTH pixels wide, made to be looked at unscaled.

Figures 7 (regression), 8 (a column for each number of annotations) and 10 (a column for each zoom-out factor) are
all a :func:`landmark_sheet`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageOps

from lead.errors import LeadError
from lead.evaluation.colours import area_colours
from lead.evaluation.draw import (
    Picture,
    caption_font,
    contact_sheet,
    draw_landmarks,
    heat_overlay,
    part_overlay,
    shorten,
)
from lead.geometry import resize_points
from lead.landmarks.model import Schema

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Pictures = npt.NDArray[np.uint8]
Series = tuple[FloatArray, FloatArray, FloatArray | None]
"""x, the mean there, and its standard deviation if known: (n,) each."""

WIDTH = 1600
"""Pixels of a figure's width at most."""
CELL = 240
"""Pixels of a picture's longer side in a grid that leaves so much room."""
LEAST = 48
PAD = 6
TEXT = 16
LINE = 26
INK = (40, 44, 52)
GREY = "0.35"
DPI = 100
MARKERS = "osD^vPX<>"


def captioned_grid(
    cells: Sequence[Sequence[Image.Image]], rows: Sequence[str] = (), columns: Sequence[str] = ()
) -> Image.Image:
    """Pictures in rows on white, the rows' captions on the left and the columns' below.

    Args:
        cells: rows of as many pictures each; brought to the size that fits the figure's width.
        rows, columns: a caption for each, or none at all. Those of columns are shortened to the column's width.

    Returns:
        An RGB image.

    Raises:
        LeadError: there are more columns than have room.
    """
    font = caption_font(TEXT)
    names = [shorten(name, font, WIDTH // 5) for name in rows]
    left = PAD + max((round(font.getlength(name)) + PAD for name in names), default=0)
    count = len(cells[0])
    side = min(CELL, (WIDTH - left) // count - PAD)
    if side < LEAST:
        most = (WIDTH - left) // (LEAST + PAD)
        raise LeadError(f"{count} pictures side by side do not fit into {WIDTH} pixels. Show at most {most} in a row.")
    fitted = [ImageOps.contain(cell, (side, side)) for row in cells for cell in row]
    body = contact_sheet(fitted, count, pad=PAD)
    sheet = Image.new("RGB", (left - PAD + body.width, body.height + (LINE if columns else 0)), "white")
    sheet.paste(body, (left - PAD, 0))
    pen = ImageDraw.Draw(sheet)
    across, down = ((total - PAD) / number for total, number in zip(body.size, (count, len(cells)), strict=True))
    for index, name in enumerate(names):
        pen.text((left - PAD, (index + 0.5) * down + PAD / 2), name, INK, font, anchor="rm")
    for index, name in enumerate(columns):
        middle = left - PAD / 2 + (index + 0.5) * across
        pen.text((middle, body.height + LINE / 2 - PAD / 2), shorten(name, font, side), INK, font, anchor="mm")
    return sheet


def landmark_sheet(
    pictures: Pictures,
    predicted: FloatArray,
    truths: FloatArray,
    schema: Schema,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
) -> Image.Image:
    """A grid of pictures with their predicted landmarks as discs, joined to the true ones, which are rings.

    What is the same in every row or column can be given once, with 1 for R or C: a picture under several numbers of
    annotations, say.

    Args:
        pictures: (R, C, H, W, 3).
        predicted, truths: (R, C, K, 2) pixels; NaN is not drawn.
        schema: of the K landmarks.
        rows, columns: captions, see :func:`captioned_grid`.
    """
    grid = np.broadcast_shapes(pictures.shape[:2], predicted.shape[:2], truths.shape[:2])
    shown, found, true = (np.broadcast_to(each, (*grid, *each.shape[2:])) for each in (pictures, predicted, truths))
    cells = [
        [draw_landmarks(picture, xy, schema, truth=truth) for picture, xy, truth in zip(*row, strict=True)]
        for row in zip(shown, found, true, strict=True)
    ]
    return captioned_grid(cells, rows, columns)


def matching_sheet(
    reference: Pictures,
    reference_xy: FloatArray,
    queries: Pictures,
    predicted: Mapping[str, FloatArray],
    truths: FloatArray,
    schema: Schema,
) -> Image.Image:
    """Figure 4: a reference's landmarks carried to other pictures, a row for each system.

    Args:
        reference: (H, W, 3), first in every row.
        reference_xy: (K, 2) pixels, its landmarks.
        queries: (Q, H, W, 3).
        predicted: by system, (Q, K, 2) pixels.
        truths: (Q, K, 2) pixels; NaN where unlabelled.
        schema: of the K landmarks.
    """
    pictures = np.concatenate([reference[None], queries])[None]  # (1, 1 + Q, H, W, 3)
    xy = np.stack([np.concatenate([reference_xy[None], found]) for found in predicted.values()])
    true = np.concatenate([np.full_like(reference_xy, np.nan)[None], truths])[None]
    columns = ["reference", *[""] * len(queries)]
    return landmark_sheet(pictures, xy, true, schema, tuple(predicted), columns)


def correspondence_sheet(
    references: Pictures, points: FloatArray, queries: Pictures, heats: Mapping[str, npt.NDArray[np.floating]]
) -> Image.Image:
    """Figure 3: where a point of one picture is found in another, a row for each example, a column for each system.

    Args:
        references, queries: (N, H, W, 3) each.
        points: (N, 2) pixels of the references, the points tracked.
        heats: by system, (N, h, w), hotter where the query looks more like the point; its peak is marked.
    """
    cells = []
    for index, (reference, point, query) in enumerate(zip(references, points, queries, strict=True)):
        overlays = [_peak_overlay(query, heat[index]) for heat in heats.values()]
        cells.append([_mark(reference, point), *overlays])
    return captioned_grid(cells, columns=("reference", *heats))


def cluster_sheet(pictures: Pictures, assignments: IntArray, count: int) -> Image.Image:
    """Figure 6: all parts of each picture, then a row for each part alone, in the colours of figure 5.

    Args:
        pictures: (N, H, W, 3).
        assignments: (N, h, w) part of each cell, 0 … count - 1.
        count: of the parts; they are numbered from 1 in the captions.
    """
    colours = area_colours(count)
    rows = [assignments, *(np.where(assignments == part, part, -1) for part in range(count))]
    cells = [[part_overlay(*pair, colours) for pair in zip(pictures, row, strict=True)] for row in rows]
    return captioned_grid(cells, ("all", *(str(part + 1) for part in range(count))))


def embedding_plot(panels: Mapping[str, tuple[npt.NDArray[np.floating], IntArray]], count: int) -> Image.Image:
    """Figure 5: embedded cells in the colours of their parts, a panel for each system.

    Args:
        panels: by title, the cells' places (n, 2) and their parts (n,), 0 … count - 1.
        count: of the parts; each part's number, from 1, stands at its median.
    """
    side = min(600, WIDTH // len(panels)) / DPI
    figure = Figure(figsize=(side * len(panels), side + 0.3), dpi=DPI, layout="constrained")
    colours = np.array(area_colours(count)) / 255
    for axes, (title, (xy, part)) in zip(np.ravel(figure.subplots(1, len(panels))), panels.items(), strict=True):
        axes.scatter(xy[:, 0], xy[:, 1], s=max(2.0, min(16.0, 2e4 / len(xy))), c=colours[part], linewidths=0)
        for index in np.unique(part):
            at = np.median(xy[part == index], axis=0)
            box = {"boxstyle": "circle,pad=0.2", "facecolor": "white", "edgecolor": colours[index], "linewidth": 1.5}
            axes.text(*at, str(index + 1), size=10, ha="center", va="center", bbox=box)
        axes.set(title=title, xticks=[], yticks=[], aspect="equal", adjustable="datalim")
    return _rendered(figure)


def curve_plot(
    series: Mapping[str, Series], x_label: str, y_label: str, border: tuple[float, str, str] | None = None
) -> Image.Image:
    """Figure 9: a line for each system, with a band of one standard deviation to either side.

    Args:
        series: by name; a line breaks where its mean is NaN.
        x_label, y_label: of the axes.
        border: an x at which a dashed line stands, and the words to its left and right: seen, unseen.
    """
    figure = Figure(figsize=(7.2, 4.8), dpi=DPI, layout="constrained")
    axes: Axes = figure.subplots()
    colours = np.array(area_colours(len(series))) / 255
    for (name, (x, mean, sd)), colour, marker in zip(series.items(), colours, cycle(MARKERS)):
        axes.plot(x, mean, color=colour, marker=marker, markersize=5, linewidth=1.8, label=name)
        if sd is not None:
            axes.fill_between(x, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    if border is not None:
        at, before, after = border
        axes.axvline(at, color=GREY, linestyle="--", linewidth=1.2)
        above = axes.get_xaxis_transform()  # x in data, y in shares of the axes' height
        axes.text(at, 1.01, f"{before}  ", color=GREY, ha="right", transform=above)
        axes.text(at, 1.01, f"  {after}", color=GREY, ha="left", transform=above)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return _rendered(figure)


def _peak_overlay(picture: Pictures, heat: npt.NDArray[np.floating]) -> Image.Image:
    """A picture under a heat map whose hottest cell is marked."""
    height, width = heat.shape
    row, column = divmod(int(np.nanargmax(heat)), width)
    overlay = heat_overlay(picture, heat)
    return _mark(overlay, resize_points(np.array([column, row], dtype=np.float64), (width, height), overlay.size))


def _mark(picture: Picture, point: FloatArray) -> Image.Image:
    """A picture with one point (2,) of it marked."""
    # Drawn as a second landmark, for its blue: the first one's yellow is lost on the hottest cells.
    points = np.stack([np.full(2, np.nan), point])
    return draw_landmarks(picture, points, Schema(("", "point")), truth=points)


def _rendered(figure: Figure) -> Image.Image:
    png = BytesIO()
    figure.savefig(png, format="png", dpi=DPI)
    return Image.open(png).convert("RGB")
