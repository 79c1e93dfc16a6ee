"""When a training looks at itself, saves and gives up."""

from __future__ import annotations

from dataclasses import dataclass

from lead.training.reader import WAITS, Waits


@dataclass(frozen=True)
class Upkeep:
    """When a training looks at itself, saves and gives up. What it comes to does not depend on the first two.

    Attributes:
        log_every: steps between log records, and between looks for numbers that are no longer finite.
        save_every_s: seconds between checkpoints.
        collapsed: features whose spread (0: all alike, about 1: all over the sphere) is below this have collapsed.
        patience: steps for which they may stay so before a stage is given up; at a stage's end they may not be at all.
        waits: for a batch that is read.
    """

    log_every: int = 10
    save_every_s: float = 120.0
    collapsed: float = 0.02
    patience: int = 200
    waits: Waits = WAITS


UPKEEP = Upkeep()
