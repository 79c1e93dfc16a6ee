"""SLEAP's exports for analysis: a CSV with a line for each animal in a frame, and an HDF5 of arrays.

Both hold what a model said, with scores, and do not tell what a person placed: all is predicted. Coordinates count from
the centre of the top-left pixel. The CSV has the columns ``track``, ``frame_idx``, ``instance.score`` and for each node
``.x``, ``.y``, ``.score``; it names no film. The HDF5 has ``tracks`` (track, xy, node, frame), ``node_names``,
``point_scores`` and mostly ``video_path``. Of several animals in a frame the frame is left out. Where the film is not
named, it is the one that the file is called as; else frames go by their numbers alone.
"""

from __future__ import annotations

import io
import json
import math
import re
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.errors import LeadError, needing
from lead.landmarks.frames import frame_name, frame_of
from lead.landmarks.hdf import SIGNATURE
from lead.landmarks.marks import Found, Mark, Marked, stem_of
from lead.landmarks.model import Labels, Places
from lead.landmarks.pictures import PictureInfo
from lead.landmarks.tables import columns_of, read_table

FIRST = ("track", "frame_idx")
SEVERAL = "several animals in the frame, where one is supported"


def why_not(text: str) -> str | None:
    """Why a text is not SLEAP's CSV; None if it is like it."""
    header = columns_of(text)
    return None if header[:2] == FIRST else "does not begin with the columns track and frame_idx"


def parse(text: str, file: str, pictures: PictureInfo) -> Labels:
    """Labels of the frames of the film that the file is called as.

    Args:
        text: the whole file.
        file: its name.
        pictures: what knows the films' names.

    Raises:
        LeadError: a frame's number or a value is wrong, with its line; or no node has a place.
    """
    table, found = read_table(text), Found()
    nodes = [column[:-2] for column in table.header if column.endswith(".x") and table.has(f"{column[:-2]}.y")]
    several: set[str] = set()
    for line in table.lines:
        frame = table.text(line, "frame_idx")
        if not re.fullmatch(r"\d{1,12}", frame):
            raise LeadError(f"line {line[0]}: frame_idx is {frame[:50]!r}, which is not a frame's number.")
        points: dict[str, Mark] = {}
        for node in nodes:
            x, y, score = (table.number(line, f"{node}.{what}") for what in ("x", "y", "score"))
            if not math.isnan(x + y):
                points[node] = Mark(x, y, line=line[0], score=_score(score), predicted=True)
        if frame in found.pictures:
            several.add(frame)
        found.pictures[frame] = Marked(points)
    for frame in sorted(several, key=int):
        found.drop(frame, SEVERAL)
    return of_film(found.labels("no node with a place in it.", names=nodes), file, pictures)


def of_film(labels: Labels, file: str, pictures: PictureInfo) -> Labels:
    """Labels whose frames go by numbers, with those of the film that the file is called as, as far as there is one."""
    if any(frame_of(image) for image in labels.images):
        return labels
    stem = stem_of(file)
    film = pictures.film_of_stem(stem) or pictures.film_of_stem(re.sub(r"^.*\.\d{3}_", "", stem))
    if film:
        return labels.renamed(frame_name(film, int(image)) for image in labels.images)
    places = labels.places or Places()
    told = "which film its frames are of: name the file as the film but for the ending"
    return replace(labels, places=replace(places, left_out="; ".join(filter(None, (places.left_out, told)))))


def analysis_why_not(data: bytes) -> str | None:
    """Why a file is not SLEAP's HDF5 for analysis; None if it is like it."""
    if not data.startswith(SIGNATURE):
        return "is not HDF5"
    return None if b"node_names" in data and b"track_occupancy" in data else "does not hold SLEAP's tracks"


def parse_analysis(data: bytes) -> Labels:
    """Labels from the bytes of the HDF5: a row for each frame in which a node has a place.

    Raises:
        LeadError: the extra is missing, the file is damaged, or lacks an array.
    """
    with needing("SLEAP's HDF5", "deeplabcut"):
        import h5py
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            nodes = [_text(name) for name in file["node_names"][()].tolist()]
            xy = _ordered(file["tracks"], ("frame", "track", "node", "xy"), (3, 0, 2, 1))
            scores = np.full(xy.shape[:3], np.nan)
            if "point_scores" in file:
                scores = _ordered(file["point_scores"], ("frame", "track", "node"), (2, 0, 1))
            film = _text(file["video_path"][()]) if "video_path" in file else ""
    except Exception as error:  # h5py lets nearly any type through for a damaged file
        raise LeadError(f"not an export of SLEAP's that can be read ({str(error)[:200]}).") from error
    if xy.shape[2:] != (len(nodes), 2) or scores.shape != xy.shape[:3] or len(set(nodes)) != len(nodes):
        raise LeadError("its arrays do not fit one another: tracks, point_scores, node_names.")
    found = Found()
    there = np.isfinite(xy[..., 0] + xy[..., 1])
    for frame in np.flatnonzero(there.any((1, 2))).tolist():
        name = frame_name(film.replace("\\", "/"), frame)
        name = name if frame_of(name) else str(frame)
        animals = [
            {
                node: Mark(x, y, score=_score(score), predicted=True)
                for node, (x, y), score in zip(nodes, places, of_nodes, strict=True)
                if math.isfinite(x + y)
            }
            for places, of_nodes in zip(xy[frame].tolist(), scores[frame].tolist(), strict=True)
        ]
        placed = [points for points in animals if points]
        found.pictures[name] = Marked(placed[0])
        if len(placed) > 1:
            found.drop(name, SEVERAL)
    return found.labels("no node with a place in it.", names=nodes)


def _ordered(array: Any, axes: tuple[str, ...], usual: tuple[int, ...]) -> npt.NDArray[np.float64]:
    """An array with its axes in this order: as it says itself, else as SLEAP writes them."""
    said = json.loads(_text(array.attrs["dims"])) if "dims" in array.attrs else None
    order = tuple(said.index(axis) for axis in axes) if said else usual
    return np.asarray(array[()], dtype=np.float64).transpose(order)


def _score(value: float) -> float:
    """Between 0 and 1: the height of a peak may be a little above."""
    return float(np.clip(value, 0, 1))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
