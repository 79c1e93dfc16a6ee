"""The real faces, against the facts their own notes state and what every face shares."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lead.datasets import Dataset, open_dataset
from lead.images.build import open_store

pytestmark = pytest.mark.faces


@pytest.fixture(scope="module")
def data() -> Dataset:
    folder = os.environ.get("LEAD_YTFACES")
    if not folder:
        pytest.skip("LEAD_YTFACES does not name the folder of the ytfaces pictures")
    return open_dataset(Path(folder))


def test_counts_and_splits(data: Dataset) -> None:
    assert data.labels is not None
    labelled = set(data.labels.images)
    counts = {s: (len(data.rows(s)), sum(data.files[i] in labelled for i in data.rows(s))) for s in ("train", "test")}
    assert counts == {"train": (3638, 2670), "test": (920, 673)}
    assert len(set(data.identity)) == 274
    train, test = ({data.identity[i] for i in data.rows(s)} for s in ("train", "test"))
    assert not train & test


def test_left_is_left_in_the_picture(data: Dataset) -> None:
    x = data.points("5").xy[..., 0]
    assert (x[:, 0] < x[:, 1]).mean() > 0.99
    assert (x[:, 3] < x[:, 4]).mean() > 0.99


@pytest.mark.parametrize("points", ["5", "68"])
def test_the_mean_face_is_its_own_mirror_image(data: Dataset, points: str) -> None:
    """Mirrored, flip pairs swapped and turned upright, every mean point has its own mirror image nearest."""
    labels = data.points(points)
    mean = np.nanmean(labels.xy, axis=0)
    mean -= mean.mean(0)
    partner = list(range(len(mean)))
    for a, b in labels.schema.flip_pairs:
        i, j = labels.schema.index(a), labels.schema.index(b)
        partner[i], partner[j] = j, i
    mirrored = mean[partner] * [-1, 1]
    left, _, right = np.linalg.svd(mirrored.T @ mean)
    distance = np.linalg.norm(mean[:, None] - mirrored @ left @ right, axis=-1)
    assert distance.argmin(0).tolist() == list(range(len(mean)))
    assert distance.diagonal().max() < 2.0


def test_pictures_are_stored(data: Dataset, tmp_path: Path) -> None:
    files = data.files[::200]
    store = open_store(data.root, files, 80, tmp_path)
    assert store.files == files
    assert (store.sizes == 160).all()
    assert 60 < store.pixels.mean() < 180
