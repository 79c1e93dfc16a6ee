"""The drawing of where each format puts a pixel's centre shows what the formats write."""

from __future__ import annotations

import io
import re
import runpy
import zipfile
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lead.landmarks import Labels, Schema
from lead.landmarks.formats import format_named
from lead.landmarks.pictures import Sized

DOCS = Path(__file__).parents[2] / "docs"
SCRIPT: dict[str, Any] = runpy.run_path(str(DOCS / "pixel_centres.py"))
COUNTINGS: tuple[Any, ...] = SCRIPT["COUNTINGS"]


def test_the_drawing_is_the_scripts() -> None:
    assert (DOCS / "pixel-centres.svg").read_text(encoding="utf-8") == SCRIPT["drawing"]()


@pytest.mark.parametrize(
    ("format", "written"),
    [(name, counting.written) for counting in COUNTINGS for name in counting.formats if name != "sleap"],  # no text
)
def test_the_drawn_numbers_are_those_in_the_file(format: str, written: str) -> None:
    labels = Labels.from_xy(Schema(("nose",)), ["a.png"], [[SCRIPT["MARKED"]]])
    data = format_named(format).dump(labels, Sized({"a.png": (SCRIPT["WIDTH"], SCRIPT["HEIGHT"])}))
    if data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            data = b"\n".join(map(archive.read, archive.namelist()))
    numbers = [float(text) for text in re.findall(r"-?\d+(?:\.\d+)?", data.decode())]
    drawn = np.array([float(text) for text in re.findall(r"\d+(?:\.\d+)?", written)])
    pairs = list(pairwise(numbers))
    assert any(np.allclose(np.array(pair) * scale, drawn, atol=0.05) for pair in pairs for scale in (1, 100)), pairs
