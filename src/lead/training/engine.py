"""One loop for every stage: steps, schedule, precision, checkpoints with exact resume, logs, watches.

Randomness is a function of (seed, stage, step): which pictures a step sees and every draw within it. Nothing random
needs storing, so a run that was killed goes on exactly as if it had not been.

Several processes, one for each device, train as one does: a batch is that of all of them together, each holds an equal
part, and what a picture's views, BatchNorm, losses and gradients are does not depend on how many parts there are. The
state is the same in all; the first alone writes and reports.
"""

from __future__ import annotations

import math
import signal
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager, nullcontext
from pathlib import Path
from types import FrameType

import numpy as np
import numpy.typing as npt
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from lead import checkpoint, processes
from lead.config import StageSettings
from lead.errors import LeadError
from lead.images.draws import SharedGenerator
from lead.nn.batchnorm import normalise_whole_batches
from lead.reporting import Report
from lead.seeds import mixed_seed
from lead.training.batches import Batches
from lead.training.failure import FAILED, STATE, WEIGHTS, BlowUp, OutOfMemory, blow_up, norm, out_of_memory
from lead.training.launch import check_batch
from lead.training.log import Log
from lead.training.reader import Batch
from lead.training.upkeep import UPKEEP, Upkeep
from lead.tuning import keep_freed_memory


class Collapsed(LeadError):
    """A stage whose features have become nearly all alike: they tell no parts apart, and are worth no measurement."""


class Stage(nn.Module):
    """What a stage adds to the loop. Its ``forward`` computes the losses, so that Fabric can wrap it."""

    name: str

    def forward(self, pictures: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Losses of a batch (B, 3, S, S) of stored pictures in [0, 1].

        A stage whose :class:`TrainingLoop` has targets takes theirs (B, ...) as a third argument, ``targets``.
        Returns scalars: ``loss``, its parts, and ``spread`` of features that may collapse, for the watch. Of several
        processes, each of which has its part of the batch, the mean of what they return must be the whole batch's.
        """
        raise NotImplementedError

    def parameter_groups(self) -> list[tuple[nn.Module, float]]:
        """The modules to optimise, each with its learning rate as a share of the stage's."""
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Called after each optimiser step with the share of the stage that is done."""


@contextmanager
def interruptible() -> Iterator[threading.Event]:
    """Turns SIGINT and SIGTERM into an event, to stop cleanly after a step; a second one stops at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # signals can only be caught there
        yield asked
        return

    def ask(_number: int, _frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make_optimiser(stage: Stage, settings: StageSettings, kind: str) -> torch.optim.Optimizer:
    """SGD or AdamW; weight decay spares biases and normalisation, which are vectors."""
    groups = []
    for module, share in stage.parameter_groups():
        parameters = [p for p in module.parameters() if p.requires_grad]
        for decay, chosen in (
            (settings.weight_decay, [p for p in parameters if p.ndim > 1]),
            (0.0, [p for p in parameters if p.ndim <= 1]),
        ):
            if chosen:
                groups.append({"params": chosen, "lr": settings.lr * share, "share": share, "weight_decay": decay})
    if kind == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr, betas=(0.9, 0.99))
    return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9)


def learning_rate(settings: StageSettings, step: int, total: int) -> float:
    """Linear warm-up, then cosine decay to 0."""
    warmup = settings.warmup * total
    if step < warmup:
        return settings.lr * (step + 1) / (warmup + 1)
    return settings.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(total - warmup, 1)))


class TrainingLoop:
    """One stage of one run: construct, then :meth:`run`. Of several processes all must do so, with equal arguments.

    Args:
        stage: the objective and its networks, already initialised.
        settings: length, batch, rates.
        optimiser: ``"sgd"`` or ``"adamw"``.
        pixels: (N, S, S, 3) uint8 pictures.
        rows: which of them to train on.
        folder: the run's folder.
        seed: of the run.
        fabric: device and precision.
        identity: what this state belongs to (settings and pictures); another identity is not resumed from.
        targets: (N, ...) what the stage is to say of each picture, for a stage that learns from that.
        names: N names of the pictures, to say which a step that failed has seen.
        upkeep: when it looks at itself, saves and gives up.

    Raises:
        LeadError: the batch cannot be divided among the processes, or the folder has the state of something else.
        OutOfMemory: the networks do not fit.
    """

    def __init__(
        self,
        stage: Stage,
        settings: StageSettings,
        *,
        optimiser: str,
        pixels: npt.NDArray[np.uint8],
        rows: npt.NDArray[np.int64],
        folder: Path,
        seed: int,
        fabric: Fabric,
        identity: str,
        targets: npt.NDArray[np.float32] | None = None,
        names: Sequence[str] | None = None,
        upkeep: Upkeep = UPKEEP,
    ) -> None:
        check_batch(stage.name, settings.batch)
        keep_freed_memory()
        self.stage = stage.to(memory_format=torch.channels_last).train()  # each stage says what train means to it
        self.settings, self.upkeep = settings, upkeep
        seed_of_batches = mixed_seed(seed, stage.name)
        self.batches = Batches(stage.name, pixels, rows, targets, settings.batch, seed_of_batches, upkeep.waits)
        self.names, self.folder, self.seed, self.fabric, self.identity = names, folder, seed, fabric, identity
        self.total = settings.total_steps(len(rows))
        self.state_file = folder / f"{stage.name}-state.safetensors"
        self.failed_file = folder / f"{stage.name}{FAILED}"
        self.saved = 0
        normalise_whole_batches(stage, fabric.device.type)
        self.optimiser = make_optimiser(stage, settings, optimiser)
        with self._minding_memory(0):
            self.model, self.wrapped = fabric.setup(stage, self.optimiser)
        self.collapsed_since: int | None = None
        # After the networks moved, so that the optimiser's state follows them.
        self.step = _same_for_all(self._restore(), self.state_file)
        self.saved = self.step
        self.never_finite = {key for key, value in self._state().items() if not value.isfinite().all()}  # masks, say
        self.recent: deque[dict[str, Tensor]] = deque(maxlen=upkeep.log_every)  # the latest losses and norms of weights
        self.generator = SharedGenerator(device=fabric.device)
        self.generator.rank, self.generator.processes = processes.rank(), processes.count()

    def run(self, report: Report) -> None:
        """Trains from the last checkpoint to the end. Of several processes, the first alone reports.

        Raises:
            LeadError: the numbers are no longer finite, the pictures can no longer be read, or the user interrupted
                (after a checkpoint is written).
            OutOfMemory: a batch does not fit.
            Collapsed: the features have been nearly all alike for ``upkeep.patience`` steps, or are at the end.
        """
        leads = processes.leads()
        saved = time.monotonic()
        with closing(Log(self.folder, self.stage.name, self.step)) if leads else nullcontext() as log:
            self._give_up_if_collapsed()  # a stage that was given up stays so, however often it is asked for
            with interruptible() as asked:
                upcoming = self.batches.ahead(self.step)
                while self.step < self.total:
                    with self._minding_memory(self.step + 1):
                        batch = self._await(upcoming, asked)
                        upcoming = self.batches.ahead(min(self.step + 1, self.total - 1))
                        self._advance(*self.fabric.to_device(batch))
                    if self.step % self.upkeep.log_every == 0 or self.step == self.total:
                        values = self._look()
                        if log:
                            log.write(self.step, values)
                            report(self.stage.name, self.step, self.total, values)
                        self._give_up_if_collapsed()
                    # The first process's clock counts, a signal to any: 0 to go on, 1 to save, 2 to stop.
                    due = leads and time.monotonic() - saved > self.upkeep.save_every_s
                    due_to_all = processes.most(2 if asked.is_set() else int(due))
                    if due_to_all:
                        self._look()  # a state that has blown up must not replace the last good one
                        self.save()
                        saved = time.monotonic()
                    if due_to_all == 2:
                        done = f"after step {self.step} of {self.total}"
                        raise LeadError(f"Interrupted in {self.stage.name} {done}. {self._kept()}")

    def _give_up_if_collapsed(self) -> None:
        since = self.collapsed_since
        if since is None or (self.step < self.total and self.step - since < self.upkeep.patience):
            return
        self.save()
        name = self.stage.name
        raise Collapsed(
            f"The features of {name} have been nearly all alike since step {since}; this is step {self.step} of "
            f"{self.total}: they have collapsed. The state is kept in {self.state_file.name}. Train again with a lower "
            f"{name}.lr, a longer {name}.warmup, or another objective."
        )

    def _kept(self) -> str:
        """From where the same command goes on."""
        if not self.saved:
            return "No state was saved yet. Run the same command again to begin the stage anew."
        return f"The state after step {self.saved} is saved. Run the same command again to go on from there."

    @contextmanager
    def _minding_memory(self, step: int) -> Iterator[None]:
        """Says what to do where memory runs out inside: in a step counted from 1, or in what comes before, 0."""
        try:
            yield
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            raise OutOfMemory(
                self.stage.name,
                step,
                self.settings.batch,
                self.total,
                anew=step > 0 and not self.saved and processes.count() == 1,
                cause=str(error).split("\n")[0].rstrip("."),
                kept=self._kept(),
            ) from None

    def _await(self, upcoming: Future[Batch], asked: threading.Event) -> Batch:
        """The next step's batch. What it raises also says from where the same command goes on."""
        try:
            return self.batches.waited_for(upcoming, self.step + 1, asked)
        except LeadError as error:
            raise LeadError(f"{error} {self._kept()}") from error

    def _advance(self, pictures: Tensor, *targets: Tensor) -> None:
        """One optimiser step."""
        step_seed = mixed_seed(self.seed, self.stage.name, self.step)
        self.generator.manual_seed(step_seed)
        torch.manual_seed(step_seed + processes.rank())  # for anything random inside a network
        rate = learning_rate(self.settings, self.step, self.total)
        for group in self.wrapped.param_groups:
            group["lr"] = rate * group["share"]
        batch = pictures.permute(0, 3, 1, 2).float() / 255  # (B, 3, S, S)
        losses: dict[str, Tensor] = self.model(batch, self.generator, *targets)
        self.wrapped.zero_grad()
        self.fabric.backward(losses["loss"])
        if self.settings.clip > 0:
            # A gradient that is not finite makes weights that are not, of which _look says more than Fabric would.
            self.fabric.clip_gradients(self.model, self.wrapped, max_norm=self.settings.clip, error_if_nonfinite=False)
        self.wrapped.step()
        self.step += 1
        self.stage.after_step(self.step / self.total)
        # Looked at every few steps only: on a GPU, a number that is looked at is waited for.
        trained = norm(parameter for group in self.wrapped.param_groups for parameter in group["params"])
        self.recent.append({name: value.detach() for name, value in losses.items()} | {WEIGHTS: trained})

    def _state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, but for its number."""
        return checkpoint.prefixed(self.stage, "stage") | checkpoint.pack_optimiser(self.wrapped.optimizer)

    def _look(self) -> dict[str, float]:
        """The latest step's losses, of the whole batch.

        Raises:
            LeadError: since the last look a loss, or a number of the state, is no longer finite.
        """
        rows = [list(values.values()) for values in self.recent]
        # Averages, statistics and momenta count too, which no loss may have seen.
        rows[-1].append(norm(value for key, value in self._state().items() if key not in self.never_finite))
        sums = torch.stack([value.float() for row in rows for value in row])
        mean = iter((processes.total(sums) / processes.count()).tolist())
        steps = [{name: next(mean) for name in values} for values in self.recent]
        failed = blow_up([*steps[:-1], steps[-1] | {STATE: next(mean)}], self.step)
        if failed:
            raise self._blown_up(failed)
        values = steps[-1]
        del values[WEIGHTS]
        values["lr"] = learning_rate(self.settings, self.step - 1, self.total)
        if values.get("spread", 1.0) < self.upkeep.collapsed:
            values["collapsed"] = 1.0
            self.collapsed_since = self.step if self.collapsed_since is None else self.collapsed_since
        else:
            self.collapsed_since = None
        return values

    def _blown_up(self, failed: BlowUp) -> LeadError:
        """What to say of numbers that are no longer finite. What they have come to is kept beside the last good state.

        All processes find the same, and wait until the first has written it.
        """
        name = self.stage.name
        rate, rows = learning_rate(self.settings, failed.step - 1, self.total), self.batches.rows_of(failed.step - 1)
        kept = f"What it has come to, and which pictures that step saw, is kept in {self.failed_file.name}."
        if processes.leads():
            state = self._state()
            about = {
                "step": failed.step,
                "found_at": self.step,
                "terms": failed.terms,
                "values": dict(failed.values),
                "losses_before": list(failed.before),
                "lr": rate,
                "rows": rows.tolist(),
                "pictures": [self.names[row] for row in rows] if self.names else None,
                "not_finite": [k for k, v in state.items() if k not in self.never_finite and not v.isfinite().all()],
                "identity": self.identity,
            }
            try:
                checkpoint.save(self.failed_file, "failed", state, about)
            except LeadError as error:  # a full disk must not hide what went wrong before
                kept = str(error)
        processes.most(False)
        return LeadError(
            f"{failed.text(name, self.total, rate)} {kept} {self._kept()} If it fails there again, train into another "
            f"--out with a lower {name}.lr, which is {self.settings.lr:g}, a longer {name}.warmup, or {name}.clip=1."
        )

    def save(self) -> None:
        """Writes everything that the next step depends on. The first process does; the others wait for it.

        One that went on to stop would have its launcher end the first, which may still be writing.
        """
        if processes.leads():
            meta = {"step": self.step, "identity": self.identity, "collapsed_since": self.collapsed_since}
            checkpoint.save(self.state_file, "state", self._state(), meta)
        processes.most(False)
        self.saved = self.step

    def _restore(self) -> int:
        if not self.state_file.exists():
            return 0
        tensors, meta = checkpoint.load(self.state_file, "state")
        if meta["identity"] != self.identity:
            raise LeadError(
                f"{self.state_file} belongs to other settings or other pictures, or to a teacher with other weights. "
                "Give another --out, or delete it."
            )
        checkpoint.restore(self.stage, tensors, "stage")
        checkpoint.unpack_optimiser(self.optimiser, tensors)
        self.collapsed_since = meta["collapsed_since"]
        step: int = meta["step"]
        return step


def _same_for_all(step: int, state_file: Path) -> int:
    """The step, if all processes are at the same. Waits for all."""
    least, most = -processes.most(-step), processes.most(step)
    if least != most:
        raise LeadError(
            f"The processes do not see the same {state_file}: some are at step {least}, others at {most}. "
            "Give --out a folder that all machines share."
        )
    return step


def spread(vectors: Tensor) -> Tensor:
    """How far unit vectors (N, D) of all processes lie from one another: 0 all alike, about 1 all over the sphere."""
    unit = nn.functional.normalize(vectors.detach().float(), dim=-1)
    mean = processes.total(unit.mean(0)) / processes.count()
    return (processes.total((unit - mean).square().mean(0).sum()) / processes.count()).sqrt()
