"""What a picture store costs as the pictures become many: time and memory to build, open, check and read it.

    python -m benchmarks.speed.store_scale [--counts 1000,5000,20000] [--side 136] [--scratch FOLDER]
        [--results results]

Small JPEGs are drawn, each another. For each count, processes of their own decode the pictures and do nothing else,
build the store, and read it: one epoch of shuffled batches, first with nothing of it in memory, as if it were larger,
then again. Every process says the largest memory it had; of the reading one, most is the store's own pages, which the
system takes back when it likes. Writes ``results/benchmarks/store-scale.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.measuring import keep, peak_memory, since, table
from lead.images.build import CHECK, open_store
from lead.images.decode import decode_fitted
from lead.images.find import find_images
from lead.images.store import ImageStore, read_rows
from lead.tuning import cores

WIDTH, HEIGHT = 320, 240
AGAIN = [sys.executable, "-m", "benchmarks.speed.store_scale"]
"""This program in a process of its own."""
BATCH = 64
EPOCH = 20_000
"""Pictures of an epoch that are read, at most."""
Measured = dict[str, float]
COLUMNS = {
    "count": ("Pictures", "{:,.0f}"),
    "decode_ms": ("decoding alone (ms a picture)", "{:.2f}"),
    "build_ms": ("building (ms a picture)", "{:.2f}"),
    "build_mb": ("memory, building (MB)", "{:.0f}"),
    "open_ms": ("opening (ms)", "{:.0f}"),
    "check_ms": ("full check (ms a picture)", "{:.3f}"),
    "cold_ms": ("shuffled, from the disk (ms a picture)", "{:.3f}"),
    "warm_ms": ("shuffled, from memory (ms a picture)", "{:.3f}"),
}


def draw(folder: Path, count: int) -> None:
    """Soft blots of colour, which compress about as photographs do; a thousand to a folder."""

    def one(number: int) -> None:
        blots = np.random.default_rng(number).integers(0, 256, (12, 16, 3), dtype=np.uint8)
        path = folder / f"{number // 1000:04}" / f"{number:06}.jpg"
        if not path.exists():
            Image.fromarray(blots).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path, quality=90)

    for number in range(0, count, 1000):
        (folder / f"{number // 1000:04}").mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(cores()) as pool:
        for _ in pool.map(one, range(count), chunksize=1):
            pass


def decode_bare(folder: Path, files: list[str], side: int, _cache: Path) -> Measured:
    """Every picture from the disk to an array, as the store wants it, and away with it."""

    def one(file: str) -> int:
        return np.asarray(decode_fitted((folder / file).read_bytes(), side)[0]).nbytes

    start = time.perf_counter()
    with ThreadPoolExecutor(cores()) as pool:
        for first in range(0, len(files), 1000):
            sum(pool.map(one, files[first : first + 1000]))
    return {"decode_ms": since(start) / len(files)}


def build(folder: Path, files: list[str], side: int, cache: Path) -> Measured:
    start = time.perf_counter()
    open_store(folder, files, side, cache)
    return {"build_ms": since(start) / len(files)}


def read(folder: Path, files: list[str], side: int, cache: Path) -> Measured:
    start = time.perf_counter()
    store = open_store(folder, files, side, cache)
    found = {"open_ms": since(start)}
    for name in ("cold_ms", "warm_ms"):
        if name == "cold_ms":
            forget(store)
        start, read_count = time.perf_counter(), 0
        order = np.random.default_rng(0).permutation(len(store))[:EPOCH]
        for first in range(0, len(order), BATCH):
            read_count += len(read_rows(store.pixels, order[first : first + BATCH]))
        found[name] = since(start) / read_count
    os.environ[CHECK] = "1"
    start = time.perf_counter()
    open_store(folder, files, side, cache)
    return found | {"check_ms": since(start) / len(files)}


def forget(store: ImageStore) -> None:
    """Takes a store's pages out of the system's memory."""
    assert isinstance(store.pixels, np.memmap)
    assert store.pixels.filename
    with Path(store.pixels.filename).open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


WORK = {"decode": decode_bare, "build": build, "read": read}


def in_a_process(work: str, folder: Path, count: int, side: int, cache: Path) -> Measured:
    """One of ``WORK``, with the largest memory that it had."""
    command = [*AGAIN, "--work", work, "--scratch", str(folder), "--counts", str(count)]
    command += ["--side", str(side), "--cache", str(cache)]
    found: Measured = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,5000,20000")
    parser.add_argument("--side", type=int, default=136)
    parser.add_argument("--scratch", type=Path, help="where pictures are drawn, and kept; by default they go")
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--work", choices=WORK, help=argparse.SUPPRESS)
    parser.add_argument("--cache", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    counts = [int(count) for count in chosen.counts.split(",")]
    if chosen.work:  # a process of its own
        files = find_images(chosen.scratch)[: counts[0]]
        found = WORK[chosen.work](chosen.scratch, files, chosen.side, chosen.cache)
        sys.stdout.write(json.dumps(found | {f"{chosen.work}_mb": peak_memory()}))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (chosen.scratch or Path(temporary)) / "pictures"
        draw(folder, max(counts))
        rows: list[Measured] = []
        for count in counts:
            with tempfile.TemporaryDirectory(dir=folder.parent) as cache:
                row: Measured = {"count": count}
                for work in WORK:
                    row |= in_a_process(work, folder, count, chosen.side, Path(cache))
                rows.append({name: round(value, 4) for name, value in row.items()})
            sys.stdout.write(f"{rows[-1]}\n")
    told = {"picture": [WIDTH, HEIGHT], "side": chosen.side, "batch": BATCH, "rows": rows}
    keep("store-scale", told, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
