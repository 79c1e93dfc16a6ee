"""The work behind the model's answers: features, fits and predictions of all pictures, in the background."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from lead.errors import LeadError
from lead.inference import Landmarker
from lead.landmarks.model import Labels
from lead.studio.answers import status
from lead.studio.book import LabelBook
from lead.studio.choose import Chooser, describe
from lead.studio.closer import bettered, closer_look, landmarker_of
from lead.studio.events import LABELS, Event, Events
from lead.studio.features import FeatureBank, give_way
from lead.studio.heeding import heed, heed_all
from lead.studio.knowledge import Fit, Knowledge
from lead.studio.review import review
from lead.studio.several_fit import SeveralFitter, Shared, predicted_specimens
from lead.studio.suggest import learn
from lead.training.run import Run

CLOSING_S = 1.5
"""How long closing waits for a fit under way, which then ends with the process."""
TELL_EVERY_S = 0.25

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Pace:
    """When the fitter does what, in seconds.

    Attributes:
        quiet: a fit begins when labels have been left alone for so long,
        longest_wait: or at the latest after.
        rest: a fit to several specimens, which takes longer, begins when labels have been left alone for so long.
        still: when labels have been left alone for so long, or an export asks, all pictures are looked at twice.
        renew: while labels keep coming in, predictions of all pictures are made anew this often at least.
        settled: how long an export waits for the model to catch up with the labels.
    """

    quiet: float = 0.3
    longest_wait: float = 1.5
    rest: float = 2.0
    still: float = 8.0
    renew: float = 15.0
    settled: float = 300.0


class Fitter:
    """Keeps what is known in step with the labels. Every method may be called from any thread.

    Three threads work in the background: one decodes the pictures and computes their features. One hears from the
    book's events when labels change; then it fits a head that takes no more than a second, and predicts all pictures.
    When labels have been left alone for a while, the last does so with what `lead fit` makes of them, which takes
    longer and is better. What goes wrong in the first two is in the status. Of several specimens, see SeveralFitter.

    Args:
        book, events: of the session.
        seed: of the folds.
        pace: when it does what.
    """

    def __init__(self, book: LabelBook, events: Events, *, seed: int = 0, pace: Pace | None = None) -> None:
        self._book, self._events, self._seed, self._pace = book, events, seed, pace or Pace()
        self._last = Knowledge(book.contents)
        self._replaced = threading.Condition()  # held to put other knowledge in place; notified then
        self._exports = 0  # that wait for predictions
        self._numbers, self._published_at = itertools.count(1), 0.0
        self._label_events = events.subscribe(LABELS)
        shared = Shared(lambda: self.knowledge, self._put, self._tell, self._failed, self._numbers)
        self._several = SeveralFitter(events, shared, seed=seed, rest=self._pace.rest, longest_wait=self._pace.renew)
        self._threads = [
            threading.Thread(target=self._keep_up, name="lead-studio-fit", daemon=True),
            threading.Thread(target=self._look_closely, name="lead-studio-second-look", daemon=True),
            self._several.thread,
        ]
        for thread in self._threads:
            thread.start()

    @property
    def knowledge(self) -> Knowledge:
        """What is known, with the labels as they are."""
        return replace(self._last, contents=self._book.contents)

    def use(self, run: Run) -> None:
        """Begins decoding and features in the background, in place of an earlier run.

        Raises:
            LeadError: the run has no features.
        """
        if not run.has_student:
            raise LeadError(f"{run.folder} has no trained features yet. Finish its training, or open another run.")
        bank = FeatureBank(run, self._book.folder, self._tell)
        preparing = threading.Thread(target=self._prepare, args=[bank], name="lead-studio-features", daemon=True)
        with self._replaced:
            _stop(self._last)
            self._last = Knowledge(self._book.contents, bank=bank)
            self._threads = [*self._threads[:3], preparing]
            self._replaced.notify_all()
        preparing.start()
        self._fit_anew()
        self._tell(at_once=True)

    def follow_folder(self) -> None:
        """Begins with the features of what has changed in the folder, once those that are being made are there."""
        with self._replaced:
            self._replaced.notify_all()

    def close(self) -> None:
        """Ends the background work; the next session goes on with what is not finished."""
        self._label_events.close()
        self._several.close()
        with self._replaced:
            self._replaced.notify_all()
        _stop(self._last)
        for thread in self._threads:
            thread.join(timeout=CLOSING_S)

    def landmarker(self) -> Landmarker | None:
        """What `lead fit` makes of all labels; None where there is nothing to fit."""
        knowledge = self.knowledge
        if knowledge.of_several:
            return self._several.landmarker()
        if knowledge.fit and knowledge.fit_is_current and knowledge.fit.landmarker:
            return knowledge.fit.landmarker
        return landmarker_of(knowledge, self._seed)

    def predicted_labels(self, *, beside_hand: bool = False) -> Labels | None:
        """Predictions of all pictures that can be read, from all labels; waits for them. None if there are none.

        With ``beside_hand``, labelled specimens of several in a picture stand in the place of those that are the same.
        """
        with self._replaced:
            self._exports += 1
            self._replaced.notify_all()
            self._replaced.wait_for(lambda: self._label_events.closed or not self.knowledge.behind, self._pace.settled)
            self._exports -= 1
            if self.knowledge.of_several:
                return predicted_specimens(self.knowledge, beside_hand)
            review = self.knowledge.review_of_names
        return review.labels if review is not None and len(review.labels) == len(review.store) else None

    # --- in the background -------------------------------------------------------------------------------------------

    def _put(self, bank: FeatureBank, /, **changes: Any) -> bool:
        """Puts other knowledge in place of what is there, unless that is of another bank by now."""
        with self._replaced:
            mine = self._last.bank is bank
            if mine:
                self._last = replace(self._last, **changes)
            self._replaced.notify_all()
        return mine

    def _fit_anew(self) -> None:
        self._label_events.put(Event("features", {}))
        self._several.wake()

    def _prepare(self, bank: FeatureBank) -> None:
        """Makes the features of all pictures; whenever the folder has changed since, once more with a bank of what it
        holds then. The one before answers until that has all of them."""
        latest = bank
        while True:
            try:
                latest.work()
                if latest.ready and (finished := latest.finished()):
                    chooser = Chooser(describe(finished[1], seed=self._seed), seed=self._seed)
                    self._take_over(bank, latest, chooser)
                    bank = latest
            except Exception as error:
                self._put(bank, following=None)
                self._failed(error, bank)
            self._tell(at_once=True)
            with self._replaced:
                self._replaced.wait_for(partial(self._folder_or_run_is_another, bank, latest))
            latest = FeatureBank(bank.run, self._book.folder, self._tell, before=bank)
            if self._label_events.closed or not self._put(bank, following=latest, problem=None):
                return

    def _folder_or_run_is_another(self, bank: FeatureBank, latest: FeatureBank) -> bool:
        """Or the studio ends."""
        other = latest.listing is not self._book.folder.listing or self._last.bank is not bank
        return other or self._label_events.closed

    def _take_over(self, bank: FeatureBank, latest: FeatureBank, chooser: Chooser) -> None:
        """Puts a bank that has all features in the place of one before it, and has the labels fitted anew."""
        with self._replaced:
            fit = self._last.fit and replace(self._last.fit, whole=False)  # those that came have not been predicted
            self._put(bank, bank=latest, following=None, chooser=chooser, fit=fit, fitting=False, problem=None)
        self._fit_anew()

    def _keep_up(self) -> None:
        give_way()
        while self._label_events.get() is not None:
            until = time.monotonic() + self._pace.longest_wait
            while time.monotonic() < until and self._label_events.get(self._pace.quiet) is not None:
                pass
            knowledge = self.knowledge
            if knowledge.bank is None or self._label_events.closed or knowledge.of_several:
                continue
            if knowledge.fit_is_current and not knowledge.ups_due:
                continue
            try:
                if not knowledge.fit_is_current:
                    self._fit(knowledge, knowledge.bank)
                self._heed(knowledge.bank)
            except Exception as error:
                self._failed(error, knowledge.bank)
            self._tell(at_once=True)

    def _fit(self, knowledge: Knowledge, bank: FeatureBank) -> None:
        """Fits to the labels as they are now, and predicts all pictures."""
        labels, whole = knowledge.contents.taught, bank.ready
        self._put(bank, fitting=True)
        self._tell(at_once=True)
        try:
            exemplars = bank.exemplars(labels)
            learnt = learn(exemplars, seed=self._seed) if exemplars else None
        finally:
            self._put(bank, fitting=False)
        if learnt is None:
            self._put(bank, fit=None, review=None, problem=None)
            return
        fit = Fit(next(self._numbers), knowledge.contents, whole, learnt)
        if not self._put(bank, fit=fit, problem=None):
            return
        self._tell(at_once=True)
        if computed := bank.finished():
            frame, schema = bank.extractor.frame, labels.schema
            stale = partial(self._review_is_stale, fit)
            reviewed = review(fit.number, schema, learnt, *computed, frame, stale)
            if reviewed and (landmarker := knowledge.landmarker_of_names):
                reviewed = heed(reviewed, landmarker, self._book.contents.heeded, computed[1], stale)
            if reviewed:
                self._put(bank, review=replace(reviewed, listing=bank.listing))

    def _heed(self, bank: FeatureBank) -> None:
        """Predicts those pictures anew on which the person has said which way is up since, and no others."""
        while (knowledge := self.knowledge).bank is bank and knowledge.ups_due and not self._label_events.closed:
            if (heeding := heed_all(knowledge)) is None:
                return
            with self._replaced:
                if self._last.review is knowledge.review and self._last.fit is knowledge.fit and knowledge.fit:
                    number = next(self._numbers)
                    fit, heeding = replace(knowledge.fit, number=number), replace(heeding, model=number)
                    self._put(bank, fit=fit, review=heeding)

    def _review_is_stale(self, fit: Fit) -> bool:
        """Whether to leave predictions for a fit to newer labels: not if they are old, else they would never end."""
        if self._label_events.closed:
            return True
        knowledge = self.knowledge
        recent = knowledge.review is not None and time.monotonic() - knowledge.review.made < self._pace.renew
        return recent and not fit.contents.teaches_as(knowledge.contents)

    def _look_closely(self) -> None:
        """Predicts all pictures anew with what `lead fit` makes of the labels, whenever these have come to rest."""
        give_way()
        while (knowledge := self._due()) is not None:
            assert knowledge.bank is not None
            assert knowledge.fit is not None
            better = None
            try:
                better = closer_look(knowledge, self._seed, lambda: self._book.contents, self._label_events)
            except Exception as error:  # what there is already stands
                log.warning(
                    "The second look at all pictures failed: %s", error, exc_info=not isinstance(error, LeadError)
                )
            with self._replaced:
                fit = self._last.fit
                if fit and fit.learnt is knowledge.fit.learnt:  # its number may be another by now
                    self._put(knowledge.bank, **bettered(replace(fit, closely=True), better, self._numbers))
            if self.knowledge.ups_due:  # something was said meanwhile
                self._fit_anew()
            self._tell(at_once=True)

    def _due(self) -> Knowledge | None:
        """Waits for a fit after which it is time to look twice; None at the end."""
        with self._replaced:
            while not self._label_events.closed:
                knowledge, rest = self.knowledge, None
                if knowledge.close_fit_due:
                    rest = 0.0 if self._exports else knowledge.contents.since + self._pace.still - time.monotonic()
                    if rest <= 0:
                        return knowledge
                self._replaced.wait(rest)
        return None

    def _failed(self, error: Exception, bank: FeatureBank) -> None:
        if not isinstance(error, LeadError):
            log.error("The studio's background work failed", exc_info=error)
        self._put(bank, problem=str(error) or type(error).__name__)

    def _tell(self, at_once: bool = False) -> None:
        """Publishes the status, at most a few times a second unless it must be known at once."""
        now = time.monotonic()
        if at_once or now - self._published_at >= TELL_EVERY_S:
            self._published_at = now
            self._events.publish("model", status(self.knowledge).model_dump())


def _stop(knowledge: Knowledge) -> None:
    """Makes the background work on its features end soon."""
    for bank in (knowledge.bank, knowledge.following):
        if bank is not None:
            bank.close()
