"""Curves over a pair of axes, laid out as the numbers of an SVG drawing; the report's template draws them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

FloatArray = npt.NDArray[np.float64]

WIDTH, HEIGHT = 400.0, 200.0
"""The area between the axes, in SVG units."""
VERTICES = 400
"""Vertices of a drawn curve at most: one a unit. A longer curve is averaged down."""


@dataclass(frozen=True)
class Curve:
    """A named series: steps, rising, and the value at each. Values that are not finite are left out."""

    name: str
    steps: Sequence[float]
    values: Sequence[float]

    def finite(self) -> tuple[FloatArray, FloatArray]:
        """The steps and values that can be drawn."""
        x, y = np.asarray(self.steps, dtype=np.float64), np.asarray(self.values, dtype=np.float64)
        return x[np.isfinite(y)], y[np.isfinite(y)]


@dataclass(frozen=True)
class Chart:
    """Curves over one pair of axes.

    Attributes:
        title, x, y: the chart's title and its axes' labels.
        curves: the colours repeat after six.
        smooth: the running mean over this many values is drawn, the values themselves faintly behind it.
    """

    title: str
    x: str
    y: str
    curves: Sequence[Curve]
    smooth: int = 1


@dataclass(frozen=True)
class Axis:
    """Maps values to SVG units, ``low`` to ``start`` and ``high`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def place(self, values: FloatArray) -> FloatArray:
        """Values to SVG units."""
        return self.start + (values - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[tuple[float, str]]:
        """Round values along the axis: the position and the text of each."""
        values = np.asarray(MaxNLocator(5, steps=[1, 2, 5, 10]).tick_values(self.low, self.high))
        slack = 1e-9 * (self.high - self.low)
        within = values[(values >= self.low - slack) & (values <= self.high + slack)]
        return [(round(at, 1), f"{value:,.6g}") for at, value in zip(self.place(within), within, strict=True)]


@dataclass(frozen=True)
class Trace:
    """A curve as SVG path data, and its values before smoothing, or nothing if they were not smoothed."""

    name: str
    path: str
    faint: str


@dataclass(frozen=True)
class Plot:
    """A chart in SVG units; the area between the axes is WIDTH × HEIGHT with y growing down."""

    x: Axis
    y: Axis
    traces: tuple[Trace, ...]


def lay_out(chart: Chart) -> Plot:
    """The drawing of a chart. The axes span what is drawn boldly; a faint excursion may leave them."""
    raw = [curve.finite() for curve in chart.curves]
    bold = [running_mean(y, chart.smooth) for _, y in raw]
    x_axis = Axis(*_span([x for x, _ in raw], margin=0.0), 0.0, WIDTH)
    y_axis = Axis(*_span(bold, margin=0.06), HEIGHT, 0.0)

    def path(x: FloatArray, y: FloatArray) -> str:
        vertices = zip(_thin(x_axis.place(x)), _thin(y_axis.place(y)), strict=True)
        return " ".join(f"{'L' if i else 'M'}{a:.1f} {b:.1f}" for i, (a, b) in enumerate(vertices))

    traces = [
        Trace(curve.name, path(x, smooth), path(x, y) if chart.smooth > 1 else "")
        for curve, (x, y), smooth in zip(chart.curves, raw, bold, strict=True)
    ]
    return Plot(x_axis, y_axis, tuple(traces))


def running_mean(values: FloatArray, window: int) -> FloatArray:
    """The mean of up to ``window`` values around each one, fewer at the ends. Returns as many as it is given."""
    before, after = (window - 1) // 2, window // 2
    total = np.concatenate([[0.0], np.cumsum(values)])
    index = np.arange(len(values))
    start, stop = np.maximum(index - before, 0), np.minimum(index + after + 1, len(values))
    mean: FloatArray = (total[stop] - total[start]) / (stop - start)
    return mean


def _span(series: Sequence[FloatArray], *, margin: float) -> tuple[float, float]:
    """The lowest and highest value, with a share of their distance around them; never the same number twice."""
    values = np.concatenate([*series, np.empty(0)])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    if low == high:
        low, high = low - 0.5, high + 0.5
    return low - margin * (high - low), high + margin * (high - low)


def _thin(values: FloatArray) -> FloatArray:
    """At most VERTICES values, each the mean of as many neighbours as it takes."""
    if len(values) <= VERTICES:
        return values
    return np.array([part.mean() for part in np.array_split(values, VERTICES)])
