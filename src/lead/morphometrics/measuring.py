"""From landmarks to measurements: values with their standard errors and 90 % intervals, and those that are unlikely."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lead.landmarks.fields import written
from lead.landmarks.model import UNLABELLED, Labels
from lead.landmarks.scales import Scales
from lead.morphometrics.kinds import KINDS, RATIO, crosses_itself
from lead.morphometrics.measures import Measure
from lead.morphometrics.spread import deviations, variance
from lead.reporting import counted

FloatArray = npt.NDArray[np.float64]

NORMAL_90 = 1.6448536269514722
"""Standard errors to each side of a value within which nine of ten true ones lie."""
UNLIKELY = 3.5
"""A value is unlikely that is so many robust standard deviations from the median (Iglewicz and Hoaglin 1993)."""
TO_DEVIATION = 1.4826
"""The standard deviation of a normal distribution, in median absolute deviations."""
FEWEST = 5
"""Specimens from which it is told which of them are unlikely."""
MOST_NOTES = 5
"""Kinds of notes on values that are told one by one."""
CROSSED, FLAT = "the outline crosses itself", "landmarks in one place"
COLUMNS = ("image", "measure", "value", "unit", "se", "low_90", "high_90", "robust_z", "note")


@dataclass(frozen=True)
class Summary:
    """Of one measure: how many values there are; their median and 10 % and 90 % quantiles; and the median error."""

    count: int
    quantiles: tuple[float, float, float]
    error: float


@dataclass(frozen=True)
class Table:
    """M measures of N specimens.

    Attributes:
        labels: of the specimens.
        measures: what was measured.
        units: M of them: ``mm``, ``px``, ``mm²``, ``°``, or empty for a ratio.
        values: (N, M), NaN where a landmark or a scale is missing.
        errors: (N, M) standard errors, NaN where those of the landmarks are not known.
        low, high: (N, M) ends of the 90 % intervals, NaN likewise.
        robust_z: (N, M) how far each value is from the measure's median, in robust standard deviations; NaN where there
            are fewer than :data:`FEWEST` values.
        notes: N of M, why a value is missing or of no use; empty if neither.
    """

    labels: Labels
    measures: tuple[Measure, ...]
    units: tuple[str, ...]
    values: FloatArray
    errors: FloatArray
    low: FloatArray
    high: FloatArray
    robust_z: FloatArray
    notes: tuple[tuple[str, ...], ...]

    def unlikely(self) -> list[tuple[int, int]]:
        """(specimen, measure) of the values that are unlikely, specimens with the most unlikely one first."""
        far = np.nan_to_num(np.abs(self.robust_z))
        order = np.argsort(-far.max(1, initial=0), kind="stable").tolist()
        return [(row, int(m)) for row in order for m in np.argsort(-far[row], kind="stable") if far[row, m] > UNLIKELY]

    def summary(self) -> list[Summary]:
        """Of each measure what is usual."""
        found = []
        for m in range(len(self.measures)):
            values, errors = (part[np.isfinite(part[:, m]), m] for part in (self.values, self.errors))
            if is_round := self.measures[m].kind == "axis":
                values = side_by_side(values)
            quantiles = np.quantile(values, (0.5, 0.1, 0.9)) if len(values) else np.full(3, np.nan)
            if is_round:
                quantiles -= 360 * np.round(quantiles[0] / 360)
            middle, low, high = quantiles.tolist()
            error = float(np.median(errors)) if len(errors) else np.nan
            found.append(Summary(len(values), (middle, low, high), error))
        return found

    def gaps(self) -> list[str]:
        """Which values are blank or of no use, counted by why, and how many have no standard error, in words."""
        notes = Counter(note for of_row in self.notes for note in of_row if note)
        names = specimen_names(self.labels)
        told = []
        for text, count in notes.most_common(MOST_NOTES):
            row = next(row for row, of_row in enumerate(self.notes) if text in of_row)
            told.append(f"{counted(count, 'value')}: {text}, the first of {names[row]!r}.")
        if rest := sum(count for _, count in notes.most_common()[MOST_NOTES:]):
            told.append(f"{counted(rest, 'value')} more with a note in the table.")
        known = np.isfinite(self.values)
        if without := int((known & np.isnan(self.errors)).sum()):
            told.append(
                f"{without:,} of {counted(int(known.sum()), 'value')} without a standard error: those of their "
                "landmarks are not known. What `lead predict` writes has them; of points placed by hand, --by-hand "
                "says them."
            )
        return told

    def dump(self) -> Iterator[str]:
        """The lines of a CSV, one for each measure of each specimen, in the order of the labels; blank is unknown."""
        several = self.labels.tracks is not None
        numbers = specimen_numbers(self.labels) if several else []
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow([COLUMNS[0], *(["instance", "track"] if several else []), *COLUMNS[1:]])
        for row, image in enumerate(self.labels.images):
            specimen = [numbers[row], (self.labels.tracks or ())[row]] if several else []
            for m, measure in enumerate(self.measures):
                tables = (self.values, self.errors, self.low, self.high, self.robust_z)
                value, *told = (written(table[row, m]) for table in tables)
                writer.writerow([image, *specimen, measure.name, value, self.units[m], *told, self.notes[row][m]])
            yield out.getvalue()
            out.seek(out.truncate(0))


def specimen_names(labels: Labels) -> list[str]:
    """A name for each specimen: its picture, and which of it where pictures show several."""
    if labels.tracks is None:
        return list(labels.images)
    return [f"{image}#{number}" for image, number in zip(labels.images, specimen_numbers(labels), strict=True)]


def specimen_numbers(labels: Labels) -> list[int]:
    """Which of its picture's specimens each row is, from 1."""
    place = {row: number for rows in labels.rows_of().values() for number, row in enumerate(rows, start=1)}
    return [place[row] for row in range(len(labels))]


def measure(
    labels: Labels,
    measures: Sequence[Measure],
    scales: Scales | None = None,
    *,
    together: npt.NDArray[Any] | None = None,
    by_hand: float | None = None,
) -> Table:
    """Measures specimens. Errors are propagated to first order (the delta method), those of points and of the scale.

    Args:
        labels: of N specimens, with ``px_90`` or ``px_error`` where they are predictions.
        measures: as :func:`lead.morphometrics.measures.parse` gives them.
        scales: of the pictures; None measures in pixels, which are taken to be square.
        together: (K, K) how the errors of one picture's landmarks go together, see
            :func:`lead.morphometrics.spread.correlation`; None if they are independent.
        by_hand: see :func:`lead.morphometrics.spread.deviations`.
    """
    work = _Work(labels, scales or {}, deviations(labels, by_hand), together)
    parts: dict[str, _Part] = {}
    for one in measures:
        parts[one.name] = work.part(one, parts)
    told = [work.told(part) for part in parts.values()]
    values, errors = (np.stack([one[i] for one in told], axis=1) for i in (0, 1))
    by_name = {one.name: one for one in measures}
    limits = np.array([_limits(one, by_name) for one in measures])
    return Table(
        labels,
        tuple(measures),
        tuple(_unit(one, by_name, bool(scales)) for one in measures),
        values,
        errors,
        np.maximum(values - NORMAL_90 * errors, limits[:, 0]),
        np.minimum(values + NORMAL_90 * errors, limits[:, 1]),
        np.stack(
            [_robust_z(values[:, m], errors[:, m], round_=one.kind == "axis") for m, one in enumerate(measures)], axis=1
        ),
        tuple(zip(*(notes for _, _, notes in told), strict=True)),
    )


@dataclass(frozen=True)
class _Part:
    """One measure of N specimens: (N,) values, their (N, K, 2) slopes by the pixels of landmarks, power and notes.

    Of a picture without a scale, a pixel counts as a millimetre until all is told.
    """

    values: FloatArray
    slopes: FloatArray
    power: int
    notes: tuple[str, ...]


class _Work:
    """What all measures of some specimens have in common."""

    def __init__(self, labels: Labels, scales: Scales, spread: FloatArray, together: npt.NDArray[Any] | None) -> None:
        self._labels, self._spread, self._together = labels, spread, together
        sides = [(s.x, s.y, s.error) if (s := scales.get(image)) else (np.nan,) * 3 for image in labels.images]
        table = np.array(sides, dtype=np.float64).reshape(-1, 3) if scales else np.ones((len(labels), 3)) * (1, 1, 0)
        self._unscaled = np.isnan(table[:, 0])
        # Angles need no scale, unless some pixels are not square: then those of the others may not be, either.
        all_square = all(scale.is_square for scale in scales.values())
        self._sides = np.where(self._unscaled[:, None] & all_square, 1, table[:, :2])  # (N, 2)
        self._share = np.nan_to_num(table[:, 2])

    def part(self, one: Measure, parts: dict[str, _Part]) -> _Part:
        return self._ratio(one, parts) if one.kind == RATIO else self._of_landmarks(one)

    def told(self, part: _Part) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
        """(N,) values and standard errors of a measure, NaN where they are unknown, and N notes."""
        of_points = variance(part.slopes, self._spread, self._together)
        errors = np.sqrt(of_points + (part.power * self._share * part.values) ** 2)
        blank = self._unscaled & ((part.power != 0) | np.isnan(part.values))
        notes = tuple(note or ("no scale" if gone else "") for note, gone in zip(part.notes, blank, strict=True))
        return np.where(blank, np.nan, part.values), np.where(blank, np.nan, errors), notes

    def _of_landmarks(self, one: Measure) -> _Part:
        kind = KINDS[one.kind]
        index = [self._labels.schema.index(name) for name in one.of]
        points = self._labels.xy[:, index] * self._sides[:, None]
        values, by_points = kind.compute(points)
        slopes = np.zeros_like(self._labels.xy)
        for place, landmark in enumerate(index):  # one may stand in several places
            slopes[:, landmark] += by_points[:, place] * self._sides
        crossed = crosses_itself(points) if one.kind == "area" else np.zeros(len(points), dtype=bool)
        flat = np.all(np.isfinite(points), axis=(1, 2)) & np.any(np.isnan(by_points), axis=(1, 2))
        notes = [CROSSED if cross else FLAT if none else "" for cross, none in zip(crossed, flat, strict=True)]
        missing = self._labels.visible[:, index] == UNLABELLED
        for row in np.flatnonzero(missing.any(1)).tolist():
            gone = [name for name, is_missing in zip(one.of, missing[row], strict=True) if is_missing]
            notes[row] = f"no {', '.join(dict.fromkeys(gone))}"
        return _Part(values, slopes, kind.power, tuple(notes))

    def _ratio(self, one: Measure, parts: dict[str, _Part]) -> _Part:
        upper, lower = (parts[name] for name in one.of)
        with np.errstate(invalid="ignore", divide="ignore"):
            values = np.where(lower.values == 0, np.nan, upper.values / lower.values)
            slopes = (upper.slopes - values[:, None, None] * lower.slopes) / lower.values[:, None, None]
        notes = tuple(
            above or below or ("divided by 0" if at == 0 else "")
            for above, below, at in zip(upper.notes, lower.notes, lower.values.tolist(), strict=True)
        )
        return _Part(values, slopes, upper.power - lower.power, notes)


def _unit(one: Measure, others: Mapping[str, Measure], scaled: bool) -> str:
    powers = {"°": _degrees(one, others), "mm" if scaled else "px": one.power(others)}
    return " ".join(unit + {1: "", 2: "²"}.get(power, f"^{power}") for unit, power in powers.items() if power)


def _degrees(one: Measure, others: Mapping[str, Measure]) -> int:
    """Of degrees that its value is in: 1 for an angle, 0 for a distance, −1 for a distance over an angle."""
    if one.kind != RATIO:
        return int(KINDS[one.kind].power == 0)
    upper, lower = (_degrees(others[name], others) for name in one.of)
    return upper - lower


def _limits(one: Measure, others: Mapping[str, Measure]) -> tuple[float, float]:
    """Between which values of a measure lie; a ratio of what is never below 0 is not, either."""
    if one.kind != RATIO:
        return KINDS[one.kind].limits
    least = min(_limits(others[name], others)[0] for name in one.of)
    return (least, np.inf)


def side_by_side(directions: FloatArray) -> FloatArray:
    """(N,) degrees, of which 180 and −180 are the same, so that close ones are close numbers: 179 and 181, say."""
    known = directions[np.isfinite(directions)]
    middle = np.degrees(np.angle(np.exp(1j * np.radians(known)).sum()))
    return np.asarray(middle + (directions - middle + 180) % 360 - 180)


def _robust_z(values: FloatArray, errors: FloatArray, *, round_: bool) -> FloatArray:
    """(N,) how far values are from their median, in robust standard deviations.

    The deviation is at least the typical standard error: values that differ by less than they are known to differ are
    not unlikely.

    Args:
        values: (N,), some NaN.
        errors: (N,) their standard errors, NaN where unknown.
        round_: whether they are directions in degrees, of which 180 and −180 are the same.
    """
    known = np.isfinite(values)
    if known.sum() < FEWEST:
        return np.full_like(values, np.nan)
    if round_:
        values = side_by_side(values)
    away = values - np.median(values[known])
    typical = float(np.median(errors[np.isfinite(errors)])) if np.isfinite(errors).any() else 0.0
    deviation = max(TO_DEVIATION * float(np.median(np.abs(away[known]))), typical)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(away == 0, 0.0, away / deviation)
