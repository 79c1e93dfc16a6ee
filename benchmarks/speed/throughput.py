"""How near training comes to its bare networks, and how fast it is beside a peer's loop.

    python -m benchmarks.speed.throughput DATASET [--steps 30] [--rounds 3] [--batch 64] [--results results]

Stage 1 (BYOL, ResNet-18, 96 px) and stage 2 (its default objective, and the paper's), each as `lead train` runs it:
pictures from the store, augmentation, networks, optimiser, logs. Bare is the same networks and losses forward and
backward on random tensors that are already in memory, in turns with it, ten steps each, in one process. The peer is
lightly's BYOL, its modules and its transforms, in a DataLoader with a process for each core, which reads the picture
files as its users' would; it is left out where lightly is not installed. All is in float32; where `precision=auto`
would take bfloat16 on this machine, stage 1 and stage 2 are measured in that too, beside networks in the same.

Writes ``results/benchmarks/throughput.json``, and a table beside it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

from lead.tuning import wait_passively

wait_passively()  # before torch is imported

import torch  # noqa: E402
from PIL import Image  # noqa: E402
from torch import Tensor, nn  # noqa: E402

from benchmarks.measuring import keep  # noqa: E402
from lead.config import ExactPrecision, Settings, check  # noqa: E402
from lead.datasets import open_dataset  # noqa: E402
from lead.losses import byol_loss, equivariance_loss, exchange_loss  # noqa: E402
from lead.nn.backbone import Backbone  # noqa: E402
from lead.training.distill import Distill  # noqa: E402
from lead.training.engine import Stage, TrainingLoop  # noqa: E402
from lead.training.launch import make_fabric  # noqa: E402
from lead.training.precision import fastest_precision  # noqa: E402
from lead.training.pretrain import Byol  # noqa: E402
from lead.training.run import TrainingPictures, open_pictures  # noqa: E402
from lead.training.upkeep import UPKEEP  # noqa: E402

Step = Callable[[], None]
SIDE = 96


def settings_of(batch: int, steps: int, **distill: Any) -> Settings:
    """The paper's picture size on a network for two cores."""
    stage = {"steps": steps, "batch": batch}
    return check(
        {
            "picture": {"store": 128, "frame": 1.0, "input": SIDE},
            "backbone": {"name": "resnet18", "init": "random"},
            "pretrain": stage,
            "distill": stage | distill,
        },
        "this benchmark",
    )


@dataclass
class Turns:
    """Takes the time of ten steps of a training, and of ten of its bare step, again and again."""

    bare: Step
    ours_s: list[float] = field(default_factory=list)
    bare_s: list[float] = field(default_factory=list)
    since: float = 0.0

    def report(self, _stage: str, step: int, _total: int, _values: object) -> None:
        """Called by a training after ``UPKEEP.log_every`` steps."""
        now = time.perf_counter()
        if step > UPKEEP.log_every:  # the first ten warm up
            self.ours_s.append((now - self.since) / UPKEEP.log_every)
        started = time.perf_counter()
        for _ in range(UPKEEP.log_every):
            self.bare()
        if step > UPKEEP.log_every:
            self.bare_s.append((time.perf_counter() - started) / UPKEEP.log_every)
        self.since = time.perf_counter()


def trained(
    stage: Stage, settings: Settings, pictures: TrainingPictures, bare: Step, precision: ExactPrecision
) -> Turns:
    """A training with its bare steps between."""
    turns = Turns(bare)
    with tempfile.TemporaryDirectory() as folder:
        of_stage = settings.pretrain if stage.name == "pretrain" else settings.distill
        training = TrainingLoop(
            stage,
            of_stage,
            optimiser="sgd" if stage.name == "pretrain" else settings.distill.optimiser,
            pixels=pictures.store.pixels,
            rows=pictures.rows,
            folder=Path(folder),
            seed=0,
            fabric=make_fabric(precision),
            identity="",
        )
        training.run(turns.report)
    return turns


def bare_byol(stage: Byol, batch: int, cast: torch.autocast) -> Step:
    """Both networks on two views that are there already."""
    one, two = (torch.rand(batch, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last) for _ in range(2))

    def step() -> None:
        with cast:
            z_one, z_two = stage.project(one), stage.project(two)
            with torch.no_grad():
                target_one, target_two = stage.project_target(one), stage.project_target(two)
            loss = byol_loss(stage.predictor(z_one), target_two) + byol_loss(stage.predictor(z_two), target_one)
        loss.backward()  # type: ignore[no-untyped-call]
        stage.zero_grad()

    return step


def bare_distill(stage: Distill, batch: int, cast: torch.autocast) -> Step:
    """Student, teacher if it is asked, and the losses, on views and places that are there already."""
    s = stage.settings
    one, two = (torch.rand(batch, 3, SIDE, SIDE).contiguous(memory_format=torch.channels_last) for _ in range(2))
    points = torch.rand(batch, s.cells or 1, 2) * 2 - 1

    def loss() -> Tensor:
        if stage.single_view:
            features = stage.projection(stage.student(one))
            return stage._own_terms(one, features, one, features)["alignment"]
        f_one, f_two = stage.projection(stage.student(torch.cat([one, two]))).chunk(2)
        asking = f_two.flatten(2)[:, :, : s.cells]
        others = [f_one.roll(k + 1, 0) for k in range(s.exchange_pictures)]
        out: Tensor = s.equivariance * equivariance_loss(asking, f_one, points, temperature=s.temperature)
        for other in others:
            out = out + exchange_loss(asking, f_one, other, points, temperature=s.temperature) / len(others)
        return out

    def step() -> None:
        with cast:
            found = loss()
        found.backward()  # type: ignore[no-untyped-call]
        stage.zero_grad()

    return step


class Files(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """Two views of each picture file, as lightly's transform draws them."""

    def __init__(self, paths: list[Path], transform: Callable[[Image.Image], list[Tensor]]) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> tuple[Tensor, Tensor]:
        one, two = self.transform(Image.open(self.paths[row]).convert("RGB"))
        return one, two


class PeersByol(nn.Module):
    """BYOL out of lightly's parts: online network and heads, and their moving averages."""

    def __init__(self) -> None:
        super().__init__()
        from copy import deepcopy

        from lightly.models.modules import BYOLPredictionHead, BYOLProjectionHead
        from torchvision.models import resnet18

        self.network = nn.Sequential(*list(resnet18().children())[:-1], nn.Flatten())
        self.projector = BYOLProjectionHead(512, 1024, 256)
        self.predictor = BYOLPredictionHead(256, 1024, 256)
        self.slow = deepcopy(nn.Sequential(self.network, self.projector)).requires_grad_(False)

    def forward(self, view: Tensor) -> tuple[Tensor, Tensor]:
        """Prediction and target of a view (B, 3, S, S): (B, 256) each."""
        predicted: Tensor = self.predictor(self.projector(self.network(view)))
        with torch.no_grad():
            return predicted, self.slow(view)


def peer(files: list[Path], batch: int, steps: int) -> list[float] | None:
    """Seconds of lightly's steps after ten that warm up; None where it is not installed."""
    try:
        from lightly.loss import NegativeCosineSimilarity
        from lightly.models.utils import update_momentum
        from lightly.transforms.byol_transform import BYOLTransform, BYOLView1Transform, BYOLView2Transform
    except ImportError:
        return None
    views = BYOLView1Transform(input_size=SIDE), BYOLView2Transform(input_size=SIDE)
    workers = os.cpu_count() or 1
    loader = torch.utils.data.DataLoader(
        Files(files, BYOLTransform(*views)), batch, shuffle=True, drop_last=True, num_workers=workers
    )
    model, criterion = PeersByol(), NegativeCosineSimilarity()
    optimiser = torch.optim.SGD(model.parameters(), lr=0.06)
    seconds, since = [], time.perf_counter()
    for one, two in islice(endless(loader), steps + UPKEEP.log_every):
        update_momentum(model.network, model.slow[0], m=0.996)
        update_momentum(model.projector, model.slow[1], m=0.996)
        predicted_one, target_one = model(one)
        predicted_two, target_two = model(two)
        loss = 0.5 * (criterion(predicted_one, target_two) + criterion(predicted_two, target_one))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        seconds.append(time.perf_counter() - since)
        since = time.perf_counter()
    return seconds[UPKEEP.log_every :]


def endless(loader: torch.utils.data.DataLoader[Any]) -> Iterator[Any]:
    """Epoch after epoch."""
    while True:
        yield from loader


def summary(turns: list[Turns]) -> dict[str, float]:
    """Median seconds a step, and the share of the bare networks' speed."""
    ours, bare = (median(s for t in turns for s in getattr(t, name)) for name in ("ours_s", "bare_s"))
    return {"ours_s": ours, "bare_s": bare, "of_bare": bare / ours}


def table(found: dict[str, dict[str, float]]) -> str:
    """Markdown."""
    lines = [
        "| Stage | A step (s) | Bare (s) | Of the bare speed | Times the peer's |",
        "| --- | --: | --: | --: | --: |",
    ]
    for name, row in found.items():
        columns = ("ours_s", "bare_s", "of_bare", "times_the_peer")
        lines.append(f"| {name} | " + " | ".join(f"{row[c]:.2f}" if c in row else "" for c in columns) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--results", type=Path, default=Path("results"))
    chosen = parser.parse_args()
    data, batch, steps = open_dataset(chosen.dataset), chosen.batch, chosen.steps + UPKEEP.log_every
    pictures = open_pictures(data, settings_of(batch, steps))
    files = [data.root / pictures.store.files[row] for row in pictures.rows]
    measured: dict[str, list[Turns]] = {}
    peers: list[float] = []
    ours = {"alignment": 0.0, "equivariance": 0.3, "exchange": 1.0, "exchange_pictures": 2, "frozen_batchnorm": True}
    for _ in range(chosen.rounds):
        peers += peer(files, batch, chosen.steps) or []
        for precision in dict.fromkeys(("32-true", fastest_precision("resnet18", SIDE, batch))):
            half = precision == "bf16-mixed"
            cast, ending = torch.autocast("cpu", torch.bfloat16, enabled=half), ", bfloat16" if half else ""
            whole = settings_of(batch, steps)
            byol = Byol(Backbone("resnet18", "random", SIDE), whole.pretrain, whole.picture)
            turns = trained(byol, whole, pictures, bare_byol(byol, batch, cast), precision)
            measured.setdefault("stage 1" + ending, []).append(turns)
            for name, parts in (("stage 2", ours), ("stage 2, alignment", {})):
                whole = settings_of(batch // 2, steps, **parts)
                encoder = Backbone("resnet18", "random", SIDE)
                stage = Distill(encoder, whole.distill, whole.hypercolumn, whole.picture)
                turns = trained(stage, whole, pictures, bare_distill(stage, batch // 2, cast), precision)
                measured.setdefault(name + ending, []).append(turns)
    found = {name: summary(turns) for name, turns in measured.items()}
    if peers:
        found["lightly's BYOL"] = {"ours_s": median(peers)}
        for name in ("stage 1", "stage 1, bfloat16"):
            if name in found:
                found[name]["times_the_peer"] = median(peers) / found[name]["ours_s"]
    record = {
        "batch": batch,
        "stages": found,
    }
    keep("throughput", record, table(found), chosen.results)


if __name__ == "__main__":
    main()
