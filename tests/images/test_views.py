"""Views: the correspondence between two of them is true, and every draw belongs to one sample and one generator."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from lead.geometry import cell_grid, denormalise_points, inside, normalise_points, sample_points
from lead.images.views import (
    CONTROL,
    Chained,
    Colour,
    View,
    Warp,
    affine_warp,
    bend_warp,
    correspondence,
    dve_warp,
    recolour,
    render,
)

BENDS = [None, (0.0005, 0.005), (0.001, 0.01)]
"""No bend, that of the peers' matching protocol, and that of DVE's training."""


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def drawn_warp(seed: int, bend: tuple[float, float] | None = None, count: int = 4) -> Warp:
    draws = generator(seed)
    warp = affine_warp(count, scale=(0.4, 0.9), shift=0.2, rotation=30, stretch=0.3, generator=draws)
    return bend_warp(warp, strength=bend, generator=draws) if bend else warp


def waves(count: int, side: int) -> Tensor:
    """Smooth pictures (count, 3, side, side): a few long waves of random direction and phase."""
    draws = generator(7)
    grid = cell_grid(side, side)
    direction = torch.randn(count, 3, 2, generator=draws) * 2
    phase = torch.rand(count, 3, 1, 1, generator=draws) * 2 * math.pi
    return 0.5 + 0.5 * (torch.einsum("yxk,bck->bcyx", grid, direction) + phase).sin()


@pytest.mark.parametrize("bend_one", BENDS[:2])
@pytest.mark.parametrize("bend_two", BENDS)
def test_corresponding_places_show_the_same(
    bend_one: tuple[float, float] | None, bend_two: tuple[float, float] | None
) -> None:
    pictures = waves(4, 160)
    one, two = drawn_warp(1, bend_one), drawn_warp(2, bend_two)
    seen_one, seen_two = render(pictures, one, 96), render(pictures, two, 48)
    points = correspondence(two, one, 48)  # where each pixel of view two is in view one
    content = sample_points(seen_one, points)
    repeated = (two(cell_grid(48, 48).view(-1, 2)).abs() > 0.99).any(-1)  # beyond the picture its edge continues
    shown = inside(points / (1 - 1 / 96)) & ~repeated
    difference = (content - seen_two.flatten(2).transpose(1, 2)).abs().amax(-1)[shown]
    assert shown.float().mean() > 0.3
    assert difference.max() < 0.01


def test_a_dot_is_found_where_the_warp_says() -> None:
    size, place = 80, torch.tensor([[41.0, 36.5]])
    grid = denormalise_points(cell_grid(size, size), (size, size))
    picture = (-(grid - place).square().sum(-1) / (2 * 2.0**2)).exp().expand(4, 3, size, size)
    warp = drawn_warp(3)
    view = render(picture, warp, 64)[:, 0]
    mass = view / view.sum((1, 2), keepdim=True)
    centroid = torch.einsum("byx,yxk->bk", mass, denormalise_points(cell_grid(64, 64), (64, 64)))
    expected = warp.unbend(normalise_points(place, (size, size)).expand(4, 1, 2))[:, 0]
    torch.testing.assert_close(centroid, denormalise_points(expected, (64, 64)), atol=0.05, rtol=0)


def test_the_identity_shows_the_picture_itself() -> None:
    pictures = torch.rand(2, 3, 24, 24)
    warp = affine_warp(2, scale=(1, 1), shift=0, rotation=0, stretch=0, generator=generator())
    torch.testing.assert_close(render(pictures, warp, 24), pictures)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), bend=st.sampled_from(BENDS))
def test_unbend_is_the_inverse(seed: int, bend: tuple[float, float] | None) -> None:
    warp = drawn_warp(seed, bend)
    points = torch.rand(4, 30, 2, generator=generator(seed)) * 2 - 1
    places = warp(points)
    found = warp.unbend(places)
    torch.testing.assert_close(warp(found), places, atol=1e-4, rtol=0)
    if bend != BENDS[2]:  # which can fold a view over, so that a place is seen twice
        torch.testing.assert_close(found, points, atol=1e-3, rtol=0)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), outer=st.sampled_from(BENDS[:2]), inner=st.sampled_from(BENDS[:2]))
def test_a_chain_of_warps_is_undone_from_its_end(
    seed: int, outer: tuple[float, float] | None, inner: tuple[float, float] | None
) -> None:
    chain = Chained(drawn_warp(seed, outer), drawn_warp(seed + 1, inner))
    points = torch.rand(4, 30, 2, generator=generator(seed)) * 2 - 1
    torch.testing.assert_close(chain(points), chain.outer(chain.inner(points)))
    torch.testing.assert_close(chain.unbend(chain(points)), points, atol=2e-3, rtol=0)
    torch.testing.assert_close(chain(points[0]), chain(points[0].expand(4, -1, -1)))


def test_a_view_through_a_chain_is_a_view_of_a_view() -> None:
    pictures, chain = waves(4, 160), Chained(drawn_warp(1, BENDS[1]), drawn_warp(2, BENDS[1]))
    once = render(pictures, chain, 48)
    twice = render(render(pictures, chain.outer, 256), chain.inner, 48)
    grid = cell_grid(48, 48).view(-1, 2)
    shown = inside(chain.inner(grid) * 1.02) & inside(chain(grid) * 1.02)  # beyond its edge each view repeats itself
    assert shown.float().mean() > 0.5
    assert (once - twice).flatten(2).abs().amax(1)[shown].max() < 0.01
    # The order matters: the other way round shows something else.
    assert (once - render(pictures, Chained(chain.inner, chain.outer), 48)).abs().mean() > 0.05


def test_points_may_be_shared_by_the_batch() -> None:
    warp = drawn_warp(5, BENDS[1])
    points = torch.rand(6, 2)
    torch.testing.assert_close(warp(points), warp(points.expand(4, 6, 2)))


def test_autocast_does_not_round_places() -> None:
    warp, points = drawn_warp(5, BENDS[1]), torch.rand(4, 6, 2)
    with torch.autocast("cpu", torch.bfloat16):
        places, back = warp(points), warp.unbend(warp(points))
    torch.testing.assert_close(places, warp(points))
    torch.testing.assert_close(back, points, atol=1e-3, rtol=0)


def test_affine_draws_stay_in_their_ranges_and_fill_them() -> None:
    warp = affine_warp(4000, scale=(0.3, 0.8), shift=0.2, rotation=20, stretch=0.5, generator=generator())
    linear, centre = warp.affine[:, :, :2], warp.affine[:, :, 2]
    across, down = linear[:, :, 0].norm(dim=-1), linear[:, :, 1].norm(dim=-1)  # of the view's half-sides
    side, aspect = (across * down).sqrt(), across / down
    angle = torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    for values, low, high in (
        (side, 0.3, 0.8),
        (aspect, 1 / 1.5, 1.5),
        (angle, -20, 20),
        (centre[:, 0], -0.2, 0.2),
        (centre[:, 1], -0.2, 0.2),
    ):
        margin = 0.01 * (high - low)
        assert low - 1e-4 <= values.min() < low + margin
        assert high - margin < values.max() <= high + 1e-4
    torch.testing.assert_close((linear[:, :, 0] * linear[:, :, 1]).sum(-1), torch.zeros(4000), atol=1e-6, rtol=0)


def test_half_of_the_bend_is_strong() -> None:
    warp = bend_warp(drawn_warp(0, count=200), strength=(0.0, 0.01), generator=generator())
    assert warp.bend is not None
    strong = warp.bend != 0
    assert strong.float().mean().item() == pytest.approx(0.5, abs=0.02)
    assert warp.bend[strong].std().item() == pytest.approx(0.01, rel=0.03)


def test_dves_warp_is_the_affine_map_plus_the_spline() -> None:
    """x ↦ t + s·R·x + Σ W_i·U(|x - c_i|²), written out with W and (t, s, R) each taken from a warp of its own."""

    def drawn(bend: float, motion: float) -> Warp:
        return dve_warp(
            3, bend=(bend, 10 * bend), shift=motion, scale=motion, rotation=100 * motion, generator=generator(4)
        )

    weights, moved, warp = drawn(0.0005, 0.0).bend, drawn(0.0, 0.1).affine, drawn(0.0005, 0.1)
    assert weights is not None
    line = [-1 + 2 * i / (CONTROL - 1) for i in range(CONTROL)]
    controls = [(x, y) for x in line for y in line]
    points = [(-0.9, 0.3), (0.2, 0.1), (1.1, -0.7)]
    expected = torch.empty(3, 3, 2)
    for b in range(3):
        (m00, m01, tx), (m10, m11, ty) = moved[b].tolist()
        side, angle = math.hypot(m00, m10), math.atan2(m10, m00)
        assert (m01, m11) == pytest.approx((-side * math.sin(angle), side * math.cos(angle)))
        for n, (x, y) in enumerate(points):
            out = [
                tx + side * (x * math.cos(angle) - y * math.sin(angle)),
                ty + side * (x * math.sin(angle) + y * math.cos(angle)),
            ]
            for i, (cx, cy) in enumerate(controls):
                d = (x - cx) ** 2 + (y - cy) ** 2
                for axis in (0, 1):
                    out[axis] += weights[b, i, axis].item() * d * math.log(d + 1e-5)
            expected[b, n] = torch.tensor(out)
    torch.testing.assert_close(warp(torch.tensor(points)), expected, atol=2e-5, rtol=0)


def test_dves_draws_are_normal() -> None:
    count = 4000
    warp = dve_warp(count, bend=(0.0005, 0.005), shift=0.05, scale=0.1, rotation=2.5, generator=generator())
    linear, centre = warp.affine[:, :, :2], warp.affine[:, :, 2]
    side, angle = linear[:, :, 0].norm(dim=-1), torch.rad2deg(torch.atan2(linear[:, 1, 0], linear[:, 0, 0]))
    assert warp.bend is not None
    weights = warp.bend @ linear.transpose(1, 2)
    half = ((0.0005**2 + 0.005**2) / 2) ** 0.5
    for values, mean, sd in (
        (side, 1.0, 0.1),
        (angle, 0.0, 2.5),
        (centre[:, 0], 0.0, 0.05),
        (centre[:, 1], 0.0, 0.05),
        (weights, 0.0, half),
    ):
        assert values.mean().item() == pytest.approx(mean, abs=4 * sd / count**0.5)
        assert values.std().item() == pytest.approx(sd, rel=0.05)


def quarter_view(clamp: bool) -> View:
    """An 8 × 8 picture, whose pixels number themselves, through a warp that shows its upper left quarter."""
    number = torch.arange(64, dtype=torch.uint8).view(1, 8, 8, 1).expand(1, 8, 8, 3)
    points = torch.tensor([[[-0.5, -0.25], [0.6, -0.5], [-0.5, math.nan]]])
    warp = Warp(torch.tensor([[[0.5, 0.0, -0.5], [0.0, 0.5, -0.5]]]))
    return View(number, points).through(warp, clamp=clamp)


def test_a_view_shows_pictures_and_their_landmarks() -> None:
    view = quarter_view(clamp=False)
    assert view.pixels.shape == (1, 8, 8, 3)
    assert view.pixels.dtype == torch.uint8
    # The view's pixel (1, 1) has its centre at the picture's (0.25, 0.25): 0.25 · 1 + 0.25 · 8 = 2.25.
    assert view.pixels[0, 1, 1].tolist() == [2, 2, 2]
    expected = torch.tensor([[[0.0, 0.5], [math.nan] * 2, [math.nan] * 2]])
    torch.testing.assert_close(view.points, expected, equal_nan=True)


def test_a_landmark_out_of_view_is_put_at_the_nearest_pixel() -> None:
    found = quarter_view(clamp=True).points
    torch.testing.assert_close(found[0, 0], torch.tensor([0.0, 0.5]))
    assert found[0, 2].isnan().all()
    assert found[0, 1, 0] == 0.875  # of the last column
    assert abs(found[0, 1, 1]) == 0.125  # the two middle rows are equally near


def test_clamped_landmarks_are_where_a_search_through_the_pixels_finds_them() -> None:
    warp = dve_warp(40, bend=(0.0005, 0.005), shift=0.1, scale=0.05, rotation=5, generator=generator(8))
    points = (torch.rand(40, 20, 2, generator=generator(9)) * 2 - 1) * 0.999
    side = 40
    found = View(torch.zeros(40, side, side, 3, dtype=torch.uint8), points).through(warp, clamp=True).points
    assert inside(found).all()
    grid = cell_grid(side, side).view(-1, 2)
    nearest = (warp(grid)[:, None] - points[:, :, None]).norm(dim=-1).amin(-1)  # (40, 20)
    away = (warp(found) - points).norm(dim=-1)
    assert (nearest > 0.05).any()  # some are out of view
    assert (away <= nearest + 1e-4).all()


WILD = Colour(jitter=0.9, hue=0.5, grey=0.3, blur=0.5, noise=0.2)


def test_recolour_stays_in_range_and_keeps_the_pictures_given() -> None:
    pictures = torch.rand(16, 3, 20, 20)
    before = pictures.clone()
    out = recolour(pictures, WILD, generator())
    assert out.shape == pictures.shape
    assert out.min() >= 0
    assert out.max() <= 1
    assert torch.equal(pictures, before)


@pytest.mark.parametrize(
    "colour",
    [
        Colour(jitter=0.4, hue=0, grey=0, blur=0, noise=0),
        Colour(jitter=0, hue=0.5, grey=0, blur=0, noise=0),
        Colour(jitter=0, hue=0, grey=0, blur=1, noise=0),
        Colour(jitter=0, hue=0, grey=0, blur=0, noise=0.1),
    ],
)
def test_each_change_is_drawn_for_each_sample(colour: Colour) -> None:
    out = recolour(torch.rand(1, 3, 16, 16).expand(6, 3, 16, 16), colour, generator())
    assert len({tuple(picture.flatten().tolist()) for picture in out}) == 6


@pytest.mark.parametrize("kind", ["grey", "blur"])
def test_a_probability_is_the_share_of_samples(kind: str) -> None:
    quiet = {"jitter": 0.0, "hue": 0.0, "grey": 0.0, "blur": 0.0, "noise": 0.0}
    pictures = torch.rand(1, 3, 8, 8).expand(400, 3, 8, 8)
    out = recolour(pictures, Colour(**(quiet | {kind: 0.3})), generator())
    changed = (out - pictures).abs().amax((1, 2, 3)) > 0.01
    assert changed.float().mean().item() == pytest.approx(0.3, abs=0.08)
    if kind == "grey":
        channels = out[changed].amax(1) - out[changed].amin(1)
        assert channels.max() < 0.01


def test_no_strength_changes_nothing_but_rounding() -> None:
    pictures = torch.rand(4, 3, 8, 8)
    out = recolour(pictures, Colour(jitter=0, hue=0, grey=0, blur=0, noise=0), generator())
    torch.testing.assert_close(out, pictures, atol=1e-5, rtol=0)


def test_a_turn_of_hue_keeps_brightness() -> None:
    pictures = 0.4 + 0.2 * torch.rand(6, 3, 8, 8)
    out = recolour(pictures, Colour(jitter=0, hue=0.5, grey=0, blur=0, noise=0), generator())
    luma = torch.tensor([0.299, 0.587, 0.114])
    torch.testing.assert_close(
        torch.einsum("bcyx,c->byx", out, luma), torch.einsum("bcyx,c->byx", pictures, luma), atol=2e-3, rtol=0
    )
    assert (out - pictures).abs().amax() > 0.05


def test_draws_follow_from_the_generator_alone() -> None:
    pictures = torch.rand(4, 3, 20, 20)

    def view(seed: int) -> Tensor:
        draws = generator(seed)
        warp = affine_warp(4, scale=(0.4, 1), shift=0.2, rotation=10, stretch=0.2, generator=draws)
        warp = bend_warp(warp, strength=(0.001, 0.01), generator=draws)
        return recolour(render(pictures, warp, 16), WILD, draws)

    torch.manual_seed(0)
    first = view(3)
    torch.manual_seed(1)
    assert torch.equal(view(3), first)
    assert not torch.equal(view(4), first)
