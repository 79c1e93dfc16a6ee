"""One HTML file that shows shapes. It needs no network and no script; its points say their names when pointed at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.ticker import MaxNLocator

from lead.morphometrics.procrustes import spline
from lead.morphometrics.rendering import rendered
from lead.morphometrics.shape import Shapes

FloatArray = npt.NDArray[np.float64]

SIDE = 320.0
"""Of a drawing, in SVG units."""
MARGIN = 0.06
"""Around what is drawn, as a share of its longer side."""
DEVIATIONS = 2.0
"""Standard deviations from the mean at which shapes along a component are drawn."""
CELLS, STEPS = 12, 4
"""Of a grid along its longer side, and points that a line of it has in each."""
APART = 3.0
"""Times by which mean shapes of groups are drawn farther from the mean than they are."""
COMPONENTS = 3
"""That are drawn as grids."""
MOST_POINTS = 400
"""Specimens that are drawn in the cloud around the mean; of more, as many evenly spread."""
COLOURS = 6
"""That groups are drawn in; of more groups, some share one."""
MOST_LISTED = 30


@dataclass(frozen=True)
class Plot:
    """Specimens on two principal components.

    Attributes:
        across, up: what is on the axes.
        points: (x, y, name) of each in SVG units, and the class that says its colour.
        ticks_across, ticks_up: places in SVG units, with what stands there.
    """

    across: str
    up: str
    points: list[tuple[float, float, str, str]]
    ticks_across: list[tuple[float, str]]
    ticks_up: list[tuple[float, str]]


@dataclass(frozen=True)
class Drawing:
    """A shape with a grid that is bent as it is: paths in SVG units, and (x, y, name) of the landmarks."""

    title: str
    lines: list[str]
    skeleton: list[str]
    dots: list[tuple[float, float, str]]
    cloud: list[tuple[float, float]]


def page(found: Shapes, names: Sequence[str]) -> str:
    """The page's text.

    Args:
        found: the shapes.
        names: of the N specimens.
    """
    far, shares = found.far(), found.variances / max(found.variances.sum(), np.finfo(float).tiny)
    count = len(found.variances)
    pairs = [(0, other) for other in range(1, min(count, 3))]
    drawn = [component for component in range(min(count, COMPONENTS)) if np.isfinite(shares[component])]
    low, high = np.quantile(found.sizes, (0.1, 0.9))
    return rendered(
        "shapes.html.j2",
        specimens=len(names),
        landmarks=len(found.mean),
        unit=found.unit,
        size=f"{np.median(found.sizes):.4g}",
        size_range=f"{low:.4g} to {high:.4g}",
        distance=f"{np.median(found.distances):.3g}",
        estimated=int(found.estimated.sum()),
        shares=[f"{100 * share:.1f}" for share in shares[:10]],
        plots=[_plot(found, names, far, shares, *pair) for pair in pairs],
        mean=_drawing(found, found.mean, "Mean shape, with the specimens around it", cloud=True),
        grids=[(component + 1, [_along(found, component, sign) for sign in (-1, 1)]) for component in drawn],
        groups=[
            (f"g{number % COLOURS}", name, _drawing(found, mean, f"{name}, differences enlarged {APART:g} times"))
            for number, (name, mean) in enumerate(_apart(found).items())
        ],
        far=[(names[row], f"{found.distances[row]:.3g}", found.oddest(row)) for row in far[:MOST_LISTED]],
        far_count=len(far),
        asymmetry=_asymmetry(found, names),
        side=SIDE,
        deviations=f"{DEVIATIONS:g}",
    )


def _plot(found: Shapes, names: Sequence[str], far: Sequence[int], shares: FloatArray, across: int, up: int) -> Plot:
    scores = found.scores[:, [across, up]]
    low, high = scores.min(0), scores.max(0)
    span = max(float((high - low).max()), np.finfo(float).tiny) * (1 + 2 * MARGIN)  # one unit on both axes
    middle = (low + high) / 2

    def place(values: FloatArray, axis: int) -> list[float]:
        placed = (values - middle[axis]) / span + 0.5
        return [round(float(value) * SIDE, 2) for value in (1 - placed if axis else placed)]

    odd, colours = set(far), _colours(found)
    points = [
        (x, y, name, colours[row] if colours else "odd" if row in odd else "dot")
        for row, (x, y, name) in enumerate(zip(place(scores[:, 0], 0), place(scores[:, 1], 1), names, strict=True))
    ]
    ticks = []
    for axis in (0, 1):
        ends = middle[axis] - span / 2, middle[axis] + span / 2
        values = np.array([v for v in MaxNLocator(5).tick_values(*ends) if ends[0] <= v <= ends[1]])
        ticks.append(list(zip(place(values, axis), (f"{value:.3g}" for value in values), strict=True)))
    titles = [f"PC{c + 1} ({100 * shares[c]:.1f} %)" for c in (across, up)]
    return Plot(titles[0], titles[1], points, ticks[0], ticks[1])


def _apart(found: Shapes) -> dict[str, FloatArray]:
    """The mean shape of each group, drawn farther from the mean of all than it is: they would look alike."""
    return {name: found.mean + APART * (mean - found.mean) for name, mean in found.group_means().items()}


def _colours(found: Shapes) -> list[str]:
    """The class of each specimen's group; empty without groups."""
    order = list(found.group_means())
    return [f"g{order.index(group) % COLOURS}" for group in found.groups or ()]


def _along(found: Shapes, component: int, sign: int) -> Drawing:
    words = "less" if sign < 0 else "more"
    title = f"{DEVIATIONS:g} standard deviations {words}"
    return _drawing(found, found.along(component, sign * DEVIATIONS), title)


def _drawing(found: Shapes, shape: FloatArray, title: str, *, cloud: bool = False) -> Drawing:
    """A shape over the grid that is square on the mean; or, for the mean itself, over the cloud of specimens."""
    lines = [] if cloud else _bent(found.mean, shape)
    around = found.shapes[:: len(found.shapes) // MOST_POINTS + 1].reshape(-1, 2) if cloud else np.zeros((0, 2))
    everything = np.concatenate([shape, around, *lines])
    low, high = everything.min(0), everything.max(0)
    span = float((high - low).max()) * (1 + 2 * MARGIN)
    middle = (low + high) / 2

    def placed(points: FloatArray) -> list[tuple[float, float]]:
        flat = ((points - middle) / span * (1, -1) + 0.5) * SIDE
        return [(x, y) for x, y in np.round(flat, 2).tolist()]

    schema = found.labels.schema
    bones = [shape[[schema.index(one), schema.index(other)]] for one, other in schema.lines]
    dots = [(x, y, name) for (x, y), name in zip(placed(shape), schema.names, strict=True)]
    return Drawing(
        title, [_path(placed(line)) for line in lines], [_path(placed(b)) for b in bones], dots, placed(around)
    )


def _bent(mean: FloatArray, shape: FloatArray) -> list[FloatArray]:
    """The lines of a grid around the mean, as the thin-plate spline to a shape bends them; none where it cannot be."""
    low, high = mean.min(0), mean.max(0)
    cell = float((high - low).max()) / CELLS
    counts = np.ceil((high - low) / cell).astype(int) + 2
    start = (low + high) / 2 - cell * counts / 2
    lines = []
    for axis in (0, 1):
        along = np.linspace(0, counts[axis] * cell, counts[axis] * STEPS + 1) + start[axis]
        for number in range(counts[1 - axis] + 1):
            line = np.empty((len(along), 2))
            line[:, axis], line[:, 1 - axis] = along, start[1 - axis] + number * cell
            lines.append(line)
    try:
        bent = spline(mean, shape, np.concatenate(lines))
    except np.linalg.LinAlgError:
        return []
    return np.split(bent, np.cumsum([len(line) for line in lines])[:-1])


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:g} {y:g}" for x, y in points)


def _asymmetry(found: Shapes, names: Sequence[str]) -> dict[str, object] | None:
    """How far the specimens are from symmetric, if it is known what symmetric is."""
    if found.symmetry is None:
        return None
    fluctuating = found.symmetry.fluctuating
    order = np.argsort(-fluctuating, kind="stable")[:5].tolist()
    return {
        "directional": f"{found.symmetry.directional:.3g}",
        "usual": f"{np.median(fluctuating):.3g}",
        "most": [(names[row], f"{fluctuating[row]:.3g}") for row in order],
    }
