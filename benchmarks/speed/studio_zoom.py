"""How long a very large picture takes to come into sight in the studio, and how smoothly it is zoomed and panned.

    python -m benchmarks.speed.studio_zoom [--side 10000] [--results results]

``lead studio`` in a process of its own and headless Chromium, drawn without a graphics card, before it: 1280 × 800
pixels, on one drawn picture of ``--side`` × ``--side`` pixels with a camera's noise, as a JPEG. At each zoom the time
is that from turning there until all that is in sight is drawn as sharp as the zoom can show it. Then the view is moved
by 12 pixels in each frame, for 60 frames, over parts that were not in sight before, and times are those from one frame
to the next. *Decoded*: the server holds all of the file's pixels, from which it cuts what is zoomed into.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops
from playwright.sync_api import Page, Request, sync_playwright

from benchmarks.measuring import keep, since, table
from benchmarks.speed.studio_next import PATIENCE_MS, studio
from lead.beetles.writing import write_beetles

DRAWN_SIDE = 1000
NOISE = 10
"""Grey values by which pixels are off, at most."""
ZOOMS = (0.15, 0.25, 0.5, 1.0, 4.0)
"""Pixels of the screen to one of the picture's."""
QUIET_S = 0.3
"""All is there once nothing has been asked for so long."""
PAN = """() => new Promise((done) => {
  const {canvas} = studio;
  const times = [];
  let before = performance.now();
  const step = () => {
    const now = performance.now();
    times.push(now - before);
    before = now;
    if (times.length > 60) done(times.slice(1));
    else {
      canvas.pan(-12, -8);
      requestAnimationFrame(step);
    }
  };
  requestAnimationFrame(step);
})"""
TURN = """(zoom) => {
  const {canvas} = studio;
  canvas.fit();
  canvas.zoom(zoom / canvas.view.scale);
}"""
LOADED = """() => {
  const tiles = performance.getEntriesByType('resource').filter(({name}) => name.includes('/tile?'));
  return [tiles.length, tiles.reduce((sum, {encodedBodySize: bytes}) => sum + bytes, 0) / 1e6];
}"""
FRAME = "() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))"


class Tiles:
    """Follows what a page asks of a picture's tiles."""

    def __init__(self, page: Page) -> None:
        self.waiting, self.last = set[Request](), time.perf_counter()
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _begun(self, request: Request) -> None:
        if "/tile?" in request.url:
            self.waiting.add(request)

    def _ended(self, request: Request) -> None:
        if request in self.waiting:
            self.waiting.remove(request)
            self.last = time.perf_counter()

    def settled(self, page: Page, begun: float) -> float:
        """Milliseconds from ``begun`` until the last tile was there and drawn, or the view itself."""
        page.evaluate(FRAME)
        self.last = time.perf_counter()
        while self.waiting or time.perf_counter() - self.last < QUIET_S:
            page.wait_for_timeout(20)
        return 1000 * (self.last - begun)


def draw(path: Path, side: int, scratch: Path) -> None:
    """A beetle, enlarged, with noise."""
    write_beetles(scratch / "drawn", 1, size=DRAWN_SIDE, workers=1)
    (file,) = (scratch / "drawn" / "images").iterdir()
    enlarged = Image.open(file).convert("RGB").resize((side, side), Image.Resampling.BILINEAR)
    noise = np.random.default_rng(0).integers(0, 2 * NOISE + 1, (500, 500, 3), dtype=np.uint8)
    many = -(-side // 500)
    whole = Image.fromarray(np.tile(noise, (many, many, 1))[:side, :side])
    ImageChops.add(enlarged, whole, offset=-NOISE).save(path, quality=90)


def measured(page: Page, address: str) -> list[dict[str, Any]]:
    """The first view, and each zoom."""
    tiles = Tiles(page)
    begun = time.perf_counter()
    page.goto(f"{address}#/label")
    page.evaluate("() => performance.setResourceTimingBufferSize(100_000)")
    page.wait_for_function("() => window.studio?.canvas?.base")
    first = since(begun)
    page.wait_for_function("() => studio.canvas.element.dataset.ready")
    sharp = since(begun)
    stages = {
        "the whole, first seen": first,
        "the whole, sharp": sharp,
        "decoded meanwhile": tiles.settled(page, begun),
    }
    rows: list[dict[str, Any]] = [
        {"what": what, "ms": ms, "tiles": 0, "mb": 0.0, "frame": "", "slow": ""} for what, ms in stages.items()
    ]
    for zoom in ZOOMS:
        before = page.evaluate(LOADED)
        begun = time.perf_counter()
        page.evaluate(TURN, zoom)
        ms = tiles.settled(page, begun)
        frames = page.evaluate(PAN)
        tiles.settled(page, time.perf_counter())
        count, megabytes = page.evaluate(LOADED)
        rows.append(
            {
                "what": f"at {100 * zoom:g} %",
                "ms": ms,
                "tiles": count - before[0],
                "mb": megabytes - before[1],
                "frame": f"{np.median(frames):.0f}",
                "slow": f"{np.percentile(frames, 95):.0f}",
            }
        )
    return rows


COLUMNS = {
    "what": ("In sight", "{}"),
    "ms": ("until it is sharp, ms", "{:.0f}"),
    "tiles": ("tiles, with those of the panning", "{}"),
    "mb": ("MB", "{:.1f}"),
    "frame": ("from frame to frame while panning: median, ms", "{}"),
    "slow": ("95th percentile, ms", "{}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=10_000, help="of the picture, in pixels")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    program = os.environ.get("LEAD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        folder = Path(temporary) / "pictures"
        folder.mkdir()
        draw(folder / "large.jpg", chosen.side, Path(temporary))
        megabytes = (folder / "large.jpg").stat().st_size / 1e6
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(PATIENCE_MS)
        load = os.getloadavg()[0]
        with studio(folder, None, Path(temporary) / "cache") as address:
            rows = measured(page, address)
        browser.close()
    found = {"side": chosen.side, "megabytes": round(megabytes, 1), "load_before": round(load, 2), "rows": rows}
    keep("studio-zoom", found, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
