"""Whether bfloat16 pays for a network on the device at hand: asked of both, since no list would be right for long."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch import Tensor, nn

from lead.config import ExactPrecision
from lead.nn.backbone import Backbone
from lead.training.failure import out_of_memory
from lead.tuning import keep_freed_memory

PAYS = 0.8
"""Share of float32's time below which bfloat16 is taken: it must not be a matter of the moment's load."""
ROUNDS = 4


@cache
def fastest_precision(backbone: str, side: int, batch: int) -> ExactPrecision:
    """bf16-mixed where it makes the network's step clearly faster than float32; takes a second or two, once.

    Processors that are quick with dense convolutions in bfloat16 may be slow with depthwise ones, so that it is the
    network itself that is timed.

    Args:
        backbone: a timm model name.
        side: of the pictures that it is shown, in pixels.
        batch: how many of them at once. A GPU is asked with as many, which it must hold anyway, since fewer may not
            keep it busy; a CPU with a few.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    keep_freed_memory()  # as in training: asking for memory anew costs float32 more
    ours = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=ours):  # what is drawn next must not hang on whether this was asked
        network = Backbone(backbone, "random", side).to(device).to(memory_format=torch.channels_last)
        pictures = torch.zeros(batch if ours else min(batch, 8), 3, side, side, device=device)
        try:
            half, single = (_seconds(network, pictures, half=half) for half in (True, False))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            return "bf16-mixed"  # which needs less; if that is still too much, the training says so, and what to do
    return "bf16-mixed" if half < PAYS * single else "32-true"


def _seconds(network: nn.Module, pictures: Tensor, *, half: bool) -> float:
    """The least time of a step forward and backward."""
    device, taken = pictures.device, []
    for _ in range(ROUNDS):  # the first warms up, and is never the least
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            maps = network(pictures)
        total = torch.stack([level.float().sum() for level in maps]).sum()
        total.backward()  # type: ignore[no-untyped-call]
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - started)
    return min(taken)
