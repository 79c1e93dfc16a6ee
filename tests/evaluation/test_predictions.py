"""Predictions are saved whole, read back as they were, and every row comes from them."""

from __future__ import annotations

import io
import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lead.errors import LeadError
from lead.evaluation.metrics import normalised_errors
from lead.evaluation.predictions import Predictions
from lead.evaluation.results import Row
from lead.evaluation.summary import error_rows, further_rows

DRAWS, PICTURES, LANDMARKS = 2, 5, 3
RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0, 90, (PICTURES, LANDMARKS, 2))
TRUTH[1, 2] = np.nan
EACH = (DRAWS, PICTURES, LANDMARKS)
MADE = Predictions(
    metric="regression-68",
    method="lead/cascade",
    features="64-d",
    labels=2,
    images=np.array([f"a/ü {i}.png" for i in range(PICTURES)]),
    landmarks=np.array(["head", "tail", "wing"]),
    xy=TRUTH + RNG.normal(0, 3, (*EACH, 2)),
    truth=TRUTH,
    unit=np.array([20.0, 30.0, 25.0, np.nan, 40.0]),
    scale=np.full((PICTURES, 2), 0.5),
    shown=96,
    labelled=np.array([["b.png", "c.png"], ["c.png", "d.png"]]),
    expected=RNG.uniform(0.01, 0.1, EACH),
    radii=RNG.uniform(0.01, 0.1, (3, *EACH)),
    predicted_hidden=RNG.random(EACH) < 0.5,
    hidden=RNG.random(EACH[1:]) < 0.5,
    origin={"benchmark": "beetles", "seed": 0, "seconds": 1.5},
)


def test_a_file_gives_back_every_bit(tmp_path: Path) -> None:
    path = tmp_path / "new" / "one.npz"
    MADE.save(path)
    assert [file.name for file in path.parent.iterdir()] == ["one.npz"]
    read = Predictions.load(path)
    for entry in fields(Predictions):
        before, after = getattr(MADE, entry.name), getattr(read, entry.name)
        if isinstance(before, np.ndarray):
            assert (after.dtype, after.shape) == (before.dtype, before.shape)
            assert after.tobytes() == before.tobytes()
        else:
            assert after == before
    assert error_rows([read]) == error_rows([MADE])


def test_what_is_not_there_stays_so(tmp_path: Path) -> None:
    bare = replace(MADE, labels=None, expected=None, radii=None, predicted_hidden=None, hidden=None)
    bare.save(tmp_path / "bare.npz")
    read = Predictions.load(tmp_path / "bare.npz")
    assert (read.labels, read.references, read.expected, read.hidden) == (None, None, None, None)


def test_three_lines_of_numpy_read_it(tmp_path: Path) -> None:
    MADE.save(tmp_path / "one.npz")
    file = np.load(tmp_path / "one.npz")
    away = np.hypot(*np.moveaxis(file["xy"] - file["truth"], -1, 0))
    percent = 100 * away / file["unit"][:, None]
    assert np.nanmean(percent[0]) == pytest.approx(np.nanmean(MADE.errors[0]))
    assert json.loads(str(file["meta"]))["method"] == "lead/cascade"


@pytest.mark.parametrize("name", ["unit", "scale", "labelled", "expected", "radii", "hidden"])
def test_arrays_that_do_not_fit_one_another_are_refused(name: str) -> None:
    with pytest.raises(LeadError, match=f"{name} has shape"):
        replace(MADE, **{name: getattr(MADE, name)[:1]})


def written(meta: dict[str, Any] | None, **arrays: Any) -> bytes:
    file = io.BytesIO()
    if meta is not None:
        arrays["meta"] = np.array(json.dumps(meta))
    np.savez(file, allow_pickle=False, **arrays)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no archive",
        written(None, xy=np.zeros(3)),
        written({"version": 99, "shares": [50, 80, 90]}),
        written({"version": 1, "shares": [50, 80, 90], "metric": "regression-5"}),
        written({"version": 1, "shares": [50, 80, 90], "colour": "red"}),
    ],
)
def test_any_other_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.npz"
    path.write_bytes(content)
    with pytest.raises(LeadError, match=r"other\.npz is not a file of predictions.*Delete it"):
        Predictions.load(path)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    MADE.save(tmp_path / "one.npz")
    whole = (tmp_path / "one.npz").read_bytes()
    (tmp_path / "half.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(LeadError, match=r"half\.npz is not a file of predictions"):
        Predictions.load(tmp_path / "half.npz")


# --- the rows --------------------------------------------------------------------------------------------------------


def by_metric(rows: list[Row]) -> dict[str, Row]:
    return {row.metric: row for row in rows}


def test_rows_are_those_of_each_draw_averaged() -> None:
    rows = by_metric(error_rows([MADE]))
    apart = [by_metric(error_rows([replace(MADE, **one_draw(d))])) for d in range(DRAWS)]
    keys = ["within-50", "within-80", "within-90", "rank", "worst", "hidden", "shown"]
    assert list(rows) == ["regression-68", *(f"{key}-68" for key in keys)]
    for metric, row in rows.items():
        means = [one[metric].mean for one in apart]
        assert (row.mean, row.sd) == pytest.approx((np.mean(means), np.std(means)))
        assert (row.method, row.features, row.labels, row.unit, row.draws) == ("lead/cascade", "64-d", 2, "%", DRAWS)
    errors = [normalised_errors(xy, MADE.truth, MADE.unit) for xy in MADE.xy]
    assert rows["regression-68"].mean == pytest.approx(np.mean([np.nanmean(one) for one in errors]))
    assert rows["regression-68"].median == pytest.approx(np.mean([np.nanmedian(one) for one in errors]))


def one_draw(draw: int) -> dict[str, Any]:
    names = ("xy", "labelled", "expected", "predicted_hidden")
    assert MADE.radii is not None
    return {n: getattr(MADE, n)[draw : draw + 1] for n in names} | {"radii": MADE.radii[:, draw : draw + 1]}


def test_coverage_is_counted_in_the_frame() -> None:
    # 96 stored pixels of half a picture's own: a frame of 192 own pixels.
    away = np.linalg.norm(MADE.xy - MADE.truth, axis=-1) / 192
    radii = np.stack([0.99 * away, 1.01 * away, np.full_like(away, 0.02)])
    rows = by_metric(error_rows([replace(MADE, radii=radii, expected=away)]))
    assert [rows[f"within-{share}-68"].mean for share in (50, 80)] == [0, 100]
    assert rows["within-90-68"].mean == pytest.approx(
        np.mean([100 * (one[np.isfinite(one)] <= 0.02).mean() for one in away])
    )
    assert rows["rank-68"].mean == pytest.approx(100)


def test_what_is_correct_is_counted_for_every_threshold() -> None:
    rows = by_metric(further_rows([MADE]))
    names = [f"{name}-{threshold}-regression-68" for name in ("pck", "pictures") for threshold in (5, 10, 20)]
    assert list(rows) == [*names, "auc-10-regression-68"]
    errors = MADE.errors
    for threshold in (5, 10, 20):
        points = [100 * (one[np.isfinite(one)] <= threshold).mean() for one in errors]
        assert rows[f"pck-{threshold}-regression-68"].mean == pytest.approx(np.mean(points))
        within = np.isnan(errors) | (errors <= threshold)
        whole = [100 * one.all(-1)[[0, 1, 2, 4]].mean() for one in within]  # the fourth picture's unit is unknown
        assert rows[f"pictures-{threshold}-regression-68"].mean == pytest.approx(np.mean(whole))
    of_pictures = np.nanmean(errors[:, [0, 1, 2, 4]], axis=-1)
    limits = np.arange(0.0005, 10, 0.001)
    assert (of_pictures < 10).any()
    area = [100 * (one[:, None] <= limits).mean() for one in of_pictures]
    assert rows["auc-10-regression-68"].mean == pytest.approx(np.mean(area), abs=0.01)


def test_warped_copies_are_measured_in_their_pictures_own_pixels() -> None:
    warped = replace(MADE, metric="peers-same", warped=True, expected=None, radii=None)
    own = np.linalg.norm(MADE.xy - MADE.truth, axis=-1) / 0.5
    np.testing.assert_allclose(warped.errors, 100 * own / MADE.unit[:, None])
    pixels, percent = error_rows([warped])
    assert (pixels.unit, percent.unit) == ("px of 70", "%")
    assert pixels.mean == pytest.approx(np.mean([np.nanmean(one) for one in own]) * 0.5 * 70 / 96)
