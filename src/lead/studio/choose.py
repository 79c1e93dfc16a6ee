"""What to label next: at first the pictures that cover the folder best, then those where the model is unsure.

Kernel herding (Chen, Welling & Smola, 2010): the picture is chosen that brings the labelled ones nearest to a miniature
of the folder, in which every kind of picture is as frequent as it is there. A picture unlike all others stands for few
and so waits, and the labelled pictures become a fair sample, on which a head can be cross-validated. Once a model says
how unsure it is of each picture, pictures count by that: then the miniature is of what is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

from lead.geometry import FloatArray
from lead.reporting import counted
from lead.seeds import mixed_seed

CELLS = 2
"""Parts of a picture, in each direction, that are described each by its mean feature."""
COMPONENTS = 32
"""Principal components of each of a picture's two descriptions."""
REFERENCES = 2000
"""Pictures, drawn at random, that stand for a larger folder, so that no N × N matrix is needed."""
COVERED = 10
"""Labelled pictures from which on the model's uncertainty counts."""

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Picked:
    """A choice, and what it takes to say why.

    Attributes:
        row: of the picture; None if none is left.
        then: of the one that would be chosen after it, with nothing else known by then; None if none is left.
        kind: as in :class:`lead.studio.messages.Choice`.
        represented: pictures, itself among them, that are nearer to it than to any labelled one; 0 for none.
        pictures: in all.
        less_sure_than: for ``uncertain``, the share of the pictures left of which the model is surer.
    """

    row: int | None
    kind: Literal["coverage", "uncertain", "none"]
    represented: int = 0
    pictures: int = 0
    less_sure_than: float = 0.0
    then: int | None = None

    @property
    def reason(self) -> str:
        """A sentence for the person."""
        if self.kind == "none":
            return "There is no picture left to label."
        if self.represented == self.pictures:
            return f"It is the most typical of the {counted(self.pictures, 'picture')}."
        stands_for = (
            f"stands for {self.represented:,} of {counted(self.pictures, 'picture')}, unlike those labelled so far."
        )
        if self.kind == "uncertain":
            return f"The model is surer of {self.less_sure_than:.0%} of the pictures left, and it {stands_for}"
        return f"It {stands_for}"


def describe(features: npt.NDArray[np.float16], *, seed: int = 0, references: int = REFERENCES) -> Floats:
    """One vector a picture, of what it shows and roughly where; what is near is alike.

    It joins the leading principal components of two descriptions, each scaled to the same spread: the second moments
    of the picture's unit features (which parts there are, and how much of each), and the mean unit feature of each
    quarter of the picture. On held-out identities of faces this needed fewer labels than either alone.

    Args:
        features: (N, C, h, w); may be memory-mapped, read a part at a time.
        seed: of the pictures that the components are taken from where there are more than ``references``.
        references: see :data:`REFERENCES`.

    Returns:
        (N, at most 2 · COMPONENTS).
    """
    random = np.random.default_rng(mixed_seed(seed, "describe"))
    some = np.sort(random.permutation(len(features))[:references])
    return np.concatenate([_principal(features, kind, some) for kind in (_moments, _quarters)], axis=1)


def _moments(unit: Tensor) -> Tensor:
    """Second moments of unit features (B, C, h, w): (B, C²)."""
    cells = unit.flatten(2)
    return (cells @ cells.transpose(1, 2)).flatten(1) / cells.shape[-1]


def _quarters(unit: Tensor) -> Tensor:
    """Mean of unit features (B, C, h, w) over each part of the picture: (B, C · CELLS²)."""
    return functional.adaptive_avg_pool2d(unit, CELLS).flatten(1)


def _principal(features: npt.NDArray[np.float16], kind: Callable[[Tensor], Tensor], some: Rows) -> Floats:
    """Coordinates of a description along the leading directions of some pictures', over their spread.

    (N, at most COMPONENTS).
    """
    seen = np.concatenate([kind(unit).numpy() for unit in _units(features, some)])
    mean = seen.mean(0, dtype=np.float64).astype(np.float32)
    seen -= mean
    wide = len(seen) < seen.shape[1]  # then the pictures' products are the smaller matrix with the same directions
    values, vectors = np.linalg.eigh((seen @ seen.T if wide else seen.T @ seen).astype(np.float64))
    kept = np.flatnonzero(values > 1e-6 * max(values[-1], 1e-12))[::-1][:COMPONENTS]
    directions = (vectors[:, kept] / np.sqrt(values[kept]) if wide else vectors[:, kept]).astype(np.float32)
    if wide:
        directions = seen.T @ directions
    spread = float((seen @ directions).std()) if directions.size else 0.0
    parts = (kind(unit).numpy() - mean for unit in _units(features, np.arange(len(features))))
    return np.concatenate([(part @ directions / (spread or 1.0)).astype(np.float32) for part in parts])


def _units(features: npt.NDArray[np.float16], rows: Rows) -> Iterator[Tensor]:
    """Unit features of some pictures, a few at a time."""
    for start in range(0, len(rows), 64):
        part = torch.from_numpy(np.asarray(features[rows[start : start + 64]], dtype=np.float32))
        yield functional.normalize(part, dim=1)


class Chooser:
    """Says which of N pictures to label next. Immutable, so that any thread may ask; the same answer every time.

    Args:
        descriptors: (N, D), see :func:`describe`; what is near is alike. N ≥ 1.
        seed: of the pictures that stand for the others where there are more than ``references``.
        references: see :data:`REFERENCES`.
        chunk: pictures that are compared with others at a time.
    """

    def __init__(
        self, descriptors: FloatArray | Floats, *, seed: int = 0, references: int = REFERENCES, chunk: int = 2048
    ) -> None:
        count = len(descriptors)
        random = np.random.default_rng(mixed_seed(seed, "choose"))
        self._references: Rows = np.sort(random.permutation(count)[:references])
        self._chunk = chunk
        self._points = np.asarray(descriptors, dtype=np.float32)
        some = random.permutation(self._references)[:500]
        self._width = _typical_square(self._points[some])
        self._typical = self._mean_likeness(np.arange(count), np.ones(len(self._references), dtype=np.float32))

    def next(
        self,
        labelled: Sequence[int],
        uncertainty: FloatArray | None,
        skip: Sequence[int] = (),
        *,
        covered: int | None = None,
    ) -> Picked:
        """The picture to label next.

        Args:
            labelled: rows, in any order.
            uncertainty: (N,) ≥ 0, of the model for each picture, in any unit; NaN where unknown. None where there is
                no model yet.
            skip: further rows not to choose.
            covered: labelled pictures from which on the uncertainty counts; by default :data:`COVERED`.
        """
        rows = np.unique(np.asarray(labelled, dtype=np.int64))
        left = np.ones(len(self._points), dtype=bool)
        left[rows] = left[np.asarray(skip, dtype=np.int64)] = False
        candidates = np.flatnonzero(left)
        if len(candidates) == 0:
            return Picked(None, "none", pictures=len(left))
        unsure = (
            None
            if uncertainty is None or len(rows) < (COVERED if covered is None else covered)
            else np.nan_to_num(uncertainty)
        )
        if unsure is not None and unsure[candidates].max() > 0:
            # Of very many pictures, the most uncertain ones, so that the answer stays quick.
            candidates = candidates[np.argsort(-unsure[candidates], kind="stable")[: len(self._references)]]
            wanted = self._mean_likeness(candidates, unsure[self._references].astype(np.float32))
        else:
            unsure, wanted = None, self._typical[candidates]
        row, then = self._two(candidates, wanted, rows)
        represented = max(int(self.shares([*rows.tolist(), row])[-1]), 1)
        if unsure is None:
            return Picked(row, "coverage", represented, len(left), then=then)
        surer = float((unsure[left] < unsure[row]).mean())
        return Picked(row, "uncertain", represented, len(left), surer, then)

    def nearest(self, row: int, others: Sequence[int]) -> list[int]:
        """``others`` by how alike they are to a row, the most similar first; equal ones in the order given."""
        if not len(others):
            return []
        squares = _squares(self._points[[row]], self._points[np.asarray(others, dtype=np.int64)])[0]
        return [others[i] for i in np.argsort(squares, kind="stable").tolist()]

    def shares(self, rows: Sequence[int]) -> Rows:
        """How many of all pictures are nearest to each of some pictures; where two are equally near, to the first."""
        chosen = self._points[np.asarray(rows, dtype=np.int64)]
        out = np.zeros(len(chosen), dtype=np.int64)
        for start in range(0, len(self._points), self._chunk):
            nearest = _squares(self._points[start : start + self._chunk], chosen).argmin(1)
            out += np.bincount(nearest, minlength=len(chosen))
        return out

    def _likeness(self, rows: Rows, others: Rows) -> Floats:
        """(rows, others): 1 for equal pictures, towards 0 for unlike ones."""
        out: Floats = np.exp(-_squares(self._points[rows], self._points[others]) / self._width)
        return out

    def _mean_likeness(self, rows: Rows, weights: Floats) -> Floats:
        """(rows,): likeness to the pictures of the folder, which count by the references' weights."""
        share = weights / max(float(weights.sum()), 1e-12)
        parts = [rows[i : i + self._chunk] for i in range(0, len(rows), self._chunk)]
        return np.concatenate([self._likeness(part, self._references) @ share for part in parts])

    def _two(self, candidates: Rows, wanted: Floats, labelled: Rows) -> tuple[int, int | None]:
        """The row to label next, and the one after it: the likeness to labelled pictures, of which herding takes the
        sum over one more than there are, tells against a candidate."""
        alike = self._summed_likeness(candidates, labelled)
        first = int(np.argmax(wanted - alike / np.float32(len(labelled) + 1)))
        if len(candidates) == 1:
            return int(candidates[first]), None
        alike += self._summed_likeness(candidates, candidates[first : first + 1])
        scores = wanted - alike / np.float32(len(labelled) + 2)
        scores[first] = -np.inf
        return int(candidates[first]), int(candidates[np.argmax(scores)])

    def _summed_likeness(self, rows: Rows, others: Rows) -> Floats:
        """(rows,): likeness to some pictures, summed."""
        parts = [rows[i : i + self._chunk] for i in range(0, len(rows), self._chunk)]
        return np.concatenate([self._likeness(part, others).sum(1) for part in parts])


def _typical_square(points: Floats) -> float:
    """The median squared distance of different points; 1 if all are equal."""
    squares = _squares(points, points)
    apart = squares[squares > 1e-6 * max(float(squares.max()), 1e-12)]
    return float(np.median(apart)) if len(apart) else 1.0


def _squares(a: Floats, b: Floats) -> Floats:
    """(n, m) squared distances."""
    out: Floats = (a**2).sum(1)[:, None] + (b**2).sum(1) - 2 * a @ b.T
    return np.maximum(out, 0)
