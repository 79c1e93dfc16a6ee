"""The work behind the model's answers where pictures may show several specimens.

What `lead fit --several` makes of the labels, begun when these have come to rest; it then looks at all pictures, one
after another. Newer labels end that, and what was said of the pictures left is then said by an earlier fit.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from lead import api
from lead.errors import LeadError
from lead.inference import Landmarker
from lead.landmarks.model import Labels
from lead.reporting import Progress, counted
from lead.studio.contents import Contents
from lead.studio.events import LABELS, Event, Events
from lead.studio.features import FeatureBank, give_way
from lead.studio.finds import Finds
from lead.studio.knowledge import Knowledge, SeveralFit
from lead.studio.several_labels import combined, is_ready, teach_the_same
from lead.training.landmarks import FitSummary


class _Stopped(Exception):
    """Raised within a fit to leave it."""


class Put(Protocol):
    """Puts something else in the place of what is known, unless that is of another bank by now; whether it did."""

    def __call__(self, bank: FeatureBank, /, **changes: Any) -> bool: ...


@dataclass(frozen=True)
class Shared:
    """What the threads of the model side have in common.

    Attributes:
        knowledge: what is known now.
        put: puts something else in place of it.
        tell: publishes the status; at most a few times a second unless it is to be known at once.
        failed: notes what went wrong.
        numbers: of fits.
    """

    knowledge: Callable[[], Knowledge]
    put: Put
    tell: Callable[[bool], None]
    failed: Callable[[Exception, FeatureBank], None]
    numbers: Iterator[int]


def fit_specimens(knowledge: Knowledge, seed: int, progress: Progress | None = None) -> FitSummary | None:
    """What `lead fit` makes of the labelled specimens; None where there is nothing to fit.

    Raises:
        LeadError: the labels do not say enough yet; the message says what is missing.
    """
    labels = knowledge.contents.taught
    labelled = np.flatnonzero((labels.visible > 0).any(axis=0))
    if knowledge.bank is None or not is_ready(knowledge.contents):
        return None
    some = labels.only(labels.schema.names[k] for k in labelled)
    root = knowledge.folder.root
    return api.fit(knowledge.bank.run, some, pictures=root, seed=seed, several=True, progress=progress)


class SeveralFitter:
    """Keeps what is known of specimens in step with the labels, in a thread of its own.

    Args:
        events: of the session, from which it hears when labels change.
        shared: with the other threads.
        seed: of the folds.
        rest: a fit begins when labels have been left alone for so many seconds,
        longest_wait: or at the latest after. A fit under way ends when labels change, unless the last is older.
    """

    def __init__(self, events: Events, shared: Shared, *, seed: int, rest: float, longest_wait: float) -> None:
        self._shared, self._seed, self._rest, self._longest_wait = shared, seed, rest, longest_wait
        self._events = events.subscribe(LABELS)
        self._fitted_at = -np.inf
        self.thread = threading.Thread(target=self._keep_up, name="lead-studio-specimens", daemon=True)

    def wake(self) -> None:
        """Has it see whether there is something to do."""
        self._events.put(Event("features", {}))

    def close(self) -> None:
        """Ends it soon."""
        self._events.close()

    def landmarker(self) -> Landmarker | None:
        """The model of all labels, fitted now if it is not there; None where there is nothing to fit."""
        knowledge = self._shared.knowledge()
        if knowledge.several_is_current and (fit := knowledge.several.fit):
            return fit.finds.landmarker
        summary = fit_specimens(knowledge, self._seed)
        return summary.landmarker if summary else None

    def _keep_up(self) -> None:
        give_way()
        while self._events.get() is not None:
            until = time.monotonic() + self._longest_wait
            while time.monotonic() < until and self._events.get(self._rest) is not None:
                pass
            knowledge = self._shared.knowledge()
            if knowledge.bank is None or self._events.closed or not knowledge.contents.landmarks.several:
                continue
            try:
                if not knowledge.several_is_current:
                    self._fit(knowledge, knowledge.bank)
                self._look_at_all(knowledge.bank)
            except Exception as error:
                self._shared.failed(error, knowledge.bank)
            self._shared.tell(True)

    def _fit(self, knowledge: Knowledge, bank: FeatureBank) -> None:
        """Fits to the labels as they are now."""
        contents = knowledge.contents
        if not is_ready(contents):
            kept = knowledge.several.fit if len(contents.taught) else None  # which knows more than nothing
            self._change(bank, fit=kept, tried=contents, problem=None)
            return

        def progress(done: int, total: int) -> None:
            if self._is_stale(contents):
                raise _Stopped
            pictures = counted(total, "labelled picture", "labelled pictures")
            self._doing(bank, f"Specimens are being learnt: {done} of {pictures}.")

        self._doing(bank, "Specimens are being learnt.")
        try:
            summary = fit_specimens(knowledge, self._seed, progress)
        except _Stopped:
            return
        except LeadError as error:
            self._change(bank, doing="", tried=contents, problem=str(error))
            return
        finally:
            self._doing(bank, "")
        assert summary is not None
        before = knowledge.several.fit.finds if knowledge.several.fit else None
        finds = Finds(next(self._shared.numbers), summary.landmarker, bank, contents.labels.schema, before)
        self._change(bank, fit=SeveralFit(contents, summary, finds), tried=contents, problem=None)
        self._shared.put(bank, problem=None)
        self._fitted_at = time.monotonic()

    def _is_stale(self, contents: Contents) -> bool:
        """Whether to leave a fit for newer labels: not if the last is old, else none would ever come to its end."""
        if self._events.closed:
            return True
        recent = time.monotonic() - self._fitted_at < self._longest_wait
        return recent and not teach_the_same(contents, self._shared.knowledge().contents)

    def _look_at_all(self, bank: FeatureBank) -> None:
        """Looks at all pictures, until labels change."""
        fit = self._shared.knowledge().several.fit
        if fit is None or not bank.ready:
            return

        def stop() -> bool:
            knowledge = self._shared.knowledge()
            return self._events.closed or knowledge.bank is not bank or not knowledge.several_is_current

        def progress(done: int, total: int) -> None:
            self._change(bank, looking=(done, total))
            self._shared.tell(False)

        whole = fit.finds.work(stop, progress)
        self._change(bank, looking=None)
        if not whole and not self._events.closed and self._shared.knowledge().several_is_current:
            self.wake()

    def _doing(self, bank: FeatureBank, words: str) -> None:
        self._change(bank, doing=words)
        self._shared.tell(True)

    def _change(self, bank: FeatureBank, **changes: Any) -> None:
        self._shared.put(bank, several=replace(self._shared.knowledge().several, **changes))


def predicted_specimens(knowledge: Knowledge, beside_hand: bool) -> Labels | None:
    """What the last fit says of all pictures that can be read; None if there is none.

    Args:
        knowledge: has looked at all pictures.
        beside_hand: whether labels stand in the place of predictions that are the same specimens.
    """
    fit = knowledge.several_fit
    found = fit.finds.known(knowledge.contents.listing) if fit else []
    if not found:
        return None
    parts = [one.likely_ones() for one in found]
    predicted = Labels.joined([labels for labels, _ in parts])
    if not beside_hand:
        return predicted
    return combined(knowledge.contents.labels, predicted, np.concatenate([extent for _, extent in parts]))
