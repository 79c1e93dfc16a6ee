"""Shapes of specimens, held against the covariance's eigenvectors and against what was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from lead.errors import LeadError
from lead.landmarks import Labels, Schema
from lead.landmarks.scales import Scale
from lead.morphometrics.procrustes import tangent
from lead.morphometrics.shape import read_groups, shapes_of, symmetry_of

FloatArray = npt.NDArray[np.float64]
NAMES = ("nose", "left", "right", "tail", "far_left", "far_right")
PAIRS = (("left", "right"), ("far_left", "far_right"))
BASE = np.array([(0, 40), (-20, 10), (20, 10), (0, -50), (-35, -20), (35, -20)], dtype=float)


def labels(points: FloatArray, **schema: Any) -> Labels:
    """Of points whose y counts up, in pictures whose y counts down."""
    return Labels.from_xy(
        Schema(NAMES, **schema), [f"{i}.png" for i in range(len(points))], points * (1, -1) + (99, 99)
    )


def drawn(count: int = 20, scatter: float = 2.0) -> FloatArray:
    return BASE + scatter * np.random.default_rng(0).normal(size=(count, *BASE.shape))


def test_components_are_those_of_the_covariance() -> None:
    found = shapes_of(labels(drawn()))
    variances, vectors = np.linalg.eigh(np.cov(tangent(found.shapes, found.mean).T))
    count = len(found.variances)
    assert count == 2 * len(NAMES) - 4
    np.testing.assert_allclose(found.variances, variances[::-1][:count], atol=1e-12)
    axes = found.axes.reshape(count, -1)
    np.testing.assert_allclose(np.abs((axes * vectors.T[::-1][:count]).sum(1)), 1, atol=1e-6)
    np.testing.assert_allclose(found.scores.var(0, ddof=1), found.variances)
    one_off = found.along(1, 2) - found.mean
    assert np.linalg.norm(one_off) == pytest.approx(2 * np.sqrt(found.variances[1]))


def test_sizes_are_in_millimetres_of_pixels_that_need_not_be_square() -> None:
    points = np.stack([BASE] * 4)
    scales = {f"{i}.png": Scale(0.1 * (i + 1), 0.2) for i in range(4)}
    found = shapes_of(labels(points), scales)
    centred = BASE - BASE.mean(0)
    expected = [np.sqrt(((centred * (0.1 * (i + 1), 0.2)) ** 2).sum()) for i in range(4)]
    np.testing.assert_allclose(found.sizes, expected)
    assert (found.unit, shapes_of(labels(points)).unit) == ("mm", "px")


def test_shapes_stand_as_one_sees_them() -> None:
    found = shapes_of(labels(drawn()))
    assert found.mean[NAMES.index("nose"), 1] > 0 > found.mean[NAMES.index("tail"), 1]
    assert found.mean[NAMES.index("left"), 0] < 0 < found.mean[NAMES.index("right"), 0]


def test_a_misplaced_landmark_is_found() -> None:
    points = drawn()
    points[7, 3] += (40, 25)
    found = shapes_of(labels(points))
    assert found.far()[0] == 7
    assert found.oddest(7) == "tail"


def test_missing_landmarks_are_estimated_or_left_out() -> None:
    points, said = drawn(12, scatter=0.01), list[str]()
    points[2, 1] = points[5, 0] = points[5, 4] = np.nan
    points[8, :4] = np.nan
    found = shapes_of(labels(points), say=said.append)
    assert said == [
        "1 specimen with too few of their landmarks left out. The first is of '8.png'.",
        "3 missing landmarks of 2 specimens estimated by thin-plate spline.",
    ]
    assert found.estimated.sum() == 3
    np.testing.assert_allclose(found.points[2, 1] - found.points[2, 0], BASE[1] - BASE[0], atol=0.5)
    assert len(shapes_of(labels(points), missing="leave-out", say=said.append).shapes) == 9
    assert said[-1] == "3 specimens with a landmark missing left out. The first is of '2.png'."


def test_landmarks_of_a_ruler_are_no_part_of_the_shape() -> None:
    found = shapes_of(labels(drawn(), flip_pairs=PAIRS), without=("far_left", "nose"))
    assert found.labels.schema.names == ("left", "right", "tail", "far_right")
    assert found.labels.schema.flip_pairs == (("left", "right"),)


def test_without_one_of_a_pair_there_is_no_asymmetry() -> None:
    said = list[str]()
    known = labels(drawn(), flip_pairs=PAIRS)
    assert shapes_of(known, without=("far_left",), say=said.append).symmetry is None
    assert said == ["No asymmetry: 'far_right' is left without 'far_left', its counterpart. Leave both out, or none."]
    assert shapes_of(known, without=("far_left", "far_right"), say=said.append).symmetry is not None
    assert len(said) == 1


def test_what_cannot_be_compared_is_told() -> None:
    points, said = drawn(6), list[str]()
    with pytest.raises(LeadError, match=r"Unknown landmark 'noes'\. Did you mean 'nose'"):
        shapes_of(labels(points), without=("noes",))
    with pytest.raises(LeadError, match=r"2 landmarks left, and a shape has 3"):
        shapes_of(labels(points), without=NAMES[:4])
    with pytest.raises(LeadError, match=r"2 specimens left, and shapes are compared from 3 on"):
        shapes_of(labels(points[:2]))
    holes = points.copy()
    holes[:4, 1] = holes[4:, 2] = np.nan
    with pytest.raises(
        LeadError, match=r"No specimen has all landmarks.*missing: 'left' \(2 of 6\), 'right' \(4 of 6\)"
    ):
        shapes_of(labels(holes))
    line = points.copy()
    line[:, :3] = [(0, 0), (1, 1), (2, 2)]
    line[0, 3:] = np.nan
    with pytest.raises(LeadError, match=r"on one line.*--missing leave-out"):
        shapes_of(labels(line))
    one = points.copy()
    one[3] = 5
    with pytest.raises(LeadError, match=r"'3\.png': all landmarks lie in one place"):
        shapes_of(labels(one))
    one[3], one[4, 1] = 0.1, np.nan  # the mean of six times 0.1 is not quite 0.1
    with pytest.raises(LeadError, match=r"'3\.png': all landmarks lie in one place"):
        shapes_of(labels(one))
    with pytest.raises(LeadError, match=r"of none of the 6 specimens\. The first is 'x\.png', .* is of '0\.png'"):
        shapes_of(labels(points), groups={"x.png": "wide"})
    scales = {f"{i}.png": Scale.square(1) for i in range(5)}
    assert len(shapes_of(labels(points), scales, say=said.append).shapes) == 5
    assert said == ["1 specimen without a scale left out: sizes cannot be compared. The first is of '5.png'."]


def test_groups_have_mean_shapes(tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text("image;group\nx/0.png;wide\nx/1.png;wide\n2.png;slim\n3.png;slim\n")
    points, said = np.stack([BASE * (1.2, 1)] * 2 + [BASE] * 2 + [BASE * (0.9, 1)]), list[str]()
    found = shapes_of(labels(points), groups=read_groups(tmp_path / "g.csv"), say=said.append)
    assert found.groups == ("wide", "wide", "slim", "slim", "(no group)")
    assert said == ["1 specimen of no group, shown as (no group). The first is of '4.png'."]
    means = found.group_means()
    np.testing.assert_allclose(means["wide"], found.shapes[0], atol=1e-9)
    assert np.ptp(means["wide"][:, 0]) > np.ptp(means["slim"][:, 0]) > np.ptp(means["(no group)"][:, 0])
    assert shapes_of(labels(points)).group_means() == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("picture,group\na,b\n", r"g\.csv, line 1: no column 'image'; there are: picture, group"),
        ("image,group\na,b,c\n", r"g\.csv, line 2: 3 fields where the header has 2"),
        ("image,group\na,b\na,c\n", r"g\.csv, line 3: 'a' is of group 'b' already"),
    ],
)
def test_a_wrong_table_of_groups_is_told_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "g.csv").write_text(text)
    with pytest.raises(LeadError, match=message):
        read_groups(tmp_path / "g.csv")


def test_what_is_symmetric_has_no_asymmetry() -> None:
    rng = np.random.default_rng(3)
    half = rng.normal(size=(9, 6, 2)) * 3
    order = [0, 2, 1, 3, 5, 4]
    points = BASE + half + half[:, order] * (-1, 1)  # symmetric about the y axis, each in its own way
    known = labels(points, flip_pairs=PAIRS)
    symmetry = symmetry_of(points, known)
    np.testing.assert_allclose(symmetry.asymmetric, 0, atol=1e-6)
    assert shapes_of(labels(points)).symmetry is None, "no flip pairs are known"


def test_asymmetry_of_all_is_told_from_that_of_each() -> None:
    points = np.stack([BASE] * 10)
    points[:, 1] += (-4, 0)  # the left one is farther out in all of them
    found = symmetry_of(points, labels(points, flip_pairs=PAIRS))
    assert found.directional > 0.02
    np.testing.assert_allclose(found.fluctuating, 0, atol=1e-9)
    points[4, 2] += (0, 9)
    found = symmetry_of(points, labels(points, flip_pairs=PAIRS))
    assert int(found.fluctuating.argmax()) == 4
    parts = found.symmetric + found.asymmetric
    np.testing.assert_allclose(np.linalg.norm(parts, axis=(1, 2)), 1)
    mirrored = found.symmetric[:, [0, 2, 1, 3, 5, 4]]
    middle = found.symmetric.mean(0)
    axis = middle[0] - middle[3]
    axis /= np.linalg.norm(axis)
    reflect = 2 * np.outer(axis, axis) - np.eye(2)
    np.testing.assert_allclose(mirrored @ reflect, found.symmetric, atol=1e-9)
