"""How long the studio takes to answer: a suggestion for a picture just opened, and heat maps of a place pointed at.

    python -m benchmarks.speed.studio_response [--run RUN] [--pictures 1000] [--results results]

A server at a real socket, the client beside it in the same process, beetles with cached features, some of them
labelled with their true landmarks. Without ``--run``, the features are those of the `small` preset's network with
random weights, which take as long as learnt ones. Times are from request to answer, in milliseconds: the median and
the 95th percentile. They are measured at rest and while a fit to a label just changed, and the predictions of all
pictures after it, run in the background. What answered, matching or a head, stands beside them. Beside them also stands
the bare similarity product: the feature of one place times all cells of as many pictures as the heat maps show. All of
it happens in one run.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks import at_a_port
from lead.beetles.writing import write_beetles
from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import keep, untrained  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.studio.session import Session  # noqa: E402
from lead.training.run import Run  # noqa: E402

TOKEN = "studio-response"
MAPS = 24
LABELLED = (4, 20)
"""Pictures labelled: too few for a head, and enough for one where it is better than matching."""
NOISE = 0.002
"""A label that changes moves by so much of the picture's width: each time there is something to fit anew."""
PATIENCE_S = 600.0

Times = dict[str, dict[str, float]]


class Client:
    """Asks the server over one connection that is kept."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)

    def ask(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """The JSON that comes back."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        self._connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        content = json.loads(answer.read())
        if answer.status != 200:
            raise RuntimeError(f"{path}: {content}")
        return content

    def until(self, met: Callable[[dict[str, Any]], bool]) -> None:
        """Waits for a state of the model."""
        end = time.monotonic() + PATIENCE_S
        while not met(self.ask("/api/state")["model"]):
            if time.monotonic() > end:
                raise RuntimeError("the model was not ready in time")
            time.sleep(0.2)


@contextmanager
def served(folder: Path, labels: Path, run: Path) -> Iterator[Client]:
    """A studio on a folder; the labels are kept elsewhere."""
    session = Session.open(folder, labels=labels, run=run)
    try:
        with at_a_port.served(session, TOKEN) as (_, port):
            yield Client(port)
    finally:
        session.close()


def timed(action: Callable[[], Any]) -> float:
    """Milliseconds."""
    start = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - start)


def summary(milliseconds: list[float]) -> dict[str, float]:
    return {
        "p50": round(statistics.median(milliseconds), 2),
        "p95": round(float(np.percentile(milliseconds, 95)), 2),
        "count": len(milliseconds),
    }


class Annotator:
    """Labels pictures with their true landmarks, each time a little off."""

    def __init__(self, client: Client, truth: Labels, random: np.random.Generator) -> None:
        self._client, self._truth, self._random = client, truth, random
        self._row = {file: row for row, file in enumerate(truth.images)}

    def name_landmarks(self) -> None:
        now = self._client.ask("/api/landmarks")
        named = [{"name": name, "colour": "#3070d0"} for name in self._truth.schema.names]
        self._client.ask("/api/landmarks", "PUT", {"version": now["version"], "landmarks": named})

    def label(self, id: str) -> None:
        detail = self._client.ask(f"/api/pictures/{id}")
        row, (width, height) = self._row[detail["file"]], (detail["width"], detail["height"])
        places = self._truth.xy[row] + NOISE * self._random.normal(size=(len(self._truth.schema.names), 2)) * width
        places = np.clip(places, 0, (width - 1, height - 1))
        there = zip(self._truth.schema.names, places.tolist(), self._truth.visible[row] > 0, strict=True)
        points = {name: {"x": x, "y": y} for name, (x, y), known in there if known}
        change = {"base": detail["labels"]["version"], "points": points}
        self._client.ask(f"/api/pictures/{id}/labels", "PATCH", change)


def measure(client: Client, annotator: Annotator, ids: list[str], repeats: int, random: np.random.Generator) -> Times:
    """Suggestions of pictures opened for the first time, and heat maps as the pointer moves over one picture."""
    out: Times = {}
    opened = iter(ids[40:])
    shown = ",".join(ids[-MAPS:])
    method = ""

    def suggest() -> None:
        nonlocal method
        method = client.ask(f"/api/pictures/{next(opened)}/suggestions")["method"]

    def explore() -> None:
        x, y = random.uniform(20, 100, 2)
        client.ask(f"/api/explore?id={ids[0]}&x={x:.2f}&y={y:.2f}&pictures={shown}")

    def during_fits(action: Callable[[], None]) -> list[float]:
        times = []
        for _ in range(repeats // 10):  # a label changes, then ten pictures are asked for
            annotator.label(ids[0])
            time.sleep(0.4)  # by when the fit has begun
            times += [timed(action) for _ in range(10)]
        return times

    for count in LABELLED:
        for id in ids[:count]:
            annotator.label(id)
        client.until(lambda model, count=count: model["fitted_to"] == count and not model["fitting"])  # type: ignore[misc]
        wait_for_predictions(client)
        at_rest = summary([timed(suggest) for _ in range(repeats)])
        name = f"suggestion from {count} labels by {method}"
        out[name], out[f"{name}, during a fit"] = at_rest, summary(during_fits(suggest))
    wait_for_predictions(client)
    out[f"{MAPS} heat maps"] = summary([timed(explore) for _ in range(repeats)])
    out[f"{MAPS} heat maps, during a fit"] = summary(during_fits(explore))
    return out


def wait_for_predictions(client: Client) -> None:
    """Until the last fit has predicted all pictures."""

    def predicted(model: dict[str, Any]) -> bool:
        current: int = client.ask("/api/predictions?limit=1")["model"]
        return not model["fitting"] and current == model["model"]

    client.until(predicted)


def bare_product(dimension: int, cells: int) -> dict[str, float]:
    """One vector times the cells of ``MAPS`` pictures, in memory as float32."""
    features, vector = torch.randn(MAPS, dimension, cells * cells), torch.randn(dimension)
    return summary([timed(lambda: vector @ features) for _ in range(200)])


def table(times: Times) -> str:
    """The times in Markdown."""
    lines = [f"| {name} | {found['p50']} | {found['p95']} |" for name, found in times.items()]
    return "\n".join(["| Milliseconds | median | 95th percentile |", "| --- | --: | --: |", *lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="trained run; by default random weights")
    parser.add_argument("--pictures", type=int, default=1000, help="beetles to draw")
    parser.add_argument("--repeats", type=int, default=200)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    random = np.random.default_rng(0)
    load = os.getloadavg()[0]
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        data = scratch / "beetles"
        write_beetles(data, count=chosen.pictures)
        truth = load_labels(data / "landmarks.json")
        run = chosen.run or untrained(scratch / "run").folder
        settings = Run.open(run).settings
        (scratch / "labels").mkdir()
        client = stack.enter_context(served(data, scratch / "labels" / "annotations.json", run))
        client.until(lambda model: model["stage"] == "ready")
        annotator = Annotator(client, truth, random)
        annotator.name_landmarks()
        ids = [picture["id"] for picture in client.ask("/api/pictures")]
        random.shuffle(ids)
        times = measure(client, annotator, ids, chosen.repeats, random)
    times[f"bare product of {MAPS} pictures"] = bare_product(settings.distill.dimension, settings.picture.input // 4)
    found = {
        "load_before": round(load, 2),
        "pictures": len(ids),
        "landmarks": len(truth.schema.names),
        "features": [settings.distill.dimension, settings.picture.input // 4, settings.picture.input // 4],
        "data": "beetles",
        "weights": "random" if chosen.run is None else "trained",
        "milliseconds": times,
    }
    keep("studio-response", found, table(times), chosen.results)


if __name__ == "__main__":
    main()
