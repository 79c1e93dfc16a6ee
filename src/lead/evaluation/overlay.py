"""Films with their landmarks drawn over them, at their own size and rate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from lead.evaluation.colours import Colour, landmark_colours
from lead.evaluation.draw import RIM
from lead.geometry import FloatArray
from lead.images.film import frames, open_film, write_film
from lead.landmarks.frames import frames_of_one
from lead.landmarks.model import HIDDEN, Labels

SURE, FAIR, UNSURE = (0, 200, 150), (240, 228, 66), (213, 94, 0)
"""Colours of a landmark by the error to expect, which colour-blind readers tell apart too."""
TENTHS = (0.1, 0.9)
"""Shares of all the film's landmarks at which the first and the last of these colours begin."""

Pixels = npt.NDArray[np.uint8]


def draw_film(film: Path, labels: Labels, out: Path, *, progress: Callable[[int, int], None] | None = None) -> None:
    """Writes a film (MP4) with its landmarks as discs, hidden ones faint, and its skeleton as lines.

    A landmark's colour says how far off it may be: green where ``px_error`` is in the lowest tenth of the film's, red
    in the highest. Labels that tell no error have a colour for each landmark.

    Args:
        film: the file.
        labels: of its frames, in order; frames that have none are left out.
        out: file to write; one that is there is replaced.
        progress: called with (frames done, in all).

    Raises:
        UnreadableFilm: the film cannot be read as far as the labels go.
    """
    known = open_film(film)
    rows_of = list(labels.rows_of().values())
    numbered = frames_of_one(labels.rows_of())
    assert numbered is not None, "labels of one film's frames"
    colours = _colours(labels)

    def drawn() -> Iterator[Image.Image]:
        with closing(frames(film, numbered[1])) as read:
            for frame, (_, picture) in enumerate(read):
                drawing = picture
                for row in rows_of[frame]:
                    drawing = draw_frame(drawing, labels, row, colours[row])
                yield drawing
                if progress:
                    progress(frame + 1, len(rows_of))

    write_film(out, drawn(), known.size, known.rate)


def draw_frame(picture: Image.Image, labels: Labels, row: int, colours: FloatArray) -> Image.Image:
    """A frame with the landmarks of one row, in colours (K, 3) of 0..255."""
    pixels = np.array(picture)
    unit = max(0.008 * min(picture.size), 1.5)  # radius of a disc
    points, schema = labels.xy[row], labels.schema
    for first, second in schema.lines:
        _line(pixels, points[schema.index(first)], points[schema.index(second)], 0.3 * unit, (255, 255, 255), 0.6)
    for point, colour, visible in zip(points, colours, labels.visible[row], strict=True):
        ink = 0.45 if visible == HIDDEN else 1.0
        _line(pixels, point, point, 1.35 * unit, RIM, 0.7 * ink)
        _line(pixels, point, point, unit, colour, ink)
    return Image.fromarray(pixels)


def _colours(labels: Labels) -> FloatArray:
    """(N, K, 3) colours of the landmarks of N frames, in 0..255."""
    error = labels.px_error
    if error is None or not np.isfinite(error).any():
        return np.broadcast_to(np.array(landmark_colours(len(labels.schema.names)), float), (*labels.xy.shape[:2], 3))
    low, high = np.nanquantile(error, TENTHS)
    level = np.nan_to_num(np.clip((error - low) / ((high - low) or 1.0), 0, 1))
    stops = np.array([SURE, FAIR, UNSURE], float)
    return np.stack([np.interp(level, (0, 0.5, 1), stops[:, channel]) for channel in range(3)], axis=-1)


def _line(
    pixels: Pixels, start: FloatArray, end: FloatArray, radius: float, colour: Colour | FloatArray, alpha: float
) -> None:
    """Blends a line with round, smooth ends into pixels (H, W, 3); a disc where both ends are one point."""
    if not np.isfinite([start, end]).all():
        return
    height, width = pixels.shape[:2]
    low = np.floor(np.minimum(start, end) - radius - 1).clip(0, (width, height)).astype(int)
    high = np.ceil(np.maximum(start, end) + radius + 2).clip(0, (width, height)).astype(int)
    x, y = np.meshgrid(np.arange(low[0], high[0]), np.arange(low[1], high[1]))
    along, offset = end - start, np.stack([x, y], axis=-1) - start  # (h, w, 2)
    share = (offset @ along / max(float(along @ along), 1e-9)).clip(0, 1)
    away = np.linalg.norm(offset - share[..., None] * along, axis=-1)
    cover = alpha * (radius + 0.5 - away).clip(0, 1)[..., None]
    part = pixels[low[1] : high[1], low[0] : high[0]]
    part[:] = np.rint(part * (1 - cover) + np.asarray(colour) * cover)
