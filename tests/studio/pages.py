"""A browser, a folder of beetles and a run trained on it, made once for all tests of the page."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser import ARGUMENTS, NAMES, Desk, Studio, chromium, tab
from playwright.sync_api import Browser, sync_playwright

import lead
from lead.beetles.writing import write_beetles
from lead.config import check

COUNT, SIDE = 24, 160
XY = tuple[float, float]
SETTINGS = check(
    {
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
    },
    "the tests' settings",
)
"""Of a run of seconds: it need not be good, only a run."""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Headless Chromium. Without one the tests are skipped, but fail where LEAD_REQUIRE_BROWSER is set."""
    with sync_playwright() as playwright:
        program = chromium(playwright)
        if program is None:
            message = "no Chromium: install one, or name its program in LEAD_CHROMIUM"
            if os.environ.get("LEAD_REQUIRE_BROWSER", "0") not in ("", "0"):
                pytest.fail(message)
            pytest.skip(message)
        running = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield running
        running.close()


@dataclass(frozen=True)
class Beetles:
    """Rendered beetles in a plain folder, and where their landmarks are.

    Attributes:
        truth: of each picture, ``NAMES`` within the picture: (x, y).
    """

    folder: Path
    truth: dict[str, dict[str, XY]]

    @property
    def files(self) -> list[str]:
        """Those on which every landmark of the tests can be seen."""
        return [file for file, points in self.truth.items() if len(points) == len(NAMES)]


@pytest.fixture(scope="session")
def beetle_pictures(tmp_path_factory: pytest.TempPathFactory) -> Beetles:
    made = tmp_path_factory.mktemp("made") / "beetles"
    write_beetles(made, COUNT, size=SIDE, species=4, workers=1)
    labels = lead.load_labels(made / "landmarks.json")
    columns = {name: labels.schema.names.index(name) for name in NAMES}
    truth: dict[str, dict[str, XY]] = {}
    for image, xy in zip(labels.images, labels.xy, strict=True):
        places = {name: (float(xy[k, 0]), float(xy[k, 1])) for name, k in columns.items() if np.isfinite(xy[k]).all()}
        # A few pixels from the edge there is room to drag to.
        inside = {n: p for n, p in places.items() if all(8 <= c <= SIDE - 9 for c in p)}
        truth[Path(image).name] = inside
    return Beetles(made / "images", truth)


@pytest.fixture(scope="session")
def trained(beetle_pictures: Beetles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lead.train(beetle_pictures.folder, tmp_path_factory.mktemp("runs") / "run", settings=SETTINGS).folder


@pytest.fixture
def pictures(beetle_pictures: Beetles, tmp_path: Path) -> Beetles:
    """The beetles in a folder of the test's own."""
    shutil.copytree(beetle_pictures.folder, tmp_path / "beetles")
    return Beetles(tmp_path / "beetles", beetle_pictures.truth)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Studio]]:
    """Starts ``lead studio`` on a folder; it ends with the test."""
    running: list[Studio] = []

    def start(folder: Path, *arguments: str | Path) -> Studio:
        running.append(Studio(folder, *map(str, arguments), home=tmp_path))
        return running[-1]

    yield start
    for studio in running:
        studio.kill()  # at once: that it also ends well is a test's own matter


@pytest.fixture
def sit(browser: Browser) -> Iterator[Callable[..., Desk]]:
    """Opens a page of its own on a studio. No script error may have occurred in it by the end."""
    open_tabs: list[tuple[Any, Desk]] = []

    def desk(studio: Studio, route: str = "", **options: Any) -> Desk:
        window = tab(browser, **options)
        made = Desk(window.__enter__().new_page(), studio)
        open_tabs.append((window, made))
        made.open(route)
        return made

    yield desk
    for window, made in open_tabs:
        window.__exit__(None, None, None)
        assert not made.errors
