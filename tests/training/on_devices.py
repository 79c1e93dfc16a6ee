"""What test_devices.py runs, in one process and in two: short trainings in double precision, and a whole command.

In single precision the training of a random network is chaotic: rounding alone parts two curves within ten steps.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast
from unittest import mock

import numpy as np
import torch
from timm.layers.norm_act import BatchNormAct2d
from torch import Tensor, nn

from lead import api, geometry, processes
from lead.cli import main
from lead.config import Settings, check
from lead.errors import LeadError
from lead.images import views
from lead.losses import distance
from lead.nn.backbone import Backbone
from lead.nn.batchnorm import normalise_whole_batches
from lead.nn.regressor import LandmarkRegressor
from lead.nn.student import Student
from lead.reporting import silent
from lead.training import launch
from lead.training.distill import Distill
from lead.training.engine import Stage, TrainingLoop
from lead.training.launch import make_fabric
from lead.training.pretrain import Byol, Moco
from lead.training.supervised import Supervised
from lead.training.upkeep import Upkeep

STEPS = {"byol": 50, "default": 50, "alignment": 50, "moco": 20, "dve": 10, "supervised": 10}
RATES = {"byol": 0.01, "default": 1e-3, "alignment": 1e-3, "moco": 0.01, "dve": 1e-4, "supervised": 0.01}
"""Of each kind of training; with larger ones rounding grows fast enough to part two curves even so."""
BATCH, STOPPED = 8, 10
Result = dict[str, Any]


@contextmanager
def double_precision() -> Iterator[None]:
    """Everything that would be computed in single precision is in double."""
    single = geometry.cell_grid

    def grid(height: int, width: int, *, device: torch.device | str = "cpu") -> Tensor:
        return single(height, width, device=device).double()

    with (
        mock.patch.object(Tensor, "float", Tensor.double),
        mock.patch.object(geometry, "cell_grid", grid),
        mock.patch.object(views, "cell_grid", grid),
        mock.patch.object(distance, "cell_grid", grid),
    ):
        torch.set_default_dtype(torch.float64)
        views._control_points.cache_clear()
        try:
            yield
        finally:
            torch.set_default_dtype(torch.float32)
            views._control_points.cache_clear()


class Small(nn.Module):
    """A backbone of four levels with BatchNorm of both kinds."""

    channels, strides, side = (4, 6, 8, 8), (4, 8, 16, 32), None

    def __init__(self) -> None:
        super().__init__()
        ends = zip((3, *self.channels), self.channels, strict=False)
        norms = (nn.BatchNorm2d, BatchNormAct2d, nn.BatchNorm2d, BatchNormAct2d)
        self.levels = nn.ModuleList(
            nn.Sequential(nn.Conv2d(a, b, 3, 4 if a == 3 else 2, 1), norm(b), nn.LeakyReLU())
            for (a, b), norm in zip(ends, norms, strict=True)
        )

    def forward(self, pictures: Tensor) -> list[Tensor]:
        maps = [pictures]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps[1:]


def settings(kind: str) -> Settings:
    stage = {"steps": STEPS[kind], "batch": BATCH, "lr": RATES[kind]}
    views = {"bend": (0.001, 0.01), "rotation": 20}
    return check(
        {
            "picture": {"store": 48, "input": 32},
            "pretrain": stage | {"hidden": 16, "projection": 8, "moco": {"queue": 20}},
            "distill": stage | {"width": 16, "dimension": 8, "projection": 8, "views": views, "clip": 5.0},
            "supervised": stage | {"views": views},
        },
        "test",
    )


def make(kind: str) -> tuple[Stage, Any]:
    """A stage and its settings."""
    torch.manual_seed(0)
    all_of, backbone = settings(kind), cast(Backbone, Small())
    if kind in {"byol", "moco"}:
        return (Byol if kind == "byol" else Moco)(backbone, all_of.pretrain, all_of.picture), all_of.pretrain
    if kind == "supervised":
        network = LandmarkRegressor(Student(backbone, 8, 16), 8, 3)
        return Supervised(network, all_of.supervised, all_of.picture), all_of.supervised
    terms: dict[str, dict[str, Any]] = {
        "default": {"alignment": 0, "equivariance": 1, "exchange": 1, "exchange_pictures": 5, "cells": 20},
        "alignment": {},
        "dve": {"alignment": 0, "dve": 1, "views": all_of.distill.views.model_copy(update={"draws": "normal"})},
    }
    chosen = all_of.distill.model_copy(update=terms[kind])
    return Distill(backbone, chosen, all_of.hypercolumn, all_of.picture), chosen


def training(kind: str, folder: Path) -> TrainingLoop:
    stage, chosen = make(kind)
    draws = np.random.default_rng(0)
    targets = draws.uniform(-1, 1, (12, 3, 2)).astype(np.float32)
    targets[:8, 1:] = np.nan  # so that the processes do not have equally many
    return TrainingLoop(
        stage,
        chosen,
        optimiser="sgd",
        pixels=draws.integers(0, 255, (12, 48, 48, 3), dtype=np.uint8),
        rows=np.arange(12),
        folder=folder,
        seed=0,
        fabric=make_fabric("32-true"),
        identity="x",
        upkeep=Upkeep(log_every=1),
        targets=targets if kind == "supervised" else None,
    )


def trained(kind: str, folder: Path) -> Result:
    """A stage's weights after all steps."""
    run = training(kind, folder)
    run.run(silent)
    return {name: value.clone() for name, value in run.stage.state_dict().items()}


def curve(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def normed(layer: nn.Module, whole: Tensor) -> Result:
    """What BatchNorm makes of this process's part of a batch, with gradients of a sum over the whole."""
    normalise_whole_batches(layer.train(), "cpu")
    part = whole.chunk(processes.count())[processes.rank()].clone().requires_grad_(True)
    out = layer(part)
    weight = torch.randn(whole.shape, generator=torch.Generator().manual_seed(1)) / whole.numel()
    (out * out.sin() * weight.chunk(processes.count())[processes.rank()]).sum().backward()
    gradients = [processes.total(value.grad) for value in layer.parameters() if value.grad is not None]
    return {"out": out.detach(), "grad": part.grad, "parameters": gradients, "buffers": dict(layer.named_buffers())}


LAYERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "1d": (lambda: nn.BatchNorm1d(5), (8, 5)),
    "2d": (lambda: nn.BatchNorm2d(3), (8, 3, 4, 5)),
    "act": (lambda: BatchNormAct2d(3, act_layer=nn.SiLU), (8, 3, 4, 5)),
    "cumulative": (lambda: nn.BatchNorm2d(3, momentum=None), (8, 3, 4, 5)),
}


def norms() -> Result:
    made: Result = {}
    for name, (layer, shape) in LAYERS.items():
        # A mean far from 0: where a difference of squares would lose all digits.
        made[name] = normed(layer(), torch.randn(shape, generator=torch.Generator().manual_seed(0)) + 1000)
    return made


def rolls() -> list[tuple[Tensor, Tensor]]:
    """This process's part of a batch rolled by 0 to 9, and the gradient of its squares times 1 to 8."""
    made = []
    for by in range(10):
        rows = torch.arange(8.0).chunk(processes.count())[processes.rank()].clone().requires_grad_(True)
        factor = torch.arange(1.0, 9).chunk(processes.count())[processes.rank()]
        rolled = processes.rolled(rows, by)
        (gradient,) = torch.autograd.grad((rolled.square() * factor).sum(), rows)
        made.append((rolled.detach(), gradient))
    return made


def stopped(folder: Path) -> str:
    """What is said where the second process alone is asked to stop."""
    run = training("byol", folder)

    def after(progress: float) -> None:
        Byol.after_step(cast(Byol, run.stage), progress)
        if run.step == STOPPED and processes.rank() == 1:
            signal.raise_signal(signal.SIGTERM)

    with mock.patch.object(run.stage, "after_step", after):
        return refusal(lambda: run.run(silent))


def blown_up(folder: Path) -> str:
    """What is said where the loss of the second process alone becomes no number."""
    run = training("byol", folder)

    def forward(pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        losses = Byol.forward(cast(Byol, run.stage), pictures, generator)
        if run.step == STOPPED - 2:
            run.save()
        if run.step + 1 == STOPPED and processes.rank() == 1:
            losses["loss"] = losses["loss"] * torch.nan
        return losses

    with mock.patch.object(run.stage, "forward", forward):
        return refusal(lambda: run.run(silent))


def refusal(work: Callable[[], object]) -> str:
    try:
        work()
    except LeadError as error:
        return str(error)
    return ""


def fail_first() -> None:
    with processes.in_turn():
        raise LeadError(f"process {processes.rank()} got here")


def everything(folder: Path) -> None:
    """All of the above in one of two processes; what each finds is left in a file."""
    make_fabric("32-true")
    found: Result = {"norms": norms(), "rolls": rolls()}
    with double_precision():
        found |= {kind: trained(kind, folder / kind) for kind in STEPS}
        found["stopped"] = stopped(folder / "stopped")
        found["blown_up"] = blown_up(folder / "blown_up")
    found["failed"] = refusal(fail_first)
    found["indivisible"] = refusal(lambda: launch.check_batch("pretrain", 9))
    torch.save(found, folder / f"{processes.rank()}.pt")


def command(folder: Path, out: str, *, dies: bool) -> None:
    """``lead train`` with a checkpoint at every step; if asked, the second process is killed in stage 2."""
    advance = TrainingLoop._advance

    def advance_or_die(self: TrainingLoop, *batch: Tensor) -> None:
        if dies and self.stage.name == "distill" and self.step == 2 and processes.rank() == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        advance(self, *batch)

    line = ["lead", "train", folder / "pictures", "--out", folder / out, "--preset", folder / "tiny.yaml"]
    with (
        mock.patch.object(api, "train", partial(api.train, upkeep=Upkeep(save_every_s=-1.0))),
        mock.patch.object(TrainingLoop, "_advance", advance_or_die),
        mock.patch.object(sys, "argv", [str(word) for word in line]),
        contextlib.suppress(SystemExit),
    ):
        main()


if __name__ == "__main__":
    here, attempt = Path(sys.argv[1]), int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    if attempt == 0:
        everything(here)
        command(here, "whole", dies=False)
    command(here, "cut", dies=attempt == 0)
