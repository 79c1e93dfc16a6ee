"""Where one place of a picture is on others: similarity maps of its feature."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from lead.geometry import FloatArray
from lead.nn.matching import cell_similarities, describe_points, nearby_peaks
from lead.studio.features import Seen
from lead.studio.messages import HeatMap

FAINTEST = 0.5
"""Share of the greatest similarity, over all the maps of one answer, that is drawn as nothing."""


@torch.no_grad()
def heat_maps(asked: Seen, x: float, y: float, others: Sequence[tuple[str, Seen]]) -> list[HeatMap]:
    """Cosine similarity of the feature at a place to every cell of other pictures.

    Bytes mean the same on all the maps of one answer: with m the greatest similarity on any of them, 255 is m and
    0 is :data:`FAINTEST` · m and whatever is less; between, they grow in proportion.

    Args:
        asked: the picture that is pointed at.
        x, y: where, in its own pixels.
        others: id and features of the pictures to look in.

    Returns:
        A map for each of them, one value a cell of the features.
    """
    if not others:
        return []
    point = torch.from_numpy(asked.to_frame(np.array([[x, y]]))).float()
    described = describe_points(asked.features[None], point[None])  # (1, 1, C)
    features = torch.stack([seen.features for _, seen in others]).float()  # (B, C, h, w)
    similarity = cell_similarities(described.expand(len(features), -1, -1), features)  # (B, 1, h, w)
    places, best = nearby_peaks(similarity)
    values = _bytes(similarity[:, 0].numpy())
    return [
        _heat_map(id, seen, values[i], places[i].double().numpy(), float(best[i, 0]))
        for i, (id, seen) in enumerate(others)
    ]


def _bytes(similarity: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    most = max(float(similarity.max()), 1e-6)
    share = (similarity / most - FAINTEST) / (1 - FAINTEST)
    values: npt.NDArray[np.uint8] = np.rint(255 * share.clip(0, 1)).astype(np.uint8)
    return values


def _heat_map(id: str, seen: Seen, values: npt.NDArray[np.uint8], place: FloatArray, similarity: float) -> HeatMap:
    (left, top), (right, bottom) = (seen.to_picture(np.array([[-1.0, -1.0], [1.0, 1.0]])) + 0.5).tolist()
    x, y = seen.to_picture(place)[0].tolist()
    rows, columns = values.shape
    return HeatMap(
        id=id,
        columns=columns,
        rows=rows,
        values=base64.b64encode(values.tobytes()).decode("ascii"),
        box=(left, top, right - left, bottom - top),
        x=x,
        y=y,
        similarity=min(max(similarity, -1.0), 1.0),
    )
