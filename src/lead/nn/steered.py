"""A ridge head for things that lie any way: it tries every heading, and answers at the best."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from lead.geometry import soft_argmax
from lead.nn.heads import EITHER_SIDE, Lie, RidgeHead
from lead.nn.shape import fit_pose_robustly

CHOOSING = 120.0
"""Sharpness with which places are found while a heading is chosen."""
SHAPELESS, MOST = 0.5, 2.0
"""What a mean distance of one radius from the places in the common shape counts against a heading, in shares of the
best one's height; up to so many radii."""
AGAINST, AWRY = 0.3, math.cos(math.radians(60))
"""What counts against it, if the places found make the thing lie turned by more than 60° otherwise."""
TELLING, FINALISTS = 8, 2
"""Of more than twice ``TELLING`` landmarks, so many are looked for at every heading. They leave ``FINALISTS``, of which
all landmarks choose: nearly always the same as of all headings. The few alone choose worse."""


class SteeredHead(RidgeHead):
    """A ridge head whose neighbourhoods are turned in eighths, and mirrored if asked, to wherever a thing's top points.

    Features learnt with views turned all round are nearly the same however a thing lies, but not what surrounds a cell.
    One weight serves all headings with the neighbours in another order, so the network looks only once (steerable
    filters: Freeman and Adelson, 1991).

    Args:
        dimension: C of the features.
        landmarks: K.
        ring: as of :class:`RidgeHead`.
        lies: to try; each at most once.

    Attributes:
        shape: (K, 2) the common shape; see :func:`lead.nn.shape.common_shape`.
        usual: its usual size in whole pictures.
    """

    shape: Tensor
    usual: Tensor
    unrolled: list[int] | None = None

    def __init__(self, dimension: int, landmarks: int, ring: int, lies: Sequence[Lie]) -> None:
        super().__init__(dimension, landmarks, ring=ring)
        self.lies = tuple(lies)
        self.register_buffer("shape", torch.zeros(landmarks, 2))
        self.register_buffer("usual", torch.tensor(1.0))
        orders = torch.stack([self.order(lie) for lie in self.lies])  # (L, D)
        self.register_buffer("places", orders.argsort(1), persistent=False)
        angle = torch.tensor([lie.step for lie in self.lies]) * (math.pi / 4)
        self.register_buffer("tops", torch.stack([angle.cos(), angle.sin()], dim=-1), persistent=False)
        sides = torch.tensor([-1.0 if lie.mirrored else 1.0 for lie in self.lies])
        self.register_buffer("sides", sides, persistent=False)

    places: Tensor
    tops: Tensor
    sides: Tensor

    def heat_of(self, inputs: Tensor, weight: Tensor) -> Tensor:
        """Heat maps of the best lie of each picture: (B, R, H, W) and (D, M) → (B, M, H, W); M any multiple of K."""
        landmarks, tried = len(self.shape), list(range(len(self.lies)))
        return torch.cat([self._best(inputs, some, tried) for some in torch.split(weight, landmarks, dim=1)], dim=1)

    def upright_heat_of(self, inputs: Tensor, weight: Tensor) -> Tensor:
        """As :meth:`heat_of` of one weight (D, K), where things are known to point up, whichever side is seen."""
        return self._best(inputs, weight, [i for i, lie in enumerate(self.lies) if lie in EITHER_SIDE])

    def unroll(self) -> None:
        """Makes heat maps the same computation whatever the pictures show, so that it can be exported.

        What is answered stays the same. ``shape`` is taken as it is now.
        """
        self.unrolled = self.telling()

    def telling(self) -> list[int]:
        """Those landmarks that are looked for at every lie: all if they are few, else some spread over the shape."""
        landmarks = len(self.shape)
        return list(range(landmarks)) if landmarks <= 2 * TELLING else spread(self.shape, TELLING)

    def _best(self, inputs: Tensor, weight: Tensor, tried: list[int]) -> Tensor:
        """As :meth:`heat_of`, of one weight (D, K) and some of the lies."""
        telling = self.telling() if self.unrolled is None else self.unrolled
        every = list(range(weight.shape[1]))
        lies = torch.tensor(tried, device=inputs.device).expand(
            inputs.shape[0], -1
        )  # (B, L); len() would fix it in a file
        if telling == every or len(tried) <= FINALISTS:
            return self._chosen(self._at_each(inputs, weight, tried), lies, every)
        if self.unrolled is None:
            left = self._left(self._at_each(inputs, weight[:, telling], tried), lies, telling)
            return self._chosen(self._at_some(inputs, weight, lies.gather(1, left)), lies.gather(1, left), every)
        heat = self._at_each(inputs, weight, tried)
        left = self._left(heat.index_select(2, torch.tensor(telling, device=heat.device)), lies, telling)
        return self._chosen(_gathered(heat, left), lies.gather(1, left), every)

    def _left(self, heat: Tensor, lies: Tensor, telling: list[int]) -> Tensor:
        """Which lies (B, FINALISTS) explain a picture best by some landmarks (B, L, T, H, W)."""
        return self._value(heat, lies, telling).topk(FINALISTS, dim=1).indices

    def _chosen(self, heat: Tensor, lies: Tensor, telling: list[int]) -> Tensor:
        """Those of the lie that explains a picture best: (B, L, K, H, W) → (B, K, H, W)."""
        return _gathered(heat, self._value(heat, lies, telling).argmax(1, keepdim=True))[:, 0]

    def _at_some(self, inputs: Tensor, weight: Tensor, lies: Tensor) -> Tensor:
        """Heat maps of each picture at lies of its own (B, F): (B, R, H, W) and (D, K) → (B, F, K, H, W)."""
        places, parts = [], []
        flat = lies.flatten()
        for lie in sorted(set(flat.tolist())):  # pictures of the same one at once
            places.append(torch.nonzero(flat == lie)[:, 0])
            parts.append(super().heat_of(inputs[places[-1] // lies.shape[1]], weight[self.places[lie]]))
        return torch.cat(parts)[torch.cat(places).argsort()].view(*lies.shape, *parts[0].shape[1:])

    def _at_each(self, inputs: Tensor, weight: Tensor, tried: list[int]) -> Tensor:
        """Heat maps at each lie of those tried: (B, R, H, W) and (D, K) → (B, L, K, H, W)."""
        every = weight[self.places[tried]].permute(1, 0, 2).flatten(1)  # (D, L·K)
        heat = super().heat_of(inputs, every)
        return heat.view(-1, len(tried), weight.shape[1], *heat.shape[-2:])

    def _value(self, heat: Tensor, lies: Tensor, telling: list[int]) -> Tensor:
        """How well each of some lies (B, L) explains a picture, by some landmarks: (B, L, T, H, W) → (B, L)."""
        count, heat, flat = lies.shape[1], heat.flatten(0, 1), lies.flatten()
        points, score = soft_argmax(CHOOSING * heat), self.height(heat)
        pose, residual = fit_pose_robustly(
            self.shape[telling], points, score + 0.05, usual=self.usual, side=self.sides.index_select(0, flat)
        )
        top = pose.turn / pose.size[:, None].clamp(min=1e-6)
        awry = ((top * self.tops.index_select(0, flat)).sum(-1) < AWRY).view(-1, count)
        height = score.mean(-1).view(-1, count)
        shapeless = residual.clamp(max=MOST).mean(-1).view(-1, count) * SHAPELESS + awry.float() * AGAINST
        return height / height.amax(1, keepdim=True).clamp(min=1e-6) - shapeless


def _gathered(heat: Tensor, which: Tensor) -> Tensor:
    """Some (B, F) of the lies of each picture: (B, L, K, H, W) → (B, F, K, H, W)."""
    # Not take_along_dim, which makes an exported file take no other number of pictures than it was traced with.
    return heat.gather(1, which[:, :, None, None, None].expand(-1, -1, *heat.shape[2:]))


def spread(shape: Tensor, count: int) -> list[int]:
    """``count`` of the places (K, 2), none twice, each as far from those before it as can be; K is at least as many."""
    places = shape.double().cpu()
    apart = torch.cdist(places, places)
    chosen = [int((places - places.mean(0)).norm(dim=1).argmax())]
    nearest = apart[chosen[0]].clone()
    while len(chosen) < count:
        nearest[chosen] = -1  # where places coincide, too
        chosen.append(int(nearest.argmax()))
        nearest = torch.minimum(nearest, apart[chosen[-1]])
    return sorted(chosen)
