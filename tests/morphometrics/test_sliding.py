"""Semilandmarks that slide, held against geomorph's numbers and against a search written from the definitions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from scipy.optimize import minimize

from lead.morphometrics.procrustes import as_complex, as_real, superimposed
from lead.morphometrics.sliding import By, bending, slid, slid_towards

FloatArray = npt.NDArray[np.float64]
Least = Callable[[FloatArray, FloatArray], float]
PLACES = """
    23.3 24 114.4 41.4 27.8 44.5 43.7 59.9 59.4 66.2 83.8 65 100.4 51 52.9 44.1 59.7 49.2 74.3 39.4 65.7 33.2
    46.3 24.7 128.6 41.7 50.1 47 58.5 62.9 79.3 71.4 101.8 63.4 113 54.6 77 45.1 80.8 49.1 90.1 44.7 84.4 39.3
    1.1 30.9 119.6 38 12.9 62.6 36.6 75.2 65.9 82.3 92.4 69.8 107.6 52.2 46.6 49.1 58.9 50.1 80.3 45.3 57.6 44.7
    32 3.4 133.1 9.9 50.9 38.3 63.2 48.1 86.2 48.8 105.5 35.2 123.6 20.4 76.5 17.4 90 28 96.7 23.1 88 13.5
"""
POINTS = np.array(PLACES.split(), dtype=float).reshape(4, 11, 2)
SLIDERS = np.array([(0, 2, 3), (2, 3, 4), (3, 4, 5), (4, 5, 6), (5, 6, 1), (7, 8, 9), (8, 9, 10), (9, 10, 7)])
"""An open curve of seven points, and a closed one of four."""
GEOMORPH = {
    "bending": """
    -0.4041529472 -0.2559880043 0.5150610763 -0.0322248944 -0.3419608657 0.0092934151 -0.2079476675 0.1324707407
    0.0049788273 0.2074161787 0.2299357437 0.1838013559 0.3705756342 0.0573185685 -0.1128576086 -0.0361081906
    -0.0288482462 0.0154144252 0.1011104149 -0.0457088883 -0.0252244857 -0.1327484031
    -0.4877591253 -0.2607912143 0.4578055878 -0.1096395506 -0.3937236829 -0.0116962685 -0.3011120693 0.1474413533
    -0.1293293025 0.2316188044 0.1075630743 0.1425491021 0.3041289938 0.0218729026 -0.0814755417 -0.0894429282
    -0.0317494649 -0.0027551663 0.0969358649 -0.0359016128 0.0135520127 -0.1220492139
    """,
    "procrustes": """
    -0.4154577351 -0.2372010400 0.5130435941 -0.0557909193 -0.3587093736 -0.0069980821 -0.2319100298 0.1145349594
    -0.0269696418 0.1977691551 0.2064205064 0.1812517538 0.3703060360 0.0410688352 -0.1143935392 -0.0308991818
    -0.0057949078 0.0134299480 0.0930915832 -0.0420195475 0.0079882886 -0.1398431253
    -0.4579538725 -0.3101600754 0.4667330800 -0.0613760487 -0.3696968355 -0.0014954908 -0.2587772812 0.1576660089
    -0.0307018218 0.2106753471 0.1765142707 0.1154505467 0.3561410603 0.0199549893 -0.0717197228 -0.0974401491
    -0.0098694415 0.0030581945 0.1061099688 -0.0408339568 0.0128659360 -0.1256050397
    """,
}
"""The first and the last of POINTS by geomorph 4.0.8: gpagen(POINTS, curves = SLIDERS + 1, Proj = FALSE,
PrinAxes = FALSE) with ProcD = FALSE, its default, and TRUE."""


def as_shape(points: FloatArray) -> FloatArray:
    around = points - points.mean(0)
    return np.asarray(around / np.linalg.norm(around))


@pytest.mark.parametrize("by", ["bending", "procrustes"])
def test_geomorph_slides_the_same(by: By) -> None:
    theirs = np.array(GEOMORPH[by].split(), dtype=float).reshape(2, 11, 2)
    for mine, other in zip(slid(POINTS, SLIDERS, by)[[0, 3]], theirs, strict=True):
        shape, same = as_shape(mine), as_shape(other)
        turn, _ = orthogonal_procrustes(shape, same)
        np.testing.assert_allclose(shape @ turn, same, atol=1e-9)


def energy(mean: FloatArray, shape: FloatArray) -> float:
    """Of the thin-plate spline from one to the other: the sum of weights times displacements (Bookstein 1989)."""
    square = ((mean[:, None] - mean) ** 2).sum(-1)
    kernel = np.where(square > 0, square * np.log(np.where(square > 0, square, 1)), 0)
    affine = np.c_[np.ones(len(mean)), mean]
    system = np.block([[kernel, affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.r_[shape, np.zeros((3, 2))])[: len(mean)]
    return float((weights * shape).sum())


def distance(mean: FloatArray, shape: FloatArray) -> float:
    return float(((shape - mean) ** 2).sum())


@pytest.mark.parametrize(("by", "least"), [("bending", energy), ("procrustes", distance)])
def test_points_slide_to_where_a_search_finds_the_least(
    by: By, least: Callable[[FloatArray, FloatArray], float]
) -> None:
    shapes = superimposed(POINTS)
    mean = shapes.mean(0)
    once = as_real(slid_towards(as_complex(mean), as_complex(shapes), SLIDERS, by))
    for before, after in zip(shapes, once, strict=True):
        along = before[SLIDERS[:, 2]] - before[SLIDERS[:, 0]]
        along = along / np.linalg.norm(along, axis=1, keepdims=True)

        def at(steps: FloatArray, before: FloatArray = before, along: FloatArray = along) -> float:
            moved = before.copy()
            moved[SLIDERS[:, 1]] += steps[:, None] * along
            return least(mean, moved)

        found = minimize(at, np.zeros(len(SLIDERS)), tol=1e-14)
        assert least(mean, after) <= min(found.fun, at(np.zeros(len(SLIDERS)))) + 1e-12
        np.testing.assert_allclose(after[SLIDERS[:, 1]], before[SLIDERS[:, 1]] + found.x[:, None] * along, atol=1e-4)


@given(st.integers(0, 10**6))
def test_the_bending_energy_never_grows_and_it_is_that_of_the_spline(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = POINTS + rng.normal(size=POINTS.shape) * rng.uniform(0, 8)
    shapes = superimposed(points)
    mean = shapes.mean(0)
    once = as_real(slid_towards(as_complex(mean), as_complex(shapes), SLIDERS, "bending"))
    matrix = bending(mean)
    for before, after in zip(shapes, once, strict=True):
        assert energy(mean, after) <= energy(mean, before) + 1e-9
        assert np.einsum("ka,kl,la", before, matrix, before) == pytest.approx(energy(mean, before), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("by", ["bending", "procrustes"])
def test_landmarks_that_are_fixed_stay_and_place_size_and_direction_do_not_matter(by: By) -> None:
    out = slid(POINTS, SLIDERS, by)
    fixed = [0, 1, 7]
    np.testing.assert_array_equal(out[:, fixed], POINTS[:, fixed])
    assert (np.linalg.norm(out - POINTS, axis=-1)[:, SLIDERS[:, 1]] > 0).all()
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    np.testing.assert_allclose(slid(POINTS * 3 @ turn + 5, SLIDERS, by), out * 3 @ turn + 5, atol=1e-6)
    np.testing.assert_array_equal(slid(POINTS, SLIDERS[:0], by), POINTS)


def test_points_that_were_only_moved_along_the_curve_come_back_together() -> None:
    """Specimens are one circle, on which each has its points in other places; the fixed ones lie in four corners."""
    rng = np.random.default_rng(3)
    corners = np.array([[-2, -2], [2, -2], [2, 2], [-2, 2]], dtype=float)
    angles = 2 * np.pi * (np.arange(12) + 0.25 * rng.uniform(-1, 1, (20, 12))) / 12
    angles[:, 0] = 0
    circles = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    points = np.concatenate([np.broadcast_to(corners, (20, 4, 2)), circles], axis=1)
    ring = [4 + k % 12 for k in range(13)]
    sliders = np.array([*zip(ring, ring[1:], ring[2:], strict=False)])
    before, after = (superimposed(p) for p in (points, slid(points, sliders, "bending")))
    assert after.var(0).sum() < 0.3 * before.var(0).sum()


def test_two_points_in_one_place_are_refused() -> None:
    points = POINTS.copy()
    points[:, 0] = points[:, 7]
    with pytest.raises(np.linalg.LinAlgError):
        slid(points, SLIDERS, "bending")
