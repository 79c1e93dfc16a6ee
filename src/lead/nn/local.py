"""Local looks: a small square of the original picture around each landmark, for its place to a few of its pixels."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.geometry import cell_grid
from lead.nn.confidence import Confidence
from lead.nn.heads import RidgeHead
from lead.nn.shape import Pose

SHARE = 2
"""The network's input is so many times as wide as the squares of a local look, that the many cost little."""
NEAR = 0.02
"""Added to distances before their logarithm, in units of the look: nearer than that says nothing."""


@dataclass(frozen=True)
class Places:
    """Where landmarks of B pictures are taken to be.

    Attributes:
        points: (B, K, 2) normalised.
        score: (B, K) heights of the heat maps that say so, in [0, 1].
        error: (B, K) mean errors to expect, normalised.
    """

    points: Tensor
    score: Tensor
    error: Tensor


@dataclass(frozen=True)
class Answer:
    """What a local look says of its M landmarks, whether it is believed or not.

    Attributes:
        points, score: as of :class:`Places`.
        signals: (B, M, SIGNALS) from which the error can be guessed.
    """

    points: Tensor
    score: Tensor
    signals: Tensor


class LocalLook(nn.Module):
    """Ridge heads of some landmarks, each for squares around where the look before it saw that landmark.

    Args:
        dimension: C of the features.
        count: M of the landmarks that are looked at.

    Attributes:
        which: (M,) positions of these among all.
        reach: half a square's side, in radii of the shape.
        confidence: of the answers, in units of half of ``reach``, so that looks of all scales are alike.
    """

    SIGNALS = 5
    which: Tensor
    reach: Tensor

    def __init__(self, dimension: int, count: int) -> None:
        super().__init__()
        self.head = RidgeHead(dimension, count)
        self.confidence = Confidence(self.SIGNALS, count)
        self.register_buffer("which", torch.zeros(count, dtype=torch.long))
        self.register_buffer("reach", torch.tensor(1.0))

    def forward(self, before: Places, pose: Pose, shape: Tensor, features: Tensor) -> Places:
        """The same places, moved as far as this look is surer of others; see :func:`weighed`.

        Args:
            before: what was known.
            pose: of the shape in each picture.
            shape: (K, 2).
            features: (B·M, C, h, w) of the squares that :meth:`squares` asks for.
        """
        own = Places(before.points[:, self.which], before.score[:, self.which], before.error[:, self.which])
        answer = self.answer(
            self.heat(features.view(-1, len(self.which), *features.shape[1:])), own, pose, shape[self.which]
        )
        after = weighed(own, answer, self.expected(answer.signals, pose))
        return Places(
            before.points.index_copy(1, self.which, after.points),
            before.score.index_copy(1, self.which, after.score),
            before.error.index_copy(1, self.which, after.error),
        )

    def squares(self, points: Tensor, pose: Pose) -> Tensor:
        """(B·M, 2, 3): from the normalised coordinates of squares around places (B, K, 2) to the pictures'."""
        return around(points[:, self.which], pose).affine(self.reach)

    def heat(self, features: Tensor) -> Tensor:
        """Heat maps of each landmark in its own square: (B, M, C, h, w) → (B, M, h, w)."""
        head, (count, landmarks) = self.head, features.shape[:2]
        inputs = head.inputs(features.flatten(0, 1))
        kept = inputs.shape[1]
        maps = inputs.reshape(count, -1, *inputs.shape[-2:])  # (B, M·R, h, w)
        filters = head.weight[:-1].T.reshape(landmarks, kept, 3, 3)
        padded = functional.pad(maps, (1,) * 4, mode="replicate")
        return functional.conv2d(padded, filters, head.weight[-1], groups=landmarks)

    def answer(self, heat: Tensor, before: Places, pose: Pose, shape: Tensor) -> Answer:
        """From heat maps (B, M, h, w); what was known, and the shape (M, 2), are of these landmarks alone.

        The signals are logarithms: of the height of a heat map and its spread, of the distances from the answer before
        and from the place in the common shape, and of the error that was expected of the answer before.
        """
        weight = (self.head.sharpness * heat).flatten(2).softmax(-1)
        grid = cell_grid(*heat.shape[-2:], device=heat.device).view(-1, 2)
        places = weight @ grid  # in squares
        spread = (weight @ grid.square() - places.square()).sum(-1).clamp(min=0).sqrt()
        view = around(before.points, pose)
        points = view(places.flatten(0, 1)[:, None] * self.reach).view(places.shape)
        size = pose.size[:, None]
        residual = (points - pose(shape)).norm(dim=-1) / size.clamp(min=1e-6)
        score = self.head.height(heat)
        lows = [
            1.05 - score,
            2 * spread + NEAR,
            2 * places.norm(dim=-1) + NEAR,
            residual.clamp(max=10) + NEAR,
            2 * before.error / (self.reach * size).clamp(min=1e-6) + NEAR,
        ]
        return Answer(points, score, torch.stack([low.clamp(min=0.01).log() for low in lows], dim=-1))

    def expected(self, signals: Tensor, pose: Pose) -> Tensor:
        """(B, M) mean errors to expect, normalised."""
        return self.confidence.expected(signals) * (self.reach / 2) * pose.size[:, None]


def weighed(before: Places, answer: Answer, error: Tensor) -> Places:
    """What was known, and a new answer: each counts by the inverse square of the error to expect of it, (B, M)."""
    share = before.error.square() / (before.error.square() + error.square()).clamp(min=1e-12)
    return Places(
        torch.lerp(before.points, answer.points, share[..., None]),
        torch.lerp(before.score, answer.score, share),
        torch.minimum(before.error, error),
    )


def around(points: Tensor, pose: Pose) -> Pose:
    """Of B·M squares: as the shape lies in each picture, but with their middles at places (B, M, 2)."""
    count = points.shape[1]
    turn = pose.turn[:, None].expand(-1, count, -1).flatten(0, 1)
    side = None if pose.side is None else pose.side[:, None].expand(-1, count).flatten()
    return Pose(turn, points.flatten(0, 1), side)
