"""Settings: presets, the round trip through YAML, and what mistakes are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from lead.config import (
    DistillSettings,
    PretrainSettings,
    Settings,
    check,
    load_preset,
    presets,
    to_yaml,
)
from lead.config_text import Section, _short, describe, parse, set_value
from lead.errors import LeadError


@pytest.mark.parametrize("name", presets())
def test_every_preset_loads_and_round_trips(name: str) -> None:
    found = load_preset(name)
    assert check(yaml.safe_load(to_yaml(found)), name) == found


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
    found = check(tree, "test")
    assert check(yaml.safe_load(to_yaml(found)), "test") == found
    assert found.pretrain.lr == lr


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
        ({"sed": 1}, r"unknown setting sed = 1\. Did you mean seed\?"),
        ({"distill": {"temprature": 1}}, r"distill\.temprature = 1\. Did you mean distill\.temperature\?.*distill\.lr"),
        ({"distill": {"views": {"shfit": 1}}}, r"Did you mean distill\.views\.shift\?"),
        ({"seed": "many"}, r"seed = 'many': must be a whole number, at least 0"),
        ({"seed": -1}, "seed = -1"),
        ({"pretrain": {"batch": 1}}, r"pretrain\.batch = 1: .*2"),
        ({"pretrain": 3}, "pretrain = 3"),
        ({"distill": {"optimiser": "adam"}}, r"optimiser = 'adam': must be one of sgd, adamw\. Did you mean adamw\?"),
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


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"pretrian": {"lr": 1}}, r"unknown setting pretrian = {'lr': 1}\. Did you mean pretrain\? Valid here: seed, "),
        ({"pretrain": [1, 2]}, r"pretrain = \[1, 2\]: must be a group of settings"),
        ({"pretrain": None}, r"pretrain = None: must be a group of settings"),
        ({"precision": "bf16-mix"}, r"must be one of auto, 32-true, bf16-mixed\. Did you mean bf16-mixed\?"),
        ({"pretrain": {"objective": 3}}, r"pretrain\.objective = 3: must be one of byol, moco\.$"),
        ({"distill": {"lr": "fast"}}, r"distill\.lr = 'fast': must be a number, above 0\."),
        ({"distill": {"lr": True}}, r"distill\.lr = True: must be a number"),
        ({"distill": {"lr": float("inf")}}, r"distill\.lr = inf: must be a finite number, above 0"),
        ({"distill": {"weight_decay": float("nan")}}, r"weight_decay = nan: must be a finite number, at least 0"),
        ({"distill": {"warmup": 1}}, r"warmup = 1: must be a number, at least 0, below 1"),
        ({"distill": {"frozen_batchnorm": 2}}, r"frozen_batchnorm = 2: must be true or false"),
        ({"distill": {"projection": 0}}, r"projection = 0: must be a whole number, at least 1, at most \d+, or null"),
        ({"backbone": {"name": 18}}, r"backbone\.name = 18: must be text"),
        (
            {"hypercolumn": {"weights": [1, 2, 3]}},
            r"weights = \[1, 2, 3\]: must be 4 values in brackets, each a number",
        ),
        ({"hypercolumn": {"weights": [1, 2, 3, 4, 5]}}, r"weights = \[1, 2, 3, 4, 5\]: must be 4 values"),
        ({"hypercolumn": {"weights": [1, "x", "y", 4]}}, r"weights = \[1, 'x', 'y', 4\]: must be 4 values"),
        ({"hypercolumn": {"weights": [0, 0, 0, 0]}}, r"hypercolumn: weights=\[0\.0, .* give at least one"),
        ({"distill": {"views": {"scale": [1, 0.5]}}}, r"scale = \[1, 0\.5\]: must be \(least, most\)"),
        (
            {"distill": {"views": {"scale": [0.5, 4.5]}}},
            r"distill\.views\.scale = \[0\.5, 4\.5\]: must be at most 4, not 4\.5: .* hardly anything of it\.",
        ),
        (
            {"distill": {"views": {"rotation": "atuo"}}},
            r"distill\.views\.rotation = 'atuo': must be .*auto",
        ),
        ({"distill": {"views": {"rotation": 181}}}, r"distill\.views\.rotation = 181: must be .*at most 180"),
        ({"distill": {"views": {"rotation": -1}}}, r"distill\.views\.rotation = -1: must be .*at least 0"),
        ({"distill": {"views": {"rotation": None}}}, r"distill\.views\.rotation = None: must be"),
        ({"pretrain": {"steps": 10**30}}, r"steps = 10{30}: must be a whole number, at least 0, at most 1000000000"),
        ({"seed": 10**400}, r"seed = 10+\.\.\.0+: must be a whole number"),
        ({"distill": {"\u2028": 1}}, r"unknown setting distill\.'\\u2028' = 1\."),
        ({1: 2, "distill": {None: 3}}, r"unknown setting 1 = 2\."),
        ({"\ud800": 1}, r"its settings = {'\\ud800': 1}: must be a group"),
    ],
)
def test_each_kind_of_mistake_is_told_in_its_own_words(tree: dict[str, Any], message: str) -> None:
    with pytest.raises(LeadError, match=message) as error:
        check(tree, "mine.yaml")
    assert len({line.split(":")[1].split("=")[0] for line in str(error.value).splitlines()}) == len(
        str(error.value).splitlines()
    )  # each key once
    str(error.value).encode()


def deep(opening: str, closing: str, times: int) -> str:
    return "seed: " + opening * times + closing * times


LAUGHS = "\n".join(
    ["a: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}, *a{n - 1}]" for n in range(1, 40)), "seed: *a39"]
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: 1\nseed: 2", "'seed' is given twice"),
        ("distill:\n  lr: 1\n  lr: 2", "'lr' is given twice"),
        (deep("[", "]", 1500), "nested too deeply"),
        (deep("{a: ", "}", 1500), "nested too deeply"),
        (LAUGHS, r"seed = \[\[\["),
        ("seed: &a [*a]", r"seed = \[\[.*\.\.\."),
        ("&a {distill: *a}", r"unknown setting distill\.distill = {'distill': .*\.\.\."),
        ("distill: &a {views: *a}", r"unknown setting distill\.views\.views = "),
        ("\0\1\2", "not valid YAML"),
        ("seed: 2020-13-45", "not valid YAML: month must be in"),
        ("seed: " + "9" * 5000, "not valid YAML: .*digits"),
        ("seed: !!bool maybe", "not valid YAML"),
        ("seed: !!timestamp now", "not valid YAML"),
        ("seed: !!python/name:fractions.Fraction", "not valid YAML: could not determine a constructor"),
        ("? [1, 2]\n: 3", "unhashable key"),
        ("0", "must hold settings by name, .* not 0"),
        ("[]", r"must hold settings by name, .* not \[\]"),
    ],
)
def test_yaml_that_is_no_settings_is_refused_whatever_it_is(text: str, message: str) -> None:
    with pytest.raises(LeadError, match=message) as error:
        check(parse(text, "mine.yaml"), "mine.yaml")
    assert str(error.value).startswith("mine.yaml")
    assert len(str(error.value)) < 30_000


def test_a_group_may_be_given_twice_by_name_of_the_first() -> None:
    text = "distill: {views: &v {shift: 0.1, hue: 0.2}}\npretrain: {views: {<<: *v, hue: 0.3}}"
    views = check(parse(text, "mine.yaml"), "mine.yaml").pretrain.views
    assert (views.shift, views.hue) == (0.1, 0.3)


def test_no_file_can_have_so_long_a_name() -> None:
    with pytest.raises(LeadError, match="Unknown preset"):
        load_preset("a" * 5000)


@pytest.mark.parametrize(
    "assignment", [".seed=1", "seed.=1", "distill..lr=1", "=", " =1", "distill.views=3", "seed=[1"]
)
def test_an_assignment_that_is_none_is_told_whole(assignment: str) -> None:
    with pytest.raises(LeadError) as error:
        load_preset("tiny", [assignment])
    key, _, value = assignment.partition("=")
    assert key.strip() in str(error.value)
    assert value in str(error.value)


@pytest.mark.parametrize("text", ["", "  ", " # nothing yet"])
@pytest.mark.parametrize("key", ["seed", "distill.views", "distill.steps", "pretrain.epochs"])
def test_a_value_that_is_missing_is_told(key: str, text: str) -> None:
    with pytest.raises(LeadError, match=rf"^'{key}=.*': a value is missing .* Write {key}=VALUE"):
        load_preset("tiny", [f"{key}={text}"])


def test_a_value_may_be_empty_or_none_if_it_is_written() -> None:
    assert load_preset("tiny", ["distill.projection= null"]).distill.projection is None
    assert load_preset("tiny", ["distill.projection=~", "backbone.init=''"]).backbone.init == ""


def test_a_view_may_be_as_wide_as_the_limit() -> None:
    assert load_preset("tiny", ["distill.views.scale=[1,4]"]).distill.views.scale == (1, 4)


KEYS = [key for key, _ in describe(Settings)]
WORDS = st.sampled_from([*KEYS, *(part for key in KEYS for part in key.split(".")), "lrr", "", "1"]) | st.text(
    max_size=8
)
PLAIN = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates() | st.binary(max_size=4)
)
TREES = st.recursive(
    PLAIN,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(WORDS | st.integers() | st.none(), inner, max_size=5),
    max_leaves=12,
)


def refused(make: Callable[[], object]) -> str:
    """What is said of settings; empty where they are taken. Any other error is a failure of the test."""
    try:
        make()
    except LeadError as error:
        str(error).encode()  # it can be printed
        return str(error)
    return ""


@settings(max_examples=60)
@given(st.text() | st.text(alphabet="seed: {}[]&*!|>-'\"\n\t09.eE+,?<~", max_size=60))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    said = refused(lambda: check(parse(text, "mine.yaml"), "mine.yaml"))
    assert not said or said.startswith("mine.yaml")


@settings(max_examples=60)
@given(st.dictionaries(WORDS | st.integers() | st.none(), TREES, max_size=4))
def test_no_tree_does_more_than_be_refused(tree: dict[Any, Any]) -> None:
    said = refused(lambda: check(tree, "mine.yaml"))
    assert all(line.startswith("mine.yaml: ") for line in said.splitlines())
    for key, value in tree.items():
        if key not in Settings.model_fields:
            shown = key if isinstance(key, str) and key and key.isprintable() else repr(key)
            assert f"unknown setting {shown} = " in said
        elif not isinstance(value, dict) and said:
            named = f"mine.yaml: {key} = {value!r}".partition("{")[0]  # the keys of a group are said in order
            assert f"{key} = " not in said or named[:40] in said


@given(st.sampled_from(KEYS), PLAIN)
def test_a_value_is_taken_as_it_is_or_told_with_its_key(key: str, value: object) -> None:
    tree: dict[str, Any] = {}
    set_value(tree, key, value)
    said = refused(lambda: check(tree, "mine.yaml"))
    if said:
        assert f"{key} = {_short(value)}: must be " in said or said.startswith(f"mine.yaml: {key.rpartition('.')[0]}: ")
        return
    taken: Any = check(tree, "mine.yaml")
    for part in key.split("."):
        taken = getattr(taken, part)
    assert taken == value or isinstance(value, str | bytes)  # which may be a number, as 1e-3 is to YAML


@given(
    st.lists(st.builds("{}={}".format, WORDS, st.text(max_size=10) | PLAIN.map(str)) | st.text(max_size=12), max_size=3)
)
def test_no_assignment_does_more_than_be_refused(assignments: list[str]) -> None:
    refused(lambda: load_preset("tiny", assignments))


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
    described = dict(describe(Settings))
    assert list(described) == sections()
    for key, text in described.items():
        assert text not in ("", "None"), key
        assert text.endswith("."), key
        assert not text.startswith("None"), key
    assert "One of sgd, adamw." in described["distill.optimiser"]


def test_settings_do_not_change_once_checked() -> None:
    with pytest.raises(ValueError, match="frozen"):
        DistillSettings().lr = 1.0  # type: ignore[misc]
