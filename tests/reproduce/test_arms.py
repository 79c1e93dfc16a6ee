"""The lines of the tables: each trains the preset but for what its name says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lead.config import TERMS, MocoSettings, Settings, load_preset
from lead.errors import LeadError
from lead.reproduce.arms import (
    CL_FACTORS,
    Arm,
    as_long,
    contrast_landmarks,
    default,
    dve,
    factorial,
    pyramid,
    reduced,
    stage_one,
)
from lead.reproduce.tables import STAGE_TWO

DIMENSIONS = tuple(CL_FACTORS)
PRESETS = ("paper", "short", "small")
SHARED = [
    *("picture", "precision", "hypercolumn", "supervised", "validation", "backbone.name"),
    *(f"{stage}.{key}" for stage in ("pretrain", "distill") for key in ("batch", "lr", "warmup", "weight_decay")),
    *("distill.optimiser", "distill.encoder_lr", "distill.steps", "distill.epochs", "distill.width", "distill.clip"),
    *("pretrain.ema", "pretrain.hidden", "pretrain.projection", "pretrain.views", "pretrain.moco"),
]
"""What no line of any table changes."""


def arms(preset: Settings) -> list[Arm]:
    """Those of every table."""
    return [
        dve(),
        default(preset),
        *(stage_one(objective) for objective in ("init", "byol", "moco")),
        *(reduced("byol", kind, 64) for kind in ("nmf", "pca")),
        *(contrast_landmarks(dimension) for dimension in DIMENSIONS),
        *(pyramid(o, t, d) for o in ("byol", "moco") for t in ("alignment", "projector") for d in DIMENSIONS),
        *(pyramid("byol", "alignment", head=head) for head in (None, 64)),
        *(factorial(start, term) for start in ("pretrained", "scratch") for term in STAGE_TWO),
    ]


@pytest.mark.parametrize(("name", "steps"), [("short", 300), ("small", 1500)])
def test_arms_of_one_length_have_as_many_steps_in_all(name: str, steps: int) -> None:
    preset = load_preset(name)
    for arm in (dve(), default(preset), factorial("pretrained", "projector"), pyramid("byol", "alignment")):
        made = as_long(arm, preset).settings(preset, 0)
        assert made.pretrain.total_steps(100) + made.distill.total_steps(100) == steps, arm.method
    for arm in (stage_one("init"), contrast_landmarks(64)):
        assert as_long(arm, preset) == arm
    longer = as_long(dve(), load_preset("paper")).settings(load_preset("paper"), 0)
    assert longer.distill.epochs == 220


def flat(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        yield prefix + key, value


def differing(one: Settings, other: Settings) -> set[str]:
    """Dotted keys of single settings that differ."""
    before, after = dict(flat(one.model_dump())), dict(flat(other.model_dump()))
    return {key for key, value in before.items() if value != after[key] and not isinstance(value, dict)}


def terms(settings: Settings) -> dict[str, float]:
    """Stage 2's, with their weights."""
    return {term: getattr(settings.distill, term) for term in TERMS if getattr(settings.distill, term)}


@pytest.mark.parametrize("name", PRESETS)
def test_every_arm_keeps_what_makes_it_comparable(name: str) -> None:
    preset = load_preset(name)
    expected = dict(flat(preset.model_dump()))
    for arm in arms(preset):
        settings = arm.settings(preset, 3)
        assert settings.seed == 3
        found = dict(flat(settings.model_dump()))
        assert {key: found[key] for key in SHARED} == {key: expected[key] for key in SHARED}, arm.method
        if arm.method.startswith("scratch"):
            assert settings.backbone.init == "random"
        else:
            assert settings.backbone.init == preset.backbone.init
        allowed = {arm_key for key in arm.changes for arm_key in found if (arm_key + ".").startswith(key + ".")}
        given = {"pretrain.steps", "pretrain.epochs"} if preset.pretrain.steps == 0 else set()
        assert differing(settings, preset) <= allowed | given | {"seed"}, arm.method


@pytest.mark.parametrize("name", PRESETS)
def test_stage_one_is_as_long_as_the_preset_says_or_as_its_stage_two(name: str) -> None:
    preset = load_preset(name)
    expected = preset.pretrain.total_steps(1000) or preset.distill.total_steps(1000)
    for arm in arms(preset):
        skips = arm.method in ("dve", "init") or arm.method.startswith("pretrained")
        skips |= arm.method == "lead" and preset.backbone.init != "random"
        steps = arm.settings(preset, 0).pretrain.total_steps(1000)
        assert steps == (0 if skips else expected), arm.method
    assert {"paper": expected == 600, "short": expected == 150, "small": expected == 750}[name]


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_table_6_varies_the_two_objectives_alone(name: str, dimension: int) -> None:
    preset = load_preset(name)
    four = {
        (objective, term): pyramid(objective, term, dimension).settings(preset, 0)
        for objective in ("moco", "byol")
        for term in ("projector", "alignment")
    }
    first = four["moco", "projector"]
    assert differing(first, four["byol", "projector"]) == {"pretrain.objective"}
    assert differing(first, four["moco", "alignment"]) == {"distill.projector", "distill.alignment"}
    assert differing(first, four["byol", "alignment"]) == {
        "pretrain.objective",
        "distill.projector",
        "distill.alignment",
    }
    for (objective, term), settings in four.items():
        assert settings.pretrain.objective == objective
        assert terms(settings) == {term: 1.0}
        assert settings.distill.dimension == dimension
        assert settings.distill.decoder == "pyramid"
        assert settings.distill.projector_scale == {64: 8.0, 128: 7.0, 256: 7.0}[dimension]


def test_arms_of_one_name_differ_in_what_the_table_varies() -> None:
    preset = load_preset("short")
    lead = pyramid("byol", "alignment").settings(preset, 0)
    assert lead.distill.projection == 256
    assert differing(lead, pyramid("byol", "alignment", 256).settings(preset, 0)) == {
        "distill.dimension",
        "distill.projector_scale",  # which the alignment term does not read
    }
    assert differing(lead, pyramid("byol", "alignment", head=None).settings(preset, 0)) == {"distill.projection"}
    assert differing(stage_one("byol").settings(preset, 0), stage_one("moco").settings(preset, 0)) == {
        "pretrain.objective"
    }
    assert differing(stage_one("byol").settings(preset, 0), stage_one("init").settings(preset, 0)) == {"pretrain.steps"}
    assert reduced("byol", "nmf", 64).settings(preset, 0) == stage_one("byol").settings(preset, 0)


@pytest.mark.parametrize("dimension", DIMENSIONS)
def test_the_peer_brings_its_own_projector_and_views(dimension: int) -> None:
    settings = contrast_landmarks(dimension).settings(load_preset("short"), 0)
    own = settings.distill
    assert terms(settings) == {"projector": 1.0}
    assert settings.pretrain.objective == "moco"
    assert (own.decoder, own.dimension, own.projection) == ("linear", dimension, None)
    assert own.views == MocoSettings().views
    # ContrastLandmarks: m = 6.5 and T = 8 for 64 dimensions, 7 and 7 above.
    assert (own.spatial_softmax, own.projector_scale) == ((6.5, 8.0) if dimension == 64 else (7.0, 7.0))
    assert CL_FACTORS.keys() == set(DIMENSIONS)


def test_dve_brings_its_own_warps() -> None:
    settings = dve().settings(load_preset("short"), 0)
    views = settings.distill.views
    assert terms(settings) == {"dve": 1.0}
    assert (settings.distill.projection, settings.distill.cells) == (None, None)
    assert (views.draws, views.shift, views.rotation, views.bend) == ("normal", 0.1, 5.0, (0.001, 0.01))
    assert (views.sides[1] - views.sides[0]) / 2 == pytest.approx(0.1)


@pytest.mark.parametrize("name", PRESETS)
def test_our_default_is_the_small_presets_stage_two(name: str) -> None:
    preset, small = load_preset(name), load_preset("small")
    settings = default(preset).settings(preset, 0)
    assert terms(settings) == terms(small)
    assert settings.distill.views == small.distill.views
    assert (settings.distill.exchange_pictures, settings.distill.projection) == (2, None)
    if name == "small":
        assert differing(settings, preset) == {"pretrain.epochs"}  # which its pretrain.steps of 0 overrides


def test_the_factorial_varies_start_and_term_alone() -> None:
    preset = load_preset("short")
    for term in STAGE_TWO:
        pretrained, scratch = (factorial(start, term).settings(preset, 0) for start in ("pretrained", "scratch"))
        assert differing(pretrained, scratch) == {"backbone.init", "pretrain.steps"}
        assert pretrained.backbone.init == preset.backbone.init
        assert scratch.pretrain.objective == "byol"
        assert terms(pretrained) == (terms(load_preset("small")) if term == "default" else {term: 1.0})
        head = 256 if term in ("alignment", "projector") else None
        assert pretrained.distill.projection == head
    views = {factorial("scratch", term).settings(preset, 0).distill.views.model_dump_json() for term in STAGE_TWO}
    assert len(views) == 1


def test_a_preset_that_an_arm_does_not_fit_is_named() -> None:
    preset = load_preset("short", ["distill.batch=2", "distill.exchange_pictures=1"])
    with pytest.raises(LeadError, match=r"The arm lead: distill.*exchange_pictures must be below batch"):
        default(preset).settings(preset, 0)
