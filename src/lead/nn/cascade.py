"""Coarse to fine: landmarks on the whole picture, on an upright crop around them, and near by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from lead.geometry import cell_grid, soft_argmax
from lead.nn.confidence import Confidence
from lead.nn.heads import PLAIN, Lie, RidgeHead
from lead.nn.local import LocalLook, Places
from lead.nn.shape import Pose, fit_pose_robustly, product, sided
from lead.nn.steered import SteeredHead

RING = 3
"""Of both heads, in cells: what surrounds a part tells it from others like it."""
SIZES = (0.5, 2.0)
"""Of an object, at the least and at the most, as a multiple of the least and the greatest that was labelled."""
DOUBTLESS = 1e-4
"""Of the frame's side: errors to expect below it are all the same."""
NEAR = 0.02
"""Added to distances before their logarithm, in radii of the shape: nearer than that says nothing."""


@dataclass(frozen=True)
class CoarseOutput:
    """What the coarse look finds on whole pictures.

    Attributes:
        points: (B, K, 2) normalised.
        score: (B, K) heights of the heat maps, in [0, 1].
        pose: where the common shape lies.
    """

    points: Tensor
    score: Tensor
    pose: Pose


@dataclass(frozen=True)
class CascadeOutput:
    """What a cascade finds in the end.

    Attributes:
        points: (B, K, 2) normalised.
        score: (B, K) in [0, 1].
        signals: (B, K, S) from which the error can be guessed; see :meth:`Cascade.signals`.
        size: (B,) of the shape in each picture, in normalised units: what distances are measured by.
        gain: (B, K) error to expect after local looks, as a share of the one before; None where there were none.
    """

    points: Tensor
    score: Tensor
    signals: Tensor
    size: Tensor
    gain: Tensor | None = None

    @classmethod
    def joined(cls, parts: Sequence[CascadeOutput]) -> CascadeOutput:
        """Those of several batches, one after another."""
        gain = None if parts[0].gain is None else torch.cat([p.gain for p in parts if p.gain is not None])
        return cls(
            torch.cat([p.points for p in parts]),
            torch.cat([p.score for p in parts]),
            torch.cat([p.signals for p in parts]),
            torch.cat([p.size for p in parts]),
            gain,
        )

    def take(self, rows: Tensor) -> CascadeOutput:
        """Those of some of the pictures."""
        gain = None if self.gain is None else self.gain[rows]
        return CascadeOutput(self.points[rows], self.score[rows], self.signals[rows], self.size[rows], gain)

    def without_local(self, plain: CascadeOutput, some: Tensor) -> CascadeOutput:
        """For ``some`` (B,) of the pictures, what was found without local looks."""
        assert self.gain is not None
        return replace(
            self,
            points=torch.where(some[:, None, None], plain.points, self.points),
            score=torch.where(some[:, None], plain.score, self.score),
            gain=torch.where(some[:, None], torch.ones_like(self.gain), self.gain),
        )

    def expected(self, confidence: Confidence) -> Tensor:
        """(B, K) mean errors to expect, as shares of the frame's side."""
        error = confidence.expected(self.signals) * self.size[:, None] / 2
        return error if self.gain is None else error * self.gain

    def doubt(self, confidence: Confidence) -> Tensor:
        """(B,) mean logarithm of the errors to expect before local looks, as shares of the frame's side."""
        error: Tensor = confidence.expected(self.signals) * self.size[:, None] / 2
        return error.clamp(min=DOUBTLESS).log().mean(1)


class Cascade(nn.Module):
    """Two ridge heads and a shape; and perhaps local looks.

    Args:
        dimension: C of the features.
        landmarks: K.
        fine: whether there is a fine look.
        lies: ways for things to lie that the coarse look tries.
        local: of each local look, the number of its landmarks.
        first: channels of the first maps that local looks see; 0 where they see the same features as the others.
        bounded: whether other things like it may be near, so that landmarks are looked for within bounds.

    Attributes:
        before: what to expect before the local looks; None where there are none.
        shape: (K, 2), see :func:`lead.nn.shape.common_shape`.
        sizes: (3,) least, mean and greatest size of the labelled objects.
        reach: half the crop's side, in radii of the shape.
    """

    SIGNALS = 8
    shape: Tensor
    sizes: Tensor
    reach: Tensor

    def __init__(
        self,
        dimension: int,
        landmarks: int,
        *,
        fine: bool,
        lies: Sequence[Lie] = (PLAIN,),
        local: Sequence[int] = (),
        first: int = 0,
        bounded: bool = False,
    ) -> None:
        super().__init__()
        self.bounded = bounded
        self.lies = tuple(lies)
        self.mirrored = any(lie.mirrored for lie in lies)
        plain = self.lies == (PLAIN,)
        self.coarse: RidgeHead = (
            RidgeHead(dimension, landmarks, ring=RING) if plain else SteeredHead(dimension, landmarks, RING, self.lies)
        )
        self.fine = RidgeHead(dimension, landmarks, ring=RING) if fine else None
        for head in filter(None, (self.coarse, self.fine)) if bounded else ():
            head.register_buffer("bounds", torch.ones(landmarks if head is self.fine else 1, 3))
        self.first = first
        self.local = nn.ModuleList(LocalLook(first or dimension, count) for count in local)
        self.before = Confidence(self.SIGNALS, landmarks) if local else None
        self.register_buffer("shape", torch.zeros(landmarks, 2))
        self.register_buffer("sizes", torch.ones(3))
        self.register_buffer("reach", torch.tensor(2.0))

    def find(
        self,
        features: Tensor,
        crops: Callable[[Tensor], Tensor],
        up: Tensor | None = None,
        close: Callable[[Tensor], Tensor] | None = None,
    ) -> CascadeOutput:
        """Landmarks by all looks.

        Args:
            features: (B, C, H, W) of whole pictures.
            crops: features (B, C, H, W) of squares cut from the pictures, by the maps (B, 2, 3) from each square's
                normalised coordinates to its picture's.
            up: (B, 2) unit vectors in the pictures along which the things' up points, if that is known.
            close: features or first maps (B·M, C, h, w) of small squares, M of each picture in turn, by maps
                (B·M, 2, 3) as of ``crops``; None for no local looks.
        """
        found = self._found(features, crops, up)
        return found if close is None or self.before is None else self._closer(found, self.before, close)

    def _found(self, features: Tensor, crops: Callable[[Tensor], Tensor], up: Tensor | None) -> CascadeOutput:
        """As :meth:`find`, without local looks."""
        if up is None:
            heat, view = self.coarse.heat(features), None
        else:
            view = Pose(product(up, up.new_tensor([0.0, 1.0])), torch.zeros_like(up))  # from (0, -1) to up
            heat = self._upright_heat(crops(view.affine(1.0)))
        first = self._output(heat, view)
        if self.fine is None:
            return self._refined(first, heat, view)
        return self.refine(first, crops(self.crop(first.pose)))

    def _closer(self, found: CascadeOutput, confidence: Confidence, close: Callable[[Tensor], Tensor]) -> CascadeOutput:
        """What was found, and what local looks make of it."""
        error = confidence.expected(found.signals) * found.size[:, None]
        places, pose = Places(found.points, found.score, error), self.pose(found.points, found.score)
        for look in self.looks:
            places = look(places, pose, self.shape, close(look.squares(places.points, pose)))
        return replace(found, points=places.points, score=places.score, gain=places.error / error)

    @property
    def looks(self) -> list[LocalLook]:
        """The local looks, the widest first."""
        return list(self.local)  # type: ignore[arg-type]

    def coarse_output(self, features: Tensor) -> CoarseOutput:
        """From features of whole pictures (B, C, H, W)."""
        return self._output(self.coarse.heat(features), None)

    def _upright_heat(self, features: Tensor) -> Tensor:
        """Of the coarse look (B, K, H, W), at views (B, C, H, W) in which things are known to point up."""
        inputs, weight = self.coarse.inputs(features), self.coarse.weight
        if isinstance(self.coarse, SteeredHead):
            return self.coarse.upright_heat_of(inputs, weight)
        return self.coarse.heat_of(inputs, weight)

    def _output(self, heat: Tensor, view: Pose | None) -> CoarseOutput:
        """From heat maps (B, K, H, W) of views that are turned, or of whole pictures as they are."""
        points, score = soft_argmax(self.coarse.sharpness * heat), self.coarse.height(heat)
        points = points if view is None else view(points)
        return CoarseOutput(points, score, self.pose(points, score))

    def pose(self, points: Tensor, score: Tensor) -> Pose:
        """Where the shape lies, from landmarks (B, K, 2) and the weight of each (B, K)."""
        weight = score + 0.05
        pose, residual = fit_pose_robustly(self.shape, points, weight, usual=self.sizes[1])
        if self.mirrored:
            mirror, away = fit_pose_robustly(
                self.shape, points, weight, usual=self.sizes[1], side=-torch.ones_like(weight[:, 0])
            )
            better = ((weight * away).sum(1) < (weight * residual).sum(1))[:, None]
            turn, shift = torch.where(better, mirror.turn, pose.turn), torch.where(better, mirror.shift, pose.shift)
            pose = Pose(turn, shift, 1 - 2 * better[:, 0].float())
        allowed = pose.size.clamp(SIZES[0] * self.sizes[0], SIZES[1] * self.sizes[2])
        middle = self.shape.mean(0, keepdim=True)
        centre = pose(middle)[:, 0]  # stays where it is
        turn = pose.turn * (allowed / pose.size.clamp(min=1e-6))[:, None]
        return Pose(turn, centre - product(turn, sided(middle, pose.side).view(-1, 2)), pose.side)

    def crop(self, pose: Pose) -> Tensor:
        """(B, 2, 3): from the normalised coordinates of each picture's crop to the picture's."""
        return pose.affine(self.reach)

    def to_crop(self, points: Tensor, pose: Pose) -> Tensor:
        """Places of the pictures (B, K, 2) in their crops' normalised coordinates."""
        return pose.inverse(points) / self.reach

    def from_crop(self, points: Tensor, pose: Pose) -> Tensor:
        """The inverse of :meth:`to_crop`."""
        return pose(points * self.reach)

    def refine(self, first: CoarseOutput, features: Tensor) -> CascadeOutput:
        """From features of the crops (B, C, H, W); of the whole pictures where there is no fine look."""
        return self._refined(first, (self.fine or self.coarse).heat(features), None)

    def _refined(self, first: CoarseOutput, heat: Tensor, view: Pose | None) -> CascadeOutput:
        """From heat maps (B, K, H, W) of the last look; ``view`` as of :meth:`_output`, if that is the coarse one."""
        head = self.fine or self.coarse
        weight = (head.sharpness * heat).flatten(2).softmax(-1)  # (B, K, H·W)
        grid = cell_grid(*heat.shape[-2:], device=heat.device).view(-1, 2)
        points = weight @ grid
        spread = (weight @ grid.square() - points.square()).sum(-1).clamp(min=0).sqrt()  # (B, K)
        if self.fine is None:
            points, spread = points if view is None else view(points), spread / first.pose.size[:, None]
        else:
            points, spread = self.from_crop(points, first.pose), spread * self.reach
        score = head.height(heat)
        return CascadeOutput(points, score, self.signals(first, points, score, spread), first.pose.size)

    def signals(self, first: CoarseOutput, points: Tensor, score: Tensor, spread: Tensor) -> Tensor:
        """(B, K, SIGNALS) logarithms of what separates good places from bad ones.

        Of each landmark: the height of its heat map, its heat map's spread, the distance of the two looks' answers, and
        that to its place in the common shape, laid over the others anew. Then the mean of each over the picture's
        landmarks, for a picture tends to succeed or fail as a whole. Distances are in radii of the shape.
        """
        size = first.pose.size[:, None]
        apart = (points - first.points).norm(dim=-1) / size
        _, residual = fit_pose_robustly(self.shape, points, score + 0.05, usual=self.sizes[1], side=first.pose.side)
        lows = [1.05 - score, spread + NEAR, apart + NEAR, residual.clamp(max=10) + NEAR]
        own = torch.stack([low.clamp(min=0.01).log() for low in lows], dim=-1)  # (B, K, 4)
        return torch.cat([own, own.mean(1, keepdim=True).expand_as(own)], dim=-1)
