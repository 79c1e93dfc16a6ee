"""What a field of view shows. That heads are fitted and judged at theirs is tested among the protocols."""

from __future__ import annotations

import math

import pytest
import torch

from lead.errors import LeadError
from lead.experiments.zoom import zoomed
from lead.images.views import View


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
