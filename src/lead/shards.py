"""Which share of some work is one process's."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from lead.errors import LeadError


@dataclass(frozen=True)
class Shard:
    """One of several processes that share the work.

    Attributes:
        number: from 1.
        of: how many there are.
    """

    number: int = 1
    of: int = 1

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"2/4"``. Raises :class:`LeadError` for anything else."""
        found = re.fullmatch(r"(\d+)/(\d+)", text)
        if not found or not 1 <= int(found[1]) <= int(found[2]):
            raise LeadError(f"{text!r} is not a shard. Give its number and how many there are: 1/4 to 4/4, say.")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] = os.environ) -> Shard:
        """The one that torchrun, or SLURM's srun, makes of this process; the only one without them."""
        for number, of in (("RANK", "WORLD_SIZE"), ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS")):
            if number in environment and of in environment:
                return cls(int(environment[number]) + 1, int(environment[of]))
        return cls()

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"
