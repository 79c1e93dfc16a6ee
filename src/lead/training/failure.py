"""What to say of a training that goes wrong: numbers that are no longer finite, and memory that runs out."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from lead.errors import LeadError

WEIGHTS, STATE = "weights", "state"
"""Among a step's values, the norm of the trained weights after it and, of the last step, that of all its state."""
SHOWN = 3
"""Losses of earlier steps that are shown."""
SMALLEST = 2
"""Pictures in the smallest batch: BatchNorm needs two."""
NO_MEMORY = (
    "defaultcpuallocator",
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "alloc_failed",  # of cuBLAS and cuDNN
)
"""Words of torch's errors, in small letters, by which memory that ran out is known where the type does not say it."""


class OutOfMemory(LeadError):
    """A stage that the device's memory, or the machine's, is too small for.

    Attributes:
        stage: its name.
        step: which failed, counted from 1; 0 as the networks were put in place.
        anew: whether the stage can be begun anew with another batch: no state of it was kept, and a step failed.
        cause: the first line of the error.
    """

    def __init__(self, stage: str, step: int, batch: int, total: int, *, anew: bool, cause: str, kept: str) -> None:
        self.stage, self.step, self.anew, self.cause = stage, step, anew, cause
        where = f"at step {step} of {total}, with batches of {batch} pictures" if step else "before its first step"
        mend = ["End whatever else uses the memory"]
        if step and batch >= 2 * SMALLEST:
            mend.append(
                f"{'' if anew else 'in another --out, '}begin anew with --set {stage}.batch={batch // 2} or less"
            )
        if anew:
            mend.append("let --retry-smaller find a batch that fits")
        mend.append("take a smaller backbone or picture.input")
        super().__init__(f"Memory ran out in {stage} {where} ({cause}). {', or '.join(mend)}. {kept}")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in NO_MEMORY)


def norm(tensors: Iterable[Tensor]) -> Tensor:
    """The norm of all floating-point tensors together, a scalar: no finite number where one of theirs is none."""
    return torch.nn.utils.get_total_norm([t.detach() for t in tensors if t.is_floating_point()])


@dataclass(frozen=True)
class BlowUp:
    """The first of some steps whose numbers are not all finite.

    Attributes:
        step: which, counted from 1.
        values: its losses, and the norms after it.
        before: the losses of the steps before, as far as they are known.
    """

    step: int
    values: Mapping[str, float]
    before: Sequence[float]

    @property
    def terms(self) -> list[str]:
        """The losses that are not finite; none where only the weights or the state became so."""
        return [name for name, value in self._losses.items() if not math.isfinite(value)]

    @property
    def _losses(self) -> dict[str, float]:
        return {name: value for name, value in self.values.items() if name not in {WEIGHTS, STATE}}

    def text(self, stage: str, total: int, rate: float) -> str:
        """What happened and the likely cause."""
        at = f"at step {self.step} of {total}"
        losses = ", ".join(f"{name} {value:.4g}" for name, value in self._losses.items())
        if self.terms:
            term = "loss" if "loss" in self.terms else self.terms[0]
            what = (
                f"The {term} of {stage} is {self.values[term]} {at} ({losses}). The weights were finite before that "
                "step, and the pictures are bytes, which always are: a term of the loss, or what the network makes of "
                "these pictures, grew beyond all numbers"
            )
        elif not math.isfinite(self.values[WEIGHTS]):
            what = (
                f"The weights of {stage} are no longer finite after step {self.step} of {total}, though its losses "
                f"were ({losses}): the gradient was not finite, or too large for the rate"
            )
        else:
            what = (
                f"The state of {stage} is no longer finite {at}, though its losses ({losses}) and trained weights are: "
                "a statistic or a momentum grew beyond all numbers"
            )
        before = ", ".join(f"{loss:.4g}" for loss in self.before[-SHOWN:])
        return f"{what}. The learning rate was {rate:.3g}" + (f"; the loss before it: {before}." if before else ".")


def blow_up(steps: Sequence[Mapping[str, float]], last: int) -> BlowUp | None:
    """The first of successive steps, of which the last is number ``last``, with a value that is not finite."""
    for i, values in enumerate(steps):
        if not all(map(math.isfinite, values.values())):
            return BlowUp(last - len(steps) + 1 + i, values, [earlier["loss"] for earlier in steps[:i]])
    return None


FAILED = "-failed.safetensors"
"""How the file is called, after its stage, in which a state is kept whose numbers are no longer finite."""
