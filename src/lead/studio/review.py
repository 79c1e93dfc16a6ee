"""What the model says of all pictures."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lead.frame import Frame
from lead.geometry import FloatArray
from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import UNLABELLED, VISIBLE, Labels, Schema
from lead.studio.folder import Listing
from lead.studio.suggest import Learnt, Matcher
from lead.studio.ups import Up

BATCH = 32


@dataclass(frozen=True)
class Review:
    """Predictions of the first N pictures of a store.

    Attributes:
        model: number of the fit.
        store: the pictures.
        labels: what the model says of them, with scores and expected errors; NaN where it says nothing.
        listing: what the folder held when the pictures were stored; None where that does not change.
        heeded: by file, which way the person said that things lie, as far as a model was told.
        untold: what was said of the pictures before any was told so; None where ``labels`` are that.
        made: when, on the clock of :func:`time.monotonic`.
    """

    model: int
    store: ImageStore
    labels: Labels
    listing: Listing | None = None
    heeded: Mapping[str, Up] = field(default_factory=dict)
    untold: Labels | None = None
    made: float = field(default_factory=time.monotonic, init=False)

    @cached_property
    def expected_px(self) -> FloatArray:
        """(N,) mean over the landmarks, in pixels; where all are out of view, the picture's longer side."""
        assert self.labels.px_error is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            mean: FloatArray = np.nanmean(self.labels.px_error, axis=1)
        return np.where(np.isnan(mean), self.store.sizes[: len(mean)].max(axis=1), mean)

    @cached_property
    def share(self) -> FloatArray:
        """(N,) the same as a share of the picture's longer side."""
        out: FloatArray = self.expected_px / self.store.sizes[: len(self.labels)].max(axis=1)
        return out

    def rows_of(self, listing: Listing) -> npt.NDArray[np.int64]:
        """Rows, in their order, of the pictures that a folder still holds and that are the same files since."""
        images, before = self.labels.images, self.listing or listing
        if before is listing:
            return np.arange(len(images))
        return np.flatnonzero([before.same(listing, file) for file in images])

    @cached_property
    def worst_first(self) -> npt.NDArray[np.int64]:
        """Rows by ``share``; equal ones stay in their order."""
        return np.argsort(-self.share, kind="stable")


def review(
    model: int,
    schema: Schema,
    learnt: Learnt,
    store: ImageStore,
    features: npt.NDArray[np.float16],
    frame: Frame,
    stop: Callable[[], bool] = lambda: False,
) -> Review | None:
    """Predicts all pictures whose features (N, C, h, w) are given; None if ``stop`` said so between two batches."""
    matcher = Matcher(list(learnt.exemplars.values()), learnt.matching)
    points, scores, errors = [], [], []
    for some in _batches(len(features)):
        if stop():
            return None
        answer = learnt.answer(torch.from_numpy(np.array(features[some])).float(), matcher)
        points.append(answer.points.double().numpy())
        scores.append(answer.score.double().numpy())
        errors.append(answer.expected.double().numpy())
    rows = np.arange(len(features))
    xy = frame.places(store, rows, np.concatenate(points))
    frame_px = frame.shown / store.scale[rows].mean(-1)
    expected = np.concatenate(errors) * frame_px[:, None]
    expected[np.isnan(xy).any(-1)] = np.nan
    visible = np.full(expected.shape, VISIBLE, dtype=np.int8)
    files = store.files[: len(rows)]
    return Review(model, store, Labels(schema, files, xy, visible, np.concatenate(scores), expected))


def review_closely(
    model: int,
    schema: Schema,
    landmarker: Landmarker,
    store: ImageStore,
    features: npt.NDArray[np.float16],
    stop: Callable[[], bool] = lambda: False,
) -> Review | None:
    """As :func:`review`, by a model that looks twice; of landmarks that it does not know, nothing is said."""
    parts = []
    for rows in _batches(len(features)):
        if stop():
            return None
        for row in rows.tolist():
            store.unread.pop(store.files[row], None)  # it may be readable again
        parts.append(landmarker.predict_rows(store, rows, features[rows]))
    return Review(model, store, under(schema, Labels.joined(parts)))


def under(schema: Schema, predicted: Labels) -> Labels:
    """Predictions under a schema that has further landmarks, of which nothing is said."""
    which = [schema.index(name) for name in predicted.schema.names]

    def every(values: npt.NDArray[Any] | None, nothing: float) -> npt.NDArray[Any]:
        assert values is not None
        out = np.full((len(values), len(schema.names), *values.shape[2:]), nothing, dtype=values.dtype)
        out[:, which] = values
        return out

    return Labels(
        schema,
        predicted.images,
        every(predicted.xy, np.nan),
        every(predicted.visible, UNLABELLED),
        every(predicted.score, 0),
        every(predicted.px_error, np.nan),
        every(predicted.px_90, np.nan),
        None if predicted.px_across is None else every(predicted.px_across, np.nan),
        tracks=predicted.tracks,
        likely=predicted.likely,
    )


def _batches(count: int) -> list[npt.NDArray[np.int64]]:
    """Rows 0 to ``count``, ``BATCH`` at a time."""
    return np.split(np.arange(count), range(BATCH, count, BATCH))
