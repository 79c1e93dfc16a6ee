"""How the errors of a model go together, from drawn residuals and from a fit to the measurements made with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from lead import Labels, Schema, load_labels, save_labels
from lead.morphometrics.opening import opened
from lead.training.together import errors_together

NAN = float("nan")


def test_it_is_the_correlation_of_errors_each_over_what_was_expected_of_it() -> None:
    rng = np.random.default_rng(0)
    shift = rng.normal(size=(400, 1, 2))  # all landmarks of a picture together
    expected = rng.uniform(0.5, 20, (400, 3))
    away = (shift + rng.normal(size=(400, 3, 2))) * expected[..., None]
    away[:, 2] = rng.normal(size=(400, 2)) * expected[:, 2, None]  # but for one
    truth = torch.from_numpy(rng.uniform(-1, 1, (400, 3, 2)))
    found = errors_together(truth + torch.from_numpy(away), truth, torch.from_numpy(expected))
    assert found is not None
    assert np.abs(found - np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])).max() < 0.07


def test_too_few_pictures_say_nothing() -> None:
    truth, expected = torch.zeros(6, 3, 2), torch.ones(6, 3)
    found = torch.randn(6, 3, 2, generator=torch.Generator().manual_seed(0))
    assert errors_together(found, truth, expected) is not None
    truth[0], truth[1, :2] = NAN, NAN  # a picture without labels, and one with a single one
    assert errors_together(found, truth, expected) is None


@pytest.fixture
def predicted() -> Labels:
    together = np.array([[1, 0.5 + 0.25j, 0], [0.5 - 0.25j, 1, -0.1j], [0, 0.1j, 1]])
    labels = Labels.from_xy(Schema(("a", "b", "c")), ("p.png", "q.png"), np.arange(12.0).reshape(2, 3, 2))
    ones = np.ones((2, 3))
    return Labels(labels.schema, labels.images, labels.xy, labels.visible, ones, ones, 2 * ones, together=together)


def test_a_coco_file_holds_it_and_measurements_take_it_unasked(predicted: Labels, tmp_path: Path) -> None:
    assert save_labels(predicted, tmp_path / "p.json") == []
    read = load_labels(tmp_path / "p.json")
    np.testing.assert_array_equal(read.together, predicted.together)
    said: list[str] = []
    specimens = opened(tmp_path / "p.json", say=said.append)
    np.testing.assert_array_equal(specimens.together, predicted.together)
    assert any("How errors go together is as" in text for text in said)
    assert any("go together" in lost for lost in save_labels(predicted, tmp_path / "p.csv"))
    assert opened(tmp_path / "p.csv").together is None


def test_it_goes_with_its_landmarks(predicted: Labels) -> None:
    some = predicted.only(["c", "a"])
    np.testing.assert_array_equal(some.together, [[1, 0], [0, 1]])
    two = predicted.only(["b", "a"]).take([1])
    np.testing.assert_array_equal(two.together, [[1, 0.5 - 0.25j], [0.5 + 0.25j, 1]])
    halves = [predicted.take([row]) for row in (0, 1)]
    np.testing.assert_array_equal(Labels.joined(halves).together, predicted.together)
    other = replace(halves[1], together=None)
    assert Labels.joined([halves[0], other]).together is None  # which says nothing of both
    assert predicted.without_predicted().together is None


@pytest.mark.parametrize("wrong", ["[[1]]", '"x"', "[[[1, 0], [0, 1]], [[0, 0], [0, 0]]]"])
def test_what_is_no_such_matrix_is_left_out_and_told(wrong: str, tmp_path: Path, predicted: Labels) -> None:
    save_labels(predicted, tmp_path / "p.json")
    text = (tmp_path / "p.json").read_text()
    start = text.index('"errors_together": ') + len('"errors_together": ')
    (tmp_path / "p.json").write_text(f"{text[:start]}{wrong}}}]}}")
    read = load_labels(tmp_path / "p.json")
    assert read.together is None
    assert read.places is not None
    assert "errors_together that is no matrix" in read.places.left_out
    np.testing.assert_array_equal(read.xy, predicted.xy)
