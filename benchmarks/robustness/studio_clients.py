"""Many clients of one studio at a time, and whether every label that was answered as saved is on the disk.

    python -m benchmarks.robustness.studio_clients [--clients 50] [--seconds 60] [--results results]

``lead studio`` serves a folder of beetles in a process of its own; the clients are here, each with connections of its
own and listening to the events. Each goes round: it takes a picture, half of the time one of the few that all of them
label, looks at it, at its small form and at what is suggested, and sets one landmark to a place that nobody else sets
it to. A conflict (409) is no error: the client reads the picture again and tries again. Any other status than 200 is
one, and so is a connection that breaks.

Every answer to a change brings the picture's version. So for each landmark of each picture it is known which place was
answered as saved last, and that is what the label file must hold once all is over. Times are those that a client sees,
with the server and all the clients on one machine.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.measuring import keep, since
from lead.beetles.writing import write_beetles
from lead.images.labels import load_labels

TOKEN = "studio-clients-token"
NAMES = tuple("abcdefgh")
SHARED = 5
"""Pictures that all clients label."""
PATIENCE_S = 60.0

Saved = dict[tuple[str, str], tuple[int, float, float]]
"""By picture and landmark: version, x and y of the latest change that was answered as saved."""


@dataclass
class Tally:
    """What all clients saw.

    Attributes:
        milliseconds: from request to answer, of every request but the streams of events.
        changes: answered as saved.
        heard: events about labels.
        errors: each in words.
    """

    milliseconds: list[float] = field(default_factory=list)
    changes: int = 0
    conflicts: int = 0
    heard: int = 0
    errors: list[str] = field(default_factory=list)
    saved: Saved = field(default_factory=dict)


class Visitor:
    """One client."""

    def __init__(self, number: int, web: httpx.AsyncClient, ids: list[str], tally: Tally) -> None:
        self._number, self._web, self._ids, self._tally = number, web, ids, tally
        self._random = np.random.default_rng(number)
        self._set = 0

    async def label(self, until: float) -> None:
        """Labels until a time of ``time.monotonic``, and ends with the change that is under way."""
        while time.monotonic() < until:
            among = self._ids[:SHARED] if self._random.random() < 0.5 else self._ids
            try:
                await self._visit(str(self._random.choice(among)))
            except (httpx.HTTPError, RuntimeError) as error:
                self._tally.errors.append(f"{type(error).__name__}: {error}")

    async def listen(self) -> None:
        """Counts the events about labels."""
        async with self._web.stream("GET", "/api/events", timeout=None) as answer:
            async for line in answer.aiter_lines():
                self._tally.heard += line == "event: labels"

    async def _visit(self, id: str) -> None:
        for path in ("/image?side=128", "/image?side=1024", "/suggestions"):
            await self._ask("GET", f"/api/pictures/{id}{path}")
        detail = (await self._ask("GET", f"/api/pictures/{id}")).json()
        base, name, point = detail["labels"]["version"], str(self._random.choice(NAMES)), self._place()
        while True:
            change = {"base": base, "points": {name: point}}
            answer = await self._ask("PATCH", f"/api/pictures/{id}/labels", change)
            if answer.status_code == 200:
                break
            self._tally.conflicts += 1
            base = (await self._ask("GET", f"/api/pictures/{id}")).json()["labels"]["version"]
        self._tally.changes += 1
        version, key = answer.json()["version"], (detail["file"], name)
        latest = self._tally.saved.get(key)
        if latest is None or version > latest[0]:
            self._tally.saved[key] = (version, point["x"], point["y"])

    def _place(self) -> dict[str, float]:
        """A place that is set once, by this client alone."""
        self._set += 1
        return {"x": self._number + 0.25, "y": 1 + self._set / 1024}

    async def _ask(self, method: str, path: str, body: Any = None) -> httpx.Response:
        start = time.perf_counter()
        answer = await self._web.request(method, path, json=body)
        self._tally.milliseconds.append(since(start))
        if answer.status_code != 200 and (method, answer.status_code) != ("PATCH", 409):
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text}")
        return answer


@asynccontextmanager
async def studio(folder: Path) -> AsyncIterator[str]:
    """``lead studio`` on a folder, in a process of its own; its address. It is ended as Ctrl-C ends it."""
    command = [sys.executable, "-m", "lead.cli", "studio", str(folder), "--no-open"]
    environment = {**os.environ, "LEAD_STUDIO_TOKEN": TOKEN}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while "token=" not in (line := process.stdout.readline()):
            if not line:
                raise RuntimeError(f"lead studio ended with {process.wait()}")
        yield line[line.index("http") :].partition("/?token=")[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE_S)


async def crowd(folder: Path, clients: int, seconds: float) -> Tally:
    """Lets clients loose on a folder of pictures for some seconds; the studio has ended when it returns."""
    tally, headers = Tally(), {"Authorization": f"Bearer {TOKEN}"}
    async with studio(folder) as address:
        made = [httpx.AsyncClient(base_url=address, headers=headers, timeout=PATIENCE_S) for _ in range(clients)]
        now = (await made[0].get("/api/landmarks")).json()["version"]
        named = {"version": now, "landmarks": [{"name": name, "colour": "#3070d0"} for name in NAMES]}
        (await made[0].put("/api/landmarks", json=named)).raise_for_status()
        ids = [picture["id"] for picture in (await made[0].get("/api/pictures")).json()]
        visitors = [Visitor(number, web, ids, tally) for number, web in enumerate(made)]
        listening = [asyncio.create_task(visitor.listen()) for visitor in visitors]
        until = time.monotonic() + seconds
        await asyncio.gather(*(visitor.label(until) for visitor in visitors))
        for task in listening:
            if task.done():
                tally.errors.append(f"a stream of events broke off: {task.exception()}")
            task.cancel()
            with suppress(asyncio.CancelledError, httpx.HTTPError):
                await task
        for web in made:
            await web.aclose()
    return tally


def missing(saved: Saved, file: Path) -> list[str]:
    """What was answered as saved and is not in a label file, in words."""
    labels = load_labels(file)
    row = {name: n for n, name in enumerate(labels.images)}
    lost = []
    for (picture, name), (_, x, y) in saved.items():
        found = labels.xy[row[picture], labels.schema.names.index(name)].tolist() if picture in row else None
        if found != [x, y]:
            lost.append(f"{picture}, {name}: {found} and not {[x, y]}")
    return lost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--pictures", type=int, default=200, help="beetles to draw")
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / "beetles"
        write_beetles(data, count=chosen.pictures)
        folder = data / "images"
        load = os.getloadavg()[0]
        tally = asyncio.run(crowd(folder, chosen.clients, chosen.seconds))
        lost = missing(tally.saved, folder / "annotations.json")
    p50, p99 = np.percentile(tally.milliseconds, [50, 99])
    found = {
        "load_before": round(load, 2),
        "clients": chosen.clients,
        "seconds": chosen.seconds,
        "requests": len(tally.milliseconds),
        "errors": len(tally.errors),
        "conflicts": tally.conflicts,
        "saved": tally.changes,
        "points": len(tally.saved),
        "missing": len(lost),
        "heard": tally.heard,
        "p50": round(float(p50), 1),
        "p99": round(float(p99), 1),
    }
    titles = [
        "Clients",
        "s",
        "requests",
        "errors",
        "conflicts",
        "labels saved",
        "labels missing",
        "median, ms",
        "99 %, ms",
    ]
    shown = ["clients", "seconds", "requests", "errors", "conflicts", "saved", "missing", "p50", "p99"]
    row = " | ".join(f"{found[name]:,}" for name in shown)
    table = f"| {' | '.join(titles)} |\n|{' --: |' * len(titles)}\n| {row} |\n"
    keep("studio-clients", found, table, chosen.results)
    for text in [*tally.errors[:10], *lost[:10]]:
        print(text)
    if tally.errors or lost:
        sys.exit(1)


if __name__ == "__main__":
    main()
