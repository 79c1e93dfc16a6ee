"""A model of pictures that show several specimens, or none: what finds them, and what finds each one's landmarks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lead.errors import LeadError
from lead.features import FeatureSource
from lead.finding import windows_of
from lead.landmarks.model import HIDDEN, Labels
from lead.nn.finder import WINDOW
from lead.nn.shape import common_shape, fit_pose, sides
from lead.reporting import Progress
from lead.training.cascade import CascadeFit, fit_cascade
from lead.training.finder import FinderFit, Seen, Taught, fit_finder
from lead.training.labelled import check_labelled
from lead.training.lying import lie_any_way
from lead.windows import Windows

LOOKED_AT = 150
"""Places that are no specimens, at most, in which landmarks are looked for all the same."""
MOST = 30
"""Times that specimens may differ in size."""
FEWEST = 3
"""Labelled landmarks from which a specimen's own say where its middle is and how large it is."""


def fit_several(
    source: FeatureSource,
    rows: npt.NDArray[np.int64],
    labels: Labels,
    *,
    turned: bool,
    seed: int,
    progress: Progress | None = None,
) -> tuple[FinderFit, CascadeFit]:
    """Fits both to labelled specimens.

    Args:
        source: of the pictures.
        rows: (N,) of the store, each specimen's picture.
        labels: N of them, with ``tracks``.
        turned: whether specimens are expected to lie any way.
        seed: of everything random.
        progress: called as pictures are looked at.

    Raises:
        LeadError: no picture is complete, so that nothing says what is background; no specimen has enough landmarks.
    """
    taught, turned, centre, extent = taught_by(source, rows, labels, turned=turned)
    if not labels.complete:
        raise LeadError(
            f"{labels.where(0)}none of the {len(set(labels.images))} labelled pictures is marked as complete, so "
            "nothing says what is no specimen. Label every specimen of one picture or more, and mark these as complete "
            "(--complete says that all are)."
        )
    finder = fit_finder(source, taught, turned=turned, seed=seed, progress=progress)
    used = np.flatnonzero(~extent.isnan().numpy() & (labels.visible > 0).any(1))
    windows = Windows(
        source.extractor,
        source.store,
        rows[used],
        centre[used].double().numpy(),
        WINDOW * extent[used].double().numpy(),
    )
    every = np.arange(len(used))
    fitted = fit_cascade(
        windows,
        every,
        torch.from_numpy(windows.points(every, labels.xy[used])).float(),
        hidden=labels.visible[used] == HIDDEN,
        accepted=None if labels.accepted is None else labels.accepted[used],
        groups=[labels.images[i] for i in used.tolist()],
        sliders=labels.schema.sliders,
        turned=turned,
        among=True,
        seed=seed,
    )
    if fitted.doubt and finder.seen:
        window_of = {row: window for window, row in enumerate(used.tolist())}
        doubt_of = {row: fitted.doubt[window] for row, window in window_of.items() if window in fitted.doubt}
        finder = finder.weighed([_doubts(source, one, fitted, doubt_of, len(finder.seen)) for one in finder.seen])
    return finder, fitted


def _doubts(
    source: FeatureSource, one: Seen, fitted: CascadeFit, doubt_of: Mapping[int, float], pictures: int
) -> Tensor:
    """(n,) about the landmarks of the places that a finder saw in one of some ``pictures`` that it had not learnt from.

    Of a place that is a labelled specimen it is what stood there while that was held out, by its row of the labels.
    """
    doubt = torch.full((len(one.found),), torch.nan)
    for place, which in enumerate(one.which.tolist()):
        if which >= 0:
            doubt[place] = doubt_of.get(one.taught.labels[which], math.nan)
    others = torch.nonzero(one.which < 0)[: max(LOOKED_AT // pictures, 1), 0]  # the highest come first
    if len(others):
        windows = windows_of(source, one.taught.row, one.found.take(others))
        found = windows.find(fitted.head, np.arange(len(windows)))
        doubt[others] = torch.cat([out.doubt(fitted.confidence).cpu() for out in found])
    return doubt


def taught_by(
    source: FeatureSource, rows: npt.NDArray[np.int64], labels: Labels, *, turned: bool
) -> tuple[list[Taught], bool, Tensor, Tensor]:
    """What labelled pictures teach a finder; whether specimens lie any way; and each one's middle and extent.

    Args and errors as of :func:`fit_several` and :func:`middles`.
    """
    points = torch.from_numpy(source.points(rows, labels.xy)).float()
    check_labelled(points)
    centre, extent = middles(points, labels, source, rows)
    sized = ~extent.isnan().numpy()
    _check_extents(extent, labels)
    taught = [
        Taught(int(rows[own[0]]), centre[of], extent[of], image in labels.complete, tuple(of))
        for image, own in labels.rows_of().items()
        for of in [[i for i in own if sized[i]]]
    ]
    used = [one for one in taught if one.complete or len(one.extent)]
    return used, lie_any_way(points, turned), centre, extent


def _check_extents(extent: Tensor, labels: Labels) -> None:
    known = extent.nan_to_num()
    largest = int(known.argmax())
    if not float(known[largest]) > 0:
        raise LeadError("Nothing says how large a specimen is: label two landmarks or more of one, or its box.")
    smallest = int(extent.where(extent > 0, torch.inf).nan_to_num(torch.inf).argmin())
    if float(known[largest]) > MOST * float(known[smallest]):
        raise LeadError(
            f"{labels.where(smallest)}a specimen of {labels.images[smallest]} is more than {MOST} times smaller than "
            f"one of {labels.images[largest]}. Correct its landmarks or box, or leave it out."
        )


def as_several(labels: Labels, several: bool | None) -> Labels:
    """The same labels, with ``tracks`` where pictures may show several specimens, or none, and without them elsewhere.

    Args:
        labels: as read.
        several: which it is; None for what they show: names of individuals alone, one a picture, make no difference.

    Raises:
        LeadError: it is said to be one each, and pictures show several.
    """
    shown = labels.of_several()
    if several is False and shown:
        image, count = next(iter(shown.items()))
        raise LeadError(f"{image!r} shows {count} specimens; with one in each picture, leave the others out.")
    if several or (several is None and (shown or len(set(labels.images)) < len(labels))):
        return labels if labels.tracks is not None else replace(labels, tracks=("",) * len(labels))
    return replace(labels, tracks=None)


def middles(
    points: Tensor, labels: Labels, source: FeatureSource, rows: npt.NDArray[np.int64]
) -> tuple[Tensor, Tensor]:
    """Middles (N, 2) and extents (N,) of specimens, as if all their landmarks were in view; NaN where nothing says.

    The common shape is laid over each one's landmarks. Where these are too few, its box says where it is, as large as
    boxes are to extents elsewhere; without one, the few landmarks there are, as large as the others.
    """
    known = (~points.isnan().any(-1)).sum(-1)
    whole = known >= min(FEWEST, points.shape[1])
    if not bool(whole.any()):
        most = int(known.max())
        raise LeadError(f"No specimen has {FEWEST} landmarks or more, the most are {most}: label one whole.")
    side = sides(points)
    shape, size = common_shape(points[whole], None if side is None else side[whole])
    if bool(shape.isnan().any()):  # a landmark that only those of few show
        shape, size = common_shape(points, side)
    low, high = shape.amin(0), shape.amax(0)
    pose = fit_pose(shape, points, usual=size, side=side)
    centre, extent = pose(((low + high) / 2)[None])[:, 0], pose.size * (high - low).norm()
    if not bool((high > low).any()):  # a single landmark has no size; its box has
        extent = torch.full_like(extent, torch.nan)
    centre, extent = centre.where(whole[:, None], torch.nan), extent.where(whole, torch.nan)
    if labels.boxes is not None:
        x, y, width, height = np.moveaxis(labels.boxes, -1, 0)
        corners = np.stack([np.stack([x, y], -1) - 0.5, np.stack([x + width, y + height], -1) - 0.5], 1)
        box = torch.from_numpy(source.points(rows, corners)).float()
        diagonal = (box[:, 1] - box[:, 0]).norm(dim=-1)
        diagonal = diagonal.where(diagonal > 0, torch.nan)
        ratio = (extent / diagonal).nanmedian()
        ratio = ratio if bool(ratio.isfinite()) else torch.tensor(1.0)
        centre = centre.where(~centre.isnan(), box.mean(1))
        extent = extent.where(~extent.isnan(), diagonal * ratio)
    usual = extent.nanmedian()
    few = (known > 0) & extent.isnan() & usual.isfinite()
    centre = centre.where(~few[:, None], points.nanmean(1))
    return centre, extent.where(~few, usual)
