"""The rows of a table, from predictions."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from lead.evaluation.metrics import FURTHER, FloatArray, calibration, hiding, summarise
from lead.evaluation.predictions import SHARES, Predictions
from lead.evaluation.results import PEERS_UNIT, UNIT, Row

PIXELS = 70
"""Side in pixels of the frame in which the peers count matching errors."""


def error_rows(measured: Iterable[Predictions]) -> list[Row]:
    """How large the errors are; and, where errors were predicted too, how well: a row for each measure."""
    return [row for predictions in measured for row in (*_errors(predictions), *_calibration(predictions))]


def further_rows(measured: Iterable[Predictions]) -> list[Row]:
    """A row for each of FURTHER."""
    rows = []
    for predictions in measured:
        errors = predictions.errors
        for key, (_, metric) in FURTHER.items():
            rows.append(_row(predictions, f"{key}-{predictions.metric}", [metric(one) for one in errors]))
    return rows


def _row(predictions: Predictions, metric: str, values: list[float]) -> Row:
    """A row of one number for each draw."""
    p = predictions
    return Row.of_values(p.method, p.features, p.labels, metric, UNIT, values)


def _errors(predictions: Predictions) -> list[Row]:
    p = predictions
    in_units = {UNIT: p.errors}
    if p.metric.startswith("peers-"):
        # The offsets in normalised coordinates, as the peers' protocol computes with them.
        offsets = (p.xy - p.truth) / (p.shown / 2)
        pixels: FloatArray = np.linalg.norm(offsets, axis=-1) * (PIXELS / 2)
        in_units = {PEERS_UNIT: pixels} | in_units
    return [
        Row.of_draws(p.method, p.features, p.labels, p.metric, unit, [summarise(one) for one in errors])
        for unit, errors in in_units.items()
    ]


def _calibration(predictions: Predictions) -> list[Row]:
    p = predictions
    if p.expected is None or p.radii is None:
        return []
    by_draw = []
    for d, away in enumerate(p.errors_in_frame):
        expected, radii = p.expected[d], dict(zip(SHARES, p.radii[:, d], strict=True))
        found = calibration(expected, radii, away)
        if p.predicted_hidden is not None and p.hidden is not None:
            found |= hiding(p.predicted_hidden[d], p.hidden, np.isfinite(away) & np.isfinite(expected))
        by_draw.append(found)
    points = p.metric.removeprefix("regression-")
    return [_row(p, f"{key}-{points}", [found[key] for found in by_draw]) for key in by_draw[0]]
