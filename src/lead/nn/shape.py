"""The landmarks' common shape, and the similarity map that lays it over each picture.

Places are complex numbers here, x + iy in normalised coordinates, since a similarity map then is one product and one
sum: place = turn · shape + shift, where |turn| is the size and arg(turn) the rotation. They are kept as pairs (x, y),
as points are everywhere, because the runtimes that a model is exported to know real numbers only.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

ROBUST = 0.25
"""Residual, in radii of the shape, at which a landmark's say in a robust fit is halved."""
CLEARLY, UNLIKE = 0.5, 0.5
"""Misfit of a mirror image, as a share of the plain one's, below which it is one, where the plain one's is more than so
many radii."""
ROUNDS = 6
"""Of reweighting, and of aligning to the mean: both have settled by then."""


def product(a: Tensor, b: Tensor) -> Tensor:
    """a·b of complex numbers (..., 2)."""
    turned = b @ b.new_tensor([[0.0, 1.0], [-1.0, 0.0]])  # i·b
    return a[..., :1] * b + a[..., 1:] * turned


def conjugate(a: Tensor) -> Tensor:
    """Of complex numbers (..., 2)."""
    return a * a.new_tensor([1.0, -1.0])


@dataclass(frozen=True)
class Pose:
    """Similarity maps of B pictures, from the common shape to places; of mirror images, from the shape upside down.

    Attributes:
        turn, shift: (B, 2) complex.
        side: (B,) -1 for mirror images, else 1; None where there are none.
    """

    turn: Tensor
    shift: Tensor
    side: Tensor | None = None

    @property
    def size(self) -> Tensor:
        """(B,) of the shape in each picture, in normalised units."""
        return self.turn.square().sum(-1).sqrt()

    def __call__(self, places: Tensor) -> Tensor:
        """Places of the shape's frame (B, K, 2) or (K, 2) to those of the pictures, (B, K, 2)."""
        return product(self.turn[:, None], sided(places, self.side)) + self.shift[:, None]

    def inverse(self, points: Tensor) -> Tensor:
        """Places of the pictures (B, K, 2) to those of the shape's frame, (B, K, 2)."""
        back = conjugate(self.turn) / self.turn.square().sum(-1, keepdim=True)
        return sided(product(back[:, None], points - self.shift[:, None]), self.side)

    def affine(self, half: Tensor | float) -> Tensor:
        """(B, 2, 3): from the normalised coordinates of a square around the shape, ``half`` radii to each side."""
        (real, imaginary), (x, y) = (self.turn * half).unbind(-1), self.shift.unbind(-1)
        side = 1 if self.side is None else self.side
        return torch.stack([real, -imaginary * side, x, imaginary, real * side, y], dim=-1).view(-1, 2, 3)

    def take(self, rows: Tensor) -> Pose:
        """Some of the maps; a row may be asked for repeatedly."""
        return Pose(self.turn[rows], self.shift[rows], None if self.side is None else self.side[rows])


def sided(places: Tensor, side: Tensor | None) -> Tensor:
    """Places (K, 2) or (B, K, 2), upside down for the pictures whose side (B,) is -1; all as they are for None."""
    if side is None:
        return places
    return places * torch.stack([torch.ones_like(side), side], dim=-1)[:, None]


def fit_pose(
    shape: Tensor,
    points: Tensor,
    weight: Tensor | None = None,
    *,
    usual: Tensor | float = 1.0,
    side: Tensor | None = None,
) -> Pose:
    """The maps that bring a shape nearest to landmarks, by weighted least squares.

    Args:
        shape: (K, 2) in its own frame.
        points: (B, K, 2); NaN where unknown.
        weight: (B, K), how much each landmark counts; 1 by default.
        usual: size that is taken where the known landmarks tell none, as a single one does; without rotation.
        side: (B,) -1 for mirror images; None where there are none.

    Returns:
        One map for each picture. Where nothing is known, the shape's centre is put in the picture's.
    """
    known = ~points.isnan().any(-1)
    weight = known.float() if weight is None else weight * known
    turn, shift = _least_squares(sided(shape, side), points.nan_to_num(), weight, usual)
    return Pose(turn, shift, side)


def _least_squares(shape: Tensor, points: Tensor, weight: Tensor, usual: Tensor | float) -> tuple[Tensor, Tensor]:
    """Turn and shift as of :func:`fit_pose`, of places that are all known; shapes (K, 2) or (B, K, 2)."""
    weight = weight[..., None]
    total = weight.sum(1).clamp(min=1e-9)
    centre, middle = (weight * shape).sum(1) / total, (weight * points).sum(1) / total  # (B, 2) both
    around, places = shape - centre[:, None], points - middle[:, None]
    spread = (weight * around.square()).sum((1, 2))[:, None]  # (B, 1)
    turn = (weight * product(conjugate(around), places)).sum(1) / spread.clamp(min=1e-9)
    telling = (spread > 1e-6 * total) & (turn.norm(dim=-1, keepdim=True) > 1e-6)
    turn = torch.where(telling, turn, torch.eye(2, device=turn.device)[0] * usual)
    return turn, middle - product(turn, centre)


def fit_pose_robustly(
    shape: Tensor, points: Tensor, weight: Tensor, *, usual: Tensor | float, side: Tensor | None = None
) -> tuple[Pose, Tensor]:
    """As :func:`fit_pose`, but a landmark that lies far from where the others put it counts little (Cauchy weights).

    Returns:
        The maps, and (B, K) how far each landmark lies from its place in the shape, in radii of the shape.
    """
    counts = weight
    places = sided(shape, side)
    for _ in range(ROUNDS):
        pose = Pose(*_least_squares(places, points, counts, usual), side)
        residual = (points - pose(shape)).norm(dim=-1) / pose.size[:, None].clamp(min=1e-6)
        counts = weight / (1 + (residual / ROBUST).square())
    return pose, residual


def common_shape(points: Tensor) -> tuple[Tensor, float]:
    """The mean of landmarks after similarity maps have been taken out (generalised Procrustes analysis; Gower, 1975).

    Args:
        points: (N, K, 2) normalised; NaN where unlabelled. Every landmark is labelled somewhere.

    Returns:
        (K, 2), centred and with a root-mean-square radius of 1, turned as the pictures are on average; and their mean
        size, in normalised units. Where no picture shows two landmarks, they lie as they do on average. Where all are
        on one spot, zeros and a size of 0.
    """
    known = ~points.isnan().any(-1)
    telling = known.sum(-1) > 1  # of size and rotation
    if not bool(telling.any()):
        return _normalised(points.nanmean(0))
    fullest = int(known.sum(-1).argmax())
    shape = points[fullest]  # NaN where that picture does not say
    size = 0.0
    for _ in range(ROUNDS):
        placed = known & ~shape.isnan().any(-1)
        pose = fit_pose(shape.nan_to_num(), points, placed.float())
        shape, radius = _normalised(pose.inverse(points).nanmean(0))
        if radius == 0:
            return shape, radius
        there = fit_pose(shape, points[telling], known[telling].float())
        heading = (there.turn / there.size[:, None]).mean(0)
        shape = product(shape, heading / heading.norm().clamp(min=1e-6))
        size = float(there.size.mean())
    return shape, size


def sides(points: Tensor) -> Tensor | None:
    """Which pictures show mirror images of what most show, as things that were seen from two sides do.

    Args:
        points: (N, K, 2) normalised; NaN where unlabelled.

    Returns:
        (N,) -1 for mirror images, else 1; None where there are none. A picture of fewer than three landmarks, or one
        that fits the shape of the others about as well either way, counts as no mirror image.
    """
    known = ~points.isnan().any(-1)
    side = torch.ones(len(points))
    shape = _normalised(points[int(known.sum(-1).argmax())])[0]  # NaN where that picture does not say
    for _ in range(ROUNDS):
        placed = known & ~shape.isnan().any(-1)
        plain, mirror = (_misfit(shape.nan_to_num(), points, placed, way * torch.ones_like(side)) for way in (1, -1))
        telling = placed.sum(-1) > 2
        new = torch.where(telling & (plain > UNLIKE) & (mirror < CLEARLY * plain), -1.0, 1.0)
        if bool((new == side).all()):
            break
        side = new
        shape, _ = common_shape(sided(points, side))
    if int((side < 0).sum()) * 2 > len(side):
        side = -side
    return side if bool((side < 0).any()) else None


def _misfit(shape: Tensor, points: Tensor, known: Tensor, side: Tensor) -> Tensor:
    """(N,) mean distance of the known landmarks from their places in the shape, in its radii."""
    pose = fit_pose(shape, points, known.float(), side=side)
    away = (points.nan_to_num() - pose(shape)).norm(dim=-1) * known
    out: Tensor = away.sum(-1) / (known.sum(-1).clamp(min=1) * pose.size.clamp(min=1e-6))
    return out


def _normalised(places: Tensor) -> tuple[Tensor, float]:
    """Places (K, 2) about their mean, with a root-mean-square radius of 1, and what it was; zeros and 0 on one spot."""
    centred = places - places.nanmean(0)
    radius = float(centred.square().sum(-1).nanmean().sqrt())
    return (centred / radius, radius) if radius > 1e-4 else (torch.zeros_like(places), 0.0)
