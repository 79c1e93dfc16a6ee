"""The ruler beside a drawn beetle: its landmarks and the scale are exact, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lead.beetles.rendering import SCHEMA, WITH_RULER, render
from lead.beetles.ruler import MILLIMETRES, NAMES
from lead.beetles.writing import write_beetles
from lead.errors import LeadError
from lead.geometry import FloatArray
from lead.images.labels import load_labels
from lead.landmarks.model import HIDDEN, VISIBLE
from lead.morphometrics.scaling import from_file


@pytest.mark.parametrize("index", range(6))
def test_only_the_ruler_is_added(index: int) -> None:
    plain, ruled = render(index, size=96), render(index, size=96, ruler=True)
    assert ruled.xy.shape == (len(WITH_RULER.names), 2)
    assert (ruled.xy[:-2] == plain.xy).all()
    assert ruled.scale is not None
    zero, ten = ruled.xy[-2:]
    assert ruled.scale * np.linalg.norm(ten - zero) == pytest.approx(MILLIMETRES)
    assert ((ruled.xy[-2:] > 0) & (ruled.xy[-2:] < 95)).all()
    # Landmarks that it covers are hidden; no other is another than before.
    along = (ten - zero) / np.linalg.norm(ten - zero)
    away = np.abs((ruled.xy[:-2] - zero) @ np.array([-along[1], along[0]]))
    changed = ruled.visible[:-2] != plain.visible
    assert (ruled.visible[:-2][changed] == HIDDEN).all()
    assert (away[changed] <= 0.09 * 96).all()


@pytest.mark.parametrize("index", range(6))
def test_its_first_line_is_red_and_its_last_black(index: int) -> None:
    ruled = render(index, size=256, ruler=True)
    zero, ten = ruled.xy[-2:]
    along = (ten - zero) / np.linalg.norm(ten - zero)
    inward = np.array([-along[1], along[0]])
    sides = [(zero + 4 * side * inward, ten + 4 * side * inward) for side in (1, -1)]

    def at(place: FloatArray) -> FloatArray:
        x, y = np.round(place).astype(int)
        return np.asarray(ruled.pixels[y, x], np.float64)

    # The strip lies on the side that the middle of the picture is not.
    on, _ = sorted(sides, key=lambda pair: -np.linalg.norm(pair[0] + pair[1] - 255))
    between = np.median([at(on[0] + share * (on[1] - on[0])) for share in (0.05, 0.15, 0.85, 0.95)], axis=0)
    red, black = at(on[0]), at(on[1])
    assert red[0] > 1.5 * red[2]
    assert black.max() < 0.6 * between.min()
    assert red.sum() < between.sum()


def test_a_folder_holds_the_true_scales(tmp_path: Path) -> None:
    write_beetles(tmp_path / "ruled", 3, size=64, ruler=True)
    labels = load_labels(tmp_path / "ruled" / "landmarks.json")
    assert labels.schema.names == (*SCHEMA.names, *NAMES)
    assert (labels.visible[:, -2:] == VISIBLE).all()
    scales = from_file(tmp_path / "ruled" / "scales.csv")
    lengths = np.linalg.norm(labels.xy[:, -1] - labels.xy[:, -2], axis=-1)
    assert [scales[image].x for image in labels.images] == pytest.approx((MILLIMETRES / lengths).tolist(), abs=1e-4)
    assert write_beetles(tmp_path / "ruled", 3, size=64, ruler=True) == 3  # it is already there
    with pytest.raises(LeadError, match="another ruler"):
        write_beetles(tmp_path / "ruled", 3, size=64)
    with pytest.raises(LeadError, match="one beetle each"):
        write_beetles(tmp_path / "tray", 3, specimens=(1, 3), ruler=True)
