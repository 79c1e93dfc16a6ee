"""How processes, devices and precision are made ready for a training."""

from __future__ import annotations

import atexit
import inspect
import logging
import os
from typing import Any

import torch
import torch.distributed as dist
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.slurm import SLURMEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning_fabric.plugins.precision.amp import MixedPrecision
from lightning_fabric.strategies.ddp import DDPStrategy
from torch.nn.parallel import DistributedDataParallel

from lead import processes
from lead.config import ExactPrecision
from lead.errors import LeadError


class _Bfloat16(MixedPrecision):
    """bfloat16 within the networks alone: Fabric would round pictures and landmarks to it as they come in."""

    def __init__(self, device: str) -> None:
        super().__init__("bf16-mixed", device)

    def convert_input(self, data: Any) -> Any:
        return data


def make_fabric(precision: ExactPrecision) -> Fabric:
    """Fabric on the best device at hand.

    A process that torchrun or SLURM's srun has started takes one device and joins the others; by NCCL on GPUs, by Gloo
    on CPUs. It waits until all have called this.

    Raises:
        LeadError: there are fewer GPUs than processes, or srun was not told how many tasks to start on each machine.
    """
    kind = "cuda" if torch.cuda.is_available() else "cpu"
    environment, here, machines = launched()
    plugins: list[Any] = [environment, *([_Bfloat16(kind)] if precision == "bf16-mixed" else [])]
    if here * machines == 1:
        return Fabric(accelerator=kind, devices=1, plugins=plugins)
    if kind == "cuda" and torch.cuda.device_count() < here:
        raise LeadError(
            f"{here} processes on this machine need as many GPUs; {torch.cuda.device_count()} can be seen. Start one "
            "process for each GPU, and let each see all of its machine's (in SLURM: --gres=gpu:N, no --gpus-per-task)."
        )
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it announces each process
    # Buffers stay equal, so that none need sending at every step; torch 2.14 has another word for it.
    known = inspect.signature(DistributedDataParallel).parameters
    sending: dict[str, Any] = {
        "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers": False
    }
    strategy = DDPStrategy(static_graph=True, **sending)
    fabric = Fabric(
        accelerator=kind,
        devices=here,
        num_nodes=machines,
        strategy=strategy,
        plugins=plugins,
    )
    if machines == 1 and os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0":
        _meet_again(fabric)
    fabric.launch()
    return fabric


def _meet_again(fabric: Fabric) -> None:
    """Joins the processes that torchrun has started anew, in place of Fabric.

    They meet in the store where those before them met, whose addresses are still there. These are kept apart by the
    attempt's number, which is sure to be the same on one machine only.
    """
    if dist.is_initialized():
        return
    from torch.distributed.distributed_c10d import PrefixStore  # which are not in every build of torch
    from torch.distributed.rendezvous import rendezvous

    store, rank, count = next(rendezvous("env://"))
    mine = PrefixStore(f"attempt {os.environ['TORCHELASTIC_RESTART_COUNT']}", store)
    on_gpu = fabric.device.type == "cuda"
    device = fabric.device if on_gpu else None
    dist.init_process_group("nccl" if on_gpu else "gloo", store=mine, rank=rank, world_size=count, device_id=device)
    if on_gpu:
        atexit.register(dist.destroy_process_group)


def launched() -> tuple[ClusterEnvironment, int, int]:
    """Who started this process, how many it started on each machine, and on how many machines.

    Raises:
        LeadError: srun was not told how many tasks to start on each machine.
    """
    if TorchElasticEnvironment.detect():
        here = int(os.environ["LOCAL_WORLD_SIZE"])
        return TorchElasticEnvironment(), here, int(os.environ["WORLD_SIZE"]) // here
    tasks = int(os.environ.get("SLURM_STEP_NUM_TASKS", "1"))  # of srun; the job's own says nothing of this process
    if tasks == 1:
        return LightningEnvironment(), 1, 1
    if "SLURM_NTASKS_PER_NODE" not in os.environ:
        raise LeadError(f"srun started {tasks} tasks without --ntasks-per-node. Give it: one task for each GPU.")
    here = int(os.environ["SLURM_NTASKS_PER_NODE"])
    return SLURMEnvironment(), here, tasks // here


def check_batch(stage: str, batch: int) -> None:
    """Raises :class:`LeadError` if a stage's batch cannot be divided equally among the processes."""
    parts = processes.count()
    if batch % parts:
        below, above = batch // parts * parts, -(-batch // parts) * parts
        choices = f"{below} or {above}" if below else f"{above}"
        raise LeadError(
            f"{stage}.batch={batch} cannot be divided equally among {parts} processes. Give {stage}.batch={choices}, "
            "or start another number of processes."
        )
