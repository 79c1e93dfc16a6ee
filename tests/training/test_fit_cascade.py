"""Cascades fitted on drawn things that a feature of plain colours tells, judged on pictures that they have not seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from spots import Colours, draw_spots, spotted
from torch import Tensor

from lead.errors import LeadError
from lead.features import FeatureSource
from lead.images.crops import Originals
from lead.nn import heads
from lead.nn.cascade import Cascade
from lead.training import inputs
from lead.training.cascade import CascadeFit, fit_cascade
from lead.training.confidence import ANY_WAY
from lead.training.labelled import distances, folds

Rows = npt.NDArray[np.int64]
COUNT, TEST = 48, np.arange(24, 48)


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[FeatureSource, Tensor]:
    """Four coloured spots on a thing that is turned, scaled and moved; and their places, (COUNT, 4, 2) normalised."""
    root = tmp_path_factory.mktemp("spots")
    xy = draw_spots(root, COUNT)
    source = spotted(root, tmp_path_factory.mktemp("spots-store"), [f"{i:02}.bmp" for i in range(COUNT)])
    points = source.points(np.arange(COUNT), xy)
    return source, torch.from_numpy(points).float()


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The colours' features are not told from the network's own by its weights."""
    monkeypatch.setenv("LEAD_CACHE", str(tmp_path / "cache"))


def said(source: FeatureSource, fitted: CascadeFit, rows: Rows = TEST) -> Tensor:
    """(n, K, 2) normalised."""
    return torch.cat([found.points for found in source.find(fitted.head, rows)])


def guess(points: Tensor, rows: Rows) -> float:
    """Mean error of saying the labelled pictures' mean of the test pictures."""
    mean = points[rows].nanmean(0)
    return float(distances(mean.expand(len(TEST), -1, -1), points[TEST]).nanmean())


@pytest.mark.parametrize("count", [1, 2, 6, 12])
def test_landmarks_of_unseen_pictures_are_found(seen: tuple[FeatureSource, Tensor], count: int) -> None:
    source, points = seen
    rows = np.arange(count)
    told = list[tuple[int, int]]()
    fitted = fit_cascade(
        source, rows, points[rows], unlabelled=np.arange(24), progress=lambda *done: told.append(done), seed=1
    )
    errors = distances(said(source, fitted), points[TEST])
    assert errors.mean() < (0.35 if count == 1 else 0.15) * guess(points, rows)
    assert told[-1] == (count, count)
    if count == 1:
        assert np.isnan(fitted.error)
        assert fitted.head.fine is not None
    else:
        assert fitted.error == pytest.approx(float(errors.mean()), rel=1.0, abs=0.003)
    found = torch.cat([f.signals for f in source.find(fitted.head, TEST)])
    assert torch.isfinite(fitted.confidence.expected(found)).all()


def test_what_lies_across_a_curve_is_told_of_what_was_held_out(seen: tuple[FeatureSource, Tensor]) -> None:
    source, points = seen
    rows = np.arange(6)
    strayed = points[rows].clone()
    strayed[:, 1] += 0.2 * torch.tensor([1.0, -1, 1, -1, 1, -1])[:, None] * (strayed[:, 2] - strayed[:, 0])  # along
    fitted = fit_cascade(source, rows, strayed, sliders=np.array([[0, 1, 2]]), local=False)
    assert fitted.across is not None
    aside, whole = fitted.across
    assert 0 < aside < 0.5 * whole
    share = fitted.confidence.across
    assert (share > 0).tolist() == [False, True, False, False]
    assert float(share[1]) < ANY_WAY


def test_the_second_look_is_nearer(seen: tuple[FeatureSource, Tensor]) -> None:
    source, points = seen
    rows = np.arange(12)
    both = fit_cascade(source, rows, points[rows], local=False)
    assert both.head.fine is not None
    first = fit_cascade(source, rows, points[rows], halves=[], local=False)
    assert first.head.fine is None
    assert both.error < 0.8 * first.error
    errors = [float(distances(said(source, f), points[TEST]).mean()) for f in (both, first)]
    assert errors[0] < 0.8 * errors[1]


class Blind(FeatureSource):
    """Its crops show nothing."""

    def crops(self, rows: Rows, affine: Tensor, held: Originals | None = None) -> Iterator[Tensor]:
        random = torch.Generator().manual_seed(len(rows))
        for features in super().crops(rows, affine, held):
            yield torch.rand(features.shape, generator=random)


def test_a_second_look_that_does_not_help_is_dropped(seen: tuple[FeatureSource, Tensor]) -> None:
    source, points = seen
    rows = np.arange(6)
    fitted = fit_cascade(Blind(source.extractor, source.store), rows, points[rows])
    assert fitted.head.fine is None
    errors = distances(said(source, fitted), points[TEST])
    assert errors.mean() < 0.35 * guess(points, rows)


@pytest.mark.parametrize("count", [2, 6])
def test_the_seed_decides(seen: tuple[FeatureSource, Tensor], count: int) -> None:
    source, points = seen
    rows = np.arange(count)
    states = []
    for seed in (3, 3, 4):
        torch.rand(5)  # what was drawn before does not matter
        fitted = fit_cascade(source, rows, points[rows], unlabelled=np.arange(24), seed=seed)
        state = fitted.head.state_dict() | {f"confidence.{k}": v for k, v in fitted.confidence.state_dict().items()}
        states.append(state)
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not torch.equal(states[0]["fine.weight"], states[2]["fine.weight"])


@pytest.mark.parametrize("landmarks", [[2], [0, 1]])
@pytest.mark.parametrize("count", [1, 3, 8])
def test_one_landmark_and_two(seen: tuple[FeatureSource, Tensor], landmarks: list[int], count: int) -> None:
    source, every = seen
    points, rows = every[:, landmarks], np.arange(count)
    fitted = fit_cascade(source, rows, points[rows], unlabelled=np.arange(24))
    errors = distances(said(source, fitted), points[TEST])
    assert errors.mean() < (0.5 if count == 1 else 0.25) * guess(points, rows)


def test_landmarks_on_one_spot_have_no_shape_but_a_place(seen: tuple[FeatureSource, Tensor]) -> None:
    source, every = seen
    points = every[:, [2, 2]]
    fitted = fit_cascade(source, np.arange(6), points[:6])
    assert (fitted.head.shape == 0).all()
    assert distances(said(source, fitted), points[TEST]).mean() < 0.25 * guess(points, np.arange(6))


def test_missing_labels_are_looked_past(seen: tuple[FeatureSource, Tensor]) -> None:
    source, every = seen
    points, rows = every.clone(), np.arange(12)
    points[rows] = torch.where(
        torch.rand(12, 4, 1, generator=torch.Generator().manual_seed(0)) < 0.3, torch.nan, points[rows]
    )
    points[0, 1, 0] = torch.nan  # half a place is none
    assert points[rows].isnan().any(-1).sum() > 8
    fitted = fit_cascade(source, rows, points[rows])
    errors = distances(said(source, fitted), every[TEST])
    assert np.isfinite(fitted.error)
    assert (errors.mean(0) < 0.2 * guess(points, rows)).all()


def test_a_rare_landmark_is_found_with_its_only_labels_held_out(seen: tuple[FeatureSource, Tensor]) -> None:
    source, every = seen
    points, rows = every.clone(), np.arange(6)
    points[1:6, 3] = torch.nan  # labelled once: whoever holds that picture out knows nothing of it
    fitted = fit_cascade(source, rows, points[rows], unlabelled=np.arange(24))
    errors = distances(said(source, fitted), every[TEST]).mean(0)
    assert (errors[:3] < 0.02).all()
    assert errors[3] < 0.5 * guess(every, rows)


def test_a_landmark_that_is_labelled_nowhere_is_refused(seen: tuple[FeatureSource, Tensor]) -> None:
    source, every = seen
    points = every[:3].clone()
    points[:, 2] = torch.nan
    with pytest.raises(LeadError, match=r"\[2\].*labelled on no picture"):
        fit_cascade(source, np.arange(3), points)
    with pytest.raises(LeadError, match="labelled on no picture"):
        fit_cascade(source, np.arange(0), every[:0])


def test_more_pictures_than_are_used_are_drawn_from(
    seen: tuple[FeatureSource, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, points = seen
    told = list[tuple[int, int]]()
    rows = np.arange(20)
    groups = [str(i // 2) for i in range(20)]
    hidden = np.zeros((20, 4), bool)
    fitted = fit_cascade(
        source, rows, points[rows], groups=groups, hidden=hidden, progress=lambda *d: told.append(d), most=8
    )
    assert told[-1] == (8, 8)
    assert distances(said(source, fitted), points[TEST]).mean() < 0.15 * guess(points, rows)
    rare = points[rows].clone()
    rare[1:, 3] = torch.nan
    used = []

    def watched(count: int, *how: Any) -> list[Rows]:
        used.append(count)
        return folds(count, *how)

    monkeypatch.setattr(inputs, "folds", watched)
    for seed in range(5):
        fit_cascade(source, rows, rare, seed=seed, most=8, halves=[])
    assert set(used) == {8, 20}  # all of them where the only label of a landmark would be left out


class Wide(Colours):
    """Its feature's first channels tell nothing."""

    def features_of(self, inputs: Tensor) -> Tensor:
        telling = super().features_of(inputs)
        return torch.cat([torch.full_like(telling, 0.01), telling], 1)


@pytest.mark.parametrize("count", [1, 6])
def test_wide_features_are_reduced_to_what_tells_most(
    seen: tuple[FeatureSource, Tensor], monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    monkeypatch.setattr(heads, "REDUCED", 6)  # of 14: with as many as models have, this would take a minute
    source, points = seen
    extractor = Wide(source.extractor.network, source.extractor.picture, device=torch.device("cpu"))
    wide, rows = FeatureSource(extractor, source.store), np.arange(count)
    fitted = fit_cascade(wide, rows, points[rows], unlabelled=np.arange(24))
    errors = distances(said(wide, fitted), points[TEST])
    assert errors.mean() < (0.4 if count == 1 else 0.2) * guess(points, rows)


class Noise(FeatureSource):
    """Features that know each picture from every other, and tell nothing else."""

    def whole(self, rows: Rows, **_: object) -> npt.NDArray[np.float16]:
        return np.stack([np.random.default_rng(row).normal(size=(24, 8, 8)) for row in rows]).astype(np.float16)


def test_pictures_of_one_group_are_held_out_together(seen: tuple[FeatureSource, Tensor]) -> None:
    """Twins are learnt by heart from one another, unless they are held out together."""
    source, rows = Noise(seen[0].extractor, seen[0].store), np.repeat(np.arange(4), 3)
    draws = torch.Generator().manual_seed(0)
    points = (torch.rand(1, 4, 2, generator=draws) + torch.rand(4, 1, 2, generator=draws) - 1)[rows]
    apart, together, found = (
        fit_cascade(source, rows, points, groups=groups, halves=[], local=False).error
        for groups in ([str(i) for i in range(len(rows))], [str(row) for row in rows], None)
    )
    assert apart < 0.2 * together
    assert found == pytest.approx(together, rel=0.05)  # they are near-duplicates


@pytest.mark.parametrize("local", [False, True])
def test_errors_that_are_told_hold_what_they_are_said_to(seen: tuple[FeatureSource, Tensor], local: bool) -> None:
    source, points = seen
    rows = np.arange(24)
    fitted = fit_cascade(source, rows, points[rows], local=local)
    assert bool(fitted.head.local) == local
    found = list(source.find(fitted.head, TEST))
    expected = torch.cat([f.expected(fitted.confidence) for f in found])
    errors = distances(said(source, fitted), points[TEST])
    assert float(expected.mean() / errors.mean()) == pytest.approx(1, abs=0.4)
    for share in (0.5, 0.8, 0.9):
        within = float((errors <= expected * fitted.confidence.factor(share)).float().mean())
        assert within == pytest.approx(share, abs=0.15)


@pytest.mark.parametrize("mixed", [False, True])
def test_accepted_points_are_learnt_from_but_tell_no_error(seen: tuple[FeatureSource, Tensor], mixed: bool) -> None:
    """Those of whole pictures take no part in the cross-validation; in others they teach, and judge nothing."""
    source, points = seen
    rows, accepted = np.arange(16), np.zeros((16, 4), dtype=bool)
    accepted[10:] = True
    if mixed:
        accepted[8, [1, 3]] = True
    given = points[rows].clone()
    given[10:] += 0.2  # all wrong
    if mixed:
        given[8, [1, 3]] -= 0.3
    told = fit_cascade(source, rows, given, accepted=accepted, halves=[])
    own = given[:10].clone()
    as_given = fit_cascade(source, rows[:10], own, halves=[], hidden=None, accepted=accepted[:10])
    assert told.error == as_given.error
    grid = torch.linspace(-4, 0, 20)[:, None, None].expand(-1, 4, Cascade.SIGNALS)
    assert torch.equal(told.confidence.expected(grid), as_given.confidence.expected(grid))
    right = fit_cascade(source, rows[:10], points[:10], halves=[])
    if not mixed:
        assert told.error == right.error
    else:
        assert told.error < 1.5 * right.error  # the four wrong points, a third of the picture off, would double it
    assert (said(source, told) - said(source, right)).abs().max() > 0.01  # they were learnt from


def test_accepted_points_alone_tell_nothing(seen: tuple[FeatureSource, Tensor]) -> None:
    source, points = seen
    rows = np.arange(6)
    every = np.ones((6, 4), dtype=bool)
    fitted = fit_cascade(source, rows, points[rows], accepted=every)
    assert np.isnan(fitted.error)
    assert distances(said(source, fitted), points[TEST]).mean() < 0.35 * guess(points, rows)
    every[0] = False
    assert np.isnan(fit_cascade(source, rows, points[rows], accepted=every).error)
