"""The pictures of docs/studio.md: the page at work on rendered beetles, in a headless browser.

    python docs/studio_pictures.py [--out docs/studio] [--run RUN] [--home FOLDER]

It renders the beetles, trains the ``tiny`` preset on them (some minutes; ``--run`` takes a run made before on such
pictures), labels a few with their true landmarks, and takes each step's picture, dark and light. All of it lies in
FOLDER, whose path is seen in the pictures; by default that is a temporary one.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Playwright, expect, sync_playwright

import lead
from lead.beetles import rendering
from lead.beetles.writing import write_beetles

WIDTH, HEIGHT = 1280, 800
COUNT, SIDE = 120, 320
LABELLED = 9
PATIENCE_MS = 120_000
MOST_BYTES = 95_000
Truth = dict[str, dict[str, tuple[float, float]]]

expect.set_options(timeout=PATIENCE_MS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("docs/studio"))
    parser.add_argument("--run", type=Path)
    parser.add_argument("--home", type=Path)
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary, sync_playwright() as playwright:
        home = chosen.home or Path(temporary)
        folder, truth = render(home)
        run = chosen.run or lead.train(folder, home / "runs" / "beetles", preset="tiny").folder
        for scheme in ("dark", "light"):
            (folder / "annotations.json").unlink(missing_ok=True)
            shutil.rmtree(folder / ".lead", ignore_errors=True)
            with page_on(playwright, folder, None, scheme) as page:
                Story(page, truth, chosen.out, scheme).begin()
            with page_on(playwright, folder, run, scheme) as page:
                Story(page, truth, chosen.out, scheme).go_on()


def render(home: Path) -> tuple[Path, Truth]:
    """A plain folder of beetles, and where their landmarks are."""
    write_beetles(home / "made", COUNT, size=SIDE, species=12)
    labels = lead.load_labels(home / "made" / "landmarks.json")
    truth: Truth = {}
    for image, xy in zip(labels.images, labels.xy, strict=True):
        truth[Path(image).name] = {
            name: (float(x), float(y)) for name, (x, y) in zip(labels.schema.names, xy, strict=True) if np.isfinite(x)
        }
    return (home / "made" / "images").rename(home / "beetles"), truth


@contextmanager
def page_on(playwright: Playwright, folder: Path, run: Path | None, scheme: Any) -> Iterator[Page]:
    """A browser before a studio of its own."""
    options = ["--run", str(run)] if run else []
    command = [sys.executable, "-m", "lead.cli", "studio", str(folder), "--no-open", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, encoding="utf-8", cwd=folder.parent) as studio:
        assert studio.stdout is not None
        address = next(word for line in studio.stdout for word in line.split() if word.startswith("http://"))
        program = os.environ.get("LEAD_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        viewport: Any = {"width": WIDTH, "height": HEIGHT}
        page = browser.new_page(viewport=viewport, color_scheme=scheme, reduced_motion="reduce")
        page.set_default_timeout(PATIENCE_MS)
        page.goto(address)
        try:
            yield page
        finally:
            browser.close()
            studio.terminate()


class Story:
    """The way through the page, a picture at each step."""

    def __init__(self, page: Page, truth: Truth, out: Path, scheme: str) -> None:
        self.page, self.truth, self.out, self.scheme = page, truth, out, scheme
        names = max(truth.values(), key=len)
        self.names = list(names)
        self.whole = [file for file, points in truth.items() if len(points) == len(names)]

    def begin(self) -> None:
        """Without features: training and naming."""
        self.go("features")
        self.page.get_by_test_id("preset-tiny").check()
        self.page.get_by_test_id("start-training").click()
        self.page.wait_for_function(
            "() => studio.app.state.training.curve.filter((p) => p.stage === 'distill').length >= 5"
        )
        self.take("features")
        self.page.get_by_test_id("cancel-training").click()
        expect(self.page.get_by_test_id("training")).to_have_attribute("data-state", "stopped")
        self.go("landmarks")
        for name in self.names:
            self.page.get_by_test_id("landmark-entry").fill(name)
            self.page.get_by_test_id("landmark-entry").press("Enter")
        self.page.get_by_test_id("joining-pairs").click()
        self.page.get_by_test_id("suggest-pairs").click()
        self.page.get_by_test_id("joining-lines").click()
        for a, b in rendering.SCHEMA.skeleton:
            self.page.evaluate(
                "async ([a, b]) => { const {app} = studio; const now = app.landmarks();"
                " await app.api.put('/landmarks', {...now, skeleton: [...now.skeleton, [a, b]]}) }",
                [a, b],
            )
            self.page.wait_for_function(
                "([a, b]) => studio.app.landmarks().skeleton.some((l) => l[0] === a && l[1] === b)", arg=[a, b]
            )
        self.show(self.whole[0])
        self.label(self.whole[0], self.names[:4])
        self.take("first-picture")
        self.label(self.whole[0], self.names[4:])
        self.go("landmarks")
        expect(self.page.get_by_test_id("preview")).to_be_visible()
        self.settle()
        self.take("landmarks")

    def go_on(self) -> None:
        """With features: suggestions, review, explorer, export."""
        for file in self.whole[1:LABELLED]:
            self.show(file)
            self.put(self.truth[file])
        self.page.wait_for_function(
            "n => studio.app.state.model.fitted_to === n && !studio.app.state.model.fitting", arg=LABELLED
        )
        self.page.get_by_test_id("next-suggested").click()
        expect(self.page.locator('[data-testid="landmark"][data-state="suggested"]')).to_have_count(len(self.names))
        self.settle()
        self.take("suggestions")
        self.go("review")
        expect(self.page.get_by_test_id("gallery").get_by_role("listitem").first).to_be_visible()
        self.settle()
        self.take("review")
        self.swap(self.whole[2], "left_hind_knee", "right_hind_knee")
        self.go("disputes")
        expect(self.page.get_by_test_id("dispute").first).to_be_visible()
        self.settle()
        self.take("disputes")
        self.go(f"explore/{self.id_of(self.whole[0])}")
        expect(self.page.get_by_test_id("explore-score").first).not_to_be_empty()
        frame = self.page.get_by_test_id("explore-reference").bounding_box()
        assert frame is not None
        x, y = self.truth[self.whole[0]]["left_hind_knee"]
        scale = min(frame["width"], frame["height"]) / SIDE
        middle = (frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2)
        self.page.mouse.move(middle[0] + (x + 0.5 - SIDE / 2) * scale, middle[1] + (y + 0.5 - SIDE / 2) * scale)
        self.settle()
        self.take("explore", leave=False)
        self.go("export")
        expect(self.page.get_by_test_id("export-download")).to_be_visible()
        self.settle()
        self.take("export")

    def go(self, route: str) -> None:
        self.page.wait_for_function("() => window.studio?.app?.state")
        self.page.evaluate("route => { location.hash = route }", f"#/{route}")

    def id_of(self, file: str) -> str:
        found: str = self.page.evaluate("file => studio.app.pictures.find(p => p.file === file).id", file)
        return found

    def show(self, file: str) -> None:
        self.go("label")
        self.page.wait_for_function("() => studio.app.pictures.length")
        self.go(f"label/{self.id_of(file)}")
        expect(self.page.get_by_test_id("canvas")).to_have_attribute("data-ready", self.id_of(file))

    def label(self, file: str, names: list[str]) -> None:
        """Clicks landmarks where they are."""
        for name in names:
            self.page.locator(f'[data-testid="landmark"][data-name="{name}"]').click()
            x, y = self.truth[file][name]
            at = self.page.evaluate("([x, y]) => studio.canvas.toScreen(x, y)", [x, y])
            self.page.mouse.click(at["x"], at["y"])
        expect(self.page.get_by_test_id("save-state")).to_have_attribute("data-state", "saved")

    def swap(self, file: str, a: str, b: str) -> None:
        """Plants a mistake."""
        self.show(file)
        self.put({a: self.truth[file][b], b: self.truth[file][a]})

    def put(self, places: dict[str, tuple[float, float]]) -> None:
        """Labels the picture on show, without a hand."""
        points = {name: {"state": "visible", "x": x, "y": y} for name, (x, y) in places.items()}
        self.page.evaluate("points => studio.app.change(studio.app.route.id, points)", points)
        expect(self.page.get_by_test_id("save-state")).to_have_attribute("data-state", "saved")

    def settle(self) -> None:
        """Until every image is there and nothing moves."""
        self.page.wait_for_function("() => [...document.images].every((image) => image.complete)")
        self.page.wait_for_timeout(1500)

    def take(self, name: str, *, leave: bool = True) -> None:
        """Saves a picture of the page, as well as fits in MOST_BYTES."""
        if leave:
            self.page.mouse.move(WIDTH - 1, HEIGHT - 1)  # where it points at nothing
        picture = Image.open(io.BytesIO(self.page.screenshot()))
        file = self.out / f"{name}-{self.scheme}.webp"
        for quality in (90, 80, 70, 60, 50):
            picture.save(file, quality=quality, method=6)
            if file.stat().st_size <= MOST_BYTES:
                break
        sys.stdout.write(f"{file}: {file.stat().st_size / 1000:.0f} kB at quality {quality}\n")


if __name__ == "__main__":
    main()
