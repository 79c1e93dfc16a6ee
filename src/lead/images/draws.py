"""Random draws for a batch that several processes share.

Each process draws for the whole batch and keeps its own rows, so that a picture gets the same draws however many
processes there are. The numbers are few, but for noise; that costs little beside a network.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Draw = Callable[..., Tensor]
"""``torch.rand``, ``torch.randn`` or the like: takes a shape, a generator and a device."""


class SharedGenerator(torch.Generator):
    """The source of randomness of one of several processes, which hold equal and successive parts of each batch.

    All are given the same seed. A plain ``torch.Generator`` is that of a process which holds whole batches.

    Attributes:
        rank: of this process, from 0.
        processes: how many there are.
    """

    rank: int = 0
    processes: int = 1


def own_rows(count: int, generator: torch.Generator) -> tuple[int, slice]:
    """Rows of the whole batch, and which of them are the ``count`` of this process."""
    if not isinstance(generator, SharedGenerator):
        return count, slice(0, count)
    return count * generator.processes, slice(generator.rank * count, (generator.rank + 1) * count)


def drawn(draw: Draw, count: int, *shape: int, generator: torch.Generator) -> Tensor:
    """What is drawn for the (count, ...) rows of this process, on the generator's device."""
    whole, own = own_rows(count, generator)
    return draw((whole, *shape), generator=generator, device=generator.device)[own]


def uniform(count: int, low: float, high: float, generator: torch.Generator) -> Tensor:
    """(count,) draws from [low, high); see :func:`drawn`."""
    return drawn(torch.rand, count, generator=generator) * (high - low) + low
