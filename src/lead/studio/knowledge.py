"""What the model side knows at one moment, as a frozen value that :mod:`lead.studio.answers` asks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from lead.studio.contents import Contents
from lead.studio.folder import PictureFolder
from lead.studio.several_labels import is_ready, teach_the_same

if TYPE_CHECKING:  # torch, which they need, takes seconds to import
    from lead.inference import Landmarker
    from lead.studio.choose import Chooser
    from lead.studio.features import FeatureBank
    from lead.studio.finds import Finds
    from lead.studio.review import Review
    from lead.studio.suggest import Learnt
    from lead.training.landmarks import FitSummary


@dataclass(frozen=True)
class Fit:
    """What labels have taught.

    Attributes:
        number: goes up from fit to fit, and when what it says of a picture becomes another.
        contents: of the label book, whose labels it was fitted to.
        whole: whether the features of all pictures were there by then.
        learnt: by a head that is fitted within a second.
        closely: whether what `lead fit` makes of the labels was tried.
        landmarker: what came of that, once it has predicted all pictures.
    """

    number: int
    contents: Contents
    whole: bool
    learnt: Learnt
    closely: bool = False
    landmarker: Landmarker | None = None


@dataclass(frozen=True)
class CloseLook:
    """What `lead fit` made of labels, and what that says of all pictures.

    Attributes:
        contents: of the label book, whose labels they were.
        review: the predictions.
        closely: names of the landmarks that were looked at in squares of their own.
    """

    contents: Contents
    review: Review
    closely: tuple[str, ...]


@dataclass(frozen=True)
class SeveralFit:
    """What labelled specimens have taught.

    Attributes:
        contents: of the label book, whose labels it was fitted to.
        summary: how it did on labels that it had not seen.
        finds: what it says of pictures.
    """

    contents: Contents
    summary: FitSummary
    finds: Finds


@dataclass(frozen=True)
class Several:
    """What is known where pictures may show several specimens.

    Attributes:
        fit: the last.
        tried: of the label book, whose labels were tried last.
        problem: why nothing came of these, for the person to read.
        doing: what is being learnt, in words; empty if nothing is.
        looking: while all pictures are being looked at, how many of how many have been.
    """

    fit: SeveralFit | None = None
    tried: Contents | None = None
    problem: str | None = None
    doing: str = ""
    looking: tuple[int, int] | None = None


@dataclass(frozen=True)
class Knowledge:
    """All that the model side knows at one moment. With every change another one takes its place.

    Attributes:
        contents: of the label book.
        loading: whether there is no model side yet.
        problem: what went wrong last.
        bank: features of the pictures; None where no run is open.
        following: the bank that will take its place, because the folder has changed; None if it has not.
        chooser: of the rows of the bank's store, once the features of all pictures are there.
        fitting: whether a fit is under way.
        fit: the last; its landmarks may be others than those of ``contents``.
        review: the last predictions of all pictures, perhaps by an earlier fit.
        landmarker: the last that `lead fit` made of labels, perhaps of earlier ones.
        close: what that said of all pictures.
        several: all that is known where pictures may show several specimens, in place of the six before.
    """

    contents: Contents
    loading: bool = False
    problem: str | None = None
    bank: FeatureBank | None = None
    following: FeatureBank | None = None
    chooser: Chooser | None = None
    fitting: bool = False
    fit: Fit | None = None
    review: Review | None = None
    landmarker: Landmarker | None = None
    close: CloseLook | None = None
    several: Several = Several()

    @property
    def of_several(self) -> bool:
        """Whether pictures may show several specimens."""
        return self.contents.landmarks.several

    @property
    def folder(self) -> PictureFolder:
        return self.contents.folder

    @property
    def names(self) -> tuple[str, ...]:
        """Of the landmarks."""
        return self.contents.labels.schema.names

    @property
    def fit_of_names(self) -> Fit | None:
        """The last fit, if it is of these landmarks."""
        return self.fit if self.fit and self.fit.contents.labels.schema.names == self.names else None

    @property
    def review_of_names(self) -> Review | None:
        """The last predictions, if they are of these landmarks."""
        return self.review if self.review and self.review.labels.schema.names == self.names else None

    @property
    def landmarker_of_names(self) -> Landmarker | None:
        """The last landmarker, if it knows no other landmarks than these."""
        known = self.landmarker and set(self.landmarker.schema.names) <= set(self.names)
        return self.landmarker if known else None

    @property
    def close_of_names(self) -> CloseLook | None:
        """The last close look, if it is of these landmarks."""
        return self.close if self.close and self.close.review.labels.schema.names == self.names else None

    @property
    def coarse(self) -> dict[str, str]:
        """Why pictures, by file, could not be read again to be looked at closely, when that was last tried."""
        store = self.bank.store if self.bank else None
        return dict(store.unread) if store else {}

    @property
    def fit_is_current(self) -> bool:
        """Whether the last fit knows all labels as they are, and all features that are there."""
        fit, bank = self.fit, self.bank
        if fit is None or bank is None:
            return False
        return fit.contents.teaches_as(self.contents) and fit.whole == bank.ready

    @property
    def several_fit(self) -> SeveralFit | None:
        """The last fit to specimens, if it is of these landmarks."""
        fit = self.several.fit
        return fit if fit and fit.finds.schema.names == self.names else None

    @property
    def several_is_current(self) -> bool:
        """Whether specimens as they are labelled have been fitted to, or could not be."""
        tried = self.several.tried
        return tried is not None and teach_the_same(tried, self.contents)

    @property
    def close_fit_due(self) -> bool:
        """Whether there are predictions that those of `lead fit` have yet to better."""
        if self.bank is None or self.fit is None or self.review is None or self.review.model != self.fit.number:
            return False
        if self.of_several:
            return False
        return self.bank.ready and self.fit_is_current and not self.fit.closely

    @property
    def ups_due(self) -> bool:
        """Whether there are predictions of pictures that do not heed what the person said of these."""
        review = self.review_of_names
        if (
            self.of_several
            or review is None
            or self.fit is None
            or review.model != self.fit.number
            or not self.landmarker_of_names
        ):
            return False
        return review.heeded != self.contents.heeded

    @property
    def behind(self) -> bool:
        """Whether predictions are still to come that know more than those that are there."""
        if self.bank is None or self.problem or not len(self.contents.taught):
            return False
        if self.of_several:
            return self._behind_with_specimens(self.bank)
        if self.following or self.fit is None or not self.fit_is_current or self.review is None:
            return True
        return self.review.model != self.fit.number or self.close_fit_due or self.ups_due

    def _behind_with_specimens(self, bank: FeatureBank) -> bool:
        if self.following or not self.several_is_current:
            return is_ready(self.contents)
        fit = self.several_fit
        if fit is None or self.several.problem:
            return False
        return not bank.ready or bool(fit.finds.left(self.contents.listing))
