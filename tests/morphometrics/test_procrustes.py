"""Superimposed shapes, held against ktch, against SciPy's own rotation, and against what must not change them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.linalg import orthogonal_procrustes

from lead.morphometrics.procrustes import centroid_sizes, completed, spline, superimposed, tangent

FloatArray = npt.NDArray[np.float64]
BASE = np.random.default_rng(9).normal(size=(7, 2)) * [3, 1]


def specimens(count: int, scatter: float = 0.1, turned: float = 3.0) -> FloatArray:
    """Shapes that scatter around one, turned, scaled and moved."""
    rng = np.random.default_rng(count)
    angle, size = rng.uniform(-turned, turned, count), rng.uniform(0.5, 40, count)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shapes = BASE + scatter * rng.normal(size=(count, *BASE.shape))
    return np.asarray(np.einsum("abn,nkb->nka", turn * size, shapes) + rng.normal(size=(count, 1, 2)) * 100)


def turned_onto(shapes: FloatArray, others: FloatArray) -> FloatArray:
    """All shapes turned together, as others lie."""
    turn, _ = orthogonal_procrustes(shapes.reshape(-1, 2), others.reshape(-1, 2))
    return shapes @ turn


@pytest.mark.parametrize("count", [2, 25])
def test_ktch_superimposes_the_same(count: int) -> None:
    from ktch.landmark import GeneralizedProcrustesAnalysis

    points = specimens(count)
    scaled = points / centroid_sizes(points)[:, None, None]
    theirs = GeneralizedProcrustesAnalysis(tol=1e-15, scaling=False).fit_transform(scaled.reshape(count, -1))
    theirs = theirs.reshape(points.shape)
    np.testing.assert_allclose(turned_onto(superimposed(points), theirs), theirs, atol=1e-6)


def test_ktch_has_the_same_centroid_size() -> None:
    from ktch.landmark import centroid_size

    points = specimens(5)
    np.testing.assert_allclose(centroid_sizes(points), [centroid_size(one) for one in points])


def test_no_turn_brings_a_shape_nearer_to_the_mean() -> None:
    shapes = superimposed(specimens(12, scatter=0.5))
    mean = shapes.mean(0)
    np.testing.assert_allclose(centroid_sizes(shapes), 1)
    np.testing.assert_allclose(shapes.mean(1), 0, atol=1e-12)
    for shape in shapes:
        turn, _ = orthogonal_procrustes(shape, mean)
        if np.linalg.det(turn) > 0:
            np.testing.assert_allclose(turn, np.eye(2), atol=1e-6)


def test_place_size_and_direction_do_not_matter() -> None:
    points = specimens(6)
    moved = points[::-1] * 3 @ np.array([[0.6, 0.8], [-0.8, 0.6]]) + 5
    shapes = superimposed(points)
    np.testing.assert_allclose(turned_onto(superimposed(moved)[::-1], shapes), shapes, atol=1e-9)


def test_shapes_lie_as_the_specimens_did() -> None:
    points = specimens(8, scatter=0.01, turned=0.3)
    back = np.einsum("nka,kb->ab", superimposed(points), BASE)
    angles = np.random.default_rng(8).uniform(-0.3, 0.3, 8)
    assert np.arctan2(back[1, 0] - back[0, 1], back[0, 0] + back[1, 1]) == pytest.approx(angles.mean(), abs=0.02)


def test_mirror_images_stay_mirror_images() -> None:
    pair = np.stack([BASE, BASE * [-1, 1]])
    one, other = superimposed(pair)
    assert np.linalg.norm(one - other) > 0.3


def test_the_tangent_plane_touches_at_the_mean() -> None:
    shapes = superimposed(specimens(30, scatter=0.02))
    mean = shapes.mean(0)
    flat = tangent(shapes, mean)
    at = mean.reshape(-1) / np.linalg.norm(mean)
    np.testing.assert_allclose(flat @ at, 1)
    away = flat - at
    arcs = np.arccos(np.clip(shapes.reshape(30, -1) @ at, -1, 1))
    np.testing.assert_allclose(np.linalg.norm(away, axis=1), np.sin(arcs), atol=1e-9)
    assert np.linalg.matrix_rank(away, tol=1e-9) <= 2 * len(BASE) - 4


def test_the_spline_is_that_of_the_equations() -> None:
    rng = np.random.default_rng(1)
    source, target, points = rng.normal(size=(6, 2)), rng.normal(size=(6, 2)), rng.normal(size=(9, 2))

    def bending(a: FloatArray, b: FloatArray) -> FloatArray:
        square = ((a[:, None] - b) ** 2).sum(-1)
        return np.where(square > 0, square * np.log(np.where(square > 0, square, 1)), 0)  # Bookstein 1989: U(r)

    affine = np.c_[np.ones(6), source]
    system = np.block([[bending(source, source), affine], [affine.T, np.zeros((3, 3))]])
    weights = np.linalg.solve(system, np.r_[target, np.zeros((3, 2))])
    expected = bending(points, source) @ weights[:6] + np.c_[np.ones(9), points] @ weights[6:]
    np.testing.assert_allclose(spline(source, target, points), expected, atol=1e-8)


def test_a_missing_point_is_put_where_it_was() -> None:
    points = specimens(10, scatter=0)
    holes = points.copy()
    holes[3, 2] = holes[4, :3] = np.nan
    np.testing.assert_allclose(completed(holes), points, atol=1e-6)


def test_procgpa_of_r_s_shapes_superimposes_the_same() -> None:
    """Numbers of shapes 1.2.7: procGPA of x over its centroid size, scale and reflect FALSE, tol1 = tol2 = 1e-15."""
    points = np.array(
        [
            [0, 0, 40, 3, 38, 21, 2, 19],
            [5, 1, 44, 10, 39, 30, -1, 20],
            [100, 50, 99, 92, 80, 90, 82, 52],
            [7, 7, 27, 7.5, 26, 19, 6, 16],
            [0, 0, -41, -2, -39, -22, 1, -21],
        ]
    ).reshape(5, 4, 2)
    sizes = [42.3880879493, 45.4037443390, 44.1446485998, 22.5983959608, 45.4477722226]
    theirs = np.array(
        [
            [
                (0.073210272, -0.530642965),
                (0.335852819, 0.378491055),
                (-0.078603368, 0.482307714),
                (-0.330459723, -0.330155805),
            ],
            [
                (0.076742212, -0.478235534),
                (0.353219550, 0.358821412),
                (-0.080437841, 0.493364452),
                (-0.349523921, -0.373950330),
            ],
            [
                (0.053135701, -0.521782308),
                (0.342894200, 0.384721305),
                (-0.078656618, 0.482672616),
                (-0.317373283, -0.345611613),
            ],
            [
                (0.059824939, -0.479286506),
                (0.376418633, 0.347463657),
                (-0.110970181, 0.500352243),
                (-0.325273391, -0.368529394),
            ],
            [
                (0.085022761, -0.492840914),
                (0.350390218, 0.370503291),
                (-0.078417531, 0.478753931),
                (-0.356995448, -0.356416308),
            ],
        ]
    )
    np.testing.assert_allclose(centroid_sizes(points), sizes)
    np.testing.assert_allclose(turned_onto(superimposed(points), theirs), theirs, atol=1e-6)
