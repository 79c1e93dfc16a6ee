"""The part of a stored picture that a network is shown, and its coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lead.config import PictureSettings
from lead.geometry import FloatArray, denormalise_points, normalise_points
from lead.images.store import ImageStore


@dataclass(frozen=True)
class Frame:
    """The central square of a stored picture that the network is shown.

    Attributes:
        side: of the stored square, in pixels.
        shown: of the central square within it, in pixels; of the same parity, so that it is whole pixels.
        input: side of the network's input, in pixels.
    """

    side: int
    shown: int
    input: int

    @classmethod
    def of(cls, picture: PictureSettings) -> Frame:
        """The frame that the settings describe."""
        shown = round(picture.store * picture.frame)
        return cls(picture.store, shown - (picture.store - shown) % 2, picture.input)

    def show(self, pixels: Tensor) -> Tensor:
        """Stored pictures (B, S, S, 3) uint8 to the network's input (B, 3, input, input) in [0, 1]."""
        edge = (self.side - self.shown) // 2
        cut = pixels[:, edge : edge + self.shown, edge : edge + self.shown]
        out = cut.permute(0, 3, 1, 2).float() / 255
        if self.shown != self.input:
            out = functional.interpolate(out, size=(self.input, self.input), mode="bilinear", antialias=True)
        return out.contiguous(memory_format=torch.channels_last)

    def normalise(self, xy: FloatArray) -> FloatArray:
        """Store pixels (..., 2) to the shown square's normalised coordinates."""
        return normalise_points(xy, (self.side, self.side)) * (self.side / self.shown)

    def denormalise(self, points: FloatArray) -> FloatArray:
        """The inverse of :meth:`normalise`."""
        return denormalise_points(points * (self.shown / self.side), (self.side, self.side))

    def points(self, store: ImageStore, rows: npt.ArrayLike, xy: FloatArray) -> FloatArray:
        """Places in pictures' own pixels, in the shown square's normalised coordinates.

        Args:
            store: of the pictures.
            rows: (n,) of it.
            xy: (n, K, 2) own pixels; NaN stays NaN.
        """
        return self.normalise(store.to_store(rows, xy))

    def places(self, store: ImageStore, rows: npt.ArrayLike, points: FloatArray) -> FloatArray:
        """The inverse of :meth:`points`."""
        return store.to_original(rows, self.denormalise(points))
