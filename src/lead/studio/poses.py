"""Which way up things lie, by the labels: what the page draws as an arrow, and turns the view by."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lead.geometry import FloatArray
from lead.landmarks.model import Labels
from lead.nn.shape import CLEARLY, common_shape, fit_pose, sides
from lead.training.lying import lie_any_way

MOST = 500
"""Labelled pictures that the common shape is made of, at most: more change it little."""
TELLING = 1e-3
"""Root-mean-square radius from which landmarks tell a heading, in radii of the shape or pixels."""


@dataclass(frozen=True)
class Headings:
    """How labelled things are turned.

    Attributes:
        shape: (K, 2) the landmarks' common shape in its own frame, where up is (0, -1); NaN for those that are labelled
            nowhere; None where the labels show no shape, as a single landmark's do not.
        turned: whether the labels show that things lie turned any way.
        two_sided: whether some are labelled as mirror images of the others.
        names: of the landmarks of ``shape``.
    """

    shape: Tensor | None
    turned: bool
    two_sided: bool = False
    names: tuple[str, ...] = ()

    @property
    def places(self) -> FloatArray | None:
        """``shape`` as an array."""
        return None if self.shape is None else self.shape.double().numpy()

    @classmethod
    def of(cls, labels: Labels) -> Headings:
        """Those of labelled pictures."""
        some = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), MOST)).round().astype(np.int64))
        points = torch.from_numpy(labels.xy[some]).float()
        known = ~points.isnan().any(-1)
        there = known.any(0)
        if not bool((known.sum(-1) > 1).any()):
            return cls(None, turned=False)
        points = points[known.any(1)][:, there]
        side = sides(points)
        found, size = common_shape(points, side)
        if size == 0:
            return cls(None, turned=False)
        shape = torch.full((len(there), 2), torch.nan)
        shape[there] = found
        return cls(shape, lie_any_way(points, expected=False), side is not None, labels.schema.names)

    def up(self, xy: FloatArray) -> tuple[float, float] | None:
        """Along which unit vector the up of a thing with landmarks (K, 2) points, in the pixels that these are in.

        None where fewer than two landmarks are known (not NaN), or all of these
        are on one spot.
        """
        if self.shape is None:
            return None
        points = torch.from_numpy(np.asarray(xy)).float()
        known = ~(points.isnan() | self.shape.isnan()).any(-1)
        if int(known.sum()) < 2 or min(_radius(points[known]), _radius(self.shape[known])) < TELLING:
            return None
        shape, places = self.shape[known], points[known][None]
        plain, *mirror = (
            fit_pose(shape, places, side=torch.tensor([side])) for side in ([1.0, -1.0] if self.two_sided else [1.0])
        )
        away = [float((pose(shape) - places).norm(dim=-1).mean() / pose.size[0]) for pose in (plain, *mirror)]
        heading = float((mirror[0] if away[-1] < CLEARLY * away[0] else plain).heading[0])
        return math.sin(heading), -math.cos(heading)


def _radius(places: Tensor) -> float:
    """Root-mean-square, of places (k, 2) about their mean."""
    return float((places - places.mean(0)).square().sum(-1).mean().sqrt())
