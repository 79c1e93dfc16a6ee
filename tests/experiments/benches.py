"""A few drawn beetles with a run on them, and dots that need no network to be found."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from seeing import Showing

from lead import api
from lead.beetles.writing import write_beetles
from lead.config import Settings, check
from lead.datasets import open_dataset
from lead.datasets.base import Dataset
from lead.experiments.bench import Bench, System
from lead.landmarks.model import Labels, Schema
from lead.nn.backbone import Backbone
from lead.nn.student import Student
from lead.training.run import Run

DOTS = Schema(("red", "green"))


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """36 beetles of 8 species, two of them for the test."""
    root = tmp_path_factory.mktemp("drawn") / "beetles"
    write_beetles(root, 36, size=64, species=8, workers=1)
    return open_dataset(root)


@pytest.fixture(scope="session")
def run(drawn: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that held two of the six training species out."""
    settings = check(
        {
            "validation": 0.33,
            "picture": {"store": 64, "input": 32},
            "backbone": {"name": "test_resnet"},
            "hypercolumn": {"weights": [1, 0, 0, 0]},
            "pretrain": {"steps": 2, "batch": 4, "hidden": 16, "projection": 8},
            "distill": {"steps": 2, "batch": 4, "width": 16, "dimension": 8, "projection": 8},
        },
        "test",
    )
    return api.train(drawn, tmp_path_factory.mktemp("experiments") / "run", settings=settings)


@pytest.fixture
def dots(tmp_path: Path) -> Dataset:
    """Pictures of two sizes with a red and a green dot each."""
    draws = np.random.default_rng(0)
    (tmp_path / "dots").mkdir()
    names, xy = tuple(f"{i}.png" for i in range(12)), []
    for i, name in enumerate(names):
        width, height = (96, 72) if i % 2 else (48, 48)
        row, column = np.mgrid[:height, :width]
        points = draws.uniform(0.35, 0.65, (2, 2)) * (width, height)
        points[:, 0] += np.array([-0.08, 0.08]) * width  # apart
        picture = np.zeros((height, width, 3))
        for channel, (x, y) in enumerate(points):
            picture[..., channel] = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * (0.04 * width) ** 2))
        Image.fromarray((255 * picture).round().astype(np.uint8)).save(tmp_path / "dots" / name)
        xy.append(points)
    labels = Labels.from_xy(DOTS, names, xy)
    split = ("train",) * 6 + ("test",) * 6
    who = tuple(str(i // 2) for i in range(12))
    return Dataset("dots", tmp_path / "dots", names, who, split, labels, {"all": labels}, {"all": ("red", "green")})


@pytest.fixture
def eyed(dots: Dataset, tiny: Callable[..., Settings]) -> Callable[..., Bench]:
    """A bench of systems that are shown the pictures of dots as they are."""

    def make(*methods: str, share: float = 1.0, data: Dataset = dots) -> Bench:
        settings = tiny(picture={"store": 96, "input": 96, "frame": share})
        showing = Showing(Student(Backbone("test_resnet"), 16, 16), settings.picture)
        return Bench(data, [System(method, showing) for method in methods], settings)

    return make
