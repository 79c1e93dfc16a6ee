"""All that a landmarker does to a stored picture, as one module of real tensors that can be exported."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from lead.export.large import Large, Opened
from lead.features import encoder
from lead.frame import Frame
from lead.geometry import denormalise_points
from lead.heads import Calibration
from lead.images.views import Warp, render
from lead.inference import Landmarker
from lead.landmarks.model import HIDDEN, UNLABELLED, VISIBLE
from lead.nn.cascade import Cascade
from lead.nn.confidence import Confidence
from lead.nn.first import First
from lead.nn.local import SHARE
from lead.nn.steered import SteeredHead


class Squares(nn.Module):
    """From squares of pixels to landmarks and expected errors, in the squares' own pixels.

    It is :meth:`lead.inference.Landmarker.predict_store` for pictures that are nothing but these squares. Where they
    are larger than the stored ones, all looks after the first are cut from them; else the fine look is cut from the
    stored square, and local looks are left out.

    Args:
        model: is left as it is.
        side: T of the squares, in pixels; see :func:`lead.export.large.side_for`.

    Attributes:
        local: whether there are local looks; None for a model without any.
    """

    frame: Tensor

    def __init__(self, model: Landmarker, side: int) -> None:
        super().__init__()
        frame = model.extractor.frame
        self.side, self.share, self.input = side, frame.shown / frame.side, frame.input
        self.large = None if side == frame.side else Large(side, frame.side)
        self.whole = frame.shown == frame.side == frame.input
        self.register_buffer("frame", framing(frame))
        self.network = _plain(model.extractor.network)
        self.head = _plain(model.head)
        self.first: First | None = None
        if isinstance(self.head, Cascade) and self.head.first:
            self.first = First(encoder(self.network))  # shares its weights
        looks = isinstance(model.head, Cascade) and model.head.before is not None
        self.local = self.large is not None if looks else None
        for part in self.head.modules():
            if isinstance(part, SteeredHead):
                part.unroll()
        self.calibration: nn.Module | None = None
        if isinstance(model.calibration, Confidence):
            self.calibration = _plain(model.calibration)
            self.wide = model.calibration.factor(0.9)
        elif model.calibration is not None:
            self.calibration = Interpolation(model.calibration)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of what :meth:`forward` returns. A model that has too few labels gives no expected errors."""
        errors = ("px_error", "px_90") if isinstance(self.calibration, Confidence) else ("px_error",)
        return ("xy", "score", "visible", *(errors if self.calibration else ()))

    def forward(self, pixels: Tensor) -> tuple[Tensor, ...]:
        """Squares (B, T, T, 3) uint8 to :attr:`outputs`.

        Returns:
            ``xy`` (B, K, 2) in pixels of the square, ``score`` (B, K) in [0, 1], ``visible`` (B, K) int32: 0 beyond the
            square's edge, 1 hidden, 2 visible; and where the model has them ``px_error`` and ``px_90`` (B, K), in
            pixels too.
        """
        opened = None if self.large is None else self.large.open(pixels)
        pictures = pixels.float().permute(0, 3, 1, 2) / 255 if opened is None else opened.stored  # (B, 3, S, S)
        shown = pictures if self.whole else self.frame @ pictures @ self.frame.T  # (B, 3, input, input)
        features = self._features(shown)
        if isinstance(self.head, Cascade):
            points, score, hidden, errors = self._cascade(self.head, opened or pictures, features)
        else:
            points, score = self.head(features), self.head.score(features)  # type: ignore[operator]
            hidden = torch.zeros_like(score, dtype=torch.bool)
            errors = [self.calibration(score)] if self.calibration else []
        xy = denormalise_points(points * self.share, (self.side, self.side))
        beyond = ((xy < -0.5) | (xy > self.side - 0.5)).any(-1)
        seen = torch.where(hidden, HIDDEN, VISIBLE)
        visible = torch.where(beyond, UNLABELLED, seen).to(torch.int32)
        return (xy, score, visible, *(error * (self.share * self.side) for error in errors))

    def _cascade(
        self, head: Cascade, pictures: Tensor | Opened, features: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, list[Tensor]]:
        """Normalised points, scores, what is hidden, and errors as shares of the shown square's side."""

        def crops(affine: Tensor) -> Tensor:
            return self._features(self._cut(pictures, affine, self.input))

        def close(affine: Tensor) -> Tensor:
            return self._close_features(self._cut(pictures, affine, self.input // SHARE))

        found = head.find(features, crops, close=close if self.local else None)
        if not isinstance(self.calibration, Confidence):
            return found.points, found.score, torch.zeros_like(found.score, dtype=torch.bool), []
        error = found.expected(self.calibration)
        return found.points, found.score, self.calibration.is_hidden(found.signals), [error, error * self.wide]

    def _cut(self, pictures: Tensor | Opened, affine: Tensor, size: int) -> Tensor:
        """(n, 3, size, size) in [0, 1]: parts of the squares, by maps (n, 2, 3) as of :meth:`Cascade.find`."""
        stored = affine * self.share
        if isinstance(pictures, Tensor):
            return render(pictures, Warp(stored), size)
        assert self.large is not None
        return self.large.cut(pictures, stored, size)

    def _features(self, inputs: Tensor) -> Tensor:
        """Of what the network sees of whole pictures and of crops, (n, 3, input, input) in [0, 1]."""
        features: Tensor = self.network(inputs)
        return features

    def _close_features(self, inputs: Tensor) -> Tensor:
        """Of what it sees of small squares, (n, 3, h, h) in [0, 1]; as :meth:`lead.features.FeatureSource.close`."""
        features: Tensor = (self.network if self.first is None else self.first)(inputs)
        return features


def framing(frame: Frame) -> Tensor:
    """(input, S): what :meth:`lead.features.Frame.show` does along each axis, as a matrix.

    Runtimes differ in how they average where a picture shrinks; a product with a matrix leaves them no choice.
    """
    edge = (frame.side - frame.shown) // 2
    middle = torch.eye(frame.side)[edge : edge + frame.shown]  # (shown, S)
    if frame.shown == frame.input:
        return middle
    size = (frame.input, frame.side)
    return functional.interpolate(middle[None, None], size=size, mode="bilinear", antialias=True)[0, 0]


class Interpolation(nn.Module):
    """:meth:`lead.inference.Calibration.expected` as a sum of ramps, one between each two knots."""

    start: Tensor
    span: Tensor
    slope: Tensor
    first: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        scores, errors = (torch.from_numpy(knots).double() for knots in (calibration.scores, calibration.errors))
        self.register_buffer("start", scores[:-1].float())
        self.register_buffer("span", scores.diff().float())
        self.register_buffer("slope", (errors.diff() / scores.diff()).float())
        self.register_buffer("first", errors[0].float())

    def forward(self, scores: Tensor) -> Tensor:
        """Expected distance for scores (B, K), as a share of the shown square's side."""
        along = torch.minimum((scores[..., None] - self.start).clamp(min=0), self.span)  # (B, K, knots - 1)
        return self.first + (along * self.slope).sum(-1)


def _plain(module: nn.Module) -> nn.Module:
    """A copy on the CPU, in the order of memory that exporters expect."""
    return copy.deepcopy(module).cpu().to(memory_format=torch.contiguous_format).eval().requires_grad_(False)
