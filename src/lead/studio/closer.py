"""The closer look at all pictures: what `lead fit` makes of the labels, and what that says of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from lead import api
from lead.inference import Landmarker
from lead.studio.contents import Contents
from lead.studio.events import Subscription
from lead.studio.heeding import heed
from lead.studio.knowledge import CloseLook, Fit, Knowledge
from lead.studio.review import Review, review_closely


def landmarker_of(knowledge: Knowledge, seed: int) -> Landmarker | None:
    """What `lead fit` makes of all labels; None where there is nothing to fit."""
    labels = knowledge.contents.taught
    labelled = np.flatnonzero((labels.visible > 0).any(axis=0))
    if knowledge.bank is None or len(labelled) == 0:
        return None
    some = labels.only(labels.schema.names[k] for k in labelled)
    return api.fit(knowledge.bank.run, some, pictures=knowledge.folder.root, seed=seed).landmarker


def closer_look(
    knowledge: Knowledge, seed: int, now: Callable[[], Contents], events: Subscription
) -> tuple[Landmarker, Review] | None:
    """What comes of the labels of the last fit, and its predictions of all pictures.

    Args:
        knowledge: has a bank and a fit.
        seed: of the folds.
        now: what the label book holds.
        events: closed once the studio ends.

    Returns:
        None if the labels have changed meanwhile, or the studio ends.
    """
    fit, bank = knowledge.fit, knowledge.bank
    assert fit is not None
    assert bank is not None

    def stale() -> bool:
        return events.closed or not fit.contents.teaches_as(now())

    landmarker, computed = landmarker_of(knowledge, seed), bank.finished()
    if landmarker is None or computed is None or stale():
        return None
    reviewed = review_closely(fit.number, fit.contents.labels.schema, landmarker, *computed, stale)
    if reviewed is not None:
        reviewed = heed(reviewed, landmarker, now().heeded, computed[1], stale)
    if reviewed is None or stale():
        return None
    return landmarker, replace(reviewed, listing=bank.listing)


def bettered(fit: Fit, better: tuple[Landmarker, Review] | None, numbers: Iterator[int]) -> dict[str, Any]:
    """What is known after a closer look; with nothing better, that there was one."""
    if better is None:
        return {"fit": fit}
    landmarker, reviewed = better
    fit = replace(fit, number=next(numbers), landmarker=landmarker)
    reviewed = replace(reviewed, model=fit.number)
    close = CloseLook(fit.contents, reviewed, landmarker.closely)
    return {"fit": fit, "review": reviewed, "landmarker": landmarker, "close": close}
