"""SLEAP's exports for analysis: a CSV with a line for each animal in a frame, and an HDF5 of arrays.

Both hold what a model said, with scores, and do not tell what a person placed: all is predicted. Coordinates count from
the centre of the top-left pixel. The CSV has the columns ``track``, ``frame_idx``, ``instance.score`` and for each node
``.x``, ``.y``, ``.score``; it names no film. The HDF5 has ``tracks`` (track, xy, node, frame), ``node_names``,
``point_scores`` and mostly ``track_names`` and ``video_path``. A frame of several animals is left out, unless pictures
may show several specimens: then each is read, by the name of its track. Where the film is not named, it is the one that
the file is called as; else frames go by their numbers alone. An instance's score is no probability, and is not read.
"""

from __future__ import annotations

import io
import json
import math
import re
from collections.abc import Mapping, Sequence
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


def _labels(frames: Mapping[str, list[Marked]], nodes: Sequence[str], *, several: bool) -> Labels:
    """The labels of all frames, by name; of several animals in one too, or without such frames.

    Raises:
        LeadError: no node has a place; or a track is twice in a frame.
    """
    found = Found(several=several)
    for frame, animals in frames.items():
        first, *others = [animal for animal in animals if animal.points] or [Marked()] if several else animals
        first.others = others if several else []
        found.pictures[frame] = first
    if not several:
        for frame in sorted((frame for frame, animals in frames.items() if len(animals) > 1), key=_number):
            found.drop(frame, SEVERAL)
    return found.labels("no node with a place in it.", names=nodes)


def _number(frame: str) -> int:
    return int(frame.rpartition("#")[2])


def parse(text: str, file: str, pictures: PictureInfo, *, several: bool = False) -> Labels:
    """Labels of the frames of the film that the file is called as.

    Args:
        text: the whole file.
        file: its name.
        pictures: what knows the films' names.
        several: whether a frame may show several animals.

    Raises:
        LeadError: a frame's number or a value is wrong, with its line; no node has a place; or a track is twice in a
            frame.
    """
    table = read_table(text)
    frames: dict[str, list[Marked]] = {}
    nodes = [column[:-2] for column in table.header if column.endswith(".x") and table.has(f"{column[:-2]}.y")]
    for line in table.lines:
        frame = table.text(line, "frame_idx")
        if not re.fullmatch(r"\d{1,12}", frame):
            raise LeadError(f"line {line[0]}: frame_idx is {frame[:50]!r}, which is not a frame's number.")
        points: dict[str, Mark] = {}
        for node in nodes:
            x, y, score = (table.number(line, f"{node}.{what}") for what in ("x", "y", "score"))
            if not math.isnan(x + y):
                points[node] = Mark(x, y, line=line[0], score=_score(score), predicted=True)
        frames.setdefault(frame, []).append(Marked(points, track=table.text(line, "track")))
    return of_film(_labels(frames, nodes, several=several), file, pictures)


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


def parse_analysis(data: bytes, *, several: bool = False) -> Labels:
    """Labels from the bytes of the HDF5: a row for each frame in which a node has a place, or each animal in it.

    Args:
        data: the whole file.
        several: whether a frame may show several animals.

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
            tracks = [_text(name) for name in file["track_names"][()].tolist()] if "track_names" in file else []
            film = _text(file["video_path"][()]) if "video_path" in file else ""
    except Exception as error:  # h5py lets nearly any type through for a damaged file
        raise LeadError(f"not an export of SLEAP's that can be read ({str(error)[:200]}).") from error
    if xy.shape[2:] != (len(nodes), 2) or scores.shape != xy.shape[:3] or len(set(nodes)) != len(nodes):
        raise LeadError("its arrays do not fit one another: tracks, point_scores, node_names.")
    frames: dict[str, list[Marked]] = {}
    there = np.isfinite(xy[..., 0] + xy[..., 1])
    for frame, track in np.argwhere(there.any(2)).tolist():
        name = frame_name(film.replace("\\", "/"), frame)
        points = {
            node: Mark(x, y, score=_score(score), predicted=True)
            for node, (x, y), score in zip(nodes, xy[frame, track].tolist(), scores[frame, track].tolist(), strict=True)
            if math.isfinite(x + y)
        }
        animal = Marked(points, track=tracks[track] if track < len(tracks) else "")
        frames.setdefault(name if frame_of(name) else str(frame), []).append(animal)
    return _labels(frames, nodes, several=several)


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
