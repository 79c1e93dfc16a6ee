"""A run: one folder with settings, logs, checkpoints and the networks that two stages made of a folder of pictures."""

from __future__ import annotations

import gc
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from lead import checkpoint, processes
from lead.config import ExactPrecision, Settings, StageSettings, check, to_yaml
from lead.config_text import parse
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.features import make_student
from lead.files import default_cache, printable, read_text, write_atomic
from lead.images.build import open_store
from lead.images.store import ImageStore
from lead.nn.backbone import Backbone
from lead.nn.student import AnyStudent
from lead.provenance import commit, versions
from lead.reporting import Report, silent
from lead.seeds import mixed_seed, run_identity
from lead.training.distill import Distill
from lead.training.engine import FAILED, UPKEEP, Training, Upkeep
from lead.training.failure import SMALLEST, OutOfMemory
from lead.training.launch import make_fabric
from lead.training.precision import fastest_precision
from lead.training.pretrain import Byol, Moco
from lead.training.teacher import Teacher, load_teacher

TRAINED_ON = "trained_on"
"""The key under which records keep :attr:`Pictures.identity`."""
FEWEST = 8
"""Pictures below which nothing can be learnt."""

Work = Callable[["Run", "Pictures", Report], None]
"""A stage: :func:`pretrain` or :func:`distill`."""

BACKBONE, STUDENT = "backbone.safetensors", "student.safetensors"
STAGE_TWO = {"distill", "hypercolumn"}
"""Settings that nothing before stage 2 depends on."""


@dataclass(frozen=True)
class Run:
    """The folder of a run.

    Attributes:
        folder: holds ``settings.yaml``, ``run.json``, ``metrics.jsonl``, ``tensorboard/`` and the networks.
        settings: with which it was made.
        upkeep: when its trainings look at themselves, save and give up.
    """

    folder: Path
    settings: Settings
    upkeep: Upkeep = field(default=UPKEEP, compare=False)

    @classmethod
    def open(cls, folder: Path | str) -> Run:
        """An existing run. Raises :class:`LeadError` if the folder holds none."""
        folder = Path(folder)
        file = folder / "settings.yaml"
        if not file.is_file():
            raise LeadError(
                f"{folder} is not a run: it has no settings.yaml. Make one with: lead train DATA --out {folder}"
            )
        return cls(folder, check(parse(read_text(file), str(file)), str(file)))

    @classmethod
    def create(cls, folder: Path, settings: Settings, upkeep: Upkeep = UPKEEP) -> Run:
        """A new run, or the one that is there if it was made with equal settings. Errors as :meth:`plan`."""
        run = cls.plan(folder, settings, upkeep)
        if not processes.leads():
            return run
        if not run.has_begun:
            same = (folder / "settings.yaml").exists() and cls.open(folder).settings == settings
            kept = run.provenance.get("retries") if same else None  # of how they became what they are
            write_atomic(folder / "settings.yaml", to_yaml(settings), overwrite=True)
            (folder / "run.json").unlink(missing_ok=True)
            if kept:
                run.record(retries=kept)
        elif cls.open(folder).settings != settings:  # of stage 2, which has not begun
            write_atomic(folder / "settings.yaml", to_yaml(settings), overwrite=True)
        return run

    @classmethod
    def plan(cls, folder: Path, settings: Settings, upkeep: Upkeep = UPKEEP) -> Run:
        """What :meth:`create` would return; nothing is written.

        Raises:
            LeadError: the folder holds something else, or networks that other settings made.
        """
        run = cls(folder, settings, upkeep)
        if (folder / "settings.yaml").exists():
            there = cls.open(folder).settings
            free = STAGE_TWO if run.has_stage_one_alone else set()
            if run.has_begun and (differing := _differences(there, settings, free)):
                raise LeadError(
                    f"{folder} holds a run with other settings ({', '.join(differing)}). "
                    "Give another --out, or the same settings to go on with it."
                )
        elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise LeadError(f"{folder} exists and is not a run. Give --out a new or empty folder.")
        return run

    @property
    def has_begun(self) -> bool:
        """Whether a training has left anything that depends on the settings."""
        return any(not file.name.endswith(FAILED) for file in self.folder.glob("*.safetensors"))

    @property
    def has_backbone(self) -> bool:
        return (self.folder / BACKBONE).exists()

    @property
    def has_stage_one_alone(self) -> bool:
        """Whether stage 1 is done and stage 2 has left nothing: its settings may still change."""
        state = self.folder / f"{Distill.name}-state.safetensors"
        return self.has_backbone and not self.has_student and not state.exists()

    @property
    def has_student(self) -> bool:
        return (self.folder / STUDENT).exists()

    def initial_backbone(self) -> Backbone:
        """The encoder before any training, from the run's seed."""
        torch.manual_seed(mixed_seed(self.settings.seed, "init"))
        return self._network(self.settings.backbone.init)

    def untrained_backbone(self) -> Backbone:
        """The same network with random weights."""
        torch.manual_seed(mixed_seed(self.settings.seed, "untrained"))
        return self._network()

    def _network(self, init: str = "random") -> Backbone:
        return Backbone(self.settings.backbone.name, init, self.settings.picture.input)

    def backbone(self) -> Backbone:
        """Stage 1's network: stage 2's start, and its teacher unless the settings name another."""
        tensors, _ = checkpoint.load(self.folder / BACKBONE, "backbone")
        network = self._network()
        checkpoint.load_exactly(network, tensors, str(self.folder / BACKBONE))
        return network

    def student(self) -> AnyStudent:
        """Stage 2's network."""
        tensors, _ = checkpoint.load(self.folder / STUDENT, "student")
        settings = self.settings
        network = make_student(self._network(), settings.distill, settings.hypercolumn)
        checkpoint.load_exactly(network, tensors, str(self.folder / STUDENT))
        return network

    @property
    def commit(self) -> str:
        """Of the code that made the run's last network."""
        file, kind = (STUDENT, "student") if self.has_student else (BACKBONE, "backbone")
        made: str = checkpoint.read_meta(self.folder / file, kind)["commit"]
        return made

    def record(self, **entries: Any) -> None:
        """Adds entries to ``run.json``: pictures, versions, seconds. Of several processes, the first does."""
        if not processes.leads():
            return
        file = self.folder / "run.json"
        known: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        write_atomic(file, json.dumps(known | entries, indent=1), overwrite=True)

    @property
    def provenance(self) -> dict[str, Any]:
        """What ``run.json`` holds."""
        file = self.folder / "run.json"
        found: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return found


def _differences(old: Settings, new: Settings, free: set[str]) -> list[str]:
    """What settings differ in, but for the groups that are ``free`` to."""

    def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, value in tree.items():
            out |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        return out

    before, after = flat(old.model_dump(exclude=free)), flat(new.model_dump(exclude=free))
    return [f"{k}: {before[k]} there, {after[k]} here" for k in after if before.get(k) != after[k]]


@dataclass(frozen=True)
class Pictures:
    """What a run trains on: a dataset's store, and the rows that training may see."""

    dataset: Dataset
    store: ImageStore
    rows: npt.NDArray[np.int64]

    @property
    def identity(self) -> str:
        """A short digest of these pictures, as they are stored and chosen."""
        return run_identity(self.store.digest, self.rows.tolist())


def open_pictures(
    dataset: Dataset, settings: Settings, *, progress: Callable[[int, int], None] | None = None
) -> Pictures:
    """Decodes a dataset's pictures, or finds them decoded, and keeps those that training may see.

    Raises:
        LeadError: fewer than ``FEWEST`` pictures can be used.
    """
    with processes.in_turn(machine=True):  # the first of a machine builds the store, the others find it
        store = open_store(
            dataset.root, dataset.files, settings.picture.store, default_cache(), boxes=dataset.boxes, progress=progress
        )
    allowed = {dataset.files[i] for i in training_rows(dataset, settings)}
    rows = np.array([i for i, file in enumerate(store.files) if file in allowed], dtype=np.int64)
    if len(rows) < FEWEST:
        left = f"{len(rows)} picture{'' if len(rows) == 1 else 's'}"
        raise LeadError(f"{dataset.root} has {left} to train on; at least {FEWEST} are needed.")
    return Pictures(dataset, store, rows)


def held_out(dataset: Dataset, share: float, seed: int) -> set[str]:
    """The identities kept out of training for choosing settings: a seeded ``share`` of those of ``train``.

    Raises:
        LeadError: an identity is unknown, or the share comes to none or all of them.
    """
    if share == 0:
        return set()
    names = sorted({dataset.identity[i] for i in dataset.rows("train")})
    if "" in names:
        raise LeadError(
            f"validation={share} holds identities out, but {dataset.root} does not say whom every picture shows. "
            "Give the identities in images.csv, or train with validation=0."
        )
    count = round(share * len(names))
    if not 0 < count < len(names):
        raise LeadError(
            f"validation={share} would hold out {count} of the {len(names)} identities of {dataset.root}. "
            "Give a share that leaves some out and some in, or 0."
        )
    order = np.random.default_rng(mixed_seed(seed, "validation")).permutation(len(names))
    return {names[i] for i in order[:count]}


def training_rows(dataset: Dataset, settings: Settings) -> list[int]:
    """Indices into ``dataset.files`` of the ``train`` split, less the identities held out."""
    out = held_out(dataset, settings.validation, settings.validation_seed)
    return [i for i in dataset.rows("train") if dataset.identity[i] not in out]


def claim(run: Run, pictures: Pictures) -> None:
    """Records what a run trains on, once. Raises :class:`LeadError` if it has trained on something else."""
    identity = pictures.identity
    known = run.provenance.get(TRAINED_ON, identity)
    if known != identity and run.has_begun:
        raise LeadError(
            f"{run.folder} was begun on other pictures than those of {pictures.dataset.root} now (some were added, "
            "removed or changed). Give another --out."
        )
    run.record(
        **{TRAINED_ON: identity},
        pictures=len(pictures.rows),
        digest=pictures.store.digest,
        skipped=[[printable(name), reason] for name, reason in pictures.store.skipped],
        pretrain_steps=run.settings.pretrain.total_steps(len(pictures.rows)),
    )


def pretrain(run: Run, pictures: Pictures, report: Report = silent) -> None:
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


def distill(run: Run, pictures: Pictures, report: Report = silent) -> None:
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


def smaller_until_it_fits(work: Work, run: Run, pictures: Pictures, report: Report, say: Callable[[str], None]) -> Run:
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


def _with_half_the_batch(run: Run, error: OutOfMemory, say: Callable[[str], None]) -> Run:
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
    pictures: Pictures,
    teacher: Teacher | None = None,
) -> Training:
    # Neither stage depends on the supervised baseline's settings. Of a teacher from outside its weights count.
    chosen = run.settings.model_dump(mode="json", exclude={"supervised": True, "distill": {"teacher": {"download"}}})
    if run.settings.distill.teacher.model is None:
        del chosen["distill"]["teacher"]
    known = [teacher.origin] if teacher else []
    identity = run_identity(chosen, pictures.store.digest, pictures.rows.tolist(), *known)
    return Training(
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


def _origin(run: Run, pictures: Pictures, teacher: Teacher | None = None) -> dict[str, Any]:
    origin: dict[str, Any] = {"teacher": teacher.origin} if teacher else {}
    return origin | {
        "settings": run.settings.model_dump(mode="json"),
        "pictures": {"name": pictures.dataset.name, "count": len(pictures.rows), "digest": pictures.store.digest},
        "versions": versions(),
        "commit": commit(),
    }
