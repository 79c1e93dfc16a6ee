"""What the model says where pictures may show several specimens, as functions of one frozen state."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from lead.images.decode import UnreadablePicture
from lead.landmarks.model import UNLABELLED
from lead.reporting import counted
from lead.studio.contents import Contents
from lead.studio.folder import UnknownPicture, picture_id
from lead.studio.knowledge import Knowledge
from lead.studio.messages import ModelStatus, Prediction, Predictions, SuggestedSpecimen, Suggestions
from lead.studio.places import suggestions_of
from lead.studio.several_labels import Labelled, extents, is_ready, labelled_on, same

if TYPE_CHECKING:  # torch, which they need, takes seconds to import
    from lead.studio.finds import Found

NOT_READY = "Label every specimen of a picture, then mark it as complete."
UNSURE = (0.2, 0.8)
"""Between these, how likely a place is a specimen leaves doubt."""
FAR_OFF = 0.15
"""An expected error of so much of a specimen's extent leaves doubt of where its landmarks are."""


@dataclass(frozen=True)
class Judged:
    """What was found in a picture, beside what is labelled there.

    Attributes:
        found: in the picture.
        labelled: the specimens that are.
        same: by the row of a found one, which of the labelled ones it is.
        complete: whether the person says that there are no others.
    """

    found: Found
    labelled: list[Labelled]
    same: dict[int, int]
    complete: bool

    @classmethod
    def of(cls, knowledge: Knowledge, found: Found) -> Judged:
        """By the labels of this moment."""
        contents, id = knowledge.contents, picture_id(found.file)
        labelled = labelled_on(contents, id) if id in contents.specimens else []
        matched: dict[int, int] = {}
        if labelled and found.count:
            places = np.stack([one.xy for one in labelled])
            matched = same(found.labels.xy, found.extent, places, contents.labels.schema)
        return cls(found, labelled, matched, found.file in contents.labels.complete)

    @cached_property
    def missed(self) -> int:
        """Labelled specimens that were not found."""
        return len(self.labelled) - len(self.same)

    @cached_property
    def doubtful(self) -> list[int]:
        """Rows of those that are not labelled and that leave doubt; in complete pictures, of all that are likely."""
        least, most = UNSURE
        found = self.found
        off = found.expected_px > FAR_OFF * found.extent
        unsure = (found.likely > least) & (found.likely < most) | off | (found.sure & self.complete)
        return [row for row in np.flatnonzero(unsure).tolist() if row not in self.same]

    @property
    def doubt(self) -> float:
        """How much there is to learn from the picture: over all that may be specimens, 1 for one that may as well be
        none, and the expected error in extents."""
        rows = [row for row in range(self.found.count) if row not in self.same]
        off = self.found.expected_px[rows] / self.found.extent[rows]
        either = 1 - np.abs(2 * self.found.likely[rows] - 1)
        return float((either + np.nan_to_num(off)).sum())

    def shown(self, *, doubtful: bool) -> list[SuggestedSpecimen]:
        """Those that are labelled, and those more likely specimens than not; with ``doubtful``, these too."""
        found, rows = self.found, set(self.same) | set(np.flatnonzero(self.found.sure).tolist())
        return [self._specimen(row) for row in range(found.count) if row in rows or (doubtful and row in self.doubtful)]

    def _specimen(self, row: int) -> SuggestedSpecimen:
        labels, key = self.found.labels, None
        if row in self.same:
            key = self.labelled[self.same[row]].key
        assert labels.score is not None
        assert labels.px_error is not None
        points = suggestions_of(
            labels.schema.names, labels.xy[row], labels.score[row], labels.px_error[row], self.found.size
        )
        return SuggestedSpecimen(key=key, likely=None if key else float(self.found.likely[row]), points=points)


def waiting_for(knowledge: Knowledge) -> str:
    """Why there are no answers yet, where there are features and landmarks."""
    if not is_ready(knowledge.contents):
        return NOT_READY
    if knowledge.several_is_current and knowledge.several.problem:
        return knowledge.several.problem
    return knowledge.several.doing or _looking(knowledge) or "The model is being fitted."


def _looking(knowledge: Knowledge) -> str:
    """How far all pictures have been looked at; "" where they are not being looked at."""
    if not knowledge.several.looking:
        return ""
    done, total = knowledge.several.looking
    return f"Specimens are looked for: {done:,} of {counted(total, 'picture')}."


def add_status(knowledge: Knowledge, out: ModelStatus) -> ModelStatus:
    """How far the fit to specimens is, besides what is said of the features."""
    several = knowledge.several
    out.fitting = bool(several.doing)
    out.message = out.message or _looking(knowledge) or None
    if several.doing or (several.problem and knowledge.several_is_current):
        out.message = out.message or several.doing or several.problem
    if (fit := knowledge.several_fit) is None:
        return out
    summary = fit.summary
    out.model, out.method, out.fitted_to = fit.finds.number, "head", summary.used
    out.closely = list(summary.landmarker.closely)
    if np.isfinite(summary.error) and (size := _typical_size(fit.contents)):
        extent, side = size
        out.held_out, out.held_out_px = summary.error * extent / side, summary.error * extent
        out.held_out_points = int(fit.contents.taught.by_hand.sum())
    if summary.finder:
        out.message = out.message or f"{summary.finder.words}."
    return out


def _typical_size(contents: Contents) -> tuple[float, float] | None:
    """The extent of the labelled specimens, and the longer side of their pictures, in pixels; None if unknown."""
    labels = contents.taught
    size, sides = extents(labels.xy), []
    for file in labels.images:
        try:
            sides.append(max(contents.folder.size(picture_id(file))))
        except (UnreadablePicture, UnknownPicture):
            sides.append(0)
    known = np.flatnonzero((size > 0) & (np.array(sides) > 0))
    whole = known[(labels.visible[known] > UNLABELLED).all(1)]
    some = whole if len(whole) else known
    return (float(np.median(size[some])), float(np.median(np.array(sides)[some]))) if len(some) else None


# --- one picture -----------------------------------------------------------------------------------------------------


def suggest(knowledge: Knowledge, id: str) -> Suggestions:
    """The specimens of a picture, found now if they have not been. Raises :class:`UnknownPicture`."""
    knowledge.folder.file_of(id)
    if (fit := knowledge.several_fit) is None:
        return Suggestions(id=id, waiting_for=waiting_for(knowledge))
    try:
        found = fit.finds.get(id)
    except UnreadablePicture as error:
        knowledge.folder.note_unreadable(id, error.reason)
        return Suggestions(id=id, waiting_for=f"This picture cannot be read: {error.reason}.")
    specimens = Judged.of(knowledge, found).shown(doubtful=False)
    return Suggestions(id=id, method="head", model=fit.finds.number, specimens=specimens)


# --- all pictures ----------------------------------------------------------------------------------------------------


def known(knowledge: Knowledge) -> list[Found]:
    """What is known of the pictures, in the folder's order."""
    fit = knowledge.several_fit
    return fit.finds.known(knowledge.contents.listing) if fit else []


def judged(knowledge: Knowledge) -> list[Judged]:
    """The same beside the labels; of pictures tagged ``skip``, nothing."""
    skipped = knowledge.contents.skipped
    return [Judged.of(knowledge, one) for one in known(knowledge) if picture_id(one.file) not in skipped]


def predictions(knowledge: Knowledge, *, sort: str, offset: int, limit: int) -> Predictions:
    """Some of all predictions: those with missed or doubtful specimens first, then by their expected error; or, with
    ``sort`` "name", in the folder's order."""
    fit, every = knowledge.several_fit, judged(knowledge)
    if fit is None or not every:
        return Predictions(waiting_for=waiting_for(knowledge))
    if sort != "name":
        every.sort(key=lambda one: (-(one.missed + len(one.doubtful)), -_share(one.found)))
    shown = [_prediction(one) for one in every[offset : offset + limit]]
    return Predictions(total=len(every), model=fit.finds.number, pictures=shown)


def _prediction(one: Judged) -> Prediction:
    width, height = one.found.size
    return Prediction(
        id=picture_id(one.found.file),
        file=one.found.file,
        width=width,
        height=height,
        expected_px=float(np.nan_to_num(one.found.mean_px)),
        expected=_share(one.found),
        complete=one.complete,
        points={},
        specimens=one.shown(doubtful=True),
        missed=one.missed,
        doubtful=len(one.doubtful),
    )


def expected_errors(knowledge: Knowledge) -> dict[str, tuple[float, float]]:
    """Mean expected error of each picture with specimens by id: as a share of its longer side, and in its pixels."""
    found = known(knowledge)
    return {picture_id(one.file): (_share(one), one.mean_px) for one in found if np.isfinite(one.mean_px)}


def _share(found: Found) -> float:
    """Mean error to expect as a share of the picture's longer side; 0 where there are no specimens."""
    return float(np.nan_to_num(found.mean_px)) / max(found.size)


def doubts(knowledge: Knowledge) -> dict[str, float]:
    """How much there is to learn from each picture, by id."""
    return {picture_id(one.found.file): one.doubt for one in judged(knowledge)}
