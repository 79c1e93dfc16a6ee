"""What each line of a table is: changes to a preset, and which network's features are looked at.

Every line keeps the preset's backbone, resolution, batch, optimiser and number of steps; only what its name says
differs. ContrastLandmarks' own projector (``linear``) and DVE also bring their own views.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from lead.config import TERMS, MocoSettings, Settings, check, load_preset
from lead.config_text import set_value
from lead.experiments.baselines import ReductionKind

Network = Literal["student", "stage-1"]
Start = Literal["scratch", "pretrained"]

NO_TERM: dict[str, object] = {f"distill.{term}": 0.0 for term in TERMS}
HEAD = 256
"""Output dimension of the discarded head behind the paper's objective (Table 3's choice)."""
CL_FACTORS = {64: (6.5, 8.0), 128: (7.0, 7.0), 256: (7.0, 7.0)}
"""ContrastLandmarks' spatial softmax factor m and similarity factor T for each feature dimension."""
DVE_VIEWS = {
    "draws": "normal",
    "scale": (0.9, 1.1),
    "shift": 0.1,
    "rotation": 5.0,
    "stretch": 0.0,
    "bend": (0.001, 0.01),
}
"""DVE's training warps: deviations of scale, translation and rotation, and the spline's weights."""


@dataclass(frozen=True)
class Arm:
    """One way to make features.

    Attributes:
        method: its name in tables.
        changes: settings that differ from the preset's, by dotted key.
        network: whose features: the student's, or stage 1's hypercolumn.
        reduction: of the hypercolumn, with its dimension; None for the hypercolumn itself.
        variant: what the features column says besides the dimension.
    """

    method: str
    changes: Mapping[str, object]
    network: Network = "student"
    reduction: tuple[ReductionKind, int] | None = None
    variant: str = ""

    def settings(self, preset: Settings, seed: int) -> Settings:
        """The preset with this arm's changes; a preset without a stage 1 is given one as long as its stage 2."""
        tree = preset.model_dump()
        if preset.pretrain.steps == 0:
            tree["pretrain"]["steps"] = preset.distill.steps
            tree["pretrain"]["epochs"] = preset.distill.epochs
        tree["seed"] = seed
        for key, value in self.changes.items():
            set_value(tree, key, value)
        return check(tree, f"The arm {self.method}")


def stage_one(objective: str) -> Arm:
    """The hypercolumn after stage 1 (byol, moco), or before it (init)."""
    changes: dict[str, object] = {"pretrain.steps": 0} if objective == "init" else {"pretrain.objective": objective}
    return Arm(objective, changes, "stage-1")


def reduced(objective: str, kind: ReductionKind, dimension: int) -> Arm:
    """NMF or PCA of stage 1's hypercolumn, which trains nothing."""
    return Arm(f"{objective}+{kind}", stage_one(objective).changes, "stage-1", (kind, dimension))


def pyramid(objective: str, term: str, dimension: int = 64, *, head: int | None = HEAD) -> Arm:
    """The paper's architecture after stage 1 with one term alone: Table 6 varies nothing but the two objectives."""
    scale = CL_FACTORS[dimension][1]
    changes = NO_TERM | {
        "pretrain.objective": objective,
        f"distill.{term}": 1.0,
        "distill.dimension": dimension,
        "distill.projection": head,
        "distill.projector_scale": scale,
    }
    return Arm(f"{objective}+{term}", changes, variant=f"head {head}" if head else "no head")


def contrast_landmarks(dimension: int) -> Arm:
    """The peer whole: MoCo, then one linear map of the frozen hypercolumn with its spatial softmax and views."""
    sharpness, scale = CL_FACTORS[dimension]
    changes = NO_TERM | {
        "pretrain.objective": "moco",
        "distill.decoder": "linear",
        "distill.spatial_softmax": sharpness,
        "distill.projector": 1.0,
        "distill.projector_scale": scale,
        "distill.dimension": dimension,
        "distill.projection": None,
        "distill.views": MocoSettings().views.model_dump(),
    }
    return Arm("moco+projector", changes, variant="linear")


def dve() -> Arm:
    """DVE's objective with its warps, from the same start; it has no stage 1."""
    views = load_preset("paper").distill.views.model_copy(update=DVE_VIEWS)
    changes = NO_TERM | {
        "pretrain.steps": 0,
        "distill.dve": 1.0,
        "distill.projection": None,
        "distill.cells": None,
        "distill.views": views.model_dump(),
    }
    return Arm("dve", changes)


def default(preset: Settings) -> Arm:
    """Our default: `small`'s terms; without a stage 1 where the backbone starts pre-trained."""
    stage: dict[str, object] = {} if preset.backbone.init == "random" else {"pretrain.steps": 0}
    return Arm("lead", stage | _default_terms())


def as_long(arm: Arm, preset: Settings) -> Arm:
    """The arm with as many steps in all as one of both stages, where it has no stage 1."""
    if arm.changes.get("pretrain.steps") != 0 or arm.network == "stage-1":
        return arm
    first = preset.distill if preset.pretrain.steps == 0 else preset.pretrain  # as Arm.settings has it
    key = "epochs" if preset.distill.steps is None or first.steps is None else "steps"
    longer = {f"distill.{key}": getattr(preset.distill, key) + getattr(first, key)}
    return replace(arm, changes={**arm.changes, **longer})


def _default_terms() -> dict[str, object]:
    ours = load_preset("small").distill
    kept = (*TERMS, "exchange_pictures", "projection")
    return {f"distill.{key}": getattr(ours, key) for key in kept} | {"distill.views": ours.views.model_dump()}


def factorial(start: Start, term: str) -> Arm:
    """One cell of start × stage 2. From scratch stage 1 comes first, as in the paper; a pre-trained start skips it."""
    first: dict[str, object] = (
        {"backbone.init": "random", "pretrain.objective": "byol"} if start == "scratch" else {"pretrain.steps": 0}
    )
    views = {"distill.views": load_preset("small").distill.views.model_dump()}
    if term == "default":
        return Arm(f"{start}+lead", first | _default_terms())
    head = HEAD if term in ("alignment", "projector") else None
    own = NO_TERM | {f"distill.{term}": 1.0, "distill.projection": head, "distill.projector_scale": CL_FACTORS[64][1]}
    return Arm(f"{start}+{term}", first | own | views)
