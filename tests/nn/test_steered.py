"""A head that was shown upright things, on things that lie any way."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from lying import PARTS, SIDE, all_round, drawn, lying, upright
from torch import Tensor

from lead.nn import steered
from lead.nn.heads import ALL_ROUND, BOTH_SIDES, EITHER_SIDE, Lie, RidgeHead
from lead.nn.shape import Pose, common_shape
from lead.nn.steered import SteeredHead, spread
from lead.training.fit import moments_of, settle
from lead.training.labelled import Labelled

CELL = 2 / SIDE


def fitted(lies: Sequence[Lie] | None) -> RidgeHead:
    """To upright things; a plain head for None."""
    pose = upright(30)
    points = pose(PARTS)
    head = RidgeHead(3, len(PARTS), ring=3) if lies is None else SteeredHead(3, len(PARTS), 3, lies)
    if isinstance(head, SteeredHead):
        shape, size = common_shape(points)
        head.shape.copy_(shape)
        head.usual.fill_(size)
    settle(head, [moments_of(head, Labelled(drawn(pose).numpy(), points))], 1e-4, 120.0)
    return head


def errors(head: RidgeHead, pose: Pose) -> Tensor:
    """(B, K) in cells."""
    off: Tensor = (head(drawn(pose)) - pose(PARTS)).norm(dim=-1) / CELL
    return off


@pytest.mark.parametrize(
    ("lies", "mirrored"), [(ALL_ROUND, False), (BOTH_SIDES, False), (BOTH_SIDES, True)], ids=["round", "both", "mirror"]
)
def test_what_was_shown_upright_is_found_however_it_lies(lies: Sequence[Lie], mirrored: bool) -> None:
    pose = all_round(mirrored=mirrored)
    found, plain = errors(fitted(lies), pose), fitted(None)
    assert found[::2].max() < 1  # quarter turns
    assert found.max() < 1.5
    assert errors(plain, upright(8, seed=5)).max() < 1
    lost = errors(plain, pose).amax(1) > 1.5
    assert lost[torch.arange(24) % 8 > 0].all()
    assert bool(lost[::8].all()) == mirrored


def test_what_is_mirrored_is_not_found_by_a_head_that_only_turns() -> None:
    assert (errors(fitted(ALL_ROUND), all_round(mirrored=True)).amax(1) > 1.5).all()


def test_a_head_for_either_side_finds_what_is_seen_from_the_other() -> None:
    angle = torch.tensor([0.0, 0.05, -0.1])
    head = fitted(EITHER_SIDE)
    from_behind = lying(angle + torch.pi, mirrored=True)  # left and right changed, and upright
    assert errors(head, from_behind).max() < 1
    assert errors(head, lying(angle)).max() < 1
    assert (errors(head, lying(angle + torch.pi)).amax(1) > 1.5).all()


def test_heat_turns_with_the_picture() -> None:
    head, features = fitted(BOTH_SIDES), drawn(upright(4, seed=7))
    heat = head.heat(features)
    for quarters in range(4):
        for flipped in (False, True):
            turned, expected = (
                torch.rot90(maps.flip(-2) if flipped else maps, -quarters, (-2, -1)) for maps in (features, heat)
            )
            torch.testing.assert_close(head.heat(turned), expected, atol=1e-4, rtol=0)


MANY = 9


@pytest.mark.parametrize("telling", [16, 4])
@pytest.mark.parametrize("lies", [ALL_ROUND, BOTH_SIDES, EITHER_SIDE])
def test_each_picture_is_answered_by_the_turned_weights_of_one_lie(
    lies: Sequence[Lie], telling: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Weights side by side are answered each as if it were alone, by one lie for all landmarks of a picture."""
    monkeypatch.setattr(steered, "TELLING", telling)
    torch.manual_seed(0)
    head = SteeredHead(3, MANY, 3, lies)
    head.shape.copy_(torch.from_numpy(np.random.default_rng(0).normal(size=(MANY, 2))).float())
    features, weights = torch.randn(7, 3, 9, 8), torch.randn(3, len(head.weight), MANY)
    inputs = head.inputs(features)
    together = head.heat_of(inputs, torch.cat([*weights], dim=1))
    assert together.shape == (7, 3 * MANY, 9, 8)
    plain, chosen = RidgeHead(3, MANY, ring=3), set()
    for weight, heat in zip(weights, torch.split(together, MANY, dim=1), strict=True):
        torch.testing.assert_close(head.heat_of(inputs, weight), heat, atol=1e-4, rtol=1e-4)
        every = []
        for lie in lies:
            turned = torch.empty_like(weight)
            turned[plain.order(lie)] = weight
            plain.weight.copy_(turned)
            every.append(plain.heat(features))
        off = (torch.stack(every) - heat).abs().amax((2, 3, 4))  # (L, B)
        assert off.amin(0).max() < 1e-3
        assert (off.kthvalue(2, dim=0).values > 0.1).all()
        chosen |= set(off.argmin(0).tolist())
    assert len(chosen) > 1
    head.unroll()
    assert len(head.unrolled or []) == min(telling, MANY)  # as one computation for all pictures, the same
    torch.testing.assert_close(head.heat_of(inputs, torch.cat([*weights], dim=1)), together, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_few_landmarks_leave_the_lie_of_all(mirrored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every part thrice is found as every part once: by one of each, which lie farthest apart."""
    monkeypatch.setattr(steered, "TELLING", len(PARTS))
    head, features = fitted(BOTH_SIDES), drawn(all_round(mirrored=mirrored))
    assert isinstance(head, SteeredHead)
    more = SteeredHead(3, 3 * len(PARTS), 3, BOTH_SIDES)
    more.shape.copy_(head.shape.repeat(3, 1))
    more.weight.copy_(head.weight.repeat(1, 3))
    more.usual.copy_(head.usual)
    more.sharpness.copy_(head.sharpness)
    assert sorted(i % len(PARTS) for i in more.telling()) == list(range(len(PARTS)))
    torch.testing.assert_close(more(features), head(features).repeat(1, 3, 1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("seed", range(4))
def test_places_that_are_spread_leave_none_far_away(seed: int) -> None:
    random = np.random.default_rng(seed)
    middles = random.permutation(np.stack(np.meshgrid(np.arange(4), np.arange(3)), -1).reshape(-1, 2)) * 10.0
    many = np.repeat(middles, 5, axis=0) + random.normal(size=(60, 2))  # twelve heaps of five
    order = random.permutation(60)
    shape = torch.from_numpy(many[order]).float()
    chosen = spread(shape, 12)
    assert len({int(order[i]) // 5 for i in chosen}) == 12  # one of each heap
    assert spread(shape, 12) == chosen
    assert len(set(spread(torch.zeros(20, 2), 16))) == 16  # of a shape that is not known yet, too
    assert sorted(spread(shape[:16], 16)) == list(range(16))
