"""How labelled things lie."""

from __future__ import annotations

import math

from torch import Tensor

from lead.nn.cascade import RING
from lead.nn.heads import ALL_ROUND, BOTH_SIDES, EITHER_SIDE, PLAIN, Lie
from lead.nn.shape import common_shape, fit_pose, sides

UPRIGHT = 45.0
"""Degrees from their common heading up to which labelled things still lie as the others do."""
ASTRAY = 0.1
"""Share of them beyond it from which they lie any way."""


def lie_any_way(points: Tensor, expected: bool) -> bool:
    """Whether things lie turned any way in the pictures. Labels may show it; if they do not, that proves nothing.

    Args:
        points: (N, K, 2) normalised; NaN where unlabelled. Every landmark is labelled somewhere.
        expected: what holds unless they do.
    """
    if expected:
        return True
    side = sides(points)
    telling = (~points.isnan().any(-1)).sum(-1) > 1
    chosen = points[telling if side is None else telling & (side > 0)]  # upright mirror images head elsewhere
    if len(chosen) < 2 or (shape := common_shape(chosen))[1] == 0:
        return False
    away = fit_pose(shape[0].nan_to_num(), chosen).heading.abs()  # the shape heads as they do on average
    return float((away > math.radians(UPRIGHT)).float().mean()) > ASTRAY


def ways_to_lie(points: Tensor, side: Tensor | None, *, turned: bool, cells: int) -> list[tuple[Lie, ...]]:
    """What the coarse look of a cascade may try, the likeliest first.

    Args:
        points: (N, K, 2) normalised; NaN where unlabelled.
        side: (N,) -1 for mirror images; None where there are none.
        turned: whether things lie any way.
        cells: of the features along a side.
    """
    plain: tuple[Lie, ...] = (PLAIN,)
    _, size = common_shape(points, side)
    if size == 0:  # a single landmark, which lies no way
        return [plain]
    ways = [ALL_ROUND, plain] if turned else [plain]
    if size * cells / 2 < RING:  # of what is smaller than a neighbourhood, neighbours tell no heading
        ways.reverse()
    return ways if side is None else [*ways, BOTH_SIDES if turned else EITHER_SIDE]
