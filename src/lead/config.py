"""Every setting: typed, documented where it is defined, checked, and round-tripping through YAML."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import (
    AfterValidator,
    Field,
    model_validator,
)

from lead.config_text import Section, assign, checked, parse
from lead.errors import LeadError, unknown
from lead.files import read_text
from lead.images.showing import Range, Showing

Share = tuple[float, float]
Weight = Annotated[float, Field(ge=0)]
LONGEST, LARGEST = 10**9, 2**20
"""The most steps or passes, and the largest batch or width, that can be meant; more than either holds is refused."""
WIDEST = 2**11
"""Channels that a model file may ask for: a number that a stranger wrote there must not fill the memory."""
ExactPrecision = Literal["32-true", "bf16-mixed"]
Precision = Literal["auto", ExactPrecision]
TERMS = ("alignment", "equivariance", "exchange", "projector", "dve")
"""Stage 2's objectives, each with a weight of its own."""
TIMM = "timm:"
"""Before a timm model's name where other kinds of model may be named one day."""


UPRIGHT, ALL_ROUND = 20.0, 180.0
"""Degrees by which views turn, where their settings say auto."""
FARTHEST = 4.0
"""The largest side of a view, in sides of the picture: there the picture fills a sixteenth of it, and the rest is its
continued edge."""
ALIKE, DIFFERENT = (0.6, 1.1), (0.35, 1.1)
"""How far views scale where their settings say auto, for things that are much alike in size, and that are not."""


def _range_of_sides(value: str | Share) -> str | Share:
    if isinstance(value, tuple) and not 0 < value[0] <= value[1]:
        raise ValueError(f"must be (least, most) with 0 < least <= most, not {value}")
    if isinstance(value, tuple) and value[1] > FARTHEST:
        raise ValueError(
            f"must be at most {FARTHEST:g}, not {value[1]:g}: a view of so many sides of the picture shows hardly "
            "anything of it. 1 is all of the picture"
        )
    return value


class PictureSettings(Section):
    store: int = Field(136, ge=16, le=2048)
    """Side in pixels of the squares in which pictures are stored; the longer side of a picture fills it."""
    frame: float = Field(1.0, gt=0, le=1)
    """Central share of the stored square that the network is shown at inference (the paper: 96/136)."""
    input: int = Field(96, ge=32, le=1024)
    """Side in pixels of the network's input, for views and at inference; a multiple of 32."""
    contrast: Literal["auto"] | Range = "auto"
    """The values (black, white) of pictures of more than 8 bits whose files state no range. auto: measured over the
    folder as training begins."""
    page: Annotated[int, Field(ge=1)] | Literal["max", "mean"] = 1
    """Of stacks: the page's number, or each pixel's greatest or mean value over all pages."""
    channel: Literal["auto", "rgb"] | Annotated[int, Field(ge=1)] = "auto"
    """Of pictures of several channels that are not colours: its number, or rgb for the first three. auto: none, such
    pictures are skipped."""

    @model_validator(mode="after")
    def _divisible(self) -> Self:
        if self.input % 32:
            raise ValueError(f"picture.input must be a multiple of 32, not {self.input}")
        if self.contrast != "auto" and not self.contrast[0] < self.contrast[1]:
            raise ValueError(f"picture.contrast must be (black, white) with black < white, not {self.contrast}")
        return self

    @property
    def showing(self) -> Showing:
        """How pictures' values are shown."""
        contrast = None if self.contrast == "auto" else self.contrast
        return Showing(contrast, self.page, None if self.channel == "auto" else self.channel)

    def shown(self, showing: Showing) -> Self:
        """The same, with what was measured for ``auto``."""
        return self.model_copy(update={"contrast": showing.contrast or "auto"})


class BackboneSettings(Section):
    name: str = "resnet50"
    """Any timm network with feature maps, vision transformers included."""
    init: str = "random"
    """First weights: random, timm (downloads), efficientnet-lite0 (the weights extra), or a weights file."""


class HypercolumnSettings(Section):
    weights: tuple[Weight, Weight, Weight, Weight] = (1.0, 1.0, 1.0, 1.0)
    """Factor of each level, finest first; 0 leaves a level out."""
    normalisation: Literal["none", "level", "centred"] = "none"
    """none: concatenated as is (the paper). level: each a unit vector. centred: less the picture's mean first."""

    @model_validator(mode="after")
    def _has_a_level(self) -> Self:
        if not any(self.weights):
            raise ValueError(f"weights={list(self.weights)} is nothing: give at least one of the levels a weight")
        return self


class ViewSettings(Section):
    draws: Literal["uniform", "resized-crop", "normal"] = "uniform"
    """uniform: within the ranges below. resized-crop: torchvision's RandomResizedCrop, of the area that scale squared
    says, wholly within the picture. normal: as DVE, with half of scale's range, shift and rotation as deviations."""
    scale: Annotated[Literal["auto"] | Share, AfterValidator(_range_of_sides)] = (0.35, 1.0)
    """Seen side as a share of the stored side, at most 4; drawn log-uniformly if draws is uniform. auto: 0.6 to 1.1; in
    stage 2 (distill.views.scale) 0.35 to 1.1 where the folder shows, as training begins, that things differ in size."""
    shift: float = Field(0.2, ge=0, le=1)
    """The view's centre moves by up to this, each way, in half-sides of the picture."""
    rotation: Literal["auto"] | Annotated[float, Field(ge=0, le=180)] = 0.0
    """Degrees, each way. auto: 20; in stage 2 (distill.views.rotation) 180 where the folder shows, as training begins,
    that things lie any way."""
    stretch: float = Field(0.1, ge=0, le=1)
    """Aspect ratio up to 1 plus this."""
    bend: Share = (0.0, 0.0)
    """Thin-plate-spline weights (a, b) of the second view, as in DVE; (0, 0) bends nothing."""
    jitter: float = Field(0.4, ge=0, le=1)
    """Brightness, contrast and saturation vary by up to this."""
    hue: float = Field(0.1, ge=0, le=0.5)
    """Share of a turn of the colour wheel, each way."""
    grey: float = Field(0.1, ge=0, le=1)
    """Probability of a grey view."""
    blur: float = Field(0.3, ge=0, le=1)
    """Probability of a blurred view."""
    noise: float = Field(0.02, ge=0, le=1)
    """Largest standard deviation of additive noise, in units of full scale."""
    lighting: float = Field(0.0, ge=0, le=1)
    """Standard deviation of colour noise along the principal axes of natural pictures' colours (AlexNet's)."""
    jpeg: float = Field(0.0, ge=0, le=1)
    """Probability that a picture is resampled and compressed as JPEG before it is seen (ContrastLandmarks)."""

    @property
    def degrees(self) -> float:
        """Of :attr:`rotation`; where nobody looked at the folder, as for upright things."""
        return UPRIGHT if self.rotation == "auto" else self.rotation

    @property
    def sides(self) -> Share:
        """Of :attr:`scale`; where nobody looked at the folder, as for things that are much alike in size."""
        return ALIKE if self.scale == "auto" else self.scale


class StageSettings(Section):
    epochs: float = Field(200, ge=0, le=LONGEST)
    """Length in passes over the pictures."""
    steps: int | None = Field(None, ge=0, le=LONGEST)
    """Length in optimiser steps, in place of epochs. 0 skips the stage."""
    batch: int = Field(256, ge=2, le=LARGEST)
    """Pictures in a step."""
    lr: float = Field(0.03, gt=0)
    """Peak learning rate; cosine decay to 0."""
    warmup: float = Field(0.0, ge=0, lt=1)
    """Share of the steps over which the rate rises linearly."""
    weight_decay: float = Field(1e-4, ge=0)
    """Of every weight matrix; biases and normalisation are spared."""
    clip: float = Field(0.0, ge=0)
    """Largest gradient norm; 0 clips nothing."""
    frozen_batchnorm: bool = False
    """Keep the encoder's BatchNorm statistics as they start."""

    def total_steps(self, pictures: int) -> int:
        """Optimiser steps for a folder of ``pictures``."""
        if self.steps is not None:
            return self.steps
        return round(self.epochs * max(pictures // self.batch, 1))


class MocoSettings(Section):
    queue: int = Field(4096, ge=1, le=LARGEST)
    """Keys of earlier pictures that each is compared with."""
    temperature: float = Field(0.07, gt=0)
    """Of the softmax over them."""
    ema: float = Field(0.999, ge=0, le=1)
    """Momentum of the key encoder, constant."""
    dimension: int = Field(128, ge=1, le=LARGEST)
    """Of queries and keys: one linear layer on the averaged map."""
    views: ViewSettings = ViewSettings(
        draws="resized-crop",
        scale=(0.2**0.5, 1.0),
        shift=0.0,
        stretch=1 / 3,
        hue=0.0,
        grey=0.0,
        blur=0.0,
        noise=0.0,
        lighting=0.1,
        jpeg=1.0,
    )
    """The two views of a picture."""


class PretrainSettings(StageSettings):
    objective: Literal["byol", "moco"] = "byol"
    """byol: the paper's. moco: its peer's, as ContrastLandmarks trains it; its own settings are under moco."""
    ema: float = Field(0.99, ge=0, le=1)
    """First momentum of the target network; it rises to 1 by BYOL's cosine schedule."""
    hidden: int = Field(4096, ge=1, le=LARGEST)
    """Hidden width of the projector and the predictor."""
    projection: int = Field(256, ge=1, le=LARGEST)
    """Their output's dimension."""
    views: ViewSettings = ViewSettings()
    """The two views of a picture."""
    moco: MocoSettings = MocoSettings()
    """Of objective moco; batch, length and rate are shared with byol."""


class TeacherSettings(HypercolumnSettings):
    model: str | None = None
    """A frozen pre-trained model in place of stage 1's network: timm:NAME, or timm:NAME@FILE with its weights in a file
    of yours. null: stage 1's, to which the rest here does not apply."""
    download: bool = False
    """Fetch its weights where they are not on this machine yet."""
    input: int | None = Field(None, ge=32, le=2048)
    """Side in pixels to which each view is resized for it; null for the size that it was trained at."""
    weights: tuple[Weight, Weight, Weight, Weight] = (0.0, 0.0, 0.0, 1.0)
    """Factor of each of its levels, first to last; 0 leaves a level out. Of a vision transformer these are four blocks
    evenly spread over its depth."""

    @property
    def name(self) -> str:
        """timm's name of the model; empty where there is none."""
        return (self.model or "").removeprefix(TIMM).partition("@")[0]

    @property
    def file(self) -> Path | None:
        """The file that the model names."""
        path = (self.model or "").partition("@")[2]
        return Path(path) if path else None

    @model_validator(mode="after")
    def _well_formed(self) -> Self:
        if self.model is not None and not (self.model.startswith(TIMM) and self.name):
            raise ValueError(f"model is written timm:NAME or timm:NAME@FILE, not {self.model!r}")
        return self


class DistillSettings(StageSettings):
    epochs: float = Field(20, ge=0, le=LONGEST)
    """Length in passes over the pictures."""
    optimiser: Literal["sgd", "adamw"] = "sgd"
    """The paper does not name stage 2's; sgd is stage 1's."""
    encoder_lr: float = Field(1.0, ge=0)
    """Learning rate of the encoder as a share of the pyramid's."""
    dimension: int = Field(64, ge=1, le=WIDEST)
    """C, the feature's dimension."""
    decoder: Literal["pyramid", "linear"] = "pyramid"
    """pyramid: the paper's. linear: ContrastLandmarks' one 1×1 convolution of the frozen hypercolumn."""
    spatial_softmax: float | None = Field(None, gt=0)
    """linear only: factor of a softmax of each channel over the cells, after the convolution; null for none."""
    width: int = Field(128, ge=1, le=WIDEST)
    """Channels within the pyramid."""
    projection: int | None = Field(256, ge=1, le=WIDEST)
    """Output dimension of the head that training discards; null for none."""
    alignment: float = Field(1.0, ge=0)
    """Weight of the paper's objective: similarities follow the teacher's."""
    teacher: TeacherSettings = TeacherSettings()
    """Who teaches, if not stage 1's network."""
    alignment_pairs: Literal["views", "pictures"] = "pictures"
    """Between what: two views of one picture, or views of two pictures."""
    equivariance: float = Field(0.0, ge=0)
    """Weight of finding a cell in a warped copy of its picture."""
    exchange: float = Field(0.0, ge=0)
    """Weight of finding it through the features of another picture."""
    exchange_pictures: int = Field(1, ge=1, le=LARGEST)
    """Other pictures that each picture is exchanged through in a step."""
    projector: float = Field(0.0, ge=0)
    """Weight of ContrastLandmarks' objective: a cell finds itself in its own picture, at the root of the distance."""
    projector_scale: float = Field(7.0, gt=0)
    """Its factor on similarities; ContrastLandmarks takes 8 for 64 dimensions."""
    dve: float = Field(0.0, ge=0)
    """Weight of DVE's objective: exchange, at the root of the distance, with descriptors of length 20."""
    cells: int | None = Field(None, ge=1, le=LARGEST)
    """Cells that ask in each step of equivariance, exchange and dve, drawn anew; null for all. All cells answer."""
    temperature: float = Field(0.05, gt=0)
    """Of every softmax over the student's similarities."""
    teacher_temperature: float = Field(0.05, gt=0)
    """Of the softmax over the teacher's."""
    views: ViewSettings = ViewSettings()
    """The two views of a picture."""

    @model_validator(mode="after")
    def _learns_something(self) -> Self:
        if not any(getattr(self, term) for term in TERMS):
            raise ValueError(f"give at least one of {', '.join(TERMS)} a weight")
        if self.teacher.model and not self.alignment:
            raise ValueError("teacher.model is asked by the alignment term only: give it a weight, e.g. alignment=1")
        if self.spatial_softmax is not None and self.decoder != "linear":
            raise ValueError(f"spatial_softmax={self.spatial_softmax} needs decoder=linear, not {self.decoder}")
        if self.exchange_pictures >= self.batch:
            raise ValueError(
                f"exchange_pictures must be below batch, which is {self.batch}, not {self.exchange_pictures}"
            )
        return self


class SupervisedSettings(StageSettings):
    steps: int | None = Field(400, ge=0, le=LONGEST)
    """Length in optimiser steps; null for epochs."""
    batch: int = Field(32, ge=2, le=LARGEST)
    """Pictures in a step; few labelled ones are repeated until they fill it."""
    lr: float = Field(1e-3, gt=0)
    """Peak learning rate of AdamW; cosine decay to 0."""
    warmup: float = Field(0.05, ge=0, lt=1)
    """Share of the steps over which the rate rises linearly."""
    weight_decay: float = Field(1e-2, ge=0)
    """Of every weight matrix; biases and normalisation are spared."""
    clip: float = Field(5.0, ge=0)
    """Largest gradient norm; 0 clips nothing."""
    views: ViewSettings = ViewSettings(scale=(0.7, 1.1), shift=0.15, rotation=20.0)
    """The view of a labelled picture; its landmarks move along."""


class Settings(Section):
    seed: int = Field(0, ge=0, le=2**63 - 1)
    """Every random choice follows from this."""
    precision: Precision = "auto"
    """auto: whichever makes the backbone faster here, which is measured when a training begins, and recorded."""
    validation: float = Field(0.0, ge=0, lt=1)
    """Share of the training identities that no training sees, for choosing settings."""
    validation_seed: int = Field(0, ge=0, le=2**63 - 1)
    """Which identities those are."""
    picture: PictureSettings = PictureSettings()
    """Sizes."""
    backbone: BackboneSettings = BackboneSettings()
    """The encoder."""
    hypercolumn: HypercolumnSettings = HypercolumnSettings()
    """How the teacher's levels make one vector."""
    pretrain: PretrainSettings = PretrainSettings()
    """Stage 1."""
    distill: DistillSettings = DistillSettings()
    """Stage 2."""
    supervised: SupervisedSettings = SupervisedSettings()
    """The baseline that learns the student from labelled pictures alone."""

    @property
    def turned(self) -> bool:
        """Whether stage 2's views turn so far that things of any heading are alike to its features."""
        return self.distill.views.degrees > 90

    def with_rotation(self, degrees: float) -> Self:
        """The same, with what was found for stage 2's ``rotation: auto``."""
        return self._with_views(rotation=degrees)

    def with_scale(self, sides: Share) -> Self:
        """The same, with what was found for stage 2's ``scale: auto``."""
        return self._with_views(scale=sides)

    def _with_views(self, **found: Any) -> Self:
        views = self.distill.views.model_copy(update=found)
        return self.model_copy(update={"distill": self.distill.model_copy(update={"views": views})})


def presets() -> list[str]:
    """Names of the settings that ship with the package."""
    return sorted(p.name.removesuffix(".yaml") for p in (files("lead") / "presets").iterdir() if p.name[0] != "_")


def load_preset(name: str, assignments: Iterable[str] = ()) -> Settings:
    """A shipped preset, or a YAML file, with ``KEY=VALUE`` assignments applied.

    Raises:
        LeadError: for an unknown preset, key or value; it names the nearest valid one.
    """
    if name in presets():
        text = (files("lead") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
    elif _is_file(name):
        text = read_text(Path(name))
    else:
        raise LeadError(f"{unknown('preset', name, presets())} A YAML file of settings will do too.")
    tree = parse(text, name)
    for assignment in assignments:
        assign(tree, assignment)
    return check(tree, name)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except OSError:  # a name that is too long, say
        return False


def check(tree: Mapping[str, Any], where: str) -> Settings:
    """A checked :class:`Settings` from plain values. ``where`` names their origin in errors."""
    return checked(Settings, tree, where)


def to_yaml(settings: Settings) -> str:
    """Settings as YAML; :func:`check` of it gives equal settings."""
    return yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False)


def settings_hash(settings: Settings) -> str:
    """SHA-256 of settings, by which two models are seen to have been made with equal ones."""
    return hashlib.sha256(json.dumps(settings.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
