"""How far each landmark is."""

from __future__ import annotations

from collections import Counter

import numpy as np

from lead.studio.folder import picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.messages import LandmarkProgress


def progress(knowledge: Knowledge) -> list[LandmarkProgress]:
    """Every landmark in order: on how many pictures it is labelled, how, and how sure the model is of it.

    Where there may be several specimens, on how many of these.
    """
    contents = knowledge.contents
    counts = {key: Counter[str]() for key in ("placed", "accepted", "hidden", "absent")}
    id_of = contents.listing.id_of
    for file, annotation in contents.document.annotated():
        if file not in id_of or id_of[file] in contents.skipped:
            continue
        for name, point in annotation.points().items():
            counts["absent" if point.state == "absent" else "placed"][name] += 1
            counts["hidden"][name] += point.state == "hidden"
            counts["accepted"][name] += point.accepted
    share, px = _expected(knowledge)
    bad = {picture_id(file) for file, _ in knowledge.folder.unreadable}
    shown = set(contents.listing.ids) - contents.skipped - bad
    several = contents.document.several
    pictures = sum(contents.specimens.get(id, 0) for id in shown) if several else len(shown)
    return [
        LandmarkProgress(
            name=name,
            pictures=pictures,
            expected=share.get(name),
            expected_px=px.get(name),
            **{key: n[name] for key, n in counts.items()},
        )
        for name in knowledge.names
    ]


def _expected(knowledge: Knowledge) -> tuple[dict[str, float], dict[str, float]]:
    """Mean expected error by landmark, as a share of the longer side and in pixels; only where the model says one."""
    review, contents = knowledge.review_of_names, knowledge.contents
    if review is None or review.labels.px_error is None:
        return {}, {}
    rows = [i for i in review.rows_of(contents.listing) if picture_id(review.labels.images[i]) not in contents.skipped]
    errors = review.labels.px_error[rows]  # (n, K)
    sides = review.store.sizes[rows].max(axis=1, keepdims=True)
    known = np.isfinite(errors)
    out: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for k, name in enumerate(knowledge.names):
        if known[:, k].any():
            for means, values in zip(out, (errors / sides, errors), strict=True):
                means[name] = float(values[known[:, k], k].mean())
    return out
