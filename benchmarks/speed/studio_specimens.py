"""How smoothly the studio pans over a picture of many specimens, and how soon such a picture is there.

    python -m benchmarks.speed.studio_specimens [--specimens 500] [--landmarks 13] [--results results]

``lead studio`` in a process of its own and headless Chromium, drawn without a graphics card, before it: 1280 × 800
pixels, on one drawn picture of 4000 × 3000 pixels, once without labels and once with ``--specimens`` labelled ones of
``--landmarks`` landmarks each, joined by lines. At each zoom the view is moved by 8 pixels in each frame, for 120
frames, to and fro; times are those from one frame to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from benchmarks.measuring import keep, since, table
from benchmarks.speed.studio_next import PATIENCE_MS, studio
from lead.beetles.writing import write_beetles

WIDTH, HEIGHT = 4000, 3000
DRAWN_SIDE = 800
ZOOMS = (1, 3, 8)
"""Times as near as where the whole is in sight."""
QUIET_MS = 2500
"""Until tiles are there, and nothing else is drawn."""
PAN = """() => new Promise((done) => {
  const {canvas} = studio;
  const times = [];
  let before = performance.now();
  const step = () => {
    const now = performance.now();
    times.push(now - before);
    before = now;
    if (times.length > 120) done(times.slice(1));
    else {
      const way = times.length % 60 < 30 ? -1 : 1;
      canvas.pan(8 * way, 5 * way);
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
})"""
TURN = """(times) => {
  const {canvas} = studio;
  canvas.fit();
  canvas.zoom(times);
}"""
IN_SIGHT = """() => {
  const {others, view, size} = studio.canvas;
  return others.filter(({spots}) => spots.some(({x, y}) => {
    const [sx, sy] = view.place(x, y);
    return sx >= 0 && sy >= 0 && sx <= size.width && sy <= size.height;
  })).length;
}"""


def draw(path: Path, scratch: Path) -> None:
    """A beetle, enlarged."""
    write_beetles(scratch / "drawn", 1, size=DRAWN_SIDE, workers=1)
    (file,) = (scratch / "drawn" / "images").iterdir()
    Image.open(file).convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR).save(path, quality=90)


def write_labels(path: Path, file: str, specimens: int, landmarks: int) -> None:
    """Specimens in rows over the whole picture, each with its landmarks in a ring."""
    across = round((specimens * WIDTH / HEIGHT) ** 0.5)
    step = WIDTH / across
    angles = 2 * np.pi * np.arange(landmarks) / landmarks
    annotations = []
    for i in range(specimens):
        x, y = (i % across + 0.5) * step, (i // across + 0.5) * step
        ring = np.stack([x + 0.35 * step * np.cos(angles), y + 0.35 * step * np.sin(angles)], axis=1).round(2)
        triples = [value for px, py in ring.tolist() for value in (px, py, 2)]
        annotations.append({"id": i + 1, "image_id": 1, "category_id": 1, "keypoints": triples})
    names = [f"landmark-{k + 1}" for k in range(landmarks)]
    lines = [[k + 1, (k + 1) % landmarks + 1] for k in range(landmarks)]
    category = {"id": 1, "name": "specimen", "keypoints": names, "skeleton": lines}
    image = {"id": 1, "file_name": file, "width": WIDTH, "height": HEIGHT}
    document = {"images": [image], "annotations": annotations, "categories": [category]}
    path.write_text(json.dumps(document), encoding="utf-8")


def measured(page: Page, address: str, what: str) -> list[dict[str, Any]]:
    """How long the picture takes to come, and the frames at each zoom."""
    begun = time.perf_counter()
    page.goto(f"{address}#/label")
    page.wait_for_function("() => window.studio?.canvas?.element.dataset.ready")
    there = since(begun)
    page.wait_for_timeout(QUIET_MS)
    rows = []
    for zoom in ZOOMS:
        page.evaluate(TURN, zoom)
        page.wait_for_timeout(QUIET_MS)
        seen = page.evaluate(IN_SIGHT)
        frames = page.evaluate(PAN)
        rows.append(
            {
                "what": what,
                "zoom": zoom,
                "seen": seen,
                "there": there,
                "median": float(np.median(frames)),
                "slow": float(np.percentile(frames, 95)),
                "rate": 1000 / float(np.mean(frames)),
            }
        )
    return rows


COLUMNS = {
    "what": ("Labels", "{}"),
    "zoom": ("times as near as the whole", "{}"),
    "seen": ("specimens in sight", "{}"),
    "rate": ("frames a second", "{:.0f}"),
    "median": ("from frame to frame: median, ms", "{:.0f}"),
    "slow": ("95th percentile, ms", "{:.0f}"),
    "there": ("until the picture is there, ms", "{:.0f}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--specimens", type=int, default=500)
    parser.add_argument("--landmarks", type=int, default=13)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    program = os.environ.get("LEAD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    rows: list[dict[str, Any]] = []
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary) / "pictures"
        folder.mkdir()
        draw(folder / "tray.jpg", Path(temporary))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for what in ("none", f"{chosen.specimens} specimens of {chosen.landmarks}"):
            if rows:
                write_labels(folder / "annotations.json", "tray.jpg", chosen.specimens, chosen.landmarks)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.set_default_timeout(PATIENCE_MS)
            with studio(folder, None, Path(temporary) / "cache") as address:
                rows += measured(page, address, what)
            page.close()
        browser.close()
    found = {
        "specimens": chosen.specimens,
        "landmarks": chosen.landmarks,
        "width": WIDTH,
        "height": HEIGHT,
        "load_before": round(load, 2),
        "rows": rows,
    }
    keep("studio-specimens", found, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
