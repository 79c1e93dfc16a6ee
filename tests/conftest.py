"""What every test shares: one thread, a cache that is thrown away, a tiny folder of pictures and tiny settings."""

from __future__ import annotations

import os

# Before NumPy and torch are loaded: the tests' workers take every core, and no second thread of theirs finds one free.
os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import settings
from PIL import Image

from lead.config import Settings, check
from lead.datasets.base import Dataset

pytest_plugins = ["pages", "benches"]  # not conftest.py in their folders: mypy takes files of one name for one module

LONGEST = (
    "training/test_faces.py",
    "studio/test_large_pictures.py",
    "studio/test_training.py",
    "studio/test_page.py",
    "studio/test_list_page.py",
    "studio/test_headings_page.py",
    "reproduce/test_study.py",
    "export/test_onnxfile.py",
)
"""The files that take longest. One process runs a file: begun first, none of these is waited for at the end."""

settings.register_profile("lead", deadline=None)  # a busy machine is no failure
settings.load_profile("lead")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: not item.path.as_posix().endswith(LONGEST))


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Picture stores go to a temporary folder, never to the user's cache."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get("LEAD_CACHE")
    os.environ["LEAD_CACHE"] = str(folder)
    yield folder
    os.environ.pop("LEAD_CACHE")
    if before is not None:
        os.environ["LEAD_CACHE"] = before


@pytest.fixture(autouse=True, scope="session")
def _single_precision() -> Iterator[None]:
    """What ``precision=auto`` comes to is a stopwatch's matter, on which no test may hang: bfloat16 is asked for.

    Other processes know nothing of it: settings that a test gives to one name their precision, as ``tiny`` does.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("lead.training.precision.PAYS", 0.0)
        yield


@pytest.fixture
def tiny() -> Callable[..., Settings]:
    """Makes tiny settings, with further keys for each section, and other values of what has none."""

    def make(**sections: Any) -> Settings:
        tree: dict[str, Any] = {
            "precision": "32-true",
            "picture": {"store": 48, "input": 32},
            "backbone": {"name": "test_resnet"},
            "pretrain": {"steps": 6, "batch": 8, "hidden": 32, "projection": 16},
            "distill": {"steps": 6, "batch": 8, "width": 16, "dimension": 16, "projection": 16},
        }
        for name, section in sections.items():
            tree[name] = tree.get(name, {}) | section if isinstance(section, dict) else section
        return check(tree, "test")

    return make


@pytest.fixture
def folder(tmp_path: Path) -> Dataset:
    """12 pictures of random ellipses, in a few sizes and shapes."""
    draws = np.random.default_rng(0)
    root = tmp_path / "pictures"
    root.mkdir()
    names = tuple(f"{i:02}.png" for i in range(12))
    for name in names:
        height, width = draws.integers(30, 70, 2)
        y, x = np.mgrid[:height, :width]
        cy, cx, ry, rx = draws.uniform(0.3, 0.7, 4) * (height, width, height / 2, width / 2)
        inside = ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1
        colours = draws.integers(0, 255, (2, 3))
        Image.fromarray(np.where(inside[..., None], colours[0], colours[1]).astype(np.uint8)).save(root / name)
    return Dataset("tiny", root, names, tuple(str(i // 2) for i in range(12)), ("train",) * 12)
