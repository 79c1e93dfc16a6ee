"""What landmarks cost beside the bare network: PyTorch, ONNX Runtime, eight bits; and what a feature takes of memory.

    python -m benchmarks.speed.inference RUN DATASET [--points 5] [--labels 20] [--count 64] [--rounds 9]
        [--results results]

Fits a ridge head, which looks once, and the default head, which looks twice, to a draw of labelled training pictures.
Every part is timed in turns on the same squares, which are decoded already, in batches of 16: the backbone as timm runs
it, once and twice, the feature, and landmarks by each head; the exported default head in float and in eight bits.
Writes ``results/benchmarks/inference.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import drawn, keep  # noqa: E402
from lead import api  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.export.int8 import to_int8  # noqa: E402
from lead.export.onnxfile import to_onnx  # noqa: E402
from lead.export.runtime import BATCH, session  # noqa: E402
from lead.files import default_cache  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.store import ImageStore  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.training.run import Run  # noqa: E402

PEERS_FEATURE = 3840 * 48 * 48 * 4
"""Bytes of a picture's hypercolumn as the peers keep it: 3,840 channels of float32 on 48 × 48 cells."""


def ways(
    run: Path, model: Landmarker, ridge: Landmarker, store: ImageStore, folder: Path, root: Path
) -> dict[str, Callable[[], object]]:
    """What is timed, by name: each does all the pictures of the store."""
    network, frame = model.extractor.network, model.extractor.frame
    backbone, pixels = Run.open(run).student().backbone.eval(), store.pixels[:].copy()
    backbone.to(memory_format=torch.channels_last)
    squares = frame.show(torch.from_numpy(pixels)).contiguous(memory_format=torch.channels_last)
    to_onnx(model, folder / "model.onnx", pictures=root)
    to_int8(folder / "model.onnx", folder / "int8.onnx", root)

    @torch.inference_mode()
    def each(run: Callable[[torch.Tensor], object], times: int = 1) -> None:
        for start in range(0, len(squares), BATCH):
            for _ in range(times):
                run(squares[start : start + BATCH])

    def exported(name: str) -> Callable[[], object]:
        running = session(folder / name)
        parts = [np.ascontiguousarray(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        return lambda: [running.run(None, {"pixels": part}) for part in parts]

    return {
        "backbone": lambda: each(backbone),
        "backbone, twice": lambda: each(backbone, 2),
        "feature": lambda: each(network),
        "landmarks, one look": lambda: ridge.predict_store(store),
        "landmarks": lambda: model.predict_store(store),
        "landmarks, ONNX Runtime": exported("model.onnx"),
        "landmarks, ONNX Runtime, 8 bits": exported("int8.onnx"),
    }


def in_turns(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(rounds + 1):
        for name, way in ways.items():
            started = time.perf_counter()
            way()
            if turn:  # the first warms up
                seconds[name].append(time.perf_counter() - started)
    return {name: median(taken) for name, taken in seconds.items()}


def table(milliseconds: dict[str, float], feature: int) -> str:
    """Markdown."""
    lines = ["| A picture | ms | Of the backbone's |", "| --- | --: | --: |"]
    for name, ms in milliseconds.items():
        lines.append(f"| {name} | {ms:.2f} | {ms / milliseconds['backbone']:.2f} |")
    lines += ["", "| The feature of a picture | MB |", "| --- | --: |", f"| ours | {feature / 1e6:.2f} |"]
    lines.append(f"| the peers' hypercolumn, 3,840-d on 48 × 48 cells | {PEERS_FEATURE / 1e6:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--points", default="5")
    parser.add_argument("--labels", type=int, default=20)
    parser.add_argument("--count", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    data = open_dataset(chosen.dataset)
    labels = data.point_sets[chosen.points]
    train = {data.files[i] for i in data.rows("train")}
    some = drawn(labels, train, chosen.labels)
    model = api.fit(chosen.run, some, pictures=data.root).landmarker
    ridge = api.fit(chosen.run, some, pictures=data.root, head="ridge").landmarker
    files = [data.files[i] for i in data.rows("test")][: chosen.count]
    store = open_store(data.root, files, model.settings.picture.store, default_cache())
    with tempfile.TemporaryDirectory() as folder:
        seconds = in_turns(ways(chosen.run, model, ridge, store, Path(folder), data.root), chosen.rounds)
    milliseconds = {name: 1000 * taken / len(store) for name, taken in seconds.items()}
    feature = next(model.extractor.batches(store, np.arange(1)))[0].numel() * 2  # kept in half precision
    found = {
        "batch": BATCH,
        "milliseconds": milliseconds,
        "feature_bytes": {"ours": feature, "peers": PEERS_FEATURE},
    }
    keep("inference", found, table(milliseconds, feature), chosen.results)


if __name__ == "__main__":
    main()
