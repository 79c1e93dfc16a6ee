"""The work behind the model's answers: features, fits and predictions of all pictures, in the background."""

from __future__ import annotations

import itertools
import logging
import threading
import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lead import api
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.landmarks.model import Labels
from lead.studio.answers import Fit, Knowledge, status
from lead.studio.book import LabelBook
from lead.studio.choose import Chooser, describe
from lead.studio.events import Event, Events
from lead.studio.features import FeatureBank, give_way
from lead.studio.review import Review, review, review_closely
from lead.studio.suggest import Exemplars, learn
from lead.training.run import Run

LABELS = ("labels", "landmarks", "restored")
"""Kinds of events after which labels may be others."""
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
        still: when labels have been left alone for so long, or an export asks, all pictures are looked at twice.
        renew: while labels keep coming in, predictions of all pictures are made anew this often at least.
        settled: how long an export waits for the model to catch up with the labels.
    """

    quiet: float = 0.3
    longest_wait: float = 1.5
    still: float = 8.0
    renew: float = 15.0
    settled: float = 300.0


class Fitter:
    """Keeps what is known in step with the labels. Every method may be called from any thread.

    Three threads work in the background: one decodes the pictures and computes their features. One hears from the
    book's events when labels change; then it fits a head that takes no more than a second, and predicts all pictures.
    When labels have been left alone for a while, the last does so with what `lead fit` makes of them, which takes
    longer and is better. What goes wrong in the first two is told in :func:`lead.studio.answers.status`.

    Args:
        book, events: of the session.
        seed: of the folds.
        pace: when it does what.
    """

    def __init__(self, book: LabelBook, events: Events, *, seed: int = 0, pace: Pace | None = None) -> None:
        self._book, self._events, self._seed, self._pace = book, events, seed, pace or Pace()
        self._knowledge = Knowledge(book.contents)
        self._moved = threading.Condition()  # held to put other knowledge in place; notified then
        self._exports = 0  # that wait for predictions
        self._numbers = itertools.count(1)
        self._told = 0.0
        self._heard = events.subscribe(LABELS)
        self._threads = [
            threading.Thread(target=self._keep_up, name="lead-studio-fit", daemon=True),
            threading.Thread(target=self._better, name="lead-studio-second-look", daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def now(self) -> Knowledge:
        """What is known, with the labels as they are."""
        return replace(self._knowledge, contents=self._book.contents)

    def use(self, run: Run) -> None:
        """Begins decoding and features in the background, in place of an earlier run.

        Raises:
            LeadError: the run has no features.
        """
        if not run.has_student:
            raise LeadError(f"{run.folder} has no trained features yet. Finish its training, or open another run.")
        bank = FeatureBank(run, self._book.folder, self._tell)
        preparing = threading.Thread(target=self._prepare, args=[bank], name="lead-studio-features", daemon=True)
        with self._moved:
            if self._knowledge.bank is not None:
                self._knowledge.bank.close()
            self._knowledge = Knowledge(self._book.contents, bank=bank, exemplars=Exemplars(bank))
            self._threads = [*self._threads[:2], preparing]
            self._moved.notify_all()
        preparing.start()
        self._fit_anew()
        self._tell(at_once=True)

    def close(self) -> None:
        """Ends the background work; what is not finished is gone on with by the next session."""
        self._heard.close()
        with self._moved:
            bank, threads = self._knowledge.bank, self._threads
            self._moved.notify_all()
        if bank is not None:
            bank.close()
        for thread in threads:
            thread.join(timeout=CLOSING_S)

    def landmarker(self) -> Landmarker | None:
        """What `lead fit` makes of all labels; None where there is nothing to fit."""
        known = self.now()
        if known.fit and known.fit_is_current and known.fit.landmarker:
            return known.fit.landmarker
        return self._landmarker(known)

    def predicted_labels(self) -> Labels | None:
        """Predictions of all pictures that can be read, from all labels; waits for them. None if there are none."""
        with self._moved:
            self._exports += 1
            self._moved.notify_all()
            self._moved.wait_for(lambda: self._heard.closed or not self.now().behind, self._pace.settled)
            self._exports -= 1
            review = self.now().review_of_names
        return review.labels if review is not None and len(review.labels) == len(review.store) else None

    # --- in the background -------------------------------------------------------------------------------------------

    def _put(self, bank: FeatureBank, **changes: Any) -> bool:
        """Puts other knowledge in place of what is there, unless that is of another bank by now."""
        with self._moved:
            mine = self._knowledge.bank is bank
            if mine:
                self._knowledge = replace(self._knowledge, **changes)
            self._moved.notify_all()
        return mine

    def _fit_anew(self) -> None:
        self._heard.put(Event("features", {}))

    def _prepare(self, bank: FeatureBank) -> None:
        try:
            bank.work()
            finished = bank.finished()
            if bank.ready and finished:
                described = describe(finished[1], seed=self._seed)
                self._put(bank, chooser=Chooser(described, seed=self._seed))
                self._fit_anew()
        except Exception as error:
            self._failed(error, bank)
        self._tell(at_once=True)

    def _keep_up(self) -> None:
        give_way()
        while self._heard.get() is not None:
            until = time.monotonic() + self._pace.longest_wait
            while time.monotonic() < until and self._heard.get(self._pace.quiet) is not None:
                pass
            known = self.now()
            if known.bank is None or self._heard.closed:
                continue
            try:
                self._fit(known, known.bank)
            except Exception as error:
                self._failed(error, known.bank)
            self._tell(at_once=True)

    def _fit(self, known: Knowledge, bank: FeatureBank) -> None:
        """Fits to the labels as they are now, and predicts all pictures."""
        labels, whole = known.contents.labels, bank.ready
        self._put(bank, fitting=True)
        self._tell(at_once=True)
        try:
            exemplars = known.exemplars.of(labels) if known.exemplars else {}
            learnt = learn(exemplars, seed=self._seed) if exemplars else None
        finally:
            self._put(bank, fitting=False)
        if learnt is None:
            self._put(bank, fit=None, review=None, problem=None)
            return
        fit = Fit(next(self._numbers), known.contents, whole, learnt)
        if not self._put(bank, fit=fit, problem=None):
            return
        self._tell(at_once=True)
        if computed := bank.finished():
            frame, schema = bank.extractor.frame, labels.schema
            found = review(fit.number, schema, learnt, *computed, frame, lambda: self._review_in_vain(fit))
            if found:
                self._put(bank, review=found)

    def _review_in_vain(self, fit: Fit) -> bool:
        """Whether to leave predictions for a fit to newer labels: not if they are old, else they would never end."""
        if self._heard.closed:
            return True
        known = self.now()
        recent = known.review is not None and time.monotonic() - known.review.made < self._pace.renew
        return recent and fit.contents is not known.contents

    def _better(self) -> None:
        """Predicts all pictures anew with what `lead fit` makes of the labels, whenever these have come to rest."""
        give_way()
        while (known := self._due()) is not None:
            assert known.bank is not None
            assert known.fit is not None
            changes: dict[str, Any] = {"fit": replace(known.fit, closely=True)}
            try:
                if better := self._closer_look(known, known.bank, known.fit):
                    changes = {"fit": better[0], "review": better[1]}
            except Exception as error:  # what there is already stands
                log.warning(
                    "The second look at all pictures failed: %s", error, exc_info=not isinstance(error, LeadError)
                )
            with self._moved:
                if self._knowledge.fit is known.fit:
                    self._put(known.bank, **changes)
            self._tell(at_once=True)

    def _due(self) -> Knowledge | None:
        """Waits for a fit after which it is time to look twice; None at the end."""
        with self._moved:
            while not self._heard.closed:
                known, rest = self.now(), None
                if known.close_fit_due and known.fit and known.review and known.review.model == known.fit.number:
                    rest = 0.0 if self._exports else known.contents.since + self._pace.still - time.monotonic()
                    if rest <= 0:
                        return known
                self._moved.wait(rest)
        return None

    def _closer_look(self, known: Knowledge, bank: FeatureBank, fit: Fit) -> tuple[Fit, Review] | None:
        """A better fit and its predictions; None if the labels have changed meanwhile."""

        def stale() -> bool:
            return self._heard.closed or self._book.contents is not fit.contents

        landmarker, computed = self._landmarker(known), bank.finished()
        if landmarker is None or computed is None or stale():
            return None
        number = next(self._numbers)
        found = review_closely(number, fit.contents.labels.schema, landmarker, *computed, stale)
        if found is None or stale():
            return None
        return replace(fit, number=number, closely=True, landmarker=landmarker), found

    def _landmarker(self, known: Knowledge) -> Landmarker | None:
        labels = known.contents.labels
        labelled = np.flatnonzero((labels.visible > 0).any(axis=0))
        if known.bank is None or len(labelled) == 0:
            return None
        some = labels.only(labels.schema.names[k] for k in labelled)
        return api.fit(known.bank.run, some, pictures=known.folder.root, seed=self._seed).landmarker

    def _failed(self, error: Exception, bank: FeatureBank) -> None:
        if not isinstance(error, LeadError):
            log.error("The studio's background work failed", exc_info=error)
        self._put(bank, problem=str(error) or type(error).__name__)

    def _tell(self, at_once: bool = False) -> None:
        """Publishes the status, at most a few times a second unless it must be known at once."""
        now = time.monotonic()
        if at_once or now - self._told >= TELL_EVERY_S:
            self._told = now
            self._events.publish("model", status(self.now()).model_dump())
