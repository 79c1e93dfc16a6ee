"""A TPS file is measured, and its shapes compared, whether or not its pictures are at hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lead.errors import LeadError
from lead.landmarks.io import read_labels
from lead.morphometrics.measures import Measure
from lead.morphometrics.measuring import measure
from lead.morphometrics.opening import opened
from lead.morphometrics.shape import shapes_of

POINTS = ["10 20", "40 22", "30 60", "12 44"]


def test_where_y_begins_makes_no_difference(tmp_path: Path) -> None:
    draws = np.random.default_rng(2)
    blocks = []
    for i in range(4):
        xy = np.array([place.split() for place in POINTS], float) + draws.normal(0, 2, (4, 2))
        blocks.append("\n".join([f"LM={len(xy)}", *(f"{x:.3f} {y:.3f}" for x, y in xy), f"IMAGE={i}.png", f"ID={i}"]))
    for name in ("alone", "beside"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "four.tps").write_text("\n".join(blocks) + "\n")
    for i in range(4):
        Image.new("L", (80, 90 + 7 * i)).save(tmp_path / "beside" / f"{i}.png")
    alone, beside = (opened(tmp_path / name / "four.tps").labels for name in ("alone", "beside"))
    measures = [
        Measure("length", "distance", ("1", "2")),
        Measure("angle", "angle", ("1", "2", "3")),
        Measure("lean", "axis", ("1", "3")),
        Measure("area", "area", ("1", "2", "3", "4")),
    ]
    np.testing.assert_allclose(measure(alone, measures).values, measure(beside, measures).values, rtol=1e-12)
    np.testing.assert_allclose(shapes_of(alone).shapes, shapes_of(beside).shapes, atol=1e-12)
    with pytest.raises(LeadError, match="counts from the bottom"):  # where places are wanted, heights are needed
        read_labels(tmp_path / "alone" / "four.tps")
