"""Fitting local looks: for which landmarks, and down to what scale, out-of-fold labels decide."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from lead.feature_files import Features
from lead.geometry import soft_argmax
from lead.nn.cascade import Cascade, CascadeOutput
from lead.nn.confidence import Confidence
from lead.nn.heads import RidgeHead
from lead.nn.local import LocalLook, Places, around, weighed
from lead.nn.shape import Pose, fit_pose
from lead.seeds import mixed_seed
from lead.training.confidence import LOCAL, PRIOR, expected_unseen, fit_confidence, recalibrated
from lead.training.fit import Moments, moments_of, principal_components, solve
from lead.training.inputs import CROPS_OF_ONE, Inputs, jittered, stacked
from lead.training.labelled import Labelled
from lead.training.looks import SHARE, Rows

FEWEST = 4
"""Labels of a landmark from which it is looked at closely: with fewer, nothing says whether that helps."""
MOST_LOOKS = 3
NARROWER, FINER = 3.0, 1.5
"""A local look shows three times as much as the one before it, of a third of the side; and at least so many times."""
ROOM = 2.0
"""Half of a square, as a multiple of what four fifths of the errors before are within, of the median landmark."""
SQUARES = 120
"""Of labelled pictures in all, for each landmark; at least one of each picture."""
TURNED, SHIFTED = 10.0, 0.35
"""Random squares to learn from: degrees, and shares of half the side; up to that, each way."""
RIDGES, SHARPNESSES = (1e-4, 1e-3, 1e-2), (30.0, 60.0, 120.0)
SMALL = 0.02
"""Added to errors before their logarithm, in units of the look: what is less makes no difference."""
WORTH = 0.9
"""Error after a look, as a share of that before, below which a landmark is worth its square."""
CLEARLY = 2.0
"""Standard errors by which they must be below it together."""
SHRUNK = 5.0
"""Labels of a landmark that weigh as much as what all landmarks together say of that share."""
TOGETHER = 16
"""Landmarks whose squares are in memory at once."""


@dataclass(frozen=True)
class Closer:
    """A cascade with local looks.

    Attributes:
        head: the cascade.
        confidence: of what it says in the end.
        points: (N, K, 2) what it says of pictures that were held out, normalised.
        expected: (N, K) errors that were expected of these.
    """

    head: Cascade
    confidence: Confidence
    points: Tensor
    expected: Tensor


def add_local_looks(inputs: Inputs, cascade: Cascade, found: CascadeOutput, confidence: Confidence) -> Closer | None:
    """Fits local looks; None where they do not help.

    Args:
        inputs: labelled pictures, at least two.
        cascade: without local looks.
        found: what it said of these pictures while they were held out.
        confidence: of that.
    """
    away = (found.points - inputs.truth).norm(dim=-1)
    error = expected_unseen(found.signals, away / found.size[:, None], PRIOR) * found.size[:, None]
    places, pose = Places(found.points, found.score, error), cascade.pose(found.points, found.score)
    looks: list[LocalLook] = []
    reach, side = float(_reach(cascade)), inputs.source.extractor.frame.input
    some = _with_labels(inputs)
    while len(some) and len(looks) < MOST_LOOKS:
        narrower = _narrower(inputs, pose, places.points[:, some], inputs.truth[:, some], reach, side)
        fitted = None if narrower is None else _fit_look(inputs, cascade, places, pose, narrower, some)
        if narrower is None or fitted is None:
            break
        look, places = fitted
        looks.append(look)
        reach, side, some = narrower, inputs.source.close_side, look.which
    if not looks:
        return None
    out = Cascade(
        cascade.coarse.reduction.shape[1],
        len(cascade.shape),
        fine=cascade.fine is not None,
        lies=cascade.lies,
        local=[len(look.which) for look in looks],
        first=inputs.source.extractor.first_channels,
        bounded=cascade.bounded,
    )
    out.load_state_dict(cascade.state_dict(), strict=False)
    assert out.before is not None
    out.before.load_state_dict(confidence.state_dict())
    for mine, look in zip(out.local, looks, strict=True):
        mine.load_state_dict(look.state_dict())
    ratios = (places.points - inputs.truth).norm(dim=-1) / places.error
    return Closer(out, recalibrated(confidence, ratios[~ratios.isnan()]), places.points, places.error)


def _with_labels(inputs: Inputs) -> Tensor:
    """Positions of landmarks with enough labels; in two parts at least, so that none is judged on what it never saw."""
    known = ~inputs.truth.isnan().any(-1)  # (N, K)
    parts = torch.stack([known[torch.from_numpy(part)].any(0) for part in inputs.parts]).sum(0)
    return torch.nonzero((known.sum(0) >= FEWEST) & (parts > 1))[:, 0]


def _reach(cascade: Cascade) -> Tensor:
    """Half the side of what the last look sees, in radii of the shape."""
    return 1 / cascade.sizes[1] if cascade.fine is None else cascade.reach


def _narrower(inputs: Inputs, pose: Pose, points: Tensor, truth: Tensor, reach: float, side: int) -> float | None:
    """Half the side of the squares of a further look, in radii; None where it could not show more.

    Args:
        inputs: labelled pictures.
        pose: of the shape in these.
        points, truth: (N, M, 2) what is said of the landmarks in question, and where they are.
        reach: of the look before.
        side: of the network's input in that, in pixels.
    """
    close = inputs.source.close_side
    pixels = torch.from_numpy(inputs.source.detail(inputs.rows)) * pose.size  # of the file, to a radius
    in_file = close / 2 / float(pixels.median())
    away = (points - truth).norm(dim=-1) / pose.size[:, None]
    astray = ROOM * float(away.nanquantile(0.8, dim=0).median())
    half = max(reach * close / side / NARROWER, in_file, astray)
    return half if close / half > FINER * side / reach else None


# --- one look ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Heard:
    """What a landmark's heads say of its squares in out-of-fold pictures.

    Attributes:
        heat: (len(RIDGES), N, h, w).
        moments: of each part, and of those that are only learnt from.
    """

    heat: Tensor
    moments: list[Moments]


def _fit_look(
    inputs: Inputs, cascade: Cascade, places: Places, pose: Pose, reach: float, enough: Tensor
) -> tuple[LocalLook, Places] | None:
    """A look of those of ``enough`` landmarks that it is worth to, and what is then said of out-of-fold pictures."""
    truth = inputs.truth
    look = LocalLook(inputs.source.extractor.first_channels or cascade.coarse.reduction.shape[1], len(enough))
    look.which.copy_(enough)
    look.reach.fill_(reach)
    heard: list[_Heard] = []
    for some in torch.split(enough, TOGETHER):
        views = _Views.of(inputs, cascade, reach, some)
        width, channels = look.head.reduction.shape
        if width < channels and not heard:
            look.head.reduction.copy_(principal_components(Labelled(views.features, views.points), width))
        heard.extend(_listen(inputs, places, pose, look, some, views))
    before = Places(places.points[:, enough], places.score[:, enough], places.error[:, enough])
    unit = reach / 2 * pose.size[:, None]
    ridge = _settle(look, torch.stack([one.heat for one in heard], dim=2), before.points, truth[:, enough], pose, unit)
    heat = torch.stack([one.heat[ridge] for one in heard], dim=1)
    answer = look.answer(heat, before, pose, cascade.shape[enough])
    errors = (answer.points - truth[:, enough]).norm(dim=-1) / unit
    look.confidence = fit_confidence(answer.signals, errors, prior=LOCAL)
    after = weighed(before, answer, expected_unseen(answer.signals, errors, LOCAL) * unit)
    kept = torch.nonzero(_worth(before.points, after.points, truth[:, enough], unit))[:, 0]
    if not len(kept):
        return None
    for i in kept.tolist():
        look.head.weight[:, i] = solve(heard[i].moments, 1, RIDGES[ridge])[:, 0]
    which = enough[kept]
    return _of(look, kept), Places(
        places.points.index_copy(1, which, after.points[:, kept]),
        places.score.index_copy(1, which, after.score[:, kept]),
        places.error.index_copy(1, which, after.error[:, kept]),
    )


def _worth(before: Tensor, after: Tensor, truth: Tensor, unit: Tensor) -> Tensor:
    """(M,) whether a look is worth it for each landmark, by its places (N, M, 2) before and after.

    Those that gain enough must together gain it clearly, in view of how pictures differ.
    """
    lows = [((points - truth).norm(dim=-1) / unit + SMALL).log() for points in (before, after)]
    gain = lows[1] - lows[0]  # (N, M)
    known = ~gain.isnan()
    own = (gain.nan_to_num().sum(0) + SHRUNK * gain.nanmean()) / (known.sum(0) + SHRUNK)
    worth: Tensor = own < math.log(WORTH)
    pictures = gain[:, worth].nanmean(1)
    pictures = pictures[~pictures.isnan()]
    unsure = float(pictures.std()) / math.sqrt(len(pictures)) if len(pictures) > 1 else math.inf
    return worth & (float(pictures.mean()) + CLEARLY * unsure < math.log(WORTH))


def _settle(look: LocalLook, heat: Tensor, centre: Tensor, truth: Tensor, pose: Pose, unit: Tensor) -> int:
    """Sets the sharpness, and says which ridge does best with it.

    Args:
        look: of M landmarks.
        heat: (len(RIDGES), N, M, h, w) of out-of-fold pictures.
        centre, truth: (N, M, 2) of their squares, and where the landmarks are.
        pose: of the shape in them.
        unit: (N, 1) of the errors.
    """
    best = (math.inf, 0, SHARPNESSES[0])
    view = around(centre, pose)
    for ridge, maps in enumerate(heat):
        for sharpness in SHARPNESSES:
            inside = soft_argmax(sharpness * maps) * look.reach
            points = view(inside.flatten(0, 1)[:, None]).view(centre.shape)
            error = float(((points - truth).norm(dim=-1) / unit + SMALL).log().nanmean())
            best = min(best, (error, ridge, sharpness))
    look.head.sharpness.fill_(best[2])
    return best[1]


def _of(look: LocalLook, kept: Tensor) -> LocalLook:
    """A look of some of its landmarks."""
    out = LocalLook(look.head.reduction.shape[1], len(kept))
    state = look.state_dict()
    for name in ("head.weight", "confidence.hidden"):
        state[name] = state[name][:, kept]
    for name in ("which", "confidence.level", "confidence.across"):
        state[name] = state[name][kept]
    out.load_state_dict(state)
    return out


def _listen(
    inputs: Inputs, places: Places, pose: Pose, look: LocalLook, some: Tensor, views: _Views
) -> Iterator[_Heard]:
    """What heads of some landmarks learn from squares around labels, and say of those around the answers before."""
    count = len(inputs.rows)
    squares = around(places.points[:, some], pose)
    asked = _close(inputs, inputs.rows.repeat(len(some)), squares.affine(look.reach))
    asked = asked.reshape(count, len(some), *asked.shape[1:])
    parts = [*inputs.parts, *([np.arange(count, count + len(inputs.more.rows))] if len(inputs.more.rows) else [])]
    for place in range(len(some)):
        head = RidgeHead(look.head.reduction.shape[1], 1)
        head.reduction.copy_(look.head.reduction)
        learnt = [views.moments(head, place, part) for part in parts]
        heat = torch.empty(len(RIDGES), count, *asked.shape[-2:])
        for number, part in enumerate(inputs.parts):
            others = [one for i, one in enumerate(learnt[: len(inputs.parts)]) if one is not None and i != number]
            inside = head.inputs(torch.from_numpy(asked[part, place].astype(np.float32)))
            for ridge, strength in enumerate(RIDGES):
                heat[ridge, part] = head.heat_of(inside, solve(others, 1, strength))[:, 0]
        yield _Heard(heat, [one for one in learnt if one is not None])


def _close(inputs: Inputs, rows: Rows, affine: Tensor) -> Features:
    """(n, C, h, w) of squares."""
    return stacked(inputs.source.close(rows, affine, first=bool(inputs.source.extractor.first_channels)))


@dataclass(frozen=True)
class _Views:
    """Random squares around labels of some landmarks.

    Attributes:
        features: (V, C, h, w).
        points: (V, 1, 2) where the landmark is in each square.
        picture: (V,) position among the labelled pictures, then those that are only learnt from.
        landmark: (V,) position among the landmarks.
    """

    features: Features
    points: Tensor
    picture: Rows
    landmark: Rows

    @classmethod
    def of(cls, inputs: Inputs, cascade: Cascade, reach: float, some: Tensor) -> _Views:
        """Those of some landmarks, a picture's together, so that its original is decoded once."""
        own = cls._around(inputs, cascade, reach, some, inputs.rows, inputs.points, inputs.side)
        if not len(inputs.more.rows):
            return own
        more = cls._around(inputs, cascade, reach, some, inputs.more.rows, inputs.more.points, inputs.more.side)
        return cls(
            np.concatenate([own.features, more.features]),
            torch.cat([own.points, more.points]),
            np.concatenate([own.picture, more.picture + len(inputs.rows)]),
            np.concatenate([own.landmark, more.landmark]),
        )

    @classmethod
    def _around(
        cls,
        inputs: Inputs,
        cascade: Cascade,
        reach: float,
        some: Tensor,
        rows: Rows,
        points: Tensor,
        side: Tensor | None,
    ) -> _Views:
        """Of some pictures alone, so that those that are only learnt from change nothing for the others."""
        known = fit_pose(cascade.shape, points, usual=cascade.sizes[1], side=side)
        each = min(max(SQUARES // len(inputs.rows), 1), CROPS_OF_ONE)
        labelled = torch.nonzero(~points[:, some].isnan().any(-1))  # (L, 2)
        picture, landmark = labelled.repeat_interleave(each, dim=0).unbind(1)
        turned = 180.0 if inputs.turned and not bool(cascade.shape.any()) else TURNED  # a point's heading is unknown
        generator = torch.Generator().manual_seed(mixed_seed(inputs.seed, "local", len(some)))
        centre = points[picture, some[landmark]]
        view = known.take(picture)
        view = jittered(Pose(view.turn, centre, view.side), turned, SHIFTED * reach, generator)
        features = _close(inputs, rows[picture.numpy()], view.affine(reach))
        return cls(features, view.inverse(centre[:, None]) / reach, picture.numpy(), landmark.numpy())

    def moments(self, head: RidgeHead, landmark: int, pictures: Rows) -> Moments | None:
        """Of a landmark in some pictures; None where it is labelled in none."""
        kept = np.flatnonzero((self.landmark == landmark) & np.isin(self.picture, pictures))
        return moments_of(head, Labelled(self.features, self.points).take(kept), share=SHARE) if len(kept) else None
