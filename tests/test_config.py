"""Settings: presets, the round trip through YAML, and what mistakes are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lead.config import (
    DistillSettings,
    PretrainSettings,
    Section,
    Settings,
    check,
    describe,
    load_preset,
    presets,
    to_yaml,
)
from lead.errors import LeadError


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_round_trips(name: str) -> None:
    settings = load_preset(name)
    assert check(yaml.safe_load(to_yaml(settings)), name) == settings


def test_the_papers_numbers() -> None:
    paper = load_preset("paper")
    assert "paper" in presets()
    assert paper.backbone.name == "resnet50"
    assert (paper.pretrain.batch, paper.pretrain.epochs, paper.pretrain.lr) == (256, 200, 0.03)
    assert (paper.distill.batch, paper.distill.epochs, paper.distill.temperature) == (256, 20, 0.05)
    assert (paper.distill.dimension, paper.distill.projection) == (64, 256)
    assert (paper.picture.store, paper.picture.input) == (136, 96)
    assert round(paper.picture.frame * paper.picture.store) == 96


@given(
    seed=st.integers(0, 2**31),
    weights=st.lists(st.floats(0, 10), min_size=4, max_size=4),
    lr=st.floats(1e-9, 10),
    projection=st.none() | st.integers(1, 512),
    steps=st.none() | st.integers(0, 10**6),
)
def test_any_settings_round_trip(
    seed: int, weights: list[float], lr: float, projection: int | None, steps: int | None
) -> None:
    tree: dict[str, Any] = {
        "seed": seed,
        "hypercolumn": {"weights": [1.0, *weights[1:]]},
        "pretrain": {"lr": lr, "steps": steps},
        "distill": {"projection": projection},
    }
    settings = check(tree, "test")
    assert check(yaml.safe_load(to_yaml(settings)), "test") == settings
    assert settings.pretrain.lr == lr


def test_a_file_of_ones_own_is_a_preset_too(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("seed: 5\n")
    assert load_preset(str(file)).seed == 5
    file.write_text("")
    assert load_preset(str(file)) == Settings()


@pytest.mark.parametrize("text", ["seed: [", "- 1\n- 2", "seven"])
def test_a_file_that_holds_no_settings_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(LeadError, match=r"mine\.yaml"):
        load_preset(str(file), ["seed=1"])


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(LeadError, match=r"'papr'.*Did you mean 'paper'"):
        load_preset("papr")


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"sed": 1}, r"unknown setting sed\. Did you mean seed\?"),
        ({"distill": {"temprature": 1}}, r"distill\.temprature\. Did you mean distill\.temperature\?.*distill\.lr"),
        ({"distill": {"views": {"shfit": 1}}}, r"Did you mean distill\.views\.shift\?"),
        ({"seed": "many"}, r"seed = 'many': .*integer"),
        ({"seed": -1}, "seed = -1"),
        ({"pretrain": {"batch": 1}}, r"pretrain\.batch = 1: .*2"),
        ({"pretrain": 3}, "pretrain = 3"),
        ({"distill": {"optimiser": "adam"}}, r"distill\.optimiser = 'adam': .*'sgd' or 'adamw'"),
        ({"picture": {"input": 100}}, "multiple of 32, not 100"),
    ],
)
def test_a_mistake_is_told_with_its_key_and_what_would_do(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(LeadError, match=message) as error:
        check(tree, "mine.yaml")
    assert str(error.value).startswith("mine.yaml: ")


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(LeadError) as error:
        check({"sed": 1, "distill": {"lr": -1}}, "test")
    assert len(str(error.value).splitlines()) == 2


def test_assignments_change_what_they_name() -> None:
    settings = load_preset("paper", ["seed=7", "distill.views.bend=[0.001, 0.01]", "distill.projection=null"])
    assert (settings.seed, settings.distill.views.bend, settings.distill.projection) == (7, (0.001, 0.01), None)
    assert settings.pretrain == load_preset("paper").pretrain


def test_epochs_asked_for_replace_steps() -> None:
    settings = load_preset("paper", ["pretrain.steps=9", "distill.steps=9", "distill.epochs=3"])
    assert settings.pretrain.total_steps(2560) == 9
    assert settings.distill.total_steps(2560) == 30


@pytest.mark.parametrize("assignment", ["seed", "=3", "seed.more=3", "seed=[", "nothing=1", "distill.epoch=1"])
def test_a_bad_assignment_is_told(assignment: str) -> None:
    with pytest.raises(LeadError):
        load_preset("paper", [assignment])


@pytest.mark.parametrize(("pictures", "steps"), [(100, 2), (256, 2), (600, 4), (1, 2)])
def test_epochs_are_full_batches_and_at_least_one(pictures: int, steps: int) -> None:
    assert PretrainSettings(epochs=2, batch=256).total_steps(pictures) == steps
    assert PretrainSettings(epochs=2, steps=5).total_steps(pictures) == 5


def sections(section: type[Section] = Settings, prefix: str = "") -> list[str]:
    """Every key, found without :func:`describe`."""
    keys: list[str] = []
    tree = section().model_dump()
    for name, value in tree.items():
        annotation = section.model_fields[name].annotation
        if isinstance(value, dict) and isinstance(annotation, type):
            keys += sections(annotation, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def test_every_setting_says_what_it_means() -> None:
    described = dict(describe())
    assert list(described) == sections()
    for key, text in described.items():
        assert text not in ("", "None"), key
        assert text.endswith("."), key
        assert not text.startswith("None"), key
    assert "One of sgd, adamw." in described["distill.optimiser"]


def test_settings_do_not_change_once_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        DistillSettings().lr = 1.0  # type: ignore[misc]
