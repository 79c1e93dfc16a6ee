"""Square windows onto pictures, each looked at as if it were a picture of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.feature_files import Features
from lead.features import FeatureSource
from lead.geometry import FloatArray
from lead.images.crops import Originals
from lead.reporting import Progress

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Windows(FeatureSource):
    """M windows onto the pictures of a store. Where a row of a picture is asked for elsewhere, here it is a window's.

    Attributes:
        picture: (M,) rows of the store.
        middle: (M, 2) normalised.
        half: (M,) half their sides, in normalised units.
    """

    picture: Rows
    middle: FloatArray
    half: FloatArray
    _known: dict[bytes, Features] = field(default_factory=dict, compare=False, repr=False)

    def __len__(self) -> int:
        return len(self.picture)

    def pictures(self, rows: npt.ArrayLike) -> Rows:
        """See :meth:`FeatureSource.pictures`."""
        shown: Rows = self.picture[np.asarray(rows)]
        return shown

    def affine(self, rows: npt.ArrayLike) -> Tensor:
        """(n, 2, 3) from windows' normalised coordinates to the pictures'."""
        rows = np.asarray(rows)
        half, middle = torch.from_numpy(self.half[rows]).float(), torch.from_numpy(self.middle[rows]).float()
        return torch.cat([half[:, None, None] * torch.eye(2), middle[:, :, None]], dim=2)

    def whole(self, rows: Rows, *, progress: Progress | None = None, held: Originals | None = None) -> Features:
        """(n, C, h, w) features of windows, which are kept as long as these windows are."""
        key = rows.tobytes()
        if key not in self._known:
            parts = []
            for batch in super().crops(self.picture[rows], self.affine(rows), held):
                parts.append(batch.half().cpu().numpy())
                if progress:
                    progress(sum(map(len, parts)), len(rows))
            self._known[key] = np.concatenate(parts)
        return self._known[key]

    def points(self, rows: npt.ArrayLike, xy: FloatArray) -> FloatArray:
        """Places in pictures' own pixels (n, K, 2), in windows' normalised coordinates."""
        rows = np.asarray(rows)
        points = super().points(self.picture[rows], xy)
        within: FloatArray = (points - self.middle[rows][:, None]) / self.half[rows][:, None, None]
        return within

    def places(self, rows: npt.ArrayLike, points: FloatArray) -> FloatArray:
        """The inverse of :meth:`points`."""
        rows = np.asarray(rows)
        return super().places(self.picture[rows], points * self.half[rows][:, None, None] + self.middle[rows][:, None])

    def crops(self, rows: Rows, affine: Tensor, held: Originals | None = None) -> Iterator[Tensor]:
        """See :meth:`FeatureSource.crops`."""
        return super().crops(self.picture[rows], self._through(rows, affine), held)

    def close(self, rows: Rows, affine: Tensor, held: Originals | None = None, *, first: bool) -> Iterator[Tensor]:
        """See :meth:`FeatureSource.close`."""
        return super().close(self.picture[rows], self._through(rows, affine), held, first=first)

    def pixels(self, rows: npt.ArrayLike) -> FloatArray:
        """See :meth:`FeatureSource.pixels`."""
        across: FloatArray = super().pixels(self.pictures(rows)) * self.half[np.asarray(rows)]
        return across

    def detail(self, rows: Rows) -> FloatArray:
        """See :meth:`FeatureSource.detail`."""
        pixels: FloatArray = super().detail(self.picture[rows]) * self.half[rows]
        return pixels

    def _through(self, rows: Rows, affine: Tensor) -> Tensor:
        """Maps (n, 2, 3) to windows, as maps to the pictures."""
        window, affine = self.affine(rows), affine.cpu()
        half = window[:, :1, :1]
        return torch.cat([affine[..., :2] * half, affine[..., 2:] * half + window[..., 2:]], dim=2)
