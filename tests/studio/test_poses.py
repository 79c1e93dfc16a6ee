"""Which way up things lie, against copies of one thing that were turned by known angles."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from lead.landmarks.model import Labels, Schema
from lead.studio.poses import Headings

THING = np.array([[0, -40], [-18, 5], [20, 0], [3, 44.0]])
"""Head, sides and tip of something upright, about its middle."""
SCHEMA = Schema(("head", "left", "right", "tip"))


def turned(degrees: float, size: float = 1, middle: tuple[float, float] = (200, 150)) -> npt.NDArray[np.float64]:
    """The thing turned clockwise on the screen, where y points down: one landmark after the other."""
    angle = math.radians(degrees)
    out = []
    for x, y in THING:
        out.append(
            (
                middle[0] + size * (x * math.cos(angle) - y * math.sin(angle)),
                middle[1] + size * (x * math.sin(angle) + y * math.cos(angle)),
            )
        )
    return np.array(out)


def labels(copies: list[npt.NDArray[np.float64]]) -> Labels:
    return Labels.from_xy(SCHEMA, [f"{i}.png" for i in range(len(copies))], np.stack(copies))


def away(up: tuple[float, float] | None, degrees: float) -> float:
    """Degrees between a direction and that of a thing turned clockwise from upright by so many."""
    assert up is not None
    assert math.hypot(*up) == pytest.approx(1)
    straight = math.degrees(math.atan2(up[0], -up[1]))  # clockwise from up
    return abs((straight - degrees + 180) % 360 - 180)


LYING = [0.0, 70, -65, 160, -20, 25]


def test_up_turns_with_the_thing() -> None:
    sizes = (1, 0.4, 2.5, 1, 0.7, 3)
    headings = Headings.of(labels([turned(d, s) for d, s in zip(LYING, sizes, strict=True)]))
    assert headings.turned
    # Up is up in the common frame, whose heading is the mean of the labelled ones.
    mean = math.degrees(
        math.atan2(*np.mean([(math.sin(math.radians(d)), math.cos(math.radians(d))) for d in LYING], 0))
    )
    for degrees in (*LYING, 90, 180, 233):
        assert away(headings.up(turned(degrees, 1.7, (40, 90))), degrees - mean) < 0.5


def mirrored(degrees: float) -> npt.NDArray[np.float64]:
    """The thing seen from its other side, left and right changed, then turned: heads that way as the plain one does."""
    plain = turned(0, middle=(0, 0)) * (-1, 1)
    angle = math.radians(degrees)
    x, y = plain.T
    return np.stack([x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)], -1) + 200


def test_mirror_images_head_as_the_others_do() -> None:
    copies = [*(turned(d) for d in (0, 20, -20)), mirrored(90), mirrored(-90)]
    headings = Headings.of(labels(copies))
    for degrees in (0, 45, 130, -100):
        assert away(headings.up(mirrored(degrees)), degrees) < 0.5
        assert away(headings.up(turned(degrees)), degrees) < 0.5


def test_two_landmarks_tell_it_and_one_does_not() -> None:
    headings = Headings.of(labels([turned(d) for d in (0, 120, 240, 15)]))
    whole = headings.up(turned(77))
    for left_out in ([0, 1], [1, 2], [2, 3]):
        part = turned(77)
        part[left_out] = np.nan
        up = headings.up(part)
        assert whole is not None
        assert away(up, math.degrees(math.atan2(whole[0], -whole[1]))) < 0.5
    part = turned(77)
    part[1:] = np.nan
    assert headings.up(part) is None
    assert headings.up(np.full((4, 2), 7.0)) is None  # all on one spot
    assert headings.up(np.full((4, 2), np.nan)) is None


def test_upright_things_are_not_turned() -> None:
    assert not Headings.of(labels([turned(d) for d in (0, 8, -12, 20, -5)])).turned
    # One among twenty lies on its side by chance.
    assert not Headings.of(labels([*(turned(d) for d in range(-9, 10)), turned(90)])).turned


def test_a_landmark_that_is_labelled_nowhere_has_no_say() -> None:
    copies = [turned(d) for d in (0, 120, 240, 15)]
    for copy in copies:
        copy[2] = np.nan
    headings = Headings.of(labels(copies))
    with_it, without = turned(50), turned(50)
    without[2] = np.nan
    with_it[2] = (900, 900)
    assert headings.up(with_it) == pytest.approx(headings.up(without))


@pytest.mark.parametrize("some", [[], [np.array([[5.0, 5], [np.nan] * 2, [np.nan] * 2, [np.nan] * 2])]])
def test_labels_without_a_shape_tell_nothing(some: list[npt.NDArray[np.float64]]) -> None:
    copies = labels(some) if some else labels([turned(0)]).take([])
    headings = Headings.of(copies)
    assert headings.shape is None
    assert not headings.turned
    assert headings.up(turned(30)) is None
