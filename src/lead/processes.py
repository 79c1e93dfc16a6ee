"""Processes that train together, each with an equal and successive part of every batch: what they exchange.

Everything here is for one process too, and costs nothing then. Whoever joins the processes (see
:func:`lead.training.launch.make_fabric`) does so before any other function is of use. All processes must call those
that wait in the same order.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from lead.errors import LeadError

SHOWN_AFTER_S = 120
"""Seconds after which a network file system shows every machine what one has written."""


def count() -> int:
    """How many processes there are."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this is, from 0."""
    return dist.get_rank() if count() > 1 else 0


def leads() -> bool:
    """Whether this is the first process: the one that writes files and speaks."""
    return rank() == 0


def on_machine() -> int:
    """Which of its machine's processes this is, from 0."""
    return int(os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or 0) if count() > 1 else 0


@cache
def _patient() -> Any:
    """A group for numbers on the CPU, in which a process may be waited for as long as it decodes pictures."""
    return dist.new_group(backend="gloo", timeout=timedelta(days=365))


def most(number: int) -> int:
    """The largest of the numbers that the processes give; so also whether any gives True. Waits for all."""
    if count() == 1:
        return int(number)
    most_here = torch.tensor(int(number))
    dist.all_reduce(most_here, op=dist.ReduceOp.MAX, group=_patient())
    return int(most_here)


@contextmanager
def in_turn(*, machine: bool = False) -> Iterator[None]:
    """The block runs in the first process (of each ``machine``), then in all others, which find what it left.

    Raises:
        LeadError: in the others, if it failed in the first.
    """
    first = (on_machine() if machine else rank()) == 0
    if not first and most(False):
        raise LeadError("The first process could not go on; see what it says.")
    done = False
    try:
        yield
        done = True
    finally:
        if first:
            most(not done)


def await_file(path: Path) -> None:
    """Waits until a file that the first process has written can be seen from this machine. Waits for all."""
    most(False)
    end = time.monotonic() + SHOWN_AFTER_S
    while not leads() and not path.exists() and time.monotonic() < end:
        time.sleep(0.5)


def total(tensor: Tensor) -> Tensor:
    """The sum of the processes' tensors; no gradient flows through it."""
    if count() == 1:
        return tensor
    whole = tensor.detach().clone(memory_format=torch.contiguous_format)
    dist.all_reduce(whole)
    return whole


def mean_count(chosen: Tensor) -> Tensor:
    """The mean number of True that the processes hold, a scalar; as if there were one, where there is none at all."""
    return total(chosen.sum()).clamp(min=1) / count()


class _Stacked(torch.autograd.Function):
    @staticmethod
    def forward(_: Any, tensor: Tensor) -> Tensor:
        parts = [torch.empty_like(tensor, memory_format=torch.contiguous_format) for _ in range(count())]
        dist.all_gather(parts, tensor.contiguous())
        return torch.stack(parts)

    @staticmethod
    def backward(_: Any, gradient: Tensor) -> Tensor:
        return total(gradient)[rank()]


def stacked(tensor: Tensor) -> Tensor:
    """The processes' tensors in their order, (W, ...); gradients flow back to where they came from."""
    if count() == 1:
        return tensor[None]
    out: Tensor = _Stacked.apply(tensor)
    return out


class _Passed(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, tensor: Tensor, places: int) -> Tensor:
        context.places = places
        sent, received = tensor.contiguous(), torch.empty_like(tensor, memory_format=torch.contiguous_format)
        there, whence = (rank() + places) % count(), (rank() - places) % count()
        for work in dist.batch_isend_irecv(
            [dist.P2POp(dist.isend, sent, there), dist.P2POp(dist.irecv, received, whence)]
        ):
            work.wait()
        return received

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Any:
        return _Passed.apply(gradient, -context.places), None


def _passed(tensor: Tensor, places: int) -> Tensor:
    """What the process ``places`` before this one, in a ring, gives here; its gradient goes back to it."""
    if places % count() == 0:
        return tensor
    out: Tensor = _Passed.apply(tensor, places)
    return out


def rolled(tensor: Tensor, by: int) -> Tensor:
    """This process's rows of ``whole.roll(by, 0)``, where ``whole`` is all processes' (B, ...) rows in their order.

    Only the rows that come from another process are sent; gradients flow back to where they came from.
    """
    if count() == 1:
        return tensor.roll(by, 0)
    places, rest = divmod(by, len(tensor))
    near = _passed(tensor, places)
    if rest == 0:
        return near
    return torch.cat([_passed(tensor[-rest:], places + 1), near[:-rest]])
