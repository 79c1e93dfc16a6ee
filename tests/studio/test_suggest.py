"""Suggestions, against plain loops and against pictures of which the truth is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from modelled import Patches, file_id, marks, untrained, windows
from torch import Tensor
from torch.nn import functional

from lead.config import Settings
from lead.nn.matching import match_points
from lead.studio.features import Exemplar, FeatureBank
from lead.studio.folder import PictureFolder
from lead.studio.suggest import FEWEST, PRIOR, SELECTIVITY, Matcher, calibrate_matching, learn

PLACES = [(80, 80), (95, 84), (84, 98), (100, 100), (90, 90)]
"""Of the texture; within every window."""


@pytest.fixture
def bank(tmp_path: Path, tiny: Callable[..., Settings]) -> FeatureBank:
    windows(tmp_path / "pictures", 12)
    run = untrained(tmp_path / "run", tiny(picture={"store": 96, "input": 96}))
    bank = FeatureBank(run, PictureFolder(tmp_path / "pictures"))
    bank.extractor.network = Patches()  # type: ignore[assignment]
    return bank


@pytest.fixture
def corners(tmp_path: Path) -> list[tuple[int, int]]:
    return windows(tmp_path / "pictures", 12)


def exemplars(bank: FeatureBank, corners: list[tuple[int, int]], count: int) -> dict[str, Exemplar]:
    ids = [file_id(bank.folder, i) for i in range(count)]
    return {id: Exemplar.of(bank.get(id), marks(corners[i], PLACES)) for i, id in enumerate(ids)}


def slow_answer(labelled: list[Exemplar], features: Tensor) -> tuple[Tensor, Tensor]:
    """(K, 2) points and (K,) scores of one picture: each labelled picture's vote, one landmark after the other."""
    query = functional.normalize(features.float(), dim=0)
    few = range(len(labelled[0].points))  # fewer than the judges
    alike = []
    for one in labelled:
        best = [
            float((one.described[k] @ query[:, ::2, ::2].flatten(1)).max())
            for k in few
            if one.points[k].isfinite().all()
        ]
        alike.append(SELECTIVITY * sum(best) / len(best))
    vote = torch.tensor(alike).exp()
    points, scores = [], []
    for k in few:
        have = [i for i, one in enumerate(labelled) if one.points[k].isfinite().all()]
        share = vote[have] / vote[have].sum()
        asked = torch.stack([s * labelled[i].described[k] for s, i in zip(share, have, strict=True)]).sum(0)
        # The reference that match_points takes is a picture; one of a single colour will do.
        flat = asked[None, :, None, None].expand(-1, -1, *query.shape[1:])
        point, similarity = match_points(flat, torch.zeros(1, 1, 2), query[None])
        points.append(point[0, 0])
        scores.append(float(similarity[0, 0] * asked.norm()))
    return torch.stack(points), torch.tensor(scores)


def test_matching_equals_a_plain_loop(bank: FeatureBank, corners: list[tuple[int, int]]) -> None:
    labelled = list(exemplars(bank, corners, 3).values())
    xy = marks(corners[1], PLACES)
    xy[2] = np.nan  # not labelled there
    labelled[1] = Exemplar.of(labelled[1].seen, xy)
    queries = torch.stack([bank.get(file_id(bank.folder, i)).features for i in (5, 6, 7)])
    answer = Matcher(labelled).answer(queries)
    slow = [slow_answer(labelled, features) for features in queries]
    points, scores = torch.stack([one for one, _ in slow]), torch.stack([one for _, one in slow])
    assert torch.allclose(answer.score, scores.clamp(0, 1), atol=5e-3)
    same = (answer.points - points).norm(dim=-1) < 1e-3
    assert same.float().mean() > 0.9  # elsewhere, two places are all but equally alike
    assert torch.allclose(answer.expected, torch.from_numpy(PRIOR.expected(answer.score.numpy())).float(), atol=1e-5)


def test_one_left_out_has_no_say(bank: FeatureBank, corners: list[tuple[int, int]]) -> None:
    labelled = list(exemplars(bank, corners, 4).values())
    features = labelled[2].seen.features[None]
    without = Matcher(labelled).answer(features, without=2)
    others = Matcher([labelled[0], labelled[1], labelled[3]]).answer(features)
    assert torch.equal(without.points, others.points)
    everyone = Matcher(labelled).answer(features)
    assert not torch.equal(everyone.points, others.points)
    left_out = Matcher(labelled).of_labelled(labelled)
    assert torch.equal(left_out.points[2], others.points[0])


@pytest.mark.parametrize("head", [False, True])
def test_portrait_and_landscape_in_their_own_pixels(
    head: bool, bank: FeatureBank, corners: list[tuple[int, int]]
) -> None:
    """Windows of one texture, of both shapes: the truth on every one of them is known."""
    labelled = exemplars(bank, corners, 8 if head else 1)
    learnt = learn(labelled)
    for number in (8, 9, 10, 11):
        seen = bank.get(file_id(bank.folder, number))
        answer = learnt.answer(seen.features[None].float(), Matcher(list(labelled.values()), learnt.matching))
        found = seen.to_picture(answer.points[0].double().numpy())
        away = np.linalg.norm(found - marks(corners[number], PLACES), axis=-1)
        assert np.median(away) < 1
        assert away.max() < 2  # half a cell


def test_a_copy_gets_the_same_labels(bank: FeatureBank, corners: list[tuple[int, int]], tmp_path: Path) -> None:
    for number in (0, 1):  # portrait, landscape
        (tmp_path / "pictures" / f"{number + 8:02}.png").write_bytes(
            bank.folder.path(file_id(bank.folder, number)).read_bytes()
        )
        labelled = list(exemplars(bank, corners, 2).values())[number]
        copy = bank.get(file_id(bank.folder, number + 8))
        found = copy.to_picture(Matcher([labelled]).answer(copy.features[None]).points[0].double().numpy())
        assert np.abs(found - marks(corners[number], PLACES)).max() < 1


def test_what_is_labelled_nowhere_is_suggested_nowhere(bank: FeatureBank, corners: list[tuple[int, int]]) -> None:
    xy = marks(corners[0], PLACES)
    xy[3] = np.nan
    one = Exemplar.of(bank.get(file_id(bank.folder, 0)), xy)
    answer = Matcher([one]).answer(bank.get(file_id(bank.folder, 5)).features[None])
    assert answer.points[0].isnan().any(-1).tolist() == [False, False, False, True, False]


def test_a_head_only_for_landmarks_with_enough_labels(bank: FeatureBank, corners: list[tuple[int, int]]) -> None:
    labelled = {}
    for i in range(9):
        xy = marks(corners[i], PLACES)
        if i >= FEWEST - 1:
            xy[1] = np.nan
        labelled[str(i)] = Exemplar.of(bank.get(file_id(bank.folder, i)), xy)
    learnt = learn(labelled)
    assert 1 not in learnt.landmarks
    answer = learnt.answer(
        bank.get(file_id(bank.folder, 10)).features[None].float(), Matcher(list(labelled.values()), learnt.matching)
    )
    assert answer.points.isfinite().all()
    assert answer.expected.isfinite().all()


def test_the_head_is_kept_only_where_it_is_better() -> None:
    """A mark in noise is found by either; a landmark one cell beside the mark only by the head."""

    class Square:  # all that learning needs of a picture
        def __init__(self, features: Tensor) -> None:
            self.features = features

    def example(seed: int, beside: int) -> Exemplar:
        draws = np.random.default_rng(seed)
        x, y = (int(v) for v in draws.integers(4, 18, 2))
        features = torch.from_numpy(draws.normal(size=(64, 24, 24))).float()
        features[:, y, x + beside] = torch.from_numpy(np.random.default_rng(99).normal(size=64) * 4).float()
        points = torch.tensor([[(x + 0.5) / 12 - 1, (y + 0.5) / 12 - 1]])
        described = functional.normalize(features[:, y, x], dim=0)[None]
        mine = torch.zeros(1, dtype=torch.bool)
        return Exemplar(Square(features.half()), points, described, mine)  # type: ignore[arg-type]

    beside = learn({str(i): example(i, beside=1) for i in range(12)})
    assert beside.method == "head"
    assert beside.error < 0.15
    at_it = learn({str(i): example(i, beside=0) for i in range(12)})
    assert at_it.method == "matching"
    assert at_it.error < 0.02


def test_expected_errors_of_matching() -> None:
    none = calibrate_matching(torch.empty(0, 3), torch.empty(0, 3))
    grid = np.linspace(0.2, 1, 50)
    assert np.allclose(none.expected(grid), PRIOR.expected(grid), atol=0.02)
    draws = np.random.default_rng(0)
    scores = draws.uniform(0.5, 1, (40, 5))
    errors = np.abs(draws.normal(0, 1, (40, 5))) * (1.2 - scores) * 0.5
    errors[0, 0] = np.nan
    learnt = calibrate_matching(torch.from_numpy(scores), torch.from_numpy(errors))
    expected = learnt.expected(grid)
    assert (np.diff(expected) <= 1e-12).all()
    assert np.nanmean(errors) == pytest.approx(float(learnt.expected(scores).mean()), rel=0.2)
    worse = calibrate_matching(torch.from_numpy(scores), torch.from_numpy(4 * errors))
    assert (worse.expected(grid) > expected).all()


def test_many_kinds_of_missing_labels(bank: FeatureBank, corners: list[tuple[int, int]]) -> None:
    draws = np.random.default_rng(0)
    labelled = {}
    for i in range(8):
        xy = marks(corners[i], PLACES)
        xy[draws.uniform(size=len(xy)) < 0.3] = np.nan
        xy[0] = marks(corners[i], PLACES[:1])
        labelled[str(i)] = Exemplar.of(bank.get(file_id(bank.folder, i)), xy)
    learnt = learn(labelled)
    assert learnt.unseen.points.shape == (8, len(PLACES), 2)
    assert learnt.error < 0.1


def accepting(labelled: dict[str, Exemplar], which: dict[str, list[int]], off: float) -> dict[str, Exemplar]:
    """Some landmarks of some pictures as accepted suggestions that are wrong."""
    out = dict(labelled)
    for id, landmarks in which.items():
        one = labelled[id]
        flags = torch.zeros(len(one.points), dtype=torch.bool)
        flags[landmarks] = True
        xy = one.seen.to_picture(one.points.double().numpy())
        xy[landmarks] += off
        out[id] = Exemplar.of(one.seen, xy, flags.numpy())
    return out


def test_accepting_suggestions_unseen_does_not_move_the_error_that_is_told(
    bank: FeatureBank, corners: list[tuple[int, int]]
) -> None:
    """Five pictures are labelled, and seven taken over as they are suggested, each point 12 pixels off."""
    every = exemplars(bank, corners, 12)
    ids = list(every)
    own = learn({id: every[id] for id in ids[:5]})
    whole = learn(accepting(every, {id: [0, 1, 2, 3, 4] for id in ids[5:]}, off=12.0))
    assert (whole.error, whole.error_px, whole.judged_on) == (own.error, own.error_px, 25)
    assert torch.equal(whole.unseen.points[:5], own.unseen.points)
    grid = np.linspace(0, 1, 50)
    assert np.array_equal(whole.matching.expected(grid), own.matching.expected(grid))
    assert (whole.calibration is None) == (own.calibration is None)
    if whole.calibration is not None and own.calibration is not None:
        assert np.array_equal(whole.calibration.expected(grid), own.calibration.expected(grid))
    as_if_placed = learn(accepting(every, {id: [] for id in ids}, off=0.0))
    assert as_if_placed.judged_on == 60


@pytest.mark.parametrize("count", [4, 12])
def test_the_error_is_that_of_the_points_that_a_person_placed(
    count: int, bank: FeatureBank, corners: list[tuple[int, int]]
) -> None:
    """By matching and by a head; worked out picture by picture, in pixels, from what was said without each."""
    labelled = exemplars(bank, corners, count)
    ids = list(labelled)
    learnt = learn(accepting(labelled, {ids[0]: [1, 2], ids[2]: [0, 1, 2, 3, 4], ids[3]: [4]}, off=-9.0))
    shares, pixels = [], []
    for row, id in enumerate(ids):
        said = labelled[id].seen.to_picture(learnt.unseen.points[row].double().numpy())
        away = np.linalg.norm(said - marks(corners[row], PLACES), axis=-1)
        kept = sorted(set(range(5)) - set({0: [1, 2], 2: [0, 1, 2, 3, 4], 3: [4]}.get(row, [])))
        shares += (away[kept] / labelled[id].seen.frame_px).tolist()
        pixels += away[kept].tolist()
    assert learnt.judged_on == len(pixels) == 5 * count - 8
    assert learnt.error == pytest.approx(np.mean(shares), rel=1e-3)
    assert learnt.error_px == pytest.approx(np.mean(pixels), rel=1e-3)


def test_without_two_pictures_of_ones_own_no_error_is_told(bank: FeatureBank, corners: list[tuple[int, int]]) -> None:
    labelled = exemplars(bank, corners, 7)
    ids = list(labelled)
    learnt = learn(accepting(labelled, {id: [0, 1, 2, 3, 4] for id in ids[1:]}, off=0.0))
    assert np.isnan(learnt.error)
    assert np.isnan(learnt.error_px)
    assert learnt.judged_on == 0
    none = learn(accepting(labelled, {id: [0, 1, 2, 3, 4] for id in ids}, off=0.0))
    assert np.isnan(none.error)
    assert (
        none.answer(labelled[ids[0]].seen.features[None].float(), Matcher(list(labelled.values())))
        .points.isfinite()
        .all()
    )
