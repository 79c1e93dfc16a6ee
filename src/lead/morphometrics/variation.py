"""How far repeated looks at the same pictures differ: variance within and between people, and what it means.

Everything here takes arrays. A look is a row of numbers; looks of one person at one picture differ by chance, and those
of several people also by where each of them takes a thing to be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

LEVEL = 0.9
"""Of intervals: how often they hold the true value."""
FEWEST = 3
"""Pictures from which an interval is given."""


@dataclass(frozen=True)
class Estimates:
    """M estimates with the ends of their 90 % intervals, and the pictures that each rests on; NaN where unknown."""

    value: FloatArray
    low: FloatArray
    high: FloatArray
    pictures: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Interval:
    """One estimate with the ends of its interval, and how many subjects it rests on; NaN where unknown."""

    value: float
    low: float
    high: float
    subjects: int


@dataclass(frozen=True)
class _Sums:
    """Sums of squares of N pictures, each (N, M): those of people's looks, and those of their means.

    ``weight`` is by what the variance between people is multiplied in the expectation of ``between``.
    """

    within: FloatArray
    within_df: FloatArray
    between: FloatArray
    between_df: FloatArray
    weight: FloatArray


def _sums(looks: FloatArray, people: Sequence[str]) -> _Sums:
    known: BoolArray = np.all(np.isfinite(looks), axis=-1)  # (L, N, M)
    zeroed = np.where(known[..., None], looks, 0.0)
    counts, means = [], []
    within, within_df = np.zeros(known.shape[1:]), np.zeros(known.shape[1:])
    for person in dict.fromkeys(people):
        own = [row for row, name in enumerate(people) if name == person]
        count = known[own].sum(0)  # (N, M)
        mean = zeroed[own].sum(0) / np.maximum(count, 1)[..., None]
        within += (((zeroed[own] - mean) ** 2).sum(-1) * known[own]).sum(0)
        within_df += np.maximum(count - 1, 0)
        counts.append(count)
        means.append(mean)
    count, mean = np.array(counts), np.array(means)  # (J, N, M), (J, N, M, D)
    total = count.sum(0)
    middle = (mean * count[..., None]).sum(0) / np.maximum(total, 1)[..., None]
    between = (((mean - middle) ** 2).sum(-1) * count).sum(0)
    between_df = np.maximum((count > 0).sum(0) - 1, 0)
    weight = total - (count**2).sum(0) / np.maximum(total, 1)
    return _Sums(within, within_df, between, between_df.astype(np.float64), weight)


def within_people(looks: FloatArray, people: Sequence[str]) -> Estimates:
    """How far a person's looks at one picture lie from their mean: the standard deviation, over all D axes together.

    The variance is pooled over people and pictures: the squared distances of looks from the mean of that person's looks
    at that picture, over the looks less these means.

    Args:
        looks: (L, N, M, D) of L series of looks at N pictures, M things of D coordinates each; NaN where there is none.
        people: whose each series is.
    """
    sums = _sums(looks, people)
    return _rooted(_ratio(sums.within, sums.within_df, logarithmic=True))


def between_people(looks: FloatArray, people: Sequence[str]) -> Estimates:
    """How far the places that different people mean lie apart: a standard deviation, over all D axes together.

    People are nested in pictures: where a person would place something on average over many looks differs from where
    others would, in each picture another way or always the same. The variance is estimated from the analysis of
    variance, with coefficients for unequal numbers of looks (Henderson's method 1; Searle, Casella and McCulloch 1992,
    chapter 5). Where nobody looked twice, it cannot be told from the variance within people, and holds that, too.

    Args:
        looks, people: see :func:`within_people`.
    """
    sums = _sums(looks, people)
    if not sums.within_df.any():
        return _rooted(_ratio(sums.between, sums.between_df, logarithmic=True))
    parts = np.array([sums.within, sums.within_df, sums.between, sums.between_df, sums.weight])
    matters = sums.weight > 0

    def variance(totals: FloatArray) -> FloatArray:
        within, within_df, between, between_df, weight = totals
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((between - between_df * within / within_df) / weight)

    whole = parts.sum(1)
    return _rooted(_jackknifed(variance(whole), variance(whole[:, None] - parts), matters))


def model_error(model: FloatArray, looks: FloatArray, people: Sequence[str]) -> Estimates:
    """How far a model's places lie from where people mean them to be: the root mean square, over all D axes together.

    The looks' own errors are taken out. The model's differences from two looks are multiplied with one another: what is
    wrong with either look is independent of the other, and cancels out on average. The two looks are of different
    people where there are such, so that what is right is what people mean on average; else of one person.

    Args:
        model: (N, M, D) places by the model, NaN where there is none.
        looks, people: see :func:`within_people`.
    """
    pairs = _pairs(people, same=False) or _pairs(people, same=True)
    away = model - looks
    products = np.array([(away[one] * away[other]).sum(-1) for one, other in pairs]).reshape(-1, *model.shape[:2])
    mean, known = _mean(products)
    return _rooted(_ratio(mean, known.astype(np.float64), logarithmic=False))


def model_to_look(model: FloatArray, looks: FloatArray, people: Sequence[str], *, same: bool) -> Estimates:
    """How many times as far as two looks from one another a model lies from a look, as root mean squares.

    At 1, whoever compares the model with a look finds as large differences as between two looks. Only pictures with
    both count, so that hard ones do for both.

    Args:
        model, looks, people: see :func:`model_error`.
        same: whether the two looks are of one person, or of different people.
    """
    pairs = _pairs(people, same=same)
    apart = np.array([((looks[one] - looks[other]) ** 2).sum(-1) for one, other in pairs]).reshape(-1, *model.shape[:2])
    off = ((model - looks) ** 2).sum(-1)  # (L, N, M)
    # Of a look that is in several pairs the model's distance counts as often.
    beside = np.array([(off[one] + off[other]) / 2 for one, other in pairs]).reshape(-1, *model.shape[:2])
    beside = np.where(np.isfinite(apart), beside, np.nan)
    apart = np.where(np.isfinite(beside), apart, np.nan)
    upper, known = _mean(beside)
    lower, _ = _mean(apart)
    return _rooted(_ratio(np.where(known, upper, 0), np.where(known, lower, 0), logarithmic=True))


def has_pairs(looks: FloatArray, people: Sequence[str], *, same: bool) -> bool:
    """Whether some picture has two looks of one person (``same``), or of different people."""
    known: BoolArray = np.all(np.isfinite(looks), axis=-1)
    return any((known[one] & known[other]).any() for one, other in _pairs(people, same=same))


def _pairs(people: Sequence[str], *, same: bool) -> list[tuple[int, int]]:
    count = len(people)
    return [(i, j) for i in range(count) for j in range(i + 1, count) if (people[i] == people[j]) == same]


def _mean(values: FloatArray) -> tuple[FloatArray, BoolArray]:
    """(N, M) the mean of those of (P, N, M) numbers that are known, 0 where none is; and where there are some."""
    known = np.isfinite(values)
    count = known.sum(0)
    return np.where(known, values, 0).sum(0) / np.maximum(count, 1), count > 0


def _ratio(upper: FloatArray, lower: FloatArray, *, logarithmic: bool) -> Estimates:
    """The sum of (N, M) numbers over the sum of others, with intervals from the jackknife over the N pictures.

    With ``logarithmic`` intervals are of its logarithm (Miller 1974): of what is above 0, that is nearer to normal.
    """
    totals = upper.sum(0), lower.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        whole, without = totals[0] / totals[1], (totals[0] - upper) / (totals[1] - lower)
        if not logarithmic:
            return _jackknifed(whole, without, lower > 0)
        found = _jackknifed(np.log(whole), np.log(without), (upper > 0) | (lower > 0))
    return Estimates(whole, np.exp(found.low), np.exp(found.high), found.pictures)


def _jackknifed(whole: FloatArray, without: FloatArray, matters: BoolArray) -> Estimates:
    """(M,) estimates with intervals from what is estimated without each of N pictures, (N, M)."""
    count = matters.sum(0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(matters, without, 0).sum(0) / count
        squares = np.where(matters, (without - mean) ** 2, 0).sum(0)
        error = np.sqrt((count - 1) / count * squares)
        reach = np.where(count >= FEWEST, stats.t.ppf((1 + LEVEL) / 2, np.maximum(count - 1, 1)) * error, np.nan)
    value = np.where(np.isnan(whole) | (count == 0), np.nan, whole)
    return Estimates(value, value - reach, value + reach, count)


def _rooted(found: Estimates) -> Estimates:
    """Standard deviations of variances, of which those below 0, as estimates can be, are 0."""
    value, low, high = (np.sqrt(np.maximum(part, 0)) for part in (found.value, found.low, found.high))
    return Estimates(value, low, high, found.pictures)


# --- correlation and analysis of variance ----------------------------------------------------------------------------


def icc_one_way(values: FloatArray, level: float = LEVEL) -> Interval:
    """ICC(1, 1), the share of variance that is of subjects, whoever looked (Shrout and Fleiss 1979; McGraw and Wong
    1996), with its interval from the F distribution.

    Args:
        values: (N, k) of k looks at N subjects, NaN where there is none; of unequal numbers, the weighted mean number
            stands for k.
        level: of the interval.
    """
    values = values[np.isfinite(values).sum(1) > 0]
    known = np.isfinite(values)
    counts = known.sum(1)
    subjects, looks = len(values), int(counts.sum())
    if subjects < 2 or looks == subjects:
        return Interval(np.nan, np.nan, np.nan, subjects)
    zeroed = np.where(known, values, 0)
    means = zeroed.sum(1) / counts
    error = (np.where(known, values - means[:, None], 0) ** 2).sum() / (looks - subjects)
    between = (counts * (means - zeroed.sum() / looks) ** 2).sum() / (subjects - 1)
    k = (looks - (counts**2).sum() / looks) / (subjects - 1)
    if error == 0:
        return Interval(1.0 if between else np.nan, np.nan, np.nan, subjects)
    f, tail = between / error, (1 + level) / 2
    low = f / stats.f.ppf(tail, subjects - 1, looks - subjects)
    high = f * stats.f.ppf(tail, looks - subjects, subjects - 1)
    value, low, high = ((part - 1) / (part + k - 1) for part in (f, low, high))
    return Interval(float(value), float(low), float(high), subjects)


def icc_two_way(values: FloatArray, level: float = LEVEL) -> Interval:
    """ICC(2, 1), absolute agreement of people who are drawn from many (Shrout and Fleiss 1979), with their interval.

    Args:
        values: (N, k) of k people at N subjects; subjects that one has not looked at do not count.
        level: of the interval.
    """
    values = values[np.isfinite(values).all(1)]
    n, k = values.shape
    if n < 2 or k < 2:
        return Interval(np.nan, np.nan, np.nan, n)
    mean, rows, columns = values.mean(), values.mean(1), values.mean(0)
    msr = k * ((rows - mean) ** 2).sum() / (n - 1)
    msc = n * ((columns - mean) ** 2).sum() / (k - 1)
    mse = ((values - rows[:, None] - columns + mean) ** 2).sum() / ((n - 1) * (k - 1))
    whole = msr + (k - 1) * mse + k * (msc - mse) / n
    if whole == 0:
        return Interval(np.nan, np.nan, np.nan, n)
    icc = (msr - mse) / whole
    if mse == 0:
        return Interval(float(icc), np.nan, np.nan, n)
    fj, tail = msc / mse, (1 + level) / 2
    part = n * (1 + (k - 1) * icc) - k * icc
    freedom = (n - 1) * (k - 1) * (k * icc * fj + part) ** 2 / ((n - 1) * (k * icc * fj) ** 2 + part**2)
    lower, upper = stats.f.ppf(tail, n - 1, freedom), stats.f.ppf(tail, freedom, n - 1)
    rest = k * msc + (k * n - k - n) * mse
    low = n * (msr - lower * mse) / (lower * rest + n * msr)
    high = n * (upper * msr - mse) / (rest + n * upper * msr)
    return Interval(float(icc), float(low), float(high), n)


@dataclass(frozen=True)
class Source:
    """A line of an analysis of variance. ``f`` is NaN where nothing is left to compare with."""

    name: str
    df: float
    ss: float
    f: float

    @property
    def ms(self) -> float:
        return self.ss / self.df


def procrustes_anova(shapes: FloatArray, subjects: Sequence[int], people: Sequence[str]) -> tuple[list[Source], float]:
    """Goodall's analysis of variance of superimposed shapes, and their repeatability (Fruciano 2016).

    Sums of squares are over all coordinates, one source after the other: individuals, people, what people see
    differently in each individual (where somebody looked twice), and the rest. F is against the rest; of a plane shape
    with K landmarks, degrees of freedom are multiplied by 2K − 4, which leaves F as it is.

    Args:
        shapes: (S, K, 2) superimposed together, one for each look.
        subjects: S numbers, whom each shows.
        people: S names, who looked.

    Returns:
        The lines, and R: the share of variance that is of individuals, for one look by any of the people. It is
        (MS of individuals − MS of all else) / k over itself plus MS of all else, k being the number of looks at each,
        of unequal ones the weighted mean; NaN where nobody was looked at twice.
    """
    flat = shapes.reshape(len(shapes), -1)
    size = 2 * shapes.shape[1] - 4
    names = list(dict.fromkeys(people))
    subject = np.unique(np.asarray(subjects), return_inverse=True)[1]
    person = np.array([names.index(name) for name in people])
    centred = _less_means(flat, subject)
    left = [((flat - flat.mean(0)) ** 2).sum(), (centred**2).sum()]
    parameters = [1, int(subject.max()) + 1]
    titles = ["individuals"]
    if len(names) > 1:
        columns = _less_means(np.eye(len(names))[person], subject)
        fitted, _, rank, _ = np.linalg.lstsq(columns, centred, rcond=None)
        left.append(((centred - columns @ fitted) ** 2).sum())
        parameters.append(parameters[-1] + int(rank))
        titles.append("people")
        cell = np.unique(subject * len(names) + person, return_inverse=True)[1]
        cells = int(cell.max()) + 1
        if parameters[-1] < cells < len(flat):
            left.append((_less_means(flat, cell) ** 2).sum())
            parameters.append(cells)
            titles.append("individuals × people")
    left.append(0.0)
    parameters.append(len(flat))
    titles.append("rest")
    ss, df = -np.diff(left), np.diff(parameters)
    rest = ss[-1] / df[-1] if df[-1] else np.nan
    lines = [
        Source(title, float(size * d), float(s), float(s / d / rest) if title != "rest" and d and rest else np.nan)
        for title, d, s in zip(titles, df, ss, strict=True)
        if d
    ]
    return lines, _repeatability(left[0] - left[1], left[1], np.bincount(subject))


def _repeatability(between: float, error: float, counts: npt.NDArray[np.int64]) -> float:
    """The share of variance that is of individuals: of sums of squares, and how often each was looked at."""
    subjects, looks = len(counts), int(counts.sum())
    if subjects < 2 or looks == subjects:
        return float("nan")
    k = (looks - (counts**2).sum() / looks) / (subjects - 1)
    noise = error / (looks - subjects)
    signal = (between / (subjects - 1) - noise) / k
    return float(signal / (signal + noise)) if signal + noise else float("nan")


def _less_means(values: FloatArray, group: npt.NDArray[np.int64]) -> FloatArray:
    """(S, D) values less the mean of their group."""
    counts = np.bincount(group)
    sums = np.zeros((len(counts), values.shape[1]))
    np.add.at(sums, group, values)
    return np.asarray(values - (sums / counts[:, None])[group])
