"""What the tests of the server share: a folder of pictures, a session on it, and clients of its application."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi.testclient import TestClient
from PIL import Image

from benchmarks import at_a_port
from lead.studio.server import create_app
from lead.studio.session import Session

TOKEN = "the-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
NAMES = ("left", "right")


def draw(path: Path, size: tuple[int, int] = (40, 30), seed: int = 0, **options: Any) -> Path:
    """A picture of noise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator[Session]:
    session = Session.open(folder, **options)
    try:
        yield session
    finally:
        session.close()


def client(session: Session, *, base_url: str = "http://127.0.0.1:8765", **options: Any) -> TestClient:
    """Talks to the application without a network; brings no token unless given one in ``headers``."""
    return TestClient(create_app(session, TOKEN), base_url=base_url, follow_redirects=False, **options)


@contextmanager
def served(session: Session, **options: Any) -> Iterator[tuple[uvicorn.Server, str]]:
    """A server at a real socket, and its address."""
    with at_a_port.served(session, TOKEN, **options) as (server, port):
        yield server, f"http://127.0.0.1:{port}"


def name_landmarks(web: Any) -> dict[str, Any]:
    """Names two landmarks, by either kind of client; returns them as they stand on the server then."""
    landmarks = [{"name": name, "colour": colour} for name, colour in zip(NAMES, ("#ff0000", "#0000ff"), strict=True)]
    version = web.get("/api/landmarks").json()["version"]
    answer = web.put("/api/landmarks", json={"version": version, "landmarks": landmarks})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert found.pop("labels_in") is None
    return found


def wait_for(met: Any, what: str, seconds: float = 60.0) -> None:
    """Waits until ``met()``; a generous bound, so that nothing hangs."""
    until = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < until, what
        time.sleep(0.02)
