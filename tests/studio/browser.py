"""What the tests of the page share: a real server in a process of its own, and a real browser before it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Playwright, Response, expect
from started import begin

PATIENCE_MS = 180_000
"""How long the tests wait for what must happen; a busy machine is no failure."""
VIEWPORT = (1280, 800)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]
TOKEN = "token-of-the-tests"
NAMES = ("head", "elytra_left", "elytra_right", "abdomen_tip")
"""The landmarks of the tests, by the names that the rendered beetles' own have."""

expect.set_options(timeout=PATIENCE_MS)


def chromium(playwright: Playwright) -> str | None:
    """The browser's program: the one that LEAD_CHROMIUM names, the system's, or Playwright's own. None without any."""
    named = os.environ.get("LEAD_CHROMIUM")
    if named:
        return named
    for name in ("chromium", "chromium-browser", "google-chrome"):
        if found := shutil.which(name):
            return found
    own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Studio:
    """``lead studio`` on a folder, in a process of its own; can be killed, and started again at the same address."""

    def __init__(self, folder: Path, *arguments: str, home: Path | None = None) -> None:
        self.folder, self.arguments, self.port = folder, arguments, free_port()
        self.labels = folder / "annotations.json"
        self.home = home or folder.parent
        self.process: BaseProcess | None = None
        self.start()

    def start(self) -> None:
        """Returns once the address is printed, and the server answers there."""
        command = ["studio", str(self.folder), "--port", str(self.port), "--no-open", *self.arguments]
        environment = os.environ | {"LEAD_STUDIO_TOKEN": TOKEN, "OMP_NUM_THREADS": "1"}
        self.process, said = begin(command, environment, self.home, self.home / "studio.log")
        with said:
            for line in said:
                if "http://" in line:
                    self.url = next(word for word in line.split() if word.startswith("http://"))
                    return
        raise AssertionError((self.home / "studio.log").read_text())

    def kill(self) -> None:
        """Without a word, as a power cut does."""
        assert self.process is not None
        self.process.kill()
        self._gone()

    def stop(self) -> None:
        if self.process is not None and self.process.is_alive():
            self.process.terminate()
            self._gone()

    def _gone(self) -> None:
        assert self.process is not None
        self.process.join(60)
        assert not self.process.is_alive()

    def document(self) -> dict[str, Any]:
        """The label file as it lies on disk."""
        document: dict[str, Any] = json.loads(self.labels.read_text(encoding="utf-8"))
        return document

    def saved(self) -> dict[str, dict[str, tuple[float, float, int]]]:
        """Of every picture in the label file, the labelled points: (x, y, 2 for visible, 1 for hidden)."""
        if not self.labels.exists():
            return {}
        return points_of(self.document())


def points_of(document: Mapping[str, Any]) -> dict[str, dict[str, tuple[float, float, int]]]:
    """The labelled points of a COCO document, read without the package."""
    (category,) = document["categories"]
    files = {image["id"]: image["file_name"] for image in document["images"]}
    found: dict[str, dict[str, tuple[float, float, int]]] = {}
    for annotation in document["annotations"]:
        triples = zip(*[iter(annotation["keypoints"])] * 3, strict=True)
        points = {n: (x, y, v) for n, (x, y, v) in zip(category["keypoints"], triples, strict=True) if v}
        if points:
            found[files[annotation["image_id"]]] = points
    return found


@contextmanager
def tab(browser: Browser, **options: Any) -> Iterator[BrowserContext]:
    """A browser window with storage of its own."""
    width, height = VIEWPORT
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    context.set_default_timeout(PATIENCE_MS)
    try:
        yield context
    finally:
        context.close()


class Desk:
    """The page as a person has it before them: what it shows, and hands to use it with."""

    def __init__(self, page: Page, studio: Studio) -> None:
        self.page, self.studio = page, studio
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, route: str = "") -> Response | None:
        """Opens the printed address; the cookie is set and the token leaves the address bar."""
        answer = self.page.goto(self.studio.url)
        expect(self.by("brand")).to_be_visible()
        if route:
            self.go(route)
        return answer

    def go(self, route: str) -> None:
        self.page.evaluate("route => { location.hash = route }", f"#/{route}")

    def by(self, testid: str) -> Locator:
        return self.page.get_by_test_id(testid)

    def id_of(self, file: str) -> str:
        return hashlib.sha256(file.encode()).hexdigest()[:12]

    def show(self, file: str) -> None:
        """Opens a picture to label, and waits until it can be pointed at."""
        self.go(f"label/{self.id_of(file)}")
        self.ready(file)

    def ready(self, file: str) -> None:
        expect(self.by("canvas")).to_have_attribute("data-ready", self.id_of(file))
        self.page.wait_for_function("() => studio.app.labels(studio.app.route.id)")

    def shown(self) -> str:
        """The file of the picture on show."""
        file: str = self.page.evaluate("() => studio.app.picture(studio.app.route.id).file")
        return file

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        """Where a place of the picture is on the screen, by the view's own transform."""
        at: dict[str, float] = self.page.evaluate("([x, y]) => studio.canvas.toScreen(x, y)", [x, y])
        return at["x"], at["y"]

    def click(self, x: float, y: float, **options: Any) -> None:
        self.page.mouse.click(*self.on_screen(x, y), **options)

    def drag(self, begin: tuple[float, float], end: tuple[float, float]) -> None:
        """From one place of the picture to another."""
        self.page.mouse.move(*self.on_screen(*begin))
        self.page.mouse.down()
        self.page.mouse.move(*self.on_screen(*end), steps=4)
        self.page.mouse.up()

    def points(self) -> dict[str, Any]:
        """The labels of the picture on show, as the page has them."""
        found: dict[str, Any] = self.page.evaluate("() => studio.app.labels(studio.app.route.id).points")
        return found

    def name_landmarks(self, *names: str) -> None:
        """Names landmarks, without the page that is made for it."""
        colours = ("#e6194b", "#3cb44b", "#4363d8", "#f58231")
        landmarks = [{"name": n, "colour": c} for n, c in zip(names, colours, strict=False)]
        self.page.evaluate(
            "async ({landmarks}) => { const {app} = studio;"
            " await app.api.put('/landmarks', {version: app.landmarks().version, landmarks}) }",
            {"landmarks": landmarks},
        )
        self.page.wait_for_function("n => studio.app.landmarks().landmarks.length === n", arg=len(names))

    def scale(self) -> float:
        """CSS pixels to one of the picture's."""
        found: float = self.page.evaluate("() => studio.canvas.view.scale")
        return found

    def zoom_at(self, x: float, y: float, scale: float) -> None:
        """Turns the wheel over a place of the picture until it is shown at ``scale`` at least."""
        while (before := self.scale()) < scale:
            at_x, at_y = self.on_screen(x, y)
            self.page.mouse.move(round(at_x), round(at_y))  # the wheel knows whole pixels only
            self.page.mouse.wheel(0, -240)
            self.page.wait_for_function("before => studio.canvas.view.scale > before", arg=before)

    def expect_saved(self) -> None:
        expect(self.by("save-state")).to_have_attribute("data-state", "saved")


def write_labels(folder: Path, labels: Mapping[str, Mapping[str, tuple[float, float]]]) -> None:
    """A label file as another program would write it: COCO key points, all of them visible."""
    images = [{"id": i, "file_name": file} for i, file in enumerate(labels, 1)]
    annotations = []
    for i, points in enumerate(labels.values(), 1):
        triples = [(*points[name], 2) if name in points else (0, 0, 0) for name in NAMES]
        flat = [value for triple in triples for value in triple]
        annotations.append({"id": i, "image_id": i, "category_id": 1, "keypoints": flat, "num_keypoints": len(points)})
    pairs = [["elytra_left", "elytra_right"]]
    category = {"id": 1, "name": "beetle", "keypoints": list(NAMES), "skeleton": [[1, 4]], "flip_pairs": pairs}
    document = {"images": images, "annotations": annotations, "categories": [category]}
    (folder / "annotations.json").write_text(json.dumps(document), encoding="utf-8")
