"""What the looks of a cascade are fitted from: labelled pictures in folds, others, and views of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.feature_files import Features
from lead.features import FeatureSource
from lead.nn.shape import Pose, product, sides
from lead.reporting import Progress
from lead.training.alike import near_duplicates
from lead.training.labelled import folds, judging
from lead.training.looks import Rows
from lead.training.lying import lie_any_way

CROPS = 120
"""Crops of labelled pictures in all, turned and scaled at random; at least one of each picture."""
CROPS_OF_ONE = 24
SCALED = 0.15
"""Logarithm of the size of random crops; up to that, each way."""
POOL = 100
"""Unlabelled pictures that a head teaches itself on."""
SELF_TAUGHT = 4
"""Labelled pictures up to which it is tried whether that helps; with more it never did."""


@dataclass(frozen=True)
class More:
    """Pictures that are only learnt from; see :class:`Inputs`."""

    rows: Rows
    points: Tensor
    side: Tensor | None


@dataclass(frozen=True)
class Inputs:
    """What a fit has to go by.

    Attributes:
        source: of the pictures.
        rows: (N,) of its store, the labelled pictures that it is judged on.
        points: (N, K, 2) normalised.
        accepted: (N, K) bool, as of :class:`Labelled`.
        side: (N,) which things are seen as mirror images; None where none is. See :func:`lead.nn.shape.sides`.
        more: further pictures to learn from, on which a person placed no point.
        parts: positions in ``rows`` of one fold.
        pool: (P,) rows of unlabelled pictures to learn from; perhaps none.
        turned: whether things lie any way.
        seed: of the views and crops.
        among: whether others like it may be near each thing, whose middle is then that of the picture.
    """

    source: FeatureSource
    rows: Rows
    points: Tensor
    accepted: Tensor | None
    side: Tensor | None
    more: More
    parts: list[Rows]
    pool: Rows
    turned: bool
    seed: int
    among: bool = False

    @property
    def truth(self) -> Tensor:
        """(N, K, 2) the points that errors rest on: NaN also where a suggestion was accepted."""
        return self.points if self.accepted is None else self.points.where(~self.accepted[..., None], torch.nan)

    def every(self) -> tuple[Rows, Tensor, Tensor | None]:
        """Rows, points and sides of all labelled pictures, those last that are only learnt from."""
        more, side = self.more, self.side
        if side is not None:
            side = torch.cat([side, torch.ones(len(more.rows)) if more.side is None else more.side])
        return np.concatenate([self.rows, more.rows]), torch.cat([self.points, more.points]), side


def gathered(
    source: FeatureSource,
    rows: Rows,
    points: Tensor,
    accepted: npt.NDArray[np.bool_] | None,
    groups: Sequence[str] | None,
    unlabelled: Rows | None,
    random: np.random.Generator,
    turned: bool,
    seed: int,
    progress: Progress | None,
) -> Inputs:
    """The pictures that heads are judged on, in folds, and those that they only learn from."""
    flags = None if accepted is None else torch.from_numpy(accepted)
    judged, others = judging(points, flags)
    features = source.whole(rows[judged], progress=progress)
    own = None if groups is None else [groups[i] for i in judged.tolist()]
    if own is None or len(set(own)) < 2:
        own = near_duplicates(features)
    parts = folds(len(judged), seed, own) if len(judged) > 1 else [np.arange(1)]
    pool = _pool(rows[judged], None if unlabelled is None else np.setdiff1d(unlabelled, rows), random)
    side = sides(points[judged])  # what is accepted has no say in it
    every = None if side is None else sides(points)
    if every is not None and side is not None and float((every[judged] * side).sum()) < 0:
        every = -every  # of all together, most may show the other side
    more = More(rows[others], points[others], every if every is None else every[others])
    flags = flags if flags is None else flags[judged]
    turned = lie_any_way(points[judged], turned)
    return Inputs(source, rows[judged], points[judged], flags, side, more, parts, pool, turned, seed)


def _pool(rows: Rows, unlabelled: Rows | None, random: np.random.Generator) -> Rows:
    """Unlabelled pictures to learn from."""
    if unlabelled is None or len(rows) > SELF_TAUGHT:
        return np.zeros(0, dtype=np.int64)
    return np.sort(random.permutation(np.setdiff1d(unlabelled, rows))[:POOL])


def views_each(count: int, fewest: int) -> int:
    """Views of each of so many labelled pictures."""
    return CROPS_OF_ONE if count == 1 else min(max(CROPS // count, fewest), CROPS_OF_ONE)


def jittered(pose: Pose, turned: float, shifted: float, generator: torch.Generator) -> Pose:
    """Poses near some, as a coarse look might give them; turned by up to so many degrees."""
    angle, size, x, y = torch.rand(4, len(pose.turn), generator=generator) * 2 - 1
    radius, angle = (size * SCALED).exp(), angle * math.radians(turned)
    turn = product(pose.turn, torch.stack([radius * angle.cos(), radius * angle.sin()], dim=-1))
    shift = pose.shift + torch.stack([x, y], dim=-1) * shifted * pose.size[:, None]
    return Pose(turn, shift, pose.side)


def stacked(features: Iterable[Tensor]) -> Features:
    """Batches of features as one array."""
    return np.concatenate([some.half().cpu().numpy() for some in features])
