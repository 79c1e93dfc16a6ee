"""The common shape and its similarity maps, against least squares written out and against SciPy."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import procrustes
from torch import Tensor

from lead.geometry import cell_grid
from lead.nn.shape import Pose, common_shape, fit_pose, fit_pose_robustly, sided, sides

Array = npt.NDArray[np.float64]
NAN = float("nan")


def poses(count: int, random: np.random.Generator) -> Pose:
    """Maps that turn every way, and change the size threefold."""
    size, angle = random.uniform(0.2, 0.6, count), random.uniform(-np.pi, np.pi, count)
    shift = random.uniform(-0.5, 0.5, count) + 1j * random.uniform(-0.5, 0.5, count)
    return Pose(pairs(size * np.exp(1j * angle)), pairs(shift))


def pairs(numbers: npt.NDArray[np.complex128]) -> Tensor:
    """(B,) complex → (B, 2)."""
    return torch.view_as_real(torch.from_numpy(numbers).to(torch.cfloat))


def numbers(pairs: Tensor) -> Tensor:
    """The inverse of :func:`pairs`."""
    return torch.view_as_complex(pairs.contiguous())


def some_shape(landmarks: int, random: np.random.Generator) -> Tensor:
    """(K, 2), centred and with a root-mean-square radius of 1."""
    out = random.normal(size=(landmarks, 2))
    out -= out.mean(0)
    return torch.from_numpy(out / np.sqrt(np.square(out).sum(-1).mean())).float()


def least_squares(shape: Array, points: Array, weight: Array) -> Array:
    """a, b, c, d with x' = a·x - b·y + c and y' = b·x + a·y + d, nearest to the points that are known."""
    rows, wanted = [], []
    for (x, y), (there_x, there_y), counts in zip(shape, points, weight, strict=True):
        if np.isfinite(there_x) and np.isfinite(there_y):
            rows += [np.sqrt(counts) * np.array([x, -y, 1, 0]), np.sqrt(counts) * np.array([y, x, 0, 1])]
            wanted += [np.sqrt(counts) * there_x, np.sqrt(counts) * there_y]
    out: Array = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return out


@given(seed=st.integers(0, 999), landmarks=st.integers(3, 7), gaps=st.booleans(), weighted=st.booleans())
def test_a_pose_is_that_of_least_squares(seed: int, landmarks: int, gaps: bool, weighted: bool) -> None:
    random = np.random.default_rng(seed)
    shape = random.normal(size=(landmarks, 2))  # neither centred nor of unit size
    points = random.uniform(-1, 1, (4, landmarks, 2))
    if gaps:
        points[1, 0] = np.nan
        points[2, landmarks - 1, 1] = np.nan
    weight = random.uniform(0.1, 1, (4, landmarks)) if weighted else np.ones((4, landmarks))
    given_weight = torch.from_numpy(weight).float() if weighted else None
    found = fit_pose(torch.from_numpy(shape).float(), torch.from_numpy(points).float(), given_weight)
    for b in range(4):
        a, turned, c, d = least_squares(shape, points[b], weight[b])
        np.testing.assert_allclose(found.turn[b].numpy(), [a, turned], atol=1e-3)
        np.testing.assert_allclose(found.shift[b].numpy(), [c, d], atol=1e-3)


def test_what_is_left_over_is_what_scipys_procrustes_leaves() -> None:
    random = np.random.default_rng(0)
    shape = some_shape(6, random)
    points = poses(3, random)(shape) + 0.05 * torch.from_numpy(random.normal(size=(3, 6, 2))).float()
    found = fit_pose(shape, points)
    for b in range(3):
        places = points[b].double().numpy()
        left = np.square(found(shape)[b].double().numpy() - places).sum()
        # SciPy maps the second set onto the first after scaling the first to unit norm; both allow a mirror image too,
        # which is never nearer here.
        _, _, disparity = procrustes(places, shape.double().numpy())
        assert left / np.square(places - places.mean(0)).sum() == pytest.approx(disparity, rel=1e-3)


def test_what_is_left_out_does_not_count() -> None:
    random = np.random.default_rng(1)
    shape = some_shape(5, random)
    pose = poses(2, random)
    points = pose(shape)
    wild = points.clone()
    wild[0, 3] = 50.0
    weight = torch.ones(2, 5)
    weight[0, 3] = 0
    found = fit_pose(shape, wild, weight)
    torch.testing.assert_close(found.turn, pose.turn, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.shift, pose.shift, atol=1e-4, rtol=0)


def test_a_single_landmark_tells_the_place_and_the_usual_size_is_taken() -> None:
    shape = some_shape(4, np.random.default_rng(2))
    points = torch.full((2, 4, 2), NAN)
    points[0, 2] = torch.tensor([0.3, -0.2])  # the second picture says nothing
    pose = fit_pose(shape, points, usual=0.4)
    torch.testing.assert_close(pose.turn, torch.tensor([[0.4, 0.0]] * 2))
    torch.testing.assert_close(pose(shape)[0, 2], points[0, 2])
    torch.testing.assert_close(pose(shape)[1].mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    lone = fit_pose(torch.zeros(1, 2), torch.tensor([[[0.1, 0.2]]]), usual=0.3)
    torch.testing.assert_close(lone(torch.zeros(1, 2)), torch.tensor([[[0.1, 0.2]]]))
    assert lone.size.item() == pytest.approx(0.3)


def test_one_wild_landmark_does_not_move_a_robust_fit() -> None:
    random = np.random.default_rng(3)
    shape, pose = some_shape(6, random), poses(5, random)
    points = pose(shape)
    for b in range(5):
        points[b, b] += torch.tensor([0.5, -0.6])  # more than a radius off
    found, residual = fit_pose_robustly(shape, points, torch.ones(5, 6), usual=0.4)
    off = (found(shape) - pose(shape)).norm(dim=-1) / pose.size[:, None]
    plain = (fit_pose(shape, points)(shape) - pose(shape)).norm(dim=-1) / pose.size[:, None]
    assert off.max() < 0.1 < plain.amax(1).min()
    assert residual.argmax(1).tolist() == list(range(5))
    told = (points - found(shape)).norm(dim=-1) / found.size[:, None]
    torch.testing.assert_close(residual, told, atol=1e-4, rtol=0)


@given(seed=st.integers(0, 999))
def test_maps_come_back(seed: int) -> None:
    random = np.random.default_rng(seed)
    pose = poses(3, random)
    points = torch.from_numpy(random.uniform(-2, 2, (3, 4, 2))).float()
    torch.testing.assert_close(pose.inverse(pose(points)), points, atol=1e-4, rtol=0)
    torch.testing.assert_close(pose(pose.inverse(points)), points, atol=1e-4, rtol=0)
    twice = pose.take(torch.tensor([2, 0, 2]))
    torch.testing.assert_close(twice(points)[[0, 2]], pose.take(torch.tensor([2, 2]))(points[[0, 2]]))


def test_the_affine_map_of_a_square_around_the_shape_is_that_of_its_places() -> None:
    pose = poses(3, np.random.default_rng(4))
    grid = cell_grid(3, 4).view(-1, 2)
    affine = pose.affine(1.7)
    mapped = torch.einsum("bij,nj->bni", affine[:, :, :2], grid) + affine[:, None, :, 2]
    torch.testing.assert_close(mapped, pose(1.7 * grid), atol=1e-5, rtol=0)
    quarter = Pose(
        torch.tensor([[0.0, 0.5]]), torch.tensor([[0.1, 0.2]])
    )  # x goes to where y grows: clockwise, y being down
    torch.testing.assert_close(quarter(torch.tensor([[1.0, 0.0]])), torch.tensor([[[0.1, 0.7]]]))


@pytest.mark.parametrize("gaps", [False, True])
def test_the_common_shape_is_found_in_turned_scaled_and_shifted_copies(gaps: bool) -> None:
    random = np.random.default_rng(5)
    shape, pose = some_shape(6, random), poses(30, random)
    points = pose(shape)
    if gaps:
        missing = torch.from_numpy(random.uniform(size=(30, 6)) < 0.3)
        missing[torch.arange(30), torch.arange(30) % 6] = True  # no picture shows them all
        points[missing] = NAN
    found, size = common_shape(points)
    assert found.mean(0).abs().max() < 1e-5
    assert found.square().sum(-1).mean().item() == pytest.approx(1, abs=1e-5)
    near = 5e-3 if gaps else 1e-3  # what is missing takes more rounds
    assert size == pytest.approx(pose.size.mean().item(), rel=near)
    # It is the same up to a rotation, which is that of the pictures on average.
    back = fit_pose(shape, found[None])
    torch.testing.assert_close(back(shape)[0], found, atol=2 * near, rtol=0)
    heading = numbers(pose.turn / pose.size[:, None]).mean()
    turn = numbers(fit_pose(found, pose(shape)).turn)
    average = (turn / turn.abs()).mean()
    assert abs(average.imag) < 4 * near < average.real
    assert average.abs().item() == pytest.approx(heading.abs().item(), abs=near)


def test_pictures_of_a_single_landmark_tell_no_size() -> None:
    random = np.random.default_rng(6)
    shape, pose = some_shape(4, random), poses(40, random)
    points = pose(shape)
    points[20:, 1:] = NAN
    points[20:30] = points[20:30].flip(1)
    found, size = common_shape(points)
    assert size == pytest.approx(pose.size[:20].mean().item(), rel=1e-3)
    torch.testing.assert_close(fit_pose(shape, found[None])(shape)[0], found, atol=1e-3, rtol=0)
    turn = numbers(fit_pose(found, pose(shape)[:20]).turn)
    assert abs((turn / turn.abs()).mean().imag) < 1e-3


def test_where_no_picture_shows_two_landmarks_they_lie_as_they_do_on_average() -> None:
    points = torch.full((4, 2, 2), NAN)
    points[:2, 0] = torch.tensor([[-0.3, 0.1], [-0.1, 0.1]])
    points[2:, 1] = torch.tensor([[0.2, 0.0], [0.2, 0.2]])
    shape, size = common_shape(points)
    torch.testing.assert_close(shape, torch.tensor([[-1.0, 0.0], [1.0, 0.0]]), atol=1e-5, rtol=0)
    assert size == pytest.approx(0.2)  # of the means (-0.2, 0.1) and (0.2, 0.1)


def test_landmarks_on_one_spot_have_no_shape() -> None:
    spot = torch.rand(5, 1, 2, generator=torch.Generator().manual_seed(0)).expand(-1, 3, -1)
    for points in (spot, spot[:, :1], spot[:1]):
        shape, size = common_shape(points)
        assert size == 0
        torch.testing.assert_close(shape, torch.zeros(points.shape[1], 2))


# --- mirror images ---------------------------------------------------------------------------------------------------


def seen_from_both(count: int, random: np.random.Generator, share: float = 0.3) -> tuple[Pose, Tensor]:
    """Maps as of :func:`poses`, the share of them of mirror images, at random places; and (count,) which are."""
    side = torch.ones(count)
    side[torch.from_numpy(random.permutation(count)[: round(share * count)])] = -1
    pose = poses(count, random)
    return Pose(pose.turn, pose.shift, side), side


def test_a_mirror_image_is_upside_down_before_it_is_turned() -> None:
    random = np.random.default_rng(7)
    pose, side = seen_from_both(6, random, share=0.5)
    places = torch.from_numpy(random.uniform(-2, 2, (5, 2))).float()
    found = pose(places)
    for b in range(6):
        number = numbers(places)
        number = number.conj() if side[b] < 0 else number  # y changes its sign
        expected = numbers(pose.turn)[b] * number + numbers(pose.shift)[b]
        torch.testing.assert_close(found[b], torch.view_as_real(expected.resolve_conj()), atol=1e-5, rtol=0)
    assert torch.equal(sided(places, None), places)
    assert torch.equal(sided(places, side)[..., 0], places[:, 0].expand(6, -1))


@given(seed=st.integers(0, 999))
def test_maps_of_mirror_images_come_back(seed: int) -> None:
    random = np.random.default_rng(seed)
    pose, side = seen_from_both(6, random, share=0.5)
    points = torch.from_numpy(random.uniform(-2, 2, (6, 4, 2))).float()
    torch.testing.assert_close(pose.inverse(pose(points)), points, atol=1e-4, rtol=0)
    torch.testing.assert_close(pose(pose.inverse(points)), points, atol=1e-4, rtol=0)
    rows = torch.tensor([2, 0, 5, 2])
    torch.testing.assert_close(pose.take(rows)(points[rows]), pose(points)[rows])
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    affine = pose.affine(1.7)
    mapped = torch.einsum("bij,nj->bni", affine[:, :, :2], corners) + affine[:, None, :, 2]
    torch.testing.assert_close(mapped, pose(1.7 * corners), atol=1e-5, rtol=0)
    assert torch.equal(affine[:, :, :2].det().sign(), side)


@given(seed=st.integers(0, 999), gaps=st.booleans())
def test_a_pose_of_a_mirror_image_is_the_one_it_was_made_with(seed: int, gaps: bool) -> None:
    random = np.random.default_rng(seed)
    shape = some_shape(5, random)
    pose, side = seen_from_both(6, random, share=0.5)
    points = pose(shape)
    if gaps:
        points[torch.arange(6), torch.arange(6) % 5] = NAN
    found = fit_pose(shape, points, side=side)
    robust, residual = fit_pose_robustly(
        shape, points.nan_to_num(), (~points.isnan().any(-1)).float(), usual=1.0, side=side
    )
    for one in (found, robust):
        torch.testing.assert_close(one.turn, pose.turn, atol=1e-3, rtol=0)
        torch.testing.assert_close(one.shift, pose.shift, atol=1e-3, rtol=0)
        assert one.side is side
    assert residual[~points.isnan().any(-1)].max() < 1e-3
    told = fit_pose(shape, points, side=-side)  # from the wrong side it does not fit
    left = (told(shape) - points).norm(dim=-1).nanmean(1) / pose.size
    assert left.min() > 20 * float((found(shape) - points).norm(dim=-1).nan_to_num().max())


@pytest.mark.parametrize("gaps", [False, True])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.45])
@pytest.mark.parametrize("seed", range(4))
def test_mirror_images_are_told_from_the_others(seed: int, share: float, gaps: bool) -> None:
    random = np.random.default_rng(seed)
    shape = some_shape(7, random)
    pose, side = seen_from_both(40, random, share)
    points = pose(shape) + 0.03 * pose.size[:, None, None] * torch.from_numpy(random.normal(size=(40, 7, 2))).float()
    if gaps:
        points[torch.from_numpy(random.uniform(size=(40, 7)) < 0.2)] = NAN
    found = sides(points)
    assert found is not None
    assert (found[side > 0] > 0).all()
    missed = torch.nonzero(found != side)[:, 0].tolist()
    assert len(missed) < (0.25 * 40 if gaps else 1)
    for b in missed:  # what is labelled of it fits as it is, more or less
        known = ~points[b].isnan().any(-1).numpy()
        there = points[b].double().numpy()
        a, turned, c, d = least_squares(shape.numpy(), there, np.ones(7))
        placed = shape.numpy() @ [[a, turned], [-turned, a]] + [c, d]
        assert np.linalg.norm(placed - there, axis=-1)[known].mean() < 0.6 * np.hypot(a, turned)
    mean, _ = common_shape(points, found)
    near = 0.15 if gaps else 0.05  # those that are missed blur it
    torch.testing.assert_close(fit_pose(shape, mean[None])(shape)[0], mean, atol=near, rtol=0)


def test_what_most_show_is_no_mirror_image() -> None:
    random = np.random.default_rng(8)
    shape = some_shape(6, random)
    pose, side = seen_from_both(20, random, share=0.8)
    found = sides(pose(shape))
    assert found is not None
    assert torch.equal(found, -side)


def test_where_nothing_tells_there_are_no_mirror_images() -> None:
    random = np.random.default_rng(9)
    noise = torch.from_numpy(random.normal(size=(30, 5, 2))).float()
    shape = some_shape(5, random)
    pose, side = seen_from_both(30, random)
    assert sides(poses(30, random)(shape) + 0.02 * noise) is None
    line = torch.linspace(-1.4, 1.4, 5)[:, None] * torch.tensor([[0.8, 0.6]])
    for off in (0.0, 0.05, 0.1):  # of a line, which fits about as well from either side
        bent = line + off * noise[0]
        assert sides(pose(bent) + 0.05 * pose.size[:, None, None] * noise) is None
    assert sides(pose(some_shape(2, random))) is None
    assert sides(pose(torch.zeros(1, 2))) is None
    assert sides(pose(torch.zeros(4, 2))) is None
    few = pose(some_shape(5, random))
    few[side < 0, 2:] = NAN  # two landmarks of each mirror image
    assert sides(few) is None
    assert sides(torch.full((3, 4, 2), NAN)) is None


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_of_upright_things_seen_from_both_sides_the_shape_is_upright(share: float) -> None:
    """Left and right are changed in a mirror image, not up and down."""
    random = np.random.default_rng(10)
    shape = some_shape(6, random)
    side = torch.where(torch.arange(30) < share * 30, -1.0, 1.0)
    flipped = torch.where(side[:, None, None] < 0, shape * torch.tensor([-1.0, 1.0]), shape)
    angle = torch.from_numpy(random.uniform(-0.3, 0.3, 30)).float()
    for way in (1, -1):
        angle[side == way] -= angle[side == way].mean()
    turn = 0.4 * torch.stack([angle.cos(), angle.sin()], dim=-1)
    points = Pose(turn, torch.zeros(30, 2))(flipped)
    for sign in (1, -1):  # whichever side is called the plain one
        found, size = common_shape(points, sign * side)
        assert size == pytest.approx(0.4, rel=1e-3)
        torch.testing.assert_close(found, shape * torch.tensor([float(sign), 1.0]), atol=0.02, rtol=0)
        heading = fit_pose(found, points, side=sign * side).heading
        torch.testing.assert_close(heading, angle, atol=0.02, rtol=0)
