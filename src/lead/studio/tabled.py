"""Annotations of the label file as :class:`lead.landmarks.Labels`, just as the written file loads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lead.landmarks.coco import each_once, track_of
from lead.landmarks.coco_entries import PREDICTED_KEYS, likely_of
from lead.landmarks.model import Labels
from lead.studio.entries import Annotation, Entry
from lead.studio.label_messages import Landmarks
from lead.studio.schema import schema_of


def tabled(rows: Sequence[tuple[str, Annotation]], landmarks: Landmarks) -> Labels:
    """The labels of pictures, each of which has one annotation."""
    names = [landmark.name for landmark in landmarks.landmarks]
    shape = (len(rows), len(names))
    tables = np.array([labels.table for _, labels in rows], dtype=np.float64).reshape(*shape, 3)
    extra = [_extra(key, [labels.entry for _, labels in rows], shape) for key in PREDICTED_KEYS]
    images, visible = tuple(file for file, _ in rows), tables[..., 2].astype(np.int8)
    marked = [_marked([one.listed(key) for _, one in rows], names) for key in ("accepted", "predicted")]
    tracks = ("",) * len(rows) if landmarks.several else None
    return Labels(
        schema_of(landmarks),
        images,
        tables[..., :2],
        visible,
        *extra,
        accepted=marked[0],
        predicted=marked[1],
        tracks=tracks,
    )


def tabled_specimens(rows: Sequence[tuple[str, Annotation]], landmarks: Landmarks, complete: Iterable[str]) -> Labels:
    """The same where a picture may have several annotations. ``complete``: the pictures that are.

    There are ``tracks`` even where they tell nothing.
    """
    nothing = [np.nan] * 4
    likely = [np.nan if (known := likely_of(labels.entry)) is None else known for _, labels in rows]
    return replace(
        tabled(rows, landmarks),
        tracks=each_once([(file, track_of(labels.entry)) for file, labels in rows]),
        boxes=np.array([labels.box or nothing for _, labels in rows], dtype=np.float64).reshape(-1, 4),
        likely=np.array(likely, dtype=np.float64),
        complete=frozenset(complete),
    )


def _marked(listed: Sequence[Sequence[str]], names: list[str]) -> npt.NDArray[np.bool_]:
    """Which of the landmarks each annotation lists."""
    marked = np.zeros((len(listed), len(names)), dtype=bool)
    for row, of_row in enumerate(listed):
        if of_row:
            marked[row, [names.index(name) for name in of_row]] = True
    return marked


def _extra(key: str, entries: list[Entry], shape: tuple[int, int]) -> npt.NDArray[np.float64] | None:
    """A prediction's values, NaN where there is none; None if there are none at all."""
    if not any(key in entry for entry in entries):
        return None
    nothing = [None] * shape[1]
    values = np.array([entry.get(key, nothing) for entry in entries], dtype=np.float64).reshape(shape)
    return None if np.isnan(values).all() else values
