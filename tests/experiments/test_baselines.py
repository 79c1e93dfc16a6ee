"""Reductions of a run's own features, fitted on cells of its training pictures."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from lead.config import Settings
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.experiments import baselines
from lead.experiments.baselines import ReductionKind, fit_reduction
from lead.features import Extractor
from lead.files import default_cache
from lead.images.build import open_store
from lead.images.store import ImageStore
from lead.nn.backbone import Backbone


@pytest.fixture
def seen(tiny: Callable[..., Settings], folder: Dataset) -> tuple[Extractor, ImageStore]:
    torch.manual_seed(0)
    picture = tiny().picture
    store = open_store(folder.root, folder.files, picture.store, default_cache())
    return Extractor(Backbone("test_resnet"), picture), store


@pytest.mark.parametrize("kind", ["pca", "nmf"])
def test_features_are_those_of_the_network_reduced(seen: tuple[Extractor, ImageStore], kind: ReductionKind) -> None:
    extractor, store = seen
    reduced = fit_reduction(extractor, store, np.arange(8), kind, 5, seed=0, cells=100)
    pixels = torch.from_numpy(np.array(store.pixels[8:]))
    features = reduced.features(pixels)
    assert features.shape == (4, 5, 8, 8)
    assert reduced.reduction is not None
    torch.testing.assert_close(features, reduced.reduction(extractor.features(pixels)))
    assert kind == "pca" or features.min() >= 0
    assert extractor.reduction is None


def test_all_the_cells_of_the_given_pictures_are_fitted(seen: tuple[Extractor, ImageStore]) -> None:
    extractor, store = seen
    rows = np.array([7, 2, 4])
    reduced = fit_reduction(extractor, store, rows, "pca", 4, seed=0, cells=3 * 64)
    cells = extractor.features(torch.from_numpy(store.pixels[rows])).permute(0, 2, 3, 1).flatten(0, 2).cpu().numpy()
    expected = PCA(4, svd_solver="full").fit_transform(cells.astype(np.float64))
    got = reduced.features(torch.from_numpy(store.pixels[rows])).permute(0, 2, 3, 1).flatten(0, 2).cpu().numpy()
    np.testing.assert_allclose(np.abs(got), np.abs(expected), atol=1e-3 * np.abs(expected).max())


def test_as_many_cells_come_from_each_of_the_pictures_drawn(
    seen: tuple[Extractor, ImageStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    extractor, store = seen
    monkeypatch.setattr(baselines, "PICTURES", 6)
    taken = []
    monkeypatch.setattr(baselines, "fit_pca", lambda cells, k: taken.append((cells, k)))
    fit_reduction(extractor, store, np.arange(12), "pca", 3, seed=0, cells=50)
    ((cells, k),) = taken
    assert (len(cells), k) == (54, 3)
    whole = extractor.features(torch.from_numpy(np.array(store.pixels))).permute(0, 2, 3, 1).flatten(1, 2).cpu()
    from_picture = [
        sum(bool(np.isclose(whole[i].numpy(), cell, atol=1e-5).all(-1).any()) for cell in cells) for i in range(12)
    ]
    assert sorted(from_picture) == [0] * 6 + [9] * 6


def test_the_seed_decides(seen: tuple[Extractor, ImageStore]) -> None:
    digests = [fit_reduction(*seen, np.arange(12), "nmf", 3, seed, cells=60).digest() for seed in (0, 0, 1)]
    assert digests[0] == digests[1] != digests[2]


def test_an_unknown_kind_is_named(seen: tuple[Extractor, ImageStore]) -> None:
    with pytest.raises(LeadError, match=r"Unknown reduction 'mnf'. Did you mean 'nmf'\? Valid: nmf, pca"):
        fit_reduction(*seen, np.arange(12), "mnf", 3, 0)  # type: ignore[arg-type]
