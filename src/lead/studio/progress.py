"""How far each landmark is, over the whole folder."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from lead.landmarks.model import UNLABELLED
from lead.studio.label_messages import Message

if TYPE_CHECKING:
    from lead.studio.knowledge import Knowledge


class LandmarkProgress(Message):
    """One landmark.

    Attributes:
        labelled: pictures on which it has a place, visible or hidden.
        accepted: those among them whose place is a suggestion that was accepted and not touched since.
        pictures: that can be read.
        expected_px: mean over all predicted pictures of the distance to expect between the model's point and the truth,
            in pixels of each picture; null where nothing is predicted.
        expected: the same as a share of the pictures' longer sides.
    """

    name: str
    labelled: int = 0
    accepted: int = 0
    pictures: int = 0
    expected_px: float | None = None
    expected: float | None = None


def landmark_progress(knowledge: Knowledge) -> list[LandmarkProgress]:
    """In the landmarks' order."""
    labels, folder = knowledge.contents.labels, knowledge.folder
    labelled = (labels.visible != UNLABELLED).sum(axis=0)
    annotated = knowledge.contents.document.annotated()
    accepted = Counter(name for file, annotation in annotated if file in folder for name in annotation.accepted)
    pictures = len(folder.files) - len(folder.unreadable)
    review = knowledge.review_of_names
    px = share = np.full(len(labels.schema.names), np.nan)
    if review is not None and len(review.labels):
        assert review.labels.px_error is not None
        sides = review.store.sizes[: len(review.labels)].max(axis=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of landmarks that are predicted nowhere
            px = np.nanmean(review.labels.px_error, axis=0)
            share = np.nanmean(review.labels.px_error / sides[:, None], axis=0)
    rows = zip(labels.schema.names, labelled.tolist(), px.tolist(), share.tolist(), strict=True)
    return [
        LandmarkProgress(
            name=name,
            labelled=n,
            accepted=accepted[name],
            pictures=pictures,
            expected_px=_known(e),
            expected=_known(s),
        )
        for name, n, e, s in rows
    ]


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
