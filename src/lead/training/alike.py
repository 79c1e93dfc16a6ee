"""Near-duplicates among labelled pictures: frames of one film, say, that nothing but what they show gives away."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from lead.feature_files import Features

NEAR = 0.35
"""Distance of two pictures, as a share of what is usual for them, below which they are near-duplicates. Chosen on
frames of nine bees, whose tracks it keeps apart."""
CELLS = 16
"""Along a side of the maps that are compared."""
FEWEST = 3
"""Pictures from which it can be said what is usual."""


def near_duplicates(features: Features) -> list[str] | None:
    """Groups of pictures that are much more alike than pictures of these are as a rule.

    Distances of whole feature maps are taken relative to each picture's median distance, and clustered by average
    linkage, lest a chain of likenesses should join all.

    Args:
        features: (N, C, h, w) of whole pictures.

    Returns:
        (N,) the group of each picture; None if each would be a group of its own.
    """
    count = len(features)
    if count < FEWEST:
        return None
    from scipy.cluster.hierarchy import fcluster, linkage  # takes a while, and who only predicts needs none
    from scipy.spatial.distance import squareform

    pooled = [
        functional.adaptive_avg_pool2d(torch.from_numpy(np.asarray(one, dtype=np.float32)), CELLS) for one in features
    ]
    maps = functional.normalize(torch.stack(pooled), dim=1)
    maps = functional.normalize(maps - maps.mean((0, 2, 3), keepdim=True), dim=1).flatten(1)
    distance = (1 - maps @ maps.T / CELLS**2).clamp(min=0).double().numpy()
    others = distance + np.diag(np.full(count, np.nan))
    usual = np.sqrt(np.maximum(np.nanmedian(others, axis=1), 1e-9))
    relative = distance / (usual[:, None] * usual)
    np.fill_diagonal(relative, 0)
    groups = fcluster(linkage(squareform(relative, checks=False), "average"), NEAR, "distance")
    return None if len(set(groups.tolist())) == count else [str(group) for group in groups]
