"""A run: one folder with settings, logs, checkpoints and the networks that two stages made of a folder of pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lead import checkpoint, processes
from lead.config import Settings, check, to_yaml
from lead.config_text import parse
from lead.datasets.base import Dataset
from lead.errors import LeadError
from lead.features import make_student
from lead.files import default_cache, printable, read_text, write_atomic
from lead.images.build import open_store
from lead.images.showing import Showing
from lead.images.store import ImageStore
from lead.images.survey import survey
from lead.nn.backbone import Backbone
from lead.nn.student import AnyStudent
from lead.reporting import Say, counted, unsaid
from lead.seeds import mixed_seed, run_identity
from lead.training.failure import FAILED
from lead.training.upkeep import UPKEEP, Upkeep

TRAINED_ON = "trained_on"
"""The key under which records keep :attr:`TrainingPictures.identity`."""
FEWEST = 8
"""Pictures below which nothing can be learnt."""


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
        settings = run.settings
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
            if run.has_begun:  # what it left open was measured then
                if settings.picture.contrast == "auto":
                    settings = with_contrast(settings, there.picture.showing)
                if settings.distill.views.rotation == "auto":
                    settings = settings.with_rotation(there.distill.views.degrees)
                if settings.distill.views.scale == "auto":
                    settings = settings.with_scale(there.distill.views.sides)
                run = cls(folder, settings, upkeep)
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
        state = self.folder / "distill-state.safetensors"
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


def with_contrast(settings: Settings, showing: Showing) -> Settings:
    """Settings that name the contrast with which pictures are shown, where they left it to be measured."""
    return settings.model_copy(update={"picture": settings.picture.shown(showing)})


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
class TrainingPictures:
    """What a run trains on: a dataset's store, and the rows that training may see."""

    dataset: Dataset
    store: ImageStore
    rows: npt.NDArray[np.int64]

    @property
    def identity(self) -> str:
        """A short digest of these pictures, as they are stored and chosen."""
        return run_identity(self.store.digest, self.rows.tolist())


def open_pictures(
    dataset: Dataset,
    settings: Settings,
    *,
    progress: Callable[[int, int], None] | None = None,
    say: Say = unsaid,
) -> TrainingPictures:
    """Decodes a dataset's pictures, or finds them decoded, and keeps those that training may see.

    A contrast that the settings leave open is that of the pictures that training may see.

    Args:
        dataset: with its splits.
        settings: of the run.
        progress: called as pictures are decoded.
        say: told what contrast was measured, and what of pictures is not looked at.

    Raises:
        LeadError: fewer than ``FEWEST`` pictures can be used.
    """
    allowed = {dataset.files[i] for i in training_rows(dataset, settings)}
    showing = survey(dataset.root, sorted(allowed), settings.picture.showing, say)
    with processes.in_turn(machine=True):  # the first of a machine builds the store, the others find it
        store = open_store(
            dataset.root,
            dataset.files,
            settings.picture.store,
            default_cache(),
            boxes=dataset.boxes,
            showing=showing,
            progress=progress,
        )
    rows = np.array([i for i, file in enumerate(store.files) if file in allowed], dtype=np.int64)
    if len(rows) < FEWEST:
        left = counted(len(rows), "picture")
        raise LeadError(f"{dataset.root} has {left} to train on; at least {FEWEST} are needed.")
    return TrainingPictures(dataset, store, rows)


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


def claim(run: Run, pictures: TrainingPictures) -> None:
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
        dataset=pictures.dataset.name,
        **({"sources": dict(pictures.dataset.sources)} if pictures.dataset.sources else {}),
        pictures=len(pictures.rows),
        digest=pictures.store.digest,
        skipped=[[printable(name), reason] for name, reason in pictures.store.skipped],
        pretrain_steps=run.settings.pretrain.total_steps(len(pictures.rows)),
    )
