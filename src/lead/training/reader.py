"""A batch read ahead by a thread, so that a disk that fails or does not answer is reported, not waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lead.errors import LeadError

if TYPE_CHECKING:  # torch, which takes seconds to import
    from torch import Tensor

Batch: TypeAlias = "tuple[Tensor, ...]"


@dataclass(frozen=True)
class Waits:
    """How long a batch that does not come is waited for, in seconds.

    Attributes:
        slow_after_s: it is reported.
        given_up_after_s: it is given up.
        look_every_s: between looks at whether the user has asked to stop.
    """

    slow_after_s: float = 30.0
    given_up_after_s: float = 600.0
    look_every_s: float = 0.5


WAITS = Waits()


def read_ahead(read: Callable[[int], Batch], step: int) -> Future[Batch]:
    """The batch of a step, which a thread begins to read.

    It is a daemon, which the program's end does not wait for: a pool's thread that is stuck would keep it from ending.
    """
    batch: Future[Batch] = Future()

    def fill() -> None:
        try:
            batch.set_result(read(step))
        except BaseException as error:  # which whoever waits for the batch raises
            batch.set_exception(error)

    threading.Thread(target=fill, daemon=True, name="reader").start()
    return batch


def wait_for(batch: Future[Batch], what: str, asked: threading.Event, waits: Waits = WAITS) -> Batch:
    """A batch that is being read. One that is late is reported on stderr, as ``what``.

    Args:
        batch: of :func:`read_ahead`.
        what: is read, and for which step.
        asked: whether the user has asked to stop; a batch that is late is then not waited for any longer.
        waits: how long.

    Raises:
        LeadError: it has not come in time, or is late and the user has asked to stop.
        Exception: what the reading raised.
    """
    began, warned = time.monotonic(), False
    while not wait([batch], waits.look_every_s).done:
        late = time.monotonic() - began
        if late > waits.given_up_after_s:
            raise LeadError(f"{what} has not come in {late:.0f} s. See that its disk is there and answers.")
        if warned and asked.is_set():
            raise LeadError(f"Interrupted. {what} had not come in {late:.0f} s.")
        if late > waits.slow_after_s and not warned:
            warned = True
            logging.getLogger(__name__).warning(
                "%s has not come for %.0f s. Does the disk answer? It is given up after %.0f s; Ctrl-C stops now.",
                what,
                late,
                waits.given_up_after_s,
            )
    return batch.result()
