"""The two stages as a run goes through them: what each learns from, keeps, and does where memory runs out."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lead import checkpoint, processes
from lead.config import ExactPrecision, Settings, StageSettings, check, to_yaml
from lead.errors import LeadError
from lead.files import write_atomic
from lead.provenance import commit, versions
from lead.reporting import Report, Say, silent
from lead.seeds import mixed_seed, run_identity
from lead.training.distill import Distill
from lead.training.engine import TrainingLoop
from lead.training.failure import SMALLEST, OutOfMemory
from lead.training.launch import check_batch, make_fabric
from lead.training.precision import fastest_precision
from lead.training.pretrain import Byol, Moco
from lead.training.run import (
    BACKBONE,
    STUDENT,
    Run,
    TrainingPictures,
    claim,
)
from lead.training.teacher import Teacher, load_teacher

Work = Callable[["Run", "TrainingPictures", Report], None]
"""A stage: :func:`pretrain` or :func:`distill`."""


def join(settings: Settings, stage: str, say: Say) -> None:
    """Joins the processes that were started together, if any, and checks that each can have a part of every batch."""
    make_fabric("32-true")
    if processes.count() == 1 and (found := torch.cuda.device_count()) > 1:
        say(f"One of {found} GPUs is used. For all, begin the command: torchrun --nproc-per-node {found} -m lead.cli")
    for name, batch in (("pretrain", settings.pretrain.batch), ("distill", settings.distill.batch)):
        if stage in {"both", name}:
            check_batch(name, batch)


def pretrain(run: Run, pictures: TrainingPictures, report: Report = silent) -> None:
    """Stage 1. Resumes where it was interrupted; does nothing if it is done."""
    if processes.most(run.has_backbone):
        return
    settings = run.settings.pretrain
    backbone = run.initial_backbone()
    if settings.total_steps(len(pictures.rows)) > 0:
        torch.manual_seed(mixed_seed(run.settings.seed, "pretrain", "heads"))
        kinds: dict[str, type[Byol] | type[Moco]] = {"byol": Byol, "moco": Moco}
        stage = kinds[settings.objective](backbone, settings, run.settings.picture)
        training = _training(run, stage, settings, "sgd", pictures)
        training.run(report)
        backbone = stage.backbone
    _keep(run.folder / BACKBONE, "backbone", backbone, Byol.name, _origin(run, pictures))


def distill(run: Run, pictures: TrainingPictures, report: Report = silent) -> None:
    """Stage 2. Needs stage 1, or a teacher from outside; resumes where it was interrupted; does nothing if it is done.

    Without stage 1 the student starts as stage 1 would have.
    """
    if processes.most(run.has_student):
        return
    settings = run.settings.distill
    teacher = load_teacher(settings.teacher)
    start = run.initial_backbone() if teacher and not processes.most(run.has_backbone) else None
    torch.manual_seed(mixed_seed(run.settings.seed, "distill", "heads"))
    encoder = start or run.backbone()
    levels, picture = run.settings.hypercolumn, run.settings.picture
    stage = Distill(encoder, settings, levels, picture, teacher.network if teacher else None)
    if teacher:
        run.record(teacher=teacher.origin)
    training = _training(run, stage, settings, settings.optimiser, pictures, teacher)
    training.run(report)
    _keep(run.folder / STUDENT, "student", stage.student, stage.name, _origin(run, pictures, teacher))


def smaller_until_it_fits(work: Work, run: Run, pictures: TrainingPictures, report: Report, say: Say) -> Run:
    """A stage, begun anew with half the batch as long as memory runs out in it before its first checkpoint.

    The run is then that of the smaller batch, to the bit: its settings say so, and ``retries`` in ``run.json`` how that
    came about. Later, when there is a state, another batch would make it another training, and the error stands.

    Adding up the gradients of two halves would not be the whole batch's training either: BatchNorm would see half as
    many pictures, and so would every loss that compares pictures with one another.

    Raises:
        OutOfMemory: no smaller batch will do, or the stage has a state already.
        LeadError: as ``work``.
    """
    while True:
        try:
            work(run, pictures, report)
        except OutOfMemory as error:
            run = _with_half_the_batch(run, error, say)
        else:
            return run
        claim(run, pictures)  # which says how many steps there are
        gc.collect()  # what the error held on to
        torch.cuda.empty_cache()


def _with_half_the_batch(run: Run, error: OutOfMemory, say: Say) -> Run:
    """A run that :func:`smaller_until_it_fits` may try next; it is recorded. Raises the error if there is none."""
    stage: StageSettings = getattr(run.settings, error.stage)
    if not error.anew or stage.batch < 2 * SMALLEST:
        raise error
    batch = stage.batch // 2
    share = batch / stage.batch
    # As many pictures are seen, in more steps, each of which moves the weights less: in proportion for SGD (Goyal et
    # al. 2017), by the root for Adam, whose steps do not grow with the gradient (Malladi et al. 2022).
    adam = error.stage == Distill.name and run.settings.distill.optimiser == "adamw"
    steps = None if stage.steps is None else round(stage.steps / share)
    new: dict[str, Any] = {"batch": batch, "lr": stage.lr * (math.sqrt(share) if adam else share), "steps": steps}
    old = {name: getattr(stage, name) for name in new}
    tree = run.settings.model_dump()
    tree[error.stage] |= new
    try:
        smaller = replace(run, settings=check(tree, f"{error.stage}.batch={batch}"))
    except LeadError:  # a batch that holds too few pictures for another setting
        raise error from None
    retry = {"stage": error.stage, "step": error.step, "cause": error.cause, "from": old, "to": new}
    write_atomic(smaller.folder / "settings.yaml", to_yaml(smaller.settings), overwrite=True)
    smaller.record(retries=[*smaller.provenance.get("retries", []), retry])
    changes = [f"{error.stage}.{name}={value}, not {old[name]}" for name, value in new.items() if value is not None]
    say(f"Memory ran out at step {error.step} of {error.stage} ({error.cause}). It begins anew: {'; '.join(changes)}.")
    return smaller


def as_retried(folder: Path, settings: Settings) -> Settings:
    """Settings as :func:`smaller_until_it_fits` has changed them in a run, so that the same command goes on with it.

    Raises:
        LeadError: there are several processes, where the others wait for the one whose memory ran out.
    """
    if processes.count() > 1:
        raise LeadError("Several processes cannot retry with a smaller batch. Leave --retry-smaller out.")
    for retry in Run(folder, settings).provenance.get("retries", []):
        stage: StageSettings = getattr(settings, retry["stage"])
        if all(getattr(stage, name) == value for name, value in retry["from"].items()):
            settings = settings.model_copy(update={retry["stage"]: stage.model_copy(update=retry["to"])})
    return settings


def _keep(file: Path, kind: str, network: nn.Module, stage: str, origin: dict[str, Any]) -> None:
    """Writes what a stage made, in the first process; the others wait until they see it."""
    if processes.leads():
        checkpoint.save(file, kind, network.state_dict(), origin)
        (file.parent / f"{stage}-state.safetensors").unlink(missing_ok=True)
    processes.await_file(file)


def _training(
    run: Run,
    stage: Byol | Moco | Distill,
    settings: StageSettings,
    optimiser: str,
    pictures: TrainingPictures,
    teacher: Teacher | None = None,
) -> TrainingLoop:
    # Neither stage depends on the supervised baseline's settings. Of a teacher from outside its weights count.
    chosen = run.settings.model_dump(mode="json", exclude={"supervised": True, "distill": {"teacher": {"download"}}})
    if run.settings.distill.teacher.model is None:
        del chosen["distill"]["teacher"]
    known = [teacher.origin] if teacher else []
    identity = run_identity(chosen, pictures.store.digest, pictures.rows.tolist(), *known)
    return TrainingLoop(
        stage,
        settings,
        optimiser=optimiser,
        pixels=pictures.store.pixels,
        rows=pictures.rows,
        folder=run.folder,
        seed=run.settings.seed,
        fabric=make_fabric(_precision(run)),
        identity=identity,
        names=pictures.store.files,
        upkeep=run.upkeep,
    )


def _precision(run: Run) -> ExactPrecision:
    """What ``auto`` comes to: measured once, so that a run goes on in the precision in which it began."""
    settings = run.settings
    if settings.precision != "auto":
        return settings.precision
    with processes.in_turn():
        found = run.provenance.get("precision") or fastest_precision(
            settings.backbone.name, settings.picture.input, settings.distill.batch
        )
        run.record(precision=found)
    chosen: ExactPrecision = found
    return chosen


def _origin(run: Run, pictures: TrainingPictures, teacher: Teacher | None = None) -> dict[str, Any]:
    origin: dict[str, Any] = {"teacher": teacher.origin} if teacher else {}
    return origin | {
        "settings": run.settings.model_dump(mode="json"),
        "pictures": {"name": pictures.dataset.name, "count": len(pictures.rows), "digest": pictures.store.digest},
        "versions": versions(),
        "commit": commit(),
    }


def learnt(
    run: Run, pictures: TrainingPictures, done: dict[str, bool], retry_smaller: bool, report: Report, say: Say
) -> Run:
    """A run with the stages in ``done``, each of which is trained unless it is done already."""
    works: dict[str, Work] = {"pretrain": pretrain, "distill": distill}
    for name in done:
        if done[name]:
            say(f"{name}: done already.")
            continue
        with _timed(run, name):
            if retry_smaller:
                run = smaller_until_it_fits(works[name], run, pictures, report, say)
            else:
                works[name](run, pictures, report)
    return run


@contextmanager
def _timed(run: Run, stage: str) -> Iterator[None]:
    """Records how long a stage took; of one that is interrupted and goes on in a later call, the sum."""
    started = time.monotonic()
    try:
        yield
    finally:
        spent = run.provenance.get(f"{stage}_seconds", 0.0) + time.monotonic() - started
        run.record(**{f"{stage}_seconds": round(spent, 1)})
