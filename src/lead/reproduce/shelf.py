"""Trained stages, reductions and predictions, each made once and found again by what it depends on."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lead.api import train
from lead.config import DistillSettings, HypercolumnSettings, Settings
from lead.datasets.base import Dataset
from lead.experiments.bench import PREDICTIONS
from lead.files import replacing
from lead.reporting import Report, Say, silent, unsaid
from lead.seeds import run_identity
from lead.training.run import BACKBONE, Run, open_pictures
from lead.training.upkeep import UPKEEP, Upkeep


@dataclass
class Shelf:
    """A folder of runs on one dataset, and of what was predicted with them.

    Attributes:
        folder: made if missing. Deleting it loses time only.
        dataset: to train on.
        report: a training's progress.
        say: told what is being trained.
        upkeep: of the trainings.
    """

    folder: Path
    dataset: Dataset
    report: Report = silent
    say: Say = unsaid
    upkeep: Upkeep = UPKEEP

    def stage_one(self, settings: Settings) -> Run:
        """A run with stage 1, shared by all settings that differ in stage 2 only."""
        alone = settings.model_copy(update={"distill": DistillSettings(), "hypercolumn": HypercolumnSettings()})
        folder = self.folder / f"stage-1-{self._key(alone)}"
        if not (run := Run(folder, alone)).has_backbone:
            self.say(f"stage 1 ({settings.pretrain.objective}, from {settings.backbone.init}): {folder}")
            run = train(self.dataset, folder, settings=alone, stage="pretrain", report=self.report, upkeep=self.upkeep)
        return run

    def trained(self, settings: Settings) -> Run:
        """A run with both stages, trained now if it never was; an interrupted training goes on."""
        folder = self.folder / f"run-{self._key(settings)}"
        if (run := Run(folder, settings)).has_student:
            return run
        first = self.stage_one(settings)
        run = Run.create(folder, settings)
        if not run.has_backbone:
            with replacing(folder / BACKBONE) as partial:
                shutil.copyfile(first.folder / BACKBONE, partial)
            run.record(**{k: v for k, v in first.provenance.items() if k.startswith("pretrain")})
        terms = settings.distill.model_dump(include={"alignment", "equivariance", "exchange", "projector", "dve"})
        weights = ", ".join(f"{name} {weight:g}" for name, weight in terms.items() if weight)
        self.say(f"stage 2 ({weights}; {settings.distill.dimension}-d): {folder}")
        return train(self.dataset, folder, settings=settings, stage="distill", report=self.report, upkeep=self.upkeep)

    @property
    def predictions(self) -> Path:
        """Folder of what measurements predicted."""
        return self.folder / PREDICTIONS

    @property
    def reductions(self) -> Path:
        """Folder of fitted reductions."""
        return self.folder / "reductions"

    def _key(self, settings: Settings) -> str:
        pictures = open_pictures(self.dataset, settings)
        # Without defaults, so that a setting that a later version adds does not orphan what is here.
        chosen = settings.model_dump(mode="json", exclude_defaults=True, exclude={"supervised"})
        return run_identity(chosen, pictures.store.digest, pictures.rows.tolist())
