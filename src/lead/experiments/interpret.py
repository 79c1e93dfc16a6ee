"""What dense features divide pictures into, without a landmark taught: the paper's section 4.3 in numbers.

A *cell* is one place of a feature map; its feature is a vector of C numbers that is looked at by direction only, as
the matching does (cosine similarity). A *part* is a cluster of cells over many pictures. Arrays in, numbers out; no
model in sight. Everything random takes a seed and gives the same for the same one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.cluster import KMeans
from sklearn.manifold import TSNE
from sklearn.metrics import normalized_mutual_info_score, silhouette_score

from lead.errors import LeadError
from lead.geometry import Size, resize_points

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Real = npt.NDArray[np.floating]

PARTS = 9
"""The paper finds the face divided into nine (figures 5 and 6)."""
PERPLEXITY = 30.0
"""Neighbours that a cell of the t-SNE embedding keeps close, roughly; the usual middle of the usual 5 to 50."""
SAMPLE = 5000
"""Cells that a silhouette is measured on at most: its cost grows with their square."""


@dataclass(frozen=True)
class Parts:
    """Clusters of unit features.

    Attributes:
        centres: (count, C) float64, the mean unit feature of each cluster.
    """

    centres: FloatArray

    def assign(self, features: Real) -> IntArray:
        """The part of every cell: the nearest centre.

        Args:
            features: (N, C, h, w), any scale.

        Returns:
            (N, h, w) in 0 … count - 1.
        """
        # |f - c|² = |f|² - 2 f·c + |c|², whose first term no choice of centre changes. One picture at a time: a
        # unit copy of all hypercolumns would not fit.
        bias = 0.5 * (self.centres**2).sum(1)[:, None, None]
        scores = (np.tensordot(self.centres, _unit(picture, axis=0), 1) - bias for picture in features)
        return np.stack([score.argmax(0) for score in scores])  # each score (count, h, w)


def sample_cells(features: Real, per_picture: int, seed: int) -> tuple[npt.NDArray[np.float32], IntArray]:
    """Cells drawn by lot, as many from each picture, none twice.

    Args:
        features: (N, C, h, w).
        per_picture: cells of each picture; no more than the h·w it has are drawn.

    Returns:
        The cells' features (n, C) float32 and where they lie (n, 3): picture, row, column.
    """
    pictures, _, height, width = features.shape
    drawn = np.random.default_rng(seed).random((pictures, height * width)).argsort(1)[:, :per_picture]
    rows, columns = np.divmod(drawn.ravel(), width)
    where = np.stack([np.repeat(np.arange(pictures), drawn.shape[1]), rows, columns], 1)
    return features[where[:, 0], :, rows, columns].astype(np.float32), where


def embed(cells: Real, seed: int) -> npt.NDArray[np.float32]:
    """Cells laid out in the plane by t-SNE, similar ones together (figure 5).

    Distances are those of unit features, hence by angle. It begins from the first two principal components, and the
    perplexity is PERPLEXITY or, of few cells, a third of their number.

    Args:
        cells: (n, C), n at least 4. A few thousand take a minute or two.

    Returns:
        (n, 2), of no unit.
    """
    perplexity = min(PERPLEXITY, (len(cells) - 1) / 3)
    plane: npt.NDArray[np.float32] = TSNE(
        perplexity=perplexity, init="pca", random_state=_sklearn_seed(seed)
    ).fit_transform(_unit(cells, axis=1))
    return plane


def part_clusters(cells: Real, seed: int, count: int = PARTS) -> Parts:
    """``count`` parts found by k-means among unit features, the best of four starts (figure 6).

    Args:
        cells: (n, C), see :func:`sample_cells`.

    Raises:
        LeadError: there are fewer cells than parts.
    """
    if len(cells) < count:
        raise LeadError(f"{len(cells)} cells cannot be divided into {count} parts. Take more cells, or fewer parts.")
    found = KMeans(count, n_init=4, random_state=_sklearn_seed(seed)).fit(_unit(cells, axis=1))
    return Parts(np.asarray(found.cluster_centers_, dtype=np.float64))


def separation(points: Real, labels: IntArray, seed: int) -> float:
    """How well clusters keep apart: the mean silhouette (Rousseeuw 1987) of at most SAMPLE points.

    A point's silhouette is (b - a) / max(a, b), with a the mean distance to its own cluster and b that to the nearest
    other one.

    Args:
        points: (n, D), taken as they are: an embedding, or unit features.
        labels: (n,) cluster of each.

    Returns:
        From -1 to 1: 1 is far apart, 0 is touching.

    Raises:
        LeadError: all points are of one cluster.
    """
    if len(np.unique(labels)) < 2:
        raise LeadError("All points are of one cluster; a separation needs at least two.")
    sample = min(SAMPLE, len(points))
    return float(silhouette_score(points, labels, sample_size=sample, random_state=_sklearn_seed(seed)))


def consistency(parts: IntArray, xy: FloatArray, size: Size) -> float:
    """How far a cell's part tells where on the object it lies, whatever the picture: 1 fully, 0 not at all.

    The place of a cell is the landmark that its centre is nearest to. Parts and nearest landmarks of all pictures'
    cells together are compared by normalised mutual information, 2 I(part; landmark) / (H(part) + H(landmark)).
    Counted over all pictures at once, so that a part must mean the same place in each. Only cells within the box
    around a picture's landmarks count: elsewhere nothing is known of the place. A comparison between features is fair
    with the same pictures, landmarks, map size and number of parts; the most that can be reached depends on them.

    Args:
        parts: (N, h, w), see :meth:`Parts.assign`.
        xy: (N, K, 2) landmarks in pixels of the pictures; NaN where unlabelled.
        size: (width, height) of those pictures.

    Raises:
        LeadError: no cell lies within any picture's landmarks.
    """
    height, width = parts.shape[1:]
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float64), np.arange(height, dtype=np.float64))
    cells = resize_points(np.stack([columns, rows], -1).reshape(-1, 2), (width, height), size)  # (h·w, 2)
    known = np.isfinite(xy).all(-1, keepdims=True)  # (N, K, 1)
    low, high = np.where(known, xy, np.inf).min(1), np.where(known, xy, -np.inf).max(1)  # (N, 2) each
    counts = ((cells >= low[:, None]) & (cells <= high[:, None])).all(-1)  # (N, h·w)
    if not counts.any():
        raise LeadError("No cell of the feature maps lies within the landmarks. Are they pixels of these pictures?")
    nearest = [
        np.square(cells[here][:, None] - points).sum(-1).argmin(1)  # (cells, K, 2) to (cells,)
        for points, here in zip(np.where(known, xy, np.inf), counts, strict=True)
    ]
    return float(normalized_mutual_info_score(np.concatenate(nearest), parts.reshape(len(parts), -1)[counts]))


def _unit(features: Real, axis: int) -> npt.NDArray[np.float32]:
    """Feature vectors brought to length 1; one of nothing but zeros stays."""
    wide = features.astype(np.float32)
    length = np.maximum(np.linalg.norm(wide, axis=axis, keepdims=True), 1e-12)
    return np.asarray(wide / length, dtype=np.float32)


def _sklearn_seed(seed: int) -> int:
    """The seed in the 32 bits that scikit-learn takes."""
    return seed % 2**32
