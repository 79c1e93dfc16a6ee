"""What the model says of pictures on which the person said which way is up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.images.store import ImageStore
from lead.inference import Landmarker
from lead.landmarks.model import PREDICTED, Labels
from lead.nn.cascade import Cascade
from lead.studio.knowledge import Knowledge
from lead.studio.review import BATCH, Review
from lead.studio.ups import Up

TABLES = ("xy", "visible", *PREDICTED)


def predict_told(
    landmarker: Landmarker,
    store: ImageStore,
    rows: npt.NDArray[np.int64],
    features: npt.NDArray[np.float16],
    ups: Sequence[Up],
) -> Labels:
    """Landmarks of some pictures (rows (n,), features (n, C, h, w)) whose things point up as a person said."""
    head, names = landmarker.head, landmarker.schema.names
    shape = head.shape.double().cpu().numpy() if isinstance(head, Cascade) else None  # in whose frame it wants them
    return landmarker.predict_rows(store, rows, features, up=np.array([up.where(names, shape) for up in ups]))


def heed(
    review: Review,
    landmarker: Landmarker,
    ups: Mapping[str, Up],
    features: npt.NDArray[np.float16],
    stop: Callable[[], bool] = lambda: False,
) -> Review | None:
    """Predictions that heed what the person said, by a landmarker that is told so. All others stay as they are.

    Args:
        review: the predictions; those of pictures that it heeded before, by the same landmarker, are not made again.
        landmarker: knows no other landmarks than these. Of those that it does not know, what was said stands.
        ups: by file. Files that are not among the predictions are passed over.
        features: (N, C, h, w) of the review's pictures.
        stop: asked between two batches; then the answer is None.
    """
    untold, now = review.untold or review.labels, review.labels
    row_of = {file: row for row, file in enumerate(untold.images) if file in ups or file in review.heeded}
    kept = [row for file, row in row_of.items() if file in ups and ups[file] == review.heeded.get(file)]
    new = [row for file, row in row_of.items() if file in ups and ups[file] != review.heeded.get(file)]
    tables: dict[str, Any] = {key: _copy(getattr(untold, key)) for key in TABLES}
    for key, table in tables.items():
        if table is not None:
            table[kept] = getattr(now, key)[kept]
    columns = np.array([untold.schema.index(name) for name in landmarker.schema.names])
    for start in range(0, len(new), BATCH):
        if stop():
            return None
        rows = np.array(new[start : start + BATCH])
        some = [ups[untold.images[row]] for row in rows]
        told = predict_told(landmarker, review.store, rows, features[rows], some)
        if told.score is None or told.px_error is None:  # one that does not know how wrong it is says nothing here
            break
        for key, table in tables.items():
            if table is not None and (values := getattr(told, key)) is not None:
                table[np.ix_(rows, columns)] = values
    labels = replace(untold, **tables) if ups else untold
    heeding = replace(review, labels=labels, heeded=dict(ups), untold=untold if ups else None)
    object.__setattr__(heeding, "made", review.made)  # all but a few of them are as old as they were
    return heeding


def heed_all(knowledge: Knowledge) -> Review | None:
    """The predictions of all pictures as they heed all that is said by now; None where that cannot be told yet."""
    review, landmarker = knowledge.review_of_names, knowledge.landmarker_of_names
    computed = knowledge.bank.finished() if knowledge.bank else None
    if review is None or landmarker is None or computed is None or computed[0] is not review.store:
        return None
    return heed(review, landmarker, knowledge.contents.heeded, computed[1])


def _copy(table: npt.NDArray[Any] | None) -> npt.NDArray[Any] | None:
    return None if table is None else table.copy()
