"""Places of landmarks as the page is told them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lead.studio.messages import Suggestion

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import FloatArray
    from lead.studio.features import Seen
    from lead.studio.suggest import Answer


def suggestions_of(
    names: tuple[str, ...], xy: FloatArray, score: FloatArray, expected: FloatArray, size: tuple[int, int]
) -> dict[str, Suggestion]:
    """By name, those landmarks that have a place.

    Args:
        names: of K landmarks.
        xy: (K, 2) pixels; NaN where nothing is said. A place beyond the picture is moved to its edge.
        score, expected: (K,).
        size: (width, height) of the picture.
    """
    inside = np.clip(xy, -0.5, np.array(size) - 0.5)  # NaN stays NaN
    rows = zip(names, inside.tolist(), score.tolist(), expected.tolist(), strict=True)
    return {n: Suggestion(x=p[0], y=p[1], expected_px=e, score=s) for n, p, s, e in rows if np.isfinite(p).all()}


def points_of(answer: Answer, seen: Seen, names: tuple[str, ...]) -> dict[str, Suggestion]:
    """The first picture of an answer, in its own pixels and within its edges."""
    xy = seen.to_picture(answer.points[0].double().numpy())
    expected = answer.expected[0].double().numpy() * seen.frame_px
    return suggestions_of(names, xy, answer.score[0].double().numpy(), expected, seen.size)
