"""Points along a curve as the page's JavaScript finds them are those that Python finds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lead.landmarks.curves import names_along, resampled

STATIC = Path(__file__).parents[2] / "src" / "lead" / "studio" / "static"
ASK = """
const {namesAlong, resampled} = await import(process.argv[1]);
let text = '';
for await (const part of process.stdin) text += part;
const {curves, names} = JSON.parse(text);
console.log(JSON.stringify({curves: curves.map(({places, count, ...way}) => resampled(places, count, way)),
  names: names.map(([name, count]) => namesAlong(name, count))}));
"""


def test_the_page_spaces_points_as_python_does() -> None:
    node = shutil.which("node")
    if node is None:
        if os.environ.get("LEAD_REQUIRE_NODE", "0") not in ("", "0"):
            pytest.fail("no Node")
        pytest.skip("no Node")
    rng = np.random.default_rng(5)
    curves, expected = [], []
    for n in (2, 3, 4, 7, 30):
        places = rng.uniform(-50, 4000, (n, 2)).round(3)
        places = np.insert(places, 1, places[1], axis=0)  # clicked twice in one place
        for closed in (False, True)[: 1 + (n > 2)]:
            for smooth in (False, True):
                for count in (3, 20, 101):
                    curves.append({"places": places.tolist(), "count": count, "closed": closed, "smooth": smooth})
                    expected.append(resampled(places, count, closed=closed, spline=smooth))
    names = [("rim", 3), ("rim", 120)]
    asked = json.dumps({"curves": curves, "names": names})
    command = [node, "--input-type=module", "-e", ASK, "--", str(STATIC / "curves.js")]
    said = json.loads(subprocess.run(command, input=asked, capture_output=True, encoding="utf-8", check=True).stdout)
    assert said["names"] == [list(names_along(*each)) for each in names]
    for ours, theirs in zip(said["curves"], expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6, rtol=0)
