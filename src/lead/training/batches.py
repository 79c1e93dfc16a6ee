"""What each step of a training sees, be there one process or several."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lead import processes
from lead.errors import LeadError
from lead.images.store import read_rows
from lead.seeds import mixed_seed
from lead.training.reader import Batch, Waits, read_ahead, wait_for


def batch_rows(rows: npt.NDArray[np.int64], batch: int, step: int, seed: int) -> npt.NDArray[np.int64]:
    """The pictures of a step: shuffled epochs laid end to end, so that any folder fills any batch."""
    positions = np.arange(step * batch, (step + 1) * batch)
    out = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(positions // len(rows)):
        here = positions // len(rows) == epoch
        order = np.random.default_rng(mixed_seed(seed, "epoch", int(epoch))).permutation(rows)
        out[here] = order[positions[here] % len(rows)]
    return out


@dataclass(frozen=True)
class Batches:
    """The batches of a stage.

    Attributes:
        stage: its name.
        pixels: (N, S, S, 3) uint8 pictures.
        rows: which of them to train on.
        targets: (N, ...) what the stage is to say of each picture; None for nothing.
        size: pictures in a batch, of all processes.
        seed: of their order.
        waits: for a batch that does not come.
    """

    stage: str
    pixels: npt.NDArray[np.uint8]
    rows: npt.NDArray[np.int64]
    targets: npt.NDArray[np.float32] | None
    size: int
    seed: int
    waits: Waits

    def rows_of(self, step: int) -> npt.NDArray[np.int64]:
        """The pictures of a step, of all processes."""
        return batch_rows(self.rows, self.size, step, self.seed)

    def ahead(self, step: int) -> Future[Batch]:
        """This process's batch of a step, which a thread begins to read."""
        return read_ahead(self._read, step)

    def _read(self, step: int) -> Batch:
        """This process's pictures (B, S, S, 3) uint8 of a step and, if there are any, their targets."""
        rows = np.split(self.rows_of(step), processes.count())[processes.rank()]
        pictures = torch.from_numpy(read_rows(self.pixels, rows))
        return (pictures,) if self.targets is None else (pictures, torch.from_numpy(self.targets[rows]))

    def waited_for(self, upcoming: Future[Batch], number: int, asked: threading.Event) -> Batch:
        """A batch of :meth:`ahead`.

        Args:
            upcoming: the batch.
            number: of its step, counted from 1.
            asked: whether the user has asked to stop.

        Raises:
            LeadError: it cannot be read, does not come, or the user does not want to wait for one that is late.
        """
        file = getattr(self.pixels, "filename", None)
        what = f"The batch of step {number} of {self.stage}{f', read from {file},' if file else ''}"
        try:
            return wait_for(upcoming, what, asked, self.waits)
        except OSError as error:
            raise LeadError(f"{what} cannot be read: {error}.") from error
