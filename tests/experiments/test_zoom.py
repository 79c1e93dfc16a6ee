"""What a field of view shows, and that heads are fitted and judged at theirs."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from seeing import centres
from torch import Tensor

from lead.errors import LeadError
from lead.evaluation.summary import error_rows
from lead.experiments import zoom as zooming
from lead.experiments.bench import Bench
from lead.experiments.zoom import zoom, zoomed
from lead.images.views import View
from lead.training.labelled import Labelled


def test_the_central_share_fills_the_square_and_its_landmarks_follow() -> None:
    side, factor, base = 16, (1.0, 1.5, 2.0), 0.5
    ramp = 10 * torch.arange(side, dtype=torch.uint8).view(1, 1, side, 1).expand(3, side, side, 3)
    points = torch.tensor([[[0.25, -0.5], [0.0, 0.6], [math.nan, math.nan]]]).expand(3, 3, 2)
    view = zoomed(View(ramp, points), torch.tensor(factor), base)
    for b, f in enumerate(factor):
        share = base * f
        for column in range(side):
            x = side * (1 - share) / 2 + (column + 0.5) * share - 0.5  # pixels of the whole picture
            expected = 10 * min(max(x, 0), side - 1)
            assert (view.pixels[b, :, column] - expected).abs().max() <= 0.5 + 1e-4
        for k, (px, py) in enumerate(points[b].tolist()):
            moved = [px / share, py / share]
            outside = not max(map(abs, moved)) <= 1
            expected_point = torch.tensor([math.nan, math.nan] if outside else moved)
            torch.testing.assert_close(view.points[b, k], expected_point, equal_nan=True)
    assert view.points.isnan().any(-1).tolist() == [[False, True, True], [False, False, True], [False, False, True]]
    assert torch.equal(view.pixels[2], ramp[2])


@pytest.mark.parametrize("factor", [0.0, 2.1])
def test_more_than_the_picture_cannot_be_shown(factor: float) -> None:
    view = View(torch.zeros(1, 8, 8, 3, dtype=torch.uint8), torch.zeros(1, 1, 2))
    with pytest.raises(LeadError, match=f"Factors from {factor:g} .* at most 1 can be shown"):
        zoomed(view, torch.tensor([factor]), 0.5)


@pytest.mark.parametrize("share", [1.0, 0.9])
def test_heads_are_fitted_and_judged_at_their_fields_of_view(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    bench = eyed("lead", "dve", share=share)
    points = bench.dataset.points("all")
    given: list[Labelled] = []

    def by_eye(kind: str, labelled: Labelled, seed: int) -> Callable[[Tensor], Tensor]:
        assert (kind, seed) == ("ridge", 3)
        given.append(labelled)
        return centres

    monkeypatch.setattr(zooming, "fitted", by_eye)
    rows = error_rows(zoom(bench, train=(1.2, 1.5), base=0.6, test=(1.25, 1.5), seed=3))
    assert [(r.method, r.features, r.labels, r.metric, r.unit) for r in rows] == [
        (f"{method}/ridge", "3-d", "all", f"zoom-{factor}", "%")
        for method in ("lead", "dve")
        for factor in ("1.25", "1.50")
    ]
    assert all(r.mean < 1.5 for r in rows)
    assert rows[0].mean == rows[2].mean
    # What is fitted: the dots where they are seen, each picture at a field of view of its own in the range.
    whole = bench.frame.normalise(bench.store.to_store(range(6), points.xy[:6]))
    fields = np.nanmedian(whole / given[0].points.numpy(), axis=(1, 2)) / 0.6
    assert ((fields > 1.2) & (fields < 1.5)).all()
    assert fields.max() - fields.min() > 0.1
    torch.testing.assert_close(
        centres(given[0].feature_chunk(slice(None))), given[0].points.double(), atol=0.02, rtol=0
    )
    torch.testing.assert_close(given[0].points, given[1].points)
    assert given[0].features.dtype == np.float16


@pytest.mark.parametrize("share", [1.0, 0.75])
def test_what_is_out_of_view_is_not_judged(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    bench = eyed("lead", share=share)
    points = bench.dataset.points("all")
    middle = torch.zeros(6, 2, 2)
    monkeypatch.setattr(zooming, "fitted", lambda *_: lambda features: middle[: len(features)])
    said: list[str] = []
    rows = error_rows(zoom(bench, base=0.35, test=(1.0, 2.0), say=said.append))
    for row, factor in zip(rows, (1.0, 2.0), strict=True):
        errors, out = [], 0
        for i in range(6, 12):
            width, height = (96, 72) if i % 2 else (48, 48)  # the longer side is the stored square's
            unit = np.linalg.norm(np.subtract(*points.xy[i]))
            for x, y in points.xy[i] + 0.5 - (width / 2, height / 2):
                if max(abs(x), abs(y)) > 0.35 * factor * bench.frame.shown / 96 * width / 2:
                    out += 1
                else:
                    errors.append(100 * np.hypot(x, y) / unit)
        assert row.mean == pytest.approx(np.mean(errors), rel=1e-5)
        assert f"{row.metric}: {100 * out / 12:.1f}% of the labelled landmarks lie outside and are left out" in said
        assert (out > 0) == (factor == 1.0)


def test_a_head_fitted_on_zoomed_pictures_knows_more_than_the_middle(
    eyed: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = error_rows(zoom(eyed("lead")))
    assert [r.metric for r in rows] == ["zoom-1.00", "zoom-1.25", "zoom-1.50", "zoom-1.75", "zoom-2.00"]
    monkeypatch.setattr(zooming, "fitted", lambda *_: lambda features: torch.zeros(len(features), 2, 2))
    assert all(row.mean < middle.mean for row, middle in zip(rows, error_rows(zoom(eyed("lead"))), strict=True))
