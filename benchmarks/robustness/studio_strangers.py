"""Strangers at the studio's door: requests made up from its own description, valid and not, and what it answers.

    python -m benchmarks.robustness.studio_strangers [--seconds 600] [--seed 1] [--results results]

Schemathesis reads ``/api/openapi.json`` from a server at a real socket and sends what the description allows, what it
just does not allow, and chains of such requests. Of every answer it checks that it is no error of the server's (5xx)
and that its status, type, headers and body are as described; that nothing is accepted that the description rules out,
or without the token; and that what it allows is refused only with a reason (400, 404, 409). Two operations are left
out: ``GET /api/events``, which never ends, and ``POST /api/training``, which starts a training.

It is also the module of hooks for that program, which runs in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import schemathesis
from PIL import Image

from benchmarks import at_a_port
from benchmarks.measuring import keep
from lead.studio.label_messages import Landmark, LandmarksChange
from lead.studio.session import Session

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "studio-strangers"
NAMES = ("left", "right")
CURRENT = 0
"""Stands, in a request that is made up, for the version that the server has, which is never so small."""
CONFIG = """
[dictionaries.pictures]
values = {ids}
[dictionaries.versions]
values = [{current}]
[parameters]
"path.id" = {{ dictionary = "pictures", probability = 0.8 }}
"query.id" = {{ dictionary = "pictures", probability = 0.8 }}
"body.base" = {{ dictionary = "versions", probability = 0.8 }}
"body.version" = {{ dictionary = "versions", probability = 0.8 }}
[checks]
missing_required_header = {{ enabled = false }}  # it wants a 401 where the token lacks; ignored_auth takes our 403
positive_data_acceptance = {{ expected-statuses = ["2xx", "3xx", 400, 403, 404, 409] }}
"""
"""Most requests name what is there: one that is made up altogether would get no farther than a 404 or 409."""


@contextmanager
def served(folder: Path) -> Iterator[tuple[Session, str]]:
    """A studio on three small pictures and two landmarks, and its address."""
    folder.mkdir()
    for n in range(3):
        pixels = np.random.default_rng(n).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
    session = Session.open(folder)
    named = [Landmark(name=name, colour="#3070d0") for name in NAMES]
    session.book.change_landmarks(LandmarksChange(version=session.book.landmarks.version, landmarks=named))
    try:
        with at_a_port.served(session, TOKEN) as (_, port):
            yield session, f"http://127.0.0.1:{port}"
    finally:
        session.close()


def pester(scratch: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Lets strangers loose on a studio; returns schemathesis' report and what it printed.

    Args:
        scratch: a folder for the pictures, the settings and the report.
        options: of ``schemathesis run``: how much, and from which seed.
    """
    with served(scratch / "pictures") as (session, address):
        config, report = scratch / "schemathesis.toml", scratch / "report.json"
        config.write_text(CONFIG.format(ids=json.dumps(session.folder.ids), current=CURRENT))
        command: list[str | Path] = [sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run"]
        command += [f"{address}/api/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--no-color"]
        command += ["--exclude-path", "/api/events", "--exclude-operation-id", "start_api_training_post"]
        command += ["--report-json-path", report, *options]
        path = os.pathsep.join([str(ROOT), *(folder for folder in sys.path if folder)])
        hooks = "benchmarks.robustness.studio_strangers"
        environment = {**os.environ, "PYTHONPATH": path, "SCHEMATHESIS_HOOKS": hooks}
        done = subprocess.run(command, env=environment, cwd=scratch, capture_output=True, text=True, check=False)
        if not report.is_file():
            raise RuntimeError(f"schemathesis ended with {done.returncode}: {done.stdout}{done.stderr}")
        return json.loads(report.read_text()), done.stdout


# --- hooks ---


@schemathesis.hook
def map_body(_: schemathesis.HookContext, body: Any) -> Any:
    """Gives points the names of landmarks that there are."""
    if isinstance(body, dict) and isinstance(points := body.get("points"), dict):
        good = [name for name in points if 1 <= len(name) <= 100]
        known = dict(zip(good, NAMES, strict=False))
        body["points"] = {known.get(name, name): point for name, point in points.items()}
    return body


@schemathesis.hook
def before_call(_: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]) -> None:
    """Puts the version that the server has in the place of ``CURRENT``."""
    field, path = {
        "PATCH /api/pictures/{id}/labels": ("base", "pictures/{id}"),
        "PUT /api/landmarks": ("version", "landmarks"),
    }.get(case.operation.label, ("", ""))
    if not field or not isinstance(case.body, dict) or case.body.get(field) != CURRENT:
        return
    url = f"{case.operation.base_url.rstrip('/')}/api/{path.format(**case.path_parameters)}"
    answer = httpx.get(url, headers={"Authorization": f"Bearer {TOKEN}"})
    if answer.status_code == 200:
        found = answer.json()
        case.body[field] = (found["labels"] if field == "base" else found)["version"]


# --- the benchmark ---


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        options = ("--max-time", str(chosen.seconds), "--seed", str(chosen.seed), "--continue-on-failure")
        report, printed = pester(Path(scratch), *options)
    print(printed)
    found = {
        "schemathesis": report["schemathesis_version"],
        "seed": report["seed"],
        "seconds": round(report["running_time"]),
        "operations": report["operations"]["tested"],
        "requests": report["test_cases"]["generated"],
        "failures": [{name: each[name] for name in ("title", "count", "operations")} for each in report["failures"]],
        "errors": report["errors"],
    }
    shown = [found["operations"], found["requests"], found["seconds"], len(report["failures"])]
    row = " | ".join(f"{number:,}" for number in shown)
    table = f"| Operations | requests | s | wrong answers |\n| --: | --: | --: | --: |\n| {row} |\n"
    keep("studio-strangers", found, table, chosen.results)


if __name__ == "__main__":
    main()
