"""How often the 90 % intervals of measures hold the true value, on pictures that the model has not seen.

    python -m benchmarks.studies.measures NAME=PREDICTIONS.npz [NAME=PREDICTIONS.npz …]

Takes what `lead evaluate` or `lead demo` keeps in predictions/ of a run, with expected errors. Measures are drawn at
random from the landmarks. Half of the pictures are judged, three times for each draw of labels: landmarks taken as
independent; and with what `lead measure --checked` learns from the others, or from as many of them as labels: how
errors go together and how large they are.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.measuring import keep, table
from lead.evaluation.predictions import Predictions
from lead.landmarks import Labels, Schema
from lead.morphometrics.measures import Measure
from lead.morphometrics.measuring import Table, measure
from lead.morphometrics.spread import correlation, deviations, enlargement

EACH = 30
"""Measures of each kind."""
KINDS = {"distance": 2, "path": 4, "area": 4, "angle": 3, "from_line": 3}
"""And how many landmarks each takes."""
WAYS = {"independent": "independent", "few": "learnt from few", "half": "learnt from half"}
COLUMNS = {
    "name": ("Pictures", "{}"),
    "kind": ("measure", "{}"),
    "labels": ("labels", "{}"),
    **{way: (f"held, {title} (%)", "{:.1f}") for way, title in WAYS.items()},
    **{f"{way}_wide": (f"width, {title}", "{:.2f}") for way, title in WAYS.items()},
}


def measures_of(names: list[str], mean: npt.NDArray[np.float64]) -> list[Measure]:
    """Measures at random; outlines go round their middle in the mean picture, so that most do not cross themselves."""
    random = np.random.default_rng(0)
    found = []
    for kind, count in KINDS.items():
        for number in range(EACH):
            chosen = random.choice(len(names), count, replace=False)
            if kind == "area":
                x, y = (mean[chosen] - mean[chosen].mean(0)).T
                chosen = chosen[np.argsort(np.arctan2(y, x))]
            found.append(Measure(f"{kind} {number}", kind, tuple(names[i] for i in chosen)))
    lengths = [one.name for one in found if one.kind in ("distance", "path")]
    pairs = [random.choice(lengths, 2, replace=False).tolist() for _ in range(EACH)]
    return [*found, *(Measure(f"ratio {i}", "ratio", tuple(pair)) for i, pair in enumerate(pairs))]


def judged(saved: Predictions, draw: int, measures: list[Measure]) -> dict[str, dict[str, list[npt.NDArray[Any]]]]:
    """By way and kind, whether each interval holds the true value, and |error| over standard error."""
    assert saved.expected is not None
    assert saved.radii is not None
    to_pixels = saved.shown / saved.scale[:, :1]
    names = Schema(tuple(str(name) for name in saved.landmarks))
    images = tuple(str(row) for row in range(len(saved.images)))
    seen = np.full(saved.truth.shape[:2], 2, dtype=np.int8)
    radii = saved.radii[2, draw] * to_pixels
    labels = Labels(names, images, saved.xy[draw], seen, px_error=saved.expected[draw] * to_pixels, px_90=radii)
    true = measure(Labels.from_xy(names, images, saved.truth), measures).values
    residuals = (labels.xy - saved.truth) / deviations(labels)[..., None]
    order = np.random.default_rng(draw).permutation(len(images))
    few, half = order[: saved.labelled.shape[1]], order[: len(order) // 2]
    rows = order[len(order) // 2 :]
    found = {"independent": _by_kind(measure(labels, measures), true, rows)}
    for way, learnt_from in (("few", residuals[few]), ("half", residuals[half])):
        sized = replace(labels, px_90=radii * enlargement(learnt_from))
        found[way] = _by_kind(measure(sized, measures, together=correlation(learnt_from)), true, rows)
    return found


def _by_kind(table: Table, true: npt.NDArray[np.float64], rows: npt.NDArray[np.int64]) -> dict[str, list[Any]]:
    held = (table.low <= true) & (true <= table.high)
    with np.errstate(invalid="ignore"):
        away = np.abs(table.values - true) / table.errors
    kinds = np.array([one.kind for one in table.measures])
    found = {}
    for kind in dict.fromkeys(kinds.tolist()):
        parts = [part[rows][:, kinds == kind] for part in (held, away)]
        known = np.isfinite(parts[1])
        found[kind] = [part[known] for part in parts]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("predictions", nargs="+", metavar="NAME=PREDICTIONS")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    rows, origins = [], {}
    for given in chosen.predictions:
        name, _, path = given.partition("=")
        saved = Predictions.load(Path(path))
        middles = saved.truth - np.nanmean(saved.truth, axis=1, keepdims=True)
        measures = measures_of([str(one) for one in saved.landmarks], np.nanmean(middles, axis=0))
        draws = [judged(saved, draw, measures) for draw in range(len(saved.xy))]
        for kind in draws[0]["independent"]:
            row: dict[str, Any] = {"name": name, "kind": kind, "labels": saved.labelled.shape[1]}
            for way in WAYS:
                held, away = (np.concatenate([draw[way][kind][i] for draw in draws]) for i in (0, 1))
                row[way] = 100 * float(held.mean())
                row[f"{way}_wide"] = 1.6448536 / float(np.quantile(away, 0.9))
            rows.append(row | {"draws": len(draws), "judged": len(held) // len(draws)})
        origins[name] = dict(saved.origin)
    text = table(COLUMNS, rows)
    keep("measures", {"measures": rows, "origins": origins}, text, chosen.results)


if __name__ == "__main__":
    main()
