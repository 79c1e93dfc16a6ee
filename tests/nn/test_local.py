"""Local looks against the plain head, landmark by landmark, and against sums written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lead.nn.heads import RidgeHead
from lead.nn.local import Answer, LocalLook, Places, weighed
from lead.nn.shape import Pose, product

DRAWS = torch.Generator().manual_seed(0)
SHAPE = torch.tensor([[-1.0, -0.8], [1.0, -0.8], [0.0, 0.4], [0.0, 1.2]])


def poses(side: Tensor | None = None) -> Pose:
    angle = torch.tensor([0.3, -1.2, 2.0])
    turn = torch.stack([angle.cos(), angle.sin()], dim=-1) * torch.tensor([[0.2], [0.3], [0.25]])
    return Pose(turn, torch.tensor([[0.1, 0.0], [-0.2, 0.1], [0.0, 0.2]]), side)


def look(count: int = 2) -> LocalLook:
    out = LocalLook(5, count)
    out.which.copy_(torch.tensor([3, 1])[:count])
    out.reach.fill_(0.25)
    out.head.weight.copy_(0.3 * torch.randn(out.head.weight.shape, generator=DRAWS))
    out.head.sharpness.fill_(20.0)
    return out


def test_each_landmark_is_looked_for_in_its_own_square() -> None:
    local, features = look(), torch.randn(3, 2, 5, 8, 8, generator=DRAWS)
    heat = local.heat(features)
    for place in range(2):
        alone = RidgeHead(5, 1)
        alone.weight.copy_(local.head.weight[:, place : place + 1])
        torch.testing.assert_close(heat[:, place : place + 1], alone.heat(features[:, place]))


@pytest.mark.parametrize("side", [None, torch.tensor([1.0, -1.0, 1.0])], ids=["one side", "two sides"])
def test_squares_lie_around_what_was_said_as_the_thing_lies(side: Tensor | None) -> None:
    local, pose = look(), poses(side)
    points = torch.rand(3, 4, 2, generator=DRAWS) - 0.5
    maps = local.squares(points, pose).view(3, 2, 2, 3)
    corner = torch.tensor([0.5, -1.0])  # of a square
    for picture in range(3):
        for place, landmark in enumerate((3, 1)):
            found = maps[picture, place] @ torch.tensor([*corner.tolist(), 1.0])
            flip = torch.tensor([1.0, 1.0 if side is None else float(side[picture])])
            expected = points[picture, landmark] + product(pose.turn[picture], 0.25 * corner * flip)
            torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("side", [None, torch.tensor([1.0, -1.0, 1.0])], ids=["one side", "two sides"])
def test_a_peak_in_a_square_is_said_where_it_is_in_the_picture(side: Tensor | None) -> None:
    local, pose = look(), poses(side)
    local.head.sharpness.fill_(1e4)
    heat = torch.zeros(3, 2, 8, 8)
    heat[:, 0, 1, 6] = heat[:, 1, 4, 2] = 1.0
    points, error = torch.rand(3, 4, 2, generator=DRAWS) - 0.5, torch.full((3, 4), 0.05)
    before = Places(points[:, local.which], torch.ones(3, 2), error[:, local.which])
    answer = local.answer(heat, before, pose, SHAPE[local.which])
    inside = torch.tensor([[(6.5 / 4) - 1, (1.5 / 4) - 1], [(2.5 / 4) - 1, (4.5 / 4) - 1]])
    maps = local.squares(points, pose).view(3, 2, 2, 3)
    expected = (maps @ torch.cat([inside, torch.ones(2, 1)], dim=-1)[None, :, :, None])[..., 0]
    torch.testing.assert_close(answer.points, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(answer.score, torch.ones(3, 2))
    apart = answer.signals[..., 2].exp()  # in units of half the reach
    away = (answer.points - before.points).norm(dim=-1) / pose.size[:, None] / 0.125
    torch.testing.assert_close(apart, away + 0.02, atol=1e-4, rtol=0)


def test_answers_count_by_the_inverse_square_of_their_errors() -> None:
    before = Places(torch.tensor([[[0.0, 0.0]]]), torch.tensor([[0.2]]), torch.tensor([[0.3]]))
    answer = Answer(torch.tensor([[[1.0, -1.0]]]), torch.tensor([[0.9]]), torch.zeros(1, 1, 5))
    after = weighed(before, answer, torch.tensor([[0.1]]))
    share = (1 / 0.1**2) / (1 / 0.1**2 + 1 / 0.3**2)
    torch.testing.assert_close(after.points, torch.tensor([[[share, -share]]]))
    assert float(after.score) == pytest.approx(0.2 + share * 0.7)
    assert float(after.error) == pytest.approx(0.1)
    kept = weighed(before, answer, torch.tensor([[math.inf]]))
    torch.testing.assert_close(kept.points, before.points)


def test_landmarks_that_are_not_looked_at_stay_as_they_are() -> None:
    local, pose = look(), poses()
    points = torch.rand(3, 4, 2, generator=DRAWS) - 0.5
    before = Places(points, torch.rand(3, 4, generator=DRAWS), torch.full((3, 4), 0.1))
    after = local(before, pose, SHAPE, torch.randn(6, 5, 8, 8, generator=DRAWS))
    for column in ("points", "score", "error"):
        torch.testing.assert_close(getattr(after, column)[:, [0, 2]], getattr(before, column)[:, [0, 2]])
    assert (after.points[:, [1, 3]] != points[:, [1, 3]]).any()
    assert (after.error <= before.error).all()
