"""Heat maps, against loops over the cells; and where they lie in the pictures."""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from torch.nn import functional

from lead.frame import Frame
from lead.geometry import normalise_points
from lead.images.store import ImageStore
from lead.studio.explore import FAINTEST, heat_maps
from lead.studio.features import Seen

SIDE, CELLS, CHANNELS = 96, 24, 8
FRAME = Frame(SIDE, SIDE, SIDE)


def seen(size: tuple[int, int], seed: int) -> Seen:
    """A picture of random features."""
    pixels = np.zeros((1, SIDE, SIDE, 3), dtype=np.uint8)
    store = ImageStore(("a.png",), pixels, np.array([size]), (), "")
    features = torch.randn(CHANNELS, CELLS, CELLS, generator=torch.Generator().manual_seed(seed))
    return Seen(features.half(), store, 0, FRAME)


def decoded(values: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(values), dtype=np.uint8).reshape(CELLS, CELLS)


def test_the_values_are_cosines_on_one_scale() -> None:
    asked, others = seen((192, 192), 0), [("b", seen((100, 100), 1)), ("c", seen((300, 200), 2))]
    maps = heat_maps(asked, 4 * 2 * 9 + 3.5, 4 * 2 * 5 + 3.5, others)  # the centre of cell (9, 5): 8 pixels a cell
    vector = asked.features.float()[:, 5, 9]
    cosine = np.empty((2, CELLS, CELLS))
    for i, (_, other) in enumerate(others):
        for y in range(CELLS):
            for x in range(CELLS):
                cosine[i, y, x] = float(functional.cosine_similarity(vector, other.features.float()[:, y, x], dim=0))
    most = cosine.max()
    wanted = 255 * np.clip((cosine - FAINTEST * most) / ((1 - FAINTEST) * most), 0, 1)
    for i, found in enumerate(maps):
        assert (found.rows, found.columns, found.id) == (CELLS, CELLS, others[i][0])
        assert np.abs(decoded(found.values) - wanted[i]).max() <= 1
        assert found.similarity == pytest.approx(cosine[i].max(), abs=0.15)  # a little higher between the cells
    assert max(decoded(found.values).max() for found in maps) == 255


@pytest.mark.parametrize(
    ("size", "box"),
    [((60, 60), (0, 0, 60, 60)), ((30, 60), (-15, 0, 60, 60)), ((600, 300), (0, -150, 600, 600))],
)
def test_the_map_lies_on_the_picture(size: tuple[int, int], box: tuple[float, float, float, float]) -> None:
    found = heat_maps(seen((96, 96), 0), 40, 40, [("b", seen(size, 1))])[0]
    assert found.box == pytest.approx(box)


@pytest.mark.parametrize("size", [(96, 96), (48, 96), (480, 240)])
def test_the_peak_is_where_the_same_feature_is(size: tuple[int, int]) -> None:
    asked, other = seen((96, 96), 0), seen(size, 1)
    row, column = 13, 11
    other.features[:, row, column] = asked.features[:, 3, 20]
    found = heat_maps(asked, 81.5, 13.5, [("b", other)])[0]  # the centre of cell (20, 3), 4 pixels a cell
    assert found.similarity == pytest.approx(1, abs=0.1)
    cell = normalise_points(np.array([[column, row]], dtype=np.float64), (CELLS, CELLS))
    wanted = other.to_picture(cell)[0]
    assert np.hypot(found.x - wanted[0], found.y - wanted[1]) < 2.5 * max(size) / SIDE


def test_no_pictures_no_maps() -> None:
    assert heat_maps(seen((96, 96), 0), 4, 4, []) == []
