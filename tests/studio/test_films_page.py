"""Films in a real browser: leafed through with keys, frames taken and labelled, labels carried along."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from browser import NAMES, Desk, Studio
from pages import Beetles
from PIL import Image
from playwright.sync_api import expect

Serve = Callable[..., Studio]
Sit = Callable[..., Desk]

FRAMES, SHIFT = 12, 3


@pytest.fixture
def film(pictures: Beetles) -> Path:
    """A beetle that moves to the right and down by ``SHIFT`` pixels a frame, beside the pictures."""
    whole = Image.open(pictures.folder / pictures.files[0]).convert("RGB")
    path = pictures.folder / "walk.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264" if "libx264" in av.codecs_available else "mpeg4", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *whole.size, "yuv420p"
        stream.bit_rate = 4_000_000
        for number in range(FRAMES):
            moved = Image.new("RGB", whole.size, whole.getpixel((1, 1)))
            moved.paste(whole, (SHIFT * number, SHIFT * number))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(moved), format="rgb24")))
        container.mux(stream.encode())
    return path


def file_of(number: int) -> str:
    return f"walk/frame-{number:06}.png"


def test_a_film_is_leafed_through_and_its_frames_labelled(
    serve: Serve, sit: Sit, pictures: Beetles, trained: Path, film: Path
) -> None:
    desk = sit(serve(pictures.folder, "--run", trained))
    desk.name_landmarks(*NAMES)
    desk.show(pictures.files[1])
    desk.by("rail-films").click()
    expect(desk.by("film-select")).to_have_value(desk.id_of(film.name))
    expect(desk.by("film-frame")).to_have_attribute("data-frame", "0")
    keys = desk.page.keyboard
    keys.press("ArrowRight")
    keys.press("ArrowRight")
    keys.press("ArrowLeft")
    expect(desk.by("film-frame")).to_have_attribute("data-frame", "1")
    expect(desk.by("film-place")).to_contain_text("Frame 1 (0 to 11)")
    keys.press("Enter")  # takes it, and opens it to label
    desk.ready(file_of(1))
    truth = {name: (x + SHIFT, y + SHIFT) for name, (x, y) in pictures.truth[pictures.files[0]].items()}
    places: dict[str, Any] = {n: {"state": "visible", "x": x, "y": y} for n, (x, y) in truth.items()}
    desk.page.evaluate("places => studio.app.change(studio.app.route.id, places)", places)
    desk.expect_saved()
    assert set(desk.studio.saved()[file_of(1)]) == set(NAMES)

    # The frame after it: its landmarks are where they have moved to, as suggestions to accept.
    desk.go(f"film/{desk.id_of(film.name)}")
    expect(desk.by("film-taken-frame")).to_have_count(1)
    desk.by("film-slider").fill("3")
    expect(desk.by("film-frame")).to_have_attribute("data-frame", "3")
    own = f"/{desk.id_of(file_of(3))}/suggestions"  # those of the frame before may still be on their way
    with desk.page.expect_response(lambda answer: answer.url.endswith(own)) as told:
        desk.by("take-frame").click()
    assert told.value.json()["id"] == desk.id_of(file_of(3))
    desk.ready(file_of(3))
    desk.page.wait_for_function("n => studio.canvas.marks.length === n", arg=len(NAMES))
    for mark in desk.page.evaluate("() => studio.canvas.marks"):
        x, y = truth[mark["name"]]
        assert (mark["x"], mark["y"]) == pytest.approx((x + 2 * SHIFT, y + 2 * SHIFT), abs=12), mark["name"]
    assert set(desk.studio.saved()) == {file_of(1)}


def test_frames_are_taken_evenly_and_none_twice(serve: Serve, sit: Sit, pictures: Beetles, film: Path) -> None:
    desk = sit(serve(pictures.folder), f"film/{hash_of(film)}")
    expect(desk.by("film-frame")).to_have_attribute("data-frame", "0")
    for count, numbers in ((3, [0, 6, 11]), (2, [0, 6, 11])):
        desk.by("film-spread").fill(str(count))
        desk.by("take-spread").click()
        expect(desk.by("toast")).to_contain_text(f"{count} frames of walk.mp4")
        expect(desk.by("film-taken-frame")).to_have_text([str(number) for number in numbers])
        desk.page.get_by_label("Dismiss").first.click()
    assert sorted(path.name for path in (pictures.folder / "walk").iterdir()) == [
        Path(file_of(number)).name for number in (0, 6, 11)
    ]
    desk.by("film-taken-frame").nth(1).click()
    desk.ready(file_of(6))


def test_without_a_film_the_page_says_so(serve: Serve, sit: Sit, pictures: Beetles) -> None:
    desk = sit(serve(pictures.folder), "film")
    expect(desk.by("empty")).to_contain_text("no film in this folder")


def hash_of(film: Path) -> str:
    return hashlib.sha256(film.name.encode()).hexdigest()[:12]
