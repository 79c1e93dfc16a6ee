"""The hub of events."""

from __future__ import annotations

import threading

from lead.studio.events import Events


def test_everyone_hears_everything_in_order() -> None:
    hub = Events()
    hub.publish("labels", {"n": -1})  # nobody listens yet
    one, two = hub.subscribe(), hub.subscribe()
    for n in range(3):
        hub.publish("labels", {"n": n})
    for reader in (one, two):
        assert [reader.get(0) for _ in range(4)] == [("labels", {"n": n}) for n in range(3)] + [None]


def test_a_slow_reader_gets_one_missed_event_and_then_what_follows() -> None:
    hub = Events(bound=4)
    slow, quick = hub.subscribe(), hub.subscribe()
    heard = []
    for n in range(5):
        hub.publish("model", {"n": n})
        heard.append(quick.get(0))
    assert [event.data["n"] for event in heard if event] == list(range(5))
    hub.publish("model", {"n": 5})
    assert [slow.get(0) for _ in range(3)] == [("missed", {}), ("model", {"n": 5}), None]


def test_one_missed_however_much_is_missed() -> None:
    hub = Events(bound=4)
    slow = hub.subscribe()
    for n in range(100):
        hub.publish("model", {"n": n})
    kinds = []
    while event := slow.get(0):
        kinds.append(event.kind)
    assert kinds.count("missed") == 1
    assert len(kinds) <= 4


def test_get_waits_for_an_event_and_closing_wakes_it() -> None:
    hub = Events()
    reader = hub.subscribe()
    first, heard = threading.Event(), list[object]()

    def read() -> None:
        heard.append(reader.get())
        first.set()
        heard.append(reader.get())

    thread = threading.Thread(target=read)
    thread.start()
    hub.publish("labels", {"n": 1})
    assert first.wait(timeout=10)
    reader.close()
    thread.join(timeout=10)
    assert heard == [("labels", {"n": 1}), None]
    assert reader.closed


def test_a_closed_reader_hears_nothing_and_others_go_on() -> None:
    hub = Events()
    with hub.subscribe() as gone:
        pass
    stays = hub.subscribe()
    hub.publish("labels", {})
    assert gone.get(0) is None
    assert stays.get(0) == ("labels", {})
    hub.close()
    assert stays.closed


def test_many_threads_publish_at_once() -> None:
    hub = Events(bound=10_000)
    one, two = hub.subscribe(), hub.subscribe()

    def publish(t: int) -> None:
        for n in range(200):
            hub.publish("labels", {"t": t, "n": n})

    threads = [threading.Thread(target=publish, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard = [one.get(0) for _ in range(1600)]
    assert heard == [two.get(0) for _ in range(1600)]
    for t in range(8):
        assert [event.data["n"] for event in heard if event and event.data["t"] == t] == list(range(200))


def test_one_who_asked_for_some_kinds_hears_no_others() -> None:
    hub = Events(bound=2)
    labels, everything = hub.subscribe(("labels", "restored")), hub.subscribe()
    for kind in ("labels", "model", "restored", "model"):
        hub.publish(kind, {})
    assert [labels.get(0) for _ in range(3)] == [("labels", {}), ("restored", {}), None]
    assert everything.get(0) == ("missed", {})
