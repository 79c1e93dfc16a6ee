"""Landmarks drawn over the pictures and films that they belong to, a file each."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image

from lead.evaluation.draw import draw_landmarks, draw_match
from lead.evaluation.overlay import draw_film
from lead.files import replacing
from lead.geometry import FloatArray
from lead.images.decode import decode
from lead.images.find import is_film
from lead.images.showing import DEFAULT, Showing
from lead.landmarks.model import Labels
from lead.reporting import Counting


def draw_all(
    pictures: Labels | None,
    films: Mapping[str, Labels],
    root: Path,
    folder: Path,
    counting: Counting | None = None,
    showing: Showing = DEFAULT,
) -> None:
    """Draws landmarks over pictures and films, each into a file of :func:`drawing_names`.

    Args:
        pictures: landmarks of pictures, in their own pixels; None for none.
        films: landmarks of films' frames, by the film's name.
        root: folder that the names start from.
        folder: to draw into; made if missing. What stands there under such a name is replaced.
        counting: asked for ``"drawing"``, and for ``"drawing NAME"`` of each film.
        showing: how the pictures' values are shown.
    """
    stills = pictures.rows_of() if pictures else {}
    names = drawing_names([*stills, *films])
    progress = counting("drawing") if counting and pictures else None
    for number, ((file, rows), name) in enumerate(zip(stills.items(), names, strict=False)):
        assert pictures is not None
        save_drawing(draw_landmarks(decode(root / file, showing), pictures.xy[rows], pictures.schema), folder / name)
        if progress:
            progress(number + 1, len(stills))
    for (film, labels), name in zip(films.items(), names[len(stills) :], strict=True):
        draw_film(root / film, labels, folder / name, progress=counting(f"drawing {film}") if counting else None)


def draw_matches(
    reference: Path,
    start: FloatArray,
    matches: Labels,
    names: Sequence[Path],
    folder: Path,
    counting: Counting | None = None,
    showing: Showing = DEFAULT,
) -> None:
    """Draws a labelled picture beside each of those that its landmarks were carried to.

    Args:
        reference: the labelled picture.
        start: (K, 2) its landmarks, in its own pixels.
        matches: landmarks of the others.
        names: of their drawings.
        folder: to draw into.
        counting: asked for ``"drawing"``.
        showing: how the pictures' values are shown.
    """
    progress = counting("drawing") if counting else None
    left = decode(reference, showing)
    for row, (file, name) in enumerate(zip(matches.images, names, strict=True)):
        right = decode(Path(file), showing)
        save_drawing(draw_match(left, start, right, matches.xy[row], matches.schema), folder / name)
        if progress:
            progress(row + 1, len(matches))


def drawing_names(files: Sequence[str]) -> list[Path]:
    """A name for the drawing of each picture: its path below the folder that all share, and .png after its ending.

    Of a film it is .mp4 that comes after its ending.

    Different pictures never get one name, and no name leads out of the folder of drawings.
    """
    paths = [Path(file).absolute() for file in files]
    shared = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(shared).with_name(path.name + (".mp4" if is_film(path) else ".png")) for path in paths]


def save_drawing(drawing: Image.Image, path: Path) -> None:
    """Writes a PNG whole or not at all."""
    with replacing(path) as partial:
        drawing.save(partial, "PNG")
