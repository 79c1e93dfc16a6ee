"""What `lead predict` costs as the pictures become many: time a picture and memory, beside the bare network.

    python -m benchmarks.speed.predict_scale [--counts 1000,10000] [--model MODEL] [--format json] [--results results]

Beetles are drawn, and linked to under as many names as are asked for. Without ``--model``, a model is fitted to twenty
of them on the features of the `small` preset's network with random weights, which take as long as learnt ones. Each
folder is predicted in a process of its own, which says the largest memory it had, before the results are put together
and after. Before and after it, the network alone looks at random squares, as many for each picture as the model does:
their ratio is changed less by what else the machine does. Writes ``results/benchmarks/predict-scale.json``, and a table
beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lead.beetles import rendering
from lead.beetles.writing import write_beetles
from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import torch  # noqa: E402

from benchmarks.measuring import keep, peak_memory, since, table, untrained  # noqa: E402
from lead import api  # noqa: E402
from lead.features import BATCH  # noqa: E402
from lead.images.find import listed  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.inference import Landmarker  # noqa: E402
from lead.nn.cascade import Cascade  # noqa: E402
from lead.prediction import Parts, Work  # noqa: E402
from lead.shards import Shard  # noqa: E402

AGAIN = [sys.executable, "-m", "benchmarks.speed.predict_scale"]
"""This program in a process of its own."""
SIDE = 320
LABELLED = 20
BATCHES = 6
"""That the network alone looks at, before and after."""
Measured = dict[str, float]
COLUMNS = {
    "count": ("Pictures", "{:,.0f}"),
    "picture_ms": ("ms a picture", "{:.1f}"),
    "network_ms": ("the network alone (ms)", "{:.1f}"),
    "ratio": ("ratio", "{:.2f}"),
    "write_ms": ("writing (ms a picture)", "{:.2f}"),
    "memory_mb": ("memory (MB)", "{:.0f}"),
    "memory_written_mb": ("with writing (MB)", "{:.0f}"),
}


def fitted(folder: Path, data: Path) -> Path:
    labels = load_labels(data / "landmarks.json").take(range(LABELLED))
    api.fit(untrained(folder / "run"), labels, pictures=data).landmarker.save(folder / "model.safetensors")
    return folder / "model.safetensors"


def linked(pictures: list[Path], folder: Path, count: int) -> Path:
    """A folder in which the same pictures stand under as many names as are asked for, a thousand to a folder."""
    for number in range(count):
        path = folder / f"{number // 1000:04}" / f"{number:06}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(pictures[number % len(pictures)], path)
    return folder


def predict(model: Path, folder: Path, out: Path) -> Measured:
    """What the command does, and the network alone beside it."""
    landmarker = Landmarker.load(model)
    asked = listed(folder)
    count = len(asked.pictures)
    before = network(landmarker)
    start = time.perf_counter()
    Parts(Work(landmarker, asked), out, Shard()).run()
    looked, memory = since(start) / count, peak_memory()
    start = time.perf_counter()
    api.predict(landmarker, folder, out)  # all is done: it only writes
    written = since(start) / count
    bare = (before + network(landmarker)) / 2
    return {
        "count": count,
        "picture_ms": looked,
        "network_ms": bare,
        "ratio": looked / bare,
        "write_ms": written,
        "memory_mb": memory,
        "memory_written_mb": peak_memory(),
        "output_mb": out.stat().st_size / 1e6,
    }


def network(model: Landmarker) -> float:
    """Milliseconds that the network alone takes for the squares of one picture."""
    looks = 2 if isinstance(model.head, Cascade) and model.head.fine is not None else 1
    side, device = model.extractor.frame.input, model.extractor.device
    squares = torch.rand(BATCH, 3, side, side, device=device).contiguous(memory_format=torch.channels_last)
    model.extractor.features_of(squares).sum().item()
    start = time.perf_counter()
    for _ in range(BATCHES):
        model.extractor.features_of(squares).sum().item()  # waits for the device
    return looks * since(start) / (BATCHES * BATCH)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--counts", default="1000,10000")
    parser.add_argument("--model", type=Path, help="by default one is fitted on random weights")
    parser.add_argument("--drawn", type=int, default=200, help="beetles that are drawn")
    parser.add_argument("--format", default="json", choices=["json", "csv"])
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.folder:  # a process of its own
        out = chosen.folder.parent / f"out.{chosen.format}"
        sys.stdout.write(json.dumps(predict(chosen.model, chosen.folder, out)))
        return
    rows: list[Measured] = []
    with tempfile.TemporaryDirectory() as temporary:
        data = Path(temporary) / "beetles"
        write_beetles(data, count=chosen.drawn, size=SIDE)
        pictures = sorted((data / "images").iterdir())
        model = chosen.model or fitted(Path(temporary), data)
        for count in map(int, chosen.counts.split(",")):
            folder = linked(pictures, Path(temporary) / str(count) / "pictures", count)
            command = [*AGAIN, "--model", str(model), "--folder", str(folder)]
            done = subprocess.run([*command, "--format", chosen.format], check=True, stdout=subprocess.PIPE)
            rows.append({name: round(value, 3) for name, value in json.loads(done.stdout).items()})
            sys.stdout.write(f"{rows[-1]}\n")
    found = {
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "picture": SIDE,
        "landmarks": len(rendering.SCHEMA.names),
        "weights": "random" if chosen.model is None else "trained",
        "rows": rows,
    }
    keep("predict-scale", found, table(COLUMNS, rows), chosen.results)


if __name__ == "__main__":
    main()
