"""Landmarks carried along a film: from a labelled frame to a later one, by the nearest feature around the old place."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional

from lead.geometry import cell_grid
from lead.heads import Calibration
from lead.images.decode import UnreadablePicture
from lead.nn.matching import cell_similarities, nearby_peaks
from lead.studio.features import Exemplar, FeatureBank, Seen
from lead.studio.films import taken_frame
from lead.studio.folder import picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.messages import Suggestion
from lead.studio.places import points_of
from lead.studio.suggest import PRIOR, Answer, expected

REACH = 0.2
"""How far from its old place a landmark is looked for, as a share of the frame's side."""


def frame_before(file: str, labelled: Sequence[str]) -> str | None:
    """The nearest labelled frame before a frame of the same film; None if there is none, or ``file`` is no frame."""
    if (frame := taken_frame(file)) is None:
        return None
    film, number = frame
    others = ((taken_frame(other), other) for other in labelled)
    before = [(other[1], name) for other, name in others if other and other[0] == film and other[1] < number]
    return max(before)[1] if before else None


@torch.no_grad()
def carry(labelled: Exemplar, seen: Seen, calibration: Calibration = PRIOR) -> Answer:
    """Where the landmarks of a labelled frame are on another of the same size.

    Args:
        labelled: the frame with the labels; what is not labelled there is NaN in the answer.
        seen: the other frame.
        calibration: of the similarity; between neighbouring frames the truth is nearer than it says.
    """
    unit = functional.normalize(seen.features[None].float(), dim=1)
    similarity = cell_similarities(labelled.described[None], unit)  # (1, K, h, w)
    old = labelled.points.nan_to_num()  # (K, 2) normalised: the frame is 2 wide
    squares = (cell_grid(*similarity.shape[-2:]) - old[:, None, None]).square().sum(-1)  # (K, h, w)
    near = similarity.masked_fill(squares > (2 * REACH) ** 2, -1.0)
    points, score = nearby_peaks(near)
    known = labelled.described.abs().sum(-1) > 0  # (K,)
    points = torch.where(known[:, None], points, torch.nan)
    score = score.clamp(0, 1) * known
    return Answer(points, score, expected(calibration, score))


def carried(knowledge: Knowledge, bank: FeatureBank, id: str) -> dict[str, Suggestion]:
    """Landmarks of the nearest labelled frame before a film's frame, on that; empty where there is none."""
    labels, fit = knowledge.contents.labels, knowledge.fit_of_names
    before = frame_before(knowledge.folder.file_of(id), labels.images)
    if before is None:
        return {}
    try:
        exemplar = Exemplar.of(bank.get(picture_id(before)), labels.xy[labels.images.index(before)])
        seen = bank.get(id)
    except UnreadablePicture:
        return {}
    return points_of(carry(exemplar, seen, fit.learnt.matching if fit else PRIOR), seen, knowledge.names)
