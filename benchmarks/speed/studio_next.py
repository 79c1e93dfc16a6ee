"""How long it takes in the studio from Enter until the next picture is drawn, beside the time of decoding alone.

    python -m benchmarks.speed.studio_next [--pictures 3000] [--large 44] [--times 40] [--dwell 1.5] [--results results]

``lead studio`` in a process of its own and headless Chromium before it, on two folders: one of many pictures of 640
pixels and one of few JPEGs of 24 megapixels, both cut from drawn beetles, with a network that was trained on them for
seconds. On each picture all landmarks are set after ``--dwell`` seconds, as if the last one were placed just then, and
Enter is pressed at once. The label has to be saved, the next picture chosen, read, decoded and drawn, while the model
is fitted anew to each label. Times are in milliseconds, from the key's own time stamp to the frame in which the
picture is drawn at its full sharpness, and to the one in which its suggestions are drawn. Decoding alone is the same
pictures through the server's decoder and encoder, and what it sends through the browser's decoder.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page, sync_playwright

import lead
from benchmarks.measuring import keep, since
from lead.beetles.writing import write_beetles
from lead.config import check
from lead.studio.folder import PictureFolder
from lead.studio.pictures import ShownPictures

SETTINGS = {
    "picture": {"store": 96, "input": 96},
    "backbone": {"name": "test_resnet"},
    "hypercolumn": {"weights": [0.5, 1, 1, 0.5], "normalisation": "centred"},
    "pretrain": {"steps": 0},
    "distill": {
        "steps": 40,
        "batch": 8,
        "optimiser": "adamw",
        "lr": 0.002,
        "width": 32,
        "dimension": 32,
        "projection": None,
        "alignment": 0.0,
        "equivariance": 0.3,
        "exchange": 1.0,
        "cells": 48,
    },
}
"""Of a run of seconds: what it answers need not be good, only to be answered."""
DRAWN, DRAWN_SIDE = 60, 700
SIDE = 640
"""Of the small pictures, which are cut from the drawn ones at random places."""
LARGE = (6000, 4000)
NOISE = 10
"""Grey values by which the pixels of a large picture are off, at most."""
LABELLED = 8
"""Pictures that are labelled from the start, so that a head is fitted and all pictures are predicted each time."""
PATIENCE_MS = 300_000
WATCH = """() => {
  const canvas = document.querySelector('[data-testid="canvas"]');
  const drawn = (then) => requestAnimationFrame(() => setTimeout(then, 0));
  const bench = window.bench = {pressed: 0, sharp: null, suggested: null, shown: canvas.dataset.ready};
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') Object.assign(bench, {pressed: event.timeStamp, sharp: null, suggested: null});
  }, true);
  new MutationObserver(() => {
    const id = canvas.dataset.ready;
    if (!id || id === bench.shown) return;
    bench.shown = id;
    const {pressed} = bench;
    drawn(() => bench.sharp = performance.now() - pressed);
    const look = () => {
      if (studio.canvas.marks.length) drawn(() => bench.suggested = performance.now() - pressed);
      else requestAnimationFrame(look);
    };
    look();
  }).observe(canvas, {attributes: true, attributeFilter: ['data-ready']});
}"""
LABEL = """(places) => {
  const {app} = studio;
  const id = app.route.id;
  const places_here = places[app.picture(id).file] ?? {};
  const point = ({name}, i) => [name, places_here[name]
    ? {state: 'visible', x: places_here[name][0], y: places_here[name][1]} : {state: 'absent', x: null, y: null}];
  app.change(id, Object.fromEntries(app.landmarks().landmarks.map(point)), {what: 'all'});
}"""
DECODE = """async (contents) => {
  const times = [];
  for (const [type, content] of contents) {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([bytes], {type}));
    const image = new Image();
    const begun = performance.now();
    image.src = url;
    await image.decode();
    times.push(performance.now() - begun);
    URL.revokeObjectURL(url);
  }
  return times;
}"""

Places = dict[str, dict[str, tuple[float, float]]]


class Cutter:
    """Cuts pictures from drawn beetles at random places, all of them different."""

    def __init__(self, scratch: Path) -> None:
        write_beetles(scratch / "drawn", DRAWN, size=DRAWN_SIDE, workers=os.cpu_count())
        self._labels = lead.load_labels(scratch / "drawn" / "landmarks.json")
        self._pictures = [Image.open(scratch / "drawn" / file).convert("RGB") for file in self._labels.images]
        self._random = np.random.default_rng(0)
        noise = self._random.integers(0, 2 * NOISE + 1, (500, 500, 3), dtype=np.uint8)
        self._noise = Image.fromarray(np.tile(noise, (LARGE[1] // 500, LARGE[0] // 500, 1)))

    def small(self, folder: Path, count: int) -> Places:
        """``count`` pictures of ``SIDE`` pixels; where their landmarks are."""
        return self._cut(folder, count, (SIDE, SIDE), lambda part: part)

    def large(self, folder: Path, count: int) -> Places:
        """``count`` of 24 megapixels, with noise as a camera has it."""
        return self._cut(folder, count, LARGE, self._enlarged)

    def _enlarged(self, part: Image.Image) -> Image.Image:
        return ImageChops.add(part.resize(LARGE, Image.Resampling.BILINEAR), self._noise, offset=-NOISE)

    def _cut(
        self, folder: Path, count: int, size: tuple[int, int], made: Callable[[Image.Image], Image.Image]
    ) -> Places:
        folder.mkdir()
        places: Places = {}
        part = np.array((SIDE, SIDE * size[1] // size[0]))
        scale = np.array(size) / part
        for i in range(count):
            row = i % len(self._pictures)
            left, top = self._random.integers(0, DRAWN_SIDE - part + 1).tolist()
            file = f"{i:05}.jpg"
            box = (left, top, left + int(part[0]), top + int(part[1]))
            made(self._pictures[row].crop(box)).save(folder / file, quality=90)
            xy = (self._labels.xy[row] - (left, top) + 0.5) * scale - 0.5
            within = np.isfinite(xy).all(1) & (xy >= 0).all(1) & (xy <= np.array(size) - 1).all(1)
            named = zip(self._labels.schema.names, xy.tolist(), within, strict=True)
            places[file] = {name: (x, y) for name, (x, y), there in named if there}
        return places

    def write_labels(self, folder: Path, places: Places) -> None:
        """The first ``LABELLED`` pictures' labels, where the studio finds them."""
        names, files = self._labels.schema.names, list(places)[:LABELLED]
        images = [{"id": i, "file_name": file} for i, file in enumerate(files, 1)]
        annotations = []
        for i, file in enumerate(files, 1):
            triples = [(*places[file][name], 2) if name in places[file] else (0, 0, 0) for name in names]
            points = [value for triple in triples for value in triple]
            annotations.append({"id": i, "image_id": i, "category_id": 1, "keypoints": points})
        category = {"id": 1, "name": "beetle", "keypoints": list(names)}
        document = {"images": images, "annotations": annotations, "categories": [category]}
        (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")


@contextmanager
def studio(folder: Path, run: Path | None, cache: Path) -> Iterator[str]:
    """``lead studio`` on a folder; its address."""
    command = [sys.executable, "-m", "lead.cli", "studio", str(folder), "--no-open"]
    command += ["--run", str(run)] if run else []
    environment = os.environ | {"LEAD_CACHE": str(cache)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", env=environment) as process:
        assert process.stdout is not None
        try:
            yield next(word for line in process.stdout for word in line.split() if word.startswith("http://"))
        finally:
            process.terminate()


def summary(milliseconds: list[float]) -> dict[str, float]:
    return {
        "p50": round(float(np.median(milliseconds)), 1),
        "p95": round(float(np.percentile(milliseconds, 95)), 1),
        "most": round(max(milliseconds), 1),
        "count": len(milliseconds),
    }


def label_on(page: Page, address: str, places: Places, times: int, dwell: float) -> dict[str, list[float]]:
    """Labels ``times`` pictures, each going on to the next with Enter."""
    page.goto(address)
    page.wait_for_function("() => studio.app.state?.model.stage === 'ready' && studio.app.state.model.model > 0")
    page.wait_for_function("() => document.querySelector('[data-testid=canvas]')?.dataset.ready")
    page.evaluate("() => { location.hash = '#/label/' + studio.app.pictures.find((p) => !p.complete).id }")
    page.wait_for_function("() => document.querySelector('[data-testid=canvas]').dataset.ready === studio.app.route.id")
    page.evaluate(WATCH)
    found: dict[str, list[float]] = {"sharp": [], "suggested": []}
    for _ in range(times):
        page.wait_for_timeout(1000 * dwell)
        page.evaluate(LABEL, places)
        page.keyboard.press("Enter")
        page.wait_for_function("() => bench.sharp !== null && bench.suggested !== null", polling=100)
        for name, values in found.items():
            values.append(page.evaluate(f"() => bench.{name}"))
    return found


def decoding(page: Page, folder: Path, some: int = 12) -> dict[str, list[float]]:
    """The server's part, from the file to what is sent, and the browser's, from that to pixels."""
    pictures = PictureFolder(folder)
    shown, server, contents = ShownPictures(pictures), [], []
    for id in pictures.ids[-some:]:
        begun = time.perf_counter()
        encoded = shown.image(id, 2048)
        server.append(since(begun))
        contents.append((encoded.media_type, base64.b64encode(encoded.content).decode()))
    return {"server": server, "browser": page.evaluate(DECODE, contents)}


def measured(browser: Browser, scratch: Path, name: str, places: Places, chosen: argparse.Namespace) -> dict[str, Any]:
    folder = scratch / name
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.set_default_timeout(PATIENCE_MS)
    load = os.getloadavg()[0]
    with studio(folder, scratch / "run", scratch / "cache") as address:
        times = label_on(page, address, places, chosen.times, chosen.dwell)
    alone = decoding(page, folder)
    page.close()
    found = {
        "Enter to the next picture drawn": times["sharp"],
        "Enter to its suggestions drawn": times["suggested"],
        "decoding alone, server": alone["server"],
        "decoding alone, browser": alone["browser"],
    }
    return {
        "pictures": len(places),
        "load_before": round(load, 2),
        "milliseconds": {what: summary(values) for what, values in found.items()},
    }


def table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The times in Markdown."""
    lines = ["| Milliseconds | median | 95th percentile |", "| --- | --: | --: |"]
    for name, one in found.items():
        lines += [f"| {name}: {what} | {t['p50']} | {t['p95']} |" for what, t in one["milliseconds"].items()]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pictures", type=int, default=3000, help="of 640 pixels")
    parser.add_argument("--large", type=int, default=44, help="pictures of 24 megapixels, beside those labelled before")
    parser.add_argument("--times", type=int, default=40, help="how often Enter is pressed in each folder")
    parser.add_argument("--dwell", type=float, default=1.5, help="seconds on each picture")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    program = os.environ.get("LEAD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    found = {}
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        scratch = Path(temporary)
        cutter = Cutter(scratch)
        folders = {
            "many": cutter.small(scratch / "many", chosen.pictures),
            "large": cutter.large(scratch / "large", chosen.large + LABELLED),
        }
        settings = check(SETTINGS, "the benchmark's settings")
        lead.train(scratch / "drawn" / "images", scratch / "run", settings=settings)
        titles = {"many": f"{chosen.pictures:,} pictures", "large": "24 megapixels"}
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        for name, places in folders.items():
            cutter.write_labels(scratch / name, places)
            found[titles[name]] = measured(browser, scratch, name, places, chosen)
        browser.close()
    keep("studio-next", {"dwell": chosen.dwell, "folders": found}, table(found), chosen.results)


if __name__ == "__main__":
    main()
