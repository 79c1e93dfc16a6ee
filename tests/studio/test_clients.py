"""Several clients at a time: nobody sees an error, and every label that was answered as saved is on the disk."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from serving import draw

from benchmarks.robustness.studio_clients import crowd, missing


def test_every_saved_label_is_on_the_disk(tmp_path: Path) -> None:
    for n in range(6):
        draw(tmp_path / f"{n}.png", (128, 128), seed=n)
    with ThreadPoolExecutor(1) as thread:  # the browser's tests leave an event loop running in this one
        tally = thread.submit(asyncio.run, crowd(tmp_path, clients=4, seconds=1.5)).result()
    assert tally.errors == []
    assert tally.changes >= len(tally.saved) >= 4
    assert tally.heard > 0
    assert missing(tally.saved, tmp_path / "annotations.json") == []
    (picture, name), (version, x, y) = next(iter(tally.saved.items()))
    (lost,) = missing({**tally.saved, (picture, name): (version, x, y + 1)}, tmp_path / "annotations.json")
    assert lost.startswith(f"{picture}, {name}:")
