"""What is learnt from where specimens are small: windows, of which each shows one."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from herds import draw_herds
from spots import Colours

import lead
from lead.config import Settings
from lead.datasets import folder as plain
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.images.labels import save_labels
from lead.landmarks.model import Labels
from lead.training.run import Run
from lead.training.specimens import WINDOWS, keep_windows, windowed

COUNTS = [3, 4, 2, 3, 4, 3]
SIDE = 200
AUTO = {"views": {"rotation": "auto"}}
Maker = Callable[..., Settings]


class World:
    def __init__(self, root: Path, settings: Settings) -> None:
        self.settings = settings
        self.root = root / "pictures"
        self.root.mkdir()
        self.truth = draw_herds(self.root, COUNTS, side=SIDE)
        self.dataset = plain.load(self.root)
        self.run = Run.plan(root / "run", settings)
        self.said: list[str] = []

    def windows(self, labels: Labels | None, extent: float | None = None) -> Dataset:
        how: dict[str, Any] = {"progress": None, "say": self.said.append}
        return windowed(self.dataset, self.settings, self.run, labels=labels, extent=extent, **how)[0]

    def labelled(self, pictures: int) -> Labels:
        return self.truth.take(i for i, image in enumerate(self.truth.images) if image < f"{pictures:02}")


@pytest.fixture
def world(tiny: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("lead.training.specimens.Extractor", lambda *a: Colours(a[0], a[1]))
    return World(tmp_path, tiny(picture={"store": 64, "input": 64, "frame": 0.75}, distill=AUTO))


def shown(dataset: Dataset, truth: Labels) -> list[int]:
    """How many whole specimens the inner part of each window shows, which the network is shown."""
    assert dataset.boxes is not None
    out = []
    for file, (x, y, width, height) in zip(dataset.files, dataset.boxes, strict=True):
        rows = [row for row, image in enumerate(truth.images) if image == file]
        low = np.array([x, y]) - 0.5 + 0.125 * np.array([width, height])
        high = low + 0.75 * np.array([width, height])
        inside = ((truth.xy[rows] > low) & (truth.xy[rows] < high)).all((1, 2))
        out.append(int(inside.sum()))
    return out


def test_windows_show_the_labelled_and_what_is_found_like_them(world: World) -> None:
    dataset = world.windows(world.labelled(2))
    assert min(shown(dataset, world.truth)) >= 1
    assert {file: dataset.files.count(file) for file in set(dataset.files)} == {
        f"{i:02}.bmp": count for i, count in enumerate(COUNTS)
    }
    assert f"Learns from {sum(COUNTS)} windows onto {len(COUNTS)} pictures." in world.said
    assert any("may lie any way" in text for text in world.said)


def test_without_a_complete_picture_the_labelled_alone_are_learnt_from(world: World) -> None:
    dataset = world.windows(replace(world.labelled(2), complete=frozenset()))
    assert dataset.files.count("00.bmp") == 3
    assert set(dataset.files) == {"00.bmp", "01.bmp"}
    assert any("only windows around labelled specimens" in text for text in world.said)


def test_windows_of_a_stated_size_lie_in_the_pictures_where_these_show_most(world: World) -> None:
    dataset = world.windows(None, 0.15)
    assert dataset.boxes is not None
    assert dataset.boxes[:, 2:] == pytest.approx(2 * 0.9 * 0.15 * SIDE / 0.75, abs=0.01)
    assert (dataset.boxes[:, :2] >= 0).all()
    assert (dataset.boxes[:, :2] + dataset.boxes[:, 2:] <= SIDE + 0.01).all()
    middles = dataset.boxes[:, :2] + dataset.boxes[:, 2:] / 2
    first = [  # the one of each picture that shows most
        np.linalg.norm(
            np.nanmean(world.truth.xy[[i for i, name in enumerate(world.truth.images) if name == file]], 1)
            - middles[dataset.files.index(file)],
            axis=1,
        ).min()
        for file in dict.fromkeys(dataset.files)
    ]
    assert np.median(first) < 0.15 * SIDE


@pytest.mark.parametrize("extent", [0.0, 1.0, -0.2, 20.0])
def test_an_extent_that_is_no_share_is_refused(world: World, extent: float) -> None:
    with pytest.raises(LeadError, match=f"--extent {extent:g} is no share"):
        world.windows(None, extent)


def test_labels_of_other_pictures_are_refused(world: World) -> None:
    labels = world.labelled(1)
    with pytest.raises(LeadError, match="None of the labelled pictures"):
        world.windows(labels.renamed(f"other{image}" for image in labels.images))


def test_whole_pictures_stay_whole(world: World) -> None:
    assert world.windows(None) is world.dataset
    keep_windows(world.run, None)
    assert not (world.run.folder / WINDOWS).exists()


def test_a_run_goes_on_with_the_windows_that_it_began_with(tiny: Maker, tmp_path: Path) -> None:
    root, run = tmp_path / "pictures", tmp_path / "run"
    root.mkdir()
    truth = draw_herds(root, COUNTS, side=96, sizes=(5, 6))
    save_labels(truth, tmp_path / "labels.json", pictures=root)
    settings = tiny(distill={"steps": 2, **AUTO})
    said: list[str] = []
    lead.train(root, run, settings=settings, stage="pretrain", labels=tmp_path / "labels.json", say=said.append)
    kept = json.loads((run / WINDOWS).read_text())
    assert len(kept) == sum(COUNTS)
    (tmp_path / "labels.json").unlink()
    done = lead.train(root, run, settings=settings, say=said.append)
    assert json.loads((run / WINDOWS).read_text()) == kept
    assert done.has_student
    assert done.settings.turned
    assert done.provenance["pictures"] == len(kept)
    (run / WINDOWS).write_text("[1]")
    with pytest.raises(LeadError, match=r"windows\.json is damaged"):
        lead.train(root, run, settings=settings)
