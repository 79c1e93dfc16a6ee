"""The cascade's geometry and signals, and what it says where a heat map is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lying import PARTS, SIDE, drawn, lying, upright
from torch import Tensor

from lead.geometry import cell_grid
from lead.nn.cascade import NEAR, SIZES, Cascade, CoarseOutput
from lead.nn.heads import ALL_ROUND, BOTH_SIDES, EITHER_SIDE, PLAIN, Lie, RidgeHead
from lead.nn.shape import Pose, common_shape
from lead.nn.steered import SteeredHead
from lead.training.fit import moments_of, settle
from lead.training.labelled import Labelled

SHAPE = torch.tensor([[-1.0, -0.6], [1.0, -0.6], [0.0, 1.2]])
SHAPE = SHAPE / SHAPE.square().sum(-1).mean().sqrt()


def made(*, fine: bool = True, seed: int = 0) -> Cascade:
    torch.manual_seed(seed)
    cascade = Cascade(4, 3, fine=fine)
    cascade.shape.copy_(SHAPE)
    cascade.sizes.copy_(torch.tensor([0.2, 0.3, 0.5]))
    cascade.reach.fill_(1.7)
    for head in (cascade.coarse, cascade.fine):
        if head is not None:
            head.weight.normal_(0, 0.05)
    return cascade


def posed(count: int, seed: int = 0, size: float | None = None) -> Pose:
    random = np.random.default_rng(seed)
    sizes = random.uniform(0.2, 0.5, count) if size is None else np.full(count, size)
    angle = random.uniform(-np.pi, np.pi, count)
    turn = sizes[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    return Pose(torch.from_numpy(turn).float(), torch.from_numpy(random.uniform(-0.5, 0.5, (count, 2))).float())


@given(seed=st.integers(0, 99))
def test_places_come_back_from_crops(seed: int) -> None:
    cascade, pose = made(), posed(5, seed)
    points = torch.from_numpy(np.random.default_rng(seed).uniform(-1, 1, (5, 3, 2))).float()
    torch.testing.assert_close(cascade.from_crop(cascade.to_crop(points, pose), pose), points, atol=1e-5, rtol=0)


def test_a_crop_is_the_square_that_to_crop_speaks_of() -> None:
    cascade, pose = made(), posed(4)
    inside = torch.from_numpy(np.random.default_rng(1).uniform(-1, 1, (4, 3, 2))).float()
    affine = cascade.crop(pose)
    places = torch.einsum("bij,bkj->bki", affine[:, :, :2], inside) + affine[:, None, :, 2]
    torch.testing.assert_close(cascade.to_crop(places, pose), inside, atol=1e-5, rtol=0)
    sides = 2 * affine[:, :, :2].det().sqrt()
    torch.testing.assert_close(sides, 2 * 1.7 * pose.size, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("size", "allowed"),
    [(0.3, 0.3), (0.15, 0.15), (0.02, SIZES[0] * 0.2), (0.9, 0.9), (1.7, SIZES[1] * 0.5)],
)
def test_sizes_stay_near_those_that_were_labelled(size: float, allowed: float) -> None:
    cascade, truth = made(), posed(6, seed=2, size=size)
    found = cascade.pose(truth(SHAPE), torch.ones(6, 3))
    torch.testing.assert_close(found.size, torch.full((6,), allowed), atol=1e-3, rtol=0)
    headings = [pose.turn / pose.size[:, None] for pose in (found, truth)]
    torch.testing.assert_close(*headings, atol=1e-3, rtol=0)
    centre = SHAPE.mean(0, keepdim=True)
    torch.testing.assert_close(found(centre), truth(centre), atol=1e-3, rtol=0)


def test_a_landmark_that_is_not_to_be_trusted_hardly_moves_the_pose() -> None:
    cascade, truth = made(), posed(6, seed=3)
    points, score = truth(SHAPE), torch.ones(6, 3)
    points[:, 2] += 0.1
    score[:, 2] = 0.0
    doubted, trusted = (cascade.pose(points, s)(SHAPE)[:, :2] for s in (score, torch.ones(6, 3)))
    off = [(found - truth(SHAPE)[:, :2]).norm(dim=-1).mean() for found in (doubted, trusted)]
    assert off[0] < 0.5 * off[1]


def test_without_a_second_look_the_answer_is_the_coarse_output() -> None:
    cascade, features = made(fine=False), torch.randn(3, 4, 8, 8)
    first = cascade.coarse_output(features)
    torch.testing.assert_close(first.points, cascade.coarse(features))
    torch.testing.assert_close(first.score, cascade.coarse.score(features))
    found = cascade.refine(first, features)
    torch.testing.assert_close(found.points, first.points, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.score, first.score)
    torch.testing.assert_close(found.size, first.pose.size)
    torch.testing.assert_close(found.signals[..., 2], torch.full((3, 3), math.log(NEAR)), atol=1e-3, rtol=0)


def test_the_second_look_answers_where_the_crop_lies() -> None:
    cascade, features = made(), torch.randn(3, 4, 8, 8)
    assert cascade.fine is not None
    first = cascade.coarse_output(features)
    crops = torch.randn(3, 4, 8, 8)
    found = cascade.refine(first, crops)
    torch.testing.assert_close(found.points, cascade.from_crop(cascade.fine(crops), first.pose), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.score, cascade.fine.score(crops))


@pytest.mark.parametrize("fine", [True, False])
def test_signals_are_logarithms_of_what_they_say(fine: bool) -> None:
    cascade, features, crops = made(fine=fine), torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    first = cascade.coarse_output(features)
    found = cascade.refine(first, crops if fine else features)
    assert found.signals.shape == (3, 3, Cascade.SIGNALS)
    head = cascade.fine if cascade.fine is not None else cascade.coarse
    heat = head.heat(crops if fine else features)
    grid = cell_grid(8, 8).view(-1, 2).double().numpy()
    for b in range(3):
        size = float(first.pose.size[b])
        own = []
        for k in range(3):
            share = (head.sharpness * heat[b, k]).flatten().softmax(0).double().numpy()
            middle = share @ grid
            spread = math.sqrt(share @ np.square(grid - middle).sum(-1))
            radii = spread * (1.7 if fine else 1 / size)
            apart = float((found.points[b, k] - first.points[b, k]).norm()) / size
            lows = [1.05 - float(found.score[b, k]), radii + NEAR, apart + NEAR]
            own.append([math.log(max(low, 0.01)) for low in lows])
        np.testing.assert_allclose(found.signals[b, :, :3].numpy(), own, atol=0.02)
    mean = found.signals[..., :4].mean(1, keepdim=True).expand(-1, 3, -1)
    torch.testing.assert_close(found.signals[..., 4:], mean)


def test_a_landmark_out_of_its_place_in_the_shape_is_told_by_its_signal() -> None:
    cascade, truth = made(), posed(3, seed=4)
    points = truth(SHAPE)
    first = CoarseOutput(points, torch.ones(3, 3), truth)
    fits = cascade.signals(first, points, torch.ones(3, 3), torch.zeros(3, 3))[..., 3]
    torch.testing.assert_close(fits, torch.full((3, 3), math.log(NEAR)), atol=0.02, rtol=0)
    other = points.clone()
    other[:, 0] += 0.3
    off = cascade.signals(first, other, torch.ones(3, 3), torch.zeros(3, 3))[..., 3]
    assert (off.amax(1) > math.log(0.1)).all()


def test_signals_are_finite_whatever_the_features() -> None:
    for landmarks in (1, 2, 3):
        cascade = Cascade(4, landmarks, fine=True)
        if landmarks > 1:  # of one landmark, or of several on one spot, the shape is none
            cascade.shape.copy_(SHAPE[:landmarks])
        cascade.sizes.fill_(0.3)
        assert cascade.fine is not None
        for scale in (0.0, 1e-3, 1e3):
            cascade.coarse.weight.normal_(0, scale)
            cascade.fine.weight.normal_(0, scale)
            for features in (torch.zeros(2, 4, 6, 6), torch.randn(2, 4, 6, 6)):
                first = cascade.coarse_output(features)
                found = cascade.refine(first, features.flip(0))
                for value in (found.points, found.score, found.signals, found.size, cascade.crop(first.pose)):
                    assert torch.isfinite(value).all()
                assert (found.size > 0).all()


# --- however things lie ----------------------------------------------------------------------------------------------


def shown_upright(lies: tuple[Lie, ...], *, fine: bool) -> Cascade:
    """A cascade whose looks have been shown upright things."""
    pose = upright(30)
    cascade = Cascade(3, len(PARTS), fine=fine, lies=lies)
    shape, size = common_shape(pose(PARTS))
    cascade.shape.copy_(shape)
    cascade.sizes.copy_(torch.tensor([0.8, 1.0, 1.2]) * size)
    cascade.reach.fill_(0.95 / size)  # crops nearly as large as the picture
    if isinstance(cascade.coarse, SteeredHead):
        cascade.coarse.shape.copy_(shape)
        cascade.coarse.usual.fill_(size)
    learnt = [moments_of(cascade.coarse, Labelled(drawn(pose).numpy(), pose(PARTS)))]
    for head in (cascade.coarse, cascade.fine):
        if head is not None:
            settle(head, learnt, 1e-4, 120.0)
    return cascade


def looked_at(cascade: Cascade, pose: Pose, up: Tensor | None = None) -> Tensor:
    """(B, K) errors in cells; the views are drawn anew, so that nothing is lost in turning them."""
    found = cascade.find(drawn(pose), lambda affine: drawn(pose, affine), up)
    assert torch.isfinite(found.signals).all()
    off: Tensor = (found.points - pose(PARTS)).norm(dim=-1) * (SIDE / 2)
    return off


def test_a_cascade_has_the_head_that_its_lies_need() -> None:
    assert type(Cascade(4, 3, fine=True).coarse) is RidgeHead
    assert not Cascade(4, 3, fine=True, lies=ALL_ROUND).mirrored
    for lies in (ALL_ROUND, EITHER_SIDE, BOTH_SIDES):
        cascade = Cascade(4, 3, fine=True, lies=lies)
        assert isinstance(cascade.coarse, SteeredHead)
        assert type(cascade.fine) is RidgeHead  # its crops are upright
        assert cascade.lies == cascade.coarse.lies == lies
    assert cascade.mirrored


@pytest.mark.parametrize("fine", [True, False])
@pytest.mark.parametrize("mirrored", [True, False])
def test_however_a_thing_lies_it_is_found(mirrored: bool, fine: bool) -> None:
    cascade = shown_upright(BOTH_SIDES if mirrored else ALL_ROUND, fine=fine)
    angles = torch.arange(16) * (math.pi / 8) + 0.1
    pose = lying(angles, mirrored=mirrored)
    found = cascade.coarse_output(drawn(pose)).pose
    off = torch.einsum("bi,bi->b", found.turn, pose.turn) / (found.size * pose.size)
    assert (off > math.cos(math.radians(15))).all()
    if mirrored:
        assert found.side is not None
        assert (found.side == -1).all()
    assert looked_at(cascade, pose).max() < (1 if fine else 2)


@pytest.mark.parametrize("lies", [(PLAIN,), ALL_ROUND])
@pytest.mark.parametrize("fine", [True, False])
def test_where_it_is_said_which_way_is_up_no_heading_is_tried(lies: tuple[Lie, ...], fine: bool) -> None:
    cascade = shown_upright(lies, fine=fine)
    angles = torch.arange(12) * (math.pi / 6)
    pose = lying(angles)
    up = torch.stack([angles.sin(), -angles.cos()], dim=-1)  # clockwise from (0, -1)
    assert looked_at(cascade, pose, up).max() < 1
    assert (looked_at(cascade, pose, -up).amax(1) > 2).all()
    if lies == (PLAIN,):
        assert (looked_at(cascade, pose).amax(1)[2:11] > 2).all()


@pytest.mark.parametrize("lies", [EITHER_SIDE, BOTH_SIDES])
@pytest.mark.parametrize("fine", [True, False])
def test_where_it_is_said_which_way_is_up_either_side_is_tried(lies: tuple[Lie, ...], fine: bool) -> None:
    cascade = shown_upright(lies, fine=fine)
    angles = torch.arange(12) * (math.pi / 6)
    up = torch.stack([angles.sin(), -angles.cos()], dim=-1)
    for pose in (lying(angles), lying(angles + math.pi, mirrored=True)):  # upside down, and then turned up again
        assert looked_at(cascade, pose, up).max() < 1
