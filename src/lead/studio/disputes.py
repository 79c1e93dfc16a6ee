"""Labels for a second look: far from where the model expects them, exchanged, on one spot, or off the picture."""

from __future__ import annotations

import warnings
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lead.studio.messages import Dispute, DisputeKind, Suggestion, Unit

if TYPE_CHECKING:  # torch, which it needs, takes seconds to import
    from lead.geometry import FloatArray

FEWEST = 5
"""Labelled pictures from which labels are compared with what a model that has not seen their picture says."""
NEAR = 0.01
"""Two landmarks nearer than this share of the longer side are on one spot, unless they commonly are so near."""
APART = 3.0
"""Two landmarks are commonly apart if their median distance is this many times as much."""
SURPRISE = 3.0
"""An outlier differs from the expectation by so many expected errors at least. On validation faces with five landmarks,
where a fifth of 10, 20 or 50 labelled pictures had a mistake planted, 20 of 28 landmarks moved by a tenth of the
picture were found (with 4 expected errors: 13), and 2 of 1,600 other labels were disputed as outliers."""
UNUSUAL = 6.0
"""And lies so many median absolute deviations above the landmark's median difference at least."""
CLEARLY = 0.4
"""Exchanging two labels must reduce the difference to this share at most."""


@dataclass(frozen=True)
class Case:
    """A labelled picture.

    Attributes:
        id, file: of the picture.
        size: width and height in pixels.
        xy: (K, 2) labels in its pixels; NaN where unlabelled.
        unseen: what a model that has not seen it says: (K, 2) pixels, NaN where it says nothing.
        error, score: (K,) that model's expected errors in pixels and its scores.
        by_hand: (K,) bool, labels that a person placed. The others, accepted suggestions, may be disputed, but say
            nothing of what is usual.
        unit: what messages are to give distances in.
        key: of the specimen, where a picture may show several; "" for the picture.
        extent: how large the specimen is, in pixels; None where a picture shows one, as large as it.
    """

    id: str
    file: str
    size: tuple[int, int]
    xy: FloatArray
    unseen: FloatArray
    error: FloatArray
    score: FloatArray
    by_hand: npt.NDArray[np.bool_]
    unit: Unit = "px"
    key: str = ""
    extent: float | None = None

    @property
    def longer(self) -> int:
        return max(self.size)

    @property
    def reach(self) -> float:
        """What distances are compared with, in pixels."""
        return self.longer if self.extent is None else self.extent

    @property
    def usual(self) -> FloatArray:
        """(K, 2) the labels that say what is usual."""
        return np.where(self.by_hand[:, None], self.xy, np.nan)

    def words(self, distance: float) -> str:
        """A distance in pixels, for people: "2.3 px", "14 px", or "0.7 %" of the longer side."""
        share = 100 * distance / self.longer
        if self.unit == "percent":
            return f"{share:.0f} %" if share >= 9.95 else f"{share:.1f} %"
        return f"{distance:.0f} px" if distance >= 9.95 else f"{distance:.1f} px"

    def expected(self, names: Sequence[str], landmarks: Iterable[int]) -> dict[str, Suggestion]:
        """Where the model expects some landmarks."""
        return {
            names[k]: Suggestion(
                x=float(self.unseen[k, 0]),
                y=float(self.unseen[k, 1]),
                expected_px=float(self.error[k]),
                score=float(self.score[k]),
            )
            for k in landmarks
            if np.isfinite(self.unseen[k]).all()
        }

    def dispute(
        self, kind: DisputeKind, names: Sequence[str], which: list[int], distance: float, severity: float, text: str
    ) -> Dispute:
        """The labels of some landmarks, ``distance`` pixels from where they may belong."""
        return Dispute(
            id=self.id,
            file=self.file,
            kind=kind,
            landmarks=[names[k] for k in which],
            distance_px=float(distance),
            severity=float(severity),
            key=self.key or None,
            message=text,
            expected=self.expected(names, which),
        )


def find_disputes(
    cases: Sequence[Case],
    names: Sequence[str],
    flip_pairs: Iterable[tuple[str, str]],
    *,
    leave_out: Container[str] = (),
    unit: Unit = "px",
) -> list[Dispute]:
    """Labels for a second look, the most severe first.

    Args:
        cases: all labelled pictures.
        names: of the landmarks.
        flip_pairs: names that change places in a mirrored picture; they are the first to be tried for an exchange.
        leave_out: ids of pictures, or keys of specimens, that a person has checked; they still count for what is
            common.
        unit: what messages give distances in.
    """
    if not cases:
        return []
    limits = _limits(cases)
    apart = _common_distances(cases)
    pairs = [(names.index(a), names.index(b)) for a, b in flip_pairs]
    out: list[Dispute] = []
    for i, case in enumerate(replace(case, unit=unit) for case in cases):
        if (case.key or case.id) in leave_out:
            continue
        mine = [*_outside(case, names), *_duplicates(case, names, apart[i])]
        if limits is not None:
            taken = {name for dispute in mine if dispute.kind == "duplicate" for name in dispute.landmarks}
            mine += _swaps(case, names, pairs, limits[i], taken)
            taken |= {name for dispute in mine for name in dispute.landmarks}
            mine += _outliers(case, names, limits[i], taken)
        out += mine
    return sorted(out, key=lambda dispute: -dispute.severity)


def _limits(cases: Sequence[Case]) -> FloatArray | None:
    """(E, K) differences in pixels from which a label is disputed; None for too few pictures."""
    if sum(case.by_hand.any() for case in cases) < FEWEST:
        return None
    longer = np.array([case.reach for case in cases], dtype=np.float64)[:, None]
    away = np.stack([np.linalg.norm(case.usual - case.unseen, axis=-1) for case in cases]) / longer
    error = np.stack([case.error for case in cases]) / longer
    median = _median(away)
    spread = _median(np.abs(away - median))
    limits: FloatArray = longer * np.fmax(np.fmax(SURPRISE * error, median + UNUSUAL * spread), NEAR)
    return limits


def _common_distances(cases: Sequence[Case]) -> FloatArray:
    """(E, K, K) median distance of two landmarks on the *other* pictures, as a share of their reach; NaN if unknown."""
    every = np.stack([np.linalg.norm(c.usual[:, None] - c.usual[None], axis=-1) / c.reach for c in cases])
    out = np.empty_like(every)
    whole = _median(every)
    for i in range(len(cases)):  # with many pictures, one more or less does not matter
        out[i] = whole if len(cases) > 20 else _median(np.delete(every, i, axis=0))
    return out


def _median(values: FloatArray) -> FloatArray:
    """Over the pictures; NaN where a landmark, or two together, are labelled on none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.nanmedian(values, axis=0) if len(values) else np.full(values.shape[1:], np.nan)


def _outside(case: Case, names: Sequence[str]) -> Iterator[Dispute]:
    beyond = np.maximum(-0.5 - case.xy, case.xy - (np.array(case.size) - 0.5)).max(-1)  # (K,)
    for k in np.flatnonzero(beyond > 0).tolist():
        text = f"{names[k]} is {case.words(beyond[k])} beyond the edge of the picture."
        yield case.dispute("outside", names, [k], beyond[k], 1 + beyond[k] / (5 * NEAR * case.reach), text)


def _duplicates(case: Case, names: Sequence[str], apart: FloatArray) -> Iterator[Dispute]:
    between = np.linalg.norm(case.xy[:, None] - case.xy[None], axis=-1) / case.reach
    usual = np.where(np.isnan(apart), np.inf, apart)  # alone in its kind: any two on one spot are worth a look
    modelled = np.linalg.norm(case.unseen[:, None] - case.unseen[None], axis=-1) / case.reach
    usual = np.fmin(usual, modelled)  # parts that are apart elsewhere may meet on this picture
    for a, b in np.argwhere(np.triu((between < NEAR) & (usual > APART * NEAR), 1)).tolist():
        elsewhere = f"; elsewhere they are {case.words(apart[a, b] * case.reach)} apart" if apart[a, b] > 0 else ""
        text = f"{names[a]} and {names[b]} are on one spot{elsewhere}."
        distance, severity = between[a, b] * case.reach, 3 - 2 * between[a, b] / NEAR
        yield case.dispute("duplicate", names, [a, b], distance, severity, text)


def _swaps(
    case: Case, names: Sequence[str], flips: list[tuple[int, int]], limits: FloatArray, taken: Container[str]
) -> list[Dispute]:
    away = np.linalg.norm(case.xy[:, None] - case.unseen[None], axis=-1)  # (K, K) label a to expectation b
    suspects = np.flatnonzero(np.diag(away) > 0.5 * limits).tolist()
    others = [(a, b) for i, a in enumerate(suspects) for b in suspects[i + 1 :] if away[a, a] > limits[a]]
    done: set[int] = {k for k, name in enumerate(names) if name in taken}
    out = []
    for a, b in [*flips, *others]:
        now, exchanged = away[a, a] + away[b, b], away[a, b] + away[b, a]
        if done & {a, b} or not (exchanged < CLEARLY * now and now > limits[a] + limits[b]):
            continue
        done |= {a, b}
        text = f"{names[a]} and {names[b]} fit better if exchanged."
        out.append(case.dispute("swap", names, [a, b], now / 2, 2 * now / (limits[a] + limits[b]), text))
    return out


def _outliers(case: Case, names: Sequence[str], limits: FloatArray, taken: Container[str]) -> Iterator[Dispute]:
    away = np.linalg.norm(case.xy - case.unseen, axis=-1)
    for k in np.flatnonzero(away > limits).tolist():
        if names[k] in taken:
            continue
        expected = f"from where the model expects it (to within {case.words(case.error[k])})"
        text = f"{names[k]} is {case.words(away[k])} {expected}."
        yield case.dispute("outlier", names, [k], away[k], away[k] / limits[k], text)
