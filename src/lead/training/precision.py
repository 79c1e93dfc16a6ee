"""Whether bfloat16 pays on the device at hand: asked of the device, since no list of them would be right for long."""

from __future__ import annotations

import time
from functools import cache
from typing import Literal

import torch
from torch import nn

PAYS = 0.8
"""Share of float32's time below which bfloat16 is taken: it must not be a matter of the moment's load."""
ROUNDS = 4


@cache
def fastest_precision() -> Literal["32-true", "bf16-mixed"]:
    """bf16-mixed where it makes a convolution's step clearly faster than float32; takes a second, once."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return "bf16-mixed" if _seconds(device, half=True) < PAYS * _seconds(device, half=False) else "32-true"


def _seconds(device: torch.device, *, half: bool) -> float:
    """The least time of a step forward and backward through two convolutions of a usual size."""
    pictures = 256 if device.type == "cuda" else 4  # enough to keep it busy
    network = nn.Sequential(*(nn.Conv2d(64, 64, 3, padding=1) for _ in range(2))).to(device)
    network.to(memory_format=torch.channels_last)
    maps = torch.zeros(pictures, 64, 24, 24, device=device).contiguous(memory_format=torch.channels_last)
    taken = []
    for _ in range(ROUNDS):  # the first warms up, and is never the least
        started = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=half):
            out = network(maps)
        out.float().sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        taken.append(time.perf_counter() - started)
    return min(taken)
