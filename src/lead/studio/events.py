"""What happens, told to every open page."""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import AsyncIterator, Container
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

STREAMS = 64
"""Event streams at a time: open pages."""
LABELS = ("labels", "landmarks", "restored", "folder")
"""Kinds of events after which labels may be others."""
MISSED = "missed"
"""The kind of the one event that stands for all that a slow reader missed: it must read everything again."""


class Event(NamedTuple):
    """Something that happened; ``data`` is ready for JSON and must not be changed."""

    kind: str
    data: dict[str, Any]


class Subscription:
    """One reader's queue. Closed by its reader, or by leaving a ``with`` block.

    Attributes:
        kinds: of events that are heard; None for all.
    """

    def __init__(self, hub: Events, bound: int, kinds: Container[str] | None = None) -> None:
        self.kinds = kinds
        self._hub = hub
        self._bound = bound
        self._queue: deque[Event] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def get(self, timeout: float | None = None) -> Event | None:
        """The next event, waited for up to ``timeout`` seconds (None: for ever); None if none came, or if closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._queue or self._closed, timeout)
            return self._queue.popleft() if self._queue and not self._closed else None

    @property
    def closed(self) -> bool:
        """Whether nothing will ever come again."""
        return self._closed

    def close(self) -> None:
        """Ends the subscription and wakes whoever waits in :meth:`get`."""
        self._hub._forget(self)
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def put(self, event: Event) -> None:
        """Adds an event; where there is no room, all that waits gives way to one ``missed``."""
        with self._changed:
            if len(self._queue) >= self._bound:
                self._queue.clear()
                event = Event(MISSED, {})
            self._queue.append(event)
            self._changed.notify()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Events:
    """Hands events to those who subscribed. Any thread may publish; publishing never waits for a reader."""

    def __init__(self, *, bound: int = 256) -> None:
        """``bound``: events that may wait for a reader."""
        self._bound = bound
        self._lock = threading.Lock()
        self._subscriptions: list[Subscription] = []

    def publish(self, kind: str, data: dict[str, Any]) -> None:
        """Tells every subscriber; all of them see events in one and the same order."""
        event = Event(kind, data)
        with self._lock:
            for subscription in self._subscriptions:
                if subscription.kinds is None or kind in subscription.kinds:
                    subscription.put(event)

    def subscribe(self, kinds: Container[str] | None = None) -> Subscription:
        """A queue of what is published from now on: all of it, or some ``kinds``."""
        subscription = Subscription(self, self._bound, kinds)
        with self._lock:
            self._subscriptions.append(subscription)
        return subscription

    def close(self) -> None:
        """Ends every subscription."""
        with self._lock:
            subscriptions = list(self._subscriptions)
        for subscription in subscriptions:
            subscription.close()

    def _forget(self, subscription: Subscription) -> None:
        with self._lock:
            if subscription in self._subscriptions:
                self._subscriptions.remove(subscription)


_LISTENERS = anyio.CapacityLimiter(STREAMS)


async def stream(events: Subscription, heartbeat_s: float) -> AsyncIterator[str]:
    """Events in the form of server-sent events, until the client leaves or the hub is closed."""
    with events:
        yield "retry: 1000\n\n"
        while not events.closed:
            event = await anyio.to_thread.run_sync(events.get, heartbeat_s, abandon_on_cancel=True, limiter=_LISTENERS)
            if event is None:
                yield ": still here\n\n"
            else:
                yield f"event: {event.kind}\ndata: {json.dumps(event.data)}\n\n"
