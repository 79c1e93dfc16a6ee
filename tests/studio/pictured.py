"""Takes the pictures of ``docs/studio.md`` anew, in light and dark: ``make pictures``, some ten minutes on two cores.

    PYTHONPATH=tests/studio python tests/studio/pictured.py [--run RUN] [--out docs/studio]

The studio on drawn beetles, as a person has it before them who names the landmarks, labels nine pictures, three of
them with a mistake, and looks round. Without ``--run`` the features are trained first.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from browser import ARGUMENTS, Desk, Studio, chromium, tab
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

import lead
from lead.beetles.writing import write_beetles
from lead.config import load_preset
from lead.landmarks import Labels

COUNT, SIDE, LABELLED = 120, 320, 9
SHOWN = "/home/ana"
"""What the page is made to show in place of the temporary folder."""
QUALITY = 82

Point = dict[str, Any]


class Sitting:
    """A page on a studio, and where its pictures go."""

    def __init__(self, desk: Desk, out: Path, home: Path) -> None:
        self.desk, self.out = desk, out
        desk.page.route("**/api/**", lambda route: _as_at_home(route, home))

    @property
    def page(self) -> Page:
        return self.desk.page

    def take(self, name: str) -> None:
        """One picture of what is on the page, in each theme."""
        for theme in ("light", "dark"):
            self.page.evaluate("theme => { if (studio.app.theme() !== theme) studio.app.toggleTheme() }", theme)
            self.page.wait_for_timeout(600)  # for what fades in
            with tempfile.TemporaryDirectory() as place:
                shot = Path(place) / "shot.png"
                self.page.screenshot(path=shot)
                Image.open(shot).convert("RGB").save(self.out / f"{name}-{theme}.webp", quality=QUALITY, method=6)

    def send(self, method: str, path: str, body: object) -> Any:
        return self.page.evaluate(
            "({method, path, body}) => studio.app.api[method](path, body)",
            {"method": method, "path": path, "body": body},
        )

    def label(self, file: str, points: dict[str, Point]) -> None:
        id = self.desk.id_of(file)
        base = self.page.evaluate("id => studio.app.api.get(`/pictures/${id}`)", id)["labels"]["version"]
        self.send("patch", f"/pictures/{id}/labels", {"base": base, "points": points})


def _as_at_home(route: Route, home: Path) -> None:
    """Paths below the temporary folder are shown as if it were a person's own."""
    if route.request.url.split("?")[0].endswith(("/image", "/tile", "/events")):
        route.continue_()
        return
    answer = route.fetch()
    body = answer.text().replace(str(home), SHOWN)
    route.fulfill(response=answer, body=body)


def points_of(labels: Labels, row: int) -> dict[str, Point]:
    """The true points of a picture; absent where they are not on it."""
    out: dict[str, Point] = {}
    for name, (x, y) in zip(labels.schema.names, labels.xy[row].tolist(), strict=True):
        seen = bool(np.isfinite(x)) and 0 <= x < SIDE and 0 <= y < SIDE
        out[name] = {"state": "visible", "x": x, "y": y} if seen else {"state": "absent", "x": None, "y": None}
    return out


def mistaken(points: list[dict[str, Point]]) -> None:
    """Plants a swap, two points on one spot, and one far off."""
    points[2]["left_hind_knee"], points[2]["right_hind_knee"] = (
        points[2]["right_hind_knee"],
        points[2]["left_hind_knee"],
    )
    points[6]["right_hind_knee"] = dict(points[6]["elytra_right"])
    points[7]["elytra_left"] = points[7]["elytra_left"] | {"x": points[7]["elytra_left"]["x"] + 26}


def landmarks_of(labels: Labels, page: Page) -> dict[str, Any]:
    schema = labels.schema
    colours = page.evaluate("async () => (await import('/static/parts.js')).PALETTE")
    named = [{"name": name, "colour": colour} for name, colour in zip(schema.names, colours, strict=False)]
    pairs = {"skeleton": [list(p) for p in schema.skeleton], "flip_pairs": [list(p) for p in schema.flip_pairs]}
    return {"version": 0, "landmarks": named, **pairs}


def take_all(browser: Browser, home: Path, run: Path, truth: Labels, out: Path) -> None:
    """Every picture of the document."""
    with sitting(browser, home, out) as one:
        first_hour(one, truth)
    labels = home / "beetles" / "annotations.json"
    labels.unlink()
    with sitting(browser, home, out, "--run", str(run)) as one:
        with_a_model(one, truth)


def first_hour(one: Sitting, truth: Labels) -> None:
    """Before there are features: the start, the first picture, the training."""
    page, desk = one.page, one.desk
    page.wait_for_function("() => studio.app.state.training.presets.length")  # the model side is there
    one.take("start")
    change = landmarks_of(truth, page)
    version = page.evaluate("() => studio.app.landmarks().version")
    one.send("put", "/landmarks", change | {"version": version})
    file = Path(truth.images[0]).name
    desk.show(file)
    some = dict(list(points_of(truth, 0).items())[:4])
    one.label(file, some)
    expect(desk.by("landmark-count")).to_contain_text("4 of")
    one.take("first-picture")
    one.label(file, points_of(truth, 0))
    desk.go("landmarks")
    expect(desk.by("view-landmarks")).to_be_visible()
    one.take("landmarks")
    desk.go("features")
    one.send("post", "/training", {"preset": "tiny"})
    page.wait_for_function("() => studio.app.state.training.task === 'distill' && studio.app.state.training.step >= 40")
    one.take("features")
    one.send("post", "/training/cancel", None)
    page.wait_for_function("() => studio.app.state.training.state === 'stopped'")


def with_a_model(one: Sitting, truth: Labels) -> None:
    """Suggestions, review, disputed labels, exploring, export."""
    page, desk = one.page, one.desk
    page.wait_for_function("() => studio.app.state.model.stage === 'ready'")
    version = page.evaluate("() => studio.app.landmarks().version")
    one.send("put", "/landmarks", landmarks_of(truth, page) | {"version": version})
    labelled = [points_of(truth, row) for row in range(LABELLED)]
    for row, points in enumerate(labelled):
        one.label(Path(truth.images[row]).name, points)
    page.wait_for_function(
        "n => studio.app.state.model.fitted_to === n && !studio.app.state.model.fitting", arg=LABELLED
    )
    desk.go("label")
    page.wait_for_function("() => studio.canvas && studio.canvas.element.dataset.ready === studio.app.route.id")
    page.wait_for_timeout(12_000)  # for the second look at all pictures
    page.wait_for_function("() => document.querySelector('[data-testid=accept-all]').textContent.includes('ccept')")
    one.take("suggestions")
    desk.go("review")
    page.wait_for_timeout(4_000)
    one.take("review")
    mistaken(labelled)
    for row in (2, 6, 7):
        one.label(Path(truth.images[row]).name, labelled[row])
    page.wait_for_timeout(15_000)
    desk.go("disputes")
    page.wait_for_timeout(4_000)
    one.take("disputes")
    file = Path(truth.images[0]).name
    desk.go(f"explore/{desk.id_of(file)}")
    page.wait_for_timeout(4_000)
    page.mouse.move(300, 400)
    page.wait_for_timeout(2_000)
    one.take("explore")
    desk.go("export")
    page.wait_for_timeout(2_000)
    one.take("export")


@contextmanager
def sitting(browser: Browser, home: Path, out: Path, *arguments: str) -> Iterator[Sitting]:
    studio = Studio(home / "beetles", *arguments, home=home)
    try:
        with tab(browser) as context:
            desk = Desk(context.new_page(), studio)
            one = Sitting(desk, out, home)
            desk.open()
            yield one
            one.page.unroute_all(behavior="ignoreErrors")
    finally:
        studio.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/studio"))
    chosen = parser.parse_args()
    with ExitStack() as held:
        home = Path(held.enter_context(tempfile.TemporaryDirectory()))
        write_beetles(home / "drawn", COUNT, size=SIDE, species=30, workers=1)
        shutil.copytree(home / "drawn" / "images", home / "beetles")
        truth = lead.load_labels(home / "drawn" / "landmarks.json")
        run = chosen.run or lead.train(home / "beetles", home / "run", settings=load_preset("tiny")).folder
        play = held.enter_context(sync_playwright())
        program = chromium(play)
        browser = play.chromium.launch(executable_path=program, args=ARGUMENTS)
        held.callback(browser.close)
        take_all(browser, home, run, truth, chosen.out)


if __name__ == "__main__":
    main()
