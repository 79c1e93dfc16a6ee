"""Landmark heads against one landmark at a time."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from lead.geometry import cell_grid, soft_argmax
from lead.nn.heads import (
    BOTH_SIDES,
    FILTERS,
    PLAIN,
    REDUCED,
    Lie,
    RidgeHead,
    SoftArgmaxHead,
    gaussian_maps,
    neighbourhood,
)


def test_the_soft_argmax_head_equals_a_loop_over_landmarks() -> None:
    torch.manual_seed(0)
    head = SoftArgmaxHead(5, 3)
    features = 0.05 * torch.randn(2, 5, 4, 6)
    with torch.no_grad():
        head.filters.weight *= 0.05  # soft maps, which a sharp softmax would hide errors of
    found = head(features)
    unit = features / features.norm(dim=1, keepdim=True)
    assert found.shape == (2, 3, 2)
    y = [(row + 0.5) / 4 * 2 - 1 for row in range(4)]
    x = [(column + 0.5) / 6 * 2 - 1 for column in range(6)]
    for b in range(2):
        for k in range(3):
            virtual = []
            for f in range(FILTERS):
                logits = 100 * torch.einsum("c,cyx->yx", head.filters.weight[k * FILTERS + f, :, 0, 0], unit[b])
                share = logits.flatten().softmax(0).view(4, 6)
                virtual += [(share.sum(0) * torch.tensor(x)).sum(), (share.sum(1) * torch.tensor(y)).sum()]
            expected = head.linear.weight[2 * k : 2 * k + 2, :, 0] @ torch.stack(virtual)
            torch.testing.assert_close(found[b, k], expected, atol=1e-5, rtol=1e-4)


def test_the_peers_head_has_no_bias_and_fifty_filters_a_landmark() -> None:
    head = SoftArgmaxHead(64, 5)
    assert {name: tuple(p.shape) for name, p in head.named_parameters()} == {
        "filters.weight": (250, 64, 1, 1),
        "linear.weight": (10, 100, 1),
    }
    assert 0.9 < head.filters.weight.std() < 1.1


def test_landmarks_do_not_see_one_another() -> None:
    head = SoftArgmaxHead(4, 2)
    features = torch.randn(1, 4, 3, 3)
    before = head(features)
    with torch.no_grad():
        head.filters.weight[:FILTERS] += 1
        head.linear.weight[:2] += 1
    after = head(features)
    assert not torch.allclose(after[:, 0], before[:, 0])
    torch.testing.assert_close(after[:, 1], before[:, 1])


def test_a_neighbourhood_lays_the_cells_around_beside_each_cell() -> None:
    features = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(neighbourhood(features, 0), features)
    found = neighbourhood(features, 1).view(2, 3, 3, 3, 4, 5)  # channel, row and column of the neighbour
    for dy in (-1, 0, 1):
        for dx in (-1, 0, 1):
            for row in range(4):
                for column in range(5):
                    y, x = min(max(row + dy, 0), 3), min(max(column + dx, 0), 4)
                    torch.testing.assert_close(found[:, :, dy + 1, dx + 1, row, column], features[:, :, y, x])


def test_a_heat_map_peaks_at_its_point_with_the_width_asked_for() -> None:
    points = torch.tensor([[[0.25, -0.5], [0.0, 0.3]]])
    maps = gaussian_maps(points, 32, 48, sigma=2.0)
    assert maps.shape == (1, 2, 32, 48)
    torch.testing.assert_close(soft_argmax(maps.clamp(min=1e-30).log()), points, atol=1e-3, rtol=0)
    share = maps[0, 0] / maps[0, 0].sum()
    cells = cell_grid(32, 48) * torch.tensor([24.0, 16.0])
    variance = (share[..., None] * (cells - points[0, 0] * torch.tensor([24.0, 16.0])).square()).sum((0, 1))
    torch.testing.assert_close(variance, torch.full((2,), 4.0), atol=0.05, rtol=0)
    exact = functional.one_hot(torch.tensor(5), 8).float()
    on_centre = gaussian_maps(cell_grid(1, 8)[0, 5].view(1, 1, 2), 1, 8, sigma=0.1)
    torch.testing.assert_close(on_centre.view(8), exact)


def test_the_ridge_head_is_linear_in_each_cells_unit_neighbourhood() -> None:
    torch.manual_seed(0)
    head, features = RidgeHead(3, 2), torch.randn(2, 3, 4, 5)
    head.weight.normal_()
    unit = (features / features.norm(dim=1, keepdim=True)).tolist()
    weight, heat = head.weight.tolist(), head.heat(features)
    assert heat.shape == (2, 2, 4, 5)
    for b in range(2):
        for k in range(2):
            for row in range(4):
                for column in range(5):
                    terms = [
                        unit[b][c][min(max(row + dy - 1, 0), 3)][min(max(column + dx - 1, 0), 4)]
                        * weight[9 * c + 3 * dy + dx][k]
                        for c in range(3)
                        for dy in range(3)
                        for dx in range(3)
                    ]
                    assert abs(float(heat[b, k, row, column]) - sum(terms) - weight[27][k]) < 1e-5


def test_the_ridge_heads_answer_and_score_are_where_and_how_high_its_heat_is() -> None:
    torch.manual_seed(0)
    head, features = RidgeHead(3, 2, radius=0), torch.randn(4, 3, 6, 6)
    head.weight.normal_(0, 0.5)
    head.sharpness.fill_(1e4)
    heat = head.heat(features)
    peak = heat.flatten(2).argmax(-1)
    torch.testing.assert_close(head(features), cell_grid(6, 6).view(36, 2)[peak], atol=1e-3, rtol=0)
    highest = [[min(max(float(heat[b, k].max()), 0.0), 1.0) for k in range(2)] for b in range(4)]
    torch.testing.assert_close(head.score(features), torch.tensor(highest))
    assert head.score(features).max() == 1  # some heat here is above 1


def gathered(features: torch.Tensor, radius: int, ring: int) -> torch.Tensor:
    """(B, H·W, D) the design's rows, one place after another, the border continued."""
    unit = features / features.norm(dim=1, keepdim=True)
    _, channels, height, width = features.shape
    steps = [(dy, dx) for dy in range(-radius, radius + 1) for dx in range(-radius, radius + 1)]
    far = [(ring * dy, ring * dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
    pictures = []
    for one in unit:
        rows = []
        for row in range(height):
            for column in range(width):
                terms = [
                    float(one[c, min(max(row + dy, 0), height - 1), min(max(column + dx, 0), width - 1)])
                    for group in (steps, far if ring else [])
                    for c in range(channels)
                    for dy, dx in group
                ]
                rows.append([*terms, 1.0])
        pictures.append(rows)
    return torch.tensor(pictures)


@pytest.mark.parametrize(("radius", "ring"), [(1, 3), (0, 2), (1, 0), (2, 1)])
def test_the_design_is_each_cells_neighbourhood_and_what_surrounds_it(radius: int, ring: int) -> None:
    torch.manual_seed(0)
    head, features = RidgeHead(3, 2, radius, ring), torch.randn(2, 3, 5, 6)
    head.weight.normal_()
    expected = gathered(features, radius, ring)
    design = head.design(features)
    torch.testing.assert_close(design, expected)
    heat = head.heat(features)
    assert heat.shape == (2, 2, 5, 6)
    torch.testing.assert_close(heat.flatten(2).transpose(1, 2), expected @ head.weight, atol=1e-4, rtol=1e-4)
    cells = torch.tensor([0, 59, 31, 7, 7, 29, 30])
    torch.testing.assert_close(head.design_at(features, cells), expected.flatten(0, 1)[cells])


def test_rows_of_a_reduced_feature_are_picked_alike() -> None:
    torch.manual_seed(0)
    head, features = RidgeHead(REDUCED + 7, 1, ring=2), torch.randn(2, REDUCED + 7, 4, 4)
    head.reduction.normal_()
    cells = torch.tensor([3, 17, 31])
    torch.testing.assert_close(head.design_at(features, cells), head.design(features).flatten(0, 1)[cells])


# --- how things lie --------------------------------------------------------------------------------------------------


def laid(maps: torch.Tensor, lie: Lie) -> torch.Tensor:
    """(..., H, W) maps of plain things as they are where the things lie so; quarter turns only."""
    return torch.rot90(maps.flip(-2) if lie.mirrored else maps, -lie.step // 2, (-2, -1))


@pytest.mark.parametrize("dimension", [3, REDUCED + 2], ids=["compact", "wide"])
@pytest.mark.parametrize("lie", [lie for lie in BOTH_SIDES if lie.step % 2 == 0])
def test_the_design_of_a_turned_map_in_order_is_the_turned_design(lie: Lie, dimension: int) -> None:
    torch.manual_seed(0)
    head, features = RidgeHead(dimension, 2, ring=2), torch.randn(2, dimension, 5, 6)
    height, width = (6, 5) if lie.step % 4 else (5, 6)
    head.reduction.normal_()
    plain, turned = head.design(features), head.design(laid(features, lie))
    maps = plain.transpose(1, 2).reshape(2, -1, 5, 6)  # (B, D, H, W)
    expected = laid(maps, lie).flatten(2).transpose(1, 2)
    found = turned[..., head.order(lie)]
    torch.testing.assert_close(found, expected)
    # So a plain thing's weight, put in the turned thing's places, makes the turned heat map.
    weight = torch.randn(head.weight.shape)
    head.weight.copy_(weight)
    heat = head.heat(features)
    head.weight[head.order(lie)] = weight
    torch.testing.assert_close(head.heat(laid(features, lie)), laid(heat, lie), atol=1e-3, rtol=1e-4)
    assert heat.shape[-2:] == (5, 6)
    assert head.heat(laid(features, lie)).shape[-2:] == (height, width)


@pytest.mark.parametrize("first", BOTH_SIDES)
def test_one_lie_after_another_is_a_third(first: Lie) -> None:
    """An eighth turns no map exactly, but two make a quarter, and mirrors turn what comes before them around."""
    assert sorted(first.neighbours()) == list(range(8))
    head = RidgeHead(2, 1, ring=3)
    assert sorted(head.order(first).tolist()) == list(range(len(head.weight)))
    for second in BOTH_SIDES:
        before = -first.step if second.mirrored else first.step
        both = Lie((before + second.step) % 8, first.mirrored != second.mirrored)
        there, further = first.neighbours(), second.neighbours()
        assert [further[place] for place in there] == both.neighbours()
        assert torch.equal(head.order(second)[head.order(first)], head.order(both))


def test_an_eighth_moves_each_neighbour_to_the_next_clockwise() -> None:
    names = ["top left", "top", "top right", "left", "right", "bottom left", "bottom", "bottom right"]

    def where(lie: Lie) -> dict[str, str]:
        return {name: names[place] for name, place in zip(names, lie.neighbours(), strict=True)}

    assert where(PLAIN) == {name: name for name in names}
    turned = where(Lie(1, mirrored=False))
    assert (turned["top"], turned["top right"], turned["right"], turned["left"]) == (
        "top right",
        "right",
        "bottom right",
        "top left",
    )
    mirrored = where(Lie(0, mirrored=True))
    assert (mirrored["top"], mirrored["left"], mirrored["top right"]) == ("bottom", "left", "bottom right")
