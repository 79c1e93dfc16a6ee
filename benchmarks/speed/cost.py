"""What the paper's training costs, from two processor cores to many GPUs: what was measured here, and what follows.

    python -m benchmarks.speed.cost DATASET [--batch 32] [--steps 3] [--results results]

Measured: the operations of one step of both stages of the ``paper`` preset for each picture (counted), the seconds of
such a step on this machine's processor and the operations a second that makes, the seconds to decode a picture into
the store, and to read it back in batches. Extrapolated: hours and price of other folders on other machines, at an
assumed share of their peak. Writes ``results/benchmarks/cost.json``, and two tables beside it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from benchmarks.measuring import keep  # noqa: E402
from lead.config import Settings, load_preset  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.store import ImageStore  # noqa: E402
from lead.nn.backbone import Backbone  # noqa: E402
from lead.training.distill import Distill  # noqa: E402
from lead.training.engine import Stage  # noqa: E402
from lead.training.pretrain import Byol  # noqa: E402

H100_PEAK = 989e12
"""Dense bfloat16 operations a second of an H100 SXM, as its data sheet has it."""
SHARE = (0.03, 0.06)
"""Of that peak, what is assumed: memory, not arithmetic, bounds a ResNet-50. Nothing here was run on one."""
PRICE = 3.0
"""Dollars for an hour of an H100, assumed."""
EIGHT = 0.9
"""Of eight times one GPU's speed, what eight are assumed to reach."""
FOLDERS = {"CelebA (162,770 pictures)": 162_770, "A hundred million pictures": 100_000_000}
PASSES = {"CelebA (162,770 pictures)": (200.0, 20.0), "A hundred million pictures": (1.0, 0.1)}
"""Epochs of both stages. The large folder is seen once, and a tenth of it again: three times CelebA's steps."""
PICTURES = 1000
"""Decoded and read, to take the time."""


def stages(settings: Settings) -> list[Stage]:
    """Both, with networks of their own."""

    def encoder() -> Backbone:
        return Backbone(settings.backbone.name, "random", settings.picture.input)

    byol = Byol(encoder(), settings.pretrain, settings.picture)
    distill = Distill(encoder(), settings.distill, settings.hypercolumn, settings.picture)
    return [stage.to(memory_format=torch.channels_last).train() for stage in (byol, distill)]


def step(stage: Stage, batch: torch.Tensor, generator: torch.Generator) -> None:
    """Forward and backward."""
    stage(batch, generator)["loss"].backward()
    stage.zero_grad()


def compute(settings: Settings, batch: int, steps: int) -> dict[str, dict[str, float]]:
    """Of both stages, for each picture: operations and seconds; and operations a second."""
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(batch, 3, settings.picture.store, settings.picture.store)
    found = {}
    for stage in stages(settings):
        with FlopCounterMode(display=False) as counter:
            step(stage, pictures, generator)
        seconds = []
        for _ in range(steps):
            started = time.perf_counter()
            step(stage, pictures, generator)
            seconds.append(time.perf_counter() - started)
        work, took = counter.get_total_flops() / batch, median(seconds) / batch
        found[stage.name] = {"operations": work, "seconds": took, "operations_a_second": work / took}
    return found


def pictures_in_and_out(folder: Path, files: list[str], settings: Settings) -> dict[str, float]:
    """Seconds to decode a picture into the store, and to read one in a batch of 256 drawn from it."""
    with TemporaryDirectory() as cache:
        started = time.perf_counter()
        store: ImageStore = open_store(folder, files, settings.picture.store, Path(cache))
        decoded = (time.perf_counter() - started) / len(files)
        random, taken = np.random.default_rng(0), []
        for _ in range(20):
            rows = random.integers(0, len(store.files), 256)
            started = time.perf_counter()
            store.pixels[rows].sum()
            taken.append((time.perf_counter() - started) / 256)
    return {"decode_s": decoded, "read_s": median(taken)}


def hours(work: dict[str, float], speed: float, pictures: int, passes: tuple[float, float]) -> float:
    """Of both stages, at so many operations a second."""
    return (
        sum(work[name] * n for name, n in zip(("pretrain", "distill"), passes, strict=True)) * pictures / speed / 3600
    )


def tables(measured: dict[str, dict[str, float]], flow: dict[str, float]) -> str:
    """Markdown: what was measured, then what follows from it."""
    lines = ["| Measured on two cores, for each picture | |", "| --- | --: |"]
    for stage, name in (("pretrain", "Stage 1"), ("distill", "Stage 2")):
        lines.append(f"| {name}: operations of a step (10⁹) | {measured[stage]['operations'] / 1e9:.1f} |")
        lines.append(f"| {name}: a step (ms) | {measured[stage]['seconds'] * 1e3:.0f} |")
        speed = measured[stage]["operations_a_second"] / 1e9
        lines.append(f"| {name}: operations a second (10⁹) | {speed:.0f} |")
    lines.append(f"| Decoding into the store, once (ms) | {flow['decode_s'] * 1e3:.2f} |")
    lines.append(f"| Reading from the store (ms) | {flow['read_s'] * 1e3:.3f} |")
    lines += ["", "| Extrapolated | Epochs | These two cores (h) | One H100 (h) | Eight (h) | One H100, price ($) |"]
    lines.append("| ---" + " | --:" * 5 + " |")
    work = {stage: values["operations"] for stage, values in measured.items()}
    here = work["pretrain"] / measured["pretrain"]["seconds"]
    for folder, pictures in FOLDERS.items():
        passes = PASSES[folder]
        spent = [hours(work, speed, pictures, passes) for speed in (here, *(H100_PEAK * s for s in reversed(SHARE)))]
        one, eight = (f"{spent[1] / n:,.1f}–{spent[2] / n:,.1f}" for n in (1, 8 * EIGHT))
        epochs, price = " + ".join(f"{n:g}" for n in passes), "–".join(f"{h * PRICE:,.0f}" for h in spent[1:])
        lines.append(f"| {folder} | {epochs} | {spent[0]:,.0f} | {one} | {eight} | {price} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    settings, data = load_preset("paper"), open_dataset(chosen.dataset)
    measured = compute(settings, chosen.batch, chosen.steps)
    flow = pictures_in_and_out(data.root, list(data.files[:PICTURES]), settings)
    found = {
        "assumed": {"h100_peak": H100_PEAK, "share": SHARE, "eight": EIGHT, "price": PRICE},
        "measured": measured,
        "store": flow,
    }
    keep("cost", found, tables(measured, flow), chosen.results)


if __name__ == "__main__":
    main()
