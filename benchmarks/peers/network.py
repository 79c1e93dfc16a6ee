"""A network from ImageNet, trained end to end on the labels and pictures of the study of large pictures.

    python -m benchmarks.peers.network LABELS PICTURES [--labels 5 20] [--draws 5] [--side 512] [--steps 150]

Labels, judged pictures and unit are those of :mod:`benchmarks.studies.large`. The network is our own supervised
baseline (:mod:`lead.training.supervised`): that of the `small` preset, each landmark the soft-argmax of a heat map at a
quarter of the side, which is 512 pixels in place of 128. It sees no unlabelled picture. Its settings are those of the
preset but for the side, the batch, which is as large as memory allows, and its normalisation, which is frozen since
batches are small; nothing is chosen on these pictures. ``--steps`` says for how long it trains; CPU time is measured.

A training that is done is kept in the cache, and read back.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import numpy as np  # noqa: E402
import numpy.typing as npt  # noqa: E402
import torch  # noqa: E402

from benchmarks.measuring import keep, peak_memory, table  # noqa: E402
from benchmarks.studies.labelling_share import extents  # noqa: E402
from benchmarks.studies.large import ERRORS, draw_labels, of_errors, split  # noqa: E402
from lead.config import Settings, load_preset  # noqa: E402
from lead.files import default_cache, write_atomic  # noqa: E402
from lead.frame import Frame  # noqa: E402
from lead.geometry import FloatArray  # noqa: E402
from lead.images.build import open_store  # noqa: E402
from lead.images.labels import load_labels  # noqa: E402
from lead.images.store import ImageStore  # noqa: E402
from lead.landmarks import Labels  # noqa: E402
from lead.nn.regressor import LandmarkRegressor  # noqa: E402
from lead.seeds import run_identity  # noqa: E402
from lead.training.supervised import train_supervised  # noqa: E402

AT_ONCE = 4
"""Pictures that the trained network is given at a time."""


@dataclass(frozen=True)
class Found:
    """Of one training.

    Attributes:
        away: (n, K) errors in pixels, of the validation and of the test pictures.
        unit: (n,) the unit in pixels, of the same.
        seconds: of CPU, to train.
        memory: the largest until then, in megabytes.
    """

    away: dict[str, FloatArray]
    unit: dict[str, FloatArray]
    seconds: float
    memory: float


@torch.inference_mode()
def places(
    network: LandmarkRegressor, settings: Settings, store: ImageStore, rows: npt.NDArray[np.int64]
) -> FloatArray:
    """(n, K, 2) landmarks in some pictures, in their own pixels."""
    frame, found = Frame.of(settings.picture), []
    for start in range(0, len(rows), AT_ONCE):
        pixels = torch.from_numpy(store.pixels[rows[start : start + AT_ONCE]])
        found.append(network(frame.show(pixels)).double())
    return frame.places(store, rows, torch.cat(found).numpy())


def measure(settings: Settings, root: Path, labels: Labels, picked: list[int], seed: int) -> Found:
    """Trains on the pictures picked and judges on all others."""
    store = open_store(root, list(labels.images), settings.picture.store, default_cache())
    rows: npt.NDArray[np.int64] = np.array([store.index(image) for image in labels.images])
    xy = np.where(labels.visible[..., None] > 0, labels.xy, np.nan)
    where, points = rows[picked], store.to_store(rows[picked], xy[picked])
    key = run_identity(settings.model_dump(mode="json"), seed, store.digest, where.tolist(), points.tolist())
    folder = default_cache() / "peers" / "network" / key
    start = time.process_time()
    network = train_supervised(folder, settings, store, where, points, seed=seed, pretrained=True)
    cost = folder / "cost.json"
    if not cost.exists():
        write_atomic(cost, json.dumps({"seconds": time.process_time() - start, "memory": peak_memory()}))
    parts = {part: split(labels, part, picked) for part in ("validation", "test")}
    away = {
        part: np.linalg.norm(places(network, settings, store, rows[judged]) - xy[judged], axis=-1)
        for part, judged in parts.items()
    }
    unit = {part: extents(labels)[judged] for part, judged in parts.items()}
    return Found(away, unit, **json.loads(cost.read_text(encoding="utf-8")))


def row(count: int, draws: Sequence[Found], part: str) -> dict[str, object]:
    """What all draws come to; errors in percent of the unit."""
    away = [draw.away[part] for draw in draws]
    errors = [one / draw.unit[part][:, None] for one, draw in zip(away, draws, strict=True)]
    return {
        "labels": count,
        "draws": len(draws),
        **of_errors(away, errors),
        "seconds": float(np.mean([draw.seconds for draw in draws])),
        "memory": max(draw.memory for draw in draws),
    }


COLUMNS = {
    "labels": ("Labels", "{}"),
    "draws": ("draws", "{}"),
    **ERRORS,
    "seconds": ("CPU seconds to train", "{:.0f}"),
    "memory": ("MB", "{:.0f}"),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("landmarks", type=Path)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--name", help="of the result; by default the landmarks' file's")
    parser.add_argument("--labels", type=int, nargs="+", default=[5, 20])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    own = {"steps": chosen.steps, "batch": chosen.batch, "frozen_batchnorm": "true"}
    words = [f"picture.store={chosen.side}", f"picture.input={chosen.side}", "precision=32-true"]
    settings = load_preset("small", [*words, *(f"supervised.{name}={value}" for name, value in own.items())])
    labels = load_labels(chosen.landmarks, pictures=chosen.pictures)
    found: dict[int, list[Found]] = {count: [] for count in chosen.labels}
    for draw in range(chosen.draws):
        for count in chosen.labels:
            picked = draw_labels(labels, count, draw)
            if len(picked) == count:
                found[count].append(measure(settings, chosen.pictures, labels, picked, draw))
                print(count, draw, row(count, found[count][-1:], "validation"), flush=True)
    rows = {part: [row(n, draws, part) for n, draws in found.items() if draws] for part in ("validation", "test")}
    result = {
        "draws": chosen.draws,
        "settings": settings.model_dump(mode="json", include={"picture", "backbone", "supervised", "precision"}),
        "validation": rows["validation"],
        "rows": rows["test"],
    }
    name = chosen.name or chosen.landmarks.stem
    keep(f"network-{name}-test", result, table(COLUMNS, rows["test"]), chosen.results)


if __name__ == "__main__":
    main()
