"""How far each landmark is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from lead.studio.folder import picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.messages import LandmarkProgress
from lead.studio.several_answers import judged

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


def progress(knowledge: Knowledge) -> list[LandmarkProgress]:
    """Every landmark in order: on how many pictures it is labelled, how, and how sure the model is of it.

    Where there may be several specimens, on how many of these.
    """
    contents = knowledge.contents
    counts = {key: Counter[str]() for key in ("placed", "accepted", "hidden", "absent")}
    for file, annotation in contents.document.annotated():
        if contents.listing.id_of.get(file, "") in contents.skipped or file not in contents.listing:
            continue
        for name, point in annotation.points().items():
            counts["absent" if point.state == "absent" else "placed"][name] += 1
            counts["hidden"][name] += point.state == "hidden"
            counts["accepted"][name] += point.accepted
    share, px = _expected(knowledge)
    bad = {picture_id(file) for file, _ in knowledge.folder.unreadable}
    shown = set(contents.listing.ids) - contents.skipped - bad
    pictures = sum(contents.specimens.get(id, 0) for id in shown) if knowledge.of_several else len(shown)
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
    if knowledge.of_several:
        return _expected_of_specimens(knowledge)
    if review is None or review.labels.px_error is None:
        return {}, {}
    rows = [i for i in review.rows_of(contents.listing) if picture_id(review.labels.images[i]) not in contents.skipped]
    errors = review.labels.px_error[rows]  # (n, K)
    return _means(knowledge.names, errors, review.store.sizes[rows].max(axis=1, keepdims=True))


def _expected_of_specimens(knowledge: Knowledge) -> tuple[dict[str, float], dict[str, float]]:
    """The same over all specimens that are found."""
    found = [one.found for one in judged(knowledge) if one.found.sure.any()]
    errors = [one.labels.px_error[one.sure] for one in found if one.labels.px_error is not None]
    if not errors:
        return {}, {}
    sides = np.concatenate([np.full((len(part), 1), max(one.size)) for part, one in zip(errors, found, strict=True)])
    return _means(knowledge.names, np.concatenate(errors), sides)


def _means(names: Sequence[str], errors: FloatArray, sides: IntArray) -> tuple[dict[str, float], dict[str, float]]:
    """By landmark, of errors (n, K) in pixels of pictures with longer sides (n, 1), as far as they are known."""
    known = np.isfinite(errors)
    out: tuple[dict[str, float], dict[str, float]] = ({}, {})
    for k, name in enumerate(names):
        if known[:, k].any():
            for means, values in zip(out, (errors / sides, errors), strict=True):
                means[name] = float(values[known[:, k], k].mean())
    return out
