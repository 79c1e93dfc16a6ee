"""Frames of films among pictures: a frame goes by its film's path, ``#`` and its number from 0: ``run.mp4#12``.

So does a picture inside a SLEAP package that names no film: ``labels.pkg.slp#12``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

FILMS = (
    *(".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ogv"),
    *(".webm", ".wmv"),
)
"""File name endings taken for films, in lower case; a file's own case does not matter."""
PACKAGE = ".slp"
"""What the name of a SLEAP file ends in, which may hold its frames itself."""
_FRAME = re.compile(rf"(.+(?:{'|'.join(map(re.escape, (*FILMS, PACKAGE)))}))#(\d+)", re.IGNORECASE | re.DOTALL)


def frame_name(film: str, number: int) -> str:
    """What a film's frame is called among :attr:`lead.landmarks.Labels.images`."""
    return f"{film}#{number}"


def frame_of(name: str) -> tuple[str, int] | None:
    """The film, or the package, and the number of a frame; None for the name of a picture."""
    match = _FRAME.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def frames_of_one(names: Iterable[str]) -> tuple[str, list[int]] | None:
    """The film and the frames' numbers where all names are frames of one film, else None."""
    frames = [frame_of(name) for name in names]
    of_films = list(filter(None, frames))
    if not frames or len(of_films) != len(frames) or len({film for film, _ in of_films}) != 1:
        return None
    return of_films[0][0], [number for _, number in of_films]
