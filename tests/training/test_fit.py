"""Heads fitted on frozen features, against least squares written out row by row."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lead.errors import LeadError
from lead.nn.heads import REDUCED, RidgeHead, SoftArgmaxHead, gaussian_maps
from lead.training import fit
from lead.training.fit import (
    CHOICES,
    Choices,
    SoftArgmaxRecipe,
    apply,
    calibrate,
    fit_head,
    fit_ridge,
    principal_components,
    train_softargmax,
)
from lead.training.labelled import Labelled, distances, folds, judging

Array = npt.NDArray[np.float64]
NAN = float("nan")


def random_labels(count: int, channels: int, cells: int, landmarks: int = 3, seed: int = 0) -> Labelled:
    """Features and landmarks that have nothing to do with one another."""
    draws = np.random.default_rng(seed)
    features = draws.normal(size=(count, channels, cells, cells)).astype(np.float16)
    return Labelled(features, torch.from_numpy(draws.uniform(-0.9, 0.9, (count, landmarks, 2))).float())


def things(count: int, *, seed: int, cells: int = 12) -> Labelled:
    """One thing of 5 × 5 different cells anywhere on an even ground; its landmarks are 3 places on it."""
    thing = np.random.default_rng(99).normal(size=(8, 5, 5))
    draws = np.random.default_rng(seed)
    features = np.zeros((count, 8, cells, cells), dtype=np.float16)
    features[:, 0] = 1
    points = []
    for picture in features:
        x, y = draws.integers(0, cells - 4, 2)
        picture[:, y : y + 5, x : x + 5] = thing
        points.append([[x + 1, y + 1], [x + 3.4, y + 1.6], [x + 2, y + 3]])
    return Labelled(features, torch.tensor(2 * (np.array(points) + 0.5) / cells - 1).float())


# --- the definition, slowly ------------------------------------------------------------------------------------------


def design(features: npt.NDArray[np.float16], radius: int) -> Array:
    """(cells, D): for each cell its neighbourhood of unit features, and 1."""
    maps = features.astype(np.float64)
    unit = maps / np.linalg.norm(maps, axis=0)
    _, height, width = maps.shape
    steps = range(-radius, radius + 1)
    return np.array(
        [
            [
                *(
                    channel[min(max(row + dy, 0), height - 1), min(max(column + dx, 0), width - 1)]
                    for channel, dy, dx in product(unit, steps, steps)
                ),
                1.0,
            ]
            for row, column in product(range(height), range(width))
        ]
    )


def target(point: Array, cells: int, sigma: float) -> Array:
    """(cells²,): a bump at a normalised point, in rows."""
    place = (point + 1) / 2 * cells - 0.5
    return np.array(
        [
            np.exp(-((column - place[0]) ** 2 + (row - place[1]) ** 2) / (2 * sigma**2))
            for row, column in product(range(cells), range(cells))
        ]
    )


def least_squares(labelled: Labelled, ridge: float, radius: int = 1, sigma: float = 1.0) -> Array:
    """(D, K): argmin of the mean squared residual plus ``ridge`` times the squared norm, each landmark by itself."""
    points, cells = labelled.points.double().numpy(), labelled.features.shape[-1]
    columns = []
    for k in range(points.shape[1]):
        known = [i for i in range(len(points)) if np.isfinite(points[i, k]).all()]
        rows = np.concatenate([design(labelled.features[i], radius) for i in known])
        wanted = np.concatenate([target(points[i, k], cells, sigma) for i in known])
        penalty = np.sqrt(ridge * len(rows)) * np.eye(rows.shape[1])
        padded = np.concatenate([wanted, np.zeros(len(penalty))])
        columns.append(np.linalg.lstsq(np.concatenate([rows, penalty]), padded, rcond=None)[0])
    return np.stack(columns, axis=1)


def answer(features: npt.NDArray[np.float16], weight: Array, sharpness: float, radius: int = 1) -> tuple[Array, Array]:
    """(K, 2) expected places and (K,) heights of the heat maps of one picture."""
    cells = features.shape[-1]
    heat = design(features, radius) @ weight  # (cells², K)
    share = np.exp(sharpness * (heat - heat.max(0)))
    centres = np.array(list(product(range(cells), range(cells))))[:, ::-1]  # (x, y)
    place = (share / share.sum(0)).T @ centres
    return 2 * (place + 0.5) / cells - 1, heat.max(0).clip(0, 1)


# --- ridge -----------------------------------------------------------------------------------------------------------


ONE_RIDGE = Choices(ridges=(1e-3,))


@pytest.mark.parametrize(("radius", "sigma"), [(1, 1.0), (0, 1.7)])
def test_ridge_is_penalised_least_squares(radius: int, sigma: float) -> None:
    labelled = replace(random_labels(7, 3, 5), chunk=3)  # 7 pictures in three parts
    labelled.points[[0, 4], 2] = NAN  # a landmark missing here and there is fitted on the other pictures
    labelled.points[3, 1, 0] = NAN
    head = fit_ridge(labelled, radius=radius, sigma=sigma, choices=ONE_RIDGE).head
    assert isinstance(head, RidgeHead)
    np.testing.assert_allclose(head.weight.numpy(), least_squares(labelled, 1e-3, radius, sigma), atol=2e-4)


def test_the_error_is_that_of_leaving_one_picture_out() -> None:
    labelled = random_labels(6, 3, 5)
    labelled.points[2, 1] = NAN
    truth = labelled.points.double().numpy()
    errors: dict[tuple[float, float], Array] = {}
    scores: dict[tuple[float, float], Array] = {}
    for ridge in CHOICES.ridges:
        weights = [least_squares(labelled.take(np.delete(np.arange(6), i)), ridge) for i in range(6)]
        for sharpness in CHOICES.sharpnesses:
            found = [answer(labelled.features[i], weights[i], sharpness) for i in range(6)]
            errors[ridge, sharpness] = np.linalg.norm(np.stack([p for p, _ in found]) - truth, axis=-1) / 2
            scores[ridge, sharpness] = np.stack([s for _, s in found])
    ridge, sharpness = best = min(errors, key=lambda choice: float(np.nanmean(errors[choice])))
    fitted = fit_ridge(labelled)
    assert isinstance(fitted.head, RidgeHead)
    assert fitted.error == pytest.approx(np.nanmean(errors[best]), abs=1e-4)
    assert float(fitted.head.sharpness) == sharpness
    np.testing.assert_allclose(fitted.head.weight.numpy(), least_squares(labelled, ridge), atol=2e-4)
    assert fitted.calibration is not None
    known = np.isfinite(errors[best])  # a monotone fit by least squares keeps the mean
    expected = fitted.calibration.expected(scores[best][known]).mean()
    assert expected == pytest.approx(errors[best][known].mean(), abs=1e-3)


def test_one_label_finds_the_same_thing_elsewhere() -> None:
    fitted = fit_ridge(things(1, seed=1))
    assert np.isnan(fitted.error)
    assert fitted.calibration is None
    unseen = things(20, seed=2)
    assert distances(apply(fitted.head, unseen), unseen.points).mean() < 0.03


def test_what_the_features_tell_exactly_is_found_almost_exactly() -> None:
    labelled, unseen = things(8, seed=1), things(20, seed=2)
    fitted = fit_ridge(labelled)
    errors = distances(apply(fitted.head, unseen), unseen.points)
    guess = distances(labelled.points.mean(0).expand_as(unseen.points), unseen.points)
    assert errors[:, [0, 2]].mean() < 0.001  # in the middle of a cell
    assert errors[:, 1].max() < 0.6 * 2**0.5 / 12  # between cells: in one of those beside it
    assert errors.mean() < 0.02 < 0.1 * guess.mean()
    assert fitted.error < 0.02
    assert apply(fitted.head.score, unseen).min() > 0.65


def wide(count: int) -> Labelled:
    """Features of ``REDUCED + 12`` channels, the last twelve of them faint."""
    labelled = random_labels(count, REDUCED + 12, 5)
    labelled.features[:, REDUCED:] *= 0.1
    return labelled


def leading(labelled: Labelled) -> Array:
    """(REDUCED, C) leading right singular vectors of the cells' unit features."""
    rows = labelled.features.astype(np.float64).transpose(0, 2, 3, 1).reshape(-1, labelled.features.shape[1])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    out: Array = np.linalg.svd(rows, full_matrices=False)[2][:REDUCED]
    return out


def test_wide_features_are_reduced_to_their_leading_components() -> None:
    labelled = wide(12)
    vectors = leading(labelled)
    head = fit_ridge(labelled, radius=0, choices=ONE_RIDGE).head
    assert isinstance(head, RidgeHead)
    reduction = head.reduction.double().numpy()
    np.testing.assert_allclose(reduction.T @ reduction, vectors.T @ vectors, atol=1e-4)  # the same subspace
    unit = labelled.features / np.linalg.norm(labelled.features.astype(np.float64), axis=1, keepdims=True)
    compact = Labelled(np.einsum("rc,nchw->nrhw", vectors, unit), labelled.points)  # ridge does not mind a rotation
    other = fit_ridge(compact, radius=0, choices=ONE_RIDGE).head
    torch.testing.assert_close(apply(head, labelled), apply(other, compact), atol=1e-3, rtol=0)


def test_components_come_largest_first() -> None:
    labelled = wide(12)
    found, vectors = principal_components(labelled, 3).double().numpy(), leading(labelled)[:3]
    np.testing.assert_allclose(np.abs((found * vectors).sum(1)), 1, atol=1e-3)


# --- the choice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("points", [torch.empty(0, 2, 2), torch.tensor([[[0.0, 0.0], [NAN, 0.0]]] * 3)])
def test_landmarks_never_labelled_are_refused(points: torch.Tensor) -> None:
    features = np.ones((len(points), 3, 4, 4), dtype=np.float16)
    with pytest.raises(LeadError, match="labelled on no picture"):
        fit_head(Labelled(features, points))


def test_the_head_that_is_asked_for_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    labelled = random_labels(6, 3, 4)
    ridge, other = fit_ridge(labelled), fit_ridge(labelled)
    monkeypatch.setattr(fit, "fit_ridge", lambda *_, **__: ridge)
    monkeypatch.setattr(fit, "_fit_softargmax", lambda *_: other)
    assert fit_head(labelled) is ridge
    assert fit_head(labelled, kind="ridge") is ridge
    assert fit_head(labelled, kind="softargmax") is other


@given(count=st.integers(1, 60), seed=st.integers(0, 9))
def test_folds_hold_every_row_out_once(count: int, seed: int) -> None:
    parts = folds(count, seed)
    assert sorted(np.concatenate(parts).tolist()) == list(range(count))
    assert len(parts) == (count if count <= 10 else 5)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert [p.tolist() for p in folds(count, seed)] == [p.tolist() for p in parts]


@given(
    names=st.lists(st.sampled_from("abcdefghijklmnop"), min_size=1, max_size=40),
    seed=st.integers(0, 9),
)
def test_folds_never_part_a_group(names: list[str], seed: int) -> None:
    parts = folds(len(names), seed, names)
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(names)))
    assert all(len(part) for part in parts)
    unique = len(set(names))
    if unique == 1:  # all alike: as if nothing were known
        assert [p.tolist() for p in parts] == [p.tolist() for p in folds(len(names), seed)]
        return
    of = [{names[i] for i in part} for part in parts]
    assert sum(map(len, of)) == unique
    assert len(parts) == (unique if len(names) <= 10 else min(5, unique))


def test_every_row_a_group_of_its_own_is_no_group() -> None:
    names = [f"{i:02}" for i in range(23)]
    assert [p.tolist() for p in folds(23, 3, names)] == [p.tolist() for p in folds(23, 3)]


# --- moments ---------------------------------------------------------------------------------------------------------


def summed(labelled: Labelled, k: int) -> tuple[Array, Array, int]:
    """XᵀX, Xᵀy and the number of rows of one landmark, picture by picture."""
    rows, wanted = [], []
    for i, point in enumerate(labelled.points[:, k].double().numpy()):
        if np.isfinite(point).all():
            rows.append(design(labelled.features[i], 1))
            wanted.append(target(point, labelled.features.shape[-1], fit.SIGMA))
    x, y = np.concatenate(rows), np.concatenate(wanted)
    return x.T @ x, x.T @ y, len(x)


def test_moments_are_sums_over_cells() -> None:
    labelled = replace(random_labels(5, 3, 6), chunk=2)
    labelled.points[[0, 3], 1] = NAN
    found = fit.moments_of(RidgeHead(3, 3), labelled)
    assert sorted(found) == [(0, 2), (1,)]
    for members, sums in found.items():
        for place, k in enumerate(members):
            xx, xy, rows = summed(labelled, k)
            np.testing.assert_allclose(sums.xx.numpy(), xx, atol=1e-3)
            np.testing.assert_allclose(sums.xy[:, place].numpy(), xy, atol=1e-3)
            assert sums.rows == rows


@pytest.mark.parametrize("ring", [0, 3])
def test_moments_of_a_share_of_the_far_cells_are_right_on_average(ring: int) -> None:
    labelled, share = random_labels(60, 2, 20, landmarks=2), 0.25
    head = RidgeHead(2, 2, ring=ring)
    (whole,), (some,) = (list(fit.moments_of(head, labelled, share=s).values()) for s in (1.0, share))
    assert some.rows == whole.rows == 60 * 400  # what they stand for, not how many were looked at
    # Bumps are as good as nothing far from every landmark, so that what they weigh is all there.
    torch.testing.assert_close(some.xy, whole.xy, atol=2e-2 * float(whole.xy.abs().max()), rtol=0)
    # The constant's square counts cells: those near a landmark, and a quarter of the others four times.
    maps = gaussian_maps(labelled.points, 20, 20, fit.SIGMA).amax(1)
    near, far = int((maps > fit.FAR).sum()), int((maps <= fit.FAR).sum())
    assert near > 1000
    total = float(some.xx[-1, -1])
    deviation = np.sqrt(far * (1 - share) / share)  # of a binomial count, divided by the share
    assert abs(total - (near + far)) < 4 * deviation
    assert (total - near) * share == pytest.approx(round((total - near) * share), abs=0.1)  # far cells count 4 each
    size = float(whole.xx.diagonal().mean())
    assert float((some.xx - whole.xx).abs().max()) < 0.06 * max(size, float(whole.xx.abs().max()))


def test_cells_near_a_landmark_count_whole() -> None:
    labelled = random_labels(4, 3, 8, landmarks=2)
    whole, near = (
        fit.moments_of(RidgeHead(3, 2), labelled, share=s)[0, 1] for s in (1.0, 1e-9)
    )  # no far cell is drawn
    rows, wanted = [], []
    for i in range(4):
        maps = np.stack([target(p, 8, fit.SIGMA) for p in labelled.points[i].double().numpy()], axis=1)
        kept = maps.max(1) > fit.FAR
        rows.append(design(labelled.features[i], 1)[kept])
        wanted.append(maps[kept])
    x, y = np.concatenate(rows), np.concatenate(wanted)
    np.testing.assert_allclose(near.xx.numpy(), x.T @ x, atol=1e-3)
    np.testing.assert_allclose(near.xy.numpy(), x.T @ y, atol=1e-3)
    assert near.rows == whole.rows == 4 * 64


def test_moments_are_weighted_without_changing_what_they_teach() -> None:
    labelled = random_labels(4, 3, 6)
    labelled.points[1, 2] = NAN
    head = RidgeHead(3, 3)
    one, other = fit.moments_of(head, labelled), fit.moments_of(head, random_labels(3, 3, 6, seed=1))
    heavy = fit.weighted(one, 1000.0)
    assert {sums.rows for sums in heavy.values()} == {1000.0}
    assert fit.total_rows([one, heavy]) == 4 * 36 + 1000
    torch.testing.assert_close(fit.solve([heavy], 3, 1e-3), fit.solve([one], 3, 1e-3), atol=1e-5, rtol=1e-4)
    # As heavy as three times itself, beside another, it is as if its pictures were there three times.
    thrice = Labelled(np.tile(labelled.features, (3, 1, 1, 1)), labelled.points.repeat(3, 1, 1))
    again = fit.moments_of(head, thrice)
    for members in one:
        assert again[members].rows == 3 * one[members].rows
        heavier = fit.weighted({members: one[members]}, 3 * one[members].rows)[members]
        torch.testing.assert_close(heavier.xx, again[members].xx, atol=1e-3, rtol=1e-4)
        torch.testing.assert_close(heavier.xy, again[members].xy, atol=1e-3, rtol=1e-4)
    mixed = fit.solve([fit.weighted(fit.moments_of(head, labelled.take(np.array([0, 2]))), 216.0), other], 3, 1e-3)
    six = Labelled(np.tile(labelled.features[[0, 2]], (3, 1, 1, 1)), labelled.points[[0, 2]].repeat(3, 1, 1))
    torch.testing.assert_close(mixed, fit.solve([fit.moments_of(head, six), other], 3, 1e-3), atol=1e-4, rtol=1e-3)


# --- calibration -----------------------------------------------------------------------------------------------------


def test_scores_that_tell_everything_give_the_errors_back() -> None:
    scores = torch.rand(8, 3, generator=torch.Generator().manual_seed(0)).double()
    errors = 0.3 - 0.2 * scores.square()
    errors[2, 1] = NAN
    calibration = calibrate(scores, errors)
    assert calibration is not None
    known = ~errors.isnan()
    np.testing.assert_allclose(calibration.expected(scores[known].numpy()), errors[known].numpy())
    assert calibration.expected(np.zeros((4, 3))).shape == (4, 3)
    assert calibration.expected(np.zeros(())).shape == ()
    ends = [float(errors[known].max()), float(errors[known].min())]
    np.testing.assert_allclose(calibration.expected(np.array([-5.0, 5.0])), ends)
    assert calibrate(scores[:4], errors[:4]) is None


@given(seed=st.integers(0, 99), count=st.integers(5, 12), landmarks=st.integers(1, 3))
def test_a_surer_answer_is_never_expected_to_be_worse(seed: int, count: int, landmarks: int) -> None:
    random = torch.Generator().manual_seed(seed)
    scores = (torch.rand(count, landmarks, generator=random) * 5).round() / 5  # with ties
    errors = torch.rand(count, landmarks, generator=random)
    calibration = calibrate(scores, errors)
    assert calibration is not None
    expected = calibration.expected(np.linspace(-1, 2, 50))
    assert (np.diff(expected) <= 1e-12).all()
    assert errors.min() - 1e-6 <= expected.min() <= expected.max() <= errors.max() + 1e-6
    assert calibration.expected(scores.numpy()).mean() == pytest.approx(float(errors.mean()), abs=1e-5)


# --- soft-argmax -----------------------------------------------------------------------------------------------------

SHORT = SoftArgmaxRecipe(lr=1e-2, epochs=3, pictures=320)


def test_the_peers_head_learns_and_looks_past_missing_landmarks() -> None:
    labelled, unseen = things(40, seed=1), things(20, seed=2)
    labelled.points[::4, 1] = NAN
    head = train_softargmax(labelled, 0, SHORT)
    assert not head.training
    errors = distances(apply(head, unseen), unseen.points).mean(0)
    guess = distances(labelled.points.nanmean(0).expand_as(unseen.points), unseen.points).mean(0)
    assert (errors < 0.4 * guess).all()


def test_a_picture_does_not_teach_the_landmarks_that_it_lacks() -> None:
    recipe = SoftArgmaxRecipe(epochs=1, pictures=64, batch=4)
    labelled = things(4, seed=1)
    labelled.points[2, 1] = NAN
    other = Labelled(labelled.features.copy(), labelled.points)
    other.features[2] = things(1, seed=7).features[0]
    first, second = train_softargmax(labelled, 0, recipe), train_softargmax(other, 0, recipe)
    weights = [head.linear.weight.detach().view(3, 2, -1) for head in (first, second)]
    torch.testing.assert_close(weights[0][1], weights[1][1], atol=1e-6, rtol=0)
    assert not torch.allclose(weights[0][0], weights[1][0], atol=1e-4)


def test_a_batch_may_be_worked_on_in_parts() -> None:
    labelled, heads = things(10, seed=1), []
    labelled.points[::3, 1] = NAN
    for values in (2**40, 1):
        heads.append(train_softargmax(labelled, 0, SoftArgmaxRecipe(epochs=1, pictures=64), map_values=values))
    torch.testing.assert_close(heads[0].state_dict(), heads[1].state_dict(), atol=1e-5, rtol=1e-4)


def test_the_seed_decides_the_peers_head() -> None:
    recipe = SoftArgmaxRecipe(epochs=1, pictures=64)
    states = []
    for seed in (3, 3, 4):
        torch.rand(5)
        states.append(train_softargmax(things(10, seed=1), seed, recipe).state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert not any(torch.equal(states[0][name], states[2][name]) for name in states[0])


def test_the_peers_head_is_judged_on_pictures_it_has_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = SoftArgmaxRecipe(epochs=1, pictures=32, batch=8)
    labelled = things(12, seed=0)  # no two alike
    seen: list[Labelled] = []

    def watched(some: Labelled, seed: int, recipe: SoftArgmaxRecipe) -> SoftArgmaxHead:
        seen.append(some)
        return train_softargmax(some, seed, recipe)

    monkeypatch.setattr(fit, "train_softargmax", watched)
    fitted = fit_head(labelled, kind="softargmax", recipe=recipe)
    used = {features.tobytes() for features in seen[0].features}
    held = np.array([i for i in range(12) if labelled.features[i].tobytes() not in used])
    assert len(held) == 5  # enough to calibrate on
    trial = train_softargmax(seen[0], 0, recipe)
    unseen = labelled.take(held)
    assert fitted.error == pytest.approx(float(distances(apply(trial, unseen), unseen.points).mean()))
    whole = train_softargmax(labelled, 0, recipe)
    torch.testing.assert_close(apply(fitted.head, unseen), apply(whole, unseen))
    few = fit_head(labelled.take(np.arange(4)), kind="softargmax", recipe=recipe)
    assert np.isnan(few.error)
    assert few.calibration is None


# --- accepted suggestions ---------------------------------------------------------------------------------------------


def wrong(labelled: Labelled, accepted: npt.NDArray[np.bool_]) -> Labelled:
    """With some points accepted, and far off."""
    flags = torch.from_numpy(accepted)
    points = torch.where(flags[..., None], -labelled.points, labelled.points)
    return Labelled(labelled.features, points, accepted=flags)


def test_judging_takes_the_pictures_on_which_a_person_placed_a_point() -> None:
    points = torch.zeros(4, 2, 2)
    points[2, 0] = NAN
    accepted = torch.tensor([[True, True], [True, False], [False, True], [False, False]])
    rows, others = judging(points, accepted)  # of picture 2, what is not accepted is not labelled
    assert (rows.tolist(), others.tolist()) == ([1, 3], [0, 2])
    assert [part.tolist() for part in judging(points, None)] == [[0, 1, 2, 3], []]
    accepted[3, 0] = True  # the first landmark is nowhere a person's own
    assert [part.tolist() for part in judging(points, accepted)] == [[0, 1, 2, 3], []]


@pytest.mark.parametrize("kind", ["ridge", "softargmax"])
def test_the_error_is_that_of_the_hand_labels_alone(kind: fit.PlainKind) -> None:
    labelled = things(12, seed=1)
    accepted = np.zeros((12, 3), dtype=bool)
    accepted[7:] = True
    own = fit_head(labelled.take(np.arange(7)), kind=kind, recipe=SHORT)
    whole = fit_head(wrong(labelled, accepted), kind=kind, recipe=SHORT)
    assert whole.error == own.error
    assert (
        (own.calibration is None) == (whole.calibration is None) == (kind == "softargmax")
    )  # judged on three pictures
    if own.calibration and whole.calibration:
        grid = np.linspace(0, 1, 30)
        assert np.array_equal(whole.calibration.expected(grid), own.calibration.expected(grid))
    unseen = things(20, seed=2)
    assert not torch.allclose(apply(whole.head, unseen), apply(own.head, unseen), atol=0.01)  # it did learn from them
    if own.held_out and whole.held_out:
        assert torch.equal(whole.held_out[0][:7], own.held_out[0])
        assert torch.equal(whole.held_out[0][7:], apply(own.head, labelled.take(np.arange(7, 12))))


def test_within_a_picture_only_a_persons_own_points_are_judged() -> None:
    labelled = things(10, seed=3)
    accepted = np.zeros((10, 3), dtype=bool)
    accepted[2:6, 1] = True
    fitted = fit_ridge(wrong(labelled, accepted))
    assert fitted.held_out is not None
    errors = distances(fitted.held_out[0], labelled.points)
    assert fitted.error == pytest.approx(float(errors[torch.from_numpy(~accepted)].mean()))


def test_too_few_of_ones_own() -> None:
    labelled = things(8, seed=1)
    accepted = np.ones((8, 3), dtype=bool)
    for own in (0, 1):
        accepted[:own] = False
        fitted = fit_head(Labelled(labelled.features, labelled.points, accepted=torch.from_numpy(accepted)))
        assert np.isnan(fitted.error)
        assert fitted.calibration is None
        unseen = things(20, seed=2)
        assert distances(apply(fitted.head, unseen), unseen.points).mean() < 0.03
